"""R-41, R-41c, R-41d, R-40e: the next dose of a course, decided on the results from before it."""

from datetime import time, timedelta
from decimal import Decimal
from typing import Any

import pytest

from cds_service.clinical.case import Case
from cds_service.clinical.dates import Day
from cds_service.clinical.model import (
    Conclusion,
    DoseRecord,
    Ingredient,
    IronOrder,
    Line,
    OrderDose,
    Rank,
    Remark,
    Result,
)
from tests.rules.ask import ask, texts
from tests.rules.build import (
    TODAY,
    case,
    condition,
    day,
    decide,
    facts,
    ferritin,
    given,
    hemoglobin,
    order,
    tsat,
    weight,
)

FCM, FERUMOXYTOL, SUCROSE = Ingredient.FCM, Ingredient.FERUMOXYTOL, Ingredient.SUCROSE
STRONG, NOT, GAP = Conclusion.INDICATED_STRONG, Conclusion.NOT_INDICATED, Conclusion.INSUFFICIENT_DATA
STOP = Conclusion.CONTRAINDICATED


def row(rule_id: str, words: str, *values: object) -> Any:
    return pytest.param(*values, id=f"{rule_id} {words}")


def asked(
    *results: Result,
    records: tuple[DoseRecord, ...] = (),
    kilograms: str | None = "72",
    evaluated: IronOrder | None = None,
    **chart: Any,
) -> Case:
    measured = (weight(kilograms),) if kilograms else ()
    patient = facts(*results, *measured, hemoglobin("13.4"), dose_records=records, **chart)
    return case(patient, evaluated or order(FCM, "750"))


def labs(iron_stores: str, saturation: str, days_ago: int) -> tuple[Result, Result]:
    return ferritin(iron_stores, days_ago=days_ago), tsat(saturation, days_ago=days_ago)


FIRST_DOSE = (given(FCM, "750", days_ago=8),)

# ------------------------------------------------------------------------------ results from before the course

DECIDED = [
    row("R-41", "results of the day before the first dose", labs("48", "17", 9), FIRST_DOSE, STRONG),
    row("R-41", "90 days before the first dose", labs("48", "17", 98), FIRST_DOSE, STRONG),
    row("R-41", "91 days before the first dose", labs("48", "17", 99), FIRST_DOSE, GAP),
    row(
        "R-41",
        "results of the blackout do not replace them",
        (*labs("48", "17", 9), *labs("400", "60", 2)),
        FIRST_DOSE,
        STRONG,
    ),
    row("R-41", "they stop too: TSAT 46", labs("48", "46", 9), FIRST_DOSE, STOP),
    row("R-41", "they reach the ceiling too", labs("310", "30", 9), FIRST_DOSE, NOT),
    row("R-41", "they decide against it too", labs("180", "30", 9), FIRST_DOSE, NOT),
    row(
        "R-41", "over the course limit: a repeat, too soon", labs("48", "17", 9), (given(FCM, "1000", days_ago=8),), NOT
    ),
    row(
        "R-41",
        "day 28: new results replace the old",
        (*labs("48", "17", 29), *labs("180", "30", 0)),
        (given(FCM, "750", days_ago=28),),
        NOT,
    ),
    row("R-41", "day 28 without new results", labs("48", "17", 29), (given(FCM, "750", days_ago=28),), STRONG),
    row("R-41", "day 29 is a repeat", labs("48", "17", 30), (given(FCM, "750", days_ago=29),), NOT),
]


@pytest.mark.parametrize(("results", "records", "expected"), DECIDED)
def test_r_41_the_next_dose_is_decided_on_results_from_before_the_course(
    results: tuple[Result, ...], records: tuple[DoseRecord, ...], expected: Conclusion
) -> None:
    assert decide(asked(*results, records=records)).conclusion is expected


def test_r_41_the_card_says_that_a_course_is_running() -> None:
    (remark,) = ask("R-41", asked(records=FIRST_DOSE))
    assert isinstance(remark, Remark)
    assert "course begun on 2026-03-02 (750 mg given of at most 1500 mg)" in remark.text
    assert "Weight needed" not in remark.text
    assert "decided on the results from before its first dose." in remark.text


def test_r_41_the_card_says_so_when_a_result_of_day_28_decides() -> None:
    records = (given(FCM, "750", days_ago=28),)
    (remark,) = ask("R-41", asked(*labs("48", "17", 40), ferritin("180", days_ago=0), records=records))
    assert isinstance(remark, Remark)
    assert "results from before its first dose; newer, from day 28 on: ferritin of 2026-03-10." in remark.text


