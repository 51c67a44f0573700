"""What Observations and problem-list entries say about a pregnancy, as evidence for R-20d and R-20e."""

from collections.abc import Iterable
from datetime import date

from cds_service.clinical import units
from cds_service.clinical.dates import Day, read_day
from cds_service.clinical.model import ConditionEntry, PregnancyEvidence, PregnancySource
from cds_service.fhir.wire import Component, Quantity, ReadContext, concept_ids, name_of

PREGNANCY = (
    "pregnancy-status",
    "delivery-date",
    "gestational-age",
    "last-menstrual-period",
)


def read_pregnancy(
    context: ReadContext, part: Component, reference: str, name: str, day: Day | None
) -> PregnancyEvidence | None:
    """Pregnancy status, delivery date, gestational age or last period (R-20d, R-20e)."""
    if name == "pregnancy-status":
        pregnant = _is_pregnant(context, part)
        return (
            None if pregnant is None else PregnancyEvidence(PregnancySource.STATUS, reference, day, pregnant=pregnant)
        )
    if name == "gestational-age":
        age = _age_days(part.valueQuantity)
        return None if age is None else PregnancyEvidence(PregnancySource.GESTATIONAL_AGE, reference, day, age_days=age)
    value = _date_value(context, part)
    if value is None:
        return None
    source = PregnancySource.DELIVERY_DATE if name == "delivery-date" else PregnancySource.LAST_PERIOD
    return PregnancyEvidence(source, reference, day, value_date=value)


def _is_pregnant(context: ReadContext, part: Component) -> bool | None:
    """By coded answer; words only where no code is known."""
    concept = part.valueCodeableConcept
    ids = concept_ids(context, concept)
    if "pregnancy-negated" in ids:
        return False
    if "pregnancy" in ids or "pregnancy-status-pregnant" in ids:
        return True
    words = (name_of(concept) or part.valueString or "").strip().lower()
    if words in ("not pregnant", "no", "negative"):
        return False
    return True if words in ("pregnant", "yes", "positive") else None


def _age_days(quantity: Quantity | None) -> int | None:
    """Gestational age in whole days; the unit d or wk has to be stated."""
    value = quantity.decimal() if quantity else None
    return None if quantity is None or value is None else units.gestational_days(value, quantity.code, quantity.unit)


def _date_value(context: ReadContext, part: Component) -> date | None:
    text = part.valueDateTime or part.valueString
    day = read_day(text, context.zone) if text else None
    return day.first if day and day.first == day.last else None


_TRIMESTERS = {
    "pregnancy-first-trimester": 1,
    "pregnancy-second-trimester": 2,
    "pregnancy-third-trimester": 3,
}


def pregnancy_of_conditions(
    conditions: Iterable[ConditionEntry],
) -> tuple[PregnancyEvidence, ...]:
    """Active pregnancy conditions as evidence, RLS in pregnancy and coded trimesters included (R-20d)."""
    return tuple(
        PregnancyEvidence(
            PregnancySource.CONDITION,
            entry.reference,
            entry.day,
            pregnant=True,
            trimester=next((_TRIMESTERS[one] for one in _TRIMESTERS if one in entry.concepts), None),
        )
        for entry in conditions
        if "pregnancy" in entry.concepts and entry.is_active and entry.counts
    )
