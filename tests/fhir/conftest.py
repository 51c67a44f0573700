"""One EHR on a socket for each test that asks for it."""

from collections.abc import Iterator

import pytest

from tests.fhir.ehr import Ehr, open_ehr


@pytest.fixture
def ehr() -> Iterator[Ehr]:
    with open_ehr() as opened:
        yield opened
