"""FHIR resources to `PatientFacts`, entry by entry: a bad resource is a named gap, another patient's is never used."""

from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

import msgspec

from cds_service.clinical import units
from cds_service.clinical.dates import read_day
from cds_service.clinical.model import (
    AllergyEntry,
    ArrangedContact,
    ConditionEntry,
    DoseRecord,
    Gap,
    IronOrder,
    MedicationUse,
    NotGiven,
    PatientFacts,
    ProcedureEntry,
)
from cds_service.fhir import arranged, iron_doses, iron_orders, observations, pregnancy_status, problems
from cds_service.fhir.wire import (
    ADMINISTRATION,
    ALLERGY,
    CONDITION,
    KIND,
    ORDER,
    PATIENT,
    PROCEDURE,
    UNREADABLE,
    Administration,
    Patient,
    ReadContext,
    Reference,
    Resolver,
    is_foreign,
    reference_to,
)

Entries = Sequence[msgspec.Raw]
FOREIGN = "about another patient: not used"
UNREAD = "could not be read"
UNREAD_DRUG = "its drug could not be told"
SIGNED = ("active", "on-hold")  # R-04b
Read = TypeVar("Read")


class _Chart:
    """Collects facts while the resources are read."""

    def __init__(self, context: ReadContext, resolve: Resolver | None, session: frozenset[str]) -> None:
        self.context = context
        self.resolve = resolve
        self.session = session  # references of the session's own orders: never "signed earlier", never a dose
        self.conditions: list[ConditionEntry] = []
        self.allergies: list[AllergyEntry] = []
        self.doses: list[DoseRecord] = []
        self.signed: list[IronOrder] = []
        self.uses: list[MedicationUse] = []
        self.procedures: list[ProcedureEntry] = []
        self.arranged: list[ArrangedContact] = []
        self.idle_orders: list[IronOrder] = []
        self.not_given: list[NotGiven] = []
        self.gaps: list[Gap] = []

    def each(self, key: str, entries: Entries, read: Callable[[msgspec.Raw, int], None]) -> None:
        for place, raw in enumerate(entries):
            try:
                read(raw, place)
            except UNREADABLE:
                self.gaps.append(Gap(name_unreadable(raw, place, key), UNREAD, key))

    def is_foreign(self, key: str, reference: str, subject: Reference | None) -> bool:
        if not is_foreign(self.context, subject):
            return False
        self.gaps.append(Gap(reference, FOREIGN, key))
        return True

    # --- one reader per prefetch key

    def condition(self, raw: msgspec.Raw, place: int) -> None:
        condition = CONDITION.decode(raw)
        if condition.resourceType != "Condition":
            return
        reference = reference_to("Condition", condition.id, place)
        if not self.is_foreign("conditions", reference, condition.subject or condition.patient):
            self.conditions.append(problems.read_condition(self.context, condition, place))

    def allergy(self, raw: msgspec.Raw, place: int) -> None:
        allergy = ALLERGY.decode(raw)
        if allergy.resourceType != "AllergyIntolerance":
            return
        if self.is_foreign(
            "allergies",
            reference_to("AllergyIntolerance", allergy.id, place),
            allergy.patient,
        ):
            return
        entry = problems.read_allergy(self.context, allergy, place)
        if entry:
            self.allergies.append(entry)

    def administration(self, raw: msgspec.Raw, place: int) -> None:
        record = ADMINISTRATION.decode(raw)
        if record.resourceType != "MedicationAdministration":
            return
        if self.is_foreign(
            "iron_administrations",
            reference_to(record.resourceType, record.id, place),
            record.subject,
        ):
            return
        dose = iron_doses.read_administration(self.context, record, place, self.resolve)
        if dose:
            self.doses.append(dose)
        elif record.status == iron_doses.NOT_DONE:
            self.not_given.extend(iron_doses.read_not_given(self.context, record, place, self.resolve))
        self._note_unread_drug("iron_administrations", record, place)

    def statement(self, raw: msgspec.Raw, place: int) -> None:
        record = ADMINISTRATION.decode(raw)
        if record.resourceType != "MedicationStatement":
            return
        if self.is_foreign(
            "medication_statements",
            reference_to(record.resourceType, record.id, place),
            record.subject,
        ):
            return
        dose = iron_doses.read_statement(self.context, record, place, self.resolve)
        use = iron_doses.read_use(self.context, record, place, self.resolve)
        if dose:
            self.doses.append(dose)
        if use:
            self.uses.append(use)
        self._note_unread_drug("medication_statements", record, place)

    def _note_unread_drug(self, key: str, record: Administration, place: int) -> None:
        """A record that may be of iron for all we know."""
        if iron_doses.has_unread_drug(self.context, record, self.resolve):
            self.gaps.append(Gap(reference_to(record.resourceType, record.id, place), UNREAD_DRUG, key))

    def medication_request(self, raw: msgspec.Raw, place: int) -> None:
        record = ORDER.decode(raw)
        if record.resourceType != "MedicationRequest":
            return
        reference = reference_to(record.resourceType, record.id, place)
        if reference in self.session or self.is_foreign("medications", reference, record.subject):
            return
        use = iron_doses.read_use(self.context, record, place, self.resolve)
        if use:
            self.uses.append(use)
        self._order("medications", raw, reference)

    def _order(self, key: str, raw: msgspec.Raw, reference: str) -> None:
        order = iron_orders.read_order(self.context, reference, raw, self.resolve, in_session=False)
        if isinstance(order, iron_orders.UnreadableOrder):
            self.gaps.append(Gap(reference, UNREAD_DRUG, key))
        if not isinstance(order, IronOrder) or order.do_not_perform or order.is_imaging or not _is_injected(order):
            return
        if order.status == "completed":
            self.doses.extend(iron_doses.records_of_order(order))
        elif order.status in SIGNED:
            self.signed.append(order)
        else:
            self.idle_orders.append(order)

    def procedure(self, raw: msgspec.Raw, place: int) -> None:
        procedure = PROCEDURE.decode(raw)
        if procedure.resourceType != "Procedure":
            return
        if self.is_foreign(
            "procedures",
            reference_to("Procedure", procedure.id, place),
            procedure.subject,
        ):
            return
        entry = problems.read_procedure(self.context, procedure, place)
        dose = iron_doses.read_procedure_dose(self.context, procedure, place)
        if entry:
            self.procedures.append(entry)
        if dose:
            self.doses.append(dose)

    def follow_up(self, raw: msgspec.Raw, place: int) -> None:
        contact = arranged.read_arranged(self.context, raw, place, is_draft_order=False)
        if contact:
            self.arranged.append(contact)
            return
        order = ORDER.decode(raw)
        reference = reference_to(order.resourceType, order.id, place)
        if order.resourceType != "ServiceRequest" or reference in self.session:
            return
        if not self.is_foreign("follow_up", reference, order.subject):
            self._order("follow_up", raw, reference)

    def draft(self, raw: msgspec.Raw, place: int) -> None:
        if KIND.decode(raw).resourceType not in arranged.CONTACT_TYPES:
            return  # the iron orders are read already, types we do not know are passed over (CH-056)
        contact = arranged.read_arranged(self.context, raw, place, is_draft_order=True)
        if contact:
            self.arranged.append(contact)


