"""CH-099, CH-100, CH-101: the access token is used for one call and is nowhere afterwards."""

import gc
import json
import logging
from typing import Any

import pytest

from cds_service.fhir.addresses import Access
from tests.fhir.ehr import TOKEN, Ehr, Exchange, Fault, grant, make_call, open_service, post


def _hang_up(exchange: Exchange) -> None:
    exchange.handler.close_connection = True


FAULTS: dict[str, Fault | None] = {
    "answered": None,
    "refused": lambda exchange: exchange.reply({}, 401),
    "echoed": lambda exchange: exchange.reply({"resourceType": "OperationOutcome", "text": {"div": TOKEN}}, 403),
    "broken": lambda exchange: exchange.reply(b"{" + TOKEN.encode()),
    "hung up": _hang_up,
}


@pytest.mark.parametrize("name", FAULTS)
def test_ch_100_the_token_is_in_no_log_and_no_answer(
    ehr: Ehr, name: str, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    fault = FAULTS[name]
    if fault:
        ehr.faults["*"] = fault
    response = post(open_service(ehr, fhir_seconds=15, log_level="debug"), make_call(ehr))
    assert response.status_code == (412 if fault else 200)
    assert ehr.seen[0].headers["Authorization"] == f"Bearer {TOKEN}"  # it was used
    printed = capfd.readouterr()
    assert "hook_instance" in printed.err  # something was logged
    records = [json.dumps(vars(one), default=repr) for one in caplog.records]
    for place in (printed.out, printed.err, caplog.text, response.text, *records):
        assert TOKEN not in place


def test_ch_100_a_fault_of_ours_does_not_show_the_token(
    ehr: Ehr, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    from cds_service.fhir import client

    def fails(*_: Any) -> None:
        raise RuntimeError(TOKEN)

    monkeypatch.setattr(client, "settle_answer", fails)
    response = post(open_service(ehr, log_level="debug"), make_call(ehr))
    assert response.status_code == 500 and TOKEN not in response.text
    assert "RuntimeError" in (printed := capfd.readouterr().err) and TOKEN not in printed


def test_ch_099_the_token_is_not_kept_after_the_reply(ehr: Ehr) -> None:
    """No cookie, cache, pool or queue of ours holds it once the reply is out."""
    secret = "only-in-this-test-" + "x" * 20
    service = open_service(ehr, fhir_seconds=15)
    response = post(service, make_call(ehr, fhirAuthorization=grant(access_token=secret)))
    assert response.status_code == 200
    ehr.seen.clear()
    del response
    gc.collect()
    held = [one for one in gc.get_objects() if secret in _strings_of(one)]
    assert not [type(one) for one in held]


def _strings_of(thing: object) -> set[str]:
    """Strings that a container or an access holds itself, without the word Bearer."""
    if isinstance(thing, dict):
        members = [*thing, *thing.values()]
    elif isinstance(thing, list | tuple | set | frozenset):
        members = list(thing)
    else:
        members = [thing.token] if isinstance(thing, Access) else []
    return {one.removeprefix("Bearer ") for one in members if type(one) is str}


def test_ch_101_no_query_is_made_after_the_reply(ehr: Ehr) -> None:
    """The deadline ends a call; what was not sent by then is not sent later."""

    def slow(exchange: Exchange) -> None:
        exchange.wait(2.0)
        exchange.reply({}, 503)

    ehr.faults["*"] = slow
    assert post(open_service(ehr, fhir_seconds=0.3), make_call(ehr)).status_code == 412
    ehr.over.wait(1.0)  # what was sent in time may arrive a little later; the answers, and reasons to try again, do not
    before = len(ehr.seen)
    ehr.over.wait(2.0)
    assert len(ehr.seen) == before


def test_ch_098_no_cookie_of_the_server_is_sent_back(ehr: Ehr) -> None:
    ehr.faults["*"] = lambda exchange: exchange.reply(exchange.normal(), Set_Cookie="session=1; Path=/")
    service = open_service(ehr, fhir_seconds=15)
    for _ in range(2):
        assert post(service, make_call(ehr)).status_code == 200
    assert not [one for one in ehr.seen if "Cookie" in one.headers]
