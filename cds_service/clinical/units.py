"""Units: what is accepted for each analyte and how it becomes the canonical unit, exactly (R-05, R-10, R-11)."""

from dataclasses import dataclass
from decimal import ROUND_FLOOR, Context, Decimal
from functools import lru_cache

from cds_service.clinical.interval import Interval
from cds_service.clinical.model import RejectedBecause

_D = Decimal

CANONICAL = {
    "ferritin": "ng/mL",
    "tsat": "%",
    "iron": "ug/dL",
    "tibc": "ug/dL",
    "uibc": "ug/dL",
    "transferrin": "mg/dL",
    "hemoglobin": "g/dL",
    "crp": "mg/L",
    "phosphate": "mg/dL",
    "body-weight": "kg",
}


@dataclass(frozen=True, slots=True)
class Factor:
    """A value in `unit` becomes canonical times `multiply`, divided by `divide`. `doubt`: what to refuse first."""

    unit: str
    multiply: Decimal
    divide: Decimal
    doubt: str = ""

    @property
    def is_identity(self) -> bool:
        return self.multiply == self.divide


# R-05, row by row: analyte, unit, multiply by, divide by, and which values are refused.
_ROWS = (
    ("ferritin", "ng/mL", "1", "1"),
    ("ferritin", "ug/L", "1", "1"),
    ("ferritin", "mg/L", "1000", "1"),
    ("ferritin", "pmol/L", "1", "2.247"),
    ("ferritin", "nmol/L", "1000", "2.247"),
    ("tsat", "%", "1", "1", "percent"),
    ("tsat", "1", "100", "1", "fraction"),
    ("iron", "ug/dL", "1", "1"),
    ("iron", "umol/L", "1", "0.179"),
    ("tibc", "ug/dL", "1", "1"),
    ("tibc", "umol/L", "1", "0.179"),
    ("uibc", "ug/dL", "1", "1"),
    ("uibc", "umol/L", "1", "0.179"),
    ("transferrin", "mg/dL", "1", "1"),
    ("transferrin", "g/L", "100", "1"),
    ("transferrin", "umol/L", "7.955", "1"),
    ("hemoglobin", "g/dL", "1", "1"),
    ("hemoglobin", "g/L", "1", "10"),
    ("hemoglobin", "mmol/L", "1.61145", "1", "tetramer"),
    ("crp", "mg/L", "1", "1"),
    ("crp", "mg/dL", "10", "1"),
    ("crp", "nmol/L", "0.1", "1"),
    ("phosphate", "mg/dL", "1", "1"),
    ("phosphate", "mmol/L", "3.097", "1"),
    ("body-weight", "kg", "1", "1"),
    ("body-weight", "g", "1", "1000"),
    ("body-weight", "[lb_av]", "0.45359237", "1"),
    ("body-weight", "lb", "0.45359237", "1"),
)
# (analyte, spelling as `_spell` gives it) -> factor. Ferritin in ug/dL is left out on purpose: often a slip for ug/L.
FACTORS = {
    (analyte, unit.lower()): Factor(unit, _D(times), _D(over), *doubt) for analyte, unit, times, over, *doubt in _ROWS
}

_WORDS = {"1": "as a fraction"}  # the UCUM code of a plain number says nothing to a reader

# Other units a text may name; beside a code that says something else they make the value unusable.
_AMOUNTS = [f"{prefix}{base}" for prefix in ("", "k", "d", "c", "m", "u", "n", "p", "f") for base in ("g", "mol")]
_OTHER_UNITS = frozenset(
    [f"{amount}/{volume}" for amount in (*_AMOUNTS, "iu", "u") for volume in ("l", "dl", "cl", "ml", "ul")]
    + [*_AMOUNTS, "%", "1", "lb", "[lb_av]", "oz", "[oz_av]", "st", "stone"]
)
_UCUM = ("http://unitsofmeasure.org", "urn:oid:2.16.840.1.113883.6.8")
_LONGEST_UNIT = 40  # characters
# 50 digits: a value of up to 30 digits lands on a cut-off only if it is that cut-off. A 64-bit float has 17.
_EXACT = Context(prec=50)
_MOST_EXPONENT = 30  # larger or smaller numbers measure nothing and would only cost time

