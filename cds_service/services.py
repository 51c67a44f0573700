"""The one pipeline that answers a call."""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from functools import partial
from typing import Any, TypeAlias

import msgspec

from cds_service import discovery
from cds_service.assembly import Client, Engine
from cds_service.card_parts import Chart
from cds_service.cards import render_cards
from cds_service.clinical.case import Case
from cds_service.clinical.decision import Decision, decide
from cds_service.clinical.follow_up import view as follow_up
from cds_service.clinical.model import Conclusion, IronOrder, PatientFacts
from cds_service.clinical.rules import RULES, scope
from cds_service.errors import BadRequest, PreconditionFailed
from cds_service.fhir import arranged, iron_orders, orders, reader
from cds_service.fhir.addresses import Access, NoAccess, find_access
from cds_service.fhir.gather import Errand, Medications, jobs_for, merge, settle_suffices, unresolved_drugs
from cds_service.fhir.pages import judge_pages
from cds_service.fhir.prefetch import Settled, State, settle
from cds_service.fhir.wire import ReadContext
from cds_service.follow_up_cards import render_follow_up
from cds_service.follow_up_suggestions import Desktop
from cds_service.follow_up_trace import render_view_trace
from cds_service.hooks import PATIENT_VIEW, DraftOrder, HookRequest
from cds_service.progress import DECIDE, FETCH, FETCHED, READ, RENDER, Progress
from cds_service.trace import EXTENSION, present, present_throughout, render_trace

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Reply:
    """What is answered, and one word for the log. `decisions` are for the record of the call."""

    cards: Sequence[Json]
    extension: Json | None
    outcome: str  # "cards" or "nothing-to-say"
    decisions: tuple[Decision, ...] = ()
    suppressed: tuple[str, ...] = ()  # topics that stay away after an override (R-50c); for log and metrics
    view: follow_up.View | None = None  # of an opened chart; for the record of the call


# Each order is judged beside every other: a thousand took 19 seconds and made an answer of 250 MB.
MOST_ORDERS = 50
_REFERENCE = re.compile(r"#?[A-Za-z0-9./:_|-]{1,200}").fullmatch  # else it may hold any text of the chart
NOTHING = Reply((), None, "nothing-to-say")
FindOverrides: TypeAlias = Callable[[], Mapping[str, date]]
NOT_FOR = ("Patient/", "RelatedPerson/")  # R-50c: the texts are for professionals (CH-060)


def answer(
    engine: Engine,
    service: discovery.Service,
    request: HookRequest,
    client: Client,
    as_of: date,
    traceparent: str = "",
    find_overrides: FindOverrides = dict,
    progress: Progress | None = None,
    request_id: str = "",
) -> Reply:
    """Answer one call: scope, data, facts, decisions, cards. Raises `PreconditionFailed` naming what is missing,
    `BadRequest` for an order about another patient, `Overloaded` when too many calls wait for FHIR servers.

    `find_overrides`: topic of a patient-view card to the day of its latest override with a coded reason (R-50c). It is
    asked once, and only for a patient in scope. What is noted on the way goes into `progress`.
    """
    progress = progress or Progress()
    context = ReadContext(
        engine.index,
        client.zone,
        request.context.patient_id,
        as_of,
        engine.identifier_systems,
    )
    with engine.servers.begin(find_way(request, client, traceparent, request_id), progress.failures) as errand:
        if request.hook == PATIENT_VIEW:
            return answer_view(engine, service, request, client, context, errand, find_overrides, progress)
        drafts = request.context.draft_orders
        medications = Medications([[draft.raw for draft in drafts]])
        medications.add({draft.full_url: draft.raw for draft in drafts if draft.full_url})
        chosen = frozenset(request.selected)
        session = read_session(context, request, chosen, errand, medications)
        selected = {
            draft_reference(place, one) for place, one in enumerate(request.context.draft_orders) if one in chosen
        }
        evaluated = [order for order in session if order.reference in selected]
        progress.finish(READ)
        if not evaluated:
            return NOTHING  # no key is settled, and nothing fetched, for other drugs
        settled = obtain(context, service, request, errand, progress)
        settled, facts = read_facts(context, settled, request, session, evaluated, errand, medications)
        progress.finish(READ)
    decisions = tuple(decide(RULES, Case(one, session, facts, as_of, request.hook, client.label)) for one in evaluated)
    progress.finish(DECIDE)
    reply = _reply(engine, client, request, context, settled, decisions)
    progress.finish(RENDER)
    return reply


