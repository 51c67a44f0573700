"""R-44 to R-47, R-50c: the state of each contact, counted in calendar days, and what its card creates."""

from dataclasses import replace
from datetime import date, timedelta

import pytest

from cds_service.card_parts import Profile
from cds_service.clinical.dates import Day
from cds_service.clinical.follow_up.contacts import State
from cds_service.clinical.model import ArrangedContact, Ingredient, PatientFacts
from tests.rules.build import TODAY, facts, ferritin, given, phosphate
from tests.rules.opened import cards, contact, created, look, score, topics, words

ANCHOR = date(2026, 3, 10)
NOT_DUE, OPEN, TODAY_DUE = State.NOT_DUE, State.OPEN, State.DUE_TODAY
OVERDUE, DONE, MISSED = State.OVERDUE, State.DONE, State.MISSED


def infused(anchor: date = ANCHOR, **changes: object) -> PatientFacts:
    dose = replace(given(), day=Day(anchor, anchor))
    return replace(facts(dose_records=(dose,)), **changes)  # type: ignore[arg-type]


def state(name: str, as_of: date, patient: PatientFacts | None = None, anchor: date = ANCHOR) -> State | None:
    followed = look(patient or infused(anchor), as_of=as_of).followed
    assert followed is not None
    return next((one.state for one in followed.states if one.planned.contact.id == name), None)


@pytest.mark.parametrize(
    ("name", "day", "expected"),
    [
        pytest.param("day-8", 6, NOT_DUE, id="R-44 day 6"),
        pytest.param("day-8", 7, OPEN, id="R-44 day 7"),
        pytest.param("day-8", 8, TODAY_DUE, id="R-44 day 8"),
        pytest.param("day-8", 14, OPEN, id="R-44 day 14"),
        pytest.param("day-8", 15, OVERDUE, id="R-44 day 15"),
        pytest.param("day-8", 42, OVERDUE, id="R-50c 28 days after the window"),
        pytest.param("day-8", 43, MISSED, id="R-50 29 days after the window"),
        pytest.param("week-3", 18, NOT_DUE, id="R-45 day 18"),
        pytest.param("week-3", 19, OPEN, id="R-45 day 19"),
        pytest.param("week-3", 21, TODAY_DUE, id="R-45 day 21"),
        pytest.param("week-3", 28, OPEN, id="R-45 day 28"),
        pytest.param("week-3", 29, OVERDUE, id="R-45 day 29"),
        pytest.param("week-8-labs", 55, NOT_DUE, id="R-46 day 55"),
        pytest.param("week-8-labs", 56, TODAY_DUE, id="R-46 day 56"),
        pytest.param("week-8-labs", 84, OPEN, id="R-46 day 84"),
        pytest.param("week-8-labs", 85, OVERDUE, id="R-46 day 85"),
        pytest.param("month-6", 169, NOT_DUE, id="R-47 15 days before month 6"),
        pytest.param("month-6", 170, OPEN, id="R-47 14 days before month 6"),
        pytest.param("month-6", 184, TODAY_DUE, id="R-47 month 6"),
        pytest.param("month-6", 212, OPEN, id="R-47 28 days after month 6"),
        pytest.param("month-6", 213, OVERDUE, id="R-47 29 days after month 6"),
    ],
)
def test_r_44_to_r_47_a_contact_is_counted_in_calendar_days(name: str, day: int, expected: State) -> None:
    assert state(name, ANCHOR + timedelta(days=day)) is expected


@pytest.mark.parametrize(
    ("name", "at", "expected"),
    [
        pytest.param("day-8", 6, OPEN, id="R-50c total the day before the window"),
        pytest.param("day-8", 7, DONE, id="R-50c total on the first day of the window"),
        pytest.param("day-8", 14, DONE, id="R-50c total on its last day"),
        pytest.param("week-8-labs", 56, OPEN, id="R-50c for labs a total is not enough"),
    ],
)
def test_r_50c_a_total_in_the_window_makes_a_contact_done(name: str, at: int, expected: State) -> None:
    as_of = ANCHOR + timedelta(days=57 if name == "week-8-labs" else 14)
    total = score("20", 0, before=ANCHOR + timedelta(days=at))
    assert state(name, as_of, infused(severity=(total,))) is expected


