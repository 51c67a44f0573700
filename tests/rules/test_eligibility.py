"""R-17 and R-22 to R-25: what the cards say, the stops and caps around them, and the intervals as data."""

from dataclasses import replace
from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from cds_service.clinical.dates import Day
from cds_service.clinical.model import Conclusion, PatientFacts, RejectedBecause, Result
from cds_service.clinical.rules import eligibility
from cds_service.clinical.rules.eligibility import BANDS, CEILING, GREY_ZONE, LOW_FERRITIN, LOW_TSAT, REPLETE
from tests.rules.ask import verdict
from tests.rules.build import RLS, case, condition, crp, decide, facts, ferritin, order, rejected, tsat


def row(rule_id: str, words: str, *values: object) -> object:
    return pytest.param(*values, id=f"{rule_id} {words}")


# ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("results", "expected"),
    [
        row("R-17", "ferritin 300 with TSAT 28", (ferritin("300"), tsat("28")), "R-17"),
        row("R-17", "ferritin 300 without TSAT", (ferritin("300"),), "R-17"),
        row("R-17", "overrides a TSAT below 20", (ferritin("420"), tsat("12")), "R-17"),
        row("R-17", "ferritin 300 with TSAT 45 is a stop", (ferritin("300"), tsat("45")), "R-16"),
        row("R-17", "a stale ferritin of 420 does not count", (ferritin("420", days_ago=91), tsat("28")), "R-26c"),
        row("R-17", "a ferritin of 420 on day 90 counts", (ferritin("420", days_ago=90), tsat("28")), "R-17"),
        row(
            "R-13a", "420 still stops when a newer one cannot be read", (ferritin("420"), rejected("ferritin")), "R-17"
        ),
        row(
            "R-13a",
            "80 does not decide when a newer one cannot be read",
            (ferritin("80"), rejected("ferritin")),
            "R-26d",
        ),
    ],
)
def test_r_17_ferritin_ceiling(results: tuple[Result, ...], expected: str) -> None:
    assert decide(case(facts(*results))).verdicts[0][0].id == expected


def test_r_17_says_what_to_look_for() -> None:
    found = verdict("R-17", case(facts(ferritin("300"))))
    assert found is not None
    assert found.conclusion is Conclusion.NOT_INDICATED
    told = " ".join(found.say)
    assert all(word in told for word in ("range", "inflammation", "liver disease", "overload"))
    assert found.used[0].shown == "300 ng/mL"


# ---------------------------------------------------------------------------------------------------


def test_r_22_names_strength_certainty_and_that_the_threshold_is_untested() -> None:
    found = verdict("R-22", case(facts(ferritin("75"), tsat("44.9"))))
    assert found is not None
    assert found.headline == "Guideline supports IV iron"
    assert all(words in found.certainty for words in ("strong", "moderate certainty", "consensus", "untested"))
    assert [used.name for used in found.used] == ["ferritin", "TSAT"]
    assert found.offer_tests == ()


def test_r_23_is_labelled_consensus_and_does_not_offer_oral_iron() -> None:
    found = verdict("R-23", case(facts(ferritin("88"), tsat("30"))))
    assert found is not None
    assert "consensus" in found.certainty
    assert "not oral iron" in found.say[0]


def test_r_24_says_that_a_specialist_may_individualize() -> None:
    found = verdict("R-24", case(facts(ferritin("180"), tsat("30"))))
    assert found is not None
    assert "specialist may individualize" in found.say[1]
    assert "IRLSSG 2018" in found.say[1]


@pytest.mark.parametrize(
    ("iron", "more", "said"),
    [
        row("R-25", "ferritin 100.0 does not ask for CRP", "100.0", (), ""),
        row("R-25", "ferritin 100.1 asks for CRP", "100.1", (), "functional iron deficiency? Consider checking CRP."),
        row(
            "R-25",
            "ferritin 250 with a CRP names it",
            "250",
            (crp("3"),),
            "functional iron deficiency? CRP was 3 mg/L.",
        ),
        row("R-25", "a CRP drawn too early asks again", "250", (crp("3", days_ago=80),), "Consider checking CRP."),
    ],
)
def test_r_25_asks_for_crp_above_100(iron: str, more: tuple[Result, ...], said: str) -> None:
    found = verdict("R-25", case(facts(ferritin(iron), tsat("12"), *more)))
    assert found is not None
    assert (said in found.say[-1]) if said else len(found.say) == 1


