"""The OpenAPI 3.1 document of the service, made from the message schemas and the table of CDS Services."""

import json
from collections.abc import Mapping, Sequence
from importlib.resources import files
from typing import Any

from cds_service.discovery import Service

Json = dict[str, Any]
PREFIX = "#/components/schemas/"
_MESSAGES = {
    "Discovery": "discovery",
    "HookRequest": "request",
    "HookResponse": "response",
    "Feedback": "feedback",
}
_ACCEPTED = {
    "type": "object",
    "required": ["accepted"],
    "properties": {
        "accepted": {"type": "integer", "minimum": 1},
        "refused": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["item", "diagnostics"],
                "properties": {"item": {"type": "integer"}, "diagnostics": {"type": "string"}},
            },
        },
    },
}
_OPERATION_OUTCOME = {
    "type": "object",
    "required": ["resourceType", "issue"],
    "properties": {
        "resourceType": {"const": "OperationOutcome"},
        "issue": {
            "type": "array",
            "minItems": 1,
            "items": {
                "type": "object",
                "required": ["severity", "code"],
                "properties": {
                    "severity": {"enum": ["fatal", "error", "warning", "information"]},
                    "code": {"type": "string"},
                    "diagnostics": {"type": "string"},
                },
            },
        },
    },
}
_RESOURCE = {"type": "object", "required": ["resourceType"], "properties": {"resourceType": {"type": "string"}}}
_STATUS = {
    "type": "object",
    "required": ["status"],
    "properties": {"status": {"type": "string"}},
}
# What each refusal means, in the words of the README's table of errors.
REFUSALS: Mapping[int, str] = {
    400: "The request is malformed; the OperationOutcome names the member.",
    401: "No valid token of a registered CDS Client (protected mode). The reason is in the log of the service only.",
    404: "There is nothing at this address.",
    405: "The address is right and the method is not; `Allow` says which is.",
    412: "Required data are neither in the prefetch nor obtainable; the OperationOutcome names the keys.",
    413: "The body is larger than CDS_MAX_BODY_BYTES.",
    415: "The body is not sent as application/json, or is compressed.",
    421: "Demo mode: the Host is neither loopback nor listed in CDS_DEMO_HOSTS.",
    500: "A fault of the service; never an empty list of cards.",
    503: "Too many calls wait for FHIR servers, or the store is down; `Retry-After` says when to come back.",
}
_REFERENCES = ("$ref", "$dynamicRef")
_OF_THE_FILE = ("$schema", "$id", "$dynamicAnchor", "$comment")
_ANYWHERE = (404, 405, 421, 500)
_CALL = (400, 401, *_ANYWHERE, 412, 413, 415, 503)
_FEEDBACK = (400, 401, *_ANYWHERE, 413, 415, 503)


def render_openapi(services: Sequence[Service], version: str, server: str, *, is_demo: bool) -> Json:
    """The whole document (OpenAPI 3.1.0). `server` is the public URL; demo mode asks for no login."""
    schemas: Json = {"OperationOutcome": _OPERATION_OUTCOME, "FeedbackAccepted": _ACCEPTED}
    for name, message in _MESSAGES.items():
        schemas[name] = _embed(name, message)
    document: Json = {
        "openapi": "3.1.0",
        "info": {
            "title": "IV iron in restless legs syndrome: CDS Hooks service",
            "version": version,
            "description": "CDS Hooks 2.0.1 for clinicians. Decision support: the clinician decides.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": server}],
        "paths": _paths(services),
        "components": {"schemas": schemas},
    }
    if not is_demo:
        document["components"]["securitySchemes"] = {
            "client": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}
        }
    return document if is_demo else _lock(document)


def _lock(document: Json) -> Json:
    for path, methods in document["paths"].items():
        if path.startswith("/cds-services"):
            for method in methods.keys() - {"parameters"}:
                methods[method]["security"] = [{"client": []}]
    return document


