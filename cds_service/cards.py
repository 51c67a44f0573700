"""Decisions to CDS Hooks cards: recommendation and reassessment card per order, with suggestions (R-51...R-56)."""

from collections.abc import Sequence

from cds_service import markdown as md
from cds_service.card_detail import render_detail
from cds_service.card_parts import (
    LONGEST_SUMMARY,
    PANEL,
    TEST_NAMES,
    Chart,
    Json,
    Profile,
    Shop,
    course_of,
    links_of,
    listed,
    override_reasons,
    primary_source,
    product_name,
    source_of,
)
from cds_service.clinical.decision import Decision
from cds_service.clinical.model import Conclusion, Ingredient
from cds_service.clinical.schedule import SPECIMEN_NOTE
from cds_service.fhir import orders
from cds_service.ids import new_uuid
from cds_service.reassessment import CLOSED, Schedule, render_reassessment

BASELINE = "baseline"  # the contact part of a laboratory request made before the infusion
INDICATORS = {
    Conclusion.CONTRAINDICATED: "critical",
    Conclusion.NOT_INDICATED: "warning",
    Conclusion.INSUFFICIENT_DATA: "warning",
    Conclusion.MAY_BENEFIT: "info",
    Conclusion.INDICATED_STRONG: "info",
}  # section 1, R-52
IN_WORDS = {
    Conclusion.CONTRAINDICATED: "contraindicated as ordered",
    Conclusion.NOT_INDICATED: "IV iron not supported now",
    Conclusion.INSUFFICIENT_DATA: "not enough data to decide",
    Conclusion.MAY_BENEFIT: "IV iron may benefit (conditional support)",
    Conclusion.INDICATED_STRONG: "guideline supports IV iron (strong)",
}
# Reasons offered when a card is dismissed, from the HL7 code system of the terminology list.
_REASONS = {
    Conclusion.CONTRAINDICATED: (
        "expert-contradicts",
        "risk-benefit-ratio",
        "patient-ineligible",
        "need-more-info",
    ),
    Conclusion.NOT_INDICATED: (
        "expert-contradicts",
        "risk-benefit-ratio",
        "prefers-alternative",
        "policy-contradicts",
    ),
    Conclusion.INSUFFICIENT_DATA: (
        "need-more-info",
        "action-completed",
        "expert-contradicts",
        "limited-time",
    ),
    Conclusion.MAY_BENEFIT: (
        "patient-ineligible",
        "prefers-alternative",
        "risk-benefit-ratio",
        "patient-contraindication",
    ),
    Conclusion.INDICATED_STRONG: (
        "patient-ineligible",
        "prefers-alternative",
        "risk-benefit-ratio",
        "patient-contraindication",
    ),
}


def render_cards(shop: Shop, profile: Profile, chart: Chart, decisions: Sequence[Decision]) -> list[Json]:
    """The cards of one reply, most important first where a client limits their number."""
    cards: list[Json] = []
    scheduled: set[Ingredient | None] = set()  # doses of one ingredient in a session are one course
    for decision in decisions:
        if decision.conclusion is Conclusion.OUT_OF_SCOPE:
            continue
        schedule = Schedule.of(shop, chart, decision)
        cards.append(_recommendation(shop, profile, chart, decision, schedule, names_order=len(decisions) > 1))
        ingredient = decision.case.order.ingredient
        if schedule and schedule.has_offer and ingredient not in scheduled:
            scheduled.add(ingredient)
            cards.append(render_reassessment(shop, profile, decision, schedule))
    return _limited(cards, profile.card_limit)


def _limited(cards: list[Json], limit: int | None) -> list[Json]:
    if limit is None or len(cards) <= limit:
        return cards
    urgency = {"critical": 0, "warning": 1, "info": 2}
    return sorted(cards, key=lambda card: urgency[card["indicator"]])[:limit]


def _recommendation(
    shop: Shop,
    profile: Profile,
    chart: Chart,
    decision: Decision,
    schedule: "Schedule | None",
    *,
    names_order: bool,
) -> Json:
    lead = decision.verdicts[0]
    card = {
        "uuid": new_uuid(),
        "summary": summarise(decision),
        "indicator": _indicator(decision),
        "detail": render_detail(shop, decision, schedule.note if schedule else "", names_order=names_order),
        "source": source_of(shop, primary_source(lead[0].sources), decision.conclusion),
        "overrideReasons": override_reasons(shop, _REASONS[decision.conclusion]),
        "links": links_of(shop, profile),
    }
    tests = _tests_to_offer(shop, decision, chart)
    if profile.suggestions and tests:
        card["suggestions"] = [_test_suggestion(shop, chart, decision, tests)]
        card["selectionBehavior"] = "any"
    return card


def summarise(decision: Decision) -> str:
    """Class in words, the reason where it is a stop or a gap, ferritin and TSAT; at most 139 characters (CH-124)."""
    case = decision.case
    words = [f"{product_name(decision)}: {IN_WORDS[decision.conclusion]}"]
    headline = decision.verdicts[0][1].headline
    if headline and not decision.conclusion.is_supportive:
        words.append(f" - {md.plain(headline)}")
    values = [
        f"{name} {reading.shown}"
        for name, reading in (("ferritin", case.ferritin), ("TSAT", case.tsat))
        if reading.is_usable
    ]
    missing = [name for name, reading in (("ferritin", case.ferritin), ("TSAT", case.tsat)) if not reading.is_usable]
    if missing and decision.conclusion.is_supportive:
        values.append(f"{' and '.join(missing)} missing")
    head, tail = "".join(words), "; " + ", ".join(values) if values else ""
    if len(head) + len(tail) <= LONGEST_SUMMARY:
        return head + tail
    return head if len(head) <= LONGEST_SUMMARY else head[: LONGEST_SUMMARY - 1].rstrip() + "\u2026"


def _indicator(decision: Decision) -> str:
    """R-52."""
    indicator = INDICATORS[decision.conclusion]
    return "warning" if indicator == "info" and decision.makes_warning else indicator


def _tests_to_offer(shop: Shop, decision: Decision, chart: Chart) -> tuple[str, ...]:
    """Orders to offer (R-26, R-29c), without those among the drafts or ordered for this course already (CH-246)."""
    wanted = dict.fromkeys(PANEL.get(test, test) for test in decision.offered_tests)
    if not wanted:
        return ()
    course = course_of(shop, chart, decision).course
    ordered = {
        one.test
        for one in decision.case.facts.arranged
        if (one.course, one.contact) == (course, BASELINE) and one.status not in CLOSED
    }
    return tuple(test for test in wanted if test not in chart.drafted_tests | ordered)


def _test_suggestion(shop: Shop, chart: Chart, decision: Decision, tests: Sequence[str]) -> Json:
    when = decision.tests_not_before
    course = course_of(shop, chart, decision)
    names = listed([TEST_NAMES[test] for test in tests])
    note = SPECIMEN_NOTE + (
        f" Not before {when.isoformat()}: iron given recently distorts the result (R-09)." if when else ""
    )
    return {
        "label": f"Order {names}" + (f" for {when.isoformat()}" if when else ""),
        "uuid": new_uuid(),
        "isRecommended": True,
        "actions": [
            {
                "type": "create",
                "description": f"Order {TEST_NAMES[test]}",
                "resource": orders.laboratory_request(shop.codes, course, BASELINE, test, when, note),
            }
            for test in tests
        ],
    }
