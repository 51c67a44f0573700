"""Follow-up already arranged: requests with our identifiers, in the chart or among the drafts (R-50a)."""

from collections.abc import Sequence

import msgspec

from cds_service.clinical.dates import Day, read_day
from cds_service.clinical.model import ArrangedContact
from cds_service.fhir.wire import (
    CONTACT,
    RESTRICTION,
    UNREADABLE,
    Contact,
    Period,
    ReadContext,
    as_list,
    is_foreign,
    reference_to,
)

CONTACT_TYPES = ("ServiceRequest", "Task", "Appointment")
GONE = (
    "revoked",
    "cancelled",
    "entered-in-error",
)  # R-50a: these count as not arranged


def read_arranged(
    context: ReadContext, raw: msgspec.Raw | bytes, place: int, *, is_draft_order: bool
) -> ArrangedContact | None:
    """The contact or laboratory request behind one resource; None when it does not carry our identifier."""
    contact = CONTACT.decode(raw)
    if contact.resourceType not in CONTACT_TYPES or contact.status in GONE or is_foreign(context, contact.subject):
        return None
    value = next(
        (one.value for one in as_list(contact.identifier) if one.system in context.identifier_systems and one.value),
        None,
    )
    if value is None:
        return None
    parts = value.split(".")
    if len(parts) not in (2, 3):
        return None
    due = _due(context, contact)
    return ArrangedContact(
        course=parts[0],
        contact=parts[1],
        test=parts[2] if len(parts) > 2 else None,
        due=due.first if due else None,
        status=contact.status or "",
        reference=reference_to(contact.resourceType, contact.id, place),
        is_draft_order=is_draft_order,
    )


def read_pending_totals(context: ReadContext, resources: Sequence[msgspec.Raw]) -> frozenset[str]:
    """Identifier values of severity totals with our identifier, with or without value: none is offered twice."""
    found = set()
    for raw in resources:
        try:
            one = CONTACT.decode(raw)
        except UNREADABLE:
            continue
        if one.resourceType == "Observation" and one.status not in GONE and not is_foreign(context, one.subject):
            found |= {named.value for named in as_list(one.identifier) if named.system in context.identifier_systems}
    return frozenset(value for value in found if value)


def _due(context: ReadContext, contact: Contact) -> Day | None:
    """The target date of a ServiceRequest; the first day of the window of a Task or Appointment."""
    for text in (contact.occurrenceDateTime, contact.start, *_starts(contact)):
        if text and (day := read_day(text, context.zone)):
            return day
    return None


def _starts(contact: Contact) -> tuple[str | None, ...]:
    periods: list[Period] = list(contact.requestedPeriod or ())
    try:
        restriction = RESTRICTION.decode(contact.restriction) if contact.restriction is not msgspec.UNSET else None
    except UNREADABLE:
        restriction = None
    if restriction and restriction.period:
        periods.append(restriction.period)
    return tuple(period.start for period in periods)
