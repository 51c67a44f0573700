"""What the Iron story draws, read back from its own scales; hover, keys, tables, contrast, small screens."""

import re
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from cds_service.clinical.rules.hemoglobin import ANEMIA_WOMEN_BELOW, REPLETION_BELOW, URGENT_BELOW
from cds_service.clinical.schedule import plan
from cds_service.clinical.specimen_time import BLACKOUT_DAYS, SETTLED_DAYS
from cds_service.clinical.zones import FERRITIN_ZONES, TSAT_ZONES
from tests.replies import REFERENCE
from tests.web.smart_browser import Watched, grave_findings, needs_chromium, watch
from tests.web.smart_ehr import listen, open_demo

pytestmark = [needs_chromium, pytest.mark.slow]
SCRIPTS = Path(__file__).resolve().parents[2] / "cds_service" / "web" / "static" / "smart"
PIXEL = 0.51  # canvas pixels: uPlot rounds to whole ones where it draws
# Days before the reference date, as written in tests/situations.py ("two-courses").
INFUSIONS = {420: "1000 mg", 118: "750 mg", 109: "750 mg"}
READ_BACK = """([name, days, values]) => {
  const u = document.getElementById(`panel-${name}`).uplot;
  const x = (day) => u.valToPos(Date.parse(day) / 1000, "x", true);
  return {
    drawn: u.drawn, left: u.bbox.left, right: u.bbox.left + u.bbox.width, top: u.bbox.top,
    bottom: u.bbox.top + u.bbox.height, y: Object.fromEntries(values.map((one) => [one, u.valToPos(one, "y", true)])),
    x: Object.fromEntries(days.map((day) => [day, x(day)])), data: u.data,
  };
}"""


def ago(days: int) -> str:
    return (REFERENCE - timedelta(days=days)).isoformat()


@pytest.fixture(scope="module")
def service() -> Iterator[str]:
    """Demo mode, on the reference date."""
    with listen() as (address, late):
        late.app = open_demo(address)
        yield address


@pytest.fixture
def watched(page: Page) -> Iterator[Watched]:
    seen = watch(page)
    yield seen
    assert seen.complaints == []


@pytest.fixture
def story(page: Page, service: str, watched: Watched) -> Page:  # noqa: ARG001  # watches from the start
    page.goto(f"{service}/smart/app?patient=two-courses")
    expect(page.locator("#story")).to_be_visible()
    return page


def read_back(page: Page, panel: str, days: list[str] | None = None, values: list[float] | None = None) -> Any:
    return page.evaluate(READ_BACK, [panel, days or [], values or []])


# --- drawn where the data and the rule book say


def test_the_bands_of_ferritin_and_tsat_lie_at_the_cut_offs_of_the_rules(story: Page) -> None:
    for panel, zones in (("ferritin", FERRITIN_ZONES), ("tsat", TSAT_ZONES)):
        cuts = [float(zone.low) for zone in zones if zone.low is not None]
        found = read_back(story, panel, values=cuts)
        assert [band["from"] for band in found["drawn"]["bands"]] == [0, *cuts]
        assert [limit["value"] for limit in found["drawn"]["limits"]] == cuts
        for limit in found["drawn"]["limits"]:
            assert limit["y"] == pytest.approx(found["y"][f"{limit['value']:g}"], abs=PIXEL)
        for below, above in zip(found["drawn"]["bands"], found["drawn"]["bands"][1:], strict=False):
            assert below["top"] == pytest.approx(above["bottom"])
        assert found["drawn"]["bands"][0]["bottom"] == pytest.approx(found["bottom"], abs=PIXEL)
        assert found["drawn"]["bands"][-1]["top"] == pytest.approx(found["top"], abs=PIXEL)


def test_the_bands_of_hemoglobin_are_those_of_this_patient(story: Page) -> None:
    limits = [limit["value"] for limit in read_back(story, "hemoglobin")["drawn"]["limits"]]
    assert limits == [float(one.value) for one in (URGENT_BELOW, ANEMIA_WOMEN_BELOW, REPLETION_BELOW)]


@pytest.mark.parametrize("panel", ["events", "ferritin", "tsat", "hemoglobin"])
def test_infusions_are_marked_on_their_days_with_their_doses(story: Page, panel: str) -> None:
    days = [ago(one) for one in INFUSIONS]
    found = read_back(story, panel, days)
    assert [(one["date"], one["amount"]) for one in found["drawn"]["infusions"]] == list(
        zip(days, INFUSIONS.values(), strict=True)
    )
    for one in found["drawn"]["infusions"]:
        assert one["x"] == pytest.approx(found["x"][one["date"]], abs=PIXEL)
        assert found["left"] < one["x"] < found["right"]


