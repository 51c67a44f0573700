"""The alert-burden report as a self-contained page for a committee; small groups are masked."""

from collections.abc import Iterator, Sequence
from typing import TypeAlias

from cds_service.reports import charts
from cds_service.reports.burden import Burden, Drift, Group
from cds_service.reports.burden_text import GROUP_HEAD, NO_FEEDBACK, tell_drift, time_rows
from cds_service.reports.page import Chart, Section, render_page
from cds_service.reports.tables import Table, is_small, show_rate
from cds_service.reports.wilson import Share

Cells: TypeAlias = tuple[str | int, ...]


def render_html(burden: Burden, notes: Sequence[str]) -> str:
    """For a committee: small groups are masked here, unlike at the terminal."""
    foot = (
        "Intervals are Wilson's, 95 %. A period is flagged where its interval does not overlap that of the one before.",
        f"Knowledge that answered: {', '.join(one[:12] for one in burden.knowledge) or 'none'}.",
    )
    return render_page("Alert burden", [*_masked_lead(burden), *notes], list(_sections(burden)), foot)


def _masked_lead(burden: Burden) -> list[str]:
    cards = burden.all_cards
    rate = show_rate(cards.made, burden.decided)
    first = f"{burden.decided:,} calls were decided from {burden.span}; {rate} cards per 100 calls were made."
    moved = [one for one in burden.drift if not _is_hidden(one)]
    return [first, *(f"Firing rate moved: {tell_drift(one)}." for one in moved)]


def _is_hidden(drift: Drift) -> bool:
    shares = (drift.before.rate(drift.topic), drift.after.rate(drift.topic))
    return any(is_small(one.count) or is_small(one.of) for one in shares)


def _sections(burden: Burden) -> Iterator[Section]:
    names = [one.name for one in burden.topics]
    drawn = charts.bars("Cards by conclusion", names, [one.made for one in burden.topics], axis="cards")
    answers = {
        "accepted": [one.accepted for one in burden.topics],
        "overridden": [one.overridden for one in burden.topics],
        "no feedback": [one.unanswered for one in burden.topics],
    }
    stacked = charts.stacked_columns("What was done with the cards shown", names, answers, axis="cards")
    by_rule = _masked("rule", burden.rules, burden.decided)
    yield Section("By conclusion", (Chart(drawn), _masked("conclusion", burden.topics, burden.decided), Chart(stacked)))
    yield Section("By rule", ("A card counts for each rule that spoke on it.", by_rule))
    reasons = Table(("reason", "cards"), tuple(burden.reasons), empty="No card was overridden.")
    yield Section("Overrides", (NO_FEEDBACK, reasons))
    times = tuple(time_rows(burden.times)) if burden.times and not is_small(burden.times.count) else ()
    yield Section("Time to feedback", (Table(("", "time"), times, empty="Too few cards with a report."),))
    modes = tuple((one.name, one.calls, one.with_cards, one.cards, _text(one.firing)) for one in burden.modes)
    head = ("mode", "calls", "with cards", "cards", "calls with cards (95 %)")
    yield Section("Silent against live", (Table(head, modes),))
    yield _drift_section(burden, names)


def _drift_section(burden: Burden, names: Sequence[str]) -> Section:
    labels = [f"{one.since:%Y-%m-%d}" for one in burden.periods]
    values = {name: [_rate(one.rate(name)) for one in burden.periods] for name in names}
    drawn = charts.lines("Calls with a card, per 100 calls", labels, values, axis="per 100 calls")
    rows: tuple[Cells, ...] = tuple(
        (label, one.calls, *(_text(one.rate(name)) for name in names))
        for label, one in zip(labels, burden.periods, strict=True)
    )
    moved = [f"{tell_drift(one)}." for one in burden.drift if not _is_hidden(one)]
    words = moved or ["No conclusion changed its firing rate between two periods."]
    return Section("Firing rate over time", (*words, Chart(drawn), Table(("from", "calls", *names), rows)))


def _masked(name: str, groups: Sequence[Group], calls: int) -> Table:
    rows: tuple[Cells, ...] = tuple(
        (
            *(one.name, one.made, show_rate(one.made, calls), one.shown, one.accepted, one.overridden),
            *(_unanswered(one), _text(one.acceptance), _text(one.override)),
        )
        for one in groups
    )
    return Table((name, *GROUP_HEAD), rows)


def _unanswered(group: Group) -> str | int:
    """Not where the difference to the cards shown would tell a small number of reports."""
    return "–" if is_small(group.shown - group.unanswered) else group.unanswered  # noqa: RUF001


def _text(share: Share) -> str:
    hidden = any(is_small(one) for one in (share.count, share.of, share.of - share.count))
    return "–" if hidden else share.text  # noqa: RUF001


def _rate(share: Share) -> float | None:
    return None if share.percent is None or is_small(share.count) or is_small(share.of) else share.percent
