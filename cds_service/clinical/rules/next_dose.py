"""The next dose of a running course: whether it is one, what remains, and how soon it comes (R-41, R-41c, R-41d, R-43a)."""

from datetime import timedelta
from decimal import Decimal
from itertools import pairwise

from cds_service.clinical import courses, doses, planned_course
from cds_service.clinical.case import Case, Rule, Threshold
from cds_service.clinical.citations import DESIGN, F1, F3, F4, F5, T4
from cds_service.clinical.doses import Dose, EarlierIron, Relation
from cds_service.clinical.model import (
    Answer,
    Conclusion,
    Ingredient,
    Line,
    NotApplicable,
    Phase,
    Rank,
    Remark,
    Used,
    Verdict,
)
from cds_service.clinical.specimen_time import BLACKOUT_DAYS

COURSE_GAP = Threshold(
    "next dose of a course up to", courses.COURSE_GAP_DAYS, "days after the latest"
)
_COURSE_LIMITS = tuple(
    Threshold(f"course limit of {doses.name_product(ingredient)}", limit, "mg")
    for ingredient, limit in courses.COURSE_LIMITS.items()
) + tuple(
    Threshold(
        f"course limit of {doses.name_product(ingredient)} below 50 kg", per_kg, "mg/kg"
    )
    for ingredient, per_kg in courses.COURSE_MG_PER_KG.items()
)
_INTERVALS = tuple(
    Threshold(
        f"label interval of {doses.name_product(ingredient)} at least", days, "days"
    )
    for ingredient, days in planned_course.LABEL_INTERVAL_DAYS.items()
)

# ---------------------------------------------------------------------------------------- R-41d: a dose not known enough

_CERTAIN = (
    NotApplicable(
        "the amounts and days on record settle whether this is the next dose of a course"
    ),
)


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
            tuple(_use(dose) for dose in earlier.unclear),
        ),
    )


