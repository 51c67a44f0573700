"""Takes the pictures of the Iron story under tests/web/screenshots/ anew: `python -m tests.web.smart_screenshots`."""

import sys
from pathlib import Path
from typing import Literal

from playwright.sync_api import sync_playwright

from tests.web.smart_browser import launch_args
from tests.web.smart_ehr import listen, open_demo

FOLDER = Path(__file__).resolve().parent / "screenshots"
SCHEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")
SIZES = {"desktop": (1100, 1010), "phone": (360, 1100)}
PATIENT = "two-courses"


def main() -> None:
    with listen() as (address, late), sync_playwright() as playwright:
        late.app = open_demo(address)
        browser = playwright.chromium.launch(**launch_args({}))
        for scheme in SCHEMES:
            for size, (width, height) in SIZES.items():
                page = browser.new_page(color_scheme=scheme, viewport={"width": width, "height": height})
                page.goto(f"{address}/smart/app?patient={PATIENT}")
                page.wait_for_selector("#story:not([hidden])")
                page.screenshot(path=FOLDER / f"smart-{scheme}-{size}.png")
                page.close()
        browser.close()


if __name__ == "__main__":
    sys.exit(main())
