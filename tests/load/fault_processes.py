"""Faults of the machine the service runs on: full disks, killed and stopped processes, too little memory."""

import os
import random
import resource
import signal
import tempfile
import threading
import time
from pathlib import Path

import sqlalchemy as sa

from cds_service import store
from tests.load.callers import SERVICE, Answer, Callers, ask, calling, connect, full_request, wait_until
from tests.load.fault_report import LogBook, Report, brief, health, health_of_all, limit
from tests.load.fault_servers import call, postgres, report_card
from tests.load.serving import Served, serve

MEGABYTE = 1024 * 1024
SPARE = 8 * MEGABYTE


def _sqlite(folder: Path) -> str:
    return f"sqlite:///{folder / 'store.sqlite3'}"


def _count_calls(url: str) -> int:
    engine = store.open_database(url)
    try:
        with engine.connect() as connection:
            return int(connection.execute(sa.text("SELECT count(*) FROM calls")).scalar_one())
    finally:
        engine.dispose()


def disk_full(_: Path) -> Report:
    """A limit on the size of files does to SQLite what a full disk does, and can be lifted."""
    report = Report("the disk of the SQLite file is full (a limit on file size)")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with serve(folder, _sqlite(folder)) as served:
            call(served)
            book = LogBook(served.log)
            limit(served, resource.RLIMIT_FSIZE, 16 * 1024)
            answer, feedback = call(served), report_card(served)
            report.caller(f"a call {brief(answer)}", answer.said == "503")
            report.caller(f"feedback {brief(feedback)}", feedback.said == "503")
            seen = health_of_all(served)
            limit(served, resource.RLIMIT_FSIZE, resource.RLIM_INFINITY)
            report.operator(f"{seen}; {book.complaints()}", book.faults == 0 and "/readyz 503" in seen)
            took = wait_until(lambda: call(served).said == report_card(served).said == "200", 30)
            ready = took + wait_until(lambda: "503" not in health_of_all(served), 30)
            report.later(
                f"it works again {took:.1f} s after there is room, and says so after {ready:.1f} s", ready < 15
            )
    return report


def log_full(programs: Path) -> Report:
    """A log that cannot be written must not cost a call. The database is another process, so it has its room."""
    report = Report("the disk of the log is full (a limit on file size)")
    with postgres(programs) as (folder, server):
        with serve(folder, server.url) as served:
            limit(served, resource.RLIMIT_FSIZE, 1)
            book, answers = LogBook(served.log), [call(served) for _ in range(5)]
            said, kept = [one.said for one in answers], report_card(served).said
            report.caller(f"calls {' '.join(said)}; feedback {kept}", {*said, kept} == {"200"})
            lines = len(book.entries())
            limit(served, resource.RLIMIT_FSIZE, resource.RLIM_INFINITY)
            report.operator(f"{health(served)}; {lines} lines in the log")
            back = call(served).said
            report.later(f"a call {back}, and it is in the log again", len(book.entries()) > lines and back == "200")
        recorded = _count_calls(server.url)
        report.later(f"{recorded} of 6 calls are in the store", recorded == len(answers) + 1)
    return report


def store_deleted(_: Path) -> Report:
    report = Report("the SQLite file is deleted under the running service")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with serve(folder, _sqlite(folder)) as served:
            value = served.token(SERVICE)
            first = ask(served.url, body=full_request(), bearer=value).said
            book = LogBook(served.log)
            for file in folder.glob("store.sqlite3*"):
                file.unlink()
            said = [call(served).said for _ in range(10)]
            again = [ask(served.url, body=full_request(), bearer=value).said for _ in range(10)]
            report.caller(f"before {first}; calls {' '.join(sorted(set(said)))}", set(said) <= {"200", "503"})
            report.caller(f"a used token {' '.join(sorted(set(again)))}", set(again) <= {"401", "503"})
            report.operator(f"{health(served)}; {book.complaints()}", book.faults == 0)
    return report


