"""What the service makes of a pasted request: accepted or not, each key, what was read, what was set aside and why.

The parser, readers, rules and cards are those of a real call; the call is neither recorded nor logged.
"""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import date
from typing import Any

import msgspec

from cds_service import services
from cds_service.assembly import Client, Engine
from cds_service.clinical.case import Case
from cds_service.clinical.doses import name_product, plain
from cds_service.clinical.follow_up.course import open_chart
from cds_service.clinical.model import IronOrder, PatientFacts
from cds_service.clinical.reading import NAMES, Reading, show_day, show_result
from cds_service.clinical.wording import unquote
from cds_service.contracts import LARGEST_EXPLAINED, find_mistakes
from cds_service.discovery import REQUIRED, WITHOUT, Service
from cds_service.errors import CdsError
from cds_service.fhir.addresses import NoAccess
from cds_service.fhir.gather import Medications
from cds_service.fhir.prefetch import settle
from cds_service.fhir.wire import ReadContext
from cds_service.hooks import HookRequest, parse_request
from cds_service.services import Reply
from cds_service.web.safe_markdown import render_safe

Json = dict[str, Any]
NOT_ASKED = NoAccess("what a pasted request holds is shown, no server is asked")


def inspect_request(engine: Engine, body: bytes, today: date) -> Json:
    """`verdict` always; the rest as far as the request could be read. Never raises for what the body holds."""
    mistakes = _schema_mistakes(body)
    try:
        request = parse_request(body)
    except CdsError as wrong:
        return {"verdict": _refused(wrong), "schema": mistakes}
    service = next(one for one in engine.services if one.hook == request.hook)
    client = replace(engine.demo_client, profile=replace(engine.demo_client.profile, trace=True))
    reply: Reply | None = None
    try:
        reply = services.answer(engine, service, request, client, today)
        verdict: Json = {"status": 200, "title": _title(reply), "issues": []}
    except CdsError as wrong:
        verdict = _refused(wrong)
    chart = _find_chart(engine, service, request, client, today, reply)
    return {
        "verdict": verdict,
        "schema": mistakes,
        "hook": request.hook,
        "service": service.id,
        "keys": [_describe_key(request, key) for key in service.prefetch],
        "ignored": sorted(set(request.prefetch) - set(service.prefetch)),
        **(_describe_chart(chart) if chart else {}),
        **(_describe_reply(reply) if reply else {}),
    }


def _refused(wrong: CdsError) -> Json:
    return {"status": wrong.status, "title": wrong.title, "issues": list(wrong.issues)}


def _title(reply: Reply) -> str:
    number = len(reply.cards)
    if not number:
        return "Accepted; nothing to say about it: no card"
    return f"Accepted, answered with {number} card{'s' if number > 1 else ''}"


def _schema_mistakes(body: bytes) -> list[str] | None:
    """None where the body is no JSON, or too large to be checked while somebody waits."""
    if len(body) > 8 * LARGEST_EXPLAINED:
        return None
    try:
        return list(find_mistakes("request", msgspec.json.decode(body)))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None


def _describe_key(request: HookRequest, key: str) -> Json:
    """As the request has it, before anything is fetched."""
    settled = settle(request.prefetch, key)
    return {
        "key": key,
        "state": str(settled.state),
        "resources": len(settled.resources),
        "why": settled.why,
        "required": key in REQUIRED,
        "without": WITHOUT[key],
    }


# ------------------------------------------------------------------------------------------------------ what was read


def _find_chart(
    engine: Engine, service: Service, request: HookRequest, client: Client, today: date, reply: Reply | None
) -> Case | None:
    """The case that was decided, or where nothing was decided the chart as far as the request shows it."""
    if reply and reply.decisions:
        return reply.decisions[0].case
    if reply and reply.view:
        return reply.view.chart
    context = ReadContext(engine.index, client.zone, request.context.patient_id, today, engine.identifier_systems)
    settled = {key: settle(request.prefetch, key) for key in service.prefetch}
    with engine.servers.begin(NOT_ASKED) as errand:
        try:
            session = services.read_session(
                context, request, frozenset(), errand, Medications([[one.raw for one in request.context.draft_orders]])
            )
            _, facts = services.read_facts(context, settled, request, session, (), errand, Medications([]))
        except CdsError:
            return None  # the verdict says it
    case = open_chart(facts, today, client.label)
    return Case(session[0], session, facts, today, request.hook, client.label) if session else case


