"""Units at their edges: half-known units, whole days of gestation, a hair from a cut-off (R-05, R-11, R-20e)."""

from decimal import Decimal

import pytest

from cds_service.clinical.interval import Interval
from cds_service.clinical.model import RejectedBecause
from cds_service.clinical.reading import Reading
from cds_service.clinical.units import Converted, UnitProblem, convert, display, gestational_days
from cds_service.clinical.wording import unquote
from tests.rules.build import ferritin, rejected
from tests.rules.chart import ferritin_of

D = Decimal
UCUM = "http://unitsofmeasure.org"
LOCAL = "urn:oid:1.2.3"


@pytest.mark.parametrize(
    ("code", "unit", "system"),
    [
        pytest.param(None, "ng/mL", UCUM, id="R-05 system of UCUM without a code: the text"),
        pytest.param("", "ng/mL", UCUM, id="R-05 system of UCUM with an empty code: the text"),
        pytest.param("ng/mL", None, UCUM, id="R-05 code without text"),
        pytest.param("ng/mL", "", LOCAL, id="R-05 code of another system with an empty text"),
        pytest.param("4711", "ng/mL", LOCAL, id="R-05 local code: the text"),
    ],
)
def test_r_05_what_is_there_tells_the_unit(code: str | None, unit: str | None, system: str | None) -> None:
    assert convert("ferritin", D(50), code, unit, system) == Converted(D(50))


@pytest.mark.parametrize(
    ("code", "unit", "system", "text"),
    [
        pytest.param(None, None, None, "no unit", id="R-05 neither"),
        pytest.param("", " ", UCUM, "no unit", id="R-05 both blank"),
        pytest.param("4711", None, LOCAL, "the unit is not known", id="R-05 a local code alone"),
        pytest.param("4711", "ng/mL", UCUM, "the unit is not known", id="R-05 UCUM with a code it has not"),
        pytest.param(
            "g/L", "g/L", UCUM, "g/l is not accepted for this test, expected ng/mL", id="R-05 a unit of other tests"
        ),
        pytest.param("ng/mL", "ug/dL", UCUM, "unit code and unit text disagree", id="R-05 they disagree"),
    ],
)
def test_r_05_what_is_wrong_with_a_unit_is_said(
    code: str | None, unit: str | None, system: str | None, text: str
) -> None:
    assert convert("ferritin", D(50), code, unit, system) == UnitProblem(text)


@pytest.mark.parametrize(
    ("number", "kind", "text"),
    [
        pytest.param(
            "0.18",
            RejectedBecause.IMPLAUSIBLE,
            "1.0 or less with unit % is most likely a fraction",
            id="R-11 no comparator",
        ),
        pytest.param(
            "NaN", RejectedBecause.IMPLAUSIBLE, "the number is not of a size that can be measured", id="R-11 no number"
        ),
    ],
)
def test_r_11_what_is_wrong_with_a_percentage_is_said(number: str, kind: RejectedBecause, text: str) -> None:
    for comparator in (None, ""):
        problem = convert("tsat", D(number), "%", None, UCUM, comparator)
        assert isinstance(problem, UnitProblem)
        assert (problem.kind, problem.text, problem.likely_percent) == (kind, text, None)


@pytest.mark.parametrize(
    ("number", "unit", "days"),
    [
        pytest.param("13.95", "wk", 97, id="R-20e 97.65 days are 97 completed days"),
        pytest.param("97.9", "d", 97, id="R-20e 97.9 days are 97"),
        pytest.param("97.5", "d", 97, id="R-20e half a day is not completed"),
        pytest.param("98", "d", 98, id="R-20e 98 days"),
        pytest.param("14", "wk", 98, id="R-20e 14 weeks"),
        pytest.param("0.9", "d", 0, id="R-20e no completed day"),
    ],
)
def test_r_20e_gestational_age_is_counted_in_completed_days(number: str, unit: str, days: int) -> None:
    assert gestational_days(D(number), unit, None) == days
    assert gestational_days(D(number), None, unit) == days


@pytest.mark.parametrize(
    ("analyte", "number", "shown"),
    [
        pytest.param("ferritin", f"75.{'0' * 29}1", f"75.{'0' * 29}1 ng/mL", id="R-11 30 places above a cut-off"),
        pytest.param("tsat", f"19.{'9' * 30}", f"19.{'9' * 30} %", id="R-11 30 places below a cut-off"),
        pytest.param("tsat", "20." + "0" * 40, "20 %", id="R-11 the cut-off itself, zeros left out"),
    ],
)
def test_a_number_is_not_shown_as_a_cut_off_that_it_is_not(analyte: str, number: str, shown: str) -> None:
    assert display(analyte, D(number)) == shown


@pytest.mark.parametrize(
    ("analyte", "value", "shown"),
    [
        pytest.param(
            "ferritin",
            Interval.between(D(75), D(100), low_closed=False, high_closed=True),
            "over 75 and up to 100 ng/mL",
            id="R-10 closed above",
        ),
        pytest.param(
            "tsat",
            Interval.between(D(20), D(45), low_closed=True, high_closed=False),
            "20 or more and below 45 %",
            id="R-10 open above",
        ),
    ],
)
def test_r_10_both_ends_of_an_interval_are_shown_as_they_are(analyte: str, value: Interval, shown: str) -> None:
    assert display(analyte, value) == shown


# ----------------------------------------------------------------------------------- what the trace shows of a value


def test_r_54_a_reading_shows_the_value_that_is_used() -> None:
    reading = ferritin_of(ferritin("74.5"))
    assert reading.value == Interval.point(D("74.5"))
    assert (reading.used.shown, reading.shown) == ("74.5 ng/mL", "74.5 ng/mL")


def test_r_54_a_reading_without_value_shows_its_name_alone() -> None:
    used = Reading("tsat").used
    assert (used.name, used.shown, used.reference, used.day) == ("TSAT", "", "", "")


def test_r_54_a_reading_whose_value_is_empty_has_none() -> None:
    with pytest.raises(ValueError, match="no usable value"):
        _ = Reading("ferritin", chosen=rejected("ferritin")).value


def test_r_54_a_value_that_cannot_be_used_is_shown_as_the_chart_has_it() -> None:
    used = Reading("ferritin", stopper=rejected("ferritin")).used
    assert (used.name, unquote(used.shown), used.reference, used.day) == (
        "ferritin",
        "12 furlong",
        "Observation/ferritin-rejected-5",
        "2026-03-05",
    )
