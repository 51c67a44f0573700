"""Follow-up: worked examples to the day, windows, contents, and the way back to day 0 (R-43...R-50a)."""

from datetime import date, timedelta
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cds_service.clinical.dates import add_months
from cds_service.clinical.schedule import CONTACTS, Planned, find_contact, implied_anchors, place, plan, plan_later

FEW = settings(max_examples=60, deadline=None, database=None)
ANCHORS = st.dates(date(2000, 1, 1), date(2100, 12, 31))


def by_id(planned: tuple[Planned, ...]) -> dict[str, Planned]:
    return {one.contact.id: one for one in planned}


def on(text: str) -> date:
    return date.fromisoformat(text)


@pytest.mark.parametrize(
    ("anchor", "contact", "target", "first", "last"),
    [
        pytest.param("2026-03-10", "day-8", "2026-03-18", "2026-03-17", "2026-03-24", id="R-44 first example"),
        pytest.param("2026-03-10", "week-3", "2026-03-31", "2026-03-29", "2026-04-07", id="R-45 first example"),
        pytest.param("2026-03-10", "week-8-labs", "2026-05-05", "2026-05-05", "2026-06-02", id="R-46 first example"),
        pytest.param("2026-03-10", "month-6", "2026-09-10", "2026-08-27", "2026-10-08", id="R-47 first example"),
        pytest.param("2026-08-31", "day-8", "2026-09-08", "2026-09-07", "2026-09-14", id="R-44 month end"),
        pytest.param("2026-08-31", "week-3", "2026-09-21", "2026-09-19", "2026-09-28", id="R-45 month end"),
        pytest.param("2026-08-31", "week-8-labs", "2026-10-26", "2026-10-26", "2026-11-23", id="R-46 month end"),
        pytest.param("2026-08-31", "month-6", "2027-02-28", "2027-02-14", "2027-03-28", id="R-47 month end"),
        pytest.param("2027-08-29", "month-6", "2028-02-29", "2028-02-15", "2028-03-28", id="R-47 leap year"),
        pytest.param(
            "2026-03-25", "day-8", "2026-04-02", "2026-04-01", "2026-04-08", id="R-44 over the start of summer time"
        ),
        pytest.param("2028-02-21", "day-8", "2028-02-29", "2028-02-28", "2028-03-06", id="R-44 leap day"),
    ],
)
def test_a_contact_is_due_on_the_day_the_rule_book_says(
    anchor: str, contact: str, target: str, first: str, last: str
) -> None:
    planned = by_id(plan(on(anchor)))[contact]
    assert (planned.target, planned.window_first, planned.window_last) == (on(target), on(first), on(last))


@pytest.mark.parametrize(
    ("contact", "days"),
    [
        pytest.param("day-8", (7, 8, 14), id="R-44"),
        pytest.param("week-3", (19, 21, 28), id="R-45"),
        pytest.param("week-8-labs", (56, 56, 84), id="R-46"),
    ],
)
def test_early_windows_are_counted_in_days_from_day_0(contact: str, days: tuple[int, int, int]) -> None:
    anchor = date(2026, 3, 10)
    planned = by_id(plan(anchor))[contact]
    assert tuple((day - anchor).days for day in (planned.window_first, planned.target, planned.window_last)) == days


@FEW
@given(ANCHORS)
def test_windows_follow_each_other_without_overlap_and_never_before_day_0(anchor: date) -> None:
    planned = (*plan(anchor), *plan_later(anchor, anchor + timedelta(days=1200)))
    assert [one.contact.id for one in planned][:4] == [contact.id for contact in CONTACTS]
    assert len(planned) > len(CONTACTS)
    assert anchor < planned[0].window_first
    for one in planned:
        assert one.window_first <= one.target <= one.window_last
    for earlier, later in pairwise(planned):
        assert earlier.window_last < later.window_first


@FEW
@given(ANCHORS)
def test_r_46_no_ferritin_before_day_28(anchor: date) -> None:
    for one in plan(anchor):
        is_early = one.window_first < anchor + timedelta(days=28)
        assert one.contact.forbids_ferritin is is_early
        assert ("ferritin" in one.contact.tests) is not is_early


@pytest.mark.parametrize(
    ("contact", "words"),
    [
        pytest.param(
            "day-8", ("IRLS", "adverse effects", "weakness", "bone pain", "fatigue", "No ferritin"), id="R-44"
        ),
        pytest.param("day-8", ("day 7", "not yet interpreted"), id="R-44 on day 7"),
        pytest.param("week-3", ("IRLS", "baseline", "adverse effects", "phosphate", "No ferritin"), id="R-45"),
        pytest.param("week-8-labs", ("ferritin", "iron", "TIBC", "CBC", "IRLS", "response", "24 hours"), id="R-46"),
        pytest.param(
            "month-6", ("returned", "IRLS", "ferritin", "TSAT", "CBC", "repeat course", "6 months"), id="R-47"
        ),
    ],
)
def test_a_contact_says_what_to_do(contact: str, words: tuple[str, ...]) -> None:
    found = find_contact(contact)
    assert found is not None
    said = " ".join(found.tasks)
    for word in words:
        assert word in said
    assert "must" not in said


def test_r_51_only_the_tests_of_week_8_are_ordered_with_their_contact() -> None:
    ordered = {contact.id: contact.tests_to_order for contact in CONTACTS if contact.tests_to_order}
    assert ordered == {"week-8-labs": ("ferritin", "iron-panel", "cbc")}


