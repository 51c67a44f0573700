"""Reads a FHIR server for one call: our own queries in parallel, one deadline, no redirects, the token only to the base.

The deadline is kept by the clock while a body arrives, not only by socket timeouts: a dripping server gains nothing.
Nothing here logs a URL, a token or a body; outcomes are told by key.
"""

import socket
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field, replace
from http import HTTPStatus
from http.cookiejar import DefaultCookiePolicy
from typing import Any
from urllib.parse import quote, urljoin

import msgspec
import requests
from requests.adapters import HTTPAdapter
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import HTTPError as TransportError
from urllib3.exceptions import NewConnectionError

from cds_service.fhir.addresses import AllowedBase, may_connect, origin_of
from cds_service.fhir.prefetch import EMPTY, Settled, State, settle_answer

RETRIED = (429, 502, 503, 504)
MOST_TRIES = 3
FIRST_PAUSE = 0.05  # seconds; doubles with each try
REFUSES_METHOD = (HTTPStatus.METHOD_NOT_ALLOWED, HTTPStatus.REQUEST_URI_TOO_LONG)
REFUSES_PARAMETER = (
    HTTPStatus.BAD_REQUEST,
    HTTPStatus.UNPROCESSABLE_ENTITY,
    HTTPStatus.NOT_IMPLEMENTED,
)
CHUNK = 65_536
ACCEPT = "application/fhir+json, application/json;q=0.9"
JSON_TYPES = ("application/fhir+json", "application/json", "application/json+fhir")


@dataclass(frozen=True, slots=True)
class Limits:
    """How much one key may bring before it is cut and counts as incomplete."""

    pages: int = 20
    entries: int = 5_000
    bytes: int = 16 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Access:
    """One call's way to the EHR's server. Its repr does not show the token."""

    base: AllowedBase
    token: str = field(repr=False)
    headers: Mapping[str, str] = field(default_factory=dict)  # traceparent


class _Refused(Exception):
    """An answer that brings no data; the words name no URL, token or patient."""

    def __init__(self, why: str, status: int = 0) -> None:
        super().__init__(why)
        self.status = status


Enough = Callable[[str, Sequence[msgspec.Raw]], bool]


