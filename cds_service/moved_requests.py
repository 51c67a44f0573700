"""Actions on reassessments that are requested already: created anew from another day 0, or deleted (R-50, R-50b)."""

from collections.abc import Sequence

from cds_service.card_parts import TEST_NAMES, Json, Profile, Shop, create_action, delete_action
from cds_service.clinical.follow_up.open_requests import Move, can_be_deleted
from cds_service.clinical.model import ArrangedContact
from cds_service.clinical.schedule import SPECIMEN_NOTE, Planned
from cds_service.fhir import orders
from cds_service.fhir.orders import CourseRef

MOVE_LABEL = "Move the reassessments to the day of the infusion"
BY_HAND = "Please cancel the old ones by hand."
MAY_BE_MOVED = "They can be moved; where the old ones stay, please cancel them by hand."


def move_actions(shop: Shop, profile: Profile, course: CourseRef, move: Move) -> list[Json]:
    """The moved contacts and their tests under the same identifiers; the open old ones deleted, never updated."""
    actions = []
    for planned in move.planned:
        note = describe_window(planned)
        resource = orders.contact_resource(profile.follow_up, shop.codes, course, planned, note)
        actions.append(create_action(f"Reassessment {planned.contact.title}, {planned.target.isoformat()}", resource))
        tests = sorted({one.test for one in move.old if one.test and one.contact == planned.contact.id})
        actions += [_move_test(shop, course, planned, test) for test in tests if test in TEST_NAMES]
    return [*actions, *(delete_actions(move.old) if profile.deletes else [])]


def _move_test(shop: Shop, course: CourseRef, planned: Planned, test: str) -> Json:
    resource = orders.laboratory_request(shop.codes, course, planned.contact.id, test, planned.target, SPECIMEN_NOTE)
    return create_action(f"Order {TEST_NAMES[test]} for {planned.target.isoformat()}", resource)


def delete_actions(requests: Sequence[ArrangedContact]) -> list[Json]:
    """Those that have an id; the others are only named."""
    return [delete_action(f"Cancel {name_request(one)}", one.reference) for one in requests if can_be_deleted(one)]


def name_request(one: ArrangedContact) -> str:
    """`day-8 (2026-03-18)`, of a test `week-8-labs ferritin (2026-05-05)`."""
    what = f"{one.contact} {one.test}" if one.test else one.contact
    return f"{what} ({one.due.isoformat() if one.due else 'undated'})"


def describe_window(planned: Planned) -> str:
    return (
        f"target {planned.target.isoformat()}, window {planned.window_first.isoformat()} to "
        f"{planned.window_last.isoformat()}. {' '.join(planned.contact.tasks)}"
    )
