"""The SMART app launched by an EHR: code flow with PKCE, refusals, frames, and what the pages may reach."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlencode
from urllib.request import Request, urlopen

import pytest
from playwright.sync_api import Page, expect

from tests.web.smart_browser import Watched, grave_findings, needs_chromium, watch
from tests.web.smart_ehr import CANONICAL, CLIENT_ID, Ehr, challenge_of, listen, open_demo, open_ehr, open_registered

pytestmark = [needs_chromium, pytest.mark.slow]
KINDS = (
    *("Patient", "Condition", "Observation", "MedicationAdministration", "MedicationRequest"),
    *("MedicationStatement", "Medication", "Procedure", "ServiceRequest"),
)
CONNECT = "connect-src 'self' {0} {1};"


@dataclass
class Site:
    """A service in protected mode and the EHR it knows."""

    service: str
    ehr: Ehr

    def launch(self, iss: str | None = None, **more: str) -> str:
        parameters = {"iss": self.ehr.base if iss is None else iss, "launch": self.ehr.launch, **more}
        return f"{self.service}/smart/launch?{urlencode(parameters)}"


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    with listen() as (service, late), open_ehr(open_demo(CANONICAL).test_client()) as ehr:
        late.app = open_registered(tmp_path, service, ehr)
        yield Site(service, ehr)


@pytest.fixture
def watched(page: Page) -> Watched:
    return watch(page)


def test_an_ehr_launch_signs_in_with_pkce_and_shows_the_patient(page: Page, site: Site, watched: Watched) -> None:
    page.goto(site.launch())
    expect(page.locator("#story")).to_be_visible()
    expect(page.locator("#patient")).to_contain_text("Two Courses Synthetic")
    expect(page.locator("#today-title")).to_have_text("Day 109 after IV iron: responder")
    (grant,) = site.ehr.grants
    (sent,) = site.ehr.token_requests
    assert site.ehr.refusals == []
    assert challenge_of(sent["code_verifier"]) == grant.asked["code_challenge"]
    assert sent["client_id"] == CLIENT_ID
    assert grant.asked["redirect_uri"] == f"{site.service}/smart/app"
    assert page.url == f"{site.service}/smart/app"  # neither code nor state stays in the address
    assert watched.complaints == []
    assert watched.origins == {site.service, site.ehr.address, site.ehr.authorization}


def test_the_scopes_are_what_the_story_reads_and_no_more(page: Page, site: Site) -> None:
    page.goto(site.launch())
    expect(page.locator("#story")).to_be_visible()
    assert site.ehr.grants[0].asked["scope"].split() == ["launch", *(f"patient/{kind}.rs" for kind in KINDS)]
    read = {path.split("/")[2] for path in site.ehr.read}
    assert read == set(KINDS) - {"Medication"}  # that one only where a drug is told by reference


def test_scopes_are_spelled_as_in_smart_1_where_the_ehr_knows_no_other(page: Page, site: Site) -> None:
    site.ehr.capabilities = ("launch-ehr", "client-public")
    page.goto(site.launch())
    expect(page.locator("#story")).to_be_visible()
    assert "patient/Observation.read" in site.ehr.grants[0].asked["scope"].split()


def test_a_reload_needs_no_new_launch(page: Page, site: Site, watched: Watched) -> None:
    page.goto(site.launch())
    expect(page.locator("#story")).to_be_visible()
    page.reload()
    expect(page.locator("#story")).to_be_visible()
    assert (len(site.ehr.token_requests), watched.complaints) == (1, [])


@pytest.mark.parametrize("state", ["another-state", ""], ids=["another state", "no state"])
def test_an_answer_with_a_wrong_state_is_refused(page: Page, site: Site, state: str) -> None:
    site.ehr.state = state
    page.goto(site.launch())
    expect(page.locator("#problem")).to_contain_text("does not belong to a launch from this window")
    assert (site.ehr.token_requests, site.ehr.read) == ([], [])
    assert page.locator("#story").is_hidden()


@pytest.mark.parametrize(
    "iss", ["https://other.example/fhir", "{base}/tenant", "{base}@other.example", "javascript:alert(1)"]
)
def test_a_server_that_is_not_listed_is_refused_in_words(page: Page, site: Site, watched: Watched, iss: str) -> None:
    answer = page.goto(site.launch(iss.format(base=site.ehr.base)))
    assert answer is not None
    assert answer.status == 403
    expect(page.get_by_role("alert")).to_contain_text("is not registered with this service")
    assert (site.ehr.grants, watched.origins) == ([], {site.service})
    assert page.locator("script").count() == 0
    assert grave_findings(page) == []


def test_a_launch_without_a_server_is_refused(page: Page, site: Site) -> None:
    answer = page.goto(f"{site.service}/smart/launch")
    assert answer is not None
    assert answer.status == 400
    expect(page.get_by_role("alert")).to_contain_text("None was named")


def test_an_ehr_without_pkce_is_refused(page: Page, site: Site) -> None:
    site.ehr.methods = ("plain",)
    page.goto(site.launch())
    expect(page.get_by_role("alert")).to_contain_text("PKCE with S256")
    assert grave_findings(page) == []
    assert site.ehr.grants == []


def test_a_token_endpoint_that_is_not_listed_is_named(page: Page, tmp_path: Path) -> None:
    """The browser would only say that something could not be fetched."""
    with listen() as (service, late), open_ehr(open_demo(CANONICAL).test_client()) as ehr:
        late.app = open_registered(tmp_path, service, ehr, token_origin="https://auth.north.example")
        page.goto(Site(service, ehr).launch())
        expect(page.get_by_role("alert")).to_contain_text(f"gives tokens at {ehr.authorization}")
        assert ehr.grants == []


def test_a_user_who_declines_is_told_so(page: Page, site: Site) -> None:
    site.ehr.denies = True
    page.goto(site.launch())
    expect(page.get_by_role("alert")).to_contain_text("did not allow it (access_denied)")
    assert site.ehr.token_requests == []


def test_parameters_of_the_address_do_not_change_who_we_are(page: Page, site: Site) -> None:
    """fhirclient.js would take `clientId` and more from the address."""
    page.goto(site.launch(clientId="somebody-else", patientId="low-ferritin", fhirServiceUrl="https://other.example"))
    expect(page.locator("#patient")).to_contain_text("Two Courses Synthetic")
    assert site.ehr.grants[0].asked["client_id"] == CLIENT_ID


def test_the_app_alone_says_where_it_is_opened_from(page: Page, site: Site) -> None:
    page.goto(f"{site.service}/smart/app?patient=two-courses")  # an open server is for the demo only
    expect(page.get_by_role("alert")).to_contain_text("opened from a patient's chart")


def test_a_patient_whose_record_cannot_be_read_is_no_empty_chart(page: Page, site: Site) -> None:
    site.ehr.patient = "nobody"
    page.goto(site.launch())
    expect(page.get_by_role("alert")).to_contain_text("record could not be read")


def test_the_test_ehr_gives_no_token_for_a_wrong_verifier(page: Page, site: Site) -> None:
    """The check of PKCE that the launch passes can fail."""
    page.goto(site.launch())
    expect(page.locator("#story")).to_be_visible()
    (grant,) = site.ehr.grants
    grant.is_used = False
    form = {**site.ehr.token_requests[0], "code_verifier": "x" * 43}
    with pytest.raises(OSError, match="400"):
        urlopen(Request(f"{site.ehr.authorization}/token", data=urlencode(form).encode()), timeout=5)


# --- frames and policies


def test_the_ehr_may_show_the_app_in_a_frame(page: Page, site: Site, watched: Watched) -> None:
    site.ehr.framed = site.launch()
    page.goto(f"{site.ehr.address}/chart")
    frame = page.frame_locator("iframe")
    expect(frame.locator("#story")).to_be_visible()
    assert watched.complaints == []


def test_a_page_of_another_origin_may_not(page: Page, site: Site, watched: Watched) -> None:
    site.ehr.framed = site.launch()
    page.goto(f"{site.ehr.address.replace('127.0.0.1', 'localhost')}/chart")
    page.wait_for_timeout(500)
    assert site.ehr.grants == []
    assert any("frame-ancestors" in one for one in watched.complaints)


def headers_of(address: str) -> str:
    with urlopen(address, timeout=5) as answer:
        return str(answer.headers["Content-Security-Policy"])


@pytest.mark.parametrize("path", ["/smart/app", "/smart/launch?iss={base}&launch=launch-1"])
def test_the_smart_pages_name_the_ehr_and_allow_no_inline_code(site: Site, path: str) -> None:
    policy = headers_of(site.service + path.format(base=site.ehr.base))
    assert CONNECT.format(site.ehr.address, site.ehr.authorization) in policy
    assert f"frame-ancestors {site.ehr.address}" in policy
    assert policy.startswith("default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; ")
    assert "unsafe" not in policy


@pytest.mark.parametrize("path", ["/knowledge", "/livez", "/fhir/metadata", "/smart/queries?iss={base}"])
def test_no_other_address_does(site: Site, path: str) -> None:
    policy = headers_of(site.service + path.format(base=site.ehr.base))
    assert site.ehr.address not in policy
    assert "frame-ancestors 'none'" in policy


def test_the_story_of_a_server_that_is_not_listed_is_not_told(site: Site) -> None:
    body = json.dumps({"fhirServer": "https://other.example/fhir", "patientId": "x", "prefetch": {}}).encode()
    request = Request(f"{site.service}/smart/story", data=body, headers={"Content-Type": "application/json"})
    with pytest.raises(OSError, match="403"):
        urlopen(request, timeout=5)
