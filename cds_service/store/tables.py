"""The tables, the rows that go into them, and what is raised when the database does not take them."""

from dataclasses import dataclass
from datetime import UTC, datetime

import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError

metadata = sa.MetaData()


class UtcTime(sa.TypeDecorator[datetime]):
    """An aware moment in UTC, also where the database knows no zones."""

    impl = sa.DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, _: sa.Dialect) -> datetime | None:
        return None if value is None else value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, _: sa.Dialect) -> datetime | None:
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


calls = sa.Table(
    "calls",
    metadata,
    sa.Column("request_id", sa.String(32), primary_key=True),
    sa.Column("at", UtcTime, nullable=False, index=True),
    sa.Column("client", sa.String(64), nullable=False),
    sa.Column("tenant", sa.String(256)),
    sa.Column("service", sa.String(64), nullable=False),
    sa.Column("hook", sa.String(64), nullable=False),
    sa.Column("hook_instance", sa.String(36), nullable=False, index=True),
    sa.Column("outcome", sa.String(64), nullable=False),  # cards, nothing-to-say, or the issue code of an error
    sa.Column("shown", sa.Boolean, nullable=False),  # false: silent mode withheld the cards
    sa.Column("duration_ms", sa.Float, nullable=False),
    sa.Column("knowledge", sa.String(64), nullable=False),
    sa.Column("pseudonym", sa.String(64), index=True),
)
cards = sa.Table(
    "cards",
    metadata,
    sa.Column("uuid", sa.String(36), primary_key=True),
    sa.Column("request_id", sa.String(32), nullable=False, index=True),
    sa.Column("at", UtcTime, nullable=False, index=True),
    sa.Column("client", sa.String(64), nullable=False),
    sa.Column("topic", sa.String(64), nullable=False),  # source.topic.code: a class, reassessment, a follow-up topic
    sa.Column("concern", sa.String(64), nullable=False),  # the products ordered or given
    sa.Column("conclusion", sa.String(64), nullable=False),
    sa.Column("rules", sa.Text, nullable=False),  # ids, separated by blanks
)
suggestions = sa.Table(
    "suggestions",
    metadata,
    sa.Column("uuid", sa.String(36), primary_key=True),
    sa.Column("card", sa.String(36), nullable=False, index=True),
    sa.Column("place", sa.Integer, nullable=False),
    sa.Column("actions", sa.Integer, nullable=False),
)
feedback = sa.Table(
    "feedback",
    metadata,
    sa.Column("digest", sa.LargeBinary(32), primary_key=True),  # of all that makes two items the same
    sa.Column("received", UtcTime, nullable=False, index=True),
    sa.Column("client", sa.String(64), nullable=False),
    sa.Column("service", sa.String(64), nullable=False),
    sa.Column("card", sa.String(200), nullable=False, index=True),
    sa.Column("outcome", sa.String(16), nullable=False),
    sa.Column("at", UtcTime, nullable=False),
    sa.Column("suggestions", sa.Text, nullable=False),  # accepted ones, a JSON array of ids
    sa.Column("reason_system", sa.String(500)),
    sa.Column("reason_code", sa.String(200)),
    sa.Column("comment", sa.LargeBinary),  # encrypted
)
seen_tokens = sa.Table(
    "seen_tokens",
    metadata,
    sa.Column("digest", sa.LargeBinary(32), primary_key=True),  # of issuer and jti
    sa.Column("expires", sa.BigInteger, nullable=False, index=True),  # seconds since 1970
)


class StoreDown(Exception):
    """The database did not do what was asked; nothing was kept. Names the kind of failure and no value."""


def kind_of(wrong: Exception) -> str:
    """The kind of failure; messages of drivers quote values and passwords."""
    original = getattr(wrong, "orig", None) if isinstance(wrong, SQLAlchemyError) else None
    return type(wrong).__name__ + (f" ({type(original).__name__})" if original is not None else "")


@dataclass(frozen=True, slots=True)
class SuggestionRow:
    uuid: str
    card: str
    place: int
    actions: int


@dataclass(frozen=True, slots=True)
class CardRow:
    uuid: str
    topic: str
    concern: str
    conclusion: str
    rules: str
    suggestions: tuple[SuggestionRow, ...]


@dataclass(frozen=True, slots=True)
class CallRow:
    """One call and its cards. `pseudonym` is keyed and never the patient's id."""

    request_id: str
    at: datetime
    client: str
    tenant: str | None
    service: str
    hook: str
    hook_instance: str
    outcome: str
    shown: bool
    duration_ms: float
    knowledge: str
    pseudonym: str | None
    cards: tuple[CardRow, ...] = ()


@dataclass(frozen=True, slots=True)
class FeedbackRow:
    """One item of feedback; `comment` is encrypted or None."""

    digest: bytes
    received: datetime
    client: str
    service: str
    card: str
    outcome: str
    at: datetime
    suggestions: str
    reason_system: str | None
    reason_code: str | None
    comment: bytes | None
