"""R-29: what the haemoglobin adds to a card, on both sides of every bound and for every recorded sex."""

from dataclasses import replace
from decimal import Decimal

import pytest

from cds_service.clinical.interval import Interval
from cds_service.clinical.model import (
    Line,
    PregnancyEvidence,
    PregnancySource,
    Rank,
    RejectedBecause,
    Remark,
    Result,
)
from cds_service.clinical.rules import hemoglobin as rules
from cds_service.clinical.zones import HEMOGLOBIN_ZONES
from tests.rules.ask import ask, texts
from tests.rules.build import case, day, decide, facts, ferritin, hemoglobin, rejected, tsat


def row(rule_id: str, words: str, *values: object) -> object:
    return pytest.param(*values, id=f"{rule_id} {words}")


def pregnant(weeks: int) -> tuple[PregnancyEvidence, ...]:
    return (
        PregnancyEvidence(PregnancySource.STATUS, "Observation/p", day(5), pregnant=True),
        PregnancyEvidence(PregnancySource.GESTATIONAL_AGE, "Observation/g", day(5), age_days=weeks * 7),
    )


@pytest.mark.parametrize(
    ("value", "is_said"),
    [
        row("R-29a", "12.4 is below", "12.4", True),
        row("R-29a", "12.49 is below, unrounded", "12.49", True),
        row("R-29a", "12.5 is not", "12.5", False),
        row("R-29a", "12.6 is not", "12.6", False),
    ],
)
@pytest.mark.parametrize("sex", ["male", "female", None])
def test_r_29a_below_12_5_repletion_may_be_incomplete(value: str, is_said: bool, sex: str | None) -> None:
    found = ask("R-29a", case(facts(hemoglobin(value), sex=sex)))
    assert bool(found) is is_said
    for line in found:
        assert isinstance(line, Line)
        assert line.rank is Rank.HEMOGLOBIN
        assert not line.makes_warning
        assert all(words in line.text for words in ("4 to 8 weeks", "more than 1000 mg", "course limit"))


@pytest.mark.parametrize(
    ("value", "changes", "is_anemia"),
    [
        row("R-29b", "man 12.9", "12.9", {"sex": "male"}, True),
        row("R-29b", "man 13.0", "13.0", {"sex": "male"}, False),
        row("R-29b", "woman 11.9", "11.9", {"sex": "female"}, True),
        row("R-29b", "woman 12.0", "12.0", {"sex": "female"}, False),
        row("R-29b", "pregnant 10.9", "10.9", {"sex": "female", "pregnancy": pregnant(20)}, True),
        row("R-29b", "pregnant 11.0", "11.0", {"sex": "female", "pregnancy": pregnant(20)}, False),
        row("R-29b", "sex not recorded 11.9", "11.9", {"sex": None}, True),
        row("R-29b", "sex not recorded 12.9", "12.9", {"sex": None}, False),
        row("R-29b", "sex other 11.9", "11.9", {"sex": "other"}, True),
        row("R-29b", "sex other 12.0", "12.0", {"sex": "other"}, False),
        row("R-29b", "sex unknown 12.9", "12.9", {"sex": "unknown"}, False),
    ],
)
def test_r_29b_anemia_by_who_bounds_asks_for_the_cause(value: str, changes: dict[str, object], is_anemia: bool) -> None:
    patient = replace(facts(hemoglobin(value)), birth=facts().birth, **changes)  # type: ignore[arg-type]
    found = texts("R-29b", case(patient))
    assert bool(found) is is_anemia
    for text in found:
        assert "look for the cause" in text
        assert "bidirectional endoscopy" in text


@pytest.mark.parametrize(
    ("value", "is_urgent"),
    [row("R-29d", "6.9", "6.9", True), row("R-29d", "7.0", "7.0", False), row("R-29d", "7.1", "7.1", False)],
)
def test_r_29d_below_7_is_urgent_and_a_warning(value: str, is_urgent: bool) -> None:
    decision = decide(case(facts(ferritin("40"), tsat("12"), hemoglobin(value))))
    urgent = [line for _, line in decision.lines if line.rank is Rank.HEMOGLOBIN_CRITICAL]
    assert bool(urgent) is is_urgent
    assert decision.makes_warning is is_urgent
    if urgent:
        assert decision.lines[0][1] is urgent[0]
        assert "urgent clinical review" in urgent[0].text


@pytest.mark.parametrize(
    ("results", "is_offered"),
    [
        row("R-29c", "no hemoglobin", (), True),
        row("R-29c", "a stale one (day 91)", (hemoglobin("14", days_ago=91),), True),
        row("R-29c", "one of day 90", (hemoglobin("14", days_ago=90),), False),
        row("R-29c", "one in an unknown unit", (rejected("hemoglobin", RejectedBecause.UNIT),), True),
        row("R-29c", "a usable one", (hemoglobin("14"),), False),
    ],
)
def test_r_29c_no_usable_hemoglobin_offers_a_cbc(results: tuple[Result, ...], is_offered: bool) -> None:
    found = ask("R-29c", case(facts(*results)))
    assert bool(found) is is_offered
    for remark in found:
        assert isinstance(remark, Remark)
        assert remark.offer_tests == ("cbc",)


@pytest.mark.parametrize("rule_id", ["R-29a", "R-29b", "R-29d"])
@pytest.mark.parametrize(
    "results",
    [
        pytest.param((), id="never measured"),
        pytest.param((hemoglobin("5", days_ago=91),), id="stale"),
        pytest.param((rejected("hemoglobin"),), id="wrong unit"),
    ],
)
def test_r_29_an_unknown_hemoglobin_is_neither_low_nor_normal(rule_id: str, results: tuple[Result, ...]) -> None:
    assert ask(rule_id, case(facts(*results, sex="male"))) == ()


def test_r_10_a_hemoglobin_below_7_as_comparator_is_urgent() -> None:
    reported = replace(hemoglobin("7"), value=Interval.below(Decimal(7)))
    assert texts("R-29d", case(facts(reported)))


def test_r_29_changes_no_class() -> None:
    low = decide(case(facts(ferritin("40"), tsat("12"), hemoglobin("6"))))
    normal = decide(case(facts(ferritin("40"), tsat("12"), hemoglobin("14"))))
    assert low.conclusion is normal.conclusion


def test_r_29_every_bound_is_a_zone_bound_so_that_a_censored_value_cannot_straddle_it() -> None:
    cuts = {zone.high for zone in HEMOGLOBIN_ZONES if zone.high is not None}
    limits = {limit.value for rule in rules.RULES for limit in rule.thresholds}
    assert limits == cuts
