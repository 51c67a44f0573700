"""Watches what the whole suite writes: log at debug level, statements and rows of the store, labels of metrics.

Canaries are texts with MARK in them, the tokens that tests sign, and the patients of the fixtures. A finding names the
test and place, not the value. `tests/conftest.py` makes the run fail on one, `tests/test_leaks.py` shows that it can.
"""

import json
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from cds_service import operations, store
from cds_service.clinical.model import Ingredient
from cds_service.metrics import Metrics
from cds_service.progress import Progress
from cds_service.tally import add_up

MARK = "must-never-be-seen"
PATIENTS = Path(__file__).resolve().parent.parent / "fhir_fixtures" / "patients"
_LONG_WORD = re.compile(r"[A-Za-z0-9_-]{30,}")
_REFERENCE = re.compile(r"Patient/[A-Za-z0-9]")
_FILES = ("*.sqlite3*", "log")  # stores and the logs of servers in processes of their own

_parts_of_tokens: set[str] = set()
_findings: list[str] = []


def remember(token: str) -> str:
    """A token that a test is about to use."""
    _parts_of_tokens.update(part for part in token.split(".") if _LONG_WORD.fullmatch(part))
    return token


@cache
def fixture_words() -> frozenset[str]:
    """Ids and names of the synthetic patients, which stand alone as values."""
    words = set()
    for path in PATIENTS.glob("*.json"):
        for entry in json.loads(path.read_text("utf-8"))["entry"]:
            if (person := entry["resource"])["resourceType"] == "Patient":
                names = [name.get("family", "") for name in person.get("name", ())]
                words.update(word for word in (person["id"], *names) if word)
    return frozenset(words - {str(one) for one in Ingredient})  # one patient is called like a product


def look(where: str, text: str) -> None:
    """Notes what is found in a longer text."""
    test = os.environ.get("PYTEST_CURRENT_TEST", "after the tests").partition(" ")[0]
    if MARK in text:
        _findings.append(f"{where}: a canary, {test}")
    if _REFERENCE.search(text):
        _findings.append(f"{where}: a reference to a patient, {test}")
    if not _parts_of_tokens.isdisjoint(_LONG_WORD.findall(text)):
        _findings.append(f"{where}: a token, {test}")


def look_at_values(where: str, values: Iterable[object]) -> None:
    """The same for single values, which may also be a patient's id or name as a whole."""
    for value in values:
        text = value.decode("latin-1") if isinstance(value, bytes) else value
        if not isinstance(text, str):
            continue
        look(where, text)
        if text in fixture_words():
            _findings.append(f"{where}: a patient, {os.environ.get('PYTEST_CURRENT_TEST', '')}")


def look_at_files(folder: Path) -> None:
    for pattern in _FILES:
        for path in folder.rglob(pattern):
            if path.is_file():
                look(f"file {path.name}", path.read_bytes().decode("latin-1"))


def look_at_database(url: str) -> None:
    """All rows of the tables that are ours."""
    engine = store.open_database(url)
    try:
        with engine.connect() as connection:
            names = set(sa.inspect(connection).get_table_names())
            for table in store.metadata.sorted_tables:
                if table.name in names:
                    for row in connection.execute(sa.select(table)):
                        look_at_values(f"table {table.name}", row)
    finally:
        engine.dispose()


# --- where it listens


class _Sink:
    """Takes lines of the log."""

    def msg(self, line: bytes) -> None:
        look("log", line.decode())
        look_at_values("log", _values(json.loads(line)))

    debug = info = warning = error = critical = msg


def _values(found: Any) -> Iterator[object]:
    if isinstance(found, dict | list):
        for one in found.values() if isinstance(found, dict) else found:
            yield from _values(one)
    else:
        yield found


class _Both:
    """The log that a test asked for, and beside it ours at debug level."""

    def __init__(self, *logs: Any) -> None:
        self._logs = logs

    def __getattr__(self, name: str) -> Any:
        def write(*given: Any, **entry: Any) -> None:
            for log in self._logs:
                getattr(log, name)(*given, **entry)

        return write


def _flat(given: Any) -> Iterator[object]:
    if isinstance(given, Mapping):
        yield from given.values()
    elif isinstance(given, list | tuple):
        for one in given:
            yield from _flat(one)
    else:
        yield given


def listen() -> None:
    """From now on, in this process."""
    log_to, note = operations.log_to, Metrics.note

    def log_to_both(sink: Any, level: str) -> Any:
        return _Both(log_to(sink, level), log_to(_Sink(), "debug"))

    def look_and_note(self: Metrics, entry: Mapping[str, Any], seconds: float, progress: Progress | None) -> None:
        tally = add_up([(entry, seconds, progress)], self._hooks)
        for _, labels in tally.counts:
            look_at_values("metrics", labels)
        look_at_values("metrics", (label for _, label in tally.seconds))
        note(self, entry, seconds, progress)

    def look_at_statement(_: object, __: object, statement: str, parameters: Any, *___: object) -> None:
        look("statement", statement)
        look_at_values("parameters", _flat(parameters))

    operations.log_to = log_to_both
    Metrics.note = look_and_note  # type: ignore[method-assign]
    sa.event.listen(sa.Engine, "before_cursor_execute", look_at_statement)


def findings() -> list[str]:
    """Each once."""
    return list(dict.fromkeys(_findings))


@contextmanager
def caught() -> Iterator[list[str]]:
    """What is found inside is expected, and given to the test that planted it."""
    before = len(_findings)
    found: list[str] = []
    try:
        yield found
    finally:
        found += _findings[before:]
        del _findings[before:]
