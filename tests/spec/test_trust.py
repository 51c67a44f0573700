"""Trust (section M of the wire contract): hostile and odd tokens, what they get, and what they must not set off."""

import json
import socket
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jwt
import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from cds_service import trust
from cds_service.errors import Unauthorized
from cds_service.keys import ALGORITHMS, parse_key, parse_key_set
from cds_service.trust import Endpoint, PublishedKeys, Times, Unreachable
from tests.spec.protected import (
    ISSUER,
    NOW,
    PUBLIC,
    SECOND,
    b64,
    bearer,
    claims,
    header,
    jwk,
    key_set,
    open_protected,
    registry,
    signing_key,
    token,
)
from tests.spec.rim import CALL, order_select, post, strictly

Make = Callable[[], str]


def unsigned(head: Any, body: Any = None, signature: str = "") -> str:
    return f"{b64(head)}.{b64(claims() if body is None else body)}.{signature}"


def hmac_with_public_key(algorithm: str) -> str:
    """The classical confusion: the public key as shared secret."""
    secret = json.dumps(jwk("RS384")).encode()
    signed = f"{b64(header(algorithm, kid='ours-RS384'))}.{b64(claims())}"
    method = jwt.algorithms.get_default_algorithms()[algorithm]
    return f"{signed}.{b64(method.sign(signed.encode(), secret))}"


def tampered(place: int) -> str:
    parts = token().split(".")
    parts[place] = b64(claims(tenant="other")) if place == 1 else b64(header(cty="x")) if place == 0 else parts[place]
    return ".".join(parts)


def twice(member: str, first: Any, second: Any, **rest: Any) -> str:
    """JSON with a member twice."""
    others = "".join(f", {json.dumps(name)}: {json.dumps(value)}" for name, value in rest.items())
    return f"{{{json.dumps(member)}: {json.dumps(first)}, {json.dumps(member)}: {json.dumps(second)}{others}}}"


def without(body: dict[str, Any], member: str) -> dict[str, Any]:
    return {name: value for name, value in body.items() if name != member}


