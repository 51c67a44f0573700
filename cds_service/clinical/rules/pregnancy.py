"""Pregnancy: a stop before 14 weeks, a cap after, a question where age or status is not on record (R-20a to R-20e)."""

from cds_service.clinical import pregnancy
from cds_service.clinical.case import Case, Rule, Threshold
from cds_service.clinical.citations import DESIGN, E1, E2, F6
from cds_service.clinical.model import (
    Answer,
    Cap,
    Conclusion,
    ConditionEntry,
    Line,
    NotApplicable,
    Phase,
    PregnancyEvidence,
    PregnancySource,
    Rank,
    Used,
    Verdict,
)
from cds_service.clinical.pregnancy import Dating, Stage
from cds_service.clinical.problem_list import explain_hedged, find_hedged, use_entries
from cds_service.clinical.rules.alternatives import is_all_iron_stopped
from cds_service.clinical.zones import FERRITIN_ZONES

PREGNANCY = frozenset({"pregnancy"})

FOURTEEN_WEEKS = Threshold("first trimester below", pregnancy.FOURTEEN_WEEKS_DAYS, "days of gestation")
_AGE_LIMITS = (
    Threshold("term", pregnancy.TERM_DAYS, "days of gestation"),
    Threshold("no gestational age above", pregnancy.LONGEST_DAYS, "days"),
    Threshold(
        "a coded first trimester lasts",
        pregnancy.FOURTEEN_WEEKS_DAYS,
        "days from the entry",
    ),
)
_STATUS_LIMITS = (
    Threshold("evidence of pregnancy lapses after", pregnancy.EVIDENCE_DAYS, "days"),
    Threshold(
        "pregnant before the delivery date by at most",
        pregnancy.BEFORE_DELIVERY_DAYS,
        "days",
    ),
    Threshold(
        "pregnant after the delivery date by at most",
        pregnancy.AFTER_DELIVERY_DAYS,
        "days",
    ),
    Threshold("status on record for", pregnancy.STATUS_KNOWN_DAYS, "days"),
    Threshold("status asked for from", pregnancy.YOUNGEST, "years"),
    Threshold("status asked for up to", pregnancy.OLDEST, "years"),
)

# ------------------------------------------------------------------------------------------------------------ words

_SOURCES = {
    PregnancySource.STATUS: "pregnancy status",
    PregnancySource.CONDITION: "problem list",
    PregnancySource.DELIVERY_DATE: "delivery date",
    PregnancySource.GESTATIONAL_AGE: "recorded gestational age",
    PregnancySource.LAST_PERIOD: "last menstrual period",
}


def show_age(days: int) -> str:
    """`13w6d`."""
    return f"{days // 7}w{days % 7}d"


def _show_source(one: PregnancyEvidence) -> str:
    stated = f" {one.value_date}" if one.value_date else ""
    return f"{_SOURCES[one.source]}{stated}, {f'recorded {one.day}' if one.day else 'undated'}"


def _say_pregnant(case: Case) -> str:
    unconfirmed = ", unconfirmed" if _is_unconfirmed(case) else ""
    return f"pregnant ({_show_source(case.pregnancy.current[0])}{unconfirmed})"


def _is_unconfirmed(case: Case) -> bool:
    """Nothing but problem-list entries marked as unconfirmed says so."""
    entries = {entry.reference: entry for entry in case.facts.conditions}
    return all(_is_doubtful(entries.get(one.reference)) for one in case.pregnancy.current)


def _is_doubtful(entry: ConditionEntry | None) -> bool:
    return entry is not None and entry.is_unconfirmed


def _say_age(dating: Dating) -> str:
    """With its source, and whether the exact age is wanted."""
    if dating.source is None:
        return "gestational age unknown"
    source = _show_source(dating.source)
    if dating.age_days is not None:
        return f"gestational age {show_age(dating.age_days)} today (from the {source})"
    if dating.is_assumed:
        return f"{dating.stage}, going by a coded first trimester ({source}); please record the exact gestational age"
    return f"{dating.stage}, going by the coded trimester ({source})"


def _use(case: Case) -> tuple[Used, ...]:
    state = case.pregnancy
    newest = state.current[0]
    used = [Used("pregnancy", "pregnant", newest.reference, str(newest.day or ""))]
    dated_by = state.dating.source
    if dated_by is not None:
        shown = str(state.dating.stage) if state.age_days is None else show_age(state.age_days)
        used.append(Used("gestational age", shown, dated_by.reference, str(dated_by.day or "")))
    return tuple(used)


# ---------------------------------------------------------------------------------------------- R-20a, R-20b, R-20c

_NOT_EARLY = (NotApplicable("not pregnant, or not before 14w0d"),)
_NOT_LATER = (NotApplicable("not pregnant, or not at 14w0d or more"),)
_AGE_KNOWN = (NotApplicable("not pregnant, or the gestational age is on record"),)


def _evaluate_early(case: Case) -> tuple[Answer, ...]:
    state = case.pregnancy
    if state.stage is not Stage.EARLY:
        return _NOT_EARLY
    advice = "" if _is_no_iron_advised(case) else "oral iron meanwhile, and "
    say = [
        f"First trimester: {_say_pregnant(case)}, {_say_age(state.dating)}.",
        f"Consider {advice}asking obstetrics.",
    ]
    if state.reaches_14_weeks_on:
        say.append(f"14w0d is reached on {state.reaches_14_weeks_on}.")
    because = "pregnant, before 14w0d"
    return (
        Verdict(
            Conclusion.CONTRAINDICATED,
            because,
            "first trimester of pregnancy",
            tuple(say),
            _use(case),
        ),
    )


