"""The servers of the benchmark, each with 2 workers: how they are started, and what they cost in time and memory."""

import os
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.load.closed_loop import HOST, ask_once, make_call
from tests.load.request_of_size import make_request

ROOT = Path(__file__).resolve().parents[2]
HERE = Path(__file__).resolve().parent
FLOOR, OURS, TRACED, PEER = "floor", "ours", "traced", "HealthChain"
PORTS = {FLOOR: 18081, OURS: 18082, TRACED: 18083, PEER: 18084}
SERVICE = "/cds-services/iv-iron-rls"
WORKERS, THREADS = "2", "8"
START_SECONDS = 60
TICKS = os.sysconf("SC_CLK_TCK")
VERSIONS = "from importlib.metadata import version as v; print(v('healthchain') + ', uvicorn ' + v('uvicorn'))"


@dataclass(frozen=True, slots=True)
class Peer:
    """HealthChain in a Python of its own; `reads`: it also makes resources of the prefetch."""

    python: str
    versions: str
    reads: bool

    def describe(self) -> str:
        return f"{PEER} {self.versions}, {'reads the prefetch' if self.reads else 'leaves the prefetch unread'}"


def find_peer(python: str, reads: bool) -> Peer | None:
    """None when that Python has no HealthChain."""
    try:
        asked = subprocess.run([python, "-c", VERSIONS], capture_output=True, text=True, check=False)
    except OSError:  # no such Python
        return None
    return Peer(python, asked.stdout.strip(), reads) if asked.returncode == 0 else None


@dataclass(slots=True)
class Server:
    """`starts` are seconds from the start of the process to its first answer."""

    name: str
    command: Sequence[str]
    environment: dict[str, str]
    folder: Path
    starts: list[float] = field(default_factory=list)
    process: subprocess.Popen[bytes] | None = None

    @property
    def port(self) -> int:
        return PORTS[self.name]

    @property
    def pid(self) -> int:
        assert self.process, f"{self.name} has not been started"
        return self.process.pid

    def make_call(self, body: bytes) -> bytes:
        return make_call(f"/cds{SERVICE}" if self.name == PEER else SERVICE, body)

    def start(self) -> None:
        call = self.make_call(make_request(5))
        began = time.perf_counter()
        with (self.folder / "log").open("ab") as log:  # a file, as a real log is: what is thrown away costs less
            self.process = subprocess.Popen(self.command, env=self.environment, cwd=self.folder, stdout=log, stderr=log)
        self._wait_for_answer(call, began + START_SECONDS)
        self.starts.append(time.perf_counter() - began)

    def stop(self) -> None:
        if self.process:
            self.process.send_signal(signal.SIGTERM)
            self.process.wait(timeout=START_SECONDS)
            self.process = None

    def describe(self) -> str:
        least, most = min(self.starts), max(self.starts)
        start = f"{statistics.median(self.starts):.2f} s ({least:.2f}-{most:.2f})"
        return (
            f"{self.name}: first answer {start} after its start, then {memory(self.pid):.0f} MB in its largest worker"
        )

    def _wait_for_answer(self, call: bytes, until: float) -> None:
        while time.perf_counter() < until:
            try:
                ask_once(self.port, call)
            except OSError:
                time.sleep(0.01)
            else:
                return
        raise SystemExit(f"no {self.name} on port {self.port}: {(self.folder / 'log').read_text()[-2000:]}")


@contextmanager
def running(extra: Sequence[str], peer: Peer | None, starts: int) -> Iterator[list[Server]]:
    """All of them, started in turn so many times; the last start of each stays."""
    top = Path(tempfile.mkdtemp(prefix="bench-"))
    servers = list(_make_servers(top, dict(one.split("=", 1) for one in extra), peer))
    try:
        for _ in range(starts):
            for server in servers:
                server.stop()
                server.start()
        yield servers
    finally:
        for server in servers:
            server.stop()
        shutil.rmtree(top, ignore_errors=True)


def _make_servers(top: Path, given: dict[str, str], peer: Peer | None) -> Iterator[Server]:
    inherited = {key: value for key, value in os.environ.items() if not key.startswith("CDS_")}
    environment = {**inherited, "PYTHONPATH": str(ROOT), **given}
    yield _floor(_folder(top, "floor"), {**inherited, "PYTHONPATH": str(HERE)})
    yield _ours(OURS, _folder(top, "ours"), environment | {"CDS_TRACE": "false"})
    yield _ours(TRACED, _folder(top, "traced"), environment | {"CDS_TRACE": "true"})
    if peer:
        yield _peer(peer, _folder(top, "peer"), inherited)


def _folder(top: Path, name: str) -> Path:
    folder = top / name
    folder.mkdir()
    return folder


def _floor(folder: Path, environment: dict[str, str]) -> Server:
    gunicorn = [sys.executable, "-m", "gunicorn", "-w", WORKERS, "-k", "gthread", "--threads", THREADS]
    command = [*gunicorn, "--no-control-socket", "-b", f"{HOST}:{PORTS[FLOOR]}", "floor:create_floor()"]
    return Server(FLOOR, command, environment, folder)


def _ours(name: str, folder: Path, environment: dict[str, str]) -> Server:
    environment |= {
        "CDS_PORT": str(PORTS[name]),
        "CDS_WORKERS": WORKERS,
        "CDS_THREADS": THREADS,
        "CDS_DATABASE_URL": f"sqlite:///{folder / 'store.sqlite3'}",
    }
    command = [sys.executable, "-m", "cds_service.cli"]
    subprocess.run([*command, "migrate"], env=environment, cwd=folder, check=True, stdout=subprocess.DEVNULL)
    return Server(name, [*command, "serve"], environment, folder)


def _peer(peer: Peer, folder: Path, environment: dict[str, str]) -> Server:
    environment = {key: value for key, value in environment.items() if key != "PYTHONPATH"}
    environment["PEER_READS"] = "true" if peer.reads else "false"
    uvicorn = [peer.python, "-m", "uvicorn", "--app-dir", str(HERE), "--workers", WORKERS, "--no-access-log"]
    command = [*uvicorn, "--host", HOST, "--port", str(PORTS[PEER]), "peer_healthchain:app"]
    return Server(PEER, command, environment, folder)


# ---------------------------------------------------------------------------------------------------- what they cost


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
    """Largest resident set of one worker in MB; pages that workers share count in full."""
    pages = [int(Path(f"/proc/{one}/statm").read_text().split()[1]) for one in family(pid)[1:]]
    return max(pages, default=0) * os.sysconf("SC_PAGE_SIZE") / 1e6
