"""The playground: chosen patients give the cards of the fixtures, accepting and dismissing do what an EHR does."""

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Page, Route, expect

from tests.replies import SITUATIONS, mask, reply_path, request_path
from tests.web.desk import (
    Demo,
    basket,
    card,
    cards,
    check_pasted,
    is_call,
    open_at,
    open_playground,
    open_tab,
    send,
    settle,
)
from tests.web.smart_browser import Watched, grave_findings, needs_chromium, watch

pytestmark = [needs_chromium, pytest.mark.slow]
Json = dict[str, Any]
TOUR = ("low-ferritin", "fcm-allergy", "no-iron-studies", "candidate")
STAGES = ("after-day-3", "after-day-9", "after-week-3", "after-week-10", "after-month-6")
ODD = ("allergies-failed", "keys-left-out", "two-products", "hcpcs-infusion", "planned-course", "signing-complete")
SILENT = ("other-drug", "opened-without-rls")
SCHEDULE = {"day-8": "2026-03-18", "week-3": "2026-03-31", "week-8-labs": "2026-05-05", "month-6": "2026-09-10"}
EVIL = "<img src=x onerror=\"document.title='pwned'\">"


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    with open_playground(tmp_path_factory.mktemp("playground")) as opened:
        yield opened


@pytest.fixture
def watched(page: Page) -> Watched:
    return watch(page)


def fixture_reply(name: str) -> Json:
    reply: Json = json.loads(reply_path(name).read_text("utf-8"))
    return reply


def told(reply: Json) -> list[tuple[str, ...]]:
    """What a user reads on the cards."""
    return [(one["indicator"], one["source"]["topic"]["code"], one["summary"], one["detail"]) for one in reply["cards"]]


# ------------------------------------------------------------------------------------------------- the cards


@pytest.mark.parametrize("name", [*TOUR, *STAGES, *ODD, *SILENT])
def test_choosing_a_patient_shows_the_cards_of_the_fixture_reply(
    page: Page, demo: Demo, watched: Watched, name: str
) -> None:
    expected = fixture_reply(name)
    reply = open_at(page, demo, patient=name)
    assert told(mask(reply)) == told(expected)
    expect(cards(page)).to_have_count(len(expected["cards"]))
    for shown, wanted in zip(cards(page).all(), expected["cards"], strict=True):
        expect(shown.locator("h3")).to_have_text(wanted["summary"])
        expect(shown).to_have_class(re.compile(rf"\b{wanted['indicator']}\b"))
        expect(shown.locator(".topic")).to_have_text(wanted["source"]["topic"]["display"])
    assert (watched.complaints, watched.origins) == ([], {demo.address})


def test_every_patient_of_the_list_has_its_clinical_line(page: Page, demo: Demo) -> None:
    open_at(page, demo)
    listed = [one.get_attribute("value") for one in page.locator("#patient option").all()]
    assert sorted(map(str, listed)) == sorted(SITUATIONS)
    assert all(one.inner_text().strip() for one in page.locator("#patient option").all())


def test_the_form_changes_product_dose_and_day_of_the_order(page: Page, demo: Demo) -> None:
    open_at(page, demo, patient="low-ferritin")
    with page.expect_response(is_call):
        page.get_by_label("Iron order").select_option(label="ferric derisomaltose")
    settle(page)
    page.get_by_label("Dose, mg").fill("500")
    with page.expect_response(is_call):
        page.get_by_label("Dose, mg").press("Tab")
    settle(page)
    page.get_by_label("Planned for").fill("2026-03-20")
    reply = send(page)
    assert told(reply)[0][2].startswith("Ferric derisomaltose: ")
    assert "day 8 2026-03-28" in told(reply)[1][2]  # counted from the planned day
    sent = json.loads(open_tab(page, "Request").locator("pre").inner_text())
    (order,) = (one["resource"] for one in sent["context"]["draftOrders"]["entry"])
    assert order["dosageInstruction"][0]["timing"] == {"event": ["2026-03-20"]}
    assert order["dosageInstruction"][0]["doseAndRate"][0]["doseQuantity"]["value"] == 500


def test_a_dose_that_is_no_number_is_said_and_not_sent(page: Page, demo: Demo) -> None:
    open_at(page, demo, patient="low-ferritin")
    page.get_by_label("Dose, mg").fill("two vials")
    page.get_by_label("Dose, mg").press("Tab")
    expect(page.get_by_label("Dose, mg")).to_have_attribute("aria-invalid", "true")
    expect(page.locator("#status")).to_contain_text("The dose is a number")


