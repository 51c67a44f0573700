"""Writes the synthetic patients, requests and replies under fhir_fixtures/ from tests/situations.py (`make fixtures`).

Every person is invented. All dates are relative to one reference date; the demo shifts them to today. Also written:
the bad requests of tests/bad_requests.py, and the READMEs' tables of settings and bad requests.
"""

import json
import sys
from datetime import date, timedelta
from pathlib import Path
from typing import Any
from uuid import NAMESPACE_URL, uuid5

Json = dict[str, Any]
REFERENCE = date(2026, 3, 10)
FOLDER = Path(__file__).resolve().parent.parent / "fhir_fixtures"

LOINC = "http://loinc.org"
SNOMED = "http://snomed.info/sct"
RXNORM = "http://www.nlm.nih.gov/research/umls/rxnorm"
ICD10CM = "http://hl7.org/fhir/sid/icd-10-cm"
UCUM = "http://unitsofmeasure.org"
HCPCS = "http://www.cms.gov/Medicare/Coding/HCPCSReleaseCodeSets"
CLINICAL = "http://terminology.hl7.org/CodeSystem/condition-clinical"
VERIFICATION = "http://terminology.hl7.org/CodeSystem/condition-ver-status"
ALLERGY_CLINICAL = "http://terminology.hl7.org/CodeSystem/allergyintolerance-clinical"
ALLERGY_VERIFICATION = "http://terminology.hl7.org/CodeSystem/allergyintolerance-verification"

LABS = {
    "ferritin": ("2276-4", "Ferritin [Mass/volume] in Serum or Plasma", "ng/mL"),
    "tsat": ("2502-3", "Iron saturation [Mass Fraction] in Serum or Plasma", "%"),
    "iron": ("2498-4", "Iron [Mass/volume] in Serum or Plasma", "ug/dL"),
    "tibc": ("2500-7", "Iron binding capacity [Mass/volume] in Serum or Plasma", "ug/dL"),
    "transferrin": ("3034-6", "Transferrin [Mass/volume] in Serum or Plasma", "mg/dL"),
    "hemoglobin": ("718-7", "Hemoglobin [Mass/volume] in Blood", "g/dL"),
    "weight": ("29463-7", "Body weight", "kg"),
    "crp": ("1988-5", "C reactive protein [Mass/volume] in Serum or Plasma", "mg/L"),
    "phosphate": ("2777-1", "Phosphate [Mass/volume] in Serum or Plasma", "mg/dL"),
}
DRUGS = {
    "fcm": (RXNORM, "1433693", "ferric carboxymaltose"),
    "sucrose": (RXNORM, "24909", "iron sucrose"),
    "ferumoxytol": (RXNORM, "473387", "ferumoxytol"),
    "dextran": (RXNORM, "5992", "Iron-Dextran Complex"),
    "derisomaltose": (RXNORM, "2274398", "Monoferric (ferric derisomaltose)"),
    "gluconate": (RXNORM, "50013", "Ferrlecit"),
    "ferrous-sulfate": (RXNORM, "24947", "ferrous sulfate"),
    "pramipexole": (RXNORM, "746741", "Pramipexole"),
}
BY_MOUTH = ("ferrous-sulfate", "pramipexole")
IV_ROUTE = {"coding": [{"system": SNOMED, "code": "47625008", "display": "Intravenous route"}]}
CATEGORIES = "http://terminology.hl7.org/CodeSystem/observation-category"


def ago(days: int) -> str:
    return (REFERENCE - timedelta(days=days)).isoformat()


def without_none(value: Any) -> Any:
    """A copy without members that are None: FHIR has no null."""
    if isinstance(value, dict):
        return {key: without_none(one) for key, one in value.items() if one is not None}
    return [without_none(one) for one in value] if isinstance(value, list) else value


def concept(system: str, code: str, display: str) -> Json:
    return {"coding": [{"system": system, "code": code, "display": display}], "text": display}


def lab(name: str, value: float | str, days: int = 12, **changes: Any) -> Json:
    """A final result drawn at 08:00; `unit` overrides the unit, `code` the LOINC code."""
    code, display, unit = LABS[name]
    unit = changes.pop("unit", unit)
    code = changes.pop("code", code)
    quantity: Json = {"value": value, "unit": unit, "system": UCUM, "code": unit}
    if "comparator" in changes:
        quantity = {"value": value, "comparator": changes.pop("comparator"), "unit": unit, "system": UCUM, "code": unit}
    return {
        "resourceType": "Observation",
        "status": "final",
        "category": [{"coding": [{"system": CATEGORIES, "code": "vital-signs" if name == "weight" else "laboratory"}]}],
        "code": concept(LOINC, code, display),
        "effectiveDateTime": f"{ago(days)}T08:00:00-05:00",
        "issued": f"{ago(days)}T15:00:00-05:00",
        "valueQuantity": quantity,
        **changes,
    }


