"""Whatever arrives, the answer is JSON of a documented kind and never a fault; lost evidence never supports iron.

`CDS_TEST_MUTANTS` sets how many requests hypothesis draws (default 300); `make fuzz` sends hundreds of thousands.
"""

import os

import pytest
from flask.testing import FlaskClient
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from tests import mutations
from tests.replies import ADDRESSES, SITUATIONS, open_service, read_request

MUTANTS = int(os.environ.get("CDS_TEST_MUTANTS", "300"))

ORDER: mutations.Path = ("context", "draftOrders", "entry", 0, "resource")
DOSE: mutations.Path = (*ORDER, "dosageInstruction", 0, "doseAndRate", 0, "doseQuantity", "value")


@pytest.fixture(scope="module")
def client() -> FlaskClient:
    return open_service()


@st.composite
def damaged(draw: st.DrawFn) -> tuple[str, list[tuple[mutations.Path, str]]]:
    """A situation and one to three places of its request with the kind of damage done there."""
    situation = draw(st.sampled_from(sorted(SITUATIONS)))
    one = st.tuples(st.sampled_from(mutations.places(situation)), st.sampled_from(mutations.KINDS))
    return situation, draw(st.lists(one, min_size=1, max_size=3))


@settings(max_examples=MUTANTS, deadline=None, suppress_health_check=list(HealthCheck))
@given(case=damaged())
@example(case=("low-ferritin", [(("prefetch", "ferritin", "entry", 0, "resource"), "deep list")]))
@example(case=("low-ferritin", [(("prefetch", "ferritin"), "bad utf-8")]))
@example(case=("low-ferritin", [(("hook",), "missing")]))
@example(case=("low-ferritin", [(("hookInstance",), "too large a number")]))  # was a fault
@example(case=("over-dose", [(DOSE, "too large a number")]))  # was a fault
@example(case=("over-dose", [(DOSE, "hundred thousand digits")]))
@example(case=("low-ferritin", [(("hook",), "zero"), (("prefetch", "tsat"), "too large a number")]))  # was a fault
def test_ch_002_ch_079_no_damage_to_a_request_makes_the_service_fail(
    client: FlaskClient, case: tuple[str, list[tuple[mutations.Path, str]]]
) -> None:
    situation, places = case
    request = read_request(situation)
    for path, kind in places:
        mutations.damage(request, path, kind)
    body = mutations.encode(request)
    answer = mutations.send(client, ADDRESSES[SITUATIONS[situation]["hook"]], body)
    assert mutations.find_fault(*answer) == "", (situation, places)


@pytest.mark.parametrize("situation", mutations.RESTS_ON_BOTH)
def test_r_26_lost_ferritin_or_lost_evidence_of_rls_never_supports_iron(client: FlaskClient, situation: str) -> None:
    hook = SITUATIONS[situation]["hook"]
    assert mutations.is_supported(client, read_request(situation), hook)
    tried = 0
    for path, kind in mutations.destructions(situation):
        request = read_request(situation)
        mutations.damage(request, path, kind)
        assert not mutations.is_supported(client, request, hook), (path, kind)
        tried += 1
    assert tried == 49  # seven kinds at five places of the ferritin and two of the diagnosis


@pytest.mark.parametrize(
    ("answer", "fault"),
    [
        ((200, "text/html", b""), "content type text/html"),
        ((500, "application/json", b"{}"), "status 500"),
        ((400, "application/json", b'{"cards": []}'), "no OperationOutcome"),
        ((200, "application/json", b'{"cards": [], "extra": 1}'), "unevaluatedProperties"),
    ],
    ids=["HTML", "fault", "empty cards for an error", "unknown member"],
)
def test_the_check_sees_what_must_not_be(answer: tuple[int, str, bytes], fault: str) -> None:
    assert fault in mutations.find_fault(*answer)
