"""Courses of parenteral iron, and how an order stands to the iron already given (R-28b, R-40, R-41, R-41a, R-41d)."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from enum import StrEnum
from typing import TYPE_CHECKING

from cds_service.clinical.given_doses import Dose
from cds_service.clinical.model import Ingredient
from cds_service.clinical.order_dose import FULL_WEIGHT_KG, TEST_DOSE_MG, order_total_mg, weight_kg

if TYPE_CHECKING:
    from cds_service.clinical.case import Case

COURSE_GAP_DAYS = 28  # R-41, R-41a: at most so many days from one dose of a course to the next
# R-41a (F1, F3, F4, F5); iron dextran: the 1000 mg of the RLS series and a test dose (F2).
COURSE_LIMITS = {
    Ingredient.FCM: Decimal(1500),
    Ingredient.FERUMOXYTOL: Decimal(1020),
    Ingredient.DERISOMALTOSE: Decimal(1000),
    Ingredient.SUCROSE: Decimal(1000),
    Ingredient.GLUCONATE: Decimal(1000),
    Ingredient.DEXTRAN: Decimal(1000) + TEST_DOSE_MG,
}
COURSE_MG_PER_KG = {Ingredient.FCM: Decimal(30), Ingredient.DERISOMALTOSE: Decimal(20)}  # below 50 kg
SESSIONAL = (Ingredient.SUCROSE, Ingredient.GLUCONATE)  # R-28b
SESSIONAL_MOST_MG = Decimal(200)


class Relation(StrEnum):
    """How the order stands to the latest course."""

    NONE = "none"  # no dose that counts
    NEXT_DOSE = "next-dose"
    REPEAT = "repeat"
    UNCERTAIN = "uncertain"  # R-41d


@dataclass(frozen=True, slots=True)
class EarlierIron:
    """`course` is that of the latest dose, oldest first; it may be another product than the one ordered."""

    relation: Relation = Relation.NONE
    blackout_doses: tuple[Dose, ...] = ()  # doses that start the clocks of R-09, R-09a, R-40 (R-28b), oldest first
    latest: Dose | None = None
    days: int | None = None  # from the latest dose to the hook date
    course: tuple[Dose, ...] = ()
    course_total_mg: Decimal | None = None  # given so far; None when an amount is not known
    course_limit_mg: Decimal | None = None
    remaining_mg: Decimal | None = None  # R-41a: what the limit leaves for the next dose
    limit_reached: bool = False  # same product in time, but the order passes the limit
    unclear: tuple[Dose, ...] = ()  # R-41d: the doses whose amount or day decides

    @property
    def first_day(self) -> date | None:
        """Day of the first dose of the course."""
        return self.course[0].day if self.course else None


NO_IRON = EarlierIron()


def course_limit(ingredient: Ingredient | None, kilograms: Decimal | None) -> Decimal | None:
    """mg per course (R-41a); None when the product is not named. Without a weight the limit from 50 kg on."""
    if ingredient is None:
        return None
    limit = COURSE_LIMITS[ingredient]
    if kilograms is not None and kilograms < FULL_WEIGHT_KG and ingredient in COURSE_MG_PER_KG:
        return min(limit, COURSE_MG_PER_KG[ingredient] * kilograms)
    return limit


def is_small_in_dialysis(dose: Dose) -> bool:
    """R-28b, of a patient in dialysis; an amount that is not recorded is not known to be small."""
    return dose.ingredient in SESSIONAL and dose.amount_mg is not None and dose.amount_mg <= SESSIONAL_MOST_MG


def counted_doses(doses: tuple[Dose, ...], is_in_dialysis: bool) -> tuple[Dose, ...]:
    """The doses that start the clocks of R-09, R-09a, R-40 and R-41 (R-28b)."""
    if not is_in_dialysis:
        return doses
    return tuple(dose for dose in doses if not is_small_in_dialysis(dose))


# ------------------------------------------------------------------------------------- R-41a: which doses form a course


@dataclass(frozen=True, slots=True)
class Run:
    """A course as it may stand after the latest dose: its first dose, and the least and most mg given in it."""

    start: int  # position among the doses of the ingredient
    least: Decimal
    most: Decimal | None  # None = no upper bound


def trace_course(doses: Sequence[Dose], limit: Decimal | None) -> tuple[Run, ...]:
    """The courses to which the latest of `doses` (one ingredient, oldest first) may belong; one if all is known.

    Amounts that are not recorded and partial dates branch: a larger dose may pass the limit and open a new course.
    """
    runs: dict[int, Run] = {}
    for number, dose in enumerate(doses):
        after: dict[int, Run] = {}
        for run in runs.values():
            for branch in _branches(run, number, doses[number - 1], dose, limit):
                after[branch.start] = _hull(after.get(branch.start), branch)
        runs = after or {number: Run(number, dose.least_mg, dose.amount_mg)}
    return tuple(runs[start] for start in sorted(runs))


def _branches(run: Run, number: int, before: Dose, dose: Dose, limit: Decimal | None) -> list[Run]:
    opened = Run(number, dose.least_mg, dose.amount_mg)
    if limit is None or (dose.earliest - before.day).days > COURSE_GAP_DAYS:
        return [opened]
    most = None if run.most is None or dose.amount_mg is None else run.most + dose.amount_mg
    branches = []
    if run.least + dose.least_mg <= limit:
        branches.append(Run(run.start, run.least + dose.least_mg, limit if most is None else min(most, limit)))
    if (dose.day - before.earliest).days > COURSE_GAP_DAYS:
        branches.append(opened)
    elif most is None or most > limit:
        # It opens a course only by passing the limit, which bounds it from below.
        passing = Decimal(0) if run.most is None else limit - run.most
        branches.append(Run(number, max(dose.least_mg, passing), dose.amount_mg))
    return branches


def _hull(one: Run | None, other: Run) -> Run:
    if one is None:
        return other
    most = None if one.most is None or other.most is None else max(one.most, other.most)
    return Run(one.start, min(one.least, other.least), most)


# -------------------------------------------------------------------------------- R-41, R-41d: where the order stands


def place_order(case: "Case") -> EarlierIron:
    """The order among the iron already given. Reads doses, weight and dialysis only: results depend on the answer."""
    counted = counted_doses(case.doses, case.is_in_dialysis) if case.doses else ()
    if not counted:
        return NO_IRON
    latest = counted[-1]
    kilograms = weight_kg(case.weight)
    limit = course_limit(latest.ingredient, kilograms)
    of_product = [dose for dose in counted if dose.ingredient is latest.ingredient]
    runs = trace_course(of_product, limit)
    relation, limit_reached = _relate(case, counted, runs, limit)
    course = tuple(of_product[runs[0].start :])
    total = _total(course)
    return EarlierIron(
        relation=relation,
        blackout_doses=counted,
        latest=latest,
        days=(case.as_of - latest.day).days,
        course=course,
        course_total_mg=total,
        course_limit_mg=limit,
        remaining_mg=None if limit is None or total is None else max(limit - total, Decimal(0)),
        limit_reached=limit_reached,
        unclear=tuple(dose for dose in course if _is_unclear(dose)) if relation is Relation.UNCERTAIN else (),
    )


def _relate(
    case: "Case", counted: tuple[Dose, ...], runs: tuple[Run, ...], limit: Decimal | None
) -> tuple[Relation, bool]:
    """The relation, and whether it is a repeat only because the course limit is reached."""
    latest, as_of = counted[-1], case.as_of
    if limit is None or latest.ingredient is not case.order.ingredient or (as_of - latest.day).days > COURSE_GAP_DAYS:
        return Relation.REPEAT, False
    others = [dose for dose in counted if dose.ingredient is not latest.ingredient]
    if any(dose.day >= latest.day for dose in others):
        return Relation.REPEAT, False
    room = limit - (TEST_DOSE_MG if latest.ingredient is Ingredient.DEXTRAN else Decimal(0))
    ordered = order_total_mg(case.order, case.weight) or Decimal(0)
    if not any(_fits(run.least, ordered, limit, room) for run in runs):
        return Relation.REPEAT, True
    is_certain = (
        all(_fits(run.most, ordered, limit, room) for run in runs)
        and (as_of - latest.earliest).days <= COURSE_GAP_DAYS
        and not any(dose.day >= latest.earliest for dose in others)
    )
    return (Relation.NEXT_DOSE if is_certain else Relation.UNCERTAIN), False


def _fits(given: Decimal | None, ordered: Decimal, limit: Decimal, room: Decimal) -> bool:
    """A dose not written yet counts as 0 (R-41a); where nothing but a test dose is left, none can be the next dose."""
    return given is not None and given + ordered <= limit and given < room


def _is_unclear(dose: Dose) -> bool:
    return dose.amount_mg is None or not dose.is_exact_day


def _total(course: tuple[Dose, ...]) -> Decimal | None:
    amounts = [dose.amount_mg for dose in course]
    known = [amount for amount in amounts if amount is not None]
    return sum(known, Decimal(0)) if len(known) == len(amounts) else None
