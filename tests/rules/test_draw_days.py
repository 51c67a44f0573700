"""What a specimen day means beside doses and limits, said in words: the day, the dose and the limit that decide."""

import pytest

from cds_service.clinical.courses import Relation
from cds_service.clinical.dates import Day
from cds_service.clinical.given_doses import Dose
from cds_service.clinical.model import Ingredient
from cds_service.clinical.reading import SetAsideKind
from tests.rules.build import day, ferritin
from tests.rules.chart import at, dose, ferritin_of, kinds, span

K = SetAsideKind


def sucrose(days_ago: int, mg: str = "100", hour: int | None = None) -> Dose:
    clock = None if hour is None else at(days_ago, hour).clock
    return dose(days_ago, mg=mg, ingredient=Ingredient.SUCROSE, clock=clock)


# ----------------------------------------------------------------------------------- partial dates


@pytest.mark.parametrize(
    ("drawn", "doses", "kind", "why"),
    [
        pytest.param(None, [], K.UNDATED, "has no specimen date", id="R-08a undated"),
        pytest.param(day(-1), [], K.FUTURE, "is dated after today", id="R-08 tomorrow"),
        pytest.param(
            span(5, -1),
            [],
            K.IMPRECISE,
            "is dated 2026-03-05 to 2026-03-11 only, too vague to tell whether it counts",
            id="R-08a until tomorrow",
        ),
        pytest.param(span(120, 100), [], K.STALE, "is 100 days old (limit 90)", id="R-08a by its last day"),
        pytest.param(
            span(120, 80),
            [],
            K.IMPRECISE,
            "is dated 2025-11-10 to 2025-12-20 only, too vague to tell whether it counts",
            id="R-08a stale or not",
        ),
        pytest.param(
            span(120, 20),
            [],
            K.IMPRECISE,
            "is dated 2025-11-10 to 2026-02-18 only, too vague to tell whether it counts",
            id="R-08a more days than the window has",
        ),
        pytest.param(
            span(60, 55),
            [dose(65)],
            K.BLACKOUT,
            "was drawn 10 days after IV iron on 2026-01-04 (not interpretable before day 28)",
            id="R-08a in the blackout on all days: by its last day",
        ),
        pytest.param(
            span(60, 50), [dose(40)], K.SUPERSEDED, "was drawn before the IV iron of 2026-01-29", id="R-09a on all days"
        ),
        pytest.param(
            span(60, 39),
            [dose(40)],
            K.IMPRECISE,
            "is dated 2026-01-09 to 2026-01-30 only, too vague to tell whether it counts",
            id="R-08a before and after the dose",
        ),
        pytest.param(
            span(89, 20),
            [dose(60)],
            K.IMPRECISE,
            "is dated 2025-12-11 to 2026-02-18 only, too vague to tell whether it counts",
            id="R-08a superseded, in the blackout and usable",
        ),
    ],
)
def test_r_08a_the_reason_is_that_of_the_days_it_stands_for(
    drawn: Day | None, doses: list[Dose], kind: SetAsideKind, why: str
) -> None:
    (one,) = ferritin_of(ferritin("60", day=drawn), doses=doses).set_aside
    assert (one.kind, one.why) == (kind, why)


@pytest.mark.parametrize(
    ("drawn", "caution"),
    [
        pytest.param(span(50, 40), "drawn 50 days after", id="R-09 some days settled, some not: the caution is said"),
        pytest.param(span(60, 50), "drawn 40 days after", id="R-09 not settled on any day: the earliest"),
        pytest.param(span(44, 30), "", id="R-09 settled on all days"),
    ],
)
def test_r_09_a_partial_date_is_trusted_no_further_than_its_least_settled_day(drawn: Day, caution: str) -> None:
    reading = ferritin_of(ferritin("60", day=drawn), doses=[dose(100)])
    assert reading.is_usable
    assert reading.caution.startswith(caution)
    assert bool(reading.caution) is bool(caution)


# ----------------------------------------------------------------------------------- doses


