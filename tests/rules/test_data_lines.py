"""Section 3.1, R-07, R-08c, R-12, R-13, R-14: what a card says about the data it rests on."""

from dataclasses import replace
from datetime import time, timedelta
from typing import Any

import pytest

from cds_service.clinical.dates import Day
from cds_service.clinical.model import Ingredient, IronOrder, Line, MedicationUse, Rank, Remark, Result
from cds_service.clinical.rules.data import OTHER_DATA, SAFETY_DATA
from tests.rules.ask import ask, texts
from tests.rules.build import TODAY, case, crp, day, decide, facts, ferritin, given, hemoglobin, order, phosphate, tsat


def row(rule_id: str, words: str, *values: object) -> object:
    return pytest.param(*values, id=f"{rule_id} {words}")


LABS = (ferritin("40"), tsat("15"), hemoglobin("14"))

# ----------------------------------------------------------------------------------------------- 3.1: failed queries

# Every optional prefetch key, and whether its loss makes the card a warning.
KEYS = {
    "allergies": True,
    "iron_administrations": True,
    "medications": True,
    "medication_statements": True,
    "procedures": True,
    "follow_up": True,
    "pregnancy": True,
    "phosphate": True,
    "conditions": True,
    "ferritin": True,
    "tsat": True,
    "hemoglobin": False,
    "iron_panel": False,
    "weight": False,
    "crp": False,
    "rls_severity": False,
    "patient": False,
}


@pytest.mark.parametrize("state", ["missing", "failed", "incomplete"])
@pytest.mark.parametrize("key", KEYS, ids=lambda key: f"R-52 {key}")
def test_3_1_a_query_without_an_answer_is_named(key: str, state: str) -> None:
    found = ask("3.1", case(facts(*LABS, unavailable={key: state})))
    assert len(found) == 1
    line = found[0]
    assert isinstance(line, Line)
    assert line.rank is Rank.UNREADABLE
    assert line.makes_warning is KEYS[key]
    assert (SAFETY_DATA | OTHER_DATA)[key] in line.text
    assert {"missing": "not supplied", "failed": "query failed", "incomplete": "incomplete"}[state] in line.text


def test_3_1_every_query_answered_says_nothing() -> None:
    assert ask("3.1", case(facts(*LABS))) == ()


def test_3_1_many_failed_queries_are_two_lines() -> None:
    found = ask("3.1", case(facts(*LABS, unavailable=dict.fromkeys(KEYS, "failed"))))
    assert [line.makes_warning for line in found if isinstance(line, Line)] == [True, False]


@pytest.mark.parametrize(
    ("ingredient", "is_named"),
    [
        row("R-52", "carboxymaltose needs it", Ingredient.FCM, True),
        row("R-52", "an unnamed product may need it", None, True),
        row("R-52", "derisomaltose does not", Ingredient.DERISOMALTOSE, False),
    ],
)
def test_3_1_a_lost_phosphate_is_named_where_it_decides(ingredient: Ingredient | None, is_named: bool) -> None:
    the_case = case(facts(*LABS, unavailable={"phosphate": "failed"}), order(ingredient))
    assert bool(ask("3.1", the_case)) is is_named


def test_3_1_another_lost_query_is_named_for_every_product() -> None:
    (text,) = texts("3.1", case(facts(*LABS, unavailable={"weight": "failed"}), order(Ingredient.DERISOMALTOSE)))
    assert text == "Not available: body weight (query failed)."


def test_3_1_a_failed_allergy_query_is_a_warning_before_other_cautions() -> None:
    decision = decide(case(facts(*LABS[:2], hemoglobin("6"), unavailable={"allergies": "failed"})))
    assert decision.makes_warning
    assert decision.lines[0][0].id == "3.1"


def test_3_1_conditions_without_codes_are_said_to_be_looked_for_by_name() -> None:
    (remark,) = ask("3.1 (names)", case(facts(*LABS)))
    assert isinstance(remark, Remark)
    assert "immune disease (no codes listed)" in remark.text
    assert "few codes listed" in remark.text


