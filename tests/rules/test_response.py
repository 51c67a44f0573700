"""R-49, R-49a: response to a course and return of symptoms, on both sides of every window and bound."""

from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import msgspec
import pytest

from cds_service.clinical import codes
from cds_service.clinical.dates import Day
from cds_service.clinical.model import Impression, SeverityTotal
from cds_service.clinical.response import Response, ResponseRecord, assess_response, classify, has_returned, name_band
from cds_service.fhir import reader
from cds_service.fhir.wire import ReadContext
from tests import build_fixtures
from tests.rules.build import TODAY

FIRST = TODAY - timedelta(days=207)  # first dose
LAST = TODAY - timedelta(days=200)  # last infusion, A
RESPONDER, PARTIAL, NO_RESPONSE, OPEN = Response.RESPONDER, Response.PARTIAL, Response.NONE, Response.UNDOCUMENTED


def row(rule_id: str, words: str, *values: object) -> Any:
    return pytest.param(*values, id=f"{rule_id} {words}")


def score(total: str, when: date | Day, reference: str = "") -> SeverityTotal:
    recorded = when if isinstance(when, Day) else Day(when, when)
    return SeverityTotal(Decimal(total), recorded, reference or f"Observation/{total}-{recorded.first}")


def before(total: str, days: int = 10) -> SeverityTotal:
    """Days before the first dose."""
    return score(total, FIRST - timedelta(days=days))


def after(total: str, days: int) -> SeverityTotal:
    """Days after the last infusion."""
    return score(total, LAST + timedelta(days=days))


def now(total: str, days_ago: int = 5) -> SeverityTotal:
    return score(total, TODAY - timedelta(days=days_ago))


def impression(is_responder: bool, days: int) -> Impression:
    when = LAST + timedelta(days=days)
    return Impression(is_responder, Day(when, when), f"Observation/cgi-{is_responder}-{days}")


def assess(*totals: SeverityTotal, impressions: tuple[Impression, ...] = (), as_of: date = TODAY) -> ResponseRecord:
    return assess_response(totals, impressions, FIRST, LAST, as_of)


# -------------------------------------------------------------------------------------------------- the terms


@pytest.mark.parametrize(
    ("baseline", "total", "expected"),
    [
        row("R-49", "40 % exactly", "30", "18", RESPONDER),
        row("R-49", "just under 40 %", "30", "18.1", PARTIAL),
        row("R-49", "more than 40 %", "30", "10", RESPONDER),
        row("R-49", "3 points of 30", "30", "27", PARTIAL),
        row("R-49", "2.9 points of 30", "30", "27.1", NO_RESPONSE),
        row("R-49", "3 points of 7 are 43 %", "7", "4", RESPONDER),
        row("R-49", "2 points of 4 are 50 %, below 3 points", "4", "2", NO_RESPONSE),
        row("R-49", "unchanged", "25", "25", NO_RESPONSE),
        row("R-49", "worse", "25", "30", NO_RESPONSE),
        row("R-49", "no symptoms before and after", "0", "0", NO_RESPONSE),
    ],
)
def test_r_49_responder_partial_none(baseline: str, total: str, expected: Response) -> None:
    assert classify(Decimal(baseline), Decimal(total)) is expected


@pytest.mark.parametrize(
    ("total", "band"),
    [
        ("0", "none"),
        ("1", "mild"),
        ("10", "mild"),
        ("11", "moderate"),
        ("20", "moderate"),
        ("21", "severe"),
        ("30", "severe"),
        ("31", "very severe"),
        ("40", "very severe"),
        ("41", "very severe"),
    ],
)
def test_r_49_bands_of_the_total(total: str, band: str) -> None:
    assert name_band(Decimal(total)) == band


# ----------------------------------------------------------------------------------------- R-49a: which totals count


@pytest.mark.parametrize(
    ("totals", "expected"),
    [
        row("R-49a", "on the day of the first dose", [before("28", 0)], "28"),
        row("R-49a", "90 days before", [before("28", 90)], "28"),
        row("R-49a", "91 days before", [before("28", 91)], None),
        row("R-49a", "the day after the first dose", [before("28", -1)], None),
        row("R-49a", "the latest of several", [before("28", 40), before("24", 10), before("30", 90)], "24"),
        row("R-49a", "of one day the lowest", [before("28"), before("24")], "24"),
        row(
            "R-49a",
            "a month that reaches into the course",
            [score("28", Day(FIRST - timedelta(20), FIRST + timedelta(8)))],
            None,
        ),
    ],
)
def test_r_49a_baseline(totals: list[SeverityTotal], expected: str | None) -> None:
    found = assess(*totals).baseline
    assert (found and str(found.total)) == expected


