"""Which iron and which binding capacity belong to one specimen, whatever else stands beside them (R-06, R-13)."""

from decimal import Decimal
from itertools import permutations
from typing import Any

import pytest

from cds_service.clinical.dates import Day
from cds_service.clinical.derived_tsat import derive_tsat, is_one_specimen
from cds_service.clinical.model import Result
from tests.rules.build import day, result, tsat
from tests.rules.chart import at, chart, shown, span, tsat_of


def iron(value: str, **changes: Any) -> Result:
    return result("iron", value, **changes)


def tibc(value: str, **changes: Any) -> Result:
    return result("tibc", value, **changes)


def uibc(value: str, **changes: Any) -> Result:
    return result("uibc", value, **changes)


def percents(*results: Result) -> list[Decimal | None]:
    return [one.value.low if one.value else None for one in derive_tsat(chart(*results).facts.results)]


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        pytest.param(day(10), day(10), True, id="R-06 one day"),
        pytest.param(day(10), day(9), False, id="R-06 two days without clock times"),
        pytest.param(at(10, 9), at(9, 9), True, id="R-06 24 hours"),
        pytest.param(at(10, 9), at(9, 9, 1), False, id="R-06 a minute more than 24 hours"),
        pytest.param(at(10, 9), day(9), False, id="R-06 two days, one clock time"),
        pytest.param(day(10), span(10, 5), False, id="R-08a some days that begin on it"),
        pytest.param(span(10, 5), span(10, 5), False, id="R-08a some days twice"),
        pytest.param(None, day(10), False, id="R-08a undated"),
        pytest.param(None, None, False, id="R-08a both undated"),
    ],
)
def test_r_06_draws_of_one_specimen(one: Day | None, other: Day | None, expected: bool) -> None:
    assert is_one_specimen(one, other) is expected
    assert is_one_specimen(other, one) is expected


@pytest.mark.parametrize(
    "beside",
    [
        pytest.param(iron("90", day=None), id="R-08a an undated iron"),
        pytest.param(iron("90", day=span(30, 20)), id="R-08a an iron of some days"),
        pytest.param(tibc("200", day=None), id="R-08a an undated binding capacity"),
        pytest.param(tibc("200", day=span(30, 20)), id="R-08a a binding capacity of some days"),
        pytest.param(iron("90", days_ago=40), id="R-06 an iron of another day"),
        pytest.param(tibc("200", days_ago=40), id="R-06 a binding capacity of another day"),
        pytest.param(iron("90", status="cancelled"), id="R-07 a cancelled iron"),
        pytest.param(tibc("200", status="cancelled"), id="R-07 a cancelled binding capacity"),
    ],
)
def test_r_06_what_belongs_to_no_specimen_hinders_no_other(beside: Result) -> None:
    for order in permutations((iron("60"), tibc("300"), beside)):
        assert percents(*order) == [20]


@pytest.mark.parametrize(
    ("parts", "percent"),
    [
        pytest.param(
            [iron("60", day=at(10, 9)), tibc("300", day=at(10, 8)), tibc("400", day=at(10, 10))],
            "20",
            id="R-13 equally near: the one that gives the higher TSAT",
        ),
        pytest.param(
            [iron("60", day=at(10, 9)), tibc("400", day=at(10, 8)), tibc("300", day=at(10, 10))],
            "20",
            id="R-13 equally near, the other way round",
        ),
        pytest.param(
            [iron("60", day=at(10, 9)), tibc("400", day=at(10, 8)), tibc("300", day=at(10, 11))],
            "15",
            id="R-06 the nearer one",
        ),
        pytest.param(
            [iron("60", day=at(10, 9)), tibc("400", day=day(10)), tibc("300", day=at(10, 10))],
            "15",
            id="R-06 without clock time on the same day: as near as can be",
        ),
        pytest.param(
            [iron("60", day=at(10, 9)), tibc("400", day=at(10, 9)), tibc("300", day=day(10))],
            "20",
            id="R-13 the same minute and no clock time: the higher TSAT",
        ),
        pytest.param([iron("60"), tibc("300", day=at(10, 8)), tibc("400")], "20", id="R-13 iron without clock time"),
        pytest.param([iron("90"), uibc("0"), uibc("0.5")], "100", id="R-13 nothing unsaturated gives the higher TSAT"),
    ],
)
def test_r_13_of_several_binding_capacities_one_is_paired(parts: list[Result], percent: str) -> None:
    for order in permutations(parts):
        assert percents(*order) == [Decimal(percent)]


def test_r_14_a_calculated_tsat_keeps_the_analyzer_of_its_iron() -> None:
    (made,) = derive_tsat(chart(iron("60", analyzer="cobas"), tibc("300", analyzer="dxi")).facts.results)
    assert made.analyzer == "cobas"
    assert made.day == day(10)


def test_r_06_a_specimen_with_a_reported_tsat_is_not_calculated_again() -> None:
    results = chart(iron("60"), tibc("300"), iron("90", days_ago=40), tibc("300", days_ago=40)).facts.results
    assert [one.day for one in derive_tsat(results, [tsat("30")])] == [day(40)]
    assert derive_tsat(results, [tsat("30"), tsat("30", days_ago=40)]) == []
    assert shown(tsat_of(tsat("30"), iron("60"), tibc("300"))) == "30"
