"""An EHR for tests: a FHIR server on a real socket whose answers a test can spoil, and calls that point to it."""

import copy
import json
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from flask.testing import FlaskClient

from cds_service.app import create_app
from cds_service.clinical import codes
from cds_service.demo import server as demo
from cds_service.demo.fixtures import read_request, read_situations
from cds_service.discovery import prefetch_templates
from cds_service.errors import CdsError
from cds_service.settings import load_settings

Json = dict[str, Any]
REFERENCE = date(2026, 3, 10)  # the day the fixtures were written for
CANONICAL = "http://127.0.0.1:8000/fhir"
TOKEN = "token-77aa-must-never-be-seen"
TEMPLATES = prefetch_templates(codes.load(None, CANONICAL), "ServiceRequest")
LONG = 30.0  # seconds that nothing in a test should take
FHIR_JSON = "application/fhir+json"
PATH = "/base/r4"
_KEYS = {
    (template.partition("?")[0].partition("/")[0], dict(parse_qsl(template.partition("?")[2])).get("code", "")): key
    for key, template in TEMPLATES.items()
}


def find_key(kind: str, asked: Mapping[str, str]) -> str:
    """The prefetch key whose query this is; the resource type for any other."""
    return _KEYS.get((kind, asked.get("code", "")), kind)


@dataclass(frozen=True, slots=True)
class Seen:
    """One request that arrived."""

    method: str
    key: str
    target: str
    asked: Mapping[str, str]
    headers: Mapping[str, str]


class Exchange:
    """One request and its answer, as a fault sees it."""

    def __init__(
        self,
        handler: BaseHTTPRequestHandler,
        seen: Seen,
        number: int,
        normal: Callable[[], Json],
        over: threading.Event,
    ) -> None:
        self.handler = handler
        self.seen = seen
        self.number = number  # of the requests for this key, from 1
        self.normal = normal
        self._over = over

    def wait(self, seconds: float) -> bool:
        """Sleeps; cut short, and True, when the test is over."""
        return self._over.wait(seconds)

    def reply(self, body: Any, status: int = 200, kind: str = FHIR_JSON, **headers: str) -> None:
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.head(status, {"Content-Type": kind, "Content-Length": str(len(data)), **headers})
        self.handler.wfile.write(data)

    def head(self, status: int, headers: Mapping[str, str]) -> None:
        self.handler.send_response(status)
        for name, value in headers.items():
            self.handler.send_header(name.replace("_", "-"), value)
        self.handler.end_headers()

    def as_usual(self) -> None:
        self.reply(self.normal())


Fault = Callable[[Exchange], None]


