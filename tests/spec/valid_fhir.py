"""Checks emitted resources against the R4B models and the code lists that these do not check."""

from collections.abc import Iterator
from importlib import import_module
from typing import Any

Json = dict[str, Any]
# FHIR R4 required bindings of the elements we write: request-status, request-intent, task-status, task-intent,
# appointmentstatus, participationstatus.
REQUEST_STATUS = {"draft", "active", "on-hold", "revoked", "completed", "entered-in-error", "unknown"}
REQUEST_INTENT = {
    "proposal", "plan", "directive", "order", "original-order", "reflex-order", "filler-order", "instance-order",
    "option",
}  # fmt: skip
TASK_STATUS = {
    "draft", "requested", "received", "accepted", "rejected", "ready", "cancelled", "in-progress", "on-hold", "failed",
    "completed", "entered-in-error",
}  # fmt: skip
TASK_INTENT = REQUEST_INTENT - {"directive"} | {"unknown"}
APPOINTMENT_STATUS = {
    "proposed", "pending", "booked", "arrived", "fulfilled", "cancelled", "noshow", "entered-in-error", "checked-in",
    "waitlist",
}  # fmt: skip
MEDICATION_STATUS = {
    "active", "on-hold", "cancelled", "completed", "entered-in-error", "stopped", "draft", "unknown",
}  # fmt: skip
MEDICATION_INTENT = REQUEST_INTENT - {"directive"}
OBSERVATION_STATUS = {
    "registered", "preliminary", "final", "amended", "corrected", "cancelled", "entered-in-error", "unknown",
}  # fmt: skip
BINDINGS: dict[str, dict[str, set[str]]] = {
    "ServiceRequest": {"status": REQUEST_STATUS, "intent": REQUEST_INTENT},
    "Task": {"status": TASK_STATUS, "intent": TASK_INTENT},
    "Appointment": {"status": APPOINTMENT_STATUS},
    "MedicationRequest": {"status": MEDICATION_STATUS, "intent": MEDICATION_INTENT},
    "Observation": {"status": OBSERVATION_STATUS},
}
PARTICIPANT_STATUS = {"accepted", "declined", "tentative", "needs-action"}
PRIORITY = {"routine", "urgent", "asap", "stat"}


def find_faults(resource: Json) -> list[str]:
    """What is wrong with a resource: its shape by the R4B model, then each code of a required binding."""
    kind = resource["resourceType"]
    model = getattr(import_module(f"fhir.resources.R4B.{kind.lower()}"), kind)
    try:
        model.model_validate(resource)
    except ValueError as wrong:
        return [str(wrong)]
    return list(_wrong_codes(kind, resource))


def _wrong_codes(kind: str, resource: Json) -> Iterator[str]:
    if kind not in BINDINGS:
        yield f"{kind} is not a type that we offer to create"
    for element, allowed in BINDINGS.get(kind, {}).items():
        if resource.get(element) not in allowed:
            yield f"{kind}.{element} is {resource.get(element)!r}"
    if resource.get("priority", "routine") not in PRIORITY:
        yield f"{kind}.priority is {resource['priority']!r}"
    for one in resource.get("participant", ()):
        if one.get("status") not in PARTICIPANT_STATUS:
            yield f"{kind}.participant.status is {one.get('status')!r}"
