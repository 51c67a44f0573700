"""Units: accepted spellings, exact conversion at every cut-off, refused values, display (R-05, R-10, R-11)."""

from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cds_service.clinical import zones
from cds_service.clinical.interval import Interval
from cds_service.clinical.model import RejectedBecause
from cds_service.clinical.units import (
    CANONICAL,
    PLAUSIBLE,
    WINDOW_DAYS,
    Converted,
    UnitProblem,
    convert,
    display,
    gestational_days,
    is_credible_phosphate_limit,
    read_value,
)

D = Decimal
UCUM = "http://unitsofmeasure.org"
FEW = settings(max_examples=60, deadline=None, database=None)

# R-05 as the rule book prints it: analyte, UCUM code, multiplied by, divided by.
FACTORS = [
    ("ferritin", "ng/mL", "1", "1"),
    ("ferritin", "ug/L", "1", "1"),
    ("ferritin", "mg/L", "1000", "1"),
    ("ferritin", "pmol/L", "1", "2.247"),
    ("ferritin", "nmol/L", "1000", "2.247"),
    ("tsat", "%", "1", "1"),
    ("tsat", "1", "100", "1"),
    ("iron", "ug/dL", "1", "1"),
    ("iron", "umol/L", "1", "0.179"),
    ("tibc", "ug/dL", "1", "1"),
    ("tibc", "umol/L", "1", "0.179"),
    ("uibc", "ug/dL", "1", "1"),
    ("uibc", "umol/L", "1", "0.179"),
    ("hemoglobin", "g/dL", "1", "1"),
    ("hemoglobin", "g/L", "1", "10"),
    ("hemoglobin", "mmol/L", "1.61145", "1"),
    ("phosphate", "mg/dL", "1", "1"),
    ("phosphate", "mmol/L", "3.097", "1"),
    ("transferrin", "mg/dL", "1", "1"),
    ("transferrin", "g/L", "100", "1"),
    ("transferrin", "umol/L", "7.955", "1"),
    ("crp", "mg/L", "1", "1"),
    ("crp", "mg/dL", "10", "1"),
    ("crp", "nmol/L", "0.1", "1"),
    ("body-weight", "kg", "1", "1"),
    ("body-weight", "g", "1", "1000"),
    ("body-weight", "[lb_av]", "0.45359237", "1"),
    ("body-weight", "lb", "0.45359237", "1"),
]
CUTS = {
    "ferritin": ["75", "100", "200", "300"],
    "tsat": ["18", "20", "23", "43", "45", "47"],
    "hemoglobin": ["7", "11", "12", "12.5", "13"],
    "crp": ["5"],
    "phosphate": ["2.5"],
    "body-weight": ["50"],
}


def value_of(
    analyte: str, number: str, code: str | None, unit: str | None = None, system: str | None = UCUM
) -> Decimal:
    converted = convert(analyte, D(number), code, unit, system)
    assert isinstance(converted, Converted), converted
    return converted.value


def problem_of(
    analyte: str, number: str, code: str | None, unit: str | None = None, comparator: str = ""
) -> UnitProblem:
    problem = convert(analyte, D(number), code, unit, UCUM, comparator)
    assert isinstance(problem, UnitProblem), problem
    return problem


# ------------------------------------------------------------------------------------------------------- conversion


