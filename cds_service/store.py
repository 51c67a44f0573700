"""What is kept: tokens seen and feedback before the answer, calls and cards after it. Nothing here names a patient."""

import atexit
import hashlib
import threading
import time
import weakref
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from queue import Empty, Full, Queue
from typing import Any

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import URL, Connection, Engine, make_url
from sqlalchemy.exc import ArgumentError, SQLAlchemyError
from sqlalchemy.pool import ConnectionPoolEntry

from cds_service.errors import ConfigurationError

WAIT_SECONDS = 5  # for a lock, a connection, a statement
BATCH = 200  # calls a transaction
LINGER = 0.2  # seconds the writer collects before it writes
PURGE_EVERY = 600.0  # seconds between clearing of expired tokens, per worker
FLUSH_SECONDS = 10.0  # a stopping worker waits this long for its queue

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


# --- opening


def open_database(url: str) -> Engine:
    """An engine without a connection yet, so that it may be made before workers are forked."""
    try:
        parsed = make_url(url)
        if parsed.get_backend_name() == "sqlite":
            return _open_sqlite(parsed)
        if parsed.drivername == "postgresql":
            parsed = parsed.set(drivername="postgresql+psycopg")
        return sa.create_engine(
            parsed,
            pool_pre_ping=True,
            pool_size=8,
            max_overflow=8,
            pool_timeout=WAIT_SECONDS,
            connect_args={"connect_timeout": WAIT_SECONDS, "options": f"-c statement_timeout={WAIT_SECONDS}s"},
            hide_parameters=True,
        )
    except ArgumentError:
        raise ConfigurationError(
            "CDS_DATABASE_URL: must be an SQLAlchemy URL, sqlite:///file or postgresql://user@host/name"
        ) from None
    except ImportError:
        raise ConfigurationError(
            "CDS_DATABASE_URL: PostgreSQL needs the extra: pip install iv-iron-rls-cds[postgres]"
        ) from None


def _open_sqlite(url: URL) -> Engine:
    engine = sa.create_engine(url, connect_args={"timeout": WAIT_SECONDS}, hide_parameters=True)

    def prepare(connection: Any, _: ConnectionPoolEntry) -> None:
        connection.isolation_level = None  # we begin transactions ourselves: the driver's would start too late
        for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"):  # FULL: durable against power loss
            connection.execute(f"PRAGMA {pragma}").close()

    sa.event.listen(engine, "connect", prepare)
    sa.event.listen(engine, "begin", _begin)
    return engine


def _begin(connection: Connection) -> None:
    """A writer takes the lock at once: one that took it later could be refused without waiting for its turn."""
    connection.exec_driver_sql("BEGIN" if connection.get_execution_options().get("reads") else "BEGIN IMMEDIATE")


def _reading(engine: Engine) -> Connection:
    return engine.connect().execution_options(reads=True)


def _file_of(engine: Engine) -> Path | None:
    name = engine.url.database
    return Path(name) if engine.dialect.name == "sqlite" and name and name != ":memory:" else None


# --- migrations


def _alembic(connection: Connection | None = None) -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    config.attributes["connection"] = connection
    return config


def migrate(url: str) -> str:
    """Brings the tables up to date; returns the version. Run once, before workers start."""
    engine = open_database(url)
    try:
        with engine.begin() as connection:
            if engine.dialect.name == "postgresql":  # two that start at once take turns
                connection.execute(sa.text("SELECT pg_advisory_xact_lock(20041231)"))
            command.upgrade(_alembic(connection), "head")
            return str(MigrationContext.configure(connection).get_current_revision())
    except SQLAlchemyError as wrong:
        raise ConfigurationError(f"CDS_DATABASE_URL: the tables cannot be made: {_kind(wrong)}") from wrong
    finally:
        engine.dispose()


