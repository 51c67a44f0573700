"""The demo over HTTP: `/demo/requests` and the FHIR server `/demo/fhir`. Registered in demo mode only."""

from collections.abc import Callable, Sequence
from datetime import date
from functools import lru_cache

from flask import Blueprint, Response, request

from cds_service.demo import server
from cds_service.demo.fixtures import read_request, read_situations
from cds_service.errors import NotFound
from cds_service.hooks import encode
from cds_service.settings import Settings

FHIR = "/demo/fhir"
FHIR_JSON = "application/fhir+json"


def build_demo(settings: Settings, today: Callable[[], date]) -> Blueprint:
    """Nothing is read before the first call; the patients of a day are kept until the next."""
    demo = Blueprint("demo", __name__, url_prefix="/demo")
    base = settings.public_url + FHIR
    canonical = f"{settings.canonical}/fhir"

    @lru_cache(maxsize=2)
    def load(day: date) -> server.Resources:
        return server.load_resources(canonical, day)

    @demo.get("/requests")
    def list_requests() -> Response:
        listed = [
            {"name": one.name, "about": one.about, "hook": one.hook, "expect": one.expect, "patient": one.patient}
            for one in read_situations().by_name.values()
        ]
        return _json({"requests": listed})

    @demo.get("/requests/<name>")
    def get_request(name: str) -> Response:
        situation = read_situations().by_name.get(name)
        if situation is None:
            raise NotFound("there is no demo request with this name; GET /demo/requests lists them")
        return _json(read_request(situation, canonical, today()))

    @demo.get("/fhir/metadata")
    def metadata() -> Response:
        return _fhir(server.render_capability(base, today()))

    @demo.get("/fhir/<resource_type>/<resource_id>")
    def read(resource_type: str, resource_id: str) -> Response:
        return _fhir(server.find_resource(load(today()), resource_type, resource_id))

    @demo.get("/fhir/<resource_type>")
    def search(resource_type: str) -> Response:
        return answer_search(resource_type, list(request.args.items(multi=True)))

    @demo.post("/fhir/<resource_type>/_search")
    def search_by_post(resource_type: str) -> Response:
        return answer_search(resource_type, [*request.args.items(multi=True), *request.form.items(multi=True)])

    def answer_search(resource_type: str, asked: Sequence[tuple[str, str]]) -> Response:
        strict = "handling=strict" in request.headers.get("Prefer", "").replace(" ", "").lower()
        return _fhir(server.answer_search(load(today()), base, resource_type, asked, strict=strict))

    return demo


def _json(document: object) -> Response:
    return Response(encode(document), content_type="application/json")


def _fhir(resource: object) -> Response:
    return Response(encode(resource), content_type=FHIR_JSON)
