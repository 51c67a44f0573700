"""Reads the synthetic patients and requests of the package, dated to a given day."""

import json
from dataclasses import dataclass
from datetime import date
from functools import cache
from importlib.resources import files
from typing import Any

from cds_service.demo.shift import shift_dates

Json = dict[str, Any]
# The fixtures hold our local code under the address of a service started without settings.
FIXTURE_CANONICAL = "http://127.0.0.1:8000/fhir/"


@dataclass(frozen=True, slots=True)
class Situation:
    """One invented patient and ordering session; `expect` is the conclusion, "" for silence."""

    name: str
    about: str
    expect: str
    hook: str
    patient: str


@dataclass(frozen=True, slots=True)
class Situations:
    """All of them by name, and the day for which they were written."""

    reference: date
    by_name: dict[str, Situation]


@cache
def read_situations() -> Situations:
    listed = _read("situations.json")
    return Situations(
        date.fromisoformat(listed["reference"]), {one["name"]: Situation(**one) for one in listed["situations"]}
    )


def read_request(situation: Situation, canonical: str, today: date) -> Json:
    """The hook request of a situation as it would be sent `today`."""
    return _current(f"requests/{situation.hook.replace('-', '_')}/{situation.name}.json", canonical, today)


def read_patient(situation: Situation, canonical: str, today: date) -> list[Json]:
    """All resources about the patient of a situation."""
    bundle = _current(f"patients/{situation.name}.json", canonical, today)
    resources: list[Json] = [entry["resource"] for entry in bundle["entry"]]
    return resources


def _current(path: str, canonical: str, today: date) -> Json:
    moved = shift_dates(_read(path), (today - read_situations().reference).days)
    rebased: Json = _rebase(moved, f"{canonical}/")
    return rebased


def _rebase(value: Any, base: str) -> Any:
    """A copy in which addresses of our own code systems start with the canonical of this service."""
    if isinstance(value, dict):
        return {key: _rebase(one, base) for key, one in value.items()}
    if isinstance(value, list):
        return [_rebase(one, base) for one in value]
    if isinstance(value, str) and value.startswith(FIXTURE_CANONICAL):
        return base + value.removeprefix(FIXTURE_CANONICAL)
    return value


def _read(path: str) -> Any:
    return json.loads(files("fhir_fixtures").joinpath(path).read_text(encoding="utf-8"))