@pytest.mark.parametrize(
    ("analyte", "number", "code", "expected"),
    [
        pytest.param("ferritin", "168.525", "pmol/L", "75", id="R-05 ferritin of the rule book"),
        pytest.param("ferritin", "0.168525", "nmol/L", "75", id="R-05 ferritin nmol/L"),
        pytest.param("ferritin", "0.075", "mg/L", "75", id="R-05 ferritin mg/L"),
        pytest.param("tsat", "0.45", "1", "45", id="R-05 TSAT fraction of the rule book"),
        pytest.param("tsat", "0.2", "1", "20", id="R-05 TSAT fraction"),
        pytest.param("iron", "10.74", "umol/L", "60", id="R-05 iron of the terminology's worked check"),
        pytest.param("transferrin", "2.5", "g/L", "250", id="R-05 transferrin of the terminology's worked check"),
        pytest.param("hemoglobin", "125", "g/L", "12.5", id="R-05 hemoglobin g/L"),
        pytest.param("hemoglobin", "8", "mmol/L", "12.8916", id="R-05 hemoglobin monomer"),
        pytest.param("phosphate", "0.8", "mmol/L", "2.4776", id="R-05 phosphate"),
        pytest.param("crp", "0.5", "mg/dL", "5", id="R-05 CRP mg/dL"),
        pytest.param("crp", "50", "nmol/L", "5", id="R-05 CRP nmol/L"),
        pytest.param("body-weight", "3350", "g", "3.35", id="R-05 weight g"),
        pytest.param("body-weight", "100", "[lb_av]", "45.359237", id="R-05 weight lb"),
        pytest.param("transferrin", "31.4", "umol/L", "249.787", id="R-05 transferrin umol/L"),
    ],
)
def test_a_value_becomes_canonical_exactly(analyte: str, number: str, code: str, expected: str) -> None:
    assert value_of(analyte, number, code) == D(expected)


@pytest.mark.parametrize(
    ("analyte", "code", "times", "over", "cut"),
    [
        pytest.param(analyte, code, times, over, cut, id=f"R-05 {analyte} {cut} in {code}")
        for analyte, code, times, over in FACTORS
        for cut in CUTS.get(analyte, ["20", "300"])
    ],
)
def test_a_value_lies_on_a_cut_off_only_if_it_is_that_cut_off(
    analyte: str, code: str, times: str, over: str, cut: str
) -> None:
    """Just below, at and just above, the distances being far smaller than any laboratory reports."""
    at = Fraction(cut) * Fraction(over) / Fraction(times)
    nearby = D(at.numerator) / D(at.denominator)  # rounded where the quotient does not end
    for step in (D("-1E-20"), D(0), D("1E-20")):
        number = nearby + step
        exact = Fraction(number) * Fraction(times) / Fraction(over)
        value = value_of(analyte, str(number), code)
        assert (value > D(cut)) is (exact > Fraction(cut))
        assert (value < D(cut)) is (exact < Fraction(cut))


@FEW
@given(
    st.sampled_from(FACTORS),
    st.decimals(min_value=D("3"), max_value=D(10_000), places=13, allow_nan=False),
    st.sampled_from(sorted({cut for cuts in CUTS.values() for cut in cuts})),
)
def test_r_05_conversion_never_moves_a_value_over_a_cut_off(
    row: tuple[str, str, str, str], number: Decimal, cut: str
) -> None:
    analyte, code, times, over = row
    if (analyte, code) == ("tsat", "1"):
        number /= 10_000
    converted = convert(analyte, number, code, None, UCUM)
    assert isinstance(converted, Converted)
    exact = Fraction(number) * Fraction(times) / Fraction(over)
    assert (converted.value < D(cut), converted.value == D(cut)) == (exact < Fraction(cut), exact == Fraction(cut))


@pytest.mark.parametrize(("analyte", "code", "times", "over"), FACTORS, ids=str)
def test_a_conversion_is_told_and_an_identity_is_not(analyte: str, code: str, times: str, over: str) -> None:
    number = "0.5" if code == "1" else "50"
    converted = convert(analyte, D(number), code, None, UCUM)
    assert isinstance(converted, Converted)
    unit = "as a fraction" if code == "1" else code
    assert converted.note == ("" if times == over else f"converted from {number} {unit}")


def test_every_analyte_has_a_canonical_unit_a_row_and_a_plausible_range() -> None:
    assert set(CANONICAL) == {analyte for analyte, *_ in FACTORS} == set(PLAUSIBLE)
    for analyte, unit in CANONICAL.items():
        assert (analyte, unit, "1", "1") in FACTORS


