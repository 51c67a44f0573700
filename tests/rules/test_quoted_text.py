"""Chart text inside our sentences: on one line, at most 80 characters, and its own marks taken out (R-53, R-54)."""

import pytest

from cds_service.clinical.wording import MARK, quote, unquote


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        pytest.param("Ferinject", "Ferinject", id="R-54 a name stays as it is"),
        pytest.param("  iron \t\n sucrose\x00 ", "iron sucrose", id="R-54 blanks and line ends become one blank"),
        pytest.param(f"iron{MARK} su{MARK}crose", "iron sucrose", id="R-54 marks of the chart are taken out"),
        pytest.param("a" * 80, "a" * 80, id="R-54 80 characters stay"),
        pytest.param("a" * 81, "a" * 79 + "\u2026", id="R-54 81 are cut to 80"),
        pytest.param("a" * 78 + " " + "b" * 9, "a" * 78 + "\u2026", id="R-54 no blank before the dots"),
        pytest.param("", "", id="R-54 nothing"),
    ],
)
def test_chart_text_is_quoted_on_one_line_and_shortened(text: str, shown: str) -> None:
    assert quote(text) == f"{MARK}{shown}{MARK}"
    assert unquote(f"Reaction: {quote(text)}.") == f"Reaction: {shown}."
