"""JWK Sets to keys that may verify a signature, each bound to the algorithms it is for."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from jwt.algorithms import Algorithm, get_default_algorithms
from jwt.exceptions import PyJWTError

ALGORITHMS = ("ES256", "ES384", "ES512", "RS256", "RS384", "RS512", "PS256", "PS384", "PS512")
DEFAULT_ALGORITHMS = ("ES384", "RS384")  # CH-198
SMALLEST_RSA = 2048  # bits
LARGEST_RSA = 8192  # bits: verifying costs with the square
MOST_KEYS = 100
_CURVES = {"P-256": ("ES256",), "P-384": ("ES384",), "P-521": ("ES512",)}
_FOR_RSA = tuple(name for name in ALGORITHMS if name[0] in "RP")
_PRIVATE = ("d", "p", "q", "dp", "dq", "qi", "oth", "k")
_METHODS: Mapping[str, Algorithm] = {name: get_default_algorithms()[name] for name in ALGORITHMS}


class UnusableKey(ValueError):
    """A key or key set that cannot be used; the words name no key material."""


@dataclass(frozen=True, slots=True)
class VerifyingKey:
    """A public key with its id and the algorithms it may be used with: those of its curve or type, or its own `alg`."""

    kid: str
    algorithms: tuple[str, ...]
    key: Any

    def verifies(self, algorithm: str, message: bytes, signature: bytes) -> bool:
        """CH-216. `algorithm` is one of ours."""
        return algorithm in self.algorithms and bool(_METHODS[algorithm].verify(message, self.key, signature))


KeySet: TypeAlias = tuple[VerifyingKey, ...]


def find_key(keys: KeySet, kid: str, algorithm: str) -> VerifyingKey | None:
    """CH-200: by id; the id may stand for one key of each type (RFC 7517 4.5)."""
    return next((key for key in keys if key.kid == kid and algorithm in key.algorithms), None)


def parse_key_set(document: bytes | str | Mapping[str, Any], *, is_strict: bool) -> KeySet:
    """Keys of a JWK Set. Strict: every key must be usable. Else unusable ones, such as keys to encrypt, are left out.

    Raises `UnusableKey` when nothing is left, or when a member of the set is no public signing key (strict).
    """
    entries = _entries(document)
    keys = []
    for place, entry in enumerate(entries):
        try:
            keys.append(parse_key(entry))
        except UnusableKey as wrong:
            if is_strict:
                raise UnusableKey(f"key {place + 1}: {wrong}") from None
    if not keys:
        raise UnusableKey("there is no key in it that verifies signatures")
    if is_strict and len({key.kid for key in keys}) < len(keys):
        raise UnusableKey("two keys have the same kid")
    return tuple(keys)


def _entries(document: bytes | str | Mapping[str, Any]) -> list[Any]:
    try:
        loaded = document if isinstance(document, Mapping) else json.loads(document)
    except (ValueError, RecursionError):
        raise UnusableKey("it is not JSON") from None
    entries = loaded.get("keys") if isinstance(loaded, Mapping) else None
    if not isinstance(entries, list):
        raise UnusableKey('it is no JWK Set: an object with the member "keys", a list')
    if len(entries) > MOST_KEYS:
        raise UnusableKey(f"it holds more than {MOST_KEYS} keys")
    return entries


def parse_key(entry: object) -> VerifyingKey:
    """One JWK. Raises `UnusableKey`."""
    if not isinstance(entry, dict):
        raise UnusableKey("is no JSON object")
    kid = entry.get("kid")
    if not isinstance(kid, str) or not kid:
        raise UnusableKey("has no kid")
    if found := [name for name in _PRIVATE if name in entry]:
        raise UnusableKey(f"holds private or secret members ({', '.join(found)}); only public keys belong here")
    if entry.get("use", "sig") != "sig" or "verify" not in _list(entry.get("key_ops", ["verify"])):
        raise UnusableKey("is not meant for signatures (use, key_ops)")
    fitting = _fitting(entry)
    named = entry.get("alg")
    algorithms = fitting if named is None else tuple(name for name in fitting if name == named)
    if not algorithms:
        raise UnusableKey(f"its alg does not fit its type; one of {', '.join(fitting)} would")
    return VerifyingKey(kid, algorithms, _load(entry, algorithms[0]))


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


def _fitting(entry: Mapping[str, Any]) -> tuple[str, ...]:
    match entry.get("kty"), entry.get("crv"):
        case "EC", str(curve) if curve in _CURVES:
            return _CURVES[curve]
        case "RSA", _:
            return _FOR_RSA
        case _:
            raise UnusableKey(f"is neither RSA nor EC on {', '.join(_CURVES)}")


def _load(entry: Mapping[str, Any], algorithm: str) -> Any:
    try:
        key = _METHODS[algorithm].from_jwk(dict(entry))
    except (PyJWTError, ValueError, TypeError, KeyError, AttributeError):
        raise UnusableKey("its numbers are no public key") from None
    if entry["kty"] == "RSA" and not SMALLEST_RSA <= key.key_size <= LARGEST_RSA:
        raise UnusableKey(f"has {key.key_size} bits; RSA keys need {SMALLEST_RSA} to {LARGEST_RSA}")
    return key
