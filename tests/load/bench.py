"""Benchmark against the bare-Flask floor: same server, one run, alternating; judged by processor time per call.

python tests/load/bench.py [--pairs 7] [--sizes 5,60,2000] [--concurrency 8] [--server-env CDS_TRACE=false]
"""

import argparse
import http.client
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

from request_of_size import make_request

ROOT = Path(__file__).resolve().parents[2]
HOST = "127.0.0.1"
PORTS = {"floor": 18081, "ours": 18082}
TICKS = os.sysconf("SC_CLK_TCK")


def main() -> None:
    options = parse_options()
    sizes = [int(size) for size in options.sizes.split(",")]
    print(f"{options.pairs} alternating pairs, concurrency {options.concurrency}; medians (least-most)")
    print(f"{'size':>5} {'server':>6} {'cpu us/call':>22} {'calls/s':>18} {'p50 ms':>8} {'p99 ms':>8} {'rss MB':>7}")
    with servers(options.server_env) as pids:
        for size in sizes:
            compare(size, options, pids)


def parse_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("--sizes", default="5,60,2000")
    parser.add_argument("--concurrency", type=int, default=8)
    parser.add_argument("--seconds", type=float, default=2.0, help="length of one measurement")
    parser.add_argument("--server-env", action="append", default=[], help="NAME=VALUE for our server")
    return parser.parse_args()


@contextmanager
def servers(extra: list[str]) -> Iterator[dict[str, int]]:
    """Both servers under gunicorn with 2 workers x 8 threads."""
    folder = tempfile.mkdtemp(prefix="bench-")
    environment = {
        **os.environ,
        "PYTHONPATH": f"{ROOT}:{ROOT / 'tests' / 'load'}",
        **dict(one.split("=", 1) for one in extra),
    }
    ours = {
        **environment,
        "CDS_PORT": str(PORTS["ours"]),
        "CDS_DATABASE_URL": f"sqlite:///{folder}/bench.sqlite3",
    }
    bare = [
        sys.executable,
        "-m",
        "gunicorn",
        "-w",
        "2",
        "-k",
        "gthread",
        "--threads",
        "8",
        "--no-control-socket",
        "-b",
        f"{HOST}:{PORTS['floor']}",
        "floor:create_floor()",
    ]
    started = [
        subprocess.Popen(bare, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL),
        subprocess.Popen(
            [sys.executable, "-m", "cds_service.cli", "serve"],
            env=ours,
            cwd=folder,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        ),
    ]
    try:
        for port in PORTS.values():
            wait_for(port)
        yield {"floor": started[0].pid, "ours": started[1].pid}
    finally:
        for process in started:
            process.send_signal(signal.SIGTERM)
        for process in started:
            process.wait(timeout=30)


def wait_for(port: int) -> None:
    for _ in range(200):
        try:
            http.client.HTTPConnection(HOST, port, timeout=1).connect()
        except OSError:
            time.sleep(0.05)
        else:
            return
    raise SystemExit(f"no server on port {port}")


def compare(size: int, options: argparse.Namespace, pids: dict[str, int]) -> None:
    body = make_request(size)
    figures: dict[str, list[tuple[float, float, float, float]]] = {
        "floor": [],
        "ours": [],
    }
    for name in figures:
        measure(name, body, pids[name], options.concurrency, 0.5)
    for pair in range(options.pairs):
        for name in ("floor", "ours") if pair % 2 else ("ours", "floor"):
            figures[name].append(measure(name, body, pids[name], options.concurrency, options.seconds))
    for name, rows in figures.items():
        cpu, rate, p50, p99 = (sorted(column) for column in zip(*rows, strict=True))
        print(
            f"{size:>5} {name:>6} {spread(cpu, '{:.0f}'):>22} {spread(rate, '{:.0f}'):>18} "
            f"{statistics.median(p50):>8.1f} {statistics.median(p99):>8.1f} {memory(pids[name]):>7.0f}"
        )
    ratios = sorted(floor[0] / ours[0] for floor, ours in zip(figures["floor"], figures["ours"], strict=True))
    print(f"{size:>5}  floor / ours by processor time: {spread(ratios, '{:.2f}')}   body {len(body) / 1024:.0f} KiB\n")


def spread(values: list[float], form: str) -> str:
    return f"{form.format(statistics.median(values))} ({form.format(values[0])}-{form.format(values[-1])})"


def measure(name: str, body: bytes, pid: int, concurrency: int, seconds: float) -> tuple[float, float, float, float]:
    """Processor microseconds per call over all workers, calls per second, p50 and p99 in ms."""
    latencies: list[float] = []
    stop = time.perf_counter() + seconds
    threads = [threading.Thread(target=load, args=(PORTS[name], body, stop, latencies)) for _ in range(concurrency)]
    before, began = processor_seconds(pid), time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    took, used = time.perf_counter() - began, processor_seconds(pid) - before
    latencies.sort()
    calls = len(latencies)
    return (
        used / calls * 1e6,
        calls / took,
        latencies[calls // 2] * 1e3,
        latencies[min(calls - 1, int(calls * 0.99))] * 1e3,
    )


def load(port: int, body: bytes, stop: float, latencies: list[float]) -> None:
    connection = http.client.HTTPConnection(HOST, port, timeout=60)
    headers = {"Content-Type": "application/json"}
    while time.perf_counter() < stop:
        began = time.perf_counter()
        connection.request("POST", "/cds-services/iv-iron-rls", body, headers)
        answer = connection.getresponse()
        answer.read()
        if answer.status != 200:
            raise SystemExit(f"status {answer.status}")
        latencies.append(time.perf_counter() - began)
    connection.close()


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
