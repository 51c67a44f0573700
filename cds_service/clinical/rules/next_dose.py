"""Is this the next dose of a running course, and what remains of it (R-41, R-41a, R-41c, R-41d)?"""

from datetime import timedelta
from decimal import Decimal

from cds_service.clinical import courses, doses
from cds_service.clinical.case import Case, Rule, Threshold
from cds_service.clinical.citations import DESIGN, F1, F3, F4, F5
from cds_service.clinical.doses import EarlierIron, Relation
from cds_service.clinical.model import (
    Answer,
    Conclusion,
    Line,
    NotApplicable,
    Phase,
    Rank,
    Remark,
    Verdict,
)
from cds_service.clinical.specimen_time import BLACKOUT_DAYS

COURSE_GAP = Threshold("next dose of a course up to", courses.COURSE_GAP_DAYS, "days after the latest")
_COURSE_LIMITS = tuple(
    Threshold(f"course limit of {doses.name_product(ingredient)}", limit, "mg")
    for ingredient, limit in courses.COURSE_LIMITS.items()
) + tuple(
    Threshold(f"course limit of {doses.name_product(ingredient)} below 50 kg", per_kg, "mg/kg")
    for ingredient, per_kg in courses.COURSE_MG_PER_KG.items()
)

# ----------------------------------------------------------------------------------- R-41d: a dose not known enough

_CERTAIN = (NotApplicable("the amounts and days on record settle whether this is the next dose of a course"),)


def _evaluate_uncertain(case: Case) -> tuple[Answer, ...]:
    earlier = case.earlier_iron
    if earlier.relation is not Relation.UNCERTAIN:
        return _CERTAIN
    asked = "; ".join(doses.describe(dose) for dose in earlier.unclear)
    return (
        Verdict(
            Conclusion.INSUFFICIENT_DATA,
            "an earlier dose is not known well enough to tell the next dose of a course from a repeat",
            "amount and day of the earlier dose needed",
            (
                f"Whether this order continues the running course or repeats it depends on an earlier dose: {asked}.",
                "Consider completing the record of that dose (amount in mg, exact day).",
            ),
            tuple(doses.use_dose(dose) for dose in earlier.unclear),
        ),
    )


UNCERTAIN = Rule(
    "R-41d",
    "An earlier amount or day that is not known and decides is asked for",
    Phase.EARLIER_IRON,
    (DESIGN,),
    ("earlier_iron",),
    _evaluate_uncertain,
    (COURSE_GAP,),
)

# ------------------------------------------------------------------------------------------ R-41, R-41a: the course

_NO_COURSE = (NotApplicable("not the next dose of a running course"),)


def _evaluate_course(case: Case) -> tuple[Answer, ...]:
    earlier = case.earlier_iron
    if earlier.limit_reached:
        return (_limit_reached(case, earlier),)
    if earlier.relation is not Relation.NEXT_DOSE:
        return _check_new_course(case)
    answers: list[Answer] = [_running_course(case, earlier)]
    if doses.order_total_mg(case.order, case.weight) is None and earlier.remaining_mg is not None:
        text = f"At most {doses.show_ceiling(earlier.remaining_mg)} mg remain in this course."
        answers.append(Line(Rank.INTERVAL_PHOSPHATE, text, "no dose that can be counted in the order"))
    return tuple(answers)


def _check_new_course(case: Case) -> tuple[Answer, ...]:
    """An order of several administrations can pass the limit by itself; sessional doses in dialysis make no course."""
    total = doses.order_total_mg(case.order, case.weight)
    limit = doses.course_limit(case.order.ingredient, doses.weight_kg(case.weight))
    if total is None or limit is None or total <= limit or _is_sessional(case):
        return _NO_COURSE
    text = (
        f"The order amounts to {doses.plain(total)} mg, above the limit of one course ({doses.show_ceiling(limit)} mg)."
    )
    return (Line(Rank.INTERVAL_PHOSPHATE, text, "order above the course limit"),)


