"""R-26: what cannot be decided without ferritin or TSAT, what ferritin decides alone, which tests are offered."""

from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal

import pytest

from cds_service.clinical.interval import Interval
from cds_service.clinical.model import Conclusion, Ingredient, Line, Rank, RejectedBecause, Result
from cds_service.clinical.rules import missing
from tests.rules.ask import ask, verdict
from tests.rules.build import (
    RLS,
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
    rejected,
    result,
    tsat,
)

HB = hemoglobin("14")


def row(rule_id: str, words: str, *values: object) -> object:
    return pytest.param(*values, id=f"{rule_id} {words}")


def tsat_in(value: Interval) -> Result:
    """A censored TSAT."""
    return replace(tsat("30"), value=value)


# ------------------------------------------------------------------------------------ what counts as missing


@pytest.mark.parametrize(
    ("lost", "expected"),
    [
        row("R-26b", "no TSAT on record", (), "R-26b"),
        row("R-26", "stale TSAT (day 91)", (tsat("28", days_ago=91),), "R-26b"),
        row("R-26", "TSAT of day 90 is not missing", (tsat("28", days_ago=90),), "R-23"),
        row("R-26", "TSAT dated tomorrow", (tsat("28", days_ago=-1),), "R-26b"),
        row("R-26", "undated TSAT", (tsat("28", day=None),), "R-26b"),
        row("R-26", "preliminary TSAT", (tsat("28", status="preliminary"),), "R-26b"),
        row("R-26", "TSAT without status", (tsat("28", status=None),), "R-26b"),
        row("R-26", "cancelled TSAT", (tsat("28", status="cancelled"),), "R-26b"),
        row("R-26", "TSAT in an unknown unit", (rejected("tsat", RejectedBecause.UNIT),), "R-26b"),
        row("R-26", "implausible TSAT", (rejected("tsat", RejectedBecause.IMPLAUSIBLE),), "R-26b"),
        row("R-26", "TSAT <30 spans two ranges", (tsat_in(Interval.below(Decimal(30))),), "R-26b"),
        row("R-26", "TSAT <20 does not", (tsat_in(Interval.below(Decimal(20))),), "R-25"),
        row("R-26", "TSAT calculated too near a limit", (tsat("21", indeterminate=True),), "R-26b"),
        row("R-13a", "a newer TSAT cannot be read", (tsat("28"), rejected("tsat")), "R-26b"),
    ],
)
def test_r_26b_ferritin_above_75_needs_a_usable_tsat(lost: tuple[Result, ...], expected: str) -> None:
    assert decide(case(facts(ferritin("90"), HB, *lost))).verdicts[0][0].id == expected


@pytest.mark.parametrize(
    ("iron", "expected"),
    [
        row("R-26a", "ferritin 75.0 decides alone", "75.0", "R-26a"),
        row("R-26b", "ferritin 75.1 does not", "75.1", "R-26b"),
        row("R-26b", "ferritin 299.9 does not", "299.9", "R-26b"),
        row("R-17", "ferritin 300.0 is above the ceiling", "300.0", "R-17"),
    ],
)
def test_r_26_ferritin_without_tsat(iron: str, expected: str) -> None:
    assert decide(case(facts(ferritin(iron), HB))).verdicts[0][0].id == expected


# -------------------------------------------------------------------------------------------- R-26b, R-26c, R-26d


def test_r_26b_says_why_and_offers_iron_and_tibc() -> None:
    found = verdict("R-26b", case(facts(ferritin("90"), tsat("28", days_ago=120), HB)))
    assert found is not None
    assert found.conclusion is Conclusion.INSUFFICIENT_DATA
    assert "120 days old" in found.say[0]
    assert found.offer_tests == ("iron", "tibc")
    assert found.tests_not_before is None


@pytest.mark.parametrize(
    ("saturation", "said"),
    [
        row("R-26c", "TSAT 19.9 meets its half", "19.9", "meets one half"),
        row("R-26c", "TSAT 20.0 does not", "20.0", "does not meet its half"),
        row("R-26c", "TSAT 44.9 does not", "44.9", "does not meet its half"),
    ],
)
def test_r_26c_tsat_cannot_decide_without_ferritin(saturation: str, said: str) -> None:
    decision = decide(case(facts(tsat(saturation), HB)))
    (rule, found) = decision.verdicts[0]
    assert (rule.id, found.conclusion) == ("R-26c", Conclusion.INSUFFICIENT_DATA)
    assert said in found.say[1]
    assert "ceiling" in found.say[2]
    assert "inflammation" in found.say[2]
    assert found.offer_tests == ("ferritin",)


