"""The whole knowledge as one JSON document: rules, thresholds, codes, sources, hash and state of review."""

from typing import Any

from cds_service import knowledge_stamp
from cds_service.card_parts import Stamp
from cds_service.clinical.citations import CITATIONS
from cds_service.clinical.codes import CodeIndex
from cds_service.clinical.numbers import read_numbers
from cds_service.clinical.rule_index import INDEX, Entry
from cds_service.clinical.rules import RULES
from cds_service.clinical.schedule import CONTACTS
from cds_service.clinical.value_set_files import ValueSet
from cds_service.knowledge.conditions import CONDITIONS

Json = dict[str, Any]


def knowledge_export(index: CodeIndex, stamp: Stamp | None = None) -> Json:
    """In the order of the rule book; the overlay of the site is part of codes and hash. `stamp`: with the sign-off."""
    stamp = stamp or knowledge_stamp.stamp(index)
    return {
        "version": stamp.version,
        "date": stamp.date,
        "digest": stamp.digest,
        "review": stamp.review,
        "rules": [_rule(knowledge_stamp.describe_rule(rule)) for rule in RULES],
        "index": [_entry(entry) for entry in INDEX],
        "contacts": [knowledge_stamp.describe_contact(contact) for contact in CONTACTS],
        "numbers": _numbers(),
        "citations": [knowledge_stamp.describe_citation(citation) for citation in CITATIONS],
        "valueSets": [_value_set(index, one) for one in index.sets.values()],
    }


def _rule(described: Json) -> Json:
    condition = CONDITIONS.get(described["id"])
    return {**described, "condition": condition.expression} if condition else described


def _entry(entry: Entry) -> Json:
    return {"id": entry.id, "title": entry.title, "kind": str(entry.kind), "basis": list(entry.basis)}


def _numbers() -> list[Json]:
    """Numbers beside the thresholds of rules, under the name they have in the code."""
    return [
        {"id": name, "value": value}
        for name, value in read_numbers()
        if not name.startswith("rules.") and not name.rpartition(".")[2].startswith("_")
    ]


def _value_set(index: CodeIndex, value_set: ValueSet) -> Json:
    codings = [{"system": one.system, "code": one.code, "display": one.display} for one in index.codings(value_set.id)]
    categories = [
        {"system": member.coding.system, "category": member.coding.code}
        for member in value_set.members
        if member.is_category
    ]
    described: Json = {"id": value_set.id, "kind": value_set.kind, "coverage": value_set.coverage, "codes": codings}
    return {**described, "categories": categories}
