"""Who is calling: verifies the JWT of a CDS Client (CH-193...CH-220), cheap local checks first."""

import json
import math
import re
import threading
import time
from base64 import urlsafe_b64decode
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, TypeAlias

import requests
from urllib3.exceptions import HTTPError as TransportError
from urllib3.util import Timeout

from cds_service.clients import RegisteredClient, Registry
from cds_service.errors import Unauthorized
from cds_service.fhir.connections import CheckedAdapter
from cds_service.keys import KeySet, UnusableKey, VerifyingKey, find_key, parse_key_set

LONGEST_TOKEN = 8192  # characters; the usual limit of a whole header line
LONGEST_WORD = 256  # characters of kid, jti, tenant
_SEGMENTS = re.compile(r"([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]+)").fullmatch
_BEARER = re.compile(r"[Bb][Ee][Aa][Rr][Ee][Rr] ([A-Za-z0-9_.-]+)").fullmatch


@dataclass(frozen=True, slots=True)
class Times:
    """Seconds."""

    skew: int
    longest_life: int


@dataclass(frozen=True, slots=True)
class Caller:
    """A verified caller. Of the token only what may be logged and kept remains (CH-219)."""

    registered: RegisteredClient
    issuer: str
    jti: str
    tenant: str | None
    expires: int  # seconds since 1970 after which no clock accepts the token any more


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A called address as path below the public URL; `also` are further paths a token for it may name."""

    path: str
    also: tuple[str, ...] = ()


FindKey: TypeAlias = Callable[[RegisteredClient, str, str, str | None], VerifyingKey | None]


def verify_caller(
    registry: Registry,
    authorization: str | None,
    endpoint: Endpoint,
    public_url: str,
    now: float,
    times: Times,
    find: FindKey,
) -> Caller:
    """The caller whose token is good for this endpoint at `now` (seconds since 1970).

    Raises `Unauthorized`; its `reason` is for the log only (CH-218). Whether the `jti` was seen the store must say.
    """
    signed, header, claims, signature = _split(authorization)
    client = registry.by_issuer.get(_word(claims, "iss"))
    if client is None:
        raise Unauthorized("iss is not registered")
    algorithm, kid, key_url = _check_header(header, client)
    _check_audience(claims.get("aud"), client, endpoint, public_url)
    expires = _check_times(claims, now, times)
    jti = _word(claims, "jti")
    tenant = _check_tenant(claims, client)
    key = find(client, kid, algorithm, key_url)  # the first step that may go to the network (CH-220)
    if key is None:
        raise Unauthorized("kid names no key of this client for this algorithm")
    if not key.verifies(algorithm, signed, signature):
        raise Unauthorized("the signature does not match")
    return Caller(client, claims["iss"], jti, tenant, math.ceil(expires) + times.skew)


def _split(authorization: str | None) -> tuple[bytes, Mapping[str, Any], Mapping[str, Any], bytes]:
    if not authorization:
        raise Unauthorized("no Authorization header")
    if len(authorization) > LONGEST_TOKEN:
        raise Unauthorized("the token is too long")
    bearer = _BEARER(authorization)  # a second header arrives joined by a comma and does not match
    if bearer is None:
        raise Unauthorized("the Authorization header is not one Bearer token")
    parts = _SEGMENTS(bearer[1])
    if parts is None:
        raise Unauthorized("the token is not three segments of base64url")
    signed = bearer[1].rpartition(".")[0].encode("ascii")
    return signed, _read_object(parts[1]), _read_object(parts[2]), _decode(parts[3])


def _decode(segment: str) -> bytes:
    try:
        return urlsafe_b64decode(segment + "=" * (-len(segment) % 4))
    except ValueError:
        raise Unauthorized("a segment of the token is not base64url") from None


def _read_object(segment: str) -> Mapping[str, Any]:
    try:
        found = json.loads(_decode(segment).decode("utf-8"), object_pairs_hook=_unique, parse_constant=_refuse)
    except (ValueError, RecursionError):
        raise Unauthorized("a segment of the token is not JSON with every member once") from None
    if not isinstance(found, dict):
        raise Unauthorized("a segment of the token is no JSON object")
    return found


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Two readers may see two different tokens in one with a member twice."""
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError
    return found


