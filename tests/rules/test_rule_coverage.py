"""Every rule and part of the rule book is exercised by a test that names it; read from the source of the tests.

`pytest tests/rules/test_rule_coverage.py -rP` lists each rule with the files whose tests name it.
"""

import ast
import re
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path

import pytest

from cds_service.clinical.case import Rule
from cds_service.clinical.rule_index import INDEX, Kind
from cds_service.clinical.rules import RULES

TESTS = Path(__file__).parents[1]
# "R-26a", "R-26a (text)"; in a function name r_26a. Section 3.1 has no rule id of its own.
_WRITTEN = re.compile(r"\b(R-\d\d[a-e]?|3\.1)(?![\w])")
_IN_NAME = re.compile(r"(?:^|_)(r_\d\d[a-e]?|3_1)(?=_|$)")


def ids_in_name(name: str) -> set[str]:
    return {found.replace("r_", "R-").replace("3_1", "3.1") for found in _IN_NAME.findall(name)}


def ids_named_by(source: str) -> set[str]:
    """Ids in names of test functions, and in strings that are not docstrings (ids of table rows)."""
    found: set[str] = set()
    docstrings = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Module | ast.FunctionDef | ast.ClassDef) and node.body:
            first = node.body[0]
            if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant):
                docstrings.add(id(first.value))
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
            found |= ids_in_name(node.name)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docstrings:
            found |= set(_WRITTEN.findall(node.value))
    return found


@cache
def exercised() -> dict[str, list[str]]:
    """Rule id -> test files that name it."""
    by_rule: dict[str, list[str]] = {}
    for path in sorted((TESTS / "rules").rglob("test_*.py")):
        if path != Path(__file__):
            for rule_id in ids_named_by(path.read_text(encoding="utf-8")):
                by_rule.setdefault(rule_id, []).append(str(path.relative_to(TESTS)))
    return by_rule


def find_unexercised(rule_ids: Iterable[str], by_rule: Mapping[str, list[str]]) -> list[str]:
    return [rule_id for rule_id in rule_ids if not by_rule.get(rule_id)]


@pytest.mark.parametrize("rule_id", [entry.id for entry in INDEX])
def test_every_rule_is_exercised_by_a_test_that_names_it(rule_id: str) -> None:
    print(f"{rule_id}: {', '.join(exercised().get(rule_id, ['no test']))}")  # noqa: T201  # the list, with -rP
    assert find_unexercised([rule_id], exercised()) == []


def test_a_rule_that_no_test_names_is_found() -> None:
    unknown = "R-" + "99"  # in parts, as a rule named here would count
    assert find_unexercised(["R-22", unknown], exercised()) == [unknown]
    assert find_unexercised(["R-22"], {"R-22": []}) == ["R-22"]


def _base(rule_id: str) -> str:
    return rule_id.partition(" ")[0]


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.id)
def test_every_rule_of_the_service_is_in_the_index(rule: Rule) -> None:
    base = _base(rule.id)
    assert any(entry.id == base or entry.id[:-1] == base for entry in INDEX)


def test_the_index_lists_each_id_once_with_title_and_basis() -> None:
    ids = [entry.id for entry in INDEX]
    assert len(set(ids)) == len(ids)
    assert all(entry.title and entry.basis and set(entry.basis) <= {"V", "V2", "GK", "D"} for entry in INDEX)


def test_the_index_has_every_number_of_the_rule_book() -> None:
    numbers = {int(entry.id[2:4]) for entry in INDEX if entry.id.startswith("R-")}
    assert numbers == set(range(1, 57))


def test_every_kind_of_rule_is_in_use() -> None:
    assert {entry.kind for entry in INDEX} == set(Kind)


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        pytest.param("def test_r_26a_alone(): ...", {"R-26a"}, id="function name"),
        pytest.param("def test_r_08_and_r_41c(): ...", {"R-08", "R-41c"}, id="two in a name"),
        pytest.param("ROWS = [('R-17 ceiling', 1)]", {"R-17"}, id="row of a table"),
        pytest.param(
            "def test_x():\n    'R-17 in a docstring'",
            set(),
            id="docstring does not count",
        ),
        pytest.param("# R-17 in a comment", set(), id="comment does not count"),
        pytest.param("X = 'R-26abc R-171'", set(), id="longer words do not count"),
        pytest.param("def test_3_1_failed(): ...", {"3.1"}, id="section 3.1"),
    ],
)
def test_ids_are_found_where_a_test_names_them(source: str, expected: set[str]) -> None:
    assert ids_named_by(source) == expected
