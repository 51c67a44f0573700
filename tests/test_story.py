"""One patient, first to repeat course, in twelve calls: replies as on file, nothing offered twice (R-50 to R-50d)."""

import json
from collections import Counter
from collections.abc import Iterator
from datetime import date, timedelta

import pytest

from cds_service.contracts import find_mistakes
from tests.fhir.ehr import open_ehr
from tests.replies import fold, topics
from tests.spec.valid_fhir import find_faults
from tests.story import PATIENT, STORY, Json, Teller, Told, open_story, tell, transcript

HOW = "`make fixtures` writes the story anew; read what changed before you commit it"
CARDS = {
    "01-candidate": ["iron-candidate"],
    "02-order-select": ["indicated-strong", "reassessment"],
    "03-order-sign": ["indicated-strong"],
    "04-waiting": [],
    "05-moved": ["too-early-to-judge"],
    "06-day-8": ["follow-up-due"],
    "07-week-3": ["follow-up-due"],
    "08-week-8": ["follow-up-due", "response-review"],
    "09-final": ["response-review"],
    "10-month-6": ["recurrence-review", "follow-up-due"],
    "11-recurrence": ["recurrence-review"],
    "12-repeat": ["may-benefit", "reassessment"],
}


@pytest.fixture(scope="module")
def told() -> Iterator[list[Told]]:
    with open_ehr() as ehr:
        yield tell(open_story(ehr))


@pytest.fixture
def teller() -> Iterator[Teller]:
    with open_ehr() as ehr:
        yield open_story(ehr)


def by_name(told: list[Told], name: str) -> Told:
    return next(one for one in told if one.name == name)


def identifiers(reply: Json) -> list[str]:
    created = [action["resource"] for group in Teller.actions(reply) for action in group if action["type"] == "create"]
    return [one["identifier"][0]["value"] for one in created if "identifier" in one]


@pytest.mark.parametrize("name", CARDS)
def test_each_call_gives_the_cards_of_its_day(told: list[Told], name: str) -> None:
    assert topics(by_name(told, name).reply) == CARDS[name]


def test_the_story_is_told_in_twelve_calls(told: list[Told]) -> None:
    assert [one.name for one in told] == list(CARDS)


def test_the_transcript_is_the_fixture(told: list[Told]) -> None:
    for name, content in transcript(told):
        assert fold(content) + "\n" == (STORY / f"{name}.json").read_text("utf-8"), f"{name}: {HOW}"
    assert {path.stem for path in STORY.glob("*.json")} == set(CARDS), HOW


@pytest.mark.parametrize("name", CARDS)
def test_every_reply_and_resource_is_valid(told: list[Told], name: str) -> None:
    reply = by_name(told, name).reply
    assert find_mistakes("response:strict", reply) == ()
    created = [action for group in Teller.actions(reply) for action in group if action["type"] == "create"]
    assert [fault for action in created for fault in find_faults(action["resource"])] == []


def test_r_50a_nothing_is_offered_twice_in_the_whole_story(told: list[Told]) -> None:
    offered = Counter(value for one in told if one.name != "05-moved" for value in identifiers(one.reply))
    assert offered
    assert max(offered.values()) == 1


def test_r_50b_what_is_moved_is_what_was_offered_and_each_old_request_is_deleted(told: list[Told]) -> None:
    moved = by_name(told, "05-moved").reply
    assert set(identifiers(moved)) == set(identifiers(by_name(told, "02-order-select").reply))
    deleted = [action for group in Teller.actions(moved) for action in group if action["type"] == "delete"]
    assert len(deleted) == len(identifiers(moved))


def test_r_50b_the_moved_contacts_are_counted_from_the_day_of_the_infusion(told: list[Told]) -> None:
    moved = by_name(told, "05-moved").reply
    due = {
        action["resource"]["identifier"][0]["value"].partition(".")[2]: action["resource"]["occurrenceDateTime"]
        for group in Teller.actions(moved)
        for action in group
        if action["type"] == "create"
    }
    contacts = {name: due[name] for name in ("day-8", "week-3", "week-8-labs", "month-6")}
    expected = {"day-8": 8, "week-3": 21, "week-8-labs": 56}
    infusion = date(2026, 3, 19)
    assert contacts == {
        **{name: (infusion + timedelta(days=days)).isoformat() for name, days in expected.items()},
        "month-6": "2026-09-19",
    }


def test_the_second_course_has_identifiers_of_its_own(told: list[Told]) -> None:
    first, second = (
        {value.partition(".")[0] for value in identifiers(by_name(told, name).reply)}
        for name in ("02-order-select", "12-repeat")
    )
    assert len(first) == len(second) == 1
    assert first != second


def test_ch_246_what_was_accepted_is_not_offered_when_the_chart_is_opened_again(teller: Teller) -> None:
    tell_until_moved(teller)
    assert Teller.actions(teller.look_again()) == []


def tell_until_moved(teller: Teller) -> None:
    """As in the story, up to the accepted move."""
    reply = teller.call("01", "patient-view", "")
    teller.draft(reply, "iron-candidate")
    teller.session[0]["dosageInstruction"][0] |= {"timing": {"event": ["2026-03-17"]}}
    teller.draft(teller.call("02", "order-select", ""), "reassessment")
    order = teller.sign()
    order["status"] = "completed"
    teller.go_to("2026-03-20")
    from tests.story import _infusion

    teller.put(_infusion(order, "2026-03-19"))
    teller.accept(teller.call("05", "patient-view", ""))


def test_r_50d_after_the_draft_was_accepted_the_candidate_card_is_gone(teller: Teller) -> None:
    teller.draft(teller.call("01", "patient-view", ""), "iron-candidate")
    teller.put({**teller.session[0], "subject": {"reference": f"Patient/{PATIENT}"}})
    assert topics(teller.look_again()) == []


def test_r_50_the_order_is_called_off_and_its_contacts_are_offered_for_deletion(teller: Teller) -> None:
    reply = teller.call("01", "patient-view", "")
    teller.draft(reply, "iron-candidate")
    teller.draft(teller.call("02", "order-select", ""), "reassessment")
    teller.sign()["status"] = "cancelled"
    again = teller.look_again()
    assert topics(again)[0] == "follow-up-due"
    deleted = [action for group in Teller.actions(again) for action in group if action["type"] == "delete"]
    assert {action["resourceId"] for action in deleted} == {f"ServiceRequest/{one['id']}" for one in teller.requests()}


def test_the_transcript_names_no_address_of_the_test_server() -> None:
    for path in STORY.glob("*.json"):
        content = json.loads(path.read_text("utf-8"))
        assert set(content) == {"about", "day", "request", "cards"}
        assert "fhirServer" not in content["request"]
