"""R-07, R-10, R-11: why a report is not used, what is looked at first, and which of several reports stays."""

from datetime import UTC, datetime, timedelta
from itertools import permutations
from typing import Any

import pytest

from cds_service.clinical.model import RejectedBecause, Result
from cds_service.clinical.reading import SetAsideKind
from cds_service.clinical.results import read_hemoglobin
from cds_service.clinical.screening import drop_replaced, is_report, keep_strongest
from cds_service.clinical.wording import unquote
from tests.rules.build import ferritin, hemoglobin, rejected, tsat
from tests.rules.chart import at, censored, chart, ferritin_of, kinds, lying, shown, span, tsat_of

MORNING = datetime(2026, 3, 1, 8, 0, tzinfo=UTC)
K = SetAsideKind


@pytest.mark.parametrize(
    ("result", "kind", "why"),
    [
        pytest.param(ferritin("60", status="cancelled"), K.STATUS, "has status cancelled", id="R-07 cancelled"),
        pytest.param(ferritin("60", status=None), K.STATUS, "has no status", id="R-07 no status"),
        pytest.param(ferritin("60", status=""), K.STATUS, "has no status", id="R-07 empty status"),
        pytest.param(
            lying(ferritin, None, status="cancelled"), K.STATUS, "has status cancelled", id="R-07 status before value"
        ),
        pytest.param(lying(ferritin, None), K.NO_VALUE, "has no value", id="R-07 no value"),
        pytest.param(
            lying(ferritin, None, problem="clotted"),
            K.NO_VALUE,
            "has no value (clotted)",
            id="R-07 no value, with reason",
        ),
        pytest.param(lying(ferritin, None, days_ago=200), K.NO_VALUE, "has no value", id="R-07 no value before age"),
        pytest.param(
            lying(ferritin, None, status="preliminary"), K.NO_VALUE, "has no value", id="R-07 preliminary without value"
        ),
        pytest.param(
            ferritin("60", days_ago=91, status="preliminary"),
            K.STALE,
            "is 91 days old (limit 90)",
            id="R-08 an old preliminary one is not pending",
        ),
        pytest.param(
            rejected("ferritin", days_ago=91),
            K.STALE,
            "is 91 days old (limit 90)",
            id="R-13a the date before the value",
        ),
        pytest.param(
            rejected("ferritin", status="preliminary"),
            K.PENDING,
            "is preliminary: the final result is pending",
            id="R-07 preliminary and unreadable: pending",
        ),
        pytest.param(
            rejected("ferritin"), K.REJECTED, "cannot be used (12 furlong: unit not known)", id="R-05 unit not known"
        ),
        pytest.param(
            rejected("ferritin", problem=""), K.REJECTED, "cannot be used (12 furlong)", id="R-05 no reason given"
        ),
        pytest.param(
            rejected("ferritin", RejectedBecause.IMPLAUSIBLE, problem=""),
            K.REJECTED,
            "cannot be used (12 furlong)",
            id="R-11 implausible",
        ),
        pytest.param(
            rejected("ferritin", RejectedBecause.CENSORED, problem=""),
            K.CENSORED,
            "cannot be used (12 furlong)",
            id="R-10 nothing plausible is left",
        ),
        pytest.param(
            censored(None, "100"), K.CENSORED, "spans decision limits (<100 ng/mL)", id="R-10 censored across zones"
        ),
        pytest.param(
            censored(None, "100", status="corrected"), K.CENSORED, "spans decision limits (<100 ng/mL)", id="R-10 final"
        ),
    ],
)
def test_r_26_a_result_that_is_not_used_says_why(result: Result, kind: SetAsideKind, why: str) -> None:
    reading = ferritin_of(result)
    assert [(one.kind, unquote(one.why)) for one in reading.set_aside] == [(kind, why)]
    assert not reading.is_usable


def test_r_06_an_indeterminate_tsat_says_how_it_was_calculated() -> None:
    reading = tsat_of(tsat("22", indeterminate=True))
    assert [(one.kind, one.why) for one in reading.set_aside] == [
        (K.INDETERMINATE, "is indeterminate: 22 % was calculated with the transferrin factor, too near a limit")
    ]


@pytest.mark.parametrize(
    ("result", "expected"),
    [
        pytest.param(ferritin("60"), True, id="R-07 final"),
        pytest.param(ferritin("60", status="preliminary"), True, id="R-07 preliminary: may come to count"),
        pytest.param(rejected("ferritin"), True, id="R-13a a value that cannot be read"),
        pytest.param(lying(ferritin, None), False, id="R-07 without value"),
        pytest.param(ferritin("60", status="cancelled"), False, id="R-07 cancelled"),
        pytest.param(ferritin("60", status=None), False, id="R-07 without status"),
        pytest.param(lying(ferritin, None, status="preliminary"), False, id="R-07 preliminary without value"),
        pytest.param(rejected("ferritin", status="cancelled"), False, id="R-07 cancelled and unreadable"),
    ],
)
def test_r_07_a_report_has_a_value_and_a_state_with_which_it_may_count(result: Result, expected: bool) -> None:
    assert is_report(result) is expected


def report(value: str, status: str = "final", minutes: int | None = None, **changes: Any) -> Result:
    issued = None if minutes is None else MORNING + timedelta(minutes=minutes)
    return ferritin(value, status=status, issued=issued, **{"day": at(10, 8), **changes})


