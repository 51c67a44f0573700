"""The shipped value sets hold what the terminology list allows, and nothing that it refuses."""

import json
from decimal import Decimal
from hashlib import sha256
from typing import Any

import pytest
from fhir.resources.R4B.valueset import ValueSet as FhirValueSet

from cds_service.clinical import codes
from cds_service.clinical.codes import EMPTY_OR_SMALL, UNSPECIFIC, load
from cds_service.clinical.value_set_files import read_shipped

BASE = "https://cds.example.org"
INDEX = load(None, BASE)
LOINC = "http://loinc.org"
SNOMED = "http://snomed.info/sct"
RXNORM = "http://www.nlm.nih.gov/research/umls/rxnorm"
ICD = "http://hl7.org/fhir/sid/icd-10"
ICD_CM = "http://hl7.org/fhir/sid/icd-10-cm"
ATC = "http://www.whocc.no/atc"
NDC = "http://hl7.org/fhir/sid/ndc"
HCPCS = "http://www.cms.gov/Medicare/Coding/HCPCSReleaseCodeSets"
CPT = "http://www.ama-assn.org/go/cpt"
TASKS = "http://hl7.org/fhir/CodeSystem/task-code"
UTG = "http://terminology.hl7.org/CodeSystem"

# Sets that only rule something out: belonging to them never satisfies a rule.
RULING_OUT = {"pregnancy-negated", "iron-imaging"}

# Digest of the sorted "system|code" lines of every row marked EMIT or READ of tier A or B in the terminology list
# (600 codes; task codes under their R4 address). A change of the list changes it here, on purpose.
LISTED_CODES = "1174e3d41ed69cf9bac4540f793f67c8d8595564a3394f91f726011defebd6e9"

# Rows marked EXCLUDE: they look similar and must never satisfy a rule.
EXCLUDED = """
http://loinc.org|86914-9|ferritin goal, no result
http://loinc.org|86913-1|saturation goal, no result
http://loinc.org|13452-8|iron to transferrin mass ratio, no saturation
http://loinc.org|50201-3|fourth specimen of a series
http://loinc.org|30248-9|soluble transferrin receptor
http://loinc.org|74807-9|receptor to log ferritin index
http://loinc.org|4548-4|HbA1c
http://loinc.org|721-1|free plasma hemoglobin
http://loinc.org|20570-8|hematocrit
http://loinc.org|18833-4|first body weight
http://loinc.org|2778-9|phosphate in urine
http://www.nlm.nih.gov/research/umls/rxnorm|1484283|phosphate binder
http://www.nlm.nih.gov/research/umls/rxnorm|1594675|phosphate binder
http://hl7.org/fhir/sid/ndc|24338-510|ferumoxytol for imaging
http://hl7.org/fhir/sid/ndc|24338-510-17|the same as package
http://snomed.info/sct|60001007|not pregnant
http://terminology.hl7.org/CodeSystem/condition-ver-status|refuted|no trigger
http://terminology.hl7.org/CodeSystem/condition-ver-status|entered-in-error|no trigger
http://terminology.hl7.org/CodeSystem/allergyintolerance-verification|refuted|no trigger
http://terminology.hl7.org/CodeSystem/allergyintolerance-verification|entered-in-error|no trigger
""".strip().splitlines()