def _refuse(_: str) -> None:
    raise ValueError


def _word(claims: Mapping[str, Any], name: str) -> str:
    value = claims.get(name)
    if not isinstance(value, str) or not value or len(value) > LONGEST_WORD or not value.isprintable():
        raise Unauthorized(f"{name} is not a short text")
    return value


def _check_header(header: Mapping[str, Any], client: RegisteredClient) -> tuple[str, str, str | None]:
    """Algorithm, key id and pinned key URL. Other ways to bring a key along (jwk, x5u, x5c) are never looked at."""
    algorithm = header.get("alg")
    if not isinstance(algorithm, str) or algorithm not in client.algorithms:  # CH-196, CH-197, CH-199
        raise Unauthorized("alg is not allowed for this client")
    kind = header.get("typ")
    if not isinstance(kind, str) or kind.upper() != "JWT":  # CH-201; RFC 7519 5.1 leaves the case open
        raise Unauthorized("typ is not JWT")
    if "crit" in header:  # RFC 7515 4.1.11: extensions we do not understand must be refused
        raise Unauthorized("crit asks for extensions")
    kid = _word(header, "kid")
    key_url = header.get("jku")
    if key_url is not None and key_url not in client.key_urls:  # CH-202
        raise Unauthorized("jku is not registered")
    return algorithm, kid, key_url


def _check_audience(audience: object, client: RegisteredClient, endpoint: Endpoint, public_url: str) -> None:
    """CH-206...CH-209: exact, from the configured URL and never from the Host header."""
    named = audience if isinstance(audience, list) else [audience]
    bases = (public_url, *client.audience_bases)
    good = {base + path for base in bases for path in (endpoint.path, *endpoint.also)}
    good.update(client.audiences)
    if not any(isinstance(one, str) and one in good for one in named):
        raise Unauthorized(f"aud does not name the called address below {public_url}")  # the address may hold anything


def _check_times(claims: Mapping[str, Any], now: float, times: Times) -> float:
    """CH-210...CH-212, CH-217; returns `exp`."""
    expires, issued = _number(claims, "exp"), _number(claims, "iat")
    if now >= expires + times.skew:
        raise Unauthorized("exp has passed")
    if issued > now + times.skew:
        raise Unauthorized("iat is in the future")
    if not 0 < expires - issued <= times.longest_life:
        raise Unauthorized(f"exp is not within {times.longest_life} seconds after iat")
    if "nbf" in claims and _number(claims, "nbf") > now + times.skew:
        raise Unauthorized("nbf is in the future")
    return expires


def _number(claims: Mapping[str, Any], name: str) -> float:
    value = claims.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < 2**53:
        raise Unauthorized(f"{name} is not a number of seconds")
    return value


def _check_tenant(claims: Mapping[str, Any], client: RegisteredClient) -> str | None:
    """CH-215. A client without listed tenants may name any; it is not relied on."""
    if claims.get("tenant") is None:
        if client.requires_tenant:
            raise Unauthorized("tenant is missing")
        return None
    tenant = _word(claims, "tenant")
    if client.tenants and tenant not in client.tenants:
        raise Unauthorized("tenant is not registered")
    return tenant


# --- keys behind a pinned URL

FRESH = 600  # seconds a key set is used without asking again: how long a withdrawn key may live on (CH-204)
BETWEEN_FETCHES = 30  # seconds: what unknown key ids can make us do
FETCH_TIME = 3.0  # seconds for the whole answer
LARGEST_SET = 256 * 1024  # bytes
CHUNK = 16 * 1024

Fetch: TypeAlias = Callable[[str], bytes]