def _use(dose: Dose) -> Used:
    return Used(
        "IV iron given",
        doses.describe(dose),
        ", ".join(dose.references),
        dose.day.isoformat(),
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

# ------------------------------------------------------------------------------------------------- R-41, R-41a: the course

_NO_COURSE = (NotApplicable("not the next dose of a running course"),)


def _evaluate_course(case: Case) -> tuple[Answer, ...]:
    earlier = case.earlier_iron
    if earlier.limit_reached:
        return (_limit_reached(case, earlier),)
    if earlier.relation is not Relation.NEXT_DOSE:
        return _NO_COURSE
    answers: list[Answer] = [_running_course(case, earlier)]
    if (
        doses.order_total_mg(case.order, case.weight) is None
        and earlier.remaining_mg is not None
    ):
        text = f"At most {doses.show_ceiling(earlier.remaining_mg)} mg remain in this course."
        answers.append(
            Line(
                Rank.INTERVAL_PHOSPHATE,
                text,
                "no dose that can be counted in the order",
            )
        )
    return tuple(answers)


def _running_course(case: Case, earlier: EarlierIron) -> Remark:
    given = (
        f"{doses.plain(earlier.course_total_mg)} mg"
        if earlier.course_total_mg is not None
        else "an unknown amount"
    )
    limit = (
        f" of at most {doses.show_ceiling(earlier.course_limit_mg)} mg"
        if earlier.course_limit_mg
        else ""
    )
    text = (
        f"This is the next dose of the course begun on {earlier.first_day} ({given} given{limit}): it is decided on the results "
        f"from before that day.{_limit_needs_weight(case)}"
    )
    return Remark(
        "history", text, "same product within 28 days, within the course limit"
    )


def _limit_needs_weight(case: Case) -> str:
    needs = (
        case.order.ingredient in courses.COURSE_MG_PER_KG
        and doses.weight_kg(case.weight) is None
    )
    return " Weight needed: below 50 kg the course limit is lower." if needs else ""


def _limit_reached(case: Case, earlier: EarlierIron) -> Line:
    ordered = doses.order_total_mg(case.order, case.weight)
    order = f" and {doses.plain(ordered)} mg ordered" if ordered else ""
    given = sum((dose.least_mg for dose in earlier.course), Decimal(0))
    limit = (
        f"{doses.show_ceiling(earlier.course_limit_mg)} mg"
        if earlier.course_limit_mg
        else "the course"
    )
    text = (
        f"The limit of one course ({limit}) is reached: {doses.plain(given)} mg given since {earlier.first_day}{order}. "
        "The order counts as a repeat course."
    )
    return Line(
        Rank.INTERVAL_PHOSPHATE,
        text,
        "course limit reached",
        used=tuple(_use(dose) for dose in earlier.course),
    )


# ----------------------------------------------------------------------------------------- the label interval

_NO_INTERVAL = (NotApplicable("the label sets no interval for this product"),)
_INTERVAL_KEPT = (
    NotApplicable("the label interval is kept, or no earlier dose of this product"),
)
FIVE_DAYS_APART = " In the largest RLS trial the two 750 mg doses were given 5 days apart, which is off-label."


def _evaluate_interval(case: Case) -> tuple[Answer, ...]:
    ingredient = case.order.ingredient
    if ingredient not in planned_course.LABEL_INTERVAL_DAYS:
        return _NO_INTERVAL
    least = doses.label_interval(ingredient)
    found = _too_close(case, least)
    if not found:
        return _INTERVAL_KEPT
    text = f"{found}: the label has at least {least} days between doses of {doses.name_product(ingredient)}."
    if ingredient is Ingredient.FCM:
        text += FIVE_DAYS_APART
    return (
        Line(
            Rank.INTERVAL_PHOSPHATE,
            text,
            "interval below the label minimum",
            makes_warning=True,
        ),
    )


def _too_close(case: Case, least: int) -> str:
    """The latest dose and the first planned date, else today; or two planned dates of the order itself."""
    dates = doses.upcoming_dates(case.order, case.as_of)
    given = [
        dose.day for dose in case.doses if dose.ingredient is case.order.ingredient
    ]
    when = doses.next_date(case)
    if given and (when - given[-1]).days < least:
        planned = f"on the planned date {when}" if dates else "if given today"
        return f"{_count(when - given[-1])} after the dose of {given[-1]} {planned}"
    close = [
        (before, after)
        for before, after in pairwise(dates)
        if (after - before).days < least
    ]
    return (
        f"Planned dates {close[0][0]} and {close[0][1]} are {_count(close[0][1] - close[0][0])} apart"
        if close
        else ""
    )


def _count(apart: timedelta) -> str:
    return "1 day" if apart.days == 1 else f"{apart.days} days"


# -------------------------------------------------------------------------- R-41c: no usable results from before the course

_HAS_RESULTS = (
    NotApplicable(
        "not a next dose, or ferritin and TSAT from before the course are usable"
    ),
)


def _evaluate_no_results(case: Case) -> tuple[Answer, ...]:
    earlier = case.earlier_iron
    if earlier.relation is not Relation.NEXT_DOSE or earlier.latest is None:
        return _HAS_RESULTS
    missing = [
        name
        for name, reading in (("ferritin", case.ferritin), ("TSAT", case.tsat))
        if not reading.is_usable
    ]
    if not missing:
        return _HAS_RESULTS
    readable = earlier.latest.day + timedelta(days=BLACKOUT_DAYS)
    text = (
        f"No usable {' or '.join(missing)} from before the course begun on {earlier.first_day}; a new one cannot be interpreted "
        f"before {readable}."
    )
    return (Remark("next-step", text, "no usable results from before the course"),)


# ------------------------------------------------------------------------------------------- R-43a, R-40e: dates

_NOT_PASSED = (NotApplicable("no planned date, or one that has not passed"),)
_ALL_DATED = (NotApplicable("every record of iron has a date"),)


def _evaluate_passed(case: Case) -> tuple[Answer, ...]:
    passed = doses.passed_date(case)
    if passed is None:
        return _NOT_PASSED
    text = f"The planned date {passed} has passed; today is used instead."
    return (Line(Rank.CONFLICT, text, "planned date before the hook date"),)


def _evaluate_undated(case: Case) -> tuple[Answer, ...]:
    found = doses.undated(case.facts.dose_records)
    if not found:
        return _ALL_DATED
    named = ", ".join(sorted(record.reference for record in found))
    text = f"Iron given without a readable date is on record and could not be counted: {named}."
    return (Line(Rank.UNREADABLE, text, "undated record of iron"),)


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
        "R-41 (interval)",
        "An interval below the label minimum",
        Phase.TEXT,
        (F1, F3, T4),
        ("order", "dose_records"),
        _evaluate_interval,
        _INTERVALS,
    ),
    Rule(
        "R-41c",
        "No usable results from before the course: nothing new can be read before day 28",
        Phase.TEXT,
        (DESIGN,),
        ("earlier_iron", "ferritin", "tsat"),
        _evaluate_no_results,
    ),
    Rule(
        "R-43a",
        "A planned date that has passed is not used",
        Phase.TEXT,
        (DESIGN,),
        ("order",),
        _evaluate_passed,
    ),
    Rule(
        "R-40e",
        "Records of iron without a date are named",
        Phase.TEXT,
        (DESIGN,),
        ("dose_records",),
        _evaluate_undated,
    ),
)
