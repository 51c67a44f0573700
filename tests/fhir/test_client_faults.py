"""What FHIR servers do wrong, one row each: the call is answered in time, and what was lost is said (CH-091, CH-109).

Every fault strikes a required key (`ferritin`: 412) and one that is only named when lost (`weight`: 200).
"""

import logging
import socket
import ssl
import sys
import threading
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from tests.fhir.ehr import (
    FHIR_JSON,
    LONG,
    TOKEN,
    Ehr,
    Exchange,
    Fault,
    diagnostics,
    make_call,
    open_ehr,
    open_service,
    post,
    trace_of,
    wait_until,
)

SECONDS = 1.5  # for FHIR where a fault takes all there is: the default
AMPLE = 15.0  # where it does not, so that a busy machine changes nothing
LATE = 2.0  # seconds beyond that, generous for a busy machine: what is not cut off takes half a minute
OUTCOME = {"resourceType": "OperationOutcome", "issue": [{"severity": "error", "code": "exception"}]}
ANSWERED = {"supplied", "empty"}


def status(code: int, **headers: str) -> Fault:
    return lambda exchange: exchange.reply(OUTCOME, code, **headers)


def first(count: int, fault: Fault) -> Fault:
    """The fault for the first requests of a key, then an answer as usual."""
    return lambda exchange: fault(exchange) if exchange.number <= count else exchange.as_usual()


def slow(exchange: Exchange) -> None:
    time.sleep(0.1)
    exchange.as_usual()


def hanging(exchange: Exchange) -> None:
    exchange.handler.close_connection = True
    exchange.wait(LONG)


def too_slow(exchange: Exchange) -> None:
    exchange.wait(2 * SECONDS)
    exchange.as_usual()


def dripping_body(exchange: Exchange) -> None:
    exchange.head(200, {"Content-Type": FHIR_JSON, "Content-Length": "100000"})
    _drip(exchange, b" " * 100_000)


def dripping_chunks(exchange: Exchange) -> None:
    exchange.head(200, {"Content-Type": FHIR_JSON, "Transfer-Encoding": "chunked"})
    _drip(exchange, b"1\r\n \r\n" * 10_000)


def dripping_headers(exchange: Exchange) -> None:
    exchange.handler.wfile.write(b"HTTP/1.1 200 OK\r\n")
    _drip(exchange, b"X-Filler: 1\r\n" * 10_000)


def _drip(exchange: Exchange, data: bytes) -> None:
    exchange.handler.close_connection = True
    for place in range(len(data)):
        exchange.handler.wfile.write(data[place : place + 1])
        if exchange.wait(0.02):
            return


def hanging_up(exchange: Exchange) -> None:
    exchange.handler.close_connection = True
    exchange.handler.connection.shutdown(socket.SHUT_RDWR)


def breaking_off(exchange: Exchange) -> None:
    exchange.head(200, {"Content-Type": FHIR_JSON, "Content-Length": "5000"})
    exchange.handler.wfile.write(b'{"resourceType":"Bundle"')
    exchange.handler.close_connection = True


def truncated(exchange: Exchange) -> None:
    exchange.reply(b'{"resourceType":"Bundle","entry":[{"resource":{')


def no_http(exchange: Exchange) -> None:
    exchange.handler.wfile.write(b"\x16\x03\x01 this is no HTTP\r\n\r\n")
    exchange.handler.close_connection = True


def html(exchange: Exchange) -> None:
    exchange.reply(b"<html>Please log in</html>", kind="text/html")


def huge(exchange: Exchange) -> None:
    """More than 16 MiB, as fast as it will be taken."""
    exchange.head(200, {"Content-Type": FHIR_JSON, "Transfer-Encoding": "chunked"})
    exchange.handler.close_connection = True
    chunk = b"%x\r\n%s\r\n" % (1_000_000, b" " * 1_000_000)
    for _ in range(60):
        exchange.handler.wfile.write(chunk)


def other_json(exchange: Exchange) -> None:
    exchange.reply({"resourceType": "Parameters"})


def redirect(exchange: Exchange) -> None:
    exchange.reply(b"", 302, Location=exchange.seen.target.replace("Observation", "Elsewhere"))


def outcome(exchange: Exchange) -> None:
    exchange.reply(OUTCOME)


def outcome_in_searchset(exchange: Exchange) -> None:
    exchange.reply({"resourceType": "Bundle", "type": "searchset", "entry": [{"resource": OUTCOME}]})


@dataclass(frozen=True)
class Row:
    """`says`: words of the 412. `requests`: how often the key was asked for; None where that depends on the clock."""

    name: str
    fault: Fault
    says: str
    requests: int | None = 1

    @property
    def seconds(self) -> float:
        return SECONDS if self.says == IN_TIME else AMPLE


