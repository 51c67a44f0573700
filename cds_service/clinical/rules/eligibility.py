"""Do ferritin and transferrin saturation support iron by vein? The ceiling, the bands, and ferritin alone."""

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal

from cds_service.clinical.case import Case, Rule, Threshold
from cds_service.clinical.citations import A1, A2, A5, DESIGN, T3, T8
from cds_service.clinical.interval import Interval
from cds_service.clinical.model import Answer, Citation, Conclusion, Line, NotApplicable, Phase, Rank, Verdict
from cds_service.clinical.rules import missing, repeat
from cds_service.clinical.zones import FERRITIN_ZONES, TSAT_ZONES

FERRITIN_LOW, FERRITIN_GREY, FERRITIN_MIDDLE, FERRITIN_HIGH = FERRITIN_ZONES
TSAT_LOW, TSAT_MIDDLE, TSAT_HIGH = TSAT_ZONES


def _span(first: Interval, last: Interval) -> Interval:
    """Two neighbouring zones as one."""
    return Interval(first.low, last.high, first.low_closed, last.high_closed)


# ------------------------------------------------------------------- the intervals, once, as data


@dataclass(frozen=True, slots=True)
class Band:
    """A field of ferritin (ng/mL) by TSAT (%), and what it means. Decision and published condition are made from it."""

    rule_id: str
    title: str
    ferritin: Interval
    tsat: Interval | None  # None: decides whatever the TSAT, missing included
    conclusion: Conclusion
    certainty: str
    headline: str
    say: tuple[str, ...]
    sources: tuple[Citation, ...]


CEILING = Band(
    "R-17",
    "Ferritin of 300 ng/mL or more: above the range studied",
    FERRITIN_HIGH,
    None,
    Conclusion.NOT_INDICATED,
    "trials and guideline used iron only below this ferritin; the exact bound is a decision of this project",
    "ferritin above the range studied",
    (
        "Ferritin is above the range in which IV iron was studied in RLS.",
        "Consider inflammation, liver disease and iron overload as reasons for a high ferritin.",
    ),
    (A2, A5, T8, DESIGN),
)
_STRONG = "strong recommendation, moderate certainty for ferric carboxymaltose; the thresholds are consensus, untested"
LOW_FERRITIN = Band(
    "R-22",
    "Ferritin up to 75 ng/mL, TSAT below 45 %: guideline recommends iron",
    FERRITIN_LOW,
    _span(TSAT_LOW, TSAT_MIDDLE),
    Conclusion.INDICATED_STRONG,
    _STRONG,
    "Guideline supports IV iron",
    ("Guideline supports iron, by mouth or by vein: ferritin is 75 ng/mL or less.",),
    (A1,),
)
LOW_TSAT = Band(
    "R-25",
    "Ferritin above 75 and below 300 ng/mL, TSAT below 20 %: guideline recommends iron",
    _span(FERRITIN_GREY, FERRITIN_MIDDLE),
    TSAT_LOW,
    Conclusion.INDICATED_STRONG,
    _STRONG,
    "Guideline supports IV iron: low TSAT",
    ("Guideline supports iron: TSAT is below 20 %.",),
    (A1, T3, A5),
)
GREY_ZONE = Band(
    "R-23",
    "Ferritin above 75 up to 100 ng/mL, TSAT 20 % or more: consensus for iron by vein",
    FERRITIN_GREY,
    TSAT_MIDDLE,
    Conclusion.MAY_BENEFIT,
    "consensus only",
    "Consensus supports considering IV iron",
    ("Ferritin is above 75 and up to 100 ng/mL: by consensus IV iron, not oral iron, may be considered.",),
    (A1, DESIGN),
)
REPLETE = Band(
    "R-24",
    "Ferritin above 100 and below 300 ng/mL, TSAT 20 % or more: not supported",
    FERRITIN_MIDDLE,
    TSAT_MIDDLE,
    Conclusion.NOT_INDICATED,
    "outside the range of the AASM consensus",
    "ferritin and TSAT do not support it",
    (
        "Ferritin is above 100 ng/mL and TSAT is not low: outside the range for which the guideline supports iron.",
        "IRLSSG 2018 and older trials admitted ferritin below 300 ng/mL, so a specialist may individualize.",
    ),
    (A1, A2, A5),
)
BANDS: tuple[Band, ...] = (LOW_FERRITIN, LOW_TSAT, GREY_ZONE, REPLETE)


def _limits(band: Band) -> tuple[Threshold, ...]:
    """The bounds of a band, as the trace and the export show them."""
    found = [*_bounds("ferritin", band.ferritin, "ng/mL")]
    if band.tsat:
        found += _bounds("TSAT", band.tsat, "%")
    return tuple(found)


def _bounds(name: str, zone: Interval, unit: str) -> list[Threshold]:
    found = []
    if zone.low is not None:
        found.append(Threshold(f"{name} {'at least' if zone.low_closed else 'above'}", zone.low, unit))
    if zone.high is not None:
        found.append(Threshold(f"{name} {'at most' if zone.high_closed else 'below'}", zone.high, unit))
    return found


