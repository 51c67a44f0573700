"""Builds everything once: settings in, Flask app out. The clock is read here and in the command line, nowhere else."""

from collections.abc import Callable, Iterable
from datetime import UTC, date, datetime, tzinfo
from functools import lru_cache
from time import perf_counter
from typing import TYPE_CHECKING, Any

from flask import Flask

from cds_service import assembly
from cds_service.admission import admit_anyone, admit_operator, admit_registered, published_keys
from cds_service.clients import Clients, load_registry
from cds_service.demo.routes import build_demo
from cds_service.desk import Desk
from cds_service.errors import ConfigurationError, Misdirected
from cds_service.headers import add_security, cors_for_anyone, cors_for_listed, read_request_id, read_trace_id
from cds_service.ids import new_request_id
from cds_service.knowledge.routes import build_knowledge
from cds_service.metrics import Metrics
from cds_service.operations import Log, build_log, build_operations
from cds_service.readiness import as_gauges, look_at
from cds_service.routes import ENTRY, PROGRESS, build_routes, register_errors, render_error
from cds_service.settings import Settings, is_loopback, load_settings, read_metrics_folder
from cds_service.store import Store, StoreDown, is_migrated, open_database
from cds_service.web.attributes_page import build_attributes_page
from cds_service.web.conformance_page import build_conformance_page
from cds_service.web.pages import build_pages
from cds_service.web.playground import build_playground
from cds_service.web.smart import build_smart, demo_places, registered_places

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

CLIENTS, STORE = "cds_service.clients", "cds_service.store"  # keys of `app.extensions`
QUIET = frozenset({"/livez", "/readyz", "/metrics"})  # asked every few seconds: logged at debug level only


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
    log = log or build_log(settings.log_level)
    engine = assembly.build_engine(settings)
    clients = _load_clients(settings, log)
    metrics = Metrics({service.hook for service in engine.services}, read_metrics_folder())
    store, is_recording = _open_store(settings, log, clock, metrics.note_lost_records)
    keys = published_keys(log, metrics.note_key_failure)
    look = look_at(
        engine,
        clients,
        store,
        keys,
        is_recording=is_recording,
        overdue=lambda: assembly.overdue_reviews(engine, today()),
    )
    metrics.watch(as_gauges(look), lambda: store.recorder.waiting)

    def today(zone: tzinfo | None = settings.zone) -> date:
        return clock().astimezone(zone).date()  # R-08a: the calendar day of the site; None is this machine's zone

    app = Flask("cds_service", static_folder=None, template_folder=None)
    app.json.sort_keys = False  # type: ignore[attr-defined]  # CH-079
    app.config["MAX_CONTENT_LENGTH"] = settings.max_body_bytes
    app.url_map.merge_slashes = False  # a wrong address is 404, not a redirect in HTML
    register_errors(app, log)
    if clients is None:
        admit = admit_anyone(engine.demo_client)
        log.warning("demo mode: no login is asked for, synthetic patients only", mode="demo")
    else:
        admit = admit_registered(clients, store, settings, clock, keys.find)
        app.extensions[CLIENTS] = clients
    for due in assembly.overdue_reviews(engine, today()):
        log.warning("a review of the clinical knowledge is overdue", reason=due)
    app.extensions[STORE] = store
    desk = Desk(engine, settings, admit, store if is_recording else None, clock, today)
    app.register_blueprint(build_routes(engine, settings, desk))
    app.register_blueprint(build_knowledge(engine, settings))
    app.register_blueprint(build_pages(engine, settings))
    app.register_blueprint(build_conformance_page(is_demo=settings.is_demo))
    app.register_blueprint(build_attributes_page(engine, today, is_demo=settings.is_demo))
    places = registered_places(lambda: clients.registry) if clients else demo_places(engine)
    app.register_blueprint(build_smart(engine, settings, places, today))
    if settings.is_demo:
        app.register_blueprint(build_demo(settings, today))
        app.register_blueprint(build_playground(engine, settings, today))
    app.register_blueprint(build_operations(look, admit_operator(settings), metrics.render))
    app.wsgi_app = _surround(app.wsgi_app, settings, log, clients, metrics)  # type: ignore[method-assign,assignment]
    return app


