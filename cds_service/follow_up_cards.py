"""The cards of an opened chart: follow-up due, too early, response, recurrence, candidate (R-48, R-50c, R-50d)."""

from collections.abc import Callable, Mapping, Sequence
from uuid import uuid4

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
from cds_service.clinical import doses
from cds_service.clinical.citations import A1, A2, T1, T8, T12
from cds_service.clinical.follow_up.candidate import Candidate
from cds_service.clinical.follow_up.contacts import ContactState, State
from cds_service.clinical.follow_up.course import REPEAT_FROM_DAY
from cds_service.clinical.follow_up.interpretation import describe_latest_score
from cds_service.clinical.follow_up.recurrence import phosphate_lines
from cds_service.clinical.follow_up.repletion import name_blackout
from cds_service.clinical.follow_up.view import Followed, Topic, View
from cds_service.clinical.model import Citation
from cds_service.clinical.schedule import DAY_8, WEEK_3
from cds_service.clinical.specimen_time import BLACKOUT_DAYS
from cds_service.follow_up_suggestions import (
    Desktop,
    list_requests,
    suggest_contact,
    suggest_deletions,
    suggest_iron_studies,
    suggest_missing_tests,
    suggest_move,
    suggest_order,
)
from cds_service.moved_requests import BY_HAND

_REASONS = ("action-completed", "wrong-time-workflow", "patient-ineligible", "patient-refuses")
_CANDIDATE_REASONS = ("patient-ineligible", "prefers-alternative", "patient-refuses", "risk-benefit-ratio")
# S-11, R-30 (T1): early benefit may spare the patient a higher dose of an RLS drug.
REVIEW_DRUGS = "Before an RLS drug is raised, consider reviewing it: benefit of the iron may make that unnecessary."
_DRUG_REVIEW = (DAY_8.id, WEEK_3.id)


def render_follow_up(desktop: Desktop, view: View) -> list[Json]:
    """At most two cards. Requests that no longer fit are named on the first card about the course."""
    cards = []
    carrier = next((topic for topic in view.topics if topic is not Topic.CANDIDATE), None)
    for topic in view.topics:
        card, suggestions = _RENDER[topic](desktop, view)
        if topic is carrier:
            _add_requests(desktop, view, card, suggestions)
        cards.append(_finish(desktop, card, suggestions))
    return cards[: desktop.profile.card_limit] if desktop.profile.card_limit else cards


def _finish(desktop: Desktop, card: Json, suggestions: list[Json]) -> Json:
    if suggestions and desktop.profile.suggestions:
        card["suggestions"] = suggestions
        card["selectionBehavior"] = "any"
    return card


def _card(
    shop: Shop,
    topic: Topic,
    summary: str,
    parts: Sequence[str],
    citation: Citation,
    *,
    reasons: Sequence[str] = _REASONS,
) -> Json:
    detail = "\n\n".join(part for part in (*parts, footer(shop, primary_source((citation,)))) if part)
    return {
        "uuid": str(uuid4()),
        "summary": fit(summary),
        "indicator": "info",
        "detail": detail,
        "source": source_of(shop, citation, topic),
        "overrideReasons": override_reasons(shop, reasons),
        "links": [{"label": "Rules, thresholds and sources", "url": shop.knowledge_url, "type": "absolute"}],
    }


def fit(summary: str) -> str:
    """CH-124."""
    return summary if len(summary) <= LONGEST_SUMMARY else summary[: LONGEST_SUMMARY - 1].rstrip() + "\u2026"


def _texts(lines: Sequence[str]) -> list[str]:
    return [md.text(line) for line in lines if line]


# --------------------------------------------------------------------------------------------------- parts of cards


def _basis(followed: Followed) -> str:
    """What was given and which day it is."""
    course = followed.course
    uncertain = "" if course.doses[-1].is_exact_day else " The exact day is not recorded."
    return md.text(f"Day {course.days} after IV iron: {course.shown}. Day 0 is {course.anchor.isoformat()}.{uncertain}")


def _response(followed: Followed) -> str:
    return section("What can be said today", _texts(followed.interpretation.say))


def _not_yet(view: View, followed: Followed) -> str:
    return section("Not yet", _texts((*followed.interpretation.not_yet, *name_blackout(view.chart))))


def _phosphate(view: View, followed: Followed, *, before_repeat: bool) -> str:
    return section("Phosphate", _texts(phosphate_lines(view.chart, followed.course, before_repeat=before_repeat)))


def _values(view: View) -> str:
    chart = view.chart
    lines = [
        f"{name} {reading.shown}, {reading.day.isoformat() if reading.day else 'undated'}"
        + (f" ({reading.caution})" if reading.caution else "")
        for name, reading in (("Ferritin", chart.ferritin), ("TSAT", chart.tsat), ("Hemoglobin", chart.hemoglobin))
        if reading.is_usable
    ]
    return section("Values", _texts((*lines, describe_latest_score(chart), *_failed_queries(view))))


