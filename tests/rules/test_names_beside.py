"""Names beside other names and words: which one is meant, and how far a text is read (R-01a, R-02a, R-30)."""

import pytest

from cds_service.clinical.names import (
    conditions_from_text,
    drug_from_text,
    is_injectable,
    is_oral,
    manifestation_from_text,
)

CLASS = "parenteral-iron-class"
LONGEST = 400


@pytest.mark.parametrize(
    ("text", "concept"),
    [
        pytest.param("Iron infusion while on gabapentin", CLASS, id="R-01a iron beside an RLS drug is iron"),
        pytest.param("Venofer, continue pramipexole", "iron-sucrose", id="R-01a a product beside an RLS drug"),
        pytest.param("pramipexole and iron sucrose", "iron-sucrose", id="R-01a an RLS drug named first"),
        pytest.param("Gabapentin 300 mg", "rls-gabapentin", id="R-30 an RLS drug alone"),
        pytest.param("gabapentinoids", None, id="R-30 a group of drugs is none of them"),
        pytest.param("ropinirol", None, id="R-30 a name cut short is none"),
        pytest.param("iron studies 100 mg", None, id="R-01a a laboratory word with an amount"),
        pytest.param("iron panel injection", None, id="R-01a a laboratory word with an injection"),
        pytest.param("iron deficiency, injection given", None, id="R-01a an illness with an injection"),
        pytest.param("serum iron 100 mg IV", CLASS, id="R-01a an injected amount is a drug"),
        pytest.param("low iron", None, id="R-01a a finding"),
        pytest.param("saline 0.9 %", None, id="R-01 another drug"),
        pytest.param("", None, id="R-01 nothing"),
    ],
)
def test_r_01a_the_iron_is_meant_where_a_text_names_more(text: str, concept: str | None) -> None:
    named = drug_from_text(text)
    assert (named.concept if named else None) == concept


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("no pain", id="R-02a negated"),
        pytest.param("ruled out", id="R-02a ruled out"),
        pytest.param("family history", id="R-02a kinship"),
        pytest.param("not done", id="R-02a not done"),
        pytest.param("headache", id="R-02a a condition no rule names"),
        pytest.param("", id="R-02a nothing"),
    ],
)
def test_r_02a_a_hedging_word_beside_no_condition_hedges_nothing(text: str) -> None:
    assert conditions_from_text(text) == (frozenset(), False)


@pytest.mark.parametrize(("before", "is_read"), [(0, True), (LONGEST, True), (LONGEST + 1, False)])
def test_a_text_is_read_up_to_400_characters(before: int, is_read: bool) -> None:
    """The word in question ends at that character."""
    for word, found in (
        ("Venofer", lambda text: drug_from_text(text) is not None),
        ("injection", is_injectable),
        ("tablet", is_oral),
        ("sepsis", lambda text: bool(conditions_from_text(text)[0])),
        ("anaphylaxis", lambda text: manifestation_from_text(text) == "anaphylaxis"),
    ):
        text = f" {word}".rjust(before, ".")
        assert found(text) is is_read, word


def test_a_word_beyond_what_is_read_changes_nothing() -> None:
    assert manifestation_from_text("nausea".ljust(LONGEST) + "rash") == "gastrointestinal"
    assert manifestation_from_text("nausea".ljust(LONGEST - 4) + "rash") == "other"
