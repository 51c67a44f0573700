"""The prefetch templates on offer: CDS Hooks 2.0 subset, stable length, nothing asked that is not read (section E)."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from urllib.parse import parse_qsl

import pytest

from cds_service.contracts import find_mistakes
from cds_service.discovery import OBSERVATIONS, REQUIRED, WITHOUT, prefetch_templates
from tests.replies import open_service, read_request
from tests.spec.rim import Json, post, strictly

LONGEST = 1800  # characters (design of the service); proxies and servers cut long query strings
OVERLAY_CODES = 20
FOLLOW_UP = ("ServiceRequest", "Task", "Appointment")
# Prefetch tokens of the three hooks by their published pages (CH-070), and the four user ids (CH-071).
TOKENS = {
    "context.patientId", "context.userId", "context.encounterId",
    "userPractitionerId", "userPractitionerRoleId", "userPatientId", "userRelatedPersonId",
}  # fmt: skip
TYPES = {
    "Patient", "Condition", "Observation", "AllergyIntolerance", "MedicationAdministration", "MedicationRequest",
    "MedicationStatement", "Procedure", "ServiceRequest", "Task", "Appointment",
}  # fmt: skip
READ = re.compile(r"[A-Z][A-Za-z]+/[^/?]+")
SEARCH = re.compile(r"(?P<type>[A-Z][A-Za-z]+)\?(?P<query>.+)")
DATE_PREFIXES = ("eq", "lt", "gt", "ge", "le")
DATE_PARAMETERS = ("date", "authored", "effective", "recorded-date", "onset-date")


def find_faults(template: str) -> list[str]:
    """What in a template leaves the subset of CH-074 or the tokens of CDS Hooks 2.0."""
    faults = [f"token {token}" for token in re.findall(r"\{\{(.*?)\}\}", template) if token not in TOKENS]
    rest = re.sub(r"\{\{.*?\}\}", "x", template)
    if re.search(r"[{}]", rest):
        faults.append("braces")
    if re.search(r"/\{\{context\.userId\}\}|=\{\{context\.userId\}\}", template):
        faults.append("userId already holds the type")
    if READ.fullmatch(rest):
        return faults
    found = SEARCH.fullmatch(rest)
    if not found:
        return [*faults, "neither a read nor a search relative to the base"]
    if found["type"] not in TYPES:
        faults.append(f"type {found['type']}")
    return faults + [fault for name, value in parse_qsl(found["query"]) if (fault := _parameter_fault(name, value))]


def _parameter_fault(name: str, value: str) -> str:
    parameter, colon, modifier = name.partition(":")
    if colon and modifier != "in":
        return f"modifier {modifier}"
    if "." in parameter or parameter.startswith("_has"):
        return "chained"
    if parameter.startswith("_") and parameter not in ("_count", "_sort", "_id"):
        return f"parameter {parameter}"
    if parameter in DATE_PARAMETERS and value[:2].isalpha() and not value.startswith(DATE_PREFIXES):
        return f"prefix {value[:2]}"
    return ""


@pytest.fixture(scope="module", params=FOLLOW_UP)
def templates(request: pytest.FixtureRequest) -> dict[str, str]:
    from cds_service.clinical import codes

    return prefetch_templates(codes.load(None, "http://127.0.0.1:8000/fhir"), request.param)


@pytest.mark.parametrize(
    ("bad", "fault"),
    [
        ("https://ehr.example/Patient/{{context.patientId}}", "neither"),
        ("/Patient/{{context.patientId}}", "neither"),
        ("Patient/{{patientId}}", "token"),
        ("Patient/{{Patient.id}}", "token"),
        ("Patient/{{context.patientId}", "braces"),
        ("Observation?patient={{context.selections}}", "token"),
        ("Observation?patient={{context.patientId}}&date=gt{{today()}}", "token"),
        ("Practitioner/{{context.userId}}", "userId"),
        ("Practitioner?_id={{context.userId}}", "userId"),
        ("Observation?code:text=ferritin", "modifier"),
        ("Observation?subject.name=x", "chained"),
        ("Observation?_has:x:y=z", "modifier"),
        ("Observation?_include=Observation:subject", "parameter"),
        ("Observation?date=sa2026-01-01", "prefix"),
    ],
)
def test_ch_066_to_ch_074_the_lint_finds_what_it_is_for(bad: str, fault: str) -> None:
    assert any(one.startswith(fault) for one in find_faults(bad))


def test_ch_066_to_ch_074_every_template_stays_within_cds_hooks_2_0(templates: dict[str, str]) -> None:
    assert {key: faults for key, template in templates.items() if (faults := find_faults(template))} == {}


def test_ch_067_ch_068_the_strict_schema_accepts_the_templates() -> None:
    document = strictly(open_service().get("/cds-services"))
    assert find_mistakes("discovery:strict", document) == ()


def test_ch_073_ch_074_sorted_searches_ask_newest_first_and_a_page_of_twenty(templates: dict[str, str]) -> None:
    for key in OBSERVATIONS:
        parameters = dict(parse_qsl(templates[key].partition("?")[2]))
        assert set(parameters) == {"patient", "code", "_sort", "_count"}
        assert (parameters["_sort"], parameters["_count"]) == ("-date", "20")


def test_ch_074_code_searches_are_token_equality_with_system(templates: dict[str, str]) -> None:
    for template in templates.values():
        codes = dict(parse_qsl(template.partition("?")[2])).get("code")
        assert codes is None or all(re.fullmatch(r"[^|,\s]+\|[^|,\s]+", one) for one in codes.split(","))


def test_codes_stand_in_a_template_as_they_are_and_clients_encode_them(templates: dict[str, str]) -> None:
    assert "http://loinc.org|2276-4" in templates["ferritin"]
    assert not any("%" in template or " " in template for template in templates.values())


def test_ch_080_ch_081_no_template_depends_on_another(templates: dict[str, str]) -> None:
    assert not any("%" in template for template in templates.values())


def test_one_key_asks_for_one_resource_type_about_the_patient_of_the_context(templates: dict[str, str]) -> None:
    for key, template in templates.items():
        assert template == "Patient/{{context.patientId}}" or "?patient={{context.patientId}}" in template, key


# ------------------------------------------------------------------------------------------------------------- length


@pytest.fixture
def overlay(tmp_path: Path) -> Callable[[str], Path]:
    """A site folder that adds 20 local codes to one of our sets."""

    def write(set_id: str) -> Path:
        concepts = [{"code": f"LAB{number:04}", "display": f"Local {number}"} for number in range(OVERLAY_CODES)]
        include = [{"system": "https://hospital.example/lab", "concept": concepts}]
        value_set: Json = {"resourceType": "ValueSet", "id": set_id, "status": "active"}
        (tmp_path / f"{set_id}.json").write_text(json.dumps({**value_set, "compose": {"include": include}}))
        return tmp_path

    return write


SEARCHED = sorted({*(one for sets in OBSERVATIONS.values() for one in sets), "fcm", "iron-sucrose", "follow-up"})


@pytest.mark.parametrize("set_id", SEARCHED)
def test_every_template_stays_under_1800_characters_with_20_local_codes_in_a_set(
    overlay: Callable[[str], Path], set_id: str
) -> None:
    document = strictly(open_service(valuesets=overlay(set_id)).get("/cds-services"))
    for service in document["services"]:
        longest = max(service["prefetch"].values(), key=len)
        assert len(longest) < LONGEST
        assert sum("https://hospital.example/lab|LAB0019" in one for one in service["prefetch"].values()) >= 1
        assert {key: find_faults(one) for key, one in service["prefetch"].items() if find_faults(one)} == {}


# ------------------------------------------------------------------------------------------ what is asked, and for what


def test_ch_025_ch_084_each_key_has_its_use_written_down(templates: dict[str, str]) -> None:
    assert list(WITHOUT) == list(templates)
    assert set(REQUIRED) < set(templates)
    assert all("412" in WITHOUT[key] for key in REQUIRED)


@pytest.mark.parametrize("key", [key for key in WITHOUT if key not in REQUIRED])
def test_ch_083_ch_086_without_a_key_that_is_not_required_there_is_still_an_answer(key: str) -> None:
    request = read_request("low-ferritin")
    del request["prefetch"][key]
    answer = post(open_service(), request, "/cds-services/iv-iron-rls")
    assert answer.status_code == 200
    assert strictly(answer)["cards"][0]["source"]["topic"]["code"] == "indicated-strong"


def test_ch_075_one_result_on_a_page_is_not_taken_for_the_only_one() -> None:
    """`_count` limits a page (3.0), so a next link says that there is more."""
    request = read_request("low-ferritin")
    request["prefetch"]["ferritin"]["link"] = [{"relation": "next", "url": "https://ehr.example/fhir?page=2"}]
    answer = strictly(post(open_service(), request, "/cds-services/iv-iron-rls"))
    assert answer["extension"]["org.iv-iron-rls.decision-trace"]["prefetch"]["ferritin"] == "incomplete"
