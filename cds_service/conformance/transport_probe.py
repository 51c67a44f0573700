"""What holds for every answer, whatever was asked: JSON, no empty values, errors that help and give nothing away."""

from collections.abc import Iterator, Sequence
from typing import Any
from urllib.parse import urlsplit

from cds_service.conformance.finding import Answer, Finding, Verdict, judged
from cds_service.settings import is_loopback

MAY_BE_EMPTY = ("cards", "services")
FOREIGN = ("resource", "extension")  # embedded FHIR and extensions have rules of their own
_GIVE_AWAY = ("Traceback (most recent call last)", 'File "/', "at java.", "conformance-token")


def judge_transport(answers: Sequence[Answer], base: str, patients: Sequence[str]) -> Iterator[Finding]:
    """Rows A and P over all answers."""
    secure = urlsplit(base).scheme == "https"
    if secure or not is_loopback(urlsplit(base).hostname or ""):
        verdict = Verdict.PASSED if secure else Verdict.FAILED
        yield Finding("CH-003", verdict, base, f"{urlsplit(base).scheme}", "https")
    for answer in answers:
        if answer.status == 0:
            yield judged("CH-001", answer, False, "an answer")
        elif answer.body and not answer.sent.startswith("OPTIONS"):
            yield from _judge_body(answer)
            if answer.status >= 400:
                yield from _judge_error(answer, patients)


def _judge_body(answer: Answer) -> Iterator[Finding]:
    media = answer.headers.get("Content-Type", "").partition(";")[0].strip().lower()
    is_labelled = media == "application/json" or media.endswith("+json")
    is_json, document = _parse(answer)
    yield judged("CH-001", answer, is_json and is_labelled, "JSON with a JSON media type")
    if not is_json:
        if is_labelled:
            yield judged("CH-002", answer, False, "RFC 8259 JSON")
        return
    yield judged("CH-002", answer, True, "RFC 8259 JSON")
    yield judged("CH-008", answer, True, "JSON without comments and trailing commas")
    if answer.is_well:
        yield judged("CH-010", answer, media == "application/json", "application/json")
        yield from _judge_values(answer, document)


def _judge_values(answer: Answer, document: Any) -> Iterator[Finding]:
    values = list(_walk(document))
    nulls = [path for path, value in values if value is None]
    empty = [path for path, value in values if value in ("", [], {}) and path.rpartition(".")[2] not in MAY_BE_EMPTY]
    blank = [path for path, value in values if isinstance(value, str) and value and not value.strip()]
    for row, found, what in (("CH-004", nulls, "null"), ("CH-005", empty, "empty"), ("CH-007", blank, "blank")):
        expected = f"nothing that is {what}{f'; {found[0]} is' if found else ''}"
        yield judged(row, answer, not found, expected)
    yield judged("CH-006", answer, not (nulls or empty), "members without a value left out")


def _walk(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict):
        for name, one in value.items():
            yield f"{path}.{name}", one
            if name not in FOREIGN:
                yield from _walk(one, f"{path}.{name}")
    elif isinstance(value, list):
        for place, one in enumerate(value):
            yield f"{path}[{place}]", one
            yield from _walk(one, f"{path}[{place}]")


def _judge_error(answer: Answer, patients: Sequence[str]) -> Iterator[Finding]:
    is_outcome = answer.document.get("resourceType") == "OperationOutcome" and bool(answer.document.get("issue"))
    if answer.status != 401:  # a refused login says as little as possible (CH-218)
        yield judged("CH-238", answer, is_outcome, "an OperationOutcome with an issue")
    text = answer.body.decode("utf-8", "replace")
    leak = next((one for one in (*_GIVE_AWAY, *patients) if one in text), "")
    yield judged("CH-240", answer, not leak, f"no trace, token or patient{f'; found {leak}' if leak else ''}")


def _parse(answer: Answer) -> tuple[bool, Any]:
    try:
        return True, answer.parse()
    except ValueError:
        return False, None
