"""The source attributes of each CDS Service, as a page and as JSON, readable without login in both modes."""

from collections.abc import Callable
from datetime import date
from typing import TYPE_CHECKING

from flask import Blueprint, Response, render_template

from cds_service import assembly
from cds_service.hooks import encode
from cds_service.knowledge.attributes import source_attributes
from cds_service.web.pages import POLICY

if TYPE_CHECKING:
    from cds_service.assembly import Engine


def build_attributes_page(engine: "Engine", today: Callable[[], date], *, is_demo: bool) -> Blueprint:
    """`/knowledge/source-attributes`, and `.json` for machines. `today` tells which reviews are overdue."""
    page = Blueprint("attributes_page", __name__, template_folder="templates")

    def described() -> list[dict[str, object]]:
        overdue = assembly.overdue_reviews(engine, today())
        return [source_attributes(one, engine.shop.stamp, overdue, sign_off=engine.sign_off) for one in engine.services]

    @page.get("/knowledge/source-attributes")
    def html() -> Response:
        text = render_template("source_attributes.html", services=described(), is_demo=is_demo)
        response = Response(text, content_type="text/html; charset=utf-8")
        response.headers["Content-Security-Policy"] = POLICY
        return response

    @page.get("/knowledge/source-attributes.json")
    def document() -> Response:
        return Response(encode({"services": described()}), content_type="application/json")

    return page
