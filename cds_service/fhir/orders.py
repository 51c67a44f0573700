"""FHIR R4 resources we offer: reassessment contacts and laboratory orders, as plain JSON objects.

What makes two contacts the same one: the business identifier `<course>.<contact>` (laboratory requests
`<course>.<contact>.<test>`) in our identifier system. The course part is a digest of the patient id and of the
first order reference of the course in the session; every call about that order has it (R-50a, CH-246, CH-247).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from hashlib import sha256
from typing import Any

from cds_service.clinical.codes import Coding
from cds_service.clinical.schedule import Planned

Json = dict[str, Any]
FOLLOW_UP_RESOURCES = ("ServiceRequest", "Task", "Appointment")


@dataclass(frozen=True, slots=True)
class OrderCodes:
    """Codings written into the resources, taken once from the value sets."""

    contact: Coding
    contact_category: Coding
    laboratory_category: Coding
    rls: Coding
    fulfill: Coding
    tests: Mapping[str, Coding]
    fcm: Coding
    severity: Coding


@dataclass(frozen=True, slots=True)
class CourseRef:
    """The infusion course a contact belongs to, as far as the written resource needs it."""

    patient_id: str
    course: str
    identifier_system: str
    rls_condition: str | None  # reference to the RLS entry, None = use the reason code
    based_on: str | None  # reference to the infusion order, None while that is a draft


def course_part(patient_id: str, order_reference: str) -> str:
    """The course part of identifiers: 16 hex digits, without meaning outside the chart."""
    return sha256(f"{patient_id}|{order_reference}".encode()).hexdigest()[:16]


def identifier_value(course: str, contact: str, test: str | None = None) -> str:
    return f"{course}.{contact}.{test}" if test else f"{course}.{contact}"


def contact_resource(kind: str, codes: OrderCodes, course: CourseRef, planned: Planned, note: str) -> Json:
    """One reassessment contact as the resource type the client can place."""
    write = {
        "ServiceRequest": _contact_request,
        "Task": _contact_task,
        "Appointment": _contact_appointment,
    }[kind]
    return write(codes, course, planned, note)


def laboratory_request(
    codes: OrderCodes,
    course: CourseRef,
    contact: str,
    test: str,
    when: date | None,
    note: str,
) -> Json:
    """A laboratory order by LOINC code, dated with its contact; undated means now."""
    return {
        "resourceType": "ServiceRequest",
        "identifier": _identifier(course, identifier_value(course.course, contact, test)),
        **_based_on(course),
        "status": "draft",
        "intent": "order",
        "category": [_concept(codes.laboratory_category)],
        "code": _concept(codes.tests[test]),
        "subject": _patient(course),
        **({"occurrenceDateTime": when.isoformat()} if when else {}),
        **_reason(codes, course),
        "note": [{"text": note}],
    }


SEVERITY = "irls-total"  # last part of the identifier of a total that is to be filled in


def pending_total(codes: OrderCodes, course: CourseRef, contact: str) -> Json:
    """A severity total without value, to be filled in at the contact; not every EHR takes Observations."""
    return {
        "resourceType": "Observation",
        "identifier": _identifier(course, identifier_value(course.course, contact, SEVERITY)),
        "status": "registered",
        "code": _concept(codes.severity),
        "subject": _patient(course),
    }


def iron_order(codes: OrderCodes, course: CourseRef, name: str, dose_mg: Decimal, note: str) -> Json:
    """A draft order of ferric carboxymaltose: ingredient by code, drug name as text, dose in mg of iron (R-50d)."""
    amount = {"value": dose_mg, "unit": "mg", "system": "http://unitsofmeasure.org", "code": "mg"}
    return {
        "resourceType": "MedicationRequest",
        "status": "draft",
        "intent": "order",
        "medicationCodeableConcept": {**_concept(codes.fcm), "text": name},
        "subject": _patient(course),
        **_reason(codes, course),
        "note": [{"text": note}],
        "dosageInstruction": [{"route": {"text": "intravenous"}, "doseAndRate": [{"doseQuantity": amount}]}],
    }


def _contact_request(codes: OrderCodes, course: CourseRef, planned: Planned, note: str) -> Json:
    return {
        "resourceType": "ServiceRequest",
        "identifier": _identifier(course, identifier_value(course.course, planned.contact.id)),
        **_based_on(course),
        "status": "draft",
        "intent": "order",
        "category": [_concept(codes.contact_category)],
        "code": {**_concept(codes.contact), "text": _title(planned)},
        "subject": _patient(course),
        "occurrenceDateTime": planned.target.isoformat(),
        **_reason(codes, course),
        "note": [{"text": note}],
    }


def _contact_task(codes: OrderCodes, course: CourseRef, planned: Planned, note: str) -> Json:
    reason: Json = _reason(codes, course)
    return {
        "resourceType": "Task",
        "identifier": _identifier(course, identifier_value(course.course, planned.contact.id)),
        **_based_on(course),
        "status": "draft",
        "intent": "order",
        "code": _concept(codes.fulfill),
        "description": _title(planned),
        "for": _patient(course),
        **({"reasonReference": reason["reasonReference"][0]} if "reasonReference" in reason else {}),
        **({"reasonCode": reason["reasonCode"][0]} if "reasonCode" in reason else {}),
        "note": [{"text": note}],
        "restriction": {
            "period": {
                "start": planned.window_first.isoformat(),
                "end": planned.window_last.isoformat(),
            }
        },
    }


def _contact_appointment(codes: OrderCodes, course: CourseRef, planned: Planned, note: str) -> Json:
    return {
        "resourceType": "Appointment",
        "identifier": _identifier(course, identifier_value(course.course, planned.contact.id)),
        "status": "proposed",
        "serviceType": [_concept(codes.contact)],
        **_reason(codes, course),
        "description": _title(planned),
        "comment": note,
        **(
            {"basedOn": [{"reference": course.based_on}]}
            if (course.based_on or "").startswith("ServiceRequest/")
            else {}
        ),
        "participant": [{"actor": _patient(course), "status": "needs-action"}],
        "requestedPeriod": [
            {
                "start": planned.window_first.isoformat(),
                "end": planned.window_last.isoformat(),
            }
        ],
    }


def _title(planned: Planned) -> str:
    return f"RLS reassessment after IV iron: {planned.contact.title}"


def _identifier(course: CourseRef, value: str) -> list[Json]:
    return [{"system": course.identifier_system, "value": value}]


def _based_on(course: CourseRef) -> Json:
    return {"basedOn": [{"reference": course.based_on}]} if course.based_on else {}


def _patient(course: CourseRef) -> Json:
    return {"reference": f"Patient/{course.patient_id}"}


def _reason(codes: OrderCodes, course: CourseRef) -> Json:
    if course.rls_condition:
        return {"reasonReference": [{"reference": course.rls_condition}]}
    return {"reasonCode": [_concept(codes.rls)]}


def _concept(coding: Coding) -> Json:
    return {"coding": [{"system": coding.system, "code": coding.code, "display": coding.display}]}
