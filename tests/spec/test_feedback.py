"""Feedback (section L of the wire contract): shape, batches, repeats, history, and what happens to comments."""

import json
import sqlite3
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from cryptography.fernet import Fernet
from flask import Flask
from werkzeug.test import TestResponse

from cds_service import store
from cds_service.errors import BadRequest
from cds_service.feedback import LONGEST_COMMENT, MOST_ITEMS, parse_feedback
from cds_service.store import CallRow, CardRow
from tests.spec.protected import NOW, bearer, claims, open_protected, token
from tests.spec.rim import CALL, post, problems, strictly

Json = dict[str, Any]
CARD = "0f1d6c1e-5a7b-4c55-9b5e-3f6a3f1f0001"
SUGGESTION = "0f1d6c1e-5a7b-4c55-9b5e-3f6a3f1f0002"
COMMENT = "comment-that-must-never-be-seen"
URL = f"{CALL}/feedback"


def item(**members: Any) -> Json:
    """An accepted card; members replace, `...` removes."""
    good = {
        "card": CARD,
        "outcome": "accepted",
        "acceptedSuggestions": [{"id": SUGGESTION}],
        "outcomeTimestamp": "2026-11-24T09:30:00Z",
    }
    return {name: value for name, value in {**good, **members}.items() if value is not ...}


def overridden(**members: Any) -> Json:
    return item(**{"outcome": "overridden", "acceptedSuggestions": ..., **members})


def body(*items: Any) -> bytes:
    return json.dumps({"feedback": list(items)}).encode()


GOOD: tuple[tuple[str, str, Json], ...] = (
    ("CH-179", "accepted with one suggestion", item()),
    ("CH-179", "accepted with several suggestions", item(acceptedSuggestions=[{"id": "a"}, {"id": "b"}])),
    ("CH-180", "overridden without a reason", overridden()),
    (
        "CH-181",
        "overridden with a reason",
        overridden(overrideReason={"reason": {"code": "x", "system": "https://s.example"}}),
    ),
    ("CH-181", "overridden with a comment", overridden(overrideReason={"userComment": "text"})),
    ("CH-181", "with both", overridden(overrideReason={"reason": {"code": "x", "system": "s"}, "userComment": "text"})),
    (
        "CH-186",
        "a reason of the client's own",
        overridden(overrideReason={"reason": {"code": "ours", "system": "urn:x"}}),
    ),
    (
        "CH-122",
        "a reason without system, as the public sandbox sends",
        overridden(overrideReason={"reason": {"code": "x"}}),
    ),
    ("CH-182", "fraction of a second", item(outcomeTimestamp="2026-11-24T09:30:00.123Z")),
    ("CH-182", "lower case", item(outcomeTimestamp="2026-11-24t09:30:00z")),
    ("CH-182", "local offset, converted", item(outcomeTimestamp="2026-11-24T10:30:00+01:00")),
    ("CH-234", "unknown members", item(extension={"org.example": {"a": 1}}, more=1)),
    ("CH-177", "a card id that is no UUID", item(card="some card")),
)

BAD: tuple[tuple[str, str, Any, str], ...] = (
    ("CH-177", "no card", item(card=...), "card: is missing"),
    ("CH-177", "card null", item(card=None), "card"),
    ("CH-177", "card blank", item(card="  "), "blank"),
    ("CH-177", "card of 201 characters", item(card="c" * 201), "card"),
    ("CH-177", "card with a null character", item(card="a\0b"), "null character"),
    ("CH-178", "outcome missing", item(outcome=...), "outcome: is missing"),
    ("CH-178", "outcome ignored", item(outcome="ignored"), "outcome: must be one of accepted, overridden"),
    ("CH-178", "outcome in upper case", item(outcome="ACCEPTED"), "outcome"),
    ("CH-179", "accepted without suggestions", item(acceptedSuggestions=...), "acceptedSuggestions"),
    ("CH-179", "accepted with an empty list", item(acceptedSuggestions=[]), "acceptedSuggestions"),
    ("CH-179", "suggestions as bare ids", item(acceptedSuggestions=[SUGGESTION]), "acceptedSuggestions"),
    ("CH-179", "a suggestion without id", item(acceptedSuggestions=[{}]), "id: is missing"),
    (
        "CH-181",
        "the Coding flat under overrideReason",
        overridden(overrideReason={"code": "x", "system": "s"}),
        "neither reason",
    ),
    ("CH-181", "an empty reason", overridden(overrideReason={}), "neither reason"),
    ("CH-181", "a reason without code", overridden(overrideReason={"reason": {"system": "s"}}), "code: is missing"),
    ("CH-181", "a comment that is no text", overridden(overrideReason={"userComment": 1}), "userComment"),
    ("CH-182", "no time", item(outcomeTimestamp=...), "outcomeTimestamp: is missing"),
    ("CH-182", "a date only", item(outcomeTimestamp="2026-11-24"), "RFC 3339"),
    ("CH-182", "a time without offset", item(outcomeTimestamp="2026-11-24T09:30:00"), "RFC 3339"),
    ("CH-182", "a number", item(outcomeTimestamp=1764000000), "outcomeTimestamp"),
    ("CH-182", "no such day", item(outcomeTimestamp="2026-02-30T09:30:00Z"), "RFC 3339"),
    ("CH-182", "before the calendar", item(outcomeTimestamp="0001-01-01T00:00:00+14:00"), "RFC 3339"),
    ("CH-176", "no object", "accepted", "feedback[0]"),
    ("CH-176", "null", None, "feedback[0]"),
)

