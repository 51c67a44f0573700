"""The JWT of a CDS Client, when a key was given: what must open, and what must not (rows M)."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from cds_service.conformance.finding import Answer, Finding, Json, Verdict, judged
from cds_service.conformance.peer import DISCOVERY, Peer
from cds_service.conformance.samples import Case
from cds_service.conformance.tokens import Signer

HOUR = 3600
RECOMMENDED = ("ES384", "RS384")


@dataclass(frozen=True, slots=True)
class Token:
    """One token for the service call. `is_strict`: accepting it is a failure, else advice."""

    row: str
    what: str
    make: Callable[[Signer, str], str]
    opens: bool = False
    is_strict: bool = True


def _with(**members: object) -> Callable[[Signer, str], str]:
    return lambda signer, path: signer.token(signer.header(), signer.claims(path, **members))


def _headed(**members: object) -> Callable[[Signer, str], str]:
    return lambda signer, path: signer.token(signer.header(**members), signer.claims(path))


def _aged(age: int, life: int) -> Callable[[Signer, str], str]:
    def make(signer: Signer, path: str) -> str:
        issued = int(signer.now()) - age
        return signer.token(signer.header(), signer.claims(path, iat=issued, exp=issued + life))

    return make


def _changed(signer: Signer, path: str) -> str:
    """The signature of one token under the claims of another."""
    head, _, signature = signer.sign(path).split(".")
    return f"{head}.{signer.sign(path).split('.')[1]}.{signature}"


def _foreign_jku(signer: Signer, path: str) -> str:
    foreign = signer.with_another_key()
    return foreign.token(signer.header(jku="https://conformance.invalid/keys"), signer.claims(path))


def _listed(signer: Signer, path: str) -> str:
    audiences = ["https://other.conformance.invalid", signer.audience + path]
    return signer.token(signer.header(), signer.claims(path, aud=audiences))


def _further(signer: Signer, path: str) -> str:
    return signer.token(signer.header(), signer.claims(path, sub="conformance", nbf=int(signer.now()) - 1))


TOKENS: tuple[Token, ...] = (
    Token("CH-196", "alg none", lambda signer, path: signer.unsigned(path, "none")),
    Token("CH-196", "alg NONE", lambda signer, path: signer.unsigned(path, "NONE")),
    Token("CH-196", "an empty signature", lambda signer, path: signer.sign(path).rpartition(".")[0] + "."),
    Token("CH-197", "HS256 keyed with the public key", lambda signer, path: signer.symmetric(path)),
    Token("CH-200", "no kid", _headed(kid=...), is_strict=False),
    Token("CH-200", "an unknown kid", _headed(kid="conformance-unknown")),
    Token("CH-201", "no typ", _headed(typ=...), is_strict=False),
    Token("CH-202", "a foreign jku", _foreign_jku),
    Token("CH-205", "an unknown issuer", _with(iss="https://conformance.invalid")),
    Token("CH-206", "aud of another service", lambda signer, path: signer.sign(f"{path}-other")),
    Token("CH-206", "no aud", _with(aud=...)),
    Token("CH-207", "aud as a list", _listed, opens=True),
    Token("CH-210", "exp past", _aged(2 * HOUR, HOUR)),
    Token("CH-210", "no exp", _with(exp=...)),
    Token("CH-211", "no iat", _with(iat=...)),
    Token("CH-211", "iat an hour ahead", _aged(-HOUR, HOUR // 2)),
    Token("CH-212", "a life of ten days", _aged(0, 240 * HOUR)),
    Token("CH-213", "no jti", _with(jti=...)),
    Token("CH-215", "an unknown tenant", _with(tenant="conformance-unknown"), is_strict=False),
    Token("CH-216", "a foreign key", lambda signer, path: signer.with_another_key().sign(path)),
    Token("CH-216", "changed claims", _changed),
    Token("CH-216", "a token cut short", lambda signer, path: signer.sign(path)[:-10]),
    Token("CH-217", "sub and nbf", _further, opens=True),
    Token("CH-194", "no JWT at all", lambda *_: "conformance"),
)


def probe_trust(peer: Peer, case: Case, signer: Signer) -> Iterator[Finding]:
    """All tokens at the service, then what differs by address, then replay."""
    path = f"{DISCOVERY}/{case.offer.id}"
    refused = []
    for token in TOKENS:
        answer = peer.call(case.offer.id, case.body, f"with {token.what}", token=token.make(signer, path))
        if token.opens:
            yield judged(token.row, answer, answer.status == case.answer.status, "as with any good token")
        else:
            refused.append(answer)
            yield judged(token.row, answer, answer.status == 401, "401", advice=not token.is_strict)
    yield from _same_refusals([one for one in refused if one.status == 401])
    yield from _by_address(peer, case, signer)
    if signer.algorithm in RECOMMENDED:
        yield judged("CH-198", case.answer, case.answer.is_well, f"{signer.algorithm} opens")
    again = signer.sign(path)
    peer.call(case.offer.id, case.body, "with a new token", token=again)
    answer = peer.call(case.offer.id, case.body, "with the same token again", token=again)
    yield judged("CH-213", answer, answer.status == 401, "401: a token is good once")


def _same_refusals(answers: list[Answer]) -> Iterator[Finding]:
    """CH-218: no answer tells why."""
    bodies = {answer.body for answer in answers}
    if answers:
        yield judged("CH-218", answers[-1], len(bodies) == 1, f"one body for all 401; there are {len(bodies)}")


def _by_address(peer: Peer, case: Case, signer: Signer) -> Iterator[Finding]:
    """CH-016, CH-187, CH-194, CH-208, CH-209."""
    path = f"{DISCOVERY}/{case.offer.id}"
    bare = peer.send("GET", DISCOVERY, "without a token", token=None)
    yield judged("CH-194", bare, bare.status == 401, "401")
    if bare.status == 401:
        yield judged("CH-016", bare, True, "a refusal of discovery is allowed")
    call = peer.call(case.offer.id, case.body, "without a token", token=None)
    yield judged("CH-194", call, call.status == 401, "401")
    wrong = peer.send("GET", DISCOVERY, "with a token for a service", token=signer.sign(path))
    yield judged("CH-208", wrong, wrong.status == 401, "401: aud is another address")
    right = peer.send("GET", DISCOVERY, "with a token for discovery", token=signer.sign(DISCOVERY))
    yield judged("CH-208", right, right.status == 200, "200")
    yield from _feedback(peer, f"{path}/feedback", signer)


def _feedback(peer: Peer, path: str, signer: Signer) -> Iterator[Finding]:
    body: Json = {"feedback": []}
    bare = peer.send("POST", path, "without a token", body, token=None)
    if bare.status in (404, 405, 501):
        return
    yield judged("CH-187", bare, bare.status == 401, "401")
    named = peer.send("POST", path, "with a token for the feedback address", body, token=signer.sign(path))
    yield judged("CH-209", named, named.status not in (0, 401, 403), "let in: the address called is /feedback")


def not_asked(answer: Answer) -> Iterator[Finding]:
    """Discovery asks for a login and no key was given."""
    if answer.status == 401:
        yield Finding(
            "CH-016", Verdict.PASSED, answer.sent, answer.received, "a refusal is allowed; give --key to go on"
        )