# ------------------------------------------------------------------------------------------------- pending


@pytest.mark.parametrize(
    ("results", "said"),
    [
        row(
            "R-07",
            "a newer preliminary ferritin is named",
            (ferritin("40"), ferritin("120", days_ago=2, status="preliminary")),
            "ferritin",
        ),
        row(
            "R-07", "a preliminary TSAT without a final one", (ferritin("90"), tsat("15", status="preliminary")), "TSAT"
        ),
        row(
            "R-07",
            "an older preliminary one is not",
            (ferritin("40"), ferritin("120", days_ago=30, status="preliminary")),
            "",
        ),
        row("R-07", "final results say nothing", (ferritin("40"), tsat("15")), ""),
    ],
)
def test_r_07_a_pending_result_is_named(results: tuple[Result, ...], said: str) -> None:
    found = texts("R-07", case(facts(*results)))
    assert bool(found) is bool(said)
    for text in found:
        assert f"A {said} of" in text
        assert "pending" in text


# ------------------------------------------------------------------------------------- conflicting, far apart


@pytest.mark.parametrize(
    ("results", "said"),
    [
        row("R-13", "ferritin 74 and 76 seven days apart", (ferritin("74"), ferritin("76", days_ago=17)), "ferritin"),
        row("R-13", "eight days apart is no conflict", (ferritin("74"), ferritin("76", days_ago=18)), ""),
        row("R-13", "two in one range are no conflict", (ferritin("74"), ferritin("60", days_ago=12)), ""),
        row("R-13", "TSAT 19.9 and 20", (tsat("19.9"), tsat("20", days_ago=12)), "TSAT"),
        row("R-13", "hemoglobin 12.4 and 12.5", (hemoglobin("12.4"), hemoglobin("12.5", days_ago=12)), "hemoglobin"),
        row("R-13", "CRP 5 and 5.1", (ferritin("74"), crp("5"), crp("5.1", days_ago=8)), "CRP"),
        row("R-13", "a stale one is no conflict", (ferritin("74", days_ago=88), ferritin("76", days_ago=91)), ""),
    ],
)
def test_r_13_conflicting_results_are_both_shown(results: tuple[Result, ...], said: str) -> None:
    found = ask("R-13", case(facts(*results)))
    assert bool(found) is bool(said)
    for line in found:
        assert isinstance(line, Line)
        assert line.rank is Rank.CONFLICT
        assert f"Two {said} results" in line.text


def test_r_13_both_values_and_dates_are_in_the_line() -> None:
    (text,) = texts("R-13", case(facts(ferritin("74", days_ago=10), ferritin("76", days_ago=12))))
    assert all(part in text for part in ("74 ng/mL", "76 ng/mL", str(day(10)), str(day(12))))


@pytest.mark.parametrize(
    ("ingredient", "is_said"),
    [row("R-13", "carboxymaltose", Ingredient.FCM, True), row("R-13", "sucrose", Ingredient.SUCROSE, False)],
)
def test_r_13_conflicting_phosphate_matters_for_carboxymaltose(ingredient: Ingredient, is_said: bool) -> None:
    patient = facts(phosphate("2.4"), phosphate("2.6", days_ago=12))
    assert bool(texts("R-13", case(patient, order(ingredient)))) is is_said


@pytest.mark.parametrize(
    ("ferritin_ago", "tsat_ago", "is_said"),
    [
        row("R-13", "30 days apart", 10, 40, False),
        row("R-13", "31 days apart", 10, 41, True),
        row("R-13", "31 days apart, TSAT newer", 41, 10, True),
        row("R-13", "TSAT not usable", 10, 95, False),
    ],
)
def test_r_13_ferritin_and_tsat_more_than_30_days_apart(ferritin_ago: int, tsat_ago: int, is_said: bool) -> None:
    patient = facts(ferritin("90", days_ago=ferritin_ago), tsat("25", days_ago=tsat_ago))
    found = texts("R-13 (days apart)", case(patient))
    assert bool(found) is is_said
    if found:
        assert "31 days apart" in found[0]


