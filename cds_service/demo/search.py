"""FHIR R4 search over a list of resources: the parameters our templates and the CDS Hooks Sandbox use."""

import calendar
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

from cds_service.errors import BadRequest

Json = dict[str, Any]
Test = Callable[[Json, str], bool]

DEFAULT_COUNT = 100
LARGEST_COUNT = 500
MOST_VALUES = 1000  # that one search may ask for: each is compared with each resource

# Search parameter for the date of each type, and the elements it reads, the first one present.
DATES: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    "AllergyIntolerance": {"date": ("recordedDate",)},
    "Appointment": {"date": ("start",)},
    "Condition": {"recorded-date": ("recordedDate",), "onset-date": ("onsetDateTime",)},
    "MedicationAdministration": {"effective-time": ("effectiveDateTime", "effectivePeriod")},
    "MedicationRequest": {"authoredon": ("authoredOn",)},
    "MedicationStatement": {"effective": ("effectiveDateTime", "effectivePeriod")},
    "Observation": {"date": ("effectiveDateTime", "effectivePeriod", "effectiveInstant")},
    "Patient": {"birthdate": ("birthDate",)},
    "Procedure": {"date": ("performedDateTime", "performedPeriod")},
    "ServiceRequest": {"authored": ("authoredOn",), "occurrence": ("occurrenceDateTime", "occurrencePeriod")},
    "Task": {"authored-on": ("authoredOn",)},
}
# Token parameters and the elements they read; `code` of medications is the drug.
TOKENS: Mapping[str, tuple[str, ...]] = {
    "_id": ("id",),
    "category": ("category",),
    "clinical-status": ("clinicalStatus",),
    "code": ("code", "medicationCodeableConcept"),
    "gender": ("gender",),
    "identifier": ("identifier",),
    "intent": ("intent",),
    "status": ("status",),
    "verification-status": ("verificationStatus",),
}
_OWNERS = ("patient", "subject")
_DATE = re.compile(r"(eq|ne|gt|lt|ge|le|sa|eb)?(\d{4}(?:-\d{2}(?:-\d{2}(?:T.+)?)?)?)", re.ASCII)
_Span = tuple[datetime, datetime]
_COMPARE: Mapping[str, Callable[[_Span, _Span], bool]] = {
    "eq": lambda ours, asked: asked[0] <= ours[0] and ours[1] <= asked[1],
    "ne": lambda ours, asked: not (asked[0] <= ours[0] and ours[1] <= asked[1]),
    "gt": lambda ours, asked: ours[1] > asked[1],
    "ge": lambda ours, asked: ours[1] >= asked[0],
    "lt": lambda ours, asked: ours[0] < asked[0],
    "le": lambda ours, asked: ours[0] <= asked[1],
    "sa": lambda ours, asked: ours[0] > asked[1],
    "eb": lambda ours, asked: ours[1] < asked[0],
}


@dataclass(frozen=True, slots=True)
class Page:
    """One page of a search. `used` are the parameters that were honoured, for the `self` link."""

    total: int
    resources: Sequence[Json]
    used: tuple[tuple[str, str], ...]
    next_offset: int | None
    count: int


def supported(resource_type: str) -> tuple[tuple[str, str], ...]:
    """Name and FHIR search type of the parameters of a type, for the CapabilityStatement."""
    owners = () if resource_type == "Patient" else tuple((name, "reference") for name in _OWNERS)
    dates = tuple((name, "date") for name in _dates_of(resource_type))
    return (*((name, "token") for name in TOKENS), *owners, *dates)


def search(resource_type: str, resources: Iterable[Json], asked: Sequence[tuple[str, str]], *, strict: bool) -> Page:
    """Repeated parameters all hold, values separated by commas are alternatives. Unknown ones are ignored.

    Raises `BadRequest` for a value that cannot be read, and with `strict` for an unknown parameter.
    """
    if sum(value.count(",") + 1 for _, value in asked) > MOST_VALUES:
        raise BadRequest(f"a search may ask for at most {MOST_VALUES} values")
    found, used = list(resources), []
    for name, value in asked:
        if (name.startswith("_") and name != "_id") or not value:
            continue  # _sort, _count and _offset below; others change nothing that is found
        test = _find_test(resource_type, name)
        if test is None:
            if strict:
                raise BadRequest(f"search parameter {name[:40]!r} is not known for {resource_type}")
            continue
        found = [one for one in found if any(test(one, option) for option in value.split(","))]
        used.append((name, value))
    last = dict(asked)
    found, sort = _sort(resource_type, found, last.get("_sort", ""))
    count = min(_number(last, "_count", DEFAULT_COUNT), LARGEST_COUNT)
    offset = _number(last, "_offset", 0)
    following = offset + count if count and offset + count < len(found) else None
    return Page(len(found), found[offset : offset + count], (*used, *sort), following, count)


