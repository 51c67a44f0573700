"""Allergy to iron: which entries stop this order, and which are only named (R-18)."""

from collections.abc import Callable

from cds_service.clinical.case import Case, Rule
from cds_service.clinical.citations import DESIGN, E1, F1, F2, F3, F4, F5
from cds_service.clinical.iron_allergy import (
    find_part,
    in_order,
    is_severe_to_iron,
    show_allergies,
    use_allergies,
)
from cds_service.clinical.model import (
    Allergen,
    AllergyEntry,
    Answer,
    Conclusion,
    IronOrder,
    Line,
    NotApplicable,
    Phase,
    Rank,
    Verdict,
)
from cds_service.clinical.problem_list import (
    find_counting,
    find_hedged,
    show_entries,
    use_entries,
)
from cds_service.clinical.wording import quote

REACTION_ENTRIES = frozenset({"iron-adverse-reaction"})

# ---------------------------------------------------------------------------------------------------------- the stops

_NO_OWN = (NotApplicable("no active allergy to the ordered iron or to parenteral iron as a class"),)
_NO_SEVERE = (NotApplicable("no other active entry of a severe reaction to parenteral iron or plain iron"),)
_NO_OTHER = (NotApplicable("not ferumoxytol or an unnamed product, or no other active reaction to intravenous iron"),)
_ANY_IRON = "Consider an allergist's opinion before any other intravenous iron."
_OTHER_ROUTE = "Consider another route, or an allergist's opinion before any intravenous iron."
_OTHER_PRODUCT = "Consider another product or route, and an allergist's opinion."


def _find_stopping(case: Case, part: str) -> tuple[AllergyEntry, ...]:
    found = [entry for entry in case.facts.allergies if entry.is_active and find_part(entry, case.order) == part]
    return in_order(found)


def _stop(
    because: str,
    headline: str,
    lead: str,
    advice: str,
    entries: tuple[AllergyEntry, ...],
) -> tuple[Answer, ...]:
    say = (f"{lead}: {show_allergies(entries)}.", advice)
    return (Verdict(Conclusion.CONTRAINDICATED, because, headline, say, use_allergies(entries)),)


def _product(order: IronOrder) -> str:
    return quote(order.name) if order.name else "the ordered iron"


def _evaluate_own(case: Case) -> tuple[Answer, ...]:
    entries = _find_stopping(case, "R-18a")
    if not entries:
        return _NO_OWN
    is_class = any(entry.allergen is Allergen.PARENTERAL_CLASS for entry in entries)
    is_severe = any(is_severe_to_iron(entry, case.order) for entry in entries)
    lead = f"Allergy that includes the ordered product, {_product(case.order)}"
    return _stop(
        "active allergy to the ordered iron or to parenteral iron as a class",
        "allergy to the ordered product",
        lead,
        _OTHER_ROUTE if is_class else _ANY_IRON if is_severe else _OTHER_PRODUCT,
        entries,
    )


def _evaluate_severe(case: Case) -> tuple[Answer, ...]:
    entries = _find_stopping(case, "R-18b")
    if not entries:
        return _NO_SEVERE
    lead = f"Severe reaction to iron, so {_product(case.order)} is no safe choice either"
    return _stop(
        "severe reaction to iron",
        "severe reaction to iron on record",
        lead,
        _OTHER_ROUTE,
        entries,
    )


def _evaluate_any_reaction(case: Case) -> tuple[Answer, ...]:
    entries = _find_stopping(case, "R-18c")
    if not entries:
        return _NO_OTHER
    if case.order.ingredient is None:
        lead = "The product ordered is not named, and with ferumoxytol any reaction to iron by vein counts"
        advice = "Consider naming the product, another route, or an allergist's opinion."
    else:
        lead = f"Reaction to another iron, which counts for {_product(case.order)}"
        advice = _OTHER_PRODUCT
    return _stop(
        "reaction to iron and ferumoxytol or no product named",
        "reaction to iron on record",
        lead,
        advice,
        entries,
    )


# ----------------------------------------------------------------------------------------------- R-18d: named, no stop

_NOTHING_TO_NAME = (NotApplicable("no further entry about iron to be named"),)


