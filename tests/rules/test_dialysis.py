"""R-28, R-28a: who is in dialysis, other thresholds, both results needed, and the product with support."""

from typing import Any

import pytest

from cds_service.clinical import dialysis
from cds_service.clinical.dates import Day
from cds_service.clinical.dialysis import Method
from cds_service.clinical.model import Conclusion, ConditionEntry, Ingredient, Line, ProcedureEntry, Rank, Result
from tests.rules.ask import ask, texts, verdict
from tests.rules.build import (
    RLS,
    TODAY,
    case,
    condition,
    crp,
    day,
    decide,
    facts,
    ferritin,
    given,
    hemoglobin,
    order,
    rejected,
    tsat,
)

MAY, NOT, LACKING = Conclusion.MAY_BENEFIT, Conclusion.NOT_INDICATED, Conclusion.INSUFFICIENT_DATA
ESRD = condition("esrd", name="End stage renal disease")


def row(rule_id: str, words: str, *values: object) -> object:
    return pytest.param(*values, id=f"{rule_id} {words}")


def procedure(when: int | Day | None, *concepts: str) -> ProcedureEntry:
    performed = day(when) if isinstance(when, int) else when
    return ProcedureEntry(frozenset(concepts or ("dialysis-procedure",)), performed, f"Procedure/{when}")


def chart(
    *results: Result, ordered: Ingredient | None = Ingredient.SUCROSE, mg: str | None = "100", **changes: Any
) -> Any:
    return case(facts(*results, **{"conditions": (RLS, ESRD), **changes}), order(ordered, mg))


# ------------------------------------------------------------------------------------------- who is in dialysis

ENTRIES = [
    row("R-28", "end-stage kidney disease", ESRD, True),
    row("R-28", "dependence on dialysis", condition("dialysis-dependence"), True),
    row("R-28", "hemodialysis as a problem", condition("hemodialysis"), True),
    row("R-28", "peritoneal dialysis as a problem", condition("peritoneal-dialysis"), True),
    row("R-28", "unconfirmed end-stage disease", condition("esrd", verification_status="unconfirmed"), True),
    row("R-28", "stage 5 alone is not dialysis", condition("ckd5"), False),
    row("R-28", "renal anemia alone is not", condition("anemia-ckd"), False),
    row("R-28", "resolved end-stage disease", condition("esrd", is_active=False, clinical_status="resolved"), False),
    row("R-28", "refuted end-stage disease", condition("esrd", verification_status="refuted"), False),
    row("R-28", "family history of dialysis", condition("dialysis-dependence", is_hedged=True), False),
]


@pytest.mark.parametrize(("entry", "expected"), ENTRIES)
def test_r_28_entries_that_mean_dialysis(entry: ConditionEntry, expected: bool) -> None:
    assert chart(conditions=(RLS, entry)).is_in_dialysis == expected


PROCEDURES = [
    row("R-28", "dialysis today", procedure(0), True),
    row("R-28", "dialysis 90 days ago", procedure(90), True),
    row("R-28", "dialysis 91 days ago", procedure(91), False),
    row("R-28", "dialysis tomorrow", procedure(-1), False),
    row("R-28", "undated dialysis", procedure(None), False),
    row("R-28", "dialysis in a month within 90 days", procedure(Day(day(90).first, day(60).last)), True),
    row("R-28", "dialysis in a month that begins before", procedure(Day(day(91).first, day(60).last)), False),
    row("R-28", "dialysis in the running month", procedure(Day(day(9).first, day(-21).last)), True),
    row("R-28", "hemodialysis", procedure(5, "hemodialysis"), True),
    row("R-28", "peritoneal dialysis", procedure(5, "peritoneal-dialysis"), True),
    row("R-28", "an infusion", procedure(5, "iv-administration"), False),
]


@pytest.mark.parametrize(("one", "expected"), PROCEDURES)
def test_r_28_a_dialysis_procedure_counts_for_90_days(one: ProcedureEntry, expected: bool) -> None:
    assert chart(conditions=(RLS,), procedures=(one,)).is_in_dialysis == expected


HEMO, PERITONEAL = Method.HEMODIALYSIS, Method.PERITONEAL


@pytest.mark.parametrize(
    ("entries", "procedures", "expected"),
    [
        row("R-36", "not stated", (ESRD,), (), set()),
        row("R-36", "hemodialysis by entry", (condition("hemodialysis", "dialysis-dependence"),), (), {HEMO}),
        row("R-36", "peritoneal by entry", (condition("peritoneal-dialysis"),), (), {PERITONEAL}),
        row("R-36", "peritoneal by procedure", (ESRD,), (procedure(5, "peritoneal-dialysis"),), {PERITONEAL}),
        row("R-36", "procedure too old", (ESRD,), (procedure(91, "peritoneal-dialysis"),), set()),
        row("R-36", "both", (condition("peritoneal-dialysis"),), (procedure(5, "hemodialysis"),), {HEMO, PERITONEAL}),
    ],
)
def test_r_36_the_method_of_dialysis(
    entries: tuple[ConditionEntry, ...], procedures: tuple[ProcedureEntry, ...], expected: set[Method]
) -> None:
    assert dialysis.find_methods(facts(conditions=entries, procedures=procedures), TODAY) == expected


