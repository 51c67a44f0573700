"""Links: few, absolute, on our own address, with nothing of the patient in them (section K)."""

import re
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from cds_service.app import create_app
from cds_service.demo.shift import shift_dates
from tests.replies import ORDERING, REFERENCE, SITUATIONS, answers, ask, open_service, read_request
from tests.spec.protected import NOW, PUBLIC, bearer, claims, protected_settings, registry, token
from tests.spec.rim import Json, post

SPEAKING = [name for name in ORDERING if SITUATIONS[name]["expect"]]
each_reply = pytest.mark.parametrize("name", SPEAKING)
# Hosts of the guidelines, labels and studies that cards cite: few and stable, so that clients can vet them (CH-173).
MOST_HOSTS = 8


def links(reply: Json) -> list[Json]:
    return [link for card in reply["cards"] for link in card["links"]]


def urls(reply: Json) -> list[str]:
    """All addresses a user could follow from the cards: links, sources, links within details."""
    cited = [card["source"]["url"] for card in reply["cards"] if "url" in card["source"]]
    within = [url for card in reply["cards"] for url in re.findall(r"\]\((\S+?)\)", card["detail"])]
    return [*(link["url"] for link in links(reply)), *cited, *within]


@each_reply
def test_ch_146_ch_164_ch_165_ch_166_every_link_is_labelled_and_absolute(name: str) -> None:
    assert links(answers()[name])
    for link in links(answers()[name]):
        assert set(link) == {"label", "url", "type"}  # CH-170, CH-171: no appContext, not launched without a click
        assert link["label"].strip()
        assert link["type"] in ("absolute", "smart")
        assert urlsplit(link["url"]).netloc


@each_reply
def test_ch_168_the_smart_link_is_the_plain_launch_address(name: str) -> None:
    """The client adds `iss` and `launch`."""
    for card in answers()[name]["cards"]:
        (launch,) = [link["url"] for link in card["links"] if link["type"] == "smart"]
        assert launch == "http://127.0.0.1:8000/smart/launch"


@pytest.mark.parametrize("has_app", [True, False])
def test_cards_link_to_the_app_only_where_the_client_is_registered_for_it(tmp_path: Path, has_app: bool) -> None:
    registry(tmp_path, extra='smart = {client_id = "app"}' if has_app else "")
    client = create_app(protected_settings(tmp_path), clock=lambda: NOW).test_client()
    for service, body in (("iv-iron-rls", "low-ferritin"), ("iv-iron-rls-follow-up", "after-week-9")):
        path = f"/cds-services/{service}"
        request = shift_dates(read_request(body), (NOW.date() - REFERENCE).days)
        reply = post(client, request, path, headers=bearer(token(body=claims(path)))).get_json()
        found = {link["url"] for link in links(reply) if link["type"] == "smart"}
        assert reply["cards"]
        assert found == ({f"{PUBLIC}/smart/launch"} if has_app else set())


@each_reply
def test_ch_167_no_address_holds_anything_of_the_call(name: str) -> None:
    request = read_request(name)
    secrets = (request["context"]["patientId"], request["context"]["encounterId"], request["hookInstance"])
    for url in urls(answers()[name]):
        parts = urlsplit(url)
        assert not any(secret in url for secret in secrets)
        assert (parts.username, parts.fragment) == (None, "")


@each_reply
def test_ch_170_ch_171_ch_172_nothing_is_launched_by_itself(name: str) -> None:
    assert not any({"appContext", "autolaunchable"} & set(link) for link in links(answers()[name]))


@each_reply
def test_ch_173_our_own_links_stay_on_the_address_of_the_service(name: str) -> None:
    assert {urlsplit(link["url"]).netloc for link in links(answers()[name])} == {"127.0.0.1:8000"}


def test_ch_173_the_hosts_of_all_addresses_are_few() -> None:
    hosts = {urlsplit(url).netloc for name in SPEAKING for url in urls(answers()[name])}
    assert 1 < len(hosts) <= MOST_HOSTS


def test_ch_165_links_follow_the_public_address_and_are_https_where_that_is() -> None:
    reply = ask(open_service(public_url="https://iron.example/rls"), read_request("low-ferritin"))
    assert all(link["url"].startswith("https://iron.example/rls/") for link in links(reply))
    assert reply["cards"][0]["source"]["topic"]["system"].startswith("https://iron.example/rls/fhir/")


def test_a_link_of_a_card_leads_to_a_page() -> None:
    client = open_service()
    for link in links(answers()["low-ferritin"]):
        path = urlsplit(link["url"]).path
        if link["type"] == "smart":
            launched = client.get(f"{path}?iss=http://127.0.0.1:8000/demo/fhir&launch=low-ferritin")
            assert launched.status_code == 302
            path = f"/smart/{launched.headers['Location']}"
        assert client.get(path).status_code == 200
