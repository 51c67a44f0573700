"""Imports point one way, each framework stays in its place, and environment and clock are read in one place each."""

import ast
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest

PACKAGE = "cds_service"
ROOT = Path(__file__).resolve().parent.parent / PACKAGE

# Outermost first. A module imports only from lines below its own and inside its own package; neighbours get values.
LAYERS = (
    ("cli",),
    ("server", "terminal", "reports"),
    ("app",),
    ("web",),
    ("routes", "demo", "knowledge", "replay", "conformance"),
    ("desk", "readiness"),
    ("admission",),
    ("trust",),
    ("clients", "feedback", "records", "migrations"),
    ("services", "store", "operations", "metrics", "headers", "keys", "sockets", "openapi"),
    ("assembly",),
    ("cards", "discovery", "story", "follow_up_cards", "follow_up_trace", "hooks", "knowledge_stamp", "trace", "tally"),
    ("candidate_card",),
    ("card_detail", "follow_up_parts", "follow_up_suggestions", "reassessment"),
    ("moved_requests",),
    ("card_parts",),
    ("fhir", "markdown", "contracts", "settings", "sign_off"),
    ("clinical", "errors", "progress", "ids"),
)
# Where less is allowed than the layer says. `fhir` reads facts and writes draft orders; it does not know the rules.
ONLY = {
    "errors": (),
    "ids": (),
    "clinical": ("clinical",),
    "fhir": ("fhir", "clinical", "errors"),
    "cards": ("ids", "card_detail", "card_parts", "reassessment", "markdown", "clinical", "fhir.orders"),
    "card_detail": ("card_parts", "markdown", "clinical", "fhir.orders"),
    "moved_requests": ("card_parts", "clinical", "fhir.orders"),
    "reassessment": ("ids", "moved_requests", "card_parts", "markdown", "clinical", "fhir.orders"),
    "card_parts": ("markdown", "clinical", "fhir.orders"),
    "candidate_card": ("follow_up_parts", "follow_up_suggestions", "card_parts", "markdown", "clinical"),
    "follow_up_cards": (
        *("candidate_card", "follow_up_parts", "follow_up_suggestions", "moved_requests", "card_parts"),
        *("markdown", "clinical"),
    ),
    "follow_up_parts": ("ids", "card_parts", "markdown", "clinical"),
    "follow_up_suggestions": ("ids", "moved_requests", "card_parts", "markdown", "clinical", "fhir.orders"),
    "follow_up_trace": ("clinical",),
    "story": ("fhir", "clinical", "errors"),
    "hooks": ("contracts", "errors"),
    "store": ("store", "errors"),
    "progress": (),
    "tally": ("progress",),
    "metrics": ("tally", "progress"),
    "operations": ("errors",),
    "keys": ("errors",),
}
NEVER = {
    "fhir": ("clinical.rules", "clinical.decision", "clinical.case"),
    "cards": ("clinical.rules",),
    "card_detail": ("clinical.rules",),
    "reassessment": ("clinical.rules",),
    "card_parts": ("clinical.rules",),
}
# Third-party packages and the only modules of ours that may know them.
CONFINED = {
    "flask": ("app", "routes", "operations", "web", "demo", "knowledge.routes"),
    "werkzeug": ("app", "routes", "operations", "web", "demo"),
    "gunicorn": ("server", "sockets"),
    "requests": ("fhir.client", "fhir.connections", "trust", "conformance"),
    "urllib3": ("fhir.client", "fhir.connections", "trust", "conformance"),
    "prometheus_client": ("metrics",),
    "sqlalchemy": ("store", "migrations"),
    "alembic": ("store", "migrations"),
    "jwt": ("keys", "trust", "conformance"),
    "pydantic": ("settings", "clients"),
    "pydantic_settings": ("settings",),
    "markdown_it": ("web", "conformance"),
    "nh3": ("web",),
    "jsonschema": ("contracts", "conformance"),
    "duckdb": ("replay", "reports"),
    "pyspark": ("replay",),
    "matplotlib": ("reports",),
    "pytest": (),
}
ENVIRONMENT = ("os.environ", "os.environb", "os.getenv", "os.getenvb", "os.putenv")
MAY_READ_ENVIRONMENT = ("settings",)
CLOCK = (
    "date.today", "datetime.today", "datetime.now", "datetime.utcnow",
    "time.time", "time.time_ns", "time.localtime", "time.gmtime", "time.ctime", "time.strftime",
)  # fmt: skip
MAY_READ_CLOCK = ("app", "cli")


@dataclass(frozen=True, slots=True)
class Module:
    """One file of the package: its dotted name below the package, and its syntax tree."""

    name: str
    tree: ast.Module

    @property
    def unit(self) -> str:
        return self.name.partition(".")[0]


