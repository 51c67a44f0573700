"""The list of all numbers of the clinical core, which the knowledge hash covers: by name, as the rule book has them."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from enum import Enum, IntEnum
from re import compile as pattern
from typing import Any

import pytest

from cds_service.clinical import numbers
from cds_service.clinical.case import Threshold
from cds_service.clinical.interval import Interval
from cds_service.clinical.numbers import read_numbers
from tests.rules.test_units import FACTORS

D = Decimal
LISTED = dict(read_numbers())


@pytest.mark.parametrize(
    ("name", "text"),
    [
        pytest.param("results.LAB_DAYS", "90", id="R-08 a whole number"),
        pytest.param("specimen_time.SUPERSEDING_MG", "500", id="R-28b a decimal number"),
        pytest.param("zones.PHOSPHATE_DEFAULT_LIMIT", "2.5", id="R-21 a decimal fraction"),
        pytest.param("response.RESPONDER_FALL", "0.40", id="R-49a with its last digit"),
        pytest.param("units.SEVERITY_RANGE", "(0, 40)", id="R-49 a pair"),
        pytest.param(
            "screening.COUNTED", "amended: 2, corrected: 3, final: 1", id="R-07 a table, in order of its keys"
        ),
        pytest.param(
            "units.LIKELY_FRACTION", "(low 0.45, high 1.0, low_closed True, high_closed True)", id="R-26e an interval"
        ),
        pytest.param(
            "zones.CRP_ZONES",
            "((low None, high 5, low_closed False, high_closed True),"
            " (low 5, high None, low_closed False, high_closed False))",
            id="R-27 several intervals",
        ),
        pytest.param("units._ONLY_ZERO", "0", id="R-11 a set"),
        pytest.param("courses.COURSE_MG_PER_KG", "fcm: 30, ferric-derisomaltose: 20", id="R-41a a table by product"),
        pytest.param(
            "rules.scope.ADULT_AGE", "(name adult from, value 18, unit years)", id="R-03 a threshold of a rule"
        ),
        pytest.param("units._DAYS_OF_UNIT", "d: 1, day: 1, days: 1, week: 7, weeks: 7, wk: 7", id="R-20e by spelling"),
    ],
)
def test_a_number_is_listed_by_name_as_it_stands(name: str, text: str) -> None:
    assert LISTED[name] == text


def test_r_05_every_factor_is_listed_with_both_its_sides() -> None:
    listed = LISTED["units.FACTORS"]
    for analyte, unit, times, over in FACTORS:
        assert f"({analyte}, {unit.lower()}): (unit {unit}, multiply {times}, divide {over}" in listed


def test_numbers_are_listed_in_the_order_of_modules_and_each_once() -> None:
    names = [name for name, _ in read_numbers()]
    assert len(set(names)) == len(names)
    modules = list(dict.fromkeys(name.rpartition(".")[0] for name in names))
    assert modules == [one for one in numbers.MODULES if one in modules]
    own = [name for name in names if name.startswith("specimen_time.")]
    assert own == ["specimen_time.BLACKOUT_DAYS", "specimen_time.SETTLED_DAYS", "specimen_time.SUPERSEDING_MG"]


def test_a_number_imported_from_another_module_is_listed_there_alone() -> None:
    assert "weight.EVIDENCE_DAYS" not in LISTED
    assert LISTED["pregnancy.EVIDENCE_DAYS"] == "300"


def test_words_and_what_is_exported_by_itself_are_not_listed() -> None:
    for name in ("screening.PRELIMINARY", "weight.ACTUAL", "reading.NAMES", "rules.scope.RULES", "schedule.CONTACTS"):
        assert name not in LISTED


# ----------------------------------------------------------------------------------- how a constant is told


@pytest.mark.parametrize(
    ("source", "names"),
    [
        pytest.param("A = 1", ["A"], id="R-54 a constant"),
        pytest.param("A: int = 1", ["A"], id="R-54 with its type"),
        pytest.param("_A = 1", ["_A"], id="R-54 of the module alone"),
        pytest.param("A, B = 1, 2", ["A", "B"], id="R-54 two at once"),
        pytest.param("A = B = 1", ["A", "B"], id="R-54 two names of one"),
        pytest.param("a = 1", [], id="R-54 a variable"),
        pytest.param("Zone = 1", [], id="R-54 a type"),
        pytest.param("def f():\n    A = 1", [], id="R-54 within a function"),
        pytest.param("x.A = 1", [], id="R-54 of something else"),
        pytest.param("B = 1\nA = 2", ["B", "A"], id="R-54 in the order of the file"),
        pytest.param("from x import A", [], id="R-54 imported"),
    ],
)
def test_constants_are_found_where_they_are_assigned(source: str, names: list[str]) -> None:
    assert list(numbers._assigned(source)) == names


class Colour(Enum):
    RED = "red"


class Level(IntEnum):
    LOW = 1


@dataclass(frozen=True)
class Rule:
    limit: int


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        pytest.param(1, True, id="R-54 a whole number"),
        pytest.param(D(1), True, id="R-54 a decimal number"),
        pytest.param(True, False, id="R-54 yes or no is no number"),
        pytest.param(Level.LOW, False, id="R-54 a rank is no number"),
        pytest.param("90", False, id="R-54 a word"),
        pytest.param(None, False, id="R-54 nothing"),
        pytest.param((), False, id="R-54 an empty list"),
        pytest.param(("a", 1), True, id="R-54 in a pair"),
        pytest.param(["a", 1], True, id="R-54 in a list"),
        pytest.param({"a", 1}, True, id="R-54 in a set"),
        pytest.param(frozenset({1}), True, id="R-54 in a frozen set"),
        pytest.param({"a": 1}, True, id="R-54 as a value of a table"),
        pytest.param({1: "a"}, True, id="R-54 as a key of a table"),
        pytest.param({"a": "b"}, False, id="R-54 a table of words"),
        pytest.param({"a": ("b", (1,))}, True, id="R-54 deep within"),
        pytest.param(Threshold("x", 1, "d"), True, id="R-54 in a threshold"),
        pytest.param(Threshold, False, id="R-54 a type"),
        pytest.param(Interval.below(D(1)), True, id="R-10 in an interval"),
        pytest.param(Interval(), False, id="R-10 in no end of an interval"),
    ],
)
def test_a_constant_is_listed_if_there_is_a_number_in_it(value: Any, expected: bool) -> None:
    assert numbers._holds_number(value) is expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        pytest.param(Rule(1), True, id="R-54 a rule"),
        pytest.param((1, Rule(1)), True, id="R-54 rules among numbers"),
        pytest.param({"a": Rule(1)}, True, id="R-54 a table of rules"),
        pytest.param(Threshold("x", 1, "d"), False, id="R-54 a threshold"),
        pytest.param((1, 2), False, id="R-54 numbers"),
    ],
)
def test_rules_contacts_and_citations_are_hashed_by_themselves(value: Any, expected: bool) -> None:
    assert numbers._is_elsewhere(value) is expected


def yields() -> Iterator[int]:
    yield 1


@pytest.mark.parametrize(
    ("value", "text"),
    [
        pytest.param(1, "1", id="R-54 whole"),
        pytest.param(D("1.50"), "1.50", id="R-54 decimal, as written"),
        pytest.param("word", "word", id="R-54 word"),
        pytest.param(None, "None", id="R-54 nothing"),
        pytest.param(date(2026, 3, 10), "2026-03-10", id="R-54 day"),
        pytest.param(Colour.RED, "red", id="R-54 name of a list"),
        pytest.param(Level.LOW, "1", id="R-54 rank"),
        pytest.param({"b": 2, "a": 1}, "a: 1, b: 2", id="R-54 table in order of its keys"),
        pytest.param({Colour.RED: (1,)}, "red: (1)", id="R-54 table of pairs"),
        pytest.param(frozenset({"b", "a"}), "a, b", id="R-54 set in order"),
        pytest.param({"b", "a"}, "a, b", id="R-54 changeable set in order"),
        pytest.param((2, 1), "(2, 1)", id="R-54 list in its own order"),
        pytest.param([2, 1], "(2, 1)", id="R-54 changeable list"),
        pytest.param(Rule(3), "(limit 3)", id="R-54 fields by name"),
        pytest.param(Threshold("x", 1, "d"), "(name x, value 1, unit d)", id="R-54 several fields"),
        pytest.param(pattern("a+"), "a+", id="R-54 pattern of a text"),
        pytest.param(yields, "yields", id="R-54 function by name"),
        pytest.param(Rule, "Rule", id="R-54 type by name"),
        pytest.param(object(), "object", id="R-54 anything else by its type, without address"),
    ],
)
def test_a_constant_is_written_without_what_differs_between_machines(value: Any, text: str) -> None:
    assert numbers._write(value) == text
