"""The demo: requests and a FHIR server over synthetic patients, dated to today so that nothing turns stale (R-08)."""

import os
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from importlib import import_module
from typing import Any

import pytest
from flask.testing import FlaskClient

from cds_service import assembly
from cds_service.app import create_app
from cds_service.demo.fixtures import read_situations
from cds_service.demo.server import TYPES
from cds_service.demo.shift import shift_dates
from cds_service.discovery import prefetch_templates
from cds_service.settings import load_settings

Json = dict[str, Any]
NAMES = list(read_situations().by_name)
Open = Callable[..., FlaskClient]


@pytest.fixture
def open_demo(monkeypatch: pytest.MonkeyPatch) -> Open:
    for name in [one for one in os.environ if one.startswith("CDS_") and not one.startswith("CDS_TEST_")]:
        monkeypatch.delenv(name)

    def opened(days: int = 0, **settings: Any) -> FlaskClient:
        moment = datetime(2026, 3, 10, 12, tzinfo=UTC) + timedelta(days)
        return create_app(load_settings(timezone="UTC", **settings), clock=lambda: moment).test_client()

    return opened


@pytest.fixture
def fhir(open_demo: Open) -> Callable[[str], Json]:
    client = open_demo()

    def get(query: str) -> Json:
        answer = client.get(f"/demo/fhir/{query}")
        assert answer.status_code == 200, answer.text
        assert answer.mimetype == "application/fhir+json"
        document: Json = answer.get_json()
        return document

    return get


def ids(bundle: Json) -> list[str]:
    return [entry["resource"]["id"] for entry in bundle.get("entry", ())]


def link(bundle: Json, relation: str) -> str | None:
    return next((one["url"] for one in bundle["link"] if one["relation"] == relation), None)


# ---------------------------------------------------------------------------------------------------------- requests


def test_the_list_of_requests_names_each_with_its_hook(open_demo: Open) -> None:
    listed = open_demo().get("/demo/requests").get_json()["requests"]
    assert [one["name"] for one in listed] == NAMES
    assert all(one["about"] and one["hook"].startswith(("order-", "patient-")) for one in listed)


def answer(client: FlaskClient, name: str) -> tuple[str, Json]:
    """The conclusion and the request, called by its own hook."""
    request = client.get(f"/demo/requests/{name}").get_json()
    reply = client.post("/cds-services/iv-iron-rls", json=request)
    assert reply.status_code == 200, reply.text
    cards = reply.get_json()["cards"]
    return (cards[0]["source"]["topic"]["code"] if cards else ""), request


@pytest.mark.parametrize("days", [0, 200, 1000], ids=lambda days: f"{days} days later")
def test_r_08_every_demo_request_keeps_its_conclusion_on_any_day(open_demo: Open, days: int) -> None:
    client = open_demo(days)
    situations = [one for one in read_situations().by_name.values() if one.hook.startswith("order-")]
    found = {one.name: answer(client, one.name)[0] for one in situations}
    assert found == {one.name: one.expect for one in situations}


def test_a_request_moves_by_whole_days_with_clock_and_offset(open_demo: Open) -> None:
    _, original = answer(open_demo(), "low-ferritin")
    _, moved = answer(open_demo(100), "low-ferritin")
    drawn = [one["prefetch"]["ferritin"]["entry"][0]["resource"]["effectiveDateTime"] for one in (original, moved)]
    assert drawn == ["2026-02-26T08:00:00-05:00", "2026-06-06T08:00:00-05:00"]
    assert original["hookInstance"] == moved["hookInstance"]


@pytest.mark.parametrize("path", ["/demo/requests/nobody", "/demo/requests/..%2Fsituations"])
def test_an_unknown_request_is_404_with_an_outcome(open_demo: Open, path: str) -> None:
    response = open_demo().get(path)
    assert response.status_code == 404
    assert response.get_json()["resourceType"] == "OperationOutcome"


# ------------------------------------------------------------------------------------------------------------- dates