BODIES: tuple[tuple[str, bytes, str], ...] = (
    ("a single item without wrapper", json.dumps(item()).encode(), "feedback: is missing"),
    ("a list", b"[]", "the body"),
    ("an empty array", b'{"feedback": []}', "must not be empty"),
    ("an object for the array", b'{"feedback": {}}', "feedback"),
    ("null", b'{"feedback": null}', "feedback"),
    ("nothing", b"", "not JSON"),
    ("no JSON", b"{", "not JSON"),
    ("not UTF-8", b'{"feedback": ["\xff"]}', "not JSON"),
    ("nested too deeply", b'{"feedback": ' + b"[" * 100_000, "nested too deeply"),
    ("too many items", body(*[item()] * (MOST_ITEMS + 1)), "more than"),
)


@pytest.mark.parametrize(("row", "what", "given"), GOOD, ids=[f"{row} {what}" for row, what, _ in GOOD])
def test_good_items_are_taken(row: str, what: str, given: Json) -> None:
    batch = parse_feedback(body(given))
    assert (len(batch.items), batch.refused) == (1, ()), (row, what)
    assert batch.items[0].at.tzinfo is UTC


@pytest.mark.parametrize(("row", "what", "given", "words"), BAD, ids=[f"{row} {what}" for row, what, *_ in BAD])
def test_a_bad_item_does_not_lose_the_others(row: str, what: str, given: Any, words: str) -> None:
    """CH-190."""
    batch = parse_feedback(body(item(), given, overridden()))
    assert [one.outcome for one in batch.items] == ["accepted", "overridden"], (row, what)
    ((place, said),) = batch.refused
    assert place == 1
    assert words.replace("feedback[0]", "feedback[1]") in said
    with pytest.raises(BadRequest):
        parse_feedback(body(given))


@pytest.mark.parametrize(("what", "given", "words"), BODIES, ids=[what for what, *_ in BODIES])
def test_ch_176_a_body_that_is_no_feedback_is_refused(what: str, given: bytes, words: str) -> None:
    with pytest.raises(BadRequest) as refused:
        parse_feedback(given)
    assert words in str(refused.value), what


def test_ch_182_times_are_kept_in_utc() -> None:
    (one,) = parse_feedback(body(item(outcomeTimestamp="2026-11-24T10:30:00+01:00"))).items
    assert one.at == datetime(2026, 11, 24, 9, 30, tzinfo=UTC)


def test_ch_192_a_long_comment_is_cut_and_not_shown() -> None:
    (one,) = parse_feedback(body(overridden(overrideReason={"userComment": "x" * (LONGEST_COMMENT + 1)}))).items
    assert one.comment == "x" * LONGEST_COMMENT
    assert "xx" not in repr(one)


# --- the endpoint


def send(app: Flask, *items: Any) -> TestResponse:
    return post(app.test_client(), body(*items), URL, headers=bearer(token(body=claims(URL))))


def kept(app: Flask) -> list[Json]:
    return store.read_feedback(app.extensions["cds_service.store"].engine)


