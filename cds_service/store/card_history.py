"""Reads what the alert-burden report counts: calls by day, and each card with the feedback that counts for it."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Engine
from sqlalchemy.exc import SQLAlchemyError

from cds_service.store.database import reading
from cds_service.store.tables import StoreDown, calls, cards, feedback, kind_of

AT_ONCE = 1000  # rows fetched together
DECIDED = ("cards", "nothing-to-say")  # outcomes of a call that was answered


@dataclass(frozen=True, slots=True)
class PastCall:
    """One call, without anything about the patient."""

    request_id: str
    at: datetime
    service: str
    hook: str
    outcome: str
    shown: bool
    duration_ms: float
    knowledge: str


@dataclass(frozen=True, slots=True)
class PastCard:
    """One card and the latest report about it by the client that got it; `outcome` is None without any."""

    request_id: str
    at: datetime
    shown: bool
    topic: str
    conclusion: str
    rules: str
    outcome: str | None
    feedback_at: datetime | None
    received: datetime | None
    reason_system: str | None
    reason_code: str | None


def read_calls(engine: Engine, since: datetime, until: datetime) -> Iterator[PastCall]:
    """From `since` on and before `until`, oldest first. Raises `StoreDown`."""
    columns = [getattr(calls.c, name) for name in PastCall.__slots__]
    query = sa.select(*columns).where(calls.c.at >= since, calls.c.at < until).order_by(calls.c.at)
    return (PastCall(*row) for row in _rows(engine, query))


def read_cards(engine: Engine, since: datetime, until: datetime) -> Iterator[PastCard]:
    """Cards of the same span with the outcome that counts; feedback counts whenever it came. Raises `StoreDown`."""
    newest = sa.func.row_number().over(
        partition_by=(feedback.c.client, feedback.c.card),
        order_by=(feedback.c.at.desc(), feedback.c.received.desc(), feedback.c.digest),
    )
    ranked = sa.select(feedback, newest.label("place")).subquery("ranked")
    counts = sa.and_(ranked.c.card == cards.c.uuid, ranked.c.client == cards.c.client, ranked.c.place == 1)
    query = (
        sa.select(
            *(cards.c.request_id, cards.c.at, calls.c.shown, cards.c.topic, cards.c.conclusion, cards.c.rules),
            *(ranked.c.outcome, ranked.c.at, ranked.c.received, ranked.c.reason_system, ranked.c.reason_code),
        )
        .join(calls, calls.c.request_id == cards.c.request_id)
        .join(ranked, counts, isouter=True)
        .where(cards.c.at >= since, cards.c.at < until)
        .order_by(cards.c.at)
    )
    return (PastCard(*row) for row in _rows(engine, query))


def count_strays(engine: Engine, since: datetime, until: datetime) -> int:
    """Reports about cards that are not in the store: of another system, or already deleted. Raises `StoreDown`."""
    is_known = sa.exists().where(cards.c.uuid == feedback.c.card, cards.c.client == feedback.c.client)
    query = (
        sa.select(sa.func.count())
        .select_from(feedback)
        .where(feedback.c.received >= since, feedback.c.received < until, ~is_known)
    )
    ((count,),) = _rows(engine, query)
    return int(count)


def _rows(engine: Engine, query: sa.Select[Any]) -> Iterator[Any]:
    try:
        with reading(engine) as connection:
            yield from connection.execution_options(yield_per=AT_ONCE).execute(query)
    except SQLAlchemyError as wrong:
        raise StoreDown(kind_of(wrong)) from wrong
