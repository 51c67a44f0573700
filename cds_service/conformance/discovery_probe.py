"""Discovery: the document, its entries and its errors (rows B)."""

import re
from collections.abc import Iterator, Sequence
from typing import Any

from cds_service.conformance.finding import Answer, Finding, Json, Verdict, judged
from cds_service.conformance.peer import DISCOVERY, Peer
from cds_service.conformance.samples import read_offers
from cds_service.conformance.templates import judge_templates

PUBLISHED = {
    "patient-view": "1.0", "order-select": "1.0", "order-sign": "1.0", "order-dispatch": "1.0",
    "appointment-book": "1.0", "encounter-start": "1.0", "encounter-discharge": "1.0", "medication-refill": "1.0",
    "problem-list-item-create": "1.0", "allergyintolerance-create": "1.0",
}  # fmt: skip
LOGIN = (401, 403)
DEPRECATED = ("order-review", "medication-prescribe")
_REVERSE_DOMAIN = re.compile(r"[a-z][a-z0-9-]*(\.[A-Za-z0-9_-]+)+")
_SEMANTIC = re.compile(r"\d+\.\d+(\.\d+)?(-[0-9A-Za-z.-]+)?|STU[123]")
_SHORT = re.compile(r"[\x21-\x7e]{1,64}")
_MEMBERS = (
    *("hook", "title", "description", "id", "prefetch", "usageRequirements", "version", "hookVersion", "extension"),
)


def probe_discovery(peer: Peer) -> tuple[Answer, list[Finding]]:
    """The answer, and what it shows."""
    answer = peer.send("GET", DISCOVERY)
    return answer, list(_judge(peer, answer))


def _judge(peer: Peer, answer: Answer) -> Iterator[Finding]:
    yield judged("CH-013", answer, answer.status not in (0, 404), "an answer at the fixed path")
    if answer.status in LOGIN:  # what it would answer to a registered client is not known
        return
    yield judged("CH-015", answer, answer.status == 200, "200")
    if answer.status != 200:
        return
    services = answer.document.get("services")
    yield judged("CH-017", answer, isinstance(services, list), "an object with a list `services`")
    if services == []:
        yield judged("CH-018", answer, True, "an empty list where there is nothing to offer")
    entries = [one for one in services if isinstance(one, dict)] if isinstance(services, list) else []
    for place, entry in enumerate(entries):
        yield from _judge_entry(place, entry)
    yield from _judge_together(entries)
    for offer in read_offers(answer.document):
        yield from judge_templates(offer)
    yield from _wrong_addresses(peer)


def _judge_entry(place: int, entry: Json) -> Iterator[Finding]:
    def found(row: str, is_right: bool, member: str, expected: str) -> Finding:
        received = f"services[{place}].{member}: {entry.get(member, 'absent')!r}"[:200]
        verdict = Verdict.PASSED if is_right else Verdict.FAILED
        return Finding(row, verdict, f"GET {DISCOVERY}", received, expected)

    hook, name = entry.get("hook"), entry.get("id")
    yield found("CH-019", _is_text(hook), "hook", "a hook name")
    if isinstance(hook, str):
        known = hook in PUBLISHED or hook in DEPRECATED or bool(_REVERSE_DOMAIN.fullmatch(hook))
        yield found("CH-033", known, "hook", "a published hook, or a name in reverse-domain form")
        yield found("CH-065", hook not in DEPRECATED, "hook", "no deprecated hook")
    yield found("CH-020", _is_text(entry.get("title")), "title", "a title for people")
    yield found("CH-021", _is_text(entry.get("description")), "description", "a description")
    is_segment = _is_text(name) and "/" not in str(name) and " " not in str(name)
    yield found("CH-022", is_segment, "id", "an id that is one path segment")
    yield found("CH-248", bool(_SHORT.fullmatch(str(name))), "id", "a short id in ASCII")
    yield from (found(*one) for one in _optional(entry))


def _optional(entry: Json) -> Iterator[tuple[str, bool, str, str]]:
    """Members that may be left out, judged where they are there."""
    if "prefetch" in entry:
        prefetch = entry["prefetch"]
        texts = isinstance(prefetch, dict) and all(_is_text(one) for one in prefetch.values())
        yield "CH-024", texts, "prefetch", "an object from key to query text"
        keys = prefetch if isinstance(prefetch, dict) else ()
        yield "CH-248", all(_SHORT.fullmatch(key) for key in keys), "prefetch", "short keys in ASCII"
    if "usageRequirements" in entry:
        yield "CH-026", _is_text(entry["usageRequirements"]), "usageRequirements", "a text"
    is_version = _is_text(entry.get("version")) and bool(_SEMANTIC.fullmatch(str(entry["version"])))
    yield "CH-027", is_version, "version", "the CDS Hooks version, such as 2.0.1"
    if "hookVersion" in entry:
        yield "CH-028", _is_text(entry["hookVersion"]), "hookVersion", "a text"
        expected = PUBLISHED.get(str(entry.get("hook")))
        if expected:
            yield "CH-029", entry["hookVersion"] == expected, "hookVersion", f"{expected}, as published"
    if "extension" in entry:
        yield "CH-034", isinstance(entry["extension"], dict), "extension", "an object"
    yield "CH-235", set(entry) <= set(_MEMBERS), "members", "no member beside those of CDS Hooks and `extension`"


def _judge_together(entries: Sequence[Json]) -> Iterator[Finding]:
    pairs = [(one.get("id"), one.get("hook")) for one in entries]
    is_right = len(set(map(repr, pairs))) == len(pairs)
    shown = ", ".join(f"{name} {hook}" for name, hook in pairs)
    verdict = Verdict.PASSED if is_right else Verdict.FAILED
    yield Finding("CH-030", verdict, f"GET {DISCOVERY}", shown, "no two entries with the same id and hook")


def _wrong_addresses(peer: Peer) -> Iterator[Finding]:
    """CH-035, CH-237: what is not there, and the wrong method."""
    body = {"hook": "patient-view", "hookInstance": "", "context": {"userId": "Practitioner/1", "patientId": "1"}}
    nobody = peer.call("conformance-unheard-of", body, "(an id that is not on offer)")
    yield judged("CH-237", nobody, nobody.is_refused, "404: there is no such service")
    yield judged("CH-239", nobody, nobody.status != 200, "a refusal, no answer in the name of an unknown service")


def probe_methods(peer: Peer, service_id: str) -> Iterator[Finding]:
    """CH-035: a service is called by POST, and by nothing else."""
    answer = peer.send("GET", f"{DISCOVERY}/{service_id}")
    yield judged("CH-035", answer, answer.is_refused, "405, or another refusal of GET", advice=answer.is_well)


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and bool(value.strip())
