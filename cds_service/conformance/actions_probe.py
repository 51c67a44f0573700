"""Suggestions and actions, and the FHIR resources inside (rows J)."""

import re
from collections.abc import Iterator
from importlib import import_module
from typing import Any

from cds_service.conformance.finding import Json

Judged = Iterator[tuple[str, bool, str]]
_RELATIVE = re.compile(r"[A-Z][A-Za-z]+/[A-Za-z0-9.-]{1,64}")
_BEHAVIOURS = ("at-most-one", "any")


def judge_suggestions(card: Json) -> Judged:
    """CH-139...CH-161 for the suggestions of a card."""
    if "suggestions" not in card:
        return
    suggestions = card["suggestions"]
    yield "CH-139", isinstance(suggestions, list) and bool(suggestions), "a list that is not empty"
    yield "CH-140", "selectionBehavior" in card, "selectionBehavior beside suggestions"
    if "selectionBehavior" in card:
        yield "CH-141", card["selectionBehavior"] in _BEHAVIOURS, "at-most-one or any"
    entries = [one for one in suggestions if isinstance(one, dict)] if isinstance(suggestions, list) else []
    recommended = [one for one in entries if one.get("isRecommended") is True]
    is_right = len(recommended) <= 1 or card.get("selectionBehavior") == "any"
    yield "CH-150", is_right, "several recommended ones only where any number may be taken"
    for suggestion in entries:
        yield from _judge_suggestion(suggestion)


def _judge_suggestion(suggestion: Json) -> Judged:
    yield "CH-147", _is_text(suggestion.get("label")), "the text of the button"
    if "uuid" in suggestion:
        yield "CH-148", _is_text(suggestion["uuid"]), "an id of this suggestion"
    if "isRecommended" in suggestion:
        yield "CH-149", isinstance(suggestion["isRecommended"], bool), "true or false"
    if "actionSelectionBehavior" in suggestion:
        allowed = suggestion["actionSelectionBehavior"] in ("all", *_BEHAVIOURS)
        yield "CH-153", allowed, "all, any or at-most-one"
    if "actions" not in suggestion:
        return
    actions = suggestion["actions"]
    yield "CH-151", isinstance(actions, list) and bool(actions), "a list that is not empty"
    for action in actions if isinstance(actions, list) else ():
        yield "CH-156", isinstance(action, dict) and _is_text(action.get("description")), "a description"
        if isinstance(action, dict):
            yield from judge_action(action)


def judge_action(action: Json) -> Judged:
    """CH-009, CH-155...CH-161: also for system actions."""
    kind, resource = action.get("type"), action.get("resource")
    yield "CH-155", kind in ("create", "update", "delete"), "create, update or delete"
    is_resource = isinstance(resource, dict) and _is_text(resource.get("resourceType"))
    if kind == "create":
        yield "CH-157", is_resource, "the new resource"
    if kind == "update":
        yield "CH-158", is_resource and _is_text((resource or {}).get("id")), "the whole resource with its id"
    if kind == "delete":
        yield "CH-159", "resourceId" in action, "resourceId"
        yield "CH-160", not isinstance(resource, str), "no target in `resource`"
    if "resourceId" in action:
        yield "CH-161", bool(_RELATIVE.fullmatch(str(action["resourceId"]))), "a relative reference, Type/id"
    if resource is not None and kind != "delete":
        wrong = find_fault(resource)
        yield "CH-009", not wrong, f"a FHIR R4 resource as a JSON object{f' ({wrong})' if wrong else ''}"


def find_fault(resource: Any) -> str:
    """Why this is no R4 resource, or "". Types that the models do not know are not judged."""
    if not isinstance(resource, dict) or not _is_text(resource.get("resourceType")):
        return "no object with a resourceType"
    kind = resource["resourceType"]
    try:
        model = getattr(import_module(f"fhir.resources.R4B.{kind.lower()}"), kind)
    except (ImportError, AttributeError):
        return f"{kind} is no resource type of R4"
    try:
        model.model_validate(resource)
    except ValueError as wrong:
        return str(wrong).replace("\n", " ")[:160]
    return ""


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and bool(value.strip())
