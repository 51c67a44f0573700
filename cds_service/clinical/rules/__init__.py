"""The rule book in the order of precedence (section 1): every rule of the service, listed once."""

from cds_service.clinical.case import Rule
from cds_service.clinical.rules import (
    allergy,
    alternatives,
    data,
    dialysis,
    duplicates,
    eligibility,
    hemoglobin,
    hypersensitivity,
    infection,
    inflammation,
    overload,
    phosphate,
    pregnancy,
    products,
    repeat,
    scope,
)

# Within STOP the card names them in this order: allergy, overload disorder, infection, pregnancy, phosphate, TSAT.
_QUESTIONS = (
    scope.RULES,
    allergy.RULES,
    overload.RULES,
    infection.RULES,
    pregnancy.RULES,
    phosphate.RULES,
    overload.TSAT_RULES,
    eligibility.RULES,
    repeat.RULES,
    dialysis.RULES,
    inflammation.RULES,
    products.RULES,
    duplicates.RULES,
    hypersensitivity.RULES,
    hemoglobin.RULES,
    alternatives.RULES,
    data.RULES,
)

# Sorting by phase is stable: within a phase the order above holds.
RULES: tuple[Rule, ...] = tuple(sorted((rule for rules in _QUESTIONS for rule in rules), key=lambda rule: rule.phase))