@pytest.mark.parametrize(
    ("key", "days"),
    [
        pytest.param("ferritin", 397, id="ferritin"),
        pytest.param("tsat", 397, id="TSAT"),
        pytest.param("iron_panel", 397, id="calculated TSAT"),
        pytest.param("hemoglobin", 90, id="hemoglobin"),
        pytest.param("phosphate", 90, id="phosphate"),
        pytest.param("crp", 397 + 30, id="CRP beside a ferritin"),
        pytest.param("weight", 308 + 365, id="weight before a pregnancy"),
        pytest.param("pregnancy", 300, id="pregnancy"),
    ],
)
def test_no_page_ends_before_the_oldest_result_a_rule_can_ask_for(key: str, days: int) -> None:
    assert WINDOW_DAYS[key] == days


# -------------------------------------------------------------------------------------------- which unit is meant


@pytest.mark.parametrize(
    ("analyte", "code", "unit", "system", "expected"),
    [
        pytest.param("ferritin", None, "ng/mL", None, "50", id="R-05 no code: the text"),
        pytest.param("ferritin", "", "ng/mL", None, "50", id="R-05 empty code: the text"),
        pytest.param("ferritin", None, " NG / ML ", None, "50", id="R-05 letter case and spaces"),
        pytest.param("ferritin", None, "\u00b5g/L", None, "50", id="R-05 micro sign"),
        pytest.param("ferritin", None, "\u03bcg/L", None, "50", id="R-05 Greek mu"),
        pytest.param("ferritin", None, "mcg/L", None, "50", id="R-05 mcg"),
        pytest.param("iron", None, "mcmol/l", None, "279.3296089385", id="R-05 mcmol"),
        pytest.param("iron", None, "\u00b5mol/L", None, "279.3296089385", id="R-05 micromole"),
        pytest.param("body-weight", None, "LB", None, "22.6796185", id="R-05 lb as text"),
        pytest.param("ferritin", "ng/mL", "ug/L", UCUM, "50", id="R-05 two names of one size agree"),
        pytest.param("ferritin", "ng/mL", "ng/ml", UCUM, "50", id="R-05 litre in either case"),
        pytest.param("ferritin", "ng/mL", None, None, "50", id="R-05 code without system"),
        pytest.param("ferritin", "NG/ML", None, UCUM, "50", id="R-05 UCUM in capitals"),
        pytest.param("body-weight", "[lb_av]", "lbs", UCUM, "22.6796185", id="R-05 a text that names no unit we read"),
        pytest.param("tsat", "%", "percent", UCUM, "50", id="R-05 percent in words beside its code"),
        pytest.param("ferritin", "4711", "ng/mL", "urn:oid:1.2.3", "50", id="R-05 local code: the text"),
        pytest.param("ferritin", "4711", "pmol/L", None, "22.2518914108", id="R-05 code of no system: the text"),
        pytest.param(
            "ferritin", "pmol/L", None, "urn:oid:1.2.3", "22.2518914108", id="R-05 unit in another code system"
        ),
    ],
)
def test_the_unit_is_the_code_or_else_a_known_text(
    analyte: str, code: str | None, unit: str | None, system: str | None, expected: str
) -> None:
    assert round(value_of(analyte, "50", code, unit, system), 10) == D(expected)


