"""R-04, R-32 to R-36, R-32a: the ceiling of one dose by product, weight, label and dialysis."""

from decimal import Decimal
from typing import Any

import pytest

from cds_service.clinical import doses
from cds_service.clinical.case import Case
from cds_service.clinical.model import (
    ConditionEntry,
    DoseRecord,
    Ingredient,
    IronOrder,
    Line,
    OrderDose,
    PregnancyEvidence,
    PregnancySource,
    ProcedureEntry,
    Rank,
    Remark,
)
from tests.rules.ask import ask, texts
from tests.rules.build import case, condition, day, decide, facts, ferritin, given, order, tsat, weight

FCM, DEXTRAN, FERUMOXYTOL = Ingredient.FCM, Ingredient.DEXTRAN, Ingredient.FERUMOXYTOL
DERISOMALTOSE, SUCROSE, GLUCONATE = Ingredient.DERISOMALTOSE, Ingredient.SUCROSE, Ingredient.GLUCONATE
RULES = ("R-32", "R-32 (EU)", "R-33 (dose)", "R-34 (dose)", "R-35", "R-36")


def row(rule_id: str, words: str, *values: object) -> Any:
    return pytest.param(*values, id=f"{rule_id} {words}")


def asked(
    ingredient: Ingredient | None,
    mg: str | None,
    kilograms: str | None = "72",
    *,
    label: str = "us",
    hook: str = "order-select",
    **chart: Any,
) -> Case:
    patient = facts(*([weight(kilograms)] if kilograms else []), **chart)
    return case(patient, order(ingredient, mg), label=label, hook=hook)


def found(one: Case) -> list[Line]:
    return [answer for rule_id in RULES for answer in ask(rule_id, one) if isinstance(answer, Line)]


def warnings(one: Case) -> list[str]:
    return [line.text for line in found(one) if line.makes_warning]


# ------------------------------------------------------------------------------------------- over the ceiling or not

CEILINGS = [
    row("R-32", "60 kg: 900 mg", FCM, "900", "60", False),
    row("R-32", "60 kg: 900.1 mg", FCM, "900.1", "60", True),
    row("R-32a", "60.3 kg: 904.5 mg, unrounded", FCM, "904.5", "60.3", False),
    row("R-32a", "60.3 kg: 904.51 mg", FCM, "904.51", "60.3", True),
    row("R-32a", "60.3 kg: 905 mg, no tolerance", FCM, "905", "60.3", True),
    row("R-32", "66.6 kg: 1000 mg", FCM, "1000", "66.6", True),
    row("R-32", "66.7 kg: 1000 mg", FCM, "1000", "66.7", False),
    row("R-32", "120 kg: 1000 mg", FCM, "1000", "120", False),
    row("R-32", "120 kg: 1001 mg", FCM, "1001", "120", True),
    row("R-32", "40 kg: 600 mg", FCM, "600", "40", False),
    row("R-32", "40 kg: 601 mg", FCM, "601", "40", True),
    row("R-32", "no weight: 1000 mg", FCM, "1000", None, False),
    row("R-32", "no weight: 1001 mg", FCM, "1001", None, True),
    row("R-33", "100 mg a day", DEXTRAN, "100", "72", False),
    row("R-33", "101 mg", DEXTRAN, "101", "72", True),
    row("R-34", "510 mg", FERUMOXYTOL, "510", "72", False),
    row("R-34", "511 mg", FERUMOXYTOL, "511", "72", True),
    row("R-35", "50 kg: 1000 mg", DERISOMALTOSE, "1000", "50", False),
    row("R-35", "50 kg: 1001 mg", DERISOMALTOSE, "1001", "50", True),
    row("R-35", "49.9 kg: 998 mg", DERISOMALTOSE, "998", "49.9", False),
    row("R-35", "49.9 kg: 999 mg", DERISOMALTOSE, "999", "49.9", True),
    row("R-35", "no weight: 1000 mg", DERISOMALTOSE, "1000", None, False),
    row("R-35", "no weight: 1001 mg", DERISOMALTOSE, "1001", None, True),
    row("R-36", "sucrose 200 mg", SUCROSE, "200", "72", False),
    row("R-36", "sucrose 201 mg", SUCROSE, "201", "72", True),
    row("R-36", "gluconate 125 mg", GLUCONATE, "125", "72", False),
    row("R-36", "gluconate 126 mg", GLUCONATE, "126", "72", True),
    row("R-04", "product not named", None, "5000", "72", False),
]