@pytest.mark.parametrize(
    ("document", "days", "expected"),
    [
        pytest.param({"birthDate": "1966-01-01"}, 31, {"birthDate": "1966-02-01"}, id="date"),
        pytest.param(
            {"issued": "2024-02-29T08:00:00-05:00"}, 366, {"issued": "2025-03-01T08:00:00-05:00"}, id="leap day"
        ),
        pytest.param({"valueDateTime": "2023-02-28"}, 366, {"valueDateTime": "2024-02-29"}, id="to a leap day"),
        pytest.param({"event": ["2026-03-10", "2026-03-17"]}, 1, {"event": ["2026-03-11", "2026-03-18"]}, id="list"),
        pytest.param({"recordedDate": "2026-01"}, 28, {"recordedDate": "2026-02"}, id="month"),
        pytest.param({"recordedDate": "2026-01"}, 10, {"recordedDate": "2026-01"}, id="month, few days"),
        pytest.param({"onsetDateTime": "2020"}, 366, {"onsetDateTime": "2021"}, id="year"),
        pytest.param({"a": {"start": "2026-12-31"}}, 1, {"a": {"start": "2027-01-01"}}, id="nested"),
        pytest.param({"code": "5992"}, 400, {"code": "5992"}, id="RxNorm code that looks like a year"),
        pytest.param({"code": "2026-01-01"}, 400, {"code": "2026-01-01"}, id="code that looks like a date"),
        pytest.param({"id": "2026-03-10"}, 1, {"id": "2026-03-10"}, id="id"),
        pytest.param(
            {"identifier": [{"value": "2026-03-10"}]}, 1, {"identifier": [{"value": "2026-03-10"}]}, id="identifier"
        ),
        pytest.param({"text": "2026-03-10"}, 1, {"text": "2026-03-10"}, id="text"),
        pytest.param({"value": "2026"}, 400, {"value": "2026"}, id="number as text"),
        pytest.param({"end": "9999-12-31"}, 1, {"end": "9999-12-31"}, id="end of the calendar"),
        pytest.param({"end": "2026-02-30"}, 1, {"end": "2026-02-30"}, id="no day"),
        pytest.param(
            {"value": 2026, "flag": True, "none": None}, 1, {"value": 2026, "flag": True, "none": None}, id="other"
        ),
    ],
)
def test_dates_move_and_nothing_else_does(document: Json, days: int, expected: Json) -> None:
    assert shift_dates(document, days) == expected
    if days and "2026-01" not in str(document) and "2020" not in str(document):
        assert shift_dates(shift_dates(document, days), -days) == document


# ------------------------------------------------------------------------------------------------------- FHIR server


def test_every_resource_on_the_server_is_valid_r4(fhir: Callable[[str], Json]) -> None:
    total = 0
    for kind in TYPES:
        for entry in fhir(f"{kind}?_count=500").get("entry", ()):
            model = getattr(import_module(f"fhir.resources.R4B.{kind.lower()}"), kind)
            model.model_validate(entry["resource"])
            total += 1
    assert total > 300


def test_metadata_is_a_capability_statement_of_r4(fhir: Callable[[str], Json]) -> None:
    statement = fhir("metadata")
    module = import_module("fhir.resources.R4B.capabilitystatement")
    module.CapabilityStatement.model_validate(statement)
    assert statement["fhirVersion"] == "4.0.1"
    assert {one["type"] for one in statement["rest"][0]["resource"]} == set(TYPES)


def test_what_the_public_sandbox_asks_is_answered(fhir: Callable[[str], Json]) -> None:
    assert fhir("Patient?_count=500")["total"] == len(NAMES)
    assert fhir("Patient/low-ferritin")["birthDate"] == "1966-01-01"
    assert ids(fhir("Condition?patient=low-ferritin")) == ["low-ferritin-1"]
    assert fhir("MedicationRequest?patient=low-ferritin")["total"] == 0
    assert fhir("Observation?patient=low-ferritin")["total"] == 4


