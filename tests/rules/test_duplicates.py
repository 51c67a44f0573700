"""R-04b, R-43, R-43a: duplicates told from planned courses and test doses, and the day the course is planned to end."""

from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest

from cds_service.clinical import doses
from cds_service.clinical.case import Case
from cds_service.clinical.dates import Day
from cds_service.clinical.model import DoseRecord, Ingredient, IronOrder, Line, OrderDose, Rank, Remark
from tests.rules.ask import ask, texts
from tests.rules.build import TODAY, case, day, decide, facts, ferritin, given, lines, order, tsat, weight

FCM, DEXTRAN, SUCROSE, FERUMOXYTOL = Ingredient.FCM, Ingredient.DEXTRAN, Ingredient.SUCROSE, Ingredient.FERUMOXYTOL


def row(rule_id: str, words: str, *values: object) -> Any:
    return pytest.param(*values, id=f"{rule_id} {words}")


def draft(name: str, mg: str | None = "750", ingredient: Ingredient | None = FCM, **changes: Any) -> IronOrder:
    return order(ingredient, mg, reference=f"MedicationRequest/{name}", name=name, **changes)


def on(*days_ahead: int) -> dict[str, Any]:
    """Planned dates, days after the hook date."""
    return {"planned": tuple(day(-ahead) for ahead in days_ahead), "administrations": len(days_ahead)}


def signed(
    name: str, mg: str | None = "750", *, days_ago: int | None = 10, status: str = "active", **changes: Any
) -> IronOrder:
    authored = None if days_ago is None else day(days_ago)
    return draft(name, mg, **{"authored": authored, "status": status, "in_session": False, **changes})


def session(
    *orders: IronOrder, chart: tuple[IronOrder, ...] = (), records: tuple[DoseRecord, ...] = (), kg: str = "72"
) -> Case:
    """The first order is the evaluated one."""
    return case(facts(weight(kg), signed_orders=chart, dose_records=records), orders[0], session=orders)


def duplicates(asked: Case) -> list[str]:
    return [one.text for one in ask("R-04b", asked) if isinstance(one, Line)]


def planned(asked: Case) -> list[str]:
    return [one.text for one in ask("R-04b", asked) if isinstance(one, Remark)]


# --------------------------------------------------------------------------------------------- R-04b (i): test doses

TEST_DOSES = [
    row("R-04b", "25 mg beside 1000 mg", draft("a", "25", DEXTRAN), draft("b", "1000", DEXTRAN), True),
    row("R-04b", "25.1 mg is no test dose", draft("a", "25.1", DEXTRAN), draft("b", "1000", DEXTRAN), False),
    row("R-04b", "the larger order is none", draft("a", "1000", DEXTRAN), draft("b", "25", DEXTRAN), False),
    row("R-04b", "beside another product", draft("a", "25", DEXTRAN), draft("b", "1000", FCM), False),
    row("R-04b", "another product of 25 mg", draft("a", "25", FCM), draft("b", "1000", FCM), False),
    row("R-04b", "two of 25 mg", draft("a", "25", DEXTRAN), draft("b", "25", DEXTRAN), False),
    row("R-04b", "20 mg beside 25 mg", draft("a", "20", DEXTRAN), draft("b", "25", DEXTRAN), True),
    row("R-04b", "beside a dose not written yet", draft("a", "25", DEXTRAN), draft("b", None, DEXTRAN), True),
    row("R-04b", "its own dose not written", draft("a", None, DEXTRAN), draft("b", "1000", DEXTRAN), False),
]


@pytest.mark.parametrize(("one", "other", "expected"), TEST_DOSES)
def test_r_04b_test_dose(one: IronOrder, other: IronOrder, expected: bool) -> None:
    assert doses.is_test_dose(one, (one, other)) is expected


def test_r_04b_alone_25_mg_is_an_order_of_its_own() -> None:
    alone = draft("a", "25", DEXTRAN)
    assert not doses.is_test_dose(alone, (alone,))


def test_r_04b_a_test_dose_is_no_duplicate_and_not_summed() -> None:
    main, test_dose, other = (
        draft("main", "1000", DEXTRAN),
        draft("test", "25", DEXTRAN),
        draft("other", "200", SUCROSE),
    )
    assert ask("R-04b", session(main, test_dose)) == ()
    (text,) = duplicates(session(main, test_dose, other))
    assert "Together 1200 mg." in text
    assert "test" not in text


def test_r_04b_a_signed_test_dose_is_no_duplicate() -> None:
    asked = session(draft("main", "1000", DEXTRAN), chart=(signed("test", "25", ingredient=DEXTRAN),))
    assert ask("R-04b", asked) == ()


# ------------------------------------------------------------------------------------------ R-04b: duplicates


