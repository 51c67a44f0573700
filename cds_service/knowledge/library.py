"""Everything published under `/fhir`: built once, read by type and id, searched by url and name."""

from collections.abc import Iterable, Mapping
from urllib.parse import urlencode

from cds_service.errors import NotFound
from cds_service.knowledge.base import TITLE, Json, Source
from cds_service.knowledge.plan import render_activities, render_library, render_plan
from cds_service.knowledge.terminology import (
    render_code_systems,
    render_extensions,
    render_naming_system,
    render_value_sets,
)

Published = Mapping[str, Mapping[str, Json]]  # by type and id
SEARCHED = {"_id": "token", "name": "string", "url": "uri"}


def publish(source: Source) -> Published:
    """All resources but the CapabilityStatement."""
    found: dict[str, dict[str, Json]] = {}
    for resource in _all(source):
        found.setdefault(resource["resourceType"], {})[resource["id"]] = resource
    return found


def _all(source: Source) -> Iterable[Json]:
    yield render_plan(source)
    yield render_library(source)
    yield from render_activities(source)
    yield from render_value_sets(source)
    yield from render_code_systems(source)
    yield render_naming_system(source)
    yield from render_extensions(source)


def find(published: Published, resource_type: str, resource_id: str) -> Json:
    """Raises `NotFound`."""
    try:
        return published[resource_type][resource_id]
    except KeyError:
        raise NotFound("nothing of that type and id is published; /fhir/metadata lists the types") from None


def search(published: Published, base: str, resource_type: str, asked: Mapping[str, str]) -> Json:
    """A searchset with all matches; unknown parameters are ignored. Raises `NotFound` for a type not published."""
    if resource_type not in published:
        raise NotFound(f"types published are {', '.join(published)}")
    used = {name: value for name, value in asked.items() if name in SEARCHED and value}
    matches = [one for one in published[resource_type].values() if _matches(one, used)]
    bundle: Json = {
        "resourceType": "Bundle",
        "type": "searchset",
        "total": len(matches),
        "link": [{"relation": "self", "url": f"{base}/{resource_type}?{urlencode(used)}".rstrip("?")}],
    }
    entries = [
        {"fullUrl": f"{base}/{resource_type}/{one['id']}", "resource": one, "search": {"mode": "match"}}
        for one in matches
    ]
    return {**bundle, "entry": entries} if entries else bundle


def _matches(resource: Json, asked: Mapping[str, str]) -> bool:
    """`url` as it stands, a `|version` aside; the start of `name` in any case; `_id` exactly."""
    url = asked.get("url")
    if url is not None and url.partition("|")[0] not in _urls(resource):
        return False
    if not resource["name"].lower().startswith(asked.get("name", "").lower()):
        return False
    return bool(asked.get("_id", resource["id"]) == resource["id"])


def _urls(resource: Json) -> tuple[str, ...]:
    """A NamingSystem has no url in R4: its own address is among its identifiers."""
    return (resource.get("url", ""), *(one["value"] for one in resource.get("uniqueId", ())))


def render_capability(published: Published, source: Source, base: str) -> Json:
    """The CapabilityStatement of `/fhir`: knowledge only, nothing about patients."""
    parameters = [{"name": name, "type": kind} for name, kind in SEARCHED.items()]
    interactions = [{"code": "read"}, {"code": "search-type"}]
    return {
        "resourceType": "CapabilityStatement",
        "status": "active",
        "date": source.stamp.date,
        "kind": "instance",
        "software": {"name": "cds-service", "version": source.stamp.version},
        "implementation": {"description": f"Published knowledge: {TITLE}. No patient data", "url": base},
        "fhirVersion": "4.0.1",
        "format": ["json"],
        "rest": [
            {
                "mode": "server",
                "resource": [
                    {"type": one, "interaction": interactions, "searchParam": parameters} for one in published
                ],
            }
        ],
    }
