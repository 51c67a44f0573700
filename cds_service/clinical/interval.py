"""Intervals of decimal numbers: clinical zones as data, and censored results as what they may be (section 0, R-10)."""

from dataclasses import dataclass
from decimal import Decimal


@dataclass(frozen=True, slots=True)
class Interval:
    """`None` is unbounded. A closed end belongs to the interval (`[`), an open one does not (`(`)."""

    low: Decimal | None = None
    high: Decimal | None = None
    low_closed: bool = False
    high_closed: bool = False

    @classmethod
    def point(cls, value: Decimal) -> "Interval":
        return cls(value, value, True, True)

    @classmethod
    def at_most(cls, high: Decimal) -> "Interval":
        return cls(None, high, False, True)

    @classmethod
    def below(cls, high: Decimal) -> "Interval":
        return cls(None, high, False, False)

    @classmethod
    def at_least(cls, low: Decimal) -> "Interval":
        return cls(low, None, True, False)

    @classmethod
    def above(cls, low: Decimal) -> "Interval":
        return cls(low, None, False, False)

    @classmethod
    def between(cls, low: Decimal, high: Decimal, *, low_closed: bool, high_closed: bool) -> "Interval":
        return cls(low, high, low_closed, high_closed)

    @property
    def is_point(self) -> bool:
        return self.low is not None and self.low == self.high

    def contains(self, value: Decimal) -> bool:
        if self.low is not None and (value < self.low or (value == self.low and not self.low_closed)):
            return False
        return self.high is None or value < self.high or (value == self.high and self.high_closed)

    def is_within(self, other: "Interval") -> bool:
        """All of this interval lies in `other`."""
        low, high = self.low, self.high
        if other.low is not None:
            if low is None or low < other.low:
                return False
            if low == other.low and self.low_closed and not other.low_closed:
                return False
        if other.high is not None:
            if high is None or high > other.high:
                return False
            if high == other.high and self.high_closed and not other.high_closed:
                return False
        return True

    def cut(self, other: "Interval") -> "Interval | None":
        """What both have in common; None when nothing."""
        low, low_closed = self.low, self.low_closed
        if other.low is not None and (low is None or other.low > low):
            low, low_closed = other.low, other.low_closed
        elif other.low is not None and other.low == low:
            low_closed = low_closed and other.low_closed
        high, high_closed = self.high, self.high_closed
        if other.high is not None and (high is None or other.high < high):
            high, high_closed = other.high, other.high_closed
        elif other.high is not None and other.high == high:
            high_closed = high_closed and other.high_closed
        if low is not None and high is not None and (low > high or (low == high and not (low_closed and high_closed))):
            return None
        return Interval(low, high, low_closed, high_closed)

    def scaled(self, factor: Decimal) -> "Interval":
        """The same in a unit whose numbers are `factor` times as large; ValueError unless `factor` is positive."""
        if factor <= 0:
            raise ValueError(f"an interval can be scaled only by a positive factor, not by {factor}")
        low = None if self.low is None else self.low * factor
        high = None if self.high is None else self.high * factor
        return Interval(low, high, self.low_closed, self.high_closed)

    def text(self) -> str:
        """Mathematical form: `(75, 100]`, `[300, ...)`."""
        start = "(..." if self.low is None else f"{'[' if self.low_closed else '('}{self.low:f}"
        end = "...)" if self.high is None else f"{self.high:f}{']' if self.high_closed else ')'}"
        return f"{start}, {end}"

    def words(self) -> str:
        """`over 75 and up to 100`, `below 20`, `45 or more`."""
        if self.low is not None and self.is_point:
            return f"{self.low:f}"
        low = "" if self.low is None else f"{self.low:f} or more" if self.low_closed else f"over {self.low:f}"
        high = "" if self.high is None else f"up to {self.high:f}" if self.high_closed else f"below {self.high:f}"
        return " and ".join(part for part in (low, high) if part) or "any value"
