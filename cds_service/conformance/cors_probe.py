"""CORS: preflight, answers and errors as a page in a browser sees them (rows N)."""

from collections.abc import Iterator
from dataclasses import replace

from cds_service.conformance.finding import Answer, Finding, judged
from cds_service.conformance.peer import DISCOVERY, Peer
from cds_service.conformance.samples import Case

ORIGIN = "https://conformance.example"
ALLOW = "Access-Control-Allow-Origin"
_CORS = "access-control-"


def probe_cors(peer: Peer, case: Case, origin: str, *, is_listed: bool) -> Iterator[Finding]:
    """`is_listed`: the origin was named by whoever runs the test as one the service answers."""
    answer = peer.send("GET", DISCOVERY, f"from {origin}", Origin=origin)
    is_open = ALLOW in answer.headers
    expected = f"{ALLOW}; without it pages in browsers cannot call the service"
    yield _judged("CH-226", answer, is_open, expected, advice=not is_listed)
    foreign = peer.send("GET", DISCOVERY, "from another origin", Origin="https://foreign.invalid")
    for one in (answer, foreign):
        yield _judged("CH-229", one, not _is_reckless(one), "no credentials for any origin")
    if not is_open:
        return
    for path in (DISCOVERY, f"{DISCOVERY}/{case.offer.id}"):
        preflight = peer.send(
            "OPTIONS",
            path,
            f"preflight from {origin}",
            token=None,
            Origin=origin,
            Access_Control_Request_Method="POST",
            Access_Control_Request_Headers="authorization,content-type",
        )
        yield _judged("CH-227", preflight, _lets_through(preflight), "2xx that allows Authorization and Content-Type")
    refused = peer.send("POST", f"{DISCOVERY}/{case.offer.id}", f"broken, from {origin}", b"{", Origin=origin)
    if refused.status >= 400:
        yield _judged("CH-228", refused, ALLOW in refused.headers, f"{ALLOW} on errors too")


def _judged(row: str, answer: Answer, is_right: bool, expected: str, *, advice: bool = False) -> Finding:
    """As `judged`, showing the headers and not the body."""
    shown = ", ".join(f"{name}: {value}" for name, value in answer.headers.items() if name.lower().startswith(_CORS))
    found = judged(row, answer, is_right, expected, advice=advice)
    return replace(found, received=f"{answer.status}, {shown or 'no CORS header'}")


def _is_reckless(answer: Answer) -> bool:
    allowed = answer.headers.get(ALLOW, "")
    credentials = answer.headers.get("Access-Control-Allow-Credentials", "").lower() == "true"
    return credentials and allowed in ("*", "https://foreign.invalid")


def _lets_through(answer: Answer) -> bool:
    headers = answer.headers.get("Access-Control-Allow-Headers", "").lower()
    named = headers == "*" or all(name in headers for name in ("authorization", "content-type"))
    return answer.is_well and ALLOW in answer.headers and named
