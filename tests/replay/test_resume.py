"""A killed run goes on where it stopped, loses nothing, and is not mixed up with another."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from cds_service.errors import ConfigurationError
from cds_service.replay import core, one_machine
from tests.load.export import write_export
from tests.replay.exports import KEY, patient, run, setup, write

ENOUGH_PATIENTS = 1500
FILES = ("decisions.csv", "follow_up.csv", "run.json")


def start(export: Path, output: Path) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "cds_service.cli", "replay", str(export), "--output", str(output)]
    environment = {**os.environ, "CDS_PSEUDONYM_KEY": KEY.decode()}
    return subprocess.Popen(
        [*command, "--until", "2026-06-01", "--processes", "2"], env=environment, stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )  # fmt: skip


def wait_for(condition: Path, pattern: str, process: subprocess.Popen[bytes]) -> None:
    end = time.monotonic() + 120
    while not list(condition.glob(pattern)):
        assert process.poll() is None, "it ended before it could be killed"
        assert time.monotonic() < end, "nothing was decided in two minutes"
        time.sleep(0.01)


@pytest.mark.slow
def test_a_run_that_was_killed_goes_on_and_gives_the_same(tmp_path: Path) -> None:
    export = tmp_path / "export"
    write_export(export, ENOUGH_PATIENTS)
    run(export, tmp_path / "whole")
    killed = start(export, tmp_path / "killed")
    wait_for(tmp_path / "killed" / "work" / "lines", "*.done", killed)
    killed.send_signal(signal.SIGKILL)
    killed.communicate()
    assert not (tmp_path / "killed" / "run.json").exists()
    again = start(export, tmp_path / "killed")
    _, said = again.communicate(timeout=300)
    assert again.returncode == 0, said.decode()
    for name in FILES:
        assert (tmp_path / "killed" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes(), name
    assert not (tmp_path / "killed" / "work").exists()


def test_buckets_that_are_decided_are_not_decided_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    export = tmp_path / "export"
    write_export(export, 40)
    decided: list[str] = []
    whole = core.replay_patient

    def stop_half_way(replay: core.Replay, patient_id: str, lines: list[object]) -> core.Outcome:
        decided.append(patient_id)
        if len(decided) == 20:
            raise KeyboardInterrupt
        return whole(replay, patient_id, lines)  # type: ignore[arg-type]

    monkeypatch.setattr(one_machine.core, "replay_patient", stop_half_way)
    with pytest.raises(KeyboardInterrupt):
        run(export, tmp_path / "run")
    done = len(list((tmp_path / "run" / "work" / "lines").glob("*.done")))
    assert done > 1
    first = set(decided)
    run(export, tmp_path / "run")
    assert len(decided) < 40 + len(first), "finished buckets were decided once more"
    assert len(set(decided)) == 40


def test_a_finished_run_is_left_as_it_is(tmp_path: Path) -> None:
    export = write(tmp_path / "export", patient())
    first = run(export, tmp_path / "run")
    before = (tmp_path / "run" / "run.json").stat().st_mtime_ns
    assert run(export, tmp_path / "run").about == first.about
    assert (tmp_path / "run" / "run.json").stat().st_mtime_ns == before


def test_a_folder_of_another_run_is_refused(tmp_path: Path) -> None:
    export = write(tmp_path / "export", patient())
    run(export, tmp_path / "run")
    with pytest.raises(ConfigurationError, match="finished run of something else"):
        run(export, tmp_path / "run", what_if=True)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("not to be lost", encoding="utf-8")
    with pytest.raises(ConfigurationError, match="holds no run"):
        run(export, tmp_path / "mine")


def test_an_unfinished_run_of_another_question_is_not_continued(tmp_path: Path) -> None:
    export = write(tmp_path / "export", patient())

    def fail(*_: object) -> None:
        raise KeyboardInterrupt

    from cds_service.replay.run import make_run

    with pytest.raises(KeyboardInterrupt):
        make_run(export, tmp_path / "run", setup(), fail, lambda *_: None, parquet=False)  # type: ignore[arg-type]
    with pytest.raises(ConfigurationError, match="unfinished run of another"):
        run(export, tmp_path / "run", what_if=True)
    assert run(export, tmp_path / "run").about["rows"]["decisions"] == 0


def test_a_run_does_not_go_into_the_export(tmp_path: Path) -> None:
    export = write(tmp_path / "export", patient())
    with pytest.raises(ConfigurationError, match="within the export"):
        run(export, export / "run")


def test_an_export_without_ndjson_is_refused(tmp_path: Path) -> None:
    (tmp_path / "export").mkdir()
    with pytest.raises(ConfigurationError, match="holds no NDJSON"):
        run(tmp_path / "export", tmp_path / "run")
