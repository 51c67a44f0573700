"""Parses a CDS Hooks call into frozen types that cannot hold nonsense (CH-035...CH-063), and renders the reply.

Lenient: unknown members anywhere (CH-044), a draftOrders Bundle without `type`, null for an optional member, an order
without `id`, any content of a prefetch value (read later, entry by entry). When a member occurs twice the last one
counts; only this parser reads the body, so everyone sees the same value. Strict: everything the contract requires.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec
from msgspec import Raw, Struct

from cds_service.contracts import explain_shape, find_further_mistakes
from cds_service.errors import BadRequest

ORDER_SELECT = "order-select"
ORDER_SIGN = "order-sign"
PATIENT_VIEW = "patient-view"


class FhirAuthorization(Struct, frozen=True, gc=False):
    """Access to the client's FHIR server for this call (CH-104). Its repr does not show the token."""

    access_token: str
    token_type: str
    expires_in: int  # seconds
    scope: str
    subject: str
    patient: str | None = None

    def __repr__(self) -> str:
        return "FhirAuthorization(access_token=<hidden>)"


class DraftOrder(Struct, frozen=True, eq=False, gc=False):
    """One unsigned order; `raw` is its FHIR JSON, not yet read. Equal only to itself: a set of them is cheap."""

    resource_type: str
    id: str | None
    raw: Raw
    full_url: str | None = None  # of the Bundle entry: what other entries may refer to it by

    @property
    def reference(self) -> str | None:
        """`Type/id`; None when the client gave no id."""
        return f"{self.resource_type}/{self.id}" if self.id else None

    def __repr__(self) -> str:
        return f"DraftOrder({self.resource_type})"


class Context(Struct, frozen=True, gc=False):
    """The members of the three hooks' contexts; what a hook does not have is empty."""

    user_id: str  # Type/id
    patient_id: str  # bare id
    encounter_id: str | None = None  # bare id
    selections: tuple[str, ...] = ()  # Type/id each
    draft_orders: tuple[DraftOrder, ...] = ()

    def __repr__(self) -> str:
        return f"Context({len(self.selections)} selections, {len(self.draft_orders)} draft orders)"


class HookRequest(Struct, frozen=True, gc=False):
    """One call. A key not in `prefetch` was not supplied; None is JSON null: the client asked, and there is nothing."""

    hook: str
    hook_instance: str
    context: Context
    selected: tuple[DraftOrder, ...]  # the orders to speak about: the selected ones, at order-sign all
    prefetch: Mapping[str, Raw | None]
    fhir_server: str | None = None
    fhir_authorization: FhirAuthorization | None = None

    def __repr__(self) -> str:
        return f"HookRequest({self.hook}, {self.hook_instance})"


class _Envelope(Struct, rename="camel", gc=False):
    hook: str
    hook_instance: str
    context: Raw
    fhir_server: str | None = None
    fhir_authorization: FhirAuthorization | None = None
    prefetch: dict[str, Raw] | None = None


class _Entry(Struct, rename="camel", gc=False):
    resource: Raw
    full_url: str | None = None


class _Bundle(Struct, rename="camel", gc=False):
    resource_type: str
    entry: list[_Entry]


class _PatientView(Struct, rename="camel", gc=False):
    user_id: str
    patient_id: str
    encounter_id: str | None = None


class _OrderSign(_PatientView, kw_only=True, rename="camel", gc=False):
    draft_orders: _Bundle


class _OrderSelect(_OrderSign, kw_only=True, rename="camel", gc=False):
    selections: list[str]


class _Head(Struct, rename="camel", gc=False):
    resource_type: str
    id: str | None = None


_ENVELOPE = msgspec.json.Decoder(_Envelope)
_HEAD = msgspec.json.Decoder(_Head)
_CONTEXTS: Mapping[str, msgspec.json.Decoder[_PatientView]] = {
    ORDER_SELECT: msgspec.json.Decoder(_OrderSelect),
    ORDER_SIGN: msgspec.json.Decoder(_OrderSign),
    PATIENT_VIEW: msgspec.json.Decoder(_PatientView),
}
_Match = Callable[[str], object]
_UUID: _Match = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}").fullmatch
# FHIR ids have at most 64 characters; some systems' are longer. None fills twenty URLs with megabytes.
_BARE_ID: _Match = re.compile(r"[^/\s]{1,256}").fullmatch
_TYPE_AND_ID: _Match = re.compile(r"[A-Za-z0-9_]{1,64}/[A-Za-z0-9_.-]{1,256}").fullmatch
_TYPE: _Match = re.compile(r"[A-Za-z]{1,64}").fullmatch
_URL: _Match = re.compile(r"[hH][tT][tT][pP][sS]?://[^\s/?#]+\S*").fullmatch
LONGEST_URL = 2048
LONGEST_SCOPE = 16_384


def parse_request(body: bytes) -> HookRequest:
    """Raises `BadRequest` that names the wrong member; a small body is told its other mistakes as well."""
    _refuse_non_utf8(body)
    try:
        return _parse(body)
    except msgspec.ValidationError as wrong:
        first = explain_shape(wrong)
    except (msgspec.DecodeError, UnicodeDecodeError) as wrong:
        raise BadRequest(f"the body is not JSON: {wrong}") from None
    except RecursionError:
        raise BadRequest("the body is nested too deeply") from None
    except _Wrong as wrong:
        first = str(wrong)
    raise BadRequest(first, find_further_mistakes(body, first))


class _Wrong(Exception):
    """A member that is against the contract; the words name it and not its value."""


