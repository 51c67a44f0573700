"""TSAT calculated from iron and TIBC, UIBC or transferrin of one specimen (R-06)."""

from dataclasses import replace
from datetime import datetime, time, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cds_service.clinical.dates import Day
from cds_service.clinical.derived_tsat import derive_tsat, is_one_specimen
from cds_service.clinical.interval import Interval
from cds_service.clinical.model import RejectedBecause, Result
from cds_service.clinical.reading import SetAsideKind
from cds_service.clinical.results import points_to_overload
from cds_service.clinical.units import Converted, convert
from tests.rules.build import TODAY, day, rejected, result
from tests.rules.chart import at, chart, kinds, shown, span, tsat_of


def iron(value: str, **changes: Any) -> Result:
    return result("iron", value, **changes)


def tibc(value: str, **changes: Any) -> Result:
    return result("tibc", value, **changes)


def uibc(value: str, **changes: Any) -> Result:
    return result("uibc", value, **changes)


def transferrin(value: str, **changes: Any) -> Result:
    return result("transferrin", value, **changes)


def derived(*results: Result) -> list[Result]:
    return derive_tsat(chart(*results).facts.results)


def percents(*results: Result) -> list[Decimal | None]:
    return [one.value.low if one.value else None for one in derived(*results)]


@pytest.mark.parametrize(
    ("results", "percent", "note"),
    [
        pytest.param([iron("60"), tibc("300")], "20", "calculated from iron and TIBC", id="R-06 iron / TIBC"),
        pytest.param([iron("60"), tibc("301")], "19.933554817275747508", None, id="R-06 iron / TIBC, 20 digits"),
        pytest.param([iron("60"), uibc("240")], "20", "calculated from iron and UIBC", id="R-06 TIBC = iron + UIBC"),
        pytest.param([iron("90"), uibc("0")], "100", None, id="R-06 nothing unsaturated"),
        pytest.param(
            [iron("90"), transferrin("240")],
            "30",
            "calculated from iron and transferrin (TIBC = 1.25 x transferrin)",
            id="R-06 TIBC = transferrin x 1.25",
        ),
        pytest.param([iron("60"), tibc("300"), uibc("60")], "20", None, id="R-06 TIBC before UIBC"),
        pytest.param([iron("60"), uibc("240"), transferrin("100")], "20", None, id="R-06 UIBC before transferrin"),
        pytest.param(
            [iron("60"), rejected("tibc", days_ago=10), uibc("240")], "20", None, id="R-06 TIBC unreadable: UIBC"
        ),
        pytest.param(
            [iron("60"), tibc("100", status="cancelled"), uibc("240")], "20", None, id="R-07 TIBC cancelled: UIBC"
        ),
        pytest.param(
            [iron("60"), tibc("100", status="preliminary"), uibc("240")], "20", None, id="R-07 TIBC preliminary: UIBC"
        ),
        pytest.param(
            [iron("60"), tibc("300", day=at(10, 9)), tibc("200", day=at(10, 8))],
            "30",
            None,
            id="R-13 no clock of the iron: the higher TSAT",
        ),
        pytest.param(
            [iron("60", day=at(10, 9)), tibc("300", day=at(10, 8)), tibc("200", day=at(10, 20))],
            "20",
            None,
            id="R-06 the nearest TIBC",
        ),
        pytest.param(
            [iron("60"), tibc("300"), tibc("240")], "25", None, id="R-13 two TIBC of one time: the higher TSAT"
        ),
        pytest.param(
            [iron("60"), tibc("300", status="corrected"), tibc("240")], "20", None, id="R-07 the corrected TIBC"
        ),
    ],
)
def test_r_06_tsat_is_calculated_from_one_specimen(results: list[Result], percent: str, note: str | None) -> None:
    for order in (results, results[::-1]):
        (made,) = derived(*order)
        assert made.value == Interval.point(Decimal(percent))
        assert note is None or made.note == note
        assert not made.indeterminate
        assert made.transferrin_based == ("transferrin" in made.note)


