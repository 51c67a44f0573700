"""One machine, one or several processes, and Spark give the same rows, byte for byte."""

import os
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.load.export import write_export
from tests.replay.exports import KEY, run

PATIENTS = int(os.environ.get("REPLAY_TEST_PATIENTS", "200"))  # 20,000 for the figures of the README
FILES = ("decisions.csv", "follow_up.csv", "unreadable_lines.csv", "run.json")
JAVA = 17


def find_java() -> str:
    """Why there is no Java that Spark can use; empty when there is one."""
    java = shutil.which("java")
    if java is None:
        return "no java in the path"
    said = subprocess.run([java, "-version"], capture_output=True, text=True, check=False).stderr
    version = said.partition('version "')[2].partition(".")[0]
    return "" if version.isdigit() and int(version) >= JAVA else f"Java {version or '?'} is older than {JAVA}"


@pytest.fixture(scope="module")
def export(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("engines") / "export"
    write_export(folder, PATIENTS, seed=3, files=3, bad_lines=25)
    return folder


@pytest.fixture(scope="module")
def alone(export: Path) -> Path:
    return run(export, export.parent / "alone", what_if=True).folder


def test_a_pool_of_processes_gives_the_same_rows(export: Path, alone: Path) -> None:
    pooled = run(export, export.parent / "pooled", workers=2, what_if=True).folder
    for name in FILES:
        assert (pooled / name).read_bytes() == (alone / name).read_bytes(), name
    assert len((alone / "decisions.csv").read_bytes().splitlines()) > PATIENTS // 5


def test_the_number_of_buckets_changes_nothing(export: Path, alone: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cds_service.replay.one_machine.LEAST_BUCKETS", 1)
    single = run(export, export.parent / "single", what_if=True).folder
    for name in FILES:
        assert (single / name).read_bytes() == (alone / name).read_bytes(), name


@pytest.mark.slow
def test_spark_gives_the_same_rows(export: Path, alone: Path) -> None:
    if find_spec("pyspark") is None:
        pytest.skip("pyspark is not installed (extra `spark`)")
    if why := find_java():
        pytest.skip(f"Spark needs Java {JAVA}: {why}")
    output = export.parent / "spark"
    command = [sys.executable, "-m", "cds_service.cli", "replay", str(export), "--output", str(output), "--what-if"]
    environment = {**os.environ, "CDS_PSEUDONYM_KEY": KEY.decode()}
    done = subprocess.run(
        [*command, "--until", "2026-06-01", "--spark", "local[2]"],
        env=environment, capture_output=True, text=True, check=False, timeout=900,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    for name in FILES:
        assert (output / name).read_bytes() == (alone / name).read_bytes(), name
