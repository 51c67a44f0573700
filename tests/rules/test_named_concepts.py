"""Each condition that a rule looks for on the problem list is a value set we ship: a misspelt one finds nothing."""

import ast
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import pytest

from cds_service.clinical.value_set_files import read_shipped

ROOT = Path(__file__).resolve().parents[2]
LOOK_UP = {"find_active", "find_counting", "find_hedged"}


def asked_for() -> Iterator[tuple[str, str]]:
    """Place of each look-up, and one value set it names."""
    for path in sorted((ROOT / "cds_service" / "clinical").rglob("*.py")):
        name = ".".join(path.relative_to(ROOT).with_suffix("").parts)
        if name.endswith("problem_list"):
            continue
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in LOOK_UP:
                names = vars(import_module(name))
                for concept in eval(ast.unparse(node.args[1]), names):  # noqa: S307  # a constant of the module
                    yield f"{name}:{node.lineno}", concept


ASKED = sorted(set(asked_for()))


@pytest.mark.parametrize(("place", "concept"), ASKED, ids=[f"R-02a {place} {concept}" for place, concept in ASKED])
def test_r_02a_a_condition_looked_for_has_a_value_set(place: str, concept: str) -> None:
    assert concept in read_shipped(), place


def test_r_02a_every_look_up_is_seen() -> None:
    assert len({place for place, _ in ASKED}) >= 15
