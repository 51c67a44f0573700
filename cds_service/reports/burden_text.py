"""The alert-burden report at a terminal, and the sentences that all its forms share."""

from collections.abc import Iterator, Sequence

from rich.console import Console
from rich.table import Table as Grid
from rich.text import Text

from cds_service.reports.burden import Burden, Drift, Group, Times

_HOUR, _DAY = 3600, 86_400
GROUP_HEAD = (
    *("cards", "per 100 calls", "shown", "accepted", "overridden", "no feedback"),
    *("accepted of reported (95 %)", "overridden of reported (95 %)"),
)
NO_FEEDBACK = (
    "No feedback is kept apart from overridden: clients do not report cards that were ignored, and some report nothing."
)


def print_burden(burden: Burden, notes: Sequence[str], console: Console) -> None:
    """Every figure as it is: for whoever runs the service."""
    for line in (*headlines(burden), *notes):
        console.print(Text(line))
    for title, head, rows in _tables(burden):
        grid = Grid(title=Text(title), title_justify="left")
        for place, heading in enumerate(head):
            grid.add_column(heading, justify="left" if place == 0 else "right", overflow="fold")
        for row in rows:
            grid.add_row(*(Text(str(one)) for one in row))
        console.print(grid if rows else Text(f"{title}: nothing to show."))


def headlines(burden: Burden) -> list[str]:
    """The sentences everybody reads."""
    cards, live, silent = burden.all_cards, *burden.modes
    made = per_hundred(cards.made, burden.decided)
    span = f"from {burden.span}"
    done = f"{cards.accepted:,} were accepted, {cards.overridden:,} overridden"
    lines = [
        f"{burden.decided:,} calls were decided {span}; {cards.made:,} cards were made, {made} per 100 calls.",
        f"Live: {live.calls:,} calls, cards on {live.firing.text}.",
        f"Silent: {silent.calls:,} calls, cards on {silent.firing.text}, none of them shown.",
        f"Of {cards.shown:,} cards shown {done}, and nothing was reported about {cards.unanswered:,}.",
    ]
    lines += [f"Firing rate moved: {tell_drift(one)}." for one in burden.drift]
    if burden.strays:
        lines.append(f"{burden.strays:,} reports are about cards that are not in the store.")
    return lines


def tell_drift(drift: Drift) -> str:
    """One sentence without its full stop."""
    before, after = drift.before.rate(drift.topic), drift.after.rate(drift.topic)
    was, now = f"{before.text} of calls ({drift.before.span})", f"{after.text} ({drift.after.span})"
    return f"{drift.topic} from {was} to {now}"


Rows = list[tuple[str | int, ...]]


def _tables(burden: Burden) -> Iterator[tuple[str, tuple[str, ...], Rows]]:
    yield "Cards by conclusion", ("conclusion", *GROUP_HEAD), [_group(one, burden.decided) for one in burden.topics]
    yield "Cards by rule", ("rule", *GROUP_HEAD), [_group(one, burden.decided) for one in burden.rules]
    reasons: Rows = [(name, count) for name, count in burden.reasons]
    yield "Reasons of overrides", ("reason", "cards"), reasons
    yield "Time from card to report", ("", "time"), time_rows(burden.times)
    modes: Rows = [(one.name, one.calls, one.with_cards, one.cards, one.firing.text) for one in burden.modes]
    yield "Silent against live", ("mode", "calls", "with cards", "cards", "calls with cards (95 %)"), modes
    topics = [one.name for one in burden.topics]
    rates: Rows = [
        (f"{one.since:%Y-%m-%d}", one.calls, *(one.rate(topic).text for topic in topics)) for one in burden.periods
    ]
    yield "Calls with a card, by period", ("from", "calls", *topics), rates
    outcomes: Rows = list(burden.outcomes.items())
    yield "Calls by outcome", ("outcome", "calls"), outcomes


def _group(group: Group, calls: int) -> tuple[str | int, ...]:
    return (
        group.name,
        group.made,
        per_hundred(group.made, calls),
        group.shown,
        group.accepted,
        group.overridden,
        group.unanswered,
        group.acceptance.text,
        group.override.text,
    )


def per_hundred(count: int, of: int) -> str:
    return f"{100 * count / of:.1f}" if of else "–"  # noqa: RUF001


def time_rows(times: Times | None) -> Rows:
    if times is None:
        return []
    named = (("lower quartile", times.lower), ("median", times.median), ("upper quartile", times.upper))
    rows: Rows = [(name, show_time(seconds)) for name, seconds in (*named, ("nine in ten within", times.tenth))]
    return [("cards with a report", times.count), *rows]


def show_time(seconds: float) -> str:
    """In the unit people would use."""
    if seconds < 2 * 60:
        return f"{seconds:.0f} s"
    if seconds < 2 * _HOUR:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / _HOUR:.1f} h" if seconds < 2 * _DAY else f"{seconds / _DAY:.1f} days"
