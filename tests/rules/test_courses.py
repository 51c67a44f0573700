"""R-28b, R-41, R-41a, R-41d: which doses form a course, and how an order stands to the iron already given."""

from decimal import Decimal
from typing import Any

import pytest

from cds_service.clinical import doses
from cds_service.clinical.case import Case
from cds_service.clinical.dates import Day
from cds_service.clinical.doses import Relation
from cds_service.clinical.model import DoseRecord, Ingredient, IronOrder, OrderDose
from tests.rules.build import case, condition, day, facts, given, order, weight

FCM, DEXTRAN, FERUMOXYTOL = Ingredient.FCM, Ingredient.DEXTRAN, Ingredient.FERUMOXYTOL
DERISOMALTOSE, SUCROSE, GLUCONATE = Ingredient.DERISOMALTOSE, Ingredient.SUCROSE, Ingredient.GLUCONATE
NONE, NEXT, REPEAT, UNCERTAIN = Relation.NONE, Relation.NEXT_DOSE, Relation.REPEAT, Relation.UNCERTAIN
DIALYSIS = condition("dialysis-dependence")


def row(rule_id: str, words: str, *values: object) -> Any:
    return pytest.param(*values, id=f"{rule_id} {words}")


def fcm(mg: str | None, days_ago: int, **changes: Any) -> DoseRecord:
    return given(FCM, mg, days_ago=days_ago, **changes)


def ordered(mg: str | None = "750", ingredient: Ingredient | None = FCM, **changes: Any) -> IronOrder:
    return order(ingredient, mg, **changes)


def placed(evaluated: IronOrder, *records: DoseRecord, kilograms: str = "72", **changes: Any) -> Case:
    chart = facts(*([weight(kilograms)] if kilograms else []), dose_records=records, **changes)
    return case(chart, evaluated)


# ----------------------------------------------------------------------------------------------- R-41a: course limits


@pytest.mark.parametrize(
    ("ingredient", "kilograms", "expected"),
    [
        row("R-41a", "FCM from 50 kg", FCM, "50", "1500"),
        row("R-41a", "FCM at 49.9 kg", FCM, "49.9", "1497.0"),
        row("R-41a", "FCM at 40 kg", FCM, "40", "1200"),
        row("R-41a", "FCM without a weight", FCM, None, "1500"),
        row("R-41a", "ferumoxytol at any weight", FERUMOXYTOL, "40", "1020"),
        row("R-41a", "derisomaltose from 50 kg", DERISOMALTOSE, "50", "1000"),
        row("R-41a", "derisomaltose at 49.9 kg", DERISOMALTOSE, "49.9", "998.0"),
        row("R-41a", "sucrose", SUCROSE, "40", "1000"),
        row("R-41a", "gluconate", GLUCONATE, "72", "1000"),
        row("R-41a", "dextran 1000 mg and a test dose", DEXTRAN, "72", "1025"),
        row("R-41a", "product not named", None, "72", None),
    ],
)
def test_r_41a_limit_of_a_course(ingredient: Ingredient | None, kilograms: str | None, expected: str | None) -> None:
    limit = doses.course_limit(ingredient, None if kilograms is None else Decimal(kilograms))
    assert limit == (None if expected is None else Decimal(expected))


