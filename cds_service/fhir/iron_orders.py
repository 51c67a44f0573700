"""Orders to facts: the parenteral-iron orders of the session and the signed ones of the chart (R-01...R-04b, R-43a)."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal, DecimalException

import msgspec

from cds_service.clinical.dates import read_day
from cds_service.clinical.model import IronOrder, OrderDose
from cds_service.clinical.strengths import read_dose
from cds_service.fhir.drugs import (
    HIGH_MOLECULAR_WEIGHT,
    IMAGING,
    ORAL,
    Drug,
    UnresolvedDrug,
    read_drug,
)
from cds_service.fhir.planned_dates import read_plan
from cds_service.fhir.wire import (
    CONDITION,
    ORDER,
    UNREADABLE,
    Concept,
    Dosage,
    DoseAndRate,
    Order,
    Quantity,
    ReadContext,
    Resolver,
    as_list,
    concept_ids,
    is_foreign,
    name_of,
    texts_of,
)

ORDER_TYPES = ("MedicationRequest", "ServiceRequest")
FOLLOW_UP = "follow-up"  # value set of contacts


@dataclass(frozen=True, slots=True)
class OtherOrder:
    """Not an iron order, or of a resource type we do not read: background only (CH-056)."""

    reference: str


@dataclass(frozen=True, slots=True)
class ForeignOrder:
    """An order of the session about another patient (CH-064)."""

    reference: str


@dataclass(frozen=True, slots=True)
class UnreadableOrder:
    """An order whose drug cannot be told: `reference` is what nothing resolves."""

    reference: str


def read_order(
    context: ReadContext,
    reference: str,
    raw: msgspec.Raw | bytes,
    resolve: Resolver | None,
    *,
    in_session: bool = True,
) -> IronOrder | OtherOrder | ForeignOrder | UnreadableOrder:
    """One order of the session or the chart. A resource that cannot be decoded is `UnreadableOrder` naming itself."""
    kind = reference.split("/", 1)[0]
    if kind not in ORDER_TYPES:
        return OtherOrder(reference)
    try:
        order = ORDER.decode(raw)
        return _read_order(context, reference, order, resolve, in_session=in_session)
    except UNREADABLE:
        return UnreadableOrder(reference)


def _read_order(
    context: ReadContext,
    reference: str,
    order: Order,
    resolve: Resolver | None,
    *,
    in_session: bool,
) -> IronOrder | OtherOrder | ForeignOrder | UnreadableOrder:
    if in_session and is_foreign(context, order.subject):
        return ForeignOrder(reference)
    is_procedure = order.resourceType == "ServiceRequest"
    concept = order.code if is_procedure else order.medicationCodeableConcept
    if is_procedure and FOLLOW_UP in concept_ids(context, concept):
        return OtherOrder(reference)  # a contact after iron, ours among them: its title names iron, too (CH-246)
    drug = read_drug(
        context,
        concept,
        None if is_procedure else order.medicationReference,
        order.contained,
        resolve,
    )
    if drug is None:
        return OtherOrder(reference) if is_procedure else UnreadableOrder(reference)
    if isinstance(drug, UnresolvedDrug):
        return UnreadableOrder(drug.reference)
    if not (drug.is_parenteral_iron or drug.is_ambiguous_iron or IMAGING in drug.concepts) or ORAL in drug.concepts:
        return OtherOrder(reference)
    return _iron_order(context, reference, order, drug, in_session=in_session)


def _iron_order(context: ReadContext, reference: str, order: Order, drug: Drug, *, in_session: bool) -> IronOrder:
    dosages = as_list(order.dosageInstruction)
    doses = _service_dose(context, order, drug) if order.resourceType == "ServiceRequest" else _doses(drug, dosages)
    main = max(doses, key=_size, default=OrderDose())
    planned, administrations = read_plan(context, order, dosages)
    return IronOrder(
        reference=reference,
        resource_type=order.resourceType,
        name=drug.name,
        ingredient=drug.ingredient,
        status=order.status,
        route=_route(context, dosages),
        is_high_molecular_weight=HIGH_MOLECULAR_WEIGHT in drug.concepts,
        is_imaging=IMAGING in drug.concepts,
        is_ambiguous=drug.is_ambiguous_iron,
        has_injectable_form=drug.has_injectable_form,
        do_not_perform=bool(order.doNotPerform),
        reason_is_rls=_reason_is_rls(context, order),
        reason_references=tuple(one.reference for one in as_list(order.reasonReference) if one.reference),
        dose=main,
        other_lines=tuple(dose for dose in doses if dose is not main),
        administrations=administrations,
        planned=planned,
        planned_last=planned[-1].last if planned else None,
        authored=read_day(order.authoredOn, context.zone) if order.authoredOn else None,
        in_session=in_session,
        subject=order.subject.reference if order.subject else None,
    )


def _size(dose: OrderDose) -> tuple[int, Decimal]:
    """Unreadable lines lead: a dose that cannot be read must not hide behind one that can."""
    if dose.unreadable:
        return (2, Decimal(0))
    return (1, dose.mg or Decimal(0)) if dose.mg is not None else (0, dose.mg_per_kg or Decimal(0))


def _doses(drug: Drug, dosages: list[Dosage]) -> list[OrderDose]:
    """One per dosage line; a range counts with its upper end; words alone are unreadable (R-04a)."""
    return [dose for dosage in dosages if not (dose := _dose(drug, dosage)).is_absent]


def _dose(drug: Drug, dosage: Dosage) -> OrderDose:
    rates = [
        *as_list(dosage.doseAndRate),
        DoseAndRate(dosage.doseQuantity, dosage.doseRange),
    ]
    for rate in rates:
        quantity = rate.doseQuantity or (rate.doseRange.high if rate.doseRange else None)
        if quantity is not None:
            return quantity_dose(drug, quantity)
    return OrderDose()


def quantity_dose(drug: Drug, quantity: Quantity) -> OrderDose:
    """A FHIR Quantity as a dose of elemental iron; the code decides, else the unit text."""
    try:
        value = quantity.decimal()
    except DecimalException:
        return OrderDose(unreadable=f"{quantity.unit or 'dose'} that is no number")
    return read_dose(drug.ingredient, value, quantity.code or quantity.unit)


def _service_dose(context: ReadContext, order: Order, drug: Drug) -> list[OrderDose]:
    """An infusion ordered by HCPCS code: units times the size of the code's unit (R-04a)."""
    quantity = order.quantityQuantity
    if quantity is None:
        return []
    unit = (quantity.code or quantity.unit or "").lower()
    if unit in ("mg", "g", "ml", "mg/kg"):
        return [quantity_dose(drug, quantity)]
    try:
        value = quantity.decimal()
    except DecimalException:
        value = None
    sizes = (
        context.index.hcpcs_unit_mg(coding.code)
        for coding in (order.code.codings() if order.code else ())
        if coding.code
    )
    size = next((size for size in sizes if size is not None), None)
    if value is None or size is None or value <= 0:
        return [OrderDose(unreadable=f"{quantity.unit or 'units'} of unknown size")]
    return [OrderDose(mg=value * size)]


