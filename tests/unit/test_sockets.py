"""Clients that dawdle hold up nobody else: a worker with two threads, and what is done to its connections."""

import json
import selectors
import socket
import time
from collections import deque
from collections.abc import Iterator
from contextlib import ExitStack
from http.client import HTTPConnection
from itertools import pairwise
from types import SimpleNamespace
from typing import Any

import pytest
from gunicorn.http.body import LengthReader
from gunicorn.http.unreader import SocketUnreader

from cds_service import sockets
from cds_service.server import Worker, server_options
from cds_service.settings import load_settings
from tests.load.serving import Served, serve

WHOLE = b"GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n"
LAST = WHOLE.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n")
THREADS = 2
MANY = 4 * THREADS
LONG = 30.0  # seconds; the test ends long before where it holds


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder = tmp_path_factory.mktemp("served")
    with serve(folder, f"sqlite:///{folder / 'store'}", CDS_WORKERS="1", CDS_THREADS=str(THREADS)) as running:
        yield running


def connect(served: Served, *sent: bytes) -> socket.socket:
    port = int(served.url.rpartition(":")[2])
    connection = socket.create_connection(("127.0.0.1", port), LONG)
    for part in sent:
        connection.sendall(part)
    return connection


def status(connection: socket.socket) -> bytes:
    return connection.recv(65_536).partition(b"\r\n")[0]


def waited(served: Served) -> float:
    """Seconds until a call of somebody else is answered."""
    began = time.monotonic()
    with connect(served, LAST) as other:
        assert status(other) == b"HTTP/1.1 200 OK"
    return time.monotonic() - began


