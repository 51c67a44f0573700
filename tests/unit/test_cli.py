"""The command line: `evaluate` with its exit codes, `serve` up to a graceful stop."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import date
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.request import urlopen

import msgspec
import pytest
from click.testing import CliRunner, Result

from cds_service import assembly, cli, services
from cds_service.errors import ConfigurationError, PreconditionFailed
from tests.spec.rim import (
    CARD,
    PATIENT,
    SERVICES,
    order_select,
    patient_view,
    raises,
    reply,
)

TRACE = {
    "org.example.trace": {
        "orders": [
            {
                "order": "MedicationRequest/iron",
                "conclusion": "may-benefit",
                "rules": [
                    msgspec.Raw(b'{"id": "R-15", "outcome": "not applicable", "because": "no haemochromatosis"}'),
                    {
                        "id": "R-24",
                        "outcome": "may-benefit",
                        "because": "ferritin 80",
                        "values": [
                            {
                                "name": "ferritin",
                                "value": "80 ng/mL",
                                "date": date(2026, 11, 1),
                            }
                        ],
                    },
                ],
            }
        ]
    }
}


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    """Runs `evaluate` on a body from standard input, with a pipeline of the test's choosing."""
    for name in [one for one in os.environ if one.startswith("CDS_") and not one.startswith("CDS_TEST_")]:
        monkeypatch.delenv(name)
    engine = SimpleNamespace(services=SERVICES, demo_client=SimpleNamespace(name="demo"))
    monkeypatch.setattr(assembly, "build_engine", lambda _: engine)

    def evaluate(body: Any, *options: str, answer: Callable[..., Any] = lambda *_: reply()) -> Result:
        monkeypatch.setattr(services, "answer", answer)
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        return CliRunner().invoke(cli.main, ["evaluate", "-", *options], input=data)

    return evaluate


def test_cards_are_exit_code_0(run: Callable[..., Result]) -> None:
    result = run(order_select(), answer=lambda *_: reply([CARD]))
    assert result.exit_code == 0
    assert "Something to say" in result.stdout
    assert "A guideline" in result.stdout


def test_nothing_to_say_is_exit_code_3(run: Callable[..., Result]) -> None:
    result = run(order_select())
    assert (result.exit_code, result.stdout) == (
        3,
        "Nothing to say about this request (no cards).\n",
    )


def test_missing_data_are_exit_code_4_and_named(run: Callable[..., Result]) -> None:
    result = run(
        order_select(),
        answer=raises(PreconditionFailed(("ferritin",), "ferritin is missing")),
    )
    assert (result.exit_code, result.stdout, result.stderr) == (
        4,
        "",
        "ferritin is missing\n",
    )


@pytest.mark.parametrize(
    ("body", "options", "words"),
    [
        (b"{", (), "the body is not JSON"),
        (order_select(hookInstance="1"), (), "hookInstance: must be a UUID"),
        (
            order_select(),
            ("--service", "two"),
            "hook: the CDS Service two does not answer order-select",
        ),
        (order_select(), ("--as-of", "yesterday"), "does not match the format"),
    ],
)
def test_bad_input_is_exit_code_2_and_says_what(
    run: Callable[..., Result], body: Any, options: tuple[str, ...], words: str
) -> None:
    result = run(body, *options)
    assert (result.exit_code, result.stdout) == (2, "")
    assert words in result.stderr


def test_a_file_that_is_not_there_is_exit_code_2() -> None:
    result = CliRunner().invoke(cli.main, ["evaluate", "/no/such/request.json"])
    assert (result.exit_code, "No such file" in result.stderr) == (2, True)


