"""Mutates the clinical rules with mutmut: nine in ten mutants of logic and arithmetic have to make a test fail.

`make mutation`; slow. It works in a copy of the tree. mutmut writes the mutants; the tests are collected once, and each
mutant is tried in a fork, by the tests that reach its function. A mutant that only changes the words of a sentence is
counted apart. What is left over is listed, with what was changed; `--again` tries only what was not noticed before
(outcomes are kept in mutants/results.json, now and then during the run too).

    python tests/load/mutation.py [--workers 2] [--only rules/dialysis.py,units.py] [--again] [--skip-wording]
        [--every 10]
"""

import argparse
import ast
import difflib
import json
import os
import shutil
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from mutation_trial import KILLED, Trial

ROOT = Path(__file__).resolve().parents[2]
CLINICAL = Path("cds_service/clinical")
RESULTS = ROOT / "mutants" / "results.json"  # git ignores the folder
TESTS = "tests/rules,tests/test_fixtures.py::test_a_request_gives_its_expected_reply"
WANTED = 0.9
HEADS = ("---", "+++")
MEMORIES = ("cache", "lru_cache")
PROPERTIES = ("property",)  # not `derived`: its facts are named like modules that annotations beside them need
LEFT_BEHIND = (".git", ".venv*", "*cache*", "mutants", ".hypothesis")


@dataclass(frozen=True)
class Mutant:
    """One change of one function; `id` is mutmut's name for it, `key` stays the same while the function does."""

    id: str
    function: str
    path: str
    key: str
    is_wording: bool
    change: str


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--only", default="", help="files below cds_service/clinical, separated by commas")
    parser.add_argument("--tests", default=TESTS, help="what pytest collects, separated by commas")
    parser.add_argument("--again", action="store_true", help="only what was not noticed in the run before")
    parser.add_argument("--skip-wording", action="store_true")
    parser.add_argument("--every", type=int, default=1, help="a sample: each nth mutant only")
    options = parser.parse_args()
    before: dict[str, str] = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    with tempfile.TemporaryDirectory(prefix="mutation-") as folder:
        copy = Path(folder) / "copy"
        shutil.copytree(ROOT, copy, ignore=shutil.ignore_patterns(*LEFT_BEHIND))
        os.chdir(copy)
        mutants = [mutant for path in chosen(options.only) for mutant in write_mutants(path)]
        wanted = [mutant for mutant in mutants if not (options.skip_wording and mutant.is_wording)]
        if options.again:
            wanted = [mutant for mutant in wanted if before.get(mutant.key) not in KILLED]
        wanted = wanted[:: options.every]
        print(f"{len(mutants)} mutants, {len(wanted)} to try", flush=True)
        keys = {mutant.id: mutant.key for mutant in wanted}

        def save(found: Mapping[str, str]) -> None:
            before.update({keys[name]: outcome for name, outcome in found.items()})
            RESULTS.parent.mkdir(exist_ok=True)
            RESULTS.write_text(json.dumps(before, indent=0))

        trial = Trial([(mutant.id, mutant.function) for mutant in wanted], options.workers, save)
        trial.run(options.tests.split(","))
        save(trial.outcomes)
    sys.exit(report(mutants, before))


def chosen(only: str) -> list[Path]:
    """Files to mutate, relative to the copy, which is the working directory."""
    wanted = {CLINICAL / name for name in only.split(",") if name}
    return [path for path in sorted(CLINICAL.rglob("*.py")) if not wanted or path in wanted]


def write_mutants(path: Path) -> Iterator[Mutant]:
    """Replaces the file of the copy by one with all its mutants, which the environment switches on one at a time."""
    from mutmut.mutation.file_mutation import mutate_file_contents

    mutated = mutate_file_contents(str(path), undecorate(path.read_text(encoding="utf-8")))
    path.write_text(mutated.code, encoding="utf-8")
    module = ".".join(path.with_suffix("").parts)
    functions = {node.name: node for node in ast.walk(ast.parse(mutated.code)) if isinstance(node, ast.FunctionDef)}
    written: dict[str, list[str]] = {}  # functions as they are, by mutmut's name
    for name in mutated.mutant_names:
        stem, _, _ = name.rpartition("__mutmut_")
        old, new = functions[f"{stem}__mutmut_orig"], functions[name]
        new.name = old.name
        if stem not in written:
            written[stem] = ast.unparse(old).splitlines()
        before, after = written[stem], ast.unparse(new).splitlines()
        lines = [line for line in difflib.unified_diff(before, after, n=0, lineterm="") if line[:3] not in HEADS]
        change = "\n    ".join(line for line in lines if not line.startswith("@@"))
        key = sha256(f"{path} {old.name} {after}".encode()).hexdigest()
        yield Mutant(f"{module}.{name}", f"{module}.{stem}", str(path), key, is_wording(old, new), change)