def answer_view(
    engine: Engine,
    service: discovery.Service,
    request: HookRequest,
    client: Client,
    context: ReadContext,
    errand: Errand,
    find_overrides: FindOverrides,
    progress: Progress,
) -> Reply:
    """An opened chart. The hook fires at every one of them: without RLS only two keys are looked at (R-50c)."""
    if request.context.user_id.startswith(NOT_FOR):
        return NOTHING
    scope_keys = {key: service.prefetch[key] for key in discovery.SCOPE}
    settled = obtain(context, replace(service, prefetch=scope_keys), request, errand, progress)
    medications = Medications([])
    settled, facts = read_facts(context, settled, request, (), (), errand, medications)
    progress.finish(READ)
    if not follow_up.is_in_scope(facts, context.as_of):
        return NOTHING
    others = {key: query for key, query in service.prefetch.items() if key not in scope_keys}
    settled |= obtain(context, replace(service, prefetch=others), request, errand, progress)
    settled, facts = read_facts(context, settled, request, (), (), errand, medications)
    progress.finish(READ)
    return _reply_to_view(engine, client, context, settled, facts, find_overrides(), progress)


def _reply_to_view(
    engine: Engine,
    client: Client,
    context: ReadContext,
    settled: Mapping[str, Settled],
    facts: PatientFacts,
    overrides: Mapping[str, date],
    progress: Progress,
) -> Reply:
    """Cards and trace; what stays away after an override is told, too."""
    desktop, profile = _lay_out(engine, client, context, settled), client.profile
    question = follow_up.Question(
        as_of=context.as_of,
        label=client.label,
        name_course=partial(orders.course_part, context.patient_id),
        ordered_tests=desktop.ordered_tests,
        offers_candidate=profile.candidate,
        offers_iron_studies=profile.iron_studies,
        overrides=overrides,
    )
    view = follow_up.view_chart(facts, question)
    progress.finish(DECIDE)
    cards = render_follow_up(desktop, view)
    traced = {**_trace(engine, settled, ()), "followUp": present_throughout(render_view_trace(view))}
    extension = {EXTENSION: traced} if profile.trace and (cards or view.suppressed) else None
    outcome = "cards" if cards else NOTHING.outcome
    progress.finish(RENDER)
    return Reply(cards, extension, outcome, suppressed=tuple(str(topic) for topic in view.suppressed), view=view)


def _lay_out(engine: Engine, client: Client, context: ReadContext, settled: Mapping[str, Settled]) -> Desktop:
    """What the chart orders already."""
    return Desktop(
        engine.shop,
        client.profile,
        context.patient_id,
        iron_orders.read_ordered_tests(context, settled["follow_up"].resources),
        arranged.read_pending_totals(context, settled["rls_severity"].resources),
    )


def find_way(request: HookRequest, client: Client, traceparent: str, request_id: str = "") -> Access | NoAccess:
    """Whether this call may query its FHIR server: a listed base and a token (CH-097, CH-098, CH-108)."""
    granted = request.fhir_authorization
    token, scopes = (granted.access_token, granted.scope) if granted else (None, "")
    return find_access(request.fhir_server, token, scopes, client.fhir_bases, traceparent, request_id)


def draft_reference(place: int, draft: DraftOrder) -> str:
    """`Type/id`; an order without id is told by its place."""
    return draft.reference or f"{draft.resource_type}/entry-{place + 1}"


