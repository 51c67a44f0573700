"""CH-093: prefetch, a part of it, or only a FHIR server and a token give the same cards for every fixture patient."""

from collections.abc import Iterator

import pytest
from flask.testing import FlaskClient

from cds_service.demo.fixtures import read_situations
from tests.fhir.ehr import TEMPLATES, Ehr, Json, make_call, masked, open_ehr, open_service, post, trace_of

KEYS = tuple(TEMPLATES)
NAMES = list(read_situations().by_name)


@pytest.fixture(scope="module")
def beside() -> Iterator[tuple[Ehr, FlaskClient]]:
    with open_ehr() as ehr:
        yield ehr, open_service(ehr, fhir_seconds=20)


def cards(service: FlaskClient, call: Json) -> list[Json]:
    response = post(service, call)
    assert response.status_code == 200, response.text
    reply = response.get_json()
    if reply["cards"]:
        assert set(trace_of(reply)["prefetch"].values()) <= {"supplied", "empty"}
    return masked(reply)


@pytest.mark.parametrize("name", NAMES)
def test_ch_093_every_way_the_data_arrive_gives_the_same_cards(beside: tuple[Ehr, FlaskClient], name: str) -> None:
    ehr, service = beside
    full = ehr.prefetch(read_situations().by_name[name].patient.removeprefix("Patient/"))
    ehr.seen.clear()
    expected = cards(service, make_call(ehr, name, full))
    assert not ehr.seen  # CH-094: nothing is asked again
    assert cards(service, make_call(ehr, name)) == expected
    half = {key: value for place, (key, value) in enumerate(full.items()) if place % 2}
    assert cards(service, make_call(ehr, name, half)) == expected
    for dropped in KEYS:
        ehr.seen.clear()
        rest = {key: value for key, value in full.items() if key != dropped}
        assert cards(service, make_call(ehr, name, rest)) == expected, dropped
        assert ehr.keys() in ([dropped], [] if not expected else [dropped])  # CH-085: exactly that key


def test_ch_056_another_drug_asks_for_nothing(beside: tuple[Ehr, FlaskClient]) -> None:
    ehr, service = beside
    ehr.seen.clear()
    for name in ("other-drug", "oral-iron"):
        assert cards(service, make_call(ehr, name)) == []
    assert not ehr.seen
