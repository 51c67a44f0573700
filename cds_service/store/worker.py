"""The store as one worker process uses it: tokens and feedback before the answer, calls and cards after it."""

import hashlib
import math
import threading
import time
import weakref
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import asdict
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.engine import Engine
from sqlalchemy.exc import SQLAlchemyError

from cds_service.store.claims import Claims
from cds_service.store.database import insert_of, reading
from cds_service.store.reading import query_overrides
from cds_service.store.recorder import Recorder, Report
from cds_service.store.tables import CallRow, FeedbackRow, StoreDown, feedback, kind_of, seen_tokens

FRESH = 1.0  # seconds the answer to "is it up?" holds
FAILED = 5.0  # seconds for which a write that failed says more than a read that works, as on a full disk


class Store:
    """One per worker process, made before the fork: connections and the writing thread appear on first use."""

    def __init__(self, engine: Engine, queue_size: int, report: Report, now: Callable[[], float]) -> None:
        """`now` gives seconds since 1970."""
        self.engine = engine
        # SQLite has one writer and lets others try again and again: threads of one process take turns instead.
        self._turn = threading.Lock() if engine.dialect.name == "sqlite" else nullcontext()
        self.recorder = Recorder(engine, queue_size, report, now, self._turn)
        self._claims = Claims(engine, self._turn)
        weakref.finalize(self, engine.dispose)  # no connection outlives a store that nobody closed
        insert = insert_of(engine)
        # The row comes back if it was put in: drivers count differently. Built once: it costs more than the insert.
        self._keep = insert(feedback).on_conflict_do_nothing().returning(feedback.c.digest)
        self._find_overrides = query_overrides()
        self._report = report
        self._looking = threading.Lock()
        self._looked = -math.inf  # monotonic
        self._is_up = False
        self._failed = -math.inf  # monotonic; the latest write

    def claim_token(self, issuer: str, jti: str, expires: int) -> bool:
        """Whether this token is used for the first time (CH-213, CH-214). Durable on return. Raises `StoreDown`."""
        with self._noting_failure():
            return self._claims.claim(hashlib.sha256(f"{issuer}\n{jti}".encode()).digest(), expires)

    def record_feedback(self, rows: Sequence[FeedbackRow]) -> int:
        """Keeps what is new and returns how many that were. Durable on return. Raises `StoreDown`."""
        if not rows:
            return 0
        with self._noting_failure(), self._turn, self.engine.begin() as connection:
            return sum(connection.execute(self._keep, asdict(row)).first() is not None for row in rows)

    @contextmanager
    def _noting_failure(self) -> Iterator[None]:
        """Around a write: readiness hears of one that failed, until one works again."""
        try:
            yield
        except StoreDown:
            self._failed = time.monotonic()
            raise
        except SQLAlchemyError as wrong:
            self._failed = time.monotonic()
            raise StoreDown(kind_of(wrong)) from wrong
        self._failed = -math.inf

    def find_overrides(self, client: str, service: str, patient_pseudonym: str) -> dict[str, datetime]:
        """Topic of a card about this patient to its latest override with a coded reason. Raises `StoreDown`.

        A report dated ahead of its arrival counts from its arrival: a wrong clock must not silence a card for years.
        """
        given = {"client": client, "service": service, "pseudonym": patient_pseudonym}
        found: dict[str, datetime] = {}
        try:
            with reading(self.engine) as connection:
                for row in connection.execute(self._find_overrides, given):
                    topic, moment = str(row[0]), min(row[1], row[2])
                    found[topic] = max(moment, found.get(topic, moment))
        except SQLAlchemyError as wrong:
            self._report("overrides not read: cards are shown", kind_of(wrong), 0)
            raise StoreDown(kind_of(wrong)) from wrong
        return found

    def is_up(self) -> bool:
        """For readiness, which anyone may ask for: looked up once a second, by one thread, while the others go on."""
        if time.monotonic() - self._looked >= FRESH and self._looking.acquire(blocking=False):
            try:
                self._is_up = self._look()
                self._looked = time.monotonic()
            finally:
                self._looking.release()
        return self._is_up and time.monotonic() - self._failed >= FAILED

    def _look(self) -> bool:
        try:
            with reading(self.engine) as connection:
                connection.execute(sa.select(seen_tokens.c.expires).limit(1)).first()
        except SQLAlchemyError:
            return False
        return True

    def record_call(self, row: CallRow) -> None:
        """After the answer: returns at once, whatever becomes of the row."""
        self.recorder.record(row)

    def close(self) -> None:
        """Writes what is waiting, then lets go of the database."""
        self.recorder.close()
        self.engine.dispose()
