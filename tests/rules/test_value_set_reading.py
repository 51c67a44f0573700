"""What a ValueSet file says about a code, read back, merged and published: units, categories, marks, lengths."""

import json
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from cds_service.clinical.codes import CodeIndex, ValueSetError, load
from cds_service.clinical.coding_systems import STANDARD, UCUM
from cds_service.clinical.value_set_files import Coding, Member, ValueSet, is_own, read_overlay, read_shipped

Json = dict[str, Any]
BASE = "https://cds.example.org"
LOINC = "http://loinc.org"
SNOMED = "http://snomed.info/sct"
HCPCS = "http://www.cms.gov/Medicare/Coding/HCPCSReleaseCodeSets"
ICD_CM = "http://hl7.org/fhir/sid/icd-10-cm"
LOCAL = "https://hospital.example/lab"
UNIT = "StructureDefinition/billing-unit"
PREFERRED = "StructureDefinition/preferred-code"
CATEGORY = "StructureDefinition/category-display"
Overlaid = Callable[..., ValueSet]
SHIPPED = read_shipped()


@pytest.fixture
def overlaid(tmp_path: Path) -> Overlaid:
    """The set named `set_id` after a site added one include to it."""

    def add(set_id: str, *includes: Json, **changes: Any) -> ValueSet:
        resource = {"resourceType": "ValueSet", "id": set_id, "compose": {"include": list(includes)}, **changes}
        (tmp_path / "site.json").write_text(json.dumps(resource), encoding="utf-8")
        return read_overlay(tmp_path, SHIPPED)[set_id]

    return add


def listed(code: str, system: str = LOCAL, **changes: Any) -> Json:
    return {"system": system, "concept": [{"code": code, **changes}]}


def category(code: str, system: str = ICD_CM, **changes: Any) -> Json:
    return {"system": system, "filter": [{"property": "concept", "op": "is-a", "value": code, **changes}]}


def unit(value: Any, code: str | None = "mg", url: str = UNIT) -> Json:
    return {"url": url, "valueQuantity": {"value": value, "code": code}}


def added(value_set: ValueSet) -> tuple[Member, ...]:
    return value_set.members[len(SHIPPED[value_set.id].members) :]


# ----------------------------------------------------------------------------------------------- what is shipped


@pytest.mark.parametrize(
    ("set_id", "member"),
    [
        pytest.param(
            "rls",
            Member(Coding(SNOMED, "32914008", "Restless legs (disorder)"), is_preferred=True),
            id="R-02 the code that is written",
        ),
        pytest.param(
            "rls",
            Member(Coding(SNOMED, "1052284009", "Restless leg syndrome in pregnancy (disorder)")),
            id="R-02 a code that is only read",
        ),
        pytest.param(
            "ferric-gluconate",
            Member(Coding(HCPCS, "J2916", "Na ferric gluconate complex"), unit_mg=Decimal("12.5")),
            id="R-04a a billing code with its unit",
        ),
        pytest.param(
            "thalassemia",
            Member(Coding(ICD_CM, "D56", "Thalassemia"), is_category=True),
            id="R-15a a category with its title",
        ),
    ],
)
def test_a_shipped_code_is_read_with_all_that_its_file_says(set_id: str, member: Member) -> None:
    assert member in read_shipped()[set_id].members


@pytest.mark.parametrize(
    ("set_id", "kind", "coverage", "codes"),
    [
        pytest.param("rls", "condition", "", 3, id="R-02 enough codes"),
        pytest.param("immune-disease", "condition", "names-only", 0, id="R-02a recognised by name only"),
        pytest.param("iron-overload-finding", "condition", "unspecific", 2, id="R-02a the words beside it decide"),
        pytest.param("rls-severity", "measurement", "", 1, id="R-49 a result"),
    ],
)
def test_a_shipped_set_is_read_with_its_kind_and_coverage(set_id: str, kind: str, coverage: str, codes: int) -> None:
    found = read_shipped()[set_id]
    assert (found.id, found.kind, found.coverage, len(found.members)) == (set_id, kind, coverage, codes)
    assert list(found) == list(found.members)
    assert found.resource["id"] == set_id


def test_the_shipped_sets_come_in_order_of_id() -> None:
    assert list(read_shipped()) == sorted(read_shipped())


def test_systems_of_ours_and_of_the_site_are_told_from_public_ones() -> None:
    assert is_own(LOCAL)
    assert is_own("CodeSystem/rls-severity")
    assert not any(map(is_own, STANDARD))


# ----------------------------------------------------------------------------------------------- what a site adds