@pytest.mark.parametrize(
    ("records", "course_days_ago"),
    [
        row("R-41a", "28 days after the one before", [fcm("500", 40), fcm("500", 12)], [40, 12]),
        row("R-41a", "29 days after it: a new course", [fcm("500", 41), fcm("500", 12)], [12]),
        row("R-41a", "exactly up to the limit", [fcm("750", 20), fcm("750", 12)], [20, 12]),
        row("R-41a", "one mg over it: a new course", [fcm("751", 20), fcm("750", 12)], [12]),
        row(
            "R-41a",
            "the dose that passes the limit opens a course, in which the next one counts",
            [fcm("1000", 40), fcm("750", 30), fcm("500", 10)],
            [30, 10],
        ),
        row("R-41a", "a dose above the limit is a course of its own", [fcm("2000", 20), fcm("500", 10)], [10]),
        row(
            "R-41d",
            "whatever was given before, the dose that passes the limit opens the course",
            [fcm(None, 40), fcm("500", 30), fcm("1100", 10)],
            [10],
        ),
        row("R-41a", "another product between does not count", [fcm("500", 20), given(SUCROSE, days_ago=15)], [15]),
        row("R-41a", "product not named makes no course", [given(None, days_ago=20), given(None, days_ago=10)], [10]),
    ],
)
def test_r_41a_doses_of_the_latest_course(records: list[DoseRecord], course_days_ago: list[int]) -> None:
    asked = placed(ordered("500"), *records)
    assert [(asked.as_of - dose.day).days for dose in asked.earlier_iron.course] == course_days_ago


# ------------------------------------------------------------------------------------------------- the relation

RELATIONS = [
    row("R-41", "no iron on record", ordered(), [], NONE),
    row("R-41", "second 750 mg after 8 days", ordered(), [fcm("750", 8)], NEXT),
    row("R-41", "on day 28", ordered(), [fcm("750", 28)], NEXT),
    row("R-41", "on day 29", ordered(), [fcm("750", 29)], REPEAT),
    row("R-41", "on the day itself", ordered(), [fcm("750", 0)], NEXT),
    row("R-41", "exactly to the limit", ordered("500"), [fcm("1000", 8)], NEXT),
    row("R-41", "one mg over the limit", ordered("501"), [fcm("1000", 8)], REPEAT),
    row("R-41", "both administrations of the order count", ordered("400", administrations=2), [fcm("750", 8)], REPEAT),
    row("R-41", "third dose", ordered("500"), [fcm("500", 30), fcm("500", 10)], NEXT),
    row("R-41", "third dose over the limit", ordered("501"), [fcm("500", 30), fcm("500", 10)], REPEAT),
    row("R-41", "another product", ordered("1000", DERISOMALTOSE), [fcm("500", 8)], REPEAT),
    row(
        "R-41",
        "another product given last",
        ordered("500"),
        [fcm("500", 20), given(SUCROSE, "200", days_ago=5)],
        REPEAT,
    ),
    row(
        "R-41",
        "another product on the last day",
        ordered("500"),
        [fcm("500", 5), given(SUCROSE, "200", days_ago=5)],
        REPEAT,
    ),
    row("R-41", "another product earlier", ordered("500"), [fcm("500", 5), given(SUCROSE, "200", days_ago=20)], NEXT),
    row(
        "R-41",
        "the ordered product came last, another one on that day",
        ordered("200", SUCROSE),
        [fcm("500", 5), given(SUCROSE, "200", days_ago=5)],
        REPEAT,
    ),
    row("R-41", "28 days between them is one course", ordered("1000"), [fcm("500", 40), fcm("500", 12)], REPEAT),
    row("R-41", "earlier product not named", ordered(), [given(None, "500", days_ago=8)], REPEAT),
    row("R-41", "ordered product not named", ordered("500", None), [fcm("500", 8)], REPEAT),
    row("R-41", "both not named", ordered("500", None), [given(None, "500", days_ago=8)], REPEAT),
    row("R-41a", "an order without a dose counts 0", ordered(None), [fcm("750", 8)], NEXT),
    row("R-41a", "but not when nothing is left", ordered(None), [fcm("750", 20), fcm("750", 8)], REPEAT),
    row("R-41a", "a little is left: it may be the next dose", ordered(None), [fcm("1499.5", 8)], NEXT),
    row("R-41a", "an unreadable dose counts 0", order(FCM, dose=OrderDose(unreadable="1 vial")), [fcm("750", 8)], NEXT),
    row("R-41a", "dextran after its test dose", ordered("1000", DEXTRAN), [given(DEXTRAN, "25", days_ago=1)], NEXT),
    row(
        "R-41a",
        "dextran 1000 with test dose is a whole course",
        ordered("100", DEXTRAN),
        [given(DEXTRAN, "1025", days_ago=9)],
        REPEAT,
    ),
    row(
        "R-41a", "only a test dose would be left", ordered(None, DEXTRAN), [given(DEXTRAN, "1000", days_ago=9)], REPEAT
    ),
    row("R-41a", "dextran in portions", ordered("100", DEXTRAN), [given(DEXTRAN, "900", days_ago=9)], NEXT),
    row("R-41a", "second ferumoxytol", ordered("510", FERUMOXYTOL), [given(FERUMOXYTOL, "510", days_ago=5)], NEXT),
    row("R-41a", "third ferumoxytol", ordered("510", FERUMOXYTOL), [given(FERUMOXYTOL, "1020", days_ago=5)], REPEAT),
]