def test_r_41_every_result_of_day_28_is_named() -> None:
    records = (given(FCM, "750", days_ago=28),)
    (text,) = texts("R-41", asked(*labs("48", "17", 40), *labs("180", "30", 0), records=records))
    assert "newer, from day 28 on: ferritin of 2026-03-10 and TSAT of 2026-03-10." in text


def test_r_41_a_sample_of_the_first_day_drawn_before_the_infusion_is_not_newer() -> None:
    when = TODAY - timedelta(days=8)
    drawn, infused = Day(when, when, time(8, 0)), Day(when, when, time(10, 0))
    early = (ferritin("48", day=drawn), tsat("17", day=drawn))
    running = asked(*early, records=(given(FCM, "750", day=infused),))
    assert decide(running).conclusion is STRONG
    (text,) = texts("R-41", running)
    assert "decided on the results from before its first dose." in text


@pytest.mark.parametrize(
    ("ingredient", "kilograms", "is_said"),
    [
        row("R-41a", "FCM without a weight", FCM, None, True),
        row("R-41a", "FCM with a weight", FCM, "72", False),
        row("R-41a", "sucrose needs none", SUCROSE, None, False),
    ],
)
def test_r_41a_without_a_weight_the_course_limit_may_be_lower(
    ingredient: Ingredient, kilograms: str | None, is_said: bool
) -> None:
    running = asked(
        records=(given(ingredient, "200", days_ago=8),), kilograms=kilograms, evaluated=order(ingredient, "200")
    )
    assert any("Weight needed" in text for text in texts("R-41", running)) is is_said


@pytest.mark.parametrize(
    ("evaluated", "records", "kilograms", "remaining"),
    [
        row("R-41a", "no dose yet", order(FCM), FIRST_DOSE, "72", "750"),
        row("R-41a", "unreadable dose", order(FCM, dose=OrderDose(unreadable="1 vial")), FIRST_DOSE, "72", "750"),
        row("R-41a", "40.01 kg: rounded down", order(FCM), FIRST_DOSE, "40.01", "450"),
        row("R-41a", "dose known", order(FCM, "750"), FIRST_DOSE, "72", None),
        row("R-41a", "no course", order(FCM), (), "72", None),
    ],
)
def test_r_41a_an_order_without_a_dose_is_told_what_remains(
    evaluated: IronOrder, records: tuple[DoseRecord, ...], kilograms: str, remaining: str | None
) -> None:
    found = [
        text
        for text in texts("R-41", asked(records=records, kilograms=kilograms, evaluated=evaluated))
        if "remain" in text
    ]
    assert found == ([] if remaining is None else [f"At most {remaining} mg remain in this course."])


def test_r_41_that_the_limit_is_reached_is_said() -> None:
    (line,) = ask("R-41", asked(records=(given(FCM, "1000", days_ago=8),)))
    assert isinstance(line, Line)
    assert "limit of one course (1500 mg) is reached: 1000 mg given since 2026-03-02 and 750 mg ordered" in line.text
    (absent,) = texts("R-41", asked(records=(given(FCM, "1500", days_ago=8),), evaluated=order(FCM)))
    assert "1500 mg given since 2026-03-02. The order counts as a repeat course." in absent


@pytest.mark.parametrize(
    ("evaluated", "conditions", "is_said"),
    [
        row("R-41a", "1500 mg in two", order(FCM, "750", administrations=2), (), False),
        row("R-41a", "1502 mg in two", order(FCM, "751", administrations=2), (), True),
        row("R-41a", "sucrose 1200 mg in six", order(SUCROSE, "200", administrations=6), (), True),
        row(
            "R-28b",
            "sucrose at six sessions of dialysis",
            order(SUCROSE, "200", administrations=6),
            (condition("dialysis-dependence"),),
            False,
        ),
        row(
            "R-28b",
            "larger doses in dialysis",
            order(SUCROSE, "400", administrations=3),
            (condition("dialysis-dependence"),),
            True,
        ),
        row("R-41a", "product not named", order(None, "2000"), (), False),
    ],
)
def test_r_41a_an_order_above_the_course_limit_by_itself(
    evaluated: IronOrder, conditions: tuple[Any, ...], is_said: bool
) -> None:
    found = texts("R-41", asked(evaluated=evaluated, conditions=conditions))
    assert any("above the limit of one course" in text for text in found) is is_said


def per_kg(amount: str, administrations: int) -> IronOrder:
    return order(FCM, dose=OrderDose(mg_per_kg=Decimal(amount)), administrations=administrations)