@pytest.mark.parametrize(
    ("totals", "expected"),
    [
        row("R-49a", "day 20", [after("10", 20)], None),
        row("R-49a", "day 21", [after("10", 21)], "10"),
        row("R-49a", "day 183", [after("10", 183)], "10"),
        row("R-49a", "day 184", [after("10", 184)], None),
        row("R-49a", "the lowest of several", [after("12", 30), after("10", 60), after("20", 180)], "10"),
    ],
)
def test_r_49a_best_total(totals: list[SeverityTotal], expected: str | None) -> None:
    found = assess(*totals).best
    assert (found and str(found.total)) == expected


RESPONSES = [
    row("R-49a", "responder", [before("30"), after("18", 21)], RESPONDER),
    row("R-49a", "partial", [before("30"), after("19", 21)], PARTIAL),
    row("R-49a", "no baseline", [after("10", 50)], OPEN),
    row("R-49a", "no total after the course", [before("30")], OPEN),
    row("R-49a", "only a total of day 8", [before("30"), after("5", 8)], OPEN),
    row("R-49a", "nothing on record", [], OPEN),
    row("R-49a", "none, but only before day 42", [before("30"), after("29", 41)], OPEN),
    row("R-49a", "none, on day 42", [before("30"), after("29", 42)], NO_RESPONSE),
    row("R-49a", "none early and late", [before("30"), after("28", 25), after("30", 60)], NO_RESPONSE),
    row("R-49a", "worse", [before("20"), after("25", 60)], NO_RESPONSE),
    row(
        "R-49a",
        "improved early, lost late: the best counts",
        [before("30"), after("15", 25), after("29", 60)],
        RESPONDER,
    ),
    row("R-49a", "a total of the course day is no response", [before("30"), after("5", 0)], OPEN),
    row("R-49a", "a baseline too old", [before("30", 91), after("10", 50)], OPEN),
]


@pytest.mark.parametrize(("totals", "expected"), RESPONSES)
def test_r_49a_response_to_the_course(totals: list[SeverityTotal], expected: Response) -> None:
    assert assess(*totals).response is expected
    assert assess(*reversed(totals)).response is expected


def test_r_49a_totals_after_the_hook_date_do_not_count() -> None:
    totals = (before("30"), after("10", 60))
    assert assess(*totals, as_of=LAST + timedelta(days=59)).response is OPEN
    assert assess(*totals, as_of=LAST + timedelta(days=60)).response is RESPONDER


def test_r_49a_undated_totals_do_not_count() -> None:
    assert assess(before("30"), SeverityTotal(Decimal(10), None, "Observation/undated")).response is OPEN


def test_r_49a_what_was_used_is_named() -> None:
    record = assess(before("30"), after("18", 30), now("20"))
    assert [(one.name, one.shown, one.day, one.reference) for one in record.used] == [
        ("baseline severity total", "30", "2025-08-05", "Observation/30-2025-08-05"),
        ("best severity total", "18", "2025-09-21", "Observation/18-2025-09-21"),
        ("latest severity total", "20", "2026-03-05", "Observation/20-2026-03-05"),
    ]
    assert (record.baseline, record.best, record.latest) == (before("30"), after("18", 30), now("20"))
    assert "30" in record.because
    assert "18" in record.because


# ------------------------------------------------------------------------------------- R-49a: symptoms returned

RETURNS = [
    row("R-49a", "15 and 5 above the best", [after("10", 60), now("15")], True),
    row("R-49a", "14.9", [after("9", 60), now("14.9")], False),
    row("R-49a", "4.9 above the best", [after("20", 60), now("24.9")], False),
    row("R-49a", "5 above a high best", [after("20", 60), now("25")], True),
    row("R-49a", "30 days old", [after("10", 60), now("20", 30)], True),
    row("R-49a", "31 days old", [after("10", 60), now("20", 31)], False),
    row("R-49a", "a later, better total", [after("10", 60), now("20", 20), now("12", 3)], False),
    row("R-49a", "a later total without a best one", [now("20")], False),
    row("R-49a", "the best one itself is the latest", [after("20", 183)], False),
    row("R-49a", "of one day the lower counts", [after("10", 60), now("20"), now("14")], False),
    row("R-49a", "no total at all", [], False),
    row(
        "R-08a",
        "dated by days of which the first is that of the best one",
        [after("10", 183), score("20", Day(LAST + timedelta(days=183), LAST + timedelta(days=185)))],
        False,
    ),
]


