"""Short builders for rule tables: synthetic facts on one reference date, nothing from a real chart."""

from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from cds_service.clinical.case import Case
from cds_service.clinical.dates import Day
from cds_service.clinical.decision import Decision
from cds_service.clinical.decision import decide as decide_rules
from cds_service.clinical.interval import Interval
from cds_service.clinical.model import (
    Allergen,
    AllergyEntry,
    ConditionEntry,
    DoseRecord,
    DoseSource,
    Ingredient,
    IronOrder,
    OrderDose,
    PatientFacts,
    RejectedBecause,
    Result,
)

TODAY = date(2026, 3, 10)  # reference date of all fixtures and tables
_UNITS = {
    "ferritin": "ng/mL",
    "tsat": "%",
    "iron": "ug/dL",
    "tibc": "ug/dL",
    "hemoglobin": "g/dL",
    "crp": "mg/L",
    "phosphate": "mg/dL",
    "body-weight": "kg",
}


def day(days_ago: int = 0, *, before: date = TODAY) -> Day:
    """An exact calendar day, `days_ago` before the reference date (negative: after it)."""
    when = before - timedelta(days=days_ago)
    return Day(when, when, None)


def result(
    analyte: str,
    value: str,
    *,
    days_ago: int = 10,
    status: str | None = "final",
    **changes: Any,
) -> Result:
    """An exact result in the canonical unit."""
    made = Result(
        analyte=analyte,
        value=Interval.point(Decimal(value)),
        recorded=f"{value} {_UNITS.get(analyte, '')}".strip(),
        day=day(days_ago),
        status=status,
        reference=f"Observation/{analyte}-{value}-{days_ago}",
    )
    return replace(made, **changes)


def rejected(
    analyte: str,
    why: RejectedBecause = RejectedBecause.UNIT,
    *,
    days_ago: int = 5,
    **changes: Any,
) -> Result:
    """A result whose value is there but cannot be used."""
    made = Result(
        analyte=analyte,
        value=None,
        recorded="12 furlong",
        day=day(days_ago),
        status="final",
        reference=f"Observation/{analyte}-rejected-{days_ago}",
        rejected=why,
        problem="unit not known",
    )
    return replace(made, **changes)


def ferritin(value: str, **changes: Any) -> Result:
    return result("ferritin", value, **changes)


def tsat(value: str, **changes: Any) -> Result:
    return result("tsat", value, **changes)


def hemoglobin(value: str, **changes: Any) -> Result:
    return result("hemoglobin", value, **changes)


def crp(value: str, **changes: Any) -> Result:
    return result("crp", value, **changes)


def phosphate(value: str, **changes: Any) -> Result:
    return result("phosphate", value, **changes)


def weight(value: str, *, days_ago: int = 20, method: str = "measured", **changes: Any) -> Result:
    return result("body-weight", value, days_ago=days_ago, method=method, **changes)


def condition(*concepts: str, name: str = "", **changes: Any) -> ConditionEntry:
    """An active, confirmed problem-list entry."""
    made = ConditionEntry(
        concepts=frozenset(concepts),
        name=name or (concepts[0] if concepts else "something"),
        reference="Condition/" + "-".join(concepts or ("x",)),
        is_active=True,
        clinical_status="active",
        verification_status="confirmed",
        day=day(400),
    )
    return replace(made, **changes)


RLS = condition("rls", name="Restless legs syndrome")


def allergy(allergen: Allergen, ingredient: Ingredient | None = None, **changes: Any) -> AllergyEntry:
    made = AllergyEntry(
        allergen=allergen,
        ingredient=ingredient,
        name=str(ingredient or allergen),
        reference="AllergyIntolerance/1",
        clinical_status="active",
        verification_status="confirmed",
        has_reaction=False,
        all_gastrointestinal=False,
        has_anaphylaxis=False,
        is_severe=False,
    )
    return replace(made, **changes)


def given(
    ingredient: Ingredient | None = Ingredient.FCM,
    mg: str | None = "1000",
    *,
    days_ago: int = 100,
    **changes: Any,
) -> DoseRecord:
    """A documented administration."""
    made = DoseRecord(
        ingredient=ingredient,
        day=day(days_ago),
        amount_mg=None if mg is None else Decimal(mg),
        source=DoseSource.ADMINISTRATION,
        reference=f"MedicationAdministration/{ingredient}-{days_ago}",
    )
    return replace(made, **changes)


def order(
    ingredient: Ingredient | None = Ingredient.FCM,
    mg: str | None = None,
    **changes: Any,
) -> IronOrder:
    """A draft intravenous order of the session; without `mg` the dose is absent."""
    made = IronOrder(
        reference="MedicationRequest/order-1",
        resource_type="MedicationRequest",
        name=str(ingredient or "IV iron"),
        ingredient=ingredient,
        status="draft",
        route="intravenous",
        dose=OrderDose(mg=None if mg is None else Decimal(mg)),
    )
    return replace(made, **changes)


def facts(*results: Result, **changes: Any) -> PatientFacts:
    """An adult woman of 60 with RLS; `results` by analyte. Age outside 18-55, so no remark on pregnancy (R-20d)."""
    by_analyte: dict[str, tuple[Result, ...]] = {}
    for one in results:
        by_analyte[one.analyte] = (*by_analyte.get(one.analyte, ()), one)
    made = PatientFacts(
        birth=Day(date(1966, 1, 1), date(1966, 1, 1), None),
        sex="female",
        conditions=(RLS,),
        results=by_analyte,
    )
    return replace(made, **changes)


def case(
    patient: PatientFacts,
    evaluated: IronOrder | None = None,
    *,
    session: tuple[IronOrder, ...] | None = None,
    as_of: date = TODAY,
    hook: str = "order-select",
    label: str = "us",
) -> Case:
    the_order = evaluated or order()
    return Case(the_order, session or (the_order,), patient, as_of, hook, label)


def decide(the_case: Case) -> Decision:
    """The whole rule book over one case."""
    from cds_service.clinical.rules import RULES

    return decide_rules(RULES, the_case)


def lines(decision: Decision, rule_id: str) -> list[str]:
    """Texts of the caution lines a rule gave."""
    return [line.text for rule, line in decision.lines if rule.id.startswith(rule_id)]