@pytest.mark.parametrize(
    ("evaluated", "kilograms", "words"),
    [
        row("R-41a", "1200 mg at 40 kg", order(FCM, "600", administrations=2), "40", ""),
        row(
            "R-41a",
            "1202 mg at 40 kg",
            order(FCM, "601", administrations=2),
            "40",
            "amounts to 1202 mg, above the limit of one course (1200 mg)",
        ),
        row("R-41a", "1400 mg without a weight", order(FCM, "700", administrations=2), None, ""),
        row("R-41a", "12 mg/kg twice at 60 kg", per_kg("12", 2), "60", ""),
        row(
            "R-41a",
            "13 mg/kg twice at 60 kg",
            per_kg("13", 2),
            "60",
            "amounts to 1560 mg, above the limit of one course (1500 mg)",
        ),
        row("R-41a", "13 mg/kg twice without a weight", per_kg("13", 2), None, ""),
    ],
)
def test_r_41a_the_course_limit_of_a_new_order_follows_the_weight(
    evaluated: IronOrder, kilograms: str | None, words: str
) -> None:
    found = ask("R-41", asked(evaluated=evaluated, kilograms=kilograms))
    assert bool(found) is bool(words)
    for line in found:
        assert isinstance(line, Line)
        assert (line.rank, line.makes_warning) == (Rank.INTERVAL_PHOSPHATE, False)
        assert words in line.text


# ----------------------------------------------------------------------------------------------- the interval


def planned(days_ahead: int, *more: int, ingredient: Ingredient = FCM) -> IronOrder:
    return order(ingredient, "500", planned=tuple(day(-ahead) for ahead in (days_ahead, *more)))


INTERVALS = [
    row("R-41", "FCM 6 days after, if given today", order(FCM, "500"), given(FCM, "500", days_ago=6), True),
    row("R-41", "FCM 7 days after", order(FCM, "500"), given(FCM, "500", days_ago=7), False),
    row("R-41", "FCM planned for day 6", planned(3), given(FCM, "500", days_ago=3), True),
    row("R-41", "FCM planned for day 7", planned(4), given(FCM, "500", days_ago=3), False),
    row("R-41", "the first of several planned dates counts", planned(1, 8), given(FCM, "500", days_ago=3), True),
    row("R-41", "a passed date is not used", order(FCM, "500", planned=(day(1),)), given(FCM, "500", days_ago=6), True),
    row("R-41", "ferumoxytol 2 days after", order(FERUMOXYTOL, "510"), given(FERUMOXYTOL, "510", days_ago=2), True),
    row("R-41", "ferumoxytol 3 days after", order(FERUMOXYTOL, "510"), given(FERUMOXYTOL, "510", days_ago=3), False),
    row("R-41", "sucrose on the next day", order(SUCROSE, "200"), given(SUCROSE, "200", days_ago=1), False),
    row("R-41", "another product yesterday", order(FCM, "500"), given(SUCROSE, "200", days_ago=1), False),
    row("R-41", "also when the course limit is reached", order(FCM, "1000"), given(FCM, "1000", days_ago=3), True),
    row("R-41", "two planned dates 6 days apart", planned(1, 7), given(FCM, "500", days_ago=100), True),
    row("R-41", "two planned dates 7 days apart", planned(1, 8), given(FCM, "500", days_ago=100), False),
]


@pytest.mark.parametrize(("evaluated", "record", "is_said"), INTERVALS)
def test_r_41_interval_below_the_label_minimum(evaluated: IronOrder, record: DoseRecord, is_said: bool) -> None:
    found = ask("R-41 (interval)", asked(records=(record,), evaluated=evaluated))
    assert bool(found) is is_said
    for line in found:
        assert isinstance(line, Line)
        assert (line.rank, line.makes_warning) == (Rank.INTERVAL_PHOSPHATE, True)


@pytest.mark.parametrize(
    ("evaluated", "record", "words"),
    [
        row(
            "R-41",
            "today",
            order(FCM, "500"),
            given(FCM, "500", days_ago=1),
            "1 day after the dose of 2026-03-09 if given today",
        ),
        row(
            "R-41",
            "planned",
            planned(2),
            given(FCM, "500", days_ago=3),
            "5 days after the dose of 2026-03-07 on the planned date 2026-03-12",
        ),
        row(
            "R-41",
            "between planned dates",
            planned(1, 6),
            given(FCM, "500", days_ago=90),
            "2026-03-11 and 2026-03-16 are 5 days apart",
        ),
    ],
)
def test_r_41_the_interval_is_named(evaluated: IronOrder, record: DoseRecord, words: str) -> None:
    (text,) = texts("R-41 (interval)", asked(records=(record,), evaluated=evaluated))
    assert words in text
    assert "the label has at least 7 days between doses of ferric carboxymaltose." in text
    assert "5 days apart, which is off-label" in text


