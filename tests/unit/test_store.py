"""The store over both databases: used tokens, feedback, recorded calls, faults, clearing out, migrations."""

import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from click.testing import CliRunner

from cds_service import cli, store
from cds_service.errors import ConfigurationError
from cds_service.store import (
    CallRow,
    CardRow,
    FeedbackRow,
    Store,
    StoreDown,
    SuggestionRow,
    migrating,
    recorder,
    worker,
)
from cds_service.store.clearing import MARGIN
from cds_service.store.recorder import Recorder
from tests.spec.protected import clear_environment
from tests.unit.databases import KINDS, fresh_database

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
CARD = CardRow("card-1", "may-benefit", "fcm", "may-benefit", "R-24", (SuggestionRow("suggestion-1", "card-1", 0, 2),))
CALL = CallRow("call-1", NOW, "north", None, "one", "order-select", "i", "cards", True, 1.5, "0.1", "p" * 32, (CARD,))
FEEDBACK = FeedbackRow(b"d" * 32, NOW, "north", "one", "card-1", "accepted", NOW, '["suggestion-1"]', None, None, None)

Open = Callable[..., Store]


@pytest.fixture(params=KINDS)
def url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    with fresh_database(request.param, tmp_path) as fresh:
        yield fresh


@pytest.fixture
def reports() -> list[tuple[str, str, int]]:
    return []


@pytest.fixture
def open_store(url: str, reports: list[tuple[str, str, int]]) -> Iterator[Open]:
    migrating.migrate(url)
    opened: list[Store] = []

    def open_one(queue_size: int = 100) -> Store:
        opened.append(Store(store.open_database(url), queue_size, lambda *report: reports.append(report), lambda: 0.0))
        return opened[-1]

    yield open_one
    for one in opened:
        one.close()


def rows(kept: Store, table: sa.Table) -> list[dict[str, Any]]:
    with kept.engine.connect() as connection:
        return [dict(row) for row in connection.execute(sa.select(table)).mappings()]


def test_migrating_twice_is_migrating_once(url: str) -> None:
    assert migrating.migrate(url) == migrating.migrate(url)
    engine = store.open_database(url)
    assert store.is_migrated(engine)


def test_migrations_make_the_tables_that_the_code_uses(url: str) -> None:
    migrating.migrate(url)
    engine = store.open_database(url)
    with engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), store.metadata) == []
    engine.dispose()


def test_a_database_without_tables_is_told_apart(url: str, tmp_path: Path) -> None:
    engine = store.open_database(url)
    assert not store.is_migrated(engine)
    assert list(tmp_path.iterdir()) == []  # looking creates no file


def test_a_new_sqlite_file_is_for_its_owner_alone(tmp_path: Path) -> None:
    migrating.migrate(f"sqlite:///{tmp_path / 'new.sqlite3'}")
    kept = Store(store.open_database(f"sqlite:///{tmp_path / 'new.sqlite3'}"), 10, lambda *_: None, lambda: 0.0)
    kept.claim_token("iss", "jti", 5)
    modes = {file.name: file.stat().st_mode & 0o077 for file in tmp_path.iterdir()}
    kept.close()
    assert modes == {"new.sqlite3": 0, "new.sqlite3-wal": 0, "new.sqlite3-shm": 0}


def test_a_token_is_new_once(open_store: Open) -> None:
    kept = open_store()
    assert [kept.claim_token("iss", "jti", 5) for _ in range(3)] == [True, False, False]
    assert kept.claim_token("iss2", "jti", 5)
    assert kept.claim_token("iss", "jti2", 5)


def test_a_token_is_new_once_for_many_at_once(open_store: Open) -> None:
    """Two stores: as in two workers."""
    stores = [open_store(), open_store()]
    with ThreadPoolExecutor(16) as pool:
        claimed = list(pool.map(lambda number: stores[number % 2].claim_token("iss", "same", 5), range(50)))
    assert claimed.count(True) == 1


def test_used_tokens_outlive_the_process(open_store: Open) -> None:
    first = open_store()
    first.claim_token("iss", "jti", 5)
    first.close()
    assert not open_store().claim_token("iss", "jti", 5)


def test_used_tokens_are_forgotten_once_expired(open_store: Open) -> None:
    """CH-214."""
    kept = open_store()
    moment = int(NOW.timestamp())
    ended = moment - MARGIN  # another host's clock, or this one set back, may still take what ended a moment ago
    for jti, expires in (("before", ended - 1), ("at", ended), ("just ended", moment - 1), ("good", moment + 1)):
        kept.claim_token("iss", jti, expires)
    assert store.clear_tokens(kept.engine, NOW.timestamp()) == 1
    assert len(rows(kept, store.seen_tokens)) == 3