@pytest.mark.parametrize(
    ("drawn", "doses", "kind", "why"),
    [
        pytest.param(30, [dose(30)], K.BLACKOUT, "was drawn 0 days after IV iron on 2026-02-08", id="R-09 day 0"),
        pytest.param(95, [dose(100)], K.BLACKOUT, "was drawn 5 days after IV iron on 2025-11-30", id="R-09 old too"),
        pytest.param(95, [dose(20)], K.STALE, "is 95 days old (limit 90)", id="R-08 before R-09a"),
        pytest.param(95, [dose(200)], K.STALE, "is 95 days old (limit 90)", id="R-08 long after a dose"),
        pytest.param(
            50,
            [dose(200), dose(20)],
            K.SUPERSEDED,
            "was drawn before the IV iron of 2026-02-18",
            id="R-09a between two",
        ),
        pytest.param(
            50,
            [dose(60), dose(20)],
            K.BLACKOUT,
            "was drawn 10 days after IV iron on 2026-01-09",
            id="R-09 before R-09a",
        ),
    ],
)
def test_r_09_the_reason_names_what_decides(drawn: int, doses: list[Dose], kind: SetAsideKind, why: str) -> None:
    (one,) = ferritin_of(ferritin("60", days_ago=drawn), doses=doses).set_aside
    assert one.kind is kind
    assert one.why.startswith(why)


@pytest.mark.parametrize(
    ("given", "why"),
    [
        pytest.param(
            [sucrose(6, "200"), sucrose(4, "200"), sucrose(2, "200")],
            "was drawn before 600 mg of IV iron given since (limit 500 mg in dialysis)",
            id="R-28b 600 mg",
        ),
        pytest.param(
            [sucrose(6, "200"), sucrose(4, "200"), sucrose(2, "100.5")],
            "was drawn before 500.5 mg of IV iron given since (limit 500 mg in dialysis)",
            id="R-28b 500.5 mg",
        ),
    ],
)
def test_r_28b_the_reason_tells_the_amount_given_since(given: list[Dose], why: str) -> None:
    (one,) = ferritin_of(ferritin("150"), small=given, is_in_dialysis=True).set_aside
    assert (one.kind, one.why) == (K.SUPERSEDED, why)


@pytest.mark.parametrize(
    ("draw_hour", "dose_hour", "caution"),
    [
        pytest.param(
            9, 8, "drawn 0 days after a small dose of IV iron (2026-02-28), which can raise it", id="R-28b after"
        ),
        pytest.param(8, 9, "", id="R-28b specimen first by the clock"),
        pytest.param(
            8, 8, "drawn 0 days after a small dose of IV iron (2026-02-28), which can raise it", id="R-28b same minute"
        ),
        pytest.param(
            8, None, "drawn 0 days after a small dose of IV iron (2026-02-28), which can raise it", id="R-28b one clock"
        ),
    ],
)
def test_r_28b_a_small_dose_of_the_day_is_ordered_by_the_clock(
    draw_hour: int, dose_hour: int | None, caution: str
) -> None:
    reading = ferritin_of(
        ferritin("150", day=at(10, draw_hour)), small=[sucrose(10, hour=dose_hour)], is_in_dialysis=True
    )
    assert reading.caution == caution


@pytest.mark.parametrize(
    ("larger", "small", "caution"),
    [
        pytest.param(
            65, 65, ("drawn 55 days after IV iron (2026-01-04)", "drawn 55 days after a small"), id="R-28b both"
        ),
        pytest.param(66, 65, ("drawn 55 days after a small dose",), id="R-28b the larger one is settled"),
        pytest.param(65, 66, ("drawn 55 days after IV iron (2026-01-04)",), id="R-28b the small one is settled"),
        pytest.param(66, 66, (), id="R-28b both are settled"),
    ],
)
def test_r_28b_cautions_last_until_day_56_each(larger: int, small: int, caution: tuple[str, ...]) -> None:
    reading = ferritin_of(ferritin("150"), doses=[dose(larger)], small=[sucrose(small)], is_in_dialysis=True)
    said = [part for part in reading.caution.split("; ") if part]
    assert len(said) == len(caution)
    assert all(part.startswith(start) for part, start in zip(said, caution, strict=True))


