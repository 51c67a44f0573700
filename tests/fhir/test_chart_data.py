"""Chart data as real systems write it, one row each: answered, or refused cleanly, never a crash (design section 4).

Every row spoils one thing in the request of an invented woman with RLS, ferritin 48 ng/mL and TSAT 17 % who is to get
ferric carboxymaltose: strong support.
"""

import copy
import json
from collections.abc import Callable
from functools import cache
from typing import Any

import pytest
from flask.testing import FlaskClient

from cds_service.demo.fixtures import read_request, read_situations
from tests.fhir.ehr import CANONICAL, REFERENCE, TEMPLATES, Json, open_ehr, open_service, post, trace_of

STRONG = "indicated-strong"
RXNORM = "http://www.nlm.nih.gov/research/umls/rxnorm"
NDC = "http://hl7.org/fhir/sid/ndc"
SNOMED = "http://snomed.info/sct"
ATC = "http://www.whocc.no/atc"
LOINC = "http://loinc.org"
HCPCS = "http://www.cms.gov/Medicare/Coding/HCPCSReleaseCodeSets"
Spoil = Callable[[Json], None]


@cache
def usual() -> Json:
    return read_request(read_situations().by_name["low-ferritin"], CANONICAL, REFERENCE)


@pytest.fixture(scope="module")
def service() -> FlaskClient:
    with open_ehr() as ehr:
        return open_service(ehr)


def spoiled(spoil: Spoil) -> Json:
    """The request with one thing written another way; no FHIR server helps."""
    call = copy.deepcopy(usual())
    spoil(call)
    return call


def answer(service: FlaskClient, call: Json) -> Json:
    response = post(service, call)
    assert response.status_code == 200, response.text
    reply: Json = response.get_json()
    return reply


def conclusion(reply: Json) -> str:
    return str(reply["cards"][0]["source"]["topic"]["code"]) if reply["cards"] else ""


def order_of(call: Json) -> Json:
    order: Json = call["context"]["draftOrders"]["entry"][0]["resource"]
    return order


def result_of(call: Json, key: str = "ferritin") -> Json:
    result: Json = call["prefetch"][key]["entry"][0]["resource"]
    return result


def in_order(**members: Any) -> Spoil:
    """`None` removes a member."""
    return lambda call: _change(order_of(call), members)


def in_result(key: str = "ferritin", **members: Any) -> Spoil:
    return lambda call: _change(result_of(call, key), members)


def _change(resource: Json, members: Json) -> None:
    resource.update(members)
    for name in [name for name, value in members.items() if value is None]:
        del resource[name]


def drug(*codings: tuple[str, str], text: str | None = None) -> Spoil:
    concept: Json = {"coding": [{"system": system, "code": code} for system, code in codings]} if codings else {}
    return in_order(medicationCodeableConcept={**concept, **({"text": text} if text else {})})


def by_reference(reference: Json, *bundled: Json, contained: list[Json] | None = None) -> Spoil:
    def spoil(call: Json) -> None:
        _change(order_of(call), {"medicationCodeableConcept": None, "medicationReference": reference})
        if contained:
            order_of(call)["contained"] = contained
        call["context"]["draftOrders"]["entry"] += [{"resource": one} for one in bundled]

    return spoil


URN = "urn:uuid:0f6b4bd5-26f3-4a3e-8d0e-5a1c6a8d9a11"


def by_full_url(full_url: str, medication: Json) -> Spoil:
    """The order refers to another entry of the Bundle by the entry's `fullUrl`."""

    def spoil(call: Json) -> None:
        by_reference({"reference": full_url})(call)
        call["context"]["draftOrders"]["entry"].append({"fullUrl": full_url, "resource": medication})

    return spoil


MEDICATION = {"resourceType": "Medication", "id": "m1", "code": {"coding": [{"system": RXNORM, "code": "1433693"}]}}


