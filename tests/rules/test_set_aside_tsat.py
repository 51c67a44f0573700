"""A TSAT that was set aside but points to 45 or more (R-26e)."""

from decimal import Decimal

import pytest

from cds_service.clinical.interval import Interval
from cds_service.clinical.model import RejectedBecause, Result
from cds_service.clinical.reading import SetAsideKind
from cds_service.clinical.results import points_to_overload
from tests.rules.build import TODAY, rejected, tsat
from tests.rules.chart import at, dose, kinds, lying, span, tsat_of


@pytest.mark.parametrize(
    ("results", "points"),
    [
        pytest.param([tsat("45", status="preliminary")], True, id="R-26e pending 45"),
        pytest.param([tsat("44.9", status="preliminary")], False, id="R-26e pending 44.9"),
        pytest.param([tsat("45", days_ago=91)], True, id="R-26e stale 45"),
        pytest.param([tsat("44.9", days_ago=91)], False, id="R-26e stale 44.9"),
        pytest.param([tsat("45", days_ago=365)], True, id="R-26e stale, day 365"),
        pytest.param([tsat("45", days_ago=366)], False, id="R-26e stale, day 366"),
        pytest.param(
            [lying(tsat, Interval(Decimal(40), Decimal(100), False, True))], True, id="R-26e censored above 40"
        ),
        pytest.param([lying(tsat, Interval(Decimal(1), Decimal(45), False, True))], True, id="R-26e censored up to 45"),
        pytest.param(
            [lying(tsat, Interval(Decimal(1), Decimal(45), False, False))], False, id="R-26e censored below 45"
        ),
        pytest.param(
            [rejected("tsat", RejectedBecause.IMPLAUSIBLE, likely_percent=Decimal(45))],
            True,
            id="R-26e likely fraction 0.45",
        ),
        pytest.param([rejected("tsat")], False, id="R-26e unit not known tells nothing"),
        pytest.param([tsat("50", status="cancelled")], False, id="R-26e cancelled"),
        pytest.param([tsat("50", days_ago=-1)], False, id="R-26e dated after today"),
        pytest.param([tsat("50", day=None)], False, id="R-26e undated"),
        pytest.param([tsat("50", day=span(200, 60))], True, id="R-26e partial date: usable or stale, 50 either way"),
        pytest.param(
            [tsat("30", status="preliminary", days_ago=2), tsat("50", days_ago=95)], False, id="R-26e newest low"
        ),
        pytest.param(
            [tsat("50", status="preliminary", days_ago=2), tsat("30", days_ago=95)], True, id="R-26e newest high"
        ),
        pytest.param(
            [rejected("tsat", days_ago=2), tsat("50", days_ago=95)],
            True,
            id="R-26e one that tells nothing is no newer answer",
        ),
        pytest.param(
            [tsat("30", days_ago=95), tsat("50", days_ago=95)], True, id="R-26e two of one day, one reaches 45"
        ),
        pytest.param([tsat("30", day=at(95, 9)), tsat("50", day=at(95, 8))], False, id="R-26e two of one day, clock"),
        pytest.param([], False, id="R-26e never measured"),
    ],
)
def test_r_26e_a_set_aside_tsat_may_point_to_45_or_more(results: list[Result], points: bool) -> None:
    for order in (results, results[::-1]):
        reading = tsat_of(*order)
        assert not reading.is_usable
        assert (points_to_overload(reading, TODAY) is not None) is points


@pytest.mark.parametrize(
    ("drawn", "points"),
    [
        pytest.param(30, True, id="R-26e superseded 50"),
        pytest.param(10, False, id="R-26e blackout never counts"),
        pytest.param(200, True, id="R-26e stale and superseded 50"),
    ],
)
def test_r_26e_superseded_counts_and_blackout_does_not(drawn: int, points: bool) -> None:
    reading = tsat_of(tsat("50", days_ago=drawn), doses=[dose(20)])
    assert (points_to_overload(reading, TODAY) is not None) is points


def test_r_26e_a_blackout_result_does_not_hide_an_older_one() -> None:
    reading = tsat_of(tsat("30", days_ago=10), tsat("50", days_ago=30), doses=[dose(20)])
    found = points_to_overload(reading, TODAY)
    assert found is not None
    assert found.kind is SetAsideKind.SUPERSEDED


def test_r_26e_a_pending_result_of_the_blackout_does_not_count() -> None:
    reading = tsat_of(tsat("50", status="preliminary", days_ago=10), doses=[dose(20)])
    assert kinds(reading) == [SetAsideKind.BLACKOUT]
    assert points_to_overload(reading, TODAY) is None
