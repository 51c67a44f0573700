"""Reads FHIR R4 ValueSet files: those we ship, and the overlay in which a site adds its own codes.

In the files `url`, extension addresses and the system of our own code are written without the base; it is a setting.
Extensions: `value-set-kind` (measurement, answer, drug, condition, procedure, route, order, reason, exclusion),
`coverage` (names-only, small, unspecific), `preferred-code` (the code we write), `billing-unit` (mg of iron per HCPCS
unit) and `category-display`. A filter (`concept` `is-a`) names an ICD category: it and every code below it.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

from cds_service.clinical.coding_systems import (
    STANDARD,
    UCUM,
    WITH_CATEGORIES,
    read_code,
    read_system,
)

Json = dict[str, Any]
LONGEST_CODE = 64
LONGEST_SYSTEM = 200
LARGEST_UNIT_MG = 1000
_UNFIT_FOR_QUERY = set('|,$\\&#%+{}"<>\n\r\t')  # a prefetch template is not percent-encoded


class ValueSetError(Exception):
    """A value-set file that cannot be used: the message names the file, what is wrong and what to do."""


@dataclass(frozen=True, slots=True)
class Coding:
    """A code with its system and display."""

    system: str
    code: str
    display: str


@dataclass(frozen=True, slots=True)
class Member:
    """One listed code of a value set, or one ICD category that stands for all codes below it."""

    coding: Coding
    is_category: bool = False
    is_preferred: bool = False  # the code we write (EMIT of the terminology list)
    unit_mg: Decimal | None = None  # mg of elemental iron per billing unit


@dataclass(frozen=True, slots=True)
class ValueSet:
    """One clinical concept: its codes, and the FHIR resource they came from (overlay included)."""

    id: str
    kind: str
    coverage: str  # "", "small", "names-only", "unspecific"
    members: tuple[Member, ...]
    resource: Mapping[str, Any]

    def __iter__(self) -> Iterator[Member]:
        return iter(self.members)


@cache
def read_shipped() -> Mapping[str, ValueSet]:
    """The value sets of the package by id, in order of id."""
    folder = files("cds_service.clinical").joinpath("valuesets")
    found = [one for one in folder.iterdir() if one.name.endswith(".json")]
    sets = [_read_shipped_set(_parse(one.read_bytes(), one.name), one.name) for one in found]
    return {one.id: one for one in sorted(sets, key=lambda one: one.id)}


def _read_shipped_set(resource: Json, where: str) -> ValueSet:
    return ValueSet(
        id=resource["id"],
        kind=_extension(resource, "value-set-kind", "valueCode") or "",
        coverage=_extension(resource, "coverage", "valueCode") or "",
        members=_read_members(resource, where),
        resource=resource,
    )


def read_overlay(folder: Path, sets: Mapping[str, ValueSet]) -> Mapping[str, ValueSet]:
    """`sets` with the codes that the files of `folder` add. Raises `ValueSetError` naming folder or file."""
    try:
        paths = sorted(path for path in folder.iterdir() if path.suffix == ".json")
    except OSError as error:
        raise ValueSetError(f"{folder}: the overlay folder cannot be read ({error.strerror})") from error
    merged = dict(sets)
    for path in paths:
        resource = _read_file(path)
        set_id = _find_set_id(resource, merged, path)
        merged[set_id] = _add(merged[set_id], _read_added(resource, str(path)))
    return merged


def _read_file(path: Path) -> Json:
    try:
        return _parse(path.read_bytes(), str(path))
    except OSError as error:
        raise ValueSetError(f"{path}: the file cannot be read ({error.strerror})") from error


def _parse(body: bytes, where: str) -> Json:
    try:
        resource = json.loads(body.decode("utf-8-sig"))
    except (ValueError, RecursionError) as error:
        raise ValueSetError(f"{where}: not a JSON file in UTF-8 ({error})") from error
    if not isinstance(resource, dict) or resource.get("resourceType") != "ValueSet":
        raise ValueSetError(f"{where}: not a FHIR ValueSet (resourceType is missing or another one)")
    return resource


def _find_set_id(resource: Json, sets: Mapping[str, ValueSet], path: Path) -> str:
    """By `id`, or by the end of `url`; two different sets, or none, is an error."""
    given, url = resource.get("id"), resource.get("url")
    by_url = url.rstrip("/").rsplit("ValueSet/", 1)[-1] if isinstance(url, str) and "ValueSet/" in url else None
    known = {one for one in (given, by_url) if isinstance(one, str) and one in sets}
    if len(known) == 1:
        return known.pop()
    named = " and ".join(repr(one) for one in (given, url) if one)
    if known:
        raise ValueSetError(f"{path}: id and url name two different value sets ({named})")
    ids = ", ".join(sets)
    raise ValueSetError(f"{path}: {named or 'no id or url'} is no value set of this service; use one of {ids}")


def _read_added(resource: Json, where: str) -> tuple[Member, ...]:
    compose = resource.get("compose")
    if isinstance(compose, dict) and compose.get("exclude"):
        raise ValueSetError(f"{where}: an overlay adds codes and never removes any (compose.exclude)")
    members = tuple(replace(member, is_preferred=False) for member in _read_members(resource, where))
    if not members:
        raise ValueSetError(f"{where}: adds no code; list them in compose.include.concept")
    return members


def _add(value_set: ValueSet, added: tuple[Member, ...]) -> ValueSet:
    known = {(member.coding.system, member.coding.code, member.is_category) for member in value_set}
    new = [one for one in added if (one.coding.system, one.coding.code, one.is_category) not in known]
    if not new:
        return value_set
    include = [
        *value_set.resource.get("compose", {}).get("include", ()),
        *(_include(member) for member in new),
    ]
    resource = {**value_set.resource, "compose": {"include": include}}
    if value_set.coverage == "names-only":  # no longer true
        resource["extension"] = [one for one in resource["extension"] if "coverage" not in one["url"]]
    return replace(value_set, members=(*value_set.members, *new), resource=resource)


def _include(member: Member) -> Json:
    coding = member.coding
    if member.is_category:
        return {
            "system": coding.system,
            "filter": [{"property": "concept", "op": "is-a", "value": coding.code}],
        }
    concept: Json = {"code": coding.code, "display": coding.display}
    if member.unit_mg is not None:
        size = {
            "value": float(member.unit_mg),
            "unit": "mg",
            "system": UCUM,
            "code": "mg",
        }
        concept["extension"] = [{"url": "StructureDefinition/billing-unit", "valueQuantity": size}]
    return {"system": coding.system, "concept": [concept]}


# ----------------------------------------------------------------------------------------------- one ValueSet


def _read_members(resource: Json, where: str) -> tuple[Member, ...]:
    compose = resource.get("compose", {})
    if not isinstance(compose, dict):
        raise ValueSetError(f"{where}: compose is no object")
    members = (
        member
        for include in _objects(compose.get("include"), where, "compose.include")
        for member in _read_include(include, where)
    )
    return tuple(dict.fromkeys(members))


def _read_include(include: Json, where: str) -> Iterator[Member]:
    system = _text(include.get("system"), where, "compose.include.system", LONGEST_SYSTEM)
    system = system if system.startswith("CodeSystem/") else read_system(system)
    concepts = _objects(include.get("concept"), where, "compose.include.concept")
    filters = _objects(include.get("filter"), where, "compose.include.filter")
    if include.get("valueSet") or (bool(concepts), len(filters)) not in (
        (True, 0),
        (False, 1),
    ):
        raise ValueSetError(f"{where}: every compose.include needs a list of concepts or one filter, and no valueSet")
    for concept in concepts:
        yield _read_concept(system, concept, where)
    for one in filters:
        yield _read_filter(
            system,
            one,
            _extension(include, "category-display", "valueString") or "",
            where,
        )


def _read_concept(system: str, concept: Json, where: str) -> Member:
    code = _text(concept.get("code"), where, "compose.include.concept.code", LONGEST_CODE)
    if read_code(system, code) is None:
        raise ValueSetError(f"{where}: {code!r} is no code of {system}")
    display = concept.get("display")
    return Member(
        Coding(system, code, display if isinstance(display, str) and display else code),
        is_preferred=bool(_extension(concept, "preferred-code", "valueBoolean")),
        unit_mg=_read_unit(concept, where),
    )


def _read_unit(concept: Json, where: str) -> Decimal | None:
    size = _extension(concept, "billing-unit", "valueQuantity")
    if size is None:
        return None
    value = size.get("value") if isinstance(size, dict) and size.get("code") == "mg" else None
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value <= LARGEST_UNIT_MG:
        raise ValueSetError(f"{where}: billing-unit of {concept.get('code')!r} is no quantity in mg")
    return Decimal(str(value))  # the number as written in the file


def _read_filter(system: str, one: Json, display: str, where: str) -> Member:
    code = _text(one.get("value"), where, "compose.include.filter.value", LONGEST_CODE)
    if one.get("property") != "concept" or one.get("op") != "is-a" or system not in WITH_CATEGORIES:
        raise ValueSetError(f"{where}: a filter has to be concept is-a on ICD-10 or ICD-10-CM; else list the codes")
    return Member(Coding(system, code, display or code), is_category=True)


def _text(value: object, where: str, what: str, longest: int) -> str:
    if not isinstance(value, str) or not value.strip():
        raise ValueSetError(f"{where}: {what} is missing")
    if len(value) > longest or _UNFIT_FOR_QUERY.intersection(value):
        raise ValueSetError(f"{where}: {what} {value[:longest]!r} is too long or cannot stand in a FHIR query")
    return value.strip()


def _objects(value: object, where: str, what: str) -> list[Json]:
    if value is None:
        return []
    if not isinstance(value, list) or not all(isinstance(one, dict) for one in value):
        raise ValueSetError(f"{where}: {what} is no list of objects")
    return value


def _extension(element: Mapping[str, Any], name: str, member: str) -> Any:
    """The value of one of our extensions; None when it is not there. Foreign extensions are none of our business."""
    for one in element.get("extension") or ():
        if isinstance(one, dict) and str(one.get("url", "")).endswith(f"StructureDefinition/{name}"):
            return one.get(member)
    return None


def is_own(system: str) -> bool:
    """A system of the site or of ours, not one of the public code systems we know."""
    return system not in STANDARD
