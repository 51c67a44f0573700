"""The story as data: which points are hollow and why, bands, blackouts, windows, and what is posted to get it."""

import json
from collections.abc import Iterable, Mapping
from datetime import date, timedelta
from decimal import Decimal
from functools import cache
from typing import Any

import pytest

from cds_service.assembly import Engine, build_engine
from cds_service.clinical.case import Case
from cds_service.clinical.courses import SESSIONAL_MOST_MG
from cds_service.clinical.follow_up.course import open_chart
from cds_service.clinical.interval import Interval
from cds_service.clinical.model import ConditionEntry, PatientFacts
from cds_service.clinical.rules import dialysis
from cds_service.clinical.rules.eligibility import CEILING, GREY_ZONE, LOW_FERRITIN, REPLETE
from cds_service.clinical.rules.hemoglobin import (
    ANEMIA_MEN_BELOW,
    ANEMIA_WOMEN_BELOW,
    REPLETION_BELOW,
    URGENT_BELOW,
)
from cds_service.clinical.schedule import plan
from cds_service.clinical.specimen_time import BLACKOUT_DAYS, SETTLED_DAYS
from cds_service.clinical.story.bands import find_bands
from cds_service.clinical.story.points import place
from cds_service.clinical.units import SEVERITY_RANGE
from cds_service.clinical.zones import FERRITIN_ZONES, TSAT_ZONES
from cds_service.errors import OtherRefusal
from cds_service.fhir.wire import ReadContext
from cds_service.settings import load_settings
from cds_service.story import (
    KEYS,
    MOST_IRON_RECORDS,
    MOST_OF_A_DAY,
    MOST_RESOURCES,
    MOST_RESULTS,
    OUT_OF_SCOPE,
    parse_posted,
    tell_story,
)
from tests.build_fixtures import RLS, drug, given, lab, severity
from tests.replies import FOLDER, REFERENCE, SITUATIONS, open_service

Json = dict[str, Any]
PATIENT = "synthetic-7"
KEY_OF = {
    "Patient": "patient",
    "Condition": "conditions",
    "MedicationAdministration": "iron_administrations",
    "MedicationRequest": "medications",
    "Medication": "referenced",
    "Procedure": "procedures",
    "ServiceRequest": "follow_up",
}
WOMAN = {"resourceType": "Patient", "id": PATIENT, "birthDate": "1966-01-01", "gender": "female"}


@cache
def engine() -> Engine:
    return build_engine(load_settings())


def ago(days: int) -> str:
    return (REFERENCE - timedelta(days=days)).isoformat()


def prefetch_of(resources: Iterable[Json]) -> dict[str, Json]:
    """As the page posts it: a Bundle for each key; every Observation under one key, which any of them may hold."""
    filed: dict[str, list[Json]] = {key: [] for key in KEYS}
    for place_, one in enumerate(resources):
        about = {} if one["resourceType"] == "Patient" else {"subject": {"reference": f"Patient/{PATIENT}"}}
        kept = {"id": f"r{place_}", **about, **one}
        filed.setdefault(KEY_OF.get(one["resourceType"], "ferritin"), []).append(kept)
    bundled = {
        key: {"resourceType": "Bundle", "type": "searchset", "entry": [{"resource": one} for one in found]}
        for key, found in filed.items()
        if key != "patient"
    }
    return {**bundled, "patient": WOMAN}


def tell(*resources: Json, days: int = 0, **more: Any) -> Json:
    """The story of these resources, `days` after the reference date; `more` replaces answers by key."""
    posted = {**prefetch_of(resources), **more}
    as_of = REFERENCE + timedelta(days=days)
    context = ReadContext(engine().index, None, PATIENT, as_of, engine().identifier_systems)
    return tell_story(context, {key: json.dumps(value).encode() for key, value in posted.items()}, "us")


