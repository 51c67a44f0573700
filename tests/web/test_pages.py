"""The pages without a browser: who may read them, what they say, and what the playground asks of the server."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from cds_service.contracts import find_mistakes
from cds_service.discovery import REQUIRED, WITHOUT
from cds_service.settings import documented_settings
from cds_service.web.safe_markdown import render_safe
from tests.bad_requests import MISTAKES
from tests.replies import ADDRESSES, FOLDER, SITUATIONS, answers, mask, open_service, request_path
from tests.spec.protected import PUBLIC, open_protected, protected_settings

Json = dict[str, Any]
SERVICES = ("iv-iron-rls", "iv-iron-rls-follow-up")
READERS = (
    *("/services", *(f"/services/{one}" for one in SERVICES)),
    *("/knowledge", "/knowledge/conformance", "/knowledge/source-attributes"),
)
CHECK = "/demo/playground/check"


@pytest.fixture(scope="module")
def client() -> FlaskClient:
    return open_service()


def check(client: FlaskClient, body: bytes) -> Json:
    answer = client.post(CHECK, data=body, content_type="application/json")
    assert answer.status_code == 200, answer.text
    found: Json = answer.get_json()
    return found


# ------------------------------------------------------------------------------------------------ who may read what


@pytest.mark.parametrize("path", ["/", *READERS])
def test_the_policy_of_each_page_allows_no_inline_code_and_nothing_from_elsewhere(
    client: FlaskClient, path: str
) -> None:
    answer = client.get(path)
    assert (answer.status_code, answer.mimetype) == (200, "text/html")
    policy = answer.headers["Content-Security-Policy"]
    assert policy.startswith("default-src 'none'; ")
    assert "unsafe" not in policy and "http" not in policy and "*" not in policy
    assert not re.search(r"<script(?![^>]*\bsrc=)|<style|\son[a-z]+=|\sstyle=", answer.text)
    assert not re.search(r'(?:src|<link[^>]*href)="(?:https?:)?//', answer.text)


def test_the_scripts_use_no_code_from_elsewhere_and_read_html_in_one_place() -> None:
    folder = Path(__file__).resolve().parents[2] / "cds_service" / "web" / "static" / "playground"
    scripts = {one.name: one.read_text("utf-8") for one in folder.glob("*.js")}
    assert "main.js" in scripts
    imported = [
        name for words in scripts.values() for name in re.findall(r'^import .* from "([^"]+)"', words, re.MULTILINE)
    ]
    assert imported and all(name.startswith("./") for name in imported)
    assert [name for name, words in scripts.items() if re.search(r"innerHTML|insertAdjacentHTML|eval\(", words)] == [
        "cards.js"
    ]
    assert not any(re.search(r"localStorage|sessionStorage|document\.cookie", words) for words in scripts.values())


@pytest.mark.parametrize("path", READERS)
def test_pages_for_readers_need_no_login_in_protected_mode(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, path: str
) -> None:
    app = open_protected(monkeypatch, tmp_path, answer=None)
    answer = app.test_client().get(path)
    assert answer.status_code == 200
    assert "Playground" not in answer.text


@pytest.mark.parametrize("path", ["/", "/demo/playground/choices"])
def test_the_playground_is_not_there_in_protected_mode(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, path: str
) -> None:
    assert open_protected(monkeypatch, tmp_path, answer=None).test_client().get(path).status_code == 404


@pytest.mark.parametrize("name", ["check", "markdown", "validate"])
def test_nothing_is_inspected_in_protected_mode(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str) -> None:
    client = open_protected(monkeypatch, tmp_path, answer=None).test_client()
    assert client.post(f"/demo/playground/{name}", json={}).status_code == 404


# -------------------------------------------------------------------------------------------- the page of a service


@pytest.mark.parametrize("service", SERVICES)
def test_the_page_of_a_service_says_what_integrators_need(client: FlaskClient, service: str) -> None:
    words = re.sub(r"\s+", " ", client.get(f"/services/{service}").text)
    for key, lost in WITHOUT.items():
        assert f"<code>{key}</code>" in words and lost in words
    assert words.count(">required<") == len(REQUIRED)
    assert all(f"<code>{one.name}</code>" in words for one in documented_settings())
    assert "org.iv-iron-rls.decision-trace" in words
    for status in (400, 401, 404, 412, 413, 415, 421, 500, 503):
        assert f'<th scope="row">{status}</th>' in words


def test_r_50c_the_page_says_when_overridden_cards_are_not_silenced(client: FlaskClient) -> None:
    words = re.sub(r"\s+", " ", re.sub(r"<[^>]+>", "", client.get("/services/iv-iron-rls-follow-up").text))
    assert "Overridden cards are not silenced where pseudonyms are off" in words
    assert "or the store is down" in words
    assert "not silenced" not in client.get("/services/iv-iron-rls").text


def test_discovery_names_the_page_of_each_service(client: FlaskClient) -> None:
    for one in client.get("/cds-services").get_json()["services"]:
        address = f"http://127.0.0.1:8000/services/{one['id']}"
        assert one["usageRequirements"].endswith(address)
        assert client.get(f"/services/{one['id']}").status_code == 200


def test_the_page_is_reached_from_the_page_that_every_card_links_to(client: FlaskClient) -> None:
    assert all(f'href="/services/{one}"' in client.get("/knowledge").text for one in SERVICES)


def test_an_unknown_service_is_404_with_an_outcome(client: FlaskClient) -> None:
    answer = client.get("/services/nobody")
    assert (answer.status_code, answer.get_json()["resourceType"]) == (404, "OperationOutcome")


def test_addresses_on_pages_are_those_of_the_public_url(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    app = open_protected(monkeypatch, tmp_path, answer=None)
    assert f"{PUBLIC}/cds-services/iv-iron-rls" in app.test_client().get("/services/iv-iron-rls").text
    assert protected_settings(tmp_path).public_url == PUBLIC


# ------------------------------------------------------------------------------------------------------- markdown


@pytest.mark.parametrize(
    ("markdown", "html"),
    [
        pytest.param("**Check first**\n\n- one\n- two", "<ul>\n<li>one</li>\n<li>two</li>\n</ul>", id="list"),
        pytest.param("&lt;5 ng/mL", "<p>&lt;5 ng/mL</p>", id="angle bracket as entity"),
        pytest.param('<img src="x" onerror="alert(1)">', "&lt;img", id="HTML comes out as text"),
        pytest.param("<script>alert(1)</script>", "&lt;script&gt;", id="script comes out as text"),
        pytest.param("| a |\n|---|\n| b |", "<td>b</td>", id="table"),
    ],
)
def test_markdown_becomes_safe_html(markdown: str, html: str) -> None:
    assert html in render_safe(markdown)


@pytest.mark.parametrize(
    "markdown",
    [
        pytest.param("![x](https://evil.example/x.png)", id="image"),
        pytest.param("[x](javascript:alert(1))", id="javascript link"),
        pytest.param("[x](data:text/html,1)", id="data link"),
        pytest.param("<svg onload=alert(1)>", id="svg"),
        pytest.param('<a href="x" style="position:fixed">x</a>', id="style"),
        pytest.param("<https://evil.example/><img src=x onerror=alert(1)>", id="autolink and image"),
    ],
)
def test_nothing_that_acts_survives(markdown: str) -> None:
    html = render_safe(markdown)
    tags = re.findall(r"<\s*([a-z]+)", html)
    assert not {"img", "script", "svg", "style", "iframe"} & set(tags)
    assert not re.search(r"<[^>]*(?:javascript:|data:|onerror=|onload=|style=)", html)


def test_links_open_apart_and_tell_nothing() -> None:
    assert render_safe("[a](https://doi.org/x)").count('target="_blank"') == 1
    assert 'rel="noopener noreferrer"' in render_safe("[a](https://doi.org/x)")


def test_every_detail_of_the_fixtures_keeps_its_words(client: FlaskClient) -> None:
    details = [card["detail"] for reply in answers().values() for card in reply["cards"]][:40]
    answer = client.post("/demo/playground/markdown", json={"texts": details})
    assert len(answer.get_json()["html"]) == len(details)
    for detail, html in zip(details, answer.get_json()["html"], strict=True):
        assert html.count("<li>") == len(re.findall(r"^- ", detail, re.MULTILINE))


@pytest.mark.parametrize(
    "body", [b"{}", b"[]", b"no json", b'{"texts": [1]}', b'{"texts": ' + b'["a",' * 60 + b'"a"' + b"]" * 60]
)
def test_what_the_page_never_sends_is_400(client: FlaskClient, body: bytes) -> None:
    answer = client.post("/demo/playground/markdown", data=body, content_type="application/json")
    assert answer.status_code == 400


# ------------------------------------------------------------------------------------------------- pasted requests


@pytest.mark.parametrize("name", list(MISTAKES))
def test_a_pasted_mistake_is_told_as_a_call_would_be_told(client: FlaskClient, name: str) -> None:
    body = (FOLDER / "bad_requests" / f"{name}.json").read_bytes()
    verdict = check(client, body)["verdict"]
    called = client.post(ADDRESSES["order-select"], data=body, content_type="application/json")
    if name == "hook-not-offered":  # pasting finds the service by the hook
        assert verdict["status"] == 200
    else:
        assert verdict["status"] == called.status_code == MISTAKES[name].status
        assert verdict["issues"] == [one["diagnostics"] for one in called.get_json()["issue"]]


@pytest.mark.parametrize("name", list(SITUATIONS))
def test_a_pasted_request_gets_the_cards_of_a_real_call(client: FlaskClient, name: str) -> None:
    found = check(client, request_path(name).read_bytes())
    assert found["verdict"]["status"] == 200
    assert mask({"cards": found["cards"]})["cards"] == mask(answers()[name])["cards"]
    assert len(found["details"]) == len(found["cards"])


def test_each_key_is_supplied_empty_missing_or_failed(client: FlaskClient) -> None:
    request = json.loads(request_path("low-ferritin").read_bytes())
    request["prefetch"]["weight"] = None
    request["prefetch"]["allergies"] = {"resourceType": "OperationOutcome", "issue": [{"severity": "error"}]}
    request["prefetch"]["ferritin"]["link"] = [{"relation": "next", "url": "https://ehr.example/next"}]
    request["prefetch"]["colour"] = {}
    del request["prefetch"]["phosphate"]
    found = check(client, json.dumps(request).encode())
    states = {one["key"]: one["state"] for one in found["keys"]}
    wanted = {"tsat": "supplied", "crp": "empty", "weight": "empty", "phosphate": "missing", "allergies": "failed"}
    assert {key: states[key] for key in wanted} == wanted
    assert states["ferritin"] == "incomplete"
    assert found["ignored"] == ["colour"]


def test_what_was_read_and_set_aside_is_named_with_its_resource(client: FlaskClient) -> None:
    found = check(client, request_path("stale-ferritin").read_bytes())
    read = {one["what"]: (one["value"], one["reference"]) for one in found["read"]}
    assert read["TSAT"] == ("17 %", "Observation/stale-ferritin-3")
    assert "ferritin" not in read
    (aside,) = found["setAside"]
    assert (aside["what"], aside["value"], aside["reference"]) == (
        "ferritin",
        "50 ng/mL",
        "Observation/stale-ferritin-2",
    )
    assert "91 days old" in aside["note"]


def test_a_resource_that_cannot_be_read_is_named(client: FlaskClient) -> None:
    request = json.loads(request_path("low-ferritin").read_bytes())
    request["prefetch"]["weight"]["entry"][0]["resource"]["code"] = 7
    (gap,) = check(client, json.dumps(request).encode())["gaps"]
    assert (gap["reference"], gap["key"]) == ("Observation/low-ferritin-5", "weight")


def test_a_refused_request_still_shows_what_its_prefetch_holds(client: FlaskClient) -> None:
    body = (FOLDER / "bad_requests" / "ferritin-not-supplied.json").read_bytes()
    found = check(client, body)
    assert found["verdict"]["status"] == 412
    assert ("TSAT", "17 %") in {(one["what"], one["value"]) for one in found["read"]}


def test_a_pasted_request_is_not_recorded_and_its_words_are_not_logged(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    from cds_service.store import migrating

    url = f"sqlite:///{tmp_path}/store.sqlite3"
    migrating.migrate(url)
    client = open_service(database_url=url, log_level="debug")
    secret = b"synthetic-name-that-must-not-be-kept"
    body = request_path("fcm-allergy").read_bytes().replace(b"fcm-allergy", secret)
    assert secret.decode() in json.dumps(check(client, body))
    assert secret.decode() not in "".join(capfd.readouterr())
    for file in tmp_path.iterdir():
        assert secret not in file.read_bytes()


def test_a_body_that_is_too_large_is_413(client: FlaskClient) -> None:
    small = open_service(max_body_bytes=1024)
    assert small.post(CHECK, data=b" " * 1025, content_type="application/json").status_code == 413
    assert client.post(CHECK, data=b"{}", content_type="text/plain").status_code == 415


# ------------------------------------------------------------------------------------------------------ validation


def validate(client: FlaskClient, **messages: Any) -> TestResponse:
    named = {name.replace("_strict", ":strict"): one for name, one in messages.items()}
    return client.post("/demo/playground/validate", json=named)


def test_messages_are_checked_against_the_schemas_of_the_package(client: FlaskClient) -> None:
    request, reply = json.loads(request_path("low-ferritin").read_bytes()), answers()["low-ferritin"]
    assert validate(client, request=request, response_strict=reply).get_json() == {
        "request": [],
        "response:strict": [],
    }
    broken = {**reply, "cards": [{**reply["cards"][0], "indicator": "purple"}]}
    found = validate(client, response_strict=broken).get_json()["response:strict"]
    assert found == list(find_mistakes("response:strict", broken))
    assert "cards[0].indicator" in found[0]


def test_choices_name_every_patient_with_a_clinical_line_and_six_products(client: FlaskClient) -> None:
    choices = client.get("/demo/playground/choices").get_json()
    patients = [one for group in choices["groups"] for one in group["patients"]]
    assert {one["name"] for one in patients} == set(SITUATIONS)
    assert all(one["about"] for one in patients)
    assert {one["name"] for one in choices["tour"]} <= set(SITUATIONS)
    stages = {"after-day-3", "after-day-9", "after-week-3", "after-week-10", "after-month-6"}
    assert stages <= {one["name"] for one in choices["tour"]}
    assert len(choices["products"]) == 6
    assert all(one["coding"]["code"] for one in choices["products"])