LOWEST_MOLAR_HEMOGLOBIN = _D("3.0")  # below it may be the tetramer
HIGHEST_DOUBTFUL_PERCENT = _D("1.0")  # a TSAT of 1.0 or less with unit % is no percentage
LIKELY_FRACTION = Interval.between(_D("0.45"), _D("1.0"), low_closed=True, high_closed=True)  # R-26e
HIGHEST_FRACTION = _D("1.5")  # guard rail of the terminology; what is above is also outside the plausible range
_PERCENT = _D(100)

# outside these a value is unusable. Where R-11 names no range: what can be measured at all.
PLAUSIBLE = {
    "ferritin": Interval.between(_D(0), _D(100_000), low_closed=False, high_closed=True),
    "tsat": Interval.between(_D(1), _D(100), low_closed=False, high_closed=True),
    "iron": Interval.above(_D(0)),
    "tibc": Interval.above(_D(0)),
    "uibc": Interval.at_least(_D(0)),  # none left unsaturated is a finding
    "transferrin": Interval.above(_D(0)),
    "hemoglobin": Interval.between(_D(3), _D(25), low_closed=True, high_closed=True),
    "crp": Interval.between(_D(0), _D(1000), low_closed=True, high_closed=True),
    "phosphate": Interval.between(_D("0.3"), _D(15), low_closed=True, high_closed=True),
    "body-weight": Interval.between(_D(25), _D(350), low_closed=True, high_closed=True),
}
SEVERITY_RANGE = (_D(0), _D(40))
# How many days back a result of a prefetch key can matter: a page that reaches further back holds enough of it, and
# what was drawn before is not read.
WINDOW_DAYS = {
    "ferritin": 397,  # R-50c: 13 months; R-50d: a year; R-41: a running course looks back 90 days from its first dose
    "tsat": 397,  # the same; a year is R-26e
    "iron_panel": 397,
    "hemoglobin": 90,  # R-08, as phosphate
    "phosphate": 90,
    "crp": 427,  # 30 days from the ferritin
    "weight": 673,  # R-08b: 365 days before a pregnancy that began at most 308 days ago (R-20e)
    "pregnancy": 300,  # R-20d
}
# the laboratory's lower limit of phosphate is taken only if within this range, mg/dL.
CREDIBLE_PHOSPHATE_LIMIT = Interval.between(_D("1.5"), _D("3.5"), low_closed=True, high_closed=True)


@dataclass(frozen=True, slots=True)
class Converted:
    """`value` in the canonical unit; `note` says what was converted, "" when nothing."""

    value: Decimal
    note: str = ""


@dataclass(frozen=True, slots=True)
class UnitProblem:
    """Why a value cannot be converted. `likely_percent`: what a mislabelled TSAT fraction would be (R-26e)."""

    text: str
    kind: RejectedBecause = RejectedBecause.UNIT
    likely_percent: Decimal | None = None


def convert(
    analyte: str,
    value: Decimal,
    code: str | None,
    unit: str | None,
    system: str | None = None,
    comparator: str | None = None,
) -> Converted | UnitProblem:
    """R-05: the code decides; without one the unit text; if both name a unit and disagree the value is unusable."""
    if (code and len(code) > _LONGEST_UNIT) or (unit and len(unit) > _LONGEST_UNIT):
        return _UNKNOWN
    factor = _find_factor(analyte, code, unit, system)
    if isinstance(factor, UnitProblem):
        return factor
    if not value.is_finite() or (value and abs(value.adjusted()) > _MOST_EXPONENT):
        return UnitProblem("the number is not of a size that can be measured", RejectedBecause.IMPLAUSIBLE)
    doubt = _DOUBTS[factor.doubt](value, comparator or "") if factor.doubt else None
    if doubt:
        return doubt
    if factor.is_identity:
        return Converted(value)
    return Converted(
        _convert_exactly(value, factor), f"converted from {value:f} {_WORDS.get(factor.unit, factor.unit)}"
    )