def reassessment(contact: str, due_in: int) -> Json:
    """A contact that was accepted from one of our cards."""
    return {
        "resourceType": "ServiceRequest",
        "identifier": [
            {"system": f"{engine().canonical}/NamingSystem/reassessment", "value": f"5ac1d0b2e7f34c98.{contact}"}
        ],
        "status": "active",
        "intent": "order",
        "occurrenceDateTime": ago(-due_in),
    }


def panel(story: Json, name: str) -> Json:
    (found,) = [one for one in story["panels"] if one["id"] == name]
    return dict(found)


def chart(**facts: Any) -> Case:
    return open_chart(PatientFacts(**facts), REFERENCE)


# --- points: filled or hollow, and why

USABLE = ""
POINTS = [
    pytest.param([lab("ferritin", 48)], "48 ng/mL", 48, USABLE, id="a plain result"),
    pytest.param([lab("ferritin", 48, 400)], "48 ng/mL", 48, USABLE, id="R-08 an old result was good on its day"),
    pytest.param([lab("ferritin", 48, 30), given(days=10)], "48 ng/mL", 48, USABLE, id="R-09a so was one before iron"),
    pytest.param(
        [lab("ferritin", 600, 73), given(days=100)],
        "600 ng/mL",
        600,
        "27 days after IV iron",
        id="R-09 blackout, day 27",
    ),
    pytest.param([lab("ferritin", 160, 72), given(days=100)], "160 ng/mL", 160, USABLE, id="R-09 day 28 is readable"),
    pytest.param(
        [lab("ferritin", 600, 95), given(days=100), lab("ferritin", 150, 5)],
        "600 ng/mL",
        600,
        "5 days after IV iron",
        id="R-09 an old result in the blackout stays unreadable",
    ),
    pytest.param([lab("ferritin", 5.2, unit="ug/dL")], "5.2 ug/dL", None, "ug/dL is not accepted", id="R-05 unit"),
    pytest.param([lab("ferritin", 120, unit="pmol/L")], "53.4 ng/mL", 53.4, USABLE, id="R-05 converted"),
    pytest.param([lab("ferritin", 200_000)], "200000 ng/mL", None, "plausible range", id="R-11 implausible"),
    pytest.param([lab("ferritin", 5, comparator="<")], "<5 ng/mL", 5, USABLE, id="R-10 censored in one zone"),
    pytest.param(
        [lab("ferritin", 100, comparator="<")], "<100 ng/mL", 100, "spans decision limits", id="R-10 spans zones"
    ),
    pytest.param([lab("ferritin", 1650, comparator=">")], ">1650 ng/mL", 1650, USABLE, id="R-10 above"),
    pytest.param([lab("ferritin", 48, status="preliminary")], "48 ng/mL", 48, "is preliminary", id="R-07 preliminary"),
    pytest.param([lab("ferritin", 48, status="entered-in-error")], "48 ng/mL", 48, "has status", id="R-07 in error"),
    pytest.param([lab("ferritin", 48, -3)], "48 ng/mL", 48, "dated after today", id="R-08 from the future"),
    pytest.param([lab("ferritin", 48, effectiveDateTime=None)], "48 ng/mL", 48, "no specimen date", id="R-08a undated"),
]


@pytest.mark.parametrize(("resources", "shown", "value", "why"), POINTS)
def test_a_point_is_hollow_where_it_could_not_be_read_on_its_day(
    resources: list[Json], shown: str, value: float | None, why: str
) -> None:
    found = {one["shown"]: one for one in panel(tell(RLS, *resources), "ferritin")["points"]}
    point = found[shown]
    assert point["usable"] is (why == USABLE)
    assert why in point["why"]
    assert point["y"] == (None if value is None else pytest.approx(value, abs=0.05))


def test_a_calculated_tsat_is_a_point_unless_one_was_reported() -> None:
    parts = [lab("iron", 60), lab("tibc", 300)]
    (point,) = panel(tell(RLS, *parts), "tsat")["points"]
    assert (point["shown"], point["note"]) == ("20 %", "calculated from iron and TIBC")
    assert [one["shown"] for one in panel(tell(RLS, *parts, lab("tsat", 22)), "tsat")["points"]] == ["22 %"]