def _describe_chart(case: Case) -> Json:
    readings = (case.ferritin, case.tsat, case.hemoglobin, case.crp, case.phosphate, case.weight)
    facts = case.facts
    return {
        "orders": [_describe_order(order) for order in case.session if order.reference],
        "read": [*_describe_readings(readings), *_describe_facts(facts)],
        "setAside": [one for reading in readings for one in _describe_set_aside(reading)],
        "gaps": [{"reference": gap.reference, "key": gap.key, "why": gap.why} for gap in facts.gaps],
    }


def _describe_order(order: IronOrder) -> Json:
    dose = order.dose
    written = f"{plain(dose.mg)} mg" if dose.mg else f"{plain(dose.mg_per_kg)} mg/kg" if dose.mg_per_kg else ""
    return {
        "reference": order.reference,
        "name": unquote(order.name),
        "product": name_product(order.ingredient),
        "dose": written or unquote(dose.unreadable) or "none written",
        "planned": ", ".join(map(str, order.planned)) or "no date",
    }


def _describe_readings(readings: Iterable[Reading]) -> Iterable[Json]:
    for reading in readings:
        if result := reading.chosen:
            note = "; ".join(one for one in (result.note, reading.caution) if one)
            yield _fact(NAMES[reading.analyte], show_result(result), show_day(result.day), result.reference, note)


def _describe_facts(facts: PatientFacts) -> Iterable[Json]:
    for one in facts.conditions:
        status = " ".join(filter(None, (one.clinical_status, one.verification_status)))
        yield _fact("problem", one.name, show_day(one.day), one.reference, status)
    for allergy in facts.allergies:
        yield _fact("allergy", allergy.name, show_day(allergy.day), allergy.reference, allergy.reactions)
    for record in facts.dose_records:
        amount = f"{plain(record.amount_mg)} mg " if record.amount_mg else ""
        yield _fact(
            "iron given",
            amount + name_product(record.ingredient),
            show_day(record.day),
            record.reference,
            record.source,
        )
    for order in facts.signed_orders:
        yield _fact("iron ordered", order.name, show_day(order.authored), order.reference, order.status or "")
    for drug in facts.medications:
        yield _fact("drug", drug.name, show_day(drug.start), drug.reference, "active" if drug.is_active else "past")
    for total in facts.severity:
        yield _fact("RLS severity total", plain(total.total), show_day(total.day), total.reference)
    for evidence in facts.pregnancy:
        yield _fact("pregnancy", str(evidence.source), show_day(evidence.day), evidence.reference)
    for contact in facts.arranged:
        due = contact.due.isoformat() if contact.due else ""
        yield _fact("reassessment", contact.test or contact.contact, due, contact.reference, contact.status)


def _fact(what: str, value: str, day: str, reference: str, note: str = "") -> Json:
    return {"what": what, "value": unquote(value), "day": day, "reference": reference, "note": unquote(note)}


def _describe_set_aside(reading: Reading) -> Iterable[Json]:
    for one in reading.set_aside:
        yield _fact(
            NAMES[reading.analyte],
            one.result.recorded,
            show_day(one.result.day),
            one.result.reference,
            one.why,
        )


def _describe_reply(reply: Reply) -> Json:
    described: Json = {"cards": reply.cards, "details": [render_safe(card.get("detail", "")) for card in reply.cards]}
    return {**described, "extension": reply.extension} if reply.extension else described


def check_messages(messages: Mapping[str, Any]) -> dict[str, list[str]]:
    """By name of an entry point of the schemas (`request`, `response:strict`, ...): what is wrong with that message."""
    return {
        name: list(find_mistakes(name, messages[name], most=MOST_SHOWN)) for name in ENTRY_POINTS if name in messages
    }


ENTRY_POINTS = ("discovery:strict", "request", "response:strict", "feedback")
MOST_SHOWN = 25
