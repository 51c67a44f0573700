"""The report and everything else a run writes: the committee's sentence, small groups masked, nobody named."""

import re
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from cds_service.cli import main
from cds_service.replay.run import Run, open_run
from cds_service.reports import charts, replay_run
from cds_service.reports.page import Chart, Section, render_page
from cds_service.reports.tables import (
    NOT_SHOWN,
    Table,
    render_table,
    show_count,
    show_rate,
    show_share,
)  # fmt: skip
from tests.load.export import write_export
from tests.replay.exports import (
    NAME,
    PATIENT,
    ferritin,
    hemoglobin,
    infusion,
    order,
    patient,
    rls,
    run,
    total,
    tsat,
    write,
)  # fmt: skip

CHART = [patient(), rls(), ferritin(40, "2025-03-01"), tsat(15, "2025-03-01"), hemoglobin(13.5, "2025-03-01")]
NAMING = re.compile(rf"{NAME}|Erika|{PATIENT}|dr-9|MedicationRequest/|Observation/|Patient/")


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Run:
    pytest.importorskip("duckdb", reason="DuckDB is not installed (extra `replay`)")
    folder = tmp_path_factory.mktemp("report")
    write_export(folder / "export", 400, seed=5, bad_lines=9)
    done = run(folder / "export", folder / "run", what_if=True)
    replay_run.write_report(done, lambda _: None)
    return done


@pytest.fixture(scope="module")
def page(finished: Run) -> str:
    return (finished.folder / replay_run.PAGE).read_text(encoding="utf-8")


# ---------------------------------------------------------------------------------------------------------- the page


def test_the_sentence_a_committee_needs_stands_on_top(finished: Run, page: str) -> None:
    orders = finished.tallies["orders", "replayed", ""]
    top = page.partition('<div class="lead">')[2].partition("</p>")[0]
    assert f"Of {orders:,} orders for intravenous iron, " in top
    assert "would have supported" in top


SECTIONS = (
    "Conclusions", "What if", "Month by month", "Missing data", "Rules that fired", "Alert burden",
    "Iron studies at the decision", "Schedule adherence", "Repeat courses and response", "What could not be read",
    "As of when",
)  # fmt: skip


@pytest.mark.parametrize("title", SECTIONS)
def test_every_question_has_its_section(page: str, title: str) -> None:
    section = page.partition(f"<h2>{title}</h2>")[2].partition("</section>")[0]
    assert "<table>" in section


def test_the_page_needs_no_script_and_no_network(page: str) -> None:
    assert "<script" not in page
    assert not re.search(r"""(?:src|href)=["'](?!#)""", page.replace('xlink:href="#', 'xlink:href="#'))
    assert "@import" not in page


def test_the_page_names_the_knowledge_and_the_bad_lines_by_reason(finished: Run, page: str) -> None:
    assert finished.about["knowledge"]["digest"] in page
    assert "not a FHIR resource: no object with a resourceType" in page


def test_no_count_of_one_to_four_is_in_the_page(page: str) -> None:
    cells = re.findall(r'<td class="number">([^<]*)</td>', page)
    assert "&lt;5" in cells
    assert not [one for one in cells if one in ("1", "2", "3", "4")]


def test_no_two_pictures_share_an_id(page: str) -> None:
    ids = re.findall(r'\bid="([^"]+)"', page)
    assert len(ids) == len(set(ids))


