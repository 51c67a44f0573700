"""What the trace holds of an answer about results and diagnoses: its place on the card, why, and on which values."""

from dataclasses import replace
from datetime import date, time, timedelta
from decimal import Decimal
from typing import Any

import pytest

from cds_service.clinical.case import Case
from cds_service.clinical.dates import Day
from cds_service.clinical.model import (
    Allergen,
    Conclusion,
    Ingredient,
    NotApplicable,
    Rank,
    Result,
    SeverityTotal,
    Used,
)
from tests.rules.ask import ask
from tests.rules.build import (
    RLS,
    TODAY,
    allergy,
    case,
    condition,
    crp,
    day,
    facts,
    ferritin,
    given,
    hemoglobin,
    order,
    tsat,
)
from tests.rules.places import Place, place, row

GAP, STOP, NOT = Conclusion.INSUFFICIENT_DATA, Conclusion.CONTRAINDICATED, Conclusion.NOT_INDICATED
MAY, STRONG, OUT = Conclusion.MAY_BENEFIT, Conclusion.INDICATED_STRONG, Conclusion.OUT_OF_SCOPE
FUNCTIONAL = (ferritin("140"), tsat("15"), crp("18"))


def asked(*results: Result, **chart: Any) -> Case:
    conditions = (RLS, *chart.pop("conditions", ()))
    return case(facts(*results, conditions=conditions, **chart), order(Ingredient.FCM, "500"))


def at_noon(result: Result) -> Result:
    when = TODAY - timedelta(days=10)
    return replace(result, day=Day(when, when, time(12, 0)))


def seen(name: str, shown: str, reference: str, days_ago: int = 10) -> Used:
    return Used(name, shown, f"Observation/{reference}-{days_ago}", day(days_ago).last.isoformat())


def diagnosis(name: str) -> Used:
    return Used("condition", f"\u2063{name}\u2063", f"Condition/{name}", "2025-02-03")


LOW, MIDDLE = seen("ferritin", "48 ng/mL", "ferritin-48"), seen("ferritin", "140 ng/mL", "ferritin-140")
GREY = seen("ferritin", "90 ng/mL", "ferritin-90")
PROVISIONAL = replace(RLS, verification_status="provisional")
LONG_AGO = given(mg="500", days_ago=200)
TSAT_17 = seen("TSAT", "17 %", "tsat-17")
SEPSIS, INFECTED, LIVER = (condition(name) for name in ("systemic-infection", "active-infection", "liver-disease"))
HEDGED = replace(SEPSIS, is_hedged=True)
ASTHMA, ESRD = condition("asthma"), condition("esrd")
OWN = allergy(Allergen.INGREDIENT, Ingredient.FCM)
ANAPHYLAXIS = allergy(Allergen.INGREDIENT, Ingredient.SUCROSE, has_reaction=True, has_anaphylaxis=True)
PLANNED = case(facts(ferritin("48"), tsat("17")), order(Ingredient.FCM, "500", planned=(day(-85),)))
PENDING = ferritin("90", days_ago=2, status="preliminary")
SEVERE = SeverityTotal(Decimal(24), day(3), "Observation/irls")