# ---------------------------------------------------------------------------------------------------- the class

CLASSES = [
    row("R-28", "ferritin 199.9, TSAT 19.9", "199.9", "19.9", MAY),
    row("R-28", "ferritin 200, TSAT 19.9", "200", "19.9", NOT),
    row("R-28", "ferritin 199.9, TSAT 20", "199.9", "20", NOT),
    row("R-28", "ferritin 200, TSAT 20", "200", "20", NOT),
    row("R-28", "ferritin 40, TSAT 12", "40", "12", MAY),
    row("R-28", "ferritin 40, TSAT 28: the general rule does not apply", "40", "28", NOT),
    row("R-28", "ferritin 90, TSAT 25: the general rule does not apply", "90", "25", NOT),
    row("R-28", "ferritin 250, TSAT 15: the general rule does not apply", "250", "15", NOT),
    row("R-17", "ferritin 300, TSAT 15: ceiling", "300", "15", NOT),
    row("R-16", "ferritin 40, TSAT 45: stop", "40", "45", Conclusion.CONTRAINDICATED),
]


@pytest.mark.parametrize(("level", "saturation", "expected"), CLASSES)
@pytest.mark.parametrize("ordered", [Ingredient.SUCROSE, Ingredient.FCM])
def test_r_28_class_in_dialysis(level: str, saturation: str, expected: Conclusion, ordered: Ingredient) -> None:
    assert decide(chart(ferritin(level), tsat(saturation), ordered=ordered)).conclusion is expected


def test_r_28_without_dialysis_the_general_rules_apply() -> None:
    for conditions in ((RLS,), (RLS, condition("ckd5"))):
        asked = chart(ferritin("40"), tsat("28"), ordered=Ingredient.FCM, conditions=conditions)
        assert decide(asked).conclusion is Conclusion.INDICATED_STRONG
        assert ask("R-28", asked) == ask("R-28a", asked) == ask("R-28 (text)", asked) == ()


def test_r_28_inflammation_changes_nothing_here() -> None:
    assert decide(chart(ferritin("150"), tsat("16"), crp("18"))).conclusion is MAY


def test_r_28_may_benefit_says_strength_bounds_and_why_dialysis() -> None:
    found = verdict("R-28", chart(ferritin("150"), tsat("16")))
    assert found is not None
    for part in ("End stage renal disease", "below 200 ng/mL", "below 20 %"):
        assert part in " ".join(found.say)
    assert "conditional" in found.certainty and "moderate certainty" in found.certainty
    assert [used.name for used in found.used] == ["ferritin", "TSAT", "condition"]


def test_r_28_not_supported_says_that_the_renal_protocol_may_differ() -> None:
    asked = chart(ferritin("250"), tsat("16"), conditions=(RLS,), procedures=(procedure(9), procedure(2)))
    found = verdict("R-28", asked)
    assert found is not None and "renal anemia protocol may differ" in found.say[-1]
    assert "procedure of 2026-03-08" in found.say[0]
    assert len(found.used) == 4


# ------------------------------------------------------------------------------------------------- R-28a: both needed

MISSING = [
    row("R-28a", "TSAT missing at ferritin 40", (ferritin("40"),), LACKING, ("iron", "tibc", "cbc")),
    row("R-28a", "TSAT missing at ferritin 250", (ferritin("250"),), LACKING, ("iron", "tibc", "cbc")),
    row("R-28a", "TSAT missing at ferritin 300: ceiling", (ferritin("300"),), NOT, ()),
    row("R-28a", "ferritin missing at TSAT 12", (tsat("12"),), LACKING, ("ferritin", "cbc")),
    row("R-28a", "ferritin missing at TSAT 45: stop", (tsat("45"),), Conclusion.CONTRAINDICATED, ()),
    row("R-28a", "both missing", (), LACKING, ("ferritin", "iron", "tibc", "cbc")),
    row("R-28a", "TSAT stale", (ferritin("40"), tsat("12", days_ago=91)), LACKING, ("iron", "tibc", "cbc")),
    row("R-28a", "TSAT of unknown unit", (ferritin("40"), rejected("tsat")), LACKING, ("iron", "tibc", "cbc")),
    row("R-28a", "hemoglobin known", (ferritin("40"), hemoglobin("11")), LACKING, ("iron", "tibc")),
]


