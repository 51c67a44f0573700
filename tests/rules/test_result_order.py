"""In which order results stand, what breaks a tie, and how far apart partial dates are (R-08a, R-13, R-27)."""

from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from itertools import permutations

import pytest

from cds_service.clinical.dates import Day
from cds_service.clinical.interval import Interval
from cds_service.clinical.model import Result
from cds_service.clinical.reading import SetAside, SetAsideKind, show_day, use_result
from cds_service.clinical.results import read_crp, read_hemoglobin
from cds_service.clinical.selection import days_apart, is_newer, is_surely_newer, sort_newest_first
from cds_service.clinical.wording import unquote
from tests.rules.build import TODAY, crp, day, ferritin, hemoglobin, rejected
from tests.rules.chart import at, chart, ferritin_of, kinds, lying, shown, span


def aside(kind: SetAsideKind = SetAsideKind.STALE, **changes: object) -> SetAside:
    return SetAside(ferritin("60", **{"reference": "Observation/1", **changes}), "is not used", kind)


# ----------------------------------------------------------------------------------- results that are not used


@pytest.mark.parametrize(
    ("first", "second"),
    [
        pytest.param(aside(days_ago=100), aside(days_ago=101), id="R-13 the later date first"),
        pytest.param(aside(days_ago=100), aside(day=span(130, 100)), id="R-13 the span that begins later first"),
        pytest.param(aside(day=span(110, 99)), aside(days_ago=100), id="R-13 the span that ends later first"),
        pytest.param(aside(day=at(100, 9)), aside(day=at(100, 8)), id="R-13 the later clock time first"),
        pytest.param(aside(day=at(100, 0, 1)), aside(days_ago=100), id="R-13 without clock time last of its day"),
        pytest.param(aside(days_ago=100), aside(day=at(101, 23)), id="R-13 the date goes before the clock"),
        pytest.param(aside(days_ago=3000), aside(day=None), id="R-08a undated last"),
    ],
)
def test_r_26_set_aside_results_are_listed_newest_first(first: SetAside, second: SetAside) -> None:
    assert sort_newest_first([first, second]) == (first, second)
    assert sort_newest_first([second, first]) == (first, second)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        pytest.param(aside(), aside(reference="Observation/2"), id="R-13 two resources"),
        pytest.param(aside(), aside(recorded="60.0 ng/mL"), id="R-13 two spellings"),
        pytest.param(aside(status="cancelled"), aside(status="unknown"), id="R-13 two states"),
        pytest.param(aside(status=None), aside(status="unknown"), id="R-13 no status and one"),
        pytest.param(aside(day=None), aside(day=None, reference="Observation/2"), id="R-13 two undated ones"),
        pytest.param(aside(), aside(SetAsideKind.SUPERSEDED), id="R-13 two reasons"),
    ],
)
def test_r_13_set_aside_results_of_one_time_have_one_order(one: SetAside, other: SetAside) -> None:
    assert sort_newest_first([one, other]) == sort_newest_first([other, one])


def test_r_13_an_unreadable_result_contradicts_by_its_own_age_whatever_stands_beside_it() -> None:
    newest, older = rejected("ferritin", day=at(2, 10)), rejected("ferritin", day=at(2, 8))
    for results in permutations((ferritin("60", days_ago=20), newest, older)):
        assert ferritin_of(*results).contradicted_by == newest


# ----------------------------------------------------------------------------------- ties


@pytest.mark.parametrize(
    ("one", "other"),
    [
        pytest.param({"reference": "Observation/a"}, {"reference": "Observation/b"}, id="R-13 by the resource"),
        pytest.param({"recorded": "60 ng/mL"}, {"recorded": "60.0 ng/mL"}, id="R-13 then by the spelling"),
    ],
)
def test_r_13_of_equal_values_always_the_same_result_is_named(one: dict[str, str], other: dict[str, str]) -> None:
    first, second = ferritin("60", reference="x"), ferritin("60", reference="x")
    pair = [_with(first, **one), _with(second, **other)]
    assert ferritin_of(*pair).chosen == ferritin_of(*pair[::-1]).chosen
    lows = [_with(hemoglobin("12", reference="x"), **one), _with(hemoglobin("12", reference="x"), **other)]
    assert read_hemoglobin(chart(*lows)).chosen == read_hemoglobin(chart(*lows[::-1])).chosen