def test_r_04b_one_order_alone() -> None:
    assert ask("R-04b", session(draft("a"))) == ()


def test_r_04b_two_products_in_a_session_are_named_and_summed() -> None:
    (line,) = ask("R-04b", session(draft("a", "750"), draft("b", "200", SUCROSE, administrations=5)))
    assert isinstance(line, Line)
    assert (line.rank, line.makes_warning) == (Rank.DUPLICATE, True)
    assert "b\u2063, 5 x 200 mg" in line.text
    assert "Together 1750 mg." in line.text
    assert "date of each" not in line.text
    assert [one.reference for one in line.used] == ["MedicationRequest/a", "MedicationRequest/b"]


@pytest.mark.parametrize(
    ("other", "words"),
    [
        row("R-04b", "unreadable", draft("b", dose=OrderDose(unreadable="2 vials")), "dose not readable"),
        row("R-04b", "not written", draft("b", None), "dose not written"),
        row("R-04b", "per kg without a weight", draft("b", dose=OrderDose(mg_per_kg=Decimal(15))), "dose not readable"),
    ],
)
def test_r_04b_an_order_without_a_readable_dose_is_named_beside_the_sum(other: IronOrder, words: str) -> None:
    asked = case(facts(), draft("a", "1000"), session=(draft("a", "1000"), other))
    (text,) = duplicates(asked)
    assert words in text
    assert "Together 1000 mg, and \u2063b\u2063 without a readable dose." in text


@pytest.mark.parametrize(
    ("one", "words"),
    [
        row("R-04b", "in the session", session(draft("a"), draft("b")), "\u2063b\u2063, 750 mg. Together 1500 mg."),
        row("R-04b", "given twice", session(draft("a"), draft("b", administrations=2)), "\u2063b\u2063, 2 x 750 mg."),
        row(
            "R-04b", "signed", session(draft("a"), chart=(signed("s"),)), "750 mg (signed 2026-02-28, no administration"
        ),
        row(
            "R-04b",
            "signed without a date",
            session(draft("a"), chart=(signed("s", days_ago=None),)),
            "750 mg (signed, undated, no administration",
        ),
    ],
)
def test_r_04b_the_other_order_is_named_with_amount_and_signing(one: Case, words: str) -> None:
    (text,) = duplicates(one)
    assert words in text


def test_r_04b_without_dates_the_line_asks_for_them() -> None:
    (text,) = duplicates(session(draft("a"), draft("b")))
    assert "date of each" in text


SIGNED = [
    row("R-04b", "active", signed("s"), True),
    row("R-04b", "on hold", signed("s", status="on-hold"), True),
    row("R-04b", "completed", signed("s", status="completed"), False),
    row("R-04b", "stopped", signed("s", status="stopped"), False),
    row("R-04b", "89 days ago", signed("s", days_ago=89), True),
    row("R-04b", "90 days ago", signed("s", days_ago=90), True),
    row("R-04b", "91 days ago", signed("s", days_ago=91), False),
    row("R-04b", "undated", signed("s", days_ago=None), True),
    row("R-04b", "not to be given", signed("s", do_not_perform=True), False),
    row("R-04b", "imaging agent", signed("s", ingredient=FERUMOXYTOL, is_imaging=True), False),
    row("R-04b", "the order itself, read from the chart", signed("a"), False),
]


@pytest.mark.parametrize(("in_chart", "is_duplicate"), SIGNED)
def test_r_04b_signed_orders_of_the_last_90_days(in_chart: IronOrder, is_duplicate: bool) -> None:
    found = duplicates(session(draft("a", "500"), chart=(in_chart,)))
    assert bool(found) is is_duplicate
    assert all("given or not?" in text and "Together 1250 mg." in text for text in found)


GIVEN = [
    row("R-04b", "an administration names it", given(mg="750", days_ago=3, refers_to=("MedicationRequest/s",)), False),
    row("R-04b", "by a full address", given(days_ago=3, refers_to=("https://e.example/MedicationRequest/s",)), False),
    row("R-04b", "names another order", given(days_ago=3, refers_to=("MedicationRequest/x",)), True),
    row("R-04b", "same product after signing, names none", given(days_ago=3), False),
    row("R-04b", "same product on the day of signing", given(days_ago=10), False),
    row("R-04b", "same product before signing", given(days_ago=11), True),
    row("R-04b", "another product after signing", given(SUCROSE, days_ago=3), True),
    row("R-04b", "in the future", given(days_ago=-1, refers_to=("MedicationRequest/s",)), True),
    row("R-04b", "no date", given(day=None, refers_to=("MedicationRequest/s",)), True),
]


