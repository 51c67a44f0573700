"""Reads FHIR servers: queries in parallel, one deadline for the call, no redirects, the token only to its server.

The deadline is kept by the clock while an answer arrives, not only by socket timeouts. Nothing here logs a URL, a
token or a body; what went wrong is told in words that hold none of them.
"""

import threading
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, replace
from http import HTTPStatus
from typing import Any, TypeAlias
from urllib.parse import urljoin

import msgspec
import requests
from urllib3.exceptions import HTTPError as TransportError
from urllib3.exceptions import ProtocolError
from urllib3.util import Timeout

from cds_service.fhir.addresses import Access, origin_of
from cds_service.fhir.connections import CheckedAdapter
from cds_service.fhir.pages import Enough
from cds_service.fhir.prefetch import EMPTY, Settled, State, settle_answer

Job: TypeAlias = str | Settled  # an encoded relative query, or a first page whose `next` link is to be followed

RETRIED = (429, 502, 503, 504)
MOST_TRIES = 3
FIRST_PAUSE = 0.05  # seconds; doubles with each try
REFUSES_METHOD = (HTTPStatus.METHOD_NOT_ALLOWED, HTTPStatus.REQUEST_URI_TOO_LONG)
REFUSES_PARAMETER = (HTTPStatus.BAD_REQUEST, HTTPStatus.UNPROCESSABLE_ENTITY, HTTPStatus.NOT_IMPLEMENTED)
CHUNK = 65_536
GRACE = 0.05  # seconds in which a thread that ran out of time hands over the pages it has
ACCEPT = "application/fhir+json, application/json;q=0.9"
JSON_TYPES = ("application/fhir+json", "application/json", "application/json+fhir")


@dataclass(frozen=True, slots=True)
class Limits:
    """How much one key may bring, and one call; beyond that an answer is cut and counts as incomplete."""

    pages: int = 20
    entries: int = 5_000
    bytes: int = 16 * 1024 * 1024
    bytes_of_call: int = 64 * 1024 * 1024


class _Refused(Exception):
    """An answer that brings no data; the words name no URL, token or patient."""

    def __init__(self, why: str, status: int = 0) -> None:
        super().__init__(why)
        self.status = status


class _Busy(_Refused):
    """Worth another try. `after`: seconds the server asks for, None when it does not say."""

    def __init__(self, why: str, status: int = 0, retry_after: str | None = None) -> None:
        super().__init__(why, status)
        self.after = float(retry_after) if retry_after and retry_after.isascii() and retry_after.isdigit() else None


class FhirClient:
    """One per worker process: kept connections, and the threads that wait for servers."""

    def __init__(self, threads: int, limits: Limits = Limits()) -> None:
        self._limits = limits
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="fhir")
        self._adapters = {
            private: CheckedAdapter(private_network=private, connections=threads) for private in (False, True)
        }

    def fetch_all(self, access: Access, jobs: Mapping[str, Job], enough: Enough, deadline: float) -> dict[str, Settled]:
        """The answer to each job, under its key. `deadline` is a moment of `time.monotonic`; nobody waits longer."""
        adapter = self._adapters[access.base.private_network]
        reading = _Reading(access, adapter, self._limits, _Weight(), enough, deadline)
        pending = {self._pool.submit(reading.settle, key, job): key for key, job in jobs.items()}
        return _collect(pending, deadline + GRACE)

    def close(self) -> None:
        """Lets the threads end when they are through; for tests."""
        self._pool.shutdown(wait=False, cancel_futures=True)


def _collect(pending: Mapping["Future[Settled]", str], until: float) -> dict[str, Settled]:
    """Answers that are there in time; the others failed, and nobody waits for them."""
    done, late = wait(pending, timeout=max(0.0, until - time.monotonic()))
    for future in late:
        future.cancel()
    answers = {pending[future]: future.result() for future in done}
    return answers | {pending[future]: Settled(State.FAILED, why="no answer in time") for future in late}


