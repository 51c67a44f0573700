"""Results too old for any rule are passed over by their date alone; what their date does not settle is read (3.1)."""

import json
from datetime import date, timedelta
from itertools import permutations
from typing import Any

import msgspec
import pytest

from cds_service.clinical import codes
from cds_service.clinical.model import Gap
from cds_service.clinical.units import WINDOW_DAYS
from cds_service.clinical.windows import KEPT_DAYS
from cds_service.fhir.observations import KEYS, read_observations
from cds_service.fhir.wire import ReadContext

AS_OF = date(2026, 3, 10)
CUTOFF = AS_OF - timedelta(days=WINDOW_DAYS["ferritin"] + 1)
CONTEXT = ReadContext(codes.load(None, "https://example.org/fhir"), None, "1", AS_OF, frozenset())
FERRITIN = {"coding": [{"system": "http://loinc.org", "code": "2276-4"}]}


def ferritin(name: str, drawn: object, **members: Any) -> dict[str, Any]:
    amount = {"value": 48, "unit": "ng/mL", "system": "http://unitsofmeasure.org", "code": "ng/mL"}
    return {
        "resourceType": "Observation",
        "id": name,
        "status": "final",
        "code": FERRITIN,
        "effectiveDateTime": drawn,
        "valueQuantity": amount,
        **members,
    }


def days_before_cutoff(days: int) -> str:
    return (CUTOFF - timedelta(days=days)).isoformat()


def read(*resources: dict[str, Any]) -> tuple[set[str], list[Gap]]:
    gaps: list[Gap] = []
    entries = [msgspec.Raw(json.dumps(one).encode()) for one in resources]
    found = read_observations(CONTEXT, {"ferritin": entries}, gaps)
    return {one.reference.removeprefix("Observation/") for one in found.results.get("ferritin", ())}, gaps


NEWEST = ferritin("newest", days_before_cutoff(1))
OLDER = ferritin("older", days_before_cutoff(2))

ROWS = {
    "on the cut-off": (ferritin("x", days_before_cutoff(0)), {"x", "newest"}),
    "one day before it": (ferritin("x", days_before_cutoff(2)), {"newest"}),
    "with a clock": (ferritin("x", days_before_cutoff(2) + "T08:00:00-05:00"), {"newest"}),
    "dated by the month of the cut-off": (ferritin("x", CUTOFF.isoformat()[:7]), {"x", "newest"}),
    "dated by the year of the cut-off": (ferritin("x", CUTOFF.isoformat()[:4]), {"x", "newest"}),
    "dated by an earlier year": (ferritin("x", str(CUTOFF.year - 1)), {"newest"}),
    "undated": (ferritin("x", None), {"x", "newest"}),
    "member younger than its panel": (
        ferritin("x", days_before_cutoff(2), code={"text": "panel"}, contained=[ferritin("m", AS_OF.isoformat())]),
        {"x#m", "newest"},
    ),
}


@pytest.mark.parametrize("name", ROWS)
def test_only_what_is_surely_too_old_is_passed_over(name: str) -> None:
    resource, kept = ROWS[name]
    assert read(OLDER, resource, NEWEST) == (kept, [])


def test_of_results_too_old_those_of_the_newest_day_are_kept_in_any_order() -> None:
    """A stale TSAT is calculated from two results of that day."""
    twin = ferritin("a-twin", days_before_cutoff(1))
    kept = [read(*resources) for resources in permutations((NEWEST, OLDER, twin))]
    assert all(one == ({"newest", "a-twin"}, []) for one in kept)


WINDOWS = {
    "ferritin": 397,
    "tsat": 397,
    "iron_panel": 397,
    "hemoglobin": 90,
    "crp": 427,
    "phosphate": 90,
    "weight": 673,
    "a key without a window": KEPT_DAYS,
}


@pytest.mark.parametrize("key", WINDOWS)
def test_each_key_is_read_as_far_back_as_its_results_matter(key: str) -> None:
    """R-08, R-08b, R-26e, R-50c, R-50d. A day more: 23:00 in UTC is the next day further east."""
    last = (AS_OF - timedelta(days=WINDOWS[key] + 1)).isoformat() + "T23:00:00Z"
    drawn = {"kept": last, "newest of the older": days_before(WINDOWS[key] + 2), "older": days_before(WINDOWS[key] + 3)}
    entries = [msgspec.Raw(json.dumps(ferritin(name, day)).encode()) for name, day in drawn.items()]
    place = "ferritin" if key not in KEYS else key
    windows = {} if key not in KEYS else WINDOW_DAYS
    found = read_observations(CONTEXT, {place: entries}, [], windows).results["ferritin"]
    assert {one.reference.removeprefix("Observation/") for one in found} == {"kept", "newest of the older"}


def days_before(days: int) -> str:
    return (AS_OF - timedelta(days=days)).isoformat()


def test_a_date_that_is_no_text_is_a_named_gap() -> None:
    kept, gaps = read(ferritin("x", 20200101), NEWEST)
    assert kept == {"newest"}
    assert [gap.reference for gap in gaps] == ["Observation/x"]
