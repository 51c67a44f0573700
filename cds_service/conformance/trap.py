"""A listener on this machine that the service under test has no reason to contact (CH-098, CH-108)."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from cds_service.conformance.changes import authorization
from cds_service.conformance.finding import Finding, judged
from cds_service.conformance.peer import Peer
from cds_service.conformance.samples import Case


@contextmanager
def listen() -> Iterator[tuple[str, list[str]]]:
    """Address of the trap, and what was asked of it."""
    asked: list[str] = []

    class Trap(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_response(404)
            self.end_headers()

        do_POST = do_GET

        def log_message(self, *_: object) -> None:
            """Nothing on the terminal."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Trap)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/fhir", asked
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def probe_outgoing(peer: Peer, case: Case) -> Iterator[Finding]:
    """Only where the service could reach us: on this machine."""
    if not peer.is_loopback or not case.offer.prefetch:
        return
    body = {name: value for name, value in case.body.items() if name != "prefetch"}
    with listen() as (address, asked):
        bare = peer.call(case.offer.id, {**body, "fhirServer": address}, "with a FHIR server and no token")
        yield judged("CH-098", bare, not asked, f"no call to the FHIR server; it got {len(asked)}")
        asked.clear()
        access = authorization(patient=body["context"].get("patientId", ""))
        listed = peer.call(
            case.offer.id,
            {**body, "fhirServer": address, "fhirAuthorization": access},
            "with a FHIR server that nobody agreed on",
        )
        expected = f"no call to a server that is not configured; it got {len(asked)}"
        yield judged("CH-108", listed, not asked, expected, advice=True)
