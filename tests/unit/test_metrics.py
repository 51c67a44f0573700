"""Metrics: what is counted, with labels of few values, and nothing about a patient; who may read them."""

import ast
import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from prometheus_client.parser import text_string_to_metric_families

from cds_service import services
from cds_service.errors import ConfigurationError, PreconditionFailed
from cds_service.metrics import BUCKETS, COUNTERS, HISTOGRAMS, Metrics
from cds_service.progress import STAGES, Progress
from cds_service.settings import load_settings
from cds_service.tally import CALL, FEEDBACK, FHIR_REASONS, KEY_REASONS, OTHER, shorten
from cds_service.trust import Unreachable
from tests.fhir.ehr import Ehr, make_call, open_ehr
from tests.replies import ADDRESSES, ask, open_service, read_request
from tests.spec.protected import bearer, claims, open_protected, registry, token
from tests.spec.rim import CALL as ADDRESS
from tests.spec.rim import CARD, PATIENT, in_context, open_rim, order_select, patient_view, post, raises, reply

Samples = dict[tuple[str, ...], float]
SCRAPER = "synthetic-scraper-token"
CARDS = [{**CARD, "uuid": "0f1d6c1e-5a7b-4c55-9b5e-3f6a3f1f0001", "source": {"label": "x", "topic": {"code": "t"}}}]


def samples(app: Any, **headers: str) -> dict[str, Samples]:
    """Name of the sample to the values of its labels, in the order of their names, to its value."""
    response = app.test_client().get("/metrics", headers=headers)
    assert response.status_code == 200
    found: dict[str, Samples] = {}
    for family in text_string_to_metric_families(response.text):
        for one in family.samples:
            found.setdefault(one.name, {})[tuple(value for _, value in sorted(one.labels.items()))] = one.value
    return found


@pytest.fixture
def ehr() -> Iterator[Ehr]:
    with open_ehr() as opened:
        yield opened


# --- what is counted


def test_a_call_is_counted_with_its_time_its_conclusion_its_cards_and_its_keys() -> None:
    client = open_service()
    ask(client, read_request("low-ferritin"))
    found = samples(client.application)
    assert found["cds_calls_total"] == {("", "order-select", "cards", "iv-iron-rls", "200"): 1}
    assert found["cds_call_seconds_count"] == {("order-select",): 1}
    assert found["cds_stage_seconds_count"] == {(stage,): 1 for stage in STAGES}
    assert found["cds_conclusions_total"] == {("indicated-strong", "R-22"): 1}
    assert found["cds_cards_total"] == {("true", "indicated-strong"): 1, ("true", "reassessment"): 1}
    keys = found["cds_prefetch_keys_total"]
    assert (keys["ferritin", "supplied"], keys["phosphate", "empty"]) == (1, 1)
    assert sum(keys.values()) == len(read_request("low-ferritin")["prefetch"])


def test_a_chart_that_is_opened_is_counted_by_stage_too() -> None:
    client = open_service()
    ask(client, read_request("after-day-9"))
    found = samples(client.application)
    assert found["cds_stage_seconds_count"] == {(stage,): 1 for stage in STAGES}
    assert found["cds_cards_total"] == {("true", "follow-up-due"): 1}


def test_keys_are_counted_as_fetched_missing_and_failed(ehr: Ehr) -> None:
    client = open_service(fhir_bases=(ehr.base,), fhir_seconds=15)
    ehr.faults["phosphate"] = lambda exchange: exchange.reply({}, 403)
    post(client, make_call(ehr), ADDRESSES["order-select"])
    request = read_request("low-ferritin")
    del request["prefetch"]["weight"], request["prefetch"]["ferritin"]
    request["prefetch"]["crp"] = {"resourceType": "OperationOutcome"}
    post(client, request, ADDRESSES["order-select"])
    found = samples(client.application)
    keys = found["cds_prefetch_keys_total"]
    assert keys["ferritin", "fetched"] == keys["phosphate", "failed"] == keys["weight", "missing"] == 1
    assert keys["crp", "failed"] == keys["ferritin", "missing"] == 1
    assert found["cds_fhir_failures_total"] == {("forbidden",): 1}
    assert found["cds_calls_total"]["", "order-select", "incomplete", "iv-iron-rls", "412"] == 1