def test_r_26c_a_tsat_of_45_stops_without_ferritin() -> None:
    assert decide(case(facts(tsat("45")))).conclusion is Conclusion.CONTRAINDICATED


def test_r_26d_neither_result_offers_all_of_them() -> None:
    decision = decide(case(facts(HB)))
    (rule, found) = decision.verdicts[0]
    assert (rule.id, found.conclusion) == ("R-26d", Conclusion.INSUFFICIENT_DATA)
    assert len(found.say) == 2
    assert found.offer_tests == ("ferritin", "iron", "tibc")


@pytest.mark.parametrize(
    ("more", "offered"),
    [
        row("R-26", "no hemoglobin: a CBC is offered too", (), ("ferritin", "iron", "tibc", "cbc")),
        row("R-26", "a usable hemoglobin: no CBC", (HB,), ("ferritin", "iron", "tibc")),
        row("R-26", "a stale hemoglobin: a CBC", (hemoglobin("14", days_ago=91),), ("ferritin", "iron", "tibc", "cbc")),
    ],
)
def test_r_26_offers_what_is_missing(more: tuple[Result, ...], offered: tuple[str, ...]) -> None:
    assert decide(case(facts(*more))).offered_tests == offered


@pytest.mark.parametrize(
    "more", [(), (ferritin("90"),), (tsat("12"),), (ferritin("60"),)], ids=["R-26d", "R-26b", "R-26c", "R-26a"]
)
def test_r_26_hemoglobin_weight_crp_and_phosphate_never_make_data_insufficient(more: tuple[Result, ...]) -> None:
    """Without any of the four the class is the same as with a hemoglobin."""
    without, with_it = decide(case(facts(*more))), decide(case(facts(*more, HB)))
    assert without.conclusion is with_it.conclusion


@pytest.mark.parametrize(
    "results",
    [
        row("R-28a", "nothing", ()),
        row("R-28a", "ferritin 60 alone", (ferritin("60"),)),
        row("R-28a", "TSAT alone", (tsat("12"),)),
    ],
)
def test_r_28a_decides_in_dialysis_instead_of_r_26(results: tuple[Result, ...]) -> None:
    the_case = case(facts(*results, conditions=(RLS, condition("dialysis-dependence", "esrd"))))
    assert the_case.is_in_dialysis
    assert not any(ask(rule_id, the_case) for rule_id in ("R-26b", "R-26c", "R-26d", "R-26e"))


# ---------------------------------------------------------------------------------------------------------- R-26a


def test_r_26a_ferritin_alone_is_strong_with_a_warning_first() -> None:
    decision = decide(case(facts(ferritin("75"), HB)))
    assert decision.conclusion is Conclusion.INDICATED_STRONG
    assert decision.verdicts[0][1].headline == "Guideline supports IV iron"
    assert decision.makes_warning
    first = decision.lines[0][1]
    assert first.rank is Rank.TSAT_MISSING
    assert "no TSAT, reported or to be calculated, in the data provided" in first.text
    assert "confirming a TSAT below 45 %" in first.text
    assert decision.offered_tests == ("iron", "tibc")


def test_r_26a_says_nothing_on_a_card_that_another_rule_decided() -> None:
    patient = facts(ferritin("60"), conditions=(RLS, condition("iron-overload")))
    decision = decide(case(patient))
    assert decision.conclusion is Conclusion.CONTRAINDICATED
    assert all(line.rank is not Rank.TSAT_MISSING for _, line in decision.lines)


def test_r_26a_needs_a_usable_ferritin() -> None:
    assert verdict("R-26a", case(facts(ferritin("60", days_ago=91)))) is None


def _within_course(days_ago: int) -> tuple[Line, tuple[str, ...]]:
    """Second dose of a course of ferric carboxymaltose, ferritin from before it, no TSAT."""
    patient = facts(
        ferritin("60", days_ago=days_ago + 5), HB, dose_records=(given(Ingredient.FCM, "750", days_ago=days_ago),)
    )
    decision = decide(case(patient, order(Ingredient.FCM, "750")))
    assert decision.verdicts[0][0].id == "R-26a"
    line = next(line for _, line in decision.lines if line.rank is Rank.TSAT_MISSING)
    return line, decision.offered_tests


