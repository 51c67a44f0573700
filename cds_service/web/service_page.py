"""What the documentation page of a CDS Service says: hooks, prefetch keys, reply, feedback, errors, settings."""

from collections.abc import Sequence
from dataclasses import dataclass

from cds_service import errors
from cds_service.clinical.follow_up.view import QUIET_DAYS
from cds_service.discovery import REQUIRED, WITHOUT, Service
from cds_service.openapi import REFUSALS
from cds_service.settings import Documented, documented_settings
from cds_service.trace import EXTENSION


@dataclass(frozen=True, slots=True)
class Key:
    """One prefetch key of a service."""

    name: str
    template: str
    is_required: bool
    without: str


@dataclass(frozen=True, slots=True)
class Refusal:
    """One error status."""

    status: int
    title: str
    meaning: str


@dataclass(frozen=True, slots=True)
class Page:
    """Everything the template shows about one service id; `hooks` are its entries in discovery."""

    id: str
    title: str
    hooks: tuple[Service, ...]
    keys: tuple[Key, ...]
    extension: str
    refusals: tuple[Refusal, ...]
    settings: tuple[Documented, ...]
    is_quiet_after_override: bool
    quiet_days: int


def describe_service(services: Sequence[Service], service_id: str) -> Page | None:
    """None when no service has this id."""
    hooks = tuple(one for one in services if one.id == service_id)
    if not hooks:
        return None
    keys = tuple(Key(name, text, name in REQUIRED, WITHOUT.get(name, "")) for name, text in hooks[0].prefetch.items())
    return Page(
        id=service_id,
        title=hooks[0].title,
        hooks=hooks,
        keys=keys,
        extension=EXTENSION,
        refusals=_refusals(),
        settings=documented_settings(),
        is_quiet_after_override=any(one.hook == "patient-view" for one in hooks),
        quiet_days=QUIET_DAYS,
    )


def _refusals() -> tuple[Refusal, ...]:
    titles = {kind.status: kind.title for kind in errors.CdsError.__subclasses__() if hasattr(kind, "status")}
    return tuple(Refusal(status, titles.get(status, ""), meaning) for status, meaning in REFUSALS.items())