def _is_injected(order: IronOrder) -> bool:
    """R-01a for records of the chart: an ambiguous iron counts only with a route or form that tells it is injected."""
    return not order.is_ambiguous or order.has_injectable_form or order.route in ("intravenous", "intramuscular")


def read_facts(
    context: ReadContext,
    data: Mapping[str, Entries],
    unavailable: Mapping[str, str],
    drafts: Entries = (),
    *,
    resolve: Resolver | None = None,
    session: frozenset[str] = frozenset(),
    windows: Mapping[str, int] = units.WINDOW_DAYS,
) -> PatientFacts:
    """Everything the rules may know. `data` holds the undecoded resources of each settled key.

    `windows`: days back that the results of a key matter.
    """
    chart = _Chart(context, resolve, session)
    readers: tuple[tuple[str, Callable[[msgspec.Raw, int], None]], ...] = (
        ("conditions", chart.condition),
        ("allergies", chart.allergy),
        ("iron_administrations", chart.administration),
        ("medications", chart.medication_request),
        ("medication_statements", chart.statement),
        ("procedures", chart.procedure),
        ("follow_up", chart.follow_up),
    )
    for key, read in readers:
        entries = data.get(key)
        if entries:
            chart.each(key, entries, read)
    if drafts:
        chart.each("draftOrders", drafts, chart.draft)
    patient = read_patient(context, data.get("patient", ()), chart.gaps)
    found = observations.read_observations(context, data, chart.gaps, windows)
    deceased = read_day(patient.deceasedDateTime, context.zone) if patient.deceasedDateTime else None
    return PatientFacts(
        birth=read_day(patient.birthDate, context.zone) if patient.birthDate else None,
        is_deceased=bool(patient.deceasedBoolean) or deceased is not None,
        sex=patient.gender,
        conditions=tuple(chart.conditions),
        allergies=tuple(chart.allergies),
        results=found.results,
        dose_records=tuple(chart.doses),
        signed_orders=tuple(chart.signed),
        medications=tuple(chart.uses),
        pregnancy=(
            *found.pregnancy,
            *pregnancy_status.pregnancy_of_conditions(chart.conditions),
        ),
        severity=tuple(found.severity),
        impressions=tuple(found.impressions),
        procedures=tuple(chart.procedures),
        arranged=tuple(chart.arranged),
        idle_orders=tuple(chart.idle_orders),
        not_given=tuple(chart.not_given),
        gaps=tuple(chart.gaps),
        unavailable=dict(unavailable),
    )


def read_patient(context: ReadContext, entries: Entries, gaps: list[Gap]) -> Patient:
    """The patient of the context; a Patient with another id is a gap, and unknown is unknown (R-03a)."""
    for place, raw in enumerate(entries):
        try:
            patient = PATIENT.decode(raw)
        except UNREADABLE:
            gaps.append(Gap(name_unreadable(raw, place, "patient"), UNREAD, "patient"))
            continue
        if patient.resourceType != "Patient":
            continue
        if patient.id in (None, context.patient_id):
            return patient
        gaps.append(Gap("Patient with another id", FOREIGN, "patient"))
    return Patient()


def name_unreadable(raw: msgspec.Raw | bytes, place: int, key: str) -> str:
    """`Type/id` where that much can be read, else the place in the answer."""
    try:
        kind = KIND.decode(raw)
    except UNREADABLE:
        return f"entry {place + 1} of {key}"
    return (
        reference_to(kind.resourceType or f"entry {place + 1} of {key}", kind.id, place)
        if kind.id
        else f"entry {place + 1} of {key}"
    )