class _Weight:
    """Bytes that the answers of one call hold so far, over all its threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._bytes = 0

    def add(self, count: int) -> int:
        """The sum."""
        with self._lock:
            self._bytes += count
            return self._bytes


@dataclass(frozen=True, slots=True)
class _Reading:
    """What all queries of one call share."""

    access: Access
    adapter: CheckedAdapter
    limits: Limits
    weight: _Weight
    enough: Enough
    deadline: float

    def settle(self, key: str, job: Job) -> Settled:
        """One key, with as many pages as it takes."""
        if isinstance(job, Settled):
            return self._follow(key, job)
        try:
            body = self._search(job)
        except _Refused as refusal:
            return Settled(State.FAILED, why=str(refusal))
        page = settle_answer(body)
        if "?" in job and len(page.resources) == 1 and memoryview(page.resources[0]).nbytes == len(body):
            return Settled(State.FAILED, why="the server answered a search with something else than a Bundle")
        return self._follow(key, page)

    # --- pages

    def _follow(self, key: str, page: Settled) -> Settled:
        """Pages until there are enough results or no more, within the limits; a cut answer is incomplete (CH-090)."""
        resources = list(page.resources)
        size = sum(memoryview(one).nbytes for one in resources)
        seen: set[str] = set()
        while page.next_url is not None:
            if self.enough(key, resources):
                return Settled(State.SUPPLIED, tuple(resources))
            url = _absolute(self.access.base.url, page.next_url)
            if why := self._why_not_follow(url, seen):
                return _cut(resources, why)
            seen.add(url)
            try:
                body = self._send("GET", url)
            except _Refused as refusal:
                return _cut(resources, f"a further page could not be read: {refusal}")
            size, page = size + len(body), settle_answer(body)
            resources += page.resources
            if page.state is State.FAILED:
                return _cut(resources, f"a further page could not be read: {page.why}")
            if size > self.limits.bytes or len(resources) > self.limits.entries:
                return _cut(resources, "more data than are read for one key")
        if page.state in (State.FAILED, State.INCOMPLETE):
            return replace(page, resources=tuple(resources))
        return Settled(State.SUPPLIED, tuple(resources)) if resources else EMPTY

    def _why_not_follow(self, url: str, seen: set[str]) -> str:
        if origin_of(url) != origin_of(self.access.base.url):
            return "the next page is on another server"
        return "more pages than are read for one key" if url in seen or len(seen) + 1 >= self.limits.pages else ""

    # --- one query

    def _search(self, query: str) -> bytes:
        """GET; once more without `_sort` and `_count` where the server refuses those; POST where it refuses GET."""
        path, _, parameters = query.partition("?")
        url = f"{self.access.base.url}/{path}"
        try:
            return self._get_or_post(url, parameters)
        except _Refused as refusal:
            plain = "&".join(one for one in parameters.split("&") if not one.startswith(("_sort=", "_count=")))
            if refusal.status not in REFUSES_PARAMETER or plain == parameters:
                raise
        return self._get_or_post(url, plain)

    def _get_or_post(self, url: str, parameters: str) -> bytes:
        try:
            return self._send("GET", f"{url}?{parameters}" if parameters else url)
        except _Refused as refusal:
            if refusal.status not in REFUSES_METHOD or not parameters:
                raise
        return self._send("POST", f"{url}/_search", parameters)

    def _send(self, method: str, url: str, form: str | None = None) -> bytes:
        """One answer's body; tried again on 429, 502, 503, 504 and lost connections while there is time."""
        pause = FIRST_PAUSE
        for left in reversed(range(MOST_TRIES)):
            try:
                return self._send_once(method, url, form)
            except _Busy as busy:
                wanted = busy.after if busy.after is not None else pause
                if not left or time.monotonic() + wanted >= self.deadline:
                    raise
                time.sleep(wanted)
                pause *= 2
        raise AssertionError("the last try returns or raises")

    def _send_once(self, method: str, url: str, form: str | None) -> bytes:
        remaining = self.deadline - time.monotonic()
        if remaining <= 0:
            raise _Refused("no answer in time")
        headers = {**self.access.headers, "Authorization": f"Bearer {self.access.token}", "Accept": ACCEPT}
        if form is not None:
            headers["Content-Type"] = "application/x-www-form-urlencoded"
        try:
            prepared = requests.Request(method, url, headers=headers, data=form).prepare()
            with self.adapter.send(prepared, stream=True, timeout=_total(remaining)) as answer:
                return self._read(answer)
        except requests.Timeout:
            raise _Refused("no answer in time") from None
        except requests.ConnectionError as broken:
            # A kept connection that the server had closed, or a server that hung up: reading again does no harm.
            kind = _Busy if isinstance(broken.args[0], ProtocolError) else _Refused
            raise kind("the server could not be reached, or broke off") from None
        except (requests.RequestException, TransportError, OSError):
            why = "no answer in time" if time.monotonic() >= self.deadline else "the server's answer could not be read"
            raise _Refused(why) from None

    def _read(self, answer: requests.Response) -> bytes:
        status = answer.status_code
        if status in RETRIED:
            raise _Busy(f"the server answered {status}", status, answer.headers.get("Retry-After"))
        if status != HTTPStatus.OK:
            raise _Refused(f"the server answered {status}", status)
        kind = answer.headers.get("Content-Type", "").partition(";")[0].strip().lower()
        if kind not in JSON_TYPES:
            raise _Refused("the server did not answer in JSON")
        body = bytearray()
        while chunk := answer.raw.read1(CHUNK, decode_content=True):
            body += chunk
            if len(body) > self.limits.bytes:
                raise _Refused("the answer is larger than is read for one key")
            if self.weight.add(len(chunk)) > self.limits.bytes_of_call:
                raise _Refused("the answers together are larger than is read for one call")
        return bytes(body)


def _absolute(base: str, link: str) -> str:
    """A `next` link, which may be relative to the base; "" for what is no address."""
    try:
        return urljoin(base + "/", link)
    except ValueError:
        return ""


def _total(seconds: float) -> Any:
    """Connecting and the wait for an answer together; the stubs of `requests` do not know that it takes this."""
    return Timeout(total=seconds)


def _cut(resources: Sequence[msgspec.Raw], why: str) -> Settled:
    return Settled(State.INCOMPLETE, tuple(resources), None, why)