def _paths(services: Sequence[Service]) -> Json:
    service_id = _path_parameter("id", {"enum": sorted({one.id for one in services})})
    hooks = "; ".join(f"{one.id}: {one.hook}" for one in services)
    return {
        "/cds-services": {"get": _operation("discover", "The CDS Services on offer", "Discovery", (401, *_ANYWHERE))},
        "/cds-services/{id}": {
            "parameters": [service_id],
            "post": _operation("call", f"A hook fired ({hooks})", "HookResponse", _CALL, takes="HookRequest"),
        },
        "/cds-services/{id}/feedback": {
            "parameters": [service_id],
            "post": _operation("tell", "What users did with cards", "FeedbackAccepted", _FEEDBACK, takes="Feedback"),
        },
        "/fhir/metadata": {"get": _published("capability", "CapabilityStatement of the published knowledge")},
        "/fhir/{type}/{id}": {
            "parameters": [_path_parameter("type"), _path_parameter("id")],
            "get": _published("read", "One resource of the published knowledge"),
        },
        "/fhir/{type}": {
            "parameters": [_path_parameter("type"), _query("url"), _query("name")],
            "get": _published("search", "Published knowledge by url or name"),
        },
        "/livez": {"get": _health("live", "The process answers")},
        "/readyz": {"get": _health("ready", "It can do its work: 503 when not")},
    }


def _path_parameter(name: str, schema: Json | None = None) -> Json:
    return {"name": name, "in": "path", "required": True, "schema": {"type": "string", **(schema or {})}}


def _query(name: str) -> Json:
    return {"name": name, "in": "query", "required": False, "schema": {"type": "string"}}


def _operation(name: str, summary: str, gives: str, refusals: Sequence[int], takes: str = "") -> Json:
    operation: Json = {
        "operationId": name,
        "summary": summary,
        "responses": {"200": _answer("The answer.", {"$ref": PREFIX + gives}), **_refuse(refusals)},
    }
    if takes:
        content = {"application/json": {"schema": {"$ref": PREFIX + takes}}}
        operation["requestBody"] = {"required": True, "content": content}
    return operation


def _published(name: str, summary: str) -> Json:
    answer = _answer("FHIR R4.", _RESOURCE, "application/fhir+json")
    return {"operationId": name, "summary": summary, "responses": {"200": answer, **_refuse((400, *_ANYWHERE))}}


def _health(name: str, summary: str) -> Json:
    answer = _answer("Yes.", _STATUS)
    return {"operationId": name, "summary": summary, "responses": {"200": answer, **_refuse((*_ANYWHERE, 503))}}


def _refuse(statuses: Sequence[int]) -> Json:
    return {
        str(status): _answer(REFUSALS[status], {"$ref": f"{PREFIX}OperationOutcome"}) for status in sorted(statuses)
    }


def _answer(description: str, schema: Json, content_type: str = "application/json") -> Json:
    return {"description": description, "content": {content_type: {"schema": schema}}}


def _embed(name: str, message: str) -> Json:
    """A message schema as a component; the entry point of our own strict checks is left out."""
    schema: Json = json.loads((files("cds_service") / "spec" / f"{message}.schema.json").read_text("utf-8"))
    schema["$defs"] = {key: one for key, one in schema["$defs"].items() if "$id" not in one}
    schema.pop("title", None)
    schema.pop("description", None)  # of the file and its entry points, not of the message
    embedded: Json = _settle_references(schema, f"{PREFIX}{name}/$defs/")
    return embedded


def _settle_references(node: Any, within: str) -> Any:
    """References from the component's own `$defs`. Dynamic ones, which the strict checks override, become plain."""
    if isinstance(node, list):
        return [_settle_references(one, within) for one in node]
    if not isinstance(node, dict):
        return node
    kept = {key: _settle_references(one, within) for key, one in node.items() if key not in _OF_THE_FILE}
    targets = [kept.pop(key).rpartition("/" if key == "$ref" else "#")[2] for key in _REFERENCES if key in kept]
    if len(targets) == 1:
        return {"$ref": within + targets[0], **kept}
    return {**kept, "allOf": [{"$ref": within + one} for one in targets]} if targets else kept
