"""Two finished runs over the same data: which decisions changed, from what to what, and the first examples."""

import csv
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from cds_service.errors import ConfigurationError
from cds_service.replay.rows import Row
from cds_service.replay.run import DECISION_FILE, Run

COMPARED = ("conclusion", "decided_by", "is_warning", "is_capped", "rules")
_READ = ("time", "id", "kind", *COMPARED)
_KEY = 3  # time, id and kind name a decision
ABSENT = "no such row"
_Key = tuple[str, ...]


@dataclass(slots=True)
class Change:
    """One kind of change: `what` changed from `before` to `after`, how often, and where first."""

    what: str
    before: str
    after: str
    count: int = 0
    examples: list[_Key] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Comparison:
    compared: int  # decisions in both runs
    unchanged: int
    changes: tuple[Change, ...]  # most frequent first, changes of the conclusion before all others


def compare(before: Run, after: Run, examples: int = 3) -> Comparison:
    """Raises `ConfigurationError` where the runs are not of the same data or cannot be matched."""
    _check(before, after)
    changes: dict[tuple[str, str, str], Change] = {}
    counts: Counter[str] = Counter()
    for key, old, new in _pair(_read(before), _read(after)):
        counts["both"] += bool(old and new)
        found = _differences(old, new)
        counts["unchanged"] += not found
        for one in found:
            change = changes.setdefault(one, Change(*one))
            change.count += 1
            if len(change.examples) < examples:
                change.examples.append(key)
    ordered = sorted(changes.values(), key=lambda one: (_PLACE[one.what], -one.count, one.before, one.after))
    return Comparison(counts["both"], counts["unchanged"], tuple(ordered))


_PLACE = {name: place for place, name in enumerate(("conclusion", "decided_by", "is_warning", "is_capped", "rules"))}


def _check(before: Run, after: Run) -> None:
    for name, words in (
        ("export", "are of different exports"),
        ("identified", "were made one with and one without --identified"),
        ("what_if", "were made one with and one without --what-if"),
        ("pseudonyms", "carry pseudonyms of different keys: set CDS_PSEUDONYM_KEY, the same for both"),
    ):
        if name == "pseudonyms" and before.about["identified"]:
            continue
        if before.about[name] != after.about[name]:
            raise ConfigurationError(f"{before.folder} and {after.folder} {words}")


def _differences(old: Row | None, new: Row | None) -> list[tuple[str, str, str]]:
    """A changed conclusion says it all; else what else changed."""
    if old is None or new is None:
        return [("conclusion", old[0] if old else ABSENT, new[0] if new else ABSENT)]
    if old[0] != new[0]:
        return [("conclusion", old[0], new[0])]
    return [(name, one, other) for name, one, other in zip(COMPARED[1:], old[1:], new[1:], strict=True) if one != other]


def _pair(before: Iterable[Row], after: Iterable[Row]) -> Iterator[tuple[_Key, Row | None, Row | None]]:
    """Both are in the same total order, so that nothing has to be held."""
    left, right = iter(before), iter(after)
    old, new = next(left, None), next(right, None)
    while old is not None or new is not None:
        first = min(one[:_KEY] for one in (old, new) if one is not None)
        here = old if old is not None and old[:_KEY] == first else None
        there = new if new is not None and new[:_KEY] == first else None
        yield first, here[_KEY:] if here else None, there[_KEY:] if there else None
        if here is not None:
            old = next(left, None)
        if there is not None:
            new = next(right, None)


def _read(run: Run) -> Iterator[Row]:
    if run.is_parquet:
        from cds_service.replay.summaries import open_tables

        flags = ", ".join(f"({one}::INTEGER)::VARCHAR" if one.startswith("is_") else one for one in _READ)
        with open_tables(run) as tables:
            found = tables.execute(f"SELECT {flags} FROM {DECISION_FILE}")  # noqa: S608  # names of ours
            while rows := found.fetchmany(10_000):
                yield from (tuple(one or "" for one in row) for row in rows)
        return
    with run.file(DECISION_FILE).open(encoding="utf-8", newline="") as lines:
        for row in csv.DictReader(lines):
            yield tuple(row[name] for name in _READ)