@cache
def read_modules(root: Path) -> list[Module]:
    """Every module below `root` but the package's own `__init__`, in order of name."""
    modules = []
    for path in sorted(root.rglob("*.py")):
        parts = path.relative_to(root).with_suffix("").parts
        if name := ".".join(part for part in parts if part != "__init__"):
            modules.append(Module(name, ast.parse(path.read_bytes(), str(path))))
    return modules


def read_imports(module: Module) -> Iterator[str]:
    """Full dotted name of all that is imported anywhere in the file, in functions and for type checking too."""
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            start = f"{PACKAGE}.<relative>" if node.level else node.module or ""  # relative ones are refused below
            yield from (f"{start}.{alias.name}" for alias in node.names)


def read_own_imports(module: Module) -> Iterator[str]:
    """Of `read_imports`, the names below our package; dunder attributes such as its version belong to no layer."""
    for name in read_imports(module):
        top, _, rest = name.partition(".")
        if top == PACKAGE and not rest.startswith("__"):
            yield rest


def is_within(name: str, places: tuple[str, ...]) -> bool:
    return any(name == place or name.startswith(f"{place}.") for place in places)


def depth(unit: str) -> int | None:
    return next((number for number, layer in enumerate(LAYERS) if unit in layer), None)


def find_wrong_directions(root: Path) -> list[str]:
    return [
        f"{module.name} imports {target}: {why}"
        for module in read_modules(root)
        for target in read_own_imports(module)
        if (why := explain_direction(module, target))
    ]


def explain_direction(module: Module, target: str) -> str | None:
    """Why this import is not allowed, or None."""
    unit, other = module.unit, target.partition(".")[0]
    from_layer, to_layer = depth(unit), depth(other)
    if other == "<relative>":
        return "write the whole name, so that the direction can be seen"
    if from_layer is None or to_layer is None:
        return f"{other if to_layer is None else unit} has no place in LAYERS"
    if unit != other and to_layer <= from_layer:
        return "neighbours are handed plain values" if to_layer == from_layer else "it points outwards"
    if unit in ONLY and not is_within(target, ONLY[unit]):
        return f"{unit} imports only {', '.join(ONLY[unit]) or 'nothing of ours'}"
    return f"{unit} never imports that" if is_within(target, NEVER.get(unit, ())) else None


def find_homeless_modules(root: Path) -> list[str]:
    return sorted({module.unit for module in read_modules(root) if depth(module.unit) is None})


def find_foreign_imports_in_clinical(root: Path) -> list[str]:
    return [
        f"{module.name} imports {name}"
        for module in read_modules(root)
        if module.unit == "clinical"
        for name in read_imports(module)
        if not is_within(name, (f"{PACKAGE}.clinical",)) and name.partition(".")[0] not in sys.stdlib_module_names
    ]


def find_escaped_frameworks(root: Path) -> list[str]:
    return [
        f"{module.name} imports {name}"
        for module in read_modules(root)
        for name in read_imports(module)
        if (top := name.partition(".")[0]) in CONFINED and not is_within(module.name, CONFINED[top])
    ]


def find_uses(root: Path, forbidden: tuple[str, ...], allowed_in: tuple[str, ...]) -> list[str]:
    """Where one of the dotted names is used or imported outside the modules that may; called or only passed on."""
    return [
        f"{module.name} line {line}: {name}"
        for module in read_modules(root)
        if not is_within(module.name, allowed_in)
        for line, name in read_names(module)
        if any(name == one or name.endswith(f".{one}") for one in forbidden)
    ]


def read_names(module: Module) -> Iterator[tuple[int, str]]:
    """Line and dotted name of every attribute and imported name, with `import ... as` undone."""
    meant = {}
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Import):
            meant.update({alias.asname: alias.name for alias in node.names if alias.asname})
        elif isinstance(node, ast.ImportFrom):
            meant.update({alias.asname: alias.name for alias in node.names if alias.asname})
            yield from ((node.lineno, f"{node.module}.{alias.name}") for alias in node.names)
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Attribute):
            start, dot, rest = spell(node).partition(".")
            yield node.lineno, meant.get(start, start) + dot + rest


def spell(node: ast.expr) -> str:
    """`a.b.c` as it is written; what is not a plain name, such as a call, becomes `?`."""
    match node:
        case ast.Attribute(value=value, attr=attr):
            return f"{spell(value)}.{attr}"
        case ast.Name(id=name):
            return name
        case _:
            return "?"


def lines(found: list[str]) -> str:
    return "\n".join(["", *found])


def test_imports_point_one_way() -> None:
    found = find_wrong_directions(ROOT)
    assert not found, lines(found)


def test_every_module_has_its_place_in_the_layers() -> None:
    found = find_homeless_modules(ROOT)
    assert not found, lines(found)


def test_the_clinical_core_imports_only_itself_and_the_standard_library() -> None:
    found = find_foreign_imports_in_clinical(ROOT)
    assert not found, lines(found)


