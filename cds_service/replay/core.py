"""One patient's lines to rows: every IV iron order decided as of its moment, with the code that answers hooks."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import groupby
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Raw

from cds_service.assembly import Engine, build_engine
from cds_service.clinical.case import Case
from cds_service.clinical.decision import Decision, decide
from cds_service.clinical.given_doses import local_reference
from cds_service.clinical.model import Conclusion, ConditionEntry, IronOrder, PatientFacts
from cds_service.clinical.reading import Reading
from cds_service.clinical.rules import RULES
from cds_service.fhir import iron_orders, reader
from cds_service.fhir.drugs import Drug, read_drug
from cds_service.fhir.gather import Medications
from cds_service.fhir.wire import MEDICATION, UNREADABLE
from cds_service.records import rule_ids
from cds_service.replay.as_of import Chart, chart_at
from cds_service.replay.entries import Place, Tallies
from cds_service.replay.follow_up import Desk, follow_courses
from cds_service.replay.history import History, Order, read_history
from cds_service.replay.lines import Line
from cds_service.replay.moments import Basis, Moment
from cds_service.replay.rows import ORDER, WHAT_IF, Naming, Row, show_amount, show_value, words, yes
from cds_service.settings import Settings

HOOK = "order-select"
NEVER_MEASURED = "never measured"


@dataclass(frozen=True, slots=True)
class Setup:
    """All that a run depends on besides the export; travels to other processes and machines."""

    settings: Mapping[str, Any]
    until: date
    what_if: bool = False
    is_identified: bool = False
    key: bytes = b""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one patient gave: rows in no particular order, and counts for the report."""

    decisions: tuple[Row, ...]
    follow_ups: tuple[Row, ...]
    tallies: Tallies


@dataclass(frozen=True, slots=True)
class Replay:
    """Made once for a process."""

    setup: Setup
    engine: Engine
    place: Place
    naming: Naming
    label: str
    trial: Raw  # the order that `--what-if` supposes


# ------------------------------------------------------------------------------------------------------------ set-up

SETTINGS = ("valuesets", "canonical", "former_canonicals", "public_url", "timezone", "label")


def kept_settings(settings: Settings) -> dict[str, Any]:
    """The settings that a decision rests on, as plain values."""
    found = {name: getattr(settings, name) for name in SETTINGS}
    return {name: str(value) if isinstance(value, Path) else value for name, value in found.items() if value}


def open_replay(setup: Setup, medications: Iterable[tuple[str, bytes]]) -> Replay:
    """`medications`: the Medication resources of the export, id and undecoded resource."""
    engine = build_engine(Settings(**setup.settings))
    client = engine.demo_client
    found = Medications([])
    place = Place(engine.index, client.zone, engine.identifier_systems, found)
    found.add({f"Medication/{name}": _shorten(place, raw) for name, raw in medications})
    return Replay(
        setup=setup,
        engine=engine,
        place=place,
        naming=Naming(setup.key, setup.is_identified),
        label=client.label,
        trial=_trial_order(engine),
    )


_OTHER_DRUG = Raw(b'{"resourceType":"Medication","code":{"text":"a drug without rule"}}')


def _shorten(place: Place, raw: bytes) -> Raw:
    """A formulary is long. Of a drug that no rule knows nothing is kept but that it is there."""
    try:
        medication = MEDICATION.decode(raw)
        drug = read_drug(place.context("", date.min), medication.code, None, None, None)
    except UNREADABLE:
        return Raw(raw)
    return _OTHER_DRUG if isinstance(drug, Drug) and not drug.concepts else Raw(raw)


def _trial_order(engine: Engine) -> Raw:
    coding = engine.index.preferred("fcm")
    return Raw(
        msgspec.json.encode(
            {
                "resourceType": "MedicationRequest",
                "id": WHAT_IF,
                "status": "draft",
                "intent": "order",
                "medicationCodeableConcept": {
                    "coding": [{"system": coding.system, "code": coding.code, "display": coding.display}],
                },
            }
        )
    )


# ----------------------------------------------------------------------------------------------------------- decisions


def replay_patient(replay: Replay, patient: str, lines: Iterable[Line]) -> Outcome:
    """Pure: the same rows for the same lines in any order."""
    tallies: Tallies = Counter()
    history = read_history(replay.place, patient, lines, tallies)
    conditions = _all_conditions(replay, history)
    has_rls = any("rls" in one.concepts and one.counts for one in conditions)
    tallies["patients", "all", ""] += 1
    tallies["patients", "with an entry of RLS", ""] += has_rls
    gaps: set[tuple[str, str]] = set()
    decisions = [*_decide_orders(replay, history, gaps, tallies)]
    follow_ups: list[Row] = []
    if has_rls:
        if replay.setup.what_if:
            decisions += _decide_trials(replay, history, gaps)
        desk = Desk(replay.place, replay.naming, replay.label, replay.setup.until)
        follow_ups = list(follow_courses(desk, history, gaps))
    for reference, why in gaps:
        tallies["unreadable", reference.partition("/")[0].partition(" ")[0], why] += 1
    return Outcome(tuple(decisions), tuple(follow_ups), tallies)


