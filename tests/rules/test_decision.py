"""How answers become one decision (section 1, P1 to P8; R-26, R-41c, R-51a, R-52), on small rules made for it."""

from dataclasses import replace
from datetime import date

import pytest

from cds_service.clinical.case import Case, Rule
from cds_service.clinical.decision import Decision, decide
from cds_service.clinical.model import (
    Answer,
    Cap,
    Conclusion,
    Ingredient,
    Line,
    NotApplicable,
    OrderDose,
    Phase,
    Rank,
    Remark,
    Verdict,
)
from cds_service.clinical.zones import find_phosphate_zone
from tests.rules.build import TODAY, case, facts, order, phosphate
from tests.rules.chart import lying

C = Conclusion
NOTHING = NotApplicable("nothing to say")
STRONG = Verdict(C.INDICATED_STRONG, "low ferritin")
STOP = Verdict(C.CONTRAINDICATED, "a stop")
GAP = Verdict(C.INSUFFICIENT_DATA, "a gap")
OUT = Verdict(C.OUT_OF_SCOPE, "no iron")
SPECIMEN, DOSE = Line(Rank.SPECIMEN, "drawn late", "noon"), Line(Rank.DOSE, "too much", "dose")


def rule(phase: Phase, *answers: Answer, name: str = "") -> Rule:
    return Rule(name or f"{phase.name} {len(answers)}", "made for a test", phase, (), (), lambda _: answers)


def decided(*rules: Rule) -> Decision:
    return decide(rules, case(facts()))


def reached(decision: Decision) -> list[str]:
    return [step.rule.phase.name for step in decision.steps if step.is_reached]


# ----------------------------------------------------------------------------------- which rules are reached


@pytest.mark.parametrize(
    ("first", "expected"),
    [
        pytest.param(rule(Phase.SCOPE, OUT), ["SCOPE"], id="R-01 out of scope ends everything"),
        pytest.param(rule(Phase.STOP, STOP), ["STOP", "STOP", "TEXT"], id="R-16 every stop is named"),
        pytest.param(
            rule(Phase.CEILING, Verdict(C.NOT_INDICATED, "high")),
            ["CEILING", "TEXT"],
            id="R-17 the first ceiling decides",
        ),
        pytest.param(rule(Phase.MISSING, GAP), ["MISSING", "MISSING", "TEXT"], id="R-26 every gap is named"),
        pytest.param(
            rule(Phase.ELIGIBILITY, STRONG), ["ELIGIBILITY", "CAP", "CAP", "TEXT"], id="R-22 support can be capped"
        ),
        pytest.param(
            rule(Phase.ELIGIBILITY, Verdict(C.NOT_INDICATED, "replete")),
            ["ELIGIBILITY", "TEXT"],
            id="R-24 what is not supported has no cap",
        ),
        pytest.param(
            rule(Phase.DIALYSIS, Verdict(C.MAY_BENEFIT, "dialysis")),
            ["DIALYSIS", "CAP", "CAP", "TEXT"],
            id="R-28 dialysis decides before eligibility",
        ),
    ],
)
def test_the_first_match_gives_the_class(first: Rule, expected: list[str]) -> None:
    second = replace(first, id="a second one")
    later = [
        rule(phase, NOTHING) for phase in (Phase.ELIGIBILITY, Phase.CAP, Phase.CAP, Phase.TEXT) if phase > first.phase
    ]
    found = decided(first, second, *later)
    assert reached(found) == expected
    assert found.conclusion is found.verdicts[0][1].conclusion
    assert found.verdicts[0][0] is first
    assert len(found.verdicts) == expected.count(first.phase.name)
    assert [step.rule for step in found.steps] == list(found.rules)


def test_until_something_decides_every_phase_is_asked() -> None:
    phases = [Phase.SCOPE, Phase.STOP, Phase.CEILING, Phase.MISSING, Phase.DIALYSIS]
    found = decided(*(rule(phase, NOTHING) for phase in phases), rule(Phase.ELIGIBILITY, STRONG))
    assert reached(found) == [phase.name for phase in phases] + ["ELIGIBILITY"]


def test_an_answer_counts_beside_one_that_does_not_apply() -> None:
    found = decided(rule(Phase.ELIGIBILITY, NOTHING, STRONG), rule(Phase.TEXT, NOTHING, DOSE))
    assert found.conclusion is C.INDICATED_STRONG
    assert [line for _, line in found.lines] == [DOSE]


# ----------------------------------------------------------------------------------- caps


@pytest.mark.parametrize(
    ("verdict", "answer", "expected"),
    [
        pytest.param(STRONG, Cap("product"), C.MAY_BENEFIT, id="R-31 strong is lowered"),
        pytest.param(STRONG, NOTHING, C.INDICATED_STRONG, id="R-31 nothing to cap"),
        pytest.param(Verdict(C.MAY_BENEFIT, "grey"), Cap("product"), C.MAY_BENEFIT, id="R-31 already lower"),
        pytest.param(Verdict(C.NOT_INDICATED, "replete"), Cap("product"), C.NOT_INDICATED, id="R-31 never raised"),
    ],
)
def test_a_cap_lowers_the_strong_class_only(verdict: Verdict, answer: Answer, expected: Conclusion) -> None:
    found = decided(rule(Phase.ELIGIBILITY, verdict), rule(Phase.CAP, answer))
    assert found.conclusion is expected
    assert len(found.caps) == (isinstance(answer, Cap) and verdict.conclusion.is_supportive)


