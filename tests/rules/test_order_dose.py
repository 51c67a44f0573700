"""R-04a, R-32 to R-36: the dose of an order, the dose we draft, and how the highest single dose is shown."""

from decimal import Decimal
from typing import Any

import pytest

from cds_service.clinical import doses
from cds_service.clinical.model import Ingredient, OrderDose, PatientFacts, ProcedureEntry
from tests.rules.ask import texts
from tests.rules.build import RLS, case, condition, day, facts, order, weight

FCM, SUCROSE, DERISOMALTOSE = Ingredient.FCM, Ingredient.SUCROSE, Ingredient.DERISOMALTOSE
DIALYSIS = condition("dialysis-dependence")


def row(rule_id: str, words: str, *values: object) -> Any:
    return pytest.param(*values, id=f"{rule_id} {words}")


# -------------------------------------------------------------------------------------------------- R-04a: one order


@pytest.mark.parametrize(
    ("dose", "kilograms", "expected"),
    [
        row("R-04a", "mg as written", OrderDose(mg=Decimal(750)), "60", "750"),
        row("R-04a", "mg needs no weight", OrderDose(mg=Decimal(750)), None, "750"),
        row("R-04a", "mg/kg by weight, unrounded", OrderDose(mg_per_kg=Decimal(15)), "60.3", "904.5"),
        row("R-04a", "mg/kg without weight is no dose", OrderDose(mg_per_kg=Decimal(15)), None, None),
        row("R-04a", "absent", OrderDose(), "60", None),
        row("R-04a", "vials are unreadable", OrderDose(unreadable="2 vials"), "60", None),
        row("R-04a", "unreadable beside mg", OrderDose(mg=Decimal(750), unreadable="2 vials"), "60", None),
    ],
)
def test_r_04a_dose_of_one_administration(dose: OrderDose, kilograms: str | None, expected: str | None) -> None:
    chart = facts(weight(kilograms)) if kilograms else facts()
    found = case(chart, order(dose=dose)).dose_mg
    assert found == (None if expected is None else Decimal(expected))


@pytest.mark.parametrize(("times", "expected"), [(1, "750"), (2, "1500"), (3, "2250")])
def test_r_04a_a_course_counts_every_administration(times: int, expected: str) -> None:
    asked = case(facts(), order(mg="750", administrations=times))
    assert doses.order_total_mg(asked.order, asked.weight) == Decimal(expected)
    assert asked.dose_mg == Decimal(750)


def test_r_04a_an_absent_dose_has_no_total() -> None:
    asked = case(facts(), order(administrations=2))
    assert doses.order_total_mg(asked.order, asked.weight) is None


@pytest.mark.parametrize(
    ("kilograms", "expected"),
    [
        row("R-50d", "50 kg", "50", "750"),
        row("R-50d", "60 kg is 900", "60", "900"),
        row("R-50d", "63.3 kg is 949.5, drafted as 900", "63.3", "900"),
        row("R-50d", "63.4 kg is 951, drafted as 950", "63.4", "950"),
        row("R-50d", "66.6 kg is 999, drafted as 950", "66.6", "950"),
        row("R-50d", "66.7 kg reaches 1000", "66.7", "1000"),
        row("R-50d", "120 kg stays at 1000", "120", "1000"),
    ],
)
def test_r_32a_a_dose_we_draft_is_rounded_down_to_50_mg(kilograms: str, expected: str) -> None:
    assert doses.draft_dose_mg(Decimal(kilograms)) == Decimal(expected)


@pytest.mark.parametrize(
    ("kilograms", "expected"),
    [
        row("R-37", "without a weight 1000 mg", None, "1000"),
        row("R-37", "60.3 kg, unrounded", "60.3", "904.5"),
        row("R-37", "66.6 kg", "66.6", "999"),
        row("R-37", "66.7 kg", "66.7", "1000"),
    ],
)
def test_r_37_the_usual_dose_is_15_mg_per_kg_up_to_1000(kilograms: str | None, expected: str) -> None:
    assert doses.usual_dose_mg(None if kilograms is None else Decimal(kilograms)) == Decimal(expected)


CEILINGS = [
    row("R-32a", "904.95 is shown rounded down", FCM, facts(weight("60.33")),
        "904 mg per dose (15 mg/kg at 60.33 kg, at most 1000 mg)"),
    row("R-32", "without a weight", FCM, facts(),
        "1000 mg per dose (at most 1000 mg; weight needed for the 15 mg/kg ceiling)"),
    row("R-35", "49.9 kg", DERISOMALTOSE, facts(weight("49.9")),
        "998 mg per dose (20 mg/kg at 49.9 kg, at most 1000 mg)"),
    row("R-35", "50 kg", DERISOMALTOSE, facts(weight("50")), "1000 mg per dose (US label from 50 kg)"),
    row("R-34", "ferumoxytol", Ingredient.FERUMOXYTOL, facts(), "510 mg per dose (US label)"),
    row("R-33", "dextran", Ingredient.DEXTRAN, facts(), "100 mg per dose (US label, per day)"),
    row("R-36", "sucrose", SUCROSE, facts(), "200 mg per dose (US label)"),
    row("R-36", "sucrose in dialysis, method not stated", SUCROSE, facts(conditions=(RLS, DIALYSIS)),
        "100 mg per dose (hemodialysis)"),
    row("R-36", "sucrose in peritoneal dialysis", SUCROSE, facts(conditions=(RLS, condition("peritoneal-dialysis"))),
        "400 mg per dose (peritoneal dialysis, 14 days apart)"),
    row("R-36", "gluconate", Ingredient.GLUCONATE, facts(), "125 mg per dose (US label)"),
]  # fmt: skip


@pytest.mark.parametrize(("ingredient", "patient", "shown"), CEILINGS)
def test_r_32_to_r_36_the_ceiling_is_shown_with_what_it_rests_on(
    ingredient: Ingredient, patient: PatientFacts, shown: str
) -> None:
    found = doses.dose_ceiling(case(patient, order(ingredient)))
    assert found is not None and found.shown == shown


def by_procedure(method: str) -> dict[str, Any]:
    return {"procedures": (ProcedureEntry(frozenset({method}), day(3), f"Procedure/{method}"),)}


@pytest.mark.parametrize(
    ("ingredient", "mg", "changes", "is_said"),
    [
        row("R-28", "200 mg in hemodialysis", FCM, "200", by_procedure("hemodialysis"), False),
        row("R-28", "200.1 mg in hemodialysis", FCM, "200.1", by_procedure("hemodialysis"), True),
        row("R-28", "no dose yet", FCM, None, by_procedure("hemodialysis"), True),
        row("R-28", "peritoneal dialysis by procedure", FCM, "500", by_procedure("peritoneal-dialysis"), False),
        row("R-28", "dialysis, method not stated", FCM, "500", {"conditions": (RLS, DIALYSIS)}, True),
        row("R-28", "another product", DERISOMALTOSE, "500", by_procedure("hemodialysis"), False),
    ],
)
def test_r_28_carboxymaltose_above_200_mg_is_cautioned_in_hemodialysis(
    ingredient: Ingredient, mg: str | None, changes: dict[str, Any], is_said: bool
) -> None:
    (said,) = texts("R-28 (text)", case(facts(**changes), order(ingredient, mg)))
    assert ("single doses above 200 mg in hemodialysis" in said) is is_said