def _with(result: Result, **changes: str) -> Result:
    return replace(result, **changes)


@pytest.mark.parametrize(
    ("results", "expected"),
    [
        pytest.param(
            [lying(hemoglobin, Interval(None, Decimal(7))), lying(hemoglobin, Interval(Decimal(3), Decimal(7)))],
            "<7",
            id="R-13 unbounded below goes before a bound",
        ),
        pytest.param(
            [hemoglobin("12.9", reference="Observation/a"), hemoglobin("12.6", reference="Observation/b")],
            "12.6",
            id="R-13 the lowest, whatever its id",
        ),
        pytest.param(
            [hemoglobin("7", reference="Observation/a"), lying(hemoglobin, Interval(None, Decimal(7)), reference="z")],
            "<7",
            id="R-13 unbounded below, whatever its id",
        ),
    ],
)
def test_r_13_of_one_day_the_lowest_hemoglobin_is_used(results: list[Result], expected: str) -> None:
    for order in permutations(results):
        assert shown(read_hemoglobin(chart(*order))) == expected


@pytest.mark.parametrize(
    ("results", "expected"),
    [
        pytest.param(
            [ferritin("60", reference="Observation/a"), ferritin("70", reference="Observation/b")],
            "70",
            id="R-13 the highest ferritin, whatever its id",
        ),
        pytest.param(
            [ferritin("70", reference="Observation/a"), ferritin("60", reference="Observation/b")],
            "70",
            id="R-13 the highest ferritin, ids the other way round",
        ),
        pytest.param(
            [ferritin("60", days_ago=20), ferritin("70", day=span(40, 20))],
            "60",
            id="R-13 the exact date before a span",
        ),
        pytest.param([ferritin("60", day=span(40, 20)), ferritin("70", day=span(50, 21))], "60", id="R-13 later end"),
        pytest.param([ferritin("60", day=at(20, 8)), ferritin("70", day=span(40, 20))], "60", id="R-13 clock and span"),
        pytest.param(
            [ferritin("60", day=at(20, 8)), ferritin("70", days_ago=20), ferritin("74", day=at(20, 7))],
            "70",
            id="R-13 older by the clock is out, without clock stays",
        ),
    ],
)
def test_r_13_of_one_last_day_the_newest_is_used(results: list[Result], expected: str) -> None:
    for order in permutations(results):
        assert shown(ferritin_of(*order)) == expected


# ----------------------------------------------------------------------------------- newer, or surely newer


@pytest.mark.parametrize(
    ("one", "other", "newer", "surely"),
    [
        pytest.param(day(5), day(6), True, True, id="R-13 a day later"),
        pytest.param(day(6), day(5), False, False, id="R-13 a day earlier"),
        pytest.param(day(5), day(5), False, False, id="R-13 the same day"),
        pytest.param(at(5, 9), at(5, 8), True, True, id="R-13 an hour later"),
        pytest.param(at(5, 8), at(5, 8), False, False, id="R-13 the same minute"),
        pytest.param(at(5, 9), day(5), False, False, id="R-13 one clock time only"),
        pytest.param(day(5), at(5, 8), False, False, id="R-13 the other clock time only"),
        pytest.param(span(9, 4), day(5), True, False, id="R-08a perhaps later"),
        pytest.param(span(9, 4), span(8, 5), True, False, id="R-08a spans that overlap"),
        pytest.param(span(6, 4), span(9, 7), True, True, id="R-08a spans apart"),
        pytest.param(span(6, 4), day(6), True, True, id="R-08a begins on the day of the other"),
        pytest.param(None, day(6), False, False, id="R-08a undated"),
        pytest.param(day(6), None, False, False, id="R-08a the other undated"),
    ],
)
def test_r_13_a_result_is_newer_than_another(one: Day | None, other: Day | None, newer: bool, surely: bool) -> None:
    mine, theirs = ferritin("60", day=one), ferritin("60", day=other)
    assert is_newer(mine, theirs) is newer
    assert is_surely_newer(mine, theirs) is surely