@pytest.mark.parametrize(
    ("include", "member"),
    [
        pytest.param(
            listed("FERR", display="Ferritin, local"),
            Member(Coding(LOCAL, "FERR", "Ferritin, local")),
            id="R-02a a code with its display",
        ),
        pytest.param(listed("FERR"), Member(Coding(LOCAL, "FERR", "FERR")), id="R-02a no display: the code"),
        pytest.param(listed("FERR", display=""), Member(Coding(LOCAL, "FERR", "FERR")), id="R-02a empty display"),
        pytest.param(listed("FERR", display=7), Member(Coding(LOCAL, "FERR", "FERR")), id="R-02a a number as display"),
        pytest.param(
            listed(" FERR ", f" {LOCAL} "), Member(Coding(LOCAL, "FERR", "FERR")), id="R-02a blanks around it"
        ),
        pytest.param(
            listed("FERR", extension=[{"url": PREFERRED, "valueBoolean": True}]),
            Member(Coding(LOCAL, "FERR", "FERR")),
            id="R-02a never the code we write",
        ),
        pytest.param(
            listed("X1", extension=[unit(62.5)]),
            Member(Coding(LOCAL, "X1", "X1"), unit_mg=Decimal("62.5")),
            id="R-04a the unit of a local billing code",
        ),
        pytest.param(
            listed("X1", extension=[unit(1000)]),
            Member(Coding(LOCAL, "X1", "X1"), unit_mg=Decimal(1000)),
            id="R-04a the largest unit",
        ),
        pytest.param(
            listed("X1", extension=[unit(0.1)]),
            Member(Coding(LOCAL, "X1", "X1"), unit_mg=Decimal("0.1")),
            id="R-04a the number as written, in decimals",
        ),
        pytest.param(
            listed("X1", extension=[{"url": "https://elsewhere.example/colour"}, "no object", unit(5)]),
            Member(Coding(LOCAL, "X1", "X1"), unit_mg=Decimal(5)),
            id="R-04a beside foreign extensions",
        ),
        pytest.param(
            listed("X1", extension=[unit(5, url=f"{BASE}/{UNIT}")]),
            Member(Coding(LOCAL, "X1", "X1"), unit_mg=Decimal(5)),
            id="R-04a extension with its full address",
        ),
        pytest.param(
            listed("X1", extension=[unit("5", url="https://elsewhere.example/billing-unit")]),
            Member(Coding(LOCAL, "X1", "X1")),
            id="R-04a an extension that only ends like ours",
        ),
        pytest.param(listed("X1", extension=None), Member(Coding(LOCAL, "X1", "X1")), id="R-04a no unit"),
        pytest.param(
            category("L40"), Member(Coding(ICD_CM, "L40", "L40"), is_category=True), id="R-02a an ICD category"
        ),
        pytest.param(
            {**category("L40"), "extension": [{"url": CATEGORY, "valueString": "Psoriasis"}]},
            Member(Coding(ICD_CM, "L40", "Psoriasis"), is_category=True),
            id="R-02a an ICD category with its title",
        ),
        pytest.param(
            category("M05", "http://hl7.org/fhir/sid/icd-10"),
            Member(Coding("http://hl7.org/fhir/sid/icd-10", "M05", "M05"), is_category=True),
            id="R-02a a category of WHO ICD-10",
        ),
        pytest.param(listed("a" * 64), Member(Coding(LOCAL, "a" * 64, "a" * 64)), id="R-02a the longest code"),
        pytest.param(
            listed("A", "https://x.example/".ljust(200, "y")),
            Member(Coding("https://x.example/".ljust(200, "y"), "A", "A")),
            id="R-02a the longest system",
        ),
        pytest.param(
            listed("own", "CodeSystem/rls-severity"),
            Member(Coding("CodeSystem/rls-severity", "own", "own")),
            id="R-49a a code of our own system",
        ),
    ],
)
def test_a_site_code_is_read_with_all_that_its_file_says(overlaid: Overlaid, include: Json, member: Member) -> None:
    assert added(overlaid("immune-disease", include)) == (member,)
    assert added(overlaid("thalassemia", include)) == (member,)


def test_a_code_that_a_file_names_twice_is_added_once(overlaid: Overlaid) -> None:
    include = {"system": LOCAL, "concept": [{"code": "A"}, {"code": "A"}, {"code": "B"}]}
    assert [one.coding.code for one in added(overlaid("rls", include, include))] == ["A", "B"]


