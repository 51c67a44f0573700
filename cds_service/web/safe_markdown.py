"""Card details as HTML that is safe to put into a page: GitHub-flavored markdown in, a few harmless elements out."""

from functools import cache
from typing import TYPE_CHECKING

import nh3

if TYPE_CHECKING:
    from markdown_it import MarkdownIt

# What card details use and EHRs show (CH-126). Everything else is dropped: images, raw HTML, styles, handlers.
TAGS = {"p", "br", "strong", "em", "del", "ul", "ol", "li", "a", "code", "pre", "blockquote", "hr"} | {
    *("h1", "h2", "h3", "h4", "h5", "h6", "table", "thead", "tbody", "tr", "th", "td")
}
ATTRIBUTES = {"a": {"href", "title"}}
SCHEMES = {"http", "https"}


@cache
def _parser() -> "MarkdownIt":
    from markdown_it import MarkdownIt  # with the first page that shows a card: a start does not wait for it

    return MarkdownIt("commonmark", {"html": False}).enable(["table", "strikethrough"])


def render_safe(markdown: str) -> str:
    """HTML of one `detail`. HTML within the markdown comes out as text; links open in a new tab and tell nothing."""
    return nh3.clean(
        _parser().render(markdown),
        tags=TAGS,
        attributes=ATTRIBUTES,
        url_schemes=SCHEMES,
        link_rel="noopener noreferrer",
        set_tag_attribute_values={"a": {"target": "_blank"}},
    )
