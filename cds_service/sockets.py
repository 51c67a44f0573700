"""Connections to clients that dawdle: none of them keeps a thread, or the loop that accepts the others, for long.

gunicorn gives a thread to every new connection and reads the request in it without a limit of time, and its main loop
waits up to two seconds for a client to hang up. Forty connections that send half a line, or leave their end open, were
enough to keep everyone else waiting. A proxy in front that buffers requests hides this; not everyone has one.
"""

import selectors
import socket
import time
from functools import partial
from typing import Any

from gunicorn import util
from gunicorn.http.body import Body, LengthReader
from gunicorn.http.errors import ParseException
from gunicorn.workers.gthread import ThreadWorker

SILENT = 15.0  # seconds a new connection may say nothing; it waits in the poller and costs no thread
RECEIVING = 20.0  # seconds until a request must have arrived completely
RECEIVING_WHEN_FULL = 3.0  # the same while every thread is taken
STUCK = 90.0  # seconds until the answer must have been taken; longer than CDS_FHIR_SECONDS can be
LINGER = 2.0  # seconds a client has to take the end of an answer and hang up (RFC 9112 9.6)
BETWEEN_LOOKS = 0.5  # seconds
DRAINED = 65_536  # bytes


class PatientWorker(ThreadWorker):  # type: ignore[misc]  # gunicorn has no types
    """A threaded worker whose threads serve whole requests and whose main loop never waits for one client."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._in_hand: dict[Any, float] = {}  # connections that hold a thread, and since when
        self._leaving: dict[socket.socket, float] = {}  # answered for good, and until when they may linger
        self._next_look = 0.0

    def enqueue_req(self, conn: Any) -> None:
        """A connection gets a thread when something has arrived on it."""
        if conn.initialized or conn.data_ready:
            super().enqueue_req(conn)
            return
        conn.sock.setblocking(False)
        conn.timeout = time.monotonic() + SILENT
        self.pending_conns.append(conn)
        self.poller.register(conn.sock, selectors.EVENT_READ, partial(self.on_pending_socket_readable, conn))

    def handle(self, conn: Any) -> Any:
        self._in_hand[conn] = time.monotonic()
        try:
            return super().handle(conn)
        finally:
            del self._in_hand[conn]

    def handle_request(self, req: Any, conn: Any) -> Any:
        if isinstance(req.body.reader, LengthReader):
            req.body = WholeBody(req.body.reader, conn.sock)
        return super().handle_request(req, conn)

    def _keepalive_after(self, conn: Any, keepalive: bool) -> bool:
        """What is left of a body is read after its answer. A second answer to it could be taken for another call's."""
        try:
            return bool(super()._keepalive_after(conn, keepalive))
        except (ParseException, OSError, ValueError, MemoryError) as broken:
            self.log.debug("closing a connection whose body could not be read to its end: %s", type(broken).__name__)
            return False

    def murder_pending(self) -> None:
        """The main loop comes by after each event, at least once a second."""
        super().murder_pending()
        now = time.monotonic()
        if now < self._next_look:
            return
        self._next_look = now + BETWEEN_LOOKS
        self._hurry(now)
        for sock in [one for one, until in self._leaving.items() if until <= now]:
            self._close(sock)

    def _hurry(self, now: float) -> None:
        """Ends what has not arrived in time: reading finds the end, writing an answer still works until `STUCK`."""
        in_hand = self._in_hand.copy()
        patience = RECEIVING_WHEN_FULL if len(in_hand) >= self.cfg.threads else RECEIVING
        for conn, since in in_hand.items():
            if now - since > patience:
                _shut(conn.sock, socket.SHUT_RDWR if now - since > STUCK else socket.SHUT_RD)

    def finish_request(self, conn: Any, fs: Any) -> None:
        conn.close = partial(self._let_go, conn.sock)
        super().finish_request(conn, fs)

    def _let_go(self, sock: socket.socket, graceful: bool = False) -> None:
        """Says that no more will come, and closes when the client has, too; a close at once could cut the answer."""
        if graceful and _shut(sock, socket.SHUT_WR):
            sock.setblocking(False)
            self.poller.register(sock, selectors.EVENT_READ, self._drain)
            self._leaving[sock] = time.monotonic() + LINGER
            self.nr_conns += 1
        else:
            util.close(sock)

    def _drain(self, sock: socket.socket) -> None:
        try:
            is_over = not sock.recv(DRAINED)
        except BlockingIOError:
            return
        except OSError:
            is_over = True
        if is_over:
            self._close(sock)

    def _close(self, sock: socket.socket) -> None:
        del self._leaving[sock]
        self.nr_conns -= 1
        self.poller.unregister(sock)
        util.close(sock)

    def set_accept_enabled(self, enabled: bool) -> None:
        """A stopping worker takes in who already knocked, then closes its door: the rest is refused at once.

        A proxy sends refused calls elsewhere. Left open, the door takes calls for as long as others are finished, and
        ends by breaking them off.
        """
        is_stopping = not enabled and not self.alive
        if is_stopping:
            for listener in self.sockets:
                self._take_in(listener)
        super().set_accept_enabled(enabled)
        if is_stopping:
            for listener in self.sockets:
                listener.close()

    def _take_in(self, listener: Any) -> None:
        before = -1
        while before != self.nr_conns:
            before = self.nr_conns
            self.accept(listener)

    def _cap_keepalive(self, deadline: float) -> None:
        """A stopping worker waits no longer for connections that say nothing than for kept ones."""
        super()._cap_keepalive(deadline)
        for conn in self.pending_conns:
            conn.timeout = min(conn.timeout, deadline)


class WholeBody(Body):  # type: ignore[misc]
    """A body of known length: asked for all of it, it is received in one piece, where gunicorn copies it six times."""

    def __init__(self, reader: LengthReader, sock: socket.socket) -> None:
        super().__init__(reader)
        self._sock = sock

    def read(self, size: int | None = None) -> bytes:
        reader = self.reader
        if size != reader.length or not size or self.buf.tell():
            some: bytes = super().read(size)
            return some
        self.failed = True  # until all is here: where the next request starts is not known before
        held: bytes = reader.unreader.take_buffered()
        if len(held) > size:  # the client did not wait for the answer before it sent the next request
            reader.unreader.unread(held[size:])
            held = held[:size]
        parts, missing = [held], size - len(held)
        while missing and (part := self._sock.recv(missing, socket.MSG_WAITALL)):  # a signal may cut it short
            parts.append(part)
            missing -= len(part)
        if not missing:
            reader.length, self.failed = 0, False
        return b"".join(parts)


def _shut(sock: socket.socket, how: int) -> bool:
    """Whether the connection still was one."""
    try:
        sock.shutdown(how)
    except OSError:
        return False
    return True
