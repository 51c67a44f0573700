"""Ferritin and TSAT around doses of parenteral iron (R-09, R-09a, R-28b, R-41)."""

import pytest

from cds_service.clinical.courses import Relation
from cds_service.clinical.given_doses import Dose
from cds_service.clinical.model import Ingredient
from cds_service.clinical.reading import SetAsideKind
from cds_service.clinical.results import read_hemoglobin, read_iron_study
from tests.rules.build import day, ferritin, hemoglobin, tsat
from tests.rules.chart import at, chart, dose, ferritin_of, kinds, shown, tsat_of

# ---------------------------------------- R-09 blackout, R-09a


@pytest.mark.parametrize(
    ("dosed", "drawn", "kind", "is_cautious"),
    [
        pytest.param(80, 80, SetAsideKind.BLACKOUT, False, id="R-09 day 0"),
        pytest.param(80, 53, SetAsideKind.BLACKOUT, False, id="R-09 day 27"),
        pytest.param(80, 52, None, True, id="R-09 day 28 with caution"),
        pytest.param(80, 25, None, True, id="R-09 day 55 with caution"),
        pytest.param(80, 24, None, False, id="R-09 day 56 without caution"),
        pytest.param(80, 81, SetAsideKind.SUPERSEDED, False, id="R-09a the day before the dose"),
        pytest.param(1, 90, SetAsideKind.SUPERSEDED, False, id="R-09a before the latest dose, on day 90"),
        pytest.param(1, 91, SetAsideKind.STALE, False, id="R-08 stale and superseded: stale"),
        pytest.param(120, 100, SetAsideKind.BLACKOUT, False, id="R-09 stale and in the blackout: blackout"),
    ],
)
@pytest.mark.parametrize("analyte", ["ferritin", "tsat"])
def test_r_09_iron_studies_around_a_dose(
    analyte: str, dosed: int, drawn: int, kind: SetAsideKind | None, is_cautious: bool
) -> None:
    made = {"ferritin": ferritin, "tsat": tsat}[analyte]("30", days_ago=drawn)
    reading = read_iron_study(chart(made, doses=[dose(dosed)]), analyte)
    assert kinds(reading) == ([] if kind is None else [kind])
    assert bool(reading.caution) is is_cautious


def test_r_09_the_nearest_dose_before_the_draw_decides_and_any_later_one_supersedes() -> None:
    assert kinds(ferritin_of(ferritin("30", days_ago=50), doses=[dose(80), dose(60)])) == [SetAsideKind.BLACKOUT]
    assert kinds(ferritin_of(ferritin("30", days_ago=50), doses=[dose(80), dose(40)])) == [SetAsideKind.SUPERSEDED]
    assert kinds(ferritin_of(ferritin("30", days_ago=50), doses=[dose(60), dose(40)])) == [SetAsideKind.BLACKOUT]


def test_r_09_the_reason_names_the_dose() -> None:
    blackout = ferritin_of(ferritin("30", days_ago=50), doses=[dose(60)])
    assert blackout.why_missing == (
        "last ferritin 2026-01-19 was drawn 10 days after IV iron on 2026-01-09 (not interpretable before day 28)"
    )
    superseded = ferritin_of(ferritin("30", days_ago=50), doses=[dose(40)])
    assert superseded.why_missing == "last ferritin 2026-01-19 was drawn before the IV iron of 2026-01-29"
    cautious = ferritin_of(ferritin("30", days_ago=50), doses=[dose(85)])
    assert cautious.caution == "drawn 35 days after IV iron (2025-12-15), fully settled only from day 56"


def test_r_09_the_latest_dose_is_the_one_that_is_named() -> None:
    assert ferritin_of(ferritin("30", days_ago=50), doses=[dose(65), dose(60)]).why_missing.endswith(
        "was drawn 10 days after IV iron on 2026-01-09 (not interpretable before day 28)"
    )
    assert ferritin_of(ferritin("30", days_ago=50), doses=[dose(40), dose(30)]).why_missing.endswith("of 2026-02-08")
    cautious = ferritin_of(ferritin("30", days_ago=20), doses=[dose(60), dose(55)])
    assert cautious.caution == "drawn 35 days after IV iron (2026-01-14), fully settled only from day 56"


