"""R-50, R-50a, R-50c, R-50d: what an opened chart is found to follow, and which cards that makes."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest

from cds_service.clinical.follow_up.candidate import Candidate, Refusal
from cds_service.clinical.follow_up.view import Followed, Question, Topic, View, is_in_scope, is_quiet, view_chart
from cds_service.clinical.model import (
    Allergen,
    ArrangedContact,
    Ingredient,
    NotGiven,
    PatientFacts,
    PregnancyEvidence,
    PregnancySource,
    Result,
    SeverityTotal,
)
from tests.rules.build import (
    RLS,
    TODAY,
    allergy,
    condition,
    crp,
    day,
    facts,
    ferritin,
    given,
    hemoglobin,
    order,
    tsat,
    weight,
)
from tests.rules.chart import span
from tests.rules.opened import contact, score

REVIEW, RECURRENCE, DUE = Topic.RESPONSE, Topic.RECURRENCE, Topic.DUE
REPLETE = (ferritin("180"), tsat("30"))


def row(rule_id: str, words: str, *values: object) -> Any:
    return pytest.param(*values, id=f"{rule_id} {words}")


def ago(days: int) -> date:
    return TODAY - timedelta(days=days)


def part(reference: str) -> str:
    """In place of the digest that the service makes of a reference."""
    return f"part of {reference}"


def seen(patient: PatientFacts, **changes: Any) -> View:
    asked: dict[str, Any] = {"as_of": TODAY, "label": "us", "name_course": part, **changes}
    return view_chart(patient, Question(**asked))


def followed(patient: PatientFacts, **changes: Any) -> Followed:
    found = seen(patient, **changes).followed
    assert found is not None
    return found


def infused(days_ago: int, *arranged: ArrangedContact, **changes: Any) -> PatientFacts:
    return facts(dose_records=(given(days_ago=days_ago),), arranged=arranged, **changes)


# --------------------------------------------------------------------------------------------- the course followed up


def test_r_43_the_course_is_counted_from_its_last_dose_and_named_by_the_order_of_its_first() -> None:
    doses = (given(mg="500", days_ago=30, refers_to=("MedicationRequest/7",)), given(mg="500", days_ago=20))
    found = followed(facts(dose_records=doses))
    assert (found.course.anchor, found.course.first_day, found.course.days) == (ago(20), ago(30), 20)
    assert (found.order, found.course_part) == ("MedicationRequest/7", "part of MedicationRequest/7")


@pytest.mark.parametrize(
    ("refers_to", "expected"),
    [
        row("R-50a", "no order: the administration", (), None),
        row("R-50a", "a request", ("MedicationRequest/7",), "MedicationRequest/7"),
        row("R-50a", "a service request", ("ServiceRequest/7",), "ServiceRequest/7"),
        row("R-50a", "by its full address", ("https://ehr.example/MedicationRequest/7/_history/2",),
            "MedicationRequest/7"),
        row("R-50a", "a plan is no order", ("CarePlan/7",), None),
        row("R-50a", "the request beside a plan", ("CarePlan/7", "ServiceRequest/8"), "ServiceRequest/8"),
        row("R-50a", "of two the first by name", ("ServiceRequest/8", "MedicationRequest/9"), "MedicationRequest/9"),
    ],
)  # fmt: skip
def test_r_50a_a_course_is_known_by_the_order_it_was_given_for(
    refers_to: tuple[str, ...], expected: str | None
) -> None:
    record = given(days_ago=9, refers_to=refers_to)
    other = given(days_ago=90, refers_to=("MedicationRequest/0",))
    found = followed(facts(dose_records=(other, record)))
    assert found.order == expected
    assert found.course_part == part(expected or record.reference)


OURS = part("MedicationAdministration/fcm-9")


@pytest.mark.parametrize(
    ("courses", "expected"),
    [
        row("R-50a", "nothing requested yet", [], OURS),
        row("R-50a", "requests of ours", [OURS], OURS),
        row("R-50a", "requests of another part, near our day 0", ["b"], "b"),
        row("R-50a", "of two other parts the first by name", ["c", "b"], "b"),
        row("R-50a", "ours beside another", ["a", OURS], OURS),
    ],
)
def test_r_50a_what_is_created_joins_the_requests_already_there(courses: list[str], expected: str) -> None:
    requests = [contact("day-8", ago(9), course=one, reference=f"ServiceRequest/{one}") for one in courses]
    found = followed(infused(9, *requests))
    assert found.course_part == expected
    assert list(found.mine) == requests


def test_r_50a_requests_of_another_course_are_not_its_own() -> None:
    near, far = contact("day-8", ago(9)), contact("day-8", ago(200))
    found = followed(infused(9, near, far))
    assert found.mine == (near,)
    assert [one.is_arranged for one in found.states] == [True, False, False, False]


def test_r_50a_requests_under_its_own_part_are_its_own_whatever_their_day() -> None:
    request_ = contact("day-8", ago(200), course=OURS)
    assert followed(infused(9, request_)).mine == (request_,)


def test_r_50_requests_of_a_course_that_was_given_stay_though_another_order_was_called_off() -> None:
    cancelled = order(status="cancelled", authored=day(9), reference="MedicationRequest/other", in_session=False)
    assert seen(infused(9, contact("day-8", ago(9)), idle_orders=(cancelled,))).leftovers == ()


def test_r_50b_a_move_is_found_with_what_is_still_ahead_on_the_day_of_the_call() -> None:
    request_ = contact("day-8", ago(12))
    move = followed(infused(9, request_)).move
    assert move is not None
    assert (move.old, [one.target for one in move.planned]) == ((request_,), [ago(1)])
    late = followed(infused(9, request_), as_of=TODAY + timedelta(days=6)).move
    assert late is not None and late.planned == ()
    assert followed(infused(9, contact("day-8", ago(9)))).move is None


def test_r_50c_without_a_dose_in_13_months_nothing_is_followed() -> None:
    assert seen(facts()).followed is None
    assert seen(infused(500)).followed is None


# -------------------------------------------------------------------------------------- R-50: requests of no course


@pytest.mark.parametrize(
    ("changes", "is_off"),
    [
        row("R-50", "an order that was called off", {"idle_orders": (order(status="revoked"),)}, True),
        row("R-50", "an order that is drafted", {"idle_orders": (order(status="draft"),)}, False),
        row("R-50", "an infusion not given, without a day",
            {"not_given": (NotGiven(None, "MedicationAdministration/1", ("MedicationRequest/order-1",)),)}, True),
        row("R-50", "one that names another order",
            {"not_given": (NotGiven(None, "MedicationAdministration/1", ("MedicationRequest/9",)),)}, False),
    ],
)  # fmt: skip
def test_r_50_requests_are_known_by_the_order_that_was_called_off(changes: dict[str, Any], is_off: bool) -> None:
    request_ = contact("month-6", ago(3), course=part("MedicationRequest/order-1"))
    found = seen(facts(arranged=(request_,), **changes))
    assert [one.requests for one in found.leftovers] == ([(request_,)] if is_off else [])
    assert (DUE in found.topics) is is_off


def test_r_50a_what_is_left_over_is_told_from_what_is_followed() -> None:
    own, old = contact("day-8", ago(9)), contact("month-6", ago(200))
    found = seen(infused(9, own, old))
    assert [(one.because, one.requests) for one in found.leftovers] == [("they belong to an earlier course", (old,))]
    assert found.followed is not None and found.followed.mine == (own,)


# --------------------------------------------------------------------------------------------- R-50c: which cards, when


def topics(patient: PatientFacts, **changes: Any) -> Sequence[Topic]:
    found = seen(patient, offers_iron_studies=False, **changes)
    return (*found.topics, *found.crowded_out)


@pytest.mark.parametrize(
    ("days", "drawn", "latest", "is_shown"),
    [
        row("R-50c", "labs before day 56: 28 days after it", 84, 40, 30, True),
        row("R-50c", "labs before day 56: 29 days after it", 85, 41, 31, False),
        row("R-50c", "28 days after the labs", 100, 28, 50, True),
        row("R-50c", "29 days after the labs", 100, 29, 50, False),
        row("R-50c", "28 days after the total", 100, 50, 28, True),
        row("R-50c", "29 days after the total", 100, 50, 29, False),
        row("R-50c", "no labs: still open", 150, None, 60, True),
    ],
)
def test_r_50c_a_final_classification_stays_for_28_days_after_what_made_it(
    days: int, drawn: int | None, latest: int, is_shown: bool
) -> None:
    results = () if drawn is None else (ferritin("180", days_ago=drawn), tsat("30", days_ago=drawn))
    totals = (score("30", days + 5), score("12", latest))
    patient = facts(*results, dose_records=(given(days_ago=days),), severity=totals)
    assert (REVIEW in topics(patient)) is is_shown


def test_r_08a_a_total_of_a_vague_day_keeps_the_classification_from_its_last_day_on() -> None:
    totals = (score("30", 105), replace(score("12", 30), day=span(60, 28)))
    results = (ferritin("180", days_ago=50), tsat("30", days_ago=50))
    patient = facts(*results, dose_records=(given(days_ago=100),), severity=totals)
    assert REVIEW in topics(patient)
    assert REVIEW not in topics(patient, as_of=TODAY + timedelta(days=1))


@pytest.mark.parametrize(
    ("days", "expected"),
    [
        row("R-50c", "day 0", 0, [Topic.TOO_EARLY]),
        row("R-50c", "day 6", 6, [Topic.TOO_EARLY]),
        row("R-50c", "day 7", 7, [DUE]),
        row("R-50c", "day 41", 41, [DUE]),
        row("R-50c", "day 42", 42, [DUE, REVIEW]),
        row("R-47", "15 days before month 6", 166, [REVIEW]),
        row("R-47", "14 days before month 6", 167, [RECURRENCE, DUE, REVIEW]),
        row("R-50c", "day 183", 183, [RECURRENCE, DUE, REVIEW]),
        row("R-50c", "day 184", 184, [RECURRENCE, DUE]),
        row("R-47", "28 days after month 6", 212, [RECURRENCE, DUE]),
        row("R-47", "29 days after month 6", 213, [DUE]),
    ],
)
def test_r_50c_the_cards_of_each_day_are_in_their_order(days: int, expected: list[Topic]) -> None:
    assert list(topics(infused(days))) == expected


def test_r_48_a_recurrence_by_score_is_a_card_outside_the_windows() -> None:
    totals = (score("30", 125), score("12", 80), score("24", 3))
    assert topics(infused(120, severity=totals))[0] is RECURRENCE


def test_r_50c_two_cards_are_shown_and_the_others_are_named() -> None:
    found = seen(infused(183))
    assert found.topics == (RECURRENCE, DUE)
    assert found.crowded_out == (REVIEW, Topic.CANDIDATE)
    assert found.suppressed == ()


# -------------------------------------------------------------------------------------------------- R-50c, R-50d: quiet


@pytest.mark.parametrize(
    ("topic", "when", "days", "expected"),
    [
        row("R-50c", "not overridden", DUE, None, 9, False),
        row("R-50c", "today", DUE, 0, 9, True),
        row("R-50c", "30 days ago", DUE, 30, 9, True),
        row("R-50c", "31 days ago", DUE, 31, 9, False),
        row("R-50c", "too early to judge, on the day of the infusion", Topic.TOO_EARLY, 5, 5, True),
        row("R-50c", "too early to judge, the day before it", Topic.TOO_EARLY, 6, 5, False),
        row("R-50c", "too early to judge, without a course", Topic.TOO_EARLY, 0, None, False),
        row("R-50d", "a candidate, 30 days ago", Topic.CANDIDATE, 30, None, True),
    ],
)
def test_r_50c_an_overridden_card_stays_away(topic: Topic, when: int | None, days: int | None, expected: bool) -> None:
    course = None if days is None else followed(infused(days))
    overrides: dict[str, date] = {} if when is None else {topic: ago(when)}
    assert is_quiet(topic, Question(TODAY, "us", part, overrides=overrides), course) is expected


def test_r_50c_one_quiet_card_leaves_the_others() -> None:
    found = seen(infused(183), overrides={DUE: ago(3)}, offers_iron_studies=False)
    assert (found.topics, found.suppressed, found.crowded_out) == ((RECURRENCE, REVIEW), (DUE,), ())


# ------------------------------------------------------------------------------------------------ R-50d: unasked advice


def test_r_50d_what_is_switched_off_is_refused_by_name() -> None:
    found = seen(facts(), offers_candidate=False, offers_iron_studies=False)
    assert found.candidate == found.studies == Refusal("switched off for this client")
    assert found.topics == ()


PREGNANT = PregnancyEvidence(PregnancySource.STATUS, "Observation/pregnant", day(5), pregnant=True)
LOW = (ferritin("48"), tsat("17"), hemoglobin("13.4"), weight("72"))
REFUSALS = [
    row("R-50d", "RLS not confirmed", facts(*LOW, conditions=(replace(RLS, verification_status=None),)),
        "the diagnosis of RLS is not marked as confirmed"),
    row("R-50d", "no TSAT", facts(LOW[0], *LOW[2:]), "ferritin and TSAT are not both usable"),
    row("R-50d", "no ferritin", facts(*LOW[1:]), "ferritin and TSAT are not both usable"),
    row("R-50d", "an order signed", facts(*LOW, signed_orders=(order(status="active"),)),
        "an order of parenteral iron is open"),
    row("R-50d", "83 days after a dose", facts(*LOW, dose_records=(given(days_ago=83),)),
        "IV iron in the last 84 days"),
    row("R-27", "CRP 5.1", facts(*LOW, crp("5.1")), "signs of inflammation"),
    row("R-50d", "pregnant", facts(*LOW, pregnancy=(PREGNANT,)), "pregnant"),
    row("R-50d", "in dialysis", facts(*LOW, conditions=(RLS, condition("dialysis-dependence"))), "in dialysis"),
    row("R-50d", "an entry of a reaction to iron",
        facts(*LOW, conditions=(RLS, condition("iron-adverse-reaction", is_active=False))),
        "an allergy entry about iron"),
    row("R-50d", "a resolved allergy to oral iron",
        facts(*LOW, allergies=(allergy(Allergen.ORAL_IRON, clinical_status="resolved"),)),
        "an allergy entry about iron"),
    row("R-15a", "thalassemia", facts(*LOW, conditions=(RLS, condition("thalassemia"))),
        "an anemia that may not be from lack of iron"),
    row("R-50d", "no weight", facts(*LOW[:3]), "no usable weight"),
    row("R-24", "ferritin 150", facts(ferritin("150"), tsat("30"), *LOW[2:]),
        "R-24: ferritin 150 ng/mL and TSAT 30 %"),
    row("R-29d", "hemoglobin 6.9", facts(*LOW[:2], hemoglobin("6.9"), LOW[3]),
        "a caution that would make a warning: hemoglobin below 7 g/dL"),
]  # fmt: skip


@pytest.mark.parametrize(("patient", "because"), REFUSALS)
def test_r_50d_a_refusal_names_its_reason(patient: PatientFacts, because: str) -> None:
    found = seen(patient).candidate
    assert isinstance(found, Refusal) and found.because == because


@pytest.mark.parametrize("label", ["us", "eu"])
def test_r_50d_the_draft_is_decided_as_the_order_it_would_be(label: str) -> None:
    found = seen(facts(*LOW[:3], weight("60.3")), label=label).candidate
    assert isinstance(found, Candidate)
    asked = found.decision.case
    assert (asked.hook, asked.label, asked.as_of, asked.session) == ("order-select", label, TODAY, (asked.order,))
    draft = asked.order
    assert (draft.reference, draft.resource_type) == ("MedicationRequest/candidate", "MedicationRequest")
    assert (draft.status, draft.route) == ("draft", "intravenous")
    assert (draft.ingredient, draft.name) == (Ingredient.FCM, "ferric carboxymaltose")
    assert found.dose_mg == asked.dose_mg == Decimal(900)
    assert found.names_oral_first


@pytest.mark.parametrize(
    ("results", "changes", "because"),
    [
        row("R-50d", "never tested", (), {}, None),
        row("R-50d", "tested 366 days ago", (ferritin("90", days_ago=366),), {}, None),
        row("R-50d", "tested 365 days ago", (ferritin("90", days_ago=365),), {},
            "a ferritin within 365 days, or one without a date"),
        row("R-50d", "tested on an unknown day", (ferritin("90", day=None),), {},
            "a ferritin within 365 days, or one without a date"),
        row("R-50d", "a result in error is none", (ferritin("90", status="entered-in-error"),), {}, None),
        row("R-50d", "a cancelled result is none", (ferritin("90", status="cancelled"),), {}, None),
        row("R-50d", "83 days after a dose", (), {"dose_records": (given(days_ago=83),)},
            "IV iron in the last 84 days: the follow-up asks for the tests when they can be read"),
        row("R-50d", "84 days after a dose", (), {"dose_records": (given(days_ago=84),)}, None),
    ],
)  # fmt: skip
def test_r_50d_iron_studies_are_refused_with_the_reason(
    results: tuple[Result, ...], changes: dict[str, Any], because: str | None
) -> None:
    found = seen(facts(*results, **changes)).studies
    assert (found and found.because) == because


@pytest.mark.parametrize(("label", "expected"), [("us", "us"), ("eu", "eu")])
def test_r_32_the_chart_is_read_with_the_label_of_the_client(label: str, expected: str) -> None:
    assert seen(facts(), label=label).chart.label == expected


# ------------------------------------------------------------------------------------------------------- R-02, R-03


def test_r_50c_an_age_that_is_not_certain_is_no_adult() -> None:
    assert is_in_scope(facts(birth=span(18 * 365 + 30, 17 * 365)), TODAY) is False


def test_r_49_no_score_is_needed_to_follow_a_course() -> None:
    totals: tuple[SeverityTotal, ...] = (replace(score("20", 3), day=None),)
    assert followed(infused(9, severity=totals)).interpretation.headline == "no score yet"


def test_r_50c_readable_results_make_no_card_by_themselves() -> None:
    assert seen(facts(*REPLETE), as_of=TODAY, name_course=part).topics == ()
    assert seen(facts(*REPLETE, idle_orders=(order(status="cancelled", authored=day(5)),))).leftovers == ()
