"""The chart of a patient as it stood at a given moment, by prefetch key."""

from collections.abc import Iterable

import msgspec
from msgspec import Raw

from cds_service.fhir.wire import (
    UNREADABLE,
)
from cds_service.replay.entries import Entry, without
from cds_service.replay.history import History
from cds_service.replay.moments import Moment, read_moment

Chart = dict[str, list[Raw]]  # prefetch key -> undecoded resources


def chart_at(history: History, moment: Moment, session: Iterable[str] = ()) -> Chart:
    """What was known by then; nothing of the session's own orders, nor of what came of them."""
    own = frozenset(session)
    chart: Chart = {}
    latest: dict[str, Entry] = {}
    for entry in history.entries:
        if entry.reference in own or not entry.is_known_by(moment) or not own.isdisjoint(entry.orders):
            continue
        if history.has_versions:
            latest[entry.reference] = entry  # the entries are sorted: the last one known is the one that counts
        else:
            _put(chart, entry, moment)
    for entry in latest.values():
        _put(chart, entry, moment)
    chart["patient"] = person_at(history, moment)
    return chart


def _put(chart: Chart, entry: Entry, moment: Moment) -> None:
    raw = entry.at(moment)
    for key in entry.keys:
        chart.setdefault(key, []).append(raw)


class _Person(msgspec.Struct, gc=False):
    deceasedDateTime: str | None = None
    deceasedBoolean: bool | None = None


_PERSON = msgspec.json.Decoder(_Person)


def person_at(history: History, moment: Moment) -> list[Raw]:
    """The Patient, alive until the recorded date of death; without such a date, alive when orders were written."""
    people = []
    for raw in history.person:
        try:
            person = _PERSON.decode(raw)
        except UNREADABLE:
            people.append(raw)
            continue
        died = read_moment(person.deceasedDateTime, None)
        is_dead = died is not None and died.is_by(moment)
        lives = (person.deceasedBoolean or person.deceasedDateTime) and not is_dead
        people.append(without(raw, "deceased") if lives else raw)
    return people
