"""R-48, R-49, R-50c: which cards appear on which day after an infusion, and what they say and never say."""

import re
from datetime import timedelta

import pytest

from cds_service.clinical.follow_up.interpretation import Stage, find_stage
from cds_service.clinical.model import PatientFacts
from tests.rules.build import TODAY, facts, ferritin, given, hemoglobin, tsat
from tests.rules.opened import cards, look, score, topics, words

DAYS = (0, 1, 3, 6, 7, 8, 14, 15, 20, 21, 41, 42, 55, 56, 84, 85, 180, 183, 190, 210, 365)
RESPONSES = ("responder", "partial", "none", "no score")
IRON = ("low", "normal")
_TOTALS = {"responder": "12", "partial": "24", "none": "30"}


def chart(days: int, response: str, iron: str, mg: str = "1000") -> PatientFacts:
    """1000 mg `days` ago; total 30 before; totals of day 8, day 30 and day 60, and iron studies of today."""
    totals = [score("30", days + 5)]
    if response != "no score":
        totals += [score(_TOTALS[response], days - at) for at in (8, 30, 60) if at <= days]
        totals.append(score(_TOTALS[response], 0)) if days < 60 else None
    low = iron == "low"
    results = (
        ferritin("40" if low else "180", days_ago=0),
        tsat("12" if low else "30", days_ago=0),
        hemoglobin("11.8" if low else "13.9", days_ago=0),
    )
    return facts(*results, dose_records=(given(mg=mg, days_ago=days),), severity=tuple(totals))


# What may never be said on a day, by words, whatever the response and the results.
NO_VERDICT = r"non-?respon|no response|did not respond|fail|incompletely repleted"
FORBIDDEN = (
    (range(8), NO_VERDICT + r"|improve|interim|classif|escalat|increase|higher dose"),
    (range(8, 21), NO_VERDICT + r"|interim response|Classification|Provisional"),
    (range(21, 42), NO_VERDICT.replace("no response", r"\bno response") + r"|Classification|Provisional"),
    (range(42, 56), r"fail|incompletely repleted|(?<!provisional )classification:|final classification"),
    (range(56, 400), r"fail|Provisional|too early to judge"),
)
# What is always said on a day on which a card about the response appears.
REQUIRED = {
    Stage.TOO_EARLY: r"too early to judge",
    Stage.EARLY: r"early improvement|Not yet improved|No severity total since day 8",
    Stage.INTERIM: r"Interim response|No early response|No severity total since day 19",
    Stage.PROVISIONAL: r"Provisional classification|response is not documented",
    Stage.FINAL: r"Classification:|incompletely repleted|response is not documented|Recurrence",
}


def forbidden_on(day: int) -> str:
    return next(pattern for days, pattern in FORBIDDEN if day in days)


@pytest.mark.parametrize("iron", IRON)
@pytest.mark.parametrize("response", RESPONSES)
@pytest.mark.parametrize("day", DAYS)
def test_r_48_each_day_says_what_is_allowed_and_nothing_that_is_forbidden(day: int, response: str, iron: str) -> None:
    patient = chart(day, response, iron)
    said = words(cards(patient))
    assert not re.search(forbidden_on(day), said, re.IGNORECASE), said
    view = look(patient)
    about_response = [topic for topic in view.topics if topic != "iron-candidate"]
    assert not about_response or re.search(REQUIRED[find_stage(day)], said), said


@pytest.mark.parametrize("iron", IRON)
@pytest.mark.parametrize("response", RESPONSES)
@pytest.mark.parametrize("day", [day for day in DAYS if day < 84])
def test_r_40a_a_card_before_the_verdict_names_the_dates_from_which_it_and_a_repeat_are_possible(
    day: int, response: str, iron: str
) -> None:
    found = cards(chart(day, response, iron))
    if not found:
        return
    said, anchor = words(found), TODAY - timedelta(days=day)
    assert f"A repeat course can be considered from {anchor + timedelta(days=84)}" in said
    judged = f"A final judgment of the response is possible from {anchor + timedelta(days=56)}"
    assert (judged in said) == (day < 56)


@pytest.mark.parametrize("response", RESPONSES)
@pytest.mark.parametrize("day", [day for day in DAYS if day >= 84])
def test_r_40a_from_the_day_a_repeat_is_possible_no_card_asks_to_wait_for_it(day: int, response: str) -> None:
    assert "A repeat course can be considered from" not in words(cards(chart(day, response, "low")))


@pytest.mark.parametrize("day", [0, 1, 3, 6, 7, 21, 27])
def test_r_09_r_48_a_ferritin_drawn_too_soon_is_named_as_not_interpretable(day: int) -> None:
    said = words(cards(chart(day, "no score", "low")))
    assert f"Ferritin 40 ng/mL was drawn {day} days after IV iron" in said
    assert "not interpretable before day 28" in said


