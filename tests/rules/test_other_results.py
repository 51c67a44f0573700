"""Hemoglobin, CRP and phosphate: fallback, nearest to the ferritin, after the last FCM dose (R-08, R-27, R-29)."""

import pytest

from cds_service.clinical.dates import Day
from cds_service.clinical.given_doses import Dose
from cds_service.clinical.model import Ingredient, Result
from cds_service.clinical.reading import SetAsideKind
from cds_service.clinical.results import read_crp, read_hemoglobin, read_phosphate
from tests.rules.build import crp, day, ferritin, hemoglobin, phosphate, rejected
from tests.rules.chart import at, censored, chart, dose, ferritin_of, kinds, shown, span

# ---------------------------------------- hemoglobin: blood gas


@pytest.mark.parametrize(
    ("results", "expected"),
    [
        pytest.param(
            [hemoglobin("12", days_ago=80), hemoglobin("9", method="blood-gas")], "12", id="laboratory value first"
        ),
        pytest.param([hemoglobin("9", method="blood-gas")], "9", id="blood gas where there is nothing else"),
        pytest.param(
            [hemoglobin("12", days_ago=91), hemoglobin("9", method="blood-gas")], "9", id="laboratory value stale"
        ),
        pytest.param(
            [hemoglobin("12", days_ago=91), hemoglobin("9", days_ago=91, method="blood-gas")], None, id="both stale"
        ),
        pytest.param(
            [rejected("hemoglobin"), hemoglobin("9", method="blood-gas")], None, id="R-13a newer unreadable one"
        ),
        pytest.param(
            [rejected("hemoglobin", days_ago=20), hemoglobin("9", method="blood-gas")],
            "9",
            id="R-13a older unreadable one",
        ),
        pytest.param(
            [hemoglobin("12"), rejected("hemoglobin", method="blood-gas")],
            "12",
            id="unreadable blood gas does not matter",
        ),
    ],
)
def test_r_29_blood_gas_hemoglobin_is_a_fallback(results: list[Result], expected: str | None) -> None:
    reading = read_hemoglobin(chart(*results))
    assert shown(reading) == expected
    assert bool(reading.caution) is (expected == "9")


def test_a_stale_blood_gas_is_listed_beside_a_contradicted_laboratory_value() -> None:
    results = (hemoglobin("12", days_ago=20), rejected("hemoglobin"), hemoglobin("9", days_ago=95, method="blood-gas"))
    reading = read_hemoglobin(chart(*results))
    assert kinds(reading) == [SetAsideKind.REJECTED, SetAsideKind.CONTRADICTED, SetAsideKind.STALE]
    assert reading.contradicted_by is not None


# ---------------------------------------- R-27 CRP


@pytest.mark.parametrize(
    ("drawn", "is_usable"),
    [
        pytest.param(40, True, id="R-08 CRP on the day of the ferritin"),
        pytest.param(70, True, id="R-08 CRP 30 days before the ferritin"),
        pytest.param(71, False, id="R-08 CRP 31 days before the ferritin"),
        pytest.param(10, True, id="R-08 CRP 30 days after the ferritin"),
        pytest.param(9, False, id="R-08 CRP 31 days after the ferritin"),
    ],
)
def test_r_08_crp_counts_within_30_days_of_the_ferritin(drawn: int, is_usable: bool) -> None:
    case = chart(crp("8", days_ago=drawn), ferritin=ferritin_of(ferritin("80", days_ago=40)))
    assert read_crp(case).is_usable is is_usable


@pytest.mark.parametrize(
    ("results", "expected"),
    [
        pytest.param([crp("8", days_ago=45), crp("2", days_ago=30)], "8", id="R-27 the nearest, not the newest"),
        pytest.param([crp("8", days_ago=45), crp("2", days_ago=35)], "2", id="R-27 equally near: the newer"),
        pytest.param([crp("2", days_ago=45), crp("8", days_ago=45)], "8", id="R-13 tie: the higher CRP"),
        pytest.param(
            [crp("8", days_ago=41), rejected("crp", days_ago=20)], "8", id="R-13a farther away: would not be used"
        ),
        pytest.param([crp("8", days_ago=41), rejected("crp", days_ago=40)], None, id="R-13a newer and nearer"),
    ],
)
def test_r_27_the_crp_nearest_to_the_ferritin_is_taken(results: list[Result], expected: str | None) -> None:
    for order in (results, results[::-1]):
        assert shown(read_crp(chart(*order, ferritin=ferritin_of(ferritin("80", days_ago=40))))) == expected


@pytest.mark.parametrize(
    ("partial", "is_usable"),
    [
        pytest.param(span(70, 45), True, id="R-08a all days within 30 days of the ferritin"),
        pytest.param(span(71, 45), False, id="R-08a one day too far"),
        pytest.param(span(70, 10), True, id="R-08a the whole window"),
    ],
)
def test_r_08a_a_partial_date_of_a_crp(partial: Day, is_usable: bool) -> None:
    assert (
        read_crp(chart(crp("8", day=partial), ferritin=ferritin_of(ferritin("80", days_ago=40)))).is_usable is is_usable
    )


