"""Response to a course of IV iron and return of symptoms, from severity totals and coded impressions (R-49, R-49a)."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from enum import StrEnum

from cds_service.clinical.dates import Day
from cds_service.clinical.model import Impression, SeverityTotal, Used

BASELINE_DAYS = 90  # R-49a: before the first dose
RESPONSE_FROM_DAY, RESPONSE_TO_DAY = 21, 183  # R-49a: days after the last infusion
NONRESPONSE_FROM_DAY = 42  # R-49a
RESPONDER_FALL = Decimal("0.40")  # R-49 (T11, T12), of the baseline
LEAST_FALL = Decimal(3)  # R-49, points
RETURNED_FROM = Decimal(15)  # R-49a, points
RETURNED_ABOVE_BEST = Decimal(5)  # R-49a, points
CURRENT_DAYS = 30  # R-49a: how old the total may be that shows the return of symptoms

# bands of the IRLS total by their upper end.
BANDS = (
    (Decimal(0), "none"),
    (Decimal(10), "mild"),
    (Decimal(20), "moderate"),
    (Decimal(30), "severe"),
    (Decimal(40), "very severe"),
)


class Response(StrEnum):
    """R-49. `UNDOCUMENTED` is not "none": neither R-40c nor R-40d applies then."""

    RESPONDER = "responder"
    PARTIAL = "partial responder"
    NONE = "non-responder"
    UNDOCUMENTED = "not documented"


@dataclass(frozen=True, slots=True)
class ResponseRecord:
    """What is on record about one course."""

    response: Response
    because: str
    baseline: SeverityTotal | None = None
    best: SeverityTotal | None = None  # lowest total in the response window
    latest: SeverityTotal | None = None  # latest total of all
    has_returned: bool = False  # R-49a: symptoms returned
    used: tuple[Used, ...] = ()


def name_band(total: Decimal) -> str:
    """mild, moderate, severe or very severe (R-49)."""
    return next((name for upper, name in BANDS if total <= upper), BANDS[-1][1])


def classify(baseline: Decimal, total: Decimal) -> Response:
    """R-49: by the fall from baseline; a fall below 3 points is none, whatever share of a low baseline it is."""
    fall = baseline - total
    if fall < LEAST_FALL:
        return Response.NONE
    return Response.RESPONDER if fall >= RESPONDER_FALL * baseline else Response.PARTIAL


def assess_response(
    totals: Iterable[SeverityTotal], impressions: Iterable[Impression], first_dose: date, last_dose: date, as_of: date
) -> ResponseRecord:
    """Response to the course from `first_dose` to `last_dose` (A) by what is on record on `as_of` (R-49a)."""
    known = [one for one in totals if one.day and one.day.last <= as_of]
    baseline = find_baseline(known, first_dose)
    best = find_best(known, last_dose)
    latest = _latest(known)
    by_totals = _by_totals(known, baseline, best, last_dose)
    response, because = by_totals or _by_impression(impressions, last_dose, as_of)
    return ResponseRecord(
        response=response,
        because=because,
        baseline=baseline,
        best=best,
        latest=latest,
        has_returned=has_returned(best, latest, as_of),
        used=tuple(
            _use(name, one) for name, one in (("baseline", baseline), ("best", best), ("latest", latest)) if one
        ),
    )


def find_baseline(totals: Iterable[SeverityTotal], first_dose: date) -> SeverityTotal | None:
    """The latest total in the 90 days before the first dose, or on its day."""
    return _latest(_within(totals, first_dose - timedelta(days=BASELINE_DAYS), first_dose))


def find_best(totals: Iterable[SeverityTotal], last_dose: date) -> SeverityTotal | None:
    """The lowest total from day 21 to day 183 after the last infusion; of equal ones the earliest."""
    start, end = (last_dose + timedelta(days=RESPONSE_FROM_DAY), last_dose + timedelta(days=RESPONSE_TO_DAY))
    return min(_within(totals, start, end), key=lambda one: (one.total, _day(one), one.reference), default=None)


def has_returned(best: SeverityTotal | None, latest: SeverityTotal | None, as_of: date) -> bool:
    """R-49a: the latest total is current, later than the best one, 15 or more, and 5 or more above it."""
    if best is None or latest is None or best.day is None or latest.day is None:
        return False
    is_current = (as_of - latest.day.first).days <= CURRENT_DAYS
    is_later = latest.day.first > best.day.last
    return (
        is_current and is_later and latest.total >= RETURNED_FROM and latest.total - best.total >= RETURNED_ABOVE_BEST
    )


def _by_totals(
    totals: list[SeverityTotal], baseline: SeverityTotal | None, best: SeverityTotal | None, last_dose: date
) -> tuple[Response, str] | None:
    """None when there is no baseline, no total after the course, or too early a one to call it non-response."""
    if baseline is None or best is None:
        return None
    response = classify(baseline.total, best.total)
    if response is Response.NONE and not _reaches_day(totals, last_dose + timedelta(days=NONRESPONSE_FROM_DAY)):
        return None
    return response, f"severity total {baseline.total} before the course, best total after it {best.total}"


def _reaches_day(totals: Iterable[SeverityTotal], day: date) -> bool:
    """Non-response needs a total that is late enough."""
    return any(one.day and one.day.first >= day for one in totals)


def _by_impression(impressions: Iterable[Impression], last_dose: date, as_of: date) -> tuple[Response, str]:
    """Where totals do not decide: the latest coded impression that is late enough for what it says."""
    found = [one for one in impressions if one.day and one.day.last <= as_of and _is_in_time(one, one.day, last_dose)]
    if not found:
        return Response.UNDOCUMENTED, "response to the last course is not documented"
    # Of several on one day the cautious one: non-response.
    latest = max(found, key=lambda one: (one.day.last if one.day else date.min, not one.is_responder, one.reference))
    response = Response.RESPONDER if latest.is_responder else Response.NONE
    return response, f"clinician's global impression of {latest.day}: {response}"


def _is_in_time(impression: Impression, day: Day, last_dose: date) -> bool:
    if not impression.is_responder:
        return day.first >= last_dose + timedelta(days=NONRESPONSE_FROM_DAY)
    start, end = (last_dose + timedelta(days=RESPONSE_FROM_DAY), last_dose + timedelta(days=RESPONSE_TO_DAY))
    return start <= day.first and day.last <= end


def _within(totals: Iterable[SeverityTotal], start: date, end: date) -> list[SeverityTotal]:
    """All days a partial date stands for lie in the window (R-08a)."""
    return [one for one in totals if one.day and start <= one.day.first and one.day.last <= end]


def _latest(totals: Iterable[SeverityTotal]) -> SeverityTotal | None:
    """Of several on one day the lowest: the order of resources never matters, and less is read into a rise."""
    return max(totals, key=lambda one: (_day(one), -one.total, one.reference), default=None)


def _day(one: SeverityTotal) -> date:
    return one.day.last if one.day else date.min


def _use(name: str, one: SeverityTotal) -> Used:
    return Used(f"{name} severity total", str(one.total), one.reference, str(one.day))
