"""What is known about the product in RLS: cap, low dose, labelled use (R-31, R-37, R-38); and the rules of its dose."""

from decimal import Decimal

from cds_service.clinical import doses
from cds_service.clinical.case import Case, Rule, Threshold
from cds_service.clinical.citations import A1, A2, A5, DESIGN, F1, F4, F5, T2, T4, T5
from cds_service.clinical.doses import Relation
from cds_service.clinical.model import Answer, Cap, Ingredient, Line, NotApplicable, Phase, Rank, Remark
from cds_service.clinical.rules import administration, ceilings

# ------------------------------------------------------------------------------------------------- product cap

_CONDITIONAL = "the AASM guideline supports it conditionally, with very low certainty"
_CAPPED = {
    Ingredient.DEXTRAN: _CONDITIONAL,
    Ingredient.FERUMOXYTOL: _CONDITIONAL,
    Ingredient.DERISOMALTOSE: "no statement of the AASM guideline on it was found",
    Ingredient.SUCROSE: "its benefit in RLS is less consistent",
    Ingredient.GLUCONATE: "its benefit in RLS is less consistent",
}
_OF_DIALYSIS = (Ingredient.SUCROSE, Ingredient.GLUCONATE)

_STRONGEST = (NotApplicable("ferric carboxymaltose carries the strong recommendation"),)
_IN_DIALYSIS = (NotApplicable("in dialysis this product has its own support"),)
_NOTHING_TO_SAY = (NotApplicable("nothing to add about this product"),)


def _evaluate_cap(case: Case) -> tuple[Answer, ...]:
    ingredient = case.order.ingredient
    if ingredient is None:
        text = "The product is not named"
        text += (
            "." if case.is_in_dialysis else ", so the strong recommendation for ferric carboxymaltose does not apply."
        )
        return (Cap("product not named", (text,)),)
    if ingredient is Ingredient.FCM:
        return _STRONGEST
    if ingredient in _OF_DIALYSIS and case.is_in_dialysis:
        return _IN_DIALYSIS
    name = doses.name_product(ingredient)
    say = f"For {name}: {_CAPPED[ingredient]}."
    if not case.is_in_dialysis:  # R-28 knows no strong recommendation
        say = f"The strong recommendation is for ferric carboxymaltose. {say}"
    return (Cap(f"{name}: {_CAPPED[ingredient]}", (say,)),)


def _evaluate_evidence(case: Case) -> tuple[Answer, ...]:
    order = case.order
    if order.ingredient is None:
        text = "The product is not named: consider naming it. Dose limits, allergies and warnings depend on it."
    elif order.ingredient in _OF_DIALYSIS and not case.is_in_dialysis:
        name = doses.name_product(order.ingredient)
        text = f"Less consistent benefit in RLS with {name}; ferric carboxymaltose has the stronger evidence."
    elif order.is_high_molecular_weight:
        text = "High-molecular-weight iron dextran is not a current product: consider another one."
    else:
        return _NOTHING_TO_SAY
    return (Line(Rank.PRODUCT, text, "product"),)


# --------------------------------------------------------------------------------------------------- low dose

LOW_SHARE = Threshold("low dose below", Decimal(90), "% of the usual dose")
FIRST_HALF = Threshold("may be the first half of two", Decimal(750), "mg")  # R-37, F1
FULL_WEIGHT = Threshold("two doses of 750 mg from a weight of", Decimal(50), "kg")  # R-32, F1
_PER_CENT = Decimal(100)

_OTHER_PRODUCT = (NotApplicable("not ferric carboxymaltose"),)
_NOT_KNOWN = (NotApplicable("the planned course cannot be summed up: a dose is not known"),)
_NOT_LOW = (NotApplicable("the planned course is not low"),)

SECOND_DOSE = "750 mg may be the first half of 750 mg twice: is the second dose, at least 7 days later, ordered?"
LOW_DOSE_TRIAL = (
    "500 mg did not separate from placebo at week 6 in a randomized trial (IRLS -8.3 against -4.8, p = 0.10); benefit "
    "in trials came with 1000 to 1500 mg."
)


