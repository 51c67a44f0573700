"""The client registry: what it says, what is refused and in which words, and reloading."""

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from cds_service import cli
from cds_service.clients import Clients, Registry, load_registry
from cds_service.errors import ConfigurationError
from cds_service.operations import build_log
from cds_service.settings import load_settings
from tests.spec.protected import ISSUER, SECRET, clear_environment, jwk, key_set, registry

PRIVATE = {**jwk(), "d": "AAAA"}


@pytest.fixture(autouse=True)
def clean(monkeypatch: pytest.MonkeyPatch) -> None:
    clear_environment(monkeypatch)


def load(path: Path, **settings: Any) -> Registry:
    return load_registry(path, load_settings(**settings))


def write(folder: Path, text: str) -> Path:
    path = folder / "clients.toml"
    path.write_text(text)
    return path


def inline(document: Any) -> str:
    return f"jwks = '{json.dumps(document)}'"


def test_an_entry_becomes_a_client(tmp_path: Path) -> None:
    extra = (
        'audience_bases = ["https://old.example/"]\naudiences = ["odd"]\ntenants = ["t"]\nrequire_tenant = true\n'
        'origins = ["https://app.example"]\ntimezone = "Europe/Berlin"\nlabel = "eu"\n'
        'fhir = [{base = "https://FHIR.example:443/r4/"}, {base = "http://10.0.0.1/r4", allow_http = true, '
        "private_network = true}]\n"
        'smart = {client_id = "app", frame_origins = ["https://ehr.example"]}'
    )
    profile = 'follow_up = "Task"\ncard_limit = 2\ntrace = true\nsuggestions = false\ndeletes = true\nmode = "silent"'
    (client,) = load(registry(tmp_path, extra=extra, profile=profile)).clients
    assert (client.name, client.issuers, client.algorithms) == ("north", (ISSUER,), ("ES384", "RS384"))
    assert [key.kid for key in client.keys] == ["ours-ES384", "ours-RS384"]
    assert (client.audience_bases, client.audiences) == (("https://old.example",), ("odd",))
    assert (client.tenants, client.requires_tenant, client.origins) == (("t",), True, ("https://app.example",))
    assert client.smart is not None
    assert (client.smart.client_id, client.smart.frame_origins) == ("app", ("https://ehr.example",))
    assert (client.client.label, str(client.client.zone)) == ("eu", "Europe/Berlin")
    bases = [(base.url, base.private_network) for base in client.client.fhir_bases]
    assert bases == [("https://fhir.example/r4", False), ("http://10.0.0.1/r4", True)]
    shown = client.client.profile
    assert (shown.follow_up, shown.card_limit, shown.trace, shown.suggestions, shown.deletes) == (
        "Task",
        2,
        True,
        False,
        True,
    )
    assert client.client.live_share == 0


def test_defaults_are_the_cautious_ones(tmp_path: Path) -> None:
    text = f'[[client]]\nname = "north"\nissuers = ["{ISSUER}"]\n[client.keys]\n{inline(key_set())}\n'
    (client,) = load(write(tmp_path, text), label="eu", timezone="Europe/Paris").clients
    assert client.algorithms == ("ES384", "RS384")
    assert not client.client.profile.trace
    assert not client.client.profile.deletes
    assert (client.client.live_share, client.client.fhir_bases, client.origins) == (100, (), ())
    assert (client.client.label, str(client.client.zone)) == ("eu", "Europe/Paris")


WRONG: tuple[tuple[str, dict[str, str], str], ...] = (
    ("misspelt member", {"extra": 'tenant = ["a"]'}, "client north: tenant: there is no such setting"),
    (
        "misspelt member of the profile",
        {"profile": "tracing = true"},
        "client north: profile.tracing: there is no such",
    ),
    ("a text for a number", {"profile": 'card_limit = "3"'}, "profile.card_limit"),
    ("unknown follow-up", {"profile": 'follow_up = "Letter"'}, "'ServiceRequest', 'Task' or 'Appointment'"),
    ("share above 100", {"profile": "live_share = 101"}, "profile.live_share"),
    ("staged rollout without a key", {"profile": "live_share = 50"}, "CDS_PSEUDONYM_KEY"),
    ("algorithm none", {"algorithms": '["none"]'}, "none: not allowed; choose from ES256"),
    ("symmetric algorithm", {"algorithms": '["HS256"]'}, "HS256: not allowed"),
    ("no algorithm", {"algorithms": "[]"}, "algorithms"),
    ("time zone", {"extra": 'timezone = "Mars/Base"'}, "no IANA time zone"),
    ("origin with a path", {"extra": 'origins = ["https://a.example/"]'}, "is no origin"),
    ("origin wildcard", {"extra": 'origins = ["*"]'}, "is no origin"),
    ("tenants required, none listed", {"extra": "require_tenant = true"}, "list the tenants"),
    ("FHIR base without encryption", {"extra": 'fhir = [{base = "http://a.example/r4"}]'}, "say allow_http = true"),
    ("FHIR base with a user", {"extra": 'fhir = [{base = "https://u@a.example/r4"}]'}, "URL"),
    ("no keys", {"keys": "allow_http = true"}, "name the keys: jwks"),
    ("jku without encryption", {"keys": 'jku = "http://a.example/keys"'}, "say allow_http = true"),
    ("key file missing", {"keys": 'file = "nowhere.json"'}, "nowhere.json cannot be read"),
    ("key set no JSON", {"keys": 'jwks = "{"'}, "it is not JSON"),
    ("no key set", {"keys": 'jwks = "{}"'}, "no JWK Set"),
    ("empty key set", {"keys": inline({"keys": []})}, "no key in it"),
    ("private key", {"keys": inline({"keys": [PRIVATE]})}, "only public keys belong here"),
    ("shared secret", {"keys": inline({"keys": [{"kty": "oct", "kid": "a", "k": "AAAA"}]})}, "private or secret"),
    ("key without kid", {"keys": inline({"keys": [{**jwk(), "kid": ""}]})}, "has no kid"),
    ("key to encrypt", {"keys": inline({"keys": [jwk(use="enc")]})}, "not meant for signatures"),
    ("key not to verify", {"keys": inline({"keys": [jwk(key_ops=["sign"])]})}, "not meant for signatures"),
    ("alg of another type", {"keys": inline({"keys": [jwk(alg="RS256")]})}, "alg does not fit its type"),
    ("alg of another curve", {"keys": inline({"keys": [jwk(alg="ES256")]})}, "alg does not fit its type"),
    ("point not on the curve", {"keys": inline({"keys": [jwk(x=jwk()["y"])]})}, "no public key"),
    ("coordinate too short", {"keys": inline({"keys": [jwk(x="AAAA")]})}, "no public key"),
    ("coordinate no text", {"keys": inline({"keys": [jwk(x=1)]})}, "no public key"),
    ("curve unknown", {"keys": inline({"keys": [jwk(crv="secp256k1")]})}, "neither RSA nor EC"),
    ("kid twice", {"keys": inline({"keys": [jwk(), jwk()]})}, "same kid"),
    ("key of no allowed algorithm", {"algorithms": '["RS384"]'}, "fits none of this client's algorithms"),
)