def test_r_09_does_not_touch_hemoglobin() -> None:
    (point,) = panel(tell(RLS, given(days=10), lab("hemoglobin", 12.1, 5)), "hemoglobin")["points"]
    assert point["usable"]


def test_r_09_a_result_between_day_28_and_55_says_so() -> None:
    (point,) = panel(tell(RLS, given(days=100), lab("ferritin", 160, 60)), "ferritin")["points"]
    assert point["usable"]
    assert "fully settled only from day 56" in point["note"]


def test_each_point_says_what_it_counts_for_today() -> None:
    story = tell(RLS, lab("ferritin", 40, 200), lab("ferritin", 44, 30), lab("ferritin", 48, 3))
    old, newer, newest = panel(story, "ferritin")["points"]
    assert old["today"] == "not used today: it is 200 days old (limit 90)"
    assert (newer["today"], newest["today"]) == (
        "a newer result counts today",
        "this is the value that counts today",
    )


def test_two_results_of_one_day_are_two_points() -> None:
    points = panel(tell(RLS, lab("ferritin", 48), lab("ferritin", 52)), "ferritin")["points"]
    assert [one["y"] for one in points] == [48, 52]


PLACED = [
    (Interval.point(Decimal(48)), Decimal(48)),
    (Interval(Decimal(0), Decimal(5), False, False), Decimal(5)),
    (Interval(Decimal(1650), Decimal(100_000), False, True), Decimal(1650)),
    (Interval(Decimal(20), Decimal(30), True, True), Decimal(25)),
]


@pytest.mark.parametrize(("value", "expected"), PLACED)
def test_r_10_a_censored_value_is_drawn_at_its_bound(value: Interval, expected: Decimal) -> None:
    assert place("ferritin", value) == expected


# --- bands are the zones of the rule book


def test_the_bands_of_ferritin_are_the_zones_that_decide() -> None:
    bands = find_bands(chart(), "ferritin")
    assert tuple(band.zone for band in bands) == FERRITIN_ZONES
    assert [band.zone for band in bands] == [rule.ferritin for rule in (LOW_FERRITIN, GREY_ZONE, REPLETE, CEILING)]
    assert [rule for band in bands for rule in band.rules.split(", ")] == ["R-22", "R-23", "R-24", "R-25", "R-17"]


def test_the_bands_of_tsat_are_the_zones_that_decide() -> None:
    assert tuple(band.zone for band in find_bands(chart(), "tsat")) == TSAT_ZONES


def test_r_28_in_dialysis_the_bands_of_ferritin_are_others() -> None:
    entry = ConditionEntry(frozenset({"dialysis-dependence"}), "dialysis", "Condition/1", True, "active", None, None)
    in_dialysis = chart(conditions=(entry,))
    assert in_dialysis.is_in_dialysis
    zones = [band.zone for band in find_bands(in_dialysis, "ferritin")]
    assert zones[0] == dialysis.FERRITIN_LOW
    assert [zone.low for zone in zones[1:]] == [dialysis.FERRITIN_BELOW.value, FERRITIN_ZONES[3].low]


@pytest.mark.parametrize(
    ("sex", "anemia"), [("male", ANEMIA_MEN_BELOW), ("female", ANEMIA_WOMEN_BELOW), (None, ANEMIA_WOMEN_BELOW)]
)
def test_r_29_the_bands_of_hemoglobin_have_the_who_bound_of_the_patient(sex: str | None, anemia: Any) -> None:
    bands = find_bands(chart(sex=sex), "hemoglobin")
    cuts = sorted(Decimal(one.value) for one in (URGENT_BELOW, REPLETION_BELOW, anemia))
    assert [band.zone.low for band in bands] == [None, *cuts]
    assert [band.zone.high for band in bands] == [*cuts, None]
    assert next(band.rules for band in bands if band.zone.high == anemia.value).startswith("R-29b")


