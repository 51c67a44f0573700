"""What an access token may read, so that queries which must fail are not made (CH-105)."""

import re
from dataclasses import dataclass

# SMART 1: patient/Observation.read; SMART 2: patient/Observation.rs?category=laboratory
_SCOPE = re.compile(r"(?:patient|user|system)/(\*|[A-Za-z]+)\.(\*|read|write|c?r?u?d?s?)(?:\?\S*)?").fullmatch
_EVERYTHING = frozenset({"*"})


@dataclass(frozen=True, slots=True)
class Scopes:
    """Resource types that may be read by id and searched; `*` stands for all."""

    read: frozenset[str]
    search: frozenset[str]

    def allow(self, query: str) -> bool:
        """Whether `Type/id` or `Type?parameters` may be asked."""
        kind, is_search = re.split(r"[/?]", query, maxsplit=1)[0], "?" in query
        types = self.search if is_search else self.read
        return kind in types or "*" in types


def parse_scopes(scope: str) -> Scopes:
    """A scope that names no resource type (`launch openid`) says nothing: then the server decides."""
    named = [found.groups() for word in scope.split() if (found := _SCOPE(word))]
    if not named:
        return Scopes(_EVERYTHING, _EVERYTHING)
    whole = ("*", "read")
    return Scopes(
        read=frozenset(kind for kind, rights in named if rights in whole or ("r" in rights and rights != "write")),
        search=frozenset(kind for kind, rights in named if rights in whole or "s" in rights),
    )
