"""What holds for every chart: random synthetic charts through the reader and the whole rule book.

`CDS_TEST_CHARTS` sets how many charts each property sees (default 60; the long profile uses 1,000).
"""

import copy
import os
import random
from collections.abc import Mapping
from datetime import date, datetime, timedelta
from decimal import Decimal
from functools import cache
from itertools import pairwise
from typing import Any
from zlib import crc32

import msgspec
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cds_service.clinical import codes, units
from cds_service.clinical.case import Case
from cds_service.clinical.decision import Decision, decide
from cds_service.clinical.model import Cap, Conclusion, PatientFacts, Phase, Verdict
from cds_service.clinical.rules import RULES
from cds_service.clinical.schedule import plan
from cds_service.fhir import iron_orders, reader
from cds_service.fhir.wire import ReadContext
from cds_service.follow_up_trace import render_view_trace
from tests.build_fixtures import (
    ICD10CM,
    KEY_TYPES,
    REFERENCE,
    RLS,
    RXNORM,
    SNOMED,
    allergy,
    concept,
    condition,
    drug,
    lab,
    order,
    patient_bundle,
    prefetch,
    severity,
)
from tests.build_fixtures import (
    given as infusion,
)
from tests.rules.opened import cards, created, deleted, look, words

Json = dict[str, Any]
CHARTS = int(os.environ.get("CDS_TEST_CHARTS", "60"))
charts_of_this_run = settings(max_examples=CHARTS, deadline=None, suppress_health_check=list(HealthCheck))

FERRITIN = (8, 60, 75, 75.1, 100, 100.1, 199.9, 200, 299.9, 300, 450)
TSAT = (1.5, 12, 19.9, 20, 28, 44.9, 45, 60)
CONDITIONS = (
    condition(ICD10CM, "E83.110", "Hereditary hemochromatosis", clinical="inactive"),
    condition(ICD10CM, "A41.9", "Sepsis, unspecified organism", 3),
    condition(ICD10CM, "N18.6", "End stage renal disease"),
    condition(SNOMED, "69896004", "Rheumatoid arthritis"),
    condition(SNOMED, "65959000", "Beta thalassemia"),
    condition(SNOMED, "77386006", "Pregnant", 40),
    condition(SNOMED, "57630001", "First trimester pregnancy", 20),
    condition(SNOMED, "233604007", "Pneumonia", 9),
    condition(SNOMED, "4996001", "Hypophosphatemia", 30),
)
ALLERGIES = (
    allergy(drug("fcm"), "Anaphylaxis", severity="severe"),
    allergy(drug("ferrous-sulfate"), "Nausea"),
    allergy(concept(RXNORM, "90176", "Iron")),
    allergy(drug("dextran"), "Hives"),
)
STOPS: tuple[Json, ...] = (
    condition(ICD10CM, "E83.110", "Hereditary hemochromatosis", clinical="inactive", id="stop"),
    condition(ICD10CM, "A41.9", "Sepsis, unspecified organism", 3, id="stop"),
    allergy(drug("fcm"), "Anaphylaxis", severity="severe", id="stop"),
    lab("tsat", 61, 0, id="stop"),
)