@pytest.mark.parametrize(
    ("reports", "stay"),
    [
        pytest.param(
            [report("60", minutes=0), report("70", minutes=9), report("80", minutes=5)], ["70"], id="R-07 latest"
        ),
        pytest.param(
            [report("60", "final", 9), report("70", "amended", 9), report("80", "corrected", 0)],
            ["70"],
            id="R-07 of those issued last the amended one",
        ),
        pytest.param(
            [report("60", "final"), report("70", "amended"), report("80", "corrected")],
            ["80"],
            id="R-07 without issued the corrected one",
        ),
        pytest.param([report("60"), report("70")], ["60", "70"], id="R-07 equals stay"),
        pytest.param([report("60", minutes=5), report("70", minutes=5)], ["60", "70"], id="R-07 issued at one moment"),
        pytest.param([report("60", minutes=5), report("70")], ["60", "70"], id="R-07 one without issued: by status"),
        pytest.param(
            [report("60", "preliminary", 0), report("70", "preliminary", 5)],
            ["70"],
            id="R-07 of two preliminary the later",
        ),
        pytest.param(
            [report("60", "preliminary"), report("70", "preliminary")], ["60", "70"], id="R-07 two preliminary ones"
        ),
        pytest.param(
            [report("60", "preliminary", 9), report("70", "amended", 0), report("80", "final", 1)],
            ["80"],
            id="R-07 a preliminary one gives way however late",
        ),
        pytest.param(
            [report("60", minutes=0), report("70", minutes=9, day=at(10, 9))], ["60", "70"], id="R-07 two specimens"
        ),
        pytest.param(
            [report("60", minutes=0), report("70", minutes=9, method="point-of-care")],
            ["60", "70"],
            id="R-07 two methods, no report on the same",
        ),
        pytest.param(
            [report("60", minutes=0, day=None), report("70", minutes=9, day=None)], ["60", "70"], id="R-08a undated"
        ),
        pytest.param(
            [report("60", minutes=0), report("70", minutes=9), report("90", day=None)],
            ["70", "90"],
            id="R-08a an undated one beside two reports",
        ),
        pytest.param(
            [report("60", minutes=0, day=span(20, 10)), report("70", minutes=9, day=span(20, 10))],
            ["60", "70"],
            id="R-08a a span is no specimen time",
        ),
        pytest.param([report("60")], ["60"], id="R-07 one report"),
        pytest.param([], [], id="R-07 none"),
    ],
)
def test_r_07_of_several_reports_on_a_specimen_the_strongest_stays(reports: list[Result], stay: list[str]) -> None:
    for order in permutations(reports):
        kept, replaced = drop_replaced(list(order))
        assert sorted(one.recorded.split()[0] for one in kept) == stay
        assert {id(one) for one in kept}.isdisjoint(id(one.result) for one in replaced)
        assert len(kept) + len(replaced) == len(reports)
        assert all(one.kind is K.REPLACED and one.why.startswith("was replaced") for one in replaced)


def test_r_07_two_specimens_of_two_reports_each_keep_one_each() -> None:
    first, second = at(10, 8), at(20, 8)
    reports = [
        report("60", minutes=0, day=first),
        report("61", minutes=1, day=first),
        report("90", minutes=1, day=second),
        report("91", minutes=0, day=second),
    ]
    reading = ferritin_of(*reports)
    assert shown(reading) == "61"
    assert [one.result.recorded.split()[0] for one in reading.set_aside] == ["60", "91"]


def test_r_07_the_strongest_of_one_is_that_one() -> None:
    alone = [report("60", "preliminary")]
    assert keep_strongest(alone) == alone


@pytest.mark.parametrize(
    ("results", "expected", "set_aside"),
    [
        pytest.param(
            [hemoglobin("9", method="blood-gas"), hemoglobin("12", status="cancelled", days_ago=20)],
            "9",
            [K.STATUS],
            id="R-29 blood gas beside a cancelled laboratory value",
        ),
        pytest.param(
            [hemoglobin("9", method="blood-gas", status="cancelled"), hemoglobin("12", days_ago=95)],
            None,
            [K.STATUS, K.STALE],
            id="R-29 neither can be used: both are named, the newest first",
        ),
        pytest.param(
            [hemoglobin("9", method="blood-gas", days_ago=95), hemoglobin("12", status="cancelled")],
            None,
            [K.STATUS, K.STALE],
            id="R-29 neither can be used, blood gas older",
        ),
        pytest.param(
            [hemoglobin("9", method="blood-gas"), hemoglobin("8", method="blood-gas", days_ago=95)],
            "9",
            [K.STALE],
            id="R-29 two blood gases",
        ),
    ],
)
def test_r_29_what_is_set_aside_beside_a_blood_gas_is_named(
    results: list[Result], expected: str | None, set_aside: list[SetAsideKind]
) -> None:
    for order in permutations(results):
        reading = read_hemoglobin(chart(*order))
        assert shown(reading) == expected
        assert kinds(reading) == set_aside
        assert reading.caution == ("blood-gas or capillary measurement" if expected else "")


@pytest.mark.parametrize(
    ("unavailable", "words"),
    [
        pytest.param({}, "no hemoglobin in the data provided", id="R-29 never measured"),
        pytest.param(
            {"hemoglobin": "failed"}, "hemoglobin results could not be obtained", id="3.1 the query for it failed"
        ),
        pytest.param({"ferritin": "failed"}, "no hemoglobin in the data provided", id="3.1 another query failed"),
    ],
)
def test_r_29_a_missing_hemoglobin_tells_absence_from_failure(unavailable: dict[str, str], words: str) -> None:
    assert read_hemoglobin(chart(unavailable=unavailable)).why_missing == words