# Section 9 (unverified), tier C, and related things that are not what they resemble: in no set at all.
NEVER = """
http://loinc.org|14801-7|wrong check digit
http://loinc.org|14800-9|wrong check digit
http://loinc.org|35209-6|bare code
http://loinc.org|35214-6|bare code
http://loinc.org|35215-3|bare code
http://loinc.org|75689-0|display truncated
http://loinc.org|70299-3|display not read
http://loinc.org|42810-2|display not read
http://loinc.org|8348-5|display not read
http://loinc.org|57021-8|tier C
http://snomed.info/sct|489004|tier C
http://www.nlm.nih.gov/research/umls/rxnorm|2274392|from memory
http://www.nlm.nih.gov/research/umls/rxnorm|261435|from memory
http://www.nlm.nih.gov/research/umls/rxnorm|206216|one community file
http://www.nlm.nih.gov/research/umls/rxnorm|284194|one synthetic file
http://www.nlm.nih.gov/research/umls/rxnorm|198630|one community file
http://www.nlm.nih.gov/research/umls/rxnorm|284202|one community file
http://snomed.info/sct|35400008|two community files
http://snomed.info/sct|1269037002|without own display
http://www.whocc.no/atc|B03AB06|absent from the 2026 list
http://snomed.info/sct|418763003|periodic limb movement disorder
http://hl7.org/fhir/sid/icd-10-cm|G47.61|periodic limb movement disorder
http://snomed.info/sct|273249006|assessment scales in general
""".strip().splitlines()


def _row(line: str) -> Any:
    system, code, why = line.split("|")
    return pytest.param(system, code, id=f"{code} {why}")


# ----------------------------------------------------------------------------------------------- what is shipped


def test_the_shipped_codes_are_exactly_the_rows_that_may_be_shipped() -> None:
    pairs = {
        f"{member.coding.system}|{member.coding.code}"
        for value_set in read_shipped().values()
        for member in value_set
        if not member.coding.system.startswith("CodeSystem/")
    } - {
        f"{SNOMED}|60001007",
        f"{NDC}|24338-510",
    }  # marked EXCLUDE, kept only to rule out
    assert len(pairs) == 600
    assert sha256("\n".join(sorted(pairs)).encode()).hexdigest() == LISTED_CODES


@pytest.mark.parametrize("set_id", list(read_shipped()))
def test_every_listed_code_resolves_to_its_set(set_id: str) -> None:
    for member in read_shipped()[set_id]:
        system = (
            f"{BASE}/{member.coding.system}" if member.coding.system.startswith("CodeSystem/") else member.coding.system
        )
        assert set_id in INDEX.concepts(system, member.coding.code)


@pytest.mark.parametrize(("system", "code"), [_row(line) for line in EXCLUDED])
def test_an_excluded_code_satisfies_no_rule(system: str, code: str) -> None:
    assert INDEX.concepts(system, code) <= RULING_OUT


@pytest.mark.parametrize(("system", "code"), [_row(line) for line in NEVER])
def test_an_unverified_or_unrelated_code_is_in_no_set(system: str, code: str) -> None:
    assert INDEX.concepts(system, code) == frozenset()


def test_sets_that_rule_out_are_marked_as_such_in_the_files() -> None:
    assert {one.id for one in read_shipped().values() if one.kind == "exclusion"} == RULING_OUT


def test_no_result_can_be_read_as_two_analytes() -> None:
    seen: dict[tuple[str, str], str] = {}
    for value_set in read_shipped().values():
        if value_set.kind == "measurement":
            for member in value_set:
                key = (member.coding.system, member.coding.code)
                assert seen.setdefault(key, value_set.id) == value_set.id


