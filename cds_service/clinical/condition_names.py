"""Reads conditions and reactions in words (R-02a, R-18): only what a rule names, both spellings, mostly English.

A name gives the id of a value set, as a code would. Words of negation, kinship or screening make it a hedged mention.
"""

import re

from cds_service.clinical.drug_names import ORAL, drug_from_text

LONGEST_TEXT = 400  # characters looked at; a problem-list entry is shorter
REACTION_TO_IRON = "iron-adverse-reaction"
NOTHING: tuple[frozenset[str], bool] = (frozenset(), False)


def _compile(pattern: str) -> re.Pattern[str]:
    """`_` stands for spaces and hyphens; `ae` also matches the American `e`."""
    spelled = pattern.replace("ae", "a?e").replace("oe", "o?e")
    return re.compile(spelled.replace("_", r"[\s\-\u2010-\u2015]*"), re.IGNORECASE)


# Value set, stems (one of them stands in every text that the pattern matches), pattern.
_TABLE: tuple[tuple[str, tuple[str, ...], str], ...] = (
    (
        "rls",
        ("restless", "willis", "rls"),
        r"\brestless_legs?\b|\bwillis_ekbom\b|\bRLS\b",
    ),
    (
        "iron-overload",
        ("chromatosis", "siderosis", "overload"),
        r"\bhaemochromatosis\b|\bhaemosiderosis\b|\biron_overload(?:ing)?\b",
    ),
    ("porphyria-cutanea-tarda", ("cutanea",), r"\bporphyria_cutanea_tarda\b"),
    ("thalassemia", ("thalass",), r"\bthalassaemi(?:a|as|c)\b"),
    ("sideroblastic-anemia", ("siderobl",), r"\bsideroblastic_anaemia"),
    (
        "hemolytic-anemia",
        ("emolytic", "sickle"),
        r"\bhaemolytic_anaemia|\bsickle_cell\b",
    ),
    (
        "systemic-infection",
        ("sepsis", "septic", "bacter", "stream", "systemic"),
        r"\b(?:uro)?sepsis\b|\bseptic_shock\b|\bsepticaemia\b|\bbacteraemia\b|\bblood_stream_infection|\bsystemic_infection",
    ),
    (
        "active-infection",
        (
            "infect",
            "pneumonia",
            "pyeloneph",
            "endocarditis",
            "mening",
            "osteomyel",
            "tubercul",
        ),
        r"\binfections?\b|\bpneumonia\b|\bpyelonephritis\b|\bendocarditis\b|\bmeningitis\b|\bosteomyelitis\b|\btuberculosis\b",
    ),
    (
        "esrd",
        ("end", "esrd", "eskd", "esrf"),
        r"\bend_stage_(?:renal|kidney)_(?:disease|failure)\b|\bES(?:RD|KD|RF)\b",
    ),
    (
        "dialysis-dependence",
        ("dialysis",),
        r"(?<!non-)(?<!non )(?<!pre-)(?<!pre )\b(?:haemo)?dialysis\b",
    ),
    ("hemodialysis", ("emodialysis",), r"\bhaemodialysis\b"),
    ("peritoneal-dialysis", ("peritoneal",), r"\bperitoneal_dialysis\b"),
    (
        "hypophosphatemia",
        ("phosphat",),
        r"\bhypophosphataemi(?:a|c)\b|\blow_phosphate\b",
    ),
    (
        "liver-disease",
        ("liver", "hepat", "cirrho"),
        (
            r"\bliver_(?:disease|failure|disorder|dysfunction|cirrhosis|fibrosis)\b|\bfatty_liver\b|\bcirrhosis\b"
            r"|\bhepatic_(?:dysfunction|failure|impairment|insufficiency|disease|fibrosis|steatosis)\b"
            r"|\b(?:steato)?hepatitis\b(?!(?:\s\w)?\s(?:vaccin|immuni))"
        ),
    ),
    ("rheumatoid-arthritis", ("rheumatoid",), r"\brheumatoid_arthritis\b"),
    ("lupus", ("lupus", "sle"), r"\blupus\b(?!_anti)|\b(?-i:SLE)\b"),
    (
        "inflammatory-bowel-disease",
        ("crohn", "colitis", "bowel", "ibd"),
        r"\bcrohn|\bulcerative_(?:procto)?colitis\b|\binflammatory_bowel_disease\b|\b(?-i:IBD)\b",
    ),
    (
        "immune-disease",
        ("immun", "inflammatory"),
        r"\bauto_?immune\b|\bimmune_(?:mediated|disease|disorder)|(?<!non-)(?<!anti-)\binflammatory_(?:disease|disorder|condition)",
    ),
    (
        "malignancy",
        (
            "cancer",
            "malign",
            "carcinoma",
            "leuk",
            "lymphoma",
            "melanoma",
            "sarcoma",
            "myeloma",
            "metasta",
        ),
        (
            r"\bcancers?\b|(?<!non-)(?<!non )\bmalignan(?:cy|cies)\b|(?<!non-)\bmalignant_(?:neoplas|tumou?r|disease)"
            r"|carcinomas?\b|\bleukaemia\b|lymphoma\b|\bmelanoma\b|sarcoma\b|\bmyeloma\b|\bmetasta(?:sis|ses|tic)\b"
        ),
    ),
    ("asthma", ("asthma",), r"\basthma(?:tic)?\b"),
    ("atopy", ("atop", "eczema"), r"\batop(?:y|ic)\b|\beczema\b"),
    (
        "vitamin-d-deficiency",
        ("vitamin",),
        r"\bvitamin_d[\s\-0-9]*deficien(?:cy|t)\b|\bhypovitaminosis_d\b",
    ),
    ("hyperparathyroidism", ("parathyroid",), r"\bhyperparathyroidism\b"),
    (
        "malnutrition",
        ("nutrition", "nourish"),
        r"\b(?:mal|under)nutrition\b|\b(?:mal|under)nourished\b",
    ),
    ("osteoporosis", ("osteopor",), r"\bosteoporo(?:sis|tic)\b"),
    ("osteomalacia", ("malacia", "rickets"), r"\bosteomalacia\b|\brickets\b"),
    (
        "malabsorption",
        ("malabs", "eliac"),
        r"\bmalabsorption\b|\bcoeliac(?:_(?:disease|sprue))?\b",
    ),
    (
        "pregnancy",
        ("pregnan", "trimester"),
        r"(?<!non-)(?<!non )\bpregnan(?:t|cy)\b|\btrimester\b",
    ),
    ("pregnancy-first-trimester", ("trimester",), r"\b(?:first|1st)_trimester\b"),
    ("pregnancy-second-trimester", ("trimester",), r"\b(?:second|2nd)_trimester\b"),
    ("pregnancy-third-trimester", ("trimester",), r"\b(?:third|3rd)_trimester\b"),
)
_CONDITIONS = tuple((concept, stems, _compile(pattern)) for concept, stems, pattern in _TABLE)
_STEMS = tuple(dict.fromkeys(stem for _, stems, _ in _TABLE for stem in stems))
NAMED_CONDITIONS = frozenset(concept for concept, _, _ in _TABLE) | {REACTION_TO_IRON}

