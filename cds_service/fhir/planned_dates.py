"""The days on which an order is to be carried out: occurrences, events and repeats of its timing (R-04a, R-43a)."""

from datetime import date, timedelta
from decimal import DecimalException

import msgspec

from cds_service.clinical.dates import Day, add_months, read_day
from cds_service.fhir.wire import Dosage, Order, Period, ReadContext, Repeat, Timing, read_decimal

MOST_OCCASIONS = 60  # planned dates worked out for one order; a longer series adds nothing to any rule
_PERIOD_DAYS = {"d": 1, "wk": 7}


def read_plan(context: ReadContext, order: Order, dosages: list[Dosage]) -> tuple[tuple[Day, ...], int]:
    """Planned dates in order and the number of administrations (R-04a, R-43a)."""
    days: list[Day] = []
    count = 0
    timings = [dosage.timing for dosage in dosages if dosage.timing]
    if order.occurrenceTiming:
        timings.append(order.occurrenceTiming)
    for timing in timings:
        dates, number = _timing(context, timing)
        days += dates
        count = max(count, number)
    for text in (
        order.occurrenceDateTime,
        order.occurrencePeriod.start if order.occurrencePeriod else None,
    ):
        day = read_day(text, context.zone) if text else None
        if day:
            days.append(day)
    unique = sorted(set(days), key=lambda day: (day.last, day.first))
    return tuple(unique), max(count, 1)


def _timing(context: ReadContext, timing: Timing) -> tuple[list[Day], int]:
    events = [day for text in timing.event or () if (day := read_day(text, context.zone))]
    if timing.event:
        return events, len(timing.event)
    repeat = timing.repeat
    if repeat is None:
        return [], 0
    count = _whole(repeat.count) or 0
    start = _start(context, repeat.boundsPeriod)
    return (_series(start, max(count, 1), repeat) if start else []), count


def _start(context: ReadContext, bounds: Period | None) -> Day | None:
    return read_day(bounds.start, context.zone) if bounds and bounds.start else None


def _series(start: Day, count: int, repeat: Repeat) -> list[Day]:
    """`start` plus (count - 1) periods (R-43a); one day when the period cannot be read or the start is partial."""
    period = _whole(repeat.period)
    if count <= 1 or period is None or start.first != start.last:
        return [start]
    return [
        day
        for place in range(min(count, MOST_OCCASIONS))
        if (day := _later(start.first, place * period, repeat.periodUnit))
    ]


def _later(start: date, periods: int, unit: str | None) -> Day | None:
    try:
        if unit in _PERIOD_DAYS:
            when = start + timedelta(days=periods * _PERIOD_DAYS[unit])
        elif unit in ("mo", "a"):
            when = add_months(start, periods * (12 if unit == "a" else 1))
        else:
            return None
    except (OverflowError, ValueError):
        return None
    return Day(when, when, None)


def _whole(value: msgspec.Raw | msgspec.UnsetType) -> int | None:
    try:
        number = read_decimal(value)
    except DecimalException:
        return None
    if number is None or number != number.to_integral_value() or not 0 < number <= MOST_OCCASIONS * 12:
        return None
    return int(number)
