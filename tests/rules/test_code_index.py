"""What the index of codes answers: members as published, preferred ones first, search tokens, own systems, bounds."""

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from cds_service.clinical import codes
from cds_service.clinical.codes import CodeIndex, load
from cds_service.clinical.coding_systems import read_code, read_system
from cds_service.clinical.value_set_files import Coding

BASE = "https://cds.example.org"
INDEX = load(None, BASE)
LOINC = "http://loinc.org"
SNOMED = "http://snomed.info/sct"
ICD = "http://hl7.org/fhir/sid/icd-10"
ICD_CM = "http://hl7.org/fhir/sid/icd-10-cm"
ATC = "http://www.whocc.no/atc"
NDC = "http://hl7.org/fhir/sid/ndc"
CPT = "http://www.ama-assn.org/go/cpt"
HCPCS = "http://www.cms.gov/Medicare/Coding/HCPCSReleaseCodeSets"
LOCAL = "https://hospital.example/lab"
SEVERITY = f"{BASE}/CodeSystem/rls-severity"


def overlaid(folder: Path, **includes: Any) -> CodeIndex:
    """The index with one include per set; `_` stands for `-` in the names of sets."""
    for name, include in includes.items():
        resource = {"resourceType": "ValueSet", "id": name.replace("_", "-"), "compose": {"include": [include]}}
        (folder / f"{name}.json").write_text(json.dumps(resource), encoding="utf-8")
    return load(folder, BASE)


def concept(code: str, system: str = LOCAL) -> dict[str, Any]:
    return {"system": system, "concept": [{"code": code}]}


def category(code: str, system: str = ICD_CM) -> dict[str, Any]:
    return {"system": system, "filter": [{"property": "concept", "op": "is-a", "value": code}]}


# ----------------------------------------------------------------------------------- codes of a set


def test_the_codes_of_a_set_are_published_the_preferred_ones_first() -> None:
    assert INDEX.codings("rls") == (
        Coding(SNOMED, "32914008", "Restless legs (disorder)"),
        Coding(ICD_CM, "G25.81", "Restless legs syndrome"),
        Coding(SNOMED, "1052284009", "Restless leg syndrome in pregnancy (disorder)"),
    )


def test_categories_are_no_codes_to_list() -> None:
    assert {one.system for one in INDEX.codings("thalassemia")} == {SNOMED}
    assert {one.coding.system for one in INDEX.sets["thalassemia"]} == {SNOMED, ICD_CM}


def test_a_code_of_ours_is_published_under_our_address() -> None:
    expected = Coding(SEVERITY, "irls-total", "RLS severity total (IRLS scale, 0 to 40)")
    assert INDEX.codings("rls-severity") == (expected,)
    assert INDEX.preferred("rls-severity") == expected
    assert INDEX.coding("rls-severity", "irls-total") == expected


def test_the_code_to_write_is_the_first_that_is_marked() -> None:
    assert INDEX.preferred("rls") == Coding(SNOMED, "32914008", "Restless legs (disorder)")


@pytest.mark.parametrize(
    "ask", [INDEX.codings, INDEX.preferred, INDEX.search_tokens, lambda one: INDEX.coding(one, "x")]
)
def test_a_set_that_is_not_there_is_named(ask: Any) -> None:
    with pytest.raises(LookupError, match="no-such-set"):
        ask("no-such-set")


# ----------------------------------------------------------------------------------- which sets a code belongs to