def test_a_key_left_out_is_named_and_fetched_where_the_server_is_offered(page: Page, demo: Demo) -> None:
    open_at(page, demo, patient="low-ferritin", left="ferritin")
    expect(page.locator("#status")).to_have_text(re.compile("Refused with status 412: this is no all-clear"))
    expect(page.locator("#cards")).to_contain_text("ferritin: not supplied")
    page.get_by_text("Prefetch: leave out or fail a key").click()
    with page.expect_response(is_call) as caught:
        page.get_by_label("Offer the FHIR server").check()
    settle(page)
    assert told(caught.value.json())[0][1] == "indicated-strong"


# ------------------------------------------------------------------------------------- accept, dismiss, next call


def test_accepting_the_schedule_fills_the_basket_and_the_next_call_does_not_offer_it_again(
    page: Page, demo: Demo, watched: Watched
) -> None:
    reply = open_at(page, demo, patient="low-ferritin")
    offered = reply["cards"][1]
    schedule = card(page, "reassessment")
    schedule.get_by_role("button", name="Schedule all reassessments").click()
    expect(schedule.locator(".outcome")).to_contain_text("feedback kept")
    contacts = {identifier.partition(".")[2]: when for identifier, when in basket(page, "contact")}
    assert contacts == SCHEDULE
    assert [when for _, when in basket(page, "test")] == [SCHEDULE["week-8-labs"]] * 3
    assert told(send(page))[0][1] == "indicated-strong"
    expect(cards(page)).to_have_count(1)
    expect(cards(page)).to_contain_text("Follow-up of this course is arranged.")
    assert (offered["uuid"], "accepted", None) in demo.feedback()
    assert watched.complaints == []


def test_removing_a_draft_from_the_basket_brings_its_offer_back(page: Page, demo: Demo) -> None:
    open_at(page, demo, patient="low-ferritin")
    card(page, "reassessment").get_by_role("button", name="Schedule all reassessments").click()
    page.get_by_role("button", name=re.compile("^Remove RLS reassessment .*month 6")).click()
    (_, again) = send(page)["cards"]
    assert [one["description"] for one in again["suggestions"][0]["actions"]] == ["Reassessment month 6, 2026-09-10"]


def test_accepting_a_candidate_drafts_the_order_and_asks_order_select(page: Page, demo: Demo) -> None:
    open_at(page, demo, patient="candidate")
    with page.expect_response(is_call) as caught:
        card(page, "iron-candidate").get_by_role("button", name=re.compile("^Draft ")).click()
    settle(page)
    assert [one[1] for one in told(caught.value.json())] == ["indicated-strong", "reassessment"]
    expect(page.locator("#hook")).to_have_value("order-select")
    expect(page.locator('#basket li[data-kind="order"]')).to_contain_text("ferric carboxymaltose 1000 mg")


def test_dismissing_posts_the_reason(page: Page, demo: Demo, watched: Watched) -> None:
    reply = open_at(page, demo, patient="after-day-9")
    (shown,) = reply["cards"]
    reason = shown["overrideReasons"][1]
    due = card(page, "follow-up-due")
    due.get_by_text("Dismiss …").click()
    due.get_by_label(reason["display"], exact=True).check()
    due.get_by_role("button", name="Dismiss the card").click()
    expect(due.locator(".outcome")).to_have_text(f"Dismissed: {reason['display']}; feedback kept.")
    assert (shown["uuid"], "overridden", reason["code"]) in demo.feedback()
    expect(open_tab(page, "Feedback")).to_contain_text(reason["code"])
    assert watched.complaints == []


def test_a_link_to_the_smart_app_is_launched_with_server_and_patient(page: Page, demo: Demo) -> None:
    open_at(page, demo, patient="after-week-10")
    with page.context.expect_page() as caught:
        card(page, "response-review").get_by_role("link", name=re.compile("SMART app")).click()
    opened = caught.value
    expect(opened.locator("#patient")).to_contain_text("After Week Synthetic")
    assert opened.url == f"{demo.address}/smart/app?patient=after-week-10"


# ---------------------------------------------------------------------------------------------------------- tabs