@pytest.mark.parametrize("analyte", ["ferritin", "tsat", "hemoglobin"])
def test_bands_leave_no_gap_and_fill_the_axis(analyte: str) -> None:
    found = panel(tell(RLS), analyte)
    edges = [(one["from"], one["to"]) for one in found["bands"]]
    assert edges[0][0] == found["axis"]["min"]
    assert edges[-1][1] == found["axis"]["max"]
    assert [high for _, high in edges[:-1]] == [low for low, _ in edges[1:]]


def test_the_axis_grows_with_the_values() -> None:
    assert panel(tell(RLS, lab("ferritin", 900)), "ferritin")["axis"]["max"] > 900
    assert panel(tell(RLS, lab("hemoglobin", 4)), "hemoglobin")["axis"]["min"] < 4


def test_r_49_severity_has_its_own_range() -> None:
    story = tell(RLS, severity(31, 40), severity(12, 5))
    assert story["severity"]["axis"] == {"min": SEVERITY_RANGE[0], "max": SEVERITY_RANGE[1]}
    assert [one["shown"] for one in story["severity"]["points"]] == ["31 (very severe)", "12 (moderate)"]


# --- iron given and what follows it


def span(first: int, last: int) -> tuple[str, str]:
    return (ago(first), ago(last))


def spans(story: Json, name: str) -> list[tuple[str, str]]:
    return [(one["from"], one["to"]) for one in story[name]]


BLACKOUTS = [
    pytest.param([200], [(200, 173)], [(172, 145)], id="one dose"),
    pytest.param([200, 190], [(200, 163)], [(162, 135)], id="a second dose in the blackout prolongs it"),
    pytest.param(
        [200, 150], [(200, 173), (150, 123)], [(172, 151), (122, 95)], id="a later dose cuts the caution short"
    ),
]


@pytest.mark.parametrize(("doses", "blackouts", "cautions"), BLACKOUTS)
def test_r_09_blackout_and_caution_are_counted_from_each_dose(
    doses: list[int], blackouts: list[tuple[int, int]], cautions: list[tuple[int, int]]
) -> None:
    story = tell(RLS, *(given(days=one) for one in doses))
    assert (BLACKOUT_DAYS, SETTLED_DAYS) == (28, 56)
    assert spans(story, "blackouts") == [span(*one) for one in blackouts]
    assert spans(story, "cautions") == [span(*one) for one in cautions]


def test_r_28b_small_doses_in_dialysis_start_no_blackout_and_are_still_marked() -> None:
    dependence = {**RLS, "code": {"coding": [{"system": "http://snomed.info/sct", "code": "105502003"}]}}
    story = tell(RLS, dependence, given("sucrose", float(SESSIONAL_MOST_MG), 20))
    assert (story["blackouts"], len(story["infusions"])) == ([], 1)


def test_infusions_are_told_with_dose_product_and_day() -> None:
    (one,) = tell(RLS, given("derisomaltose", 1000, 50))["infusions"]
    assert (one["date"], one["amount"], one["product"]) == (ago(50), "1000 mg", "ferric derisomaltose")
    (unknown,) = tell(RLS, given(mg=None, days=50))["infusions"]
    assert unknown["amount"] == "dose not recorded"


def states(story: Json) -> list[tuple[str, str]]:
    return [(one["contact"], one["state"]) for one in story["windows"]]


WINDOWS = [
    pytest.param(3, [], ["planned", "planned", "planned", "planned"], id="day 3"),
    pytest.param(9, [], ["due", "planned", "planned", "planned"], id="day 9"),
    pytest.param(20, [severity(20, 11)], ["done", "due", "planned", "planned"], id="day 20, score on day 9"),
    pytest.param(35, [], ["overdue", "overdue", "planned", "planned"], id="day 35, nothing done"),
    pytest.param(70, [], ["missed", "missed", "due", "planned"], id="day 70, nothing done"),
    pytest.param(70, [lab("ferritin", 150, 5)], ["missed", "missed", "done", "planned"], id="day 70, ferritin"),
]


