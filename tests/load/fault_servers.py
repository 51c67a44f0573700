"""Faults of what the service asks: its databases, FHIR servers, key servers, and the clock."""

import json
import socket
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from uuid import uuid4

from cds_service import store
from cds_service.app import STORE, create_app
from cds_service.settings import load_settings
from cds_service.store import migrating
from tests.load.callers import SERVICE, Answer, ask, calling, fresh_token, full_request, wait_until
from tests.load.fault_report import LogBook, Report, brief, health
from tests.load.kill_feedback import Postgres, item
from tests.load.serving import Served, free_port, serve
from tests.spec.protected import SECRET, bearer, claims, header, key_set, registry, token

FEEDBACK = f"{SERVICE}/feedback"
PUBLIC = "https://cds.example"
COME_BACK = 5.0  # seconds in which the service works again once its database does


@contextmanager
def postgres(programs: Path) -> Iterator[tuple[Path, Postgres]]:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "postgres").mkdir()
        server = Postgres(folder / "postgres", programs)
        try:
            yield folder, server
        finally:
            server.stop()


def call(served: Served, **members: Any) -> Answer:
    return ask(served.url, body={**full_request(), **members})


def report_card(served: Served) -> Answer:
    return ask(served.url, FEEDBACK, {"feedback": [item(str(uuid4()))]})


def database_away(programs: Path) -> Report:
    """Protected mode fails closed: a token that cannot be checked for reuse opens nothing."""
    report = Report("PostgreSQL is away (protected mode)")
    with postgres(programs) as (folder, server), serve(folder, server.url) as served:
        book = LogBook(served.log)
        server.stop()
        try:
            answers = [call(served), report_card(served), ask(served.url, "/cds-services")]
            report.caller(f"a call {brief(answers[0])}", {one.said for one in answers} == {"503"})
            report.caller(f"feedback {brief(answers[1])}; discovery {answers[2].said}")
            seen = health(served)
            report.operator(seen, seen == "/livez 200, /readyz 503")
            report.operator(book.complaints(), book.faults == 0)
        finally:
            server.start()
        took = wait_until(lambda: call(served).said == "200")
        ready = took + wait_until(lambda: health(served).endswith("200"))
        words = f"it works again {took:.1f} s after the database does, and says so after {ready:.1f} s"
        report.later(words, ready < COME_BACK)
    return report


def database_away_in_a_demo(programs: Path) -> Report:
    report = Report("PostgreSQL is away (demo mode)")
    with postgres(programs) as (folder, server), serve(folder, server.url, CDS_CLIENTS="") as served:
        book = LogBook(served.log)
        server.stop()
        try:
            answer, feedback = call(served), report_card(served)
            report.caller(f"a call {brief(answer)} with {len(answer.json['cards'])} cards", answer.said == "200")
            report.caller(f"feedback {brief(feedback)}", feedback.said == "503")
            wait_until(lambda: "not recorded" in book.complaints(), 30)
            report.operator(f"{health(served)}; {book.complaints()}", book.faults == 0)
        finally:
            server.start()
        took = wait_until(lambda: report_card(served).said == "200")
        report.later(f"feedback is kept again {took:.1f} s after the database is back", took < COME_BACK)
    return report


def database_restarted(programs: Path) -> Report:
    report = Report("PostgreSQL is restarted under load, three times")
    with postgres(programs) as (folder, server), serve(folder, server.url) as served:
        book = LogBook(served.log)
        with calling(lambda: call(served)) as seen:
            for _ in range(3):
                threading.Event().wait(1.5)
                server.stop()
                server.start()
            threading.Event().wait(2)
        kinds = set(seen.said)
        report.caller(f"{seen}; longest {seen.longest:.2f} s", kinds <= {"200", "503"} and seen.said["200"] > 0)
        report.operator(book.complaints(), book.faults == 0)
        report.later(f"a call {brief(call(served))}, {health(served)}", call(served).said == "200")
    return report


def fhir_server_down(_: Path) -> Report:
    """Calls that need it are told so in time; those that bring their prefetch do not notice."""
    report = Report("the FHIR server is down, then hangs")
    access = {"access_token": "t", "token_type": "Bearer", "expires_in": 300, "scope": "patient/*.read", "subject": "s"}
    with tempfile.TemporaryDirectory() as name, socket.create_server(("127.0.0.1", 0)) as silent:
        folder, down, hanging = Path(name), free_port(), silent.getsockname()[1]
        bases = [f"http://127.0.0.1:{port}/fhir" for port in (down, hanging)]
        lines = "allow_http = true\nprivate_network = true\n"
        registry(folder, extra="".join(f'[[client.fhir]]\nbase = "{base}"\n{lines}' for base in bases))
        with serve(folder, f"sqlite:///{folder / 'store.sqlite3'}") as served:
            book = LogBook(served.log)
            lacking = {"prefetch": {}, "fhirAuthorization": access}
            answer = call(served, **lacking, fhirServer=bases[0])
            report.caller(f"down: {brief(answer)}", answer.said == "412" and answer.took < 2)
            answer = call(served, **lacking, fhirServer=bases[1])
            report.caller(f"hangs: {brief(answer)}", answer.said == "412" and answer.took < 2)
            with (
                calling(lambda: call(served, **lacking, fhirServer=bases[1]), 24) as waiting,
                calling(lambda: call(served), 2) as others,
            ):
                threading.Event().wait(6)
            report.caller(
                f"24 at once that need it: {waiting}; longest {waiting.longest:.2f} s",
                set(waiting.said) <= {"412", "503"} and waiting.longest < 4,
            )
            report.caller(
                f"meanwhile 2 with prefetch: {others}; p50 {others.percentile(0.5) * 1000:.0f} ms, p99 "
                f"{others.percentile(0.99) * 1000:.0f} ms",
                set(others.said) == {"200"},
            )
            report.operator(f"{health(served)}; {book.complaints()}", book.faults == 0)
    return report


