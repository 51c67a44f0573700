"""Nudges every clinical number by its last digit, both ways: each nudge has to make some rule test fail.

mutmut leaves constants alone, so this run covers what stands above the code. `make nudge`; slow.

    python tests/load/nudge.py [--workers 2] [--only zones.py,units.py] [--list]
"""

import argparse
import ast
import contextlib
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from importlib import import_module
from multiprocessing import get_context
from pathlib import Path

import plain_calls
import pytest
from plain_calls import ENVIRONMENT, OPTIONS

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
# No patient, result or dose is compared with these; each with the reason.
TECHNICAL = {
    "LONGEST_TEXT": "limit of memory",
    "MOST_SPELLINGS": "limit of memory",
    "_MOST_SPELLINGS": "limit of memory",
    "MOST_MONTHS": "limit of time",
    "REMEMBERED": "limit of memory",
    "EARLIEST": "end of the calendar: nobody was infused before 1900",
    "_FIRST_YEAR": "end of the calendar",
    "_LAST_YEAR": "end of the calendar",
    "KEPT_DAYS": "older results decide nothing; has to be more than each window, which test_no_page_ends checks",
    "_PLACES": "of these only the exponent is used",
    "_TENTH": "of this only the exponent is used",
    "MOST_COURSES": "courses drawn in one chart",
}
# Nudges that change nothing: (name, from, to) -> why.
SAME = {
    (
        "LIKELY_FRACTION",
        '"1.0"',
        "'1.1'",
    ): "what is above HIGHEST_DOUBTFUL_PERCENT, 1.0, is taken as a percentage before",
    ("COUNTED", "3", "4"): "only the order counts",
    ("EXCEPTION_FROM", "28", "27"): "no result of day 27 is usable: it lies within BLACKOUT_DAYS of the dose (R-09)",
    ("COUNTED", "1", "0"): "only the order counts",
    ("BANDS", "40", "39"): "the last band has no upper end: its name is given to whatever is above the one before",
    ("BANDS", "40", "41"): "the last band has no upper end: its name is given to whatever is above the one before",
}
TESTS = ("tests/rules",)
SLOW = (
    "tests/rules/test_properties.py",
    "tests/rules/test_rule_coverage.py",
    "tests/rules/test_names.py",
    "tests/rules/test_value_sets.py",
)
REPEATS = ("tests/rules/test_numbers.py",)  # names constants by their value, and so would notice what no rule does
NAMED_LIKE = {
    "zones": ("rules/test_decision_zones.py", "rules/test_boundaries.py", "rules/test_hemoglobin.py"),
    "courses": ("rules/test_courses.py", "rules/test_doses.py"),
    "order_dose": ("rules/test_ceilings.py", "rules/test_products.py"),
    "planned_course": ("rules/test_doses.py",),
    "results": ("rules/test_result_dates.py", "rules/test_other_results.py", "rules/test_set_aside_tsat.py"),
    "screening": ("rules/test_result_reports.py",),
    "selection": ("rules/test_results.py",),
    "specimen_time": ("rules/test_iron_clocks.py", "rules/test_draw_days.py"),
    "strengths": ("rules/test_strengths.py",),
    "windows": ("rules/test_card_rules.py", "fhir/test_pages.py"),
    "bands": ("web/test_smart_story.py",),
    "candidate": ("rules/test_follow_up_candidate.py",),
    "contacts": ("rules/test_follow_up_contacts.py",),
    "course": ("rules/test_follow_up_days.py",),
    "interpretation": ("rules/test_follow_up_days.py",),
    "repletion": ("rules/test_follow_up_days.py",),
    "view": ("rules/test_follow_up_days.py",),
    "units": ("rules/test_units.py", "rules/test_response.py"),
    "specimen": ("rules/test_data_lines.py",),
    "data": ("rules/test_data_lines.py",),
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
        unused = set(map(id, find_stand_ins(statement)))
        for node in ast.walk(statement):
            if isinstance(node, ast.Constant) and id(node) not in unused and (number := number_of(node)) is not None:
                start = starts[node.lineno - 1] + node.col_offset
                end = starts[(node.end_lineno or node.lineno) - 1] + (node.end_col_offset or 0)
                old = text.encode()[start:end].decode()
                for new in nudged(node, number):
                    if (name, old, new) not in SAME:
                        yield Nudge(path, name, node.lineno, start, end, old, new)


def find_stand_ins(statement: ast.stmt) -> Iterator[ast.AST]:
    """`zone.high or Decimal(0)`: the zones have that end, the rest is there for the type."""
    for node in ast.walk(statement):
        if isinstance(node, ast.BoolOp) and isinstance(node.op, ast.Or):
            for operand in node.values[1:]:
                yield from ast.walk(operand)


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
    load_what_stays()
    with (
        tempfile.TemporaryDirectory(prefix="nudge-") as folder,
        get_context("fork").Pool(workers, open_copy, (Path(folder),)) as pool,
    ):
        outcomes = pool.map(survives, nudges, chunksize=1)
    return [nudge for nudge, survived in zip(nudges, outcomes, strict=True) if survived]


def load_what_stays() -> None:
    """Packages of others, once: forks then import only what a nudge could reach, our own modules and the tests."""
    for name in ("hypothesis", "msgspec", "flask", "sqlalchemy", "jwt", "requests", "jsonschema", "pydantic_settings"):
        import_module(name)
    os.environ.update(ENVIRONMENT)


def open_copy(folder: Path) -> None:
    copy = folder / str(os.getpid())
    shutil.copytree(ROOT, copy, ignore=shutil.ignore_patterns(".git", ".venv*", "*cache*", "mutants", ".hypothesis"))
    os.chdir(copy)
    sys.path.insert(0, str(copy))
    del os.environ["PYTHONDONTWRITEBYTECODE"]  # compiled once, so that a fork compiles only what is nudged
    others = {name for names in NAMED_LIKE.values() for name in names if not name.startswith("rules/")}
    if notices([*TESTS, *(f"tests/{name}" for name in others)]):
        raise RuntimeError("the tests fail before anything is nudged")
    os.environ.update(ENVIRONMENT)


def survives(nudge: Nudge) -> bool:
    """Asks the tests named like the module first, all rule tables only if those did not notice."""
    target = nudge.path.relative_to(ROOT)
    original = target.read_bytes()
    target.write_bytes(original[: nudge.start] + nudge.new.encode() + original[nudge.end :])
    try:
        own = NAMED_LIKE.get(nudge.path.stem, (f"rules/test_{nudge.path.stem}.py",))
        own = [f"tests/{name}" for name in own if Path("tests", name).exists()]
        passed_over = [f"--ignore={one}" for one in SLOW + REPEATS]
        noticed = any(notices([one]) for one in own) or notices([*TESTS, *passed_over])
    finally:
        target.write_bytes(original)
    print("." if noticed else "S", end="", flush=True)
    return not noticed


def notices(arguments: list[str]) -> bool:
    """Whether a test fails, in a fork: modules are imported anew each time."""
    child = os.fork()
    if not child:
        sys.dont_write_bytecode = bool(os.environ.get("PYTHONDONTWRITEBYTECODE"))
        for stream in (1, 2):
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream)
        with contextlib.suppress(BaseException):
            os._exit(pytest.main([*OPTIONS, *arguments], plugins=[plain_calls]))
        os._exit(1)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) != 0


if __name__ == "__main__":
    main()
