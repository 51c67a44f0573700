"""Sorts the results of one analyte into usable ones and those set aside, with the reason (R-07, R-08, R-10, R-11)."""

from collections.abc import Callable, Iterable

from cds_service.clinical.dates import Day
from cds_service.clinical.frozen import frozen
from cds_service.clinical.model import RejectedBecause, Result
from cds_service.clinical.reading import SetAside, SetAsideKind, show_result
from cds_service.clinical.specimen_time import Timing
from cds_service.clinical.wording import quote

COUNTED = {"corrected": 3, "amended": 2, "final": 1}  # R-07, the strongest report highest
PRELIMINARY = "preliminary"


def _never(_: Result, __: Result) -> bool:
    return False


@frozen(frozen=True, slots=True)
class Question:
    """How the results of one analyte are judged and compared."""

    analyte: str
    timing: Callable[[Day | None], Timing]
    zone: Callable[[Result], int | None]  # R-10; None = spans zones
    absent: str  # why it is missing when there is no result at all
    low_is_cautious: bool = False  # hemoglobin, phosphate, weight
    distance: Callable[[Result], int] | None = None  # the nearest comes first, then the newest
    is_same_sample: Callable[[Result, Result], bool] = _never  # a reported and a calculated TSAT of one specimen


@frozen(frozen=True, slots=True)
class Screened:
    """Results sorted into usable ones and those set aside, in no particular order."""

    usable: list[Result]
    set_aside: list[SetAside]


def screen_all(question: Question, results: Iterable[Result]) -> Screened:
    kept, set_aside = drop_replaced(list(results))
    usable: list[Result] = []
    for result in kept:
        refusal = screen(question, result)
        if refusal:
            set_aside.append(refusal)
        else:
            usable.append(result)
    return Screened(usable, set_aside)


def screen(question: Question, result: Result) -> SetAside | None:
    """None if the result is usable, else why not. Status and date come before the value (R-13a rests on that)."""
    if result.status not in COUNTED and result.status != PRELIMINARY:
        why = f"has status {quote(result.status)}" if result.status else "has no status"
        return SetAside(result, why, SetAsideKind.STATUS)
    if result.value is None and result.rejected is None:
        why = f"has no value ({quote(result.problem)})" if result.problem else "has no value"
        return SetAside(result, why, SetAsideKind.NO_VALUE)
    timing = question.timing(result.day)
    if timing.kind:
        return SetAside(result, timing.why, timing.kind)
    if result.status == PRELIMINARY:
        return SetAside(result, "is preliminary: the final result is pending", SetAsideKind.PENDING)
    return _screen_value(question, result)


def _screen_value(question: Question, result: Result) -> SetAside | None:
    if result.rejected:
        kind = SetAsideKind.CENSORED if result.rejected is RejectedBecause.CENSORED else SetAsideKind.REJECTED
        reason = f": {quote(result.problem)}" if result.problem else ""
        return SetAside(result, f"cannot be used ({quote(result.recorded)}{reason})", kind)
    if result.indeterminate:
        why = f"is indeterminate: {show_result(result)} was calculated with the transferrin factor, too near a limit"
        return SetAside(result, why, SetAsideKind.INDETERMINATE)
    if question.zone(result) is None:
        return SetAside(result, f"spans decision limits ({show_result(result)})", SetAsideKind.CENSORED)
    return None


def drop_replaced(results: list[Result]) -> tuple[list[Result], list[SetAside]]:
    """R-07: of several reports on the same specimen time the strongest stays; equals all stay."""
    if len(results) <= 1:
        return results, []
    drawn = [result.day.first for result in results if result.day]
    if len(set(drawn)) == len(drawn):
        return results, []  # as nearly always: no two of one day
    groups: dict[tuple[Day, str], list[Result]] = {}
    kept: list[Result] = []
    for result in results:
        if is_report(result) and result.day and result.day.is_exact:
            groups.setdefault((result.day, result.method), []).append(result)
        else:
            kept.append(result)
    replaced: list[SetAside] = []
    for group in groups.values():
        final = [result for result in group if result.status in COUNTED]
        strongest = keep_strongest(final or group)
        kept += strongest
        if len(strongest) < len(group):
            stay = {id(result) for result in strongest}
            replaced += [_replaced(result) for result in group if id(result) not in stay]
    return kept, replaced


def is_report(result: Result) -> bool:
    """Has a value, and a status with which it counts or may come to count."""
    is_known = result.status in COUNTED or result.status == PRELIMINARY
    return is_known and (result.value is not None or result.rejected is not None)


def _replaced(result: Result) -> SetAside:
    return SetAside(result, "was replaced by another report on the same specimen", SetAsideKind.REPLACED)


def keep_strongest(group: list[Result]) -> list[Result]:
    """R-07: the latest `issued` (if all have one), then corrected before amended before final."""
    if len(group) == 1:
        return group
    moments = [result.issued for result in group if result.issued]
    if len(moments) == len(group):
        latest = max(moments)
        group = [result for result in group if result.issued == latest]
    rank = max(COUNTED.get(result.status or "", 0) for result in group)
    return [result for result in group if COUNTED.get(result.status or "", 0) == rank]
