"""One resource of the export: its prefetch keys, when it became known, and how it stood before it was over."""

from collections import Counter
from dataclasses import dataclass, field
from datetime import date
from hashlib import sha256
from zoneinfo import ZoneInfo

import msgspec
from msgspec import UNSET, Raw, UnsetType

from cds_service import discovery
from cds_service.clinical.codes import CodeIndex
from cds_service.clinical.given_doses import local_reference
from cds_service.fhir.iron_doses import read_administered_drug
from cds_service.fhir.wire import (
    ADMINISTRATION,
    UNREADABLE,
    Concept,
    Period,
    ReadContext,
    Resolver,
    as_list,
    concept_ids,
)
from cds_service.replay.lines import Line
from cds_service.replay.moments import DATED, Dated, Known, Moment, find_known, read_moment, read_version

Tallies = Counter[tuple[str, str, str]]  # topic, type or name, detail -> how many
_KEYS = {
    "Condition": "conditions",
    "AllergyIntolerance": "allergies",
    "MedicationAdministration": "iron_administrations",
    "MedicationRequest": "medications",
    "MedicationStatement": "medication_statements",
}
EVENTS = ("MedicationAdministration", "MedicationStatement", "Procedure")  # on the day of an order they come after it
_DRUG_RECORDS = ("MedicationRequest", "MedicationAdministration", "MedicationStatement")
ENDED = ("completed", "fulfilled")
_SETS_OF_KEYS = tuple((key, frozenset(sets)) for key, sets in discovery.OBSERVATIONS.items())
_PROCEDURES = frozenset(discovery.PROCEDURES)
_FOLLOW_UP = frozenset(discovery.FOLLOW_UP)


@dataclass(slots=True)
class Entry:
    """One version of one resource. Until `ended` it stands in the chart as `before`: active, not yet over."""

    type: str
    reference: str
    raw: Raw
    keys: tuple[str, ...]
    known: Known
    version: str
    orders: tuple[str, ...]  # local references of the orders it belongs to
    authored: str = ""
    ended: Moment | None = None
    before: Raw = field(default_factory=Raw)

    def is_known_by(self, moment: Moment) -> bool:
        at = self.known.moment
        if at is None:
            return True
        return at.is_surely_before(moment) if self.type in EVENTS else at.is_by(moment)

    def at(self, moment: Moment) -> Raw:
        return self.raw if self.ended is None or self.ended.is_by(moment) else self.before


@dataclass(frozen=True, slots=True)
class Place:
    """What reading depends on besides the patient."""

    index: CodeIndex
    zone: ZoneInfo | None
    identifier_systems: frozenset[str]
    resolve: Resolver

    def context(self, patient: str, as_of: date) -> ReadContext:
        return ReadContext(self.index, self.zone, patient, as_of, self.identifier_systems)


def read_entry(place: Place, patient: str, line: Line, tallies: Tallies) -> Entry | None:
    """None for what no rule asks for, and for what cannot be read: that is counted."""
    raw = Raw(line.raw)
    try:
        keys = _keys_of(place, patient, line.type, raw)
        if not keys or (line.type in _DRUG_RECORDS and not _may_matter(place, patient, raw)):
            return None
        dated = DATED.decode(raw)
    except UNREADABLE:
        if line.type not in _KEYS:
            tallies["unreadable", line.type, "a member of another shape than FHIR gives it"] += 1
            return None
        keys, dated = (_KEYS[line.type],), Dated()  # for the reader to name: what cannot be read is no empty answer
    reference = f"{line.type}/{line.id or sha256(line.raw).hexdigest()[:16]}"
    orders = tuple(local_reference(one) for one in dated.named_orders)
    known = find_known(line.type, dated, place.zone)
    entry = Entry(line.type, reference, raw, keys, known, read_version(dated), orders, dated.authoredOn or "")
    _note_end(place, entry, dated)
    return entry


class _Coded(msgspec.Struct, gc=False):
    code: Raw | UnsetType = UNSET
    component: Raw | UnsetType = UNSET
    contained: Raw | UnsetType = UNSET
    identifier: Raw | UnsetType = UNSET


class _Part(msgspec.Struct, gc=False):
    code: Concept | None = None


class _Named(msgspec.Struct, gc=False):
    system: str | None = None


_CODED = msgspec.json.Decoder(_Coded)
_CONCEPT = msgspec.json.Decoder(Concept | None)
_PARTS = msgspec.json.Decoder(list[_Part] | None)
_NAMES = msgspec.json.Decoder(list[_Named] | _Named | None)


def _keys_of(place: Place, patient: str, kind: str, raw: Raw) -> tuple[str, ...]:
    """The prefetch keys whose query finds the resource; parts of a panel are found by their own code, too."""
    if kind in _KEYS:
        return (_KEYS[kind],)
    coded = _CODED.decode(raw)
    context = place.context(patient, date.min)
    ids = concept_ids(context, _CONCEPT.decode(coded.code)) if coded.code is not UNSET else frozenset()
    if kind == "Observation":
        for parts in (coded.component, coded.contained):
            if parts is not UNSET:
                for part in _PARTS.decode(parts) or ():
                    ids |= concept_ids(context, part.code)
        return tuple(key for key, sets in _SETS_OF_KEYS if ids & sets)
    if kind == "Procedure":
        return ("procedures",) if ids & _PROCEDURES else ()
    if ids & _FOLLOW_UP:
        return ("follow_up",)
    names = _NAMES.decode(coded.identifier) if coded.identifier is not UNSET else None
    return ("follow_up",) if any(one.system in place.identifier_systems for one in as_list(names)) else ()


def _may_matter(place: Place, patient: str, raw: Raw) -> bool:
    """Whether any rule knows the drug, or nothing tells which drug it is: most prescriptions are of neither kind."""
    record = ADMINISTRATION.decode(raw)
    drug = read_administered_drug(place.context(patient, date.min), record, place.resolve)
    return drug is None or bool(drug.concepts)


# ------------------------------------------------------------------------------------------- what was over only later


class _Status(msgspec.Struct, gc=False):
    status: str | None = None
    abatementDateTime: str | None = None
    abatementPeriod: Period | None = None


_STATUS = msgspec.json.Decoder(_Status)
_MEMBERS = msgspec.json.Decoder(dict[str, Raw])
ACTIVE = Raw(b'"active"')


def _note_end(place: Place, entry: Entry, dated: Dated) -> None:
    """The export shows how things stand today; a problem that has gone since, or a request fulfilled since, had not."""
    if entry.type == "Condition":
        status = _read_status(entry.raw)
        period = status.abatementPeriod
        entry.ended = read_moment(status.abatementDateTime or (period.start if period else None), place.zone)
        if entry.ended is not None:
            entry.before = without(entry.raw, "abatement", "clinicalStatus")
    elif "follow_up" in entry.keys and dated.status in ENDED:
        entry.ended = read_moment(dated.occurrenceDateTime or dated.start, place.zone)
        if entry.ended is not None:
            entry.before = with_status(entry.raw, ACTIVE)


def _read_status(raw: Raw) -> _Status:
    try:
        return _STATUS.decode(raw)
    except UNREADABLE:
        return _Status()


def without(raw: Raw, *starts: str) -> Raw:
    """All members but those that begin so, as they were written."""
    members = _MEMBERS.decode(raw)
    return Raw(msgspec.json.encode({name: value for name, value in members.items() if not name.startswith(starts)}))


def with_status(raw: Raw, status: Raw) -> Raw:
    return Raw(msgspec.json.encode({**_MEMBERS.decode(raw), "status": status}))