def both(*spoils: Spoil) -> Spoil:
    def spoil(call: Json) -> None:
        for one in spoils:
            one(call)

    return spoil


def no_bundle_type(call: Json) -> None:
    del call["context"]["draftOrders"]["type"]


def no_searchset_type(call: Json) -> None:
    for bundle in call["prefetch"].values():
        for name in ("type", "total", "link"):
            bundle.pop(name, None) if bundle.get("resourceType") == "Bundle" else None


def as_service_request(call: Json) -> None:
    order = order_of(call)
    subject = order["subject"]
    order.clear()
    code = {"coding": [{"system": HCPCS, "code": "J1439"}]}
    order |= {"resourceType": "ServiceRequest", "id": "order-1", "status": "draft", "intent": "order"}
    order |= {"subject": subject, "code": code, "quantityQuantity": {"value": 750, "unit": "units"}}
    call["context"]["selections"] = ["ServiceRequest/order-1"]


def without_id(call: Json) -> None:
    call["hook"] = "order-sign"
    del call["context"]["selections"], order_of(call)["id"]


IV = {"route": {"coding": [{"system": SNOMED, "code": "47625008"}]}}

ORDERS: dict[str, tuple[Spoil, str]] = {
    "as written by the book": (lambda _: None, STRONG),
    "draft order without intent": (in_order(intent=None), STRONG),
    "draft order without status": (in_order(status=None), STRONG),
    "Bundle of orders without type": (no_bundle_type, STRONG),
    "prefetch Bundles without type and total": (no_searchset_type, STRONG),
    "category as an object": (in_order(category={"coding": [{"code": "inpatient"}]}), STRONG),
    "dosage as an object": (in_order(dosageInstruction=IV), STRONG),
    "dosage as text only": (in_order(dosageInstruction=[{"text": "1000 mg iv once"}]), STRONG),
    "no dosage at all": (in_order(dosageInstruction=None), STRONG),
    "order without id, about to be signed": (without_id, STRONG),
    "unknown members and extensions": (in_order(extension=[{"url": "x"}], _status={"id": "1"}, foo=[1]), STRONG),
    "drug in a contained Medication": (by_reference({"reference": "#m1"}, contained=[MEDICATION]), STRONG),
    "contained id written with its hash": (
        by_reference({"reference": "#m1"}, contained=[{**MEDICATION, "id": "#m1"}]),
        STRONG,
    ),
    "drug in a Medication bundled with the orders": (by_reference({"reference": "Medication/m1"}, MEDICATION), STRONG),
    "bundled Medication by its urn": (by_full_url(URN, {**MEDICATION, "id": None}), STRONG),
    "bundled Medication by its address": (by_full_url("https://ehr.example/fhir/Medication/m9", MEDICATION), STRONG),
    "bundled Medication by text": (
        by_reference({"reference": "Medication/m1"}, {**MEDICATION, "code": {"text": "Injectafer 750 mg vial"}}),
        STRONG,
    ),
    "reference with the drug's name beside it": (
        by_reference({"reference": "Medication/x", "display": "ferric carboxymaltose 50 mg/mL"}),
        STRONG,
    ),
    "only the name, no reference": (by_reference({"display": "Injectafer"}), STRONG),
    "drug as text only": (drug(text="Injectafer 750 mg in NaCl 250 mL"), STRONG),
    "drug under a local code with text": (drug(("urn:oid:1.2.3.4", "FCM1000"), text="ferric carboxymaltose"), STRONG),
    "drug under a local code with a display": (
        in_order(medicationCodeableConcept={"coding": [{"system": "local", "code": "1", "display": "Injectafer"}]}),
        STRONG,
    ),
    "one coding as an object": (
        in_order(medicationCodeableConcept={"coding": {"system": RXNORM, "code": "1433693"}}),
        STRONG,
    ),
    "RxNorm ingredient": (drug((RXNORM, "1433693")), STRONG),
    "RxNorm clinical drug": (drug((RXNORM, "1435169")), STRONG),
    "RxNorm branded drug": (drug((RXNORM, "2552400")), STRONG),
    "RxNorm brand name": (drug((RXNORM, "136209")), "may-benefit"),
    "NDC with hyphens": (drug((NDC, "0517-0620-01")), STRONG),
    "NDC in eleven digits": (drug((NDC, "00517062001")), STRONG),
    "SNOMED CT substance": (drug((SNOMED, "129497004")), "may-benefit"),
    "ATC class": (drug((ATC, "B03AC")), "may-benefit"),
    "known code after an unknown one": (drug(("local", "1"), (RXNORM, "1433693")), STRONG),
    "infusion ordered by HCPCS code": (as_service_request, STRONG),
    "another drug by text": (drug(text="pramipexole 0.25 mg"), ""),
    "a drug nobody knows": (drug(("local", "4711")), ""),
    "a subject in full": (in_order(subject={"reference": "https://ehr.example/fhir/Patient/low-ferritin"}), STRONG),
    "no subject": (in_order(subject=None), STRONG),
}


