"""Protected mode: what each path answers without a token, CORS, security headers, silent mode, start-up."""

import json
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from flask import Flask

from cds_service.errors import ConfigurationError, PreconditionFailed
from cds_service.records import is_live, pseudonym
from tests.spec.protected import (
    PUBLIC,
    SECRET,
    bearer,
    claims,
    open_protected,
    registry,
    token,
)
from tests.spec.rim import CALL, CARD, PATIENT, in_context, order_select, post, raises, reply, strictly

# Who may call in protected mode: rule of the URL map -> status without a token, asked from another machine.
# `None` is anyone's.
LOCKED, OPERATOR, OPEN = 401, 404, None
TABLE: dict[str, int | None] = {
    "/cds-services": LOCKED,
    "/cds-services/<service_id>": LOCKED,
    "/cds-services/<service_id>/feedback": LOCKED,
    "/livez": OPEN,
    "/readyz": OPEN,
    "/metrics": OPERATOR,
}
OPEN_PREFIXES = ("/fhir", "/smart", "/knowledge", "/services", "/openapi.json", "/static")
ABSENT = ("/", "/demo", "/demo/requests", "/demo/fhir/metadata", "/demo/fhir/Patient")
CARDS = [{**CARD, "uuid": "0f1d6c1e-5a7b-4c55-9b5e-3f6a3f1f0001"}]
ORIGIN = "https://app.example"