def worker_killed(_: Path) -> Report:
    report = Report("a worker is killed (kill -9) each second under load, five times")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with serve(folder, _sqlite(folder)) as served:
            book = LogBook(served.log)
            with calling(lambda: call(served)) as seen:
                for _ in range(5):
                    time.sleep(1)
                    os.kill(random.choice(served.workers()), signal.SIGKILL)
                killed = time.monotonic()
                wait_until(lambda: len(served.workers()) == 2, 30)
                time.sleep(2)
            lost = seen.said["broken off"]
            report.caller(
                f"{seen}; longest {seen.longest:.2f} s; a second after the last kill {dict(seen.after(killed + 1))}",
                set(seen.said) <= {"200", "broken off"} and lost <= 5 * 8 and set(seen.after(killed + 1)) == {"200"},
            )
            report.operator(book.complaints(), book.faults == 0)
        recorded = _count_calls(_sqlite(folder))
        report.operator(f"{recorded} of {seen.said['200']} answered calls are in the store (the log has them all)")
    return report


def stopped(_: Path) -> Report:
    """SIGTERM: what was accepted is answered and recorded, the rest is refused."""
    report = Report("SIGTERM under load")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with serve(folder, _sqlite(folder)) as served, calling(lambda: call(served), 16) as seen:
            time.sleep(2)
            began = time.monotonic()
            served.process.send_signal(signal.SIGTERM)
            served.process.wait(60)
            took = time.monotonic() - began
            time.sleep(0.5)
        report.caller(f"{seen}; longest {seen.longest:.2f} s", set(seen.said) == {"200", "refused"})
        recorded = _count_calls(_sqlite(folder))
        report.operator(f"it ends after {took:.1f} s with status {served.process.returncode}", took < 10)
        report.operator(f"{recorded} calls in the store, {seen.said['200']} answered", recorded == seen.said["200"])
    return report


def reloaded(_: Path) -> Report:
    """SIGHUP, also with clients that keep their connections."""
    report = Report("SIGHUP under load, three times")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with serve(folder, _sqlite(folder)) as served:
            book, kept = LogBook(served.log), threading.local()
            with calling(lambda: call(served), 4) as seen, calling(lambda: _call_on(served, kept), 4) as keeping:
                for _ in range(3):
                    time.sleep(1)
                    served.reload()
                time.sleep(1)
            report.caller(f"new connections: {seen}; longest {seen.longest:.2f} s", set(seen.said) == {"200"})
            report.caller(f"kept connections: {keeping}", set(keeping.said) == {"200"})
            reloads = sum(one.get("event") == "registry reloaded" for one in book.entries())
            report.operator(f"registry reloaded {reloads} times; {book.complaints()}", reloads == 3)
    return report


def _call_on(served: Served, kept: threading.local) -> Answer:
    """On a connection that is kept; opened anew only where the service said that it closes."""
    if getattr(kept, "connection", None) is None:
        kept.connection = connect(served.url)
    answer = ask(served.url, body=full_request(), kept=kept.connection)
    if kept.connection.sock is None:
        kept.connection = None
    return answer


def memory_limited(_: Path) -> Report:
    report = Report("the memory of the workers is limited to 8 MB more than they have, and bodies are 7 MB")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with serve(folder, _sqlite(folder)) as served:
            with calling(lambda: call(served), 32):
                time.sleep(2)  # every thread runs: each takes memory for its stack
            book = LogBook(served.log)
            pids = set(served.workers())
            for worker in pids:
                most = _data_size(worker) + SPARE
                resource.prlimit(worker, resource.RLIMIT_DATA, (most, resource.RLIM_INFINITY))
            padded = {**full_request(), "extension": {"org.example": "x" * 7 * MEGABYTE}}
            with calling(lambda: ask(served.url, body=padded), 16) as seen:
                time.sleep(6)
            _judge_memory(report, served, book, seen)
            time.sleep(1)
            answer = call(served)
            report.later(
                f"a call of usual size {brief(answer)}, {health(served)}; {len(pids - set(served.workers()))} workers "
                "were replaced",
                answer.said == "200",
            )
    return report


def _judge_memory(report: Report, served: Served, book: LogBook, seen: Callers) -> None:
    kinds = set(seen.said)
    report.caller(f"{seen}; longest {seen.longest:.2f} s", kinds <= {"200", "503", "broken off"})
    peaks = [f"{_resident(worker)} MB" for worker in served.workers()]
    report.operator(f"workers hold {', '.join(peaks)}; {book.complaints()}")


def _data_size(process: int) -> int:
    lines = Path(f"/proc/{process}/status").read_text().splitlines()
    return 1024 * int(next(line.split()[1] for line in lines if line.startswith("VmData:")))


def _resident(process: int) -> int:
    return int(Path(f"/proc/{process}/statm").read_text().split()[1]) * resource.getpagesize() // MEGABYTE
