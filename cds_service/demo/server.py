"""What the demo FHIR server holds on a day, and how it answers: Bundles, resources, its CapabilityStatement."""

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any
from urllib.parse import urlencode

from cds_service.demo.fixtures import read_patient, read_situations
from cds_service.demo.search import Page, search, supported
from cds_service.errors import NotFound

Json = dict[str, Any]
Resources = Mapping[str, Mapping[str, Json]]  # by type and id

TYPES = (
    "AllergyIntolerance",
    "Appointment",
    "Condition",
    "Encounter",
    "Medication",
    "MedicationAdministration",
    "MedicationRequest",
    "MedicationStatement",
    "Observation",
    "Patient",
    "Practitioner",
    "Procedure",
    "ServiceRequest",
    "Task",
)


def load_resources(canonical: str, today: date) -> Resources:
    """Every resource of every synthetic patient, dated to `today`."""
    found: dict[str, dict[str, Json]] = {resource_type: {} for resource_type in TYPES}
    for situation in read_situations().by_name.values():
        for resource in read_patient(situation, canonical, today):
            found[resource["resourceType"]][resource["id"]] = resource
    return found


def find_resource(resources: Resources, resource_type: str, resource_id: str) -> Json:
    """Raises `NotFound`."""
    try:
        return resources[resource_type][resource_id]
    except KeyError:
        raise NotFound("no such resource on the demo server; everything on it is synthetic") from None


def answer_search(
    resources: Resources, base: str, resource_type: str, asked: Sequence[tuple[str, str]], *, strict: bool
) -> Json:
    """A searchset of one page. Raises `NotFound` for a type not served, `BadRequest` for an unreadable value."""
    if resource_type not in resources:
        raise NotFound(f"the demo server holds {', '.join(TYPES)}")
    page = search(resource_type, resources[resource_type].values(), asked, strict=strict)
    bundle: Json = {
        "resourceType": "Bundle",
        "type": "searchset",
        "total": page.total,
        "link": _links(f"{base}/{resource_type}", page, dict(asked).get("_offset", "")),
    }
    entries = [_entry(base, resource) for resource in page.resources]
    return {**bundle, "entry": entries} if entries else bundle


def _entry(base: str, resource: Json) -> Json:
    url = f"{base}/{resource['resourceType']}/{resource['id']}"
    return {"fullUrl": url, "resource": resource, "search": {"mode": "match"}}


def _links(url: str, page: Page, offset: str) -> list[Json]:
    """`self` names what was honoured; the offset is in the link, so that any worker answers the next page."""
    used = [*page.used, ("_count", str(page.count))]
    links = [{"relation": "self", "url": _link(url, [*used, ("_offset", offset)] if offset else used)}]
    if page.next_offset is not None:
        links.append({"relation": "next", "url": _link(url, [*used, ("_offset", str(page.next_offset))])})
    return links


def _link(url: str, parameters: Sequence[tuple[str, str]]) -> str:
    return f"{url}?{urlencode(parameters)}"


def render_capability(base: str, today: date) -> Json:
    """The CapabilityStatement of the demo server."""
    return {
        "resourceType": "CapabilityStatement",
        "status": "active",
        "date": today.isoformat(),
        "kind": "instance",
        "software": {"name": "cds-service demo"},
        "implementation": {"description": "Synthetic patients for trying the service; read only", "url": base},
        "fhirVersion": "4.0.1",
        "format": ["json"],
        "rest": [{"mode": "server", "resource": [_render_type(one) for one in TYPES]}],
    }


def _render_type(resource_type: str) -> Json:
    return {
        "type": resource_type,
        "interaction": [{"code": "read"}, {"code": "search-type"}],
        "searchParam": [{"name": name, "type": kind} for name, kind in supported(resource_type)],
    }