def test_r_41_the_trial_with_5_days_is_named_for_its_product_only() -> None:
    evaluated, record = order(FERUMOXYTOL, "510"), given(FERUMOXYTOL, "510", days_ago=1)
    (text,) = texts("R-41 (interval)", asked(records=(record,), evaluated=evaluated))
    assert "at least 3 days" in text
    assert "trial" not in text


def test_r_41_an_interval_below_the_label_is_a_warning_and_leaves_the_class() -> None:
    close = decide(asked(*labs("48", "17", 20), records=(given(FCM, "750", days_ago=5),)))
    assert (close.conclusion, close.makes_warning) == (STRONG, True)


# --------------------------------------------------------------------------- R-41c: no results from before the course


@pytest.mark.parametrize(
    ("results", "words"),
    [
        row("R-41c", "neither", (), "No usable ferritin or TSAT"),
        row("R-41c", "only new ones, in the blackout", labs("48", "17", 2), "No usable ferritin or TSAT"),
        row("R-41c", "TSAT missing", (ferritin("48", days_ago=20),), "No usable TSAT"),
        row("R-41c", "both from before", labs("48", "17", 20), ""),
    ],
)
def test_r_41c_what_is_missing_from_before_the_course(results: tuple[Result, ...], words: str) -> None:
    found = texts("R-41c", asked(*results, records=FIRST_DOSE))
    assert bool(found) is bool(words)
    for text in found:
        assert text.startswith(words)
        assert "before 2026-03-30" in text


def test_r_41c_tests_are_offered_for_day_28_not_for_now() -> None:
    decision = decide(asked(records=FIRST_DOSE))
    assert decision.conclusion is GAP
    assert decision.tests_not_before == TODAY + timedelta(days=20)


def test_r_41c_is_about_the_next_dose_only() -> None:
    assert not ask("R-41c", asked(records=(given(FCM, "1500", days_ago=8),)))
    assert not ask("R-41c", asked())


# -------------------------------------------------------------------------------------------- R-41d, R-40e: not known


def test_r_41d_asks_for_the_dose_and_offers_no_test() -> None:
    decision = decide(asked(*labs("48", "17", 20), records=(given(FCM, None, days_ago=8),)))
    rule, verdict = decision.verdicts[0]
    assert (rule.id, decision.conclusion) == ("R-41d", GAP)
    assert "unrecorded amount of ferric carboxymaltose on 2026-03-02" in verdict.say[0]
    assert decision.verdicts[0][1].offer_tests == ()
    assert [one.reference for one in verdict.used] == ["MedicationAdministration/fcm-8"]


def test_r_41d_comes_before_the_interval_of_a_repeat() -> None:
    between = Day(TODAY - timedelta(days=40), TODAY - timedelta(days=5))
    decision = decide(asked(*labs("48", "17", 45), records=(given(FCM, "750", day=between),)))
    assert decision.verdicts[0][0].id == "R-41d"
    assert "a day from 2026-01-29 to 2026-03-05" in decision.verdicts[0][1].say[0]


def test_r_41d_comes_after_the_stops() -> None:
    conditions = (condition("rls"), condition("iron-overload"))
    decision = decide(asked(records=(given(FCM, None, days_ago=8),), conditions=conditions))
    assert (decision.verdicts[0][0].id, decision.conclusion) == ("R-15", STOP)


def test_r_40e_iron_without_a_readable_date_is_named() -> None:
    undated = given(FCM, "750", day=None, reference="MedicationAdministration/undated")
    (line,) = ask("R-40e", asked(records=(undated, *FIRST_DOSE)))
    assert isinstance(line, Line)
    assert line.rank is Rank.UNREADABLE
    assert "MedicationAdministration/undated" in line.text
    assert not ask("R-40e", asked(records=FIRST_DOSE))


def test_r_41_a_dose_given_as_mg_per_kg_counts_by_weight() -> None:
    per_kg = order(FCM, dose=OrderDose(mg_per_kg=Decimal("12.5")))
    assert not any(
        "limit of one course" in text
        for text in texts("R-41", asked(records=FIRST_DOSE, kilograms="60", evaluated=per_kg))
    )
    assert any(
        "limit of one course" in text
        for text in texts("R-41", asked(records=FIRST_DOSE, kilograms="61", evaluated=per_kg))
    )
