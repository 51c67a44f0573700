"""Changes to a good call, each a function from a copy of it to what is sent: JSON, or bytes."""

import json
from collections.abc import Callable
from typing import Any

from cds_service.conformance.finding import Json

Change = Callable[[Json], Any]


def put(path: str, value: Any) -> Change:
    """Sets a member, `...` removes it; the path is dotted."""

    def change(body: Json) -> Json:
        *parents, last = path.split(".")
        holder = body
        for name in parents:
            holder = holder.setdefault(name, {})
        if value is ...:
            holder.pop(last, None)
        else:
            holder[last] = value
        return body

    return change


def drafts(change: Callable[[Json], None]) -> Change:
    """Changes every draft order."""

    def changed(body: Json) -> Json:
        for entry in body["context"]["draftOrders"]["entry"]:
            change(entry["resource"])
        return body

    return changed


def for_somebody_else(order: Json) -> None:
    order.update({name: {"reference": "Patient/somebody-else"} for name in ("subject", "for") if name in order})


def unfinished(order: Json) -> None:
    kept = ("resourceType", "id", "subject", "for")
    for name in [one for one in order if one not in kept and not one.startswith(("medication", "code"))]:
        del order[name]


def with_drafts(*orders: Json, select: bool = False) -> Change:
    def changed(body: Json) -> Json:
        context = body["context"]
        subject = {"reference": f"Patient/{context['patientId']}"}
        for order in orders:
            context["draftOrders"]["entry"].append({"resource": {**order, "subject": subject}})
            if select:
                context["selections"].append(f"{order['resourceType']}/{order['id']}")
        return body

    return changed


def status(*statuses: str) -> Change:
    def changed(body: Json) -> Json:
        for place, entry in enumerate(body["context"]["draftOrders"]["entry"]):
            entry["resource"]["status"] = statuses[place % len(statuses)]
        return body

    return changed


def unknown_members(body: Json) -> Json:
    body["unheardOf"] = {"a": [1, None, "x"]}
    body["context"]["unheardOf"] = [{"b": 2}]
    return body


def all_prefetch(value: Any) -> Change:
    return lambda body: {**body, "prefetch": dict.fromkeys(body.get("prefetch", {}), value)}


def older_order(body: Json) -> Json:
    order = {"resourceType": "MedicationOrder", "id": "dstu2", "status": "draft"}
    body["context"]["draftOrders"]["entry"].append({"resource": order})
    return body


def raw(data: bytes) -> Change:
    return lambda _: data


def cut(body: Json) -> bytes:
    return json.dumps(body).encode()[:-20]


def authorization(**members: Any) -> Json:
    good = {
        "access_token": "conformance-token",
        "token_type": "Bearer",
        "expires_in": 60,
        "scope": "patient/*.read",
        "subject": "conformance",
    }
    return {name: value for name, value in {**good, **members}.items() if value is not ...}


def access(**members: Any) -> Change:
    def changed(body: Json) -> Json:
        body["fhirServer"] = "https://fhir.conformance.invalid/r4"
        body["fhirAuthorization"] = authorization(**{"patient": body["context"].get("patientId", ""), **members})
        return body

    return changed