# ----------------------------------------------------------------------------------- days apart


@pytest.mark.parametrize(
    ("one", "other", "apart"),
    [
        pytest.param(day(10), day(17), 7, id="R-13 seven days"),
        pytest.param(day(17), day(10), 7, id="R-13 seven days the other way"),
        pytest.param(day(10), day(10), 0, id="R-13 the same day"),
        pytest.param(day(10), span(18, 12), 8, id="R-08a the farthest day of an earlier span"),
        pytest.param(day(20), span(18, 12), 8, id="R-08a the farthest day of a later span"),
        pytest.param(span(18, 12), span(9, 3), 15, id="R-08a from end to end of two spans"),
        pytest.param(span(18, 12), span(18, 12), 6, id="R-08a two spans of the same days"),
    ],
)
def test_r_08a_partial_dates_are_as_far_apart_as_they_may_be(one: Day, other: Day, apart: int) -> None:
    assert days_apart(ferritin("60", day=one), ferritin("60", day=other)) == apart
    assert days_apart(ferritin("60", day=other), ferritin("60", day=one)) == apart


@pytest.mark.parametrize(("one", "other"), [(None, day(5)), (day(5), None), (None, None)])
def test_r_08a_an_undated_result_is_at_no_distance(one: Day | None, other: Day | None) -> None:
    with pytest.raises(ValueError, match="undated"):
        days_apart(ferritin("60", day=one), ferritin("60", day=other))


@pytest.mark.parametrize(
    ("other", "is_conflict"),
    [
        pytest.param(span(17, 12), True, id="R-13 a span at most 7 days away"),
        pytest.param(span(18, 12), False, id="R-13 a span that may be 8 days away"),
    ],
)
def test_r_13_a_partial_date_conflicts_only_if_all_its_days_are_near(other: Day, is_conflict: bool) -> None:
    partial = ferritin("90", day=other)
    assert ferritin_of(ferritin("60"), partial).conflicting == (partial if is_conflict else None)


@pytest.mark.parametrize(
    ("drawn", "others", "expected"),
    [
        pytest.param(day(40), [crp("8", day=span(49, 31)), crp("2", days_ago=50)], "8", id="R-27 9 days before 10"),
        pytest.param(day(40), [crp("8", days_ago=31), crp("2", days_ago=50)], "8", id="R-27 9 days after, 10 before"),
        pytest.param(day(40), [crp("2", day=span(50, 41)), crp("8", days_ago=31)], "8", id="R-27 the farthest day"),
        pytest.param(
            span(45, 40), [crp("8", days_ago=49), crp("2", days_ago=35)], "8", id="R-27 from a ferritin of some days"
        ),
        pytest.param(day(40), [crp("8", days_ago=40), rejected("crp", days_ago=35)], "8", id="R-13a farther: no"),
        pytest.param(day(30), [crp("8", days_ago=36), rejected("crp", days_ago=24)], None, id="R-13a as near, newer"),
    ],
)
def test_r_27_the_nearest_crp_counts(drawn: Day, others: list[Result], expected: str | None) -> None:
    beside = ferritin_of(ferritin("80", day=drawn))
    for order in permutations(others):
        assert shown(read_crp(chart(*order, ferritin=beside))) == expected


def test_r_27_a_crp_is_read_around_a_ferritin_of_some_days() -> None:
    beside = ferritin_of(ferritin("80", day=span(45, 40)))
    for drawn, is_usable in ((15, True), (14, False), (70, True), (71, False)):
        reading = read_crp(chart(crp("8", days_ago=drawn), ferritin=beside))
        assert reading.is_usable is is_usable
        assert kinds(reading) == [SetAsideKind.STALE] * (not is_usable)
    late = read_crp(chart(crp("8", days_ago=14), ferritin=beside))
    assert late.why_missing == (f"last CRP {TODAY - timedelta(days=14)} was drawn 31 days from the ferritin (limit 30)")


# ----------------------------------------------------------------------------------- partial dates in other zones


