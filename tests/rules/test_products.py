"""R-31, R-33, R-34, R-37, R-38, R-39: cap by product, boxed warnings, low dose, labelled use, giving the infusion."""

from decimal import Decimal
from typing import Any

import pytest

from cds_service.clinical.case import Case
from cds_service.clinical.model import (
    Cap,
    Conclusion,
    ConditionEntry,
    DoseRecord,
    Ingredient,
    IronOrder,
    Line,
    OrderDose,
    Rank,
    Remark,
)
from tests.rules.ask import ask, texts
from tests.rules.build import case, condition, day, decide, facts, ferritin, given, order, tsat, weight

FCM, DEXTRAN, FERUMOXYTOL = Ingredient.FCM, Ingredient.DEXTRAN, Ingredient.FERUMOXYTOL
DERISOMALTOSE, SUCROSE, GLUCONATE = Ingredient.DERISOMALTOSE, Ingredient.SUCROSE, Ingredient.GLUCONATE
DIALYSIS = condition("dialysis-dependence")


def row(rule_id: str, words: str, *values: object) -> Any:
    return pytest.param(*values, id=f"{rule_id} {words}")


# ------------------------------------------------------------------------------------------------- product cap

CAPS = [
    row("R-31", "ferric carboxymaltose", FCM, Conclusion.INDICATED_STRONG),
    row("R-31", "iron dextran", DEXTRAN, Conclusion.MAY_BENEFIT),
    row("R-31", "ferumoxytol", FERUMOXYTOL, Conclusion.MAY_BENEFIT),
    row("R-31", "ferric derisomaltose", DERISOMALTOSE, Conclusion.MAY_BENEFIT),
    row("R-31", "iron sucrose", SUCROSE, Conclusion.MAY_BENEFIT),
    row("R-31", "ferric gluconate", GLUCONATE, Conclusion.MAY_BENEFIT),
    row("R-31", "product not named", None, Conclusion.MAY_BENEFIT),
]


@pytest.mark.parametrize(("ingredient", "expected"), CAPS)
def test_r_31_only_ferric_carboxymaltose_carries_the_strong_recommendation(
    ingredient: Ingredient | None, expected: Conclusion
) -> None:
    decision = decide(case(facts(ferritin("48"), tsat("17"), weight("72")), order(ingredient, "100")))
    assert decision.conclusion is expected
    assert bool(decision.caps) is (ingredient is not FCM)


@pytest.mark.parametrize(
    ("ingredient", "words"),
    [
        row("R-31", "iron dextran", DEXTRAN, "very low certainty"),
        row("R-31", "ferumoxytol", FERUMOXYTOL, "very low certainty"),
        row("R-31", "ferric derisomaltose", DERISOMALTOSE, "no statement of the AASM guideline"),
        row("R-31", "iron sucrose", SUCROSE, "less consistent"),
        row("R-31", "product not named", None, "not named"),
    ],
)
def test_r_31_the_cap_says_why(ingredient: Ingredient | None, words: str) -> None:
    (cap,) = ask("R-31", case(facts(), order(ingredient)))
    assert isinstance(cap, Cap)
    assert words in " ".join(cap.say)


@pytest.mark.parametrize(
    ("conditions", "said"),
    [
        row("R-31", "in dialysis", (DIALYSIS,), "The product is not named."),
        row(
            "R-31",
            "not in dialysis",
            (),
            "The product is not named, so the strong recommendation for ferric carboxymaltose does not apply.",
        ),
    ],
)
def test_r_31_an_unnamed_product_has_no_strong_recommendation_outside_dialysis(
    conditions: tuple[ConditionEntry, ...], said: str
) -> None:
    (cap,) = ask("R-31", case(facts(conditions=conditions), order(None)))
    assert isinstance(cap, Cap)
    assert cap.say == (said,)


def test_r_31_a_product_never_raises_a_class() -> None:
    decision = decide(case(facts(ferritin("180"), tsat("30"), weight("72")), order(FCM, "1000")))
    assert decision.conclusion is Conclusion.NOT_INDICATED


@pytest.mark.parametrize("ingredient", [SUCROSE, GLUCONATE])
def test_r_31_in_dialysis_sucrose_and_gluconate_have_their_own_support(ingredient: Ingredient) -> None:
    outside, inside = (case(facts(conditions=conditions), order(ingredient, "100")) for conditions in ((), (DIALYSIS,)))
    assert ask("R-31", outside)
    assert "stronger evidence" in texts("R-31 (text)", outside)[0]
    assert not ask("R-31", inside)
    assert not texts("R-31 (text)", inside)


