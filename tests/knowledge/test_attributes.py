"""Source attributes: thirteen of each service, personal ones derived from what the rules declare and really read."""

import ast
import json
from collections import defaultdict
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest

from cds_service import assembly, services
from cds_service.app import create_app
from cds_service.clinical import follow_up
from cds_service.clinical.case import Case
from cds_service.clinical.rules import RULES
from cds_service.discovery import Service
from cds_service.hooks import parse_request
from cds_service.knowledge.attributes import FOLLOW_UP, NOT_USED, PERSONAL, reach, source_attributes
from cds_service.settings import load_settings
from tests.spec.protected import open_protected

Json = dict[str, Any]
ENGINE = assembly.build_engine(load_settings())
ORDERS, VIEW = ENGINE.services[0], ENGINE.services[-1]
REQUESTS = Path(__file__).parents[2] / "fhir_fixtures" / "requests"
PERSONAL_FACTS = {fact for one in PERSONAL for fact in one.inputs}
TODAY = date(2026, 3, 10)


def attributes(service: Service = ORDERS, rules: Any = RULES) -> dict[int, Json]:
    found = source_attributes(service, ENGINE.shop.stamp, rules=rules)["attributes"]
    return {one["number"]: one for one in found}


@pytest.mark.parametrize("service", ENGINE.services, ids=lambda one: f"{one.id} {one.hook}")
def test_every_service_has_all_thirteen(service: Service) -> None:
    found = attributes(service)
    assert list(found) == list(range(1, 14))
    assert all(one["value"] for one in found.values())


@pytest.mark.parametrize("number", [5, 6, 7, 8, 9, 12])
def test_race_ethnicity_language_orientation_identity_and_social_determinants_are_not_used(number: int) -> None:
    for service in (ORDERS, VIEW):
        assert attributes(service)[number]["value"] == NOT_USED


def test_sex_birth_and_severity_are_used_by_the_rules_that_declare_them() -> None:
    found = attributes()
    assert found[10]["rules"] == [rule.id for rule in RULES if "sex" in rule.inputs] != []
    assert found[11]["rules"] == [rule.id for rule in RULES if "birth" in rule.inputs] != []
    assert found[13]["rules"] == [rule.id for rule in RULES if {"severity", "impressions"} & set(rule.inputs)] != []
    assert "R-48 (follow-up)" in attributes(VIEW)[13]["rules"]


def without(rule_id: str, *facts: str) -> tuple[Any, ...]:
    """The rules, one of them no longer declaring some inputs."""
    return tuple(
        replace(rule, inputs=tuple(one for one in rule.inputs if one not in facts)) if rule.id == rule_id else rule
        for rule in RULES
    )


REMOVED = ((10, "R-29b", ("sex", "pregnancy")), (11, "R-03", ("birth",)), (13, "R-30 (severity)", ("severity",)))


@pytest.mark.parametrize(("number", "rule", "facts"), REMOVED, ids=[rule for _, rule, _ in REMOVED])
def test_removing_an_input_from_a_rule_changes_the_page(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, number: int, rule: str, facts: tuple[str, ...]
) -> None:
    assert rule in attributes()[number]["rules"]
    assert rule not in attributes(rules=without(rule, *facts))[number]["rules"]
    before = read_page(tmp_path)
    monkeypatch.setattr("cds_service.web.attributes_page.source_attributes", changed_attributes(without(rule, *facts)))
    assert read_page(tmp_path) != before


def changed_attributes(rules: Any) -> Any:
    def described(service: Service, stamp: Any, overdue: Any, **_: Any) -> Json:
        return source_attributes(service, stamp, overdue, rules)

    return described


def read_page(folder: Path) -> str:
    settings = load_settings(database_url=f"sqlite:///{folder}/none.sqlite3")
    return create_app(settings).test_client().get("/knowledge/source-attributes").text


def test_without_any_rule_that_reads_it_an_attribute_is_not_used() -> None:
    bare = tuple(replace(rule, inputs=("order",)) for rule in RULES)
    assert {number for number, one in attributes(rules=bare).items() if one.get("isUsed")} == set()


class Watched:
    """Facts that remember which of them were asked for."""

    def __init__(self, facts: Any) -> None:
        self.facts = facts
        self.seen: set[str] = set()

    def __getattr__(self, name: str) -> Any:
        self.seen.add(name)
        return getattr(self.facts, name)


def evaluated_cases(monkeypatch: pytest.MonkeyPatch) -> list[Case]:
    """The case of every order in the bundled requests."""
    cases: list[Case] = []
    decide = services.decide

    def remember(rules: Any, case: Case) -> Any:
        cases.append(case)
        return decide(rules, case)

    monkeypatch.setattr(services, "decide", remember)
    for file in sorted(REQUESTS.glob("order_*/*.json")):
        request = parse_request(file.read_bytes())
        service = next(one for one in ENGINE.services if one.hook == request.hook)
        services.answer(ENGINE, service, request, ENGINE.demo_client, TODAY)
    return cases


@pytest.mark.slow
def test_no_rule_reads_a_personal_fact_that_does_not_follow_from_its_declared_inputs(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    read = defaultdict(set)
    for case in evaluated_cases(monkeypatch):
        for rule in RULES:
            watched: Any = Watched(case.facts)
            rule.evaluate(Case(case.order, case.session, watched, case.as_of, case.hook, case.label))
            read[rule.id] |= watched.seen & PERSONAL_FACTS
    undeclared = {rule.id: read[rule.id] - reach(rule.inputs) for rule in RULES if read[rule.id] - reach(rule.inputs)}
    assert undeclared == {}
    assert {fact for facts in read.values() for fact in facts} == PERSONAL_FACTS  # the fixtures reach all of them


def test_the_follow_up_reads_no_personal_fact_that_is_not_declared_for_it() -> None:
    folder = Path(follow_up.__file__).parent
    nodes = [node for path in folder.glob("*.py") for node in ast.walk(ast.parse(path.read_bytes()))]
    read = {
        node.attr
        for node in nodes
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name | ast.Attribute)
        if (node.value.id if isinstance(node.value, ast.Name) else node.value.attr) == "facts"
    }
    assert read & PERSONAL_FACTS <= {fact for facts in FOLLOW_UP.values() for fact in facts}
    assert {"severity", "birth"} <= read


def test_page_and_json_say_the_same_and_need_no_login(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    client = open_protected(monkeypatch, tmp_path, answer=None).test_client()
    page = client.get("/knowledge/source-attributes")
    document = json.loads(client.get("/knowledge/source-attributes.json").data)
    assert page.status_code == 200
    assert [one["service"] for one in document["services"]] == [one.id for one in ENGINE.services]
    for service in document["services"]:
        assert service["intendedUse"] in page.text
        assert service["knownLimits"]
        assert service["review"] == {"status": "draft, not clinically signed", "signatures": [], "overdue": []}
        assert {one["number"] for one in service["attributes"]} == set(range(1, 14))


def test_an_overdue_review_stands_on_the_page(tmp_path: Path) -> None:
    settings = load_settings(database_url=f"sqlite:///{tmp_path}/none.sqlite3")
    app = create_app(settings, clock=lambda: datetime(2028, 1, 1, tzinfo=UTC))
    assert "Overdue: the knowledge as a whole" in app.test_client().get("/knowledge/source-attributes").text
