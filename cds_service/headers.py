"""Headers of every answer: which pages may read it (CORS, CH-226...CH-229), and what browsers must not do with it.

And those of a request by which it can be followed from system to system.
"""

import re
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

Headers: TypeAlias = list[tuple[str, str]]
CorsHeaders: TypeAlias = Callable[["WSGIEnvironment"], Headers]

# Not by flask-cors: a constant, or one look-up, needs no matching of paths and origins on every call.
_PREFLIGHT: Headers = [
    ("Access-Control-Allow-Methods", "GET, POST, OPTIONS"),
    ("Access-Control-Allow-Headers", "Authorization, Content-Type"),
    ("Access-Control-Max-Age", "600"),
]
_ANY_ORIGIN: Headers = [("Access-Control-Allow-Origin", "*")]


def _is_preflight(environ: "WSGIEnvironment") -> bool:
    return environ["REQUEST_METHOD"] == "OPTIONS" and "HTTP_ACCESS_CONTROL_REQUEST_METHOD" in environ


def cors_for_anyone(environ: "WSGIEnvironment") -> Headers:
    """Demo mode: any origin, so never with credentials, on answers, errors and preflight alike."""
    if not _is_preflight(environ):
        return _ANY_ORIGIN
    if "HTTP_ACCESS_CONTROL_REQUEST_PRIVATE_NETWORK" in environ:
        # A public page, such as the CDS Hooks Sandbox, calls this machine.
        return [*_ANY_ORIGIN, *_PREFLIGHT, ("Access-Control-Allow-Private-Network", "true")]
    return [*_ANY_ORIGIN, *_PREFLIGHT]


def cors_for_listed(origins: Callable[[], frozenset[str]]) -> CorsHeaders:
    """Protected mode: the registry's origins, named one at a time; others get no header. Never with cookies."""

    def headers(environ: "WSGIEnvironment") -> Headers:
        origin = environ.get("HTTP_ORIGIN")
        if origin is None or origin not in origins():
            return [("Vary", "Origin")]
        allowed = [("Access-Control-Allow-Origin", origin), ("Vary", "Origin")]
        return [*allowed, *_PREFLIGHT] if _is_preflight(environ) else allowed

    return headers


_SECURITY: Headers = [
    ("X-Content-Type-Options", "nosniff"),
    ("Referrer-Policy", "no-referrer"),
    ("Cache-Control", "no-store"),
    ("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'"),
]
# Identifiers that were made up for the purpose and nothing else: any other text might name a patient in our log.
_REQUEST_ID = re.compile(r"[0-9A-Fa-f]{16,64}|[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}").fullmatch
_TRACEPARENT = re.compile(r"[0-9a-f]{2}-([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}").fullmatch
_HSTS = ("Strict-Transport-Security", "max-age=31536000")


def add_security(headers: Headers, *, is_https: bool) -> None:
    """Adds what the page itself did not say otherwise."""
    said = {name.lower() for name, _ in headers}
    headers += [one for one in _SECURITY if one[0].lower() not in said]
    if is_https:
        headers.append(_HSTS)


def read_request_id(environ: "WSGIEnvironment") -> str | None:
    """The caller's `X-Request-Id`, if it is a UUID or 16 to 64 hexadecimal digits."""
    given = environ.get("HTTP_X_REQUEST_ID")
    return given if given is not None and _REQUEST_ID(given) else None


def read_trace_id(environ: "WSGIEnvironment") -> str | None:
    """The trace that a valid `traceparent` names (W3C Trace Context)."""
    given = environ.get("HTTP_TRACEPARENT")
    found = _TRACEPARENT(given) if given is not None else None
    return found[1] if found else None
