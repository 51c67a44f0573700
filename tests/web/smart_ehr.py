"""An EHR for the tests of the SMART app: FHIR data of the demo server behind a token, an authorization server, a frame.

Synthetic throughout. The authorization server does the code flow for one public client and checks PKCE (S256) itself.
"""

import base64
import json
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from secrets import token_urlsafe
from typing import Any
from urllib.parse import urlencode

from flask import Flask
from flask.testing import FlaskClient
from werkzeug.serving import WSGIRequestHandler, make_server
from werkzeug.wrappers import Request, Response

from cds_service.app import create_app
from cds_service.settings import load_settings
from tests.replies import REFERENCE
from tests.spec.protected import protected_settings, registry

Json = dict[str, Any]
CLIENT_ID = "iron-story-test"
NOON = datetime(REFERENCE.year, REFERENCE.month, REFERENCE.day, 12, tzinfo=UTC)
DEMO_FHIR = "/demo/fhir"
CANONICAL = "http://127.0.0.1:8000"  # of the demo whose data the EHR serves: its local code has that address


def read_noon() -> datetime:
    """The clock of both servers: the day the fixtures were written for."""
    return NOON


class _Late:
    """A WSGI application that is chosen after its address is known."""

    app: Any = None

    def __call__(self, environ: Any, start_response: Any) -> Iterable[bytes]:
        answer: Iterable[bytes] = self.app(environ, start_response)
        return answer


class _Quiet(WSGIRequestHandler):
    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """The servers' own logs are not about this."""


@contextmanager
def listen() -> Iterator[tuple[str, _Late]]:
    """A server on a free loopback port: its address, and where to put the application."""
    late = _Late()
    server = make_server("127.0.0.1", 0, late, threaded=True, request_handler=_Quiet)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", late
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def open_demo(address: str, prefix: str = "") -> Flask:
    """The service in demo mode at `address`, on the reference date; `prefix` is what a proxy takes off the path."""
    settings = load_settings(public_url=address + prefix, timezone="UTC", database_url="sqlite://", log_level="error")
    return create_app(settings, clock=read_noon)


def open_registered(folder: Path, address: str, ehr: "Ehr", token_origin: str | None = None) -> Flask:
    """The service in protected mode at `address`, with this EHR as its only client."""
    extra = (
        f'fhir = [{{base = "{ehr.base}", allow_http = true, private_network = true}}]\n'
        f'smart = {{client_id = "{CLIENT_ID}", frame_origins = ["{ehr.address}"], '
        f'token_origins = ["{token_origin or ehr.authorization}"]}}'
    )
    registry(folder, extra=extra)
    given = {"public_url": address, "canonical": CANONICAL, "timezone": "UTC", "log_level": "error"}
    settings = protected_settings(folder, **given)
    return create_app(settings, clock=read_noon)


@dataclass
class Grant:
    """One authorization: what was asked, and what is good for it."""

    asked: dict[str, str]
    code: str
    token: str = ""
    is_used: bool = False


