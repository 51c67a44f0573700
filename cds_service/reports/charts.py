"""Charts of a report as SVG text, drawn by matplotlib where the extra `reports` is installed; else there is none.

Groups smaller than five are not drawn to scale: a hatched stub, or nothing in a stack, stands for "some, under five".
"""

import io
import itertools
import re
from collections.abc import Callable, Mapping, Sequence
from html import escape
from importlib.util import find_spec
from typing import Any

from cds_service.reports.tables import SMALL, SMALLEST_GROUP, is_small

# Told apart without colour vision too (Okabe-Ito), in an order in which neighbours differ in lightness.
COLORS = ("#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00", "#999999", "#f0e442")
_STYLE = {
    "font.family": "sans-serif",
    "font.size": 10,
    "svg.fonttype": "none",  # text stays text: it can be searched and read aloud
    "svg.hashsalt": "cds-service",  # the same figures give the same file
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
}
_WIDTH = 8.0  # inches


def can_draw() -> bool:
    """Whether matplotlib is installed."""
    return find_spec("matplotlib") is not None


def bars(title: str, labels: Sequence[str], counts: Sequence[int], *, axis: str = "") -> str | None:
    """Horizontal bars, the first label on top. None without matplotlib or without data."""

    def draw(axes: Any) -> None:
        places = range(len(labels))
        shown = [SMALLEST_GROUP if is_small(one) else one for one in counts]
        drawn = axes.barh(places, shown, color=COLORS[0])
        for bar, count in zip(drawn, counts, strict=True):
            if is_small(count):
                bar.set(facecolor="none", edgecolor=COLORS[6], hatch="////")
        axes.bar_label(drawn, [SMALL if is_small(one) else f"{one:,}" for one in counts], padding=3)
        axes.set_yticks(places, labels)
        axes.invert_yaxis()
        axes.set_xlabel(axis)
        axes.margins(x=0.1)

    return _svg(title, draw, 0.9 + 0.3 * len(labels)) if any(counts) else None


def stacked_columns(
    title: str, labels: Sequence[str], series: Mapping[str, Sequence[int]], *, axis: str = ""
) -> str | None:
    """One column a label, one layer a series (months by conclusion). None without matplotlib or without data."""

    def draw(axes: Any) -> None:
        bottoms = [0] * len(labels)
        for place, (name, counts) in enumerate(series.items()):
            shown = [0 if is_small(one) else one for one in counts]
            axes.bar(range(len(labels)), shown, bottom=bottoms, label=name, color=COLORS[place % len(COLORS)])
            bottoms = [one + other for one, other in zip(bottoms, shown, strict=True)]
        _label_columns(axes, labels)
        axes.set_ylabel(axis)
        axes.legend(frameon=False, fontsize=8, loc="upper left", bbox_to_anchor=(1, 1))

    return _svg(title, draw, 3.2) if any(any(counts) for counts in series.values()) else None


def histogram(
    title: str,
    edges: Sequence[float],
    counts: Sequence[int],
    *,
    marks: Sequence[tuple[float, str]] = (),
    axis: str = "",
) -> str | None:
    """`counts[i]` between `edges[i]` and `edges[i + 1]`; `marks` are lines such as a cut-off with its name."""

    def draw(axes: Any) -> None:
        widths = [right - left for left, right in itertools.pairwise(edges)]
        shown = [SMALLEST_GROUP if is_small(one) else one for one in counts]
        drawn = axes.bar(edges[:-1], shown, widths, align="edge", color=COLORS[4], edgecolor="white")
        for bar, count in zip(drawn, counts, strict=True):
            if is_small(count):
                bar.set(facecolor="none", edgecolor=COLORS[6], hatch="////")
        for value, name in marks:
            axes.axvline(value, color=COLORS[5], linestyle="--", linewidth=1)
            axes.annotate(name, (value, 0.98), xycoords=("data", "axes fraction"), va="top", fontsize=8, rotation=90)
        axes.set_xlabel(axis)

    return _svg(title, draw, 2.8) if any(counts) else None


def lines(
    title: str, labels: Sequence[str], series: Mapping[str, Sequence[float | None]], *, axis: str = ""
) -> str | None:
    """One line a series over the labels; None is a gap. The caller leaves out rates that rest on small groups."""

    def draw(axes: Any) -> None:
        for place, (name, values) in enumerate(series.items()):
            points = [float("nan") if one is None else one for one in values]
            axes.plot(range(len(labels)), points, label=name, color=COLORS[place % len(COLORS)], marker=".")
        _label_columns(axes, labels)
        axes.set_ylabel(axis)
        axes.set_ylim(bottom=0)
        axes.legend(frameon=False, fontsize=8, loc="upper left", bbox_to_anchor=(1, 1))

    has_points = any(one is not None for values in series.values() for one in values)
    return _svg(title, draw, 3.0) if has_points else None


def _label_columns(axes: Any, labels: Sequence[str]) -> None:
    """At most some twenty labels, so that they can be read."""
    step = max(1, -(-len(labels) // 20))
    axes.set_xticks(range(0, len(labels), step), labels[::step], rotation=45, ha="right")


def _svg(title: str, draw: Callable[[Any], None], height: float) -> str | None:
    """SVG to stand inside a page, named by its title for those who cannot see it."""
    if not can_draw():
        return None
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    written = io.StringIO()
    with rc_context(_STYLE):
        figure = Figure(figsize=(_WIDTH, height), layout="constrained")
        axes = figure.subplots()
        axes.grid(axis="both", color="#dddddd", linewidth=0.5)
        draw(axes)
        axes.set_title(title, loc="left", fontsize=11)
        figure.savefig(written, format="svg", metadata={"Date": None, "Creator": None})
    inside = written.getvalue()
    start = inside.index("<svg ")
    named = f'<svg role="img" aria-label="{escape(title, quote=True)}" '
    return _own_ids(named + inside[start + len("<svg ") :], title)


def _own_ids(svg: str, title: str) -> str:
    """Ids of one picture must not meet those of the next on the page."""
    prefix = re.sub(r"[^a-z0-9]+", "-", title.lower()).strip("-")
    svg = re.sub(r'\bid="', f'id="{prefix}-', svg)
    svg = re.sub(r'xlink:href="#', f'xlink:href="#{prefix}-', svg)
    return re.sub(r"url\(#", f"url(#{prefix}-", svg)