@pytest.mark.parametrize(
    ("system", "code", "expected"),
    [
        pytest.param(ICD_CM, "D56", {"thalassemia"}, id="R-15a a category itself"),
        pytest.param(ICD_CM, "D56.1", {"thalassemia"}, id="R-15a below it"),
        pytest.param(ICD_CM, "D5", set(), id="R-15a above it"),
        pytest.param(ICD_CM, "D57", {"hemolytic-anemia"}, id="R-15a beside it"),
        pytest.param(ICD, "D56.1", set(), id="R-15a the category is one of ICD-10-CM"),
        pytest.param(SNOMED, "D56.1", set(), id="R-15a no category in SNOMED CT"),
    ],
)
def test_r_02a_a_category_stands_for_the_codes_below_it(system: str, code: str, expected: set[str]) -> None:
    assert INDEX.concepts(system, code) == expected


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        pytest.param("G25", set(), id="R-02a above the category"),
        pytest.param("G25.8", {"rls-unspecific"}, id="R-02a the category as a site added it"),
        pytest.param("G25.81", {"rls", "rls-unspecific"}, id="R-02a in two sets, listed and by category"),
        pytest.param("G25.811", {"rls-unspecific"}, id="R-02a below the category"),
    ],
)
def test_r_02a_a_listed_code_may_lie_in_a_category_of_another_set(
    tmp_path: Path, code: str, expected: set[str]
) -> None:
    index = overlaid(tmp_path, rls_unspecific=category("G25.8"))
    assert index.concepts(ICD_CM, code) == expected


def test_a_category_of_three_characters_is_found_and_a_shorter_one_is_none(tmp_path: Path) -> None:
    assert overlaid(tmp_path, asthma=category("J45")).concepts(ICD_CM, "J45.901") >= {"asthma"}
    assert overlaid(tmp_path, asthma=category("J4")).concepts(ICD_CM, "J44.9") == frozenset()


def test_two_sets_may_list_one_local_code(tmp_path: Path) -> None:
    index = overlaid(tmp_path, ferritin=concept("X"), tsat=concept("X"))
    assert index.concepts(LOCAL, "X") == {"ferritin", "tsat"}
    assert index.concepts(LOCAL, "Y") == frozenset()


@pytest.mark.parametrize(
    ("length", "expected"),
    [pytest.param(64, {"ferritin"}, id="R-02a 64 characters"), pytest.param(65, set(), id="R-02a 65 are no code")],
)
def test_a_code_is_looked_up_to_its_longest(tmp_path: Path, length: int, expected: set[str]) -> None:
    index = overlaid(tmp_path, ferritin=concept("c" * 64))
    assert index.concepts(LOCAL, ("c" * 64).ljust(length)) == expected


@pytest.mark.parametrize(
    ("length", "expected"),
    [pytest.param(200, {"ferritin"}, id="R-02a 200 characters"), pytest.param(201, set(), id="R-02a 201 are none")],
)
def test_a_system_is_looked_up_to_its_longest(length: int, expected: set[str]) -> None:
    assert INDEX.concepts(LOINC.ljust(length), "2276-4") == expected


def test_an_answer_is_remembered_until_the_memory_is_full(monkeypatch: pytest.MonkeyPatch) -> None:
    index = load(None, BASE)
    known = len(index._known)
    monkeypatch.setattr(codes, "REMEMBERED", known + 1)
    assert index.concepts(LOCAL, "A") == frozenset()
    assert index.concepts(LOCAL, "B") == frozenset()
    assert set(index._known) >= {(LOCAL, "A")}
    assert len(index._known) == known + 1


def test_every_listed_code_is_answered_from_memory_at_once() -> None:
    index = load(None, BASE)
    for value_set in index.sets.values():
        for coding in index.codings(value_set.id):
            assert value_set.id in index._known[(coding.system, coding.code)]


# ----------------------------------------------------------------------------------- search


@pytest.mark.parametrize(
    ("set_id", "systems"),
    [
        pytest.param("ferritin", {LOINC}, id="R-05 results in LOINC"),
        pytest.param("dialysis-procedure", {SNOMED, CPT}, id="R-28 procedures in SNOMED CT and CPT"),
        pytest.param("fcm", {HCPCS}, id="R-40e infusions by billing code"),
        pytest.param("lab-order-ferritin", {LOINC, SNOMED}, id="R-50 orders in LOINC and SNOMED CT"),
        pytest.param("rls", set(), id="R-02 conditions without codes"),
        pytest.param("override-reason", set(), id="R-54 reasons never"),
    ],
)
def test_a_query_names_codes_of_the_systems_that_are_searched(set_id: str, systems: set[str]) -> None:
    named = {token.partition("|")[0] for token in INDEX.search_tokens(set_id).split(",") if token}
    assert named <= systems
    assert bool(named) is any(one.system in systems for one in INDEX.codings(set_id))


