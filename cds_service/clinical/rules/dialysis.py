"""Dialysis: other thresholds, both results needed, iron sucrose as the product with support (R-28)."""

from decimal import Decimal

from cds_service.clinical import dialysis
from cds_service.clinical.case import Case, Rule, Threshold
from cds_service.clinical.citations import A1, DESIGN, E1, T14
from cds_service.clinical.dialysis import Method
from cds_service.clinical.interval import Interval
from cds_service.clinical.model import (
    Answer,
    Conclusion,
    Ingredient,
    Line,
    NotApplicable,
    Phase,
    Rank,
    Used,
    Verdict,
)
from cds_service.clinical.problem_list import show_entries, use_entries
from cds_service.clinical.rules import missing
from cds_service.clinical.zones import TSAT_ZONES

FERRITIN_BELOW = Threshold("ferritin below, in dialysis", Decimal(200), "ng/mL")
TSAT_LOW = TSAT_ZONES[0]
TSAT_BELOW = Threshold("TSAT below, in dialysis", TSAT_LOW.high or Decimal(0), "%")
FERRITIN_LOW = Interval.below(Decimal(FERRITIN_BELOW.value))
PROCEDURE_WITHIN = Threshold("a dialysis procedure counts for", dialysis.PROCEDURE_DAYS, "days")
FCM_CAUTION_ABOVE = Threshold("single dose of ferric carboxymaltose in hemodialysis", Decimal(200), "mg")  # E1

_NOT_IN_DIALYSIS = (NotApplicable("no end-stage kidney disease or dialysis on record"),)
_BOTH_USABLE = (NotApplicable("ferritin and TSAT are usable"),)
_NOT_BOTH = (NotApplicable("ferritin or TSAT is missing: see R-28a"),)


# ------------------------------------------------------------------------------------------------- R-28a, R-28: class


def _evaluate_missing(case: Case) -> tuple[Answer, ...]:
    if not case.is_in_dialysis:
        return _NOT_IN_DIALYSIS
    if case.ferritin.is_usable and case.tsat.is_usable:
        return _BOTH_USABLE
    lacking = [name for name, reading in (("ferritin", case.ferritin), ("TSAT", case.tsat)) if not reading.is_usable]
    say = (
        "In dialysis ferritin and TSAT are both needed.",
        *missing.explain_gaps(case),
    )
    return (
        Verdict(
            Conclusion.INSUFFICIENT_DATA,
            f"in dialysis, {' and '.join(lacking)} missing",
            f"{' and '.join(lacking)} needed",
            say,
            tuple(reading.used for reading in (case.ferritin, case.tsat) if reading.is_usable),
            offer_tests=missing.tests_to_order(case),
            tests_not_before=missing.tests_not_before(case),
        ),
    )


def _evaluate_class(case: Case) -> tuple[Answer, ...]:
    if not case.is_in_dialysis:
        return _NOT_IN_DIALYSIS
    if not (case.ferritin.is_usable and case.tsat.is_usable):
        return _NOT_BOTH
    because = f"in dialysis, ferritin {case.ferritin.shown} and TSAT {case.tsat.shown}"
    used = (case.ferritin.used, case.tsat.used, *_use(case))
    bounds = f"ferritin below {FERRITIN_BELOW.value} ng/mL and TSAT below {TSAT_BELOW.value} %"
    say: tuple[str, ...]
    if case.ferritin.is_in(FERRITIN_LOW) and case.tsat.is_in(TSAT_LOW):
        say = (f"{_show(case)}.", f"IV iron may be considered with {bounds}; guideline support is for iron sucrose.")
        certainty = "conditional recommendation for iron sucrose, moderate certainty"
        return (Verdict(Conclusion.MAY_BENEFIT, because, "IV iron may be considered", say, used, certainty=certainty),)
    say = (
        f"{_show(case)}.",
        f"IV iron for RLS is considered with {bounds}; the values do not meet both.",
        "The renal anemia protocol may differ.",
    )
    return (Verdict(Conclusion.NOT_INDICATED, because, "not supported for RLS in dialysis", say, used),)


def _show(case: Case) -> str:
    entries = dialysis.find_entries(case.facts)
    if entries:
        return f"Dialysis on record: {show_entries(entries)}"
    days = sorted(str(one.day) for one in dialysis.find_procedures(case.facts, case.as_of))
    return f"Dialysis on record: procedure of {days[-1]}"


def _use(case: Case) -> tuple[Used, ...]:
    procedures = dialysis.find_procedures(case.facts, case.as_of)
    return (
        *use_entries(dialysis.find_entries(case.facts)),
        *(Used("dialysis procedure", "", one.reference, str(one.day or "")) for one in procedures),
    )


# ---------------------------------------------------------------------------------------------------- product


def _evaluate_product(case: Case) -> tuple[Answer, ...]:
    if not case.is_in_dialysis:
        return _NOT_IN_DIALYSIS
    parts = ["In dialysis, consider involving nephrology."]
    if case.order.ingredient is not Ingredient.SUCROSE:
        parts.append("Iron sucrose is the product with guideline support in dialysis.")
    if _may_exceed_fcm_caution(case):
        parts.append(f"A product text cautions about single doses above {FCM_CAUTION_ABOVE.value} mg in hemodialysis.")
    return (Line(Rank.PRODUCT, " ".join(parts), "in dialysis", used=_use(case)),)


def _may_exceed_fcm_caution(case: Case) -> bool:
    """Ferric carboxymaltose, not known to be 200 mg or less, and not known to be in peritoneal dialysis."""
    if case.order.ingredient is not Ingredient.FCM:
        return False
    if dialysis.find_methods(case.facts, case.as_of) == {Method.PERITONEAL}:
        return False
    return case.dose_mg is None or case.dose_mg > FCM_CAUTION_ABOVE.value


_INPUTS = ("is_in_dialysis", "ferritin", "tsat")

RULES: tuple[Rule, ...] = (
    Rule(
        "R-28a",
        "Dialysis needs both ferritin and TSAT",
        Phase.MISSING,
        (DESIGN,),
        _INPUTS,
        _evaluate_missing,
        (PROCEDURE_WITHIN,),
    ),
    Rule(
        "R-28",
        "Dialysis: ferritin below 200 ng/mL and TSAT below 20 % may benefit, anything else does not",
        Phase.DIALYSIS,
        (A1, T14, DESIGN),
        (*_INPUTS, "conditions", "procedures"),
        _evaluate_class,
        (FERRITIN_BELOW, TSAT_BELOW, PROCEDURE_WITHIN),
    ),
    Rule(
        "R-28 (text)",
        "Dialysis: nephrology, and the product with support",
        Phase.TEXT,
        (A1, T14, E1),
        ("is_in_dialysis", "order", "dose_mg"),
        _evaluate_product,
        (FCM_CAUTION_ABOVE,),
    ),
)
