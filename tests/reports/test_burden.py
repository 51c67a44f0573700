"""Alert burden: a generated store with known truth gives the known figures, in all three forms, on both databases."""

import csv
import io
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner
from rich.console import Console

from cds_service import store
from cds_service.cli import main
from cds_service.reports.burden import Burden, measure, split_rules
from cds_service.reports.burden_csv import render_csv
from cds_service.reports.burden_page import render_html
from cds_service.reports.burden_run import build
from cds_service.reports.burden_text import headlines, print_burden, show_time
from cds_service.reports.wilson import Share, is_apart
from cds_service.settings import load_settings
from cds_service.store import CallRow, CardRow, FeedbackRow, Store, migrating
from cds_service.store.card_history import count_strays, read_calls, read_cards
from tests.unit.databases import KINDS, fresh_database

FIRST, END = datetime(2026, 9, 1, tzinfo=UTC), datetime(2026, 10, 31, tzinfo=UTC)
SECOND = FIRST + timedelta(days=30)
CALL = CallRow("", FIRST, "north", None, "iv-iron-rls", "order-select", "i", "cards", True, 1.5, "a" * 64, None)
# 95 % intervals of Newcombe 1998 (Stat Med 17, table I, method 3): worked by somebody else.
PUBLISHED = ((81, 263, 25.53, 36.62), (15, 148, 6.24, 16.05), (0, 20, 0.0, 16.11), (1, 29, 0.61, 17.18))


@pytest.mark.parametrize(("count", "of", "low", "high"), PUBLISHED)
def test_wilson_intervals_are_those_published(count: int, of: int, low: float, high: float) -> None:
    interval = Share(count, of).interval
    assert interval is not None
    assert [round(one, 2) for one in interval] == [low, high]


def test_wilson_intervals_reach_the_ends_exactly() -> None:
    whole, none = Share(20, 20).interval, Share(0, 0)
    assert whole is not None
    assert whole[1] == 100
    assert (none.percent, none.interval, none.text) == (None, None, "–")  # noqa: RUF001


def test_shares_are_apart_when_their_intervals_do_not_overlap() -> None:
    assert is_apart(Share(10, 100), Share(40, 100))
    assert is_apart(Share(40, 100), Share(10, 100))
    assert not is_apart(Share(10, 100), Share(15, 100))
    assert not is_apart(Share(0, 0), Share(40, 100))


def test_rule_ids_with_a_word_in_brackets_stay_whole() -> None:
    assert split_rules("R-22 R-15 (text) 3.1 (names) R-22") == ["R-22", "R-15 (text)", "3.1 (names)"]
    assert split_rules("") == []


def made(number: int, at: datetime, topic: str | None, rules: str = "", *, shown: bool = True) -> CallRow:
    """A decided call with one card, or without any."""
    name = f"{number:06}"
    cards = (CardRow(f"card-{name}", topic, "fcm", topic, rules, ()),) if topic else ()
    outcome = "cards" if topic else "nothing-to-say"
    return replace(CALL, request_id=name, at=at, outcome=outcome, shown=shown, cards=cards)


def told(number: int, outcome: str, after: timedelta, reason: str | None = None, mark: bytes = b"") -> FeedbackRow:
    at = FIRST + timedelta(hours=number) + after
    digest = (f"{number:06}".encode() + mark).ljust(32, b".")
    return FeedbackRow(
        *(digest, at + timedelta(minutes=1), "north", "iv-iron-rls", f"card-{number:06}", outcome, at),
        *("[]", "https://reasons.example" if reason else None, reason, None),
    )


