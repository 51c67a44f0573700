"""The callers of the benchmark: which answers they take as complete, and that they count every call."""

import socketserver
import threading
from collections.abc import Iterator

import pytest

from tests.load.closed_loop import expected, make_call, run

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n"


@pytest.mark.parametrize(
    ("received", "length"),
    [
        pytest.param(b"", 0, id="nothing yet"),
        pytest.param(HEAD[:-1], 0, id="a head without its end"),
        pytest.param(HEAD, len(HEAD) + 2, id="a head without its body"),
        pytest.param(HEAD + b"{}", len(HEAD) + 2, id="all of it"),
        pytest.param(HEAD.lower().replace(b"http", b"HTTP"), len(HEAD) + 2, id="names in small letters"),
    ],
)
def test_the_length_of_an_answer_is_that_of_its_head(received: bytes, length: int) -> None:
    assert expected(received) == length


@pytest.mark.parametrize(
    "received",
    [
        pytest.param(HEAD.replace(b"200 OK", b"503 No"), id="another status"),
        pytest.param(HEAD.replace(b"Content-Length: 2", b"X-Length: 2"), id="no length"),
        pytest.param(HEAD.replace(b"Content-Length: 2", b"X: 2") + b"\r\nContent-Length: 2", id="a length in the body"),
    ],
)
def test_an_answer_that_says_nothing_is_not_measured(received: bytes) -> None:
    with pytest.raises(SystemExit, match="not an answer to measure"):
        expected(received)


class Halting(socketserver.StreamRequestHandler):
    """Answers in two pieces; keeps the bodies it was sent."""

    bodies: list[bytes]

    def handle(self) -> None:
        while line := self.rfile.readline():
            length = 0
            while line.strip():
                name, _, value = line.partition(b":")
                length = int(value) if name.lower() == b"content-length" else length
                line = self.rfile.readline()
            self.bodies.append(self.rfile.read(length))
            self.wfile.write(HEAD)
            self.wfile.write(b"{}")


@pytest.fixture
def bodies() -> Iterator[tuple[int, list[bytes]]]:
    """The port of a server, and what it was sent."""
    Halting.bodies = []
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Halting) as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        yield server.server_address[1], Halting.bodies
        server.shutdown()


@pytest.mark.parametrize("width", [1, 5])
def test_every_call_is_answered_counted_and_sent_whole(bodies: tuple[int, list[bytes]], width: int) -> None:
    port, received = bodies
    sent = [b"a" * 10, b"b" * 20_000_000]  # the second does not fit into the buffers of a socket
    load = run(port, [make_call("/x", body) for body in sent], width, 0.1)
    assert load.calls == len(received) >= width
    assert set(received) <= set(sent) and len(set(received)) == min(2, load.calls)
    assert list(load.latencies) == sorted(load.latencies)
