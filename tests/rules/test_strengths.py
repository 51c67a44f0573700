"""R-04a: a written dose as mg of elemental iron, by every unit and every product's strength."""

from decimal import Decimal

import pytest

from cds_service.clinical.model import Ingredient, OrderDose
from cds_service.clinical.strengths import read_dose

FCM = Ingredient.FCM


@pytest.mark.parametrize(
    ("ingredient", "value", "unit", "mg"),
    [
        pytest.param(FCM, "750", "mg", "750", id="R-04a mg as written"),
        pytest.param(FCM, "0.75", "g", "750.00", id="R-04a grams times 1000"),
        pytest.param(FCM, "15", "mL", "750", id="R-04a FCM 50 mg/mL"),
        pytest.param(Ingredient.DEXTRAN, "0.5", "mL", "25.0", id="R-04a dextran 50 mg/mL"),
        pytest.param(Ingredient.DERISOMALTOSE, "10", "mL", "1000", id="R-04a derisomaltose 100 mg/mL"),
        pytest.param(Ingredient.FERUMOXYTOL, "17", "mL", "510", id="R-04a ferumoxytol 30 mg/mL"),
        pytest.param(Ingredient.SUCROSE, "10", "mL", "200", id="R-04a sucrose 20 mg/mL"),
        pytest.param(Ingredient.GLUCONATE, "10", "mL", "125.0", id="R-04a gluconate 12.5 mg/mL"),
        pytest.param(FCM, "750", " MG ", "750", id="R-04a letter case and blanks do not matter"),
        *(
            pytest.param(FCM, "750", unit, "750", id=f"R-04a {unit}")
            for unit in ("milligram", "milligrams", "Milligrams")
        ),
        *(pytest.param(FCM, "0.5", unit, "500.0", id=f"R-04a {unit}") for unit in ("gram", "grams", "G")),
        *(
            pytest.param(FCM, "10", unit, "500", id=f"R-04a {unit}")
            for unit in ("milliliter", "millilitre", "milliliters", "millilitres", "ML")
        ),
        pytest.param(FCM, "0.001", "mg", "0.001", id="R-04a anything above zero"),
    ],
)
def test_r_04a_dose_in_mg(ingredient: Ingredient, value: str, unit: str, mg: str) -> None:
    assert read_dose(ingredient, Decimal(value), unit) == OrderDose(mg=Decimal(mg))


def test_r_04a_mg_per_kg_waits_for_the_weight() -> None:
    assert read_dose(FCM, Decimal(15), "mg/kg") == OrderDose(mg_per_kg=Decimal(15))


@pytest.mark.parametrize(
    ("ingredient", "value", "unit", "shown"),
    [
        pytest.param(FCM, "2", "vial", "2 vial", id="R-04a vials are unreadable"),
        pytest.param(FCM, "2", None, "2 without unit", id="R-04a no unit is unreadable"),
        pytest.param(FCM, "2", "", "2 without unit", id="R-04a empty unit is unreadable"),
        pytest.param(FCM, "2", " ", "2 without unit", id="R-04a blank unit is unreadable"),
        pytest.param(None, "15", "mL", "15 mL", id="R-04a mL of an unnamed product is unreadable"),
        pytest.param(FCM, "0", "mg", "0 mg", id="R-04a zero is no dose"),
        pytest.param(FCM, "-750", "mg", "-750 mg", id="R-04a a negative dose is unreadable"),
        pytest.param(FCM, "0", "mg/kg", "0 mg/kg", id="R-04a zero per kilogram is no dose"),
        pytest.param(FCM, "2", "mL/kg", "2 mL/kg", id="R-04a mL per kilogram is unreadable"),
        pytest.param(FCM, "2", "kg", "2 kg", id="R-04a kilograms are unreadable"),
    ],
)
def test_r_04a_what_cannot_be_read_is_neither_absent_nor_a_dose(
    ingredient: Ingredient | None, value: str, unit: str | None, shown: str
) -> None:
    dose = read_dose(ingredient, Decimal(value), unit)
    assert dose == OrderDose(unreadable=shown)
    assert not dose.is_absent


def test_r_04_no_quantity_is_an_absent_dose() -> None:
    assert read_dose(FCM, None, "mg").is_absent
