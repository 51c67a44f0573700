"""Settings: defaults, what is refused at start, and their documentation."""

from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from cds_service.errors import ConfigurationError
from cds_service.settings import (
    Settings,
    documented_settings,
    is_loopback,
    load_settings,
    unknown_settings,
)


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in documented_settings():
        monkeypatch.delenv(name.name, raising=False)


def test_without_any_setting_it_is_a_demo_on_loopback() -> None:
    settings = load_settings()
    assert (settings.host, settings.port, settings.is_demo, settings.demo) == (
        "127.0.0.1",
        8000,
        True,
        "",
    )
    assert settings.public_url == settings.canonical == "http://127.0.0.1:8000"


@pytest.mark.parametrize(
    ("environment", "public_url", "canonical"),
    [
        ({"CDS_PORT": "81"}, "http://127.0.0.1:81", "http://127.0.0.1:81"),
        ({"CDS_HOST": "::1"}, "http://[::1]:8000", "http://[::1]:8000"),
        (
            {"CDS_HOST": "0.0.0.0", "CDS_DEMO": "anywhere"},
            "http://127.0.0.1:8000",
            "http://127.0.0.1:8000",
        ),
        (
            {"CDS_PUBLIC_URL": "https://h.example/rls/"},
            "https://h.example/rls",
            "https://h.example/rls",
        ),
        (
            {"CDS_CANONICAL": "https://c.example"},
            "http://127.0.0.1:8000",
            "https://c.example",
        ),
        ({"CDS_PUBLIC_URL": ""}, "http://127.0.0.1:8000", "http://127.0.0.1:8000"),
    ],
)
def test_canonical_follows_public_url_follows_the_address(
    monkeypatch: pytest.MonkeyPatch,
    environment: dict[str, str],
    public_url: str,
    canonical: str,
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    settings = load_settings()
    assert (settings.public_url, settings.canonical) == (public_url, canonical)


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.2", "::1", "localhost"])
def test_demo_mode_listens_on_loopback(host: str) -> None:
    assert load_settings(host=host).host == host


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.5", "ehr.example", "127.0.0.1.example"])
def test_demo_mode_listens_elsewhere_only_if_told_so(host: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"CDS_CLIENTS.*CDS_DEMO=anywhere"):
        load_settings(host=host)
    assert load_settings(host=host, demo="anywhere").host == host
    registry = tmp_path / "clients.toml"
    registry.touch()
    assert not load_settings(host=host, clients=registry).is_demo


WRONG = [
    ("CDS_PORT", "0"),
    (
        "CDS_PORT",
        "tcp://10.0.0.1:80",
    ),  # what Kubernetes sets for a service called "cds"
    ("CDS_PUBLIC_URL", "h.example"),
    ("CDS_PUBLIC_URL", "ftp://h.example"),
    ("CDS_CANONICAL", "https://h.example?x=1"),
    ("CDS_CLIENTS", "/no/such/file"),
    ("CDS_VALUESETS", "/no/such/folder"),
    ("CDS_TIMEZONE", "Middle-earth/Shire"),
    ("CDS_TIMEZONE", "../etc/passwd"),
    ("CDS_LABEL", "uk"),
    ("CDS_DEMO", "yes"),
    ("CDS_FHIR_BASES", "https://a.example,b.example"),
    ("CDS_MAX_BODY_BYTES", "8 MiB"),
    ("CDS_WORKERS", "0"),
    ("CDS_THREADS", "-1"),
    ("CDS_TRACE", "perhaps"),
    ("CDS_LOG_LEVEL", "loud"),
]


@pytest.mark.parametrize(("name", "value"), WRONG)
def test_a_wrong_setting_stops_the_start_and_is_named_once(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(ConfigurationError) as wrong:
        load_settings()
    assert str(wrong.value).startswith(f"{name}: ")
    assert str(wrong.value).count("CDS_") == 1


def test_a_password_is_neither_in_an_error_nor_in_a_repr(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("CDS_DATABASE_URL", "postgresql://user:geheim@db/x")
    assert "geheim" not in repr(load_settings())
    monkeypatch.setenv("CDS_PORT", "geheim")
    with pytest.raises(ConfigurationError) as wrong:
        load_settings()
    assert "geheim" not in str(wrong.value)


def test_lists_are_separated_by_commas(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CDS_DEMO_HOSTS", " Demo.example, other.example,, ")
    monkeypatch.setenv("CDS_FHIR_BASES", "https://a.example/fhir/, https://b.example")
    settings = load_settings()
    assert settings.demo_hosts == ("demo.example", "other.example")
    assert settings.fhir_bases == ("https://a.example/fhir", "https://b.example")


@pytest.mark.parametrize(("text", "value"), [("on", True), ("off", False), ("1", True), ("false", False)])
def test_switches_read_on_and_off(monkeypatch: pytest.MonkeyPatch, text: str, value: bool) -> None:
    monkeypatch.setenv("CDS_TRACE", text)
    assert load_settings().trace is value


def test_settings_are_frozen() -> None:
    with pytest.raises(ValidationError):
        load_settings().port = 1


def test_a_misspelt_setting_is_found() -> None:
    environment = {"CDS_CLIENT": "x", "CDS_PORT": "1", "PATH": "y", "CDSX": "z"}
    assert unknown_settings(environment) == ("CDS_CLIENT",)


def test_every_setting_is_documented_with_its_default() -> None:
    lines = documented_settings()
    assert [line.name for line in lines] == [f"CDS_{name.upper()}" for name in Settings.model_fields]
    assert all(line.meaning.endswith((".", "error")) and len(line.meaning) > 15 for line in lines)
    shown = {line.name: line.default for line in lines}
    assert (shown["CDS_PORT"], shown["CDS_TRACE"], shown["CDS_CLIENTS"]) == (
        "8000",
        "on",
        "",
    )
    assert shown["CDS_PUBLIC_URL"] == "http://<CDS_HOST>:<CDS_PORT>"


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("localhost", True),
        ("::1", True),
        ("127.9.9.9", True),
        ("1.2.3.4", False),
        ("", False),
        ("localhost.", False),
    ],
)
def test_loopback(host: str, expected: bool) -> None:
    assert is_loopback(host) is expected


@pytest.mark.parametrize(
    ("zone", "moment", "day"),
    [
        ("Europe/Berlin", "2026-11-23T23:30:00+00:00", "2026-11-24"),
        ("America/Los_Angeles", "2026-11-24T07:59:00+00:00", "2026-11-23"),
        ("UTC", "2026-11-24T23:59:00+00:00", "2026-11-24"),
    ],
)
def test_r_08a_the_hook_date_is_the_calendar_day_of_the_site(
    monkeypatch: pytest.MonkeyPatch, zone: str, moment: str, day: str
) -> None:
    from datetime import datetime

    from cds_service import services
    from cds_service.app import create_app
    from tests.spec.rim import order_select, post, reply

    asked: list[Any] = []

    def answer(*given: Any) -> Any:
        asked.append(given[4])
        return reply()

    monkeypatch.setattr(services, "answer", answer)
    app = create_app(load_settings(timezone=zone), clock=lambda: datetime.fromisoformat(moment))
    post(app.test_client(), order_select(), "/cds-services/iv-iron-rls")
    assert [one.isoformat() for one in asked] == [day]
