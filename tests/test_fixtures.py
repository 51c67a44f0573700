"""The fixtures: each request has its expected reply, each reply is valid, each bad request is refused as documented."""

import json
import re
from collections import Counter
from typing import Any

import pytest
from flask.testing import FlaskClient

from cds_service.contracts import find_mistakes
from tests.bad_requests import MISTAKES
from tests.replies import (
    ADDRESSES,
    FOLDER,
    SITUATIONS,
    actions,
    answer,
    answers,
    fold,
    mask,
    open_service,
    read_request,
    reply_path,
    request_path,
)
from tests.spec.rim import problems, strictly
from tests.spec.valid_fhir import find_faults

CONCLUSIONS = {"indicated-strong", "may-benefit", "not-indicated", "contraindicated", "insufficient-data"}
HOW = "`make fixtures` writes the fixtures anew; read what changed before you commit it"


@pytest.fixture(scope="module")
def client() -> FlaskClient:
    return open_service()


# ------------------------------------------------------------------------------------------------- expected replies


@pytest.mark.parametrize("name", SITUATIONS)
def test_a_request_gives_its_expected_reply(name: str) -> None:
    assert fold(mask(answer(name))) + "\n" == reply_path(name).read_text("utf-8"), HOW


def test_every_file_belongs_to_a_situation() -> None:
    for folder, path_of in (("requests", request_path), ("responses", reply_path)):
        assert set((FOLDER / folder).rglob("*.json")) == {path_of(name) for name in SITUATIONS}, HOW
    patients = {path.stem for path in (FOLDER / "patients").glob("*.json")}
    assert patients == {one["patient"].removeprefix("Patient/") for one in SITUATIONS.values()}, HOW


@pytest.mark.parametrize("name", SITUATIONS)
def test_the_first_card_says_what_the_situation_expects(name: str) -> None:
    reply, expected = answers()[name], SITUATIONS[name]["expect"]
    if expected:
        assert reply["cards"][0]["source"]["topic"]["code"] == expected
    else:
        assert reply == {"cards": []}


def test_the_situations_cover_every_conclusion_and_silence() -> None:
    covered = Counter(one["expect"] for one in SITUATIONS.values())
    assert CONCLUSIONS | {""} <= set(covered)
    assert len(SITUATIONS) >= 15


# ------------------------------------------------------------------------------------------------- valid in and out


@pytest.mark.parametrize("name", SITUATIONS)
def test_a_reply_is_valid_against_the_strict_response_schema(name: str) -> None:
    assert find_mistakes("response:strict", answers()[name]) == ()


@pytest.mark.parametrize("name", SITUATIONS)
def test_a_request_is_valid_against_the_request_schema(name: str) -> None:
    assert find_mistakes("request", read_request(name)) == ()


@pytest.mark.parametrize("name", SITUATIONS)
def test_every_resource_of_a_reply_is_valid_r4_with_codes_of_its_bindings(name: str) -> None:
    assert [fault for action in actions(answers()[name]) for fault in find_faults(action["resource"])] == []


def test_the_check_of_resources_finds_a_wrong_code_and_a_wrong_shape() -> None:
    good = actions(answers()["low-ferritin"])[0]["resource"]
    assert find_faults({**good, "status": "proposed"}) == ["ServiceRequest.status is 'proposed'"]
    assert find_faults({**good, "intent": "Order"}) == ["ServiceRequest.intent is 'Order'"]
    assert find_faults({**good, "status": None}) != []
    assert find_faults({**good, "occurrenceDateTime": "18.3.2026"}) != []


# ----------------------------------------------------------------------------------------------------- bad requests


def test_there_is_one_file_for_each_mistake() -> None:
    assert {path.stem for path in (FOLDER / "bad_requests").iterdir()} == set(MISTAKES), HOW


@pytest.mark.parametrize("name", MISTAKES)
def test_ch_043_ch_237_ch_238_a_bad_request_is_refused_as_documented(client: FlaskClient, name: str) -> None:
    body = (FOLDER / "bad_requests" / f"{name}.json").read_bytes()
    answer = client.post(ADDRESSES["order-select"], data=body, content_type="application/json")
    assert answer.status_code == MISTAKES[name].status, answer.text
    assert problems(answer)[0].startswith(MISTAKES[name].says)
    issue = strictly(answer)["issue"][0]
    assert (issue["severity"], bool(issue["code"]), bool(issue["details"]["text"])) == ("error", True, True)


def test_the_bad_requests_are_bad_in_one_thing_only(client: FlaskClient) -> None:
    """The call they are made from is a good one: otherwise a test above might see another mistake than its own."""
    good = read_request("low-ferritin")
    kept = {key: good["prefetch"][key] for key in ("patient", "conditions", "ferritin", "tsat")}
    assert client.post(ADDRESSES["order-select"], json={**good, "prefetch": kept}).status_code == 200


def test_the_folder_explains_its_bad_requests() -> None:
    documented: dict[str, Any] = dict(
        re.findall(r"^\| `([a-z0-9-]+)` \| (4\d\d) \|", (FOLDER / "README.md").read_text("utf-8"), re.MULTILINE)
    )
    assert documented == {name: str(one.status) for name, one in MISTAKES.items()}


# -------------------------------------------------------------------------------------------------------- synthetic


@pytest.mark.parametrize("path", sorted((FOLDER / "patients").glob("*.json")), ids=lambda path: path.stem)
def test_every_patient_is_marked_as_synthetic(path: Any) -> None:
    bundle = json.loads(path.read_text("utf-8"))
    assert [tag["code"] for tag in bundle["meta"]["tag"]] == ["HTEST"]
    assert bundle["entry"][0]["resource"]["name"][0]["family"] == "Synthetic"