@pytest.mark.parametrize(("record", "is_duplicate"), GIVEN)
def test_r_04b_a_signed_order_with_an_administration_on_record_is_done(record: DoseRecord, is_duplicate: bool) -> None:
    asked = session(draft("a", "500"), chart=(signed("s"),), records=(record,))
    assert bool(duplicates(asked)) is is_duplicate


def test_r_04b_an_undated_signed_order_is_done_only_when_named() -> None:
    asked = session(draft("a"), chart=(signed("s", days_ago=None),), records=(given(days_ago=3),))
    assert "undated" in duplicates(asked)[0]


# ------------------------------------------------------------------------------------ R-04b (ii): one planned course

COURSES = [
    row("R-04b", "7 days apart", draft("a", **on(1)), draft("b", **on(8)), True),
    row("R-04b", "6 days apart, label 7", draft("a", **on(1)), draft("b", **on(7)), False),
    row("R-04b", "28 days apart", draft("a", **on(0)), draft("b", **on(28)), True),
    row("R-04b", "29 days apart", draft("a", **on(0)), draft("b", **on(29)), False),
    row("R-04b", "the same day", draft("a", **on(1)), draft("b", **on(1)), False),
    row("R-04b", "exactly 1500 mg", draft("a", "1000", **on(1)), draft("b", "500", **on(8)), True),
    row("R-04b", "1501 mg", draft("a", "1000", **on(1)), draft("b", "501", **on(8)), False),
    row("R-04b", "one without a date", draft("a", **on(1)), draft("b"), False),
    row("R-04b", "this one without a date", draft("a"), draft("b", **on(8)), False),
    row(
        "R-04b",
        "one date for two administrations",
        draft("a", "500", **on(1)),
        draft("b", "500", administrations=2, planned=(day(-8),)),
        False,
    ),
    row("R-04b", "a date that has passed", draft("a", **on(1)), draft("b", planned=(day(7),)), False),
    row(
        "R-04b",
        "only a month",
        draft("a", **on(1)),
        draft("b", planned=(Day(date(2026, 4, 1), date(2026, 4, 30)),)),
        False,
    ),
    row(
        "R-04b",
        "ferumoxytol 3 days apart",
        draft("a", "510", FERUMOXYTOL, **on(1)),
        draft("b", "510", FERUMOXYTOL, **on(4)),
        True,
    ),
    row(
        "R-04b",
        "ferumoxytol 2 days apart",
        draft("a", "510", FERUMOXYTOL, **on(1)),
        draft("b", "510", FERUMOXYTOL, **on(3)),
        False,
    ),
    row(
        "R-04b",
        "sucrose on the next day",
        draft("a", "200", SUCROSE, **on(1)),
        draft("b", "200", SUCROSE, **on(2)),
        True,
    ),
    row(
        "R-04b",
        "sucrose on the same day",
        draft("a", "200", SUCROSE, **on(1)),
        draft("b", "200", SUCROSE, **on(1)),
        False,
    ),
    row("R-04b", "two products with dates", draft("a", "500", **on(1)), draft("b", "200", SUCROSE, **on(8)), False),
    row("R-04b", "product not named", draft("a", "500", None, **on(1)), draft("b", "500", None, **on(8)), False),
    row("R-04b", "a dose not written counts 0", draft("a", **on(1)), draft("b", None, **on(8)), True),
    row(
        "R-04b",
        "several dates each",
        draft("a", "200", SUCROSE, **on(1, 5)),
        draft("b", "200", SUCROSE, **on(3, 7)),
        True,
    ),
]


@pytest.mark.parametrize(("one", "other", "is_course"), COURSES)
def test_r_04b_orders_with_dates_that_fit_are_one_planned_course(
    one: IronOrder, other: IronOrder, is_course: bool
) -> None:
    for evaluated, beside in ((one, other), (other, one)):
        asked = session(evaluated, beside)
        assert bool(doses.course_mates(asked)) is is_course
        assert bool(planned(asked)) is is_course
        assert bool(duplicates(asked)) is not is_course


def test_r_04b_a_planned_course_says_how_much_and_when() -> None:
    (text,) = planned(session(draft("a", **on(1)), draft("b", **on(8))))
    assert text == "One planned course: 2 doses planned, 1500 mg in all (2026-03-11, 2026-03-18)."


def test_r_04b_a_planned_course_counts_doses_per_kg_by_weight() -> None:
    per_kg = OrderDose(mg_per_kg=Decimal(10))
    (text,) = planned(session(draft("a", dose=per_kg, **on(1)), draft("b", "500", **on(8)), kg="60"))
    assert "2 doses planned, 1100 mg in all (" in text


def test_r_04b_a_planned_course_with_a_dose_not_written() -> None:
    (text,) = planned(session(draft("a", **on(1)), draft("b", None, **on(8))))
    assert "750 mg in all as far as doses can be read" in text