@pytest.mark.parametrize("name", ORDERS)
def test_an_order_is_read_however_it_is_written(service: FlaskClient, name: str) -> None:
    spoil, expected = ORDERS[name]
    assert conclusion(answer(service, spoiled(spoil))) == expected


def result_as(**members: Any) -> Spoil:
    return in_result(valueQuantity=None, **members)


def panel(call: Json) -> None:
    """Ferritin as a component of a panel that has no code of ours."""
    result = result_of(call)
    part = {"code": result["code"], "valueQuantity": result.pop("valueQuantity")}
    result |= {"code": {"text": "Iron studies"}, "component": [part]}


def panel_of_members(call: Json) -> None:
    """The panel names its results, which stand beside it."""
    bundle = call["prefetch"]["ferritin"]
    members = [{"reference": f"Observation/{bundle['entry'][0]['resource']['id']}"}]
    bundle["entry"].insert(0, {"resource": {"resourceType": "Observation", "status": "final", "hasMember": members}})


def panel_with_contained_members(call: Json) -> None:
    result = result_of(call)
    member = {"resourceType": "Observation", "id": "f", "status": "final"}
    member |= {"code": result["code"], "valueQuantity": result.pop("valueQuantity")}
    result |= {"code": {"text": "Iron studies"}, "contained": [member], "hasMember": [{"reference": "#f"}]}