@pytest.mark.parametrize("band", [*BANDS, CEILING], ids=lambda band: band.rule_id)
def test_every_band_is_published_as_the_rule_that_decides(band: eligibility.Band) -> None:
    rule = next(rule for rule in eligibility.RULES if rule.id == band.rule_id)
    assert (rule.title, rule.sources) == (band.title, band.sources)
    bounds = {band.ferritin.low, band.ferritin.high, *((band.tsat.low, band.tsat.high) if band.tsat else ())} - {None}
    assert {limit.value for limit in rule.thresholds} == bounds


def test_r_22_to_r_25_the_bands_and_the_ceiling_cover_every_pair_below_45_once() -> None:
    """No pair of plausible values is without an answer, and none has two."""
    for iron in ("0.1", "75", "75.1", "100", "100.1", "299.9", "300", "5000"):
        for saturation in ("1.1", "19.9", "20", "44.9"):
            matching = [
                band.rule_id
                for band in (*BANDS, CEILING)
                if band.ferritin.contains(Decimal(iron))
                and (band.tsat is None or band.tsat.contains(Decimal(saturation)))
            ]
            assert len(matching) == 1, (iron, saturation, matching)


def test_r_22_to_r_25_intervals_are_those_of_the_rule_book() -> None:
    intervals = {
        band.rule_id: (band.ferritin.text(), band.tsat.text() if band.tsat else "any") for band in (*BANDS, CEILING)
    }
    assert intervals == {
        "R-22": ("(..., 75]", "(..., 45)"),
        "R-25": ("(75, 300)", "(..., 20)"),
        "R-23": ("(75, 100]", "[20, 45)"),
        "R-24": ("(100, 300)", "[20, 45)"),
        "R-17": ("[300, ...)", "any"),
    }
    assert (LOW_FERRITIN.conclusion, LOW_TSAT.conclusion) == (Conclusion.INDICATED_STRONG, Conclusion.INDICATED_STRONG)
    assert (GREY_ZONE.conclusion, REPLETE.conclusion) == (Conclusion.MAY_BENEFIT, Conclusion.NOT_INDICATED)


# ------------------------------------------------------------------------------------------------------ precedence


def test_a_stop_wins_over_eligibility() -> None:
    patient = facts(ferritin("40"), tsat("15"), conditions=(RLS, condition("iron-overload")))
    decision = decide(case(patient))
    assert decision.conclusion is Conclusion.CONTRAINDICATED
    assert all(rule.id != "R-22" for rule, _ in decision.verdicts)


def test_the_ceiling_comes_before_missing_data() -> None:
    decision = decide(case(facts(ferritin("350"), birth=None)))
    assert decision.conclusion is Conclusion.NOT_INDICATED


def test_a_cap_never_raises_not_indicated() -> None:
    decision = decide(case(facts(ferritin("180"), tsat("30")), order(route="intramuscular")))
    assert decision.conclusion is Conclusion.NOT_INDICATED
    assert decision.caps == ()


@pytest.mark.parametrize("why", list(RejectedBecause), ids=lambda why: f"R-05 ferritin rejected: {why}")
def test_r_05_an_unusable_ferritin_never_decides(why: RejectedBecause) -> None:
    decision = decide(case(facts(rejected("ferritin", why), tsat("12"))))
    assert decision.conclusion is Conclusion.INSUFFICIENT_DATA


# ------------------------------------------------------------------------------------- what never decides


def _class_of(patient: PatientFacts) -> Conclusion:
    return decide(case(patient)).conclusion


@pytest.mark.parametrize(
    ("iron", "saturation"),
    [("40", "15"), ("88", "30"), ("150", "30"), ("150", "12")],
    ids=["R-22", "R-23", "R-24", "R-25"],
)
@pytest.mark.parametrize(
    "changes",
    [
        row("R-53", "a man", {"sex": "male"}),
        row("R-53", "sex not recorded", {"sex": None}),
        row("R-53", "18 years old", {"birth": Day(date(2008, 3, 10), date(2008, 3, 10))}),
        row("R-53", "95 years old", {"birth": Day(date(1931, 1, 1), date(1931, 1, 1))}),
        row("R-53", "many comorbidities", {"conditions": (RLS, *(condition(f"other-{n}") for n in range(9)))}),
    ],
)
def test_r_53_sex_age_and_comorbidities_do_not_decide(iron: str, saturation: str, changes: dict[str, Any]) -> None:
    patient = facts(ferritin(iron), tsat(saturation))
    assert _class_of(replace(patient, **changes)) is _class_of(patient)


def test_r_53_a_ferritin_below_45_is_no_threshold() -> None:
    classes = {_class_of(facts(ferritin(iron), tsat("28"))) for iron in ("44.9", "45.0", "45.1")}
    assert classes == {Conclusion.INDICATED_STRONG}