def is_in_band(case: Case, band: Band) -> bool:
    """Both results usable, and both in their interval."""
    return case.ferritin.is_in(band.ferritin) and (band.tsat is None or case.tsat.is_in(band.tsat))


# ------------------------------------------------------------------------------------------------------ ceiling

_BELOW_CEILING = (NotApplicable("no usable ferritin at or above the ceiling"),)


def _evaluate_ceiling(case: Case) -> tuple[Answer, ...]:
    # R-13a: an older usable value still stops when a newer one cannot be read.
    if not case.ferritin.stops_in(CEILING.ferritin):
        return _BELOW_CEILING
    used = case.ferritin.used
    because = f"ferritin {used.shown} is above the range studied ({CEILING.ferritin.words()} ng/mL)"
    return (Verdict(CEILING.conclusion, because, CEILING.headline, CEILING.say, (used,), certainty=CEILING.certainty),)


# -------------------------------------------------------------------------------------------------- bands

_OUTSIDE = {band.rule_id: (NotApplicable(f"not both results in the range of {band.rule_id}"),) for band in BANDS}


def _evaluate_band(case: Case, band: Band, *more: str) -> tuple[Answer, ...]:
    if not is_in_band(case, band):
        return _OUTSIDE[band.rule_id]
    ferritin, tsat = case.ferritin.used, case.tsat.used
    because = f"ferritin {ferritin.shown} and TSAT {tsat.shown}"
    say = (*band.say, *more)
    return (Verdict(band.conclusion, because, band.headline, say, (ferritin, tsat), certainty=band.certainty),)


def _evaluate_low_ferritin(case: Case) -> tuple[Answer, ...]:
    return _evaluate_band(case, LOW_FERRITIN)


def _evaluate_low_tsat(case: Case) -> tuple[Answer, ...]:
    # Above 100 a low TSAT raises the question of functional iron deficiency.
    return _evaluate_band(case, LOW_TSAT, *([_ask_for_crp(case)] if case.ferritin.is_in(FERRITIN_MIDDLE) else []))


def _ask_for_crp(case: Case) -> str:
    known = f"CRP was {case.crp.shown}" if case.crp.is_usable else "consider checking CRP"
    return f"Ferritin above 100 ng/mL with low TSAT: functional iron deficiency? {known[:1].upper()}{known[1:]}."


def _evaluate_grey_zone(case: Case) -> tuple[Answer, ...]:
    return _evaluate_band(case, GREY_ZONE)


def _evaluate_replete(case: Case) -> tuple[Answer, ...]:
    return _evaluate_band(case, REPLETE)


# -------------------------------------------------------------------------------------------- R-26a: ferritin alone

_NOT_ALONE = (NotApplicable("ferritin does not decide alone"),)
CONFIRM_TSAT = "Consider confirming a TSAT below 45 % before infusing."


def _evaluate_ferritin_alone(case: Case) -> tuple[Answer, ...]:
    """Verdict and its line together: the line belongs to cards on which this rule decided, to no others."""
    if case.tsat.is_usable or not case.ferritin.is_in(FERRITIN_LOW):
        return _NOT_ALONE
    waits = missing.tests_not_before(case) is not None
    verdict = Verdict(
        Conclusion.INDICATED_STRONG,
        f"ferritin {case.ferritin.shown}, TSAT missing: ferritin meets the guideline's criterion alone",
        LOW_FERRITIN.headline,
        LOW_FERRITIN.say,
        (case.ferritin.used,),
        offer_tests=() if waits else missing.TSAT_TESTS,
        certainty=_STRONG,
    )
    # R-41c: within a course a new sample cannot be read yet, so confirming is no advice.
    if waits:
        text = "TSAT was not measured before the course and cannot be interpreted now."
    else:
        text = f"TSAT is missing: {case.tsat.why_missing}. {CONFIRM_TSAT}"
    return (verdict, Line(Rank.TSAT_MISSING, text, "TSAT missing", makes_warning=True))


_STUDIES = ("ferritin", "tsat")


def _band_rule(band: Band, evaluate: Callable[[Case], tuple[Answer, ...]], phase: Phase = Phase.ELIGIBILITY) -> Rule:
    return Rule(band.rule_id, band.title, phase, band.sources, _STUDIES, evaluate, _limits(band))


RULES: tuple[Rule, ...] = (
    _band_rule(CEILING, _evaluate_ceiling, Phase.CEILING),
    *missing.RULES,
    _band_rule(LOW_FERRITIN, _evaluate_low_ferritin),
    Rule(
        "R-26a",
        "Ferritin up to 75 ng/mL decides alone when TSAT is missing",
        Phase.ELIGIBILITY,
        (A1, DESIGN),
        _STUDIES,
        _evaluate_ferritin_alone,
        (Threshold("ferritin at most", FERRITIN_LOW.high or Decimal(0), "ng/mL"),),
    ),
    _band_rule(LOW_TSAT, _evaluate_low_tsat),
    _band_rule(GREY_ZONE, _evaluate_grey_zone),
    # R-40c: a floor for documented responders, asked before ferritin above 100 ends the matter.
    repeat.FLOOR,
    _band_rule(REPLETE, _evaluate_replete),
)
