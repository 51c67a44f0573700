"""R-01 to R-04: which order, which patient, which diagnosis the service answers for."""

from dataclasses import replace
from datetime import date

import pytest

from cds_service.clinical.dates import Day
from cds_service.clinical.model import (
    Cap,
    Conclusion,
    ConditionEntry,
    Ingredient,
    IronOrder,
    Line,
    OrderDose,
    PatientFacts,
    Rank,
    Remark,
)
from cds_service.clinical.rules import scope
from tests.rules.ask import ask, texts, verdict
from tests.rules.build import RLS, TODAY, case, condition, decide, facts, ferritin, order, tsat

OUT = Conclusion.OUT_OF_SCOPE
STRONG_LABS = (ferritin("40"), tsat("15"))


def row(rule_id: str, words: str, *values: object) -> object:
    return pytest.param(*values, id=f"{rule_id} {words}")


# ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("the_order", "is_out"),
    [
        row("R-01", "a draft order is in scope", order(), False),
        row("R-01", "an active order is in scope", order(status="active"), False),
        row("R-01", "an order on hold is in scope", order(status="on-hold"), False),
        row("R-01", "an order without status is in scope", order(status=None), False),
        row("R-01", "an order of unknown status is in scope", order(status="unknown"), False),
        row("R-01", "a cancelled order is out", order(status="cancelled"), True),
        row("R-01", "a stopped order is out", order(status="stopped"), True),
        row("R-01", "a revoked order is out", order(status="revoked"), True),
        row("R-01", "a completed order is out", order(status="completed"), True),
        row("R-01", "an order entered in error is out", order(status="entered-in-error"), True),
        row("R-01", "an order not to perform is out", order(do_not_perform=True), True),
        row("R-01", "ferumoxytol as imaging agent is out", order(Ingredient.FERUMOXYTOL, is_imaging=True), True),
        row("R-01", "ferumoxytol as treatment is in scope", order(Ingredient.FERUMOXYTOL), False),
        row("R-01", "iron without a named product is in scope", order(None), False),
    ],
)
def test_r_01_only_live_iron_orders_are_in_scope(the_order: IronOrder, is_out: bool) -> None:
    decision = decide(case(facts(*STRONG_LABS), the_order))
    assert (decision.conclusion is OUT) is is_out
    assert scope.is_parenteral_iron_order(the_order) is not is_out


@pytest.mark.parametrize(
    ("changes", "is_out"),
    [
        row("R-01a", "no route, no form", {"route": ""}, True),
        row("R-01a", "oral route", {"route": "oral"}, True),
        row("R-01a", "subcutaneous route", {"route": "subcutaneous"}, True),
        row("R-01a", "intravenous route", {"route": "intravenous"}, False),
        row("R-01a", "intramuscular route", {"route": "intramuscular"}, False),
        row("R-01a", "injectable form without route", {"route": "", "has_injectable_form": True}, False),
        row("R-01a", "unambiguous drug without route", {"route": "", "is_ambiguous": False}, False),
    ],
)
def test_r_01a_iron_of_unclear_form_needs_an_injection(changes: dict[str, object], is_out: bool) -> None:
    the_order = replace(order(None, is_ambiguous=True), **changes)  # type: ignore[arg-type]
    decision = decide(case(facts(*STRONG_LABS), the_order))
    assert (decision.conclusion is OUT) is is_out
    assert scope.is_parenteral_iron_order(the_order) is not is_out


@pytest.mark.parametrize(
    ("route", "is_capped"),
    [
        row("R-01b", "intravenous is not capped", "intravenous", False),
        row("R-01b", "route not recorded is not capped", "", False),
        row("R-01b", "intramuscular is capped", "intramuscular", True),
        row("R-01b", "a route that is no injection is capped", "oral", True),
    ],
)
def test_r_01b_another_route_caps_with_a_line(route: str, is_capped: bool) -> None:
    decision = decide(case(facts(*STRONG_LABS), order(Ingredient.FCM, route=route)))
    expected = Conclusion.MAY_BENEFIT if is_capped else Conclusion.INDICATED_STRONG
    assert decision.conclusion is expected
    assert any(rule.id == "R-01b" for rule, _ in decision.caps) is is_capped
    said = [line for _, line in decision.lines if "evidence is for the intravenous route" in line.text]
    assert bool(said) is is_capped
    assert all(line.rank is Rank.PRODUCT and not line.makes_warning for line in said)


def test_r_01b_a_stop_still_stops_an_intramuscular_order() -> None:
    patient = facts(*STRONG_LABS, conditions=(RLS, condition("iron-overload")))
    the_order = order(Ingredient.DEXTRAN, route="intramuscular")
    assert decide(case(patient, the_order)).conclusion is Conclusion.CONTRAINDICATED