def test_r_04b_a_third_order_without_a_date_is_a_duplicate_beside_the_course() -> None:
    asked = session(draft("a", "500", **on(1)), draft("b", "500", **on(8)), draft("c", "500"))
    assert [mate.name for mate in doses.course_mates(asked)] == ["b"]
    (text,) = duplicates(asked)
    assert "\u2063c\u2063" in text
    assert "\u2063b\u2063" not in text


def test_r_04b_dates_that_do_not_fit_are_explained() -> None:
    (text,) = duplicates(session(draft("a", **on(1)), draft("b", **on(6))))
    assert "7 to 28 days apart" in text
    assert "date of each" not in text


@pytest.mark.parametrize(
    ("record", "is_course"),
    [
        row("R-41a", "with what the running course has had", given(mg="1", days_ago=8), False),
        row("R-41a", "another product", given(SUCROSE, mg="1000", days_ago=8), True),
        row("R-41a", "a course that is over", given(mg="1000", days_ago=29), True),
    ],
)
def test_r_04b_the_running_course_counts_towards_the_limit(record: DoseRecord, is_course: bool) -> None:
    asked = session(draft("a", **on(1)), draft("b", **on(8)), records=(record,))
    assert bool(doses.course_mates(asked)) is is_course


def test_r_04b_a_planned_course_names_what_was_given() -> None:
    asked = session(draft("a", "500", **on(1)), draft("b", "500", **on(8)), records=(given(mg="500", days_ago=8),))
    assert "1000 mg in all after 500 mg already given" in planned(asked)[0]


def test_r_04b_the_limit_of_a_planned_course_follows_the_weight() -> None:
    orders = (draft("a", "700", **on(1)), draft("b", "700", **on(8)))
    assert doses.course_mates(session(*orders, kg="50"))
    assert not doses.course_mates(session(*orders, kg="46"))


def test_r_04b_a_signed_first_dose_with_a_date_makes_a_course_with_this_order() -> None:
    asked = session(draft("a", **on(9)), chart=(signed("s", **on(2)),))
    assert planned(asked)
    assert not duplicates(asked)


def test_r_04b_a_signed_order_whose_date_has_passed_is_given_or_not() -> None:
    asked = session(draft("a", **on(5)), chart=(signed("s", planned=(day(2),)),))
    assert "given or not?" in duplicates(asked)[0]


def test_r_04b_a_duplicate_makes_the_card_a_warning_and_leaves_the_class() -> None:
    two = (draft("a", "750"), draft("b", "200", SUCROSE))
    alone = decide(case(facts(ferritin("48"), tsat("17"), weight("72")), two[0]))
    together = decide(case(facts(ferritin("48"), tsat("17"), weight("72")), two[0], session=two))
    assert lines(together, "R-04b")
    assert together.makes_warning
    assert together.conclusion is alone.conclusion


# ------------------------------------------------------------------------------------------ R-43, R-43a: planned date


@pytest.mark.parametrize(
    ("one", "other", "days_ahead"),
    [
        row("R-43", "no date: the hook date", draft("a"), None, 0),
        row("R-43a", "its date", draft("a", **on(5)), None, 5),
        row("R-43a", "today", draft("a", **on(0)), None, 0),
        row("R-43a", "the last of several", draft("a", **on(5, 12)), None, 12),
        row("R-43a", "passed: the hook date", draft("a", planned=(day(1),)), None, 0),
        row("R-43a", "one passed, one to come", draft("a", planned=(day(3), day(-4))), None, 4),
        row(
            "R-43a", "only a month is no date", draft("a", planned=(Day(date(2026, 4, 1), date(2026, 4, 30)),)), None, 0
        ),
        row("R-43a", "the last date of the course", draft("a", **on(1)), draft("b", **on(8)), 8),
        row("R-43a", "a duplicate is no course mate", draft("a", **on(1)), draft("b", **on(3)), 1),
    ],
)
def test_r_43a_planned_date(one: IronOrder, other: IronOrder | None, days_ahead: int) -> None:
    asked = session(one, *([other] if other else []))
    assert doses.planned_date(asked) == TODAY + timedelta(days=days_ahead)
    assert doses.anchor(asked) == (TODAY + timedelta(days=days_ahead), True)


@pytest.mark.parametrize(
    ("dates", "is_said"),
    [
        row("R-43a", "yesterday", (day(1),), True),
        row("R-43a", "today", (day(0),), False),
        row("R-43a", "one passed, one to come", (day(3), day(-4)), False),
        row("R-43a", "no date", (), False),
    ],
)
def test_r_43a_a_date_that_has_passed_is_said(dates: tuple[Day, ...], is_said: bool) -> None:
    found = texts("R-43a", session(draft("a", planned=dates)))
    assert bool(found) is is_said
    assert all("2026-03-09 has passed" in text for text in found)