# ----------------------------------------------------------------------------------- lines, remarks and tests


def test_r_51a_lines_stand_in_the_order_of_their_rank() -> None:
    found = decided(rule(Phase.ELIGIBILITY, STRONG), rule(Phase.TEXT, SPECIMEN), rule(Phase.TEXT, DOSE))
    assert [line for _, line in found.lines] == [DOSE, SPECIMEN]
    assert not found.makes_warning


def test_r_52_one_line_is_enough_for_a_warning() -> None:
    urgent = replace(SPECIMEN, makes_warning=True)
    assert decided(rule(Phase.ELIGIBILITY, STRONG), rule(Phase.TEXT, DOSE, urgent)).makes_warning


@pytest.mark.parametrize(
    ("verdict", "told"),
    [
        pytest.param(STRONG, ["always", "for iron"], id="R-30 where iron is supported"),
        pytest.param(Verdict(C.NOT_INDICATED, "replete"), ["always"], id="R-30 where it is not"),
    ],
)
def test_r_30_what_speaks_for_iron_is_told_only_where_it_is_supported(verdict: Verdict, told: list[str]) -> None:
    remarks = (Remark("history", "always", "x"), Remark("history", "for iron", "x", speaks_for_iron=True))
    found = decided(rule(Phase.ELIGIBILITY, verdict), rule(Phase.TEXT, *remarks))
    assert [one.text for _, one in found.remarks] == told


def test_r_26_tests_are_offered_once_in_the_order_of_the_rules() -> None:
    found = decided(
        rule(Phase.MISSING, replace(GAP, offer_tests=("ferritin", "iron"))),
        rule(Phase.MISSING, replace(GAP, offer_tests=("iron", "tibc"))),
        rule(Phase.TEXT, Remark("hemoglobin", "none", "x", offer_tests=("cbc", "ferritin"))),
    )
    assert found.offered_tests == ("ferritin", "iron", "tibc", "cbc")


@pytest.mark.parametrize(
    ("days", "expected"),
    [
        pytest.param((None, None), None, id="R-41c at once"),
        pytest.param((date(2026, 4, 1), None), date(2026, 4, 1), id="R-41c one test has to wait"),
        pytest.param((date(2026, 4, 1), date(2026, 4, 9)), date(2026, 4, 9), id="R-41c the later of two days"),
    ],
)
def test_r_41c_tests_wait_for_the_latest_day(days: tuple[date | None, ...], expected: date | None) -> None:
    found = decided(*(rule(Phase.MISSING, replace(GAP, tests_not_before=one)) for one in days))
    assert found.tests_not_before == expected


# ----------------------------------------------------------------------------------- what a case is asked about


def test_r_04_a_case_is_one_of_order_select_under_the_us_label_unless_it_says_otherwise() -> None:
    plain = Case(order(), (order(),), facts(), TODAY)
    assert (plain.hook, plain.label, plain.is_signing) == ("order-select", "us", False)
    signed = Case(order(), (order(),), facts(), TODAY, "order-sign", "eu")
    assert (signed.hook, signed.label, signed.is_signing) == ("order-sign", "eu", True)


@pytest.mark.parametrize(
    ("dose", "is_absent"),
    [
        pytest.param({}, True, id="R-04 nothing"),
        pytest.param({"mg": 750}, False, id="R-04a mg"),
        pytest.param({"mg_per_kg": 15}, False, id="R-04a mg per kg"),
        pytest.param({"unreadable": "2 vials"}, False, id="R-04a unreadable"),
    ],
)
def test_r_04_a_dose_is_absent_only_if_nothing_is_said(dose: dict[str, object], is_absent: bool) -> None:
    assert OrderDose(**dose).is_absent is is_absent  # type: ignore[arg-type]
    assert order(Ingredient.FCM, "750").dose.is_absent is False


@pytest.mark.parametrize(
    ("flagged", "value", "zone"),
    [
        pytest.param(True, "2.9", 0, id="R-21 flagged low whatever the number"),
        pytest.param(False, "2.4", 0, id="R-21 below the limit"),
        pytest.param(False, "2.5", 1, id="R-21 at the limit"),
        pytest.param(True, None, 0, id="R-21 flagged low without a number"),
        pytest.param(False, None, None, id="R-21 neither"),
    ],
)
def test_r_21_a_phosphate_is_low_by_flag_or_number(flagged: bool, value: str | None, zone: int | None) -> None:
    made = lying(phosphate, None) if value is None else phosphate(value)
    assert find_phosphate_zone(replace(made, flagged_low=flagged)) == zone
