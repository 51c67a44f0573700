"""Benchmark against the bare-Flask floor: same server, one run, alternating; judged by processor time per call.

Ours runs in demo mode with log, store and metrics on, once without and once with the decision trace. The floor parses
the body with orjson and returns a constant card. The calls of a measurement are about many patients.

    python tests/load/bench.py [--pairs 7] [--sizes 5,60,2000] [--concurrency 1,8,64] [--server-env NAME=VALUE]
"""

import argparse
import http.client
import os
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

from request_of_size import make_request

ROOT = Path(__file__).resolve().parents[2]
HOST = "127.0.0.1"
FLOOR, OURS, TRACED = "floor", "ours", "traced"
PORTS = {FLOOR: 18081, OURS: 18082, TRACED: 18083}
WORKERS, THREADS = "2", "8"
PATIENTS = 50  # in turn
WARM_UP = 1.0  # seconds
START_SECONDS = 30
TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Measured:
    """One measurement: processor time per call over all workers, and what the callers saw."""

    micros: float
    rate: float  # calls per second
    p50: float  # ms
    p99: float


def main() -> None:
    options = parse_options()
    sizes = [int(size) for size in options.sizes.split(",")]
    widths = [int(width) for width in options.concurrency.split(",")]
    print(f"{options.pairs} alternating rounds; medians (least-most); load of the machine {os.getloadavg()[0]:.1f}")
    with servers(options.server_env) as pids:
        first = {width: {size: compare(size, width, options, pids) for size in sizes} for width in widths}
        for width, rows in first.items():
            report_slope(width, rows)
        memories = ", ".join(f"{name} {memory(pid):.0f} MB" for name, pid in pids.items())
    print(f"largest worker: {memories}; load of the machine {os.getloadavg()[0]:.1f}")


def parse_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("--sizes", default="5,60,2000", help="Observations in a request")
    parser.add_argument("--concurrency", default="8", help="callers at once, for example 1,8,64")
    parser.add_argument("--seconds", type=float, default=1.5, help="length of one measurement")
    parser.add_argument("--server-env", action="append", default=[], help="NAME=VALUE for our server")
    return parser.parse_args()


# --------------------------------------------------------------------------------------------------------- servers


@contextmanager
def servers(extra: Sequence[str]) -> Iterator[dict[str, int]]:
    """All of them, started one after the other and timed, each with 2 workers x 8 threads. Their process ids."""
    folder = Path(tempfile.mkdtemp(prefix="bench-"))
    given = dict(one.split("=", 1) for one in extra)
    started: dict[str, subprocess.Popen[bytes]] = {}
    try:
        for name, port in PORTS.items():
            began = time.perf_counter()
            started[name] = start(name, folder, given)
            wait_for_answer(port)
            print(f"{name}: first answer {time.perf_counter() - began:.2f} s after its start")
        yield {name: process.pid for name, process in started.items()}
    finally:
        for process in started.values():
            process.send_signal(signal.SIGTERM)
        for process in started.values():
            process.wait(timeout=START_SECONDS)
        shutil.rmtree(folder, ignore_errors=True)


def start(name: str, folder: Path, given: dict[str, str]) -> subprocess.Popen[bytes]:
    inherited = {key: value for key, value in os.environ.items() if not key.startswith("CDS_")}
    environment = {**inherited, "PYTHONPATH": f"{ROOT}:{ROOT / 'tests' / 'load'}", **given}
    gunicorn = [sys.executable, "-m", "gunicorn", "-w", WORKERS, "-k", "gthread", "--threads", THREADS]
    command = [*gunicorn, "--no-control-socket", "-b", f"{HOST}:{PORTS[name]}", "floor:create_floor()"]
    if name != FLOOR:
        environment |= {
            "CDS_PORT": str(PORTS[name]),
            "CDS_WORKERS": WORKERS,
            "CDS_THREADS": THREADS,
            "CDS_DATABASE_URL": f"sqlite:///{folder / name}.sqlite3",
            "CDS_TRACE": "true" if name == TRACED else "false",
        }
        command = [sys.executable, "-m", "cds_service.cli"]
        subprocess.run([*command, "migrate"], env=environment, cwd=folder, check=True, stdout=subprocess.DEVNULL)
        command.append("serve")
    with (folder / f"{name}.log").open("wb") as log:  # a file, as a real log is: what is thrown away costs less
        return subprocess.Popen(command, env=environment, cwd=folder, stdout=log, stderr=log)