results = st.one_of(
    st.builds(lambda value, days: lab("ferritin", value, days), st.sampled_from(FERRITIN), st.integers(0, 110)),
    st.builds(lambda value, days: lab("tsat", value, days), st.sampled_from(TSAT), st.integers(0, 110)),
    st.builds(lambda value, days: lab("iron", value, days), st.integers(20, 220), st.integers(0, 100)),
    st.builds(lambda value, days: lab("tibc", value, days), st.integers(230, 450), st.integers(0, 100)),
    st.builds(
        lambda value, days: lab("hemoglobin", value, days),
        st.sampled_from((6.9, 7, 11.9, 12.5, 14)),
        st.integers(0, 95),
    ),
    st.builds(lambda value, days: lab("crp", value, days), st.sampled_from((1, 5, 5.1, 40)), st.integers(0, 60)),
    st.builds(
        lambda value, days: lab("phosphate", value, days), st.sampled_from((1.8, 2.4, 2.5, 3.4)), st.integers(0, 95)
    ),
    st.builds(lambda value, days: lab("weight", value, days), st.sampled_from((45, 55, 72, 110)), st.integers(0, 190)),
    st.builds(lambda days: lab("ferritin", 4.0, days, unit="ug/dL"), st.integers(0, 30)),
    st.builds(lambda days: lab("tsat", 50, days, status="preliminary"), st.integers(0, 30)),
)
others = st.one_of(
    st.sampled_from(CONDITIONS),
    st.sampled_from(ALLERGIES),
    st.builds(lambda mg, days: infusion("fcm", mg, days), st.sampled_from((500, 750, 1000, None)), st.integers(0, 300)),
    st.builds(lambda days: infusion("sucrose", 100, days), st.integers(0, 60)),
    st.builds(severity, st.integers(0, 40), st.integers(0, 300)),
)
charts = st.lists(st.one_of(results, results, others), max_size=14).map(lambda chart: [RLS, *copy.deepcopy(chart)])
orders = st.sampled_from(
    (
        (order("fcm", 1000),),
        (order("fcm"),),
        (order("sucrose", 100),),
        (order("IV iron infusion"),),
        (order("ferumoxytol", 510),),
        (order("fcm", 750), order("fcm", 750, "order-2")),
    )
)
hooks = st.sampled_from(("order-select", "order-sign"))


@cache
def index() -> codes.CodeIndex:
    return codes.load(None, "http://127.0.0.1:8000/fhir")


def decisions(
    chart: list[Json],
    ordered: tuple[Json, ...],
    hook: str = "order-select",
    as_of: date = REFERENCE,
    windows: Mapping[str, int] = units.WINDOW_DAYS,
) -> list[Decision]:
    """The whole way from FHIR JSON to decisions, without HTTP."""
    context = ReadContext(index(), None, "anyone", as_of, frozenset())
    session = tuple(
        found
        for one in ordered
        if isinstance(
            found := iron_orders.read_order(
                context, f"{one['resourceType']}/{one['id']}", msgspec.json.encode(one), None
            ),
            iron_orders.IronOrder,
        )
    )
    facts = read(chart, as_of, windows)
    return [decide(RULES, Case(one, session, facts, as_of, hook)) for one in session]


def read(chart: list[Json], as_of: date, windows: Mapping[str, int]) -> PatientFacts:
    context = ReadContext(index(), None, "anyone", as_of, frozenset())
    bundle = patient_bundle("anyone", {"chart": _named(chart)})
    data = {key: _entries(value) for key, value in prefetch(bundle).items()}
    return reader.read_facts(context, data, {}, windows=windows)


def _named(chart: list[Json]) -> list[Json]:
    """Ids by content, so that the order of a chart does not rename its resources."""
    return [{"id": f"r{crc32(msgspec.json.encode(one, order='deterministic'))}", **one} for one in chart]


def _entries(value: Json) -> list[msgspec.Raw]:
    resources = (
        [entry["resource"] for entry in value.get("entry", ())] if value["resourceType"] == "Bundle" else [value]
    )
    return [msgspec.Raw(msgspec.json.encode(one)) for one in resources]


def told(decision: Decision) -> tuple[Any, ...]:
    """Everything a card is made of."""
    return (
        decision.conclusion,
        tuple((rule.id, verdict.because, verdict.say) for rule, verdict in decision.verdicts),
        tuple((rule.id, cap.because) for rule, cap in decision.caps),
        tuple((rule.id, line.text) for rule, line in decision.lines),
        tuple((rule.id, remark.text) for rule, remark in decision.remarks),
        decision.offered_tests,
        decision.tests_not_before,
    )


def conclusions(found: list[Decision]) -> list[Conclusion]:
    return [one.conclusion for one in found]


@charts_of_this_run
@given(charts, orders, hooks, st.randoms(use_true_random=False))
def test_r_13_the_order_of_resources_never_matters(
    chart: list[Json], ordered: tuple[Json, ...], hook: str, chance: random.Random
) -> None:
    shuffled = chart[:]
    chance.shuffle(shuffled)
    assert [told(one) for one in decisions(shuffled, ordered, hook)] == [
        told(one) for one in decisions(chart, ordered, hook)
    ]


