"""What a fault scenario saw: words of the caller, of the operator, and whether both are as they should be."""

import json
import resource
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.load.callers import Answer, ask
from tests.load.serving import Served

MOST_LINES = 4


@dataclass(slots=True)
class Report:
    """One fault; lines are (who, what they see, whether that is as it should be)."""

    fault: str
    lines: list[tuple[str, str, bool]] = field(default_factory=list)

    def caller(self, what: str, holds: bool = True) -> None:
        self.lines.append(("caller", what, holds))

    def operator(self, what: str, holds: bool = True) -> None:
        self.lines.append(("operator", what, holds))

    def later(self, what: str, holds: bool = True) -> None:
        self.lines.append(("then", what, holds))

    @property
    def is_good(self) -> bool:
        return all(holds for _, _, holds in self.lines)

    def __str__(self) -> str:
        shown = (f"  {'' if holds else 'NOT SO: '}{who}: {what}" for who, what, holds in self.lines)
        return "\n".join((self.fault, *shown))


class LogBook:
    """The log from now on."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._start = file.stat().st_size

    def entries(self) -> list[dict[str, Any]]:
        with self._file.open("rb") as log:
            log.seek(self._start)
            return [json.loads(line) for line in log if line.startswith(b"{") and line.endswith(b"}\n")]

    def complaints(self) -> str:
        """The commonest entries at warning and above, and what refused calls say, each with its number."""
        return _count(_explain(one) for one in self.entries() if _is_complaint(one))

    @property
    def faults(self) -> int:
        return sum(one.get("event") == "fault" for one in self.entries())


def _is_complaint(entry: dict[str, Any]) -> bool:
    return entry.get("level") in ("warning", "error", "critical") or entry.get("status", 0) >= 500


def _explain(entry: dict[str, Any]) -> str:
    words = [str(entry[name]) for name in ("event", "status", "reason", "exception") if entry.get(name)]
    return " ".join(words)[:150]


def _count(words: Iterable[str]) -> str:
    counted = Counter(words).most_common()
    shown = [f"{number} x [{one}]" for one, number in counted[:MOST_LINES]]
    return "; ".join(shown) + (f"; {len(counted) - MOST_LINES} kinds more" if len(counted) > MOST_LINES else "") or "-"


def health(served: Served) -> str:
    """As an orchestrator asks."""
    return f"/livez {_probe(served, '/livez')}, /readyz {_probe(served, '/readyz')}"


def health_of_all(served: Served) -> str:
    """What the workers say, asked often enough to meet each."""
    return " or ".join(sorted({health(served) for _ in range(10)}))


def _probe(served: Served, path: str) -> str:
    return ask(served.url, path, bearer="-").said


def brief(answer: Answer) -> str:
    words = f" ({answer.words})" if answer.said[0] in "45" and answer.words else ""
    return f"{answer.said}{words} after {answer.took:.2f} s"


def limit(served: Served, what: int, most: int) -> None:
    """Puts a limit on every worker."""
    for worker in served.workers():
        resource.prlimit(worker, what, (most, resource.RLIM_INFINITY))
