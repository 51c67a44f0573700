"""One fault planted in a running service at a time: the self-test names its rows, and no others."""

import io
import json
import urllib.request
from contextlib import suppress
from http import HTTPStatus
from pathlib import Path
from typing import Any

import pytest

from cds_service.conformance.finding import Verdict
from cds_service.conformance.run import Plan, run
from cds_service.conformance.tokens import Signer
from tests.conformance.live import Wrap, check_demo, complaints, demo_app, rows_with, samples, serving
from tests.conformance.test_self_test import TIMING, change_cards, intercept
from tests.spec.protected import ISSUER, NOW, PUBLIC, signing_key

Json = dict[str, Any]
pytestmark = pytest.mark.slow


def is_call(environ: Json) -> bool:
    return environ["REQUEST_METHOD"] == "POST" and not environ["PATH_INFO"].endswith("/feedback")


def same_uuid(card: Json) -> None:
    card["uuid"] = "d1577c69-dfbe-44ad-ba6d-3e05e953b2ea"


def long_summary(card: Json) -> None:
    card["summary"] = "x" * 140


def answers_get(environ: Json, _: str, headers: Any, __: bytes) -> Any:
    is_get = environ["REQUEST_METHOD"] == "GET" and environ["PATH_INFO"].startswith("/cds-services/")
    return ("200 OK", headers, b'{"cards": []}') if is_get else None


def no_cors_on_errors(_: Json, status: str, headers: Any, body: bytes) -> Any:
    if int(status[:3]) < HTTPStatus.BAD_REQUEST:
        return None
    kept = [(name, value) for name, value in headers if not name.startswith("Access-Control")]
    return status, kept, body


def no_preflight(environ: Json, _: str, headers: Any, body: bytes) -> Any:
    return ("405 METHOD NOT ALLOWED", headers, body) if environ["REQUEST_METHOD"] == "OPTIONS" else None


def empty_feedback_reply(environ: Json, status: str, headers: Any, _: bytes) -> Any:
    is_good = environ["PATH_INFO"].endswith("/feedback") and status.startswith("200")
    return (status, headers, b"{}") if is_good else None


def no_content(environ: Json, status: str, headers: Any, body: bytes) -> Any:
    """204 for nothing to say."""
    is_silent = is_call(environ) and status.startswith("200") and body == b'{"cards":[]}'
    return ("204 NO CONTENT", headers, b"") if is_silent else None


def tells_the_patient(environ: Json, status: str, headers: Any, body: bytes) -> Any:
    """Repeats what was sent in a refusal."""
    sent = environ.get("test.sent", b"")
    if not is_call(environ) or not status.startswith("412"):
        return None
    outcome = json.loads(body)
    outcome["issue"][0]["diagnostics"] = sent.decode()
    return status, headers, json.dumps(outcome).encode()


def remembering(wrap: Wrap) -> Wrap:
    """Keeps the body that was sent beside the request."""

    def outer(inner: Any) -> Any:
        wrapped = wrap(inner)

        def application(environ: Json, start: Any) -> Any:
            size = int(environ.get("CONTENT_LENGTH") or 0)
            environ["test.sent"] = environ["wsgi.input"].read(size) if size else b""
            environ["wsgi.input"] = io.BytesIO(environ["test.sent"])
            return wrapped(environ, start)

        return application

    return outer


def contacts_any_server(environ: Json, *_: Any) -> Any:
    """Reads a resource from whatever server the call names, with or without token."""
    with suppress(ValueError, AttributeError, OSError):
        server = json.loads(environ["test.sent"]).get("fhirServer", "")
        if server.startswith("http://127.0.0.1"):
            urllib.request.urlopen(f"{server}/Patient/1", timeout=5)


ROWS: tuple[tuple[str, Wrap, set[str]], ...] = (
    ("the same uuid on every card", change_cards(same_uuid), {"CH-121"}),
    ("summaries of 140 characters", change_cards(long_summary), {"CH-124"}),
    ("GET answers like POST", intercept(answers_get), set()),
    ("errors without CORS headers", intercept(no_cors_on_errors), {"CH-228"}),
    ("preflight refused", intercept(no_preflight), {"CH-227"}),
    ("an empty object in answer to feedback", intercept(empty_feedback_reply), {"CH-189"}),
    ("the request repeated in a 412", remembering(intercept(tells_the_patient)), {"CH-240"}),
    ("any FHIR server contacted", remembering(intercept(contacts_any_server)), {"CH-098"}),
)


@pytest.mark.parametrize(("what", "wrap", "rows"), ROWS, ids=[what for what, *_ in ROWS])
def test_the_fault_is_found_and_no_other(tmp_path: Path, what: str, wrap: Wrap, rows: set[str]) -> None:
    outcome = check_demo(tmp_path, wrap)
    assert rows_with(outcome, Verdict.FAILED) == rows, (what, complaints(outcome)[:20])
    also = {"CH-108"} if "CH-098" in rows else {"CH-035"} if not rows else set()
    assert rows_with(outcome, Verdict.ADVICE) - TIMING == also


def test_204_for_nothing_to_say_is_found(tmp_path: Path) -> None:
    """Whatever was answered with an empty list before is now no answer at all: several rows say so, CH-112 first."""
    failed = rows_with(check_demo(tmp_path, intercept(no_content)), Verdict.FAILED)
    assert {"CH-110", "CH-111", "CH-112"} <= failed


def test_a_service_that_looks_at_no_token_is_found(tmp_path: Path) -> None:
    signer = Signer(signing_key("ES384"), "ES384", "ours-ES384", ISSUER, PUBLIC, NOW.timestamp)
    with serving(demo_app(tmp_path)) as base:
        outcome = run(Plan(base, samples(), NOW.timestamp(), signer))
    rows = {187, 194, 196, 197, 200, 202, 205, 206, 208, 210, 211, 212, 213, 216}
    assert rows_with(outcome, Verdict.FAILED) == {f"CH-{number}" for number in rows}, complaints(outcome)[:20]
    assert rows_with(outcome, Verdict.ADVICE) - TIMING == {"CH-201", "CH-215"}