EQUAL_UNITS = {
    "2276-4": (("ug/L", Decimal(1)), ("mg/L", Decimal("0.001")), ("pmol/L", Decimal("2.247"))),
    "2502-3": (("1", Decimal("0.01")),),
    "718-7": (("g/L", Decimal(10)),),
    "29463-7": (("g", Decimal(1000)),),
}


@charts_of_this_run
@given(charts, orders, st.randoms(use_true_random=False))
def test_r_05_equal_values_in_other_units_decide_alike(
    chart: list[Json], ordered: tuple[Json, ...], chance: random.Random
) -> None:
    converted = copy.deepcopy(chart)
    for one in converted:
        code = one.get("code", {}).get("coding", [{}])[0].get("code")
        quantity = one.get("valueQuantity", {})
        if code not in EQUAL_UNITS or quantity.get("code") not in ("ng/mL", "%", "g/dL", "kg"):
            continue
        unit, factor = chance.choice(EQUAL_UNITS[code])
        quantity.update(value=Decimal(str(quantity["value"])) * factor, unit=unit, code=unit)
    encoded = msgspec.json.decode(
        msgspec.json.Encoder(decimal_format="number").encode(converted), type=list[Json], strict=True
    )
    assert conclusions(decisions(encoded, ordered)) == conclusions(decisions(chart, ordered))


UNRELATED = (
    condition(SNOMED, "38341003", "Hypertensive disorder"),
    condition(ICD10CM, "I10", "Essential (primary) hypertension"),
    {
        **lab("crp", 4.1, 5),
        "code": concept("http://loinc.org", "2345-7", "Glucose"),
        "valueQuantity": {"value": 99, "unit": "mg/dL"},
    },
    {
        "resourceType": "MedicationRequest",
        "status": "active",
        "intent": "order",
        "medicationCodeableConcept": {"text": "Metformin 500 mg tablet"},
    },
)


@charts_of_this_run
@given(charts, orders, st.lists(st.sampled_from(UNRELATED), min_size=1, max_size=4, unique_by=str))
def test_r_54_unrelated_resources_change_nothing(
    chart: list[Json], ordered: tuple[Json, ...], unrelated: list[Json]
) -> None:
    assert [told(one) for one in decisions([*chart, *copy.deepcopy(unrelated)], ordered)] == [
        told(one) for one in decisions(chart, ordered)
    ]


ANALYTES = (("ferritin", 48), ("tsat", 46), ("iron", 130), ("tibc", 260), ("hemoglobin", 6.9), ("crp", 40))
old_results = st.lists(
    st.one_of(
        st.builds(
            lambda kind, days: lab(*kind, days),
            st.sampled_from((*ANALYTES, ("phosphate", 1.8), ("weight", 45))),
            st.integers(80, 700),
        ),
        st.builds(lambda mg, days: infusion("fcm", mg, days), st.sampled_from((500, 1000)), st.integers(0, 360)),
    ),
    max_size=12,
)


@charts_of_this_run
@given(charts, old_results, orders, hooks)
def test_r_08_what_is_drawn_before_the_window_of_its_key_decides_nothing(
    chart: list[Json], old: list[Json], ordered: tuple[Json, ...], hook: str
) -> None:
    """So that it need not be read: with and without the windows everything that is said is the same."""
    long = [*chart, *copy.deepcopy(old)]
    every = decisions(long, ordered, hook, windows={})
    assert [told(one) for one in decisions(long, ordered, hook)] == [told(one) for one in every]


@charts_of_this_run
@given(charts, old_results)
def test_r_50c_nor_does_it_decide_anything_when_the_chart_is_opened(chart: list[Json], old: list[Json]) -> None:
    long = [*chart, *copy.deepcopy(old)]
    seen = []
    for windows in (units.WINDOW_DAYS, {}):
        facts = read(long, REFERENCE, windows)
        shown = cards(facts, as_of=REFERENCE)
        trace = render_view_trace(look(facts, as_of=REFERENCE))
        seen.append((words(shown), created(shown), deleted(shown), trace))
    assert seen[0] == seen[1]