@pytest.mark.parametrize(
    ("analyte", "code", "unit", "system"),
    [
        pytest.param("ferritin", None, None, None, id="R-05 no unit"),
        pytest.param("ferritin", "", " ", None, id="R-05 blank unit"),
        pytest.param("ferritin", None, "lab units", None, id="R-05 unknown text"),
        pytest.param("ferritin", "{titer}", None, UCUM, id="R-05 unknown code"),
        pytest.param("ferritin", "{titer}", "ng/mL", UCUM, id="R-05 an unknown UCUM code decides"),
        pytest.param("ferritin", "ug/dL", None, UCUM, id="R-05 ferritin ug/dL as code"),
        pytest.param("ferritin", None, "\u00b5g/dL", None, id="R-05 ferritin ug/dL as text"),
        pytest.param("ferritin", "ng/mL", "ug/dL", UCUM, id="R-05 ferritin ug/dL beside a code"),
        pytest.param("ferritin", "ng/mL", "pmol/L", UCUM, id="R-05 code and text disagree"),
        pytest.param("ferritin", "ng/mL", "pmol/L", "urn:oid:1.2.3", id="R-05 they disagree in any code system"),
        pytest.param("ferritin", "ng/mL", "ng/dL", UCUM, id="R-05 the text is a unit not accepted"),
        pytest.param("ferritin", "ng/mL", "%", UCUM, id="R-05 the text is another kind of unit"),
        pytest.param("ferritin", "ng/mL", "1", UCUM, id="R-05 the text is a plain number"),
        pytest.param("tsat", "1", "%", UCUM, id="R-05 fraction and percent"),
        pytest.param("tsat", "%", "1", UCUM, id="R-05 percent and fraction"),
        pytest.param("tsat", None, "percent", None, id="R-05 percent in words alone"),
        pytest.param("hemoglobin", "g/dL", "g/L", UCUM, id="R-05 hemoglobin, ten-fold"),
        pytest.param("hemoglobin", "mg/dL", None, UCUM, id="R-05 hemoglobin in a unit of other tests"),
        pytest.param("body-weight", "kg", "lb", UCUM, id="R-05 kilogram and pound"),
        pytest.param("body-weight", "kg", "oz", UCUM, id="R-05 kilogram and ounce"),
        pytest.param("body-weight", "[oz_av]", None, UCUM, id="R-05 ounces are not accepted"),
        pytest.param("body-weight", None, "lbs", None, id="R-05 lbs alone is no listed spelling"),
        pytest.param("iron", "mg/dL", None, UCUM, id="R-05 iron in mg/dL"),
        pytest.param("ferritin", "n" * 10_000, None, UCUM, id="R-05 endless code"),
        pytest.param("ferritin", None, "ng/mL" * 10_000, None, id="R-05 endless text"),
    ],
)
def test_an_unknown_missing_or_contradictory_unit_makes_the_value_unusable(
    analyte: str, code: str | None, unit: str | None, system: str | None
) -> None:
    problem = convert(analyte, D(50), code, unit, system)
    assert isinstance(problem, UnitProblem)
    assert problem.kind is RejectedBecause.UNIT
    assert 0 < len(problem.text) <= 80  # what a card quotes


def test_r_05_the_card_says_why_ferritin_in_ug_per_dl_is_refused() -> None:
    assert "slip for ug/L" in problem_of("ferritin", "50", "ug/dL").text


def test_an_unknown_unit_is_not_repeated_as_our_own_words() -> None:
    assert "script" not in problem_of("ferritin", "50", None, "<script>").text
    converted = convert("ferritin", D(50), "pmol/L", "[x](http://example.org)", UCUM)
    assert isinstance(converted, Converted)
    assert converted.note == "converted from 50 pmol/L"


@pytest.mark.parametrize(("length", "is_read"), [(40, True), (41, False)])
def test_r_05_a_unit_is_read_up_to_40_characters(length: int, is_read: bool) -> None:
    unit = "ng/mL".rjust(length)
    assert isinstance(convert("ferritin", D(50), None, unit), Converted) is is_read
    assert isinstance(convert("ferritin", D(50), unit, None, UCUM), Converted) is is_read
    assert gestational_days(D(14), None, "wk".rjust(length)) == (98 if is_read else None)


@pytest.mark.parametrize(
    ("number", "is_read"), [("9E+30", True), ("1E+31", False), ("1E-30", True), ("9E-31", False), ("0E-99", True)]
)
def test_a_number_of_more_than_30_places_is_no_measurement(number: str, is_read: bool) -> None:
    assert isinstance(convert("iron", D(number), "ug/dL", None, UCUM), Converted) is is_read


