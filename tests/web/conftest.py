"""Debian's Chromium for pytest-playwright, which would otherwise look for browsers of its own."""

from typing import Any

import pytest

from tests.web.smart_browser import launch_args


@pytest.fixture(scope="session")
def browser_type_launch_args() -> dict[str, Any]:
    return launch_args({})


@pytest.fixture(scope="session")
def base_url() -> str:
    """The plugin's own is written in a way that pytest warns of."""
    return ""
