"""R-20d: pregnancy status not on record, lapsed or hedged, is named and changes nothing."""

from datetime import date, timedelta
from typing import Any

import pytest

from cds_service.clinical.dates import Day
from cds_service.clinical.model import Line, PregnancyEvidence, Rank
from tests.rules.ask import ask, texts
from tests.rules.build import RLS, TODAY, case, day
from tests.rules.gestation import due_in, entry, last_period, problem, status, woman


def row(rule_id: str, words: str, *values: object) -> object:
    return pytest.param(*values, id=f"{rule_id} {words}")


# ---------------------------------------------------------------------------------------- R-20d: status not on record


def born(years: int, days: int = 0) -> Day:
    """Birth date of someone who completed so many years so many days ago (negative: will in so many days)."""
    birthday = date(TODAY.year - years, TODAY.month, TODAY.day) - timedelta(days=days)
    return Day(birthday, birthday, None)


YOUNG = born(30)
STATUS_LINES = [
    row("R-20d", "woman of 30, nothing on record", YOUNG, "female", (), True),
    row("R-20d", "sex not recorded", YOUNG, None, (), True),
    row("R-20d", "sex recorded as unknown", YOUNG, "unknown", (), True),
    row("R-20d", "man", YOUNG, "male", (), False),
    row("R-20d", "sex recorded as other", YOUNG, "other", (), False),
    row("R-20d", "18th birthday today", born(18), "female", (), True),
    row("R-20d", "18 tomorrow", born(18, -1), "female", (), False),
    row("R-20d", "55 years and 364 days", born(56, -1), "female", (), True),
    row("R-20d", "56th birthday today", born(56), "female", (), False),
    row("R-20d", "birth year leaves 55 or 56 open", Day(date(1970, 1, 1), date(1970, 12, 31)), "female", (), True),
    row("R-20d", "birth year makes 56 certain", Day(date(1969, 1, 1), date(1969, 12, 31)), "female", (), False),
    row("R-20d", "birth year leaves 17 or 18 open", Day(date(2008, 1, 1), date(2008, 12, 31)), "female", (), True),
    row("R-20d", "birth date absent", None, "female", (), True),
    row("R-20d", "not pregnant 90 days ago", YOUNG, "female", (status(90, False),), False),
    row("R-20d", "not pregnant 91 days ago", YOUNG, "female", (status(91, False),), True),
    row("R-20d", "not pregnant, undated", YOUNG, "female", (status(None, False),), True),
    row("R-20d", "not pregnant of tomorrow", YOUNG, "female", (status(-1, False),), True),
    row("R-20d", "pregnant, 200 days ago, still counts", YOUNG, "female", (status(200), due_in(50, 200)), False),
    row("R-20d", "cancelled pregnancy, evidence of 20 days", YOUNG, "female", (status(20), status(10, False)), False),
    row("R-20d", "lapsed pregnancy is no recent evidence", YOUNG, "female", (problem(301),), True),
    row("R-20d", "a delivery date 15 days past is none", YOUNG, "female", (due_in(-15, 20),), True),
    row("R-20d", "a last period is no evidence either way", YOUNG, "female", (last_period(10),), True),
]


@pytest.mark.parametrize(("birth", "sex", "stated", "expected"), STATUS_LINES)
def test_r_20d_an_unknown_status_is_named_from_18_to_55(
    birth: Day | None, sex: str | None, stated: tuple[PregnancyEvidence, ...], expected: bool
) -> None:
    chart = case(woman(*stated, birth=birth, sex=sex))
    answers = [answer for answer in ask("R-20d", chart) if isinstance(answer, Line)]
    named = [line for line in answers if line.text.startswith("Pregnancy status not on record")]
    assert len(named) == expected
    assert all(line.rank is Rank.PREGNANCY and not line.makes_warning for line in named)


@pytest.mark.parametrize(
    ("changes", "stated", "expected"),
    [
        row("R-20d", "a hedged mention is named", {"is_hedged": True}, (), True),
        row(
            "R-20d", "a refuted hedged mention is not", {"is_hedged": True, "verification_status": "refuted"}, (), False
        ),
        row("R-20d", "a hedged mention no longer active is not", {"is_hedged": True, "is_active": False}, (), False),
        row("R-20d", "beside a pregnancy it is not", {"is_hedged": True}, (status(1),), False),
        row("R-20d", "an entry that is not hedged is not", {}, (), False),
    ],
)
def test_r_20d_a_pregnancy_named_with_a_hedge_is_a_caution(
    changes: dict[str, Any], stated: tuple[PregnancyEvidence, ...], expected: bool
) -> None:
    chart = case(woman(*stated, conditions=(RLS, entry(day(5), **changes))))
    assert len([text for text in texts("R-20d", chart) if "not counted as pregnancy" in text]) == expected
