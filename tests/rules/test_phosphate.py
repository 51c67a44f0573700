"""R-21, R-42: low phosphate stops ferric carboxymaltose; when to check it; the boxed warning on every such card."""

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from cds_service.clinical.dates import Day
from cds_service.clinical.interval import Interval
from cds_service.clinical.model import Conclusion, ConditionEntry, DoseRecord, Ingredient, Line, Rank, Result
from tests.rules.ask import ask, texts, verdict
from tests.rules.build import (
    RLS,
    TODAY,
    case,
    condition,
    day,
    decide,
    facts,
    ferritin,
    given,
    order,
    phosphate,
    rejected,
    tsat,
)

FCM, DERISOMALTOSE, SUCROSE = Ingredient.FCM, Ingredient.DERISOMALTOSE, Ingredient.SUCROSE
IRON = (ferritin("48", days_ago=3), tsat("17", days_ago=3))


def row(rule_id: str, words: str, *values: object) -> object:
    return pytest.param(*values, id=f"{rule_id} {words}")


def chart(*results: Result, ordered: Ingredient | None = FCM, **changes: Any) -> Any:
    return case(facts(*IRON, *results, **changes), order(ordered, "750"))


def limited(value: str, low: str, **changes: Any) -> Result:
    """With the laboratory's own lower limit."""
    return phosphate(value, lower_limit=Decimal(low), **changes)


def below(value: str, **changes: Any) -> Result:
    """A result reported as less than a number."""
    return replace(phosphate(value, **changes), value=Interval.below(Decimal(value)))


# ------------------------------------------------------------------------------------------------ the value

VALUES = [
    row("R-21", "no phosphate", (), False),
    row("R-21", "2.4 is below the default of 2.5", (phosphate("2.4"),), True),
    row("R-21", "2.49 is below, unrounded", (phosphate("2.49"),), True),
    row("R-21", "2.5 is not below", (phosphate("2.5"),), False),
    row("R-21", "2.6 is not below", (phosphate("2.6"),), False),
    row("R-21", "laboratory limit 2.7 is taken: 2.6 is low", (limited("2.6", "2.7"),), True),
    row("R-21", "laboratory limit 2.7: 2.7 is not", (limited("2.7", "2.7"),), False),
    row("R-21", "laboratory limit 2.0: 2.4 is not low", (limited("2.4", "2.0"),), False),
    row("R-21", "laboratory limit 2.0: 1.9 is low", (limited("1.9", "2.0"),), True),
    row("R-21", "limit of 1.5 is taken", (limited("1.6", "1.5"),), False),
    row("R-21", "limit of 1.49 is not credible: default", (limited("1.6", "1.49"),), True),
    row("R-21", "limit of 3.5 is taken", (limited("3.4", "3.5"),), True),
    row("R-21", "limit of 3.51 is not credible: default", (limited("3.4", "3.51"),), False),
    row("R-21", "flagged low though above the limit", (phosphate("2.8", flagged_low=True),), True),
    row("R-21", "below 2.5 as reported", (below("2.5"),), True),
    row("R-21", "below 3 may be either: unusable", (below("3"),), False),
    row("R-21", "of a rejected unit", (rejected("phosphate"),), False),
    row("R-21", "preliminary", (phosphate("1.9", status="preliminary"),), False),
    row("R-21", "undated", (phosphate("1.9", day=None),), False),
    row("R-21", "of tomorrow", (phosphate("1.9", days_ago=-1),), False),
    row("R-21", "90 days old counts", (phosphate("1.9", days_ago=90),), True),
    row("R-21", "91 days old does not", (phosphate("1.9", days_ago=91),), False),
    row("R-21", "newest is normal", (phosphate("1.9", days_ago=20), phosphate("3.1", days_ago=5)), False),
    row("R-21", "newest is low", (phosphate("3.1", days_ago=20), phosphate("1.9", days_ago=5)), True),
    row("R-21", "two of one day: the lower", (phosphate("3.1", days_ago=5), phosphate("1.9", days_ago=5)), True),
    row(
        "R-13a", "a newer unreadable one does not undo it", (phosphate("1.9", days_ago=20), rejected("phosphate")), True
    ),
    row("R-13a", "a newer unreadable one makes no stop", (phosphate("3.1", days_ago=20), rejected("phosphate")), False),
]


@pytest.mark.parametrize(("results", "expected"), VALUES)
def test_r_21_low_phosphate_stops_ferric_carboxymaltose(results: tuple[Result, ...], expected: bool) -> None:
    assert (verdict("R-21", chart(*results)) is not None) == expected
    assert (decide(chart(*results)).conclusion is Conclusion.CONTRAINDICATED) == expected