def test_each_framework_is_known_only_where_it_belongs() -> None:
    found = find_escaped_frameworks(ROOT)
    assert not found, lines(found)


def test_only_settings_reads_the_environment() -> None:
    found = find_uses(ROOT, ENVIRONMENT, MAY_READ_ENVIRONMENT)
    assert not found, lines(found)


def test_only_app_and_cli_know_what_day_it_is() -> None:
    found = find_uses(ROOT, CLOCK, MAY_READ_CLOCK)
    assert not found, lines(found)


def find_everything(root: Path) -> list[str]:
    return [
        *find_wrong_directions(root),
        *find_homeless_modules(root),
        *find_foreign_imports_in_clinical(root),
        *find_escaped_frameworks(root),
        *find_uses(root, ENVIRONMENT, MAY_READ_ENVIRONMENT),
        *find_uses(root, CLOCK, MAY_READ_CLOCK),
    ]


def plant(folder: Path, name: str, source: str) -> Path:
    """A package with this one module in it."""
    path = folder / PACKAGE / name
    path.parent.mkdir(parents=True)
    path.write_text(source, encoding="utf-8")
    return folder / PACKAGE


PLANTED = [
    ("clinical/units.py", "from cds_service.fhir import reader", "points outwards"),
    ("clinical/units.py", "import cds_service.errors", "neighbours"),
    ("clinical/units.py", "import msgspec", "clinical.units imports msgspec"),
    ("clinical/units.py", "def lazily():\n    from flask import Flask", "clinical.units imports flask.Flask"),
    ("clinical/rules/scope.py", "from .. import codes", "write the whole name"),
    ("fhir/reader.py", "from cds_service.clinical.rules import RULES", "fhir never imports that"),
    ("fhir/reader.py", "from cds_service.clinical import rules", "fhir never imports that"),
    ("fhir/reader.py", "from cds_service.settings import Settings", "neighbours"),
    ("fhir/reader.py", "import requests", "fhir.reader imports requests"),
    ("cards.py", "from cds_service.fhir.reader import read_facts", "cards imports only"),
    ("trust.py", "from cds_service.routes import Blueprint", "points outwards"),
    ("services.py", "from cds_service import store", "neighbours"),
    ("services.py", "from cds_service import novelty", "novelty has no place"),
    ("hooks.py", "TYPE_CHECKING = False\nif TYPE_CHECKING:\n    from cds_service.app import App", "points outwards"),
    ("novelty.py", "", "novelty"),
    ("errors.py", "from cds_service.settings import Settings", "points outwards"),
    ("services.py", "from flask import request", "services imports flask.request"),
    ("routes.py", "import sqlalchemy.orm as orm", "routes imports sqlalchemy.orm"),
    ("routes.py", "import os\nos.environ['CDS_PORT']", "routes line 2: os.environ"),
    ("routes.py", "import os as system\nsystem.getenv('CDS_PORT')", "routes line 2: os.getenv"),
    ("routes.py", "from os import environ as settings", "routes line 1: os.environ"),
    ("services.py", "from datetime import date\ndate.today()", "services line 2: date.today"),
    ("services.py", "import datetime as dt\ndt.datetime.now(dt.UTC)", "services line 2: datetime.datetime.now"),
    ("services.py", "from datetime import datetime as D\nclock = D.now", "services line 2: datetime.now"),
    ("store.py", "import time\ndef now(clock=time.time): ...", "store line 2: time.time"),
    ("store.py", "from time import time", "store line 1: time.time"),
]


@pytest.mark.parametrize(("name", "source", "complaint"), PLANTED, ids=[f"{n}: {s}" for n, s, _ in PLANTED])
def test_a_planted_violation_is_found(tmp_path: Path, name: str, source: str, complaint: str) -> None:
    found = find_everything(plant(tmp_path, name, source))
    assert any(complaint in line for line in found), found


INNOCENT = [
    ("cli.py", "import os\nfrom datetime import date\nfrom cds_service import app\ndate.today()\nos.path.join('a')"),
    ("routes.py", "import flask\nfrom time import perf_counter\nfrom cds_service import __version__, services, trust"),
    ("fhir/client.py", "import time\nimport requests\nfrom cds_service.clinical.codes import Coding\ntime.monotonic()"),
    ("clinical/rules/scope.py", "from datetime import date\nfrom cds_service.clinical.model import Answer\ndate.max"),
    ("cards.py", "from cds_service.fhir import orders\nfrom cds_service.clinical.decision import Decision"),
]


@pytest.mark.parametrize(("name", "source"), INNOCENT, ids=[name for name, _ in INNOCENT])
def test_what_is_allowed_is_not_complained_about(tmp_path: Path, name: str, source: str) -> None:
    found = find_everything(plant(tmp_path, name, source))
    assert not found, lines(found)
