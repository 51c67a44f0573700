"""Settles each prefetch key: supplied, empty, missing, failed, incomplete are different answers (CH-085...CH-096)."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

import msgspec


class State(StrEnum):
    SUPPLIED = "supplied"
    EMPTY = "empty"  # asked, and there is nothing: null or a Bundle without entries (CH-087, CH-088)
    MISSING = "missing"  # not in the request: says nothing about the data (CH-086)
    FAILED = "failed"  # OperationOutcome, also inside a searchset (CH-089), or not a FHIR resource
    INCOMPLETE = "incomplete"  # a page of a longer answer (CH-090)


@dataclass(frozen=True, slots=True)
class Settled:
    """What is known about one key; `resources` are undecoded, one per entry. `why` holds no patient value."""

    state: State
    resources: tuple[msgspec.Raw, ...] = ()
    next_url: str | None = None
    why: str = ""

    @property
    def is_answered(self) -> bool:
        """The client or the server answered the query in full: no need to ask again (CH-087, CH-094)."""
        return self.state in _ANSWERED


_ANSWERED = (State.SUPPLIED, State.EMPTY)
MISSING = Settled(State.MISSING, why="not supplied")
EMPTY = Settled(State.EMPTY)


class _Link(msgspec.Struct, gc=False):
    relation: str = ""
    url: str = ""


class _Entry(msgspec.Struct, gc=False):
    resource: msgspec.Raw = msgspec.Raw()


class _Issue(msgspec.Struct, gc=False):
    severity: str = "error"


class _Answer(msgspec.Struct, gc=False):
    """A resource, a searchset Bundle or an OperationOutcome, as far as needed to tell which."""

    resourceType: str
    entry: list[_Entry] | None = None
    link: list[_Link] | None = None
    issue: list[_Issue] | None = None


class _LooseAnswer(msgspec.Struct, gc=False):
    resourceType: str
    entry: list[msgspec.Raw] | None = None


class _Kind(msgspec.Struct, gc=False):
    resourceType: str = ""
    issue: list[_Issue] | None = None


_ANSWER = msgspec.json.Decoder(_Answer)
_LOOSE = msgspec.json.Decoder(_LooseAnswer)
_ENTRY = msgspec.json.Decoder(_Entry)
_KIND = msgspec.json.Decoder(_Kind)
_UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
_GRAVE = ("error", "fatal")


def settle(prefetch: Mapping[str, msgspec.Raw | bytes | None], key: str) -> Settled:
    """What the client sent under `key`."""
    if key not in prefetch:
        return MISSING
    value = prefetch[key]
    return EMPTY if value is None else settle_answer(value)


def settle_answer(value: msgspec.Raw | bytes) -> Settled:
    """A FHIR answer (resource, searchset or OperationOutcome) as a settled key."""
    try:
        answer = _ANSWER.decode(value)
    except _UNREADABLE:
        return _settle_loosely(value)
    if answer.resourceType == "OperationOutcome":
        return Settled(State.FAILED, why="the query failed (OperationOutcome)")
    if answer.resourceType != "Bundle":
        return Settled(
            State.SUPPLIED,
            (value if isinstance(value, msgspec.Raw) else msgspec.Raw(value),),
        )
    if not answer.entry and not answer.link:
        return EMPTY
    resources = tuple([entry.resource for entry in answer.entry or () if entry.resource])
    return _settle_bundle(resources, _next_url(answer.link) if answer.link else None, _may_hold_outcome(value))


def _settle_loosely(value: msgspec.Raw | bytes) -> Settled:
    """A Bundle with a broken entry or link: what can be read is used, one bad entry is one gap for the reader."""
    try:
        answer = _LOOSE.decode(value)
    except _UNREADABLE:
        return Settled(State.FAILED, why="not a FHIR resource")
    if answer.resourceType != "Bundle":
        return Settled(State.FAILED, why="not a FHIR resource")
    return _settle_bundle(
        tuple(_loose_resource(entry) for entry in answer.entry or ()),
        None,
        _may_hold_outcome(value),
    )


def _loose_resource(entry: msgspec.Raw) -> msgspec.Raw:
    try:
        return _ENTRY.decode(entry).resource or entry
    except _UNREADABLE:
        return entry


def _may_hold_outcome(value: msgspec.Raw | bytes) -> bool:
    return b'OperationOutcome"' in bytes(value)  # a copy and this search take half as long as `re` without a copy


def _next_url(links: list[_Link] | None) -> str | None:
    return next((link.url for link in links or () if link.relation == "next" and link.url), None)


def _settle_bundle(resources: tuple[msgspec.Raw, ...], next_url: str | None, may_hold_outcome: bool) -> Settled:
    failed = False
    if may_hold_outcome:
        kept = []
        for resource in resources:
            severities = _outcome_severities(resource)
            if severities is None:
                kept.append(resource)
            else:
                failed = failed or any(severity in _GRAVE for severity in severities)
        resources = tuple(kept)
    if failed:
        why = "the query failed (OperationOutcome in the searchset)"
        return Settled(State.INCOMPLETE if resources else State.FAILED, resources, None, why)
    if next_url:
        return Settled(State.INCOMPLETE, resources, next_url, "only the first page was supplied")
    return Settled(State.SUPPLIED, resources) if resources else EMPTY


def _outcome_severities(resource: msgspec.Raw) -> tuple[str, ...] | None:
    """Severities of an OperationOutcome, None for any other resource. An outcome without issues counts as an error."""
    if not _may_hold_outcome(resource):
        return None
    try:
        kind = _KIND.decode(resource)
    except _UNREADABLE:
        return None
    if kind.resourceType != "OperationOutcome":
        return None
    return tuple(issue.severity for issue in kind.issue or ()) or ("error",)