MEANINGS = [
    # results
    (LOINC, "2276-4", {"ferritin"}),
    (LOINC, "14723-1", {"ferritin"}),
    (LOINC, "14801-5", {"tsat"}),
    (LOINC, "39778-6", {"tsat"}),
    (LOINC, "6796-7", {"tsat"}),
    (LOINC, "35216-1", {"uibc"}),
    (LOINC, "50190-8", {"iron-panel"}),
    (LOINC, "718-7", {"hemoglobin"}),
    (LOINC, "30313-1", {"hemoglobin-bloodgas"}),
    (LOINC, "29463-7", {"body-weight"}),
    (LOINC, "8344-4", {"body-weight"}),
    (LOINC, "3142-7", {"body-weight-stated"}),
    (LOINC, "75292-3", {"body-weight-stated"}),
    (LOINC, "8341-0", {"body-weight-dry"}),
    (LOINC, "56077-1", {"pre-pregnancy-weight"}),
    (f"{BASE}/CodeSystem/rls-severity", "irls-total", {"rls-severity"}),
    # pregnancy
    (LOINC, "LA15173-0", {"pregnancy-status-pregnant"}),
    (LOINC, "LA26683-5", {"pregnancy-negated"}),
    (SNOMED, "60001007", {"pregnancy-negated"}),
    (SNOMED, "1052284009", {"rls", "pregnancy"}),
    (SNOMED, "57630001", {"pregnancy", "pregnancy-first-trimester"}),
    (ICD_CM, "O99.012", {"pregnancy", "pregnancy-second-trimester"}),
    (ICD_CM, "O99.013", {"pregnancy", "pregnancy-third-trimester"}),
    (ICD_CM, "O99.019", {"pregnancy"}),
    # drugs
    (RXNORM, "1433693", {"fcm"}),
    (RXNORM, "24909", {"iron-sucrose"}),
    (RXNORM, "105669", {"oral-iron"}),
    (RXNORM, "5992", {"iron-dextran"}),
    (RXNORM, "216515", {"iron-dextran-hmw"}),
    (RXNORM, "50013", {"ferric-gluconate"}),
    (RXNORM, "90176", {"iron-ambiguous"}),
    (RXNORM, "37744", {"iron-ambiguous"}),
    (ATC, "B03A", {"iron-ambiguous"}),
    (SNOMED, "3829006", {"iron-ambiguous"}),
    (ATC, "B03AC", {"parenteral-iron-class"}),
    (ATC, "B03AA", {"oral-iron"}),
    (ATC, "B03AB05", {"oral-iron"}),
    (ATC, "N03AX12", {"rls-gabapentin"}),
    (NDC, "24338-510", {"iron-imaging"}),
    # conditions
    (SNOMED, "32914008", {"rls"}),
    (ICD_CM, "G25.81", {"rls"}),
    (ICD, "G25.8", {"rls-unspecific"}),
    (ICD_CM, "E80.1", {"porphyria-cutanea-tarda"}),
    (SNOMED, "418470004", {"porphyria-unspecific"}),
    (SNOMED, "433146000", {"ckd5"}),
    (ICD_CM, "N18.5", {"ckd5"}),
    (ICD, "N18.5", {"ckd5"}),
    (ICD_CM, "N18.6", {"esrd"}),
    (ICD_CM, "Z99.2", {"dialysis-dependence"}),
    (SNOMED, "428982002", {"dialysis-dependence", "hemodialysis"}),
    (SNOMED, "302497006", {"dialysis-procedure", "hemodialysis"}),
    (SNOMED, "71192002", {"dialysis-procedure", "peritoneal-dialysis"}),
    (SNOMED, "4996001", {"hypophosphatemia"}),
    (ICD_CM, "E83.31", {"hypophosphatemia"}),
    (ICD_CM, "E83.39", {"phosphorus-disorder-unspecific"}),
    (ICD_CM, "E83.30", {"phosphorus-disorder-unspecific"}),
    (ICD, "E83.3", {"phosphorus-disorder-unspecific"}),
    (SNOMED, "5758002", {"systemic-infection"}),
    (SNOMED, "76571007", {"systemic-infection"}),
    (ICD_CM, "R78.81", {"systemic-infection"}),
    (SNOMED, "87628006", {"active-infection"}),
    (ICD_CM, "N10", {"active-infection"}),
    (SNOMED, "16402000", {"hemolytic-anemia"}),
    (SNOMED, "40108008", {"thalassemia"}),
    # orders
    (CPT, "82728", {"lab-order-ferritin"}),
    (f"{UTG}/task-code", "fulfill", {"task-code"}),
]


