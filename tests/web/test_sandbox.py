"""The public CDS Hooks Sandbox, replayed by a page of another origin: preflight, ES384 tokens, its shapes, feedback."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from flask import Flask, Response, send_from_directory
from jwt.algorithms import ECAlgorithm
from playwright.sync_api import Page, expect

from cds_service.app import create_app
from cds_service.settings import load_settings
from cds_service.store import migrating
from tests.spec.protected import jwk, protected_settings, signing_key
from tests.web.smart_browser import needs_chromium, watch
from tests.web.smart_ehr import NOON, listen, open_demo, read_noon

pytestmark = [needs_chromium, pytest.mark.slow]
Json = dict[str, Any]
PAGE = Path(__file__).parent / "sandbox"
KEY_SET = ".well-known/jwks.json"
SECOND = int(NOON.timestamp())


@dataclass(frozen=True, slots=True)
class Site:
    """Three origins: the Sandbox, its FHIR server (the demo one), and the service under test."""

    sandbox: str
    fhir: str
    service: str
    database: Path


def build_page() -> Flask:
    """The Sandbox as static files."""
    page = Flask("sandbox", static_folder=None)

    @page.get("/")
    def index() -> Response:
        return send_from_directory(PAGE, "index.html")

    @page.get(f"/{KEY_SET}")
    def keys() -> Json:
        return {"keys": [jwk("ES384")]}

    @page.get("/<path:name>")
    def file(name: str) -> Response:
        return send_from_directory(PAGE, name)

    return page


def open_service(mode: str, folder: Path, address: str, sandbox: str) -> Flask:
    """Demo mode takes anyone; in protected mode the Sandbox is a registered client with its key and origin."""
    database = f"sqlite:///{folder}/store.sqlite3"
    if mode == "demo":
        migrating.migrate(database)
        settings = load_settings(public_url=address, timezone="UTC", database_url=database, log_level="error")
        return create_app(settings, clock=read_noon)
    (folder / "clients.toml").write_text(
        f'[[client]]\nname = "sandbox"\nissuers = ["{sandbox}"]\nalgorithms = ["ES384"]\norigins = ["{sandbox}"]\n'
        f'[client.keys]\njku = "{sandbox}/{KEY_SET}"\nallow_http = true\n'
    )
    return create_app(
        protected_settings(folder, public_url=address, timezone="UTC", log_level="error"), clock=read_noon
    )


@pytest.fixture(params=["demo", "protected"])
def site(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Site]:
    with listen() as (sandbox, page), listen() as (data, fhir), listen() as (service, late):
        page.app, fhir.app = build_page(), open_demo(data)
        late.app = open_service(request.param, tmp_path, service, sandbox)
        yield Site(sandbox, f"{data}/demo/fhir", service, tmp_path / "store.sqlite3")


def begin(page: Page, site: Site, patient: str) -> None:
    private = json.loads(ECAlgorithm.to_jwk(signing_key("ES384")))
    given = {
        "service": site.service,
        "fhir": site.fhir,
        "patient": patient,
        "user": "Practitioner/COREPRACTITIONER1",
        "now": SECOND,
        "jwk": {**{name: private[name] for name in ("kty", "crv", "x", "y", "d")}, "kid": "ours-ES384"},
    }
    page.goto(site.sandbox)
    page.wait_for_function("() => Boolean(globalThis.sandbox)")
    page.evaluate("(given) => sandbox.open(given)", given)


def statuses(page: Page) -> list[tuple[str, int]]:
    found = page.evaluate("() => sandbox.exchanges.map((one) => [one.hook, one.status])")
    return [(hook, status) for hook, status in found]


def test_accepting_the_candidate_card_leads_to_order_select_cards(page: Page, site: Site) -> None:
    seen = watch(page)
    asked = []
    page.on("request", lambda one: asked.append((one.method, one.url.removeprefix(site.service))))
    begin(page, site, "candidate")
    page.evaluate("() => sandbox.openChart()")
    candidate = page.locator('[data-topic="iron-candidate"]')
    expect(candidate.locator("h2")).to_contain_text("iron treatment can be considered")
    candidate.get_by_role("button", name="Draft ferric carboxymaltose 1000 mg, intravenous").click()
    expect(page.locator('[data-topic="indicated-strong"] h2')).to_contain_text("guideline supports IV iron (strong)")
    expect(page.locator('[data-topic="reassessment"]')).to_be_visible()
    assert statuses(page) == [("patient-view", 200), ("feedback", 200), ("order-select", 200)]
    assert ("POST", "/cds-services/iv-iron-rls") in asked
    assert seen.complaints == []


def test_accepting_the_schedule_is_taken_as_feedback(page: Page, site: Site) -> None:
    begin(page, site, "candidate")
    page.evaluate("() => sandbox.openChart()")
    page.get_by_role("button", name="Draft ferric carboxymaltose").click()
    page.get_by_role("button", name="Schedule all reassessments").click()
    expect(page.locator('[data-topic="reassessment"]')).to_be_visible()
    page.wait_for_function("() => sandbox.exchanges.length === 4")
    assert statuses(page)[-1] == ("feedback", 200)


def test_an_override_with_a_reason_without_system_is_kept(page: Page, site: Site) -> None:
    begin(page, site, "after-day-9")
    reply = page.evaluate("() => sandbox.openChart()")
    assert reply["status"] == 200
    answer = page.evaluate("(card) => sandbox.override('patient-view', card)", reply["body"]["cards"][0])
    assert answer["status"] == 200
    assert answer["body"] == {"accepted": 1}


def test_the_browser_asks_first_and_is_allowed(page: Page, site: Site) -> None:
    """Preflight for Authorization and JSON; the answer names what the page may send, and never cookies."""
    session = page.context.new_cdp_session(page)
    session.send("Network.enable")
    preflights: list[Json] = []
    session.on("Network.requestWillBeSent", lambda one: preflights.append(one) if _is_preflight(one) else None)
    begin(page, site, "low-ferritin")
    page.evaluate("() => sandbox.openChart()")
    assert {f"{site.service}/cds-services", f"{site.service}/cds-services/iv-iron-rls-follow-up"} <= {
        one["request"]["url"] for one in preflights
    }


def _is_preflight(event: Json) -> bool:
    return bool(event["request"]["method"] == "OPTIONS")
