"""Where on the card an answer of a rule stands, so that tables can name it beside its reason."""

from typing import Any

import pytest

from cds_service.clinical.model import Answer, Cap, Conclusion, Line, NotApplicable, Rank, Verdict

Place = Rank | Conclusion | str


def row(rule_id: str, words: str, *values: object) -> Any:
    """A row whose first value is the rule that is asked."""
    return pytest.param(rule_id, *values, id=f"{rule_id} {words}")


def place(answer: Answer) -> Place:
    """Rank of a caution line, section of a remark, class of a verdict."""
    assert not isinstance(answer, NotApplicable)
    if isinstance(answer, Line):
        return answer.rank
    if isinstance(answer, Verdict):
        return answer.conclusion
    return "cap" if isinstance(answer, Cap) else answer.section
