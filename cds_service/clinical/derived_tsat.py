"""Transferrin saturation calculated from iron and the binding capacity of the same specimen (R-06)."""

from bisect import bisect_left
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import date, datetime, time, timedelta
from decimal import Context, Decimal
from typing import TypeVar

from cds_service.clinical.dates import Day
from cds_service.clinical.interval import Interval
from cds_service.clinical.model import RejectedBecause, Result
from cds_service.clinical.reading import NAMES
from cds_service.clinical.screening import PRELIMINARY, drop_replaced, is_report
from cds_service.clinical.units import PLAUSIBLE
from cds_service.clinical.zones import TSAT_INDETERMINATE_HIGH, TSAT_INDETERMINATE_LOW

SPECIMEN = timedelta(hours=24)  # draws at most so far apart are one specimen
TIBC_PER_TRANSFERRIN = Decimal("1.25")  # ug/dL of TIBC per mg/dL of transferrin; last resort
# In this order of preference.
BINDING = ("tibc", "uibc", "transferrin")
_BANDS = (TSAT_INDETERMINATE_LOW, TSAT_INDETERMINATE_HIGH)
# Iron and TIBC in umol/L were both divided by the same factor, to 28 digits: 20 digits give the exact quotient back.
_EXACT = Context(prec=20)
_HUNDRED = Decimal(100)


def is_one_specimen(one: Day | None, other: Day | None) -> bool:
    """Draws at most 24 h apart, or on one calendar day; without clock times two days are not shown to be one."""
    if one is None or other is None or not one.is_exact or not other.is_exact:
        return False
    if one.clock is None or other.clock is None:
        return one.first == other.first
    return abs(_moment(one, one.clock) - _moment(other, other.clock)) <= SPECIMEN


def derive_tsat(results: Mapping[str, tuple[Result, ...]], reported: Iterable[Result] = ()) -> list[Result]:
    """One TSAT per iron result with a binding capacity from its specimen; of unreadable parts an unreadable TSAT.

    None of a specimen of which `reported` has a TSAT.
    """
    if not results.get("iron"):
        return []
    known = _Draws(reported)
    kinds: dict[tuple[bool, bool, int], list[Result]] = {}
    for place, analyte in enumerate(BINDING):
        for mate in _find_parts(results.get(analyte, ())):
            kinds.setdefault((_is_unreadable(mate), mate.status == PRELIMINARY, place), []).append(mate)
    mates = [_Draws(kinds[kind]) for kind in sorted(kinds)]
    derived = []
    for iron in _find_parts(results["iron"]):
        if iron.day is None or not iron.day.is_exact or known.find(iron.day):
            continue
        found = (kind.find(iron.day) for kind in mates)  # by kind first, then by distance
        if nearest := next(filter(None, found), None):
            derived.append(_derive(iron, nearest))
    return derived


def _find_parts(results: Iterable[Result]) -> list[Result]:
    """Reports that R-07 lets stand, preliminary ones too: what they give is pending."""
    kept, _ = drop_replaced(list(results))
    return [result for result in kept if is_report(result)]


def _is_unreadable(result: Result) -> bool:
    return result.value is None or result.rejected is not None


class _Draws:
    """Results of one kind by the time of their draw: that of a specimen is found without looking at all of them."""

    def __init__(self, results: Iterable[Result]) -> None:
        self.of_day: dict[date, Result] = {}
        self.untimed: dict[date, Result] = {}
        self.timed: dict[datetime, Result] = {}
        for result in results:
            if (day := result.day) is None or not day.is_exact:
                continue
            _keep_better(self.of_day, day.first, result)
            if day.clock is None:
                _keep_better(self.untimed, day.first, result)
            else:
                _keep_better(self.timed, _moment(day, day.clock), result)
        self.moments = sorted(self.timed)

    def find(self, day: Day) -> Result | None:
        """The nearest of the specimen drawn on this exact `day`, then the one that gives the higher TSAT (R-13)."""
        if day.clock is None:  # no distance is known within a day
            return self.of_day.get(day.first)
        drawn = _moment(day, day.clock)
        place = bisect_left(self.moments, drawn)
        near = [(abs(one - drawn), self.timed[one]) for one in self.moments[max(place - 1, 0) : place + 1]]
        if untimed := self.untimed.get(day.first):
            near.append((timedelta(0), untimed))
        near = [one for one in near if one[0] <= SPECIMEN]
        return min(near, key=lambda one: (one[0], *_preference(one[1])))[1] if near else None


