"""The reassessment card: contacts of the course still to be arranged, one suggestion for them (R-43...R-51, R-56)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from cds_service import markdown as md
from cds_service.card_parts import (
    LONGEST_SUMMARY,
    PANEL,
    TEST_NAMES,
    Chart,
    Json,
    Profile,
    Shop,
    course_of,
    create_action,
    footer,
    links_of,
    listed,
    override_reasons,
    product_name,
    section,
    source_of,
)
from cds_service.clinical import doses
from cds_service.clinical.case import Case
from cds_service.clinical.citations import A1
from cds_service.clinical.decision import Decision
from cds_service.clinical.expectations import WHAT_TO_EXPECT
from cds_service.clinical.follow_up.open_requests import Move, find_move
from cds_service.clinical.model import ArrangedContact
from cds_service.clinical.schedule import SPECIMEN_NOTE, Planned, implied_anchors, plan
from cds_service.clinical.windows import SAME_COURSE_DAYS
from cds_service.fhir import orders
from cds_service.fhir.orders import CourseRef
from cds_service.ids import new_uuid
from cds_service.moved_requests import MAY_BE_MOVED, MOVE_LABEL, move_actions, name_request

_SCHEDULE_REASONS = (
    "action-completed",
    "wrong-time-workflow",
    "patient-refuses",
    "service-not-available",
)


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
    move: Move | None = None  # R-50b

    @property
    def has_offer(self) -> bool:
        """Something is still to be arranged, or to be moved (R-50, R-50b)."""
        return bool(self.missing or self.move)

    @classmethod
    def of(cls, shop: Shop, chart: Chart, decision: Decision) -> "Schedule | None":
        """None unless the class supports the order."""
        if not decision.conclusion.is_supportive:
            return None
        case = decision.case
        anchor, provisional = doses.anchor(case)
        ours = course_of(shop, chart, decision)
        mine = [one for one in case.facts.arranged if _is_of_course(one, ours.course, anchor)]
        known = {one.contact for one in mine if one.test is None}
        planned = plan(anchor)
        missing = tuple(one for one in planned if one.contact.id not in known and one.window_last >= case.as_of)
        if mine:
            ours = CourseRef(
                ours.patient_id,
                _their_course(mine, ours.course),
                ours.identifier_system,
                ours.rls_condition,
                ours.based_on,
            )
        others = [
            one for one in case.facts.arranged if one not in mine and one.test is None and one.status not in CLOSED
        ]
        tests = frozenset(f"{one.contact}.{one.test}" for one in mine if one.test)
        move = find_move(mine, planned, anchor, case.as_of) if _is_anchor_sure(case) else None
        return cls(
            ours,
            anchor,
            provisional,
            planned,
            missing,
            tests,
            _schedule_note(missing, mine, others, move),
            move,
        )


CLOSED = (
    "completed",
    "revoked",
    "cancelled",
    "entered-in-error",
    "rejected",
    "fulfilled",
    "noshow",
)


def _is_anchor_sure(case: Case) -> bool:
    """Whether day 0 is a reason to move what is arranged.

    It is not without a planned date, when it is only the day of the call, nor beside orders of another course.
    """
    mates = {case.order.reference, *(mate.reference for mate in doses.course_mates(case))}
    return bool(doses.upcoming_dates(case.order, case.as_of)) and all(one.reference in mates for one in case.session)


def _their_course(mine: Sequence[ArrangedContact], ours: str) -> str:
    """Missing contacts join those already there, under their course; of several the same one every time."""
    known = {one.course for one in mine}
    return ours if ours in known else min(known)


def _is_of_course(one: ArrangedContact, course: str, anchor: date) -> bool:
    if one.course == course:
        return True
    if one.due is None:
        return False
    return any(abs((implied - anchor).days) <= SAME_COURSE_DAYS for implied in implied_anchors(one.contact, one.due))


def _schedule_note(
    missing: Sequence[Planned],
    mine: Sequence[ArrangedContact],
    others: Sequence[ArrangedContact],
    move: Move | None,
) -> str:
    notes = []
    if move:
        when = listed(sorted(name_request(one) for one in move.old))
        notes.append(f"Reassessments counted from another day are open: {when}. {MAY_BE_MOVED}")
    elif mine and not missing:
        notes.append("Follow-up of this course is arranged.")
    if others:
        when = listed(sorted({f"{one.contact} ({one.due.isoformat() if one.due else 'undated'})" for one in others}))
        notes.append(f"Contacts of an earlier course are still open: {when}. Consider cancelling them.")
    return " ".join(notes)


def render_reassessment(shop: Shop, profile: Profile, decision: Decision, schedule: Schedule) -> Json:
    moved = schedule.move.planned if schedule.move else ()
    notes = {one.contact.id: _contact_note(one) for one in (*moved, *schedule.missing)}
    targets = ", ".join(f"{one.contact.title} {one.target.isoformat()}" for one in (*moved, *schedule.missing))
    verb = "Move" if schedule.move else "Schedule"
    card: Json = {
        "uuid": new_uuid(),
        "summary": _fit(f"{verb} RLS reassessment after {product_name(decision).lower()}: {targets}"),
        "indicator": "info",
        "detail": _reassessment_detail(shop, decision, schedule, notes),
        "source": source_of(shop, A1, "reassessment"),
        "overrideReasons": override_reasons(shop, _SCHEDULE_REASONS),
        "links": links_of(shop, profile),
    }
    if profile.suggestions:
        card["suggestions"] = [_schedule_suggestion(shop, profile, decision, schedule, notes)]
        card["selectionBehavior"] = "any"
    return card


def _fit(summary: str) -> str:
    if len(summary) <= LONGEST_SUMMARY:
        return summary
    return "Schedule the RLS reassessments after IV iron: dates and contents are in the detail"


def _reassessment_detail(shop: Shop, decision: Decision, schedule: Schedule, notes: Mapping[str, str]) -> str:
    basis = f"Day 0 is {schedule.anchor.isoformat()}"
    basis += (
        " (provisional: it moves to the day of the last infusion once that is documented)."
        if schedule.is_provisional
        else "."
    )
    moved = schedule.move.planned if schedule.move else ()
    contacts = [md.text(f"{one.contact.title}: {notes[one.contact.id]}") for one in (*moved, *schedule.missing)]
    parts = [
        basis,
        section("Contacts", contacts),
        section("What to expect", _what_to_expect(decision)),
        *([md.text(schedule.note)] if schedule.note else []),
        footer(shop, A1),
    ]
    return "\n\n".join(part for part in parts if part)


def _contact_note(planned: Planned) -> str:
    return (
        f"target {planned.target.isoformat()}, window {planned.window_first.isoformat()} to "
        f"{planned.window_last.isoformat()}. {' '.join(planned.contact.tasks)}"
    )


def _schedule_suggestion(
    shop: Shop, profile: Profile, decision: Decision, schedule: Schedule, notes: Mapping[str, str]
) -> Json:
    actions = []
    baseline = _baseline(decision)
    for planned in schedule.missing:
        note = notes[planned.contact.id] + baseline
        resource = orders.contact_resource(profile.follow_up, shop.codes, schedule.course, planned, note)
        actions.append(
            create_action(
                f"Reassessment {planned.contact.title}, {planned.target.isoformat()}",
                resource,
            )
        )
        if not profile.separate_tests:
            continue
        for test in dict.fromkeys(PANEL.get(test, test) for test in planned.contact.tests_to_order):
            if f"{planned.contact.id}.{test}" not in schedule.arranged_tests:
                request = orders.laboratory_request(
                    shop.codes,
                    schedule.course,
                    planned.contact.id,
                    test,
                    planned.target,
                    SPECIMEN_NOTE,
                )
                actions.append(
                    create_action(
                        f"Order {TEST_NAMES[test]} for {planned.target.isoformat()}",
                        request,
                    )
                )
    if schedule.move:
        actions += move_actions(shop, profile, schedule.course, schedule.move)
    count = len(schedule.missing)
    label = (
        "Schedule all reassessments" if count == len(schedule.planned) else f"Schedule {count} missing reassessments"
    )
    return {
        "label": MOVE_LABEL if schedule.move else label,
        "uuid": new_uuid(),
        "isRecommended": True,
        "actions": actions,
    }


def _baseline(decision: Decision) -> str:
    dated = [score for score in decision.case.facts.severity if score.day and score.day.last <= decision.case.as_of]
    if not dated:
        return " No baseline severity score found: record one before the infusion."
    latest = max(
        dated,
        key=lambda score: (score.day.last if score.day else date.min, score.reference),
    )
    return f" Baseline severity score {latest.total} ({latest.day.last.isoformat() if latest.day else ''})."


def _what_to_expect(decision: Decision) -> list[str]:
    """R-56: the seed study's facts with their weight; never a prognosis for this patient."""
    reading = decision.case.ferritin
    lines = list(_EXPECTED)
    if reading.is_usable:
        lines[2] += md.text(f" This patient's ferritin is {reading.shown}; it is context, not a forecast.")
    return lines


_EXPECTED = tuple(md.text(line) for line in WHAT_TO_EXPECT)