@pytest.mark.parametrize(("results", "expected", "tests"), MISSING)
def test_r_28a_dialysis_needs_both_results(
    results: tuple[Result, ...], expected: Conclusion, tests: tuple[str, ...]
) -> None:
    decision = decide(chart(*results))
    assert decision.conclusion is expected
    if expected is LACKING:
        assert [rule.id for rule, _ in decision.verdicts] == ["R-28a"]
        assert decision.verdicts[0][1].offer_tests == tests


def test_r_28a_names_what_is_missing_and_why() -> None:
    found = verdict("R-28a", chart(ferritin("40"), tsat("12", days_ago=91)))
    assert found is not None and found.headline == "TSAT needed"
    assert "91 days old" in " ".join(found.say) and [used.name for used in found.used] == ["ferritin"]
    both = verdict("R-28a", chart())
    assert both is not None and both.headline == "ferritin and TSAT needed" and both.used == ()


def test_r_28a_the_floor_of_r_40c_and_r_26a_do_not_apply() -> None:
    decision = decide(chart(ferritin("40"), ordered=Ingredient.FCM))
    assert not {"R-26a", "R-26b", "R-26e"} & {rule.id for rule, _ in decision.verdicts}


def test_r_28b_small_sessional_doses_leave_the_results_usable() -> None:
    sessions = tuple(given(Ingredient.SUCROSE, "100", days_ago=ago) for ago in (2, 9, 16))
    assert decide(chart(ferritin("150"), tsat("16"), dose_records=sessions)).conclusion is MAY


# -------------------------------------------------------------------------------------------------- the product

ON_PERITONEAL = (RLS, condition("peritoneal-dialysis"))
PRODUCTS = [
    # ordered, mg, conditions, sucrose is named, 200 mg is named
    row("R-28", "sucrose", Ingredient.SUCROSE, "100", (RLS, ESRD), False, False),
    row("R-28", "gluconate", Ingredient.GLUCONATE, "125", (RLS, ESRD), True, False),
    row("R-28", "not named", None, "500", (RLS, ESRD), True, False),
    row("R-28", "carboxymaltose 200 mg", Ingredient.FCM, "200", (RLS, ESRD), True, False),
    row("R-28", "carboxymaltose 201 mg", Ingredient.FCM, "201", (RLS, ESRD), True, True),
    row("R-28", "carboxymaltose without a dose", Ingredient.FCM, None, (RLS, ESRD), True, True),
    row("R-28", "carboxymaltose in peritoneal dialysis", Ingredient.FCM, "750", ON_PERITONEAL, True, False),
    row("R-28", "gluconate above 200 mg", Ingredient.GLUCONATE, "250", (RLS, ESRD), True, False),
]


@pytest.mark.parametrize(("ordered", "mg", "conditions", "names_sucrose", "names_limit"), PRODUCTS)
def test_r_28_line_on_the_product(
    ordered: Ingredient | None,
    mg: str | None,
    conditions: tuple[ConditionEntry, ...],
    names_sucrose: bool,
    names_limit: bool,
) -> None:
    asked = chart(ferritin("150"), tsat("16"), ordered=ordered, mg=mg, conditions=conditions)
    (text,) = texts("R-28 (text)", asked)
    assert "nephrology" in text
    assert ("Iron sucrose is the product" in text) == names_sucrose
    assert ("above 200 mg" in text) == names_limit
    (line,) = ask("R-28 (text)", asked)
    assert isinstance(line, Line) and line.rank is Rank.PRODUCT and not line.makes_warning


@pytest.mark.parametrize(
    ("method", "names_limit"),
    [
        row("R-28", "peritoneal dialysis by procedure", "peritoneal-dialysis", False),
        row("R-28", "hemodialysis by procedure", "hemodialysis", True),
    ],
)
def test_r_28_the_limit_in_hemodialysis_follows_the_procedure_too(method: str, names_limit: bool) -> None:
    done = (procedure(5, "dialysis-procedure", method),)
    (text,) = texts("R-28 (text)", chart(ordered=Ingredient.FCM, mg="750", conditions=(RLS,), procedures=done))
    assert ("above 200 mg" in text) is names_limit


@pytest.mark.parametrize(
    ("days_ago", "latest"),
    [
        row("R-28", "one procedure", (6,), "2026-03-04"),
        row("R-28", "the latest of three", (6, 20, 34), "2026-03-04"),
    ],
)
def test_r_28_the_latest_procedure_is_named(days_ago: tuple[int, ...], latest: str) -> None:
    done = tuple(procedure(ago) for ago in days_ago)
    found = verdict("R-28", chart(ferritin("150"), tsat("16"), conditions=(RLS,), procedures=done))
    assert found is not None and found.say[0] == f"Dialysis on record: procedure of {latest}."
