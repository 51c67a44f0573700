"""The iron story of one patient: FHIR resources in, what a chart draws out. Nothing of it is kept.

A pure function over what the browser fetched with its own token: values are read and judged by the code that decides
the cards, so that the page needs no threshold, unit or rule of its own.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from functools import partial
from typing import Any

import msgspec

from cds_service.clinical import doses
from cds_service.clinical.case import Case
from cds_service.clinical.dates import age_on
from cds_service.clinical.doses import Dose
from cds_service.clinical.follow_up.contacts import ContactState, State
from cds_service.clinical.follow_up.course import open_chart
from cds_service.clinical.follow_up.interpretation import interpret
from cds_service.clinical.follow_up.view import is_in_scope
from cds_service.clinical.model import PatientFacts
from cds_service.clinical.story.bands import Band, find_bands
from cds_service.clinical.story.courses import (
    EARLIEST,
    CourseTold,
    Span,
    find_blackouts,
    find_cautions,
    tell_courses,
)
from cds_service.clinical.story.points import ANALYTES, Point, last_day, plot_results, plot_severity
from cds_service.clinical.units import CANONICAL, SEVERITY_RANGE
from cds_service.clinical.wording import unquote
from cds_service.errors import OtherRefusal
from cds_service.fhir import orders, reader
from cds_service.fhir.gather import Medications, unresolved_drugs
from cds_service.fhir.prefetch import Settled, settle
from cds_service.fhir.wire import ReadContext

Json = dict[str, Any]

# The prefetch keys that the story is made of: no more is asked for than is drawn (minimal scopes).
KEYS = (
    "patient",
    "conditions",
    "ferritin",
    "tsat",
    "hemoglobin",
    "iron_panel",
    "weight",
    "pregnancy",
    "rls_severity",
    "iron_administrations",
    "medications",
    "medication_statements",
    "procedures",
    "follow_up",
)
# Anybody may ask for a story, so that none may take long: more than these is no patient's iron.
MOST_RESOURCES = 5000
MOST_RESULTS = 600  # of one iron study
MOST_OF_A_DAY = 50  # of them on one day
MOST_IRON_RECORDS = 600  # records of IV iron
_IRON_STUDIES = ("ferritin", "tsat", "iron", "tibc", "uibc", "transferrin")
NO_WINDOWS: Mapping[str, int] = {}  # what no rule asks for any more is drawn all the same
REFERENCED = "referenced"  # Medications the page fetched because drugs named them
_WITH_DRUGS = ("medications", "iron_administrations", "medication_statements")
_TITLES = {"ferritin": "Ferritin", "tsat": "TSAT", "hemoglobin": "Hemoglobin"}
# The axes reach at least from one to the other, so that every band is on the page.
_FOOT = {"ferritin": 0.0, "tsat": 0.0, "hemoglobin": 5.0}
_TOP = {"ferritin": 350.0, "tsat": 60.0, "hemoglobin": 16.0}
_ROOM = 1.08
_MARGIN_DAYS = 14
_LEAST_DAYS = 180  # shown, so that one result does not fill the page
_YEAR = 365
_SEVERITY_TITLE = "RLS severity (IRLS total)"
OUT_OF_SCOPE = (
    "No adult with restless legs syndrome by this chart: the bands are thresholds for adults with RLS, and no "
    "reassessment is shown."
)


class Posted(msgspec.Struct):
    """What the page posts: the FHIR server it read from, the patient, and per key what came back."""

    fhirServer: str
    patientId: str
    prefetch: dict[str, msgspec.Raw]


_POSTED = msgspec.json.Decoder(Posted)


def parse_posted(body: bytes) -> Posted:
    """Raises `OtherRefusal` (400) naming the member; no value of the body is repeated."""
    try:
        posted = _POSTED.decode(body)
    except msgspec.ValidationError as wrong:
        raise OtherRefusal(400, f"not a story request: {str(wrong)[:200]}") from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise OtherRefusal(400, "the body is no JSON") from None
    if not posted.patientId:
        raise OtherRefusal(400, "patientId: must not be empty")
    return posted


@dataclass(frozen=True, slots=True)
class Told:
    """Everything that is drawn, before it is written as JSON."""

    chart: Case
    in_scope: bool
    points: Mapping[str, tuple[Point, ...]]
    severity: tuple[Point, ...]
    courses: tuple[CourseTold, ...]


def tell_story(context: ReadContext, prefetch: Mapping[str, msgspec.Raw | bytes], label: str) -> Json:
    """Series, bands, infusions, windows and sentences for the patient and day of `context`; plain JSON values.

    Raises `OtherRefusal` (413) for more resources than one patient's iron fills.
    """
    supplied = {key: None if bytes(value) == b"null" else value for key, value in prefetch.items()}
    settled = {key: settle(supplied, key) for key in (*KEYS, REFERENCED)}
    _refuse_more_than(MOST_RESOURCES, sum(len(one.resources) for one in settled.values()), "resources")
    medications = Medications([one.resources for one in settled.values()])
    facts = _read(context, settled, medications)
    _require_one_patients_size(facts)
    told = _tell(facts, context.as_of, label, partial(orders.course_part, context.patient_id))
    drugs = [raw for key in _WITH_DRUGS for raw in settled[key].resources]
    return {
        "today": context.as_of.isoformat(),
        "patient": _render_patient(facts, context.as_of),
        "inScope": told.in_scope,
        "panels": [_render_panel(told, analyte) for analyte in ANALYTES],
        "severity": _render_severity(told.severity),
        "infusions": [_render_dose(dose) for dose in told.chart.doses],
        "blackouts": _render_spans(find_blackouts(told.chart.earlier_iron.blackout_doses), _BLACKOUT),
        "cautions": _render_spans(find_cautions(told.chart.earlier_iron.blackout_doses), _CAUTION),
        "windows": [_render_state(one) for course in told.courses for one in course.states],
        "conclusions": _conclude(told),
        "notes": _notes(told),
        "ranges": _ranges(told),
        "wanted": unresolved_drugs(drugs, medications),
    }


def _read(context: ReadContext, settled: Mapping[str, Settled], medications: Medications) -> PatientFacts:
    keys = [key for key in settled if key != REFERENCED]
    data: Mapping[str, Sequence[msgspec.Raw]] = {key: settled[key].resources for key in keys}
    unavailable = {key: str(settled[key].state) for key in keys if not settled[key].is_answered}
    return reader.read_facts(context, data, unavailable, resolve=medications, windows=NO_WINDOWS)


def _require_one_patients_size(facts: PatientFacts) -> None:
    _refuse_more_than(MOST_IRON_RECORDS, len(facts.dose_records), "records of IV iron")
    for analyte in _IRON_STUDIES:
        results = facts.results.get(analyte, ())
        _refuse_more_than(MOST_RESULTS, len(results), f"{analyte} results")
        days = Counter(result.day for result in results if result.day)
        _refuse_more_than(MOST_OF_A_DAY, max(days.values(), default=0), f"{analyte} results of one day")


def _refuse_more_than(most: int, count: int, what: str) -> None:
    if count > most:
        raise OtherRefusal(413, f"more than {most} {what}; post what the queries of this service ask for")


def _tell(facts: PatientFacts, as_of: date, label: str, name_course: Callable[[str], str]) -> Told:
    chart = open_chart(facts, as_of, label)
    in_scope = is_in_scope(facts, as_of)
    return Told(
        chart,
        in_scope,
        {analyte: plot_results(chart, analyte) for analyte in ANALYTES},
        plot_severity(facts.severity, as_of),
        tell_courses(chart, name_course) if in_scope else (),
    )


# ------------------------------------------------------------------------------------------------------------- panels


def _render_panel(told: Told, analyte: str) -> Json:
    points = told.points[analyte]
    bands = find_bands(told.chart, analyte)
    values = [float(one.value) for one in points if one.value is not None]
    foot = min([_FOOT[analyte], *(value / _ROOM for value in values)])
    top = max([_TOP[analyte], *(value * _ROOM for value in values)])
    return {
        "id": analyte,
        "title": _TITLES[analyte],
        "unit": CANONICAL[analyte],
        "axis": {"min": foot, "max": top},
        "bands": [_render_band(analyte, band, foot, top) for band in bands],
        "points": [_render_point(one, told.chart.as_of) for one in points],
        "showsBlackout": analyte != "hemoglobin",  # R-09 names ferritin, iron and TSAT
    }


def _render_band(analyte: str, band: Band, foot: float, top: float) -> Json:
    low, high = band.zone.low, band.zone.high
    return {
        "from": foot if low is None else float(low),
        "to": top if high is None else float(high),
        "tone": str(band.tone),
        "label": band.label(analyte),
        "rules": band.rules,
        "limit": None if low is None else f"{low:f}",
    }


def _render_point(one: Point, as_of: date) -> Json:
    """`y` is null where the value cannot be placed, `date` where there is none; of a partial one it is its last day."""
    day = last_day(one.day)
    return {
        "date": min(day, as_of).isoformat() if day and one.day and one.day.first <= as_of else _iso(day),
        "when": str(one.day) if one.day else "undated",
        "y": None if one.value is None else float(one.value),
        "shown": one.shown,
        "status": one.status,
        "usable": one.is_usable,
        "why": one.why,
        "note": one.note,
        "today": one.today,
    }


def _iso(day: date | None) -> str | None:
    return day.isoformat() if day else None


def _render_severity(points: tuple[Point, ...]) -> Json:
    low, high = SEVERITY_RANGE
    return {
        "title": _SEVERITY_TITLE,
        "unit": "points",
        "axis": {"min": int(low), "max": int(high)},
        "points": [_render_point(one, date.max) for one in points],
    }


# ------------------------------------------------------------------------------------------------ infusions, contacts

_BLACKOUT = "Ferritin and TSAT cannot be interpreted: iron given recently (R-09)"
_CAUTION = "Ferritin and TSAT are read with caution: iron given recently (R-09)"


def _render_dose(dose: Dose) -> Json:
    amount = "dose not recorded" if dose.amount_mg is None else f"{doses.plain(dose.amount_mg)} mg"
    return {
        "date": dose.day.isoformat(),
        "when": dose.day.isoformat() if dose.is_exact_day else f"{dose.earliest} to {dose.day}",
        "amount": amount,
        "product": doses.name_product(dose.ingredient),
        "label": doses.describe(dose),
        "fromOrder": dose.from_order,
    }


def _render_spans(spans: Iterable[Span], label: str) -> list[Json]:
    return [{"from": one.first.isoformat(), "to": one.last.isoformat(), "label": label} for one in spans]


_STATE_TONES = {
    State.DONE: "done",
    State.OPEN: "due",
    State.DUE_TODAY: "due",
    State.OVERDUE: "overdue",
    State.MISSED: "missed",
    State.NOT_DUE: "planned",
}
_STATE_WORDS = {State.NOT_DUE: "not due yet"}


def _render_state(one: ContactState) -> Json:
    planned = one.planned
    what = _STATE_WORDS.get(one.state, str(one.state))
    because = one.because or ("requested" if one.is_arranged else "not requested")
    return {
        "contact": planned.contact.title,
        "rule": planned.contact.rule,
        "target": planned.target.isoformat(),
        "from": planned.window_first.isoformat(),
        "to": planned.window_last.isoformat(),
        "state": _STATE_TONES[one.state],
        "what": what,
        "because": because,
        "label": f"{planned.contact.title}: {what} ({because})",
    }


# ---------------------------------------------------------------------------------------------------------- sentences


def _conclude(told: Told) -> Json | None:
    """R-48 for today, about the course that is followed up."""
    if not told.courses:
        return None
    latest = told.courses[-1]
    if latest.seen_on != told.chart.as_of:
        return None
    found = interpret(told.chart, latest.course)
    return {
        "headline": f"Day {latest.course.days} after IV iron: {found.headline}",
        "say": [unquote(line) for line in found.say],
        "notYet": [unquote(line) for line in found.not_yet],
    }


def _notes(told: Told) -> list[str]:
    """What the reader must know of the data: scope, queries that failed, entries that could not be read."""
    facts = told.chart.facts
    notes = [] if told.in_scope else [OUT_OF_SCOPE]
    if facts.unavailable:
        words = ", ".join(f"{key} ({state})" for key, state in sorted(facts.unavailable.items()))
        notes.append(f"Not obtained, so it may be missing here: {words}.")
    if facts.gaps:
        notes.append(f"Entries of the chart not used: {len(facts.gaps)} (unreadable, or about another patient).")
    if undated := doses.undated(facts.dose_records):
        notes.append(f"Records of IV iron without a date, not drawn: {len(undated)}.")
    return notes


def _render_patient(facts: PatientFacts, as_of: date) -> Json:
    age = age_on(facts.birth, as_of) if facts.birth else None
    return {"born": str(facts.birth) if facts.birth else None, "age": age, "sex": facts.sex}


# ------------------------------------------------------------------------------------------------------------ x range


def _ranges(told: Told) -> list[Json]:
    """What the time axis may show: everything, the last year, the course that is followed."""
    as_of = told.chart.as_of
    points = [one for series in (*told.points.values(), told.severity) for one in series]
    days = [day for one in points if (day := last_day(one.day)) and day <= as_of]
    days = [day for day in (*days, *(dose.day for dose in told.chart.doses)) if day >= EARLIEST]
    ends = [state.planned.window_last for course in told.courses for state in course.states]
    margin = timedelta(days=_MARGIN_DAYS)
    last = max([as_of, *ends]) + margin
    first = min([*days, last - timedelta(days=_LEAST_DAYS)]) - margin
    ranges = [_range("All", first, last)]
    if (as_of - first).days > _YEAR:
        ranges.append(_range("Last 12 months", as_of - timedelta(days=_YEAR), last))
    if told.courses:
        ranges.append(_range("Latest course", max(first, told.courses[-1].course.first_day - 3 * margin), last))
    return ranges


def _range(label: str, first: date, last: date) -> Json:
    return {"label": label, "from": first.isoformat(), "to": last.isoformat()}
