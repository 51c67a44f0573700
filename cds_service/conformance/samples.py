"""Synthetic calls for the services on offer: contexts by hook, and prefetch answered from the resources of a sample."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl

from cds_service.conformance.finding import Answer, Json

USER = "Practitioner/conformance-user"
PATIENT = "conformance-patient"
_DRAFT = {
    "resourceType": "MedicationRequest",
    "id": "conformance-draft",
    "status": "draft",
    "intent": "order",
    "medicationCodeableConcept": {"text": "synthetic drug of a conformance test"},
    "subject": {"reference": f"Patient/{PATIENT}"},
}
_BUNDLE = {"resourceType": "Bundle", "type": "collection", "entry": [{"resource": _DRAFT}]}
_PATIENT = {
    "resourceType": "Patient",
    "id": PATIENT,
    "gender": "female",
    "birthDate": "1970-01-01",
    "name": [{"family": "Synthetic"}],
}
# What a hook page asks for beside user and patient. Hooks that are not here get these two alone.
_CONTEXTS: dict[str, Json] = {
    "order-select": {"selections": ["MedicationRequest/conformance-draft"], "draftOrders": _BUNDLE},
    "order-sign": {"draftOrders": _BUNDLE},
    "encounter-start": {"encounterId": "conformance-encounter"},
    "encounter-discharge": {"encounterId": "conformance-encounter"},
    "medication-refill": {"medications": _BUNDLE},
}
KNOWN_HOOKS = ("patient-view", *_CONTEXTS)


@dataclass(frozen=True, slots=True)
class Offer:
    """One entry of the discovery document, as far as it is needed to call it."""

    id: str
    hook: str
    prefetch: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Case:
    """A good call of one service with all it asked for, and its answer."""

    offer: Offer
    body: Json
    answer: Answer
    is_sample: bool  # the call was given, not made up from the hook alone

    @property
    def has_cards(self) -> bool:
        return bool(self.answer.cards)


def read_offers(document: Json) -> Iterator[Offer]:
    """The entries that can be called."""
    services = document.get("services")
    for one in services if isinstance(services, list) else ():
        if isinstance(one, dict) and isinstance(one.get("id"), str) and isinstance(one.get("hook"), str):
            prefetch = one.get("prefetch")
            texts = prefetch.items() if isinstance(prefetch, dict) else ()
            yield Offer(one["id"], one["hook"], {key: text for key, text in texts if isinstance(text, str)})


def bodies_for(
    offer: Offer, requests: Sequence[Json], samples: Sequence[Json], run: str
) -> Iterator[tuple[Json, bool]]:
    """Calls for one service; `run` makes the patient one that was never seen before.

    `requests` were given for this service and are sent with the prefetch they have. `samples` are general: they bring
    what the service announces, and no more.
    """
    for request in (one for one in requests if one.get("hook") == offer.hook):
        body = _renamed(request, run)
        yield (
            {**{name: body[name] for name in ("hook", "context", "prefetch") if name in body}, "hookInstance": ""},
            True,
        )
    fitting = [one for one in samples if one.get("hook") == offer.hook]
    for sample in fitting or [_made_up(offer.hook)]:
        body = _renamed(sample, run)
        pool = list(_resources(body))
        supplied = body.get("prefetch") or {}
        prefetch = {
            key: supplied[key] if key in supplied else answer_template(text, body["context"], pool)
            for key, text in offer.prefetch.items()
        }
        call = {"hook": offer.hook, "hookInstance": "", "context": body["context"]}
        yield ({**call, "prefetch": prefetch} if prefetch else call), bool(fitting)


def _made_up(hook: str) -> Json:
    context = {"userId": USER, "patientId": PATIENT, **_CONTEXTS.get(hook, {})}
    return {"hook": hook, "context": context, "prefetch": {"patient": _PATIENT}}


def _renamed(sample: Json, run: str) -> Json:
    """The same call about a patient of this run alone: what an earlier run reported must not count (R-50c)."""
    name = sample["context"]["patientId"]
    text = json.dumps(sample).replace(f'Patient/{name}"', f'Patient/{run}"').replace(f'"{name}"', f'"{run}"')
    renamed: Json = json.loads(text)
    return renamed


def _resources(body: Json) -> Iterator[Json]:
    """All resources of the prefetch, and the user."""
    yield {"resourceType": "Practitioner", "id": USER.partition("/")[2], "name": [{"family": "Synthetic"}]}
    for value in (body.get("prefetch") or {}).values():
        if isinstance(value, dict) and value.get("resourceType") == "Bundle":
            yield from (entry["resource"] for entry in value.get("entry", ()) if "resource" in entry)
        elif isinstance(value, dict):
            yield value


def answer_template(template: str, context: Json, pool: Iterable[Json]) -> Any:
    """As a FHIR server with these resources would: a read, or a search by `code` and type. Other parameters are
    taken for met: the pool holds one patient."""
    address, _, query = fill(template, context).partition("?")
    kind, _, name = address.partition("/")
    if name:
        found = [one for one in pool if (one["resourceType"], one.get("id")) == (kind, name)]
        return found[0] if found else None
    wanted = {code for key, value in parse_qsl(query) if key == "code" for code in value.split(",")}
    found = [one for one in pool if one["resourceType"] == kind and (not wanted or _codes(one) & wanted)]
    entries = [{"resource": one, "search": {"mode": "match"}} for one in found]
    return {"resourceType": "Bundle", "type": "searchset", "total": len(found)} | ({"entry": entries} if found else {})


def fill(template: str, context: Json) -> str:
    """The tokens of CDS Hooks 2.0 (CH-068...CH-072); others are left as they stand."""
    user_type, _, user_id = str(context.get("userId", "")).partition("/")
    filled = template.replace(f"{{{{user{user_type}Id}}}}", user_id)
    for name, value in context.items():
        if isinstance(value, str):
            filled = filled.replace(f"{{{{context.{name}}}}}", value)
    return filled


def _codes(resource: Json) -> set[str]:
    """`system|code` and bare `code` of all codings."""
    found = set()
    for coding in (resource.get("code") or {}).get("coding", ()):
        found |= {f"{coding.get('system', '')}|{coding.get('code', '')}", str(coding.get("code", ""))}
    return found


def without_uuids(value: Any) -> Any:
    """Cards for comparison: ids that are new in each answer left out (CH-247)."""
    if isinstance(value, dict):
        return {key: without_uuids(one) for key, one in value.items() if key != "uuid"}
    if isinstance(value, list):
        return [without_uuids(one) for one in value]
    return value
