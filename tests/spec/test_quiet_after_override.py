"""An overridden follow-up card stays away for its time, on both databases, and for nobody else (R-50c, R-50d)."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient

from cds_service.store import migrating
from tests.replies import ADDRESSES, REFERENCE, ask, open_service, read_request, topics, trace
from tests.spec.protected import SECRET
from tests.spec.rim import Json
from tests.unit.databases import KINDS, fresh_database

OFFER = "never-tested"  # offer of iron studies: an iron-candidate card
SERVICE = ADDRESSES["patient-view"]
NOON = datetime(REFERENCE.year, REFERENCE.month, REFERENCE.day, 12, tzinfo=UTC)
CODED = {"reason": {"system": "https://ehr.example/reasons", "code": "patient-refuses"}}


@pytest.fixture(params=KINDS)
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    with fresh_database(request.param, tmp_path) as url:
        migrating.migrate(url)
        yield url


class Ehr:
    """One EHR and one store, on any day: each visit opens the service anew and closes it, so that all rows are kept."""

    def __init__(self, url: str, **settings: Any) -> None:
        self.settings = {"database_url": url, "pseudonym_key": SECRET, **settings}

    def _open(self, day: int, **settings: Any) -> FlaskClient:
        return open_service(day, **{**self.settings, **settings})

    def ask(self, situation: str, day: int = 0, **settings: Any) -> Json:
        client = self._open(day, **settings)
        reply = ask(client, read_request(situation))
        client.application.extensions["cds_service.store"].close()
        return reply

    def topics(self, situation: str, day: int = 0, **settings: Any) -> list[str]:
        return topics(self.ask(situation, day, **settings))

    def tell(
        self,
        reply: Json,
        outcome: str,
        day: int = 0,
        at: datetime | None = None,
        service: str = SERVICE,
        **members: Any,
    ) -> None:
        item = {
            "card": reply["cards"][0]["uuid"],
            "outcome": outcome,
            "outcomeTimestamp": (at or NOON + timedelta(day)).isoformat(),
            **members,
        }
        client = self._open(day)
        assert client.post(f"{service}/feedback", json={"feedback": [item]}).status_code == 200
        client.application.extensions["cds_service.store"].close()

    def override(self, reply: Json, reason: Json | None = CODED, **when: Any) -> None:
        self.tell(reply, "overridden", **when, **({"overrideReason": reason} if reason else {}))


@pytest.fixture
def ehr(database: str) -> Ehr:
    return Ehr(database)


@pytest.mark.parametrize(("day", "shown"), [(0, False), (1, False), (29, False), (30, False), (31, True)], ids=str)
def test_r_50d_a_candidate_overridden_with_a_code_stays_away_30_days(ehr: Ehr, day: int, shown: bool) -> None:
    ehr.override(ehr.ask(OFFER))
    assert ehr.topics(OFFER, day) == (["iron-candidate"] if shown else [])


@pytest.mark.parametrize(
    "reason", [None, {"userComment": "synthetic comment, no patient"}], ids=["no reason", "comment alone"]
)
def test_r_50c_an_override_without_a_code_silences_nothing(ehr: Ehr, reason: Json | None) -> None:
    ehr.override(ehr.ask(OFFER), reason)
    assert ehr.topics(OFFER, 1) == ["iron-candidate"]


def test_r_50c_too_early_stays_away_for_the_rest_of_its_days(ehr: Ehr) -> None:
    first = ehr.ask("after-day-3")
    assert topics(first) == ["too-early-to-judge"]
    ehr.override(first)
    assert [ehr.topics("after-day-3", day) for day in range(1, 4)] == [[], [], []]  # days 4 to 6 of the course
    assert ehr.topics("after-day-3", 4) == ["follow-up-due"]  # the window of the next contact opens


def test_r_50c_a_due_contact_stays_away_and_the_trace_says_so(ehr: Ehr) -> None:
    first = ehr.ask("after-day-9")
    assert topics(first) == ["follow-up-due"]
    ehr.override(first)
    silent = ehr.ask("after-day-9", 1)
    assert topics(silent) == []
    assert "follow-up-due" in str(trace(silent))


def test_r_50c_the_latest_override_counts(ehr: Ehr) -> None:
    ehr.override(ehr.ask(OFFER))
    ehr.override(ehr.ask(OFFER, 31), day=31)
    assert (ehr.topics(OFFER, 61), ehr.topics(OFFER, 62)) == ([], ["iron-candidate"])


def test_r_50c_an_acceptance_of_the_same_card_takes_the_override_back(ehr: Ehr) -> None:
    reply = ehr.ask(OFFER)
    ehr.override(reply)
    accepted = [{"id": reply["cards"][0]["suggestions"][0]["uuid"]}]
    ehr.tell(reply, "accepted", at=NOON + timedelta(minutes=1), acceptedSuggestions=accepted)
    assert ehr.topics(OFFER, 1) == ["iron-candidate"]


def test_r_50c_an_override_dated_ahead_counts_from_its_arrival(ehr: Ehr) -> None:
    ehr.override(ehr.ask(OFFER), at=NOON + timedelta(400))
    assert (ehr.topics(OFFER, 30), ehr.topics(OFFER, 31)) == ([], ["iron-candidate"])


def test_r_50c_other_patients_and_other_cards_are_not_silenced(ehr: Ehr) -> None:
    ehr.override(ehr.ask(OFFER))
    assert ehr.topics("candidate", 1) == ["iron-candidate"]
    assert ehr.topics("after-day-9", 1) == ["follow-up-due"]


def test_r_50c_without_pseudonyms_nothing_is_silenced(ehr: Ehr) -> None:
    ehr.override(ehr.ask(OFFER))
    assert ehr.topics(OFFER, 1, pseudonym_key=None) == ["iron-candidate"]
    assert ehr.topics(OFFER, 1, keep_pseudonym=False) == ["iron-candidate"]


def test_r_50c_with_the_store_away_nothing_is_silenced(ehr: Ehr, database: str) -> None:
    ehr.override(ehr.ask(OFFER))
    if database.startswith("sqlite"):
        away = f"{database}-moved/away.sqlite3"
    else:
        away = "postgresql+psycopg://nobody@127.0.0.1:1/nothing"
    assert ehr.topics(OFFER, 1, database_url=away) == ["iron-candidate"]


def test_r_50c_recommendations_on_orders_are_never_silenced(ehr: Ehr) -> None:
    first = ehr.ask("hemochromatosis")
    ehr.override(first, service=ADDRESSES["order-select"])
    assert ehr.topics("hemochromatosis", 1) == topics(first) == ["contraindicated"]