# Each row: what it is, the token, the row of the contract. All are refused.
HOSTILE: tuple[tuple[str, str, Make], ...] = (
    *(
        ("CH-196", f"alg {alg!r}, no signature", lambda a=alg: unsigned(header(a)))
        for alg in ("none", "None", "NONE", "nOnE", "")
    ),
    ("CH-196", "alg none with a signature", lambda: token(header("none"))),
    ("CH-196", "alg missing", lambda: token(header(alg=...))),
    ("CH-196", "alg null", lambda: token(header(alg=None))),
    ("CH-196", "alg a list", lambda: token(header(alg=["ES384"]))),
    ("CH-196", "signature cut off", lambda: token().rpartition(".")[0] + "."),
    ("CH-196", "two segments", lambda: token().rpartition(".")[0]),
    *(
        ("CH-197", f"{alg} keyed with the public key", lambda a=alg: hmac_with_public_key(a))
        for alg in ("HS256", "HS384", "HS512")
    ),
    ("CH-199", "ES256, not allowed for this client", lambda: token(algorithm="ES256")),
    ("CH-199", "RS256 with the key for RS384", lambda: token(header("RS256", kid="ours-RS384"), algorithm="RS256")),
    ("CH-199", "PS384, not allowed", lambda: token(header("PS384", kid="ours-RS384"), algorithm="PS384")),
    (
        "CH-199",
        "header says RS384, kid is an EC key",
        lambda: token(header("RS384", kid="ours-ES384"), algorithm="RS384"),
    ),
    ("CH-199", "header says ES384, signed with RS384", lambda: token(header("ES384"), algorithm="RS384")),
    ("CH-199", "alg in lower case", lambda: token(header(alg="es384"))),
    ("CH-199", "EdDSA", lambda: token(header(alg="EdDSA"))),
    ("CH-200", "kid missing", lambda: token(header(kid=...))),
    ("CH-200", "kid unknown", lambda: token(header(kid="other"))),
    ("CH-200", "kid empty", lambda: token(header(kid=""))),
    ("CH-200", "kid a number", lambda: token(header(kid=1))),
    ("CH-200", "kid huge", lambda: token(header(kid="k" * 5000))),
    ("CH-200", "kid a path", lambda: token(header(kid="../../../../dev/null"))),
    ("CH-200", "kid with SQL", lambda: token(header(kid="' OR 1=1 --"))),
    ("CH-200", "kid with a null character", lambda: token(header(kid="ours-ES384\0"))),
    ("CH-200", "kid with a lone surrogate", lambda: token('{"alg":"ES384","typ":"JWT","kid":"\\ud800"}')),
    ("CH-201", "typ missing", lambda: token(header(typ=...))),
    ("CH-201", "typ of an access token", lambda: token(header(typ="at+jwt"))),
    ("CH-201", "typ a number", lambda: token(header(typ=1))),
    ("CH-202", "foreign jku", lambda: token(header(jku=CANARY), name="theirs")),
    ("CH-202", "foreign jku, signed with the right key", lambda: token(header(jku=CANARY))),
    ("CH-202", "jku empty", lambda: token(header(jku=""))),
    ("CH-202", "jku a list", lambda: token(header(jku=[CANARY]))),
    ("CH-202", "jku a file", lambda: token(header(jku="file:///etc/passwd"))),
    ("CH-216", "x5u and a foreign key", lambda: token(header(x5u=CANARY), name="theirs")),
    ("CH-216", "jwk: brings its own key", lambda: token(header(jwk=jwk(name="theirs")), name="theirs")),
    ("CH-216", "x5c and a foreign key", lambda: token(header(x5c=["MIIB"]), name="theirs")),
    ("CH-216", "crit", lambda: token(header(crit=["exp"], exp=1))),
    ("CH-216", "unencoded payload (b64 false)", lambda: token(header(b64=False, crit=["b64"]))),
    ("CH-216", "foreign key", lambda: token(name="theirs")),
    ("CH-216", "changed claims", lambda: tampered(1)),
    ("CH-216", "changed header", lambda: tampered(0)),
    ("CH-216", "signature of zeros", lambda: token().rpartition(".")[0] + "." + b64(bytes(96))),
    ("CH-216", "signature too short", lambda: token()[:-10]),
    ("CH-216", "signature in DER", lambda: token().rpartition(".")[0] + "." + b64(b"\x30\x06\x02\x01\x01\x02\x01\x01")),
    ("CH-205", "iss unknown", lambda: token(body=claims(iss="https://other.example"))),
    ("CH-205", "iss with a final slash", lambda: token(body=claims(iss=ISSUER + "/"))),
    ("CH-205", "iss in upper case", lambda: token(body=claims(iss=ISSUER.upper()))),
    ("CH-205", "iss missing", lambda: token(body=claims(iss=...))),
    ("CH-205", "iss a list", lambda: token(body=claims(iss=[ISSUER]))),
    ("CH-206", "aud missing", lambda: token(body=claims(aud=...))),
    ("CH-206", "aud of another service", lambda: token(body=claims("/cds-services/two"))),
    ("CH-206", "aud of discovery", lambda: token(body=claims("/cds-services"))),
    ("CH-206", "aud of feedback", lambda: token(body=claims(f"{CALL}/feedback"))),
    ("CH-206", "aud of the Host header", lambda: token(body=claims(aud=f"http://localhost{CALL}"))),
    ("CH-206", "aud with a final slash", lambda: token(body=claims(aud=f"{PUBLIC}{CALL}/"))),
    ("CH-206", "aud the base only", lambda: token(body=claims(aud=PUBLIC))),
    ("CH-206", "aud with a query", lambda: token(body=claims(aud=f"{PUBLIC}{CALL}?a=1"))),
    ("CH-207", "aud an empty list", lambda: token(body=claims(aud=[]))),
    ("CH-207", "aud a list of lists", lambda: token(body=claims(aud=[[PUBLIC + CALL]]))),
    ("CH-207", "aud an object", lambda: token(body=claims(aud={PUBLIC + CALL: True}))),
    ("CH-210", "exp missing", lambda: token(body=claims(exp=...))),
    ("CH-210", "exp a text", lambda: token(body=claims(exp=str(SECOND + 300)))),
    ("CH-210", "exp true", lambda: token(body=claims(exp=True))),
    ("CH-210", "exp beyond numbers", lambda: token(body=json.dumps(claims(exp=0)).replace('"exp": 0', '"exp": 1e999'))),
    ("CH-210", "exp NaN", lambda: token(body=json.dumps(claims(exp=float("nan"))))),
    ("CH-210", "exp passed, beyond the skew", lambda: token(body=claims(iat=SECOND - 100, exp=SECOND - 30))),
    ("CH-210", "exp in milliseconds", lambda: token(body=claims(exp=(SECOND + 300) * 1000))),
    ("CH-211", "iat missing", lambda: token(body=claims(iat=...))),
    ("CH-211", "iat in the future, beyond the skew", lambda: token(body=claims(iat=SECOND + 31))),
    ("CH-211", "iat a text", lambda: token(body=claims(iat=str(SECOND)))),
    ("CH-211", "iat negative", lambda: token(body=claims(iat=-1))),
    ("CH-212", "lives a second too long", lambda: token(body=claims(exp=SECOND + 3601))),
    ("CH-212", "ends before it began", lambda: token(body=claims(iat=SECOND + 20, exp=SECOND + 10))),
    ("CH-213", "jti missing", lambda: token(body=claims(jti=...))),
    ("CH-213", "jti a number", lambda: token(body=claims(jti=1))),
    ("CH-213", "jti empty", lambda: token(body=claims(jti=""))),
    ("CH-213", "jti huge", lambda: token(body=claims(jti="j" * 257))),
    ("CH-213", "jti with a null character", lambda: token(body=claims(jti="a\0b"))),
    ("CH-215", "tenant a number", lambda: token(body=claims(tenant=1))),
    ("CH-215", "tenant huge", lambda: token(body=claims(tenant="t" * 257))),
    ("CH-217", "nbf in the future, beyond the skew", lambda: token(body=claims(nbf=SECOND + 31))),
    ("CH-217", "nbf a text", lambda: token(body=claims(nbf="now"))),
    ("CH-194", "not a token", lambda: "garbage"),
    ("CH-194", "five segments, as of an encrypted token", lambda: ".".join(["e30"] * 5)),
    ("CH-194", "header no JSON", lambda: token("{")),
    ("CH-194", "header a list", lambda: token("[]")),
    ("CH-194", "claims a text", lambda: token(body='"claims"')),
    ("CH-194", "claims not UTF-8", lambda: f"{b64(header())}.{b64(bytes([0xFF, 0xFE]))}.{b64(b'x')}"),
    ("CH-194", "claims nested too deeply", lambda: token(body="[" * 4000)),
    ("CH-194", "number of thousands of digits", lambda: token(body=f'{{"exp": {"9" * 4500}}}')),
    ("CH-194", "alg twice", lambda: token(twice("alg", "none", "ES384", typ="JWT", kid="ours-ES384"))),
    (
        "CH-194",
        "iss twice",
        lambda: token(body=twice("iss", "https://other.example", ISSUER, **without(claims(), "iss"))),
    ),
    ("CH-194", "padded base64", lambda: token().replace(".", "=.", 1)),
    ("CH-194", "standard base64", lambda: token() + "+/"),
    ("CH-194", "longer than any header", lambda: token(body=claims(filler="x" * 9000))),
)