ANSWERS = [
    row("3.1", "safety", asked(unavailable={"allergies": "failed"}), Rank.UNREADABLE, "data behind stops or doses"),
    row("3.1", "other", asked(unavailable={"crp": "failed"}), Rank.UNREADABLE, "data not obtained"),
    row("3.1 (names)", "any card", asked(), "history", "value sets that are empty or small"),
    row("R-07", "pending", asked(ferritin("48"), PENDING), "next-step", "preliminary ferritin newer than the one used"),
    row("R-13", "conflict", asked(ferritin("74"), ferritin("76", days_ago=12)), Rank.CONFLICT, "conflicting ferritin"),
    row("R-13 (days apart)", "31 days", asked(ferritin("48"), tsat("17", days_ago=41)), Rank.CONFLICT, "far apart"),
    row("R-08c", "old by then", PLANNED, Rank.CONFLICT, "results too old on the planned date"),
    row("R-12", "noon", asked(at_noon(ferritin("48"))), Rank.SPECIMEN, "drawn after noon or on oral iron"),
    row("R-12", "not recorded", asked(tsat("17")), "tsat", "draw conditions are not recorded"),
    row("R-14", "unknown", asked(ferritin("90"), tsat("25")), "ferritin", "analyzer not known"),
    row("R-27", "cap", asked(*FUNCTIONAL), "cap", "signs of inflammation: CRP 18 mg/L (2026-02-28)"),
    row("R-27 (text)", "functional", asked(*FUNCTIONAL), Rank.INFLAMMATION, "signs of inflammation"),
    row("R-27 (text)", "low", asked(ferritin("48"), crp("18")), "ferritin", "75 ng/mL or less with signs of"),
    row("R-30", "low", asked(ferritin("48"), tsat("17")), "alternatives", "ferritin 75 ng/mL or less"),
    row("R-30", "grey", asked(ferritin("90"), tsat("17")), "alternatives", "ferritin above 75 up to 100 ng/mL"),
    row("R-30 (severity)", "severe", asked(severity=(SEVERE,)), "alternatives", "IRLS total 24 is 21 or more"),
    row("R-29d", "urgent", asked(hemoglobin("6.9")), Rank.HEMOGLOBIN_CRITICAL, "hemoglobin below 7 g/dL"),
    row("R-29a", "repletion", asked(hemoglobin("12.4")), Rank.HEMOGLOBIN, "hemoglobin below 12.5 g/dL"),
    row("R-29b", "anemia", asked(hemoglobin("11.9")), Rank.HEMOGLOBIN, "anemia by WHO bounds"),
    row("R-29c", "none", asked(), "next-step", "no hemoglobin in the data provided"),
    row("R-19", "systemic", asked(conditions=(SEPSIS,)), STOP, "a systemic infection is active"),
    row("R-19 (text)", "other", asked(conditions=(INFECTED,)), Rank.INFECTION_OVERLOAD, "not known to be systemic"),
    row("R-19 (text)", "family", asked(conditions=(HEDGED,)), Rank.INFECTION_OVERLOAD, "negation, family or screening"),
    row("R-21 (liver)", "liver", asked(conditions=(LIVER,)), Rank.INFLAMMATION, "liver disease is active"),
    row("R-26b", "no TSAT", asked(ferritin("140")), GAP, "ferritin 140 ng/mL cannot decide without TSAT"),
    row("R-26c", "no ferritin", asked(tsat("17")), GAP, "TSAT 17 % cannot decide without ferritin"),
    row("R-26d", "neither", asked(), GAP, "neither ferritin nor TSAT is usable"),
    row("R-26e", "hint", asked(ferritin("48"), tsat("50", days_ago=120)), GAP, "a TSAT that was set aside points to"),
    row("R-17", "ceiling", asked(ferritin("310"), tsat("17")), NOT, "310 ng/mL is above the range studied"),
    row("R-22", "low", asked(ferritin("48"), tsat("17")), STRONG, "ferritin 48 ng/mL and TSAT 17 %"),
    row("R-25", "low TSAT", asked(ferritin("140"), tsat("17")), STRONG, "ferritin 140 ng/mL and TSAT 17 %"),
    row("R-23", "grey", asked(ferritin("90"), tsat("25")), MAY, "ferritin 90 ng/mL and TSAT 25 %"),
    row("R-24", "replete", asked(ferritin("140"), tsat("25")), NOT, "ferritin 140 ng/mL and TSAT 25 %"),
    row("R-18a", "own", asked(allergies=(OWN,)), STOP, "active allergy to the ordered iron or to parenteral iron as"),
    row("R-18b", "severe", asked(allergies=(ANAPHYLAXIS,)), STOP, "severe reaction to iron"),
    row("R-18c", "unnamed product", case(facts(allergies=(OWN,)), order(None)), STOP, "or no product named"),
    row("R-18d", "plain iron", asked(allergies=(allergy(Allergen.PLAIN_IRON),)), Rank.IRON_ALLERGY, 'to "iron", not'),
    row("R-21 (hypersensitivity)", "asthma", asked(conditions=(ASTHMA,)), Rank.INFLAMMATION, "allergic or immune"),
    row("R-34 (MRI)", "ferumoxytol", case(facts(), order(Ingredient.FERUMOXYTOL)), Rank.PRODUCT, "is ferumoxytol"),
    row("R-28a", "no TSAT", asked(ferritin("48"), conditions=(ESRD,)), GAP, "in dialysis, TSAT missing"),
    row("R-28", "both low", asked(ferritin("48"), tsat("17"), conditions=(ESRD,)), MAY, "in dialysis, ferritin 48"),
    row("R-28 (text)", "any product", asked(conditions=(ESRD,)), Rank.PRODUCT, "in dialysis"),
    row("R-02 (text)", "provisional", case(facts(conditions=(PROVISIONAL,))),
        "history", "the only RLS entry is provisional"),
    row("R-03a", "no birth date", asked(birth=None), GAP, "no birth date on record"),
    row("R-03a", "a year", asked(birth=Day(date(2008, 1, 1), date(2008, 12, 31))), GAP, "leaves open whether 18 is"),
    row("R-03", "deceased", asked(is_deceased=True), OUT, "the patient is recorded as deceased"),
    row("R-03", "a child", asked(birth=Day(date(2010, 1, 1), date(2010, 1, 1))), OUT, "younger than 18 years"),
    row("R-02", "no RLS", case(facts(conditions=())), OUT, "no active entry of RLS"),
    row("R-01", "not to perform", case(facts(), order(do_not_perform=True)), OUT, "says not to give it"),
    row("R-01", "cancelled", case(facts(), order(status="cancelled")), OUT, "the order is cancelled"),
    row("R-01", "imaging", case(facts(), order(is_imaging=True)), OUT, "an imaging agent, not iron treatment"),
    row("R-01a", "unclear", case(facts(), order(is_ambiguous=True, route="")), OUT, "neither drug, route nor form"),
    row("R-01b", "cap", case(facts(), order(route="intramuscular")), "cap", "evidence in RLS is for the intravenous"),
    row("R-01b (text)", "line", case(facts(), order(route="oral")), Rank.PRODUCT, "another route than intravenous"),
]  # fmt: skip


