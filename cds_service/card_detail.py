"""The detail of a recommendation card: reasons, cautions, values, rule path, alternatives (R-51, R-51a, R-54)."""

from collections.abc import Sequence

from cds_service import markdown as md
from cds_service.card_parts import Shop, footer, primary_source, section
from cds_service.clinical.decision import Decision
from cds_service.clinical.expectations import SIZE_OF_EFFECT
from cds_service.clinical.model import Conclusion, Line, Rank
from cds_service.clinical.results import Reading
from cds_service.clinical.wording import quote

MOST_CAUTIONS = 7
MOST_GAPS = 3  # records named on the card; the trace has them all
NEVER_DROPPED = Rank.PREGNANCY  # R-51a: lines of ranks up to this one always stay


def render_detail(shop: Shop, decision: Decision, follow_up_note: str, *, names_order: bool) -> str:
    first = [line for _, line in decision.lines if line.rank is Rank.TSAT_MISSING]
    rest = [line for _, line in decision.lines if line.rank is not Rank.TSAT_MISSING]
    reasons = [sentence for _, verdict in decision.verdicts for sentence in verdict.say or (verdict.because,)]
    reasons += [sentence for _, cap in decision.caps for sentence in cap.say]
    parts = [
        *(f"**{md.text(line.text)}**" for line in first),
        *([f"Order: {md.text(quote(decision.case.order.name))}."] if names_order else []),
        " ".join(md.text(sentence) for sentence in reasons),
        section("Check first", _cautions(rest, MOST_CAUTIONS - len(first))),
        section("Values used", _values(decision)),
        section("Missing or set aside", _set_aside(decision)),
        section("How this was decided", _rule_path(decision)),
        *_remarks(decision),
        md.text(follow_up_note),
        footer(shop, primary_source(decision.verdicts[0][0].sources)),
    ]
    return "\n\n".join(part for part in parts if part)


def _cautions(lines: Sequence[Line], most: int) -> list[str]:
    """At most `most`, most dangerous first; ranks 1 to 8 are never dropped (R-51, R-51a)."""
    shown = [line for place, line in enumerate(lines) if place < most or line.rank <= NEVER_DROPPED]
    texts = [md.text(line.text) for line in shown]
    dropped = len(lines) - len(shown)
    if dropped:
        texts.append(f"{dropped} more {'point' if dropped == 1 else 'points'}: see the decision trace.")
    return texts


def _values(decision: Decision) -> list[str]:
    """R-54: value, unit, date, conversion; remarks of R-12 and R-14 stand beside their value."""
    case = decision.case
    readings: list[tuple[str, str, Reading]] = [
        ("ferritin", "Ferritin", case.ferritin),
        ("tsat", "TSAT", case.tsat),
        ("hemoglobin", "Hemoglobin", case.hemoglobin),
        ("crp", "CRP", case.crp),
        ("phosphate", "Phosphate", case.phosphate),
        ("weight", "Weight", case.weight),
    ]
    lines = []
    for key, name, reading in readings:
        if not reading.is_usable:
            continue
        notes = [note for note in (_conversion(reading), reading.caution) if note]
        notes += [remark.text for _, remark in decision.remarks if remark.section == key]
        text = f"{name} {reading.shown}, {reading.used.day or 'undated'}"
        lines.append(md.text(text + (f" ({'; '.join(notes)})" if notes else "")))
    return lines


def _conversion(reading: Reading) -> str:
    return reading.chosen.note if reading.chosen else ""


def _set_aside(decision: Decision) -> list[str]:
    """What was missing or rejected, and why (R-54), "in the data provided" (CH-096)."""
    case = decision.case
    read = (("Ferritin", case.ferritin), ("TSAT", case.tsat), ("Hemoglobin", case.hemoglobin))
    lines = [md.text(f"{name}: {reading.why_missing}") for name, reading in read if not reading.is_usable]
    gaps = case.facts.gaps
    lines += [md.text(f"{quote(gap.reference)}: {gap.why}") for gap in gaps[:MOST_GAPS]]
    if len(gaps) > MOST_GAPS:
        lines.append(f"{len(gaps) - MOST_GAPS} more records could not be read: see the decision trace.")
    return lines


def _rule_path(decision: Decision) -> list[str]:
    path = [f"{rule.id}: {md.text(verdict.because)}" for rule, verdict in decision.verdicts]
    path += [f"{rule.id}: {md.text(cap.because)}" for rule, cap in decision.caps]
    certainty = decision.verdicts[0][1].certainty
    if certainty:
        was_strong = decision.verdicts[0][1].conclusion is Conclusion.INDICATED_STRONG
        before = " before it was limited" if was_strong and decision.caps else ""
        path.append(f"Strength and certainty{before}: {md.text(certainty)}")
    if decision.conclusion.is_supportive:
        path.append(md.text(SIZE_OF_EFFECT))
    return path


_SECTIONS = (
    ("alternatives", "Alternatives"),
    ("next-step", "Next step"),
    ("product", "Product"),
    ("history", "Notes"),
)


# an alternative or, where nothing is recommended, the next step, where no rule names one.
OTHERWISE = {
    Conclusion.CONTRAINDICATED: "Consider clarifying what stands against the order before choosing it anew.",
    Conclusion.NOT_INDICATED: "Consider RLS treatment other than iron; repeat ferritin and TSAT if things change.",
    Conclusion.INSUFFICIENT_DATA: "Consider obtaining what is missing; choosing the order again decides anew.",
    Conclusion.MAY_BENEFIT: "Alternatives: treating RLS otherwise, or repeating ferritin and TSAT before deciding.",
    Conclusion.INDICATED_STRONG: "Alternatives: treating RLS otherwise, or first looking for the cause of a low TSAT.",
}


def _remarks(decision: Decision) -> list[str]:
    by_section: dict[str, list[str]] = {}
    for _, remark in decision.remarks:
        by_section.setdefault(remark.section, []).append(md.text(remark.text))
    # What speaks for iron is no alternative to it; a missing blood count alone is no next step (R-29c).
    named = {one.section for _, one in decision.remarks if not one.speaks_for_iron and not one.offer_tests}
    key = "alternatives" if decision.conclusion.is_supportive else "next-step"
    if not named & {"alternatives", key}:
        by_section.setdefault(key, []).insert(0, OTHERWISE[decision.conclusion])
    return [section(title, by_section[key]) for key, title in _SECTIONS if key in by_section]
