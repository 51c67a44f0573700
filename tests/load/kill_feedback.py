"""Kills workers, or PostgreSQL, with SIGKILL while feedback arrives: every acknowledged item must be kept, once.

Run: python -m tests.load.kill_feedback sqlite|postgresql [--posts 2000] [--victim worker|database]

For PostgreSQL a private server is started in a temporary folder; `--postgres-bin` says where its programs are. Run as
root it is started as the user `postgres`.
"""

import argparse
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from uuid import uuid4

from cds_service import store
from tests.load.serving import Served, free_port, serve

SERVICE = "/cds-services/iv-iron-rls/feedback"
DEFAULT_BIN = "/usr/lib/postgresql/15/bin"
MOST_TRIES = 200


class Postgres:
    """A private server that can be killed and started again."""

    def __init__(self, folder: Path, programs: Path) -> None:
        self.folder, self.programs, self.port = folder, programs, free_port()
        if os.geteuid() == 0:
            shutil.chown(folder, "postgres")
            folder.parent.chmod(0o755)
        self._run("initdb", "-D", str(folder / "data"), "-A", "trust", "-U", "postgres")
        self.start()

    @property
    def url(self) -> str:
        return f"postgresql+psycopg://postgres@127.0.0.1:{self.port}/postgres"

    def _run(self, program: str, *arguments: str) -> None:
        command = [str(self.programs / program), *arguments]
        name, groups = ("postgres", list[str]()) if os.geteuid() == 0 else (None, None)
        quiet = subprocess.DEVNULL
        subprocess.run(
            command, check=True, stdout=quiet, stderr=quiet, cwd="/", user=name, group=name, extra_groups=groups
        )

    def start(self) -> None:
        options = f"-p {self.port} -k {self.folder} -h 127.0.0.1"
        data, log = str(self.folder / "data"), str(self.folder / "log")
        self._run("pg_ctl", "-D", data, "-o", options, "-l", log, "-w", "start")

    def kill(self) -> None:
        """Postmaster and all its children at once, as a power failure would; then up again."""
        postmaster = int((self.folder / "data" / "postmaster.pid").read_text().split()[0])
        children = Path(f"/proc/{postmaster}/task/{postmaster}/children").read_text().split()
        for process in (postmaster, *map(int, children)):
            _kill(process)
        (self.folder / "data" / "postmaster.pid").unlink(missing_ok=True)
        for _ in range(MOST_TRIES):  # the last of its processes may still hold the shared memory
            try:
                return self.start()
            except subprocess.CalledProcessError:
                time.sleep(0.5)
        raise AssertionError("PostgreSQL did not start again")

    def stop(self) -> None:
        self._run("pg_ctl", "-D", str(self.folder / "data"), "-m", "fast", "-w", "stop")


def _kill(process: int) -> None:
    try:
        os.kill(process, signal.SIGKILL)
    except ProcessLookupError:
        return


def item(card: str) -> dict[str, Any]:
    return {
        "card": card,
        "outcome": "accepted",
        "acceptedSuggestions": [{"id": f"{card}-suggestion"}],
        "outcomeTimestamp": "2026-11-24T09:30:00Z",
    }


def post_until_acknowledged(served: Served, card: str) -> int:
    """As a client does: again, with a new token, until it is told that the item is kept. Returns the tries."""
    for attempt in range(1, MOST_TRIES):
        if served.send(SERVICE, served.token(SERVICE), {"feedback": [item(card)]}) == 200:
            return attempt
        time.sleep(0.25)
    return 0


def kill_now_and_then(strike: Callable[[], None], stop: threading.Event, every: float) -> int:
    strikes = 0
    while not stop.wait(every):
        strike()
        strikes += 1
    return strikes


def run(served: Served, strike: Callable[[], None], posts: int, every: float) -> tuple[dict[str, int], int]:
    """Card to tries, and the number of strikes."""
    cards, stop = [str(uuid4()) for _ in range(posts)], threading.Event()
    with ThreadPoolExecutor(9) as pool:
        killing = pool.submit(kill_now_and_then, strike, stop, every)
        tries = dict(zip(cards, pool.map(lambda card: post_until_acknowledged(served, card), cards), strict=True))
        stop.set()
        return tries, killing.result()


def judge(url: str, tries: dict[str, int]) -> tuple[list[str], list[str]]:
    """Acknowledged items that are lost, and items that are there more than once."""
    engine = store.open_database(url)
    kept = [row["card"] for row in store.read_feedback(engine)]
    engine.dispose()
    acknowledged = {card for card, count in tries.items() if count}
    return sorted(acknowledged - set(kept)), sorted({card for card in kept if kept.count(card) > 1})


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("kind", choices=("sqlite", "postgresql"))
    parser.add_argument("--victim", choices=("worker", "database"), default="worker")
    parser.add_argument("--posts", type=int, default=2000)
    parser.add_argument("--every", type=float, default=1.0, help="seconds between two kills")
    parser.add_argument("--postgres-bin", type=Path, default=Path(DEFAULT_BIN))
    chosen = parser.parse_args(arguments)
    if chosen.kind == "sqlite" and chosen.victim == "database":
        parser.error("SQLite has no process of its own; kill workers")
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        url, strike = f"sqlite:///{folder / 'store.sqlite3'}", None
        if chosen.kind == "postgresql":
            (folder / "postgres").mkdir()
            server = Postgres(folder / "postgres", chosen.postgres_bin)
            stack.callback(server.stop)
            url, strike = server.url, server.kill if chosen.victim == "database" else None
        served = stack.enter_context(serve(folder, url))
        tries, strikes = run(
            served, strike or (lambda: _kill(random.choice(served.workers()))), chosen.posts, chosen.every
        )
        lost, twice = judge(url, tries)
    unacknowledged = [card for card, count in tries.items() if not count]
    print(
        f"{chosen.kind}, {chosen.victim} killed {strikes} times: {len(tries)} items, {sum(tries.values())} tries, "
        f"{len(unacknowledged)} never acknowledged, {len(lost)} acknowledged and lost, {len(twice)} kept twice"
    )
    return 1 if lost or twice or unacknowledged or not strikes else 0


if __name__ == "__main__":
    sys.exit(main())