@charts_of_this_run
@given(charts, orders, st.integers(0, 11))
def test_r_08a_the_time_of_day_changes_no_class(chart: list[Json], ordered: tuple[Json, ...], hour: int) -> None:
    moved = copy.deepcopy(chart)
    for one in moved:
        if one["resourceType"] == "Observation" and "T" in one["effectiveDateTime"]:
            one["effectiveDateTime"] = f"{one['effectiveDateTime'][:11]}{hour:02}:30:00-05:00"
    infusions = {one["effectiveDateTime"][:10] for one in chart if one["resourceType"] == "MedicationAdministration"}
    drawn = {one["effectiveDateTime"][:10] for one in chart if one["resourceType"] == "Observation"}
    if infusions & drawn:
        return  # R-09a: on the day of a dose the clock decides whether the specimen came first
    assert conclusions(decisions(moved, ordered)) == conclusions(decisions(chart, ordered))


@charts_of_this_run
@given(charts, st.sampled_from(STOPS), hooks)
def test_r_15_a_stop_always_wins(chart: list[Json], stop: Json, hook: str) -> None:
    kept = [one for one in chart if one["resourceType"] != "MedicationAdministration"]
    found = decisions([*kept, copy.deepcopy(stop)], (order("fcm", 1000),), hook)
    assert conclusions(found) == [Conclusion.CONTRAINDICATED]


@charts_of_this_run
@given(charts, orders)
def test_r_31_a_cap_only_lowers_the_strong_class(chart: list[Json], ordered: tuple[Json, ...]) -> None:
    for found in decisions(chart, ordered):
        without_caps = decide(tuple(rule for rule in RULES if rule.phase is not Phase.CAP), found.case)
        if found.conclusion is not without_caps.conclusion:
            assert without_caps.conclusion is Conclusion.INDICATED_STRONG
            assert found.conclusion is Conclusion.MAY_BENEFIT
        answered = [answer for step in found.steps for answer in step.answers]
        assert (
            not any(isinstance(answer, Cap) for answer in answered)
            or found.conclusion is not Conclusion.INDICATED_STRONG
        )


@charts_of_this_run
@given(charts, orders)
def test_r_26_without_a_usable_ferritin_nothing_is_supported(chart: list[Json], ordered: tuple[Json, ...]) -> None:
    no_ferritin = [one for one in chart if one.get("code", {}).get("coding", [{}])[0].get("code") != "2276-4"]
    assert not any(one.conclusion.is_supportive for one in decisions(no_ferritin, ordered))


@charts_of_this_run
@given(charts, orders, hooks)
def test_r_54_every_decision_has_a_deciding_rule_and_a_full_trace(
    chart: list[Json], ordered: tuple[Json, ...], hook: str
) -> None:
    for found in decisions(chart, ordered, hook):
        assert [step.rule.id for step in found.steps] == [rule.id for rule in RULES]
        assert any(isinstance(answer, Verdict) for step in found.steps for answer in step.answers)


@charts_of_this_run
@given(st.dates(date(2000, 1, 1), date(2090, 12, 31)))
def test_r_43_windows_never_overlap_and_never_fall_before_the_anchor(anchor: date) -> None:
    planned = plan(anchor)
    assert all(earlier.window_last < later.window_first for earlier, later in pairwise(planned))
    assert all(anchor < one.window_first <= one.target <= one.window_last for one in planned)


def test_the_prefetch_of_a_property_holds_what_the_chart_holds() -> None:
    """Guards the generator itself: a chart that is read as nothing would make every property true."""
    found = decisions([RLS, lab("ferritin", 48), lab("tsat", 17)], (order("fcm", 1000),))
    assert conclusions(found) == [Conclusion.INDICATED_STRONG]
    assert set(KEY_TYPES) <= set(prefetch(patient_bundle("anyone", {"chart": []})))
    assert datetime.fromisoformat(lab("ferritin", 1)["effectiveDateTime"]).date() == REFERENCE - timedelta(days=12)