class KeyServer:
    """A key server that can be switched off; its port stays the same."""

    def __init__(self) -> None:
        self.port = free_port()
        self._http: ThreadingHTTPServer | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/jwks.json"

    def start(self) -> None:
        document = json.dumps(key_set("ES384")).encode()

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.send_response(200)
                self.end_headers()
                self.wfile.write(document)

            def log_message(self, *_: Any) -> None:
                pass

        self._http = ThreadingHTTPServer(("127.0.0.1", self.port), Handler)
        threading.Thread(target=self._http.serve_forever, args=(0.05,), daemon=True).start()

    def stop(self) -> None:
        if self._http is not None:
            self._http.shutdown()
            self._http.server_close()
            self._http = None


def key_server_down(_: Path) -> Report:
    report = Report("the key server of a CDS Client is down")
    with tempfile.TemporaryDirectory() as name, ExitStack() as stack:
        folder, keys = Path(name), KeyServer()
        keys.start()
        stack.callback(keys.stop)
        registry(folder, keys=f'jku = "{keys.url}"\nallow_http = true')
        url = f"sqlite:///{folder / 'store.sqlite3'}"
        with serve(folder, url, CDS_WORKERS="1") as served:
            before = call(served).said
            keys.stop()
            book = LogBook(served.log)
            known = call(served)
            second = int(datetime.now(UTC).timestamp())
            body = claims(aud=served.url + SERVICE, iat=second, exp=second + 300)
            made_up = token(header(kid="rotated"), body)
            unknown = ask(served.url, body=full_request(), bearer=made_up)
            report.caller(f"a key that was seen before: {before}, then {brief(known)}", known.said == before == "200")
            report.caller(f"a key id that was not: {brief(unknown)}", unknown.said == "401")
            report.operator(f"{health(served)}; {book.complaints()}", book.faults == 0)
        with serve(folder, url, CDS_WORKERS="1") as served:
            book, first = LogBook(served.log), call(served)
            report.caller(f"after a restart of the service: {brief(first)}", first.said == "401")
            report.operator(f"{health(served)}; {book.complaints()}", book.faults == 0)
            keys.start()
            took = wait_until(lambda: call(served).said == "200", 90)
            report.later(f"calls are answered {took:.0f} s after the key server is back", took < 40)
    return report


def clock_step(_: Path) -> Report:
    """The clock is an argument of the app, so that it is stepped here without stepping that of the machine."""
    report = Report("the clock of the service steps")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        registry(folder)
        url = f"sqlite:///{folder / 'store.sqlite3'}"
        migrating.migrate(url)
        true = datetime.now(UTC)
        moment = [true]
        settings = load_settings(
            clients=folder / "clients.toml", public_url=PUBLIC, database_url=url, pseudonym_key=SECRET,
            log_level="error",
        )  # fmt: skip
        app = create_app(settings, clock=lambda: moment[0])
        client = app.test_client()

        def send(value: str) -> int:
            return client.post(SERVICE, json=full_request(), headers=bearer(value)).status_code

        def fresh(after: timedelta = timedelta()) -> str:
            return fresh_token(PUBLIC, SERVICE, (true + after).timestamp())

        used = fresh()
        report.caller(f"right: {send(used)}, used again {send(used)}", True)
        for step, expected in ((timedelta(seconds=25), 200), (timedelta(minutes=2), 200), (timedelta(hours=2), 401)):
            moment[0] = true + step
            said = send(fresh())
            report.caller(f"ahead by {step}: a good token {said}", said == expected)
        for step, expected in ((timedelta(seconds=25), 200), (timedelta(minutes=2), 401)):
            moment[0] = true - step
            said = send(fresh())
            report.caller(f"behind by {step}: a good token {said}", said == expected)
        _step_and_replay(report, app, moment, true, send, used)
        app.extensions[STORE].close()
    return report


def _step_and_replay(
    report: Report, app: Any, moment: list[datetime], true: datetime, send: Callable[[str], int], used: str
) -> None:
    """Ahead by so much that the used token is over, and back again: it must not have been forgotten."""
    ahead = timedelta(minutes=20)
    moment[0] = true + ahead
    said = send(fresh_token(PUBLIC, SERVICE, moment[0].timestamp()))
    store.clear_tokens(app.extensions[STORE].engine, moment[0].timestamp())
    moment[0] = true
    again = send(used)
    report.operator(
        f"ahead by {ahead} (a new token {said}), expired tokens cleared, and back: replay {again}", again == 401
    )
