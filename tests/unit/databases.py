"""Both databases for tests: a SQLite file, and a PostgreSQL server when CDS_TEST_POSTGRES names one."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

import pytest
import sqlalchemy as sa

from tests.leaks import look_at_database

KINDS = ("sqlite", "postgresql")


@contextmanager
def fresh_database(kind: str, folder: Path) -> Iterator[str]:
    """The URL of an empty database, dropped afterwards. `CDS_TEST_POSTGRES` is the URL of a server's own database."""
    if kind == "sqlite":
        yield f"sqlite:///{folder / 'fresh.sqlite3'}"
        return
    server = os.environ.get("CDS_TEST_POSTGRES")
    if not server:
        pytest.skip("CDS_TEST_POSTGRES names no PostgreSQL server")
    name = f"cds_test_{uuid4().hex[:12]}"
    url = sa.make_url(server).set(drivername="postgresql+psycopg")
    admin = sa.create_engine(url, isolation_level="AUTOCOMMIT")
    with admin.connect() as connection:
        connection.execute(sa.text(f"CREATE DATABASE {name}"))
    fresh = url.set(database=name).render_as_string(hide_password=False)
    try:
        yield fresh
        look_at_database(fresh)
    finally:
        with admin.connect() as connection:
            connection.execute(sa.text(f"DROP DATABASE {name} WITH (FORCE)"))
        admin.dispose()
