"""The pages for readers: each CDS Service, and the knowledge with rules, thresholds, citations and review status."""

from functools import cache
from typing import TYPE_CHECKING

from flask import Blueprint, Response, render_template

from cds_service.discovery import WITHOUT
from cds_service.errors import NotFound
from cds_service.knowledge.export import knowledge_export
from cds_service.settings import Settings
from cds_service.web.service_page import describe_service

if TYPE_CHECKING:
    from cds_service.assembly import Engine

POLICY = (
    "default-src 'none'; style-src 'self'; img-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


def build_pages(engine: "Engine", settings: Settings) -> Blueprint:
    """Rendered on the first call and kept: nothing on these pages depends on a patient or a caller."""
    pages = Blueprint("pages", __name__, template_folder="templates", static_folder="static", static_url_path="/static")
    is_demo, public_url = settings.is_demo, settings.public_url

    @cache
    def knowledge_html() -> str:
        known = knowledge_export(engine.index, engine.shop.stamp)
        cited = {one["id"]: one for one in known["citations"]}
        return render_template(
            "knowledge.html", known=known, cited=cited, services=engine.services, without=WITHOUT, is_demo=is_demo
        )

    @cache
    def services_html() -> str:
        ids = dict.fromkeys(one.id for one in engine.services)
        found = [describe_service(engine.services, one) for one in ids]
        return render_template("services.html", pages=found, public_url=public_url, is_demo=is_demo)

    @cache
    def service_html(service_id: str) -> str:
        page = describe_service(engine.services, service_id)
        if page is None:
            raise NotFound("there is no CDS Service with this id; /services lists those on offer")
        stamp = engine.shop.stamp
        return render_template("service.html", page=page, stamp=stamp, public_url=public_url, is_demo=is_demo)

    @pages.get("/knowledge")
    def knowledge() -> Response:
        return _page(knowledge_html())

    @pages.get("/services")
    def services() -> Response:
        return _page(services_html())

    @pages.get("/services/<service_id>")
    def service(service_id: str) -> Response:
        return _page(service_html(service_id))

    return pages


def _page(html: str) -> Response:
    response = Response(html, content_type="text/html; charset=utf-8")
    response.headers["Content-Security-Policy"] = POLICY
    return response
