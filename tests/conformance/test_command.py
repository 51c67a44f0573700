"""`cds-service conformance`: what it says first, consent, keys, exit codes, and the three forms of its report."""

import json
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from click.testing import CliRunner
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from cds_service.cli import main
from cds_service.conformance.tokens import load_key
from cds_service.errors import ConfigurationError
from tests.conformance.live import demo_app, serving
from tests.spec.protected import jwk, open_protected, signing_key


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> CliRunner:
    monkeypatch.setenv("COLUMNS", "160")
    return CliRunner()


def test_it_says_that_it_sends_synthetic_data_and_reports_in_three_forms(run: CliRunner, tmp_path: Path) -> None:
    files = tmp_path / "junit.xml", tmp_path / "report.json"
    with serving(demo_app(tmp_path)) as base:
        options = ["--junit", str(files[0]), "--json", str(files[1]), "--all"]
        result = run.invoke(main, ["conformance", f"{base}/cds-services", *options])
    assert result.exit_code == 0, result.output
    assert "synthetic" in result.stderr
    assert result.stdout.count("CH-") >= 256
    report = json.loads(files[1].read_text())
    assert report["passed"] is True
    assert [row["id"] for row in report["rows"]] == [f"CH-{number:03}" for number in range(1, 257)]
    unseen = next(row for row in report["rows"] if row["id"] == "CH-099")
    assert "not visible from outside" in unseen["notObserved"]
    assert "tests/fhir/test_no_token_in_logs.py::" in unseen["notObserved"]
    suites = ET.parse(files[0]).getroot()  # noqa: S314
    assert sum(int(suite.attrib["tests"]) for suite in suites) == 256
    assert sum(int(suite.attrib["failures"]) for suite in suites) == 0


@pytest.mark.parametrize("base", ["http://cds.invalid", "http://127.0.0.1.invalid", "http://127.invalid:8000"])
def test_another_machine_is_asked_only_with_consent(run: CliRunner, base: str) -> None:
    result = run.invoke(main, ["conformance", base])
    assert result.exit_code == 2
    assert "--yes" in result.output


@pytest.mark.parametrize("base", ["cds.example", "ftp://cds.example", "http://"])
def test_what_is_no_address_is_said_so(run: CliRunner, base: str) -> None:
    result = run.invoke(main, ["conformance", base])
    assert result.exit_code == 2
    assert "BASE_URL" in result.output


def test_a_service_that_does_not_answer_is_exit_code_1(run: CliRunner, tmp_path: Path) -> None:
    junit = tmp_path / "junit.xml"
    result = run.invoke(main, ["conformance", "http://127.0.0.1:9", "--junit", str(junit)])
    assert result.exit_code == 1
    assert "CH-013" in result.stdout
    failures = list(ET.parse(junit).getroot().iter("failure"))  # noqa: S314
    assert failures
    assert "no answer" in str(failures[0].text)


def test_a_service_that_asks_for_a_login_is_said_to_and_not_blamed(
    run: CliRunner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with serving(open_protected(monkeypatch, tmp_path, answer=None, log_level="error").wsgi_app) as base:
        result = run.invoke(main, ["conformance", base])
    assert result.exit_code == 1
    assert "discovery asks for a login" in result.stdout
    assert "CH-015" not in result.stdout


def test_a_file_that_is_no_request_is_named(run: CliRunner, tmp_path: Path) -> None:
    file = tmp_path / "request.json"
    file.write_text('{"hook": "patient-view"}')
    result = run.invoke(main, ["conformance", "http://127.0.0.1:9", "--request", str(file)])
    assert result.exit_code == 1
    assert "request.json: is no CDS Hooks request" in result.output


def test_a_key_needs_its_issuer_and_id(run: CliRunner, tmp_path: Path) -> None:
    pem = signing_key("ES384").private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    (tmp_path / "key.pem").write_bytes(pem)
    command = ["conformance", "http://127.0.0.1:9", "--key", str(tmp_path / "key.pem")]
    assert "--issuer" in run.invoke(main, command).output
    assert "--kid" in run.invoke(main, [*command, "--issuer", "https://ehr.example"]).output


@pytest.mark.parametrize("algorithm", ["ES256", "ES384", "RS384"])
def test_keys_are_read_as_pem(tmp_path: Path, algorithm: str) -> None:
    file = tmp_path / "key.pem"
    file.write_bytes(signing_key(algorithm).private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    _, found, kid = load_key(file)
    assert (found, kid) == (algorithm, "")


def test_keys_are_read_as_jwk_with_their_id(tmp_path: Path) -> None:
    from jwt.algorithms import get_default_algorithms

    entry = get_default_algorithms()["ES384"].to_jwk(signing_key("ES384"), as_dict=True)
    file = tmp_path / "key.json"
    file.write_text(json.dumps({"keys": [{**entry, "kid": "one"}]}))
    assert load_key(file)[1:] == ("ES384", "one")


def test_a_public_key_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "key.json"
    file.write_text(json.dumps(jwk()))
    with pytest.raises(ConfigurationError, match="no private key"):
        load_key(file)
