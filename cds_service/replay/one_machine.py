"""A replay on one machine: lines spread by patient over bucket files, buckets worked by a pool of processes."""

import gc
import multiprocessing
import multiprocessing.connection
import os
import shutil
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from heapq import merge
from pathlib import Path
from typing import IO
from zlib import crc32

import msgspec

from cds_service.replay import core
from cds_service.replay.core import Setup
from cds_service.replay.entries import Tallies
from cds_service.replay.files import read_tallies, write_tallies, write_whole
from cds_service.replay.lines import Line, Passed, Problem, find_files, read_file
from cds_service.replay.rows import Row

Report = Callable[[str, int, int], None]  # stage, done, of how many

LEAST_BUCKETS = 8  # so that the last one working does not keep all others waiting
BUCKET_BYTES = 12 * 1024 * 1024  # of undecoded lines; a worker holds one bucket
MOST_BUCKETS = 400  # files open at once
GZIP_RATIO = 12  # NDJSON of FHIR shrinks to about a twelfth
READ, DECIDED = "read.json", ".done"
_ENCODE = msgspec.json.Encoder().encode
_ROWS = msgspec.json.Decoder(tuple[str, ...])


@dataclass(frozen=True, slots=True)
class Result:
    """Rows in their total order, lines that could not be used, and counts."""

    decisions: Iterator[Row]
    follow_ups: Iterator[Row]
    problems: Iterator[Problem]
    tallies: Tallies


def replay(workers: int, export: Path, work: Path, setup: Setup, report: Report) -> Result:
    """Goes on where a killed run in `work` stopped: with the buckets that are not decided yet."""
    state = work / READ
    if not state.exists():
        shutil.rmtree(work, ignore_errors=True)
        work.mkdir(parents=True)
        _spread(export, work, report)
    sizes = msgspec.json.decode(state.read_bytes(), type=dict[str, int])
    _decide(work, setup, sizes, workers, report)
    buckets = sorted(sizes)
    tallies = read_tallies(work / "tallies.json")
    for bucket in buckets:
        tallies += read_tallies(work / f"{bucket}{DECIDED}")
    return Result(
        decisions=_merge(work, buckets, "decisions"),
        follow_ups=_merge(work, buckets, "follow_ups"),
        problems=_read_problems(work / "problems"),
        tallies=tallies,
    )


# -------------------------------------------------------------------------------------------- lines to bucket files


def _spread(export: Path, work: Path, report: Report) -> None:
    """Every line is read once. The state file is written last: without it the reading starts anew."""
    names = find_files(export)
    stored = [(export / name).stat().st_size for name in names]
    total = sum(stored)
    count = count_buckets(names, stored)
    spreader = _Spreader(work, count)
    behind = 0
    with spreader:
        for name, size in zip(names, stored, strict=True):
            for read in read_file(export, name, partial(_report_bytes, report, total, behind)):
                spreader.put(read)
            behind += size
    report("reading bytes", total, total)
    write_tallies(work / "tallies.json", spreader.tallies)
    write_whole(work / READ, _ENCODE({f"{number:04}": lines for number, lines in enumerate(spreader.lines)}))


def _report_bytes(report: Report, total: int, behind: int, at: int) -> None:
    report("reading bytes", behind + at, total)


