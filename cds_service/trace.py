"""The decision trace: every rule in order with outcome, reason, values, thresholds and citation."""

import sys
from typing import Any

import msgspec

from cds_service.clinical import rules
from cds_service.clinical.case import Rule
from cds_service.clinical.decision import NOT_REACHED, Decision
from cds_service.clinical.model import Answer, Cap, Line, NotApplicable, Used, Verdict
from cds_service.clinical.results import Reading
from cds_service.clinical.wording import unquote

Json = dict[str, Any]
EXTENSION = "org.iv-iron-rls.decision-trace"  # reverse-domain key of the response extension (CH-233)


def render_trace(decision: Decision) -> Json:
    """One order's trace. Rules that said nothing carry only id, outcome and reason; citations are given by id."""
    case = decision.case
    order = case.order
    return present(
        {
            "order": order.reference,
            "conclusion": str(decision.conclusion),
            "rules": _render_steps(decision),
            "values": [
                _render_reading(reading) for reading in (case.ferritin, case.tsat, case.hemoglobin) if reading.is_usable
            ],
            "setAside": [
                _render_set_aside(reading)
                for reading in (case.ferritin, case.tsat, case.hemoglobin)
                if reading.set_aside
            ],
            "gaps": [{"reference": gap.reference, "why": gap.why} for gap in case.facts.gaps],
            "unavailable": dict(case.facts.unavailable),
        }
    )


def present(members: Json) -> Json:
    """Members without content are left out (CH-004, CH-005); false and 0 are content."""
    return {name: value for name, value in members.items() if value or value is False or value == 0}


def present_throughout(value: Any) -> Any:
    """`present` at every depth."""
    if isinstance(value, dict):
        return present({name: present_throughout(one) for name, one in value.items()})
    return [present_throughout(one) for one in value] if isinstance(value, list) else value


def _constant_answers() -> frozenset[int]:
    """Identities of the "not applicable" answers that stand as constants in the rule modules: no patient is in them."""
    modules = (vars(module) for name, module in list(sys.modules.items()) if name.startswith(rules.__name__ + "."))
    return frozenset(id(value) for names in modules for value in names.values() if _is_quiet(value))


def _is_quiet(answers: object) -> bool:
    return isinstance(answers, tuple) and len(answers) == 1 and isinstance(answers[0], NotApplicable)


_CONSTANT = _constant_answers()
_NOT_REACHED = (NotApplicable(NOT_REACHED),)
_encoded: dict[tuple[str, int], bytes] = {}  # steps with a constant answer, by rule and answer
_encode = msgspec.json.Encoder().encode


def _render_steps(decision: Decision) -> msgspec.Raw:
    """The list of all rules, encoded: most of its steps are the same in every call."""
    steps = [_render_step(rule, answers) for rule, answers in zip(decision.rules, decision.answers, strict=True)]
    return msgspec.Raw(b"[" + b",".join(steps) + b"]")


def _render_step(rule: Rule, answers: tuple[Answer, ...]) -> bytes:
    known = _encoded.get((rule.id, id(answers)))  # what stands there lives as long as the process, so does its id
    if known is not None:
        return known
    if not answers:
        return _render_constant(rule, "not reached", _NOT_REACHED)
    if _is_quiet(answers):
        return _render_constant(rule, "not applicable", answers)
    said = {
        "outcome": _outcome(answers),
        "because": " ".join(unquote(answer.because) for answer in answers),
        "says": [said for answer in answers for said in _says(answer)],
        "values": [_render_used(used) for answer in answers for used in getattr(answer, "used", ())],
    }
    return _encode_step(rule, present(said))


def _render_constant(rule: Rule, outcome: str, answers: tuple[Answer, ...]) -> bytes:
    """Kept for each rule where the answer is a constant; else for this call only."""
    step = _encode_step(rule, {"outcome": outcome, "because": unquote(answers[0].because)})
    if answers is _NOT_REACHED:
        _encoded[(rule.id, id(()))] = step  # there is one empty tuple
    elif id(answers) in _CONSTANT:
        _encoded[(rule.id, id(answers))] = step
    return step


_heads: dict[str, bytes] = {}  # what is the same in every step of a rule, by its id, as an open JSON object


def _encode_step(rule: Rule, said: Json) -> bytes:
    head = _heads.get(rule.id)
    if head is None:
        head = _heads[rule.id] = _encode(_render_rule(rule)).removesuffix(b"}") + b","
    return head + _encode(said)[1:]


def _render_rule(rule: Rule) -> Json:
    return present(
        {
            "id": rule.id,
            "title": rule.title,
            "thresholds": [{"name": one.name, "value": str(one.value), "unit": one.unit} for one in rule.thresholds],
            "sources": [source.id for source in rule.sources],
        }
    )


def _outcome(answers: tuple[Answer, ...]) -> str:
    for answer in answers:
        if isinstance(answer, Verdict):
            return str(answer.conclusion)
    if any(isinstance(answer, Cap) for answer in answers):
        return "cap"
    return "line" if any(isinstance(answer, Line) for answer in answers) else "remark"


def _says(answer: Answer) -> tuple[str, ...]:
    if isinstance(answer, Verdict | Cap):
        return tuple(unquote(sentence) for sentence in answer.say)
    return () if isinstance(answer, NotApplicable) else (unquote(answer.text),)


def _render_used(used: Used) -> Json:
    rendered = {
        "name": used.name,
        "value": unquote(used.shown),
        "reference": used.reference,
    }
    return {**rendered, "date": used.day} if used.day else rendered


def _render_reading(reading: Reading) -> Json:
    return _render_used(reading.used)


def _render_set_aside(reading: Reading) -> Json:
    return {
        "name": reading.analyte,
        "results": [
            {
                "reference": one.result.reference,
                "recorded": unquote(one.result.recorded),
                "why": unquote(one.why),
            }
            for one in reading.set_aside
        ],
    }
