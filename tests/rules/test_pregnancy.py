"""R-20a to R-20e: who counts as pregnant and for how long, how far along, and what follows for the order."""

from dataclasses import replace
from datetime import date, time, timedelta
from itertools import permutations
from typing import Any

import pytest

from cds_service.clinical import pregnancy
from cds_service.clinical.dates import Day
from cds_service.clinical.model import (
    Conclusion,
    Ingredient,
    Line,
    PatientFacts,
    PregnancyEvidence,
    PregnancySource,
    Rank,
)
from cds_service.clinical.pregnancy import PregnancyState, Stage
from tests.rules.ask import ask, texts, verdict
from tests.rules.build import RLS, TODAY, case, condition, day, decide, facts, ferritin, order, tsat
from tests.rules.gestation import at, due_in, entry, evidence, gestation, last_period, problem, status, woman

EARLY, LATER, UNKNOWN = Stage.EARLY, Stage.LATER, Stage.UNKNOWN


def row(rule_id: str, words: str, *values: object) -> object:
    return pytest.param(*values, id=f"{rule_id} {words}")


def assess(*stated: PregnancyEvidence) -> PregnancyState:
    return pregnancy.assess(woman(*stated), TODAY)


# ---------------------------------------------------------------------------------------- R-20d: who counts as pregnant

COUNTS = [
    row("R-20d", "nothing on record", (), False),
    row("R-20d", "status pregnant today", (status(0),), True),
    row("R-20d", "status 300 days old", (status(300),), True),
    row("R-20d", "status 301 days old", (status(301),), False),
    row("R-20d", "status of tomorrow is ignored", (status(-1),), False),
    row("R-20d", "undated status says nothing", (status(None),), False),
    row("R-20d", "status not pregnant", (status(3, False),), False),
    row("R-20d", "condition 300 days old", (problem(300),), True),
    row("R-20d", "condition 301 days old", (problem(301),), False),
    row("R-20d", "undated condition", (problem(None),), True),
    row("R-20d", "condition dated tomorrow stands", (problem(-1),), True),
    row("R-20d", "condition of a month that reaches 300 days", (problem(Day(day(310).first, day(300).last)),), True),
    row("R-20d", "condition of a month before", (problem(Day(day(331).first, day(301).last)),), False),
    row("R-20d", "280 days before delivery", (due_in(280),), True),
    row("R-20d", "281 days before delivery", (due_in(281),), False),
    row("R-20d", "day of delivery", (due_in(0),), True),
    row("R-20d", "14 days after the delivery date", (due_in(-14),), True),
    row("R-20d", "15 days after the delivery date", (due_in(-15),), False),
    row("R-20d", "delivery date stated 300 days ago", (due_in(-14, 300),), True),
    row("R-20d", "delivery date stated 301 days ago", (due_in(-14, 301),), False),
    row("R-20d", "delivery date stated tomorrow is ignored", (due_in(100, -1),), False),
    row("R-20d", "undated delivery date is dated by itself", (due_in(100, None),), True),
    row("R-20d", "delivery date without value", (evidence(PregnancySource.DELIVERY_DATE, 5),), False),
    row("R-20d", "a gestational age alone is no statement of pregnancy", (gestation(90),), False),
    row("R-20d", "a last period alone is no statement of pregnancy", (last_period(40),), False),
    # a newer "not pregnant" cancels
    row("R-20d", "newer not pregnant cancels a status", (status(20), status(10, False)), False),
    row("R-20d", "older not pregnant does not", (status(10), status(20, False)), True),
    row("R-20d", "not pregnant of the same day does not", (status(10), status(10, False)), True),
    row("R-20d", "later on the same day cancels", (status(at(time(9))), status(at(time(9, 1)), False)), False),
    row("R-20d", "earlier on the same day does not", (status(at(time(9, 1))), status(at(time(9)), False)), True),
    row("R-20d", "at the same minute does not", (status(at(time(9))), status(at(time(9)), False)), True),
    row("R-20d", "one clock time alone does not order a day", (status(5), status(at(time(9)), False)), True),
    row("R-20d", "newer not pregnant cancels a condition", (problem(20), status(10, False)), False),
    row("R-20d", "newer not pregnant cancels a delivery date", (due_in(100, 20), status(10, False)), False),
    row("R-20d", "an undated condition is not known to be older", (problem(None), status(0, False)), True),
    row("R-20d", "undated not pregnant cancels nothing", (status(20), status(None, False)), True),
    row("R-20d", "not pregnant of tomorrow cancels nothing", (status(20), status(-1, False)), True),
    row(
        "R-20d",
        "not pregnant within the month stated",
        (problem(Day(day(30).first, day(5).last)), status(10, False)),
        True,
    ),
    row("R-20d", "pregnant again after not pregnant", (status(50), status(30, False), status(5)), True),
]


