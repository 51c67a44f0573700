"""What every published resource shares: where it is, of which knowledge, and in which state of review."""

from dataclasses import dataclass
from typing import Any

from cds_service.card_parts import Stamp
from cds_service.clinical.codes import CodeIndex, Coding

Json = dict[str, Any]
TITLE = "IV iron in restless legs syndrome"


@dataclass(frozen=True, slots=True)
class Source:
    """The running knowledge: value sets, stamp, and the start of every canonical URL."""

    index: CodeIndex
    stamp: Stamp
    canonical: str  # ends in /fhir


def head(source: Source, resource_type: str, resource_id: str, name: str, title: str) -> Json:
    """The members all canonical resources of ours begin with. Unsigned rules are `draft` (R4 publication status)."""
    return {
        "resourceType": resource_type,
        "id": resource_id,
        "url": f"{source.canonical}/{resource_type}/{resource_id}",
        "version": source.stamp.version,
        "name": name,
        "title": title,
        "status": "draft",
        "date": source.stamp.date,
    }


def concept(coding: Coding) -> Json:
    return {"coding": [{"system": coding.system, "code": coding.code, "display": coding.display}]}


def camel(resource_id: str) -> str:
    """A computer-friendly name as R4 wants it."""
    return "".join(part.capitalize() for part in resource_id.split("-"))