def _is_no_iron_advised(case: Case) -> bool:
    """By any route: R-15, R-16, R-19, or ferritin at the ceiling (R-17)."""
    return is_all_iron_stopped(case) or case.ferritin.stops_in(FERRITIN_ZONES[3])


def _evaluate_later(case: Case) -> tuple[Answer, ...]:
    if case.pregnancy.stage is not Stage.LATER:
        return _NOT_LATER
    say = ("The support is weaker: the guideline's evidence in adults did not address pregnancy.",)
    return (Cap("pregnant, 14w0d or more", say, _use(case)),)


def _evaluate_later_line(case: Case) -> tuple[Answer, ...]:
    state = case.pregnancy
    if state.stage is not Stage.LATER:
        return _NOT_LATER
    text = (
        f"Patient is {_say_pregnant(case)}, {_say_age(state.dating)}. Consider benefit and risk with obstetrics, fetal "
        "monitoring (a severe reaction can cause fetal bradycardia), and dosing on the weight before pregnancy."
    )
    return (Line(Rank.PREGNANCY, text, "pregnant, 14w0d or more", used=_use(case)),)


def _evaluate_unknown_age(case: Case) -> tuple[Answer, ...]:
    if case.pregnancy.stage is not Stage.UNKNOWN:
        return _AGE_KNOWN
    say = (
        f"Patient is {_say_pregnant(case)}; the gestational age is not on record.",
        "Before 14w0d IV iron is contraindicated here: please record a delivery date or gestational age.",
    )
    because = "pregnant, gestational age unknown"
    return (
        Verdict(
            Conclusion.INSUFFICIENT_DATA,
            because,
            "gestational age needed",
            say,
            _use(case),
        ),
    )


# ----------------------------------------------------------------------------------------- R-20d: status not certain

_STATUS_CERTAIN = (NotApplicable("pregnant, or status on record, or not asked for at this age and sex"),)


def _evaluate_status(case: Case) -> tuple[Answer, ...]:
    state = case.pregnancy
    if state.is_pregnant:
        return _STATUS_CERTAIN
    answers = []
    if state.lapsed:
        answers.append(_name_lapsed(state.lapsed))
    hedged = tuple(entry for entry in find_hedged(case.facts.conditions, PREGNANCY) if entry.is_active)
    if hedged:
        because = "pregnancy is named with a word of negation, family or screening"
        answers.append(
            Line(
                Rank.PREGNANCY,
                explain_hedged(hedged, "pregnancy"),
                because,
                used=use_entries(hedged),
            )
        )
    if state.needs_status_line:
        text = f"Pregnancy status not on record in the last {pregnancy.STATUS_KNOWN_DAYS} days: consider asking."
        answers.append(Line(Rank.PREGNANCY, text, "pregnancy status not on record"))
    return tuple(answers) or _STATUS_CERTAIN


def _name_lapsed(lapsed: tuple[PregnancyEvidence, ...]) -> Line:
    newest = lapsed[0]
    text = (
        f"Pregnancy was recorded on {newest.day} ({_SOURCES[newest.source]}), more than {pregnancy.EVIDENCE_DAYS} days "
        "ago, so it is not counted. If it is over, correct the record."
    )
    used = tuple(Used("pregnancy", "lapsed", one.reference, str(one.day or "")) for one in lapsed)
    return Line(Rank.PREGNANCY, text, "the evidence of pregnancy has lapsed", used=used)


_INPUTS = ("pregnancy",)

RULES: tuple[Rule, ...] = (
    Rule(
        "R-20a",
        "Pregnant before 14w0d stops",
        Phase.STOP,
        (E1, E2, F6, DESIGN),
        _INPUTS,
        _evaluate_early,
        (FOURTEEN_WEEKS, *_AGE_LIMITS, *_STATUS_LIMITS[:3]),
    ),
    Rule(
        "R-20c",
        "Pregnant with unknown gestational age: the age is asked for",
        Phase.MISSING,
        (DESIGN,),
        _INPUTS,
        _evaluate_unknown_age,
        _STATUS_LIMITS[:3],
    ),
    Rule(
        "R-20b",
        "Pregnant from 14w0d on caps",
        Phase.CAP,
        (E1, E2, F6),
        _INPUTS,
        _evaluate_later,
        (FOURTEEN_WEEKS,),
    ),
    Rule(
        "R-20b (text)",
        "Pregnant from 14w0d on: benefit and risk, monitoring, weight",
        Phase.TEXT,
        (E1, E2, F6),
        _INPUTS,
        _evaluate_later_line,
        (FOURTEEN_WEEKS,),
    ),
    Rule(
        "R-20d",
        "Pregnancy status not on record, lapsed, or only hedged, is named",
        Phase.TEXT,
        (DESIGN,),
        ("pregnancy", "conditions", "sex", "birth"),
        _evaluate_status,
        _STATUS_LIMITS,
    ),
)
