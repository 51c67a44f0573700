"""What the hemoglobin adds: urgent anemia, anemia that needs a cause, incomplete repletion, a missing count (R-29)."""

from decimal import Decimal

from cds_service.clinical.case import Case, Rule, Threshold
from cds_service.clinical.citations import DESIGN, P2, P4, T6
from cds_service.clinical.interval import Interval
from cds_service.clinical.model import Answer, Line, NotApplicable, Phase, Rank, Remark
from cds_service.clinical.rules.missing import HEMOGLOBIN_TESTS

URGENT_BELOW = Threshold("urgent review below", Decimal(7), "g/dL")  # R-29d, general knowledge
REPLETION_BELOW = Threshold("repletion may be incomplete below", Decimal("12.5"), "g/dL")  # R-29a, T6
# R-29b, WHO.
ANEMIA_MEN_BELOW = Threshold("anemia in men below", Decimal(13), "g/dL")
ANEMIA_WOMEN_BELOW = Threshold("anemia in non-pregnant women, or sex not recorded, below", Decimal(12), "g/dL")
ANEMIA_PREGNANT_BELOW = Threshold("anemia in pregnancy below", Decimal(11), "g/dL")


def _below(limit: Threshold) -> Interval:
    return Interval.below(Decimal(limit.value))


_URGENT, _REPLETION = _below(URGENT_BELOW), _below(REPLETION_BELOW)
_ANEMIA_MEN, _ANEMIA_WOMEN, _ANEMIA_PREGNANT = (
    _below(ANEMIA_MEN_BELOW),
    _below(ANEMIA_WOMEN_BELOW),
    _below(ANEMIA_PREGNANT_BELOW),
)
_NOT_LOW = (NotApplicable("hemoglobin not below the limit, or not known"),)
_KNOWN = (NotApplicable("a usable hemoglobin is on record"),)


def _evaluate_urgent(case: Case) -> tuple[Answer, ...]:
    reading = case.hemoglobin
    if not reading.is_in(_URGENT):
        return _NOT_LOW
    text = f"Hemoglobin {reading.shown}: urgent clinical review."
    return (Line(Rank.HEMOGLOBIN_CRITICAL, text, "hemoglobin below 7 g/dL", makes_warning=True, used=(reading.used,)),)


def _evaluate_repletion(case: Case) -> tuple[Answer, ...]:
    reading = case.hemoglobin
    if not reading.is_in(_REPLETION):
        return _NOT_LOW
    text = (
        f"Hemoglobin {reading.shown}: repletion may be incomplete. If iron is given, consider a CBC after 4 to 8 "
        "weeks; more than 1000 mg may be needed, within the course limit of the label."
    )
    return (Line(Rank.HEMOGLOBIN, text, "hemoglobin below 12.5 g/dL", used=(reading.used,)),)


def anemia_zone(case: Case) -> Interval:
    """WHO bound for this patient; sex not recorded, or neither male nor female: the bound for women (R-29b)."""
    if case.pregnancy.is_pregnant:
        return _ANEMIA_PREGNANT
    return _ANEMIA_MEN if case.facts.sex == "male" else _ANEMIA_WOMEN


def _evaluate_anemia(case: Case) -> tuple[Answer, ...]:
    reading = case.hemoglobin
    if not reading.is_in(anemia_zone(case)):
        return _NOT_LOW
    text = (
        f"Anemia (hemoglobin {reading.shown}): look for the cause. In iron-deficiency anemia (ferritin below 45 ng/mL) "
        "the AGA recommends bidirectional endoscopy in men and postmenopausal women, and suggests it in premenopausal "
        "women."
    )
    return (Line(Rank.HEMOGLOBIN, text, "anemia by WHO bounds", used=(reading.used,)),)


def _evaluate_absent(case: Case) -> tuple[Answer, ...]:
    if case.hemoglobin.is_usable:
        return _KNOWN
    text = "No usable hemoglobin: consider a CBC."
    return (Remark("next-step", text, case.hemoglobin.why_missing, offer_tests=HEMOGLOBIN_TESTS),)


_INPUTS = ("hemoglobin",)

RULES: tuple[Rule, ...] = (
    Rule(
        "R-29d",
        "Hemoglobin below 7 g/dL: urgent review",
        Phase.TEXT,
        (DESIGN,),
        _INPUTS,
        _evaluate_urgent,
        (URGENT_BELOW,),
    ),
    Rule(
        "R-29b",
        "Anemia by WHO bounds: look for the cause",
        Phase.TEXT,
        (P2, P4),
        ("hemoglobin", "sex", "pregnancy"),
        _evaluate_anemia,
        (ANEMIA_MEN_BELOW, ANEMIA_WOMEN_BELOW, ANEMIA_PREGNANT_BELOW),
    ),
    Rule(
        "R-29a",
        "Hemoglobin below 12.5 g/dL: repletion may be incomplete",
        Phase.TEXT,
        (T6,),
        _INPUTS,
        _evaluate_repletion,
        (REPLETION_BELOW,),
    ),
    Rule("R-29c", "No hemoglobin: a blood count is offered", Phase.TEXT, (DESIGN,), _INPUTS, _evaluate_absent),
)
