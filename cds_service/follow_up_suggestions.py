"""What follow-up cards offer to create or delete: missing or moved contacts and tests, a draft order (R-50...R-50d)."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date

from cds_service import markdown as md
from cds_service.card_parts import (
    PANEL,
    TEST_NAMES,
    Json,
    Profile,
    Shop,
    create_action,
    listed,
    rls_reference,
)
from cds_service.clinical import doses
from cds_service.clinical.follow_up.candidate import Candidate
from cds_service.clinical.follow_up.contacts import ContactState, State
from cds_service.clinical.follow_up.open_requests import Leftover, Move, is_open
from cds_service.clinical.follow_up.view import Followed, View
from cds_service.clinical.model import ArrangedContact, Ingredient
from cds_service.clinical.schedule import SPECIMEN_NOTE
from cds_service.fhir import orders
from cds_service.fhir.orders import CourseRef
from cds_service.ids import new_uuid
from cds_service.moved_requests import MOVE_LABEL, delete_actions, describe_window, move_actions, name_request

IRON_STUDIES = ("ferritin", "iron-panel", "cbc")
REVIEW = "review"  # stands for the contact in identifiers of tests that no contact asks for
_NO_COURSE = "unasked"  # stands for the course in identifiers of tests offered without one


@dataclass(frozen=True, slots=True)
class Desktop:
    """Client, patient, and what is on the order desk already, so that nothing is offered twice (CH-246)."""

    shop: Shop
    profile: Profile
    patient_id: str
    ordered_tests: frozenset[str] = frozenset()  # tests with an open request in the chart
    pending_totals: frozenset[str] = frozenset()  # identifier values of totals still to be filled in


def course_ref(desktop: Desktop, view: View) -> CourseRef:
    """The course in written resources; without one the identifiers still name the patient's next step."""
    followed = view.followed
    return CourseRef(
        patient_id=desktop.patient_id,
        course=followed.course_part if followed else orders.course_part(desktop.patient_id, _NO_COURSE),
        identifier_system=desktop.shop.identifier_system,
        rls_condition=rls_reference(view.chart.facts.conditions),
        based_on=followed.order if followed else None,
    )


def suggestion(label: str, actions: Sequence[Json]) -> list[Json]:
    """None when there is nothing to do."""
    if not actions:
        return []
    return [{"label": label, "uuid": new_uuid(), "isRecommended": True, "actions": list(actions)}]


# ----------------------------------------------------------------------------------------------- contacts and tests


def suggest_contact(desktop: Desktop, view: View, followed: Followed, lead: ContactState) -> list[Json]:
    """The contact, its laboratory requests and, where the client takes it, a total to be filled in; what is missing."""
    planned, course = lead.planned, course_ref(desktop, view)
    actions = []
    if not lead.is_arranged and lead.state is not State.OVERDUE:  # a window that is over is not moved
        note = describe_window(planned)
        resource = orders.contact_resource(desktop.profile.follow_up, desktop.shop.codes, course, planned, note)
        actions.append(create_action(f"Reassessment {planned.contact.title}, {planned.target.isoformat()}", resource))
    day = max(planned.target, view.chart.as_of)
    actions += _test_actions(desktop, course, followed.mine, planned.contact.id, planned.contact.tests, day)
    value = orders.identifier_value(course.course, planned.contact.id, orders.SEVERITY)
    if desktop.profile.severity_observation and value not in desktop.pending_totals:
        total = orders.pending_total(desktop.shop.codes, course, planned.contact.id)
        actions.append(create_action("IRLS total, to be filled in", total))
    return suggestion(f"Create what is missing for {planned.contact.title}", actions)


def suggest_missing_tests(desktop: Desktop, view: View, followed: Followed, tests: Sequence[str]) -> list[Json]:
    """Tests a review lacks, as soon as they can be read, under the identifiers of the contact they belong to.

    Where those were drawn already and are too old by now, under identifiers of the review itself.
    """
    as_of = view.chart.as_of
    begun = [one.planned for one in followed.states if as_of >= one.planned.window_first]
    if not begun or not begun[-1].contact.tests or as_of < followed.course.readable_from:
        return []
    contact = begun[-1].contact.id
    if any(one.contact == contact and one.test and not is_open(one) for one in followed.mine):
        contact = REVIEW
    day = max(begun[-1].target, as_of)
    actions = _test_actions(desktop, course_ref(desktop, view), followed.mine, contact, tests, day)
    names = listed([action["description"].removeprefix("Order ") for action in actions]) if actions else ""
    return suggestion(f"Order {names}", actions)


def _test_actions(
    desktop: Desktop,
    course: CourseRef,
    mine: Collection[ArrangedContact],
    contact: str,
    tests: Sequence[str],
    day: date,
) -> list[Json]:
    known = {one.test for one in mine if one.contact == contact and one.test}
    wanted = dict.fromkeys(PANEL.get(test, test) for test in tests)
    return [
        create_action(
            f"Order {TEST_NAMES[test]}",
            orders.laboratory_request(desktop.shop.codes, course, contact, test, day, SPECIMEN_NOTE),
        )
        for test in wanted
        if test not in known and test not in desktop.ordered_tests
    ]


# ------------------------------------------------------------------------------------------ requests that do not fit


def suggest_move(desktop: Desktop, view: View, move: Move) -> list[Json]:
    """R-50b."""
    return suggestion(MOVE_LABEL, move_actions(desktop.shop, desktop.profile, course_ref(desktop, view), move))


def suggest_deletions(desktop: Desktop, leftovers: Sequence[Leftover]) -> list[Json]:
    """R-50: only for clients that take deletes; the others read the dates on the card."""
    if not desktop.profile.deletes:
        return []
    actions = [action for leftover in leftovers for action in delete_actions(leftover.requests)]
    return suggestion("Cancel reassessments that no longer apply", actions)


def list_requests(requests: Sequence[ArrangedContact]) -> str:
    return md.text(listed(sorted(name_request(one) for one in requests)))


# ------------------------------------------------------------------------------------------------- R-50d: unasked


def suggest_order(desktop: Desktop, view: View, candidate: Candidate) -> list[Json]:
    """A draft that order-select then decides as any other; the dose by R-32a."""
    name = f"{doses.name_product(Ingredient.FCM)} {candidate.dose_mg} mg"
    note = "Draft from decision support: product, dose and day are to be checked; it is decided anew when chosen."
    order = orders.iron_order(desktop.shop.codes, course_ref(desktop, view), name, candidate.dose_mg, note)
    return suggestion(f"Draft {name}, intravenous", [create_action(f"Draft order: {name}", order)])


def suggest_iron_studies(desktop: Desktop, view: View) -> list[Json]:
    course = course_ref(desktop, view)
    has_blood_count = view.chart.hemoglobin.is_usable
    wanted = [
        test for test in IRON_STUDIES if test not in desktop.ordered_tests and not (test == "cbc" and has_blood_count)
    ]
    actions = [
        create_action(
            f"Order {TEST_NAMES[test]}",
            orders.laboratory_request(desktop.shop.codes, course, "baseline", test, None, SPECIMEN_NOTE),
        )
        for test in wanted
    ]
    return suggestion(f"Order {listed([TEST_NAMES[test] for test in wanted])}", actions)
