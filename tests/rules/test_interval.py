"""Intervals: which values a zone holds at its ends, what two have in common, and how they read (section 0, R-10)."""

from dataclasses import FrozenInstanceError
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cds_service.clinical.interval import Interval

D = Decimal
GREY = Interval.between(D(75), D(100), low_closed=False, high_closed=True)  # (75, 100]
MIDDLE = Interval.between(D(20), D(45), low_closed=True, high_closed=False)  # [20, 45)
FEW = settings(max_examples=60, deadline=None, database=None)


@pytest.mark.parametrize(
    ("zone", "value", "expected"),
    [
        (Interval.at_most(D(75)), "74.9", True),
        (Interval.at_most(D(75)), "75", True),
        (Interval.at_most(D(75)), "75.000", True),
        (Interval.at_most(D(75)), "75.0000000000000000001", False),
        (Interval.below(D(20)), "19.9", True),
        (Interval.below(D(20)), "20", False),
        (Interval.above(D(5)), "5", False),
        (Interval.above(D(5)), "5.01", True),
        (Interval.at_least(D(300)), "299.9", False),
        (Interval.at_least(D(300)), "300", True),
        (Interval.point(D("12.5")), "12.5", True),
        (Interval.point(D("12.5")), "12.51", False),
        (GREY, "75", False),
        (GREY, "75.1", True),
        (GREY, "100", True),
        (GREY, "100.1", False),
        (MIDDLE, "19.9", False),
        (MIDDLE, "20", True),
        (MIDDLE, "44.9", True),
        (MIDDLE, "45", False),
        (Interval(), "-1", True),
    ],
)
def test_an_end_belongs_to_a_zone_only_if_it_is_closed(zone: Interval, value: str, expected: bool) -> None:
    assert zone.contains(D(value)) is expected
    assert Interval.point(D(value)).is_within(zone) is expected


@pytest.mark.parametrize(
    ("inner", "outer", "expected"),
    [
        pytest.param(Interval.below(D(5)), Interval.at_most(D(75)), True, id="R-10 <5 is up to 75"),
        pytest.param(Interval.above(D(1650)), Interval.at_least(D(300)), True, id="R-10 >1650 is 300 or more"),
        pytest.param(Interval.below(D(100)), Interval.at_most(D(75)), False, id="R-10 <100 spans zones"),
        pytest.param(Interval.below(D(75)), Interval.at_most(D(75)), True, id="open end in closed end"),
        pytest.param(Interval.at_most(D(75)), Interval.below(D(75)), False, id="closed end in open end"),
        pytest.param(Interval.at_least(D(45)), Interval.above(D(45)), False, id="closed start in open start"),
        pytest.param(Interval.above(D(45)), Interval.at_least(D(45)), True, id="open start in closed start"),
        pytest.param(Interval.at_least(D(45)), GREY, False, id="unbounded in bounded"),
        pytest.param(GREY, GREY, True, id="itself"),
        pytest.param(GREY, Interval(), True, id="anything in everything"),
        pytest.param(Interval(), GREY, False, id="everything in something"),
    ],
)
def test_within_means_all_of_it(inner: Interval, outer: Interval, expected: bool) -> None:
    assert inner.is_within(outer) is expected


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        pytest.param(
            Interval.below(D(5)),
            Interval.between(D(0), D(100_000), low_closed=False, high_closed=True),
            Interval.between(D(0), D(5), low_closed=False, high_closed=False),
            id="R-10 <5 cut to the plausible ferritins",
        ),
        pytest.param(
            Interval.below(D(1)),
            Interval.between(D(1), D(100), low_closed=False, high_closed=True),
            None,
            id="R-10 nothing is left of TSAT <1",
        ),
        pytest.param(Interval.at_most(D(1)), Interval.above(D(1)), None, id="one closed, one open end: nothing"),
        pytest.param(
            Interval.at_most(D(1)), Interval.at_least(D(1)), Interval.point(D(1)), id="two closed ends: a point"
        ),
        pytest.param(
            Interval.below(D(2)), Interval.at_most(D(2)), Interval.below(D(2)), id="the open end is the tighter"
        ),
        pytest.param(
            Interval.above(D(2)), Interval.at_least(D(2)), Interval.above(D(2)), id="the open start is the tighter"
        ),
        pytest.param(GREY, Interval(), GREY, id="everything takes nothing away"),
        pytest.param(GREY, Interval.above(D(100)), None, id="apart"),
    ],
)
def test_cut_is_what_both_hold(one: Interval, other: Interval, expected: Interval | None) -> None:
    assert one.cut(other) == expected
    assert other.cut(one) == expected


