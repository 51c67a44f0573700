"""Reads each analyte the rules ask for: the result that counts today, or why there is none (R-06, R-08, R-26, R-41)."""

from dataclasses import replace
from datetime import date, time
from decimal import Decimal
from functools import partial
from typing import TYPE_CHECKING

from cds_service.clinical import zones
from cds_service.clinical.courses import Relation
from cds_service.clinical.dates import Day
from cds_service.clinical.derived_tsat import derive_tsat, is_one_specimen
from cds_service.clinical.given_doses import Dose
from cds_service.clinical.interval import Interval
from cds_service.clinical.model import Ingredient, Result
from cds_service.clinical.reading import NAMES, Reading, SetAside, SetAsideKind, show_day, show_result, use_result
from cds_service.clinical.screening import Question, Screened, screen_all
from cds_service.clinical.selection import days_apart, is_surely_newer, read_results, settle, sort_newest_first
from cds_service.clinical.specimen_time import (
    IN_TIME,
    IronClocks,
    Timing,
    is_drawn_after,
    judge_age,
    judge_day,
    judge_iron_draw,
)
from cds_service.clinical.weight import read_weight

if TYPE_CHECKING:
    from cds_service.clinical.case import Case

__all__ = [
    "Reading",
    "SetAside",
    "SetAsideKind",
    "points_to_overload",
    "read_crp",
    "read_hemoglobin",
    "read_iron_study",
    "read_phosphate",
    "read_weight",
    "show_day",
    "show_result",
    "use_result",
]

LAB_DAYS = 90  # R-08; R-41: before the first dose of the course
CRP_DAYS = 30  # from the ferritin, either way
OVERLOAD_FROM = Decimal(45)  # R-26e
OVERLOAD_DAYS = 365  # R-26e: how old a set-aside TSAT may be and still point to overload

_PREFETCH_KEYS = {"tsat": ("tsat", "iron_panel")}  # where the key is not the analyte itself
_BLOOD_GAS = "blood-gas"


# ----------------------------------------------------------------------------------------------- ferritin and TSAT


def read_iron_study(case: "Case", analyte: str) -> Reading:
    """`ferritin` in ng/mL or `tsat` in %, reported or calculated (R-06, R-08...R-11, R-13, R-13a, R-28b, R-41)."""
    timing = partial(_time_iron_draw, _read_clocks(case)) if case.doses else partial(_time_by_age, case.as_of)
    if analyte == "tsat":
        return _read_tsat(case, Question("tsat", timing, partial(_zone_of, zones.TSAT_ZONES), _absent(case, "tsat")))
    cuts = zones.FERRITIN_ZONES_IN_DIALYSIS if case.is_in_dialysis else zones.FERRITIN_ZONES
    question = Question(analyte, timing, partial(_zone_of, cuts), _absent(case, analyte))
    return read_results(question, case.facts.results.get(analyte, ()))


def _read_tsat(case: "Case", question: Question) -> Reading:
    """R-06: within one specimen a reported, usable TSAT wins over a calculated one; between specimens the later."""
    reported = screen_all(question, case.facts.results.get("tsat", ()))
    derived = derive_tsat(case.facts.results, reported.usable)
    if not derived:
        return settle(question, reported)
    calculated = screen_all(question, derived)
    made = {id(result) for result in derived}

    def is_same_sample(one: Result, other: Result) -> bool:
        return (id(one) in made) != (id(other) in made) and is_one_specimen(one.day, other.day)

    both = Screened(reported.usable + calculated.usable, reported.set_aside + calculated.set_aside)
    return settle(replace(question, is_same_sample=is_same_sample), both)


def _read_clocks(case: "Case") -> IronClocks:
    """The doses that make a result uninterpretable, and the course whose next dose this order is (R-41)."""
    earlier = case.earlier_iron
    is_next = earlier.relation is Relation.NEXT_DOSE and bool(earlier.course)
    return IronClocks(
        as_of=case.as_of,
        limit=LAB_DAYS,
        doses=earlier.blackout_doses,
        small_doses=tuple(dose for dose in case.doses if dose not in earlier.blackout_doses),
        course_start=earlier.course[0] if is_next else None,
    )


def _time_iron_draw(clocks: IronClocks, day: Day | None) -> Timing:
    return judge_day(day, clocks.as_of, clocks.limit, partial(judge_iron_draw, clocks))


def points_to_overload(reading: Reading, as_of: date) -> SetAside | None:
    """R-26e: the newest set-aside TSAT that tells a value, if that reaches 45; blackout results never count.

    Of several from one time the one that reaches 45.
    """
    telling = [
        one
        for one in reading.set_aside
        if one.kind in _TELLING and _is_recent(one.result, as_of) and _tells_value(one.result)
    ]
    newest = [one for one in telling if not is_surely_newer(telling[0].result, one.result)]
    return next((one for one in newest if _reaches_overload(one.result)), None)


