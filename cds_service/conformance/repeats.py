"""What several calls together show: same input, overlap, empty searches, and no proposal made twice."""

import copy
import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

from cds_service.conformance.calls import EMPTY
from cds_service.conformance.finding import Answer, Finding, Json, judged
from cds_service.conformance.peer import Peer
from cds_service.conformance.samples import Case, without_uuids

OVERLAPPING = 8
SLOW_SECONDS = 0.5  # CH-241


def probe_repeats(peer: Peer, case: Case) -> Iterator[Finding]:
    """CH-010, CH-035, CH-088, CH-246, CH-247."""
    offer, hook = case.offer, f"({case.offer.hook})"
    again = peer.call(offer.id, case.body, f"{hook} again")
    yield judged("CH-247", again, _are_same(again, case.answer), "the same cards as before")
    labelled = peer.call(
        offer.id, case.body, f"{hook} with charset=utf-8", Content_Type="application/json; charset=utf-8"
    )
    yield judged("CH-010", labelled, _are_same(labelled, case.answer), "the same cards as without charset")
    yield from _empty_searches(peer, case)
    yield from _accepted_suggestions(peer, case)


def _are_same(one: Answer, other: Answer) -> bool:
    return one.status == other.status and without_uuids(one.cards) == without_uuids(other.cards)


def _empty_searches(peer: Peer, case: Case) -> Iterator[Finding]:
    """CH-088: null and a searchset without entries, for every search that found nothing or something."""
    searches = [key for key, text in case.offer.prefetch.items() if "?" in text and key in case.body["prefetch"]]
    if not searches:
        return
    with_null = {**case.body, "prefetch": {**case.body["prefetch"], **dict.fromkeys(searches)}}
    with_empty = {**case.body, "prefetch": {**case.body["prefetch"], **dict.fromkeys(searches, EMPTY)}}
    one = peer.call(case.offer.id, with_null, f"({case.offer.hook}) with null for every search")
    other = peer.call(case.offer.id, with_empty, f"({case.offer.hook}) with an empty searchset for every search")
    yield judged("CH-088", other, _are_same(one, other), f"as with null: {one.received}")


def _accepted_suggestions(peer: Peer, case: Case) -> Iterator[Finding]:
    """CH-246: what was accepted stands among the drafts; it must not be proposed again."""
    if "draftOrders" not in case.body["context"]:
        return
    created = list(_created(case.answer))
    if not created:
        return
    body = copy.deepcopy(case.body)
    body["context"]["draftOrders"]["entry"] += [
        {"resource": {**one, "id": one.get("id", f"accepted-{place}")}} for place, one in enumerate(created)
    ]
    answer = peer.call(case.offer.id, body, f"({case.offer.hook}) with the suggested orders among the drafts")
    known = {_essence(one) for one in created}
    twice = [one for one in _created(answer) if _essence(one) in known]
    is_right = answer.status == 200 and not twice
    yield judged("CH-246", answer, is_right, "none of the accepted orders is proposed again")


def _created(answer: Answer) -> Iterator[Json]:
    for card in answer.cards:
        for suggestion in card.get("suggestions", ()):
            for action in suggestion.get("actions", ()):
                if action.get("type") == "create" and isinstance(action.get("resource"), dict):
                    yield action["resource"]


def _essence(resource: Json) -> str:
    kept = ("resourceType", "code", "medicationCodeableConcept", "occurrenceDateTime", "restriction", "description")
    return json.dumps({name: resource[name] for name in kept if name in resource}, sort_keys=True)


def probe_overlap(peers: list[Peer], cases: list[Case]) -> Iterator[Finding]:
    """CH-049: calls about different patients at the same time. One peer for each place: sessions are not shared."""
    turns = [(peers[place], cases[place % len(cases)]) for place in range(OVERLAPPING)]
    with ThreadPoolExecutor(OVERLAPPING) as pool:
        answers = list(
            pool.map(lambda turn: turn[0].call(turn[1].offer.id, turn[1].body, "beside seven others"), turns)
        )
    for answer, (_, case) in zip(answers, turns, strict=True):
        yield judged("CH-049", answer, _are_same(answer, case.answer), "the cards of its own call")


def probe_time(answers: list[Answer]) -> Iterator[Finding]:
    """CH-241, by the median of the good calls."""
    if answers:
        answer = sorted(answers, key=lambda one: one.seconds)[len(answers) // 2]
        expected = f"about {SLOW_SECONDS * 1000:.0f} ms; the median of {len(answers)} took {answer.seconds * 1000:.0f}"
        yield judged("CH-241", answer, answer.seconds <= SLOW_SECONDS, expected, advice=True)