def test_the_tabs_show_the_call_as_it_was(page: Page, demo: Demo) -> None:
    reply = open_at(page, demo, patient="low-ferritin")
    trace = open_tab(page, "Decision trace")
    expect(trace).to_contain_text("MedicationRequest/order-1: indicated-strong")
    expect(trace.get_by_role("row", name=re.compile("^R-22 "))).to_contain_text("ferritin 48 ng/mL and TSAT 17 %")
    sent = json.loads(open_tab(page, "Request").locator("pre").inner_text())
    assert sent["hook"] == "order-select"
    assert json.loads(open_tab(page, "Reply").locator("pre").inner_text()) == reply
    rows = open_tab(page, "Validation").locator("tbody tr").all()
    assert [one.inner_text().split("\t")[1] for one in rows] == ["✓ valid"] * 3
    expect(open_tab(page, "Timing")).to_contain_text("17 queries")
    line = open_tab(page, "curl").get_by_label("curl command").input_value()
    assert line.startswith(f"curl -s '{demo.address}/cds-services/iv-iron-rls' -H ")
    assert "\n" not in line


def test_tabs_and_buttons_work_without_a_mouse(page: Page, demo: Demo) -> None:
    open_at(page, demo, patient="low-ferritin")
    page.get_by_role("tab", name="Decision trace").focus()
    page.keyboard.press("ArrowRight")
    expect(page.get_by_role("tab", name="Request", exact=True)).to_be_focused()
    expect(page.get_by_role("tabpanel", name="Request", exact=True)).to_be_visible()
    page.keyboard.press("End")
    expect(page.get_by_role("tabpanel", name="Feedback")).to_be_visible()
    accept = card(page, "reassessment").get_by_role("button", name="Schedule all reassessments")
    accept.focus()
    page.keyboard.press("Enter")
    expect(card(page, "reassessment").locator(".outcome")).to_contain_text("Accepted")


# ---------------------------------------------------------------------------------------------------- deep links


def test_a_deep_link_repeats_choices_and_accepted_drafts_without_new_feedback(page: Page, demo: Demo) -> None:
    open_at(page, demo, patient="low-ferritin")
    card(page, "reassessment").get_by_role("button", name="Schedule all reassessments").click()
    expect(card(page, "reassessment").locator(".outcome")).to_contain_text("Accepted")
    open_tab(page, "Reply")
    address, kept, before = page.url, basket(page, "contact"), len(demo.feedback())
    assert "accepted=order-select~reassessment" in address
    other = page.context.new_page()
    other.goto(address)
    expect(other.locator('#basket li[data-kind="contact"]')).to_have_count(4)
    settle(other)
    assert basket(other, "contact") == kept
    expect(other.get_by_role("tabpanel", name="Reply")).to_be_visible()
    assert len(demo.feedback()) == before


def test_jumping_within_the_page_keeps_what_is_chosen(page: Page, demo: Demo) -> None:
    open_at(page, demo, patient="after-day-9")
    page.get_by_role("link", name="Skip to content").focus()
    page.keyboard.press("Enter")
    expect(page.locator("#main")).to_be_focused()
    expect(page.locator("#patient")).to_have_value("after-day-9")
    expect(card(page, "follow-up-due")).to_be_visible()


@pytest.mark.parametrize("fragment", ["patient=nobody", "patient=%3Cscript%3E&hook=x&tab=%22", "left=%00&accepted=~~~"])
def test_a_bad_link_opens_the_page_all_the_same(page: Page, demo: Demo, watched: Watched, fragment: str) -> None:
    page.goto(f"{demo.address}/#{fragment}")
    settle(page)
    assert watched.complaints == []


# -------------------------------------------------------------------------------------------------- pasted requests


def test_a_broken_request_gets_a_readable_error(page: Page, demo: Demo, watched: Watched) -> None:
    open_at(page, demo)
    request = json.loads(request_path("low-ferritin").read_text("utf-8"))
    del request["context"]["patientId"]
    findings = check_pasted(page, json.dumps(request))
    expect(findings.locator("#verdict")).to_contain_text("Refused with 400")
    expect(findings.locator("#verdict li")).to_have_text(["context.patientId: is missing"])
    findings = check_pasted(page, '{"hook": ')
    expect(findings.locator("#verdict li")).to_contain_text("the body is not JSON")
    assert watched.complaints == []


def test_a_good_request_is_taken_apart(page: Page, demo: Demo) -> None:
    open_at(page, demo)
    findings = check_pasted(page, request_path("stale-ferritin").read_text("utf-8"))
    expect(findings.locator("#verdict")).to_contain_text("Accepted, answered with 1 card")
    keys = findings.get_by_role("region", name="Prefetch keys")
    expect(keys.get_by_role("row", name=re.compile("^ferritin "))).to_contain_text("supplied")
    expect(keys.get_by_role("row", name=re.compile("^crp "))).to_contain_text("empty")
    expect(findings.get_by_role("region", name="Set aside")).to_contain_text("91 days old")
    expect(findings.get_by_role("region", name="Read from the chart")).to_contain_text("17 %")


