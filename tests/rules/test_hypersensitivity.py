"""Caution lines after R-21: allergic and immune disease, many drug allergies, the liver, MRI; the class stays."""

from typing import Any

import pytest

from cds_service.clinical.model import Allergen, AllergyEntry, Conclusion, ConditionEntry, Ingredient, Line, Rank
from tests.rules.ask import ask, texts
from tests.rules.build import RLS, allergy, case, condition, decide, facts, ferritin, order, tsat

RAISED, LIVER, MRI = "R-21 (hypersensitivity)", "R-21 (liver)", "R-34 (MRI)"


def row(words: str, *values: object) -> object:
    return pytest.param(*values, id=f"R-21 {words}")


def chart(*entries: ConditionEntry, allergies: tuple[AllergyEntry, ...] = (), ordered: Any = Ingredient.FCM) -> Any:
    return case(facts(ferritin("48"), tsat("17"), conditions=(RLS, *entries), allergies=allergies), order(ordered))


DISEASES = ("asthma", "atopy", "lupus", "rheumatoid-arthritis", "inflammatory-bowel-disease", "immune-disease")


@pytest.mark.parametrize("concept", DISEASES, ids=lambda one: f"R-21 {one}")
def test_r_21_allergic_and_immune_disease_raise_the_risk(concept: str) -> None:
    asked = chart(condition(concept, name="Disease", verification_status="unconfirmed"))
    (line,) = ask(RAISED, asked)
    assert isinstance(line, Line) and line.rank is Rank.INFLAMMATION and not line.makes_warning
    assert "Disease" in line.text and "unconfirmed" in line.text
    assert decide(asked).conclusion is Conclusion.INDICATED_STRONG


@pytest.mark.parametrize(
    "entry",
    [
        row("inactive asthma", condition("asthma", is_active=False, clinical_status="inactive")),
        row("refuted asthma", condition("asthma", verification_status="refuted")),
        row("family history of asthma", condition("asthma", is_hedged=True)),
        row("malignancy", condition("malignancy")),
        row("infection", condition("active-infection")),
    ],
)
def test_r_21_other_entries_do_not_raise_it(entry: ConditionEntry) -> None:
    assert texts(RAISED, chart(entry)) == []


def drug(name: str, **changes: Any) -> AllergyEntry:
    return allergy(Allergen.OTHER_DRUG, **{"name": name, "reference": f"AllergyIntolerance/{name}", **changes})


A, B, C = drug("Penicillin"), drug("Sulfamethoxazole"), drug("Ibuprofen")


@pytest.mark.parametrize(
    ("allergies", "expected"),
    [
        row("two drug allergies", (A, B), False),
        row("three drug allergies", (A, B, C), True),
        row("four drug allergies", (A, B, C, drug("Latex glue")), True),
        row("one drug entered twice counts once", (A, B, drug("penicillin", reference="AllergyIntolerance/2")), False),
        row("two entries without a name are two", (A, drug(""), drug("", reference="AllergyIntolerance/9")), True),
        row("an inactive one does not count", (A, B, drug("Ibuprofen", clinical_status="inactive")), False),
        row("one without clinical status counts", (A, B, drug("Ibuprofen", clinical_status=None)), True),
        row("a refuted one does not count", (A, B, drug("Ibuprofen", verification_status="refuted")), False),
        row("an unconfirmed one counts", (A, B, drug("Ibuprofen", verification_status="unconfirmed")), True),
        row("oral iron is a drug too", (A, B, allergy(Allergen.ORAL_IRON, name="Ferrous sulfate")), True),
    ],
)
def test_r_21_three_active_drug_allergies_raise_the_risk(allergies: tuple[AllergyEntry, ...], expected: bool) -> None:
    found = texts(RAISED, chart(allergies=allergies))
    assert [f"{max(len(allergies), 3)} active drug allergies" in text for text in found] == [True] * expected


def test_r_21_many_drug_allergies_are_a_reason_of_their_own() -> None:
    (text,) = texts(RAISED, chart(allergies=(A, B, C)))
    assert text == "Raised risk of a hypersensitivity reaction: 3 active drug allergies. Consider closer observation."


def test_r_21_all_reasons_share_one_line_and_two_allergies_are_not_named() -> None:
    (text,) = texts(RAISED, chart(condition("asthma", name="Asthma"), condition("lupus", name="SLE"), allergies=(A, B)))
    assert "Asthma" in text and "SLE" in text and "drug allergies" not in text
    (text,) = texts(RAISED, chart(condition("asthma", name="Asthma"), allergies=(A, B, C)))
    assert "Asthma" in text and "3 active drug allergies" in text


@pytest.mark.parametrize(
    ("entry", "expected"),
    [
        row("active liver disease", condition("liver-disease", name="Cirrhosis"), True),
        row("resolved hepatitis", condition("liver-disease", is_active=False, clinical_status="resolved"), False),
        row("refuted liver disease", condition("liver-disease", verification_status="refuted"), False),
        row("no liver disease, by name", condition("liver-disease", is_hedged=True), False),
    ],
)
def test_r_21_liver_disease_is_named(entry: ConditionEntry, expected: bool) -> None:
    asked = chart(entry)
    found = ask(LIVER, asked)
    assert [isinstance(line, Line) and ("Cirrhosis" in line.text, line.rank) for line in found] == (
        [(True, Rank.INFLAMMATION)] if expected else []
    )
    assert decide(asked).conclusion is Conclusion.INDICATED_STRONG


@pytest.mark.parametrize("ordered", [*Ingredient, None], ids=lambda one: f"R-34 {one}")
def test_r_34_mri_is_named_on_every_ferumoxytol_card(ordered: Ingredient | None) -> None:
    found = ask(MRI, chart(ordered=ordered))
    assert [isinstance(line, Line) and ("MRI" in line.text and "3 months" in line.text) for line in found] == (
        [True] if ordered is Ingredient.FERUMOXYTOL else []
    )


def test_r_34_mri_is_named_on_a_stopped_card_too() -> None:
    decision = decide(chart(condition("systemic-infection"), ordered=Ingredient.FERUMOXYTOL))
    assert decision.conclusion is Conclusion.CONTRAINDICATED
    assert MRI in [rule.id for rule, _ in decision.lines]


def test_r_21_nothing_on_record_gives_no_line() -> None:
    assert ask(RAISED, chart()) == ask(LIVER, chart()) == ()
