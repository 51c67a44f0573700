"""GitHub Flavored Markdown for card details: our words as they are, chart text inert (CH-127, CH-128)."""

import re

from cds_service.clinical.wording import MARK, unquote

# Everything that starts markup, a link, a mention or an autolink in GFM, also a bare host name ("evil.com"), which some
# renderers link, and a list or rule at the start of a line. Angle brackets and ampersands become entities, because some
# clients render HTML.
_MARKUP = re.compile(r"[\\`*_\[\]()#+!|~{}:/@]|\.(?=[^\W\d_])|(?<=www)\.|(?<=\d)\.(?!\d)|\A-", re.IGNORECASE)


def escape(chart_text: str) -> str:
    """Chart text as inert markdown."""
    return _angles(_MARKUP.sub(r"\\\g<0>", chart_text))


def text(sentence: str) -> str:
    """One of our sentences: quoted chart text escaped, angle brackets of our own as entities ("<5 ng/mL")."""
    if MARK not in sentence:
        return _angles(sentence)
    return "".join(escape(part) if place % 2 else _angles(part) for place, part in enumerate(sentence.split(MARK)))


def _angles(words: str) -> str:
    return words.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def plain(sentence: str) -> str:
    """For places that are not markdown (summary): marks gone, and no bracket of chart text that could open a tag."""
    if MARK not in sentence:
        return sentence
    return unquote(sentence).replace("<", "\u2039").replace(">", "\u203a")


def link(label: str, url: str) -> str:
    """A link with one of our own labels."""
    shown = label.replace("[", "(").replace("]", ")")
    return f"[{shown}]({url})" if url else shown
