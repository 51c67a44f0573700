"""How the infusion is given: boxed warnings, test dose, readiness and observation (R-33, R-34, R-39)."""

from cds_service.clinical import doses
from cds_service.clinical.case import Case, Rule, Threshold
from cds_service.clinical.citations import F1, F2, F3, F4
from cds_service.clinical.model import Answer, Ingredient, Line, NotApplicable, Phase, Rank, Remark
from cds_service.clinical.order_dose import TEST_DOSE_MG

_OTHER_PRODUCT = (NotApplicable("another product"),)

# --------------------------------------------------------------------------------- boxed warnings
# The boxed warning of ferric carboxymaltose is about phosphate: R-42.


def _evaluate_dextran(case: Case) -> tuple[Answer, ...]:
    if case.order.ingredient is not Ingredient.DEXTRAN:
        return _OTHER_PRODUCT
    found = "a test dose is ordered" if has_test_dose(case) else "no test dose found in or beside this order"
    text = (
        "Boxed warning: fatal anaphylaxis with iron dextran. The label has a test dose of 25 mg (0.5 mL) and at least "
        f"1 hour of observation before the rest ({found}), with resuscitation available."
    )
    return (Line(Rank.BOXED_WARNING, text, found),)


def has_test_dose(case: Case) -> bool:
    """A line of at most 25 mg in the order, or a dextran order of that size beside it (R-33, R-04b)."""
    if any(line.mg is not None and line.mg <= TEST_DOSE_MG for line in (case.order.dose, *case.order.other_lines)):
        return True
    return any(doses.has_test_dose_size(order) for order in (*case.session, *case.facts.signed_orders))


def _evaluate_ferumoxytol(case: Case) -> tuple[Answer, ...]:
    if case.order.ingredient is not Ingredient.FERUMOXYTOL:
        return _OTHER_PRODUCT
    text = (
        "Boxed warning: fatal and serious anaphylaxis with ferumoxytol. The label has an infusion over at least 15 "
        "minutes and at least 30 minutes of observation, with resuscitation available."
    )
    return (Line(Rank.BOXED_WARNING, text, "ferumoxytol"),)


# ------------------------------------------------------------------------------------------------ every product

_GIVING = (
    "Giving it: personnel and treatment for hypersensitivity at hand; observe for at least 30 minutes after the "
    "infusion; watch blood pressure; avoid extravasation, which leaves a lasting skin stain."
)
_FCM = "Ferric carboxymaltose: transient rises of blood pressure in about 6 %; no test dose is needed."
_ON_GIVING = (Remark("product", _GIVING, "how it is given"),)
_ON_GIVING_FCM = (Remark("product", f"{_GIVING} {_FCM}", "how it is given"),)


def _evaluate_giving(case: Case) -> tuple[Answer, ...]:
    return _ON_GIVING_FCM if case.order.ingredient is Ingredient.FCM else _ON_GIVING


RULES: tuple[Rule, ...] = (
    Rule(
        "R-33",
        "Iron dextran: boxed warning and test dose",
        Phase.TEXT,
        (F2,),
        ("order", "session", "signed_orders"),
        _evaluate_dextran,
        (Threshold("test dose at most", TEST_DOSE_MG, "mg"),),
    ),
    Rule("R-34", "Ferumoxytol: boxed warning", Phase.TEXT, (F3,), ("order",), _evaluate_ferumoxytol),
    Rule("R-39", "Giving the infusion", Phase.TEXT, (F1, F3, F4), ("order",), _evaluate_giving),
)
