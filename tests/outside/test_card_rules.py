"""The card rules that Inferno's public test kit for Da Vinci CRD checks, as properties of our own cards.

They are stricter than CDS Hooks: a uuid on every suggestion, a topic on every source, FHIR inside every action.
"""

import json
from functools import cache
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.replies import SITUATIONS, answers, ask, open_service, read_request
from tests.spec.valid_fhir import find_faults

Json = dict[str, Any]
SPEAKING = [name for name, one in SITUATIONS.items() if one["expect"]]
REPLIES = [(name, answers()[name]) for name in SPEAKING]
CARDS = [(name, card) for name, reply in REPLIES for card in reply["cards"]]
SUGGESTIONS = [(name, one) for name, card in CARDS for one in card.get("suggestions", ())]
ACTIONS = [(name, action) for name, one in SUGGESTIONS for action in one["actions"]]
LONGEST = 139
client = cache(open_service)
NAMES = st.text(st.characters(codec="utf-8", exclude_categories=("Cs",)), min_size=1, max_size=300)


@pytest.fixture(scope="module", params=CARDS, ids=[name for name, _ in CARDS])
def card(request: pytest.FixtureRequest) -> Json:
    found: Json = request.param[1]
    return found


def test_summary_is_a_text_of_at_most_139_characters(card: Json) -> None:
    assert isinstance(card["summary"], str)
    assert 0 < len(card["summary"]) <= LONGEST


def test_card_has_a_uuid(card: Json) -> None:
    assert UUID(card["uuid"])


def test_indicator_is_one_of_three(card: Json) -> None:
    assert card["indicator"] in ("info", "warning", "critical")


def test_source_has_a_label_and_a_topic_with_code_and_system(card: Json) -> None:
    source = card["source"]
    assert source["label"].strip()
    assert source["topic"]["code"].strip()
    assert urlsplit(source["topic"]["system"]).scheme in ("http", "https")
    assert not isinstance(source["topic"], list)


def test_override_reasons_are_complete_codings(card: Json) -> None:
    for reason in card.get("overrideReasons", ()):
        assert {"code", "system", "display"} <= set(reason)
        assert all(value.strip() for value in reason.values())


def test_a_selection_behaviour_stands_beside_suggestions_and_only_there(card: Json) -> None:
    assert ("selectionBehavior" in card) is ("suggestions" in card)
    assert card.get("selectionBehavior", "any") in ("any", "at-most-one")


def test_links_are_labelled_and_app_context_is_for_smart_ones(card: Json) -> None:
    for link in card.get("links", ()):
        assert link["label"].strip()
        assert link["type"] in ("absolute", "smart")
        assert urlsplit(link["url"]).netloc
        assert "appContext" not in link or (link["type"] == "smart" and isinstance(link["appContext"], str))


def test_links_in_the_detail_are_repeated_among_the_links_or_lead_to_the_source(card: Json) -> None:
    """The kit asks that nothing has to be dug out of markdown."""
    listed = {link["url"] for link in card.get("links", ())} | {card["source"].get("url", "")}
    for word in card.get("detail", "").split("]("):
        url = word.partition(")")[0]
        assert not url.startswith("http") or url in listed or "/fhir/" in url or "/knowledge" in url


def test_every_suggestion_has_a_uuid_a_label_and_actions() -> None:
    assert SUGGESTIONS
    for name, suggestion in SUGGESTIONS:
        assert UUID(suggestion["uuid"]), name
        assert suggestion["label"].strip(), name
        assert suggestion["actions"], name


def test_every_action_is_complete_and_holds_valid_fhir() -> None:
    assert ACTIONS
    for name, action in ACTIONS:
        assert action["description"].strip(), name
        assert action["type"] in ("create", "update", "delete"), name
        if action["type"] == "delete":
            assert "/" in action["resourceId"], name
        else:
            assert not find_faults(action["resource"]), name


def test_system_actions_are_absent_or_complete() -> None:
    for name, reply in REPLIES:
        assert reply.get("systemActions") != [], name
        for action in reply.get("systemActions", ()):
            assert {"type", "description"} <= set(action), name


@settings(max_examples=25, deadline=None)
@given(NAMES)
def test_the_rules_hold_whatever_the_drug_is_called(name: str) -> None:
    request = read_request("unnamed-iron")
    for entry in request["context"]["draftOrders"]["entry"]:
        entry["resource"]["medicationCodeableConcept"] = {"text": f"{name} iron infusion {name}"}
    answer = ask(client(), request)
    for card in answer.get("cards", ()):
        assert len(card["summary"]) <= LONGEST
        assert "\n" not in card["summary"]
        json.dumps(card).encode()
