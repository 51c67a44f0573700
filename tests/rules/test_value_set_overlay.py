"""A site adds its own codes with a folder of ValueSet files: added, never removed, and a bad file stops the start."""

import json
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from fhir.resources.R4B.valueset import ValueSet as FhirValueSet

from cds_service.clinical.codes import CodeIndex, ValueSetError, load

BASE = "https://cds.example.org"
INDEX = load(None, BASE)
LOINC = "http://loinc.org"
SNOMED = "http://snomed.info/sct"
ICD_CM = "http://hl7.org/fhir/sid/icd-10-cm"
NDC = "http://hl7.org/fhir/sid/ndc"
LOCAL = "https://hospital.example/lab"
UNIT = "StructureDefinition/billing-unit"


def overlay_file(**changes: Any) -> dict[str, Any]:
    include = [{"system": LOCAL, "concept": [{"code": "FERR", "display": "Ferritin, local"}]}]
    return {
        "resourceType": "ValueSet",
        "id": "ferritin",
        "status": "active",
        "compose": {"include": include},
        **changes,
    }


@pytest.fixture
def load_with(tmp_path: Path) -> Callable[..., CodeIndex]:
    def write_and_load(*files: dict[str, Any] | str | bytes) -> CodeIndex:
        for place, one in enumerate(files):
            content = one if isinstance(one, bytes) else (one if isinstance(one, str) else json.dumps(one)).encode()
            (tmp_path / f"site-{place}.json").write_bytes(content)
        return load(tmp_path, BASE)

    return write_and_load


def test_an_overlay_adds_codes_and_keeps_ours(
    load_with: Callable[..., CodeIndex],
) -> None:
    index = load_with(overlay_file())
    assert index.concepts(LOCAL, "FERR") == {"ferritin"}
    assert index.concepts(LOINC, "2276-4") == {"ferritin"}
    assert index.preferred("ferritin").code == "2276-4"
    assert index.search_tokens("ferritin").endswith(f",{LOCAL}|FERR")
    assert INDEX.concepts(LOCAL, "FERR") == frozenset()


def test_an_overlay_is_matched_by_the_end_of_its_url(
    load_with: Callable[..., CodeIndex],
) -> None:
    index = load_with(overlay_file(id="our-ferritin", url="https://hospital.example/fhir/ValueSet/ferritin"))
    assert index.concepts(LOCAL, "FERR") == {"ferritin"}


def test_an_overlay_adds_an_icd_category(load_with: Callable[..., CodeIndex]) -> None:
    include = [
        {
            "system": ICD_CM,
            "filter": [{"property": "concept", "op": "is-a", "value": "L40"}],
        }
    ]
    index = load_with(overlay_file(id="immune-disease", compose={"include": include}))
    assert index.concepts(ICD_CM, "L40.52") == {"immune-disease"}
    assert index.names_only == frozenset()
    assert INDEX.names_only == {"immune-disease"}


def test_an_overlay_may_map_the_severity_total_and_global_impressions(
    load_with: Callable[..., CodeIndex],
) -> None:
    include = [{"system": LOCAL, "concept": [{"code": "IRLS"}]}]
    impression = [{"system": LOCAL, "concept": [{"code": "MUCH-BETTER"}]}]
    index = load_with(
        overlay_file(id="rls-severity", compose={"include": include}),
        overlay_file(id="rls-responder", compose={"include": impression}),
    )
    assert index.concepts(LOCAL, "IRLS") == {"rls-severity"}
    assert index.concepts(LOCAL, "MUCH-BETTER") == {"rls-responder"}


def test_an_overlay_may_state_the_unit_of_a_local_billing_code(
    load_with: Callable[..., CodeIndex],
) -> None:
    unit = {
        "url": f"{BASE}/StructureDefinition/billing-unit",
        "valueQuantity": {"value": 12.5, "code": "mg"},
    }
    include = [{"system": LOCAL, "concept": [{"code": "iron5", "extension": [unit]}]}]
    index = load_with(overlay_file(id="ferric-gluconate", compose={"include": include}))
    assert index.hcpcs_unit_mg("iron5") == Decimal("12.5")
    assert index.content() != INDEX.content()


