"""Reassessments already requested that no longer fit: the infusion moved, or did not take place (R-50, R-50b)."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from cds_service.clinical.dates import Day
from cds_service.clinical.follow_up.contacts import CLOSED
from cds_service.clinical.model import ArrangedContact, PatientFacts
from cds_service.clinical.schedule import Planned, find_contact, implied_anchors, place
from cds_service.clinical.windows import SAME_COURSE_DAYS

CALLED_OFF = ("cancelled", "stopped", "revoked", "entered-in-error")  # the order was revoked
_BY_WINDOW = ("Task/", "Appointment/")  # these are dated by their window, not by the target


def is_open(one: ArrangedContact) -> bool:
    return one.status not in CLOSED


def can_be_deleted(one: ArrangedContact) -> bool:
    """A delete action names a resource by its id."""
    kind, slash, name = one.reference.partition("/")
    return bool(slash and name) and " " not in kind


def fits(one: ArrangedContact, anchor: date) -> bool:
    """The request is dated as one that is counted from `anchor`."""
    contact = find_contact(one.contact)
    if contact is None or one.due is None:
        return False
    planned = place(contact, anchor)
    if one.reference.startswith(_BY_WINDOW):
        return planned.window_first <= one.due <= planned.window_last
    return one.due == planned.target


# -------------------------------------------------------------------------------------- R-50b: the infusion moved


@dataclass(frozen=True, slots=True)
class Move:
    """Open requests counted from another day 0, and the contacts that take their place."""

    old: tuple[ArrangedContact, ...]  # contacts and their tests
    planned: tuple[Planned, ...]  # moved contacts whose window is not over


def find_move(mine: Sequence[ArrangedContact], planned: Sequence[Planned], anchor: date, as_of: date) -> Move | None:
    """None when nothing has to be moved.

    A request that fits shows that the course is counted from the right day; then another date was chosen by hand.
    """
    contacts = [one for one in mine if one.test is None and one.due is not None]
    if not contacts or any(fits(one, anchor) for one in contacts):
        return None
    old = [one for one in mine if is_open(one)]
    moved = {one.contact for one in old if one.test is None}
    if not moved:
        return None
    kept = tuple(one for one in planned if one.contact.id in moved and one.window_last >= as_of)
    return Move(tuple(old), kept)


# ------------------------------------------------------------------------------ R-50, R-50a: nothing to follow any more


@dataclass(frozen=True, slots=True)
class Leftover:
    """Open requests of a course that is over or never was, and why."""

    requests: tuple[ArrangedContact, ...]
    because: str


def find_leftovers(
    facts: PatientFacts,
    mine: Collection[ArrangedContact],
    called_off_courses: Collection[str],
    as_of: date,
    *,
    dose_days: Sequence[date],
) -> tuple[Leftover, ...]:
    """Open requests that are not of the course followed up; `called_off_courses`: course parts of orders called off."""
    others = [one for one in facts.arranged if one not in mine and is_open(one)]
    if not others:
        return ()
    called_off = [one for one in others if _is_called_off(facts, one, called_off_courses)]
    rest = [one for one in others if one not in called_off]
    earlier = [one for one in rest if dose_days and _is_before(one, max(dose_days))]
    unknown = [one for one in rest if one not in earlier and _is_never_given(facts, one, dose_days, as_of)]
    found = (
        Leftover(tuple(called_off), "the order was called off, or the infusion was not given"),
        Leftover(tuple(earlier), "they belong to an earlier course"),
        Leftover(tuple(unknown), "no infusion is on record near the day they are counted from"),
    )
    return tuple(one for one in found if one.requests)


def _is_called_off(facts: PatientFacts, one: ArrangedContact, courses: Collection[str]) -> bool:
    """By the identifier of the order, or by its day where ids changed at signing; never while iron is still ordered."""
    if facts.signed_orders:
        return False
    if one.course in courses:
        return True
    off = [order for order in facts.idle_orders if order.status in CALLED_OFF]
    days = [order.planned[-1] if order.planned else order.authored for order in off]
    return _is_near_any(one, [*days, *(record.day for record in facts.not_given)])


def _is_near_any(one: ArrangedContact, days: Iterable[Day | None]) -> bool:
    if one.due is None:
        return False
    anchors = implied_anchors(one.contact, one.due)
    return any(day and abs((anchor - day.last).days) <= SAME_COURSE_DAYS for anchor in anchors for day in days)


def _is_before(one: ArrangedContact, latest_dose: date) -> bool:
    if one.due is None:
        return False
    anchors = implied_anchors(one.contact, one.due)
    return bool(anchors) and max(anchors) < latest_dose - timedelta(days=SAME_COURSE_DAYS)


def _is_never_given(facts: PatientFacts, one: ArrangedContact, dose_days: Sequence[date], as_of: date) -> bool:
    """28 days after the day it is counted from, without dose near it, open order, or a query that failed."""
    if one.due is None or facts.signed_orders or facts.unavailable.keys() & {"iron_administrations", "medications"}:
        return False
    anchors = implied_anchors(one.contact, one.due)
    if any(abs((anchor - day).days) <= SAME_COURSE_DAYS for anchor in anchors for day in dose_days):
        return False
    return bool(anchors) and max(anchors) < as_of - timedelta(days=SAME_COURSE_DAYS)
