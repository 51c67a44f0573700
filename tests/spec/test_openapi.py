"""`/openapi.json`: says what is true, and requests made from it by schemathesis are answered as it says."""

import json
from tempfile import TemporaryDirectory
from typing import Any

import pytest
import schemathesis
from flask import Flask
from hypothesis import HealthCheck, settings
from jsonschema import Draft202012Validator
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from cds_service.store import migrating
from tests.replies import ADDRESSES, SITUATIONS, open_service, read_request, reply_path
from tests.spec.rim import Json, strictly

PAGES = ("/static", "/knowledge", "/services", "/smart", "/demo", "/openapi.json", "/metrics", "/")


@pytest.fixture(scope="module")
def document() -> Json:
    return strictly(open_service().get("/openapi.json"))


def schema_of(document: Json, name: str) -> Draft202012Validator:
    return Draft202012Validator({"$ref": f"#/components/schemas/{name}", "components": document["components"]})


def test_every_component_is_a_sound_schema_that_resolves(document: Json) -> None:
    for name in document["components"]["schemas"]:
        Draft202012Validator.check_schema(document["components"]["schemas"][name])
        list(schema_of(document, name).iter_errors({}))  # a reference to nowhere would raise
    assert "urn:cds-hooks-checklist" not in json.dumps(document)


@pytest.mark.parametrize("name", SITUATIONS)
def test_requests_and_replies_on_file_fit_the_document(document: Json, name: str) -> None:
    assert not list(schema_of(document, "HookRequest").iter_errors(read_request(name)))
    assert not list(schema_of(document, "HookResponse").iter_errors(json.loads(reply_path(name).read_text("utf-8"))))


def test_a_broken_card_does_not_fit(document: Json) -> None:
    card = {"summary": "x" * 140, "indicator": "info", "source": {"label": "A guideline"}}
    assert list(schema_of(document, "HookResponse").iter_errors({"cards": [card]}))


def test_discovery_fits_the_document(document: Json) -> None:
    offered = strictly(open_service().get("/cds-services"))
    assert not list(schema_of(document, "Discovery").iter_errors(offered))
    named = document["paths"]["/cds-services/{id}"]["parameters"][0]["schema"]["enum"]
    assert named == sorted({one["id"] for one in offered["services"]})
    assert {f"/cds-services/{one}" for one in named} == set(ADDRESSES.values())


def test_every_address_for_programs_is_in_the_document(document: Json) -> None:
    app = open_service().application
    rules = {str(rule).replace("<service_id>", "{id}") for rule in app.url_map.iter_rules()}
    rules = {one.replace("<resource_type>", "{type}").replace("<resource_id>", "{id}") for one in rules}
    listed = {one for one in rules if one != "/" and not one.startswith(PAGES[:-1])}
    assert listed == set(document["paths"])


def test_only_protected_mode_asks_for_a_token(document: Json) -> None:
    assert "securitySchemes" not in document["components"]


FOLDER = TemporaryDirectory(prefix="described-")  # schemathesis wants the document while tests are collected


def open_described() -> Flask:
    url = f"sqlite:///{FOLDER.name}/store.sqlite3"
    migrating.migrate(url)
    return open_service(database_url=url).application


SCHEMA = schemathesis.openapi.from_wsgi("/openapi.json", open_described())
CHECKS: list[Any] = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
]


@SCHEMA.parametrize()
@settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
def test_requests_made_from_the_document_are_answered_as_it_says(case: Any) -> None:
    case.call_and_validate(checks=CHECKS)
