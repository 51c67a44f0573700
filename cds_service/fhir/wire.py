"""FHIR R4 shapes as they arrive: only the members we read, permissive where real systems are (design section 4).

Values whose type varies stay `msgspec.Raw` and are read where they are used. Decoders are built once, at import.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal, DecimalException
from typing import TypeVar
from zoneinfo import ZoneInfo

import msgspec
from msgspec import UNSET, Struct, UnsetType

from cds_service.clinical.codes import CodeIndex

# What one unreadable resource may raise while it is decoded and read; everything else is our own fault.
UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError, DecimalException)
Resolver = Callable[[str], msgspec.Raw | None]
Item = TypeVar("Item")


@dataclass(frozen=True, slots=True)
class ReadContext:
    """What reading depends on besides the resource."""

    index: CodeIndex
    zone: ZoneInfo | None  # site zone for times in UTC (R-08a)
    patient_id: str
    as_of: date
    identifier_systems: frozenset[str]  # ours, former canonicals included
    own_reference: str = field(init=False)  # "Patient/<id>", the usual subject

    def __post_init__(self) -> None:
        object.__setattr__(self, "own_reference", f"Patient/{self.patient_id}")


class Coding(Struct, gc=False):
    system: str | None = None
    code: str | None = None
    display: str | None = None


class Concept(Struct, gc=False):
    coding: list[Coding] | Coding | None = None
    text: str | None = None

    def codings(self) -> list[Coding]:
        coding = self.coding
        if type(coding) is list:  # as nearly always
            return coding
        return [] if coding is None else as_list(coding)


class Reference(Struct, gc=False):
    reference: str | None = None
    display: str | None = None


class Period(Struct, gc=False):
    start: str | None = None
    end: str | None = None


class Quantity(Struct, gc=False):
    value: msgspec.Raw | UnsetType = UNSET
    unit: str | None = None
    code: str | None = None
    system: str | None = None
    comparator: str | None = None

    def decimal(self) -> Decimal | None:
        """The value; also when it was sent as a string. None when absent; raises `DecimalException` when no number."""
        return read_decimal(self.value)


_MOST_EXPONENT = 1000  # far beyond anything measured, far within what arithmetic bears


def read_decimal(value: msgspec.Raw | UnsetType | None) -> Decimal | None:
    """A JSON number, or a number in a string, exactly as written."""
    if value is None or value is UNSET:
        return None
    text = bytes(value).decode()
    if text == "null":
        return None
    number = Decimal(text.strip('"').strip())
    if not number.is_finite() or abs(number.adjusted()) > _MOST_EXPONENT:
        raise DecimalException(text[:20])
    return number


class Range(Struct, gc=False):
    low: Quantity | None = None
    high: Quantity | None = None


class Identifier(Struct, gc=False):
    system: str | None = None
    value: str | None = None


class Patient(Struct, gc=False):
    resourceType: str = ""
    id: str | None = None
    birthDate: str | None = None
    gender: str | None = None
    deceasedBoolean: bool | None = None
    deceasedDateTime: str | None = None


class Component(Struct, gc=False):
    code: Concept | None = None
    valueQuantity: Quantity | None = None
    valueString: str | None = None
    valueInteger: msgspec.Raw | UnsetType = UNSET
    valueCodeableConcept: Concept | None = None
    valueDateTime: str | None = None
    dataAbsentReason: msgspec.Raw | UnsetType = UNSET
    interpretation: msgspec.Raw | UnsetType = UNSET
    referenceRange: msgspec.Raw | UnsetType = UNSET


class Observation(Component, gc=False):
    resourceType: str = ""
    id: str | None = None
    status: str | None = None
    subject: Reference | None = None
    effectiveDateTime: str | None = None
    effectiveInstant: str | None = None
    effectivePeriod: Period | None = None
    issued: str | None = None
    specimen: Reference | None = None
    contained: msgspec.Raw | UnsetType = UNSET
    component: msgspec.Raw | UnsetType = UNSET
    method: Concept | None = None
    device: Reference | None = None


class Condition(Struct, gc=False):
    resourceType: str = ""
    id: str | None = None
    clinicalStatus: Concept | str | None = None
    verificationStatus: Concept | str | None = None
    code: Concept | None = None
    subject: Reference | None = None
    patient: Reference | None = None  # DSTU2
    recordedDate: str | None = None
    dateRecorded: str | None = None  # DSTU2
    assertedDate: str | None = None  # STU3
    onsetDateTime: str | None = None
    onsetPeriod: Period | None = None
    abatementDateTime: str | None = None
    abatementPeriod: Period | None = None


class Reaction(Struct, gc=False):
    substance: Concept | None = None
    manifestation: list[Concept] | Concept | None = None
    severity: str | None = None
    description: str | None = None

    def manifestations(self) -> list[Concept]:
        if self.manifestation is None:
            return []
        return self.manifestation if isinstance(self.manifestation, list) else [self.manifestation]


class AllergyIntolerance(Struct, gc=False):
    resourceType: str = ""
    id: str | None = None
    clinicalStatus: Concept | str | None = None
    verificationStatus: Concept | str | None = None
    code: Concept | None = None
    substance: Concept | None = None  # DSTU2
    category: list[str] | str | None = None
    criticality: str | None = None
    patient: Reference | None = None
    recordedDate: str | None = None
    onsetDateTime: str | None = None
    reaction: list[Reaction] | None = None


class Procedure(Struct, gc=False):
    resourceType: str = ""
    id: str | None = None
    status: str | None = None
    code: Concept | None = None
    subject: Reference | None = None
    performedDateTime: str | None = None
    performedPeriod: Period | None = None
    basedOn: list[Reference] | None = None
    usedCode: list[Concept] | None = None


class Kind(Struct, gc=False):
    """Just enough to name a resource that cannot be read further."""

    resourceType: str = ""
    id: str | None = None


KIND = msgspec.json.Decoder(Kind)
PATIENT = msgspec.json.Decoder(Patient)
OBSERVATION = msgspec.json.Decoder(Observation)
COMPONENTS = msgspec.json.Decoder(list[Component])
CONTAINED = msgspec.json.Decoder(list[msgspec.Raw] | None)
CONDITION = msgspec.json.Decoder(Condition)
ALLERGY = msgspec.json.Decoder(AllergyIntolerance)
PROCEDURE = msgspec.json.Decoder(Procedure)
CONCEPTS = msgspec.json.Decoder(list[Concept] | Concept | None)


class ReferenceRange(Struct, gc=False):
    low: Quantity | None = None


RANGES = msgspec.json.Decoder(list[ReferenceRange] | None)


def concept_ids(context: ReadContext, concept: Concept | None) -> frozenset[str]:
    """Value sets that any coding of the concept belongs to."""
    if concept is None or concept.coding is None:
        return frozenset()
    found: frozenset[str] = frozenset()
    for coding in concept.codings():
        ids = context.index.concepts(coding.system, coding.code)
        if ids:
            found = found | ids if found else ids
    return found


def texts_of(concept: Concept | None) -> Iterator[str]:
    """Text first, then displays."""
    if concept is None:
        return
    if concept.text:
        yield concept.text
    for coding in concept.codings():
        if coding.display:
            yield coding.display


def name_of(concept: Concept | None) -> str:
    """Text, else a display, else a code: the words of the chart."""
    for text in texts_of(concept):
        return text
    codes = [coding.code for coding in concept.codings() if coding.code] if concept else []
    return codes[0] if codes else ""


def status_code(status: Concept | str | None) -> str | None:
    """clinicalStatus and verificationStatus: a CodeableConcept in R4, a code before."""
    if status is None or isinstance(status, str):
        return status or None
    return next((coding.code for coding in status.codings() if coding.code), None) or status.text


def is_foreign(context: ReadContext, subject: Reference | None) -> bool:
    """True when the resource names another patient. No subject, or a URN: the query was by patient, so it is theirs."""
    if subject is None or not subject.reference or subject.reference.startswith("urn:"):
        return False
    if subject.reference == context.own_reference:
        return False
    parts = subject.reference.split("/_history/")[0].rstrip("/").split("/")
    return len(parts) > 1 and parts[-2] == "Patient" and parts[-1] != context.patient_id


def reference_to(kind: str, resource_id: str | None, place: int) -> str:
    """`Type/id`, or the place in the answer for a resource without id."""
    return f"{kind}/{resource_id}" if resource_id else f"{kind} without id (entry {place + 1})"


class DoseAndRate(Struct, gc=False):
    doseQuantity: Quantity | None = None
    doseRange: Range | None = None


class Repeat(Struct, gc=False):
    boundsPeriod: Period | None = None
    count: msgspec.Raw | UnsetType = UNSET
    period: msgspec.Raw | UnsetType = UNSET
    periodUnit: str | None = None


class Timing(Struct, gc=False):
    event: list[str] | None = None
    repeat: Repeat | None = None


class Dosage(Struct, gc=False):
    text: str | None = None
    timing: Timing | None = None
    route: Concept | None = None
    doseAndRate: list[DoseAndRate] | DoseAndRate | None = None
    doseQuantity: Quantity | None = None  # STU3
    doseRange: Range | None = None  # STU3
    dose: Quantity | None = None  # MedicationAdministration


class Medication(Struct, gc=False):
    resourceType: str = ""
    id: str | None = None
    code: Concept | None = None
    form: Concept | None = None


class Order(Struct, gc=False):
    """MedicationRequest and ServiceRequest, drafts and signed ones alike."""

    resourceType: str = ""
    id: str | None = None
    status: str | None = None
    intent: str | None = None
    doNotPerform: bool | None = None
    identifier: list[Identifier] | None = None
    medicationCodeableConcept: Concept | None = None
    medicationReference: Reference | None = None
    code: Concept | None = None
    subject: Reference | None = None
    reasonCode: list[Concept] | Concept | None = None
    reasonCodeableConcept: list[Concept] | Concept | None = None  # DSTU2
    reasonReference: list[Reference] | Reference | None = None
    dosageInstruction: list[Dosage] | Dosage | None = None
    authoredOn: str | None = None
    occurrenceDateTime: str | None = None
    occurrencePeriod: Period | None = None
    occurrenceTiming: Timing | None = None
    quantityQuantity: Quantity | None = None
    basedOn: list[Reference] | None = None
    contained: list[msgspec.Raw] | None = None


class Administration(Struct, gc=False):
    """MedicationAdministration and MedicationStatement."""

    resourceType: str = ""
    id: str | None = None
    status: str | None = None
    medicationCodeableConcept: Concept | None = None
    medicationReference: Reference | None = None
    subject: Reference | None = None
    effectiveDateTime: str | None = None
    effectivePeriod: Period | None = None
    request: Reference | None = None
    basedOn: list[Reference] | None = None
    dosage: list[Dosage] | Dosage | None = None
    contained: list[msgspec.Raw] | None = None


class Contact(Struct, gc=False):
    """ServiceRequest, Task or Appointment, as far as it may be one of our contacts (R-50a)."""

    resourceType: str = ""
    id: str | None = None
    status: str | None = None
    identifier: list[Identifier] | Identifier | None = None
    subject: Reference | None = None
    occurrenceDateTime: str | None = None
    restriction: msgspec.Raw | UnsetType = UNSET
    requestedPeriod: list[Period] | None = None
    start: str | None = None


MEDICATION = msgspec.json.Decoder(Medication)
ORDER = msgspec.json.Decoder(Order)
ADMINISTRATION = msgspec.json.Decoder(Administration)
CONTACT = msgspec.json.Decoder(Contact)


class Restriction(Struct, gc=False):
    period: Period | None = None


RESTRICTION = msgspec.json.Decoder(Restriction)


def as_list(value: list[Item] | Item | None) -> list[Item]:
    """FHIR lists that some systems write as a single object."""
    if value is None:
        return []
    return value if isinstance(value, list) else [value]
