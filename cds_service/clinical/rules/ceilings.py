"""Is the ordered single dose within the ceiling of its product, and can it be read at all (R-04, R-32 to R-36)?"""

from collections.abc import Callable
from decimal import Decimal

from cds_service.clinical import doses, order_dose
from cds_service.clinical.case import Case, Rule, Threshold
from cds_service.clinical.citations import DESIGN, E1, F1, F2, F3, F4, F5, H1
from cds_service.clinical.doses import Ceiling
from cds_service.clinical.model import Answer, Citation, Ingredient, Line, NotApplicable, Phase, Rank, Remark, Used
from cds_service.clinical.wording import quote

_OTHER_PRODUCT = (NotApplicable("another product"),)
_NO_DOSE = (NotApplicable("the dose is absent or cannot be read: see R-04"),)
_WITHIN = (NotApplicable("the dose is within the ceiling"),)


def _used(case: Case, dose: Decimal) -> tuple[Used, ...]:
    weight = (case.weight.used,) if case.weight.is_usable else ()
    return (Used("ordered dose", f"{doses.plain(dose)} mg", case.order.reference), *weight)


def _over(case: Case, dose: Decimal, text: str) -> Line:
    """R-52: a dose above the ceiling makes the card a warning."""
    because = f"ordered dose {doses.plain(dose)} mg is above the ceiling"
    return Line(Rank.DOSE, text, because, makes_warning=True, used=_used(case, dose))


def _check(case: Case, advice: str = "") -> tuple[Answer, ...]:
    """The ordered dose against the ceiling of its product, both unrounded (R-32a)."""
    dose, ceiling = case.dose_mg, doses.dose_ceiling(case)
    if dose is None or ceiling is None:
        return _NO_DOSE
    if dose > ceiling.mg:
        return (
            _over(case, dose, f"Ordered dose {doses.plain(dose)} mg is above the ceiling of {ceiling.shown}.{advice}"),
        )
    if ceiling.missing_weight:
        return (_weight_needed(case, ceiling),)
    return _WITHIN


def _weight_needed(case: Case, ceiling: Ceiling) -> Line:
    text = f"Weight needed for the {ceiling.missing_weight} ceiling: {case.weight.why_missing}."
    return Line(Rank.DOSE, text, "no usable weight")


def _is(case: Case, *ingredients: Ingredient) -> bool:
    return case.order.ingredient in ingredients


# ------------------------------------------------------------------------------------- ferric carboxymaltose


def _evaluate_fcm(case: Case) -> tuple[Answer, ...]:
    return _check(case) if _is(case, Ingredient.FCM) else _OTHER_PRODUCT


_US_LABEL = (NotApplicable("the label profile is the US one"),)


def _evaluate_eu(case: Case) -> tuple[Answer, ...]:
    """EU texts: at most 1000 mg per week, and above 15 mg/kg by infusion only (E1)."""
    if case.label != "eu":
        return _US_LABEL
    dose = case.dose_mg
    if not _is(case, Ingredient.FCM) or dose is None:
        return _NO_DOSE
    given = _given_this_week(case)
    if given and given + dose > order_dose.FCM_MOST_MG:
        text = (
            f"Ordered dose {doses.plain(dose)} mg and {doses.plain(given)} mg given in the week before are together "
            f"above {order_dose.FCM_MOST_MG} mg per week (EU label)."
        )
        return (_over(case, dose, text),)
    if _is_for_infusion_only(case, dose):
        text = f"Above {order_dose.FCM_MG_PER_KG} mg/kg the EU label allows an infusion, not an injection."
        return (Line(Rank.PRODUCT, text, "above the ceiling of an injection"),)
    return _WITHIN


def _is_for_infusion_only(case: Case, dose: Decimal) -> bool:
    kilograms, ceiling = doses.weight_kg(case.weight), doses.dose_ceiling(case)
    if kilograms is None or ceiling is None:
        return False
    return order_dose.FCM_MG_PER_KG * kilograms < dose <= ceiling.mg


def _given_this_week(case: Case) -> Decimal:
    when = doses.next_date(case)
    return sum(
        (
            dose.least_mg
            for dose in case.doses
            if dose.ingredient is Ingredient.FCM and (when - dose.day).days < order_dose.EU_WEEK_DAYS
        ),
        Decimal(0),
    )


# --------------------------------------------------------------------------------------------- iron dextran


def _evaluate_dextran(case: Case) -> tuple[Answer, ...]:
    dose = case.dose_mg
    if not _is(case, Ingredient.DEXTRAN):
        return _OTHER_PRODUCT
    if dose is None:
        return _NO_DOSE
    if dose <= order_dose.DEXTRAN_MOST_MG:
        return _WITHIN
    text = (
        f"Ordered dose {doses.plain(dose)} mg is above the label maximum of {order_dose.DEXTRAN_MOST_MG} mg per day: a "
        f"single {order_dose.DEXTRAN_TRIED_MG} mg infusion is off-label practice."
    )
    if dose > order_dose.DEXTRAN_TRIED_MG:
        text += " It is also above the doses tried in RLS."
    return (_over(case, dose, text),)


# ------------------------------------------------------------------------------------ other products


def _evaluate_ferumoxytol(case: Case) -> tuple[Answer, ...]:
    return _check(case) if _is(case, Ingredient.FERUMOXYTOL) else _OTHER_PRODUCT


