"""R-27: signs of inflammation, and what they change by ferritin and transferrin saturation."""

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from cds_service.clinical.interval import Interval
from cds_service.clinical.model import Cap, Conclusion, ConditionEntry, Line, Rank, Remark, Result
from tests.rules.ask import ask, texts
from tests.rules.build import RLS, case, condition, crp, decide, facts, ferritin, rejected, tsat


def row(words: str, *values: object) -> object:
    return pytest.param(*values, id=f"R-27 {words}")


def chart(level: str, saturation: str, *results: Result, entries: tuple[ConditionEntry, ...] = ()) -> Any:
    return case(facts(ferritin(level), tsat(saturation), *results, conditions=(RLS, *entries)))


def drawn(value: str, **changes: Any) -> Result:
    """A CRP of the same sample as the ferritin of 50 days ago."""
    return crp(value, days_ago=50, **changes)


def censored(value: str, known: Interval) -> Result:
    return replace(drawn(value), value=known)


FUNCTIONAL = ("140", "15")

# ------------------------------------------------------------------------------------------------ what is a sign


@pytest.mark.parametrize(
    ("results", "expected"),
    [
        row("no CRP", (), False),
        row("CRP 4.9", (drawn("4.9"),), False),
        row("CRP 5 is not above 5", (drawn("5"),), False),
        row("CRP 5.01", (drawn("5.01"),), True),
        row("CRP 18", (drawn("18"),), True),
        row("CRP over 5 as reported", (censored("5", Interval.above(Decimal(5))),), True),
        row("CRP below 10 may be either", (censored("10", Interval.below(Decimal(10))),), False),
        row("CRP 30 days after the ferritin", (crp("18", days_ago=20),), True),
        row("CRP 31 days before the ferritin", (crp("18", days_ago=81),), False),
        row("CRP 30 days before the ferritin", (crp("18", days_ago=80),), True),
        row("CRP 31 days after the ferritin", (crp("18", days_ago=19),), False),
        row("nearest CRP is normal", (crp("18", days_ago=30), crp("1", days_ago=48)), False),
        row("nearest CRP is raised", (crp("1", days_ago=30), crp("18", days_ago=48)), True),
        row("CRP of unknown unit", (rejected("crp", days_ago=50),), False),
        row("preliminary CRP", (crp("18", days_ago=50, status="preliminary"),), False),
        row("undated CRP", (crp("18", day=None),), False),
    ],
)
def test_r_27_a_raised_crp_near_the_ferritin_is_a_sign(results: tuple[Result, ...], expected: bool) -> None:
    iron = (ferritin("140", days_ago=50), tsat("15", days_ago=50))
    asked = case(facts(*iron, *results))
    assert asked.inflammation.is_present == expected
    assert (decide(asked).conclusion is Conclusion.MAY_BENEFIT) == expected


CONCEPTS = (
    "rheumatoid-arthritis",
    "lupus",
    "inflammatory-bowel-disease",
    "immune-disease",
    "active-infection",
    "malignancy",
    "liver-disease",
)


@pytest.mark.parametrize("concept", CONCEPTS, ids=lambda one: f"R-27 {one}")
def test_r_27_an_active_condition_is_a_sign(concept: str) -> None:
    asked = chart(*FUNCTIONAL, entries=(condition(concept, name="Disease", verification_status="unconfirmed"),))
    assert decide(asked).conclusion is Conclusion.MAY_BENEFIT
    assert "Disease" in asked.inflammation.because[0] and "unconfirmed" in asked.inflammation.because[0]
    changes: dict[str, Any]
    for changes in ({"is_active": False}, {"verification_status": "refuted"}, {"is_hedged": True}):
        assert not chart(*FUNCTIONAL, entries=(condition(concept, **changes),)).inflammation.is_present


def test_r_27_sepsis_is_a_sign_too() -> None:
    assert chart(*FUNCTIONAL, entries=(condition("systemic-infection"),)).inflammation.is_present


@pytest.mark.parametrize("concept", ["asthma", "atopy", "osteoporosis", "esrd"], ids=lambda one: f"R-27 {one}")
def test_r_27_other_conditions_are_no_sign(concept: str) -> None:
    assert not chart(*FUNCTIONAL, entries=(condition(concept),)).inflammation.is_present


