"""Changed calls, one line each: what is changed, which row it is about, and what answer is right (rows C to F)."""

import copy
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum, auto

from cds_service.conformance.changes import (
    Change,
    access,
    all_prefetch,
    authorization,
    cut,
    drafts,
    for_somebody_else,
    older_order,
    put,
    raw,
    status,
    unfinished,
    unknown_members,
    with_drafts,
)
from cds_service.conformance.finding import Answer, Finding, judged
from cds_service.conformance.peer import Peer
from cds_service.conformance.samples import Case, without_uuids


class Right(Enum):
    """Which answers are right."""

    SAME = auto()  # as for the good call
    ANSWERED = auto()  # 200
    SURVIVED = auto()  # 200 or a plain refusal
    REFUSED = auto()  # 4xx; an answer is advice, for the duty is the client's
    NOT_DRESSED_UP = auto()  # anything but 200 without a card
    ANSWERED_OR_412 = auto()
    DATA_OR_412 = auto()  # 412, or 200 that does not fall silent where the good call had cards
    NEVER_412 = auto()  # 200
    SKIPPED = auto()  # 4xx, or 200 with fewer cards


WORDS = {
    Right.SAME: "the same cards as for the call without the change",
    Right.ANSWERED: "200 with cards or an empty list",
    Right.SURVIVED: "200 or 4xx, no failure",
    Right.REFUSED: "4xx",
    Right.NOT_DRESSED_UP: "4xx or 5xx; an answer without cards would be taken for 'nothing to say'",
    Right.ANSWERED_OR_412: "200, or 412 where the key is required",
    Right.DATA_OR_412: "412, or cards that say what is missing; with the data the same call had cards",
    Right.NEVER_412: "200: the client has looked, and there is nothing",
    Right.SKIPPED: "4xx, or fewer cards",
}


@dataclass(frozen=True, slots=True)
class Variant:
    row: str
    what: str
    change: Change
    right: Right
    hooks: tuple[str, ...] = ()  # () is every hook


def probe_calls(peer: Peer, case: Case) -> Iterator[Finding]:
    """Every variant that fits the hook of the case."""
    for variant in (*VARIANTS, *per_key(case)):
        if not variant.hooks or case.offer.hook in variant.hooks:
            changed = variant.change(copy.deepcopy(case.body))
            answer = peer.call(case.offer.id, changed, f"({case.offer.hook}) {variant.what}")
            yield judge(variant, case, answer)


def judge(variant: Variant, case: Case, answer: Answer) -> Finding:
    """Compares the answer with that for the good call."""
    is_right = _is_right(variant.right, case, answer)
    is_lenient = variant.right is Right.REFUSED and answer.is_well
    return judged(variant.row, answer, is_right, WORDS[variant.right], advice=is_lenient)


def _is_right(right: Right, case: Case, answer: Answer) -> bool:
    is_silent = answer.status == 200 and not answer.cards
    match right:
        case Right.SAME:
            return answer.status == 200 and without_uuids(answer.cards) == without_uuids(case.answer.cards)
        case Right.ANSWERED | Right.NEVER_412:
            return answer.status == 200
        case Right.SURVIVED:
            return answer.is_well or answer.is_refused
        case Right.REFUSED:
            return answer.is_refused
        case Right.NOT_DRESSED_UP:
            return answer.status != 0 and not is_silent
        case Right.ANSWERED_OR_412:
            return answer.status in (200, 412)
        case Right.DATA_OR_412:
            return answer.status == 412 or (answer.status == 200 and not (is_silent and case.has_cards))
        case Right.SKIPPED:
            return answer.is_refused or (answer.status == 200 and len(answer.cards) < max(1, len(case.answer.cards)))


OUTCOME = {
    "resourceType": "OperationOutcome",
    "issue": [{"severity": "error", "code": "exception", "diagnostics": "synthetic"}],
}
EMPTY = {"resourceType": "Bundle", "type": "searchset", "total": 0}
_ORDERS = ("order-select", "order-sign")
_SELECT = ("order-select",)
_THREE = (*_ORDERS, "patient-view")
_VISION = {"resourceType": "VisionPrescription", "id": "conformance-1", "status": "draft"}
_INVENTED = {"resourceType": "InventedRequest", "id": "conformance-2", "status": "draft"}
_NUTRITION = {"resourceType": "NutritionOrder", "id": "conformance-3", "status": "draft", "intent": "order"}
_DEVICE = {"resourceType": "DeviceRequest", "id": "conformance-4", "status": "draft", "intent": "order"}

