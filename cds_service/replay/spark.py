"""A replay on Apache Spark (extra `spark`): an RDD grouped by patient; the same rows as on one machine.

The folder of the export has to be visible to every executor under the same path (a shared or mounted file system).
"""

import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cds_service.errors import ConfigurationError
from cds_service.replay import core
from cds_service.replay.core import Setup
from cds_service.replay.entries import Tallies
from cds_service.replay.lines import Line, Passed, Problem, find_files, read_file
from cds_service.replay.one_machine import Report, Result
from cds_service.replay.rows import Row

if TYPE_CHECKING:
    from pyspark import Broadcast, SparkContext

LINE, MEDICATION, PROBLEM, TALLY, DECISION, FOLLOW_UP = (
    "line",
    "medication",
    "problem",
    "tally",
    "decision",
    "follow-up",
)
_Tagged = tuple[str, Any]


def replay(master: str, export: Path, work: Path, setup: Setup, report: Report) -> Result:
    """`master` is a Spark master such as `local[2]` or `yarn`; empty: what spark-submit says."""
    context = _connect(master)
    names = find_files(export)
    folder = str(export.resolve())
    report("reading files", 0, len(names))
    read = context.parallelize(names, len(names)).mapPartitions(_reader(folder)).persist(_disk())
    medications = dict(read.filter(_is(MEDICATION)).values().collect())
    problems = sorted(read.filter(_is(PROBLEM)).values().collect())
    tallies: Tallies = Counter()
    for counted in read.filter(_is(TALLY)).values().collect():
        tallies.update(counted)
    report("reading files", len(names), len(names))
    shared = context.broadcast(medications)
    parts = max(context.defaultParallelism * 4, 1 + sum(tallies.values()) // 100_000)
    grouped = read.filter(_is(LINE)).values().groupByKey(parts)
    decided = grouped.mapPartitions(_decider(setup, shared)).persist(_disk())
    for counted in decided.filter(_is(TALLY)).values().collect():
        tallies.update(counted)
    work.mkdir(parents=True, exist_ok=True)
    return Result(
        decisions=_in_order(decided, DECISION),
        follow_ups=_finally(_in_order(decided, FOLLOW_UP), context),
        problems=iter([Problem(*one) for one in problems]),
        tallies=tallies,
    )


def _connect(master: str) -> "SparkContext":
    try:
        from pyspark import SparkConf, SparkContext
    except ImportError:
        raise ConfigurationError("--spark needs PySpark: pip install 'iv-iron-rls-cds[spark]', and Java 17") from None
    conf = SparkConf().setAppName("cds-service replay").set("spark.ui.showConsoleProgress", "false")
    context = SparkContext.getOrCreate(conf.setMaster(master) if master else conf)
    context.setLogLevel("ERROR")
    if master.startswith("local"):
        context.pythonExec = sys.executable  # this one has what the rules need, the first python3 in the path may not
    return context


def _disk() -> Any:
    from pyspark import StorageLevel

    return StorageLevel.DISK_ONLY


def _is(tag: str) -> Any:
    def matches(one: _Tagged) -> bool:
        return one[0] == tag

    return matches


def _reader(folder: str) -> Any:
    """The lines of whole files, tagged; a file is read by one task, so that its lines keep their numbers."""

    def read(names: Iterable[str]) -> Iterator[_Tagged]:
        tallies: Tallies = Counter()
        for name in names:
            for one in read_file(Path(folder), name):
                if isinstance(one, Problem):
                    tallies["problems", one.reason, ""] += 1
                    yield PROBLEM, tuple(one)
                elif isinstance(one, Passed):
                    tallies["lines", one.type, "not asked for by any rule"] += 1
                else:
                    tallies["lines", one.type, "read"] += 1
                    yield (LINE, (one.patient, tuple(one))) if one.patient else (MEDICATION, (one.id, one.raw))
        yield TALLY, dict(tallies)

    return read


def _decider(setup: Setup, medications: "Broadcast[dict[str, bytes]]") -> Any:
    def decide(patients: Iterable[tuple[str, Iterable[tuple[str, ...]]]]) -> Iterator[_Tagged]:
        replay_of_task = core.open_replay(setup, medications.value.items())
        tallies: Tallies = Counter()
        for patient, lines in patients:
            outcome = core.replay_patient(replay_of_task, patient, [Line(*one) for one in lines])  # type: ignore[arg-type]
            yield from ((DECISION, row) for row in outcome.decisions)
            yield from ((FOLLOW_UP, row) for row in outcome.follow_ups)
            tallies.update(outcome.tallies)
        yield TALLY, dict(tallies)

    return decide


def _in_order(decided: Any, tag: str) -> Iterator[Row]:
    yield from decided.filter(_is(tag)).values().sortBy(_itself).toLocalIterator()


def _itself(row: Row) -> Row:
    return row


def _finally(rows: Iterator[Row], context: "SparkContext") -> Iterator[Row]:
    """The last rows that are asked for: Spark is done then."""
    yield from rows
    context.stop()
