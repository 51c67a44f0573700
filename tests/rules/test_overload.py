"""R-15, R-15a, R-16: iron overload disorders, anemias that do not use iron, a high transferrin saturation."""

from typing import Any

import pytest

from cds_service.clinical.model import Cap, Conclusion, ConditionEntry, Line, Rank, RejectedBecause, Result
from cds_service.clinical.rules import overload
from tests.rules.ask import ask, texts, verdict
from tests.rules.build import RLS, case, condition, day, decide, facts, ferritin, lines, rejected, tsat

LOW = (ferritin("48"), tsat("17"))


def row(rule_id: str, words: str, *values: object) -> object:
    return pytest.param(*values, id=f"{rule_id} {words}")


def entry(concept: str, status: str | None = "active", **changes: Any) -> ConditionEntry:
    """An entry with a clinical status; only active, recurrence and relapse are active (R-02a)."""
    is_active = status in ("active", "recurrence", "relapse", None)
    return condition(concept, **{"clinical_status": status, "is_active": is_active, "name": concept.title(), **changes})


def with_entries(*entries: ConditionEntry, results: tuple[Result, ...] = LOW) -> Any:
    return case(facts(*results, conditions=(RLS, *entries)))


STOPS = [
    row("R-15", "active overload stops", entry("iron-overload"), "R-15"),
    row("R-15", "recurrent overload stops", entry("iron-overload", "recurrence"), "R-15"),
    row("R-15", "relapsed overload stops", entry("iron-overload", "relapse"), "R-15"),
    row("R-15", "inherited overload filed inactive stops", entry("iron-overload", "inactive"), "R-15"),
    row("R-15", "overload in remission stops", entry("iron-overload", "remission"), "R-15"),
    row("R-15", "overload without clinical status stops", entry("iron-overload", None), "R-15"),
    row("R-15", "without status but abated is not resolved", entry("iron-overload", None, is_active=False), "R-15"),
    row("R-15", "resolved overload only cautions", entry("iron-overload", "resolved"), "line"),
    row("R-15", "unconfirmed stops", entry("iron-overload", verification_status="unconfirmed"), "R-15"),
    row("R-15", "provisional stops", entry("iron-overload", verification_status="provisional"), "R-15"),
    row("R-15", "differential stops", entry("iron-overload", verification_status="differential"), "R-15"),
    row("R-15", "without verification stops", entry("iron-overload", verification_status=None), "R-15"),
    row("R-15", "refuted is silent", entry("iron-overload", verification_status="refuted"), ""),
    row("R-15", "entered in error is silent", entry("iron-overload", verification_status="entered-in-error"), ""),
    row(
        "R-15",
        "resolved and refuted is silent",
        entry("iron-overload", "resolved", verification_status="refuted"),
        "",
    ),
    row("R-15", "family history only cautions", entry("iron-overload", is_hedged=True, by_name=True), "line"),
    row(
        "R-15",
        "refuted family history is silent",
        entry("iron-overload", is_hedged=True, verification_status="refuted"),
        "",
    ),
    row("R-15", "undated stops", entry("iron-overload", day=None), "R-15"),
    row("R-15", "active porphyria cutanea tarda stops", entry("porphyria-cutanea-tarda"), "R-15 (porphyria)"),
    row("R-15", "porphyria in remission cautions", entry("porphyria-cutanea-tarda", "remission"), "line"),
    row("R-15", "inactive porphyria cautions", entry("porphyria-cutanea-tarda", "inactive"), "line"),
    row("R-15", "resolved porphyria cautions", entry("porphyria-cutanea-tarda", "resolved"), "line"),
    row("R-15", "hedged porphyria cautions", entry("porphyria-cutanea-tarda", is_hedged=True), "line"),
    row("R-15", "porphyria of unstated type cautions", entry("porphyria-unspecific"), "line"),
    row("R-15", "inactive porphyria of unstated type is silent", entry("porphyria-unspecific", "inactive"), ""),
    row("R-15", "iron metabolism disorder alone is silent", entry("iron-metabolism-disorder"), ""),
    row("R-15", "a laboratory finding of high iron is silent", entry("iron-overload-finding"), ""),
]


