"""Iron was given before: is it too soon to repeat, did it help, and is a repeat supported (R-40)?"""

from datetime import timedelta
from decimal import Decimal

from cds_service.clinical import doses
from cds_service.clinical.case import Case, Rule, Threshold
from cds_service.clinical.citations import A2, DESIGN, T8, T11, T12
from cds_service.clinical.doses import Relation
from cds_service.clinical.interval import Interval
from cds_service.clinical.model import Answer, Cap, Conclusion, Line, NotApplicable, Phase, Rank, Remark, Used, Verdict
from cds_service.clinical.response import Response, ResponseRecord, assess_response
from cds_service.clinical.rules import next_dose, timing
from cds_service.clinical.zones import FERRITIN_ZONES, TSAT_ZONES

REPEAT_FROM = Threshold("a repeat can be considered from", 84, "days after the latest dose")  # R-40, A2: 12 weeks
JUDGE_FROM = Threshold("results can be judged from", 56, "days after the latest dose")  # R-40a, R-09
EXCEPTION_FROM = Threshold("persistent deficiency can be shown from", 28, "days after the latest dose")  # R-40b, R-09
ADEQUATE_COURSE = Threshold("non-response counts after a course of at least", Decimal(1000), "mg")  # R-40d
NONRESPONSE_ABOVE = Threshold("no repeat after non-response with ferritin above", Decimal(100), "ng/mL")  # R-40d

FERRITIN_LOW, FERRITIN_MIDDLE = FERRITIN_ZONES[0], FERRITIN_ZONES[2]
BELOW_CEILING = Interval.below(Decimal(300))  # R-40b, R-40c; the ceiling of R-17
TSAT_LOW = TSAT_ZONES[0]
BELOW_OVERLOAD = Interval.below(Decimal(45))  # R-40c; the stop of R-16
ABOVE_GREY = Interval.above(Decimal(NONRESPONSE_ABOVE.value))
UP_TO_GREY = Interval.at_most(Decimal(NONRESPONSE_ABOVE.value))

_NO_REPEAT = (NotApplicable("no earlier iron that counts, or the next dose of a running course"),)
_LONG_AGO = (NotApplicable("84 days or more since the latest dose"),)
_RECENT = (NotApplicable("less than 84 days since the latest dose, or none on record"),)


def _is_repeat(case: Case) -> bool:
    return case.earlier_iron.relation is Relation.REPEAT


def _is_long_ago(case: Case) -> bool:
    """R-40c, R-40d: the hook date counts, not a later planned date."""
    days = case.earlier_iron.days
    return _is_repeat(case) and days is not None and days >= REPEAT_FROM.value


def _used(case: Case) -> tuple[Used, ...]:
    latest = case.earlier_iron.latest
    if latest is None:
        return ()
    return (Used("latest IV iron", doses.describe(latest), ", ".join(latest.references), latest.day.isoformat()),)


# ------------------------------------------------------------------------------- R-40a, R-40b: less than 84 days ago


def is_persistent(case: Case) -> bool:
    """R-40b: new usable results, drawn 28 days or more after the dose, still show deficiency."""
    days = case.earlier_iron.days
    if not _is_repeat(case) or days is None or not EXCEPTION_FROM.value <= days < REPEAT_FROM.value:
        return False
    has_low_tsat = case.tsat.is_in(TSAT_LOW) and case.ferritin.is_in(BELOW_CEILING)
    return case.ferritin.is_in(FERRITIN_LOW) or has_low_tsat


_PERSISTENT = (NotApplicable("new results show persistent deficiency: see R-40b"),)
_NOT_PERSISTENT = (NotApplicable("no persistent deficiency 28 to 83 days after a dose"),)