@pytest.mark.parametrize(("rule_id", "one", "expected", "because"), ANSWERS)
def test_r_51a_an_answer_stands_in_its_place_with_its_reason(
    rule_id: str, one: Case, expected: Place, because: str
) -> None:
    answer = ask(rule_id, one)[0]
    assert place(answer) == expected
    assert because in answer.because


HINT = seen("TSAT", "50 %", "tsat-50", 120)
USED = [
    row("R-26b", "the ferritin", asked(ferritin("140")), [MIDDLE]),
    row("R-26c", "the TSAT", asked(tsat("17")), [TSAT_17]),
    row("R-26d", "nothing", asked(), []),
    row("R-26e", "ferritin and the hint", asked(ferritin("48"), tsat("50", days_ago=120)), [LOW, HINT]),
    row("R-22", "both", asked(ferritin("48"), tsat("17")), [LOW, TSAT_17]),
    row("R-26a", "the ferritin alone", asked(ferritin("48")), [LOW]),
    row("R-12", "each value drawn", asked(at_noon(ferritin("48")), tsat("17")),
        [Used("ferritin", "48 ng/mL", "Observation/ferritin-48-10", "2026-02-28"), TSAT_17]),
    row("R-13", "both", asked(ferritin("48"), ferritin("76", days_ago=12)),
        [LOW, seen("ferritin", "76 ng/mL", "ferritin-76", 12)]),
    row("R-07", "the pending one", asked(ferritin("48"), PENDING), [seen("ferritin", "90 ng/mL", "ferritin-90", 2)]),
    row("R-12", "not recorded", asked(ferritin("48"), tsat("17")), [LOW, TSAT_17]),
    row("R-14", "the ferritin", asked(ferritin("90"), tsat("25")), [GREY]),
    row("R-27 (text)", "ferritin and CRP", asked(ferritin("48"), crp("18")), [LOW, seen("CRP", "18 mg/L", "crp-18")]),
    row("R-30", "a low ferritin", asked(ferritin("48"), tsat("17")), [LOW]),
    row("R-30", "a grey ferritin", asked(ferritin("90"), tsat("17")), [GREY]),
    row("R-30 (severity)", "the total", asked(severity=(SEVERE,)),
        [Used("IRLS total", "24", "Observation/irls", day(3).last.isoformat())]),
    row("R-02 (text)", "the entry", case(facts(conditions=(PROVISIONAL,))),
        [Used("RLS", f"\u2063{PROVISIONAL.name}\u2063", PROVISIONAL.reference)]),
    row("R-40c", "both", asked(ferritin("140"), tsat("25"), dose_records=(LONG_AGO,)),
        [MIDDLE, seen("TSAT", "25 %", "tsat-25")]),
    row("R-13 (days apart)", "both", asked(ferritin("48"), tsat("17", days_ago=41)),
        [LOW, seen("TSAT", "17 %", "tsat-17", 41)]),
    row("R-08c", "each that will be old", PLANNED, [LOW, TSAT_17]),
    row("R-27", "the sign", asked(*FUNCTIONAL), [seen("CRP", "18 mg/L", "crp-18")]),
    row("R-27 (text)", "the sign", asked(*FUNCTIONAL), [seen("CRP", "18 mg/L", "crp-18")]),
    row("R-29a", "hemoglobin", asked(hemoglobin("12.4")), [seen("hemoglobin", "12.4 g/dL", "hemoglobin-12.4")]),
    row("R-29b", "hemoglobin", asked(hemoglobin("11.9")), [seen("hemoglobin", "11.9 g/dL", "hemoglobin-11.9")]),
    row("R-29d", "hemoglobin", asked(hemoglobin("6.9")), [seen("hemoglobin", "6.9 g/dL", "hemoglobin-6.9")]),
    row("R-19", "the entry", asked(conditions=(SEPSIS,)), [diagnosis("systemic-infection")]),
    row("R-19 (text)", "the entry", asked(conditions=(INFECTED,)), [diagnosis("active-infection")]),
    row("R-19 (text)", "the hedged entry", asked(conditions=(HEDGED,)), [diagnosis("systemic-infection")]),
    row("R-21 (liver)", "the entry", asked(conditions=(LIVER,)), [diagnosis("liver-disease")]),
    row("R-28a", "the one that is there", asked(ferritin("48"), conditions=(ESRD,)), [LOW]),
    row("R-28", "both, and why dialysis", asked(ferritin("48"), tsat("17"), conditions=(ESRD,)),
        [LOW, TSAT_17, diagnosis("esrd")]),
    row("R-21 (hypersensitivity)", "the entry", asked(conditions=(ASTHMA,)), [diagnosis("asthma")]),
    row("R-03a", "a year only", asked(birth=Day(date(2008, 1, 1), date(2008, 12, 31))),
        [Used("birth date", "2008", "Patient")]),
    row("R-03a", "no birth date", asked(birth=None), []),
    row("R-18a", "the allergy", asked(allergies=(OWN,)),
        [Used("allergy", "\u2063fcm\u2063", "AllergyIntolerance/1")]),
]  # fmt: skip


@pytest.mark.parametrize(("rule_id", "one", "expected"), USED)
def test_what_an_answer_rests_on_is_in_the_trace(rule_id: str, one: Case, expected: list[Used]) -> None:
    answer = ask(rule_id, one)[0]
    assert not isinstance(answer, NotApplicable)
    assert list(answer.used) == expected
