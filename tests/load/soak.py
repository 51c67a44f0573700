"""A long steady load in protected mode: memory stays flat, nothing fails, latency does not drift.

First the highest rate is found: many calls as fast as they go, with tokens made beforehand. Then half of it is kept up,
and the next call is due whether or not the last one was slow. Every situation of the fixtures takes its turn, dated to
today, each call with a token of its own, every tenth call followed by feedback. The run is cut into 20 slices; memory,
processor time and latency of its last quarter are judged against its first, by the limits below. Exit code 1 when one
is missed.

    python -m tests.load.soak [--minutes 20] [--threads 8] [--database sqlite:///... | postgresql+psycopg://...]
"""

import argparse
import http.client
import json
import statistics
import sys
import tempfile
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from itertools import cycle, islice, pairwise
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from cds_service.demo.fixtures import read_situations
from tests.load.bench_servers import processor_seconds
from tests.load.callers import full_request
from tests.load.fault_report import LogBook
from tests.load.rolling import check
from tests.load.serving import Served, serve
from tests.replies import ADDRESSES

WARM_UP_CALLS, FASTEST_CALLS = 500, 3000
FEEDBACK_EVERY = 10
NOTHING = "-"  # said by the log book
SLICES = 20
LOOKS = 4  # at memory, in a slice
SETTLING = 2  # slices at the start that memory is not judged by: what is imported or cached once comes first
# The limits: the last quarter of the run against its first, and the calls made of those that were due.
MOST_GROWTH = 1.05
MOST_DEARER = 1.15  # processor time, which other work on the machine moves least
MOST_DRIFT = 1.25  # of the medians
MOST_TAIL_DRIFT = 1.5  # of the 99th percentiles
LEAST_KEPT = 0.98

Request = tuple[str, bytes]


@dataclass
class Seen:
    """What the callers saw, by slice of the run."""

    latencies: list[list[float]] = field(default_factory=lambda: [[] for _ in range(SLICES)])  # ms
    failures: Counter[str] = field(default_factory=Counter)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def note(self, place: int, milliseconds: float, failure: str = "") -> None:
        with self.lock:
            self.latencies[place].append(milliseconds)
            if failure:
                self.failures[failure] += 1

    @property
    def calls(self) -> int:
        return sum(len(one) for one in self.latencies)

    def percentiles(self, share: float) -> list[float]:
        """By slice."""
        return [sorted(one)[min(len(one) - 1, int(len(one) * share))] for one in self.latencies]


@dataclass(frozen=True, slots=True)
class Look:
    """At all processes of the service: memory in MB, processor seconds so far."""

    megabytes: float
    processor: float


@dataclass(frozen=True, slots=True)
class Soaked:
    """What a soak showed; `kept` is the share of the calls due that were made."""

    seen: Seen
    looks: Sequence[Look]
    kept: float

    @property
    def megabytes(self) -> list[float]:
        """By slice."""
        ours = [one.megabytes for one in self.looks[1:]]
        return [statistics.median(ours[place : place + LOOKS]) for place in range(0, len(ours), LOOKS)]

    @property
    def processor(self) -> list[float]:
        """Seconds by slice."""
        return [after.processor - before.processor for before, after in pairwise(self.looks[::LOOKS])]


class Caller:
    """One connection, kept open."""

    def __init__(self, served: Served, seen: Seen) -> None:
        self.served, self.seen = served, seen
        self.connection = http.client.HTTPConnection(urlsplit(served.url).netloc, timeout=30)

    def use_up(self, prepared: deque[tuple[Request, str]]) -> None:
        """As fast as it goes."""
        with suppress(IndexError):  # nothing is left
            while True:
                (path, body), token = prepared.popleft()
                self.post(path, body, 0, token)

    def keep_up(self, requests: Sequence[Request], began: float, seconds: float, pause: float) -> int:
        """A call every `pause` seconds; one that comes late is not left out. Their number, without feedback."""
        turns = cycle(requests)
        for number in range(int(seconds / pause)):
            due = began + number * pause
            if (early := due - time.monotonic()) > 0:
                time.sleep(early)
            elif early < -seconds / SLICES:
                return number  # hopelessly behind: the calls left out will show
            place = int(number * pause / seconds * SLICES)
            path, body = next(turns)
            answer = self.post(path, body, place, self.served.token(path))
            if number % FEEDBACK_EVERY == 0 and (cards := json.loads(answer or b"{}").get("cards")):
                feedback = f"{path}/feedback"
                self.post(feedback, give_feedback(cards[0]), place, self.served.token(feedback))
        return int(seconds / pause)

    def post(self, path: str, body: bytes, place: int, token: str) -> bytes | None:
        headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
        began = time.perf_counter()
        try:
            self.connection.request("POST", path, body, headers)
            answer = self.connection.getresponse()
            status, content = answer.status, answer.read()
        except (OSError, http.client.HTTPException) as broken:
            self.connection.close()
            self.seen.note(place, (time.perf_counter() - began) * 1000, type(broken).__name__)
            return None
        took = (time.perf_counter() - began) * 1000
        self.seen.note(place, took, "" if status == 200 else f"status {status}")
        return content if status == 200 else None


def give_feedback(card: Any) -> bytes:
    now = datetime.now(UTC).isoformat()
    return json.dumps({"feedback": [{"card": card["uuid"], "outcome": "overridden", "outcomeTimestamp": now}]}).encode()


def read_requests() -> list[Request]:
    requests = [full_request(name) for name in read_situations().by_name]
    return [(ADDRESSES[one["hook"]], json.dumps(one).encode()) for one in requests]


# ------------------------------------------------------------------------------------------------------------- loads


