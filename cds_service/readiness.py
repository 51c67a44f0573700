"""Whether the service can do its work: asked by `/readyz`, and as gauges by `/metrics`."""

from collections.abc import Callable, Iterable

from cds_service import __version__
from cds_service.assembly import Engine
from cds_service.clients import Clients, RegisteredClient
from cds_service.metrics import Gauge
from cds_service.operations import Look, Readiness
from cds_service.store import Store
from cds_service.trust import PublishedKeys


def look_at(
    engine: Engine,
    clients: Clients | None,
    store: Store,
    published: PublishedKeys,
    *,
    is_recording: bool,
    overdue: Callable[[], tuple[str, ...]] = tuple,
) -> Look:
    """Demo mode, without `clients`, works without a store. `overdue`: reviews of the knowledge past their date."""

    def look() -> Readiness:
        is_up = is_recording and store.is_up()
        registered = clients.registry.clients if clients else ()
        return Readiness(
            is_ready=bool(engine.services) and (clients is None or is_up),
            mode="demo" if clients is None else "protected",
            version=__version__,
            knowledge={"version": engine.shop.stamp.version, "hash": engine.shop.stamp.digest},
            services=tuple(dict.fromkeys(one.id for one in engine.services)),
            store="up" if is_up else "away" if is_recording else "off",
            clients={one.name: _keys_of(one, published.count) for one in registered},
            reviews_overdue=overdue(),
        )

    return look


def _keys_of(client: RegisteredClient, count: Callable[[str], int | None]) -> dict[str, int]:
    found = [number for url in client.key_urls if (number := count(url)) is not None]
    return {"agreed": len(client.keys), **({"published": sum(found)} if found else {})}


def as_gauges(look: Look) -> Callable[[], Iterable[Gauge]]:
    """Looked up when the metrics are read; keys behind URLs are those of the worker that answers."""

    def gauges() -> Iterable[Gauge]:
        found = look()
        about = (found.version, found.mode, found.knowledge["version"], found.knowledge["hash"])
        keys = tuple(((name,), sum(one.values())) for name, one in found.clients.items())
        return (
            Gauge("cds_ready", "Whether calls can be answered", (), (((), float(found.is_ready)),)),
            Gauge("cds_store_up", "Whether the database answers", (), (((), float(found.store == "up")),)),
            Gauge("cds_info", "What runs", ("version", "mode", "knowledge", "knowledge_hash"), ((about, 1.0),)),
            Gauge("cds_client_keys", "Keys at hand to check a client's tokens with", ("client",), keys),
        )

    return gauges
