"""Which knowledge answers: version, date, content hash over rules, thresholds and value sets, and review status."""

from hashlib import sha256
from typing import Any

import msgspec

from cds_service.card_parts import Stamp
from cds_service.clinical.case import Rule
from cds_service.clinical.codes import CodeIndex
from cds_service.clinical.rules import RULES

VERSION = "1.0.0"  # semantic; a changed threshold, code or rule raises it
DATE = "2026-11-24"
UNSIGNED = "draft, not clinically signed"


def stamp(index: CodeIndex) -> Stamp:
    """The stamp of the running service, its site overlay included."""
    return Stamp(VERSION, DATE, digest(index), UNSIGNED)


def digest(index: CodeIndex) -> str:
    """SHA-256 of everything a decision rests on that can be written down; the same on every machine."""
    rules = msgspec.json.encode([describe_rule(rule) for rule in RULES], order="deterministic")
    return sha256(rules + index.content()).hexdigest()


def describe_rule(rule: Rule) -> dict[str, Any]:
    return {
        "id": rule.id,
        "title": rule.title,
        "version": rule.version,
        "phase": rule.phase.name.lower(),
        "inputs": list(rule.inputs),
        "thresholds": [{"name": one.name, "value": str(one.value), "unit": one.unit} for one in rule.thresholds],
        "sources": [source.id for source in rule.sources],
    }
