"""What holds for every test: no setting of the person who runs them reaches one, and what was skipped is said aloud."""

import os

import pytest

OURS_FOR_TESTS = "CDS_TEST_"  # services that `.ci/run` started, as in CDS_TEST_POSTGRES


def pytest_configure() -> None:
    """Takes `CDS_*` out of the environment: `make test` passes it on, and results must not depend on it."""
    for name in [name for name in os.environ if name.startswith("CDS_") and not name.startswith(OURS_FOR_TESTS)]:
        del os.environ[name]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Says how much was left out, and where the whole suite runs; `-ra` has listed each case with its reason."""
    skipped = len(terminalreporter.getreports("skipped"))
    if skipped:
        terminalreporter.write_line(
            f"{skipped} skipped, for the reasons above; .ci/run sets up all that the tests can use"
        )
