"""Adds up what is known of many requests into counts and times by label: plain numbers, before they become metrics."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from cds_service.progress import Progress

CALL = "/cds-services/<service_id>"
FEEDBACK = "/cds-services/<service_id>/feedback"
OTHER = "other"

# What the log says of a request, its seconds, and what was noted on its way, if it was a service call.
Event: TypeAlias = tuple[Mapping[str, Any], float, Progress | None]
Reasons: TypeAlias = tuple[tuple[str, str], ...]

# Words within a reason, as fhir/ and trust.py give them, to a label. The first that fits counts.
FHIR_REASONS: Reasons = (
    ("no answer in time", "timeout"),
    ("could not be reached", "unreachable"),
    ("scope of the access token", "scope"),
    ("OperationOutcome", "operation-outcome"),
    ("on another server", "foreign-page"),
    ("than are read for one", "too-much"),
    ("than is read for one", "too-much"),
    ("server answered 401", "unauthorized"),
    ("server answered 403", "forbidden"),
    ("server answered 404", "not-found"),
    ("server answered 429", "throttled"),
    ("server answered 4", "refused"),
    ("server answered 5", "server-error"),
    ("server answered 3", "redirect"),
    ("could not be read", "unreadable"),
    ("not a FHIR resource", "unreadable"),
    ("did not answer in JSON", "unreadable"),
    ("something else than a Bundle", "unreadable"),
)
KEY_REASONS: Reasons = (
    ("is too slow", "timeout"),
    ("Timeout", "timeout"),
    ("server answered", "status"),
    ("could not be read", "unreachable"),
    ("is larger than", "too-much"),
    ("key", "unusable"),
    ("JSON", "unusable"),
)


def shorten(words: str, reasons: Reasons) -> str:
    """One of the few labels of `reasons`."""
    return next((label for part, label in reasons if part in words), OTHER)


@dataclass(slots=True)
class Tally:
    """Counts by metric and label values; seconds by metric and label value."""

    counts: Counter[tuple[str, tuple[str, ...]]] = field(default_factory=Counter)
    seconds: defaultdict[tuple[str, str], list[float]] = field(default_factory=lambda: defaultdict(list))


def add_up(events: Iterable[Event], hooks: frozenset[str]) -> Tally:
    """`hooks` are those on offer: one that a client made up is counted as `other`."""
    tally = Tally()
    for entry, seconds, progress in events:
        route = entry.get("route", "")
        tally.counts["cds_requests", (route, str(entry.get("status", "")))] += 1
        if route == CALL:
            _add_call(tally, entry, seconds, hooks)
        elif route == FEEDBACK:
            _add_feedback(tally.counts, entry)
        if progress is not None:
            _add_progress(tally, progress, is_shown="mode" not in entry)
    return tally


def _add_call(tally: Tally, entry: Mapping[str, Any], seconds: float, hooks: frozenset[str]) -> None:
    named = entry.get("hook", "")
    hook = named if named in hooks or not named else OTHER
    outcome = entry.get("outcome") or entry.get("issue", "")
    labels = (entry.get("service", ""), hook, outcome, str(entry.get("status", "")), entry.get("client", ""))
    tally.counts["cds_calls", labels] += 1
    tally.seconds["cds_call_seconds", hook].append(seconds)
    if suppressed := entry.get("suppressed"):
        tally.counts["cds_suppressed_cards", ()] += suppressed


def _add_feedback(counts: Counter[tuple[str, tuple[str, ...]]], entry: Mapping[str, Any]) -> None:
    service = entry.get("service", "")
    for outcome in ("accepted", "overridden", "refused"):
        if number := entry.get(outcome):
            counts["cds_feedback_items", (service, outcome)] += number
    if repeated := entry.get("items", 0) - entry.get("kept", 0):
        counts["cds_feedback_repeated", (service,)] += repeated


def _add_progress(tally: Tally, progress: Progress, *, is_shown: bool) -> None:
    counts = tally.counts
    for stage, took in progress.seconds.items():
        tally.seconds["cds_stage_seconds", stage].append(took)
    for key, settled in progress.settled.items():
        counts["cds_prefetch_keys", (key, settled)] += 1
    for words in progress.failures:
        counts["cds_fhir_failures", (shorten(words, FHIR_REASONS),)] += 1
    for conclusion in progress.conclusions:
        counts["cds_conclusions", conclusion] += 1
    for topic in progress.cards:
        counts["cds_cards", (topic, "true" if is_shown else "false")] += 1