class _Http(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 256  # one call opens many connections at once; one that has to knock twice is a second late

    def handle_error(self, *_: Any) -> None:
        """Connections that the service gave up are what is tested here."""


class Ehr:
    """The synthetic patients behind a socket. `faults` by prefetch key or resource type, "*" for every query."""

    def __init__(self) -> None:
        self.resources: dict[str, dict[str, Json]] = copy.deepcopy(
            {kind: dict(found) for kind, found in demo.load_resources(CANONICAL, REFERENCE).items()}
        )
        self.seen: list[Seen] = []
        self.dropped: list[str] = []  # keys whose answer the service did not wait for
        self.faults: dict[str, Fault] = {}
        self.over = threading.Event()  # lets what hangs end with the test
        self._lock = threading.Lock()
        self._http = _Http(("127.0.0.1", 0), self._handler_class())
        threading.Thread(target=self._http.serve_forever, args=(0.02,), daemon=True).start()

    @property
    def base(self) -> str:
        return f"http://127.0.0.1:{self._http.server_address[1]}{PATH}"

    def keys(self) -> list[str]:
        """The key of each request so far, sorted: they arrive in parallel."""
        return sorted(one.key for one in self.seen)

    def close(self) -> None:
        self.over.set()
        self._http.shutdown()
        self._http.server_close()

    def search(self, kind: str, asked: list[tuple[str, str]]) -> Json:
        return demo.answer_search(self.resources, self.base, kind, asked, strict=False)

    def prefetch(self, patient_id: str) -> Json:
        """Every key as a CDS Client would fill it from this server (CH-094)."""
        filled: Json = {}
        for key, template in TEMPLATES.items():
            kind, _, parameters = template.replace("{{context.patientId}}", patient_id).partition("?")
            if parameters:
                filled[key] = self.search(kind, parse_qsl(parameters))
            else:
                filled[key] = self.resources["Patient"][patient_id]
        return filled

    def _handler_class(self) -> type[BaseHTTPRequestHandler]:
        ehr = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def do_GET(self) -> None:
                ehr.handle(self, "")

            def do_POST(self) -> None:
                ehr.handle(self, self.rfile.read(int(self.headers.get("Content-Length", "0"))).decode())

            def log_message(self, *_: Any) -> None:
                pass

        return Handler

    def handle(self, handler: BaseHTTPRequestHandler, form: str) -> None:
        parts = urlsplit(handler.path)
        steps = parts.path.removeprefix(PATH).strip("/").split("/")
        asked = parse_qsl(form or parts.query)
        seen = Seen(
            handler.command, find_key(steps[0], dict(asked)), handler.path, dict(asked), dict(handler.headers.items())
        )
        with self._lock:
            self.seen.append(seen)
            number = sum(one.key == seen.key for one in self.seen)

        def normal() -> Json:
            if len(steps) > 1 and steps[1] != "_search":
                return demo.find_resource(self.resources, steps[0], steps[1])
            return self.search(steps[0], asked)

        exchange = Exchange(handler, seen, number, normal, self.over)
        try:
            (self.faults.get(seen.key) or self.faults.get("*") or Exchange.as_usual)(exchange)
        except CdsError as wrong:
            exchange.reply({"resourceType": "OperationOutcome", "issue": [{"severity": "error"}]}, wrong.status)
        except OSError:
            self.dropped.append(seen.key)
            handler.close_connection = True


@contextmanager
def open_ehr() -> Iterator[Ehr]:
    ehr = Ehr()
    try:
        yield ehr
    finally:
        ehr.close()


def open_service(ehr: Ehr, **settings: Any) -> FlaskClient:
    """The service in demo mode on the reference day, with this EHR listed."""
    usual = {"timezone": "UTC", "log_level": "error", "fhir_bases": (ehr.base,)}
    app = create_app(load_settings(**{**usual, **settings}), clock=lambda: datetime(2026, 3, 10, 12, tzinfo=UTC))
    return app.test_client()


def grant(**changes: Any) -> Json:
    access = {
        "access_token": TOKEN,
        "token_type": "Bearer",
        "expires_in": 300,
        "scope": "patient/*.read",
        "subject": "cds-service",
    }
    return {**access, **changes}


def make_call(ehr: Ehr, name: str = "low-ferritin", prefetch: Json | None = None, **members: Any) -> Json:
    """The request of a situation with access to the EHR; without prefetch unless given. `...` removes a member."""
    request = read_request(read_situations().by_name[name], CANONICAL, REFERENCE)
    access = {"fhirServer": ehr.base, "fhirAuthorization": grant()}
    made = {**request, "prefetch": prefetch or {}, **access, **members}
    return {name: value for name, value in made.items() if value is not ...}


def post(service: FlaskClient, call: Json, **headers: str) -> Any:
    name = "iv-iron-rls-follow-up" if call["hook"] == "patient-view" else "iv-iron-rls"
    return service.post(f"/cds-services/{name}", json=call, headers=headers)


def masked(reply: Json) -> list[Json]:
    """The cards without what is new in every reply."""
    return [_mask(card) for card in reply["cards"]]


def _mask(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: "masked" if name == "uuid" else _mask(one) for name, one in value.items()}
    return [_mask(one) for one in value] if isinstance(value, list) else value


def wait_until(holds: Callable[[], object]) -> None:
    until = time.monotonic() + LONG / 2
    while not holds():
        assert time.monotonic() < until, "did not happen"
        time.sleep(0.01)


def trace_of(reply: Json) -> Json:
    trace: Json = reply["extension"]["org.iv-iron-rls.decision-trace"]
    return trace


def diagnostics(response: Any) -> str:
    return str(response.get_json()["issue"][0]["diagnostics"])
