"""A slow EHR does not take the others down: few calls wait for FHIR, and full prefetch is answered meanwhile."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from flask.testing import FlaskClient

from cds_service.errors import Overloaded
from cds_service.fhir.addresses import NO_SERVER, Access, AllowedBase
from cds_service.fhir.gather import FhirServers
from cds_service.settings import load_settings
from tests.fhir.ehr import Ehr, Exchange, Json, make_call, open_service, post, wait_until

NAMES = ("low-ferritin", "grey-zone", "iron-replete")  # ferritin 48, 90 and 180
FERRITIN = {"low-ferritin": "ferritin 48 ng/mL", "grey-zone": "ferritin 90 ng/mL", "iron-replete": "ferritin 180 ng/mL"}


def call_all(service: FlaskClient, ehr: Ehr, pool: ThreadPoolExecutor) -> list[Any]:
    app = service.application
    return [pool.submit(post, app.test_client(), make_call(ehr, name)) for name in NAMES]


def test_one_call_more_than_places_is_503_while_full_prefetch_is_answered(ehr: Ehr) -> None:
    service = open_service(ehr, fhir_places=len(NAMES), fhir_seconds=30)
    gate = threading.Event()

    def held(exchange: Exchange) -> None:
        gate.wait(30)
        exchange.as_usual()

    ehr.faults["*"] = held
    with ThreadPoolExecutor(len(NAMES)) as pool:
        waiting = call_all(service, ehr, pool)
        wait_until(lambda: ehr.keys().count("patient") == len(NAMES))
        refused = post(service, make_call(ehr))
        assert refused.status_code == 503 and int(refused.headers["Retry-After"]) > 0
        assert refused.get_json()["resourceType"] == "OperationOutcome"
        full = post(service, make_call(ehr, prefetch=ehr.prefetch("low-ferritin")))
        assert full.status_code == 200 and full.get_json()["cards"]
        assert not any(one.done() for one in waiting)
        gate.set()
        replies = {name: one.result().get_json() for name, one in zip(NAMES, waiting, strict=True)}
    for name, reply in replies.items():
        assert FERRITIN[name] in str(reply["cards"][0]), name
    ehr.faults.clear()
    assert post(service, make_call(ehr)).status_code == 200  # the places are free again


def test_parallel_calls_to_a_server_that_hangs_end_together_after_one_deadline(ehr: Ehr) -> None:
    service = open_service(ehr, fhir_places=len(NAMES), fhir_seconds=1.0)

    def hangs(exchange: Exchange) -> None:
        exchange.handler.close_connection = True
        exchange.wait(30)

    ehr.faults["*"] = hangs
    began = time.monotonic()
    with ThreadPoolExecutor(len(NAMES)) as pool:
        statuses = [one.result().status_code for one in call_all(service, ehr, pool)]
    assert statuses == [412] * len(NAMES)
    assert time.monotonic() - began < 1.0 + 1.5  # and not one deadline after the other


def test_a_call_that_fails_gives_its_place_back(ehr: Ehr) -> None:
    service = open_service(ehr, fhir_places=1, fhir_seconds=15)
    ehr.faults["ferritin"] = lambda exchange: exchange.reply({}, 500)
    assert [post(service, make_call(ehr)).status_code for _ in range(3)] == [412] * 3


def test_a_call_that_asks_nothing_takes_no_place() -> None:
    servers = FhirServers(places=1, seconds=1)
    servers.take_place()
    access = Access(AllowedBase("http://127.0.0.1:9/fhir", private_network=True), "t", "patient/Condition.read")
    for way in (access, NO_SERVER):
        with servers.begin(way) as errand:
            errand.ask({}, lambda *_: True)
            errand.ask({"ferritin": "Observation?code=x"}, lambda *_: True)  # its scope does not allow that
            errand.read("Medication", ["#contained"])
    with servers.begin(access) as errand, pytest.raises(Overloaded):
        errand.ask({"conditions": "Condition?patient=x"}, lambda *_: True)


PLACES: dict[str, tuple[Json, int]] = {
    "half of the threads": ({"threads": 8}, 4),
    "rounded down": ({"threads": 7}, 3),
    "but one at least": ({"threads": 1}, 1),
    "as set": ({"threads": 8, "fhir_places": 2}, 2),
}


@pytest.mark.parametrize("name", PLACES)
def test_places_are_half_of_the_threads_unless_set(name: str) -> None:
    values, places = PLACES[name]
    assert load_settings(**values).most_waiting == places


def test_the_network_client_is_not_loaded_before_a_query_has_to_be_made() -> None:
    import subprocess
    import sys

    script = (
        "import sys\n"
        "from cds_service import assembly, services\n"
        "from cds_service.settings import load_settings\n"
        "engine = assembly.build_engine(load_settings())\n"
        "assert not {'requests', 'urllib3'} & set(sys.modules), sorted(sys.modules)\n"
    )
    ended = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
