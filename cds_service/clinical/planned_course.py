"""Orders that belong together, a test dose or one planned course, and the day they are to be given (R-04b, R-43a)."""

from collections.abc import Iterable
from datetime import date
from decimal import Decimal
from itertools import pairwise
from typing import TYPE_CHECKING

from cds_service.clinical.courses import COURSE_GAP_DAYS, course_limit
from cds_service.clinical.given_doses import local_reference
from cds_service.clinical.model import DoseRecord, DoseSource, Ingredient, IronOrder
from cds_service.clinical.order_dose import TEST_DOSE_MG, order_total_mg, weight_kg

if TYPE_CHECKING:
    from cds_service.clinical.case import Case

SIGNED_DAYS = 90  # R-04b
OPEN_STATUSES = ("active", "on-hold")  # R-04b
# R-41 (F1, F3): least days between two doses by label.
LABEL_INTERVAL_DAYS = {Ingredient.FCM: 7, Ingredient.FERUMOXYTOL: 3}
DIFFERENT_DAYS = 1  # other products: only the dates have to differ


# ----------------------------------------------------------------------------------------------- R-04b, R-33: test dose


def has_test_dose_size(order: IronOrder) -> bool:
    """An iron-dextran order of 25 mg or less."""
    mg = order.dose.mg
    return order.ingredient is Ingredient.DEXTRAN and mg is not None and mg <= TEST_DOSE_MG


def is_test_dose(order: IronOrder, session: Iterable[IronOrder]) -> bool:
    """R-04b (i): beside a larger dextran order, or one whose dose is not written yet, it is that order's test dose."""
    return has_test_dose_size(order) and any(_is_larger(other, order) for other in session)


def _is_larger(other: IronOrder, order: IronOrder) -> bool:
    if other.ingredient is not Ingredient.DEXTRAN or other.reference == order.reference:
        return False
    return other.dose.mg is None or (order.dose.mg is not None and other.dose.mg > order.dose.mg)


# ----------------------------------------------------------------------------------------------- R-04b: companions


def companions(case: "Case") -> tuple[IronOrder, ...]:
    """The other orders that this one is a duplicate or a course mate of: the session's, and signed ones not given."""
    if len(case.session) == 1 and not case.facts.signed_orders:
        return ()
    known = {order.reference for order in case.session}
    signed = [order for order in case.facts.signed_orders if order.reference not in known and _is_open(case, order)]
    together = (*case.session, *signed)
    return tuple(
        order for order in together if order.reference != case.order.reference and not is_test_dose(order, together)
    )


def _is_open(case: "Case", order: IronOrder) -> bool:
    """Signed in the last 90 days, undated ones included, and no administration on record: given or not?"""
    if order.status not in OPEN_STATUSES or order.is_imaging or order.do_not_perform:
        return False
    if order.authored is not None and (case.as_of - order.authored.last).days > SIGNED_DAYS:
        return False
    return not any(_is_given_for(record, order, case.as_of) for record in case.facts.dose_records)


def _is_given_for(record: DoseRecord, order: IronOrder, as_of: date) -> bool:
    """An administration that names the order; without naming any, the same product given on or after its signing."""
    if record.source is not DoseSource.ADMINISTRATION or record.day is None or record.day.first > as_of:
        return False
    if record.refers_to:
        return local_reference(order.reference) in {local_reference(one) for one in record.refers_to}
    if order.authored is None or record.ingredient is not order.ingredient or order.ingredient is None:
        return False
    return record.day.first >= order.authored.last


# ------------------------------------------------------------------------------- R-04b (ii), R-41a: one planned course


def label_interval(ingredient: Ingredient | None) -> int:
    """Least days between two doses (R-41); products without a label interval: different days."""
    return LABEL_INTERVAL_DAYS.get(ingredient, DIFFERENT_DAYS) if ingredient else DIFFERENT_DAYS


def upcoming_dates(order: IronOrder, as_of: date) -> tuple[date, ...]:
    """Planned dates that have not passed, in order; partial dates are no dates (R-08a, R-43a)."""
    return tuple(sorted(day.first for day in order.planned if day.is_exact and day.first >= as_of))


def course_mates(case: "Case") -> tuple[IronOrder, ...]:
    """Orders that form one planned course with this one; empty when there is none or they do not fit together."""
    mates = tuple(
        order
        for order in companions(case)
        if order.ingredient is case.order.ingredient and _is_fully_dated(order, case.as_of)
    )
    if not mates or case.order.ingredient is None or not _is_fully_dated(case.order, case.as_of):
        return ()
    together = (case.order, *mates)
    return mates if _keeps_intervals(case, together) and _keeps_limit(case, together) else ()


def _is_fully_dated(order: IronOrder, as_of: date) -> bool:
    """Every administration has its date, and not all of them have passed."""
    if not order.planned or len(order.planned) < order.administrations:
        return False
    return all(day.is_exact for day in order.planned) and bool(upcoming_dates(order, as_of))


def _keeps_intervals(case: "Case", orders: Iterable[IronOrder]) -> bool:
    dates = sorted(when for order in orders for when in upcoming_dates(order, case.as_of))
    least = label_interval(case.order.ingredient)
    return all(least <= (after - before).days <= COURSE_GAP_DAYS for before, after in pairwise(dates))


def _keeps_limit(case: "Case", orders: Iterable[IronOrder]) -> bool:
    """With what the running course has had already; a dose that is not written yet counts as 0 (R-41a)."""
    limit = course_limit(case.order.ingredient, weight_kg(case.weight))
    ordered = sum((order_total_mg(order, case.weight) or Decimal(0) for order in orders), Decimal(0))
    return limit is not None and given_in_course_mg(case) + ordered <= limit


def given_in_course_mg(case: "Case") -> Decimal:
    """What is known to have been given in a course of this product that still runs; 0 when none does."""
    earlier = case.earlier_iron
    if (
        earlier.latest is None
        or earlier.latest.ingredient is not case.order.ingredient
        or earlier.latest.ingredient is None
    ):
        return Decimal(0)
    if earlier.days is None or earlier.days > COURSE_GAP_DAYS:
        return Decimal(0)
    return sum((dose.least_mg for dose in earlier.course), Decimal(0))


# ------------------------------------------------------------------------------------------- R-43, R-43a: planned date


def planned_date(case: "Case") -> date:
    """The last date planned for this order and its course mates; the hook date if none is known (R-43a)."""
    return max(
        (when for order in (case.order, *course_mates(case)) for when in upcoming_dates(order, case.as_of)),
        default=case.as_of,
    )


def next_date(case: "Case") -> date:
    """The first date on which this order is to be given; the hook date ("if given today") if none is known (R-41)."""
    return min(upcoming_dates(case.order, case.as_of), default=case.as_of)


def passed_date(case: "Case") -> date | None:
    """R-43a: the last planned date, when all of them have passed."""
    passed = [day.last for day in case.order.planned]
    return max(passed) if passed and max(passed) < case.as_of else None


def anchor(case: "Case") -> tuple[date, bool]:
    """Day 0 of the schedule (R-43) and whether it is provisional: it is, as long as the order is not given."""
    return planned_date(case), True