@pytest.mark.parametrize(
    ("day", "stage"),
    [
        (0, Stage.TOO_EARLY), (7, Stage.TOO_EARLY), (8, Stage.EARLY), (20, Stage.EARLY), (21, Stage.INTERIM),
        (41, Stage.INTERIM), (42, Stage.PROVISIONAL), (55, Stage.PROVISIONAL), (56, Stage.FINAL), (365, Stage.FINAL),
    ],
)  # fmt: skip
def test_r_48_stages_change_on_their_day(day: int, stage: Stage) -> None:
    assert find_stage(day) is stage


# ----------------------------------------------------------------------------------- what the response is called


def interpretation(day: int, response: str, iron: str = "normal", mg: str = "1000"):  # type: ignore[no-untyped-def]
    followed = look(chart(day, response, iron, mg)).followed
    assert followed is not None
    return followed.interpretation


@pytest.mark.parametrize(
    ("day", "response", "iron", "headline"),
    [
        pytest.param(8, "responder", "low", "early improvement", id="R-48 day 8, total fell"),
        pytest.param(8, "none", "low", "not yet improved", id="R-48 day 8, total the same"),
        pytest.param(8, "no score", "low", "no score yet", id="R-48 day 8, no total"),
        pytest.param(21, "responder", "low", "interim response", id="R-48 day 21, total fell by 60 %"),
        pytest.param(21, "partial", "low", "interim response", id="R-48 day 21, total fell by 20 %"),
        pytest.param(21, "none", "low", "no early response", id="R-48 day 21, less than 3 points"),
        pytest.param(42, "responder", "low", "provisional: responder", id="R-48 day 42, responder"),
        pytest.param(42, "none", "low", "provisional: non-responder", id="R-48 day 42, less than 3 points"),
        pytest.param(56, "responder", "low", "responder", id="R-49 day 56, 40 % or more"),
        pytest.param(56, "partial", "low", "partial responder", id="R-49 day 56, 3 points but below 40 %"),
        pytest.param(56, "none", "low", "incompletely repleted", id="R-48 day 56, not improved and still deficient"),
        pytest.param(56, "none", "normal", "non-responder", id="R-49 day 56, not improved and replete"),
        pytest.param(84, "no score", "normal", "response not documented", id="R-49a day 84, no total"),
    ],
)
def test_r_48_r_49_the_response_is_called_by_its_name(day: int, response: str, iron: str, headline: str) -> None:
    assert interpretation(day, response, iron).headline == headline


@pytest.mark.parametrize(
    ("mg", "kilograms", "classified"),
    [("999", None, False), ("1000", None, True), ("850", "60.3", False), ("900", "60.3", True), (None, None, False)],
)
def test_r_48_before_day_56_a_smaller_course_is_not_classified(
    mg: str | None, kilograms: str | None, classified: bool
) -> None:
    from tests.rules.build import weight

    totals = (score("30", 55), score("12", 1))
    results = (weight(kilograms),) if kilograms else ()
    patient = facts(*results, dose_records=(given(mg=mg, days_ago=50),), severity=totals)
    said = words(cards(patient))
    assert ("Provisional classification" in said) == classified
    assert ("no classification before" in said) != classified


@pytest.mark.parametrize(
    ("results", "named"),
    [
        pytest.param((ferritin("75", days_ago=1),), "ferritin 75 ng/mL", id="R-48 ferritin 75"),
        pytest.param((ferritin("75.1", days_ago=1),), "", id="R-48 ferritin 75.1"),
        pytest.param((ferritin("180", days_ago=1), tsat("19.9", days_ago=1)), "TSAT 19.9 %", id="R-48 TSAT 19.9"),
        pytest.param((ferritin("180", days_ago=1), tsat("20", days_ago=1)), "", id="R-48 TSAT 20"),
        pytest.param((hemoglobin("12.4", days_ago=1),), "hemoglobin 12.4 g/dL", id="R-48 hemoglobin 12.4"),
        pytest.param((hemoglobin("12.5", days_ago=1),), "", id="R-48 hemoglobin 12.5"),
        pytest.param((hemoglobin("11", days_ago=50),), "", id="R-48 hemoglobin from before day 28"),
    ],
)
def test_r_48_incompletely_repleted_is_told_from_no_response(results: tuple[object, ...], named: str) -> None:
    totals = (score("30", 75), score("29", 5))
    patient = facts(*results, dose_records=(given(days_ago=70),), severity=totals)  # type: ignore[arg-type]
    said = words(cards(patient))
    assert ("incompletely repleted" in said) == bool(named)
    assert not named or named in said
    assert "fail" not in said


def test_r_48_without_labs_the_score_decides_and_the_tests_are_asked_for() -> None:
    patient = facts(dose_records=(given(days_ago=60),), severity=(score("30", 65), score("12", 4)))
    said = words(cards(patient))
    assert "Classification: response" in said
    assert "Repletion is not known" in said


