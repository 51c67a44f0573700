"""The chart over time: bands of the rules, and courses one after another with what happened in them (R-09, R-43)."""

from collections.abc import Callable, Sequence
from datetime import date, timedelta
from typing import Any

import pytest

from cds_service.clinical.case import Case
from cds_service.clinical.dates import Day, add_months
from cds_service.clinical.follow_up.contacts import State
from cds_service.clinical.follow_up.course import open_chart
from cds_service.clinical.model import DoseRecord, Ingredient
from cds_service.clinical.story.bands import find_bands
from cds_service.clinical.story.courses import (
    EARLIEST,
    MOST_COURSES,
    CourseTold,
    Span,
    find_blackouts,
    find_cautions,
    tell_courses,
)
from tests.rules.build import (
    TODAY,
    condition,
    facts,
    given,
)
from tests.rules.chart import dose
from tests.rules.opened import contact, score

DIALYSIS = condition("dialysis-dependence")
SUCROSE = Ingredient.SUCROSE


def opened(*, doses: Sequence[DoseRecord] = (), as_of: date = TODAY, **changes: Any) -> Case:
    return open_chart(facts(dose_records=tuple(doses), **changes), as_of)


def ago(days: int) -> date:
    return TODAY - timedelta(days=days)


# ---------------------------------------------------------------------------------------------------------------- bands


def bands(analyte: str, **changes: Any) -> list[tuple[str, str, str]]:
    return [(str(one.tone), one.label(analyte), one.rules) for one in find_bands(opened(**changes), analyte)]


REPLETION = "repletion may be incomplete"
WHO = "anemia by WHO"
URGENT = ("stop", "below 7 g/dL: urgent review", "R-29d")
BANDS = [
    pytest.param(
        "ferritin",
        {},
        [
            ("support", "up to 75 ng/mL: guideline recommends iron", "R-22"),
            ("consensus", "over 75 and up to 100 ng/mL: IV iron may be considered, by consensus", "R-23"),
            (
                "neutral",
                "over 100 and below 300 ng/mL: IV iron supported only with TSAT below 20 %",
                "R-24, R-25",
            ),
            ("stop", "300 ng/mL or more: above the range studied", "R-17"),
        ],
        id="R-22 R-23 R-24 R-17 ferritin",
    ),
    pytest.param(
        "ferritin",
        {"conditions": (DIALYSIS,)},
        [
            ("consensus", "below 200 ng/mL: in dialysis IV iron may be considered with TSAT below 20 %", "R-28"),
            ("neutral", "200 or more and below 300 ng/mL: in dialysis not supported for RLS", "R-28"),
            ("stop", "300 ng/mL or more: above the range studied", "R-17"),
        ],
        id="R-28 ferritin in dialysis",
    ),
    pytest.param(
        "tsat",
        {},
        [
            ("support", "below 20 %: speaks for iron", "R-25"),
            ("neutral", "20 or more and below 45 %: ferritin decides", "R-22 to R-24"),
            ("stop", "45 % or more: no iron before overload is excluded", "R-16"),
        ],
        id="R-25 R-16 TSAT",
    ),
    pytest.param(
        "hemoglobin",
        {"sex": "female"},
        [
            URGENT,
            ("caution", f"7 or more and below 12 g/dL: {WHO}, {REPLETION}", "R-29b, R-29a"),
            ("caution", f"12 or more and below 12.5 g/dL: {REPLETION}", "R-29a"),
            ("neutral", "12.5 g/dL or more: no remark", "R-29"),
        ],
        id="R-29 hemoglobin of a woman",
    ),
    pytest.param(
        "hemoglobin",
        {"sex": "male"},
        [
            URGENT,
            ("caution", f"7 or more and below 12.5 g/dL: {WHO}, {REPLETION}", "R-29b, R-29a"),
            ("caution", f"12.5 or more and below 13 g/dL: {WHO}", "R-29b"),
            ("neutral", "13 g/dL or more: no remark", "R-29"),
        ],
        id="R-29 hemoglobin of a man",
    ),
]


@pytest.mark.parametrize(("analyte", "changes", "expected"), BANDS)
def test_bands_say_what_the_rules_decide(
    analyte: str, changes: dict[str, Any], expected: list[tuple[str, str, str]]
) -> None:
    assert bands(analyte, **changes) == expected


def test_there_are_no_bands_of_another_analyte() -> None:
    with pytest.raises(KeyError, match="crp"):
        find_bands(opened(), "crp")


# ---------------------------------------------------------------------------------------- blackouts and cautions


def days_of(spans: Sequence[Span]) -> list[tuple[int, int]]:
    return [((TODAY - one.first).days, (TODAY - one.last).days) for one in spans]


SPANS = [
    pytest.param([], [], [], id="R-09 no dose"),
    pytest.param([200], [(200, 173)], [(172, 145)], id="R-09 one dose"),
    pytest.param([200, 190], [(200, 163)], [(162, 135)], id="R-09 a second dose in the blackout prolongs it"),
    pytest.param([200, 172], [(200, 145)], [(144, 117)], id="R-09 28 days apart: touching"),
    pytest.param([200, 171], [(200, 173), (171, 144)], [(172, 172), (143, 116)], id="R-09 29 days: a day between"),
    pytest.param([200, 150], [(200, 173), (150, 123)], [(172, 151), (122, 95)], id="R-09 50 days apart: caution cut"),
    pytest.param([200, 145], [(200, 173), (145, 118)], [(172, 146), (117, 90)], id="R-09 55 days apart"),
    pytest.param([200, 144], [(200, 173), (144, 117)], [(172, 145), (116, 89)], id="R-09 56 days apart"),
    pytest.param(
        [200, 150, 20],
        [(200, 173), (150, 123), (20, -7)],
        [(172, 151), (122, 95), (-8, -35)],
        id="R-09 three doses: cut by the next one",
    ),
    pytest.param([200, 100], [(200, 173), (100, 73)], [(172, 145), (72, 45)], id="R-09 100 days apart"),
]


