"""Phosphate and ferric carboxymaltose: what stops it, when to test, and its boxed warning (R-21, R-42)."""

from decimal import Decimal

from cds_service.clinical import doses, units
from cds_service.clinical.case import Case, Rule, Threshold
from cds_service.clinical.citations import DESIGN, E3, F1, P6
from cds_service.clinical.doses import Dose, Relation
from cds_service.clinical.model import (
    Answer,
    Conclusion,
    ConditionEntry,
    Ingredient,
    Line,
    NotApplicable,
    Phase,
    Rank,
    Result,
    Used,
    Verdict,
)
from cds_service.clinical.problem_list import (
    explain_hedged,
    find_active,
    find_hedged,
    show_entries,
    use_entries,
)
from cds_service.clinical.reading import show_day, show_result, use_result
from cds_service.clinical.zones import (
    PHOSPHATE_DEFAULT_LIMIT,
    find_phosphate_zone,
    phosphate_limit,
)

LOW, NOT_LOW = 0, 1  # zones of zones.find_phosphate_zone
PHOSPHATE_TESTS = ("phosphate",)
HYPOPHOSPHATEMIA = frozenset({"hypophosphatemia"})
# What lowers phosphate, or the bone that would suffer from it.
RISKS = frozenset(
    {
        *(
            "malabsorption",
            "inflammatory-bowel-disease",
            "hyperparathyroidism",
            "vitamin-d-deficiency",
        ),
        *("malnutrition", "osteoporosis", "osteomalacia"),
    }
)
DEFAULT_LIMIT = Threshold("phosphate low below, by default", PHOSPHATE_DEFAULT_LIMIT, "mg/dL")
_CREDIBLE = units.CREDIBLE_PHOSPHATE_LIMIT
CREDIBLE_FROM = Threshold("a laboratory's lower limit is taken from", _CREDIBLE.low or Decimal(0), "mg/dL")
CREDIBLE_TO = Threshold("a laboratory's lower limit is taken up to", _CREDIBLE.high or Decimal(0), "mg/dL")
REPEAT_WITHIN = Threshold("a repeat course of ferric carboxymaltose within", 92, "days")  # three months

# -------------------------------------------------------------------------------------------- phosphate is low


def find_low(case: Case) -> Result | None:
    """The latest usable phosphate if it is low; as for other stops a newer unreadable one does not undo it (R-13a)."""
    result = case.phosphate.for_stops
    return result if result is not None and find_phosphate_zone(result) == LOW else None


def find_uncorrected(case: Case) -> tuple[ConditionEntry, ...]:
    """Active entries of hypophosphatemia that no phosphate shows to be corrected."""
    entries = find_active(case.facts.conditions, HYPOPHOSPHATEMIA)
    return tuple(entry for entry in entries if not _is_corrected(case, entry))


def _is_corrected(case: Case, entry: ConditionEntry) -> bool:
    """A usable phosphate that is not low, drawn on or after the recorded date; without dates it cannot be shown."""
    result = case.phosphate.chosen
    if result is None or result.day is None or entry.day is None or find_phosphate_zone(result) != NOT_LOW:
        return False
    return result.day.first >= entry.day.last


def _find_reasons(case: Case) -> tuple[list[str], tuple[Used, ...]]:
    """Why phosphate counts as low, in sentences, and the facts used."""
    say: list[str] = []
    used: tuple[Used, ...] = ()
    low = find_low(case)
    if low:
        say.append(f"Phosphate {show_result(low)} ({show_day(low.day)}) is low: {_explain_limit(low)}.")
        used = (use_result(low),)
    entries = find_uncorrected(case)
    if entries:
        say.append(f"Hypophosphatemia on record, no later normal phosphate: {show_entries(entries)}.")
        used = (*used, *use_entries(entries))
    return say, used


def _explain_limit(low: Result) -> str:
    limit = phosphate_limit(low)
    whose = "the laboratory's lower limit" if limit == low.lower_limit else "the default lower limit"
    if low.value is not None and low.value.high is not None and low.value.high < limit:
        return f"below {units.display('phosphate', limit)}, {whose}"
    return f"flagged by the laboratory or below {units.display('phosphate', limit)}, {whose}"


_OTHER_PRODUCT = (NotApplicable("the order is not ferric carboxymaltose"),)
_NAMED = (NotApplicable("the product is named"),)
_PHOSPHATE_FINE = (NotApplicable("no usable phosphate is low, and no hypophosphatemia is left uncorrected"),)
CORRECT_FIRST = (
    "Consider correcting phosphate first, or a product other than ferric carboxymaltose, with weaker evidence in RLS."
)


def _evaluate_low(case: Case) -> tuple[Answer, ...]:
    if case.order.ingredient is not Ingredient.FCM:
        return _OTHER_PRODUCT
    say, used = _find_reasons(case)
    if not say:
        return _PHOSPHATE_FINE
    because = "phosphate is low, or hypophosphatemia is not shown to be corrected"
    return (
        Verdict(
            Conclusion.CONTRAINDICATED,
            because,
            "low phosphate, correct it first",
            (*say, CORRECT_FIRST),
            used,
            offer_tests=() if case.phosphate.is_usable else PHOSPHATE_TESTS,
        ),
    )


