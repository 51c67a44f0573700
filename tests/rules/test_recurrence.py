"""R-40c, R-42, R-44, R-47, R-48: have symptoms returned, is a repeat open, and what is said about phosphate."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pytest

from cds_service.clinical.case import Case
from cds_service.clinical.follow_up.course import Course, find_course, open_chart
from cds_service.clinical.follow_up.interpretation import interpret
from cds_service.clinical.follow_up.recurrence import (
    AFTER_CARBOXYMALTOSE,
    Recurrence,
    assess_recurrence,
    is_recurrence_due,
    phosphate_lines,
)
from cds_service.clinical.model import Ingredient, Result, SeverityTotal
from cds_service.clinical.response import Response, ResponseRecord
from cds_service.clinical.wording import unquote
from tests.rules.build import RLS, TODAY, condition, facts, ferritin, given, phosphate, tsat
from tests.rules.opened import score

FCM, DERISOMALTOSE = Ingredient.FCM, Ingredient.DERISOMALTOSE
LABS = (ferritin("150", days_ago=3), tsat("25", days_ago=3))
RETURNED = (score("30", 205), score("12", 150), score("24", 3))


def row(rule_id: str, words: str, *values: object) -> Any:
    return pytest.param(*values, id=f"{rule_id} {words}")


def charted(*results: Result, days: int = 200, ingredient: Ingredient | None = FCM, **changes: Any) -> Any:
    case: Case = open_chart(facts(*results, dose_records=(given(ingredient, days_ago=days),), **changes), TODAY)
    course: Course | None = find_course(case)
    assert course is not None
    return case, course


def assessed(*results: Result, totals: Sequence[SeverityTotal] = (), days: int = 200) -> Recurrence:
    case, course = charted(*results, days=days, severity=tuple(totals))
    return assess_recurrence(case, course, interpret(case, course).record)


MET = [
    "Met: 84 days since the latest dose (2025-11-14)",
    "Met: documented response to the course (responder)",
    "Met: symptoms have returned (total of the last 30 days 15 or more, 5 above the best)",
    "Met: ferritin below 300 ng/mL (150 ng/mL)",
    "Met: TSAT below 45 % (25 %)",
]


def test_r_40c_every_criterion_met_opens_a_repeat() -> None:
    found = assessed(*LABS, totals=RETURNED)
    assert (found.has_returned, found.is_repeat_open, found.headline) == (True, True, "symptoms have returned")
    assert list(found.criteria) == MET
    assert found.missing_tests == ()
    assert found.say[0] == (
        "The severity total is 24 (2026-03-07), the best after the course was 12 (2025-10-11). "
        "That is 15 or more and at least 5 above the best: symptoms have returned."
    )
    assert found.say[1].startswith("A repeat course may be considered")
    assert "81 %" in found.say[2]
    assert len(found.say) == 3


UNMET = [
    row("R-40c", "no response documented", LABS, [score("12", 150), score("24", 3)],
        1, "Not met: documented response to the course (not documented)"),
    row("R-40c", "a partial response", LABS, [score("30", 205), score("19", 150), score("24", 3)],
        1, "Not met: documented response to the course (partial responder)"),
    row("R-40c", "not returned", LABS, [score("30", 205), score("12", 150), score("16", 3)],
        2, "Not met: symptoms have returned (total of the last 30 days 15 or more, 5 above the best)"),
    row("R-17", "ferritin 300", (ferritin("300", days_ago=3), LABS[1]), RETURNED,
        3, "Not met: ferritin below 300 ng/mL (300 ng/mL)"),
    row("R-16", "TSAT 45", (LABS[0], tsat("45", days_ago=3)), RETURNED, 4, "Not met: TSAT below 45 % (45 %)"),
    row("R-40c", "no ferritin", LABS[1:], RETURNED, 3, "Not met: ferritin below 300 ng/mL (no usable result)"),
    row("R-40c", "no TSAT", LABS[:1], RETURNED, 4, "Not met: TSAT below 45 % (no usable result)"),
]  # fmt: skip


@pytest.mark.parametrize(("results", "totals", "place", "words"), UNMET)
def test_r_40c_one_criterion_not_met_leaves_a_repeat_closed(
    results: Sequence[Result], totals: Sequence[SeverityTotal], place: int, words: str
) -> None:
    found = assessed(*results, totals=totals)
    assert not found.is_repeat_open
    assert found.criteria[place] == words
    assert sum(one.startswith("Met: ") for one in found.criteria) == len(MET) - 1


@pytest.mark.parametrize(("days", "is_open"), [(83, False), (84, True)], ids=["R-40c 83 days", "R-40c 84 days"])
def test_r_40c_a_repeat_is_open_from_day_84_on(days: int, is_open: bool) -> None:
    totals = (score("30", days + 5), score("12", days - 30), score("24", 3))
    found = assessed(*LABS, totals=totals, days=days)
    assert found.is_repeat_open is is_open
    from_day = TODAY - timedelta(days=days - 84)
    assert found.criteria[0] == f"{'Met' if is_open else 'Not met'}: 84 days since the latest dose ({from_day})"
    assert (f"A repeat course can be considered from {from_day}." in found.say) is not is_open


def test_r_40c_on_day_84_nothing_is_said_to_be_waited_for() -> None:
    assert len(assessed(days=84).say) == 1
    (_, waits) = assessed(days=83).say
    assert waits == "A repeat course can be considered from 2026-03-11."


@pytest.mark.parametrize(
    ("results", "missing"),
    [
        row("R-40c", "both usable", LABS, ()),
        row("R-40c", "no ferritin", LABS[1:], ("ferritin",)),
        row("R-40c", "no TSAT", LABS[:1], ("iron-panel",)),
        row("R-40c", "neither", (), ("ferritin", "iron-panel")),
    ],
)
def test_r_40c_the_tests_that_are_missing_are_named(results: Sequence[Result], missing: tuple[str, ...]) -> None:
    assert assessed(*results).missing_tests == missing


@pytest.mark.parametrize(
    ("totals", "headline", "first", "more"),
    [
        row("R-48", "no total at all", [], "check whether symptoms have returned",
            "Recurrence cannot be told by score", []),
        row("R-48", "no best total", [score("20", 3)], "check whether symptoms have returned",
            "Recurrence cannot be told by score", []),
        row("R-48", "no recurrence by score", [score("12", 150), score("16", 3)],
            "check whether symptoms have returned",
            "The severity total is 16 (2026-03-07), the best after the course was 12 (2025-10-11). That is no "
            "recurrence by score", []),
        row("R-48", "returned, criteria open", [score("12", 150), score("24", 3)], "symptoms have returned",
            "The severity total is 24", ["Before a repeat course is considered, see which criteria are still open."]),
    ],
)  # fmt: skip
def test_r_48_recurrence_is_told_by_score_or_asked_for(
    totals: Sequence[SeverityTotal], headline: str, first: str, more: list[str]
) -> None:
    found = assessed(*LABS, totals=totals)
    assert found.headline == headline
    assert found.say[0].startswith(first)
    assert list(found.say[1:]) == more


@pytest.mark.parametrize(
    ("first", "last", "has_returned", "expected"),
    [
        row("R-50c", "the day before the window", 1, 5, False, False),
        row("R-50c", "its first day", 0, 5, False, True),
        row("R-50c", "its last day", -5, 0, False, True),
        row("R-50c", "the day after it", -5, -1, False, False),
        row("R-50c", "a score outside it", -5, -1, True, True),
    ],
)
def test_r_50c_a_recurrence_is_reviewed_in_a_window_or_by_score(
    first: int, last: int, has_returned: bool, expected: bool
) -> None:
    window = (TODAY + timedelta(days=first), TODAY + timedelta(days=last))
    record = ResponseRecord(Response.UNDOCUMENTED, "", has_returned=has_returned)
    assert is_recurrence_due((window,), TODAY, record) is expected


# ------------------------------------------------------------------------------------------------ phosphate

LOW = "Phosphate 1.9 mg/dL (2026-03-07) is low: consider treating it and measuring it again."
BEFORE = "Before a repeat of ferric carboxymaltose consider checking phosphate: "
BONES = condition("osteoporosis", name="Osteoporosis")
PHOSPHATE = [
    row("R-44", "after carboxymaltose", FCM, 9, [], (), False, [AFTER_CARBOXYMALTOSE]),
    row("R-44", "after a product not named", None, 9, [], (), False, [AFTER_CARBOXYMALTOSE]),
    row("R-44", "after another product", DERISOMALTOSE, 9, [], (), False, []),
    row("R-42", "low phosphate after carboxymaltose", FCM, 9, ["1.9"], (), False, [LOW, AFTER_CARBOXYMALTOSE]),
    row("R-42", "low phosphate after another product", DERISOMALTOSE, 9, ["1.9"], (), False, [LOW]),
    row("R-42", "normal phosphate", FCM, 9, ["3"], (), False, [AFTER_CARBOXYMALTOSE]),
    row("R-42", "before a repeat, day 92", FCM, 92, [], (), True, [f"{BEFORE}the last dose was 92 days ago."]),
    row("R-42", "before a repeat, day 93", FCM, 93, [], (), True, []),
    row("R-42", "before a repeat, day 93, at risk", FCM, 93, [], (BONES,), True,
        [f"{BEFORE}Osteoporosis (recorded 2025-02-03)."]),
    row("R-42", "before a repeat, day 90, at risk and low", FCM, 90, ["1.9"], (BONES,), True,
        [LOW, f"{BEFORE}the last dose was 90 days ago; Osteoporosis (recorded 2025-02-03)."]),
    row("R-42", "before a repeat of another product, at risk", DERISOMALTOSE, 90, [], (BONES,), True, []),
]  # fmt: skip


@pytest.mark.parametrize(("ingredient", "days", "measured", "entries", "before_repeat", "said"), PHOSPHATE)
def test_r_42_r_44_phosphate_is_about_carboxymaltose(
    ingredient: Ingredient | None,
    days: int,
    measured: list[str],
    entries: tuple[Any, ...],
    before_repeat: bool,
    said: list[str],
) -> None:
    results = [phosphate(one, days_ago=3) for one in measured]
    case, course = charted(*results, days=days, ingredient=ingredient, conditions=(RLS, *entries))
    assert [unquote(line) for line in phosphate_lines(case, course, before_repeat=before_repeat)] == said