AUTHORIZATIONS: tuple[tuple[str, Callable[[str], str]], ...] = (
    ("empty", lambda _: ""),
    ("scheme alone", lambda _: "Bearer"),
    ("scheme and blank", lambda _: "Bearer "),
    ("no scheme", lambda good: good),
    ("another scheme", lambda good: f"Basic {good}"),
    ("two tokens", lambda good: f"Bearer {good} {good}"),
    ("two headers, as servers join them", lambda good: f"Bearer {good},Bearer {good}"),
    ("two blanks", lambda good: f"Bearer  {good}"),
    ("tab", lambda good: f"Bearer\t{good}"),
    ("trailing blank", lambda good: f"Bearer {good} "),
    ("quoted", lambda good: f'Bearer "{good}"'),
)

CANARY = ""  # set by the fixture: a listening socket that nothing may connect to


@pytest.fixture(scope="module", autouse=True)
def canary() -> Iterator[socket.socket]:
    global CANARY  # noqa: PLW0603
    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.settimeout(0)
        CANARY = f"http://127.0.0.1:{listening.getsockname()[1]}/keys"
        yield listening


def was_touched(canary: socket.socket) -> bool:
    try:
        canary.accept()
    except BlockingIOError:
        return False
    return True


@pytest.fixture
def client(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> FlaskClient:
    registry(tmp_path)
    return open_protected(monkeypatch, tmp_path).test_client()


@pytest.fixture
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise AssertionError("a name was looked up or a connection opened")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)


