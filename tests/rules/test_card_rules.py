"""The card rules R-50 to R-56: what is offered once, in which order cautions stand, what every card shows."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from functools import cache
from typing import Any

import pytest

from cds_service.assembly import Engine, build_engine
from cds_service.card_parts import Chart, Profile
from cds_service.cards import render_cards
from cds_service.clinical.dates import Day
from cds_service.clinical.model import Allergen, ArrangedContact, Cap, Ingredient, Line, Rank, SeverityTotal
from cds_service.clinical.schedule import plan
from cds_service.settings import load_settings
from tests.rules.build import (
    RLS,
    TODAY,
    allergy,
    case,
    condition,
    crp,
    day,
    decide,
    facts,
    ferritin,
    given,
    hemoglobin,
    order,
    phosphate,
    tsat,
    weight,
)

Json = dict[str, Any]


@cache
def engine() -> Engine:
    return build_engine(load_settings())


def cards(
    patient: Any,
    *orders: Any,
    profile: Profile | None = None,
    hook: str = "order-select",
    drafted: frozenset[str] = frozenset(),
) -> list[Json]:
    session = orders or (order(),)
    decisions = [decide(case(patient, one, session=tuple(session), hook=hook)) for one in session]
    return render_cards(engine().shop, profile or Profile(), Chart("p1", drafted), decisions)


def topics(found: list[Json]) -> list[str]:
    return [card["source"]["topic"]["code"] for card in found]


def offered(card: Json) -> list[str]:
    """Identifier values of what the suggestions create, course part left out."""
    return [value.split(".", 1)[1] for value in identifiers(card)]


def identifiers(card: Json) -> list[str]:
    return [
        action["resource"]["identifier"][0]["value"] for one in card.get("suggestions", ()) for action in one["actions"]
    ]


STRONG = (ferritin("48"), tsat("17"), hemoglobin("13.5"), weight("72"))
ALL = ["day-8", "week-3", "week-8-labs", "week-8-labs.ferritin", "week-8-labs.iron-panel", "week-8-labs.cbc", "month-6"]


def arranged(contact: str, anchor: date = TODAY, **changes: Any) -> ArrangedContact:
    due = next(one.target for one in plan(anchor) if one.contact.id == contact)
    made = ArrangedContact("other", contact, None, due, "active", f"ServiceRequest/{contact}")
    return replace(made, **changes)


def test_r_51_a_supported_order_has_two_cards_and_every_contact_once() -> None:
    found = cards(facts(*STRONG))
    assert topics(found) == ["indicated-strong", "reassessment"]
    assert offered(found[1]) == ALL


@pytest.mark.parametrize(
    ("patient", "topic"),
    [
        pytest.param(facts(ferritin("48"), tsat("50")), "contraindicated", id="R-50 contraindicated"),
        pytest.param(facts(ferritin("320"), tsat("20")), "not-indicated", id="R-50 not indicated"),
        pytest.param(facts(), "insufficient-data", id="R-50 insufficient data"),
    ],
)
def test_r_50_no_schedule_without_support(patient: Any, topic: str) -> None:
    assert topics(cards(patient)) == [topic]


def test_r_50_only_missing_contacts_are_offered() -> None:
    patient = facts(*STRONG, arranged=(arranged("day-8"), arranged("month-6")))
    assert offered(cards(patient)[1]) == [one for one in ALL if one not in ("day-8", "month-6")]


def test_r_50_missing_contacts_join_the_course_that_is_already_there() -> None:
    patient = facts(*STRONG, arranged=(arranged("day-8"),))
    assert {value.split(".")[0] for value in identifiers(cards(patient)[1])} == {"other"}


def test_r_50_with_everything_arranged_the_recommendation_says_so() -> None:
    patient = facts(*STRONG, arranged=tuple(arranged(one) for one in ("day-8", "week-3", "week-8-labs", "month-6")))
    found = cards(patient)
    assert topics(found) == ["indicated-strong"]
    assert "Follow-up of this course is arranged." in found[0]["detail"]


@pytest.mark.parametrize(
    ("days", "is_ours"),
    [
        pytest.param(28, True, id="R-50a implied anchor 28 days away is this course"),
        pytest.param(29, False, id="R-50a implied anchor 29 days away is another course"),
        pytest.param(-28, True, id="R-50a implied anchor 28 days before is this course"),
        pytest.param(-29, False, id="R-50a implied anchor 29 days before is another course"),
    ],
)
def test_r_50a_contacts_of_this_course_are_told_by_the_anchor_they_imply(days: int, is_ours: bool) -> None:
    patient = facts(*STRONG, arranged=(arranged("month-6", TODAY + timedelta(days=days)),))
    found = cards(patient)
    assert ("month-6" not in offered(found[1])) is is_ours
    assert ("earlier course are still open" in found[0]["detail"]) is not is_ours


def test_r_50a_a_completed_contact_of_an_earlier_course_is_not_named() -> None:
    patient = facts(*STRONG, arranged=(arranged("month-6", TODAY - timedelta(days=200), status="completed"),))
    assert "earlier course" not in cards(patient)[0]["detail"]


def test_r_50a_contacts_of_the_same_course_part_count_whatever_their_date() -> None:
    course = identifiers(cards(facts(*STRONG))[1])[0].split(".")[0]
    patient = facts(*STRONG, arranged=(arranged("week-3", TODAY - timedelta(days=90), course=course),))
    assert "week-3" not in offered(cards(patient)[1])


def test_r_51_one_reassessment_card_for_two_orders_of_one_course() -> None:
    second = order(mg="750", reference="MedicationRequest/order-2")
    assert topics(cards(facts(*STRONG), order(mg="750"), second)) == [
        "indicated-strong",
        "reassessment",
        "indicated-strong",
    ]


def test_r_51_a_client_may_leave_the_separate_tests_out() -> None:
    found = cards(facts(*STRONG), profile=Profile(separate_tests=False))
    assert offered(found[1]) == ["day-8", "week-3", "week-8-labs", "month-6"]
    assert "ferritin" in found[1]["suggestions"][0]["actions"][2]["resource"]["note"][0]["text"]


def test_r_51_cards_are_complete_without_suggestions() -> None:
    found = cards(facts(*STRONG), profile=Profile(suggestions=False))
    assert all("suggestions" not in card and "selectionBehavior" not in card for card in found)
    assert "2026-03-18" in found[1]["detail"]


def bullets(card: Json) -> list[str]:
    part = next(part for part in card["detail"].split("\n\n**") if part.startswith("Check first**"))
    return [line[2:] for line in part.splitlines() if line.startswith("- ")]


CROWDED = facts(
    ferritin("48"),
    ferritin("80", days_ago=14),
    tsat("17"),
    hemoglobin("6.5"),
    crp("40"),
    weight("72"),
    phosphate("3.4"),
    conditions=(
        condition("rls", name="RLS"),
        *(
            condition(one, name=one)
            for one in ("asthma", "rheumatoid-arthritis", "liver-disease", "osteoporosis", "active-infection")
        ),
    ),
    allergies=(allergy(Allergen.PLAIN_IRON),),
    unavailable={"iron_administrations": "failed"},
)


def test_r_51a_cautions_stand_most_dangerous_first() -> None:
    decision = decide(case(CROWDED, order(mg="1200")))
    ranks = [line.rank for _, line in decision.lines]
    assert ranks == sorted(ranks)
    assert len(set(ranks)) > 6


def test_r_51a_beyond_seven_cautions_the_rest_become_n_more_points() -> None:
    decision = decide(case(CROWDED, order(mg="1200")))
    beyond = [line for place, (_, line) in enumerate(decision.lines) if place >= 7 and line.rank > Rank.PREGNANCY]
    assert beyond
    shown = bullets(cards(CROWDED, order(mg="1200"))[0])
    assert shown[-1].startswith(f"{len(beyond)} more point")
    assert len(shown) == len(decision.lines) - len(beyond) + 1


def _numbered_lines(rank: Rank, count: int) -> Iterator[Line]:
    yield from (Line(rank, f"line {number}", "because") for number in range(count))


@pytest.mark.parametrize(
    ("rank", "count", "shown"),
    [
        pytest.param(Rank.PREGNANCY, 9, 9, id="R-51a rank 8 is never dropped"),
        pytest.param(Rank.INFECTION_OVERLOAD, 9, 8, id="R-51a rank 9 is dropped beyond seven, one line says how many"),
        pytest.param(Rank.SPECIMEN, 7, 7, id="R-51a seven are shown"),
        pytest.param(Rank.SPECIMEN, 8, 8, id="R-51a of eight, seven and one more point"),
    ],
)
def test_r_51a_what_may_be_dropped(rank: Rank, count: int, shown: int) -> None:
    decision = decide(case(facts(*STRONG)))
    rule = decision.verdicts[0][0]
    crowded = replace(decision, lines=tuple((rule, line) for line in _numbered_lines(rank, count)))
    found = render_cards(engine().shop, Profile(), Chart("p1"), [crowded])
    assert len(bullets(found[0])) == shown


@pytest.mark.parametrize(
    ("patient", "ordered", "hook", "indicator"),
    [
        pytest.param(facts(*STRONG), order(mg="1000"), "order-select", "info", id="R-52 supported: info"),
        pytest.param(facts(ferritin("48")), order(), "order-select", "warning", id="R-52 TSAT missing"),
        pytest.param(facts(*STRONG), order(mg="1001"), "order-select", "warning", id="R-52 dose above the ceiling"),
        pytest.param(facts(*STRONG), order(), "order-select", "info", id="R-52 no dose yet at order-select"),
        pytest.param(facts(*STRONG), order(), "order-sign", "warning", id="R-52 no dose at order-sign"),
        pytest.param(
            facts(*STRONG, dose_records=(given(mg="500", days_ago=6),)),
            order(mg="500"),
            "order-select",
            "warning",
            id="R-52 interval of 6 days",
        ),
        pytest.param(
            facts(*STRONG, allergies=(allergy(Allergen.PLAIN_IRON),)),
            order(),
            "order-select",
            "warning",
            id="R-52 R-18d line",
        ),
        pytest.param(
            facts(*STRONG[:2], hemoglobin("6.9"), weight("72")), order(), "order-select", "warning", id="R-52 Hb 6.9"
        ),
        pytest.param(
            facts(*STRONG[:2], hemoglobin("7.0"), weight("72")), order(), "order-select", "info", id="R-52 Hb 7.0"
        ),
        pytest.param(
            facts(*STRONG, unavailable={"allergies": "failed"}),
            order(),
            "order-select",
            "warning",
            id="R-52 allergies failed",
        ),
        pytest.param(
            facts(*STRONG, unavailable={"rls_severity": "missing"}),
            order(),
            "order-select",
            "info",
            id="R-52 severity not supplied",
        ),
        pytest.param(facts(ferritin("48"), tsat("46")), order(), "order-select", "critical", id="R-52 contraindicated"),
        pytest.param(facts(ferritin("150"), tsat("30")), order(), "order-select", "warning", id="R-52 not indicated"),
    ],
)
def test_r_52_indicator(patient: Any, ordered: Any, hook: str, indicator: str) -> None:
    assert cards(patient, ordered, hook=hook)[0]["indicator"] == indicator


@pytest.mark.parametrize(
    "patient",
    [
        pytest.param(facts(*STRONG), id="R-54 strong"),
        pytest.param(facts(ferritin("90"), tsat("25")), id="R-54 may benefit"),
        pytest.param(facts(ferritin("150"), tsat("30")), id="R-54 not indicated"),
        pytest.param(facts(ferritin("48"), tsat("46")), id="R-54 contraindicated"),
        pytest.param(facts(), id="R-54 insufficient data"),
        pytest.param(
            facts(ferritin("150"), tsat("15"), conditions=(condition("rls"), condition("esrd"))), id="R-54 dialysis"
        ),
        pytest.param(facts(ferritin("150"), tsat("15")), id="R-54 low TSAT alone"),
    ],
)
def test_r_54_every_recommendation_shows_its_basis_and_an_alternative_or_next_step(patient: Any) -> None:
    detail = cards(patient)[0]["detail"]
    assert "**Alternatives**" in detail or "**Next step**" in detail
    assert "**How this was decided**" in detail
    assert "Source: [" in detail
    assert f"Knowledge {engine().shop.stamp.version} ({engine().shop.stamp.date}" in detail
    assert "the clinician decides" in detail
    for reading in (decide(case(patient)).case.ferritin, decide(case(patient)).case.tsat):
        assert (reading.shown or reading.why_missing) in detail


SEVERE = (SeverityTotal(Decimal(28), day(5), "Observation/irls"),)


@pytest.mark.parametrize(
    "patient",
    [
        pytest.param(facts(ferritin("90"), tsat("25"), hemoglobin("13.4")), id="R-54 grey zone"),
        pytest.param(facts(ferritin("150"), tsat("15")), id="R-54 the next step is a blood count only"),
        pytest.param(facts(ferritin("150"), tsat("15"), hemoglobin("13.4"), severity=SEVERE), id="R-54 severe RLS"),
        pytest.param(facts(*STRONG), id="R-54 low ferritin"),
    ],
)
def test_r_54_a_supportive_card_names_something_else_that_could_be_done(patient: Any) -> None:
    detail = cards(patient)[0]["detail"]
    assert "legitimate alternative" in detail or "treating RLS otherwise" in detail


@pytest.mark.parametrize(
    ("patient", "is_told"),
    [
        pytest.param(facts(*STRONG, severity=SEVERE), True, id="R-30 strong support"),
        pytest.param(facts(ferritin("320"), tsat("25"), severity=SEVERE), False, id="R-30 ferritin above the ceiling"),
        pytest.param(facts(ferritin("180"), tsat("30"), severity=SEVERE), False, id="R-30 iron replete"),
        pytest.param(facts(severity=SEVERE), False, id="R-30 no iron studies"),
        pytest.param(
            facts(*STRONG, severity=SEVERE, allergies=(allergy(Allergen.PARENTERAL_CLASS),)),
            False,
            id="R-30 allergy to the ordered product",
        ),
    ],
)
def test_r_30_severe_rls_speaks_for_the_vein_only_where_iron_is_supported(patient: Any, is_told: bool) -> None:
    assert ("a point in favor of IV" in cards(patient)[0]["detail"]) is is_told


def test_r_08a_a_partial_date_is_shown_as_precise_as_it_is_on_record() -> None:
    february = Day(date(2026, 2, 1), date(2026, 2, 28))
    detail = cards(facts(ferritin("48", day=february), tsat("17")))[0]["detail"]
    assert "Ferritin 48 ng/mL, 2026-02 " in detail or "Ferritin 48 ng/mL, 2026-02\n" in detail


def test_r_51a_the_line_on_a_missing_tsat_is_one_of_the_seven() -> None:
    decision = decide(case(facts(ferritin("48"))))
    rule = decision.verdicts[0][0]
    first = next(line for _, line in decision.lines if line.rank is Rank.TSAT_MISSING)
    lines = (first, *_numbered_lines(Rank.SPECIMEN, 7))
    crowded = replace(decision, lines=tuple((rule, line) for line in lines))
    shown = bullets(render_cards(engine().shop, Profile(), Chart("p1"), [crowded])[0])
    assert shown == [*(f"line {number}" for number in range(6)), "1 more point: see the decision trace."]


@pytest.mark.parametrize("conditions", [(RLS,), (RLS, condition("esrd"))], ids=["R-23 grey zone", "R-28 dialysis"])
def test_r_31_where_there_was_no_strong_recommendation_nothing_is_said_to_be_limited(conditions: Any) -> None:
    results = (ferritin("90"), tsat("15" if len(conditions) > 1 else "25"))
    detail = cards(facts(*results, conditions=conditions), order(Ingredient.FERUMOXYTOL, "510"))[0]["detail"]
    assert "before it was limited" not in detail
    assert "very low certainty" in detail


def test_r_31_in_dialysis_no_strong_recommendation_is_named() -> None:
    patient = facts(ferritin("150"), tsat("16"), conditions=(RLS, condition("esrd")))
    for ordered in (order(Ingredient.FERUMOXYTOL, "510"), order(None)):
        assert "strong recommendation" not in cards(patient, ordered)[0]["detail"]


def test_r_54_a_capped_class_does_not_claim_the_strength_of_the_rule() -> None:
    found = cards(facts(ferritin("48"), tsat("17")), order(Ingredient.FERUMOXYTOL, "510"))
    assert "Strength and certainty before it was limited" in found[0]["detail"]
    assert any(
        isinstance(answer, Cap)
        for step in decide(case(facts(ferritin("48"), tsat("17")), order(Ingredient.FERUMOXYTOL))).steps
        for answer in step.answers
    )


def test_r_55_the_size_of_the_effect_is_told_on_supportive_cards_only() -> None:
    assert "3.78 points more than placebo" in cards(facts(*STRONG))[0]["detail"]
    assert "3.78 points" not in cards(facts(ferritin("150"), tsat("30")))[0]["detail"]


def test_r_56_what_to_expect_reports_the_seed_facts_with_their_weight() -> None:
    detail = cards(facts(*STRONG))[1]["detail"]
    for words in (
        "12 of 20",
        "28.3 to 18.3",
        "30.1 to 23.07",
        "32 of the 42",
        "20 of 42",
        "p = 0.064",
        "p = 0.097",
        "not a forecast",
    ):
        assert words in detail


def test_r_56_without_a_ferritin_no_context_is_given() -> None:
    patient = facts(tsat("15"), ferritin("48", days_ago=91))
    assert topics(cards(patient)) == ["insufficient-data"]


def test_r_26_tests_among_the_drafts_are_not_offered_again() -> None:
    assert offered(cards(facts())[0]) == ["baseline.ferritin", "baseline.iron-panel", "baseline.cbc"]
    assert offered(cards(facts(), drafted=frozenset({"ferritin", "cbc"}))[0]) == ["baseline.iron-panel"]