def _failed_queries(view: View) -> list[str]:
    """3.1: a query that failed is not an empty answer."""
    failed = sorted(view.chart.facts.unavailable)
    return [f"Could not be checked: {', '.join(failed)}."] if failed else []


# ------------------------------------------------------------------------------------------------ the five topics

Rendered = tuple[Json, list[Json]]


def _follow(view: View) -> Followed:
    if view.followed is None:
        raise ValueError("a card about a course needs one")
    return view.followed


def _too_early(desktop: Desktop, view: View) -> Rendered:
    followed = _follow(view)
    course = followed.course
    parts = [
        _basis(followed),
        _response(followed),
        _not_yet(view, followed),
        section("Next", [md.text(_next_contact(followed))]),
        _values(view),
    ]
    first = followed.states[0].planned.window_first.isoformat()
    summary = f"Day {course.days} after IV iron: too early to judge the response; first check from {first}"
    return _card(desktop.shop, Topic.TOO_EARLY, summary, parts, T1), []


def _next_contact(followed: Followed) -> str:
    ahead = next((one for one in followed.states if one.state is State.NOT_DUE), None)
    if ahead is None:
        return "No further reassessment is planned in this course."
    planned = ahead.planned
    arranged = "requested" if ahead.is_arranged else "not requested yet"
    return (
        f"{planned.contact.title.capitalize()}: {planned.window_first.isoformat()} to "
        f"{planned.window_last.isoformat()}, {arranged}."
    )


def _due(desktop: Desktop, view: View) -> Rendered:
    if view.followed is None or not view.followed.wanted:
        return _requests_only(desktop, view), []
    followed = view.followed
    lead = find_lead(followed.wanted)
    planned = lead.planned
    has_safety_questions = planned.contact.id in _DRUG_REVIEW
    is_reviewed = bool({Topic.RESPONSE, Topic.RECURRENCE} & set(view.topics))  # then the other card says it
    parts = [
        _basis(followed),
        section(f"In this contact ({planned.contact.title}, {describe_state(lead)})", _tasks(followed, lead)),
        "" if is_reviewed else _response(followed),
        section("RLS drugs", [REVIEW_DRUGS] if has_safety_questions else []),
        "" if is_reviewed else _not_yet(view, followed),
        "" if is_reviewed else _phosphate(view, followed, before_repeat=not has_safety_questions),
        section("Also open", _texts([_describe_open(one) for one in followed.wanted if one is not lead])),
        _values(view),
    ]
    summary = f"RLS follow-up {planned.contact.title} after IV iron: {describe_state(lead)}"
    citation = T1 if has_safety_questions else A2
    card = _card(desktop.shop, Topic.DUE, summary, parts, citation)
    return card, suggest_contact(desktop, view, followed, lead)


def _tasks(followed: Followed, lead: ContactState) -> list[str]:
    """Overdue early contacts no longer forbid a ferritin once it can be read (R-09)."""
    is_readable = followed.course.days >= BLACKOUT_DAYS
    return _texts([task for task in lead.planned.contact.tasks if not (is_readable and task.startswith("No ferritin"))])


def find_lead(wanted: Sequence[ContactState]) -> ContactState:
    """The contact whose window is open; else the one that is overdue since the shortest time."""
    return next((one for one in reversed(wanted) if one.state is not State.OVERDUE), wanted[-1])


def describe_state(one: ContactState) -> str:
    """`due today`, `window open until 2026-03-24`, `overdue since 2026-03-24`."""
    if one.state is State.OVERDUE:
        return f"overdue, its window ended on {one.planned.window_last.isoformat()}"
    until = f"window open until {one.planned.window_last.isoformat()}"
    return f"due today, {until}" if one.state is State.DUE_TODAY else until


def _describe_open(one: ContactState) -> str:
    return f"{one.planned.contact.title.capitalize()}: {describe_state(one)}."


def _review(desktop: Desktop, view: View) -> Rendered:
    followed = _follow(view)
    has_recurrence = Topic.RECURRENCE in view.topics
    is_soon = followed.course.days < REPEAT_FROM_DAY
    criteria = _texts(followed.recurrence.criteria)
    parts = [
        _basis(followed),
        _response(followed),
        _not_yet(view, followed),
        section("Criteria for considering a repeat course", [] if has_recurrence or is_soon else criteria),
        _phosphate(view, followed, before_repeat=True),
        _values(view),
    ]
    summary = f"Response to IV iron, day {followed.course.days}: {followed.interpretation.headline}"
    card = _card(desktop.shop, Topic.RESPONSE, summary, parts, A2)
    return card, [] if has_recurrence else _tests_for_review(desktop, view, followed)