def count_buckets(names: Sequence[str], stored: Sequence[int]) -> int:
    """So many that one of them is small; more than that help no one."""
    unpacked = sum(size * (GZIP_RATIO if name.endswith(".gz") else 1) for name, size in zip(names, stored, strict=True))
    return min(MOST_BUCKETS, max(LEAST_BUCKETS, -(-unpacked // BUCKET_BYTES)))


class _Spreader:
    """The open files of the reading."""

    def __init__(self, work: Path, count: int) -> None:
        self._stack = ExitStack()
        self._buckets = [self._open(work / f"{number:04}") for number in range(count)]
        self._medications = self._open(work / "medications")
        self._problems = self._open(work / "problems")
        self.lines = [0] * count
        self.tallies: Tallies = Counter()

    def _open(self, path: Path) -> IO[bytes]:
        return self._stack.enter_context(path.open("wb"))

    def __enter__(self) -> "_Spreader":
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def put(self, read: Line | Problem | Passed) -> None:
        if isinstance(read, Line):
            self.tallies["lines", read.type, "read"] += 1
            if not read.patient:
                self._medications.write(b"%b\t%b\n" % (read.id.encode(), read.raw))
                return
            patient = read.patient.encode()
            number = crc32(patient) % len(self._buckets)
            self.lines[number] += 1
            self._buckets[number].write(b"%b\t%b\t%b\t%b\n" % (patient, read.type.encode(), read.id.encode(), read.raw))
        elif isinstance(read, Passed):
            self.tallies["lines", read.type, "not asked for by any rule"] += 1
        else:
            self.tallies["problems", read.reason, ""] += 1
            self._problems.write(_ENCODE(read) + b"\n")


def _read_problems(path: Path) -> Iterator[Problem]:
    with path.open("rb") as lines:
        for line in lines:
            yield Problem(*msgspec.json.decode(line))


def read_medications(path: Path) -> Iterator[tuple[str, bytes]]:
    with path.open("rb") as lines:
        for line in lines:
            name, _, raw = line.rstrip(b"\n").partition(b"\t")
            yield name.decode(), raw


# -------------------------------------------------------------------------------------------- bucket files to rows


def _decide(work: Path, setup: Setup, sizes: dict[str, int], workers: int, report: Report) -> None:
    open_buckets = [one for one in sorted(sizes) if not (work / f"{one}{DECIDED}").exists()]
    total = sum(sizes.values())
    done = total - sum(sizes[one] for one in open_buckets)
    report("deciding resources", done, total)
    if not open_buckets:
        return
    for bucket in _work(work, setup, open_buckets, workers):
        done += sizes[bucket]
        report("deciding resources", done, total)


def _work(work: Path, setup: Setup, buckets: Sequence[str], workers: int) -> Iterator[str]:
    """The buckets as they are done; one process does without a pool."""
    if workers == 1:
        _open(setup, str(work))
        for bucket in buckets:
            _decide_bucket(str(work), bucket)
            yield bucket
        return
    context = multiprocessing.get_context("spawn")  # forking a process that has threads may hang
    most = min(workers, len(buckets))
    with ProcessPoolExecutor(most, context, initializer=_start, initargs=(setup, str(work))) as pool:
        waiting: dict[Future[None], str] = {pool.submit(_decide_bucket, str(work), one): one for one in buckets}
        while waiting:
            finished, _ = wait(waiting, return_when=FIRST_COMPLETED)
            for future in finished:
                future.result()
                yield waiting.pop(future)


_state: dict[str, core.Replay] = {}  # of a worker process


def _start(setup: Setup, work: str) -> None:
    """Once a worker. What is made here stays: the collector need not look at it again."""
    _open(setup, work)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    gc.freeze()
    gc.set_threshold(50_000, 50, 50)


def _end_with_parent() -> None:
    """A worker whose parent was killed would wait for work for ever."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        multiprocessing.connection.wait([parent.sentinel])
        os._exit(1)


def _open(setup: Setup, work: str) -> None:
    _state["replay"] = core.open_replay(setup, read_medications(Path(work) / "medications"))


def _decide_bucket(work: str, bucket: str) -> None:
    """Rows of one bucket, sorted; the tallies are written last and mark it as done."""
    folder = Path(work)
    decisions: list[Row] = []
    follow_ups: list[Row] = []
    tallies: Tallies = Counter()
    for patient, lines in _read_bucket(folder / bucket).items():
        outcome = core.replay_patient(_state["replay"], patient, lines)
        decisions += outcome.decisions
        follow_ups += outcome.follow_ups
        tallies.update(outcome.tallies)
    _write_rows(folder / f"{bucket}.decisions", decisions)
    _write_rows(folder / f"{bucket}.follow_ups", follow_ups)
    write_tallies(folder / f"{bucket}{DECIDED}", tallies)


def _read_bucket(path: Path) -> dict[str, list[Line]]:
    patients: dict[str, list[Line]] = {}
    with path.open("rb") as lines:
        for line in lines:
            patient, kind, name, raw = line.rstrip(b"\n").split(b"\t", 3)
            who = patient.decode()
            patients.setdefault(who, []).append(Line(kind.decode(), name.decode(), who, raw))
    return patients


def _write_rows(path: Path, rows: list[Row]) -> None:
    beside = path.with_name(f"{path.name}.new")
    with beside.open("wb") as out:
        out.writelines(_ENCODE(row) + b"\n" for row in sorted(rows))
    beside.replace(path)


def _merge(work: Path, buckets: Sequence[str], name: str) -> Iterator[Row]:
    with ExitStack() as stack:
        files = [stack.enter_context((work / f"{bucket}.{name}").open("rb")) for bucket in buckets]
        yield from merge(*(map(_ROWS.decode, one) for one in files))
