"""R-09, R-48: which results tell whether a course refilled the stores, and which are only named as not readable."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest

from cds_service.clinical.case import Case
from cds_service.clinical.follow_up.course import Course, find_course, open_chart
from cds_service.clinical.follow_up.repletion import find_deficits, find_latest_draw, is_drawn_since, name_blackout
from cds_service.clinical.interval import Interval
from cds_service.clinical.model import Ingredient, Result
from tests.rules.build import TODAY, facts, ferritin, given, hemoglobin, rejected, tsat
from tests.rules.chart import lying, span

DAYS = 100  # since the course; results can be read from 72 days ago on


def row(rule_id: str, words: str, *values: object) -> Any:
    return pytest.param(*values, id=f"{rule_id} {words}")


def charted(*results: Result, days: int = DAYS) -> tuple[Case, Course]:
    case = open_chart(facts(*results, dose_records=(given(days_ago=days),)), TODAY)
    course = find_course(case)
    assert course is not None
    return case, course


@pytest.mark.parametrize(
    ("results", "days_ago"),
    [
        row("R-09", "drawn on day 27", [ferritin("90", days_ago=73)], None),
        row("R-09", "drawn on day 28", [ferritin("90", days_ago=72)], 72),
        row("R-48", "drawn today", [ferritin("90", days_ago=0)], 0),
        row("R-08", "dated tomorrow", [ferritin("90", days_ago=-1)], None),
        row("R-48", "drawn before the course", [ferritin("90", days_ago=130)], None),
        row("R-48", "the latest of several", [ferritin("90", days_ago=60), ferritin("95", days_ago=5)], 5),
        row("R-07", "corrected", [ferritin("90", days_ago=5, status="corrected")], 5),
        row("R-07", "preliminary", [ferritin("90", days_ago=5, status="preliminary")], None),
        row("R-08a", "without a date", [ferritin("90", day=None)], None),
        row("R-05", "in an unknown unit", [rejected("ferritin")], None),
        row("R-08a", "within a month that begins on day 28", [ferritin("90", day=span(72, 42))], 42),
        row("R-08a", "within a month that begins on day 27", [ferritin("90", day=span(73, 43))], None),
        row("R-48", "no ferritin, but a TSAT", [tsat("30", days_ago=5)], None),
    ],
)
def test_r_48_repletion_is_known_from_a_ferritin_that_can_be_read(results: list[Result], days_ago: int | None) -> None:
    case, course = charted(*results)
    expected = None if days_ago is None else TODAY - timedelta(days=days_ago)
    assert find_latest_draw(case, course) == expected
    assert is_drawn_since(case, course) is (expected is not None)


ON = date(2026, 3, 5)
DEFICITS = [
    row("R-48", "nothing is measured", [], []),
    row("R-48", "ferritin 75", [ferritin("75", days_ago=5)], [f"ferritin 75 ng/mL ({ON})"]),
    row("R-48", "ferritin 75.1", [ferritin("75.1", days_ago=5)], []),
    row("R-48", "TSAT 19.9", [tsat("19.9", days_ago=5)], [f"TSAT 19.9 % ({ON})"]),
    row("R-48", "TSAT 20", [tsat("20", days_ago=5)], []),
    row("R-48", "hemoglobin 12.4", [hemoglobin("12.4", days_ago=5)], [f"hemoglobin 12.4 g/dL ({ON})"]),
    row("R-48", "hemoglobin 12.5", [hemoglobin("12.5", days_ago=5)], []),
    row(
        "R-10", "hemoglobin somewhere below 12",
        [lying(hemoglobin, Interval(Decimal(11), Decimal(12), True, False), days_ago=5)],
        [f"hemoglobin 11 or more and below 12 g/dL ({ON})"],
    ),
    row("R-10", "hemoglobin 12.5 or more, not said how much",
        [lying(hemoglobin, Interval(Decimal(13), None, True, False), days_ago=5)], []),
    row("R-48", "hemoglobin drawn on day 28", [hemoglobin("12", days_ago=72)], ["hemoglobin 12 g/dL (2025-12-28)"]),
    row("R-48", "hemoglobin drawn on day 27", [hemoglobin("12", days_ago=73)], []),
    row("R-05", "hemoglobin in an unknown unit", [rejected("hemoglobin", days_ago=5)], []),
    row("R-08", "ferritin 60 drawn before the course", [ferritin("60", days_ago=101)], []),
    row("R-48", "all three", [ferritin("60", days_ago=5), tsat("12", days_ago=5), hemoglobin("9", days_ago=5)],
        [f"ferritin 60 ng/mL ({ON})", f"TSAT 12 % ({ON})", f"hemoglobin 9 g/dL ({ON})"]),
]  # fmt: skip


@pytest.mark.parametrize(("results", "expected"), DEFICITS)
def test_r_48_what_shows_that_iron_is_still_lacking(results: Sequence[Result], expected: list[str]) -> None:
    found, used = find_deficits(*charted(*results))
    assert list(found) == expected
    assert [one.reference for one in used] == [one.reference for one in results if expected]
    assert [one.shown for one in used] == [words.partition(" ")[2].rpartition(" ")[0] for words in expected]


def test_r_48_a_hemoglobin_that_cannot_be_read_is_no_deficit_beside_others() -> None:
    found, used = find_deficits(*charted(ferritin("60", days_ago=5), rejected("hemoglobin", days_ago=5)))
    assert (len(found), len(used)) == (1, 1)


@pytest.mark.parametrize(
    ("results", "expected"),
    [
        row("R-09", "nothing drawn", [], []),
        row("R-09", "both drawn on day 8", [ferritin("600", days_ago=2), tsat("60", days_ago=2)],
            ["Ferritin 600 ng/mL was drawn 8 days", "TSAT 60 % was drawn 8 days"]),
        row("R-09", "only TSAT", [tsat("60", days_ago=2)], ["TSAT 60 % was drawn 8 days"]),
        row("R-09a", "ferritin from before the dose", [ferritin("60", days_ago=20)], []),
        row("R-09", "three drawn: two are named", [ferritin("600", days_ago=2), ferritin("700", days_ago=3),
            tsat("60", days_ago=2)], ["Ferritin", "Ferritin"]),
    ],
)  # fmt: skip
def test_r_09_what_was_drawn_too_soon_is_named(results: list[Result], expected: list[str]) -> None:
    case, course = charted(*results, days=10)
    named = name_blackout(case, course)
    assert len(named) == len(expected)
    for start, line in zip(expected, named, strict=True):
        assert line.startswith(start)
        assert line.endswith(f"IV iron on {course.anchor} (not interpretable before day 28).")


def test_r_09_readable_results_are_not_named() -> None:
    case, course = charted(ferritin("90", days_ago=5), replace(tsat("30"), day=None))
    assert name_blackout(case, course) == ()


@pytest.mark.parametrize(
    ("days_ago", "is_named"),
    [
        row("R-09", "between the doses of this course", 15, True),
        row("R-09", "on the day of its first dose", 20, True),
        row("R-09", "after an earlier course, the day before this one", 21, False),
        row("R-09", "after an earlier course", 60, False),
    ],
)
def test_r_09_what_an_earlier_course_made_unreadable_is_past(days_ago: int, is_named: bool) -> None:
    earlier = (given(Ingredient.DERISOMALTOSE, days_ago=70), given(Ingredient.SUCROSE, "300", days_ago=45))
    doses = (*earlier, given(mg="500", days_ago=20), given(mg="500", days_ago=10))
    case = open_chart(facts(ferritin("600", days_ago=days_ago), dose_records=doses), TODAY)
    course = find_course(case)
    assert course is not None
    assert bool(name_blackout(case, course)) is is_named