def test_a_code_that_is_there_already_changes_nothing(
    load_with: Callable[..., CodeIndex],
) -> None:
    include = [
        {
            "system": "http://loinc.org/",
            "concept": [{"code": "2276-4", "display": "another display"}],
        }
    ]
    index = load_with(overlay_file(compose={"include": include}))
    assert index.content() == INDEX.content()


def test_no_overlay_and_an_empty_overlay_folder_are_the_same(
    load_with: Callable[..., CodeIndex],
) -> None:
    assert load_with().content() == INDEX.content()


def _included(**include: Any) -> dict[str, Any]:
    return overlay_file(compose={"include": [include]})


BAD_OVERLAYS = [
    ("not json", "{", "not a JSON file"),
    ("bad utf-8", b'{"resourceType": "ValueSet", "id": "\xff"}', "not a JSON file"),
    ("nested too deep", "[" * 200_000, "not a JSON file"),
    ("a list", "[]", "not a FHIR ValueSet"),
    (
        "another resource",
        {"resourceType": "CodeSystem", "id": "ferritin"},
        "not a FHIR ValueSet",
    ),
    (
        "unknown set",
        overlay_file(id="ferittin"),
        "'ferittin' is no value set of this service",
    ),
    (
        "unknown url",
        overlay_file(id=None, url="https://x.example/ValueSet/other"),
        "no value set of this service",
    ),
    ("no id", overlay_file(id=None), "no id or url is no value set"),
    ("two sets", overlay_file(url=f"{BASE}/ValueSet/tsat"), "two different value sets"),
    (
        "removes",
        overlay_file(compose={"exclude": [{"system": LOINC}]}),
        "never removes any",
    ),
    ("no compose", overlay_file(compose={}), "adds no code"),
    ("compose is a list", overlay_file(compose=[]), "compose is no object"),
    (
        "include is an object",
        overlay_file(compose={"include": {}}),
        "no list of objects",
    ),
    (
        "concept is a string",
        _included(system=LOCAL, concept="FERR"),
        "no list of objects",
    ),
    ("whole system", _included(system=LOCAL), "list of concepts or one filter"),
    (
        "reference to another set",
        _included(system=LOCAL, valueSet=["x"], concept=[{"code": "A"}]),
        "no valueSet",
    ),
    (
        "concepts and filter",
        _included(system=ICD_CM, concept=[{"code": "A"}], filter=[{"value": "A"}]),
        "or one filter",
    ),
    (
        "concepts and filters",
        _included(system=ICD_CM, concept=[{"code": "A"}], filter=[{}, {}]),
        "or one filter",
    ),
    (
        "two filters, which would both have to hold",
        _included(
            system=ICD_CM,
            filter=[{"property": "concept", "op": "is-a", "value": one} for one in ("L40", "L41")],
        ),
        "or one filter",
    ),
    (
        "hierarchy we do not know",
        _included(
            system=SNOMED,
            filter=[{"property": "concept", "op": "is-a", "value": "3829006"}],
        ),
        "concept is-a on ICD-10",
    ),
    (
        "other filter",
        _included(
            system=ICD_CM,
            filter=[{"property": "concept", "op": "is-not-a", "value": "L40"}],
        ),
        "concept is-a on ICD-10",
    ),
    ("no system", _included(concept=[{"code": "FERR"}]), "system is missing"),
    (
        "no code",
        _included(system=LOCAL, concept=[{"display": "Ferritin"}]),
        "code is missing",
    ),
    (
        "number as code",
        _included(system=LOCAL, concept=[{"code": 5}]),
        "code is missing",
    ),
    (
        "code that breaks a query",
        _included(system=LOCAL, concept=[{"code": "a&b"}]),
        "cannot stand in a FHIR query",
    ),
    (
        "code that breaks a token",
        _included(system=LOCAL, concept=[{"code": "a|b"}]),
        "cannot stand in a FHIR query",
    ),
    (
        "code too long",
        _included(system=LOCAL, concept=[{"code": "a" * 65}]),
        "too long",
    ),
    (
        "no NDC",
        _included(system=NDC, concept=[{"code": "0517062001"}]),
        "is no code of",
    ),
    (
        "unit without mg",
        _included(
            system=LOCAL,
            concept=[
                {
                    "code": "A",
                    "extension": [
                        {
                            "url": "StructureDefinition/billing-unit",
                            "valueQuantity": {"value": 1},
                        }
                    ],
                }
            ],
        ),
        "no quantity in mg",
    ),
]


