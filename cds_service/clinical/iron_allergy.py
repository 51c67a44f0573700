"""Allergy entries about iron: which part of R-18 they meet for an order, and how they are worded."""

from collections.abc import Callable, Iterable

from cds_service.clinical.model import Allergen, AllergyEntry, Ingredient, IronOrder, Used
from cds_service.clinical.wording import quote

BY_VEIN = (Allergen.INGREDIENT, Allergen.PARENTERAL_CLASS)
_UNCONFIRMED = ("unconfirmed", "provisional", "differential", "presumed")
# R-18c: with these orders any reaction to an intravenous iron stops; a product not named may be ferumoxytol.
_STRICT_ORDERS = (Ingredient.FERUMOXYTOL, None)

# ----------------------------------------------------------------- R-18a, R-18b, R-18c: what stops while it is active


def _is_own(entry: AllergyEntry, order: IronOrder) -> bool:
    """(a) The ordered ingredient or its brand, or parenteral iron as a class; the reaction does not matter."""
    if entry.allergen is Allergen.PARENTERAL_CLASS:
        return True
    return (
        entry.allergen is Allergen.INGREDIENT and entry.ingredient is not None and entry.ingredient is order.ingredient
    )


def is_severe_to_iron(entry: AllergyEntry, _: IronOrder) -> bool:
    """(b) Severe or anaphylactic, to any parenteral iron or to plain "iron"; the stomach excuses plain "iron" only."""
    if not (entry.is_severe or entry.has_anaphylaxis):
        return False
    if entry.allergen is Allergen.PLAIN_IRON:
        return not entry.all_gastrointestinal
    return entry.allergen in BY_VEIN


def _is_any_reaction(entry: AllergyEntry, order: IronOrder) -> bool:
    """(c) Ferumoxytol or an unnamed product: any reaction not purely gastrointestinal, an unrecorded one included."""
    if order.ingredient not in _STRICT_ORDERS or entry.all_gastrointestinal:
        return False
    return entry.allergen in (*BY_VEIN, Allergen.PLAIN_IRON)


_PARTS: dict[str, Callable[[AllergyEntry, IronOrder], bool]] = {
    "R-18a": _is_own,
    "R-18b": is_severe_to_iron,
    "R-18c": _is_any_reaction,
}


def find_part(entry: AllergyEntry, order: IronOrder) -> str | None:
    """The part of R-18 by which this entry stops the order while it is active: the first that fits."""
    if not entry.counts:
        return None
    return next((part for part, fits in _PARTS.items() if fits(entry, order)), None)


def in_order(entries: Iterable[AllergyEntry]) -> tuple[AllergyEntry, ...]:
    return tuple(sorted(entries, key=lambda entry: (entry.name, entry.reference)))


# ----------------------------------------------------------------------------------------------------------- words


def show_allergy(entry: AllergyEntry) -> str:
    """`iron sucrose (reaction: anaphylaxis; severe; recorded 2024-05-01; unconfirmed)`."""
    name = quote(entry.name) if entry.name else "an entry without a name"
    details = [f"reaction: {quote(entry.reactions)}" if entry.reactions else _unnamed_reaction(entry)]
    if entry.is_severe:
        details.append("severe")
    if entry.day:
        details.append(f"recorded {entry.day}")
    if not entry.is_active and entry.clinical_status:
        details.append(quote(entry.clinical_status))
    if entry.verification_status in _UNCONFIRMED:
        details.append("unconfirmed")
    return f"{name} ({'; '.join(details)})"


def _unnamed_reaction(entry: AllergyEntry) -> str:
    return "reaction recorded without words" if entry.has_reaction else "no reaction recorded"


def show_allergies(entries: Iterable[AllergyEntry]) -> str:
    return "; ".join(dict.fromkeys(show_allergy(entry) for entry in entries))


def use_allergies(entries: Iterable[AllergyEntry]) -> tuple[Used, ...]:
    return tuple(
        Used(
            "allergy",
            quote(entry.name),
            entry.reference,
            str(entry.day) if entry.day else "",
        )
        for entry in entries
    )