VARIANTS: tuple[Variant, ...] = (
    Variant("CH-036", "without hook", put("hook", ...), Right.REFUSED),
    Variant("CH-036", "with hook null", put("hook", None), Right.REFUSED),
    Variant("CH-037", "with a hook it is not offered for", put("hook", "conformance-unheard-of"), Right.REFUSED),
    Variant("CH-038", "without hookInstance", put("hookInstance", ...), Right.REFUSED),
    Variant("CH-038", "with a hookInstance that is no UUID", put("hookInstance", "one"), Right.REFUSED),
    Variant("CH-039", "with a token and no fhirServer", put("fhirAuthorization", authorization()), Right.REFUSED),
    Variant("CH-040", "with a fhirServer that is no http address", put("fhirServer", "file:///etc"), Right.REFUSED),
    Variant("CH-041", "without prefetch and access", put("prefetch", ...), Right.SURVIVED),
    Variant("CH-041", "with prefetch and access", access(), Right.ANSWERED_OR_412),
    Variant("CH-042", "without context", put("context", ...), Right.REFUSED),
    Variant("CH-042", "with an empty context", put("context", {}), Right.REFUSED),
    Variant("CH-042", "with a list for context", put("context", []), Right.REFUSED),
    Variant("CH-043", "as JSON that breaks off", cut, Right.REFUSED),
    Variant("CH-043", "as a list", raw(b"[]"), Right.REFUSED),
    Variant("CH-239", "as JSON that breaks off", cut, Right.NOT_DRESSED_UP),
    Variant("CH-239", "as an empty body", raw(b""), Right.NOT_DRESSED_UP),
    Variant("CH-239", "without context", put("context", ...), Right.NOT_DRESSED_UP),
    Variant("CH-044", "with unknown members", unknown_members, Right.SAME),
    Variant("CH-234", "with an extension", put("extension", {"org.conformance": {"a": [1, {"b": 2}]}}), Right.SAME),
    Variant("CH-045", "with an order of an older FHIR version", older_order, Right.SURVIVED, _ORDERS),
    Variant("CH-052", "with unfinished orders", drafts(unfinished), Right.ANSWERED, _SELECT),
    Variant(
        "CH-053", "with a selection of nothing", put("context.selections", ["MedicationRequest/none"]), Right.SURVIVED,
        _SELECT,
    ),
    Variant("CH-054", "with more selections", with_drafts(_NUTRITION, _DEVICE, select=True), Right.ANSWERED, _SELECT),
    Variant("CH-055", "without Bundle.type", put("context.draftOrders.type", ...), Right.SAME, _ORDERS),
    Variant("CH-055", "with two more drafts", with_drafts(_NUTRITION, _DEVICE), Right.ANSWERED, _SELECT),
    Variant("CH-056", "with orders of unknown types", with_drafts(_VISION, _INVENTED), Right.ANSWERED, _SELECT),
    Variant("CH-057", "by a PractitionerRole", put("context.userId", "PractitionerRole/one"), Right.ANSWERED, _ORDERS),
    Variant("CH-059", "as active and on-hold", status("active", "on-hold"), Right.ANSWERED, ("order-sign",)),
    Variant("CH-060", "by the patient", put("context.userId", "Patient/one"), Right.ANSWERED, ("patient-view",)),
    Variant("CH-060", "by a relative", put("context.userId", "RelatedPerson/one"), Right.ANSWERED, ("patient-view",)),
    Variant("CH-062", "with an encounter", put("context.encounterId", "encounter-1"), Right.ANSWERED),
    Variant("CH-062", "without an encounter", put("context.encounterId", ...), Right.ANSWERED, _THREE),
    Variant("CH-063", "with Patient/1 as patientId", put("context.patientId", "Patient/1"), Right.REFUSED),
    Variant("CH-063", "with a bare userId", put("context.userId", "somebody"), Right.REFUSED),
    Variant("CH-064", "with orders for somebody else", drafts(for_somebody_else), Right.SKIPPED, _ORDERS),
    Variant("CH-089", "with a failed query for every key", all_prefetch(OUTCOME), Right.DATA_OR_412),
    Variant("CH-091", "with no data and no access", put("prefetch", ...), Right.DATA_OR_412),
    Variant("CH-092", "with null for every key", all_prefetch(None), Right.NEVER_412),
    Variant("CH-092", "with an empty searchset for every key", all_prefetch(EMPTY), Right.NEVER_412),
    Variant("CH-095", "with a key that was not announced", put("prefetch.unheard_of", OUTCOME), Right.SAME),
    Variant("CH-104", "with an incomplete authorization", access(access_token=...), Right.REFUSED),
    Variant("CH-104", "with token type MAC", access(token_type="mac"), Right.REFUSED),  # noqa: S106
    Variant("CH-106", "with a token for another patient", access(patient="somebody-else"), Right.REFUSED),
)  # fmt: skip


def per_key(case: Case) -> Iterator[Variant]:
    """One key missing, null, or cut to a page with a next link."""
    for key, value in case.body.get("prefetch", {}).items():
        yield Variant("CH-086", f"without the key {key}", put(f"prefetch.{key}", ...), Right.ANSWERED_OR_412)
        yield Variant("CH-083", f"without the key {key}", put(f"prefetch.{key}", ...), Right.SURVIVED)
        yield Variant("CH-087", f"with {key} null", put(f"prefetch.{key}", None), Right.NEVER_412)
        if isinstance(value, dict) and value.get("resourceType") == "Bundle":
            link = [{"relation": "next", "url": "https://fhir.conformance.invalid/r4?page=2"}]
            yield Variant(
                "CH-090",
                f"with a next link in {key} and no access",
                put(f"prefetch.{key}", {**value, "link": link}),
                Right.SURVIVED,
            )
