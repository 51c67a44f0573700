"""Only what was known at the moment of an order counts: as of `issued`, `recordedDate`, `authoredOn`."""

from pathlib import Path
from typing import Any

import pytest

from tests.replay.exports import (
    Json,
    decide,
    ferritin,
    hemoglobin,
    infusion,
    only,
    order,
    patient,
    rls,
    rows,
    run,
    tsat,
    write,
)

EARLY = [ferritin(40, "2025-03-01"), tsat(15, "2025-03-01"), hemoglobin(13.5, "2025-03-01")]
CHART = [patient(), rls(), *EARLY]
ORDER_DAY = "2025-03-10"  # the order is written at 10:00, UTC-5


def cell(folder: Path, resources: list[Json], name: str, **asked: Any) -> str:
    return only(decide(folder, [*resources, order()], **asked))[name]


def test_an_order_is_decided_from_what_was_on_record(tmp_path: Path) -> None:
    row = only(decide(tmp_path, [*CHART, order()]))
    assert (row["time"], row["day"], row["conclusion"]) == ("2025-03-10T15:00:00Z", ORDER_DAY, "indicated-strong")
    assert (row["ferritin_ng_per_ml"], row["ferritin_day"]) == ("40", "2025-03-01")
    assert (row["dose_mg"], row["product"], row["prescriber"] != "") == ("1000", "fcm", True)


LEAKS = {
    "a result issued the day after": ferritin(400, "2025-03-11", "late"),
    "a result drawn before and issued after": ferritin(400, "2025-03-09", "late", issued="2025-03-10T10:00:01-05:00"),
    "a result issued later, in another zone": ferritin(400, "2025-03-09", "late", issued="2025-03-10T16:00:00Z"),
    "a problem recorded the day after, with an older onset": rls(
        "2025-03-11", id="hh", code={"text": "Hereditary hemochromatosis"}, onsetDateTime="2001-01-01"
    ),
    "its own infusion, later that day": infusion("2025-03-10T13:00:00-05:00"),
    "its own infusion, of the same day without time": infusion("2025-03-10"),
}


@pytest.mark.parametrize("name", LEAKS)
def test_what_came_later_changes_nothing(tmp_path: Path, name: str) -> None:
    before = only(decide(tmp_path / "before", [*CHART, order()]))
    after = only(decide(tmp_path / "after", [*CHART, order(), LEAKS[name]]))
    assert after == before


KNOWN = {
    "a result issued a second before": ferritin(400, "2025-03-09", "now", issued="2025-03-10T09:59:59-05:00"),
    "a result issued at that very moment": ferritin(400, "2025-03-09", "now", issued="2025-03-10T15:00:00Z"),
    "a result without issued, drawn before": {
        name: value for name, value in ferritin(400, "2025-03-09", "now").items() if name != "issued"
    },
}


@pytest.mark.parametrize("name", KNOWN)
def test_what_was_known_by_then_counts(tmp_path: Path, name: str) -> None:
    row = only(decide(tmp_path, [*CHART, order(), KNOWN[name]]))
    assert (row["ferritin_ng_per_ml"], row["conclusion"]) == ("400", "not-indicated")
    assert row["stand_ins"] == ("1" if "without issued" in name else "0")


def test_r_07_a_corrected_result_counts_only_from_its_correction(tmp_path: Path) -> None:
    corrected = ferritin(400, "2025-03-01", "correction", status="corrected", issued="2025-03-20T09:00:00-05:00")
    again = order("2025-03-21T10:00:00-05:00", "second")
    first, second = decide(tmp_path, [*CHART, corrected, order(status="cancelled"), again])
    assert (first["ferritin_ng_per_ml"], first["conclusion"]) == ("40", "indicated-strong")
    assert (second["ferritin_ng_per_ml"], second["conclusion"]) == ("400", "not-indicated")


def test_a_correction_without_issued_counts_from_its_last_update(tmp_path: Path) -> None:
    corrected = ferritin(400, "2025-03-01", "correction", status="corrected")
    del corrected["issued"]
    corrected["meta"] = {"lastUpdated": "2025-03-20T09:00:00-05:00"}
    assert cell(tmp_path, [*CHART, corrected], "ferritin_ng_per_ml") == "40"


def test_of_several_versions_of_one_resource_the_one_of_the_moment_counts(tmp_path: Path) -> None:
    """An export with history: the same id twice, as first reported and as corrected."""
    corrected = ferritin(400, "2025-03-01", status="corrected", issued="2025-03-20T09:00:00-05:00")
    again = order("2025-03-21T10:00:00-05:00", "second")
    first, second = decide(tmp_path, [*CHART, corrected, order(status="cancelled"), again])
    assert (first["ferritin_ng_per_ml"], second["ferritin_ng_per_ml"]) == ("40", "400")