# ----------------------------------------------------------------------------------- seen from the course


@pytest.mark.parametrize(
    ("drawn", "earlier", "kind"),
    [
        pytest.param(30, 60, None, id="R-41 30 days after an earlier dose"),
        pytest.param(30, 57, K.BLACKOUT, id="R-41 27 days after an earlier dose"),
        pytest.param(30, 29, K.SUPERSEDED, id="R-41 a dose between draw and course"),
        pytest.param(30, 15, K.SUPERSEDED, id="R-41 a dose the day before the course"),
        pytest.param(105, 200, K.STALE, id="R-41 91 days before the course"),
    ],
)
def test_r_41_the_clocks_before_a_course_are_those_of_earlier_doses(
    drawn: int, earlier: int, kind: SetAsideKind | None
) -> None:
    course = [dose(14), dose(7)]
    doses = [dose(earlier, ingredient=Ingredient.DEXTRAN), *course]
    reading = ferritin_of(ferritin("60", days_ago=drawn), doses=doses, course=course, relation=Relation.NEXT_DOSE)
    assert kinds(reading) == ([] if kind is None else [kind])


def test_r_41_the_age_before_a_course_is_counted_from_its_first_dose() -> None:
    course = [dose(14), dose(7)]
    reading = ferritin_of(ferritin("60", days_ago=110), doses=course, course=course, relation=Relation.NEXT_DOSE)
    assert [one.why for one in reading.set_aside] == [
        "was drawn 96 days before the first dose of this course on 2026-02-24 (limit 90)"
    ]


def test_r_41_a_small_dose_before_the_course_is_said() -> None:
    course = [dose(14)]
    reading = ferritin_of(
        ferritin("150", days_ago=20),
        doses=course,
        small=[sucrose(22), sucrose(10)],
        course=course,
        relation=Relation.NEXT_DOSE,
        is_in_dialysis=True,
    )
    assert reading.caution == "drawn 2 days after a small dose of IV iron (2026-02-16), which can raise it"


def test_r_41_a_partial_date_before_the_course_is_usable() -> None:
    course = [dose(14)]
    for drawn, expected in ((span(40, 15), []), (span(40, 14), [K.IMPRECISE]), (span(110, 100), [K.IMPRECISE])):
        reading = ferritin_of(ferritin("60", day=drawn), doses=course, course=course, relation=Relation.NEXT_DOSE)
        assert kinds(reading) == expected


@pytest.mark.parametrize(
    ("hour", "kind"),
    [
        pytest.param(9, K.SUPERSEDED, id="R-41 specimen before an earlier dose by the clock"),
        pytest.param(11, K.BLACKOUT, id="R-41 specimen after an earlier dose by the clock"),
    ],
)
def test_r_41_the_clock_tells_before_a_course_too(hour: int, kind: SetAsideKind) -> None:
    course = [dose(14)]
    doses = [dose(30, ingredient=Ingredient.DEXTRAN, clock=at(30, 10).clock), *course]
    reading = ferritin_of(ferritin("60", day=at(30, hour)), doses=doses, course=course, relation=Relation.NEXT_DOSE)
    assert kinds(reading) == [kind]


@pytest.mark.parametrize(
    ("last", "kind"),
    [
        pytest.param(15, [K.SUPERSEDED], id="R-41 550 mg before the day of the first dose"),
        pytest.param(14, [], id="R-41 a small dose on the day of the first dose is none before the course"),
    ],
)
def test_r_41_small_doses_before_the_course_end_the_day_before_it(last: int, kind: list[SetAsideKind]) -> None:
    course = [dose(14)]
    small = [sucrose(18, "200"), sucrose(16, "200"), sucrose(last, "150")]
    reading = ferritin_of(
        ferritin("150", days_ago=20),
        doses=course,
        small=small,
        course=course,
        relation=Relation.NEXT_DOSE,
        is_in_dialysis=True,
    )
    assert kinds(reading) == kind
