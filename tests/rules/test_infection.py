"""R-19: a systemic infection stops until it has resolved, any other is named."""

from typing import Any

import pytest

from cds_service.clinical.dates import Day
from cds_service.clinical.model import Conclusion, ConditionEntry, Line, Rank
from tests.rules.ask import ask, texts, verdict
from tests.rules.build import RLS, case, condition, day, decide, facts, ferritin, lines, tsat


def row(words: str, *values: object) -> object:
    return pytest.param(*values, id=f"R-19 {words}")


def infected(*entries: ConditionEntry) -> Any:
    return case(facts(ferritin("48"), tsat("17"), conditions=(RLS, *entries)))


def sepsis(**changes: Any) -> ConditionEntry:
    return condition("systemic-infection", **{"name": "Sepsis", "day": day(3), **changes})


def pneumonia(**changes: Any) -> ConditionEntry:
    return condition("active-infection", **{"name": "Pneumonia", "day": day(3), **changes})


RESOLVED = {"clinical_status": "resolved", "is_active": False}


@pytest.mark.parametrize(
    ("entry", "expected"),
    [
        row("active sepsis stops", sepsis(), "stop"),
        row("undated sepsis stops", sepsis(day=None), "stop"),
        row("unconfirmed sepsis stops", sepsis(verification_status="unconfirmed"), "stop"),
        row("sepsis without verification stops", sepsis(verification_status=None), "stop"),
        row("sepsis of long ago still stops", sepsis(day=day(900)), "stop"),
        row("bloodstream infection, in both sets, stops", condition("systemic-infection", "active-infection"), "stop"),
        row("resolved sepsis is silent", sepsis(**RESOLVED), ""),
        row("inactive sepsis is silent", sepsis(clinical_status="inactive", is_active=False), ""),
        row("refuted sepsis is silent", sepsis(verification_status="refuted"), ""),
        row("sepsis entered in error is silent", sepsis(verification_status="entered-in-error"), ""),
        row("history of sepsis is a caution", sepsis(is_hedged=True), "line"),
        row("resolved history of sepsis is silent", sepsis(is_hedged=True, **RESOLVED), ""),
        row("pneumonia is a caution", pneumonia(), "line"),
        row("unconfirmed pneumonia is a caution", pneumonia(verification_status="differential"), "line"),
        row("resolved pneumonia is silent", pneumonia(**RESOLVED), ""),
        row("refuted pneumonia is silent", pneumonia(verification_status="refuted"), ""),
        row("no sign of infection by name is silent", pneumonia(is_hedged=True), ""),
        row("another disease is silent", condition("osteoporosis"), ""),
    ],
)
def test_r_19_systemic_infection_stops_and_other_infection_is_named(entry: ConditionEntry, expected: str) -> None:
    decision = decide(infected(entry))
    assert (decision.conclusion is Conclusion.CONTRAINDICATED) == (expected == "stop")
    assert [rule.id for rule, _ in decision.verdicts if rule.id == "R-19"] == (["R-19"] if expected == "stop" else [])
    assert len(lines(decision, "R-19")) == (expected == "line")


@pytest.mark.parametrize(
    ("recorded", "is_doubted"),
    [
        row("90 days old: nothing to correct", day(90), False),
        row("91 days old: if resolved, correct the list", day(91), True),
        row("a month that may be within 90 days", Day(day(100).first, day(80).last), False),
        row("a month that is over 90 days ago", Day(day(120).first, day(91).last), True),
        row("undated: its age is not known", None, False),
    ],
)
def test_r_19_an_old_entry_asks_to_correct_the_problem_list(recorded: Day | None, is_doubted: bool) -> None:
    found = verdict("R-19", infected(sepsis(day=recorded)))
    assert found is not None
    assert any("If resolved, correct the problem list" in sentence for sentence in found.say) == is_doubted


def test_r_19_the_card_names_entry_date_and_doubt() -> None:
    found = verdict("R-19", infected(sepsis(day=day(91), verification_status="provisional"), sepsis(name="Bacteremia")))
    assert found is not None
    assert "Bacteremia" in found.say[0] and "Sepsis" in found.say[0]
    assert "2025-12-09" in found.say[0] and "unconfirmed" in found.say[0]
    assert "deferring" in found.say[1]
    assert "Sepsis" in found.say[2] and "Bacteremia" not in found.say[2]
    assert len(found.used) == 2


def test_r_19_an_undated_entry_is_called_undated() -> None:
    found = verdict("R-19", infected(sepsis(day=None)))
    assert found is not None and "undated" in found.say[0]


def test_r_19_cautions_name_the_entry_and_its_date_and_are_no_warning() -> None:
    chart = infected(pneumonia(), sepsis(name="Sepsis ruled out", is_hedged=True))
    local, hedged = texts("R-19 (text)", chart)
    assert "Pneumonia" in local and "2026-03-07" in local
    assert "Sepsis ruled out" in hedged and "not counted as systemic infection" in hedged
    answers = [answer for answer in ask("R-19 (text)", chart) if isinstance(answer, Line)]
    assert {(answer.rank, answer.makes_warning) for answer in answers} == {(Rank.INFECTION_OVERLOAD, False)}


def test_r_19_the_order_of_entries_does_not_matter() -> None:
    one, other = sepsis(), sepsis(name="Bacteremia")
    assert verdict("R-19", infected(one, other)) == verdict("R-19", infected(other, one))


def test_r_19_no_entry_is_no_infection() -> None:
    assert ask("R-19", infected()) == ask("R-19 (text)", infected()) == ()
