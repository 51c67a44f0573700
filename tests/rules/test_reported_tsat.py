"""Reported and calculated TSAT side by side: which one counts (R-06, R-08, R-09, R-13, R-13a)."""

from typing import Any

import pytest

from cds_service.clinical.model import Result
from cds_service.clinical.reading import SetAsideKind
from tests.rules.build import rejected, result, tsat
from tests.rules.chart import at, chart, dose, kinds, read_tsat, shown, tsat_of


def iron(value: str, **changes: Any) -> Result:
    return result("iron", value, **changes)


def tibc(value: str, **changes: Any) -> Result:
    return result("tibc", value, **changes)


def uibc(value: str, **changes: Any) -> Result:
    return result("uibc", value, **changes)


def transferrin(value: str, **changes: Any) -> Result:
    return result("transferrin", value, **changes)


@pytest.mark.parametrize(
    ("results", "expected"),
    [
        pytest.param([tsat("30"), iron("60"), tibc("300")], "30", id="R-06 reported wins within a specimen"),
        pytest.param(
            [tsat("30", day=at(10, 8)), iron("60", day=at(10, 20)), tibc("300")],
            "30",
            id="R-06 reported wins also when drawn first",
        ),
        pytest.param(
            [tsat("30", days_ago=11), iron("60"), tibc("300")], "20", id="R-06 the later specimen wins, calculated"
        ),
        pytest.param(
            [tsat("30", days_ago=9), iron("60"), tibc("300")], "30", id="R-06 the later specimen wins, reported"
        ),
        pytest.param(
            [rejected("tsat", days_ago=10), iron("60"), tibc("300")], "20", id="R-06 reported one unusable: calculated"
        ),
        pytest.param(
            [rejected("tsat", day=at(10, 9)), iron("60", day=at(10, 8)), tibc("300")],
            "20",
            id="R-06 unusable, a little later, one specimen",
        ),
        pytest.param(
            [rejected("tsat", days_ago=9), iron("60"), tibc("300")], None, id="R-13a unusable, another specimen"
        ),
        pytest.param(
            [tsat("30", status="cancelled"), iron("60"), tibc("300")],
            "20",
            id="R-07 reported one cancelled: calculated",
        ),
        pytest.param(
            [tsat("30"), rejected("iron", days_ago=10), tibc("300")],
            "30",
            id="R-06 parts unreadable, reported one there",
        ),
        pytest.param(
            [tsat("30", days_ago=20), rejected("iron", days_ago=10), tibc("300")],
            None,
            id="R-13a newer parts unreadable",
        ),
        pytest.param(
            [tsat("30", days_ago=20), rejected("tibc", days_ago=10), iron("60")], None, id="R-13a newer TIBC unreadable"
        ),
        pytest.param([tsat("30", days_ago=20), iron("400"), tibc("300")], None, id="R-11 newer one above 100 %"),
        pytest.param(
            [tsat("30", days_ago=20), rejected("iron", days_ago=10)], "30", id="R-13a iron without TIBC is no TSAT"
        ),
    ],
)
def test_r_06_reported_or_calculated(results: list[Result], expected: str | None) -> None:
    for order in (results, results[::-1]):
        assert shown(read_tsat(chart(*order))) == expected


def test_r_06_a_calculated_tsat_of_the_same_specimen_is_no_conflicting_result() -> None:
    assert tsat_of(tsat("19"), iron("63"), tibc("300")).conflicting is None
    assert tsat_of(tsat("19"), iron("63", days_ago=12), tibc("300", days_ago=12)).conflicting is not None


@pytest.mark.parametrize(
    ("days_ago", "kind"),
    [
        pytest.param(90, None, id="R-08 day 90"),
        pytest.param(91, SetAsideKind.STALE, id="R-08 day 91"),
        pytest.param(-1, SetAsideKind.FUTURE, id="R-08 tomorrow"),
    ],
)
def test_r_08_a_calculated_tsat_has_the_date_of_the_iron(days_ago: int, kind: SetAsideKind | None) -> None:
    reading = tsat_of(iron("60", days_ago=days_ago), tibc("300", days_ago=days_ago))
    assert kinds(reading) == ([] if kind is None else [kind])


def test_r_09_iron_of_the_blackout_gives_no_tsat() -> None:
    case = chart(iron("60"), tibc("300"), doses=[dose(20)])
    assert kinds(read_tsat(case)) == [SetAsideKind.BLACKOUT]
