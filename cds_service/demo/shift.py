"""Moves every date of a FHIR resource or hook request by whole days, so that nothing in the demo turns stale (R-08).

A full date or time is recognised by its form, wherever it stands, except in members that name or say something (ids,
codes, texts, identifiers); clock and offset stay. A partial date (`2026`, `2026-03`) looks like a code, so it is moved
only under the names FHIR gives to dates: the day in the middle of its year or month moves, and is cut to the same
precision. A birth date moves too, so that ages in days stay the same. Whole days are added, so 29 February is safe.
"""

import re
from datetime import date, timedelta
from typing import Any

_FULL = re.compile(r"(\d{4}-\d{2}-\d{2})(T.*)?", re.ASCII | re.DOTALL)
_PARTIAL = re.compile(r"(\d{4})(?:-(\d{2}))?", re.ASCII)
_MIDDLE_MONTH, _MIDDLE_DAY = 7, 15
_OPEN_END = "9999"  # how charts write "without end"
# Members that are no dates whatever they look like; `identifier` with all below it.
_NEVER = frozenset(
    ("id", "identifier", "code", "system", "url", "fullUrl", "reference", "display", "text", "div", "hookInstance")
)
_DATE_NAMES = frozenset(("start", "end", "event", "date", "due", "issued", "authored", "authoredOn", "recorded"))
_DATE_ENDINGS = ("Date", "DateTime")


def shift_dates(document: Any, days: int, name: str = "") -> Any:
    """A copy of parsed JSON with its dates moved by `days`; `name` is the member that holds it."""
    if name in _NEVER:
        return document
    if isinstance(document, dict):
        return {key: shift_dates(value, days, key) for key, value in document.items()}
    if isinstance(document, list):
        return [shift_dates(value, days, name) for value in document]
    return _shift_text(document, days, name) if isinstance(document, str) else document


def _shift_text(text: str, days: int, name: str) -> str:
    if text.startswith(_OPEN_END):
        return text
    try:
        if full := _FULL.fullmatch(text):
            return f"{date.fromisoformat(full[1]) + timedelta(days)}{full[2] or ''}"
        partial = _PARTIAL.fullmatch(text) if name in _DATE_NAMES or name.endswith(_DATE_ENDINGS) else None
        return _shift_partial(partial[1], partial[2], days) if partial else text
    except (ValueError, OverflowError):
        return text  # has the form of a date and is none: "2026-13-45"


def _shift_partial(year: str, month: str | None, days: int) -> str:
    moved = date(int(year), int(month or _MIDDLE_MONTH), _MIDDLE_DAY if month else 1) + timedelta(days)
    return moved.isoformat()[: len("2026-03") if month else len("2026")]
