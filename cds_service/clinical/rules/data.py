"""What the reader of the card has to know about the data: failed queries, pending, conflicting or outdated results."""

from datetime import date

from cds_service.clinical import doses
from cds_service.clinical.case import Case, Rule, Threshold
from cds_service.clinical.citations import DESIGN
from cds_service.clinical.codes import EMPTY_OR_SMALL
from cds_service.clinical.doses import Relation
from cds_service.clinical.model import Answer, Ingredient, Line, NotApplicable, Phase, Rank, Remark
from cds_service.clinical.reading import NAMES, Reading, show_day, show_result, use_result
from cds_service.clinical.results import LAB_DAYS
from cds_service.clinical.rules import specimen

# ------------------------------------------------------------------------------ 3.1: what could not be obtained

# Prefetch keys in the order in which they are named. The first group makes the card a warning: allergies,
# earlier iron, and the data behind the stops.
SAFETY_DATA = {
    "allergies": "allergies",
    "iron_administrations": "iron infusions given",
    "medications": "earlier and open iron orders",
    "medication_statements": "iron treatment reported elsewhere",
    "procedures": "iron infusions and dialysis recorded as procedures",
    "follow_up": "iron infusions ordered as procedures, follow-up already arranged",
    "conditions": "problem list",
    "pregnancy": "pregnancy status",
    "phosphate": "phosphate",
    "ferritin": "ferritin",
    "tsat": "TSAT",
}
OTHER_DATA = {
    "iron_panel": "iron and TIBC",
    "hemoglobin": "hemoglobin",
    "weight": "body weight",
    "crp": "CRP",
    "rls_severity": "RLS severity",
    "patient": "patient record",
}
# A phosphate decides about these orders only.
_PHOSPHATE_MATTERS = (Ingredient.FCM, None)
_STATES = {"missing": "not supplied", "failed": "query failed", "incomplete": "incomplete"}
_ALL_OBTAINED = (NotApplicable("every query was answered"),)


def _evaluate_unavailable(case: Case) -> tuple[Answer, ...]:
    if not case.facts.unavailable:
        return _ALL_OBTAINED
    answers = []
    safety = _name(case, SAFETY_DATA)
    if safety:
        text = f"Could not be checked: {safety}. A stop, a duplicate or an earlier dose may be missed."
        answers.append(Line(Rank.UNREADABLE, text, "data behind stops or doses not obtained", makes_warning=True))
    other = _name(case, OTHER_DATA)
    if other:
        answers.append(Line(Rank.UNREADABLE, f"Not available: {other}.", "data not obtained"))
    return tuple(answers) or _ALL_OBTAINED


def _name(case: Case, keys: dict[str, str]) -> str:
    lost = dict(case.facts.unavailable)
    if case.order.ingredient not in _PHOSPHATE_MATTERS:
        lost.pop("phosphate", None)
    return "; ".join(f"{words} ({_STATES.get(lost[key], lost[key])})" for key, words in keys.items() if key in lost)


_LISTED = (NotApplicable("codes are listed for every condition"),)


def _words(coverage: str) -> str:
    return ", ".join(sorted(set_id.replace("-", " ") for set_id, one in EMPTY_OR_SMALL.items() if one == coverage))


def _coverage_remark() -> tuple[Answer, ...]:
    """Said on every card while a set is empty or small, so it is worded once (3.1)."""
    found = set(EMPTY_OR_SMALL.values())
    parts = [f"{_words(coverage)} ({why})" for coverage, why in _COVERAGES.items() if coverage in found]
    if not parts:
        return _LISTED
    text = f"Recognized mainly by name, as few or no codes are listed: {'; '.join(parts)}."
    return (Remark("history", text, "value sets that are empty or small"),)


_COVERAGES = {"names-only": "no codes listed", "small": "few codes listed"}
_COVERAGE = _coverage_remark()


def _evaluate_coverage(_: Case) -> tuple[Answer, ...]:
    return _COVERAGE


# ---------------------------------------------------------------------------------------------- pending results

_NOTHING_PENDING = (NotApplicable("no preliminary result that would be used"),)
_SHOWN = ("ferritin", "tsat", "hemoglobin")


def _evaluate_pending(case: Case) -> tuple[Answer, ...]:
    pending = [reading.pending for reading in _readings(case) if reading.pending]
    if not pending:
        return _NOTHING_PENDING
    return tuple(
        Remark(
            "next-step",
            f"A {NAMES[result.analyte]} of {show_day(result.day)} is pending (preliminary {show_result(result)}).",
            f"preliminary {NAMES[result.analyte]} newer than the one used",
            used=(use_result(result),),
        )
        for result in pending
    )


