"""Errors other than 412 are loud, documented, and give nothing away (section P of the wire contract)."""

import json
from typing import Any

import pytest
from fhir.resources.R4B.operationoutcome import OperationOutcome

from cds_service import errors
from cds_service.errors import (
    BadRequest,
    BodyTooLarge,
    CdsError,
    MethodNotAllowed,
    Misdirected,
    NotFound,
    OtherRefusal,
    Overloaded,
    PreconditionFailed,
    ServiceFault,
    Unauthorized,
    UnsupportedMediaType,
    operation_outcome,
)
from cds_service.hooks import HookRequest
from tests.spec.rim import (
    PATIENT,
    TOKEN,
    authorization,
    in_context,
    open_rim,
    order_select,
    post,
    problems,
    raises,
    reply,
    strictly,
    values_of,
)

STATUS: dict[CdsError, int] = {
    BadRequest("hook: is missing"): 400,
    Unauthorized(): 401,
    NotFound("not here"): 404,
    MethodNotAllowed(("POST",)): 405,
    PreconditionFailed(("ferritin",), "ferritin is missing"): 412,
    BodyTooLarge(8): 413,
    UnsupportedMediaType("send JSON"): 415,
    Misdirected("not ours"): 421,
    OtherRefusal(429): 429,
    ServiceFault("see the log"): 500,
    Overloaded("busy", 3): 503,
}
# fmt: off
ISSUE_TYPES = {  # the FHIR R4 value set issue-type
    "invalid", "structure", "required", "value", "invariant", "security", "login", "unknown", "expired", "forbidden",
    "suppressed", "processing", "not-supported", "duplicate", "multiple-matches", "not-found", "deleted", "too-long",
    "code-invalid", "extension", "too-costly", "business-rule", "conflict", "transient", "lock-error", "no-store",
    "exception", "timeout", "incomplete", "throttled", "informational",
}
# fmt: on


def test_ch_237_the_tree_is_mapped_completely() -> None:
    assert {type(error) for error in STATUS} == set(_below(CdsError))


def _below(tree: type[CdsError]) -> list[type[CdsError]]:
    return [kind for one in tree.__subclasses__() for kind in (one, *_below(one))]


def test_ch_237_the_tree_is_drawn_with_every_class() -> None:
    drawn = errors.__doc__ or ""
    for kind in _below(CdsError):
        assert kind.__name__ in drawn


@pytest.mark.parametrize(("error", "status"), STATUS.items(), ids=lambda one: type(one).__name__)
def test_ch_237_each_error_has_its_status(monkeypatch: pytest.MonkeyPatch, error: CdsError, status: int) -> None:
    assert post(open_rim(monkeypatch, raises(error)), order_select()).status_code == status


@pytest.mark.parametrize("error", STATUS, ids=lambda one: type(one).__name__)
def test_ch_238_each_error_is_an_operation_outcome(monkeypatch: pytest.MonkeyPatch, error: CdsError) -> None:
    outcome = strictly(post(open_rim(monkeypatch, raises(error)), order_select()))
    OperationOutcome.model_validate(outcome)
    for issue in outcome["issue"]:
        assert issue["severity"] == "error"
        assert issue["code"] in ISSUE_TYPES
        assert issue["details"]["text"]
    assert all(value not in (None, "", [], {}) for _, value in values_of(outcome))


def test_ch_238_each_mistake_is_an_issue_of_its_own() -> None:
    issues = operation_outcome(BadRequest("first", ("second", "third")))["issue"]
    assert [issue["diagnostics"] for issue in issues] == ["first", "second", "third"]


HEADERS = [
    (Unauthorized(), "WWW-Authenticate", "Bearer"),
    (MethodNotAllowed(("GET", "HEAD")), "Allow", "GET, HEAD"),
    (Overloaded("busy", 3), "Retry-After", "3"),
]


@pytest.mark.parametrize(
    ("error", "header", "value"),
    HEADERS,
    ids=lambda one: one if isinstance(one, str) else "",
)
def test_ch_237_headers_that_belong_to_an_error(
    monkeypatch: pytest.MonkeyPatch, error: CdsError, header: str, value: str
) -> None:
    assert post(open_rim(monkeypatch, raises(error)), order_select()).headers[header] == value