@pytest.mark.parametrize(("panel", "is_hatched"), [("ferritin", True), ("tsat", True), ("hemoglobin", False)])
def test_r_09_the_blackout_is_hatched_where_iron_studies_cannot_be_read(
    story: Page, panel: str, is_hatched: bool
) -> None:
    last = ago(109 - (BLACKOUT_DAYS - 1))
    settled = ago(109 - (SETTLED_DAYS - 1))
    found = read_back(story, panel, [ago(118), last, settled])
    spans, cautions = found["drawn"]["blackouts"], found["drawn"]["cautions"]
    if not is_hatched:
        assert (spans, cautions) == ([], [])
        return
    assert (spans[-1]["from"], spans[-1]["to"]) == (ago(118), last)  # two doses nine days apart: one span
    assert spans[-1]["left"] == pytest.approx(found["x"][ago(118)])
    assert spans[-1]["right"] == pytest.approx(found["x"][last])
    assert (cautions[-1]["from"], cautions[-1]["to"]) == (ago(109 - BLACKOUT_DAYS), settled)


def test_reassessment_windows_are_those_of_the_schedule_with_what_happened(story: Page) -> None:
    planned = plan(date.fromisoformat(ago(109)))
    days = [day.isoformat() for one in planned for day in (one.window_first, one.window_last)]
    found = read_back(story, "events", days)
    windows = found["drawn"]["windows"][-len(planned) :]
    assert [(one["contact"], one["state"]) for one in windows] == [
        *(("day 8", "done"), ("week 3", "missed"), ("week 8 labs", "done"), ("month 6", "planned")),
    ]
    for one, expected in zip(windows, planned, strict=True):
        assert (one["from"], one["to"]) == (expected.window_first.isoformat(), expected.window_last.isoformat())
        assert one["left"] == pytest.approx(found["x"][one["from"]])
        assert one["right"] == pytest.approx(found["x"][one["to"]])


def test_today_is_marked(story: Page) -> None:
    found = read_back(story, "tsat", [REFERENCE.isoformat()])
    assert found["drawn"]["today"] == pytest.approx(found["x"][REFERENCE.isoformat()])


def test_values_that_cannot_be_used_are_hollow_and_the_others_filled(story: Page) -> None:
    points = [one for one in read_back(story, "ferritin")["drawn"]["points"] if one["series"] == "ferritin"]
    hollow = {one["date"] for one in points if one["isHollow"]}
    assert hollow == {ago(410), ago(131), ago(95), ago(1)}  # blackout, unit, blackout, preliminary
    assert {one["date"] for one in points} - hollow == {ago(430), ago(362), ago(236), ago(128), ago(45)}


def test_a_value_without_a_readable_unit_is_at_the_foot_and_not_on_the_scale(story: Page) -> None:
    found = read_back(story, "ferritin", [ago(131)], [5.8])
    (point,) = [one for one in found["drawn"]["points"] if one["shown"] == "5.8 ug/dL"]
    assert point["x"] == pytest.approx(found["x"][ago(131)], abs=PIXEL)
    assert point["y"] > found["bottom"] - 20
    assert 5.8 not in found["data"][1] + found["data"][2]


def test_points_lie_where_their_values_say(story: Page) -> None:
    found = read_back(story, "ferritin", [ago(362)], [148])
    (point,) = [one for one in found["drawn"]["points"] if one["shown"] == "148 ng/mL"]
    assert point["x"] == pytest.approx(found["x"][ago(362)], abs=PIXEL)
    assert point["y"] == pytest.approx(found["y"]["148"], abs=PIXEL)


def test_severity_totals_have_an_axis_of_their_own(story: Page) -> None:
    at_31 = story.evaluate("document.getElementById('panel-ferritin').uplot.valToPos(31, 'severity', true)")
    points = [one for one in read_back(story, "ferritin")["drawn"]["points"] if one["series"] == "severity"]
    (first, *_) = points
    assert len(points) == 8
    assert first["y"] == pytest.approx(at_31, abs=PIXEL)
    scale = story.evaluate(
        "(({min, max}) => [min, max])(document.getElementById('panel-ferritin').uplot.scales.severity)"
    )
    assert scale == [0, 40]


def test_the_time_shown_can_be_chosen(story: Page) -> None:
    story.get_by_role("button", name="Latest course").click()
    expect(story.get_by_role("button", name="Latest course")).to_have_attribute("aria-pressed", "true")
    found = read_back(story, "events", [ago(109), ago(420)])
    assert found["left"] < found["x"][ago(109)] < found["right"]
    assert found["x"][ago(420)] < found["left"]