def _all_conditions(replay: Replay, history: History) -> tuple[ConditionEntry, ...]:
    raws = [entry.raw for entry in history.entries if entry.type == "Condition"]
    context = replay.place.context(history.patient, replay.setup.until)
    return reader.read_facts(context, {"conditions": raws}, {}).conditions if raws else ()


def _decide_orders(replay: Replay, history: History, gaps: set[tuple[str, str]], tallies: Tallies) -> Iterator[Row]:
    """Orders written at one moment are one session, all of it selected."""
    for _, written in groupby(history.orders, key=lambda one: str(one.moment)):
        orders = tuple(written)
        tallies["orders", "replayed", ""] += len(orders)
        drafts = [one.draft for one in orders]
        session = tuple(one.read for one in orders)
        chart = chart_at(history, orders[0].moment, [one.entry.reference for one in orders])
        facts = _read(replay, history, chart, orders[0].moment, drafts, session, gaps)
        stand_ins = _count_stand_ins(history, orders[0].moment)
        for order in orders:
            case = Case(order.read, session, facts, order.moment.day, HOOK, replay.label)
            yield _decision_row(replay, history.patient, ORDER, order, decide(RULES, case), stand_ins)


def _decide_trials(replay: Replay, history: History, gaps: set[tuple[str, str]]) -> Iterator[Row]:
    """`--what-if`: ferric carboxymaltose chosen at the moment a ferritin became known; nothing where RLS is not."""
    news = {
        entry.known.moment: entry
        for entry in history.entries
        if "ferritin" in entry.keys and entry.known.moment is not None
    }
    for moment, entry in sorted(news.items(), key=lambda one: str(one[0])):
        context = replay.place.context(history.patient, moment.day)
        reference = f"MedicationRequest/{WHAT_IF}"
        read = iron_orders.read_order(context, reference, replay.trial, None)
        if not isinstance(read, IronOrder):
            raise TypeError("the order that --what-if supposes is no order for iron")
        facts = _read(replay, history, chart_at(history, moment), moment, [replay.trial], (read,), gaps)
        decision = decide(RULES, Case(read, (read,), facts, moment.day, HOOK, replay.label))
        if decision.conclusion is not Conclusion.OUT_OF_SCOPE:
            order = Order(entry, replay.trial, read, moment, "")
            stand_ins = _count_stand_ins(history, moment)
            yield _decision_row(replay, history.patient, WHAT_IF, order, decision, stand_ins)


def _read(
    replay: Replay,
    history: History,
    chart: Chart,
    moment: Moment,
    drafts: Sequence[Raw],
    session: tuple[IronOrder, ...],
    gaps: set[tuple[str, str]],
) -> PatientFacts:
    context = replay.place.context(history.patient, moment.day)
    known = frozenset(one.reference for one in session)
    facts = reader.read_facts(context, chart, {}, drafts, resolve=replay.place.resolve, session=known)
    gaps.update((gap.reference, gap.why) for gap in facts.gaps)
    return facts


def _count_stand_ins(history: History, moment: Moment) -> int:
    return sum(entry.known.basis is Basis.STAND_IN for entry in history.entries if entry.is_known_by(moment))


# ---------------------------------------------------------------------------------------------------------------- rows


def _decision_row(replay: Replay, patient: str, kind: str, order: Order, decision: Decision, stand_ins: int) -> Row:
    case, naming = decision.case, replay.naming
    is_in_scope = decision.conclusion is not Conclusion.OUT_OF_SCOPE
    dose = case.dose_mg if is_in_scope else order.read.dose.mg
    earlier = case.earlier_iron if is_in_scope else None
    return (
        str(order.moment),
        naming.resource(patient, order.entry.reference),
        kind,
        naming.patient(patient),
        naming.prescriber(local_reference(order.prescriber)),
        order.moment.day.isoformat(),
        str(order.read.ingredient or ""),
        show_amount(dose),
        str(decision.conclusion),
        decision.verdicts[0][0].id,
        words(rule_ids(decision)),
        words([rule.id for rule, _ in decision.lines]),
        yes(decision.makes_warning),
        yes(decision.caps),
        str(earlier.relation) if earlier else "",
        "" if earlier is None or earlier.days is None else str(earlier.days),
        *(part for one in _readings(case) for part in _show_reading(one, is_asked=is_in_scope)),
        str(len(case.facts.gaps)),
        str(stand_ins),
    )


def _readings(case: Case) -> tuple[Reading | None, ...]:
    return (case.ferritin, case.tsat, case.hemoglobin)


def _show_reading(reading: Reading | None, *, is_asked: bool) -> tuple[str, str, str]:
    """Value, specimen day, and why it is missing."""
    if reading is None or not is_asked:
        return "", "", ""
    if reading.is_usable:
        return show_value(reading.value), reading.day.isoformat() if reading.day else "", ""
    cause = str(reading.set_aside[0].kind) if reading.set_aside else NEVER_MEASURED
    return "", "", cause
