"""Feedback: what a service that takes it has to take, and what it may refuse (rows L)."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

from cds_service.conformance.finding import Finding, Json, judged
from cds_service.conformance.peer import DISCOVERY, Peer
from cds_service.conformance.samples import Case

MANY = 50
_CODING = {"code": "conformance", "system": "https://conformance.example/reasons", "display": "Synthetic"}


@dataclass(frozen=True, slots=True)
class Report:
    row: str
    what: str
    body: Any
    is_good: bool


def probe_feedback(peer: Peer, case: Case, now: float) -> Iterator[Finding]:
    """Reports about a card of the case, or about an unknown one. Without endpoint that is said, and nothing else."""
    path = f"{DISCOVERY}/{case.offer.id}/feedback"
    card, suggestion = _names(case)
    when = datetime.fromtimestamp(now, UTC).replace(microsecond=0).isoformat().removesuffix("+00:00")
    first = _item(card, suggestion, f"{when}Z")
    answer = peer.send("POST", path, "accepted", {"feedback": [first]})
    is_there = answer.status not in (404, 405, 501)
    yield judged("CH-174", answer, is_there, "an endpoint; without it nobody learns what was done", advice=True)
    if not is_there:
        return
    yield judged("CH-175", answer, answer.status != 0, "an answer at the service's address plus /feedback")
    for report in _reports(first, when):
        answer = peer.send("POST", path, report.what, report.body)
        if report.is_good:
            yield judged(report.row, answer, answer.is_well, "2xx")
            if answer.is_well and answer.body:
                yield judged("CH-189", answer, bool(answer.document), "no body, or a JSON object with a member")
            elif answer.is_well:
                yield judged("CH-189", answer, True, "2xx")
        else:
            yield judged(report.row, answer, answer.is_refused, "4xx", advice=answer.is_well)


def _names(case: Case) -> tuple[str, str]:
    for card in case.answer.cards:
        for suggestion in card.get("suggestions", ()):
            if card.get("uuid") and suggestion.get("uuid"):
                return str(card["uuid"]), str(suggestion["uuid"])
    cards = [str(one["uuid"]) for one in case.answer.cards if one.get("uuid")]
    return (cards or [str(uuid4())])[0], str(uuid4())


def _item(card: str, suggestion: str, when: str) -> Json:
    return {
        "card": card,
        "outcome": "accepted",
        "acceptedSuggestions": [{"id": suggestion}],
        "outcomeTimestamp": when,
    }


def _reports(first: Json, when: str) -> Iterator[Report]:
    overridden = {"card": first["card"], "outcome": "overridden", "outcomeTimestamp": f"{when}Z"}
    batch = [{**first, "card": str(uuid4())} for _ in range(MANY)]

    def good(row: str, what: str, *items: Json) -> Report:
        return Report(row, what, {"feedback": list(items)}, True)

    def bad(row: str, what: str, body: Any) -> Report:
        return Report(row, what, body, False)

    yield good("CH-176", "in its list", first)
    yield bad("CH-176", "a single item without the list", first)
    yield bad("CH-176", "without items", {"feedback": "none"})
    yield good("CH-177", "about a card it was given", first)
    yield bad("CH-177", "without card", {"feedback": [{**overridden, "card": None}]})
    yield bad("CH-178", "with outcome ignored", {"feedback": [{**overridden, "outcome": "ignored"}]})
    yield good("CH-179", "with two suggestions", {**first, "acceptedSuggestions": [{"id": "a"}, {"id": "b"}]})
    yield good("CH-180", "overridden without a reason", overridden)
    yield good("CH-181", "overridden with a reason", {**overridden, "overrideReason": {"reason": _CODING}})
    yield good("CH-181", "overridden with a comment", {**overridden, "overrideReason": {"userComment": "synthetic"}})
    both = {"reason": _CODING, "userComment": "synthetic"}
    yield good("CH-181", "overridden with both", {**overridden, "overrideReason": both})
    yield good("CH-186", "with a reason of the client's own", {**overridden, "overrideReason": {"reason": _CODING}})
    yield good("CH-182", "at a fraction of a second", {**overridden, "outcomeTimestamp": f"{when}.25Z"})
    yield bad("CH-182", "at no time", {"feedback": [{**overridden, "outcomeTimestamp": "yesterday"}]})
    yield good("CH-183", f"about {MANY} cards", *batch)
    yield good("CH-184", "again", first)
    yield good("CH-184", "again with another outcome", overridden)
    yield good("CH-190", "about an unknown card beside a known one", first, {**overridden, "card": str(uuid4())})
