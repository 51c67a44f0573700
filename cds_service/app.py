"""Builds everything once: settings in, Flask app out. The clock is read here and in the command line, nowhere else."""

from collections.abc import Callable, Iterable
from datetime import UTC, date, datetime
from functools import lru_cache
from secrets import token_hex
from time import perf_counter
from typing import TYPE_CHECKING, Any

from flask import Flask

from cds_service import services
from cds_service.errors import ConfigurationError, Misdirected
from cds_service.operations import Log, build_health, build_log
from cds_service.routes import ENTRY, build_routes, register_errors, render_error
from cds_service.settings import Settings, is_loopback, load_settings

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

QUIET = frozenset(
    {"/livez", "/readyz", "/metrics"}
)  # asked every few seconds: logged at debug level only


def read_clock() -> datetime:
    """Now, with its zone."""
    return datetime.now(UTC)


def create_app(
    settings: Settings | None = None,
    clock: Callable[[], datetime] = read_clock,
    log: Log | None = None,
) -> Flask:
    """The WSGI application. Raises `ConfigurationError` when it cannot start as it is set up."""
    settings = settings or load_settings()
    if not settings.is_demo:
        # Until callers can be verified a registry must not leave the service open.
        raise ConfigurationError(
            "CDS_CLIENTS: protected mode is not part of this version; unset it to run in demo mode"
        )
    log = log or build_log(settings.log_level)
    engine = services.build_engine(settings)
    zone = settings.zone

    def today() -> date:
        return (
            clock().astimezone(zone).date()
        )  # R-08a: the calendar day of the site; None is this machine's zone

    app = Flask("cds_service", static_folder=None, template_folder=None)
    app.json.sort_keys = False  # type: ignore[attr-defined]  # CH-079
    app.config["MAX_CONTENT_LENGTH"] = settings.max_body_bytes
    app.url_map.merge_slashes = False  # a wrong address is 404, not a redirect in HTML
    register_errors(app, log)
    app.register_blueprint(build_routes(engine, settings, today))
    app.register_blueprint(build_health(lambda: bool(engine.services)))
    app.wsgi_app = _surround(app.wsgi_app, settings, log)  # type: ignore[method-assign,assignment]
    return app


def _surround(
    inner: "WSGIApplication", settings: Settings, log: Log
) -> "WSGIApplication":
    """What every answer has, also a refused or failed one: an id, CORS headers, one line in the log.

    Around Flask and not in its hooks: nothing that goes wrong inside escapes it, and it costs a third.
    """
    is_own_host = _host_check(settings.demo_hosts)

    def outer(
        environ: "WSGIEnvironment", start_response: "StartResponse"
    ) -> Iterable[bytes]:
        began = perf_counter()
        request_id = token_hex(8)
        entry: dict[str, Any] = {"request_id": request_id}
        environ[ENTRY] = entry

        def start(
            status: str, headers: list[tuple[str, str]], exc_info: Any = None
        ) -> Any:
            entry["route"], entry["status"] = _route(environ), int(status[:3])
            headers.append(("X-Request-Id", request_id))
            headers += _cors_headers(environ)
            return start_response(status, headers, exc_info)

        if is_own_host(environ.get("HTTP_HOST", "")):
            body = inner(environ, start)
        else:
            refusal = Misdirected(
                "address the service by localhost, or list the host name in CDS_DEMO_HOSTS"
            )
            body = render_error(refusal, entry)(environ, start)
        _log_request(log, environ, entry, began)
        return body

    return outer


def _route(environ: "WSGIEnvironment") -> str:
    """The pattern of the address and not the address, which may hold anything."""
    rule = getattr(
        environ.get("werkzeug.request"), "url_rule", None
    )  # not there if Flask was never reached
    return str(rule.rule) if rule is not None else "none"


def _log_request(
    log: Log, environ: "WSGIEnvironment", entry: dict[str, Any], began: float
) -> None:
    """One line a request."""
    write = log.debug if entry.get("route") in QUIET else log.info
    write(
        "request",
        method=environ["REQUEST_METHOD"],
        duration_ms=round((perf_counter() - began) * 1000, 2),
        **entry,
    )


# CH-226...CH-229 in demo mode: any origin, so never with credentials, on answers, errors and preflight alike. Not by
# flask-cors: one constant header needs no matching of paths and origins on every call.
_ANY_ORIGIN = [("Access-Control-Allow-Origin", "*")]
_PREFLIGHT = [
    *_ANY_ORIGIN,
    ("Access-Control-Allow-Methods", "GET, POST, OPTIONS"),
    ("Access-Control-Allow-Headers", "Authorization, Content-Type"),
    ("Access-Control-Max-Age", "600"),
]


def _cors_headers(environ: "WSGIEnvironment") -> list[tuple[str, str]]:
    if (
        environ["REQUEST_METHOD"] != "OPTIONS"
        or "HTTP_ACCESS_CONTROL_REQUEST_METHOD" not in environ
    ):
        return _ANY_ORIGIN
    if "HTTP_ACCESS_CONTROL_REQUEST_PRIVATE_NETWORK" in environ:
        # A public page, such as the CDS Hooks Sandbox, calls this machine.
        return [*_PREFLIGHT, ("Access-Control-Allow-Private-Network", "true")]
    return _PREFLIGHT


def _host_check(listed: tuple[str, ...]) -> Callable[[str], bool]:
    """Whether a Host header is loopback or listed, whatever the port: a name rebound to us by a web page is neither."""

    @lru_cache(maxsize=64)
    def is_own_host(header: str) -> bool:
        host = header.lower()
        ipv6, bracket, _ = host.removeprefix("[").partition("]")
        name = ipv6 if bracket else host.partition(":")[0]
        return is_loopback(name) or name in listed or host in listed

    return is_own_host
