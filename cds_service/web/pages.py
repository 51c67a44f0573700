"""The knowledge page: rules with thresholds, citations and review status, from the data that decide."""

from functools import cache
from typing import TYPE_CHECKING

from flask import Blueprint, Response, render_template

from cds_service.discovery import WITHOUT
from cds_service.knowledge.export import knowledge_export

if TYPE_CHECKING:
    from cds_service.services import Engine

POLICY = "default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"


def build_pages(engine: "Engine", *, is_demo: bool) -> Blueprint:
    """Rendered on the first call and kept: nothing on these pages depends on a patient or a caller."""
    pages = Blueprint("pages", __name__, template_folder="templates", static_folder="static", static_url_path="/static")

    @cache
    def knowledge_html() -> str:
        known = knowledge_export(engine.index)
        cited = {one["id"]: one for one in known["citations"]}
        return render_template(
            "knowledge.html", known=known, cited=cited, services=engine.services, without=WITHOUT, is_demo=is_demo
        )

    @pages.get("/knowledge")
    def knowledge() -> Response:
        response = Response(knowledge_html(), content_type="text/html; charset=utf-8")
        response.headers["Content-Security-Policy"] = POLICY
        return response

    return pages
