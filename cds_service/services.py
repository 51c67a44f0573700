"""What is built once at start, and the one pipeline that answers a call."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any
from zoneinfo import ZoneInfo

import msgspec

from cds_service import discovery, knowledge_stamp
from cds_service.card_parts import Chart, Profile, Shop
from cds_service.cards import render_cards
from cds_service.clinical import codes
from cds_service.clinical.case import Case
from cds_service.clinical.codes import CodeIndex, ValueSetError
from cds_service.clinical.decision import Decision, decide
from cds_service.clinical.model import Conclusion, IronOrder, PatientFacts
from cds_service.clinical.rules import RULES, scope
from cds_service.errors import BadRequest, ConfigurationError, PreconditionFailed
from cds_service.fhir import iron_orders, reader
from cds_service.fhir.addresses import AllowedBase
from cds_service.fhir.orders import OrderCodes
from cds_service.fhir.prefetch import Settled, State, settle
from cds_service.fhir.wire import ReadContext, Resolver
from cds_service.hooks import DraftOrder, HookRequest
from cds_service.settings import Settings
from cds_service.trace import EXTENSION, render_trace

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Client:
    """The CDS Client that calls, and what its registry entry says of it."""

    name: str
    profile: Profile
    label: str  # product label profile
    zone: ZoneInfo | None  # its site's zone (R-08a)
    fhir_bases: tuple[AllowedBase, ...] = ()  # the only servers contacted for it
    live_share: int = 100  # per cent of patients whose cards are shown; 0 is silent mode


@dataclass(frozen=True, slots=True)
class Engine:
    """Everything that no call changes."""

    services: tuple[discovery.Service, ...]
    index: CodeIndex
    shop: Shop
    identifier_systems: frozenset[str]
    demo_client: Client

    @property
    def canonical(self) -> str:
        return self.shop.canonical


@dataclass(frozen=True, slots=True)
class Reply:
    """What is answered, and one word for the log. `decisions` are for the record of the call."""

    cards: Sequence[Json]
    extension: Json | None
    outcome: str  # "cards" or "nothing-to-say"
    decisions: tuple[Decision, ...] = ()


NOTHING = Reply((), None, "nothing-to-say")
FHIR_PATH = "/fhir"  # canonicals resolve under it on the running service


def build_engine(settings: Settings) -> Engine:
    """Raises `ConfigurationError` naming the file that cannot be used."""
    canonical = settings.canonical + FHIR_PATH
    try:
        former = tuple(f"{one}{FHIR_PATH}" for one in settings.former_canonicals)
        index = codes.load(settings.valuesets, canonical, former=former)
    except ValueSetError as wrong:
        raise ConfigurationError(f"CDS_VALUESETS: {wrong}") from wrong
    shop = Shop(
        canonical=canonical,
        knowledge_url=f"{settings.canonical}/knowledge",
        stamp=knowledge_stamp.stamp(index),
        codes=order_codes(index),
        reasons={coding.code: coding for coding in index.codings("override-reason")},
    )
    return Engine(
        services=discovery.build_services(index),
        index=index,
        shop=shop,
        identifier_systems=frozenset(
            {
                shop.identifier_system,
                *(f"{one}/NamingSystem/reassessment" for one in former),
            }
        ),
        demo_client=Client("demo", Profile(trace=settings.trace), settings.label, settings.zone),
    )


def order_codes(index: CodeIndex) -> OrderCodes:
    """The codings written into the resources we offer."""
    tasks = {coding.code: coding for coding in index.codings("task-code")}
    return OrderCodes(
        contact=index.preferred("follow-up"),
        contact_category=index.preferred("evaluation-category"),
        laboratory_category=index.preferred("laboratory-category"),
        rls=index.preferred("rls"),
        fulfill=tasks["fulfill"],
        tests={test: index.preferred(test) for test in iron_orders.TESTS},
    )


def answer(
    engine: Engine,
    service: discovery.Service,
    request: HookRequest,
    client: Client,
    as_of: date,
) -> Reply:
    """Answer one call: scope, data, facts, decisions, cards. Raises `PreconditionFailed` naming what is missing,
    `BadRequest` for an order about another patient."""
    context = ReadContext(
        engine.index,
        client.zone,
        request.context.patient_id,
        as_of,
        engine.identifier_systems,
    )
    chosen = frozenset(request.selected)
    session = read_session(context, request, chosen)
    selected = {draft_reference(place, one) for place, one in enumerate(request.context.draft_orders) if one in chosen}
    evaluated = [order for order in session if order.reference in selected]
    if not evaluated:
        return NOTHING
    settled = settle_all(service, request)
    facts = read_facts(context, settled, request, session)
    decisions = tuple(decide(RULES, Case(one, session, facts, as_of, request.hook, client.label)) for one in evaluated)
    return _reply(engine, client, request, context, settled, decisions)


def draft_reference(place: int, draft: DraftOrder) -> str:
    """`Type/id`; an order without id is told by its place."""
    return draft.reference or f"{draft.resource_type}/entry-{place + 1}"


def read_session(context: ReadContext, request: HookRequest, chosen: frozenset[DraftOrder]) -> tuple[IronOrder, ...]:
    """The parenteral-iron orders of the session that R-01 leaves in scope, in the order of the Bundle."""
    drafts = request.context.draft_orders
    resolve = _resolver(drafts)
    orders = []
    for place, draft in enumerate(drafts):
        read = iron_orders.read_order(context, draft_reference(place, draft), draft.raw, resolve)
        if isinstance(read, iron_orders.UnreadableOrder):
            if draft in chosen:
                why = f"the drug of a selected order cannot be read: nothing resolves {read.reference}"
                raise PreconditionFailed((read.reference,), why)
        elif isinstance(read, iron_orders.ForeignOrder):
            if draft in chosen:  # CH-064: a session never mixes patients
                member = f"context.draftOrders.entry[{place}].resource.subject"
                raise BadRequest(f"{member}: is not the patient of the context")
        elif isinstance(read, IronOrder) and scope.is_parenteral_iron_order(read):
            orders.append(read)
    return tuple(orders)


def _resolver(drafts: Sequence[DraftOrder]) -> Resolver:
    """Medications that travel in the Bundle of the orders."""
    bundled = {draft.reference: draft.raw for draft in drafts if draft.reference}
    return bundled.get


def settle_all(service: discovery.Service, request: HookRequest) -> dict[str, Settled]:
    """Each announced key; other keys are never read (CH-095). Required and unobtainable is 412 (CH-091)."""
    settled = {key: settle(request.prefetch, key) for key in service.prefetch}
    lost = tuple(key for key in discovery.REQUIRED if settled[key].state in (State.MISSING, State.FAILED))
    if lost:
        reasons = "; ".join(f"{key}: {settled[key].why}" for key in lost)
        raise PreconditionFailed(lost, f"required data could not be obtained ({reasons})")
    return settled


_NOT_ANSWERED = (State.MISSING, State.FAILED, State.INCOMPLETE)


def read_facts(
    context: ReadContext,
    settled: Mapping[str, Settled],
    request: HookRequest,
    session: Sequence[IronOrder],
) -> PatientFacts:
    """FHIR to facts; keys that could not be obtained are named, not taken for empty (3.1)."""
    unavailable = {key: str(one.state) for key, one in settled.items() if one.state in _NOT_ANSWERED}
    data: Mapping[str, Sequence[msgspec.Raw]] = {key: one.resources for key, one in settled.items()}
    drafts = [draft.raw for draft in request.context.draft_orders]
    known = frozenset(order.reference for order in session)
    return reader.read_facts(context, data, unavailable, drafts, session=known)


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
    return {
        "knowledge": {
            "version": stamp.version,
            "date": stamp.date,
            "digest": stamp.digest,
            "review": stamp.review,
        },
        "prefetch": {key: str(one.state) for key, one in settled.items()},
        "orders": [render_trace(decision) for decision in shown],
    }
