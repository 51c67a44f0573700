"""What may be concluded about the response today, and what not yet (R-48, R-49)."""

from dataclasses import dataclass
from datetime import date, timedelta
from decimal import ROUND_FLOOR, Decimal
from enum import StrEnum

from cds_service.clinical import doses
from cds_service.clinical.case import Case
from cds_service.clinical.follow_up.course import FINAL_FROM_DAY, PROVISIONAL_FROM_DAY, REPEAT_FROM_DAY, Course
from cds_service.clinical.follow_up.repletion import find_deficits, is_drawn_since
from cds_service.clinical.model import SeverityTotal, Used
from cds_service.clinical.response import LEAST_FALL, Response, ResponseRecord, assess_response, classify, name_band

# R-48, days since day 0.
EARLY_FROM_DAY = 8
INTERIM_FROM_DAY = 21
INTERIM_SCORE_FROM_DAY = 19  # the week-3 window opens


class Stage(StrEnum):
    """R-48."""

    TOO_EARLY = "too early to judge"
    EARLY = "early"
    INTERIM = "interim"
    PROVISIONAL = "provisional"
    FINAL = "final"


@dataclass(frozen=True, slots=True)
class Interpretation:
    """Sentences that are allowed today, and what they must not be taken for."""

    stage: Stage
    headline: str
    say: tuple[str, ...]
    not_yet: tuple[str, ...]
    record: ResponseRecord
    is_final_with_labs: bool = False
    is_incompletely_repleted: bool = False
    used: tuple[Used, ...] = ()


def find_stage(days: int) -> Stage:
    """By days since day 0."""
    if days < EARLY_FROM_DAY:
        return Stage.TOO_EARLY
    if days < INTERIM_FROM_DAY:
        return Stage.EARLY
    if days < PROVISIONAL_FROM_DAY:
        return Stage.INTERIM
    return Stage.PROVISIONAL if days < FINAL_FROM_DAY else Stage.FINAL


def interpret(case: Case, course: Course) -> Interpretation:
    """R-48 for the day of the call. `case` is of `open_chart`."""
    facts = case.facts
    record = assess_response(facts.severity, facts.impressions, course.first_day, course.anchor, case.as_of)
    stage = find_stage(course.days)
    if stage is Stage.TOO_EARLY:
        say = "It is too early to judge the response; a score recorded today is kept and not yet interpreted."
        return _undecided(stage, "too early to judge the response", (say,), course, record)
    if stage is Stage.EARLY:
        return _read_early(case, course, record, stage)
    if stage is Stage.INTERIM:
        return _read_interim(case, course, record)
    if stage is Stage.PROVISIONAL:
        return _read_provisional(course, record)
    return _read_final(case, course, record)


def _undecided(
    stage: Stage, headline: str, say: tuple[str, ...], course: Course, record: ResponseRecord
) -> Interpretation:
    return Interpretation(stage, headline, say, wait_lines(course), record, used=record.used)


def wait_lines(course: Course) -> tuple[str, ...]:
    """The dates from which it may be judged and repeated, for every day before (R-40a, R-48)."""
    lines = []
    if course.days < FINAL_FROM_DAY:
        lines.append(f"A final judgment of the response is possible from {course.judged_from}, not before.")
    if course.days < REPEAT_FROM_DAY:
        lines.append(f"A repeat course can be considered from {course.repeat_from}.")
    return tuple(lines)


# ------------------------------------------------------------------------------------------------- days 8 to 41


def _latest(case: Case, course: Course, from_day: int) -> SeverityTotal | None:
    """The latest total drawn from that day on; of several on one day the lowest."""
    start = course.anchor + timedelta(days=from_day)
    found = [one for one in case.facts.severity if one.day and start <= one.day.first and one.day.last <= case.as_of]
    return max(found, key=lambda one: (_day(one), -one.total, one.reference), default=None)


def _day(one: SeverityTotal) -> date:
    return one.day.last if one.day else date.min


NO_BASELINE = (
    "No severity total from the 90 days before the course: record the total; the response is then classified by the "
    "clinician's global impression."
)


def _compare(baseline: SeverityTotal, latest: SeverityTotal) -> str:
    fall = baseline.total - latest.total
    values = f"{doses.plain(baseline.total)} before the course, {doses.plain(latest.total)} on {latest.day}"
    if fall == 0:
        return f"The severity total is the same: {values}."
    change = f"rose by {_points(-fall)}" if fall < 0 else f"fell by {_points(fall)} ({_percent(fall, baseline)} %)"
    return f"The severity total {change}: {values}."


def _percent(fall: Decimal, baseline: SeverityTotal) -> Decimal:
    """Rounded down: 39.9 % is not shown as the 40 % of a response."""
    return (fall * 100 / baseline.total).to_integral_value(ROUND_FLOOR)


def _points(count: Decimal) -> str:
    return "1 point" if count == 1 else f"{doses.plain(count)} points"


