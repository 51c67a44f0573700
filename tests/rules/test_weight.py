"""The weight a dose is based on: the latest actual one, in pregnancy the one before it (R-08, R-08b)."""

from datetime import timedelta
from decimal import Decimal
from types import SimpleNamespace
from typing import Any

import pytest

from cds_service.clinical.interval import Interval
from cds_service.clinical.model import RejectedBecause, Result
from cds_service.clinical.reading import Reading, SetAsideKind
from cds_service.clinical.results import read_weight
from tests.rules.build import TODAY, rejected, weight
from tests.rules.chart import chart, dose, kinds, lying, shown, span

AGE = 140  # days of gestation on the hook date: the pregnancy began 140 days ago


def weight_of(*results: Result, **changes: Any) -> Reading:
    return read_weight(chart(*results, **changes))


def in_pregnancy(*results: Result, age_days: int | None = AGE, **changes: Any) -> Reading:
    return weight_of(*results, pregnancy=SimpleNamespace(is_pregnant=True, age_days=age_days), **changes)


@pytest.mark.parametrize(
    ("days_ago", "kind"),
    [
        pytest.param(0, None, id="R-08 weighed today"),
        pytest.param(180, None, id="R-08 day 180 is valid"),
        pytest.param(181, SetAsideKind.STALE, id="R-08 day 181 is stale"),
        pytest.param(-1, SetAsideKind.FUTURE, id="R-08 tomorrow is ignored"),
    ],
)
def test_r_08_a_weight_counts_for_180_days(days_ago: int, kind: SetAsideKind | None) -> None:
    assert kinds(weight_of(weight("70", days_ago=days_ago))) == ([] if kind is None else [kind])


@pytest.mark.parametrize(
    ("method", "dialysis", "is_usable", "caution"),
    [
        pytest.param("measured", False, True, "", id="R-08b measured"),
        pytest.param("", False, True, "", id="R-08b method not recorded"),
        pytest.param("stated", False, True, "stated by the patient, not measured", id="R-08b stated: say so"),
        pytest.param("dry", True, True, "dry weight", id="R-08b dry weight in dialysis"),
        pytest.param("dry", False, False, "", id="R-08b dry weight outside dialysis"),
        pytest.param("measured", True, True, "", id="R-08b measured in dialysis"),
        pytest.param("pre-pregnancy", False, False, "", id="R-08b pre-pregnancy weight outside pregnancy"),
        pytest.param("goal", False, False, "", id="R-08b never a goal weight"),
        pytest.param("birth", True, False, "", id="R-08b never a birth weight"),
    ],
)
def test_r_08b_only_actual_weights_count(method: str, dialysis: bool, is_usable: bool, caution: str) -> None:
    reading = weight_of(weight("70", method=method), is_in_dialysis=dialysis)
    assert kinds(reading) == ([] if is_usable else [SetAsideKind.OTHER_KIND])
    assert reading.caution == caution


@pytest.mark.parametrize(
    ("results", "expected"),
    [
        pytest.param([weight("70", days_ago=9), weight("80", days_ago=10)], "70", id="R-08b the latest"),
        pytest.param(
            [weight("70", days_ago=9, method="stated"), weight("80", days_ago=10)], "70", id="R-08b the latest, stated"
        ),
        pytest.param([weight("70"), weight("80")], "70", id="R-13 tie: the lower weight"),
        pytest.param([weight("70"), weight("60", method="stated")], "60", id="R-13 tie of two kinds: the lower weight"),
        pytest.param(
            [weight("70"), rejected("body-weight", method="measured")], None, id="R-13a a newer one without unit"
        ),
        pytest.param(
            [weight("70", days_ago=4), rejected("body-weight", RejectedBecause.IMPLAUSIBLE, method="measured")],
            "70",
            id="R-13a an older one, implausible",
        ),
        pytest.param(
            [lying(weight, Interval(Decimal(150), None))], None, id="R-10 above 150 kg is no weight to dose on"
        ),
        pytest.param([weight("70", day=span(60, 30))], "70", id="R-08a a partial date within the window"),
        pytest.param([weight("70", day=span(190, 170))], None, id="R-08a a partial date across its end"),
    ],
)
def test_r_08b_the_latest_usable_weight_is_taken(results: list[Result], expected: str | None) -> None:
    assert shown(weight_of(*results)) == expected
    assert shown(weight_of(*results[::-1])) == expected


@pytest.mark.parametrize(
    ("results", "unavailable", "words"),
    [
        pytest.param([], {}, "no body weight in the data provided", id="R-08b never weighed"),
        pytest.param([], {"weight": "failed"}, "body weight could not be obtained", id="3.1 query failed"),
        pytest.param(
            [weight("70", days_ago=181)], {}, "last body weight 2025-09-10 is 181 days old (limit 180)", id="R-08 stale"
        ),
        pytest.param(
            [weight("70", method="goal")],
            {},
            "last body weight 2026-02-18 is no weight to dose on (goal)",
            id="R-08b goal only",
        ),
    ],
)
def test_r_08b_a_missing_weight_says_why(results: list[Result], unavailable: dict[str, str], words: str) -> None:
    reading = weight_of(*results, unavailable=unavailable)
    assert reading.why_missing.replace("\u2063", "") == words


def test_r_08b_doses_do_not_matter() -> None:
    assert weight_of(weight("70"), doses=[dose(10)]).is_usable


# ------------------------------------------------------------------------------------------------------- pregnancy


