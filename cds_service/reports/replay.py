"""The report of a replay: what a committee has to know before the rules are switched on."""

from collections.abc import Sequence

from cds_service.card_parts import PRODUCTS, TOPIC_DISPLAY
from cds_service.clinical.reading import NAMES
from cds_service.clinical.rules import RULES
from cds_service.replay.rows import ORDER, WHAT_IF
from cds_service.replay.run import Run
from cds_service.replay.summaries import Summary
from cds_service.reports import charts
from cds_service.reports import replay_details as details
from cds_service.reports.page import Chart, Section, render_page
from cds_service.reports.tables import Table, show_count, show_rate, show_share

OUT_OF_SCOPE = "out-of-scope"
SUPPORTED = ("indicated-strong", "may-benefit")
ORDERED = (*SUPPORTED, "not-indicated", "contraindicated", "insufficient-data", OUT_OF_SCOPE)
_NAMES = {**TOPIC_DISPLAY, OUT_OF_SCOPE: "Out of scope: no card"}
CAUSES = {
    "never measured": "no result on record",
    "stale": "too old (R-08)",
    "blackout": "drawn too soon after iron (R-09)",
    "superseded": "drawn before the latest iron (R-09a)",
    "pending": "preliminary only (R-07)",
    "rejected": "unit or value not usable (R-05, R-11)",
    "censored": "given as a bound that decides nothing (R-10)",
    "indeterminate": "calculated, too near a cut-off (R-06)",
    "contradicted": "contradicted by a newer one that cannot be read (R-13a)",
    "undated": "no date",
    "imprecise": "date too vague (R-08a)",
    "future": "dated after the decision",
    "status": "status that does not count (R-07)",
    "no-value": "no value in it (R-07)",
}


def render_replay(run: Run, summary: Summary) -> str:
    """The whole page. Nothing in it names a patient, a prescriber or a resource."""
    sections = [
        _conclusions(summary),
        *([_trials(summary)] if summary.conclusions[WHAT_IF] else []),
        _months(summary),
        _missing(summary),
        _rules(summary),
        _burden(summary),
        details.values(summary),
        details.adherence(summary),
        details.courses(summary),
        details.unreadable(run),
        details.dates(run),
    ]
    return render_page("Before go-live: what these rules would have said", lead(summary), sections, _foot(run))


def lead(summary: Summary) -> tuple[str, ...]:
    """The sentence a committee needs, and the one behind it."""
    counts = dict(summary.conclusions[ORDER])
    all_orders = sum(counts.values())
    spoken = all_orders - counts.get(OUT_OF_SCOPE, 0)
    supported = sum(counts.get(one, 0) for one in SUPPORTED)

    def part(count: int) -> str:
        share = show_share(count, spoken, 0)
        return f"{show_count(count)} ({share})" if share[0].isdigit() else show_count(count)

    sentence = (
        f"Of {show_count(all_orders)} orders for intravenous iron, {show_count(spoken)} were for adults with restless "
        f"legs syndrome and would have got a card: the rules would have supported {part(supported)}, found no "
        f"indication for {part(counts.get('not-indicated', 0))}, a contraindication to "
        f"{part(counts.get('contraindicated', 0))}, and asked for data first in "
        f"{part(counts.get('insufficient-data', 0))}."
    )
    return sentence, "Each order was decided as of the moment it was written, from what was on record by then."


# ------------------------------------------------------------------------------------------------------------ sections


def _conclusions(summary: Summary) -> Section:
    counts = dict(summary.conclusions[ORDER])
    all_orders = sum(counts.values())
    spoken = all_orders - counts.get(OUT_OF_SCOPE, 0)
    rows = [
        (
            _NAMES[one],
            counts.get(one, 0),
            show_rate(counts.get(one, 0), all_orders),
            "" if one == OUT_OF_SCOPE else show_rate(counts.get(one, 0), spoken),
        )
        for one in ORDERED
    ]
    head = ("Conclusion", "Orders", "per 100 orders", "per 100 orders in scope")
    drawn = charts.bars(
        "Conclusions", [_NAMES[one] for one in ORDERED], [counts.get(one, 0) for one in ORDERED], axis="orders"
    )
    named = tuple((PRODUCTS.get(name, name), count) for name, count in summary.products)
    products = Table(("Product", "Orders in scope"), named)
    relations = Table(
        ("Earlier iron (R-40, R-41)", "Orders in scope"),
        tuple((_sentence(one), count) for one, count in summary.relations),
    )
    return Section("Conclusions", (Table(head, tuple(rows)), Chart(drawn), products, relations))


def _trials(summary: Summary) -> Section:
    counts = dict(summary.conclusions[WHAT_IF])
    of = sum(counts.values())
    rows = tuple((_NAMES[one], counts.get(one, 0), show_rate(counts.get(one, 0), of)) for one in ORDERED[:-1])
    words = (
        "What the rules would have said had ferric carboxymaltose been chosen for an adult with restless legs syndrome "
        "at the moment a ferritin became known."
    )
    return Section("What if", (words, Table(("Conclusion", "Ferritin results", "per 100"), rows)))


