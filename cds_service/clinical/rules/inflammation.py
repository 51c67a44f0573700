"""Inflammation raises ferritin: what that changes, by ferritin and transferrin saturation (R-27)."""

from decimal import Decimal

from cds_service.clinical.case import Case, Rule, Threshold
from cds_service.clinical.citations import DESIGN, P2
from cds_service.clinical.inflammation import CRP_RAISED
from cds_service.clinical.interval import Interval
from cds_service.clinical.model import (
    Answer,
    Cap,
    Line,
    NotApplicable,
    Phase,
    Rank,
    Remark,
)
from cds_service.clinical.zones import FERRITIN_ZONES, TSAT_ZONES

FERRITIN_LOW, FERRITIN_GREY, FERRITIN_MIDDLE, _ = FERRITIN_ZONES
FERRITIN_ABOVE_LOW = Interval(FERRITIN_GREY.low, FERRITIN_MIDDLE.high)  # (75, 300)
TSAT_LOW, TSAT_MIDDLE, _ = TSAT_ZONES
CRP_LIMIT = Threshold("CRP raised above", CRP_RAISED.low or Decimal(0), "mg/L")

_NO_SIGN = (NotApplicable("no sign of inflammation on record"),)
_NOT_FUNCTIONAL = (NotApplicable("ferritin not above 75 and below 300 ng/mL with TSAT below 20 %"),)
_NO_EFFECT = (NotApplicable("inflammation changes nothing at this ferritin and TSAT"),)


def _is_functional(case: Case) -> bool:
    """Ferritin in (75, 300) with TSAT below 20: too little iron, or iron that inflammation keeps away."""
    return case.ferritin.is_in(FERRITIN_ABOVE_LOW) and case.tsat.is_in(TSAT_LOW)


def _evaluate_cap(case: Case) -> tuple[Answer, ...]:
    if not case.inflammation.is_present:
        return _NO_SIGN
    if not _is_functional(case):
        return _NOT_FUNCTIONAL
    say = ("The support is weaker: functional iron deficiency or inflammation.",)
    return (Cap(f"signs of inflammation: {_signs(case)}", say, case.inflammation.used),)


def _signs(case: Case) -> str:
    return "; ".join(case.inflammation.because)


def _evaluate_effect(case: Case) -> tuple[Answer, ...]:
    if not case.inflammation.is_present:
        return _NO_SIGN
    if case.ferritin.is_in(FERRITIN_LOW):
        text = f"low despite signs of inflammation: {_signs(case)}"
        used = (case.ferritin.used, *case.inflammation.used)
        return (Remark("ferritin", text, "ferritin 75 ng/mL or less with signs of inflammation", used=used),)
    meaning = _find_meaning(case)
    if not meaning:
        return _NO_EFFECT
    text = f"Signs of inflammation: {_signs(case)}. {meaning}"
    return (
        Line(
            Rank.INFLAMMATION,
            text,
            "signs of inflammation",
            used=case.inflammation.used,
        ),
    )


def _find_meaning(case: Case) -> str:
    if _is_functional(case):
        return "Functional iron deficiency or inflammation: a low TSAT may be due to either."
    if not case.tsat.is_in(TSAT_MIDDLE):
        return ""
    if case.ferritin.is_in(FERRITIN_GREY):
        return "Ferritin may be falsely high."
    if case.ferritin.is_in(FERRITIN_MIDDLE):
        return "Ferritin may be falsely high; consider repeating ferritin and TSAT when CRP settles."
    return ""


_INPUTS = ("inflammation", "ferritin", "tsat")

RULES: tuple[Rule, ...] = (
    Rule(
        "R-27",
        "Inflammation caps where TSAT is low and ferritin is not",
        Phase.CAP,
        (P2, DESIGN),
        _INPUTS,
        _evaluate_cap,
        (CRP_LIMIT,),
    ),
    Rule(
        "R-27 (text)",
        "What inflammation means for this ferritin",
        Phase.TEXT,
        (P2, DESIGN),
        _INPUTS,
        _evaluate_effect,
        (CRP_LIMIT,),
    ),
)