@pytest.mark.parametrize(("ingredient", "mg", "kilograms", "is_over"), CEILINGS)
def test_r_32_to_r_36_single_dose_against_the_ceiling(
    ingredient: Ingredient | None, mg: str, kilograms: str | None, is_over: bool
) -> None:
    one = asked(ingredient, mg, kilograms)
    assert bool(warnings(one)) is is_over
    assert all(line.rank is Rank.DOSE for line in found(one) if line.makes_warning)


def test_r_32a_the_ceiling_is_shown_rounded_down_with_its_basis() -> None:
    (text,) = warnings(asked(FCM, "1000", "60.3"))
    assert text == (
        "Ordered dose 1000 mg is above the ceiling of 904 mg per dose (15 mg/kg at 60.3 kg, at most 1000 mg)."
    )


def test_r_32_the_line_names_order_and_weight() -> None:
    (line,) = found(asked(FCM, "1000", "60"))
    assert [one.name for one in line.used] == ["ordered dose", "body weight"]


def test_r_32_one_administration_counts_not_the_course() -> None:
    one = case(facts(weight("72")), order(FCM, "750", administrations=2))
    assert found(one) == []


def test_r_32_a_dose_per_kg_is_compared_by_weight() -> None:
    per_kg = order(FCM, dose=OrderDose(mg_per_kg=Decimal(15)))
    assert not warnings(case(facts(weight("66")), per_kg))
    assert warnings(case(facts(weight("67")), per_kg))


@pytest.mark.parametrize(
    ("ingredient", "words"),
    [row("R-32", "FCM", FCM, "15 mg/kg ceiling"), row("R-35", "derisomaltose", DERISOMALTOSE, "20 mg/kg ceiling")],
)
def test_r_32_and_r_35_without_a_weight_the_card_asks_for_it(ingredient: Ingredient, words: str) -> None:
    (line,) = found(asked(ingredient, "750", None))
    assert (line.rank, line.makes_warning) == (Rank.DOSE, False)
    assert f"Weight needed for the {words}: no body weight in the data provided." in line.text


@pytest.mark.parametrize("ingredient", [DEXTRAN, FERUMOXYTOL, SUCROSE, GLUCONATE])
def test_r_34_and_r_36_need_no_weight(ingredient: Ingredient) -> None:
    assert found(asked(ingredient, "100", None)) == []


@pytest.mark.parametrize(
    ("mg", "is_untried"),
    [row("R-33", "500 mg", "500", False), row("R-33", "1000 mg", "1000", False), row("R-33", "1001 mg", "1001", True)],
)
def test_r_33_large_doses_of_dextran_are_off_label_and_above_1000_mg_untried(mg: str, is_untried: bool) -> None:
    (text,) = warnings(asked(DEXTRAN, mg))
    assert "a single 1000 mg infusion is off-label practice" in text
    assert ("above the doses tried in RLS" in text) is is_untried


def test_r_36_several_visits_are_needed() -> None:
    (text,) = warnings(asked(SUCROSE, "300"))
    assert "several visits" in text


# ----------------------------------------------------------------------------------------------- dialysis

HEMODIALYSIS = condition("hemodialysis", "dialysis-dependence")
PERITONEAL = condition("peritoneal-dialysis")
UNSTATED = condition("dialysis-dependence")


def done(*concepts: str, days_ago: int = 5) -> ProcedureEntry:
    return ProcedureEntry(frozenset({"dialysis-procedure", *concepts}), day(days_ago), f"Procedure/{days_ago}")


@pytest.mark.parametrize(
    ("conditions", "procedures", "ceiling"),
    [
        row("R-36", "not in dialysis", (), (), "200"),
        row("R-36", "hemodialysis", (HEMODIALYSIS,), (), "100"),
        row("R-36", "dialysis, method not stated", (UNSTATED,), (), "100"),
        row("R-36", "peritoneal dialysis", (PERITONEAL,), (), "400"),
        row("R-36", "peritoneal by procedure", (), (done("peritoneal-dialysis"),), "400"),
        row("R-36", "both methods on record", (PERITONEAL,), (done("hemodialysis"),), "100"),
    ],
)
def test_r_36_ceiling_of_iron_sucrose_by_method_of_dialysis(
    conditions: tuple[ConditionEntry, ...], procedures: tuple[ProcedureEntry, ...], ceiling: str
) -> None:
    chart: dict[str, Any] = {"conditions": conditions, "procedures": procedures}
    assert not warnings(asked(SUCROSE, ceiling, **chart))
    assert warnings(asked(SUCROSE, f"{ceiling}.1", **chart))


