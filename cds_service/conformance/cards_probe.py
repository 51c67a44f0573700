"""The reply: its envelope, system actions, cards, sources and links (rows H, I, K, O)."""

import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

from markdown_it import MarkdownIt

from cds_service.conformance.actions_probe import judge_action, judge_suggestions
from cds_service.conformance.finding import Answer, Finding, Json, Verdict, judged
from cds_service.conformance.samples import Case

Judged = Iterator[tuple[str, bool, str]]  # row, whether it is right, what is expected
LONGEST_SUMMARY = 139
_NAME = re.compile(r"[a-z][a-z0-9-]*(\.[A-Za-z0-9_-]+)+")
_CARD = {
    *("uuid", "summary", "detail", "indicator", "source", "suggestions", "selectionBehavior", "overrideReasons"),
    *("links", "extension"),
}  # fmt: skip
_MARKDOWN = MarkdownIt("commonmark", {"html": True})


def judge_reply(case: Case) -> Iterator[Finding]:
    """Everything in the answer to a good call."""
    answer = case.answer
    yield from judge_envelope(answer)
    for row, is_right, expected in _members(answer.document):
        yield judged(row, answer, is_right, expected)
    for place, card in enumerate(answer.cards):
        where = f"{answer.sent}, cards[{place}]"
        for row, is_right, expected in judge_card(card, str(case.body["context"].get("patientId", ""))):
            verdict = Verdict.PASSED if is_right else Verdict.FAILED
            yield Finding(row, verdict, where, _shown(card), expected)


def judge_envelope(answer: Answer) -> Iterator[Finding]:
    """CH-110...CH-112, for every call that was not refused."""
    yield judged("CH-110", answer, answer.status == 200 and bool(answer.document), "200 with an object")
    cards = answer.document.get("cards")
    yield judged("CH-111", answer, isinstance(cards, list), "a list `cards`, also when it is empty")
    if not cards:
        is_plain = answer.status == 200 and cards == []
        yield judged("CH-112", answer, is_plain, "200 with an empty list for nothing to say")


def _shown(card: Json) -> str:
    text = str(card)
    return text if len(text) <= 300 else f"{text[:300]}..."


def _members(document: Json) -> Judged:
    if "systemActions" in document:
        actions = document["systemActions"]
        yield "CH-113", isinstance(actions, list) and bool(actions), "a list of actions that is not empty"
        for action in actions if isinstance(actions, list) else ():
            yield "CH-114", isinstance(action, dict), "an action"
            yield "CH-115", is_text(action.get("description")), "a description"
            yield from judge_action(action)
    if "extension" in document:
        extension = document["extension"]
        is_object = isinstance(extension, dict)
        yield "CH-230", True, "extensions under `extension`"
        yield "CH-231", is_object, "an object"
        yield "CH-233", is_object and all(_NAME.fullmatch(one) for one in extension), "reverse-domain names"
    known = {"cards", "systemActions", "extension"}
    yield "CH-235", set(document) <= known, "no member beside cards, systemActions and extension"


def judge_card(card: Json, patient: str) -> Judged:
    """Rows of section I, and of J and K for what it holds."""
    summary, detail = card.get("summary"), card.get("detail")
    if "uuid" in card:
        yield "CH-121", is_text(card["uuid"]), "an id of this card"
    yield "CH-123", is_text(summary), "a summary"
    if isinstance(summary, str):
        yield "CH-124", len(summary) <= LONGEST_SUMMARY, f"at most {LONGEST_SUMMARY} characters, not {len(summary)}"
        yield "CH-125", "\n" not in summary, "one line"
    if "detail" in card:
        yield "CH-126", is_text(detail), "a text"
        yield "CH-127", is_text(detail), "GitHub Flavored Markdown"
        yield "CH-128", isinstance(detail, str) and not _has_html(detail), "no HTML: clients may not render it"
    yield "CH-129", card.get("indicator") in ("info", "warning", "critical"), "info, warning or critical"
    yield from _judge_source(card, patient)
    yield from _judge_reasons(card)
    yield from _judge_links(card)
    yield from judge_suggestions(card)
    yield "CH-235", set(card) <= _CARD, "no member beside those of CDS Hooks"