def test_r_01b_answers_with_one_cap_and_quotes_the_route() -> None:
    the_case = case(facts(*STRONG_LABS), order(route="intramuscular"))
    (cap,) = ask("R-01b", the_case)
    (line,) = ask("R-01b (text)", the_case)
    assert isinstance(cap, Cap)
    assert "intramuscular" in cap.because
    assert isinstance(line, Line)
    assert "\u2063intramuscular\u2063" in line.text


# ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("conditions", "reason_is_rls", "is_out"),
    [
        row("R-02", "active RLS", (RLS,), False, False),
        row("R-02", "active RLS without verification status", (replace(RLS, verification_status=None),), False, False),
        row("R-02", "provisional RLS counts", (replace(RLS, verification_status="provisional"),), False, False),
        row("R-02", "unconfirmed RLS counts", (replace(RLS, verification_status="unconfirmed"),), False, False),
        row("R-02", "differential RLS counts", (replace(RLS, verification_status="differential"),), False, False),
        row("R-02", "refuted RLS does not count", (replace(RLS, verification_status="refuted"),), False, True),
        row(
            "R-02", "RLS in error does not count", (replace(RLS, verification_status="entered-in-error"),), False, True
        ),
        row("R-02", "resolved RLS does not count", (replace(RLS, is_active=False),), False, True),
        row("R-02a", "RLS in the family does not count", (replace(RLS, is_hedged=True),), False, True),
        row(
            "R-02a",
            "one active entry beside a refuted one",
            (replace(RLS, verification_status="refuted"), RLS),
            False,
            False,
        ),
        row("R-02", "limb movement disorder alone", (condition("plmd"),), False, True),
        row("R-02", "iron deficiency anemia alone", (condition("iron-deficiency-anemia"),), False, True),
        row("R-02", "no condition at all", (), False, True),
        row("R-02", "RLS as the reason of the order", (), True, False),
        row("R-02", "reason of the order beside a resolved entry", (replace(RLS, is_active=False),), True, False),
    ],
)
def test_r_02_rls_is_an_active_problem_or_the_reason(
    conditions: tuple[ConditionEntry, ...], reason_is_rls: bool, is_out: bool
) -> None:
    patient = facts(*STRONG_LABS, conditions=conditions)
    decision = decide(case(patient, order(reason_is_rls=reason_is_rls)))
    assert (decision.conclusion is OUT) is is_out


@pytest.mark.parametrize(
    ("conditions", "said"),
    [
        row("R-02", "a confirmed entry says nothing", (RLS,), ""),
        row("R-02", "a missing verification status says nothing", (replace(RLS, verification_status=None),), ""),
        row("R-02", "a provisional entry is named", (replace(RLS, verification_status="provisional"),), "provisional"),
        row(
            "R-02", "a differential entry is named", (replace(RLS, verification_status="differential"),), "differential"
        ),
        row(
            "R-02",
            "an unconfirmed entry beside a confirmed one",
            (replace(RLS, verification_status="unconfirmed"), RLS),
            "",
        ),
        row("R-02", "no entry, only the reason of the order", (), ""),
    ],
)
def test_r_02_an_unconfirmed_diagnosis_is_said(conditions: tuple[ConditionEntry, ...], said: str) -> None:
    the_case = case(facts(*STRONG_LABS, conditions=conditions), order(reason_is_rls=True))
    found = ask("R-02 (text)", the_case)
    assert bool(found) is bool(said)
    for remark in found:
        assert isinstance(remark, Remark)
        assert f"unconfirmed ({said})" in remark.text


# --------------------------------------------------------------------------------------------------- R-03, R-03a


def born(first: str, last: str = "") -> Day:
    return Day(date.fromisoformat(first), date.fromisoformat(last or first))


@pytest.mark.parametrize(
    ("birth", "as_of", "expected"),
    [
        row("R-03", "18th birthday is in scope", born("2008-03-10"), TODAY, Conclusion.INDICATED_STRONG),
        row("R-03", "the day before the 18th birthday is out", born("2008-03-11"), TODAY, OUT),
        row("R-03", "born on 29 February, 28 February is out", born("2008-02-29"), date(2026, 2, 28), OUT),
        row(
            "R-03",
            "born on 29 February, 1 March is in",
            born("2008-02-29"),
            date(2026, 3, 1),
            Conclusion.INDICATED_STRONG,
        ),
        row(
            "R-03",
            "a birth year that makes 18 certain",
            born("2007-01-01", "2007-12-31"),
            TODAY,
            Conclusion.INDICATED_STRONG,
        ),
        row("R-03", "a birth year that excludes 18", born("2009-01-01", "2009-12-31"), TODAY, OUT),
        row(
            "R-03a",
            "a birth year that leaves 18 open",
            born("2008-01-01", "2008-12-31"),
            TODAY,
            Conclusion.INSUFFICIENT_DATA,
        ),
        row(
            "R-03a",
            "a birth month that leaves 18 open",
            born("2008-03-01", "2008-03-31"),
            TODAY,
            Conclusion.INSUFFICIENT_DATA,
        ),
        row("R-03a", "no birth date", None, TODAY, Conclusion.INSUFFICIENT_DATA),
    ],
)
def test_r_03_adults_only(birth: Day | None, as_of: date, expected: Conclusion) -> None:
    fresh = Day(date(2026, 2, 20), date(2026, 2, 20))
    patient = facts(ferritin("40", day=fresh), tsat("15", day=fresh), birth=birth)
    assert decide(case(patient, as_of=as_of)).conclusion is expected


