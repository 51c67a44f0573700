"""The client registry: a TOML file that says who may call, with which keys, and what each CDS Client can show."""

import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from cds_service.assembly import Client
from cds_service.card_parts import Profile
from cds_service.errors import ConfigurationError
from cds_service.fhir.addresses import AllowedBase, normalise_base, origin_of
from cds_service.keys import ALGORITHMS, DEFAULT_ALGORITHMS, KeySet, UnusableKey, parse_key_set
from cds_service.operations import Log
from cds_service.settings import Settings


@dataclass(frozen=True, slots=True)
class SmartApp:
    """How the bundled SMART app is known to this client's authorisation server, and who may frame it."""

    client_id: str
    frame_origins: tuple[str, ...]
    token_origins: tuple[str, ...] = ()  # of its token endpoint, where that is not on the FHIR server


@dataclass(frozen=True, slots=True)
class RegisteredClient:
    """One entry of the registry: what a token must look like, and the `Client` that the pipeline answers."""

    client: Client
    issuers: tuple[str, ...]
    algorithms: tuple[str, ...]
    keys: KeySet
    key_urls: tuple[str, ...]  # pinned `jku` (CH-202)
    audience_bases: tuple[str, ...]  # public base URLs beside CDS_PUBLIC_URL
    audiences: tuple[str, ...]  # odd `aud` values, accepted for every endpoint
    tenants: tuple[str, ...]
    requires_tenant: bool
    origins: tuple[str, ...]
    smart: SmartApp | None

    @property
    def name(self) -> str:
        return self.client.name


@dataclass(frozen=True, slots=True)
class Registry:
    """All clients, found by the exact `iss` of a token (CH-205)."""

    clients: tuple[RegisteredClient, ...]
    by_issuer: Mapping[str, RegisteredClient]
    origins: frozenset[str]


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, hide_input_in_errors=True)


Word = Annotated[str, Field(min_length=1, max_length=256, pattern=r"^[^\x00-\x1f\x7f]+$")]
Words = Annotated[list[Word], Field(default_factory=list)]


class _Keys(_Table):
    jwks: str | dict[str, Any] | None = None
    file: str | None = None
    jku: str | list[Word] | None = None
    allow_http: bool = False

    @model_validator(mode="after")
    def _has_a_source(self) -> "_Keys":
        if not (self.jwks or self.file or self.jku):
            raise ValueError("name the keys: jwks (a JWK Set), file (a JWK Set file) or jku (the URL of one)")
        for url in self.urls:
            _require_url(url, allow_http=self.allow_http)
        return self

    @property
    def urls(self) -> tuple[str, ...]:
        return (self.jku,) if isinstance(self.jku, str) else tuple(self.jku or ())


class _Fhir(_Table):
    base: str
    allow_http: bool = False
    private_network: bool = False

    @model_validator(mode="after")
    def _is_base(self) -> "_Fhir":
        _require_url(self.base, allow_http=self.allow_http)
        if normalise_base(self.base) is None:
            raise ValueError("base: must be a plain http or https URL, without user, query or dots in the path")
        return self


class _Smart(_Table):
    client_id: Word
    frame_origins: Words
    token_origins: Words

    @field_validator("frame_origins", "token_origins")
    @classmethod
    def _are_origins(cls, value: list[str]) -> list[str]:
        return [_require_origin(one) for one in value]


class _Profile(_Table):
    follow_up: Literal["ServiceRequest", "Task", "Appointment"] = "ServiceRequest"
    card_limit: Annotated[int, Field(ge=1, le=100)] | None = None
    trace: bool = False
    suggestions: bool = True
    deletes: bool = False
    separate_tests: bool = True
    candidate: bool = True  # R-50d (i): patient-view may suggest an order unasked
    iron_studies: bool = True  # R-50d (ii): patient-view may suggest iron studies unasked
    severity_observation: bool = False  # takes an Observation without value, to be filled in
    mode: Literal["live", "silent"] = "live"
    live_share: Annotated[int, Field(ge=0, le=100)] = 100  # per cent of patients


class _Entry(_Table):
    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,63}$")]
    issuers: Annotated[list[Word], Field(min_length=1)]
    keys: _Keys
    algorithms: Annotated[list[str], Field(min_length=1)] = list(DEFAULT_ALGORITHMS)
    audience_bases: Words
    audiences: Words
    tenants: Words
    require_tenant: bool = False
    fhir: Annotated[list[_Fhir], Field(default_factory=list)]
    origins: Words
    timezone: str | None = None
    label: Literal["us", "eu"] | None = None
    smart: _Smart | None = None
    profile: _Profile = _Profile()

    @field_validator("algorithms")
    @classmethod
    def _are_known(cls, value: list[str]) -> list[str]:
        if wrong := [name for name in value if name not in ALGORITHMS]:
            raise ValueError(f"{', '.join(wrong)}: not allowed; choose from {', '.join(ALGORITHMS)}")  # CH-196, CH-197
        return value

    @field_validator("audience_bases")
    @classmethod
    def _are_bases(cls, value: list[str]) -> list[str]:
        for one in value:
            _require_url(one, allow_http=True)
        return [one.rstrip("/") for one in value]

    @field_validator("origins")
    @classmethod
    def _are_origins(cls, value: list[str]) -> list[str]:
        return [_require_origin(one) for one in value]

    @field_validator("timezone")
    @classmethod
    def _is_zone(cls, value: str | None) -> str | None:
        if value is not None:
            try:
                ZoneInfo(value)
            except (OSError, ValueError, KeyError) as unknown:
                raise ValueError(f"{value!r} is no IANA time zone known here, such as Europe/Berlin") from unknown
        return value

    @model_validator(mode="after")
    def _has_tenants(self) -> "_Entry":
        if self.require_tenant and not self.tenants:
            raise ValueError("require_tenant: list the tenants")
        return self