def test_a_query_names_local_codes_of_kinds_that_are_searched(tmp_path: Path) -> None:
    index = overlaid(tmp_path, ferritin=concept("X"), rls=concept("Y"), fcm=concept("Z"))
    assert f"{LOCAL}|X" in index.search_tokens("ferritin").split(",")
    assert f"{LOCAL}|Z" in index.search_tokens("fcm").split(",")
    assert index.search_tokens("rls") == ""


def test_a_query_of_several_sets_names_each_code_once_in_the_order_of_the_sets() -> None:
    one, other = INDEX.search_tokens("ferritin").split(","), INDEX.search_tokens("tsat").split(",")
    assert INDEX.search_tokens("ferritin", "tsat", "ferritin").split(",") == one + other
    assert INDEX.search_tokens("tsat", "ferritin").split(",") == other + one


# ----------------------------------------------------------------------------------- own systems, units, resources


def test_our_own_system_is_read_with_and_without_a_slash_and_under_former_addresses() -> None:
    index = load(None, f"{BASE}/", former=("https://old.example/fhir/", "https://older.example"))
    for base in (BASE, "https://old.example/fhir", "https://older.example"):
        assert index.concepts(f"{base}/CodeSystem/rls-severity", "irls-total") == {"rls-severity"}
    assert index.concepts("https://newer.example/CodeSystem/rls-severity", "irls-total") == frozenset()
    assert index.canonical == BASE


def test_r_04a_a_unit_is_found_by_the_code_in_either_case(tmp_path: Path) -> None:
    unit = {"url": "StructureDefinition/billing-unit", "valueQuantity": {"value": 20, "code": "mg"}}
    include = {"system": LOCAL, "concept": [{"code": "iron20", "extension": [unit]}, {"code": "plain"}]}
    index = overlaid(tmp_path, fcm=include)
    assert {index.hcpcs_unit_mg(code) for code in ("iron20", "IRON20", " Iron20 ")} == {Decimal(20)}
    assert index.hcpcs_unit_mg("plain") is None
    assert index.hcpcs_unit_mg("J1756") == Decimal(1)


def test_resources_are_published_with_full_addresses_and_all_else_unchanged() -> None:
    found = {one["id"]: one for one in INDEX.resources()}
    severity, shipped = found["rls-severity"], INDEX.sets["rls-severity"].resource
    assert severity["url"] == f"{BASE}/ValueSet/rls-severity"
    assert severity["extension"] == [{"url": f"{BASE}/StructureDefinition/value-set-kind", "valueCode": "measurement"}]
    (include,) = severity["compose"]["include"]
    assert include["system"] == SEVERITY
    assert include["concept"][0]["extension"] == [
        {"url": f"{BASE}/StructureDefinition/preferred-code", "valueBoolean": True}
    ]
    assert {key: severity[key] for key in ("title", "description", "status")} == {
        key: shipped[key] for key in ("title", "description", "status")
    }
    assert {one["system"] for one in found["rls"]["compose"]["include"]} == {SNOMED, ICD_CM}