def test_pasted_data_stay_out_of_address_history_and_storage(page: Page, demo: Demo) -> None:
    open_at(page, demo, patient="low-ferritin")
    address = page.url
    check_pasted(page, request_path("fcm-allergy").read_text("utf-8"))
    assert page.url == address
    page.reload()
    expect(page.locator("#pasted")).to_have_value("")
    assert page.context.storage_state() == {"cookies": [], "origins": []}


# ------------------------------------------------------------------------------------------------ text of the chart


def poison(request: Json) -> Json:
    """An allergy whose name and reaction are markup."""
    (entry,) = request["prefetch"]["allergies"]["entry"]
    entry["resource"]["code"]["text"] = EVIL
    entry["resource"]["reaction"][0]["manifestation"] = [{"text": f"{EVIL}[x](javascript:alert(1))"}]
    return request


def assert_inert(page: Page) -> None:
    assert page.title().startswith("Playground")
    assert page.locator("img").count() == 0
    assert page.locator('a[href^="javascript"]').count() == 0


def test_markup_in_the_chart_stays_text_on_the_cards(page: Page, demo: Demo, watched: Watched) -> None:
    request = poison(json.loads(request_path("fcm-allergy").read_text("utf-8")))

    def answer(route: Route) -> None:
        route.fulfill(json=request["prefetch"]["allergies"], content_type="application/fhir+json")

    page.route("**/demo/fhir/AllergyIntolerance*", answer)
    open_at(page, demo, patient="fcm-allergy")
    expect(card(page, "contraindicated")).to_contain_text("<img src=x onerror=")
    assert_inert(page)
    assert watched.complaints == []


def test_markup_in_a_pasted_request_stays_text(page: Page, demo: Demo, watched: Watched) -> None:
    open_at(page, demo)
    request = poison(json.loads(request_path("fcm-allergy").read_text("utf-8")))
    findings = check_pasted(page, json.dumps(request))
    expect(findings.get_by_role("region", name="Read from the chart")).to_contain_text("<img src=x onerror=")
    assert_inert(page)
    assert watched.complaints == []


# ------------------------------------------------------------------------------------------------- for every reader


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize(
    "path",
    [
        *("/services", "/services/iv-iron-rls", "/services/iv-iron-rls-follow-up", "/knowledge"),
        *("/knowledge/conformance", "/knowledge/source-attributes"),
    ],
)
def test_pages_for_readers_have_no_grave_barrier(
    page: Page, demo: Demo, watched: Watched, path: str, scheme: Any
) -> None:
    page.emulate_media(color_scheme=scheme)
    page.goto(demo.address + path)
    assert grave_findings(page) == []
    assert (watched.complaints, watched.origins) == ([], {demo.address})


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("name", ["low-ferritin", "too-soon", "fcm-allergy", "after-month-6"])
def test_the_playground_has_no_grave_barrier(page: Page, demo: Demo, name: str, scheme: Any) -> None:
    page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
    open_at(page, demo, patient=name)
    for details in page.locator("#cards details, #faults").all():
        details.evaluate("one => { one.open = true }")
    assert grave_findings(page) == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_no_tab_has_a_grave_barrier(page: Page, demo: Demo, scheme: Any) -> None:
    page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
    open_at(page, demo, patient="opened-replete")  # few rules and no card: it is the tabs that are looked at
    for tab in ("Request", "Reply", "Validation", "Timing", "curl", "Feedback"):
        open_tab(page, tab)
        assert grave_findings(page) == [], tab


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_pasting_has_no_grave_barrier(page: Page, demo: Demo, scheme: Any) -> None:
    page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
    open_at(page, demo)
    check_pasted(page, request_path("keys-left-out").read_text("utf-8"))
    assert grave_findings(page) == []
    check_pasted(page, "{}")
    assert grave_findings(page) == []


@pytest.mark.parametrize(
    "path", ["/#patient=low-ferritin", "/#patient=after-week-3", "/services/iv-iron-rls", "/knowledge"]
)
def test_nothing_is_cut_off_at_360_pixels(page: Page, demo: Demo, path: str) -> None:
    page.set_viewport_size({"width": 360, "height": 740})
    page.goto(demo.address + path)
    if path.startswith("/#"):
        settle(page)
    assert page.evaluate("() => document.documentElement.scrollWidth") == 360
