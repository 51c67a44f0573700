"""The envelope of a reply, and errors that are never answers (sections H and P, CH-246...CH-248)."""

from collections.abc import Iterator
from typing import Any

import pytest
from flask.testing import FlaskClient

from cds_service import services
from cds_service.contracts import find_mistakes
from cds_service.hooks import render_response
from tests.replies import (
    ADDRESSES,
    ORDERING,
    SITUATIONS,
    actions,
    answers,
    ask,
    mask,
    open_service,
    read_request,
    topics,
)
from tests.spec.rim import CARD, Json, problems, strictly, values_of

SPEAKING = [name for name in ORDERING if SITUATIONS[name]["expect"]]
SILENT = [name for name, one in SITUATIONS.items() if not one["expect"]]


@pytest.fixture(scope="module")
def client() -> FlaskClient:
    return open_service()


# --------------------------------------------------------------------------------------------------------------- H


@pytest.mark.parametrize("name", SITUATIONS)
def test_ch_110_ch_111_a_reply_is_an_object_with_an_array_of_cards(name: str) -> None:
    reply = answers()[name]
    assert set(reply) <= {"cards", "extension"}
    assert isinstance(reply["cards"], list)
    assert find_mistakes("response:strict", reply) == ()


@pytest.mark.parametrize("name", SILENT)
def test_ch_112_nothing_to_say_is_exactly_an_empty_array_of_cards(name: str) -> None:
    assert answers()[name] == {"cards": []}


@pytest.mark.parametrize("name", SPEAKING)
def test_ch_113_to_ch_118_nothing_is_ever_offered_without_the_clinician(name: str) -> None:
    """System actions bypass human review: we send none, so everything that matters stands in a card."""
    assert "systemActions" not in answers()[name]


def test_ch_119_topic_indicator_and_source_help_the_client_to_order_cards() -> None:
    for card in (card for name in SPEAKING for card in answers()[name]["cards"]):
        assert {"indicator", "source"} <= set(card)
        assert set(card["source"]["topic"]) >= {"code", "system"}


@pytest.mark.parametrize("name", SITUATIONS)
def test_ch_004_ch_005_ch_007_no_null_no_empty_value_no_blank_text_outside_the_trace(name: str) -> None:
    cards = answers()[name]["cards"]
    wrong = [path for path, value in values_of(cards) if value in (None, "", [], {}) or str(value).isspace()]
    assert wrong == []


def test_ch_005_no_member_of_the_trace_is_empty() -> None:
    extension = answers()["low-ferritin"]["extension"]
    assert [path for path, value in values_of(extension) if value in ("", [], {})] == []


@pytest.mark.parametrize("name", SITUATIONS)
def test_ch_004_no_member_of_the_trace_is_null(name: str) -> None:
    assert [path for path, value in values_of(answers()[name].get("extension", {})) if value is None] == []


@pytest.mark.parametrize("name", SPEAKING)
def test_ch_009_fhir_content_is_an_object_and_not_a_text(name: str) -> None:
    assert all(isinstance(action["resource"], dict) for action in actions(answers()[name]))


# --------------------------------------------------------------------------------------------------------------- P


@pytest.mark.parametrize("fault", [RuntimeError("broken"), KeyError("ferritin"), ZeroDivisionError(), RecursionError()])
def test_ch_239_a_fault_within_a_call_is_500_and_never_cards(
    monkeypatch: pytest.MonkeyPatch, client: FlaskClient, fault: Exception
) -> None:
    def fail(*_: Any) -> Any:
        raise fault

    monkeypatch.setattr(services, "decide", fail)
    answer = client.post(ADDRESSES["order-select"], json=read_request("low-ferritin"))
    assert answer.status_code == 500
    assert "cards" not in strictly(answer)
    assert len(problems(answer)) == 1


def test_ch_240_an_error_reveals_neither_patient_nor_chart_nor_code(
    monkeypatch: pytest.MonkeyPatch, client: FlaskClient
) -> None:
    def fail(*_: Any) -> Any:
        raise RuntimeError("low-ferritin Synthetic 48 ng/mL")

    monkeypatch.setattr(services, "decide", fail)
    text = client.post(ADDRESSES["order-select"], json=read_request("low-ferritin")).text
    assert not any(secret in text for secret in ("low-ferritin", "Synthetic", "48", "Traceback", "RuntimeError", ".py"))


@pytest.mark.parametrize("key", ["patient", "conditions", "ferritin", "tsat"])
def test_ch_240_a_412_names_the_key_and_no_patient(client: FlaskClient, key: str) -> None:
    request = read_request("low-ferritin")
    del request["prefetch"][key]
    answer = client.post(ADDRESSES["order-select"], json=request)
    assert answer.status_code == 412
    assert key in answer.text
    assert "low-ferritin" not in answer.text


