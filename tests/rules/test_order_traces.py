"""What the trace holds of an answer about order, product and dose: its place on the card, why, and on which values."""

from decimal import Decimal
from typing import Any

import pytest

from cds_service.clinical.case import Case
from cds_service.clinical.model import (
    Ingredient,
    IronOrder,
    NotApplicable,
    OrderDose,
    Rank,
    Used,
)
from tests.rules.ask import ask
from tests.rules.build import case, day, facts, given, order, weight
from tests.rules.places import Place, place, row

FCM, SUCROSE, DEXTRAN, FERUMOXYTOL = Ingredient.FCM, Ingredient.SUCROSE, Ingredient.DEXTRAN, Ingredient.FERUMOXYTOL


def draft(name: str, mg: str | None, ingredient: Ingredient = FCM, **changes: Any) -> IronOrder:
    return order(ingredient, mg, reference=f"MedicationRequest/{name}", name=name, **changes)


def asked(
    *orders: IronOrder, kg: str | None = "60", label: str = "us", hook: str = "order-select", **chart: Any
) -> Case:
    """The first order is the evaluated one."""
    patient = facts(*([weight(kg)] if kg else []), **chart)
    return case(patient, orders[0], session=orders, label=label, hook=hook)


def dose_used(amount: str, days_ago: int) -> Used:
    when = day(days_ago).last.isoformat()
    what = f"{amount} ferric carboxymaltose on {when}"
    return Used("IV iron given", what, f"MedicationAdministration/fcm-{days_ago}", when)


def ordered(amount: str) -> Used:
    return Used("ordered dose", amount, "MedicationRequest/order-1")


KG_60 = Used("body weight", "60 kg", "Observation/body-weight-60-20", "2026-02-18")
RUNNING: dict[str, Any] = {"dose_records": (given(FCM, "750", days_ago=8),)}
VIALS = order(FCM, dose=OrderDose(unreadable="2 vials"))
PER_KG = order(FCM, dose=OrderDose(mg_per_kg=Decimal(10)))
TWO = (draft("a", "750"), draft("b", "200", SUCROSE, administrations=5))
COURSE = (draft("a", "500", planned=(day(-1),)), draft("b", "500", planned=(day(-8),)))

ANSWERS = [
    row("R-41", "next dose", asked(order(FCM, "750"), **RUNNING), "history", "within the course limit"),
    row("R-41", "no dose yet", asked(order(FCM), **RUNNING), Rank.INTERVAL_PHOSPHATE, "no dose that can be counted"),
    row("R-41", "limit", asked(order(FCM, "751"), **RUNNING), Rank.INTERVAL_PHOSPHATE, "course limit reached"),
    row("R-41", "one order", asked(order(FCM, "1501")), Rank.INTERVAL_PHOSPHATE, "order above the course limit"),
    row("R-41c", "no results", asked(order(FCM, "750"), **RUNNING), "next-step", "no usable results from before"),
    row("R-33", "no test dose", asked(order(DEXTRAN, "1000")), Rank.BOXED_WARNING, "no test dose found"),
    row("R-33", "test dose", asked(order(DEXTRAN, "25")), Rank.BOXED_WARNING, "a test dose is ordered"),
    row("R-34", "ferumoxytol", asked(order(FERUMOXYTOL, "510")), Rank.BOXED_WARNING, "ferumoxytol"),
    row("R-39", "any product", asked(order(SUCROSE)), "product", "how it is given"),
    row("R-39", "carboxymaltose", asked(order(FCM)), "product", "how it is given"),
    row("R-38", "any product", asked(order(FCM)), "product", "use in RLS is off-label"),
    row("R-31", "not named", asked(order(None)), "cap", "product not named"),
    row("R-31", "sucrose", asked(order(SUCROSE)), "cap", "iron sucrose: its benefit in RLS is less consistent"),
    row("R-31 (text)", "sucrose", asked(order(SUCROSE)), Rank.PRODUCT, "product"),
    row("R-37", "low dose", asked(order(FCM, "500")), Rank.PRODUCT, "planned course 500 mg"),
    row("R-04b", "planned course", asked(*COURSE), "product", "dates that keep the label interval"),
    row("R-04b", "duplicate", asked(*TWO), Rank.DUPLICATE, "another open order of parenteral iron"),
    row("R-32", "no weight", asked(order(FCM, "750"), kg=None), Rank.DOSE, "no usable weight"),
    row("R-32", "over", asked(order(FCM, "1000")), Rank.DOSE, "ordered dose 1000 mg is above the ceiling"),
    row("R-32 (EU)", "by infusion", asked(order(FCM, "1000"), label="eu"), Rank.PRODUCT, "ceiling of an injection"),
    row("R-04", "before signing", asked(VIALS), "product", "dose not known yet"),
    row("R-04", "at signing", asked(VIALS, hook="order-sign"), Rank.DOSE, "dose absent or unreadable at signing"),
    row("R-43a", "passed", asked(order(FCM, planned=(day(1),))), Rank.CONFLICT, "planned date before the hook date"),
    row("R-40e", "undated", asked(order(FCM), dose_records=(given(day=None),)), Rank.UNREADABLE, "undated record"),
]


@pytest.mark.parametrize(("rule_id", "one", "expected", "because"), ANSWERS)
def test_r_51a_an_answer_stands_in_its_place_with_its_reason(
    rule_id: str, one: Case, expected: Place, because: str
) -> None:
    answer = ask(rule_id, one)[-1]
    assert place(answer) == expected
    assert because in answer.because


USED = [
    row("R-41", "doses of the course", asked(order(FCM, "751"), **RUNNING), [dose_used("750 mg", 8)]),
    row("R-41", "doses before the next one", asked(order(FCM, "750"), **RUNNING), [dose_used("750 mg", 8)]),
    row("R-41c", "doses before the results", asked(order(FCM, "750"), **RUNNING), [dose_used("750 mg", 8)]),
    row(
        "R-41d",
        "the dose that is not known",
        asked(order(FCM, "750"), dose_records=(given(FCM, None, days_ago=8),)),
        [dose_used("an unrecorded amount of", 8)],
    ),
    row(
        "R-04b",
        "every order with its amount",
        asked(*TWO),
        [
            Used("iron order", "750 mg", "MedicationRequest/a"),
            Used("iron order", "5 x 200 mg", "MedicationRequest/b"),
        ],
    ),
    row("R-32", "dose and weight", asked(order(FCM, "1000")), [ordered("1000 mg"), KG_60]),
    row("R-32", "no weight to name", asked(order(FCM, "1001"), kg=None), [ordered("1001 mg")]),
    row(
        "R-32 (EU)",
        "the week",
        asked(order(FCM, "600"), label="eu", dose_records=(given(FCM, "500", days_ago=3),)),
        [ordered("600 mg"), KG_60],
    ),
    row("R-33 (dose)", "dextran", asked(order(DEXTRAN, "101")), [ordered("101 mg"), KG_60]),
]


@pytest.mark.parametrize(("rule_id", "one", "expected"), USED)
def test_what_an_answer_rests_on_is_in_the_trace(rule_id: str, one: Case, expected: list[Used]) -> None:
    answer = ask(rule_id, one)[-1]
    assert not isinstance(answer, NotApplicable)
    assert list(answer.used) == expected
