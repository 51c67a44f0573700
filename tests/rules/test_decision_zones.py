"""Censored and rejected values: usable only inside one decision zone (R-10, R-11, R-21)."""

from decimal import Decimal
from typing import Any

import pytest

from cds_service.clinical.interval import Interval
from cds_service.clinical.model import RejectedBecause
from cds_service.clinical.reading import SetAsideKind
from cds_service.clinical.results import read_crp, read_hemoglobin, read_phosphate
from cds_service.clinical.wording import unquote
from tests.rules.build import crp, ferritin, hemoglobin, phosphate, rejected, tsat
from tests.rules.chart import censored, chart, ferritin_of, kinds, lying, tsat_of


@pytest.mark.parametrize(
    ("low", "high", "is_usable"),
    [
        pytest.param(None, "5", True, id="R-10 below 5 is low"),
        pytest.param(None, "75", True, id="R-10 below 75 is low"),
        pytest.param(None, "75.1", False, id="R-10 below 75.1 spans 75"),
        pytest.param(None, "100", False, id="R-10 below 100 spans 75"),
        pytest.param("75", "100", True, id="R-10 between 75 and 100"),
        pytest.param("74.9", "100", False, id="R-10 from 74.9 spans 75"),
        pytest.param("100", "300", True, id="R-10 between 100 and 300"),
        pytest.param("99.9", "300", False, id="R-10 from 99.9 spans 100"),
        pytest.param("300", None, True, id="R-10 above 300 is high"),
        pytest.param("1650", None, True, id="R-10 above 1650 is high"),
        pytest.param("299", None, False, id="R-10 above 299 spans 300"),
        pytest.param(None, None, False, id="R-10 nothing known"),
    ],
)
def test_r_10_a_censored_ferritin_counts_if_it_lies_in_one_zone(
    low: str | None, high: str | None, is_usable: bool
) -> None:
    reading = ferritin_of(censored(low, high))
    assert reading.is_usable is is_usable
    assert kinds(reading) == ([] if is_usable else [SetAsideKind.CENSORED])


@pytest.mark.parametrize(
    ("value", "is_usable"),
    [
        pytest.param(Interval(None, Decimal(75), False, True), True, id="R-10 at most 75"),
        pytest.param(Interval(Decimal(75), Decimal(100), True, True), False, id="R-10 from 75, included, spans 75"),
        pytest.param(Interval(Decimal(75), Decimal(100), False, True), True, id="R-10 over 75 up to 100"),
        pytest.param(
            Interval(Decimal(100), Decimal(300), False, True), False, id="R-10 up to 300, included, spans 300"
        ),
        pytest.param(Interval(Decimal(300), None, True, False), True, id="R-10 at least 300"),
    ],
)
def test_r_10_whether_an_end_is_included_matters(value: Interval, is_usable: bool) -> None:
    assert ferritin_of(lying(ferritin, value)).is_usable is is_usable


@pytest.mark.parametrize(
    ("low", "high", "dialysis", "is_usable"),
    [
        pytest.param("150", "250", False, True, id="R-10 no cut at 200 outside dialysis"),
        pytest.param("150", "250", True, False, id="R-10 cut at 200 in dialysis"),
        pytest.param("150", "200", True, True, id="R-10 below 200 in dialysis"),
        pytest.param("200", "250", True, True, id="R-10 above 200 in dialysis"),
        pytest.param("60", "70", True, True, id="R-10 low in dialysis"),
        pytest.param("80", "90", True, True, id="R-10 grey zone in dialysis"),
        pytest.param("310", None, True, True, id="R-10 high in dialysis"),
    ],
)
def test_r_10_dialysis_also_cuts_ferritin_at_200(low: str, high: str | None, dialysis: bool, is_usable: bool) -> None:
    assert ferritin_of(censored(low, high), is_in_dialysis=dialysis).is_usable is is_usable


@pytest.mark.parametrize(
    ("value", "is_usable"),
    [
        pytest.param(Interval(Decimal(1), Decimal(20)), True, id="R-10 TSAT below 20"),
        pytest.param(Interval(Decimal(1), Decimal(20), False, True), False, id="R-10 TSAT up to 20 spans 20"),
        pytest.param(Interval(Decimal(20), Decimal(45), True, False), True, id="R-10 TSAT from 20 to below 45"),
        pytest.param(Interval(Decimal("19.9"), Decimal(45), True, False), False, id="R-10 TSAT from 19.9 spans 20"),
        pytest.param(Interval(Decimal(20), Decimal(45), True, True), False, id="R-10 TSAT up to 45 spans 45"),
        pytest.param(Interval(Decimal(45), Decimal(100), True, True), True, id="R-10 TSAT from 45"),
        pytest.param(Interval(Decimal(40), Decimal(100), False, True), False, id="R-10 TSAT above 40 spans 45"),
    ],
)
def test_r_10_tsat_is_cut_at_20_and_45(value: Interval, is_usable: bool) -> None:
    assert tsat_of(lying(tsat, value)).is_usable is is_usable


