"""When the pages so far are enough: a usable result and all within 7 days of it, or beyond the window (section 2)."""

import json
from datetime import timedelta
from typing import Any

import msgspec
import pytest

from cds_service.clinical import codes
from cds_service.clinical.units import WINDOW_DAYS
from cds_service.fhir.pages import judge_pages
from cds_service.fhir.wire import ReadContext
from tests.fhir.ehr import CANONICAL, REFERENCE, TEMPLATES, Json

CONTEXT = ReadContext(codes.load(None, CANONICAL), None, "p", REFERENCE, frozenset())
FERRITIN, IRON = "2276-4", "2498-4"


def result(days: int, code: str = FERRITIN, **members: Any) -> Json:
    """Drawn so many days ago."""
    when = (REFERENCE - timedelta(days)).isoformat()
    unit = "ng/mL" if code == FERRITIN else "ug/dL"
    made = {"resourceType": "Observation", "status": "final", "effectiveDateTime": when}
    made |= {"code": {"coding": [{"system": "http://loinc.org", "code": code}]}}
    made |= {"valueQuantity": {"value": 48, "unit": unit}, **members}
    return {name: value for name, value in made.items() if value is not None}


def iron(days: int) -> Json:
    return result(days, IRON)


PENDING = {"status": "preliminary"}
ROWS: dict[str, tuple[str, list[Json], bool]] = {
    "nothing": ("ferritin", [], False),
    "one result": ("ferritin", [result(5)], False),
    "7 days behind the newest": ("ferritin", [result(5), result(12)], False),
    "8 days behind the newest": ("ferritin", [result(5), result(13)], True),
    "8 days behind one that is pending": ("ferritin", [result(5, **PENDING), result(13)], False),
    "8 days behind the newest usable one": ("ferritin", [result(3, **PENDING), result(5), result(13)], True),
    "8 days behind one in a unit nobody knows": (
        "ferritin",
        [result(5, valueQuantity={"value": 48, "unit": "drops"}), result(13)],
        False,
    ),
    "8 days behind one of the future": ("ferritin", [result(-1), result(7)], False),
    "nothing usable, at the end of the window": ("ferritin", [result(5, **PENDING), result(397, **PENDING)], False),
    "nothing usable, beyond the window": ("ferritin", [result(5, **PENDING), result(398, **PENDING)], True),
    "not sorted": ("ferritin", [result(20), result(5), result(40)], False),
    "sorted oldest first": ("ferritin", [result(400), result(40), result(5)], False),
    "one without date": ("ferritin", [result(5), result(13, effectiveDateTime=None), result(40)], False),
    "one with a month only": ("ferritin", [result(5), result(13, effectiveDateTime="2026-01"), result(40)], False),
    "what cannot be read is passed over": ("ferritin", [result(5), {"resourceType": 7}, result(13)], True),
    "the panel needs several analytes together": ("iron_panel", [iron(5), iron(40)], False),
    "the panel beyond its window": ("iron_panel", [iron(5), iron(398)], True),
    "severity totals are read to the end": ("rls_severity", [result(5), result(4000)], False),
    "conditions are read to the end": ("conditions", [result(5), result(4000)], False),
}


@pytest.mark.parametrize("name", ROWS)
def test_a_page_is_judged_by_what_it_holds(name: str) -> None:
    key, results, expected = ROWS[name]
    resources = [msgspec.Raw(json.dumps(one).encode()) for one in results]
    assert judge_pages(CONTEXT)(key, resources) is expected


def test_every_key_with_a_window_is_asked_for_sorted_by_date() -> None:
    assert all("_sort=-date" in TEMPLATES[key] for key in WINDOW_DAYS)
