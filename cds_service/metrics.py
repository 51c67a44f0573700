"""Prometheus metrics of all worker processes together. Nothing about patients; every label has few values.

A request only leaves what is known of it in a list. One thread per worker adds these up now and then: updating a dozen
metrics one by one would cost a small call a tenth of its time.
"""

import atexit
import threading
from bisect import bisect_left
from collections import Counter as Tallied
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import prometheus_client as prometheus
from prometheus_client import multiprocess
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.exposition import choose_encoder

from cds_service.progress import Progress
from cds_service.tally import KEY_REASONS, Event, add_up, shorten

INTERVAL = 0.5  # seconds in which requests are collected before the metrics are updated
MOST_WAITING = 100_000  # requests, should the thread be held up
BUCKETS = (0.0005, 0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)  # seconds

Described: TypeAlias = tuple[str, tuple[str, ...], str]  # name, labels, meaning

COUNTERS: tuple[Described, ...] = (
    ("cds_requests", ("route", "status"), "Requests by address pattern and status"),
    (
        "cds_calls",
        ("service", "hook", "outcome", "status", "client"),
        "Service calls; outcome is cards, nothing-to-say, or the issue code of the error",
    ),
    ("cds_conclusions", ("conclusion", "rule"), "Evaluated orders by class and the rule that gave it"),
    ("cds_cards", ("topic", "shown"), "Cards made; shown is false where silent mode withheld them"),
    ("cds_suppressed_cards", (), "Follow-up cards that stayed away after an override"),
    ("cds_prefetch_keys", ("key", "settled"), "Prefetch keys by how they were settled"),
    ("cds_fhir_failures", ("reason",), "Queries to FHIR servers that brought nothing, or not all"),
    ("cds_jwks_failures", ("reason",), "Key sets that could not be refreshed"),
    ("cds_feedback_items", ("service", "outcome"), "Items of feedback: accepted, overridden, or refused as unusable"),
    ("cds_feedback_repeated", ("service",), "Items of feedback that were kept already"),
    ("cds_records_lost", (), "Calls that could not be recorded"),
)
HISTOGRAMS: tuple[Described, ...] = (
    ("cds_call_seconds", ("hook",), "Time to answer a service call"),
    ("cds_stage_seconds", ("stage",), "Time of a service call by stage"),
)


@dataclass(frozen=True, slots=True)
class Gauge:
    """Something that is looked up when the metrics are read: values by labels."""

    name: str
    meaning: str
    labels: tuple[str, ...]
    values: tuple[tuple[tuple[str, ...], float], ...]


class Metrics:
    """Made once, before the fork. Each worker counts for itself; whichever is asked answers for all."""

    def __init__(self, hooks: Iterable[str], folder: Path | None) -> None:
        """`folder` is where the workers share their counts; None: there is one process only."""
        self._own = prometheus.CollectorRegistry()
        self._counters = {
            name: prometheus.Counter(name, words, labels, registry=self._own) for name, labels, words in COUNTERS
        }
        self._histograms = {
            name: _Histogram(name, words, labels, registry=self._own, buckets=BUCKETS)
            for name, labels, words in HISTOGRAMS
        }
        self._waiting = prometheus.Gauge(
            "cds_records_waiting", "Calls not recorded yet", registry=self._own, multiprocess_mode="livesum"
        )
        self._hooks = frozenset(hooks)
        self._look: Callable[[], Iterable[Gauge]] = tuple
        self._read_waiting: Callable[[], int] = int
        self._folder = folder
        self._events: deque[Event] = deque(maxlen=MOST_WAITING)
        self._wake = threading.Event()
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None

    def watch(self, look: Callable[[], Iterable[Gauge]], waiting: Callable[[], int]) -> None:
        """What is looked up when the metrics are read, and how many calls this worker has not recorded yet."""
        self._look, self._read_waiting = look, waiting

    def note(self, entry: Mapping[str, Any], seconds: float, progress: Progress | None) -> None:
        """A request is through: what the log says of it, which nobody changes any more. Returns at once."""
        self._events.append((entry, seconds, progress))
        if not self._wake.is_set():
            self._wake.set()
            if self._thread is None:
                self._start()

    def count(self, name: str, *labels: str, by: int = 1) -> None:
        """Something rare, at once."""
        counter = self._counters[name]
        (counter.labels(*labels) if labels else counter).inc(by)

    def note_lost_records(self, count: int) -> None:
        self.count("cds_records_lost", by=count)

    def note_key_failure(self, reason: str) -> None:
        """A key set could not be refreshed; `reason` in words."""
        self.count("cds_jwks_failures", shorten(reason, KEY_REASONS))

    def add_up(self) -> None:
        """Takes over what is in the list."""
        with self._lock:
            tally = add_up(self._take(), self._hooks)
            for (name, labels), count in tally.counts.items():
                self.count(name, *labels, by=count)
            for (name, label), seconds in tally.seconds.items():
                self._histograms[name].labels(label).observe_all(seconds)
            self._waiting.set(self._read_waiting())

    def render(self, accept: str) -> tuple[bytes, str]:
        """The text for Prometheus, and its media type. Counts of other workers may be `INTERVAL` old."""
        self.add_up()
        registry = prometheus.CollectorRegistry()
        if self._folder is None:
            registry.register(self._own)
        else:
            multiprocess.MultiProcessCollector(registry, str(self._folder))  # type: ignore[no-untyped-call]
        registry.register(_Looked(self._look()))
        encode, media_type = choose_encoder(accept)
        return encode(registry), media_type

    def _take(self) -> Iterator[Event]:
        while self._events:
            yield self._events.popleft()

    def _start(self) -> None:
        with self._lock:
            if self._thread is None:
                self._thread = threading.Thread(target=self._add_up_now_and_then, name="metrics", daemon=True)
                self._thread.start()
                atexit.register(self.add_up)  # in the worker: here no fork follows

    def _add_up_now_and_then(self) -> None:
        pause = threading.Event()
        while True:
            self._wake.wait()
            pause.wait(INTERVAL)
            self._wake.clear()
            self.add_up()


class _Histogram(prometheus.Histogram):
    """Takes many values at once."""

    def observe_all(self, seconds: Iterable[float]) -> None:
        """As `observe` of each, with one update of each bucket."""
        taken = list(seconds)
        for place, count in Tallied(bisect_left(self._upper_bounds, value) for value in taken).items():
            self._buckets[place].inc(count)
        self._sum.inc(sum(taken))


class _Looked:
    """Gauges as a collector, which is what a registry takes."""

    def __init__(self, gauges: Iterable[Gauge]) -> None:
        self._gauges = tuple(gauges)

    def collect(self) -> Iterator[Metric]:
        for one in self._gauges:
            family = GaugeMetricFamily(one.name, one.meaning, labels=one.labels)
            for labels, value in one.values:
                family.add_metric(labels, value)
            yield family


def empty_folder(folder: Path) -> None:
    """Counts of an earlier run must not be added to those of this one."""
    folder.mkdir(parents=True, exist_ok=True)
    for file in folder.glob("*.db"):
        file.unlink()


def forget_worker(process: int, folder: Path) -> None:
    """What a worker that has ended had at the moment no longer counts; what it had counted stays."""
    multiprocess.mark_process_dead(process, str(folder))  # type: ignore[no-untyped-call]
