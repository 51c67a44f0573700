"""Bad lines are counted and named by file and line, never fatal, never quoted; good lines around them all count."""

import gzip
import json
from pathlib import Path

import pytest

from cds_service.replay.lines import (
    BAD_ID,
    BROKEN_GZIP,
    MISPLACED,
    NO_ID,
    NO_PATIENT,
    NO_RESOURCE,
    NOT_UTF8,
    TRUNCATED,
    Line,
    Passed,
    Problem,
    find_files,
    patient_id,
    read_file,
    read_line,
)
from tests.replay.exports import PATIENT, ferritin, order, patient, rls, rows, run, tsat, write

SECRET = "Quoted-must-never-be-seen"
BAD = {
    "broken off": (b'{"resourceType": "Observation", "id": "' + SECRET.encode(), TRUNCATED),
    "not JSON": (b"{'resourceType': '" + SECRET.encode() + b"'}", TRUNCATED),
    "two objects on one line": (b'{"resourceType": "Observation"} {}', TRUNCATED),
    "nested too deeply": (b"[" * 100_000, NO_RESOURCE),
    "nested too deeply inside": (b'{"a": ' + b"[" * 100_000, TRUNCATED),
    "an array": (b'["' + SECRET.encode() + b'"]', NO_RESOURCE),
    "a string": (b'"' + SECRET.encode() + b'"', NO_RESOURCE),
    "null": (b"null", NO_RESOURCE),
    "resourceType of another type": (b'{"resourceType": 7}', NO_RESOURCE),
    "no resourceType": (b'{"id": "' + SECRET.encode() + b'"}', NO_RESOURCE),
    "id of another type": (b'{"resourceType": "Observation", "id": 7}', NO_RESOURCE),
    "Latin-1": ('{"resourceType": "Observation", "note": "Müller"}'.encode("latin-1"), NOT_UTF8),
    "no patient": (b'{"resourceType": "Observation", "id": "o"}', NO_PATIENT),
    "a group": (b'{"resourceType": "Observation", "subject": {"reference": "Group/1"}}', NO_PATIENT),
    "subject of another type": (b'{"resourceType": "Observation", "subject": "Patient/1"}', NO_PATIENT),
    "a patient without id": (b'{"resourceType": "Patient"}', NO_ID),
    "an id with a tab": (b'{"resourceType": "Patient", "id": "a\\tb"}', BAD_ID),
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_line_is_a_reason_and_no_error(name: str) -> None:
    line, reason = BAD[name]
    assert read_line(line) == reason


def test_a_good_line_gives_type_id_and_patient() -> None:
    line = json.dumps(ferritin(40, "2025-03-01")).encode()
    assert read_line(line) == Line("Observation", "ferritin", PATIENT, line)
    assert read_line(b'{"resourceType": "Encounter", "subject": 7}') == Passed("Encounter")


REFERENCES = {
    "Patient/1": "1",
    "Patient/1/_history/2": "1",
    "https://ehr.example/fhir/Patient/1": "1",
    "https://ehr.example/fhir/Patient/1/_history/3": "1",
    "urn:uuid:0b5f": "0b5f",
    "Group/1": "",
    "#contained": "",
    "1": "",
}


@pytest.mark.parametrize("reference", REFERENCES)
def test_a_patient_is_told_from_every_form_of_reference(reference: str) -> None:
    assert patient_id(reference) == REFERENCES[reference]


def test_good_lines_among_bad_ones_all_count_and_every_bad_one_is_named(tmp_path: Path) -> None:
    export = write(tmp_path / "export", patient(), rls(), order())
    good = [ferritin(40, "2025-03-01"), tsat(15, "2025-03-01")]
    lines = [json.dumps(good[0]).encode(), *(line for line, _ in BAD.values()), b"", json.dumps(good[1]).encode()]
    (export / "Observation.ndjson").write_bytes(b"\r\n".join(lines) + b"\r\n")
    finished = run(export, tmp_path / "run")
    assert [row["conclusion"] for row in rows(finished)] == ["indicated-strong"]
    named = (tmp_path / "run" / "unreadable_lines.csv").read_text(encoding="utf-8")
    assert named.splitlines() == [
        "file,line,reason,is_used",
        *(
            f'Observation.ndjson,{place},"{reason}",no' if "," in reason else f"Observation.ndjson,{place},{reason},no"
            for place, (_, reason) in enumerate(BAD.values(), 2)
        ),
    ]
    assert sum(count for (topic, _, _), count in finished.tallies.items() if topic == "problems") == len(BAD)
    assert SECRET not in named
    assert SECRET not in (tmp_path / "run" / "run.json").read_text(encoding="utf-8")


def test_a_resource_in_a_file_named_for_another_type_is_used_and_named(tmp_path: Path) -> None:
    line = json.dumps(ferritin(40, "2025-03-01")) + "\n"
    (tmp_path / "Condition.1.ndjson").write_text(line, encoding="utf-8")
    assert list(read_file(tmp_path, "Condition.1.ndjson")) == [
        Problem("Condition.1.ndjson", 1, MISPLACED, is_used=True),
        Line("Observation", "ferritin", PATIENT, line.strip().encode()),
    ]


def test_a_compressed_file_that_breaks_off_is_read_up_to_there(tmp_path: Path) -> None:
    lines = "".join(json.dumps(ferritin(n, "2025-03-01", f"f{n}")) + "\n" for n in range(5000))
    packed = gzip.compress(lines.encode())
    (tmp_path / "Observation.ndjson.gz").write_bytes(packed[: len(packed) // 2])
    *good, last = read_file(tmp_path, "Observation.ndjson.gz")
    assert isinstance(last, Problem)
    assert last == Problem("Observation.ndjson.gz", len(good) + 1, BROKEN_GZIP)
    assert len(good) > 1000


def test_a_file_that_only_says_it_is_compressed_is_named(tmp_path: Path) -> None:
    (tmp_path / "Observation.ndjson.gz").write_bytes(b"{}\n")
    assert list(read_file(tmp_path, "Observation.ndjson.gz")) == [Problem("Observation.ndjson.gz", 1, BROKEN_GZIP)]


def test_several_files_a_type_and_folders_are_found_in_order(tmp_path: Path) -> None:
    for name in ("b.ndjson", "a.ndjson.gz", "notes.txt", "sub/c.jsonl"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"")
    assert find_files(tmp_path) == ("a.ndjson.gz", "b.ndjson", "sub/c.jsonl")


def test_a_byte_order_mark_at_the_start_of_a_file_does_no_harm(tmp_path: Path) -> None:
    (tmp_path / "Patient.ndjson").write_text("\ufeff" + json.dumps(patient()), encoding="utf-8")
    assert [type(one) for one in read_file(tmp_path, "Patient.ndjson")] == [Line]
