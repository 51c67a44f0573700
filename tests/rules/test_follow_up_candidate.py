"""R-50d, R-50c: what is suggested unasked, to whom never, and how long an override keeps it away."""

from dataclasses import replace
from datetime import date, timedelta

import pytest

from cds_service.card_parts import Profile
from cds_service.clinical.follow_up.candidate import Candidate, Refusal
from cds_service.clinical.follow_up.view import is_in_scope
from cds_service.clinical.model import Allergen, PatientFacts, PregnancyEvidence, PregnancySource
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
from tests.rules.opened import actions, cards, created, look, topics, words

LOW = (ferritin("48"), tsat("17"), hemoglobin("13.4"), weight("72"))
CANDIDATE = "iron-candidate"
PREGNANT = PregnancyEvidence(PregnancySource.STATUS, "Observation/pregnant", day(5), pregnant=True)


def suggested(patient: PatientFacts) -> bool:
    return isinstance(look(patient).candidate, Candidate)


@pytest.mark.parametrize(
    ("results", "expected"),
    [
        pytest.param(("75", "44.9"), True, id="R-22 ferritin 75, TSAT 44.9"),
        pytest.param(("75", "45"), False, id="R-16 TSAT 45"),
        pytest.param(("75.1", "19.9"), True, id="R-25 ferritin 75.1, TSAT 19.9"),
        pytest.param(("299.9", "19.9"), True, id="R-25 ferritin 299.9"),
        pytest.param(("300", "19.9"), False, id="R-17 ferritin 300"),
        pytest.param(("100", "20"), True, id="R-23 ferritin 100"),
        pytest.param(("100.1", "20"), False, id="R-24 ferritin 100.1"),
    ],
)
def test_r_50d_criteria_are_those_of_an_order(results: tuple[str, str], expected: bool) -> None:
    values = (ferritin(results[0]), tsat(results[1]), hemoglobin("13.4"), weight("72"))
    assert suggested(facts(*values)) == expected


NOT_TO = [
    ("R-50d TSAT missing (never R-26a)", facts(LOW[0], *LOW[2:])),
    ("R-50d no usable weight", facts(*LOW[:3])),
    ("R-50d weight 181 days old", facts(*LOW[:3], weight("72", days_ago=181))),
    ("R-50d RLS provisional", facts(*LOW, conditions=(replace(RLS, verification_status="provisional"),))),
    ("R-50d RLS without verification", facts(*LOW, conditions=(replace(RLS, verification_status=None),))),
    ("R-15 iron overload", facts(*LOW, conditions=(RLS, condition("iron-overload")))),
    ("R-15a thalassemia", facts(*LOW, conditions=(RLS, condition("thalassemia")))),
    ("R-19 sepsis", facts(*LOW, conditions=(RLS, condition("systemic-infection")))),
    ("R-21 phosphate", facts(*LOW, conditions=(RLS, condition("hypophosphatemia")))),
    ("R-50d allergy to another iron", facts(*LOW, allergies=(allergy(Allergen.ORAL_IRON, has_reaction=True),))),
    ("R-50d inactive allergy", facts(*LOW, allergies=(allergy(Allergen.PLAIN_IRON, clinical_status="inactive"),))),
    ("R-50d reaction entry", facts(*LOW, conditions=(RLS, condition("iron-adverse-reaction")))),
    ("R-50d dialysis", facts(*LOW, conditions=(RLS, condition("dialysis-dependence")))),
    ("R-50d pregnant", facts(*LOW, pregnancy=(PREGNANT,))),
    ("R-27 CRP 5.1", facts(*LOW, crp("5.1"))),
    ("R-50d order signed", facts(*LOW, signed_orders=(order(status="active", authored=day(2), in_session=False),))),
    ("R-50d order signed long ago", facts(*LOW, signed_orders=(order(status="active", authored=day(400)),))),
    ("R-50d order drafted", facts(*LOW, idle_orders=(order(status="draft"),))),
    ("R-50d dose 83 days ago", facts(*LOW, dose_records=(given(days_ago=83),))),
    ("R-29d hemoglobin below 7", facts(ferritin("48"), tsat("17"), hemoglobin("6.9"), weight("72"))),
    ("3.1 allergies not checked", facts(*LOW, unavailable={"allergies": "failed"})),
    ("3.1 infusions not checked", facts(*LOW, unavailable={"iron_administrations": "missing"})),
]


