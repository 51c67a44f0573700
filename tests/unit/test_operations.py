"""The log keeps to its allow-list; health answers."""

import json
import logging
from typing import Any

import pytest

from cds_service.operations import (
    ALLOWED_KEYS,
    ForeignRecords,
    build_log,
    describe_fault,
)
from tests.spec.rim import open_rim, order_select, post, strictly

SECRET = "secret-4711"


def entries(capture: pytest.CaptureFixture[bytes]) -> list[dict[str, Any]]:
    return [json.loads(line) for line in capture.readouterr().err.splitlines()]


def test_keys_that_are_not_allowed_are_dropped_and_named(
    capsysbinary: pytest.CaptureFixture[bytes],
) -> None:
    build_log().info("call", hook="order-select", patient=SECRET, body={"name": SECRET})
    (entry,) = entries(capsysbinary)
    assert entry.pop("timestamp").endswith("Z")
    assert entry == {
        "event": "call",
        "level": "info",
        "hook": "order-select",
        "dropped": ["body", "patient"],
    }


@pytest.mark.parametrize(("level", "written"), [("debug", 3), ("info", 2), ("warning", 1), ("error", 0)])
def test_the_log_level_is_kept(capsysbinary: pytest.CaptureFixture[bytes], level: str, written: int) -> None:
    log = build_log(level)
    log.debug("one")
    log.info("two")
    log.warning("three")
    assert len(entries(capsysbinary)) == written


def test_no_allowed_key_is_a_place_for_a_patient() -> None:
    assert not {
        key for key in ALLOWED_KEYS if any(word in key for word in ("patient", "token", "body", "name", "path"))
    }


def test_a_call_is_one_line_that_names_call_and_not_patient(
    monkeypatch: pytest.MonkeyPatch, capsysbinary: pytest.CaptureFixture[bytes]
) -> None:
    client = open_rim(monkeypatch)
    capsysbinary.readouterr()
    response = post(client, order_select())
    (entry,) = entries(capsysbinary)
    assert entry.pop("duration_ms") >= 0
    assert entry.pop("timestamp")
    assert entry == {
        "event": "request",
        "level": "info",
        "request_id": response.headers["X-Request-Id"],
        "method": "POST",
        "route": "/cds-services/<service_id>",
        "status": 200,
        "service": "one",
        "hook": "order-select",
        "hook_instance": order_select()["hookInstance"],
        "outcome": "tested",
        "cards": 0,
    }


def test_health_is_not_logged_unless_asked_for(
    monkeypatch: pytest.MonkeyPatch, capsysbinary: pytest.CaptureFixture[bytes]
) -> None:
    for level, lines in (("info", 0), ("debug", 1)):
        client = open_rim(monkeypatch, log_level=level)
        capsysbinary.readouterr()
        client.get("/livez")
        assert [entry["route"] for entry in entries(capsysbinary)] == ["/livez"] * lines


def test_a_live_process_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    assert strictly(open_rim(monkeypatch).get("/livez")) == {"status": "alive"}


@pytest.mark.parametrize(("has_services", "status"), [(True, 200), (False, 503)])
def test_it_is_ready_when_it_has_something_to_offer(
    monkeypatch: pytest.MonkeyPatch, has_services: bool, status: int
) -> None:
    client = open_rim(monkeypatch) if has_services else open_rim(monkeypatch, offered=())
    assert client.get("/readyz").status_code == status


def _fail() -> None:
    try:
        raise KeyError(SECRET)
    except KeyError as cause:
        raise ValueError(SECRET) from cause


def test_a_fault_is_described_by_types_and_places() -> None:
    with pytest.raises(ValueError, match=SECRET) as caught:
        _fail()
    described = describe_fault(caught.value)
    assert described["exception"] == "ValueError <- KeyError"
    assert any("test_operations.py" in place and place.endswith("_fail") for place in described["frames"])
    assert SECRET not in str(described)


@pytest.mark.parametrize(
    ("name", "reason"),
    [("gunicorn.error", f"about {SECRET}"), ("urllib3.connectionpool", None)],
    ids=["server", "other"],
)
def test_messages_of_other_packages_are_not_repeated(
    capsysbinary: pytest.CaptureFixture[bytes], name: str, reason: str | None
) -> None:
    handler = ForeignRecords(build_log())
    try:
        raise OSError(SECRET)
    except OSError as fault:
        handled = (OSError, fault, fault.__traceback__)
    handler.emit(logging.LogRecord(name, logging.WARNING, "", 0, "about %s", (SECRET,), handled))
    (entry,) = entries(capsysbinary)
    assert (entry["logger"], entry["level"], entry["exception"]) == (
        name,
        "warning",
        "OSError",
    )
    assert entry.get("reason") == reason