def test_r_05_a_quotient_without_end_is_kept_to_50_digits() -> None:
    assert value_of("ferritin", "2.247", "pmol/L") == 1
    assert len(value_of("ferritin", "1", "pmol/L").as_tuple().digits) == 50


# ---------------------------------------------------------------------------------------------- values to be doubted


@pytest.mark.parametrize(
    ("number", "comparator", "kind", "likely"),
    [
        pytest.param("0.18", "", RejectedBecause.IMPLAUSIBLE, None, id="R-11 0.18 % is not read as 18"),
        pytest.param("0.449", "", RejectedBecause.IMPLAUSIBLE, None, id="R-26e just below 0.45"),
        pytest.param("0.45", "", RejectedBecause.IMPLAUSIBLE, "45", id="R-26e 0.45"),
        pytest.param("0.451", "", RejectedBecause.IMPLAUSIBLE, "45.1", id="R-26e just above 0.45"),
        pytest.param("1.0", "", RejectedBecause.IMPLAUSIBLE, "100", id="R-26e 1.0"),
        pytest.param("0", "", RejectedBecause.IMPLAUSIBLE, None, id="R-11 zero"),
        pytest.param("0.5", ">", RejectedBecause.IMPLAUSIBLE, "50", id="R-26e >0.5 points up too"),
        pytest.param("1", "<", RejectedBecause.CENSORED, None, id="R-10 nothing is left of <1 %"),
        pytest.param("0.5", "<=", RejectedBecause.CENSORED, None, id="R-10 nothing is left of <=0.5 %"),
    ],
)
def test_a_tsat_up_to_1_with_unit_percent_is_unusable(
    number: str, comparator: str, kind: RejectedBecause, likely: str | None
) -> None:
    problem = problem_of("tsat", number, "%", comparator=comparator)
    assert problem.kind is kind
    assert problem.likely_percent == (None if likely is None else D(likely))


@pytest.mark.parametrize(("number", "code"), [("1.001", "%"), ("18", "%"), ("0.18", "1"), ("1.5", "1")])
def test_r_11_other_tsat_values_are_converted(number: str, code: str) -> None:
    assert value_of("tsat", number, code) == D(number) * (100 if code == "1" else 1)


@pytest.mark.parametrize("number", ["1.501", "18", "45"])
def test_a_tsat_fraction_above_one_and_a_half_is_unusable(number: str) -> None:
    assert problem_of("tsat", number, "1").kind is RejectedBecause.UNIT


@pytest.mark.parametrize(
    ("number", "comparator", "usable"),
    [
        pytest.param("2.2", "", False, id="R-05 a healthy tetramer value"),
        pytest.param("2.99", "", False, id="R-05 just below 3.0"),
        pytest.param("3.0", "", True, id="R-05 at 3.0"),
        pytest.param("3.01", "", True, id="R-05 just above 3.0"),
        pytest.param("3.0", "<", False, id="R-05 <3.0 is below 3.0"),
        pytest.param("3.0", ">", True, id="R-05 >3.0 is not"),
    ],
)
def test_hemoglobin_below_3_mmol_per_l_may_be_the_tetramer(number: str, comparator: str, usable: bool) -> None:
    converted = convert("hemoglobin", D(number), "mmol/L", None, UCUM, comparator)
    assert isinstance(converted, Converted) is usable


def test_r_05_the_tetramer_is_doubted_in_mmol_per_l_only() -> None:
    assert value_of("hemoglobin", "2.9", "g/dL") == D("2.9")
    assert value_of("phosphate", "1.1", "mmol/L") == D("3.4067")


@pytest.mark.parametrize("number", ["1E+40", "1E-40", "1E+999999", "-1E+999999", "Infinity", "NaN"])
@pytest.mark.parametrize("code", ["ng/mL", "mg/L", "pmol/L"])
def test_a_number_no_laboratory_can_measure_is_unusable_and_no_error(number: str, code: str) -> None:
    assert problem_of("ferritin", number, code).kind is RejectedBecause.IMPLAUSIBLE