@pytest.mark.parametrize(("stated", "expected"), COUNTS)
def test_r_20d_who_counts_as_pregnant(stated: tuple[PregnancyEvidence, ...], expected: bool) -> None:
    for arranged in permutations(stated):
        assert assess(*arranged).is_pregnant == expected


@pytest.mark.parametrize(
    "stated",
    [
        row("R-20d", "by day", (status(5), problem(60), due_in(100, 200))),
        row("R-20d", "by the clock within a day", (status(at(time(9, 30))), status(at(time(9))), status(5))),
        row("R-20d", "undated as the oldest", (status(290), problem(None))),
    ],
)
def test_r_20d_the_newest_evidence_comes_first(stated: tuple[PregnancyEvidence, ...]) -> None:
    for arranged in permutations(stated):
        assert assess(*arranged).current == stated


@pytest.mark.parametrize(
    "stated",
    [
        row("R-20e", "two trimesters of one entry", (problem(5, 1), problem(5, 2))),
        row("R-20e", "a trimester and none of one entry", (problem(5), problem(5, 1))),
        row("R-20e", "two delivery dates of one observation", (due_in(100, 5), due_in(120, 5))),
    ],
)
def test_r_20e_statements_of_one_resource_have_one_order(stated: tuple[PregnancyEvidence, ...]) -> None:
    assert assess(*stated) == assess(*stated[::-1])


LAPSED = [
    row("R-20d", "condition of 300 days still counts", (problem(300),), 0),
    row("R-20d", "condition of 301 days gives a line", (problem(301),), 1),
    row("R-20d", "status of 301 days gives a line", (status(301),), 1),
    row("R-20d", "cancelled condition gives none", (problem(400), status(350, False)), 0),
    row("R-20d", "lapsed beside a current status gives none", (problem(400), status(5)), 0),
    row("R-20d", "a delivery date long past gives none", (due_in(-100, 301),), 0),
]


@pytest.mark.parametrize(("stated", "count"), LAPSED)
def test_r_20d_evidence_older_than_300_days_only_gives_a_line(
    stated: tuple[PregnancyEvidence, ...], count: int
) -> None:
    chart = case(woman(*stated))
    found = [text for text in texts("R-20d", chart) if "not counted" in text]
    assert len(found) == count
    if found:
        assert "2025-05-13" in found[0] and "correct the record" in found[0]
        assert decide(chart).conclusion is Conclusion.INDICATED_STRONG


# ---------------------------------------------------------------------------------------- R-20e: gestational age