@pytest.mark.parametrize(
    ("days_after", "expected"),
    [
        row("R-21", "drawn the day before the latest dose: does not count", 1, False),
        row("R-21", "drawn on its day, order unknown: does not count", 0, False),
        row("R-21", "drawn the day after: counts", -1, True),
    ],
)
def test_r_21_only_a_phosphate_after_the_latest_dose_counts(days_after: int, expected: bool) -> None:
    results = (phosphate("1.9", days_ago=60 + days_after),)
    assert (verdict("R-21", chart(*results, dose_records=(given(days_ago=60),))) is not None) == expected


# ------------------------------------------------------------------------------------------------ the entry


def entry(when: int | Day | None = 30, **changes: Any) -> ConditionEntry:
    recorded = day(when) if isinstance(when, int) else when
    return condition("hypophosphatemia", **{"name": "Hypophosphatemia", "day": recorded, **changes})


MONTH = Day(day(60).first, day(31).last)
NORMAL = "3.1"
ENTRIES = [
    row("R-21", "active entry without a value", (entry(),), (), True),
    row("R-21", "unconfirmed entry", (entry(verification_status="unconfirmed"),), (), True),
    row("R-21", "refuted entry", (entry(verification_status="refuted"),), (), False),
    row("R-21", "entry in error", (entry(verification_status="entered-in-error"),), (), False),
    row("R-21", "resolved entry", (entry(clinical_status="resolved", is_active=False),), (), False),
    row("R-21", "unspecific disorder of phosphorus", (condition("phosphorus-disorder-unspecific"),), (), False),
    row("R-21", "normal phosphate of the same day", (entry(30),), (phosphate(NORMAL, days_ago=30),), False),
    row("R-21", "normal phosphate of a later day", (entry(30),), (phosphate(NORMAL, days_ago=29),), False),
    row("R-21", "normal phosphate of the day before", (entry(30),), (phosphate(NORMAL, days_ago=31),), True),
    row("R-21", "phosphate at the limit shows it corrected", (entry(30),), (phosphate("2.5"),), False),
    row("R-21", "a later normal one that is stale", (entry(200),), (phosphate(NORMAL, days_ago=91),), True),
    row("R-21", "a later one of unknown unit", (entry(30),), (rejected("phosphate"),), True),
    row(
        "R-13a",
        "a normal one that a newer unreadable one contradicts",
        (entry(30),),
        (phosphate(NORMAL, days_ago=20), rejected("phosphate")),
        True,
    ),
    row("R-21", "entry of a month, normal on its last day", (entry(MONTH),), (phosphate(NORMAL, days_ago=31),), False),
    row("R-21", "entry of a month, normal within it", (entry(MONTH),), (phosphate(NORMAL, days_ago=32),), True),
    row("R-21", "undated entry cannot be shown corrected", (entry(None),), (phosphate(NORMAL),), True),
    row(
        "R-21",
        "one of two entries is later than the value",
        (entry(30), entry(5)),
        (phosphate(NORMAL, days_ago=20),),
        True,
    ),
]


@pytest.mark.parametrize(("entries", "results", "expected"), ENTRIES)
def test_r_21_an_entry_stops_until_a_phosphate_shows_it_corrected(
    entries: tuple[ConditionEntry, ...], results: tuple[Result, ...], expected: bool
) -> None:
    assert (verdict("R-21", chart(*results, conditions=(RLS, *entries))) is not None) == expected


@pytest.mark.parametrize(
    ("ordered", "stops", "lines"),
    [
        row("R-21", "ferric carboxymaltose: stop", FCM, 1, 0),
        row("R-21", "product not named: caution line", None, 0, 1),
        *(row("R-21", f"{one}: nothing", one, 0, 0) for one in Ingredient if one is not FCM),
    ],
)
@pytest.mark.parametrize("by_entry", [False, True])
def test_r_21_by_product(ordered: Ingredient | None, stops: int, lines: int, by_entry: bool) -> None:
    results = () if by_entry else (phosphate("1.9"),)
    conditions = (RLS, entry()) if by_entry else (RLS,)
    asked = chart(*results, ordered=ordered, conditions=conditions)
    assert len(ask("R-21", asked)) == stops
    found = ask("R-21 (unnamed)", asked)
    assert [isinstance(answer, Line) and answer.rank for answer in found] == [Rank.INTERVAL_PHOSPHATE] * lines
    assert (decide(asked).conclusion is Conclusion.CONTRAINDICATED) == bool(stops)


