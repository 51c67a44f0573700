"""Benchmark requests: 5, 60 or 2,000 Observations over the real prefetch keys, most of a large chart old."""

import json
import re
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
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
SPREAD = 0.2  # values of one patient differ by so much from those of another


def make_request(size: int, patient: int = 0) -> bytes:
    """A request dated today with `size` Observations; the first ones decide `indicated-strong`.

    Every patient has an id, values and days of their own, so that nothing remembered of one call answers the next.
    """
    today = datetime.now(UTC).date()
    shift = (today - datetime(2026, 3, 10, tzinfo=UTC).date()).days
    chance = Random(patient)
    chart: list[Json] = [RLS]
    for place in range(size):
        name, value = KINDS[place % len(KINDS)]
        days = 3 + place if place < USABLE else 400 + (place * 7 + patient) % OLDEST
        differs = chance.uniform(1 - SPREAD, 1 + SPREAD) if patient else 1
        chart.append(lab(name, round((value + (place % 5) / 10) * differs, 1), days))
    situation: Json = {"hook": "order-select", "chart": chart, "orders": [order("fcm", 1000)]}
    who = f"benchmark-{patient}" if patient else "benchmark"
    made = request(who, situation, patient_bundle(who, situation))
    for key in KEY_TYPES:
        made["prefetch"].setdefault(key, None)
    return _shifted(json.dumps(made), shift).encode()


def _shifted(text: str, days: int) -> str:
    def move(found: re.Match[str]) -> str:
        return (datetime.fromisoformat(found.group()).date() + timedelta(days=days)).isoformat()

    return re.sub(r"(?<!\d)(?:19|20)\d\d-\d\d-\d\d(?!\d)", move, text)