AGES = [
    row("R-20e", "no source", (), UNKNOWN, None),
    row("R-20e", "delivery in 183 days: day 97", (due_in(183),), EARLY, 97),
    row("R-20e", "delivery in 182 days: day 98", (due_in(182),), LATER, 98),
    row("R-20e", "delivery in 280 days: day 0", (due_in(280),), EARLY, 0),
    row("R-20e", "delivery in 281 days is no source", (due_in(281),), UNKNOWN, None),
    row("R-20e", "28 days after the delivery date: day 308", (due_in(-28),), LATER, 308),
    row("R-20e", "29 days after the delivery date is no source", (due_in(-29),), UNKNOWN, None),
    row("R-20e", "recorded day 97 today", (gestation(97),), EARLY, 97),
    row("R-20e", "recorded day 98 today", (gestation(98),), LATER, 98),
    row("R-20e", "recorded day 87, ten days ago", (gestation(87, 10),), EARLY, 97),
    row("R-20e", "recorded day 88, ten days ago", (gestation(88, 10),), LATER, 98),
    row("R-20e", "recorded and grown to day 308", (gestation(8, 300),), LATER, 308),
    row("R-20e", "recorded and grown beyond 308 is no source", (gestation(9, 300),), UNKNOWN, None),
    row("R-20e", "negative is no source", (gestation(-1),), UNKNOWN, None),
    row("R-20e", "undated gestational age is no source", (gestation(90, None),), UNKNOWN, None),
    row("R-20e", "gestational age of tomorrow is ignored", (gestation(90, -1),), UNKNOWN, None),
    row(
        "R-20e",
        "gestational age of a vague day is no source",
        (gestation(90, Day(day(9).first, day(1).last)),),
        UNKNOWN,
        None,
    ),
    row("R-20e", "gestational age without a value", (evidence(PregnancySource.GESTATIONAL_AGE, 3),), UNKNOWN, None),
    row("R-20e", "last period 97 days ago", (last_period(97),), EARLY, 97),
    row("R-20e", "last period 98 days ago", (last_period(98),), LATER, 98),
    row("R-20e", "last period 308 days ago", (last_period(308),), LATER, 308),
    row("R-20e", "last period 309 days ago is no source", (last_period(309),), UNKNOWN, None),
    row("R-20e", "last period today", (last_period(0, 0),), EARLY, 0),
    row("R-20e", "last period without a date", (evidence(PregnancySource.LAST_PERIOD, 3),), UNKNOWN, None),
    # first source that exists
    row("R-20e", "delivery date before recorded age", (due_in(183), gestation(150)), EARLY, 97),
    row("R-20e", "delivery date before last period", (due_in(183), last_period(150)), EARLY, 97),
    row("R-20e", "recorded age before last period", (gestation(97), last_period(150)), EARLY, 97),
    row("R-20e", "out of range: the next source", (due_in(281), gestation(97)), EARLY, 97),
    row("R-20e", "two out of range: the last period", (due_in(-29), gestation(309), last_period(97)), EARLY, 97),
    row("R-20e", "dates before a coded trimester", (last_period(97), problem(5, 2)), EARLY, 97),
    row("R-20e", "newest of two delivery dates", (due_in(183, 20), due_in(150, 5)), LATER, 130),
    row("R-20e", "newest delivery date out of range: the older", (due_in(183, 20), due_in(281, 5)), EARLY, 97),
    row("R-20e", "of one day the younger age", (due_in(183, 5), due_in(182, 5)), EARLY, 97),
    row("R-20e", "undated delivery date counts as the oldest", (due_in(100, None), due_in(183, 5)), EARLY, 97),
    # coded trimester
    row("R-20e", "second trimester", (problem(5, 2),), LATER, None),
    row("R-20e", "third trimester", (problem(5, 3),), LATER, None),
    row("R-20e", "first trimester, 97 days old", (problem(97, 1),), EARLY, None),
    row("R-20e", "first trimester, 98 days old", (problem(98, 1),), LATER, None),
    row("R-20e", "first trimester, undated", (problem(None, 1),), EARLY, None),
    row("R-20e", "pregnancy without trimester", (problem(5),), UNKNOWN, None),
    row("R-20e", "newest coded trimester", (problem(60, 1), problem(5, 2)), LATER, None),
    row("R-20e", "newest coded trimester is the first", (problem(60, 2), problem(5, 1)), EARLY, None),
    row("R-20e", "of one day the earlier stage", (problem(5, 2), problem(5, 1)), EARLY, None),
    row("R-20e", "undated first trimester may be the newest", (problem(5, 2), problem(None, 1)), EARLY, None),
    row("R-20e", "undated second trimester may be older", (problem(5, 1), problem(None, 2)), EARLY, None),
    row("R-20e", "a trimester of a lapsed entry is none", (problem(301, 2),), UNKNOWN, None),
    # dating of a pregnancy that ended
    row("R-20e", "dated before a not pregnant", (due_in(100, 60), status(50, False)), UNKNOWN, None),
    row("R-20e", "coded before a not pregnant", (problem(60, 2), status(50, False)), UNKNOWN, None),
]


@pytest.mark.parametrize(("stated", "stage", "age_days"), AGES)
def test_r_20e_gestational_age_by_the_first_source_that_exists(
    stated: tuple[PregnancyEvidence, ...], stage: Stage, age_days: int | None
) -> None:
    for arranged in permutations((status(1), *stated)):
        state = assess(*arranged)
        assert (state.stage, state.age_days) == (stage, age_days)