@pytest.mark.parametrize("cut", ["7", "11", "12", "12.5", "13"])
def test_r_10_hemoglobin_is_cut_at_its_limits(cut: str) -> None:
    step = Decimal("0.1")
    below = lying(hemoglobin, Interval(Decimal(cut) - step, Decimal(cut), True, False))
    at_or_above = lying(hemoglobin, Interval(Decimal(cut), Decimal(cut) + step, True, False))
    across = lying(hemoglobin, Interval(Decimal(cut) - step, Decimal(cut), True, True))
    assert [read_hemoglobin(chart(one)).is_usable for one in (below, at_or_above, across)] == [True, True, False]


@pytest.mark.parametrize(
    ("value", "is_usable"),
    [
        pytest.param(Interval(Decimal(0), Decimal(5), True, True), True, id="R-10 CRP up to 5"),
        pytest.param(Interval(Decimal(0), Decimal("5.1"), True, False), False, id="R-10 CRP below 5.1 spans 5"),
        pytest.param(Interval(Decimal(5), None, False, False), True, id="R-10 CRP above 5"),
        pytest.param(Interval(Decimal(5), None, True, False), False, id="R-10 CRP from 5, included, spans 5"),
    ],
)
def test_r_10_crp_is_cut_at_5(value: Interval, is_usable: bool) -> None:
    assert read_crp(chart(lying(crp, value), ferritin=ferritin_of(ferritin("80")))).is_usable is is_usable


@pytest.mark.parametrize(
    ("value", "changes", "is_usable"),
    [
        pytest.param(Interval(None, Decimal("2.5")), {}, True, id="R-21 below the default limit"),
        pytest.param(Interval(None, Decimal("2.6")), {}, False, id="R-21 below 2.6 spans the default limit"),
        pytest.param(Interval(Decimal("2.5"), None, True), {}, True, id="R-21 at least the default limit"),
        pytest.param(
            Interval(None, Decimal("2.6")),
            {"lower_limit": Decimal("2.7")},
            True,
            id="R-21 below the laboratory's limit",
        ),
        pytest.param(
            Interval(Decimal("2.5"), None, True), {"lower_limit": Decimal("2.7")}, False, id="R-21 spans that limit"
        ),
        pytest.param(
            Interval(None, Decimal("1.5")), {"lower_limit": Decimal("1.5")}, True, id="R-21 lowest credible limit"
        ),
        pytest.param(
            Interval(Decimal("1.4"), None), {"lower_limit": Decimal("1.4")}, False, id="R-21 1.4 is no credible limit"
        ),
        pytest.param(
            Interval(Decimal("3.5"), None, True),
            {"lower_limit": Decimal("3.5")},
            True,
            id="R-21 highest credible limit",
        ),
        pytest.param(
            Interval(None, Decimal("3.5")), {"lower_limit": Decimal("3.5")}, True, id="R-21 below the highest credible"
        ),
        pytest.param(
            Interval(Decimal("2.5"), None, True),
            {"lower_limit": Decimal("3.6")},
            True,
            id="R-21 3.6 is no credible limit",
        ),
        pytest.param(Interval(None, Decimal(3)), {"flagged_low": True}, True, id="R-21 flagged low by the laboratory"),
    ],
)
def test_r_10_phosphate_is_cut_at_its_own_limit(value: Interval, changes: dict[str, Any], is_usable: bool) -> None:
    assert read_phosphate(chart(lying(phosphate, value, **changes))).is_usable is is_usable


@pytest.mark.parametrize("why", list(RejectedBecause))
def test_r_05_r_11_a_rejected_value_is_unusable_and_says_why(why: RejectedBecause) -> None:
    reading = ferritin_of(rejected("ferritin", why))
    expected = SetAsideKind.CENSORED if why is RejectedBecause.CENSORED else SetAsideKind.REJECTED
    assert kinds(reading) == [expected]
    assert unquote(reading.why_missing) == "last ferritin 2026-03-05 cannot be used (12 furlong: unit not known)"


def test_chart_text_in_reasons_is_marked_for_escaping() -> None:
    reading = ferritin_of(rejected("ferritin", recorded="<b>12</b>", problem="unit *x*"))
    assert "\u2063<b>12</b>\u2063" in reading.why_missing
    assert "\u2063unit *x*\u2063" in reading.why_missing
