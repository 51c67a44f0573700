"""Shares with their 95 % interval by Wilson's score method, which holds for few cases and for shares near 0 and 1."""

from dataclasses import dataclass
from math import sqrt

Z = 1.959963984540054  # two-sided 95 %


@dataclass(frozen=True, slots=True)
class Share:
    """`count` of `of`; per cent. Nothing is known where `of` is 0."""

    count: int
    of: int

    @property
    def percent(self) -> float | None:
        return 100 * self.count / self.of if self.of else None

    @property
    def interval(self) -> tuple[float, float] | None:
        """Wilson 1927, in per cent."""
        if not self.of:
            return None
        share, square = self.count / self.of, Z * Z
        middle = share + square / (2 * self.of)
        spread = Z * sqrt(share * (1 - share) / self.of + square / (4 * self.of * self.of))
        scale = 1 + square / self.of
        low, high = (middle - spread) / scale, (middle + spread) / scale
        return (0.0 if self.count == 0 else 100 * low, 100.0 if self.count == self.of else 100 * high)

    @property
    def text(self) -> str:
        """`12.5 % (8.1 to 18.7)`."""
        if self.percent is None or self.interval is None:
            return "–"  # noqa: RUF001
        low, high = self.interval
        return f"{self.percent:.1f} % ({low:.1f} to {high:.1f})"


def is_apart(one: Share, other: Share) -> bool:
    """Whether the two intervals do not overlap: a cautious sign that the shares differ."""
    first, second = one.interval, other.interval
    return first is not None and second is not None and (first[0] > second[1] or second[0] > first[1])
