"""The self-test: our service passes every row that can be observed, and planted faults are found, and nothing else."""

import json
from collections.abc import Iterable
from functools import cache
from http import HTTPStatus
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest

from cds_service.conformance.finding import Verdict
from cds_service.conformance.rows import Shown, load_rows
from cds_service.conformance.run import Outcome
from tests.conformance.live import Wsgi, check_demo, check_protected, complaints, rows_with

Json = dict[str, Any]
TIMING = {"CH-241"}  # how long an answer takes on a busy machine is no claim of the suite


@cache
def of_demo() -> Outcome:
    with TemporaryDirectory() as folder:
        return check_demo(Path(folder))


def test_every_row_that_can_be_observed_passes_against_our_service_in_demo_mode() -> None:
    outcome = of_demo()
    assert rows_with(outcome, Verdict.FAILED, Verdict.ADVICE) <= TIMING, "\n".join(complaints(outcome))
    assert not outcome.has_failed
    assert len(outcome.services) == 3


@cache
def of_protected(algorithm: str = "ES384") -> Outcome:
    with TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        return check_protected(patch, Path(folder), algorithm)


@pytest.mark.slow
@pytest.mark.parametrize("algorithm", ["ES384", "RS384"])
def test_every_row_that_can_be_observed_passes_against_our_service_in_protected_mode(algorithm: str) -> None:
    outcome = of_protected(algorithm)
    assert rows_with(outcome, Verdict.FAILED, Verdict.ADVICE) <= TIMING, "\n".join(complaints(outcome))
    trust = {16, 187, 194, 196, 197, 198, 200, 201, 202, *range(205, 214), 215, 216, 217, 218}
    assert {f"CH-{number:03}" for number in trust} <= rows_with(outcome, Verdict.PASSED)


@pytest.mark.slow
def test_the_matrix_says_of_our_service_what_the_self_test_finds() -> None:
    passed = rows_with(of_demo(), Verdict.PASSED) | rows_with(of_protected(), Verdict.PASSED)
    claimed = {row.id for row in load_rows() if row.result == "passed"}
    assert claimed - TIMING == passed - TIMING, "run `make matrix`"


def test_only_rows_said_to_be_observable_are_observed() -> None:
    observable = {row.id for row in load_rows() if row.shown is Shown.PROBE}
    assert rows_with(of_demo(), Verdict.PASSED) <= observable


def intercept(wrong: Any) -> Any:
    """Puts `wrong(environ, status, headers, body)`, which may return another answer, around an application."""

    def wrap(inner: Wsgi) -> Wsgi:
        def outer(environ: Json, start: Any) -> Iterable[bytes]:
            told: list[Any] = []

            def keep(status: str, headers: list[tuple[str, str]], _: Any = None) -> Any:
                told[:] = [status, headers]
                return lambda _: None

            body = b"".join(inner(environ, keep))
            status, headers, body = wrong(environ, told[0], told[1], body) or (told[0], told[1], body)
            kept = [(name, value) for name, value in headers if name.lower() != "content-length"]
            start(status, [*kept, ("Content-Length", str(len(body)))])
            return [body]

        return outer

    return wrap


def _retyped(headers: list[tuple[str, str]], media: str) -> list[tuple[str, str]]:
    return [*((name, value) for name, value in headers if name != "Content-Type"), ("Content-Type", media)]


def html_errors_and_no_feedback(environ: Json, status: str, headers: Any, _: bytes) -> Any:
    if environ["PATH_INFO"].endswith("/feedback"):
        status = "404 NOT FOUND"
    if int(status[:3]) < HTTPStatus.BAD_REQUEST:
        return None
    return status, _retyped(headers, "text/html"), b"<!doctype html><title>Error</title><h1>Something went wrong</h1>"


def faults_as_empty_cards(environ: Json, status: str, headers: Any, _: bytes) -> Any:
    is_call = environ["REQUEST_METHOD"] == "POST" and not environ["PATH_INFO"].endswith("/feedback")
    if int(status[:3]) < HTTPStatus.BAD_REQUEST or not is_call:
        return None
    return "200 OK", _retyped(headers, "application/json"), b'{"cards": []}'


def test_html_errors_and_missing_feedback_are_found_and_nothing_else(tmp_path: Path) -> None:
    outcome = check_demo(tmp_path, intercept(html_errors_and_no_feedback))
    assert rows_with(outcome, Verdict.FAILED) == {"CH-001", "CH-238"}
    assert rows_with(outcome, Verdict.ADVICE) - TIMING == {"CH-174"}
    assert outcome.has_failed
    unseen = rows_with(outcome, Verdict.UNSEEN)
    assert {"CH-175", "CH-176", "CH-189"} <= unseen  # nothing is concluded about what is not there


def test_faults_dressed_as_empty_answers_are_found_and_nothing_else(tmp_path: Path) -> None:
    outcome = check_demo(tmp_path, intercept(faults_as_empty_cards))
    assert rows_with(outcome, Verdict.FAILED) == {"CH-089", "CH-091", "CH-237", "CH-239"}, complaints(outcome)
    # Duties of the client: a service that does not insist on them breaks none of its own.
    lenient = {f"CH-{number:03}" for number in (36, 37, 38, 39, 40, 42, 43, 63, 104, 106)}
    assert rows_with(outcome, Verdict.ADVICE) - TIMING == lenient, complaints(outcome)
    assert outcome.has_failed
    # A finding names the row, what was sent, what came back, and what was expected.
    found = next(one for one in outcome.results if one.row.id == "CH-091").findings[0]
    assert found.row == "CH-091"
    assert found.sent.startswith("POST /cds-services/iv-iron-rls")
    assert found.received == '200, application/json: {"cards": []}'
    assert "412" in found.expected


def change_cards(change: Any) -> Any:
    """Alters every card of an answer."""

    def wrong(_: Json, status: str, headers: Any, body: bytes) -> Any:
        document = json.loads(body) if body else {}
        for card in document.get("cards", ()) if isinstance(document, dict) else ():
            change(card)
        return status, headers, json.dumps(document).encode() if body else body

    return intercept(wrong)


def test_cards_without_source_and_with_null_links_are_found_in_live_answers(tmp_path: Path) -> None:
    def change(card: Json) -> None:
        card.pop("source")
        card["links"] = None

    outcome = check_demo(tmp_path, change_cards(change))
    assert rows_with(outcome, Verdict.FAILED) == {"CH-004", "CH-006", "CH-131", "CH-146"}, complaints(outcome)


def test_a_server_that_is_not_there_is_a_finding_and_no_crash() -> None:
    from cds_service.conformance.run import Plan, run

    outcome = run(Plan("http://127.0.0.1:9", [], 0.0))
    assert outcome.has_failed
    assert {"CH-001", "CH-013"} <= rows_with(outcome, Verdict.FAILED)
