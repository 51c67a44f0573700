"""Prefetch as it comes: supplied, empty, missing, failed and incomplete are five different things (section F)."""

import json
from typing import Any

import pytest
from flask.testing import FlaskClient

from cds_service.discovery import REQUIRED, WITHOUT
from tests.replies import ADDRESSES, ask, mask, open_service, read_request, topics, trace
from tests.spec.rim import Json, problems

OPTIONAL = [key for key in WITHOUT if key not in REQUIRED]
OUTCOME = {"resourceType": "OperationOutcome", "issue": [{"severity": "error", "code": "timeout"}]}
HINT = {"resourceType": "OperationOutcome", "issue": [{"severity": "information", "code": "informational"}]}
SEARCHSET = {"resourceType": "Bundle", "type": "searchset"}
EMPTY = {
    "null": None,
    "no entry member": SEARCHSET,
    "empty entry": {**SEARCHSET, "entry": []},
    "total zero": {**SEARCHSET, "total": 0},
    "entry null": {**SEARCHSET, "entry": None},
    "only a hint of the server": {**SEARCHSET, "entry": [{"resource": HINT, "search": {"mode": "outcome"}}]},
}
FAILED = {
    "OperationOutcome": OUTCOME,
    "OperationOutcome in a searchset": {**SEARCHSET, "entry": [{"resource": OUTCOME, "search": {"mode": "outcome"}}]},
    "OperationOutcome without issue": {"resourceType": "OperationOutcome"},
    "array": [],
    "text": "123",
    "object without type": {},
    "old form": {"response": {"status": "200 OK"}, "resource": SEARCHSET},
}


@pytest.fixture(scope="module")
def client() -> FlaskClient:
    return open_service()


def with_key(key: str, value: Any = ..., name: str = "low-ferritin") -> Json:
    """The request with one prefetch value replaced; `...` leaves the key out."""
    request = read_request(name)
    request["prefetch"][key] = value
    request["prefetch"] = {one: value for one, value in request["prefetch"].items() if value is not ...}
    return request


def with_next(request: Json, key: str) -> Json:
    """The value is the first page of a longer answer."""
    page = request["prefetch"][key]
    page["link"] = [{"relation": "self", "url": "?page=1"}, {"relation": "next", "url": "https://ehr.example?page=2"}]
    return request


def status(client: FlaskClient, request: Json) -> tuple[int, str]:
    """The status, and what a refusal says."""
    answer = client.post(ADDRESSES[request["hook"]], json=request)
    return answer.status_code, "" if answer.status_code == 200 else problems(answer)[0]


# ------------------------------------------------------------------------------------------------------ null and empty


@pytest.mark.parametrize("value", EMPTY.values(), ids=EMPTY.keys())
@pytest.mark.parametrize("key", [key for key in WITHOUT if key != "patient"])
def test_ch_087_ch_088_ch_092_null_and_an_empty_searchset_mean_there_is_none(
    client: FlaskClient, key: str, value: Any
) -> None:
    reply = ask(client, with_key(key, value))
    assert mask(reply) == mask(ask(client, with_key(key, None)))
    if reply["cards"]:
        assert trace(reply)["prefetch"][key] == "empty"


@pytest.mark.parametrize("key", [key for key in OPTIONAL if key not in ("hemoglobin", "weight")])
def test_ch_087_an_empty_key_is_an_answer_and_not_named_as_missing(client: FlaskClient, key: str) -> None:
    usual, empty = ask(client, read_request("low-ferritin")), ask(client, with_key(key, None))
    assert [card["detail"] for card in empty["cards"]] == [card["detail"] for card in usual["cards"]]


@pytest.mark.parametrize("key", ["ferritin", "tsat"])
def test_ch_092_a_chart_without_the_result_gets_a_card_and_no_412(client: FlaskClient, key: str) -> None:
    request = with_key(key, None, "tsat-missing-grey" if key == "tsat" else "ferritin-missing")
    assert topics(ask(client, request)) == ["insufficient-data"]


