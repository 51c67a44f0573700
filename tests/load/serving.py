"""The service as its users run it, in protected mode on a free port, for tests and measurements."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any
from urllib.error import HTTPError, URLError
from urllib.request import Request, urlopen

from tests.spec.protected import claims, registry, token

HERE = Path(__file__).parents[2]
START_SECONDS = 60


@dataclass(frozen=True, slots=True)
class Served:
    """A running service; its log goes to `log`."""

    url: str
    process: subprocess.Popen[bytes]
    log: Path

    def token(self, path: str, algorithm: str = "ES384") -> str:
        now = int(time.time())
        return token(body=claims(aud=self.url + path, iat=now, exp=now + 600), algorithm=algorithm)

    def send(self, path: str, value: str, body: Any = None) -> int:
        """The status; 0 when there was no answer."""
        data = None if body is None else json.dumps(body).encode()
        headers = {"Authorization": f"Bearer {value}", "Content-Type": "application/json"}
        try:
            with urlopen(Request(self.url + path, data, headers), timeout=30) as response:
                return int(response.status)
        except HTTPError as refused:
            refused.close()
            return refused.code
        except (URLError, OSError):
            return 0

    def workers(self) -> list[int]:
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text()
        return [int(child) for child in children.split()]

    def reload(self) -> None:
        """Returns when new workers have taken over."""
        before = set(self.workers())
        self.process.send_signal(signal.SIGHUP)
        _wait(lambda: bool(self.workers()) and not before & set(self.workers()), "new workers")


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


@contextmanager
def serve(folder: Path, database_url: str, port: int | None = None, **settings: str) -> Iterator[Served]:
    """Tables are made first. Stopped with SIGTERM at the end."""
    port = port or free_port()
    if not (folder / "clients.toml").exists():
        registry(folder)
    url = f"http://127.0.0.1:{port}"
    given = {"CDS_PORT": str(port), "CDS_CLIENTS": str(folder / "clients.toml"), "CDS_DATABASE_URL": database_url}
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("CDS_")}
    environment = {**inherited, **given, **settings}
    command = [sys.executable, "-m", "cds_service.cli"]
    subprocess.run([*command, "migrate"], env=environment, cwd=HERE, check=True, stdout=subprocess.DEVNULL)
    log: IO[bytes]
    with (folder / "log").open("ab") as log:
        process = subprocess.Popen([*command, "serve"], env=environment, cwd=HERE, stdout=log, stderr=log)
        served = Served(url, process, folder / "log")
        try:
            _wait(lambda: _is_ready(served), "the service")
            yield served
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(60)


def _is_ready(served: Served) -> bool:
    if served.process.poll() is not None:
        raise AssertionError(f"it did not start: {served.log.read_text()[-2000:]}")
    return served.send("/readyz", "-") == 200


def _wait(holds: Any, what: str) -> None:
    until = time.monotonic() + START_SECONDS
    while not holds():
        if time.monotonic() > until:
            raise AssertionError(f"{what} did not come in {START_SECONDS} s")
        time.sleep(0.05)