@pytest.mark.parametrize(
    ("made", "expected"),
    [
        pytest.param(Interval.point(D(5)), Interval(D(5), D(5), True, True), id="R-10 a number"),
        pytest.param(Interval.at_most(D(5)), Interval(None, D(5), False, True), id="R-10 <=5"),
        pytest.param(Interval.below(D(5)), Interval(None, D(5), False, False), id="R-10 <5"),
        pytest.param(Interval.at_least(D(5)), Interval(D(5), None, True, False), id="R-10 >=5"),
        pytest.param(Interval.above(D(5)), Interval(D(5), None, False, False), id="R-10 >5"),
        pytest.param(Interval(), Interval(None, None, False, False), id="R-10 any value"),
        pytest.param(GREY, Interval(D(75), D(100), False, True), id="R-23 (75, 100]"),
        pytest.param(MIDDLE, Interval(D(20), D(45), True, False), id="R-22 [20, 45)"),
    ],
)
def test_an_end_without_bound_is_open_so_that_equal_intervals_are_equal(made: Interval, expected: Interval) -> None:
    assert made == expected


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        pytest.param(Interval.at_least(D(1)), Interval.at_least(D(2)), Interval.at_least(D(2)), id="R-10 later start"),
        pytest.param(Interval.at_most(D(1)), Interval.at_most(D(2)), Interval.at_most(D(1)), id="R-10 earlier end"),
        pytest.param(Interval.at_least(D(2)), Interval.at_least(D(2)), Interval.at_least(D(2)), id="R-10 same start"),
        pytest.param(Interval.at_most(D(2)), Interval.at_most(D(2)), Interval.at_most(D(2)), id="R-10 same end"),
        pytest.param(Interval.above(D(1)), Interval.at_least(D(2)), Interval.at_least(D(2)), id="R-10 closed start"),
        pytest.param(Interval.at_least(D(1)), Interval.above(D(2)), Interval.above(D(2)), id="R-10 open start"),
        pytest.param(Interval.below(D(3)), Interval.at_most(D(2)), Interval.at_most(D(2)), id="R-10 closed end"),
        pytest.param(Interval.at_most(D(3)), Interval.below(D(2)), Interval.below(D(2)), id="R-10 open end"),
        pytest.param(Interval.above(D(2)), Interval.at_most(D(2)), None, id="R-10 open start on a closed end"),
        pytest.param(Interval.at_least(D(2)), Interval.below(D(2)), None, id="R-10 closed start on an open end"),
        pytest.param(Interval.above(D(2)), Interval.below(D(2)), None, id="R-10 two open ends"),
        pytest.param(Interval.at_least(D(3)), Interval.at_most(D(2)), None, id="R-10 apart"),
        pytest.param(Interval(), Interval(), Interval(), id="R-10 everything"),
    ],
)
def test_cut_takes_the_tighter_end_and_keeps_what_belongs_to_it(
    one: Interval, other: Interval, expected: Interval | None
) -> None:
    assert one.cut(other) == expected
    assert other.cut(one) == expected


@pytest.mark.parametrize(
    ("interval", "text", "words"),
    [
        (GREY, "(75, 100]", "over 75 and up to 100"),
        (MIDDLE, "[20, 45)", "20 or more and below 45"),
        (Interval.at_most(D(75)), "(..., 75]", "up to 75"),
        (Interval.below(D("2.5")), "(..., 2.5)", "below 2.5"),
        (Interval.at_least(D(300)), "[300, ...)", "300 or more"),
        (Interval.above(D(5)), "(5, ...)", "over 5"),
        (Interval.point(D("12.5")), "[12.5, 12.5]", "12.5"),
        (Interval.at_most(D("1E+5")), "(..., 100000]", "up to 100000"),
        (Interval(), "(..., ...)", "any value"),
    ],
)
def test_an_interval_reads_as_in_the_rule_book_and_in_words(interval: Interval, text: str, words: str) -> None:
    assert interval.text() == text
    assert interval.words() == words


def test_scaling_moves_both_ends_and_keeps_what_belongs_to_them() -> None:
    assert GREY.scaled(D("2.247")) == Interval.between(D("168.525"), D("224.7"), low_closed=False, high_closed=True)
    assert Interval.at_most(D(75)).scaled(D(10)) == Interval.at_most(D(750))
    assert Interval.at_least(D(45)).scaled(D("0.01")) == Interval.at_least(D("0.45"))
    assert MIDDLE.scaled(D(1)) == MIDDLE
    assert Interval().scaled(D(2)) == Interval()


@pytest.mark.parametrize("factor", ["0", "-1", "-0.5"])
def test_scaling_by_no_positive_factor_is_refused(factor: str) -> None:
    with pytest.raises(ValueError, match="positive factor"):
        GREY.scaled(D(factor))


def test_a_point_is_known_as_one_however_it_is_written() -> None:
    assert Interval(D("75"), D("75.0"), True, True).is_point
    assert not GREY.is_point
    assert not Interval().is_point


def test_a_zone_cannot_be_changed() -> None:
    with pytest.raises(FrozenInstanceError):
        GREY.low = D(0)  # type: ignore[misc]


_NUMBERS = st.integers(-4, 4).map(D)


@st.composite
def intervals(draw: st.DrawFn) -> Interval:
    low, high = sorted((draw(_NUMBERS), draw(_NUMBERS)))
    if low == high:
        return Interval.point(low)
    return Interval(
        draw(st.sampled_from((low, None))),
        draw(st.sampled_from((high, None))),
        draw(st.booleans()),
        draw(st.booleans()),
    )


@FEW
@given(intervals(), intervals(), st.integers(-10, 10).map(lambda half: D(half) / 2))
def test_a_value_is_in_the_cut_exactly_if_it_is_in_both(one: Interval, other: Interval, value: Decimal) -> None:
    cut = one.cut(other)
    assert (cut is not None and cut.contains(value)) is (one.contains(value) and other.contains(value))


@FEW
@given(intervals(), intervals(), st.integers(-10, 10).map(lambda half: D(half) / 2))
def test_what_is_within_an_interval_has_no_value_outside_it(one: Interval, other: Interval, value: Decimal) -> None:
    if one.is_within(other) and one.contains(value):
        assert other.contains(value)
    assert one.is_within(other) is (one.cut(other) in (one, _unbounded_ends_open(one)))


def _unbounded_ends_open(one: Interval) -> Interval:
    """An unbounded end has nothing to close, whatever the flag says."""
    return Interval(one.low, one.high, one.low_closed and one.low is not None, one.high_closed and one.high is not None)
