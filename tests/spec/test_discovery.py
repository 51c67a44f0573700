"""Discovery: what the service on offer says of itself (section B of the wire contract)."""

import re
from typing import Any

import pytest
from flask.testing import FlaskClient

from cds_service.app import create_app
from cds_service.contracts import find_mistakes
from cds_service.discovery import Service
from cds_service.settings import load_settings
from tests.spec.rim import (
    PREFETCH,
    open_rim,
    order_select,
    order_sign,
    patient_view,
    post,
    reply,
    strictly,
)

HOOK_VERSIONS = {
    "order-select": "1.0",
    "order-sign": "1.0",
    "patient-view": "1.0",
}  # as on the published hook pages
CALLS = {
    "order-select": order_select,
    "order-sign": order_sign,
    "patient-view": patient_view,
}


@pytest.fixture(scope="module")
def ours() -> FlaskClient:
    """The real services, not a stand-in."""
    return create_app(load_settings()).test_client()


@pytest.fixture(scope="module")
def offered(ours: FlaskClient) -> list[dict[str, Any]]:
    services: list[dict[str, Any]] = strictly(ours.get("/cds-services"))["services"]
    return services


def test_ch_013_ch_014_ch_015_discovery_is_at_its_fixed_address(
    ours: FlaskClient,
) -> None:
    assert ours.get("/cds-services").status_code == 200


def test_ch_013_discovery_answers_behind_a_path_prefix(ours: FlaskClient) -> None:
    assert ours.get("/cds-services", environ_overrides={"SCRIPT_NAME": "/rls"}).status_code == 200


def test_ch_017_ch_021_ch_022_ch_024_ch_026_ch_027_ch_028_ch_034_ch_235_the_document_is_valid(
    ours: FlaskClient,
) -> None:
    document = strictly(ours.get("/cds-services"))
    assert find_mistakes("discovery", document) == ()
    assert find_mistakes("discovery:strict", document) == ()


def test_ch_018_a_server_without_services_says_so(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert open_rim(monkeypatch, offered=()).get("/cds-services").data == b'{"services":[]}'


def test_ch_019_ch_033_ch_065_hooks_are_published_and_current(
    offered: list[dict[str, Any]],
) -> None:
    assert offered
    assert {service["hook"] for service in offered} <= HOOK_VERSIONS.keys()


def test_ch_020_ch_026_services_have_a_title_and_say_what_they_need(
    offered: list[dict[str, Any]],
) -> None:
    assert all(service["title"].strip() and service["usageRequirements"].strip() for service in offered)


def test_ch_023_every_service_on_offer_can_be_called(ours: FlaskClient, offered: list[dict[str, Any]]) -> None:
    for service in offered:
        response = post(ours, CALLS[service["hook"]](), f"/cds-services/{service['id']}")
        assert response.status_code in (200, 412), service["id"]


def test_ch_027_the_version_of_cds_hooks_is_semantic(
    offered: list[dict[str, Any]],
) -> None:
    assert all(re.fullmatch(r"\d+\.\d+\.\d+", service["version"]) for service in offered)


def test_ch_029_hook_versions_are_those_published(
    offered: list[dict[str, Any]],
) -> None:
    assert all(service["hookVersion"] == HOOK_VERSIONS[service["hook"]] for service in offered)


def test_ch_030_no_two_services_share_id_and_hook(
    offered: list[dict[str, Any]],
) -> None:
    pairs = [(service["id"], service["hook"]) for service in offered]
    assert len(pairs) == len(set(pairs))


def test_ch_031_one_id_answers_several_hooks_by_the_hook_in_the_body(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked = []

    def answer(_: Any, service: Service, *__: Any) -> Any:
        asked.append(service.hook)
        return reply()

    client = open_rim(monkeypatch, answer)
    post(client, order_sign())
    post(client, order_select())
    assert asked == ["order-sign", "order-select"]


def test_ch_032_guidance_at_order_sign_replaces_that_at_order_select(
    offered: list[dict[str, Any]],
) -> None:
    ids = {hook: {service["id"] for service in offered if service["hook"] == hook} for hook in HOOK_VERSIONS}
    assert ids["order-sign"] <= ids["order-select"]


def test_ch_079_keys_stand_in_the_order_they_are_written(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    prefetch = {
        "zulu": "Patient/{{context.patientId}}",
        "alpha": PREFETCH["patient"],
        "mike": PREFETCH["patient"],
    }
    service = Service("one", "order-select", "One", "It answers.", "None.", prefetch)
    raw = open_rim(monkeypatch, offered=(service,)).get("/cds-services").data
    assert list(
        strictly(open_rim(monkeypatch, offered=(service,)).get("/cds-services"))["services"][0]["prefetch"]
    ) == [*prefetch]
    assert raw.index(b'"zulu"') < raw.index(b'"alpha"') < raw.index(b'"mike"')


def test_ch_248_ids_and_keys_are_short_and_ascii(offered: list[dict[str, Any]]) -> None:
    for service in offered:
        assert re.fullmatch(r"[a-z0-9-]{1,40}", service["id"])
        assert all(re.fullmatch(r"[a-z][a-z0-9_]{1,30}", key) for key in service["prefetch"])