def _readings(case: Case) -> tuple[Reading, ...]:
    return (case.ferritin, case.tsat, case.hemoglobin)


# ------------------------------------------------------------------------------------- conflicting, far apart

FAR_APART_OVER = Threshold("ferritin and TSAT far apart when more than", 30, "days")
_NO_CONFLICT = (NotApplicable("no two results near each other in different ranges"),)
_TOGETHER = (NotApplicable("ferritin and TSAT not both usable, or at most 30 days apart"),)


def _evaluate_conflict(case: Case) -> tuple[Answer, ...]:
    readings = [case.ferritin, case.tsat, case.hemoglobin, case.crp]
    if case.order.ingredient in _PHOSPHATE_MATTERS:
        readings.append(case.phosphate)
    return tuple(_conflict(reading) for reading in readings if reading.conflicting) or _NO_CONFLICT


def _conflict(reading: Reading) -> Line:
    other = reading.conflicting
    shown = f"{show_result(other)} ({show_day(other.day)})" if other else ""
    name = NAMES[reading.analyte]
    text = (
        f"Two {name} results fall in different decision ranges: {reading.shown} ({reading.day}), which was used, and "
        f"{shown}. Consider which one describes the patient."
    )
    used = (reading.used, *((use_result(other),) if other else ()))
    return Line(Rank.CONFLICT, text, f"conflicting {name} results", used=used)


def _evaluate_far_apart(case: Case) -> tuple[Answer, ...]:
    ferritin, tsat = case.ferritin.day, case.tsat.day
    if ferritin is None or tsat is None or abs((ferritin - tsat).days) <= int(FAR_APART_OVER.value):
        return _TOGETHER
    text = f"Ferritin ({ferritin}) and TSAT ({tsat}) were drawn {abs((ferritin - tsat).days)} days apart."
    return (Line(Rank.CONFLICT, text, "ferritin and TSAT far apart", used=(case.ferritin.used, case.tsat.used)),)


# ---------------------------------------------------------------------------------- R-08c: results at the planned date

STALE_OVER = Threshold("results are too old for the infusion when more than", LAB_DAYS, "days")
_STILL_VALID = (NotApplicable("no planned date at which ferritin or TSAT will be too old"),)


def _evaluate_planned_date(case: Case) -> tuple[Answer, ...]:
    # within a course the results from before it count, and new ones could not be read.
    if not case.order.planned or case.earlier_iron.relation is Relation.NEXT_DOSE:
        return _STILL_VALID
    planned = doses.planned_date(case)
    old = [reading for reading in (case.ferritin, case.tsat) if _is_stale_on(reading, planned)]
    if not old:
        return _STILL_VALID
    which = " and ".join(NAMES[reading.analyte] for reading in old)
    text = (
        f"On the planned date {planned} the {which} will be more than {STALE_OVER.value} days old: consider repeating "
        "before the infusion."
    )
    return (Line(Rank.CONFLICT, text, "results too old on the planned date", used=tuple(one.used for one in old)),)


def _is_stale_on(reading: Reading, planned: date) -> bool:
    return reading.day is not None and (planned - reading.day).days > int(STALE_OVER.value)


_STUDIES = ("ferritin", "tsat")

RULES: tuple[Rule, ...] = (
    Rule("3.1", "Queries without an answer are named", Phase.TEXT, (DESIGN,), ("unavailable",), _evaluate_unavailable),
    Rule("3.1 (names)", "Conditions looked for by name are named", Phase.TEXT, (DESIGN,), (), _evaluate_coverage),
    Rule("R-07", "A pending result is named", Phase.TEXT, (DESIGN,), _SHOWN, _evaluate_pending),
    Rule("R-13", "Conflicting results are both shown", Phase.TEXT, (DESIGN,), _SHOWN, _evaluate_conflict),
    Rule(
        "R-13 (days apart)",
        "Ferritin and TSAT drawn far apart",
        Phase.TEXT,
        (DESIGN,),
        _STUDIES,
        _evaluate_far_apart,
        (FAR_APART_OVER,),
    ),
    Rule(
        "R-08c",
        "Results too old on the planned date",
        Phase.TEXT,
        (DESIGN,),
        (*_STUDIES, "order"),
        _evaluate_planned_date,
        (STALE_OVER,),
    ),
    *specimen.RULES,
)
