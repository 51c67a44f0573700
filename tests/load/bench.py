"""Benchmark against the bare-Flask floor and a peer: same callers, one run, alternating.

Ours runs in demo mode with log, store and metrics on, once without and once with the decision trace. The floor parses
the body with orjson and returns a constant card. The peer is HealthChain, where installed: its own gateway with a
constant card. The calls of a measurement are about many patients. On a machine that does other work too, judge by
processor time and by the ratios, which are taken within each round. Memory includes what earlier rows left behind.

    python tests/load/bench.py [--pairs 7] [--sizes 5,60,2000] [--concurrency 1,8,64] [--peer-python PYTHON]
                               [--peer-reads] [--server-env NAME=VALUE]
"""

import argparse
import os
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.load.bench_servers import FLOOR, OURS, PEER, PORTS, Server, find_peer, memory, processor_seconds, running
from tests.load.closed_loop import run
from tests.load.request_of_size import USABLE, make_request

PATIENTS = 50  # in turn
WARM_UP = 1.0  # seconds
AIMS = {60: 2.0, 2000: 4.0}  # times the throughput of the peer, by size
COLUMNS = {
    "Observations": 12, "at once": 7, "server": 11, "processor us/call": 19, "calls/s": 16, "p50 ms": 22, "p99 ms": 22,
    "worker MB": 9, "floor / it, processor": 21, f"ours / {PEER}, calls/s": 27,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Measured:
    """One measurement: processor time per call over all workers, and what the callers saw."""

    micros: float
    rate: float  # calls per second
    p50: float  # ms
    p99: float
    megabytes: float  # largest worker afterwards
    callers: float  # cores that the callers took


@dataclass(frozen=True, slots=True)
class Block:
    """The rounds of one size and one number of callers, by server."""

    size: int
    width: int
    rounds: Sequence[dict[str, Measured]]

    def of(self, name: str, figure: Callable[[Measured], float]) -> list[float]:
        return [figure(one[name]) for one in self.rounds]

    def against_peer(self) -> list[float]:
        """Our throughput by the peer's, round by round; nothing when there is no peer."""
        return [one[OURS].rate / one[PEER].rate for one in self.rounds if PEER in one]


def main() -> None:
    options = parse_options()
    began = time.monotonic()
    peer = find_peer(options.peer_python, options.peer_reads)
    print(
        peer.describe() if peer else f"{PEER} is not installed, and left out: --peer-python names a Python that has it"
    )
    with running(options.server_env, peer, options.starts) as servers:
        for server in servers:
            print(server.describe())
        print(f"\n{options.pairs} alternating rounds of {options.seconds:g} s; medians (least-most)\n")
        print_row(COLUMNS)
        print_row(["-" * (width - 1) + ":" for width in COLUMNS.values()])
        blocks = [block for size in numbers(options.sizes) for block in measure_size(size, options, servers)]
    report_slopes(blocks)
    report_aims(blocks)
    busiest = max(one.callers for block in blocks for rounds in block.rounds for one in rounds.values())
    print(f"the callers took at most {busiest:.2f} of a core, whose processor time is missing to the servers")
    load = os.getloadavg()[0]
    print(f"{(time.monotonic() - began) / 60:.1f} minutes on {os.cpu_count()} cores; load at the end {load:.1f}")


def parse_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=int, default=7, help="rounds, in each of which every server is measured once")
    parser.add_argument("--sizes", default="5,60,2000", help="Observations in a request")
    parser.add_argument("--concurrency", default="8", help="callers at once, for example 1,8,64")
    parser.add_argument("--seconds", type=float, default=3, help="length of one measurement")
    parser.add_argument("--starts", type=int, default=3, help="how often each server is started")
    parser.add_argument("--peer-python", default=sys.executable, help=f"a Python that has {PEER}")
    parser.add_argument("--peer-reads", action="store_true", help="it also makes FHIR resources of the prefetch")
    parser.add_argument("--server-env", action="append", default=[], help="NAME=VALUE for our server")
    return parser.parse_args()


def numbers(text: str) -> list[int]:
    return [int(one) for one in text.split(",")]


