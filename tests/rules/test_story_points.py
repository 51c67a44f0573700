"""The chart over time: each result is a point, judged as on the day of its draw (R-06, R-08, R-09, R-10, R-49)."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import date, time, timedelta
from decimal import Decimal
from functools import partial
from typing import Any

import pytest

from cds_service.clinical.case import Case
from cds_service.clinical.dates import Day
from cds_service.clinical.follow_up.course import open_chart
from cds_service.clinical.interval import Interval
from cds_service.clinical.model import DoseRecord, Ingredient, PatientFacts, RejectedBecause, Result
from cds_service.clinical.story.points import Point, last_day, place, plot_results, plot_severity
from tests.rules.build import (
    TODAY,
    condition,
    day,
    facts,
    ferritin,
    given,
    hemoglobin,
    rejected,
    result,
    tsat,
)
from tests.rules.chart import lying, span
from tests.rules.opened import score

DIALYSIS = condition("dialysis-dependence")
SUCROSE = Ingredient.SUCROSE


def opened(*results: Result, doses: Sequence[DoseRecord] = (), as_of: date = TODAY, **changes: Any) -> Case:
    return open_chart(facts(*results, dose_records=tuple(doses), **changes), as_of)


def plotted(analyte: str, *results: Result, **changes: Any) -> tuple[Point, ...]:
    return plot_results(opened(*results, **changes), analyte)


# ----------------------------------------------------------------------------- points: could it be read on its own day?


def at(days_ago: int, hour: int) -> Day:
    return replace(day(days_ago), clock=time(hour))


ON_ITS_DAY = [
    pytest.param([ferritin("48", days_ago=91)], [], "", "", id="R-08 91 days old: readable on its day"),
    pytest.param([ferritin("48", days_ago=30)], [10], "", "", id="R-09a before iron: readable on its day"),
    pytest.param(
        [ferritin("48", days_ago=100)],
        [100],
        "was drawn 0 days after IV iron on 2025-11-30 (not interpretable before day 28)",
        "",
        id="R-09 on the day of the dose",
    ),
    pytest.param(
        [ferritin("48", days_ago=73)],
        [100],
        "was drawn 27 days after IV iron on 2025-11-30 (not interpretable before day 28)",
        "",
        id="R-09 day 27",
    ),
    pytest.param(
        [ferritin("48", days_ago=72)],
        [100],
        "",
        "drawn 28 days after IV iron (2025-11-30), fully settled only from day 56",
        id="R-09 day 28",
    ),
    pytest.param(
        [ferritin("48", days_ago=45)],
        [100],
        "",
        "drawn 55 days after IV iron (2025-11-30), fully settled only from day 56",
        id="R-09 day 55",
    ),
    pytest.param([ferritin("48", days_ago=44)], [100], "", "", id="R-09 day 56"),
    pytest.param(
        [ferritin("48", days_ago=60)],
        [200, 65, 10],
        "was drawn 5 days after IV iron on 2026-01-04 (not interpretable before day 28)",
        "",
        id="R-09 the dose just before the draw decides, not an earlier or a later one",
    ),
    pytest.param([ferritin("48", days_ago=-1)], [], "is dated after today", "", id="R-08 tomorrow"),
    pytest.param([ferritin("48", day=None)], [], "has no specimen date", "", id="R-08a undated"),
    pytest.param([ferritin("48", day=span(130, 41))], [], "", "", id="R-08a 90 days that give one answer"),
    pytest.param(
        [ferritin("48", day=span(131, 40))],
        [],
        "is dated 2025-10-30 to 2026-01-29 only, too vague to tell whether it counts",
        "",
        id="R-08a longer than 90 days",
    ),
    pytest.param(
        [ferritin("48", day=span(74, 71))],
        [100],
        "is dated 2025-12-26 to 2025-12-29 only, too vague to tell whether it counts",
        "",
        id="R-08a across the end of the blackout",
    ),
    pytest.param([tsat("20", days_ago=95)], [100], "was drawn 5 days after IV iron on 2025-11-30 (not interpretable "
        "before day 28)", "", id="R-09 TSAT"),
    pytest.param([hemoglobin("12", days_ago=95)], [100], "", "", id="R-09 hemoglobin is not touched"),
    pytest.param(
        [hemoglobin("12", method="blood-gas")], [], "", "blood-gas or capillary measurement", id="R-29 blood gas"
    ),
    pytest.param(
        [ferritin("48", days_ago=70, note="converted from pmol/L")],
        [100],
        "",
        "converted from pmol/L; drawn 30 days after IV iron (2025-11-30), fully settled only from day 56",
        id="R-05 R-09 the conversion and the caution",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("results", "doses", "why", "note"), ON_ITS_DAY)
def test_a_result_is_judged_as_on_the_day_of_its_draw(
    results: list[Result], doses: list[int], why: str, note: str
) -> None:
    (point,) = plotted(results[0].analyte, *results, doses=[given(days_ago=one) for one in doses])
    assert (point.why, point.note, point.is_usable) == (why, note, not why)
    assert (point.day, point.reference, point.status) == (results[0].day, results[0].reference, "final")


@pytest.mark.parametrize(
    ("hour", "is_usable"),
    [pytest.param(8, True, id="R-09a before the dose"), pytest.param(12, False, id="R-09 after it")],
)
def test_r_09a_on_the_day_of_the_dose_the_clock_decides(hour: int, is_usable: bool) -> None:
    (point,) = plotted("ferritin", ferritin("48", day=at(50, hour)), doses=[given(day=at(50, 10))])
    assert point.is_usable is is_usable


@pytest.mark.parametrize(
    ("mg", "why", "note"),
    [
        pytest.param("200", "", "drawn 5 days after a small dose of IV iron (2026-01-29), which can raise it",
            id="R-28b 200 mg"),
        pytest.param("201", "was drawn 5 days after IV iron on 2026-01-29 (not interpretable before day 28)", "",
            id="R-28b 201 mg"),
    ],
)  # fmt: skip
def test_r_28b_in_dialysis_a_small_dose_before_the_draw_is_a_caution(mg: str, why: str, note: str) -> None:
    small = given(SUCROSE, mg, days_ago=40)
    (point,) = plotted("ferritin", ferritin("48", days_ago=35), doses=[small], conditions=(DIALYSIS,))
    assert (point.why, point.note) == (why, note)


def test_r_28b_small_doses_after_the_draw_do_not_spoil_a_point() -> None:
    later = [given(SUCROSE, "200", days_ago=days) for days in (30, 23, 16)]
    (point,) = plotted("ferritin", ferritin("48", days_ago=35), doses=later, conditions=(DIALYSIS,))
    assert (point.why, point.note) == ("", "")


@pytest.mark.parametrize("drawn", [date(1899, 6, 10), date(1, 1, 5)])
def test_r_09_a_date_at_the_start_of_the_calendar_has_its_blackout_too(drawn: date) -> None:
    infused = drawn - timedelta(days=4)
    (point,) = plotted(
        "ferritin", ferritin("48", day=Day(drawn, drawn)), doses=[given(day=Day(infused, infused)), given(days_ago=9)]
    )
    assert point.why == f"was drawn 4 days after IV iron on {infused} (not interpretable before day 28)"


@pytest.mark.parametrize(
    ("conditions", "high", "is_usable"),
    [
        pytest.param((), "300", True, id="R-10 between 110 and 300: one zone"),
        pytest.param((DIALYSIS,), "300", False, id="R-10 R-28 in dialysis cut at 200"),
    ],
)
def test_r_10_a_censored_value_is_a_point_where_it_lies_in_one_zone(
    conditions: tuple[Any, ...], high: str, is_usable: bool
) -> None:
    value = Interval(Decimal(110), Decimal(high), True, False)
    (point,) = plotted("ferritin", lying(ferritin, value), conditions=conditions)
    assert point.is_usable is is_usable
    assert point.value == Decimal(205)


@pytest.mark.parametrize(
    ("analyte", "value", "is_usable"),
    [
        pytest.param("tsat", Interval(None, Decimal(20), False, False), True, id="R-10 TSAT below 20"),
        pytest.param("tsat", Interval(None, Decimal(46), False, False), False, id="R-10 TSAT below 46"),
        pytest.param("hemoglobin", Interval(None, Decimal(7), False, False), True, id="R-10 hemoglobin below 7"),
        pytest.param("hemoglobin", Interval(None, Decimal(12), False, False), False, id="R-10 hemoglobin below 12"),
    ],
)
def test_r_10_each_analyte_has_its_own_zones(analyte: str, value: Interval, is_usable: bool) -> None:
    (point,) = plotted(analyte, lying(partial(result, analyte), value))
    assert point.is_usable is is_usable


@pytest.mark.parametrize(
    ("made", "shown", "value", "status", "why"),
    [
        pytest.param(
            rejected("ferritin"), "12 furlong", None, "final", "cannot be used (12 furlong: unit not known)",
            id="R-05 unit not known",
        ),
        pytest.param(
            lying(ferritin, None, recorded=""), "no value", None, "final", "has no value",
            id="R-07 without a value",
        ),
        pytest.param(ferritin("48", status=None), "48 ng/mL", Decimal(48), "no status", "has no status",
            id="R-07 without status"),
        pytest.param(ferritin("48", status="preliminary"), "48 ng/mL", Decimal(48), "preliminary",
            "is preliminary: the final result is pending", id="R-07 preliminary"),
        pytest.param(rejected("ferritin", RejectedBecause.IMPLAUSIBLE, recorded="0 ng/mL"), "0 ng/mL", None, "final",
            "cannot be used (0 ng/mL: unit not known)", id="R-11 implausible"),
    ],
)  # fmt: skip
def test_what_cannot_be_used_stays_on_the_chart_with_the_reason(
    made: Result, shown: str, value: Decimal | None, status: str, why: str
) -> None:
    (point,) = plotted("ferritin", made)
    assert (point.shown, point.value, point.status, point.why) == (shown, value, status, why)
    assert (point.note, point.today) == ("", "")


# ------------------------------------------------------------------------------------------- points: what counts today


def counted(points: Sequence[Point]) -> dict[str, str]:
    return {point.shown: point.today for point in points}


@pytest.mark.parametrize("flip", [False, True])
def test_each_point_says_what_it_counts_for_today(flip: bool) -> None:
    results = [ferritin("40", days_ago=200), ferritin("44", days_ago=30), ferritin("48", days_ago=3)]
    points = plotted("ferritin", *(results[::-1] if flip else results))
    assert [point.shown for point in points] == ["40 ng/mL", "44 ng/mL", "48 ng/mL"]
    assert [point.today for point in points] == [
        "not used today: it is 200 days old (limit 90)",
        "a newer result counts today",
        "this is the value that counts today",
    ]


@pytest.mark.parametrize(
    ("analyte", "results"),
    [("tsat", [tsat("20")]), ("hemoglobin", [hemoglobin("12")]), ("ferritin", [ferritin("48")])],
)
def test_the_only_result_is_the_one_that_counts(analyte: str, results: list[Result]) -> None:
    (point,) = plotted(analyte, *results)
    assert point.today == "this is the value that counts today"


def test_r_09a_a_result_superseded_today_says_so_and_is_no_hollow_point() -> None:
    (point,) = plotted("ferritin", ferritin("48", days_ago=50), doses=[given(days_ago=40)])
    assert (point.is_usable, point.today) == (True, "not used today: it was drawn before the IV iron of 2026-01-29")


def test_two_values_of_one_observation_are_told_apart() -> None:
    shared = {"reference": "Observation/panel"}
    points = plotted("ferritin", ferritin("48", days_ago=9, **shared), ferritin("52", days_ago=3, **shared))
    assert counted(points) == {
        "48 ng/mL": "a newer result counts today",
        "52 ng/mL": "this is the value that counts today",
    }


def test_points_are_in_order_of_time_undated_ones_last() -> None:
    results = [
        ferritin("50", day=None),
        ferritin("48", days_ago=5, reference="Observation/b"),
        ferritin("48", days_ago=5, reference="Observation/a"),
        ferritin("20", days_ago=5),
        ferritin("60", day=span(20, 4)),
        ferritin("90", days_ago=300),
    ]
    points = plotted("ferritin", *results)
    assert [point.shown for point in points] == ["90 ng/mL", "20 ng/mL", "48 ng/mL", "48 ng/mL", "60 ng/mL", "50 ng/mL"]
    assert [point.reference for point in points[2:4]] == ["Observation/a", "Observation/b"]


@pytest.mark.parametrize(
    ("on", "expected"), [(None, None), (day(3), TODAY - timedelta(days=3)), (span(20, 4), TODAY - timedelta(days=4))]
)
def test_a_partial_date_is_drawn_on_its_last_day(on: Day | None, expected: date | None) -> None:
    assert last_day(on) == expected


# ---------------------------------------------------------------------------------------------- points: calculated TSAT


def iron(value: str, **changes: Any) -> Result:
    return result("iron", value, **changes)


def tibc(value: str, **changes: Any) -> Result:
    return result("tibc", value, **changes)


@pytest.mark.parametrize(
    ("reported", "expected"),
    [
        pytest.param([], ["20 %"], id="R-06 none reported"),
        pytest.param([tsat("22")], ["22 %"], id="R-06 one of the same specimen"),
        pytest.param([tsat("22", days_ago=40)], ["22 %", "20 %"], id="R-06 one of another specimen"),
        pytest.param([rejected("tsat", days_ago=10)], ["12 furlong", "20 %"], id="R-06 one that cannot be used"),
    ],
)
def test_r_06_a_reported_tsat_wins_over_a_calculated_one(reported: list[Result], expected: list[str]) -> None:
    points = plotted("tsat", iron("60"), tibc("300"), *reported)
    assert sorted(point.shown for point in points) == sorted(expected)
    calculated = [point for point in points if point.shown == "20 %"]
    assert [point.note for point in calculated] == ["calculated from iron and TIBC"] * len(calculated)
    assert all(point.is_usable for point in calculated)


def test_r_09_a_calculated_tsat_has_the_blackout_of_its_specimen() -> None:
    (point,) = plotted("tsat", iron("60"), tibc("300"), doses=[given(days_ago=12)])
    assert point.why == "was drawn 2 days after IV iron on 2026-02-26 (not interpretable before day 28)"
    assert point.value == Decimal(20)


def test_r_06_iron_and_tibc_are_no_ferritin() -> None:
    assert plotted("ferritin", iron("60"), tibc("300")) == ()


# ------------------------------------------------------------------------------------------------ points: where drawn

PLACED = [
    pytest.param("ferritin", Interval.point(Decimal(48)), "48", id="R-10 a number"),
    pytest.param("ferritin", Interval(Decimal(0), Decimal(5), False, False), "5", id="R-10 below 5"),
    pytest.param("ferritin", Interval(Decimal(1650), Decimal(100_000), False, True), "1650", id="R-10 above 1650"),
    pytest.param("ferritin", Interval(Decimal(20), Decimal(30), True, True), "25", id="R-10 between 20 and 30"),
    pytest.param("ferritin", Interval.point(Decimal(100_000)), "100000", id="R-11 the highest plausible value"),
    pytest.param("ferritin", Interval(Decimal(0), Decimal(100_000), False, True), None, id="R-11 anything plausible"),
    pytest.param("tsat", Interval(Decimal(1), Decimal(9), False, False), "9", id="R-10 TSAT below 9"),
    pytest.param("hemoglobin", Interval(Decimal(20), Decimal(25), True, True), "20", id="R-10 hemoglobin above 20"),
]


@pytest.mark.parametrize(("analyte", "value", "expected"), PLACED)
def test_r_10_a_censored_value_is_drawn_at_its_bound(analyte: str, value: Interval, expected: str | None) -> None:
    assert place(analyte, value) == (None if expected is None else Decimal(expected))


@pytest.mark.parametrize(
    ("total", "days_ago", "shown", "why"),
    [
        pytest.param("31", 40, "31 (very severe)", "", id="R-49 31"),
        pytest.param("30.0", 40, "30 (severe)", "", id="R-49 30"),
        pytest.param("12", 0, "12 (moderate)", "", id="R-49 today"),
        pytest.param("12", -1, "12 (moderate)", "is dated after today", id="R-49 tomorrow"),
    ],
)
def test_r_49_severity_totals_are_points_with_their_band(total: str, days_ago: int, shown: str, why: str) -> None:
    one = score(total, days_ago)
    (point,) = plot_severity([one], TODAY)
    assert point == Point(
        one.day, Decimal(total), shown, "final, amended or corrected", why, "", "", f"Observation/total-{total}-"
        f"{TODAY - timedelta(days=days_ago)}",
    )  # fmt: skip


def test_r_49_severity_totals_are_in_order_and_one_without_date_is_last_and_hollow() -> None:
    totals = [replace(score("9", 0), day=None), score("24", 3), score("30", 90)]
    points = plot_severity(totals, TODAY)
    assert [(point.shown, point.why) for point in points] == [
        ("30 (severe)", ""),
        ("24 (severe)", ""),
        ("9 (mild)", "has no date"),
    ]


def test_a_patient_without_anything_has_nothing_to_draw() -> None:
    chart = open_chart(PatientFacts(), TODAY)
    assert [plot_results(chart, analyte) for analyte in ("ferritin", "tsat", "hemoglobin")] == [(), (), ()]