def test_r_49_without_baseline_the_global_impression_is_asked_for() -> None:
    patient = facts(dose_records=(given(days_ago=9),), severity=(score("20", 0),))
    followed = look(patient).followed
    assert followed is not None
    assert "global impression" in " ".join(followed.interpretation.say)


# ------------------------------------------------------------------------------------------ R-50c: which cards, when

EARLY, DUE, REVIEW, RECURRENCE = "too-early-to-judge", "follow-up-due", "response-review", "recurrence-review"


@pytest.mark.parametrize(
    ("day", "expected"),
    [
        pytest.param(0, [EARLY], id="R-50c day 0"),
        pytest.param(6, [EARLY], id="R-50c day 6"),
        pytest.param(7, [DUE], id="R-50c day 7, first window opens"),
        pytest.param(14, [DUE], id="R-50c day 14"),
        pytest.param(15, [DUE], id="R-50c day 15, overdue"),
        pytest.param(41, [DUE], id="R-50c day 41, two overdue"),
        pytest.param(42, [DUE, REVIEW], id="R-50c day 42, response may be classified"),
        pytest.param(55, [DUE, REVIEW], id="R-50c day 55"),
        pytest.param(56, [DUE, REVIEW], id="R-50c day 56, labs"),
        pytest.param(84, [DUE, REVIEW], id="R-50c day 84"),
        pytest.param(112, [DUE, REVIEW], id="R-50c day 112, overdue for 28 days"),
        pytest.param(113, [REVIEW], id="R-50c day 113, missed"),
        pytest.param(150, [REVIEW], id="R-50c day 150"),
        pytest.param(183, [RECURRENCE, DUE], id="R-50c day 183, three apply"),
        pytest.param(210, [RECURRENCE, DUE], id="R-50c day 210"),
        pytest.param(213, [DUE], id="R-50c day 213, window of month 6 over"),
        pytest.param(245, [], id="R-50c day 245, missed"),
        pytest.param(365, [], id="R-50c day 365"),
        pytest.param(400, [], id="R-50c 13 months and more"),
    ],
)
def test_r_50c_cards_of_a_course_of_which_nothing_is_recorded(day: int, expected: list[str]) -> None:
    assert topics(cards(facts(dose_records=(given(days_ago=day),)), offers_iron_studies=False)) == expected


@pytest.mark.parametrize("day", [0, 3, 6, 7, 8, 20, 41])
def test_r_50c_no_response_review_before_day_42(day: int) -> None:
    assert REVIEW not in topics(cards(chart(day, "responder", "normal")))


def test_r_50c_a_final_classification_with_labs_is_shown_for_four_weeks_and_then_no_more() -> None:
    def asked(days_after_labs: int) -> list[str]:
        days = 70 + days_after_labs
        results = (ferritin("180", days_ago=days_after_labs), tsat("30", days_ago=days_after_labs))
        totals = (score("30", days + 5), score("12", days_after_labs))
        return topics(cards(facts(*results, dose_records=(given(days_ago=days),), severity=totals)))

    assert REVIEW in asked(0)
    assert REVIEW in asked(28)
    assert REVIEW not in asked(29)


@pytest.mark.parametrize(
    ("day", "last_total", "expected"),
    [
        pytest.param(120, "17", True, id="R-48 5 above the best and 15 or more"),
        pytest.param(120, "16.9", False, id="R-48 4.9 above the best"),
        pytest.param(120, "14.9", False, id="R-48 below 15"),
    ],
)
def test_r_48_recurrence_by_score_outside_the_windows(day: int, last_total: str, expected: bool) -> None:
    totals = (score("30", day + 5), score("12", day - 40), score(last_total, 3))
    found = cards(facts(dose_records=(given(days_ago=day),), severity=totals))
    assert (RECURRENCE in topics(found)) == expected
    assert ("symptoms have returned" in words(found)) == expected or not expected


@pytest.mark.parametrize(("day", "applies"), [(183, True), (184, False)])
def test_r_50c_the_response_is_reviewed_until_day_183(day: int, applies: bool) -> None:
    view = look(facts(dose_records=(given(days_ago=day),)))
    assert (REVIEW in (*view.topics, *view.crowded_out)) == applies


@pytest.mark.parametrize(("at", "is_interim"), [(18, False), (19, True)])
def test_r_45_r_48_an_interim_response_needs_a_total_from_the_week_3_window(at: int, is_interim: bool) -> None:
    totals = (score("30", 30), score("20", 25 - at))
    said = words(cards(facts(dose_records=(given(days_ago=25),), severity=totals)))
    assert ("Interim response" in said) == is_interim
    assert ("early improvement" in said) != is_interim
