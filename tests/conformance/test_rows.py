"""The matrix of rows: complete, in our own words, and bound to tests that exist."""

import ast
from functools import cache
from pathlib import Path

import pytest

from cds_service.conformance.rows import Basis, Row, Shown, load_rows
from tests.conformance.build_matrix import MOST_TESTS, find_tests

ROOT = Path(__file__).resolve().parents[2]
LONGEST = 100  # characters of a requirement: short, and no sentence of a specification
ROWS = load_rows()


def test_there_are_256_rows_in_order() -> None:
    assert [row.id for row in ROWS] == [f"CH-{number:03}" for number in range(1, 257)]


def test_levels_are_counted_as_in_the_checklist() -> None:
    counted = {level: sum(row.level == level for row in ROWS) for level in {row.level for row in ROWS}}
    assert counted == {"SHALL": 108, "SHOULD": 91, "MAY": 40, "SHALL NOT": 14, "SHOULD NOT": 3}
    assert sum(row.basis is Basis.HOUSE for row in ROWS) == 36


@pytest.mark.parametrize("row", ROWS, ids=[row.id for row in ROWS])
def test_each_row_says_what_it_asks_and_how_that_is_shown(row: Row) -> None:
    assert 10 <= len(row.requirement) <= LONGEST
    assert row.tests or row.note, "neither a test nor a word on how it is shown"
    assert row.shown is not Shown.TEST or row.tests


@cache
def functions_of(path: str) -> set[str]:
    tree = ast.parse((ROOT / path).read_bytes())
    return {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}


@pytest.mark.parametrize("row", [row for row in ROWS if row.tests], ids=lambda row: row.id)
def test_each_test_a_row_names_exists(row: Row) -> None:
    for name in row.tests:
        path, _, function = name.partition("::")
        assert (ROOT / path).is_file(), f"{name}: run `make matrix`"
        assert not function or function in functions_of(path), f"{name}: run `make matrix`"


def test_the_tests_of_each_row_are_up_to_date() -> None:
    found = find_tests()
    stale = [row.id for row in ROWS if list(row.tests) != found.get(row.id, [])[:MOST_TESTS]]
    assert not stale, "run `make matrix`"


def test_what_binds_is_what_the_2_0_1_text_demands() -> None:
    binding = {row.id for row in ROWS if row.is_binding}
    assert {"CH-001", "CH-091", "CH-110", "CH-124", "CH-140"} <= binding
    assert not {"CH-092", "CH-238", "CH-213", "CH-007"} & binding  # derived, 3.0, practice, 1.0
