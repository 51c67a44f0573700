"""The environment, read once at start and frozen: every `CDS_*` setting with its default and what it does."""

import base64
import ipaddress
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, tzinfo
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from pydantic import Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from cds_service.errors import ConfigurationError

PREFIX = "CDS_"
FOR_TESTS = "CDS_TEST_"  # variables of the test suite, which may be set where the service is run
MEBIBYTE = 1024 * 1024
SHORTEST_SECRET = 32  # characters
SHORTEST_TOKEN = 16  # characters
METRICS_FOLDER = "PROMETHEUS_MULTIPROC_DIR"  # read by prometheus-client when it is imported
FERNET_KEY_BYTES = 32
Names = Annotated[tuple[str, ...], NoDecode]  # comma-separated in the environment


def _public_url(data: dict[str, Any]) -> str:
    host = data.get("host", "127.0.0.1")
    if host in ("0.0.0.0", "::"):  # every interface: this one is sure to answer here
        host = "127.0.0.1"
    return f"http://{f'[{host}]' if ':' in host else host}:{data.get('port', 8000)}"


class Settings(BaseSettings):
    """One instance is made at start and passed on; nothing else reads the environment. Raises `ConfigurationError`."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX,
        env_ignore_empty=True,
        frozen=True,
        extra="forbid",
        hide_input_in_errors=True,
    )

    host: str = Field(
        "127.0.0.1",
        description="Address to listen on. Without CDS_CLIENTS (demo mode) loopback only.",
    )
    port: int = Field(8000, ge=1, le=65535, description="Port to listen on.")
    public_url: str = Field(
        default_factory=_public_url,
        description="URL under which CDS Clients reach the service, with its path prefix behind a proxy.",
        json_schema_extra={"shown": "http://<CDS_HOST>:<CDS_PORT>"},
    )
    canonical: str = Field(
        default_factory=lambda data: str(data.get("public_url", "")),
        description="Start of every canonical URL in cards (topics, identifiers). Keep it when the service moves.",
        json_schema_extra={"shown": "the value of CDS_PUBLIC_URL"},
    )
    former_canonicals: Names = Field(
        (),
        description="Values CDS_CANONICAL had before, comma-separated: identifiers made then are still recognised.",
    )
    clients: Path | None = Field(
        None,
        description="Client registry file (TOML). Set: protected mode, registered CDS Clients only. Unset: demo mode.",
    )
    database_url: str = Field(
        "sqlite:///cds-service.sqlite3",
        repr=False,
        description="Where calls, cards and feedback are kept: an SQLAlchemy URL, SQLite or PostgreSQL.",
    )
    valuesets: Path | None = Field(
        None,
        description="Folder with further FHIR ValueSet files: local codes added to the sets of this service.",
    )
    sign_off: Path | None = Field(
        None,
        description="Sign-off file (TOML) of the clinical knowledge: signatures and review dates for one content hash.",
    )
    timezone: str | None = Field(
        None,
        description="IANA zone of the site, for calendar dates. Unset: the zone of this machine.",
    )
    label: Literal["us", "eu"] = Field("us", description="Product limits by US or EU label: us or eu.")
    demo: Literal["", "anywhere"] = Field(
        "",
        description="`anywhere` lets demo mode listen on other than loopback, as in a container. It asks for no login.",
    )
    demo_hosts: Names = Field(
        (),
        description="Demo mode: host names besides loopback, comma-separated, that a request may be addressed to.",
    )
    fhir_bases: Names = Field(
        (),
        description="Demo mode: FHIR base URLs, comma-separated, that may be queried, beside that of the demo itself.",
    )
    fhir_seconds: float = Field(
        1.5, gt=0, le=60, description="How long a call may wait for its FHIR server, all queries together, in seconds."
    )
    fhir_places: int | None = Field(
        None,
        ge=1,
        le=512,
        description="Calls of a worker that may wait for FHIR servers at once; more are answered with 503.",
        json_schema_extra={"shown": "half of CDS_THREADS"},
    )
    max_body_bytes: int = Field(
        8 * MEBIBYTE,
        ge=1024,
        description="Largest request body in bytes; more is answered with 413.",
    )
    clock_skew_seconds: int = Field(
        30, ge=0, le=300, description="How far the clock of a CDS Client may be off when its token is judged."
    )
    token_lifetime_seconds: int = Field(
        3600, ge=60, le=86_400, description="Longest time from `iat` to `exp` of a token; longer ones are refused."
    )
    pseudonym_key: SecretStr | None = Field(
        None,
        description="Secret, at least 32 characters, from which patients' pseudonyms are made. Unset: none are made.",
    )
    keep_pseudonym: bool = Field(
        True, description="Keep the pseudonym with each call. Off: it only decides who is live in a staged rollout."
    )
    comment_key: SecretStr | None = Field(
        None, description="Fernet key that encrypts the comments users write in feedback. Unset: comments are dropped."
    )
    retention_days: int = Field(
        730, ge=1, le=36_500, description="`cds-service purge` deletes calls, cards and feedback older than this."
    )
    record_queue: int = Field(
        10_000, ge=1, le=1_000_000, description="Calls a worker holds for the database; beyond that they are lost."
    )
    workers: int = Field(2, ge=1, le=256, description="Worker processes.")
    threads: int = Field(8, ge=1, le=512, description="Threads in each worker.")
    graceful_seconds: int = Field(
        30,
        ge=1,
        le=600,
        description="How long a stopping worker may finish the calls it accepted.",
    )
    trace: bool = Field(
        True,
        description="Demo mode: put the decision trace into the `extension` of each reply.",
    )
    server_timing: bool = Field(
        False,
        description="Add a Server-Timing header that says where the time of a call went.",
    )
    metrics_token: SecretStr | None = Field(
        None,
        description="Bearer token for `/metrics` and the details of `/readyz`. Unset: this machine only, not by proxy.",
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        "info",
        description="Least severe log entry written: debug, info, warning or error.",
    )

    @field_validator("demo_hosts", "fhir_bases", "former_canonicals", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        return tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value

    @field_validator("demo_hosts")
    @classmethod
    def _lower(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(name.lower() for name in value)

    @field_validator("public_url", "canonical", "fhir_bases", "former_canonicals")
    @classmethod
    def _is_url(cls, value: str | tuple[str, ...]) -> str | tuple[str, ...]:
        if isinstance(value, tuple):
            return tuple(_absolute_url(one) for one in value)
        return _absolute_url(value)

    @field_validator("clients", "sign_off")
    @classmethod
    def _is_file(cls, value: Path | None) -> Path | None:
        if value is not None and not value.is_file():
            raise ValueError(f"there is no file {value}")
        return value

    @field_validator("valuesets")
    @classmethod
    def _is_folder(cls, value: Path | None) -> Path | None:
        if value is not None and not value.is_dir():
            raise ValueError(f"there is no folder {value}")
        return value

    @field_validator("metrics_token")
    @classmethod
    def _is_sendable(cls, value: SecretStr | None) -> SecretStr | None:
        words = value.get_secret_value() if value is not None else ""
        if value is not None and (len(words) < SHORTEST_TOKEN or not words.isascii() or not words.isprintable()):
            raise ValueError(f"must have at least {SHORTEST_TOKEN} printable ASCII characters")
        return value

    @field_validator("pseudonym_key")
    @classmethod
    def _is_long(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and len(value.get_secret_value()) < SHORTEST_SECRET:
            raise ValueError(f"must have at least {SHORTEST_SECRET} characters")
        return value

    @field_validator("comment_key")
    @classmethod
    def _is_fernet_key(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None:
            try:
                is_key = len(base64.urlsafe_b64decode(value.get_secret_value())) == FERNET_KEY_BYTES
            except ValueError:
                is_key = False
            if not is_key:
                raise ValueError("must be a Fernet key: 32 random bytes in URL-safe base64")
        return value

    @field_validator("timezone")
    @classmethod
    def _is_zone(cls, value: str | None) -> str | None:
        if value is not None:
            try:
                ZoneInfo(value)
            except (
                OSError,
                ValueError,
                KeyError,
            ) as unknown:  # ZoneInfoNotFoundError is a KeyError
                raise ValueError(f"{value!r} is no IANA time zone known here, such as Europe/Berlin") from unknown
        return value

    @model_validator(mode="after")
    def _is_safe_in_demo_mode(self) -> "Settings":
        if self.is_demo and not is_loopback(self.host) and self.demo != "anywhere":
            raise ValueError(
                f"CDS_HOST={self.host} is reachable from other machines, and demo mode asks for no login. Name a "
                "client registry in CDS_CLIENTS, or set CDS_DEMO=anywhere if an open demo is what you want"
            )
        return self

    @property
    def is_demo(self) -> bool:
        """No client registry: open, on loopback, synthetic patients only."""
        return self.clients is None

    @property
    def most_waiting(self) -> int:
        """How many calls of a worker may wait for FHIR, so that those with full prefetch always find a thread."""
        return self.fhir_places or max(1, self.threads // 2)

    @property
    def zone(self) -> ZoneInfo | None:
        """R-08a: the site's zone, None for the machine's."""
        return ZoneInfo(self.timezone) if self.timezone else None

    def local(self, moment: datetime) -> datetime:
        """An aware moment as the wall clock of the site shows it (R-08a)."""
        zone: tzinfo | None = self.zone
        return moment.astimezone(zone)


def load_settings(**values: Any) -> Settings:
    """Settings from the environment, `values` first. Raises `ConfigurationError` naming each wrong setting."""
    try:
        return Settings(**values)
    except ValidationError as wrong:
        mistakes = [error for error in wrong.errors(include_url=False) if error["type"] != "default_factory_not_called"]
        raise ConfigurationError("; ".join(_explain(dict(error)) for error in mistakes)) from None


def unknown_settings(environ: Mapping[str, str] | None = None) -> tuple[str, ...]:
    """`CDS_*` variables that mean nothing to us: most likely misspelt."""
    known = {PREFIX + name.upper() for name in Settings.model_fields}
    names: Iterable[str] = os.environ if environ is None else environ
    ours = (name for name in names if name.startswith(PREFIX) and not name.startswith(FOR_TESTS))
    return tuple(sorted(name for name in ours if name not in known))


def read_metrics_folder() -> Path | None:
    """Where worker processes share their metrics; None when nobody said so, as in a process of its own."""
    folder = os.environ.get(METRICS_FOLDER)
    return Path(folder) if folder else None


def share_metrics_in(folder: Path) -> None:
    """To be called before prometheus-client is imported."""
    os.environ[METRICS_FOLDER] = str(folder)


@dataclass(frozen=True, slots=True)
class Documented:
    """One line of the README's table of settings."""

    name: str
    default: str
    meaning: str


def documented_settings() -> tuple[Documented, ...]:
    """Every setting, in the order of the class."""
    lines = []
    for name, field in Settings.model_fields.items():
        extra = field.json_schema_extra if isinstance(field.json_schema_extra, dict) else {}
        default = str(extra["shown"]) if "shown" in extra else _shown(field.default)
        lines.append(Documented(PREFIX + name.upper(), default, field.description or ""))
    return tuple(lines)


def _shown(default: object) -> str:
    if isinstance(default, bool):
        return "on" if default else "off"
    return "" if default is None or default == () else str(default)


def is_loopback(host: str) -> bool:
    """Whether a host name or address, without port or brackets, can only be this machine."""
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _absolute_url(value: str) -> str:
    parts = urlsplit(value)
    if parts.scheme not in ("http", "https") or not parts.netloc or parts.query or parts.fragment:
        raise ValueError("must be an absolute http or https URL without query and fragment")
    return value.rstrip("/")


def _explain(error: dict[str, Any]) -> str:
    """One sentence without the value, which may be a password (CDS_DATABASE_URL)."""
    words = str(error["msg"]).removeprefix("Value error, ")
    return f"{PREFIX}{str(error['loc'][0]).upper()}: {words}" if error["loc"] else words