def test_a_wrong_setting_is_exit_code_1(run: Callable[..., Result], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CDS_LABEL", "uk")
    result = run(order_select())
    assert (result.exit_code, result.stderr) == (
        1,
        "Error: CDS_LABEL: Input should be 'us' or 'eu'\n",
    )


def test_a_set_up_that_cannot_be_used_is_exit_code_1(
    run: Callable[..., Result], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        assembly,
        "build_engine",
        raises(ConfigurationError("CDS_VALUESETS: iron.json is no ValueSet")),
    )
    result = run(order_select())
    assert (result.exit_code, result.stderr) == (
        1,
        "Error: CDS_VALUESETS: iron.json is no ValueSet\n",
    )


def test_a_misspelt_setting_is_warned_of(run: Callable[..., Result], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CDS_CLIENT", "clients.toml")
    assert "CDS_CLIENT is no setting" in run(order_select()).stderr


def test_a_fault_is_neither_hidden_nor_an_all_clear(run: Callable[..., Result]) -> None:
    result = run(order_select(), answer=raises(KeyError("x")))
    assert isinstance(result.exception, KeyError)
    assert result.exit_code == 1


def noting(asked: list[Any]) -> Callable[..., Any]:
    """A pipeline that keeps what it was given."""

    def answer(*given: Any) -> Any:
        asked.append(given)
        return reply()

    return answer


def test_the_day_is_an_argument(run: Callable[..., Result]) -> None:
    asked: list[Any] = []
    run(order_select(), "--as-of", "2026-02-28", answer=noting(asked))
    assert asked[0][-1] == date(2026, 2, 28)


@pytest.mark.parametrize(("body", "service"), [(order_select(), "one"), (patient_view(), "two")])
def test_the_service_that_answers_the_hook_is_asked(run: Callable[..., Result], body: Any, service: str) -> None:
    asked: list[Any] = []
    run(body, answer=noting(asked))
    assert asked[0][1].id == service


def test_json_is_the_reply_as_a_client_gets_it(run: Callable[..., Result]) -> None:
    result = run(order_select(), "--json", "--trace", answer=lambda *_: reply([CARD], TRACE))
    body = json.loads(result.stdout)
    assert body["cards"] == [CARD]
    assert [rule["id"] for rule in body["extension"]["org.example.trace"]["orders"][0]["rules"]] == ["R-15", "R-24"]
    assert "R-24" in result.stderr


def test_the_trace_is_a_table_of_every_rule(run: Callable[..., Result]) -> None:
    shown = run(order_select(), "--trace", answer=lambda *_: reply([CARD], TRACE)).stdout
    for word in (
        "R-15",
        "R-24",
        "no haemochromatosis",
        "80 ng/mL",
        "2026-11-01",
        "MedicationRequest/iron: may-benefit",
    ):
        assert word in shown


def test_everything_a_card_offers_is_shown(run: Callable[..., Result]) -> None:
    action = {"type": "create", "description": "Order ferritin", "resource": {}}
    card = {
        **CARD,
        "detail": "**Ferritin** 80",
        "suggestions": [{"label": "Schedule", "actions": [action]}],
        "links": [{"label": "Source", "url": "https://g.example"}],
    }
    shown = run(order_select(), answer=lambda *_: reply([card])).stdout
    for words in (
        "Ferritin 80",
        "Suggestion: Schedule",
        "create: Order ferritin",
        "Link: Source <https://g.example>",
        "info",
    ):
        assert words in shown


def test_text_from_the_chart_cannot_steer_the_terminal(
    run: Callable[..., Result],
) -> None:
    card = {
        **CARD,
        "summary": "iron \x1b[2J\x07[bold]sucrose[/bold]",
        "detail": "a \x1b]0;title\x07 b \x9b31m",
    }
    shown = run(order_select(), answer=lambda *_: reply([card])).stdout
    assert not {"\x1b", "\x07", "\x9b"} & set(shown)
    assert "[bold]sucrose[/bold]" in shown


def test_help_names_the_commands() -> None:
    result = CliRunner().invoke(cli.main, ["-h"])
    assert "evaluate" in result.stdout
    assert "serve" in result.stdout


@pytest.fixture
def port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def start(port: int) -> subprocess.Popen[bytes]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("CDS_")}
    command = [sys.executable, "-m", "cds_service.cli", "serve"]
    pipe = subprocess.PIPE
    here = Path(__file__).parents[2]
    return subprocess.Popen(
        command,
        env={**environment, "CDS_PORT": str(port)},
        cwd=here,
        stdout=pipe,
        stderr=pipe,
    )


def wait_for(port: int) -> None:
    deadline = time.monotonic() + 30
    while True:
        try:
            return socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            assert time.monotonic() < deadline, "the service did not start"
            time.sleep(0.05)


def ask_raw(port: int, request: bytes) -> tuple[bytes, Any]:
    """Status line and JSON body of whatever is answered until the connection closes."""
    with socket.create_connection(("127.0.0.1", port), 10) as connection:
        connection.sendall(request)
        answer = b""
        while piece := connection.recv(65536):
            answer += piece
    head, _, body = answer.partition(b"\r\n\r\n")
    assert b"application/json" in head
    return head.partition(b"\r\n")[0], json.loads(body)


def test_serve_answers_in_json_even_to_what_is_no_http_and_stops_when_told(
    port: int,
) -> None:
    service = start(port)
    try:
        wait_for(port)
        with urlopen(f"http://127.0.0.1:{port}/cds-services") as answer:
            assert json.load(answer)["services"]
        for request, status in (
            (b"GARBAGE\r\n\r\n", b"HTTP/1.1 400 Bad Request"),
            (
                b"GET / HTTP/1.1\r\nHost: localhost\r\nX: " + b"a" * 20_000 + b"\r\n\r\n",
                b"HTTP/1.1 431",
            ),
            (b"GET /" + b"a" * 9_000 + b" HTTP/1.1\r\n\r\n", b"HTTP/1.1 414"),
        ):
            line, body = ask_raw(port, request)
            assert line.startswith(status)
            assert body["resourceType"] == "OperationOutcome"
        second = start(port)
        _, words = second.communicate(timeout=30)
        assert second.returncode == 1
        assert f"port {port} is in use" in words.decode()
    finally:
        service.send_signal(signal.SIGTERM)
        out, log = service.communicate(timeout=30)
    assert service.returncode == 0
    assert f"http://127.0.0.1:{port}/cds-services" in out.decode()
    assert all(json.loads(line) for line in log.splitlines())
    assert PATIENT.encode() not in log