@pytest.mark.parametrize(
    ("evaluated", "words"),
    [
        row(
            "R-31",
            "high-molecular-weight dextran",
            order(DEXTRAN, is_high_molecular_weight=True),
            "not a current product",
        ),
        row("R-31", "product not named", order(None), "consider naming it"),
        row("R-31", "iron dextran", order(DEXTRAN), None),
        row("R-31", "ferric carboxymaltose", order(FCM), None),
    ],
)
def test_r_31_what_else_is_said_about_the_product(evaluated: IronOrder, words: str | None) -> None:
    found = ask("R-31 (text)", case(facts(), evaluated))
    assert bool(found) is (words is not None)
    for line in found:
        assert isinstance(line, Line)
        assert (line.rank, line.makes_warning) == (Rank.PRODUCT, False)
        assert str(words) in line.text


# ----------------------------------------------------------------------------------------- boxed warnings


def dextran(name: str, mg: str | None, **changes: Any) -> IronOrder:
    return order(DEXTRAN, mg, reference=f"MedicationRequest/{name}", **changes)


def of_25(mg: str) -> tuple[OrderDose, ...]:
    return (OrderDose(mg=Decimal(mg)),)


TEST_DOSE = [
    row("R-33", "a line of 25 mg in the order", dextran("a", "1000", other_lines=of_25("25")), (), (), True),
    row("R-33", "a line of 25.1 mg", dextran("a", "1000", other_lines=of_25("25.1")), (), (), False),
    row("R-33", "an order of 25 mg beside it", dextran("a", "1000"), (dextran("b", "25"),), (), True),
    row("R-33", "an order of 26 mg beside it", dextran("a", "1000"), (dextran("b", "26"),), (), False),
    row("R-33", "a signed order of 25 mg", dextran("a", "1000"), (), (dextran("b", "25", status="active"),), True),
    row(
        "R-33",
        "another product of 25 mg",
        dextran("a", "1000"),
        (order(FCM, "25", reference="MedicationRequest/b"),),
        (),
        False,
    ),
    row("R-33", "the order itself is of test-dose size", dextran("a", "25"), (), (), True),
    row("R-33", "none", dextran("a", "1000"), (), (), False),
]


@pytest.mark.parametrize(("evaluated", "beside", "in_chart", "is_there"), TEST_DOSE)
def test_r_33_boxed_warning_and_test_dose(
    evaluated: IronOrder, beside: tuple[IronOrder, ...], in_chart: tuple[IronOrder, ...], is_there: bool
) -> None:
    (line,) = ask("R-33", case(facts(signed_orders=in_chart), evaluated, session=(evaluated, *beside)))
    assert isinstance(line, Line)
    assert (line.rank, line.makes_warning) == (Rank.BOXED_WARNING, False)
    assert all(words in line.text for words in ("anaphylaxis", "25 mg", "1 hour", "resuscitation"))
    assert ("no test dose found" in line.text) is not is_there


def test_r_34_boxed_warning_of_ferumoxytol() -> None:
    (line,) = ask("R-34", case(facts(), order(FERUMOXYTOL, "510")))
    assert isinstance(line, Line)
    assert line.rank is Rank.BOXED_WARNING
    assert all(words in line.text for words in ("anaphylaxis", "15 minutes", "30 minutes", "resuscitation"))


@pytest.mark.parametrize("ingredient", [FCM, DERISOMALTOSE, SUCROSE, GLUCONATE, None])
def test_r_33_and_r_34_boxes_of_other_products_are_not_shown(ingredient: Ingredient | None) -> None:
    asked = case(facts(), order(ingredient, "100"))
    assert not ask("R-33", asked)
    assert not ask("R-34", asked)


# --------------------------------------------------------------------------------------------------- low dose


def low_dose(
    mg: str | None,
    kilograms: str | None = "72",
    *,
    records: tuple[DoseRecord, ...] = (),
    beside: tuple[IronOrder, ...] = (),
    **changes: Any,
) -> str:
    evaluated = order(FCM, mg, **changes)
    chart = facts(*([weight(kilograms)] if kilograms else []), dose_records=records)
    return " ".join(texts("R-37", case(chart, evaluated, session=(evaluated, *beside))))


def mate(mg: str | None, days_ahead: int = 8) -> IronOrder:
    return order(FCM, mg, reference="MedicationRequest/mate", planned=(day(-days_ahead),))


@pytest.mark.parametrize(
    ("mg", "kilograms", "is_low"),
    [
        row("R-37", "500 mg at 72 kg", "500", "72", True),
        row("R-37", "899 mg at 72 kg", "899", "72", True),
        row("R-37", "900 mg at 72 kg is 90 %", "900", "72", False),
        row("R-37", "809 mg at 60 kg", "809", "60", True),
        row("R-37", "810 mg at 60 kg is 90 %", "810", "60", False),
        row("R-37", "539 mg at 40 kg", "539", "40", True),
        row("R-37", "540 mg at 40 kg is 90 %", "540", "40", False),
        row("R-37", "899 mg, weight unknown", "899", None, True),
        row("R-37", "900 mg, weight unknown", "900", None, False),
        row("R-37", "no dose yet", None, "72", False),
    ],
)
def test_r_37_a_course_below_90_percent_is_named_with_the_trial(
    mg: str | None, kilograms: str | None, is_low: bool
) -> None:
    text = low_dose(mg, kilograms)
    assert ("did not separate from placebo" in text) is is_low
    if is_low:
        assert all(words in text for words in ("-8.3", "-4.8", "p = 0.10", "1000 to 1500 mg"))