def test_nothing_to_say_not_enough_data_and_a_fault_are_three_answers(client: FlaskClient) -> None:
    silent = client.post(ADDRESSES["order-select"], json=read_request("other-drug"))
    lacking = client.post(ADDRESSES["order-select"], json=read_request("ferritin-missing"))
    request = read_request("low-ferritin")
    del request["prefetch"]["ferritin"]
    unobtainable = client.post(ADDRESSES["order-select"], json=request)
    assert (silent.status_code, strictly(silent)) == (200, {"cards": []})
    assert (lacking.status_code, topics(strictly(lacking))) == (200, ["insufficient-data"])
    assert (unobtainable.status_code, strictly(unobtainable)["resourceType"]) == (412, "OperationOutcome")


def test_ch_006_a_member_without_value_is_left_out_of_a_rendered_reply() -> None:
    assert b"extension" not in render_response([CARD], None)
    assert b"extension" not in render_response([CARD], {})


# ------------------------------------------------------------------------------------------------- CH-246 and CH-247


def accepted(request: Json, reply: Json) -> Json:
    """The session after every suggestion was accepted: the client gives ids and keeps the resources as drafts."""
    entries = request["context"]["draftOrders"]["entry"]
    for place, action in enumerate(actions(reply)):
        entries.append({"resource": {**action["resource"], "id": f"accepted-{place}"}})
    return request


def signed(request: Json, reply: Json) -> Json:
    """The chart after the accepted orders were signed: they come with the key `follow_up`, active."""
    page = request["prefetch"].setdefault("follow_up", {"resourceType": "Bundle", "type": "searchset"})
    found = page.setdefault("entry", [])
    for place, action in enumerate(actions(reply)):
        found.append({"resource": {**action["resource"], "id": f"accepted-{place}", "status": "active"}})
    return request


def proposals(reply: Json) -> Iterator[str]:
    for action in actions(reply):
        yield action["resource"]["identifier"][0]["value"]


OFFERING = [name for name in SPEAKING if any(True for _ in proposals(answers()[name]))]
HOOKS = ["order-select", "order-sign"]


def at(hook: str, request: Json) -> Json:
    if hook == "order-sign":
        request["context"].pop("selections", None)
    else:
        drafts = request["context"]["draftOrders"]["entry"]
        chosen = [f"{one['resource']['resourceType']}/{one['resource']['id']}" for one in drafts]
        request["context"].setdefault("selections", chosen)
    return {**request, "hook": hook}


@pytest.mark.parametrize("hook", HOOKS)
@pytest.mark.parametrize("change", [accepted, signed])
@pytest.mark.parametrize("name", OFFERING)
def test_ch_246_what_was_accepted_is_not_proposed_again(client: FlaskClient, name: str, change: Any, hook: str) -> None:
    first = ask(client, at(hook, read_request(name)))
    second = ask(client, change(at(hook, read_request(name)), first))
    assert list(proposals(second)) == []
    assert topics(second) == [topic for topic in topics(first) if topic != "reassessment"]


@pytest.mark.parametrize("name", OFFERING)
def test_ch_246_what_was_accepted_at_selection_is_not_proposed_at_signing(client: FlaskClient, name: str) -> None:
    first = ask(client, at("order-select", read_request(name)))
    second = ask(client, at("order-sign", accepted(at("order-select", read_request(name)), first)))
    assert set(proposals(second)).isdisjoint(proposals(first))


@pytest.mark.parametrize("name", OFFERING)
def test_ch_246_no_reply_proposes_one_thing_twice(name: str) -> None:
    offered = list(proposals(answers()[name]))
    assert sorted(set(offered)) == sorted(offered)


def test_ch_246_a_contact_left_out_is_offered_alone(client: FlaskClient) -> None:
    first = ask(client, read_request("low-ferritin"))
    request = accepted(read_request("low-ferritin"), first)
    entries = request["context"]["draftOrders"]["entry"]
    request["context"]["draftOrders"]["entry"] = [
        one for one in entries if not one["resource"].get("identifier", [{"value": ""}])[0]["value"].endswith("week-3")
    ]
    offered = [value.partition(".")[2] for value in proposals(ask(client, request))]
    assert offered == ["week-3"]


@pytest.mark.parametrize("name", ["low-ferritin", "no-iron-studies", "fcm-allergy", "planned-course"])
def test_ch_247_the_same_call_twenty_times_gives_the_same_cards(client: FlaskClient, name: str) -> None:
    replies = [ask(client, read_request(name)) for _ in range(20)]
    assert all(mask(one) == mask(replies[0]) for one in replies)
    uuids = [card["uuid"] for one in replies for card in one["cards"]]
    assert len(set(uuids)) == len(uuids)


def test_ch_247_identifiers_agree_between_calls_about_one_order_whatever_the_hook(client: FlaskClient) -> None:
    selected = ask(client, at("order-select", read_request("low-ferritin")))
    at_signing = ask(client, at("order-sign", read_request("low-ferritin")))
    assert list(proposals(selected)) == list(proposals(at_signing))


def test_ch_247_the_order_of_results_in_a_page_does_not_change_the_cards(client: FlaskClient) -> None:
    request = read_request("many-cautions")
    for value in request["prefetch"].values():
        value.get("entry", []).reverse()
    assert ask(client, request)["cards"][0]["summary"] == answers()["many-cautions"]["cards"][0]["summary"]
