"""Iron where it does harm: overload disorders, anemias that do not use iron, a high TSAT (R-15, R-15a, R-16)."""

from cds_service.clinical.case import Case, Rule, Threshold
from cds_service.clinical.citations import A2, DESIGN, E1, F3, F4, F5, P3, P7
from cds_service.clinical.model import (
    Answer,
    Cap,
    Conclusion,
    ConditionEntry,
    Line,
    NotApplicable,
    Phase,
    Rank,
    Used,
    Verdict,
)
from cds_service.clinical.problem_list import (
    explain_hedged,
    find_active,
    find_counting,
    find_hedged,
    show_entries,
    use_entries,
)
from cds_service.clinical.zones import FERRITIN_ZONES, TSAT_ZONES

OVERLOAD = frozenset({"iron-overload"})
PORPHYRIA = frozenset({"porphyria-cutanea-tarda"})
PORPHYRIA_UNSPECIFIC = frozenset({"porphyria-unspecific"})
OTHER_ANEMIAS = frozenset({"thalassemia", "sideroblastic-anemia", "hemolytic-anemia"})

# ------------------------------------------------------------------------------------------ overload disorders


def is_resolved(entry: ConditionEntry) -> bool:
    """An inherited disease is often filed inactive or in remission; only "resolved" says that it is over."""
    return entry.clinical_status == "resolved"


_NO_OVERLOAD = (NotApplicable("no entry of an iron overload disorder, save perhaps a resolved one"),)
_NO_PORPHYRIA = (NotApplicable("no active porphyria cutanea tarda"),)


def _evaluate_overload(case: Case) -> tuple[Answer, ...]:
    entries = tuple(entry for entry in find_counting(case.facts.conditions, OVERLOAD) if not is_resolved(entry))
    if not entries:
        return _NO_OVERLOAD
    say = (
        f"Iron overload disorder on record: {show_entries(entries)}.",
        "This holds whatever the ferritin, which may be low after phlebotomy, where that is the aim of treatment.",
        "Consider the opinion of the specialist who treats the overload.",
    )
    return (
        _stop(
            "an iron overload disorder is on record",
            "iron overload disorder",
            say,
            entries,
        ),
    )


def _evaluate_porphyria(case: Case) -> tuple[Answer, ...]:
    entries = find_active(case.facts.conditions, PORPHYRIA)
    if not entries:
        return _NO_PORPHYRIA
    say = (
        f"Porphyria cutanea tarda on record: {show_entries(entries)}.",
        "Refilling the iron stores can bring it back; a product text advises against parenteral iron here.",
        "Consider the opinion of the specialist who treats the porphyria.",
    )
    return (_stop("porphyria cutanea tarda is active", "porphyria cutanea tarda", say, entries),)


def _stop(
    because: str,
    headline: str,
    say: tuple[str, ...],
    entries: tuple[ConditionEntry, ...],
) -> Verdict:
    return Verdict(Conclusion.CONTRAINDICATED, because, headline, say, use_entries(entries))


# ----------------------------------------------------------------------------------------- entries that only warn

_NO_CAUTION = (NotApplicable("no resolved, hedged or unspecific entry about iron overload or porphyria"),)


def _evaluate_cautions(case: Case) -> tuple[Answer, ...]:
    conditions = case.facts.conditions
    over = (
        *(entry for entry in find_counting(conditions, OVERLOAD) if is_resolved(entry)),
        *(entry for entry in find_counting(conditions, PORPHYRIA) if not entry.is_active),
    )
    hedged = find_hedged(conditions, OVERLOAD | PORPHYRIA)
    unclear = find_active(conditions, PORPHYRIA_UNSPECIFIC)
    unclear = tuple(entry for entry in unclear if not PORPHYRIA & entry.concepts)
    answers = []
    if over:
        text = (
            f"Iron overload disorder or porphyria cutanea tarda in the past: {show_entries(over)}. "
            "Consider whether it is really over; an active one would stop this order."
        )
        answers.append(_caution(text, "an entry that would stop is no longer active", over))
    if hedged:
        text = explain_hedged(hedged, "iron overload disorder")
        answers.append(_caution(text, "named with a word of negation, family or screening", hedged))
    if unclear:
        text = f"Porphyria of unstated type: {show_entries(unclear)}. Porphyria cutanea tarda would stop this order."
        answers.append(_caution(text, "the type of porphyria is not stated", unclear))
    return tuple(answers) or _NO_CAUTION


def _caution(text: str, because: str, entries: tuple[ConditionEntry, ...]) -> Line:
    return Line(Rank.INFECTION_OVERLOAD, text, because, used=use_entries(entries))


