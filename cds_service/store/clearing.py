"""Deletes what is too old: tokens that have expired, and what the retention setting says."""

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.engine import Engine
from sqlalchemy.exc import SQLAlchemyError

from cds_service.store.tables import StoreDown, calls, cards, feedback, kind_of, seen_tokens, suggestions

MARGIN = 3600  # seconds an expired token is remembered: clocks of two hosts differ, and a clock may be set back


def clear_tokens(engine: Engine, now: float) -> int:
    """Deletes tokens that no clock accepts any more (CH-214)."""
    try:
        with engine.begin() as connection:
            return connection.execute(sa.delete(seen_tokens).where(_is_forgotten(now))).rowcount
    except SQLAlchemyError as wrong:
        raise StoreDown(kind_of(wrong)) from wrong


def purge(engine: Engine, before: datetime, now: datetime) -> dict[str, int]:
    """Deletes what is older than `before`, and expired tokens; returns how many rows of each table."""
    old_cards = sa.select(cards.c.uuid).where(cards.c.at < before)
    conditions = (
        (suggestions, suggestions.c.card.in_(old_cards)),
        (cards, cards.c.at < before),
        (calls, calls.c.at < before),
        (feedback, feedback.c.received < before),
        (seen_tokens, _is_forgotten(now.timestamp())),
    )
    try:
        with engine.begin() as connection:
            return {table.name: connection.execute(sa.delete(table).where(old)).rowcount for table, old in conditions}
    except SQLAlchemyError as wrong:
        raise StoreDown(kind_of(wrong)) from wrong


def _is_forgotten(now: float) -> sa.ColumnElement[bool]:
    return seen_tokens.c.expires < int(now) - MARGIN