# ---------------------------------------------------------------------------------------------------- measurements


def measure_size(size: int, options: argparse.Namespace, servers: Sequence[Server]) -> list[Block]:
    """One block for each number of callers, printed as soon as it is measured."""
    bodies = [make_request(size, patient) for patient in range(1, PATIENTS + 1)]
    calls = {server.name: [server.make_call(body) for body in bodies] for server in servers}
    blocks = []
    for width in numbers(options.concurrency):
        for server in servers:
            measure(server, calls[server.name], width, WARM_UP)
        rounds = []
        for number in range(options.pairs):
            order = servers if number % 2 else list(reversed(servers))
            rounds.append({one.name: measure(one, calls[one.name], width, options.seconds) for one in order})
        blocks.append(Block(size, width, rounds))
        print_block(blocks[-1], [server.name for server in servers])
    return blocks


def measure(server: Server, calls: Sequence[bytes], width: int, seconds: float) -> Measured:
    before = processor_seconds(server.pid)
    seen = run(server.port, calls, width, seconds)
    used = processor_seconds(server.pid) - before
    return Measured(
        used / seen.calls * 1e6,
        seen.rate,
        seen.percentile(0.5) * 1e3,
        seen.percentile(0.99) * 1e3,
        memory(server.pid),
        seen.own_processor / seen.took,
    )


# -------------------------------------------------------------------------------------------------------- what is said


def print_row(cells: Sequence[str] | dict[str, int]) -> None:
    """One line of a Markdown table."""
    padded = [f"{cell:>{width}}" for cell, width in zip(cells, COLUMNS.values(), strict=True)]
    print(f"| {' | '.join(padded)} |", flush=True)


def print_block(block: Block, names: Sequence[str]) -> None:
    for name in names:
        ratios = [one[FLOOR].micros / one[name].micros for one in block.rounds]
        print_row(
            [
                f"{block.size:,}",
                str(block.width),
                name,
                spread(block.of(name, lambda one: one.micros), 0),
                spread(block.of(name, lambda one: one.rate), 0),
                spread(block.of(name, lambda one: one.p50), 1),
                spread(block.of(name, lambda one: one.p99), 1),
                f"{max(block.of(name, lambda one: one.megabytes)):.0f}",
                spread(ratios, 2),
                spread(block.against_peer(), 2) if name == OURS else "",
            ]
        )


def report_slopes(blocks: Sequence[Block]) -> None:
    """What one irrelevant Observation more costs: between the two largest sizes nearly all are too old to count."""
    print()
    for width in sorted({block.width for block in blocks}):
        of_width = [block for block in blocks if block.width == width and block.size >= USABLE]
        by_size = sorted(of_width, key=lambda block: block.size)
        if len(by_size) < 2:
            continue
        small, large = by_size[-2:]
        more = large.size - small.size
        costs = [
            f"{name} {(micros(large, name) - micros(small, name)) / more:.1f}"
            for name in PORTS
            if name in large.rounds[0]
        ]
        print(f"{width} at once: processor microseconds per irrelevant Observation: {', '.join(costs)}")


def micros(block: Block, name: str) -> float:
    return statistics.median(block.of(name, lambda one: one.micros))


def report_aims(blocks: Sequence[Block]) -> None:
    for block in blocks:
        aim = AIMS.get(block.size)
        if ratios := block.against_peer():
            wanted = f"; aim {aim:g}: {'met' if statistics.median(ratios) >= aim else 'missed'}" if aim else ""
            place = f"{block.size:,} Observations, {block.width} at once"
            cheaper = spread([one[PEER].micros / one[OURS].micros for one in block.rounds], 2)
            print(f"{place}: {spread(ratios, 2)} times the throughput of {PEER}{wanted}; by processor time {cheaper}")


def spread(values: Sequence[float], places: int) -> str:
    """Median, least and most; nothing of nothing."""
    if not values:
        return ""
    return f"{statistics.median(values):.{places}f} ({min(values):.{places}f}-{max(values):.{places}f})"


if __name__ == "__main__":
    main()
