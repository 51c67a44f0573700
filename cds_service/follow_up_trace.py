"""The trace of an opened chart: course, contacts, what was concluded and why cards appeared or stayed away."""

from typing import Any

from cds_service.clinical.follow_up.candidate import Candidate
from cds_service.clinical.follow_up.contacts import ContactState
from cds_service.clinical.follow_up.interpretation import Interpretation
from cds_service.clinical.follow_up.view import Followed, View
from cds_service.clinical.wording import unquote

Json = dict[str, Any]


def render_view_trace(view: View) -> Json:
    """Rule ids beside what they gave; values by reference, as in the trace of an order."""
    facts = view.chart.facts
    return {
        "cards": [str(topic) for topic in view.topics],
        "suppressed": [str(topic) for topic in view.suppressed],  # R-50c: after an override
        "crowdedOut": [str(topic) for topic in view.crowded_out],
        "course": _render_course(view.followed) if view.followed else None,
        "candidate": _render_candidate(view),
        "openRequests": [
            {"rule": "R-50", "because": one.because, "requests": [request.reference for request in one.requests]}
            for one in view.leftovers
        ],
        "gaps": [{"reference": gap.reference, "why": gap.why} for gap in facts.gaps],
        "unavailable": dict(facts.unavailable),
    }


def _render_course(followed: Followed) -> Json:
    course, interpretation = followed.course, followed.interpretation
    move = followed.move
    return {
        "rule": "R-43",
        "day0": course.anchor.isoformat(),
        "days": course.days,
        "doses": [
            {"day": dose.day.isoformat(), "mg": str(dose.amount_mg), "references": list(dose.references)}
            for dose in course.doses
        ],
        "adequate": course.is_adequate,
        "contacts": [_render_contact(one) for one in followed.states],
        "interpretation": _render_interpretation(interpretation),
        "recurrence": {
            "rule": "R-48",
            "returned": followed.recurrence.has_returned,
            "criteria": list(followed.recurrence.criteria),
        },
        "move": {"rule": "R-50b", "from": [one.reference for one in move.old]} if move else None,
    }  # fmt: skip


def _render_contact(one: ContactState) -> Json:
    return {
        "rule": one.planned.contact.rule,
        "contact": one.planned.contact.id,
        "target": one.planned.target.isoformat(),
        "state": str(one.state),
        "arranged": one.is_arranged,
        "because": one.because,
    }


def _render_interpretation(interpretation: Interpretation) -> Json:
    used = interpretation.used
    return {
        "rule": "R-48",
        "stage": str(interpretation.stage),
        "headline": interpretation.headline,
        "says": [unquote(line) for line in (*interpretation.say, *interpretation.not_yet)],
        "response": str(interpretation.record.response),
        "because": interpretation.record.because,
        "values": [{"name": one.name, "value": unquote(one.shown), "reference": one.reference} for one in used],
    }


def _render_candidate(view: View) -> Json:
    candidate = view.candidate
    if isinstance(candidate, Candidate):
        rule, verdict = candidate.decision.verdicts[0]
        return {"rule": "R-50d", "met": rule.id, "because": unquote(verdict.because), "doseMg": str(candidate.dose_mg)}
    studies = "offered" if view.studies is None else view.studies.because
    return {"rule": "R-50d", "notSuggested": unquote(candidate.because), "ironStudies": studies}
