"""Writes calls and their cards after the answer: a bounded queue, and one thread per worker that empties it."""

import atexit
import math
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, suppress
from dataclasses import fields
from operator import attrgetter
from queue import Empty, Full, Queue
from typing import Any, TypeAlias

import sqlalchemy as sa
from sqlalchemy.engine import Engine
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from cds_service.store.clearing import clear_tokens
from cds_service.store.database import insert_of
from cds_service.store.tables import CallRow, CardRow, StoreDown, SuggestionRow, calls, cards, kind_of, suggestions

BATCH = 200  # calls a transaction
LINGER = 0.2  # seconds the writer collects before it writes
PAUSE = 1.0  # seconds before a batch is tried once more, as when the database was restarted
PURGE_EVERY = 600.0  # seconds between clearing of expired tokens, per worker
QUIET_SECONDS = 1.0  # between two lines about a full queue
FULL = "the queue is full"
FLUSH_SECONDS = 10.0  # a stopping worker waits this long for its queue

Report: TypeAlias = Callable[[str, str, int], None]  # (what happened, kind of failure, how many calls were lost)
_Statements: TypeAlias = tuple[tuple[sa.Insert, str], ...]  # with the name of the table


class Recorder:
    """Made before the fork; the thread starts in the worker, with the first call."""

    def __init__(
        self, engine: Engine, size: int, report: Report, now: Callable[[], float], turn: AbstractContextManager[Any]
    ) -> None:
        """`now` gives seconds since 1970: the clock by which tokens are judged must also be that of forgetting them.

        `turn` is held while something is written.
        """
        self._engine = engine
        self._turn = turn
        insert = insert_of(engine)
        # Ids are ours and random. One that is there already is a batch whose commit was not confirmed, or a card that
        # was made twice: the first row stays, and the rows beside it are kept.
        self._put = tuple((insert(table).on_conflict_do_nothing(), table.name) for table in (calls, cards, suggestions))
        self._queue: Queue[CallRow | None] = Queue(size)
        self._report = report
        self._now = now
        self._lock = threading.Lock()
        self._writer: threading.Thread | None = None
        self._is_closing = threading.Event()
        self._cleared = 0.0
        self._told, self._told_at = 0, -math.inf  # of the lost ones, and when (monotonic)
        self.lost = 0  # calls whose rows were dropped

    def record(self, row: CallRow) -> None:
        """Hands the row to the writer and returns at once; a full queue costs the row, never the call."""
        if self._writer is None:
            self._start()
        try:
            self._queue.put_nowait(row)
        except Full:
            self._lose(1, FULL)

    @property
    def waiting(self) -> int:
        """Calls not written yet."""
        return self._queue.qsize()

    def close(self) -> None:
        """Writes what is waiting; what cannot be written in time is counted as lost."""
        writer = self._writer
        if writer is None or not writer.is_alive():
            return
        self._is_closing.set()
        with suppress(Full):
            self._queue.put(None, timeout=FLUSH_SECONDS)
        writer.join(FLUSH_SECONDS)
        if writer.is_alive() and (left := self.waiting):
            self._lose(left, "the service stopped")
        self._tell_rest()

    def _start(self) -> None:
        with self._lock:
            if self._writer is None:
                atexit.register(self.close)  # in the worker: here no fork follows
                self._writer = threading.Thread(target=self._write_all, name="recorder", daemon=True)
                self._writer.start()

    def _lose(self, count: int, why: str) -> None:
        """Told at most once in a while: a queue that stays full would put a line into the log for every call."""
        with self._lock:
            self.lost += count
            now = time.monotonic()
            if why == FULL and now - self._told_at < QUIET_SECONDS:
                return
            untold, self._told, self._told_at = self.lost - self._told, self.lost, now
        self._report("calls not recorded", why, untold)

    def _tell_rest(self) -> None:
        with self._lock:
            untold, self._told = self.lost - self._told, self.lost
        if untold:
            self._report("calls not recorded", FULL, untold)

    def _write_all(self) -> None:
        while True:
            first = self._take(PURGE_EVERY)
            if isinstance(first, CallRow):
                if self._queue.qsize() < BATCH:
                    self._is_closing.wait(LINGER)
                batch, is_last = self._collect(first)
                self._write(batch)
                self._tell_rest()
                if is_last:
                    return
            elif first is None:
                return
            self._clear_tokens()

    _IDLE = object()

    def _take(self, seconds: float) -> object:
        try:
            return self._queue.get(timeout=seconds)
        except Empty:
            return self._IDLE

    def _collect(self, first: CallRow) -> tuple[list[CallRow], bool]:
        batch = [first]
        while len(batch) < BATCH:
            try:
                row = self._queue.get_nowait()
            except Empty:
                break
            if row is None:
                return batch, True
            batch.append(row)
        return batch, False

    def _write(self, batch: Sequence[CallRow]) -> None:
        """A database that is away gets a second chance. A row that it refuses is found by halves and lost alone."""
        try:
            self._insert(batch)
        except (SQLAlchemyError, ValueError) as wrong:  # ValueError: of a driver, about text that it cannot encode
            if _is_away(wrong):
                self._write_once_more(batch)
            elif len(batch) == 1:
                self._lose(1, kind_of(wrong))
            else:
                middle = len(batch) // 2
                self._write(batch[:middle])
                self._write(batch[middle:])

    def _write_once_more(self, batch: Sequence[CallRow]) -> None:
        self._is_closing.wait(PAUSE)
        try:
            self._insert(batch)
        except (SQLAlchemyError, ValueError) as wrong:
            self._lose(len(batch), kind_of(wrong))

    def _insert(self, batch: Sequence[CallRow]) -> None:
        made = _rows(batch)
        with self._turn, self._engine.begin() as connection:
            for statement, name in self._put:
                if rows := made[name]:
                    connection.execute(statement, rows)

    def _clear_tokens(self) -> None:
        now = self._now()
        if now < self._cleared + PURGE_EVERY:
            return
        self._cleared = now
        with suppress(StoreDown), self._turn:
            clear_tokens(self._engine, now)


def _is_away(wrong: Exception) -> bool:
    """Whether the database as a whole failed, and not one row: then no other row would fare better."""
    is_cut = isinstance(wrong, DBAPIError) and wrong.connection_invalidated
    return is_cut or isinstance(wrong, OperationalError | InterfaceError | PoolTimeout)


def _columns(kind: type, *left_out: str) -> Callable[[Any], dict[str, Any]]:
    """How a row becomes a dictionary: its members and not theirs, which `asdict` would copy as well."""
    names = tuple(one.name for one in fields(kind) if one.name not in left_out)
    values = attrgetter(*names)
    return lambda row: dict(zip(names, values(row), strict=True))


_call, _card, _suggestion = _columns(CallRow, "cards"), _columns(CardRow, "suggestions"), _columns(SuggestionRow)


def _rows(batch: Sequence[CallRow]) -> dict[str, list[dict[str, Any]]]:
    """By table."""
    made = [(call, card) for call in batch for card in call.cards]
    return {
        calls.name: [_call(call) for call in batch],
        cards.name: [
            {**_card(card), "request_id": call.request_id, "at": call.at, "client": call.client} for call, card in made
        ],
        suggestions.name: [_suggestion(one) for _, card in made for one in card.suggestions],
    }
