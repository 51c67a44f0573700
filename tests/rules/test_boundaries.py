"""The boundary table of the rule book: both sides of every ferritin and TSAT bound, in every unit."""

from dataclasses import replace
from decimal import Decimal

import pytest

from cds_service.clinical import units
from cds_service.clinical.interval import Interval
from cds_service.clinical.model import Conclusion, Result
from tests.rules.build import case, decide, facts, ferritin, tsat

STRONG, MAY, NOT, STOP = (
    Conclusion.INDICATED_STRONG,
    Conclusion.MAY_BENEFIT,
    Conclusion.NOT_INDICATED,
    Conclusion.CONTRAINDICATED,
)

# ferritin ng/mL, the same in pmol/L, TSAT %, class, deciding rule. pmol/L = ng/mL times 2.247.
TABLE = [
    ("75.0", "168.525", "28", STRONG, "R-22"),
    ("75.1", "168.7497", "28", MAY, "R-23"),
    ("100.0", "224.700", "28", MAY, "R-23"),
    ("100.1", "224.9247", "28", NOT, "R-24"),
    ("299.9", "673.8753", "28", NOT, "R-24"),
    ("299.9", "673.8753", "19.9", STRONG, "R-25"),
    ("299.9", "673.8753", "20.0", NOT, "R-24"),
    ("300.0", "674.100", "28", NOT, "R-17"),
    ("300.0", "674.100", "19.9", NOT, "R-17"),
    ("300.1", "674.3247", "28", NOT, "R-17"),
    ("90", "202.230", "19.9", STRONG, "R-25"),
    ("90", "202.230", "20.0", MAY, "R-23"),
    ("90", "202.230", "44.9", MAY, "R-23"),
    ("90", "202.230", "45.0", STOP, "R-16"),
    ("75.0", "168.525", "19.9", STRONG, "R-22"),
    ("75.1", "168.7497", "19.9", STRONG, "R-25"),
    ("100.0", "224.700", "19.9", STRONG, "R-25"),
    ("60", "134.820", "44.9", STRONG, "R-22"),
    ("60", "134.820", "45.0", STOP, "R-16"),
    ("60", "134.820", "1.1", STRONG, "R-22"),
    ("0.1", "0.2247", "28", STRONG, "R-22"),
    ("300.0", "674.100", "45.0", STOP, "R-16"),
]


def read(analyte: str, value: str, unit: str) -> Result:
    """The result as it comes out of the unit table."""
    converted = units.convert(analyte, Decimal(value), unit, None)
    assert isinstance(converted, units.Converted), converted
    interval = units.read_value(analyte, converted.value, None)
    assert interval is not None
    made = ferritin("1") if analyte == "ferritin" else tsat("2")
    return Result(analyte, interval, f"{value} {unit}", made.day, "final", f"Observation/{analyte}")


def decide_on(iron: Result, saturation: Result) -> tuple[Conclusion, str]:
    decision = decide(case(facts(iron, saturation)))
    return decision.conclusion, decision.verdicts[0][0].id


IDS = [f"{rule_id} ferritin {iron} TSAT {saturation}" for iron, _, saturation, _, rule_id in TABLE]


@pytest.mark.parametrize("unit", ["ng/mL", "ug/L", "pmol/L"])
@pytest.mark.parametrize("saturation_unit", ["%", "1"])
@pytest.mark.parametrize(("iron", "molar", "saturation", "expected", "rule_id"), TABLE, ids=IDS)
def test_boundary_table(
    iron: str, molar: str, saturation: str, expected: Conclusion, rule_id: str, unit: str, saturation_unit: str
) -> None:
    amount = molar if unit == "pmol/L" else iron
    share = saturation if saturation_unit == "%" else str(Decimal(saturation) / 100)
    assert decide_on(read("ferritin", amount, unit), read("tsat", share, saturation_unit)) == (expected, rule_id)


@pytest.mark.parametrize(
    ("iron", "expected", "rule_id"),
    [
        pytest.param(Interval.below(Decimal(5)), STRONG, "R-22", id="R-10 ferritin <5 is low"),
        pytest.param(Interval.above(Decimal(1650)), NOT, "R-17", id="R-10 ferritin >1650 is above the ceiling"),
        pytest.param(Interval.below(Decimal(75)), STRONG, "R-22", id="R-10 ferritin <75 is low"),
        pytest.param(Interval.at_least(Decimal(300)), NOT, "R-17", id="R-10 ferritin >=300 is above the ceiling"),
        pytest.param(
            Interval.below(Decimal(100)), Conclusion.INSUFFICIENT_DATA, "R-26c", id="R-10 ferritin <100 spans"
        ),
        pytest.param(
            Interval.above(Decimal(299)), Conclusion.INSUFFICIENT_DATA, "R-26c", id="R-10 ferritin >299 spans"
        ),
    ],
)
def test_r_10_a_censored_ferritin_decides_inside_one_range(iron: Interval, expected: Conclusion, rule_id: str) -> None:
    assert decide_on(replace(ferritin("1"), value=iron), tsat("28")) == (expected, rule_id)
