"""The outcome of a self-test as a table for people, as JSON, and as JUnit XML for build servers."""

from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import Any
from xml.etree import ElementTree as ET

from rich.console import Console
from rich.table import Table
from rich.text import Text

from cds_service.conformance.finding import Finding, Json, Verdict
from cds_service.conformance.rows import Basis, Row, Shown
from cds_service.conformance.run import Outcome, Result

LOCKED = "discovery asks for a login: give the key of a registered client with --key, --issuer and --kid"
MOST_FINDINGS = 3  # shown of one row at the terminal; JSON has all that are not passed
_COLOURS = {Verdict.PASSED: "green", Verdict.FAILED: "red", Verdict.ADVICE: "yellow", Verdict.UNSEEN: "dim"}
PARTS = ("CDS Hooks 2.0.1", "Beyond the text: best practices and house rules", "CDS Hooks 3.0, not final")


def part_of(row: Row) -> str:
    """Which part of the report a row is told in: what binds, what is only advised, and what is not final."""
    if row.version == "3.0":
        return PARTS[2]
    return PARTS[1] if row.basis in (Basis.HOUSE, Basis.PRACTICE) else PARTS[0]


def summary(results: Sequence[Result]) -> str:
    """`3 failed, 1 advice, 90 passed, 40 not observed`, without what is zero."""
    counted = Counter(one.verdict for one in results)
    order = (Verdict.FAILED, Verdict.ADVICE, Verdict.PASSED, Verdict.UNSEEN)
    return ", ".join(f"{counted[one]} {one}" for one in order if counted[one])


def print_outcome(outcome: Outcome, console: Console, *, all_rows: bool = False) -> None:
    """Findings first, then the sums; `all_rows` lists also what passed and what cannot be seen from outside."""
    services = ", ".join(outcome.services) or (LOCKED if outcome.is_locked else "no service could be read")
    console.print(Text(f"{outcome.base}: {services}; {outcome.calls} requests", style="bold"))
    for title in PARTS:
        results = [one for one in outcome.results if part_of(one.row) == title]
        console.print(Text(f"\n{title}: {summary(results)}", style="bold"))
        shown = [one for one in results if all_rows or one.verdict in (Verdict.FAILED, Verdict.ADVICE)]
        if shown:
            console.print(_table(shown, all_rows=all_rows))
    if not all_rows:
        console.print(
            "\n--all lists every row, and for rows that cannot be seen from outside how our service shows them."
        )


def _table(results: Sequence[Result], *, all_rows: bool) -> Table:
    table = Table(show_lines=True)
    for heading, ratio in (("Row", None), ("Result", None), ("Requirement", 2), ("What was seen", 5)):
        table.add_column(heading, no_wrap=ratio is None, ratio=ratio, overflow="fold")
    for one in results:
        level = f"{one.row.id}\n{one.row.level}"
        cells = (Text(level), Text(str(one.verdict), _COLOURS[one.verdict]), Text(one.row.requirement))
        table.add_row(*cells, Text("\n".join(_seen(one, all_rows=all_rows))))
    return table


def _seen(result: Result, *, all_rows: bool) -> Iterator[str]:
    wrong = [one for one in result.findings if one.verdict is not Verdict.PASSED]
    for finding in wrong[:MOST_FINDINGS]:
        yield f"sent      {finding.sent}"
        yield f"received  {' '.join(finding.received.split())}"
        yield f"expected  {finding.expected}"
    if len(wrong) > MOST_FINDINGS:
        yield f"... and {len(wrong) - MOST_FINDINGS} more"
    if all_rows and not wrong:
        yield f"{len(result.findings)} observations" if result.findings else how_shown(result)


def how_shown(result: Result) -> str:
    """For a row that was not observed: why, and what shows it for our own service."""
    row = result.row
    why = "nothing in the answers was about it" if row.shown is Shown.PROBE else "not visible from outside"
    ours = [*([f"{row.shown}, {row.note}"] if row.note and row.shown is not Shown.PROBE else ()), *row.tests]
    return f"{why}; for our own service: {', '.join(ours)}" if ours else why


def render_json(outcome: Outcome) -> Json:
    """Everything but the many observations that were right."""
    return {
        "target": outcome.base,
        "services": list(outcome.services),
        "requests": outcome.calls,
        "passed": not outcome.has_failed,
        "summary": {title: summary([one for one in outcome.results if part_of(one.row) == title]) for title in PARTS},
        "rows": [_row(one) for one in outcome.results],
    }


def _row(result: Result) -> Json:
    row = result.row
    wrong = [_finding(one) for one in result.findings if one.verdict is not Verdict.PASSED]
    described: dict[str, Any] = {
        "id": row.id,
        "area": row.area,
        "level": row.level,
        "version": row.version,
        "basis": str(row.basis),
        "requirement": row.requirement,
        "result": str(result.verdict),
        "observations": len(result.findings),
    }
    if wrong:
        described["findings"] = wrong
    if result.verdict is Verdict.UNSEEN:
        described["notObserved"] = how_shown(result)
    return described


def _finding(finding: Finding) -> Json:
    return {
        "result": str(finding.verdict),
        "sent": finding.sent,
        "received": finding.received,
        "expected": finding.expected,
    }


def render_junit(outcome: Outcome) -> str:
    """A suite for each area; advice stands in the output of a passed case, what was not observed is skipped."""
    root = ET.Element("testsuites", name=f"CDS Hooks self-test of {outcome.base}")
    for area, group in groupby(outcome.results, key=lambda one: one.row.area):
        results = list(group)
        counts = Counter(one.verdict for one in results)
        suite = ET.SubElement(root, "testsuite", name=area, tests=str(len(results)), errors="0")
        suite.set("failures", str(counts[Verdict.FAILED]))
        suite.set("skipped", str(counts[Verdict.UNSEEN]))
        for one in results:
            _case(suite, one)
    ET.indent(root)
    return ET.tostring(root, encoding="unicode", xml_declaration=True) + "\n"


def _case(suite: ET.Element, result: Result) -> None:
    row = result.row
    name = f"{row.id} {row.level} ({row.version}, {row.basis}): {row.requirement}"
    case = ET.SubElement(suite, "testcase", classname=f"cds-hooks.{row.area}", name=name)
    text = _plain("\n".join(_seen(result, all_rows=True)))
    if result.verdict is Verdict.FAILED:
        ET.SubElement(case, "failure", message=result.findings[0].expected).text = text
    elif result.verdict is Verdict.UNSEEN:
        ET.SubElement(case, "skipped", message=text)
    elif result.verdict is Verdict.ADVICE:
        ET.SubElement(case, "system-out").text = text


def _plain(text: str) -> str:
    """Without the characters that XML 1.0 cannot hold."""
    return "".join(one for one in text if one in "\n\t" or one.isprintable())