def _evaluate_derisomaltose(case: Case) -> tuple[Answer, ...]:
    return _check(case) if _is(case, Ingredient.DERISOMALTOSE) else _OTHER_PRODUCT


def _evaluate_small_doses(case: Case) -> tuple[Answer, ...]:
    if not _is(case, Ingredient.SUCROSE, Ingredient.GLUCONATE):
        return _OTHER_PRODUCT
    return _check(case, " A course takes several visits.")


# ------------------------------------------------------------------------ a dose that is absent or unreadable

_DOSE_KNOWN = (NotApplicable("the dose can be read"),)


def _evaluate_unknown_dose(case: Case) -> tuple[Answer, ...]:
    """At order-sign a warning; before that an absent dose is no error, the ceiling is information (R-04)."""
    if case.dose_mg is not None:
        return _DOSE_KNOWN
    problem = _problem(case)
    ceiling = doses.dose_ceiling(case)
    limit = f"The ceiling is {ceiling.shown}." if ceiling else "Without a named product no ceiling can be given."
    if case.is_signing:
        return (Line(Rank.DOSE, f"{problem} {limit}", "dose absent or unreadable at signing", makes_warning=True),)
    return (Remark("product", f"{problem} {limit} It is checked again at signing.", "dose not known yet"),)


def _problem(case: Case) -> str:
    dose = case.order.dose
    if dose.unreadable:
        return f"The dose ({quote(dose.unreadable)}) cannot be read as mg of iron."
    if dose.mg_per_kg is not None:
        return f"The dose of {doses.plain(dose.mg_per_kg)} mg/kg cannot be worked out: {case.weight.why_missing}."
    return "The order has no dose." if case.is_signing else "No dose is written yet."


def _ceiling_rule(
    rule_id: str,
    title: str,
    sources: tuple[Citation, ...],
    evaluate: Callable[[Case], tuple[Answer, ...]],
    *thresholds: Threshold,
) -> Rule:
    return Rule(rule_id, title, Phase.TEXT, sources, ("order", "weight", "label"), evaluate, thresholds)


RULES: tuple[Rule, ...] = (
    Rule(
        "R-04",
        "A dose that is absent or cannot be read: a warning at signing, the ceiling as information before",
        Phase.TEXT,
        (H1, DESIGN),
        ("order", "weight", "hook"),
        _evaluate_unknown_dose,
    ),
    _ceiling_rule(
        "R-32",
        "Ferric carboxymaltose: ceiling of one dose, by weight and label",
        (F1, E1),
        _evaluate_fcm,
        Threshold("at most, per weight", order_dose.FCM_MG_PER_KG, "mg/kg"),
        Threshold("at most, per weight, EU label", order_dose.FCM_EU_MG_PER_KG, "mg/kg"),
        Threshold("at most", order_dose.FCM_MOST_MG, "mg"),
    ),
    Rule(
        "R-32 (EU)",
        "Ferric carboxymaltose by EU label: ceiling of a week and of an injection",
        Phase.TEXT,
        (E1,),
        ("order", "weight", "label", "dose_records"),
        _evaluate_eu,
        (
            Threshold("at most in a week", order_dose.FCM_MOST_MG, "mg"),
            Threshold("a week is", order_dose.EU_WEEK_DAYS, "days"),
            Threshold("as an injection at most", order_dose.FCM_MG_PER_KG, "mg/kg"),
        ),
    ),
    _ceiling_rule(
        "R-33 (dose)",
        "Iron dextran: above 100 mg off-label, above 1000 mg untried in RLS",
        (F2, DESIGN),
        _evaluate_dextran,
        Threshold("label maximum per day", order_dose.DEXTRAN_MOST_MG, "mg"),
        Threshold("highest dose tried in RLS", order_dose.DEXTRAN_TRIED_MG, "mg"),
    ),
    _ceiling_rule(
        "R-34 (dose)",
        "Ferumoxytol: ceiling of one dose",
        (F3,),
        _evaluate_ferumoxytol,
        Threshold("at most", order_dose.FERUMOXYTOL_MOST_MG, "mg"),
    ),
    _ceiling_rule(
        "R-35",
        "Ferric derisomaltose: ceiling of one dose, by weight",
        (F4,),
        _evaluate_derisomaltose,
        Threshold("at most", order_dose.DERISOMALTOSE_MOST_MG, "mg"),
        Threshold("below 50 kg at most", order_dose.DERISOMALTOSE_MG_PER_KG, "mg/kg"),
        Threshold("by weight below", order_dose.FULL_WEIGHT_KG, "kg"),
    ),
    _ceiling_rule(
        "R-36",
        "Iron sucrose and ferric gluconate: ceiling of one dose",
        (F5,),
        _evaluate_small_doses,
        Threshold("iron sucrose, at most", order_dose.SUCROSE_MOST_MG, "mg"),
        Threshold("iron sucrose in hemodialysis, at most", order_dose.SUCROSE_HEMODIALYSIS_MOST_MG, "mg"),
        Threshold("iron sucrose in peritoneal dialysis, at most", order_dose.SUCROSE_PERITONEAL_MOST_MG, "mg"),
        Threshold("ferric gluconate, at most", order_dose.GLUCONATE_MOST_MG, "mg"),
    ),
)
