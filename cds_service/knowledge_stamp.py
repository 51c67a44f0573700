"""Which knowledge answers: version, date, content hash over rules, thresholds and value sets, and review status."""

from datetime import date
from hashlib import sha256
from typing import Any

import msgspec

from cds_service.card_parts import Stamp
from cds_service.clinical.case import Rule
from cds_service.clinical.citations import CITATIONS
from cds_service.clinical.codes import CodeIndex
from cds_service.clinical.model import Citation
from cds_service.clinical.numbers import read_numbers
from cds_service.clinical.rules import RULES
from cds_service.clinical.schedule import CONTACTS, Contact
from cds_service.sign_off import UNSIGNED as NOBODY
from cds_service.sign_off import SignOff

VERSION = "1.0.1"  # semantic; a changed threshold, code or rule raises it
DATE = "2026-11-29"
REVIEW_BY = date(2027, 11, 29)  # a year after DATE; the sign-off file may say otherwise
UNSIGNED = "draft, not clinically signed"
VOID = "draft; the sign-off is for other content"


def stamp(index: CodeIndex, sign_off: SignOff = NOBODY) -> Stamp:
    """The stamp of the running service, its site overlay included."""
    content = digest(index)
    return Stamp(VERSION, DATE, content, review_status(content, sign_off))


def review_status(content: str, sign_off: SignOff) -> str:
    """In words: signed by every role for just this content, or a draft; a signature for other content is said to be."""
    if sign_off.signs(content):
        return f"clinically signed {max(one.day for one in sign_off.signatures)}"
    return VOID if sign_off.signatures and sign_off.digest != content else UNSIGNED


def digest(index: CodeIndex) -> str:
    """SHA-256 of everything a decision rests on that can be written down; the same on every machine."""
    written = {
        "rules": [describe_rule(rule) for rule in RULES],
        "contacts": [describe_contact(contact) for contact in CONTACTS],
        "citations": [describe_citation(citation) for citation in CITATIONS],
        "numbers": read_numbers(),
    }
    return sha256(msgspec.json.encode(written, order="deterministic") + index.content()).hexdigest()


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


def describe_contact(contact: Contact) -> dict[str, Any]:
    return {
        "id": contact.id,
        "rule": contact.rule,
        "days": contact.days,
        "months": contact.months,
        "windowDays": [contact.window_from, contact.window_to],
        "tasks": list(contact.tasks),
        "tests": list(contact.tests),
    }


def describe_citation(citation: Citation) -> dict[str, Any]:
    return {
        "id": citation.id,
        "title": citation.title,
        "year": citation.year,
        "url": citation.url,
        "says": citation.says,
        "checked": citation.checked,
        "section": citation.section,
    }
