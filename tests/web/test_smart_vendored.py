"""What was taken from other packages is unchanged, complete, and comes with its licence."""

import json
from hashlib import sha256
from pathlib import Path

import pytest

import cds_service

VENDOR = Path(cds_service.__file__).parent / "web" / "static" / "vendor"
PACKAGES = json.loads((VENDOR / "manifest.json").read_text("utf-8"))["packages"]
FILES = {name: digest for package in PACKAGES for name, digest in package["files"].items()}


@pytest.mark.parametrize("name", sorted(FILES))
def test_a_vendored_file_is_the_published_one(name: str) -> None:
    assert sha256((VENDOR / name).read_bytes()).hexdigest() == FILES[name]


def test_nothing_is_vendored_that_the_manifest_does_not_name() -> None:
    found = {path.relative_to(VENDOR).as_posix() for path in VENDOR.rglob("*") if path.is_file()}
    assert found == {*FILES, "manifest.json"}


@pytest.mark.parametrize("package", PACKAGES, ids=lambda package: str(package["name"]))
def test_each_package_names_version_and_licence_and_brings_its_text(package: dict[str, object]) -> None:
    assert package["version"]
    assert package["licence"]
    assert len(str(package["tarball_sha256"])) == 64
    assert any(name.endswith("/LICENSE") for name in package["files"])  # type: ignore[attr-defined]
