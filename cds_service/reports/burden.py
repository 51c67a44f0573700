"""Alert burden from the store: how often cards came, what was done with them, and whether that changes over time.

A card without feedback is neither accepted nor overridden: clients do not report cards that were ignored (CH-185).
"""

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from statistics import quantiles

from cds_service.reports.wilson import Share, is_apart
from cds_service.store.card_history import DECIDED, PastCall, PastCard

ACCEPTED, OVERRIDDEN = "accepted", "overridden"
UNTOLD = "no reason given"
_RULE = re.compile(r"\S+(?: \([^)]*\))?")  # rule ids are separated by blanks, and may hold a word in brackets


@dataclass(frozen=True, slots=True)
class Group:
    """Cards of one conclusion or rule. `made` counts also those that silent mode withheld."""

    name: str
    made: int
    shown: int
    accepted: int
    overridden: int

    @property
    def unanswered(self) -> int:
        return self.shown - self.accepted - self.overridden

    @property
    def acceptance(self) -> Share:
        """Of the cards that something was reported about."""
        return Share(self.accepted, self.accepted + self.overridden)

    @property
    def override(self) -> Share:
        return Share(self.overridden, self.accepted + self.overridden)

    @property
    def reported(self) -> Share:
        """Of the cards shown: how many anything was reported about."""
        return Share(self.accepted + self.overridden, self.shown)


@dataclass(frozen=True, slots=True)
class Period:
    """One stretch of time: decided calls, and calls with a card of each conclusion."""

    since: datetime
    until: datetime
    calls: int
    with_topic: dict[str, int]

    @property
    def span(self) -> str:
        return show_span(self.since, self.until)

    def rate(self, topic: str) -> Share:
        """Share of decided calls with at least one card of the topic."""
        return Share(self.with_topic.get(topic, 0), self.calls)


@dataclass(frozen=True, slots=True)
class Drift:
    """A conclusion whose firing rate moved between two periods that follow each other."""

    topic: str
    before: Period
    after: Period


@dataclass(frozen=True, slots=True)
class Mode:
    """Live or silent: decided calls, calls with cards, cards made."""

    name: str
    calls: int
    with_cards: int
    cards: int

    @property
    def firing(self) -> Share:
        return Share(self.with_cards, self.calls)


@dataclass(frozen=True, slots=True)
class Times:
    """Seconds from a card to its report: quartiles and the ninth decile, over `count` cards."""

    count: int
    lower: float
    median: float
    upper: float
    tenth: float


@dataclass(frozen=True, slots=True)
class Burden:
    """The whole report."""

    since: datetime
    until: datetime
    knowledge: tuple[str, ...]  # content hashes that answered, oldest first
    outcomes: dict[str, int]  # calls by outcome, errors among them
    modes: tuple[Mode, Mode]  # live, silent
    topics: tuple[Group, ...]
    rules: tuple[Group, ...]
    reasons: tuple[tuple[str, int], ...]
    times: Times | None
    periods: tuple[Period, ...]
    drift: tuple[Drift, ...]
    strays: int  # reports about cards that are not in the store

    @property
    def span(self) -> str:
        """First and last day, both of them counted."""
        return show_span(self.since, self.until)

    @property
    def decided(self) -> int:
        return sum(one.calls for one in self.modes)

    @property
    def all_cards(self) -> Group:
        """Every card once."""
        return Group("all", *(sum(getattr(one, name) for one in self.topics) for name in _COUNTS))


def show_span(since: datetime, until: datetime) -> str:
    """`2026-09-01 to 2026-09-30` for a span that ends as the next day begins."""
    return f"{since:%Y-%m-%d} to {until - timedelta(microseconds=1):%Y-%m-%d}"


_COUNTS = ("made", "shown", "accepted", "overridden")