def _months(summary: Summary) -> Section:
    months = sorted({month for month, _, _ in summary.months})
    found = {(month, conclusion): count for month, conclusion, count in summary.months}
    series = {_NAMES[one]: [found.get((month, one), 0) for month in months] for one in ORDERED}
    head = ("Month", *(_NAMES[one] for one in ORDERED))
    rows: tuple[tuple[str | int, ...], ...] = tuple(
        (month, *(found.get((month, one), 0) for one in ORDERED)) for month in months
    )
    drawn = charts.stacked_columns("Conclusions by month", months, series, axis="orders")
    return Section("Month by month", (Chart(drawn), Table(head, rows)))


def _missing(summary: Summary) -> Section:
    spoken = _spoken(summary)
    short = dict(summary.conclusions[ORDER]).get("insufficient-data", 0)
    rows = tuple(
        (NAMES[analyte], CAUSES.get(cause, cause), count, show_share(count, spoken), of)
        for analyte, cause, count, of in summary.missing
    )
    words = (
        f"{show_share(short, spoken)} of the orders in scope would have been answered with a request for data. An "
        "order may lack several results; of each the newest one that could not be used tells the cause."
    )
    head = ("Result", "Cause", "Orders in scope", "Share", "of those: data asked for first")
    labels = [f"{NAMES[analyte]}: {cause}" for analyte, cause, _, _ in summary.missing]
    drawn = charts.bars("Missing results by cause", labels, [one[2] for one in summary.missing], axis="orders in scope")
    return Section("Missing data", (words, Chart(drawn), Table(head, rows, words=2)))


def _rules(summary: Summary) -> Section:
    titles = {rule.id: rule.title for rule in RULES}
    spoken = _spoken(summary)
    deciding = dict(summary.deciding)
    rows = tuple(
        (rule, titles.get(rule, ""), count, show_share(count, spoken), deciding.get(rule, 0))
        for rule, count in summary.rules
    )
    out = tuple(
        (rule, titles.get(rule, ""), count) for rule, count in summary.deciding if rule not in dict(summary.rules)
    )
    top = summary.deciding[:15]
    drawn = charts.bars("The rule that decided", [one for one, _ in top], [count for _, count in top], axis="orders")
    return Section(
        "Rules that fired",
        (
            "One rule decides an order; others lower the conclusion or add a line or a sentence to the card.",
            Chart(drawn),
            Table(("Rule", "What it says", "Orders in scope", "Share", "of those: it decided"), rows, words=2),
            Table(("Rule", "What it says", "Orders"), out, "Rules that left an order out of scope", words=2),
        ),
    )


def _burden(summary: Summary) -> Section:
    months = sum(count for _, count, _ in summary.burden)
    cards = sum(number * count for number, count, _ in summary.burden)
    against = sum(warnings for _, _, warnings in summary.burden)
    words = (
        f"{show_count(summary.prescribers)} prescribers would have seen {show_count(cards)} cards at order-select in "
        f"{show_count(months)} months in which they ordered: {show_rate(cards, months, 1, 1)} a prescriber and month, "
        f"at most {_most(summary.burden)}. {show_share(against, cards)} of the cards warned or advised against."
    )
    rows = tuple((str(number), count, show_share(count, months)) for number, count, _ in summary.burden)
    head = ("Cards in the month", "Prescriber-months", "Share")
    drawn = charts.bars(
        "Cards a prescriber and month", [row[0] for row in rows], [count for _, count, _ in summary.burden],
        axis="prescriber-months",
    )  # fmt: skip
    return Section("Alert burden", (words, Chart(drawn), Table(head, rows)))


def _most(burden: Sequence[tuple[int, int, int]]) -> str:
    return str(max((number for number, _, _ in burden), default=0))


def _foot(run: Run) -> tuple[str, ...]:
    about, knowledge, tallies = run.about, run.about["knowledge"], run.tallies
    lines = sum(count for (topic, _, _), count in tallies.items() if topic == "lines")
    names = "patient ids (--identified)" if about["identified"] else "keyed pseudonyms"
    data = (
        f"{show_count(lines)} resources of {show_count(tallies['patients', 'all', ''])} patients in "
        f"{about['export']['files']} files, {show_count(tallies['patients', 'with an entry of RLS', ''])} of them with "
        f"an entry of restless legs syndrome. Followed up to {about['until']}. Rows carry {names}."
    )
    rules = (
        f"Knowledge version {knowledge['version']} of {knowledge['date']}, {knowledge['review']}; content hash "
        f"{knowledge['digest']}. Product limits: {about['label']}. Service version {about['service']}."
    )
    return data, rules


def _spoken(summary: Summary) -> int:
    return sum(count for conclusion, count in summary.conclusions[ORDER] if conclusion != OUT_OF_SCOPE)


def _sentence(words: str) -> str:
    return {
        "none": "none",
        "next-dose": "next dose of a course",
        "repeat": "repeat course",
        "uncertain": "not certain",
    }.get(words, words)
