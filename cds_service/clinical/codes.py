"""Which value sets a code belongs to, which code we write, and the codes of a prefetch query: one index, built once."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

from cds_service.clinical.coding_systems import (
    CPT,
    HCPCS,
    LOINC,
    SNOMED,
    WITH_CATEGORIES,
    read_code,
    read_system,
)
from cds_service.clinical.value_set_files import (
    LONGEST_CODE,
    LONGEST_SYSTEM,
    Coding,
    Json,
    Member,
    ValueSet,
    ValueSetError,
    is_own,
    read_overlay,
    read_shipped,
)

__all__ = [
    "EMPTY_OR_SMALL",
    "UNSPECIFIC",
    "CodeIndex",
    "Coding",
    "ValueSetError",
    "load",
]

NONE: frozenset[str] = frozenset()
SHORTEST_CATEGORY = 3  # characters of an ICD category
REMEMBERED = 20_000  # codes whose answer is kept; more than any chart has kinds of codes

# Systems that a search by code asks for, by kind of set: results in LOINC, infusions by billing code. Medication
# requests and conditions are searched without codes.
_SEARCHED: Mapping[str, tuple[str, ...]] = {
    "measurement": (LOINC,),
    "drug": (HCPCS,),
    "procedure": (SNOMED, CPT),
    "order": (LOINC, SNOMED),
}

_COVERAGE = {one.id: one.coverage for one in read_shipped().values()}
# Condition sets of section 3.1 that hold no code ("names-only") or few ("small"); cards say so.
EMPTY_OR_SMALL: Mapping[str, str] = {key: one for key, one in _COVERAGE.items() if one in ("names-only", "small")}
# Sets whose codes do not name a condition or allergen of a rule by themselves: the words beside the code decide (R-02a,
# traps 10 and 11), as for a code that we do not list.
UNSPECIFIC = frozenset(key for key, one in _COVERAGE.items() if one == "unspecific")

_Key = tuple[str | None, str | None]


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class CodeIndex:
    """The value sets of this site. Nothing but the memory of answers changes after it is built."""

    canonical: str
    sets: Mapping[str, ValueSet]
    _listed: Mapping[tuple[str, str], frozenset[str]]
    _categories: Mapping[tuple[str, str], frozenset[str]]
    _own_systems: Mapping[str, str]  # address of our own code systems, former ones included -> as written in the files
    _units: Mapping[str, Decimal]
    _known: dict[_Key, frozenset[str]]

    def concepts(self, system: str | None, code: str | None) -> frozenset[str]:
        """Ids of the value sets a coding belongs to; empty for what we do not know, and without system or code."""
        found = self._known.get((system, code))
        return self._find(system, code) if found is None else found

    def _find(self, system: str | None, code: str | None) -> frozenset[str]:
        if not system or not code or len(system) > LONGEST_SYSTEM or len(code) > LONGEST_CODE:
            return NONE
        known_system = read_system(system)
        known_system = self._own_systems.get(known_system, known_system)
        known_code = read_code(known_system, code)
        found = self._lookup(known_system, known_code) if known_code else NONE
        if len(self._known) < REMEMBERED:
            self._known[(system, code)] = found
        return found

    def _lookup(self, system: str, code: str) -> frozenset[str]:
        found = self._listed.get((system, code), NONE)
        if system in WITH_CATEGORIES:
            for length in range(SHORTEST_CATEGORY, len(code) + 1):
                found |= self._categories.get((system, code[:length]), NONE)
        return found

    def codings(self, set_id: str) -> tuple[Coding, ...]:
        """The listed codes of a set, the preferred ones first; categories are left out."""
        members = [member for member in self._get(set_id) if not member.is_category]
        return tuple(self._publish(one) for one in sorted(members, key=lambda member: not member.is_preferred))

    def preferred(self, set_id: str) -> Coding:
        """The code to write. Raises `LookupError` for a set that has none."""
        for member in self._get(set_id):
            if member.is_preferred:
                return self._publish(member)
        raise LookupError(f"value set {set_id!r} has no code to write")

    def coding(self, set_id: str, code: str) -> Coding:
        """One listed code with its display. Raises `LookupError` when the set does not list it."""
        for coding in self.codings(set_id):
            if coding.code == code:
                return coding
        raise LookupError(f"value set {set_id!r} does not list {code!r}")

    def search_tokens(self, *set_ids: str) -> str:
        """`system|code` pairs joined by commas, for a query by code: sets as given, codes as filed, overlay last."""
        codings = (
            self._publish(member)
            for value_set in map(self._get, set_ids)
            for member in value_set
            if not member.is_category and _is_searched(value_set.kind, member.coding.system)
        )
        return ",".join(dict.fromkeys(f"{one.system}|{one.code}" for one in codings))

    def hcpcs_unit_mg(self, code: str) -> Decimal | None:
        """mg of elemental iron per billing unit (R-04a; trap 12 of the terminology list)."""
        return self._units.get(code.strip().upper())

    @property
    def names_only(self) -> frozenset[str]:
        """Condition sets without any code at this site: those conditions are recognised by name only (3.1)."""
        return frozenset(one.id for one in self.sets.values() if one.kind == "condition" and not one.members)

    def resources(self) -> tuple[Json, ...]:
        """The FHIR R4 ValueSet resources, overlay included, with full addresses, in order of id."""
        return tuple(_with_base(one.resource, self.canonical) for one in self.sets.values())

    def content(self) -> bytes:
        """All sets as bytes for the knowledge hash: the same for the same codes, wherever the service runs."""
        sets = [one.resource for one in self.sets.values()]
        return json.dumps(sets, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()

    def _get(self, set_id: str) -> ValueSet:
        try:
            return self.sets[set_id]
        except KeyError:
            raise LookupError(f"there is no value set {set_id!r}") from None

    def _publish(self, member: Member) -> Coding:
        coding = member.coding
        system = _join(coding.system, self.canonical)
        return coding if system == coding.system else Coding(system, coding.code, coding.display)


def load(overlay_folder: Path | None, canonical: str, *, former: Sequence[str] = ()) -> CodeIndex:
    """The index of this site. `former` canonicals are recognised on read.

    Raises `ValueSetError` naming the overlay file that cannot be read or that names an unknown set.
    """
    sets = read_shipped() if overlay_folder is None else read_overlay(overlay_folder, read_shipped())
    listed: dict[tuple[str, str], frozenset[str]] = {}
    categories: dict[tuple[str, str], frozenset[str]] = {}
    units: dict[str, Decimal] = {}
    for value_set in sets.values():
        for member in value_set:
            coding = member.coding
            key = (coding.system, read_code(coding.system, coding.code) or coding.code)
            target = categories if member.is_category else listed
            target[key] = target.get(key, NONE) | {value_set.id}
            if member.unit_mg is not None:
                units[coding.code.upper()] = member.unit_mg
    base = canonical.rstrip("/")
    index = CodeIndex(base, sets, listed, categories, _own_systems(sets, (base, *former)), units, {})
    _remember_listed(index)
    return index


def _own_systems(sets: Mapping[str, ValueSet], bases: Sequence[str]) -> dict[str, str]:
    found = {member.coding.system for one in sets.values() for member in one}
    systems = [system for system in found if system.startswith("CodeSystem/")]
    return {read_system(f"{base.rstrip('/')}/{system}"): system for base in bases for system in systems}


def _remember_listed(index: CodeIndex) -> None:
    """Every code as it is written in the files is answered by one look into a dictionary from the first call on."""
    for value_set in index.sets.values():
        for coding in index.codings(value_set.id):
            index.concepts(coding.system, coding.code)


def _is_searched(kind: str, system: str) -> bool:
    return system in _SEARCHED.get(kind, ()) or (kind in _SEARCHED and is_own(system))


def _join(address: str, base: str) -> str:
    return f"{base}/{address}" if address.startswith(("ValueSet/", "CodeSystem/", "StructureDefinition/")) else address


def _with_base(value: Any, base: str) -> Any:
    """A copy of a resource in which addresses of ours start with the base."""
    if isinstance(value, Mapping):
        return {
            key: _join(one, base) if key in ("url", "system") and isinstance(one, str) else _with_base(one, base)
            for key, one in value.items()
        }
    return [_with_base(one, base) for one in value] if isinstance(value, list) else value
