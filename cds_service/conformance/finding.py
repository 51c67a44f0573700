"""What a probe found out about one row, and the words in which it says so."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

Json = dict[str, Any]
MOST_SHOWN = 300  # characters of a body in a finding


class Verdict(StrEnum):
    PASSED = "passed"
    FAILED = "failed"
    ADVICE = "advice"  # allowed, and worth changing
    UNSEEN = "not observed"


@dataclass(frozen=True, slots=True)
class Answer:
    """One exchange. `status` is 0 when there was no answer; then `trouble` says why."""

    sent: str
    path: str
    status: int
    headers: Mapping[str, str]
    body: bytes
    seconds: float
    trouble: str = ""

    @property
    def received(self) -> str:
        if not self.status:
            return f"no answer ({self.trouble})"
        media = self.headers.get("Content-Type", "no media type")
        shown = self.body.decode("utf-8", "replace")
        cut = shown if len(shown) <= MOST_SHOWN else f"{shown[:MOST_SHOWN]}..."
        return f"{self.status}, {media}: {cut}" if shown else f"{self.status}, {media}, no body"

    def parse(self) -> Any:
        """The body as RFC 8259 JSON. Raises `ValueError`: no NaN, no byte order mark (CH-002)."""
        return json.loads(self.body.decode("utf-8"), parse_constant=_refuse)

    @property
    def document(self) -> Json:
        """The body if it is a JSON object, else an empty one."""
        try:
            parsed = self.parse()
        except ValueError:
            return {}
        return parsed if isinstance(parsed, dict) else {}

    @property
    def cards(self) -> list[Json]:
        cards = self.document.get("cards")
        return [one for one in cards if isinstance(one, dict)] if isinstance(cards, list) else []

    @property
    def is_refused(self) -> bool:
        return 400 <= self.status < 500

    @property
    def is_well(self) -> bool:
        return 200 <= self.status < 300


@dataclass(frozen=True, slots=True)
class Finding:
    """One observation: the row, what was sent, what came back, what was expected."""

    row: str
    verdict: Verdict
    sent: str
    received: str
    expected: str


def judged(row: str, answer: Answer, is_right: bool, expected: str, *, advice: bool = False) -> Finding:
    """`advice`: a wrong answer breaks no duty of the service."""
    wrong = Verdict.ADVICE if advice else Verdict.FAILED
    return Finding(row, Verdict.PASSED if is_right else wrong, answer.sent, answer.received, expected)


def _refuse(name: str) -> None:
    raise ValueError(f"{name} is no JSON")
