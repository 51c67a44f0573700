"""The README keeps its word: its first call works on any day, its tables say what the service does."""

import re
import shlex
from urllib.parse import urlsplit

import pytest
from flask.testing import FlaskClient

from cds_service.discovery import WITHOUT
from cds_service.settings import documented_settings
from cds_service.trace import EXTENSION
from tests.readme_tables import FIXTURES_README, README, ROOT, bad_request_table, between, settings_table
from tests.replies import ADDRESSES, open_service, read_request
from tests.spec.rim import Json, strictly

TEXT = README.read_text("utf-8")
DAYS = pytest.mark.parametrize("days", [0, 200, 1000, -30], ids=lambda days: f"clock {days:+} days")
HOW = "`make fixtures` writes the tables anew"


def first_call() -> list[list[str]]:
    """The commands of the marked block: what is piped into what, as words."""
    block = re.search(r"<!-- first-call -->\n```bash\n(.*?)```", TEXT, re.DOTALL)
    assert block, "README.md lacks the marked block of the first call"
    return [shlex.split(command) for command in block[1].split("|")]


def make_first_call(client: FlaskClient) -> Json:
    """Does what the two curl commands of the README do."""
    (fetch, post) = first_call()
    assert (fetch[0], post[0]) == ("curl", "curl")
    (source,) = [word for word in fetch if word.startswith("http")]
    (target,) = [word for word in post if word.startswith("http")]
    assert urlsplit(source).netloc == urlsplit(target).netloc == "127.0.0.1:8000"
    name, _, content_type = post[post.index("-H") + 1].partition(": ")
    assert (name, post[post.index("-d") + 1]) == ("Content-Type", "@-")
    fetched = client.get(urlsplit(source).path)
    assert fetched.status_code == 200
    answer = client.post(urlsplit(target).path, data=fetched.data, content_type=content_type)
    assert answer.status_code == 200, answer.text
    reply: Json = strictly(answer)
    return reply


def table_after(heading: str) -> list[list[str]]:
    """Rows of the first table after some words, as cells without their back-ticks."""
    rows = re.search(r"^\|.*?\n\|[-| ]+\n((?:\|.*\n)+)", TEXT.partition(heading)[2], re.MULTILINE)
    assert heading in TEXT and rows, heading
    return [[cell.strip(" `") for cell in row.strip().strip("|").split(" | ")] for row in rows[1].splitlines()]


@DAYS
def test_the_first_call_gives_the_cards_of_the_table_on_any_day(days: int) -> None:
    """Dates in summaries stand as YYYY-MM-DD in the README."""
    cards = make_first_call(open_service(days))["cards"]
    found = [
        [
            card["source"]["topic"]["code"],
            card["indicator"],
            re.sub(r"\d{4}-\d{2}-\d{2}", "YYYY-MM-DD", card["summary"]),
        ]
        for card in cards
    ]
    assert found == table_after("## A first call")


def test_the_first_call_may_be_copied_into_a_shell() -> None:
    assert [words[:2] for words in first_call()] == [["curl", "-s"], ["curl", "-s"]]


def test_the_table_of_settings_is_that_of_the_service() -> None:
    assert between(TEXT, "settings", settings_table()) == TEXT, HOW
    named = re.findall(r"^\| `(CDS_[A-Z_]+)` \|", TEXT, re.MULTILINE)
    assert named == [one.name for one in documented_settings()]
    assert all(one.meaning for one in documented_settings())


def test_every_setting_mentioned_anywhere_in_the_readme_exists() -> None:
    known = {one.name for one in documented_settings()}
    assert set(re.findall(r"\bCDS_[A-Z_]+\b", TEXT)) <= known


def test_the_table_of_bad_requests_is_that_of_the_fixtures() -> None:
    text = FIXTURES_README.read_text("utf-8")
    assert between(text, "bad-requests", bad_request_table()) == text, HOW


def key_rows() -> dict[str, str]:
    """Prefetch key to what the README says is lost without it."""
    rows = table_after("2. Let the EHR send the prefetch")
    return {key: row[2] for row in rows for key in re.findall(r"[a-z_]+", row[0].partition(" (")[0])}


def test_the_readme_lists_every_prefetch_key() -> None:
    assert sorted(key_rows()) == sorted(WITHOUT)


@pytest.mark.parametrize("key", WITHOUT)
def test_the_readme_says_what_becomes_of_an_answer_without_a_key(key: str) -> None:
    request = read_request("low-ferritin")
    del request["prefetch"][key]
    answer = open_service().post(ADDRESSES["order-select"], json=request)
    warns = answer.status_code == 200 and strictly(answer)["cards"][0]["indicator"] == "warning"
    for words in (key_rows()[key], WITHOUT[key]):
        assert ("412" in words) == (answer.status_code == 412)
        assert ("warning" in words) == warns


def test_paths_named_in_the_readme_exist() -> None:
    for path in re.findall(r"`((?:cds_service|fhir_fixtures|tests)/[A-Za-z0-9_/.-]+)`", TEXT):
        assert (ROOT / path).exists(), path


def test_the_readme_names_the_extension_and_says_that_the_rules_await_signature() -> None:
    assert EXTENSION in TEXT
    assert "await the signature of a licensed sleep physician and a pharmacist" in TEXT
    assert "synthetic" in TEXT
