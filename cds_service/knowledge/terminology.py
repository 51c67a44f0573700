"""Published terminology: value sets as loaded, our own code systems, identifier system and extensions."""

from collections.abc import Iterable, Mapping

from cds_service.card_parts import TOPIC_DISPLAY
from cds_service.cards import IN_WORDS
from cds_service.clinical.schedule import CONTACTS
from cds_service.knowledge.base import Json, Source, camel, head

TOPICS = "card-topic"
CONTACT_KINDS = "reassessment-contact"
IDENTIFIERS = "reassessment"
_CONCLUSIONS = {str(conclusion): words for conclusion, words in IN_WORDS.items()}

# Extensions of our value sets: name, type of value, where it stands, meaning.
_EXTENSIONS = (
    ("value-set-kind", "code", "ValueSet", "What a value set is read for: measurement, drug, condition, order ..."),
    ("coverage", "code", "ValueSet", "How far codes reach: names-only, small or unspecific"),
    ("preferred-code", "boolean", "ValueSet.compose.include.concept", "The code that this service writes"),
    ("billing-unit", "Quantity", "ValueSet.compose.include.concept", "Elemental iron of one billing unit"),
    ("category-display", "string", "ValueSet.compose.include.filter", "Name of the ICD category of a filter"),
)


def render_value_sets(source: Source) -> tuple[Json, ...]:
    """As loaded, overlay included, with version and date of the knowledge."""
    made = {"version": source.stamp.version, "date": source.stamp.date}
    return tuple({**resource, **made} for resource in source.index.resources())


def render_code_systems(source: Source) -> tuple[Json, ...]:
    """Topics of cards, kinds of contacts, and every system of ours that a value set uses."""
    contacts = {contact.id: contact.title.capitalize() for contact in CONTACTS}
    systems = {
        TOPICS: ("Topics of the cards of this service", dict(TOPIC_DISPLAY), _CONCLUSIONS),
        CONTACT_KINDS: (
            "Last part of reassessment identifiers",
            contacts,
            {one.id: " ".join(one.tasks) for one in CONTACTS},
        ),
        **{name: (f"Local codes: {name}", codes, {}) for name, codes in _own_systems(source).items()},
    }
    return tuple(_code_system(source, name, *content) for name, content in systems.items())


def _own_systems(source: Source) -> dict[str, dict[str, str]]:
    """Our code systems used in value sets: id of the system to code to display."""
    start = f"{source.canonical}/CodeSystem/"
    found: dict[str, dict[str, str]] = {}
    for set_id in source.index.sets:
        for coding in source.index.codings(set_id):
            if coding.system.startswith(start):
                found.setdefault(coding.system.removeprefix(start), {})[coding.code] = coding.display
    return found


def _code_system(
    source: Source, name: str, title: str, codes: Mapping[str, str], definitions: Mapping[str, str]
) -> Json:
    concepts = [
        {"code": code, "display": display, **({"definition": definitions[code]} if code in definitions else {})}
        for code, display in codes.items()
    ]
    return {
        **head(source, "CodeSystem", name, camel(name), title),
        "caseSensitive": True,
        "content": "complete",
        "count": len(concepts),
        "concept": concepts,
    }


def render_naming_system(source: Source) -> Json:
    """The system of the business identifiers on reassessment requests (R-50a). R4 gives a NamingSystem no url."""
    return {
        "resourceType": "NamingSystem",
        "id": IDENTIFIERS,
        "name": "ReassessmentIdentifier",
        "status": "draft",
        "kind": "identifier",
        "date": source.stamp.date,
        "description": "Identifies one reassessment of one infusion course: a digest that stands for the course, then "
        "the contact, then for a laboratory request its test. One course and contact always have the same one.",
        "usage": "<course>.<contact> or <course>.<contact>.<test>",
        "uniqueId": [{"type": "uri", "value": f"{source.canonical}/NamingSystem/{IDENTIFIERS}", "preferred": True}],
    }


def render_extensions(source: Source) -> Iterable[Json]:
    """One StructureDefinition per extension that the value sets carry."""
    for name, kind, context, meaning in _EXTENSIONS:
        definition = head(source, "StructureDefinition", name, camel(name), meaning)
        yield {
            **definition,
            "fhirVersion": "4.0.1",
            "kind": "complex-type",
            "abstract": False,
            "context": [{"type": "element", "expression": context}],
            "type": "Extension",
            "baseDefinition": "http://hl7.org/fhir/StructureDefinition/Extension",
            "derivation": "constraint",
            "differential": {
                "element": [
                    {"id": "Extension", "path": "Extension", "short": meaning},
                    {"id": "Extension.url", "path": "Extension.url", "fixedUri": definition["url"]},
                    {"id": "Extension.value[x]", "path": "Extension.value[x]", "type": [{"code": kind}]},
                ]
            },
        }