@pytest.mark.parametrize(
    ("days_ago", "waits"),
    [
        row("R-41c", "day 7 of a course", 7, True),
        row("R-41c", "day 27", 27, True),
        row("R-41c", "day 28 can be read", 28, False),
    ],
)
def test_r_41c_within_a_course_tsat_cannot_be_confirmed_before_day_28(days_ago: int, waits: bool) -> None:
    line, offered = _within_course(days_ago)
    assert ("cannot be interpreted now" in line.text) is waits
    assert ("confirming" in line.text) is not waits
    assert offered == (() if waits else ("iron", "tibc"))
    assert line.makes_warning


@pytest.mark.parametrize(
    ("days_ago", "readable"),
    [
        row("R-41c", "offered for day 28", 7, TODAY + timedelta(days=21)),
        row("R-41c", "day 27 waits one day", 27, TODAY + timedelta(days=1)),
        row("R-41c", "day 28 is today", 28, None),
    ],
)
def test_r_41c_missing_tests_are_dated_day_28(days_ago: int, readable: date | None) -> None:
    patient = facts(HB, dose_records=(given(Ingredient.FCM, "750", days_ago=days_ago),))
    decision = decide(case(patient, order(Ingredient.FCM, "750")))
    assert decision.verdicts[0][0].id == "R-26d"
    assert decision.tests_not_before == readable
    told = " ".join(decision.verdicts[0][1].say)
    assert (readable is not None and readable.isoformat() in told) is (readable is not None)


def test_r_26_no_iron_on_record_means_tests_can_be_drawn_today() -> None:
    assert missing.tests_not_before(case(facts())) is None


# ---------------------------------------------------------------------------------------------------------- R-26e

PENDING = {"status": "preliminary"}


def fraction(percent: str, likely: str | None, **changes: object) -> Result:
    """A TSAT of 1.0 or less with unit %, as the reader hands it over."""
    made = rejected("tsat", RejectedBecause.IMPLAUSIBLE, recorded=f"{percent} %", problem="probably a fraction")
    return replace(made, likely_percent=Decimal(likely) if likely else None, **changes)  # type: ignore[arg-type]


def over(low: str) -> Result:
    return tsat_in(Interval.between(Decimal(low), Decimal(100), low_closed=False, high_closed=True))


@pytest.mark.parametrize(
    ("set_aside", "expected"),
    [
        row("R-26e", "pending 45.0", (tsat("45.0", **PENDING),), "R-26e"),
        row("R-26e", "pending 44.9", (tsat("44.9", **PENDING),), "R-26a"),
        row("R-26e", "calculated 43 is indeterminate and near 45", (tsat("43", indeterminate=True),), "R-26e"),
        row("R-26e", "calculated 47", (tsat("47", indeterminate=True),), "R-26e"),
        row("R-26e", "calculated 23 is indeterminate but near 20", (tsat("23", indeterminate=True),), "R-26a"),
        row("R-26e", "above 40 reaches 45", (over("40"),), "R-26e"),
        row("R-26e", "below 30 does not reach 45", (tsat_in(Interval.below(Decimal(30))),), "R-26a"),
        row("R-26e", "stale 45.0", (tsat("45.0", days_ago=91),), "R-26e"),
        row("R-26e", "stale 44.9", (tsat("44.9", days_ago=91),), "R-26a"),
        row("R-26e", "365 days old", (tsat("48", days_ago=365),), "R-26e"),
        row("R-26e", "366 days old", (tsat("48", days_ago=366),), "R-26a"),
        row("R-26e", "0.45 with unit % is a likely 45", (fraction("0.45", "45"),), "R-26e"),
        row("R-26e", "1.0 with unit % is a likely 100", (fraction("1.0", "100"),), "R-26e"),
        row("R-26e", "0.44 with unit %", (fraction("0.44", None),), "R-26a"),
        row(
            "R-26e", "the newest of several counts: high", (tsat("30", days_ago=200), tsat("50", days_ago=100)), "R-26e"
        ),
        row(
            "R-26e", "the newest of several counts: low", (tsat("50", days_ago=200), tsat("30", days_ago=100)), "R-26a"
        ),
        row("R-26e", "a cancelled one never counts", (tsat("50", status="cancelled"),), "R-26a"),
        row("R-26e", "one entered in error never counts", (tsat("50", status="entered-in-error"),), "R-26a"),
        row("R-26e", "an undated one never counts", (tsat("50", day=None),), "R-26a"),
        row("R-26e", "one dated tomorrow never counts", (tsat("50", days_ago=-1),), "R-26a"),
        row("R-26e", "a usable 45 is a stop, not a hint", (tsat("45"),), "R-16"),
    ],
)
def test_r_26e_a_set_aside_tsat_that_points_to_45_is_repeated_first(
    set_aside: tuple[Result, ...], expected: str
) -> None:
    decision = decide(case(facts(ferritin("60"), HB, *set_aside)))
    assert decision.verdicts[0][0].id == expected
    if expected == "R-26e":
        assert decision.conclusion is Conclusion.INSUFFICIENT_DATA
        assert decision.offered_tests == ("iron", "tibc")
        assert not any(line.rank is Rank.TSAT_MISSING for _, line in decision.lines)


