"""Reads drug names and forms in words: which iron is meant, injected or swallowed (R-01, R-01a, R-18).

Names and spellings are general knowledge, mostly English. A name gives the id of a value set, as a code would.
"""

import re
from dataclasses import dataclass
from functools import lru_cache

from cds_service.clinical.value_set_files import read_shipped

LONGEST_TEXT = 400  # characters looked at; a drug name is shorter
CLASS = "parenteral-iron-class"
AMBIGUOUS = "iron-ambiguous"
ORAL = "oral-iron"
IMAGING = "iron-imaging"

# Every value set that says what drug something is.
DRUG_CONCEPTS = frozenset(one.id for one in read_shipped().values() if one.kind == "drug") | {IMAGING}


@dataclass(frozen=True, slots=True)
class DrugName:
    """What a text names: `concept` is a value-set id; the form is what its words say, both may be False."""

    concept: str
    is_injectable: bool
    is_oral: bool


def _compile(pattern: str) -> re.Pattern[str]:
    """`_` stands for any mix of spaces, hyphens and brackets, `@` for iron in its third valency."""
    gap = r"[\s()\-\u2010-\u2015]*"
    return re.compile(
        pattern.replace("@", r"\b(?:iron|ferric)(?:_iii)?_").replace("_", gap),
        re.IGNORECASE,
    )


# Injectable iron by ingredient. Sucrose has to follow the iron: "ferric gluconate complex in sucrose" is gluconate.
_INGREDIENTS = tuple(
    (concept, _compile(pattern))
    for concept, pattern in (
        ("fcm", r"\b(?:injectafer|ferinject)\b|carboxy_maltos|\b(?-i:FCM)\b"),
        (
            "ferric-derisomaltose",
            r"\b(?:monoferric|monofer|diafer)\b|derisomaltos|isomaltosid",
        ),
        ("ferumoxytol", r"\b(?:feraheme|rienso)\b|ferumoxytol"),
        ("ferric-gluconate", r"\b(?:ferrlecit|nulecit)\b|@(?:sodium_)?gluconate"),
        (
            "iron-sucrose",
            r"\bvenofer\b|@(?:(?:hydr)?oxide_)?(?:sucrose|saccharate)|saccharated_@oxide|@oxide,?_saccharated",
        ),
        (
            "iron-dextran",
            r"\b(?:infed|cosmofer|dexferrum|dexiron)\b|@(?:(?:oxy)?hydroxide_)?dextran|\bdextran,?_iron\b",
        ),
    )
)
_HIGH_MOLECULAR_WEIGHT = _compile(r"\bdexferrum\b|\b(?:high_molecular_weight|hmw)\b")
_IRON_GLUCONATE = _compile(r"\biron_gluconate\b")  # without valency: not told from the oral salt
_IMAGING = _compile(r"\bferabright\b|ferumoxytol_(?:enhanced|contrast|imaging)")
_NOT_IRON_THERAPY = _compile(r"\b(?:ferric_citrate|auryxia|sucroferric|velphoro|ferric_pyrophosphate|triferic)\b")
_CLASS = _compile(
    r"\b(?:i\.?v|intravenous|intramuscular|parenteral|injectable|(?:infusion|injection)s?(?:\s+of)?)\b\.?[\s,:\-]+iron\b"
    r"|\biron[\s,:\-(]+(?:(?:replacement|therapy|preparations?|products?)[\s,:\-(]+)?"
    r"(?:i\.?v|intravenous(?:ly)?|intramuscular|parenteral|infusions?|injections?|injectable)\b"
)
_ORAL_SALT = _compile(
    r"\bferrous\b|\bferro(?:us)?_?sul(?:f|ph)ate|\bfeso4\b|polysaccharide_iron|iron_polysaccharide|iron_(?:bis)?glycinate"
    r"|carbonyl_iron|ferric_maltol|ha?eme_iron|protein_succinylate"
    r"|\b(?:feosol|slow_fe|fer_in_sol|ferrex|niferex|novaferrum|fergon|feramax|accrufer|feraccru|tardyferon|ferrograd)\b"
)
_POLYMALTOSE = _compile(r"polymaltose|\bmaltofer\b|\bferrum_hausmann\b")
_PLAIN_IRON = _compile(r"\biron\b")
_NO_DRUG = _compile(  # iron as an analyte, an illness or an ingredient among others
    r"\b(?:serum|plasma|blood|levels?|panel|stud(?:y|ies)|binding|saturation|tests?|profile|total|deficien\w+|overload"
    r"|stain\w*|chelat\w+|metabolism|low|diet\w*|quantif\w+|stores?|status|\w*vitamins?|prenatal)\b"
)
_AMOUNT = _compile(r"\d\s*mg\b")

