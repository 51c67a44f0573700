"""Finds the problem-list entries a rule asks for and words them: name, date, and whether they are confirmed (R-02a)."""

from collections.abc import Iterable

from cds_service.clinical.model import ConditionEntry, Used
from cds_service.clinical.wording import quote

_NEVER_COUNT = ("refuted", "entered-in-error")


def find_counting(conditions: Iterable[ConditionEntry], concepts: frozenset[str]) -> tuple[ConditionEntry, ...]:
    """Entries in one of the value sets `concepts`, of any clinical status, that are not refuted, in error or hedged."""
    found = [entry for entry in conditions if not concepts.isdisjoint(entry.concepts) and entry.counts]
    return _in_order(found) if found else ()  # asked two dozen times a call, and nearly always nothing


def find_active(conditions: Iterable[ConditionEntry], concepts: frozenset[str]) -> tuple[ConditionEntry, ...]:
    found = find_counting(conditions, concepts)
    return tuple([entry for entry in found if entry.is_active]) if found else ()


def find_hedged(conditions: Iterable[ConditionEntry], concepts: frozenset[str]) -> tuple[ConditionEntry, ...]:
    """Entries that name the condition with a negation, kinship or screening word: a caution, never a fact (R-02a)."""
    return _in_order(
        [
            entry
            for entry in conditions
            if entry.is_hedged and entry.verification_status not in _NEVER_COUNT and concepts & entry.concepts
        ]
    )


def _in_order(entries: list[ConditionEntry]) -> tuple[ConditionEntry, ...]:
    """By name, then reference: what a card says does not depend on the order of resources."""
    return tuple(sorted(entries, key=lambda entry: (entry.name, entry.reference)))


def show_entry(entry: ConditionEntry) -> str:
    """`Sepsis (recorded 2026-03-01, unconfirmed)`."""
    name = quote(entry.name) if entry.name else "an entry without a name"
    details = [f"recorded {entry.day}" if entry.day else "undated"]
    if entry.clinical_status and not entry.is_active:
        details.append(quote(entry.clinical_status))
    if entry.is_unconfirmed:
        details.append("unconfirmed")
    return f"{name} ({', '.join(details)})"


def show_entries(entries: Iterable[ConditionEntry]) -> str:
    """One after the other; the same entry recorded twice is named once."""
    return "; ".join(dict.fromkeys(show_entry(entry) for entry in entries))


def use_entries(entries: Iterable[ConditionEntry]) -> tuple[Used, ...]:
    return tuple(
        Used(
            "condition",
            quote(entry.name),
            entry.reference,
            str(entry.day) if entry.day else "",
        )
        for entry in entries
    )


def explain_hedged(entries: tuple[ConditionEntry, ...], what: str) -> str:
    """The caution for hedged entries about `what`, for example "systemic infection"."""
    return (
        f"Named with a word of negation, family or screening, so not counted as {what}: {show_entries(entries)}. "
        "Consider whether the patient has it."
    )