@pytest.mark.parametrize(
    ("draw_hour", "dose_hour", "exact", "kind"),
    [
        pytest.param(8, 9, True, SetAsideKind.SUPERSEDED, id="R-09a day 0, specimen first: before the dose"),
        pytest.param(9, 8, True, SetAsideKind.BLACKOUT, id="R-09a day 0, dose first: blackout"),
        pytest.param(8, 8, True, SetAsideKind.BLACKOUT, id="R-09a day 0, same minute: blackout"),
        pytest.param(None, 9, True, SetAsideKind.BLACKOUT, id="R-09a day 0, no clock time of the draw: blackout"),
        pytest.param(8, None, True, SetAsideKind.BLACKOUT, id="R-09a day 0, no clock time of the dose: blackout"),
        pytest.param(8, 9, False, SetAsideKind.BLACKOUT, id="R-09a day 0, day of the dose not exact: blackout"),
    ],
)
def test_r_09a_day_0_is_before_the_dose_only_by_both_clocks(
    draw_hour: int | None, dose_hour: int | None, exact: bool, kind: SetAsideKind
) -> None:
    drawn = day(40) if draw_hour is None else at(40, draw_hour)
    clock = None if dose_hour is None else at(40, dose_hour).clock
    reading = ferritin_of(ferritin("60", day=drawn), doses=[dose(40, clock=clock, is_exact_day=exact)])
    assert kinds(reading) == [kind]


def test_r_09_does_not_concern_hemoglobin() -> None:
    assert read_hemoglobin(chart(hemoglobin("12"), doses=[dose(12)])).is_usable


# ---------------------------------------- R-28b dialysis


def _sucrose(days_ago: int, mg: str = "100", hour: int | None = None) -> Dose:
    clock = None if hour is None else at(days_ago, hour).clock
    return dose(days_ago, mg=mg, ingredient=Ingredient.SUCROSE, clock=clock)


@pytest.mark.parametrize(
    ("given", "kind"),
    [
        pytest.param([("200", 6), ("200", 4), ("100", 2)], None, id="R-28b 500 mg since the draw"),
        pytest.param([("200", 6), ("200", 4), ("100.5", 2)], SetAsideKind.SUPERSEDED, id="R-28b more than 500 mg"),
        pytest.param(
            [("200", 12), ("200", 6), ("200", 4), ("100", 2)], None, id="R-28b a dose before it is not counted"
        ),
        pytest.param(
            [("200", 10), ("200", 4), ("150", 2)], SetAsideKind.SUPERSEDED, id="R-28b same day, order unknown"
        ),
    ],
)
def test_r_28b_small_doses_start_no_clock_until_500_mg(given: list[tuple[str, int]], kind: SetAsideKind | None) -> None:
    small = [_sucrose(days_ago, mg) for mg, days_ago in given]
    reading = ferritin_of(ferritin("150", days_ago=10), small=small, is_in_dialysis=True)
    assert kinds(reading) == ([] if kind is None else [kind])


@pytest.mark.parametrize(
    ("draw_hour", "kind"),
    [
        pytest.param(9, None, id="R-28b dose first by the clock: not since the draw"),
        pytest.param(7, SetAsideKind.SUPERSEDED, id="R-28b specimen first by the clock: since the draw"),
    ],
)
def test_r_28b_a_dose_on_the_day_of_the_draw_is_ordered_by_the_clock(draw_hour: int, kind: SetAsideKind | None) -> None:
    small = [_sucrose(10, "200", 8), _sucrose(4, "200"), _sucrose(2, "150")]
    reading = ferritin_of(ferritin("150", day=at(10, draw_hour)), small=small, is_in_dialysis=True)
    assert kinds(reading) == ([] if kind is None else [kind])


@pytest.mark.parametrize(
    ("dosed", "caution"),
    [
        pytest.param(
            10, "drawn 0 days after a small dose of IV iron (2026-02-28), which can raise it", id="R-28b day 0"
        ),
        pytest.param(
            12, "drawn 2 days after a small dose of IV iron (2026-02-26), which can raise it", id="R-28b day 2"
        ),
        pytest.param(66, "", id="R-28b day 56"),
    ],
)
def test_r_28b_the_days_since_the_last_small_dose_are_said(dosed: int, caution: str) -> None:
    reading = ferritin_of(ferritin("150"), small=[_sucrose(dosed)], is_in_dialysis=True)
    assert reading.caution == caution


def test_r_28b_the_last_small_dose_before_the_draw_is_named() -> None:
    small = [_sucrose(30), _sucrose(14), _sucrose(8)]
    reading = ferritin_of(ferritin("150"), small=small, is_in_dialysis=True)
    assert reading.caution == "drawn 4 days after a small dose of IV iron (2026-02-24), which can raise it"


def test_r_28b_a_small_dose_after_the_draw_raises_nothing() -> None:
    assert ferritin_of(ferritin("150"), small=[_sucrose(8)], is_in_dialysis=True).caution == ""


def test_r_28b_both_cautions_are_said() -> None:
    reading = ferritin_of(ferritin("150"), doses=[dose(50)], small=[_sucrose(14)], is_in_dialysis=True)
    assert "drawn 40 days after IV iron" in reading.caution
    assert "drawn 4 days after a small dose of IV iron" in reading.caution