def test_ch_092_a_problem_list_without_entries_is_no_rls_and_no_412(client: FlaskClient) -> None:
    assert ask(client, with_key("conditions", SEARCHSET)) == {"cards": []}


# ------------------------------------------------------------------------------------------------------------- missing


@pytest.mark.parametrize("key", REQUIRED)
def test_ch_091_a_required_key_that_is_not_there_is_412_naming_it(client: FlaskClient, key: str) -> None:
    code, words = status(client, with_key(key))
    assert code == 412
    assert f"{key}: not supplied" in words
    assert not any(f"{other}: " in words for other in REQUIRED if other != key)


def test_ch_091_all_missing_keys_are_named_at_once(client: FlaskClient) -> None:
    request = read_request("low-ferritin")
    del request["prefetch"]
    code, words = status(client, request)
    assert code == 412
    assert all(f"{key}: not supplied" in words for key in REQUIRED)


@pytest.mark.parametrize("key", OPTIONAL)
def test_ch_086_a_missing_key_says_nothing_about_the_data(client: FlaskClient, key: str) -> None:
    """It is no 412, it is not "none", and the trace says so."""
    reply = ask(client, with_key(key))
    assert topics(reply) == ["indicated-strong", "reassessment"]
    assert trace(reply)["prefetch"][key] == "missing"
    assert trace(reply)["orders"][0]["unavailable"] == {key: "missing"}


NAMED_ON_CARD = {
    "allergies": "llerg",
    "iron_administrations": "iron",
    "medications": "iron",
    "phosphate": "hosphate",
    "hemoglobin": "emoglobin",
    "weight": "eight",
}


@pytest.mark.parametrize("key", NAMED_ON_CARD)
def test_ch_096_what_could_not_be_checked_is_named_on_the_card(client: FlaskClient, key: str) -> None:
    usual = ask(client, read_request("low-ferritin"))["cards"][0]["detail"].splitlines()
    lines = ask(client, with_key(key))["cards"][0]["detail"].splitlines()
    assert any(NAMED_ON_CARD[key] in line for line in lines if line not in usual)


# -------------------------------------------------------------------------------------------------------------- failed


@pytest.mark.parametrize("value", FAILED.values(), ids=FAILED.keys())
@pytest.mark.parametrize("key", REQUIRED)
def test_ch_089_a_required_key_that_failed_is_412(client: FlaskClient, key: str, value: Any) -> None:
    code, words = status(client, with_key(key, value))
    assert code == 412
    assert f"({key}: " in words


@pytest.mark.parametrize("value", FAILED.values(), ids=FAILED.keys())
def test_ch_089_a_failed_query_is_not_taken_for_none(client: FlaskClient, value: Any) -> None:
    """The allergy query of a person with an allergy failed: the card warns instead of being silent about it."""
    reply = ask(client, with_key("allergies", value))
    assert trace(reply)["prefetch"]["allergies"] == "failed"
    assert reply["cards"][0]["indicator"] == "warning"


def test_ch_089_an_error_beside_results_leaves_the_results_and_what_is_missing_is_said(client: FlaskClient) -> None:
    request = read_request("low-ferritin")
    request["prefetch"]["ferritin"]["entry"].append({"resource": OUTCOME, "search": {"mode": "outcome"}})
    reply = ask(client, request)
    assert trace(reply)["prefetch"]["ferritin"] == "incomplete"
    assert "48 ng/mL" in reply["cards"][0]["summary"]


def test_ch_089_a_hint_beside_results_changes_nothing(client: FlaskClient) -> None:
    request = read_request("low-ferritin")
    request["prefetch"]["ferritin"]["entry"].append({"resource": HINT, "search": {"mode": "outcome"}})
    assert mask(ask(client, request)) == mask(ask(client, read_request("low-ferritin")))


# --------------------------------------------------------------------------------------------------------------- pages


