"""Observation to one result: the value converted, cut and named, with day and laboratory's remarks (R-05...R-11)."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal, DecimalException
from functools import lru_cache

from msgspec import UNSET, Raw

from cds_service.clinical import units
from cds_service.clinical.dates import Day, read_instant
from cds_service.clinical.interval import Interval
from cds_service.clinical.model import RejectedBecause, Result
from cds_service.fhir.wire import (
    CONCEPTS,
    RANGES,
    Component,
    Observation,
    Quantity,
    as_list,
    read_decimal,
    texts_of,
)

# Value set -> (analyte, method)
ANALYTES: Mapping[str, tuple[str, str]] = {
    "ferritin": ("ferritin", ""),
    "tsat": ("tsat", ""),
    "iron": ("iron", ""),
    "tibc": ("tibc", ""),
    "uibc": ("uibc", ""),
    "transferrin": ("transferrin", ""),
    "hemoglobin": ("hemoglobin", ""),
    "hemoglobin-bloodgas": ("hemoglobin", "blood-gas"),
    "crp": ("crp", ""),
    "phosphate": ("phosphate", ""),
    "body-weight": ("body-weight", "measured"),
    "body-weight-stated": ("body-weight", "stated"),
    "body-weight-dry": ("body-weight", "dry"),
    "pre-pregnancy-weight": ("body-weight", "pre-pregnancy"),
}

_TEXT = re.compile(r"\s*(<=|>=|<|>|\u2264|\u2265)?\s*(\d+(?:[.,]\d+)?)\s*(\S.*)?$")
_COMPARATORS = {"\u2264": "<=", "\u2265": ">="}
_LOW = ("L", "LL")


@dataclass(frozen=True, slots=True)
class Measured:
    """A value as it counts, or why it cannot be used; the fields are those of `Result`."""

    value: Interval | None
    recorded: str
    rejected: RejectedBecause | None = None
    problem: str = ""
    note: str = ""
    likely_percent: Decimal | None = None


NO_VALUE = Measured(None, "", problem="no value")
NO_NUMBER = Measured(None, "a value that is no number", RejectedBecause.UNREADABLE, problem="the value is no number")


def read_result(
    observation: Observation,
    part: Component,
    reference: str,
    analyte: str,
    method: str,
    day: Day | None,
) -> Result:
    """One result, converted by R-05, cut by R-10 and R-11; a value that cannot be used says why."""
    quantity = part.valueQuantity
    measured = _measure_other(analyte, part) if quantity is None else _measure_quantity(analyte, quantity)
    is_phosphate = analyte == "phosphate"
    return Result(
        analyte,
        measured.value,
        measured.recorded,
        day,
        observation.status,
        reference,
        read_instant(observation.issued) if observation.issued else None,
        measured.rejected,
        measured.problem,
        measured.note,
        measured.likely_percent,
        method=method,
        analyzer=_analyzer(observation) if observation.device or observation.method else "",
        lower_limit=_lower_limit(part) if is_phosphate else None,
        flagged_low=_is_flagged_low(part) if is_phosphate else False,
    )


def _measure_other(analyte: str, part: Component) -> Measured:
    if part.valueString:
        return _measure_text(analyte, part.valueString)
    if part.valueInteger is not UNSET:
        number = read_decimal(part.valueInteger)
        return NO_VALUE if number is None else _convert(analyte, number, f"{number} without unit")
    return NO_VALUE


_LONGEST_KEPT = 200  # characters of number and unit; what is longer is nobody's usual spelling


def _measure_quantity(analyte: str, quantity: Quantity) -> Measured:
    if quantity.value is UNSET:
        return NO_VALUE
    number = bytes(quantity.value)
    comparator, code, unit, system = quantity.comparator, quantity.code, quantity.unit, quantity.system
    length = len(number) + len(unit or "") + len(code or "") + len(system or "") + len(comparator or "")
    read = _read_quantity if length <= _LONGEST_KEPT else _read_quantity.__wrapped__
    return read(analyte, number, comparator, code, unit, system)


@lru_cache(maxsize=4096)  # 13.2 g/dL is 13.2 g/dL in any chart
def _read_quantity(
    analyte: str, number: bytes, comparator: str | None, code: str | None, unit: str | None, system: str | None
) -> Measured:
    """`number` is JSON as sent: 48 and 48.0 are recorded as they were written."""
    try:
        value = read_decimal(Raw(number))
    except DecimalException:
        return NO_NUMBER
    if value is None:
        return NO_VALUE
    recorded = f"{comparator or ''}{value} {unit or code or ''}".strip()
    return _convert(analyte, value, recorded, comparator, code, unit, system)


def _convert(
    analyte: str,
    number: Decimal,
    recorded: str,
    comparator: str | None = None,
    code: str | None = None,
    unit: str | None = None,
    system: str | None = None,
) -> Measured:
    converted = units.convert(analyte, number, code, unit, system)
    if isinstance(converted, units.UnitProblem):
        return Measured(None, recorded, converted.kind, converted.text, likely_percent=converted.likely_percent)
    value = units.read_value(analyte, converted.value, comparator)
    if value is not None:
        return Measured(value, recorded, note=converted.note)
    if comparator:
        return Measured(None, recorded, RejectedBecause.CENSORED, "nothing plausible is left of it", converted.note)
    return Measured(None, recorded, RejectedBecause.IMPLAUSIBLE, "outside the plausible range", converted.note)


def _measure_text(analyte: str, text: str) -> Measured:
    """A text result is read if it carries its unit (R-10)."""
    found = _TEXT.match(text)
    if not found:
        return Measured(None, text, RejectedBecause.UNREADABLE, "the text is no result")
    comparator, number, unit = found.groups()
    comparator = _COMPARATORS.get(comparator, comparator) if comparator else None
    value = Decimal(number.replace(",", "."))
    return _convert(analyte, value, text.strip(), comparator, unit=unit.strip() if unit else None)


def _analyzer(observation: Observation) -> str:
    device = observation.device.display if observation.device and observation.device.display else ""
    return f"{device} {' '.join(texts_of(observation.method))}".strip().lower()


def _lower_limit(part: Component) -> Decimal | None:
    """referenceRange.low converted, of several the highest that is taken (R-21)."""
    if part.referenceRange is UNSET:
        return None
    limits = []
    for one in RANGES.decode(part.referenceRange) or ():
        low = one.low
        value = low.decimal() if low else None
        if low is None or value is None:
            continue
        quantity = part.valueQuantity
        unit = low.unit or (quantity.unit if quantity and not low.code else None)
        code = low.code or (quantity.code if quantity and not low.unit else None)
        converted = units.convert("phosphate", value, code, unit, low.system)
        if not isinstance(converted, units.UnitProblem) and units.is_credible_phosphate_limit(converted.value):
            limits.append(converted.value)
    return max(limits, default=None)


def _is_flagged_low(part: Component) -> bool:
    if part.interpretation is UNSET:
        return False
    concepts = CONCEPTS.decode(part.interpretation)
    return any(coding.code in _LOW for concept in as_list(concepts) for coding in concept.codings())