def _has_html(detail: str) -> bool:
    tokens = _MARKDOWN.parse(detail)
    inner = [child for token in tokens for child in token.children or ()]
    return any(token.type in ("html_block", "html_inline") for token in (*tokens, *inner))


def _judge_source(card: Json, patient: str) -> Judged:
    source = card.get("source")
    yield "CH-131", isinstance(source, dict), "a source"
    if not isinstance(source, dict):
        return
    yield "CH-133", is_text(source.get("label")), "a label"
    if "url" in source:
        yield "CH-134", is_absolute(source["url"]), "an absolute address"
        yield "CH-135", not patient or patient not in str(source["url"]), "nothing of the patient in the address"
    if "icon" in source:
        yield "CH-136", is_absolute(source["icon"]), "an absolute address"
    if "topic" in source:
        yield "CH-138", is_coding(source["topic"]), "one Coding with code and system"
        yield "CH-144", is_coding(source["topic"]), "code and system"


def _judge_reasons(card: Json) -> Judged:
    if "overrideReasons" not in card:
        return
    reasons = card["overrideReasons"]
    yield "CH-142", isinstance(reasons, list) and bool(reasons), "a list that is not empty"
    for reason in reasons if isinstance(reasons, list) else ():
        yield "CH-143", isinstance(reason, dict) and is_text(reason.get("display")), "a display"
        yield "CH-144", is_coding(reason), "code and system"


def _judge_links(card: Json) -> Judged:
    if "links" not in card:
        return
    links = card["links"]
    yield "CH-146", isinstance(links, list) and bool(links), "a list that is not empty"
    for link in [one for one in links if isinstance(one, dict)] if isinstance(links, list) else ():
        kind = link.get("type")
        yield "CH-164", is_text(link.get("label")), "a label"
        yield "CH-165", is_absolute(link.get("url")), "an absolute http address"
        yield "CH-166", kind in ("absolute", "smart"), "absolute or smart"
        if kind == "smart":
            plain = not {"iss", "launch"} & set(parse_qs(urlsplit(str(link.get("url"))).query))
            yield "CH-168", plain, "the launch address without iss and launch"
        if "appContext" in link:
            yield "CH-169", isinstance(link["appContext"], str), "a text"
        yield "CH-170", not ("appContext" in link and kind == "absolute"), "no appContext on an absolute link"
        if "autolaunchable" in link:
            yield "CH-171", isinstance(link["autolaunchable"], bool), "true or false"


def judge_uuids(cases: list[Case], *, takes_feedback: bool) -> Iterator[Finding]:
    """CH-121: no id twice. CH-122: whoever takes feedback gives ids, for clients report nothing without."""
    seen: set[str] = set()
    for case in cases:
        for card in case.answer.cards:
            names = [one.get("uuid") for one in (card, *card.get("suggestions", ()))]
            if takes_feedback:
                yield judged("CH-122", case.answer, all(names), "a uuid on each card and suggestion")
            given = [str(name) for name in names if name]
            is_new = not seen & set(given) and len(set(given)) == len(given)
            if given:
                yield judged("CH-121", case.answer, is_new, "ids that were never given before")
            seen |= set(given)


def is_text(value: Any) -> bool:
    return isinstance(value, str) and bool(value.strip())


def is_absolute(value: Any) -> bool:
    parts = urlsplit(value) if isinstance(value, str) else urlsplit("")
    return parts.scheme in ("http", "https") and bool(parts.netloc)


def is_coding(value: Any) -> bool:
    return isinstance(value, dict) and is_text(value.get("code")) and is_text(value.get("system"))
