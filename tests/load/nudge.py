"""Nudges every clinical number by its last digit, both ways: each nudge has to make some rule test fail.

mutmut leaves constants alone, so this run covers what stands above the code. `make nudge`; slow.

    python tests/load/nudge.py [--workers 2] [--only zones.py,units.py] [--list]
"""

import argparse
import ast
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from pathlib import Path
from queue import Queue

ROOT = Path(__file__).resolve().parents[2]
CLINICAL = ROOT / "cds_service" / "clinical"
# Bibliography, names and limits of memory and of text hold no number a decision rests on.
LEFT_OUT = {
    "citations.py",
    "rule_index.py",
    "drug_names.py",
    "condition_names.py",
    "value_set_files.py",
    "coding_systems.py",
    "codes.py",
    "wording.py",
    "expectations.py",
}
TECHNICAL = {
    "LONGEST_TEXT",
    "MOST_SPELLINGS",
    "_MOST_SPELLINGS",
    "MOST_MONTHS",
    "REMEMBERED",
    "_FIRST_YEAR",
    "_LAST_YEAR",
    "KEPT_DAYS",
}
TESTS = ("tests/rules",)
SLOW = (
    "tests/rules/test_properties.py",
    "tests/rules/test_rule_coverage.py",
    "tests/rules/test_names.py",
    "tests/rules/test_value_sets.py",
)
NAMED_LIKE = {
    "zones": ("test_decision_zones.py", "test_boundaries.py", "test_hemoglobin.py"),
    "courses": ("test_courses.py", "test_doses.py"),
    "order_dose": ("test_ceilings.py", "test_products.py"),
    "planned_course": ("test_doses.py",),
    "screening": ("test_results.py",),
    "specimen_time": ("test_results.py",),
    "strengths": ("test_strengths.py",),
    "windows": ("test_card_rules.py",),
    "specimen": ("test_data_lines.py",),
    "data": ("test_data_lines.py",),
}


@dataclass(frozen=True)
class Nudge:
    path: Path
    name: str
    line: int
    start: int  # offsets in the file
    end: int
    old: str
    new: str

    @property
    def shown(self) -> str:
        return f"{self.path.relative_to(ROOT)}:{self.line} {self.name}: {self.old} -> {self.new}"


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--only", default="")
    parser.add_argument("--list", action="store_true")
    options = parser.parse_args()
    only = set(filter(None, options.only.split(",")))
    nudges = [
        nudge
        for path in sorted(CLINICAL.rglob("*.py"))
        if path.name not in LEFT_OUT and (not only or path.name in only)
        for nudge in find_nudges(path)
    ]
    if options.list:
        print(*(nudge.shown for nudge in nudges), sep="\n")
        return
    survivors = run(nudges, options.workers)
    print(f"{len(nudges)} nudges, {len(nudges) - len(survivors)} noticed, {len(survivors)} survived")
    print(*(f"survived: {nudge.shown}" for nudge in survivors), sep="\n")
    sys.exit(bool(survivors))


def find_nudges(path: Path) -> Iterator[Nudge]:
    """Numbers in upper-case constants of the module, plain or as text of a Decimal."""
    text = path.read_text(encoding="utf-8")
    starts = [0]
    for line in text.splitlines(keepends=True):
        starts.append(starts[-1] + len(line.encode()))
    for statement in ast.parse(text).body:
        name = constant_name(statement)
        if name is None or name in TECHNICAL:
            continue
        for node in ast.walk(statement):
            if isinstance(node, ast.Constant) and (number := number_of(node)) is not None:
                start = starts[node.lineno - 1] + node.col_offset
                end = starts[(node.end_lineno or node.lineno) - 1] + (node.end_col_offset or 0)
                old = text.encode()[start:end].decode()
                for new in nudged(node, number):
                    yield Nudge(path, name, node.lineno, start, end, old, new)


def constant_name(statement: ast.stmt) -> str | None:
    target = statement.targets[0] if isinstance(statement, ast.Assign) else getattr(statement, "target", None)
    return target.id if isinstance(target, ast.Name) and target.id.strip("_").isupper() else None


def number_of(node: ast.Constant) -> Decimal | None:
    if isinstance(node.value, bool) or not isinstance(node.value, int | str):
        return None
    try:
        number = Decimal(node.value)
    except InvalidOperation:
        return None
    return number if number.is_finite() else None


def nudged(node: ast.Constant, number: Decimal) -> tuple[str, str]:
    step = Decimal(1).scaleb(int(number.as_tuple().exponent))
    shown = (f"{number - step}", f"{number + step}")
    return (repr(shown[0]), repr(shown[1])) if isinstance(node.value, str) else shown


def run(nudges: list[Nudge], workers: int) -> list[Nudge]:
    """Each worker has a copy of the tree and tries one nudge after the other in it."""
    copies: Queue[Path] = Queue()
    with tempfile.TemporaryDirectory(prefix="nudge-") as folder:
        for number in range(workers):
            copy = Path(folder) / str(number)
            shutil.copytree(
                ROOT, copy, ignore=shutil.ignore_patterns(".git", ".venv*", "*cache*", "mutants", ".hypothesis")
            )
            copies.put(copy)

        def attempt(nudge: Nudge) -> bool:
            copy = copies.get()
            try:
                return survives(copy, nudge)
            finally:
                copies.put(copy)

        with ThreadPoolExecutor(workers) as pool:
            outcomes = list(pool.map(attempt, nudges))
    return [nudge for nudge, survived in zip(nudges, outcomes, strict=True) if survived]


def survives(copy: Path, nudge: Nudge) -> bool:
    """Asks the tests named like the module first, all rule tables only if those did not notice."""
    target = copy / nudge.path.relative_to(ROOT)
    original = target.read_bytes()
    target.write_bytes(original[: nudge.start] + nudge.new.encode() + original[nudge.end :])
    try:
        own = [f"tests/rules/{name}" for name in NAMED_LIKE.get(nudge.path.stem, (f"test_{nudge.path.stem}.py",))]
        own = [name for name in own if (copy / name).exists()]
        noticed = bool(own and notices(copy, own)) or notices(copy, [*TESTS, *(f"--ignore={slow}" for slow in SLOW)])
    finally:
        target.write_bytes(original)
    print("." if noticed else "S", end="", flush=True)
    return not noticed


def notices(copy: Path, arguments: list[str]) -> bool:
    command = [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", "--no-header", *arguments]
    environment = {**os.environ, "PYTHONPATH": str(copy), "PYTHONDONTWRITEBYTECODE": "1"}
    return subprocess.run(command, cwd=copy, env=environment, capture_output=True, check=False).returncode == 1


if __name__ == "__main__":
    main()