_TELLING = frozenset(
    {SetAsideKind.PENDING, SetAsideKind.INDETERMINATE, SetAsideKind.CENSORED, SetAsideKind.REJECTED}
    | {SetAsideKind.STALE, SetAsideKind.SUPERSEDED, SetAsideKind.IMPRECISE, SetAsideKind.CONTRADICTED}
)


def _is_recent(result: Result, as_of: date) -> bool:
    return result.day is not None and (as_of - result.day.last).days <= OVERLOAD_DAYS


def _tells_value(result: Result) -> bool:
    return result.value is not None or result.likely_percent is not None


def _reaches_overload(result: Result) -> bool:
    """A likely fraction from 0.45 up, an indeterminate value in the upper band, or any value that can be 45 or more."""
    if result.likely_percent is not None:
        return result.likely_percent >= OVERLOAD_FROM
    if result.value is None:
        return False
    zone = zones.TSAT_INDETERMINATE_HIGH if result.indeterminate else Interval.at_least(OVERLOAD_FROM)
    return result.value.cut(zone) is not None


# ---------------------------------------------------------------------------------------------------- other analytes


def read_hemoglobin(case: "Case") -> Reading:
    """g/dL; a blood-gas or capillary value only where no laboratory value is usable."""
    question = Question(
        "hemoglobin",
        partial(_time_by_age, case.as_of),
        partial(_zone_of, zones.HEMOGLOBIN_ZONES),
        _absent(case, "hemoglobin"),
        low_is_cautious=True,
    )
    results = case.facts.results.get("hemoglobin", ())
    reading = read_results(question, [result for result in results if result.method != _BLOOD_GAS])
    fallback = [result for result in results if result.method == _BLOOD_GAS]
    if reading.is_usable or not fallback:
        return reading
    screened = screen_all(question, fallback)
    together = [*reading.set_aside, *screened.set_aside]
    if not screened.usable:
        return replace(reading, set_aside=sort_newest_first(together))
    by_gas = settle(question, Screened(screened.usable, together))
    return replace(by_gas, caution="blood-gas or capillary measurement") if by_gas.is_usable else by_gas


def read_crp(case: "Case") -> Reading:
    """mg/L; of those drawn within 30 days of the ferritin the nearest, then the newest (R-08, R-27)."""
    ferritin = case.ferritin.for_stops
    if ferritin is None or ferritin.day is None:
        return Reading("crp", why_missing="no usable ferritin near which a CRP could be read")
    question = Question(
        "crp",
        partial(_time_near, ferritin.day, case.as_of),
        partial(_zone_of, zones.CRP_ZONES),
        _absent(case, "crp"),
        distance=partial(days_apart, ferritin),
    )
    return read_results(question, case.facts.results.get("crp", ()))


def _time_near(ferritin: Day, as_of: date, day: Day | None) -> Timing:
    def judge(on: date, _: time | None) -> Timing:
        apart = max(abs((on - ferritin.first).days), abs((on - ferritin.last).days))
        if apart > CRP_DAYS:
            return Timing(SetAsideKind.STALE, f"was drawn {apart} days from the ferritin (limit {CRP_DAYS})")
        return IN_TIME

    return judge_day(day, as_of, 2 * CRP_DAYS, judge)


def read_phosphate(case: "Case") -> Reading:
    """mg/dL; drawn after the latest dose of ferric carboxymaltose (R-08, R-21)."""
    carboxymaltose = [dose for dose in case.doses if dose.ingredient is Ingredient.FCM]
    question = Question(
        "phosphate",
        partial(_time_phosphate, case.as_of, carboxymaltose[-1] if carboxymaltose else None),
        zones.find_phosphate_zone,
        _absent(case, "phosphate"),
        low_is_cautious=True,
    )
    return read_results(question, case.facts.results.get("phosphate", ()))


def _time_phosphate(as_of: date, latest: Dose | None, day: Day | None) -> Timing:
    def judge(on: date, clock: time | None) -> Timing:
        aged = judge_age(on, as_of, LAB_DAYS)
        if aged.kind or latest is None or is_drawn_after(on, clock, latest):
            return aged
        return Timing(SetAsideKind.SUPERSEDED, f"was not drawn after the ferric carboxymaltose of {latest.day}")

    return judge_day(day, as_of, LAB_DAYS, judge)


def _time_by_age(as_of: date, day: Day | None) -> Timing:
    return judge_day(day, as_of, LAB_DAYS, lambda on, _: judge_age(on, as_of, LAB_DAYS))


def _zone_of(cuts: tuple[Interval, ...], result: Result) -> int | None:
    return zones.find_zone(result.value, cuts) if result.value else None


def _absent(case: "Case", analyte: str) -> str:
    """What to say where there is no result at all: nothing on record is not the same as a query that failed (3.1)."""
    name = NAMES[analyte]
    if any(key in case.facts.unavailable for key in _PREFETCH_KEYS.get(analyte, (analyte,))):
        return f"{name} results could not be obtained"
    found = ", reported or to be calculated," if analyte == "tsat" else ""
    return f"no {name}{found} in the data provided"  # CH-096