@pytest.fixture
def app(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Flask:
    registry(tmp_path, extra=f'origins = ["{ORIGIN}"]')
    return open_protected(monkeypatch, tmp_path, lambda *_: reply(CARDS))


def test_every_path_is_in_the_table_of_who_may_call(app: Flask) -> None:
    rules = {str(rule) for rule in app.url_map.iter_rules()}
    unlisted = {rule for rule in rules if rule not in TABLE and not rule.startswith(OPEN_PREFIXES)}
    assert unlisted == set(), "say in the table who may call these in protected mode"
    assert set(TABLE) <= rules


def test_without_a_token_each_path_answers_as_the_table_says(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    app = open_protected(monkeypatch, tmp_path, answer=None)
    client = app.test_client()
    for rule in app.url_map.iter_rules():
        path = str(rule).replace("<service_id>", "one").replace("<", "").replace(">", "")
        for method in (rule.methods or set()) - {"OPTIONS"}:
            elsewhere = {"REMOTE_ADDR": "10.0.0.7"}
            response = client.open(
                path, method=method, data=b"{}", content_type="application/json", environ_overrides=elsewhere
            )
            if (expected := TABLE.get(str(rule), OPEN)) is not None:
                assert response.status_code == expected, (method, path)
            else:
                assert response.status_code not in (401, 403, 500), (method, path)


@pytest.mark.parametrize("path", ["/cds-services/unknown", "/cds-services/unknown/feedback"])
def test_without_a_token_nobody_learns_which_services_exist(app: Flask, path: str) -> None:
    assert post(app.test_client(), {}, path).status_code == 401


@pytest.mark.parametrize("path", ABSENT)
def test_the_demo_is_not_there(app: Flask, path: str) -> None:
    assert app.test_client().get(path).status_code == 404


def test_any_host_name_is_answered(app: Flask) -> None:
    """A proxy in front keeps or changes it; nothing depends on it."""
    headers = {**bearer(token()), "Host": "cds.hospital.example"}
    assert post(app.test_client(), order_select(), headers=headers).status_code == 200


# --- CORS


def preflight(app: Flask, origin: str, path: str = CALL) -> Any:
    asks = {"Origin": origin, "Access-Control-Request-Method": "POST"}
    return app.test_client().options(path, headers=asks)


@pytest.mark.parametrize("path", ["/cds-services", CALL, f"{CALL}/feedback"])
def test_ch_227_preflight_of_a_listed_origin_needs_no_token(app: Flask, path: str) -> None:
    response = preflight(app, ORIGIN, path)
    assert response.status_code in (200, 204)
    assert response.headers["Access-Control-Allow-Origin"] == ORIGIN
    assert "Authorization" in response.headers["Access-Control-Allow-Headers"]
    assert "Access-Control-Allow-Credentials" not in response.headers


@pytest.mark.parametrize(
    "origin", ["https://other.example", "null", ORIGIN + ".evil.example", "http://app.example", "*"]
)
def test_ch_229_a_foreign_origin_gets_no_header(app: Flask, origin: str) -> None:
    for response in (preflight(app, origin), post(app.test_client(), {}, headers={"Origin": origin})):
        assert not [name for name, _ in response.headers if name.startswith("Access-Control")]
        assert "Origin" in response.headers["Vary"]


def test_ch_228_answers_and_refusals_carry_the_header(app: Flask) -> None:
    for extra, status in (({}, 401), (bearer(token()), 200)):
        response = post(app.test_client(), order_select(), headers={"Origin": ORIGIN, **extra})
        assert (response.status_code, response.headers["Access-Control-Allow-Origin"]) == (status, ORIGIN)


@pytest.mark.parametrize(("path", "status"), [("/cds-services", 401), ("/nowhere", 404), ("/livez", 200)])
def test_browsers_are_told_to_be_careful(app: Flask, path: str, status: int) -> None:
    response = app.test_client().get(path)
    assert response.status_code == status
    assert response.headers["X-Content-Type-Options"] == "nosniff"
    assert response.headers["Cache-Control"] == "no-store"
    assert "frame-ancestors 'none'" in response.headers["Content-Security-Policy"]
    assert response.headers["Strict-Transport-Security"]  # the public URL is https


def test_discovery_is_what_the_client_can_use(app: Flask) -> None:
    response = app.test_client().get("/cds-services", headers=bearer(token(body=claims("/cds-services"))))
    assert [one["id"] for one in strictly(response)["services"]] == ["one", "one", "two"]


# --- silent mode and staged rollout


def call(app: Flask, body: Any = None) -> Any:
    return post(app.test_client(), body or order_select(), headers=bearer(token()))


def test_silent_mode_decides_records_and_shows_nothing(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsysbinary: pytest.CaptureFixture[bytes]
) -> None:
    import sqlite3

    registry(tmp_path, profile='mode = "silent"\ntrace = true')
    app = open_protected(monkeypatch, tmp_path, lambda *_: reply(CARDS, {"org.example": {"a": 1}}))
    assert strictly(call(app)) == {"cards": []}
    entry = json.loads(capsysbinary.readouterr().err.splitlines()[-1])
    assert (entry["mode"], entry["cards"]) == ("silent", 1)
    app.extensions["cds_service.store"].close()
    with closing(sqlite3.connect(tmp_path / "store.sqlite3")) as kept:
        assert kept.execute("SELECT uuid FROM cards").fetchall() == [(CARDS[0]["uuid"],)]
        assert kept.execute("SELECT shown, client FROM calls").fetchall() == [(0, "north")]


@pytest.mark.parametrize(
    ("error", "status"), [(PreconditionFailed(("ferritin",), "no ferritin"), 412), (KeyError("x"), 500)]
)
def test_silent_mode_withholds_no_error(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, error: Exception, status: int
) -> None:
    registry(tmp_path, profile='mode = "silent"')
    app = open_protected(monkeypatch, tmp_path, raises(error))
    assert call(app).status_code == status
    assert call(app, {"hook": "x"}).status_code == 400


def test_a_patient_stays_on_one_side_of_a_staged_rollout(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    registry(tmp_path, profile="live_share = 50")
    app = open_protected(monkeypatch, tmp_path, lambda *_: reply(CARDS))
    sides = set()
    for number in range(12):
        body = in_context(order_select(), patientId=f"synthetic-{number}")
        shown = {len(strictly(call(app, body))["cards"]) for _ in range(2)}
        assert len(shown) == 1
        sides |= shown
    assert sides == {0, 1}


def test_who_is_live_stays_live_when_the_share_grows() -> None:
    names = [pseudonym(SECRET.encode(), "north", f"p-{number}") for number in range(1000)]
    for share in (1, 30, 99):
        live = {name for name in names if is_live(share, name)}
        assert abs(len(live) - 10 * share) < 60
        assert live <= {name for name in names if is_live(share + 1, name)}
    assert not any(is_live(0, name) for name in names)
    assert all(is_live(100, name) for name in [*names, None])
    assert not is_live(99, None)


def test_a_pseudonym_needs_the_key_and_the_client() -> None:
    name = pseudonym(b"k", "north", PATIENT)
    assert name == pseudonym(b"k", "north", PATIENT)
    assert len({name, pseudonym(b"l", "north", PATIENT), pseudonym(b"k", "south", PATIENT)}) == 3
    assert PATIENT not in name


# --- start-up


def test_it_does_not_start_without_tables(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    registry(tmp_path)
    with pytest.raises(ConfigurationError, match="cds-service migrate"):
        open_protected(monkeypatch, tmp_path, database_url=f"sqlite:///{tmp_path / 'none.sqlite3'}")


def test_it_does_not_start_with_a_broken_registry(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "clients.toml").write_text("[[client")
    with pytest.raises(ConfigurationError, match="is not TOML"):
        open_protected(monkeypatch, tmp_path)


def test_the_public_url_counts_and_not_the_address(app: Flask) -> None:
    """CH-206: behind a proxy with a path prefix."""
    assert PUBLIC.endswith("/rls")
    assert call(app).status_code == 200
