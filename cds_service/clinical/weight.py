"""The body weight that a dose is based on (R-08b): an actual weight, in pregnancy the one before it."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import date, time, timedelta
from functools import partial
from typing import TYPE_CHECKING

from cds_service.clinical.dates import Day
from cds_service.clinical.model import Result
from cds_service.clinical.pregnancy import EVIDENCE_DAYS
from cds_service.clinical.reading import Reading, SetAside, SetAsideKind
from cds_service.clinical.screening import Question, Screened, screen_all
from cds_service.clinical.selection import settle
from cds_service.clinical.specimen_time import IN_TIME, Timing, judge_age, judge_day

if TYPE_CHECKING:
    from cds_service.clinical.case import Case

WEIGHT_DAYS = 180
BEFORE_PREGNANCY_DAYS = 365  # R-08b

ANALYTE = "body-weight"
ACTUAL = ("", "measured", "stated")
DRY = "dry"
PRE_PREGNANCY = "pre-pregnancy"
_CAUTIONS = {
    "stated": "stated by the patient, not measured",
    DRY: "dry weight",
    PRE_PREGNANCY: "recorded weight before the pregnancy",
}


def read_weight(case: "Case") -> Reading:
    """kg. Does not look at doses, which may themselves depend on the weight (R-41a)."""
    weights = case.facts.results.get(ANALYTE, ())
    if case.pregnancy.is_pregnant:
        return _read_before_pregnancy(case, weights)
    kinds = (*ACTUAL, DRY) if case.is_in_dialysis else ACTUAL
    return _read(_question(case, partial(_time_by_age, case.as_of)), weights, kinds)


def _read_before_pregnancy(case: "Case", weights: Iterable[Result]) -> Reading:
    """The recorded pre-pregnancy weight, else the last one in the 365 days before the pregnancy began."""
    age = case.pregnancy.age_days
    began = None if age is None else case.as_of - timedelta(days=age)
    recorded = _read(_question(case, partial(_time_recorded, began, case.as_of)), weights, (PRE_PREGNANCY,))
    if recorded.is_usable:
        return recorded
    kinds = (*ACTUAL, DRY) if case.is_in_dialysis else ACTUAL
    earlier = _read(_question(case, partial(_time_before, began, case.as_of)), weights, kinds)
    if earlier.is_usable:
        return replace(earlier, caution="last weight before the pregnancy")
    return replace(earlier, why_missing="pre-pregnancy weight needed")


def _read(question: Question, weights: Iterable[Result], kinds: tuple[str, ...]) -> Reading:
    """The newest of the kinds that may be dosed on."""
    weights = tuple(weights)
    others = [_other_kind(result) for result in weights if result.method not in kinds]
    screened = screen_all(question, [result for result in weights if result.method in kinds])
    reading = settle(question, Screened(screened.usable, screened.set_aside + others))
    return replace(reading, caution=_CAUTIONS.get(reading.chosen.method, "")) if reading.chosen else reading


def _question(case: "Case", timing: "partial[Timing]") -> Question:
    absent = (
        "body weight could not be obtained"
        if "weight" in case.facts.unavailable
        else "no body weight in the data provided"
    )
    return Question(ANALYTE, timing, _zone, absent, low_is_cautious=True)


def _zone(result: Result) -> int | None:
    """A dose can be worked out from a number only."""
    return 0 if result.value is not None and result.value.is_point else None


def _other_kind(result: Result) -> SetAside:
    return SetAside(result, f"is no weight to dose on ({result.method})", SetAsideKind.OTHER_KIND)


def _time_by_age(as_of: date, day: Day | None) -> Timing:
    return judge_day(day, as_of, WEIGHT_DAYS, lambda on, _: judge_age(on, as_of, WEIGHT_DAYS))


def _time_recorded(began: date | None, as_of: date, day: Day | None) -> Timing:
    """A recorded pre-pregnancy weight has to be about this pregnancy."""
    start = as_of - timedelta(days=EVIDENCE_DAYS) if began is None else began - timedelta(days=BEFORE_PREGNANCY_DAYS)

    def judge(on: date, _: time | None) -> Timing:
        return IN_TIME if on >= start else Timing(SetAsideKind.STALE, "may be about an earlier pregnancy")

    return judge_day(day, as_of, (as_of - start).days, judge)


def _time_before(began: date | None, as_of: date, day: Day | None) -> Timing:
    def judge(on: date, _: time | None) -> Timing:
        if began is None:
            return Timing(SetAsideKind.OTHER_KIND, "may have been taken in pregnancy")
        if on >= began:
            return Timing(SetAsideKind.OTHER_KIND, "was taken in pregnancy")
        days = (began - on).days
        if days > BEFORE_PREGNANCY_DAYS:
            why = f"was taken {days} days before the pregnancy began (limit {BEFORE_PREGNANCY_DAYS})"
            return Timing(SetAsideKind.STALE, why)
        return IN_TIME

    return judge_day(day, as_of, BEFORE_PREGNANCY_DAYS, judge)
