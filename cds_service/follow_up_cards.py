"""The cards of an opened chart: follow-up due, too early, response, recurrence (R-48, R-50, R-50c)."""

from collections.abc import Callable, Mapping, Sequence

from cds_service import markdown as md
from cds_service.candidate_card import render_candidate
from cds_service.card_parts import Json, links_of, section
from cds_service.clinical.citations import A2, T1, T8, T12
from cds_service.clinical.follow_up.contacts import ContactState, State
from cds_service.clinical.follow_up.course import REPEAT_FROM_DAY
from cds_service.clinical.follow_up.view import Followed, Topic, View
from cds_service.clinical.schedule import DAY_8, WEEK_3
from cds_service.clinical.specimen_time import BLACKOUT_DAYS
from cds_service.follow_up_parts import (
    make_card,
    show_basis,
    show_not_yet,
    show_phosphate,
    show_response,
    show_values,
    texts,
)
from cds_service.follow_up_suggestions import (
    Desktop,
    list_requests,
    suggest_contact,
    suggest_deletions,
    suggest_missing_tests,
    suggest_move,
)
from cds_service.moved_requests import BY_HAND

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
    card["links"] = links_of(desktop.shop, desktop.profile)
    if suggestions and desktop.profile.suggestions:
        card["suggestions"] = suggestions
        card["selectionBehavior"] = "any"
    return card


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
        show_basis(followed),
        show_response(followed),
        show_not_yet(view, followed),
        section("Next", [md.text(_next_contact(followed))]),
        show_values(view),
    ]
    first = followed.states[0].planned.window_first.isoformat()
    summary = f"Day {course.days} after IV iron: too early to judge the response; first check from {first}"
    return make_card(desktop.shop, Topic.TOO_EARLY, summary, parts, T1), []


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
        show_basis(followed),
        section(f"In this contact ({planned.contact.title}, {describe_state(lead)})", _tasks(followed, lead)),
        "" if is_reviewed else show_response(followed),
        section("RLS drugs", [REVIEW_DRUGS] if has_safety_questions else []),
        "" if is_reviewed else show_not_yet(view, followed),
        "" if is_reviewed else show_phosphate(view, followed, before_repeat=not has_safety_questions),
        section("Also open", texts([_describe_open(one) for one in followed.wanted if one is not lead])),
        show_values(view),
    ]
    summary = f"RLS follow-up {planned.contact.title} after IV iron: {describe_state(lead)}"
    citation = T1 if has_safety_questions else A2
    card = make_card(desktop.shop, Topic.DUE, summary, parts, citation)
    return card, suggest_contact(desktop, view, followed, lead)


def _tasks(followed: Followed, lead: ContactState) -> list[str]:
    """Overdue early contacts no longer forbid a ferritin once it can be read (R-09)."""
    is_readable = followed.course.days >= BLACKOUT_DAYS
    return texts([task for task in lead.planned.contact.tasks if not (is_readable and task.startswith("No ferritin"))])


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
    criteria = texts(followed.recurrence.criteria)
    parts = [
        show_basis(followed),
        show_response(followed),
        show_not_yet(view, followed),
        section("Criteria for considering a repeat course", [] if has_recurrence or is_soon else criteria),
        show_phosphate(view, followed, before_repeat=True),
        show_values(view),
    ]
    summary = f"Response to IV iron, day {followed.course.days}: {followed.interpretation.headline}"
    card = make_card(desktop.shop, Topic.RESPONSE, summary, parts, A2)
    return card, [] if has_recurrence else _tests_for_review(desktop, view, followed)


def _recurrence(desktop: Desktop, view: View) -> Rendered:
    followed = _follow(view)
    recurrence = followed.recurrence
    parts = [
        show_basis(followed),
        section("Recurrence", texts(recurrence.say)),
        section("Criteria for considering a repeat course", texts(recurrence.criteria)),
        show_phosphate(view, followed, before_repeat=True),
        show_not_yet(view, followed),
        show_values(view),
    ]
    more = "; a repeat course may be considered" if recurrence.is_repeat_open else ""
    summary = f"RLS after IV iron, day {followed.course.days}: {recurrence.headline}{more}"
    card = make_card(desktop.shop, Topic.RECURRENCE, summary, parts, T12 if recurrence.is_repeat_open else T8)
    return card, _tests_for_review(desktop, view, followed)


def _tests_for_review(desktop: Desktop, view: View, followed: Followed) -> list[Json]:
    """Where the follow-up-due card is shown it offers the tests of its contact; two cards never offer the same."""
    if Topic.DUE in view.topics:
        return []
    return suggest_missing_tests(desktop, view, followed, followed.recurrence.missing_tests)


_RENDER: Mapping[Topic, Callable[[Desktop, View], Rendered]] = {
    Topic.RECURRENCE: _recurrence,
    Topic.DUE: _due,
    Topic.RESPONSE: _review,
    Topic.TOO_EARLY: _too_early,
    Topic.CANDIDATE: render_candidate,
}


# -------------------------------------------------------------------------------- requests that no longer fit


def _requests_only(desktop: Desktop, view: View) -> Json:
    followed = view.followed
    if followed is not None and followed.move is not None:
        summary = "The infusion was given on another day: reassessments can be moved"
        return make_card(desktop.shop, Topic.DUE, summary, [show_basis(followed)], A2)
    return make_card(desktop.shop, Topic.DUE, "Reassessments after IV iron are open that no longer apply", [], A2)


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
