"""What holds for the repository itself: its top-level names, what must not be written in it, its lock and its wheel."""

import ast
import re
import subprocess
import sys
import tomllib
import zipfile
from collections.abc import Iterable, Iterator
from email.parser import HeaderParser
from functools import cache
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import cds_service

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("cds_service", "fhir_fixtures")
TOP_LEVEL = {
    *PACKAGES, "tests", "pyproject.toml", "README.md", "Dockerfile",
    "Makefile", "LICENSE", "CHANGELOG.md", "requirements.lock",
}  # fmt: skip
NOT_OURS = {".git", "__pycache__", "mutants", "dist"}
# In parts, so that this file does not hold what it looks for.
HOSTS = [
    "pypi" + ".org", "pythonhosted" + ".org", "npmjs" + ".org", "npmjs" + ".com", "yarnpkg" + ".com",
    "debian" + ".org", "proxy.golang" + ".org", "crates" + ".io", "rubygems" + ".org", "maven" + ".org",
]  # fmt: skip
PLACES = [
    "/wo" + "rk/",
    "/ro" + "ot/",
    "/ho" + "me/",
    "/Us" + "ers/",
    "/opt/wh" + "eels",
    "/opt/py" + "pi",
    "/tmp/te" + "am",
]
STEERING = "../sha" + "red"
UNWANTED = re.compile(
    "|".join(
        [
            *(rf"(?<![\w-]){re.escape(host)}" for host in HOSTS),
            *(rf"(?<![\w.~}}>-]){re.escape(place)}" for place in PLACES),
            re.escape(STEERING),
        ]
    )
)
SECTIONS = ["run", "postgres", "test", "lint", "heavy"]
HEAVY = {"duckdb", "matplotlib", "pyspark"}