def call(client: FlaskClient, value: str, path: str = CALL) -> TestResponse:
    return post(client, order_select(), path, headers=bearer(value))


def signature_of(response: TestResponse) -> tuple[Any, ...]:
    """Everything of an answer but its id."""
    headers = sorted((name, value) for name, value in response.headers.items() if name != "X-Request-Id")
    return response.status_code, response.data, headers


def test_a_good_token_opens(client: FlaskClient) -> None:
    assert call(client, token()).status_code == 200


@pytest.mark.parametrize(("row", "what", "make"), HOSTILE, ids=[f"{row} {what}" for row, what, _ in HOSTILE])
@pytest.mark.usefixtures("no_network")
def test_a_bad_token_is_refused_without_a_word(
    client: FlaskClient, canary: socket.socket, row: str, what: str, make: Make
) -> None:
    """CH-218: the answer is that to a call without any token; CH-220: and no connection is made."""
    refused, bare = call(client, make()), post(client, order_select())
    assert signature_of(refused) == signature_of(bare), (row, what)
    assert not was_touched(canary), (row, what)


def test_there_are_at_least_sixty_hostile_tokens() -> None:
    assert len({what for _, what, _ in HOSTILE}) == len(HOSTILE) >= 60


@pytest.mark.parametrize(("what", "build"), AUTHORIZATIONS, ids=[what for what, _ in AUTHORIZATIONS])
def test_ch_194_only_one_bearer_token_in_the_header_counts(
    client: FlaskClient, what: str, build: Callable[[str], str]
) -> None:
    refused = post(client, order_select(), headers={"Authorization": build(token())})
    assert refused.status_code == 401, what


@pytest.mark.parametrize("path", [CALL + "?access_token={}", CALL + "?token={}"])
def test_ch_194_a_token_in_the_query_does_not_count(client: FlaskClient, path: str) -> None:
    assert post(client, order_select(), path.format(token())).status_code == 401


def test_ch_218_a_refusal_is_a_bare_401(client: FlaskClient) -> None:
    response = call(client, "garbage")
    assert response.status_code == 401
    assert response.headers["WWW-Authenticate"] == "Bearer"
    assert "diagnostics" not in json.dumps(strictly(response))


def test_ch_218_the_reason_is_in_the_log(client: FlaskClient, capsysbinary: pytest.CaptureFixture[bytes]) -> None:
    call(client, token(body=claims(exp=SECOND - 60, iat=SECOND - 100)))
    assert json.loads(capsysbinary.readouterr().err.splitlines()[-1])["reason"] == "exp has passed"


GOOD: tuple[tuple[str, str, Make], ...] = (
    ("CH-198", "RS384", lambda: token(algorithm="RS384")),
    ("CH-201", "typ in lower case", lambda: token(header(typ="jwt"))),
    ("CH-207", "aud as an array", lambda: token(body=claims(aud=["https://other.example", PUBLIC + CALL]))),
    ("CH-210", "exp passed, within the skew", lambda: token(body=claims(iat=SECOND - 100, exp=SECOND - 29))),
    ("CH-210", "exp with a fraction", lambda: token(body=claims(exp=SECOND + 60.5))),
    ("CH-211", "iat ahead, within the skew", lambda: token(body=claims(iat=SECOND + 30))),
    ("CH-212", "an hour", lambda: token(body=claims(exp=SECOND + 3600))),
    ("CH-213", "jti of the greatest length", lambda: token(body=claims(jti="j" * 256))),
    ("CH-215", "no tenant", lambda: token(body=claims(tenant=...))),
    ("CH-215", "any tenant where none is listed", lambda: token(body=claims(tenant="t"))),
    ("CH-217", "sub and nbf, RS384", lambda: token(body=claims(sub="app", nbf=SECOND), algorithm="RS384")),
    ("CH-217", "nbf ahead, within the skew", lambda: token(body=claims(nbf=SECOND + 30))),
    (
        "CH-217",
        "further claims and header members",
        lambda: token(header(x5t="abc", cty="x"), claims(azp="a", scp=[1])),
    ),
)


