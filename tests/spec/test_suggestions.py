"""Suggestions and actions: one click, draft resources of this patient, nothing deleted or changed (section J)."""

from datetime import date
from uuid import UUID

import pytest
from flask.testing import FlaskClient

from cds_service.contracts import find_mistakes
from cds_service.fhir import orders
from tests.replies import ORDERING, actions, answers, ask, open_service, read_request, suggestions
from tests.spec.rim import Json, values_of
from tests.spec.valid_fhir import find_faults

OFFERING = [name for name in ORDERING if suggestions(answers()[name])]
CONTACTS = ["day-8", "week-3", "week-8-labs", "month-6"]
IDENTIFIERS = "http://127.0.0.1:8000/fhir/NamingSystem/reassessment"


@pytest.fixture(scope="module")
def client() -> FlaskClient:
    return open_service()


each_reply = pytest.mark.parametrize("name", OFFERING)  # every fixture reply that offers something


def identifiers(reply: Json) -> list[str]:
    return [action["resource"]["identifier"][0]["value"] for action in actions(reply)]


def contact_parts(reply: Json) -> list[str]:
    """`<contact>` or `<contact>.<test>` of each offered resource."""
    return [value.partition(".")[2] for value in identifiers(reply)]


@each_reply
def test_ch_147_ch_148_a_suggestion_has_the_text_of_its_button_and_a_uuid(name: str) -> None:
    for one in suggestions(answers()[name]):
        assert set(one) == {"label", "uuid", "isRecommended", "actions"}
        assert 0 < len(one["label"]) <= 100
        assert str(UUID(one["uuid"])) == one["uuid"]


@each_reply
def test_ch_149_ch_150_at_most_one_suggestion_of_a_card_is_recommended(name: str) -> None:
    for card in answers()[name]["cards"]:
        assert sum(one["isRecommended"] for one in card.get("suggestions", ())) <= 1


@each_reply
def test_ch_151_taking_a_suggestion_takes_all_its_actions_so_a_card_has_one(name: str) -> None:
    for card in answers()[name]["cards"]:
        assert len(card.get("suggestions", ())) <= 1
    assert all(one["actions"] for one in suggestions(answers()[name]))


@each_reply
def test_ch_152_no_action_refers_to_another_or_depends_on_the_order(name: str) -> None:
    """Every reference is to a resource that exists already: the patient, the RLS entry, an order that is signed."""
    request = read_request(name)
    known = {f"Patient/{request['context']['patientId']}"}
    for value in request["prefetch"].values():
        for entry in (value or {}).get("entry", ()):
            known.add(f"{entry['resource']['resourceType']}/{entry['resource'].get('id')}")
    for entry in request["context"]["draftOrders"]["entry"]:
        if entry["resource"].get("status") != "draft":
            known.add(f"{entry['resource']['resourceType']}/{entry['resource'].get('id')}")
    found = {value for path, value in values_of(actions(answers()[name])) if path.endswith("reference")}
    assert found <= known


@each_reply
def test_ch_153_ch_154_action_selection_behaviour_is_not_used(name: str) -> None:
    assert not any(path.endswith("actionSelectionBehavior") for path, _ in values_of(answers()[name]["cards"]))


@each_reply
def test_ch_155_ch_156_ch_157_every_action_creates_a_described_resource(name: str) -> None:
    for action in actions(answers()[name]):
        assert set(action) == {"type", "description", "resource"}
        assert action["type"] == "create"
        assert action["description"].strip()
        assert find_faults(action["resource"]) == []


@each_reply
def test_ch_158_to_ch_161_nothing_is_updated_or_deleted(name: str) -> None:
    assert {action["type"] for action in actions(answers()[name])} == {"create"}
    assert not any(path.endswith("resourceId") for path, _ in values_of(answers()[name]["cards"]))


def test_ch_162_accepting_is_seen_from_the_chart_alone(client: FlaskClient) -> None:
    """A client may accept and then fail to store: as long as nothing is there, it is offered again."""
    first, second = (ask(client, read_request("low-ferritin")) for _ in range(2))
    assert identifiers(first) == identifiers(second)


@each_reply
def test_ch_163_no_task_launches_an_app(name: str) -> None:
    assert {action["resource"]["resourceType"] for action in actions(answers()[name])} == {"ServiceRequest"}


@each_reply
def test_an_offered_resource_is_a_draft_order_for_this_patient(name: str) -> None:
    patient = f"Patient/{read_request(name)['context']['patientId']}"
    for action in actions(answers()[name]):
        resource = action["resource"]
        assert (resource["status"], resource["intent"]) == ("draft", "order")
        assert resource["subject"] == {"reference": patient}
        assert "id" not in resource
        assert [one["system"] for one in resource["identifier"]] == [IDENTIFIERS]


@each_reply
def test_dates_of_offered_resources_have_the_precision_of_a_day_and_are_not_past(name: str) -> None:
    for action in actions(answers()[name]):
        when = action["resource"].get("occurrenceDateTime")
        assert when is None or date.fromisoformat(when) >= date(2026, 3, 10)


@pytest.mark.parametrize("name", [name for name in OFFERING if "no-iron" not in name and "missing" not in name][:12])
def test_r_44_to_r_47_a_supported_order_offers_the_four_contacts_in_order_of_time(name: str) -> None:
    parts = [part for part in contact_parts(answers()[name]) if "." not in part]
    if parts:
        assert parts == CONTACTS


def test_r_46_the_tests_of_weeks_8_to_12_are_requests_of_their_own() -> None:
    parts = contact_parts(answers()["low-ferritin"])
    assert [part for part in parts if "." in part] == [
        "week-8-labs.ferritin",
        "week-8-labs.iron-panel",
        "week-8-labs.cbc",
    ]


def test_a_draft_is_not_named_as_the_base_of_a_contact_and_a_signed_order_is() -> None:
    """The id of a draft may not survive signing."""
    assert all("basedOn" not in action["resource"] for action in actions(answers()["low-ferritin"]))
    signed = [action["resource"].get("basedOn") for action in actions(answers()["signing-active"])]
    assert signed == [[{"reference": "MedicationRequest/order-1"}]] * len(signed)


def test_a_contact_names_its_window_in_a_note_and_rls_as_its_reason() -> None:
    for action in actions(answers()["low-ferritin"])[:4]:
        resource = action["resource"]
        assert resource["reasonReference"] == [{"reference": "Condition/low-ferritin-1"}]
        assert len(resource["note"]) == 1


@pytest.mark.parametrize("kind", ["ServiceRequest", "Task", "Appointment"])
def test_every_type_of_contact_a_client_may_choose_is_valid(monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    write = orders.contact_resource
    monkeypatch.setattr(orders, "contact_resource", lambda _, *rest: write(kind, *rest))
    reply = ask(open_service(), read_request("low-ferritin"))
    contacts = [action["resource"] for action in actions(reply) if "week-8-labs." not in str(action["resource"])]
    assert [one["resourceType"] for one in contacts] == [kind] * 4
    assert [fault for one in contacts for fault in find_faults(one)] == []
    assert find_mistakes("response:strict", reply) == ()


def test_a_card_is_complete_without_its_suggestions() -> None:
    """Some clients accept no resource at all: targets and windows stand in the text as well."""
    card = answers()["low-ferritin"]["cards"][1]
    for action in card["suggestions"][0]["actions"]:
        assert action["resource"]["occurrenceDateTime"] in card["detail"]