def undecorate(text: str) -> str:
    """mutmut passes over decorated functions: a memory is taken off, a property made by a line after its function."""
    lines = text.splitlines()
    for node in sorted(ast.walk(ast.parse(text)), key=lambda one: -getattr(one, "lineno", 0)):
        if not isinstance(node, ast.FunctionDef) or len(node.decorator_list) != 1:
            continue
        maker = ast.unparse(node.decorator_list[0]).partition("(")[0]
        if maker in PROPERTIES:
            lines.insert(node.end_lineno or 0, f"{' ' * node.col_offset}{node.name} = {maker}({node.name})")
        if maker in PROPERTIES or maker in MEMORIES:
            del lines[node.decorator_list[0].lineno - 1 : node.lineno - 1]
    return "\n".join(lines) + "\n"


def is_wording(old: ast.AST, new: ast.AST) -> bool:
    """Whether only the words of a sentence differ; codes, units, keys and states are no sentences."""
    parents = [old]
    while (pair := next_difference(old, new)) is not None:
        old, new = pair
        parents.append(old)
    gone = isinstance(new, ast.Constant) and new.value is None
    if not (isinstance(new, ast.Constant) and isinstance(new.value, str)) and not gone:
        return False
    if isinstance(old, ast.JoinedStr):
        return True
    if not (isinstance(old, ast.Constant) and isinstance(old.value, str)):
        return False
    is_sentence = any(map(str.isalpha, old.value)) and " " in old.value.strip()
    joins = isinstance(parents[-2], ast.Attribute) and parents[-2].attr == "join"
    return is_sentence or joins or isinstance(parents[-2], ast.JoinedStr)


def next_difference(old: ast.AST, new: ast.AST) -> tuple[ast.AST, ast.AST] | None:
    """The one child in which two nodes of a kind differ; None where they differ themselves or in several."""
    if type(old) is not type(new):
        return None
    pairs = []
    for field in old._fields:
        one, other = getattr(old, field, None), getattr(new, field, None)
        ones, others = (one, other) if isinstance(one, list) and isinstance(other, list) else ([one], [other])
        if len(ones) != len(others):
            return None
        pairs += [pair for pair in zip(ones, others, strict=True) if shown(pair[0]) != shown(pair[1])]
    if len(pairs) != 1 or not all(isinstance(node, ast.AST) for node in pairs[0]):
        return None
    return pairs[0]


def shown(node: object) -> str:
    return ast.dump(node) if isinstance(node, ast.AST) else repr(node)


def report(mutants: list[Mutant], outcomes: dict[str, str]) -> int:
    """Prints what was left over and the figures per file; 1 if fewer than nine in ten of the logic were noticed."""
    logic: dict[str, Counter[bool]] = {}
    wording: dict[str, Counter[bool]] = {}
    for mutant in mutants:
        if (outcome := outcomes.get(mutant.key)) is None:
            continue
        (wording if mutant.is_wording else logic).setdefault(mutant.path, Counter())[outcome in KILLED] += 1
        if outcome not in KILLED:
            kind = " (wording)" if mutant.is_wording else ""
            print(f"{outcome}{kind}: {mutant.id.removeprefix('cds_service.clinical.')}\n    {mutant.change}")
    print("\nkilled of logic and arithmetic; of wording")
    for path in sorted({*logic, *wording}):
        print(f"{share(logic.get(path)):>22} {share(wording.get(path)):>22}  {Path(path).relative_to(CLINICAL)}")
    total = sum(logic.values(), Counter())
    print(f"{share(total):>22} {share(sum(wording.values(), Counter())):>22}  together")
    return int(total[True] < WANTED * total.total())


def share(counts: Counter[bool] | None) -> str:
    if not counts:
        return "-"
    return f"{counts[True]} of {counts.total()} ({counts[True] / counts.total():.1%})"


if __name__ == "__main__":
    main()