def is_migrated(engine: Engine) -> bool:
    """Whether the tables are those of this version. Never creates a file. Raises `StoreDown`."""
    file = _file_of(engine)
    if file is not None and not file.exists():
        return False
    try:
        with _reading(engine) as connection:
            found = MigrationContext.configure(connection).get_current_revision()
        return found == ScriptDirectory.from_config(_alembic()).get_current_head()
    except SQLAlchemyError as wrong:
        raise StoreDown(_kind(wrong)) from wrong
    finally:
        engine.dispose()  # a worker must not inherit a connection


def _kind(wrong: SQLAlchemyError) -> str:
    """The kind of failure; messages of drivers quote values and passwords."""
    original = getattr(wrong, "orig", None)
    return type(wrong).__name__ + (f" ({type(original).__name__})" if original is not None else "")


# --- the store


Report = Callable[[str, str, int], None]  # (what happened, kind of failure, how many calls were lost)


class Store:
    """One per worker process, made before the fork: connections and the writing thread appear on first use."""

    def __init__(self, engine: Engine, queue_size: int, report: Report, now: Callable[[], float]) -> None:
        """`now` gives seconds since 1970: the clock by which tokens are judged must also be that of forgetting them."""
        self.engine = engine
        weakref.finalize(self, engine.dispose)  # no connection outlives a store that nobody closed
        insert = postgresql.insert if engine.dialect.name == "postgresql" else sqlite.insert
        # The row comes back if it was put in: drivers count differently. Built once: it costs more than the insert.
        self._claim = insert(seen_tokens).on_conflict_do_nothing().returning(seen_tokens.c.digest)
        self._keep = insert(feedback).on_conflict_do_nothing().returning(feedback.c.digest)
        self._find_overrides = _query_overrides()
        self._queue: Queue[CallRow | None] = Queue(queue_size)
        self._report = report
        self._now = now
        self._lock = threading.Lock()
        self._writer: threading.Thread | None = None
        self._cleared = 0.0
        self.lost = 0  # calls whose rows were dropped

    # before the answer

    def claim_token(self, issuer: str, jti: str, expires: int) -> bool:
        """Whether this token is used for the first time (CH-213, CH-214). Durable on return. Raises `StoreDown`."""
        digest = hashlib.sha256(f"{issuer}\n{jti}".encode()).digest()
        try:
            with self.engine.begin() as connection:
                return connection.execute(self._claim, {"digest": digest, "expires": expires}).first() is not None
        except SQLAlchemyError as wrong:
            raise StoreDown(_kind(wrong)) from wrong

    def record_feedback(self, rows: Sequence[FeedbackRow]) -> int:
        """Keeps what is new and returns how many that were. Durable on return. Raises `StoreDown`."""
        if not rows:
            return 0
        try:
            with self.engine.begin() as connection:
                return sum(connection.execute(self._keep, asdict(row)).first() is not None for row in rows)
        except SQLAlchemyError as wrong:
            raise StoreDown(_kind(wrong)) from wrong

    def find_overrides(self, client: str, service: str, patient_pseudonym: str) -> dict[str, datetime]:
        """Topic of a card about this patient to its latest override with a coded reason. Raises `StoreDown`.

        A report dated ahead of its arrival counts from its arrival: a wrong clock must not silence a card for years.
        """
        given = {"client": client, "service": service, "pseudonym": patient_pseudonym}
        found: dict[str, datetime] = {}
        try:
            with _reading(self.engine) as connection:
                for row in connection.execute(self._find_overrides, given):
                    topic, moment = str(row[0]), min(row[1], row[2])
                    found[topic] = max(moment, found.get(topic, moment))
        except SQLAlchemyError as wrong:
            self._report("overrides not read: cards are shown", _kind(wrong), 0)
            raise StoreDown(_kind(wrong)) from wrong
        return found

    def is_up(self) -> bool:
        """For readiness."""
        try:
            with _reading(self.engine) as connection:
                connection.execute(sa.select(seen_tokens.c.expires).limit(1)).first()
        except SQLAlchemyError:
            return False
        return True

    # after the answer

    def record_call(self, row: CallRow) -> None:
        """Hands the row to the writer and returns at once; a full queue costs the row, never the call."""
        if self._writer is None:
            self._start()
        try:
            self._queue.put_nowait(row)
        except Full:
            self._lose(1, "the queue is full")

    @property
    def waiting(self) -> int:
        return self._queue.qsize()

    def close(self) -> None:
        """Writes what is waiting, then lets go of the database."""
        writer = self._writer
        if writer is not None and writer.is_alive():
            with suppress(Full):
                self._queue.put(None, timeout=FLUSH_SECONDS)
            writer.join(FLUSH_SECONDS)
        self.engine.dispose()

    def _start(self) -> None:
        with self._lock:
            if self._writer is None:
                atexit.register(self.close)  # in the worker: here no fork follows
                self._writer = threading.Thread(target=self._write_all, name="store", daemon=True)
                self._writer.start()

    def _lose(self, count: int, why: str) -> None:
        with self._lock:
            self.lost += count
        self._report("calls not recorded", why, count)

    def _write_all(self) -> None:
        while True:
            first = self._take(PURGE_EVERY)
            if isinstance(first, CallRow):
                if self._queue.qsize() < BATCH:
                    time.sleep(LINGER)
                batch, is_last = self._collect(first)
                self._write(batch)
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
        try:
            with self.engine.begin() as connection:
                for table, rows in _rows(batch):
                    if rows:
                        connection.execute(sa.insert(table), rows)
        except SQLAlchemyError as wrong:
            self._lose(len(batch), _kind(wrong))

    def _clear_tokens(self) -> None:
        now = self._now()
        if now < self._cleared + PURGE_EVERY:
            return
        self._cleared = now
        with suppress(StoreDown):
            clear_tokens(self.engine, now)


