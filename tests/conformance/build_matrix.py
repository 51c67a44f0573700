"""Writes tests and results into the matrix of rows, `make matrix`; texts and how a row is shown stay as they are."""

import ast
import json
import re
import sys
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
MATRIX = ROOT / "cds_service" / "conformance" / "rows.json"
MOST_TESTS = 4
_RANGE = re.compile(r"ch_(\d{3})_to_ch_(\d{3})")
_ONE = re.compile(r"ch_(\d{3})")
_TRUST = "tests/spec/test_trust.py"
_FEEDBACK = "tests/spec/test_feedback.py"
_HOSTILE, _ODD = f"{_TRUST}::test_a_bad_token_is_refused_without_a_word", f"{_TRUST}::test_an_odd_but_good_token_opens"
_ENDPOINTS = f"{_TRUST}::test_a_token_is_good_for_the_endpoint_it_names"
_ITEMS = (f"{_FEEDBACK}::test_good_items_are_taken", f"{_FEEDBACK}::test_a_bad_item_does_not_lose_the_others")
# Tests that carry their rows in a table or in a docstring, or show a row without naming it.
ALSO: dict[str, tuple[str, ...]] = {
    "CH-008": ("tests/spec/test_transport.py::test_ch_001_every_refusal_is_json",),
    "CH-016": ("tests/spec/test_protected_paths.py::test_without_a_token_each_path_answers_as_the_table_says",),
    "CH-047": ("tests/rules/test_duplicates.py",),
    "CH-048": ("tests/fhir/test_gather.py::test_another_patient_in_place_of_the_one_asked_for_is_not_used",),
    "CH-097": ("tests/fhir/test_gather.py::test_ch_085_each_key_is_asked_once_as_announced",),
    "CH-168": ("tests/spec/test_links.py::test_ch_146_ch_164_ch_165_ch_166_every_link_is_labelled_and_absolute",),
    "CH-169": ("tests/spec/test_links.py::test_ch_146_ch_164_ch_165_ch_166_every_link_is_labelled_and_absolute",),
    "CH-174": (f"{_FEEDBACK}::test_ch_189_success_is_a_json_object_with_a_member",),
    "CH-175": (f"{_FEEDBACK}::test_ch_189_success_is_a_json_object_with_a_member",),
    "CH-177": _ITEMS,
    "CH-178": _ITEMS[1:],
    "CH-179": _ITEMS,
    "CH-180": _ITEMS[:1],
    "CH-181": _ITEMS,
    "CH-182": _ITEMS,
    "CH-185": ("tests/reports/test_burden.py::test_ch_185_silence_is_not_counted_as_override",),
    "CH-186": _ITEMS[:1],
    "CH-193": ("tests/spec/test_protected_paths.py::test_without_a_token_each_path_answers_as_the_table_says",),
    "CH-196": (_HOSTILE,),
    "CH-197": (_HOSTILE,),
    "CH-198": (_ODD,),
    "CH-200": (_HOSTILE,),
    "CH-201": (_HOSTILE, _ODD),
    "CH-202": (_HOSTILE,),
    "CH-203": (f"{_TRUST}::test_a_good_token_opens",),
    "CH-205": (_HOSTILE,),
    "CH-206": (_HOSTILE, _ENDPOINTS),
    "CH-207": (_HOSTILE, _ODD),
    "CH-208": (_ENDPOINTS,),
    "CH-209": (_ENDPOINTS,),
    "CH-210": (_HOSTILE, _ODD),
    "CH-211": (_HOSTILE, _ODD),
    "CH-212": (_HOSTILE, _ODD),
    "CH-213": (_HOSTILE,),
    "CH-216": (_HOSTILE,),
    "CH-217": (_HOSTILE, _ODD),
    "CH-220": (_HOSTILE,),
    "CH-221": ("tests/spec/test_no_leaks.py::test_a_call_is_accounted_for_without_naming_the_patient",),
    "CH-222": ("tests/fhir/test_no_token_in_logs.py::test_ch_099_the_token_is_not_kept_after_the_reply",),
    "CH-223": ("tests/spec/test_links.py::test_ch_173_the_hosts_of_all_addresses_are_few",),
    "CH-243": ("tests/spec/test_patient_view.py::test_ch_061_no_card_depends_on_an_earlier_call",),
    "CH-244": ("tests/spec/test_envelope.py::test_ch_044_unknown_members_are_ignored_at_every_level",),
    "CH-245": ("tests/reports/test_burden.py::test_ch_185_silence_is_not_counted_as_override",),
}


def find_tests(folder: Path = ROOT / "tests") -> dict[str, list[str]]:
    """Row to tests that carry it in their name, `file::function`; then those of `ALSO`."""
    found: dict[str, list[str]] = defaultdict(list)
    own = folder / "conformance"  # tests of the self-test, not of the service
    for path in sorted(one for one in folder.rglob("test_*.py") if not one.is_relative_to(own)):
        for name in _functions(path):
            for row in _rows_in(name):
                found[row].append(f"{path.relative_to(ROOT).as_posix()}::{name}")
    for row, names in ALSO.items():
        found[row] += [name for name in names if name not in found[row]]
    return found


def _functions(path: Path) -> Iterator[str]:
    for node in ast.parse(path.read_bytes()).body:
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
            yield node.name


def _rows_in(name: str) -> set[str]:
    numbers = {int(one) for one in _ONE.findall(name)}
    for first, last in _RANGE.findall(name):
        numbers |= set(range(int(first), int(last) + 1))
    return {f"CH-{number:03}" for number in numbers}


def find_passed() -> set[str]:
    """Rows that the self-test sees passed at our own service, in either mode."""
    from cds_service.conformance.finding import Verdict
    from tests.conformance.live import check_demo, check_protected, rows_with

    with TemporaryDirectory() as one, TemporaryDirectory() as other, pytest.MonkeyPatch.context() as patch:
        outcomes = (check_demo(Path(one)), check_protected(patch, Path(other)))
    return {row for outcome in outcomes for row in rows_with(outcome, Verdict.PASSED)}


def build(rows: list[dict[str, Any]], tests: dict[str, list[str]], passed: set[str]) -> list[dict[str, Any]]:
    return [
        {**row, "tests": tests.get(row["id"], [])[:MOST_TESTS], "result": "passed" if row["id"] in passed else ""}
        for row in rows
    ]


def main() -> None:
    rows = build(json.loads(MATRIX.read_text("utf-8")), find_tests(), find_passed())
    text = ",\n".join(json.dumps(row, ensure_ascii=False) for row in rows)
    MATRIX.write_text(f"[\n{text}\n]\n", encoding="utf-8")
    sys.stdout.write(f"{MATRIX.relative_to(ROOT)}: {sum(bool(row['tests']) for row in rows)} rows with tests\n")


if __name__ == "__main__":
    sys.path.insert(0, str(ROOT))
    main()
