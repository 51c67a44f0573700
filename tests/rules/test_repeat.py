"""R-40a to R-40d: a repeat course by days since the latest dose, new results and the response to the last one."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from cds_service.clinical.case import Case
from cds_service.clinical.dates import Day
from cds_service.clinical.decision import Decision
from cds_service.clinical.model import (
    Conclusion,
    DoseRecord,
    DoseSource,
    Impression,
    Ingredient,
    IronOrder,
    Line,
    Remark,
    Result,
    SeverityTotal,
)
from cds_service.clinical.rules import RULES
from cds_service.clinical.rules.repeat import FLOOR
from tests.rules.ask import ask, verdict
from tests.rules.build import (
    TODAY,
    case,
    condition,
    day,
    decide,
    facts,
    ferritin,
    given,
    hemoglobin,
    lines,
    order,
    tsat,
    weight,
)

STRONG, MAY, NOT, GAP = (
    Conclusion.INDICATED_STRONG,
    Conclusion.MAY_BENEFIT,
    Conclusion.NOT_INDICATED,
    Conclusion.INSUFFICIENT_DATA,
)
DIALYSIS = condition("dialysis-dependence")
SUCROSE = Ingredient.SUCROSE


def row(rule_id: str, words: str, *values: object) -> Any:
    return pytest.param(*values, id=f"{rule_id} {words}")


def asked(*results: Result, record: DoseRecord, evaluated: IronOrder | None = None, **chart: Any) -> Case:
    records = (record, *chart.pop("more_records", ()))
    patient = facts(*results, weight("72"), hemoglobin("13.4"), dose_records=records, **chart)
    return case(patient, evaluated or order(mg="1000"))


def decided(*results: Result, record: DoseRecord, **changes: Any) -> Decision:
    return decide(asked(*results, record=record, **changes))


def by(decision: Decision) -> str:
    return decision.verdicts[0][0].id


def labs(iron_stores: str, saturation: str, days_ago: int = 3) -> tuple[Result, Result]:
    return ferritin(iron_stores, days_ago=days_ago), tsat(saturation, days_ago=days_ago)


# ------------------------------------------------------------------------------------------------ R-40a: too soon


@pytest.mark.parametrize(
    ("days_ago", "expected_rule"),
    [
        row("R-40a", "day 28 with results of day 25, in the blackout", 28, "R-40a"),
        row("R-40a", "day 56", 56, "R-40a"),
        row("R-40a", "day 83", 83, "R-40a"),
        row("R-40a", "day 84", 84, "R-23"),
        row("R-40a", "day 200", 200, "R-23"),
    ],
)
def test_r_40a_less_than_84_days_is_too_soon(days_ago: int, expected_rule: str) -> None:
    assert by(decided(*labs("90", "28"), record=given(days_ago=days_ago))) == expected_rule


def test_r_40a_says_from_when_it_can_be_judged_and_repeated() -> None:
    answer = verdict("R-40a", asked(*labs("90", "28"), record=given(mg="1000", days_ago=40)))
    assert answer is not None
    assert answer.conclusion is NOT
    dose = TODAY - timedelta(days=40)
    assert "1000 mg ferric carboxymaltose on 2026-01-29, 40 days ago" in answer.say[0]
    assert f"judged from {dose + timedelta(days=56)}" in answer.say[2]
    assert f"considered from {dose + timedelta(days=84)}" in answer.say[2]
    assert not answer.offer_tests


def test_r_40a_the_hook_date_counts_not_a_later_planned_date() -> None:
    later = order(mg="1000", planned=(day(-30),))
    assert by(decided(*labs("90", "28"), record=given(days_ago=70), evaluated=later)) == "R-40a"


@pytest.mark.parametrize(
    "ingredient", [Ingredient.DERISOMALTOSE, SUCROSE, None], ids=["R-40a other", "R-40a sucrose", "R-40a not named"]
)
def test_r_40a_any_earlier_product_counts(ingredient: Ingredient | None) -> None:
    assert by(decided(*labs("90", "28"), record=given(ingredient, days_ago=60))) == "R-40a"


def test_r_40a_the_latest_dose_counts() -> None:
    more = (given(days_ago=200, reference="MedicationAdministration/old"),)
    assert by(decided(*labs("90", "28"), record=given(days_ago=60), more_records=more)) == "R-40a"


@pytest.mark.parametrize(
    ("results", "changes", "expected_rule"),
    [
        row("R-40a", "stops come first", labs("60", "47"), {}, "R-16"),
        row("R-40a", "so does the ceiling", labs("300", "28"), {}, "R-17"),
        row("R-40a", "before missing data", (), {}, "R-40a"),
        row("R-40a", "before dialysis", labs("90", "28"), {"conditions": (condition("rls"), DIALYSIS)}, "R-40a"),
    ],
)
def test_r_40a_place_in_the_order_of_rules(
    results: tuple[Result, ...], changes: dict[str, Any], expected_rule: str
) -> None:
    assert by(decided(*results, record=given(days_ago=60), **changes)) == expected_rule


def test_r_40a_without_earlier_iron_it_says_nothing() -> None:
    assert not ask("R-40a", case(facts(ferritin("90"), tsat("28"))))


def test_r_40a_names_a_dose_taken_from_the_order() -> None:
    answer = verdict("R-40a", asked(record=given(days_ago=60, source=DoseSource.ORDER)))
    assert answer is not None
    assert "taken from the order" in answer.say[0]


# ------------------------------------------------------------------------------------- R-40b: persistent deficiency

PERSISTENT = [
    row("R-40b", "ferritin 75, results of day 28", 30, labs("75", "28", 2), MAY),
    row("R-40b", "results of day 27 are in the blackout", 30, labs("75", "28", 3), NOT),
    row("R-40b", "day 83", 83, labs("60", "28"), MAY),
    row("R-40b", "day 84: no cap any more", 84, labs("60", "28"), STRONG),
    row("R-40b", "ferritin 75.1, TSAT 20", 50, labs("75.1", "20"), NOT),
    row("R-40b", "ferritin 299.9, TSAT 19.9", 50, labs("299.9", "19.9"), MAY),
    row("R-40b", "ferritin 150, TSAT 20", 50, labs("150", "20"), NOT),
    row("R-40b", "TSAT 15 without a ferritin", 50, (tsat("15", days_ago=3),), NOT),
    row("R-40b", "ferritin 40 without a TSAT", 50, (ferritin("40", days_ago=3),), MAY),
    row("R-40b", "results from before the dose", 50, labs("40", "15", 60), NOT),
]


@pytest.mark.parametrize(("days_ago", "results", "expected"), PERSISTENT)
def test_r_40b_new_results_that_still_show_deficiency(
    days_ago: int, results: tuple[Result, ...], expected: Conclusion
) -> None:
    assert decided(*results, record=given(mg="1500", days_ago=days_ago)).conclusion is expected


def test_r_40b_day_28_is_enough_where_it_is_no_next_dose() -> None:
    decision = decided(*labs("60", "28", 0), record=given(mg="1500", days_ago=28))
    assert (decision.conclusion, by(decision)) == (MAY, "R-22")
    assert [rule.id for rule, _ in decision.caps] == ["R-40b"]


def test_r_40b_is_a_cap_that_names_the_loss_of_iron() -> None:
    decision = decided(*labs("60", "28"), record=given(mg="1500", days_ago=50))
    ((rule, cap),) = decision.caps
    assert rule.id == "R-40b"
    assert "loss of iron" in cap.say[0]


@pytest.mark.parametrize(
    ("results", "changes", "expected_rule", "expected"),
    [
        row(
            "R-40b",
            "R-26e still applies",
            (ferritin("40", days_ago=3), tsat("52", days_ago=1, status="preliminary")),
            {},
            "R-26e",
            GAP,
        ),
        row("R-40b", "R-28 still applies", labs("60", "28"), {"conditions": (condition("rls"), DIALYSIS)}, "R-28", NOT),
    ],
)
def test_r_40b_is_no_shortcut(
    results: tuple[Result, ...], changes: dict[str, Any], expected_rule: str, expected: Conclusion
) -> None:
    decision = decided(*results, record=given(mg="1500", days_ago=50), **changes)
    assert (by(decision), decision.conclusion) == (expected_rule, expected)


# --------------------------------------------------------------------- severity totals of a course 200 days ago


def total(value: str, days_ago: int) -> SeverityTotal:
    when = TODAY - timedelta(days=days_ago)
    return SeverityTotal(Decimal(value), Day(when, when), f"Observation/{value}-{days_ago}")


BASELINE, BEST, FLAT = total("30", 205), total("12", 150), total("29", 150)
RETURNED, STILL_WELL = total("24", 5), total("13", 5)
RESPONDER = (BASELINE, BEST, RETURNED)
NONRESPONDER = (BASELINE, FLAT)
COURSE = given(mg="1000", days_ago=200)


# ------------------------------------------------------------------------------------------------ R-40c: the floor

FLOORS = [
    row("R-40c", "responder, returned, ferritin 160", labs("160", "26"), RESPONDER, MAY),
    row("R-40c", "ferritin 299.9, TSAT 44.9", labs("299.9", "44.9"), RESPONDER, MAY),
    row("R-40c", "ferritin 300: the ceiling", labs("300", "26"), RESPONDER, NOT),
    row("R-40c", "TSAT 45: the stop", labs("160", "45"), RESPONDER, Conclusion.CONTRAINDICATED),
    row("R-40c", "never lowers: TSAT 15", labs("160", "15"), RESPONDER, STRONG),
    row("R-40c", "never lowers: ferritin 60", labs("60", "26"), RESPONDER, STRONG),
    row("R-40c", "responder, not returned", labs("160", "26"), (BASELINE, BEST, STILL_WELL), NOT),
    row("R-40c", "partial response", labs("160", "26"), (BASELINE, total("22", 150), total("30", 5)), NOT),
    row("R-40c", "not documented", labs("160", "26"), (), NOT),
    row("R-40c", "TSAT missing", (ferritin("160", days_ago=3),), RESPONDER, GAP),
    row("R-40c", "ferritin missing", (tsat("26", days_ago=3),), RESPONDER, GAP),
]


@pytest.mark.parametrize(("results", "totals", "expected"), FLOORS)
def test_r_40c_a_responder_whose_symptoms_returned_is_at_least_a_may_benefit(
    results: tuple[Result, ...], totals: tuple[SeverityTotal, ...], expected: Conclusion
) -> None:
    assert decided(*results, record=COURSE, severity=totals).conclusion is expected


def test_r_40c_is_asked_between_r_23_and_r_24() -> None:
    ids = [rule.id for rule in RULES]
    assert ids.index("R-23") < ids.index(FLOOR.id) < ids.index("R-24")


@pytest.mark.parametrize(("days_ago", "expected"), [(83, NOT), (84, MAY)], ids=["R-40c day 83", "R-40c day 84"])
def test_r_40c_from_day_84(days_ago: int, expected: Conclusion) -> None:
    totals = (total("30", days_ago + 5), total("12", days_ago - 40), RETURNED)
    decision = decided(*labs("160", "26"), record=given(mg="1000", days_ago=days_ago), severity=totals)
    assert decision.conclusion is expected


def test_r_40c_an_impression_of_response_counts_when_totals_show_the_return() -> None:
    when = TODAY - timedelta(days=150)
    impression = (Impression(True, Day(when, when), "Observation/cgi"),)
    decision = decided(*labs("160", "26"), record=COURSE, severity=(BEST, RETURNED), impressions=impression)
    assert decision.conclusion is MAY


def test_r_40c_does_not_apply_in_dialysis() -> None:
    conditions = (condition("rls"), DIALYSIS)
    in_dialysis = asked(*labs("160", "26"), record=COURSE, severity=RESPONDER, conditions=conditions)
    assert not ask("R-40c", in_dialysis)
    assert decide(in_dialysis).conclusion is NOT


@pytest.mark.parametrize(
    ("results", "totals", "is_said"),
    [
        row("R-40c", "not documented, ferritin 160", labs("160", "26"), (), True),
        row("R-40c", "return not documented", labs("160", "26"), (BASELINE, BEST), True),
        row("R-40c", "non-responder is documented", labs("160", "26"), (BASELINE, total("25", 150)), False),
        row("R-40c", "ferritin 90 has its own rule", labs("90", "26"), (), False),
        row("R-40c", "ceiling comes first", labs("310", "26"), (), False),
    ],
)
def test_r_40c_the_card_says_what_would_be_needed(
    results: tuple[Result, ...], totals: tuple[SeverityTotal, ...], is_said: bool
) -> None:
    decision = decided(*results, record=COURSE, severity=totals)
    found = [remark for rule, remark in decision.remarks if rule.id == "R-40c"]
    assert bool(found) is is_said
    for remark in found:
        assert isinstance(remark, Remark)
        assert "severity total" in remark.text


def test_r_40c_without_earlier_iron_nothing_is_needed() -> None:
    assert not ask("R-40c", case(facts(ferritin("160"), tsat("26"))))


# ----------------------------------------------------------------------------------------------- R-40d: no response

NONRESPONSES = [
    row("R-40d", "ferritin 100.1", labs("100.1", "26"), "1000", NONRESPONDER, "R-40d", NOT),
    row("R-40d", "ferritin 100", labs("100", "26"), "1000", NONRESPONDER, "R-23", MAY),
    row("R-40d", "overrides a TSAT of 15", labs("160", "15"), "1000", NONRESPONDER, "R-40d", NOT),
    row("R-40d", "decides before a missing TSAT", (ferritin("160", days_ago=3),), "1000", NONRESPONDER, "R-40d", NOT),
    row("R-40d", "ferritin not usable", (tsat("15", days_ago=3),), "1000", NONRESPONDER, "R-26c", GAP),
    row("R-40d", "the ceiling comes first", labs("300", "15"), "1000", NONRESPONDER, "R-17", NOT),
    row("R-40d", "course of 999 mg", labs("160", "15"), "999", NONRESPONDER, "R-25", STRONG),
    row("R-40d", "amount of the course not known", labs("160", "15"), None, NONRESPONDER, "R-25", STRONG),
    row("R-40d", "partial response", labs("160", "15"), "1000", (BASELINE, total("25", 150)), "R-25", STRONG),
    row("R-40d", "not documented", labs("160", "15"), "1000", (), "R-25", STRONG),
    row("R-40d", "responder", labs("160", "15"), "1000", (BASELINE, BEST), "R-25", STRONG),
]


@pytest.mark.parametrize(("results", "mg", "totals", "expected_rule", "expected"), NONRESPONSES)
def test_r_40d_a_documented_non_responder_is_not_treated_again(
    results: tuple[Result, ...],
    mg: str | None,
    totals: tuple[SeverityTotal, ...],
    expected_rule: str,
    expected: Conclusion,
) -> None:
    decision = decided(*results, record=given(mg=mg, days_ago=200), severity=totals)
    assert (by(decision), decision.conclusion) == (expected_rule, expected)


def test_r_40d_the_whole_course_counts() -> None:
    more = (given(mg="750", days_ago=208),)
    decision = decided(
        *labs("160", "15"), record=given(mg="750", days_ago=200), severity=(total("30", 210), FLAT), more_records=more
    )
    assert by(decision) == "R-40d"


@pytest.mark.parametrize(
    ("days_ago", "expected_rule"), [(83, "R-40a"), (84, "R-40d")], ids=["R-40d day 83", "R-40d day 84"]
)
def test_r_40d_from_day_84(days_ago: int, expected_rule: str) -> None:
    totals = (total("30", days_ago + 5), total("29", days_ago - 45))
    results = labs("160", "26")
    assert by(decided(*results, record=given(mg="1000", days_ago=days_ago), severity=totals)) == expected_rule


@pytest.mark.parametrize(
    ("results", "totals", "is_said"),
    [
        row("R-40d", "ferritin 100", labs("100", "26"), NONRESPONDER, True),
        row("R-40d", "ferritin 60", labs("60", "26"), NONRESPONDER, True),
        row("R-40d", "ferritin 100.1: the verdict says it", labs("100.1", "26"), NONRESPONDER, False),
        row("R-40d", "responder", labs("60", "26"), (BASELINE, BEST), False),
        row("R-40d", "ferritin missing", (), NONRESPONDER, False),
    ],
)
def test_r_40d_up_to_ferritin_100_a_line_asks_why(
    results: tuple[Result, ...], totals: tuple[SeverityTotal, ...], is_said: bool
) -> None:
    decision = decided(*results, record=COURSE, severity=totals)
    found = lines(decision, "R-40d")
    assert bool(found) is is_said
    assert all(words in text for text in found for words in ("diagnosis", "adequate", "lost"))
    assert not any(
        isinstance(line, Line) and line.makes_warning for rule, line in decision.lines if rule.id == "R-40d (text)"
    )


@pytest.mark.parametrize(
    ("results", "is_floor"),
    [
        row("R-40c", "ferritin 299.9 and TSAT 44.9", labs("299.9", "44.9"), True),
        row("R-40c", "ferritin 300, asked without the ceiling before it", labs("300", "26"), False),
        row("R-40c", "TSAT 45, asked without the stop before it", labs("160", "45"), False),
    ],
)
def test_r_40c_keeps_its_own_bounds(results: tuple[Result, ...], is_floor: bool) -> None:
    assert bool(verdict("R-40c", asked(*results, record=COURSE, severity=RESPONDER))) is is_floor


# -------------------------------------------------------------------------- each rule asked alone, whatever came before

TOTALS_OF = {
    "R-40c": (("30", 105), ("12", 55), ("25", 4)),  # days ago: fell to 12, now 25
    "R-40d": (("30", 105), ("29", 20)),
    "R-40d (text)": (("30", 105), ("29", 20)),
}


@pytest.mark.parametrize("days_ago", [83, 84])
@pytest.mark.parametrize(
    ("rule_id", "iron_stores"), [("R-40c", "150"), ("R-40d", "150"), ("R-40d (text)", "90")], ids=lambda value: value
)
def test_r_40c_r_40d_are_about_courses_84_days_ago_and_longer(rule_id: str, iron_stores: str, days_ago: int) -> None:
    chart = asked(
        *labs(iron_stores, "26"),
        record=given(days_ago=days_ago),
        severity=tuple(total(value, ago) for value, ago in TOTALS_OF[rule_id]),
    )
    assert bool(ask(rule_id, chart)) is (days_ago >= 84)


@pytest.mark.parametrize("rule_id", ["R-40a", "R-40b"])
@pytest.mark.parametrize("days_ago", [8, 28])
def test_r_40a_r_40b_r_41_the_next_dose_of_a_course_is_no_repeat(rule_id: str, days_ago: int) -> None:
    record = given(mg="500", days_ago=days_ago)
    assert ask(rule_id, asked(*labs("60", "12", days_ago=0), record=record, evaluated=order(mg="750"))) == ()


@pytest.mark.parametrize(
    ("rule_id", "days_ago", "iron_stores", "words"),
    [
        row("R-40a", "rests on the interval of a guideline", "R-40a", 40, "150", "12-week interval"),
        row("R-40c", "rests on a small series", "R-40c", 100, "150", "small uncontrolled series"),
        row("R-40d", "is a decision of this project", "R-40d", 100, "150", "decision of this project"),
    ],
)
def test_r_54_a_class_after_earlier_iron_says_how_certain_it_is(
    rule_id: str, days_ago: int, iron_stores: str, words: str
) -> None:
    totals = tuple(total(value, ago) for value, ago in TOTALS_OF.get(rule_id, ()))
    found = verdict(rule_id, asked(*labs(iron_stores, "26"), record=given(days_ago=days_ago), severity=totals))
    assert found is not None and words in found.certainty
