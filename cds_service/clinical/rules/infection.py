"""Infection: a systemic one stops until it is over, any other is named (R-19)."""

from datetime import date

from cds_service.clinical.case import Case, Rule, Threshold
from cds_service.clinical.citations import DESIGN, E1
from cds_service.clinical.model import (
    Answer,
    Conclusion,
    ConditionEntry,
    Line,
    NotApplicable,
    Phase,
    Rank,
    Verdict,
)
from cds_service.clinical.problem_list import (
    explain_hedged,
    find_active,
    find_hedged,
    show_entries,
    use_entries,
)

SYSTEMIC = frozenset({"systemic-infection"})
OTHER = frozenset({"active-infection"})
OLD_AFTER = Threshold("the problem list is doubted when the entry is older than", 90, "days")

_NONE_SYSTEMIC = (NotApplicable("no active entry of a systemic infection"),)


def _evaluate_systemic(case: Case) -> tuple[Answer, ...]:
    entries = find_active(case.facts.conditions, SYSTEMIC)
    if not entries:
        return _NONE_SYSTEMIC
    say = [
        f"Active systemic infection on record: {show_entries(entries)}.",
        "Consider deferring IV iron until the infection has resolved.",
    ]
    old = tuple(entry for entry in entries if _is_old(entry, case.as_of))
    if old:
        say.append(f"More than {OLD_AFTER.value} days old: {show_entries(old)}. If resolved, correct the problem list.")
    because = "a systemic infection is active"
    return (
        Verdict(
            Conclusion.CONTRAINDICATED,
            because,
            "systemic infection",
            tuple(say),
            use_entries(entries),
        ),
    )


def _is_old(entry: ConditionEntry, as_of: date) -> bool:
    return entry.day is not None and (as_of - entry.day.last).days > int(OLD_AFTER.value)


_NO_CAUTION = (NotApplicable("no other active infection, and no hedged entry of a systemic one"),)


def _evaluate_other(case: Case) -> tuple[Answer, ...]:
    conditions = case.facts.conditions
    other = tuple(entry for entry in find_active(conditions, OTHER) if not SYSTEMIC & entry.concepts)
    hedged = tuple(entry for entry in find_hedged(conditions, SYSTEMIC) if entry.is_active)
    answers = []
    if other:
        text = f"Infection on record: {show_entries(other)}. Consider waiting until it has resolved."
        because = "an active infection that is not known to be systemic"
        answers.append(Line(Rank.INFECTION_OVERLOAD, text, because, used=use_entries(other)))
    if hedged:
        text = explain_hedged(hedged, "systemic infection")
        because = "a systemic infection is named with a word of negation, family or screening"
        answers.append(Line(Rank.INFECTION_OVERLOAD, text, because, used=use_entries(hedged)))
    return tuple(answers) or _NO_CAUTION


_INPUTS = ("conditions",)

RULES: tuple[Rule, ...] = (
    Rule(
        "R-19",
        "An active systemic infection stops until it has resolved",
        Phase.STOP,
        (E1, DESIGN),
        _INPUTS,
        _evaluate_systemic,
        (OLD_AFTER,),
    ),
    Rule(
        "R-19 (text)",
        "Any other active infection is named",
        Phase.TEXT,
        (E1, DESIGN),
        _INPUTS,
        _evaluate_other,
    ),
)
