"""Is this iron ordered twice, or is it one planned course of several doses (R-04b)?"""

from collections.abc import Sequence
from decimal import Decimal

from cds_service.clinical import doses
from cds_service.clinical.case import Case, Rule, Threshold
from cds_service.clinical.citations import DESIGN, H1
from cds_service.clinical.model import Answer, IronOrder, Line, NotApplicable, Phase, Rank, Remark, Used
from cds_service.clinical.order_dose import TEST_DOSE_MG
from cds_service.clinical.planned_course import SIGNED_DAYS
from cds_service.clinical.wording import quote

SIGNED_WITHIN = Threshold("a signed order without an administration counts for", SIGNED_DAYS, "days")
TEST_DOSE = Threshold("a test dose is no duplicate: iron dextran at most", TEST_DOSE_MG, "mg")

_ALONE = (NotApplicable("no other parenteral-iron order that is open"),)
ASK_FOR_DATES = "If they are doses of one planned course, consider writing the date of each."


def _evaluate(case: Case) -> tuple[Answer, ...]:
    others = doses.companions(case)
    if not others:
        return _ALONE
    mates = doses.course_mates(case)
    belongs = {mate.reference for mate in mates}
    twice = [order for order in others if order.reference not in belongs]
    answers: list[Answer] = []
    if twice:
        answers.append(_duplicate(case, twice))
    if mates:
        answers.append(_planned_course(case, mates))
    return tuple(answers)


def _duplicate(case: Case, others: Sequence[IronOrder]) -> Line:
    """R-52: makes the card a warning. The sum is of everything that can be read; the rest is named beside it."""
    together = (case.order, *others)
    named = "; ".join(_name(case, order) for order in others)
    parts = [f"Duplicate parenteral iron beside this order: {named}.", _sum_up(case, together)]
    of_product = [order for order in others if order.ingredient is case.order.ingredient]
    if of_product:
        parts.append(_why_no_course(case, of_product))
    used = tuple(Used("iron order", _amount(case, order), order.reference) for order in together)
    return Line(Rank.DUPLICATE, " ".join(parts), "another open order of parenteral iron", makes_warning=True, used=used)


def _name(case: Case, order: IronOrder) -> str:
    name = f"{quote(order.name)}, {_amount(case, order)}"
    if order.in_session:
        return name
    signed = f"signed {order.authored}" if order.authored else "signed, undated"
    return f"{name} ({signed}, no administration on record: given or not?)"


def _amount(case: Case, order: IronOrder) -> str:
    dose = doses.order_dose_mg(order, case.weight)
    if dose is None:
        return "dose not written" if order.dose.is_absent else "dose not readable"
    times = f"{order.administrations} x " if order.administrations > 1 else ""
    return f"{times}{doses.plain(dose)} mg"


def _sum_up(case: Case, orders: Sequence[IronOrder]) -> str:
    totals = [(order, doses.order_total_mg(order, case.weight)) for order in orders]
    known = [total for _, total in totals if total is not None]
    unknown = [order for order, total in totals if total is None]
    beside = f", and {', '.join(quote(order.name) for order in unknown)} without a readable dose" if unknown else ""
    return f"Together {doses.plain(sum(known, Decimal(0)))} mg{beside}."


def _why_no_course(case: Case, others: Sequence[IronOrder]) -> str:
    if any(not doses.upcoming_dates(order, case.as_of) for order in (case.order, *others)):
        return ASK_FOR_DATES
    least = doses.label_interval(case.order.ingredient)
    apart = f"{least} to {doses.COURSE_GAP_DAYS} days apart"
    return f"Their planned dates do not make one course (doses {apart}, within the course limit)."


def _planned_course(case: Case, mates: Sequence[IronOrder]) -> Remark:
    together = (case.order, *mates)
    count = sum(order.administrations for order in together)
    given = doses.given_in_course_mg(case)
    before = f" after {doses.plain(given)} mg already given" if given else ""
    totals = [doses.order_total_mg(order, case.weight) for order in together]
    total = doses.plain(sum((one for one in totals if one is not None), Decimal(0)))
    unknown = " as far as doses can be read" if None in totals else ""
    dates = ", ".join(
        when.isoformat()
        for when in sorted(when for order in together for when in doses.upcoming_dates(order, case.as_of))
    )
    text = f"One planned course: {count} doses planned, {total} mg in all{unknown}{before} ({dates})."
    used = tuple(Used("iron order", _amount(case, order), order.reference) for order in together)
    return Remark("product", text, "orders of one product with dates that keep the label interval", used=used)


RULES: tuple[Rule, ...] = (
    Rule(
        "R-04b",
        "Duplicate iron orders told from planned courses and test doses",
        Phase.TEXT,
        (H1, DESIGN),
        ("order", "session", "signed_orders", "dose_records", "weight"),
        _evaluate,
        (SIGNED_WITHIN, TEST_DOSE),
    ),
)
