"""Log, liveness, readiness and metrics: what an operator sees, without anything about a patient."""

import logging
import sys
import traceback
from collections.abc import Callable, Iterator, Mapping, MutableMapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import msgspec
import structlog
from flask import Blueprint, Response, request
from structlog.typing import FilteringBoundLogger

from cds_service.errors import NotFound, Overloaded

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

Log: TypeAlias = FilteringBoundLogger

# What may be logged. Nothing else is written, whatever a caller passes: the names of other keys are, as `dropped`.
ALLOWED_KEYS = frozenset(
    (
        *("event", "level", "timestamp", "logger", "dropped"),  # every entry
        *(
            "request_id",
            "call",  # the key in the store, where the request id is the client's
            "trace_id",
            "method",
            "route",
            "status",
            "duration_ms",
            "bytes_in",
        ),  # a request
        *("client", "tenant", "iss", "jti"),  # who
        *(
            "service",
            "hook",
            "hook_instance",
            "outcome",
            "cards",
            "suppressed",  # how many stay away after an override
            "conclusions",
            "rules",
            "knowledge",
        ),  # a call
        *("items", "kept", "accepted", "overridden", "refused"),  # feedback
        *("issue", "reason", "exception", "frames", "lost"),  # an error
        *("setting", "address", "workers", "threads", "mode", "version"),  # the set-up
    )
)
_encode = msgspec.json.Encoder().encode
_FRAMES = 12
_PACKAGES = Path(__file__).parent.parent


class _Stderr:
    """Writes whole lines; the stream is looked up each time, because servers and tests replace it.

    A full disk, or a reader that went away, costs the lines and not the calls: each is in the store, too.
    """

    def msg(self, line: bytes) -> None:
        with suppress(OSError):
            sys.stderr.buffer.write(line + b"\n")
            sys.stderr.buffer.flush()

    debug = info = warning = error = critical = msg


def build_log(level: str = "info") -> Log:
    """The one log: a JSON object a line on standard error."""
    return log_to(_Stderr(), level)


def log_to(sink: object, level: str) -> Log:
    """A log whose lines go to the methods of `sink`, which are named as the levels."""
    bound: Log = structlog.wrap_logger(
        sink,
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            _keep_allowed,
            _render,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(getattr(logging, level.upper())),
    ).bind()
    return bound


def _keep_allowed(_: object, __: str, entry: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    if entry.keys() <= ALLOWED_KEYS:
        return entry
    kept = {key: value for key, value in entry.items() if key in ALLOWED_KEYS}
    return {**kept, "dropped": sorted(entry.keys() - ALLOWED_KEYS)}


def _render(_: object, __: str, entry: MutableMapping[str, Any]) -> bytes:
    return _encode(entry)


class ForeignRecords(logging.Handler):
    """Brings records of the standard library's `logging` into our log.

    The web server's own messages are kept. Of other packages only name, level and kind of exception: their messages may
    quote URLs, headers and values.
    """

    def __init__(self, log: Log) -> None:
        super().__init__()
        self.log = log

    def emit(self, record: logging.LogRecord) -> None:
        entry: dict[str, Any] = {"logger": record.name}
        if record.name.startswith("gunicorn"):
            entry["reason"] = record.getMessage()
        if record.exc_info and record.exc_info[1]:
            entry |= describe_fault(record.exc_info[1])
        self.log.log(record.levelno, "server", **entry)


def describe_fault(fault: BaseException) -> dict[str, Any]:
    """Types and places of an exception and what led to it. No messages: they quote values."""
    chain = list(_causes(fault))
    return {
        "exception": " <- ".join(type(one).__name__ for one in chain),
        "frames": [place for one in chain for place in _places(one)][:_FRAMES],
    }


def _causes(fault: BaseException) -> Iterator[BaseException]:
    seen: set[int] = set()
    one: BaseException | None = fault
    while one is not None and id(one) not in seen:
        seen.add(id(one))
        yield one
        one = one.__cause__ or (None if one.__suppress_context__ else one.__context__)


def _places(fault: BaseException) -> list[str]:
    """Innermost first."""
    frames = reversed(traceback.extract_tb(fault.__traceback__))
    return [f"{_short(frame.filename)}:{frame.lineno} {frame.name}" for frame in frames]


def _short(filename: str) -> str:
    path = Path(filename)
    return str(path.relative_to(_PACKAGES)) if path.is_relative_to(_PACKAGES) else "/".join(path.parts[-2:])


@dataclass(frozen=True, slots=True)
class Readiness:
    """Whether the service can do its work, and what that hangs on. `store` is "up", "away" or "off" (demo).

    `clients`: with how many keys the tokens of each can be checked; `published` is not there before it was asked for.
    """

    is_ready: bool
    mode: str
    version: str
    knowledge: Mapping[str, str]
    services: tuple[str, ...]
    store: str
    clients: Mapping[str, Mapping[str, int]]
    reviews_overdue: tuple[str, ...] = ()  # of the clinical knowledge, a sentence each; does not make it unready


Look: TypeAlias = Callable[[], Readiness]
IsOperator: TypeAlias = Callable[["WSGIEnvironment"], bool]
Render: TypeAlias = Callable[[str], tuple[bytes, str]]  # Accept header -> text and media type


def build_operations(look: Look, is_operator: IsOperator, render_metrics: Render) -> Blueprint:
    """`/livez`: this process answers. `/readyz`: it can do its work. Details and `/metrics` are the operator's."""
    pages = Blueprint("operations", __name__)

    @pages.get("/livez")
    def livez() -> Response:
        return Response(b'{"status":"alive"}', mimetype="application/json")

    @pages.get("/readyz")
    def readyz() -> Response:
        found = look()
        if is_operator(request.environ):
            words, status = ("ready", 200) if found.is_ready else ("not ready", 503)
            details = {name: value for name, value in asdict(found).items() if value not in (None, {}, ())}
            return Response(_encode({"status": words, **details}), status, mimetype="application/json")
        if not found.is_ready:
            raise Overloaded("the service is not ready")
        return Response(b'{"status":"ready"}', mimetype="application/json")

    @pages.get("/metrics")
    def metrics() -> Response:
        if not is_operator(request.environ):  # as if it were not there: nobody else needs to know
            raise NotFound("GET /cds-services lists what is on offer")
        text, media_type = render_metrics(request.headers.get("Accept", ""))
        return Response(text, content_type=media_type)

    return pages
