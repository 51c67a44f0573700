"""Chooses among the usable results of one analyte and finds what contradicts the choice (R-13, R-13a, R-26)."""

from collections.abc import Callable, Iterable, Sequence
from datetime import date, time
from decimal import Decimal

from cds_service.clinical.dates import Day
from cds_service.clinical.model import Result
from cds_service.clinical.reading import NAMES, Reading, SetAside, SetAsideKind, show_day, show_result
from cds_service.clinical.screening import Question, Screened, keep_strongest, screen_all

CONFLICT_DAYS = 7

# Set aside without saying anything about the patient: named only when there is nothing better to name.
_SAYS_LITTLE = frozenset(
    {SetAsideKind.STATUS, SetAsideKind.NO_VALUE, SetAsideKind.REPLACED, SetAsideKind.OTHER_KIND}
    | {SetAsideKind.UNDATED, SetAsideKind.FUTURE}
)
_UNREADABLE = frozenset({SetAsideKind.REJECTED, SetAsideKind.CENSORED})  # the kinds with the effect of R-13a


def read_results(question: Question, results: Iterable[Result]) -> Reading:
    """The whole way from results to the reading."""
    return settle(question, screen_all(question, results))


def settle(question: Question, screened: Screened) -> Reading:
    """The newest usable result, unless a newer one that cannot be read contradicts it."""
    if not screened.usable and not screened.set_aside:
        return Reading(question.analyte, why_missing=question.absent)
    usable, vague = _part_unordered(question, screened.usable)
    set_aside = [*screened.set_aside, *vague]
    candidate = choose(question, usable) if usable else None
    contradiction = _find_contradiction(question, candidate, set_aside) if candidate else None
    if candidate and contradiction:
        why = f"is older than a result of {show_day(contradiction.result.day)} that {contradiction.why}"
        set_aside.append(SetAside(candidate, why, SetAsideKind.CONTRADICTED))
    chosen = None if contradiction else candidate
    ordered = sort_newest_first(set_aside)
    return Reading(
        analyte=question.analyte,
        chosen=chosen,
        set_aside=ordered,
        why_missing="" if chosen else _why_missing(question, ordered, candidate, contradiction),
        conflicting=_find_conflict(question, chosen, usable) if chosen else None,
        pending=_find_pending(question, chosen, ordered),
        caution=question.timing(chosen.day).caution if chosen else "",
        contradicted_by=contradiction.result if contradiction else None,
        stopper=candidate if contradiction else None,
    )


def choose(question: Question, usable: list[Result]) -> Result:
    """R-13: nearest (R-27), date, clock if both have one, R-07, the cautious value. Never the order of resources."""
    if len(usable) == 1:
        return usable[0]
    if question.distance:
        distances = [question.distance(result) for result in usable]
        nearest = min(distances)
        usable = [result for result, distance in zip(usable, distances, strict=True) if distance == nearest]
    usable = keep_strongest(_keep_newest(usable))
    return min(usable, key=_caution_key(question))


def _keep_newest(usable: list[Result]) -> list[Result]:
    """Those of the newest date; of them not the ones that a clock time shows to be older."""
    latest = max(_last_day(result) for result in usable)
    newest = [result for result in usable if _last_day(result) == latest]
    if len(newest) == 1:
        return newest
    newest = [result for result in newest if result.day and result.day.is_exact] or newest
    clock = max((result.day.clock for result in newest if result.day and result.day.clock), default=None)
    return [result for result in newest if not result.day or result.day.clock in (None, clock)]


def is_newer(result: Result, other: Result) -> bool:
    """Drawn later, or possibly later where a date is partial; on one day by the clock, only if both have one."""
    if result.day is None or other.day is None:
        return False
    if result.day.last > other.day.first:
        return True
    mine, theirs = result.day.clock, other.day.clock
    return result.day.last == other.day.first and mine is not None and theirs is not None and mine > theirs


def is_surely_newer(result: Result, other: Result) -> bool:
    return is_newer(result, other) and not is_newer(other, result)


def days_apart(one: Result, other: Result) -> int:
    """Between specimen dates; of partial dates the widest distance."""
    if one.day is None or other.day is None:
        raise ValueError("an undated result has no distance to another")
    return max((one.day.last - other.day.first).days, (other.day.last - one.day.first).days)


