"""What protected mode costs beside demo mode: processor time per call, and p50 and p99, for both databases.

Run: python -m tests.load.bench_protected [--rounds 5] [--calls 1500] [--size 5] [--databases sqlite,postgresql]

Every call has a token of its own, made beforehand. A private PostgreSQL server is started, durable as by default; its
own processor time is not counted. Rounds alternate between the servers; medians are shown, with least and most.
"""

import argparse
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from http.client import HTTPConnection
from pathlib import Path
from timeit import timeit

from jwt.algorithms import get_default_algorithms

from cds_service.keys import parse_key
from tests.load.bench_servers import processor_seconds
from tests.load.kill_feedback import DEFAULT_BIN, Postgres
from tests.load.request_of_size import make_request
from tests.load.serving import Served, serve
from tests.spec.protected import jwk, registry, signing_key

SERVICE = "/cds-services/iv-iron-rls"
ALGORITHMS = ("ES384", "RS384")
CONCURRENCY = 8


@dataclass
class Contender:
    """One server in one way of asking it, with a figure of each round."""

    name: str
    served: Served
    algorithm: str | None
    cpu: list[float] = field(default_factory=list)  # microseconds a call
    rate: list[float] = field(default_factory=list)  # calls a second
    p50: list[float] = field(default_factory=list)  # milliseconds
    p99: list[float] = field(default_factory=list)


def measure(contender: Contender, body: bytes, calls: int) -> None:
    """One round. Raises `AssertionError` when an answer is not 200."""
    served, algorithm = contender.served, contender.algorithm
    tokens = [served.token(SERVICE, algorithm) if algorithm else "" for _ in range(calls)]
    left, latencies, statuses = iter(tokens), list[float](), set[int]()
    lock = threading.Lock()

    def draw() -> Iterator[str]:
        while True:
            with lock:
                drawn = next(left, None)
            if drawn is None:
                return
            yield drawn

    def work() -> None:
        connection = HTTPConnection("127.0.0.1", int(served.url.rpartition(":")[2]), timeout=60)
        for value in draw():
            headers = {"Content-Type": "application/json", **({"Authorization": f"Bearer {value}"} if value else {})}
            began = time.perf_counter()
            connection.request("POST", SERVICE, body, headers)
            answer = connection.getresponse()
            answer.read()
            latencies.append(time.perf_counter() - began)
            statuses.add(answer.status)
        connection.close()

    threads = [threading.Thread(target=work) for _ in range(CONCURRENCY)]
    before, began = processor_seconds(served.process.pid), time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    time.sleep(1.0)  # rows of the calls are written behind; that is part of their price
    used, took = processor_seconds(served.process.pid) - before, time.perf_counter() - began - 1.0
    assert statuses == {200}, statuses
    latencies.sort()
    contender.cpu.append(used / calls * 1e6)
    contender.rate.append(calls / took)
    contender.p50.append(latencies[calls // 2] * 1e3)
    contender.p99.append(latencies[int(calls * 0.99)] * 1e3)


def signature_microseconds(algorithm: str) -> float:
    """What checking one signature costs here, nothing else."""
    message = b"x" * 400
    method = get_default_algorithms()[algorithm]
    signature = method.sign(message, signing_key(algorithm))
    key = parse_key(jwk(algorithm))
    return timeit(lambda: key.verifies(algorithm, message, signature), number=300) / 300 * 1e6


def show(contenders: list[Contender]) -> None:
    print(f"{'server':>26} {'cpu us/call':>20} {'over demo':>10} {'calls/s':>8} {'p50 ms':>7} {'p99 ms':>20}")
    for one in contenders:
        demo = next(other for other in contenders if other.algorithm is None and other.name[:4] == one.name[:4])
        over = statistics.median(mine - its for mine, its in zip(one.cpu, demo.cpu, strict=True))
        print(
            f"{one.name:>26} {spread(one.cpu, '{:.0f}'):>20} {over:>10.0f} {statistics.median(one.rate):>8.0f} "
            f"{statistics.median(one.p50):>7.1f} {spread(one.p99, '{:.1f}'):>20}"
        )


def spread(values: list[float], form: str) -> str:
    return f"{form.format(statistics.median(values))} ({form.format(min(values))}-{form.format(max(values))})"


def open_contenders(stack: ExitStack, databases: list[str], programs: Path) -> list[Contender]:
    contenders = []
    for kind in databases:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        url = f"sqlite:///{folder / 'store.sqlite3'}"
        if kind == "postgresql":
            (folder / "postgres").mkdir()
            server = Postgres(folder / "postgres", programs)
            stack.callback(server.stop)
            url = server.url
        registry(folder)
        protected = stack.enter_context(serve(folder, url, CDS_LOG_LEVEL="info"))
        contenders += [Contender(f"{kind} {one}", protected, one) for one in ALGORITHMS]
        (folder / "demo").mkdir()
        demo = stack.enter_context(serve(folder / "demo", url, CDS_CLIENTS="", CDS_TRACE="off"))
        contenders.append(Contender(f"{kind} demo", demo, None))
    return contenders


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--calls", type=int, default=1500, help="in each round")
    parser.add_argument("--size", type=int, default=5, help="Observations in the request")
    parser.add_argument("--databases", default="sqlite,postgresql")
    parser.add_argument("--postgres-bin", type=Path, default=Path(DEFAULT_BIN))
    chosen = parser.parse_args()
    body = make_request(chosen.size)
    for algorithm in ALGORITHMS:
        print(f"checking one {algorithm} signature: {signature_microseconds(algorithm):.0f} us")
    with ExitStack() as stack:
        contenders = open_contenders(stack, chosen.databases.split(","), chosen.postgres_bin)
        for one in contenders:
            measure(one, body, 200)
            for figures in (one.cpu, one.rate, one.p50, one.p99):
                figures.clear()
        for place in range(chosen.rounds):
            for one in contenders if place % 2 else reversed(contenders):
                measure(one, body, chosen.calls)
        show(contenders)
    return 0


if __name__ == "__main__":
    sys.exit(main())
