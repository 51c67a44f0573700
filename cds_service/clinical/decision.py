"""Decides one case: rules in the order of precedence, the class, the caps, the lines, and the whole trace."""

from dataclasses import dataclass
from datetime import date
from typing import NamedTuple

from cds_service.clinical.case import Case, Rule
from cds_service.clinical.model import (
    Answer,
    Cap,
    Conclusion,
    Line,
    NotApplicable,
    Phase,
    Remark,
    Verdict,
)

# Phases in which every verdict is named on the card, not only the first (section 1, P2; R-26).
NAMES_ALL = (Phase.STOP, Phase.MISSING)
EVERY_PHASE = tuple(Phase)
NOT_REACHED = "not reached: decided before"


class Step(NamedTuple):
    """One rule and what it answered; `answers` is empty when the rule was not reached."""

    rule: Rule
    answers: tuple[Answer, ...]

    @property
    def is_reached(self) -> bool:
        return bool(self.answers)


@dataclass(frozen=True, slots=True)
class Decision:
    """The outcome for one order (section 1). `verdicts` lead with the one that gave the class."""

    case: Case
    conclusion: Conclusion
    verdicts: tuple[tuple[Rule, Verdict], ...]
    caps: tuple[tuple[Rule, Cap], ...]  # those that lowered the class; empty when there was nothing to lower
    lines: tuple[tuple[Rule, Line], ...]  # R-51a order
    remarks: tuple[tuple[Rule, Remark], ...]
    rules: tuple[Rule, ...]
    answers: tuple[tuple[Answer, ...], ...]  # of each rule; empty when it was not reached

    @property
    def steps(self) -> tuple[Step, ...]:
        """All rules with their answers: the trace."""
        return tuple(map(Step, self.rules, self.answers))

    @property
    def makes_warning(self) -> bool:
        """R-52: a line that turns an `info` card into a `warning`."""
        return any(line.makes_warning for _, line in self.lines)

    @property
    def offered_tests(self) -> tuple[str, ...]:
        """Value-set ids of the tests to order, each once, in the order the rules name them (R-26, R-29c)."""
        named = [test for _, verdict in self.verdicts for test in verdict.offer_tests]
        named += [test for _, remark in self.remarks for test in remark.offer_tests]
        return tuple(dict.fromkeys(named))

    @property
    def tests_not_before(self) -> date | None:
        """R-41c: the first day on which the offered tests can be interpreted."""
        days = [verdict.tests_not_before for _, verdict in self.verdicts if verdict.tests_not_before]
        return max(days, default=None)


def decide(rules: tuple[Rule, ...], case: Case) -> Decision:
    """Evaluate `rules`, sorted by phase, for one case."""
    every: list[tuple[Answer, ...]] = []
    verdicts: list[tuple[Rule, Verdict]] = []
    caps: list[tuple[Rule, Cap]] = []
    lines: list[tuple[Rule, Line]] = []
    remarks: list[tuple[Rule, Remark]] = []
    reached = EVERY_PHASE
    for rule in rules:
        if reached is not EVERY_PHASE and rule.phase not in reached:
            every.append(())
            continue
        answers = rule.evaluate(case)
        every.append(answers)
        for answer in answers:
            if isinstance(answer, NotApplicable):
                continue
            if isinstance(answer, Line):
                lines.append((rule, answer))
            elif isinstance(answer, Remark):
                remarks.append((rule, answer))
            elif isinstance(answer, Cap):
                caps.append((rule, answer))
            else:
                verdicts.append((rule, answer))
                reached = _still_reached(*verdicts[0])
    conclusion = verdicts[0][1].conclusion
    if caps and conclusion is Conclusion.INDICATED_STRONG:
        conclusion = Conclusion.MAY_BENEFIT
    lines.sort(key=_rank)
    return Decision(
        case,
        conclusion,
        tuple(verdicts),
        tuple(caps),
        tuple(lines),
        tuple((rule, one) for rule, one in remarks if conclusion.is_supportive or not one.speaks_for_iron),
        rules,
        tuple(every),
    )


def _still_reached(decider: Rule, verdict: Verdict) -> tuple[Phase, ...]:
    """First match wins; out of scope ends everything; stops and gaps are all named; lines stand on any card."""
    if verdict.conclusion is Conclusion.OUT_OF_SCOPE:
        return ()
    same = (decider.phase,) if decider.phase in NAMES_ALL else ()
    caps = (Phase.CAP,) if verdict.conclusion.is_supportive else ()
    return (Phase.TEXT, *same, *caps)


def _rank(item: tuple[Rule, Line]) -> int:
    return item[1].rank
