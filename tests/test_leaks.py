"""The watch over the whole suite can fail: what is planted in log, store, metrics or a file is found."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from cds_service import store
from cds_service.metrics import Metrics
from cds_service.operations import build_log
from cds_service.store import CallRow, FeedbackRow, Store, migrating
from cds_service.tally import CALL
from tests import leaks
from tests.leaks import MARK, caught, fixture_words
from tests.spec.protected import token

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
CANARY = f"planted-{MARK}"


PLANTED = {
    "canary": CANARY,
    "token": token(),
    "signature": token().rpartition(".")[2],
    "reference": "see Patient/p1",
    "id": "low-ferritin",
    "name": "Synthetic",
}


@pytest.mark.parametrize("kind", PLANTED)
def test_what_is_planted_in_the_log_is_found_below_its_level(kind: str) -> None:
    with caught() as found:
        build_log("error").debug("planted", reason=PLANTED[kind])
    assert found
    assert PLANTED[kind] not in str(found)


@pytest.mark.parametrize("value", ["no ferritin that is low-ferritin enough", "R-22", "iv-iron-rls", "Patient/{{x}}"])
def test_ordinary_words_are_not_taken_for_a_patient(value: str) -> None:
    with caught() as found:
        build_log("error").debug("planted", reason=value)
    assert found == []


def test_a_token_is_found_where_a_header_was_logged_as_a_whole() -> None:
    with caught() as found:
        build_log("error").debug("planted", reason=f"Authorization: Bearer {token()}")
    assert {one.partition(",")[0] for one in found} == {"log: a token"}


def opened(folder: Path) -> Store:
    url = f"sqlite:///{folder / 'planted.sqlite3'}"
    migrating.migrate(url)
    return Store(store.open_database(url), 10, lambda *_: None, lambda: 0.0)


def test_what_is_planted_in_the_store_is_found_when_it_is_written_and_afterwards(tmp_path: Path) -> None:
    with caught() as found:
        kept = opened(tmp_path)
        call = ("c", NOW, CANARY, None, "one", "order-select", "i", "cards", True, 1.5, "0.1", None)
        kept.record_call(CallRow(*call))
        kept.record_feedback(
            [FeedbackRow(b"d", NOW, "n", "one", "c", "overridden", NOW, "[]", None, None, CANARY.encode())]
        )
        kept.close()
        leaks.look_at_database(str(kept.engine.url))
        leaks.look_at_files(tmp_path)
        for file in tmp_path.iterdir():
            file.unlink()  # or the end of the run would find it again
    assert {one.partition(":")[0] for one in found} >= {
        "parameters",
        "table calls",
        "table feedback",
        "file planted.sqlite3",
    }


def test_what_is_planted_in_the_metrics_is_found() -> None:
    with caught() as found:
        Metrics([], None).note({"route": CALL, "client": CANARY}, 0.1, None)
    assert [one.partition(":")[0] for one in found] == ["metrics"]


def test_the_patients_of_the_fixtures_are_known() -> None:
    assert {"low-ferritin", "Synthetic"} <= fixture_words()
    assert len(fixture_words()) > 50
