"""Takes the pictures of the playground and of a service page under tests/web/screenshots/ anew (`make screenshots`)."""

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Literal, TypeAlias

from playwright.sync_api import Browser, Page, sync_playwright

from tests.web import smart_screenshots
from tests.web.desk import Demo, card, open_at, open_playground
from tests.web.smart_browser import launch_args

FOLDER = Path(__file__).resolve().parent / "screenshots"
DESKTOP, PHONE = (1200, 1130), (360, 740)
Scheme: TypeAlias = Literal["light", "dark"]


def accept_schedule(page: Page, demo: Demo) -> None:
    open_at(page, demo, patient="low-ferritin")
    schedule = card(page, "reassessment")
    schedule.get_by_role("button", name="Schedule all reassessments").click()
    schedule.locator(".outcome").wait_for()
    page.evaluate("() => scrollTo(0, 0)")


def show_cards(page: Page, demo: Demo, patient: str, *, scroll: bool = False) -> None:
    open_at(page, demo, patient=patient)
    if scroll:
        page.locator("#cards-title").evaluate("one => one.scrollIntoView()")


def take(browser: Browser, demo: Demo) -> None:
    """Small on purpose: they are in the repository."""
    for scheme in ("light", "dark"):
        with _page(browser, DESKTOP, scheme) as page:
            accept_schedule(page, demo) if scheme == "light" else show_cards(page, demo, "fcm-allergy")
            page.screenshot(path=FOLDER / f"playground-{scheme}-desktop.png")
        with _page(browser, PHONE, scheme) as page:
            show_cards(page, demo, "after-week-10", scroll=True)
            page.screenshot(path=FOLDER / f"playground-{scheme}-phone.png")
        with _page(browser, (1200, 900) if scheme == "light" else PHONE, scheme) as page:
            page.goto(f"{demo.address}/services/iv-iron-rls-follow-up")
            page.screenshot(path=FOLDER / f"service-{scheme}.png")


def _page(browser: Browser, size: tuple[int, int], scheme: Scheme) -> Page:
    width, height = size
    return browser.new_page(
        viewport={"width": width, "height": height}, color_scheme=scheme, reduced_motion="reduce", locale="en-GB"
    )


def main() -> None:
    FOLDER.mkdir(exist_ok=True)
    with TemporaryDirectory() as folder, open_playground(Path(folder)) as demo, sync_playwright() as playwright:
        browser = playwright.chromium.launch(**launch_args({}))
        take(browser, demo)
        browser.close()
    smart_screenshots.main()
    for path in FOLDER.glob("*.png"):
        shrink(path)


def shrink(path: Path) -> None:
    """To a palette, which flat pages fit into: a third of the size. Pillow comes with `make install-all`."""
    try:
        from PIL import Image
    except ImportError:
        print(f"{path.name} is not made smaller: no Pillow")  # noqa: T201
        return
    with Image.open(path) as picture:
        # By coverage: the default drops rare colours, such as those of a curve.
        smaller = picture.convert("RGB").quantize(
            255, method=Image.Quantize.MAXCOVERAGE, kmeans=3, dither=Image.Dither.NONE
        )
    smaller.save(path, optimize=True)


if __name__ == "__main__":
    main()
