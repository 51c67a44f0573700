"""Courses of IV iron one after the other, each with its reassessments and what happened in them (R-43...R-50)."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from cds_service.clinical.case import Case
from cds_service.clinical.dates import add_months
from cds_service.clinical.follow_up.contacts import ContactState, State, find_states, of_course
from cds_service.clinical.follow_up.course import FOLLOWED_MONTHS, Course, find_course, find_order, open_chart
from cds_service.clinical.given_doses import Dose
from cds_service.clinical.model import PatientFacts
from cds_service.clinical.specimen_time import BLACKOUT_DAYS, SETTLED_DAYS

MOST_COURSES = 24  # of one chart; older ones are left out
EARLIEST = date(1900, 1, 1)  # what is dated before is a slip, and too near the end of the calendar to reckon with


@dataclass(frozen=True, slots=True)
class CourseTold:
    """A course with its contacts as they stood on `seen_on`: today, or the last day before the next course."""

    course: Course
    states: tuple[ContactState, ...]
    seen_on: date


@dataclass(frozen=True, slots=True)
class Span:
    """Days, both included."""

    first: date
    last: date


def tell_courses(chart: Case, name_course: Callable[[str], str]) -> tuple[CourseTold, ...]:
    """Oldest first. Of an earlier course the contacts that the next one forestalled are left out."""
    told: list[CourseTold] = []
    seen: Case | None = chart
    while seen is not None and len(told) < MOST_COURSES:
        found = _tell_course(seen, name_course, is_current=seen.as_of == chart.as_of)
        if found is None or found.course.first_day < EARLIEST:
            break
        told.append(found)
        seen = _look_back(chart, found.course.first_day - timedelta(days=1))
    return tuple(reversed(told))


def _tell_course(seen: Case, name_course: Callable[[str], str], *, is_current: bool) -> CourseTold | None:
    """None when there is no dose before that day."""
    latest = seen.earlier_iron.latest
    if latest is None:
        return None
    followed_to = add_months(latest.day, FOLLOWED_MONTHS)
    if seen.as_of > followed_to:  # R-50c: nobody asks any more; what happened stays
        seen, is_current = open_chart(seen.facts, followed_to, seen.label), False
    course = find_course(seen)
    if course is None:
        return None
    part = name_course(find_order(seen.facts, course) or course.doses[0].references[0])
    states = find_states(seen, course, of_course(seen.facts.arranged, part, course.anchor))
    shown = tuple(one for one in states if is_current or one.state is not State.NOT_DUE)
    return CourseTold(course, shown, seen.as_of)


def _look_back(chart: Case, day: date) -> Case | None:
    """The same facts as they would have been read on an earlier day."""
    earlier: PatientFacts = chart.facts
    return open_chart(earlier, day, chart.label) if any(dose.day <= day for dose in chart.doses) else None


def find_blackouts(doses: Iterable[Dose]) -> tuple[Span, ...]:
    """R-09: days on which ferritin, iron and TSAT cannot be interpreted; touching spans are one."""
    return _join(Span(dose.day, dose.day + timedelta(days=BLACKOUT_DAYS - 1)) for dose in doses)


def find_cautions(doses: Sequence[Dose]) -> tuple[Span, ...]:
    """R-09: days on which they are read with a caution, up to the next dose. `doses` are in order of time."""
    spans = []
    for place, dose in enumerate(doses):
        first, last = dose.day + timedelta(days=BLACKOUT_DAYS), dose.day + timedelta(days=SETTLED_DAYS - 1)
        if place + 1 < len(doses):
            last = min(last, doses[place + 1].day - timedelta(days=1))
        if first <= last:
            spans.append(Span(first, last))
    return _join(spans)


def _join(spans: Iterable[Span]) -> tuple[Span, ...]:
    joined: list[Span] = []
    for one in sorted(spans, key=lambda span: (span.first, span.last)):
        if joined and one.first <= joined[-1].last + timedelta(days=1):
            joined[-1] = Span(joined[-1].first, max(joined[-1].last, one.last))
        else:
            joined.append(one)
    return tuple(joined)
