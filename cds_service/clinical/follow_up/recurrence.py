"""Have symptoms returned, and are the criteria for a repeat course met (R-40c, R-42, R-47, R-48)?"""

from dataclasses import dataclass
from datetime import date

from cds_service.clinical import doses
from cds_service.clinical.case import Case
from cds_service.clinical.follow_up.course import REPEAT_FROM_DAY, Course
from cds_service.clinical.model import Ingredient
from cds_service.clinical.problem_list import find_active, show_entries
from cds_service.clinical.reading import show_result
from cds_service.clinical.response import Response, ResponseRecord
from cds_service.clinical.rules.phosphate import REPEAT_WITHIN, RISKS, find_low
from cds_service.clinical.rules.repeat import BELOW_CEILING, BELOW_OVERLOAD


@dataclass(frozen=True, slots=True)
class Recurrence:
    """`has_returned` is by the totals on record alone; the question to the patient stays (R-48)."""

    has_returned: bool
    is_repeat_open: bool  # every criterion of R-40c is met
    headline: str
    say: tuple[str, ...]
    criteria: tuple[str, ...]
    missing_tests: tuple[str, ...] = ()


def assess_recurrence(case: Case, course: Course, record: ResponseRecord) -> Recurrence:
    """R-48 by score, and each criterion of R-40c in words."""
    checks = _check_repeat(case, course, record)
    is_open = all(met for met, _ in checks)
    returned = record.has_returned
    say = (_describe(record), *(_repeat_line(course, record, is_open=is_open)))
    headline = "symptoms have returned" if returned else "check whether symptoms have returned"
    criteria = tuple(f"{'Met' if met else 'Not met'}: {words}" for met, words in checks)
    missing = tuple(
        test for test, reading in (("ferritin", case.ferritin), ("iron-panel", case.tsat)) if not reading.is_usable
    )
    return Recurrence(returned, is_open, headline, say, criteria, missing)


def _describe(record: ResponseRecord) -> str:
    best, latest = record.best, record.latest
    if best is None or latest is None:
        return "Recurrence cannot be told by score: ask whether symptoms that need treatment have returned."
    words = (
        f"The severity total is {doses.plain(latest.total)} ({latest.day}), the best after the course was "
        f"{doses.plain(best.total)} ({best.day})."
    )
    if record.has_returned:
        return f"{words} That is 15 or more and at least 5 above the best: symptoms have returned."
    return f"{words} That is no recurrence by score; ask whether symptoms that need treatment have returned."


def _check_repeat(case: Case, course: Course, record: ResponseRecord) -> list[tuple[bool, str]]:
    is_responder = record.response is Response.RESPONDER
    return [
        (course.days >= REPEAT_FROM_DAY, f"84 days since the latest dose ({course.repeat_from})"),
        (is_responder, f"documented response to the course ({record.response})"),
        (
            record.has_returned,
            "symptoms have returned (total of the last 30 days 15 or more, 5 above the best)",
        ),
        _check("ferritin below 300 ng/mL", case.ferritin.is_in(BELOW_CEILING), case.ferritin.shown),
        _check("TSAT below 45 %", case.tsat.is_in(BELOW_OVERLOAD), case.tsat.shown),
    ]


def _check(words: str, is_met: bool, shown: str) -> tuple[bool, str]:
    return is_met, f"{words} ({shown or 'no usable result'})"


def _repeat_line(course: Course, record: ResponseRecord, *, is_open: bool) -> tuple[str, ...]:
    if is_open:
        line = "A repeat course may be considered; choose the order and it is decided anew."
        return (line, "In a series of 42 patients a repeat course worked again in about 81 % of earlier responders.")
    if course.days < REPEAT_FROM_DAY:
        return (f"A repeat course can be considered from {course.repeat_from}.",)
    if record.has_returned:
        return ("Before a repeat course is considered, see which criteria are still open.",)
    return ()


# ---------------------------------------------------------------------------------------------- phosphate

AFTER_CARBOXYMALTOSE = (
    "After ferric carboxymaltose phosphate can stay low for weeks (below 2.0 mg/dL by day 35 in about 74 to 75 %): "
    "with new weakness, bone pain or worsening fatigue consider measuring it."
)


def phosphate_lines(case: Case, course: Course, *, before_repeat: bool) -> tuple[str, ...]:
    """R-42 and R-44, where the course may have been ferric carboxymaltose."""
    lines = []
    low = find_low(case)
    if low is not None:
        lines.append(f"Phosphate {show_result(low)} ({low.day}) is low: consider treating it and measuring it again.")
    if course.ingredient not in (Ingredient.FCM, None):
        return tuple(lines)
    if not before_repeat:
        return (*lines, AFTER_CARBOXYMALTOSE)
    risks = find_active(case.facts.conditions, RISKS)
    reasons = [f"the last dose was {course.days} days ago"] if course.days <= int(REPEAT_WITHIN.value) else []
    reasons += [show_entries(risks)] if risks else []
    if reasons:
        lines.append(f"Before a repeat of ferric carboxymaltose consider checking phosphate: {'; '.join(reasons)}.")
    return tuple(lines)


def is_recurrence_due(windows: tuple[tuple[date, date], ...], as_of: date, record: ResponseRecord) -> bool:
    """R-50c: in a window of R-47, or when a score meets R-48's recurrence."""
    return record.has_returned or any(first <= as_of <= last for first, last in windows)