RESULTS: dict[str, tuple[Spoil, str]] = {
    "category as an object": (in_result(category={"coding": [{"code": "laboratory"}]}), STRONG),
    "code without a list around its coding": (in_result(code={"coding": {"system": LOINC, "code": "2276-4"}}), STRONG),
    "unit in `unit` only": (in_result(valueQuantity={"value": 48, "unit": "ng/mL"}), STRONG),
    "unit in another spelling": (in_result(valueQuantity={"value": 48, "unit": "ug/L"}), STRONG),
    "number as a string": (in_result(valueQuantity={"value": "48", "unit": "ng/mL"}), STRONG),
    "number with needless digits": (in_result(valueQuantity={"value": "48.000", "unit": "ng/mL"}), STRONG),
    "no unit at all": (in_result(valueQuantity={"value": 48}), "insufficient-data"),
    "a unit nobody knows": (in_result(valueQuantity={"value": 48, "unit": "drops"}), "insufficient-data"),
    "a number that is none": (in_result(valueQuantity={"value": "n/a", "unit": "ng/mL"}), "insufficient-data"),
    "text below a limit, with its unit": (result_as(valueString="<5 ng/mL"), STRONG),
    "text below a limit, without unit": (result_as(valueString="<5"), "insufficient-data"),
    "text that is no result": (result_as(valueString="see comment"), "insufficient-data"),
    "comparator": (in_result(valueQuantity={"value": 5, "comparator": "<", "unit": "ng/mL"}), STRONG),
    "no value, a reason": (result_as(dataAbsentReason={"coding": [{"code": "unknown"}]}), "insufficient-data"),
    "result in a component of a panel": (panel, STRONG),
    "results beside the panel that names them": (panel_of_members, STRONG),
    "results contained in the panel": (panel_with_contained_members, STRONG),
    "time without zone": (in_result(effectiveDateTime="2026-02-26T08:00:00"), STRONG),
    "time with milliseconds in UTC": (in_result(effectiveDateTime="2026-02-26T08:00:00.000Z"), STRONG),
    "date only": (in_result(effectiveDateTime="2026-02-26"), STRONG),
    "instant": (in_result(effectiveDateTime=None, effectiveInstant="2026-02-26T08:00:00Z"), STRONG),
    "period": (in_result(effectiveDateTime=None, effectivePeriod={"start": "2026-02-26", "end": "2026-02-26"}), STRONG),
    "month only, wholly within the window": (in_result(effectiveDateTime="2026-02"), STRONG),
    "year only": (in_result(effectiveDateTime="2025"), "insufficient-data"),
    "date not on the calendar": (in_result(effectiveDateTime="2026-02-30"), "insufficient-data"),
    "no date": (in_result(effectiveDateTime=None), "insufficient-data"),
    "another patient's": (in_result(subject={"reference": "Patient/somebody-else"}), "insufficient-data"),
    "no subject": (in_result(subject=None), STRONG),
}


@pytest.mark.parametrize("name", RESULTS)
def test_a_result_is_read_however_it_is_written(service: FlaskClient, name: str) -> None:
    spoil, expected = RESULTS[name]
    assert conclusion(answer(service, spoiled(spoil))) == expected


# -------------------------------------------------------------------------------------------------- unreadable ones

NONSENSE: dict[str, Any] = {
    "a number in place of a resource": 5,
    "a list in place of a resource": [1, 2],
    "null": None,
    "an empty object": {},
    "no type": {"id": "x"},
    "a type nobody knows": {"resourceType": "Banana", "id": "x"},
    "members of the wrong shape": {"resourceType": "Observation", "id": "x", "status": {"a": 1}, "code": [3]},
    "a code that is a number": {"resourceType": "Observation", "id": "x", "code": {"coding": [{"code": 5}]}},
    "nested deeply": json.loads('{"a":' * 200 + "1" + "}" * 200),
    "a date that is a list": {"resourceType": "Observation", "id": "x", "effectiveDateTime": [2026]},
}


@pytest.mark.parametrize("key", [key for key in TEMPLATES if key != "patient"])
@pytest.mark.parametrize("name", NONSENSE)
def test_one_unreadable_resource_does_not_spoil_the_others(service: FlaskClient, key: str, name: str) -> None:
    call = copy.deepcopy(usual())
    call["prefetch"][key].setdefault("entry", []).append({"resource": NONSENSE[name]})
    assert conclusion(answer(service, call)) == STRONG


def test_an_unreadable_resource_is_one_named_gap(service: FlaskClient) -> None:
    call = copy.deepcopy(usual())
    call["prefetch"]["weight"]["entry"].append({"resource": NONSENSE["members of the wrong shape"]})
    gaps = trace_of(answer(service, call))["orders"][0]["gaps"]
    assert gaps == [{"reference": "Observation/x", "why": "could not be read"}]


@pytest.mark.parametrize("value", [5, "text", [], {}, {"resourceType": "Bundle", "entry": 7}, True], ids=repr)
def test_a_required_key_that_is_no_fhir_resource_is_412(service: FlaskClient, value: Any) -> None:
    call = copy.deepcopy(usual())
    call["prefetch"]["ferritin"] = value
    response = post(service, call)
    assert response.status_code == 412 and "ferritin: not a FHIR resource" in response.text