@pytest.mark.parametrize(("row", "what", "make"), GOOD, ids=[f"{row} {what}" for row, what, _ in GOOD])
def test_an_odd_but_good_token_opens(client: FlaskClient, row: str, what: str, make: Make) -> None:
    assert call(client, make()).status_code == 200, (row, what)


def test_the_scheme_may_be_in_any_case(client: FlaskClient) -> None:
    assert post(client, order_select(), headers={"Authorization": f"bearer {token()}"}).status_code == 200


ENDPOINTS = (
    ("CH-208", "/cds-services", "/cds-services", 200),
    ("CH-208", CALL, "/cds-services", 401),
    ("CH-209", f"{CALL}/feedback", f"{CALL}/feedback", 400),
    ("CH-209", CALL, f"{CALL}/feedback", 400),
    ("CH-209", f"{CALL}/feedback", CALL, 401),
    ("CH-209", "/cds-services/two/feedback", f"{CALL}/feedback", 401),
    ("CH-206", "/cds-services/unknown", "/cds-services/unknown", 404),
)


@pytest.mark.parametrize(
    ("row", "named", "called", "status"), ENDPOINTS, ids=[" ".join(map(str, one)) for one in ENDPOINTS]
)
def test_a_token_is_good_for_the_endpoint_it_names(
    client: FlaskClient, row: str, named: str, called: str, status: int
) -> None:
    """400 is the body: the token was accepted."""
    value = token(body=claims(named))
    response = (
        client.get(called, headers=bearer(value))
        if called == "/cds-services"
        else post(client, {"x": 1}, called, headers=bearer(value))
    )
    assert response.status_code == status, row


