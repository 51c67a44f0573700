"""Runs tests by calling them: rule tables are plain functions, and pytest's own care takes longer than they do.

A plugin of pytest (`-p plain_calls`) for runs that only ask whether some test fails; it stops at the first that does.
"""

import warnings
from collections.abc import Sequence

import pytest
from _pytest.runner import runtestprotocol

# The rule tables need no installed plugin, and few random charts: what one chart shows, most of them show.
ENVIRONMENT = {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTHONDONTWRITEBYTECODE": "1", "CDS_TEST_CHARTS": "10"}
OPTIONS = ("-q", "-p", "no:cacheprovider", "--no-header", "--tb=native")
_HARMLESS_MARKS = {"parametrize", "slow", "hypothesis"}


def pytest_runtestloop(session: pytest.Session) -> bool:
    if not session.testsfailed and not session.config.option.collectonly:
        session.testsfailed = int(not all_pass(session.items))
    return True


def all_pass(items: Sequence[pytest.Item]) -> bool:
    return all(passes(item, following) for item, following in zip(items, [*items[1:], None], strict=True))


def passes(item: pytest.Item, following: pytest.Item | None) -> bool:
    """Whether one test passes; what has fixtures or marks is left to pytest."""
    parameters = item.callspec.params if hasattr(item, "callspec") else {}
    marks = {mark.name for mark in item.iter_markers()}
    if marks - _HARMLESS_MARKS or set(item.fixturenames) - set(parameters):
        return not any(report.failed for report in runtestprotocol(item, nextitem=following, log=False))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        try:
            item.obj(**parameters)
        except (KeyboardInterrupt, pytest.skip.Exception) as ended:
            if isinstance(ended, KeyboardInterrupt):
                raise
        except BaseException:  # noqa: BLE001  # whatever it raises is noticed
            return False
    return True
