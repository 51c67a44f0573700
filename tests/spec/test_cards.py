"""Cards: summary, detail, indicator, source, override reasons; chart text stays inert in all of them (section I)."""

import json
import re
from functools import cache
from typing import Any
from uuid import UUID

import pytest
from flask.testing import FlaskClient
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from markdown_it.token import Token

from cds_service import markdown as md
from cds_service.card_parts import TOPIC_DISPLAY
from cds_service.clinical.wording import quote
from tests.replies import ORDERING, SITUATIONS, answers, ask, open_service, read_request
from tests.spec.rim import Json

SPEAKING = [name for name, one in SITUATIONS.items() if one["expect"]]
CARDS = [(name, place) for name in SPEAKING for place, _ in enumerate(answers()[name]["cards"])]
INDICATORS = ("info", "warning", "critical")
REASON_SYSTEM = "http://terminology.hl7.org/CodeSystem/guideline-override-reason"
CONCLUSIONS = {
    "indicated-strong": "guideline supports IV iron",
    "may-benefit": "IV iron may benefit",
    "not-indicated": "not supported now",
    "contraindicated": "contraindicated",
    "insufficient-data": "not enough data",
    "reassessment": "reassessment",
}  # topic to the words of the summary
client_of = cache(open_service)


def each_card(test: Any) -> Any:
    """Runs a test for every card of every fixture reply."""
    return pytest.mark.parametrize(("name", "place"), CARDS, ids=[f"{name}-{place + 1}" for name, place in CARDS])(test)


def card_of(name: str, place: int) -> Json:
    card: Json = answers()[name]["cards"][place]
    return card


def with_drug(name: str, other: str = "MedicationRequest/order-1") -> Json:
    """The request for `low-ferritin` with a drug of that name beside a second iron order, which makes it named."""
    request = read_request("two-products")
    for entry in request["context"]["draftOrders"]["entry"]:
        order = entry["resource"]
        if f"{order['resourceType']}/{order['id']}" == other:
            order["medicationCodeableConcept"] = {"text": name}
    return request


# ------------------------------------------------------------------------------------------------------------ summary


@each_card
def test_ch_120_ch_123_ch_124_ch_125_the_summary_is_one_line_under_140_characters(name: str, place: int) -> None:
    summary = card_of(name, place)["summary"]
    assert 20 < len(summary) < 140
    assert "\n" not in summary
    assert summary == summary.strip()


@each_card
def test_ch_120_the_summary_alone_names_the_conclusion(name: str, place: int) -> None:
    card = card_of(name, place)
    topic = card["source"]["topic"]["code"]
    if SITUATIONS[name]["hook"] != "patient-view":
        assert CONCLUSIONS[topic] in card["summary"]


WEIRD = st.text(alphabet=st.characters(blacklist_categories=("Cs",)), min_size=0, max_size=400) | st.sampled_from(
    ["x" * 400, "\u00e9" * 200, "\u0301" * 200, "\U0001f489" * 80, "a b " * 80, "\n\r\t\v\f\u2028", "\u202e"]
)


@given(name=WEIRD)
def test_ch_124_the_summary_stays_short_whatever_the_drug_is_called(name: str) -> None:
    for card in ask(client_of(), with_drug(f"iron sucrose IV {name}"))["cards"]:
        assert 0 < len(card["summary"]) <= 139
        assert not re.search(r"[\x00-\x1f\x7f]", card["summary"])


# ------------------------------------------------------------------------------------------------------------- detail

EVIL = (
    "<img src=x onerror=alert(1)>",
    "[x](http://evil.example)",
    "![x](http://evil.example/x.png)",
    "www.evil.example",
    "WWW.EVIL.EXAMPLE",
    "evil.com",
    "<http://evil.example>",
    "https://evil.example/?x=1",
    "mail@evil.example",
    "`code` ``more``",
    "a | b | c",
    "**bold** __bold__ ~~gone~~",
    "</li></ul><script>alert(1)</script>",
    "&lt;b&gt; &#60;b&#62;",
    "\n\n# heading\n\n- item\n\n    code",
    "\\<b\\>",
    "[r]: http://evil.example",
    "@someone #1",
    "- item",
    "1. item",
    "---",
)
GFM = MarkdownIt("gfm-like", {"html": True})
FORBIDDEN = {"html_inline", "html_block", "code_inline", "code_block", "fence", "image", "table_open", "s_open"}


def tokens(markdown: str) -> list[Token]:
    """All block and inline tokens of a GFM rendering that lets HTML through."""
    return [token for block in GFM.parse(markdown) for token in (block, *(block.children or ()))]


