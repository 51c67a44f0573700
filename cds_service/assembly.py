"""What is built once at start: the knowledge, the services on offer, and the demo client."""

from dataclasses import dataclass, replace
from datetime import date
from zoneinfo import ZoneInfo

from cds_service import discovery, knowledge_stamp
from cds_service.card_parts import Profile, Shop
from cds_service.clinical import codes
from cds_service.clinical.codes import CodeIndex, ValueSetError
from cds_service.clinical.rule_index import INDEX
from cds_service.clinical.rules import RULES
from cds_service.errors import ConfigurationError
from cds_service.fhir import iron_orders
from cds_service.fhir.addresses import AllowedBase, demo_base
from cds_service.fhir.gather import FhirServers
from cds_service.fhir.orders import OrderCodes
from cds_service.settings import Settings
from cds_service.sign_off import UNSIGNED, SignOff, load_sign_off, overdue

FHIR_PATH = "/fhir"  # canonicals resolve under it on the running service
DEMO_FHIR_PATH = "/demo/fhir"  # the bundled FHIR server of demo mode
LAUNCH_PATH = "/smart/launch"  # where an EHR launches the SMART app


@dataclass(frozen=True, slots=True)
class Client:
    """The CDS Client that calls, and what its registry entry says of it."""

    name: str
    profile: Profile
    label: str  # product label profile
    zone: ZoneInfo | None  # its site's zone (R-08a)
    fhir_bases: tuple[AllowedBase, ...] = ()  # the only servers contacted for it
    live_share: int = 100  # per cent of patients whose cards are shown; 0 is silent mode


@dataclass(frozen=True, slots=True)
class Engine:
    """Everything that no call changes."""

    services: tuple[discovery.Service, ...]
    index: CodeIndex
    shop: Shop
    identifier_systems: frozenset[str]
    demo_client: Client
    servers: FhirServers
    sign_off: SignOff = UNSIGNED

    @property
    def canonical(self) -> str:
        return self.shop.canonical


def build_engine(settings: Settings) -> Engine:
    """Raises `ConfigurationError` naming the file that cannot be used."""
    canonical = settings.canonical + FHIR_PATH
    try:
        former = tuple(f"{one}{FHIR_PATH}" for one in settings.former_canonicals)
        index = codes.load(settings.valuesets, canonical, former=former)
    except ValueSetError as wrong:
        raise ConfigurationError(f"CDS_VALUESETS: {wrong}") from wrong
    sign_off = load_sign_off(settings.sign_off)
    _check_rules(sign_off)
    shop = Shop(
        canonical=canonical,
        knowledge_url=f"{settings.canonical}/knowledge",
        stamp=knowledge_stamp.stamp(index, sign_off),
        codes=order_codes(index),
        reasons={coding.code: coding for coding in index.codings("override-reason")},
        launch_url=settings.public_url + LAUNCH_PATH,
    )
    return Engine(
        services=discovery.build_services(index),
        index=index,
        shop=shop,
        identifier_systems=frozenset(
            {
                shop.identifier_system,
                *(f"{one}/NamingSystem/reassessment" for one in former),
            }
        ),
        demo_client=Client(
            "demo", Profile(trace=settings.trace, smart=True), settings.label, settings.zone, demo_bases(settings)
        ),
        servers=FhirServers(settings.most_waiting, settings.fhir_seconds),
        sign_off=sign_off,
    )


def overdue_reviews(engine: Engine, as_of: date) -> tuple[str, ...]:
    """A sentence for each review of the knowledge, or of one rule, that is past its date."""
    return overdue(engine.sign_off, knowledge_stamp.REVIEW_BY, as_of)


def _check_rules(sign_off: SignOff) -> None:
    known = {rule.id for rule in RULES} | {entry.id for entry in INDEX}
    if unknown := [rule for rule in sign_off.rules if rule not in known]:
        raise ConfigurationError(f"CDS_SIGN_OFF: review.{unknown[0]} is no rule; `cds-service knowledge` lists them")


def demo_bases(settings: Settings) -> tuple[AllowedBase, ...]:
    """Demo mode: the bundled server, which is this process, and what CDS_FHIR_BASES lists."""
    bundled = replace(demo_base(settings.public_url + DEMO_FHIR_PATH), private_network=True)
    return (bundled, *(demo_base(one) for one in settings.fhir_bases))


def order_codes(index: CodeIndex) -> OrderCodes:
    """The codings written into the resources we offer."""
    tasks = {coding.code: coding for coding in index.codings("task-code")}
    return OrderCodes(
        contact=index.preferred("follow-up"),
        contact_category=index.preferred("evaluation-category"),
        laboratory_category=index.preferred("laboratory-category"),
        rls=index.preferred("rls"),
        fulfill=tasks["fulfill"],
        tests={test: index.preferred(test) for test in iron_orders.TESTS},
        fcm=index.preferred("fcm"),
        severity=index.preferred("rls-severity"),
    )
