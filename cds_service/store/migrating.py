"""Brings the tables up to date; apart from the rest because only `cds-service migrate` needs it."""

import os
from contextlib import suppress
from pathlib import Path

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from sqlalchemy.engine import Connection
from sqlalchemy.exc import SQLAlchemyError

from cds_service.errors import ConfigurationError
from cds_service.store.database import file_of, open_database
from cds_service.store.tables import kind_of

MIGRATIONS = Path(__file__).parent.parent / "migrations"


def _alembic(connection: Connection) -> Config:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.attributes["connection"] = connection
    return config


def migrate(url: str) -> str:
    """Brings the tables up to date; returns the version. Run once, before workers start."""
    engine = open_database(url)
    try:
        _make_private(file_of(engine))
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
