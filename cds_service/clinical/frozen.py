"""Records that are made by the dozen in every call: frozen for the type checker, plain objects at run time."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dataclasses import dataclass as frozen
else:

    def frozen(**_: bool):
        """Like `dataclass(frozen=True, slots=True)`, equal and hashable by value.

        The check of the standard library that nothing is written makes each creation four times as slow; here mypy does
        it before anything runs.
        """
        return dataclass(slots=True, unsafe_hash=True)


__all__ = ["frozen"]
