"""Knowledge diff: one sentence a change, in a clinician's words; and the command."""

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from cds_service import knowledge_stamp
from cds_service.cli import main
from cds_service.clinical import codes, numbers
from cds_service.knowledge.diff import compare
from cds_service.knowledge.export import knowledge_export

Json = dict[str, Any]
EXPORT: Json = json.loads(json.dumps(knowledge_export(codes.load(None, "https://iron.example/fhir"))))


def rule(document: Json, name: str) -> Json:
    found: Json = next(one for one in document["rules"] if one["id"] == name)
    return found


def change_threshold(document: Json) -> None:
    rule(document, "R-22")["thresholds"][0]["value"] = "100"


def drop_threshold(document: Json) -> None:
    rule(document, "R-22")["thresholds"].pop()


def add_threshold(document: Json) -> None:
    rule(document, "R-22")["thresholds"].append({"name": "weight at least", "value": "50", "unit": "kg"})


def reword(document: Json) -> None:
    rule(document, "R-16")["title"] = "TSAT of half stops"


def new_source(document: Json) -> None:
    rule(document, "R-16")["sources"].append("F1")


def fewer_inputs(document: Json) -> None:
    rule(document, "R-29b")["inputs"].remove("sex")


def drop_rule(document: Json) -> None:
    document["rules"].remove(rule(document, "R-14"))


def add_rule(document: Json) -> None:
    document["rules"].append({**rule(document, "R-14"), "id": "R-99", "title": "Something new"})


def value_set(document: Json, name: str) -> Json:
    found: Json = next(one for one in document["valueSets"] if one["id"] == name)
    return found


def add_code(document: Json) -> None:
    coding = {"system": "https://lab.example", "code": "FER", "display": "Ferritin"}
    value_set(document, "ferritin")["codes"].append(coding)


def drop_codes(document: Json) -> None:
    value_set(document, "ferritin")["codes"].clear()


def recheck_source(document: Json) -> None:
    document["citations"][0]["checked"] = "not checked"


def widen_window(document: Json) -> None:
    document["contacts"][0]["windowDays"] = [-2, 9]


def change_number(document: Json) -> None:
    next(one for one in document["numbers"] if one["id"] == "response.RESPONSE_TO_DAY")["value"] = "180"


def next_version(document: Json) -> None:
    document["version"] = "1.1.0"


def sign(document: Json) -> None:
    document["review"] = "clinically signed 2026-12-01"


LOW = "Rule R-22 (Ferritin up to 75 ng/mL, TSAT below 45 %: guideline recommends iron)"
ROWS: tuple[tuple[Callable[[Json], None], str], ...] = (
    (change_threshold, f'{LOW}: "ferritin at most" is now 100 ng/mL; it was 75 ng/mL.'),
    (drop_threshold, f'{LOW} no longer has the threshold "TSAT below", which was 45 %.'),
    (add_threshold, f'{LOW} has a new threshold, "weight at least": 50 kg.'),
    (reword, 'Rule R-16 now says "TSAT of half stops"; it said "TSAT of 45 % or more stops".'),
    (new_source, "Rule R-16 (TSAT of 45 % or more stops) now also rests on the source F1."),
    (fewer_inputs, "no longer looks at sex."),
    (drop_rule, "was removed."),
    (add_rule, "Rule R-99 (Something new) is new."),
    (add_code, "The value set ferritin now also recognises FER (Ferritin, https://lab.example)."),
    (drop_codes, "The value set ferritin no longer recognises "),
    (recheck_source, 'how it was checked is now "not checked"; it was '),
    (widen_window, "The reassessment day-8 (R-44): its window in days is now -2 to 9; it was -1 to 6."),
    (change_number, 'The number "response to day" (response) is now 180; it was 183.'),
    (next_version, "The version of the knowledge is now 1.1.0; it was 1.0.1."),
    (sign, 'The review status is now "clinically signed 2026-12-01"; it was "draft, not clinically signed".'),
)


@pytest.mark.parametrize(("change", "sentence"), ROWS, ids=[change.__name__ for change, _ in ROWS])
def test_each_change_is_one_sentence(change: Callable[[Json], None], sentence: str) -> None:
    changed = copy.deepcopy(EXPORT)
    change(changed)
    (said,) = compare(EXPORT, changed)
    assert sentence in said
    assert said.endswith(".")


def test_the_same_knowledge_is_no_change() -> None:
    assert compare(EXPORT, copy.deepcopy(EXPORT)) == []


def test_a_constant_behind_a_threshold_is_not_told_twice() -> None:
    changed = copy.deepcopy(EXPORT)
    rule(changed, "R-41")["thresholds"][0]["value"] = "30"
    next(one for one in changed["numbers"] if one["id"] == "courses.COURSE_GAP_DAYS")["value"] = "30"
    assert len(compare(EXPORT, changed)) == 1


def test_a_hash_that_differs_alone_is_said() -> None:
    (said,) = compare(EXPORT, {**EXPORT, "digest": "0" * 64})
    assert "hash" in said


def test_the_command_says_so_and_its_exit_code_too(tmp_path: Path) -> None:
    changed = copy.deepcopy(EXPORT)
    change_threshold(changed)
    for name, document in (("a.json", EXPORT), ("b.json", changed)):
        (tmp_path / name).write_text(json.dumps(document))
    both = [str(tmp_path / "a.json"), str(tmp_path / "b.json")]
    result = CliRunner().invoke(main, ["knowledge", "diff", *both])
    assert (result.exit_code, result.stdout) == (1, f"{ROWS[0][1]}\n")
    same = CliRunner().invoke(main, ["knowledge", "diff", both[0], both[0]])
    assert (same.exit_code, same.stdout) == (0, "Nothing changed.\n")


def test_what_is_no_export_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text('{"rules": {}}')
    result = CliRunner().invoke(main, ["knowledge", "diff", *[str(tmp_path / "a.json")] * 2])
    assert result.exit_code == 2
    assert "is no export" in result.output


# Constants with numbers that no decision rests on: limits of memory and of text, forms of codes, what is only shown.
TECHNICAL = {
    *("codes", "coding_systems", "condition_names", "dates", "drug_names", "value_set_files", "wording"),
    *("story.bands", "story.courses"),
}


def test_no_number_of_the_clinic_is_outside_the_hash() -> None:
    folder = Path(numbers.__file__).parent
    names = [".".join(path.relative_to(folder).with_suffix("").parts) for path in folder.rglob("*.py")]
    modules = {name for name in names if not name.endswith("__init__")}
    outside = {name for name in modules - set(numbers.MODULES) - TECHNICAL if list(numbers._constants(name))}
    assert outside == set(), "list them in clinical/numbers.py"
    assert set(numbers.MODULES) <= modules


def test_the_hash_covers_numbers_contacts_and_sources(monkeypatch: pytest.MonkeyPatch) -> None:
    index = codes.load(None, "https://iron.example/fhir")
    before = knowledge_stamp.digest(index)
    for name, value in (("read_numbers", lambda: ()), ("CONTACTS", ()), ("CITATIONS", ()), ("RULES", ())):
        with monkeypatch.context() as patch:
            patch.setattr(knowledge_stamp, name, value)
            assert knowledge_stamp.digest(index) != before, name
    assert knowledge_stamp.digest(index) == before
