"""Decisions to CDS Hooks cards: recommendation and reassessment card per order, with suggestions (R-51...R-56)."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any
from uuid import uuid4

from cds_service import markdown as md
from cds_service.clinical import doses
from cds_service.clinical.citations import A1, A2, T1, T6, T10
from cds_service.clinical.codes import Coding
from cds_service.clinical.decision import Decision
from cds_service.clinical.model import ArrangedContact, Citation, Conclusion, ConditionEntry, Line, Rank
from cds_service.clinical.results import Reading
from cds_service.clinical.schedule import Planned, implied_anchors, plan
from cds_service.fhir import orders
from cds_service.fhir.orders import CourseRef, OrderCodes

Json = dict[str, Any]

LONGEST_SUMMARY = 139  # CH-124
MOST_CAUTIONS = 7
NEVER_DROPPED = Rank.PREGNANCY  # R-51a: lines of ranks up to this one always stay
SAME_COURSE_DAYS = 28  # R-50a

INDICATORS = {
    Conclusion.CONTRAINDICATED: "critical",
    Conclusion.NOT_INDICATED: "warning",
    Conclusion.INSUFFICIENT_DATA: "warning",
    Conclusion.MAY_BENEFIT: "info",
    Conclusion.INDICATED_STRONG: "info",
}  # section 1, R-52
IN_WORDS = {
    Conclusion.CONTRAINDICATED: "contraindicated as ordered",
    Conclusion.NOT_INDICATED: "IV iron not supported now",
    Conclusion.INSUFFICIENT_DATA: "not enough data to decide",
    Conclusion.MAY_BENEFIT: "IV iron may benefit (conditional support)",
    Conclusion.INDICATED_STRONG: "guideline supports IV iron (strong)",
}
TOPIC_DISPLAY = {
    "contraindicated": "Contraindicated",
    "not-indicated": "Not indicated",
    "insufficient-data": "Insufficient data",
    "may-benefit": "May benefit",
    "indicated-strong": "Indicated, strong recommendation",
    "reassessment": "Reassessment after IV iron",
}
PRODUCTS = {
    "fcm": "Ferric carboxymaltose",
    "iron-dextran": "Iron dextran",
    "ferumoxytol": "Ferumoxytol",
    "ferric-derisomaltose": "Ferric derisomaltose",
    "iron-sucrose": "Iron sucrose",
    "ferric-gluconate": "Ferric gluconate",
}
TEST_NAMES = {"ferritin": "ferritin", "iron-panel": "iron and TIBC", "cbc": "CBC", "phosphate": "phosphate"}
_PANEL = {"iron": "iron-panel", "tibc": "iron-panel", "tsat": "iron-panel", "hemoglobin": "cbc"}
SPECIMEN_NOTE = "Draw ideally in the morning, with no iron supplements or iron-rich foods for 24 hours before (R-12)."

# Reasons offered when a card is dismissed, from the HL7 code system of the terminology list.
_REASONS = {
    Conclusion.CONTRAINDICATED: ("expert-contradicts", "risk-benefit-ratio", "patient-ineligible", "need-more-info"),
    Conclusion.NOT_INDICATED: ("expert-contradicts", "risk-benefit-ratio", "prefers-alternative", "policy-contradicts"),
    Conclusion.INSUFFICIENT_DATA: ("need-more-info", "action-completed", "expert-contradicts", "limited-time"),
    Conclusion.MAY_BENEFIT: (
        "patient-ineligible",
        "prefers-alternative",
        "risk-benefit-ratio",
        "patient-contraindication",
    ),
    Conclusion.INDICATED_STRONG: (
        "patient-ineligible",
        "prefers-alternative",
        "risk-benefit-ratio",
        "patient-contraindication",
    ),
}
_SCHEDULE_REASONS = ("action-completed", "wrong-time-workflow", "patient-refuses", "service-not-available")


@dataclass(frozen=True, slots=True)
class Profile:
    """What the CDS Client can show (design section 6)."""

    follow_up: str = "ServiceRequest"
    card_limit: int | None = None
    trace: bool = True
    suggestions: bool = True
    deletes: bool = False
    separate_tests: bool = True


@dataclass(frozen=True, slots=True)
class Stamp:
    """Which knowledge answered: on every card, in the trace, in the export."""

    version: str
    date: str
    digest: str
    review: str

    @property
    def text(self) -> str:
        return f"knowledge {self.version} ({self.date}, {self.digest[:12]}; {self.review})"


@dataclass(frozen=True, slots=True)
class Shop:
    """What every card needs and no call changes."""

    canonical: str
    knowledge_url: str
    stamp: Stamp
    codes: OrderCodes
    reasons: dict[str, Coding]

    @property
    def topic_system(self) -> str:
        return f"{self.canonical}/CodeSystem/card-topic"

    @property
    def identifier_system(self) -> str:
        return f"{self.canonical}/NamingSystem/reassessment"


@dataclass(frozen=True, slots=True)
class Chart:
    """What the session already holds, so that nothing is proposed twice (R-50, CH-246)."""

    patient_id: str
    drafted_tests: frozenset[str] = frozenset()


def render_cards(shop: Shop, profile: Profile, chart: Chart, decisions: Sequence[Decision]) -> list[Json]:
    """The cards of one reply, most important first where a client limits their number."""
    cards: list[Json] = []
    scheduled: set[str] = set()
    for decision in decisions:
        if decision.conclusion is Conclusion.OUT_OF_SCOPE:
            continue
        schedule = Schedule.of(shop, chart, decision)
        cards.append(_recommendation(shop, profile, chart, decision, schedule, names_order=len(decisions) > 1))
        if schedule and schedule.missing and schedule.course.course not in scheduled:
            scheduled.add(schedule.course.course)
            cards.append(_reassessment(shop, profile, decision, schedule))
    return _limited(cards, profile.card_limit)


def _limited(cards: list[Json], limit: int | None) -> list[Json]:
    if limit is None or len(cards) <= limit:
        return cards
    urgency = {"critical": 0, "warning": 1, "info": 2}
    return sorted(cards, key=lambda card: urgency[card["indicator"]])[:limit]


# ------------------------------------------------------------------------------------------------ recommendation


def _recommendation(
    shop: Shop, profile: Profile, chart: Chart, decision: Decision, schedule: "Schedule | None", *, names_order: bool
) -> Json:
    lead = decision.verdicts[0]
    card = {
        "uuid": str(uuid4()),
        "summary": summarise(decision),
        "indicator": _indicator(decision),
        "detail": _detail(shop, decision, schedule, names_order=names_order),
        "source": _source(shop, _primary(lead[0].sources), decision.conclusion),
        "overrideReasons": _override_reasons(shop, _REASONS[decision.conclusion]),
        "links": [{"label": "Rules, thresholds and sources", "url": shop.knowledge_url, "type": "absolute"}],
    }
    tests = _tests_to_offer(decision, chart)
    if profile.suggestions and tests:
        card["suggestions"] = [_test_suggestion(shop, chart, decision, tests)]
        card["selectionBehavior"] = "any"
    return card


def summarise(decision: Decision) -> str:
    """Class in words, the reason where it is a stop or a gap, ferritin and TSAT; at most 139 characters (CH-124)."""
    case = decision.case
    words = [f"{product_name(decision)}: {IN_WORDS[decision.conclusion]}"]
    headline = decision.verdicts[0][1].headline
    if headline and not decision.conclusion.is_supportive:
        words.append(f" - {md.plain(headline)}")
    values = [
        f"{name} {reading.shown}"
        for name, reading in (("ferritin", case.ferritin), ("TSAT", case.tsat))
        if reading.is_usable
    ]
    missing = [name for name, reading in (("ferritin", case.ferritin), ("TSAT", case.tsat)) if not reading.is_usable]
    if missing and decision.conclusion.is_supportive:
        values.append(f"{' and '.join(missing)} missing")
    head, tail = "".join(words), "; " + ", ".join(values) if values else ""
    if len(head) + len(tail) <= LONGEST_SUMMARY:
        return head + tail
    return head if len(head) <= LONGEST_SUMMARY else head[: LONGEST_SUMMARY - 1].rstrip() + "\u2026"


def product_name(decision: Decision) -> str:
    ingredient = decision.case.order.ingredient
    return PRODUCTS[ingredient] if ingredient else "IV iron (product not named)"


def _indicator(decision: Decision) -> str:
    """R-52."""
    indicator = INDICATORS[decision.conclusion]
    return "warning" if indicator == "info" and decision.makes_warning else indicator


def _detail(shop: Shop, decision: Decision, schedule: "Schedule | None", *, names_order: bool) -> str:
    first = [line for _, line in decision.lines if line.rank is Rank.TSAT_MISSING]
    rest = [line for _, line in decision.lines if line.rank is not Rank.TSAT_MISSING]
    reasons = [sentence for _, verdict in decision.verdicts for sentence in verdict.say or (verdict.because,)]
    reasons += [sentence for _, cap in decision.caps for sentence in cap.say]
    parts = [
        *(f"**{md.text(line.text)}**" for line in first),
        *([f"Order: {md.text(decision.case.order.name and _quoted_name(decision))}."] if names_order else []),
        " ".join(md.text(sentence) for sentence in reasons),
        _section("Check first", _cautions(rest)),
        _section("Values used", _values(decision)),
        _section("Missing or set aside", _set_aside(decision)),
        _section("How this was decided", _rule_path(decision)),
        *_remarks(decision),
        *([md.text(schedule.note)] if schedule and schedule.note else []),
        _footer(shop, _primary(decision.verdicts[0][0].sources)),
    ]
    return "\n\n".join(part for part in parts if part)


def _quoted_name(decision: Decision) -> str:
    from cds_service.clinical.wording import quote

    return quote(decision.case.order.name)


def _section(title: str, lines: Sequence[str]) -> str:
    return f"**{title}**\n\n" + "\n".join(f"- {line}" for line in lines) if lines else ""


def _cautions(lines: Sequence[Line]) -> list[str]:
    """At most seven, most dangerous first; ranks 1 to 8 are never dropped (R-51, R-51a)."""
    shown = [line for place, line in enumerate(lines) if place < MOST_CAUTIONS or line.rank <= NEVER_DROPPED]
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
        text = f"{name} {reading.shown}, {reading.day.isoformat() if reading.day else 'undated'}"
        lines.append(md.text(text + (f" ({'; '.join(notes)})" if notes else "")))
    return lines


def _conversion(reading: Reading) -> str:
    return reading.chosen.note if reading.chosen else ""


def _set_aside(decision: Decision) -> list[str]:
    """What was missing or rejected, and why (R-54), "in the data provided" (CH-096)."""
    case = decision.case
    lines = []
    for name, reading in (("Ferritin", case.ferritin), ("TSAT", case.tsat), ("Hemoglobin", case.hemoglobin)):
        if not reading.is_usable:
            lines.append(md.text(f"{name}: {reading.why_missing}"))
    for gap in case.facts.gaps[:3]:
        lines.append(md.text(f"{gap.reference}: {gap.why}"))
    if len(case.facts.gaps) > 3:
        lines.append(f"{len(case.facts.gaps) - 3} more records could not be read: see the decision trace.")
    return lines


def _rule_path(decision: Decision) -> list[str]:
    path = [f"{rule.id}: {md.text(verdict.because)}" for rule, verdict in decision.verdicts]
    path += [f"{rule.id}: {md.text(cap.because)}" for rule, cap in decision.caps]
    certainty = decision.verdicts[0][1].certainty
    if certainty:
        path.append(f"Strength and certainty: {md.text(certainty)}")
    return path


_SECTIONS = (
    ("alternatives", "Alternatives"),
    ("next-step", "Next step"),
    ("product", "Product"),
    ("history", "History"),
)


def _remarks(decision: Decision) -> list[str]:
    by_section: dict[str, list[str]] = {}
    for _, remark in decision.remarks:
        by_section.setdefault(remark.section, []).append(md.text(remark.text))
    return [_section(title, by_section[key]) for key, title in _SECTIONS if key in by_section]


def _footer(shop: Shop, citation: Citation) -> str:
    return (
        f"Source: {md.link(citation.title, citation.url)}. {md.escape(shop.stamp.text[:1].upper() + shop.stamp.text[1:])}. "
        "Decision support only: the clinician decides."
    )


def _primary(sources: Iterable[Citation]) -> Citation:
    """The guideline or label a rule rests on; the AASM guideline where a rule is a decision of this project."""
    return next((source for source in sources if source.url), A1)


def _source(shop: Shop, citation: Citation, topic: str) -> Json:
    source: Json = {"label": citation.title}
    if citation.url:
        source["url"] = citation.url
    source["topic"] = {"system": shop.topic_system, "code": str(topic), "display": TOPIC_DISPLAY[topic]}
    return source


def _override_reasons(shop: Shop, reasons: Sequence[str]) -> list[Json]:
    return [_coding(shop.reasons[code]) for code in reasons]


def _coding(coding: Coding) -> Json:
    return {"code": coding.code, "system": coding.system, "display": coding.display}


# -------------------------------------------------------------------------------------------------- tests to order


def _tests_to_offer(decision: Decision, chart: Chart) -> tuple[str, ...]:
    """Orders to offer (R-26, R-29c), without those already among the drafts (CH-246)."""
    wanted = dict.fromkeys(_PANEL.get(test, test) for test in decision.offered_tests)
    return tuple(test for test in wanted if test not in chart.drafted_tests)


def _test_suggestion(shop: Shop, chart: Chart, decision: Decision, tests: Sequence[str]) -> Json:
    when = decision.tests_not_before
    course = _course(shop, chart, decision)
    names = _listed([TEST_NAMES[test] for test in tests])
    note = SPECIMEN_NOTE + (
        f" Not before {when.isoformat()}: iron given recently distorts the result (R-09)." if when else ""
    )
    return {
        "label": f"Order {names}" + (f" for {when.isoformat()}" if when else ""),
        "uuid": str(uuid4()),
        "isRecommended": True,
        "actions": [
            {
                "type": "create",
                "description": f"Order {TEST_NAMES[test]}",
                "resource": orders.laboratory_request(shop.codes, course, "baseline", test, when, note),
            }
            for test in tests
        ],
    }


def _listed(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else ", ".join(names[:-1]) + " and " + names[-1]


# --------------------------------------------------------------------------------------------------- reassessment


@dataclass(frozen=True, slots=True)
class Schedule:
    """The contacts of one course, and those that are still to be arranged (R-50, R-50a)."""

    course: CourseRef
    anchor: date
    is_provisional: bool
    planned: tuple[Planned, ...]
    missing: tuple[Planned, ...]
    arranged_tests: frozenset[str]  # "<contact>.<test>"
    note: str

    @classmethod
    def of(cls, shop: Shop, chart: Chart, decision: Decision) -> "Schedule | None":
        """None unless the class supports the order."""
        if not decision.conclusion.is_supportive:
            return None
        case = decision.case
        anchor, provisional = doses.anchor(case)
        ours = _course(shop, chart, decision)
        mine = [one for one in case.facts.arranged if _is_of_course(one, ours.course, anchor)]
        known = {one.contact for one in mine if one.test is None}
        planned = plan(anchor)
        missing = tuple(one for one in planned if one.contact.id not in known and one.window_last >= case.as_of)
        if mine:
            ours = CourseRef(ours.patient_id, mine[0].course, ours.identifier_system, ours.rls_condition, ours.based_on)
        others = [
            one for one in case.facts.arranged if one not in mine and one.test is None and one.status not in _CLOSED
        ]
        tests = frozenset(f"{one.contact}.{one.test}" for one in mine if one.test)
        return cls(ours, anchor, provisional, planned, missing, tests, _schedule_note(missing, mine, others))


_CLOSED = ("completed", "revoked", "cancelled", "entered-in-error", "rejected", "fulfilled", "noshow")


def _is_of_course(one: ArrangedContact, course: str, anchor: date) -> bool:
    if one.course == course:
        return True
    if one.due is None:
        return False
    return any(abs((implied - anchor).days) <= SAME_COURSE_DAYS for implied in implied_anchors(one.contact, one.due))


def _schedule_note(
    missing: Sequence[Planned], mine: Sequence[ArrangedContact], others: Sequence[ArrangedContact]
) -> str:
    notes = []
    if mine and not missing:
        notes.append("Follow-up of this course is arranged.")
    if others:
        when = _listed(sorted({f"{one.contact} ({one.due.isoformat() if one.due else 'undated'})" for one in others}))
        notes.append(f"Contacts of an earlier course are still open: {when}. Consider cancelling them.")
    return " ".join(notes)


def _course(shop: Shop, chart: Chart, decision: Decision) -> CourseRef:
    case = decision.case
    mates = {case.order.reference, *(mate.reference for mate in doses.course_mates(case))}
    first = next((one for one in case.session if one.reference in mates), case.order)
    return CourseRef(
        patient_id=chart.patient_id,
        course=orders.course_part(chart.patient_id, first.reference),
        identifier_system=shop.identifier_system,
        rls_condition=_rls_reference(case.facts.conditions),
        based_on=None if first.status in (None, "draft") else first.reference,
    )


def _rls_reference(conditions: Iterable[ConditionEntry]) -> str | None:
    """The RLS entry to point at; references without an id are of no use to the client."""
    entries = (entry for entry in conditions if "rls" in entry.concepts and entry.is_active and entry.counts)
    return next((entry.reference for entry in entries if entry.reference.startswith("Condition/")), None)


def _reassessment(shop: Shop, profile: Profile, decision: Decision, schedule: Schedule) -> Json:
    targets = ", ".join(f"{one.contact.title} {one.target.isoformat()}" for one in schedule.missing)
    card: Json = {
        "uuid": str(uuid4()),
        "summary": _fit(f"Schedule RLS reassessment after {product_name(decision).lower()}: {targets}"),
        "indicator": "info",
        "detail": _reassessment_detail(shop, decision, schedule),
        "source": _source(shop, A1, "reassessment"),
        "overrideReasons": _override_reasons(shop, _SCHEDULE_REASONS),
        "links": [{"label": "Rules, thresholds and sources", "url": shop.knowledge_url, "type": "absolute"}],
    }
    if profile.suggestions:
        card["suggestions"] = [_schedule_suggestion(shop, profile, decision, schedule)]
        card["selectionBehavior"] = "any"
    return card


def _fit(summary: str) -> str:
    if len(summary) <= LONGEST_SUMMARY:
        return summary
    return "Schedule the RLS reassessments after IV iron: dates and contents are in the detail"


def _reassessment_detail(shop: Shop, decision: Decision, schedule: Schedule) -> str:
    basis = f"Day 0 is {schedule.anchor.isoformat()}"
    basis += (
        " (provisional: it moves to the day of the last infusion once that is documented)."
        if schedule.is_provisional
        else "."
    )
    contacts = [md.text(f"{one.contact.title}: {_contact_note(one)}") for one in schedule.missing]
    parts = [
        basis,
        _section("Contacts", contacts),
        _section("What to expect", _what_to_expect(decision)),
        *([md.text(schedule.note)] if schedule.note else []),
        _footer(shop, A1),
    ]
    return "\n\n".join(part for part in parts if part)


def _contact_note(planned: Planned) -> str:
    return (
        f"target {planned.target.isoformat()}, window {planned.window_first.isoformat()} to "
        f"{planned.window_last.isoformat()}. {' '.join(planned.contact.tasks)}"
    )


def _schedule_suggestion(shop: Shop, profile: Profile, decision: Decision, schedule: Schedule) -> Json:
    actions = []
    for planned in schedule.missing:
        note = _contact_note(planned) + _baseline(decision)
        resource = orders.contact_resource(profile.follow_up, shop.codes, schedule.course, planned, note)
        actions.append(_create(f"Reassessment {planned.contact.title}, {planned.target.isoformat()}", resource))
        if not profile.separate_tests:
            continue
        for test in dict.fromkeys(_PANEL.get(test, test) for test in planned.contact.tests_to_order):
            if f"{planned.contact.id}.{test}" not in schedule.arranged_tests:
                request = orders.laboratory_request(
                    shop.codes, schedule.course, planned.contact.id, test, planned.target, SPECIMEN_NOTE
                )
                actions.append(_create(f"Order {TEST_NAMES[test]} for {planned.target.isoformat()}", request))
    count = len(schedule.missing)
    label = (
        "Schedule all reassessments" if count == len(schedule.planned) else f"Schedule {count} missing reassessments"
    )
    return {"label": label, "uuid": str(uuid4()), "isRecommended": True, "actions": actions}


def _create(description: str, resource: Json) -> Json:
    return {"type": "create", "description": description, "resource": resource}


def _baseline(decision: Decision) -> str:
    dated = [score for score in decision.case.facts.severity if score.day and score.day.last <= decision.case.as_of]
    if not dated:
        return " No baseline severity score found: record one before the infusion."
    latest = max(dated, key=lambda score: (score.day.last if score.day else date.min, score.reference))
    return f" Baseline severity score {latest.total} ({latest.day.last.isoformat() if latest.day else ''})."


def _what_to_expect(decision: Decision) -> list[str]:
    """R-56: the seed study's facts with their weight; never a prognosis for this patient."""
    reading = decision.case.ferritin
    lines = list(WHAT_TO_EXPECT)
    if reading.is_usable:
        lines[2] += f" This patient's ferritin is {reading.shown}; it is context, not a forecast."
    return [md.text(line) for line in lines]


WHAT_TO_EXPECT = (
    f"Earliest benefit was seen about day 8, in 12 of 20 patients after 500 mg ferric carboxymaltose; the responders' "
    f"IRLS total went from 28.3 to 18.3 by week 3, the whole group's from 30.1 to 23.07 ({T1.id}).",
    f"After 1000 mg iron dextran 32 of the 42 anaemic patients who were reached responded, 20 of 42 for longer than 6 months ({T6.id}).",
    f"Younger age (p = 0.064), ferritin below 45 (p = 0.097) and fewer comorbidities showed tendencies only, and later "
    f"series disagree ({T1.id}, {T6.id}, {T10.id}).",
    f"No response can be promised; a final verdict is not possible before week 6 to 8 ({A2.id}).",
)
