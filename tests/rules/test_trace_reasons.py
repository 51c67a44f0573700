"""Why each answer was given, and on which values: what a reviewer reads in the trace of stops, caps and cautions."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from cds_service.clinical.case import Case
from cds_service.clinical.model import Cap, ConditionEntry, Line, PregnancyEvidence, PregnancySource, Remark, Verdict
from tests.rules.ask import ask
from tests.rules.build import (
    RLS,
    TODAY,
    case,
    condition,
    crp,
    day,
    facts,
    ferritin,
    given,
    order,
    phosphate,
    tsat,
)
from tests.rules.opened import score

PCT = "porphyria-cutanea-tarda"


def row(rule_id: str, words: str, *values: object) -> Any:
    return pytest.param(rule_id, *values, id=f"{rule_id} {words}")


def entry(concept: str, **changes: Any) -> ConditionEntry:
    return condition(concept, name=concept.title(), **changes)


def preg(source: PregnancySource, **changes: Any) -> PregnancyEvidence:
    return PregnancyEvidence(source, f"Observation/{source}", day(7), **changes)


def due(days: int) -> PregnancyEvidence:
    return preg(PregnancySource.DELIVERY_DATE, value_date=TODAY + timedelta(days=days))


def coded(trimester: int) -> PregnancyEvidence:
    return preg(PregnancySource.CONDITION, pregnant=True, trimester=trimester)


def woman(*stated: PregnancyEvidence, **changes: Any) -> Case:
    return case(facts(ferritin("22"), tsat("12"), pregnancy=stated, **changes))


status = preg(PregnancySource.STATUS, pregnant=True)
DOSE_40 = "latest IV iron: 1000 mg ferric carboxymaltose on 2026-01-29 | MedicationAdministration/fcm-40 | 2026-01-29"
DOSE_100 = "latest IV iron: 1000 mg ferric carboxymaltose on 2025-11-30 | MedicationAdministration/fcm-100 | 2025-11-30"
GIVEN_92 = "IV iron given: 1000 mg ferric carboxymaltose on 2025-12-08 | MedicationAdministration/fcm-92 | 2025-12-08"
NO_FALL = "severity total 30 before the course, best total after it 29"
REASONS = [
    row(
        "R-20a",
        "a coded first trimester without a date",
        woman(replace(coded(1), day=None)),
        "first trimester of pregnancy",
        "pregnant, before 14w0d",
        [
            "pregnancy: pregnant | Observation/condition | ",
            "gestational age: before 14w0d | Observation/condition | ",
        ],
    ),
    row(
        "R-20a",
        "10w0d by the delivery date",
        woman(status, due(210)),
        "first trimester of pregnancy",
        "pregnant, before 14w0d",
        [
            "pregnancy: pregnant | Observation/status | 2026-03-03",
            "gestational age: 10w0d | Observation/delivery-date | 2026-03-03",
        ],
    ),
    row(
        "R-20a",
        "a coded first trimester",
        woman(coded(1)),
        "first trimester of pregnancy",
        "pregnant, before 14w0d",
        [
            "pregnancy: pregnant | Observation/condition | 2026-03-03",
            "gestational age: before 14w0d | Observation/condition | 2026-03-03",
        ],
    ),
    row(
        "R-20b",
        "22w0d",
        woman(due(126)),
        "",
        "pregnant, 14w0d or more",
        [
            "pregnancy: pregnant | Observation/delivery-date | 2026-03-03",
            "gestational age: 22w0d | Observation/delivery-date | 2026-03-03",
        ],
    ),
    row(
        "R-20b (text)",
        "22w0d",
        woman(due(126)),
        "PREGNANCY",
        "pregnant, 14w0d or more",
        [
            "pregnancy: pregnant | Observation/delivery-date | 2026-03-03",
            "gestational age: 22w0d | Observation/delivery-date | 2026-03-03",
        ],
    ),
    row(
        "R-20b (text)",
        "a coded second trimester",
        woman(coded(2)),
        "PREGNANCY",
        "pregnant, 14w0d or more",
        [
            "pregnancy: pregnant | Observation/condition | 2026-03-03",
            "gestational age: 14w0d or more | Observation/condition | 2026-03-03",
        ],
    ),
    row(
        "R-20c",
        "age not known",
        woman(status),
        "gestational age needed",
        "pregnant, gestational age unknown",
        ["pregnancy: pregnant | Observation/status | 2026-03-03"],
    ),
    row(
        "R-20d",
        "a status of 400 days ago",
        woman(replace(status, day=day(400))),
        "PREGNANCY",
        "the evidence of pregnancy has lapsed",
        ["pregnancy: lapsed | Observation/status | 2025-02-03"],
    ),
    row(
        "R-20d",
        "a hedged entry",
        woman(conditions=(RLS, entry("pregnancy", is_hedged=True))),
        "PREGNANCY",
        "pregnancy is named with a word of negation, family or screening",
        ["condition: Pregnancy | Condition/pregnancy | 2025-02-03"],
    ),
    row("R-20d", "a woman of 30", woman(birth=day(365 * 30)), "PREGNANCY", "pregnancy status not on record", []),
    row(
        "R-15",
        "an inactive entry",
        case(facts(conditions=(RLS, entry("iron-overload", clinical_status="inactive", is_active=False)))),
        "iron overload disorder",
        "an iron overload disorder is on record",
        ["condition: Iron-Overload | Condition/iron-overload | 2025-02-03"],
    ),
    row(
        "R-15 (porphyria)",
        "an active entry",
        case(facts(conditions=(RLS, entry(PCT)))),
        "porphyria cutanea tarda",
        "porphyria cutanea tarda is active",
        ["condition: Porphyria-Cutanea-Tarda | Condition/porphyria-cutanea-tarda | 2025-02-03"],
    ),
    row(
        "R-15 (text)",
        "a resolved and a remitted entry",
        case(
            facts(
                conditions=(
                    RLS,
                    entry("iron-overload", clinical_status="resolved", is_active=False),
                    entry(PCT, is_active=False, clinical_status="remission"),
                )
            )
        ),
        "INFECTION_OVERLOAD",
        "an entry that would stop is no longer active",
        [
            "condition: Iron-Overload | Condition/iron-overload | 2025-02-03",
            "condition: Porphyria-Cutanea-Tarda | Condition/porphyria-cutanea-tarda | 2025-02-03",
        ],
    ),
    row(
        "R-15 (text)",
        "a hedged entry",
        case(facts(conditions=(RLS, entry("iron-overload", is_hedged=True)))),
        "INFECTION_OVERLOAD",
        "named with a word of negation, family or screening",
        ["condition: Iron-Overload | Condition/iron-overload | 2025-02-03"],
    ),
    row(
        "R-15 (text)",
        "an entry of unstated type",
        case(facts(conditions=(RLS, entry("porphyria-unspecific")))),
        "INFECTION_OVERLOAD",
        "the type of porphyria is not stated",
        ["condition: Porphyria-Unspecific | Condition/porphyria-unspecific | 2025-02-03"],
    ),
    row(
        "R-15a",
        "thalassemia",
        case(facts(conditions=(RLS, entry("thalassemia")))),
        "",
        "an anemia that may not be from lack of iron",
        ["condition: Thalassemia | Condition/thalassemia | 2025-02-03"],
    ),
    row(
        "R-15a (text)",
        "thalassemia",
        case(facts(conditions=(RLS, entry("thalassemia")))),
        "INFECTION_OVERLOAD",
        "an anemia that may not be from lack of iron",
        ["condition: Thalassemia | Condition/thalassemia | 2025-02-03"],
    ),
    row(
        "R-16",
        "TSAT 46 with ferritin 200",
        case(facts(ferritin("200"), tsat("46"))),
        "TSAT 46 %",
        "TSAT 46 % is 45 % or more",
        ["TSAT: 46 % | Observation/tsat-46-10 | 2026-02-28"],
    ),
    row(
        "R-16",
        "TSAT 46 with ferritin 75",
        case(facts(ferritin("75"), tsat("46"))),
        "repeat the sample: TSAT 46 %",
        "TSAT 46 % is 45 % or more",
        [
            "TSAT: 46 % | Observation/tsat-46-10 | 2026-02-28",
            "ferritin: 75 ng/mL | Observation/ferritin-75-10 | 2026-02-28",
        ],
    ),
    row(
        "R-21",
        "phosphate 1.9",
        case(facts(phosphate("1.9"))),
        "low phosphate, correct it first",
        "phosphate is low, or hypophosphatemia is not shown to be corrected",
        ["phosphate: 1.9 mg/dL | Observation/phosphate-1.9-10 | 2026-02-28"],
    ),
    row(
        "R-21",
        "an entry without a value",
        case(facts(conditions=(RLS, entry("hypophosphatemia")))),
        "low phosphate, correct it first",
        "phosphate is low, or hypophosphatemia is not shown to be corrected",
        ["condition: Hypophosphatemia | Condition/hypophosphatemia | 2025-02-03"],
    ),
    row(
        "R-21",
        "an entry and phosphate 1.9",
        case(facts(phosphate("1.9"), conditions=(RLS, entry("hypophosphatemia")))),
        "low phosphate, correct it first",
        "phosphate is low, or hypophosphatemia is not shown to be corrected",
        [
            "phosphate: 1.9 mg/dL | Observation/phosphate-1.9-10 | 2026-02-28",
            "condition: Hypophosphatemia | Condition/hypophosphatemia | 2025-02-03",
        ],
    ),
    row(
        "R-21 (unnamed)",
        "phosphate 1.9, product not named",
        case(facts(phosphate("1.9")), order(None)),
        "INTERVAL_PHOSPHATE",
        "phosphate is low and the product is not named",
        ["phosphate: 1.9 mg/dL | Observation/phosphate-1.9-10 | 2026-02-28"],
    ),
    row(
        "R-21 (text)",
        "a hedged entry",
        case(facts(conditions=(RLS, entry("hypophosphatemia", is_hedged=True)))),
        "INTERVAL_PHOSPHATE",
        "hypophosphatemia is named with a word of negation, family or screening",
        ["condition: Hypophosphatemia | Condition/hypophosphatemia | 2025-02-03"],
    ),
    row("R-42 (box)", "any order of it", case(facts()), "BOXED_WARNING", "the order is ferric carboxymaltose", []),
    row(
        "R-42",
        "92 days after the last dose, osteoporosis",
        case(facts(phosphate("3"), conditions=(RLS, entry("osteoporosis")), dose_records=(given(days_ago=92),))),
        "INTERVAL_PHOSPHATE",
        "repeat course within three months, or a risk factor for low phosphate",
        [
            GIVEN_92,
            "condition: Osteoporosis | Condition/osteoporosis | 2025-02-03",
            "phosphate: 3 mg/dL | Observation/phosphate-3-10 | 2026-02-28",
        ],
    ),
    row(
        "R-42",
        "92 days after the last dose",
        case(facts(dose_records=(given(days_ago=92),))),
        "INTERVAL_PHOSPHATE",
        "repeat course within three months, or a risk factor for low phosphate",
        [GIVEN_92],
    ),
    row(
        "R-40a",
        "40 days after the last dose",
        case(facts(dose_records=(given(days_ago=40),))),
        "too soon after the last IV iron",
        "40 days since the latest IV iron dose, a repeat can be considered from day 84",
        [DOSE_40],
    ),
    row(
        "R-40b",
        "ferritin 60 on day 30",
        case(facts(ferritin("60"), dose_records=(given(days_ago=40),))),
        "",
        "persistent deficiency 40 days after IV iron",
        [
            DOSE_40,
            "ferritin: 60 ng/mL | Observation/ferritin-60-10 | 2026-02-28",
        ],
    ),
    row(
        "R-40b",
        "ferritin 150 with TSAT 15 on day 30",
        case(facts(ferritin("150"), tsat("15"), dose_records=(given(days_ago=40),))),
        "",
        "persistent deficiency 40 days after IV iron",
        [
            DOSE_40,
            "ferritin: 150 ng/mL | Observation/ferritin-150-10 | 2026-02-28",
            "TSAT: 15 % | Observation/tsat-15-10 | 2026-02-28",
        ],
    ),
    row(
        "R-40c",
        "returned after a response",
        case(
            facts(
                ferritin("150"),
                tsat("25"),
                dose_records=(given(days_ago=100),),
                severity=(score("30", 105), score("12", 60), score("25", 4)),
            )
        ),
        "Repeat course may be considered",
        "documented responder whose symptoms returned, ferritin 150 ng/mL, TSAT 25 %",
        [
            DOSE_100,
            "ferritin: 150 ng/mL | Observation/ferritin-150-10 | 2026-02-28",
            "TSAT: 25 % | Observation/tsat-25-10 | 2026-02-28",
            "baseline severity total: 30 | Observation/total-30-2025-11-25 | 2025-11-25",
            "best severity total: 12 | Observation/total-12-2026-01-09 | 2026-01-09",
            "latest severity total: 25 | Observation/total-25-2026-03-06 | 2026-03-06",
        ],
    ),
    row(
        "R-40c",
        "response not documented",
        case(facts(ferritin("150"), tsat("25"), dose_records=(given(days_ago=100),))),
        "next-step",
        "response to the last course, or the return of symptoms, is not documented",
        [
            "ferritin: 150 ng/mL | Observation/ferritin-150-10 | 2026-02-28",
            "TSAT: 25 % | Observation/tsat-25-10 | 2026-02-28",
        ],
    ),
    row(
        "R-40d",
        "no response, ferritin 150",
        case(
            facts(
                ferritin("150"),
                tsat("25"),
                dose_records=(given(days_ago=100),),
                severity=(score("30", 105), score("29", 40)),
            )
        ),
        "no response to the last course",
        f"no response to the last course ({NO_FALL}), ferritin 150 ng/mL",
        [
            DOSE_100,
            "ferritin: 150 ng/mL | Observation/ferritin-150-10 | 2026-02-28",
            "baseline severity total: 30 | Observation/total-30-2025-11-25 | 2025-11-25",
            "best severity total: 29 | Observation/total-29-2026-01-29 | 2026-01-29",
            "latest severity total: 29 | Observation/total-29-2026-01-29 | 2026-01-29",
        ],
    ),
    row(
        "R-40d (text)",
        "no response, ferritin 90",
        case(
            facts(
                ferritin("90"),
                tsat("25"),
                dose_records=(given(days_ago=100),),
                severity=(score("30", 105), score("29", 40)),
            )
        ),
        "INTERVAL_PHOSPHATE",
        "documented non-response",
        [
            "baseline severity total: 30 | Observation/total-30-2025-11-25 | 2025-11-25",
            "best severity total: 29 | Observation/total-29-2026-01-29 | 2026-01-29",
            "latest severity total: 29 | Observation/total-29-2026-01-29 | 2026-01-29",
        ],
    ),
]


def heading(answer: Verdict | Cap | Line | Remark) -> str:
    """Headline of a class, place of a line among the cautions, section of a remark."""
    if isinstance(answer, Line):
        return answer.rank.name
    return answer.headline if isinstance(answer, Verdict) else answer.section if isinstance(answer, Remark) else ""


@pytest.mark.parametrize(("rule_id", "asked", "headed", "because", "used"), REASONS)
def test_an_answer_names_its_reason_and_the_values_it_rests_on(
    rule_id: str, asked: Case, headed: str, because: str, used: list[str]
) -> None:
    (answer,) = ask(rule_id, asked)
    assert isinstance(answer, Verdict | Cap | Line | Remark)
    assert (heading(answer), answer.because) == (headed, because)
    found = [f"{one.name}: {one.shown} | {one.reference} | {one.day}" for one in answer.used]
    assert [words.replace("\u2063", "") for words in found] == used
    said = answer.say if isinstance(answer, Verdict | Cap) else (answer.text,)
    assert said and all(sentence.endswith(".") for sentence in said)


def test_r_27_the_signs_of_inflammation_are_in_the_trace() -> None:
    arthritis = entry("rheumatoid-arthritis")
    found = case(facts(ferritin("140"), crp("18"), conditions=(RLS, arthritis))).inflammation
    assert [(one.name, one.shown.replace("\u2063", ""), one.reference, one.day) for one in found.used] == [
        ("CRP", "18 mg/L", "Observation/crp-18-10", "2026-02-28"),
        ("condition", "Rheumatoid-Arthritis", "Condition/rheumatoid-arthritis", "2025-02-03"),
    ]
    assert len(found.because) == 2
    assert case(facts(ferritin("140"), crp("5"))).inflammation.used == ()
