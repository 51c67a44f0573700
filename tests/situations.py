"""The synthetic situations behind the fixtures: one invented patient and one ordering session each.

`about` is the clinical one-liner the playground shows, `expect` the conclusion of the first evaluated order ("" for
silence).
"""

from typing import Any

from build_fixtures import (
    HCPCS,
    ICD10CM,
    LOINC,
    RLS,
    RXNORM,
    SNOMED,
    ago,
    allergy,
    concept,
    condition,
    drug,
    given,
    lab,
    order,
    severity,
)

Json = dict[str, Any]


def situation(about: str, expect: str, chart: list[Json], orders: list[Json] | None = None, **more: Any) -> Json:
    """`hook` is order-select unless `more` says otherwise."""
    chosen = [order()] if orders is None else orders
    return {"about": about, "expect": expect, "chart": chart, "orders": chosen, "hook": "order-select", **more}


BASE = [lab("hemoglobin", 13.4), lab("weight", 72, 20)]


def usual(ferritin: float, tsat: float, *more: Json) -> list[Json]:
    return [RLS, lab("ferritin", ferritin), lab("tsat", tsat), *BASE, *more]


def pregnancy(days_to_delivery: int) -> list[Json]:
    return [
        {
            "resourceType": "Observation",
            "status": "final",
            "code": concept(LOINC, "82810-3", "Pregnancy status"),
            "effectiveDateTime": ago(7),
            "valueCodeableConcept": concept(SNOMED, "77386006", "Pregnant"),
        },
        {
            "resourceType": "Observation",
            "status": "final",
            "code": concept(LOINC, "11778-8", "Delivery date Estimated"),
            "effectiveDateTime": ago(7),
            "valueDateTime": ago(-days_to_delivery),
        },
    ]


def opened(about: str, expect: str, chart: list[Json], **more: Any) -> Json:
    """An opened chart: patient-view has no orders."""
    return situation(about, expect, chart, [], hook="patient-view", **more)


def reassessment(contact: str, due_in: int, status: str = "active", course: str = "5ac1d0b2e7f34c98") -> Json:
    """A contact that was accepted from one of our cards; it is due `due_in` days from now."""
    return {
        "resourceType": "ServiceRequest",
        "identifier": [{"system": NAMING, "value": f"{course}.{contact}"}],
        "status": status,
        "intent": "order",
        "code": concept(SNOMED, "390906007", "Follow-up encounter"),
        "occurrenceDateTime": ago(-due_in),
    }


def arranged(days_since: int, *done: str) -> list[Json]:
    """The four contacts of an infusion `days_since` ago."""
    offsets = {"day-8": 8, "week-3": 21, "week-8-labs": 56}
    return [
        reassessment(one, days - days_since, "completed" if one in done else "active") for one, days in offsets.items()
    ]


NAMING = "http://127.0.0.1:8000/fhir/NamingSystem/reassessment"
YOUNG = {"patient": {"birthDate": "1994-05-20"}}

