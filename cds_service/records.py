"""What is kept of an answered call: plain rows without anything that names the patient, and the keyed pseudonym."""

import hashlib
import hmac
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from cds_service.clinical.decision import Decision
from cds_service.clinical.follow_up.candidate import Candidate
from cds_service.clinical.follow_up.view import Topic, View
from cds_service.hooks import HookRequest
from cds_service.store import CallRow, CardRow, SuggestionRow

REASSESSMENT = "reassessment"
PSEUDONYM_LENGTH = 32  # hexadecimal digits: 128 bits
_SHARES = 100


def pseudonym(key: bytes, client: str, patient_id: str) -> str:
    """Stable per client and patient, of no use without the key; the same id at two clients is two patients."""
    message = f"{client}\n{patient_id}".encode("utf-8", "surrogatepass")
    return hmac.new(key, message, hashlib.sha256).hexdigest()[:PSEUDONYM_LENGTH]


def is_live(share: int, patient_pseudonym: str | None) -> bool:
    """Whether this patient's cards are shown, at `share` per cent; who is live stays live when the share grows."""
    if share in (0, _SHARES):
        return share == _SHARES
    if patient_pseudonym is None:
        return False
    digest = hashlib.sha256(b"rollout\n" + patient_pseudonym.encode()).digest()
    return int.from_bytes(digest[:8]) % _SHARES < share


def call_row(
    request_id: str,
    at: datetime,
    client: str,
    tenant: str | None,
    service: str,
    request: HookRequest,
    outcome: str,
    *,
    shown: bool,
    duration_ms: float,
    knowledge: str,
    patient_pseudonym: str | None,
    cards: Sequence[Any] = (),
    decisions: Sequence[Decision] = (),
    view: View | None = None,
) -> CallRow:
    """One call with the cards that were made for it, shown or withheld."""
    return CallRow(
        request_id=request_id,
        at=at,
        client=client,
        tenant=tenant,
        service=service,
        hook=request.hook,
        hook_instance=request.hook_instance.lower(),
        outcome=outcome,
        shown=shown,
        duration_ms=round(duration_ms, 2),
        knowledge=knowledge,
        pseudonym=patient_pseudonym,
        cards=tuple(_card_row(card, decisions, view) for card in cards if "uuid" in card),
    )


def _card_row(card: Any, decisions: Sequence[Decision], view: View | None) -> CardRow:
    topic = card["source"].get("topic", {}).get("code", "")
    concern, conclusion, rules = _behind_order(topic, decisions) if view is None else _behind_view(Topic(topic), view)
    return CardRow(
        uuid=card["uuid"],
        topic=topic,
        concern=_words(concern)[:64],
        conclusion=_words(conclusion)[:64],
        rules=_words(rules),
        suggestions=tuple(
            SuggestionRow(one["uuid"], card["uuid"], place, len(one.get("actions", ())))
            for place, one in enumerate(card.get("suggestions", ()))
            if "uuid" in one
        ),
    )


_Behind = tuple[list[str], list[str], list[str]]  # what the card is about, what was concluded, by which rules


def _behind_order(topic: str, decisions: Sequence[Decision]) -> _Behind:
    behind = [one for one in decisions if _is_behind(one, topic)]
    return (
        [str(one.case.order.ingredient or "unknown") for one in behind],
        [str(one.conclusion) for one in behind],
        [rule for one in behind for rule in rule_ids(one)],
    )


_VIEW_RULES = {
    Topic.RECURRENCE: ("R-50c", "R-47", "R-48", "R-40c"),
    Topic.DUE: ("R-50c",),
    Topic.RESPONSE: ("R-50c", "R-48", "R-49"),
    Topic.TOO_EARLY: ("R-50c", "R-48"),
}


def _behind_view(topic: Topic, view: View) -> _Behind:
    """A card about a course, or the unasked one (R-50c, R-50d)."""
    if topic is Topic.CANDIDATE:
        if not isinstance(view.candidate, Candidate):
            return ["iron-studies"], [], ["R-50d"]
        concern, conclusion, rules = _behind_order(str(view.candidate.decision.conclusion), [view.candidate.decision])
        return concern, conclusion, ["R-50d", *rules]
    followed = view.followed
    rules = list(_VIEW_RULES[topic])
    if topic is Topic.DUE and followed:
        rules += [one.planned.contact.rule for one in followed.wanted]
    if topic is next(one for one in view.topics if one is not Topic.CANDIDATE):  # this card names the open requests
        rules += ["R-50b"] if followed and followed.move else []
        rules += ["R-50"] if view.leftovers else []
    if followed is None:
        return [], [], rules
    return [str(followed.course.ingredient or "unknown")], [followed.interpretation.stage.replace(" ", "-")], rules


def _is_behind(decision: Decision, topic: str) -> bool:
    return decision.conclusion.is_supportive if topic == REASSESSMENT else str(decision.conclusion) == topic


def rule_ids(decision: Decision) -> list[str]:
    """The rules that spoke: what gave the class, lowered it or added a line."""
    spoke = (*decision.verdicts, *decision.caps, *decision.lines, *decision.remarks)
    return [rule.id for rule, _ in spoke]


def _words(words: Iterable[str]) -> str:
    return " ".join(dict.fromkeys(words))
