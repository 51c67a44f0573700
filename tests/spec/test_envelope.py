"""The envelope of a service call, its context, and extensions (sections C, D as far as parsed, and O)."""

import re
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from cds_service.contracts import find_mistakes
from cds_service.hooks import HookRequest
from tests.spec.rim import (
    CALL,
    CARD,
    INSTANCE,
    PATIENT,
    Json,
    authorization,
    bundle,
    draft,
    in_context,
    open_rim,
    order_select,
    order_sign,
    patient_view,
    post,
    problems,
    reply,
    strictly,
)

CALLS = {
    "order-select": order_select,
    "order-sign": order_sign,
    "patient-view": patient_view,
}


def ask(monkeypatch: pytest.MonkeyPatch, body: Json, path: str = CALL) -> tuple[int, list[HookRequest]]:
    """The status, and what the pipeline was asked."""
    asked: list[HookRequest] = []

    def answer(_: Any, __: Any, request: HookRequest, *___: Any) -> Any:
        asked.append(request)
        return reply()

    return post(open_rim(monkeypatch, answer), body, path).status_code, asked


def refused(monkeypatch: pytest.MonkeyPatch, body: Json, path: str = CALL) -> list[str]:
    """What a 400 says."""
    response = post(open_rim(monkeypatch), body, path)
    assert response.status_code == 400
    return problems(response)


def test_ch_035_a_service_is_invoked_by_post(monkeypatch: pytest.MonkeyPatch) -> None:
    client = open_rim(monkeypatch)
    assert post(client, order_select()).status_code == 200
    response = client.get(CALL)
    assert (response.status_code, response.headers["Allow"]) == (405, "OPTIONS, POST")
    assert problems(response) == ["use OPTIONS or POST"]


@pytest.mark.parametrize("hook", [..., None, "", 5, "order-review", "Order-Select"])
def test_ch_036_a_call_names_its_hook(monkeypatch: pytest.MonkeyPatch, hook: Any) -> None:
    assert refused(monkeypatch, order_select(hook=hook))[0].startswith("hook: ")


def test_ch_037_a_hook_that_the_service_was_not_advertised_for_is_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    words = refused(monkeypatch, order_sign(), "/cds-services/two")
    assert words == ["hook: this CDS Service answers patient-view, not order-sign"]


@pytest.mark.parametrize(
    "value",
    [
        ...,
        None,
        "",
        "1",
        7,
        INSTANCE[:-1],
        f"{INSTANCE}0",
        f"{{{INSTANCE}}}",
        f"{INSTANCE}\n",
    ],
)
def test_ch_038_hook_instance_is_a_uuid(monkeypatch: pytest.MonkeyPatch, value: Any) -> None:
    assert refused(monkeypatch, order_select(hookInstance=value))[0].startswith("hookInstance: ")


