"""Reads what users did with cards: the whole history, and the overrides that keep a card away."""

from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Engine

from cds_service.store.database import reading
from cds_service.store.tables import calls, cards, feedback


def query_overrides() -> sa.Select[Any]:
    """R-50c: overridden with a reason code; an acceptance of the same card cancels what came before it."""
    later = feedback.alias("later")
    is_later = sa.or_(
        later.c.at > feedback.c.at, sa.and_(later.c.at == feedback.c.at, later.c.received >= feedback.c.received)
    )
    is_accepted = sa.exists().where(
        later.c.card == feedback.c.card, later.c.client == feedback.c.client, later.c.outcome == "accepted", is_later
    )
    return (
        sa.select(cards.c.topic, feedback.c.at, feedback.c.received)
        .select_from(calls)
        .join(cards, cards.c.request_id == calls.c.request_id)
        .join(feedback, sa.and_(feedback.c.card == cards.c.uuid, feedback.c.client == calls.c.client))
        .where(
            calls.c.pseudonym == sa.bindparam("pseudonym"),
            calls.c.client == sa.bindparam("client"),
            calls.c.service == sa.bindparam("service"),
            feedback.c.outcome == "overridden",
            feedback.c.reason_code.is_not(None),
            ~is_accepted,
        )
    )


def read_feedback(engine: Engine, card: str | None = None) -> list[dict[str, Any]]:
    """Feedback with what is known of its card, oldest first; `is_latest` marks the outcome that counts per card.

    A card is found only with the client it was sent to. Cards without feedback are not here: silence is no refusal
    (CH-185).
    """
    known = sa.and_(cards.c.uuid == feedback.c.card, cards.c.client == feedback.c.client)
    newest = sa.func.row_number().over(
        partition_by=(feedback.c.client, feedback.c.card),
        order_by=(feedback.c.at.desc(), feedback.c.received.desc(), feedback.c.digest),
    )
    query = (
        sa.select(
            feedback,
            cards.c.topic,
            cards.c.conclusion,
            cards.c.rules,
            cards.c.uuid.is_not(None).label("is_known"),
            (newest == 1).label("is_latest"),
        )
        .join(cards, known, isouter=True)
        .order_by(feedback.c.at, feedback.c.received)
    )
    if card is not None:
        query = query.where(feedback.c.card == card)
    with reading(engine) as connection:
        return [dict(row) for row in connection.execute(query).mappings()]