# --- asked about


def point_at(page: Page, panel: str, day: str, value: float) -> None:
    """Moves the mouse to a value of a panel."""
    place = page.evaluate(
        """([name, day, value]) => {
          const u = document.getElementById(`panel-${name}`).uplot;
          u.over.scrollIntoView({ block: "center" });
          const box = u.over.getBoundingClientRect();
          return [box.left + u.valToPos(Date.parse(day) / 1000, "x"), box.top + u.valToPos(value, "y")];
        }""",
        [panel, day, value],
    )
    page.mouse.move(*place)


HOVERED = [
    pytest.param("ferritin", 45, 132, ("Ferritin 132 ng/mL", ago(45), "final", "counts today"), id="the value in use"),
    pytest.param(
        "tsat", 410, 52, ("TSAT 52 %", "Not interpretable", "10 days after IV iron"), id="R-09 in the blackout"
    ),
    pytest.param("ferritin", 131, 3, ("5.8 ug/dL", "ug/dL is not accepted"), id="R-05 unit"),
    pytest.param("ferritin", 1, 118, ("118 ng/mL", "preliminary"), id="R-07 preliminary"),
    pytest.param("ferritin", 128, 58, ("58 ng/mL", "not used today: it is 128 days old"), id="R-08 old"),
]


@pytest.mark.parametrize(("panel", "days", "value", "expected"), HOVERED)
def test_hover_tells_value_unit_date_and_status(
    story: Page, panel: str, days: int, value: float, expected: tuple[str, ...]
) -> None:
    point_at(story, panel, ago(days), value)
    for words in expected:
        expect(story.locator("#tip")).to_contain_text(words)
    story.keyboard.press("Escape")
    expect(story.locator("#tip")).to_be_hidden()


def test_the_keyboard_reaches_everything_in_order_of_time(story: Page) -> None:
    story.locator("#charts").focus()
    story.keyboard.press("ArrowRight")
    expect(story.locator("#spoken")).to_contain_text(f"RLS severity 31 (very severe). {ago(440)}")
    story.keyboard.press("End")
    expect(story.locator("#spoken")).to_contain_text("month 6 (R-47): not due yet")
    story.keyboard.press("ArrowLeft")
    expect(story.locator("#tip")).to_be_visible()
    expect(story.locator("#spoken")).to_contain_text("Ferritin 118 ng/mL")


def cells(page: Page, table: str) -> list[list[str]]:
    rows = page.locator(f"#table-{table} tbody tr").all()
    return [row.locator("th, td").all_inner_texts() for row in rows]


def test_the_tables_say_what_the_charts_draw(story: Page) -> None:
    values = cells(story, "values")
    drawn = [
        point for panel in ("ferritin", "tsat", "hemoglobin") for point in read_back(story, panel)["drawn"]["points"]
    ]
    assert sorted((row[0], row[2]) for row in values) == sorted((one["date"], one["shown"]) for one in drawn)
    assert {row[0] for row in values if row[4] != "yes"} == {one["date"] for one in drawn if one["isHollow"]}
    assert [row[0] for row in cells(story, "infusions")] == [ago(one) for one in reversed(INFUSIONS)]
    assert [row[3] for row in cells(story, "windows")][:4] == ["not due yet", "done", "missed", "done"]


# --- for everybody


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 1180])
def test_axe_finds_nothing_serious_and_nothing_is_cut_off(page: Page, service: str, scheme: Any, width: int) -> None:
    page.set_viewport_size({"width": width, "height": 800})
    page.emulate_media(color_scheme=scheme)
    for path in ("/smart/app?patient=two-courses", "/smart/app"):
        page.goto(service + path)
        page.wait_for_selector("#story:not([hidden]), .choice")
        assert grave_findings(page) == []
        assert page.evaluate("document.documentElement.scrollWidth") == width


def test_colours_follow_the_theme(story: Page) -> None:
    def colour() -> Any:
        return story.evaluate("getComputedStyle(document.body).color")

    light = colour()
    story.emulate_media(color_scheme="dark")
    assert colour() != light


def test_print_shows_charts_in_ink_and_all_tables(story: Page) -> None:
    story.emulate_media(color_scheme="dark")
    story.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert story.evaluate("getComputedStyle(document.documentElement).getPropertyValue('--paper').trim()") == "#ffffff"
    story.evaluate("dispatchEvent(new Event('afterprint'))")
    assert story.evaluate("getComputedStyle(document.documentElement).getPropertyValue('--paper').trim()") != "#ffffff"
    story.emulate_media(media="print")
    assert story.locator("#ranges").is_hidden()
    assert story.locator("#table-values").is_visible()