@pytest.mark.parametrize(
    ("iron", "expected"),
    [
        row("R-26e", "ferritin 75.0 asks for the repeat", "75.0", "R-26e"),
        row("R-26e", "ferritin 75.1 needs a TSAT anyway", "75.1", "R-26b"),
    ],
)
def test_r_26e_is_about_ferritin_that_would_decide_alone(iron: str, expected: str) -> None:
    assert decide(case(facts(ferritin(iron), HB, tsat("50", days_ago=120)))).verdicts[0][0].id == expected


@pytest.mark.parametrize(
    ("set_aside", "said"),
    [
        row(
            "R-26e",
            "a share is shown in percent",
            tsat("50", days_ago=120, recorded="0.5 1"),
            "points to 45 % or more: 50 % of",
        ),
        row(
            "R-26e",
            "a likely fraction is shown as the chart has it",
            fraction("0.45", "45"),
            "points to 45 % or more: \u20630.45 %\u2063 of",
        ),
    ],
)
def test_r_26e_shows_the_set_aside_value(set_aside: Result, said: str) -> None:
    found = verdict("R-26e", case(facts(ferritin("60"), HB, set_aside)))
    assert found is not None
    assert said in found.say[0]


@pytest.mark.parametrize(
    ("days_ago", "readable"),
    [
        row("R-41c", "within a course the repeat is dated day 28", 8, TODAY + timedelta(days=20)),
        row("R-41c", "on day 28 it can be drawn", 28, None),
    ],
)
def test_r_26e_within_a_course_the_repeat_waits(days_ago: int, readable: date | None) -> None:
    """The results from before the course decide: ferritin alone, and a TSAT of 50 % that is too old."""
    before = (ferritin("60", days_ago=days_ago + 5), tsat("50", days_ago=days_ago + 100))
    patient = facts(*before, HB, dose_records=(given(Ingredient.FCM, "750", days_ago=days_ago),))
    found = verdict("R-26e", case(patient, order(Ingredient.FCM, "750")))
    assert found is not None
    assert found.tests_not_before == readable
    assert any("can be interpreted from" in sentence for sentence in found.say) is (readable is not None)


def test_r_26e_blackout_results_never_count() -> None:
    """Drawn five days after iron: shows circulating product, no overload."""
    patient = facts(
        ferritin("60", days_ago=30),
        tsat("60", days_ago=10),
        HB,
        dose_records=(given(Ingredient.FCM, "500", days_ago=15),),
    )
    decision = decide(case(patient, order(Ingredient.FCM, "500")))
    assert decision.verdicts[0][0].id == "R-26a"


def test_r_26e_a_calculated_tsat_counts_as_well() -> None:
    """Iron 180 and TIBC 360 a hundred days ago: 50 %, stale."""
    patient = facts(ferritin("60"), HB, result("iron", "180", days_ago=100), result("tibc", "360", days_ago=100))
    assert decide(case(patient)).verdicts[0][0].id == "R-26e"


def test_r_26e_names_the_result_and_its_date() -> None:
    found = verdict("R-26e", case(facts(ferritin("60"), HB, tsat("50", days_ago=120))))
    assert found is not None
    assert "50 %" in found.say[0]
    assert str(day(120)) in found.say[0]
    assert [used.name for used in found.used] == ["ferritin", "TSAT"]
