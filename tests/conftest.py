"""What holds for every test: no setting of the person who runs them reaches one, and what was skipped is said aloud."""

import os
from collections.abc import Iterator

import pytest

from tests import leaks

OURS_FOR_TESTS = "CDS_TEST_"  # services that `.ci/run` started, as in CDS_TEST_POSTGRES


def pytest_configure() -> None:
    """Takes `CDS_*` out of the environment: `make test` passes it on, and results must not depend on it."""
    for name in [name for name in os.environ if name.startswith("CDS_") and not name.startswith(OURS_FOR_TESTS)]:
        del os.environ[name]
    leaks.listen()


@pytest.fixture(scope="session", autouse=True)
def nothing_leaks(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """CH-219, CH-192: no token, patient or comment in log, store and metrics of the whole run, at debug level."""
    yield
    leaks.look_at_files(tmp_path_factory.getbasetemp())
    assert leaks.findings() == []


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Says how much was left out, and where the whole suite runs; `-ra` has listed each case with its reason."""
    skipped = len(terminalreporter.getreports("skipped"))
    if skipped:
        terminalreporter.write_line(
            f"{skipped} skipped, for the reasons above; .ci/run sets up all that the tests can use"
        )