# --------------------------------------------------------------------------------------------------- EU label


@pytest.mark.parametrize(
    ("mg", "kilograms", "is_over"),
    [
        row("R-32", "EU 40 kg: 800 mg", "800", "40", False),
        row("R-32", "EU 40 kg: 801 mg", "801", "40", True),
        row("R-32", "EU 50 kg: 1000 mg", "1000", "50", False),
        row("R-32", "EU 80 kg: 1001 mg", "1001", "80", True),
        row("R-32", "EU no weight: 1001 mg", "1001", None, True),
    ],
)
def test_r_32_eu_label_has_20_mg_per_kg(mg: str, kilograms: str | None, is_over: bool) -> None:
    assert bool(warnings(asked(FCM, mg, kilograms, label="eu"))) is is_over


def test_r_32_eu_without_a_weight_asks_for_it() -> None:
    (line,) = found(asked(FCM, "750", None, label="eu"))
    assert "20 mg/kg ceiling" in line.text


@pytest.mark.parametrize(
    ("mg", "label", "is_said"),
    [
        row("R-32", "EU up to 15 mg/kg", "600", "eu", False),
        row("R-32", "EU above 15 mg/kg", "601", "eu", True),
        row("R-32", "EU at 20 mg/kg is not over yet", "800", "eu", True),
        row("R-32", "EU above 20 mg/kg is over anyway", "801", "eu", False),
        row("R-32", "US label", "600", "us", False),
    ],
)
def test_r_32_eu_above_15_mg_per_kg_by_infusion_only(mg: str, label: str, is_said: bool) -> None:
    assert any("not an injection" in line.text for line in found(asked(FCM, mg, "40", label=label))) is is_said


@pytest.mark.parametrize(
    ("record", "label", "is_over"),
    [
        row("R-32", "EU 500 mg six days ago", given(mg="500", days_ago=6), "eu", True),
        row("R-32", "EU 500 mg seven days ago", given(mg="500", days_ago=7), "eu", False),
        row("R-32", "EU 400 mg six days ago", given(mg="400", days_ago=6), "eu", False),
        row("R-32", "EU another product", given(SUCROSE, mg="500", days_ago=6), "eu", False),
        row("R-32", "US has no weekly limit", given(mg="500", days_ago=6), "us", False),
    ],
)
def test_r_32_eu_at_most_1000_mg_per_week(record: DoseRecord, label: str, is_over: bool) -> None:
    assert bool(warnings(asked(FCM, "600", "72", label=label, dose_records=(record,)))) is is_over


def test_r_32_eu_the_week_is_named_with_both_amounts() -> None:
    (text,) = warnings(asked(FCM, "600", "72", label="eu", dose_records=(given(mg="500", days_ago=6),)))
    assert text == (
        "Ordered dose 600 mg and 500 mg given in the week before are together above 1000 mg per week (EU label)."
    )


@pytest.mark.parametrize(
    ("ingredient", "mg", "records"),
    [
        row("R-32", "EU nothing given in the week: the ceiling of one dose alone", FCM, "1001", ()),
        row("R-32", "EU a dose not written", FCM, None, (given(mg="1000", days_ago=3),)),
        row("R-32", "EU another product ordered", SUCROSE, "200", (given(mg="1000", days_ago=3),)),
    ],
)
def test_r_32_eu_the_weekly_limit_is_for_carboxymaltose_beside_earlier_carboxymaltose(
    ingredient: Ingredient, mg: str | None, records: tuple[DoseRecord, ...]
) -> None:
    assert not ask("R-32 (EU)", asked(ingredient, mg, "80", label="eu", dose_records=records))


def test_r_32_eu_the_week_is_counted_to_the_planned_date() -> None:
    planned = order(FCM, "600", planned=(day(-1),))
    assert not warnings(case(facts(weight("72"), dose_records=(given(mg="500", days_ago=6),)), planned, label="eu"))


@pytest.mark.parametrize("ingredient", [DERISOMALTOSE, DEXTRAN, FERUMOXYTOL, SUCROSE, GLUCONATE])
def test_r_32_the_eu_setting_changes_no_other_product(ingredient: Ingredient) -> None:
    us, eu = asked(ingredient, "1100", "40"), asked(ingredient, "1100", "40", label="eu")
    assert [line.text for line in found(us)] == [line.text for line in found(eu)]


