"""Parses what clinicians did with our cards (CH-174...CH-192), item by item: a bad one does not lose the others."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, TypeAlias

import msgspec
from msgspec import Meta, Raw, Struct

from cds_service.contracts import explain_shape
from cds_service.errors import BadRequest
from cds_service.store import FeedbackRow

MOST_ITEMS = 1000
LONGEST_COMMENT = 4000  # characters; the rest is cut off
MOST_SUGGESTIONS = 100
OUTCOMES = ACCEPTED, OVERRIDDEN = ("accepted", "overridden")

Encrypt: TypeAlias = Callable[[str], bytes]
_Id = Annotated[str, Meta(min_length=1, max_length=200)]


class _Body(Struct):
    feedback: list[Raw]


class _Suggestion(Struct):
    id: _Id


class _Coding(Struct):
    code: _Id
    system: Annotated[str, Meta(max_length=500)] | None = None  # the public sandbox leaves it out (CH-186)


class _Reason(Struct, rename="camel"):
    reason: _Coding | None = None
    user_comment: str | None = None


class _Item(Struct, rename="camel"):
    card: _Id
    outcome: str
    outcome_timestamp: Annotated[str, Meta(max_length=64)]
    accepted_suggestions: Annotated[list[_Suggestion], Meta(max_length=MOST_SUGGESTIONS)] | None = None
    override_reason: _Reason | None = None


_BODY = msgspec.json.Decoder(_Body)
_ITEM = msgspec.json.Decoder(_Item)
_MOMENT = msgspec.json.Decoder(datetime)


@dataclass(frozen=True, slots=True)
class Item:
    """One report about one card. `at` is in UTC. Its repr does not show the comment."""

    card: str
    outcome: str
    at: datetime
    suggestions: tuple[str, ...]
    reason_system: str | None
    reason_code: str | None
    comment: str | None

    def __repr__(self) -> str:
        return f"Item({self.outcome})"


@dataclass(frozen=True, slots=True)
class Batch:
    """The good items of one POST, and what is wrong with the others: (place from 0, `member: words`)."""

    items: tuple[Item, ...]
    refused: tuple[tuple[int, str], ...]


def parse_feedback(body: bytes) -> Batch:
    """Raises `BadRequest` when the body as a whole is none (CH-176), or when no item of it can be kept."""
    try:
        body.decode()
        entries = _BODY.decode(body).feedback
    except msgspec.ValidationError as wrong:
        raise BadRequest(explain_shape(wrong)) from None
    except (msgspec.DecodeError, UnicodeDecodeError) as wrong:
        raise BadRequest(f"the body is not JSON: {wrong}") from None
    except RecursionError:
        raise BadRequest("the body is nested too deeply") from None
    if not entries:
        raise BadRequest("feedback: must not be empty")
    if len(entries) > MOST_ITEMS:
        raise BadRequest(f"feedback: more than {MOST_ITEMS} items; send them in several requests")
    return _parse_items(entries)


def _parse_items(entries: list[Raw]) -> Batch:
    items, refused = [], []
    for place, raw in enumerate(entries):
        try:
            items.append(_parse_item(raw, f"feedback[{place}]"))
        except BadRequest as wrong:
            refused.append((place, wrong.diagnostics))
    if not items:
        first, *others = (words for _, words in refused)
        raise BadRequest(first, tuple(others[:9]))
    return Batch(tuple(items), tuple(refused))


def _parse_item(raw: Raw, where: str) -> Item:
    try:
        item = _ITEM.decode(raw)
    except msgspec.ValidationError as wrong:
        raise BadRequest(explain_shape(wrong, where)) from None
    except (msgspec.DecodeError, RecursionError):
        raise BadRequest(f"{where}: is not JSON that can be read") from None
    _check(item, where)
    reason = item.override_reason
    coding = reason.reason if reason else None
    return Item(
        card=item.card.strip(),
        outcome=item.outcome,
        at=_read_moment(item.outcome_timestamp, f"{where}.outcomeTimestamp"),
        suggestions=tuple(dict.fromkeys(one.id for one in item.accepted_suggestions or ())),
        reason_system=coding.system if coding else None,
        reason_code=coding.code if coding else None,
        comment=reason.user_comment[:LONGEST_COMMENT] if reason and reason.user_comment else None,
    )


def _check(item: _Item, where: str) -> None:
    """What the shape alone does not say."""
    if item.outcome not in OUTCOMES:
        raise BadRequest(f"{where}.outcome: must be one of {', '.join(OUTCOMES)}")  # CH-178
    if item.outcome == ACCEPTED and not item.accepted_suggestions:
        raise BadRequest(f"{where}.acceptedSuggestions: is missing or empty; name the accepted suggestion")  # CH-179
    reason = item.override_reason
    if reason is not None and reason.reason is None and not reason.user_comment:
        words = "has neither reason (a Coding) nor userComment"  # CH-181; T-21: the Coding stands under `reason`
        raise BadRequest(f"{where}.overrideReason: {words}")
    kept = [item.card, *(one.id for one in item.accepted_suggestions or ())]
    if reason is not None and reason.reason is not None:
        kept += [reason.reason.code, reason.reason.system or "-"]
    if any("\0" in word or not word.strip() for word in kept):
        raise BadRequest(f"{where}: an id or code is blank or holds a null character")


def _read_moment(text: str, where: str) -> datetime:
    """CH-182: an offset other than UTC is converted; a time without any is refused."""
    try:
        moment: datetime = _MOMENT.decode(msgspec.json.encode(text.upper()))
        if moment.tzinfo is not None:
            return moment.astimezone(UTC)
    except (msgspec.ValidationError, OverflowError):
        pass
    raise BadRequest(f"{where}: must be an RFC 3339 date-time in UTC, such as 2026-11-24T09:30:00Z")


def feedback_rows(
    items: tuple[Item, ...], client: str, service: str, received: datetime, encrypt: Encrypt | None
) -> list[FeedbackRow]:
    """What is kept. Without a key the comment is dropped (CH-192); equal items get equal digests (CH-184)."""
    return [
        FeedbackRow(
            digest=_digest(client, service, item),
            received=received,
            client=client,
            service=service,
            card=item.card,
            outcome=item.outcome,
            at=item.at,
            suggestions=msgspec.json.encode(item.suggestions).decode(),
            reason_system=item.reason_system,
            reason_code=item.reason_code,
            comment=encrypt(item.comment) if encrypt and item.comment else None,
        )
        for item in items
    ]


def _digest(client: str, service: str, item: Item) -> bytes:
    same = (
        client,
        service,
        item.card,
        item.outcome,
        item.at,
        sorted(item.suggestions),
        item.reason_system,
        item.reason_code,
    )
    return hashlib.sha256(msgspec.json.encode(same)).digest()