def test_ch_218_a_401_says_nothing_of_the_reason(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    outcome = strictly(post(open_rim(monkeypatch, raises(Unauthorized())), order_select()))
    assert outcome["issue"] == [
        {
            "severity": "error",
            "code": "login",
            "details": {"text": "A valid bearer token is required"},
        }
    ]


@pytest.mark.parametrize(
    "fault",
    [KeyError("x"), RecursionError(), ZeroDivisionError(), OSError(5, "disk")],
    ids=repr,
)
def test_ch_239_a_fault_is_500_and_never_an_empty_answer(monkeypatch: pytest.MonkeyPatch, fault: Exception) -> None:
    response = post(open_rim(monkeypatch, raises(fault)), order_select())
    assert response.status_code == 500
    assert "cards" not in strictly(response)


def test_ch_239_a_reply_that_cannot_be_encoded_is_a_fault(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert (
        post(
            open_rim(monkeypatch, lambda *_: reply([{"summary": object()}])),
            order_select(),
        ).status_code
        == 500
    )


def test_ch_240_a_fault_names_its_log_entry_and_nothing_else(
    monkeypatch: pytest.MonkeyPatch, capsysbinary: pytest.CaptureFixture[bytes]
) -> None:
    response = post(open_rim(monkeypatch, raises(ValueError(f"{TOKEN} {PATIENT}"))), order_select())
    request_id = response.headers["X-Request-Id"]
    assert problems(response) == [f"the log of the service says more under request id {request_id}"]
    entries = [json.loads(line) for line in capsysbinary.readouterr().err.splitlines()]
    fault = next(entry for entry in entries if entry["event"] == "fault")
    assert (fault["request_id"], fault["exception"]) == (request_id, "ValueError")
    assert "rim.py:" in fault["frames"][0]


def _refused_calls() -> list[tuple[str, Any]]:
    access = {"fhirServer": "https://ehr.example", "fhirAuthorization": authorization()}
    return [
        (
            "wrong type of token",
            order_select(**{**access, "fhirAuthorization": authorization(token_type=TOKEN)}),
        ),
        (
            "token is a number",
            order_select(
                **{
                    **access,
                    "fhirAuthorization": authorization(access_token={"x": TOKEN}),
                }
            ),
        ),
        (
            "patient with type",
            in_context(order_select(**access), patientId=f"Patient/{PATIENT}"),
        ),
        (
            "selection of another",
            in_context(order_select(**access), selections=[f"Patient/{PATIENT}"]),
        ),
        ("patient as hook", order_select(**access, hook=PATIENT)),
        ("patient as instance", order_select(**access, hookInstance=PATIENT)),
        ("patient as server", order_select(**{**access, "fhirServer": PATIENT})),
        ("broken off", json.dumps(order_select(**access)).encode()[:-1]),
    ]


@pytest.mark.parametrize(
    "body",
    [body for _, body in _refused_calls()],
    ids=[name for name, _ in _refused_calls()],
)
def test_ch_100_ch_240_a_refusal_shows_neither_token_nor_patient(
    monkeypatch: pytest.MonkeyPatch,
    capsysbinary: pytest.CaptureFixture[bytes],
    body: Any,
) -> None:
    response = post(open_rim(monkeypatch, log_level="debug"), body)
    assert response.status_code == 400
    logged = capsysbinary.readouterr().err
    assert logged
    for secret in (TOKEN.encode(), PATIENT.encode()):
        assert secret not in response.data
        assert secret not in logged


def test_ch_100_ch_240_neither_do_an_answered_and_a_failed_call(
    monkeypatch: pytest.MonkeyPatch, capsysbinary: pytest.CaptureFixture[bytes]
) -> None:
    def answer(_: Any, __: Any, request: HookRequest, *___: Any) -> Any:
        raise ValueError(request, request.context, request.selected, request.fhir_authorization)

    access = {"fhirServer": "https://ehr.example", "fhirAuthorization": authorization()}
    for pipeline in (lambda *_: reply(), answer):
        post(open_rim(monkeypatch, pipeline, log_level="debug"), order_select(**access))
    logged = capsysbinary.readouterr().err.decode()
    assert '"status":200' in logged
    assert '"status":500' in logged
    assert TOKEN not in logged
    assert PATIENT not in logged


def test_ch_240_a_wrong_address_is_not_logged_as_it_was_asked_for(
    monkeypatch: pytest.MonkeyPatch, capsysbinary: pytest.CaptureFixture[bytes]
) -> None:
    response = open_rim(monkeypatch).get(f"/Patient/{PATIENT}?name={PATIENT}")
    assert PATIENT.encode() not in response.data
    assert PATIENT.encode() not in capsysbinary.readouterr().err


def test_protected_mode_does_not_start_without_clients(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    registry = tmp_path / "clients.toml"
    registry.write_text("")
    with pytest.raises(errors.ConfigurationError, match="client"):
        open_rim(monkeypatch, clients=registry)
