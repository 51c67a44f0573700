"""Runs the probes in an order that leaves earlier answers valid, and gathers what they found by row."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from uuid import uuid4

from cds_service.conformance import cards_probe, discovery_probe, feedback_probe, trust_probe
from cds_service.conformance.calls import probe_calls
from cds_service.conformance.cors_probe import ORIGIN, probe_cors
from cds_service.conformance.finding import Finding, Json, Verdict
from cds_service.conformance.peer import Peer
from cds_service.conformance.repeats import OVERLAPPING, probe_overlap, probe_repeats, probe_time
from cds_service.conformance.rows import Row, load_rows
from cds_service.conformance.samples import Case, Offer, bodies_for, read_offers
from cds_service.conformance.tokens import Signer
from cds_service.conformance.transport_probe import judge_transport
from cds_service.conformance.trap import probe_outgoing

_WORST_FIRST = (Verdict.FAILED, Verdict.ADVICE, Verdict.PASSED)


@dataclass(frozen=True, slots=True)
class Plan:
    """What to test and how; `samples` and `requests` are hook requests about synthetic patients."""

    base: str
    samples: Sequence[Json]  # general ones
    now: float  # seconds since 1970, for the times of feedback
    signer: Signer | None = None
    origin: str | None = None  # one the service answers; None tries a foreign one
    requests: Sequence[Json] = ()  # made for this service


@dataclass(frozen=True, slots=True)
class Result:
    """One row with its verdict and the findings behind it, worst first."""

    row: Row
    verdict: Verdict
    findings: tuple[Finding, ...]


@dataclass(frozen=True, slots=True)
class Outcome:
    """The whole test. `services` as `id (hook)`; `calls` is how many requests were made."""

    base: str
    services: tuple[str, ...]
    calls: int
    results: tuple[Result, ...]
    is_locked: bool = False  # discovery asks for a login

    @property
    def has_failed(self) -> bool:
        """A duty under 2.0.1 was not met, or nothing could be tested."""
        return not self.services or any(one.verdict is Verdict.FAILED and one.row.is_binding for one in self.results)


def run(plan: Plan) -> Outcome:
    """Tests one service. Network faults become findings."""
    peers = [_peer(plan) for _ in range(OVERLAPPING + 1)]
    peer, patient = peers[0], f"conformance-{uuid4().hex[:12]}"
    answer, findings = discovery_probe.probe_discovery(peer)
    if plan.signer is None:
        findings += trust_probe.not_asked(answer)
    offers = list(read_offers(answer.document)) if answer.status == 200 else []
    cases = [case for offer in offers for case in _good_calls(peer, offer, plan, patient)]
    findings += _probe_services(peers, plan, cases)
    for other in peers[1:]:
        peer.seen += other.seen
    for one in peer.seen:
        if one.sent.startswith("POST") and one.is_well and not one.path.endswith("/feedback"):
            findings += cards_probe.judge_envelope(one)
    findings += judge_transport(peer.seen, peer.base, [patient])
    services = tuple(f"{one.id} ({one.hook})" for one in offers)
    is_locked = answer.status in discovery_probe.LOGIN
    return Outcome(peer.base, services, len(peer.seen), tuple(_by_row(findings)), is_locked)


def _peer(plan: Plan) -> Peer:
    return Peer(plan.base) if plan.signer is None else Peer(plan.base, plan.signer.sign)


def _good_calls(peer: Peer, offer: Offer, plan: Plan, patient: str) -> Iterator[Case]:
    for number, (body, is_sample) in enumerate(bodies_for(offer, plan.requests, plan.samples, patient)):
        answer = peer.call(offer.id, body, f"({offer.hook}) a good call, no. {number + 1}")
        yield Case(offer, body, answer, is_sample)


def _probe_services(peers: list[Peer], plan: Plan, cases: list[Case]) -> Iterator[Finding]:
    peer = peers[0]
    yield from _judge_good_calls(cases)
    chosen = choose(cases)
    for case in chosen:
        yield from discovery_probe.probe_methods(peer, case.offer.id)
        yield from probe_calls(peer, case)
        yield from probe_repeats(peer, case)
        yield from probe_outgoing(peer, case)
    if chosen:
        yield from probe_overlap(peers[1:], chosen)
        yield from probe_cors(peer, chosen[0], plan.origin or ORIGIN, is_listed=plan.origin is not None)
        if plan.signer is not None:
            yield from trust_probe.probe_trust(peer, chosen[0], plan.signer)
    yield from probe_time([one.answer for one in cases if one.answer.is_well])
    taken = False
    for case in {one.offer.id: one for one in reversed(chosen)}.values():  # last: it may silence cards
        found = list(feedback_probe.probe_feedback(peer, case, plan.now))
        taken = taken or any(one.row == "CH-175" for one in found)
        yield from found
    yield from cards_probe.judge_uuids(cases, takes_feedback=taken)


def _judge_good_calls(cases: list[Case]) -> Iterator[Finding]:
    """CH-023 and CH-031, and all that a reply shows."""
    for case in cases:
        is_there = case.answer.status not in (0, 404, 405)
        verdict = Verdict.PASSED if is_there else Verdict.FAILED
        yield Finding("CH-023", verdict, case.answer.sent, case.answer.received, "an answer for each id on offer")
        if case.answer.is_well or (case.is_sample and case.answer.status >= 500):
            yield from cards_probe.judge_reply(case)
    hooks: dict[str, list[Case]] = {}
    for case in cases:
        hooks.setdefault(case.offer.id, []).append(case)
    for several in hooks.values():
        if len({case.offer.hook for case in several}) > 1:
            for case in several:
                verdict = Verdict.PASSED if case.answer.is_well else Verdict.FAILED
                yield Finding("CH-031", verdict, case.answer.sent, case.answer.received, "an answer for each hook")


def choose(cases: Sequence[Case]) -> list[Case]:
    """For each id and hook the good call that is changed in every way: one with cards if there is any.

    A call made up from the hook alone that was refused shows nothing: what this service needs is not known.
    """
    chosen: dict[tuple[str, str], Case] = {}
    for case in cases:
        if case.answer.status != 200:
            continue
        known = chosen.get((case.offer.id, case.offer.hook))
        if known is None or (case.has_cards and not known.has_cards):
            chosen[case.offer.id, case.offer.hook] = case
    return list(chosen.values())


def _by_row(findings: list[Finding]) -> Iterator[Result]:
    by_row: dict[str, list[Finding]] = {}
    for finding in findings:
        by_row.setdefault(finding.row, []).append(finding)
    for row in load_rows():
        found = sorted(by_row.get(row.id, ()), key=lambda one: _WORST_FIRST.index(one.verdict))
        yield Result(row, found[0].verdict if found else Verdict.UNSEEN, tuple(found))