def test_a_drug_that_the_server_does_not_know_is_counted_as_a_failure(ehr: Ehr) -> None:
    client = open_service(fhir_bases=(ehr.base,), fhir_seconds=15)
    call = make_call(ehr)
    drug = call["context"]["draftOrders"]["entry"][0]["resource"]
    del drug["medicationCodeableConcept"]
    drug["medicationReference"] = {"reference": "Medication/gone"}
    assert post(client, call, ADDRESSES["order-select"]).status_code == 412
    assert samples(client.application)["cds_fhir_failures_total"] == {("not-found",): 1}


@pytest.mark.parametrize(
    ("answer", "outcome", "status"),
    [
        (lambda *_: reply(), "tested", "200"),
        (raises(PreconditionFailed(("ferritin",), "no")), "incomplete", "412"),
        (raises(KeyError(PATIENT)), "exception", "500"),
    ],
    ids=["answered", "412", "fault"],
)
def test_outcomes_are_counted_by_issue_code(
    monkeypatch: pytest.MonkeyPatch, answer: Any, outcome: str, status: str
) -> None:
    client = open_rim(monkeypatch, answer)
    post(client, order_select())
    assert samples(client.application)["cds_calls_total"] == {("", "order-select", outcome, "one", status): 1}


def test_what_callers_make_up_becomes_no_label(monkeypatch: pytest.MonkeyPatch) -> None:
    client = open_rim(monkeypatch)
    for number in range(20):
        post(client, order_select(hook=f"{PATIENT}-{number}"))
        post(client, order_select(), f"/cds-services/{PATIENT}-{number}")
        client.get(f"/{PATIENT}-{number}")
        client.get("/livez", headers={"X-Request-Id": f"{PATIENT}-{number}"})
    found = samples(client.application)
    assert found["cds_calls_total"] == {("", "", "invalid", "", "400"): 20, ("", "", "not-found", "", "404"): 20}
    assert {status for _, status in found["cds_requests_total"]} <= {"200", "400", "404"}
    assert PATIENT not in str(found)


def test_a_hook_that_is_not_on_offer_is_other() -> None:
    metrics = Metrics(["order-select"], None)
    for hook in ("order-select", "made-up", "made-up-too"):
        metrics.note({"route": CALL, "hook": hook}, 0.1, None)
    text = metrics.render("")[0].decode()
    assert f'cds_call_seconds_count{{hook="{OTHER}"}} 2.0' in text
    assert "made-up" not in text