def test_a_file_may_add_codes_of_several_systems(overlaid: Overlaid) -> None:
    found = added(overlaid("rls", listed("A"), category("G99"), listed("B", "https://clinic.example/x")))
    assert [(one.coding.code, one.is_category) for one in found] == [("A", False), ("G99", True), ("B", False)]


@pytest.mark.parametrize(
    ("include", "codes"),
    [
        pytest.param(listed("G25.81", ICD_CM), [], id="R-02 listed already: nothing new"),
        pytest.param(category("G25.81"), ["G25.81"], id="R-02 a category of a listed code holds more"),
        pytest.param(listed("G25.81", LOCAL), ["G25.81"], id="R-02 the same code of another system"),
        pytest.param(
            {"system": ICD_CM, "concept": [{"code": "G25.81"}, {"code": "G25.89"}]}, ["G25.89"], id="R-02 one of two"
        ),
    ],
)
def test_only_what_is_not_there_yet_is_added(overlaid: Overlaid, include: Json, codes: list[str]) -> None:
    found = overlaid("rls", include)
    assert [one.coding.code for one in added(found)] == codes
    if not codes:
        assert found == SHIPPED["rls"]


# ----------------------------------------------------------------------------------------------- how it is published


@pytest.mark.parametrize(
    ("include", "published"),
    [
        pytest.param(
            listed("A", display="Word"),
            {"system": LOCAL, "concept": [{"code": "A", "display": "Word"}]},
            id="R-02a a code",
        ),
        pytest.param(category("L40"), category("L40"), id="R-02a a category"),
        pytest.param(
            listed("A", display="Word", extension=[unit(12.5)]),
            {
                "system": LOCAL,
                "concept": [
                    {
                        "code": "A",
                        "display": "Word",
                        "extension": [
                            {
                                "url": UNIT,
                                "valueQuantity": {"value": 12.5, "unit": "mg", "system": UCUM, "code": "mg"},
                            }
                        ],
                    }
                ],
            },
            id="R-04a a billing code with its unit",
        ),
    ],
)
def test_what_a_site_adds_is_published_after_what_is_shipped(
    overlaid: Overlaid, include: Json, published: Json
) -> None:
    shipped = SHIPPED["rls"].resource
    found = overlaid("rls", include).resource
    assert found["compose"] == {"include": [*shipped["compose"]["include"], published]}
    assert {**found, "compose": None} == {**shipped, "compose": None}
    assert overlaid("immune-disease", include).resource["compose"] == {"include": [published]}


@pytest.mark.parametrize(
    ("set_id", "coverage"),
    [
        pytest.param("immune-disease", [], id="R-02a no longer by name only"),
        pytest.param("sideroblastic-anemia", ["small"], id="R-02a few codes stay few codes"),
        pytest.param("rls-unspecific", ["unspecific"], id="R-02a codes that need words still do"),
    ],
)
def test_a_set_by_name_only_loses_that_mark_with_its_first_code(
    overlaid: Overlaid, set_id: str, coverage: list[str]
) -> None:
    marks = overlaid(set_id, listed("A")).resource["extension"]
    assert [one["valueCode"] for one in marks if one["url"].endswith("/coverage")] == coverage
    assert [one["valueCode"] for one in marks if one["url"].endswith("/value-set-kind")] == ["condition"]


def test_a_set_in_the_form_we_publish_is_read_as_the_same_set(tmp_path: Path) -> None:
    index = load(None, BASE)
    for published in index.resources():
        if published.get("compose"):
            (tmp_path / f"{published['id']}.json").write_text(json.dumps(published), encoding="utf-8")
    again: CodeIndex = load(tmp_path, BASE)
    for set_id in index.sets:
        assert dict.fromkeys(again.codings(set_id)) == dict.fromkeys(index.codings(set_id))
        assert again.search_tokens(set_id) == index.search_tokens(set_id)
    assert again.concepts(f"{BASE}/CodeSystem/rls-severity", "irls-total") == {"rls-severity"}
    assert again.hcpcs_unit_mg("J2916") == Decimal("12.5")


# ----------------------------------------------------------------------------------------------- what is refused