class FhirClient:
    """One per worker process: pooled connections and the threads that wait for servers."""

    def __init__(self, threads: int, limits: Limits = Limits()) -> None:
        self._limits = limits
        self._threads = threads
        self._pool: ThreadPoolExecutor | None = None
        self._lock = threading.Lock()
        self._sessions = {private: _open_session(private) for private in (False, True)}

    def fetch_all(
        self,
        access: Access,
        queries: Mapping[str, str],
        enough: Enough,
        deadline: float,
    ) -> dict[str, Settled]:
        """Key to relative query -> key to settled answer. `deadline` is a `time.monotonic` moment; never later."""
        pending = {
            self._submit(self._fetch, access, key, query, enough, deadline): key for key, query in queries.items()
        }
        return _collect(pending, deadline)

    def follow_all(
        self,
        access: Access,
        pages: Mapping[str, Settled],
        enough: Enough,
        deadline: float,
    ) -> dict[str, Settled]:
        """Reads on from supplied first pages (CH-090)."""
        pending = {self._submit(self._follow, access, key, page, enough, deadline): key for key, page in pages.items()}
        return _collect(pending, deadline)

    def read(self, access: Access, reference: str, deadline: float) -> msgspec.Raw | None:
        """One resource by relative reference; None when it cannot be had."""
        future = self._submit(self._fetch, access, reference, reference, lambda *_: True, deadline)
        settled = _collect({future: reference}, deadline)[reference]
        return settled.resources[0] if settled.resources else None

    def _submit(self, work: Callable[..., Settled], *arguments: Any) -> "Future[Settled]":
        with self._lock:
            if self._pool is None:  # made in the worker, after the fork
                self._pool = ThreadPoolExecutor(self._threads, thread_name_prefix="fhir")
            return self._pool.submit(work, *arguments)

    # --- one key

    def _fetch(self, access: Access, key: str, query: str, enough: Enough, deadline: float) -> Settled:
        try:
            body = self._search(access, query, deadline)
        except _Refused as refusal:
            return Settled(State.FAILED, why=str(refusal))
        return self._follow(access, key, settle_answer(body), enough, deadline)

    def _follow(self, access: Access, key: str, page: Settled, enough: Enough, deadline: float) -> Settled:
        """Pages until there are enough results or no more, within the limits; a cut answer is incomplete."""
        resources, size, pages = list(page.resources), 0, 1
        seen: set[str] = set()
        while page.next_url is not None:
            if enough(key, resources):
                return Settled(State.SUPPLIED, tuple(resources))
            url = urljoin(access.base.url + "/", page.next_url)
            if origin_of(url) != origin_of(access.base.url):
                return _cut(resources, "the next page is on another server")
            if url in seen or pages >= self._limits.pages:
                return _cut(resources, "too many pages")
            seen.add(url)
            try:
                body = self._send(access, "GET", url, None, deadline)
            except _Refused as refusal:
                return _cut(resources, f"a further page could not be read: {refusal}")
            size, pages, page = size + len(body), pages + 1, settle_answer(body)
            resources += page.resources
            if page.state is State.FAILED:
                return _cut(resources, "a further page failed")
            if size > self._limits.bytes or len(resources) > self._limits.entries:
                return _cut(resources, "too much data")
        if page.state in (State.FAILED, State.INCOMPLETE):
            return replace(page, resources=tuple(resources))
        return Settled(State.SUPPLIED, tuple(resources)) if resources else EMPTY

    def _search(self, access: Access, query: str, deadline: float) -> bytes:
        """GET; without `_sort` and `_count` where the server refuses them; POST where it refuses GET."""
        path, _, parameters = encode_query(query).partition("?")
        url = f"{access.base.url}/{path}"
        try:
            return self._get_or_post(access, url, parameters, deadline)
        except _Refused as refusal:
            plain = "&".join(one for one in parameters.split("&") if not one.startswith(("_sort=", "_count=")))
            if refusal.status not in REFUSES_PARAMETER or plain == parameters:
                raise
            return self._get_or_post(access, url, plain, deadline)

    def _get_or_post(self, access: Access, url: str, parameters: str, deadline: float) -> bytes:
        try:
            return self._send(
                access,
                "GET",
                f"{url}?{parameters}" if parameters else url,
                None,
                deadline,
            )
        except _Refused as refusal:
            if refusal.status not in REFUSES_METHOD or not parameters:
                raise
        return self._send(access, "POST", f"{url}/_search", parameters, deadline)

    def _send(self, access: Access, method: str, url: str, form: str | None, deadline: float) -> bytes:
        """One answer's body; tries again on 429, 502, 503 and 504 while there is time."""
        pause = FIRST_PAUSE
        for left in reversed(range(MOST_TRIES)):
            try:
                return self._send_once(access, method, url, form, deadline)
            except _Busy as busy:
                pause = busy.after if busy.after is not None else pause
                if not left or time.monotonic() + pause >= deadline:
                    raise
                time.sleep(pause)
                pause *= 2
        raise AssertionError("the last try returns or raises")

    def _send_once(self, access: Access, method: str, url: str, form: str | None, deadline: float) -> bytes:
        remaining = deadline - time.monotonic()
        if remaining <= 0:
            raise _Refused("no time left")
        headers = {
            "Authorization": f"Bearer {access.token}",
            "Accept": ACCEPT,
            **access.headers,
        }
        if form is not None:
            headers["Content-Type"] = "application/x-www-form-urlencoded"
        session = self._sessions[access.base.private_network]
        try:
            with session.request(
                method,
                url,
                data=form,
                headers=headers,
                timeout=remaining,
                stream=True,
                allow_redirects=False,
            ) as answer:
                return self._read(answer, deadline)
        except (requests.RequestException, TransportError, OSError):
            raise _Refused("the server could not be reached or broke off") from None

    def _read(self, answer: requests.Response, deadline: float) -> bytes:
        status = answer.status_code
        if status in RETRIED:
            raise _Busy(status, answer.headers.get("Retry-After"))
        if status != HTTPStatus.OK:
            raise _Refused(f"the server answered {status}", status)
        kind = answer.headers.get("Content-Type", "").partition(";")[0].strip().lower()
        if kind not in JSON_TYPES:
            raise _Refused("the server did not answer in JSON")
        body = bytearray()
        while chunk := answer.raw.read1(CHUNK, decode_content=True):
            body += chunk
            if len(body) > self._limits.bytes:
                raise _Refused("the answer is too large")
            if time.monotonic() > deadline:
                raise _Refused("no answer in time")
        return bytes(body)