@pytest.mark.parametrize(("day", "more", "expected"), WINDOWS)
def test_r_50_windows_tell_what_happened_in_them(day: int, more: list[Json], expected: list[str]) -> None:
    story = tell(RLS, given(days=day), *more)
    planned = plan(date.fromisoformat(ago(day)))
    assert states(story) == [(one.contact.title, state) for one, state in zip(planned, expected, strict=True)]
    assert spans(story, "windows") == [(str(one.window_first), str(one.window_last)) for one in planned]


def test_a_requested_contact_says_so() -> None:
    story = tell(RLS, given(days=9), reassessment("day-8", -1), reassessment("week-3", 12))
    assert [one["because"] for one in story["windows"]][:3] == ["requested", "requested", "not requested"]


def test_an_earlier_course_keeps_what_happened_and_loses_what_the_next_one_forestalled() -> None:
    story = tell(RLS, given(days=140), severity(20, 132), given(days=40))
    assert states(story)[:3] == [("day 8", "done"), ("week 3", "missed"), ("week 8 labs", "overdue")]
    assert [one for one, _ in states(story)].count("month 6") == 1  # of the later course only
    assert story["conclusions"]["headline"].startswith("Day 40")


def test_a_course_that_is_followed_no_more_is_told_as_it_ended() -> None:
    story = tell(RLS, given(days=600))
    assert {state for _, state in states(story)} == {"missed"}
    assert story["conclusions"] is None


def test_r_50c_without_rls_values_are_drawn_and_no_window() -> None:
    story = tell(lab("ferritin", 48), given(days=9))
    assert (story["windows"], story["inScope"], story["notes"]) == ([], False, [OUT_OF_SCOPE])
    assert panel(story, "ferritin")["points"]


# --- what is posted


@pytest.mark.parametrize(
    ("key", "answer", "state"),
    [
        ("ferritin", {"resourceType": "OperationOutcome", "issue": [{"severity": "error"}]}, "failed"),
        (
            "iron_administrations",
            {"resourceType": "Bundle", "link": [{"relation": "next", "url": "x"}], "entry": []},
            "incomplete",
        ),
    ],
)
def test_a_query_that_failed_is_named_and_not_taken_for_empty(key: str, answer: Json, state: str) -> None:
    (note,) = tell(RLS, **{key: answer})["notes"]
    assert f"{key} ({state})" in note


def test_null_is_an_empty_answer() -> None:
    assert tell(RLS, ferritin=None)["notes"] == []


def test_entries_of_another_patient_are_not_used() -> None:
    story = tell(RLS, lab("ferritin", 48, subject={"reference": "Patient/other"}))
    assert panel(story, "ferritin")["points"] == []
    assert "Entries of the chart not used: 1" in story["notes"][0]


def test_drugs_told_by_reference_are_asked_for_and_read_when_they_come() -> None:
    dose = {name: value for name, value in given(days=50).items() if name != "medicationCodeableConcept"}
    dose["medicationReference"] = {"reference": "Medication/m1"}
    assert tell(RLS, dose)["wanted"] == ["Medication/m1"]
    story = tell(RLS, dose, {"resourceType": "Medication", "id": "m1", "code": drug("fcm")})
    assert (story["wanted"], len(story["infusions"])) == ([], 1)


@pytest.mark.parametrize("name", sorted(SITUATIONS))
def test_every_demo_patient_has_a_story(name: str) -> None:
    bundle = json.loads((FOLDER / "patients" / f"{name}.json").read_text("utf-8"))
    chart_ = [{**entry["resource"], "subject": None} for entry in bundle["entry"]]
    story = tell(*chart_, days=1)
    assert [one["id"] for one in story["panels"]] == ["ferritin", "tsat", "hemoglobin"]
    assert story["ranges"][0]["from"] < story["today"] < story["ranges"][0]["to"]


