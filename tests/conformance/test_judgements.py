"""One planted fault a line in discovery, cards, actions and templates: its row fails, and no other."""

import copy
import json
from collections.abc import Callable
from typing import Any

import pytest

from cds_service.conformance.cards_probe import judge_card, judge_envelope
from cds_service.conformance.discovery_probe import _judge_entry, _judge_together
from cds_service.conformance.finding import Answer, Verdict
from cds_service.conformance.samples import Offer, answer_template, fill
from cds_service.conformance.templates import judge_templates
from cds_service.conformance.transport_probe import judge_transport

Json = dict[str, Any]
ORDER: Json = {
    "resourceType": "ServiceRequest",
    "status": "draft",
    "intent": "order",
    "subject": {"reference": "Patient/1"},
}
CARD: Json = {
    "uuid": "one",
    "summary": "Something to say",
    "detail": "In *markdown*",
    "indicator": "info",
    "source": {
        "label": "A guideline",
        "url": "https://g.example",
        "topic": {"code": "t", "system": "https://s.example"},
    },
    "selectionBehavior": "any",
    "suggestions": [
        {
            "label": "Order",
            "uuid": "two",
            "isRecommended": True,
            "actions": [{"type": "create", "description": "Order it", "resource": ORDER}],
        }
    ],
    "overrideReasons": [{"code": "c", "system": "https://s.example", "display": "No"}],
    "links": [{"label": "More", "url": "https://g.example/more", "type": "absolute"}],
}
DELETE = {"type": "delete", "description": "Remove it", "resourceId": "ServiceRequest/1"}


def at(path: str, value: Any) -> Callable[[Json], None]:
    """Sets what a dotted path with numbers names; `...` removes it."""

    def change(document: Json) -> None:
        *parents, last = [int(one) if one.isdigit() else one for one in path.split(".")]
        holder: Any = document
        for step in parents:
            holder = holder[step]
        if value is ...:
            del holder[last]
        else:
            holder[last] = value

    return change


