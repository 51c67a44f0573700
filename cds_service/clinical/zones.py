"""Decision zones of the rule book (R-10): a result counts only if all of it lies in one of them."""

from decimal import Decimal

from cds_service.clinical.interval import Interval
from cds_service.clinical.model import Result
from cds_service.clinical.units import is_credible_phosphate_limit

_D = Decimal

# R-22...R-25, R-17; R-28 adds the cut at 200 in dialysis.
FERRITIN_ZONES = (
    Interval.at_most(_D(75)),
    Interval.between(_D(75), _D(100), low_closed=False, high_closed=True),
    Interval.between(_D(100), _D(300), low_closed=False, high_closed=False),
    Interval.at_least(_D(300)),
)
FERRITIN_ZONES_IN_DIALYSIS = (
    *FERRITIN_ZONES[:2],
    Interval.between(_D(100), _D(200), low_closed=False, high_closed=False),
    Interval.between(_D(200), _D(300), low_closed=True, high_closed=False),
    FERRITIN_ZONES[3],
)
# ...R-24, R-16.
TSAT_ZONES = (
    Interval.below(_D(20)),
    Interval.between(_D(20), _D(45), low_closed=True, high_closed=False),
    Interval.at_least(_D(45)),
)
# a TSAT calculated with the transferrin factor, which differs between laboratories, is indeterminate in these.
TSAT_INDETERMINATE_LOW = Interval.between(_D(18), _D(23), low_closed=True, high_closed=True)
TSAT_INDETERMINATE_HIGH = Interval.between(_D(43), _D(47), low_closed=True, high_closed=True)
# urgent, anemia in pregnancy, in women, incomplete repletion, anemia in men; every bound is a "below".
HEMOGLOBIN_ZONES = (
    Interval.below(_D(7)),
    Interval.between(_D(7), _D(11), low_closed=True, high_closed=False),
    Interval.between(_D(11), _D(12), low_closed=True, high_closed=False),
    Interval.between(_D(12), _D("12.5"), low_closed=True, high_closed=False),
    Interval.between(_D("12.5"), _D(13), low_closed=True, high_closed=False),
    Interval.at_least(_D(13)),
)
CRP_ZONES = (Interval.at_most(_D(5)), Interval.above(_D(5)))

PHOSPHATE_DEFAULT_LIMIT = _D("2.5")  # where the laboratory states no credible lower limit


def phosphate_limit(result: Result) -> Decimal:
    """mg/dL below which this phosphate is low (R-21): the laboratory's own limit if it is credible."""
    limit = result.lower_limit
    if limit is not None and is_credible_phosphate_limit(limit):
        return limit
    return PHOSPHATE_DEFAULT_LIMIT


def find_zone(value: Interval, zones: tuple[Interval, ...]) -> int | None:
    """Number of the zone all of `value` lies in; None if it spans zones."""
    for number, zone in enumerate(zones):
        if value.is_within(zone):
            return number
    return None


def find_phosphate_zone(result: Result) -> int | None:
    """0 = low, 1 = not low, None = cannot be told. The laboratory's flag tells by itself (R-21)."""
    if result.flagged_low:
        return 0
    limit = phosphate_limit(result)
    return find_zone(result.value, (Interval.below(limit), Interval.at_least(limit))) if result.value else None