@pytest.mark.parametrize(
    ("system", "code", "expected"),
    MEANINGS,
    ids=[f"{row[1]} {min(row[2])}" for row in MEANINGS],
)
def test_a_code_belongs_to_exactly_these_sets(system: str, code: str, expected: set[str]) -> None:
    assert INDEX.concepts(system, code) == expected


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("E83.1", set()),
        ("E83.10", {"iron-metabolism-disorder"}),
        ("E83.11", {"iron-overload"}),
        ("E83.110", {"iron-overload"}),
        ("E83.119", {"iron-overload"}),
        ("E83.19", {"iron-metabolism-disorder"}),
        ("D64", set()),
        ("D64.0", {"sideroblastic-anemia"}),
        ("D64.3", {"sideroblastic-anemia"}),
        ("D64.4", set()),
        ("D64.9", set()),
        ("D56", {"thalassemia"}),
        ("D56.3", {"thalassemia"}),
        ("D57.1", {"hemolytic-anemia"}),
        ("D59.10", {"hemolytic-anemia"}),
        ("D60", set()),
        ("A40.3", {"systemic-infection"}),
        ("A41", {"systemic-infection"}),
        ("A41.51", {"systemic-infection"}),
        ("A42.1", set()),
        ("A42.7", {"systemic-infection"}),
        ("A49.9", {"active-infection"}),
        ("A49.8", set()),
        ("T80.211A", {"systemic-infection"}),
        ("T80.212A", set()),
        ("N10", {"active-infection"}),
        ("N10.9", set()),
        ("E80.1", {"porphyria-cutanea-tarda"}),
        ("E80.10", set()),
        ("E80.2", set()),
        ("C4A.9", {"malignancy"}),
        ("C97", set()),
        ("D05.10", set()),
        ("K74.60", {"liver-disease"}),
        ("K78", set()),
        ("L20.9", {"atopy"}),
        ("E8", set()),
        ("E", set()),
    ],
)
def test_icd_10_cm_category_edges(code: str, expected: set[str]) -> None:
    assert INDEX.concepts(ICD_CM, code) == expected


def test_an_icd_10_cm_category_says_nothing_about_who_icd_10() -> None:
    assert INDEX.concepts(ICD, "A41.5") == frozenset()
    assert INDEX.concepts(ICD, "A41.9") == {"systemic-infection"}


# ----------------------------------------------------------------------------------------------- check digits


def _luhn(number: str) -> int:
    digits = [int(one) for one in reversed(number)]
    total = sum(sum(divmod(2 * one, 10)) if place % 2 == 0 else one for place, one in enumerate(digits))
    return -total % 10


_D5 = [[(i + j) % 5 if j < 5 else 5 + (i + j) % 5 for j in range(10)] for i in range(5)]
_D5 += [[5 + (i - j) % 5 if j < 5 else (i - j) % 5 for j in range(10)] for i in range(5, 10)]
_SHUFFLE = [1, 5, 7, 6, 2, 8, 3, 0, 9, 4]


def _is_verhoeff(number: str) -> bool:
    check = 0
    for place, digit in enumerate(reversed(number)):
        value = int(digit)
        for _ in range(place % 8):
            value = _SHUFFLE[value]
        check = _D5[check][value]
    return check == 0


def _codes_of(system: str) -> list[str]:
    return sorted(
        {one.coding.code for value_set in read_shipped().values() for one in value_set if one.coding.system == system}
    )


def test_every_loinc_code_has_its_check_digit() -> None:
    terms = [code for code in _codes_of(LOINC) if not code.startswith("LA")]  # answers count their letters too
    assert len(terms) > 55
    for code in terms:
        number, check = code.split("-")
        assert _luhn(number) == int(check), code


def test_every_snomed_code_has_its_check_digit() -> None:
    terms = _codes_of(SNOMED)
    assert len(terms) > 100
    assert [code for code in terms if not _is_verhoeff(code)] == []


@pytest.mark.parametrize("wrong", ["14801-7", "14800-9"])
def test_the_check_digit_test_can_fail_for_loinc(wrong: str) -> None:
    number, check = wrong.split("-")
    assert _luhn(number) != int(check)


