"""R-18: how allergy entries about iron are worded, and which part of the rule each one meets."""

from itertools import permutations
from typing import Any

import pytest

from cds_service.clinical.iron_allergy import (
    find_part,
    in_order,
    is_severe_to_iron,
    show_allergies,
    show_allergy,
    use_allergies,
)
from cds_service.clinical.model import Allergen, AllergyEntry, Ingredient, Used
from cds_service.clinical.wording import unquote
from tests.rules.build import allergy, day, order

SUCROSE, FCM, FERUMOXYTOL = Ingredient.SUCROSE, Ingredient.FCM, Ingredient.FERUMOXYTOL


def row(words: str, *values: object) -> Any:
    return pytest.param(*values, id=f"R-18 {words}")


def sucrose(**changes: Any) -> AllergyEntry:
    return allergy(Allergen.INGREDIENT, SUCROSE, **{"name": "iron sucrose", **changes})


WORDED = [
    row("nothing recorded", sucrose(), "iron sucrose (no reaction recorded)"),
    row("a reaction in words", sucrose(has_reaction=True, reactions="rash"), "iron sucrose (reaction: rash)"),
    row("a reaction without words", sucrose(has_reaction=True), "iron sucrose (reaction recorded without words)"),
    row("without a name", sucrose(name=""), "an entry without a name (no reaction recorded)"),
    row("severe", sucrose(is_severe=True), "iron sucrose (no reaction recorded; severe)"),
    row("with its day", sucrose(day=day(3)), "iron sucrose (no reaction recorded; recorded 2026-03-07)"),
    row("inactive", sucrose(clinical_status="inactive"), "iron sucrose (no reaction recorded; inactive)"),
    row("without a status", sucrose(clinical_status=None), "iron sucrose (no reaction recorded)"),
    row("unconfirmed", sucrose(verification_status="presumed"), "iron sucrose (no reaction recorded; unconfirmed)"),
    row("not verified at all", sucrose(verification_status=None), "iron sucrose (no reaction recorded)"),
    row(
        "all of it",
        sucrose(
            has_reaction=True,
            reactions="anaphylaxis",
            is_severe=True,
            day=day(3),
            clinical_status="resolved",
            verification_status="unconfirmed",
        ),
        "iron sucrose (reaction: anaphylaxis; severe; recorded 2026-03-07; resolved; unconfirmed)",
    ),
]


@pytest.mark.parametrize(("entry", "said"), WORDED)
def test_r_18_an_entry_is_named_with_its_reaction_and_what_limits_it(entry: AllergyEntry, said: str) -> None:
    assert unquote(show_allergy(entry)) == said


def test_r_18_the_same_entry_twice_is_named_once() -> None:
    entries = (sucrose(), sucrose(reference="AllergyIntolerance/2"), sucrose(is_severe=True))
    said = "iron sucrose (no reaction recorded); iron sucrose (no reaction recorded; severe)"
    assert unquote(show_allergies(entries)) == said


def test_r_18_entries_are_in_order_of_name_and_reference() -> None:
    made = (
        sucrose(name="A", reference="AllergyIntolerance/9"),
        sucrose(name="B", reference="AllergyIntolerance/1"),
        sucrose(name="B", reference="AllergyIntolerance/2"),
    )
    assert {in_order(one) for one in permutations(made)} == {made}


def test_r_18_entries_are_in_the_trace_with_name_reference_and_day() -> None:
    found = use_allergies((sucrose(day=day(3)), sucrose(reference="AllergyIntolerance/2")))
    assert [Used(one.name, unquote(one.shown), one.reference, one.day) for one in found] == [
        Used("allergy", "iron sucrose", "AllergyIntolerance/1", "2026-03-07"),
        Used("allergy", "iron sucrose", "AllergyIntolerance/2", ""),
    ]


def of(allergen: Allergen, **changes: Any) -> AllergyEntry:
    return allergy(allergen, SUCROSE if allergen is Allergen.INGREDIENT else None, **changes)


SEVERE: dict[str, Any] = {"is_severe": True}
ANAPHYLAXIS: dict[str, Any] = {"has_anaphylaxis": True}
STOMACH: dict[str, Any] = {"all_gastrointestinal": True}
INGREDIENT, CLASS, PLAIN = Allergen.INGREDIENT, Allergen.PARENTERAL_CLASS, Allergen.PLAIN_IRON
PARTS = [
    row("own ingredient", of(INGREDIENT), SUCROSE, "R-18a"),
    row("another ingredient", of(INGREDIENT), FCM, None),
    row("an ingredient not known, product not named", allergy(INGREDIENT, None), None, "R-18c"),
    row("own ingredient, refuted", of(INGREDIENT, verification_status="refuted"), SUCROSE, None),
    row("the class", of(CLASS), FCM, "R-18a"),
    row("another ingredient, severe", of(INGREDIENT, **SEVERE), FCM, "R-18b"),
    row("another ingredient, anaphylaxis", of(INGREDIENT, **ANAPHYLAXIS), FCM, "R-18b"),
    row("another ingredient, severe and of the stomach only", of(INGREDIENT, **SEVERE, **STOMACH), FCM, "R-18b"),
    row("plain iron, severe", of(PLAIN, **SEVERE), FCM, "R-18b"),
    row("plain iron, severe and of the stomach only", of(PLAIN, **SEVERE, **STOMACH), FCM, None),
    row("plain iron", of(PLAIN), FCM, None),
    row("oral iron, severe", of(Allergen.ORAL_IRON, **SEVERE), FCM, None),
    row("another ingredient, ferumoxytol ordered", of(INGREDIENT), FERUMOXYTOL, "R-18c"),
    row("another ingredient, product not named", of(INGREDIENT), None, "R-18c"),
    row("another ingredient, of the stomach only, ferumoxytol ordered", of(INGREDIENT, **STOMACH), FERUMOXYTOL, None),
    row("plain iron, ferumoxytol ordered", of(PLAIN), FERUMOXYTOL, "R-18c"),
    row("oral iron, ferumoxytol ordered", of(Allergen.ORAL_IRON), FERUMOXYTOL, None),
    row("another drug, ferumoxytol ordered", of(Allergen.OTHER_DRUG, **SEVERE), FERUMOXYTOL, None),
]


@pytest.mark.parametrize(("entry", "ordered", "part"), PARTS)
def test_r_18_the_part_by_which_an_entry_stops_an_order(
    entry: AllergyEntry, ordered: Ingredient | None, part: str | None
) -> None:
    assert find_part(entry, order(ordered)) == part


def test_r_18b_a_mild_reaction_is_not_severe_to_iron() -> None:
    assert not is_severe_to_iron(of(CLASS, has_reaction=True, reactions="rash"), order(FCM))