def _evaluate_low_dose(case: Case) -> tuple[Answer, ...]:
    if case.order.ingredient is not Ingredient.FCM:
        return _OTHER_PRODUCT
    planned = _planned_course_mg(case)
    if planned is None:
        return _NOT_KNOWN
    usual = doses.usual_dose_mg(doses.weight_kg(case.weight))
    parts = [SECOND_DOSE] if _may_be_first_half(case, planned) else []
    if planned * _PER_CENT < usual * LOW_SHARE.value:
        shown = f"{doses.plain(planned)} mg, below 90 % of {doses.show_ceiling(usual)} mg"
        parts.append(f"Low dose: the planned course is {shown}. {LOW_DOSE_TRIAL}")
    return (Line(Rank.PRODUCT, " ".join(parts), f"planned course {doses.plain(planned)} mg"),) if parts else _NOT_LOW


def _planned_course_mg(case: Case) -> Decimal | None:
    """This order with its administrations, its course mates, and what the running course has had."""
    if case.earlier_iron.relation is Relation.UNCERTAIN:
        return None
    amounts = [doses.order_total_mg(order, case.weight) for order in (case.order, *doses.course_mates(case))]
    known = [amount for amount in amounts if amount is not None]
    if len(known) < len(amounts):
        return None
    is_next = case.earlier_iron.relation is Relation.NEXT_DOSE
    return sum(known, doses.given_in_course_mg(case) if is_next else Decimal(0))


def _may_be_first_half(case: Case, planned: Decimal) -> bool:
    """A single order of 750 mg, alone in its course, from 50 kg on."""
    kilograms = doses.weight_kg(case.weight)
    is_alone = case.order.administrations == 1 and planned == FIRST_HALF.value
    return is_alone and kilograms is not None and kilograms >= FULL_WEIGHT.value


# -------------------------------------------------------------------------------------------------- off-label

_OFF_LABEL = "RLS is not a labelled indication of any IV iron in the US."
_LABELLED = {
    Ingredient.FCM: "Ferric carboxymaltose is labelled for iron-deficiency anemia after failed or not tolerated oral "
    "iron or with non-dialysis chronic kidney disease, and for iron deficiency in heart failure.",
    Ingredient.DERISOMALTOSE: "Ferric derisomaltose is labelled for iron-deficiency anemia.",
    Ingredient.SUCROSE: "Iron sucrose is labelled for anemia of chronic kidney disease.",
    Ingredient.GLUCONATE: "Ferric gluconate is labelled for anemia of chronic kidney disease.",
}


def _evaluate_off_label(case: Case) -> tuple[Answer, ...]:
    labelled = _LABELLED.get(case.order.ingredient, "") if case.order.ingredient else ""
    return (Remark("product", f"{_OFF_LABEL} {labelled}".rstrip(), "use in RLS is off-label"),)


_ORDER = ("order", "is_in_dialysis")

RULES: tuple[Rule, ...] = (
    Rule("R-31", "Products without the strong recommendation cap", Phase.CAP, (A1, A5), _ORDER, _evaluate_cap),
    Rule("R-31 (text)", "Evidence for the product in RLS", Phase.TEXT, (A1, A5, DESIGN), _ORDER, _evaluate_evidence),
    *ceilings.RULES,
    *administration.RULES,
    Rule(
        "R-37",
        "A course below 90 % of the usual dose is named with the trial it resembles",
        Phase.TEXT,
        (T2, A2, T4, T5, DESIGN),
        ("order", "session", "weight", "dose_records"),
        _evaluate_low_dose,
        (LOW_SHARE, FIRST_HALF, FULL_WEIGHT),
    ),
    Rule("R-38", "RLS is off-label for every product", Phase.TEXT, (F1, F4, F5), ("order",), _evaluate_off_label),
)