def test_r_21_unnamed_product_without_low_phosphate_has_no_line() -> None:
    assert texts("R-21 (unnamed)", chart(phosphate("2.5"), ordered=None)) == []


def test_r_21_the_card_names_value_date_limit_and_the_way_out() -> None:
    found = verdict("R-21", chart(limited("2.2", "2.6")))
    assert found is not None
    for part in ("2.2 mg/dL", "2026-02-28", "2.6 mg/dL, the laboratory's lower limit"):
        assert part in found.say[0]
    assert "correcting phosphate first" in found.say[-1] and "other than ferric carboxymaltose" in found.say[-1]
    assert found.offer_tests == ()


@pytest.mark.parametrize(
    ("result", "words"),
    [
        row("R-21", "default limit", phosphate("1.9"), "below 2.5 mg/dL, the default lower limit"),
        row("R-21", "limit that is not credible", limited("1.9", "9"), "below 2.5 mg/dL, the default lower limit"),
        row("R-21", "flag only", phosphate("2.8", flagged_low=True), "flagged by the laboratory"),
    ],
)
def test_r_21_says_by_which_limit(result: Result, words: str) -> None:
    found = verdict("R-21", chart(result))
    assert found is not None and words in found.say[0]


def test_r_21_value_and_entry_are_both_named() -> None:
    found = verdict("R-21", chart(phosphate("1.9"), conditions=(RLS, entry(verification_status="provisional"))))
    assert found is not None and len(found.say) == 3
    assert "Hypophosphatemia" in found.say[1] and "unconfirmed" in found.say[1] and "2026-02-08" in found.say[1]
    assert len(found.used) == 2


def test_r_21_an_entry_without_a_value_offers_the_test() -> None:
    found = verdict("R-21", chart(conditions=(RLS, entry())))
    assert found is not None and found.offer_tests == ("phosphate",)


@pytest.mark.parametrize(
    ("ordered", "changes", "expected"),
    [
        row("R-21", "hedged, ferric carboxymaltose", FCM, {}, 1),
        row("R-21", "hedged, product not named", None, {}, 1),
        row("R-21", "hedged, another product", SUCROSE, {}, 0),
        row("R-21", "hedged and refuted", FCM, {"verification_status": "refuted"}, 0),
        row("R-21", "hedged and resolved", FCM, {"clinical_status": "resolved", "is_active": False}, 0),
    ],
)
def test_r_21_a_hedged_entry_is_a_caution_and_no_stop(
    ordered: Ingredient | None, changes: dict[str, Any], expected: int
) -> None:
    asked = chart(ordered=ordered, conditions=(RLS, entry(is_hedged=True, **changes)))
    found = ask("R-21 (text)", asked)
    assert [isinstance(answer, Line) and answer.rank for answer in found] == [Rank.INTERVAL_PHOSPHATE] * expected
    assert ask("R-21", asked) == ()


# -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("ordered", [*Ingredient, None], ids=lambda one: f"R-42 {one}")
def test_r_42_every_ferric_carboxymaltose_card_names_the_boxed_warning(ordered: Ingredient | None) -> None:
    found = ask("R-42 (box)", chart(ordered=ordered))
    assert len(found) == (ordered is FCM)
    for line in found:
        assert isinstance(line, Line) and line.rank is Rank.BOXED_WARNING and not line.makes_warning
        for part in ("hypophosphatemia", "osteomalacia", "below 2.0 mg/dL", "74 to 75 %", "8 %"):
            assert part in line.text


def test_r_42_the_boxed_warning_stands_on_cards_of_any_class() -> None:
    stopped = chart(conditions=(RLS, condition("systemic-infection")))
    decision = decide(stopped)
    assert decision.conclusion is Conclusion.CONTRAINDICATED
    assert "R-42 (box)" in [rule.id for rule, _ in decision.lines]


REPEATS = [
    row("R-42", "no earlier iron", (), False),
    row("R-42", "92 days after the last dose", (given(days_ago=92),), True),
    row("R-42", "93 days after the last dose", (given(days_ago=93),), False),
    row("R-42", "40 days after the last dose", (given(days_ago=40),), True),
    row("R-42", "next dose of a running course", (given(mg="750", days_ago=8),), False),
    row("R-42", "8 days after, but the course limit is passed", (given(mg="1000", days_ago=8),), True),
    row("R-42", "another product 40 days ago", (given(DERISOMALTOSE, days_ago=40),), False),
    row("R-42", "iron of unnamed product 40 days ago", (given(None, days_ago=40),), True),
    row("R-42", "this product before, another since", (given(days_ago=90), given(SUCROSE, "200", days_ago=20)), True),
]


