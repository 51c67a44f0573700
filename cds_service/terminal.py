"""Prints cards and the decision trace for people at a terminal."""

import re
from collections.abc import Sequence
from typing import Any

import msgspec
from rich.console import Console, Group, RenderableType
from rich.markdown import Markdown
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

COLOURS = {"info": "blue", "warning": "yellow", "critical": "red"}
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")  # a drug name from the chart must not steer the terminal


def print_cards(cards: Sequence[dict[str, Any]], console: Console | None = None) -> None:
    """One panel a card, in the order of the reply."""
    console = console or Console()
    if not cards:
        console.print("Nothing to say about this request (no cards).")
    for card in _plain(cards):
        console.print(_render_card(card))


def print_trace(
    extension: dict[str, Any] | None,
    *,
    to_error_stream: bool = False,
    console: Console | None = None,
) -> None:
    """One table an evaluated order: each rule in order, what it found and why."""
    console = console or Console(stderr=to_error_stream)
    for member in _plain(extension or {}).values():
        for order in member.get("orders", ()) if isinstance(member, dict) else ():
            console.print(_render_trace(order))


def _plain(value: Any) -> Any:
    """What the client would get: parts of a reply may be encoded already."""
    return msgspec.json.decode(msgspec.json.encode(value))


def _clean(text: object) -> str:
    return _CONTROL.sub("", str(text))


def _render_card(card: dict[str, Any]) -> Panel:
    parts: list[RenderableType] = []
    if detail := card.get("detail"):
        parts += [Markdown(_clean(detail), hyperlinks=False), Text()]
    for suggestion in card.get("suggestions", ()):
        parts.append(Text(f"Suggestion: {_clean(suggestion['label'])}", style="bold"))
        parts += [Text(f"  {one['type']}: {_clean(one['description'])}") for one in suggestion.get("actions", ())]
    for link in card.get("links", ()):
        parts.append(Text(f"Link: {_clean(link['label'])} <{_clean(link['url'])}>"))
    source = card["source"]
    parts.append(
        Text(
            " ".join(_clean(source[name]) for name in ("label", "url") if name in source),
            style="dim",
        )
    )
    topic = source.get("topic", {}).get("code", "")
    colour = COLOURS.get(card["indicator"], "white")
    footer = Text(f"{card['indicator']} {_clean(topic)}".rstrip())
    return Panel(
        Group(*parts),
        title=Text(_clean(card["summary"])),
        subtitle=footer,
        border_style=colour,
        title_align="left",
    )


def _render_trace(order: dict[str, Any]) -> Table:
    title = f"{order.get('order') or 'order'}: {order.get('conclusion', '')}"
    table = Table(title=Text(_clean(title)), title_justify="left", show_lines=False)
    table.add_column("Rule", no_wrap=True)
    for heading in ("Outcome", "Because", "Values"):
        table.add_column(heading, overflow="fold")
    for rule in order.get("rules", ()):
        values = "\n".join(_render_value(value) for value in rule.get("values", ()))
        cells = [rule["id"], rule["outcome"], rule.get("because", ""), values]
        quiet = rule["outcome"].startswith("not ")
        table.add_row(*(Text(_clean(cell)) for cell in cells), style="dim" if quiet else "")
    return table


def _render_value(value: dict[str, Any]) -> str:
    return " ".join(str(value[name]) for name in ("name", "value", "date") if value.get(name))
