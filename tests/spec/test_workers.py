"""Two worker processes as in production: replay, restart, reload of the registry, and what is written on stop."""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.request import urlopen

import pytest
import sqlalchemy as sa

from cds_service import store
from cds_service.metrics import INTERVAL
from tests.load.serving import Served, serve
from tests.spec.protected import registry
from tests.spec.rim import order_select
from tests.unit.databases import KINDS, fresh_database

pytestmark = pytest.mark.slow
DISCOVERY = "/cds-services"
SERVICE = "/cds-services/iv-iron-rls"


@pytest.fixture(params=KINDS)
def url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    with fresh_database(request.param, tmp_path) as fresh:
        yield fresh


def test_ch_213_a_token_is_used_up_in_every_worker_and_after_a_restart(url: str, tmp_path: Path) -> None:
    with serve(tmp_path, url) as served:
        value = served.token(DISCOVERY)
        assert served.send(DISCOVERY, value) == 200
        assert {served.send(DISCOVERY, value) for _ in range(20)} == {401}  # a new connection each: either worker
        port = int(served.url.rpartition(":")[2])
        at_once = served.token(DISCOVERY)
        with ThreadPoolExecutor(50) as pool:
            statuses = sorted(pool.map(lambda _: served.send(DISCOVERY, at_once), range(50)))
        assert statuses == [200] + [401] * 49
    with serve(tmp_path, url, port) as again:
        assert again.send(DISCOVERY, value) == 401
        assert again.send(DISCOVERY, at_once) == 401
        assert again.send(DISCOVERY, again.token(DISCOVERY)) == 200


def test_calls_are_in_the_store_when_the_service_has_stopped(url: str, tmp_path: Path) -> None:
    with serve(tmp_path, url) as served:
        for _ in range(10):
            assert served.send(SERVICE, served.token(SERVICE), order_select()) == 412  # nothing but an order is known
    engine = store.open_database(url)
    with engine.connect() as connection:
        outcomes = connection.execute(sa.select(store.calls.c.outcome)).scalars().all()
    engine.dispose()
    assert outcomes == ["incomplete"] * 10


def asked(served: Served) -> int:
    return served.send(DISCOVERY, served.token(DISCOVERY))


def test_sighup_takes_over_a_good_registry_and_keeps_the_old_one_beside_a_broken(tmp_path: Path) -> None:
    with serve(tmp_path, f"sqlite:///{tmp_path / 'store.sqlite3'}") as served:
        assert asked(served) == 200
        path = tmp_path / "clients.toml"
        good = path.read_text()
        path.write_text("[[client")
        served.reload()
        assert asked(served) == 200
        assert "the old one stays in force" in served.log.read_text()
        path.write_text(good.replace("https://ehr.example", "https://other.example"))
        served.reload()
        assert asked(served) == 401
        registry(tmp_path)
        with ThreadPoolExecutor(4) as pool:
            calls = [pool.submit(asked, served) for _ in range(40)]
            served.reload()
        assert 0 not in {one.result() for one in calls}  # no call was dropped
        assert asked(served) == 200


def read_metrics(served: Served) -> dict[str, float]:
    """Sample with its labels, as written, to its value."""
    with urlopen(served.url + "/metrics", timeout=30) as response:
        lines = response.read().decode().splitlines()
    return {name: float(value) for name, _, value in (line.rpartition(" ") for line in lines if line[0] != "#")}


def test_metrics_are_of_all_workers_also_of_those_that_ended(tmp_path: Path) -> None:
    (tmp_path / "metrics").mkdir()
    (tmp_path / "metrics" / "counter_1.db").write_bytes(b"of an earlier run")
    shared = {"PROMETHEUS_MULTIPROC_DIR": str(tmp_path / "metrics")}
    with serve(tmp_path, f"sqlite:///{tmp_path / 'store.sqlite3'}", **shared) as served:
        for _ in range(12):
            served.send(SERVICE, served.token(SERVICE), order_select())
        before = set(served.workers())
        served.reload()
        assert not before & set(served.workers())
        for _ in range(3):
            served.send(SERVICE, served.token(SERVICE), order_select())
        time.sleep(2 * INTERVAL)
        found = read_metrics(served)
        outcome = 'hook="order-select",outcome="incomplete",service="iv-iron-rls",status="412"'
        assert found[f'cds_calls_total{{client="north",{outcome}}}'] == 15
        assert found['cds_call_seconds_count{hook="order-select"}'] == 15
        assert (found["cds_ready"], found["cds_records_waiting"], found["cds_records_lost_total"]) == (1, 0, 0)
        living = {int(file.stem.rpartition("_")[2]) for file in (tmp_path / "metrics").glob("gauge_livesum_*.db")}
        assert not living & before
