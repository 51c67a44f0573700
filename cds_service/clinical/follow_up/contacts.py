"""Where each reassessment stands today: not due, open, due, overdue, done or missed (R-44...R-47, R-50, R-50a)."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum

from cds_service.clinical.case import Case
from cds_service.clinical.dates import Day
from cds_service.clinical.follow_up.course import Course
from cds_service.clinical.model import ArrangedContact, PatientFacts
from cds_service.clinical.schedule import MONTH_6, WEEK_8, Planned, implied_anchors, plan, plan_later
from cds_service.clinical.windows import SAME_COURSE_DAYS

OVERDUE_DAYS = 28  # R-50c: so long after its window a contact is still asked for
FULFILLED = ("completed", "fulfilled")
CLOSED = (*FULFILLED, "revoked", "cancelled", "entered-in-error", "rejected", "failed", "noshow")
FINAL_STATUS = ("final", "amended", "corrected")
_LABS_NEED_FERRITIN = WEEK_8.id  # R-50c: "for labs a ferritin"


class State(StrEnum):
    NOT_DUE = "not due"
    OPEN = "window open"
    DUE_TODAY = "due today"
    OVERDUE = "overdue"
    DONE = "done"
    MISSED = "missed"  # not silently moved

    @property
    def is_wanted(self) -> bool:
        """The contact is asked for today (R-50c)."""
        return self in (State.OPEN, State.DUE_TODAY, State.OVERDUE)


@dataclass(frozen=True, slots=True)
class ContactState:
    """One contact of the course today; `because` says what makes it done."""

    planned: Planned
    state: State
    is_arranged: bool
    because: str = ""


def find_states(case: Case, course: Course, mine: Sequence[ArrangedContact]) -> tuple[ContactState, ...]:
    """Every contact up to the six-monthly ones that have begun; a later one only when the one before is done (R-47)."""
    found = [_find_state(case, planned, mine) for planned in plan(course.anchor)]
    for planned in plan_later(course.anchor, case.as_of):
        if found[-1].state is not State.DONE:
            break
        found.append(_find_state(case, planned, mine))
    return tuple(found)


def _find_state(case: Case, planned: Planned, mine: Sequence[ArrangedContact]) -> ContactState:
    requests = [one for one in mine if one.contact == planned.contact.id and one.test is None]
    because = _why_done(case.facts, planned, requests, case.as_of)
    state = State.DONE if because else _by_calendar(planned, case.as_of)
    return ContactState(planned, state, bool(requests), because)


def _by_calendar(planned: Planned, as_of: date) -> State:
    if as_of < planned.window_first:
        return State.NOT_DUE
    if as_of <= planned.window_last:
        return State.DUE_TODAY if as_of == planned.target else State.OPEN
    is_recent = as_of <= planned.window_last + timedelta(days=OVERDUE_DAYS)
    return State.OVERDUE if is_recent else State.MISSED


def _why_done(facts: PatientFacts, planned: Planned, requests: Iterable[ArrangedContact], as_of: date) -> str:
    """R-50c: the request completed, or a severity total, for the laboratory contact a ferritin, dated in the window."""
    if any(one.status in FULFILLED for one in requests):
        return "its request is completed"
    if planned.contact.id == _LABS_NEED_FERRITIN:
        drawn = [one.day for one in facts.results.get("ferritin", ()) if one.status in FINAL_STATUS and one.value]
        return _first_within(drawn, planned, as_of, "ferritin")
    return _first_within([one.day for one in facts.severity], planned, as_of, "severity total")


def _first_within(days: Iterable[Day | None], planned: Planned, as_of: date, what: str) -> str:
    last = min(planned.window_last, as_of)
    inside = [day for day in days if day and planned.window_first <= day.first and day.last <= last]
    return f"{what} of {min(inside, key=lambda day: day.first)}" if inside else ""


def is_six_monthly(state: ContactState) -> bool:
    """A contact of R-47."""
    return state.planned.contact.rule == MONTH_6.rule


def in_window(state: ContactState, as_of: date) -> bool:
    return state.planned.window_first <= as_of <= state.planned.window_last


# ----------------------------------------------------------------------------- R-50a: which requests are of this course


def of_course(arranged: Iterable[ArrangedContact], course_part: str, anchor: date) -> tuple[ArrangedContact, ...]:
    """Requests whose course part is `course_part`, or whose day 0 lies within 28 days of `anchor`."""
    return tuple(one for one in arranged if one.course == course_part or _is_near(one, anchor))


def _is_near(one: ArrangedContact, anchor: date) -> bool:
    if one.due is None:
        return False
    return any(abs((day - anchor).days) <= SAME_COURSE_DAYS for day in implied_anchors(one.contact, one.due))