@pytest.fixture
def app(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Flask:
    return open_protected(monkeypatch, tmp_path)


def test_ch_189_success_is_a_json_object_with_a_member(app: Flask) -> None:
    response = send(app, item(), overridden(card="other"))
    assert response.status_code == 200
    assert strictly(response) == {"accepted": 2}
    assert [(one["card"], one["outcome"]) for one in kept(app)] == [(CARD, "accepted"), ("other", "overridden")]


def test_ch_190_a_mixed_batch_says_what_was_refused(app: Flask) -> None:
    response = send(app, item(), item(outcome="ignored"))
    assert response.status_code == 200
    answer = strictly(response)
    assert answer["accepted"] == 1
    assert [one["item"] for one in answer["refused"]] == [1]
    assert len(kept(app)) == 1


def test_ch_176_nothing_good_is_400(app: Flask) -> None:
    response = send(app, item(outcome="ignored"), item(card=...))
    assert response.status_code == 400
    assert len(problems(response)) == 2
    assert kept(app) == []


def test_ch_183_a_batch_of_fifty_is_kept(app: Flask) -> None:
    send(app, *(item(card=f"card-{number}") for number in range(50)))
    assert len(kept(app)) == 50


def test_ch_184_a_repeat_counts_once(app: Flask) -> None:
    for _ in range(3):
        assert strictly(send(app, item(), item())) == {"accepted": 2}
    assert len(kept(app)) == 1


def test_ch_184_a_later_outcome_is_kept_beside_the_first_and_counts(app: Flask) -> None:
    send(app, overridden(outcomeTimestamp="2026-11-24T10:00:00Z"))
    send(app, item(outcomeTimestamp="2026-11-24T09:00:00Z"))  # arrives later, happened before
    assert [(one["outcome"], bool(one["is_latest"])) for one in kept(app)] == [
        ("accepted", False),
        ("overridden", True),
    ]


def test_ch_190_an_unknown_card_is_kept_as_such(app: Flask) -> None:
    send(app, item(card="never-issued"))
    assert [bool(one["is_known"]) for one in kept(app)] == [False]


def test_ch_191_feedback_finds_its_card_also_when_it_came_first(app: Flask) -> None:
    kept_in: store.Store = app.extensions["cds_service.store"]
    send(app, item())
    card = CardRow(CARD, "may-benefit", "fcm", "may-benefit", "R-24 R-30", ())
    for client, known in (("south", False), ("north", True)):
        row = CallRow(client, NOW, client, None, "one", "order-select", CARD, "cards", True, 1.0, "0", None, (card,))
        if client == "south":
            row = CallRow(client, NOW, client, None, "one", "order-select", CARD, "cards", True, 1.0, "0", None, ())
        kept_in.record_call(row)
        if client == "north":
            kept_in.close()
        assert bool(kept(app)[0]["is_known"]) is known
    assert kept(app)[0]["rules"] == "R-24 R-30"


def test_ch_192_without_a_key_comments_are_dropped(app: Flask, tmp_path: Path) -> None:
    send(app, overridden(overrideReason={"userComment": COMMENT}))
    assert kept(app)[0]["comment"] is None
    assert all(COMMENT.encode() not in file.read_bytes() for file in tmp_path.glob("store.sqlite3*"))


def test_ch_192_with_a_key_comments_are_encrypted(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    key = Fernet.generate_key()
    app = open_protected(monkeypatch, tmp_path, comment_key=key.decode())
    send(app, overridden(overrideReason={"userComment": COMMENT}))
    assert Fernet(key).decrypt(kept(app)[0]["comment"]) == COMMENT.encode()
    assert all(COMMENT.encode() not in file.read_bytes() for file in tmp_path.glob("store.sqlite3*"))


def test_feedback_is_in_the_database_before_the_answer(app: Flask, tmp_path: Path) -> None:
    """Read by another connection, with the app still running."""
    send(app, item())
    with closing(sqlite3.connect(tmp_path / "store.sqlite3")) as other:
        assert other.execute("SELECT count(*) FROM feedback").fetchone() == (1,)


def test_feedback_that_cannot_be_kept_is_503(monkeypatch: pytest.MonkeyPatch, app: Flask) -> None:
    def fail(*_: Any) -> int:
        raise store.StoreDown("OperationalError")

    monkeypatch.setattr(app.extensions["cds_service.store"], "record_feedback", fail)
    response = send(app, item())
    assert response.status_code == 503
    assert response.headers["Retry-After"]
    assert "OperationalError" not in response.text


def test_ch_187_feedback_needs_a_token_before_anything_is_read(app: Flask) -> None:
    assert post(app.test_client(), b"{", URL).status_code == 401