def test_the_content_is_compact_json_of_all_sets_in_order() -> None:
    content = INDEX.content()
    read = json.loads(content)
    assert [one["id"] for one in read] == list(INDEX.sets)
    assert read == [one.resource for one in INDEX.sets.values()]
    assert content == json.dumps(read, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


@pytest.mark.parametrize(
    ("set_id", "is_by_name"),
    [
        pytest.param("immune-disease", True, id="R-02a a condition without codes"),
        pytest.param("rls", False, id="R-02a a condition with codes"),
        pytest.param("ferritin", False, id="R-02a a result"),
    ],
)
def test_r_02a_conditions_without_codes_are_recognised_by_name_only(set_id: str, is_by_name: bool) -> None:
    assert (set_id in INDEX.names_only) is is_by_name


# ----------------------------------------------------------------------------------- spellings


@pytest.mark.parametrize(
    ("written", "system"),
    [
        pytest.param("http://loinc.org", LOINC, id="R-05 as it stands"),
        pytest.param(" HTTPS://LOINC.ORG/ ", LOINC, id="R-05 capitals, https, slash and blanks"),
        pytest.param("urn:oid:2.16.840.1.113883.6.96", SNOMED, id="R-05 OID"),
        pytest.param("URN:OID:2.16.840.1.113883.6.285", HCPCS, id="R-05 OID in capitals"),
        pytest.param("https://Hospital.example/Lab/", "https://Hospital.example/Lab", id="R-05 a site's own, kept"),
        pytest.param("http://x.example/https://y", "http://x.example/https://y", id="R-05 only the start is read"),
        pytest.param("", "", id="R-05 none"),
    ],
)
def test_a_system_is_read_in_its_spellings(written: str, system: str) -> None:
    assert read_system(written) == system


@pytest.mark.parametrize(
    ("system", "written", "code"),
    [
        pytest.param(SNOMED, " 32914008 ", "32914008", id="R-05 blanks"),
        pytest.param(SNOMED, "  ", None, id="R-05 nothing"),
        pytest.param(LOCAL, "Ab.c", "Ab.c", id="R-05 a site's own code stays as it is"),
        pytest.param(LOINC, "la15173-0", "LA15173-0", id="R-05 LOINC in capitals"),
        pytest.param(CPT, "a123", "A123", id="R-05 CPT in capitals"),
        pytest.param(HCPCS, "j1439", "J1439", id="R-05 HCPCS in capitals"),
        pytest.param(ICD_CM, "g25.81", "G2581", id="R-05 ICD-10-CM in capitals, without dot"),
        pytest.param(ICD, "g25.8", "G258", id="R-05 ICD-10 in capitals, without dot"),
        pytest.param(ICD, ".", None, id="R-05 a dot alone"),
        pytest.param(ATC, "b03ac01", "B03AC", id="R-05 a retired code is its class"),
        pytest.param(ATC, "b03ab05", "B03AB05", id="R-05 another ATC code"),
        pytest.param(ATC, " ", None, id="R-05 no ATC code"),
        pytest.param(NDC, " 0517-0620-01 ", "00517-0620", id="R-05 NDC 4-4-2"),
        pytest.param(NDC, "67457-797-15", "67457-0797", id="R-05 NDC 5-3-2"),
        pytest.param(NDC, "73594-9305-1", "73594-9305", id="R-05 NDC 5-4-1"),
        pytest.param(NDC, "0517-620-01", None, id="R-05 NDC 4-3 is none"),
        pytest.param(NDC, "67457079715", "67457-0797", id="R-05 NDC of eleven digits"),
        pytest.param(NDC, "6745707971", None, id="R-05 NDC of ten digits"),
    ],
)
def test_a_code_is_read_in_the_spellings_of_its_system(system: str, written: str, code: str | None) -> None:
    assert read_code(system, written) == code


@pytest.mark.parametrize(
    "address",
    [
        pytest.param("https://hospital.example/codesX", id="R-05 a site's system"),
        pytest.param("http://hospital.example/X/", id="R-05 a site's system with a slash"),
    ],
)
def test_only_slashes_are_taken_off_the_end_of_an_address(address: str) -> None:
    assert read_system(address) == address.rstrip("/")
    index = load(None, address, former=(f"{address.rstrip('/')}X/",))
    assert index.canonical == address.rstrip("/")
    for base in (address.rstrip("/"), f"{address.rstrip('/')}X"):
        assert index.concepts(f"{base}/CodeSystem/rls-severity", "irls-total") == {"rls-severity"}


def test_words_that_look_like_an_address_of_ours_are_published_as_they_are(tmp_path: Path) -> None:
    include = {"system": LOCAL, "concept": [{"code": "CodeSystem/1", "display": "ValueSet/ferritin, \u00fcblich"}]}
    index = overlaid(tmp_path, ferritin=include)
    (published,) = (one for one in index.resources() if one["id"] == "ferritin")
    assert published["compose"]["include"][-1] == include
    assert "ValueSet/ferritin, \u00fcblich".encode() in index.content()


def test_a_remembered_answer_is_given_without_looking_again() -> None:
    index = load(None, BASE)
    assert index.concepts(LOCAL, "A") == frozenset()
    index._known[(LOCAL, "A")] = frozenset({"remembered"})
    assert index.concepts(LOCAL, "A") == {"remembered"}
