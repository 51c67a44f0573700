"""Cheap callers for measurements: each sends its next request as soon as it has its answer, all of them in one thread.

On a machine that callers and servers share, what callers cost is missing to the servers. Ready-made bytes on raw
sockets cost some 20 to 40 microseconds a call, `http.client` in threads ten times that.
"""

import re
import socket
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import cycle
from selectors import EVENT_READ, EVENT_WRITE, DefaultSelector

HOST = "127.0.0.1"
PATIENCE = 60.0  # seconds without any answer
BETWEEN_CALLERS = 0.002  # seconds
AT_ONCE = 262_144  # bytes read
LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
STATUS = slice(9, 12)


@dataclass(frozen=True, slots=True)
class Load:
    """What the callers saw, and the processor time they took themselves."""

    latencies: Sequence[float]  # seconds, the smallest first
    took: float  # seconds
    own_processor: float  # seconds

    @property
    def calls(self) -> int:
        return len(self.latencies)

    @property
    def rate(self) -> float:
        """Calls a second."""
        return self.calls / self.took

    def percentile(self, share: float) -> float:
        return self.latencies[min(self.calls - 1, int(self.calls * share))]


class Caller:
    """One connection that is kept. `began` is when the request on its way was sent."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self.began = 0.0
        self._left = memoryview(b"")
        self._received = bytearray()
        self._expected = 0  # bytes of the answer, 0 until its head has arrived

    def begin(self, request: bytes) -> bool:
        """Whether all of the request is on its way."""
        self.began = time.perf_counter()
        self._left = memoryview(request)
        self._received.clear()
        self._expected = 0
        return self.send()

    def send(self) -> bool:
        try:
            while self._left:
                self._left = self._left[self.sock.send(self._left) :]
        except BlockingIOError:
            return False
        return True

    def receive(self) -> bool:
        """Whether the answer is complete. Raises `SystemExit` for any but 200: such figures would say nothing."""
        received = self.sock.recv(AT_ONCE)
        if not received:
            raise SystemExit("the server hung up")
        self._received += received
        if not self._expected:
            self._expected = expected(self._received)
        if 0 < self._expected <= len(self._received):
            return True
        # A server that writes head and body apart may hold the body back until the head is confirmed, 40 ms later if
        # nobody hurries: uvicorn with several workers does. That would be measured, and is not what is compared.
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)
        return False


def expected(received: bytes | bytearray) -> int:
    """Length of the answer by its head; 0 while that is incomplete."""
    head = received.find(b"\r\n\r\n")
    if head < 0:
        return 0
    length = LENGTH.search(received, 0, head)
    if received[STATUS] != b"200" or not length:
        raise SystemExit(f"not an answer to measure: {bytes(received[:200])!r}")
    return head + 4 + int(length[1])


def make_call(path: str, body: bytes) -> bytes:
    """The bytes of one request."""
    head = (
        f"POST {path} HTTP/1.1\r\nHost: {HOST}\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


def run(port: int, calls: Sequence[bytes], width: int, seconds: float) -> Load:
    """`width` callers for so long; calls under way at the end are waited for and counted.

    The callers come one after the other, each with its first call: what comes at once, one worker may take alone.
    """
    latencies: list[float] = []
    turns = cycle(calls)
    own, began = time.process_time(), time.perf_counter()
    until = began + seconds
    with ExitStack() as stack, DefaultSelector() as selector:
        for _ in range(width):
            caller = Caller(stack.enter_context(connect(port)))
            is_sent = caller.begin(next(turns))
            selector.register(caller.sock, EVENT_READ if is_sent else EVENT_READ | EVENT_WRITE, caller)
            _go_on(selector, BETWEEN_CALLERS, turns, until, latencies)
        while selector.get_map():
            if not _go_on(selector, PATIENCE, turns, until, latencies):
                raise SystemExit(f"no answer in {PATIENCE:.0f} s")
    return Load(sorted(latencies), time.perf_counter() - began, time.process_time() - own)


def connect(port: int) -> socket.socket:
    sock = socket.create_connection((HOST, port), PATIENCE)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    sock.setblocking(False)
    return sock


def _go_on(
    selector: DefaultSelector, patience: float, turns: Iterator[bytes], until: float, latencies: list[float]
) -> bool:
    """Whether anything happened; those who have their answer send their next request, or leave."""
    ready = selector.select(patience)
    for key, events in ready:
        caller: Caller = key.data
        if events & EVENT_WRITE and caller.send():
            selector.modify(caller.sock, EVENT_READ, caller)
        if not (events & EVENT_READ and caller.receive()):
            continue
        now = time.perf_counter()
        latencies.append(now - caller.began)
        if now >= until:
            selector.unregister(caller.sock)
        elif not caller.begin(next(turns)):
            selector.modify(caller.sock, EVENT_READ | EVENT_WRITE, caller)
    return bool(ready)


def ask_once(port: int, call: bytes) -> None:
    """Raises `OSError` when nobody answers."""
    with socket.create_connection((HOST, port), PATIENCE) as sock:
        caller = Caller(sock)
        caller.begin(call)
        while not caller.receive():
            pass