def _part_unordered(question: Question, usable: list[Result]) -> tuple[list[Result], list[SetAside]]:
    """R-08a: a partial date is too vague if it may be older or newer than a result that gives another answer."""
    if all(result.day and result.day.is_exact for result in usable):
        return usable, []
    answers = {(result.day, question.zone(result)) for result in usable}
    clear: list[Result] = []
    vague: list[SetAside] = []
    for result in usable:
        zone = question.zone(result)
        if any(other != zone and _may_be_either(result.day, day) for day, other in answers):
            vague.append(_vague(result))
        else:
            clear.append(result)
    return clear, vague


def _may_be_either(day: Day | None, other: Day | None) -> bool:
    """A partial date that reaches to both sides of the other one."""
    if day is None or other is None or day.is_exact:
        return False
    return day.last > other.first and day.first < other.last


def _vague(result: Result) -> SetAside:
    why = f"is dated {show_day(result.day)} only, so it may be older or newer than another result"
    return SetAside(result, why, SetAsideKind.IMPRECISE)


def _find_contradiction(question: Question, candidate: Result, set_aside: list[SetAside]) -> SetAside | None:
    """R-13a: the newest unreadable result that is newer than the usable one."""
    found = [
        one
        for one in set_aside
        if one.kind in _UNREADABLE
        and _would_come_first(question, one.result, candidate)
        and not question.is_same_sample(one.result, candidate)
    ]
    return max(found, key=_age_key) if found else None


def _would_come_first(question: Question, result: Result, candidate: Result) -> bool:
    if not is_newer(result, candidate):
        return False
    return question.distance is None or question.distance(result) <= question.distance(candidate)


def _find_conflict(question: Question, chosen: Result, usable: list[Result]) -> Result | None:
    """R-13: another usable result at most 7 days away in another zone."""
    if len(usable) == 1:
        return None
    zone = question.zone(chosen)
    others = [
        result
        for result in usable
        if result is not chosen and days_apart(result, chosen) <= CONFLICT_DAYS and question.zone(result) != zone
    ]
    return choose(question, others) if others else None


def _find_pending(question: Question, chosen: Result | None, set_aside: tuple[SetAside, ...]) -> Result | None:
    """R-07: a preliminary result that would be used if it were final."""
    for one in set_aside:
        if one.kind is SetAsideKind.PENDING and (chosen is None or _would_come_first(question, one.result, chosen)):
            return one.result
    return None


def _why_missing(
    question: Question, set_aside: tuple[SetAside, ...], candidate: Result | None, contradiction: SetAside | None
) -> str:
    """R-26: the reason in words, told by the newest result that says something."""
    if not set_aside:
        return question.absent
    telling = contradiction or next((one for one in set_aside if one.kind not in _SAYS_LITTLE), set_aside[0])
    dated = f" {show_day(telling.result.day)}" if telling.result.day else ""
    words = f"last {NAMES[question.analyte]}{dated} {telling.why}"
    if candidate is None:
        return words
    return f"{words} and may contradict the {show_result(candidate)} of {show_day(candidate.day)}"


# ------------------------------------------------------------------------------------------------------------- order


def _last_day(result: Result) -> date:
    return result.day.last if result.day else date.min


def sort_newest_first(set_aside: Sequence[SetAside]) -> tuple[SetAside, ...]:
    return tuple(sorted(set_aside, key=_age_key, reverse=True)) if len(set_aside) > 1 else tuple(set_aside)


def _age_key(one: SetAside) -> tuple[date, date, time, str, str, str, str]:
    """Newest last; a total order, so that equal charts give equal readings."""
    result = one.result
    day = result.day
    first, clock = (day.first, day.clock or time.min) if day else (date.min, time.min)
    return (_last_day(result), first, clock, result.reference, result.recorded, result.status or "", one.kind)


def _caution_key(question: Question) -> Callable[[Result], tuple[Decimal, str, str]]:
    """Smallest first: the value that errs on the side of not treating, then the reference."""

    def key(result: Result) -> tuple[Decimal, str, str]:
        low, high = (result.value.low, result.value.high) if result.value else (None, None)
        if question.low_is_cautious:
            worst = Decimal("-Infinity") if low is None else low
        else:
            worst = Decimal("-Infinity") if high is None else -high
        return (worst, result.reference, result.recorded)

    return key