def condition(system: str, code: str, display: str, days: int = 400, clinical: str = "active", **changes: Any) -> Json:
    return {
        "resourceType": "Condition",
        "clinicalStatus": {"coding": [{"system": CLINICAL, "code": clinical}]},
        "verificationStatus": {"coding": [{"system": VERIFICATION, "code": changes.pop("verification", "confirmed")}]},
        "code": concept(system, code, display),
        "recordedDate": ago(days),
        **changes,
    }


RLS = condition(ICD10CM, "G25.81", "Restless legs syndrome")


def drug(name: str) -> Json:
    return concept(*DRUGS[name])


def order(name: str = "fcm", mg: float | None = None, identifier: str = "order-1", **changes: Any) -> Json:
    """A draft order as an ordering session holds it, by vein unless the drug is taken by mouth."""
    amount = {"value": mg, "unit": "mg", "system": UCUM, "code": "mg"}
    dose = {"doseAndRate": [{"doseQuantity": amount}]} if mg else {}
    made: Json = {
        "resourceType": "MedicationRequest",
        "id": identifier,
        "status": "draft",
        "intent": "order",
        "medicationCodeableConcept": drug(name) if name in DRUGS else {"text": name},
        "dosageInstruction": [{"route": {"text": "oral"} if name in BY_MOUTH else IV_ROUTE, **dose}],
    }
    return {**made, **changes}


def given(name: str = "fcm", mg: float | None = 1000, days: int = 100, **changes: Any) -> Json:
    dose = {"dose": {"value": mg, "unit": "mg", "system": UCUM, "code": "mg"}} if mg else {}
    return {
        "resourceType": "MedicationAdministration",
        "status": "completed",
        "medicationCodeableConcept": drug(name),
        "effectiveDateTime": f"{ago(days)}T10:00:00-05:00",
        "dosage": {"text": "infusion", **dose},
        **changes,
    }


def allergy(code: Json, *manifestations: str, **changes: Any) -> Json:
    reaction = [
        {"manifestation": [{"text": text} for text in manifestations], "severity": changes.pop("severity", "moderate")}
    ]
    return {
        "resourceType": "AllergyIntolerance",
        "clinicalStatus": {"coding": [{"system": ALLERGY_CLINICAL, "code": "active"}]},
        "verificationStatus": {"coding": [{"system": ALLERGY_VERIFICATION, "code": "confirmed"}]},
        "category": ["medication"],
        "code": code,
        **({"reaction": reaction} if manifestations else {}),
        **changes,
    }


def severity(total: int, days: int) -> Json:
    """The severity total under the local code of the service at its default address."""
    return {
        "resourceType": "Observation",
        "status": "final",
        "code": concept("http://127.0.0.1:8000/fhir/CodeSystem/rls-severity", "irls-total", "IRLS total"),
        "effectiveDateTime": ago(days),
        "valueQuantity": {"value": total, "unit": "{score}", "system": UCUM, "code": "{score}"},
    }


# Type of each prefetch key; Observations are told apart by their code.
KEY_TYPES = {
    "conditions": "Condition",
    "allergies": "AllergyIntolerance",
    "iron_administrations": "MedicationAdministration",
    "medications": "MedicationRequest",
    "medication_statements": "MedicationStatement",
    "procedures": "Procedure",
    "follow_up": "ServiceRequest",
}
KEY_CODES = {
    "ferritin": ("2276-4", "20567-4", "24373-3", "14723-1"),
    "tsat": ("2502-3", "14801-5"),
    "hemoglobin": ("718-7", "59260-0"),
    "iron_panel": ("2498-4", "14798-3", "2500-7", "14800-7", "2501-5", "22753-8", "3034-6", "22674-6"),
    "weight": ("29463-7", "3141-9", "3142-7", "8341-0", "56077-1"),
    "crp": ("1988-5", "30522-7"),
    "phosphate": ("2777-1", "14879-1"),
    "pregnancy": ("82810-3", "11778-8", "18185-9", "8665-2"),
    "rls_severity": ("irls-total",),
}


