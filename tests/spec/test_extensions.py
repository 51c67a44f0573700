"""Our extension, the decision trace: its name, its shape, switched off by a setting; those of others (section O)."""

import re
from typing import Any

import pytest
from flask.testing import FlaskClient

from cds_service.clinical.citations import CITATIONS
from cds_service.clinical.rules import RULES
from tests.readme_tables import README
from tests.replies import ORDERING, SITUATIONS, answers, ask, mask, open_service, read_request, trace
from tests.spec.rim import Json, values_of

SPEAKING = [name for name in ORDERING if SITUATIONS[name]["expect"]]
CITED = {one.id for one in CITATIONS}
KEY = "org.iv-iron-rls.decision-trace"
OUTCOMES = {
    "not applicable", "not reached", "line", "remark", "cap",
    "indicated-strong", "may-benefit", "not-indicated", "contraindicated", "insufficient-data", "out-of-scope",
}  # fmt: skip


@pytest.fixture(scope="module")
def client() -> FlaskClient:
    return open_service()


@pytest.mark.parametrize("name", SPEAKING)
def test_ch_230_ch_231_ch_233_ch_235_the_one_extension_is_an_object_under_a_reverse_domain_name(name: str) -> None:
    assert list(answers()[name]["extension"]) == [KEY]
    assert isinstance(answers()[name]["extension"][KEY], dict)
    assert re.fullmatch(r"[a-z]+(\.[a-z0-9-]+){2,}", KEY)


def test_ch_232_the_extension_is_documented() -> None:
    assert f'extension["{KEY}"]' in README.read_text("utf-8")


def test_ch_232_a_setting_leaves_the_extension_out_and_changes_nothing_else() -> None:
    reply = ask(open_service(trace=False), read_request("low-ferritin"))
    assert "extension" not in reply
    assert mask(reply)["cards"] == mask(answers()["low-ferritin"])["cards"]


@pytest.mark.parametrize(
    "extension",
    [
        {"org.example": {"deep": [1, {"x": None}], "number": 1.5, "list": [[]]}},
        {KEY: {"orders": []}},
        [{"url": "http://example.org", "valueString": "FHIR form"}],
        "text",
        None,
        7,
    ],
)
def test_ch_234_an_extension_of_the_request_changes_nothing(client: FlaskClient, extension: Any) -> None:
    request: Json = {**read_request("low-ferritin"), "extension": extension}
    request["context"]["extension"] = extension
    assert mask(ask(client, request)) == mask(answers()["low-ferritin"])


@pytest.mark.parametrize("name", SPEAKING)
def test_the_trace_holds_every_rule_in_order_for_every_order_on_a_card(name: str) -> None:
    for order in trace(answers()[name])["orders"]:
        assert [rule["id"] for rule in order["rules"]] == [rule.id for rule in RULES]
        assert {rule["outcome"] for rule in order["rules"]} <= OUTCOMES
        assert all(rule["because"] for rule in order["rules"])


@pytest.mark.parametrize("name", SPEAKING)
def test_the_trace_agrees_with_the_first_card(name: str) -> None:
    reply = answers()[name]
    conclusions = [order["conclusion"] for order in trace(reply)["orders"]]
    assert conclusions[0] == reply["cards"][0]["source"]["topic"]["code"]


@pytest.mark.parametrize("name", SPEAKING)
def test_values_of_the_trace_name_value_unit_date_and_record(name: str) -> None:
    for order in trace(answers()[name])["orders"]:
        for value in order.get("values", ()):
            assert {"name", "value", "reference"} <= set(value)
            assert re.fullmatch(r"\d{4}-\d{2}-\d{2}", value["date"])


@pytest.mark.parametrize("name", SPEAKING)
def test_the_trace_says_which_knowledge_answered_and_how_each_key_was_settled(name: str) -> None:
    found = trace(answers()[name])
    assert set(found["knowledge"]) == {"version", "date", "digest", "review"}
    assert "not clinically signed" in found["knowledge"]["review"]
    assert set(found["prefetch"].values()) <= {"supplied", "empty", "missing", "failed", "incomplete"}


@pytest.mark.parametrize("name", SPEAKING)
def test_citations_are_given_by_id_and_marks_of_quoted_text_do_not_leave_the_service(name: str) -> None:
    assert not any("\u2063" in str(value) for _, value in values_of(answers()[name]) if isinstance(value, str))
    for order in trace(answers()[name])["orders"]:
        assert {one for rule in order["rules"] for one in rule["sources"]} <= CITED
