"""The 13 months after each course: where each reassessment stood on the day its window closed (R-43...R-50)."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date
from functools import partial

from cds_service.clinical.dates import add_months
from cds_service.clinical.doses import Dose
from cds_service.clinical.follow_up import view as chart_view
from cds_service.clinical.follow_up.contacts import State
from cds_service.clinical.follow_up.course import FOLLOWED_MONTHS, Course, find_course, find_order, open_chart
from cds_service.clinical.follow_up.view import Followed, Question
from cds_service.clinical.model import PatientFacts
from cds_service.clinical.schedule import Planned, plan, plan_later
from cds_service.fhir import orders, reader
from cds_service.replay.as_of import chart_at
from cds_service.replay.entries import EVENTS, Place
from cds_service.replay.history import History
from cds_service.replay.moments import Moment
from cds_service.replay.rows import Naming, Row, show_amount, words, yes

Gaps = set[tuple[str, str]]
NOT_OVER = "window not over"  # at the end of the export
DONE, NOT_DONE = str(State.DONE), "not done"
OUT_OF_SCOPE = "out of scope"  # no active RLS entry on that day, or no adult (R-50c)
SUPERSEDED = "another course since"
NOT_ASKED = "not asked for"  # a later contact while the one before is not done


@dataclass(frozen=True, slots=True)
class Desk:
    """What following up depends on besides the patient."""

    place: Place
    naming: Naming
    label: str
    until: date


def follow_courses(desk: Desk, history: History, gaps: Gaps) -> Iterator[Row]:
    """One row a course and contact."""
    if not history.orders and not any(entry.type in EVENTS for entry in history.entries):
        return  # no iron was ordered or given
    facts = _read(desk, history, desk.until, gaps)
    courses = _find_courses(desk, facts)
    for number, course in enumerate(courses):
        later = courses[number + 1].first_day if number + 1 < len(courses) else None
        yield from _follow(desk, history, facts, course, later, gaps)


def _find_courses(desk: Desk, facts: PatientFacts) -> list[Course]:
    """Every course with all its doses, oldest first."""
    doses: Iterable[Dose] = open_chart(facts, desk.until, desk.label).doses
    found: dict[tuple[date, str], Course] = {}
    for day in sorted({dose.day for dose in doses}):
        course = find_course(open_chart(facts, day, desk.label))
        if course is not None and course.doses:
            found[course.first_day, str(course.ingredient)] = course
    return sorted(found.values(), key=lambda one: (one.anchor, str(one.ingredient)))


def _follow(
    desk: Desk, history: History, facts: PatientFacts, course: Course, later: date | None, gaps: Gaps
) -> Iterator[Row]:
    order = find_order(facts, course)
    reference = order or course.doses[0].references[0]
    contacts = [*plan(course.anchor), *plan_later(course.anchor, add_months(course.anchor, FOLLOWED_MONTHS))]
    for planned in contacts:
        state = _state_at(desk, history, course, planned, gaps)
        yield (
            planned.window_last.isoformat(),
            desk.naming.resource(history.patient, f"{reference} {planned.contact.id}"),
            desk.naming.patient(history.patient),
            desk.naming.resource(history.patient, order) if order else "",
            str(course.ingredient or ""),
            course.anchor.isoformat(),
            str(len(course.doses)),
            show_amount(course.least_mg if course.is_amount_known else None),
            yes(course.is_adequate),
            planned.contact.id,
            planned.window_first.isoformat(),
            planned.window_last.isoformat(),
            *state,
            "" if later is None else str((later - course.anchor).days),
        )


def _state_at(
    desk: Desk, history: History, course: Course, planned: Planned, gaps: Gaps
) -> tuple[str, str, str, str, str]:
    """State, whether arranged, topics a chart opened that day would show, response, whether symptoms had returned."""
    day = planned.window_last
    if day > desk.until:
        return NOT_OVER, "", "", "", ""
    facts = _read(desk, history, day, gaps)
    if not chart_view.is_in_scope(facts, day):
        return OUT_OF_SCOPE, "", "", "", ""
    view = chart_view.view_chart(
        facts,
        Question(
            as_of=day,
            label=desk.label,
            name_course=partial(orders.course_part, history.patient),
            offers_candidate=False,
            offers_iron_studies=False,
        ),
    )
    followed = view.followed
    if followed is None or followed.course.anchor != course.anchor:
        return SUPERSEDED, "", "", "", ""
    return _show(followed, planned, [str(topic) for topic in view.topics])


def _show(followed: Followed, planned: Planned, topics: list[str]) -> tuple[str, str, str, str, str]:
    contact = next((one for one in followed.states if one.planned.contact.id == planned.contact.id), None)
    record = followed.interpretation.record
    return (
        NOT_ASKED if contact is None else DONE if contact.state is State.DONE else NOT_DONE,
        yes(contact.is_arranged) if contact else "",
        words(topics),
        str(record.response),
        yes(record.has_returned),
    )


def _read(desk: Desk, history: History, day: date, gaps: Gaps) -> PatientFacts:
    context = desk.place.context(history.patient, day)
    facts = reader.read_facts(context, chart_at(history, Moment(day)), {}, resolve=desk.place.resolve)
    gaps.update((gap.reference, gap.why) for gap in facts.gaps)
    return facts
