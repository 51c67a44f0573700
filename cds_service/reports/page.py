"""One self-contained HTML page: a sentence on top, sections with words, tables and charts; no script, no network."""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from cds_service.reports.tables import SMALL, Table, render_table


@dataclass(frozen=True, slots=True)
class Chart:
    """SVG from `charts`; None where it could not be drawn, and then nothing stands in its place."""

    svg: str | None


@dataclass(frozen=True, slots=True)
class Section:
    """`parts` in the order of the page: a `str` is a paragraph of plain text."""

    title: str
    parts: tuple[str | Table | Chart, ...]


def render_page(title: str, lead: Sequence[str], sections: Sequence[Section], foot: Sequence[str] = ()) -> str:
    """`lead` are the sentences everybody reads, `foot` is how the figures came about. All text is escaped."""
    contents = "".join(f'<li><a href="#{_anchor(one.title)}">{escape(one.title)}</a></li>' for one in sections)
    body = "\n".join(_render_section(one) for one in sections)
    leading = "\n".join(f"<p>{escape(one)}</p>" for one in lead)
    footing = "\n".join(f"<p>{escape(one)}</p>" for one in (*foot, _MASKED))
    return (
        f'<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(title)}</title>\n<style>{_CSS}</style>\n</head>\n<body>\n<main>\n<h1>{escape(title)}</h1>\n"
        f'<div class="lead">\n{leading}\n</div>\n<nav aria-label="Contents"><ol>{contents}</ol></nav>\n'
        f"{body}\n<footer>\n{footing}\n</footer>\n</main>\n</body>\n</html>\n"
    )


_MASKED = f"Groups smaller than five are shown as {SMALL}, and no share or rate that rests on one is given."


def _render_section(section: Section) -> str:
    parts = "\n".join(filter(None, map(_render_part, section.parts)))
    return f'<section id="{_anchor(section.title)}">\n<h2>{escape(section.title)}</h2>\n{parts}\n</section>'


def _render_part(part: str | Table | Chart) -> str:
    if isinstance(part, Table):
        return render_table(part)
    if isinstance(part, Chart):
        return f"<figure>{part.svg}</figure>" if part.svg else ""
    return f"<p>{escape(part)}</p>"


def _anchor(title: str) -> str:
    return "-".join("".join(one if one.isalnum() else " " for one in title.lower()).split())


_CSS = """
:root { color-scheme: light; --ink: #1b1f24; --line: #b9c0c7; --link: #0b5394; --note: #e8f1fa; }
body { margin: 0; background: #fff; color: var(--ink); font: 1rem/1.5 system-ui, sans-serif; }
main { max-width: 60rem; margin: 0 auto; padding: 1rem; }
h1 { font-size: 1.6rem; line-height: 1.2; }
h2 { font-size: 1.25rem; border-bottom: 1px solid var(--line); margin-top: 2.5rem; }
a { color: var(--link); }
.lead { background: var(--note); border-left: 0.35rem solid var(--link); padding: 0.25rem 1rem; font-size: 1.1rem; }
.lead p:first-child { font-size: 1.3rem; }
nav ol { columns: 2; padding-left: 1.2rem; }
.wide { overflow-x: auto; margin: 1rem 0; }
table { border-collapse: collapse; }
caption { text-align: left; font-weight: 600; padding-bottom: 0.3rem; }
th, td { border: 1px solid var(--line); padding: 0.25rem 0.6rem; text-align: left; vertical-align: top; }
thead th { background: #f3f5f7; }
tbody th { font-weight: 400; min-width: 5.5rem; }
.number { text-align: right; font-variant-numeric: tabular-nums; }
td.number { white-space: nowrap; }
figure { margin: 1rem 0; overflow-x: auto; }
figure svg { max-width: 100%; height: auto; }
footer { border-top: 1px solid var(--line); margin-top: 3rem; font-size: 0.9rem; }
@media print { nav { display: none; } section { break-inside: avoid-page; } a { color: inherit; } }
"""
