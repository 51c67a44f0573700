"""Is the patient in dialysis today, and by which method (R-28, R-36)."""

from datetime import date, timedelta
from enum import StrEnum

from cds_service.clinical.dates import Day
from cds_service.clinical.model import ConditionEntry, PatientFacts, ProcedureEntry
from cds_service.clinical.problem_list import find_active

PROCEDURE_DAYS = 90
# Stage 5 kidney disease alone ("ckd5") is not in the list: it follows the general rules.
CONDITIONS = frozenset({"esrd", "dialysis-dependence", "hemodialysis", "peritoneal-dialysis"})
PROCEDURES = frozenset({"dialysis-procedure", "hemodialysis", "peritoneal-dialysis"})


class Method(StrEnum):
    HEMODIALYSIS = "hemodialysis"
    PERITONEAL = "peritoneal-dialysis"


def is_in_dialysis(facts: PatientFacts, as_of: date) -> bool:
    """An active end-stage or dialysis entry, or a dialysis procedure in the last 90 days (R-28)."""
    return bool(find_entries(facts) or find_procedures(facts, as_of))


def find_entries(facts: PatientFacts) -> tuple[ConditionEntry, ...]:
    return find_active(facts.conditions, CONDITIONS)


def find_procedures(facts: PatientFacts, as_of: date) -> tuple[ProcedureEntry, ...]:
    found = [one for one in facts.procedures if PROCEDURES & one.concepts and _is_recent(one.day, as_of)]
    return tuple(sorted(found, key=lambda one: one.reference))


def find_methods(facts: PatientFacts, as_of: date) -> frozenset[Method]:
    """The methods on record; empty when not in dialysis or not stated."""
    stated = [entry.concepts for entry in find_entries(facts)]
    stated += [one.concepts for one in find_procedures(facts, as_of)]
    return frozenset(method for method in Method for concepts in stated if method in concepts)


def _is_recent(day: Day | None, as_of: date) -> bool:
    """Every day a partial date stands for, up to today, lies in the window (R-08a)."""
    return day is not None and as_of - timedelta(days=PROCEDURE_DAYS) <= day.first <= as_of