@pytest.mark.parametrize(
    ("results", "vague"),
    [
        pytest.param([ferritin("60", day=span(40, 20)), ferritin("80", day=span(60, 41))], 0, id="R-08a one before"),
        pytest.param([ferritin("60", day=span(40, 20)), ferritin("80", day=span(60, 40))], 0, id="R-08a they touch"),
        pytest.param([ferritin("60", day=span(40, 20)), ferritin("80", day=span(60, 39))], 2, id="R-08a they overlap"),
        pytest.param([ferritin("60", day=span(40, 20)), ferritin("80", day=span(35, 25))], 2, id="R-08a one within"),
        pytest.param([ferritin("60", day=span(40, 20)), ferritin("70", day=span(35, 25))], 0, id="R-08a the same zone"),
        pytest.param([ferritin("60", day=span(40, 20)), ferritin("80", days_ago=39)], 1, id="R-08a near its start"),
        pytest.param([ferritin("60", day=span(40, 20)), ferritin("80", days_ago=21)], 1, id="R-08a near its end"),
        pytest.param(
            [ferritin("60", day=span(40, 20)), ferritin("65", days_ago=30), ferritin("80", days_ago=50)],
            0,
            id="R-08a none of another zone within",
        ),
    ],
)
def test_r_08a_a_partial_date_is_too_vague_only_around_another_answer(results: list[Result], vague: int) -> None:
    for order in permutations(results):
        assert kinds(ferritin_of(*order)) == [SetAsideKind.IMPRECISE] * vague


def test_r_08a_the_reason_names_the_span() -> None:
    reading = ferritin_of(ferritin("60", day=span(40, 20)), ferritin("80", days_ago=30))
    assert reading.set_aside[0].why == (
        "is dated 2026-01-29 to 2026-02-18 only, so it may be older or newer than another result"
    )


# ----------------------------------------------------------------------------------- contradicted


def test_r_13a_a_contradicted_result_says_by_what_and_since_when() -> None:
    reading = ferritin_of(ferritin("60", days_ago=20), rejected("ferritin"))
    (why,) = (one.why for one in reading.set_aside if one.kind is SetAsideKind.CONTRADICTED)
    assert unquote(why) == ("is older than a result of 2026-03-05 that cannot be used (12 furlong: unit not known)")
    assert reading.stopper == ferritin("60", days_ago=20)


@pytest.mark.parametrize(
    "beside",
    [
        pytest.param(ferritin("70", days_ago=1, status="preliminary"), id="R-13a beside a newer one that is pending"),
        pytest.param(ferritin("70", day=span(95, 1)), id="R-13a beside a newer one that is too vague"),
    ],
)
def test_r_13a_the_reason_names_the_result_that_contradicts(beside: Result) -> None:
    reading = ferritin_of(ferritin("60", days_ago=20), rejected("ferritin"), beside)
    assert unquote(reading.why_missing) == (
        "last ferritin 2026-03-05 cannot be used (12 furlong: unit not known)"
        " and may contradict the 60 ng/mL of 2026-02-18"
    )


def test_r_13a_a_result_that_is_used_is_no_mere_stopper() -> None:
    reading = ferritin_of(ferritin("60"))
    assert (reading.chosen, reading.stopper, reading.contradicted_by) == (ferritin("60"), None, None)
    nothing = ferritin_of(rejected("ferritin"))
    assert (nothing.chosen, nothing.stopper, nothing.contradicted_by) == (None, None, None)


@pytest.mark.parametrize(
    ("drawn", "shown_day"),
    [
        pytest.param(day(10), "2026-02-28", id="R-08a a date"),
        pytest.param(span(36, 10), "2026-02-02 to 2026-02-28", id="R-08a some days"),
        pytest.param(Day(date(2026, 2, 1), date(2026, 2, 28)), "2026-02", id="R-08a a month"),
        pytest.param(None, "", id="R-08a undated"),
    ],
)
def test_r_54_a_result_in_the_trace_carries_its_day_as_far_as_it_is_known(drawn: Day | None, shown_day: str) -> None:
    used = use_result(ferritin("60", day=drawn))
    assert (used.name, used.shown, used.reference, used.day) == (
        "ferritin",
        "60 ng/mL",
        "Observation/ferritin-60-10",
        shown_day,
    )
    assert show_day(drawn) == shown_day
