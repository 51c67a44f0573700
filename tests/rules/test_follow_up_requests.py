"""R-50, R-50b: reassessments move with the infusion, and are named when there is nothing left to follow."""

from dataclasses import replace
from datetime import date, timedelta

import pytest

from cds_service.card_parts import Chart, Profile
from cds_service.cards import render_cards
from cds_service.clinical.dates import Day
from cds_service.clinical.model import ArrangedContact, Ingredient, NotGiven, PatientFacts
from cds_service.fhir import orders
from tests.rules.build import TODAY, case, day, decide, facts, ferritin, given, order, tsat, weight
from tests.rules.opened import PATIENT, Json, actions, cards, contact, created, deleted, engine, look, topics, words

NAMES = ("day-8", "week-3", "week-8-labs", "month-6")
DELETES = Profile(deletes=True)


def counted_from(days_ago: int, *done: str) -> tuple[ArrangedContact, ...]:
    anchor = TODAY - timedelta(days=days_ago)
    return tuple(contact(name, anchor, "completed" if name in done else "active") for name in NAMES)


def infused(days_ago: int, *arranged: ArrangedContact, **changes: object) -> PatientFacts:
    return facts(dose_records=(given(days_ago=days_ago),), arranged=arranged, **changes)


# ------------------------------------------------------------------------------------------------------------- R-50b


@pytest.mark.parametrize(
    ("planned", "given_ago", "moves"),
    [
        pytest.param(1, 1, False, id="R-50b given as planned"),
        pytest.param(3, 1, True, id="R-50b two days late"),
        pytest.param(1, 3, True, id="R-50b two days early"),
        pytest.param(29, 1, True, id="R-50b 28 days late"),
    ],
)
def test_r_50b_contacts_counted_from_another_day_are_moved(planned: int, given_ago: int, moves: bool) -> None:
    found = cards(infused(given_ago, *counted_from(planned)), DELETES)
    assert created(found) == (list(NAMES) if moves else [])
    assert bool(deleted(found)) == moves
    assert ("are open" in words(found)) == moves


def test_r_50b_the_moved_contacts_keep_their_identifiers_and_the_open_old_ones_are_deleted() -> None:
    arranged = counted_from(10, "day-8")
    found = cards(infused(12, *arranged), DELETES)
    moved = [action["resource"] for action in actions(found) if action["type"] == "create"]
    assert {one["identifier"][0]["value"] for one in moved} == {f"{'0' * 16}.{name}" for name in NAMES[1:]}
    assert moved[0]["occurrenceDateTime"] == (TODAY - timedelta(days=12) + timedelta(days=21)).isoformat()
    assert deleted(found) == [one.reference for one in arranged[1:]]


def test_r_50b_clients_without_deletes_read_what_to_cancel_by_hand() -> None:
    found = cards(infused(1, *counted_from(3)))
    assert deleted(found) == []
    assert created(found) == list(NAMES)
    assert "cancel the old ones by hand" in words(found)
    assert f"day-8 ({TODAY + timedelta(days=5)})" in words(found)


def test_r_50b_tests_move_with_their_contact() -> None:
    anchor = TODAY - timedelta(days=3)
    test = contact("week-8-labs", anchor, test="ferritin", reference="ServiceRequest/test")
    found = cards(infused(1, *counted_from(3), test), DELETES)
    assert "week-8-labs.ferritin" in created(found)
    assert "ServiceRequest/test" in deleted(found)


def test_r_50b_one_contact_moved_by_hand_is_left_alone() -> None:
    arranged = list(counted_from(1))
    arranged[0] = replace(arranged[0], due=TODAY + timedelta(days=9))
    assert actions(cards(infused(1, *arranged), DELETES)) == []


def test_r_50b_a_second_dose_moves_the_contacts() -> None:
    doses = (given(mg="750", days_ago=9), given(mg="750", days_ago=2))
    found = cards(facts(dose_records=doses, arranged=counted_from(9)), DELETES)
    assert created(found) == list(NAMES)


def test_r_50b_never_updates() -> None:
    assert {action["type"] for action in actions(cards(infused(1, *counted_from(3)), DELETES))} == {"create", "delete"}


@pytest.mark.parametrize("offset", [-1, 0, 3])
def test_r_50b_a_task_is_dated_by_its_window(offset: int) -> None:
    """Within the window of the contact it is counted from the right day."""
    anchor = TODAY - timedelta(days=1)
    task = contact("day-8", anchor, reference="Task/1", due=anchor + timedelta(days=8 + offset))
    assert look(infused(1, task)).followed.move is None  # type: ignore[union-attr]


# --------------------------------------------------------------------------------------------- nothing to follow

NOT_INDICATED = (ferritin("180"), tsat("30"))


def called_off(status: str = "cancelled", **changes: object) -> PatientFacts:
    cancelled = order(status=status, authored=day(6), reference="MedicationRequest/77", in_session=False)
    return facts(*NOT_INDICATED, arranged=counted_from(5), idle_orders=(cancelled,), **changes)


@pytest.mark.parametrize(
    ("status", "named"), [("cancelled", True), ("stopped", True), ("entered-in-error", True), ("draft", False)]
)
def test_r_50_an_order_called_off_leaves_contacts_to_cancel(status: str, named: bool) -> None:
    found = cards(called_off(status), DELETES)
    assert (topics(found) == ["follow-up-due"]) == named
    assert deleted(found) == ([one.reference for one in counted_from(5)] if named else [])


def test_r_50_without_deletes_the_contacts_are_only_named() -> None:
    found = cards(called_off())
    assert actions(found) == []
    assert "Consider cancelling them" in words(found)