@lru_cache(maxsize=1024)  # a site writes few spellings
def _find_factor(analyte: str, code: str | None, unit: str | None, system: str | None) -> Factor | UnitProblem:
    by_code, by_text = _spell(code or ""), _spell(unit or "")
    if by_code and by_text and system not in _UCUM and by_code not in _OTHER_UNITS:
        by_code = ""  # a local code: the text tells the unit
    if not by_code and not by_text:
        return UnitProblem("no unit")
    factor = FACTORS.get((analyte, by_code or by_text))
    if factor is None:
        return _refuse(analyte, by_code or by_text)
    if by_code and by_text and by_text != by_code and _names_other_unit(analyte, factor, by_text):
        return UnitProblem("unit code and unit text disagree")
    return factor


def _spell(unit: str) -> str:
    """Letter case and spaces ignored, the spellings of micro made one (R-05). UCUM codes also exist in capitals."""
    plain = "".join(unit.split()).lower().replace("\u00b5", "u").replace("\u03bc", "u")
    return f"u{plain[2:]}" if plain.startswith(("mcg", "mcmol")) else plain


_UNKNOWN = UnitProblem("the unit is not known")


def _refuse(analyte: str, spelled: str) -> UnitProblem:
    if spelled not in _OTHER_UNITS:
        return _UNKNOWN
    if (analyte, spelled) == ("ferritin", "ug/dl"):
        return UnitProblem("ug/dL is not accepted for ferritin, as it is often a slip for ug/L")
    return UnitProblem(f"{spelled} is not accepted for this test, expected {CANONICAL[analyte]}")


def _names_other_unit(analyte: str, factor: Factor, by_text: str) -> bool:
    """A text that names no unit we can read ("lbs", "percent") does not contradict the code."""
    other = FACTORS.get((analyte, by_text))
    if other is None:
        return by_text in _OTHER_UNITS
    return (other.multiply, other.divide) != (factor.multiply, factor.divide)


def _doubt_percent(value: Decimal, comparator: str) -> UnitProblem | None:
    if value > HIGHEST_DOUBTFUL_PERCENT:
        return None
    if comparator.startswith("<"):  # nothing is left of "<1 %", and it hints at no fraction
        return UnitProblem("nothing plausible is left of it", RejectedBecause.CENSORED)
    likely = value * _PERCENT if LIKELY_FRACTION.contains(value) else None
    return UnitProblem("1.0 or less with unit % is most likely a fraction", RejectedBecause.IMPLAUSIBLE, likely)


def _doubt_fraction(value: Decimal, _: str) -> UnitProblem | None:
    return UnitProblem("with unit 1 a value above 1.5 is doubtful") if value > HIGHEST_FRACTION else None


def _doubt_monomer(value: Decimal, comparator: str) -> UnitProblem | None:
    if value < LOWEST_MOLAR_HEMOGLOBIN or (value == LOWEST_MOLAR_HEMOGLOBIN and comparator == "<"):
        return UnitProblem("in mmol/L below 3.0 it may be the tetramer")
    return None


_DOUBTS = {"percent": _doubt_percent, "fraction": _doubt_fraction, "tetramer": _doubt_monomer}


def _convert_exactly(value: Decimal, factor: Factor) -> Decimal:
    return _EXACT.divide(_EXACT.multiply(value, factor.multiply), factor.divide)


_COMPARED = {"<": Interval.below, "<=": Interval.at_most, ">": Interval.above, ">=": Interval.at_least}


