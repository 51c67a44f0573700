"""Condition, AllergyIntolerance and Procedure to facts (R-02a, R-18, R-28)."""

from cds_service.clinical import codes, names
from cds_service.clinical.dates import Day, read_day, read_period
from cds_service.clinical.model import (
    Allergen,
    AllergyEntry,
    ConditionEntry,
    Ingredient,
    ProcedureEntry,
)
from cds_service.fhir.wire import (
    AllergyIntolerance,
    Concept,
    Condition,
    Procedure,
    ReadContext,
    concept_ids,
    name_of,
    reference_to,
    status_code,
    texts_of,
)

_ACTIVE = ("active", "recurrence", "relapse")
_INGREDIENTS = {str(ingredient): ingredient for ingredient in Ingredient}
_DRUG_SYSTEMS = ("rxnorm", "ndc", "atc")


def read_condition(context: ReadContext, condition: Condition, place: int) -> ConditionEntry:
    """One problem-list item or encounter diagnosis (R-02a)."""
    concepts = concept_ids(context, condition.code)
    by_name = is_hedged = False
    if not concepts - codes.UNSPECIFIC:
        named, is_hedged = _named_conditions(condition.code)
        by_name = bool(named)
        concepts = concepts | named
    clinical = status_code(condition.clinicalStatus)
    return ConditionEntry(
        concepts=concepts,
        name=name_of(condition.code),
        reference=reference_to("Condition", condition.id, place),
        is_active=clinical in _ACTIVE if clinical else not _is_abated(context, condition),
        clinical_status=clinical,
        verification_status=status_code(condition.verificationStatus),
        day=_condition_day(context, condition),
        by_name=by_name,
        is_hedged=is_hedged and by_name,
    )


def _named_conditions(code: Concept | None) -> tuple[frozenset[str], bool]:
    for text in texts_of(code):
        named, is_hedged = names.conditions_from_text(text)
        if named:
            return named, is_hedged
    return frozenset(), False


def _condition_day(context: ReadContext, condition: Condition) -> Day | None:
    """recordedDate, else onset (R-02a)."""
    for text in (
        condition.recordedDate,
        condition.dateRecorded,
        condition.assertedDate,
        condition.onsetDateTime,
    ):
        if text and (day := read_day(text, context.zone)):
            return day
    onset = condition.onsetPeriod
    return read_period(onset.start, onset.end, context.zone) if onset else None


def _is_abated(context: ReadContext, condition: Condition) -> bool:
    """A past abatement date, where no clinical status says more."""
    text = condition.abatementDateTime or (condition.abatementPeriod.end if condition.abatementPeriod else None)
    day = read_day(text, context.zone) if text else None
    return day is not None and day.last <= context.as_of


def read_allergy(context: ReadContext, allergy: AllergyIntolerance, place: int) -> AllergyEntry | None:
    """An entry about iron or another drug (R-18); None for foods, materials and "no known allergies"."""
    code = allergy.code or allergy.substance
    allergen, ingredient = _allergen(context, allergy, code)
    if allergen is None:
        return None
    reactions = [manifestation for reaction in allergy.reaction or () for manifestation in reaction.manifestations()]
    words = [name_of(manifestation) for manifestation in reactions]
    words += [
        reaction.description
        for reaction in allergy.reaction or ()
        if reaction.description and not reaction.manifestation
    ]
    kinds = [_manifestation_kind(context, manifestation) for manifestation in reactions]
    kinds += [
        names.manifestation_from_text(reaction.description)
        for reaction in allergy.reaction or ()
        if reaction.description and not reaction.manifestation
    ]
    severe = allergy.criticality in ("high", "CRITH") or any(one.severity == "severe" for one in allergy.reaction or ())
    return AllergyEntry(
        allergen=allergen,
        ingredient=ingredient,
        name=name_of(code)
        or next(
            (name_of(one.substance) for one in allergy.reaction or () if one.substance),
            "",
        ),
        reference=reference_to("AllergyIntolerance", allergy.id, place),
        clinical_status=status_code(allergy.clinicalStatus),
        verification_status=status_code(allergy.verificationStatus),
        has_reaction=bool(kinds),
        all_gastrointestinal=bool(kinds) and all(kind == "gastrointestinal" for kind in kinds),
        has_anaphylaxis="anaphylaxis" in kinds,
        is_severe=severe or "anaphylaxis" in kinds,
        reactions=", ".join(word for word in words if word),
        day=read_day(allergy.recordedDate or allergy.onsetDateTime or "", context.zone),
    )


