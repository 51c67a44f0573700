"""Writes the tables of the READMEs that are made from code: settings, bad requests, the story (`make fixtures`)."""

import json
from pathlib import Path

from cds_service.settings import documented_settings

ROOT = Path(__file__).resolve().parent.parent
README = ROOT / "README.md"
FIXTURES_README = ROOT / "fhir_fixtures" / "README.md"


def settings_table() -> str:
    """Every setting with its default and meaning, in the order of the class."""
    lines = ["| setting | default | meaning |", "|---|---|---|"]
    for one in documented_settings():
        default = f"`{one.default}`" if one.default else ""
        lines.append(f"| `{one.name}` | {default} | {one.meaning} |")
    return "\n".join(lines)


def bad_request_table() -> str:
    from tests.bad_requests import MISTAKES

    lines = ["| file | status | the answer begins |", "|---|---|---|"]
    lines += [f"| `{name}` | {one.status} | {one.says.strip()} |" for name, one in MISTAKES.items()]
    return "\n".join(lines)


def story_table() -> str:
    """The twelve calls about one patient: what happened, and the cards that came back."""
    lines = ["| day | what happened | cards |", "|---|---|---|"]
    for path in sorted((ROOT / "fhir_fixtures" / "story").glob("*.json")):
        told = json.loads(path.read_text("utf-8"))
        cards = "<br>".join(f"`{one['source']['topic']['code']}` {one['summary']}" for one in told["cards"]) or "none"
        lines.append(f"| {told['day']} | {told['about']} | {cards} |")
    return "\n".join(lines)


def between(text: str, marker: str, table: str) -> str:
    """The text with the table between its markers. Raises `ValueError` if one is missing."""
    begin, end = f"<!-- {marker} -->", f"<!-- /{marker} -->"
    before, found, rest = text.partition(begin)
    _, found_end, after = rest.partition(end)
    if not found or not found_end:
        raise ValueError(f"{begin} or {end} is missing")
    return f"{before}{begin}\n{table}\n{end}{after}"


def write_tables() -> None:
    text = between(README.read_text("utf-8"), "settings", settings_table())
    README.write_text(between(text, "story", story_table()), "utf-8")
    listed = between(FIXTURES_README.read_text("utf-8"), "bad-requests", bad_request_table())
    FIXTURES_README.write_text(listed, "utf-8")
