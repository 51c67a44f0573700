"""R-48, R-49: the sentences that are allowed on each day after a course, and what they rest on."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import pytest

from cds_service.clinical.dates import Day
from cds_service.clinical.follow_up.course import open_chart
from cds_service.clinical.follow_up.interpretation import Interpretation, Stage, describe_latest_score
from cds_service.clinical.model import Impression, Result, SeverityTotal
from tests.rules.build import TODAY, day, facts, ferritin, given, hemoglobin, tsat, weight
from tests.rules.chart import span
from tests.rules.opened import look, score


def row(rule_id: str, words: str, *values: object) -> Any:
    return pytest.param(*values, id=f"{rule_id} {words}")


def on(days: int, *totals: SeverityTotal, results: Sequence[Result] = (), mg: str | None = "1000") -> Interpretation:
    """`days` after the course; the totals are counted in days ago."""
    followed = look(facts(*results, dose_records=(given(mg=mg, days_ago=days),), severity=totals)).followed
    assert followed is not None
    return followed.interpretation


def ago(days: int) -> date:
    return TODAY - timedelta(days=days)


def at(total: str, days_ago: int) -> SeverityTotal:
    return score(total, days_ago)


FROM_56, FROM_84 = "A final judgment of the response is possible from", "A repeat course can be considered from"
NO_BASELINE = "No severity total from the 90 days before the course"
SINCE_8, SINCE_19 = "No severity total since day 8:", "No severity total since day 19:"
EARLY = [
    row("R-48", "day 7", 7, [at("30", 9), at("5", 0)], "too early to judge the response", ["It is too early"]),
    row("R-48", "day 8, no total", 8, [at("30", 9)], "no score yet", [SINCE_8]),
    row("R-49", "day 8, no total and no baseline", 8, [], "no score yet", [SINCE_8, NO_BASELINE]),
    row("R-48", "day 10, a total of day 7 is not interpreted", 10, [at("30", 12), at("9", 3)], "no score yet",
        [SINCE_8]),
    row("R-48", "day 10, a total of day 8 is", 10, [at("30", 12), at("29", 2)], "early improvement",
        ["fell by 1 point (3 %): 30 before the course, 29 on 2026-03-08.", "early improvement"]),
    row("R-49", "day 10, a total without baseline", 10, [at("20", 0)], "score without baseline", [NO_BASELINE]),
    row("R-48", "day 10, the same total", 10, [at("30", 12), at("30", 0)], "not yet improved",
        ["The severity total is the same: 30 before the course, 30 on 2026-03-10.", "Not yet improved"]),
    row("R-48", "day 10, a higher total", 10, [at("30", 12), at("32", 0)], "not yet improved",
        ["rose by 2 points: 30 before the course, 32 on 2026-03-10.", "Not yet improved"]),
    row("R-48", "the latest of several totals counts", 14, [at("30", 16), at("20", 5), at("31", 1), at("25", 6)],
        "not yet improved", ["rose by 1 point", "Not yet improved"]),
    row("R-48", "of one day the lowest total counts", 14, [at("30", 16), at("31", 1), at("29", 1)],
        "early improvement", ["fell by 1 point", "early improvement"]),
    row("R-48", "a total of tomorrow does not count", 14, [at("30", 16), at("12", -1)], "no score yet", [SINCE_8]),
    row("R-08a", "a total dated by a week that begins before day 8 does not count", 14,
        [at("30", 16), replace(at("12", 1), day=span(7, 1))], "no score yet", [SINCE_8]),
    row("R-08a", "a total without date does not count", 14, [at("30", 16), replace(at("12", 1), day=None)],
        "no score yet", [SINCE_8]),
]  # fmt: skip


@pytest.mark.parametrize("flip", [False, True])
@pytest.mark.parametrize(("days", "totals", "headline", "says"), EARLY)
def test_r_48_before_day_21_a_total_is_early_improvement_or_not_yet(
    days: int, totals: list[SeverityTotal], headline: str, says: list[str], flip: bool
) -> None:
    found = on(days, *(totals[::-1] if flip else totals))
    assert (found.stage, found.headline) == (Stage.TOO_EARLY if days < 8 else Stage.EARLY, headline)
    assert_says(found, says)
    assert_waits(found, days)


def assert_says(found: Interpretation, says: Sequence[str]) -> None:
    assert len(found.say) == len(says), found.say
    for part, sentence in zip(says, found.say, strict=True):
        assert part in sentence


def assert_waits(found: Interpretation, days: int) -> None:
    """Both dates are named, each as long as it is ahead; what is undecided is no classification."""
    assert len(found.not_yet) == (days < 56) + (days < 84)
    if days < 56:
        assert (found.is_final_with_labs, found.is_incompletely_repleted) == (False, False)
        assert found.used == found.record.used


INTERIM = [
    row("R-48", "no total at all", [at("30", 32)], "no week-3 score yet", [SINCE_8, SINCE_19]),
    row("R-49", "no total and no baseline", [], "no week-3 score yet", [SINCE_8, NO_BASELINE, SINCE_19]),
    row("R-45", "a total of day 18 is early", [at("30", 32), at("20", 12)], "no week-3 score yet",
        ["fell by 10 points (33 %)", "early improvement", SINCE_19]),
    row("R-45", "a total of day 19 is interim", [at("30", 32), at("20", 11)], "interim response",
        ["fell by 10 points (33 %)", "3 points or more, below 40 %"]),
    row("R-49", "a total without baseline", [at("20", 5)], "score without baseline", [NO_BASELINE]),
    row("R-48", "2.9 points", [at("30", 32), at("27.1", 5)], "no early response",
        ["fell by 2.9 points (9 %)", "No early response"]),
    row("R-48", "half a point", [at("30", 32), at("29.5", 5)], "no early response",
        ["fell by 0.5 points (1 %)", "No early response"]),
    row("R-48", "3 points", [at("30", 32), at("27", 5)], "interim response",
        ["fell by 3 points (10 %)", "3 points or more, below 40 %"]),
    row("R-49", "39.9 % is not shown as 40", [at("30", 32), at("18.02", 5)], "interim response",
        ["fell by 11.98 points (39 %)", "3 points or more, below 40 %"]),
    row("R-49", "40 %", [at("30", 32), at("18", 5)], "interim response", ["fell by 12 points (40 %)",
        "Interim response: 40 % or more."]),
    row("R-48", "worse", [at("30", 32), at("31", 5)], "no early response", ["rose by 1 point:", "No early response"]),
]  # fmt: skip


@pytest.mark.parametrize(("totals", "headline", "says"), INTERIM)
def test_r_48_from_day_21_to_41_the_response_is_interim(
    totals: list[SeverityTotal], headline: str, says: list[str]
) -> None:
    found = on(30, *totals)
    assert (found.stage, found.headline) == (Stage.INTERIM, headline)
    assert_says(found, says)
    assert_waits(found, 30)


@pytest.mark.parametrize(
    ("days", "stage"),
    [
        row("R-48", "day 7", 7, Stage.TOO_EARLY),
        row("R-48", "day 8", 8, Stage.EARLY),
        row("R-48", "day 20", 20, Stage.EARLY),
        row("R-48", "day 21", 21, Stage.INTERIM),
        row("R-48", "day 41", 41, Stage.INTERIM),
        row("R-48", "day 42", 42, Stage.PROVISIONAL),
        row("R-48", "day 55", 55, Stage.PROVISIONAL),
        row("R-48", "day 56", 56, Stage.FINAL),
        row("R-40a", "day 83", 83, Stage.FINAL),
        row("R-40a", "day 84", 84, Stage.FINAL),
    ],
)
def test_r_40a_r_48_each_day_has_its_stage_and_names_the_dates_still_ahead(days: int, stage: Stage) -> None:
    found = on(days, at("30", days + 2), at("20", 0))
    assert found.stage is stage
    expected = [f"{FROM_56} {ago(days - 56)}, not before."] if days < 56 else []
    expected += [f"{FROM_84} {ago(days - 84)}."] if days < 84 else []
    assert list(found.not_yet) == expected


PROVISIONAL = [
    row("R-48", "responder", "1000", [at("30", 52), at("12", 5)], "provisional: responder",
        ["Provisional classification: response (total fell by 40 % or more); severity total 30 before"]),
    row("R-48", "partial", "1000", [at("30", 52), at("27", 5)], "provisional: partial responder",
        ["Provisional classification: partial response (total fell by 3 points or more"]),
    row("R-48", "none", "1000", [at("30", 52), at("29", 5)], "provisional: non-responder",
        ["Provisional classification: no response (total fell by less than 3 points)"]),
    row("R-49a", "no baseline", "1000", [at("12", 5)], "response not documented", ["The response is not documented"]),
    row("R-48", "a smaller course", "999", [at("30", 52), at("12", 5)], "course too small to classify yet",
        [f"The course was 999 mg, less than 1000 mg: no classification before {ago(-6)}."]),
    row("R-48", "amount not recorded", None, [at("30", 52), at("12", 5)], "course too small to classify yet",
        ["The amount given is not fully recorded: no classification before"]),
]  # fmt: skip


@pytest.mark.parametrize(("mg", "totals", "headline", "says"), PROVISIONAL)
def test_r_48_from_day_42_to_55_the_classification_is_provisional(
    mg: str | None, totals: list[SeverityTotal], headline: str, says: list[str]
) -> None:
    found = on(50, *totals, mg=mg)
    assert (found.stage, found.headline) == (Stage.PROVISIONAL, headline)
    assert_says(found, says)
    assert_waits(found, 50)


def test_r_48_the_weight_ceiling_is_an_adequate_course_and_named_where_it_is_missed() -> None:
    totals = (at("30", 52), at("12", 5))
    assert on(50, *totals, mg="900", results=[weight("60")]).headline == "provisional: responder"
    (said,) = on(50, *totals, mg="899.5", results=[weight("60")]).say
    assert said.startswith("The course was 899.5 mg, less than 900 mg")


REPLETE = [ferritin("180", days_ago=1), tsat("30", days_ago=1)]
RESPONDED, UNCHANGED = [at("30", 62), at("12", 5)], [at("30", 62), at("29", 5)]
UNKNOWN = f"Repletion is not known: no ferritin since {ago(32)}"
LOW = [ferritin("60", days_ago=1), tsat("19", days_ago=1), hemoglobin("12.4", days_ago=1)]
ALL_LOW = "ferritin 60 ng/mL (2026-03-09), TSAT 19 % (2026-03-09), hemoglobin 12.4 g/dL (2026-03-09)"
FINAL = [
    row("R-48", "responder, labs", "1000", RESPONDED, REPLETE, "responder", ["Classification: response ("], True),
    row("R-48", "responder without labs", "1000", RESPONDED, [], "responder", ["Classification: response (", UNKNOWN],
        False),
    row("R-48", "responder, still deficient", "1000", RESPONDED, LOW, "responder",
        ["Classification: response ("], True),
    row("R-48", "responder to a smaller course", "500", RESPONDED, REPLETE, "responder",
        ["Classification: response ("], True),
    row("R-48", "non-responder, replete", "1000", UNCHANGED, REPLETE, "non-responder",
        ["Classification: no response ("], True),
    row("R-48", "non-responder to a smaller course, replete", "500", UNCHANGED, REPLETE, "non-responder",
        ["Classification: no response (", "The course was 500 mg, less than 1000 mg: consider whether"], True),
    row("R-48", "non-responder without labs", "500", UNCHANGED, [], "non-responder",
        ["Classification: no response (", "The course was 500 mg", UNKNOWN], False),
    row("R-48", "not improved and deficient", "1000", UNCHANGED, LOW, "incompletely repleted",
        [f"Not improved and incompletely repleted: {ALL_LOW}.", "Consider iron loss or too small an amount"], True),
    row("R-48", "not improved and deficient after a smaller course", "500", UNCHANGED, LOW[1:], "incompletely repleted",
        ["incompletely repleted: TSAT 19 % (2026-03-09), hemoglobin", "Consider iron loss", UNKNOWN], False),
    row("R-49a", "not documented, labs", "1000", [at("12", 5)], REPLETE, "response not documented",
        ["The response is not documented"], False),
    row("R-49a", "not documented, no labs", "500", [], [], "response not documented",
        ["The response is not documented", UNKNOWN], False),
]  # fmt: skip


@pytest.mark.parametrize(("mg", "totals", "results", "headline", "says", "is_final"), FINAL)
def test_r_48_from_day_56_the_classification_is_final_with_labs_and_open_without(
    mg: str, totals: list[SeverityTotal], results: list[Result], headline: str, says: list[str], is_final: bool
) -> None:
    found = on(60, *totals, results=results, mg=mg)
    assert (found.stage, found.headline, found.is_final_with_labs) == (Stage.FINAL, headline, is_final)
    assert found.is_incompletely_repleted is (headline == "incompletely repleted")
    assert_says(found, says)
    assert_waits(found, 60)


def test_r_48_a_final_judgment_names_the_totals_and_the_results_it_rests_on() -> None:
    names = [one.name for one in on(60, *UNCHANGED, results=LOW).used]
    totals = ["baseline severity total", "best severity total", "latest severity total"]
    assert names == [*totals, "ferritin", "TSAT", "hemoglobin"]
    assert [one.name for one in on(60, *UNCHANGED, results=REPLETE).used] == totals


def test_r_49_an_impression_classifies_where_there_is_no_total() -> None:
    impression = Impression(is_responder=False, day=day(5), reference="Observation/cgi")
    patient = facts(*REPLETE, dose_records=(given(days_ago=60),), impressions=(impression,))
    followed = look(patient).followed
    assert followed is not None
    assert followed.interpretation.headline == "non-responder"
    assert_says(followed.interpretation, ["clinician's global impression of 2026-03-05: non-responder."])


@pytest.mark.parametrize(
    ("totals", "expected"),
    [
        row("R-49", "none", [], ""),
        row("R-49", "one", [at("24", 8)], "Latest severity total 24 (severe, 2026-03-02)"),
        row("R-49", "today", [at("24", 0)], "Latest severity total 24 (severe, 2026-03-10)"),
        row("R-49", "the latest", [at("12", 90), at("31", 3), at("20", 40)],
            "Latest severity total 31 (very severe, 2026-03-07)"),
        row("R-49", "of one day the lowest", [at("12", 3), at("8", 3)], "Latest severity total 8 (mild, 2026-03-07)"),
        row("R-49", "tomorrow's does not count", [at("12", 3), at("31", -1)],
            "Latest severity total 12 (moderate, 2026-03-07)"),
        row("R-08a", "one without date does not count", [replace(at("12", 3), day=None)], ""),
        row("R-08a", "a month is as late as its last day", [replace(at("12", 3), day=Day(ago(30), ago(1))), at("9", 2)],
            f"Latest severity total 12 (moderate, {Day(ago(30), ago(1))})"),
    ],
)  # fmt: skip
def test_r_49_the_latest_total_is_told_with_its_band_and_day(totals: list[SeverityTotal], expected: str) -> None:
    for order in (totals, totals[::-1]):
        assert describe_latest_score(open_chart(facts(severity=tuple(order)), TODAY)) == expected
