"""FHIRPath conditions made from the intervals that decide: what is published cannot differ from what is evaluated.

They read two parameters, `%ferritin` in ng/mL and `%tsat` in %: the results usable on the day (R-05 to R-13), as
decimals; empty when there is none, and then no condition is true. Several conditions may be true at once (R-16 beside
R-22): the first in the order of the actions decides.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from cds_service.clinical.interval import Interval
from cds_service.clinical.model import Conclusion
from cds_service.clinical.rules.eligibility import BANDS, CEILING
from cds_service.clinical.rules.overload import TSAT_CEILING


@dataclass(frozen=True, slots=True)
class Parameter:
    """A variable of the conditions."""

    name: str
    unit: str
    meaning: str


FERRITIN = Parameter(
    "ferritin", "ng/mL", "The ferritin that is usable on the day of the order; empty when there is none"
)
TSAT = Parameter("tsat", "%", "The transferrin saturation usable on that day, reported or calculated; else empty")
PARAMETERS = (FERRITIN, TSAT)


@dataclass(frozen=True, slots=True)
class Condition:
    """When a rule by intervals applies, and the conclusion it then gives."""

    expression: str
    conclusion: Conclusion


def in_interval(parameter: Parameter, interval: Interval) -> str:
    """FHIRPath that is true for values in the interval; "" for an interval without bounds."""
    parts = []
    if interval.low is not None:
        parts.append(f"%{parameter.name} {'>=' if interval.low_closed else '>'} {interval.low:f}")
    if interval.high is not None:
        parts.append(f"%{parameter.name} {'<=' if interval.high_closed else '<'} {interval.high:f}")
    return " and ".join(parts)


def _make(ferritin: Interval | None, tsat: Interval | None, conclusion: Conclusion) -> Condition:
    parts = [in_interval(one, zone) for one, zone in ((FERRITIN, ferritin), (TSAT, tsat)) if zone]
    return Condition(" and ".join(part for part in parts if part), conclusion)


# the rules that decide by intervals alone.
CONDITIONS: Mapping[str, Condition] = {
    "R-16": _make(None, TSAT_CEILING, Conclusion.CONTRAINDICATED),
    **{band.rule_id: _make(band.ferritin, band.tsat, band.conclusion) for band in (CEILING, *BANDS)},
}