def test_the_check_digit_test_can_fail_for_snomed() -> None:
    assert _is_verhoeff("32914008")
    assert not _is_verhoeff("32914009")
    assert not _is_verhoeff("32910048")


# ----------------------------------------------------------------------------------------------- spellings


@pytest.mark.parametrize(
    ("system", "code", "expected"),
    [
        ("urn:oid:2.16.840.1.113883.6.1", "2276-4", "ferritin"),
        ("urn:oid:2.16.840.1.113883.6.96", "32914008", "rls"),
        ("urn:oid:2.16.840.1.113883.6.88", "1433693", "fcm"),
        ("urn:oid:2.16.840.1.113883.6.3", "G25.8", "rls-unspecific"),
        ("urn:oid:2.16.840.1.113883.6.90", "G25.81", "rls"),
        ("urn:oid:2.16.840.1.113883.6.69", "0517-0620-01", "fcm"),
        ("urn:oid:2.16.840.1.113883.6.12", "83540", "lab-order-iron"),
        ("urn:oid:2.16.840.1.113883.6.285", "J1756", "iron-sucrose"),
        ("http://loinc.org/", "2276-4", "ferritin"),
        ("https://loinc.org", "2276-4", "ferritin"),
        (" http://loinc.org ", " 2276-4 ", "ferritin"),
        ("https://www.cms.gov/Medicare/Coding/HCPCSReleaseCodeSets", "j1439", "fcm"),
        (ICD_CM, "G2581", "rls"),
        (ICD_CM, "g25.81", "rls"),
        (ICD_CM, "E83110", "iron-overload"),
        (ATC, "b03ac", "parenteral-iron-class"),
        (LOINC, "la15173-0", "pregnancy-status-pregnant"),
        (f"{BASE}/CodeSystem/rls-severity/", "irls-total", "rls-severity"),
    ],
)
def test_spellings_of_systems_and_codes_that_are_read(system: str, code: str, expected: str) -> None:
    assert expected in INDEX.concepts(system, code)


@pytest.mark.parametrize(
    ("system", "code"),
    [
        (None, None),
        (None, "2276-4"),
        ("", "2276-4"),
        (LOINC, None),
        (LOINC, ""),
        (LOINC, " "),
        ("urn:oid:1.2.3", "2276-4"),
        ("http://example.org/local", "2276-4"),
        (RXNORM, "2276-4"),
        (ICD_CM, "."),
        (LOINC, "2276-4" * 20),
        ("http://loinc.org" * 20, "2276-4"),
        ("http://elsewhere.example/CodeSystem/rls-severity", "irls-total"),
    ],
)
def test_a_coding_without_a_known_system_belongs_to_nothing(system: str | None, code: str | None) -> None:
    assert INDEX.concepts(system, code) == frozenset()


@pytest.mark.parametrize("number", ["01", "02", "03", "05", "06", "07"])
def test_retired_and_national_atc_codes_are_read_as_the_class_and_never_written(
    number: str,
) -> None:
    assert INDEX.concepts(ATC, f"B03AC{number}") == {"parenteral-iron-class"}
    assert f"B03AC{number}" not in {coding.code for one in INDEX.sets for coding in INDEX.codings(one)}


def test_other_atc_codes_below_the_class_are_not_guessed() -> None:
    assert INDEX.concepts(ATC, "B03AC04") == frozenset()
    assert INDEX.concepts(ATC, "B03AC99") == frozenset()


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("0517-0620-01", {"fcm"}),  # 4-4-2
        ("67457-797-15", {"fcm"}),  # 5-3-2
        ("73594-9305-1", {"ferric-derisomaltose"}),  # 5-4-1
        ("00517-0620-01", {"fcm"}),  # 5-4-2
        ("00517062001", {"fcm"}),  # 11 digits
        ("67457079715", {"fcm"}),
        ("0517-0620", {"fcm"}),  # labeler and product only
        ("67457-797", {"fcm"}),
        ("67457-0797", {"fcm"}),
        ("0517-0621-01", set()),
        ("0517062001", set()),  # ten digits without hyphens: three ways to split them
        ("051706200", set()),
        ("517-0620-01", set()),
        ("0517-620-01", set()),
        ("0517-0620-001", set()),
        ("0517-0620-", set()),
        ("\u0660517-0620-01", set()),
        ("Injectafer", set()),
    ],
)
def test_ndc_forms(code: str, expected: set[str]) -> None:
    assert INDEX.concepts(NDC, code) == expected