@pytest.mark.parametrize(("totals", "expected"), RETURNS)
def test_r_49a_symptoms_returned(totals: list[SeverityTotal], expected: bool) -> None:
    assert assess(before("30"), *totals).has_returned is expected


UNDATED = SeverityTotal(Decimal(10), None, "Observation/undated")


@pytest.mark.parametrize(
    ("best", "latest"),
    [
        row("R-49a", "no best total", None, now("20")),
        row("R-49a", "no latest total", after("10", 60), None),
        row("R-08a", "the best without a date", UNDATED, now("20")),
        row("R-08a", "the latest without a date", after("5", 60), UNDATED),
    ],
)
def test_r_49a_without_two_dated_totals_nothing_has_returned(
    best: SeverityTotal | None, latest: SeverityTotal | None
) -> None:
    assert has_returned(best, latest, TODAY) is False


# ------------------------------------------------------------------------------------- R-49, R-49a: coded impressions

IMPRESSIONS = [
    row("R-49", "responder on day 21", [], (impression(True, 21),), RESPONDER),
    row("R-49", "responder on day 20", [], (impression(True, 20),), OPEN),
    row("R-49", "responder on day 183", [], (impression(True, 183),), RESPONDER),
    row("R-49", "responder on day 184", [], (impression(True, 184),), OPEN),
    row("R-49", "non-responder on day 42", [], (impression(False, 42),), NO_RESPONSE),
    row("R-49", "non-responder on day 41", [], (impression(False, 41),), OPEN),
    row("R-49", "before the course", [], (impression(True, -30),), OPEN),
    row("R-49", "the latest counts", [], (impression(False, 50), impression(True, 90)), RESPONDER),
    row("R-49", "of one day non-response", [], (impression(True, 60), impression(False, 60)), NO_RESPONSE),
    row(
        "R-49a",
        "totals decide before impressions",
        [before("30"), after("10", 50)],
        (impression(False, 90),),
        RESPONDER,
    ),
    row("R-49a", "totals say partial", [before("30"), after("25", 50)], (impression(True, 90),), PARTIAL),
    row("R-49", "without a baseline the impression decides", [after("10", 50)], (impression(True, 50),), RESPONDER),
    row(
        "R-49a",
        "totals too early, impression in time",
        [before("30"), after("29", 30)],
        (impression(False, 60),),
        NO_RESPONSE,
    ),
]


@pytest.mark.parametrize(("totals", "impressions", "expected"), IMPRESSIONS)
def test_r_49_clinicians_impression_where_totals_do_not_decide(
    totals: list[SeverityTotal], impressions: tuple[Impression, ...], expected: Response
) -> None:
    assert assess(*totals, impressions=impressions).response is expected
    assert assess(*totals, impressions=tuple(reversed(impressions))).response is expected


def test_r_49_impressions_that_are_undated_or_in_the_future_do_not_count() -> None:
    assert assess(impressions=(Impression(True, None, "Observation/x"),)).response is OPEN
    assert assess(impressions=(impression(True, 60),), as_of=LAST + timedelta(days=59)).response is OPEN
    assert assess(impressions=(impression(True, 60),), as_of=LAST + timedelta(days=60)).response is RESPONDER


@pytest.mark.parametrize(
    ("total", "is_total"),
    [
        row("R-49", "below 0 is no IRLS total", -1, False),
        row("R-49", "0 is the lowest", 0, True),
        row("R-49", "40 is the highest", 40, True),
        row("R-49", "above 40 is no IRLS total", 41, False),
    ],
)
def test_a_severity_total_is_read_within_the_range_of_the_scale(total: int, is_total: bool) -> None:
    bundle = build_fixtures.patient_bundle("anyone", {"chart": [{"id": "s", **build_fixtures.severity(total, 3)}]})
    found = build_fixtures.prefetch(bundle)["rls_severity"]["entry"]
    data = {"rls_severity": [msgspec.Raw(msgspec.json.encode(entry["resource"])) for entry in found]}
    index = codes.load(None, "http://127.0.0.1:8000/fhir")
    context = ReadContext(index, None, "anyone", build_fixtures.REFERENCE, frozenset())
    assert bool(reader.read_facts(context, data, {}).severity) is is_total