def test_every_contact_names_its_rule() -> None:
    assert [contact.rule for contact in CONTACTS] == ["R-44", "R-45", "R-46", "R-47"]


@pytest.mark.parametrize(
    ("as_of", "contacts"),
    [
        pytest.param("2027-02-23", [], id="R-47 day before the window of month 12"),
        pytest.param("2027-02-24", ["month-12"], id="R-47 first day of the window of month 12"),
        pytest.param("2027-08-26", ["month-12"], id="R-47 day before the window of month 18"),
        pytest.param("2027-08-27", ["month-12", "month-18"], id="R-47 first day of the window of month 18"),
        pytest.param("2026-01-01", [], id="R-47 before day 0"),
    ],
)
def test_later_contacts_appear_when_their_window_begins(as_of: str, contacts: list[str]) -> None:
    assert [one.contact.id for one in plan_later(on("2026-03-10"), on(as_of))] == contacts


def test_r_47_later_contacts_are_counted_from_day_0_and_do_not_drift() -> None:
    later = by_id(plan_later(on("2026-08-31"), on("2028-12-31")))
    assert later["month-12"].target == on("2027-08-31")
    assert later["month-18"].target == on("2028-02-29")
    assert later["month-24"].target == on("2028-08-31")


@pytest.mark.parametrize(
    ("contact", "target", "anchors"),
    [
        pytest.param("day-8", "2026-03-18", ["2026-03-10"], id="R-50a day 8"),
        pytest.param("week-3", "2026-03-31", ["2026-03-10"], id="R-50a week 3"),
        pytest.param("week-8-labs", "2026-05-05", ["2026-03-10"], id="R-50a week 8"),
        pytest.param("month-6", "2026-09-10", ["2026-03-10"], id="R-50a month 6"),
        pytest.param(
            "month-6",
            "2027-02-28",
            ["2026-08-28", "2026-08-29", "2026-08-30", "2026-08-31"],
            id="R-50a clamped, four days",
        ),
        pytest.param(
            "month-6", "2028-02-29", ["2027-08-29", "2027-08-30", "2027-08-31"], id="R-50a clamped, leap year"
        ),
        pytest.param("month-6", "2026-09-30", ["2026-03-30", "2026-03-31"], id="R-50a clamped, two days"),
        pytest.param("month-6", "2026-08-31", ["2026-02-28"], id="R-50a a target that no day 0 gives"),
        pytest.param("month-12", "2029-02-28", ["2028-02-28", "2028-02-29"], id="R-50a month 12"),
        pytest.param("month-7", "2026-09-10", [], id="R-50a no contact of ours"),
        pytest.param("day-9", "2026-09-10", [], id="R-50a unknown contact"),
    ],
)
def test_a_target_leads_back_to_every_day_0_it_may_count_from(contact: str, target: str, anchors: list[str]) -> None:
    assert [day.isoformat() for day in implied_anchors(contact, on(target))] == anchors


@FEW
@given(ANCHORS)
def test_r_50a_the_way_back_from_a_target_finds_its_day_0(anchor: date) -> None:
    for one in (*plan(anchor), *plan_later(anchor, anchor + timedelta(days=800))):
        implied = implied_anchors(one.contact.id, one.target)
        assert anchor in implied
        assert {place(one.contact, day).target for day in implied} == {one.target}


@pytest.mark.parametrize("months", [6, 12, 18, 600])
def test_r_47_six_monthly_contacts_are_known_by_their_id(months: int) -> None:
    contact = find_contact(f"month-{months}")
    assert contact is not None
    assert (contact.id, contact.title, contact.rule) == (f"month-{months}", f"month {months}", "R-47")
    assert place(contact, date(2026, 3, 10)).target == add_months(date(2026, 3, 10), months)


def test_r_47_after_fifty_years_no_more_contacts_follow() -> None:
    later = plan_later(on("2026-03-10"), on("2080-03-10"))
    assert later[-1].contact.id == "month-600"
    assert later[-1].target == on("2076-03-10")


@pytest.mark.parametrize(
    ("day", "contacts"),
    [
        pytest.param(date(99, 12, 31), 0, id="R-43 year 99 is a slip"),
        pytest.param(date(100, 1, 1), 4, id="R-43 year 100"),
        pytest.param(date(9900, 12, 31), 4, id="R-43 year 9900"),
        pytest.param(date(9901, 1, 1), 0, id="R-43 year 9901 is an open end"),
    ],
)
def test_r_43_days_near_the_ends_of_the_calendar_have_no_schedule(day: date, contacts: int) -> None:
    assert len(plan(day)) == contacts


@pytest.mark.parametrize(
    "contact_id",
    [
        "",
        "month",
        "month-",
        "month-0",
        "month-7",
        "month-012",
        "month--6",
        "month-606",
        "month-" + "9" * 5000,
        "month-\u0661\u0662",
    ],
)
def test_an_id_that_is_not_ours_is_no_contact(contact_id: str) -> None:
    assert find_contact(contact_id) is None


@pytest.mark.parametrize("day", [date.min, date.max, date(9999, 6, 1)])
def test_a_date_at_the_end_of_the_calendar_gives_no_schedule_and_no_error(day: date) -> None:
    assert plan(day) == ()
    assert plan_later(day, date.max) == ()
    for contact in CONTACTS:
        assert implied_anchors(contact.id, day) == ()
