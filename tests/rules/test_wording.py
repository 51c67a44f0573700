"""R-55: what the rules may say. Read from their source, so that a sentence no test reaches is checked as well."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from cds_service.clinical import rules
from cds_service.clinical.citations import CITATIONS
from cds_service.clinical.rule_index import INDEX

FILES = sorted(Path(rules.__file__).parent.glob("*.py"))
FORBIDDEN = re.compile(r"\b(must|guarantee[ds]?|will respond|is safe|cures?)\b", re.IGNORECASE)


def sentences(source: str) -> Iterator[str]:
    """String constants that hold words, docstrings apart."""
    tree = ast.parse(source)
    docstrings = {
        id(node.body[0].value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Module | ast.FunctionDef | ast.ClassDef)
        and node.body
        and isinstance(node.body[0], ast.Expr)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docstrings:
            yield node.value


@pytest.mark.parametrize("path", FILES, ids=lambda path: f"R-55 {path.stem}")
def test_r_55_no_rule_commands_or_promises(path: Path) -> None:
    assert [said for said in sentences(path.read_text(encoding="utf-8")) if FORBIDDEN.search(said)] == []


def test_r_55_no_source_or_title_commands_or_promises() -> None:
    told = [*(one.says for one in CITATIONS), *(one.title for one in INDEX), *(one.title for one in rules.RULES)]
    assert [said for said in told if FORBIDDEN.search(said)] == []


@pytest.mark.parametrize("said", ["You must infuse.", "Response is guaranteed.", "This patient will respond."])
def test_r_55_the_check_finds_such_words(said: str) -> None:
    assert FORBIDDEN.search(said)