def read_session(
    context: ReadContext,
    request: HookRequest,
    chosen: frozenset[DraftOrder],
    errand: Errand,
    medications: Medications,
) -> tuple[IronOrder, ...]:
    """The parenteral-iron orders of the session that R-01 leaves in scope, in the order of the Bundle.

    Drugs of selected orders are looked up on the server, if it takes that; of the others only beside an iron order.
    """
    orders, unread = _read_orders(context, request, chosen, medications)
    wanted = [one for draft, one in unread if draft in chosen]
    if wanted and _fetch_drugs(errand, wanted, medications):
        orders, unread = _read_orders(context, request, chosen, medications)
        wanted = [one for draft, one in unread if draft in chosen]
    if wanted:
        named = wanted[0] if _REFERENCE(wanted[0]) else "its reference, which is none"
        why = f"the drug of a selected order cannot be read: nothing resolves {named}"
        raise PreconditionFailed((named,), _and_why_not(why, errand))
    if orders and unread and _fetch_drugs(errand, [one for _, one in unread], medications):
        orders, _ = _read_orders(context, request, chosen, medications)
    if len(orders) > MOST_ORDERS:
        raise BadRequest(f"context.draftOrders: holds more than {MOST_ORDERS} orders of intravenous iron")
    return orders


def _fetch_drugs(errand: Errand, references: Sequence[str], medications: Medications) -> bool:
    """Whether a Medication more is at hand."""
    fetched = errand.read("Medication", references)
    medications.add(fetched)
    return bool(fetched)


def _read_orders(
    context: ReadContext, request: HookRequest, chosen: frozenset[DraftOrder], medications: Medications
) -> tuple[tuple[IronOrder, ...], list[tuple[DraftOrder, str]]]:
    """Iron orders in scope, and the orders whose drug cannot be told with the reference that nothing resolves."""
    orders, unread = [], []
    for place, draft in enumerate(request.context.draft_orders):
        read = iron_orders.read_order(context, draft_reference(place, draft), draft.raw, medications)
        if isinstance(read, iron_orders.UnreadableOrder):
            unread.append((draft, read.reference))
        elif isinstance(read, iron_orders.ForeignOrder):
            if draft in chosen:  # CH-064: a session never mixes patients
                member = f"context.draftOrders.entry[{place}].resource.subject"
                raise BadRequest(f"{member}: is not the patient of the context")
        elif isinstance(read, IronOrder) and scope.is_parenteral_iron_order(read):
            orders.append(read)
    return tuple(orders), unread


def obtain(
    context: ReadContext, service: discovery.Service, request: HookRequest, errand: Errand, progress: Progress
) -> dict[str, Settled]:
    """Each announced key, other keys are never read (CH-095): supplied, or fetched where that is needed and possible.

    Required and unobtainable is 412 (CH-091).
    """
    settled = {key: settle(request.prefetch, key) for key in service.prefetch}
    asked: Mapping[str, object] = {}
    if not all(one.is_answered for one in settled.values()):
        enough = judge_pages(context)
        settled = settle_suffices(settled, enough)
        if errand.can_ask:
            asked = jobs = jobs_for(settled, service.prefetch, discovery.REQUIRED, context.patient_id)
            settled = merge(settled, errand.ask(jobs, enough))
    _note(progress, settled, asked)
    required = [key for key in discovery.REQUIRED if key in settled]
    lost = tuple(key for key in required if settled[key].state in (State.MISSING, State.FAILED))
    if lost:
        reasons = "; ".join(f"{key}: {settled[key].why}" for key in lost)
        raise PreconditionFailed(lost, _and_why_not(f"required data could not be obtained ({reasons})", errand))
    return settled


def _note(progress: Progress, settled: Mapping[str, Settled], asked: Iterable[str]) -> None:
    progress.settled.update({key: one.state for key, one in settled.items()})
    for key in asked:
        if settled[key].is_answered:
            progress.settled[key] = FETCHED
    progress.finish(FETCH)