def test_r_20e_not_pregnant_has_no_stage_and_no_age() -> None:
    state = assess(due_in(100, 60), status(50, False), gestation(90, 55))
    assert (state.is_pregnant, state.stage, state.age_days) == (False, None, None)


def test_r_20e_two_values_of_one_observation_do_not_depend_on_their_order() -> None:
    one, other = due_in(120, 5), due_in(100, 5)
    assert one.reference == other.reference
    assert assess(one, other) == assess(other, one)
    assert assess(one, other).age_days == 160
    assert assess(one, one).age_days == 160


@pytest.mark.parametrize(
    ("stated", "reached"),
    [
        row("R-20e", "day 97: tomorrow", (due_in(183),), TODAY + timedelta(days=1)),
        row("R-20e", "day 70: in four weeks", (gestation(70),), TODAY + timedelta(days=28)),
        row("R-20e", "day 98: reached", (gestation(98),), None),
        row("R-20e", "coded trimester: not known", (problem(5, 1),), None),
        row("R-20e", "no source: not known", (), None),
    ],
)
def test_r_20e_the_date_on_which_14_weeks_are_reached(
    stated: tuple[PregnancyEvidence, ...], reached: date | None
) -> None:
    assert assess(status(1), *stated).reaches_14_weeks_on == reached


# ------------------------------------------------------------------------------------------ R-20a, R-20b, R-20c

CLASSES = [
    row("R-20a", "13w6d is contraindicated", (due_in(183),), Conclusion.CONTRAINDICATED),
    row("R-20b", "14w0d is capped", (due_in(182),), Conclusion.MAY_BENEFIT),
    row("R-20c", "unknown age asks for it", (status(1),), Conclusion.INSUFFICIENT_DATA),
    row("R-20a", "first trimester coded is contraindicated", (problem(97, 1),), Conclusion.CONTRAINDICATED),
    row("R-20b", "first trimester coded 98 days ago is capped", (problem(98, 1),), Conclusion.MAY_BENEFIT),
    row("R-20b", "third trimester is capped", (problem(20, 3),), Conclusion.MAY_BENEFIT),
    row("R-20d", "lapsed changes nothing", (problem(301, 1),), Conclusion.INDICATED_STRONG),
    row("R-20d", "not pregnant changes nothing", (status(1, False),), Conclusion.INDICATED_STRONG),
]


@pytest.mark.parametrize(("stated", "expected"), CLASSES)
@pytest.mark.parametrize("sex", ["female", "male", "other", None])
def test_r_20_class_by_gestational_age_whatever_the_recorded_sex(
    stated: tuple[PregnancyEvidence, ...], expected: Conclusion, sex: str | None
) -> None:
    assert decide(case(woman(*stated, sex=sex))).conclusion is expected


def test_r_20a_is_judged_on_the_hook_date_not_on_the_planned_date() -> None:
    later = order(Ingredient.FCM, "750", planned=(day(-30),))
    assert decide(case(woman(due_in(183)), later)).conclusion is Conclusion.CONTRAINDICATED


def test_r_20a_says_first_trimester_oral_iron_obstetrics_and_the_date() -> None:
    found = verdict("R-20a", case(woman(status(7), due_in(210, 7))))
    assert found is not None
    said = " ".join(found.say)
    for part in ("First trimester", "10w0d", "oral iron", "obstetrics", "14w0d is reached on 2026-04-07", "2026-10-06"):
        assert part in said
    assert [(used.name, used.shown) for used in found.used] == [("pregnancy", "pregnant"), ("gestational age", "10w0d")]


@pytest.mark.parametrize(
    ("stated", "said"),
    [
        row("R-20a", "by status and delivery date", (status(7), due_in(210, 7)),
            "First trimester: pregnant (pregnancy status, recorded 2026-03-03), gestational age 10w0d today "
            "(from the delivery date 2026-10-06, recorded 2026-03-03)."),
        row("R-20a", "by an undated entry", (problem(None, 1),),
            "First trimester: pregnant (problem list, undated), before 14w0d, going by a coded first trimester "
            "(problem list, undated); please record the exact gestational age."),
    ],
)  # fmt: skip
def test_r_20a_says_by_which_record_and_of_which_day(stated: tuple[PregnancyEvidence, ...], said: str) -> None:
    found = verdict("R-20a", case(woman(*stated)))
    assert found is not None and found.say[0] == said


