"""The generator of synthetic exports: seeded, and with what real systems send."""

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from tests.load.export import make_patient, write_export

Json = dict[str, Any]
RESOURCES = [one for number in range(1, 1500) for one in make_patient(1, number)]


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_the_same_seed_gives_the_same_bytes_and_another_seed_others(tmp_path: Path) -> None:
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        write_export(tmp_path / name, 30, seed=seed, bad_lines=3)
    assert contents(tmp_path / "a") == contents(tmp_path / "b") != contents(tmp_path / "c")


def test_a_patient_does_not_depend_on_how_many_there_are() -> None:
    assert make_patient(1, 7) == make_patient(1, 7)
    assert make_patient(1, 7) != make_patient(2, 7)


def test_there_are_some_twelve_resources_a_patient() -> None:
    assert 10 < len(RESOURCES) / 1499 < 14


def test_several_files_a_type_some_compressed_hold_every_line(tmp_path: Path) -> None:
    count = write_export(tmp_path, 60, files=3)
    lines = 0
    for path in tmp_path.iterdir():
        content = path.read_bytes()
        for line in (gzip.decompress(content) if path.suffix == ".gz" else content).splitlines():
            assert json.loads(line)["resourceType"] == path.name.partition(".")[0]
            lines += 1
    assert lines == count
    assert len(list(tmp_path.glob("Observation.*.ndjson*"))) == 3


QUIRKS = {
    "drug only as text": lambda one: "text" in one.get("medicationCodeableConcept", {}),
    "drug by reference": lambda one: one.get("medicationReference", {}).get("reference", "").startswith("Medication/"),
    "drug contained": lambda one: "contained" in one,
    "infusion ordered by HCPCS code": lambda one: one["resourceType"] == "ServiceRequest",
    "partial date": lambda one: len(one.get("effectiveDateTime", "2025-01-01")) == 7,
    "partial birth date": lambda one: len(one.get("birthDate", "2025-01-01")) == 4,
    "order dated without time": lambda one: len(one.get("authoredOn", "")) == 10,
    "value as a string": lambda one: isinstance(one.get("valueQuantity", {}).get("value"), str),
    "unit only in words": lambda one: "valueQuantity" in one and "code" not in one["valueQuantity"],
    "valueString": lambda one: one.get("valueString") == "<5",
    "panel with its results in parts": lambda one: "component" in one,
    "no issued": lambda one: one["resourceType"] == "Observation" and "issued" not in one,
    "corrected weeks later": lambda one: one.get("status") == "corrected",
    "preliminary": lambda one: one.get("status") == "preliminary",
    "onset only": lambda one: "onsetDateTime" in one,
    "resolved since": lambda one: "abatementDateTime" in one,
    "deceased since": lambda one: "deceasedDateTime" in one,
    "no birth date": lambda one: one["resourceType"] == "Patient" and "birthDate" not in one,
}


@pytest.mark.parametrize("name", QUIRKS)
def test_every_quirk_occurs(name: str) -> None:
    assert any(QUIRKS[name](one) for one in RESOURCES)