ACTION = "suggestions.0.actions.0"
CARDS: tuple[tuple[str, str, Callable[[Json], None]], ...] = (
    ("CH-121", "a blank uuid", at("uuid", " ")),
    ("CH-123", "no summary", at("summary", ...)),
    ("CH-124", "a summary of 140 characters", at("summary", "x" * 140)),
    ("CH-125", "a summary of two lines", at("summary", "one\ntwo")),
    ("CH-128", "HTML in the detail", at("detail", "a <b>bold</b> word")),
    ("CH-129", "indicator in upper case", at("indicator", "INFO")),
    ("CH-129", "indicator hard-stop", at("indicator", "hard-stop")),
    ("CH-131", "no source", at("source", ...)),
    ("CH-133", "no label", at("source.label", ...)),
    ("CH-134", "a relative source address", at("source.url", "/guideline")),
    ("CH-135", "the patient in the source address", at("source.url", "https://g.example/?patient=patient-1")),
    ("CH-136", "a relative icon", at("source.icon", "icon.png")),
    ("CH-138 CH-144", "a topic without system", at("source.topic.system", ...)),
    ("CH-138 CH-144", "a topic as CodeableConcept", at("source.topic", {"coding": [{"code": "t", "system": "s"}]})),
    ("CH-139", "an empty list of suggestions", at("suggestions", [])),
    ("CH-140", "suggestions without behaviour", at("selectionBehavior", ...)),
    ("CH-141", "an unheard-of behaviour", at("selectionBehavior", "all")),
    ("CH-142", "an empty list of reasons", at("overrideReasons", [])),
    ("CH-143", "a reason without display", at("overrideReasons.0.display", ...)),
    ("CH-144", "a reason without system", at("overrideReasons.0.system", ...)),
    ("CH-146", "an empty list of links", at("links", [])),
    ("CH-147", "a suggestion without label", at("suggestions.0.label", ...)),
    ("CH-148", "a suggestion with an empty uuid", at("suggestions.0.uuid", "")),
    ("CH-149", "isRecommended as text", at("suggestions.0.isRecommended", "true")),
    ("CH-151", "an empty list of actions", at("suggestions.0.actions", [])),
    ("CH-153", "an unheard-of choice of actions", at("suggestions.0.actionSelectionBehavior", "some")),
    ("CH-155", "an action in upper case", at(f"{ACTION}.type", "CREATE")),
    ("CH-156", "an action without description", at(f"{ACTION}.description", ...)),
    ("CH-157", "create without resource", at(f"{ACTION}.resource", ...)),
    ("CH-009 CH-157", "a resource as text", at(f"{ACTION}.resource", json.dumps(ORDER))),
    ("CH-009", "a resource without what FHIR requires", at(f"{ACTION}.resource.subject", ...)),
    ("CH-009", "an invented resource type", at(f"{ACTION}.resource.resourceType", "InventedRequest")),
    ("CH-158", "update without id", at(f"{ACTION}.type", "update")),
    ("CH-159", "delete without resourceId", at(ACTION, {"type": "delete", "description": "Remove it"})),
    ("CH-160", "delete in its old form", at(ACTION, {**DELETE, "resource": "ServiceRequest/1"})),
    ("CH-161", "an absolute resourceId", at(ACTION, {**DELETE, "resourceId": "https://e.example/ServiceRequest/1"})),
    ("CH-164", "a link without label", at("links.0.label", ...)),
    ("CH-165", "a relative link", at("links.0.url", "/more")),
    ("CH-166", "a link of another type", at("links.0.type", "relative")),
    (
        "CH-168",
        "a smart link with iss",
        at("links.0", {"label": "App", "url": "https://a.example/?iss=x", "type": "smart"}),
    ),
    (
        "CH-169",
        "appContext as object",
        at("links.0", {"label": "App", "url": "https://a.example", "type": "smart", "appContext": {}}),
    ),
    ("CH-170", "appContext on an absolute link", at("links.0.appContext", "text")),
    ("CH-171", "autolaunchable as text", at("links.0.autolaunchable", "yes")),
    ("CH-235", "a member of our own", at("severity", "high")),
)


@pytest.mark.parametrize(("rows", "what", "change"), CARDS, ids=[f"{rows} {what}" for rows, what, _ in CARDS])
def test_a_fault_in_a_card_fails_its_row_alone(rows: str, what: str, change: Callable[[Json], None]) -> None:
    card = copy.deepcopy(CARD)
    change(card)
    failed = {row for row, is_right, _ in judge_card(card, "patient-1") if not is_right}
    assert failed == set(rows.split()), what


def test_a_good_card_fails_nothing() -> None:
    assert [row for row, is_right, _ in judge_card(CARD, "patient-1") if not is_right] == []


def test_ch_150_two_recommended_suggestions_need_a_free_choice() -> None:
    two = {**CARD, "suggestions": [CARD["suggestions"][0], CARD["suggestions"][0]]}
    for behaviour, failed in (("any", []), ("at-most-one", ["CH-150"])):
        card = {**two, "selectionBehavior": behaviour}
        assert [row for row, is_right, _ in judge_card(card, "") if not is_right] == failed


def answer(
    body: str, status: int = 200, media: str = "application/json", sent: str = "POST /cds-services/one"
) -> Answer:
    return Answer(sent, "/cds-services/one", status, {"Content-Type": media}, body.encode(), 0.1)


def failed_rows(found: Any) -> set[str]:
    return {one.row for one in found if one.verdict is Verdict.FAILED}


