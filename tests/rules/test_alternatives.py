"""R-30: oral iron by ferritin, what the chart says about it, and severe RLS as a point for the vein."""

from dataclasses import replace
from datetime import time
from decimal import Decimal

import pytest

from cds_service.clinical.model import (
    Allergen,
    AllergyEntry,
    MedicationUse,
    PatientFacts,
    Remark,
    Result,
    SeverityTotal,
)
from tests.rules.ask import ask, texts
from tests.rules.build import RLS, allergy, case, condition, day, decide, facts, ferritin, order, tsat


def row(words: str, *values: object) -> object:
    return pytest.param(*values, id=f"R-30 {words}")


def low_ferritin(**changes: object) -> PatientFacts:
    return replace(facts(ferritin("40"), tsat("15")), **changes)  # type: ignore[arg-type]


def told(patient: PatientFacts, rule_id: str = "R-30") -> str:
    return " ".join(texts(rule_id, case(patient)))


@pytest.mark.parametrize(
    ("results", "said"),
    [
        row("ferritin 75.0: oral iron is an alternative", (ferritin("75.0"),), "legitimate alternative"),
        row("ferritin 75.1: oral iron is not recommended", (ferritin("75.1"),), "not recommended"),
        row("ferritin 100.0: oral iron is not recommended", (ferritin("100.0"),), "not recommended"),
        row("ferritin 100.1: nothing is said", (ferritin("100.1"),), ""),
        row("a stale ferritin: nothing is said", (ferritin("40", days_ago=91),), ""),
        row("no ferritin: nothing is said", (), ""),
    ],
)
def test_r_30_oral_iron_by_ferritin(results: tuple[Result, ...], said: str) -> None:
    found = told(facts(*results, tsat("25")))
    assert (said in found) if said else not found


def test_r_30_oral_iron_is_named_with_dose_strength_and_when_the_vein_is_favored() -> None:
    found = told(low_ferritin())
    assert all(
        words in found
        for words in (
            "65 mg",
            "vitamin C",
            "conditional",
            "moderate certainty",
            "not tolerated",
            "not absorbed",
            "week 6",
        )
    )


@pytest.mark.parametrize(
    "changes",
    [
        row("iron overload", {"conditions": (RLS, condition("iron-overload"))}),
        row("systemic infection", {"conditions": (RLS, condition("systemic-infection"))}),
    ],
)
def test_r_30_no_iron_by_mouth_is_advised_where_all_iron_is_stopped(changes: dict[str, object]) -> None:
    severe = (SeverityTotal(Decimal(30), day(5), "Observation/s"),)
    patient = low_ferritin(**changes, severity=severe)
    assert not told(patient)
    assert not told(patient, "R-30 (severity)")


def test_r_30_nor_at_a_tsat_of_45() -> None:
    assert not told(facts(ferritin("40"), tsat("45")))
    assert told(facts(ferritin("40"), tsat("44.9")))


def test_r_30_an_allergy_to_the_ordered_product_leaves_oral_iron() -> None:
    entry = allergy(Allergen.PARENTERAL_CLASS)
    assert "legitimate alternative" in told(low_ferritin(allergies=(entry,)))


ORAL_INTOLERANCE = allergy(Allergen.ORAL_IRON, name="ferrous sulfate", has_reaction=True, all_gastrointestinal=True)


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        row("gastrointestinal intolerance favors the vein", ORAL_INTOLERANCE, "Intolerance of iron by mouth"),
        row(
            "the same for plain iron",
            replace(ORAL_INTOLERANCE, allergen=Allergen.PLAIN_IRON),
            "Intolerance of iron by mouth",
        ),
        row(
            "an allergic reaction is named",
            replace(ORAL_INTOLERANCE, all_gastrointestinal=False),
            "allergy entry about iron",
        ),
        row("an inactive entry is not", replace(ORAL_INTOLERANCE, clinical_status="inactive"), ""),
        row("a refuted entry is not", replace(ORAL_INTOLERANCE, verification_status="refuted"), ""),
        row("another drug is not", replace(ORAL_INTOLERANCE, allergen=Allergen.OTHER_DRUG), ""),
    ],
)
def test_r_30_what_the_allergy_list_says_about_oral_iron(entry: AllergyEntry, said: str) -> None:
    found = texts("R-30", case(low_ferritin(allergies=(entry,))))
    assert (said in found[-1]) if said else len(found) == 1


OWN_TABLETS = MedicationUse(
    frozenset({"oral-iron"}), "Ferrous sulfate 325 mg", True, day(60), None, "MedicationRequest/1"
)


