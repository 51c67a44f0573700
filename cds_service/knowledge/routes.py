"""`/fhir`: the knowledge of the service as FHIR, for anyone and in both modes; nothing about patients is here."""

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

from flask import Blueprint, Response, request

from cds_service.hooks import encode
from cds_service.knowledge import library
from cds_service.knowledge.base import Source
from cds_service.settings import Settings

if TYPE_CHECKING:
    from cds_service.assembly import Engine

FHIR_JSON = "application/fhir+json"


@dataclass(frozen=True, slots=True)
class _Shelf:
    """What is published, and the address list of it."""

    published: library.Published
    capability: bytes


def build_knowledge(engine: "Engine", settings: Settings) -> Blueprint:
    """Resources are built on the first call, so that the start of the service does not wait for them."""
    knowledge = Blueprint("knowledge", __name__, url_prefix="/fhir")
    base = f"{settings.public_url}/fhir"

    @cache
    def shelf() -> _Shelf:
        source = Source(engine.index, engine.shop.stamp, engine.canonical)
        published = library.publish(source)
        return _Shelf(published, encode(library.render_capability(published, source, base)))

    @knowledge.get("/metadata")
    def metadata() -> Response:
        return Response(shelf().capability, content_type=FHIR_JSON)

    @knowledge.get("/<resource_type>/<resource_id>")
    def read(resource_type: str, resource_id: str) -> Response:
        return _fhir(library.find(shelf().published, resource_type, resource_id))

    @knowledge.get("/<resource_type>")
    def search(resource_type: str) -> Response:
        return _fhir(library.search(shelf().published, base, resource_type, request.args))

    return knowledge


def _fhir(resource: object) -> Response:
    return Response(encode(resource), content_type=FHIR_JSON)