def _manifestation_kind(context: ReadContext, manifestation: Concept) -> str:
    if "anaphylaxis" in concept_ids(context, manifestation):
        return "anaphylaxis"
    kinds = {names.manifestation_from_text(text) for text in texts_of(manifestation)}
    return next((kind for kind in ("anaphylaxis", "gastrointestinal") if kind in kinds), "other")


def _allergen(
    context: ReadContext, allergy: AllergyIntolerance, code: Concept | None
) -> tuple[Allergen | None, Ingredient | None]:
    """What the entry is about: its code or substance, else the substances of its reactions."""
    substances = [code, *(reaction.substance for reaction in allergy.reaction or ())]
    for concept in substances:
        found = _iron_allergen(context, concept)
        if found[0] is not None:
            return found
    return (Allergen.OTHER_DRUG, None) if _is_drug(allergy, code) else (None, None)


def _iron_allergen(context: ReadContext, concept: Concept | None) -> tuple[Allergen | None, Ingredient | None]:
    if concept is None:
        return None, None
    ids = concept_ids(context, concept)
    for text in () if ids - codes.UNSPECIFIC else texts_of(concept):
        named = names.drug_from_text(text)
        if named is not None:
            ids |= {named.concept}
            break
    for concept_id in sorted(ids):
        if concept_id in _INGREDIENTS:
            return Allergen.INGREDIENT, _INGREDIENTS[concept_id]
    for concept_id, allergen in _CLASSES:
        if concept_id in ids:
            return allergen, _HMW.get(concept_id)
    return None, None


_HMW = {"iron-dextran-hmw": Ingredient.DEXTRAN}
_CLASSES = (
    ("iron-dextran-hmw", Allergen.INGREDIENT),
    ("parenteral-iron-class", Allergen.PARENTERAL_CLASS),
    ("oral-iron", Allergen.ORAL_IRON),
    ("iron-ambiguous", Allergen.PLAIN_IRON),
    ("iron-adverse-reaction", Allergen.PLAIN_IRON),
)


def _is_drug(allergy: AllergyIntolerance, code: Concept | None) -> bool:
    """Drug allergies are counted (three or more raise the risk); an entry that nothing is known to is none."""
    name = name_of(code).lower()
    if not name or name.startswith(("no known", "nka", "nkda", "none")):
        return False
    categories = [allergy.category] if isinstance(allergy.category, str) else allergy.category or []
    if "medication" in categories:
        return True
    systems = [coding.system or "" for coding in code.codings()] if code else []
    return not categories and any(word in system.lower() for system in systems for word in _DRUG_SYSTEMS)


def read_procedure(context: ReadContext, procedure: Procedure, place: int) -> ProcedureEntry | None:
    """A procedure of our value sets that was or is being done; doses of iron are read from it elsewhere."""
    if procedure.status not in ("completed", "in-progress", None):
        return None
    concepts = concept_ids(context, procedure.code)
    if not concepts:
        return None
    return ProcedureEntry(
        concepts,
        procedure_day(context, procedure),
        reference_to("Procedure", procedure.id, place),
    )


def procedure_day(context: ReadContext, procedure: Procedure) -> Day | None:
    """When it was performed; a period by its start (a dose is dated by its start, R-40e)."""
    text = procedure.performedDateTime or (procedure.performedPeriod.start if procedure.performedPeriod else None)
    return read_day(text, context.zone) if text else None
