"""patient-view on the wire: who is answered, what is looked at, which cards, the days of a site (CH-060...CH-062)."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from flask.testing import FlaskClient

from cds_service import assembly, services
from cds_service.app import create_app
from cds_service.card_parts import TOPIC_DISPLAY
from cds_service.clinical.follow_up.view import Topic
from cds_service.contracts import find_mistakes
from cds_service.hooks import parse_request
from cds_service.settings import load_settings
from tests.fhir import ehr as fhir
from tests.replies import REFERENCE, SITUATIONS, ask, mask, open_service, read_request, topics, trace
from tests.spec.rim import Json, problems, strictly
from tests.spec.valid_fhir import find_faults

ADDRESS = "/cds-services/iv-iron-rls-follow-up"
OPENED = [name for name, one in SITUATIONS.items() if one["hook"] == "patient-view"]
LOOKED_AT_FIRST = {"patient", "conditions"}


@pytest.fixture(scope="module")
def client() -> FlaskClient:
    return open_service()


def opened(name: str = "after-day-9", **context: Any) -> Json:
    """The request of a situation; `...` removes a member of its context."""
    request = read_request(name)
    members = {**request["context"], **context}
    return {**request, "context": {key: value for key, value in members.items() if value is not ...}}


# ------------------------------------------------------------------------------------------------------ who is asking


@pytest.mark.parametrize(
    ("user", "answered"),
    [
        ("Practitioner/1", True),
        ("PractitionerRole/1", True),
        ("Patient/after-day-9", False),
        ("RelatedPerson/1", False),
    ],
)
def test_ch_060_r_50c_professionals_get_cards_and_patients_none(client: FlaskClient, user: str, answered: bool) -> None:
    reply = ask(client, opened(userId=user))
    assert topics(reply) == (["follow-up-due"] if answered else [])
    assert answered or reply == {"cards": []}


def test_ch_061_no_card_depends_on_an_earlier_call() -> None:
    first, second = (open_service(), open_service())
    for name in OPENED:
        ask(second, opened(name))
    for name in OPENED:
        assert mask(ask(first, opened(name))) == mask(ask(second, opened(name)))


def test_ch_062_the_encounter_may_be_missing(client: FlaskClient) -> None:
    assert mask(ask(client, opened(encounterId=...))) == mask(ask(client, opened()))


def test_ch_019_ch_030_the_service_is_on_offer(client: FlaskClient) -> None:
    offered = strictly(client.get("/cds-services"))["services"]
    assert ("iv-iron-rls-follow-up", "patient-view") in {(one["id"], one["hook"]) for one in offered}


def test_every_topic_of_a_follow_up_card_is_published(client: FlaskClient) -> None:
    assert {str(topic) for topic in Topic} <= set(TOPIC_DISPLAY)
    seen = {code for name in OPENED for code in topics(ask(client, opened(name)))}
    assert seen == {str(topic) for topic in Topic}


@pytest.mark.parametrize("name", OPENED)
def test_a_reply_is_valid_and_has_at_most_two_cards(client: FlaskClient, name: str) -> None:
    reply = ask(client, opened(name))
    assert find_mistakes("response:strict", reply) == ()
    assert len(reply["cards"]) <= 2
    assert all(len(card["summary"]) < 140 and card["overrideReasons"] for card in reply["cards"])
    assert all("the clinician decides" in card["detail"] and "Knowledge " in card["detail"] for card in reply["cards"])


def test_r_50c_r_55_cards_are_information_and_promise_nothing(client: FlaskClient) -> None:
    for name in OPENED:
        for card in ask(client, opened(name))["cards"]:
            assert card["indicator"] == "info"
            assert " must " not in card["detail"]


def test_the_trace_tells_course_contacts_and_conclusion(client: FlaskClient) -> None:
    found = trace(ask(client, opened("after-week-3")))["followUp"]
    assert found["course"]["days"] == 21
    states = {one["contact"]: one["state"] for one in found["course"]["contacts"]}
    assert states == {"day-8": "done", "week-3": "due today", "week-8-labs": "not due", "month-6": "not due"}
    assert found["cards"] == ["follow-up-due"]


# ------------------------------------------------------------------------------------------- scope first (design 2)


def looked_at(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Keys that are settled, as they come."""
    keys: list[str] = []
    settle = services.settle

    def watch(prefetch: Any, key: str) -> Any:
        keys.append(key)
        return settle(prefetch, key)

    monkeypatch.setattr(services, "settle", watch)
    return keys


def test_r_50c_without_rls_no_other_key_is_touched(client: FlaskClient, monkeypatch: pytest.MonkeyPatch) -> None:
    keys = looked_at(monkeypatch)
    assert ask(client, opened("opened-without-rls")) == {"cards": []}
    assert set(keys) == LOOKED_AT_FIRST