@pytest.mark.parametrize("value", [5, "text", [], {}, {"resourceType": "Bundle", "entry": 7}, True], ids=repr)
def test_a_key_that_is_no_fhir_resource_is_named_when_it_is_not_required(service: FlaskClient, value: Any) -> None:
    call = copy.deepcopy(usual())
    call["prefetch"]["weight"] = value
    assert trace_of(answer(service, call))["prefetch"]["weight"] == "failed"


# ------------------------------------------------------------------------------------------ earlier versions of FHIR


def as_medication_order(call: Json) -> None:
    """DSTU2."""
    order_of(call)["resourceType"] = "MedicationOrder"
    call["context"]["selections"] = ["MedicationOrder/order-1"]


def dstu2_statuses(call: Json) -> None:
    for entry in call["prefetch"]["conditions"]["entry"]:
        condition = entry["resource"]
        condition |= {"clinicalStatus": "active", "verificationStatus": "confirmed", "patient": condition["subject"]}
        condition["dateRecorded"] = condition.pop("recordedDate")
        del condition["subject"]


STU3_DOSE = {"doseQuantity": {"value": 750, "unit": "mg"}, **IV}
RLS_REASON = {"coding": [{"system": "http://hl7.org/fhir/sid/icd-10-cm", "code": "G25.81"}]}


def no_conditions(call: Json) -> None:
    call["prefetch"]["conditions"] = None


OLDER: dict[str, tuple[Spoil, str]] = {
    "STU3: dose beside the timing": (in_order(dosageInstruction=[STU3_DOSE]), STRONG),
    "STU3: requester and context": (
        in_order(requester={"agent": {"reference": "x"}}, context={"reference": "E"}),
        STRONG,
    ),
    "STU3: reason as code": (both(no_conditions, in_order(reasonCode=[RLS_REASON])), STRONG),
    "DSTU2: statuses as plain codes, patient in place of subject": (dstu2_statuses, STRONG),
    "DSTU2: reasonCodeableConcept": (both(no_conditions, in_order(reasonCodeableConcept=RLS_REASON)), STRONG),
    "DSTU2: reason as a plain reference": (in_order(reasonReference={"reference": "Condition/low-ferritin-1"}), STRONG),
    "DSTU2: MedicationOrder is not read, and nothing is said": (as_medication_order, ""),
}


@pytest.mark.parametrize("name", OLDER)
def test_orders_of_earlier_fhir_versions_are_read_or_left_alone(service: FlaskClient, name: str) -> None:
    spoil, expected = OLDER[name]
    assert conclusion(answer(service, spoiled(spoil))) == expected


BAD_ORDERS: dict[str, tuple[Spoil, int]] = {
    "no drug at all": (in_order(medicationCodeableConcept=None), 412),
    "an empty drug": (in_order(medicationCodeableConcept={}), 412),
    "a drug that is a string": (in_order(medicationCodeableConcept="iron"), 412),
    "a drug that is a number": (in_order(medicationCodeableConcept=5), 412),
    "a contained Medication that is not there": (by_reference({"reference": "#gone"}), 412),
    "a bundled Medication without code": (
        by_reference({"reference": "Medication/m1"}, {"resourceType": "Medication", "id": "m1"}),
        412,
    ),
    "a Medication that refers to nothing": (by_reference({"reference": "Medication/gone"}), 412),
    "about another patient": (in_order(subject={"reference": "Patient/somebody-else"}), 400),
    "no type": (in_order(resourceType=None), 400),
    "a type that is a number": (in_order(resourceType=5), 400),
}


@pytest.mark.parametrize("name", BAD_ORDERS)
def test_an_order_that_cannot_be_judged_is_refused_cleanly(service: FlaskClient, name: str) -> None:
    spoil, status = BAD_ORDERS[name]
    response = post(service, spoiled(spoil))
    assert response.status_code == status, response.text
    assert response.get_json()["resourceType"] == "OperationOutcome"