# ------------------------------------------------------------------------------------------------ plausible, censored


@pytest.mark.parametrize(
    ("analyte", "number", "plausible"),
    [
        pytest.param("ferritin", "0", False, id="R-11 ferritin 0"),
        pytest.param("ferritin", "0.1", True, id="R-11 ferritin just above 0"),
        pytest.param("ferritin", "100000", True, id="R-11 ferritin at its upper end"),
        pytest.param("ferritin", "100000.1", False, id="R-11 ferritin above it"),
        pytest.param("tsat", "1", False, id="R-11 TSAT 1"),
        pytest.param("tsat", "1.1", True, id="R-11 TSAT just above 1"),
        pytest.param("tsat", "100", True, id="R-11 TSAT 100"),
        pytest.param("tsat", "100.1", False, id="R-11 TSAT above 100"),
        pytest.param("hemoglobin", "2.9", False, id="R-11 hemoglobin below 3"),
        pytest.param("hemoglobin", "3", True, id="R-11 hemoglobin 3"),
        pytest.param("hemoglobin", "25", True, id="R-11 hemoglobin 25"),
        pytest.param("hemoglobin", "25.1", False, id="R-11 hemoglobin above 25"),
        pytest.param("body-weight", "24.9", False, id="R-11 weight below 25"),
        pytest.param("body-weight", "25", True, id="R-11 weight 25"),
        pytest.param("body-weight", "350", True, id="R-11 weight 350"),
        pytest.param("body-weight", "350.1", False, id="R-11 weight above 350"),
        pytest.param("phosphate", "0.29", False, id="R-11 phosphate below 0.3"),
        pytest.param("phosphate", "0.3", True, id="R-11 phosphate 0.3"),
        pytest.param("phosphate", "15", True, id="R-11 phosphate 15"),
        pytest.param("phosphate", "15.1", False, id="R-11 phosphate above 15"),
        pytest.param("crp", "-0.1", False, id="R-11 CRP below 0"),
        pytest.param("crp", "0", True, id="R-11 CRP 0"),
        pytest.param("crp", "1000", True, id="R-11 CRP 1000"),
        pytest.param("crp", "1000.1", False, id="R-11 CRP above 1000"),
        pytest.param("iron", "0", False, id="no iron at all"),
        pytest.param("tibc", "0", False, id="no binding capacity at all"),
        pytest.param("uibc", "0", True, id="all of it saturated"),
        pytest.param("uibc", "-1", False, id="negative capacity"),
        pytest.param("transferrin", "0", False, id="no transferrin at all"),
    ],
)
def test_a_value_outside_the_plausible_range_is_unusable(analyte: str, number: str, plausible: bool) -> None:
    assert read_value(analyte, D(number), None) == (Interval.point(D(number)) if plausible else None)


@pytest.mark.parametrize(
    ("analyte", "comparator", "number", "expected"),
    [
        pytest.param("ferritin", "<", "5", "(0, 5)", id="R-10 ferritin <5"),
        pytest.param("ferritin", "<=", "75", "(0, 75]", id="R-10 ferritin <=75"),
        pytest.param("ferritin", ">", "1650", "(1650, 100000]", id="R-10 ferritin >1650"),
        pytest.param("ferritin", ">=", "300", "[300, 100000]", id="R-10 ferritin >=300"),
        pytest.param("ferritin", ">", "100000", None, id="R-10 nothing above the plausible range"),
        pytest.param("tsat", "<", "1", None, id="R-10 nothing is left of TSAT <1"),
        pytest.param("tsat", "<=", "1", None, id="R-10 nothing is left of TSAT <=1"),
        pytest.param("tsat", ">", "40", "(40, 100]", id="R-10 TSAT >40"),
        pytest.param("hemoglobin", "<", "3", None, id="R-10 nothing is left of hemoglobin <3"),
        pytest.param("hemoglobin", "<=", "3", "[3, 3]", id="R-10 one value is left of hemoglobin <=3"),
        pytest.param("crp", "<", "0.5", "[0, 0.5)", id="R-10 CRP <0.5"),
        pytest.param("uibc", "<", "10", "[0, 10)", id="R-10 UIBC <10"),
        pytest.param("ferritin", "~", "50", None, id="R-10 unknown comparator"),
    ],
)
def test_a_censored_value_is_an_interval_cut_to_the_plausible_range(
    analyte: str, comparator: str, number: str, expected: str | None
) -> None:
    interval = read_value(analyte, D(number), comparator)
    assert (interval.text() if interval else None) == expected