def test_former_canonicals_are_still_recognised() -> None:
    index = load(None, "https://new.example/cds/", former=("https://old.example/",))
    for base in ("https://new.example/cds", "https://old.example"):
        assert index.concepts(f"{base}/CodeSystem/rls-severity", "irls-total") == {"rls-severity"}
    assert index.preferred("rls-severity").system == "https://new.example/cds/CodeSystem/rls-severity"


def test_the_memory_of_answers_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    index = load(None, BASE)
    monkeypatch.setattr(codes, "REMEMBERED", 0)
    before = len(index._known)
    assert index.concepts(ICD_CM, "E83.113") == {"iron-overload"}
    assert index.concepts(LOINC, "1-8") == frozenset()
    assert len(index._known) == before


# ----------------------------------------------------------------------------------------------- codes we write


@pytest.mark.parametrize(
    ("set_id", "system", "code"),
    [
        ("ferritin", LOINC, "2276-4"),
        ("tsat", LOINC, "2502-3"),
        ("iron", LOINC, "2498-4"),
        ("tibc", LOINC, "2500-7"),
        ("iron-panel", LOINC, "50190-8"),
        ("cbc", LOINC, "58410-2"),
        ("phosphate", LOINC, "2777-1"),
        ("crp", LOINC, "1988-5"),
        ("body-weight", LOINC, "29463-7"),
        ("pregnancy-status", LOINC, "82810-3"),
        ("rls", SNOMED, "32914008"),
        ("follow-up", SNOMED, "390906007"),
        ("laboratory-category", SNOMED, "108252007"),
        ("evaluation-category", SNOMED, "386053000"),
        ("fcm", RXNORM, "1433693"),
    ],
)
def test_the_preferred_code_is_the_one_to_write(set_id: str, system: str, code: str) -> None:
    preferred = INDEX.preferred(set_id)
    assert (preferred.system, preferred.code) == (system, code)
    assert preferred.display
    assert INDEX.codings(set_id)[0] == preferred


@pytest.mark.parametrize("set_id", ["iron-sucrose", "immune-disease", "no-such-set"])
def test_a_set_without_a_code_to_write_says_so(set_id: str) -> None:
    with pytest.raises(LookupError, match=set_id):
        INDEX.preferred(set_id)


def test_a_listed_code_is_found_with_its_display() -> None:
    coding = INDEX.coding("task-code", "fulfill")
    assert (coding.system, coding.display) == (TASKS, "Fulfill the focal request")
    with pytest.raises(LookupError, match="refute"):
        INDEX.coding("task-code", "refute")


def test_override_reasons_are_offered_without_grouping_codes() -> None:
    reasons = INDEX.codings("override-reason")
    assert len(reasons) == 29
    assert all(one.display and one.system == f"{UTG}/non-adherence-reason-codes" for one in reasons)
    assert "cds-not-applicable" not in {one.code for one in reasons}


@pytest.mark.parametrize(
    ("code", "mg"),
    [
        ("J1437", "10"),
        ("J1439", "1"),
        ("J1750", "50"),
        ("J1756", "1"),
        ("J2916", "12.5"),
        ("Q0138", "1"),
        ("Q0139", "1"),
        ("C9441", "1"),
        ("Q9970", "1"),
        ("j2916", "12.5"),
    ],
)
def test_r_04a_milligrams_per_billing_unit(code: str, mg: str) -> None:
    assert INDEX.hcpcs_unit_mg(code) == Decimal(mg)


