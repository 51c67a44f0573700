"""Every result of an analyte as a point in time: whether it could be read on its day, and what it counts for today."""

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import date, time, timedelta
from decimal import Decimal

from cds_service.clinical import zones
from cds_service.clinical.case import Case
from cds_service.clinical.dates import Day
from cds_service.clinical.derived_tsat import derive_tsat
from cds_service.clinical.given_doses import plain
from cds_service.clinical.interval import Interval
from cds_service.clinical.model import Result, SeverityTotal
from cds_service.clinical.reading import Reading, show_result
from cds_service.clinical.response import name_band
from cds_service.clinical.results import LAB_DAYS
from cds_service.clinical.screening import Question, screen_all
from cds_service.clinical.specimen_time import (
    IN_TIME,
    SETTLED_DAYS,
    IronClocks,
    Timing,
    is_drawn_before,
    judge_day,
    judge_iron_draw,
)
from cds_service.clinical.story.courses import EARLIEST
from cds_service.clinical.units import PLAUSIBLE
from cds_service.clinical.wording import quote, unquote

ANALYTES = ("ferritin", "tsat", "hemoglobin")
COUNTS_TODAY = "this is the value that counts today"
NEWER_COUNTS = "a newer result counts today"
COUNTED = "final, amended or corrected"  # all that the reader keeps of severity totals


@dataclass(frozen=True, slots=True)
class Point:
    """One result. `why` says why it is unusable, "" for a usable one; `value` is None where no number can be placed."""

    day: Day | None
    value: Decimal | None  # canonical unit; of a censored value its bound
    shown: str  # "48 ng/mL", "<5 ng/mL", or the value as recorded
    status: str  # of the report
    why: str = ""
    note: str = ""  # conversion, calculation, or how far it can be trusted
    today: str = ""
    reference: str = ""

    @property
    def is_usable(self) -> bool:
        return not self.why


def plot_results(chart: Case, analyte: str) -> tuple[Point, ...]:
    """Oldest first, undated ones last. Future-dated results are unusable (R-08)."""
    question = Question(analyte, _judge_draw(chart, analyte), _zones(chart, analyte), "")
    results = list(chart.facts.results.get(analyte, ()))
    screened = screen_all(question, results)
    if analyte == "tsat":
        calculated = screen_all(question, derive_tsat(chart.facts.results, screened.usable))
        screened = replace(
            screened,
            usable=screened.usable + calculated.usable,
            set_aside=screened.set_aside + calculated.set_aside,
        )
    today = _today(_READINGS[analyte](chart))
    points = [
        _point(result, "", question.timing(result.day).caution, today.get(_key(result), NEWER_COUNTS))
        for result in screened.usable
    ]
    points += [_point(one.result, one.why, "", "") for one in screened.set_aside]
    return _in_order(points)


_READINGS: dict[str, Callable[[Case], Reading]] = {
    "ferritin": lambda chart: chart.ferritin,
    "tsat": lambda chart: chart.tsat,
    "hemoglobin": lambda chart: chart.hemoglobin,
}


# ------------------------------------------------------------------------------------ could it be read on its own day?


def _judge_draw(chart: Case, analyte: str) -> Callable[[Day | None], Timing]:
    """As on the day of the draw: the blackout spoils a point of a curve, age (R-08) and later iron (R-09a) do not."""
    counted = frozenset(chart.earlier_iron.blackout_doses)
    days = [dose.day for dose in chart.doses]

    def judge(on: date, clock: time | None) -> Timing:
        if analyte == "hemoglobin":  # the assay does not see circulating iron (R-09 names ferritin, iron and TSAT)
            return IN_TIME
        since = bisect_left(days, on - timedelta(days=SETTLED_DAYS)) if on > EARLIEST else 0
        near = chart.doses[since : bisect_right(days, on)]  # others can no longer be seen
        given = [dose for dose in near if not is_drawn_before(on, clock, dose)]
        clocks = IronClocks(
            as_of=on,
            limit=LAB_DAYS,
            doses=tuple(dose for dose in given if dose in counted),
            small_doses=tuple(dose for dose in given if dose not in counted),
        )
        return judge_iron_draw(clocks, on, clock)

    return lambda day: judge_day(day, chart.as_of, LAB_DAYS, judge)


def _zones(chart: Case, analyte: str) -> Callable[[Result], int | None]:
    """R-10."""
    ferritin = zones.FERRITIN_ZONES_IN_DIALYSIS if chart.is_in_dialysis else zones.FERRITIN_ZONES
    cuts = {"ferritin": ferritin, "tsat": zones.TSAT_ZONES, "hemoglobin": zones.HEMOGLOBIN_ZONES}[analyte]
    return lambda result: zones.find_zone(result.value, cuts) if result.value else None


# ------------------------------------------------------------------------------------------------------------- points


def _today(reading: Reading) -> dict[tuple[str, str], str]:
    """What each result counts for on the hook date, by the reading all rules use."""
    found = {_key(one.result): f"not used today: it {unquote(one.why)}" for one in reading.set_aside}
    if reading.chosen:
        found[_key(reading.chosen)] = COUNTS_TODAY
    return found


def _key(result: Result) -> tuple[str, str]:
    return (result.reference, result.recorded)


def _point(result: Result, why: str, caution: str, today: str) -> Point:
    shown = show_result(result) if result.value else quote(result.recorded or "no value")
    return Point(
        day=result.day,
        value=place(result.analyte, result.value) if result.value else None,
        shown=unquote(shown),
        status=unquote(quote(result.status)) if result.status else "no status",
        why=unquote(why),
        note=unquote("; ".join(part for part in (result.note, caution, _METHODS.get(result.method, "")) if part)),
        today=today,
        reference=result.reference,
    )


_METHODS = {"blood-gas": "blood-gas or capillary measurement"}


def place(analyte: str, value: Interval) -> Decimal | None:
    """Where a value is drawn: a censored one at its bound, one between two bounds in their middle."""
    plausible = PLAUSIBLE[analyte]
    low = None if value.low == plausible.low else value.low
    high = None if value.high == plausible.high else value.high
    if value.is_point:
        return value.low
    if low is None or high is None:
        return high if low is None else low
    return (low + high) / 2


def _in_order(points: Iterable[Point]) -> tuple[Point, ...]:
    return tuple(sorted(points, key=lambda one: (last_day(one.day) or date.max, one.shown, one.reference)))


def last_day(day: Day | None) -> date | None:
    """Of a partial date the last day; None when undated."""
    return day.last if day else None


def plot_severity(totals: Iterable[SeverityTotal], as_of: date) -> tuple[Point, ...]:
    """R-49: IRLS totals; the reader keeps only totals of final reports within 0 to 40."""
    points = []
    for one in totals:
        is_future = one.day is not None and one.day.first > as_of
        why = "has no date" if one.day is None else "is dated after today" if is_future else ""
        shown = f"{plain(one.total)} ({name_band(one.total)})"
        points.append(Point(one.day, one.total, shown, COUNTED, why, reference=one.reference))
    return _in_order(points)
