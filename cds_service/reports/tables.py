"""Tables of a report: counts in groups smaller than five are never shown, every cell is escaped."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from html import escape

SMALLEST_GROUP = 5
SMALL = f"<{SMALLEST_GROUP}"
NOT_SHOWN = "\u2013"  # an en dash


@dataclass(frozen=True, slots=True)
class Table:
    """`rows` hold text that is ready to read; an `int` is a count of people or events and is masked when small.

    `words` says how many leading columns are names (left-aligned); the others are numbers.
    """

    head: tuple[str, ...]
    rows: tuple[tuple[str | int, ...], ...]
    caption: str = ""
    words: int = 1
    empty: str = "Nothing to show."


def is_small(count: int) -> bool:
    """One to four: few enough to point at somebody. None at all is no group."""
    return 0 < count < SMALLEST_GROUP


def show_count(count: int) -> str:
    """`1,234`, or `<5` for a group of one to four."""
    return SMALL if is_small(count) else f"{count:,}"


def show_share(count: int, of: int, digits: int = 1) -> str:
    """`12.5 %`; not shown where there is nothing to divide by, or where it would give a small group away."""
    if of == 0 or is_small(count) or is_small(of) or is_small(of - count):
        return NOT_SHOWN
    return f"{_round(Decimal(100 * count) / of, digits)} %"


def show_rate(count: int, of: int, per: int = 100, digits: int = 1) -> str:
    """Events per so many; not shown under the same conditions as a share."""
    if of == 0 or is_small(count) or is_small(of):
        return NOT_SHOWN
    return f"{_round(Decimal(per * count) / of, digits)}"


def render_table(table: Table) -> str:
    """HTML of one table, or a sentence in its place when it has no rows."""
    caption = f"<caption>{escape(table.caption)}</caption>" if table.caption else ""
    if not table.rows:
        return f'<p class="empty">{escape(table.caption)}{": " if table.caption else ""}{escape(table.empty)}</p>'
    head = "".join(f'<th scope="col"{_number(table, place)}>{escape(one)}</th>' for place, one in enumerate(table.head))
    body = "\n".join(_render_row(table, row) for row in table.rows)
    return f'<div class="wide"><table>{caption}<thead><tr>{head}</tr></thead><tbody>\n{body}\n</tbody></table></div>'


def _render_row(table: Table, row: Sequence[str | int]) -> str:
    first, *others = [escape(show_count(cell) if isinstance(cell, int) else cell) for cell in row]
    cells = "".join(f"<td{_number(table, place)}>{one}</td>" for place, one in enumerate(others, 1))
    return f'<tr><th scope="row">{first}</th>{cells}</tr>'


def _number(table: Table, place: int) -> str:
    return "" if place < table.words else ' class="number"'


def _round(value: Decimal, digits: int) -> Decimal:
    return value.quantize(Decimal(1).scaleb(-digits), ROUND_HALF_UP)