# ------------------------------------------------------------------------------------- absent or unreadable

ABSENT, VIALS, PER_KG = OrderDose(), OrderDose(unreadable="2 vials"), OrderDose(mg_per_kg=Decimal(15))


def unknown(dose: OrderDose, hook: str, ingredient: Ingredient | None = FCM) -> Case:
    kilograms = () if dose is PER_KG else (weight("60"),)
    return case(facts(*kilograms), order(ingredient, dose=dose), hook=hook)


@pytest.mark.parametrize(
    ("dose", "words"),
    [
        row("R-04", "absent", ABSENT, "The order has no dose."),
        row("R-04", "vials", VIALS, "The dose (\u20632 vials\u2063) cannot be read as mg of iron."),
        row(
            "R-04",
            "per kg without a weight",
            PER_KG,
            "15 mg/kg cannot be worked out: no body weight in the data provided.",
        ),
    ],
)
def test_r_04_at_order_sign_a_dose_that_cannot_be_read_is_a_warning_with_the_ceiling(
    dose: OrderDose, words: str
) -> None:
    (line,) = ask("R-04", unknown(dose, "order-sign"))
    assert isinstance(line, Line)
    assert (line.rank, line.makes_warning) == (Rank.DOSE, True)
    assert words in line.text
    assert "The ceiling is" in line.text


@pytest.mark.parametrize("dose", [ABSENT, VIALS, PER_KG], ids=["R-04 absent", "R-04 vials", "R-04 per kg"])
def test_r_04_at_order_select_it_is_no_error_and_the_ceiling_is_information(dose: OrderDose) -> None:
    (remark,) = ask("R-04", unknown(dose, "order-select"))
    assert isinstance(remark, Remark)
    assert "checked again at signing" in remark.text
    assert "The ceiling is" in remark.text


def test_r_04_the_ceiling_is_that_of_the_patient() -> None:
    (text,) = texts("R-04", unknown(ABSENT, "order-select"))
    assert "The ceiling is 900 mg per dose (15 mg/kg at 60 kg, at most 1000 mg)." in text


def test_r_04_without_a_weight_the_ceiling_says_so() -> None:
    (text,) = texts("R-04", unknown(PER_KG, "order-select"))
    assert "1000 mg per dose (at most 1000 mg; weight needed for the 15 mg/kg ceiling)" in text


def test_r_08b_in_pregnancy_the_ceiling_asks_for_the_weight_before_it() -> None:
    status = PregnancyEvidence(PregnancySource.STATUS, "Observation/p", day(7), pregnant=True)
    (text,) = texts("R-04", case(facts(weight("72"), pregnancy=(status,)), order(FCM)))
    assert "pre-pregnancy weight needed for the 15 mg/kg ceiling" in text


def test_r_04_without_a_named_product_there_is_no_ceiling() -> None:
    (text,) = texts("R-04", unknown(ABSENT, "order-sign", None))
    assert "no ceiling can be given" in text


@pytest.mark.parametrize("hook", ["order-select", "order-sign"])
def test_r_04_a_dose_that_can_be_read_is_not_named(hook: str) -> None:
    assert ask("R-04", case(facts(weight("60")), order(FCM, "500"), hook=hook)) == ()


@pytest.mark.parametrize("dose", [ABSENT, VIALS], ids=["R-04 absent", "R-04 vials"])
def test_r_04_no_over_dose_verdict_without_a_dose(dose: OrderDose) -> None:
    assert found(unknown(dose, "order-sign")) == []


@pytest.mark.parametrize(
    ("evaluated", "hook"),
    [
        row("R-52", "over the ceiling", order(FCM, "1000"), "order-select"),
        row("R-52", "absent at signing", order(FCM), "order-sign"),
    ],
)
def test_r_52_a_dose_problem_makes_the_card_a_warning_and_leaves_the_class(evaluated: IronOrder, hook: str) -> None:
    chart = facts(ferritin("48"), tsat("17"), weight("55"))
    fine = decide(case(chart, order(FCM, "800"), hook=hook))
    problem = decide(case(chart, evaluated, hook=hook))
    assert not fine.makes_warning
    assert problem.makes_warning
    assert problem.conclusion is fine.conclusion


def test_r_35_shows_that_the_weight_was_enough() -> None:
    ceiling = doses.dose_ceiling(asked(DERISOMALTOSE, None, "72"))
    assert ceiling is not None
    assert ceiling.shown == "1000 mg per dose (US label from 50 kg)"
