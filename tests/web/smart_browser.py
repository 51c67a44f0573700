"""Debian's Chromium for the tests of the SMART app: how it is started, and what a page may not do unnoticed."""

import os
import shutil
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

CHROMIUM = shutil.which("chromium")
needs_chromium = pytest.mark.skipif(CHROMIUM is None, reason="no chromium in the path: install Debian's package")
GRAVE = ("serious", "critical")


def launch_args(given: dict[str, Any]) -> dict[str, Any]:
    """Of pytest-playwright's own arguments; root has no sandbox."""
    sandbox = ["--no-sandbox"] if os.geteuid() == 0 else []
    return {**given, "executable_path": CHROMIUM, "args": [*given.get("args", ()), *sandbox]}


@dataclass
class Watched:
    """What a page complained about, and which origins it spoke to."""

    complaints: list[str] = field(default_factory=list)
    origins: set[str] = field(default_factory=set)


def watch(page: Page) -> Watched:
    """From before the first address is opened."""
    seen = Watched()

    def console(message: Any) -> None:
        if message.type in ("error", "warning"):
            seen.complaints.append(f"{message.type}: {message.text}")

    def asked(request: Any) -> None:
        parts = urlsplit(request.url)
        seen.origins.add(f"{parts.scheme}://{parts.netloc}")

    page.on("console", console)
    page.on("pageerror", lambda error: seen.complaints.append(f"exception: {error}"))
    page.on("requestfailed", lambda request: seen.complaints.append(f"failed: {request.url} {request.failure}"))
    page.on("request", asked)
    return seen


def grave_findings(page: Page) -> list[str]:
    """What axe-core, evaluated and not injected, finds serious or critical."""
    found = Axe().run(page).response["violations"]
    return [f"{one['id']}: {one['nodes'][0]['html'][:200]}" for one in found if one["impact"] in GRAVE]
