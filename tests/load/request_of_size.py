"""Benchmark requests: 5, 60 or 2,000 Observations over the real prefetch keys, most of a large chart old."""

import json
import re
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from build_fixtures import KEY_TYPES, RLS, lab, order, patient_bundle, request

Json = dict[str, Any]
USABLE = 40  # Observations young enough to count, whatever the size
KINDS = (
    ("ferritin", 48),
    ("tsat", 17),
    ("hemoglobin", 13.2),
    ("iron", 45),
    ("tibc", 330),
    ("weight", 72),
    ("crp", 1.4),
    ("phosphate", 3.4),
)
OLDEST = 3000  # days


def make_request(size: int) -> bytes:
    """A request dated today with `size` Observations; the first ones decide `indicated-strong`."""
    today = datetime.now(UTC).date()
    shift = (today - datetime(2026, 3, 10, tzinfo=UTC).date()).days
    chart: list[Json] = [RLS]
    for place in range(size):
        name, value = KINDS[place % len(KINDS)]
        days = 3 + place if place < USABLE else 400 + (place * 7) % OLDEST
        chart.append(lab(name, round(value + (place % 5) / 10, 1), days))
    situation: Json = {"hook": "order-select", "chart": chart, "orders": [order("fcm", 1000)]}
    made = request("benchmark", situation, patient_bundle("benchmark", situation))
    for key in KEY_TYPES:
        made["prefetch"].setdefault(key, None)
    return _shifted(json.dumps(made), shift).encode()


def _shifted(text: str, days: int) -> str:
    def move(found: re.Match[str]) -> str:
        return (datetime.fromisoformat(found.group()).date() + timedelta(days=days)).isoformat()

    return re.sub(r"(?<!\d)(?:19|20)\d\d-\d\d-\d\d(?!\d)", move, text)
