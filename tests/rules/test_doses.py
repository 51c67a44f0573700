"""R-40e: the records of a chart brought together into doses given, and how a dose is worded."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import time, timedelta
from decimal import Decimal
from itertools import permutations
from typing import Any

import pytest

from cds_service.clinical import doses
from cds_service.clinical.dates import Day
from cds_service.clinical.given_doses import local_reference
from cds_service.clinical.model import DoseRecord, DoseSource, Ingredient
from tests.rules.build import TODAY, day, given
from tests.rules.chart import dose as dosed

FCM, SUCROSE, DEXTRAN = Ingredient.FCM, Ingredient.SUCROSE, Ingredient.DEXTRAN


def row(rule_id: str, words: str, *values: object) -> Any:
    return pytest.param(*values, id=f"{rule_id} {words}")


# ----------------------------------------------------------------------------------- R-40e: records brought together


def record(source: DoseSource, mg: str | None = "750", *, days_ago: int = 10, **changes: Any) -> DoseRecord:
    return given(mg=mg, days_ago=days_ago, source=source, **{"reference": f"{source}/{days_ago}", **changes})


def administration(mg: str | None = "750", *, days_ago: int = 10, **changes: Any) -> DoseRecord:
    return record(DoseSource.ADMINISTRATION, mg, days_ago=days_ago, **changes)


def completed_order(mg: str | None = "1000", *, days_ago: int = 10, ref: str = "A", **changes: Any) -> DoseRecord:
    reference = f"MedicationRequest/{ref}"
    return record(
        DoseSource.ORDER, mg, days_ago=days_ago, **{"reference": reference, "refers_to": (reference,), **changes}
    )


def statement(mg: str | None = "500", *, days_ago: int = 10, **changes: Any) -> DoseRecord:
    return record(DoseSource.STATEMENT, mg, days_ago=days_ago, **changes)


def procedure(*, days_ago: int = 10, **changes: Any) -> DoseRecord:
    return record(DoseSource.PROCEDURE, None, days_ago=days_ago, **changes)


def shape(records: Sequence[DoseRecord]) -> list[tuple[int, str | None, Ingredient | None]]:
    """(days ago, mg, ingredient) of every dose, oldest first."""
    return [
        ((TODAY - dose.day).days, None if dose.amount_mg is None else f"{dose.amount_mg}", dose.ingredient)
        for dose in doses.read_doses(records, TODAY)
    ]


FOR_A: dict[str, Any] = {"refers_to": ("MedicationRequest/A",)}
BROUGHT_TOGETHER = [
    row("R-40e", "one administration", [administration()], [(10, "750", FCM)]),
    row(
        "R-40e",
        "two administrations of a day are one dose, amounts added",
        [
            administration("25", reference="a", ingredient=DEXTRAN),
            administration("975", reference="b", ingredient=DEXTRAN),
        ],
        [(10, "1000", DEXTRAN)],
    ),
    row(
        "R-40e",
        "two days are two doses, oldest first",
        [administration(days_ago=3), administration(days_ago=10)],
        [(10, "750", FCM), (3, "750", FCM)],
    ),
    row(
        "R-40e",
        "an amount missing of a day: the dose is not known",
        [administration("25", reference="a"), administration(None, reference="b")],
        [(10, None, FCM)],
    ),
    row(
        "R-40e",
        "two products of a day stay two",
        [administration(), administration("200", ingredient=SUCROSE, reference="b")],
        [(10, "750", FCM), (10, "200", SUCROSE)],
    ),
    row("R-40e", "the same record twice is one", [administration(), administration()], [(10, "750", FCM)]),
    row(
        "R-40e",
        "an order the administration names is the same dose, day and amount of the administration win",
        [administration(days_ago=8, **FOR_A), completed_order(days_ago=10)],
        [(8, "750", FCM)],
    ),
    row(
        "R-40e",
        "named by a full, versioned address",
        [
            administration(days_ago=8, refers_to=("https://ehr.example/fhir/MedicationRequest/A/_history/2",)),
            completed_order(days_ago=10),
        ],
        [(8, "750", FCM)],
    ),
    row("R-40e", "same product and day", [administration(), completed_order()], [(10, "750", FCM)]),
    row(
        "R-40e",
        "an order of the same product on another day, not named, is a dose of its own",
        [administration(days_ago=8), completed_order(days_ago=10)],
        [(10, "1000", FCM), (8, "750", FCM)],
    ),
    row(
        "R-40e",
        "same day, other product",
        [administration(), completed_order("200", ingredient=SUCROSE)],
        [(10, "750", FCM), (10, "200", SUCROSE)],
    ),
    row(
        "R-40e",
        "an amount the administration lacks is taken from the order",
        [administration(None, **FOR_A), completed_order()],
        [(10, "1000", FCM)],
    ),
    row(
        "R-40e",
        "one of two planned days is documented: the other stays as taken from the order",
        [administration(days_ago=9, **FOR_A), completed_order(days_ago=10), completed_order(days_ago=3)],
        [(9, "750", FCM), (3, "1000", FCM)],
    ),
    row(
        "R-40e",
        "both planned days are documented a day late",
        [
            administration(days_ago=9, **FOR_A),
            administration(days_ago=2, **FOR_A),
            completed_order(days_ago=10),
            completed_order(days_ago=3),
        ],
        [(9, "750", FCM), (2, "750", FCM)],
    ),
    row(
        "R-40e",
        "statement, procedure and administration of one day",
        [administration(), statement(), procedure()],
        [(10, "750", FCM)],
    ),
    row("R-40e", "a statement alone", [statement()], [(10, "500", FCM)]),
    row("R-40e", "a procedure alone has no amount", [procedure()], [(10, None, FCM)]),
    row("R-40e", "procedure and statement of one day", [procedure(), statement()], [(10, "500", FCM)]),
    row(
        "R-40e",
        "two statements about one day do not add up",
        [statement("500", reference="s1"), statement("750", reference="s2")],
        [(10, "750", FCM)],
    ),
    row(
        "R-40e",
        "two completed orders of one day do",
        [completed_order("750", ref="A"), completed_order("750", ref="B")],
        [(10, "1500", FCM)],
    ),
    row(
        "R-40e",
        "a procedure that names the order is nearer to the infusion than the day of writing",
        [procedure(days_ago=4, **FOR_A), completed_order(days_ago=10)],
        [(4, "1000", FCM)],
    ),
    row("R-40e", "product not named", [administration(ingredient=None)], [(10, "750", None)]),
    row(
        "R-40e",
        "an unnamed administration is a portion of the named one of its day",
        [administration("25", ingredient=None, reference="a"), administration("725", reference="b")],
        [(10, "750", FCM)],
    ),
    row(
        "R-40e",
        "an unnamed administration takes the product of the order it names",
        [administration("750", ingredient=None, **FOR_A), completed_order()],
        [(10, "750", FCM)],
    ),
    row(
        "R-40e",
        "an unnamed order on the day of a named administration",
        [administration(), completed_order(ingredient=None)],
        [(10, "750", FCM)],
    ),
    row(
        "R-40e",
        "an unnamed administration beside two products stays unnamed",
        [
            administration(ingredient=None, reference="a"),
            administration(reference="b"),
            administration("200", ingredient=SUCROSE, reference="c"),
        ],
        [(10, "750", None), (10, "750", FCM), (10, "200", SUCROSE)],
    ),
    row(
        "R-40e",
        "two infusions near one of the planned days document both",
        [
            administration(days_ago=9, **FOR_A),
            administration(days_ago=8, **FOR_A),
            completed_order(days_ago=10),
            completed_order(days_ago=3),
        ],
        [(9, "750", FCM), (8, "750", FCM)],
    ),
    row(
        "R-40e",
        "beside an unnamed and another product the order belongs to its own",
        [
            administration(ingredient=None, reference="a"),
            administration(reference="b"),
            administration(None, ingredient=SUCROSE, reference="c"),
            completed_order("200", ingredient=SUCROSE),
        ],
        [(10, "750", None), (10, "750", FCM), (10, "200", SUCROSE)],
    ),
    row(
        "R-40e",
        "an unnamed order on the day of two products is no third",
        [administration(), administration("200", ingredient=SUCROSE, reference="b"), completed_order(ingredient=None)],
        [(10, "750", FCM), (10, "200", SUCROSE)],
    ),
    row(
        "R-40e",
        "an order that another record of the infusion names",
        [administration(), statement(refers_to=("MedicationRequest/B",)), completed_order(days_ago=12, ref="B")],
        [(10, "750", FCM)],
    ),
    row(
        "R-40e",
        "an order that the administration names beside another record",
        [
            administration(**FOR_A),
            statement(refers_to=("MedicationRequest/B",)),
            completed_order(days_ago=12),
        ],
        [(10, "750", FCM)],
    ),
    row(
        "R-40e",
        "an order that one of two portions names",
        [
            administration(reference="a", **FOR_A),
            administration(reference="b", refers_to=("MedicationRequest/B",)),
            completed_order(days_ago=12),
        ],
        [(10, "1500", FCM)],
    ),
    row(
        "R-40e",
        "an unnamed portion whose order names the product, beside a named one",
        [
            administration("25", ingredient=None, reference="a", **FOR_A),
            administration("725", reference="b"),
            completed_order(days_ago=12),
        ],
        [(10, "750", FCM)],
    ),
    row(
        "R-40e",
        "of two statements one without amount: the other tells it",
        [statement("500", reference="s1"), statement(None, reference="s2")],
        [(10, "500", FCM)],
    ),
    row(
        "R-40e",
        "an undated record beside a dated one",
        [administration(day=None, reference="a"), administration(reference="b")],
        [(10, "750", FCM)],
    ),
    row("R-40e", "without a date no dose", [administration(day=None)], []),
    row("R-40e", "today counts", [administration(days_ago=0)], [(0, "750", FCM)]),
    row("R-40e", "tomorrow does not", [administration(days_ago=-1)], []),
    row("R-40e", "nothing on record", [], []),
]


@pytest.mark.parametrize(("records", "expected"), BROUGHT_TOGETHER)
def test_r_40e_one_infusion_is_one_dose(
    records: list[DoseRecord], expected: list[tuple[int, str | None, Ingredient | None]]
) -> None:
    assert shape(records) == expected


@pytest.mark.parametrize(("records", "expected"), BROUGHT_TOGETHER)
def test_r_40e_the_order_of_records_never_matters(
    records: list[DoseRecord], expected: list[tuple[int, str | None, Ingredient | None]]
) -> None:
    found = {doses.read_doses(one, TODAY) for one in permutations(records)}
    assert len(found) == 1
    assert len(found.pop()) == len(expected)


@pytest.mark.parametrize(
    ("partial", "counted_days_ago", "is_exact"),
    [
        row("R-08a", "a month in the past counts with its last day", Day(day(38).first, day(11).first), 11, False),
        row("R-08a", "the running month counts up to today", Day(day(9).first, day(-21).first), 0, False),
        row("R-08a", "a month beginning today can only be today", Day(day(0).first, day(-30).first), 0, True),
        row("R-08a", "a full date", day(11), 11, True),
    ],
)
def test_r_40e_of_a_partial_date_the_latest_day_counts(partial: Day, counted_days_ago: int, is_exact: bool) -> None:
    (dose,) = doses.read_doses([administration(day=partial)], TODAY)
    assert (TODAY - dose.day).days == counted_days_ago
    assert dose.is_exact_day is is_exact
    assert dose.earliest == partial.first


def test_r_40e_a_partial_date_wholly_in_the_future_is_no_dose() -> None:
    assert doses.read_doses([administration(day=Day(day(-1).first, day(-30).first))], TODAY) == ()


@pytest.mark.parametrize(
    ("records", "is_from_order"),
    [
        row("R-40e", "order alone", [completed_order()], True),
        row("R-40e", "order and administration", [administration(), completed_order()], False),
        row("R-40e", "amount taken over from the order", [administration(None), completed_order()], True),
        row("R-40e", "amount taken over from a statement", [administration(None), statement()], False),
        row("R-40e", "statement alone", [statement()], False),
    ],
)
def test_r_40e_what_comes_from_an_order_is_marked(records: list[DoseRecord], is_from_order: bool) -> None:
    (dose,) = doses.read_doses(records, TODAY)
    assert dose.from_order is is_from_order
    assert ("taken from the order" in doses.describe(dose)) is is_from_order


def test_r_40e_a_dose_names_every_record_it_was_made_of() -> None:
    (dose,) = doses.read_doses([administration(), completed_order(), procedure()], TODAY)
    assert dose.references == ("MedicationRequest/A", "administration/10", "procedure/10")


def at(hour: int, days_ago: int = 10) -> Day:
    when = TODAY - timedelta(days=days_ago)
    return Day(when, when, time(hour, 0))


@pytest.mark.parametrize(
    ("records", "clock"),
    [
        row("R-09a", "clock of the administration", [administration(day=at(9))], time(9)),
        row(
            "R-09a",
            "the first of several",
            [administration(day=at(10), reference="a"), administration(day=at(9), reference="b")],
            time(9),
        ),
        row(
            "R-09a",
            "one without a clock: not known",
            [administration(day=at(9), reference="a"), administration(reference="b")],
            None,
        ),
        row("R-09a", "an order says when it was to be given, not when it was", [completed_order(day=at(9))], None),
    ],
)
def test_r_09a_clock_time_of_a_dose(records: list[DoseRecord], clock: time | None) -> None:
    (dose,) = doses.read_doses(records, TODAY)
    assert dose.clock == clock


def test_r_40e_an_incomplete_amount_keeps_what_is_recorded() -> None:
    (dose,) = doses.read_doses([administration("25", reference="a"), administration(None, reference="b")], TODAY)
    assert (dose.amount_mg, dose.least_mg) == (None, Decimal(25))
    assert "unrecorded amount" in doses.describe(dose)
    (known,) = doses.read_doses([administration("750")], TODAY)
    assert known.least_mg == Decimal(750)


@pytest.mark.parametrize(
    ("records", "said"),
    [
        row("R-40e", "an exact day", [administration()], "750 mg ferric carboxymaltose on 2026-02-28"),
        row("R-40e", "an unrecorded amount", [procedure()],
            "an unrecorded amount of ferric carboxymaltose on 2026-02-28"),
        row("R-40e", "a product not named", [administration(ingredient=None)],
            "750 mg IV iron (product not named) on 2026-02-28"),
        row("R-40e", "taken from the order", [completed_order()],
            "1000 mg ferric carboxymaltose on 2026-02-28 (taken from the order)"),
        row("R-08a", "a partial date", [administration("750.50", day=Day(day(38).first, day(11).first))],
            "750.5 mg ferric carboxymaltose on a day from 2026-01-31 to 2026-02-27"),
    ],
)  # fmt: skip
def test_r_40e_a_dose_is_described_with_what_is_not_certain_about_it(records: list[DoseRecord], said: str) -> None:
    (dose,) = doses.read_doses(records, TODAY)
    assert doses.describe(dose) == said


@pytest.mark.parametrize(
    ("value", "shown"),
    [("1000", "1000"), ("1E+3", "1000"), ("750.50", "750.5"), ("750.00", "750"), ("0", "0"), ("100.0", "100")],
)
def test_r_32a_an_amount_is_shown_without_idle_zeros(value: str, shown: str) -> None:
    assert doses.plain(Decimal(value)) == shown


@pytest.mark.parametrize(
    ("reference", "local"),
    [
        ("MedicationRequest/A", "MedicationRequest/A"),
        ("https://ehr.example/fhir/MedicationRequest/A", "MedicationRequest/A"),
        ("https://ehr.example/fhir/MedicationRequest/A/_history/2", "MedicationRequest/A"),
        ("MedicationRequest/A/_history/2", "MedicationRequest/A"),
        ("urn:uuid:1", "urn:uuid:1"),
    ],
)
def test_r_40e_an_order_is_the_same_under_each_of_its_addresses(reference: str, local: str) -> None:
    assert local_reference(reference) == local


def test_r_40e_portions_with_and_without_a_product_are_one_dose_in_every_respect() -> None:
    first, second = Day(day(10).first, day(10).last, time(9)), Day(day(12).first, day(10).last)
    unnamed = administration("25", ingredient=None, reference="a", day=first)
    (dose,) = doses.read_doses([unnamed, administration("725", reference="b", day=at(11))], TODAY)
    assert (dose.references, dose.clock, dose.earliest) == (("a", "b"), time(9), day(10).first)
    (vague,) = doses.read_doses([unnamed, administration("725", reference="b", day=second)], TODAY)
    assert (vague.clock, vague.is_exact_day, vague.amount_mg) == (None, True, Decimal(750))


def test_r_40e_at_least_nothing_was_given_where_no_amount_is_recorded() -> None:
    (dose,) = doses.read_doses([procedure()], TODAY)
    assert dose.least_mg == Decimal(0)
    assert dosed(8, mg="750").least_mg == Decimal(750)


def test_r_40e_undated_records_are_found() -> None:
    records = [administration(), replace(administration(), day=None, reference="MedicationAdministration/undated")]
    assert [one.reference for one in doses.undated(records)] == ["MedicationAdministration/undated"]
