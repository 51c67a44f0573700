"""Transferrin saturation calculated from iron and the binding capacity of the same specimen (R-06)."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Context, Decimal

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
    days = abs((one.first - other.first).days)
    if days != 1:
        return days == 0
    return one.clock is not None and other.clock is not None and _gap(one, other) <= SPECIMEN


def derive_tsat(results: Mapping[str, tuple[Result, ...]]) -> list[Result]:
    """One TSAT per iron result with a binding capacity from its specimen; of unreadable parts an unreadable TSAT."""
    if not results.get("iron"):
        return []
    mates: dict[int, list[Result]] = {}
    for analyte in BINDING:
        for mate in _find_parts(results.get(analyte, ())):
            mates.setdefault(mate.day.first.toordinal() if mate.day else 0, []).append(mate)
    derived = (_derive_one(iron, mates) for iron in _find_parts(results["iron"]))
    return [result for result in derived if result]


def _find_parts(results: Iterable[Result]) -> list[Result]:
    """Reports that R-07 lets stand, preliminary ones too: what they give is pending."""
    kept, _ = drop_replaced(list(results))
    return [result for result in kept if is_report(result)]


def _derive_one(iron: Result, by_day: Mapping[int, list[Result]]) -> Result | None:
    if iron.day is None:
        return None
    drawn = iron.day.first.toordinal()
    near = [mate for day in (drawn - 1, drawn, drawn + 1) for mate in by_day.get(day, ())]
    mates = [mate for mate in near if is_one_specimen(iron.day, mate.day)]
    if not mates:
        return None
    readable = [mate for mate in mates if mate.value is not None and mate.rejected is None]
    mate = min(readable or mates, key=lambda one: _preference(iron, one))
    if iron.rejected or iron.value is None:
        return _unreadable(iron, mate, iron)
    if mate.rejected or mate.value is None:
        return _unreadable(iron, mate, mate)
    return _calculate(iron, mate)


def _preference(iron: Result, mate: Result) -> tuple[bool, int, timedelta, Decimal, str]:
    """Reports that count before preliminary ones, then TIBC, UIBC, transferrin; the nearest; the higher TSAT (R-13)."""
    low = mate.value.low if mate.value else None
    gap = _gap(iron.day, mate.day) if iron.day and mate.day else timedelta(0)
    return (mate.status == PRELIMINARY, BINDING.index(mate.analyte), gap, low or Decimal(0), mate.reference)


def _gap(one: Day, other: Day) -> timedelta:
    """Between two draws; none known between draws of one day of which one has no clock time."""
    if one.clock is None or other.clock is None:
        return timedelta(0)
    return abs(datetime.combine(one.first, one.clock) - datetime.combine(other.first, other.clock))


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


def _unreadable(iron: Result, mate: Result, culprit: Result) -> Result:
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
