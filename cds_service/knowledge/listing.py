"""Shows the knowledge at a terminal: rules with their sources and basis, then the sources."""

from collections.abc import Sequence
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

Json = dict[str, Any]


def print_knowledge(exported: Json, console: Console | None = None) -> None:
    """`exported` is what `knowledge_export` gives."""
    console = console or Console()
    shown = f"Knowledge {exported['version']} of {exported['date']}, {exported['digest'][:12]}: {exported['review']}"
    console.print(Text(shown, style="bold"))
    console.print(_table(("Rule", "What it says", "Thresholds", "Sources"), [_rule(one) for one in exported["rules"]]))
    basis = [(one["id"], one["title"], one["kind"], " ".join(one["basis"])) for one in exported["index"]]
    console.print(_table(("Rule", "Index of the rule book", "Kind", "Basis"), basis))
    console.print("Basis: V primary text read, V2 secondary text, GK general knowledge, D decision of this project.")
    sources = [(one["id"], one["title"], one["checked"], one["url"]) for one in exported["citations"]]
    console.print(_table(("Source", "Title", "Checked", "Address"), sources))


def _rule(rule: Json) -> tuple[str, ...]:
    limits = "\n".join(f"{one['name']} {one['value']} {one['unit']}" for one in rule["thresholds"])
    return rule["id"], rule["title"], limits, " ".join(rule["sources"])


def _table(headings: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> Table:
    table = Table()
    for place, heading in enumerate(headings):
        table.add_column(heading, no_wrap=place == 0, overflow="fold")
    for row in rows:
        table.add_row(*(Text(cell) for cell in row))
    return table
