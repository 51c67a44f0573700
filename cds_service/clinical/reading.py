"""What the rules get to know of one analyte: the result to use, those set aside and why, and what contradicts it."""

from datetime import date
from enum import StrEnum

from cds_service.clinical import units
from cds_service.clinical.dates import Day
from cds_service.clinical.frozen import frozen
from cds_service.clinical.interval import Interval
from cds_service.clinical.model import Result, Used
from cds_service.clinical.wording import quote

# Words for an analyte inside a sentence.
NAMES = {
    "ferritin": "ferritin",
    "tsat": "TSAT",
    "iron": "iron",
    "tibc": "TIBC",
    "uibc": "UIBC",
    "transferrin": "transferrin",
    "hemoglobin": "hemoglobin",
    "crp": "CRP",
    "phosphate": "phosphate",
    "body-weight": "body weight",
}


class SetAsideKind(StrEnum):
    """Why a result is not used (R-26 lists what "missing" means)."""

    STATUS = "status"  # no status, or one that never counts
    NO_VALUE = "no-value"
    REPLACED = "replaced"  # by a later report on the same specimen
    OTHER_KIND = "other-kind"  # R-08b: a weight that is not to be dosed on
    UNDATED = "undated"  # R-08a
    IMPRECISE = "imprecise"  # R-08a: the days it may stand for give different answers
    FUTURE = "future"  # R-08, R-08a
    BLACKOUT = "blackout"
    STALE = "stale"
    SUPERSEDED = "superseded"  # R-09a, R-28b; phosphate: before the latest FCM dose
    PENDING = "pending"  # preliminary
    REJECTED = "rejected"
    CENSORED = "censored"
    INDETERMINATE = "indeterminate"
    CONTRADICTED = "contradicted"  # R-13a


@frozen(frozen=True, slots=True)
class SetAside:
    """A result that is not used. `why` goes on from the result: "is 129 days old (limit 90)"."""

    result: Result
    why: str
    kind: SetAsideKind


@frozen(frozen=True, slots=True)
class Reading:
    """The state of one analyte on the hook date. Built so that the order of resources never matters (R-13)."""

    analyte: str
    chosen: Result | None = None
    set_aside: tuple[SetAside, ...] = ()  # newest first
    why_missing: str = ""  # a clause without full stop; empty when there is a chosen result
    conflicting: Result | None = None  # usable, at most 7 days away, in another decision zone
    pending: Result | None = None  # preliminary and newer than the chosen result
    caution: str = ""  # how far the chosen result can be trusted (R-09, R-28b, R-08b); a clause
    contradicted_by: Result | None = None  # R-13a
    stopper: Result | None = None  # R-13a: counts as missing, but still stops

    @property
    def is_usable(self) -> bool:
        return self.chosen is not None

    @property
    def value(self) -> Interval:
        """Canonical unit. Only for a usable reading; ValueError otherwise."""
        if self.chosen is None or self.chosen.value is None:
            raise ValueError(f"{self.analyte} has no usable value; ask is_usable first")
        return self.chosen.value

    def is_in(self, zone: Interval) -> bool:
        """All of the usable value lies in `zone`; False when there is none."""
        return _is_in(self.chosen, zone)

    @property
    def for_stops(self) -> Result | None:
        """The result that R-16 and R-17 look at: the chosen one, or one that R-13a sets aside for all else."""
        return self.chosen or self.stopper

    def stops_in(self, zone: Interval) -> bool:
        """`is_in` for R-16 and R-17."""
        return _is_in(self.for_stops, zone)

    @property
    def shown(self) -> str:
        """ "74.5 ng/mL", "<5 ng/mL"; empty when not usable."""
        return show_result(self.chosen) if self.chosen else ""

    @property
    def day(self) -> date | None:
        """Specimen date; of a partial date the last day."""
        return self.chosen.day.last if self.chosen and self.chosen.day else None

    @property
    def used(self) -> Used:
        """For trace and card; of an unusable reading the name alone."""
        result = self.for_stops
        return use_result(result) if result else Used(NAMES[self.analyte], "", "")


def show_result(result: Result) -> str:
    """The value with its canonical unit, rounded for display; a value that cannot be used as the chart has it."""
    if result.value is None:
        return quote(result.recorded)
    return units.display(result.analyte, result.value)


def use_result(result: Result) -> Used:
    return Used(NAMES[result.analyte], show_result(result), result.reference, show_day(result.day))


def show_day(day: Day | None) -> str:
    """ISO date as precise as it is known; empty when undated."""
    return str(day) if day else ""


def _is_in(result: Result | None, zone: Interval) -> bool:
    return result is not None and result.value is not None and result.value.is_within(zone)
