"""`/fhir`: the knowledge of the service as FHIR R4, made from the rules that decide, resolvable by every canonical."""

import json
import os
from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from fhirpathpy import evaluate
from flask.testing import FlaskClient

from cds_service import assembly, knowledge_stamp, services
from cds_service.app import create_app
from cds_service.cli import main
from cds_service.clinical import codes
from cds_service.clinical.citations import CITATIONS
from cds_service.clinical.model import Conclusion
from cds_service.clinical.rule_index import INDEX
from cds_service.clinical.rules import RULES
from cds_service.clinical.schedule import CONTACTS
from cds_service.hooks import parse_request
from cds_service.knowledge.base import Source
from cds_service.knowledge.conditions import CONDITIONS
from cds_service.knowledge.export import knowledge_export
from cds_service.knowledge.library import publish, render_capability
from cds_service.knowledge.plan import READS
from cds_service.settings import load_settings
from tests.rules.build import case, decide, facts, ferritin, tsat

Json = dict[str, Any]
CANONICAL = "https://iron.example/fhir"
INDEX_OF_SITE = codes.load(None, CANONICAL)
SOURCE = Source(INDEX_OF_SITE, knowledge_stamp.stamp(INDEX_OF_SITE), CANONICAL)
PUBLISHED = publish(SOURCE)
ALL = [one for by_id in PUBLISHED.values() for one in by_id.values()]
REQUESTS = Path(__file__).parents[2] / "fhir_fixtures" / "requests"
TODAY = date(2026, 3, 10)
# Required bindings of R4 that the models do not check.
R4_CODES = {
    "status": {"draft", "active", "retired", "unknown"},
    "kind": {"applicability", "ServiceRequest", "identifier", "complex-type", "instance"},
    "groupingBehavior": {"visual-group", "logical-group", "sentence-group"},
    "relationship": {
        *("before-start", "before", "before-end", "concurrent-with-start", "concurrent"),
        *("concurrent-with-end", "after-start", "after", "after-end"),
    },
    "content": {"not-present", "example", "fragment", "complete", "supplement"},
}


@pytest.fixture
def client(monkeypatch: pytest.MonkeyPatch) -> FlaskClient:
    for name in [one for one in os.environ if one.startswith("CDS_") and not one.startswith("CDS_TEST_")]:
        monkeypatch.delenv(name)
    return create_app(load_settings(canonical="https://iron.example")).test_client()


def validate(resource: Json) -> None:
    kind = resource["resourceType"]
    model = getattr(import_module(f"fhir.resources.R4B.{kind.lower()}"), kind)
    model.model_validate(resource)


def walk(value: Any, name: str = "") -> Iterator[tuple[str, Any]]:
    yield name, value
    children = (
        value.items() if isinstance(value, dict) else ((name, one) for one in value) if isinstance(value, list) else ()
    )
    for key, child in children:
        yield from walk(child, key)


# ------------------------------------------------------------------------------------------------------ valid FHIR R4


@pytest.mark.parametrize("resource", ALL, ids=lambda one: f"{one['resourceType']}/{one['id']}")
def test_published_resource_is_valid_r4(resource: Json) -> None:
    validate(resource)
    assert all(value not in ("", [], {}, None) for _, value in walk(resource))
    for name, value in walk(resource):
        if name in R4_CODES and isinstance(value, str):
            assert value in R4_CODES[name], (name, value)


def test_every_kind_of_knowledge_is_published() -> None:
    kinds = {"PlanDefinition", "Library", "ActivityDefinition", "ValueSet", "CodeSystem", "NamingSystem"}
    assert kinds | {"StructureDefinition"} == set(PUBLISHED)
    assert set(PUBLISHED["ValueSet"]) == set(INDEX_OF_SITE.sets)
    assert set(PUBLISHED["CodeSystem"]) == {"card-topic", "reassessment-contact", "rls-severity"}
    validate(render_capability(PUBLISHED, SOURCE, CANONICAL))


def test_element_ids_of_the_plan_are_unique_and_its_actions_refer_to_each_other() -> None:
    actions = [value for name, value in walk(PUBLISHED["PlanDefinition"]["iv-iron-rls"]) if name == "action"]
    flat = [one for group in actions if isinstance(group, list) for one in group]
    ids = [one["id"] for one in flat]
    assert not any(" " in one for one in ids)
    assert len(ids) == len(set(ids))
    assert {link["actionId"] for one in flat for link in one.get("relatedAction", ())} == {"day-0"} <= set(ids)


# ------------------------------------------------------------------------------------------- the same rules, not a copy


OFFSETS = {"day-8": (8, "d"), "week-3": (21, "d"), "week-8-labs": (56, "d"), "month-6": (6, "mo")}


def plan_actions() -> dict[str, Json]:
    """By rule id, contacts by their own."""
    groups = PUBLISHED["PlanDefinition"]["iv-iron-rls"]["action"]
    actions = [one for group in groups for one in group["action"]]
    return {one["id"] if one["id"] in (*OFFSETS, "day-0") else one["prefix"]: one for one in actions}