def test_r_27_every_sign_is_named_with_its_value() -> None:
    asked = chart(
        *FUNCTIONAL, crp("18"), entries=(condition("lupus", name="SLE"), condition("malignancy", name="Cancer"))
    )
    assert [sign.split(" (")[0].strip("\u2063") for sign in asked.inflammation.because] == [
        "CRP 18 mg/L",
        "Cancer",
        "SLE",
    ]
    assert len(asked.inflammation.used) == 3
    assert "2026-02-28" in asked.inflammation.because[0]


def test_r_27_a_crp_without_ferritin_is_not_read() -> None:
    assert not case(facts(tsat("15"), crp("18"))).inflammation.is_present


# ------------------------------------------------------------------------------------------------- what it changes

STRONG, MAY, NOT = Conclusion.INDICATED_STRONG, Conclusion.MAY_BENEFIT, Conclusion.NOT_INDICATED
LOW, FUNCTION, FALSE, REPEAT = "low despite", "Functional iron deficiency", "may be falsely high.", "when CRP settles"
EFFECTS = [
    # ferritin, TSAT, class without signs, with signs, words
    row("ferritin 75, TSAT 17: no change", "75", "17", STRONG, STRONG, LOW),
    row("ferritin 75, TSAT 28: no change", "75", "28", STRONG, STRONG, LOW),
    row("ferritin 75.1, TSAT 19.9: capped", "75.1", "19.9", STRONG, MAY, FUNCTION),
    row("ferritin 100, TSAT 19.9: capped", "100", "19.9", STRONG, MAY, FUNCTION),
    row("ferritin 299.9, TSAT 19.9: capped", "299.9", "19.9", STRONG, MAY, FUNCTION),
    row("ferritin 300, TSAT 19.9: ceiling as before", "300", "19.9", NOT, NOT, ""),
    row("ferritin 300, TSAT 28: nothing to add", "300", "28", NOT, NOT, ""),
    row("ferritin 75.1, TSAT 20: stays", "75.1", "20", MAY, MAY, FALSE),
    row("ferritin 100, TSAT 20: stays", "100", "20", MAY, MAY, FALSE),
    row("ferritin 100.1, TSAT 20: stays", "100.1", "20", NOT, NOT, REPEAT),
    row("ferritin 299.9, TSAT 44.9: stays", "299.9", "44.9", NOT, NOT, REPEAT),
    row(
        "ferritin 150, TSAT 45: stop as before", "150", "45", Conclusion.CONTRAINDICATED, Conclusion.CONTRAINDICATED, ""
    ),
]


@pytest.mark.parametrize(("level", "saturation", "without", "with_signs", "words"), EFFECTS)
def test_r_27_effect_by_ferritin_and_tsat(
    level: str, saturation: str, without: Conclusion, with_signs: Conclusion, words: str
) -> None:
    calm, inflamed = chart(level, saturation), chart(level, saturation, crp("18"))
    assert (decide(calm).conclusion, decide(inflamed).conclusion) == (without, with_signs)
    assert texts("R-27 (text)", calm) == []
    found = texts("R-27 (text)", inflamed)
    assert [words in text and "CRP 18 mg/L" in text for text in found] == [True] * bool(words)


def test_r_27_a_disease_says_nothing_about_a_ferritin_that_is_missing() -> None:
    asked = case(facts(tsat("25"), conditions=(RLS, condition("lupus"))))
    assert asked.inflammation.is_present
    assert ask("R-27 (text)", asked) == ()


def test_r_27_the_cap_names_the_sign_and_only_where_it_applies() -> None:
    (cap,) = ask("R-27", chart(*FUNCTIONAL, crp("18")))
    assert isinstance(cap, Cap) and "CRP 18 mg/L" in cap.because
    for level, saturation in (("75", "15"), ("90", "20"), ("140", "25")):
        assert ask("R-27", chart(level, saturation, crp("18"))) == ()
    assert ask("R-27", chart(*FUNCTIONAL)) == ()


def test_r_27_missing_tsat_leaves_the_question_open() -> None:
    asked = case(facts(ferritin("140"), crp("18")))
    assert ask("R-27", asked) == ask("R-27 (text)", asked) == ()
    assert decide(asked).conclusion is Conclusion.INSUFFICIENT_DATA


def test_r_27_low_ferritin_is_a_remark_beside_the_value_the_rest_a_caution() -> None:
    (remark,) = ask("R-27 (text)", chart("60", "17", crp("18")))
    (line,) = ask("R-27 (text)", chart("90", "25", crp("18")))
    assert isinstance(remark, Remark) and remark.section == "ferritin"
    assert isinstance(line, Line) and line.rank is Rank.INFLAMMATION and not line.makes_warning
