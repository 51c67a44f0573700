"""Writes requirements.lock: everything that any install needs, pinned and hashed, in sections that build on each other.

`uv pip compile` resolves all of it at once; then each larger circle of requirements is compiled again under that
answer, and what it adds becomes a section. An install for a purpose takes the file from its top to the end of its
section, so whoever runs the service installs no test tool, and every install has the same versions. No registry
address is written.
"""

import argparse
import subprocess
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LOCK = ROOT / "requirements.lock"
HEADER = """\
# Written by `make lock` from pyproject.toml; do not edit. Each section needs the ones above it.
# `make` installs from the top to the end of a section; `pip install --require-hashes -r` this file installs everything.
"""
# Section, and the extras of pyproject.toml it adds. `run` has what builds the project too: it is installed from source.
SECTIONS = {
    "run": (),
    "postgres": ("postgres",),
    "test": ("test",),
    "lint": ("lint",),
    "heavy": ("replay", "reports", "spark"),
}


def main() -> None:
    """Rewrites the lock. Versions it already has are kept where they still fit, unless `--upgrade` is given."""
    options = argparse.ArgumentParser(description=main.__doc__)
    options.add_argument("--upgrade", action="store_true", help="take the newest versions that fit")
    upgrade = options.parse_args().upgrade
    every_extra = [extra for extras in SECTIONS.values() for extra in extras]
    preferred = [] if upgrade or not LOCK.exists() else ["--output-file", str(LOCK)]
    everything = compile_requirements(every_extra, preferred)
    LOCK.write_text(HEADER + "".join(render_sections(everything)), encoding="utf-8")


def render_sections(everything: str) -> list[str]:
    """The sections in order; an entry stands in the first that needs it."""
    constraint = ROOT / ".requirements.all"
    constraint.write_text(everything, encoding="utf-8")
    seen: set[str] = set()
    extras: list[str] = []
    rendered = []
    for section, added in SECTIONS.items():
        extras += added
        entries = split_entries(compile_requirements(extras, ["--constraint", str(constraint)]))
        rendered.append(f"\n# == {section}\n" + "".join(entry for entry in entries if entry not in seen))
        seen.update(entries)
    constraint.unlink()
    return rendered


def compile_requirements(extras: list[str], options: list[str]) -> str:
    """What uv resolves for the project, its build back end and these extras, on every platform and Python."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    command = ["uv", "pip", "compile", "--quiet", "--no-config", "--universal", "--generate-hashes", "--no-header"]
    command += ["--no-annotate", "--python-version", project["project"]["requires-python"].removeprefix(">=")]
    command += [f"--extra={extra}" for extra in extras] + options + ["pyproject.toml", "-"]
    build = "\n".join(project["build-system"]["requires"])
    done = subprocess.run(command, input=build, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode:
        sys.exit("uv could not resolve the requirements of pyproject.toml, see above")
    return done.stdout


def split_entries(requirements: str) -> list[str]:
    """One text per package: its pin, marker and hashes, which stand on indented lines."""
    entries: list[str] = []
    for line in requirements.splitlines(keepends=True):
        if line.startswith(" "):
            entries[-1] += line
        else:
            entries.append(line)
    return entries


if __name__ == "__main__":
    main()