def _find_test(resource_type: str, parameter: str) -> Test | None:
    name, _, modifier = parameter.partition(":")
    if name in _OWNERS and modifier in ("", "Patient") and resource_type != "Patient":
        return _is_about
    if modifier:
        return None
    if elements := _dates_of(resource_type).get(name):
        return lambda resource, value: _is_dated(resource, elements, value)
    if tokens := TOKENS.get(name):
        return lambda resource, value: _has_token(resource, tokens, value)
    return None


def _dates_of(resource_type: str) -> Mapping[str, tuple[str, ...]]:
    """`date` works for every dated type, beside the name that R4 gives."""
    known = DATES.get(resource_type, {})
    return known if "date" in known or not known else {**known, "date": next(iter(known.values()))}


# ------------------------------------------------------------------------------------------------ references, tokens


def _is_about(resource: Json, value: str) -> bool:
    """`patient=x`, `patient=Patient/x`, or the absolute address."""
    owner = resource.get("subject") or resource.get("patient") or {}
    return bool(str(owner.get("reference", "")).rsplit("/", 1)[-1] == value.rsplit("/", 1)[-1])


def _has_token(resource: Json, elements: tuple[str, ...], value: str) -> bool:
    """`code`, `system|code`, `|code` (without system) or `system|` (any code of it)."""
    system, bar, code = value.rpartition("|")
    for have_system, have_code in _codings(resource.get(one) for one in elements):
        if (not code or code == have_code) and (not bar or system == have_system):
            return True
    return False


def _codings(values: Iterable[Any]) -> Iterable[tuple[str, str]]:
    for value in values:
        if isinstance(value, list):
            yield from _codings(value)
        elif isinstance(value, dict):
            yield from _codings(value.get("coding", ()))
            yield value.get("system", ""), value.get("code") or value.get("value", "")
        elif isinstance(value, str):
            yield "", value


# --------------------------------------------------------------------------------------------------------------- dates


def _is_dated(resource: Json, elements: tuple[str, ...], value: str) -> bool:
    match = _DATE.fullmatch(value)
    if match is None:
        raise BadRequest("a date to search for looks like ge2026-03-10; prefixes are eq ne gt lt ge le sa eb")
    ours = _find_span(resource, elements)
    return ours is not None and _COMPARE[match[1] or "eq"](ours, _span(match[2]))


def _find_span(resource: Json, elements: tuple[str, ...]) -> _Span | None:
    value = next((resource[one] for one in elements if one in resource), None)
    if isinstance(value, dict):  # a Period, open where it has no end
        start, end = value.get("start", "0001-01-02"), value.get("end", "9999-12-30")
        return _span(start)[0], _span(end)[1]
    return _span(value) if isinstance(value, str) else None


def _span(text: str) -> _Span:
    """First and last moment of a date, partial date or time; without zone in UTC. Raises `BadRequest`."""
    try:
        if "T" in text:
            moment = datetime.fromisoformat(text)
            moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
            return moment, moment
        year, month, day = (*(int(part) for part in text.split("-")), None, None)[:3]
        last_month = month or 12
        first = date(year or 0, month or 1, day or 1)
        last = date(first.year, last_month, day or calendar.monthrange(first.year, last_month)[1])
        start = datetime(first.year, first.month, first.day, tzinfo=UTC)
        return start, datetime(last.year, last.month, last.day, tzinfo=UTC) + timedelta(days=1, microseconds=-1)
    except (ValueError, OverflowError, IndexError) as wrong:
        raise BadRequest("a date to search for is not on the calendar") from wrong


# ----------------------------------------------------------------------------------------------------- order and pages


def _sort(resource_type: str, found: list[Json], asked: str) -> tuple[list[Json], tuple[tuple[str, str], ...]]:
    """One key, `-` for newest first; resources without it come last. An unknown key is ignored."""
    name, newest_first = asked.removeprefix("-"), asked.startswith("-")
    elements = ("id",) if name == "_id" else _dates_of(resource_type).get(name)
    if elements is None:
        return found, ()

    def key(resource: Json) -> Any:
        if elements == ("id",):
            return resource["id"]
        span = _find_span(resource, elements)
        return span[0] if span else None

    have = [(value, one) for one in found if (value := key(one)) is not None]
    have.sort(key=lambda item: item[0], reverse=newest_first)
    return [*(one for _, one in have), *(one for one in found if key(one) is None)], (("_sort", asked),)


def _number(parameters: Mapping[str, str], name: str, default: int) -> int:
    text = parameters.get(name, "")
    if not text:
        return default
    if not (text.isascii() and text.isdecimal() and len(text) < len("1000000000")):
        raise BadRequest(f"{name} must be a number, 0 or more")
    return int(text)