def test_r_20a_where_no_iron_is_advised_obstetrics_is_named_alone() -> None:
    found = verdict("R-20a", case(woman(due_in(210), conditions=(RLS, condition("iron-overload")))))
    assert found is not None and found.say[1] == "Consider asking obstetrics."


@pytest.mark.parametrize(
    ("patient", "is_named"),
    [
        row("R-20a", "low ferritin", woman(due_in(210)), True),
        row("R-20a", "no ferritin", facts(pregnancy=(due_in(210),)), True),
        row("R-20a", "iron overload", woman(due_in(210), conditions=(RLS, condition("iron-overload"))), False),
        row("R-20a", "sepsis", woman(due_in(210), conditions=(RLS, condition("systemic-infection"))), False),
        row("R-20a", "TSAT 45", facts(ferritin("22"), tsat("45"), pregnancy=(due_in(210),)), False),
        row("R-20a", "ferritin 300", facts(ferritin("300"), tsat("30"), pregnancy=(due_in(210),)), False),
        row("R-20a", "ferritin 299.9", facts(ferritin("299.9"), tsat("15"), pregnancy=(due_in(210),)), True),
    ],
)
def test_r_20a_names_no_oral_iron_where_no_iron_at_all_is_advised(patient: PatientFacts, is_named: bool) -> None:
    found = verdict("R-20a", case(patient))
    assert found is not None
    assert ("oral iron" in " ".join(found.say)) is is_named


def test_r_20a_a_coded_first_trimester_asks_for_the_exact_age() -> None:
    found = verdict("R-20a", case(woman(problem(20, 1))))
    assert found is not None
    assert "exact gestational age" in found.say[0]
    assert not any("14w0d is reached" in sentence for sentence in found.say)
    assert found.used[1].shown == "before 14w0d"


@pytest.mark.parametrize(
    ("changes", "more", "is_said"),
    [
        row("R-20a", "provisional", {"verification_status": "provisional"}, (), True),
        row("R-20a", "confirmed", {"verification_status": "confirmed"}, (), False),
        row("R-20a", "unconfirmed beside a status", {"verification_status": "unconfirmed"}, (status(3),), False),
    ],
)
def test_r_20a_an_unconfirmed_pregnancy_is_called_so(
    changes: dict[str, Any], more: tuple[PregnancyEvidence, ...], is_said: bool
) -> None:
    listed = replace(problem(5, 1), reference="Condition/p")
    chart = case(woman(listed, *more, conditions=(RLS, entry(day(5), **changes))))
    found = verdict("R-20a", chart)
    assert found is not None and ("unconfirmed" in found.say[0]) == is_said


def test_r_20b_line_names_obstetrics_monitoring_and_weight_and_is_never_dropped() -> None:
    chart = case(woman(due_in(126)))
    (line,) = (answer for answer in ask("R-20b (text)", chart) if isinstance(answer, Line))
    for part in ("22w0d", "obstetrics", "fetal bradycardia", "monitoring", "weight before pregnancy"):
        assert part in line.text
    assert line.rank is Rank.PREGNANCY and not line.makes_warning
    assert ask("R-20b (text)", case(woman(due_in(183)))) == ask("R-20b (text)", case(woman())) == ()


def test_r_20b_a_first_trimester_entry_of_long_ago_asks_for_the_exact_age() -> None:
    assert "exact gestational age" in texts("R-20b (text)", case(woman(problem(98, 1))))[0]
    assert "exact gestational age" not in texts("R-20b (text)", case(woman(problem(98, 2))))[0]


def test_r_20c_asks_for_the_age_and_offers_no_test() -> None:
    found = verdict("R-20c", case(woman(status(1))))
    assert found is not None and found.offer_tests == ()
    assert found.headline == "gestational age needed" and "delivery date" in found.say[1]
    assert decide(case(woman(status(1)))).verdicts[0][1].offer_tests == ()


def test_r_20c_names_missing_results_too() -> None:
    decision = decide(case(facts(tsat("12"), pregnancy=(status(1),))))
    assert {rule.id for rule, _ in decision.verdicts} >= {"R-20c", "R-26c"}
    assert "ferritin" in decision.offered_tests
