"""R-04b, R-41a, R-43a: the edges of a planned course: its amounts, what was given before, and its dates."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from cds_service.clinical import doses
from cds_service.clinical.case import Case
from cds_service.clinical.model import DoseRecord, Ingredient, IronOrder, OrderDose
from tests.rules.build import TODAY, case, day, facts, given, order, weight


def row(rule_id: str, words: str, *values: object) -> Any:
    return pytest.param(*values, id=f"{rule_id} {words}")


def draft(name: str, dose: OrderDose, ahead: int) -> IronOrder:
    return order(reference=f"MedicationRequest/{name}", dose=dose, planned=(day(-ahead),))


def mg(amount: str | None) -> OrderDose:
    return OrderDose(mg=None if amount is None else Decimal(amount))


def per_kg(amount: str) -> OrderDose:
    return OrderDose(mg_per_kg=Decimal(amount))


def beside(first: OrderDose, second: OrderDose, *records: DoseRecord, signed: tuple[IronOrder, ...] = ()) -> Case:
    """Two orders, planned for today and in seven days, at 72 kg."""
    one, other = draft("a", first, 0), draft("b", second, 7)
    patient = facts(weight("72"), dose_records=records, signed_orders=signed)
    return case(patient, one, session=(one, other))


@pytest.mark.parametrize(
    ("asked", "is_course"),
    [
        row("R-41a", "1440 mg by weight", beside(per_kg("10"), per_kg("10")), True),
        row("R-41a", "1584 mg by weight", beside(per_kg("11"), per_kg("11")), False),
        row("R-41a", "1500 mg and a dose not written yet", beside(mg("1500"), mg(None)), True),
        row("R-41a", "1501 mg and a dose not written yet", beside(mg("1501"), mg(None)), False),
        row("R-41a", "600 mg after 1000 mg 28 days ago", beside(mg("300"), mg("300"), given(days_ago=28)), False),
        row("R-41a", "500 mg after 1000 mg 28 days ago", beside(mg("250"), mg("250"), given(days_ago=28)), True),
        row("R-41a", "600 mg after 1000 mg 29 days ago", beside(mg("300"), mg("300"), given(days_ago=29)), True),
        row(
            "R-41a",
            "600 mg after another product",
            beside(mg("300"), mg("300"), given(Ingredient.SUCROSE, days_ago=8)),
            True,
        ),
    ],
)
def test_r_41a_orders_are_one_course_as_far_as_its_limit_reaches(asked: Case, is_course: bool) -> None:
    assert bool(doses.course_mates(asked)) is is_course


@pytest.mark.parametrize(
    ("days_ago", "counts"),
    [
        row("R-04b", "given today", 0, False),
        row("R-04b", "given on the day it was signed", 3, False),
        row("R-04b", "given the day before", 4, True),
        row("R-04b", "dated tomorrow", -1, True),
    ],
)
def test_r_04b_a_signed_order_counts_until_it_was_given(days_ago: int, counts: bool) -> None:
    signed = order(mg="500", reference="MedicationRequest/s", status="active", authored=day(3), in_session=False)
    evaluated = order(mg="500")
    patient = facts(dose_records=(given(days_ago=days_ago),), signed_orders=(signed,))
    assert (signed in doses.companions(case(patient, evaluated))) is counts


@pytest.mark.parametrize(
    ("ahead", "expected"),
    [
        row("R-41", "no date: if given today", [], 0),
        row("R-41", "today", [0], 0),
        row("R-41", "the first of two", [9, 2], 2),
        row("R-43a", "one has passed", [-3, 5], 5),
        row("R-43a", "all have passed", [-3], 0),
    ],
)
def test_r_41_the_next_date_is_the_first_that_has_not_passed(ahead: list[int], expected: int) -> None:
    asked = case(facts(), order(planned=tuple(day(-one) for one in ahead)))
    assert doses.next_date(asked) == TODAY + timedelta(days=expected)
    assert doses.planned_date(asked) == TODAY + timedelta(days=max([*[one for one in ahead if one >= 0], 0]))
    assert doses.passed_date(asked) == (TODAY - timedelta(days=3) if ahead == [-3] else None)


@pytest.mark.parametrize(
    ("ingredient", "days"),
    [
        row("R-41", "ferric carboxymaltose", Ingredient.FCM, 7),
        row("R-41", "ferumoxytol", Ingredient.FERUMOXYTOL, 3),
        row("R-41", "another product", Ingredient.SUCROSE, 1),
        row("R-41", "not named", None, 1),
    ],
)
def test_r_41_the_least_days_between_two_doses(ingredient: Ingredient | None, days: int) -> None:
    assert doses.label_interval(ingredient) == days