def test_ch_090_a_first_page_without_any_usable_result_does_not_prove_absence(client: FlaskClient) -> None:
    request = with_next(with_key("allergies", {**SEARCHSET}), "allergies")
    reply = ask(client, request)
    assert trace(reply)["prefetch"]["allergies"] == "incomplete"
    assert trace(reply)["orders"][0]["unavailable"] == {"allergies": "incomplete"}
    assert reply["cards"][0]["indicator"] == "warning"


def test_ch_090_what_stands_on_the_first_page_still_counts(client: FlaskClient) -> None:
    assert topics(ask(client, with_next(read_request("fcm-allergy"), "allergies"))) == ["contraindicated"]


def test_ch_090_a_link_that_is_not_next_changes_nothing(client: FlaskClient) -> None:
    request = read_request("low-ferritin")
    links = [{"relation": "self", "url": "https://ehr.example"}, {"relation": "last"}]
    request["prefetch"]["allergies"]["link"] = links
    assert mask(ask(client, request)) == mask(ask(client, read_request("low-ferritin")))


# -------------------------------------------------------------------------------------------------------- what is read


def test_ch_095_a_key_that_was_not_announced_is_not_read(client: FlaskClient) -> None:
    request = with_key("someone_elses", {**SEARCHSET, "entry": [{"resource": {"resourceType": "Nonsense"}}]})
    assert mask(ask(client, request)) == mask(ask(client, read_request("low-ferritin")))


@pytest.mark.parametrize("key", ["ferritin", "conditions", "allergies"])
def test_ch_064_records_of_another_patient_are_never_used(client: FlaskClient, key: str) -> None:
    name = "fcm-allergy" if key == "allergies" else "low-ferritin"
    request = read_request(name)
    for entry in request["prefetch"][key]["entry"]:
        subject = "patient" if key == "allergies" else "subject"
        entry["resource"][subject] = {"reference": "Patient/somebody-else"}
    expected = {"ferritin": ["insufficient-data"], "conditions": [], "allergies": ["indicated-strong", "reassessment"]}
    assert topics(ask(client, request)) == expected[key]


BROKEN = [None, 5, "text", [], {"resourceType": "Observation", "valueQuantity": "high"}, {"resourceType": 7}]


@pytest.mark.parametrize("broken", BROKEN, ids=map(str, BROKEN))
@pytest.mark.parametrize("key", [key for key in WITHOUT if key != "patient"])
def test_a_record_that_cannot_be_read_does_not_fail_the_call(client: FlaskClient, key: str, broken: Any) -> None:
    request = read_request("low-ferritin")
    request["prefetch"][key].setdefault("entry", []).append({"resource": broken})
    assert topics(ask(client, request))[0] == "indicated-strong"


@pytest.mark.parametrize(
    "value",
    [
        SEARCHSET,
        {"resourceType": "Group"},
        {"resourceType": "Patient", "birthDate": ["1966"]},
        {"resourceType": "Patient", "id": "somebody-else", "birthDate": "2020-01-01"},
    ],
    ids=["none", "not a Patient", "unreadable birth date", "another person"],
)
def test_ch_064_ch_091_a_patient_that_cannot_be_read_is_no_silent_adult(client: FlaskClient, value: Any) -> None:
    request = with_key("patient", value)
    code, _ = status(client, request)
    assert code == 412 or topics(ask(client, request)) == ["insufficient-data"]


def test_ch_087_no_patient_is_an_answer_and_no_412(client: FlaskClient) -> None:
    assert topics(ask(client, with_key("patient", None))) == ["insufficient-data"]


def test_ch_041_ch_112_an_order_of_another_drug_is_silent_without_any_prefetch(client: FlaskClient) -> None:
    request = read_request("other-drug")
    del request["prefetch"]
    answer = client.post(ADDRESSES["order-select"], json=request)
    assert (answer.status_code, json.loads(answer.data)) == (200, {"cards": []})
