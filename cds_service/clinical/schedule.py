"""Reassessment after IV iron as data: which contact is due when, in which window, and what for (R-43...R-47)."""

from dataclasses import dataclass, replace
from datetime import date, timedelta
from functools import lru_cache

from cds_service.clinical.dates import add_months


@dataclass(frozen=True, slots=True)
class Contact:
    """One reassessment. The target is `days` or `months` after day 0, the window is counted in days from the target."""

    id: str  # last part of the identifiers of its requests
    rule: str
    title: str
    days: int
    months: int
    window_from: int
    window_to: int
    tasks: tuple[str, ...]  # whole sentences; they name the tests too
    tests: tuple[str, ...]  # value-set ids of the tests to draw
    tests_to_order: tuple[str, ...]  # those ordered together with the contact; the others when its window opens
    forbids_ferritin: bool  # ferritin cannot be interpreted yet


@dataclass(frozen=True, slots=True)
class Planned:
    """A contact on the calendar; the window includes both of its days."""

    contact: Contact
    target: date
    window_first: date
    window_last: date


SPECIMEN = "Draw in the morning if possible, after 24 hours without iron supplements or iron-rich food (R-12)."
SPECIMEN_NOTE = "Draw ideally in the morning, with no iron supplements or iron-rich foods for 24 hours before (R-12)."
_TESTS = ("ferritin", "iron-panel", "cbc")

DAY_8 = Contact(
    id="day-8",
    rule="R-44",
    title="day 8",
    days=8,
    months=0,
    window_from=-1,
    window_to=6,
    tasks=(
        "Record the IRLS total; on day 7 it is recorded but not yet interpreted.",
        "Ask about adverse effects.",
        "Ask about signs of low phosphate: new weakness, bone pain, worsening fatigue.",
        "No ferritin: so soon after iron it cannot be interpreted.",
    ),
    tests=(),
    tests_to_order=(),
    forbids_ferritin=True,
)
WEEK_3 = Contact(
    id="week-3",
    rule="R-45",
    title="week 3",
    days=21,
    months=0,
    window_from=-2,
    window_to=7,
    tasks=(
        "Record the IRLS total and its change from baseline.",
        "Ask again about adverse effects, new weakness, bone pain and worsening fatigue.",
        "Measure phosphate if there are such symptoms.",
        "No ferritin: so soon after iron it cannot be interpreted.",
    ),
    tests=(),
    tests_to_order=(),
    forbids_ferritin=True,
)
WEEK_8 = Contact(
    id="week-8-labs",
    rule="R-46",
    title="week 8 labs",
    days=56,
    months=0,
    window_from=0,
    window_to=28,
    tasks=(
        "Draw ferritin, iron, TIBC (for TSAT) and a CBC.",
        SPECIMEN,
        "Record the IRLS total and classify the response against baseline.",
    ),
    tests=_TESTS,
    tests_to_order=_TESTS,
    forbids_ferritin=False,
)
MONTH_6 = Contact(
    id="month-6",
    rule="R-47",
    title="month 6",
    days=0,
    months=6,
    window_from=-14,
    window_to=28,
    tasks=(
        "Ask whether symptoms have returned; record the IRLS total.",
        "Draw ferritin, iron, TIBC (for TSAT) and a CBC.",
        SPECIMEN,
        "Consider whether a repeat course is a question; while the response lasts, look again every 6 months.",
    ),
    tests=_TESTS,
    tests_to_order=(),
    forbids_ferritin=False,
)
CONTACTS: tuple[Contact, ...] = (DAY_8, WEEK_3, WEEK_8, MONTH_6)

EVERY_MONTHS = 6  # 12, 18 ... months, counted from day 0
MOST_MONTHS = 600
_BY_ID = {contact.id: contact for contact in CONTACTS}
# Keeps every date computed here within the calendar, whatever a chart holds ("9999-12-31" for "open end").
_FIRST_YEAR, _LAST_YEAR = 100, 9900


@lru_cache(maxsize=512)  # keyed by a day alone; many courses begin on one
def plan(anchor: date) -> tuple[Planned, ...]:
    """The four contacts of a course, `anchor` being day 0 (R-43); none for a day at the end of the calendar."""
    return tuple(place(contact, anchor) for contact in CONTACTS) if _is_sane(anchor) else ()


def place(contact: Contact, anchor: date) -> Planned:
    """The contact counted from day 0, by calendar dates only: no hours, no weekends (R-43)."""
    target = add_months(anchor, contact.months) + timedelta(days=contact.days)
    first, last = timedelta(days=contact.window_from), timedelta(days=contact.window_to)
    return Planned(contact, target, target + first, target + last)


def plan_later(anchor: date, as_of: date) -> tuple[Planned, ...]:
    """The contacts of month 12, 18 ... whose window has begun by `as_of`; they are never offered in advance (R-47)."""
    begun: list[Planned] = []
    last = MOST_MONTHS if _is_sane(anchor) else 0
    for months in range(2 * EVERY_MONTHS, last + 1, EVERY_MONTHS):
        planned = place(_six_monthly(months), anchor)
        if planned.window_first > as_of:
            break
        begun.append(planned)
    return tuple(begun)


def find_contact(contact_id: str) -> Contact | None:
    """By the last part of an identifier; months 12, 18 ... included. None for what is not ours."""
    known = _BY_ID.get(contact_id)
    if known is not None:
        return known
    unit, _, number = contact_id.partition("-")
    if unit != "month" or not (number.isascii() and number.isdecimal()) or len(number) > len(str(MOST_MONTHS)):
        return None
    months = int(number)
    if str(months) != number or months % EVERY_MONTHS or not EVERY_MONTHS < months <= MOST_MONTHS:
        return None
    return _six_monthly(months)


def implied_anchors(contact_id: str, target: date) -> tuple[date, ...]:
    """The days 0 from which a contact with this target counts (R-50a); several where a month's end was clamped.

    A target that no day 0 gives (somebody moved it) is counted back the same way. Empty for contacts that are not ours.
    """
    contact = find_contact(contact_id)
    if contact is None or not _is_sane(target):
        return ()
    earliest = add_months(target, -contact.months) - timedelta(days=contact.days)
    if not contact.months:
        return (earliest,)
    same_month = (earliest + timedelta(days=days) for days in range(4))  # months differ by at most three days
    return tuple(day for day in same_month if add_months(day, contact.months) == target) or (earliest,)


def _six_monthly(months: int) -> Contact:
    return replace(MONTH_6, id=f"month-{months}", title=f"month {months}", months=months)


def _is_sane(day: date) -> bool:
    return _FIRST_YEAR <= day.year <= _LAST_YEAR
