"""The registry entry of the SMART app: what it may say, and what is made of it."""

from pathlib import Path

import pytest

from cds_service.clients import RegisteredClient, describe, load_registry
from cds_service.errors import ConfigurationError
from cds_service.settings import load_settings
from cds_service.web.smart import find_place, policy, registered_places, scopes_of
from tests.spec.protected import registry

FHIR = 'fhir = [{base = "https://fhir.north.example/r4"}]\n'
SMART = (
    'smart = {client_id = "iron", frame_origins = ["https://ehr.north.example"], '
    'token_origins = ["https://auth.north.example"]}\n'
)


def load(folder: Path, extra: str, profile: str = "") -> RegisteredClient:
    (client,) = load_registry(registry(folder, extra=extra, profile=profile), load_settings()).clients
    return client


def test_an_entry_names_the_app_its_frames_and_its_token_endpoint(tmp_path: Path) -> None:
    client = load(tmp_path, FHIR + SMART)
    assert client.smart is not None
    assert client.smart.token_origins == ("https://auth.north.example",)
    assert client.client.profile.smart
    (line,) = [line for line in describe(client) if "SMART app" in line]
    assert "known as iron, framed by https://ehr.north.example, tokens from https://auth.north.example" in line


def test_without_an_entry_there_is_no_app_and_no_place_to_launch_it_from(tmp_path: Path) -> None:
    client = load(tmp_path, FHIR)
    assert not client.client.profile.smart
    path = registry(tmp_path, extra=FHIR)
    places = registered_places(lambda: load_registry(path, load_settings()))()
    assert find_place(places, "https://fhir.north.example/r4") is None
    assert "frame-ancestors 'none'" in policy(places)


@pytest.mark.parametrize("origin", ["https://auth.north.example/", "https://auth.north.example/token", "auth"])
def test_a_token_origin_that_is_none_is_refused(tmp_path: Path, origin: str) -> None:
    extra = f'smart = {{client_id = "iron", token_origins = ["{origin}"]}}\n'
    with pytest.raises(ConfigurationError, match=r"smart\.token_origins: .* is no origin"):
        load(tmp_path, extra)


@pytest.mark.parametrize(
    ("iss", "is_listed"),
    [
        ("https://fhir.north.example/r4", True),
        ("https://FHIR.north.example:443/r4/", True),
        ("https://fhir.north.example/r4/tenant", False),
        ("https://fhir.north.example", False),
        ("http://fhir.north.example/r4", False),
        ("", False),
    ],
)
def test_only_exactly_listed_servers_can_launch(tmp_path: Path, iss: str, is_listed: bool) -> None:
    path = registry(tmp_path, extra=FHIR + SMART)
    places = registered_places(lambda: load_registry(path, load_settings()))()
    assert (find_place(places, iss) is not None) is is_listed


@pytest.mark.parametrize("follow_up", ["ServiceRequest", "Task", "Appointment"])
def test_the_scopes_name_the_follow_up_resource_of_the_client_and_no_other(tmp_path: Path, follow_up: str) -> None:
    path = registry(tmp_path, extra=FHIR + SMART, profile=f'follow_up = "{follow_up}"')
    (place,) = registered_places(lambda: load_registry(path, load_settings()))()
    for version, ending in ((1, "read"), (2, "rs")):
        scopes = scopes_of(place, version=version).split()
        assert f"patient/{follow_up}.{ending}" in scopes
        assert len(scopes) == len(set(scopes)) == 10
        assert not any("*" in scope or "write" in scope or "offline" in scope for scope in scopes)
