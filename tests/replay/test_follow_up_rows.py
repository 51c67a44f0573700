"""The 13 months after a course: every reassessment as it stood on the last day of its window (R-43 to R-50)."""

import json
import random
from collections import Counter
from decimal import Decimal
from pathlib import Path

import pytest

from cds_service.clinical.interval import Interval
from cds_service.replay import core
from cds_service.replay.follow_up import DONE, NOT_ASKED, NOT_DONE, NOT_OVER, OUT_OF_SCOPE, SUPERSEDED
from cds_service.replay.lines import Line, read_line
from cds_service.replay.rows import show_value
from tests.load.export import make_patient
from tests.replay.exports import (
    Json,
    ferritin,
    hemoglobin,
    infusion,
    order,
    patient,
    rls,
    rows,
    run,
    setup,
    total,
    tsat,
    write,
)  # fmt: skip

CHART = [patient(), rls(), ferritin(40, "2025-01-03"), tsat(15, "2025-01-03"), hemoglobin(13.5, "2025-01-03")]
COURSE = [
    *CHART,
    total(30, "2025-01-06", "before"),
    order("2025-01-08T10:00:00-05:00"),
    infusion("2025-01-10T13:00:00-05:00"),
]
CONTACTS = ("day-8", "week-3", "week-8-labs", "month-6", "month-12")
LAST_DAYS = ("2025-01-24", "2025-02-07", "2025-04-04", "2025-08-07", "2026-02-07")


def follow(folder: Path, *resources: Json, **asked: object) -> dict[str, dict[str, str]]:
    """Rows of the first course by contact."""
    finished = run(write(folder / "export", *resources), folder / "run", is_identified=True, **asked)
    found = rows(finished, "follow_up")
    first = min(row["day_0"] for row in found)
    return {row["contact"]: row for row in found if row["day_0"] == first}


def states(found: dict[str, dict[str, str]]) -> list[str]:
    return [found[contact]["state"] for contact in CONTACTS]


def test_r_43_every_contact_has_a_row_dated_with_the_end_of_its_window(tmp_path: Path) -> None:
    found = follow(tmp_path, *COURSE)
    assert tuple(found[contact]["time"] for contact in CONTACTS) == LAST_DAYS
    row = found["day-8"]
    assert (row["iron_order"], row["product"], row["day_0"], row["total_mg"], row["is_adequate"]) == (
        "MedicationRequest/order", "fcm", "2025-01-10", "1000", "1",
    )  # fmt: skip
    assert states(found) == [NOT_DONE, NOT_DONE, NOT_DONE, NOT_DONE, NOT_ASKED]
    assert row["topics"] == "follow-up-due"


def test_r_50c_a_total_or_a_ferritin_in_the_window_makes_it_done(tmp_path: Path) -> None:
    done = [total(25, "2025-01-18", "t8"), total(12, "2025-01-31", "t21"), ferritin(150, "2025-03-10", "f56")]
    found = follow(tmp_path, *COURSE, *done, total(14, "2025-07-10", "t183"))
    assert states(found) == [DONE, DONE, DONE, DONE, NOT_DONE]
    assert (found["day-8"]["response"], found["month-6"]["response"]) == ("not documented", "responder")


def test_a_total_issued_after_the_window_does_not_make_it_done(tmp_path: Path) -> None:
    late = total(25, "2025-01-18", "late") | {"issued": "2025-02-20T09:00:00-05:00"}
    assert states(follow(tmp_path, *COURSE, late))[0] == NOT_DONE


def test_r_40_a_repeat_course_supersedes_and_tells_the_days_between(tmp_path: Path) -> None:
    again = [order("2025-06-01T10:00:00-05:00", "again"), infusion("2025-06-03T13:00:00-05:00", "again", "second")]
    found = follow(tmp_path, *COURSE, *again)
    assert states(found) == [NOT_DONE, NOT_DONE, NOT_DONE, SUPERSEDED, SUPERSEDED]
    assert {row["next_course_after_days"] for row in found.values()} == {"144"}