@pytest.mark.parametrize("patient", [one for _, one in NOT_TO], ids=[name for name, _ in NOT_TO])
def test_r_50d_nothing_is_suggested_unasked_to(patient: PatientFacts) -> None:
    found = look(patient).candidate
    assert isinstance(found, Refusal), found
    assert found.because


@pytest.mark.parametrize(
    "patient",
    [
        pytest.param(facts(*LOW), id="R-50d all is met"),
        pytest.param(facts(*LOW, dose_records=(given(days_ago=84),)), id="R-50d dose 84 days ago"),
        pytest.param(facts(*LOW, allergies=(allergy(Allergen.OTHER_DRUG),)), id="R-50d allergy to another drug"),
        pytest.param(facts(*LOW, idle_orders=(order(status="cancelled"),)), id="R-50d order called off"),
        pytest.param(facts(*LOW, crp("5")), id="R-27 CRP 5"),
    ],
)
def test_r_50d_a_draft_order_is_suggested_to(patient: PatientFacts) -> None:
    assert suggested(patient)


@pytest.mark.parametrize(
    ("kilograms", "mg"), [("72", 1000), ("66.6", 950), ("60.3", 900), ("50", 750), ("49.9", 700), ("40", 600)]
)
def test_r_32a_r_50d_the_drafted_dose_is_rounded_down_to_50_mg(kilograms: str, mg: int) -> None:
    found = cards(facts(*LOW[:3], weight(kilograms)))
    (action,) = actions(found)
    draft = action["resource"]
    assert draft["dosageInstruction"][0]["doseAndRate"][0]["doseQuantity"]["value"] == mg
    assert (draft["resourceType"], draft["status"], draft["intent"]) == ("MedicationRequest", "draft", "order")
    assert draft["medicationCodeableConcept"]["coding"][0]["code"] == "1433693"
    assert draft["medicationCodeableConcept"]["text"] == f"ferric carboxymaltose {mg} mg"


def test_r_50d_the_card_says_if_significant_and_names_oral_iron_first_at_75_or_less() -> None:
    said = words(cards(facts(*LOW)))
    assert "If the RLS is clinically significant" in said
    assert said.index("Oral iron is an equal option") < said.index("The suggestion drafts")
    above = facts(ferritin("90"), tsat("25"), hemoglobin("13.4"), weight("72"))
    assert "Oral iron" not in words(cards(above))


# ------------------------------------------------------------------------------------------- R-50d (ii): iron studies


@pytest.mark.parametrize(
    ("patient", "ordered", "expected"),
    [
        pytest.param(
            facts(), (), ["baseline.ferritin", "baseline.iron-panel", "baseline.cbc"], id="R-50d never tested"
        ),
        pytest.param(facts(hemoglobin("13")), (), ["baseline.ferritin", "baseline.iron-panel"], id="R-50d CBC known"),
        pytest.param(facts(ferritin("180", days_ago=365)), (), [], id="R-50d ferritin 365 days ago"),
        pytest.param(
            facts(ferritin("180", days_ago=366), hemoglobin("13")),
            (),
            ["baseline.ferritin", "baseline.iron-panel"],
            id="R-50d ferritin 366 days ago",
        ),
        pytest.param(facts(ferritin("180", days_ago=3, status="preliminary")), (), [], id="R-50d result pending"),
        pytest.param(facts(), ("ferritin",), [], id="R-50d ordered"),
        pytest.param(facts(unavailable={"follow_up": "failed"}), (), [], id="3.1 not known whether ordered"),
    ],
)
def test_r_50d_iron_studies_are_offered_only_where_there_is_no_ferritin_for_a_year(
    patient: PatientFacts, ordered: tuple[str, ...], expected: list[str]
) -> None:
    assert created(cards(patient, ordered=frozenset(ordered))) == expected