IN_TIME = "no answer in time"
LOST = (
    Row("too slow", too_slow, IN_TIME),
    Row("hanging", hanging, IN_TIME),
    Row("body a byte at a time", dripping_body, IN_TIME),
    Row("chunks a byte at a time", dripping_chunks, IN_TIME),
    Row("headers a byte at a time", dripping_headers, IN_TIME),
    Row("401", status(401), "the server answered 401"),
    Row("403", status(403), "the server answered 403"),
    Row("404", status(404), "the server answered 404"),
    Row("429 again and again", status(429), "the server answered 429", 3),
    Row("429, come back later than the deadline", status(429, Retry_After="60"), "the server answered 429"),
    Row("429, come back at a date", status(429, Retry_After="Wed, 21 Oct 2026 07:28:00 GMT"), "answered 429", 3),
    Row("500 is not repeated", status(500), "the server answered 500"),
    Row("503 again and again", status(503), "the server answered 503", 3),
    Row("hangs up", hanging_up, "could not be reached, or broke off", 3),
    Row("breaks off in the body", breaking_off, "could not be read"),
    Row("truncated JSON", truncated, "not a FHIR resource"),
    Row("no HTTP", no_http, "could not be reached, or broke off", None),
    Row("wrong content type", html, "did not answer in JSON"),
    Row("huge body", huge, "larger than is read", None),
    Row("JSON, but no Bundle", other_json, "something else than a Bundle"),
    Row("redirect", redirect, "the server answered 302"),
    Row("OperationOutcome", outcome, "OperationOutcome"),
    Row("OperationOutcome in a searchset", outcome_in_searchset, "OperationOutcome in the searchset"),
)
ROWS = pytest.mark.parametrize("row", LOST, ids=[row.name for row in LOST])


def timed(seconds: float, ask: Callable[[], Any]) -> Any:
    """The answer, which has to come when the time for FHIR is over: the claim is that nothing holds a call up."""
    began = time.monotonic()
    answer = ask()
    assert time.monotonic() - began < seconds + LATE
    return answer


