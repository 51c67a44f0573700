"""Prefetch templates judged by the grammar of CDS Hooks 2.0, and by that of 3.0 where they use it (rows E)."""

import re
from collections.abc import Iterator
from urllib.parse import parse_qsl

from cds_service.conformance.finding import Finding, Verdict
from cds_service.conformance.samples import Offer

USER_TOKENS = ("userPractitionerId", "userPractitionerRoleId", "userPatientId", "userRelatedPersonId")
# Fields that the hook pages mark as usable in a token. Hooks that are not here are not judged by CH-070.
_FIELDS = {
    "patient-view": ("userId", "patientId", "encounterId"),
    "order-select": ("userId", "patientId", "encounterId"),
    "order-sign": ("userId", "patientId", "encounterId"),
}
_TOKEN = re.compile(r"\{\{(.*?)\}\}", re.DOTALL)
_RELATIVE = re.compile(r"[A-Z][A-Za-z]*(/[^/?\s]+)?(\?\S+)?|\{\{context\.userId\}\}")
_PLAIN = re.compile(r"context\.[A-Za-z]+")
_KEY = re.compile(r"%([A-Za-z_][A-Za-z0-9_]*)")
_DATE = re.compile(r"(eq|lt|gt|ge|le)?[\d{]")
_CONCRETE = re.compile(r"ofType\(([^)]*)\)")
_ABSTRACT = ("Resource", "DomainResource", "")


def judge_templates(offer: Offer) -> Iterator[Finding]:
    """CH-066...CH-074, and CH-078...CH-081 where templates depend on each other."""
    for key, text in offer.prefetch.items():
        where, tokens = f"{offer.hook} prefetch.{key}", [one.strip() for one in _TOKEN.findall(text)]
        yield _found("CH-066", where, text, bool(_RELATIVE.fullmatch(text)), "a relative FHIR read or search")
        balanced = text.count("{{") == text.count("}}") == len(tokens) and all(tokens)
        yield _found("CH-067", where, text, balanced, "balanced double braces, none empty")
        yield from _judge_tokens(offer, where, text, tokens)
        yield from _judge_query(where, text)
    yield from _judge_dependencies(offer)


def _judge_tokens(offer: Offer, where: str, text: str, tokens: list[str]) -> Iterator[Finding]:
    for token in tokens:
        is_user = token in USER_TOKENS
        simple = is_user or bool(_PLAIN.fullmatch(token))
        yield _found("CH-068", where, text, simple, "one first-level context field or one of four user ids")
        if is_user:
            yield _found("CH-071", where, text, True, "one of the four user ids")
        elif "%" not in token and "today()" not in token:
            yield _found("CH-069", where, text, token.startswith("context."), "context tokens begin with context.")
        if offer.hook in _FIELDS and token.startswith("context."):
            field = token.removeprefix("context.")
            marked = field in _FIELDS[offer.hook]
            yield _found("CH-070", where, text, marked, f"one of {', '.join(_FIELDS[offer.hook])}")
    if "context.userId" in tokens:
        whole = text.strip() == "{{context.userId}}"
        yield _found("CH-072", where, text, whole, "{{context.userId}} alone: it already holds the type")


def _judge_query(where: str, text: str) -> Iterator[Finding]:
    outside = [name for name, value in parse_qsl(text.partition("?")[2]) if not _is_in_subset(name, value)]
    expected = "reads, type searches, plain parameters or :in, dates with eq lt gt ge le, _count, _sort"
    yield _found("CH-073", where, text, not outside, expected)
    if not outside:  # CH-074 binds only whoever uses the subset
        yield _found("CH-074", where, text, True, expected)


def _is_in_subset(name: str, value: str) -> bool:
    if name in ("_count", "_sort"):
        return True
    if name.startswith("_") and name not in ("_id", "_lastUpdated"):
        return False
    plain, colon, modifier = name.partition(":")
    if "." in plain or (colon and modifier not in ("in", "Patient")):
        return False
    return not (plain.endswith("date") and not _DATE.match(value))


def _judge_dependencies(offer: Offer) -> Iterator[Finding]:
    keys = list(offer.prefetch)
    needs = {key: [one for one in _KEY.findall(text) if one in keys] for key, text in offer.prefetch.items()}
    where, shown = f"{offer.hook} prefetch", ", ".join(keys)
    early = all(keys.index(one) < keys.index(key) for key in keys for one in needs[key])
    yield _found("CH-079", where, shown, early, "a template after the one it depends on")
    yield _found("CH-080", where, shown, not any(_depends(needs, key, key) for key in keys), "no circle")
    yield _found("CH-081", where, shown, sum(map(bool, needs.values())) <= len(keys) // 2, "few dependencies")
    for key, text in offer.prefetch.items():
        for kind in _CONCRETE.findall(text):
            is_concrete = kind.strip() not in _ABSTRACT
            yield _found("CH-078", f"{where}.{key}", text, is_concrete, "a concrete FHIR resource type in ofType()")


def _depends(needs: dict[str, list[str]], start: str, goal: str, seen: frozenset[str] = frozenset()) -> bool:
    return any(
        one == goal or (one not in seen and _depends(needs, one, goal, seen | {one})) for one in needs.get(start, ())
    )


def _found(row: str, where: str, text: str, is_right: bool, expected: str) -> Finding:
    shown = text if len(text) <= 160 else f"{text[:160]}..."
    return Finding(row, Verdict.PASSED if is_right else Verdict.FAILED, f"GET /cds-services, {where}", shown, expected)
