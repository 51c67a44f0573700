"""Protected mode for tests: synthetic keys, tokens of every shape, and a rim that asks for them."""

import base64
import json
import os
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from uuid import uuid4

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from flask import Flask
from jwt.algorithms import get_default_algorithms

from cds_service import assembly, services
from cds_service.app import create_app
from cds_service.settings import Settings, load_settings
from cds_service.store import migrating
from tests.leaks import remember
from tests.spec.rim import CALL, reply

Json = dict[str, Any]
PUBLIC = "https://cds.example/rls"
ISSUER = "https://ehr.example"
NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
SECOND = int(NOW.timestamp())
FROM_FILE = 'file = "keys.json"'
SECRET = "synthetic-pseudonym-key-for-tests-only"
_CURVES = {"ES256": ec.SECP256R1(), "ES384": ec.SECP384R1(), "ES512": ec.SECP521R1()}
_METHODS = get_default_algorithms()


@cache
def private_key(algorithm: str, name: str) -> Any:  # noqa: ARG001
    """Made afresh for each run; `name` tells keys of one algorithm apart."""
    if algorithm in _CURVES:
        return ec.generate_private_key(_CURVES[algorithm])
    return rsa.generate_private_key(65537, 2048)


def signing_key(algorithm: str, name: str = "ours") -> Any:
    return private_key("RSA" if algorithm[0] in "RP" else algorithm, name)


@cache
def _public(algorithm: str, name: str) -> str:
    found = _METHODS[algorithm].to_jwk(signing_key(algorithm, name).public_key())
    return found if isinstance(found, str) else json.dumps(found)


def jwk(algorithm: str = "ES384", kid: str | None = None, name: str = "ours", **members: Any) -> Json:
    entry = json.loads(_public(algorithm, name))
    entry.pop("key_ops", None)
    return {**entry, "kid": kid or f"{name}-{algorithm}", "use": "sig", **members}


def key_set(*algorithms: str, name: str = "ours") -> Json:
    return {"keys": [jwk(one, name=name) for one in algorithms or ("ES384", "RS384")]}


def b64(data: bytes | Mapping[str, Any] | str) -> str:
    raw = data if isinstance(data, bytes) else data.encode() if isinstance(data, str) else json.dumps(data).encode()
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def header(algorithm: str = "ES384", **members: Any) -> Json:
    return _change({"alg": algorithm, "typ": "JWT", "kid": f"ours-{algorithm}"}, members)


def claims(path: str = CALL, **members: Any) -> Json:
    """Of a good token for `path`; members replace, `...` removes."""
    good = {
        "iss": ISSUER,
        "aud": PUBLIC + path,
        "exp": SECOND + 300,
        "iat": SECOND,
        "jti": str(uuid4()),
    }
    return _change(good, members)


def _change(message: Json, members: Mapping[str, Any]) -> Json:
    changed = {**message, **members}
    return {name: value for name, value in changed.items() if value is not ...}


def token(
    head: Json | str | None = None, body: Json | str | None = None, algorithm: str = "ES384", name: str = "ours"
) -> str:
    """A token signed with `algorithm`, whatever its header says; text stands for raw JSON."""
    head = header(algorithm) if head is None else head
    body = claims() if body is None else body
    signed = f"{b64(head)}.{b64(body)}"
    return remember(f"{signed}.{b64(_METHODS[algorithm].sign(signed.encode(), signing_key(algorithm, name)))}")


def bearer(value: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {value}"}


def registry(
    folder: Path, keys: str | None = None, extra: str = "", profile: str = "", algorithms: str = '["ES384", "RS384"]'
) -> Path:
    """A registry file with one client, `north`. `keys` are lines of its table of keys."""
    (folder / "keys.json").write_text(json.dumps(key_set("ES384", "RS384")))
    path = folder / "clients.toml"
    path.write_text(
        f'[[client]]\nname = "north"\nissuers = ["{ISSUER}"]\nalgorithms = {algorithms}\n{extra}\n'
        f"[client.keys]\n{keys or FROM_FILE}\n[client.profile]\n{profile}\n"
    )
    return path


def clear_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [one for one in os.environ if one.startswith("CDS_") and not one.startswith("CDS_TEST_")]:
        monkeypatch.delenv(name)


@cache
def _empty_store() -> bytes:
    """Migrating takes longer than most tests."""
    with TemporaryDirectory() as folder:
        file = Path(folder) / "store.sqlite3"
        migrating.migrate(f"sqlite:///{file}")
        return file.read_bytes()


def protected_settings(folder: Path, **values: Any) -> Settings:
    """With migrated tables in `folder`."""
    file = folder / "store.sqlite3"
    if "database_url" not in values and not file.exists():
        file.write_bytes(_empty_store())
    url = values.pop("database_url", f"sqlite:///{file}")
    given = {"clients": folder / "clients.toml", "public_url": PUBLIC, "pseudonym_key": SECRET, **values}
    return load_settings(database_url=url, **given)


def open_protected(
    monkeypatch: pytest.MonkeyPatch, folder: Path, answer: Any = lambda *_: reply(), **values: Any
) -> Flask:
    """The app in protected mode with a pipeline of our choosing; a registry is written unless there is one.

    `answer=None` is the real pipeline.
    """
    from tests.spec.rim import fake_engine

    clear_environment(monkeypatch)
    if not (folder / "clients.toml").exists():
        registry(folder)
    if answer is not None:
        monkeypatch.setattr(assembly, "build_engine", lambda _: fake_engine())
        monkeypatch.setattr(services, "answer", answer)
    return create_app(protected_settings(folder, **values), clock=lambda: NOW)