def test_r_41_small_doses_count_up_to_the_first_dose_of_the_course() -> None:
    course = [dose(14)]
    results = (ferritin("150", days_ago=30),)
    before = [_sucrose(29, "200"), _sucrose(25, "200"), _sucrose(20, "200")]
    after = [_sucrose(14, "200"), _sucrose(13, "200"), _sucrose(12, "200"), _sucrose(11, "200")]
    for small, kind in ((before, [SetAsideKind.SUPERSEDED]), (after, [])):
        reading = ferritin_of(
            *results, doses=course, small=small, course=course, relation=Relation.NEXT_DOSE, is_in_dialysis=True
        )
        assert kinds(reading) == kind


def test_r_28b_larger_doses_keep_their_clocks() -> None:
    reading = ferritin_of(ferritin("150"), doses=[_sucrose(20, "300")], small=[_sucrose(15)], is_in_dialysis=True)
    assert kinds(reading) == [SetAsideKind.BLACKOUT]


# ----------------------------------------


@pytest.mark.parametrize(
    ("drawn", "kind"),
    [
        pytest.param(15, None, id="R-41 the day before the first dose"),
        pytest.param(104, None, id="R-41 90 days before the first dose"),
        pytest.param(105, SetAsideKind.STALE, id="R-41 91 days before the first dose"),
        pytest.param(14, SetAsideKind.BLACKOUT, id="R-41 on the day of the first dose"),
        pytest.param(8, SetAsideKind.BLACKOUT, id="R-41 between two doses of the course"),
        pytest.param(0, SetAsideKind.BLACKOUT, id="R-41 today, in the blackout"),
    ],
)
def test_r_41_a_next_dose_is_judged_by_the_results_from_before_the_course(
    drawn: int, kind: SetAsideKind | None
) -> None:
    course = [dose(14), dose(7, mg="500")]
    next_dose = ferritin_of(ferritin("60", days_ago=drawn), doses=course, course=course, relation=Relation.NEXT_DOSE)
    assert kinds(next_dose) == ([] if kind is None else [kind])


@pytest.mark.parametrize("relation", [Relation.REPEAT, Relation.UNCERTAIN, Relation.NONE])
def test_r_09a_without_a_planned_next_dose_results_from_before_it_are_superseded(relation: Relation) -> None:
    course = [dose(14)]
    reading = ferritin_of(ferritin("60", days_ago=15), doses=course, course=course, relation=relation)
    assert kinds(reading) == [SetAsideKind.SUPERSEDED]


def test_r_41_day_0_before_the_first_dose_by_the_clock() -> None:
    course = [dose(14, clock=at(14, 10).clock)]
    kept = ferritin_of(ferritin("60", day=at(14, 9)), doses=course, course=course, relation=Relation.NEXT_DOSE)
    late = ferritin_of(ferritin("60", day=at(14, 11)), doses=course, course=course, relation=Relation.NEXT_DOSE)
    assert (kept.is_usable, late.is_usable) == (True, False)


@pytest.mark.parametrize(
    ("drawn", "expected"),
    [
        pytest.param(1, "60", id="R-41 day 27: the result from before the course"),
        pytest.param(0, "90", id="R-41 day 28: the new result replaces it"),
    ],
)
def test_r_41_on_day_28_a_usable_new_result_replaces_its_predecessor(drawn: int, expected: str) -> None:
    course = [dose(28)]
    results = (ferritin("60", days_ago=30), ferritin("90", days_ago=drawn))
    reading = ferritin_of(*results, doses=course, course=course, relation=Relation.NEXT_DOSE)
    assert shown(reading) == expected
    assert bool(reading.caution) is (expected == "90")


def test_r_41_results_from_before_the_course_keep_the_clocks_of_earlier_courses() -> None:
    course = [dose(14)]
    for earlier, kind in ((40, SetAsideKind.BLACKOUT), (25, SetAsideKind.SUPERSEDED)):
        doses = [dose(earlier, ingredient=Ingredient.DEXTRAN), *course]
        reading = ferritin_of(ferritin("60", days_ago=30), doses=doses, course=course, relation=Relation.NEXT_DOSE)
        assert kinds(reading) == [kind]


def test_r_41c_the_reason_speaks_of_the_course() -> None:
    course = [dose(14)]
    reading = tsat_of(tsat("30", days_ago=120), doses=course, course=course, relation=Relation.NEXT_DOSE)
    assert reading.why_missing == (
        "last TSAT 2025-11-10 was drawn 106 days before the first dose of this course on 2026-02-24 (limit 90)"
    )