BODIES = (
    ("", '{"cards": []}', 200, "application/json"),
    ("CH-001 CH-238", "<h1>no</h1>", 404, "text/html"),
    ("CH-001 CH-010", '{"cards": []}', 200, "text/plain"),
    ("CH-001 CH-002", '{"cards": [NaN]}', 200, "application/json"),
    ("CH-001 CH-002", '\ufeff{"cards": []}', 200, "application/json"),
    ("CH-001 CH-002", '{"cards": [],}', 200, "application/json"),
    ("CH-004 CH-006", '{"cards": [{"links": null}]}', 200, "application/json"),
    ("CH-005 CH-006", '{"cards": [{"links": []}]}', 200, "application/json"),
    ("CH-007", '{"cards": [{"summary": "  "}]}', 200, "application/json"),
    ("CH-238", '{"error": "no"}', 400, "application/json"),
    ("CH-238 CH-240", '{"error": "Traceback (most recent call last)"}', 500, "application/json"),
    (
        "CH-240",
        '{"resourceType": "OperationOutcome", "issue": [{"diagnostics": "patient-1"}]}',
        400,
        "application/fhir+json",
    ),
)


@pytest.mark.parametrize(("rows", "body", "status", "media"), BODIES, ids=[f"{one[0]} {one[1][:30]}" for one in BODIES])
def test_a_fault_in_a_body_fails_its_row_alone(rows: str, body: str, status: int, media: str) -> None:
    got = answer(body, status, media)
    failed = failed_rows(judge_transport([got], "http://127.0.0.1", ["patient-1"]))
    assert failed == set(rows.split())


@pytest.mark.parametrize(
    ("base", "verdict"),
    [("https://s.example", Verdict.PASSED), ("http://s.example", Verdict.FAILED), ("http://127.0.0.1", None)],
)
def test_ch_003_plain_http_is_a_failure_on_other_machines_only(base: str, verdict: Verdict | None) -> None:
    found = [one.verdict for one in judge_transport([], base, [])]
    assert found == ([verdict] if verdict else [])


@pytest.mark.parametrize(
    ("rows", "body", "status"),
    [
        ("", '{"cards": []}', 200),
        ("CH-110 CH-111 CH-112", "", 204),
        ("CH-110 CH-111 CH-112", "[]", 200),
        ("CH-111 CH-112", '{"cards": {}}', 200),
    ],
)
def test_ch_110_ch_111_ch_112_an_envelope_is_an_object_with_a_list(rows: str, body: str, status: int) -> None:
    assert failed_rows(judge_envelope(answer(body, status))) == set(rows.split())


ENTRY: Json = {
    "hook": "order-select",
    "id": "one",
    "title": "One",
    "description": "Says one thing.",
    "version": "2.0.1",
}
ENTRIES: tuple[tuple[str, Json], ...] = (
    ("", {}),
    ("", {"hook": "org.example.opened"}),
    ("CH-019", {"hook": ...}),
    ("CH-033", {"hook": "opened"}),
    ("CH-065", {"hook": "order-review"}),
    ("CH-020", {"title": ...}),
    ("CH-021", {"description": ""}),
    ("CH-022", {"id": "a/b"}),
    ("CH-022", {"id": ...}),
    ("CH-024", {"prefetch": {"patient": {"query": "Patient"}}}),
    ("CH-248", {"prefetch": {"naïve": "Patient/{{context.patientId}}"}}),
    ("CH-026", {"usageRequirements": ["text"]}),
    ("CH-027", {"version": ...}),
    ("CH-027", {"version": "latest"}),
    ("CH-028 CH-029", {"hookVersion": 1.0}),
    ("CH-029", {"hookVersion": "2.0"}),
    ("CH-034", {"extension": []}),
    ("CH-235", {"name": "One"}),
)


@pytest.mark.parametrize(("rows", "members"), ENTRIES, ids=[f"{rows} {members}" for rows, members in ENTRIES])
def test_a_fault_in_an_entry_of_discovery_fails_its_row_alone(rows: str, members: Json) -> None:
    entry = {name: value for name, value in {**ENTRY, **members}.items() if value is not ...}
    assert failed_rows(_judge_entry(0, entry)) == set(rows.split()), members