class _File(_Table):
    client: Annotated[list[_Entry], Field(min_length=1)]


def _require_url(url: str, *, allow_http: bool) -> None:
    origin = origin_of(url)
    if origin is None or any(ord(sign) <= 32 for sign in url):
        raise ValueError(f"{url!r} is no absolute http or https URL")
    if origin.scheme == "http" and not allow_http:
        raise ValueError(f"{url!r} is not encrypted; use https, or say allow_http = true")


def _require_origin(value: str) -> str:
    parts = urlsplit(value)
    if origin_of(value) is None or value != f"{parts.scheme}://{parts.netloc}".lower():
        raise ValueError(f"{value!r} is no origin: scheme, host and port only, in lower case, without a final slash")
    return value


def load_registry(path: Path, settings: Settings) -> Registry:
    """Reads and checks the file. Raises `ConfigurationError` naming every entry that cannot be used, and why."""
    try:
        document = tomllib.loads(path.read_text("utf-8"))
        entries = _File.model_validate(document).client
    except (OSError, UnicodeDecodeError) as wrong:
        raise ConfigurationError(
            f"{path} cannot be read: {getattr(wrong, 'strerror', None) or 'it is not UTF-8'}"
        ) from None
    except tomllib.TOMLDecodeError as wrong:
        raise ConfigurationError(f"{path} is not TOML: {wrong}") from None
    except RecursionError:
        raise ConfigurationError(f"{path} is nested too deeply") from None
    except ValidationError as wrong:
        names = _names(document)
        raise ConfigurationError(
            "; ".join(_explain(path, names, dict(error)) for error in wrong.errors(include_url=False))
        ) from None
    except ValueError:  # not TOMLDecodeError: the parser lets this one of Python's through
        raise ConfigurationError(f"{path} holds a number of thousands of digits") from None
    mistakes = [*_clashes(path, entries), *_rollout_mistakes(path, entries, settings)]
    clients = []
    for entry in entries:
        try:
            clients.append(_register(entry, path.parent, settings))
        except UnusableKey as wrong:
            mistakes.append(f"{path}: client {entry.name}: keys: {wrong}")
    if mistakes:
        raise ConfigurationError("; ".join(mistakes))
    by_issuer = {issuer: client for client in clients for issuer in client.issuers}
    return Registry(tuple(clients), by_issuer, frozenset(one for client in clients for one in client.origins))


def _register(entry: _Entry, folder: Path, settings: Settings) -> RegisteredClient:
    profile = entry.profile
    client = Client(
        name=entry.name,
        profile=Profile(
            follow_up=profile.follow_up,
            card_limit=profile.card_limit,
            trace=profile.trace,
            suggestions=profile.suggestions,
            deletes=profile.deletes,
            separate_tests=profile.separate_tests,
            candidate=profile.candidate,
            iron_studies=profile.iron_studies,
            severity_observation=profile.severity_observation,
            smart=entry.smart is not None,
        ),
        label=entry.label or settings.label,
        zone=ZoneInfo(entry.timezone) if entry.timezone else settings.zone,
        fhir_bases=tuple(AllowedBase(normalise_base(one.base) or "", one.private_network) for one in entry.fhir),
        live_share=0 if profile.mode == "silent" else profile.live_share,
    )
    return RegisteredClient(
        client=client,
        issuers=tuple(entry.issuers),
        algorithms=tuple(entry.algorithms),
        keys=_read_keys(entry, folder),
        key_urls=entry.keys.urls,
        audience_bases=tuple(entry.audience_bases),
        audiences=tuple(entry.audiences),
        tenants=tuple(entry.tenants),
        requires_tenant=entry.require_tenant,
        origins=tuple(entry.origins),
        smart=_register_smart(entry.smart) if entry.smart else None,
    )


def _register_smart(entry: _Smart) -> SmartApp:
    return SmartApp(entry.client_id, tuple(entry.frame_origins), tuple(entry.token_origins))


