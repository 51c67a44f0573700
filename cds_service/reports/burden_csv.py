"""The alert-burden report as CSV, one figure a row, for further work in other tools."""

import csv
import io
from collections.abc import Iterator
from typing import TypeAlias

from cds_service.reports.burden import Burden, Group
from cds_service.reports.burden_text import per_hundred
from cds_service.reports.wilson import Share

Row: TypeAlias = tuple[object, ...]


def render_csv(burden: Burden) -> str:
    """Long form: table, name, measure, value, low, high; shares in per cent with their interval, times in seconds."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(("table", "name", "measure", "value", "low", "high"))
    writer.writerows(_csv_rows(burden))
    return out.getvalue()


def _csv_rows(burden: Burden) -> Iterator[Row]:
    for group in burden.topics:
        yield from _group_rows("conclusion", group, burden.decided)
    for group in burden.rules:
        yield from _group_rows("rule", group, burden.decided)
    yield from (("reason", reason, "overridden", count, "", "") for reason, count in burden.reasons)
    yield from (("outcome", outcome, "calls", count, "", "") for outcome, count in burden.outcomes.items())
    for mode in burden.modes:
        yield "mode", mode.name, "calls", mode.calls, "", ""
        yield "mode", mode.name, "calls with cards", *_share(mode.firing)
    yield from _time_rows(burden)


def _group_rows(table: str, group: Group, calls: int) -> Iterator[Row]:
    for measure in ("made", "shown", "accepted", "overridden", "unanswered"):
        yield table, group.name, measure, getattr(group, measure), "", ""
    yield table, group.name, "per 100 calls", per_hundred(group.made, calls), "", ""
    for measure, share in (("acceptance", group.acceptance), ("override", group.override)):
        yield table, group.name, measure, *_share(share)


def _time_rows(burden: Burden) -> Iterator[Row]:
    if burden.times is not None:
        for measure in ("count", "lower", "median", "upper", "tenth"):
            yield "time to report", "all", measure, getattr(burden.times, measure), "", ""
    for period in burden.periods:
        name = f"{period.since:%Y-%m-%d}"
        yield "period", name, "calls", period.calls, "", ""
        for topic in (one.name for one in burden.topics):
            yield "period", name, f"calls with {topic}", *_share(period.rate(topic))
    for drift in burden.drift:
        yield "drift", drift.topic, f"{drift.after.since:%Y-%m-%d}", *_share(drift.after.rate(drift.topic))


def _share(share: Share) -> tuple[object, object, object]:
    if share.percent is None or share.interval is None:
        return "", "", ""
    low, high = share.interval
    return f"{share.percent:.2f}", f"{low:.2f}", f"{high:.2f}"