def test_ch_030_two_entries_with_one_id_and_hook_are_found() -> None:
    assert failed_rows(_judge_together([ENTRY, ENTRY])) == {"CH-030"}
    assert failed_rows(_judge_together([ENTRY, {**ENTRY, "hook": "order-sign"}])) == set()


TEMPLATES: tuple[tuple[str, str], ...] = (
    ("", "Patient/{{context.patientId}}"),
    ("", "{{context.userId}}"),
    ("", "Practitioner?_id={{userPractitionerId}}"),
    ("", "Observation?patient={{context.patientId}}&code=http://loinc.org|1-8&_sort=-date&_count=1"),
    ("CH-066", "https://e.example/Patient/1"),
    ("CH-066", "/Patient/1"),
    ("CH-067 CH-068 CH-069", "Patient/{{}}"),
    ("CH-068 CH-069", "Patient/{{patientId}}"),
    ("CH-068 CH-069", "Patient/{{Patient.id}}"),
    ("CH-070", "ServiceRequest?_id={{context.selections}}"),
    ("CH-068 CH-070", "Patient?_id={{context.draftOrders.subject}}"),
    ("CH-072", "Practitioner/{{context.userId}}"),
    ("CH-073", "Observation?subject.name=x"),
    ("CH-073", "Patient?_has:Observation:patient:code=1"),
    ("CH-073", "Observation?date=ne2026-01-01"),
    ("CH-073", "Condition?code:above=1"),
)


@pytest.mark.parametrize(("rows", "template"), TEMPLATES, ids=[template for _, template in TEMPLATES])
def test_a_fault_in_a_template_fails_its_row_alone(rows: str, template: str) -> None:
    offer = Offer("one", "order-select", {"key": template})
    assert failed_rows(judge_templates(offer)) == set(rows.split())


DEPENDING: tuple[tuple[str, dict[str, str]], ...] = (
    ("", {"one": "Encounter/{{context.encounterId}}", "two": "Location/{{%one.location.id}}"}),
    ("CH-079", {"two": "Location/{{%one.location.id}}", "one": "Encounter/{{context.encounterId}}"}),
    ("CH-079 CH-080 CH-081", {"one": "Location/{{%two.id}}", "two": "Location/{{%one.id}}"}),
    ("CH-078", {"one": "Patient/{{context.patientId.resolve().ofType(Resource).id}}"}),
)


@pytest.mark.parametrize(("rows", "prefetch"), DEPENDING, ids=[rows or "right" for rows, _ in DEPENDING])
def test_templates_that_depend_on_each_other_are_judged_by_3_0(rows: str, prefetch: dict[str, str]) -> None:
    failed = failed_rows(judge_templates(Offer("one", "order-select", prefetch)))
    assert failed - {"CH-066", "CH-068", "CH-069", "CH-070"} == set(rows.split())


def test_prefetch_for_other_services_is_answered_from_the_resources_of_a_sample() -> None:
    coded = {"code": {"coding": [{"system": "http://loinc.org", "code": "1-8"}]}}
    pool: list[Json] = [
        {"resourceType": "Patient", "id": "p"},
        {"resourceType": "Observation", "id": "a", **coded},
        {"resourceType": "Observation", "id": "b"},
    ]
    context = {"patientId": "p", "userId": "Practitioner/u"}
    assert answer_template("Patient/{{context.patientId}}", context, pool) == pool[0]
    assert answer_template("Patient/other", context, pool) is None
    found = answer_template("Observation?patient={{context.patientId}}&code=http://loinc.org|1-8", context, pool)
    assert [entry["resource"]["id"] for entry in found["entry"]] == ["a"]
    assert "entry" not in answer_template("Condition?patient=p", context, pool)
    assert fill("Practitioner?_id={{userPractitionerId}}", context) == "Practitioner?_id=u"