@pytest.mark.parametrize(
    "results",
    [
        pytest.param([], id="R-06 nothing on record"),
        pytest.param([iron("60")], id="R-06 iron alone"),
        pytest.param([tibc("300")], id="R-06 TIBC alone"),
        pytest.param([iron("60", status="cancelled"), tibc("300")], id="R-07 iron cancelled"),
        pytest.param([iron("60", status=None), tibc("300")], id="R-07 iron without status"),
        pytest.param([replace(iron("60"), value=None), tibc("300")], id="R-07 iron without value"),
        pytest.param([iron("60", day=None), tibc("300", day=None)], id="R-08a undated"),
        pytest.param(
            [iron("60", day=span(12, 10)), tibc("300", day=span(12, 10))],
            id="R-08a partial dates: not shown to be one specimen",
        ),
    ],
)
def test_r_06_no_tsat_without_both_parts_of_one_specimen(results: list[Result]) -> None:
    assert derived(*results) == []
    assert not tsat_of(*results).is_usable


@pytest.mark.parametrize(
    ("one", "other", "is_one"),
    [
        pytest.param(day(10), day(10), True, id="R-06 the same date"),
        pytest.param(day(10), day(11), False, id="R-06 the day before, no clock times"),
        pytest.param(at(10, 8), at(11, 8), True, id="R-06 24 h apart"),
        pytest.param(at(10, 8, 1), at(11, 8), False, id="R-06 24 h and a minute apart"),
        pytest.param(at(10, 8), at(9, 8), True, id="R-06 24 h later"),
        pytest.param(at(10, 8), at(9, 8, 1), False, id="R-06 24 h and a minute later"),
        pytest.param(at(10, 23), day(10), True, id="R-06 the same date, one clock time"),
        pytest.param(at(10, 0), day(11), False, id="R-06 the day before, one clock time"),
        pytest.param(day(10), None, False, id="R-06 undated"),
    ],
)
def test_r_06_draws_at_most_24_hours_apart_are_one_specimen(one: Day, other: Day | None, is_one: bool) -> None:
    assert is_one_specimen(one, other) is is_one
    assert is_one_specimen(other, one) is is_one
    assert len(derived(iron("60", day=one), tibc("300", day=other))) == is_one


@pytest.mark.parametrize(
    ("percent", "is_usable"),
    [
        pytest.param("17.9", True, id="R-06 17.9"),
        pytest.param("18", False, id="R-06 18 is indeterminate"),
        pytest.param("23", False, id="R-06 23 is indeterminate"),
        pytest.param("23.1", True, id="R-06 23.1"),
        pytest.param("42.9", True, id="R-06 42.9"),
        pytest.param("43", False, id="R-06 43 is indeterminate"),
        pytest.param("47", False, id="R-06 47 is indeterminate"),
        pytest.param("47.1", True, id="R-06 47.1"),
    ],
)
def test_r_06_a_tsat_from_transferrin_near_a_limit_is_indeterminate(percent: str, is_usable: bool) -> None:
    # 80 mg/dL of transferrin stand for a TIBC of 100, so the iron is the percentage.
    reading = tsat_of(iron(percent), transferrin("80"))
    assert kinds(reading) == ([] if is_usable else [SetAsideKind.INDETERMINATE])
    assert tsat_of(iron(percent), tibc("100")).is_usable


@pytest.mark.parametrize(
    ("percent", "points"),
    [
        pytest.param("43", True, id="R-26e indeterminate 43"),
        pytest.param("47", True, id="R-26e indeterminate 47"),
        pytest.param("23", False, id="R-26e indeterminate 23"),
    ],
)
def test_r_26e_an_indeterminate_tsat_of_43_or_more_points_to_overload(percent: str, points: bool) -> None:
    reading = tsat_of(iron(percent), transferrin("80"))
    assert (points_to_overload(reading, TODAY) is not None) is points


@pytest.mark.parametrize(
    ("results", "is_pending"),
    [
        pytest.param([iron("150", status="preliminary"), tibc("300")], True, id="R-07 iron preliminary"),
        pytest.param([iron("150"), tibc("300", status="preliminary")], True, id="R-07 TIBC preliminary"),
        pytest.param(
            [iron("150", status="corrected"), tibc("300", status="amended")], False, id="R-07 corrected, amended"
        ),
    ],
)
def test_r_07_a_tsat_with_a_preliminary_part_is_pending(results: list[Result], is_pending: bool) -> None:
    reading = tsat_of(*results)
    assert (reading.pending is not None) is is_pending
    assert (points_to_overload(reading, TODAY) is not None) is is_pending


