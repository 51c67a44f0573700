"""What raises the risk without changing the class: allergic and immune disease, the liver, MRI (lines after R-21)."""

from cds_service.clinical.case import Case, Rule, Threshold
from cds_service.clinical.citations import DESIGN, E1, F3
from cds_service.clinical.model import (
    AllergyEntry,
    Answer,
    Ingredient,
    Line,
    NotApplicable,
    Phase,
    Rank,
    Used,
)
from cds_service.clinical.problem_list import find_active, show_entries, use_entries
from cds_service.clinical.wording import quote

ALLERGIC = frozenset({"asthma", "atopy"})
IMMUNE = frozenset({"lupus", "rheumatoid-arthritis", "inflammatory-bowel-disease", "immune-disease"})
LIVER = frozenset({"liver-disease"})
MANY_ALLERGIES = Threshold("many drug allergies from", 3, "active entries on different drugs")

# ------------------------------------------------------------------------------------------ hypersensitivity reactions

_NOT_RAISED = (NotApplicable("no allergic or immune disease and fewer than three drug allergies"),)


def find_drug_allergies(
    allergies: tuple[AllergyEntry, ...],
) -> tuple[AllergyEntry, ...]:
    """Active entries about drugs, iron included, one for each drug."""
    by_drug: dict[str, AllergyEntry] = {}
    for entry in sorted(allergies, key=lambda entry: entry.reference):
        if entry.is_active and entry.counts:
            by_drug.setdefault(entry.name.casefold() or entry.reference, entry)
    return tuple(by_drug[drug] for drug in sorted(by_drug))


def _evaluate_hypersensitivity(case: Case) -> tuple[Answer, ...]:
    diseases = find_active(case.facts.conditions, ALLERGIC | IMMUNE)
    allergies = find_drug_allergies(case.facts.allergies)
    has_many = len(allergies) >= int(MANY_ALLERGIES.value)
    if not diseases and not has_many:
        return _NOT_RAISED
    reasons = [show_entries(diseases)] if diseases else []
    used = use_entries(diseases)
    if has_many:
        reasons.append(f"{len(allergies)} active drug allergies")
        used = (
            *used,
            *(Used("allergy", quote(entry.name), entry.reference) for entry in allergies),
        )
    text = f"Raised risk of a hypersensitivity reaction: {'; '.join(reasons)}. Consider closer observation."
    return (
        Line(
            Rank.INFLAMMATION,
            text,
            "allergic or immune disease, or many drug allergies",
            used=used,
        ),
    )


# ------------------------------------------------------------------------------------------------------- liver, MRI

_NO_LIVER_DISEASE = (NotApplicable("no active liver disease"),)
_OTHER_PRODUCT = (NotApplicable("the order is not ferumoxytol"),)


def _evaluate_liver(case: Case) -> tuple[Answer, ...]:
    entries = find_active(case.facts.conditions, LIVER)
    if not entries:
        return _NO_LIVER_DISEASE
    text = f"Liver disease on record: {show_entries(entries)}. Consider benefit and risk, and watching the iron status."
    return (
        Line(
            Rank.INFLAMMATION,
            text,
            "liver disease is active",
            used=use_entries(entries),
        ),
    )


def _evaluate_mri(case: Case) -> tuple[Answer, ...]:
    if case.order.ingredient is not Ingredient.FERUMOXYTOL:
        return _OTHER_PRODUCT
    text = "Ferumoxytol alters MRI for up to 3 months. Consider asking whether one is planned."
    return (Line(Rank.PRODUCT, text, "the order is ferumoxytol"),)


RULES: tuple[Rule, ...] = (
    Rule(
        "R-21 (hypersensitivity)",
        "Allergic or immune disease and many drug allergies raise the risk of a reaction",
        Phase.TEXT,
        (E1, DESIGN),
        ("conditions", "allergies"),
        _evaluate_hypersensitivity,
        (MANY_ALLERGIES,),
    ),
    Rule(
        "R-21 (liver)",
        "Liver disease asks for care",
        Phase.TEXT,
        (E1,),
        ("conditions",),
        _evaluate_liver,
    ),
    Rule(
        "R-34 (MRI)",
        "Ferumoxytol alters MRI",
        Phase.TEXT,
        (F3,),
        ("order",),
        _evaluate_mri,
    ),
)
