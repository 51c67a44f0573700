"""What is logged and stored at debug level holds no token, no patient and no comment, whatever is sent."""

import json
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from flask import Flask

from cds_service.errors import PreconditionFailed
from tests.spec.protected import bearer, claims, header, open_protected, registry, token
from tests.spec.rim import (
    CALL,
    CARD,
    PATIENT,
    TOKEN,
    authorization,
    in_context,
    order_select,
    post,
    raises,
    reply,
)

COMMENT = "comment-3b1-must-never-be-seen"
NAME = "Name-9f2-must-never-be-seen"
CARDS = [{**CARD, "uuid": "0f1d6c1e-5a7b-4c55-9b5e-3f6a3f1f0001", "detail": NAME}]
SECRETS = (TOKEN, PATIENT, COMMENT, NAME)


def patient_call() -> dict[str, Any]:
    person = {"resourceType": "Patient", "id": PATIENT, "name": [{"family": NAME}]}
    return order_select(
        prefetch={"patient": person}, fhirServer="https://fhir.example/r4", fhirAuthorization=authorization()
    )


def feedback() -> dict[str, Any]:
    item = {
        "card": CARDS[0]["uuid"],
        "outcome": "overridden",
        "overrideReason": {"userComment": COMMENT},
        "outcomeTimestamp": "2026-11-24T09:30:00Z",
    }
    return {"feedback": [item, {**item, "outcome": COMMENT}, {**item, "card": ["x"]}, COMMENT]}


PIPELINES: tuple[tuple[str, Any], ...] = (
    ("cards", lambda *_: reply(CARDS)),
    ("412", raises(PreconditionFailed(("ferritin",), "no ferritin"))),
    ("fault that quotes the patient", raises(KeyError(PATIENT, NAME, TOKEN))),
)


def send_everything(app: Flask) -> list[str]:
    """Good and bad calls; returns the tokens used."""
    client, used = app.test_client(), []

    def go(body: Any, path: str = CALL, value: str | None = None) -> None:
        used.append(value or token(body=claims(path)))
        post(client, body, path, headers=bearer(used[-1]))

    go(patient_call())
    go(in_context(patient_call(), patientId=f"{PATIENT}/x"))
    go({**patient_call(), "hook": PATIENT})
    go({**patient_call(), "hook": 1, "prefetch": {NAME: 1}, "extension": {PATIENT: 1}})
    go(json.dumps(patient_call()).encode()[:-40])
    go(feedback(), f"{CALL}/feedback")
    go({"feedback": COMMENT}, f"{CALL}/feedback")
    go(patient_call(), f"/cds-services/{PATIENT}")
    go(patient_call(), f"/cds-services/{PATIENT}", token())
    go(patient_call(), value=used[0])
    go(patient_call(), value=token(name="theirs"))
    go(patient_call(), value=token(header(kid=TOKEN), claims(iss=PATIENT, sub=NAME)))
    go(patient_call(), value=token(body=claims(aud=NAME, tenant=PATIENT)))
    go(patient_call(), value=f"{TOKEN}.{TOKEN}.{TOKEN}")
    client.get(f"/nowhere/{PATIENT}?name={NAME}", headers={"User-Agent": NAME, "Referer": f"https://x/{PATIENT}"})
    client.get("/cds-services", headers={"Authorization": TOKEN, "Cookie": TOKEN})
    return used


@pytest.mark.parametrize(("what", "answer"), PIPELINES, ids=[what for what, _ in PIPELINES])
def test_ch_219_ch_192_log_and_store_name_no_patient_token_or_comment(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes], what: str, answer: Any
) -> None:
    registry(tmp_path)
    app = open_protected(monkeypatch, tmp_path, answer, log_level="debug")
    used = send_everything(app)
    app.extensions["cds_service.store"].close()
    captured = capfdbinary.readouterr()
    log = captured.out + captured.err
    stored = b"".join(file.read_bytes() for file in tmp_path.glob("store.sqlite3*"))
    assert log.count(b'"event":"request"') == len(used) + 2, what
    assert stored
    for secret in (*SECRETS, *used, *(part for value in used for part in value.split("."))):
        assert secret.encode() not in log, (what, secret)
        assert secret.encode() not in stored, (what, secret)


def test_a_call_is_accounted_for_without_naming_the_patient(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    """CH-221: issuer, tenant, hookInstance and outcome of each call."""
    app = open_protected(monkeypatch, tmp_path, lambda *_: reply(CARDS))
    body = claims(tenant="t")
    post(app.test_client(), patient_call(), headers=bearer(token(body=body)))
    entry = json.loads(capfdbinary.readouterr().err.splitlines()[-1])
    for member, value in {
        "iss": body["iss"],
        "jti": body["jti"],
        "tenant": "t",
        "client": "north",
        "outcome": "tested",
    }.items():
        assert entry[member] == value
    assert entry["hook_instance"] == patient_call()["hookInstance"]


@pytest.mark.parametrize(
    ("settings", "is_kept"), [({}, True), ({"keep_pseudonym": False}, False), ({"pseudonym_key": None}, False)]
)
def test_the_pseudonym_can_be_switched_off(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, settings: dict[str, Any], is_kept: bool
) -> None:
    import sqlite3

    app = open_protected(monkeypatch, tmp_path, **settings)
    post(app.test_client(), patient_call(), headers=bearer(token()))
    app.extensions["cds_service.store"].close()
    with closing(sqlite3.connect(tmp_path / "store.sqlite3")) as kept:
        ((found,),) = kept.execute("SELECT pseudonym FROM calls").fetchall()
    assert (found is not None) is is_kept
