"""The database away, on both kinds, and back: nothing is let through unchecked, demo cards go out, operators see it."""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from flask import Flask
from werkzeug.test import TestResponse

from cds_service.app import create_app
from cds_service.settings import load_settings
from cds_service.store import migrating
from tests.replies import ADDRESSES, ask, topics
from tests.spec.protected import bearer, claims, open_protected, token
from tests.spec.rim import CALL, order_select, post, problems, reply
from tests.unit.databases import KINDS, fresh_database

STORE = "cds_service.store"
ITEM = {"card": "c", "outcome": "overridden", "outcomeTimestamp": "2026-11-24T09:30:00Z"}


class Database:
    """One that can be taken away and brought back."""

    def __init__(self, url: str) -> None:
        self.url = url
        migrating.migrate(url)

    def leave(self, app: Flask) -> None:
        if self.url.startswith("sqlite"):
            file = Path(str(sa.make_url(self.url).database))
            app.extensions[STORE].engine.dispose()
            file.parent.rename(file.parent.with_name("away"))
        else:
            self._manage("ALTER DATABASE {0} ALLOW_CONNECTIONS false")
            self._manage("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{0}'")

    def come_back(self) -> None:
        if self.url.startswith("sqlite"):
            file = Path(str(sa.make_url(self.url).database))
            file.parent.with_name("away").rename(file.parent)
        else:
            self._manage("ALTER DATABASE {0} ALLOW_CONNECTIONS true")

    def _manage(self, statement: str) -> None:
        server = sa.make_url(os.environ["CDS_TEST_POSTGRES"]).set(drivername="postgresql+psycopg")
        admin = sa.create_engine(server, isolation_level="AUTOCOMMIT")
        with admin.connect() as connection:
            connection.exec_driver_sql(statement.format(sa.make_url(self.url).database))
        admin.dispose()


@pytest.fixture(params=KINDS)
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    (tmp_path / "database").mkdir()
    with fresh_database(request.param, tmp_path / "database") as url:
        yield Database(url)


@pytest.fixture
def app(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, database: Database) -> Flask:
    return open_protected(monkeypatch, tmp_path, lambda *_: reply(), database_url=database.url)


def call(app: Flask, path: str = CALL, body: Any = None) -> TestResponse:
    return post(app.test_client(), body or order_select(), path, headers=bearer(token(body=claims(path))))


def look_again(app: Flask) -> Any:
    """Readiness as it is now and not as it was a moment ago."""
    app.extensions[STORE]._looked = float("-inf")
    return app.test_client().get("/readyz")


@pytest.mark.parametrize(
    ("path", "body"), [(CALL, None), (f"{CALL}/feedback", {"feedback": [ITEM]})], ids=["service", "feedback"]
)
def test_ch_213_a_token_that_cannot_be_checked_is_never_let_through(
    app: Flask, database: Database, path: str, body: Any
) -> None:
    assert call(app, path, body).status_code == 200
    database.leave(app)
    response = call(app, path, body)
    assert response.status_code == 503
    assert response.headers["Retry-After"]
    assert "new token" in problems(response)[0]
    assert look_again(app).status_code == 503
    database.come_back()
    assert call(app, path, body).status_code == 200  # without a restart
    assert look_again(app).status_code == 200


def test_refusals_stay_refusals_with_the_store_away(app: Flask, database: Database) -> None:
    database.leave(app)
    assert post(app.test_client(), order_select()).status_code == 401
    assert post(app.test_client(), order_select(), headers=bearer(token(name="theirs"))).status_code == 401
    database.come_back()


def test_operators_see_it(app: Flask, database: Database) -> None:
    database.leave(app)
    assert json.loads(look_again(app).data)["store"] == "away"
    lines = app.test_client().get("/metrics").text.splitlines()
    assert {"cds_ready 0.0", "cds_store_up 0.0"} <= set(lines)
    database.come_back()


def test_demo_cards_go_out_and_feedback_is_asked_for_again(database: Database) -> None:
    app = create_app(load_settings(database_url=database.url, timezone="UTC", log_level="error"))
    client = app.test_client()
    request = client.get("/demo/requests/low-ferritin").get_json()
    database.leave(app)
    assert topics(ask(client, request)) == ["indicated-strong", "reassessment"]
    assert client.post(f"{ADDRESSES['order-select']}/feedback", json={"feedback": [ITEM]}).status_code == 503
    assert look_again(app).status_code == 200
    assert json.loads(look_again(app).data)["store"] == "away"
    app.extensions[STORE].close()
    assert app.extensions[STORE].recorder.lost == 1
    assert "cds_records_lost_total 1.0" in client.get("/metrics").text.splitlines()
    database.come_back()
    assert client.post(f"{ADDRESSES['order-select']}/feedback", json={"feedback": [ITEM]}).status_code == 200