# What each of many clients does, and for how long the others may have to wait: never as long as before, when half
# requests kept their threads for good, silent connections for 5 seconds, and an end left open the main loop for 2.
DAWDLERS = {
    "says nothing": ((), 2.0),
    "sends half a request": ((b"GET /livez HT",), 15.0),
    "sends half its headers": ((WHOLE[:-2],), 15.0),
    "leaves its end open after the last answer": ((LAST,), 2.0),
    "leaves its end open after a refusal": ((b"no HTTP\r\n\r\n",), 2.0),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", DAWDLERS)
def test_others_are_answered_while_many_clients_dawdle(served: Served, name: str) -> None:
    sent, longest = DAWDLERS[name]
    with ExitStack() as stack:
        for _ in range(MANY):
            stack.enter_context(connect(served, *sent))
        time.sleep(0.3)
        assert waited(served) < longest


@pytest.mark.slow
def test_a_client_that_hangs_up_late_gets_its_whole_answer(served: Served) -> None:
    with connect(served, b"GET /fhir/metadata HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n") as late:
        time.sleep(0.5)
        answer = b""
        while part := late.recv(65_536):
            answer += part
    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200") and json.loads(body)["resourceType"] == "CapabilityStatement"


@pytest.mark.slow
def test_a_request_is_answered_once_whatever_its_body_goes_on_to_be(served: Served) -> None:
    """The rest of a refused body is skipped; an answer to that as well would be read as one to the next request."""
    head = b"POST /cds-services/iv-iron-rls HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n"
    with connect(served, head, b"5;" + b"x" * 20_000) as client:
        answers = b""
        while part := client.recv(65_536):
            answers += part
    assert answers.startswith(b"HTTP/1.1 401 ") and answers.count(b"HTTP/1.1 ") == 1


@pytest.mark.slow
def test_a_kept_connection_serves_one_request_after_the_other(served: Served) -> None:
    kept = HTTPConnection("127.0.0.1", int(served.url.rpartition(":")[2]), timeout=LONG)
    kept.connect()
    opened = kept.sock
    for _ in range(3):
        kept.request("GET", "/livez")
        response = kept.getresponse()
        assert (response.status, response.read()) == (200, b'{"status":"alive"}')
    assert kept.sock is opened
    kept.close()


@pytest.mark.slow
@pytest.mark.parametrize("name", ["SCRIPT_NAME", "PATH_INFO", "AUTHORIZATION_", "HTTP_AUTHORIZATION"])
def test_a_header_with_an_underscore_changes_nothing(served: Served, name: str) -> None:
    """gunicorn takes the address of a request from such headers when they come from this machine, as a proxy's do."""
    head = f"GET /x/livez HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{name}: /x\r\n\r\n"
    with connect(served, head.encode()) as smuggler:
        assert status(smuggler) == b"HTTP/1.1 404 NOT FOUND"


def test_headers_of_a_proxy_are_believed_from_nowhere() -> None:
    assert server_options(load_settings())["forwarded_allow_ips"] == ""


# --- a body in one piece


LONGER = json.dumps({"hook": "no-such-hook", "hookInstance": "", "context": {}, "padding": "x" * 300_000}).encode()
PLACES = {
    "all at once": (),
    "after a byte": (1,),
    "inside the head": (200, 201),
    "at the server's first read": (8192,),
    "in three parts": (100_000, 200_000),
}


@pytest.mark.slow
@pytest.mark.parametrize("place", PLACES)
def test_a_body_is_whole_however_the_network_cuts_it(served: Served, place: str) -> None:
    """Two requests sent without waiting for the first answer: the second starts where the first ends."""
    path = "/cds-services/iv-iron-rls"
    head = (
        f"POST {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {served.token(path)}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(LONGER)}\r\n\r\n"
    )
    both = head.encode() + LONGER + LAST
    with connect(served) as client:
        for start, end in pairwise((0, *PLACES[place], len(both))):
            client.sendall(both[start:end])
            time.sleep(0.05)
        answers = b""
        while part := client.recv(65_536):
            answers += part
    assert [one[:3] for one in answers.split(b"HTTP/1.1 ")[1:]] == [b"400", b"200"]
    assert b"hook: must be one of" in answers


class Cut:
    """A socket that a signal interrupts: less arrives than was asked for."""

    def __init__(self, *pieces: bytes) -> None:
        self.pieces = list(pieces)

    def recv(self, size: int, flags: int = 0) -> bytes:
        assert flags in (0, socket.MSG_WAITALL)
        piece = self.pieces.pop(0) if self.pieces else b""
        assert len(piece) <= size
        return piece


@pytest.mark.parametrize(
    ("held", "pieces", "expected", "left", "failed"),
    [
        (b"", (b"abcdef",), b"abcdef", b"", False),
        (b"abc", (b"def",), b"abcdef", b"", False),
        (b"abcdef", (), b"abcdef", b"", False),
        (b"abcdefNEXT", (), b"abcdef", b"NEXT", False),
        (b"a", (b"bc", b"def"), b"abcdef", b"", False),
        (b"abc", (b"d",), b"abcd", b"", True),
    ],
    ids=["from the socket", "half read ahead", "all read ahead", "beyond its end", "interrupted", "client gone"],
)
def test_a_body_ends_where_its_length_says(
    held: bytes, pieces: tuple[bytes, ...], expected: bytes, left: bytes, failed: bool
) -> None:
    sock = Cut(*pieces)
    unreader = SocketUnreader(sock)
    unreader.unread(held)
    body = sockets.WholeBody(LengthReader(unreader, 6), sock)  # type: ignore[arg-type]
    assert (body.read(6), unreader.take_buffered(), body.failed) == (expected, left, failed)
    assert body.read(6) == b""


def test_a_body_read_in_parts_is_read_as_gunicorn_does() -> None:
    sock = Cut(b"abcdefNEXT"[:6])
    body = sockets.WholeBody(LengthReader(SocketUnreader(sock), 6), sock)  # type: ignore[arg-type]
    assert (body.read(2), body.read(10), body.read(10)) == (b"ab", b"cdef", b"")


# --- the rules of time, by hand


class Connection:
    def __init__(self) -> None:
        self.sock, self.peer = socket.socketpair()


@pytest.fixture
def worker() -> Any:
    """The bookkeeping of a worker without its process."""
    made = Worker.__new__(Worker)
    made.cfg = SimpleNamespace(threads=THREADS)
    made._in_hand, made._leaving = {}, {}
    return made


def is_ended(connection: Connection) -> tuple[bool, bool]:
    """Whether the worker reads no more, and whether it writes no more."""
    connection.sock.settimeout(0)
    try:
        reads_on = connection.sock.recv(1) != b""
    except BlockingIOError:
        reads_on = True
    try:
        connection.sock.send(b"x")
    except OSError:
        return not reads_on, True
    return not reads_on, False


@pytest.mark.parametrize(
    ("in_hand", "seconds", "expected"),
    [
        (1, sockets.RECEIVING - 1, (False, False)),
        (1, sockets.RECEIVING + 1, (True, False)),
        (1, sockets.STUCK - 1, (True, False)),
        (1, sockets.STUCK + 1, (True, True)),
        (THREADS, sockets.RECEIVING_WHEN_FULL - 1, (False, False)),
        (THREADS, sockets.RECEIVING_WHEN_FULL + 1, (True, False)),
        (THREADS, sockets.STUCK + 1, (True, True)),
    ],
)
def test_what_arrives_too_slowly_is_cut_and_an_answer_may_still_be_written(
    worker: Any, in_hand: int, seconds: float, expected: tuple[bool, bool]
) -> None:
    connections = [Connection() for _ in range(in_hand)]
    worker._in_hand = dict.fromkeys(connections, 0.0)
    worker._hurry(seconds)
    assert {is_ended(one) for one in connections} == {expected}
    for one in connections:
        one.sock.close()
        one.peer.close()


def test_a_call_that_waits_for_its_fhir_server_as_long_as_can_be_set_is_not_cut_off() -> None:
    longest = next(one.le for one in type(load_settings()).model_fields["fhir_seconds"].metadata if hasattr(one, "le"))
    assert longest + sockets.RECEIVING < sockets.STUCK


def test_a_stopping_worker_does_not_wait_for_connections_that_say_nothing(worker: Any) -> None:
    worker.keepalived_conns = [SimpleNamespace(timeout=100.0)]
    worker.pending_conns = [SimpleNamespace(timeout=100.0), SimpleNamespace(timeout=1.0)]
    worker._cap_keepalive(50.0)
    assert [one.timeout for one in (*worker.keepalived_conns, *worker.pending_conns)] == [50.0, 50.0, 1.0]


def test_a_stopping_worker_takes_in_who_already_knocked_and_refuses_the_rest(worker: Any) -> None:
    """Who is refused goes elsewhere; who was let wait at the door would be broken off."""
    listener = socket.create_server(("127.0.0.1", 0))
    listener.setblocking(False)
    address = listener.getsockname()
    worker.sockets, worker.alive, worker._accepting, worker.nr_conns = [listener], False, True, 0
    worker.pending_conns, worker.poller = deque(), selectors.DefaultSelector()
    worker.poller.register(listener, selectors.EVENT_READ, worker.accept)
    with ExitStack() as stack:
        stack.callback(worker.poller.close)
        for _ in range(3):
            stack.enter_context(socket.create_connection(address, LONG))
        worker.set_accept_enabled(False)
        assert worker.nr_conns == len(worker.pending_conns) == 3
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(address, LONG)
        for one in worker.pending_conns:
            one.sock.close()


def test_a_worker_that_is_full_for_a_moment_keeps_its_door(worker: Any) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener, selectors.DefaultSelector() as poller:
        worker.sockets, worker.alive, worker._accepting, worker.poller = [listener], True, True, poller
        poller.register(listener, selectors.EVENT_READ, worker.accept)
        worker.set_accept_enabled(False)
        assert listener.fileno() >= 0
