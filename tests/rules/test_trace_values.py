"""What a rule used stands in the trace with its name, value, day and resource, so that a reviewer can look it up."""

from typing import Any

import pytest

from cds_service.clinical.model import Allergen, Conclusion, Ingredient, Line, ProcedureEntry, Rank, Verdict
from cds_service.clinical.rules import RULES
from tests.rules.ask import ask, verdict
from tests.rules.build import RLS, allergy, case, condition, day, decide, facts, ferritin, given, order, rejected, tsat
from tests.rules.chart import at

ESRD = condition("esrd", name="End stage renal disease")
EARLIER, LATER = (ProcedureEntry(frozenset({"dialysis-procedure"}), day(ago), f"Procedure/{ago}") for ago in (20, 6))


def used(rule_id: str, asked: Any) -> list[tuple[str, str, str, str]]:
    """Name, value, resource and day of everything the rule used, in order."""
    return [
        (one.name, one.shown, one.reference, one.day)
        for answer in ask(rule_id, asked)
        if isinstance(answer, Verdict | Line)
        for one in answer.used
    ]


def in_dialysis(*results: Any, **changes: Any) -> Any:
    return case(facts(*results, **{"conditions": (RLS, ESRD), **changes}), order(Ingredient.SUCROSE, "100"))


def test_r_28_the_procedures_that_mean_dialysis_are_named_in_the_trace() -> None:
    asked = in_dialysis(ferritin("150"), tsat("17"), conditions=(RLS,), procedures=(LATER, EARLIER))
    procedures = [one for one in used("R-28", asked) if one[0] == "dialysis procedure"]
    assert sorted(procedures) == [
        ("dialysis procedure", "", "Procedure/20", "2026-02-18"),
        ("dialysis procedure", "", "Procedure/6", "2026-03-04"),
    ]
    assert used("R-28 (text)", asked) == procedures


def test_r_28_the_card_names_the_latest_dialysis() -> None:
    asked = in_dialysis(ferritin("150"), tsat("17"), conditions=(RLS,), procedures=(LATER, EARLIER))
    found = verdict("R-28", asked)
    assert found is not None and found.say[0] == "Dialysis on record: procedure of 2026-03-04."


@pytest.mark.parametrize(
    "results",
    [
        pytest.param((ferritin("150"), rejected("tsat")), id="R-28 TSAT unusable"),
        pytest.param((rejected("ferritin"), tsat("17")), id="R-28 ferritin unusable"),
        pytest.param((), id="R-28 neither on record"),
    ],
)
def test_r_28_gives_no_class_on_one_result(results: tuple[Any, ...]) -> None:
    asked = in_dialysis(*results)
    assert ask("R-28", asked) == ()
    assert decide(asked).conclusion is Conclusion.INSUFFICIENT_DATA


def test_r_28_not_supported_says_on_which_values() -> None:
    found = verdict("R-28", in_dialysis(ferritin("250"), tsat("17")))
    assert found is not None and found.because == "in dialysis, ferritin 250 ng/mL and TSAT 17 %"


def test_r_28a_in_dialysis_tests_wait_after_recent_iron() -> None:
    asked = in_dialysis(dose_records=(given(Ingredient.FCM, "1000", days_ago=10),))
    found = verdict("R-28a", asked)
    assert found is not None and found.tests_not_before is not None
    assert found.tests_not_before > asked.as_of
    never = verdict("R-28a", in_dialysis())
    assert never is not None and never.tests_not_before is None


def test_r_21_the_allergies_counted_are_named_in_the_trace() -> None:
    drugs = tuple(
        allergy(Allergen.OTHER_DRUG, name=name, reference=f"AllergyIntolerance/{name}") for name in ("A", "B", "C")
    )
    asked = case(
        facts(ferritin("48"), tsat("17"), conditions=(RLS, condition("asthma", name="Asthma")), allergies=drugs)
    )
    entries = used("R-21 (hypersensitivity)", asked)
    assert [(name, reference) for name, _, reference, _ in entries if name == "allergy"] == [
        ("allergy", f"AllergyIntolerance/{name}") for name in ("A", "B", "C")
    ]
    assert [value.strip("\u2063") for name, value, *_ in entries if name == "allergy"] == ["A", "B", "C"]
    assert any(reference == "Condition/asthma" for _, _, reference, _ in entries)


def test_r_18d_a_problem_about_iron_is_named_in_the_trace() -> None:
    entry = condition("iron-adverse-reaction", name="Adverse reaction to iron")
    asked = case(facts(ferritin("48"), tsat("17"), conditions=(RLS, entry)))
    (line,) = (one for one in ask("R-18d", asked) if isinstance(one, Line))
    assert line.rank is Rank.IRON_ALLERGY
    assert line.because == "problem-list entry about a reaction to iron"
    assert [reference for _, _, reference, _ in used("R-18d", asked)] == ["Condition/iron-adverse-reaction"]


@pytest.mark.parametrize(
    ("ferritin_at", "tsat_at", "said"),
    [
        pytest.param((12, 0), (16, 30), "ferritin (12:00) and TSAT (16:30)", id="R-12 both late"),
        pytest.param((8, 15), (16, 5), "TSAT (16:05)", id="R-12 TSAT late"),
        pytest.param((13, 0), (11, 59), "ferritin (13:00)", id="R-12 ferritin late"),
    ],
)
def test_r_12_the_line_names_what_was_drawn_late_and_when(
    ferritin_at: tuple[int, int], tsat_at: tuple[int, int], said: str
) -> None:
    asked = case(facts(ferritin("40", day=at(10, *ferritin_at)), tsat("15", day=at(10, *tsat_at))))
    (line,) = (one for one in ask("R-12", asked) if isinstance(one, Line))
    assert line.text.startswith(f"Drawn at noon or later: {said}; a morning sample is preferred.")
    assert [(name, day) for name, _, _, day in used("R-12", asked)] == [
        ("ferritin", "2026-02-28"),
        ("TSAT", "2026-02-28"),
    ]


PREGNANT = [
    "evidence of pregnancy lapses after",
    "pregnant before the delivery date by at most",
    "pregnant after the delivery date by at most",
]
EARLY = "first trimester below"


@pytest.mark.parametrize(
    ("rule_id", "expected"),
    [
        pytest.param(
            "R-20a",
            [
                EARLY,
                "term",
                "no gestational age above",
                "a coded first trimester lasts",
                *PREGNANT,
            ],
            id="R-20a age and evidence",
        ),
        pytest.param("R-20b", [EARLY], id="R-20b age"),
        pytest.param("R-20c", PREGNANT, id="R-20c evidence alone, as the age is not known"),
        pytest.param(
            "R-20d",
            [
                *PREGNANT,
                "status on record for",
                "status asked for from",
                "status asked for up to",
            ],
            id="R-20d evidence, and whom to ask",
        ),
    ],
)
def test_a_rule_on_pregnancy_shows_the_limits_it_rests_on(rule_id: str, expected: list[str]) -> None:
    (rule,) = (one for one in RULES if one.id == rule_id)
    assert [one.name for one in rule.thresholds] == expected