@pytest.mark.parametrize(
    ("results", "why", "problem"),
    [
        pytest.param(
            [iron("400"), tibc("300")],
            RejectedBecause.IMPLAUSIBLE,
            "the TSAT calculated from them is not plausible",
            id="R-11 above 100",
        ),
        pytest.param(
            [iron("3"), tibc("300")],
            RejectedBecause.IMPLAUSIBLE,
            "the TSAT calculated from them is not plausible",
            id="R-11 exactly 1",
        ),
        pytest.param(
            [rejected("iron"), tibc("300", days_ago=5)],
            RejectedBecause.UNIT,
            "iron: unit not known",
            id="R-05 iron without unit",
        ),
        pytest.param(
            [iron("60", days_ago=5), rejected("tibc")],
            RejectedBecause.UNIT,
            "TIBC: unit not known",
            id="R-05 TIBC without unit",
        ),
    ],
)
def test_r_11_an_unreadable_calculation_says_why(results: list[Result], why: RejectedBecause, problem: str) -> None:
    (made,) = derived(*results)
    assert (made.value, made.rejected, made.problem) == (None, why, problem)


@pytest.mark.parametrize(
    ("value", "is_usable"),
    [
        pytest.param("300", True, id="R-11 100 % is plausible"),
        pytest.param("300.1", False, id="R-11 above 100 % is not"),
        pytest.param("3.1", True, id="R-11 above 1 % is plausible"),
        pytest.param("3", False, id="R-11 1 % is not"),
    ],
)
def test_r_11_a_calculated_tsat_has_to_be_plausible(value: str, is_usable: bool) -> None:
    assert tsat_of(iron(value), tibc("300")).is_usable is is_usable


UNKNOWN_TO = {limit: Interval(Decimal(0), Decimal(limit)) for limit in ("10", "250")}


@pytest.mark.parametrize(
    ("results", "low", "high"),
    [
        pytest.param([replace(iron("9"), value=UNKNOWN_TO["10"]), tibc("400")], "1", "2.5", id="R-10 iron below 10"),
        pytest.param([iron("60"), replace(tibc("9"), value=UNKNOWN_TO["250"])], "24", "100", id="R-10 TIBC below 250"),
        pytest.param(
            [iron("60"), replace(uibc("9"), value=UNKNOWN_TO["250"])], "19.35", "100", id="R-10 UIBC below 250"
        ),
    ],
)
def test_r_10_censored_parts_give_an_interval(results: list[Result], low: str, high: str) -> None:
    (made,) = derived(*results)
    assert made.value is not None
    assert not made.value.low_closed
    assert made.value.low == pytest.approx(Decimal(low), abs=Decimal("0.01"))
    assert made.value.high == Decimal(high)


def test_r_10_iron_below_its_range_is_a_low_tsat() -> None:
    assert shown(tsat_of(replace(iron("9"), value=UNKNOWN_TO["10"]), tibc("400"))) == "<2.5"


def test_numbers_of_absurd_size_are_implausible_and_no_failure() -> None:
    assert kinds(tsat_of(iron("1e30"), tibc("1e-30"))) == [SetAsideKind.REJECTED]
    assert kinds(tsat_of(iron("1e-30"), tibc("1e30"))) == [SetAsideKind.REJECTED]


def test_r_10_iron_above_its_range_over_tibc_above_its_range_tells_nothing() -> None:
    parts = [
        replace(iron("60"), value=Interval(Decimal(500), None)),
        replace(tibc("9"), value=Interval(Decimal(600), None)),
    ]
    assert kinds(tsat_of(*parts)) == [SetAsideKind.CENSORED]