def test_the_plan_holds_every_rule_in_order_of_precedence() -> None:
    ours = [rule.id for rule in RULES]
    assert [one for one in plan_actions() if one not in {"day-0", *OFFSETS}] == ours


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.id)
def test_each_rule_is_published_with_sentence_sources_and_thresholds(rule: Any) -> None:
    action = plan_actions()[rule.id]
    assert action["title"] == rule.title
    assert [one["label"] for one in action["documentation"]] == [source.id for source in rule.sources]
    assert all(f"{one.name} {one.value}" in action["description"] for one in rule.thresholds)
    assert set(rule.inputs) <= set(READS), "say in READS what FHIR data stand behind the input"


def test_value_sets_named_by_the_plan_are_published() -> None:
    named = [value for name, value in walk(PUBLISHED["PlanDefinition"]["iv-iron-rls"]) if name == "valueSet"]
    assert named
    assert {one.removeprefix(f"{CANONICAL}/ValueSet/") for one in named} <= set(PUBLISHED["ValueSet"])


@pytest.mark.parametrize("contact", CONTACTS, ids=lambda one: f"{one.rule} {one.id}")
def test_each_contact_is_an_action_with_its_offset_and_an_activity(contact: Any) -> None:
    action = plan_actions()[contact.id]
    offset = action["relatedAction"][0]["offsetDuration"]
    assert (offset["value"], offset["code"]) == OFFSETS[contact.id]
    activity = PUBLISHED["ActivityDefinition"][action["definitionCanonical"].rsplit("/", 1)[-1]]
    assert activity["url"] == action["definitionCanonical"]
    assert all(task in activity["description"] for task in contact.tasks)


# ------------------------------------------------------------- FHIRPath, evaluated by an engine that is not ours

VALUES_OF_FERRITIN = ("0.1", "60", "75.0", "75.1", "90", "100.0", "100.1", "200", "299.9", "300.0", "300.1")
VALUES_OF_TSAT = ("1.1", "19.9", "20.0", "28", "44.9", "45.0", "60")


def published_conditions() -> list[tuple[str, str, str]]:
    """Rule, conclusion and expression, as a reader of the PlanDefinition finds them."""
    return [
        (rule_id, action["code"][0]["coding"][0]["code"], action["condition"][0]["expression"]["expression"])
        for rule_id, action in plan_actions().items()
        if "condition" in action
    ]


def first_true(**values: Any) -> tuple[str, str] | None:
    for rule_id, conclusion, expression in published_conditions():
        if evaluate({}, expression, values) == [True]:
            return rule_id, conclusion
    return None


def test_exactly_the_rules_by_intervals_carry_a_condition() -> None:
    assert {rule_id for rule_id, _, _ in published_conditions()} == {"R-16", "R-17", "R-22", "R-23", "R-24", "R-25"}
    assert {rule_id: one.expression for rule_id, one in CONDITIONS.items()} == {
        rule_id: expression for rule_id, _, expression in published_conditions()
    }


def test_r_22_the_expression_reads_as_a_clinician_would_say_it() -> None:
    assert CONDITIONS["R-22"].expression == "%ferritin <= 75 and %tsat < 45"


@pytest.mark.parametrize("iron", VALUES_OF_FERRITIN)
@pytest.mark.parametrize("saturation", VALUES_OF_TSAT)
def test_published_conditions_agree_with_the_service(iron: str, saturation: str) -> None:
    decision = decide(case(facts(ferritin(iron), tsat(saturation))))
    found = first_true(ferritin=Decimal(iron), tsat=Decimal(saturation))
    # R-16 with a low ferritin doubts the sample first: the same rule, the same conclusion.
    assert found == (decision.verdicts[0][0].id, str(decision.conclusion))


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        pytest.param({"ferritin": Decimal(60), "tsat": []}, None, id="ferritin alone: R-26a is no interval rule"),
        pytest.param({"ferritin": [], "tsat": Decimal(15)}, None, id="TSAT alone"),
        pytest.param({"ferritin": [], "tsat": []}, None, id="neither"),
        pytest.param({"ferritin": Decimal(400), "tsat": []}, ("R-17", "not-indicated"), id="R-17 needs no TSAT"),
        pytest.param({"ferritin": [], "tsat": Decimal(50)}, ("R-16", "contraindicated"), id="R-16 needs no ferritin"),
    ],
)
def test_a_missing_result_makes_no_condition_true(values: Json, expected: tuple[str, str] | None) -> None:
    assert first_true(**values) == expected


def test_parameters_of_the_conditions_are_documented_with_their_units() -> None:
    parameters = {one["name"]: one for one in PUBLISHED["Library"]["iv-iron-rls"]["parameter"]}
    assert set(parameters) == {"ferritin", "tsat"}
    assert "ng/mL" in parameters["ferritin"]["documentation"]
    assert parameters["tsat"]["documentation"].endswith("%")


# ---------------------------------------------------------------------------------------------------------- over HTTP