Key = TypeVar("Key", date, datetime)


def _keep_better(found: dict[Key, Result], key: Key, result: Result) -> None:
    known = found.get(key)
    if known is None or _preference(result) < _preference(known):
        found[key] = result


def _preference(mate: Result) -> tuple[Decimal, str]:
    """The lower binding capacity, which gives the higher TSAT (R-13); then the reference."""
    return ((mate.value.low if mate.value else None) or Decimal(0), mate.reference)


def _moment(day: Day, clock: time) -> datetime:
    return datetime.combine(day.first, clock)


def _derive(iron: Result, mate: Result) -> Result:
    if _is_unreadable(iron):
        return _explain(iron, mate, iron)
    if _is_unreadable(mate):
        return _explain(iron, mate, mate)
    return _calculate(iron, mate)


def _calculate(iron: Result, mate: Result) -> Result:
    value = _saturation(iron, mate)
    plausible = value.cut(PLAUSIBLE["tsat"]) if value else None
    if plausible is None:
        problem = "the TSAT calculated from them is not plausible"
        return replace(_frame(iron, mate), rejected=RejectedBecause.IMPLAUSIBLE, problem=problem)
    if mate.analyte != "transferrin":
        return _frame(iron, mate, plausible)
    doubtful = any(plausible.cut(band) for band in _BANDS)
    return replace(_frame(iron, mate, plausible), transferrin_based=True, indeterminate=doubtful)


def _saturation(iron: Result, mate: Result) -> Interval | None:
    """100 x iron / TIBC; of censored parts (R-10) the interval it may lie in. None without a computable value."""
    if iron.value is None or mate.value is None:
        return None
    part, binding = iron.value, mate.value
    low = _percent(part.low, binding.high, mate.analyte)
    high = _percent(part.high, binding.low, mate.analyte)
    return Interval(low, high, part.low_closed and binding.high_closed, part.high_closed and binding.low_closed)


def _percent(iron: Decimal | None, binding: Decimal | None, analyte: str) -> Decimal | None:
    """None = no bound on this side."""
    if iron is None or binding is None:
        return None
    tibc = _total_capacity(iron, binding, analyte)
    return _EXACT.divide(_HUNDRED * iron, tibc) if tibc > 0 else None


def _total_capacity(iron: Decimal, binding: Decimal, analyte: str) -> Decimal:
    """TIBC in ug/dL."""
    if analyte == "uibc":
        return iron + binding
    return binding * TIBC_PER_TRANSFERRIN if analyte == "transferrin" else binding


def _explain(iron: Result, mate: Result, culprit: Result) -> Result:
    problem = f"{NAMES[culprit.analyte]}: {culprit.problem}"
    return replace(_frame(iron, mate), rejected=culprit.rejected or RejectedBecause.UNREADABLE, problem=problem)


def _frame(iron: Result, mate: Result, value: Interval | None = None) -> Result:
    """Dated by the iron, which blackout and age are about; preliminary if a part of it is."""
    factor = f" (TIBC = {TIBC_PER_TRANSFERRIN} x transferrin)" if mate.analyte == "transferrin" else ""
    return Result(
        analyte="tsat",
        value=value,
        recorded=f"iron {iron.recorded}, {NAMES[mate.analyte]} {mate.recorded}",
        day=iron.day,
        status=PRELIMINARY if PRELIMINARY in (iron.status, mate.status) else "final",
        reference=", ".join(dict.fromkeys((iron.reference, mate.reference))),
        note=f"calculated from iron and {NAMES[mate.analyte]}{factor}",
        analyzer=iron.analyzer,
    )