def test_ch_038_hook_instance_is_accepted_in_either_case(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert ask(monkeypatch, order_select(hookInstance=INSTANCE.upper()))[0] == 200


@pytest.mark.parametrize("server", [..., None])
def test_ch_039_an_authorization_comes_with_its_server(monkeypatch: pytest.MonkeyPatch, server: Any) -> None:
    words = refused(monkeypatch, order_select(fhirAuthorization=authorization(), fhirServer=server))
    assert words[0] == "fhirServer: is missing beside fhirAuthorization"


@pytest.mark.parametrize(
    "server",
    ["", "ftp://ehr.example", "ehr.example/fhir", "http://", "https:///fhir", 5],
)
def test_ch_040_fhir_server_is_an_http_url(monkeypatch: pytest.MonkeyPatch, server: Any) -> None:
    assert refused(monkeypatch, order_select(fhirServer=server))[0].startswith("fhirServer: ")


@pytest.mark.parametrize("has_access", [True, False])
@pytest.mark.parametrize("has_prefetch", [True, False])
def test_ch_041_neither_access_nor_prefetch_is_taken_for_granted(
    monkeypatch: pytest.MonkeyPatch, has_access: bool, has_prefetch: bool
) -> None:
    access = {"fhirServer": "https://ehr.example/fhir", "fhirAuthorization": authorization()} if has_access else {}
    data = {"prefetch": {"patient": {"resourceType": "Patient"}}} if has_prefetch else {}
    status, (asked,) = ask(monkeypatch, order_select(**access, **data))
    assert status == 200
    assert (asked.fhir_authorization is not None, list(asked.prefetch)) == (
        has_access,
        ["patient"] if has_prefetch else [],
    )


@pytest.mark.parametrize("context", [..., None, {}, [], "", 5])
def test_ch_042_context_is_an_object_with_the_members_of_its_hook(
    monkeypatch: pytest.MonkeyPatch, context: Any
) -> None:
    assert refused(monkeypatch, order_select(context=context))[0].startswith("context")


REQUIRED = [
    ("order-select", "userId"),
    ("order-select", "patientId"),
    ("order-select", "selections"),
    ("order-select", "draftOrders"),
    ("order-sign", "userId"),
    ("order-sign", "patientId"),
    ("order-sign", "draftOrders"),
    ("patient-view", "userId"),
    ("patient-view", "patientId"),
]


@pytest.mark.parametrize("value", [..., None, 5], ids=["missing", "null", "number"])
@pytest.mark.parametrize(("hook", "member"), REQUIRED)
def test_ch_042_a_required_member_of_the_context_is_asked_for_by_name(
    monkeypatch: pytest.MonkeyPatch, hook: str, member: str, value: Any
) -> None:
    path = "/cds-services/two" if hook == "patient-view" else CALL
    assert refused(monkeypatch, in_context(CALLS[hook](), **{member: value}), path)[0].startswith(f"context.{member}: ")


def test_ch_043_a_bad_request_is_told_all_its_mistakes_at_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    words = refused(
        monkeypatch,
        in_context(order_select(hookInstance="1"), patientId="Patient/1", userId=...),
    )
    assert [word.partition(":")[0] for word in words] == [
        "hookInstance",
        "context.userId",
        "context.patientId",
    ]


def test_ch_044_unknown_members_are_ignored_at_every_level(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    extra: Json = {"unknown": {"deep": [1, None, "text"]}}
    access = {
        "fhirServer": "https://ehr.example",
        "fhirAuthorization": authorization(**extra),
    }
    orders = {**bundle(draft()), **extra}
    orders["entry"] = [{**entry, **extra} for entry in orders["entry"]]
    body = in_context(order_select(**access, **extra), draftOrders=orders, **extra)
    assert ask(monkeypatch, body)[0] == 200


@pytest.mark.parametrize("resource_type", ["MedicationOrder", "ProcedureRequest", "DiagnosticOrder"])
def test_ch_045_orders_of_older_fhir_versions_pass_the_rim(monkeypatch: pytest.MonkeyPatch, resource_type: str) -> None:
    body = in_context(order_sign(), draftOrders=bundle(draft(resource_type)))
    status, (asked,) = ask(monkeypatch, body)
    assert (status, asked.selected[0].resource_type) == (200, resource_type)


def test_ch_049_calls_that_overlap_do_not_mix(monkeypatch: pytest.MonkeyPatch) -> None:
    def answer(_: Any, __: Any, request: HookRequest, *___: Any) -> Any:
        return reply([{**CARD, "summary": request.context.patient_id}])

    client = open_rim(monkeypatch, answer)

    def call(number: int) -> bool:
        body = in_context(patient_view(), patientId=f"p{number}")
        response = post(client.application.test_client(), body, "/cds-services/two")
        return bool(strictly(response)["cards"][0]["summary"] == f"p{number}")

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(call, range(20)))


def test_ch_050_ch_051_the_selected_orders_are_told_from_the_other_drafts(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    body = in_context(order_select(), draftOrders=bundle(draft(), draft(name="other")))
    _, (asked,) = ask(monkeypatch, body)
    assert [order.id for order in asked.selected] == ["iron"]
    assert [order.id for order in asked.context.draft_orders] == ["iron", "other"]


@pytest.mark.parametrize(
    "selection",
    [
        "MedicationRequest/none",
        "ServiceRequest/iron",
        "iron",
        "/iron",
        "MedicationRequest/",
    ],
)
def test_ch_053_a_selection_that_names_no_draft_order_is_refused(
    monkeypatch: pytest.MonkeyPatch, selection: str
) -> None:
    words = refused(
        monkeypatch,
        in_context(order_select(), selections=["MedicationRequest/iron", selection]),
    )
    assert words[0].startswith("context.selections[1]: ")


def test_ch_053_a_selection_is_resolved_by_type_and_id(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    orders = bundle(draft("ServiceRequest"), draft("MedicationRequest"))
    _, (asked,) = ask(monkeypatch, in_context(order_select(), draftOrders=orders))
    assert [order.reference for order in asked.selected] == ["MedicationRequest/iron"]


def test_ch_054_several_selections_of_different_types(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    orders = bundle(draft("NutritionOrder", "diet"), draft(), draft("ServiceRequest", "lab"))
    selections = ["MedicationRequest/iron", "NutritionOrder/diet"]
    _, (asked,) = ask(
        monkeypatch,
        in_context(order_select(), draftOrders=orders, selections=selections),
    )
    assert [order.reference for order in asked.selected] == [
        "NutritionOrder/diet",
        "MedicationRequest/iron",
    ]


def test_ch_053_nothing_selected_is_nothing_to_speak_about(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    status, (asked,) = ask(monkeypatch, in_context(order_select(), selections=[]))
    assert (status, asked.selected) == (200, ())


@pytest.mark.parametrize("bundle_type", ["collection", "batch", ...])
def test_ch_055_the_type_of_the_bundle_does_not_matter(monkeypatch: pytest.MonkeyPatch, bundle_type: Any) -> None:
    orders = {
        **bundle(draft()),
        **({} if bundle_type is ... else {"type": bundle_type}),
    }
    assert ask(monkeypatch, in_context(order_select(), draftOrders=orders))[0] == 200


BAD_ORDERS = {
    "no entry": {"resourceType": "Bundle"},
    "empty entry": {"resourceType": "Bundle", "entry": []},
    "no Bundle": {"resourceType": "List", "entry": [{"resource": draft()}]},
    "no resourceType": {"entry": [{"resource": draft()}]},
    "array": [draft()],
    "entry without resource": {
        "resourceType": "Bundle",
        "entry": [{"fullUrl": "urn:x"}],
    },
    "null resource": {"resourceType": "Bundle", "entry": [{"resource": None}]},
    "resource without type": {
        "resourceType": "Bundle",
        "entry": [{"resource": {"id": "iron"}}],
    },
    "resource with blank type": {
        "resourceType": "Bundle",
        "entry": [{"resource": {"resourceType": " ", "id": "iron"}}],
    },
}


@pytest.mark.parametrize("orders", BAD_ORDERS.values(), ids=BAD_ORDERS.keys())
def test_ch_055_draft_orders_are_a_bundle_of_resources(monkeypatch: pytest.MonkeyPatch, orders: Any) -> None:
    assert refused(monkeypatch, in_context(order_select(), draftOrders=orders))[0].startswith("context.draftOrders")


def test_ch_056_order_types_we_do_not_know_are_passed_over(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    kinds = (
        "VisionPrescription",
        "DeviceRequest",
        "CommunicationRequest",
        "InventedOrder",
    )
    orders = bundle(*(draft(kind, "x") for kind in kinds), draft())
    status, (asked,) = ask(monkeypatch, in_context(order_select(), draftOrders=orders))
    assert (status, len(asked.context.draft_orders)) == (200, 5)


@pytest.mark.parametrize(
    "user",
    [
        "Practitioner/1",
        "PractitionerRole/a.b-c",
        "Patient/1",
        "RelatedPerson/1",
        "Device/1",
    ],
)
@pytest.mark.parametrize("hook", CALLS)
def test_ch_057_ch_060_the_user_may_be_of_any_type(monkeypatch: pytest.MonkeyPatch, hook: str, user: str) -> None:
    path = "/cds-services/two" if hook == "patient-view" else CALL
    assert ask(monkeypatch, in_context(CALLS[hook](), userId=user), path)[0] == 200


@pytest.mark.parametrize("status", ["draft", "active", "on-hold", None])
def test_ch_059_at_order_sign_every_order_counts_whatever_its_status(
    monkeypatch: pytest.MonkeyPatch, status: Any
) -> None:
    orders = bundle({**draft(), "status": status}, draft(name="second"))
    _, (asked,) = ask(monkeypatch, in_context(order_sign(), draftOrders=orders))
    assert [order.id for order in asked.selected] == ["iron", "second"]


@pytest.mark.parametrize(("encounter", "seen"), [(..., None), (None, None), ("e-1", "e-1")])
@pytest.mark.parametrize("hook", CALLS)
def test_ch_062_the_encounter_may_be_missing(
    monkeypatch: pytest.MonkeyPatch, hook: str, encounter: Any, seen: Any
) -> None:
    path = "/cds-services/two" if hook == "patient-view" else CALL
    status, (asked,) = ask(monkeypatch, in_context(CALLS[hook](), encounterId=encounter), path)
    assert (status, asked.context.encounter_id) == (200, seen)


BAD_IDS = [
    ("patientId", "Patient/1"),
    ("patientId", ""),
    ("patientId", "a b"),
    ("encounterId", "Encounter/1"),
    ("encounterId", ""),
    ("userId", "1"),
    ("userId", "Practitioner/"),
    ("userId", "https://ehr.example/fhir/Practitioner/1"),
]


@pytest.mark.parametrize(("member", "value"), BAD_IDS)
def test_ch_063_ids_are_bare_and_the_user_has_its_type(
    monkeypatch: pytest.MonkeyPatch, member: str, value: str
) -> None:
    assert refused(monkeypatch, in_context(order_select(), **{member: value}))[0].startswith(f"context.{member}: ")


ACCESS = [
    ("access_token", ...),
    ("access_token", " "),
    ("token_type", ...),
    ("token_type", "bearer"),
    ("token_type", "MAC"),
    ("expires_in", ...),
    ("expires_in", "30"),
    ("expires_in", -1),
    ("scope", ...),
    ("subject", ...),
    ("subject", ""),
]


@pytest.mark.parametrize(("member", "value"), ACCESS)
def test_ch_104_an_authorization_is_complete(monkeypatch: pytest.MonkeyPatch, member: str, value: Any) -> None:
    access = authorization(**{member: value})
    words = refused(
        monkeypatch,
        order_select(fhirServer="https://ehr.example", fhirAuthorization=access),
    )
    assert words[0].startswith(f"fhirAuthorization.{member}: ")


@pytest.mark.parametrize(
    ("patient", "status"),
    [(PATIENT, 200), (f"Patient/{PATIENT}", 200), ("another", 400), (..., 200)],
)
def test_ch_106_a_token_for_another_patient_is_refused(
    monkeypatch: pytest.MonkeyPatch, patient: Any, status: int
) -> None:
    access = authorization(patient=patient)
    body = order_select(fhirServer="https://ehr.example", fhirAuthorization=access)
    assert post(open_rim(monkeypatch), body).status_code == status


def test_ch_110_ch_111_ch_112_nothing_to_say_is_an_empty_array_of_cards(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    response = post(open_rim(monkeypatch), order_select())
    assert (response.status_code, response.data) == (200, b'{"cards":[]}')


def test_ch_230_ch_231_our_extension_is_an_object_under_a_reverse_domain_key(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    client = open_rim(monkeypatch, lambda *_: reply([CARD], {"org.example.trace": {"orders": [1]}}))
    body = strictly(post(client, order_select()))
    assert body["extension"] == {"org.example.trace": {"orders": [1]}}
    assert find_mistakes("response:strict", body) == ()


EXTENSIONS = [
    {},
    {"com.example.timestamp": "2026"},
    [{"url": "x"}],
    "text",
    5,
    None,
    {"a": {"b": [[1, 2.5, None]]}},
]


@pytest.mark.parametrize("extension", EXTENSIONS, ids=str)
def test_ch_234_an_extension_of_the_request_is_ignored_whatever_its_shape(
    monkeypatch: pytest.MonkeyPatch, extension: Any
) -> None:
    body = in_context(order_select(extension=extension), extension=extension)
    assert ask(monkeypatch, body)[0] == 200


def test_ch_233_the_name_of_our_extension_is_globally_unique() -> None:
    from cds_service.trace import EXTENSION

    assert re.fullmatch(r"[a-z]+(\.[a-z0-9-]+)+", EXTENSION)