def _load_clients(settings: Settings, log: Log) -> Clients | None:
    """None in demo mode."""
    path = settings.clients
    return None if path is None else Clients(lambda: load_registry(path, settings), log)


def _open_store(
    settings: Settings, log: Log, clock: Callable[[], datetime], note_lost: Callable[[int], None]
) -> tuple[Store, bool]:
    """The store, and whether calls are recorded: a demo works without a database."""

    def report(event: str, kind: str, lost: int) -> None:
        log.error(event, exception=kind, lost=lost)
        note_lost(lost)

    engine = open_database(settings.database_url)
    try:
        is_ready = is_migrated(engine)
    except StoreDown as wrong:
        is_ready = False
        log.error("the database does not answer", setting="CDS_DATABASE_URL", exception=str(wrong))
    else:
        if not is_ready and not settings.is_demo:
            raise ConfigurationError("CDS_DATABASE_URL: the tables are missing or old; run `cds-service migrate` once")
        if not is_ready:
            log.warning("calls and feedback are not kept: run `cds-service migrate`", setting="CDS_DATABASE_URL")
    return Store(engine, settings.record_queue, report, lambda: clock().timestamp()), is_ready or not settings.is_demo


def _surround(
    inner: "WSGIApplication", settings: Settings, log: Log, clients: Clients | None, metrics: Metrics
) -> "WSGIApplication":
    """What every answer has, also a refused or failed one: an id, CORS headers, a line in the log, a count.

    Around Flask and not in its hooks: nothing that goes wrong inside escapes it, and it costs a third.
    """
    is_own_host = _host_check(settings.demo_hosts) if clients is None else _any_host
    cors = cors_for_anyone if clients is None else cors_for_listed(lambda: clients.registry.origins)
    is_https = settings.public_url.startswith("https:")

    def outer(environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        began = perf_counter()
        entry = environ[ENTRY] = _identify(environ)
        request_id = entry["request_id"]

        def start(status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> Any:
            entry["route"], entry["status"] = _route(environ), int(status[:3])
            headers.append(("X-Request-Id", request_id))
            headers += cors(environ)
            add_security(headers, is_https=is_https)
            return start_response(status, headers, exc_info)

        if is_own_host(environ.get("HTTP_HOST", "")):
            body = inner(environ, start)
        else:
            refusal = Misdirected("address the service by localhost, or list the host name in CDS_DEMO_HOSTS")
            body = render_error(refusal, entry)(environ, start)
        took = perf_counter() - began
        _log_request(log, environ, entry, took)
        metrics.note(entry, took, environ.get(PROGRESS))
        return body

    return outer


def _route(environ: "WSGIEnvironment") -> str:
    """The pattern of the address and not the address, which may hold anything."""
    rule = getattr(environ.get("werkzeug.request"), "url_rule", None)  # not there if Flask was never reached
    return str(rule.rule) if rule is not None else "none"


def _identify(environ: "WSGIEnvironment") -> dict[str, Any]:
    """What the log knows of a request before it is looked at. A caller may repeat its id; `call` never repeats."""
    own, given, trace_id = new_request_id(), read_request_id(environ), read_trace_id(environ)
    entry: dict[str, Any] = {"request_id": own} if given is None else {"request_id": given, "call": own}
    if trace_id is not None:
        entry["trace_id"] = trace_id
    return entry


def _log_request(log: Log, environ: "WSGIEnvironment", entry: dict[str, Any], took: float) -> None:
    """One line a request."""
    write = log.debug if entry.get("route") in QUIET else log.info
    write(
        "request",
        method=environ["REQUEST_METHOD"],
        duration_ms=round(took * 1000, 2),
        **entry,
    )


def _any_host(_: str) -> bool:
    """Protected mode: no answer depends on the Host header, and the proxy in front knows its names."""
    return True


def _host_check(listed: tuple[str, ...]) -> Callable[[str], bool]:
    """Whether a Host header is loopback or listed, whatever the port: a name rebound to us by a web page is neither."""

    @lru_cache(maxsize=64)
    def is_own_host(header: str) -> bool:
        host = header.lower()
        ipv6, bracket, _ = host.removeprefix("[").partition("]")
        name = ipv6 if bracket else host.partition(":")[0]
        return is_loopback(name) or name in listed or host in listed

    return is_own_host