# ------------------------------------------------------------------------------------------------ R-08c: planned date


def planned(days_ahead: int) -> IronOrder:
    return order(Ingredient.FCM, "500", planned=(day(-days_ahead),))


@pytest.mark.parametrize(
    ("the_order", "said"),
    [
        row("R-08c", "90 days old on the planned date", planned(80), ""),
        row("R-08c", "91 days old on the planned date", planned(81), "ferritin and TSAT"),
        row("R-08c", "no planned date", order(), ""),
        row("R-08c", "a planned date that has passed", planned(-5), ""),
    ],
)
def test_r_08c_results_too_old_on_the_planned_date(the_order: IronOrder, said: str) -> None:
    found = texts("R-08c", case(facts(ferritin("40", days_ago=10), tsat("15", days_ago=10)), the_order))
    assert bool(found) is bool(said)
    for text in found:
        assert said in text
        assert "more than 90 days old" in text


def test_r_08c_names_the_one_that_will_be_too_old() -> None:
    patient = facts(ferritin("40", days_ago=30), tsat("15", days_ago=2))
    (text,) = texts("R-08c", case(patient, planned(65)))
    assert "ferritin" in text
    assert "TSAT" not in text


def test_r_08c_is_silent_within_a_course() -> None:
    """R-41: the results from before the course count, and new ones could not be read."""
    patient = facts(
        ferritin("40", days_ago=85), tsat("15", days_ago=85), dose_records=(given(Ingredient.FCM, "500", days_ago=10),)
    )
    assert texts("R-08c", case(patient, planned(10))) == []


# ---------------------------------------------------------------------------------------------------- the draw


def at(clock: time | None, days_ago: int = 10) -> Day:
    when = TODAY - timedelta(days=days_ago)
    return Day(when, when, clock)


TABLETS = MedicationUse(frozenset({"oral-iron"}), "Ferrous sulfate", True, day(60), None, "MedicationRequest/9")


def used(**changes: Any) -> tuple[MedicationUse, ...]:
    return (replace(TABLETS, **changes),)


@pytest.mark.parametrize(
    ("clock", "medications", "is_line"),
    [
        row("R-12", "drawn at 11:59", time(11, 59), (), False),
        row("R-12", "drawn at 12:00", time(12, 0), (), True),
        row("R-12", "drawn at 16:30", time(16, 30), (), True),
        row("R-12", "clock time not known", None, (), False),
        row("R-12", "on oral iron at the draw", None, used(), True),
        row("R-12", "oral iron without a start date", None, used(start=None), True),
        row("R-12", "oral iron started after the draw", None, used(start=day(9)), False),
        row("R-12", "oral iron started on the day", None, used(start=day(10)), True),
        row("R-12", "oral iron ended on the day", None, used(is_active=False, end=day(10)), True),
        row("R-12", "oral iron ended the day before", None, used(is_active=False, end=day(11)), False),
        row("R-12", "oral iron ended on an unknown day", None, used(is_active=False), False),
        row("R-12", "another drug at the draw", None, used(concepts=frozenset({"rls-ropinirole"})), False),
    ],
)
def test_r_12_a_late_draw_or_oral_iron_gives_one_caution_line(
    clock: time | None, medications: tuple[MedicationUse, ...], is_line: bool
) -> None:
    patient = facts(ferritin("40", day=at(clock)), tsat("15", day=at(clock)), medications=medications)
    (answer,) = ask("R-12", case(patient))
    assert isinstance(answer, Line) is is_line
    if isinstance(answer, Line):
        assert answer.rank is Rank.SPECIMEN
        assert not answer.makes_warning


def test_r_12_says_when_each_was_drawn_and_what_that_means() -> None:
    patient = facts(ferritin("40", day=at(time(12, 5))), tsat("15", day=at(time(16, 30))), medications=(TABLETS,))
    (text,) = texts("R-12", case(patient))
    assert text == (
        "Drawn at noon or later: ferritin (12:05) and TSAT (16:30); a morning sample is preferred. This does not "
        "invalidate ferritin. Oral iron was on the medication list at the draw: recent intake raises TSAT; a low TSAT "
        "stays valid."
    )


