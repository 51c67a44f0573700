"""The whole knowledge as one JSON document: rules, thresholds, codes, sources, hash and state of review."""

from typing import Any

from cds_service import knowledge_stamp
from cds_service.clinical.citations import CITATIONS
from cds_service.clinical.codes import CodeIndex
from cds_service.clinical.model import Citation
from cds_service.clinical.rule_index import INDEX, Entry
from cds_service.clinical.rules import RULES
from cds_service.clinical.schedule import CONTACTS, Contact
from cds_service.clinical.value_set_files import ValueSet
from cds_service.knowledge.conditions import CONDITIONS

Json = dict[str, Any]


def knowledge_export(index: CodeIndex) -> Json:
    """In the order of the rule book; the overlay of the site is part of codes and hash."""
    stamp = knowledge_stamp.stamp(index)
    return {
        "version": stamp.version,
        "date": stamp.date,
        "digest": stamp.digest,
        "review": stamp.review,
        "rules": [_rule(knowledge_stamp.describe_rule(rule)) for rule in RULES],
        "index": [_entry(entry) for entry in INDEX],
        "contacts": [_contact(contact) for contact in CONTACTS],
        "citations": [_citation(citation) for citation in CITATIONS],
        "valueSets": [_value_set(index, one) for one in index.sets.values()],
    }


def _rule(described: Json) -> Json:
    condition = CONDITIONS.get(described["id"])
    return {**described, "condition": condition.expression} if condition else described


def _entry(entry: Entry) -> Json:
    return {"id": entry.id, "title": entry.title, "kind": str(entry.kind), "basis": list(entry.basis)}


def _contact(contact: Contact) -> Json:
    return {
        "id": contact.id,
        "rule": contact.rule,
        "days": contact.days,
        "months": contact.months,
        "windowDays": [contact.window_from, contact.window_to],
        "tasks": list(contact.tasks),
        "tests": list(contact.tests),
    }


def _citation(citation: Citation) -> Json:
    return {
        "id": citation.id,
        "title": citation.title,
        "year": citation.year,
        "url": citation.url,
        "says": citation.says,
        "checked": citation.checked,
        "section": citation.section,
    }


def _value_set(index: CodeIndex, value_set: ValueSet) -> Json:
    codings = [{"system": one.system, "code": one.code, "display": one.display} for one in index.codings(value_set.id)]
    categories = [
        {"system": member.coding.system, "category": member.coding.code}
        for member in value_set.members
        if member.is_category
    ]
    described: Json = {"id": value_set.id, "kind": value_set.kind, "coverage": value_set.coverage, "codes": codings}
    return {**described, "categories": categories}