@pytest.mark.parametrize(
    ("content", "message"),
    [row[1:] for row in BAD_OVERLAYS],
    ids=[row[0] for row in BAD_OVERLAYS],
)
def test_a_bad_overlay_file_stops_with_a_message_that_names_it(
    load_with: Callable[..., CodeIndex],
    content: dict[str, Any] | str | bytes,
    message: str,
) -> None:
    with pytest.raises(ValueSetError, match=message) as raised:
        load_with(content)
    assert "site-0.json" in str(raised.value)


def test_an_overlay_folder_that_is_not_there_stops_with_its_name(
    tmp_path: Path,
) -> None:
    with pytest.raises(ValueSetError, match="nowhere"):
        load(tmp_path / "nowhere", BASE)


def test_an_overlay_file_that_cannot_be_opened_stops_with_its_name(
    tmp_path: Path,
) -> None:
    (tmp_path / "site.json").mkdir()
    with pytest.raises(ValueSetError, match=r"site\.json"):
        load(tmp_path, BASE)


def test_the_content_for_the_knowledge_hash_knows_the_overlay(
    load_with: Callable[..., CodeIndex],
) -> None:
    assert load_with(overlay_file()).content() != INDEX.content()


def test_an_overlay_is_published_with_the_set_it_adds_to(
    load_with: Callable[..., CodeIndex],
) -> None:
    include = [{"system": LOCAL, "concept": [{"code": "PSO", "display": "Psoriasis, local"}]}]
    index = load_with(overlay_file(id="immune-disease", compose={"include": include}))
    published = next(one for one in index.resources() if one["id"] == "immune-disease")
    FhirValueSet.model_validate(published)
    assert published["compose"]["include"] == include
    assert "names-only" not in json.dumps(published)


def test_the_content_does_not_depend_on_how_the_files_are_named(tmp_path: Path) -> None:
    made = []
    for name in ("a.json", "z.json"):
        folder = tmp_path / name[0]
        folder.mkdir()
        (folder / name).write_text(json.dumps(overlay_file()), encoding="utf-8-sig")
        made.append(load(folder, BASE).content())
    assert made[0] == made[1]


@pytest.mark.parametrize(
    ("include", "said"),
    [
        ([{"concept": [{"code": "A"}]}], r"compose\.include\.system is missing"),
        (
            [{"concept": [{"code": "A"}], "system": "a|b"}],
            r"compose\.include\.system 'a\|b' is too long or cannot stand in a FHIR query",
        ),
        ({}, r"compose\.include is no list of objects"),
        ([{"system": LOCAL, "concept": "A"}], r"compose\.include\.concept is no list of objects"),
        ([{"system": LOCAL, "filter": "A"}], r"compose\.include\.filter is no list of objects"),
        ([{"system": LOCAL, "concept": [{}]}], r"compose\.include\.concept\.code is missing"),
        (
            [{"system": LOCAL, "concept": [{"code": "A1", "extension": [{"url": UNIT, "valueQuantity": "5 mg"}]}]}],
            "billing-unit of 'A1' is no quantity in mg",
        ),
        ([{"system": ICD_CM, "filter": [{"property": "concept"}]}], r"compose\.include\.filter\.value is missing"),
        ([{"system": LOCAL, "concept": [{"code": "a" * 65}]}], f"code '{'a' * 64}' is too long"),
    ],
)
def test_a_bad_overlay_is_told_by_the_name_of_the_field(
    load_with: Callable[..., CodeIndex], include: Any, said: str
) -> None:
    with pytest.raises(ValueSetError, match=rf"site-0\.json: .*{said}"):
        load_with(overlay_file(compose={"include": include}))
