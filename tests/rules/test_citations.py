"""Every rule names its sources in full; every source is stated once, with what it says and how it was checked."""

import pytest

from cds_service.clinical.case import Rule
from cds_service.clinical.citations import BY_ID, CITATIONS, GENERAL_KNOWLEDGE, READ, SECONDARY
from cds_service.clinical.model import Citation
from cds_service.clinical.rules import RULES

# Section 12 of the rule book, source by source, and the decisions of the project.
SECTION_12 = [
    *(f"A{number}" for number in range(1, 7)),
    *(f"T{number}" for number in range(1, 15)),
    "T11b",
    *(f"F{number}" for number in range(1, 7)),
    *("E1", "E2", "E3"),
    *(f"L{number}" for number in range(1, 8)),
    *(f"P{number}" for number in range(1, 8)),
    *("K1", "K2", "K3", "K4", "H1", "H2", "H3"),
    "DESIGN",
]
# No stable public address is known for these; a new entry needs a reason here.
WITHOUT_ADDRESS = {
    "DESIGN": "our own decisions",
    "A6": "several dossiers",
    "L1": "citation details not shown in the copy read",
    "L7": "several calculators",
    "P1": "several reviews",
    "P5": "monograph without public address",
    "P7": "summary of a paper of 1971",
}
# Texts that are revised without a year of their own, or whose year was not shown in the copy read.
WITHOUT_YEAR = {"A6", "T2", "T11", "T14", "F2", "F3", "F4", "F5", "E1", "E2", "L1", "L6", "L7", "P1", "P5", "K3", "H3"}


def complaints(citation: Citation) -> list[str]:
    """What is not full about a citation."""
    found = []
    if not citation.title.strip() or not citation.says.strip():
        found.append("no title or no statement")
    if citation.checked not in (READ, SECONDARY, GENERAL_KNOWLEDGE):
        found.append(f"checked is {citation.checked!r}")
    if not citation.url.startswith("https://") and citation.id not in WITHOUT_ADDRESS:
        found.append("no address")
    if citation.year is None and citation.id not in WITHOUT_YEAR:
        found.append("no year")
    if BY_ID.get(citation.id) is not citation:
        found.append("not listed in CITATIONS")
    return found


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.id)
def test_no_rule_without_a_full_citation(rule: Rule) -> None:
    assert rule.sources, f"{rule.id} names no source"
    assert not {source.id: complaints(source) for source in rule.sources if complaints(source)}


@pytest.mark.parametrize("citation", CITATIONS, ids=lambda citation: citation.id)
def test_every_citation_is_full(citation: Citation) -> None:
    assert complaints(citation) == []


def test_the_check_refuses_an_empty_citation() -> None:
    poor = Citation(id="X1", title="", year=None, url="", says="", checked="perhaps")
    assert len(complaints(poor)) == 5


def test_all_sources_of_section_12_are_there_once() -> None:
    assert sorted(citation.id for citation in CITATIONS) == sorted(SECTION_12)


def test_exceptions_are_needed() -> None:
    assert {citation.id for citation in CITATIONS if not citation.url} == set(WITHOUT_ADDRESS)
    assert {citation.id for citation in CITATIONS if citation.year is None} == WITHOUT_YEAR


def test_rule_ids_are_unique() -> None:
    ids = [rule.id for rule in RULES]
    assert len(set(ids)) == len(ids)
