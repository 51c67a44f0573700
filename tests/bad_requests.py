"""Bad calls, one mistake each, for fhir_fixtures/bad_requests/ (`make fixtures`): what is sent, and what is answered.

Each is the call of the situation `low-ferritin` with as little prefetch as possible, so that the mistake can be seen.
"""

import json
from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

Json = dict[str, Any]
OUTCOME: Json = {"resourceType": "OperationOutcome", "issue": [{"severity": "error", "code": "timeout"}]}


@dataclass(frozen=True, slots=True)
class Mistake:
    """`says` is how the first diagnostics begin."""

    status: int
    says: str
    spoil: Callable[[Json], Json | bytes]


def without(*path: str) -> Callable[[Json], Json]:
    """The call without one member."""
    *way, last = path

    def spoil(call: Json) -> Json:
        del _inside(call, way)[last]
        return call

    return spoil


def with_value(value: Any, *path: str | int) -> Callable[[Json], Json]:
    """The call with one member set."""
    *way, last = path

    def spoil(call: Json) -> Json:
        _inside(call, way)[last] = value
        return call

    return spoil


def _inside(value: Any, way: list[Any]) -> Any:
    for step in way:
        value = value[step]
    return value


def as_text(change: Callable[[str], str]) -> Callable[[Json], bytes]:
    """The JSON text of the call, changed."""
    return lambda call: change(json.dumps(call, indent=2)).encode()


def _access(call: Json) -> Json:
    access = {"access_token": "synthetic", "token_type": "Bearer", "expires_in": 60, "scope": "", "subject": "us"}
    return {**call, "fhirAuthorization": {**access, "scope": "patient/*.read"}}


def _other_patient_token(call: Json) -> Json:
    call = _access(call)
    call["fhirAuthorization"]["patient"] = "somebody-else"
    return {**call, "fhirServer": "https://ehr.example/fhir"}


ORDER = ("context", "draftOrders", "entry", 0, "resource")
NOWHERE = {"reference": "Medication/not-in-the-bundle"}


def _unresolvable_drug(call: Json) -> Json:
    order = _inside(call, list(ORDER))
    del order["medicationCodeableConcept"]
    order["medicationReference"] = NOWHERE
    return call


MISTAKES: dict[str, Mistake] = {
    # --- the body
    "empty": Mistake(400, "the body is not JSON", lambda _: b""),
    "cut-off": Mistake(400, "the body is not JSON", as_text(lambda text: text[: len(text) // 2])),
    "trailing-comma": Mistake(400, "the body is not JSON", as_text(lambda text: text[:-2] + ",\n}")),
    "number-nan": Mistake(400, "the body is not JSON", as_text(lambda text: text.replace(": 48,", ": NaN,"))),
    "byte-order-mark": Mistake(400, "the body starts with a byte order mark", as_text("\ufeff{}".format)),
    "not-utf-8": Mistake(400, "the body is not UTF-8", lambda _: '{"hook": "größer"}'.encode("latin-1")),
    "array": Mistake(400, "the body: ", lambda call: json.dumps([call]).encode()),
    "nested-too-deeply": Mistake(
        400,
        "the body is nested too deeply",
        lambda call: json.dumps({**call, "extension": "?"}).replace('"?"', "[" * 100_000 + "]" * 100_000).encode(),
    ),
    # --- the envelope
    "hook-missing": Mistake(400, "hook: is missing", without("hook")),
    "hook-unknown": Mistake(400, "hook: must be one of", with_value("order-review", "hook")),
    "hook-not-offered": Mistake(400, "hook: this CDS Service answers", with_value("patient-view", "hook")),
    "hook-instance-missing": Mistake(400, "hookInstance: is missing", without("hookInstance")),
    "hook-instance-no-uuid": Mistake(400, "hookInstance: must be a UUID", with_value("1", "hookInstance")),
    "fhir-server-no-url": Mistake(400, "fhirServer: must be", with_value("ehr.example/fhir", "fhirServer")),
    "access-without-server": Mistake(400, "fhirServer: is missing beside fhirAuthorization", _access),
    "access-for-another-patient": Mistake(400, "fhirAuthorization.patient: is not", _other_patient_token),
    "prefetch-array": Mistake(400, "prefetch: ", with_value([], "prefetch")),
    # --- the context
    "context-missing": Mistake(400, "context: is missing", without("context")),
    "context-array": Mistake(400, "context: ", with_value([], "context")),
    "patient-id-missing": Mistake(400, "context.patientId: is missing", without("context", "patientId")),
    "patient-id-with-type": Mistake(
        400, "context.patientId: must be a bare id", with_value("Patient/low-ferritin", "context", "patientId")
    ),
    "user-id-without-type": Mistake(
        400, "context.userId: must be Type/id", with_value("sleep-physician", "context", "userId")
    ),
    "selections-missing": Mistake(400, "context.selections: is missing", without("context", "selections")),
    "selection-names-nothing": Mistake(
        400, "context.selections[0]: names no resource", with_value(["MedicationRequest/gone"], "context", "selections")
    ),
    "draft-orders-missing": Mistake(400, "context.draftOrders: is missing", without("context", "draftOrders")),
    "draft-orders-no-bundle": Mistake(
        400, "context.draftOrders.resourceType: must be", with_value("List", "context", "draftOrders", "resourceType")
    ),
    "draft-orders-empty": Mistake(
        400, "context.draftOrders.entry: must not be empty", with_value([], "context", "draftOrders", "entry")
    ),
    "draft-order-without-type": Mistake(
        400, "context.draftOrders.entry[0].resource.resourceType: is missing", without(*ORDER, "resourceType")
    ),
    # --- required data
    "patient-not-supplied": Mistake(
        412, "required data could not be obtained (patient:", without("prefetch", "patient")
    ),
    "ferritin-not-supplied": Mistake(
        412, "required data could not be obtained (ferritin:", without("prefetch", "ferritin")
    ),
    "conditions-failed": Mistake(
        412, "required data could not be obtained (conditions:", with_value(OUTCOME, "prefetch", "conditions")
    ),
    "no-prefetch": Mistake(412, "required data could not be obtained (patient:", without("prefetch")),
    "drug-not-resolvable": Mistake(412, "the drug of a selected order cannot be read", _unresolvable_drug),
}
KEPT = ("patient", "conditions", "ferritin", "tsat")


def spoil(name: str, good: Json) -> bytes:
    """The bytes of one bad call, made from the good call of `low-ferritin`."""
    call = deepcopy(good)
    call["prefetch"] = {key: call["prefetch"][key] for key in KEPT}
    bad = MISTAKES[name].spoil(call)
    return bad if isinstance(bad, bytes) else (json.dumps(bad, indent=2) + "\n").encode()
