"""Code systems by their FHIR address, and one spelling for the codes of each: OIDs, https, NDC hyphens, ICD dots.

Addresses and OIDs are those of the terminology list, section 8; retired ATC codes of section 9 are read as their class.
"""

import re

LOINC = "http://loinc.org"
SNOMED = "http://snomed.info/sct"
RXNORM = "http://www.nlm.nih.gov/research/umls/rxnorm"
ICD_10 = "http://hl7.org/fhir/sid/icd-10"
ICD_10_CM = "http://hl7.org/fhir/sid/icd-10-cm"
ATC = "http://www.whocc.no/atc"
NDC = "http://hl7.org/fhir/sid/ndc"
HCPCS = "http://www.cms.gov/Medicare/Coding/HCPCSReleaseCodeSets"
CPT = "http://www.ama-assn.org/go/cpt"
UCUM = "http://unitsofmeasure.org"
TASK_CODE = "http://hl7.org/fhir/CodeSystem/task-code"
OVERRIDE_REASON = "http://terminology.hl7.org/CodeSystem/non-adherence-reason-codes"
STANDARD = (
    LOINC,
    SNOMED,
    RXNORM,
    ICD_10,
    ICD_10_CM,
    ATC,
    NDC,
    HCPCS,
    CPT,
    TASK_CODE,
    OVERRIDE_REASON,
)
WITH_CATEGORIES = (ICD_10, ICD_10_CM)  # a code is a prefix of the codes below it

_OIDS = {
    "2.16.840.1.113883.6.1": LOINC,
    "2.16.840.1.113883.6.96": SNOMED,
    "2.16.840.1.113883.6.88": RXNORM,
    "2.16.840.1.113883.6.3": ICD_10,
    "2.16.840.1.113883.6.90": ICD_10_CM,
    "2.16.840.1.113883.6.69": NDC,
    "2.16.840.1.113883.6.12": CPT,
    "2.16.840.1.113883.6.285": HCPCS,
}
_TASK_CODE_LATER = "http://terminology.hl7.org/CodeSystem/task-code"  # R4 core has the other address
_SPELLINGS = {
    **{system.lower(): system for system in STANDARD},
    **{f"urn:oid:{oid}": system for oid, system in _OIDS.items()},
    _TASK_CODE_LATER.lower(): TASK_CODE,
}
_UPPER_CASE = (
    LOINC,
    ICD_10,
    ICD_10_CM,
    ATC,
    HCPCS,
    CPT,
)  # "la15173-0", "g25.81", "j1439"

# National or retired codes below parenteral iron (section 9): they name no product reliably, so they mean the class.
_PARENTERAL_IRON = "B03AC"
_ATC_ALIASES = {f"{_PARENTERAL_IRON}{number}": _PARENTERAL_IRON for number in ("01", "02", "03", "05", "06", "07")}

FEWEST_NDC_DIGITS = 8  # of labeler and product together
_NDC_HYPHENS = re.compile(r"(\d{4,5})-(\d{3,4})(?:-\d{1,2})?", re.ASCII)
_NDC_DIGITS = re.compile(r"(\d{5})(\d{4})\d{2}", re.ASCII)


def read_system(system: str) -> str:
    """The address we use; one we do not know comes back as written, without spaces and trailing slash."""
    spelling = system.strip().rstrip("/")
    return _SPELLINGS.get(spelling.lower().replace("https://", "http://", 1), spelling)


def read_code(system: str, code: str) -> str | None:
    """The spelling that codes of this system are compared in; None when it is no code of it.

    NDC: labeler and product padded to 5-4 from 4-4-2, 5-3-2, 5-4-1 or 11 digits (trap 13); ten digits without
    hyphens can be split in three ways and are None. ICD: upper case, without the dot.
    """
    code = code.strip()
    if system == NDC:
        return _read_ndc(code)
    if system in _UPPER_CASE:
        code = code.upper()
    if system in WITH_CATEGORIES:
        return code.replace(".", "") or None
    if system == ATC:
        return _ATC_ALIASES.get(code, code) or None
    return code or None


def _read_ndc(code: str) -> str | None:
    found = _NDC_HYPHENS.fullmatch(code) or _NDC_DIGITS.fullmatch(code)
    if found is None:
        return None
    labeler, product = found.groups()
    if len(labeler) + len(product) < FEWEST_NDC_DIGITS:  # 4-3 is no form of it
        return None
    return f"{labeler:0>5}-{product:0>4}"