@pytest.mark.parametrize(
    ("changes", "set_id"),
    [
        pytest.param({"id": "rls"}, "rls", id="R-02a by id"),
        pytest.param({"id": "rls", "url": "https://x.example/other"}, "rls", id="R-02a by id, url of something else"),
        pytest.param({"id": "rls", "url": f"{BASE}/ValueSet/rls"}, "rls", id="R-02a id and url agree"),
        pytest.param({"url": f"{BASE}/ValueSet/rls/"}, "rls", id="R-02a by url with a slash at the end"),
        pytest.param({"id": 7, "url": "ValueSet/rls"}, "rls", id="R-02a by url without base"),
        pytest.param({"url": "https://x.example/ValueSet/v1/ValueSet/rls"}, "rls", id="R-02a by the last part of url"),
        pytest.param({"url": "rls"}, None, id="R-02a a bare word is no url of a set"),
        pytest.param({"id": ["rls"]}, None, id="R-02a a list as id"),
        pytest.param({"url": f"{BASE}/ValueSet/rlsX"}, None, id="R-02a a url of no set"),
        pytest.param({"id": "rls", "url": "ValueSet/esrd"}, None, id="R-02a two different sets"),
    ],
)
def test_a_file_tells_the_set_it_adds_to(tmp_path: Path, changes: Json, set_id: str | None) -> None:
    resource = {"resourceType": "ValueSet", "compose": {"include": [listed("A")]}, **changes}
    (tmp_path / "site.json").write_text(json.dumps(resource), encoding="utf-8")
    if set_id is None:
        with pytest.raises(ValueSetError, match=r"site\.json"):
            read_overlay(tmp_path, SHIPPED)
        return
    merged = read_overlay(tmp_path, SHIPPED)
    assert [key for key, one in merged.items() if one != SHIPPED[key]] == [set_id]


def test_a_file_of_no_set_of_ours_is_told_which_sets_there_are(tmp_path: Path) -> None:
    resource = {"resourceType": "ValueSet", "id": "other", "compose": {"include": [listed("A")]}}
    (tmp_path / "site.json").write_text(json.dumps(resource), encoding="utf-8")
    with pytest.raises(ValueSetError, match=r"'other' is no value set of this service; use one of .*\brls, rls-"):
        read_overlay(tmp_path, SHIPPED)


def test_only_json_files_of_the_folder_are_read(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("no value set", encoding="utf-8")
    assert read_overlay(tmp_path, SHIPPED) == SHIPPED


@pytest.mark.parametrize(
    "include",
    [
        pytest.param(listed("A", extension=[unit(True)]), id="R-04a a unit of true"),
        pytest.param(listed("A", extension=[unit("5")]), id="R-04a a unit in quotes"),
        pytest.param(listed("A", extension=[unit(0)]), id="R-04a a unit of 0 mg"),
        pytest.param(listed("A", extension=[unit(-5)]), id="R-04a a negative unit"),
        pytest.param(listed("A", extension=[unit(1000.5)]), id="R-04a more than 1000 mg per unit"),
        pytest.param(listed("A", extension=[unit(5, "g")]), id="R-04a a unit in g"),
        pytest.param(listed("A", extension=[{"url": UNIT, "valueQuantity": "5 mg"}]), id="R-04a a unit as text"),
        pytest.param(listed(" "), id="R-02a a blank code"),
        pytest.param(listed("A", " "), id="R-02a a blank system"),
        pytest.param(listed("A", "https://x.example/".ljust(201, "y")), id="R-02a a system too long"),
        pytest.param(listed(".", ICD_CM), id="R-02a a dot alone is no ICD code"),
        pytest.param(category("L40", SNOMED), id="R-02a a hierarchy we do not know"),
        pytest.param(category("L40", property="parent"), id="R-02a a filter by parent"),
        pytest.param(category("L40", op="="), id="R-02a a filter by equality"),
        pytest.param(category(""), id="R-02a a filter without code"),
        pytest.param(category("L" * 65), id="R-02a a filter with too long a code"),
        pytest.param({"system": LOCAL, "concept": ["A"]}, id="R-02a a code that is no object"),
        pytest.param({"system": LOCAL, "concept": [{"code": "A"}, "B"]}, id="R-02a one code that is no object"),
        pytest.param({**listed("A"), "valueSet": ["x"]}, id="R-02a a reference to another set"),
        pytest.param({**listed("A", ICD_CM), **category("A")}, id="R-02a codes and a filter"),
        pytest.param({"system": LOCAL, "concept": [], "filter": []}, id="R-02a empty lists"),
        *(
            pytest.param(listed(f"a{one}b"), id=f"R-02a a code with {one!r} breaks a query")
            for one in '|,$\\&#%+{}"<>\n\r\t'
        ),
    ],
)
def test_an_include_that_cannot_be_relied_on_stops_the_start(overlaid: Overlaid, include: Json) -> None:
    with pytest.raises(ValueSetError, match=r"site\.json: "):
        overlaid("rls", listed("GOOD"), include)
