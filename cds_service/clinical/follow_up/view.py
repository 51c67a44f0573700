"""Which cards an opened chart gets, at most two, and which stay away (R-50c, R-50d)."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum

from cds_service.clinical.case import Case
from cds_service.clinical.follow_up.candidate import Candidate, Refusal, find_candidate, lacks_iron_studies
from cds_service.clinical.follow_up.contacts import ContactState, find_states, in_window, is_six_monthly, of_course
from cds_service.clinical.follow_up.course import PROVISIONAL_FROM_DAY, Course, find_course, find_order, open_chart
from cds_service.clinical.follow_up.interpretation import Interpretation, interpret
from cds_service.clinical.follow_up.open_requests import CALLED_OFF, Leftover, Move, find_leftovers, find_move
from cds_service.clinical.follow_up.recurrence import Recurrence, assess_recurrence
from cds_service.clinical.follow_up.repletion import find_latest_draw
from cds_service.clinical.model import ArrangedContact, PatientFacts
from cds_service.clinical.response import RESPONSE_TO_DAY
from cds_service.clinical.rules.scope import find_rls, is_adult

MOST_CARDS = 2
TOO_EARLY_TO_DAY = 6
QUIET_DAYS = 30  # after an override with a coded reason
FRESH_DAYS = 28  # so long a final classification stays on the screen after the result that made it final


class Topic(StrEnum):
    """`source.topic.code` of the card, in the order in which they are preferred."""

    RECURRENCE = "recurrence-review"
    DUE = "follow-up-due"
    RESPONSE = "response-review"
    TOO_EARLY = "too-early-to-judge"
    CANDIDATE = "iron-candidate"


@dataclass(frozen=True, slots=True)
class Question:
    """What the caller knows besides the facts."""

    as_of: date
    label: str
    name_course: Callable[[str], str]  # reference of an order or administration -> course part of identifiers
    ordered_tests: frozenset[str] = frozenset()
    offers_candidate: bool = True
    offers_iron_studies: bool = True
    overrides: Mapping[str, date] = field(
        default_factory=dict
    )  # topic -> day of the latest override with a coded reason


@dataclass(frozen=True, slots=True)
class Followed:
    """The course that is followed up, and how it stands today."""

    course: Course
    course_part: str
    order: str | None
    mine: tuple[ArrangedContact, ...]
    states: tuple[ContactState, ...]
    interpretation: Interpretation
    recurrence: Recurrence
    move: Move | None

    @property
    def wanted(self) -> tuple[ContactState, ...]:
        return tuple(one for one in self.states if one.state.is_wanted)


@dataclass(frozen=True, slots=True)
class View:
    """`topics` are shown, `suppressed` stay away after an override, `crowded_out` did not fit."""

    chart: Case
    followed: Followed | None
    leftovers: tuple[Leftover, ...]
    candidate: Candidate | Refusal
    studies: Refusal | None  # None: iron studies are offered
    topics: tuple[Topic, ...]
    suppressed: tuple[Topic, ...]
    crowded_out: tuple[Topic, ...]


def is_in_scope(facts: PatientFacts, as_of: date) -> bool:
    """R-50c: adults with RLS (R-02, R-03). Reads patient and conditions only; an age not known is no adult."""
    if facts.is_deceased or not find_rls(facts.conditions):
        return False
    return is_adult(facts.birth, as_of) is True


def view_chart(facts: PatientFacts, question: Question) -> View:
    """Everything that can be said today about a patient in scope."""
    chart = open_chart(facts, question.as_of, question.label)
    followed = _follow(chart, question)
    days = [dose.day for dose in chart.doses]
    mine = followed.mine if followed else ()
    leftovers = find_leftovers(facts, mine, _courses_called_off(facts, question), question.as_of, dose_days=days)
    candidate = find_candidate(facts, chart) if question.offers_candidate else Refusal("switched off for this client")
    studies = (
        lacks_iron_studies(facts, chart, question.ordered_tests)
        if question.offers_iron_studies
        else Refusal("switched off for this client")
    )
    due = _find_topics(chart, followed, has_requests=bool(leftovers or (followed and followed.move)))
    if isinstance(candidate, Candidate) or studies is None:
        due.append(Topic.CANDIDATE)
    quiet = [topic for topic in due if is_quiet(topic, question, followed)]
    shown = [topic for topic in due if topic not in quiet]
    return View(
        chart, followed, leftovers, candidate, studies,
        tuple(shown[:MOST_CARDS]), tuple(quiet), tuple(shown[MOST_CARDS:]),
    )  # fmt: skip


def _follow(chart: Case, question: Question) -> Followed | None:
    course = find_course(chart)
    if course is None:
        return None
    order = find_order(chart.facts, course)
    part = question.name_course(order or course.doses[0].references[0])
    mine = of_course(chart.facts.arranged, part, course.anchor)
    states = find_states(chart, course, mine)
    interpretation = interpret(chart, course)
    return Followed(
        course=course,
        course_part=_their_course(mine, part),
        order=order,
        mine=mine,
        states=states,
        interpretation=interpretation,
        recurrence=assess_recurrence(chart, course, interpretation.record),
        move=find_move(mine, [one.planned for one in states], course.anchor, question.as_of),
    )


def _their_course(mine: tuple[ArrangedContact, ...], ours: str) -> str:
    """What is created joins the requests already there, under their course; of several the same one every time."""
    known = {one.course for one in mine}
    return min(known) if known and ours not in known else ours


def _courses_called_off(facts: PatientFacts, question: Question) -> frozenset[str]:
    orders = [order.reference for order in facts.idle_orders if order.status in CALLED_OFF]
    orders += [reference for record in facts.not_given for reference in record.refers_to]
    return frozenset(question.name_course(reference) for reference in orders)


def _find_topics(chart: Case, followed: Followed | None, *, has_requests: bool) -> list[Topic]:
    """R-50c, in its order; requests that no longer fit are named on the first card, or get one."""
    found: list[Topic] = []
    if followed is not None:
        found = [topic for topic in Topic if topic in _CONDITIONS and _CONDITIONS[topic](chart, followed)]
    return found or ([Topic.DUE] if has_requests else [])


def _is_recurrence_due(chart: Case, followed: Followed) -> bool:
    in_review = any(is_six_monthly(one) and in_window(one, chart.as_of) for one in followed.states)
    return in_review or followed.recurrence.has_returned


def _is_contact_due(_: Case, followed: Followed) -> bool:
    return bool(followed.wanted)


def _is_response_due(chart: Case, followed: Followed) -> bool:
    """From day 42 to day 183; a final classification with labs is shown for a while and then no more."""
    if not PROVISIONAL_FROM_DAY <= followed.course.days <= RESPONSE_TO_DAY:
        return False
    return not followed.interpretation.is_final_with_labs or _is_fresh(chart, followed)


def _is_fresh(chart: Case, followed: Followed) -> bool:
    """Nobody could read a classification that vanishes with the result that makes it."""
    latest, drawn = followed.interpretation.record.latest, find_latest_draw(chart, followed.course)
    days = [followed.course.judged_from, *([drawn] if drawn else [])]
    days += [latest.day.last] if latest and latest.day else []
    return (chart.as_of - max(days)).days <= FRESH_DAYS


def _is_too_early(_: Case, followed: Followed) -> bool:
    return 0 <= followed.course.days <= TOO_EARLY_TO_DAY


_CONDITIONS: Mapping[Topic, Callable[[Case, Followed], bool]] = {
    Topic.RECURRENCE: _is_recurrence_due,
    Topic.DUE: _is_contact_due,
    Topic.RESPONSE: _is_response_due,
    Topic.TOO_EARLY: _is_too_early,
}


def is_quiet(topic: Topic, question: Question, followed: Followed | None) -> bool:
    """R-50c, R-50d: 30 days after an override; `too-early-to-judge` for the rest of the days of this course."""
    when = question.overrides.get(topic)
    if when is None:
        return False
    if topic is Topic.TOO_EARLY:
        return followed is not None and when >= followed.course.anchor
    return (question.as_of - when).days <= QUIET_DAYS