def test_protected_calls_name_the_client_and_withheld_cards(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    registry(tmp_path, profile='mode = "silent"')
    app = open_protected(monkeypatch, tmp_path, lambda *_: reply(CARDS))
    post(app.test_client(), order_select(), headers=bearer(token()))
    post(app.test_client(), order_select())
    found = samples(app)
    assert found["cds_calls_total"] == {
        ("north", "order-select", "tested", "one", "200"): 1,
        ("", "", "login", "", "401"): 1,
    }
    assert found["cds_cards_total"] == {("false", "t"): 1}
    assert found["cds_client_keys"] == {("north",): 2}
    assert found["cds_ready"] == found["cds_store_up"] == {(): 1}


def test_feedback_is_counted_by_outcome(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    app = open_protected(monkeypatch, tmp_path)
    item = {"card": "c", "outcome": "overridden", "outcomeTimestamp": "2026-11-24T09:30:00Z"}
    accepted = {**item, "outcome": "accepted", "acceptedSuggestions": [{"id": "s"}]}
    path = f"{ADDRESS}/feedback"
    for body in ([item, accepted, {**accepted, "card": "d"}, {"card": "e"}], [item]):
        post(app.test_client(), {"feedback": body}, path, headers=bearer(token(body=claims(path))))
    found = samples(app)
    items = found["cds_feedback_items_total"]
    assert items == {("accepted", "one"): 2, ("overridden", "one"): 2, ("refused", "one"): 1}
    assert found["cds_feedback_repeated_total"] == {("one",): 1}
    assert "cds_calls_total" not in found


def test_cards_that_stay_away_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    answered = reply()
    answered.suppressed = ("follow-up-due", "iron-candidate")
    client = open_rim(monkeypatch, lambda *_: answered)
    post(client, patient_view(), "/cds-services/two")
    assert samples(client.application)["cds_suppressed_cards_total"] == {(): 2}


def test_lost_records_are_counted(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    app = open_protected(monkeypatch, tmp_path)
    assert samples(app)["cds_records_lost_total"] == {(): 0}
    kept = app.extensions["cds_service.store"]
    with kept.engine.begin() as connection:
        connection.exec_driver_sql("DROP TABLE calls")
    post(app.test_client(), order_select(), headers=bearer(token()))
    kept.close()
    assert samples(app)["cds_records_lost_total"] == {(): 1}


def test_a_key_server_that_fails_is_counted(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def fail(_: str) -> bytes:
        raise Unreachable("the key server answered 503")

    monkeypatch.setattr("cds_service.trust.fetch_key_set", fail)
    registry(tmp_path, 'jku = "https://keys.example/jwks"')
    app = open_protected(monkeypatch, tmp_path)
    assert post(app.test_client(), order_select(), headers=bearer(token())).status_code == 401
    found = samples(app)
    assert found["cds_jwks_failures_total"] == {("status",): 1}
    assert found["cds_client_keys"] == {("north",): 0}


def reasons_in(file: str, names: tuple[str, ...]) -> Iterator[str]:
    """The words with which a module of ours raises one of these errors, or says `why`."""
    root = Path(services.__file__).parent
    for node in ast.walk(ast.parse((root / file).read_text("utf-8"))):
        if not isinstance(node, ast.Call):
            continue
        given = node.args if isinstance(node.func, ast.Name) and node.func.id in names else []
        for one in [*given, *(word.value for word in node.keywords if word.arg == "why")]:
            parts = one.values if isinstance(one, ast.JoinedStr) else [one]
            words = "".join(str(part.value) if isinstance(part, ast.Constant) else "418" for part in parts)
            if len(words) > len("418"):
                yield words


FHIR_WORDS = sorted(
    {
        *reasons_in("fhir/client.py", ("_Refused", "_Busy", "_cut")),
        *(words for words in reasons_in("fhir/prefetch.py", ()) if words != "not supplied"),
        *reasons_in("fhir/gather.py", ()),
    }
)
KEY_WORDS = sorted({*reasons_in("trust.py", ("Unreachable",)), *reasons_in("keys.py", ("UnusableKey",))})


@pytest.mark.parametrize("words", FHIR_WORDS)
def test_every_reason_of_a_failed_query_has_a_label(words: str) -> None:
    assert shorten(words, FHIR_REASONS) != OTHER


@pytest.mark.parametrize("words", [one for one in KEY_WORDS if "key" in one or "JSON" in one])
def test_every_reason_of_a_key_set_has_a_label(words: str) -> None:
    assert shorten(words, KEY_REASONS) != OTHER


def test_reasons_were_found_to_be_tested() -> None:
    assert len(FHIR_WORDS) >= 10
    assert len(KEY_WORDS) >= 8


# --- how


def test_many_values_at_once_are_what_they_are_one_by_one() -> None:
    times = [0.0, *BUCKETS, *(bound * 1.01 for bound in BUCKETS), 0.0101]
    one, all_together = Metrics(["h"], None), Metrics(["h"], None)
    for seconds in times:
        one._histograms["cds_call_seconds"].labels("h").observe(seconds)
        all_together.note({"route": CALL, "hook": "h"}, seconds, None)

    def histogram(metrics: Metrics) -> dict[str, float]:
        lines = (line.rpartition(" ") for line in metrics.render("")[0].decode().splitlines())
        return {name: float(value) for name, _, value in lines if name.startswith("cds_call_seconds_")}

    expected = {name: value for name, value in histogram(one).items() if "_created" not in name}
    assert len(expected) == len(BUCKETS) + 3  # infinity, sum and count
    found = histogram(all_together)
    assert {name: found[name] for name in expected} == pytest.approx(expected)


def test_metrics_are_taken_over_without_being_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cds_service.metrics.INTERVAL", 0.01)
    metrics = Metrics([], None)
    for _ in range(2):
        metrics.note({"route": FEEDBACK, "status": 200}, 0.1, Progress())
        for _ in range(500):
            if not metrics._events:
                break
            threading.Event().wait(0.01)
    assert not metrics._events
    assert metrics._counters["cds_requests"].labels(FEEDBACK, "200")._value.get() == 2


def test_every_metric_says_what_it_is() -> None:
    described = [*COUNTERS, *HISTOGRAMS]
    assert all(name.startswith("cds_") and meaning for name, _, meaning in described)
    assert not {label for _, labels, _ in described for label in labels} & {"patient", "user", "card", "issuer", "jti"}


def test_stages_add_up_when_one_comes_up_again() -> None:
    progress = Progress()
    for stage in ("read", "fetch", "read"):
        progress.finish(stage)
    assert list(progress.seconds) == ["read", "fetch"]
    assert progress.server_timing().count(";dur=") == len(STAGES)


# --- who may read them

LOCAL = {"REMOTE_ADDR": "127.0.0.1"}
FORWARDING = ("X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "Forwarded", "X-Real-IP", "Via")


def look(app: Flask, path: str, remote: str, headers: dict[str, str]) -> Any:
    return app.test_client().get(path, headers=headers, environ_overrides={"REMOTE_ADDR": remote})


@pytest.mark.parametrize(
    ("setting", "remote", "headers", "may"),
    [
        (None, "127.0.0.1", {}, True),
        (None, "::1", {}, True),
        (None, "10.0.0.7", {}, False),
        (None, "", {}, False),  # a Unix socket: whoever is behind it
        *((None, "127.0.0.1", {name: "192.0.2.1"}, False) for name in FORWARDING),
        (None, "10.0.0.7", {"Authorization": "Bearer "}, False),
        (SCRAPER, "10.0.0.7", {"Authorization": f"Bearer {SCRAPER}"}, True),
        (SCRAPER, "10.0.0.7", {"Authorization": f"Bearer {SCRAPER}", "Via": "1.1 proxy"}, True),
        (SCRAPER, "127.0.0.1", {}, False),
        (SCRAPER, "127.0.0.1", {"Authorization": "Bearer other-token-of-some-length"}, False),
        (SCRAPER, "127.0.0.1", {"Authorization": f"Basic {SCRAPER}"}, False),
        (SCRAPER, "127.0.0.1", {"Authorization": "Bearer \xe9"}, False),
    ],
)
def test_metrics_and_details_are_for_the_operator(
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    setting: str | None,
    remote: str,
    headers: dict[str, str],
    may: bool,
) -> None:
    app = open_protected(monkeypatch, tmp_path, metrics_token=setting)
    assert look(app, "/metrics", remote, headers).status_code == (200 if may else 404)
    response = look(app, "/readyz", remote, headers)
    assert (response.status_code, "hash" in response.text, "north" in response.text) == (200, may, may)


@pytest.mark.parametrize("value", ["short", "with-\x00-in-the-middle", "not-ascii-\xe9-not-ascii"])
def test_a_token_that_cannot_be_sent_is_refused_at_start(value: str) -> None:
    with pytest.raises(ConfigurationError, match="CDS_METRICS_TOKEN") as refused:
        load_settings(metrics_token=value)
    assert value not in str(refused.value)


def test_details_say_what_the_service_hangs_on(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    app = open_protected(monkeypatch, tmp_path, answer=None)
    found = json.loads(look(app, "/readyz", "127.0.0.1", {}).data)
    assert (found["status"], found["mode"], found["store"]) == ("ready", "protected", "up")
    assert found["clients"] == {"north": {"agreed": 2}}
    assert len(found["knowledge"]["hash"]) == 64
    assert "iv-iron-rls" in found["services"]


def test_with_the_store_away_everyone_learns_that_it_is_not_ready_and_the_operator_why(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    app = open_protected(monkeypatch, tmp_path)
    monkeypatch.setattr(app.extensions["cds_service.store"], "_look", lambda: False)
    anyone, operator = look(app, "/readyz", "10.0.0.7", {}), look(app, "/readyz", "127.0.0.1", {})
    assert anyone.status_code == operator.status_code == 503
    assert "store" not in anyone.text
    assert json.loads(operator.data)["store"] == "away"
    found = samples(app)
    assert found["cds_ready"] == found["cds_store_up"] == {(): 0}


def test_the_demo_is_ready_without_a_store(monkeypatch: pytest.MonkeyPatch) -> None:
    found = json.loads(open_rim(monkeypatch, database_url="sqlite://").get("/readyz").data)
    assert (found["status"], found["store"]) == ("ready", "off")


# --- following a call


@pytest.mark.parametrize(
    ("given", "taken"),
    [
        ("0123456789abcdef", True),
        ("0123456789ABCDEF" * 4, True),
        ("d1577c69-dfbe-44ad-ba6d-3e05e953b2ea", True),
        ("0123456789abcde", False),
        ("0" * 65, False),
        (PATIENT, False),
        ("0123456789abcdef\u00e9", False),
    ],
)
def test_a_request_id_is_taken_over_if_it_can_be_nothing_else(
    monkeypatch: pytest.MonkeyPatch, capsysbinary: pytest.CaptureFixture[bytes], given: str, taken: bool
) -> None:
    client = open_rim(monkeypatch)
    response = post(client, in_context(order_select()), headers={"X-Request-Id": given})
    entry = json.loads(capsysbinary.readouterr().err.splitlines()[-1])
    assert (response.headers["X-Request-Id"] == given) is taken
    assert entry["request_id"] == response.headers["X-Request-Id"]
    assert ("call" in entry) is taken


def test_a_trace_is_named_in_the_log(
    monkeypatch: pytest.MonkeyPatch, capsysbinary: pytest.CaptureFixture[bytes]
) -> None:
    client, trace_id = open_rim(monkeypatch), "0af7651916cd43dd8448eb211c80319c"
    for given, named in ((trace_id, trace_id), (PATIENT, None)):
        context = f"00-{given}-b7ad6b7169203331-01"
        post(client, order_select(), headers={"traceparent": context})
        entry = json.loads(capsysbinary.readouterr().err.splitlines()[-1])
        assert entry.get("trace_id") == named
        assert "dropped" not in entry


def test_request_id_and_trace_go_on_to_the_fhir_server(ehr: Ehr) -> None:
    client, given = open_service(fhir_bases=(ehr.base,), fhir_seconds=15), "0123456789abcdef"
    context = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    headers = {"X-Request-Id": given, "traceparent": context}
    assert post(client, make_call(ehr), ADDRESSES["order-select"], headers=headers).status_code == 200
    assert {(one.headers["X-Request-Id"], one.headers["traceparent"]) for one in ehr.seen} == {(given, context)}


def test_two_calls_with_one_request_id_are_two_calls_in_the_store(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    app = open_protected(monkeypatch, tmp_path)
    for _ in range(2):
        post(app.test_client(), order_select(), headers={**bearer(token()), "X-Request-Id": "0123456789abcdef"})
    kept = app.extensions["cds_service.store"]
    kept.close()
    with kept.engine.connect() as connection:
        assert connection.exec_driver_sql("SELECT count(*) FROM calls").scalar() == 2
    kept.engine.dispose()


def test_no_key_of_the_log_is_dropped_for_feedback(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsysbinary: pytest.CaptureFixture[bytes]
) -> None:
    app = open_protected(monkeypatch, tmp_path)
    item = {"card": "c", "outcome": "overridden", "outcomeTimestamp": "2026-11-24T09:30:00Z"}
    path = f"{ADDRESS}/feedback"
    post(app.test_client(), {"feedback": [item, item, {}]}, path, headers=bearer(token(body=claims(path))))
    entry = json.loads(capsysbinary.readouterr().err.splitlines()[-1])
    counted = ("items", "kept", "accepted", "overridden", "refused")
    assert [entry[name] for name in counted] == [2, 1, 0, 2, 1]
    assert "dropped" not in entry