@pytest.mark.parametrize(("evaluated", "records", "expected"), RELATIONS)
def test_r_41_next_dose_or_repeat(evaluated: IronOrder, records: list[DoseRecord], expected: Relation) -> None:
    assert placed(evaluated, *records).earlier_iron.relation is expected


@pytest.mark.parametrize(
    ("kilograms", "mg", "expected"),
    [
        row("R-41a", "40 kg: 1200 mg in all", "40", "600", NEXT),
        row("R-41a", "40 kg: over 1200", "40", "601", REPEAT),
        row("R-41a", "weight unknown: 1500", "", "900", NEXT),
        row("R-41a", "weight unknown: over 1500", "", "901", REPEAT),
    ],
)
def test_r_41a_the_limit_follows_the_weight(kilograms: str, mg: str, expected: Relation) -> None:
    assert placed(ordered(mg), fcm("600", 8), kilograms=kilograms).earlier_iron.relation is expected


@pytest.mark.parametrize(
    ("evaluated", "records", "is_reached"),
    [
        row("R-41", "over the limit", ordered("800"), [fcm("750", 8)], True),
        row("R-41", "within it", ordered("750"), [fcm("750", 8)], False),
        row("R-41", "too long ago to matter", ordered("800"), [fcm("750", 29)], False),
        row("R-41", "another product", ordered("800"), [given(SUCROSE, "1000", days_ago=8)], False),
        row(
            "R-41",
            "another product on the last day",
            ordered("900", SUCROSE),
            [fcm("500", 5), given(SUCROSE, "200", days_ago=5)],
            False,
        ),
    ],
)
def test_r_41_the_limit_is_the_reason_for_a_repeat(
    evaluated: IronOrder, records: list[DoseRecord], is_reached: bool
) -> None:
    assert placed(evaluated, *records).earlier_iron.limit_reached is is_reached


def test_r_41_what_is_known_about_a_running_course() -> None:
    earlier = placed(ordered("250"), fcm("500", 30), fcm("500", 10)).earlier_iron
    assert (earlier.days, earlier.first_day) == (10, day(30).first)
    amounts = (earlier.course_total_mg, earlier.course_limit_mg, earlier.remaining_mg)
    assert amounts == (Decimal(1000), Decimal(1500), Decimal(500))
    assert [dose.day for dose in earlier.blackout_doses] == [day(30).first, day(10).first]


@pytest.mark.parametrize(
    ("mg", "remaining"),
    [
        row("R-41a", "one mg below the limit", "1499", "1"),
        row("R-41a", "at the limit", "1500", "0"),
        row("R-41a", "above the limit", "2000", "0"),
    ],
)
def test_r_41a_what_the_limit_leaves_is_never_less_than_nothing(mg: str, remaining: str) -> None:
    assert placed(ordered("250"), fcm(mg, 10)).earlier_iron.remaining_mg == Decimal(remaining)


def test_r_41_without_iron_there_is_nothing_to_know() -> None:
    earlier = placed(ordered()).earlier_iron
    assert (earlier.latest, earlier.days, earlier.first_day, earlier.course_total_mg) == (None, None, None, None)


# ------------------------------------------------------------------------------------- R-41d: amount or day not known


