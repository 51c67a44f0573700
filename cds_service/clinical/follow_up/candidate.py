"""Unasked advice: a patient who meets the criteria without an order, or was never tested (R-50d)."""

from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal

from cds_service.clinical import doses
from cds_service.clinical.case import Case
from cds_service.clinical.decision import Decision, decide
from cds_service.clinical.follow_up.course import REPEAT_FROM_DAY
from cds_service.clinical.model import Allergen, Ingredient, IronOrder, OrderDose, PatientFacts
from cds_service.clinical.order_dose import FCM_MG_PER_KG, FCM_MOST_MG
from cds_service.clinical.problem_list import find_counting
from cds_service.clinical.rules import RULES
from cds_service.clinical.rules.allergy import REACTION_ENTRIES
from cds_service.clinical.rules.eligibility import GREY_ZONE, LOW_FERRITIN, LOW_TSAT
from cds_service.clinical.rules.scope import find_rls
from cds_service.clinical.zones import FERRITIN_ZONES

ASKED_BY = (LOW_FERRITIN.rule_id, LOW_TSAT.rule_id, GREY_ZONE.rule_id)  # never R-26a
OTHER_ANEMIA = "R-15a"
NEVER_TESTED_DAYS = 365
DRAFT = "draft"
_VOID_STATUS = ("entered-in-error", "cancelled")
DRAFT_REFERENCE = "MedicationRequest/candidate"
ORAL_FIRST = "Oral iron is an equal option at this ferritin and is named first: ferrous sulfate, 65 mg elemental iron."
HOW_DOSED = f"{FCM_MG_PER_KG} mg/kg, at most {FCM_MOST_MG} mg, rounded down"
WITHOUT_FERRITIN = f"the last {NEVER_TESTED_DAYS} days"


@dataclass(frozen=True, slots=True)
class Candidate:
    """A draft order of ferric carboxymaltose could be suggested: its dose, and why."""

    decision: Decision
    dose_mg: Decimal
    names_oral_first: bool  # R-30, R-50d: ferritin 75 or less


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why there is no unasked advice; for the trace."""

    because: str


def find_candidate(facts: PatientFacts, chart: Case) -> Candidate | Refusal:
    """R-50d (i). `chart` is of `open_chart`; everything is decided again when the order is chosen."""
    because = _why_not_ask(facts, chart)
    if because:
        return Refusal(because)
    kilograms = doses.weight_kg(chart.weight)
    if kilograms is None:
        return Refusal("no usable weight")
    dose = doses.draft_dose_mg(kilograms)
    decision = _decide_draft(facts, chart, dose)
    because = _why_decided_against(decision)
    return Refusal(because) if because else Candidate(decision, dose, chart.ferritin.is_in(FERRITIN_ZONES[0]))


def _why_not_ask(facts: PatientFacts, chart: Case) -> str:
    if not any(entry.verification_status == "confirmed" for entry in find_rls(facts.conditions)):
        return "the diagnosis of RLS is not marked as confirmed"
    if not (chart.ferritin.is_usable and chart.tsat.is_usable):
        return "ferritin and TSAT are not both usable"
    if facts.signed_orders or any(order.status == DRAFT for order in facts.idle_orders):
        return "an order of parenteral iron is open"
    if any((chart.as_of - dose.day).days < REPEAT_FROM_DAY for dose in chart.doses):
        return "IV iron in the last 84 days"
    if _has_iron_allergy(facts):
        return "an allergy entry about iron"
    if chart.pregnancy.is_pregnant:
        return "pregnant"
    if chart.is_in_dialysis:
        return "in dialysis"
    return "signs of inflammation" if chart.inflammation.is_present else ""


def _has_iron_allergy(facts: PatientFacts) -> bool:
    """Of any kind: oral, inactive and without reaction included; only refuted entries and those in error are none."""
    named = any(entry.counts and entry.allergen is not Allergen.OTHER_DRUG for entry in facts.allergies)
    return named or bool(find_counting(facts.conditions, REACTION_ENTRIES))


def _decide_draft(facts: PatientFacts, chart: Case, dose: Decimal) -> Decision:
    order = IronOrder(
        reference=DRAFT_REFERENCE,
        resource_type="MedicationRequest",
        name=doses.name_product(Ingredient.FCM),
        ingredient=Ingredient.FCM,
        status=DRAFT,
        route="intravenous",
        dose=OrderDose(mg=dose),
    )
    return decide(RULES, Case(order, (order,), facts, chart.as_of, "order-select", chart.label))


def _why_decided_against(decision: Decision) -> str:
    rule, verdict = decision.verdicts[0]
    if rule.id not in ASKED_BY:
        return f"{rule.id}: {verdict.because}"
    if any(cap_rule.id == OTHER_ANEMIA for cap_rule, _ in decision.caps):
        return "an anemia that may not be from lack of iron"
    warning = next((line.because for _, line in decision.lines if line.makes_warning), "")
    return f"a caution that would make a warning: {warning}" if warning else ""


# ---------------------------------------------------------------------------------------- R-50d (ii): iron studies


def lacks_iron_studies(facts: PatientFacts, chart: Case, ordered_tests: frozenset[str]) -> Refusal | None:
    """None when iron studies can be offered: no ferritin at all within 365 days, and none ordered (R-50d)."""
    since = chart.as_of - timedelta(days=NEVER_TESTED_DAYS)
    found = (one for one in facts.results.get("ferritin", ()) if one.status not in _VOID_STATUS)
    if any(one.day is None or one.day.last >= since for one in found):
        return Refusal("a ferritin within 365 days, or one without a date")
    if "ferritin" in ordered_tests:
        return Refusal("a ferritin is ordered")
    if "follow_up" in facts.unavailable:
        return Refusal("it could not be told whether a ferritin is ordered")
    if any((chart.as_of - dose.day).days < REPEAT_FROM_DAY for dose in chart.doses):
        return Refusal("IV iron in the last 84 days: the follow-up asks for the tests when they can be read")
    return None