@pytest.mark.parametrize(
    ("query", "total"),
    [
        ("Observation?patient=Patient/low-ferritin&code=http://loinc.org|2276-4", 1),
        ("Observation?subject=Patient/low-ferritin&code=2276-4", 1),
        ("Observation?patient=low-ferritin&code=http://loinc.org|2276-4,http://loinc.org|2502-3", 2),
        ("Observation?patient=low-ferritin&code=http://snomed.info/sct|2276-4", 0),
        ("Observation?patient=low-ferritin&code=http://loinc.org|", 4),
        ("Observation?patient=low-ferritin&code=|2276-4", 0),
        ("Observation?patient=low-ferritin,grey-zone&code=2276-4", 2),
        ("Observation?patient=nobody", 0),
        ("Observation?patient=tsat-pending-high&status=preliminary", 1),
        ("Observation?patient=low-ferritin&date=ge2026-02-26", 3),
        ("Observation?patient=low-ferritin&date=gt2026-02-26", 0),
        ("Observation?patient=low-ferritin&date=lt2026-02-26", 1),
        ("Observation?patient=low-ferritin&date=le2026-02-26", 4),
        ("Observation?patient=low-ferritin&date=2026-02-26", 3),
        ("Observation?patient=low-ferritin&date=2026-02", 4),
        ("Observation?patient=low-ferritin&date=ge2026-02-26T13:00:00Z", 3),
        ("Observation?patient=low-ferritin&date=gt2026-02-26T13:00:00Z", 0),
        ("Observation?patient=low-ferritin&date=ge2026-02-01&date=lt2026-02-26", 1),
        ("MedicationAdministration?patient=too-soon&code=http://www.nlm.nih.gov/research/umls/rxnorm|1433693", 1),
        ("AllergyIntolerance?patient=fcm-allergy&clinical-status=active", 1),
        ("Observation?patient=low-ferritin&_revinclude=Provenance:target&colour=red", 4),
        ("Observation?_id=low-ferritin-2,low-ferritin-3", 2),
        ("Encounter?patient=low-ferritin", 0),
    ],
)
def test_search(fhir: Callable[[str], Json], query: str, total: int) -> None:
    bundle = fhir(query)
    assert bundle["total"] == total == len(bundle.get("entry", ()))
    module = import_module("fhir.resources.R4B.bundle")
    module.Bundle.model_validate(bundle)


def test_sorting_by_date_puts_the_newest_first_or_last(fhir: Callable[[str], Json]) -> None:
    newest = fhir("Observation?patient=responder-relapsed&_sort=-date")
    dates = [entry["resource"]["effectiveDateTime"] for entry in newest["entry"]]
    assert dates == sorted(dates, reverse=True)
    assert len(set(dates)) > 3
    oldest = fhir("Observation?patient=responder-relapsed&_sort=date")
    assert oldest["entry"][0]["resource"]["effectiveDateTime"] == dates[-1]


def test_pages_follow_next_links_to_the_end_without_gap_or_repetition(open_demo: Open) -> None:
    client = open_demo(public_url="https://demo.example/rls")
    whole = ids(client.get("/demo/fhir/Observation?patient=responder-relapsed&_sort=-date").get_json())
    found: list[str] = []
    url: str | None = "https://demo.example/rls/demo/fhir/Observation?patient=responder-relapsed&_sort=-date&_count=3"
    while url:
        assert url.startswith("https://demo.example/rls/demo/fhir/Observation?")
        page = client.get(url.removeprefix("https://demo.example/rls")).get_json()
        assert page["total"] == len(whole)
        assert len(ids(page)) <= 3
        found += ids(page)
        url = link(page, "next")
    assert found == whole


def test_count_zero_gives_the_total_alone(fhir: Callable[[str], Json]) -> None:
    bundle = fhir("Observation?patient=low-ferritin&_count=0")
    assert (bundle["total"], ids(bundle), link(bundle, "next")) == (4, [], None)


def test_the_self_link_names_only_what_was_honoured(fhir: Callable[[str], Json]) -> None:
    bundle = fhir("Observation?patient=low-ferritin&colour=red&_sort=-date")
    assert "colour" not in str(link(bundle, "self"))
    assert "patient=low-ferritin" in str(link(bundle, "self"))


