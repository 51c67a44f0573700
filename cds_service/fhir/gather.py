"""Gathers what a call needs: supplied prefetch first, then the EHR's server for what is missing, under one deadline."""

import itertools
import re
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date

import msgspec

from cds_service.clinical.dates import Day, read_day
from cds_service.clinical.units import WINDOW_DAYS
from cds_service.clinical.windows import SAME_TIME_DAYS
from cds_service.fhir.client import Access, FhirClient
from cds_service.fhir.observations import ANALYTES, KEYS, USABLE_STATUS, read_result
from cds_service.fhir.prefetch import Settled, State, settle
from cds_service.fhir.wire import (
    OBSERVATION,
    UNREADABLE,
    Observation,
    ReadContext,
    concept_ids,
)

# Sorted keys whose page is enough once it holds a usable result and everything within 7 days of it, or reaches beyond
# the analyte's window. The iron panel needs several analytes together, so only its window counts.
SINGLE_ANALYTE = ("ferritin", "tsat", "hemoglobin", "weight", "crp", "phosphate")
_SCOPE = re.compile(r"(?:patient|user|system)/(\*|[A-Za-z]+)\.(\*|read|write|c?r?u?d?s?)(?:\?.*)?$")


class FhirPlaces:
    """How many calls of a worker may wait for FHIR at once, so that calls with full prefetch are never held up."""

    def __init__(self, places: int) -> None:
        self._free = threading.BoundedSemaphore(places)

    @contextmanager
    def take(self, on_full: Callable[[], Exception]) -> Iterator[None]:
        if not self._free.acquire(blocking=False):
            raise on_full()
        try:
            yield
        finally:
            self._free.release()


@dataclass(frozen=True, slots=True)
class Scopes:
    """Resource types the token may search, SMART 1 and SMART 2 spelling (CH-105). None: the scope says nothing of types."""

    types: frozenset[str] | None

    @classmethod
    def of(cls, scope: str) -> "Scopes":
        types = set()
        named = False
        for word in scope.split():
            found = _SCOPE.match(word)
            if not found:
                continue
            named = True
            kind, rights = found.groups()
            if rights in ("*", "read") or "s" in rights or (kind == "Patient" and "r" in rights):
                types.add(kind)
        return cls(frozenset(types) if named else None)

    def allow(self, query: str) -> bool:
        kind = re.split(r"[/?]", query, maxsplit=1)[0]
        return self.types is None or "*" in self.types or kind in self.types


def settle_keys(prefetch: Mapping[str, msgspec.Raw | None], keys: Sequence[str]) -> dict[str, Settled]:
    """What the client sent under each announced key; other keys are never read (CH-095)."""
    return {key: settle(prefetch, key) for key in keys}


def complete_pages(context: ReadContext, settled: Mapping[str, Settled]) -> dict[str, Settled]:
    """Supplied first pages that are enough as they are count as supplied; no further page is asked for."""
    enough = judge_pages(context)
    return {
        key: Settled(State.SUPPLIED, one.resources) if one.next_url and enough(key, one.resources) else one
        for key, one in settled.items()
    }


def to_follow(settled: Mapping[str, Settled]) -> dict[str, Settled]:
    return {key: one for key, one in settled.items() if one.next_url is not None}


def to_fetch(settled: Mapping[str, Settled], required: Sequence[str]) -> tuple[str, ...]:
    """Keys the server is asked for: missing ones, and required ones whose prefetch query failed (CH-085, CH-089)."""
    return tuple(
        key
        for key, one in settled.items()
        if one.state is State.MISSING or (one.state is State.FAILED and key in required)
    )


def gather(
    client: FhirClient,
    access: Access,
    context: ReadContext,
    settled: Mapping[str, Settled],
    queries: Mapping[str, str],
    scopes: Scopes,
    deadline: float,
) -> dict[str, Settled]:
    """The settled keys after the server was asked for `queries` and for further pages."""
    answered = dict(settled)
    allowed = {key: query for key, query in queries.items() if scopes.allow(query)}
    answered |= {
        key: Settled(State.FAILED, why="the token's scope does not allow the query")
        for key in queries
        if key not in allowed
    }
    enough = judge_pages(context)
    pages = to_follow(settled)
    if pages:
        answered |= client.follow_all(access, pages, enough, deadline)
    if allowed:
        answered |= client.fetch_all(access, allowed, enough, deadline)
    return answered


def expand(template: str, patient_id: str) -> str:
    """Our own templates have one token only."""
    return template.replace("{{context.patientId}}", patient_id)


def deadline_after(seconds: float) -> float:
    return time.monotonic() + seconds


# --------------------------------------------------------------------------------------------- is a page enough?


def judge_pages(context: ReadContext) -> Callable[[str, Sequence[msgspec.Raw]], bool]:
    """Whether the pages so far are enough for a key (design section 2). Unsorted keys are read to the end."""

    def enough(key: str, resources: Sequence[msgspec.Raw]) -> bool:
        if key not in KEYS or key == "rls_severity":
            return False
        read = _decode(resources)
        days = [_exact_day(context, one) for one in read]
        if not days or any(day is None for day in days):
            return False
        dated = [day for day in days if day is not None]
        if any(later > earlier for earlier, later in itertools.pairwise(dated)):
            return False  # not sorted newest first: nothing can be said of what is still to come
        oldest = dated[-1]
        if (context.as_of - oldest).days > WINDOW_DAYS[key]:
            return True
        if key not in SINGLE_ANALYTE:
            return False
        newest = next(
            (day for one, day in zip(read, dated, strict=True) if _is_usable(context, one)),
            None,
        )
        return newest is not None and (newest - oldest).days > SAME_TIME_DAYS

    return enough


def _decode(resources: Sequence[msgspec.Raw]) -> list[Observation]:
    read = []
    for raw in resources:
        try:
            observation = OBSERVATION.decode(raw)
        except UNREADABLE:
            continue
        if observation.resourceType == "Observation":
            read.append(observation)
    return read


def _exact_day(context: ReadContext, observation: Observation) -> date | None:
    day = read_day(observation.effectiveDateTime or observation.effectiveInstant, context.zone)
    return day.first if day is not None and day.is_exact else None


def _is_usable(context: ReadContext, observation: Observation) -> bool:
    """A result in time whose status and value can be used; whether iron was given since is judged with the facts."""
    if observation.status not in USABLE_STATUS:
        return False
    ids = concept_ids(context, observation.code)
    name = next((one for one in ANALYTES if one in ids), None)
    if name is None:
        return False
    analyte, method = ANALYTES[name]
    day: Day | None = read_day(observation.effectiveDateTime or observation.effectiveInstant, context.zone)
    try:
        result = read_result(context, observation, observation, "", analyte, method, day)
    except UNREADABLE:
        return False
    return result.value is not None and day is not None and day.last <= context.as_of