@pytest.mark.parametrize(("doses", "blackouts", "cautions"), SPANS)
def test_r_09_blackout_and_caution_are_counted_from_each_dose(
    doses: list[int], blackouts: list[tuple[int, int]], cautions: list[tuple[int, int]]
) -> None:
    given_doses = [dose(one) for one in doses]
    assert days_of(find_blackouts(given_doses)) == blackouts
    assert days_of(find_blackouts(given_doses[::-1])) == blackouts
    assert days_of(find_cautions(given_doses)) == cautions


# ------------------------------------------------------------------------------------------------------------- courses


def told(
    *records: DoseRecord, name: Callable[[str], str] = str, as_of: date = TODAY, **changes: Any
) -> tuple[CourseTold, ...]:
    return tell_courses(opened(doses=records, as_of=as_of, **changes), name)


def states(one: CourseTold) -> dict[str, State]:
    return {state.planned.contact.id: state.state for state in one.states}


def test_without_iron_there_is_no_course_to_tell() -> None:
    assert told() == ()


def test_r_43_a_running_course_is_seen_as_of_today_with_what_is_planned() -> None:
    (course,) = told(given(days_ago=40))
    assert course.seen_on == TODAY
    assert states(course) == {
        "day-8": State.OVERDUE,
        "week-3": State.OVERDUE,
        "week-8-labs": State.NOT_DUE,
        "month-6": State.NOT_DUE,
    }


def test_r_50_an_earlier_course_is_told_as_on_the_day_before_the_next_without_what_that_forestalled() -> None:
    earlier, current = told(given(days_ago=140), given(days_ago=40), severity=(score("20", 132),))
    assert (earlier.course.anchor, earlier.seen_on) == (ago(140), ago(41))
    assert states(earlier) == {"day-8": State.DONE, "week-3": State.MISSED, "week-8-labs": State.OVERDUE}
    assert (current.course.anchor, current.seen_on) == (ago(40), TODAY)
    assert list(states(current)) == ["day-8", "week-3", "week-8-labs", "month-6"]


def test_r_41a_another_product_given_the_day_before_is_a_course_of_its_own() -> None:
    courses = told(given(SUCROSE, "400", days_ago=41), given(days_ago=40))
    assert [(one.course.ingredient, one.seen_on) for one in courses] == [
        (SUCROSE, ago(41)),
        (Ingredient.FCM, TODAY),
    ]


@pytest.mark.parametrize("months", [12, 13, 14, 40])
def test_r_50c_a_course_is_followed_for_13_months_and_told_as_it_ended(months: int) -> None:
    infused = date(2020, 3, 10)
    as_of = add_months(infused, months)
    (course,) = told(given(day=Day(infused, infused)), as_of=as_of)
    assert course.seen_on == min(as_of, date(2021, 4, 10))
    assert set(states(course).values()) == {State.MISSED}
    assert len(states(course)) == 4


def test_r_50a_the_contacts_of_a_course_are_found_by_the_order_its_first_dose_was_given_for() -> None:
    request = contact("day-8", ago(500), "completed", course="part of MedicationRequest/7")
    named = given(days_ago=40, refers_to=("MedicationRequest/7",))
    (course,) = told(named, name=lambda reference: f"part of {reference}", arranged=(request,))
    assert states(course)["day-8"] is State.DONE
    assert course.states[0].is_arranged


def test_r_50a_a_course_without_order_is_named_after_its_first_administration() -> None:
    request = contact("day-8", ago(500), "completed", course="part of MedicationAdministration/fcm-50")
    portions = (given(mg="500", days_ago=50), given(mg="500", days_ago=40))
    (course,) = told(*portions, name=lambda reference: f"part of {reference}", arranged=(request,))
    assert states(course)["day-8"] is State.DONE


def test_r_50a_requests_counted_from_the_day_of_the_infusion_are_of_its_course() -> None:
    (course,) = told(given(days_ago=40), arranged=(contact("day-8", ago(38)), contact("week-3", ago(90))))
    assert [state.is_arranged for state in course.states] == [True, False, False, False]


def test_of_many_courses_the_latest_are_told_oldest_first() -> None:
    courses = told(*(given(days_ago=100 * number) for number in range(MOST_COURSES + 2)))
    assert [one.course.anchor for one in courses] == [ago(100 * number) for number in reversed(range(MOST_COURSES))]


@pytest.mark.parametrize(
    ("first", "is_told"), [(EARLIEST, True), (EARLIEST - timedelta(days=1), False)], ids=["R-08a 1900", "R-08a 1899"]
)
def test_what_is_dated_before_1900_is_a_slip_and_no_course(first: date, is_told: bool) -> None:
    courses = told(given(day=Day(first, first)), given(days_ago=40))
    assert [one.course.anchor for one in courses] == ([first] if is_told else []) + [ago(40)]


def test_r_28b_a_chart_of_small_doses_in_dialysis_has_no_course() -> None:
    assert told(given(SUCROSE, "100", days_ago=3), conditions=(DIALYSIS,)) == ()