def test_without_matplotlib_the_tables_stand_alone(finished: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(charts, "can_draw", lambda: False)
    replay_run.write_report(finished, lambda _: None)
    bare = (finished.folder / replay_run.PAGE).read_text(encoding="utf-8")
    assert "<svg" not in bare
    assert bare.count("<table>") > 10


def test_without_duckdb_rows_are_complete_and_the_way_to_the_report_is_told(
    finished: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(replay_run, "find_spec", lambda _: None)
    said: list[str] = []
    replay_run.write_report(finished, said.append)
    assert said == [replay_run.NO_REPORT]


def test_parquet_holds_the_same_rows_in_the_same_order(tmp_path: Path) -> None:
    duckdb: Any = pytest.importorskip("duckdb", reason="DuckDB is not installed (extra `replay`)")
    export = write(tmp_path / "export", *CHART, order(), infusion("2025-03-12T13:00:00-05:00"))
    done = run(export, tmp_path / "run", parquet=True)
    plain = run(export, tmp_path / "plain")
    assert not (done.folder / "decisions.csv").exists()
    relation = duckdb.read_parquet(str(done.file("decisions"))).project("time, id, day, is_warning")
    assert [str(one) for one in relation.types] == ["VARCHAR", "VARCHAR", "DATE", "BOOLEAN"]
    lines = plain.file("decisions").read_text(encoding="utf-8").splitlines()[1:]
    assert [row[1] for row in relation.fetchall()] == [line.split(",")[1] for line in lines]
    replay_run.write_report(done, lambda _: None)
    replay_run.write_report(plain, lambda _: None)
    assert (done.folder / "report.html").read_bytes() == (plain.folder / "report.html").read_bytes()


# --------------------------------------------------------------------------------------------------- nobody is named

RESOURCES = [
    *CHART, order(), infusion("2025-03-12T13:00:00-05:00"), total(30, "2025-03-08", "before"),
    total(9, "2025-04-02", "at-21"),
]  # fmt: skip


def everything_written(folder: Path) -> str:
    return "\n".join(path.read_text(encoding="utf-8") for path in sorted(folder.rglob("*")) if path.is_file())


@pytest.mark.parametrize("what_if", [False, True])
def test_nothing_that_a_run_writes_names_anybody(tmp_path: Path, what_if: bool) -> None:
    done = run(write(tmp_path / "export", *RESOURCES), tmp_path / "run", what_if=what_if)
    replay_run.write_report(done, lambda _: None)
    written = everything_written(done.folder)
    assert "indicated-strong" in written
    assert not NAMING.findall(written)


def test_identified_rows_carry_ids_and_still_no_names(tmp_path: Path) -> None:
    done = run(write(tmp_path / "export", *RESOURCES), tmp_path / "run", is_identified=True)
    replay_run.write_report(done, lambda _: None)
    written = everything_written(done.folder)
    assert PATIENT in written
    assert not re.search(rf"{NAME}|Erika|dr-9", written)
    if (done.folder / "report.html").exists():
        assert PATIENT not in (done.folder / "report.html").read_text(encoding="utf-8")


def test_the_command_says_what_came_out_and_names_nobody(tmp_path: Path) -> None:
    export = write(tmp_path / "export", *RESOURCES)
    (export / "Observation.2.ndjson").write_text(f'{{"id": "{NAME}', encoding="utf-8")
    said = CliRunner().invoke(main, ["replay", str(export), "--output", str(tmp_path / "run"), "--processes", "1"])
    assert said.exit_code == 0, said.output
    assert "(1 decisions)" in said.output
    assert "(1 lines of the export, by file and number)" in said.output
    assert "set CDS_PSEUDONYM_KEY" in said.output
    assert not NAMING.findall(said.output)
    assert open_run(tmp_path / "run").about["until"] > "2026"


def test_a_file_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    export = write(tmp_path / "export", *RESOURCES)
    (tmp_path / "run").write_text("a file, no folder", encoding="utf-8")
    said = CliRunner().invoke(main, ["replay", str(export), "--output", str(tmp_path / "run" / "deeper")])
    assert said.exit_code == 1
    assert "Not a directory" in said.output


def test_pseudonyms_of_two_keys_are_unlike_and_of_one_alike(tmp_path: Path) -> None:
    export = write(tmp_path / "export", *RESOURCES)
    one, same, other = (
        run(export, tmp_path / name, key=key).file("decisions").read_bytes()
        for name, key in (("one", b"k" * 32), ("same", b"k" * 32), ("other", b"o" * 32))
    )
    assert one == same != other


# ------------------------------------------------------------------------------------------------------------ pieces

COUNTS = [(0, "0"), (1, "<5"), (4, "<5"), (5, "5"), (1234, "1,234")]


@pytest.mark.parametrize(("count", "shown"), COUNTS)
def test_groups_smaller_than_five_are_masked(count: int, shown: str) -> None:
    assert show_count(count) == shown


SHARES = [
    (50, 100, "50.0 %"), (0, 100, "0.0 %"), (100, 100, "100.0 %"), (3, 100, NOT_SHOWN), (97, 100, NOT_SHOWN),
    (2, 4, NOT_SHOWN), (0, 0, NOT_SHOWN), (5, 10, "50.0 %"), (1, 3, NOT_SHOWN), (10, 30, "33.3 %"),
]  # fmt: skip


@pytest.mark.parametrize(("count", "of", "shown"), SHARES)
def test_no_share_gives_a_small_group_away(count: int, of: int, shown: str) -> None:
    assert show_share(count, of) == shown


def test_no_rate_rests_on_a_small_group() -> None:
    assert (show_rate(3, 100), show_rate(100, 3), show_rate(25, 50)) == (NOT_SHOWN, NOT_SHOWN, "50.0")


def test_text_in_cells_and_paragraphs_is_escaped() -> None:
    table = Table(("<a>",), (("<b>&",),), caption="<c>")
    text = render_page("<t>", ["<lead>"], [Section("<s>", ("<p>", table, Chart(None)))])
    assert not re.search(r"<(?:a|b|c|t|lead)>", text.replace("<title>", ""))
    assert "&lt;b&gt;&amp;" in render_table(table)


def test_an_empty_table_says_so() -> None:
    assert render_table(Table(("a",), (), "Orders")) == '<p class="empty">Orders: Nothing to show.</p>'


@pytest.mark.skipif(not charts.can_draw(), reason="matplotlib is not installed (extra `reports`)")
def test_charts_are_the_same_every_time_and_hide_small_groups() -> None:
    drawn = charts.bars("Some <bars>", ["a", "b"], [3, 50])
    assert drawn == charts.bars("Some <bars>", ["a", "b"], [3, 50])
    assert drawn is not None
    assert 'aria-label="Some &lt;bars&gt;"' in drawn
    assert "&lt;5" in drawn
    assert charts.bars("None", ["a"], [0]) is None


PROGRESS = [
    ((0, 100, 0, 0.0), "deciding: 0 of 100 (0 %)"),
    ((50, 100, 50, 10.0), "deciding: 50 of 100 (50 %), 5 a second, 10 s left"),
    ((100, 1200, 100, 10.0), "deciding: 100 of 1,200 (8 %), 10 a second, 2 min left"),
    ((100, 100, 50, 5.0), "deciding: 100 of 100 (100 %), 10 a second, 5 s"),
    ((0, 0, 0, 1.0), "deciding: 0 of 0 (100 %)"),
]


@pytest.mark.parametrize(("progress", "shown"), PROGRESS)
def test_progress_tells_rate_and_time_left(progress: tuple[int, int, int, float], shown: str) -> None:
    assert replay_run.describe_progress("deciding", *progress) == shown