def test_a_patient_without_results_or_rls_gets_a_page_that_says_so(page: Page, service: str, watched: Watched) -> None:  # noqa: ARG001
    page.goto(f"{service}/smart/app?patient=never-tested")
    expect(page.locator("#panel-ferritin h3")).to_contain_text("no results on record")
    expect(page.locator("#tables")).to_contain_text("No IV iron on record.")
    page.goto(f"{service}/smart/app?patient=opened-without-rls")
    expect(page.locator("#notes")).to_contain_text("No adult with restless legs syndrome")


def test_the_demo_lists_patients_and_a_launch_of_its_own_server_opens_one(
    page: Page,
    service: str,
    watched: Watched,  # noqa: ARG001
) -> None:
    page.goto(f"{service}/smart/app")
    page.get_by_role("link", name="after-week-10").click()
    expect(page.locator("#patient")).to_contain_text("After Week Synthetic")
    page.goto(f"{service}/smart/launch?iss={service}/demo/fhir&launch=after-week-9")
    expect(page.locator("#table-windows")).to_contain_text("window open")
    page.goto(f"{service}/smart/launch")
    expect(page.get_by_role("link", name="two-courses")).to_be_visible()


def test_it_works_behind_a_proxy_that_takes_a_path_prefix_off(page: Page, watched: Watched) -> None:  # noqa: ARG001
    with listen() as (address, late):
        app = open_demo(address, prefix="/rls")

        def strip(environ: Any, start_response: Any) -> Any:
            environ["PATH_INFO"] = (
                environ["PATH_INFO"].removeprefix("/rls") if "/rls/" in environ["PATH_INFO"] else "/-"
            )
            return app(environ, start_response)

        late.app = strip
        page.goto(f"{address}/rls/smart/launch?iss={address}/rls/demo/fhir&launch=two-courses")
        expect(page.locator("#story")).to_be_visible()
        assert page.url == f"{address}/rls/smart/app?patient=two-courses"


def test_chart_text_stays_inert(page: Page, service: str, watched: Watched) -> None:  # noqa: ARG001
    """A value, status and name with markup are shown as they are."""
    markup = "<img src=x onerror=alert(1)>"

    def change(route: Any) -> None:
        bundle = route.fetch().json()
        for entry in bundle["entry"]:
            entry["resource"]["status"] = markup
            entry["resource"]["valueQuantity"] = {"value": 48, "unit": markup}
        route.fulfill(json=bundle)

    page.route(re.compile(r"/demo/fhir/Observation.*2276-4"), change)
    page.goto(f"{service}/smart/app?patient=low-ferritin")
    expect(page.locator("#table-values")).to_contain_text(markup)
    assert page.locator("img").count() == 0


FERRITIN = re.compile(r"/demo/fhir/Observation\?.*2276-4")


def as_page(route: Any, next_url: str) -> None:
    """The answer of the demo server as if more were to come."""
    bundle = route.fetch().json()
    bundle["link"] = [{"relation": "next", "url": next_url}]
    route.fulfill(json=bundle)


def test_further_pages_are_read(page: Page, service: str, watched: Watched) -> None:  # noqa: ARG001
    more = f"{service}/demo/fhir/Observation?patient=grey-zone&code=2502-3"
    page.route(FERRITIN, lambda route: as_page(route, more))
    with page.expect_response(lambda answer: answer.url == more):
        page.goto(f"{service}/smart/app?patient=grey-zone")
    expect(page.locator("#story")).to_be_visible()
    assert page.locator("#notes").is_hidden()


def test_pages_of_another_server_are_not_and_the_gap_is_named(page: Page, service: str, watched: Watched) -> None:
    page.route(FERRITIN, lambda route: as_page(route, "https://other.example/fhir/Observation?page=2"))
    page.goto(f"{service}/smart/app?patient=grey-zone")
    expect(page.locator("#notes")).to_contain_text("Not obtained, so it may be missing here: ferritin (incomplete).")
    assert watched.origins == {service}


@pytest.mark.parametrize("script", sorted(path.name for path in SCRIPTS.glob("*.js")))
def test_no_unit_and_no_rule_is_known_in_javascript(script: str) -> None:
    text = (SCRIPTS / script).read_text("utf-8")
    assert not re.search(r"ng/mL|ug/|g/dL|umol|\bR-\d\d|2276-4|loinc|snomed", text, re.IGNORECASE)
    assert not re.search(r"innerHTML|insertAdjacentHTML|document\.write|\beval\(", text)