@pytest.mark.parametrize(
    ("at", "status", "expected"),
    [(55, "final", OPEN), (56, "final", DONE), (60, "corrected", DONE), (60, "preliminary", OPEN), (61, "final", OPEN)],
)
def test_r_50c_a_ferritin_in_the_window_makes_the_laboratory_contact_done(
    at: int, status: str, expected: State
) -> None:
    drawn = Day(ANCHOR + timedelta(days=at), ANCHOR + timedelta(days=at))
    labs = {"ferritin": (ferritin("90", day=drawn, status=status),)}
    assert state("week-8-labs", ANCHOR + timedelta(days=60), infused(results=labs)) is expected


@pytest.mark.parametrize(
    ("status", "expected"), [("active", OPEN), ("draft", OPEN), ("completed", DONE), ("fulfilled", DONE)]
)
def test_r_50c_a_completed_request_makes_its_contact_done(status: str, expected: State) -> None:
    patient = infused(arranged=(contact("day-8", ANCHOR, status),))
    assert state("day-8", ANCHOR + timedelta(days=9), patient) is expected


def test_r_47_month_12_comes_only_after_month_6_was_done() -> None:
    as_of = date(2027, 3, 10)
    assert state("month-12", as_of) is None
    done = infused(severity=(score("12", 0, before=date(2026, 9, 10)),))
    assert state("month-12", as_of, done) is TODAY_DUE


# ------------------------------------------------------------------------------- calendar: zones, months, leap days


@pytest.mark.parametrize(
    ("anchor", "name", "due"),
    [
        pytest.param("2026-03-10", "month-6", "2026-09-10", id="R-47 across two clock changes"),
        pytest.param("2026-03-21", "day-8", "2026-03-29", id="R-43 due on the day of a clock change (Europe)"),
        pytest.param("2026-03-01", "day-8", "2026-03-09", id="R-43 across a clock change (US)"),
        pytest.param("2026-10-12", "week-3", "2026-11-02", id="R-43 across the end of summer time"),
        pytest.param("2026-08-31", "month-6", "2027-02-28", id="R-47 month end"),
        pytest.param("2027-08-29", "month-6", "2028-02-29", id="R-47 leap day"),
        pytest.param("2027-08-31", "month-6", "2028-02-29", id="R-47 clamped to the leap day"),
        pytest.param("2028-02-29", "month-6", "2028-08-29", id="R-47 from the leap day"),
        pytest.param("2028-02-21", "day-8", "2028-02-29", id="R-44 due on the leap day"),
        pytest.param("2028-02-22", "day-8", "2028-03-01", id="R-44 across the leap day"),
        pytest.param("2027-12-31", "week-3", "2028-01-21", id="R-45 across the year"),
    ],
)
def test_r_43_targets_are_calendar_dates(anchor: str, name: str, due: str) -> None:
    day0, target = date.fromisoformat(anchor), date.fromisoformat(due)
    assert state(name, target, anchor=day0) is TODAY_DUE
    assert state(name, target - timedelta(days=1), anchor=day0) is not TODAY_DUE
    assert state(name, target + timedelta(days=1), anchor=day0) is not TODAY_DUE


def test_r_50c_a_course_is_followed_for_13_months() -> None:
    assert look(infused(date(2026, 1, 31)), as_of=date(2027, 2, 28)).followed is not None
    assert look(infused(date(2026, 1, 31)), as_of=date(2027, 3, 1)).followed is None


# ------------------------------------------------------------------------------------------------- what is created


def patient_on(day: int, *arranged: ArrangedContact, **changes: object) -> PatientFacts:
    dose = (given(days_ago=day),)
    return facts(dose_records=dose, arranged=arranged, severity=(score("30", day + 5),), **changes)


def anchor_of(day: int) -> date:
    return TODAY - timedelta(days=day)


@pytest.mark.parametrize(
    ("day", "arranged", "expected"),
    [
        pytest.param(8, (), ["day-8"], id="R-50c the contact"),
        pytest.param(8, ("day-8",), [], id="R-50a arranged: nothing is offered twice"),
        pytest.param(15, (), [], id="R-50 a window that is over is not moved"),
        pytest.param(
            56, (), ["week-8-labs", "week-8-labs.ferritin", "week-8-labs.iron-panel", "week-8-labs.cbc"], id="R-46 labs"
        ),
        pytest.param(
            56,
            ("week-8-labs",),
            ["week-8-labs.ferritin", "week-8-labs.iron-panel", "week-8-labs.cbc"],
            id="R-46 labs alone",
        ),
    ],
)
def test_r_50c_the_card_creates_what_is_missing(day: int, arranged: tuple[str, ...], expected: list[str]) -> None:
    requests = tuple(contact(name, anchor_of(day)) for name in arranged)
    assert created(cards(patient_on(day, *requests), offers_iron_studies=False)) == expected