def shape(markdown: str) -> list[tuple[str, str]]:
    """Kinds of tokens, without what text they hold."""
    return [(token.type, str(token.attrs.get("href", ""))) for token in tokens(markdown)]


@each_card
def test_ch_127_the_detail_is_markdown_with_our_links_only(name: str, place: int) -> None:
    detail = card_of(name, place)["detail"]
    links = [token.attrs["href"] for token in tokens(detail) if token.type == "link_open"]
    assert FORBIDDEN.isdisjoint(token.type for token in tokens(detail))
    assert all(str(link).startswith("https://") for link in links)
    assert "evil" not in detail


@each_card
def test_ch_128_the_detail_has_no_html(name: str, place: int) -> None:
    assert not re.search(r"<[A-Za-z/!]", card_of(name, place)["detail"])


@each_card
def test_ch_126_the_card_makes_sense_with_its_detail_removed(name: str, place: int) -> None:
    card = {key: value for key, value in card_of(name, place).items() if key != "detail"}
    assert {"summary", "indicator", "source", "uuid"} <= set(card)
    assert "detail" not in card["summary"] or card["source"]["topic"]["code"] == "reassessment"


@pytest.mark.parametrize("evil", EVIL)
@pytest.mark.parametrize("before", ["", "Drug "], ids=["at the start", "within"])
def test_ch_127_quoted_chart_text_renders_as_nothing_but_text(evil: str, before: str) -> None:
    line = f"- {md.text(before + quote(evil) + ' here')}"
    harmless = f"- {md.text(before + quote('harmless') + ' here')}"
    assert shape(line) == shape(harmless)


@given(name=st.text(alphabet="<>[]()!*_`~|#&;:/.@-+=\\ \n1awi\u2063", max_size=60))
def test_ch_127_so_does_any_mixture_of_signs(name: str) -> None:
    kinds = {kind for kind, _ in shape(f"- before {md.text(quote(name))} after")} - {"text_special", "softbreak"}
    assert kinds <= {"bullet_list_open", "list_item_open", "paragraph_open", "inline", "text",
                     "paragraph_close", "list_item_close", "bullet_list_close"}  # fmt: skip


def poison(value: Any, evil: str, name: str = "") -> Any:
    """Every name, text and unit of a request followed by `evil`; ids, codes, dates and numbers stay."""
    if isinstance(value, dict):
        return {key: poison(one, evil, key) for key, one in value.items()}
    if isinstance(value, list):
        return [poison(one, evil, name) for one in value]
    return f"{value} {evil}" if name in ("text", "display", "description", "comment") else value


@pytest.mark.parametrize("evil", EVIL)
@pytest.mark.parametrize("name", ORDERING[::4])
def test_ch_127_chart_text_of_every_kind_changes_no_markup_of_a_card(name: str, evil: str) -> None:
    wanted = ask(client_of(), poison(read_request(name), "harmless"))["cards"]
    cards = ask(client_of(), poison(read_request(name), evil))["cards"]
    assert len(cards) == len(wanted)
    for card, like in zip(cards, wanted, strict=True):
        assert set(shape(card["detail"])) <= set(shape(like["detail"]))
        assert all(token.level == 0 for token in tokens(card["detail"]) if token.type.endswith("list_open"))
        assert not re.search(r"<[A-Za-z/!]|evil", card["summary"])


@pytest.mark.parametrize("evil", EVIL)
def test_ch_127_the_name_of_a_drug_is_quoted_inertly_in_the_detail(evil: str) -> None:
    cards = ask(client_of(), with_drug(f"iron sucrose IV {evil}", "MedicationRequest/order-2"))["cards"]
    details = [card["detail"] for card in cards if card["source"]["topic"]["code"] != "reassessment"]
    assert any(quoted_start in detail for detail in details for quoted_start in ["iron sucrose IV"])
    for detail in details:
        assert FORBIDDEN.isdisjoint(token.type for token in tokens(detail))
        links = [str(token.attrs["href"]) for token in tokens(detail) if token.type == "link_open"]
        assert not any("evil" in link.lower() for link in links)


@pytest.mark.parametrize("evil", EVIL)
def test_ch_127_so_are_the_ids_of_records_that_cannot_be_read(evil: str) -> None:
    request = read_request("low-ferritin")
    broken = {"resourceType": "Condition", "id": evil, "clinicalStatus": 5}
    request["prefetch"]["conditions"]["entry"].append({"resource": broken})
    detail = ask(client_of(), request)["cards"][0]["detail"]
    assert "could not be read" in detail
    assert FORBIDDEN.isdisjoint(token.type for token in tokens(detail))
    assert not any("evil" in str(token.attrs.get("href", "")).lower() for token in tokens(detail))