def find_highest_rate(served: Served, requests: Sequence[Request], threads: int) -> float:
    """Calls a second when all of them call as fast as it goes; the workers are warm by then."""
    rate = 0.0
    for calls in (WARM_UP_CALLS, FASTEST_CALLS):
        seen = Seen()
        prepared = deque((one, served.token(one[0])) for one in islice(cycle(requests), calls))
        began = time.monotonic()
        each([partial(Caller(served, seen).use_up, prepared) for _ in range(threads)])
        rate = calls / (time.monotonic() - began)
        if seen.failures:
            raise SystemExit(f"calls failed before the soak began: {dict(seen.failures)}")
    return rate


def soak(served: Served, requests: Sequence[Request], threads: int, seconds: float, rate: float) -> Soaked:
    """The callers take turns and start with different situations; memory is looked at meanwhile."""
    seen, began, pause = Seen(), time.monotonic(), threads / rate
    looks: list[Look] = []
    watcher = threading.Thread(target=watch, args=(served, began, seconds, looks))
    watcher.start()
    works = [
        partial(
            Caller(served, seen).keep_up,
            [*requests[place:], *requests[:place]],
            began=began + place / rate,
            seconds=seconds,
            pause=pause,
        )
        for place in range(threads)
    ]
    made = sum(each(works))
    watcher.join()
    kept = made / (threads * int(seconds / pause))
    if not all(seen.latencies):
        raise SystemExit(f"the callers fell behind, {kept:.1%} of the calls due were made: that was no steady load")
    return Soaked(seen, looks, kept)


def each(works: Sequence[Callable[[], Any]]) -> list[Any]:
    """In a thread of its own each; raises what one of them raised."""
    with ThreadPoolExecutor(len(works)) as pool:
        return [done.result() for done in [pool.submit(work) for work in works]]


def watch(served: Served, began: float, seconds: float, looks: list[Look]) -> None:
    """A look at the start, and then so many in each slice."""
    for number in range(SLICES * LOOKS + 1):
        time.sleep(max(0.0, began + number * seconds / (SLICES * LOOKS) - time.monotonic()))
        looks.append(Look(memory(served), processor_seconds(served.process.pid)))


def memory(served: Served) -> float:
    """Of the master and all workers together, MB, counted once where they share it."""
    kilobytes = 0
    for process in (served.process.pid, *served.workers()):
        lines = Path(f"/proc/{process}/smaps_rollup").read_text().splitlines()
        kilobytes += sum(int(line.split()[1]) for line in lines if line.startswith("Pss:"))
    return kilobytes / 1024


# ----------------------------------------------------------------------------------------------------------- verdicts


def report(soaked: Soaked, minutes: float) -> None:
    seen = soaked.seen
    print(f"{'minute':>6} {'calls':>7} {'p50 ms':>8} {'p99 ms':>8} {'MB':>7} {'cpu us/call':>12}")
    p50, p99 = seen.percentiles(0.5), seen.percentiles(0.99)
    for place, one in enumerate(seen.latencies):
        spent = soaked.processor[place] / len(one) * 1e6
        print(
            f"{place * minutes / SLICES:>6.1f} {len(one):>7} {p50[place]:>8.2f} {p99[place]:>8.2f} "
            f"{soaked.megabytes[place]:>7.1f} {spent:>12.0f}"
        )


def judge(soaked: Soaked, complaints: str, workers_stayed: bool) -> bool:
    """Prints every claim and whether it holds."""
    seen = soaked.seen
    growth, more = last_against_first(soaked.megabytes[SETTLING:]), last_against_first(soaked.processor)
    drift, tail = (last_against_first(seen.percentiles(share)) for share in (0.5, 0.99))
    return all(
        [
            check(not seen.failures, "no call failed", f"{seen.calls} calls, {dict(seen.failures) or 'no failure'}"),
            check(soaked.kept >= LEAST_KEPT, "the rate was kept up", f"{soaked.kept:.1%} of the calls due were made"),
            check(complaints == NOTHING, "the log complains of nothing", complaints),
            check(workers_stayed, "no worker was replaced", "the same processes at the end"),
            check(growth <= MOST_GROWTH, "memory is flat", f"last quarter {growth:.3f} times the first"),
            check(
                more <= MOST_DEARER,
                "a call does not become dearer",
                f"processor time, last quarter {more:.2f} times the first",
            ),
            check(drift <= MOST_DRIFT, "median latency does not drift", f"last quarter {drift:.2f} times the first"),
            check(tail <= MOST_TAIL_DRIFT, "p99 does not drift", f"last quarter {tail:.2f} times the first"),
        ]
    )


def last_against_first(values: Sequence[float]) -> float:
    """Medians of the last and the first quarter: one bad moment is no drift."""
    quarter = max(1, len(values) // 4)
    return statistics.median(values[-quarter:]) / statistics.median(values[:quarter])


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=20)
    parser.add_argument("--threads", type=int, default=8)
    parser.add_argument("--database", help="default: a SQLite file")
    chosen = parser.parse_args()
    requests = read_requests()
    with tempfile.TemporaryDirectory(prefix="soak-") as name:
        folder = Path(name)
        with serve(folder, chosen.database or f"sqlite:///{folder}/soak.sqlite3", CDS_LOG_LEVEL="warning") as served:
            most = find_highest_rate(served, requests, chosen.threads)
            print(
                f"at most {most:.0f} calls a second; soaking at {most / 2:.0f} for {chosen.minutes:g} minutes",
                flush=True,
            )
            workers, log = set(served.workers()), LogBook(served.log)
            soaked = soak(served, requests, chosen.threads, chosen.minutes * 60, most / 2)
            report(soaked, chosen.minutes)
            return int(not judge(soaked, log.complaints(), workers == set(served.workers())))


if __name__ == "__main__":
    sys.exit(main())
