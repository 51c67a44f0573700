"""Does the infusion come too soon after the last one, and which dates could not be used (R-41, R-40e, R-43a)?"""

from datetime import timedelta
from itertools import pairwise

from cds_service.clinical import doses, planned_course
from cds_service.clinical.case import Case, Rule, Threshold
from cds_service.clinical.citations import DESIGN, F1, F3, T4
from cds_service.clinical.model import Answer, Ingredient, Line, NotApplicable, Phase, Rank

_INTERVALS = tuple(
    Threshold(f"label interval of {doses.name_product(ingredient)} at least", days, "days")
    for ingredient, days in planned_course.LABEL_INTERVAL_DAYS.items()
)

# ----------------------------------------------------------------------------------------- the label interval

_NO_INTERVAL = (NotApplicable("the label sets no interval for this product"),)
_INTERVAL_KEPT = (NotApplicable("the label interval is kept, or no earlier dose of this product"),)
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
    return (Line(Rank.INTERVAL_PHOSPHATE, text, "interval below the label minimum", makes_warning=True),)


def _too_close(case: Case, least: int) -> str:
    """The latest dose and the first planned date, else today; or two planned dates of the order itself."""
    dates = doses.upcoming_dates(case.order, case.as_of)
    given = [dose.day for dose in case.doses if dose.ingredient is case.order.ingredient]
    when = doses.next_date(case)
    if given and (when - given[-1]).days < least:
        planned = f"on the planned date {when}" if dates else "if given today"
        return f"{_count(when - given[-1])} after the dose of {given[-1]} {planned}"
    close = next((pair for pair in pairwise(dates) if (pair[1] - pair[0]).days < least), None)
    if close is None:
        return ""
    before, after = close
    return f"Planned dates {before} and {after} are {_count(after - before)} apart"


def _count(apart: timedelta) -> str:
    return "1 day" if apart.days == 1 else f"{apart.days} days"


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


RULES: tuple[Rule, ...] = (
    Rule(
        "R-41 (interval)",
        "An interval below the label minimum",
        Phase.TEXT,
        (F1, F3, T4),
        ("order", "dose_records"),
        _evaluate_interval,
        _INTERVALS,
    ),
    Rule("R-43a", "A planned date that has passed is not used", Phase.TEXT, (DESIGN,), ("order",), _evaluate_passed),
    Rule(
        "R-40e", "Records of iron without a date are named", Phase.TEXT, (DESIGN,), ("dose_records",), _evaluate_undated
    ),
)