_RLS_DRUGS = tuple(
    (concept, _compile(pattern))
    for concept, pattern in (
        ("rls-pramipexole", r"\b(?:pramipexole|mirapex(?:in)?|sifrol)\b"),
        ("rls-ropinirole", r"\b(?:ropinirole|requip|adartrel)\b"),
        ("rls-rotigotine", r"\b(?:rotigotine|neupro)\b"),
        ("rls-gabapentin-enacarbil", r"\bgabapentin_enacarbil\b|\bhorizant\b"),
        ("rls-gabapentin", r"\b(?:gabapentin|neurontin|gralise)\b"),
        ("rls-pregabalin", r"\b(?:pregabalin|lyrica)\b"),
    )
)

_INJECTED = _compile(
    r"\b(?:injections?|injectable|inj|infus(?:ions?|ed?|ing)|intravenous(?:ly)?|intramuscular(?:ly)?|parenteral"
    r"|i\.?v|ivpb|(?-i:IM))\b"
)
_CONTAINER = _compile(r"\b(?:vials?|ampoules?|ampules?)\b")
_SWALLOWED = _compile(
    r"\b(?:oral(?:ly)?|tablets?|tabs?|capsules?|caps?|caplets?|pills?|syrups?|elixirs?|drops|chewables?|gumm(?:y|ies)"
    r"|drinkable|p\.?o|by\s+mouth)\b"
)

# One of these letters stands in every name above: most texts are done after this look.
_STEMS = (
    "iron",
    "fer",
    "fcm",
    "maltos",
    "infed",
    "rienso",
    "nulecit",
    "feos",
    "feso4",
    "slow",
    "dexiron",
)
_RLS_STEMS = (
    "pramip",
    "mirap",
    "sifrol",
    "ropin",
    "requip",
    "adartrel",
    "rotigot",
    "neupro",
    "gabapent",
    "horizant",
    "neurontin",
    "gralise",
    "pregabal",
    "lyrica",
)


def drug_from_text(text: str) -> DrugName | None:
    """The iron or RLS drug that a text names; None for everything else, iron-based phosphate binders included."""
    return _read(text[:LONGEST_TEXT])


@lru_cache(maxsize=2048)  # a formulary has few spellings of a drug, and the same ones come with every call
def _read(text: str) -> DrugName | None:
    lowered = text.lower()
    concept = None
    if any(stem in lowered for stem in _STEMS):
        concept = _iron(text)
    if concept is None and any(stem in lowered for stem in _RLS_STEMS):
        concept = next((drug for drug, pattern in _RLS_DRUGS if pattern.search(text)), None)
    return DrugName(concept, is_injectable(text), is_oral(text)) if concept else None


def is_injectable(text: str) -> bool:
    """The words say that it goes into vein or muscle (R-01a): injection, infusion, IV, IM; a vial if not drunk."""
    return _is_injectable(text[:LONGEST_TEXT])


@lru_cache(maxsize=2048)
def _is_injectable(text: str) -> bool:
    return bool(_INJECTED.search(text)) or (bool(_CONTAINER.search(text)) and not is_oral(text))


def is_oral(text: str) -> bool:
    """The words say that it is swallowed: oral, tablet, capsule, PO."""
    return _is_oral(text[:LONGEST_TEXT])


@lru_cache(maxsize=2048)
def _is_oral(text: str) -> bool:
    return bool(_SWALLOWED.search(text))


def _iron(text: str) -> str | None:
    if _IMAGING.search(text):
        return IMAGING
    named = _ingredient(text)
    if named or _NOT_IRON_THERAPY.search(text):
        return named
    if _CLASS.search(text):
        return CLASS
    if _ORAL_SALT.search(text):
        return ORAL
    if _POLYMALTOSE.search(text):
        return ORAL if is_oral(text) and not is_injectable(text) else AMBIGUOUS
    return _plain_iron(text)


def _ingredient(text: str) -> str | None:
    """The class when a text names several products: then none of them is the one ordered."""
    found = [concept for concept, pattern in _INGREDIENTS if pattern.search(text)]
    if "ferric-gluconate" in found and _IRON_GLUCONATE.search(text):
        found.remove("ferric-gluconate")
    if found == ["iron-dextran"] and _HIGH_MOLECULAR_WEIGHT.search(text):
        return "iron-dextran-hmw"
    if len(found) > 1:
        return CLASS
    return found[0] if found else None


def _plain_iron(text: str) -> str | None:
    """ "Iron" alone, by its form (R-01a). Beside a word of laboratory or illness only an injected amount is a drug."""
    if not _PLAIN_IRON.search(text):
        return None
    injected, swallowed = is_injectable(text), is_oral(text)
    if _NO_DRUG.search(text) and not (injected and _AMOUNT.search(text)):
        return None
    if injected == swallowed:
        return AMBIGUOUS
    return CLASS if injected else ORAL