def test_r_50c_with_rls_every_key_is_looked_at_once(client: FlaskClient, monkeypatch: pytest.MonkeyPatch) -> None:
    keys = looked_at(monkeypatch)
    ask(client, opened())
    assert len(keys) == len(set(keys)) > len(LOOKED_AT_FIRST)


def test_r_50c_without_rls_the_answer_is_empty_whatever_else_is_missing(client: FlaskClient) -> None:
    request = opened("opened-without-rls")
    request["prefetch"] = {key: request["prefetch"][key] for key in LOOKED_AT_FIRST}
    assert ask(client, request) == {"cards": []}


@pytest.mark.parametrize("key", ["patient", "conditions", "ferritin", "tsat"])
def test_ch_091_with_rls_a_required_key_that_is_missing_is_412(client: FlaskClient, key: str) -> None:
    request = opened()
    del request["prefetch"][key]
    answer = client.post(ADDRESS, json=request)
    assert answer.status_code == 412
    assert key in problems(answer)[0]


@pytest.mark.parametrize("key", ["patient", "conditions"])
def test_ch_091_without_patient_or_conditions_scope_cannot_be_told(client: FlaskClient, key: str) -> None:
    request = opened("opened-without-rls")
    del request["prefetch"][key]
    assert client.post(ADDRESS, json=request).status_code == 412


def test_3_1_what_could_not_be_checked_is_named(client: FlaskClient) -> None:
    request = opened()
    del request["prefetch"]["phosphate"]
    assert "Could not be checked: phosphate" in ask(client, request)["cards"][0]["detail"]


@pytest.mark.parametrize(
    ("name", "user", "asked"),
    [
        pytest.param("opened-without-rls", "Practitioner/1", LOOKED_AT_FIRST, id="R-50c no RLS"),
        pytest.param("after-day-9", "Patient/after-day-9", set(), id="R-50c the user is the patient"),
        pytest.param("after-day-9", "Practitioner/1", set(fhir.TEMPLATES), id="R-50c RLS"),
    ],
)
def test_r_50c_a_chart_without_rls_costs_two_fhir_calls(name: str, user: str, asked: set[str]) -> None:
    with fhir.open_ehr() as ehr:
        call = fhir.make_call(ehr, name)
        call["context"]["userId"] = user
        answer = fhir.open_service(ehr).post(ADDRESS, json=call)
        assert answer.status_code == 200, answer.text
        assert set(ehr.keys()) == asked
        assert len(ehr.keys()) == len(asked)


def test_ch_094_from_the_server_the_cards_are_those_of_the_prefetch() -> None:
    with fhir.open_ehr() as ehr:
        service = fhir.open_service(ehr)
        fetched = ask(service, fhir.make_call(ehr, "after-week-9"))
        sent = ask(service, fhir.make_call(ehr, "after-week-9", prefetch=ehr.prefetch("after-week-9")))
        assert fhir.masked(fetched) == fhir.masked(sent)


# ---------------------------------------------------------------------------------------------- nothing twice (CH-246)


def request_for(code: str, status: str, patient: str) -> Json:
    """A laboratory request of the chart, not one of ours."""
    coding = [{"system": "http://loinc.org", "code": code}]
    subject = {"reference": f"Patient/{patient}"}
    return {
        "resourceType": "ServiceRequest",
        "id": "lab",
        "status": status,
        "code": {"coding": coding},
        "subject": subject,
    }


@pytest.mark.parametrize(
    ("status", "offered"), [("active", False), ("draft", False), ("completed", True), ("revoked", True)]
)
def test_r_50d_iron_studies_already_ordered_are_not_offered(client: FlaskClient, status: str, offered: bool) -> None:
    request = opened("never-tested")
    entry = [{"resource": request_for("2276-4", status, "never-tested")}]
    request["prefetch"]["follow_up"] = {"resourceType": "Bundle", "type": "searchset", "entry": entry}
    assert bool(ask(client, request)["cards"]) == offered


@pytest.mark.parametrize("is_there", [False, True])
def test_r_50c_a_total_to_be_filled_in_is_offered_once(is_there: bool) -> None:
    request = opened("after-day-9")
    if is_there:
        course = request["prefetch"]["follow_up"]["entry"][0]["resource"]["identifier"][0]
        value = f"{course['value'].partition('.')[0]}.day-8.irls-total"
        waiting = {"resourceType": "Observation", "id": "total", "status": "registered"}
        named = {**waiting, "identifier": [{"system": course["system"], "value": value}]}
        request["prefetch"]["rls_severity"]["entry"].append({"resource": named})
    engine = assembly.build_engine(load_settings(timezone="UTC"))
    service = next(one for one in engine.services if one.hook == "patient-view")
    takes = replace(engine.demo_client, profile=replace(engine.demo_client.profile, severity_observation=True))
    (card,) = services.answer(engine, service, parse_request(json.dumps(request).encode()), takes, REFERENCE).cards
    made = [action["resource"] for one in card.get("suggestions", ()) for action in one["actions"]]
    assert [one["resourceType"] for one in made] == ([] if is_there else ["Observation"])
    assert [fault for one in made for fault in find_faults(one)] == []
    assert all("valueQuantity" not in one and one["status"] == "registered" for one in made)


