"""When a resource became known: `issued`, `recordedDate`, `authoredOn`; where that is missing, effective or onset."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from enum import StrEnum
from typing import NamedTuple
from zoneinfo import ZoneInfo

import msgspec

from cds_service.clinical.dates import read_day, read_instant
from cds_service.fhir.wire import Period, Reference, Timing, as_list


@dataclass(frozen=True, slots=True)
class Moment:
    """A calendar day at the site, and the instant where time and offset are known."""

    day: date
    instant: datetime | None = None

    def is_by(self, other: "Moment") -> bool:
        """Not after `other`; by calendar day where one of the two has no time."""
        if self.instant is not None and other.instant is not None:
            return self.instant <= other.instant
        return self.day <= other.day

    def is_surely_before(self, other: "Moment") -> bool:
        """As `is_by`, but the same day is not before: an infusion of the day of its order came after it."""
        if self.instant is not None and other.instant is not None:
            return self.instant <= other.instant
        return self.day < other.day

    def __str__(self) -> str:
        """Sortable: `2026-03-10T15:00:00Z`, or `2026-03-10` before all times of that day."""
        if self.instant is None:
            return self.day.isoformat()
        return self.instant.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


class Basis(StrEnum):
    """What tells when a resource became known."""

    RECORDED = "recorded"  # the date on which it was issued, recorded or authored
    STAND_IN = "stand-in"  # effective, onset or planned date in its place
    NONE = "undated"  # taken as known all along


class Known(NamedTuple):
    """None as a moment: undated."""

    moment: Moment | None
    basis: Basis


def read_moment(text: str | None, zone: ZoneInfo | None) -> Moment | None:
    """R-08a; of a partial date the last day. None when absent or unreadable."""
    day = read_day(text, zone) if text else None
    if day is None or text is None:
        return None
    if day.clock is None:
        return Moment(day.last)
    instant = read_instant(text)
    if instant is not None and not _has_offset(text):
        instant = instant.replace(tzinfo=zone) if zone else None
    return Moment(day.last, instant)


def _has_offset(text: str) -> bool:
    clock = text.partition("T")[2]
    return clock.endswith("Z") or "+" in clock or "-" in clock


class Dated(msgspec.Struct, gc=False):
    """The dates of every type we use; members that a type does not have stay empty."""

    status: str | None = None
    issued: str | None = None
    recordedDate: str | None = None
    dateRecorded: str | None = None  # DSTU2
    assertedDate: str | None = None  # STU3
    dateAsserted: str | None = None  # MedicationStatement
    authoredOn: str | None = None
    created: str | None = None
    effectiveDateTime: str | None = None
    effectiveInstant: str | None = None
    effectivePeriod: Period | None = None
    onsetDateTime: str | None = None
    onsetPeriod: Period | None = None
    performedDateTime: str | None = None
    performedPeriod: Period | None = None
    occurrenceDateTime: str | None = None
    occurrencePeriod: Period | None = None
    occurrenceTiming: Timing | None = None
    start: str | None = None
    meta: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    basedOn: list[Reference] | Reference | None = None
    request: Reference | None = None

    @property
    def named_orders(self) -> tuple[str, ...]:
        """References of the orders this is a part or a result of."""
        found = [*as_list(self.basedOn), *([self.request] if self.request else [])]
        return tuple(one.reference for one in found if one.reference)


class Versioned(msgspec.Struct, gc=False):
    lastUpdated: str | None = None
    versionId: str | None = None


DATED = msgspec.json.Decoder(Dated)
VERSIONED = msgspec.json.Decoder(Versioned)
CORRECTED = ("corrected", "amended")
_Texts = Callable[[Dated], tuple[str | None, ...]]


def _period(period: Period | None) -> str | None:
    return period.start if period else None


def _end(period: Period | None) -> str | None:
    """A result over a period is known at its end."""
    return (period.end or period.start) if period else None


def _event(timing: Timing | None) -> str | None:
    return timing.event[0] if timing and timing.event else None


# Type -> the dates on which it was recorded, and the dates that stand in for them. R4 records no date for
# administrations and procedures: there the event itself tells.
_ORDERS: tuple[_Texts, _Texts] = (
    lambda one: (one.authoredOn,),
    lambda one: (one.occurrenceDateTime, _period(one.occurrencePeriod), _event(one.occurrenceTiming)),
)
_BY_TYPE: Mapping[str, tuple[_Texts, _Texts]] = {
    "Observation": (
        lambda one: (one.issued,),
        lambda one: (one.effectiveDateTime, one.effectiveInstant, _end(one.effectivePeriod)),
    ),
    "Condition": (
        lambda one: (one.recordedDate, one.dateRecorded, one.assertedDate),
        lambda one: (one.onsetDateTime, _period(one.onsetPeriod)),
    ),
    "AllergyIntolerance": (
        lambda one: (one.recordedDate, one.assertedDate),
        lambda one: (one.onsetDateTime,),
    ),
    "MedicationRequest": _ORDERS,
    "ServiceRequest": _ORDERS,
    "Task": _ORDERS,
    "Appointment": (lambda one: (one.created,), lambda one: (one.start,)),
    "MedicationAdministration": (lambda one: (one.effectiveDateTime, _period(one.effectivePeriod)), lambda _: ()),
    "Procedure": (lambda one: (one.performedDateTime, _period(one.performedPeriod)), lambda _: ()),
    "MedicationStatement": (
        lambda one: (one.dateAsserted,),
        lambda one: (one.effectiveDateTime, _period(one.effectivePeriod)),
    ),
}


def find_known(kind: str, dated: Dated, zone: ZoneInfo | None) -> Known:
    """When a resource of this type became known. A correction without `issued` is dated by its last update."""
    recorded, standing_in = _BY_TYPE[kind]
    if kind == "Observation" and dated.status in CORRECTED and not dated.issued:
        moment = read_moment(_meta(dated).lastUpdated, zone)
        if moment is not None:
            return Known(moment, Basis.RECORDED)
    for texts, basis in ((recorded, Basis.RECORDED), (standing_in, Basis.STAND_IN)):
        for text in texts(dated):
            moment = read_moment(text, zone)
            if moment is not None:
                return Known(moment, basis)
    return Known(None, Basis.NONE)


def read_version(dated: Dated) -> str:
    """Orders versions of one resource that carry the same date; empty where the export tells none."""
    meta = _meta(dated)
    return f"{meta.lastUpdated or ''} {(meta.versionId or '').rjust(8)}"


def _meta(dated: Dated) -> Versioned:
    try:
        return VERSIONED.decode(dated.meta) if dated.meta is not msgspec.UNSET else Versioned()
    except msgspec.DecodeError:
        return Versioned()
