"""How old a result may be, and what a partial date stands for (R-08, R-08a)."""

from collections.abc import Callable

import pytest

from cds_service.clinical.case import Case
from cds_service.clinical.dates import Day
from cds_service.clinical.model import Result
from cds_service.clinical.reading import Reading, SetAsideKind
from cds_service.clinical.results import read_hemoglobin, read_iron_study, read_phosphate
from tests.rules.build import ferritin, hemoglobin, phosphate, tsat
from tests.rules.chart import at, chart, dose, ferritin_of, kinds, shown, span


@pytest.mark.parametrize("analyte", ["ferritin", "tsat"])
@pytest.mark.parametrize(
    ("days_ago", "kind"),
    [
        pytest.param(0, None, id="R-08a drawn today"),
        pytest.param(89, None, id="R-08 day 89"),
        pytest.param(90, None, id="R-08 day 90 is valid"),
        pytest.param(91, SetAsideKind.STALE, id="R-08 day 91 is stale"),
        pytest.param(-1, SetAsideKind.FUTURE, id="R-08 tomorrow is ignored"),
    ],
)
def test_r_08_ferritin_and_tsat_count_for_90_days(analyte: str, days_ago: int, kind: SetAsideKind | None) -> None:
    made = {"ferritin": ferritin, "tsat": tsat}[analyte]("30", days_ago=days_ago)
    reading = read_iron_study(chart(made), analyte)
    assert kinds(reading) == ([] if kind is None else [kind])


@pytest.mark.parametrize(
    ("read", "make", "days_ago", "is_usable"),
    [
        pytest.param(read_hemoglobin, hemoglobin, 90, True, id="R-08 hemoglobin day 90"),
        pytest.param(read_hemoglobin, hemoglobin, 91, False, id="R-08 hemoglobin day 91"),
        pytest.param(read_phosphate, phosphate, 90, True, id="R-08 phosphate day 90"),
        pytest.param(read_phosphate, phosphate, 91, False, id="R-08 phosphate day 91"),
    ],
)
def test_r_08_hemoglobin_and_phosphate_count_for_90_days(
    read: Callable[[Case], Reading], make: Callable[..., Result], days_ago: int, is_usable: bool
) -> None:
    assert read(chart(make("12.2", days_ago=days_ago))).is_usable is is_usable


def test_r_08a_a_specimen_of_later_today_is_not_future() -> None:
    assert ferritin_of(ferritin("60", day=at(0, 23, 59))).is_usable


def test_r_08a_an_undated_result_is_unusable() -> None:
    reading = ferritin_of(ferritin("60", day=None))
    assert kinds(reading) == [SetAsideKind.UNDATED]
    assert reading.why_missing == "last ferritin has no specimen date"


@pytest.mark.parametrize(
    ("first", "last", "kind"),
    [
        pytest.param(90, 60, None, id="R-08a every day in the window"),
        pytest.param(91, 60, SetAsideKind.IMPRECISE, id="R-08a one day is stale"),
        pytest.param(200, 91, SetAsideKind.STALE, id="R-08a every day is stale"),
        pytest.param(200, 90, SetAsideKind.IMPRECISE, id="R-08a one day is not stale"),
        pytest.param(400, 0, SetAsideKind.IMPRECISE, id="R-08a a year"),
        pytest.param(90, 0, None, id="R-08a the whole window"),
        pytest.param(91, 0, SetAsideKind.IMPRECISE, id="R-08a a day more than the window"),
        pytest.param(5, -1, SetAsideKind.IMPRECISE, id="R-08a one day is in the future"),
        pytest.param(-1, -20, SetAsideKind.FUTURE, id="R-08a every day is in the future"),
        pytest.param(700_000, 0, SetAsideKind.IMPRECISE, id="R-08a a period of two thousand years"),
    ],
)
def test_r_08a_a_partial_date_counts_only_if_all_its_days_agree(
    first: int, last: int, kind: SetAsideKind | None
) -> None:
    reading = ferritin_of(ferritin("60", day=span(first, last)))
    assert kinds(reading) == ([] if kind is None else [kind])


@pytest.mark.parametrize(
    ("first", "last", "kind"),
    [
        pytest.param(60, 42, None, id="R-08a all from day 28 after the dose"),
        pytest.param(60, 41, None, id="R-08a all from day 28 after the dose, a day later"),
        pytest.param(73, 60, SetAsideKind.IMPRECISE, id="R-08a one day in the blackout"),
        pytest.param(101, 73, SetAsideKind.IMPRECISE, id="R-08a blackout or before the dose"),
        pytest.param(100, 73, SetAsideKind.BLACKOUT, id="R-08a all in the blackout"),
        pytest.param(72, 45, None, id="R-08a all with caution"),
    ],
)
def test_r_08a_a_partial_date_is_held_against_every_clock(first: int, last: int, kind: SetAsideKind | None) -> None:
    reading = ferritin_of(ferritin("60", day=span(first, last)), doses=[dose(100)])
    assert kinds(reading) == ([] if kind is None else [kind])


def test_r_08a_the_caution_of_any_day_is_said() -> None:
    reading = ferritin_of(ferritin("60", day=span(50, 40)), doses=[dose(100)])
    assert reading.caution == "drawn 50 days after IV iron (2025-11-30), fully settled only from day 56"


@pytest.mark.parametrize("given", [60, 65])
def test_r_08a_the_first_and_the_last_day_are_asked_too(given: int) -> None:
    reading = ferritin_of(ferritin("60", day=span(65, 60)), doses=[dose(given)])
    expected = SetAsideKind.IMPRECISE if given == 60 else SetAsideKind.BLACKOUT
    assert kinds(reading) == [expected]


@pytest.mark.parametrize(
    ("other", "partial", "expected", "is_vague"),
    [
        pytest.param("80", span(40, 20), "80", True, id="R-08a another zone within the span: the dated one"),
        pytest.param("70", span(40, 20), "60", False, id="R-08a the same zone: the answer is the same either way"),
        pytest.param("80", span(60, 30), "80", False, id="R-08a ends on the day of the other one: older"),
        pytest.param(
            "50", span(60, 30), "50", False, id="R-08a ends on the day of the other one: older, the same zone"
        ),
        pytest.param("80", span(30, 10), "60", False, id="R-08a begins on the day of the other one: newer"),
    ],
)
def test_r_08a_a_partial_date_that_may_be_older_or_newer_gives_way(
    other: str, partial: Day, expected: str, is_vague: bool
) -> None:
    reading = ferritin_of(ferritin(other, days_ago=30), ferritin("60", day=partial))
    assert shown(reading) == expected
    assert kinds(reading) == [SetAsideKind.IMPRECISE] * is_vague


def test_r_08a_two_partial_dates_in_different_zones_are_both_too_vague() -> None:
    reading = ferritin_of(ferritin("60", day=span(40, 20)), ferritin("80", day=span(40, 20)))
    assert kinds(reading) == [SetAsideKind.IMPRECISE, SetAsideKind.IMPRECISE]
    assert not reading.is_usable


def test_r_08a_two_partial_dates_in_one_zone_give_the_cautious_value() -> None:
    assert shown(ferritin_of(ferritin("60", day=span(40, 20)), ferritin("70", day=span(40, 20)))) == "70"