def test_section_0_equal_ratios_in_micromoles_and_micrograms_give_exactly_the_same_tsat() -> None:
    for part, whole, percent in (("7", "35", 20), ("9", "20", 45), ("11.2", "56", 20), ("31.5", "70", 45)):
        made = []
        for analyte, value in (("iron", part), ("tibc", whole)):
            converted = convert(analyte, Decimal(value), "umol/L", None)
            assert isinstance(converted, Converted)
            made.append(replace(result(analyte, "1"), value=Interval.point(converted.value)))
        assert percents(*made) == [Decimal(percent)]


def test_r_06_both_sources_are_named_once() -> None:
    (made,) = derived(iron("60"), tibc("300"))
    assert made.reference == "Observation/iron-60-10, Observation/tibc-300-10"
    assert made.recorded == "iron 60 ug/dL, TIBC 300 ug/dL"
    (panel,) = derived(iron("60", reference="Observation/panel"), tibc("300", reference="Observation/panel"))
    assert panel.reference == "Observation/panel"


def test_r_06_every_iron_result_of_a_specimen_gives_a_tsat_and_the_later_one_is_used() -> None:
    parts = [iron("60", day=at(10, 8)), iron("90", day=at(10, 20)), tibc("300", day=at(10, 8))]
    assert sorted(str(one.value.low) for one in derived(*parts) if one.value) == ["20", "30"]
    assert shown(tsat_of(*parts)) == "30"
    assert tsat_of(*parts).day == TODAY - timedelta(days=10)


# ------------------------------------------------------------------------------------------ which capacity is paired

DRAWN = st.sampled_from(
    [day(9), day(10), day(11), Day(day(12).first, day(10).last)]
    + [at(days, hour) for days in (9, 10, 11) for hour in (0, 8, 9, 20)]
)
KINDS = st.sampled_from(["tibc", "uibc", "transferrin"])


@st.composite
def capacities(draw: st.DrawFn) -> list[Result]:
    made = []
    for number, (kind, drawn) in enumerate(draw(st.lists(st.tuples(KINDS, DRAWN), max_size=7))):
        reference = f"Observation/{kind}-{number}"
        value = draw(st.sampled_from(["250", "300", "350"]))
        is_readable = draw(st.booleans())
        part = result(kind, value) if is_readable else rejected(kind)
        made.append(replace(part, day=drawn, reference=reference))
    return made


def nearest_by_definition(drawn: Day, parts: list[Result]) -> Result | None:
    """All of the specimen looked at: readable ones first, by kind, by distance, by the higher TSAT, by reference."""

    def order(one: Result) -> tuple[bool, int, timedelta, Decimal, str]:
        place = ("tibc", "uibc", "transferrin").index(one.analyte)
        apart = timedelta(0)
        if one.day and one.day.clock and drawn.clock:
            mine, other = (datetime.combine(each.first, each.clock or time()) for each in (drawn, one.day))
            apart = abs(mine - other)
        low = one.value.low if one.value else None
        return (one.value is None, place, apart, low or Decimal(0), one.reference)

    return min((one for one in parts if is_one_specimen(drawn, one.day)), key=order, default=None)


@given(drawn=DRAWN, parts=capacities())
def test_r_06_r_13_of_all_capacities_of_a_specimen_the_best_is_paired(drawn: Day, parts: list[Result]) -> None:
    expected = nearest_by_definition(drawn, parts)
    made = derived(iron("60", day=drawn, reference="Observation/iron"), *parts)
    assert [one.reference for one in made] == ([f"Observation/iron, {expected.reference}"] if expected else [])


def test_r_06_a_day_with_thousands_of_draws_pairs_each_with_its_own() -> None:
    """A monitor that files a result every few seconds: looking at all of them for each would take half a minute."""
    draws = [Day(day(10).first, day(10).first, time(second // 3600, second // 60 % 60, second % 60)) for second in FEW]
    irons = [iron("60", day=one, reference=f"Observation/i{place}") for place, one in enumerate(draws)]
    mates = [tibc("300", day=one, reference=f"Observation/t{place}") for place, one in enumerate(draws)]
    made = derived(*irons, *mates)
    assert [one.reference for one in made] == [f"Observation/i{at}, Observation/t{at}" for at in range(len(draws))]
    assert derive_tsat({"iron": tuple(irons), "tibc": tuple(mates)}, reported=[result("tsat", "20", days_ago=10)]) == []


FEW = range(0, 86_400, 29)