def test_r_41_two_doses_of_one_course_are_one_course(tmp_path: Path) -> None:
    small = {"dosage": {"dose": {"value": 500, "unit": "mg", "code": "mg", "system": "http://unitsofmeasure.org"}}}
    doses = [infusion("2025-01-10T13:00:00-05:00") | small, infusion("2025-01-20T13:00:00-05:00", name="two") | small]
    found = follow(tmp_path, *CHART, order("2025-01-08T10:00:00-05:00"), *doses)
    assert {(row["day_0"], row["doses"], row["total_mg"]) for row in found.values()} == {("2025-01-20", "2", "1000")}


def test_windows_that_close_after_the_export_are_not_judged(tmp_path: Path) -> None:
    from datetime import date

    found = follow(tmp_path, *COURSE, until=date(2025, 4, 1))
    assert states(found) == [NOT_DONE, NOT_DONE, NOT_OVER, NOT_OVER, NOT_OVER]


def test_r_50c_a_patient_whose_rls_had_gone_is_out_of_scope_from_then_on(tmp_path: Path) -> None:
    gone = rls(clinicalStatus={"coding": [{"code": "resolved"}]}, abatementDateTime="2025-03-01")
    found = follow(tmp_path, *[gone if one["id"] == "rls" else one for one in COURSE])
    assert states(found) == [NOT_DONE, NOT_DONE, OUT_OF_SCOPE, OUT_OF_SCOPE, OUT_OF_SCOPE]


def test_without_rls_no_course_is_followed(tmp_path: Path) -> None:
    finished = run(write(tmp_path / "e", *[one for one in COURSE if one["id"] != "rls"]), tmp_path / "run")
    assert rows(finished, "follow_up") == []


# ------------------------------------------------------------------------------------------------------- the core


@pytest.mark.parametrize("number", range(1, 40, 3))
def test_the_order_of_lines_changes_nothing(number: int) -> None:
    replay = core.open_replay(setup(what_if=True), [])
    read = [read_line(json.dumps(one).encode()) for one in make_patient(4, number)]
    lines = [one for one in read if isinstance(one, Line)]
    first = core.replay_patient(replay, f"p{number}", lines)
    random.Random(number).shuffle(lines)
    again = core.replay_patient(replay, f"p{number}", [*lines, lines[0]])
    assert (Counter(first.decisions), Counter(first.follow_ups)) == (
        Counter(again.decisions),
        Counter(again.follow_ups),
    )
    assert first.tallies == again.tallies


WRONG: list[object] = [5, "x", [], {}, None, [5], {"a": {}}, True, "2025-13-45"]


@pytest.mark.parametrize("wrong", WRONG, ids=[json.dumps(one) for one in WRONG])
def test_a_member_of_any_shape_is_never_fatal(wrong: object) -> None:
    """Each member of each resource of some patients in turn."""
    replay = core.open_replay(setup(what_if=True), [])
    for number in (3, 11, 27, 44):
        resources = make_patient(4, number)
        for place, resource in enumerate(resources):
            for member in [name for name in resource if name not in ("resourceType", "id", "subject", "patient")]:
                damaged = [*resources[:place], {**resource, member: wrong}, *resources[place + 1 :]]
                read = [read_line(json.dumps(one).encode()) for one in damaged]
                core.replay_patient(replay, f"p{number}", [one for one in read if isinstance(one, Line)])


def test_a_resource_that_cannot_be_read_is_a_gap_of_the_decision_and_counted(tmp_path: Path) -> None:
    bad = {**rls(), "id": "bad", "code": "Restless legs"}
    finished = run(write(tmp_path / "e", *COURSE, bad), tmp_path / "run")
    assert [row["gaps"] for row in rows(finished)] == ["1"]
    assert finished.tallies["unreadable", "Condition", "could not be read"] == 1


VALUES = [
    (Interval.point(Decimal("74.50")), "74.5"),
    (Interval(Decimal(0), Decimal(5), True, False), "<5"),
    (Interval.at_most(Decimal(5)), "<=5"),
    (Interval.at_least(Decimal(1000)), ">=1000"),
    (Interval.above(Decimal(1000)), ">1000"),
    (Interval.between(Decimal(5), Decimal(10), low_closed=True, high_closed=True), "5..10"),
    (None, ""),
]


@pytest.mark.parametrize(("value", "shown"), VALUES, ids=[shown or "none" for _, shown in VALUES])
def test_a_value_is_written_so_that_a_bound_is_no_number(value: Interval | None, shown: str) -> None:
    assert show_value(value) == shown
