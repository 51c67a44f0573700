"""HealthChain (package `healthchain`, 0.16.1 tried): its SandboxClient calls our service, our self-test its server."""

import importlib.util
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cds_service.conformance.finding import Verdict
from cds_service.conformance.run import Outcome, Plan, run
from tests.conformance.live import demo_app, rows_with, serving
from tests.load.serving import free_port
from tests.replies import REFERENCE, answers, read_request
from tests.spec.protected import NOW

pytestmark = [
    pytest.mark.skipif(importlib.util.find_spec("healthchain") is None, reason="healthchain is not installed"),
    pytest.mark.filterwarnings("default"),  # those of its own packages
]
CARD = {"summary": "Synthetic card", "indicator": "info", "source": {"label": "Test"}}
PATIENT = {"resourceType": "Patient", "id": "synthetic-1", "gender": "female", "birthDate": "1970-01-01"}
CALL = {
    "hook": "patient-view",
    "context": {"userId": "Practitioner/one", "patientId": "synthetic-1"},
    "prefetch": {"patient": PATIENT},
}


@pytest.fixture
def base(tmp_path: Path) -> Iterator[str]:
    moment = NOW.replace(year=REFERENCE.year, month=REFERENCE.month, day=REFERENCE.day)
    with serving(demo_app(tmp_path, moment=moment)) as url:
        yield url


def test_its_sandbox_client_gets_our_cards_when_a_chart_is_opened(base: str) -> None:
    from healthchain.models import CDSRequest
    from healthchain.models.hooks import PatientViewContext
    from healthchain.sandbox import SandboxClient

    sent = read_request("candidate")
    client = SandboxClient(url=f"{base}/cds-services/iv-iron-rls-follow-up", workflow="patient-view")
    context = PatientViewContext(**sent["context"])
    client.requests.append(CDSRequest(hook="patient-view", context=context, prefetch=sent["prefetch"]))
    (reply,) = client.send_requests()
    topics = [card["source"]["topic"]["code"] for card in reply["cards"]]
    assert topics == [card["source"]["topic"]["code"] for card in answers()["candidate"]["cards"]] != []


@pytest.mark.skipif(importlib.util.find_spec("faker") is None, reason="healthchain[sandbox] is not installed")
def test_data_it_makes_up_are_answered_without_a_failure(base: str) -> None:
    """Its generated patients have no RLS, and their ids differ from that of its context: silence or 412, no 5xx."""
    import httpx
    from healthchain.sandbox import SandboxClient

    client = SandboxClient(url=f"{base}/cds-services/iv-iron-rls-follow-up", workflow="patient-view")
    client.load_synthetic(n=3, random_seed=1)
    for request in client.requests:
        body = request.model_dump(exclude_none=True, mode="json")
        answer = httpx.post(str(client.url), json=body)
        assert answer.status_code in (200, 412), answer.text


def serve_theirs(port: int) -> Any:
    """A server with one handler that fails when the patient is missing, discovery at the fixed path."""
    import uvicorn
    from healthchain.gateway import CDSHooksService, HealthChainAPI
    from healthchain.gateway.cds import CDSHooksConfig
    from healthchain.models.responses.cdsresponse import Card, CDSResponse

    api, service = HealthChainAPI(), CDSHooksService(config=CDSHooksConfig(discovery_path="/cds-services"))

    @service.hook("patient-view", id="summary")
    def summarise(request: Any) -> Any:
        if not (request.prefetch or {}).get("patient"):
            raise ValueError("the patient is missing")
        return CDSResponse(cards=[Card(**CARD)])

    api.register_service(service, path="/cds")
    return uvicorn.Server(uvicorn.Config(api, host="127.0.0.1", port=port, log_level="error"))


@pytest.fixture
def findings() -> Iterator[Outcome]:
    port = free_port()
    server = serve_theirs(port)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    until = time.monotonic() + 30
    while not server.started and time.monotonic() < until:
        time.sleep(0.05)
    yield run(Plan(f"http://127.0.0.1:{port}/cds", [], NOW.timestamp(), requests=[CALL]))
    server.should_exit = True
    thread.join(30)


def test_the_self_test_finds_at_its_server_what_was_found_by_hand(findings: Outcome) -> None:
    """Checked by hand on 0.16.1: a handler that fails is answered with 200 and no card (CH-091); any origin is let in
    with credentials (CH-229); an extension object is refused, a list is wanted (CH-234); refusals repeat the request,
    the patient's id with it (CH-240); no version (CH-027); refusals are no OperationOutcome (CH-238)."""
    assert findings.services == ("summary (patient-view)",)
    assert {"CH-091", "CH-229", "CH-234", "CH-240", "CH-027", "CH-238"} <= rows_with(findings, Verdict.FAILED)
    assert {"CH-174", "CH-037", "CH-038"} <= rows_with(findings, Verdict.ADVICE)
    assert {"CH-001", "CH-013", "CH-017", "CH-110", "CH-124", "CH-131"} <= rows_with(findings, Verdict.PASSED)