def test_a_problem_that_went_later_was_there(tmp_path: Path) -> None:
    gone = rls(clinicalStatus={"coding": [{"code": "resolved"}]}, abatementDateTime="2025-09-01")
    assert cell(tmp_path, [patient(), gone, *EARLY], "conclusion") == "indicated-strong"


def test_a_problem_that_had_gone_was_not(tmp_path: Path) -> None:
    gone = rls(clinicalStatus={"coding": [{"code": "resolved"}]}, abatementDateTime="2025-02-01")
    row = only(decide(tmp_path, [patient(), gone, *EARLY, order()]))
    assert (row["conclusion"], row["decided_by"]) == ("out-of-scope", "R-02")


DEATHS = {
    "deceasedDateTime after the order": ({"deceasedDateTime": "2025-12-01"}, "indicated-strong"),
    "deceasedBoolean without a date": ({"deceasedBoolean": True}, "indicated-strong"),
    "deceasedDateTime before the order": ({"deceasedDateTime": "2025-03-01"}, "out-of-scope"),
}


@pytest.mark.parametrize("name", DEATHS)
def test_r_03_a_patient_was_alive_until_the_date_of_death(tmp_path: Path, name: str) -> None:
    members, conclusion = DEATHS[name]
    assert cell(tmp_path, [patient(**members), rls(), *EARLY], "conclusion") == conclusion


def test_r_40a_an_earlier_infusion_counts_and_an_order_not_yet_given_is_open(tmp_path: Path) -> None:
    earlier = order("2025-02-01T10:00:00-05:00", "earlier")
    found = decide(tmp_path, [*CHART, earlier, infusion("2025-02-03T13:00:00-05:00", "earlier"), order()])
    assert (found[1]["relation"], found[1]["days_since_iron"]) == ("repeat", "35")
    open_then = decide(tmp_path / "open", [*CHART, earlier, infusion("2025-03-20T13:00:00-05:00", "earlier"), order()])
    assert open_then[1]["relation"] == "none"
    assert "R-04b" in open_then[1]["rules"]


def test_orders_of_one_moment_are_one_session(tmp_path: Path) -> None:
    found = decide(tmp_path, [*CHART, order(), order(name="twin")])
    assert [row["id"] for row in found] == ["MedicationRequest/order", "MedicationRequest/twin"]
    assert all("R-04b" in row["rules"] for row in found)


NOT_REPLAYED = {
    "entered in error": {"status": "entered-in-error"},
    "drafts that were never signed": {"status": "draft"},
    "proposals and plans": {"intent": "proposal"},
    "no date, or only month or year": {"authoredOn": "2025-03"},
}


@pytest.mark.parametrize("why", NOT_REPLAYED)
def test_what_never_was_an_order_is_counted_and_not_decided(tmp_path: Path, why: str) -> None:
    finished = run(write(tmp_path / "export", *CHART, order() | NOT_REPLAYED[why]), tmp_path / "run")
    assert rows(finished) == []
    assert finished.tallies["not replayed", why, ""] == 1


def test_dates_that_stand_in_are_counted(tmp_path: Path) -> None:
    onset = rls(onsetDateTime="2020-02-02")
    del onset["recordedDate"]
    undated = rls(id="undated", code={"text": "Asthma"})
    del undated["recordedDate"]
    finished = run(write(tmp_path / "export", patient(), onset, undated, *EARLY, order()), tmp_path / "run")
    found = {
        detail: n for (topic, kind, detail), n in finished.tallies.items() if (topic, kind) == ("known", "Condition")
    }
    assert found == {"stand-in": 1, "undated": 1}


def test_what_if_decides_at_each_new_ferritin(tmp_path: Path) -> None:
    later = [ferritin(350, "2025-06-01", "second"), tsat(25, "2025-06-01", "tsat-2")]
    found = decide(tmp_path, [*CHART, *later], what_if=True)
    assert [(row["kind"], row["time"], row["conclusion"]) for row in found] == [
        ("what-if", "2025-03-01T20:00:00Z", "indicated-strong"),
        ("what-if", "2025-06-01T20:00:00Z", "not-indicated"),
    ]


def test_what_if_says_nothing_without_rls(tmp_path: Path) -> None:
    assert decide(tmp_path, [patient(), *EARLY], what_if=True) == []