def read_value(analyte: str, value: Decimal, comparator: str | None) -> Interval | None:
    """R-10, R-11: the canonical value as an interval cut to the plausible range; None when nothing is left."""
    plausible = PLAUSIBLE[analyte]
    if not comparator:
        return Interval.point(value) if plausible.contains(value) else None
    made = _COMPARED.get(comparator)
    return made(value).cut(plausible) if made else None


def is_credible_phosphate_limit(limit: Decimal) -> bool:
    return CREDIBLE_PHOSPHATE_LIMIT.contains(limit)


_DAYS_OF_UNIT = {"d": 1, "day": 1, "days": 1, "wk": 7, "week": 7, "weeks": 7}
_MOST_GESTATION = _D(1000)  # days or weeks; which ages are taken for a pregnancy says R-20e


def gestational_days(value: Decimal, code: str | None, unit: str | None) -> int | None:
    """Gestational age in completed days; None unless unit d or wk is stated, or when code and text disagree (R-20e)."""
    by_code, by_text = _days_of(code), _days_of(unit)
    size = by_code or by_text
    if size is None or (by_text and by_text != size) or not value.is_finite() or not 0 <= value <= _MOST_GESTATION:
        return None
    return int((value * size).to_integral_value(ROUND_FLOOR))


def _days_of(unit: str | None) -> int | None:
    return _DAYS_OF_UNIT.get(_spell(unit)) if unit and len(unit) <= _LONGEST_UNIT else None


# ------------------------------------------------------------------------------------------------------- for display

_PLACES = {"phosphate": _D("0.01"), "transferrin": _D(1)}
_TENTH = _D("0.1")
# A rounded value never reads as one of these unless it is (section 0): cut-offs of rules, ends of the plausible range.
_CUTS = {
    analyte: frozenset(_D(cut) for cut in cuts.split())
    for analyte, cuts in {
        "ferritin": "0 45 75 100 200 300 100000",
        "tsat": "1 18 20 23 43 45 47 100",
        "hemoglobin": "3 7 11 12 12.5 13 25",
        "crp": "0 5 1000",
        "phosphate": "0.3 1.5 2.5 3.5 15",
        "body-weight": "25 50 350",
    }.items()
}
_ONLY_ZERO = frozenset((_D(0),))


@lru_cache(maxsize=4096)  # one call shows a value a dozen times: in rules, card and trace
def display(analyte: str, value: Interval | Decimal, *limits: Decimal) -> str:
    """`74.5 ng/mL`, `<5 ng/mL`, `17 %`: rounded, but never onto a cut-off or a laboratory's own `limits`."""
    unit = CANONICAL[analyte]
    plausible = PLAUSIBLE[analyte]
    if isinstance(value, Decimal):
        return f"{_round(analyte, value, limits):f} {unit}"
    low, high = (None if end is None else _round(analyte, end, limits) for end in (value.low, value.high))
    if value.is_point:
        return f"{low:f} {unit}"
    if high is not None and value.low in (None, plausible.low) and value.high != plausible.high:
        return f"{'<=' if value.high_closed else '<'}{high:f} {unit}"
    if low is not None and value.high in (None, plausible.high) and value.low != plausible.low:
        return f"{'>=' if value.low_closed else '>'}{low:f} {unit}"
    return f"{Interval(low, high, value.low_closed, value.high_closed).words()} {unit}"


def _round(analyte: str, value: Decimal, limits: tuple[Decimal, ...]) -> Decimal:
    """To the usual places; where that lands on a cut-off, to the first place that shows the side the value is on."""
    shown = _EXACT.quantize(value, _PLACES.get(analyte, _TENTH))
    if shown != value and (shown in _CUTS.get(analyte, _ONLY_ZERO) or shown in limits):
        apart = _EXACT.subtract(value, shown)
        shown = _EXACT.quantize(value, _D(1).scaleb(max(apart.adjusted(), -_MOST_EXPONENT)))
    shortened = shown.normalize(_EXACT)
    return shortened or _D(0)
