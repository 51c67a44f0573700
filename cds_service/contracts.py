"""CDS Hooks messages against their JSON Schemas, and the words of a 400. Never on the path of a good call."""

import json
import re
from collections.abc import Iterator
from functools import cache
from importlib.resources import files
from itertools import islice
from typing import TYPE_CHECKING, Any

import msgspec

if TYPE_CHECKING:  # imported when first used: it takes 0.1 s to load, and a good call never needs it
    from jsonschema import Draft202012Validator
    from jsonschema.exceptions import ValidationError

MESSAGES = ("discovery", "request", "response", "feedback")
NAMESPACE = "urn:cds-hooks-checklist:"
MOST_MISTAKES = 5
LONGEST_NAME = 40
# Validation costs up to two milliseconds a kilobyte: a larger bad body is told its first mistake only.
LARGEST_EXPLAINED = 16 * 1024


def find_mistakes(entry_point: str, document: object, most: int = MOST_MISTAKES) -> tuple[str, ...]:
    """What is wrong with a message, as `member: words`, at most `most`; no value of the message is repeated.

    `entry_point` is discovery, request, response or feedback, with `:strict` (our own output) or `#envelope` appended.
    """
    return tuple(islice(_distinct(entry_point, document), most))


def find_further_mistakes(body: bytes, first: str) -> tuple[str, ...]:
    """What else is wrong with the bytes of a hook request that are JSON, beside the member of `first`."""
    if len(body) > LARGEST_EXPLAINED:
        return ()
    member = first.partition(":")[0]
    try:
        document = msgspec.json.decode(body)
    except (msgspec.DecodeError, RecursionError):  # a number too large to hold, or depth, where the parser did not look
        return ()
    found = find_mistakes("request", document)
    return tuple(words for words in found if not words.startswith(f"{member}:"))


_AT = re.compile(r"^(?P<what>.*?)(?: - at `(?:key in )?\$(?P<path>[^`]*)`)?$", re.DOTALL)
_ABSENT = re.compile(r"Object missing required field `(?P<name>[^`]+)`")
_JSON_WORDS = {
    " | null`": "`",
    "`str`": "a string",
    "`int`": "an integer",
    "`object`": "an object",
    "`array`": "an array",
}


def explain_shape(wrong: msgspec.ValidationError, within: str = "") -> str:
    """msgspec's message, which holds types and member names but no values, in the form `member: words`."""
    found = _AT.match(str(wrong))
    what, path = (found["what"], found["path"] or "") if found else (str(wrong), "")
    if absent := _ABSENT.match(what):
        what, path = "is missing", f"{path}.{absent['name']}"
    for name, words in _JSON_WORDS.items():
        what = what.replace(name, words)
    member = (within + path).removeprefix(".") or "the body"
    return f"{member}: {what[:1].lower()}{what[1:].replace('`', '')}"


def _distinct(entry_point: str, document: object) -> Iterator[str]:
    seen = set()
    for error in _validator(entry_point).iter_errors(document):
        member = _member(error)
        if member not in seen:
            seen.add(member)
            yield f"{member}: {_words(error)}"


@cache
def _validator(entry_point: str) -> "Draft202012Validator":
    from jsonschema import Draft202012Validator, FormatChecker

    reference = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$ref": NAMESPACE + entry_point,
    }
    return Draft202012Validator(reference, registry=_registry(), format_checker=FormatChecker())


@cache
def _registry() -> Any:
    from referencing import Registry, Resource

    folder = files("cds_service") / "spec"
    schemas = [json.loads((folder / f"{name}.schema.json").read_text("utf-8")) for name in MESSAGES]
    return Registry().with_resources((schema["$id"], Resource.from_contents(schema)) for schema in schemas).crawl()


def _member(error: "ValidationError") -> str:
    path = "".join(f"[{step}]" if isinstance(step, int) else _name(step) for step in error.absolute_path)
    if error.validator in _MISSING:
        path += f".{error.message.split(chr(39))[1]}"  # the message starts with the name: 'hook' is a required property
    return path.removeprefix(".") or "the body"


def _name(step: str) -> str:
    """What is not formed like a name of ours is not repeated: it goes into the log, and may name a patient."""
    return f".{step}" if step.isidentifier() and len(step) <= LONGEST_NAME else "[?]"


_MISSING = ("required", "dependentRequired")
_EMPTY = ("minLength", "minItems", "minProperties")


def _words(error: "ValidationError") -> str:
    expected: Any = error.validator_value
    match error.validator:
        case name if name in _MISSING:
            return "is missing"
        case "type":
            return f"must be of type {expected}"
        case "const":
            return f"must be {expected!r}"
        case "enum":
            return f"must be one of {', '.join(map(str, expected))}"
        case "pattern":
            return "must not be blank" if expected == r"\S" else f"must match {expected}"
        case name if name in _EMPTY:
            return "must not be empty"
        case "anyOf":
            return "has none of the allowed forms"
        case _:
            return f"breaks the rule {error.validator}"
