"""CDS Hooks over HTTP: bytes in, bytes out, and every error as a status code with an OperationOutcome."""

from collections.abc import Callable
from datetime import date
from time import perf_counter
from typing import TYPE_CHECKING, Any

from flask import Blueprint, Flask, Response, request
from werkzeug.exceptions import HTTPException
from werkzeug.wsgi import get_content_length

from cds_service import services
from cds_service.discovery import Service, render_discovery
from cds_service.errors import (
    BadRequest,
    BodyTooLarge,
    CdsError,
    MethodNotAllowed,
    NotFound,
    OtherRefusal,
    ServiceFault,
    UnsupportedMediaType,
    operation_outcome,
)
from cds_service.hooks import encode, parse_request, render_response
from cds_service.operations import Log, describe_fault
from cds_service.services import Engine
from cds_service.settings import Settings

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

JSON = "application/json"
ENTRY = "cds_service.entry"  # key of the WSGI environment: what the log will say about this request


def build_routes(
    engine: Engine, settings: Settings, today: Callable[[], date]
) -> Blueprint:
    """Discovery and the service calls (CH-013, CH-023)."""
    rim = Blueprint("cds_services", __name__)
    discovery = encode(render_discovery(engine.services))
    offers = _by_id_and_hook(engine.services)

    @rim.get("/cds-services")
    def discover() -> Response:
        return Response(discovery, content_type=JSON)

    @rim.post("/cds-services/<service_id>")
    def call(service_id: str) -> Response:
        began = perf_counter()
        environ = request.environ
        entry = environ[ENTRY]
        hooks = offers.get(service_id)
        if hooks is None:
            raise NotFound(
                "there is no CDS Service with this id; GET /cds-services lists those on offer"
            )
        hook_request = parse_request(read_body(environ, settings.max_body_bytes))
        entry["service"], entry["hook"], entry["hook_instance"] = (
            service_id,
            hook_request.hook,
            hook_request.hook_instance,
        )
        service = hooks.get(hook_request.hook)
        if service is None:
            raise BadRequest(
                f"hook: this CDS Service answers {' and '.join(hooks)}, not {hook_request.hook}"
            )
        parsed = perf_counter()
        reply = services.answer(
            engine, service, hook_request, engine.demo_client, today()
        )
        answered = perf_counter()
        entry["outcome"], entry["cards"] = reply.outcome, len(reply.cards)
        response = Response(
            render_response(reply.cards, reply.extension), content_type=JSON
        )
        if settings.server_timing:
            stages = {
                "parse": parsed - began,
                "answer": answered - parsed,
                "render": perf_counter() - answered,
            }
            response.headers["Server-Timing"] = ", ".join(
                f"{name};dur={took * 1000:.2f}" for name, took in stages.items()
            )
        return response

    return rim


def read_body(environ: "WSGIEnvironment", limit: int) -> bytes:
    """The JSON body, never holding more than `limit` bytes, whether or not the client said its length."""
    _require_json(
        environ.get("CONTENT_TYPE", ""), environ.get("HTTP_CONTENT_ENCODING", "")
    )
    length = get_content_length(environ)
    if length is not None and length > limit:
        raise BodyTooLarge(limit)
    if length is None and not environ.get("wsgi.input_terminated"):
        return b""  # a server that cannot end a body of unknown length: reading it would wait for ever
    try:
        body: bytes = environ["wsgi.input"].read(
            limit + 1 if length is None else length
        )
    except Exception as broken:  # of the server, which we do not know: connection lost, malformed chunk
        raise BadRequest("the body could not be received completely") from broken
    if len(body) > limit:
        raise BodyTooLarge(limit)
    return body


def _require_json(content_type: str, encoding: str) -> None:
    """CH-010: `application/json`, with or without parameters."""
    if content_type != JSON and content_type.partition(";")[0].strip().lower() != JSON:
        raise UnsupportedMediaType("send the body as Content-Type: application/json")
    if encoding and encoding.lower() != "identity":
        raise UnsupportedMediaType("send the body without Content-Encoding")


def _by_id_and_hook(offered: tuple[Service, ...]) -> dict[str, dict[str, Service]]:
    """CH-030, CH-031: one id may answer several hooks."""
    table: dict[str, dict[str, Service]] = {}
    for service in offered:
        table.setdefault(service.id, {})[service.hook] = service
    return table


def register_errors(app: Flask, log: Log) -> None:
    """Our errors, Flask's and faults in our code become JSON here, and nowhere an empty answer."""

    @app.errorhandler(CdsError)
    def refuse(error: CdsError) -> Response:
        return render_error(error, request.environ[ENTRY])

    @app.errorhandler(HTTPException)
    def translate(error: HTTPException) -> Response:
        original = getattr(error, "original_exception", None)
        if original is not None:
            return fail(original)
        if error.code is None or error.code < 400:
            return Response(
                error.get_response().response, error.code, error.get_headers()
            )
        return render_error(
            _translate(error, app.config["MAX_CONTENT_LENGTH"]), request.environ[ENTRY]
        )

    @app.errorhandler(Exception)
    def fail(fault: Exception) -> Response:
        entry = request.environ[ENTRY]
        log.error("fault", request_id=entry["request_id"], **describe_fault(fault))
        return render_error(
            ServiceFault(
                f"the log of the service says more under request id {entry['request_id']}"
            ),
            entry,
        )


def _translate(error: HTTPException, limit: int) -> CdsError:
    """An error of the web framework as one of ours. Its own text is HTML and is not used."""
    match error.code:
        case 404:
            return NotFound("GET /cds-services lists what is on offer")
        case 405:
            return MethodNotAllowed(
                tuple(sorted(getattr(error, "valid_methods", None) or ()))
            )
        case 413:
            return BodyTooLarge(limit)
        case 415:
            return UnsupportedMediaType(
                "send the body as Content-Type: application/json"
            )
        case code if code is not None and code < 500:
            return OtherRefusal(code)
        case _:
            return ServiceFault()


def render_error(error: CdsError, entry: dict[str, Any]) -> Response:
    """The answer to a call that cannot be answered; what it says is noted in `entry` for the log."""
    entry["issue"], entry["reason"] = error.issue_code, "; ".join(error.issues)
    return Response(
        encode(operation_outcome(error)),
        error.status,
        dict(error.headers),
        content_type=JSON,
    )
