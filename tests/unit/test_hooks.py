"""The parser of hook requests: bytes that are no JSON, values kept raw, nothing secret in a repr."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cds_service.contracts import LARGEST_EXPLAINED, find_mistakes
from cds_service.errors import BadRequest
from cds_service.hooks import LONGEST_SCOPE, LONGEST_URL, HookRequest, parse_request
from tests.spec.rim import (
    PATIENT,
    TOKEN,
    authorization,
    bundle,
    draft,
    in_context,
    order_select,
    order_sign,
    patient_view,
)

GOOD = json.dumps(order_select()).encode()
UNKNOWN = GOOD[:-1] + b', "unknown": '  # the start of a good call with one unknown member, whose value follows


def parse(body: Any) -> HookRequest:
    return parse_request(json.dumps(body).encode())


def refused(body: bytes) -> tuple[str, ...]:
    with pytest.raises(BadRequest) as refusal:
        parse_request(body)
    return refusal.value.issues


NOT_JSON = {
    "empty": (b"", "the body is not JSON: "),
    "blank": (b"  \n", "the body is not JSON: "),
    "broken off": (GOOD[:-1], "the body is not JSON: "),
    "two documents": (GOOD + GOOD, "the body is not JSON: "),
    "trailing comma": (GOOD[:-1] + b",}", "the body is not JSON: "),
    "comment": (b"/* hello */" + GOOD, "the body is not JSON: "),
    "single quotes": (b"{'hook': 'order-select'}", "the body is not JSON: "),
    "NaN": (UNKNOWN + b"NaN}", "the body is not JSON: "),
    "Infinity": (UNKNOWN + b"-Infinity}", "the body is not JSON: "),
    "leading zero": (UNKNOWN + b"01}", "the body is not JSON: "),
    "control character": (UNKNOWN + b'"\x00"}', "the body is not JSON: "),
    "bad escape": (UNKNOWN + b'"\\x41"}', "the body is not JSON: "),
    "byte order mark": (
        b"\xef\xbb\xbf" + GOOD,
        "the body starts with a byte order mark",
    ),
    "UTF-16": (GOOD.decode().encode("utf-16"), "the body is not UTF-8 at byte 0"),
    "latin-1 in a skipped member": (
        UNKNOWN + '"é"}'.encode("latin-1"),
        f"the body is not UTF-8 at byte {len(UNKNOWN) + 1}",
    ),
    "latin-1 in a member name": (
        GOOD[:-1] + b', "\xe9": 1}',
        "the body is not UTF-8 at byte ",
    ),
    "overlong UTF-8": (UNKNOWN + b'"\xc0\xaf"}', "the body is not UTF-8 at byte "),
    "surrogate in UTF-8": (
        UNKNOWN + b'"\xed\xa0\x80"}',
        "the body is not UTF-8 at byte ",
    ),
    "array": (b"[]", "the body: expected an object, got an array"),
    "string": (b'"order-select"', "the body: expected an object"),
    "null": (b"null", "the body: expected an object"),
}


@pytest.mark.parametrize(("body", "words"), NOT_JSON.values(), ids=NOT_JSON.keys())
def test_what_is_no_json_object_in_utf_8_is_refused(body: bytes, words: str) -> None:
    assert refused(body)[0].startswith(words)


BAD_UTF8 = b'"\xff"'
RAW_PLACES = {
    "prefetch": lambda value: (
        GOOD[:-1] + b', "prefetch": {"patient": {"resourceType": "Patient", "x": ' + value + b"}}}"
    ),
    "unknown member": lambda value: UNKNOWN + value + b"}",
    "draft order": lambda value: GOOD.replace(b'"id"', b'"x": ' + value + b', "id"'),
}


@pytest.mark.parametrize("place", RAW_PLACES.values(), ids=RAW_PLACES.keys())
def test_bad_utf_8_is_found_also_where_nothing_is_decoded(place: Any) -> None:
    assert refused(place(BAD_UTF8))[0].startswith("the body is not UTF-8")
    parse_request(place('"é≤漢"'.encode()))


@pytest.mark.parametrize("depth", [20_000, 1_000_000])
@pytest.mark.parametrize("place", RAW_PLACES.values(), ids=RAW_PLACES.keys())
def test_nesting_too_deep_is_refused_wherever_it_is(place: Any, depth: int) -> None:
    assert refused(place(b"[" * depth + b"]" * depth)) == ("the body is nested too deeply",)
    assert refused(place(b'{"a":' * depth + b"1" + b"}" * depth)) == ("the body is nested too deeply",)


@pytest.mark.parametrize("place", RAW_PLACES.values(), ids=RAW_PLACES.keys())
def test_nesting_as_in_fhir_is_accepted(place: Any) -> None:
    parse_request(place(b'{"a":' * 100 + b"1" + b"}" * 100))


def test_when_a_member_occurs_twice_the_last_one_counts() -> None:
    twice = GOOD.replace(b'"patientId"', b'"patientId": "first", "patientId"')
    assert parse_request(twice).context.patient_id == PATIENT
    assert refused(GOOD[:-1] + b', "hook": "none"}')[0].startswith("hook: ")


def test_prefetch_values_stay_the_bytes_that_were_sent() -> None:
    value = b'{"resourceType": "Observation", "valueQuantity": {"value": 12.50}}'
    body = GOOD[:-1] + b', "prefetch": {"ferritin": ' + value + b', "tsat": null, "odd": "123", "four": true}}'
    prefetch = parse_request(body).prefetch
    assert {key: None if raw is None else bytes(raw) for key, raw in prefetch.items()} == {
        "ferritin": value,
        "tsat": None,  # asked, and there is nothing; a key not sent is not there (CH-086, CH-087)
        "odd": b'"123"',
        "four": b"true",
    }


@pytest.mark.parametrize("prefetch", [..., None, {}])
def test_no_prefetch_is_no_key(prefetch: Any) -> None:
    assert parse(order_select(prefetch=prefetch)).prefetch == {}


@pytest.mark.parametrize("prefetch", [[], "text", 5, True])
def test_prefetch_that_is_no_object_is_refused(prefetch: Any) -> None:
    assert refused(json.dumps(order_select(prefetch=prefetch)).encode())[0].startswith("prefetch: expected an object")


def test_a_draft_order_keeps_its_json_and_may_lack_an_id() -> None:
    nameless = {"resourceType": "MedicationRequest", "status": "draft"}
    order = parse(in_context(order_sign(), draftOrders=bundle(nameless))).selected[0]
    assert (order.resource_type, order.id, order.reference) == (
        "MedicationRequest",
        None,
        None,
    )
    assert json.loads(bytes(order.raw)) == nameless


def test_a_selection_is_counted_once_however_often_it_is_named() -> None:
    request = parse(in_context(order_select(), selections=["MedicationRequest/iron"] * 3))
    assert [order.id for order in request.selected] == ["iron"]


def test_patient_view_has_no_orders_whatever_else_is_sent() -> None:
    request = parse(in_context(patient_view(), draftOrders="odd", selections=5))
    assert (request.selected, request.context.draft_orders) == ((), ())


def test_nothing_of_patient_or_token_is_in_a_repr() -> None:
    access = {
        "fhirServer": "https://ehr.example",
        "fhirAuthorization": authorization(patient=PATIENT),
    }
    request = parse(order_select(**access, prefetch={"patient": draft("Patient", PATIENT)}))
    shown = repr(
        (
            request,
            request.context,
            request.selected,
            request.fhir_authorization,
            request.prefetch,
        )
    )
    assert TOKEN not in shown
    assert PATIENT not in shown


def test_a_request_is_frozen() -> None:
    with pytest.raises(AttributeError):
        parse(order_select()).hook = "other"  # type: ignore[misc]


def test_a_large_bad_body_is_told_its_first_mistake_only() -> None:
    bad = order_select(hookInstance="1", hook="order-select", fhirServer="none")
    few = refused(json.dumps(bad).encode())
    many = refused(json.dumps({**bad, "unknown": "x" * LARGEST_EXPLAINED}).encode())
    assert ([word.partition(":")[0] for word in few], len(many)) == (
        ["hookInstance", "fhirServer"],
        1,
    )


def test_member_names_of_the_caller_are_shortened_in_the_words_of_a_400() -> None:
    bad = order_select(hookInstance="1", prefetch={"x" * 500: 5})
    assert max(len(word) for word in refused(json.dumps(bad).encode())) < 120


def test_what_the_parser_accepts_the_schema_accepts_and_the_reverse() -> None:
    good = (
        order_select(),
        order_sign(),
        patient_view(),
        order_select(prefetch={"a": None}),
    )
    assert [find_mistakes("request", body) for body in good] == [()] * 4
    for body in good:
        for member in ("hook", "hookInstance", "context"):
            less = {name: value for name, value in body.items() if name != member}
            assert find_mistakes("request", less)
            assert refused(json.dumps(less).encode())


def test_jsonschema_is_not_loaded_for_a_good_call() -> None:
    """It is slow to load and slow to run: the first good answer must not wait for it."""
    code = "import sys, cds_service.hooks as hooks; hooks.parse_request(sys.stdin.buffer.read()); print(*sys.modules)"
    here = Path(__file__).parents[2]
    done = subprocess.run(
        [sys.executable, "-c", code],
        input=GOOD,
        capture_output=True,
        cwd=here,
        check=True,
    )
    loaded = done.stdout.decode().split()
    assert "cds_service.contracts" in loaded
    assert "jsonschema" not in loaded


@pytest.mark.parametrize("member", ["patientId", "encounterId", "userId"])
def test_ids_have_a_greatest_length(member: str) -> None:
    """An id is put into up to twenty URLs at once."""
    kind = "Practitioner/" if member == "userId" else ""
    for length, is_taken in ((256, True), (257, False)):
        request = json.loads(GOOD)
        request["context"][member] = kind + "x" * length
        body = json.dumps(request).encode()
        if is_taken:
            parse_request(body)
        else:
            assert refused(body)[0].startswith(f"context.{member}: ")


@pytest.mark.parametrize(
    ("member", "most", "make"),
    [
        ("fhirServer", LONGEST_URL, lambda length: {"fhirServer": "https://ehr.example/".ljust(length, "x")}),
        (
            "fhirAuthorization.scope",
            LONGEST_SCOPE,
            lambda length: {"fhirAuthorization": {**authorization(), "scope": "s" * length}},
        ),
    ],
    ids=["fhirServer", "scope"],
)
def test_address_and_scope_have_a_greatest_length(member: str, most: int, make: Callable[[int], Any]) -> None:
    good = {**json.loads(GOOD), "fhirServer": "https://ehr.example"}
    parse_request(json.dumps({**good, **make(most)}).encode())
    assert refused(json.dumps({**good, **make(most + 1)}).encode())[0].startswith(f"{member}: ")
