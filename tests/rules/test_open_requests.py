"""R-50, R-50a, R-50b: requests that no longer fit, contact by contact and day by day."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import pytest

from cds_service.clinical.follow_up.contacts import of_course
from cds_service.clinical.follow_up.open_requests import Leftover, can_be_deleted, find_leftovers, find_move, fits
from cds_service.clinical.model import ArrangedContact, NotGiven, PatientFacts
from cds_service.clinical.schedule import plan
from tests.rules.build import TODAY, day, facts, order
from tests.rules.chart import span
from tests.rules.opened import contact

ANCHOR = TODAY


def row(rule_id: str, words: str, *values: object) -> Any:
    return pytest.param(*values, id=f"{rule_id} {words}")


def later(days: int) -> date:
    return ANCHOR + timedelta(days=days)


def ago(days: int) -> date:
    return TODAY - timedelta(days=days)


def dated(name: str, due: date | None, kind: str = "ServiceRequest", **changes: Any) -> ArrangedContact:
    return contact(name, ANCHOR, due=due, reference=f"{kind}/{name}", **changes)


# ------------------------------------------------------------------------------------------------------- R-50b: it fits


@pytest.mark.parametrize(
    ("request_", "expected"),
    [
        row("R-50b", "a request on the day of the contact", dated("day-8", later(8)), True),
        row("R-50b", "a request the day before", dated("day-8", later(7)), False),
        row("R-50b", "a request the day after", dated("day-8", later(9)), False),
        row("R-50b", "a request without a date", dated("day-8", None), False),
        row("R-50b", "a contact that is not ours", replace(dated("day-8", later(8)), contact="day-9"), False),
        row("R-50b", "a contact of a later month", replace(dated("month-6", date(2027, 3, 10)), contact="month-12"),
            True),
        row("R-50b", "a task before the window", dated("day-8", later(6), "Task"), False),
        row("R-50b", "a task on the first day of the window", dated("day-8", later(7), "Task"), True),
        row("R-50b", "a task on the last day of the window", dated("day-8", later(14), "Task"), True),
        row("R-50b", "a task after the window", dated("day-8", later(15), "Task"), False),
        row("R-50b", "an appointment in the window", dated("week-3", later(25), "Appointment"), True),
        row("R-50b", "an appointment after it", dated("week-3", later(29), "Appointment"), False),
    ],
)  # fmt: skip
def test_r_50b_a_request_fits_the_day_0_from_which_it_is_counted(request_: ArrangedContact, expected: bool) -> None:
    assert fits(request_, ANCHOR) is expected


@pytest.mark.parametrize(
    ("reference", "expected"),
    [
        ("ServiceRequest/1", True),
        ("ServiceRequest/", False),
        ("ServiceRequest without id (entry 1)", False),
        ("ServiceRequest", False),
        ("a ServiceRequest/1", False),
    ],
    ids=lambda value: f"R-50b {value}",
)
def test_r_50b_only_a_resource_with_an_id_can_be_deleted(reference: str, expected: bool) -> None:
    assert can_be_deleted(replace(dated("day-8", ANCHOR), reference=reference)) is expected


# ------------------------------------------------------------------------------------------------------ R-50b: the move

OLD = ago(4)  # the day the open requests are counted from; given on TODAY
DAY_8, WEEK_3 = contact("day-8", OLD), contact("week-3", OLD)
TEST = contact("week-8-labs", OLD, test="ferritin", reference="ServiceRequest/test")
DONE = replace(DAY_8, status="completed")
MOVES = [
    row("R-50b", "nothing arranged", [], None, []),
    row("R-50b", "two contacts", [DAY_8, WEEK_3], [DAY_8, WEEK_3], ["day-8", "week-3"]),
    row("R-50b", "one is done and stays", [DONE, WEEK_3], [WEEK_3], ["week-3"]),
    row("R-50b", "all are done", [DONE], None, []),
    row("R-50b", "one without a date goes with the others", [DAY_8, replace(WEEK_3, due=None)],
        [DAY_8, replace(WEEK_3, due=None)], ["day-8", "week-3"]),
    row("R-50b", "none has a date", [replace(DAY_8, due=None)], None, []),
    row("R-50b", "one fits: the other was moved by hand", [DAY_8, contact("week-3", TODAY)], None, []),
    row("R-50b", "one that is done fits", [DAY_8, contact("week-3", TODAY, "completed")], None, []),
    row("R-50b", "a test goes with its contacts and is no contact", [DAY_8, TEST], [DAY_8, TEST], ["day-8"]),
    row("R-50b", "only a test is left open", [DONE, TEST], None, []),
    row("R-50b", "a test that fits settles nothing", [DAY_8, contact("week-8-labs", TODAY, test="cbc")],
        [DAY_8, contact("week-8-labs", TODAY, test="cbc")], ["day-8"]),
]  # fmt: skip


@pytest.mark.parametrize(("mine", "old", "moved"), MOVES)
def test_r_50b_open_requests_move_with_the_infusion(
    mine: Sequence[ArrangedContact], old: list[ArrangedContact] | None, moved: list[str]
) -> None:
    found = find_move(mine, plan(TODAY), TODAY, TODAY)
    assert (None if found is None else list(found.old)) == old
    assert [one.contact.id for one in found.planned] == moved if found else moved == []


@pytest.mark.parametrize(("days", "moved"), [(14, ["day-8", "week-3"]), (15, ["week-3"])])
def test_r_50b_a_contact_whose_window_is_over_is_not_moved(days: int, moved: list[str]) -> None:
    given_on = ago(days)
    arranged = [contact(name, given_on - timedelta(days=4)) for name in ("day-8", "week-3")]
    found = find_move(arranged, plan(given_on), given_on, TODAY)
    assert found is not None
    assert [one.contact.id for one in found.planned] == moved
    assert list(found.old) == arranged


# -------------------------------------------------------------------------------------------- R-50, R-50a: what is left

CALLED_OFF = "the order was called off, or the infusion was not given"
EARLIER = "they belong to an earlier course"
UNKNOWN = "no infusion is on record near the day they are counted from"


def left(
    *arranged: ArrangedContact,
    mine: Sequence[ArrangedContact] = (),
    courses: Sequence[str] = (),
    doses: Sequence[int] = (),
    as_of: date = TODAY,
    **changes: Any,
) -> dict[str, list[ArrangedContact]]:
    patient: PatientFacts = facts(arranged=arranged, **changes)
    days = [ago(one) for one in doses]
    found: tuple[Leftover, ...] = find_leftovers(patient, mine, courses, as_of, dose_days=days)
    return {one.because: list(one.requests) for one in found}


def counted_from(days_ago: int, name: str = "day-8", **changes: Any) -> ArrangedContact:
    return contact(name, ago(days_ago), **changes)


@pytest.mark.parametrize(
    ("days_ago", "doses", "because"),
    [
        row("R-50a", "29 days before the latest dose", 37, [8], EARLIER),
        row("R-50a", "28 days before the latest dose", 36, [8], None),
        row("R-50a", "long before it, and the doses are not in order", 100, [8, 30], EARLIER),
        row("R-50a", "28 days before today, no dose", 28, [], None),
        row("R-50a", "29 days before today, no dose", 29, [], UNKNOWN),
        row("R-50a", "after the latest dose by 28 days", 30, [58], None),
        row("R-50a", "after the latest dose by 29 days", 30, [59], UNKNOWN),
        row("R-50a", "in the future", -5, [], None),
    ],
)
def test_r_50a_requests_of_no_dose_or_of_an_earlier_course_are_named(
    days_ago: int, doses: list[int], because: str | None
) -> None:
    request_ = counted_from(days_ago)
    assert left(request_, doses=doses) == ({} if because is None else {because: [request_]})


def test_r_50a_a_month_that_was_clamped_is_counted_from_its_latest_day_0() -> None:
    """Month 6 on 28 February may be counted from any of 28 to 31 August; 29 days after the last of them is meant."""
    clamped = replace(counted_from(0, "month-6"), due=date(2026, 2, 28))
    assert left(clamped, as_of=date(2025, 9, 28)) == {}
    assert left(clamped, as_of=date(2025, 9, 29)) == {UNKNOWN: [clamped]}
    doses = [(TODAY - date(2025, 9, 28)).days]
    assert left(clamped, doses=doses) == {}
    assert left(clamped, doses=[doses[0] - 1]) == {EARLIER: [clamped]}


@pytest.mark.parametrize(
    "request_",
    [
        row("R-50a", "without a date", counted_from(100, due=None)),
        row("R-50a", "closed", counted_from(100, status="completed")),
        row("R-50a", "of no contact of ours", replace(counted_from(100), contact="day-9")),
    ],
)
def test_r_50a_requests_that_tell_no_day_or_are_closed_are_left_alone(request_: ArrangedContact) -> None:
    assert left(request_, doses=[8]) == {}
    assert left(request_) == {}
    assert left(request_, not_given=(NotGiven(day(100), "MedicationAdministration/1"),)) == {}


def test_r_50a_requests_of_the_course_followed_up_are_never_left_over() -> None:
    mine, other = counted_from(100), counted_from(100, "week-3")
    assert left(mine, other, mine=[mine], doses=[8]) == {EARLIER: [other]}


@pytest.mark.parametrize("key", ["iron_administrations", "medications"])
def test_3_1_r_50_where_infusions_could_not_be_looked_up_none_is_said_to_be_missing(key: str) -> None:
    assert left(counted_from(100), unavailable={key: "failed"}) == {}
    assert left(counted_from(100), unavailable={"allergies": "failed"}) == {UNKNOWN: [counted_from(100)]}


def idle(status: str = "cancelled", **changes: Any) -> dict[str, Any]:
    return {"idle_orders": (order(status=status, in_session=False, **changes),)}


def not_given(days_ago: int) -> dict[str, Any]:
    return {"not_given": (NotGiven(day(days_ago), "MedicationAdministration/1"),)}


@pytest.mark.parametrize(
    ("changes", "is_off"),
    [
        row("R-50", "an order called off that was signed 28 days from day 0", idle(authored=day(33)), True),
        row("R-50", "signed 29 days from day 0", idle(authored=day(34)), False),
        row("R-50", "the last planned day counts before the day of signing",
            idle(authored=day(200), planned=(day(100), day(5))), True),
        row("R-50", "planned for one day near day 0", idle(authored=day(200), planned=(day(5),)), True),
        row("R-50", "planned for another time", idle(authored=day(5), planned=(day(5), day(100))), False),
        row("R-50", "neither signed nor planned on a day", idle(), False),
        row("R-50", "signed on a day of a month", idle(authored=span(60, 33)), True),
        row("R-50", "a draft is not called off", idle("draft", authored=day(5)), False),
        row("R-50", "not given 28 days from day 0", not_given(33), True),
        row("R-50", "not given 29 days from day 0", not_given(34), False),
        row("R-50", "not given, without a day", {"not_given": (NotGiven(None, "MedicationAdministration/1"),)}, False),
        row("R-50", "stopped", idle("stopped", authored=day(5)), True),
        row("R-50", "revoked", idle("revoked", authored=day(5)), True),
    ],
)  # fmt: skip
def test_r_50_an_order_called_off_near_day_0_leaves_its_requests(changes: dict[str, Any], is_off: bool) -> None:
    request_ = counted_from(5)
    assert left(request_, **changes) == ({CALLED_OFF: [request_]} if is_off else {})


def test_r_50_an_order_called_off_is_the_first_reason_and_iron_still_ordered_the_last_word() -> None:
    request_ = counted_from(100, course="1" * 16)
    assert left(request_, courses=["1" * 16], doses=[8]) == {CALLED_OFF: [request_]}
    assert left(request_, courses=["2" * 16], doses=[8]) == {EARLIER: [request_]}
    signed = (order(status="active", authored=day(1), in_session=False),)
    assert left(request_, courses=["1" * 16], signed_orders=signed) == {}
    assert left(request_, courses=["1" * 16], doses=[8], signed_orders=signed) == {EARLIER: [request_]}


def test_r_50_each_request_is_named_for_one_reason() -> None:
    off, before, never = counted_from(5, course="1" * 16), counted_from(200), counted_from(60)
    found = left(off, before, never, courses=["1" * 16], doses=[100])
    assert found == {CALLED_OFF: [off], EARLIER: [before], UNKNOWN: [never]}


# ------------------------------------------------------------------------------------------------ R-50a: of this course


@pytest.mark.parametrize(
    ("request_", "expected"),
    [
        row("R-50a", "under our course, whatever the day", counted_from(300, course="a" * 16), True),
        row("R-50a", "under our course, without a day", counted_from(0, due=None, course="a" * 16), True),
        row("R-50a", "under another, counted from 28 days before", counted_from(28), True),
        row("R-50a", "under another, counted from 29 days before", counted_from(29), False),
        row("R-50a", "under another, counted from 28 days after", counted_from(-28), True),
        row("R-50a", "under another, counted from 29 days after", counted_from(-29), False),
        row("R-50a", "under another, without a day", counted_from(0, due=None), False),
    ],
)
def test_r_50a_a_request_is_of_this_course_by_identifier_or_by_its_day_0(
    request_: ArrangedContact, expected: bool
) -> None:
    assert bool(of_course([request_], "a" * 16, TODAY)) is expected