def test_r_27_without_ferritin_no_crp_is_read() -> None:
    reading = read_crp(chart(crp("8")))
    assert not reading.is_usable
    assert reading.why_missing == "no usable ferritin near which a CRP could be read"


def test_r_27_a_crp_is_read_beside_a_ferritin_that_only_stops() -> None:
    contradicted = ferritin_of(ferritin("400", days_ago=20), rejected("ferritin"))
    assert read_crp(chart(crp("8"), ferritin=contradicted)).is_usable


# ---------------------------------------- R-08 phosphate


@pytest.mark.parametrize(
    ("drawn", "given", "is_usable"),
    [
        pytest.param(day(30), dose(31), True, id="R-08 phosphate the day after FCM"),
        pytest.param(day(30), dose(30), False, id="R-08 phosphate on the day of FCM, order unknown"),
        pytest.param(at(30, 9), dose(30, clock=at(30, 8).clock), True, id="R-08 phosphate after FCM by the clock"),
        pytest.param(at(30, 8), dose(30, clock=at(30, 9).clock), False, id="R-08 phosphate before FCM by the clock"),
        pytest.param(day(30), dose(29), False, id="R-08 phosphate the day before FCM"),
        pytest.param(day(30), dose(29, ingredient=Ingredient.DEXTRAN), True, id="R-08 another product does not matter"),
    ],
)
def test_r_08_phosphate_counts_after_the_latest_fcm_dose(drawn: Day, given: Dose, is_usable: bool) -> None:
    reading = read_phosphate(chart(phosphate("2.2", day=drawn), doses=[given]))
    assert kinds(reading) == ([] if is_usable else [SetAsideKind.SUPERSEDED])


def test_r_08_the_latest_fcm_dose_decides() -> None:
    reading = read_phosphate(chart(phosphate("2.2", days_ago=30), doses=[dose(40), dose(20)]))
    assert reading.why_missing == (
        "last phosphate 2026-02-08 was not drawn after the ferric carboxymaltose of 2026-02-18"
    )


@pytest.mark.parametrize(
    ("partial", "doses", "kind"),
    [
        pytest.param(span(40, 30), [], None, id="R-08a phosphate of some days in the window"),
        pytest.param(span(91, 30), [], SetAsideKind.IMPRECISE, id="R-08a one day is stale"),
        pytest.param(span(40, 30), [dose(41)], None, id="R-08a all days after FCM"),
        pytest.param(span(40, 30), [dose(40)], SetAsideKind.IMPRECISE, id="R-08a one day is the day of FCM"),
        pytest.param(span(40, 30), [dose(29)], SetAsideKind.SUPERSEDED, id="R-08a all days before FCM"),
    ],
)
def test_r_08a_a_partial_date_of_a_phosphate(partial: Day, doses: list[Dose], kind: SetAsideKind | None) -> None:
    reading = read_phosphate(chart(phosphate("2.2", day=partial), doses=doses))
    assert kinds(reading) == ([] if kind is None else [kind])


def test_r_08_a_stale_phosphate_from_before_fcm_is_called_stale() -> None:
    reading = read_phosphate(chart(phosphate("2.2", days_ago=95), doses=[dose(20)]))
    assert reading.why_missing == "last phosphate 2025-12-05 is 95 days old (limit 90)"


# ---------------------------------------- never measured, or not obtained


@pytest.mark.parametrize(
    ("unavailable", "words"),
    [
        pytest.param({}, "no {} in the data provided", id="R-26 never measured"),
        pytest.param({"crp": "failed", "phosphate": "failed"}, "{} results could not be obtained", id="3.1 failed"),
    ],
)
def test_r_26_crp_and_phosphate_that_are_not_there_are_told_from_a_failed_query(
    unavailable: dict[str, str], words: str
) -> None:
    made = chart(ferritin=ferritin_of(ferritin("80")), unavailable=unavailable)
    assert read_crp(made).why_missing == words.format("CRP")
    assert read_phosphate(made).why_missing == words.format("phosphate")


def test_r_26_each_reading_goes_by_the_name_of_its_test() -> None:
    beside = ferritin_of(ferritin("80"))
    names = [read(chart(ferritin=beside)).used.name for read in (read_crp, read_phosphate, read_hemoglobin)] + [
        read_crp(chart()).used.name,
        beside.used.name,
    ]
    assert names == ["CRP", "phosphate", "hemoglobin", "CRP", "ferritin"]


# ---------------------------------------- ferritin in dialysis


@pytest.mark.parametrize(
    ("is_in_dialysis", "is_usable"),
    [
        pytest.param(False, True, id="R-10 between 100 and 300 is one zone"),
        pytest.param(True, False, id="R-28 in dialysis 200 is a limit too"),
    ],
)
def test_r_28_a_ferritin_around_200_spans_a_limit_in_dialysis(is_in_dialysis: bool, is_usable: bool) -> None:
    around = ferritin_of(censored("100", "250"), is_in_dialysis=is_in_dialysis)
    assert around.is_usable is is_usable
    two = ferritin_of(ferritin("150"), ferritin("250", days_ago=12), is_in_dialysis=is_in_dialysis)
    assert shown(two) == "150"
    assert (two.conflicting is None) is is_usable