@dataclass
class Ehr:
    """Its FHIR server at `address`, its authorization server at `authorization`: two origins, as at many sites."""

    address: str
    authorization: str
    data: FlaskClient
    patient: str = "two-courses"
    launch: str = "launch-1"
    methods: tuple[str, ...] = ("S256",)
    capabilities: tuple[str, ...] = ("launch-ehr", "client-public", "permission-v2")
    state: str | None = None  # sent back in place of the app's own; "" leaves it out
    denies: bool = False
    framed: str = ""  # what its page shows in a frame
    grants: list[Grant] = field(default_factory=list)
    refusals: list[str] = field(default_factory=list)
    read: list[str] = field(default_factory=list)  # paths of the FHIR server that were asked with a good token
    token_requests: list[dict[str, str]] = field(default_factory=list)

    @property
    def base(self) -> str:
        return f"{self.address}/fhir"

    def __call__(self, environ: Any, start_response: Any) -> Iterable[bytes]:
        request = Request(environ)
        response = Response(status=204) if request.method == "OPTIONS" else self._answer(request)
        if request.path.startswith(("/fhir", "/token")):
            response.headers["Access-Control-Allow-Origin"] = request.headers.get("Origin", "*")
            response.headers["Access-Control-Allow-Headers"] = "authorization, content-type"
        answer: Iterable[bytes] = response(environ, start_response)
        return answer

    def _answer(self, request: Request) -> Response:
        if request.path == "/fhir/.well-known/smart-configuration":
            return _json(self._announce())
        if request.path == "/authorize":
            return self._authorize(request)
        if request.path == "/token":
            return self._redeem(request)
        if request.path == "/chart":
            page = f'<link rel="icon" href="data:,"><iframe src="{self.framed}" width="900" height="900"></iframe>'
            return Response(page, mimetype="text/html")
        return self._read(request) if request.path.startswith("/fhir/") else Response("nothing here", 404)

    def _announce(self) -> Json:
        return {
            "authorization_endpoint": f"{self.authorization}/authorize",
            "token_endpoint": f"{self.authorization}/token",
            "code_challenge_methods_supported": list(self.methods),
            "capabilities": list(self.capabilities),
        }

    def _authorize(self, request: Request) -> Response:
        asked = request.args.to_dict()
        state = asked.get("state", "") if self.state is None else self.state
        answer = {"state": state} if state else {}
        if self.denies:
            return _redirect(asked["redirect_uri"], {"error": "access_denied", **answer})
        wrong = self._why_refused(asked)
        if wrong:
            self.refusals.append(wrong)
            return Response(wrong, 400)
        grant = Grant(asked, token_urlsafe(24))
        self.grants.append(grant)
        return _redirect(asked["redirect_uri"], {"code": grant.code, **answer})

    def _why_refused(self, asked: dict[str, str]) -> str:
        expected = {
            "client_id": CLIENT_ID,
            "response_type": "code",
            "aud": self.base,
            "launch": self.launch,
            "code_challenge_method": "S256",
        }
        for name, value in expected.items():
            if asked.get(name) != value:
                return f"{name} is not as registered or launched"
        return "" if asked.get("code_challenge") and asked.get("state") else "no challenge or no state"

    def _redeem(self, request: Request) -> Response:
        """The token for a code, once, to who knows the verifier; a public client sends no secret."""
        form = request.form.to_dict()
        self.token_requests.append(form)
        grant = next((one for one in self.grants if one.code == form.get("code") and not one.is_used), None)
        if grant is None or request.headers.get("Authorization") or "client_secret" in form:
            return _json({"error": "invalid_grant"}, 400)
        grant.is_used = True
        same = all(form.get(name) == grant.asked[name] for name in ("client_id", "redirect_uri"))
        if not same or challenge_of(form.get("code_verifier", "")) != grant.asked["code_challenge"]:
            return _json({"error": "invalid_grant"}, 400)
        grant.token = token_urlsafe(24)
        granted = {"access_token": grant.token, "token_type": "Bearer", "expires_in": 300}
        return _json({**granted, "scope": grant.asked["scope"], "patient": self.patient})

    def _read(self, request: Request) -> Response:
        """The demo server's data, for a token of ours only, and only what its scopes name."""
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        grant = next((one for one in self.grants if one.token and one.token == token), None)
        kind = request.path.split("/")[2]
        if grant is None or scheme != "Bearer":
            return _json({"resourceType": "OperationOutcome"}, 401)
        if not any(f"patient/{kind}.{may}" in grant.asked["scope"].split() for may in ("rs", "read")):
            return _json({"resourceType": "OperationOutcome"}, 403)
        self.read.append(request.path)
        path = DEMO_FHIR + request.full_path.removeprefix("/fhir")
        found = self.data.get(path.rstrip("?"))
        return Response(found.data, found.status_code, content_type=found.content_type)


def challenge_of(verifier: str) -> str:
    """RFC 7636, S256."""
    return base64.urlsafe_b64encode(sha256(verifier.encode()).digest()).rstrip(b"=").decode()


def _json(document: Json, status: int = 200) -> Response:
    return Response(json.dumps(document), status, content_type="application/json")


def _redirect(address: str, parameters: Json) -> Response:
    return Response("", 302, {"Location": f"{address}?{urlencode(parameters)}"})


@contextmanager
def open_ehr(data: FlaskClient) -> Iterator[Ehr]:
    """On two free ports. `data` answers for the demo FHIR server."""
    with listen() as (address, late), listen() as (authorization, also_late):
        ehr = Ehr(address, authorization, data)
        late.app = also_late.app = ehr
        yield ehr
