"""Gathers what a call needs: supplied prefetch first, then the FHIR server for what is missing, in one deadline.

`FhirServers` is made once for a worker, an `Errand` for each call. Neither imports the network client before a query
has to be made: a call with full prefetch never pays for it.
"""

import re
import threading
import time
from collections.abc import Iterable, Mapping, Sequence
from functools import cache, cached_property
from typing import TYPE_CHECKING
from urllib.parse import quote

import msgspec

from cds_service.errors import Overloaded
from cds_service.fhir.addresses import Access, NoAccess
from cds_service.fhir.pages import Enough
from cds_service.fhir.prefetch import Settled, State
from cds_service.fhir.scopes import parse_scopes
from cds_service.fhir.wire import KIND, UNREADABLE, Concept, Reference

if TYPE_CHECKING:
    from cds_service.fhir.client import FhirClient, Job

MOST_QUERIES = 20  # that one call makes at once: every key, and some references
MOST_REFERENCES = 40  # that one call resolves
PATIENT_TOKEN = "{{context.patientId}}"


class FhirServers:
    """The way out of one worker: so many calls may wait at once, each so many seconds.

    Threads are two for each query that may be under way, so that queries which ended with their call but still hang,
    as in a name look-up, hold up no other.
    """

    def __init__(self, places: int, seconds: float) -> None:
        self.seconds = seconds
        self._places = places
        self._free = threading.BoundedSemaphore(places)
        self._lock = threading.Lock()

    def begin(self, access: Access | NoAccess, failures: list[str] | None = None) -> "Errand":
        """For one call, which starts now; why a query brought nothing, or not all, is added to `failures`."""
        return Errand(self, access, time.monotonic() + self.seconds, [] if failures is None else failures)

    def take_place(self) -> None:
        """Raises `Overloaded`: who waits for FHIR must not keep those from an answer who need not wait."""
        if not self._free.acquire(blocking=False):
            words = "too many calls wait for FHIR servers; calls that bring all their prefetch are answered meanwhile"
            raise Overloaded(words, retry_after=max(1, round(self.seconds)))

    def give_back_place(self) -> None:
        self._free.release()

    @property
    def client(self) -> "FhirClient":
        with self._lock:
            return self._client

    @cached_property
    def _client(self) -> "FhirClient":
        from cds_service.fhir.client import FhirClient

        return FhirClient(threads=2 * self._places * MOST_QUERIES)


class Errand:
    """One call's use of its FHIR server: a place from the first query on, one deadline, the token until the end."""

    def __init__(self, servers: FhirServers, access: Access | NoAccess, deadline: float, failures: list[str]) -> None:
        self._servers = servers
        self._access = access
        self._deadline = deadline
        self._failures = failures
        self._has_place = False

    @property
    def can_ask(self) -> bool:
        """Whether there is a listed server and a token."""
        return isinstance(self._access, Access)

    @property
    def why_not(self) -> str:
        return self._access.why if isinstance(self._access, NoAccess) else ""

    def __enter__(self) -> "Errand":
        return self

    def __exit__(self, *_: object) -> None:
        if self._has_place:
            self._servers.give_back_place()

    def ask(self, jobs: Mapping[str, "Job"], enough: Enough) -> dict[str, Settled]:
        """Queries and unfinished pages, all at once. What the token's scope excludes is not asked (CH-105)."""
        access = self._access
        if isinstance(access, NoAccess) or not jobs:
            return {}
        scopes = parse_scopes(access.scope)
        allowed = {key: job for key, job in jobs.items() if not isinstance(job, str) or scopes.allow(job)}
        if allowed and not self._has_place:
            self._servers.take_place()
            self._has_place = True
        answers = self._servers.client.fetch_all(access, allowed, enough, self._deadline) if allowed else {}
        answers |= {key: _EXCLUDED for key in jobs if key not in allowed}
        self._failures += [one.why for one in answers.values() if not one.is_answered]
        return answers

    def read(self, kind: str, references: Iterable[str]) -> dict[str, msgspec.Raw]:
        """The resources of one type behind references to this server, as far as they can be had."""
        if isinstance(self._access, NoAccess):
            return {}
        own = f"{self._access.base.url}/"
        found = {one: relative_reference(one.removeprefix(own)) for one in dict.fromkeys(references)}
        wanted = {one: path for one, path in found.items() if path is not None and path.startswith(f"{kind}/")}
        answers = self.ask(dict(list(wanted.items())[:MOST_REFERENCES]), lambda *_: True)
        return {one: answer.resources[0] for one, answer in answers.items() if answer.resources}


