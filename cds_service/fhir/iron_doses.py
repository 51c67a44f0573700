"""Records that iron was given, and other drugs in use (R-12, R-30, R-40e)."""

from decimal import Decimal

from cds_service.clinical.dates import Day, read_day
from cds_service.clinical.model import DoseRecord, DoseSource, IronOrder, MedicationUse, NotGiven
from cds_service.fhir.drugs import ORAL, Drug, UnresolvedDrug, read_drug
from cds_service.fhir.iron_orders import quantity_dose
from cds_service.fhir.problems import procedure_day
from cds_service.fhir.wire import (
    Administration,
    Order,
    Procedure,
    ReadContext,
    Reference,
    Resolver,
    as_list,
    reference_to,
)

GIVEN = ("in-progress", "completed", "stopped")  # R-40e
NOT_DONE = "not-done"
_IN_USE = ("active", "intended", "on-hold")
_USED = ("rls-", ORAL)


def read_administered_drug(
    context: ReadContext, record: Administration | Order, resolve: Resolver | None
) -> Drug | None:
    drug = read_drug(
        context,
        record.medicationCodeableConcept,
        record.medicationReference,
        record.contained,
        resolve,
    )
    return None if isinstance(drug, UnresolvedDrug) else drug


def has_unread_drug(context: ReadContext, record: Administration, resolve: Resolver | None) -> bool:
    """Whether only a reference that nothing resolves says what was given."""
    if record.medicationReference is None or record.medicationCodeableConcept is not None:
        return False
    drug = read_drug(context, None, record.medicationReference, record.contained, resolve)
    return isinstance(drug, UnresolvedDrug)


def read_administration(
    context: ReadContext, record: Administration, place: int, resolve: Resolver | None
) -> DoseRecord | None:
    """A MedicationAdministration of parenteral iron that took place; its date is the start."""
    if record.status not in GIVEN:
        return None
    return _record(context, record, DoseSource.ADMINISTRATION, place, resolve)


def read_not_given(
    context: ReadContext, record: Administration, place: int, resolve: Resolver | None
) -> tuple[NotGiven, ...]:
    """A MedicationAdministration of parenteral iron that did not take place (R-50); empty for other drugs."""
    found = _record(context, record, DoseSource.ADMINISTRATION, place, resolve)
    return (NotGiven(found.day, found.reference, found.refers_to),) if found else ()


def read_statement(
    context: ReadContext, record: Administration, place: int, resolve: Resolver | None
) -> DoseRecord | None:
    """A completed MedicationStatement with a date and a named iron product (R-40e)."""
    if record.status != "completed":
        return None
    found = _record(context, record, DoseSource.STATEMENT, place, resolve)
    return found if found and found.day and found.ingredient else None


def _record(
    context: ReadContext,
    record: Administration,
    source: DoseSource,
    place: int,
    resolve: Resolver | None,
) -> DoseRecord | None:
    drug = read_administered_drug(context, record, resolve)
    if drug is None or not (drug.is_parenteral_iron or (drug.is_ambiguous_iron and drug.has_injectable_form)):
        return None
    return DoseRecord(
        ingredient=drug.ingredient,
        day=_effective(context, record),
        amount_mg=_amount(drug, record),
        source=source,
        reference=reference_to(record.resourceType, record.id, place),
        refers_to=_references(record.request, *(record.basedOn or ())),
        name=drug.name,
    )


def _effective(context: ReadContext, record: Administration) -> Day | None:
    text = record.effectiveDateTime or (record.effectivePeriod.start if record.effectivePeriod else None)
    return read_day(text, context.zone) if text else None


def _amount(drug: Drug, record: Administration) -> Decimal | None:
    for dosage in as_list(record.dosage):
        if dosage.dose is not None:
            return quantity_dose(drug, dosage.dose).mg
    return None


def _references(*references: Reference | None) -> tuple[str, ...]:
    return tuple(one.reference for one in references if one is not None and one.reference)


def records_of_order(order: IronOrder) -> tuple[DoseRecord, ...]:
    """A completed order as doses "taken from the order": on its planned days, else on the day it was written."""
    days: tuple[Day | None, ...] = order.planned or (order.authored,)
    return tuple(
        DoseRecord(
            ingredient=order.ingredient,
            day=day,
            amount_mg=order.dose.mg,
            source=DoseSource.ORDER,
            reference=order.reference,
            refers_to=(order.reference,),
            name=order.name,
        )
        for day in days
    )


def read_procedure_dose(context: ReadContext, procedure: Procedure, place: int) -> DoseRecord | None:
    """A completed Procedure with a date that names an iron product, by HCPCS code or words (R-40e)."""
    if procedure.status != "completed":
        return None
    drug = read_drug(context, procedure.code, None, None, None)
    day = procedure_day(context, procedure)
    if not isinstance(drug, Drug) or drug.ingredient is None or day is None:
        return None
    return DoseRecord(
        ingredient=drug.ingredient,
        day=day,
        amount_mg=None,
        source=DoseSource.PROCEDURE,
        reference=reference_to("Procedure", procedure.id, place),
        refers_to=_references(*(procedure.basedOn or ())),
        name=drug.name,
    )


def read_use(
    context: ReadContext,
    record: Administration | Order,
    place: int,
    resolve: Resolver | None,
) -> MedicationUse | None:
    """Oral iron or an RLS drug from a MedicationRequest or MedicationStatement."""
    drug = read_administered_drug(context, record, resolve)
    if drug is None:
        return None
    concepts = frozenset(concept for concept in drug.concepts if concept.startswith(_USED))
    if drug.is_ambiguous_iron and drug.has_oral_form:
        concepts |= {ORAL}
    if not concepts:
        return None
    if isinstance(record, Order):
        start, end = record.authoredOn, None
    else:
        period = record.effectivePeriod
        start = record.effectiveDateTime or (period.start if period else None)
        end = period.end if period else None
    return MedicationUse(
        concepts=concepts,
        name=drug.name,
        is_active=record.status in _IN_USE,
        start=read_day(start, context.zone) if start else None,
        end=read_day(end, context.zone) if end else None,
        reference=reference_to(record.resourceType, record.id, place),
    )