@cache
def tracked() -> tuple[Path, ...]:
    """What git has or would take, relative to the root; where there is no git, what lies there but for caches."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    try:
        listed = subprocess.run(command, cwd=ROOT, capture_output=True, check=True, text=True).stdout.split("\0")
        names = [Path(name) for name in listed if name]
    except (OSError, subprocess.CalledProcessError):
        names = [path.relative_to(ROOT) for path in ROOT.rglob("*")]
        names = [name for name in names if not is_left_behind(name)]
    return tuple(sorted(name for name in names if (ROOT / name).is_file()))


def is_left_behind(name: Path) -> bool:
    return (
        bool(NOT_OURS & set(name.parts)) or name.parts[0].startswith((".venv", ".hypothesis")) or "_cache" in str(name)
    )


def project() -> dict[str, object]:
    return dict(tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"])


def find_unwanted(text: str) -> list[str]:
    """Lines that name a package registry, a path of one machine, or the folder the project is steered from."""
    return [
        f"line {number}: {line.strip()}" for number, line in enumerate(text.splitlines(), 1) if UNWANTED.search(line)
    ]


def test_top_level_names_are_the_agreed_ones() -> None:
    names = {name.parts[0] for name in tracked()}
    assert {name for name in names if not name.startswith(".")} - TOP_LEVEL == set()
    assert TOP_LEVEL - names == set()


def test_no_file_names_a_registry_or_a_place_on_one_machine() -> None:
    found = []
    for name in tracked():
        try:
            text = (ROOT / name).read_text(encoding="utf-8")
        except UnicodeDecodeError:  # an image or a font
            continue
        found += [f"{name} {line}"[:200] for line in find_unwanted(text)]
    assert not found, "\n".join(["", *found])


@pytest.mark.parametrize("host", HOSTS)
@pytest.mark.parametrize("form", ["https://{}/simple", "files.{}", "see {}"])
def test_a_planted_registry_host_is_found(host: str, form: str) -> None:
    assert find_unwanted(form.format(host))


@pytest.mark.parametrize("text", [*(f"path = '{place}x'" for place in PLACES), f"see {STEERING}/design.md"])
def test_a_planted_machine_path_is_found(text: str) -> None:
    assert find_unwanted(text)


@pytest.mark.parametrize(
    "text", ["https://example.org/home/1", "frame/work/1", "$HOME/.pyenv", "~/root/x", "notpypi" + ".orgs"]
)
def test_an_innocent_address_or_path_is_not_complained_about(text: str) -> None:
    assert not find_unwanted(text)


def test_the_licence_is_apache_2_and_named_in_the_metadata() -> None:
    text = (ROOT / "LICENSE").read_text(encoding="utf-8")
    assert "Apache License" in text
    assert "Version 2.0, January 2004" in text
    assert "END OF TERMS AND CONDITIONS" in text
    assert project()["license"] == "Apache-2.0"


def test_the_version_stands_in_one_place() -> None:
    assert project()["dynamic"] == ["version"]
    places = [
        str(name)
        for name in tracked()
        if name.suffix == ".py"
        if re.search(r"^__version__\s*=", (ROOT / name).read_text(encoding="utf-8"), re.MULTILINE)
    ]
    assert places == ["cds_service/__init__.py"]


def test_the_changelog_starts_with_this_version() -> None:
    newest = re.search(r"^## (\S+)", (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert newest is not None
    assert newest[1] == cds_service.__version__


def read_lock() -> dict[str, dict[str, str]]:
    """Section -> canonical name -> the whole entry, which ends in its hashes."""
    sections: dict[str, dict[str, str]] = {}
    entries: dict[str, str] = {}
    name = ""
    for line in (ROOT / "requirements.lock").read_text(encoding="utf-8").splitlines():
        if line.startswith("# == "):
            entries = sections.setdefault(line.removeprefix("# == "), {})
        elif line and not line.startswith(("#", " ")):
            name = canonicalize_name(line.partition("==")[0])
            entries[name] = entries.get(name, "") + line + "\n"
        elif line.startswith(" "):
            entries[name] += line + "\n"
    return sections


def names_up_to(last: str) -> set[str]:
    lock = read_lock()
    return {name for section in SECTIONS[: SECTIONS.index(last) + 1] for name in lock[section]}


def test_the_lock_has_its_sections_in_order() -> None:
    assert list(read_lock()) == SECTIONS


def test_every_entry_of_the_lock_is_pinned_and_hashed() -> None:
    entries = [entry for section in read_lock().values() for entry in section.values()]
    assert entries
    assert [
        entry for entry in entries if not re.match(r"[\w.-]+==\S+ .*--hash=sha256:[0-9a-f]{64}", entry, re.DOTALL)
    ] == []
    assert "://" not in "".join(entries)


def requirements_for(section: str) -> Iterator[Requirement]:
    """What pyproject.toml asks for in an install of this section: its dependencies, build back end and extras."""
    data = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    extras = data["project"]["optional-dependencies"]
    needed = {"postgres": ["postgres"], "test": ["test"], "lint": ["lint"], "heavy": ["replay", "reports", "spark"]}
    texts = [*data["project"]["dependencies"], *data["build-system"]["requires"]]
    for one in SECTIONS[: SECTIONS.index(section) + 1]:
        texts += [text for extra in needed.get(one, []) for text in extras[extra]]
    return (Requirement(text) for text in texts)


@pytest.mark.parametrize("section", SECTIONS)
def test_the_lock_meets_what_pyproject_asks_for(section: str) -> None:
    pins = {}
    for entries in list(read_lock().values())[: SECTIONS.index(section) + 1]:
        pins.update({name: re.findall(r"^[\w.-]+==([^\s;]+)", entry, re.MULTILINE) for name, entry in entries.items()})
    for requirement in requirements_for(section):
        versions = pins.get(canonicalize_name(requirement.name), [])
        assert versions, f"{requirement.name} is not in the lock: make lock"
        assert all(requirement.specifier.contains(version) for version in versions), f"{requirement}: make lock"


def test_running_installs_no_test_tool_and_testing_nothing_heavy() -> None:
    assert names_up_to("postgres").isdisjoint({"pytest", "hypothesis", "schemathesis", "mypy", "ruff", "orjson"})
    assert names_up_to("lint").isdisjoint({*HEAVY, "numpy"})
    assert names_up_to("heavy") >= HEAVY


def third_party_imports(package: str) -> dict[str, set[str]]:
    """Top-level name of what is imported -> the files that do."""
    found: dict[str, set[str]] = {}
    for path in (ROOT / package).rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_bytes())):
            for name in imported_names(node):
                top = name.partition(".")[0]
                if top not in {*sys.stdlib_module_names, *PACKAGES, "_typeshed"}:
                    found.setdefault(top, set()).add(str(path.relative_to(ROOT)))
    return found


def imported_names(node: ast.AST) -> Iterable[str]:
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    return [node.module] if isinstance(node, ast.ImportFrom) and node.module and not node.level else []


def test_the_package_imports_only_what_running_installs() -> None:
    runs_with = names_up_to("postgres")
    distributions = packages_distributions()
    strays = {
        top: files
        for top, files in third_party_imports("cds_service").items()
        if top not in HEAVY
        if runs_with.isdisjoint(canonicalize_name(name) for name in distributions.get(top, ()))
    }
    assert strays == {}


def test_every_fhir_model_used_is_r4b() -> None:
    """The root of `fhir.resources` is FHIR R5."""
    line = re.compile(r"^\s*(?:from|import) fhir\.resources(?!\.R4B\b)", re.MULTILINE)
    found = [
        str(name)
        for name in tracked()
        if name.suffix == ".py" and line.search((ROOT / name).read_text(encoding="utf-8"))
    ]
    assert found == []


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> zipfile.ZipFile:
    """The wheel as users get it, built with the back end that is installed: no network."""
    pytest.importorskip("hatchling", reason="hatchling builds the wheel")
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    (path,) = folder.glob("*.whl")
    return zipfile.ZipFile(path)


def test_the_wheel_has_every_file_of_both_packages_and_nothing_else(wheel: zipfile.ZipFile) -> None:
    ours = {name.as_posix() for name in tracked() if name.parts[0] in PACKAGES}
    assert {name for name in wheel.namelist() if ".dist-info/" not in name} == ours


def test_the_wheel_names_its_version_licence_and_command(wheel: zipfile.ZipFile) -> None:
    def read(ending: str) -> str:
        (name,) = [name for name in wheel.namelist() if name.endswith(f".dist-info/{ending}")]
        return wheel.read(name).decode("utf-8")

    metadata = HeaderParser().parsestr(read("METADATA"))
    assert metadata["Version"] == cds_service.__version__
    assert metadata["License-Expression"] == "Apache-2.0"
    assert "Apache License" in read("licenses/LICENSE")
    assert "cds-service = cds_service.cli:main" in read("entry_points.txt")


def test_the_makefile_is_understood_by_gnu_make_3_81() -> None:
    """macOS ships that release: none of what came later is used."""
    later = re.compile(
        r"^\.ONESHELL|^\w+\s*(!=|::=)|\$\((file|guile|let|intcmp)\b|^undefine |^\$?\(?eval ", re.MULTILINE
    )
    assert not later.search((ROOT / "Makefile").read_text(encoding="utf-8"))