def _read_keys(entry: _Entry, folder: Path) -> KeySet:
    """Keys agreed out of band (CH-203); those behind a `jku` are fetched when a token needs them."""
    keys: KeySet = ()
    if entry.keys.jwks:
        keys += parse_key_set(entry.keys.jwks, is_strict=True)
    if entry.keys.file:
        try:
            document = (folder / entry.keys.file).read_bytes()
        except (OSError, ValueError) as wrong:  # a null character in the name is a ValueError
            words = getattr(wrong, "strerror", None) or "it is no file name"
            raise UnusableKey(f"{entry.keys.file} cannot be read: {words}") from None
        try:
            keys += parse_key_set(document, is_strict=True)
        except UnusableKey as wrong:
            raise UnusableKey(f"{entry.keys.file}: {wrong}") from None
    for key in keys:
        if not set(key.algorithms) & set(entry.algorithms):
            raise UnusableKey(f"the key {key.kid} fits none of this client's algorithms")
    return keys


def _clashes(path: Path, entries: list[_Entry]) -> list[str]:
    """One issuer is one client: a token must not be able to choose."""
    mistakes = []
    for what, owned in (("name", [[one.name] for one in entries]), ("issuers", [one.issuers for one in entries])):
        values = [value for group in owned for value in group]
        mistakes += [
            f"{path}: {what}: {value} occurs twice" for value in dict.fromkeys(values) if values.count(value) > 1
        ]
    return mistakes


def _rollout_mistakes(path: Path, entries: list[_Entry], settings: Settings) -> list[str]:
    if settings.pseudonym_key is not None:
        return []
    staged = [one.name for one in entries if one.profile.mode == "live" and 0 < one.profile.live_share < 100]
    return [
        f"{path}: client {name}: profile.live_share: a staged rollout needs CDS_PSEUDONYM_KEY, so that one patient is "
        "always on the same side"
        for name in staged
    ]


def _names(document: Mapping[str, Any]) -> list[str]:
    entries = document.get("client")
    if not isinstance(entries, list):
        return []
    return [
        str(one.get("name", f"number {place + 1}")) if isinstance(one, dict) else ""
        for place, one in enumerate(entries)
    ]


def _explain(path: Path, names: list[str], error: dict[str, Any]) -> str:
    """`file: client north: keys.jku: words`; the value is not repeated, it may be a key."""
    steps = list(error["loc"])
    where = ""
    if len(steps) > 1 and steps[0] == "client" and isinstance(steps[1], int):
        where, steps = f"client {names[steps[1]]}: ", steps[2:]
    member = ".".join(str(step + 1) if isinstance(step, int) else str(step) for step in steps)
    words = str(error["msg"]).removeprefix("Value error, ")
    if error["type"] == "extra_forbidden":
        words = "there is no such setting; is it misspelt?"
    return f"{path}: {where}{member + ': ' if member else ''}{words}"


def describe(client: RegisteredClient) -> list[str]:
    """What the registry says of a client, for people; keys by id only."""
    profile, share = client.client.profile, client.client.live_share
    mode = {0: "silent: cards are decided and recorded, none is shown", 100: "live"}.get(share, f"live for {share} %")
    lines = {
        "issuers": client.issuers,
        "algorithms": client.algorithms,
        "keys agreed": tuple(key.kid for key in client.keys),
        "keys published at": client.key_urls,
        "public base URLs": client.audience_bases,
        "further aud values": client.audiences,
        "tenants": client.tenants or ("any" if not client.requires_tenant else "",),
        "FHIR servers": tuple(
            base.url + (" (private network)" if base.private_network else "") for base in client.client.fhir_bases
        ),
        "web origins": client.origins,
        "time zone": (str(client.client.zone or "that of this machine"),),
        "product label": (client.client.label,),
        "follow-up as": (profile.follow_up,),
        "mode": (mode,),
        "cards": (f"at most {profile.card_limit}" if profile.card_limit else "no limit",),
        "shows": tuple(name for name in ("trace", "suggestions", "deletes") if getattr(profile, name)),
        "suggests unasked": tuple(
            words
            for words, is_on in (("an order of iron", profile.candidate), ("iron studies", profile.iron_studies))
            if is_on
        ),
        "severity totals": ("as Observations to be filled in" if profile.severity_observation else "",),
        "SMART app": _describe_smart(client.smart),
    }
    shown = [f"  {name + ':':20}{', '.join(values) or 'none'}" for name, values in lines.items()]
    return [client.name, *shown]


def _describe_smart(app: SmartApp | None) -> tuple[str, ...]:
    if app is None:
        return ()
    frames = (f"framed by {one}" for one in app.frame_origins)
    return (f"known as {app.client_id}", *frames, *(f"tokens from {one}" for one in app.token_origins))


class Clients:
    """The registry in force. A new file that cannot be used leaves the old one in force and says so."""

    def __init__(self, load: Callable[[], Registry], log: Log) -> None:
        self._load = load
        self._log = log
        self.registry = load()

    def reload(self) -> bool:
        """Whether the file was taken over. Calls under way keep the entry they began with."""
        try:
            self.registry = self._load()
        except ConfigurationError as wrong:
            self._log.error(
                "registry not reloaded: the old one stays in force", setting="CDS_CLIENTS", reason=str(wrong)
            )
            return False
        self._log.info("registry reloaded", setting="CDS_CLIENTS")
        return True
