"""Findings of the security review, one test each: what an outsider, a client or a key server could do before."""

import errno
import io
import json
import socket
import sys
import threading
import time
import zlib
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from werkzeug.test import EnvironBuilder, TestResponse, run_wsgi_app
from werkzeug.wrappers import Request

from cds_service import store, trust
from cds_service.clients import Clients, load_registry
from cds_service.errors import ConfigurationError
from cds_service.operations import build_log
from cds_service.settings import load_settings
from cds_service.trust import PublishedKeys, Unreachable
from tests.fhir.ehr import CANONICAL, REFERENCE
from tests.spec.protected import clear_environment, jwk, key_set, protected_settings, registry
from tests.spec.rim import CALL, open_rim, order_select, post, raises, reply

Json = dict[str, Any]
SAID = "Jane-Example-born-1970"  # what a chart may hold where a reference is expected

# ------------------------------------------------------------------------------------------- key servers (CH-204)


@pytest.fixture
def key_server() -> Iterator[Callable[[Callable[[socket.socket], None]], str]]:
    """Starts a server that says what it is told to; the URL of its key set."""
    with ExitStack() as stack:

        def start(say: Callable[[socket.socket], None]) -> str:
            listening = stack.enter_context(socket.create_server(("127.0.0.1", 0)))

            def serve() -> None:
                try:
                    with listening.accept()[0] as connection:
                        connection.recv(65_536)
                        say(connection)
                except OSError:
                    return

            threading.Thread(target=serve, daemon=True).start()
            return f"http://127.0.0.1:{listening.getsockname()[1]}/keys"

        yield start


def drip(head: bytes, drop: bytes) -> Callable[[socket.socket], None]:
    def say(connection: socket.socket) -> None:
        connection.sendall(head)
        for _ in range(600):
            connection.sendall(drop)
            time.sleep(0.05)

    return say


DRIPS = {
    "status": (b"HTTP/1.1 ", b"2"),
    "header": (b"HTTP/1.1 200 OK\r\nX: ", b"x"),
    "headers": (b"HTTP/1.1 200 OK\r\n", b"X: 1\r\n"),
    "size of a chunk": (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"0"),
    "body": (b"HTTP/1.1 200 OK\r\nContent-Length: 9999\r\n\r\n", b" "),
}


