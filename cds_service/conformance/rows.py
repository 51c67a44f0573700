"""The 256 rows of the CDS Hooks checklist in our own words: what each asks, how it is shown, which tests show it."""

import json
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from importlib.resources import files


class Shown(StrEnum):
    """How a row is shown."""

    PROBE = "self-test"  # observable from outside; for us by unit tests, too
    TEST = "unit test"  # inside the service, or over time
    CLIENT = "agreement"  # with a client or in the deployment, not in the code
    REVIEW = "review"  # a text or a design, read by people
    UNUSED = "not used"  # an option that this service does not take


class Basis(StrEnum):
    """Where a row comes from."""

    TEXT = "text"
    HOOK = "hook page"
    PRACTICE = "best practice"
    HOUSE = "house rule"  # follows from client duties or experience, stands in no text


@dataclass(frozen=True, slots=True)
class Row:
    """One row. `version` is the earliest text that has it: 2.0.1, 3.0 (not final), or 1.0 (dropped since)."""

    id: str
    area: str
    level: str
    version: str
    basis: Basis
    requirement: str
    shown: Shown
    tests: tuple[str, ...]  # of this repository, `file::function`
    note: str
    result: str  # of our own service: passed, or "" where the self-test does not look

    @property
    def is_binding(self) -> bool:
        """A literal duty under 2.0.1: failing it is failing the specification."""
        return self.level.startswith("SHALL") and self.version == "2.0.1" and self.basis in (Basis.TEXT, Basis.HOOK)


@cache
def load_rows() -> tuple[Row, ...]:
    """In the order of the checklist. The file is written by `make matrix`."""
    text = files("cds_service.conformance").joinpath("rows.json").read_text("utf-8")
    return tuple(
        Row(
            **{
                **one,
                "basis": Basis(one["basis"]),
                "shown": Shown(one["shown"]),
                "tests": tuple(one["tests"]),
            }
        )
        for one in json.loads(text)
    )