def test_r_37_the_course_counts_not_one_dose() -> None:
    assert not low_dose("500", administrations=2)
    assert not low_dose("500", planned=(day(-1),), beside=(mate("500"),))
    assert not low_dose("500", records=(given(mg="500", days_ago=8),))
    assert low_dose("500", records=(given(mg="500", days_ago=100),))
    assert low_dose("500", records=(given(DEXTRAN, mg="500", days_ago=8),))


def test_r_37_an_order_after_a_full_course_counts_by_itself() -> None:
    """R-41a: the dose that passes the limit opens a new course."""
    assert "the planned course is 500 mg" in low_dose("500", records=(given(mg="1500", days_ago=8),))


@pytest.mark.parametrize(
    ("per_kg", "words"),
    [
        row("R-37", "13.4 mg/kg at 60 kg", "13.4", "the planned course is 804 mg, below 90 % of 900 mg"),
        row("R-37", "13.5 mg/kg at 60 kg is 90 %", "13.5", ""),
    ],
)
def test_r_37_a_dose_per_kg_is_counted_by_weight(per_kg: str, words: str) -> None:
    text = low_dose(None, "60", dose=OrderDose(mg_per_kg=Decimal(per_kg)))
    assert (words in text) if words else not text


def test_r_37_an_amount_that_is_not_known_makes_no_low_dose() -> None:
    assert not low_dose("500", planned=(day(-1),), beside=(mate(None),))
    assert not low_dose("500", records=(given(mg=None, days_ago=8),))


def test_r_37_another_product_has_no_low_dose() -> None:
    assert not ask("R-37", case(facts(weight("72")), order(DERISOMALTOSE, "300")))


@pytest.mark.parametrize(
    ("mg", "kilograms", "changes", "is_asked"),
    [
        row("R-37", "750 mg at 72 kg", "750", "72", {}, True),
        row("R-37", "750 mg at 50 kg", "750", "50", {}, True),
        row("R-37", "750 mg at 49.9 kg", "750", "49.9", {}, False),
        row("R-37", "750 mg, weight unknown", "750", None, {}, False),
        row("R-37", "749 mg", "749", "72", {}, False),
        row("R-37", "751 mg", "751", "72", {}, False),
        row("R-37", "750 mg twice", "750", "72", {"administrations": 2}, False),
        row("R-37", "375 mg twice", "375", "72", {"administrations": 2}, False),
        row("R-37", "second dose ordered", "750", "72", {"planned": (day(-1),), "beside": (mate("750"),)}, False),
        row("R-37", "first dose given", "750", "72", {"records": (given(mg="750", days_ago=8),)}, False),
    ],
)
def test_r_37_a_single_750_mg_may_be_the_first_half(
    mg: str, kilograms: str | None, changes: dict[str, Any], is_asked: bool
) -> None:
    assert ("is the second dose, at least 7 days later, ordered?" in low_dose(mg, kilograms, **changes)) is is_asked


def test_r_37_leaves_the_class_and_makes_no_warning() -> None:
    decision = decide(case(facts(ferritin("48"), tsat("17"), weight("72")), order(FCM, "500")))
    assert decision.conclusion is Conclusion.INDICATED_STRONG
    assert not decision.makes_warning
    assert any(rule.id == "R-37" and line.rank is Rank.PRODUCT for rule, line in decision.lines)


# ------------------------------------------------------------------------------------- every product


@pytest.mark.parametrize(
    ("ingredient", "words"),
    [
        row("R-38", "ferric carboxymaltose", FCM, "heart failure"),
        row("R-38", "ferric derisomaltose", DERISOMALTOSE, "iron-deficiency anemia"),
        row("R-38", "iron sucrose", SUCROSE, "chronic kidney disease"),
        row("R-38", "ferric gluconate", GLUCONATE, "chronic kidney disease"),
        row("R-38", "iron dextran", DEXTRAN, ""),
        row("R-38", "product not named", None, ""),
    ],
)
def test_r_38_off_label_is_said_once(ingredient: Ingredient | None, words: str) -> None:
    (remark,) = ask("R-38", case(facts(), order(ingredient)))
    assert isinstance(remark, Remark)
    assert remark.text.count("not a labelled indication") == 1
    assert words in remark.text


def giving(ingredient: Ingredient | None) -> str:
    asked: Case = case(facts(), order(ingredient))
    return texts("R-39", asked)[0]


@pytest.mark.parametrize("ingredient", [*Ingredient, None])
def test_r_39_how_the_infusion_is_given(ingredient: Ingredient | None) -> None:
    text = giving(ingredient)
    assert all(words in text for words in ("hypersensitivity at hand", "30 minutes", "blood pressure", "extravasation"))
    assert ("no test dose" in text) is (ingredient is FCM)
    assert ("about 6 %" in text) is (ingredient is FCM)
