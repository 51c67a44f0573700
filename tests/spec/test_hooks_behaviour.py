"""What is particular to each hook: which orders are spoken about, which are background (section D, CH-049)."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from flask.testing import FlaskClient

from tests.replies import ADDRESSES, SITUATIONS, ask, mask, open_service, read_request, topics, trace
from tests.spec.rim import Json, problems, strictly

UNKNOWN_TYPES = ("VisionPrescription", "DeviceRequest", "CommunicationRequest", "NutritionOrder", "InventedOrder")


@pytest.fixture(scope="module")
def client() -> FlaskClient:
    return open_service()


def drafts(request: Json) -> list[Json]:
    """Entries of draftOrders, to be changed."""
    entries: list[Json] = request["context"]["draftOrders"]["entry"]
    return entries


def add(request: Json, *resources: Json) -> Json:
    """The request with further draft orders, about its patient unless they say otherwise."""
    subject = {"reference": f"Patient/{request['context']['patientId']}"}
    drafts(request).extend({"resource": {"status": "draft", "subject": subject, **one}} for one in resources)
    return request


def at_signing(request: Json) -> Json:
    """The same session at order-sign."""
    del request["context"]["selections"]
    return {**request, "hook": "order-sign"}


def sucrose(name: str = "second") -> Json:
    text = {"text": "iron sucrose 200 mg IV"}
    return {"resourceType": "MedicationRequest", "id": name, "intent": "order", "medicationCodeableConcept": text}


def laboratory(*codes: str, name: str = "labs") -> Json:
    coding = [{"system": "http://loinc.org", "code": code} for code in codes]
    return {"resourceType": "ServiceRequest", "id": name, "intent": "order", "code": {"coding": coding}}


def orders_answered(reply: Json) -> list[str]:
    """The orders the trace is about."""
    return [one["order"] for one in trace(reply)["orders"]]


# ------------------------------------------------------------------------------------------------------- order-select


def test_ch_050_only_the_selected_order_is_spoken_about(client: FlaskClient) -> None:
    reply = ask(client, add(read_request("low-ferritin"), sucrose()))
    assert orders_answered(reply) == ["MedicationRequest/order-1"]
    assert topics(reply) == ["indicated-strong", "reassessment"]
    assert "ferric carboxymaltose" in reply["cards"][0]["summary"].lower()


def test_ch_050_an_unselected_iron_order_alone_gives_no_card(client: FlaskClient) -> None:
    request = add(read_request("other-drug"), sucrose())
    assert ask(client, request) == {"cards": []}


def test_ch_051_a_draft_of_the_proposed_tests_is_not_proposed_again(client: FlaskClient) -> None:
    request = read_request("no-iron-studies")
    (proposed,) = ask(client, request)["cards"][0]["suggestions"]
    codes = [action["resource"]["code"]["coding"][0]["code"] for action in proposed["actions"]]
    reply = ask(client, add(request, *(laboratory(code, name=f"lab-{code}") for code in codes)))
    assert topics(reply) == ["insufficient-data"]
    assert "suggestions" not in reply["cards"][0]


def test_ch_051_ch_055_an_unselected_draft_of_another_iron_product_is_seen(client: FlaskClient) -> None:
    before = ask(client, read_request("low-ferritin"))["cards"][0]["detail"]
    after = ask(client, add(read_request("low-ferritin"), sucrose()))["cards"][0]["detail"]
    assert after != before
    assert "sucrose" in after
    assert "sucrose" not in before


@pytest.mark.parametrize("absent", ["dosageInstruction", "intent", "status", "subject", "authoredOn"])
def test_ch_052_an_unfinished_order_is_answered(client: FlaskClient, absent: str) -> None:
    request = read_request("low-ferritin")
    drafts(request)[0]["resource"].pop(absent, None)
    assert topics(ask(client, request)) == ["indicated-strong", "reassessment"]


def test_ch_052_an_order_with_only_its_drug_is_answered(client: FlaskClient) -> None:
    request = read_request("low-ferritin")
    order = drafts(request)[0]["resource"]
    drafts(request)[0]["resource"] = {key: order[key] for key in ("resourceType", "id", "medicationCodeableConcept")}
    assert topics(ask(client, request)) == ["indicated-strong", "reassessment"]


def test_ch_053_the_same_id_under_two_types_is_told_apart(client: FlaskClient) -> None:
    request = add(read_request("low-ferritin"), laboratory("2276-4", name="order-1"))
    assert orders_answered(ask(client, request)) == ["MedicationRequest/order-1"]
    request["context"]["selections"] = ["ServiceRequest/order-1"]
    assert ask(client, request) == {"cards": []}


def test_ch_053_a_selection_that_names_nothing_is_400(client: FlaskClient) -> None:
    request = read_request("low-ferritin")
    request["context"]["selections"].append("MedicationRequest/gone")
    answer = client.post(ADDRESSES["order-select"], json=request)
    assert answer.status_code == 400
    assert problems(answer)[0].startswith("context.selections[1]: ")


def test_ch_054_selections_of_several_types_are_each_looked_at(client: FlaskClient) -> None:
    diet = {"resourceType": "NutritionOrder", "id": "diet", "intent": "order"}
    request = add(read_request("hcpcs-infusion"), diet, sucrose())
    request["context"]["selections"] = ["NutritionOrder/diet", "ServiceRequest/infusion", "MedicationRequest/second"]
    assert orders_answered(ask(client, request)) == ["ServiceRequest/infusion", "MedicationRequest/second"]


def test_ch_055_five_drafts_are_all_seen(client: FlaskClient) -> None:
    request = read_request("no-iron-studies")
    codes = ("2276-4", "50190-8", "58410-2", "2777-1")
    proposed = {
        action["resource"]["code"]["coding"][0]["code"]
        for suggestion in ask(client, request)["cards"][0]["suggestions"]
        for action in suggestion["actions"]
    }
    drafted = [laboratory(code, name=f"lab-{code}") for code in sorted(proposed | set(codes))]
    reply = ask(client, add(request, *drafted))
    assert len(drafts(request)) >= 5
    assert "suggestions" not in reply["cards"][0]


def test_ch_056_orders_of_unknown_types_are_passed_over(client: FlaskClient) -> None:
    strangers = [{"resourceType": kind, "id": "stranger", "code": 7, "status": []} for kind in UNKNOWN_TYPES]
    with_strangers = ask(client, add(read_request("low-ferritin"), *strangers))
    assert mask(with_strangers) == mask(ask(client, read_request("low-ferritin")))


@pytest.mark.parametrize("user", ["Practitioner/1", "PractitionerRole/1", "Patient/1", "RelatedPerson/1", "Device/1"])
@pytest.mark.parametrize("name", ["low-ferritin", "signing-complete"])
def test_ch_057_the_type_of_the_user_does_not_change_the_answer(client: FlaskClient, name: str, user: str) -> None:
    request = read_request(name)
    request["context"]["userId"] = user
    assert mask(ask(client, request)) == mask(ask(client, read_request(name)))


# --------------------------------------------------------------------------------------------------------- order-sign


def test_ch_058_an_unreadable_dose_is_a_warning_at_signing_and_not_before(client: FlaskClient) -> None:
    signing = read_request("signing-without-dose")
    assert ask(client, signing)["cards"][0]["indicator"] == "warning"
    selecting = {**signing, "hook": "order-select"}
    selecting["context"] = {**signing["context"], "selections": ["MedicationRequest/order-1"]}
    assert "dose" in ask(client, selecting)["cards"][0]["detail"].lower()


@pytest.mark.parametrize("status", ["draft", "active", "on-hold", "unknown"])
def test_ch_059_at_signing_an_order_counts_whatever_its_status(client: FlaskClient, status: str) -> None:
    request = read_request("signing-complete")
    drafts(request)[0]["resource"]["status"] = status
    assert topics(ask(client, request)) == ["indicated-strong", "reassessment"]


def test_ch_059_a_mixture_of_statuses_is_evaluated_order_by_order(client: FlaskClient) -> None:
    request = add(
        read_request("signing-complete"),
        {**sucrose("active"), "status": "active"},
        {**sucrose("on-hold"), "status": "on-hold"},
    )
    assert orders_answered(ask(client, request)) == [
        "MedicationRequest/order-1",
        "MedicationRequest/active",
        "MedicationRequest/on-hold",
    ]


# ------------------------------------------------------------------------------------------------------- all the hooks


@pytest.mark.parametrize("encounter", [None, ..., "another"])
@pytest.mark.parametrize("name", SITUATIONS)
def test_ch_062_the_encounter_does_not_change_the_answer(client: FlaskClient, name: str, encounter: Any) -> None:
    request = read_request(name)
    request["context"]["encounterId"] = encounter
    request["context"] = {key: value for key, value in request["context"].items() if value is not ...}
    assert mask(ask(client, request)) == mask(ask(client, read_request(name)))


@pytest.mark.parametrize("name", ["low-ferritin", "signing-complete"])
def test_ch_064_a_draft_order_for_another_patient_is_skipped_or_refused(client: FlaskClient, name: str) -> None:
    request = read_request(name)
    drafts(request)[0]["resource"]["subject"] = {"reference": "Patient/somebody-else"}
    answer = client.post(ADDRESSES[request["hook"]], json=request)
    assert answer.status_code == 400 or strictly(answer) == {"cards": []}


def test_ch_064_a_draft_for_another_patient_is_no_background_either(client: FlaskClient) -> None:
    other = {**sucrose(), "subject": {"reference": "Patient/somebody-else"}}
    reply = ask(client, add(read_request("low-ferritin"), other))
    assert mask(reply) == mask(ask(client, read_request("low-ferritin")))


def test_ch_064_an_address_of_the_same_patient_is_the_same_patient(client: FlaskClient) -> None:
    request = read_request("low-ferritin")
    drafts(request)[0]["resource"]["subject"] = {"reference": "https://ehr.example/fhir/Patient/low-ferritin"}
    assert topics(ask(client, request)) == ["indicated-strong", "reassessment"]


@pytest.mark.parametrize("kind", ["MedicationOrder", "ProcedureRequest"])
def test_ch_045_orders_of_an_older_fhir_version_are_silence_and_no_failure(client: FlaskClient, kind: str) -> None:
    request = read_request("low-ferritin")
    drafts(request)[0]["resource"]["resourceType"] = kind
    request["context"]["selections"] = [f"{kind}/order-1"]
    assert ask(client, request) == {"cards": []}


def test_ch_046_orders_are_read_from_the_context_alone(client: FlaskClient) -> None:
    """No key of the prefetch holds the draft, and no server is asked for it."""
    request = read_request("low-ferritin")
    assert "order-1" not in str(request["prefetch"])
    assert topics(ask(client, request))[0] == "indicated-strong"


def test_ch_049_calls_that_overlap_do_not_mix(client: FlaskClient) -> None:
    names = list(SITUATIONS)[:20]
    alone = {name: mask(ask(client, read_request(name))) for name in names}

    def call(name: str) -> bool:
        return mask(ask(client.application.test_client(), read_request(name))) == alone[name]

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(call, names * 3))


@pytest.mark.parametrize("name", ["low-ferritin", "over-dose", "no-iron-studies", "contraindicated"])
def test_ch_242_order_sign_answers_with_the_full_set_again(client: FlaskClient, name: str) -> None:
    name = "fcm-allergy" if name == "contraindicated" else name
    selected = ask(client, read_request(name))
    assert topics(ask(client, at_signing(read_request(name)))) == topics(selected)
