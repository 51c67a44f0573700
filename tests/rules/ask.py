"""Asks one rule alone, so that a table row shows what that rule says and nothing else."""

from cds_service.clinical.case import Case
from cds_service.clinical.model import Answer, Line, NotApplicable, Remark, Verdict
from cds_service.clinical.rules import RULES

_BY_ID = {rule.id: rule for rule in RULES}


def ask(rule_id: str, case: Case) -> tuple[Answer, ...]:
    """Answers of the rule, without those that say it does not apply."""
    return tuple(answer for answer in _BY_ID[rule_id].evaluate(case) if not isinstance(answer, NotApplicable))


def verdict(rule_id: str, case: Case) -> Verdict | None:
    return next((answer for answer in ask(rule_id, case) if isinstance(answer, Verdict)), None)


def texts(rule_id: str, case: Case) -> list[str]:
    """Texts of the lines and remarks the rule gives."""
    return [answer.text for answer in ask(rule_id, case) if isinstance(answer, Line | Remark)]
