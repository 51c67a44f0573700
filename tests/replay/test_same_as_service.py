"""A replayed decision is the service's own answer to the same order, the clock set to the day it was written."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from flask.testing import FlaskClient

from cds_service import discovery
from cds_service.app import create_app
from cds_service.settings import load_settings
from cds_service.trace import EXTENSION
from tests.load.export import INDEX, PRODUCTS, concept, make_patient, write_export
from tests.replay.exports import rows, run

Json = dict[str, Any]
PATIENTS, SEED = 900, 8
LEAST_DECISIONS = 200
KINDS = {
    "conditions": "Condition", "allergies": "AllergyIntolerance", "iron_administrations": "MedicationAdministration",
    "medications": "MedicationRequest", "medication_statements": "MedicationStatement",
}  # fmt: skip
SETS = {**discovery.OBSERVATIONS, "procedures": discovery.PROCEDURES, "follow_up": discovery.FOLLOW_UP}


class Clock:
    now = datetime(2025, 1, 1, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture(scope="module")
def replayed(tmp_path_factory: pytest.TempPathFactory) -> tuple[list[dict[str, str]], list[dict[str, str]]]:
    folder = tmp_path_factory.mktemp("same")
    write_export(folder / "export", PATIENTS, seed=SEED)
    finished = run(folder / "export", folder / "run", is_identified=True)
    return rows(finished), rows(finished, "follow_up")


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> tuple[FlaskClient, Clock]:
    clock = Clock()
    database = f"sqlite:///{tmp_path_factory.mktemp('store') / 'calls.sqlite3'}"
    return create_app(load_settings(database_url=database, log_level="error"), clock).test_client(), clock


# ------------------------------------------------------------------- what was known, worked out once more for the test


def known_at(resource: Json) -> str:
    for name in ("issued", "recordedDate", "authoredOn", "effectiveDateTime", "onsetDateTime"):
        if name in resource:
            return str(resource[name])
    return ""


def was_known(resource: Json, moment: str) -> bool:
    """ISO text of one zone sorts by time; a date without time is compared as a date."""
    known = known_at(resource)
    if len(known) < len("2025-01-01"):
        known += "-31"  # a partial date: known for sure at its end
    length = 25 if min(len(known), len(moment)) > 10 else 10
    if resource["resourceType"] == "MedicationAdministration" and length == 10:
        return known[:10] < moment[:10]
    return known[:length] <= moment[:length]


def as_it_stood(resource: Json, moment: str, resources: list[Json]) -> Json:
    """Without what happened later: a recovery, a death, the infusion that completed an order."""
    kept = {name: value for name, value in resource.items() if not name.startswith("deceased")}
    if resource.get("deceasedDateTime", "9999") <= moment[:10]:
        kept["deceasedDateTime"] = resource["deceasedDateTime"]
    if resource.get("abatementDateTime", "0000")[:10] > moment[:10]:
        del kept["abatementDateTime"], kept["clinicalStatus"]
    if resource.get("status") == "completed" and "authoredOn" in resource:
        name = f"{resource['resourceType']}/{resource['id']}"
        given = [one for one in resources if one.get("request", {}).get("reference") == name]
        if given and not all(was_known(one, moment) for one in given):
            kept["status"] = "active"
    return kept


def chart_of(patient_id: str, moment: str, order_ids: set[str]) -> dict[str, list[Json]]:
    resources = make_patient(SEED, int(patient_id.removeprefix("p")))
    known = [
        as_it_stood(one, moment, resources)
        for one in resources
        if (one["resourceType"] == "Patient" or was_known(one, moment))
        and one["id"] not in order_ids
        and one.get("request", {}).get("reference", "/").split("/")[1] not in order_ids
    ]
    chart: dict[str, list[Json]] = {key: [] for key in (*KINDS, *SETS)}
    for resource in known:
        for key in keys_of(resource):
            chart.setdefault(key, []).append(resource)
    return chart


def keys_of(resource: Json) -> list[str]:
    kind = resource["resourceType"]
    if kind == "Patient":
        return ["patient"]
    if kind in KINDS.values():
        return [key for key, one in KINDS.items() if one == kind]
    codes = [resource.get("code", {}), *(part["code"] for part in resource.get("component", ()))]
    found = {one for code in codes for c in code.get("coding", ()) for one in INDEX.concepts(c["system"], c["code"])}
    wanted = {"Observation": discovery.OBSERVATIONS, "Procedure": ["procedures"], "ServiceRequest": ["follow_up"]}
    return [key for key in wanted.get(kind, ()) if found & set(SETS[key])]


def bundle(resources: list[Json]) -> Json:
    return {"resourceType": "Bundle", "type": "searchset", "entry": [{"resource": one} for one in resources]}


def prefetch_of(chart: dict[str, list[Json]]) -> Json:
    found = {key: bundle(resources) for key, resources in chart.items() if key != "patient"}
    found["medications"]["entry"] += bundle(FORMULARY)["entry"]
    return {**found, "patient": chart["patient"][0]}


FORMULARY = [
    {"resourceType": "Medication", "id": code[1], "code": {**concept(code), "text": words}}
    for _, code, words, _ in PRODUCTS
]


def call(hook: str, patient_id: str, prefetch: Json, **context: Any) -> Json:
    return {
        "hook": hook,
        "hookInstance": "d1577c69-dfbe-44ad-ba6d-3e05e953b2ea",
        "context": {"userId": "Practitioner/1", "patientId": patient_id, **context},
        "prefetch": prefetch,
    }


def post(service: tuple[FlaskClient, Clock], body: Json, day: str) -> Json:
    client, clock = service
    clock.now = datetime.fromisoformat(f"{day}T12:00:00+00:00")
    name = "iv-iron-rls-follow-up" if body["hook"] == "patient-view" else "iv-iron-rls"
    response = client.post(f"/cds-services/{name}", data=json.dumps(body), content_type="application/json")
    assert response.status_code == 200, response.text
    reply: Json = response.get_json()
    return reply


def local(row: dict[str, str]) -> str:
    """The time of a row in the zone of the export."""
    if "T" not in row["time"]:
        return row["time"]
    moment = datetime.fromisoformat(row["time"]) - timedelta(hours=5)
    return moment.strftime("%Y-%m-%dT%H:%M:%S-05:00")


# --------------------------------------------------------------------------------------------------------------- tests


def answer_of(service: tuple[FlaskClient, Clock], row: dict[str, str]) -> Json | None:
    """The trace of the order, None when there is no card."""
    order_id = row["id"].split("/")[1]
    order = next(
        one for one in make_patient(SEED, int(row["patient"].removeprefix("p"))) if one["id"] == order_id
    ) | {"status": "draft"}  # fmt: skip
    prefetch = prefetch_of(chart_of(row["patient"], local(row), {order_id}))
    body = call(
        "order-select", row["patient"], prefetch, selections=[row["id"]], draftOrders=bundle([order, *FORMULARY])
    )
    reply = post(service, body, row["day"])
    return reply["extension"][EXTENSION]["orders"][0] if reply["cards"] else None


def test_every_replayed_decision_is_the_answer_of_the_service(
    replayed: tuple[list[dict[str, str]], list[dict[str, str]]], service: tuple[FlaskClient, Clock]
) -> None:
    decisions, _ = replayed
    assert len(decisions) >= LEAST_DECISIONS
    for row in decisions:
        trace = answer_of(service, row)
        if trace is None:
            assert row["conclusion"] == "out-of-scope", row
            continue
        spoke = [one["id"] for one in trace["rules"] if one["outcome"] not in ("not applicable", "not reached")]
        assert trace["conclusion"] == row["conclusion"], row
        assert set(row["rules"].split("; ")) <= set(spoke), row
        values = {one["name"]: one["value"] for one in trace.get("values", ())}
        assert values.get("ferritin", "").partition(" ")[0] == shown(
            row["ferritin_ng_per_ml"], values.get("ferritin", "")
        )


def shown(value: str, as_traced: str) -> str:
    """The trace rounds for display; here only whether there is a value, and its first digits."""
    traced = as_traced.partition(" ")[0]
    if not value or not traced:
        return value
    return traced if traced.lstrip("<>=")[:1] == value.lstrip("<>=")[:1] else value


def test_every_topic_of_a_follow_up_row_is_a_card_of_the_service(
    replayed: tuple[list[dict[str, str]], list[dict[str, str]]], service: tuple[FlaskClient, Clock]
) -> None:
    _, follow_ups = replayed
    asked = [row for row in follow_ups if row["state"] in ("done", "not done")][:150]
    assert len(asked) == 150
    for row in asked:
        chart = chart_of(row["patient"], row["time"], set())
        reply = post(service, call("patient-view", row["patient"], prefetch_of(chart)), row["time"])
        topics = [card["source"]["topic"]["code"] for card in reply["cards"]]
        assert [one for one in topics if one != "iron-candidate"] == [one for one in row["topics"].split("; ") if one]
        if topics and row["contact"] != "month-12":
            contacts = reply["extension"][EXTENSION]["followUp"]["course"]["contacts"]
            state = next(one["state"] for one in contacts if one["contact"] == row["contact"])
            assert (state == "done") == (row["state"] == "done"), row