_HEDGE = _compile(
    r"\b(?:no|not|denie[sd]|deny|without|family|(?:grand)?(?:mother|father)|carriers?|screen(?:ing|ed|s)?"
    r"|ruled?_out|r/o|history\s+of|h/o)\b"
)
_CODERS_NOT = _compile(r"\bnot\s+(?:otherwise\s+specified|elsewhere\s+classified)\b")  # negates nothing
_NOT_NOW_PREGNANT = _compile(
    r"\b(?:test(?:ing)?|planning|prevent\w*|contracept\w*|previous|prior|past|desires?|ectopic|molar|terminat\w*|loss|post)\b"
)
_ALLERGIC = ("allerg", "anaphyla", "hypersensitiv")
_REACTION = (*_ALLERGIC, "adverse", "reaction", "intoleran")


def conditions_from_text(text: str) -> tuple[frozenset[str], bool]:
    """Ids of the value sets whose condition the text names, and whether it is hedged: a negation, kinship or
    screening word of R-02a stands anywhere in it. Nothing named: an empty set and False.
    """
    text = text[:LONGEST_TEXT]
    lowered = text.lower()
    found = _named(text, lowered) if _has_any(_STEMS, lowered) else set()
    if _has_any(_REACTION, lowered) and _names_reaction_to_iron(text, lowered):
        found.add(REACTION_TO_IRON)
    return (frozenset(found), _is_hedged(text)) if found else NOTHING