def test_r_50_an_infusion_recorded_as_not_given_leaves_contacts_to_cancel() -> None:
    record = NotGiven(Day(TODAY - timedelta(days=5), TODAY - timedelta(days=5)), "MedicationAdministration/1")
    found = cards(facts(*NOT_INDICATED, arranged=counted_from(5), not_given=(record,)), DELETES)
    assert len(deleted(found)) == len(NAMES)


def test_r_50_the_order_is_known_by_its_identifier_whatever_the_dates() -> None:
    course = orders.course_part(PATIENT, "MedicationRequest/77")
    arranged = (contact("month-6", TODAY - timedelta(days=90), course=course),)
    cancelled = order(status="cancelled", authored=day(200), reference="MedicationRequest/77", in_session=False)
    found = cards(facts(*NOT_INDICATED, arranged=arranged, idle_orders=(cancelled,)), DELETES)
    assert deleted(found) == [arranged[0].reference]


def test_r_50_while_iron_is_still_ordered_nothing_is_cancelled() -> None:
    signed = order(status="active", authored=day(1), reference="MedicationRequest/78", in_session=False)
    assert cards(called_off(signed_orders=(signed,)), DELETES) == []


@pytest.mark.parametrize(("days_ago", "named"), [(28, False), (29, True)])
def test_r_50_contacts_without_any_infusion_are_named_after_28_days(days_ago: int, named: bool) -> None:
    found = cards(facts(*NOT_INDICATED, arranged=counted_from(days_ago)), DELETES)
    assert bool(deleted(found)) == named


def test_r_50_contacts_of_a_course_that_is_long_over_are_not_called_never_given() -> None:
    patient = facts(*NOT_INDICATED, dose_records=(given(days_ago=500),), arranged=counted_from(500))
    assert cards(patient, DELETES) == []


def test_3_1_r_50_a_failed_query_for_infusions_is_not_an_infusion_that_was_not_given() -> None:
    patient = facts(*NOT_INDICATED, arranged=counted_from(60), unavailable={"iron_administrations": "failed"})
    assert cards(patient, DELETES) == []


def test_r_50a_contacts_of_an_earlier_course_are_named() -> None:
    found = cards(infused(8, *counted_from(200)), DELETES)
    assert "they belong to an earlier course" in words(found)
    assert set(deleted(found)) == {one.reference for one in counted_from(200)}


def test_r_50_closed_requests_are_never_offered_for_deletion() -> None:
    found = cards(infused(8, *counted_from(200, *NAMES)), DELETES)
    assert deleted(found) == []


def test_r_50b_a_request_without_id_cannot_be_deleted() -> None:
    nameless = replace(contact("day-8", TODAY - timedelta(days=3)), reference="ServiceRequest without id (entry 1)")
    found = cards(infused(1, nameless), DELETES)
    assert created(found) == ["day-8"]
    assert deleted(found) == []


def test_r_43_a_partial_date_is_said_to_be_one() -> None:
    dose = replace(given(), day=Day(date(2026, 3, 1), date(2026, 3, 31)))
    assert "exact day is not recorded" in words(cards(facts(dose_records=(dose,))))


# ------------------------------------------------------------------------------------- R-50b when the order is chosen


def chosen(
    planned_in: int | None, *arranged: ArrangedContact, profile: Profile = DELETES, **changes: object
) -> list[Json]:
    """order-select of 1000 mg, planned so many days from now."""
    dates = () if planned_in is None else (day(-planned_in),)
    evaluated = order(mg="1000", planned=dates, reference="MedicationRequest/1")
    patient = facts(ferritin("48"), tsat("17"), weight("72"), arranged=arranged, **changes)
    return render_cards(engine().shop, profile, Chart(PATIENT), [decide(case(patient, evaluated))])


@pytest.mark.parametrize(
    ("planned_in", "counted", "moves"),
    [
        pytest.param(7, -7, False, id="R-50b planned for the day they are counted from"),
        pytest.param(9, -7, True, id="R-50b planned two days later"),
        pytest.param(None, -7, False, id="R-50b without a planned date nothing is moved"),
    ],
)
def test_r_50b_a_new_planned_date_moves_the_contacts(planned_in: int | None, counted: int, moves: bool) -> None:
    found = chosen(planned_in, *counted_from(counted))
    assert ("reassessment" in topics(found)) == moves
    assert created(found[1:]) == (list(NAMES) if moves else [])
    assert bool(deleted(found)) == moves


def test_r_50b_a_second_dose_ordered_moves_the_contacts_of_the_first() -> None:
    evaluated = order(mg="750", planned=(day(-1),), reference="MedicationRequest/2")
    patient = facts(
        *(ferritin("48", days_ago=20), tsat("17", days_ago=20), weight("72")),
        dose_records=(given(mg="750", days_ago=8),),
        arranged=counted_from(8, "day-8"),
    )
    found = render_cards(engine().shop, DELETES, Chart(PATIENT), [decide(case(patient, evaluated))])
    assert created(found[1:]) == list(NAMES[1:])
    assert len(deleted(found)) == len(NAMES) - 1


def test_r_50b_orders_of_another_course_beside_it_move_nothing() -> None:
    one = order(mg="1000", planned=(day(-7),), reference="MedicationRequest/1")
    other = order(Ingredient.SUCROSE, "200", planned=(day(-10),), reference="MedicationRequest/2")
    patient = facts(ferritin("48"), tsat("17"), weight("72"), arranged=counted_from(-7))
    session = (one, other)
    decisions = [decide(case(patient, evaluated, session=session)) for evaluated in session]
    assert "reassessment" not in topics(render_cards(engine().shop, DELETES, Chart(PATIENT), decisions))
