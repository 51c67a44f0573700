"""What drug a Medication* resource is about: by code at any level, else by its words (design section 4, R-01a)."""

from collections.abc import Sequence
from dataclasses import dataclass

import msgspec

from cds_service.clinical import names
from cds_service.clinical.model import Ingredient
from cds_service.fhir.wire import (
    MEDICATION,
    UNREADABLE,
    Concept,
    ReadContext,
    Reference,
    Resolver,
    concept_ids,
    name_of,
    texts_of,
)

INGREDIENTS = {str(ingredient): ingredient for ingredient in Ingredient}
HIGH_MOLECULAR_WEIGHT = "iron-dextran-hmw"
PARENTERAL_CLASS = "parenteral-iron-class"
AMBIGUOUS = "iron-ambiguous"
ORAL = "oral-iron"
IMAGING = "iron-imaging"
VAGUE = frozenset({PARENTERAL_CLASS, AMBIGUOUS})  # the words may say more than these codes


@dataclass(frozen=True, slots=True)
class Drug:
    """`concepts` are value-set ids; empty for a drug we have no rule about."""

    name: str
    concepts: frozenset[str]
    has_injectable_form: bool = False
    has_oral_form: bool = False

    @property
    def is_parenteral_iron(self) -> bool:
        """A known intravenous iron or the class; an ambiguous iron is not (R-01a decides by route and form)."""
        return self.ingredient is not None or PARENTERAL_CLASS in self.concepts

    @property
    def is_ambiguous_iron(self) -> bool:
        return AMBIGUOUS in self.concepts and not self.is_parenteral_iron and ORAL not in self.concepts

    @property
    def ingredient(self) -> Ingredient | None:
        """The one parenteral iron it names; None when none or several."""
        found = {INGREDIENTS[concept] for concept in self.concepts if concept in INGREDIENTS}
        if HIGH_MOLECULAR_WEIGHT in self.concepts:
            found.add(Ingredient.DEXTRAN)
        return found.pop() if len(found) == 1 else None


@dataclass(frozen=True, slots=True)
class UnresolvedDrug:
    """A reference that nothing resolves, without any words beside it."""

    reference: str


def read_drug(
    context: ReadContext,
    concept: Concept | None,
    reference: Reference | None,
    contained: Sequence[msgspec.Raw] | None,
    resolve: Resolver | None,
) -> Drug | UnresolvedDrug | None:
    """None when the resource names no drug at all."""
    if concept is not None and (concept.coding or concept.text):
        return _drug_of_concept(context, concept)
    if reference is None or not (reference.reference or reference.display):
        return None
    target = reference.reference or ""
    found = _find_contained(contained, target[1:]) if target.startswith("#") else resolve(target) if resolve else None
    drug = _drug_of_medication(context, found) if found is not None else None
    if drug is not None:
        return drug
    if reference.display:
        return _drug_of_concept(context, Concept(text=reference.display))
    return UnresolvedDrug(target)


def _drug_of_medication(context: ReadContext, raw: msgspec.Raw) -> Drug | None:
    try:
        medication = MEDICATION.decode(raw)
    except UNREADABLE:
        return None
    if medication.resourceType != "Medication" or medication.code is None or not name_of(medication.code):
        return None
    return _drug_of_concept(context, medication.code, medication.form)


def _find_contained(contained: Sequence[msgspec.Raw] | None, resource_id: str) -> msgspec.Raw | None:
    for raw in contained or ():
        try:
            medication = MEDICATION.decode(raw)
        except UNREADABLE:
            continue
        if medication.id in (resource_id, "#" + resource_id):
            return raw
    return None


def _drug_of_concept(context: ReadContext, concept: Concept, form: Concept | None = None) -> Drug:
    concepts = concept_ids(context, concept)
    texts = [*texts_of(concept), *texts_of(form)]
    if concepts & names.DRUG_CONCEPTS <= VAGUE:
        named = next((found for text in texts if (found := names.drug_from_text(text))), None)
        if named is not None:
            concepts = concepts | {named.concept} if named.concept in VAGUE else (concepts - VAGUE) | {named.concept}
    elif any(_is_imaging(text) for text in texts):
        concepts |= {IMAGING}
    return Drug(
        name=name_of(concept),
        concepts=concepts,
        has_injectable_form=any(names.is_injectable(text) for text in texts),
        has_oral_form=any(names.is_oral(text) for text in texts),
    )


def _is_imaging(text: str) -> bool:
    """Ingredient codes of ferumoxytol also stand on the imaging product (terminology trap 6)."""
    named = names.drug_from_text(text)
    return named is not None and named.concept == IMAGING