def test_feedback_is_kept_once(open_store: Open) -> None:
    kept = open_store()
    assert kept.record_feedback([FEEDBACK, FEEDBACK]) == 1
    assert kept.record_feedback([FEEDBACK, replace(FEEDBACK, digest=b"e" * 32)]) == 1
    assert len(rows(kept, store.feedback)) == 2
    assert kept.record_feedback([]) == 0


def test_calls_are_written_behind_and_flushed_on_stop(open_store: Open) -> None:
    kept = open_store()
    for number in range(30):
        kept.record_call(replace(CALL, request_id=f"call-{number}", cards=(CARD,) if number == 0 else ()))
    kept.close()
    again = open_store()
    assert len(rows(again, store.calls)) == 30
    (card,) = rows(again, store.cards)
    assert (card["uuid"], card["request_id"], card["client"], card["rules"]) == ("card-1", "call-0", "north", "R-24")
    assert rows(again, store.suggestions) == [{"uuid": "suggestion-1", "card": "card-1", "place": 0, "actions": 2}]
    assert rows(again, store.calls)[0]["at"] == NOW


def test_a_full_queue_costs_rows_and_no_time(
    open_store: Open, monkeypatch: pytest.MonkeyPatch, reports: list[tuple[str, str, int]]
) -> None:
    kept, gate = open_store(queue_size=3), threading.Event()
    monkeypatch.setattr(kept.recorder, "_write", lambda _: gate.wait(10))
    monkeypatch.setattr(recorder, "LINGER", 0.0)
    for number in range(50):
        kept.record_call(replace(CALL, request_id=f"call-{number}", cards=()))
    gate.set()
    kept.close()
    assert kept.recorder.lost == sum(count for *_, count in reports) > 0
    assert len(reports) <= 3  # and not a line for each
    assert {kind for _, kind, _ in reports} == {"the queue is full"}


BROKEN = replace(CALL, request_id="broken", outcome=None, cards=())  # type: ignore[arg-type]  # no database takes it


def record(kept: Store, *given: CallRow) -> None:
    for row in given:
        kept.record_call(row)
    kept.close()


@pytest.mark.parametrize("place", [0, 13, 29])
def test_one_bad_row_costs_itself_and_not_its_neighbours(
    open_store: Open, reports: list[tuple[str, str, int]], place: int
) -> None:
    kept = open_store()
    good = [replace(CALL, request_id=f"call-{number}", cards=()) for number in range(29)]
    record(kept, *good[:place], BROKEN, *good[place:])
    assert len(rows(open_store(), store.calls)) == 29
    assert kept.recorder.lost == 1
    ((what, kind, count),) = reports
    assert (what, count) == ("calls not recorded", 1)
    assert "IntegrityError" in kind
    assert "broken" not in str(reports)


def test_text_that_no_database_can_hold_costs_its_row_and_not_the_writer(open_store: Open) -> None:
    kept = open_store()
    record(kept, replace(CALL, tenant="\ud800", cards=()), replace(CALL, request_id="call-2", cards=()))
    assert [row["request_id"] for row in rows(open_store(), store.calls)] == ["call-2"]
    assert kept.recorder.lost == 1


def test_a_card_made_twice_is_kept_once_and_breaks_no_batch(
    open_store: Open, reports: list[tuple[str, str, int]]
) -> None:
    kept = open_store()
    record(kept, *(replace(CALL, request_id=f"call-{number}") for number in range(24)))
    again = open_store()
    assert len(rows(again, store.calls)) == 24
    assert [row["request_id"] for row in rows(again, store.cards)] == ["call-0"]
    assert len(rows(again, store.suggestions)) == 1
    assert reports == []