@pytest.mark.parametrize("name", ["low-ferritin", "grey-zone", "high-tsat", "iron-replete", "no-iron-studies"])
def test_every_canonical_on_a_card_resolves(client: FlaskClient, name: str) -> None:
    settings = load_settings(canonical="https://iron.example")
    engine = assembly.build_engine(settings)
    request = parse_request((REQUESTS / "order_select" / f"{name}.json").read_bytes())
    reply = services.answer(engine, engine.services[0], request, engine.demo_client, TODAY)
    cards = json.loads(json.dumps(list(reply.cards), default=str))
    named = {value for _, value in walk(cards) if isinstance(value, str) and value.startswith(f"{CANONICAL}/")}
    assert f"{CANONICAL}/CodeSystem/card-topic" in named
    for canonical in named:
        answer = client.get(canonical.removeprefix("https://iron.example"))
        assert answer.status_code == 200, canonical
    topics = {card["source"]["topic"]["code"] for card in cards}
    assert topics <= {one["code"] for one in PUBLISHED["CodeSystem"]["card-topic"]["concept"]}


def test_every_conclusion_is_a_published_topic() -> None:
    codes_of_topics = {one["code"] for one in PUBLISHED["CodeSystem"]["card-topic"]["concept"]}
    assert {str(one) for one in Conclusion} - {"out-of-scope"} <= codes_of_topics


def test_read_answers_fhir_json_from_the_canonical_of_the_site(client: FlaskClient) -> None:
    answer = client.get("/fhir/ValueSet/ferritin")
    assert answer.mimetype == "application/fhir+json"
    assert answer.get_json()["url"] == f"{CANONICAL}/ValueSet/ferritin"
    assert {"2276-4", "14723-1"} <= {value for name, value in walk(answer.get_json()) if name == "code"}


def test_metadata_lists_what_is_read_and_searched(client: FlaskClient) -> None:
    statement = client.get("/fhir/metadata").get_json()
    validate(statement)
    listed = {one["type"] for one in statement["rest"][0]["resource"]}
    assert listed == set(PUBLISHED)
    assert all(client.get(f"/fhir/{one}").get_json()["total"] > 0 for one in listed)


@pytest.mark.parametrize(
    ("query", "ids"),
    [
        (f"ValueSet?url={CANONICAL}/ValueSet/tsat", ["tsat"]),
        (f"ValueSet?url={CANONICAL}/ValueSet/tsat|1.0.1", ["tsat"]),
        ("ValueSet?url=https://elsewhere.example/ValueSet/tsat", []),
        ("ValueSet?name=Hemoglobin", ["hemoglobin", "hemoglobin-bloodgas"]),
        ("ValueSet?name=hemoglobinb", ["hemoglobin-bloodgas"]),
        ("ValueSet?_id=crp&name=Ferritin", []),
        (f"NamingSystem?url={CANONICAL}/NamingSystem/reassessment", ["reassessment"]),
        (f"CodeSystem?url={CANONICAL}/CodeSystem/rls-severity&unknown=1", ["rls-severity"]),
    ],
)
def test_search_by_url_and_name(client: FlaskClient, query: str, ids: list[str]) -> None:
    bundle = client.get(f"/fhir/{query}").get_json()
    validate(bundle)
    assert [entry["resource"]["id"] for entry in bundle.get("entry", ())] == ids
    assert bundle["total"] == len(ids)


@pytest.mark.parametrize("path", ["/fhir/ValueSet/nothing", "/fhir/Patient", "/fhir/Patient/1", "/fhir"])
def test_nothing_else_is_there_and_nothing_about_patients(client: FlaskClient, path: str) -> None:
    answer = client.get(path)
    assert answer.status_code == 404
    assert answer.get_json()["resourceType"] == "OperationOutcome"


# ------------------------------------------------------------------------------------------------------------- export


def test_the_export_holds_rules_thresholds_codes_sources_hash_and_review() -> None:
    exported = knowledge_export(INDEX_OF_SITE)
    assert [one["id"] for one in exported["rules"]] == [rule.id for rule in RULES]
    assert [one["id"] for one in exported["index"]] == [entry.id for entry in INDEX]
    assert {one["id"] for one in exported["citations"]} == {one.id for one in CITATIONS}
    assert exported["digest"] == knowledge_stamp.digest(INDEX_OF_SITE)
    assert exported["review"] == knowledge_stamp.UNSIGNED
    sets = {one["id"]: one for one in exported["valueSets"]}
    assert "2276-4" in {one["code"] for one in sets["ferritin"]["codes"]}
    low = next(one for one in exported["rules"] if one["id"] == "R-22")
    assert low["condition"] == "%ferritin <= 75 and %tsat < 45"
    assert {"name": "ferritin at most", "value": "75", "unit": "ng/mL"} in low["thresholds"]


def test_the_command_prints_the_export_as_json_and_as_tables() -> None:
    as_json = CliRunner().invoke(main, ["knowledge", "--json"])
    assert as_json.exit_code == 0
    assert json.loads(as_json.stdout)["rules"][0]["id"] == RULES[0].id
    shown = CliRunner().invoke(main, ["knowledge"])
    assert shown.exit_code == 0
    assert knowledge_stamp.UNSIGNED in shown.stdout
    assert all(rule.id in shown.stdout for rule in RULES)
