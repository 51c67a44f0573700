"""The HTTP rim with a pipeline of our choosing: transport is tested without a clinical rule."""

import json
import os
from collections.abc import Callable, Iterator, Mapping
from types import SimpleNamespace
from typing import Any

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from cds_service import assembly, services
from cds_service.app import create_app
from cds_service.card_parts import Profile
from cds_service.discovery import Service
from cds_service.settings import load_settings
from cds_service.sign_off import UNSIGNED

Json = dict[str, Any]
INSTANCE = "d1577c69-dfbe-44ad-ba6d-3e05e953b2ea"
TOKEN = "token-5c1e9b-must-never-be-seen"
PATIENT = "patient-7d3-must-never-be-seen"
CALL = "/cds-services/one"
PREFETCH = {"patient": "Patient/{{context.patientId}}"}
SERVICES = (
    Service("one", "order-select", "One", "Answers order-select.", "None.", PREFETCH),
    Service("one", "order-sign", "One", "Answers order-sign.", "None.", PREFETCH),
    Service("two", "patient-view", "Two", "Answers patient-view.", "None.", PREFETCH),
)
CARD = {
    "summary": "Something to say",
    "indicator": "info",
    "source": {"label": "A guideline"},
}


def reply(cards: list[Json] | None = None, extension: Json | None = None) -> Any:
    """As much of a Reply as the rim reads."""
    return SimpleNamespace(
        cards=cards or [], extension=extension, outcome="tested", decisions=(), suppressed=(), view=None
    )


def fake_engine(offered: tuple[Service, ...] = SERVICES) -> Any:
    """As much of an Engine as the rim reads."""
    stamp = SimpleNamespace(version="0.0", digest="0")
    demo_client = assembly.Client("demo", Profile(), "us", None)
    return SimpleNamespace(
        services=offered,
        canonical="http://localhost",
        demo_client=demo_client,
        shop=SimpleNamespace(stamp=stamp),
        sign_off=UNSIGNED,
    )


def open_rim(
    monkeypatch: pytest.MonkeyPatch,
    answer: Callable[..., Any] = lambda *_: reply(),
    offered: tuple[Service, ...] = SERVICES,
    **settings: Any,
) -> FlaskClient:
    """A test client of the app, with `answer` in place of the pipeline and no setting from the environment."""
    for name in [one for one in os.environ if one.startswith("CDS_") and not one.startswith("CDS_TEST_")]:
        monkeypatch.delenv(name)
    engine = fake_engine(offered)
    monkeypatch.setattr(assembly, "build_engine", lambda _: engine)
    monkeypatch.setattr(services, "answer", answer)
    return create_app(load_settings(**settings)).test_client()


def raises(error: Exception) -> Callable[..., Any]:
    """A pipeline that fails."""

    def answer(*_: Any) -> Any:
        raise error

    return answer


def draft(resource_type: str = "MedicationRequest", name: str = "iron") -> Json:
    return {
        "resourceType": resource_type,
        "id": name,
        "status": "draft",
        "subject": {"reference": f"Patient/{PATIENT}"},
    }


def bundle(*resources: Json) -> Json:
    return {
        "resourceType": "Bundle",
        "entry": [{"resource": resource} for resource in resources],
    }


def order_select(**members: Any) -> Json:
    """A call with one draft order, which is selected. Given members replace those of the body; `...` removes one."""
    context = {
        "userId": "Practitioner/doctor",
        "patientId": PATIENT,
        "selections": ["MedicationRequest/iron"],
        "draftOrders": bundle(draft()),
    }
    return _change({"hook": "order-select", "hookInstance": INSTANCE, "context": context}, members)


def order_sign(**members: Any) -> Json:
    context = {
        "userId": "Practitioner/doctor",
        "patientId": PATIENT,
        "draftOrders": bundle(draft()),
    }
    return _change({"hook": "order-sign", "hookInstance": INSTANCE, "context": context}, members)


def patient_view(**members: Any) -> Json:
    context = {"userId": "Practitioner/doctor", "patientId": PATIENT}
    return _change({"hook": "patient-view", "hookInstance": INSTANCE, "context": context}, members)


def in_context(call: Json, **members: Any) -> Json:
    """The call with members of its context replaced or removed."""
    return {**call, "context": _change(call["context"], members)}


def authorization(**members: Any) -> Json:
    access = {
        "access_token": TOKEN,
        "token_type": "Bearer",
        "expires_in": 30,
        "scope": "user/*.read",
        "subject": "us",
    }
    return _change(access, members)


def _change(message: Json, members: Mapping[str, Any]) -> Json:
    changed = {**message, **members}
    return {name: value for name, value in changed.items() if value is not ...}


def post(client: FlaskClient, body: Json | bytes, path: str = CALL, **extra: Any) -> TestResponse:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    return client.post(path, **{"data": data, "content_type": "application/json", **extra})


def strictly(response: TestResponse) -> Any:
    """The body as RFC 8259 JSON: no NaN, no byte order mark, no duplicate members (CH-001, CH-002, CH-008)."""
    assert response.mimetype == "application/json"
    return json.loads(
        response.data.decode("utf-8"),
        parse_constant=_refuse_constant,
        object_pairs_hook=_unique,
    )


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is no JSON")


def _unique(pairs: list[tuple[str, Any]]) -> Json:
    assert len(dict(pairs)) == len(pairs)
    return dict(pairs)


def values_of(document: Any) -> Iterator[tuple[str, Any]]:
    """Every member and item of a document with its path."""
    steps = (
        document.items() if isinstance(document, dict) else enumerate(document) if isinstance(document, list) else ()
    )
    for step, value in steps:
        yield str(step), value
        yield from ((f"{step}.{path}", deeper) for path, deeper in values_of(value))


def problems(response: TestResponse) -> list[str]:
    """The diagnostics of an OperationOutcome."""
    outcome = strictly(response)
    assert outcome["resourceType"] == "OperationOutcome"
    return [issue.get("diagnostics", "") for issue in outcome["issue"]]
