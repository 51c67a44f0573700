"""CDS Clients that call again and again, for measurements: what they saw, and how long it took."""

import http.client
import json
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from http import HTTPStatus
from typing import Any
from urllib.parse import urlsplit

from cds_service.demo.fixtures import read_request, read_situations
from tests.spec.protected import claims, token

Json = dict[str, Any]
SERVICE = "/cds-services/iv-iron-rls"
LONGEST = 60.0  # seconds a caller waits for an answer


@dataclass(frozen=True, slots=True)
class Answer:
    """`said` is the status, or one word for what happened instead; `ended` and `took` in seconds (monotonic)."""

    said: str
    ended: float
    took: float
    body: bytes = b""

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def words(self) -> str:
        """The diagnostics of an OperationOutcome."""
        return str(self.json["issue"][0].get("diagnostics", "")) if self.body else ""


@cache
def full_request(situation: str = "low-ferritin") -> Json:
    """A call of the fixtures with all its prefetch, dated to today."""
    today = datetime.now(UTC).date()
    return dict(read_request(read_situations().by_name[situation], "http://127.0.0.1:8000/fhir", today))


def fresh_token(public_url: str, path: str, now: float | None = None) -> str:
    second = int(time.time() if now is None else now)
    return token(body=claims(aud=public_url + path, iat=second, exp=second + 600))


def connect(url: str) -> http.client.HTTPConnection:
    parts = urlsplit(url)
    return http.client.HTTPConnection(str(parts.hostname), parts.port, timeout=LONGEST)


def ask(
    url: str,
    path: str = SERVICE,
    body: Any = None,
    bearer: str | None = None,
    public_url: str | None = None,
    kept: http.client.HTTPConnection | None = None,
) -> Answer:
    """One call, on a connection of its own unless one is given. With a body it is a POST."""
    value = bearer if bearer is not None else fresh_token(public_url or url, path)
    headers = {"Authorization": f"Bearer {value}", "Content-Type": "application/json"}
    data = None if body is None else json.dumps(body).encode()
    connection = kept or connect(url)
    began = time.monotonic()
    try:
        connection.request("GET" if data is None else "POST", path, data, headers)
        response = connection.getresponse()
        said, received = str(response.status), response.read()
    except (OSError, http.client.HTTPException) as failed:
        connection.close()
        said, received = _name(failed), b""
    else:
        if kept is None:
            connection.close()
    ended = time.monotonic()
    return Answer(said, ended, ended - began, received)


def _name(failed: Exception) -> str:
    match failed:
        case ConnectionRefusedError():
            return "refused"  # nothing was accepted, so nothing was lost
        case socket.timeout():
            return "no answer"
        case _:
            return "broken off"


@dataclass(slots=True)
class Callers:
    """What several clients saw while they called."""

    answers: list[Answer] = field(default_factory=list)

    @property
    def said(self) -> Counter[str]:
        return Counter(one.said for one in self.answers)

    @property
    def longest(self) -> float:
        return max((one.took for one in self.answers), default=0.0)

    def percentile(self, share: float) -> float:
        took = sorted(one.took for one in self.answers)
        return took[min(len(took) - 1, int(share * len(took)))] if took else 0.0

    def after(self, moment: float) -> Counter[str]:
        """What was said to calls that ended later."""
        return Counter(one.said for one in self.answers if one.ended > moment)

    def __str__(self) -> str:
        return ", ".join(f"{said}: {count}" for said, count in sorted(self.said.items()))


@contextmanager
def calling(make_call: Callable[[], Answer], callers: int = 8, pause: float = 0.0) -> Iterator[Callers]:
    """So many clients, each calling as soon as it has its answer, until the end of the block."""
    seen, stop = Callers(), threading.Event()

    def call_on() -> None:
        while not stop.is_set():
            answer = make_call()
            seen.answers.append(answer)
            if answer.said != str(int(HTTPStatus.OK)):
                stop.wait(0.05)  # as a client would: not at once again
            stop.wait(pause)

    threads = [threading.Thread(target=call_on) for _ in range(callers)]
    for one in threads:
        one.start()
    try:
        yield seen
    finally:
        stop.set()
        for one in threads:
            one.join(LONGEST)


def wait_until(holds: Callable[[], object], seconds: float = 60.0) -> float:
    """Seconds it took. Raises `AssertionError` when it did not come."""
    began = time.monotonic()
    while not holds():
        assert time.monotonic() - began < seconds, f"did not happen in {seconds} s"
        time.sleep(0.05)
    return time.monotonic() - began