def _parse(body: bytes) -> HookRequest:
    envelope = _ENVELOPE.decode(body)
    decoder = _CONTEXTS.get(envelope.hook)
    if decoder is None:
        raise _Wrong(f"hook: must be one of {', '.join(_CONTEXTS)}")
    _require(_UUID(envelope.hook_instance), "hookInstance", "must be a UUID")
    _check_access(envelope)
    context = _parse_context(decoder, envelope.context)
    selected = _select(context) if envelope.hook == ORDER_SELECT else context.draft_orders
    access = envelope.fhir_authorization
    if access is not None and access.patient:
        _require(
            access.patient.removeprefix("Patient/") == context.patient_id,
            "fhirAuthorization.patient",
            "is not the patient of the context",
        )
    prefetch = {key: None if _is_null(value) else value for key, value in (envelope.prefetch or {}).items()}
    return HookRequest(
        envelope.hook,
        envelope.hook_instance,
        context,
        selected,
        prefetch,
        envelope.fhir_server,
        access,
    )


def _check_access(envelope: _Envelope) -> None:
    """CH-039, CH-104."""
    if envelope.fhir_server is not None:
        _require(_URL(envelope.fhir_server), "fhirServer", "must be an http or https URL")
        _require(len(envelope.fhir_server) <= LONGEST_URL, "fhirServer", f"has more than {LONGEST_URL} characters")
    access = envelope.fhir_authorization
    if access is None:
        return
    _require(envelope.fhir_server, "fhirServer", "is missing beside fhirAuthorization")
    _require(access.token_type == "Bearer", "fhirAuthorization.token_type", "must be Bearer")
    _require(access.expires_in >= 0, "fhirAuthorization.expires_in", "must not be negative")
    _require(len(access.scope) <= LONGEST_SCOPE, "fhirAuthorization.scope", f"has more than {LONGEST_SCOPE} characters")
    for name in ("access_token", "scope", "subject"):
        _require(
            getattr(access, name).strip(),
            f"fhirAuthorization.{name}",
            "must not be blank",
        )


def _parse_context(decoder: msgspec.json.Decoder[_PatientView], raw: Raw) -> Context:
    try:
        context = decoder.decode(raw)
    except msgspec.ValidationError as wrong:
        raise _Wrong(explain_shape(wrong, "context")) from None
    _require(
        _BARE_ID(context.patient_id),
        "context.patientId",
        "must be a bare id, without type, slash or blank",
    )
    _require(
        _TYPE_AND_ID(context.user_id),
        "context.userId",
        "must be Type/id, such as Practitioner/1",
    )
    if context.encounter_id is not None:
        _require(
            _BARE_ID(context.encounter_id),
            "context.encounterId",
            "must be a bare id, without type, slash or blank",
        )
    drafts = _parse_orders(context.draft_orders) if isinstance(context, _OrderSign) else ()
    selections = tuple(context.selections) if isinstance(context, _OrderSelect) else ()
    return Context(context.user_id, context.patient_id, context.encounter_id, selections, drafts)


def _parse_orders(bundle: _Bundle) -> tuple[DraftOrder, ...]:
    """CH-055. `Bundle.type` is not asked for: published examples leave it out."""
    _require(
        bundle.resource_type == "Bundle",
        "context.draftOrders.resourceType",
        "must be Bundle",
    )
    _require(bundle.entry, "context.draftOrders.entry", "must not be empty")
    return tuple(_parse_order(number, entry) for number, entry in enumerate(bundle.entry))


def _parse_order(number: int, entry: _Entry) -> DraftOrder:
    member = f"context.draftOrders.entry[{number}].resource"
    try:
        head = _HEAD.decode(entry.resource)
    except msgspec.ValidationError as wrong:
        raise _Wrong(explain_shape(wrong, member)) from None
    _require(
        _TYPE(head.resource_type),
        f"{member}.resourceType",
        "must be the name of a FHIR resource type",
    )
    return DraftOrder(head.resource_type, head.id, entry.resource, entry.full_url)


def _select(context: Context) -> tuple[DraftOrder, ...]:
    """CH-053: by type and id, in the order of the Bundle. A selection that names no draft order is refused."""
    drafts = {order.reference for order in context.draft_orders}
    for number, selection in enumerate(context.selections):
        member = f"context.selections[{number}]"
        _require(
            _TYPE_AND_ID(selection),
            member,
            "must be Type/id, such as MedicationRequest/1",
        )
        _require(selection in drafts, member, "names no resource in context.draftOrders")
    wanted = frozenset(context.selections)
    return tuple(order for order in context.draft_orders if order.reference in wanted)


def _require(holds: object, member: str, words: str) -> None:
    if not holds:
        raise _Wrong(f"{member}: {words}")


def _is_null(value: Raw) -> bool:
    return memoryview(value).nbytes == 4 and bytes(value) == b"null"


def _refuse_non_utf8(body: bytes) -> None:
    """msgspec does not look into what it skips or keeps raw. Pure ASCII, the usual case, costs 40 us a megabyte."""
    if body.isascii():
        return
    if body.startswith(b"\xef\xbb\xbf"):
        raise BadRequest("the body starts with a byte order mark; JSON has none")
    try:
        body.decode()
    except UnicodeDecodeError as wrong:
        raise BadRequest(f"the body is not UTF-8 at byte {wrong.start}") from None


encode = msgspec.json.Encoder(decimal_format="number").encode  # FHIR decimals are JSON numbers, digits as given


def render_response(cards: Sequence[Mapping[str, Any]], extension: Mapping[str, Any] | None = None) -> bytes:
    """The body of a 200 (CH-110...CH-112): `cards` always, `extension` only if it has content (CH-005)."""
    encoded = encode({"cards": cards, "extension": extension} if extension else {"cards": cards})
    if b"NaN" in encoded or b"Infinity" in encoded:
        msgspec.json.decode(encoded)  # as a number neither is JSON: better a fault than an unreadable card (CH-002)
    return encoded
