"""Marks chart text inside our sentences, so that whoever renders them escapes it and it stays inert."""

import re

MARK = "\u2063"  # invisible separator; stripped from chart text here, so only we can set it
_BLANKS = re.compile(r"[\s\x00-\x1f\x7f]+")
LONGEST = 80  # characters of chart text quoted in a sentence


def quote(text: str) -> str:
    """Chart text, on one line, shortened, and marked for escaping."""
    plain = _BLANKS.sub(" ", text.replace(MARK, "")).strip()
    if len(plain) > LONGEST:
        plain = plain[: LONGEST - 1].rstrip() + "\u2026"
    return f"{MARK}{plain}{MARK}"


def unquote(sentence: str) -> str:
    """The sentence without marks, for places that are not markdown (trace, terminal)."""
    return sentence.replace(MARK, "")