def test_r_04a_every_billing_code_has_its_unit_and_no_other_code_has_one() -> None:
    assert all(INDEX.hcpcs_unit_mg(code) for code in _codes_of(HCPCS))
    assert INDEX.hcpcs_unit_mg("96365") is None


# ----------------------------------------------------------------------------------------------- search by code


def test_results_are_searched_by_loinc_in_filed_order() -> None:
    tokens = INDEX.search_tokens("ferritin").split(",")
    assert tokens == [f"{LOINC}|{code}" for code in ("2276-4", "20567-4", "24373-3", "14723-1")]


def test_infusions_are_searched_by_billing_code_only() -> None:
    tokens = INDEX.search_tokens("iron-sucrose", "ferric-gluconate").split(",")
    assert tokens == [f"{HCPCS}|J1756", f"{HCPCS}|J2916"]


def test_dialysis_is_searched_by_procedure_and_conditions_are_never_searched_by_code() -> None:
    tokens = INDEX.search_tokens("dialysis-procedure", "hemodialysis").split(",")
    assert len(tokens) == len(set(tokens)) == 5
    assert INDEX.search_tokens("malignancy", "pregnancy-negated") == ""


def test_the_severity_total_is_searched_under_our_canonical() -> None:
    assert INDEX.search_tokens("rls-severity") == f"{BASE}/CodeSystem/rls-severity|irls-total"


def test_an_unknown_set_is_an_error() -> None:
    with pytest.raises(LookupError, match="ferritine"):
        INDEX.search_tokens("ferritin", "ferritine")


# ----------------------------------------------------------------------------------------------- published form


def test_every_published_value_set_is_valid_r4_and_under_our_canonical() -> None:
    resources = INDEX.resources()
    assert [one["id"] for one in resources] == sorted(INDEX.sets)
    for resource in resources:
        FhirValueSet.model_validate(resource)
        assert resource["url"] == f"{BASE}/ValueSet/{resource['id']}"
        assert resource["status"] == "draft"
        assert resource["title"]
        assert resource["description"]
    text = json.dumps(resources)
    assert '"StructureDefinition/' not in text
    assert '"CodeSystem/' not in text


def test_an_include_holds_concepts_or_a_filter_never_both() -> None:
    for value_set in read_shipped().values():
        for include in value_set.resource.get("compose", {}).get("include", []):
            assert ("concept" in include) != ("filter" in include)


def test_the_content_for_the_knowledge_hash_is_the_same_wherever_the_service_runs() -> None:
    assert load(None, "https://elsewhere.example").content() == INDEX.content()


def test_published_resources_can_be_changed_without_changing_the_index() -> None:
    INDEX.resources()[0]["extension"].clear()
    assert INDEX.resources()[0]["extension"]


def test_r_02a_condition_sets_that_are_empty_or_small_are_marked() -> None:
    assert EMPTY_OR_SMALL["immune-disease"] == "names-only"
    assert EMPTY_OR_SMALL["porphyria-cutanea-tarda"] == "small"
    assert EMPTY_OR_SMALL["sideroblastic-anemia"] == "small"
    assert "malignancy" not in EMPTY_OR_SMALL
    assert {one for one, coverage in EMPTY_OR_SMALL.items() if coverage == "names-only"} == INDEX.names_only


def test_r_02a_sets_whose_code_alone_decides_nothing_are_marked() -> None:
    assert sorted(UNSPECIFIC) == [
        "adverse-drug-reaction",
        "anaphylaxis",
        "drug-allergy",
        "iron-metabolism-disorder",
        "iron-overload-finding",
        "phosphorus-disorder-unspecific",
        "porphyria-unspecific",
        "rls-unspecific",
    ]
    assert UNSPECIFIC.isdisjoint(EMPTY_OR_SMALL)
