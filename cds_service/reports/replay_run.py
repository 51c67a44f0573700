"""`cds-service replay` from question to files: rows, report, progress on the way, and the comparison of two runs."""

import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from functools import partial
from importlib.util import find_spec
from pathlib import Path

from cds_service.errors import ConfigurationError
from cds_service.replay import core, one_machine, spark
from cds_service.replay.compare import Change, Comparison, compare
from cds_service.replay.one_machine import Report
from cds_service.replay.run import DECISION_FILE, PROBLEM_FILE, Engine, Run, make_run, open_run
from cds_service.settings import Settings

Say = Callable[[str], None]
PAGE = "report.html"
SECONDS_BETWEEN = 2.0
NO_REPORT = "No report: it needs DuckDB (pip install duckdb). The rows are complete without it."


@dataclass(frozen=True, slots=True)
class Asked:
    """What the command line asked for."""

    export: Path
    output: Path
    until: date
    what_if: bool
    identified: bool
    parquet: bool
    processes: int | None
    spark: str | None


def run_replay(settings: Settings, asked: Asked, say: Say, progress: Say) -> None:
    """Raises `ConfigurationError` saying what to change."""
    key = settings.pseudonym_key
    setup = core.Setup(
        settings=core.kept_settings(settings),
        until=asked.until,
        what_if=asked.what_if,
        is_identified=asked.identified,
        key=key.get_secret_value().encode() if key else b"",
    )
    try:
        run = make_run(asked.export, asked.output, setup, _engine(asked), report_to(progress), parquet=asked.parquet)
    except OSError as wrong:
        words = (
            f"{wrong.filename or asked.output}: {wrong.strerror or wrong}; mend it and start again with the same words"
        )
        raise ConfigurationError(words) from None
    write_report(run, say)
    _say_what_came(run, say)


def _engine(asked: Asked) -> Engine:
    if asked.spark is not None:
        return partial(spark.replay, asked.spark)
    return partial(one_machine.replay, asked.processes or os.cpu_count() or 1)


def write_report(run: Run, say: Say) -> None:
    """The page beside the rows, where DuckDB is installed."""
    if find_spec("duckdb") is None:
        say(NO_REPORT)
        return
    from cds_service.replay.summaries import summarize
    from cds_service.reports.replay import lead, render_replay

    summary = summarize(run)
    (run.folder / PAGE).write_text(render_replay(run, summary), encoding="utf-8")
    say(f"{lead(summary)[0]}\n")
    say(f"Report     {run.folder / PAGE}")


def _say_what_came(run: Run, say: Say) -> None:
    rows = run.about["rows"]
    say(f"Rows       {run.file(DECISION_FILE)} ({rows[DECISION_FILE]:,} decisions)")
    if rows[PROBLEM_FILE]:
        say(f"Unusable   {run.folder / PROBLEM_FILE} ({rows[PROBLEM_FILE]:,} lines of the export, by file and number)")
    say(f"Knowledge  {run.about['knowledge']['version']}, {run.about['knowledge']['digest'][:12]}")
    if not (run.about["site_key"] or run.about["identified"]):
        say("\nThe pseudonyms are of this run alone. To compare runs, set CDS_PSEUDONYM_KEY, the same for all of them.")


def report_to(progress: Say) -> Report:
    """Rate and time left, at most every two seconds, and at the end of a stage."""
    began: dict[str, tuple[float, int]] = {}
    last = [0.0]

    def report(stage: str, done: int, total: int) -> None:
        now = time.monotonic()
        start, behind = began.setdefault(stage, (now, done))
        if done < total and now - last[0] < SECONDS_BETWEEN:
            return
        last[0] = now
        progress(describe_progress(stage, done, total, done - behind, now - start))

    return report


def describe_progress(stage: str, done: int, total: int, since: int, seconds: float) -> str:
    """`deciding resources: 120,000 of 1,200,000 (10 %), 10,400 a second, 2 min left`."""
    words = f"{stage}: {done:,} of {total:,} ({100 * done // total if total else 100} %)"
    if since <= 0 or seconds < 0.1:
        return words
    rate = since / seconds
    left = (total - done) / rate
    shown = f"{left / 60:.0f} min left" if left >= 90 else f"{left:.0f} s left"
    return f"{words}, {rate:,.0f} a second, {shown if done < total else f'{seconds:.0f} s'}"


# ---------------------------------------------------------------------------------------------------------- comparison


def say_comparison(before: Path, after: Path, examples: int, say: Say) -> None:
    """Raises `ConfigurationError` where the two cannot be compared."""
    old, new = open_run(before), open_run(after)
    for run in (old, new):
        about = run.about
        knowledge = about["knowledge"]
        words = f"knowledge {knowledge['version']} {knowledge['digest'][:12]}, label {about['label']}"
        say(f"{run.folder}: {words}, service {about['service']}, up to {about['until']}")
    for line in describe_comparison(compare(old, new, examples)):
        say(line)


def describe_comparison(comparison: Comparison) -> list[str]:
    """Lines of text, most important first."""
    lines = [
        "",
        f"Of {comparison.compared:,} decisions in both runs {comparison.unchanged:,} are unchanged.",
    ]
    for change in comparison.changes:
        old, new = _shown(change, change.before), _shown(change, change.after)
        lines += ["", f"{_WORDS[change.what]}: {old} -> {new}: {change.count:,}"]
        lines += [f"    {time_}  {kind}  {name}" for time_, name, kind in change.examples]
    return lines


_WORDS = {
    "conclusion": "Conclusion",
    "decided_by": "Decided by another rule",
    "is_warning": "Warning",
    "is_capped": "Capped",
    "rules": "Rules that spoke",
}


def _shown(change: Change, value: str) -> str:
    if change.what.startswith("is_"):
        return "yes" if value == "1" else "no"
    return value or "none"