def _read_early(case: Case, course: Course, record: ResponseRecord, stage: Stage) -> Interpretation:
    latest, baseline = _latest(case, course, EARLY_FROM_DAY), record.baseline
    if latest is None:
        say: tuple[str, ...] = (f"No severity total since day {EARLY_FROM_DAY}: the response cannot be told yet.",)
        return _undecided(stage, "no score yet", say if baseline else (*say, NO_BASELINE), course, record)
    if baseline is None:
        return _undecided(stage, "score without baseline", (NO_BASELINE,), course, record)
    if latest.total < baseline.total:
        say = (_compare(baseline, latest), "That is early improvement.")
        return _undecided(stage, "early improvement", say, course, record)
    say = (_compare(baseline, latest), "Not yet improved; benefit may come later.")
    return _undecided(stage, "not yet improved", say, course, record)


def _read_interim(case: Case, course: Course, record: ResponseRecord) -> Interpretation:
    latest, baseline = _latest(case, course, INTERIM_SCORE_FROM_DAY), record.baseline
    if latest is None:
        early = _read_early(case, course, record, Stage.INTERIM)
        say = (
            *early.say,
            f"No severity total since day {INTERIM_SCORE_FROM_DAY}: record one for the interim view.",
        )
        return _undecided(Stage.INTERIM, "no week-3 score yet", say, course, record)
    if baseline is None:
        return _undecided(Stage.INTERIM, "score without baseline", (NO_BASELINE,), course, record)
    if baseline.total - latest.total < LEAST_FALL:
        say = (_compare(baseline, latest), "No early response (less than 3 points); benefit may come until week 12.")
        return _undecided(Stage.INTERIM, "no early response", say, course, record)
    words = (
        "40 % or more"
        if classify(baseline.total, latest.total) is Response.RESPONDER
        else "3 points or more, below 40 %"
    )
    say = (_compare(baseline, latest), f"Interim response: {words}.")
    return _undecided(Stage.INTERIM, "interim response", say, course, record)


# ------------------------------------------------------------------------------------------------- from day 42 on

_IN_WORDS = {
    Response.RESPONDER: "response (total fell by 40 % or more)",
    Response.PARTIAL: "partial response (total fell by 3 points or more, but less than 40 %)",
    Response.NONE: "no response (total fell by less than 3 points)",
}
NOT_DOCUMENTED = (
    "The response is not documented: it needs a severity total from the 90 days before the course and one from day 21 "
    "on (to say that there was none, from day 42 on), or the clinician's global impression."
)


def _amount(course: Course) -> str:
    if not course.is_amount_known:
        return "The amount given is not fully recorded"
    return f"The course was {doses.plain(course.least_mg)} mg, less than {doses.plain(course.ceiling_mg)} mg"


def _read_provisional(course: Course, record: ResponseRecord) -> Interpretation:
    stage = Stage.PROVISIONAL
    if not course.is_adequate:
        say = (f"{_amount(course)}: no classification before {course.judged_from}.",)
        return _undecided(stage, "course too small to classify yet", say, course, record)
    if record.response is Response.UNDOCUMENTED:
        return _undecided(stage, "response not documented", (NOT_DOCUMENTED,), course, record)
    say = (f"Provisional classification: {_IN_WORDS[record.response]}; {record.because}.",)
    return _undecided(stage, f"provisional: {record.response}", say, course, record)


def _read_final(case: Case, course: Course, record: ResponseRecord) -> Interpretation:
    """With what is on record; days 56 to 84 and, while still open, later (R-48)."""
    unmet, used = find_deficits(case, course)
    has_labs = is_drawn_since(case, course)
    if record.response is Response.UNDOCUMENTED:
        say: tuple[str, ...] = (NOT_DOCUMENTED,)
        headline = "response not documented"
    elif record.response is Response.NONE and unmet:
        headline = "incompletely repleted"
        say = (
            f"Not improved and incompletely repleted: {', '.join(unmet)}.",
            "Consider iron loss or too small an amount before concluding anything about the drug.",
        )
    else:
        headline = str(record.response)
        say = (f"Classification: {_IN_WORDS[record.response]}; {record.because}.",)
    if record.response is Response.NONE and not unmet and not course.is_adequate:
        say = (*say, f"{_amount(course)}: consider whether it was enough.")
    if not has_labs:
        say = (*say, f"Repletion is not known: no ferritin since {course.readable_from}; consider ordering the tests.")
    return Interpretation(
        Stage.FINAL,
        headline,
        say,
        wait_lines(course),
        record,
        is_final_with_labs=has_labs and record.response is not Response.UNDOCUMENTED,
        is_incompletely_repleted=headline == "incompletely repleted",
        used=(*record.used, *used),
    )


def describe_latest_score(case: Case) -> str:
    """`Latest severity total 24 (severe, 2026-03-02)`."""
    known = [one for one in case.facts.severity if one.day and one.day.last <= case.as_of]
    latest = max(known, key=lambda one: (_day(one), -one.total, one.reference), default=None)
    return (
        f"Latest severity total {doses.plain(latest.total)} ({name_band(latest.total)}, {latest.day})" if latest else ""
    )