@pytest.mark.parametrize(
    ("clock", "medications", "said"),
    [
        row(
            "R-12",
            "late only",
            time(12, 0),
            (),
            "Drawn at noon or later: TSAT (12:00); a morning sample is preferred. This does not invalidate ferritin.",
        ),
        row(
            "R-12",
            "oral iron only",
            time(8, 0),
            (TABLETS,),
            "Oral iron was on the medication list at the draw: recent intake raises TSAT; a low TSAT stays valid.",
        ),
    ],
)
def test_r_12_names_only_what_was_not_ideal(clock: time, medications: tuple[MedicationUse, ...], said: str) -> None:
    patient = facts(ferritin("40"), tsat("15", day=at(clock)), medications=medications)
    assert texts("R-12", case(patient)) == [said]


def test_r_12_an_unrecorded_fast_is_a_remark_beside_one_value() -> None:
    (remark,) = ask("R-12", case(facts(ferritin("40"), tsat("15"))))
    assert isinstance(remark, Remark)
    assert remark.section == "tsat"
    (alone,) = ask("R-12", case(facts(ferritin("40"))))
    assert isinstance(alone, Remark)
    assert alone.section == "ferritin"


def test_r_12_says_nothing_without_a_usable_result() -> None:
    assert ask("R-12", case(facts(ferritin("40", days_ago=91)))) == ()


@pytest.mark.parametrize(
    ("saturation", "said"),
    [
        row("R-12", "a low TSAT on oral iron stays valid", "15", "a low TSAT stays valid"),
        row("R-12", "TSAT 44.9 is not high", "44.9", "a low TSAT stays valid"),
        row(
            "R-12",
            "a TSAT of 45 is repeated before overload is named",
            "45",
            "repeating it before concluding on iron overload",
        ),
    ],
)
def test_r_12_what_oral_iron_means_for_the_tsat(saturation: str, said: str) -> None:
    patient = facts(ferritin("90"), tsat(saturation), medications=(TABLETS,))
    assert said in texts("R-12", case(patient))[0]


def test_r_12_never_changes_the_class() -> None:
    late = facts(ferritin("40", day=at(time(18))), tsat("15", day=at(time(18))), medications=(TABLETS,))
    assert decide(case(late)).conclusion is decide(case(facts(ferritin("40"), tsat("15")))).conclusion


# ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("iron", "saturation", "analyzer", "is_said"),
    [
        row("R-14", "ferritin 75.1 decides, analyzer unknown", "75.1", "25", "", True),
        row("R-14", "ferritin 75.0 is below the range", "75.0", "25", "", False),
        row("R-14", "ferritin 299.9 decides", "299.9", "25", "", True),
        row("R-14", "ferritin 300.0 is above the range", "300.0", "25", "", False),
        row("R-14", "TSAT 19.9 decides, not ferritin", "150", "19.9", "", False),
        row("R-14", "TSAT 20.0 leaves it to ferritin", "150", "20.0", "", True),
        row("R-14", "a Roche analyzer is named", "90", "25", "roche cobas e801", True),
        row("R-14", "a Beckman analyzer needs no remark", "90", "25", "beckman dxi 800", False),
        row("R-14", "an unrecognised text is an unknown analyzer", "90", "25", "lab method 7", True),
    ],
)
def test_r_14_cutoffs_depend_on_the_assay_where_ferritin_decides(
    iron: str, saturation: str, analyzer: str, is_said: bool
) -> None:
    found = ask("R-14", case(facts(ferritin(iron, analyzer=analyzer), tsat(saturation))))
    assert bool(found) is is_said
    for remark in found:
        assert isinstance(remark, Remark)
        assert remark.section == "ferritin"
        assert ("roche" in remark.text) is ("roche" in analyzer)


def test_r_14_is_silent_without_a_tsat() -> None:
    assert ask("R-14", case(facts(ferritin("150")))) == ()