def test_ch_206_aliases_of_one_client_are_accepted(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """T-23: a former address, and a constant that a client sends instead of an address."""
    registry(tmp_path, extra='audience_bases = ["https://old.example/"]\naudiences = ["the-cds"]')
    client = open_protected(monkeypatch, tmp_path).test_client()
    for audience, status in (("https://old.example" + CALL, 200), ("the-cds", 200), ("https://old.example", 401)):
        assert call(client, token(body=claims(aud=audience))).status_code == status, audience


@pytest.mark.parametrize(
    ("settings", "tenant", "status"),
    [
        ('tenants = ["a", "b"]', "b", 200),
        ('tenants = ["a", "b"]', "c", 401),
        ('tenants = ["a", "b"]', ..., 200),
        ('tenants = ["a", "b"]\nrequire_tenant = true', ..., 401),
        ('tenants = ["a", "b"]\nrequire_tenant = true', "a", 200),
    ],
)
def test_ch_215_tenants_are_listed(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, settings: str, tenant: Any, status: int
) -> None:
    registry(tmp_path, extra=settings)
    client = open_protected(monkeypatch, tmp_path).test_client()
    assert call(client, token(body=claims(tenant=tenant))).status_code == status


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_ch_199_every_algorithm_of_the_list_verifies_if_allowed(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, algorithm: str
) -> None:
    registry(tmp_path, algorithms=json.dumps([algorithm]), keys=f"jwks = '{json.dumps(key_set(algorithm))}'")
    client = open_protected(monkeypatch, tmp_path).test_client()
    assert call(client, token(algorithm=algorithm)).status_code == 200


def test_ch_200_a_kid_in_standard_base64_is_only_a_name(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    kid = "Zm9v+YmFy/cXV4=="
    registry(tmp_path, keys=f"jwks = '{json.dumps({'keys': [jwk(kid=kid)]})}'")
    client = open_protected(monkeypatch, tmp_path).test_client()
    assert call(client, token(header(kid=kid))).status_code == 200


# --- replay


def test_ch_213_the_second_use_is_refused(client: FlaskClient) -> None:
    value = token()
    assert [call(client, value).status_code for _ in range(3)] == [200, 401, 401]


def test_ch_214_a_refused_token_does_not_use_up_its_jti(client: FlaskClient) -> None:
    body = claims()
    assert call(client, token(body=body, name="theirs")).status_code == 401
    assert call(client, token(body=body)).status_code == 200


def test_ch_214_jti_is_keyed_by_issuer(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    path = registry(tmp_path)
    path.write_text(path.read_text().replace(f'["{ISSUER}"]', f'["{ISSUER}", "https://second.example"]'))
    client = open_protected(monkeypatch, tmp_path).test_client()
    for issuer in (ISSUER, "https://second.example"):
        assert call(client, token(body=claims(jti="same", iss=issuer))).status_code == 200


def test_ch_213_of_fifty_uses_at_once_one_is_answered(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    app = open_protected(monkeypatch, tmp_path)
    value = token()
    with ThreadPoolExecutor(50) as pool:
        statuses = list(pool.map(lambda _: call(app.test_client(), value).status_code, range(50)))
    assert sorted(statuses) == [200] + [401] * 49


def test_a_token_that_cannot_be_checked_for_replay_is_not_let_through(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    app = open_protected(monkeypatch, tmp_path)
    for file in tmp_path.glob("store.sqlite3*"):
        file.unlink()
    app.extensions["cds_service.store"].engine.dispose()
    response = call(app.test_client(), token())
    assert response.status_code == 503
    assert response.headers["Retry-After"]
    assert app.test_client().get("/readyz").status_code == 503


# --- published keys


@dataclass
class KeyServer:
    """A key server in the test's hands, with a clock of its own."""

    document: Any = None
    asked: int = 0
    second: float = 1000.0

    def fetch(self, _: str) -> bytes:
        self.asked += 1
        if self.document is None:
            raise Unreachable("down")
        return json.dumps(self.document).encode()


URL = "https://ehr.example/keys"


def verify(keys: PublishedKeys, registered: Any, value: str) -> bool:
    endpoint, times = Endpoint(CALL), Times(30, 3600)
    try:
        trust.verify_caller(registered, f"Bearer {value}", endpoint, PUBLIC, NOW.timestamp(), times, keys.find)
    except Unauthorized:
        return False
    return True


@pytest.fixture
def published(tmp_path: Path) -> tuple[KeyServer, Callable[[str], bool]]:
    from cds_service.clients import load_registry
    from tests.spec.protected import protected_settings

    registry(tmp_path, keys=f'jku = "{URL}"')
    registered = load_registry(tmp_path / "clients.toml", protected_settings(tmp_path))
    server = KeyServer(key_set())
    keys = PublishedKeys(lambda *_: None, server.fetch, lambda: server.second)
    return server, lambda value: verify(keys, registered, value)


Published = tuple[KeyServer, Callable[[str], bool]]


def test_ch_202_a_pinned_jku_is_fetched_once_and_kept(published: Published) -> None:
    server, opens = published
    assert opens(token(header(jku=URL)))
    assert opens(token(header(jku=URL)))
    assert opens(token())  # CH-203: without jku the pinned set counts, too
    assert server.asked == 1


def test_ch_204_a_new_key_is_fetched_and_a_removed_one_dies(published: Published) -> None:
    server, opens = published
    assert opens(token())
    server.document = key_set(name="second")
    server.second += trust.BETWEEN_FETCHES
    assert opens(token(header(kid="second-ES384"), name="second"))
    assert not opens(token())


def test_ch_204_a_removed_key_dies_at_the_latest_when_the_set_is_old(published: Published) -> None:
    server, opens = published
    assert opens(token())
    server.document = key_set(name="second")
    server.second += trust.FRESH - 1
    assert opens(token())
    server.second += 1
    assert not opens(token())


def test_ch_200_unknown_kids_cannot_make_us_fetch_often(published: Published) -> None:
    server, opens = published
    assert opens(token())
    for number in range(20):
        assert not opens(token(header(kid=f"made-up-{number}")))
    assert server.asked == 1
    server.second += trust.BETWEEN_FETCHES
    for number in range(20):
        assert not opens(token(header(kid=f"made-up-{number}")))
    assert server.asked == 2


def test_the_last_good_keys_are_kept_through_an_outage(published: Published) -> None:
    server, opens = published
    assert opens(token())
    outages: tuple[Any, ...] = (None, {}, {"keys": []}, {"keys": "no"})
    for document in outages:
        server.document = document
        server.second += trust.FRESH
        assert opens(token()), document
    assert server.asked == 5


def test_a_key_server_that_never_answered_opens_nothing(published: Published) -> None:
    server, opens = published
    server.document = None
    assert not opens(token())
    assert not opens(token())
    assert server.asked == 1


def test_keys_of_other_uses_do_not_spoil_a_published_set(published: Published) -> None:
    server, opens = published
    server.document = {"keys": [{"kty": "oct", "k": "AAAA", "kid": "s"}, jwk(use="enc", kid="e"), *key_set()["keys"]]}
    assert opens(token())


# --- vectors from outside: what the published texts and the public sandbox sign with

# The worked example of the CDS Hooks texts (2.0, "Trusting CDS Clients"), key and token as printed there.
EXAMPLE_KEY = {
    "kty": "EC",
    "use": "sig",
    "crv": "P-384",
    "kid": "example-kid",
    "x": "46SDH7Znh821wblCBglA61sNE9ZrHYKKt3qRtRTmSXyOI_FIGBLWrWa0GPUkDCEk",
    "y": "XMcRuuoGW7CXjQdy-F5i3FeBE0x9hPLdeFdSoDd3ELmx404tLX0VRRcqzAsPhXcI",
    "alg": "ES384",
}
EXAMPLE_TOKEN = (
    "eyJhbGciOiJFUzM4NCIsInR5cCI6IkpXVCIsImtpZCI6ImV4YW1wbGUta2lkIiwiamt1IjoiaHR0cHM6Ly9maGlyLWVoci5leGFtcGxlLmNvbS9q"
    "d2tfdXJpIn0.eyJpc3MiOiJodHRwczovL2ZoaXItZWhyLmV4YW1wbGUuY29tLyIsInN1YiI6ImNsaWVudF9pZCIsImF1ZCI6Imh0dHBzOi8vY2Rz"
    "LmV4YW1wbGUub3JnL2Nkcy1zZXJ2aWNlcy9zb21lLXNlcnZpY2UiLCJleHAiOjE0MjI1Njg4NjAsImlhdCI6MTMxMTI4MDk3MCwianRpIjoiZWUy"
    "MmIwMjEtZTFiNy00NjExLWJhNWItOGVlYzZhMzNhYzFlIiwidGVuYW50IjoiMmRkZDZjM2EtOGU5YS00NGM2LWEzMDUtNTIxMTFhZDMwMmEyIn0."
    "CUFPkplnWd6YGIvzoHolWCQBDsCL8QtTWKGg_QFpS169WrqDGzktRi-_we6-6rVzbjerU27ZKww_SW0-b9RTz-dPJNcqsueMio8r6EqXUXhbLm_c"
    "h3XFSbDlGHDl_tqo"
)
# The public sandbox's published key set (cds-hooks/sandbox, .well-known/jwks.json).
SANDBOX_KEY = {
    "kty": "EC",
    "use": "sig",
    "crv": "P-384",
    "kid": "44823f3d-0b01-4a6c-a80e-b9d3e8a7226f",
    "x": "dw_JGR8nB2I6XveNxUOl2qk699ZPLM2nYI5STSdiEl9avAkrm3CkfYMbrrjr8laB",
    "y": "Sm3mLE-n1zYNla_aiE3cb3nZsL51RbC7ysw3q8aJLxGm-hx79RPMYpITDjp7kgzy",
    "alg": "ES384",
}


def test_ch_198_the_worked_example_of_the_texts_verifies() -> None:
    """Its times span three years (CH-212), so only its signature is checked."""
    key = parse_key(EXAMPLE_KEY)
    signed, _, signature = EXAMPLE_TOKEN.rpartition(".")
    raw = jwt.utils.base64url_decode(signature)
    assert key.verifies("ES384", signed.encode(), raw)
    assert not key.verifies("ES384", signed.encode() + b"A", raw)


def test_the_key_of_the_public_sandbox_can_be_registered() -> None:
    (key,) = parse_key_set({"keys": [SANDBOX_KEY]}, is_strict=True)
    assert (key.kid, key.algorithms) == (SANDBOX_KEY["kid"], ("ES384",))


def test_a_key_is_never_used_with_an_algorithm_of_another_type() -> None:
    message = b"m"
    method = jwt.algorithms.get_default_algorithms()["RS256"]
    key = parse_key(jwk("RS384"))  # its own `alg` is not given: every RSA algorithm fits
    assert key.verifies("RS256", message, method.sign(message, signing_key("RS256")))
    bound = parse_key(jwk("RS384", alg="RS384"))
    assert not bound.verifies("RS256", message, method.sign(message, signing_key("RS256")))