# -------------------------------------------------------------------------------------------------- indicator, source


@each_card
def test_ch_129_ch_130_critical_is_kept_for_contraindications(name: str, place: int) -> None:
    card = card_of(name, place)
    topic = card["source"]["topic"]["code"]
    assert card["indicator"] in INDICATORS
    assert (card["indicator"] == "critical") == (topic == "contraindicated")
    assert card["indicator"] != "info" or topic not in ("not-indicated", "insufficient-data")


@each_card
def test_ch_131_to_ch_138_the_source_is_the_guideline_with_one_topic(name: str, place: int) -> None:
    source = card_of(name, place)["source"]
    assert set(source) <= {"label", "url", "topic"}  # CH-136, CH-137: we have no icon
    assert 0 < len(source["label"]) <= 200
    assert "IV iron in restless legs" not in source["label"]  # CH-132: not the vendor
    assert source.get("url", "https://").startswith("https://")
    assert source["topic"]["system"] == "http://127.0.0.1:8000/fhir/CodeSystem/card-topic"
    assert source["topic"]["code"] in TOPIC_DISPLAY
    assert source["topic"]["display"] == TOPIC_DISPLAY[source["topic"]["code"]]


@each_card
def test_ch_135_the_source_says_nothing_of_the_patient(name: str, place: int) -> None:
    request, card = read_request(name), card_of(name, place)
    source = json.dumps(card["source"])
    assert request["context"]["patientId"] not in card["source"].get("url", "")
    assert request["hookInstance"] not in source


# --------------------------------------------------------------------------------------------- uuids, reasons, absence


@each_card
def test_ch_121_ch_122_every_card_and_suggestion_has_a_uuid(name: str, place: int) -> None:
    card = card_of(name, place)
    for one in (card, *card.get("suggestions", ())):
        assert str(UUID(one["uuid"])) == one["uuid"]


def test_ch_121_uuids_are_never_given_twice() -> None:
    replies = [answers()[name] for name in SPEAKING] + [ask(client_of(), read_request("low-ferritin"))] * 1
    replies += [ask(client_of(), read_request("two-products")) for _ in range(50)]
    uuids = [
        one["uuid"] for reply in replies for card in reply["cards"] for one in (card, *card.get("suggestions", ()))
    ]
    assert len(uuids) > 300
    assert len(set(uuids)) == len(uuids)


@each_card
def test_ch_139_ch_140_ch_141_selection_behaviour_comes_with_suggestions_and_only_then(name: str, place: int) -> None:
    card = card_of(name, place)
    assert ("suggestions" in card) == ("selectionBehavior" in card)
    assert card.get("selectionBehavior", "any") in ("any", "at-most-one")
    assert card.get("suggestions", [0])


@each_card
def test_ch_142_to_ch_145_override_reasons_are_of_the_hl7_code_system(name: str, place: int) -> None:
    reasons = card_of(name, place)["overrideReasons"]
    assert len(reasons) >= 2
    assert all(set(reason) == {"code", "system", "display"} and all(reason.values()) for reason in reasons)
    assert len({reason["system"] for reason in reasons}) == 1
    assert reasons[0]["system"].startswith("http://terminology.hl7.org/CodeSystem/")
    assert len({reason["code"] for reason in reasons}) == len(reasons)


@each_card
def test_ch_235_a_card_has_no_member_beside_those_of_cds_hooks(name: str, place: int) -> None:
    known = {"uuid", "summary", "detail", "indicator", "source", "suggestions", "selectionBehavior", "overrideReasons"}
    assert set(card_of(name, place)) <= known | {"links"}


def test_ch_096_absence_is_worded_as_what_the_data_provided_show() -> None:
    detail = answers()["no-iron-studies"]["cards"][0]["detail"]
    assert "in the data provided" in detail


@pytest.mark.parametrize("name", SPEAKING)
def test_the_stamp_of_the_knowledge_and_its_review_stand_on_every_card(name: str) -> None:
    for card in answers()[name]["cards"]:
        assert re.search(r"Knowledge \d+\.\d+\.\d+ \(.*not clinically signed.*\)", card["detail"])


@pytest.fixture(scope="module", autouse=True)
def _one_client() -> FlaskClient:
    """Made once, before Hypothesis starts to count."""
    return client_of()