SITUATIONS: dict[str, Json] = {
    # --- eligibility
    "low-ferritin": situation("Ferritin 48, TSAT 17 %: strong support", "indicated-strong", usual(48, 17)),
    "low-ferritin-normal-tsat": situation("Ferritin 60, TSAT 28 %", "indicated-strong", usual(60, 28)),
    "grey-zone": situation("Ferritin 90, TSAT 25 %: consensus only", "may-benefit", usual(90, 25)),
    "low-tsat": situation(
        "Ferritin 140, TSAT 15 %, no inflammation", "indicated-strong", usual(140, 15, lab("crp", 1.2, 12))
    ),
    "iron-replete": situation("Ferritin 180, TSAT 30 %", "not-indicated", usual(180, 30)),
    "ferritin-at-ceiling": situation("Ferritin exactly 300, TSAT 15 %", "not-indicated", usual(300, 15)),
    "high-tsat": situation("Ferritin 60 but TSAT 47 %", "contraindicated", usual(60, 47)),
    "molar-units": situation(
        "The same low iron in pmol/L, a fraction and mmol/L",
        "indicated-strong",
        [
            RLS,
            lab("ferritin", 120, unit="pmol/L", code="14723-1"),
            lab("tsat", 0.18, unit="1", code="14801-5"),
            lab("hemoglobin", 8.2, unit="mmol/L", code="59260-0"),
            lab("weight", 72, 20),
        ],
    ),
    "calculated-tsat": situation(
        "No reported TSAT: iron 45, TIBC 360",
        "indicated-strong",
        [RLS, lab("ferritin", 130), lab("iron", 45), lab("tibc", 360), *BASE],
    ),
    # --- missing data
    "tsat-missing": situation(
        "Ferritin 40, TSAT never measured", "indicated-strong", [RLS, lab("ferritin", 40), *BASE]
    ),
    "tsat-missing-grey": situation(
        "Ferritin 120, TSAT never measured", "insufficient-data", [RLS, lab("ferritin", 120), *BASE]
    ),
    "ferritin-missing": situation("TSAT 15 %, no ferritin", "insufficient-data", [RLS, lab("tsat", 15), *BASE]),
    "no-iron-studies": situation("No iron studies on record", "insufficient-data", [RLS, lab("weight", 72, 20)]),
    "stale-ferritin": situation(
        "Ferritin 91 days old", "insufficient-data", [RLS, lab("ferritin", 50, 91), lab("tsat", 17), *BASE]
    ),
    "ferritin-unit-slip": situation(
        "Ferritin reported in ug/dL: refused",
        "insufficient-data",
        [RLS, lab("ferritin", 5.1, unit="ug/dL"), lab("tsat", 17), *BASE],
    ),
    "tsat-pending-high": situation(
        "Ferritin 50, a pending TSAT of 52 %",
        "insufficient-data",
        [RLS, lab("ferritin", 50), lab("tsat", 52, 3, status="preliminary"), *BASE],
    ),
    "birth-date-unknown": situation(
        "Birth date not on record", "insufficient-data", usual(48, 17), patient={"birthDate": None}
    ),
    "censored-ferritin": situation(
        "Ferritin <5 ng/mL as text",
        "indicated-strong",
        [RLS, {**lab("ferritin", 5), "valueQuantity": None, "valueString": "<5 ng/mL"}, lab("tsat", 9), *BASE],
    ),
    # --- stops
    "hemochromatosis": situation(
        "Hereditary haemochromatosis after phlebotomy",
        "contraindicated",
        usual(40, 30, condition(ICD10CM, "E83.110", "Hereditary hemochromatosis", clinical="inactive")),
    ),
    "fcm-allergy": situation(
        "Anaphylaxis to the product ordered",
        "contraindicated",
        usual(48, 17, allergy(drug("fcm"), "Anaphylaxis", severity="severe")),
    ),
    "oral-iron-intolerance": situation(
        "Nausea on oral iron supports the IV route",
        "indicated-strong",
        usual(48, 17, allergy(drug("ferrous-sulfate"), "Nausea")),
    ),
    "sepsis": situation(
        "Active sepsis",
        "contraindicated",
        usual(48, 17, condition(ICD10CM, "A41.9", "Sepsis, unspecified organism", 3)),
    ),
    "bacterial-infection": situation(
        "Pneumonia: caution, not a stop",
        "indicated-strong",
        usual(48, 17, condition(SNOMED, "233604007", "Pneumonia", 4)),
    ),
    "first-trimester": situation("10 weeks pregnant", "contraindicated", usual(22, 12, *pregnancy(210)), **YOUNG),
    "second-trimester": situation(
        "22 weeks pregnant",
        "may-benefit",
        usual(22, 12, *pregnancy(126), lab("weight", 64, 240, code="56077-1")),
        **YOUNG,
    ),
    "low-phosphate": situation(
        "Phosphate 1.9 mg/dL before ferric carboxymaltose", "contraindicated", usual(48, 17, lab("phosphate", 1.9, 12))
    ),
    "low-phosphate-derisomaltose": situation(
        "The same phosphate, another product",
        "may-benefit",
        usual(48, 17, lab("phosphate", 1.9, 12)),
        [order("derisomaltose", 1000)],
    ),
    # --- caps and special populations
    "inflammation": situation("Ferritin 140, TSAT 15 %, CRP 18", "may-benefit", usual(140, 15, lab("crp", 18, 12))),
    "thalassemia": situation(
        "Beta thalassaemia trait", "may-benefit", usual(48, 17, condition(SNOMED, "65959000", "Beta thalassemia"))
    ),
    "hemodialysis": situation(
        "Haemodialysis, ferritin 150, TSAT 16 %, iron sucrose",
        "may-benefit",
        usual(
            150,
            16,
            condition(ICD10CM, "N18.6", "End stage renal disease"),
            condition(ICD10CM, "Z99.2", "Dependence on renal dialysis"),
        ),
        [order("sucrose", 100)],
    ),
    "anemia": situation(
        "Haemoglobin 9.8: look for the cause",
        "indicated-strong",
        [RLS, lab("ferritin", 8), lab("tsat", 6), lab("hemoglobin", 9.8), lab("weight", 72, 20)],
    ),
    "critical-anemia": situation(
        "Haemoglobin 6.4: urgent review",
        "indicated-strong",
        [RLS, lab("ferritin", 4), lab("tsat", 4), lab("hemoglobin", 6.4), lab("weight", 58, 20)],
    ),
    "dextran": situation(
        "Iron dextran 1000 mg with its test dose",
        "may-benefit",
        usual(48, 17),
        [order("dextran", 1000), order("dextran", 25, "test-dose")],
    ),
    "ferumoxytol": situation("Ferumoxytol 510 mg", "may-benefit", usual(48, 17), [order("ferumoxytol", 510)]),
    "unnamed-iron": situation(
        'Only "IV iron infusion" as text', "may-benefit", usual(48, 17), [order("IV iron infusion")]
    ),
    "unconfirmed-rls": situation(
        "RLS entered as provisional",
        "indicated-strong",
        [condition(ICD10CM, "G25.81", "Restless legs syndrome", verification="provisional"), *usual(48, 17)[1:]],
    ),
    "reason-is-rls": situation(
        "RLS only as the reason of the order",
        "indicated-strong",
        usual(48, 17)[1:],
        [order(reasonCode=[concept(ICD10CM, "G25.81", "Restless legs syndrome")])],
    ),
    "many-cautions": situation(
        "Everything at once: more cautions than a card shows",
        "indicated-strong",
        usual(
            48,
            17,
            condition(SNOMED, "195967001", "Asthma"),
            condition(SNOMED, "69896004", "Rheumatoid arthritis"),
            condition(SNOMED, "19943007", "Cirrhosis of liver"),
            condition(ICD10CM, "M81.0", "Age-related osteoporosis"),
            allergy(concept(RXNORM, "90176", "Iron")),
            lab("ferritin", 80, 15, id="conflict"),
        ),
        [order("fcm", 500)],
    ),
    # --- dose and duplicates
    "over-dose": situation(
        "1000 mg at 55 kg: above 15 mg/kg",
        "indicated-strong",
        [RLS, lab("ferritin", 48), lab("tsat", 17), lab("hemoglobin", 13.4), lab("weight", 55, 20)],
        [order("fcm", 1000)],
    ),
    "two-products": situation(
        "Two iron products in one session",
        "indicated-strong",
        usual(48, 17),
        [order("fcm", 750), order("sucrose", 200, "order-2")],
        selections=["MedicationRequest/order-1", "MedicationRequest/order-2"],
    ),
    "planned-course": situation(
        "750 mg twice, a week apart",
        "indicated-strong",
        usual(48, 17),
        [
            order(
                "fcm",
                750,
                dosageInstruction=[
                    {"timing": {"event": [ago(-3)]}, "doseAndRate": [{"doseQuantity": {"value": 750, "unit": "mg"}}]}
                ],
            ),
            order(
                "fcm",
                750,
                "order-2",
                dosageInstruction=[
                    {"timing": {"event": [ago(-10)]}, "doseAndRate": [{"doseQuantity": {"value": 750, "unit": "mg"}}]}
                ],
            ),
        ],
        selections=["MedicationRequest/order-1", "MedicationRequest/order-2"],
    ),
    "hcpcs-infusion": situation(
        "Infusion ordered as ServiceRequest by HCPCS code, 1000 units",
        "indicated-strong",
        usual(48, 17),
        [
            {
                "resourceType": "ServiceRequest",
                "id": "infusion",
                "status": "draft",
                "intent": "order",
                "code": concept(HCPCS, "J1439", "Inj ferric carboxymaltos 1mg"),
                "quantityQuantity": {"value": 1000, "unit": "units"},
            }
        ],
    ),
    # --- earlier iron
    "too-soon": situation(
        "1000 mg ferric carboxymaltose 40 days ago, no new deficiency",
        "not-indicated",
        [RLS, lab("ferritin", 210, 5), lab("tsat", 30, 5), *BASE, given(days=40)],
    ),
    "persistent-deficiency": situation(
        "Ferritin 40 five weeks after 1000 mg",
        "may-benefit",
        [RLS, lab("ferritin", 40, 5), lab("tsat", 14, 5), *BASE, given(days=40)],
    ),
    "second-dose": situation(
        "Second 750 mg, eight days after the first",
        "indicated-strong",
        [RLS, lab("ferritin", 48, 20), lab("tsat", 17, 20), *BASE, given(mg=750, days=8)],
        [order("fcm", 750)],
    ),
    "responder-relapsed": situation(
        "Responder relapsed after nine months, ferritin 160",
        "may-benefit",
        [
            RLS,
            lab("ferritin", 160),
            lab("tsat", 26),
            *BASE,
            given(days=270),
            severity(29, 275),
            severity(11, 210),
            severity(24, 8),
        ],
    ),
    "nonresponder": situation(
        "No response to 1000 mg, ferritin 160",
        "not-indicated",
        [RLS, lab("ferritin", 160), lab("tsat", 15), *BASE, given(days=270), severity(29, 275), severity(28, 210)],
    ),
    # --- after the infusion: an opened chart
    "after-day-3": opened(
        "Three days after 1000 mg: too early to judge",
        "too-early-to-judge",
        [RLS, *BASE, given(days=3), severity(29, 10), *arranged(3)],
    ),
    "after-day-9": opened(
        "Nine days after 1000 mg: the day-8 contact is open",
        "follow-up-due",
        [RLS, *BASE, given(days=9), severity(29, 15), *arranged(9)],
    ),
    "after-week-3": opened(
        "Day 21, total fell from 29 to 17 at day 8: week-3 contact due today",
        "follow-up-due",
        [RLS, *BASE, given(days=21), severity(29, 30), severity(17, 13), *arranged(21, "day-8")],
    ),
    "after-week-9": opened(
        "Nine weeks after 1000 mg, no tests yet: labs are due, response by score",
        "follow-up-due",
        [RLS, *BASE, given(days=63), severity(29, 70), severity(15, 42), *arranged(63, "day-8", "week-3")],
    ),
    "after-week-10": opened(
        "Ten weeks after 1000 mg, not improved, ferritin 60: incompletely repleted",
        "response-review",
        [
            *(RLS, lab("ferritin", 60, 4), lab("tsat", 15, 4), lab("weight", 72, 20)),
            *(given(days=70), severity(29, 75), severity(28, 4)),
            *arranged(70, "day-8", "week-3", "week-8-labs"),
        ],
    ),
    "after-month-6": opened(
        "Six months after 1000 mg, a responder whose total rose from 11 to 24",
        "recurrence-review",
        [
            *(RLS, lab("ferritin", 160, 5), lab("tsat", 26, 5), *BASE),
            *(given(days=184), severity(29, 190), severity(11, 150), severity(24, 3)),
        ],
    ),
    "two-courses": opened(
        "Two courses in fourteen months with a relapse between, week 3 missed; best seen as Iron story",
        "",
        [
            *(RLS, lab("weight", 72, 20)),
            *(severity(31, 440), lab("ferritin", 22, 430), lab("tsat", 11, 430), lab("hemoglobin", 11.6, 430)),
            *(given(days=420), lab("ferritin", 310, 410), lab("tsat", 52, 410), severity(25, 411), severity(15, 399)),
            *(severity(12, 362), lab("ferritin", 148, 362), lab("tsat", 27, 362), lab("hemoglobin", 13.2, 362)),
            *(severity(13, 236), lab("ferritin", 104, 236), lab("tsat", 23, 236), lab("hemoglobin", 13.4, 236)),
            *(severity(26, 131), lab("ferritin", 5.8, 131, unit="ug/dL"), lab("hemoglobin", 12.3, 128)),
            *(lab("ferritin", 58, 128), lab("tsat", 16, 128)),
            *(given(mg=750, days=118), given(mg=750, days=109), severity(21, 101), lab("ferritin", 260, 95)),
            *(severity(11, 45), lab("ferritin", 132, 45), lab("tsat", 26, 45), lab("hemoglobin", 13.6, 45)),
            lab("ferritin", 118, 1, status="preliminary"),
        ],
    ),
    "infusion-moved": opened(
        "Infusion two days later than planned: contacts are counted from the wrong day",
        "too-early-to-judge",
        [RLS, *BASE, given(days=1), severity(29, 10), *arranged(3)],
    ),
    "infusion-not-given": opened(
        "The order was called off, its reassessments are still open",
        "follow-up-due",
        [
            *(RLS, lab("ferritin", 180), lab("tsat", 30), *BASE),
            order("fcm", 1000, status="cancelled", authoredOn=ago(6)),
            *arranged(5),
        ],
    ),
    # --- before the first infusion: an opened chart
    "candidate": opened("Ferritin 48, TSAT 17 %, no order: a draft is suggested", "iron-candidate", usual(48, 17)),
    "never-tested": opened("RLS, never a ferritin: iron studies are offered", "iron-candidate", [RLS, *BASE]),
    "opened-replete": opened("Ferritin 180, TSAT 30 %: nothing to say", "", usual(180, 30)),
    "opened-without-rls": opened(
        "Iron deficiency without RLS, chart opened: nothing to say",
        "",
        [condition(ICD10CM, "D50.9", "Iron deficiency anemia, unspecified"), *usual(10, 6)[1:]],
    ),
    # --- out of scope
    "other-drug": situation(
        "Pramipexole is chosen: nothing to say", "", usual(48, 17), [order("pramipexole", id="order-1")]
    ),
    "oral-iron": situation("Oral iron is chosen: nothing to say", "", usual(48, 17), [order("ferrous-sulfate")]),
    "no-rls": situation(
        "Iron deficiency without RLS",
        "",
        [condition(ICD10CM, "D50.9", "Iron deficiency anemia, unspecified"), *usual(10, 6)[1:]],
    ),
    "child": situation("17 years old", "", usual(20, 10), patient={"birthDate": "2008-03-11"}),
    # --- shapes of real systems
    "sandbox-shape": situation(
        "As the public sandbox sends it: no intent, no Bundle type, text plus one coding",
        "indicated-strong",
        usual(48, 17),
        [
            {
                "resourceType": "MedicationRequest",
                "id": "sandbox",
                "status": "draft",
                "medicationCodeableConcept": {
                    "text": "Ferric carboxymaltose 50 MG/ML Injectable",
                    "coding": [{"system": RXNORM, "code": "1433693"}],
                },
            }
        ],
        sandbox=True,
    ),
    "signing-complete": situation(
        "Order about to be signed, dose complete",
        "indicated-strong",
        usual(48, 17),
        [order("fcm", 1000)],
        hook="order-sign",
    ),
    "signing-without-dose": situation(
        "Order about to be signed, dose unreadable",
        "indicated-strong",
        usual(48, 17),
        [order("fcm", dosageInstruction=[{"doseAndRate": [{"doseQuantity": {"value": 2, "unit": "vial"}}]}])],
        hook="order-sign",
    ),
    "signing-active": situation(
        "An active order is signed again",
        "indicated-strong",
        usual(48, 17),
        [order("fcm", 1000, status="active")],
        hook="order-sign",
    ),
    "allergies-failed": situation(
        "The allergy query failed",
        "indicated-strong",
        usual(48, 17),
        prefetch={
            "allergies": {"resourceType": "OperationOutcome", "issue": [{"severity": "error", "code": "timeout"}]}
        },
    ),
    "keys-left-out": situation(
        "Only the required keys and haemoglobin are supplied",
        "indicated-strong",
        usual(48, 17),
        without=(
            "iron_panel",
            "crp",
            "phosphate",
            "pregnancy",
            "rls_severity",
            "allergies",
            "iron_administrations",
            "medications",
            "medication_statements",
            "procedures",
            "follow_up",
            "weight",
        ),
    ),
}
