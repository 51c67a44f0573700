"""Every number that stands as a constant in the clinical core, by name: also those that are no rule's threshold.

The content hash is made over them, so that none can change under a signature.
"""

import ast
from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass
from datetime import date
from decimal import Decimal
from enum import Enum
from functools import cache
from importlib import import_module
from inspect import getsource
from typing import Any

# Where numbers of the clinic stand beside the rules; the thresholds of rules, and contacts, are exported on their own.
MODULES = (
    "courses",
    "derived_tsat",
    "dialysis",
    "doses",
    "follow_up.candidate",
    "follow_up.contacts",
    "follow_up.course",
    "follow_up.interpretation",
    "follow_up.open_requests",
    "follow_up.recurrence",
    "follow_up.repletion",
    "follow_up.view",
    "inflammation",
    "order_dose",
    "planned_course",
    "pregnancy",
    "response",
    "results",
    "rules.allergy",
    "rules.alternatives",
    "rules.ceilings",
    "rules.data",
    "rules.dialysis",
    "rules.duplicates",
    "rules.eligibility",
    "rules.hemoglobin",
    "rules.hypersensitivity",
    "rules.infection",
    "rules.inflammation",
    "rules.missing",
    "rules.next_dose",
    "rules.overload",
    "rules.phosphate",
    "rules.pregnancy",
    "rules.products",
    "rules.repeat",
    "rules.scope",
    "rules.timing",
    "schedule",
    "screening",
    "selection",
    "specimen_time",
    "strengths",
    "units",
    "weight",
    "windows",
    "zones",
)
_ELSEWHERE = ("Rule", "Contact", "Citation")  # types that are exported and hashed by themselves


@cache
def read_numbers() -> tuple[tuple[str, str], ...]:
    """`("response.RESPONSE_TO_DAY", "183")` for each constant with a number in it; the same on every machine."""
    return tuple((f"{name}.{constant}", text) for name in MODULES for constant, text in _constants(name))


def _constants(name: str) -> Iterator[tuple[str, str]]:
    """In the order of the file, those assigned there alone: imported ones belong to another module."""
    module = import_module(f"cds_service.clinical.{name}")
    for constant in _assigned(getsource(module)):
        value = getattr(module, constant)
        if _holds_number(value) and not _is_elsewhere(value):
            yield constant, _write(value)


def _assigned(source: str) -> Iterator[str]:
    for statement in ast.parse(source).body:
        targets = statement.targets if isinstance(statement, ast.Assign) else []
        if isinstance(statement, ast.AnnAssign):
            targets = [statement.target]
        for target in targets:
            names = target.elts if isinstance(target, ast.Tuple) else [target]
            yield from (one.id for one in names if isinstance(one, ast.Name) and one.id.isupper())


def _is_elsewhere(value: Any) -> bool:
    return type(value).__name__ in _ELSEWHERE or any(_is_elsewhere(one) for one in _parts(value))


def _holds_number(value: Any) -> bool:
    if isinstance(value, int | Decimal):
        return not isinstance(value, bool | Enum)
    return any(_holds_number(one) for one in _parts(value))


def _parts(value: Any) -> tuple[Any, ...]:
    if isinstance(value, Mapping):
        return (*value.keys(), *value.values())
    if isinstance(value, tuple | frozenset | set | list):
        return tuple(value)
    if is_dataclass(value) and not isinstance(value, type):
        return tuple(getattr(value, one.name) for one in fields(value))
    return ()


def _write(value: Any) -> str:
    """Without addresses, hash order or differences between Python versions."""
    if isinstance(value, Enum):
        return str(value.value)
    if isinstance(value, Mapping):
        return ", ".join(sorted(f"{_write(key)}: {_write(one)}" for key, one in value.items()))
    if isinstance(value, frozenset | set):
        return ", ".join(sorted(_write(one) for one in value))
    if isinstance(value, tuple | list):
        return f"({', '.join(_write(one) for one in value)})"
    if is_dataclass(value) and not isinstance(value, type):
        return f"({', '.join(f'{one.name} {_write(getattr(value, one.name))}' for one in fields(value))})"
    if value is None or isinstance(value, str | int | Decimal | date):
        return str(value)
    return str(getattr(value, "pattern", getattr(value, "__qualname__", type(value).__name__)))  # a pattern, a function
