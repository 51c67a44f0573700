"""The conformance page: all rows of CDS Hooks in our own words, how each is shown, and what the self-test saw."""

from functools import cache
from itertools import groupby

from flask import Blueprint, Response, render_template

from cds_service.conformance.rows import Row, Shown, load_rows
from cds_service.web.pages import POLICY


def build_conformance_page(*, is_demo: bool) -> Blueprint:
    """`/knowledge/conformance`, for anyone in both modes: nothing on it depends on a patient or a caller."""
    page = Blueprint("conformance_page", __name__, template_folder="templates")

    @cache
    def html() -> str:
        rows = load_rows()
        areas = [(area, list(group)) for area, group in groupby(rows, key=lambda row: row.area)]
        return render_template(
            "conformance.html", areas=areas, sums=summarise(rows), describe=describe, is_demo=is_demo
        )

    @page.get("/knowledge/conformance")
    def conformance() -> Response:
        response = Response(html(), content_type="text/html; charset=utf-8")
        response.headers["Content-Security-Policy"] = POLICY
        return response

    return page


def summarise(rows: tuple[Row, ...]) -> dict[str, int]:
    """How many rows are shown in which way; what the self-test saw passed comes first."""
    passed = sum(row.result == "passed" for row in rows)
    tested = sum(bool(row.tests) and row.result != "passed" for row in rows)
    return {
        "seen by the self-test from outside": passed,
        "shown by tests of this repository alone": tested,
        "by agreement, by review, or an option that is not used": len(rows) - passed - tested,
    }


def describe(row: Row) -> str:
    """How a row is shown, in words."""
    if row.result == "passed":
        return "self-test: passed"
    if row.tests:
        return "unit tests"
    if row.shown is Shown.PROBE:
        return row.note.replace("`", "")
    return f"{row.shown}: {row.note}" if row.note else str(row.shown)
