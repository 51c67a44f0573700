"""A long steady load in protected mode: memory stays flat, nothing fails, latency does not drift.

First the highest rate is found in a short burst, then half of it is kept up. Every situation of the fixtures takes its
turn, each call with a token of its own, every tenth call followed by feedback. The rate includes the signing, which is
the client's work and happens on the same machine.

    python -m tests.load.soak [--minutes 20] [--threads 4] [--database sqlite:///... | postgresql+psycopg://...]
"""

import argparse
import http.client
import json
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import cycle
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from tests.load.serving import Served, serve
from tests.replies import ADDRESSES, SITUATIONS, read_request

BURST_SECONDS = 8.0
FEEDBACK_EVERY = 10
# A drift beyond these is reported as a failure: the last quarter against the first.
MOST_GROWTH = 1.10
MOST_DRIFT = 1.50


@dataclass
class Seen:
    """What the callers saw, by minute."""

    latencies: dict[int, list[float]] = field(default_factory=dict)  # ms
    failures: dict[str, int] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def note(self, minute: int, milliseconds: float, failure: str = "") -> None:
        with self.lock:
            self.latencies.setdefault(minute, []).append(milliseconds)
            if failure:
                self.failures[failure] = self.failures.get(failure, 0) + 1

    @property
    def calls(self) -> int:
        return sum(len(one) for one in self.latencies.values())


class Caller:
    """One connection, kept open, that makes calls in turn at its own pace."""

    def __init__(self, served: Served, seen: Seen, requests: Sequence[tuple[str, bytes]]) -> None:
        self.served, self.seen = served, seen
        self.turns = cycle(requests)
        self.address = urlsplit(served.url)
        self.connection = http.client.HTTPConnection(self.address.netloc, timeout=30)

    def run(self, until: float, began: float, rate: float) -> None:
        """`rate` calls a second; 0 is as fast as it goes."""
        due = time.monotonic()
        count = 0
        while (now := time.monotonic()) < until:
            if rate and now < due:
                time.sleep(due - now)
            due += 1 / rate if rate else 0
            count += 1
            path, body = next(self.turns)
            minute = int((time.monotonic() - began) // 60)
            reply = self.post(path, body, minute)
            if count % FEEDBACK_EVERY == 0 and reply and reply.get("cards"):
                self.post(f"{path}/feedback", feedback(reply), minute)

    def post(self, path: str, body: bytes, minute: int) -> Any:
        headers = {"Authorization": f"Bearer {self.served.token(path)}", "Content-Type": "application/json"}
        began = time.perf_counter()
        try:
            self.connection.request("POST", path, body, headers)
            answer = self.connection.getresponse()
            status, content = answer.status, answer.read()
        except (OSError, http.client.HTTPException) as broken:
            self.connection.close()
            self.seen.note(minute, 0, type(broken).__name__)
            return None
        took = (time.perf_counter() - began) * 1000
        self.seen.note(minute, took, "" if status == 200 else f"status {status}")
        return json.loads(content) if status == 200 else None


def feedback(reply: Any) -> bytes:
    item = {
        "card": reply["cards"][0]["uuid"],
        "outcome": "overridden",
        "outcomeTimestamp": datetime.now(UTC).isoformat(),
    }
    return json.dumps({"feedback": [item]}).encode()


def load(served: Served, threads: int, seconds: float, rate: float) -> Seen:
    """`rate`: calls a second altogether; 0 is as fast as it goes."""
    seen = Seen()
    requests = [(ADDRESSES[one["hook"]], json.dumps(read_request(name)).encode()) for name, one in SITUATIONS.items()]
    began = time.monotonic()
    callers = [Caller(served, seen, requests[place:] + requests[:place]) for place in range(threads)]
    with ThreadPoolExecutor(threads) as pool:
        for done in [pool.submit(one.run, began + seconds, began, rate / threads) for one in callers]:
            done.result()
    return seen


def memory(served: Served) -> float:
    """Of all workers together, MB, counted once where they share it."""
    kilobytes = 0
    for worker in served.workers():
        lines = Path(f"/proc/{worker}/smaps_rollup").read_text().splitlines()
        kilobytes += sum(int(line.split()[1]) for line in lines if line.startswith("Pss:"))
    return kilobytes / 1024


def watch(served: Served, until: float, every: float, kept: list[float]) -> None:
    while time.monotonic() < until:
        kept.append(memory(served))
        time.sleep(every)


def report(seen: Seen, memories: list[float]) -> int:
    """Prints the minutes and says what drifted; 0 when nothing did."""
    print(f"{'minute':>6} {'calls':>7} {'p50 ms':>8} {'p99 ms':>8} {'MB':>7}")
    medians = []
    for minute, latencies in sorted(seen.latencies.items()):
        ordered = sorted(latencies)
        medians.append(statistics.median(ordered))
        here = memories[min(len(memories) - 1, minute * len(memories) // len(seen.latencies))]
        print(
            f"{minute:>6} {len(ordered):>7} {medians[-1]:>8.2f} {ordered[int(len(ordered) * 0.99)]:>8.2f} {here:>7.1f}"
        )
    growth = _last_against_first(memories[len(memories) // 8 :])  # what is imported or cached once comes first
    drift = _last_against_first(medians)
    print(f"{seen.calls} calls, failures: {seen.failures or 'none'}")
    print(f"memory, last quarter against first: {growth:.2f}; median latency: {drift:.2f}")
    return int(bool(seen.failures) or growth > MOST_GROWTH or drift > MOST_DRIFT)


def _last_against_first(values: Sequence[float]) -> float:
    quarter = max(1, len(values) // 4)
    return statistics.mean(values[-quarter:]) / statistics.mean(values[:quarter])


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=20)
    parser.add_argument("--threads", type=int, default=4)
    parser.add_argument("--database", help="default: a SQLite file")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="soak-") as name:
        folder = Path(name)
        with serve(folder, chosen.database or f"sqlite:///{folder}/soak.sqlite3", CDS_LOG_LEVEL="warning") as served:
            burst = load(served, chosen.threads, BURST_SECONDS, 0)
            most = burst.calls / BURST_SECONDS
            print(f"at most {most:.0f} calls a second; soaking at {most / 2:.0f} for {chosen.minutes:g} minutes")
            until, memories = time.monotonic() + chosen.minutes * 60, list[float]()
            watcher = threading.Thread(target=watch, args=(served, until, chosen.minutes * 60 / 80, memories))
            watcher.start()
            seen = load(served, chosen.threads, chosen.minutes * 60, most / 2)
            watcher.join()
            return report(seen, memories)


if __name__ == "__main__":
    sys.exit(main())