class _Busy(_Refused):
    """Worth another try. `after`: seconds the server asks for, None when it does not say."""

    def __init__(self, status: int, retry_after: str | None) -> None:
        super().__init__(f"the server answered {status}", status)
        self.after = float(retry_after) if retry_after and retry_after.isascii() and retry_after.isdigit() else None


def _cut(resources: Sequence[msgspec.Raw], why: str) -> Settled:
    return Settled(State.INCOMPLETE, tuple(resources), None, why)


def _collect(pending: Mapping["Future[Settled]", str], deadline: float) -> dict[str, Settled]:
    """Answers that are there by the deadline; the others failed, and nobody waits for them."""
    done, late = wait(pending, timeout=max(0.0, deadline - time.monotonic()))
    for future in late:
        future.cancel()
    answers = {pending[future]: future.result() for future in done}
    return answers | {pending[future]: Settled(State.FAILED, why="no answer in time") for future in late}


def encode_query(query: str) -> str:
    """One of our templates, expanded, as a URL: values percent-encoded, the separators of FHIR search kept."""
    path, mark, parameters = query.partition("?")
    pairs = (pair.partition("=") for pair in parameters.split("&")) if mark else ()
    return quote(path, safe="/") + mark + "&".join(f"{name}={quote(value, safe=',')}" for name, _, value in pairs)


def _open_session(private_network: bool) -> requests.Session:
    session = requests.Session()
    session.trust_env = False  # no proxies, no .netrc
    session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
    adapter = _CheckedAdapter(private_network)
    session.mount("https://", adapter)
    session.mount("http://", adapter)
    return session


class _CheckedAdapter(HTTPAdapter):
    """Connects only to permitted addresses, checked on the very address that is connected to."""

    def __init__(self, private_network: bool) -> None:
        self._private_network = private_network
        super().__init__(pool_connections=16, pool_maxsize=64, max_retries=0)

    def init_poolmanager(self, *arguments: Any, **options: Any) -> None:
        super().init_poolmanager(*arguments, **options)
        suffix = "Private" if self._private_network else "Public"
        self.poolmanager.pool_classes_by_scheme = {
            "http": _POOLS[f"http{suffix}"],
            "https": _POOLS[f"https{suffix}"],
        }


def _connect(connection: HTTPConnection, *, private_network: bool) -> socket.socket:
    """A socket to the first permitted address; a name that resolves to others as well is used for those permitted."""
    refused: Exception | None = None
    for family, kind, protocol, _, address in socket.getaddrinfo(
        connection._dns_host, connection.port, type=socket.SOCK_STREAM
    ):
        if not may_connect(str(address[0]), private_network=private_network):
            refused = OSError("address not permitted")
            continue
        sock = socket.socket(family, kind, protocol)
        try:
            if isinstance(connection.timeout, int | float):
                sock.settimeout(connection.timeout)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            sock.connect(address)
        except OSError as failed:
            sock.close()
            refused = failed
        else:
            return sock
    raise NewConnectionError(connection, "no permitted address could be connected to") from refused


class _PublicHTTP(HTTPConnection):
    def _new_conn(self) -> socket.socket:
        return _connect(self, private_network=False)


class _PrivateHTTP(HTTPConnection):
    def _new_conn(self) -> socket.socket:
        return _connect(self, private_network=True)


class _PublicHTTPS(HTTPSConnection):
    def _new_conn(self) -> socket.socket:
        return _connect(self, private_network=False)


class _PrivateHTTPS(HTTPSConnection):
    def _new_conn(self) -> socket.socket:
        return _connect(self, private_network=True)


_POOLS: dict[str, Any] = {
    name: type(f"Checked{name}", (pool,), {"ConnectionCls": connection})
    for name, pool, connection in (
        ("httpPublic", HTTPConnectionPool, _PublicHTTP),
        ("httpPrivate", HTTPConnectionPool, _PrivateHTTP),
        ("httpsPublic", HTTPSConnectionPool, _PublicHTTPS),
        ("httpsPrivate", HTTPSConnectionPool, _PrivateHTTPS),
    )
}