def wait_for_answer(port: int) -> None:
    body = make_request(5)
    until = time.perf_counter() + START_SECONDS
    while time.perf_counter() < until:
        try:
            send(http.client.HTTPConnection(HOST, port, timeout=START_SECONDS), body)
        except OSError:
            time.sleep(0.01)
        else:
            return
    raise SystemExit(f"no server on port {port}")


# ---------------------------------------------------------------------------------------------------- measurements


def compare(size: int, width: int, options: argparse.Namespace, pids: dict[str, int]) -> dict[str, float]:
    """Prints one block of the table. Median processor time by server."""
    bodies = [make_request(size, patient) for patient in range(1, PATIENTS + 1)]
    rounds: list[dict[str, Measured]] = []
    for name, pid in pids.items():
        measure(name, bodies, pid, width, WARM_UP)
    for number in range(options.pairs):
        order = list(pids) if number % 2 else list(reversed(pids))
        rounds.append({name: measure(name, bodies, pids[name], width, options.seconds) for name in order})
    print(f"\n{size} Observations, {len(bodies[0]) / 1024:.0f} KiB, {width} at once")
    print(f"{'':>7} {'cpu us/call':>24} {'calls/s':>22} {'p50 ms':>22} {'p99 ms':>22} {'floor / it':>18}")
    for name in pids:
        row = [one[name] for one in rounds]
        ratios = [one[FLOOR].micros / one[name].micros for one in rounds]
        print(
            f"{name:>7} {spread([one.micros for one in row], 0):>24} {spread([one.rate for one in row], 0):>22} "
            f"{spread([one.p50 for one in row], 1):>22} {spread([one.p99 for one in row], 1):>22} "
            f"{spread(ratios, 2):>18}",
            flush=True,
        )
    return {name: statistics.median(one[name].micros for one in rounds) for name in pids}


def report_slope(width: int, rows: dict[int, dict[str, float]]) -> None:
    """What one irrelevant Observation more costs: between the two largest sizes nearly all are too old to count."""
    if len(rows) > 1:
        small, large = sorted(rows)[-2:]
        costs = ", ".join(f"{name} {(rows[large][name] - rows[small][name]) / (large - small):.1f}" for name in PORTS)
        print(f"\n{width} at once: processor microseconds per irrelevant Observation: {costs}")


def spread(values: Sequence[float], places: int) -> str:
    middle, least, most = statistics.median(values), min(values), max(values)
    return f"{middle:.{places}f} ({least:.{places}f}-{most:.{places}f})"


def measure(name: str, bodies: Sequence[bytes], pid: int, width: int, seconds: float) -> Measured:
    latencies: list[float] = []
    turns = count()
    stop = time.perf_counter() + seconds
    threads = [threading.Thread(target=load, args=(PORTS[name], bodies, turns, stop, latencies)) for _ in range(width)]
    before, began = processor_seconds(pid), time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    took, used = time.perf_counter() - began, processor_seconds(pid) - before
    latencies.sort()
    calls = len(latencies)
    last = latencies[min(calls - 1, int(calls * 0.99))]
    return Measured(used / calls * 1e6, calls / took, latencies[calls // 2] * 1e3, last * 1e3)


def load(port: int, bodies: Sequence[bytes], turns: Iterator[int], stop: float, latencies: list[float]) -> None:
    connection = http.client.HTTPConnection(HOST, port, timeout=60)
    while time.perf_counter() < stop:
        body = bodies[next(turns) % len(bodies)]
        began = time.perf_counter()
        send(connection, body)
        latencies.append(time.perf_counter() - began)
    connection.close()


def send(connection: http.client.HTTPConnection, body: bytes) -> None:
    connection.request("POST", "/cds-services/iv-iron-rls", body, {"Content-Type": "application/json"})
    answer = connection.getresponse()
    answer.read()
    if answer.status != 200:
        raise SystemExit(f"status {answer.status}")


def family(pid: int) -> list[int]:
    """The master and its workers."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [pid, *(int(child) for child in children)]


def processor_seconds(pid: int) -> float:
    return sum(_ticks(one) for one in family(pid)) / TICKS


def _ticks(pid: int) -> int:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return int(fields[11]) + int(fields[12])


def memory(pid: int) -> float:
    """Largest resident set of one worker in MB."""
    pages = [int(Path(f"/proc/{one}/statm").read_text().split()[1]) for one in family(pid)[1:]]
    return max(pages, default=0) * os.sysconf("SC_PAGE_SIZE") / 1e6


if __name__ == "__main__":
    main()