@ROWS
def test_ch_091_a_required_key_that_is_lost_is_412_in_time(
    ehr: Ehr, row: Row, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    ehr.faults["ferritin"] = row.fault
    service = open_service(ehr, fhir_seconds=row.seconds, log_level="debug")
    response = timed(row.seconds, lambda: post(service, make_call(ehr)))
    assert response.status_code == 412, response.text
    assert "ferritin" in diagnostics(response) and row.says in diagnostics(response)
    assert "tsat" not in diagnostics(response)
    asked = [one for one in ehr.seen if one.key == "ferritin"]
    assert row.requests is None or len(asked) == row.requests
    assert not [one for one in ehr.seen if one.key == "Elsewhere"]
    printed = capsys.readouterr()
    assert TOKEN not in caplog.text + printed.err + printed.out + response.text  # CH-100


@ROWS
def test_ch_109_a_lost_key_that_is_not_required_is_named_on_the_card(ehr: Ehr, row: Row) -> None:
    ehr.faults["weight"] = row.fault
    response = timed(row.seconds, lambda: post(open_service(ehr, fhir_seconds=row.seconds), make_call(ehr)))
    assert response.status_code == 200, response.text
    trace = trace_of(response.get_json())
    assert trace["prefetch"]["weight"] == "failed" and row.says in trace["notObtained"]["weight"]
    assert {state for key, state in trace["prefetch"].items() if key != "weight"} <= ANSWERED
    assert "weight (query failed)" in response.get_json()["cards"][0]["detail"]


@pytest.mark.parametrize("fault", [hanging, dripping_body, dripping_chunks, dripping_headers])
def test_the_thread_that_waits_for_a_slow_server_ends_with_the_deadline(ehr: Ehr, fault: Fault) -> None:
    """The call is answered without it, but threads that stay behind would add up."""
    ehr.faults["weight"] = fault
    post(open_service(ehr, fhir_seconds=SECONDS), make_call(ehr))
    wait_until(lambda: ehr.dropped or not _is_reading())


def _is_reading() -> bool:
    """Whether a thread of ours is still in the middle of an answer."""
    frames = sys._current_frames()
    names = {one.ident: one.name for one in threading.enumerate()}
    stacks = [traceback.extract_stack(frame) for ident, frame in frames.items() if names.get(ident, "")[:5] == "fhir_"]
    return any(frame.name == "_send_once" for stack in stacks for frame in stack)


RECOVERED = {
    "slow, but in time": (slow, 1),
    "429 once, come back at once": (first(1, status(429, Retry_After="0")), 2),
    "502 once": (first(1, status(502)), 2),
    "503 twice": (first(2, status(503)), 3),
    "504 once": (first(1, status(504)), 2),
    "hangs up once": (first(1, hanging_up), 2),
}


@pytest.mark.parametrize("name", RECOVERED)
def test_reading_is_repeated_while_there_is_time(ehr: Ehr, name: str) -> None:
    fault, requests = RECOVERED[name]
    ehr.faults["ferritin"] = fault
    response = post(open_service(ehr, fhir_seconds=AMPLE), make_call(ehr))
    assert response.status_code == 200, response.text
    assert ehr.keys().count("ferritin") == requests


# ------------------------------------------------------------------------------- servers that refuse how we ask


@pytest.mark.parametrize("code", [400, 422, 501])
def test_a_search_refused_for_sort_or_count_is_repeated_once_without_them(ehr: Ehr, code: int) -> None:
    def refuses(exchange: Exchange) -> None:
        is_refused = "_sort" in exchange.seen.asked or "_count" in exchange.seen.asked
        exchange.reply(OUTCOME, code) if is_refused else exchange.as_usual()

    ehr.faults["*"] = refuses
    response = post(open_service(ehr, fhir_seconds=AMPLE), make_call(ehr))
    assert response.status_code == 200, response.text
    assert set(trace_of(response.get_json())["prefetch"].values()) <= ANSWERED
    assert ehr.keys().count("ferritin") == 2 and ehr.keys().count("conditions") == 1


def test_a_search_that_stays_refused_is_not_asked_a_third_time(ehr: Ehr) -> None:
    ehr.faults["ferritin"] = status(400)
    assert post(open_service(ehr, fhir_seconds=AMPLE), make_call(ehr)).status_code == 412
    assert ehr.keys().count("ferritin") == 2


@pytest.mark.parametrize("code", [405, 414])
def test_a_server_that_refuses_get_is_searched_by_post(ehr: Ehr, code: int) -> None:
    def refuses(exchange: Exchange) -> None:
        is_search = exchange.seen.method == "GET" and "?" in exchange.seen.target
        exchange.reply(OUTCOME, code) if is_search else exchange.as_usual()

    ehr.faults["*"] = refuses
    response = post(open_service(ehr, fhir_seconds=AMPLE), make_call(ehr))
    assert response.status_code == 200, response.text
    assert set(trace_of(response.get_json())["prefetch"].values()) <= ANSWERED
    sent = [one for one in ehr.seen if one.method == "POST" and one.key == "ferritin"]
    assert [one.target.rpartition("/")[2] for one in sent] == ["_search"]
    assert sent[0].headers["Authorization"] == f"Bearer {TOKEN}"


# ------------------------------------------------------------------------------------------------ the address itself


def test_a_port_that_nobody_listens_on_is_412() -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        base = f"http://127.0.0.1:{closed.getsockname()[1]}/fhir"
    with open_ehr() as ehr:
        service = open_service(ehr, fhir_bases=(base,), fhir_seconds=SECONDS)
        response = timed(SECONDS, lambda: post(service, make_call(ehr, fhirServer=base)))
    assert response.status_code == 412 and "could not be reached" in diagnostics(response)


def test_a_server_that_accepts_and_never_shakes_hands_is_412_in_time() -> None:
    """TLS to a socket that says nothing: the deadline holds there too."""
    with socket.socket() as silent, open_ehr() as ehr:
        silent.bind(("127.0.0.1", 0))
        silent.listen(50)
        base = f"https://127.0.0.1:{silent.getsockname()[1]}/fhir"
        service = open_service(ehr, fhir_bases=(base,), fhir_seconds=SECONDS)
        response = timed(SECONDS, lambda: post(service, make_call(ehr, fhirServer=base)))
    assert response.status_code == 412 and "no answer in time" in diagnostics(response)


def test_a_certificate_that_nobody_we_know_vouches_for_is_refused(tmp_path: Any) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*_self_signed(tmp_path))
    with open_ehr() as ehr:
        ehr._http.socket = context.wrap_socket(ehr._http.socket, server_side=True)
        base = ehr.base.replace("http:", "https:")
        service = open_service(ehr, fhir_bases=(base,), fhir_seconds=AMPLE)
        response = post(service, make_call(ehr, fhirServer=base))
        assert response.status_code == 412 and "could not be reached" in diagnostics(response)
        assert not ehr.seen


def _self_signed(folder: Any) -> tuple[str, str]:
    from datetime import UTC, datetime, timedelta

    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(UTC)
    made = x509.CertificateBuilder(name, name, key.public_key(), 1, now - timedelta(1), now + timedelta(1))
    signed = made.sign(key, hashes.SHA256())
    (folder / "cert.pem").write_bytes(signed.public_bytes(serialization.Encoding.PEM))
    (folder / "key.pem").write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return str(folder / "cert.pem"), str(folder / "key.pem")