@pytest.mark.parametrize(
    ("limit", "taken"), [("1.49", False), ("1.5", True), ("2.7", True), ("3.5", True), ("3.51", False)]
)
def test_r_21_a_laboratory_limit_is_taken_only_within_its_range(limit: str, taken: bool) -> None:
    assert is_credible_phosphate_limit(D(limit)) is taken


@pytest.mark.parametrize(
    ("number", "code", "unit", "days"),
    [
        pytest.param("98", "d", None, 98, id="R-20e days"),
        pytest.param("97", "day", None, 97, id="R-20e a day"),
        pytest.param("97", None, "days", 97, id="R-20e days as text"),
        pytest.param("14", "week", None, 98, id="R-20e a week"),
        pytest.param("14", "wk", None, 98, id="R-20e weeks by code alone"),
        pytest.param("14", "wk", "weeks", 98, id="R-20e weeks"),
        pytest.param("13.9", "wk", None, 97, id="R-20e completed days only"),
        pytest.param("14", None, "Weeks", 98, id="R-20e weeks as text"),
        pytest.param("14", "wk", "semaines", 98, id="R-20e a text we cannot read"),
        pytest.param("0", "d", None, 0, id="R-20e day 0"),
        pytest.param("14", "wk", "d", None, id="R-20e code and text disagree"),
        pytest.param("14", None, None, None, id="R-20e no unit"),
        pytest.param("3", "mo", None, None, id="R-20e months"),
        pytest.param("-1", "d", None, None, id="R-20e negative"),
        pytest.param("1000", "d", None, 1000, id="R-20e the longest that is a number of days at all"),
        pytest.param("1000.1", "d", None, None, id="R-20e no pregnancy is counted in thousands of days"),
        pytest.param("1E+999999", "d", None, None, id="R-20e endless"),
        pytest.param("NaN", "d", None, None, id="R-20e no number"),
    ],
)
def test_gestational_age_needs_its_unit(number: str, code: str | None, unit: str | None, days: int | None) -> None:
    assert gestational_days(D(number), code, unit) == days


# ---------------------------------------------------------------------------------------------------------- display


@pytest.mark.parametrize(
    ("analyte", "number", "shown"),
    [
        ("ferritin", "74.5", "74.5 ng/mL"),
        ("ferritin", "74.52", "74.5 ng/mL"),
        ("ferritin", "75", "75 ng/mL"),
        ("ferritin", "75.04", "75.04 ng/mL"),
        ("ferritin", "74.96", "74.96 ng/mL"),
        ("ferritin", "75.0004", "75.0004 ng/mL"),
        ("ferritin", "75.00000000000000000001", "75.00000000000000000001 ng/mL"),
        ("ferritin", "299.99", "299.99 ng/mL"),
        ("ferritin", "22.25189141076991544281", "22.3 ng/mL"),
        ("ferritin", "1E+2", "100 ng/mL"),
        ("ferritin", "0.04", "0.04 ng/mL"),
        ("tsat", "19.96", "19.96 %"),
        ("tsat", "45.00", "45 %"),
        ("tsat", "17.04", "17 %"),
        ("hemoglobin", "12.49", "12.49 g/dL"),
        ("hemoglobin", "12.8916", "12.9 g/dL"),
        ("phosphate", "2.4776", "2.48 mg/dL"),
        ("phosphate", "2.4976", "2.498 mg/dL"),
        ("crp", "0", "0 mg/L"),
        ("crp", "5.01", "5.01 mg/L"),
        ("body-weight", "49.9995", "49.9995 kg"),
        ("body-weight", "66.66", "66.7 kg"),
        ("transferrin", "249.787", "250 mg/dL"),
        ("iron", "55.8659217877", "55.9 ug/dL"),
        ("iron", "0.04", "0.04 ug/dL"),
        ("iron", "1.04", "1 ug/dL"),
        ("iron", "-0.96", "-1 ug/dL"),
        ("iron", "1E+30", "1000000000000000000000000000000 ug/dL"),
    ],
)
def test_a_value_is_shown_rounded_but_never_onto_a_cut_off(analyte: str, number: str, shown: str) -> None:
    assert display(analyte, D(number)) == shown
    assert display(analyte, Interval.point(D(number))) == shown


