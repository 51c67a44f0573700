"""Sections of the report of a replay on the data behind the decisions, and on what followed them."""

from collections.abc import Iterable, Sequence
from decimal import Decimal

from cds_service.clinical import zones
from cds_service.clinical.follow_up.course import REPEAT_FROM_DAY
from cds_service.clinical.interval import Interval
from cds_service.clinical.reading import NAMES
from cds_service.clinical.response import RESPONSE_TO_DAY
from cds_service.clinical.schedule import find_contact
from cds_service.replay.follow_up import DONE, NOT_DONE
from cds_service.replay.run import Run
from cds_service.replay.summaries import WIDTHS, Summary
from cds_service.reports import charts
from cds_service.reports.page import Chart, Section
from cds_service.reports.tables import Table, show_count, show_share

_UNITS = {"ferritin": "ng/mL", "tsat": "%", "hemoglobin": "g/dL"}
_ZONES = {
    "ferritin": zones.FERRITIN_ZONES,
    "tsat": zones.TSAT_ZONES,
    "hemoglobin": zones.HEMOGLOBIN_ZONES,
}
_HIGHEST = {"ferritin": 500, "tsat": 80, "hemoglobin": 20}  # of the axis; what is above stands in the last bin


def values(summary: Summary) -> Section:
    """Ferritin, TSAT and haemoglobin that the decisions rested on."""
    parts: list[str | Table | Chart] = [
        "Results used in the decisions, in orders in scope; results given as a bound (<5) are not drawn."
    ]
    for analyte, found in summary.values.items():
        width, highest = WIDTHS[analyte], _HIGHEST[analyte]
        edges = list(range(0, highest + width, width))
        counts = [sum(count for low, count in found if low == edge) for edge in edges[:-2]]
        counts.append(sum(count for low, count in found if low >= edges[-2]))
        marks = [(float(cut), f"{cut:f}") for cut in cuts(_ZONES[analyte])]
        name = NAMES[analyte]
        axis = f"{name}, {_UNITS[analyte]}"
        parts.append(
            Chart(charts.histogram(f"Distribution of {name} at the decision", edges, counts, marks=marks, axis=axis))
        )
        parts.append(_value_table(analyte, edges, counts))
    return Section("Iron studies at the decision", tuple(parts))


def _value_table(analyte: str, edges: Sequence[int], counts: Sequence[int]) -> Table:
    last = len(counts) - 1
    rows = tuple(
        (f"{edges[place]} and more" if place == last else f"{edges[place]} to below {edges[place + 1]}", count)
        for place, count in enumerate(counts)
        if count
    )
    return Table((f"{NAMES[analyte]}, {_UNITS[analyte]}", "Orders"), rows)


def cuts(intervals: Iterable[Interval]) -> list[Decimal]:
    """Where one decision zone ends and the next begins."""
    return sorted({one.low for one in intervals if one.low is not None})


def adherence(summary: Summary) -> Section:
    """R-44...R-47."""
    contacts = list(dict.fromkeys(contact for contact, _, _ in summary.contacts))
    found = {(contact, state): count for contact, state, count in summary.contacts}
    rows = []
    for contact in sorted(contacts, key=_place):
        done, missed = found.get((contact, DONE), 0), found.get((contact, NOT_DONE), 0)
        others = sum(count for (one, state), count in found.items() if one == contact and state not in (DONE, NOT_DONE))
        rows.append((_title(contact), done, missed, show_share(done, done + missed), others))
    words = (
        "For every course of iron in patients with restless legs syndrome: whether the reassessment had taken place by "
        "the last day of its window, as a chart opened on that day would have said. A severity total, at week 8 a "
        "ferritin, or a completed request of ours tells."
    )
    head = ("Reassessment", "Done", "Not done", "Done, share", "Another course since, out of scope, or not over")
    drawn = charts.stacked_columns(
        "Reassessments done in their window",
        [row[0] for row in rows],
        {"done": [row[1] for row in rows], "not done": [row[2] for row in rows]},
        axis="courses",
    )
    return Section("Schedule adherence", (words, Chart(drawn), Table(head, tuple(rows))))


def _place(contact: str) -> tuple[int, int]:
    known = find_contact(contact)
    return (known.months, known.days) if known else (9999, 0)


def _title(contact: str) -> str:
    known = find_contact(contact)
    return known.title if known else contact


def courses(summary: Summary) -> Section:
    """R-40, R-49."""
    spans = (
        (f"within {REPEAT_FROM_DAY - 1} days", 0, REPEAT_FROM_DAY),
        (f"day {REPEAT_FROM_DAY} to {RESPONSE_TO_DAY}", REPEAT_FROM_DAY, RESPONSE_TO_DAY + 1),
        (f"after day {RESPONSE_TO_DAY}", RESPONSE_TO_DAY + 1, 10**6),
    )
    rows: list[tuple[str, int, str]] = []
    for words, first, end in spans:
        count = sum(number for days, number in summary.intervals if first <= days < end)
        rows.append((words, count, show_share(count, summary.courses)))
    none = summary.courses - sum(number for _, number in summary.intervals)
    rows.append(("no further course on record", none, show_share(none, summary.courses)))
    head = ("Next course after the last infusion", "Courses", "Share")
    responses = tuple((name, count) for name, count in summary.responses)
    return Section(
        "Repeat courses and response",
        (
            Table(head, tuple(rows), f"{show_count(summary.courses)} courses (R-40, R-41a)"),
            Table(("Response on record at month 6 (R-49)", "Courses"), responses),
        ),
    )


def unreadable(run: Run) -> Section:
    """By reason; lines also by file and number, in a file beside the page."""
    tallies = run.tallies
    lines = tuple((reason, count) for (topic, reason, _), count in sorted(tallies.items()) if topic == "problems")
    resources = tuple(
        (kind, why, count) for (topic, kind, why), count in sorted(tallies.items()) if topic == "unreadable"
    )
    words = "Lines are listed by file and number in unreadable_lines.csv beside this page; none is quoted anywhere."
    return Section(
        "What could not be read",
        (
            words,
            Table(("Line", "Lines"), lines, "Lines of the export", empty="every line could be read."),
            Table(
                ("Type", "Why", "Resources"), resources, "Resources of patients that were decided", words=2,
                empty="every resource could be read.",
            ),
        ),
    )  # fmt: skip


def dates(run: Run) -> Section:
    """How far the past could be told from the export."""
    tallies = run.tallies
    kinds = sorted({kind for topic, kind, _ in tallies if topic == "known"})
    rows: tuple[tuple[str | int, ...], ...] = tuple(
        (kind, *(tallies["known", kind, basis] for basis in ("recorded", "stand-in", "undated"))) for kind in kinds
    )
    head = (
        "Type",
        "Recorded, issued or written",
        "Effective, onset or planned date stood in",
        "No date: known all along",
    )
    skipped = tuple((why, count) for (topic, why, _), count in sorted(tallies.items()) if topic == "not replayed")
    orders = tuple(
        (words, count)
        for (topic, words, _), count in sorted(tallies.items())
        if topic == "orders" and words != "replayed"
    )
    words = (
        "FHIR R4 has no date on which an infusion or a procedure was recorded: there the date of the event counts. "
        "Statuses without a date (a prescription stopped since) stand as they are exported."
    )
    return Section(
        "As of when",
        (
            words,
            Table(head, rows, "Which date told when a resource became known"),
            Table(("Why", "Orders"), skipped, "Orders for iron not replayed", empty="none."),
            Table(("What", "Orders"), orders, "Orders whose past is not certain", empty="none."),
        ),
    )