def test_r_03_a_deceased_patient_is_out_of_scope() -> None:
    assert decide(case(facts(*STRONG_LABS, is_deceased=True))).conclusion is OUT
    assert decide(case(facts(*STRONG_LABS, is_deceased=True, birth=None))).conclusion is OUT


def test_r_03a_asks_for_the_birth_date_and_offers_no_test() -> None:
    found = verdict("R-03a", case(facts(*STRONG_LABS, birth=None)))
    assert found is not None
    assert "birth date" in found.say[0]
    assert found.offer_tests == ()


def test_r_03a_a_stop_comes_before_the_birth_date() -> None:
    patient = facts(*STRONG_LABS, birth=None, conditions=(RLS, condition("iron-overload")))
    assert decide(case(patient)).conclusion is Conclusion.CONTRAINDICATED


def test_r_03a_is_named_together_with_missing_results() -> None:
    decision = decide(case(facts(birth=None)))
    assert {"R-03a", "R-26d"} <= {rule.id for rule, _ in decision.verdicts}
    assert decision.offered_tests[:3] == ("ferritin", "iron", "tibc")


# --------------------------------------------------------------------------------------------------- test doses


def dextran(mg: str, reference: str) -> IronOrder:
    from decimal import Decimal

    return order(Ingredient.DEXTRAN, reference=reference, dose=OrderDose(mg=Decimal(mg)))


@pytest.mark.parametrize(
    ("small", "others", "is_out"),
    [
        row("R-04b", "25 mg dextran beside 1000 mg is the test dose", "25", ("1000",), True),
        row("R-04b", "25 mg dextran alone is an order like others", "25", (), False),
        row("R-04b", "25.1 mg dextran beside 1000 mg is no test dose", "25.1", ("1000",), False),
    ],
)
def test_r_04b_a_test_dose_gets_no_card(small: str, others: tuple[str, ...], is_out: bool) -> None:
    evaluated = dextran(small, "MedicationRequest/small")
    session = (evaluated, *(dextran(mg, f"MedicationRequest/{mg}") for mg in others))
    decision = decide(case(facts(*STRONG_LABS), evaluated, session=session))
    assert (decision.conclusion is OUT) is is_out
    assert scope.is_parenteral_iron_order(evaluated)


def test_r_01_nothing_else_is_asked_once_the_order_is_out_of_scope() -> None:
    decision = decide(case(PatientFacts(), order(status="cancelled")))
    assert [step.rule.id for step in decision.steps if step.is_reached] == ["R-01"]
    assert texts("R-02 (text)", case(PatientFacts())) == []


RESOLVED = replace(RLS, is_active=False, clinical_status="resolved", reference="Condition/7")


@pytest.mark.parametrize(
    ("entry", "reference", "is_out"),
    [
        row("R-02", "the reason refers to a resolved RLS entry", RESOLVED, "Condition/7", False),
        row(
            "R-02",
            "the reason refers to it by an absolute address",
            RESOLVED,
            "https://ehr.example/fhir/Condition/7",
            False,
        ),
        row("R-02", "the reason refers to another entry", RESOLVED, "Condition/8", True),
        row(
            "R-02",
            "a refuted entry is no reason",
            replace(RESOLVED, verification_status="refuted"),
            "Condition/7",
            True,
        ),
        row(
            "R-02",
            "an entry of another disease is no reason",
            replace(RESOLVED, concepts=frozenset()),
            "Condition/7",
            True,
        ),
    ],
)
def test_r_02_a_reason_by_reference_counts_if_the_entry_does(
    entry: ConditionEntry, reference: str, is_out: bool
) -> None:
    patient = facts(*STRONG_LABS, conditions=(entry,))
    decision = decide(case(patient, order(reason_references=(reference,))))
    assert (decision.conclusion is Conclusion.OUT_OF_SCOPE) is is_out
