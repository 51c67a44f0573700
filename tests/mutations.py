"""Damages requests at any JSON path, and says whether an answer is one the service may give to whatever arrives.

Used by tests/spec/test_mutated_requests.py (some, drawn by hypothesis) and by `make fuzz` (hundreds of thousands).
"""

import json
from collections.abc import Iterator, Mapping
from copy import deepcopy
from functools import cache, lru_cache
from typing import Any

from flask.testing import FlaskClient

from cds_service.contracts import find_mistakes
from tests.replies import ADDRESSES, SITUATIONS, Json, mask, read_request, topics

Path = tuple[str | int, ...]
MISSING = object()
SUPPORTIVE = {"indicated-strong", "may-benefit"}
REFUSED = {400, 412, 413}
# Text that stands for JSON which Python cannot hold or would not write; put in after encoding.
RAW = {
    "@deep list@": b"[" * 20_000 + b"]" * 20_000,
    "@deep object@": b'{"a":' * 20_000 + b"1" + b"}" * 20_000,
    "@too large a number@": b"1e999999",
    "@lone surrogate@": b'"\\ud800"',
    "@bad utf-8@": b'"\xff\xfe"',
    "@not a number@": b"NaN",
    "@hundred thousand digits@": b"9" * 100_000,
}
VALUES: Mapping[str, Any] = {
    "missing": MISSING,
    "null": None,
    "true": True,
    "zero": 0,
    "minus one": -1,
    "huge": 10**40,
    "fraction": 0.5,
    "empty text": "",
    "long text": "x" * 70_000,
    "unicode": "\u202e\u0000\u00e9\u6f22\U0001f600\u202e",
    "markup": '<img src=x onerror="alert(1)">](javascript:alert(1))',
    "impossible date": "2026-02-30T25:61:00Z",
    "far date": "9999-12-31",
    "empty list": [],
    "empty object": {},
    "list of null": [None],
    "another resource": {"resourceType": "OperationOutcome", "issue": []},
    "no patient of ours": {"reference": "Patient/another"},
    **{name.strip("@"): name for name in RAW},
}
CHANGES = ("in a list", "in an object", "as text", "twice")  # made of the value that was there
KINDS = (*VALUES, *CHANGES)


def paths_of(value: Any, path: Path = ()) -> Iterator[Path]:
    """Every place below the top, containers included."""
    steps: Iterator[tuple[str | int, Any]] = iter(())
    if isinstance(value, dict):
        steps = iter(value.items())
    elif isinstance(value, list):
        steps = iter(enumerate(value))
    for step, below in steps:
        yield (*path, step)
        yield from paths_of(below, (*path, step))


@cache
def places(situation: str) -> tuple[Path, ...]:
    return tuple(paths_of(read_request(situation)))


def damage(request: Json, path: Path, kind: str) -> None:
    """In place. A path that an earlier damage took away is left alone."""
    holder: Any = request
    for step in path[:-1]:
        if not _holds(holder, step):
            return
        holder = holder[step]
    last: Any = path[-1]
    if not _holds(holder, last):
        return
    value = VALUES.get(kind, MISSING)
    if kind in CHANGES:
        _change(holder, last, kind)
    elif value is MISSING:
        del holder[last]
    else:
        holder[last] = deepcopy(value)


def _holds(holder: Any, step: str | int) -> bool:
    if isinstance(holder, dict):
        return step in holder
    return isinstance(holder, list) and isinstance(step, int) and step < len(holder)


def _change(holder: Any, last: Any, kind: str) -> None:
    old = holder[last]
    match kind:
        case "in a list":
            holder[last] = [old]
        case "in an object":
            holder[last] = {"value": old}
        case "as text":
            holder[last] = json.dumps(old)
        case "twice" if isinstance(holder, list):
            holder.append(deepcopy(old))


def encode(request: Json) -> bytes:
    body = json.dumps(request).encode()
    for name, raw in RAW.items():
        body = body.replace(json.dumps(name).encode(), raw)
    return body


def send(client: FlaskClient, address: str, body: bytes) -> tuple[int, str, bytes]:
    answer = client.post(address, data=body, content_type="application/json")
    return answer.status_code, answer.content_type, answer.data


def find_fault(status: int, content_type: str, body: bytes) -> str:
    """What must not be, whatever was sent; empty when all is as it should be."""
    if content_type != "application/json":
        return f"content type {content_type}"
    if status in REFUSED:
        outcome = json.loads(body)
        return "" if outcome.get("resourceType") == "OperationOutcome" and outcome["issue"] else "no OperationOutcome"
    if status != 200:
        return f"status {status}"
    return "; ".join(_mistakes(json.dumps(mask(json.loads(body)))))


@lru_cache(maxsize=4096)  # most damage changes nothing that is answered
def _mistakes(reply: str) -> tuple[str, ...]:
    return find_mistakes("response:strict", json.loads(reply))


# Situations whose support rests on one ferritin and on one problem-list entry, and what takes either away for good.
RESTS_ON_BOTH = tuple(
    name
    for name in (
        "low-ferritin",
        "low-ferritin-normal-tsat",
        "grey-zone",
        "low-tsat",
        "anemia",
        "tsat-missing",
        "dextran",
    )
    if name in SITUATIONS
)
_UNREADABLE = ("missing", "null", "true", "empty text", "empty list", "empty object", "another resource")
_FERRITIN: tuple[Path, ...] = (("valueQuantity",), ("valueQuantity", "value"), ("code",), ("effectiveDateTime",), ())
_EVIDENCE: tuple[Path, ...] = (("code",), ())


def destructions(situation: str) -> Iterator[tuple[Path, str]]:
    """Places and kinds of damage that leave no usable ferritin, or no evidence of RLS."""
    prefetch = read_request(situation)["prefetch"]
    for key, below in (("ferritin", _FERRITIN), ("conditions", _EVIDENCE)):
        entries = prefetch[key]["entry"]
        decisive = [place for place, one in enumerate(entries) if key == "ferritin" or _is_rls(one["resource"])]
        if len(decisive) != 1:
            continue
        where: Path = ("prefetch", key, "entry", decisive[0], "resource")
        yield from ((where + path, kind) for path in below for kind in _UNREADABLE)


def _is_rls(condition: Json) -> bool:
    words = json.dumps(condition["code"]).lower()
    return "restless" in words or "g25.81" in words


def is_supported(client: FlaskClient, request: Json, hook: str) -> bool:
    status, _, body = send(client, ADDRESSES[hook], encode(request))
    return status == 200 and bool(SUPPORTIVE & set(topics(json.loads(body))))
