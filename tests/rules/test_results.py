"""Which of several results is used, what contradicts it, and what is said when none is left (R-13, R-13a, R-26)."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cds_service.clinical.case import Case
from cds_service.clinical.courses import Relation
from cds_service.clinical.dates import Day
from cds_service.clinical.interval import Interval
from cds_service.clinical.model import RejectedBecause, Result
from cds_service.clinical.reading import Reading, SetAsideKind
from cds_service.clinical.results import read_hemoglobin, read_phosphate
from cds_service.clinical.wording import unquote
from tests.rules.build import TODAY, day, ferritin, hemoglobin, phosphate, rejected, result, tsat
from tests.rules.chart import at, censored, chart, dose, ferritin_of, kinds, lying, read_tsat, shown, span, tsat_of

MORNING = datetime(2026, 3, 1, 8, 0, tzinfo=UTC)


# ---------------------------------------- R-13 the choice


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        pytest.param(ferritin("60", days_ago=5), ferritin("90", days_ago=6), "60", id="R-13 the later date"),
        pytest.param(ferritin("60", day=at(5, 9)), ferritin("90", day=at(5, 8)), "60", id="R-13 the later clock time"),
        pytest.param(
            ferritin("60", day=at(5, 9)), ferritin("90", day=day(5)), "90", id="R-13 one clock: cautious value"
        ),
        pytest.param(ferritin("60", days_ago=5), ferritin("90", days_ago=5), "90", id="R-13 tie: higher ferritin"),
        pytest.param(
            ferritin("60", day=at(5, 9), status="corrected"), ferritin("90", day=day(5)), "60", id="R-13 tie: by R-07"
        ),
        pytest.param(
            lying(ferritin, Interval(Decimal(300), None)), ferritin("500"), ">300", id="R-13 tie: unbounded is higher"
        ),
    ],
)
def test_r_13_the_most_recent_usable_result_is_taken(one: Result, other: Result, expected: str) -> None:
    assert shown(ferritin_of(one, other)) == expected
    assert shown(ferritin_of(other, one)) == expected


@pytest.mark.parametrize(
    ("read", "results", "expected"),
    [
        pytest.param(read_tsat, [tsat("21"), tsat("30"), tsat("22")], "30", id="R-13 tie: higher TSAT"),
        pytest.param(
            read_hemoglobin,
            [hemoglobin("12.4"), hemoglobin("12"), hemoglobin("13")],
            "12",
            id="R-13 tie: lower hemoglobin",
        ),
        pytest.param(read_phosphate, [phosphate("3.1"), phosphate("2.2")], "2.2", id="R-13 tie: lower phosphate"),
    ],
)
def test_r_13_a_tie_goes_to_the_cautious_value(
    read: Callable[[Case], Reading], results: list[Result], expected: str
) -> None:
    assert shown(read(chart(*results))) == expected
    assert shown(read(chart(*results[::-1]))) == expected


def test_r_13_a_tie_goes_to_the_result_without_a_lower_bound() -> None:
    results = [lying(hemoglobin, Interval(None, Decimal(7))), hemoglobin("6.5")]
    assert shown(read_hemoglobin(chart(*results))) == "<7"
    assert shown(read_hemoglobin(chart(*results[::-1]))) == "<7"


def test_r_13_three_results_of_one_day_of_which_one_has_no_clock_time() -> None:
    early, late, unknown = (ferritin("200", day=at(5, 8)), ferritin("60", day=at(5, 10)), ferritin("90", day=day(5)))
    assert shown(ferritin_of(early, late, unknown)) == "90"
    assert shown(ferritin_of(early, late)) == "60"


@pytest.mark.parametrize(
    ("value", "apart", "is_conflict"),
    [
        pytest.param("90", 7, True, id="R-13 another zone, 7 days apart"),
        pytest.param("90", 8, False, id="R-13 another zone, 8 days apart"),
        pytest.param("75", 7, False, id="R-13 the same zone"),
        pytest.param("75.1", 0, True, id="R-13 another zone, the same day"),
    ],
)
def test_r_13_another_result_in_another_zone_within_7_days_is_shown(value: str, apart: int, is_conflict: bool) -> None:
    other = ferritin(value, day=at(10 + apart, 7))
    reading = ferritin_of(ferritin("60", day=at(10, 8)), other)
    assert shown(reading) == "60"
    assert reading.conflicting == (other if is_conflict else None)


def test_r_13_of_several_conflicting_results_the_newest_is_shown() -> None:
    reading = ferritin_of(ferritin("60", days_ago=10), ferritin("90", days_ago=14), ferritin("150", days_ago=12))
    assert reading.conflicting is not None
    assert reading.conflicting.value == Interval.point(Decimal(150))


def test_r_13_a_set_aside_result_does_not_conflict() -> None:
    reading = ferritin_of(ferritin("60", days_ago=10), ferritin("90", days_ago=12, status="cancelled"))
    assert reading.conflicting is None


# ---------------------------------------- R-13a


@pytest.mark.parametrize(
    ("newer", "is_contradicted"),
    [
        pytest.param(rejected("ferritin", days_ago=19), True, id="R-13a a day newer, unit not known"),
        pytest.param(rejected("ferritin", RejectedBecause.IMPLAUSIBLE, days_ago=1), True, id="R-13a implausible"),
        pytest.param(rejected("ferritin", RejectedBecause.CENSORED, days_ago=1), True, id="R-13a nothing left"),
        pytest.param(censored(None, "100", days_ago=1), True, id="R-13a censored across zones"),
        pytest.param(rejected("ferritin", status="amended"), True, id="R-13a amended"),
        pytest.param(rejected("ferritin", days_ago=20), False, id="R-13a the same day without clock times"),
        pytest.param(rejected("ferritin", days_ago=21), False, id="R-13a a day older"),
        pytest.param(rejected("ferritin", days_ago=-1), False, id="R-13a dated after today"),
        pytest.param(rejected("ferritin", status="preliminary"), False, id="R-13a preliminary"),
        pytest.param(rejected("ferritin", status="cancelled"), False, id="R-13a cancelled"),
        pytest.param(rejected("ferritin", status=None), False, id="R-13a without status"),
        pytest.param(rejected("ferritin", day=None), False, id="R-13a undated"),
        pytest.param(rejected("ferritin", day=span(19, 3)), True, id="R-13a a partial date, newer for certain"),
        pytest.param(rejected("ferritin", day=span(25, 3)), True, id="R-13a a partial date, perhaps newer"),
        pytest.param(rejected("ferritin", day=span(3, -3)), False, id="R-13a a partial date, perhaps after today"),
        pytest.param(lying(ferritin, None, days_ago=1), False, id="R-13a without value"),
    ],
)
def test_r_13a_a_newer_result_that_cannot_be_read_contradicts(newer: Result, is_contradicted: bool) -> None:
    reading = ferritin_of(ferritin("60", days_ago=20), newer)
    assert reading.is_usable is not is_contradicted
    assert reading.contradicted_by == (newer if is_contradicted else None)
    assert (SetAsideKind.CONTRADICTED in kinds(reading)) is is_contradicted


@pytest.mark.parametrize(
    ("usable", "unreadable", "is_usable"),
    [
        pytest.param(at(5, 8), at(5, 9), False, id="R-13a newer by the clock"),
        pytest.param(at(5, 9), at(5, 8), True, id="R-13a older by the clock"),
        pytest.param(at(5, 9), day(5), True, id="R-13a clock time of one only"),
        pytest.param(at(5, 9), at(5, 9), True, id="R-13a the same minute"),
    ],
)
def test_r_13a_on_one_day_the_clock_tells(usable: Day, unreadable: Day, is_usable: bool) -> None:
    assert ferritin_of(ferritin("60", day=usable), rejected("ferritin", day=unreadable)).is_usable is is_usable


def test_r_13a_the_card_can_name_both() -> None:
    reading = ferritin_of(ferritin("60", days_ago=20), rejected("ferritin"))
    assert unquote(reading.why_missing) == (
        "last ferritin 2026-03-05 cannot be used (12 furlong: unit not known)"
        " and may contradict the 60 ng/mL of 2026-02-18"
    )


def test_r_13a_the_newest_unreadable_result_is_named() -> None:
    newest = rejected("ferritin", days_ago=2)
    reading = ferritin_of(ferritin("60", days_ago=20), rejected("ferritin", days_ago=4), newest)
    assert reading.contradicted_by == newest


def test_r_13a_an_older_usable_value_still_stops() -> None:
    high = Interval.at_least(Decimal(300))
    contradicted = ferritin_of(ferritin("300", days_ago=20), rejected("ferritin"))
    assert contradicted.stops_in(high)
    assert not contradicted.is_in(high)
    assert contradicted.for_stops == contradicted.stopper
    assert not ferritin_of(ferritin("299.9", days_ago=20), rejected("ferritin")).stops_in(high)
    assert not ferritin_of(rejected("ferritin")).stops_in(high)
    assert ferritin_of(ferritin("300")).stops_in(high)


def test_r_13a_an_unreadable_result_of_the_blackout_contradicts_nothing() -> None:
    before = ferritin("60", days_ago=30)
    course = [dose(20)]
    reading = ferritin_of(before, rejected("ferritin"), doses=course, course=course, relation=Relation.NEXT_DOSE)
    assert reading.chosen == before


# ---------------------------------------- R-26 the meaning of missing


@pytest.mark.parametrize(
    ("results", "changes", "words"),
    [
        pytest.param([], {}, "no ferritin in the data provided", id="R-26 absent"),
        pytest.param(
            [], {"unavailable": {"ferritin": "failed"}}, "ferritin results could not be obtained", id="3.1 failed"
        ),
        pytest.param(
            [ferritin("60", days_ago=129)], {}, "last ferritin 2025-11-01 is 129 days old (limit 90)", id="R-26 stale"
        ),
        pytest.param(
            [ferritin("60", days_ago=-1)], {}, "last ferritin 2026-03-11 is dated after today", id="R-26 future"
        ),
        pytest.param(
            [ferritin("60", days_ago=-1), ferritin("60", days_ago=100)],
            {},
            "last ferritin 2025-11-30 is 100 days old (limit 90)",
            id="R-26 the newest that says something",
        ),
        pytest.param(
            [ferritin("60", day=None), ferritin("60", days_ago=-1)],
            {},
            "last ferritin 2026-03-11 is dated after today",
            id="R-26 the newest of those that say little",
        ),
        pytest.param(
            [censored(None, "100")],
            {},
            "last ferritin 2026-02-28 spans decision limits (<100 ng/mL)",
            id="R-26 censored",
        ),
    ],
)
def test_r_26_a_missing_result_says_why(results: list[Result], changes: dict[str, Any], words: str) -> None:
    assert ferritin_of(*results, **changes).why_missing == words


@pytest.mark.parametrize(
    ("unavailable", "words"),
    [
        pytest.param({}, "no TSAT, reported or to be calculated, in the data provided", id="R-26 TSAT absent"),
        pytest.param({"iron_panel": "failed"}, "TSAT results could not be obtained", id="3.1 iron panel failed"),
        pytest.param(
            {"hemoglobin": "failed"},
            "no TSAT, reported or to be calculated, in the data provided",
            id="3.1 other query",
        ),
    ],
)
def test_r_26_a_missing_tsat_tells_absence_from_failure(unavailable: dict[str, str], words: str) -> None:
    assert tsat_of(unavailable=unavailable).why_missing == words


def test_a_usable_reading_has_value_day_and_source() -> None:
    reading = ferritin_of(ferritin("74.5"))
    assert (reading.shown, reading.day, reading.why_missing) == ("74.5 ng/mL", TODAY - timedelta(days=10), "")
    assert reading.used.reference == "Observation/ferritin-74.5-10"
    assert reading.used.day == "2026-02-28"
    assert reading.is_in(Interval.at_most(Decimal(75)))
    assert not reading.is_in(Interval.above(Decimal(75)))


def test_a_missing_reading_has_no_value() -> None:
    reading = ferritin_of()
    assert (reading.shown, reading.day, reading.for_stops) == ("", None, None)
    assert not reading.is_in(Interval(None, None))
    with pytest.raises(ValueError, match="ferritin has no usable value"):
        _ = reading.value


# ---------------------------------------- the order of resources never matters


@st.composite
def _charts(draw: st.DrawFn) -> list[Result]:
    """A handful of results close to each other, so that ties, replacements and contradictions happen often."""
    made: list[Result] = []
    for number in range(draw(st.integers(2, 6))):
        analyte = draw(st.sampled_from(["tsat", "tsat", "iron", "tibc", "transferrin"]))
        ago = draw(st.sampled_from([5, 5, 6, 89, 90, 91]))
        when = draw(st.sampled_from([day(ago), at(ago, 8), at(ago, 20), span(ago + 3, ago), span(ago + 1, ago)]))
        value = draw(st.sampled_from(["19", "20", "44", "45", "60"])) if analyte == "tsat" else str(ago + 100 * number)
        one = result(
            analyte,
            value,
            day=when,
            status=draw(st.sampled_from(["final", "final", "corrected", "preliminary", None])),
            issued=draw(st.sampled_from([None, MORNING, MORNING + timedelta(hours=1)])),
            reference=f"Observation/{number}",
        )
        if draw(st.integers(0, 5)) == 0:
            one = rejected(analyte, day=when, reference=f"Observation/{number}")
        made.append(one)
    return made


@settings(max_examples=200, deadline=None)
@given(_charts(), st.randoms(use_true_random=False))
def test_r_13_the_order_of_resources_never_matters(results: list[Result], random: Random) -> None:
    reading = tsat_of(*results, doses=[dose(60)])
    shuffled = list(results)
    random.shuffle(shuffled)
    assert tsat_of(*shuffled, doses=[dose(60)]) == reading
    assert reading.is_usable == (reading.why_missing == "")