@pytest.mark.parametrize(
    ("results", "expected", "caution"),
    [
        pytest.param(
            [weight("60", method="pre-pregnancy"), weight("70"), weight("65", days_ago=AGE + 5)],
            "60",
            "recorded weight before the pregnancy",
            id="R-08b recorded pre-pregnancy weight first",
        ),
        pytest.param(
            [weight("70"), weight("65", days_ago=AGE + 5), weight("50", days_ago=AGE + 9)],
            "65",
            "last weight before the pregnancy",
            id="R-08b else the last weight before it",
        ),
        pytest.param(
            [weight("65", days_ago=AGE + 1)],
            "65",
            "last weight before the pregnancy",
            id="R-08b the day before it began",
        ),
        pytest.param([weight("65", days_ago=AGE)], None, "", id="R-08b the day it began"),
        pytest.param(
            [weight("65", days_ago=AGE + 365)], "65", "last weight before the pregnancy", id="R-08b 365 days before it"
        ),
        pytest.param([weight("65", days_ago=AGE + 366)], None, "", id="R-08b 366 days before it"),
        pytest.param([weight("70")], None, "", id="R-08b weighed in pregnancy only"),
        pytest.param([], None, "", id="R-08b never weighed"),
        pytest.param([weight("65", days_ago=AGE + 5, method="dry")], None, "", id="R-08b dry weight outside dialysis"),
        pytest.param(
            [weight("60", method="pre-pregnancy", days_ago=AGE + 365)],
            "60",
            "recorded weight before the pregnancy",
            id="R-08b recorded within a year before it",
        ),
        pytest.param(
            [weight("60", method="pre-pregnancy", days_ago=AGE + 366)],
            None,
            "",
            id="R-08b recorded earlier: another pregnancy",
        ),
        pytest.param([weight("60", method="pre-pregnancy", day=None)], None, "", id="R-08b recorded without date"),
        pytest.param(
            [rejected("body-weight", method="pre-pregnancy"), weight("65", days_ago=AGE + 5)],
            "65",
            "last weight before the pregnancy",
            id="R-08b recorded one unreadable: the last before it",
        ),
    ],
)
def test_r_08b_in_pregnancy_the_weight_before_it_counts(
    results: list[Result], expected: str | None, caution: str
) -> None:
    for order in (results, results[::-1]):
        reading = in_pregnancy(*order)
        assert (shown(reading), reading.caution) == (expected, caution)
        assert reading.why_missing == ("" if expected else "pre-pregnancy weight needed")


@pytest.mark.parametrize(
    ("results", "expected"),
    [
        pytest.param([weight("60", method="pre-pregnancy", days_ago=300)], "60", id="R-08b recorded 300 days ago"),
        pytest.param([weight("60", method="pre-pregnancy", days_ago=301)], None, id="R-08b recorded 301 days ago"),
        pytest.param([weight("65", days_ago=320)], None, id="R-08b may have been weighed in pregnancy or long before"),
    ],
)
def test_r_08b_with_unknown_gestational_age_only_a_recorded_weight_counts(
    results: list[Result], expected: str | None
) -> None:
    assert shown(in_pregnancy(*results, age_days=None)) == expected


def test_r_08b_the_reading_tells_the_day_of_the_weight() -> None:
    assert in_pregnancy(weight("65", days_ago=AGE + 5)).day == TODAY - timedelta(days=AGE + 5)


SET_ASIDE = [
    pytest.param(
        weight("65", days_ago=400),
        None,
        (SetAsideKind.OTHER_KIND, "may have been taken in pregnancy"),
        id="R-08b weighed at any time, age not known",
    ),
    pytest.param(
        weight("65", days_ago=AGE),
        AGE,
        (SetAsideKind.OTHER_KIND, "was taken in pregnancy"),
        id="R-08b weighed on the day it began",
    ),
    pytest.param(
        weight("65", days_ago=AGE + 366),
        AGE,
        (SetAsideKind.STALE, "was taken 366 days before the pregnancy began (limit 365)"),
        id="R-08b weighed 366 days before it began",
    ),
    pytest.param(
        weight("65", day=span(AGE + 6, AGE - 6)),
        AGE,
        (
            SetAsideKind.IMPRECISE,
            "is dated 2025-10-15 to 2025-10-27 only, too vague to tell whether it counts",
        ),
        id="R-08a weighed on a day near its beginning",
    ),
    pytest.param(weight("65", method="goal"), AGE, (SetAsideKind.OTHER_KIND, "is no weight to dose on (goal)"),
        id="R-08b a goal weight"),
]  # fmt: skip


@pytest.mark.parametrize(("result", "age_days", "expected"), SET_ASIDE)
def test_r_08b_a_weight_that_does_not_count_in_pregnancy_is_set_aside_with_the_reason(
    result: Result, age_days: int | None, expected: tuple[SetAsideKind, str]
) -> None:
    reading = in_pregnancy(result, age_days=age_days)
    assert [(one.kind, one.why) for one in reading.set_aside] == [expected]


@pytest.mark.parametrize(
    ("result", "caution"),
    [
        pytest.param(
            weight("65", method="dry", days_ago=AGE + 5),
            "last weight before the pregnancy",
            id="R-08b dry weight from before it, in dialysis",
        ),
        pytest.param(
            weight("65", day=span(AGE + 30, AGE + 1)),
            "last weight before the pregnancy",
            id="R-08a weighed in a month before it",
        ),
        pytest.param(
            weight("65", method="pre-pregnancy", day=span(60, 31)),
            "recorded weight before the pregnancy",
            id="R-08a recorded in a month of it",
        ),
    ],
)
def test_r_08b_in_dialysis_and_with_a_partial_date_the_weight_before_pregnancy_counts(
    result: Result, caution: str
) -> None:
    reading = in_pregnancy(result, is_in_dialysis=True)
    assert (shown(reading), reading.caution) == ("65", caution)