def _evaluate_cautions(case: Case) -> tuple[Answer, ...]:
    cautions = [(entry, _find_caution(entry, case.order)) for entry in in_order(case.facts.allergies)]
    answers: list[Answer] = []
    for kind in _KINDS:
        entries = [entry for entry, caution in cautions if caution == kind]
        if entries:
            words, is_warning = kind
            text = f"{words}: {show_allergies(entries)}."
            answers.append(Line(Rank.IRON_ALLERGY, text, words, makes_warning=is_warning, used=use_allergies(entries)))
    return (*answers, *_name_problems(case)) or _NOTHING_TO_NAME


# What is said, and whether the card becomes a warning; in this order.
_NOT_ACTIVE = ("Allergy entry, no longer active, that would stop this order", True)
_PLAIN = (
    'Allergy to "iron", not stated to be oral: consider asking what happened',
    True,
)
_ORAL_ALLERGIC = ("Allergic reaction to oral iron: consider asking what happened", True)
_OTHER_UNKNOWN = (
    "Allergy to another intravenous iron, reaction not recorded: consider asking what happened",
    True,
)
_OTHER_MILD = ("Reaction to another intravenous iron, not recorded as severe", False)
_KINDS = (_NOT_ACTIVE, _OTHER_UNKNOWN, _PLAIN, _ORAL_ALLERGIC, _OTHER_MILD)


def _find_caution(entry: AllergyEntry, order: IronOrder) -> tuple[str, bool] | None:
    """One of `_KINDS` for an entry that does not stop; None when there is nothing to say."""
    if not entry.counts or entry.allergen is Allergen.OTHER_DRUG:
        return None
    part = find_part(entry, order)
    if not entry.is_active:
        return _NOT_ACTIVE if part else None
    return None if part else _CAUTIONS[entry.allergen](entry)


def _caution_by_vein(entry: AllergyEntry) -> tuple[str, bool]:
    return _OTHER_MILD if entry.has_reaction else _OTHER_UNKNOWN


def _caution_plain(entry: AllergyEntry) -> tuple[str, bool] | None:
    """Intolerance by the stomach speaks for the vein (R-30)."""
    return None if entry.all_gastrointestinal else _PLAIN


def _caution_oral(entry: AllergyEntry) -> tuple[str, bool] | None:
    is_allergic = (entry.has_reaction or entry.is_severe) and not entry.all_gastrointestinal
    return _ORAL_ALLERGIC if is_allergic else None


_CAUTIONS: dict[Allergen, Callable[[AllergyEntry], tuple[str, bool] | None]] = {
    Allergen.INGREDIENT: _caution_by_vein,
    Allergen.PARENTERAL_CLASS: _caution_by_vein,
    Allergen.PLAIN_IRON: _caution_plain,
    Allergen.ORAL_IRON: _caution_oral,
}


def _name_problems(case: Case) -> tuple[Line, ...]:
    """Iron-reaction entries of the problem list, of any clinical status: a past reaction stays a warning."""
    conditions = case.facts.conditions
    entries = (
        *find_counting(conditions, REACTION_ENTRIES),
        *find_hedged(conditions, REACTION_ENTRIES),
    )
    if not entries:
        return ()
    text = f"The problem list names a reaction to iron: {show_entries(entries)}. Consider asking what happened."
    because = "problem-list entry about a reaction to iron"
    return (
        Line(
            Rank.IRON_ALLERGY,
            text,
            because,
            makes_warning=True,
            used=use_entries(entries),
        ),
    )


_INPUTS = ("order", "allergies")

RULES: tuple[Rule, ...] = (
    Rule(
        "R-18a",
        "Active allergy to the ordered iron, or to parenteral iron as a class, stops",
        Phase.STOP,
        (F1, F2, F3, F4, F5),
        _INPUTS,
        _evaluate_own,
    ),
    Rule(
        "R-18b",
        "A severe reaction to any parenteral iron stops",
        Phase.STOP,
        (E1, F3),
        _INPUTS,
        _evaluate_severe,
    ),
    Rule(
        "R-18c",
        "Ferumoxytol or an unnamed product: any reaction to intravenous iron stops",
        Phase.STOP,
        (F3, DESIGN),
        _INPUTS,
        _evaluate_any_reaction,
    ),
    Rule(
        "R-18d",
        "Entries about iron that do not stop are named",
        Phase.TEXT,
        (DESIGN,),
        (*_INPUTS, "conditions"),
        _evaluate_cautions,
    ),
)