def _route(context: ReadContext, dosages: list[Dosage]) -> str:
    """`intravenous`, `intramuscular`, `oral`, or the words found; the first line that has one."""
    for dosage in dosages:
        if dosage.route is None:
            continue
        if "iv-route" in concept_ids(context, dosage.route):
            return "intravenous"
        text = " ".join(texts_of(dosage.route)) or name_of(dosage.route)
        if text:
            return _route_in_words(text.lower())
    return ""


def _route_in_words(text: str) -> str:
    words = text.replace("-", " ").split()
    if "intravenous" in text or "iv" in words:
        return "intravenous"
    if "intramuscular" in text or "im" in words:
        return "intramuscular"
    if "oral" in text or "po" in words or "mouth" in words:
        return "oral"
    return text


def _reason_is_rls(context: ReadContext, order: Order) -> bool:
    """By reason code or words, or by a contained Condition; the problem list judges other references (R-02)."""
    reasons = [*as_list(order.reasonCode), *as_list(order.reasonCodeableConcept)]
    if any(_is_rls(context, reason) for reason in reasons):
        return True
    contained = {one.reference for one in as_list(order.reasonReference) if (one.reference or "").startswith("#")}
    return bool(contained) and any(_contained_is_rls(context, raw, contained) for raw in order.contained or ())


def _contained_is_rls(context: ReadContext, raw: msgspec.Raw, wanted: set[str | None]) -> bool:
    from cds_service.fhir.problems import read_condition

    try:
        condition = CONDITION.decode(raw)
    except UNREADABLE:
        return False
    if condition.resourceType != "Condition" or f"#{(condition.id or '').lstrip('#')}" not in wanted:
        return False
    entry = read_condition(context, condition, 0)
    return "rls" in entry.concepts and entry.counts


def _is_rls(context: ReadContext, concept: Concept) -> bool:
    from cds_service.clinical.names import conditions_from_text

    if "rls" in concept_ids(context, concept):
        return True
    for text in texts_of(concept):
        named, is_hedged = conditions_from_text(text)
        if "rls" in named:
            return not is_hedged
    return False


# ------------------------------------------------------------------------------------------------- drafted tests

TESTS = ("ferritin", "iron-panel", "cbc", "phosphate")  # tests we offer, by value set
_SAME_TEST = {
    "iron": "iron-panel",
    "tibc": "iron-panel",
    "tsat": "iron-panel",
    "hemoglobin": "cbc",
}


def read_drafted_tests(context: ReadContext, drafts: Sequence[msgspec.Raw]) -> frozenset[str]:
    """Tests that the session already orders, so that none is offered twice (CH-246)."""
    found: set[str] = set()
    for raw in drafts:
        try:
            order = ORDER.decode(raw)
        except UNREADABLE:
            continue
        if order.resourceType == "ServiceRequest" and not is_foreign(context, order.subject):
            ids = concept_ids(context, order.code)
            found |= {_SAME_TEST.get(one, one) for one in ids}
    return frozenset(found & set(TESTS))


_OPEN = (None, "draft", "active", "on-hold", "unknown")


def read_ordered_tests(context: ReadContext, requests: Sequence[msgspec.Raw]) -> frozenset[str]:
    """Tests with an open request in the chart (R-50d): not completed, not called off."""
    return read_drafted_tests(context, [raw for raw in requests if _is_open(raw)])


def _is_open(raw: msgspec.Raw) -> bool:
    try:
        return ORDER.decode(raw).status in _OPEN
    except UNREADABLE:
        return False