def test_r_21_a_phosphate_is_not_rounded_onto_the_laboratorys_own_limit() -> None:
    assert display("phosphate", D("2.698")) == "2.7 mg/dL"
    assert display("phosphate", D("2.698"), D("2.7")) == "2.698 mg/dL"


@pytest.mark.parametrize(
    ("analyte", "comparator", "number", "shown"),
    [
        ("ferritin", "<", "5", "<5 ng/mL"),
        ("ferritin", "<=", "5", "<=5 ng/mL"),
        ("ferritin", ">", "1650", ">1650 ng/mL"),
        ("ferritin", ">=", "1650.04", ">=1650 ng/mL"),
        ("crp", "<", "0.5", "<0.5 mg/L"),
        ("iron", ">", "300", ">300 ug/dL"),
    ],
)
def test_a_censored_value_is_shown_as_it_was_reported(analyte: str, comparator: str, number: str, shown: str) -> None:
    interval = read_value(analyte, D(number), comparator)
    assert interval is not None
    assert display(analyte, interval) == shown


def test_an_interval_with_two_ends_is_shown_in_words() -> None:
    between = Interval.between(D("19.96"), D("44.444"), low_closed=True, high_closed=False)
    assert display("tsat", between) == "19.96 or more and below 44.4 %"
    assert display("tsat", Interval.below(D(30))) == "<30 %"


_ZONES = {
    "ferritin": (*zones.FERRITIN_ZONES, *zones.FERRITIN_ZONES_IN_DIALYSIS),
    "tsat": (*zones.TSAT_ZONES, zones.TSAT_INDETERMINATE_LOW, zones.TSAT_INDETERMINATE_HIGH),
    "hemoglobin": zones.HEMOGLOBIN_ZONES,
    "crp": zones.CRP_ZONES,
    "phosphate": (Interval.below(zones.PHOSPHATE_DEFAULT_LIMIT),),
}


@pytest.mark.parametrize(
    ("analyte", "cut"),
    sorted(
        {
            (analyte, end)
            for analyte, parts in [*_ZONES.items(), *((name, (PLAUSIBLE[name],)) for name in PLAUSIBLE)]
            for zone in parts
            for end in (zone.low, zone.high)
            if end is not None
        }
    ),
)
@pytest.mark.parametrize("apart", ["0.00004", "-0.00004"])
def test_no_end_of_a_decision_zone_is_shown_for_a_value_beside_it(analyte: str, cut: Decimal, apart: str) -> None:
    shown = D(display(analyte, cut + D(apart)).split()[0])
    assert (shown < cut, shown > cut) == (D(apart) < 0, D(apart) > 0)


@FEW
@given(st.sampled_from(sorted(CUTS)), st.decimals(min_value=D(1), max_value=D(400), places=9, allow_nan=False))
def test_the_shown_value_lies_in_the_zone_of_the_value(analyte: str, number: Decimal) -> None:
    shown = D(display(analyte, number).split()[0])
    assert abs(shown - number) <= D("0.05")
    for cut in map(D, CUTS[analyte]):
        assert (shown < cut, shown == cut) == (number < cut, number == cut)
