"""Elemental iron in what an order or an infusion record says: mg, g, mL, mg per kg (R-04a)."""

from decimal import Decimal

from cds_service.clinical.model import Ingredient, OrderDose

# mg of elemental iron per mL of the product (R-04a, product labels F1...F5).
STRENGTH_MG_PER_ML = {
    Ingredient.FCM: Decimal(50),
    Ingredient.DEXTRAN: Decimal(50),
    Ingredient.DERISOMALTOSE: Decimal(100),
    Ingredient.FERUMOXYTOL: Decimal(30),
    Ingredient.SUCROSE: Decimal(20),
    Ingredient.GLUCONATE: Decimal("12.5"),
}
MG_PER_G = Decimal(1000)

_MILLILITRES = ("ml", "milliliter", "millilitre", "milliliters", "millilitres")
_PER_KG = ("mg/kg",)
_MILLIGRAMS = ("mg", "milligram", "milligrams")
_GRAMS = ("g", "gram", "grams")


def read_dose(ingredient: Ingredient | None, value: Decimal | None, unit: str | None) -> OrderDose:
    """The dose of one administration; `unreadable` names the unit when it cannot be turned into mg."""
    if value is None:
        return OrderDose()
    named = (unit or "").strip()
    spelled = named.lower()
    written = f"{value} {named or 'without unit'}"
    if value <= 0:
        return OrderDose(unreadable=written)
    if spelled in _MILLIGRAMS:
        return OrderDose(mg=value)
    if spelled in _GRAMS:
        return OrderDose(mg=value * MG_PER_G)
    if spelled in _PER_KG:
        return OrderDose(mg_per_kg=value)
    if spelled in _MILLILITRES and ingredient in STRENGTH_MG_PER_ML:
        return OrderDose(mg=value * STRENGTH_MG_PER_ML[ingredient])
    return OrderDose(unreadable=written)