def patient_bundle(name: str, situation: Json) -> Json:
    """All resources of one synthetic patient, with ids and subjects filled in."""
    person = {"id": name, "birthDate": "1966-01-01", "gender": "female", **situation.get("patient", {})}
    given_names = [word.capitalize() for word in name.split("-")[:2]]
    resources: list[Json] = [
        {"resourceType": "Patient", "name": [{"family": "Synthetic", "given": given_names}], **person}
    ]
    for place, resource in enumerate(situation["chart"]):
        subject = "patient" if resource["resourceType"] == "AllergyIntolerance" else "subject"
        owner = {} if subject in resource else {subject: {"reference": f"Patient/{name}"}}
        identifier = f"{name}-{resource.get('id', place + 1)}"  # ids are unique on the demo server, too
        resources.append({**resource, "id": identifier, **owner})
    resources = without_none(resources)
    return {
        "resourceType": "Bundle",
        "id": name,
        "meta": {
            "tag": [
                {
                    "system": "http://terminology.hl7.org/CodeSystem/v3-ActReason",
                    "code": "HTEST",
                    "display": "test health data",
                }
            ]
        },
        "type": "collection",
        "entry": [
            {"fullUrl": f"urn:uuid:{uuid5(NAMESPACE_URL, name + one['resourceType'] + one['id'])}", "resource": one}
            for one in resources
        ],
    }


def prefetch(bundle: Json) -> Json:
    resources = [entry["resource"] for entry in bundle["entry"]]
    found: Json = {"patient": resources[0]}
    for key in ("conditions", *KEY_CODES, *list(KEY_TYPES)[1:]):
        matching = [one for one in resources if _belongs(key, one)]
        found[key] = _searchset(matching)
    return found


def _belongs(key: str, resource: Json) -> bool:
    if key in KEY_TYPES:
        return bool(resource["resourceType"] == KEY_TYPES[key])
    codings = resource.get("code", {}).get("coding", [])
    parts = [part["code"]["coding"] for part in resource.get("component", [])]
    codes = {coding.get("code") for group in (codings, *parts) for coding in group}
    return resource["resourceType"] == "Observation" and bool(codes & set(KEY_CODES[key]))


def _searchset(resources: list[Json]) -> Json:
    newest_first = sorted(resources, key=lambda one: str(one.get("effectiveDateTime", "")), reverse=True)
    bundle: Json = {"resourceType": "Bundle", "type": "searchset", "total": len(resources)}
    if newest_first:
        bundle["entry"] = [{"resource": one, "search": {"mode": "match"}} for one in newest_first]
    return bundle


def request(name: str, situation: Json, bundle: Json) -> Json:
    hook = situation["hook"]
    context: Json = {"userId": "Practitioner/sleep-physician", "patientId": bundle["id"], "encounterId": "enc-1"}
    if hook == "order-select":
        first = situation["orders"][0]
        context["selections"] = situation.get("selections") or [f"{first['resourceType']}/{first['id']}"]
    if hook != "patient-view":
        context["draftOrders"] = draft_orders(situation, bundle["id"])
    data = {**prefetch(bundle), **situation.get("prefetch", {})}
    for key in situation.get("without", ()):
        del data[key]
    made: Json = {"hook": hook, "hookInstance": str(uuid5(NAMESPACE_URL, name)), "context": context, "prefetch": data}
    return {**made, **situation.get("request", {})}


def draft_orders(situation: Json, patient_id: str) -> Json:
    """The orders of the session; the public sandbox leaves out the type of the Bundle."""
    entries = [{"resource": {"subject": {"reference": f"Patient/{patient_id}"}, **one}} for one in situation["orders"]]
    kind = {} if situation.get("sandbox") else {"type": "collection"}
    return {"resourceType": "Bundle", **kind, "entry": entries}


def write(path: Path, content: Json) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def write_bad_requests() -> None:
    from tests.bad_requests import MISTAKES, spoil

    good = json.loads((FOLDER / "requests/order_select/low-ferritin.json").read_text("utf-8"))
    folder = FOLDER / "bad_requests"
    folder.mkdir(exist_ok=True)
    for path in folder.glob("*.json"):
        path.unlink()
    for name in MISTAKES:
        (folder / f"{name}.json").write_bytes(spoil(name, good))


def main() -> None:
    sys.path[:0] = [str(Path(__file__).resolve().parent), str(FOLDER.parent)]
    from situations import SITUATIONS

    for name, situation in SITUATIONS.items():
        bundle = patient_bundle(name, situation)
        write(FOLDER / "patients" / f"{name}.json", bundle)
        folder = situation["hook"].replace("-", "_")
        write(FOLDER / "requests" / folder / f"{name}.json", request(name, situation, bundle))
    listed = [
        {"name": name, **{key: one[key] for key in ("about", "expect", "hook")}, "patient": f"Patient/{name}"}
        for name, one in SITUATIONS.items()
    ]
    write(FOLDER / "situations.json", {"reference": REFERENCE.isoformat(), "situations": listed})
    write_bad_requests()
    from tests.readme_tables import write_tables
    from tests.replies import write_replies  # answers the requests just written
    from tests.story import write_story

    write_replies()
    write_story()
    write_tables()


if __name__ == "__main__":
    main()