def month_until(last_days_ago: int, first_days_ago: int) -> Day:
    return Day(day(first_days_ago).first, day(last_days_ago).first)


UNKNOWN = [
    row("R-41d", "amount of the earlier dose not recorded", ordered(), [fcm(None, 8)], UNCERTAIN),
    row("R-41d", "not recorded, but long ago", ordered(), [fcm(None, 29)], REPEAT),
    row("R-41d", "not recorded, another product", ordered("500", SUCROSE), [fcm(None, 8)], REPEAT),
    row("R-41d", "the order alone is over the limit", ordered("1501"), [fcm(None, 8)], REPEAT),
    row("R-41d", "not recorded and no dose ordered yet", ordered(None), [fcm(None, 8)], UNCERTAIN),
    row("R-41d", "not recorded, 40 days before the latest", ordered(), [fcm(None, 48), fcm("750", 8)], NEXT),
    row("R-41d", "not recorded, within the chain", ordered("500"), [fcm(None, 30), fcm("500", 8)], UNCERTAIN),
    row(
        "R-41d",
        "whatever it was, the order is over the limit beside it",
        ordered("1200"),
        [fcm("500", 30), fcm(None, 10)],
        REPEAT,
    ),
    row(
        "R-41d",
        "the latest dose may have been a little that opened a course",
        ordered("1200"),
        [fcm(None, 40), fcm("500", 30), fcm(None, 10)],
        UNCERTAIN,
    ),
    row(
        "R-41d",
        "however little that was, it opened a course",
        ordered("1499.5"),
        [fcm("500", 30, reference="a"), fcm(None, 30), fcm(None, 10)],
        UNCERTAIN,
    ),
    row(
        "R-41d",
        "whatever came before, the latest dose opened the course",
        ordered("400"),
        [fcm(None, 40), fcm("500", 30), fcm("1100", 10)],
        NEXT,
    ),
    row("R-41d", "the known part alone is over", ordered("751"), [fcm(None, 30), fcm("750", 8)], REPEAT),
    row(
        "R-41d",
        "not recorded, but a known course began after it",
        ordered("250"),
        [fcm(None, 60), fcm("500", 28), fcm("500", 8)],
        NEXT,
    ),
    row(
        "R-41d",
        "a portion of the day not recorded",
        ordered("500"),
        [fcm("500", 8, reference="a"), fcm(None, 8)],
        UNCERTAIN,
    ),
    row(
        "R-41d",
        "the recorded portion is over the limit",
        ordered("1200"),
        [fcm("500", 8, reference="a"), fcm(None, 8)],
        REPEAT,
    ),
    row("R-41d", "a month, all of it within 28 days", ordered(), [fcm("750", 0, day=month_until(5, 20))], NEXT),
    row("R-41d", "a month, its first day 28 days ago", ordered(), [fcm("750", 0, day=month_until(5, 28))], NEXT),
    row("R-41d", "a month, its first day 29 days ago", ordered(), [fcm("750", 0, day=month_until(5, 29))], UNCERTAIN),
    row("R-41d", "a month, all of it too long ago", ordered(), [fcm("750", 0, day=month_until(29, 50))], REPEAT),
    row("R-41d", "a month, but over the limit anyway", ordered("751"), [fcm("750", 0, day=month_until(5, 35))], REPEAT),
    row(
        "R-41d",
        "whether the first dose belongs to the course decides",
        ordered("600"),
        [fcm("500", 0, day=month_until(30, 45)), fcm("500", 10)],
        UNCERTAIN,
    ),
    row(
        "R-41d",
        "whether it belongs changes nothing",
        ordered("500"),
        [fcm("500", 0, day=month_until(30, 45)), fcm("500", 10)],
        NEXT,
    ),
    row(
        "R-41d",
        "another product may have come after it",
        ordered("500"),
        [fcm("500", 0, day=month_until(2, 20)), given(SUCROSE, "200", days_ago=10)],
        UNCERTAIN,
    ),
    row(
        "R-41d",
        "another product may have been given on its day",
        ordered("500"),
        [fcm("500", 0, day=month_until(2, 10)), given(SUCROSE, "200", days_ago=10)],
        UNCERTAIN,
    ),
    row(
        "R-41d",
        "another product came before all its days",
        ordered("500"),
        [fcm("500", 0, day=month_until(2, 9)), given(SUCROSE, "200", days_ago=10)],
        NEXT,
    ),
]


