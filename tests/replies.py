"""What the service answers to the fixture requests on their reference date: for `make fixtures` and for the tests."""

import json
import os
from datetime import UTC, date, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

from flask.testing import FlaskClient

from cds_service.app import create_app
from cds_service.settings import load_settings
from tests.spec.rim import strictly

Json = dict[str, Any]
FOLDER = Path(__file__).resolve().parent.parent / "fhir_fixtures"
SITUATIONS: dict[str, Json] = {
    one["name"]: one for one in json.loads((FOLDER / "situations.json").read_text("utf-8"))["situations"]
}
ORDERING = [name for name, one in SITUATIONS.items() if one["hook"].startswith("order-")]
REFERENCE = date.fromisoformat(json.loads((FOLDER / "situations.json").read_text("utf-8"))["reference"])
ADDRESSES = {
    "order-select": "/cds-services/iv-iron-rls",
    "order-sign": "/cds-services/iv-iron-rls",
    "patient-view": "/cds-services/iv-iron-rls-follow-up",
}
ANY_UUID = "00000000-0000-4000-8000-000000000000"  # stands for the uuids of cards and suggestions, new in every call
_FOLDED = 6  # members nested deeper than this stay on one line: a rule, a code, an identifier each


def open_service(days: int = 0, **settings: Any) -> FlaskClient:
    """A test client of the service, default settings, its clock `days` after the reference date (noon, UTC)."""
    for name in [one for one in os.environ if one.startswith("CDS_") and not one.startswith("CDS_TEST_")]:
        del os.environ[name]
    moment = datetime(REFERENCE.year, REFERENCE.month, REFERENCE.day, 12, tzinfo=UTC) + timedelta(days)
    chosen = {"timezone": "UTC", "database_url": "sqlite://", "log_level": "error", **settings}
    return create_app(load_settings(**chosen), clock=lambda: moment).test_client()


def request_path(name: str) -> Path:
    return FOLDER / "requests" / SITUATIONS[name]["hook"].replace("-", "_") / f"{name}.json"


def reply_path(name: str) -> Path:
    return FOLDER / "responses" / SITUATIONS[name]["hook"].replace("-", "_") / f"{name}.json"


def read_request(name: str) -> Json:
    """A fresh copy, to be changed at will."""
    request: Json = json.loads(request_path(name).read_text("utf-8"))
    return request


def mask(reply: Json) -> Json:
    """The reply with the uuids of cards and suggestions replaced; all else is the same in every call (CH-247)."""
    cards = []
    for card in reply["cards"]:
        masked = {**card, "uuid": ANY_UUID}
        if "suggestions" in card:
            masked["suggestions"] = [{**one, "uuid": ANY_UUID} for one in card["suggestions"]]
        cards.append(masked)
    return {**reply, "cards": cards}


def fold(value: Any, depth: int = 0) -> str:
    """JSON to be read and compared by line: indented down to one rule of the trace or one code, which take a line."""
    if not value or not isinstance(value, dict | list) or depth >= _FOLDED:
        return json.dumps(value, ensure_ascii=False)
    outer, inner = "  " * depth, "  " * (depth + 1)
    if isinstance(value, dict):
        lines = [f"{inner}{json.dumps(key)}: {fold(one, depth + 1)}" for key, one in value.items()]
        return "{\n" + ",\n".join(lines) + f"\n{outer}}}"
    return "[\n" + ",\n".join(inner + fold(one, depth + 1) for one in value) + f"\n{outer}]"


@cache
def answer(name: str) -> Json:
    """The reply to one situation. Raises `AssertionError` naming it if it is not answered with 200."""
    body = request_path(name).read_bytes()
    found = _client().post(ADDRESSES[SITUATIONS[name]["hook"]], data=body, content_type="application/json")
    assert found.status_code == 200, f"{name} is answered with {found.status_code}: {found.text}"
    reply: Json = strictly(found)
    return reply


@cache
def _client() -> FlaskClient:
    return open_service()


def answers() -> dict[str, Json]:
    """Replies by name of the situation. Raises `AssertionError` naming the first that is not answered with 200."""
    return {name: answer(name) for name in SITUATIONS}


def write_replies() -> None:
    """Writes fhir_fixtures/responses/ anew; replies of situations that are gone are deleted."""
    kept = set()
    for name, reply in answers().items():
        path = reply_path(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(fold(mask(reply)) + "\n", encoding="utf-8")
        kept.add(path)
    for path in set((FOLDER / "responses").rglob("*.json")) - kept:
        path.unlink()


def ask(client: FlaskClient, request: Json) -> Json:
    """The reply to a call that must be answered with 200."""
    answer = client.post(ADDRESSES[request["hook"]], json=request)
    assert answer.status_code == 200, answer.text
    reply: Json = answer.get_json()
    return reply


def topics(reply: Json) -> list[str]:
    """Conclusions of the cards, in order."""
    return [card["source"]["topic"]["code"] for card in reply["cards"]]


def trace(reply: Json) -> Json:
    """The decision trace of a reply."""
    found: Json = reply["extension"]["org.iv-iron-rls.decision-trace"]
    return found


def suggestions(reply: Json) -> list[Json]:
    """Of all cards."""
    return [one for card in reply["cards"] for one in card.get("suggestions", ())]


def actions(reply: Json) -> list[Json]:
    """Of all suggestions of all cards."""
    return [action for one in suggestions(reply) for action in one["actions"]]
