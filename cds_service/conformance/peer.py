"""Sends to the service under test and remembers every answer."""

import json
from collections.abc import Callable
from time import perf_counter
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import requests

from cds_service.conformance.finding import Answer, Json
from cds_service.settings import is_loopback

DISCOVERY = "/cds-services"
SECONDS = 20.0
MOST_BYTES = 16 * 1024 * 1024
Sign = Callable[[str], str | None]  # path below the base to the token for it, None: no login


class Peer:
    """One service under test. Answers, in order, are in `seen`."""

    def __init__(self, base: str, sign: Sign = lambda _: None) -> None:
        self.base = base.rstrip("/")
        self.seen: list[Answer] = []
        self._sign = sign
        self._session = requests.Session()
        self._session.trust_env = False

    @property
    def is_loopback(self) -> bool:
        return is_loopback(urlsplit(self.base).hostname or "")

    def send(
        self, method: str, path: str, what: str = "", body: Any = None, token: str | None = "", **headers: str
    ) -> Answer:
        """`token`: "" signs one for the path, None sends none. `body`: bytes as they are, anything else as JSON."""
        bearer = self._sign(path) if token == "" else token
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        if bearer is not None:
            given["Authorization"] = f"Bearer {bearer}"
        data = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
        if data is not None:
            given.setdefault("Content-Type", "application/json")
        answer = self._exchange(method, path, f"{method} {path}{' ' if what else ''}{what}", data, given)
        self.seen.append(answer)
        return answer

    def call(self, service_id: str, body: Any, what: str, token: str | None = "", **headers: str) -> Answer:
        """One service call; a hook request gets a hookInstance of its own unless it has one."""
        if isinstance(body, dict) and body.get("hookInstance") == "":
            body = {**body, "hookInstance": str(uuid4())}
        return self.send("POST", f"{DISCOVERY}/{service_id}", what, body, token, **headers)

    def _exchange(self, method: str, path: str, sent: str, data: bytes | None, headers: Json) -> Answer:
        began = perf_counter()
        try:
            response = self._session.request(
                method,
                self.base + path,
                data=data,
                headers=headers,
                timeout=SECONDS,
                allow_redirects=False,
                stream=True,
            )
            with response:
                body = response.raw.read(MOST_BYTES, decode_content=True)
        except (requests.RequestException, OSError) as wrong:
            return Answer(sent, path, 0, {}, b"", perf_counter() - began, type(wrong).__name__)
        self._session.cookies.clear()
        return Answer(sent, path, response.status_code, response.headers, body, perf_counter() - began)