# ------------------------------------------------------------------------------------------- R-15a: other anemias

_NO_OTHER_ANEMIA = (NotApplicable("no active thalassemia, sideroblastic or hemolytic anemia"),)


def _evaluate_anemia_cap(case: Case) -> tuple[Answer, ...]:
    entries = find_active(case.facts.conditions, OTHER_ANEMIAS)
    if not entries:
        return _NO_OTHER_ANEMIA
    say = (f"The support is weaker: {show_entries(entries)} on record.",)
    return (Cap("an anemia that may not be from lack of iron", say, use_entries(entries)),)


def _evaluate_anemia_line(case: Case) -> tuple[Answer, ...]:
    entries = find_active(case.facts.conditions, OTHER_ANEMIAS)
    if not entries:
        return _NO_OTHER_ANEMIA
    text = f"{show_entries(entries)}: anemia may not be from lack of iron. Consider asking hematology first."
    return (_caution(text, "an anemia that may not be from lack of iron", entries),)


# ---------------------------------------------------------------------------------------------------- high TSAT

TSAT_CEILING = TSAT_ZONES[-1]
FERRITIN_LOW = FERRITIN_ZONES[0]
_TSAT_NOT_HIGH = (NotApplicable("no usable TSAT of 45 % or more"),)
_EXCLUDE = "exclude recent iron intake or a specimen problem"


def _evaluate_high_tsat(case: Case) -> tuple[Answer, ...]:
    say: tuple[str, ...]
    values: tuple[Used, ...]
    # R-13a: an older usable value still stops when a newer one cannot be read.
    if not case.tsat.stops_in(TSAT_CEILING):
        return _TSAT_NOT_HIGH
    used = case.tsat.used
    found = f"TSAT {used.shown}{f' ({used.day})' if used.day else ''} is 45 % or more, the ceiling for IV iron in RLS."
    if case.ferritin.stops_in(FERRITIN_LOW):
        # Together with a low ferritin a fault of the sample is likelier than overload.
        ferritin = case.ferritin.used
        say = (
            f"Consider repeating the sample first: TSAT {used.shown} does not fit ferritin {ferritin.shown}.",
            found,
            f"Before the repeat, {_EXCLUDE}; evaluate for iron overload if TSAT stays high.",
        )
        headline, values = f"repeat the sample: TSAT {used.shown}", (used, ferritin)
    else:
        say = (
            found,
            f"Consider repeating it: {_EXCLUDE}; then evaluate for iron overload.",
        )
        headline, values = f"TSAT {used.shown}", (used,)
    return (
        Verdict(
            Conclusion.CONTRAINDICATED,
            f"TSAT {used.shown} is 45 % or more",
            headline,
            say,
            values,
        ),
    )


_ENTRIES = ("conditions",)

RULES: tuple[Rule, ...] = (
    Rule(
        "R-15",
        "An iron overload disorder that is not resolved stops, whatever the ferritin",
        Phase.STOP,
        (P3, E1, F3, F4),
        _ENTRIES,
        _evaluate_overload,
    ),
    Rule(
        "R-15 (porphyria)",
        "Active porphyria cutanea tarda stops",
        Phase.STOP,
        (E1, P7),
        _ENTRIES,
        _evaluate_porphyria,
    ),
    Rule(
        "R-15a",
        "Thalassemia, sideroblastic or hemolytic anemia caps",
        Phase.CAP,
        (E1, F5, DESIGN),
        _ENTRIES,
        _evaluate_anemia_cap,
    ),
    Rule(
        "R-15 (text)",
        "Resolved, hedged and unspecific entries about overload are named",
        Phase.TEXT,
        (P3, DESIGN),
        _ENTRIES,
        _evaluate_cautions,
    ),
    Rule(
        "R-15a (text)",
        "Anemia that may not be from lack of iron: hematology first",
        Phase.TEXT,
        (E1, F5),
        _ENTRIES,
        _evaluate_anemia_line,
    ),
)
TSAT_RULES: tuple[Rule, ...] = (
    Rule(
        "R-16",
        "TSAT of 45 % or more stops",
        Phase.STOP,
        (A2, P3),
        ("tsat", "ferritin"),
        _evaluate_high_tsat,
        (
            Threshold("TSAT at least", TSAT_CEILING.low or 0, "%"),
            Threshold(
                "the sample is doubted first at ferritin of at most",
                FERRITIN_LOW.high or 0,
                "ng/mL",
            ),
        ),
    ),
)
