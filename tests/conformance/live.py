"""Services on a free loopback port for the self-test: ours in both modes, and ours with faults planted around it."""

import logging
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from werkzeug.serving import make_server

from cds_service.app import create_app
from cds_service.conformance.command import SAMPLES
from cds_service.conformance.finding import Verdict
from cds_service.conformance.run import Outcome, Plan, run
from cds_service.conformance.tokens import Signer
from cds_service.demo.fixtures import FIXTURE_CANONICAL, read_request, read_situations
from tests.spec.protected import ISSUER, NOW, PUBLIC, open_protected, protected_settings, registry, signing_key

Json = dict[str, Any]
Wsgi = Callable[[Json, Any], Iterable[bytes]]
Wrap = Callable[[Wsgi], Wsgi]
ORIGIN = "https://app.example"


@contextmanager
def serving(app: Wsgi) -> Iterator[str]:
    """Address of the running application."""
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = make_server("127.0.0.1", 0, app, threaded=True)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def samples() -> list[Json]:
    """The bundled requests, dated to the day of the tests."""
    known = read_situations().by_name
    return [read_request(known[name], FIXTURE_CANONICAL.rstrip("/"), NOW.date()) for name in SAMPLES]


def demo_app(folder: Path, wrap: Wrap = lambda inner: inner, moment: datetime = NOW) -> Wsgi:
    settings = protected_settings(
        folder, clients=None, public_url="http://127.0.0.1:8000", pseudonym_key=None, log_level="error"
    )
    return wrap(create_app(settings, clock=lambda: moment).wsgi_app)


def check_demo(folder: Path, wrap: Wrap = lambda inner: inner) -> Outcome:
    """The self-test of our service in demo mode, with something around it."""
    with serving(demo_app(folder, wrap)) as base:
        return run(Plan(base, samples(), NOW.timestamp()))


def check_protected(monkeypatch: pytest.MonkeyPatch, folder: Path, algorithm: str = "ES384") -> Outcome:
    """The self-test of our service in protected mode, with the key of a registered client."""
    registry(folder, extra=f'origins = ["{ORIGIN}"]\ntenants = ["one"]')
    app = open_protected(monkeypatch, folder, answer=None, log_level="error")
    key = signing_key(algorithm)
    signer = Signer(key, algorithm, f"ours-{algorithm}", ISSUER, PUBLIC, NOW.timestamp, tenant="one")
    with serving(app.wsgi_app) as base:
        return run(Plan(base, samples(), NOW.timestamp(), signer, ORIGIN))


def rows_with(outcome: Outcome, *verdicts: Verdict) -> set[str]:
    return {one.row.id for one in outcome.results if one.verdict in verdicts}


def complaints(outcome: Outcome) -> list[str]:
    """What was not right, for the message of a failed test."""
    return [
        f"{one.row.id} {found.verdict}: {found.sent} -> {found.received[:200]}; expected {found.expected}"
        for one in outcome.results
        for found in one.findings
        if found.verdict is not Verdict.PASSED
    ]
