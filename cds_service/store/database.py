"""Opens the database, SQLite or PostgreSQL."""

from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import URL, Connection, Engine, make_url
from sqlalchemy.exc import ArgumentError, SQLAlchemyError
from sqlalchemy.pool import ConnectionPoolEntry

from cds_service.errors import ConfigurationError
from cds_service.store.tables import StoreDown, kind_of

WAIT_SECONDS = 5  # for a lock, a connection, a statement
POOL = 16  # connections a worker holds at most; they are opened as they are needed
REVISION = "0001"  # of the tables: the newest migration; looked up there, every start would import alembic
_FIND_REVISION = sa.text("SELECT version_num FROM alembic_version")


def open_database(url: str) -> Engine:
    """An engine without a connection yet, so that it may be made before workers are forked."""
    try:
        parsed = make_url(url)
    except ArgumentError:
        raise ConfigurationError(_WHICH) from None
    match parsed.get_backend_name():
        case "sqlite":
            return _open_sqlite(parsed.set(drivername="sqlite"))
        case "postgresql":
            return _open_postgresql(parsed)
        case _:
            raise ConfigurationError(_WHICH)


_WHICH = "CDS_DATABASE_URL: must be an SQLAlchemy URL, sqlite:///file or postgresql://user@host/name"


def _open_postgresql(url: URL) -> Engine:
    try:
        return sa.create_engine(
            url.set(drivername="postgresql+psycopg"),
            pool_pre_ping=True,
            pool_size=POOL,
            max_overflow=0,
            pool_timeout=WAIT_SECONDS,
            connect_args={"connect_timeout": WAIT_SECONDS, "options": f"-c statement_timeout={WAIT_SECONDS}s"},
            hide_parameters=True,
        )
    except ImportError:
        raise ConfigurationError(
            "CDS_DATABASE_URL: for PostgreSQL the extra `postgres` is missing: pip install 'iv-iron-rls-cds[postgres]'"
        ) from None


def _open_sqlite(url: URL) -> Engine:
    is_file = url.database not in (None, "", ":memory:")
    pool: dict[str, Any] = {"pool_size": POOL, "max_overflow": 0, "pool_timeout": WAIT_SECONDS} if is_file else {}
    engine = sa.create_engine(url, connect_args={"timeout": WAIT_SECONDS}, hide_parameters=True, **pool)

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


def insert_of(engine: Engine) -> Callable[[sa.Table], Any]:
    """The `insert` of its dialect, which knows ON CONFLICT. Only that dialect is imported."""
    dialect = import_module(f"sqlalchemy.dialects.{engine.dialect.name}")
    insert: Callable[[sa.Table], Any] = dialect.insert
    return insert


def reading(engine: Engine) -> Connection:
    """A connection that takes no lock of a writer."""
    return engine.connect().execution_options(reads=True)


def file_of(engine: Engine) -> Path | None:
    name = engine.url.database
    return Path(name) if engine.dialect.name == "sqlite" and name and name != ":memory:" else None


def is_migrated(engine: Engine) -> bool:
    """Whether the tables are those of this version. Never creates a file. Raises `StoreDown`."""
    file = file_of(engine)
    if file is not None and not file.exists():
        return False
    try:
        with reading(engine) as connection:
            if not sa.inspect(connection).has_table("alembic_version"):
                return False
            return connection.execute(_FIND_REVISION).scalar() == REVISION
    except SQLAlchemyError as wrong:
        raise StoreDown(kind_of(wrong)) from wrong
    finally:
        engine.dispose()  # a worker must not inherit a connection
