"""The dose of an order in mg of elemental iron, and the highest single dose of its product (R-04a, R-32 to R-36)."""

from collections.abc import Callable
from dataclasses import dataclass
from decimal import ROUND_FLOOR, Decimal
from typing import TYPE_CHECKING

from cds_service.clinical import dialysis
from cds_service.clinical.given_doses import plain
from cds_service.clinical.model import Ingredient, IronOrder
from cds_service.clinical.reading import Reading

if TYPE_CHECKING:
    from cds_service.clinical.case import Case

# R-32 (F1, E1), R-35 (F4): per kg of body weight up to a highest single dose.
FCM_MG_PER_KG = Decimal(15)
FCM_EU_MG_PER_KG = Decimal(20)  # by infusion; as an injection 15
FCM_MOST_MG = Decimal(1000)  # per dose; in the EU also per week
EU_WEEK_DAYS = 7
DERISOMALTOSE_MG_PER_KG = Decimal(20)
DERISOMALTOSE_MOST_MG = Decimal(1000)
FULL_WEIGHT_KG = Decimal(50)  # labels distinguish patients below this weight
FERUMOXYTOL_MOST_MG = Decimal(510)  # R-34, F3
DEXTRAN_MOST_MG = Decimal(100)  # R-33, F2: per day
DEXTRAN_TRIED_MG = Decimal(1000)  # highest single dose of the RLS series
# R-36, F5.
SUCROSE_MOST_MG = Decimal(200)
SUCROSE_HEMODIALYSIS_MOST_MG = Decimal(100)
SUCROSE_PERITONEAL_MOST_MG = Decimal(400)
GLUCONATE_MOST_MG = Decimal(125)
TEST_DOSE_MG = Decimal(25)  # R-04b, R-33, F2
DRAFT_STEP_MG = Decimal(50)  # R-32a


def weight_kg(weight: Reading) -> Decimal | None:
    """The weight as a number, kg; None when there is no usable one."""
    return weight.value.low if weight.is_usable and weight.value.is_point else None


def order_dose_mg(order: IronOrder, weight: Reading) -> Decimal | None:
    """mg of one administration (R-04a); None when absent, unreadable, or per kg without a usable weight."""
    dose = order.dose
    if dose.unreadable:
        return None
    if dose.mg is not None or dose.mg_per_kg is None:
        return dose.mg
    kilograms = weight_kg(weight)
    return None if kilograms is None else dose.mg_per_kg * kilograms


def order_total_mg(order: IronOrder, weight: Reading) -> Decimal | None:
    """mg of all its administrations, what a course counts (R-04a, R-41a)."""
    dose = order_dose_mg(order, weight)
    return None if dose is None else dose * order.administrations


def show_ceiling(value: Decimal) -> str:
    """Rounded down to whole mg, for display only (R-32a)."""
    return f"{value.to_integral_value(ROUND_FLOOR):f}"


def usual_dose_mg(kilograms: Decimal | None) -> Decimal:
    """R-37: `min(1000, 15 x kg)` of ferric carboxymaltose; 1000 without a weight."""
    return FCM_MOST_MG if kilograms is None else min(FCM_MOST_MG, FCM_MG_PER_KG * kilograms)


def draft_dose_mg(kilograms: Decimal) -> Decimal:
    """A dose of ferric carboxymaltose we draft: the ceiling, rounded down to a multiple of 50 mg (R-32a, R-50d)."""
    return usual_dose_mg(kilograms) // DRAFT_STEP_MG * DRAFT_STEP_MG


# ------------------------------------------------------------------------------------------------------- ceilings


@dataclass(frozen=True, slots=True)
class Ceiling:
    """The highest single dose, unrounded. `missing_weight` names the part that needs a weight, "" when none does."""

    mg: Decimal
    basis: str
    missing_weight: str = ""
    kind_of_weight: str = "weight"

    @property
    def shown(self) -> str:
        """`904 mg per dose (15 mg/kg at 60.3 kg, at most 1000 mg)`."""
        needed = f"; {self.kind_of_weight} needed for the {self.missing_weight} ceiling"
        weight = needed if self.missing_weight else ""
        return f"{show_ceiling(self.mg)} mg per dose ({self.basis}{weight})"


def dose_ceiling(case: "Case") -> Ceiling | None:
    """For the product, the label profile and this patient; None when the product is not named."""
    find = _CEILINGS.get(case.order.ingredient) if case.order.ingredient else None
    return find(case) if find else None


def _fcm(case: "Case") -> Ceiling:
    return _by_weight(case, FCM_EU_MG_PER_KG if case.label == "eu" else FCM_MG_PER_KG, FCM_MOST_MG)


def _by_weight(case: "Case", per_kg: Decimal, most: Decimal) -> Ceiling:
    kilograms = weight_kg(case.weight)
    if kilograms is None:
        kind = "pre-pregnancy weight" if case.pregnancy.is_pregnant else "weight"  # R-08b
        return Ceiling(most, f"at most {most} mg", f"{per_kg} mg/kg", kind)
    return Ceiling(min(most, per_kg * kilograms), f"{per_kg} mg/kg at {plain(kilograms)} kg, at most {most} mg")


def _derisomaltose(case: "Case") -> Ceiling:
    kilograms = weight_kg(case.weight)
    if kilograms is not None and kilograms >= FULL_WEIGHT_KG:
        return Ceiling(DERISOMALTOSE_MOST_MG, f"US label from {FULL_WEIGHT_KG} kg")
    return _by_weight(case, DERISOMALTOSE_MG_PER_KG, DERISOMALTOSE_MOST_MG)


def _sucrose(case: "Case") -> Ceiling:
    if not case.is_in_dialysis:
        return Ceiling(SUCROSE_MOST_MG, "US label")
    if dialysis.find_methods(case.facts, case.as_of) == {dialysis.Method.PERITONEAL}:  # not stated: the lower ceiling
        return Ceiling(SUCROSE_PERITONEAL_MOST_MG, "peritoneal dialysis, 14 days apart")
    return Ceiling(SUCROSE_HEMODIALYSIS_MOST_MG, "hemodialysis")


_CEILINGS: dict[Ingredient, Callable[["Case"], Ceiling]] = {
    Ingredient.FCM: _fcm,
    Ingredient.DERISOMALTOSE: _derisomaltose,
    Ingredient.FERUMOXYTOL: lambda _: Ceiling(FERUMOXYTOL_MOST_MG, "US label"),
    Ingredient.DEXTRAN: lambda _: Ceiling(DEXTRAN_MOST_MG, "US label, per day"),
    Ingredient.SUCROSE: _sucrose,
    Ingredient.GLUCONATE: lambda _: Ceiling(GLUCONATE_MOST_MG, "US label"),
}