@pytest.mark.parametrize(("listed", "expected"), STOPS)
def test_r_15_overload_entries_stop_or_are_named(listed: ConditionEntry, expected: str) -> None:
    decision = decide(with_entries(listed))
    stops = [rule.id for rule, _ in decision.verdicts if rule.id.startswith("R-15")]
    assert stops == ([expected] if expected.startswith("R-15") else [])
    assert len(lines(decision, "R-15")) == (expected == "line")
    assert (decision.conclusion is Conclusion.CONTRAINDICATED) == bool(stops)


@pytest.mark.parametrize("value", ["4", "74.9", "299.9", "300"])
def test_r_15_stops_whatever_the_ferritin(value: str) -> None:
    chart = with_entries(entry("iron-overload"), results=(ferritin(value), tsat("17")))
    assert decide(chart).conclusion is Conclusion.CONTRAINDICATED


def test_r_15_stops_without_any_result() -> None:
    assert decide(with_entries(entry("iron-overload"), results=())).conclusion is Conclusion.CONTRAINDICATED


def test_r_15_the_card_names_entry_date_status_and_doubt_and_asks_for_a_specialist() -> None:
    listed = entry(
        "iron-overload", "inactive", name="Hereditary hemochromatosis", verification_status="provisional", day=day(30)
    )
    found = verdict("R-15", with_entries(listed))
    assert found is not None
    said = " ".join(found.say)
    for part in ("Hereditary hemochromatosis", "2026-02-08", "inactive", "unconfirmed", "specialist", "phlebotomy"):
        assert part in said
    assert [used.reference for used in found.used] == [listed.reference]
    assert "active" not in found.say[0].replace("inactive", "")


def test_r_15_two_disorders_are_both_named() -> None:
    decision = decide(with_entries(entry("iron-overload"), entry("porphyria-cutanea-tarda")))
    assert [rule.id for rule, _ in decision.verdicts] == ["R-15", "R-15 (porphyria)"]


def test_r_15_resolved_hedged_and_unclear_entries_are_told_apart() -> None:
    chart = with_entries(
        entry("iron-overload", "resolved", name="Past"),
        entry("iron-overload", is_hedged=True, name="Family history"),
        entry("porphyria-unspecific", name="Porphyria"),
    )
    past, hedged, unclear = texts("R-15 (text)", chart)
    assert "Past" in past and "in the past" in past
    assert "Family history" in hedged and "not counted" in hedged
    assert "Porphyria" in unclear and "unstated type" in unclear
    assert {answer.rank for answer in ask("R-15 (text)", chart) if isinstance(answer, Line)} == {
        Rank.INFECTION_OVERLOAD
    }


def test_r_15_a_porphyria_that_is_named_is_not_of_unstated_type() -> None:
    both = condition("porphyria-unspecific", "porphyria-cutanea-tarda")
    assert texts("R-15 (text)", with_entries(both)) == []


# --------------------------------------------------------------------------------------------------------- R-15a

CAPS = [
    row("R-15a", "active thalassemia caps", entry("thalassemia"), True),
    row("R-15a", "active sideroblastic anemia caps", entry("sideroblastic-anemia"), True),
    row("R-15a", "active hemolytic anemia caps", entry("hemolytic-anemia"), True),
    row("R-15a", "unconfirmed thalassemia caps", entry("thalassemia", verification_status="unconfirmed"), True),
    row("R-15a", "inactive thalassemia does not cap", entry("thalassemia", "inactive"), False),
    row("R-15a", "resolved hemolytic anemia does not cap", entry("hemolytic-anemia", "resolved"), False),
    row("R-15a", "refuted does not cap", entry("thalassemia", verification_status="refuted"), False),
    row("R-15a", "thalassemia carrier by name does not cap", entry("thalassemia", is_hedged=True), False),
    row("R-15a", "iron-deficiency anemia does not cap", entry("iron-deficiency-anemia"), False),
]


@pytest.mark.parametrize(("listed", "expected"), CAPS)
def test_r_15a_anemias_that_do_not_use_iron_cap(listed: ConditionEntry, expected: bool) -> None:
    decision = decide(with_entries(listed))
    assert decision.conclusion is (Conclusion.MAY_BENEFIT if expected else Conclusion.INDICATED_STRONG)
    assert [rule.id for rule, _ in decision.caps] == (["R-15a"] if expected else [])
    assert [("hematology first" in text) for text in lines(decision, "R-15a")] == ([True] if expected else [])


