"""A run on disk: what it was asked, how far it got, and what came out of it. Runs are told apart by `run.json`."""

import csv
import os
import secrets
import shutil
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path
from typing import Any, TypeAlias

import msgspec

from cds_service import __version__
from cds_service.assembly import build_engine
from cds_service.card_parts import Stamp
from cds_service.errors import ConfigurationError
from cds_service.replay.core import Setup
from cds_service.replay.entries import Tallies
from cds_service.replay.files import write_whole
from cds_service.replay.lines import SUFFIXES, Problem, find_files
from cds_service.replay.one_machine import Report, Result
from cds_service.replay.rows import DECISIONS, FOLLOW_UPS, Row
from cds_service.settings import Settings

Json = dict[str, Any]
Engine: TypeAlias = Callable[[Path, Path, Setup, Report], Result]  # export, work folder
ABOUT, WORK, STATE, KEY = "run.json", "work", "asked.json", "key"
DECISION_FILE, FOLLOW_UP_FILE, PROBLEM_FILE = "decisions", "follow_up", "unreadable_lines.csv"


@dataclass(frozen=True, slots=True)
class Run:
    """A finished run. `about` is the content of `run.json`."""

    folder: Path
    about: Json

    @property
    def is_parquet(self) -> bool:
        return bool(self.about["format"] == "parquet")

    def file(self, name: str) -> Path:
        return self.folder / f"{name}.{self.about['format']}"

    @property
    def tallies(self) -> Tallies:
        return Tallies({(topic, name, detail): count for topic, name, detail, count in self.about["tallies"]})


def make_run(export: Path, folder: Path, setup: Setup, engine: Engine, report: Report, *, parquet: bool) -> Run:
    """Starts, or goes on with what was killed; what is finished already is returned as it is.

    Raises `ConfigurationError` saying why it cannot.
    """
    if folder.resolve().is_relative_to(export.resolve()):
        raise ConfigurationError(f"{folder} lies within the export: name a folder outside {export}")
    asked = describe(export, setup)
    is_site_key = bool(setup.key)
    if (folder / ABOUT).exists():
        return _finished(folder, asked)
    setup = _begin(folder, asked, setup)
    work = folder / WORK
    asked["pseudonyms"] = sha256(b"replay key" + setup.key).hexdigest()[:16]
    result = engine(export, work / "lines", setup, report)
    rows = {
        DECISION_FILE: write_rows(folder / f"{DECISION_FILE}.csv", DECISIONS, result.decisions),
        FOLLOW_UP_FILE: write_rows(folder / f"{FOLLOW_UP_FILE}.csv", FOLLOW_UPS, result.follow_ups),
        PROBLEM_FILE: write_rows(folder / PROBLEM_FILE, Problem._fields, map(_problem_row, result.problems)),
    }
    if parquet:
        from cds_service.replay.summaries import write_parquet

        for name in (DECISION_FILE, FOLLOW_UP_FILE):
            write_parquet(folder / f"{name}.csv", folder / f"{name}.parquet")
    tallies = [[*key, count] for key, count in sorted(result.tallies.items())]
    about = asked | {
        "site_key": is_site_key,
        "format": "parquet" if parquet else "csv",
        "rows": rows,
        "tallies": tallies,
    }
    write_whole(folder / ABOUT, msgspec.json.format(msgspec.json.encode(about), indent=1) + b"\n")
    shutil.rmtree(work)
    return Run(folder, about)


def open_run(folder: Path) -> Run:
    """Raises `ConfigurationError` when there is no finished run."""
    try:
        about = msgspec.json.decode((folder / ABOUT).read_bytes(), type=Json)
    except (OSError, msgspec.DecodeError):
        raise ConfigurationError(f"{folder} holds no finished run: there is no readable {ABOUT}") from None
    return Run(folder, about)


def _finished(folder: Path, asked: Json) -> Run:
    run = open_run(folder)
    if any(run.about.get(name) != value for name, value in asked.items()):
        raise ConfigurationError(f"{folder} holds a finished run of something else: name another folder, or remove it")
    return run


def describe(export: Path, setup: Setup) -> Json:
    """What tells one run from another, as plain values."""
    names = find_files(export)
    if not names:
        raise ConfigurationError(f"{export} holds no NDJSON: no file ends in {', '.join(SUFFIXES)}")
    sizes = [(export / name).stat().st_size for name in names]
    listed = "\n".join(f"{name} {size}" for name, size in zip(names, sizes, strict=True))
    stamp: Stamp = build_engine(Settings(**setup.settings)).shop.stamp
    knowledge = {"version": stamp.version, "date": stamp.date, "digest": stamp.digest, "review": stamp.review}
    return {
        "service": __version__,
        "knowledge": knowledge,
        "label": setup.settings.get("label", "us"),
        "timezone": setup.settings.get("timezone"),
        "what_if": setup.what_if,
        "identified": setup.is_identified,
        "until": setup.until.isoformat(),
        "export": {"files": len(names), "bytes": sum(sizes), "listing": sha256(listed.encode()).hexdigest()},
    }


def _begin(folder: Path, asked: Json, setup: Setup) -> Setup:
    """Keeps what was asked, so that only the same run goes on; without a key of the site one is made for this run."""
    work, state = folder / WORK, folder / WORK / STATE
    if folder.exists() and any(folder.iterdir()) and not state.exists():
        raise ConfigurationError(f"{folder} is not empty and holds no run: name a new folder")
    encoded = msgspec.json.encode(asked | {"has_own_key": bool(setup.key)}, order="sorted")
    if state.exists() and state.read_bytes() != encoded:
        raise ConfigurationError(
            f"{folder} holds an unfinished run of another export, version or question: remove it, or name a new folder"
        )
    work.mkdir(parents=True, exist_ok=True)
    if not setup.key:
        setup = _with_key(setup, work / KEY)
    write_whole(state, encoded)
    return setup


def _with_key(setup: Setup, path: Path) -> Setup:
    """A key for this run alone; it goes with the work folder, and with it the way back from pseudonyms."""
    if not path.exists():
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as out:
            out.write(secrets.token_bytes(32))
    return replace(setup, key=path.read_bytes())


def write_rows(path: Path, columns: Sequence[str], rows: Iterable[Row]) -> int:
    """CSV with a head line; how many rows."""
    count = 0
    with path.open("w", encoding="utf-8", newline="") as out:
        writer = csv.writer(out, lineterminator="\n")
        writer.writerow(columns)
        for row in rows:
            writer.writerow(row)
            count += 1
    return count


def _problem_row(problem: Problem) -> Row:
    return problem.file, str(problem.line), problem.reason, "yes" if problem.is_used else "no"
