"""CDS Hooks over HTTP: JSON both ways, media types, size, addresses (section A of the wire contract)."""

import json
from decimal import Decimal
from io import BytesIO
from typing import Any

import pytest
from flask.testing import FlaskClient
from werkzeug.test import EnvironBuilder, TestResponse, run_wsgi_app
from werkzeug.wrappers import Request

from cds_service.contracts import find_mistakes
from cds_service.errors import Overloaded, PreconditionFailed, Unauthorized
from tests.spec.rim import (
    CALL,
    CARD,
    bundle,
    draft,
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

BIG = 2048  # bytes allowed in the size tests
REFUSALS: tuple[tuple[int, dict[str, Any], Any], ...] = (
    (400, {"method": "POST", "path": CALL, "data": b"{"}, None),
    (401, {"method": "POST", "path": CALL}, Unauthorized()),
    (404, {"method": "GET", "path": "/nowhere"}, None),
    (404, {"method": "POST", "path": "/cds-services/unknown"}, None),
    (405, {"method": "GET", "path": CALL}, None),
    (405, {"method": "DELETE", "path": "/cds-services"}, None),
    (
        412,
        {"method": "POST", "path": CALL},
        PreconditionFailed(("ferritin",), "ferritin is missing"),
    ),
    (413, {"method": "POST", "path": CALL, "data": b" " * (BIG + 1)}, None),
    (415, {"method": "POST", "path": CALL, "content_type": "text/plain"}, None),
    (
        421,
        {
            "method": "GET",
            "path": "/cds-services",
            "base_url": "http://rebound.example",
        },
        None,
    ),
    (500, {"method": "POST", "path": CALL}, ValueError("a fault")),
    (503, {"method": "POST", "path": CALL}, Overloaded("all places are taken", 2)),
)


@pytest.mark.parametrize(
    ("status", "request_", "error"),
    REFUSALS,
    ids=lambda one: str(one) if isinstance(one, int) else "",
)
def test_ch_001_every_refusal_is_json(
    monkeypatch: pytest.MonkeyPatch,
    status: int,
    request_: dict[str, Any],
    error: Exception | None,
) -> None:
    client = open_rim(monkeypatch, raises(error) if error else lambda *_: reply(), max_body_bytes=BIG)
    body = {
        "data": json.dumps(order_select()).encode(),
        "content_type": "application/json",
    }
    response = client.open(**{**body, **request_})
    assert response.status_code == status
    assert strictly(response)["resourceType"] == "OperationOutcome"


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity"])
def test_ch_002_a_number_that_is_no_json_is_a_fault_and_never_sent(
    monkeypatch: pytest.MonkeyPatch, number: str
) -> None:
    client = open_rim(
        monkeypatch,
        lambda *_: reply([{**CARD, "extension": {"org.example": Decimal(number)}}]),
    )
    assert post(client, order_select()).status_code == 500


def test_ch_002_the_word_nan_in_a_text_is_no_fault(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    client = open_rim(
        monkeypatch,
        lambda *_: reply([{**CARD, "summary": "NaN and Infinity are words"}]),
    )
    assert strictly(post(client, order_select()))["cards"][0]["summary"] == "NaN and Infinity are words"


def test_ch_002_decimals_keep_their_digits(monkeypatch: pytest.MonkeyPatch) -> None:
    client = open_rim(
        monkeypatch,
        lambda *_: reply([{**CARD, "extension": {"org.example": Decimal("12.50")}}]),
    )
    assert b":12.50}" in post(client, order_select()).data


@pytest.mark.parametrize("extension", [None, {}])
def test_ch_004_ch_005_ch_006_a_reply_without_extension_has_no_such_member(
    monkeypatch: pytest.MonkeyPatch, extension: dict[str, Any] | None
) -> None:
    client = open_rim(monkeypatch, lambda *_: reply([CARD], extension))
    assert strictly(post(client, order_select())) == {"cards": [CARD]}


@pytest.mark.parametrize("path", ["/cds-services", "/nowhere", "/livez", "/readyz"])
def test_ch_004_ch_005_ch_007_no_null_no_empty_value_no_blank_text(monkeypatch: pytest.MonkeyPatch, path: str) -> None:
    for name, value in values_of(strictly(open_rim(monkeypatch).get(path))):
        assert value not in (None, "", [], {}), name
        assert not isinstance(value, str) or value.strip(), name


@pytest.mark.parametrize(
    "content_type",
    [
        "application/json",
        "application/json; charset=utf-8",
        "Application/JSON;charset=UTF-8",
    ],
)
def test_ch_010_json_is_accepted_with_or_without_charset(monkeypatch: pytest.MonkeyPatch, content_type: str) -> None:
    response = post(open_rim(monkeypatch), order_select(), content_type=content_type)
    assert (response.status_code, response.headers["Content-Type"]) == (
        200,
        "application/json",
    )


@pytest.mark.parametrize(
    "content_type",
    ["", "text/plain", "application/xml", "application/x-www-form-urlencoded"],
)
def test_ch_010_another_media_type_is_415(monkeypatch: pytest.MonkeyPatch, content_type: str) -> None:
    response = post(open_rim(monkeypatch), order_select(), content_type=content_type)
    assert response.status_code == 415
    assert problems(response) == ["send the body as Content-Type: application/json"]


@pytest.mark.parametrize("encoding", ["gzip", "br"])
def test_ch_010_a_compressed_body_is_415(monkeypatch: pytest.MonkeyPatch, encoding: str) -> None:
    response = post(open_rim(monkeypatch), order_select(), headers={"Content-Encoding": encoding})
    assert problems(response) == ["send the body without Content-Encoding"]


def test_ch_010_text_goes_out_as_utf_8(monkeypatch: pytest.MonkeyPatch) -> None:
    client = open_rim(monkeypatch, lambda *_: reply([{**CARD, "summary": "Ferritin ≤ 75 ng/mL"}]))
    assert "≤".encode() in post(client, order_select()).data


@pytest.mark.parametrize(
    "path",
    [
        "/cds-services/",
        "/cds-services/one/",
        "/CDS-Services",
        "/cds-services/one/x",
    ],
)
def test_ch_001_a_wrong_address_is_404_and_no_redirect(monkeypatch: pytest.MonkeyPatch, path: str) -> None:
    response = post(open_rim(monkeypatch), order_select(), path)
    assert response.status_code == 404
    assert problems(response)


def call_raw(client: FlaskClient, stream: Any, **environ: Any) -> TestResponse:
    """The app as a server calls it: with a stream of unknown length unless CONTENT_LENGTH is given."""
    base = EnvironBuilder(path=CALL, method="POST", content_type="application/json").get_environ()
    base.pop("CONTENT_LENGTH", None)
    request = Request(base)
    return TestResponse(
        *run_wsgi_app(client.application, {**base, "wsgi.input": stream, **environ}),
        request,
    )


@pytest.mark.parametrize(("size", "status"), [(BIG - 1, 200), (BIG, 200), (BIG + 1, 413)])
@pytest.mark.parametrize("is_announced", [True, False], ids=["content-length", "chunked"])
def test_ch_237_a_body_over_the_limit_is_413(
    monkeypatch: pytest.MonkeyPatch, size: int, status: int, is_announced: bool
) -> None:
    body = json.dumps(order_select()).encode()
    stream = BytesIO(body + b" " * (size - len(body)))
    length = {"CONTENT_LENGTH": str(size)} if is_announced else {"wsgi.input_terminated": True}
    assert call_raw(open_rim(monkeypatch, max_body_bytes=BIG), stream, **length).status_code == status


class Endless:
    """A body without end that counts how much of it was asked for."""

    def __init__(self) -> None:
        self.taken = 0

    def read(self, size: int = -1) -> bytes:
        assert size >= 0, "the whole of an endless body was asked for"
        self.taken += size
        return b" " * size


def test_ch_237_an_endless_body_costs_no_more_than_the_limit(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    endless = Endless()
    response = call_raw(
        open_rim(monkeypatch, max_body_bytes=BIG),
        endless,
        **{"wsgi.input_terminated": True},
    )
    assert response.status_code == 413
    assert endless.taken == BIG + 1


def test_ch_237_a_body_announced_as_too_large_is_not_read_at_all(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    endless = Endless()
    response = call_raw(open_rim(monkeypatch, max_body_bytes=BIG), endless, CONTENT_LENGTH=str(BIG + 1))
    assert (response.status_code, endless.taken) == (413, 0)


class Broken:
    """A connection that is lost, or a chunk that is none: servers raise their own errors."""

    def read(self, _: int) -> bytes:
        raise RuntimeError("chunk size")


def test_ch_043_a_body_that_breaks_off_is_400(monkeypatch: pytest.MonkeyPatch) -> None:
    response = call_raw(open_rim(monkeypatch), Broken(), CONTENT_LENGTH="9")
    assert problems(response) == ["the body could not be received completely"]


def test_ch_043_a_body_that_no_one_ends_is_not_waited_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    endless = Endless()
    assert call_raw(open_rim(monkeypatch), endless).status_code == 400
    assert endless.taken == 0


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("localhost", 200),
        ("LOCALHOST:8000", 200),
        ("127.0.0.1:8000", 200),
        ("127.8.8.8", 200),
        ("[::1]:8000", 200),
        ("listed.example", 200),
        ("listed.example:8443", 200),
        ("rebound.example", 421),
        ("rebound.example:8000", 421),
        ("localhost.rebound.example", 421),
        ("127.0.0.1.rebound.example", 421),
        ("10.0.0.7:8000", 421),
        ("", 421),
    ],
)
def test_demo_mode_answers_only_under_loopback_and_listed_names(
    monkeypatch: pytest.MonkeyPatch, host: str, status: int
) -> None:
    client = open_rim(monkeypatch, demo_hosts=("listed.example",))
    assert client.get("/cds-services", environ_overrides={"HTTP_HOST": host}).status_code == status


def test_every_answer_has_a_request_id_of_its_own(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    client = open_rim(monkeypatch)
    paths = ("/cds-services", "/nowhere", "/livez")
    ids = {client.get(path).headers["X-Request-Id"] for path in paths for _ in range(3)}
    assert len(ids) == 9


@pytest.mark.parametrize("is_on", [True, False])
def test_server_timing_is_sent_when_set(monkeypatch: pytest.MonkeyPatch, is_on: bool) -> None:
    response = post(open_rim(monkeypatch, server_timing=is_on), order_select())
    stages = [part.partition(";")[0] for part in response.headers.get("Server-Timing", "").split(", ")]
    assert stages == (["parse", "fetch", "read", "decide", "render"] if is_on else [""])


def test_ch_009_fhir_content_is_ordinary_json_in_both_directions(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    seen = []

    def answer(_: Any, __: Any, request: Any, *___: Any) -> Any:
        seen.append(json.loads(bytes(request.selected[0].raw)))
        action = {
            "type": "create",
            "description": "Order",
            "resource": draft("ServiceRequest", "later"),
        }
        suggestions = [{"label": "Order it", "actions": [action]}]
        return reply([{**CARD, "suggestions": suggestions, "selectionBehavior": "any"}])

    body = strictly(
        post(
            open_rim(monkeypatch, answer),
            in_context(order_select(), draftOrders=bundle(draft())),
        )
    )
    assert seen == [draft()]
    assert find_mistakes("response:strict", body) == ()