def test_r_15a_cap_and_line_name_the_entry() -> None:
    chart = with_entries(entry("thalassemia", name="Beta thalassemia trait"))
    cap, line = ask("R-15a", chart)[0], ask("R-15a (text)", chart)[0]
    assert isinstance(cap, Cap) and isinstance(line, Line)
    assert "Beta thalassemia trait" in cap.say[0] and "Beta thalassemia trait" in line.text
    assert line.rank is Rank.INFECTION_OVERLOAD and not line.makes_warning


# ----------------------------------------------------------------------------------------------------------

SATURATIONS = [
    row("R-16", "44.9 goes on", tsat("44.9"), False),
    row("R-16", "44.99 goes on, unrounded", tsat("44.99"), False),
    row("R-16", "45 stops", tsat("45"), True),
    row("R-16", "45.1 stops", tsat("45.1"), True),
    row("R-16", "100 stops", tsat("100"), True),
    row("R-16", "90 days old stops", tsat("45", days_ago=90), True),
    row("R-16", "91 days old does not", tsat("45", days_ago=91), False),
    row("R-16", "of tomorrow does not", tsat("45", days_ago=-1), False),
    row("R-16", "undated does not", tsat("45", day=None), False),
    row("R-16", "preliminary does not", tsat("45", status="preliminary"), False),
    row("R-16", "of unknown unit does not", rejected("tsat"), False),
    row("R-16", "implausible does not", rejected("tsat", RejectedBecause.IMPLAUSIBLE), False),
]


@pytest.mark.parametrize(("result", "expected"), SATURATIONS)
@pytest.mark.parametrize("level", ["60", "150"])
def test_r_16_a_usable_tsat_of_45_or_more_stops(result: Result, expected: bool, level: str) -> None:
    chart = case(facts(ferritin(level), result))
    assert (verdict("R-16", chart) is not None) == expected
    assert (decide(chart).conclusion is Conclusion.CONTRAINDICATED) == expected


def test_r_16_no_tsat_is_no_stop() -> None:
    assert verdict("R-16", case(facts(ferritin("60")))) is None


def test_r_16_r_13a_an_older_high_tsat_still_stops_when_a_newer_one_cannot_be_read() -> None:
    chart = case(facts(ferritin("60"), tsat("47", days_ago=20), rejected("tsat", days_ago=3)))
    assert not chart.tsat.is_usable
    found = verdict("R-16", chart)
    assert found is not None and "47 %" in found.say[0]


@pytest.mark.parametrize(
    ("level", "leads_with_sample"),
    [
        row("R-16", "ferritin 75: the sample is doubted first", "75", True),
        row("R-16", "ferritin 75.1: overload is thought of", "75.1", False),
    ],
)
def test_r_16_at_low_ferritin_the_message_leads_with_the_sample(level: str, leads_with_sample: bool) -> None:
    found = verdict("R-16", case(facts(ferritin(level), tsat("47"))))
    assert found is not None
    assert found.headline.startswith("repeat the sample") == leads_with_sample
    assert ("repeating the sample" in found.say[0]) == leads_with_sample
    said = " ".join(found.say)
    for part in ("TSAT 47 %", "recent iron intake or a specimen problem", "overload", "2026-02-28"):
        assert part in said
    assert len(found.used) == 1 + leads_with_sample


def test_r_16_without_ferritin_the_message_does_not_lead_with_the_sample() -> None:
    found = verdict("R-16", case(facts(tsat("47"))))
    assert found is not None and not found.headline.startswith("repeat the sample")


def test_r_16_and_other_stops_are_all_named_in_the_order_of_the_rule_book() -> None:
    decision = decide(with_entries(entry("iron-overload"), entry("systemic-infection"), results=(tsat("47"),)))
    assert [rule.id for rule, _ in decision.verdicts] == ["R-15", "R-19", "R-16"]


def test_r_15_r_16_stops_are_phases_the_alternatives_ask() -> None:
    """The oral alternative is withheld where iron by any route is stopped: these rules say so."""
    assert [rule.id for rule in (*overload.RULES, *overload.TSAT_RULES) if rule.phase.name == "STOP"] == [
        "R-15",
        "R-15 (porphyria)",
        "R-16",
    ]