# ----------------------------------------------------------------------------------------- overrides (R-50c, R-50d)


def test_r_50c_what_stays_away_after_an_override_is_in_the_trace_and_in_the_reply() -> None:
    engine = assembly.build_engine(load_settings(timezone="UTC"))
    service = next(one for one in engine.services if one.hook == "patient-view")
    request = parse_request(json.dumps(opened()).encode())
    quiet = {"follow-up-due": REFERENCE - timedelta(days=3)}
    reply = services.answer(engine, service, request, engine.demo_client, REFERENCE, find_overrides=lambda: quiet)
    assert (list(reply.cards), reply.outcome, reply.suppressed) == ([], "nothing-to-say", ("follow-up-due",))
    assert reply.extension is not None
    (traced,) = reply.extension.values()
    assert traced["followUp"]["suppressed"] == ["follow-up-due"]
    shown = services.answer(engine, service, request, engine.demo_client, REFERENCE)
    assert (len(shown.cards), shown.suppressed) == (1, ())


# -------------------------------------------------------------------------- the days of the site (R-08a, R-43, R-48)


@pytest.mark.parametrize(
    ("zone", "infused", "opened_at", "day"),
    [
        pytest.param("UTC", "2026-03-01T10:00:00Z", "2026-03-10T12:00", 9, id="R-43 plain"),
        pytest.param("America/New_York", "2026-03-01T10:00:00-05:00", "2026-03-09T03:59", 7, id="R-43 before midnight"),
        pytest.param(
            "America/New_York", "2026-03-01T10:00:00-05:00", "2026-03-09T04:00", 8, id="R-43 clock change, US"
        ),
        pytest.param(
            "America/New_York", "2026-03-02T02:00:00Z", "2026-03-10T16:00", 9, id="R-08a Z is moved to the site"
        ),
        pytest.param("Asia/Tokyo", "2026-03-01T20:00:00Z", "2026-03-10T14:59", 8, id="R-08a east of Greenwich"),
        pytest.param("Asia/Tokyo", "2026-03-01T20:00:00Z", "2026-03-10T15:00", 9, id="R-08a next day in Tokyo"),
        pytest.param("UTC", "2026-03-01T23:30:00-05:00", "2026-03-10T12:00", 9, id="R-08a offset: date as written"),
        pytest.param("Europe/Berlin", "2026-03-21", "2026-03-29T00:30", 8, id="R-43 night of the clock change, Europe"),
        pytest.param("Europe/Berlin", "2026-03-21", "2026-03-29T21:59", 8, id="R-43 end of the 23-hour day"),
        pytest.param("Europe/Berlin", "2026-03-21", "2026-03-29T22:00", 9, id="R-43 after the 23-hour day"),
        pytest.param("Europe/Berlin", "2026-10-17", "2026-10-25T22:59", 8, id="R-43 end of the 25-hour day"),
        pytest.param("Pacific/Apia", "2026-03-01", "2026-03-09T11:00", 9, id="R-43 13 hours ahead"),
        pytest.param("UTC", "2028-02-21", "2028-02-29T12:00", 8, id="R-43 leap day"),
        pytest.param("UTC", "2028-02-21", "2028-03-01T12:00", 9, id="R-43 after the leap day"),
        pytest.param("UTC", "2027-12-24", "2028-01-01T00:00", 8, id="R-43 across the year"),
    ],
)
def test_r_43_r_08a_days_are_counted_on_the_calendar_of_the_site(
    zone: str, infused: str, opened_at: str, day: int
) -> None:
    moment = datetime.fromisoformat(opened_at).replace(tzinfo=UTC)
    settings = load_settings(timezone=zone, database_url="sqlite://", log_level="error")
    service = create_app(settings, clock=lambda: moment).test_client()
    request = opened("after-day-9")
    for entry in request["prefetch"]["iron_administrations"]["entry"]:
        entry["resource"]["effectiveDateTime"] = infused
    del request["prefetch"]["follow_up"]
    card = ask(service, request)["cards"][0]
    assert card["detail"].startswith(f"Day {day} after IV iron")


def test_the_clock_of_the_tests_reaches_the_service() -> None:
    assert topics(ask(open_service(days=3), opened("after-day-9"))) == ["follow-up-due"]
    assert topics(ask(open_service(days=365 * 2), opened("after-day-9"))) == ["iron-candidate"]