def _has_any(stems: tuple[str, ...], lowered: str) -> bool:
    return any(stem in lowered for stem in stems)


def _named(text: str, lowered: str) -> set[str]:
    found = {concept for concept, stems, pattern in _CONDITIONS if _has_any(stems, lowered) and pattern.search(text)}
    if "pregnancy" in found and _NOT_NOW_PREGNANT.search(text):
        return {concept for concept in found if not concept.startswith("pregnancy")}
    return found


def _is_hedged(text: str) -> bool:
    return bool(_HEDGE.search(_CODERS_NOT.sub(" ", text)))


def _names_reaction_to_iron(text: str, lowered: str) -> bool:
    """An iron-reaction entry (R-18d); intolerance of oral iron is none, an allergic reaction to it is."""
    named = drug_from_text(text)
    if named is None or named.concept.startswith("rls-"):
        return False
    return named.concept != ORAL or _has_any(_ALLERGIC, lowered)


# ------------------------------------------------------------------------------------------------ reactions, R-18

_ANAPHYLAXIS = _compile(r"anaphyla(?:xis|ctic|ctoid)")
_NO_ANAPHYLAXIS = _compile(r"\b(?:no|not|without|denies|non)\b[\s\-]+(?:\w+\s+){0,2}anaphyla")
_GUT = _compile(
    r"\bnause(?:a|ous|ated)\b|\bvomit(?:ing|s|ed)?\b|\bemesis\b|\bconstipat(?:ion|ed)\b|\bdiarrhoea\b|\bdyspepsia\b"
    r"|\bindigestion\b|\bheartburn\b|\bupset_stomach\b"
    r"|\b(?:abdominal|stomach|epigastric|belly)_(?:pains?|ache|cramps?|cramping|discomfort|upset)\b"
    r"|\b(?:dark|black)[\s\-]*(?:colou?red\s+)?(?:stools?|faeces)\b|\b(?:g\.?i\.?|gastro_?intestinal)_(?:upset|intolerance|symptoms?|distress)\b"
)
_PARTS = re.compile(r"[,;/+&]|\b(?:and|with|or)\b", re.IGNORECASE)
_ELSEWHERE = _compile(
    r"rash|hives|urticari|itch|prurit|flush|swell|oedema|dyspn|breath|wheez|bronchosp|asthma|throat|tongue|face|chest"
    r"|hypotens|blood_pressure|collapse|syncop|faint|tachy|shock|fever|chills|dizz|anaphyla"
)


def manifestation_from_text(text: str) -> str:
    """`anaphylaxis`, `gastrointestinal` (every part of the text is), else `other`."""
    text = text[:LONGEST_TEXT]
    if _ANAPHYLAXIS.search(text):
        return "other" if _NO_ANAPHYLAXIS.search(text) else "anaphylaxis"
    parts = [part for part in _PARTS.split(text) if part.strip()]
    if parts and not _ELSEWHERE.search(text) and all(_GUT.search(part) for part in parts):
        return "gastrointestinal"
    return "other"