def test_readiness_asks_the_database_once_a_second(open_store: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    kept, asked = open_store(), []
    monkeypatch.setattr(kept, "_look", lambda: asked.append(1) is None)
    assert {kept.is_up() for _ in range(100)} == {True}
    assert len(asked) == 1
    monkeypatch.setattr(kept, "_looked", kept._looked - worker.FRESH)
    monkeypatch.setattr(kept, "_look", lambda: False)
    assert not kept.is_up()


def away(*_: object) -> None:
    raise sa.exc.OperationalError("insert", {}, OSError())


def test_a_batch_is_tried_once_more_when_the_database_was_away(
    open_store: Open, monkeypatch: pytest.MonkeyPatch, reports: list[tuple[str, str, int]]
) -> None:
    kept, insert, failing = open_store(), Recorder._insert, iter([away])

    def fail_once(*given: Any) -> None:
        next(failing, insert)(*given)

    monkeypatch.setattr(Recorder, "_insert", fail_once)
    record(kept, CALL)
    assert len(rows(open_store(), store.calls)) == 1
    assert reports == []


def test_a_batch_is_lost_and_counted_when_the_database_stays_away(
    open_store: Open, monkeypatch: pytest.MonkeyPatch, reports: list[tuple[str, str, int]]
) -> None:
    kept = open_store()
    monkeypatch.setattr(Recorder, "_insert", away)
    record(kept, CALL, replace(CALL, request_id="call-2"))
    assert reports == [("calls not recorded", "OperationalError (OSError)", 2)]


def test_what_cannot_be_written_before_the_stop_is_counted(
    open_store: Open, monkeypatch: pytest.MonkeyPatch, reports: list[tuple[str, str, int]]
) -> None:
    kept, gate = open_store(), threading.Event()
    monkeypatch.setattr(recorder, "FLUSH_SECONDS", 0.05)
    monkeypatch.setattr(recorder, "LINGER", 0.0)
    monkeypatch.setattr(recorder, "BATCH", 1)
    monkeypatch.setattr(kept.recorder, "_write", lambda _: gate.wait(10))
    record(kept, *(replace(CALL, request_id=f"call-{number}") for number in range(3)))
    gate.set()
    assert [why for _, why, _ in reports] == ["the service stopped"]


def test_without_the_driver_the_missing_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(ConfigurationError, match=r"iv-iron-rls-cds\[postgres\]"):
        store.open_database("postgresql://user@host/name")


def test_feedback_joins_its_card_when_read(open_store: Open) -> None:
    kept = open_store()
    later = replace(FEEDBACK, digest=b"f" * 32, outcome="overridden", at=NOW + timedelta(hours=1))
    kept.record_feedback([later, FEEDBACK])
    kept.record_call(CALL)
    kept.close()
    found = store.read_feedback(open_store().engine, "card-1")
    assert [(one["outcome"], bool(one["is_latest"])) for one in found] == [("accepted", False), ("overridden", True)]
    assert {one["rules"] for one in found} == {"R-24"}
    assert found[0]["at"] == NOW


def test_purge_deletes_what_is_older(open_store: Open) -> None:
    kept = open_store()
    for name, at in (("old", NOW - timedelta(seconds=1)), ("new", NOW)):
        suggestion = SuggestionRow(f"s-{name}", f"c-{name}", 0, 1)
        card = replace(CARD, uuid=f"c-{name}", suggestions=(suggestion,))
        kept.record_call(replace(CALL, request_id=name, at=at, cards=(card,)))
        kept.record_feedback([replace(FEEDBACK, digest=name.encode().ljust(32), received=at)])
    kept.claim_token("iss", "jti", 5)
    kept.close()
    engine = open_store().engine
    deleted = store.purge(engine, NOW, NOW)
    assert deleted == {"suggestions": 1, "cards": 1, "calls": 1, "feedback": 1, "seen_tokens": 1}
    with engine.connect() as connection:
        assert connection.execute(sa.select(store.suggestions.c.uuid)).scalars().all() == ["s-new"]


def test_a_database_that_is_gone_is_said_so(open_store: Open) -> None:
    kept = open_store()
    with kept.engine.begin() as connection:
        for table in (store.seen_tokens, store.feedback):
            connection.execute(sa.text(f"DROP TABLE {table.name}"))
    assert not kept.is_up()
    with pytest.raises(StoreDown) as down:
        kept.claim_token("secret-issuer", "jti", 5)
    assert "secret-issuer" not in str(down.value)
    with pytest.raises(StoreDown):
        kept.record_feedback([FEEDBACK])


@pytest.mark.parametrize("url", ["nonsense", "mysql://a/b", "oracle://x"])
def test_other_databases_are_refused(url: str) -> None:
    with pytest.raises(ConfigurationError, match="CDS_DATABASE_URL"):
        store.open_database(url)


def test_the_commands_make_the_tables_and_clear_them(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    clear_environment(monkeypatch)
    monkeypatch.setenv("CDS_DATABASE_URL", f"sqlite:///{tmp_path / 'made.sqlite3'}")
    before = CliRunner().invoke(cli.main, ["purge"])
    assert before.exit_code == 1
    assert "CDS_DATABASE_URL" in before.output
    assert "version" in CliRunner().invoke(cli.main, ["migrate"]).output
    assert "Deleted: 0 suggestions" in CliRunner().invoke(cli.main, ["purge"]).output