@pytest.mark.parametrize("when", ["0001-01-01", "0001-03-05", "1899", "9999-12-31", "2026-13-45", ""])
def test_dates_at_the_ends_of_the_calendar_break_nothing(when: str) -> None:
    odd = [
        given(effectiveDateTime=when),
        lab("ferritin", 48, effectiveDateTime=when),
        lab("tsat", 20, effectiveDateTime=when),
        {**severity(20, 1), "effectiveDateTime": when},
    ]
    story = tell(RLS, given(days=400), *odd)
    assert story["ranges"][0]["from"] >= "1899"
    assert len(story["infusions"]) >= 1


TOO_MUCH = [
    pytest.param([lab("hemoglobin", 13)] * (MOST_RESOURCES + 1), "5000 resources", id="resources"),
    pytest.param([lab("ferritin", 48)] * (MOST_OF_A_DAY + 1), "50 ferritin results of one day", id="one day"),
    pytest.param([lab("ferritin", 48, n % 90) for n in range(MOST_RESULTS + 1)], "600 ferritin results", id="results"),
    pytest.param([given(days=n) for n in range(MOST_IRON_RECORDS + 1)], "600 records of IV iron", id="doses"),
]


@pytest.mark.parametrize(("resources", "words"), TOO_MUCH)
def test_more_than_one_patients_iron_is_refused_before_it_is_judged(resources: list[Json], words: str) -> None:
    with pytest.raises(OtherRefusal, match=f"more than {words}") as refusal:
        tell(RLS, *resources)
    assert refusal.value.status == 413


WRONG: list[tuple[bytes, str]] = [
    (b"", "no JSON"),
    (b"{", "no JSON"),
    (b"\xff\xfe", "no JSON"),
    (b'{"prefetch": {"ferritin": ' + b"[" * 100_000, "no JSON"),
    (b"[]", "not a story request"),
    (b'{"fhirServer": "x", "patientId": "", "prefetch": {}}', "patientId"),
    (b'{"fhirServer": "x", "patientId": "secret-1"}', "prefetch"),
    (b'{"fhirServer": 1, "patientId": "secret-1", "prefetch": {}}', "fhirServer"),
]


@pytest.mark.parametrize(("body", "words"), WRONG)
def test_a_body_that_is_no_story_request_is_400_without_its_values(body: bytes, words: str) -> None:
    with pytest.raises(OtherRefusal, match=words) as refusal:
        parse_posted(body)
    assert refusal.value.status == 400
    assert "secret" not in refusal.value.diagnostics


def test_the_service_answers_over_http_and_says_nothing_of_it_in_its_log(
    capsysbinary: pytest.CaptureFixture[bytes],
) -> None:
    client = open_service(log_level="info")
    prefetch: Mapping[str, Json] = prefetch_of([RLS, lab("ferritin", 48)])
    posted = {"fhirServer": "http://127.0.0.1:8000/demo/fhir", "patientId": PATIENT, "prefetch": prefetch}
    answer = client.post("/smart/story", json=posted)
    assert answer.status_code == 200
    assert answer.get_json()["knowledge"]["url"].endswith("/knowledge")
    assert answer.headers["Cache-Control"] == "no-store"
    logged = capsysbinary.readouterr().err
    assert b'"route":"/smart/story"' in logged
    assert not any(secret in logged for secret in (PATIENT.encode(), b"ferritin", b"1966"))


def test_the_queries_are_the_prefetch_templates_of_what_is_drawn() -> None:
    client = open_service()
    listed = client.get("/smart/queries?iss=http://127.0.0.1:8000/demo/fhir").get_json()["queries"]
    offered = client.get("/cds-services").get_json()["services"][0]["prefetch"]
    assert listed == {key: offered[key] for key in KEYS}
    assert client.get("/smart/queries?iss=http://other.example").status_code == 403
    assert client.get("/smart/queries").status_code == 400