def test_post_search_answers_as_get_does(open_demo: Open) -> None:
    client = open_demo()
    posted = client.post("/demo/fhir/Observation/_search", data={"patient": "low-ferritin", "code": "2276-4"})
    assert posted.get_json() == client.get("/demo/fhir/Observation?patient=low-ferritin&code=2276-4").get_json()


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/demo/fhir/Starship?patient=1", 404),
        ("GET", "/demo/fhir/Patient/nobody", 404),
        ("GET", "/demo/fhir/Observation?date=yesterday", 400),
        ("GET", "/demo/fhir/Observation?date=ge2026-13-01", 400),
        ("GET", "/demo/fhir/Observation?date=ge2026-03-10Tnoon", 400),
        ("GET", "/demo/fhir/Observation?_count=-1", 400),
        ("GET", "/demo/fhir/Observation?_offset=many", 400),
        ("POST", "/demo/fhir/Patient", 405),
        ("PUT", "/demo/fhir/Patient/low-ferritin", 405),
        ("DELETE", "/demo/fhir/Patient/low-ferritin", 405),
    ],
)
def test_what_it_cannot_do_is_an_outcome(open_demo: Open, method: str, path: str, status: int) -> None:
    response = open_demo().open(path, method=method)
    assert response.status_code == status
    assert response.get_json()["resourceType"] == "OperationOutcome"


def test_an_unknown_parameter_is_refused_when_the_client_asks_for_strict_handling(open_demo: Open) -> None:
    path = "/demo/fhir/Observation?patient=low-ferritin&colour=red"
    assert open_demo().get(path, headers={"Prefer": "handling=strict"}).status_code == 400
    assert open_demo().get(path, headers={"Prefer": "handling=lenient"}).status_code == 200


def test_ch_226_a_page_of_another_origin_may_read_it(open_demo: Open) -> None:
    response = open_demo().get("/demo/fhir/metadata", headers={"Origin": "https://sandbox.example"})
    assert response.headers["Access-Control-Allow-Origin"] == "*"


def test_the_data_of_the_server_follow_the_calendar(open_demo: Open) -> None:
    drawn = [
        open_demo(days).get("/demo/fhir/Observation/low-ferritin-2").get_json()["effectiveDateTime"] for days in (0, 31)
    ]
    assert drawn == ["2026-02-26T08:00:00-05:00", "2026-03-29T08:00:00-05:00"]


# ---------------------------------------------------------------------------------------- as our own templates ask it


def observations_by_key(client: FlaskClient, name: str) -> Iterator[tuple[str, list[Json]]]:
    templates = prefetch_templates(assembly.build_engine(load_settings()).index, "ServiceRequest")
    for key, template in templates.items():
        query = template.replace("{{context.patientId}}", name)
        found = client.get(f"/demo/fhir/{query}").get_json()
        yield key, [found] if key == "patient" else [entry["resource"] for entry in found.get("entry", ())]


@pytest.mark.parametrize(
    "name", ["low-ferritin", "responder-relapsed", "second-trimester", "molar-units", "hemodialysis"]
)
def test_our_templates_find_what_the_request_was_given_as_prefetch(open_demo: Open, name: str) -> None:
    client = open_demo()
    prefetch = client.get(f"/demo/requests/{name}").get_json()["prefetch"]
    for key, found in observations_by_key(client, name):
        given = [prefetch[key]] if key == "patient" else [one["resource"] for one in prefetch[key].get("entry", ())]
        assert {one["id"] for one in found} == {one["id"] for one in given}, key


def test_the_local_severity_code_follows_the_canonical_of_the_site(open_demo: Open) -> None:
    client = open_demo(canonical="https://iron.example")
    system = "https://iron.example/fhir/CodeSystem/rls-severity"
    found = client.get(f"/demo/fhir/Observation?patient=responder-relapsed&code={system}|irls-total").get_json()
    assert found["total"] == 3
    engine = assembly.build_engine(load_settings(canonical="https://iron.example"))
    assert engine.index.concepts(system, "irls-total") == {"rls-severity"}
