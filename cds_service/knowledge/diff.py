"""What changed between two exports of the knowledge, in a clinician's words: one sentence a change."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from cds_service.errors import ConfigurationError

Json = dict[str, Any]
MOST_CODES = 3  # named in one sentence; a longer list is counted


def read_export(data: bytes, name: str) -> Json:
    """Raises `ConfigurationError` for what is no export of the knowledge."""
    try:
        document = json.loads(data)
        if not all(isinstance(document[member], list) for member in ("rules", "valueSets", "citations")):
            raise TypeError
    except (ValueError, KeyError, TypeError):
        raise ConfigurationError(f"{name}: is no export of `cds-service knowledge --json`") from None
    exported: Json = document
    return exported


def compare(old: Json, new: Json) -> list[str]:
    """Sentences, rules first, then index, numbers, contacts, value sets, sources, review. Empty: the same knowledge."""
    told = _threshold_changes(old, new)
    sentences = [
        *_compare_lists(old, new, "rules", _name_rule, _compare_rules),
        *_compare_lists(old, new, "index", _name_entry, _compare_entries),
        *_compare_lists(old, new, "numbers", _name_number, lambda was, now: _compare_numbers(was, now, told)),
        *_compare_lists(old, new, "contacts", _name_contact, _compare_contacts),
        *_compare_lists(old, new, "valueSets", _name_set, _compare_sets),
        *_compare_lists(old, new, "citations", _name_citation, _compare_citations),
        *_compare_heads(old, new),
    ]
    if not sentences and old.get("digest") != new.get("digest"):
        sentences.append(
            "The content hash changed, but nothing that is exported did: the order of codes or rules differs."
        )
    return sentences


def _compare_lists(
    old: Json, new: Json, member: str, name: Callable[[Json], str], inner: Callable[[Json, Json], Iterator[str]]
) -> Iterator[str]:
    before, after = _by_id(old.get(member, ())), _by_id(new.get(member, ()))
    for key, one in before.items():
        if key not in after:
            yield f"{name(one)} was removed."
    for key, one in after.items():
        if key not in before:
            yield f"{name(one)} is new."
        else:
            yield from inner(before[key], one)


def _by_id(entries: Sequence[Json]) -> dict[str, Json]:
    return {str(one.get("id")): one for one in entries}


def _name_rule(rule: Json) -> str:
    return f"Rule {rule['id']} ({rule['title'].rstrip('.')})"


def _compare_rules(old: Json, new: Json) -> Iterator[str]:
    name = _name_rule(new)
    if old["title"] != new["title"]:
        yield f'Rule {new["id"]} now says "{new["title"]}"; it said "{old["title"]}".'
    yield from _compare_thresholds(name, old, new)
    if old.get("condition") != new.get("condition"):
        yield f"{name}: the condition reads {_quoted(new.get('condition'))}; it read {_quoted(old.get('condition'))}."
    if old["phase"] != new["phase"]:
        yield f"{name} now decides in the phase {new['phase']}; it did in {old['phase']}."
    if old["version"] != new["version"]:
        yield f"{name} is now version {new['version']}; it was {old['version']}."
    yield from _compare_names(name, "looks at", old["inputs"], new["inputs"])
    yield from _compare_names(name, "rests on the source", old["sources"], new["sources"])


def _compare_thresholds(name: str, old: Json, new: Json) -> Iterator[str]:
    """By what a threshold is called; a number that is used twice under one name is told apart by its place."""
    before, after = _numbered(old["thresholds"]), _numbered(new["thresholds"])
    for key, one in after.items():
        if key not in before:
            yield f'{name} has a new threshold, "{one["name"]}": {_amount(one)}.'
        elif _amount(before[key]) != _amount(one):
            yield f'{name}: "{one["name"]}" is now {_amount(one)}; it was {_amount(before[key])}.'
    for key, one in before.items():
        if key not in after:
            yield f'{name} no longer has the threshold "{one["name"]}", which was {_amount(one)}.'


def _numbered(thresholds: Sequence[Json]) -> dict[tuple[str, int], Json]:
    found: dict[tuple[str, int], Json] = {}
    for one in thresholds:
        place = sum(name == one["name"] for name, _ in found)
        found[one["name"], place] = one
    return found


def _amount(threshold: Json) -> str:
    return f"{threshold['value']} {threshold['unit']}".rstrip()


def _quoted(text: Any) -> str:
    return f'"{text}"' if text else "nothing"


def _compare_names(name: str, verb: str, old: Sequence[str], new: Sequence[str]) -> Iterator[str]:
    added, removed = [one for one in new if one not in old], [one for one in old if one not in new]
    if added:
        yield f"{name} now also {verb} {_listed(added)}."
    if removed:
        yield f"{name} no longer {verb} {_listed(removed)}."


def _listed(names: Sequence[str]) -> str:
    words = [one.replace("_", " ") for one in names]
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"


def _name_entry(entry: Json) -> str:
    return f"The entry {entry['id']} of the rule book ({entry['title']})"


def _compare_entries(old: Json, new: Json) -> Iterator[str]:
    if old["title"] != new["title"]:
        yield f'The rule book now says of {new["id"]}: "{new["title"]}"; it said "{old["title"]}".'
    if old["basis"] != new["basis"]:
        yield f"{_name_entry(new)} now rests on {_listed(new['basis'])}; it rested on {_listed(old['basis'])}."


def _threshold_changes(old: Json, new: Json) -> set[tuple[str, str]]:
    """`(was, is)` of every threshold that changed: the constant behind it is not told again."""
    before = {rule["id"]: _numbered(rule["thresholds"]) for rule in old.get("rules", ())}
    return {
        (str(before[rule["id"]][key]["value"]), str(one["value"]))
        for rule in new.get("rules", ())
        for key, one in _numbered(rule["thresholds"]).items()
        if key in before.get(rule["id"], {}) and before[rule["id"]][key]["value"] != one["value"]
    }


def _name_number(number: Json) -> str:
    module, _, constant = str(number["id"]).rpartition(".")
    return f'The number "{constant.replace("_", " ").lower()}" ({module.replace("_", " ").replace(".", ", ")})'


def _compare_numbers(old: Json, new: Json, told: set[tuple[str, str]]) -> Iterator[str]:
    was, now = str(old["value"]), str(new["value"])
    if was != now and (was, now) not in told:
        yield f"{_name_number(new)} is now {now}; it was {was}."


def _name_contact(contact: Json) -> str:
    return f"The reassessment {contact['id']} ({contact['rule']})"


_CONTACT = {
    "days": "its target in days",
    "months": "its target in months",
    "windowDays": "its window in days",
    "tasks": "what is done",
    "tests": "what is tested",
}


def _compare_contacts(old: Json, new: Json) -> Iterator[str]:
    for member, words in _CONTACT.items():
        if old.get(member) != new.get(member):
            yield f"{_name_contact(new)}: {words} is now {_said(new.get(member))}; it was {_said(old.get(member))}."


def _said(value: Any) -> str:
    if isinstance(value, list):
        is_range = len(value) == 2 and all(isinstance(one, int) for one in value)
        return f"{value[0]} to {value[1]}" if is_range else _listed([str(one) for one in value]) if value else "nothing"
    return "not given" if value is None else str(value)


def _name_set(value_set: Json) -> str:
    return f"The value set {value_set['id']} ({len(value_set['codes'])} codes)"


def _compare_sets(old: Json, new: Json) -> Iterator[str]:
    before, after = _codes(old), _codes(new)
    added = [after[key] for key in after if key not in before]
    removed = [before[key] for key in before if key not in after]
    if added:
        yield f"The value set {new['id']} now also recognises {_named(added)}."
    if removed:
        yield f"The value set {new['id']} no longer recognises {_named(removed)}."
    for key in after:
        if key in before and before[key]["display"] != after[key]["display"]:
            shown = f"{after[key]['code']} as {_quoted(after[key]['display'])}"
            yield f"The value set {new['id']} shows {shown}; it was {_quoted(before[key]['display'])}."
    if old.get("categories") != new.get("categories"):
        yield f"The value set {new['id']} recognises other code ranges than before."


def _codes(value_set: Json) -> dict[tuple[str, str], Json]:
    return {(one["system"], one["code"]): one for one in value_set["codes"]}


def _named(codes: Sequence[Json]) -> str:
    shown = [f"{one['code']} ({one['display']}, {one['system']})" for one in codes[:MOST_CODES]]
    rest = len(codes) - len(shown)
    return _listed(shown) if not rest else f"{', '.join(shown)} and {rest} more codes"


def _name_citation(citation: Json) -> str:
    return f"The source {citation['id']} ({citation['title'].rstrip('.')})"


_CITATION: Mapping[str, str] = {
    "title": "its title",
    "year": "its year",
    "url": "its address",
    "says": "what we rely on",
    "checked": "how it was checked",
    "section": "the section",
}


def _compare_citations(old: Json, new: Json) -> Iterator[str]:
    for member, words in _CITATION.items():
        if old.get(member) != new.get(member):
            was, now = _quoted(old.get(member)), _quoted(new.get(member))
            yield f"{_name_citation(new)}: {words} is now {now}; it was {was}."


def _compare_heads(old: Json, new: Json) -> Iterator[str]:
    for member, words in (("version", "version"), ("date", "date")):
        if old.get(member) != new.get(member):
            yield f"The {words} of the knowledge is now {new.get(member)}; it was {old.get(member)}."
    if old.get("review") != new.get("review"):
        yield f'The review status is now "{new.get("review")}"; it was "{old.get("review")}".'