def _evaluate_too_soon(case: Case) -> tuple[Answer, ...]:
    earlier = case.earlier_iron
    if not _is_repeat(case) or earlier.latest is None or earlier.days is None:
        return _NO_REPEAT
    if earlier.days >= REPEAT_FROM.value:
        return _LONG_AGO
    if is_persistent(case):
        return _PERSISTENT
    day = earlier.latest.day
    results_from = day + timedelta(days=int(JUDGE_FROM.value))
    repeat_from = day + timedelta(days=int(REPEAT_FROM.value))
    say = (
        f"The latest IV iron was {doses.describe(earlier.latest)}, {earlier.days} days ago.",
        "That is too soon to judge its effect and to repeat it.",
        f"Results can be judged from {results_from}, a repeat can be considered from {repeat_from}.",
    )
    return (
        Verdict(
            Conclusion.NOT_INDICATED,
            f"{earlier.days} days since the latest IV iron dose, a repeat can be considered from day 84",
            "too soon after the last IV iron",
            say,
            _used(case),
            certainty="12-week interval of the IRLSSG guideline, known from secondary texts",
        ),
    )


def _evaluate_persistent(case: Case) -> tuple[Answer, ...]:
    if not is_persistent(case):
        return _NOT_PERSISTENT
    because = f"persistent deficiency {case.earlier_iron.days} days after IV iron"
    say = "Iron deficiency persists after recent IV iron: consider looking for the loss of iron before repeating."
    results = (one.used for one in (case.ferritin, case.tsat) if one.is_usable)
    return (Cap(because, (say,), (*_used(case), *results)),)


# ------------------------------------------------------------------ R-40c, R-40d: 84 days or more, and what it brought


NO_COURSE = ResponseRecord(Response.UNDOCUMENTED, "no earlier course")


def read_response(case: Case) -> ResponseRecord:
    """Response to the course of the latest dose (R-49a)."""
    earlier = case.earlier_iron
    if earlier.latest is None or earlier.first_day is None:
        return NO_COURSE
    facts = case.facts
    return assess_response(facts.severity, facts.impressions, earlier.first_day, earlier.latest.day, case.as_of)


_NO_FLOOR = (NotApplicable("no documented responder with returned symptoms, or results outside the range"),)
_IN_DIALYSIS = (NotApplicable("does not apply in dialysis"),)
WHAT_IS_NEEDED = (
    "A repeat at this ferritin would need a documented response and return of symptoms: a severity total from the 90 "
    "days before the course, the best total 3 weeks to 6 months after it (a fall of 40 % or more), and a total of the "
    "last 30 days of 15 or more and at least 5 above the best."
)


def _evaluate_floor(case: Case) -> tuple[Answer, ...]:
    if not _is_long_ago(case):
        return _RECENT
    if case.is_in_dialysis:
        return _IN_DIALYSIS
    if not (case.ferritin.is_in(BELOW_CEILING) and case.tsat.is_in(BELOW_OVERLOAD)):
        return _NO_FLOOR
    record = read_response(case)
    if record.response is Response.RESPONDER and record.has_returned:
        return (_floor(case, record),)
    is_open = record.response in (Response.RESPONDER, Response.UNDOCUMENTED)
    if is_open and case.ferritin.is_in(FERRITIN_MIDDLE):
        because = "response to the last course, or the return of symptoms, is not documented"
        return (Remark("next-step", WHAT_IS_NEEDED, because, used=(case.ferritin.used, case.tsat.used)),)
    return _NO_FLOOR


def _floor(case: Case, record: ResponseRecord) -> Verdict:
    return Verdict(
        Conclusion.MAY_BENEFIT,
        f"documented responder whose symptoms returned, ferritin {case.ferritin.shown}, TSAT {case.tsat.shown}",
        "Repeat course may be considered",
        (
            f"The last course helped ({record.because}) and symptoms have returned.",
            "A repeat course may be considered below ferritin 300 ng/mL and TSAT 45 %.",
            "In a series of 42 patients a repeat course worked again in about 81 % of earlier responders.",
        ),
        (*_used(case), case.ferritin.used, case.tsat.used, *record.used),
        certainty="small uncontrolled series; repeat criteria of the IRLSSG guideline known from secondary texts",
    )