def _recurrence(desktop: Desktop, view: View) -> Rendered:
    followed = _follow(view)
    recurrence = followed.recurrence
    parts = [
        _basis(followed),
        section("Recurrence", _texts(recurrence.say)),
        section("Criteria for considering a repeat course", _texts(recurrence.criteria)),
        _phosphate(view, followed, before_repeat=True),
        _not_yet(view, followed),
        _values(view),
    ]
    more = "; a repeat course may be considered" if recurrence.is_repeat_open else ""
    summary = f"RLS after IV iron, day {followed.course.days}: {recurrence.headline}{more}"
    card = _card(desktop.shop, Topic.RECURRENCE, summary, parts, T12 if recurrence.is_repeat_open else T8)
    return card, _tests_for_review(desktop, view, followed)


def _tests_for_review(desktop: Desktop, view: View, followed: Followed) -> list[Json]:
    """Where the follow-up-due card is shown it offers the tests of its contact; two cards never offer the same."""
    if Topic.DUE in view.topics:
        return []
    return suggest_missing_tests(desktop, view, followed, followed.recurrence.missing_tests)


def _candidate(desktop: Desktop, view: View) -> Rendered:
    if not isinstance(view.candidate, Candidate):
        return _iron_studies(desktop, view)
    candidate, chart = view.candidate, view.chart
    rule, verdict = candidate.decision.verdicts[0]
    oral = "Oral iron is an equal option at this ferritin and is named first: ferrous sulfate, 65 mg elemental iron."
    parts = [
        "If the RLS is clinically significant, iron treatment can be considered.",
        *([f"**{oral}**"] if candidate.names_oral_first else []),
        section("Why", [*_texts(verdict.say), md.text(f"{rule.id}: {verdict.because}")]),
        section("Check first", _texts([line.text for _, line in candidate.decision.lines])),
        md.text(
            f"The suggestion drafts {doses.plain(candidate.dose_mg)} mg of ferric carboxymaltose (15 mg/kg, at most "
            f"1000 mg, rounded down); everything is decided anew when the order is chosen."
        ),
        _values(view),
    ]
    summary = f"RLS with ferritin {chart.ferritin.shown}, TSAT {chart.tsat.shown}: iron treatment can be considered"
    citation = primary_source(rule.sources)
    card = _card(desktop.shop, Topic.CANDIDATE, summary, parts, citation, reasons=_CANDIDATE_REASONS)
    return card, suggest_order(desktop, view, candidate)


def _iron_studies(desktop: Desktop, view: View) -> Rendered:
    parts = [
        "No ferritin is on record for the last 365 days.",
        "If the RLS is clinically significant, the guideline supports testing ferritin and TSAT.",
        _values(view),
    ]
    summary = "RLS without a ferritin in the last 365 days: consider iron studies"
    card = _card(desktop.shop, Topic.CANDIDATE, summary, parts, A1, reasons=_CANDIDATE_REASONS)
    return card, suggest_iron_studies(desktop, view)


_RENDER: Mapping[Topic, Callable[[Desktop, View], Rendered]] = {
    Topic.RECURRENCE: _recurrence,
    Topic.DUE: _due,
    Topic.RESPONSE: _review,
    Topic.TOO_EARLY: _too_early,
    Topic.CANDIDATE: _candidate,
}


# -------------------------------------------------------------------------------- requests that no longer fit


def _requests_only(desktop: Desktop, view: View) -> Json:
    followed = view.followed
    if followed is not None and followed.move is not None:
        summary = "The infusion was given on another day: reassessments can be moved"
        return _card(desktop.shop, Topic.DUE, summary, [_basis(followed)], A2)
    return _card(desktop.shop, Topic.DUE, "Reassessments after IV iron are open that no longer apply", [], A2)


def _add_requests(desktop: Desktop, view: View, card: Json, suggestions: list[Json]) -> None:
    """R-50, R-50b: named on the card in any case; offered for deletion where the client takes that."""
    parts = []
    move = view.followed.move if view.followed else None
    if view.followed is not None and move is not None:
        suggestions += suggest_move(desktop, view, move)
        by_hand = "" if desktop.profile.deletes else f" {BY_HAND}"
        parts.append(
            f"Reassessments counted from another day than {view.followed.course.anchor.isoformat()} are open: "
            f"{list_requests(move.old)}.{by_hand}"
        )
    if view.leftovers:
        suggestions += suggest_deletions(desktop, view.leftovers)
        parts += [f"{list_requests(one.requests)}: {one.because}. Consider cancelling them." for one in view.leftovers]
    if parts:
        basis, mark, rest = card["detail"].rpartition("\n\n")
        card["detail"] = f"{basis}{mark}{section('Open requests', parts)}\n\n{rest}"
