"""Two runs over the same data: what changed, from what to what, how often, and where first."""

from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from cds_service.cli import main
from cds_service.errors import ConfigurationError
from cds_service.replay.compare import compare
from tests.replay.exports import UNTIL, ferritin, hemoglobin, order, patient, rls, run, setup, tsat, write

CHART = [patient(), rls(), ferritin(40, "2025-03-01"), tsat(15, "2025-03-01"), hemoglobin(13.5, "2025-03-01")]


def change(run_folder: Path, *replacements: tuple[str, str]) -> None:
    """As another version of the rules would have decided."""
    path = run_folder / "decisions.csv"
    text = path.read_text(encoding="utf-8")
    for old, new in replacements:
        assert old in text
        text = text.replace(old, new, 1)
    path.write_text(text, encoding="utf-8")


@pytest.fixture
def export(tmp_path: Path) -> Path:
    orders = [order(f"2025-03-{day}T10:00:00-05:00", f"o{day}", status="cancelled") for day in range(10, 14)]
    return write(tmp_path / "export", *CHART, *orders)


def test_what_is_the_same_is_only_counted(tmp_path: Path, export: Path) -> None:
    found = compare(run(export, tmp_path / "a"), run(export, tmp_path / "b"))
    assert (found.compared, found.unchanged, found.changes) == (4, 4, ())


def test_changed_decisions_are_told_from_what_to_what_with_the_first_examples(tmp_path: Path, export: Path) -> None:
    a, b = run(export, tmp_path / "a", is_identified=True), run(export, tmp_path / "b", is_identified=True)
    change(
        b.folder,
        *[("indicated-strong,R-22", "may-benefit,R-25")] * 2,
        ("indicated-strong,R-22,R-22; ", "indicated-strong,R-22,R-22; R-99; "),
    )
    found = compare(a, b, examples=1)
    assert (found.compared, found.unchanged) == (4, 1)
    first, second = found.changes
    assert (first.what, first.before, first.after, first.count) == ("conclusion", "indicated-strong", "may-benefit", 2)
    assert first.examples == [("2025-03-10T15:00:00Z", "MedicationRequest/o10", "order")]
    assert (second.what, second.count) == ("rules", 1)


def test_rows_that_only_one_run_has_are_changes(tmp_path: Path, export: Path) -> None:
    a, b = run(export, tmp_path / "a"), run(export, tmp_path / "b")
    lines = (b.folder / "decisions.csv").read_text(encoding="utf-8").splitlines(keepends=True)
    (b.folder / "decisions.csv").write_text("".join(lines[:2] + lines[3:]), encoding="utf-8")
    found = compare(a, b)
    assert [(one.before, one.after, one.count) for one in found.changes] == [("indicated-strong", "no such row", 1)]


def test_another_label_is_another_run_over_the_same_data(tmp_path: Path, export: Path) -> None:
    from functools import partial

    from cds_service.replay import core, one_machine
    from cds_service.replay.run import make_run

    asked = setup()
    eu = core.Setup({**asked.settings, "label": "eu"}, UNTIL, key=asked.key)
    other = make_run(export, tmp_path / "eu", eu, partial(one_machine.replay, 1), lambda *_: None, parquet=False)
    assert other.about["label"] == "eu"
    assert compare(run(export, tmp_path / "us"), other).compared == 4


UNLIKE: list[tuple[dict[str, Any], str]] = [
    ({"key": b"another key, of thirty-two characters"}, "pseudonyms of different keys"),
    ({"is_identified": True}, "--identified"),
    ({"what_if": True}, "--what-if"),
]


@pytest.mark.parametrize(("asked", "why"), UNLIKE, ids=[why for _, why in UNLIKE])
def test_runs_that_cannot_be_matched_are_refused(tmp_path: Path, export: Path, asked: dict[str, Any], why: str) -> None:
    a, b = run(export, tmp_path / "a"), run(export, tmp_path / "b", **asked)
    with pytest.raises(ConfigurationError, match=why):
        compare(a, b)


def test_runs_of_different_exports_are_refused(tmp_path: Path, export: Path) -> None:
    a = run(export, tmp_path / "a")
    write(export, ferritin(10, "2025-02-01", "more"))
    with pytest.raises(ConfigurationError, match="different exports"):
        compare(a, run(export, tmp_path / "b"))


def test_the_command_names_both_knowledge_hashes(tmp_path: Path, export: Path) -> None:
    a, b = run(export, tmp_path / "a"), run(export, tmp_path / "b")
    change(b.folder, ("indicated-strong", "not-indicated"))
    said = CliRunner().invoke(main, ["replay", "--compare", str(a.folder), str(b.folder)])
    assert said.exit_code == 0, said.output
    assert said.output.count(a.about["knowledge"]["digest"][:12]) == 2
    assert "Of 4 decisions in both runs 3 are unchanged." in said.output
    assert "Conclusion: indicated-strong -> not-indicated: 1" in said.output


def test_parquet_and_csv_runs_compare_alike(tmp_path: Path, export: Path) -> None:
    pytest.importorskip("duckdb", reason="DuckDB is not installed (extra `replay`)")
    found = compare(run(export, tmp_path / "a"), run(export, tmp_path / "b", parquet=True))
    assert (found.compared, found.unchanged) == (4, 4)


def test_a_folder_without_a_finished_run_is_named(tmp_path: Path) -> None:
    said = CliRunner().invoke(main, ["replay", "--compare", str(tmp_path), str(tmp_path)])
    assert said.exit_code == 1
    assert "holds no finished run" in said.output