@pytest.mark.parametrize(("records", "expected"), REPEATS)
def test_r_42_phosphate_is_checked_before_a_repeat_course_within_three_months(
    records: tuple[DoseRecord, ...], expected: bool
) -> None:
    found = texts("R-42", chart(dose_records=records))
    assert ["repeat course within three months" in text for text in found] == [True] * expected


RISKS = ("malabsorption", "inflammatory-bowel-disease", "hyperparathyroidism", "vitamin-d-deficiency", "malnutrition")


@pytest.mark.parametrize("concept", [*RISKS, "osteoporosis", "osteomalacia"], ids=lambda one: f"R-42 {one}")
def test_r_42_phosphate_is_checked_with_a_risk_factor(concept: str) -> None:
    active = condition(concept, name="Risk")
    (text,) = texts("R-42", chart(conditions=(RLS, active)))
    assert "checking phosphate before this dose" in text and "Risk" in text and "weaker evidence" in text
    for changes in ({"is_active": False}, {"verification_status": "refuted"}, {"is_hedged": True}):
        assert texts("R-42", chart(conditions=(RLS, condition(concept, **changes)))) == []
    assert texts("R-42", chart(ordered=SUCROSE, conditions=(RLS, active))) == []
    assert texts("R-42", chart(ordered=None, conditions=(RLS, active))) == []


def test_r_42_another_condition_is_no_risk_factor() -> None:
    assert texts("R-42", chart(conditions=(RLS, condition("asthma"), condition("iron-deficiency-anemia")))) == []


@pytest.mark.parametrize(
    ("results", "words"),
    [
        row("R-42", "known phosphate is shown", (phosphate("3.1"),), "the latest is 3.1 mg/dL of 2026-02-28"),
        row("R-42", "unknown phosphate is said to be so", (), "no phosphate in the data provided"),
        row("R-42", "stale phosphate is said to be so", (phosphate("3.1", days_ago=91),), "91 days old"),
    ],
)
def test_r_42_says_what_is_known_of_the_phosphate(results: tuple[Result, ...], words: str) -> None:
    asked = chart(*results, conditions=(RLS, condition("osteoporosis")))
    assert words in texts("R-42", asked)[0]
    (line,) = ask("R-42", asked)
    assert isinstance(line, Line) and line.rank is Rank.INTERVAL_PHOSPHATE and not line.makes_warning
    assert decide(asked).conclusion is Conclusion.INDICATED_STRONG


def test_r_42_both_reasons_share_one_line() -> None:
    (text,) = texts("R-42", chart(dose_records=(given(days_ago=40),), conditions=(RLS, condition("osteoporosis"))))
    assert f"last dose {day(40, before=TODAY)}" in text and "osteoporosis" in text


LIMIT = Decimal("2.7")
BELOW_2 = Interval(Decimal("0.3"), Decimal(2), True, False)


@pytest.mark.parametrize(
    ("result", "said"),
    [
        row("R-21", "below the default limit", phosphate("2.4"),
            "Phosphate 2.4 mg/dL (2026-02-28) is low: below 2.5 mg/dL, the default lower limit."),
        row("R-21", "below the limit of the laboratory", phosphate("2.6", lower_limit=LIMIT),
            "Phosphate 2.6 mg/dL (2026-02-28) is low: below 2.7 mg/dL, the laboratory's lower limit."),
        row("R-21", "flagged at the limit", phosphate("2.5", flagged_low=True),
            "Phosphate 2.5 mg/dL (2026-02-28) is low: flagged by the laboratory or below 2.5 mg/dL, the default lower "
            "limit."),
        row("R-10", "below 2, not said how much", replace(phosphate("1"), value=BELOW_2),
            "Phosphate <2 mg/dL (2026-02-28) is low: below 2.5 mg/dL, the default lower limit."),
    ],
)  # fmt: skip
def test_r_21_says_by_which_limit_phosphate_is_low(result: Result, said: str) -> None:
    found = verdict("R-21", chart(result))
    assert found is not None and found.say[0] == said


def test_r_21_a_hedged_entry_is_explained() -> None:
    hedged = condition("hypophosphatemia", name="No low phosphate", is_hedged=True)
    (said,) = texts("R-21 (text)", chart(conditions=(RLS, hedged)))
    assert "so not counted as hypophosphatemia: " in said and "No low phosphate" in said
