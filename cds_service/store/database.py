"""Opens the database, SQLite or PostgreSQL, and brings its tables up to date."""

import os
from contextlib import suppress
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy.engine import URL, Connection, Engine, make_url
from sqlalchemy.exc import ArgumentError, SQLAlchemyError
from sqlalchemy.pool import ConnectionPoolEntry

from cds_service.errors import ConfigurationError
from cds_service.store.tables import StoreDown, kind_of

WAIT_SECONDS = 5  # for a lock, a connection, a statement
POOL = 16  # connections a worker holds at most; they are opened as they are needed
MIGRATIONS = Path(__file__).parent.parent / "migrations"


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


def reading(engine: Engine) -> Connection:
    """A connection that takes no lock of a writer."""
    return engine.connect().execution_options(reads=True)


def _file_of(engine: Engine) -> Path | None:
    name = engine.url.database
    return Path(name) if engine.dialect.name == "sqlite" and name and name != ":memory:" else None


def _alembic(connection: Connection | None = None) -> Config:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.attributes["connection"] = connection
    return config


def migrate(url: str) -> str:
    """Brings the tables up to date; returns the version. Run once, before workers start."""
    engine = open_database(url)
    try:
        _make_private(_file_of(engine))
        with engine.begin() as connection:
            if engine.dialect.name == "postgresql":  # two that start at once take turns
                connection.execute(sa.text("SELECT pg_advisory_xact_lock(20041231)"))
            command.upgrade(_alembic(connection), "head")
            return str(MigrationContext.configure(connection).get_current_revision())
    except SQLAlchemyError as wrong:
        raise ConfigurationError(f"CDS_DATABASE_URL: the tables cannot be made: {kind_of(wrong)}") from wrong
    finally:
        engine.dispose()


def _make_private(file: Path | None) -> None:
    """A new SQLite file is for its owner alone; the files that SQLite puts beside it take its mode."""
    if file is not None:
        with suppress(OSError):  # it is there already, or cannot be made: the database says that better
            os.close(os.open(file, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))


def is_migrated(engine: Engine) -> bool:
    """Whether the tables are those of this version. Never creates a file. Raises `StoreDown`."""
    file = _file_of(engine)
    if file is not None and not file.exists():
        return False
    try:
        with reading(engine) as connection:
            found = MigrationContext.configure(connection).get_current_revision()
        return found == ScriptDirectory.from_config(_alembic()).get_current_head()
    except SQLAlchemyError as wrong:
        raise StoreDown(kind_of(wrong)) from wrong
    finally:
        engine.dispose()  # a worker must not inherit a connection