@dataclass(slots=True)
class _Published:
    """What is known of one key URL. The lock is held while it is fetched."""

    lock: threading.Lock
    keys: KeySet = ()
    fetched: float = -math.inf  # monotonic
    tried: float = -math.inf
    has_failed: bool = False  # the latest fetch


class PublishedKeys:
    """Key sets behind pinned URLs, per process: fetched when a listed client needs them, kept through an outage."""

    def __init__(
        self,
        report: Callable[[str, str], None],
        fetch: Fetch | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`report` is told (key URL, reason) of each fetch that failed."""
        self._report = report
        self._fetch = fetch or fetch_key_set
        self._clock = clock
        self._lock = threading.Lock()
        self._published: dict[str, _Published] = {}

    def find(self, client: RegisteredClient, kid: str, algorithm: str, key_url: str | None) -> VerifyingKey | None:
        """CH-200, CH-203: the agreed keys, then the set the token points at, or each pinned one when it names none."""
        if key_url is None and (agreed := find_key(client.keys, kid, algorithm)):
            return agreed
        for url in (key_url,) if key_url else client.key_urls:
            if found := self._find_published(url, kid, algorithm):
                return found
        return find_key(client.keys, kid, algorithm) if key_url else None

    def count(self, url: str) -> int | None:
        """How many keys of this URL are at hand; None before they were first asked for. For readiness."""
        known = self._published.get(url)
        return None if known is None else len(known.keys)

    def _find_published(self, url: str, kid: str, algorithm: str) -> VerifyingKey | None:
        with self._lock:
            known = self._published.setdefault(url, _Published(threading.Lock()))
        key = find_key(known.keys, kid, algorithm)
        if key is not None and self._clock() - known.fetched < FRESH:
            return key
        # One thread asks. The others wait for a set that may bring their key, but not where their key is known and only
        # old, and not in an outage: unsigned tokens with made-up ids must not hold up every thread of a worker.
        wait = 0.0 if key is not None or known.has_failed else FETCH_TIME
        if known.lock.acquire(timeout=wait):
            try:
                self._refresh(url, known)
            finally:
                known.lock.release()
        return find_key(known.keys, kid, algorithm)

    def _refresh(self, url: str, known: _Published) -> None:
        if self._clock() - known.tried < BETWEEN_FETCHES:
            return
        known.tried = self._clock()
        try:
            known.keys = parse_key_set(self._fetch(url), is_strict=False)
        except (Unreachable, UnusableKey) as wrong:
            known.has_failed = True
            self._report(url, str(wrong))
            return
        known.has_failed, known.fetched = False, self._clock()


class Unreachable(Exception):
    """A key set that could not be had."""


@cache
def _way_out() -> CheckedAdapter:
    """Key servers often live in the hospital's own network; link-local addresses are refused all the same."""
    return CheckedAdapter(private_network=True, connections=1)


def fetch_key_set(url: str) -> bytes:
    """The body behind a pinned URL: no redirects, no proxies or logins of the environment, bounded in time and size.

    The time is kept by the clock while status, headers and body arrive: a dripping server gains nothing.
    """
    total: Any = Timeout(total=FETCH_TIME)  # the stubs of `requests` do not know that it takes this
    try:
        request = requests.Request("GET", url).prepare()
        with _way_out().send(request, stream=True, timeout=total) as response:
            if response.status_code != requests.codes.ok:
                raise Unreachable(f"the key server answered {response.status_code}")
            return _read(response)
    except (requests.RequestException, TransportError, OSError, ValueError) as wrong:
        raise Unreachable(f"the key server could not be read: {type(wrong).__name__}") from None


def _read(response: requests.Response) -> bytes:
    body = b""
    while chunk := response.raw.read1(CHUNK, decode_content=True):
        body += chunk
        if len(body) > LARGEST_SET:
            raise Unreachable(f"the key set is larger than {LARGEST_SET:,} bytes")
    return body