@pytest.mark.parametrize(("evaluated", "records", "expected"), UNKNOWN)
def test_r_41d_asked_only_where_it_decides(evaluated: IronOrder, records: list[DoseRecord], expected: Relation) -> None:
    earlier = placed(evaluated, *records).earlier_iron
    assert earlier.relation is expected
    assert bool(earlier.unclear) is (expected is UNCERTAIN)


def test_r_41d_only_the_doses_not_known_are_asked_for() -> None:
    earlier = placed(ordered("500"), fcm(None, 30), fcm("500", 8)).earlier_iron
    assert [dose.day for dose in earlier.unclear] == [day(30).first]
    assert earlier.course_total_mg is None


@pytest.mark.parametrize(
    ("amounts", "expected"),
    [
        row("R-41d", "nothing given: 750 + 750 fits", "0.01", NEXT),
        row("R-41d", "a little: over the limit", "100", REPEAT),
        row("R-41d", "a whole course before: it opens a new one", "751", NEXT),
        row("R-41d", "not known: any of these", None, UNCERTAIN),
    ],
)
def test_r_41d_a_larger_earlier_dose_can_make_it_a_next_dose(amounts: str | None, expected: Relation) -> None:
    """The unknown amount is not settled by looking at its extremes."""
    records = [fcm(amounts, 30), fcm("750", 10)]
    assert placed(ordered("749.99"), *records).earlier_iron.relation is expected


# ------------------------------------------------------------------------------------------ R-28b: dialysis


def sucrose(mg: str | None, days_ago: int) -> DoseRecord:
    return given(SUCROSE, mg, days_ago=days_ago)


@pytest.mark.parametrize(
    ("record", "counts"),
    [
        row("R-28b", "sucrose 100 mg", sucrose("100", 3), False),
        row("R-28b", "sucrose 200 mg", sucrose("200", 3), False),
        row("R-28b", "sucrose 200.1 mg", sucrose("200.1", 3), True),
        row("R-28b", "sucrose, amount not recorded", sucrose(None, 3), True),
        row("R-28b", "gluconate 125 mg", given(GLUCONATE, "125", days_ago=3), False),
        row("R-28b", "another product", fcm("100", 3), True),
        row("R-28b", "product not named", given(None, "100", days_ago=3), True),
    ],
)
def test_r_28b_small_sessional_doses_start_no_clock(record: DoseRecord, counts: bool) -> None:
    asked = placed(ordered("100", SUCROSE), record, conditions=(DIALYSIS,))
    assert bool(asked.earlier_iron.blackout_doses) is counts
    assert (asked.earlier_iron.relation is NONE) is not counts
    assert len(asked.doses) == 1


def test_r_28b_outside_dialysis_every_dose_counts() -> None:
    assert placed(ordered("100", SUCROSE), sucrose("100", 3)).earlier_iron.relation is NEXT


def test_r_28b_two_small_doses_of_one_day_are_one_larger_dose() -> None:
    records = [given(SUCROSE, "150", days_ago=3, reference=ref) for ref in ("a", "b")]
    assert placed(ordered("100", SUCROSE), *records, conditions=(DIALYSIS,)).earlier_iron.days == 3


def test_r_28b_a_larger_dose_keeps_the_clocks_beside_small_ones() -> None:
    asked = placed(ordered("100", SUCROSE), sucrose("400", 50), sucrose("100", 3), conditions=(DIALYSIS,))
    assert (asked.earlier_iron.relation, asked.earlier_iron.days) == (REPEAT, 50)
