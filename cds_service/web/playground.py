"""The playground of demo mode: the page on `/`, and what it needs from the server besides the service itself."""

from collections.abc import Callable
from datetime import date
from typing import Any

import msgspec
from flask import Blueprint, Response, render_template, request

from cds_service.assembly import DEMO_FHIR_PATH, Engine
from cds_service.demo.choices import list_choices
from cds_service.errors import BadRequest
from cds_service.hooks import encode
from cds_service.routes import read_body
from cds_service.settings import Settings
from cds_service.web.inspection import check_messages, inspect_request
from cds_service.web.safe_markdown import render_safe

# No inline code or style, nothing from elsewhere; the page talks to this service alone.
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'"
)
MOST_TEXTS = 50
MOST_CHARACTERS = 500_000  # of all texts together: rendering takes up to 40 microseconds each


def build_playground(engine: Engine, settings: Settings, today: Callable[[], date]) -> Blueprint:
    """Registered in demo mode only. Nothing that is posted here is kept or logged."""
    playground = Blueprint("playground", __name__, template_folder="templates")

    @playground.get("/")
    def page() -> Response:
        response = Response(render_template("playground.html", is_demo=True, stamp=engine.shop.stamp))
        response.headers["Content-Security-Policy"] = POLICY
        return response

    @playground.get("/demo/playground/choices")
    def choices() -> Response:
        fhir_server = settings.public_url + DEMO_FHIR_PATH
        return _json({"today": today().isoformat(), "fhirServer": fhir_server, **list_choices(engine.index)})

    @playground.post("/demo/playground/markdown")
    def markdown() -> Response:
        texts = _read(settings, _Texts).texts
        if len(texts) > MOST_TEXTS:
            raise BadRequest(f"texts: more than {MOST_TEXTS}")
        if sum(map(len, texts)) > MOST_CHARACTERS:
            raise BadRequest(f"texts: more than {MOST_CHARACTERS:,} characters together")
        return _json({"html": [render_safe(one) for one in texts]})

    @playground.post("/demo/playground/validate")
    def validate() -> Response:
        return _json(check_messages(_read(settings, dict[str, Any])))

    @playground.post("/demo/playground/check")
    def check() -> Response:
        return _json(inspect_request(engine, read_body(request.environ, settings.max_body_bytes), today()))

    return playground


class _Texts(msgspec.Struct):
    texts: list[str]


def _read(settings: Settings, shape: Any) -> Any:
    try:
        return msgspec.json.decode(read_body(request.environ, settings.max_body_bytes), type=shape)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise BadRequest("the body is not what this page of the demo sends") from None


def _json(document: object) -> Response:
    return Response(encode(document), content_type="application/json")