def _is_sessional(case: Case) -> bool:
    """R-28b."""
    dose = case.dose_mg
    is_small = dose is not None and dose <= courses.SESSIONAL_MOST_MG
    return case.is_in_dialysis and is_small and case.order.ingredient in courses.SESSIONAL


def _running_course(case: Case, earlier: EarlierIron) -> Remark:
    given = f"{doses.plain(earlier.course_total_mg)} mg" if earlier.course_total_mg is not None else "an unknown amount"
    limit = f" of at most {doses.show_ceiling(earlier.course_limit_mg)} mg" if earlier.course_limit_mg else ""
    text = (
        f"This is the next dose of the course begun on {earlier.first_day} ({given} given{limit}): it is decided on "
        f"the results from before its first dose{_newer_results(case, earlier)}.{_limit_needs_weight(case)}"
    )
    used = tuple(doses.use_dose(dose) for dose in earlier.course)
    return Remark("history", text, "same product within 28 days, within the course limit", used=used)


def _newer_results(case: Case, earlier: EarlierIron) -> str:
    """R-41: on day 28 a usable new result replaces its predecessor."""
    found = [
        f"{name} of {reading.day}"
        for name, reading in (("ferritin", case.ferritin), ("TSAT", case.tsat))
        if reading.day and earlier.first_day and reading.day > earlier.first_day
    ]
    return f"; newer, from day {BLACKOUT_DAYS} on: {' and '.join(found)}" if found else ""


def _limit_needs_weight(case: Case) -> str:
    needs = case.order.ingredient in courses.COURSE_MG_PER_KG and doses.weight_kg(case.weight) is None
    return " Weight needed: below 50 kg the course limit is lower." if needs else ""


def _limit_reached(case: Case, earlier: EarlierIron) -> Line:
    ordered = doses.order_total_mg(case.order, case.weight)
    order = f" and {doses.plain(ordered)} mg ordered" if ordered else ""
    given = sum((dose.least_mg for dose in earlier.course), Decimal(0))
    limit = f"{doses.show_ceiling(earlier.course_limit_mg)} mg" if earlier.course_limit_mg else "the course"
    text = (
        f"The limit of one course ({limit}) is reached: {doses.plain(given)} mg given since {earlier.first_day}"
        f"{order}. The order counts as a repeat course."
    )
    return Line(
        Rank.INTERVAL_PHOSPHATE,
        text,
        "course limit reached",
        used=tuple(doses.use_dose(dose) for dose in earlier.course),
    )


# ------------------------------------------------------------------ R-41c: no usable results from before the course

_HAS_RESULTS = (NotApplicable("not a next dose, or ferritin and TSAT from before the course are usable"),)


def _evaluate_no_results(case: Case) -> tuple[Answer, ...]:
    earlier = case.earlier_iron
    if earlier.relation is not Relation.NEXT_DOSE or earlier.latest is None:
        return _HAS_RESULTS
    missing = [name for name, reading in (("ferritin", case.ferritin), ("TSAT", case.tsat)) if not reading.is_usable]
    if not missing:
        return _HAS_RESULTS
    readable = earlier.latest.day + timedelta(days=BLACKOUT_DAYS)
    text = (
        f"No usable {' or '.join(missing)} from before the course begun on {earlier.first_day}; a new one cannot be "
        f"interpreted before {readable}."
    )
    used = tuple(doses.use_dose(dose) for dose in earlier.course)
    return (Remark("next-step", text, "no usable results from before the course", used=used),)


_COURSE_INPUTS = ("order", "earlier_iron", "weight")

RULES: tuple[Rule, ...] = (
    Rule(
        "R-41",
        "The next dose of a course, what remains of it, and when its limit is reached",
        Phase.TEXT,
        (F1, F3, F4, F5, DESIGN),
        _COURSE_INPUTS,
        _evaluate_course,
        (COURSE_GAP, *_COURSE_LIMITS),
    ),
    Rule(
        "R-41c",
        "No usable results from before the course: nothing new can be read before day 28",
        Phase.TEXT,
        (DESIGN,),
        ("earlier_iron", "ferritin", "tsat"),
        _evaluate_no_results,
    ),
)
