"""Calendar dates as charts write them: partial, with or without offset, periods; ages, months (R-03, R-08a, R-47)."""

import re
from calendar import monthrange
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from functools import lru_cache
from zoneinfo import ZoneInfo

# Leap seconds and 24:00 name no clock time that could be compared: such a text is unreadable.
_TIMED = re.compile(
    r"([0-9]{4}-[0-9]{2}-[0-9]{2})T([01][0-9]|2[0-3]):([0-5][0-9])(?::([0-5][0-9])(?:\.[0-9]+)?)?"
    r"(Z|[+-](?:0[0-9]|1[0-4]):?[0-5][0-9])?"
)
_PARTIAL = re.compile(r"([0-9]{4})(?:-([0-9]{2}))?")
_PLACELESS = ("Z", "+00:00", "-00:00", "+0000", "-0000")  # R-08a: an offset that says nothing about the place
_LENGTH_OF_DATE = 10
_LONGEST = 40  # characters; with nanoseconds and offset a dateTime has 35


@dataclass(frozen=True, slots=True)
class Day:
    """The calendar days an entry may mean: one of a full date, a span of a partial one. `clock` only of full times."""

    first: date
    last: date
    clock: time | None = None

    @property
    def is_exact(self) -> bool:
        return self.first == self.last

    def __str__(self) -> str:
        """ISO text as precise as the entry: `2026-03-10`, `2026-11`, `2026`, `2026-03-10 to 2026-03-12`."""
        first, last = self.first.isoformat(), self.last.isoformat()
        if first == last:
            return first
        if self.first.day == 1 and self.last == _last_of_month(self.last):
            if first[:7] == last[:7]:
                return first[:7]
            if first[:4] == last[:4] and (self.first.month, self.last.month) == (1, 12):
                return first[:4]
        return f"{first} to {last}"


def read_day(text: str | None, zone: ZoneInfo | None) -> Day | None:
    """FHIR date, dateTime or instant by R-08a; None when unreadable, never an exception. `zone` is the site's."""
    return _read(text, zone) if text and len(text) <= _LONGEST else None


@lru_cache(maxsize=4096)  # the results of one specimen carry one time, and a chart is read at several hooks
def _read(text: str, zone: ZoneInfo | None) -> Day | None:
    try:
        if len(text) > _LENGTH_OF_DATE:
            return _read_timed(text, zone)
        if len(text) < _LENGTH_OF_DATE:
            return _read_partial(text)
        if text[4] != "-" or text[7] != "-":  # fromisoformat takes week dates too
            return None
        day = date.fromisoformat(text)
    except (ValueError, OverflowError):
        return None
    return Day(day, day)


def _read_timed(text: str, zone: ZoneInfo | None) -> Day | None:
    found = _TIMED.fullmatch(text)
    if not found:
        return None
    written, hour, minute, second, offset = found.groups()
    when, clock = date.fromisoformat(written), time(int(hour), int(minute), int(second or 0))
    if zone is not None and offset in _PLACELESS:
        local = datetime.combine(when, clock, UTC).astimezone(zone)
        when, clock = local.date(), local.time()
    return Day(when, when, clock)


def _read_partial(text: str) -> Day | None:
    found = _PARTIAL.fullmatch(text)
    if not found:
        return None
    year, month = int(found[1]), found[2]
    if month is None:
        return Day(date(year, 1, 1), date(year, 12, 31))
    first = date(year, int(month), 1)
    return Day(first, _last_of_month(first))


def read_period(start: str | None, end: str | None, zone: ZoneInfo | None) -> Day | None:
    """A period stands for all its days (R-08a); with one readable end, for that. None if it ends before it starts."""
    first, last = read_day(start, zone), read_day(end, zone)
    if first is None or last is None:
        return first or last
    if last.last < first.first:
        return None
    return Day(first.first, last.last, first.clock if first.first == last.last else None)


def read_instant(text: str | None) -> datetime | None:
    """`issued` as a moment that can be compared; without an offset it is taken as UTC. None when unreadable."""
    return _read_instant(text) if text and len(text) <= _LONGEST else None


@lru_cache(maxsize=4096)
def _read_instant(text: str) -> datetime | None:
    try:
        when = datetime.fromisoformat(text)
    except ValueError:
        return None
    return when if when.tzinfo else when.replace(tzinfo=UTC)


def age_on(birth: Day, on: date) -> int | None:
    """Completed years; None when a partial birth date leaves it open. Born on 29 February = 1 March (R-03)."""
    oldest, youngest = _age(birth.first, on), _age(birth.last, on)
    return oldest if oldest == youngest else None


def has_reached_age(birth: Day, years: int, on: date) -> bool | None:
    """None when neither certain nor excluded (R-03a)."""
    if _age(birth.last, on) >= years:
        return True
    return False if _age(birth.first, on) < years else None


def _age(birth: date, on: date) -> int:
    # In a leap year 29 February itself is still one day short of 1 March.
    month, day = (3, 1) if (birth.month, birth.day) == (2, 29) else (birth.month, birth.day)
    return on.year - birth.year - ((on.month, on.day) < (month, day))


def add_months(start: date, months: int) -> date:
    """Same day of the month, clamped to the month's end (R-47). ValueError outside the years 1 to 9999."""
    if not months:
        return start
    years, month = divmod(start.month - 1 + months, 12)
    first = date(start.year + years, month + 1, 1)
    return first.replace(day=min(start.day, monthrange(first.year, first.month)[1]))


def _last_of_month(day: date) -> date:
    return day.replace(day=monthrange(day.year, day.month)[1])