@pytest.mark.parametrize("what", DRIPS)
def test_a_key_server_that_drips_is_given_up_after_its_time(
    what: str, key_server: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each byte began the wait anew, while threads that needed the set stood in a queue."""
    monkeypatch.setattr(trust, "FETCH_TIME", 0.4)
    began = time.monotonic()
    with pytest.raises(Unreachable):
        trust.fetch_key_set(key_server(drip(*DRIPS[what])))
    assert time.monotonic() - began < 15  # it would have been 30


def test_a_key_set_that_unpacks_to_more_than_its_limit_is_refused(key_server: Any) -> None:
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    body = b"".join(packer.compress(bytes(1_000_000)) for _ in range(50)) + packer.flush()
    head = f"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: {len(body)}\r\n\r\n".encode()
    with pytest.raises(Unreachable, match="larger than"):
        trust.fetch_key_set(key_server(lambda connection: connection.sendall(head + body)))


def test_a_key_server_that_points_elsewhere_is_not_followed(key_server: Any) -> None:
    elsewhere = b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:9/\r\nContent-Length: 0\r\n\r\n"
    with pytest.raises(Unreachable, match="answered 302"):
        trust.fetch_key_set(key_server(lambda connection: connection.sendall(elsewhere)))


def test_keys_are_not_fetched_from_link_local_addresses(monkeypatch: pytest.MonkeyPatch) -> None:
    def look_up(_: str, port: int, *__: Any, **___: Any) -> Any:
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("169.254.169.254", port))]

    def connect(*_: Any) -> None:
        raise AssertionError("connected")

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    monkeypatch.setattr(socket.socket, "connect", connect)
    with pytest.raises(Unreachable):
        trust.fetch_key_set("http://keys.example/keys")


def test_in_an_outage_of_the_key_server_made_up_key_ids_hold_up_one_thread_only(tmp_path: Path) -> None:
    """Such tokens need no signature to get this far: eight of them used to keep a worker busy for three seconds."""
    client = load_registry(
        registry(tmp_path, keys='jku = "https://keys.example/keys"'), load_settings(clients=tmp_path / "clients.toml")
    ).clients[0]
    hanging, now = threading.Event(), [0.0]
    fetching = threading.Event()

    def fetch(_: str) -> bytes:
        if now[0] == 0:
            raise Unreachable("the first fetch fails")
        fetching.set()
        hanging.wait(30)
        raise Unreachable("and so does the second, late")

    keys = PublishedKeys(lambda *_: None, fetch, lambda: now[0])
    assert keys.find(client, "made-up", "ES384", None) is None
    now[0] = trust.BETWEEN_FETCHES + 1
    one = threading.Thread(target=keys.find, args=(client, "made-up", "ES384", None))
    one.start()
    assert fetching.wait(15)
    assert keys.find(client, "another", "ES384", None) is None  # at once, while the other still waits
    assert one.is_alive()
    hanging.set()
    one.join(15)


def test_while_a_set_is_fetched_for_the_first_time_others_wait_for_it(tmp_path: Path) -> None:
    client = load_registry(
        registry(tmp_path, keys='jku = "https://keys.example/keys"'), load_settings(clients=tmp_path / "clients.toml")
    ).clients[0]
    fetching, go_on, found = threading.Event(), threading.Event(), list[bool]()

    def fetch(_: str) -> bytes:
        fetching.set()
        go_on.wait(15)
        return json.dumps(key_set()).encode()

    keys = PublishedKeys(lambda *_: None, fetch)
    kid = jwk()["kid"]

    def ask() -> None:
        found.append(keys.find(client, kid, "ES384", None) is not None)

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for one in threads:
        one.start()
    assert fetching.wait(15)
    go_on.set()
    for one in threads:
        one.join(15)
    assert found == [True] * 4


# ------------------------------------------------------------------------------------------------ the registry file

UNREADABLE = {
    "nested too deeply": "a = " + "[" * 20_000,
    "a number of thousands of digits": "a = " + "9" * 5_000,
    "a null character in the name of the key file": (
        '[[client]]\nname = "n"\nissuers = ["https://e.example"]\n[client.keys]\nfile = "\\u0000"\n'
    ),
}


@pytest.mark.parametrize("what", UNREADABLE)
def test_a_registry_that_python_cannot_read_leaves_the_old_one_in_force(
    what: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On SIGHUP the file is read in the first process of the server: any other error would end the service."""
    clear_environment(monkeypatch)
    path = registry(tmp_path)
    settings = load_settings(clients=path)
    clients = Clients(lambda: load_registry(path, settings), build_log("error"))
    before = clients.registry
    path.write_text(UNREADABLE[what])
    with pytest.raises(ConfigurationError):
        load_registry(path, settings)
    assert not clients.reload()
    assert clients.registry is before


# ------------------------------------------------------------------------------------------------- the demo's search


def test_a_search_for_a_hundred_thousand_values_is_refused() -> None:
    from cds_service.demo import server
    from cds_service.demo.search import MOST_VALUES
    from cds_service.errors import BadRequest

    held = server.load_resources(CANONICAL, REFERENCE)

    def ask(*asked: tuple[str, str]) -> Json:
        return server.answer_search(held, "http://127.0.0.1/demo/fhir", "Observation", list(asked), strict=False)

    for asked in ([("code", "a," * 100_000)], [("code", "a")] * (MOST_VALUES + 1)):
        with pytest.raises(BadRequest, match="at most"):
            ask(*asked)
    assert ask(("code", ",".join(["2276-4"] * MOST_VALUES)))["total"] > 0


def test_the_playground_renders_no_more_than_a_page_can_show(monkeypatch: pytest.MonkeyPatch) -> None:
    """Any page of a browser may post to a demo: eight megabytes of brackets took five minutes."""
    from cds_service.app import create_app
    from cds_service.web.playground import MOST_CHARACTERS

    clear_environment(monkeypatch)
    client = create_app(load_settings()).test_client()
    few = client.post("/demo/playground/markdown", json={"texts": ["**a**"]})
    assert few.get_json()["html"] == ["<p><strong>a</strong></p>\n"]
    many = client.post("/demo/playground/markdown", json={"texts": ["[" * MOST_CHARACTERS, "["]})
    assert many.status_code == 400 and "characters together" in many.text


# --------------------------------------------------------------------------------------- when the machine gives out


class Stream:
    """A body that arrives as told."""

    def __init__(self, *parts: bytes | Exception) -> None:
        self._parts = list(parts)

    def read(self, _: int) -> bytes:
        part = self._parts.pop(0)
        if isinstance(part, Exception):
            raise part
        return part


def send(
    monkeypatch: pytest.MonkeyPatch, stream: Stream, length: int, answer: Any = lambda *_: reply()
) -> TestResponse:
    app = open_rim(monkeypatch, answer).application
    environ = EnvironBuilder(path=CALL, method="POST", content_type="application/json").get_environ()
    environ |= {"wsgi.input": stream, "CONTENT_LENGTH": str(length)}
    return TestResponse(*run_wsgi_app(app, environ), Request(environ))


def test_too_little_memory_for_a_body_is_503_and_not_the_fault_of_the_client(monkeypatch: pytest.MonkeyPatch) -> None:
    response = send(monkeypatch, Stream(MemoryError()), 100)
    assert response.status_code == 503 and response.headers["Retry-After"] == "5"


def test_too_little_memory_for_the_answer_is_503(monkeypatch: pytest.MonkeyPatch) -> None:
    body = json.dumps(order_select()).encode()
    response = send(monkeypatch, Stream(body), len(body), raises(MemoryError()))
    assert response.status_code == 503 and "too little memory" in response.text


def test_a_body_that_ends_before_its_length_is_said_to_be_incomplete(monkeypatch: pytest.MonkeyPatch) -> None:
    body = json.dumps(order_select()).encode()
    response = send(monkeypatch, Stream(body), len(body) + 1)  # it would have been answered
    assert response.status_code == 400 and "could not be received completely" in response.text


def test_a_store_that_can_be_read_and_not_written_is_not_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a full disk every call was 503 while /readyz said ready."""
    registry(tmp_path)
    protected_settings(tmp_path)
    engine = store.open_database(f"sqlite:///{tmp_path / 'store.sqlite3'}")
    kept = store.Store(engine, 10, lambda *_: None, time.time)
    try:
        assert kept.claim_token("https://e.example", "1", 2**40) and kept.is_up()
        with monkeypatch.context() as full:
            full.setattr(kept, "_claims", SimpleNamespace(claim=_refuse_to_write))
            with pytest.raises(store.StoreDown):
                kept.claim_token("https://e.example", "2", 2**40)
        assert not kept.is_up()
        monkeypatch.setattr("cds_service.store.worker.FAILED", 0.0)
        assert kept.is_up()
    finally:
        kept.close()


def _refuse_to_write(*_: Any) -> bool:
    raise store.StoreDown("OperationalError")


def test_a_log_that_cannot_be_written_costs_no_call(monkeypatch: pytest.MonkeyPatch) -> None:
    class Full(io.RawIOBase):
        def writable(self) -> bool:
            return True

        def write(self, _: Any) -> int:
            raise OSError(errno.ENOSPC, "No space left on device")

    client = open_rim(monkeypatch)
    full = io.BufferedWriter(Full())
    with monkeypatch.context() as patched:
        patched.setattr(sys, "stderr", SimpleNamespace(buffer=full))
        assert [post(client, order_select()).status_code for _ in range(100)] == [200] * 100
    with pytest.raises(OSError, match="No space left"):
        full.close()  # what it still held


# ------------------------------------------------------------------------------------------ what one call may cost


def order(number: int, **members: Any) -> Json:
    drug = {"text": "iron sucrose 200 mg IV"}
    subject = {"reference": "Patient/p"}
    made = {"id": str(number), "status": "draft", "medicationCodeableConcept": drug, "subject": subject, **members}
    return {"resourceType": "MedicationRequest", **{name: value for name, value in made.items() if value is not ...}}


def ask(monkeypatch: pytest.MonkeyPatch, *orders: Json) -> Any:
    """The answer to an order-sign call with these orders and nothing about the patient."""
    from cds_service.app import create_app

    clear_environment(monkeypatch)
    drafts = {"resourceType": "Bundle", "entry": [{"resource": one} for one in orders]}
    body = {
        "hook": "order-sign",
        "hookInstance": "d1577c69-dfbe-44ad-ba6d-3e05e953b2ea",
        "context": {"userId": "Practitioner/1", "patientId": "p", "draftOrders": drafts},
    }
    return create_app(load_settings()).test_client().post("/cds-services/iv-iron-rls", json=body)


def test_more_iron_orders_than_anyone_signs_at_once_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each is judged beside every other: 150 kB of orders took 19 seconds and made an answer of 250 MB."""
    from cds_service.services import MOST_ORDERS

    most = [order(number) for number in range(MOST_ORDERS)]
    assert ask(monkeypatch, *most).status_code == 412
    response = ask(monkeypatch, *most, order(MOST_ORDERS))
    assert response.status_code == 400
    assert f"more than {MOST_ORDERS} orders" in response.text


ODD_REFERENCES = {
    "text where a reference is expected": {"medicationReference": {"reference": SAID.replace("-", " ")}},
    "very long": {"medicationReference": {"reference": f"Medication/{'x' * 300}"}},
    "text where an id is expected": {"id": SAID.replace("-", " ")},
}


@pytest.mark.parametrize("what", ODD_REFERENCES)
def test_a_reference_that_is_none_is_neither_echoed_nor_logged(
    what: str, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """It goes into the 412 and into the log, and may hold whatever a chart does."""
    response = ask(monkeypatch, order(1, medicationCodeableConcept=..., **ODD_REFERENCES[what]))
    assert response.status_code == 412 and "which is none" in response.text
    assert "Jane" not in response.text + (printed := capfd.readouterr().err) and "xxx" not in response.text + printed


def test_a_reference_that_nothing_resolves_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    wanted = {"medicationCodeableConcept": ..., "medicationReference": {"reference": "Medication/m-1"}}
    assert "nothing resolves Medication/m-1" in ask(monkeypatch, order(1, **wanted)).text