def fill(url: str) -> None:
    """The truth. First 30 days: 100 live calls, `may-benefit` on 20, `contraindicated` on 10. Then 100 calls, on 20
    and 40. Silent: 50 calls, 25 cards. Errors: 5. Reports: see the table below."""
    kept = Store(store.open_database(url), 1000, lambda *_: None, lambda: 0.0)
    topics = ["may-benefit"] * 20 + ["contraindicated"] * 10 + [None] * 70
    later = ["may-benefit"] * 20 + ["contraindicated"] * 40 + [None] * 40
    rules = {"may-benefit": "R-23 R-27 (text)", "contraindicated": "R-16", None: ""}
    for number, topic in enumerate(topics):
        kept.record_call(made(number, FIRST + timedelta(hours=number), topic, rules[topic]))
    for number, topic in enumerate(later, 200):
        kept.record_call(made(number, SECOND + timedelta(hours=number - 200), topic, rules[topic]))
    for number in range(400, 450):
        topic = "may-benefit" if number < 425 else None
        kept.record_call(made(number, SECOND + timedelta(hours=1), topic, rules[topic], shown=False))
    for number in range(500, 505):
        kept.record_call(replace(CALL, request_id=f"{number}", at=SECOND, outcome="incomplete"))
    kept.record_call(made(600, END, "may-benefit", "R-23"))  # the day after: not counted
    kept.record_feedback(
        [
            *(told(number, "accepted", timedelta(minutes=10)) for number in range(10)),
            told(9, "overridden", timedelta(minutes=20), "need-more-info", b"later"),  # the later outcome counts
            *(told(number, "overridden", timedelta(minutes=30), "need-more-info") for number in (10, 11, 12)),
            told(13, "overridden", timedelta(minutes=30)),
            told(14, "overridden", timedelta(minutes=30), "patient-ineligible"),
            told(20, "overridden", timedelta(hours=5), "risk-benefit-ratio"),  # contraindicated
            told(999, "accepted", timedelta()),  # a card that nobody knows
            replace(told(15, "overridden", timedelta(), mark=b"other"), client="south"),  # of another client
        ]
    )
    kept.close()


