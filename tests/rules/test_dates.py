"""Calendar dates of a chart: what each way of writing one means, and ages around a birthday (R-03, R-08a, R-47)."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from time import tzset
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cds_service.clinical.dates import Day, add_months, age_on, has_reached_age, read_day, read_instant, read_period

CHICAGO = ZoneInfo("America/Chicago")
BERLIN = ZoneInfo("Europe/Berlin")
FEW = settings(max_examples=60, deadline=None, database=None)


def exact(year: int, month: int, day: int, hour: int | None = None, minute: int = 0, second: int = 0) -> Day:
    when = date(year, month, day)
    return Day(when, when, None if hour is None else time(hour, minute, second))


def span(first: str, last: str) -> Day:
    return Day(date.fromisoformat(first), date.fromisoformat(last))


@pytest.mark.parametrize(
    ("text", "zone", "expected"),
    [
        pytest.param("2026-03-10", None, exact(2026, 3, 10), id="R-08a bare date"),
        pytest.param("2026-03-10", CHICAGO, exact(2026, 3, 10), id="R-08a bare date is not moved"),
        pytest.param("2026-03-10T07:30:00", CHICAGO, exact(2026, 3, 10, 7, 30), id="R-08a no offset: as written"),
        pytest.param("2026-03-10T23:30:00-05:00", BERLIN, exact(2026, 3, 10, 23, 30), id="R-08a offset: as written"),
        pytest.param("2026-03-10T00:30:00+14:00", CHICAGO, exact(2026, 3, 10, 0, 30), id="R-08a widest offset"),
        pytest.param("2026-03-10T00:30:00+01:00", None, exact(2026, 3, 10, 0, 30), id="R-08a offset, no zone set"),
        pytest.param("2026-03-10T03:30:00Z", None, exact(2026, 3, 10, 3, 30), id="R-08a Z, no zone set: as written"),
        pytest.param("2026-03-10T03:30:00Z", CHICAGO, exact(2026, 3, 9, 22, 30), id="R-08a Z moved to the day before"),
        pytest.param("2026-03-10T03:30:00+00:00", CHICAGO, exact(2026, 3, 9, 22, 30), id="R-08a +00:00 is as Z"),
        pytest.param("2026-03-10T03:30:00-00:00", CHICAGO, exact(2026, 3, 9, 22, 30), id="R-08a -00:00 is as Z"),
        pytest.param("2026-03-10T03:30:00+0000", CHICAGO, exact(2026, 3, 9, 22, 30), id="R-08a +0000 is as Z"),
        pytest.param("2026-03-10T03:30:00-0000", CHICAGO, exact(2026, 3, 9, 22, 30), id="R-08a -0000 is as Z"),
        pytest.param("2026-03-10T03:30:00+0001", CHICAGO, exact(2026, 3, 10, 3, 30), id="R-08a a minute is an offset"),
        pytest.param("2026-03-10T23:30:00Z", BERLIN, exact(2026, 3, 11, 0, 30), id="R-08a Z moved to the day after"),
        pytest.param(
            "2026-03-29T00:59:59Z", BERLIN, exact(2026, 3, 29, 1, 59, 59), id="R-08a before the clocks go forward"
        ),
        pytest.param(
            "2026-03-29T01:00:00Z", BERLIN, exact(2026, 3, 29, 3, 0), id="R-08a after the clocks went forward"
        ),
        pytest.param("2026-10-24T22:30:00Z", BERLIN, exact(2026, 10, 25, 0, 30), id="R-08a the day the clocks go back"),
        pytest.param("2026-10-25T23:30:00Z", BERLIN, exact(2026, 10, 26, 0, 30), id="R-08a after the clocks went back"),
        pytest.param("2026-03-10T07:30", None, exact(2026, 3, 10, 7, 30), id="without seconds"),
        pytest.param("2026-03-10T07:30:15.123456789Z", None, exact(2026, 3, 10, 7, 30, 15), id="nanoseconds"),
        pytest.param("2026-03-10T07:30:00+0100", None, exact(2026, 3, 10, 7, 30), id="offset without colon"),
        pytest.param("2028-02-29", None, exact(2028, 2, 29), id="leap day"),
        pytest.param("2026", None, span("2026-01-01", "2026-12-31"), id="R-08a a year is all its days"),
        pytest.param("2026-11", None, span("2026-11-01", "2026-11-30"), id="R-08a a month is all its days"),
        pytest.param("2028-02", CHICAGO, span("2028-02-01", "2028-02-29"), id="R-08a February of a leap year"),
    ],
)
def test_a_date_means_the_days_it_names(text: str, zone: ZoneInfo | None, expected: Day) -> None:
    assert read_day(text, zone) == expected


@pytest.mark.parametrize("zone", [None, CHICAGO])
@pytest.mark.parametrize(
    "text",
    [
        None,
        "",
        "0000-01-01",
        "0000",
        "2026-00",
        "2026-13",
        "2026-02-29",
        "2026-11-31",
        "2026-3-10",
        "20260310",
        "2026-W10-2",
        "2026-W1-02",
        "26-03-10",
        "10/03/2026",
        "2026-03-10T",
        "2026-03-10T07",
        "2026-03-10T24:00:00",
        "2026-03-10T23:59:60",
        "2016-12-31T23:59:60Z",
        "2026-03-10T23:60:00",
        "2026-03-10T07:30:00+15:00",
        "2026-03-10T07:30:00+1",
        "2026-03-10t07:30:00z",
        "2026-03-10 07:30:00",
        " 2026-03-10",
        "2026-03-10 ",
        "2026-03-10\n",
        "2026-03-10T07:30:00Z\n",
        "2026 ",
        "\u0662\u0660\u0662\u0666-\u0660\u0663-\u0661\u0660",
        "\uff12\uff10\uff12\uff16",
        "\ud800" * 10,
        "2026-03-10T07:30:00." + "9" * 1000 + "Z",
        "yesterday",
    ],
)
def test_r_08a_an_unreadable_date_is_no_date(text: str | None, zone: ZoneInfo | None) -> None:
    assert read_day(text, zone) is None


@pytest.mark.parametrize(("digits", "is_read"), [(19, True), (20, False)])
def test_r_08a_a_date_is_read_up_to_40_characters(digits: int, is_read: bool) -> None:
    text = f"2026-03-10T07:30:15.{'1' * digits}Z"
    assert len(text) == digits + 21
    assert (read_day(text, None) is not None) is is_read
    assert (read_instant(text) is not None) is is_read


@pytest.mark.parametrize(
    ("text", "zone"),
    [("9999-12-31T23:30:00Z", BERLIN), ("0001-01-01T00:30:00Z", CHICAGO)],
    ids=["last day", "first day"],
)
def test_a_time_that_leaves_the_calendar_when_moved_is_no_date(text: str, zone: ZoneInfo) -> None:
    assert read_day(text, zone) is None
    assert read_day(text, None) is not None


@FEW
@given(st.text(alphabet="0123456789-T:.+ZW \u0661", max_size=32), st.sampled_from((None, CHICAGO, BERLIN)))
def test_reading_a_date_never_fails(text: str, zone: ZoneInfo | None) -> None:
    day = read_day(text, zone)
    assert day is None or day.first <= day.last


@FEW
@given(
    st.dates(),
    st.times(),
    st.sampled_from(("", "-11:00", "+05:30", "+14:00")),
    st.sampled_from((None, CHICAGO, BERLIN)),
)
def test_r_08a_a_time_that_says_where_it_was_taken_keeps_its_day(
    when: date, clock: time, offset: str, zone: ZoneInfo | None
) -> None:
    text = f"{when.isoformat()}T{clock.isoformat()}{offset}"
    assert read_day(text, zone) == Day(when, when, clock.replace(microsecond=0))


@pytest.mark.parametrize(
    ("start", "end", "expected"),
    [
        pytest.param("2026-03-10", "2026-03-12", span("2026-03-10", "2026-03-12"), id="R-08a all days of a period"),
        pytest.param("2026-03", "2026-04-02", span("2026-03-01", "2026-04-02"), id="R-08a partial start"),
        pytest.param("2026-03-10", "2026-03", span("2026-03-10", "2026-03-31"), id="R-08a partial end"),
        pytest.param("2026-03-10T07:00:00", "2026-03-10T07:10:00", exact(2026, 3, 10, 7), id="one day keeps its clock"),
        pytest.param(
            "2026-03-10T23:00:00", "2026-03-11T01:00:00", span("2026-03-10", "2026-03-11"), id="over midnight"
        ),
        pytest.param("2026-03-10", None, exact(2026, 3, 10), id="no end"),
        pytest.param(None, "2026-03-10", exact(2026, 3, 10), id="no start"),
        pytest.param("soon", "2026-03-10", exact(2026, 3, 10), id="R-08a unreadable start is no date"),
        pytest.param("2026-03-12", "2026-03-10", None, id="ends before it starts"),
        pytest.param(None, None, None, id="neither end"),
    ],
)
def test_a_period_means_all_its_days(start: str | None, end: str | None, expected: Day | None) -> None:
    assert read_period(start, end, None) == expected


@pytest.mark.parametrize(
    ("start", "end", "expected"),
    [
        pytest.param("2026-03-10T03:30:00Z", "2026-03-12T03:30:00Z", span("2026-03-09", "2026-03-11"), id="R-08a both"),
        pytest.param("2026-03-10T03:30:00Z", "2026-03-12", span("2026-03-09", "2026-03-12"), id="R-08a its start"),
        pytest.param("2026-03-10", "2026-03-12T03:30:00Z", span("2026-03-10", "2026-03-11"), id="R-08a its end"),
        pytest.param("2026-03-10T03:30:00Z", None, exact(2026, 3, 9, 22, 30), id="R-08a a start alone"),
        pytest.param(None, "2026-03-10T03:30:00Z", exact(2026, 3, 9, 22, 30), id="R-08a an end alone"),
    ],
)
def test_r_08a_a_period_in_utc_is_moved_to_the_zone_of_the_site(
    start: str | None, end: str | None, expected: Day
) -> None:
    assert read_period(start, end, CHICAGO) == expected


@pytest.fixture
def machine_in_tokyo(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with monkeypatch.context() as patch:
        patch.setenv("TZ", "Asia/Tokyo")
        tzset()
        yield
    tzset()


@pytest.mark.usefixtures("machine_in_tokyo")
def test_r_08a_the_zone_of_the_machine_does_not_matter() -> None:
    assert read_day("2026-03-10T03:30:07Z", CHICAGO) == exact(2026, 3, 9, 22, 30, 7)
    assert read_day("2026-03-10T03:30:07", CHICAGO) == exact(2026, 3, 10, 3, 30, 7)
    assert read_instant("2026-03-10T03:30:07") == datetime(2026, 3, 10, 3, 30, 7, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "shown"),
    [("2026-03-10", "2026-03-10"), ("2026-11", "2026-11"), ("2026", "2026"), ("2026-03-10T07:30:00Z", "2026-03-10")],
)
def test_a_day_is_shown_as_precisely_as_it_is_known(text: str, shown: str) -> None:
    assert str(read_day(text, None)) == shown


@pytest.mark.parametrize(
    ("first", "last", "shown"),
    [
        ("2026-03-10", "2026-03-12", "2026-03-10 to 2026-03-12"),
        ("2026-03-01", "2026-03-30", "2026-03-01 to 2026-03-30"),
        ("2026-03-01", "2026-04-30", "2026-03-01 to 2026-04-30"),
        ("2025-01-01", "2026-12-31", "2025-01-01 to 2026-12-31"),
    ],
)
def test_a_period_is_not_shown_as_a_month_or_year_it_is_not(first: str, last: str, shown: str) -> None:
    assert str(span(first, last)) == shown


def test_only_a_full_date_is_exact() -> None:
    assert exact(2026, 3, 10).is_exact
    assert not span("2026-03-01", "2026-03-31").is_exact


@pytest.mark.parametrize(
    ("earlier", "later"),
    [
        ("2026-03-10T07:30:00Z", "2026-03-10T07:30:01Z"),
        ("2026-03-10T09:00:00+02:00", "2026-03-10T07:30:00Z"),
        ("2026-03-10T07:30:00", "2026-03-10T07:30:00-01:00"),
        ("2026-03-10T07:30:00.1Z", "2026-03-10T07:30:00.123456789Z"),
        ("0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00"),
        ("2026-03-09", "2026-03-10T07:30:00Z"),
    ],
)
def test_r_07_moments_of_issue_compare_across_offsets(earlier: str, later: str) -> None:
    first, second = read_instant(earlier), read_instant(later)
    assert first is not None
    assert second is not None
    assert first < second


@pytest.mark.parametrize(
    "text", [None, "", "2026-03-10T24:61:00Z", "2026-02-30T00:00:00Z", "later", " 2026-03-10", "2" * 99]
)
def test_an_unreadable_moment_of_issue_is_none(text: str | None) -> None:
    assert read_instant(text) is None


def test_a_moment_of_issue_without_offset_is_taken_as_utc() -> None:
    assert read_instant("2026-03-10T07:30:00") == datetime(2026, 3, 10, 7, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("birth", "on", "years"),
    [
        pytest.param("2008-03-10", "2026-03-09", 17, id="R-03 day before the 18th birthday"),
        pytest.param("2008-03-10", "2026-03-10", 18, id="R-03 18th birthday"),
        pytest.param("2008-02-29", "2026-02-28", 17, id="R-03 29 February, on 28 February"),
        pytest.param("2008-02-29", "2026-03-01", 18, id="R-03 29 February, on 1 March"),
        pytest.param("2008-02-29", "2028-02-29", 19, id="R-03 29 February counts as 1 March in leap years too"),
        pytest.param("2008-02-28", "2026-02-28", 18, id="R-03 28 February"),
        pytest.param("2007", "2026-06-01", None, id="R-03a year of birth, birthday open"),
        pytest.param("2007", "2026-12-31", 19, id="R-03a year of birth on its last day"),
        pytest.param("2008-03", "2026-04-01", 18, id="R-03a month of birth over"),
    ],
)
def test_age_in_completed_years(birth: str, on: str, years: int | None) -> None:
    day = read_day(birth, None)
    assert day is not None
    assert age_on(day, date.fromisoformat(on)) == years


@pytest.mark.parametrize(
    ("birth", "on", "adult"),
    [
        pytest.param("2008-03-10", "2026-03-09", False, id="R-03 day before"),
        pytest.param("2008-03-10", "2026-03-10", True, id="R-03 18th birthday"),
        pytest.param("2008-02-29", "2026-02-28", False, id="R-03 29 February, on 28 February"),
        pytest.param("2008-02-29", "2026-03-01", True, id="R-03 29 February, on 1 March"),
        pytest.param("2007", "2026-03-10", True, id="R-03a certain in spite of a partial date"),
        pytest.param("2009", "2026-03-10", False, id="R-03a excluded in spite of a partial date"),
        pytest.param("2008", "2026-03-10", None, id="R-03a neither certain nor excluded"),
        pytest.param("2008", "2026-12-31", True, id="R-03a last day of the year"),
        pytest.param("2008-03", "2026-03-10", None, id="R-03a in the month of birth"),
        pytest.param("2008-03", "2026-02-28", False, id="R-03a before the month of birth"),
        pytest.param("2030-01-01", "2026-03-10", False, id="born in the future"),
    ],
)
def test_adulthood_is_certain_excluded_or_open(birth: str, on: str, adult: bool | None) -> None:
    day = read_day(birth, None)
    assert day is not None
    assert has_reached_age(day, 18, date.fromisoformat(on)) is adult


@pytest.mark.parametrize(
    ("start", "months", "expected"),
    [
        pytest.param("2026-03-10", 6, "2026-09-10", id="R-47 same day of the month"),
        pytest.param("2026-08-31", 6, "2027-02-28", id="R-47 clamped to the end of February"),
        pytest.param("2027-08-29", 6, "2028-02-29", id="R-47 leap year"),
        pytest.param("2027-08-31", 6, "2028-02-29", id="R-47 clamped in a leap year"),
        pytest.param("2026-12-31", 6, "2027-06-30", id="R-47 over the turn of the year"),
        pytest.param("2026-03-31", -1, "2026-02-28", id="backwards"),
        pytest.param("2026-01-15", -1, "2025-12-15", id="backwards over the turn of the year"),
        pytest.param("2026-01-15", 0, "2026-01-15", id="no month"),
        pytest.param("2028-02-29", 12, "2029-02-28", id="leap day a year on"),
    ],
)
def test_months_are_calendar_months_clamped_to_the_months_end(start: str, months: int, expected: str) -> None:
    assert add_months(date.fromisoformat(start), months) == date.fromisoformat(expected)


@FEW
@given(st.dates(date(1950, 1, 1), date(2100, 12, 31)), st.integers(0, 240))
def test_adding_months_lands_in_the_right_month_on_the_same_day_or_its_last(start: date, months: int) -> None:
    later = add_months(start, months)
    assert (later.year - start.year) * 12 + later.month - start.month == months
    assert later.day == start.day or (later.day < start.day and (later + timedelta(days=1)).day == 1)


@pytest.mark.parametrize("months", [1, 12, 10**9])
def test_months_beyond_the_calendar_are_refused(months: int) -> None:
    with pytest.raises((ValueError, OverflowError)):
        add_months(date(9999, 12, 1), months)
