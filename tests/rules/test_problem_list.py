"""R-02a: which problem-list entries a rule finds, in which order, and how they are worded."""

from dataclasses import replace
from itertools import permutations
from typing import Any

import pytest

from cds_service.clinical.model import ConditionEntry, Used
from cds_service.clinical.problem_list import (
    explain_hedged,
    find_active,
    find_counting,
    find_hedged,
    show_entries,
    show_entry,
    use_entries,
)
from cds_service.clinical.wording import unquote
from tests.rules.build import condition, day

SEPSIS = frozenset({"systemic-infection"})


def row(words: str, *values: object) -> Any:
    return pytest.param(*values, id=f"R-02a {words}")


def sepsis(**changes: Any) -> ConditionEntry:
    return condition("systemic-infection", **{"name": "Sepsis", **changes})


FOUND = [
    row("an active entry", sepsis(), True, True, False),
    row("an inactive entry", sepsis(is_active=False), True, False, False),
    row("a refuted entry", sepsis(verification_status="refuted"), False, False, False),
    row("an entry in error", sepsis(verification_status="entered-in-error"), False, False, False),
    row("an unconfirmed entry", sepsis(verification_status="unconfirmed"), True, True, False),
    row("a hedged entry", sepsis(is_hedged=True), False, False, True),
    row("a hedged, refuted entry", sepsis(is_hedged=True, verification_status="refuted"), False, False, False),
    row("a hedged entry in error", sepsis(is_hedged=True, verification_status="entered-in-error"), False, False, False),
    row("a hedged, unconfirmed entry", sepsis(is_hedged=True, verification_status="unconfirmed"), False, False, True),
    row("another condition", condition("asthma"), False, False, False),
    row("another condition, hedged", condition("asthma", is_hedged=True), False, False, False),
    row("one of two value sets", condition("asthma", "systemic-infection"), True, True, False),
]


@pytest.mark.parametrize(("entry", "counts", "is_active", "is_hedged"), FOUND)
def test_r_02a_which_entries_count(entry: ConditionEntry, counts: bool, is_active: bool, is_hedged: bool) -> None:
    assert (bool(find_counting([entry], SEPSIS)), bool(find_active([entry], SEPSIS))) == (counts, is_active)
    assert bool(find_hedged([entry], SEPSIS)) is is_hedged


@pytest.mark.parametrize("is_hedged", [False, True])
def test_r_02a_entries_are_in_order_of_name_and_reference(is_hedged: bool) -> None:
    made = [
        sepsis(name="A", reference="Condition/9", is_hedged=is_hedged),
        sepsis(name="B", reference="Condition/1", is_hedged=is_hedged),
        sepsis(name="B", reference="Condition/2", is_hedged=is_hedged),
    ]
    find = find_hedged if is_hedged else find_active
    assert {find(list(one), SEPSIS) for one in permutations(made)} == {tuple(made)}


WORDED = [
    row("with its date", sepsis(), "Sepsis (recorded 2025-02-03)"),
    row("undated", sepsis(day=None), "Sepsis (undated)"),
    row("without a name", replace(sepsis(), name=""), "an entry without a name (recorded 2025-02-03)"),
    row("inactive", sepsis(is_active=False, clinical_status="resolved"), "Sepsis (recorded 2025-02-03, resolved)"),
    row("active by its status", sepsis(clinical_status="recurrence"), "Sepsis (recorded 2025-02-03)"),
    row("not active without a status", sepsis(is_active=False, clinical_status=None), "Sepsis (recorded 2025-02-03)"),
    row(
        "unconfirmed",
        sepsis(verification_status="provisional", day=day(3)),
        "Sepsis (recorded 2026-03-07, unconfirmed)",
    ),
    row(
        "inactive and unconfirmed",
        sepsis(is_active=False, clinical_status="inactive", verification_status="differential"),
        "Sepsis (recorded 2025-02-03, inactive, unconfirmed)",
    ),
]


@pytest.mark.parametrize(("entry", "said"), WORDED)
def test_r_02a_an_entry_is_named_with_what_limits_it(entry: ConditionEntry, said: str) -> None:
    assert unquote(show_entry(entry)) == said


def test_r_02a_the_same_entry_twice_is_named_once() -> None:
    entries = (sepsis(reference="Condition/1"), sepsis(reference="Condition/2"), sepsis(day=None))
    assert unquote(show_entries(entries)) == "Sepsis (recorded 2025-02-03); Sepsis (undated)"
    assert show_entries(()) == ""


def test_r_02a_entries_are_in_the_trace_with_name_reference_and_day() -> None:
    found = use_entries((sepsis(), sepsis(day=None, reference="Condition/2")))
    assert [Used(one.name, unquote(one.shown), one.reference, one.day) for one in found] == [
        Used("condition", "Sepsis", "Condition/systemic-infection", "2025-02-03"),
        Used("condition", "Sepsis", "Condition/2", ""),
    ]


def test_r_02a_a_hedged_entry_is_explained() -> None:
    said = unquote(explain_hedged((sepsis(is_hedged=True),), "systemic infection"))
    assert "not counted as systemic infection: Sepsis (recorded 2025-02-03)." in said
    assert said.endswith("Consider whether the patient has it.")