def _evaluate_unnamed(case: Case) -> tuple[Answer, ...]:
    if case.order.ingredient is not None:
        return _NAMED
    say, used = _find_reasons(case)
    if not say:
        return _PHOSPHATE_FINE
    text = f"{' '.join(say)} The product is not named; with ferric carboxymaltose this would be a contraindication."
    return (
        Line(
            Rank.INTERVAL_PHOSPHATE,
            text,
            "phosphate is low and the product is not named",
            used=used,
        ),
    )


_NOT_HEDGED = (NotApplicable("no hedged entry of hypophosphatemia, or another product"),)


def _evaluate_hedged(case: Case) -> tuple[Answer, ...]:
    if case.order.ingredient not in (Ingredient.FCM, None):
        return _NOT_HEDGED
    entries = tuple(entry for entry in find_hedged(case.facts.conditions, HYPOPHOSPHATEMIA) if entry.is_active)
    if not entries:
        return _NOT_HEDGED
    because = "hypophosphatemia is named with a word of negation, family or screening"
    text = explain_hedged(entries, "hypophosphatemia")
    return (Line(Rank.INTERVAL_PHOSPHATE, text, because, used=use_entries(entries)),)


# ----------------------------------------------------------------------------------- before ferric carboxymaltose

BOXED_WARNING = (
    "Boxed warning of ferric carboxymaltose (labels of 2026): severe, prolonged hypophosphatemia with osteomalacia and "
    "fractures; phosphate fell below 2.0 mg/dL by day 35 in about 74 to 75 %, with ferric derisomaltose in about 8 %."
)
_NO_RISK = (NotApplicable("no repeat course within 92 days and no risk factor for low phosphate"),)


def _evaluate_boxed_warning(case: Case) -> tuple[Answer, ...]:
    if case.order.ingredient is not Ingredient.FCM:
        return _OTHER_PRODUCT
    return (Line(Rank.BOXED_WARNING, BOXED_WARNING, "the order is ferric carboxymaltose"),)


def _evaluate_check(case: Case) -> tuple[Answer, ...]:
    if case.order.ingredient is not Ingredient.FCM:
        return _OTHER_PRODUCT
    risks = find_active(case.facts.conditions, RISKS)
    latest = _find_repeated(case)
    repeat = f"repeat course within three months, last dose {latest.day}" if latest else ""
    reasons = [*([repeat] if repeat else []), *([show_entries(risks)] if risks else [])]
    if not reasons:
        return _NO_RISK
    text = (
        f"Consider checking phosphate before this dose: {'; '.join(reasons)}. So far {_say_latest(case)}. "
        "Another product is an option, with weaker evidence in RLS."
    )
    used = (
        *((doses.use_dose(latest),) if latest else ()),
        *use_entries(risks),
        *((case.phosphate.used,) if case.phosphate.is_usable else ()),
    )
    because = "repeat course within three months, or a risk factor for low phosphate"
    return (Line(Rank.INTERVAL_PHOSPHATE, text, because, used=used),)


def _find_repeated(case: Case) -> Dose | None:
    """The next dose of a running course is no repeat course. A dose of unnamed iron may have been this product."""
    if case.earlier_iron.relation is Relation.NEXT_DOSE:
        return None
    given = [dose for dose in case.doses if dose.ingredient in (Ingredient.FCM, None)]  # oldest first
    is_recent = bool(given) and (case.as_of - given[-1].day).days <= int(REPEAT_WITHIN.value)
    return given[-1] if is_recent else None


def _say_latest(case: Case) -> str:
    if case.phosphate.is_usable:
        return f"the latest is {case.phosphate.shown} of {case.phosphate.day}"
    return case.phosphate.why_missing


_LIMITS = (DEFAULT_LIMIT, CREDIBLE_FROM, CREDIBLE_TO)
_INPUTS = ("order", "phosphate", "conditions")

RULES: tuple[Rule, ...] = (
    Rule(
        "R-21",
        "Low phosphate stops ferric carboxymaltose until corrected",
        Phase.STOP,
        (F1, DESIGN),
        _INPUTS,
        _evaluate_low,
        _LIMITS,
    ),
    Rule(
        "R-21 (unnamed)",
        "Low phosphate and a product that is not named",
        Phase.TEXT,
        (F1, DESIGN),
        _INPUTS,
        _evaluate_unnamed,
        _LIMITS,
    ),
    Rule(
        "R-21 (text)",
        "Hedged entries of hypophosphatemia are named",
        Phase.TEXT,
        (DESIGN,),
        _INPUTS,
        _evaluate_hedged,
    ),
    Rule(
        "R-42 (box)",
        "Every card on ferric carboxymaltose names its boxed warning",
        Phase.TEXT,
        (F1, P6),
        ("order",),
        _evaluate_boxed_warning,
    ),
    Rule(
        "R-42",
        "Phosphate is checked before a repeat course within three months and in patients at risk",
        Phase.TEXT,
        (F1, E3),
        (*_INPUTS, "doses", "earlier_iron"),
        _evaluate_check,
        (REPEAT_WITHIN,),
    ),
)
