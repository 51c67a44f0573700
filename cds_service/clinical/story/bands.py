"""The zones of ferritin, TSAT and hemoglobin as bands of a chart, from the constants the rules decide by."""

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

from cds_service.clinical.case import Case
from cds_service.clinical.interval import Interval
from cds_service.clinical.rules import dialysis
from cds_service.clinical.rules.eligibility import CEILING, GREY_ZONE, LOW_FERRITIN, REPLETE
from cds_service.clinical.rules.hemoglobin import REPLETION_BELOW, URGENT_BELOW, anemia_zone
from cds_service.clinical.units import CANONICAL
from cds_service.clinical.zones import FERRITIN_ZONES_IN_DIALYSIS, TSAT_ZONES


class Tone(StrEnum):
    """What a band says about IV iron, most in favour first."""

    SUPPORT = "support"
    CONSENSUS = "consensus"
    NEUTRAL = "neutral"
    CAUTION = "caution"
    STOP = "stop"


@dataclass(frozen=True, slots=True)
class Band:
    """One zone: `meaning` in a few words, `rules` that it comes from."""

    zone: Interval
    tone: Tone
    meaning: str
    rules: str

    def label(self, analyte: str) -> str:
        """`up to 75 ng/mL: guideline recommends iron`."""
        unit = CANONICAL[analyte]
        words = f"{self.zone.low:f} {unit} or more" if self.zone.high is None else f"{self.zone.words()} {unit}"
        return f"{words}: {self.meaning}"


TSAT_LOW, TSAT_MIDDLE, TSAT_HIGH = TSAT_ZONES
_LOW_TSAT = f"TSAT {TSAT_LOW.words()} {CANONICAL['tsat']}"
FERRITIN_BANDS = (
    Band(LOW_FERRITIN.ferritin, Tone.SUPPORT, "guideline recommends iron", "R-22"),
    Band(GREY_ZONE.ferritin, Tone.CONSENSUS, "IV iron may be considered, by consensus", "R-23"),
    Band(REPLETE.ferritin, Tone.NEUTRAL, f"IV iron supported only with {_LOW_TSAT}", "R-24, R-25"),
    Band(CEILING.ferritin, Tone.STOP, "above the range studied", "R-17"),
)
FERRITIN_BANDS_IN_DIALYSIS = (
    Band(dialysis.FERRITIN_LOW, Tone.CONSENSUS, f"in dialysis IV iron may be considered with {_LOW_TSAT}", "R-28"),
    Band(FERRITIN_ZONES_IN_DIALYSIS[3], Tone.NEUTRAL, "in dialysis not supported for RLS", "R-28"),
    Band(CEILING.ferritin, Tone.STOP, "above the range studied", "R-17"),
)
TSAT_BANDS = (
    Band(TSAT_LOW, Tone.SUPPORT, "speaks for iron", "R-25"),
    Band(TSAT_MIDDLE, Tone.NEUTRAL, "ferritin decides", "R-22 to R-24"),
    Band(TSAT_HIGH, Tone.STOP, "no iron before overload is excluded", "R-16"),
)


def find_bands(chart: Case, analyte: str) -> tuple[Band, ...]:
    """For ferritin, tsat or hemoglobin of this patient, lowest first; KeyError for another analyte."""
    if analyte == "ferritin":
        return FERRITIN_BANDS_IN_DIALYSIS if chart.is_in_dialysis else FERRITIN_BANDS
    if analyte == "tsat":
        return TSAT_BANDS
    if analyte == "hemoglobin":
        return _hemoglobin_bands(chart)
    raise KeyError(analyte)


def _hemoglobin_bands(chart: Case) -> tuple[Band, ...]:
    """R-29: the WHO bound is this patient's; where two findings overlap the band names both."""
    urgent, repletion = Decimal(URGENT_BELOW.value), Decimal(REPLETION_BELOW.value)
    anemia = anemia_zone(chart).high or repletion
    cuts = sorted({urgent, repletion, anemia})
    bands = []
    for low, high in zip([None, *cuts[:-1]], cuts, strict=True):
        zone = Interval(low, high, low is not None, False)
        if high <= urgent:
            bands.append(Band(zone, Tone.STOP, "urgent review", "R-29d"))
            continue
        found = [("anemia by WHO", "R-29b")] if high <= anemia else []
        found += [("repletion may be incomplete", "R-29a")] if high <= repletion else []
        bands.append(Band(zone, Tone.CAUTION, _joined(words for words, _ in found), _joined(rule for _, rule in found)))
    bands.append(Band(Interval.at_least(cuts[-1]), Tone.NEUTRAL, "no remark", "R-29"))
    return tuple(bands)


def _joined(words: Iterable[str]) -> str:
    return ", ".join(words)