# R-40c: asked in the eligibility rules between, which ends the matter at ferritin above 100.
FLOOR = Rule(
    "R-40c",
    "A documented responder whose symptoms returned is at least a may-benefit",
    Phase.ELIGIBILITY,
    (T12, T8, A2),
    ("earlier_iron", "ferritin", "tsat", "severity", "impressions"),
    _evaluate_floor,
    (
        REPEAT_FROM,
        Threshold("ferritin below", BELOW_CEILING.high or Decimal(0), "ng/mL"),
        Threshold("TSAT below", BELOW_OVERLOAD.high or Decimal(0), "%"),
    ),
)

_RESPONDED = (NotApplicable("no documented non-response to a course of at least 1000 mg"),)
_OTHER_FERRITIN = (NotApplicable("ferritin not usable, or on the other side of 100 ng/mL"),)
RECONSIDER = "Consider whether the diagnosis is right, whether the course was adequate, and whether iron is being lost."


def _nonresponse(case: Case) -> ResponseRecord | None:
    """Non-response on record to a course of 1000 mg or more, 84 days ago or longer."""
    if not _is_long_ago(case):
        return None
    given = sum((dose.least_mg for dose in case.earlier_iron.course), Decimal(0))
    if given < ADEQUATE_COURSE.value:
        return None
    record = read_response(case)
    return record if record.response is Response.NONE else None


def _evaluate_nonresponder(case: Case) -> tuple[Answer, ...]:
    record = _nonresponse(case)
    if record is None:
        return _RESPONDED
    if not case.ferritin.is_in(ABOVE_GREY):
        return _OTHER_FERRITIN
    return (
        Verdict(
            Conclusion.NOT_INDICATED,
            f"no response to the last course ({record.because}), ferritin {case.ferritin.shown}",
            "no response to the last course",
            (f"The last course of IV iron brought no response ({record.because}).", RECONSIDER),
            (*_used(case), case.ferritin.used, *record.used),
            certainty="decision of this project",
        ),
    )


def _evaluate_nonresponder_line(case: Case) -> tuple[Answer, ...]:
    record = _nonresponse(case)
    if record is None:
        return _RESPONDED
    if not case.ferritin.is_in(UP_TO_GREY):
        return _OTHER_FERRITIN
    text = f"No response to the last course ({record.because}). {RECONSIDER}"
    return (Line(Rank.INTERVAL_PHOSPHATE, text, "documented non-response", used=record.used),)


_RESPONSE = ("earlier_iron", "ferritin", "severity", "impressions")

RULES: tuple[Rule, ...] = (
    next_dose.UNCERTAIN,
    Rule(
        "R-40a",
        "Less than 84 days after the latest dose it is too soon",
        Phase.EARLIER_IRON,
        (A2, DESIGN),
        ("earlier_iron", "ferritin", "tsat"),
        _evaluate_too_soon,
        (REPEAT_FROM, JUDGE_FROM),
    ),
    Rule(
        "R-40d",
        "A documented non-responder with ferritin above 100 ng/mL is not treated again",
        Phase.EARLIER_IRON,
        (T11, DESIGN),
        _RESPONSE,
        _evaluate_nonresponder,
        (REPEAT_FROM, ADEQUATE_COURSE, NONRESPONSE_ABOVE),
    ),
    Rule(
        "R-40b",
        "Persistent deficiency from day 28 on is decided as usual, capped",
        Phase.CAP,
        (DESIGN,),
        ("earlier_iron", "ferritin", "tsat"),
        _evaluate_persistent,
        (EXCEPTION_FROM, REPEAT_FROM),
    ),
    Rule(
        "R-40d (text)",
        "No response to the last course is named where ferritin is 100 ng/mL or less",
        Phase.TEXT,
        (T11, DESIGN),
        _RESPONSE,
        _evaluate_nonresponder_line,
        (REPEAT_FROM, ADEQUATE_COURSE, NONRESPONSE_ABOVE),
    ),
    *next_dose.RULES,
    *timing.RULES,
)
