"""Tries mutants: pytest collects the tests once, and a fork per mutant runs those that reach the mutated function."""

import contextlib
import gc
import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

import pytest
from plain_calls import ENVIRONMENT, OPTIONS, all_pass, passes

KILLED = ("killed", "endless")
NO_TEST = "reached by no test"
_SWITCH = "MUTANT_UNDER_TEST"  # mutmut's: the mutant that is on; "stats" notes which functions are called
_MOST_MEMORY = 6 << 30  # bytes; a mutant may fill a list without end
_SLOW = 0.1  # seconds; such tests run last
# Left out: charts are random in the first, so that a kill could not be repeated; the others read source, not behavior:
# that of the tests, and that of the rules, where every mutant is written.
_IGNORED = tuple(f"tests/rules/test_{name}.py" for name in ("properties", "rule_coverage", "named_concepts"))


class Trial:
    """A plugin of pytest that runs, in place of all tests once, some tests for every mutant."""

    def __init__(self, mutants: Iterable[tuple[str, str]], workers: int, save: Callable[[Mapping[str, str]], None]):
        self.mutants = list(mutants)  # name of the mutant, name of the function it stands for
        self.workers = workers
        self.save = save  # called now and then, for a run that is stopped
        self.outcomes: dict[str, str] = {}
        self._running: dict[int, str] = {}

    def run(self, tests: list[str]) -> None:
        """Fills `outcomes`: name of the mutant -> killed, endless, survived or reached by no test."""
        os.environ |= {_SWITCH: "stats", "PYTHONPATH": str(Path.cwd()), **ENVIRONMENT}
        del os.environ["PYTHONDONTWRITEBYTECODE"]  # the copy is ours, and a fresh process starts sooner
        sys.path.insert(0, str(Path.cwd()))
        self.tests = [*tests, *(f"--ignore={one}" for one in _IGNORED)]
        pytest.main([*OPTIONS, *self.tests], plugins=[self])

    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        from mutmut.state import state
        from mutmut.workers.isolation import run_in_fork_with_result

        if session.testsfailed:
            raise session.Interrupted("the tests cannot be collected")
        at_import = set(state()._stats)
        gc.collect()
        gc.freeze()
        reached, seconds = run_in_fork_with_result(find_reached, session.items)
        in_order = [name for name, _ in sorted(self.mutants, key=lambda one: one[0])]
        functions = dict(self.mutants)
        print(f"{len(session.items)} tests; {len(at_import)} functions run when modules are imported", flush=True)
        for number, name in enumerate(in_order):
            function = functions[name]
            tests = [session.items[index] for index in in_turn(session.items, reached.get(function, []), seconds, name)]
            afresh = self.tests if function in at_import else []
            if tests or afresh:
                self._start(name, tests, 10 + 4 * sum(seconds), afresh)
            else:
                self.outcomes[name] = NO_TEST
            if number % 50 == 49:
                print(f"{time.strftime('%H:%M')} {number + 1} of {len(in_order)}", flush=True)
                self.save(self.outcomes)
        while self._running:
            self._wait()
        return True

    def _start(self, name: str, tests: list[pytest.Item], most_seconds: float, afresh: list[str]) -> None:
        while len(self._running) >= self.workers:
            self._wait()
        child = os.fork()
        if not child:
            os.environ[_SWITCH] = name
            for stream in (1, 2):  # what a mutant makes the service log
                os.dup2(os.open(os.devnull, os.O_WRONLY), stream)
            with contextlib.suppress(BaseException):
                os._exit(run_until_noticed(tests, most_seconds) or (run_afresh(afresh) if afresh else 0))
            os._exit(1)
        self._running[child] = name

    def _wait(self) -> None:
        child, status = os.wait()
        code = os.waitstatus_to_exitcode(status)
        endless = code in {-signal.SIGVTALRM, -signal.SIGALRM}
        self.outcomes[self._running.pop(child)] = "endless" if endless else "killed" if code else "survived"


def find_reached(items: list[pytest.Item]) -> tuple[dict[str, list[int]], list[float]]:
    """Function -> places of the tests that call it, and seconds per test; the tests have to pass unmutated."""
    from mutmut.state import state

    reached: dict[str, list[int]] = {}
    seconds = []
    for index, item in enumerate(items):
        state()._stats.clear()
        started = time.process_time()
        if not passes(item, items[index + 1] if index + 1 < len(items) else None):
            raise RuntimeError(f"{item.nodeid} fails before anything is mutated")
        seconds.append(time.process_time() - started)
        for function in state()._stats:
            reached.setdefault(function, []).append(index)
    return reached, seconds


def in_turn(items: list[pytest.Item], places: list[int], seconds: list[float], mutant: str) -> list[int]:
    """The tests of the file named like the module first, slow ones last; else as collected."""
    stem = mutant.split(".")[-2]
    return sorted(places, key=lambda at: (seconds[at] > _SLOW, items[at].path.stem != f"test_{stem}", at))


def run_until_noticed(tests: list[pytest.Item], most_seconds: float) -> int:
    """Exit status 1 with the first test that fails."""
    gc.disable()
    signal.setitimer(signal.ITIMER_VIRTUAL, most_seconds)
    resource.setrlimit(resource.RLIMIT_AS, (_MOST_MEMORY, _MOST_MEMORY))
    return int(not all_pass(tests))


def run_afresh(tests: list[str]) -> int:
    """A new process, for functions that modules call while they are imported: tables are built anew from the mutant."""
    os.environ["PYTHONPATH"] = os.pathsep.join([str(Path.cwd()), str(Path.cwd() / "tests" / "load")])
    command = [sys.executable, "-m", "pytest", "-p", "plain_calls", *OPTIONS, *tests]
    try:
        return subprocess.run(command, cwd=Path.cwd(), capture_output=True, check=False, timeout=300).returncode
    except subprocess.TimeoutExpired:
        return 1
