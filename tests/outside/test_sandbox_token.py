"""A token as the public CDS Hooks Sandbox makes it: ES384 or ES256, `sub` beside the usual claims, `jku` in the header.

The shape is that of its published source; keys and times are ours.
"""

import json
from pathlib import Path

import pytest
from flask.testing import FlaskClient

from cds_service import app as application
from cds_service.trust import PublishedKeys
from tests.spec.protected import SECOND, bearer, claims, header, key_set, open_protected, registry, token
from tests.spec.rim import CALL, order_select, post

ISSUER = "https://sandbox.cds-hooks.org"
KEYS = f"{ISSUER}/.well-known/jwks.json"


def sandbox_token(path: str, algorithm: str = "ES384") -> str:
    head = header(algorithm, jku=KEYS)
    body = claims(path, iss=ISSUER, sub="48163c5e-88b5-4cb3-92d3-23b800caa927", exp=SECOND + 300)
    return token(head, body, algorithm)


@pytest.fixture
def client(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> FlaskClient:
    registry(tmp_path, keys=f'jku = "{KEYS}"', algorithms='["ES384", "ES256"]')
    entry = (tmp_path / "clients.toml").read_text()
    (tmp_path / "clients.toml").write_text(entry.replace("https://ehr.example", ISSUER))
    published = json.dumps(key_set("ES384", "ES256")).encode()
    keys = PublishedKeys(lambda *_: None, lambda url: published if url == KEYS else b"")
    monkeypatch.setattr(application, "published_keys", lambda *_: keys)
    return open_protected(monkeypatch, tmp_path).test_client()


@pytest.mark.parametrize("algorithm", ["ES384", "ES256"])
def test_its_token_opens_discovery_service_and_feedback(client: FlaskClient, algorithm: str) -> None:
    assert client.get("/cds-services", headers=bearer(sandbox_token("/cds-services", algorithm))).status_code == 200
    assert post(client, order_select(), headers=bearer(sandbox_token(CALL, algorithm))).status_code == 200
    path = f"{CALL}/feedback"  # T-20: it signs feedback for the feedback address
    given = {"card": "one", "outcome": "overridden", "outcomeTimestamp": "2026-11-24T12:00:00Z"}
    reply = post(client, {"feedback": [given]}, path, headers=bearer(sandbox_token(path, algorithm)))
    assert reply.status_code == 200


def test_a_reason_without_system_as_it_may_send_is_taken(client: FlaskClient) -> None:
    """T-20: the sandbox leaves the system of an override reason out."""
    path = f"{CALL}/feedback"
    reason = {"reason": {"code": "patient-ineligible"}, "userComment": "synthetic"}
    given = {
        "card": "one",
        "outcome": "overridden",
        "overrideReason": reason,
        "outcomeTimestamp": "2026-11-24T12:00:00.000Z",
    }
    reply = post(client, {"feedback": [given]}, path, headers=bearer(sandbox_token(path)))
    assert reply.status_code == 200
