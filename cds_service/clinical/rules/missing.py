"""What a missing ferritin or transferrin saturation leaves undecided, and which tests are offered for it (R-26)."""

from datetime import date, timedelta

from cds_service.clinical.case import Case, Rule, Threshold
from cds_service.clinical.citations import A1, DESIGN
from cds_service.clinical.model import Answer, Conclusion, NotApplicable, Phase, Verdict
from cds_service.clinical.reading import SetAside, show_day, show_result, use_result
from cds_service.clinical.results import OVERLOAD_DAYS, OVERLOAD_FROM, points_to_overload
from cds_service.clinical.specimen_time import BLACKOUT_DAYS
from cds_service.clinical.wording import quote
from cds_service.clinical.zones import FERRITIN_ZONES, TSAT_ZONES

FERRITIN_LOW, FERRITIN_HIGH = FERRITIN_ZONES[0], FERRITIN_ZONES[-1]
TSAT_LOW = TSAT_ZONES[0]
# R-26e.
HINT_FROM = Threshold("a set-aside TSAT points to overload from", OVERLOAD_FROM, "%")
HINT_DAYS = Threshold("a set-aside TSAT counts as a hint for", OVERLOAD_DAYS, "days")

FERRITIN_TESTS = ("ferritin",)
TSAT_TESTS = ("iron", "tibc")
HEMOGLOBIN_TESTS = ("cbc",)


# --------------------------------------------------------------------------------------------------------- the offer


def tests_to_order(case: Case) -> tuple[str, ...]:
    """R-26: what is missing of ferritin, iron and TIBC, plus a CBC if there is no hemoglobin."""
    return (
        *(() if case.ferritin.is_usable else FERRITIN_TESTS),
        *(() if case.tsat.is_usable else TSAT_TESTS),
        *(() if case.hemoglobin.is_usable else HEMOGLOBIN_TESTS),
    )


def tests_not_before(case: Case) -> date | None:
    """R-41c: the first day on which iron studies can be interpreted; None when that is today."""
    clocks = case.earlier_iron.blackout_doses
    if not clocks:
        return None
    readable = max(dose.day for dose in clocks) + timedelta(days=BLACKOUT_DAYS)
    return readable if readable > case.as_of else None


def explain_gaps(case: Case) -> tuple[str, ...]:
    """One sentence per missing result, and the day on which a new one can be read."""
    gaps = (_sentence(reading.why_missing) for reading in (case.ferritin, case.tsat) if not reading.is_usable)
    return (*gaps, *_explain_wait(case))


def _explain_wait(case: Case) -> tuple[str, ...]:
    """R-41c."""
    wait = tests_not_before(case)
    if wait is None:
        return ()
    return (f"Iron was given recently: iron studies can be interpreted from {wait.isoformat()}, not before.",)


def _sentence(clause: str) -> str:
    return f"{clause[:1].upper()}{clause[1:]}."


def _incomplete(case: Case, because: str, headline: str, *more: str) -> tuple[Answer, ...]:
    used = tuple(reading.used for reading in (case.ferritin, case.tsat) if reading.is_usable)
    return (
        Verdict(
            Conclusion.INSUFFICIENT_DATA,
            because,
            headline,
            (*explain_gaps(case), *more),
            used,
            offer_tests=tests_to_order(case),
            tests_not_before=tests_not_before(case),
        ),
    )


# --------------------------------------------------------------------------------------------- R-26b, R-26c, R-26d

_COMPLETE = (NotApplicable("ferritin and TSAT are usable"),)
_FERRITIN_KNOWN = (NotApplicable("ferritin is usable"),)
_IN_DIALYSIS = (NotApplicable("in dialysis R-28a decides"),)
_OTHER_PART = (NotApplicable("another part of R-26 applies"),)


def _evaluate_no_tsat(case: Case) -> tuple[Answer, ...]:
    if case.is_in_dialysis:
        return _IN_DIALYSIS
    if case.tsat.is_usable:
        return _COMPLETE
    if not case.ferritin.is_usable or case.ferritin.is_in(FERRITIN_LOW) or case.ferritin.is_in(FERRITIN_HIGH):
        return _OTHER_PART
    because = f"ferritin {case.ferritin.shown} cannot decide without TSAT"
    return _incomplete(case, because, "TSAT needed", "Ferritin alone cannot decide between 75 and 300 ng/mL.")


def _evaluate_no_ferritin(case: Case) -> tuple[Answer, ...]:
    if case.is_in_dialysis:
        return _IN_DIALYSIS
    if case.ferritin.is_usable:
        return _FERRITIN_KNOWN
    if not case.tsat.is_usable:
        return _OTHER_PART
    half = "meets one half" if case.tsat.is_in(TSAT_LOW) else "does not meet its half"
    return _incomplete(
        case,
        f"TSAT {case.tsat.shown} cannot decide without ferritin",
        "ferritin needed",
        f"TSAT {case.tsat.shown} {half} of the guideline's criterion (ferritin 75 ng/mL or less, or TSAT below 20 %).",
        "Without ferritin neither its ceiling nor inflammation can be judged.",
    )


def _evaluate_neither(case: Case) -> tuple[Answer, ...]:
    if case.is_in_dialysis:
        return _IN_DIALYSIS
    if case.ferritin.is_usable or case.tsat.is_usable:
        return _OTHER_PART
    return _incomplete(case, "neither ferritin nor TSAT is usable", "ferritin and TSAT needed")


# ------------------------------------------------------------------------------------- R-26e: hints of a high TSAT

_NO_HINT = (NotApplicable("no set-aside TSAT points to 45 % or more"),)


def _evaluate_hint(case: Case) -> tuple[Answer, ...]:
    if case.is_in_dialysis:
        return _IN_DIALYSIS
    if case.tsat.is_usable or not case.ferritin.is_in(FERRITIN_LOW):
        return _OTHER_PART
    hint = points_to_overload(case.tsat, case.as_of)
    if hint is None:
        return _NO_HINT
    return (
        Verdict(
            Conclusion.INSUFFICIENT_DATA,
            "ferritin would decide alone, but a TSAT that was set aside points to 45 % or more",
            "repeat iron and TIBC first",
            (
                f"A TSAT that could not be used points to 45 % or more: {_show_hint(hint)}.",
                "Consider repeating iron and TIBC first: with this hint of overload ferritin alone does not decide.",
                *_explain_wait(case),
            ),
            (case.ferritin.used, use_result(hint.result)),
            offer_tests=tests_to_order(case),
            tests_not_before=tests_not_before(case),
        ),
    )


def _show_hint(hint: SetAside) -> str:
    shown = quote(hint.result.recorded) if hint.result.likely_percent is not None else show_result(hint.result)
    return f"{shown} of {show_day(hint.result.day)} {hint.why}"


_STUDIES = ("ferritin", "tsat")

RULES: tuple[Rule, ...] = (
    Rule("R-26d", "Neither ferritin nor TSAT is usable", Phase.MISSING, (A1, DESIGN), _STUDIES, _evaluate_neither),
    Rule("R-26c", "TSAT cannot decide without ferritin", Phase.MISSING, (A1, DESIGN), _STUDIES, _evaluate_no_ferritin),
    Rule("R-26b", "Ferritin above 75 needs a TSAT", Phase.MISSING, (A1, DESIGN), _STUDIES, _evaluate_no_tsat),
    Rule(
        "R-26e",
        "A set-aside TSAT that points to 45 % or more is repeated first",
        Phase.MISSING,
        (DESIGN,),
        _STUDIES,
        _evaluate_hint,
        (HINT_FROM, HINT_DAYS),
    ),
)
