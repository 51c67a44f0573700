"""Who may call: everyone as the demo client in demo mode, else the holder of a registered client's unused token."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from hmac import compare_digest
from typing import TYPE_CHECKING, Any, TypeAlias

from cds_service.assembly import Client
from cds_service.clients import Clients
from cds_service.errors import Overloaded, Unauthorized
from cds_service.operations import IsOperator, Log
from cds_service.settings import Settings, is_loopback
from cds_service.store import Store, StoreDown
from cds_service.trust import Endpoint, FindKey, PublishedKeys, Times, verify_caller

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

SECONDS_TO_COME_BACK = 5


@dataclass(frozen=True, slots=True)
class Admitted:
    """The CDS Client that calls, and for which of its tenants."""

    client: Client
    tenant: str | None = None


Admit: TypeAlias = Callable[["WSGIEnvironment", Endpoint, dict[str, Any]], Admitted]


def admit_anyone(client: Client) -> Admit:
    """Demo mode: no token is asked for, and one that comes along is not looked at."""
    admitted = Admitted(client)

    def admit(_: "WSGIEnvironment", __: Endpoint, ___: dict[str, Any]) -> Admitted:
        return admitted

    return admit


def admit_registered(
    clients: Clients, store: Store, settings: Settings, clock: Callable[[], datetime], find: FindKey
) -> Admit:
    """Protected mode. Raises `Unauthorized`, or `Overloaded` when the store cannot say whether a token is used."""
    times = Times(settings.clock_skew_seconds, settings.token_lifetime_seconds)

    def admit(environ: "WSGIEnvironment", endpoint: Endpoint, entry: dict[str, Any]) -> Admitted:
        caller = verify_caller(
            clients.registry,
            environ.get("HTTP_AUTHORIZATION"),
            endpoint,
            settings.public_url,
            clock().timestamp(),
            times,
            find,
        )
        entry |= {"client": caller.registered.name, "iss": caller.issuer, "jti": caller.jti}
        if caller.tenant is not None:
            entry["tenant"] = caller.tenant
        try:
            is_first_use = store.claim_token(caller.issuer, caller.jti, caller.expires)
        except StoreDown as wrong:
            entry["exception"] = str(wrong)
            raise Overloaded(
                "the service cannot work at the moment; repeat with a new token", SECONDS_TO_COME_BACK
            ) from None
        if not is_first_use:
            raise Unauthorized("jti was used before")
        return Admitted(caller.registered.client, caller.tenant)

    return admit


def published_keys(log: Log, note_failure: Callable[[str], None]) -> PublishedKeys:
    """Key sets behind pinned URLs; a failed fetch is in the log and counted."""

    def report(url: str, reason: str) -> None:
        log.warning("keys not refreshed: those fetched before, if any, stay in use", address=url, reason=reason)
        note_failure(reason)

    return PublishedKeys(report)


_FORWARDED = ("HTTP_FORWARDED", "HTTP_X_FORWARDED", "HTTP_X_REAL_IP", "HTTP_VIA")


def admit_operator(settings: Settings) -> IsOperator:
    """Who may read metrics and details: with CDS_METRICS_TOKEN its holder, else this machine, not through a proxy."""
    if settings.metrics_token is None:
        return _is_from_here
    expected = f"Bearer {settings.metrics_token.get_secret_value()}".encode()

    def holds_token(environ: "WSGIEnvironment") -> bool:
        return compare_digest(environ.get("HTTP_AUTHORIZATION", "").encode("utf-8", "surrogateescape"), expected)

    return holds_token


def _is_from_here(environ: "WSGIEnvironment") -> bool:
    return is_loopback(environ.get("REMOTE_ADDR", "")) and not any(name.startswith(_FORWARDED) for name in environ)