_EXCLUDED = Settled(State.FAILED, why="the scope of the access token does not allow the query")
_RELATIVE = re.compile(r"([A-Z][A-Za-z]+/[A-Za-z0-9.-]{1,64})(?:/_history/[A-Za-z0-9.-]{1,64})?").fullmatch


def relative_reference(reference: str) -> str | None:
    """`Type/id` without version; None for anything else."""
    found = _RELATIVE(reference)
    return found[1] if found else None


# ----------------------------------------------------------------------------------------------------- prefetch keys


def settle_suffices(settled: Mapping[str, Settled], enough: Enough) -> dict[str, Settled]:
    """Supplied first pages that hold enough count as supplied: their `next` link need not be followed."""
    return {
        key: Settled(State.SUPPLIED, one.resources) if one.next_url and enough(key, one.resources) else one
        for key, one in settled.items()
    }


def jobs_for(
    settled: Mapping[str, Settled], templates: Mapping[str, str], required: Sequence[str], patient_id: str
) -> dict[str, "Job"]:
    """What the server is asked for: missing keys (CH-085), `next` pages (CH-090), and failed ones that are required.

    A query that failed at the client and is not required is not repeated (CH-089).
    """
    jobs: dict[str, Job] = {}
    for key, one in settled.items():
        if one.next_url is not None:
            jobs[key] = one
        elif one.state is State.MISSING or (not one.is_answered and key in required):
            jobs[key] = expand(templates[key], patient_id)
    return jobs


def merge(settled: Mapping[str, Settled], answers: Mapping[str, Settled]) -> dict[str, Settled]:
    """The answers, but no failed one in place of supplied data, which are incomplete then."""
    merged = dict(settled)
    for key, answer in answers.items():
        had = settled[key]
        lost = answer.state is State.FAILED and had.resources
        merged[key] = Settled(State.INCOMPLETE, had.resources, None, answer.why) if lost else answer
    return merged


@cache
def _encode(template: str) -> str:
    """One of our templates with its values percent-encoded; the separators of FHIR search and the token are kept."""
    path, mark, parameters = template.partition("?")
    pairs = (pair.partition("=") for pair in parameters.split("&")) if mark else ()
    return quote(path, safe="/{}") + mark + "&".join(f"{name}={quote(value, safe=',{}')}" for name, _, value in pairs)


def expand(template: str, patient_id: str) -> str:
    """The query of one patient, ready to send. Our templates hold one token only."""
    return _encode(template).replace(PATIENT_TOKEN, quote(patient_id, safe=""))


# --------------------------------------------------------------------------------------------------------- references


class Medications:
    """Medication resources at hand: bundled with the orders, among the prefetch, or fetched. Call it to resolve one."""

    def __init__(self, sources: Iterable[Sequence[msgspec.Raw]]) -> None:
        """`sources` are looked through when a reference has to be resolved, not before."""
        self._sources = list(sources)
        self._found: dict[str, msgspec.Raw] = {}

    def __call__(self, reference: str) -> msgspec.Raw | None:
        while self._sources:
            self._found |= dict(_find_medications(self._sources.pop()))
        return self._found.get(reference) or self._found.get(relative_reference(reference) or "")

    def look_in(self, sources: Iterable[Sequence[msgspec.Raw]]) -> None:
        """Further places where one may be bundled."""
        self._sources.extend(sources)

    def add(self, fetched: Mapping[str, msgspec.Raw]) -> None:
        self._found |= fetched


_MEDICATION = re.compile(rb'"resourceType"\s*:\s*"Medication"').search


def _find_medications(entries: Sequence[msgspec.Raw]) -> Iterable[tuple[str, msgspec.Raw]]:
    for raw in entries:
        if not _MEDICATION(raw):
            continue
        try:
            kind = KIND.decode(raw)
        except UNREADABLE:
            continue
        if kind.resourceType == "Medication" and kind.id:
            yield f"Medication/{kind.id}", raw


class _DrugOf(msgspec.Struct):
    medicationCodeableConcept: Concept | None = None
    medicationReference: Reference | None = None


_DRUG_OF = msgspec.json.Decoder(_DrugOf)
_BY_REFERENCE = re.compile(rb'"medicationReference"').search


def unresolved_drugs(entries: Iterable[msgspec.Raw], medications: Medications) -> list[str]:
    """References to Medications that alone say what the drug is: no code or words beside them, and not at hand."""
    wanted = []
    for raw in entries:
        if not _BY_REFERENCE(raw):
            continue
        try:
            drug = _DRUG_OF.decode(raw)
        except UNREADABLE:
            continue
        target = drug.medicationReference
        if drug.medicationCodeableConcept or target is None or target.display or not target.reference:
            continue
        if not target.reference.startswith("#") and medications(target.reference) is None:
            wanted.append(target.reference)
    return wanted
