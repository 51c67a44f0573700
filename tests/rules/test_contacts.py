"""R-43 to R-47, R-50a, R-50c: the course that is followed, and what makes each of its contacts done."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest

from cds_service.clinical.courses import Relation
from cds_service.clinical.dates import Day
from cds_service.clinical.follow_up.contacts import ContactState, State, find_states, in_window, is_six_monthly
from cds_service.clinical.follow_up.course import Course, find_course, find_order, open_chart
from cds_service.clinical.model import ArrangedContact, Ingredient, IronOrder, PatientFacts
from tests.rules.build import TODAY, facts, ferritin, given, rejected, weight
from tests.rules.opened import contact, score

ANCHOR = date(2026, 3, 10)  # day 0, the reference date


def row(rule_id: str, words: str, *values: object) -> Any:
    return pytest.param(*values, id=f"{rule_id} {words}")


def later(days: int) -> date:
    return ANCHOR + timedelta(days=days)


def span(first: int, last: int) -> Day:
    return Day(later(first), later(last))


def states(day: int, *mine: ArrangedContact, as_of: date | None = None, **changes: Any) -> dict[str, ContactState]:
    """On that day after the infusion."""
    dose = replace(given(), day=Day(ANCHOR, ANCHOR))
    case = open_chart(replace(facts(dose_records=(dose,)), **changes), as_of or later(day))
    course = find_course(case)
    assert course is not None
    return {one.planned.contact.id: one for one in find_states(case, course, mine)}


def requested(name: str, status: str = "active", test: str | None = None) -> ArrangedContact:
    return contact(name, ANCHOR, status, test=test)


DONE_BY = [
    row("R-50c", "nothing", "day-8", 9, [], {}, ""),
    row("R-50c", "its request, completed", "day-8", 9, [requested("day-8", "completed")], {},
        "its request is completed"),
    row("R-50c", "its request, fulfilled", "day-8", 9, [requested("day-8", "fulfilled")], {},
        "its request is completed"),
    row("R-50c", "its request, still active", "day-8", 9, [requested("day-8")], {}, ""),
    row("R-50c", "the request of another contact", "day-8", 9, [requested("week-3", "completed")], {}, ""),
    row("R-50c", "one of its tests", "week-8-labs", 60, [requested("week-8-labs", "completed", "cbc")], {}, ""),
    row("R-50c", "a total on the first day of the window", "day-8", 14, [], {"severity": (score("20", -7),)},
        "severity total of 2026-03-17"),
    row("R-50c", "a total on its last day", "day-8", 20, [], {"severity": (score("20", -14),)},
        "severity total of 2026-03-24"),
    row("R-50c", "a total after it", "day-8", 20, [], {"severity": (score("20", -15),)}, ""),
    row("R-50c", "the first of two totals", "day-8", 20, [], {"severity": (score("20", -12), score("22", -9))},
        "severity total of 2026-03-19"),
    row("R-50c", "a total of tomorrow", "day-8", 9, [], {"severity": (score("20", -10),)}, ""),
    row("R-50c", "a total of today", "day-8", 9, [], {"severity": (score("20", -9),)}, "severity total of 2026-03-19"),
    row("R-08a", "a total without a date", "day-8", 9, [], {"severity": (replace(score("20", -9), day=None),)}, ""),
    row("R-08a", "a total dated within the window", "day-8", 20, [],
        {"severity": (replace(score("20", 0), day=span(7, 14)),)}, f"severity total of {span(7, 14)}"),
    row("R-08a", "a total that may be before the window", "day-8", 20, [],
        {"severity": (replace(score("20", 0), day=span(6, 14)),)}, ""),
    row("R-08a", "a total that may be after the window", "day-8", 20, [],
        {"severity": (replace(score("20", 0), day=span(7, 15)),)}, ""),
    row("R-50c", "a ferritin, where a total is asked for", "day-8", 9, [],
        {"results": {"ferritin": (ferritin("90", days_ago=-8),)}}, ""),
    row("R-50c", "a ferritin, where laboratory tests are", "week-8-labs", 60, [],
        {"results": {"ferritin": (ferritin("90", days_ago=-57),)}}, "ferritin of 2026-05-06"),
    row("R-07", "a preliminary ferritin", "week-8-labs", 60, [],
        {"results": {"ferritin": (ferritin("90", days_ago=-57, status="preliminary"),)}}, ""),
    row("R-05", "a ferritin in an unknown unit", "week-8-labs", 60, [],
        {"results": {"ferritin": (rejected("ferritin", days_ago=-57),)}}, ""),
    row("R-50c", "a total, where laboratory tests are", "week-8-labs", 60, [], {"severity": (score("20", -57),)}, ""),
]  # fmt: skip


@pytest.mark.parametrize(("name", "day", "mine", "changes", "because"), DONE_BY)
def test_r_50c_a_contact_is_done_by_its_request_or_by_what_was_recorded_in_its_window(
    name: str, day: int, mine: Sequence[ArrangedContact], changes: dict[str, Any], because: str
) -> None:
    found = states(day, *mine, **changes)[name]
    assert found.because == because
    assert (found.state is State.DONE) is bool(because)
    assert found.is_arranged is any(one.contact == name and one.test is None for one in mine)


@pytest.mark.parametrize("state", State)
def test_r_50c_only_open_due_and_overdue_contacts_are_asked_for(state: State) -> None:
    assert state.is_wanted is (state in {State.OPEN, State.DUE_TODAY, State.OVERDUE})


@pytest.mark.parametrize(
    ("totals", "expected"),
    [
        row("R-47", "nothing is done", [], []),
        row("R-47", "month 6 is done", [date(2026, 9, 10)], ["month-12"]),
        row("R-47", "month 6 and month 12 are done", [date(2026, 9, 10), date(2027, 3, 10)], ["month-12"]),
        row("R-47", "only month 12 is done", [date(2027, 3, 10)], []),
    ],
)
def test_r_47_later_contacts_come_one_after_another(totals: list[date], expected: list[str]) -> None:
    scores = tuple(score("12", 0, before=when) for when in totals)
    found = states(0, as_of=date(2027, 4, 10), severity=scores)
    assert list(found)[4:] == expected
    assert [name for name, one in found.items() if is_six_monthly(one)] == ["month-6", *expected]


@pytest.mark.parametrize(("day", "expected"), [(6, False), (7, True), (14, True), (15, False)])
def test_r_44_a_window_includes_both_of_its_days(day: int, expected: bool) -> None:
    found = states(day)["day-8"]
    assert in_window(found, later(day)) is expected


# --------------------------------------------------------------------------------------------- the course


def course_of(*records: Any, **changes: Any) -> Course:
    results = changes.pop("results", ())
    course = find_course(open_chart(facts(*results, dose_records=records, **changes), TODAY))
    assert course is not None
    return course


def test_r_41_a_chart_is_opened_with_an_order_of_nothing_which_continues_no_course() -> None:
    patient = facts(dose_records=(given(days_ago=8),))
    case = open_chart(patient, TODAY)
    assert case.order == IronOrder(reference="", resource_type="", name="", ingredient=None, status=None)
    assert (case.session, case.facts, case.as_of) == ((case.order,), patient, TODAY)
    assert (case.hook, case.label) == ("patient-view", "us")
    assert case.earlier_iron.relation is Relation.REPEAT


def test_r_43_a_course_is_told_by_its_doses_and_its_dates() -> None:
    course = course_of(given(mg="500", days_ago=30), given(mg="500", days_ago=20))
    assert (course.first_day, course.anchor, course.days) == (date(2026, 2, 8), date(2026, 2, 18), 20)
    assert (course.ingredient, course.least_mg, course.is_amount_known) == (Ingredient.FCM, Decimal(1000), True)
    assert course.readable_from == date(2026, 3, 18)
    assert course.judged_from == date(2026, 4, 15)
    assert course.repeat_from == date(2026, 5, 13)
    assert course.shown == ("500 mg ferric carboxymaltose on 2026-02-08; 500 mg ferric carboxymaltose on 2026-02-18")


@pytest.mark.parametrize(
    ("amounts", "kilograms", "least", "is_known", "is_adequate"),
    [
        row("R-48", "1000 mg", ["1000"], None, "1000", True, True),
        row("R-48", "999 mg", ["999"], None, "999", True, False),
        row("R-48", "500 mg and an amount not recorded", ["500", None], None, "500", False, False),
        row("R-48", "two amounts", ["500", "500"], None, "1000", True, True),
        row("R-32a", "60.3 kg: 900 mg is what we draft", ["900"], "60.3", "900", True, True),
        row("R-32a", "60.3 kg: below it", ["899"], "60.3", "899", True, False),
        row("R-48", "80 kg: 1000 mg", ["1000"], "80", "1000", True, True),
    ],
)
def test_r_48_an_adequate_course_is_1000_mg_or_the_weight_ceiling(
    amounts: list[str | None], kilograms: str | None, least: str, is_known: bool, is_adequate: bool
) -> None:
    records = [given(mg=mg, days_ago=30 - 10 * place) for place, mg in enumerate(amounts)]
    course = course_of(*records, results=[weight(kilograms)] if kilograms else [])
    assert (course.least_mg, course.is_amount_known) == (Decimal(least), is_known)
    assert course.is_adequate is is_adequate


@pytest.mark.parametrize(
    ("as_of", "is_followed"),
    [(date(2027, 4, 10), True), (date(2027, 4, 11), False)],
    ids=["R-50c 13 months", "R-50c later"],
)
def test_r_50c_a_course_is_followed_for_13_months(as_of: date, is_followed: bool) -> None:
    patient: PatientFacts = facts(dose_records=(given(days_ago=0),))
    assert (find_course(open_chart(patient, as_of)) is not None) is is_followed


def test_r_50a_the_order_of_a_course_is_that_of_its_first_dose() -> None:
    first = given(mg="500", days_ago=30, refers_to=("Task/1", "MedicationRequest/2"))
    second = given(mg="500", days_ago=20, refers_to=("MedicationRequest/1",))
    patient = facts(dose_records=(second, first))
    assert find_order(patient, course_of(second, first)) == "MedicationRequest/2"
    assert find_order(facts(dose_records=(given(days_ago=9),)), course_of(given(days_ago=9))) is None