@pytest.fixture(scope="module", params=KINDS)
def url(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with fresh_database(request.param, tmp_path_factory.mktemp("burden")) as fresh:
        migrating.migrate(fresh)
        fill(fresh)
        yield fresh


@pytest.fixture(scope="module")
def burden(url: str) -> Burden:
    engine = store.open_database(url)
    calls, cards = list(read_calls(engine, FIRST, END)), list(read_cards(engine, FIRST, END))
    strays = count_strays(engine, FIRST, END)
    engine.dispose()
    return measure(calls, cards, FIRST, END, 30, strays)


def test_calls_are_counted_by_outcome_and_mode(burden: Burden) -> None:
    assert burden.outcomes == {"nothing-to-say": 135, "cards": 115, "incomplete": 5}
    live, silent = burden.modes
    assert (live.calls, live.with_cards, live.cards) == (200, 90, 90)
    assert (silent.calls, silent.with_cards, silent.cards) == (50, 25, 25)
    assert burden.decided == 250


def test_cards_are_counted_by_conclusion_with_what_was_done(burden: Burden) -> None:
    found = {one.name: one for one in burden.topics}
    benefit, stopped = found["may-benefit"], found["contraindicated"]
    assert (benefit.made, benefit.shown, benefit.accepted, benefit.overridden) == (65, 40, 9, 6)
    assert (stopped.made, stopped.shown, stopped.accepted, stopped.overridden) == (50, 50, 0, 1)
    assert benefit.acceptance.text == "60.0 % (35.7 to 80.2)"
    assert benefit.override.text == "40.0 % (19.8 to 64.3)"


def test_ch_185_silence_is_not_counted_as_override(burden: Burden) -> None:
    found = {one.name: one for one in burden.topics}
    assert found["may-benefit"].unanswered == 25
    assert found["contraindicated"].unanswered == 49
    assert found["contraindicated"].override == Share(1, 1)  # of what was reported, not of 50
    assert found["contraindicated"].reported == Share(1, 50)


def test_a_card_counts_for_each_of_its_rules(burden: Burden) -> None:
    assert {one.name: one.made for one in burden.rules} == {"R-23": 65, "R-27 (text)": 65, "R-16": 50}


def test_reasons_are_counted_and_none_is_said(burden: Burden) -> None:
    assert dict(burden.reasons) == {
        "need-more-info": 4,
        "no reason given": 1,
        "patient-ineligible": 1,
        "risk-benefit-ratio": 1,
    }


def test_time_to_feedback_is_that_of_the_outcome_that_counts(burden: Burden) -> None:
    times = burden.times
    assert times is not None
    assert times.count == 16
    assert times.median == 600  # nine of sixteen after ten minutes
    assert times.upper == 1800
    assert times.lower == 600


def test_reports_about_unknown_cards_are_kept_apart(burden: Burden) -> None:
    assert burden.strays == 2


def test_the_firing_rate_that_moved_is_flagged_and_the_other_is_not(burden: Burden) -> None:
    assert [(one.since, one.until, one.calls) for one in burden.periods] == [(FIRST, SECOND, 100), (SECOND, END, 150)]
    first, second = burden.periods
    assert first.rate("contraindicated") == Share(10, 100)
    assert second.rate("contraindicated") == Share(40, 150)
    assert [one.topic for one in burden.drift] == ["contraindicated"]
    assert "Firing rate moved: contraindicated from 10.0 %" in "\n".join(headlines(burden))


def test_periods_are_counted_back_from_the_end() -> None:
    found = measure([], [], FIRST, END, 25).periods
    assert [(one.until - one.since).days for one in found] == [10, 25, 25]
    assert found[0].since == FIRST


def test_an_empty_store_is_a_report_of_nothing() -> None:
    empty = measure([], [], FIRST, END, 30)
    assert (empty.decided, empty.topics, empty.times, empty.drift) == (0, (), None, ())
    assert "0 calls were decided" in headlines(empty)[0]
    assert "Too few cards" in render_html(empty, [])


def test_csv_holds_every_figure_with_its_interval(burden: Burden) -> None:
    rows = list(csv.reader(io.StringIO(render_csv(burden))))
    assert rows[0] == ["table", "name", "measure", "value", "low", "high"]
    assert ["conclusion", "may-benefit", "acceptance", "60.00", "35.75", "80.18"] in rows
    assert ["conclusion", "may-benefit", "unanswered", "25", "", ""] in rows
    assert ["reason", "need-more-info", "overridden", "4", "", ""] in rows
    assert ["mode", "silent", "calls", "50", "", ""] in rows
    assert any(row[:2] == ["drift", "contraindicated"] for row in rows)


def test_the_page_is_self_contained_and_masks_small_groups(burden: Burden) -> None:
    page = render_html(burden, ["Overdue: the knowledge as a whole was due for review by 2026-10-01."])
    assert "<script" not in page
    assert "http-equiv" not in page
    assert "Overdue: the knowledge as a whole" in page
    assert "60.0 % (35.7 to 80.2)" in page
    assert "<5" in page.replace("&lt;", "<")
    assert "100.0 % (20.7" not in page  # one override of one report


def test_the_terminal_shows_every_table(burden: Burden) -> None:
    console = Console(record=True, width=200, file=io.StringIO())
    print_burden(burden, [], console)
    text = console.export_text()
    for words in ("Cards by conclusion", "Cards by rule", "R-27 (text)", "need-more-info", "Silent against live"):
        assert words in text


def test_the_command_writes_all_forms_and_says_what_is_overdue(url: str, tmp_path: Path) -> None:
    (tmp_path / "sign-off.toml").write_text(f'digest = "{"0" * 64}"\nreview_by = 2026-10-01\n')
    files = [str(tmp_path / "r.csv"), str(tmp_path / "r.html")]
    result = CliRunner().invoke(
        main,
        ["report", "--since", "2026-09-01", "--until", "2026-10-30", "--csv", files[0], "--html", files[1]],
        env={
            "CDS_DATABASE_URL": url,
            "CDS_TIMEZONE": "UTC",
            "CDS_SIGN_OFF": str(tmp_path / "sign-off.toml"),
            "COLUMNS": "200",
        },
    )
    assert result.exit_code == 0, result.output
    assert "250 calls were decided from 2026-09-01" in result.output
    assert "Overdue: the knowledge as a whole was due for review by 2026-10-01." in result.output
    assert "may-benefit" in Path(files[0]).read_text()
    assert "Alert burden" in Path(files[1]).read_text()


def test_a_span_that_ends_before_it_begins_is_refused() -> None:
    result = CliRunner().invoke(main, ["report", "--since", "2026-09-01", "--until", "2026-08-01"])
    assert result.exit_code == 2


def test_without_tables_the_command_says_what_to_do(tmp_path: Path) -> None:
    settings = load_settings(database_url=f"sqlite:///{tmp_path}/none.sqlite3")
    with pytest.raises(Exception, match="cds-service migrate"):
        build(settings, FIRST.date(), END.date(), 30)


@pytest.mark.parametrize(("seconds", "shown"), [(90, "90 s"), (600, "10 min"), (7200, "2.0 h"), (200_000, "2.3 days")])
def test_times_are_shown_in_the_unit_people_use(seconds: float, shown: str) -> None:
    assert show_time(seconds) == shown