@pytest.mark.parametrize(("what", "parts", "words"), WRONG, ids=[what for what, *_ in WRONG])
def test_a_mistake_is_named_with_its_client(tmp_path: Path, what: str, parts: dict[str, str], words: str) -> None:
    with pytest.raises(ConfigurationError) as wrong:
        load(registry(tmp_path, **parts))
    assert words in str(wrong.value), what
    assert "north" in str(wrong.value)
    assert str(tmp_path / "clients.toml") in str(wrong.value)
    assert jwk()["x"] not in str(wrong.value)


def test_a_weak_rsa_key_is_refused(tmp_path: Path) -> None:
    weak = {
        "kty": "RSA",
        "kid": "weak",
        "n": "sXchDaQebHnPiGvyDOAT4saGEUetSyo9MKLOoWFsueri23bOdgWp4Dy1WlUzewbg",
        "e": "AQAB",
    }
    with pytest.raises(ConfigurationError, match="RSA keys need 2048"):
        load(registry(tmp_path, keys=inline({"keys": [weak]})))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "client"),
        ("client = 1", "client"),
        ("[[client]]\n", "client number 1: name"),
        ("[[client", "is not TOML"),
    ],
)
def test_a_file_that_is_no_registry_is_refused(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(ConfigurationError, match=words):
        load(write(tmp_path, text))


def test_an_issuer_belongs_to_one_client(tmp_path: Path) -> None:
    text = registry(tmp_path).read_text()
    with pytest.raises(ConfigurationError, match=r"issuers: https://ehr\.example occurs twice"):
        load(write(tmp_path, text + text.replace("north", "south")))


def test_a_staged_rollout_works_with_a_key(tmp_path: Path) -> None:
    (client,) = load(registry(tmp_path, profile="live_share = 50"), pseudonym_key=SECRET).clients
    assert client.client.live_share == 50


def test_a_broken_new_file_leaves_the_old_registry_in_force(
    tmp_path: Path, capsysbinary: pytest.CaptureFixture[bytes]
) -> None:
    path = registry(tmp_path)
    clients = Clients(lambda: load(path), build_log())
    before = clients.registry
    path.write_text("[[client")
    assert not clients.reload()
    assert clients.registry is before
    entry = json.loads(capsysbinary.readouterr().err.splitlines()[-1])
    assert entry["level"] == "error"
    assert "is not TOML" in entry["reason"]


def test_a_good_new_file_is_taken_over(tmp_path: Path) -> None:
    path = registry(tmp_path)
    clients = Clients(lambda: load(path), build_log())
    registry(tmp_path, extra='tenants = ["new"]')
    assert clients.reload()
    assert clients.registry.clients[0].tenants == ("new",)


def test_check_shows_what_the_registry_says(tmp_path: Path) -> None:
    path = registry(tmp_path, extra='tenants = ["t"]')
    result = CliRunner().invoke(cli.main, ["clients", "check", str(path)])
    assert result.exit_code == 0, result.output
    for words in ("is in order", "north", ISSUER, "ours-ES384", "ES384, RS384", "live"):
        assert words in result.output


def test_check_names_what_is_wrong(tmp_path: Path) -> None:
    result = CliRunner().invoke(cli.main, ["clients", "check", str(registry(tmp_path, profile="live_share = 50"))])
    assert result.exit_code == 1
    assert "CDS_PSEUDONYM_KEY" in result.output


def test_check_without_a_file_says_which_setting() -> None:
    assert "CDS_CLIENTS" in CliRunner().invoke(cli.main, ["clients", "check"]).output
