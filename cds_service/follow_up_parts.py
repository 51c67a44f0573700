"""What the cards of an opened chart are made of: shell, course, what may be said, values (R-48, R-54)."""

from collections.abc import Sequence

from cds_service import markdown as md
from cds_service.card_parts import (
    LONGEST_SUMMARY,
    Json,
    Shop,
    footer,
    override_reasons,
    primary_source,
    section,
    source_of,
)
from cds_service.clinical.follow_up.interpretation import describe_latest_score
from cds_service.clinical.follow_up.recurrence import phosphate_lines
from cds_service.clinical.follow_up.repletion import name_blackout
from cds_service.clinical.follow_up.view import Followed, Topic, View
from cds_service.clinical.model import Citation
from cds_service.ids import new_uuid

REASONS = ("action-completed", "wrong-time-workflow", "patient-ineligible", "patient-refuses")


def make_card(
    shop: Shop,
    topic: Topic,
    summary: str,
    parts: Sequence[str],
    citation: Citation,
    reasons: Sequence[str] = REASONS,
) -> Json:
    detail = "\n\n".join(part for part in (*parts, footer(shop, primary_source((citation,)))) if part)
    return {
        "uuid": new_uuid(),
        "summary": fit(summary),
        "indicator": "info",
        "detail": detail,
        "source": source_of(shop, citation, topic),
        "overrideReasons": override_reasons(shop, reasons),
        "links": [],
    }


def fit(summary: str) -> str:
    """CH-124."""
    return summary if len(summary) <= LONGEST_SUMMARY else summary[: LONGEST_SUMMARY - 1].rstrip() + "\u2026"


def texts(lines: Sequence[str]) -> list[str]:
    return [md.text(line) for line in lines if line]


# --------------------------------------------------------------------------------------------------- parts of cards


def show_basis(followed: Followed) -> str:
    """What was given and which day it is."""
    course = followed.course
    uncertain = "" if course.doses[-1].is_exact_day else " The exact day is not recorded."
    return md.text(f"Day {course.days} after IV iron: {course.shown}. Day 0 is {course.anchor.isoformat()}.{uncertain}")


def show_response(followed: Followed) -> str:
    return section("What can be said today", texts(followed.interpretation.say))


def show_not_yet(view: View, followed: Followed) -> str:
    return section("Not yet", texts((*followed.interpretation.not_yet, *name_blackout(view.chart, followed.course))))


def show_phosphate(view: View, followed: Followed, *, before_repeat: bool) -> str:
    return section("Phosphate", texts(phosphate_lines(view.chart, followed.course, before_repeat=before_repeat)))


def show_values(view: View) -> str:
    chart = view.chart
    lines = [
        f"{name} {reading.shown}, {reading.day.isoformat() if reading.day else 'undated'}"
        + (f" ({reading.caution})" if reading.caution else "")
        for name, reading in (("Ferritin", chart.ferritin), ("TSAT", chart.tsat), ("Hemoglobin", chart.hemoglobin))
        if reading.is_usable
    ]
    return section("Values", texts((*lines, describe_latest_score(chart), *_failed_queries(view))))


def _failed_queries(view: View) -> list[str]:
    """3.1: a query that failed is not an empty answer."""
    failed = sorted(view.chart.facts.unavailable)
    return [f"Could not be checked: {', '.join(failed)}."] if failed else []