def test_r_46_tests_already_ordered_are_not_offered_again() -> None:
    request = contact("week-8-labs", anchor_of(56), test="ferritin")
    found = cards(patient_on(56, contact("week-8-labs", anchor_of(56)), request), ordered=frozenset({"cbc"}))
    assert created(found) == ["week-8-labs.iron-panel"]


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        pytest.param(None, ["month-6.ferritin", "month-6.iron-panel"], id="R-47 never ordered"),
        pytest.param("active", [], id="R-50a ordered, not drawn"),
        pytest.param("completed", ["review.ferritin", "review.iron-panel"], id="R-40c drawn, and too old by now"),
    ],
)
def test_r_40c_a_recurrence_offers_the_tests_it_lacks(status: str | None, expected: list[str]) -> None:
    """Returned on day 300; the tests of month 6 are 110 days old or were never drawn."""
    anchor = anchor_of(300)
    tests = [contact("month-6", anchor, status, test=test) for test in ("ferritin", "iron-panel")] if status else []
    totals = (score("30", 305), score("12", 240), score("24", 3))
    patient = facts(dose_records=(given(days_ago=300),), arranged=tuple(tests), severity=totals)
    found = cards(patient, offers_iron_studies=False)
    assert topics(found) == ["recurrence-review"]
    assert created(found) == expected


def test_r_50c_a_total_to_be_filled_in_is_created_where_the_client_takes_it_and_only_once() -> None:
    patient = patient_on(8, contact("day-8", anchor_of(8)))
    assert created(cards(patient, offers_iron_studies=False)) == []
    takes = Profile(severity_observation=True)
    assert created(cards(patient, takes, offers_iron_studies=False)) == ["day-8.irls-total"]
    value = f"{'0' * 16}.day-8.irls-total"
    assert created(cards(patient, takes, offers_iron_studies=False, pending=frozenset({value}))) == []


def test_r_50c_a_client_without_suggestions_reads_the_same_card() -> None:
    patient = patient_on(8)
    with_them, without = cards(patient), cards(patient, Profile(suggestions=False))
    assert words(with_them) == words(without)
    assert "suggestions" not in without[0]


@pytest.mark.parametrize(("day", "said"), [(7, True), (8, True), (14, True), (21, True), (56, False), (84, False)])
def test_s_11_reviewing_rls_drugs_before_raising_them_is_said_in_the_early_windows(day: int, said: bool) -> None:
    assert ("Before an RLS drug is raised" in words(cards(patient_on(day)))) == said


@pytest.mark.parametrize("day", [8, 21])
def test_r_44_r_45_signs_of_low_phosphate_are_asked_for(day: int) -> None:
    assert "bone pain" in words(cards(patient_on(day)))


@pytest.mark.parametrize(
    ("ingredient", "said"), [(Ingredient.FCM, True), (None, True), (Ingredient.DERISOMALTOSE, False)]
)
def test_r_42_the_phosphate_line_is_about_ferric_carboxymaltose(ingredient: Ingredient | None, said: bool) -> None:
    patient = facts(dose_records=(given(ingredient, days_ago=8),))
    assert ("phosphate can stay low for weeks" in words(cards(patient))) == said


def test_r_42_a_low_phosphate_is_named() -> None:
    patient = facts(phosphate("1.9", days_ago=1), dose_records=(given(days_ago=21),))
    assert "Phosphate 1.9 mg/dL" in words(cards(patient))


def test_r_41a_r_43_several_doses_are_one_course_counted_from_the_last() -> None:
    doses = (given(mg="750", days_ago=15), given(mg="750", days_ago=8))
    found = cards(facts(dose_records=doses))
    assert topics(found)[0] == "follow-up-due"
    assert f"Day 0 is {TODAY - timedelta(days=8)}" in words(found)
    assert "750 mg ferric carboxymaltose" in words(found)