def measure(
    calls: Iterable[PastCall],
    cards: Iterable[PastCard],
    since: datetime,
    until: datetime,
    period_days: int,
    strays: int = 0,
) -> Burden:
    """Counts what is given; all of it lies between `since` and `until`."""
    past_calls, past_cards = list(calls), list(cards)
    periods = _periods(past_calls, past_cards, since, until, period_days)
    return Burden(
        since=since,
        until=until,
        knowledge=tuple(dict.fromkeys(one.knowledge for one in past_calls)),
        outcomes=dict(Counter(one.outcome for one in past_calls).most_common()),
        modes=(_mode("live", True, past_calls, past_cards), _mode("silent", False, past_calls, past_cards)),
        topics=_groups((one.topic, one) for one in past_cards),
        rules=_groups((rule, one) for one in past_cards for rule in split_rules(one.rules)),
        reasons=_reasons(past_cards),
        times=_times(past_cards),
        periods=periods,
        drift=find_drift(periods),
        strays=strays,
    )


def split_rules(text: str) -> list[str]:
    """`R-15 (text) R-22` are two; a rule named twice counts once."""
    return list(dict.fromkeys(_RULE.findall(text)))


def _mode(name: str, is_shown: bool, calls: Sequence[PastCall], cards: Sequence[PastCard]) -> Mode:
    decided = [one for one in calls if one.shown is is_shown and one.outcome in DECIDED]
    made = [one for one in cards if one.shown is is_shown]
    return Mode(name, len(decided), len({one.request_id for one in made}), len(made))


def _groups(named: Iterable[tuple[str, PastCard]]) -> tuple[Group, ...]:
    """Most frequent first."""
    found: dict[str, list[PastCard]] = defaultdict(list)
    for name, card in named:
        found[name].append(card)
    groups = (
        Group(
            name,
            made=len(cards),
            shown=sum(one.shown for one in cards),
            accepted=sum(one.shown and one.outcome == ACCEPTED for one in cards),
            overridden=sum(one.shown and one.outcome == OVERRIDDEN for one in cards),
        )
        for name, cards in found.items()
    )
    return tuple(sorted(groups, key=lambda one: (-one.made, one.name)))


def _reasons(cards: Sequence[PastCard]) -> tuple[tuple[str, int], ...]:
    told = Counter(one.reason_code or UNTOLD for one in cards if one.outcome == OVERRIDDEN)
    return tuple(sorted(told.items(), key=lambda one: (-one[1], one[0])))


def _times(cards: Sequence[PastCard]) -> Times | None:
    """From the card to what the client says of the user, or to its arrival where that clock cannot be right."""
    seconds = sorted(
        (_moment(one) - one.at).total_seconds() for one in cards if one.outcome is not None and _moment(one) >= one.at
    )
    if not seconds:
        return None
    tenths = quantiles(seconds, n=20, method="inclusive") if len(seconds) > 1 else seconds * 19
    return Times(len(seconds), tenths[4], tenths[9], tenths[14], tenths[17])


def _moment(card: PastCard) -> datetime:
    when, received = card.feedback_at or card.at, card.received or card.at
    return min(when, received) if when >= card.at else received


def _periods(
    calls: Sequence[PastCall], cards: Sequence[PastCard], since: datetime, until: datetime, days: int
) -> tuple[Period, ...]:
    """Whole periods counted back from the end, so that the latest is complete; what is left over goes first."""
    length, edges = timedelta(days=days), [until]
    while edges[-1] - length > since:
        edges.append(edges[-1] - length)
    ends = edges[::-1]
    return tuple(_period(calls, cards, start, end) for start, end in zip([since, *ends[:-1]], ends, strict=True))


def _period(calls: Sequence[PastCall], cards: Sequence[PastCard], start: datetime, end: datetime) -> Period:
    decided = {one.request_id for one in calls if start <= one.at < end and one.outcome in DECIDED}
    fired = {(one.topic, one.request_id) for one in cards if one.request_id in decided}
    return Period(start, end, len(decided), dict(Counter(topic for topic, _ in fired)))


def find_drift(periods: Sequence[Period]) -> tuple[Drift, ...]:
    """Neighbouring periods whose 95 % intervals of the firing rate do not overlap, by conclusion."""
    topics = sorted({topic for period in periods for topic in period.with_topic})
    return tuple(
        Drift(topic, before, after)
        for topic in topics
        for before, after in pairwise(periods)
        if is_apart(before.rate(topic), after.rate(topic))
    )
