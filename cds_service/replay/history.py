"""One patient's resources in order, and the orders for parenteral iron among them."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from zoneinfo import ZoneInfo

import msgspec
from msgspec import Raw

from cds_service.clinical.model import IronOrder
from cds_service.clinical.rules.scope import is_parenteral_iron_order
from cds_service.fhir import iron_orders
from cds_service.fhir.wire import UNREADABLE, Reference
from cds_service.replay.entries import ACTIVE, ENDED, EVENTS, Entry, Place, Tallies, read_entry, with_status
from cds_service.replay.lines import Line
from cds_service.replay.moments import Moment, read_moment


@dataclass(frozen=True, slots=True)
class Order:
    """An order for parenteral iron as a draft again, and when it was written."""

    entry: Entry
    draft: Raw
    read: IronOrder
    moment: Moment
    prescriber: str


@dataclass(slots=True)
class History:
    patient: str
    person: tuple[Raw, ...]
    entries: list[Entry]
    orders: list[Order]
    has_versions: bool


def read_history(place: Place, patient: str, lines: Iterable[Line], tallies: Tallies) -> History:
    """The same for the same lines, in whatever order they come; counts what it finds into `tallies`."""
    entries, person = [], []
    for line in sorted(set(lines)):
        if line.type == "Patient":
            person.append(Raw(line.raw))
            continue
        entry = read_entry(place, patient, line, tallies)
        if entry is not None:
            entries.append(entry)
            tallies["known", line.type, str(entry.known.basis)] += 1
    seen = Counter(entry.reference for entry in entries)
    entries.sort(key=lambda one: (one.type, one.reference, str(one.known.moment or ""), one.version))
    history = History(patient, tuple(person), entries, [], len(seen) < len(entries))
    _find_orders(place, history, tallies)
    return history


# ------------------------------------------------------------------------------------------------------------- orders

_NEVER_ORDERS = {
    "entered-in-error": "entered in error",
    "draft": "drafts that were never signed",
}
_NO_ORDERS = ("proposal", "plan", "option", "directive")
_DRAFT = Raw(b'"draft"')
_ORDER_TYPES = frozenset(iron_orders.ORDER_TYPES)


class _Intent(msgspec.Struct, gc=False):
    status: str | None = None
    intent: str | None = None


_INTENT = msgspec.json.Decoder(_Intent)


def _find_orders(place: Place, history: History, tallies: Tallies) -> None:
    """Orders for parenteral iron, oldest first. A completed one was open until its last infusion."""
    given: dict[str, list[Moment]] = {}
    for entry in history.entries:
        if entry.type in EVENTS and entry.known.moment is not None:
            for reference in entry.orders:
                given.setdefault(reference, []).append(entry.known.moment)
    seen: set[str] = set()
    for entry in history.entries:
        if entry.type not in _ORDER_TYPES:
            continue
        order = _read_order(place, history.patient, entry)
        if order is None:
            continue
        _note_last_infusion(entry, order, given.get(entry.reference, ()), tallies)
        if entry.reference not in seen:  # of several versions the first is the order as it was written
            seen.add(entry.reference)
            _add_order(place, history, entry, order, tallies)
    history.orders.sort(key=lambda one: (str(one.moment), one.entry.reference))


def _read_order(place: Place, patient: str, entry: Entry) -> tuple[Raw, IronOrder] | None:
    at = entry.known.moment
    context = place.context(patient, at.day if at else date.min)
    try:
        _INTENT.decode(entry.raw)  # where these cannot be read, it is no order
        draft = with_status(entry.raw, _DRAFT)
    except UNREADABLE:
        return None
    read = iron_orders.read_order(context, entry.reference, draft, place.resolve)
    return (draft, read) if isinstance(read, IronOrder) and is_parenteral_iron_order(read) else None


def _note_last_infusion(entry: Entry, order: tuple[Raw, IronOrder], given: Sequence[Moment], tallies: Tallies) -> None:
    if _INTENT.decode(entry.raw).status not in ENDED:
        return
    planned = order[1].planned_last
    ends = [*given, *([Moment(planned)] if planned and not given else [])]
    if ends:
        entry.ended = max(ends, key=str)
        entry.before = with_status(entry.raw, ACTIVE)
    else:
        tallies["orders", "completed, nobody knows when: taken as given when written", ""] += 1


def _add_order(place: Place, history: History, entry: Entry, order: tuple[Raw, IronOrder], tallies: Tallies) -> None:
    intent = _INTENT.decode(entry.raw)
    why_not = _NEVER_ORDERS.get(intent.status or "") or ("proposals and plans" if intent.intent in _NO_ORDERS else "")
    moment = None if why_not else _written(entry, place.zone)
    if moment is None:
        tallies["not replayed", why_not or "no date, or only month or year", ""] += 1
        return
    if moment.instant is None:
        tallies["orders", "date without time: results of that day count as known", ""] += 1
    prescriber = _prescriber(entry.raw)
    history.orders.append(Order(entry, order[0], order[1], moment, prescriber))


class _Requested(msgspec.Struct, gc=False):
    requester: Reference | None = None


_REQUESTED = msgspec.json.Decoder(_Requested)


def _prescriber(raw: Raw) -> str:
    """Empty where the order names none."""
    try:
        requester = _REQUESTED.decode(raw).requester
    except UNREADABLE:
        return ""
    return (requester.reference or "") if requester else ""


def _written(entry: Entry, zone: ZoneInfo | None) -> Moment | None:
    """A moment exact to the day; None where the order tells none."""
    if 0 < len(entry.authored) < len("2026-11-24") and read_moment(entry.authored, zone):
        return None
    return entry.known.moment
