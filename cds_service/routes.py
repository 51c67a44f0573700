"""CDS Hooks over HTTP: bytes in, bytes out, and every error as a status code with an OperationOutcome."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from time import perf_counter
from typing import TYPE_CHECKING, Any

from flask import Blueprint, Flask, Response, request
from werkzeug.exceptions import HTTPException
from werkzeug.wsgi import get_content_length

from cds_service import __version__
from cds_service.assembly import Engine
from cds_service.card_parts import Profile
from cds_service.desk import Call, Desk, Shown
from cds_service.discovery import Service, build_services, render_discovery
from cds_service.errors import (
    BadRequest,
    BodyTooLarge,
    CdsError,
    MethodNotAllowed,
    NotFound,
    OtherRefusal,
    Overloaded,
    ServiceFault,
    Unauthorized,
    UnsupportedMediaType,
    operation_outcome,
)
from cds_service.feedback import ACCEPTED, parse_feedback
from cds_service.hooks import HookRequest, encode, parse_request, render_response
from cds_service.openapi import render_openapi
from cds_service.operations import Log, describe_fault
from cds_service.progress import PARSE, RENDER, Progress
from cds_service.settings import Settings
from cds_service.trust import Endpoint

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

JSON = "application/json"
ENTRY = "cds_service.entry"  # key of the WSGI environment: what the log will say about this request
PROGRESS = "cds_service.progress"  # the same: what was noted of a service call


def build_routes(engine: Engine, settings: Settings, desk: Desk) -> Blueprint:
    """Discovery, the service calls and feedback (CH-013, CH-023, CH-175)."""
    rim = Blueprint("cds_services", __name__)

    @cache
    def offers(follow_up: str) -> Offers:
        return Offers.of(engine, follow_up, f"{settings.public_url}/services")

    @rim.get("/cds-services")
    def discover() -> Response:
        admitted = desk.admit(request.environ, DISCOVERY, request.environ[ENTRY])
        return Response(offers(admitted.client.profile.follow_up).document, content_type=JSON)

    @cache
    def openapi() -> bytes:
        return encode(render_openapi(engine.services, __version__, settings.public_url, is_demo=settings.is_demo))

    @rim.get("/openapi.json")
    def describe() -> Response:
        return Response(openapi(), content_type=JSON)

    @rim.post("/cds-services/<service_id>")
    def call(service_id: str) -> Response:
        began = perf_counter()
        progress = request.environ[PROGRESS] = Progress(began)
        entry = request.environ[ENTRY]
        admitted = desk.admit(request.environ, Endpoint(f"/cds-services/{service_id}"), entry)
        hooks = offers(admitted.client.profile.follow_up).find(service_id)
        service, hook_request = _read_call(request.environ, hooks, settings.max_body_bytes)
        progress.finish(PARSE)
        key, request_id = entry.get("call", entry["request_id"]), entry["request_id"]
        traceparent = request.environ.get("HTTP_TRACEPARENT", "")
        asked = Call(key, began, admitted, service, hook_request, traceparent, request_id, progress)
        shown = desk.answer(asked)
        _note_outcome(entry, shown, progress)
        progress.restart()
        response = Response(render_response(shown.reply.cards, shown.reply.extension), content_type=JSON)
        progress.finish(RENDER)
        if settings.server_timing:
            response.headers["Server-Timing"] = progress.server_timing()
        return response

    @rim.post("/cds-services/<service_id>/feedback")
    def feedback(service_id: str) -> Response:
        entry = request.environ[ENTRY]
        path = f"/cds-services/{service_id}"
        # CH-209: a token for the service is good for its feedback, too; it can be used once all the same.
        admitted = desk.admit(request.environ, Endpoint(f"{path}/feedback", (path,)), entry)
        offers(admitted.client.profile.follow_up).find(service_id)
        entry["service"] = service_id
        batch = parse_feedback(read_body(request.environ, settings.max_body_bytes))
        kept = desk.keep_feedback(batch.items, admitted, service_id)
        accepted = sum(one.outcome == ACCEPTED for one in batch.items)
        entry |= {
            "items": len(batch.items),
            "kept": kept,
            "accepted": accepted,
            "overridden": len(batch.items) - accepted,
            "refused": len(batch.refused),
        }
        refused = [{"item": place, "diagnostics": words} for place, words in batch.refused]
        answer = {"accepted": len(batch.items), **({"refused": refused} if refused else {})}  # CH-189, CH-190
        return Response(encode(answer), content_type=JSON)

    return rim


def _read_call(environ: "WSGIEnvironment", hooks: Mapping[str, Service], limit: int) -> tuple[Service, HookRequest]:
    """The parsed body, noted for the log, and the CDS Service that answers its hook."""
    parsed = parse_request(read_body(environ, limit))
    service = hooks.get(parsed.hook)
    named = next(iter(hooks.values())).id
    environ[ENTRY] |= {"service": named, "hook": parsed.hook, "hook_instance": parsed.hook_instance}
    if service is None:
        raise BadRequest(f"hook: this CDS Service answers {' and '.join(hooks)}, not {parsed.hook}")
    return service, parsed


def _note_outcome(entry: dict[str, Any], shown: Shown, progress: Progress) -> None:
    """For the log: what was decided, by which rules, and what of it the client did not get."""
    decided = shown.decided
    entry["outcome"], entry["cards"] = decided.outcome, len(decided.cards)
    if progress.conclusions:
        entry["conclusions"], entry["rules"] = zip(*progress.conclusions, strict=True)
    if decided.suppressed:
        entry["suppressed"] = len(decided.suppressed)
    if shown.is_silent:
        entry["mode"] = "silent"


DISCOVERY = Endpoint("/cds-services")  # CH-208


@dataclass(frozen=True, slots=True)
class Offers:
    """What a client is offered: prefetch templates depend on the follow-up resource it works with."""

    document: bytes
    table: Mapping[str, Mapping[str, Service]]

    @classmethod
    def of(cls, engine: Engine, follow_up: str, pages: str) -> "Offers":
        is_default = follow_up == Profile().follow_up
        offered = engine.services if is_default else build_services(engine.index, follow_up)
        return cls(encode(render_discovery(offered, pages)), _by_id_and_hook(offered))

    def find(self, service_id: str) -> Mapping[str, Service]:
        """By hook. Raises `NotFound`."""
        hooks = self.table.get(service_id)
        if hooks is None:
            raise NotFound("there is no CDS Service with this id; GET /cds-services lists those on offer")
        return hooks


def read_body(environ: "WSGIEnvironment", limit: int) -> bytes:
    """The JSON body, never holding more than `limit` bytes, whether or not the client said its length."""
    _require_json(environ.get("CONTENT_TYPE", ""), environ.get("HTTP_CONTENT_ENCODING", ""))
    length = get_content_length(environ)
    if length is not None and length > limit:
        raise BodyTooLarge(limit)
    if length is None and not environ.get("wsgi.input_terminated"):
        return b""  # a server that cannot end a body of unknown length: reading it would wait for ever
    try:
        body: bytes = environ["wsgi.input"].read(limit + 1 if length is None else length)
    except MemoryError:  # ours, and no mistake of the client
        raise
    except Exception as broken:  # of the server, which we do not know: connection lost, malformed chunk
        raise BadRequest("the body could not be received completely") from broken
    if length is not None and len(body) < length:
        raise BadRequest("the body could not be received completely")
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
            return Response(error.get_response().response, error.code, error.get_headers())
        return render_error(_translate(error, app.config["MAX_CONTENT_LENGTH"]), request.environ[ENTRY])

    @app.errorhandler(MemoryError)
    def run_short(fault: MemoryError) -> Response:
        entry = request.environ[ENTRY]
        log.error("too little memory", request_id=entry["request_id"], **describe_fault(fault))
        return render_error(Overloaded("the service has too little memory for the call at the moment", 5), entry)

    @app.errorhandler(Exception)
    def fail(fault: Exception) -> Response:
        entry = request.environ[ENTRY]
        log.error("fault", request_id=entry["request_id"], **describe_fault(fault))
        return render_error(
            ServiceFault(f"the log of the service says more under request id {entry['request_id']}"),
            entry,
        )


def _translate(error: HTTPException, limit: int) -> CdsError:
    """An error of the web framework as one of ours. Its own text is HTML and is not used."""
    match error.code:
        case 404:
            return NotFound("GET /cds-services lists what is on offer")
        case 405:
            return MethodNotAllowed(tuple(sorted(getattr(error, "valid_methods", None) or ())))
        case 413:
            return BodyTooLarge(limit)
        case 415:
            return UnsupportedMediaType("send the body as Content-Type: application/json")
        case code if code is not None and code < 500:
            return OtherRefusal(code)
        case _:
            return ServiceFault()


def render_error(error: CdsError, entry: dict[str, Any]) -> Response:
    """The answer to a call that cannot be answered; what it says is noted in `entry` for the log."""
    reason = error.reason if isinstance(error, Unauthorized) else "; ".join(error.issues)
    entry["issue"], entry["reason"] = error.issue_code, reason
    return Response(
        encode(operation_outcome(error)),
        error.status,
        dict(error.headers),
        content_type=JSON,
    )