@pytest.mark.parametrize(
    ("use", "is_said"),
    [
        row("oral iron on the list is named", OWN_TABLETS, True),
        row("oral iron without a start date too", replace(OWN_TABLETS, start=None), True),
        row("oral iron that was stopped is not", replace(OWN_TABLETS, is_active=False, end=day(5)), False),
        row("another drug is not", replace(OWN_TABLETS, concepts=frozenset({"rls-pramipexole"})), False),
    ],
)
def test_r_30_active_oral_iron_is_named(use: MedicationUse, is_said: bool) -> None:
    assert ("on the medication list" in told(low_ferritin(medications=(use,)))) is is_said


def test_r_30_oral_iron_is_named_with_its_start_if_that_is_known() -> None:
    dated = texts("R-30", case(low_ferritin(medications=(OWN_TABLETS,))))[-1]
    undated = texts("R-30", case(low_ferritin(medications=(replace(OWN_TABLETS, start=None),))))[-1]
    assert dated.startswith("Oral iron is on the medication list since 2026-01-09: \u2063Ferrous sulfate 325 mg\u2063.")
    assert undated.startswith("Oral iron is on the medication list: \u2063Ferrous sulfate 325 mg\u2063.")


@pytest.mark.parametrize(
    ("concept", "is_said"),
    [
        row("malabsorption", "malabsorption", True),
        row("malabsorption of iron", "iron-malabsorption", True),
        row("inflammatory bowel disease", "inflammatory-bowel-disease", True),
        row("asthma says nothing about absorption", "asthma", False),
    ],
)
def test_r_30_a_condition_that_hinders_absorption_favors_the_vein(concept: str, is_said: bool) -> None:
    entry = condition(concept)
    assert ("may not be absorbed" in told(low_ferritin(conditions=(RLS, entry)))) is is_said
    inactive = replace(entry, is_active=False)
    assert "may not be absorbed" not in told(low_ferritin(conditions=(RLS, inactive)))


# -------------------------------------------------------------------------------------------------------- severity


def total(points: str, days_ago: int | None = 10, reference: str = "Observation/s") -> SeverityTotal:
    return SeverityTotal(Decimal(points), None if days_ago is None else day(days_ago), reference)


@pytest.mark.parametrize(
    ("totals", "said"),
    [
        row("21 is severe", (total("21"),), "IRLS total 21"),
        row("20 is not", (total("20"),), ""),
        row("no total: nothing is said", (), ""),
        row("a total of today counts", (total("30", 0),), "IRLS total 30 on 2026-03-10"),
        row(
            "one total supplied twice, once with its hour, is one",
            (total("25", 5), replace(total("25", 5), day=replace(day(5), clock=time(9, 30)))),
            "IRLS total 25 on 2026-03-05",
        ),
        row("a total of 90 days counts", (total("30", 90),), "IRLS total 30"),
        row("a total of 91 days does not", (total("30", 91),), ""),
        row("an undated total does not", (total("30", None),), ""),
        row("a total dated tomorrow does not", (total("30", -1),), ""),
        row("the newest counts: severe", (total("10", 50), total("25", 5)), "IRLS total 25"),
        row("the newest counts: not severe", (total("25", 50), total("10", 5)), ""),
        row(
            "two on one day: the higher",
            (total("10", 5, "Observation/b"), total("25", 5, "Observation/a")),
            "IRLS total 25",
        ),
    ],
)
def test_r_30_severe_rls_is_a_point_for_the_vein(totals: tuple[SeverityTotal, ...], said: str) -> None:
    for order_of_resources in (totals, totals[::-1]):
        found = told(low_ferritin(severity=order_of_resources), "R-30 (severity)")
        assert (said in found) if said else not found


def test_r_30_names_the_rls_drugs_that_could_stay_as_they_are() -> None:
    drugs = (
        MedicationUse(frozenset({"rls-pramipexole"}), "Pramipexole 0.25 mg", True, None, None, "MedicationRequest/2"),
        MedicationUse(frozenset({"rls-gabapentin"}), "Gabapentin 300 mg", False, None, day(3), "MedicationRequest/3"),
    )
    found = told(low_ferritin(severity=(total("25"),), medications=drugs), "R-30 (severity)")
    assert "Pramipexole 0.25 mg" in found
    assert "Gabapentin" not in found


def test_r_30_changes_no_class() -> None:
    plain = decide(case(low_ferritin(), order()))
    with_all = decide(
        case(low_ferritin(severity=(total("40"),), medications=(OWN_TABLETS,), allergies=(ORAL_INTOLERANCE,)))
    )
    assert plain.conclusion is with_all.conclusion


def test_r_30_two_entries_that_say_the_same_are_told_once_and_both_traced() -> None:
    first = condition("iron-malabsorption")
    second = replace(first, reference="Condition/second")
    answers = ask("R-30", case(low_ferritin(conditions=(RLS, first, second))))
    (told_once,) = [one for one in answers if isinstance(one, Remark) and "may not be absorbed" in one.text]
    assert [used.reference for used in told_once.used] == [first.reference, second.reference]
