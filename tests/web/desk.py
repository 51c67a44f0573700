"""The playground in a browser: a demo service on the reference date with its own store, and what people do on it."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from playwright.sync_api import Locator, Page, Response, expect
from sqlalchemy import create_engine, text

from cds_service.app import create_app
from cds_service.settings import load_settings
from cds_service.store import migrating
from tests.web.smart_ehr import listen, read_noon

Json = dict[str, Any]
CANONICAL = "http://127.0.0.1:8000"  # of the fixture replies


@dataclass(frozen=True, slots=True)
class Demo:
    """Where it answers, and where it keeps calls and feedback."""

    address: str
    database_url: str

    def link(self, **state: str) -> str:
        """A deep link."""
        return f"{self.address}/#{urlencode(state, safe=',~')}"

    def feedback(self) -> list[tuple[Any, ...]]:
        """What was kept, oldest first: card, outcome, reason code."""
        engine = create_engine(self.database_url)
        try:
            with engine.connect() as connection:
                words = "select card, outcome, reason_code from feedback order by received"
                return [tuple(row) for row in connection.execute(text(words))]
        finally:
            engine.dispose()


@contextmanager
def open_playground(folder: Path) -> Iterator[Demo]:
    """Fixed to the reference date, so that the replies are those of the fixtures."""
    url = f"sqlite:///{folder}/playground.sqlite3"
    migrating.migrate(url)
    with listen() as (address, late):
        port = int(address.rpartition(":")[2])
        settings = load_settings(
            port=port, timezone="UTC", database_url=url, log_level="error", canonical=CANONICAL, server_timing=True
        )
        late.app = create_app(settings, clock=read_noon)
        yield Demo(address, url)


def is_call(response: Response) -> bool:
    """A hook call: not discovery, not feedback."""
    return response.request.method == "POST" and bool(re.search(r"/cds-services/[\w-]+$", response.url))


def open_at(page: Page, demo: Demo, **state: str) -> Json:
    """The reply to the call that the page makes by itself when it is opened."""
    with page.expect_response(is_call) as caught:
        page.goto(demo.link(**state))
    settle(page)
    reply: Json = caught.value.json()
    return reply


def send(page: Page) -> Json:
    """The reply to the next call."""
    with page.expect_response(is_call) as caught:
        page.get_by_role("button", name="Send the call").click()
    settle(page)
    reply: Json = caught.value.json()
    return reply


def settle(page: Page) -> None:
    """Until the last call is shown, its validation included."""
    expect(page.locator("#cards")).to_have_attribute("aria-busy", "false")


def cards(page: Page) -> Locator:
    return page.locator("#cards .card")


def card(page: Page, topic: str) -> Locator:
    return page.locator(f'#cards .card[data-topic="{topic}"]')


def basket(page: Page, kind: str) -> list[tuple[str, str]]:
    """Identifier and date of the drafts of a kind."""
    rows = page.locator(f'#basket li[data-kind="{kind}"]').all()
    return [(one.get_attribute("data-identifier") or "", one.get_attribute("data-when") or "") for one in rows]


def open_tab(page: Page, name: str) -> Locator:
    page.get_by_role("tab", name=name, exact=True).click()
    return page.get_by_role("tabpanel", name=name, exact=True)


def check_pasted(page: Page, words: str) -> Locator:
    """The findings about a pasted request."""
    page.get_by_role("tab", name="Paste a request").click()
    page.get_by_label("Hook request (JSON)").fill(words)
    page.get_by_role("button", name="Check it").click()
    findings = page.locator("#findings")
    expect(findings.locator("#verdict")).to_be_visible()
    return findings
