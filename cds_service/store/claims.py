"""Tokens seen: each is put in once, durably, and whoever finds it there comes second (CH-213, CH-214).

Plain statements on the driver's own connection: this is on the path of every call, and costs half as much so.
"""

from collections import deque
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import Any

from sqlalchemy.engine import Engine
from sqlalchemy.exc import SQLAlchemyError

from cds_service.store.tables import StoreDown, kind_of

_CLAIM = "INSERT INTO seen_tokens (digest, expires) VALUES (?, ?) ON CONFLICT DO NOTHING RETURNING digest"
_CLAIM_POSTGRESQL = _CLAIM.replace("?", "%s")


@dataclass(slots=True)
class _Ticket:
    """One token that waits to be put in."""

    digest: bytes
    expires: int
    is_first: bool | None = None
    failure: Exception | None = None


class Claims:
    """Made before the fork; a connection is taken with the first claim."""

    def __init__(self, engine: Engine, turn: AbstractContextManager[Any]) -> None:
        """`turn` is held while something is written."""
        self._engine = engine
        self._turn = turn
        self._errors = (SQLAlchemyError, engine.dialect.loaded_dbapi.Error)
        self._waiting: deque[_Ticket] = deque()
        self._is_shared = engine.dialect.name == "postgresql"

    def claim(self, digest: bytes, expires: int) -> bool:
        """Whether this token is used for the first time. Durable on return. Raises `StoreDown`."""
        try:
            return self._put_in(digest, expires) if self._is_shared else self._put_in_together(digest, expires)
        except self._errors as wrong:
            raise StoreDown(kind_of(wrong)) from wrong

    def _put_in(self, digest: bytes, expires: int) -> bool:
        """PostgreSQL commits at once what many connections bring."""
        with self._connected() as connection:
            connection.autocommit = True
            try:
                return connection.execute(_CLAIM_POSTGRESQL, (digest, expires)).fetchone() is not None
            finally:
                connection.autocommit = False

    def _put_in_together(self, digest: bytes, expires: int) -> bool:
        """SQLite has one writer, and waiting for the disk takes longest: whoever's turn it is puts in all that wait."""
        ticket = _Ticket(digest, expires)
        self._waiting.append(ticket)
        with self._turn:
            if ticket.is_first is None and ticket.failure is None:
                self._put_in_all([self._waiting.popleft() for _ in range(len(self._waiting))])
        if ticket.failure is not None:
            raise ticket.failure
        if ticket.is_first is None:
            raise StoreDown("not settled")
        return ticket.is_first

    def _put_in_all(self, tickets: list[_Ticket]) -> None:
        try:
            with self._connected() as connection:
                connection.execute("BEGIN IMMEDIATE")
                found = [bool(connection.execute(_CLAIM, (one.digest, one.expires)).fetchall()) for one in tickets]
                connection.execute("COMMIT")
        except self._errors as wrong:
            for one in tickets:
                one.failure = wrong
        else:
            for one, is_first in zip(tickets, found, strict=True):
                one.is_first = is_first

    @contextmanager
    def _connected(self) -> Iterator[Any]:
        """The driver's connection; one that failed is not used again."""
        borrowed = self._engine.raw_connection()
        try:
            yield borrowed.driver_connection
        except self._errors:
            borrowed.invalidate()
            raise
        finally:
            borrowed.close()
