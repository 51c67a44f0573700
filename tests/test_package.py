"""Wheel and source distribution hold everything that is needed, and the version stands in one place."""

import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

from cds_service import __version__

ROOT = Path(__file__).resolve().parent.parent
SHIPPED = ("cds_service", "fhir_fixtures")
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("built")
    command = [sys.executable, "-m", "hatchling", "build", "-d", str(folder)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    return folder


def files_of(*folders: str) -> set[str]:
    """Of the tree, as the package should have them: no caches."""
    found = (path for folder in folders for path in (ROOT / folder).rglob("*") if path.is_file())
    return {str(path.relative_to(ROOT)) for path in found if "__pycache__" not in path.parts}


def test_the_wheel_has_every_file_of_both_packages(built: Path) -> None:
    with zipfile.ZipFile(next(built.glob("*.whl"))) as wheel:
        names = set(wheel.namelist())
    assert files_of(*SHIPPED) <= names
    assert {"cds_service/py.typed", "cds_service/web/templates/playground.html"} <= names
    assert {one.partition("/")[0] for one in names if ".dist-info" not in one} == set(SHIPPED)


def test_the_source_distribution_can_be_tested_and_built(built: Path) -> None:
    with tarfile.open(next(built.glob("*.tar.gz"))) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    wanted = {"pyproject.toml", "README.md", "LICENSE", "CHANGELOG.md", "Makefile", "requirements.lock"}
    assert wanted | files_of(*SHIPPED) <= names
    assert {one for one in files_of("tests") if one.endswith(".py")} <= names


def test_the_version_is_that_of_the_module(built: Path) -> None:
    assert [path.name.split("-")[1] for path in built.glob("*.whl")] == [__version__]
    written = [path for path in ROOT.glob("*.toml") if f'version = "{__version__}"' in path.read_text("utf-8")]
    assert written == []