def _and_why_not(words: str, errand: Errand) -> str:
    """With the reason why the FHIR server was not asked, and what to do about it."""
    return words if errand.can_ask else f"{words}; no FHIR server was asked: {errand.why_not}"


_NOT_ANSWERED = (State.MISSING, State.FAILED, State.INCOMPLETE)
_WITH_DRUGS = ("medications", "iron_administrations", "medication_statements")


def read_facts(
    context: ReadContext,
    settled: dict[str, Settled],
    request: HookRequest,
    session: Sequence[IronOrder],
    evaluated: Sequence[IronOrder],
    errand: Errand,
    medications: Medications,
) -> tuple[dict[str, Settled], PatientFacts]:
    """FHIR to facts; keys that could not be obtained are named, not taken for empty (3.1).

    References that decide something are followed: the drugs of the chart's records, and the reason of an order where
    the problem list has no RLS (R-02).
    """
    with_drugs = [settled[key].resources for key in _WITH_DRUGS if key in settled]
    medications.look_in(with_drugs)
    facts = _read_facts(context, settled, request, session, medications)
    if not errand.can_ask:
        return settled, facts
    drugs = unresolved_drugs((raw for resources in with_drugs for raw in resources), medications)
    has_drugs = bool(drugs) and _fetch_drugs(errand, drugs, medications)
    reasons = errand.read("Condition", _open_reasons(evaluated, facts))
    if not (has_drugs or reasons):
        return settled, facts
    if reasons:
        known = settled["conditions"]
        state = State.SUPPLIED if known.is_answered else known.state
        found = replace(known, state=state, resources=(*known.resources, *reasons.values()))
        settled = {**settled, "conditions": found}
    return settled, _read_facts(context, settled, request, session, medications)


def _open_reasons(evaluated: Sequence[IronOrder], facts: PatientFacts) -> list[str]:
    """Reasons of the evaluated orders that may be RLS and are not on the problem list."""
    if scope.find_rls(facts.conditions):
        return []
    known = {one.reference for one in facts.conditions}
    return [
        one for order in evaluated if not order.reason_is_rls for one in order.reason_references if one not in known
    ]


def _read_facts(
    context: ReadContext,
    settled: Mapping[str, Settled],
    request: HookRequest,
    session: Sequence[IronOrder],
    medications: Medications,
) -> PatientFacts:
    unavailable = {key: str(one.state) for key, one in settled.items() if one.state in _NOT_ANSWERED}
    data: Mapping[str, Sequence[msgspec.Raw]] = {key: one.resources for key, one in settled.items()}
    drafts = [draft.raw for draft in request.context.draft_orders]
    known = frozenset(order.reference for order in session)
    return reader.read_facts(context, data, unavailable, drafts, resolve=medications, session=known)


def _reply(
    engine: Engine,
    client: Client,
    request: HookRequest,
    context: ReadContext,
    settled: Mapping[str, Settled],
    decisions: tuple[Decision, ...],
) -> Reply:
    drafts = [draft.raw for draft in request.context.draft_orders]
    chart = Chart(request.context.patient_id, iron_orders.read_drafted_tests(context, drafts))
    cards = render_cards(engine.shop, client.profile, chart, decisions)
    if not cards:
        return NOTHING
    extension = {EXTENSION: _trace(engine, settled, decisions)} if client.profile.trace else None
    return Reply(cards, extension, "cards", decisions)


def _trace(engine: Engine, settled: Mapping[str, Settled], decisions: Sequence[Decision]) -> Json:
    stamp = engine.shop.stamp
    shown = [decision for decision in decisions if decision.conclusion is not Conclusion.OUT_OF_SCOPE]
    return present(
        {
            "knowledge": {
                "version": stamp.version,
                "date": stamp.date,
                "digest": stamp.digest,
                "review": stamp.review,
            },
            "prefetch": {key: str(one.state) for key, one in settled.items()},
            "notObtained": {key: one.why for key, one in settled.items() if one.why},
            "orders": [render_trace(decision) for decision in shown],
        }
    )
