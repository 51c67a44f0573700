"""The README keeps its word: its first call works on any day, its tables say what the service does."""

import json
import re
import shlex
import tomllib
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from flask.testing import FlaskClient
from pydantic import BaseModel

from cds_service import cli, clients
from cds_service.assembly import build_engine
from cds_service.clients import load_registry
from cds_service.discovery import WITHOUT
from cds_service.errors import CdsError
from cds_service.fhir.addresses import Access
from cds_service.hooks import parse_request
from cds_service.services import find_way
from cds_service.settings import documented_settings, load_settings
from cds_service.trace import EXTENSION
from tests.readme_tables import FIXTURES_README, README, ROOT, bad_request_table, between, settings_table, story_table
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


def test_the_story_is_the_one_that_was_told() -> None:
    assert between(TEXT, "story", story_table()) == TEXT, HOW


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


def block(marker: str, language: str) -> str:
    """The code block behind a marker."""
    found = re.search(rf"<!-- {marker} -->\n```{language}\n(.*?)```", TEXT, re.DOTALL)
    assert found, f"README.md lacks the marked block {marker}"
    return found[1]


def members(table: type[BaseModel]) -> set[str]:
    return set(table.model_fields)


def test_the_registry_in_the_readme_is_in_order_and_shows_every_member(tmp_path: Path) -> None:
    path = tmp_path / "clients.toml"
    path.write_text(block("registry", "toml"), "utf-8")
    load_registry(path, load_settings())
    (entry,) = tomllib.loads(path.read_text("utf-8"))["client"]
    unset = set(re.findall(r"^# (\w+) = ", block("registry", "toml"), re.MULTILINE))
    shown = {
        clients._Entry: entry,
        clients._Keys: entry["keys"],
        clients._Fhir: entry["fhir"][0],
        clients._Smart: entry["smart"],
        clients._Profile: entry["profile"],
    }
    for table, written in shown.items():
        assert members(table) <= set(written) | unset, table.__name__
    assert unset <= members(clients._Keys) | members(clients._Profile)


def test_the_registry_in_the_readme_shows_the_defaults() -> None:
    (entry,) = tomllib.loads(block("registry", "toml"))["client"]
    least = {name: entry[name] for name in ("name", "issuers")} | {
        "keys": {"jku": entry["keys"]["jku"]},
        "fhir": [{"base": entry["fhir"][0]["base"]}],
        "smart": {"client_id": entry["smart"]["client_id"]},
    }
    default = clients._Entry.model_validate(least).model_dump(exclude_none=True)
    other = {"timezone", "label"}  # left out, they are those of the settings
    assert {name: value for name, value in entry.items() if name not in other} == default


def test_the_overlay_of_the_readme_adds_its_code(tmp_path: Path) -> None:
    overlay = json.loads(block("overlay", "json"))
    (tmp_path / "rls-severity.json").write_text(json.dumps(overlay), "utf-8")
    index = build_engine(load_settings(valuesets=tmp_path)).index
    (include,) = overlay["compose"]["include"]
    added = {(include["system"], one["code"]) for one in include["concept"]}
    assert added < {(one.system, one.code) for one in index.codings(overlay["id"])}


def test_with_the_members_of_the_readme_a_call_may_query_the_demo_server() -> None:
    request = read_request("low-ferritin") | json.loads(block("fhir-access", "json"))
    parsed = parse_request(json.dumps(request).encode())
    demo = build_engine(load_settings()).demo_client
    assert isinstance(find_way(parsed, demo, ""), Access)


def test_the_table_of_errors_is_complete() -> None:
    ours = {error.status for error in CdsError.__subclasses__() if hasattr(error, "status")}
    rows = TEXT.partition("<!-- errors -->")[2].partition("<!-- /errors -->")[0]
    assert [int(status) for status in re.findall(r"^\| (\d+) \|", rows, re.MULTILINE)] == sorted(ours)


@pytest.mark.parametrize("path", re.findall(r"^\| `(/[a-z/-]+)` \|", TEXT, re.MULTILINE))
def test_addresses_named_in_the_readme_answer(path: str) -> None:
    if path == "/demo/fhir":
        path += "/metadata"
    assert open_service().get(path).status_code == 200


def test_the_services_of_the_readme_are_those_of_discovery() -> None:
    offered = [(one["id"], one["hook"]) for one in strictly(open_service().get("/cds-services"))["services"]]
    assert [(row[0], row[1]) for row in table_after("## What it answers")] == offered


def test_commands_and_targets_named_in_the_readme_exist() -> None:
    for words in re.findall(r"\bcds-service ([a-z]+)", TEXT):
        assert words in cli.main.commands, words
    makefile = (ROOT / "Makefile").read_text("utf-8")
    for target in re.findall(r"(?:`|^    |\d )make ([a-z]+)", TEXT, re.MULTILINE):
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target


def test_every_decision_names_a_test_that_guards_it() -> None:
    decisions = TEXT.partition("## Decisions worth arguing over")[2].partition("\n## ")[0]
    records = re.findall(r"^\*\*.+?\*\* \(\d{4}-\d{2}-\d{2}\)\n((?:- .*\n)+)", decisions, re.MULTILINE)
    assert len(records) == decisions.count("\n**")
    for record in records:
        assert re.findall(r"^- (\w+)", record, re.MULTILINE) == ["Context", "Choice", "Consequence", "Guarded"]
        files = " ".join((ROOT / path).read_text("utf-8") for path in re.findall(r"`(tests/[a-z_/]+\.py)`", record))
        names = re.findall(r"`(test_\w+)`", record)
        assert names
        for name in names:
            assert f"def {name}(" in files, name


def test_links_within_the_readme_lead_somewhere() -> None:
    headings = {
        re.sub(r"[^a-z0-9 -]", "", heading.lower()).replace(" ", "-")
        for heading in re.findall(r"^#+ (.+)$", TEXT, re.MULTILINE)
    }
    assert set(re.findall(r"\]\(#([^)]+)\)", TEXT)) <= headings
