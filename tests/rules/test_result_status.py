"""Which reports of a result count, and which of several on one specimen (R-07)."""

from datetime import UTC, datetime, timedelta

import pytest

from cds_service.clinical.model import Result
from cds_service.clinical.reading import SetAsideKind
from cds_service.clinical.wording import unquote
from tests.rules.build import ferritin, rejected
from tests.rules.chart import at, ferritin_of, kinds, lying, shown, span

MORNING = datetime(2026, 3, 1, 8, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        pytest.param("final", None, id="R-07 final counts"),
        pytest.param("amended", None, id="R-07 amended counts"),
        pytest.param("corrected", None, id="R-07 corrected counts"),
        pytest.param("preliminary", SetAsideKind.PENDING, id="R-07 preliminary is pending"),
        pytest.param("registered", SetAsideKind.STATUS, id="R-07 registered is ignored"),
        pytest.param("cancelled", SetAsideKind.STATUS, id="R-07 cancelled is ignored"),
        pytest.param("entered-in-error", SetAsideKind.STATUS, id="R-07 entered in error is ignored"),
        pytest.param("unknown", SetAsideKind.STATUS, id="R-07 unknown is ignored"),
        pytest.param("Final", SetAsideKind.STATUS, id="R-07 a status that is no code is ignored"),
        pytest.param(None, SetAsideKind.STATUS, id="R-07 without status it is no result"),
    ],
)
def test_r_07_only_final_amended_and_corrected_results_count(status: str | None, kind: SetAsideKind | None) -> None:
    reading = ferritin_of(ferritin("60", status=status))
    assert reading.is_usable is (kind is None)
    assert kinds(reading) == ([] if kind is None else [kind])


def test_r_07_a_result_without_value_is_no_result() -> None:
    reading = ferritin_of(ferritin("60", days_ago=40), lying(ferritin, None, problem="specimen hemolyzed"))
    assert shown(reading) == "60"
    assert kinds(reading) == [SetAsideKind.NO_VALUE]
    assert unquote(reading.set_aside[0].why) == "has no value (specimen hemolyzed)"


def _reports(*reports: tuple[str, str, int | None]) -> list[Result]:
    """(value, status, minutes after the first report or None) on one specimen."""
    return [
        ferritin(
            value,
            status=status,
            day=at(10, 8),
            issued=None if minutes is None else MORNING + timedelta(minutes=minutes),
            reference=f"Observation/{number}",
        )
        for number, (value, status, minutes) in enumerate(reports)
    ]


@pytest.mark.parametrize(
    ("reports", "wins", "replaced"),
    [
        pytest.param([("60", "final", 0), ("90", "final", 1)], "90", 1, id="R-07 the latest issued wins"),
        pytest.param([("60", "final", 1), ("90", "final", 0)], "60", 1, id="R-07 the latest issued wins when lower"),
        pytest.param([("60", "final", 1), ("90", "corrected", 0)], "60", 1, id="R-07 issued goes before status"),
        pytest.param([("60", "corrected", 0), ("90", "final", 0)], "60", 1, id="R-07 corrected before final"),
        pytest.param([("60", "corrected", 0), ("90", "amended", 0)], "60", 1, id="R-07 corrected before amended"),
        pytest.param([("60", "amended", 0), ("90", "final", 0)], "60", 1, id="R-07 amended before final"),
        pytest.param(
            [("60", "corrected", None), ("90", "final", 5)], "60", 1, id="R-07 status where one has no issued"
        ),
        pytest.param([("60", "final", 9), ("90", "preliminary", 10)], "60", 1, id="R-07 final replaces preliminary"),
        pytest.param([("60", "final", None), ("90", "final", None)], "90", 0, id="R-13 equal reports: higher ferritin"),
    ],
)
def test_r_07_one_report_on_a_specimen_replaces_the_others(
    reports: list[tuple[str, str, int | None]], wins: str, replaced: int
) -> None:
    for order in (reports, reports[::-1]):
        reading = ferritin_of(*_reports(*order))
        assert shown(reading) == wins
        assert kinds(reading) == [SetAsideKind.REPLACED] * replaced
        assert reading.chosen not in [one.result for one in reading.set_aside]
        assert reading.pending is None


def test_r_07_a_corrected_report_that_cannot_be_read_replaces_the_one_it_corrects() -> None:
    first = ferritin("60", day=at(10, 8), issued=MORNING)
    unreadable = rejected("ferritin", status="corrected", day=at(10, 8), issued=MORNING + timedelta(hours=1))
    reading = ferritin_of(first, unreadable)
    assert not reading.is_usable
    assert reading.stopper is None
    assert set(kinds(reading)) == {SetAsideKind.REPLACED, SetAsideKind.REJECTED}


def test_r_07_an_ignored_report_is_not_called_replaced() -> None:
    reading = ferritin_of(ferritin("60", day=at(10, 8)), ferritin("90", day=at(10, 8), status="cancelled"))
    assert kinds(reading) == [SetAsideKind.STATUS]


def test_r_07_a_partial_date_is_no_specimen_time() -> None:
    month = span(40, 20)
    reading = ferritin_of(
        ferritin("60", day=month, issued=MORNING), ferritin("70", day=month, issued=MORNING - timedelta(days=1))
    )
    assert (shown(reading), kinds(reading)) == ("60", [])


def test_r_07_other_specimen_times_are_not_replaced() -> None:
    reading = ferritin_of(ferritin("90", day=at(10, 8), issued=MORNING), ferritin("60", day=at(10, 9)))
    assert shown(reading) == "60"
    assert reading.set_aside == ()


@pytest.mark.parametrize(
    ("pending_days_ago", "is_pending"),
    [
        pytest.param(5, True, id="R-07 newer than the final one: pending"),
        pytest.param(20, False, id="R-07 drawn on the same day: not pending"),
        pytest.param(30, False, id="R-07 older than the final one: would not decide"),
        pytest.param(-1, False, id="R-07 dated after today: ignored"),
    ],
)
def test_r_07_a_newer_preliminary_result_is_named_as_pending(pending_days_ago: int, is_pending: bool) -> None:
    preliminary = ferritin("90", status="preliminary", days_ago=pending_days_ago)
    reading = ferritin_of(ferritin("60", days_ago=20), preliminary)
    assert shown(reading) == "60"
    assert reading.pending == (preliminary if is_pending else None)


def test_r_07_a_pending_result_is_named_where_nothing_else_is_there() -> None:
    reading = ferritin_of(ferritin("90", status="preliminary", days_ago=3))
    assert reading.pending is not None
    assert reading.why_missing == "last ferritin 2026-03-07 is preliminary: the final result is pending"
