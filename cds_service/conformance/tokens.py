"""Signs the JWTs of the self-test as a CDS Client would, good ones and forged ones."""

import base64
import hashlib
import hmac
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from uuid import uuid4

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key
from jwt.algorithms import get_default_algorithms

from cds_service.errors import ConfigurationError

LIFE_SECONDS = 300
ALGORITHMS = ("ES256", "ES384", "ES512", "RS256", "RS384", "RS512", "PS256", "PS384", "PS512")
Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Signer:
    """A registered CDS Client: its key and what its tokens say. `audience` is the base URL as the service knows it."""

    key: Any
    algorithm: str
    kid: str
    issuer: str
    audience: str
    now: Callable[[], float]
    tenant: str | None = None
    jku: str | None = None

    def claims(self, path: str, **members: Any) -> Json:
        """Of a good token for a path below the base; `...` removes a member."""
        second = int(self.now())
        tenant = {} if self.tenant is None else {"tenant": self.tenant}
        good = {
            "iss": self.issuer,
            "aud": self.audience + path,
            "exp": second + LIFE_SECONDS,
            "iat": second,
            "jti": str(uuid4()),
            **tenant,
        }
        return {name: value for name, value in {**good, **members}.items() if value is not ...}

    def header(self, **members: Any) -> Json:
        jku = {} if self.jku is None else {"jku": self.jku}
        good = {"alg": self.algorithm, "typ": "JWT", "kid": self.kid, **jku}
        return {name: value for name, value in {**good, **members}.items() if value is not ...}

    def sign(self, path: str) -> str:
        """A good token for a path."""
        return self.token(self.header(), self.claims(path))

    def token(self, header: Json, claims: Json) -> str:
        """Signed with the key of the client whatever the header says."""
        signed = f"{_b64(header)}.{_b64(claims)}"
        method = get_default_algorithms()[self.algorithm]
        return f"{signed}.{_b64(method.sign(signed.encode(), self.key))}"

    def with_another_key(self) -> "Signer":
        """The same client with a key that nobody knows."""
        if isinstance(self.key, ec.EllipticCurvePrivateKey):
            return replace(self, key=ec.generate_private_key(self.key.curve))
        return replace(self, key=rsa.generate_private_key(65537, 2048))

    def symmetric(self, path: str) -> str:
        """HS256 keyed with the public key: the classic confusion (CH-197)."""
        public = self.key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        signed = f"{_b64(self.header(alg='HS256'))}.{_b64(self.claims(path))}"
        return f"{signed}.{_b64(hmac.new(public, signed.encode(), hashlib.sha256).digest())}"

    def unsigned(self, path: str, algorithm: str) -> str:
        """CH-196."""
        return f"{_b64(self.header(alg=algorithm))}.{_b64(self.claims(path))}."


def _b64(data: bytes | Mapping[str, Any]) -> str:
    raw = data if isinstance(data, bytes) else json.dumps(data).encode()
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def load_key(path: Path) -> tuple[Any, str, str]:
    """Private key, the algorithm it is for and its kid ("" if the file has none). Raises `ConfigurationError`."""
    data = path.read_bytes()
    try:
        if data.lstrip().startswith(b"{"):
            entry = json.loads(data)
            entry = entry["keys"][0] if "keys" in entry else entry
            key = jwt.PyJWK(entry, algorithm=entry.get("alg", "") or _by_type(entry)).key
            return _checked(key), entry.get("alg", "") or _by_type(entry), entry.get("kid", "")
        key = load_pem_private_key(data, password=None)
        return _checked(key), _algorithm_of(key), ""
    except (ValueError, KeyError, IndexError, TypeError, jwt.PyJWTError) as wrong:
        raise ConfigurationError(f"{path.name}: is no private key as PEM or JWK ({type(wrong).__name__})") from None


def _checked(key: Any) -> Any:
    if not isinstance(key, ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey):
        raise TypeError("no private key for signing")
    return key


def _by_type(entry: Json) -> str:
    curves = {"P-256": "ES256", "P-384": "ES384", "P-521": "ES512"}
    return "RS384" if entry["kty"] == "RSA" else curves[entry["crv"]]


def _algorithm_of(key: Any) -> str:
    if isinstance(key, ec.EllipticCurvePrivateKey):
        return {"secp256r1": "ES256", "secp384r1": "ES384", "secp521r1": "ES512"}[key.curve.name]
    return "RS384"
