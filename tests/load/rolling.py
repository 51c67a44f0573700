"""Two instances behind nginx with one PostgreSQL: what they share, and a rolling restart without a failed call.

Run: python -m tests.load.rolling [--rounds 3] [--callers 8] [--postgres-bin FOLDER]

nginx and PostgreSQL come from the system's packages, run in a temporary folder and, when this is run as root, as
other users. Prints one line for each claim; exits 1 if one does not hold.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import sqlalchemy as sa

from cds_service import store
from tests.load.callers import SERVICE, Answer, ask, calling, fresh_token, full_request, wait_until
from tests.load.kill_feedback import DEFAULT_BIN, Postgres, item
from tests.load.serving import Served, free_port, serve

SETTLE = 3.0  # seconds: the proxy must have seen that the one is back before the other goes
CONFIGURATION = """
daemon off; pid {folder}/pid; error_log {folder}/error.log warn; worker_processes 1;
events {{ worker_connections 1024; }}
http {{
  access_log off;
  client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/f; uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;
  client_max_body_size 8m;
  upstream service {{
    server 127.0.0.1:{first} max_fails=1 fail_timeout=1s;
    server 127.0.0.1:{second} max_fails=1 fail_timeout=1s;
    keepalive 16;
  }}
  server {{
    listen 127.0.0.1:{port};
    location / {{
      proxy_pass http://service;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_set_header Host $host;
      proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
      proxy_next_upstream error timeout;
    }}
  }}
}}
"""


@contextmanager
def nginx(folder: Path, port: int, first: int, second: int) -> Iterator[None]:
    """In front of two ports."""
    folder.mkdir()
    file = folder / "nginx.conf"
    file.write_text(CONFIGURATION.format(folder=folder, port=port, first=first, second=second))
    user = None
    if os.geteuid() == 0:
        user = "nobody"
        shutil.chown(folder, user)
    command = ["nginx", "-p", str(folder), "-c", str(file), "-e", str(folder / "error.log")]
    process = subprocess.Popen(command, user=user, stderr=subprocess.DEVNULL)
    try:
        wait_until(lambda: ask(f"http://127.0.0.1:{port}", "/livez").said == "200")
        yield
    finally:
        process.terminate()
        process.wait(30)


@dataclass(slots=True)
class Site:
    """Two instances that know themselves under the address of the proxy."""

    folder: Path
    database: str
    public_url: str
    ports: tuple[int, int]

    def start(self, number: int) -> "Instance":
        return Instance(self, number)

    def url(self, number: int) -> str:
        return f"http://127.0.0.1:{self.ports[number]}"

    def call(self) -> Answer:
        """A call as a CDS Client makes it."""
        return ask(self.public_url, body=full_request(), public_url=self.public_url)


class Instance:
    """One instance that can be stopped and started again."""

    def __init__(self, site: Site, number: int) -> None:
        self._site, self._number = site, number
        self._stack = ExitStack()
        self.start()

    def start(self) -> Served:
        site = self._site
        return self._stack.enter_context(
            serve(site.folder, site.database, site.ports[self._number], CDS_PUBLIC_URL=site.public_url)
        )

    def stop(self) -> None:
        """SIGTERM; returns when it has ended."""
        self._stack.close()


def check(holds: bool, claim: str, figures: str) -> bool:
    print(f"{'yes' if holds else 'NO '}  {claim}: {figures}", flush=True)
    return holds


def check_replay(site: Site) -> bool:
    """CH-213 across hosts."""
    value = fresh_token(site.public_url, "/cds-services")
    said = [ask(site.url(number), "/cds-services", bearer=value).said for number in (0, 1, 0)]
    at_once = fresh_token(site.public_url, "/cds-services")
    with ThreadPoolExecutor(50) as pool:
        urls = [site.url(number % 2) for number in range(50)]
        many = list(pool.map(lambda url: ask(url, "/cds-services", bearer=at_once).said, urls))
    good = said == ["200", "401", "401"] and sorted(many) == ["200"] + ["401"] * 49
    figures = f"one after the other {' '.join(said)}; 50 at once {many.count('200')} x 200, {many.count('401')} x 401"
    return check(good, "a token is used up on both instances", figures)


def check_sharing(site: Site) -> bool:
    """A card of the first instance, feedback to the second."""
    answer = ask(site.url(0), body=full_request(), public_url=site.public_url)
    card = answer.json["cards"][0]["uuid"]
    path, body = f"{SERVICE}/feedback", {"feedback": [item(card), item(str(uuid4()))]}
    said = [ask(site.url(number), path, body, public_url=site.public_url).said for number in (1, 0)]
    engine = store.open_database(site.database)
    try:
        wait_until(lambda: _known(engine, card) == [True], 15)
        kept = store.read_feedback(engine)
    finally:
        engine.dispose()
    good = said == ["200", "200"] and len(kept) == 2
    return check(
        good, "feedback given elsewhere joins its card, once", f"{' '.join(said)}, {len(kept)} rows for 4 items"
    )


def _known(engine: sa.Engine, card: str) -> list[bool]:
    return [bool(row["is_known"]) for row in store.read_feedback(engine, card)]


def check_restart(site: Site, instances: Sequence[Instance], rounds: int, callers: int) -> bool:
    """Each instance in turn is stopped, and started again, while clients call through the proxy."""
    before = count_calls(site)
    with calling(site.call, callers) as seen:
        time.sleep(1)
        for number in range(2 * rounds):
            instance = instances[number % 2]
            instance.stop()
            instance.start()
            time.sleep(SETTLE)
    answered = seen.said["200"]
    figures = (
        f"{2 * rounds} restarts, {callers} callers, {len(seen.answers)} calls ({seen}), p50 "
        f"{seen.percentile(0.5) * 1000:.0f} ms, p99 {seen.percentile(0.99) * 1000:.0f} ms, longest {seen.longest:.2f} s"
    )
    good = check(set(seen.said) == {"200"}, "no call fails in a rolling restart", figures)
    for one in instances:
        one.stop()
    recorded = count_calls(site) - before
    return good & check(recorded == answered, "each answered call is recorded", f"{recorded} of {answered}")


def count_calls(site: Site) -> int:
    engine = store.open_database(site.database)
    try:
        with engine.connect() as connection:
            return int(connection.execute(sa.text("SELECT count(*) FROM calls")).scalar_one())
    finally:
        engine.dispose()


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3, help="restarts of each instance")
    parser.add_argument("--callers", type=int, default=8)
    parser.add_argument("--postgres-bin", type=Path, default=Path(DEFAULT_BIN))
    chosen = parser.parse_args(arguments)
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        (folder / "postgres").mkdir()
        database = Postgres(folder / "postgres", chosen.postgres_bin)
        stack.callback(database.stop)
        front = free_port()
        site = Site(folder, database.url, f"http://127.0.0.1:{front}", (free_port(), free_port()))
        instances = [site.start(number) for number in (0, 1)]
        for one in instances:
            stack.callback(one.stop)
        stack.enter_context(nginx(folder / "nginx", front, *site.ports))
        good = check_replay(site)
        good &= check_sharing(site)
        good &= check_restart(site, instances, chosen.rounds, chosen.callers)
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