def _query_overrides() -> sa.Select[Any]:
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


def _rows(batch: Iterable[CallRow]) -> tuple[tuple[sa.Table, list[dict[str, Any]]], ...]:
    call_rows, card_rows, suggestion_rows = [], [], []
    for call in batch:
        row = asdict(call)
        del row["cards"]
        call_rows.append(row)
        for card in call.cards:
            card_row = asdict(card)
            suggestion_rows += card_row.pop("suggestions")
            card_rows.append({**card_row, "request_id": call.request_id, "at": call.at, "client": call.client})
    return (calls, call_rows), (cards, card_rows), (suggestions, suggestion_rows)


# --- clearing out


def clear_tokens(engine: Engine, now: float) -> int:
    """Deletes tokens that no clock accepts any more (CH-214)."""
    try:
        with engine.begin() as connection:
            return connection.execute(sa.delete(seen_tokens).where(seen_tokens.c.expires < int(now))).rowcount
    except SQLAlchemyError as wrong:
        raise StoreDown(_kind(wrong)) from wrong


def purge(engine: Engine, before: datetime, now: datetime) -> dict[str, int]:
    """Deletes what is older than `before`, and expired tokens; returns how many rows of each table."""
    old_cards = sa.select(cards.c.uuid).where(cards.c.at < before)
    conditions = (
        (suggestions, suggestions.c.card.in_(old_cards)),
        (cards, cards.c.at < before),
        (calls, calls.c.at < before),
        (feedback, feedback.c.received < before),
        (seen_tokens, seen_tokens.c.expires < int(now.timestamp())),
    )
    try:
        with engine.begin() as connection:
            return {table.name: connection.execute(sa.delete(table).where(old)).rowcount for table, old in conditions}
    except SQLAlchemyError as wrong:
        raise StoreDown(_kind(wrong)) from wrong


# --- reading


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
    with _reading(engine) as connection:
        return [dict(row) for row in connection.execute(query).mappings()]