def test_r_50d_each_offer_can_be_switched_off() -> None:
    assert topics(cards(facts(*LOW))) == [CANDIDATE]
    assert cards(facts(*LOW), offers_candidate=False) == []
    assert topics(cards(facts())) == [CANDIDATE]
    assert cards(facts(), offers_iron_studies=False) == []


# ------------------------------------------------------------------------------------------------ R-50c: scope, quiet


@pytest.mark.parametrize(
    ("patient", "expected"),
    [
        pytest.param(facts(), True, id="R-50c adult with RLS"),
        pytest.param(facts(conditions=()), False, id="R-02 no RLS"),
        pytest.param(facts(conditions=(replace(RLS, is_active=False),)), False, id="R-02 RLS resolved"),
        pytest.param(facts(is_deceased=True), False, id="R-03 deceased"),
        pytest.param(facts(birth=day(17 * 365)), False, id="R-03 child"),
        pytest.param(facts(birth=None), False, id="R-03a age not known"),
    ],
)
def test_r_50c_only_adults_with_rls(patient: PatientFacts, expected: bool) -> None:
    assert is_in_scope(patient, TODAY) == expected


@pytest.mark.parametrize(
    ("topic", "overridden", "quiet"),
    [
        pytest.param("follow-up-due", 0, True, id="R-50c on the same day"),
        pytest.param("follow-up-due", 30, True, id="R-50c 30 days ago"),
        pytest.param("follow-up-due", 31, False, id="R-50c 31 days ago"),
        pytest.param("response-review", 5, False, id="R-50c another card"),
    ],
)
def test_r_50c_an_overridden_card_stays_away_for_30_days(topic: str, overridden: int, quiet: bool) -> None:
    patient = facts(dose_records=(given(days_ago=41),))
    view = look(patient, overrides={topic: TODAY - timedelta(days=overridden)}, offers_iron_studies=False)
    assert view.topics == (() if quiet else ("follow-up-due",))
    assert view.suppressed == (("follow-up-due",) if quiet else ())


@pytest.mark.parametrize(
    ("overridden", "quiet"),
    [pytest.param(3, True, id="R-50c in this course"), pytest.param(7, False, id="R-50c before this infusion")],
)
def test_r_50c_too_early_to_judge_stays_away_for_the_rest_of_its_days(overridden: int, quiet: bool) -> None:
    patient = facts(dose_records=(given(days_ago=6),))
    view = look(patient, overrides={"too-early-to-judge": TODAY - timedelta(days=overridden)})
    assert (view.topics == ()) == quiet


@pytest.mark.parametrize(("overridden", "quiet"), [(30, True), (31, False)])
def test_r_50d_an_overridden_candidate_stays_away_for_30_days(overridden: int, quiet: bool) -> None:
    view = look(facts(*LOW), overrides={CANDIDATE: TODAY - timedelta(days=overridden)})
    assert (view.topics == ()) == quiet


def test_r_50c_a_quiet_card_makes_room_for_the_next() -> None:
    patient = facts(dose_records=(given(days_ago=184),))
    assert look(patient).topics == ("recurrence-review", "follow-up-due")
    quiet: dict[str, date] = {"recurrence-review": TODAY}
    assert look(patient, overrides=quiet).topics[0] == "follow-up-due"


def test_r_50c_never_more_than_two_cards_and_never_more_than_the_client_shows() -> None:
    patient = facts(*LOW, dose_records=(given(days_ago=184),))
    view = look(patient)
    assert len(view.topics) == 2
    assert view.crowded_out
    assert len(cards(patient, Profile(card_limit=1))) == 1


def test_r_50c_two_cards_never_offer_the_same() -> None:
    for days in (42, 56, 84, 112, 184, 200):
        offered = created(cards(facts(dose_records=(given(days_ago=days),))))
        assert len(offered) == len(set(offered)), days
