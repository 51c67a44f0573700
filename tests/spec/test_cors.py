"""CORS in demo mode: the public CDS Hooks Sandbox is a page in a browser (section N of the wire contract)."""

import pytest
from werkzeug.test import TestResponse

from cds_service.errors import PreconditionFailed, Unauthorized
from tests.spec.rim import CALL, open_rim, order_select, post, raises

ORIGIN = {"Origin": "https://sandbox.example"}


def preflight(monkeypatch: pytest.MonkeyPatch, path: str, **extra: str) -> TestResponse:
    asks = {
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "authorization,content-type",
    }
    return open_rim(monkeypatch).options(path, headers={**ORIGIN, **asks, **extra})


def test_ch_226_answers_may_be_read_by_a_page_of_another_origin(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    client = open_rim(monkeypatch)
    for response in (
        client.get("/cds-services", headers=ORIGIN),
        post(client, order_select(), headers=ORIGIN),
    ):
        assert response.status_code == 200
        assert response.headers.getlist("Access-Control-Allow-Origin") == ["*"]


@pytest.mark.parametrize("path", ["/cds-services", CALL])
def test_ch_227_preflight_needs_no_login(monkeypatch: pytest.MonkeyPatch, path: str) -> None:
    response = preflight(monkeypatch, path)
    assert response.status_code in (200, 204)
    assert set(response.headers["Access-Control-Allow-Headers"].split(", ")) == {
        "Authorization",
        "Content-Type",
    }
    assert set(response.headers["Access-Control-Allow-Methods"].split(", ")) == {
        "GET",
        "POST",
        "OPTIONS",
    }
    assert response.headers["Access-Control-Allow-Origin"] == "*"


def test_ch_227_a_public_page_may_call_this_machine_if_it_asks(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked = preflight(monkeypatch, CALL, **{"Access-Control-Request-Private-Network": "true"})
    assert asked.headers["Access-Control-Allow-Private-Network"] == "true"
    assert "Access-Control-Allow-Private-Network" not in preflight(monkeypatch, CALL).headers


@pytest.mark.parametrize(
    "error",
    [
        Unauthorized(),
        PreconditionFailed(("ferritin",), "no ferritin"),
        KeyError("a fault"),
    ],
    ids=repr,
)
def test_ch_228_errors_carry_the_headers_too(monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    response = post(open_rim(monkeypatch, raises(error)), order_select(), headers=ORIGIN)
    assert response.status_code >= 400
    assert response.headers.getlist("Access-Control-Allow-Origin") == ["*"]


@pytest.mark.parametrize("path", ["/nowhere", "/cds-services/unknown"])
def test_ch_228_so_do_errors_of_the_web_framework(monkeypatch: pytest.MonkeyPatch, path: str) -> None:
    assert open_rim(monkeypatch).put(path, headers=ORIGIN).headers["Access-Control-Allow-Origin"] == "*"


@pytest.mark.parametrize("path", ["/cds-services", CALL, "/nowhere"])
def test_ch_229_the_wildcard_never_comes_with_credentials(monkeypatch: pytest.MonkeyPatch, path: str) -> None:
    assert "Access-Control-Allow-Credentials" not in preflight(monkeypatch, path).headers
