"""What speaks for oral iron and what for the vein (R-30)."""

from datetime import date
from decimal import Decimal

from cds_service.clinical.case import Case, Rule, Threshold
from cds_service.clinical.citations import A1, A4, T1, T13
from cds_service.clinical.model import (
    Allergen,
    AllergyEntry,
    Answer,
    ConditionEntry,
    MedicationUse,
    NotApplicable,
    Phase,
    Remark,
    SeverityTotal,
    Used,
    Verdict,
)
from cds_service.clinical.rules import infection, overload
from cds_service.clinical.wording import quote
from cds_service.clinical.zones import FERRITIN_ZONES

SECTION = "alternatives"
FERRITIN_LOW, FERRITIN_GREY = FERRITIN_ZONES[0], FERRITIN_ZONES[1]
SEVERE_FROM = Threshold("severe RLS from an IRLS total of", Decimal(21), "points")  # R-30, bands of R-49
# A total counts as current like a baseline does (R-49a).
SEVERITY_CURRENT = Threshold("a severity total counts for", 90, "days")
NOT_ABSORBED = frozenset({"malabsorption", "iron-malabsorption", "inflammatory-bowel-disease"})

# With iron overload or systemic infection iron by mouth is no advice either.
_NO_IRON_AT_ALL = tuple(
    rule for rule in (*overload.RULES, *overload.TSAT_RULES, *infection.RULES) if rule.phase is Phase.STOP
)
_NO_ADVICE = (NotApplicable("iron by any route is stopped, or ferritin is not in this range"),)

ORAL_IRON = (
    "Oral iron (ferrous sulfate, 65 mg elemental iron) is a legitimate alternative at ferritin up to 75 ng/mL: "
    "conditional recommendation, moderate certainty (AASM); with vitamin C Level B (AAN 2016). IV is favored when oral "
    "iron failed, is not tolerated or not absorbed, or speed matters. In RLS with anemia a double-blind trial of "
    "ferumoxytol against oral iron found no significant difference at week 6."
)
ORAL_NOT_ADVISED = (
    "Oral iron is not recommended at ferritin above 75 up to 100 ng/mL; the alternative is treating RLS otherwise."
)


def is_all_iron_stopped(case: Case) -> bool:
    """By overload, TSAT or systemic infection: then iron by mouth is no advice either."""
    return any(isinstance(answer, Verdict) for rule in _NO_IRON_AT_ALL for answer in rule.evaluate(case))


# ------------------------------------------------------------------------------------------------ oral iron instead


def _evaluate_oral(case: Case) -> tuple[Answer, ...]:
    if case.ferritin.is_in(FERRITIN_LOW) and not is_all_iron_stopped(case):
        used = (case.ferritin.used,)
        return (Remark(SECTION, ORAL_IRON, "ferritin 75 ng/mL or less", used=used), *_on_record(case))
    if case.ferritin.is_in(FERRITIN_GREY) and not is_all_iron_stopped(case):
        used = (case.ferritin.used,)
        return (Remark(SECTION, ORAL_NOT_ADVISED, "ferritin above 75 up to 100 ng/mL", used=used),)
    return _NO_ADVICE


def _on_record(case: Case) -> tuple[Remark, ...]:
    """What the chart says about oral iron in this patient; silent where it says nothing (3.1)."""
    facts = case.facts
    found: list[tuple[str, AllergyEntry | MedicationUse | ConditionEntry]] = [
        *((_about_allergy(entry), entry) for entry in facts.allergies if _is_about_oral_iron(entry)),
        *((_about_use(use), use) for use in facts.medications if "oral-iron" in use.concepts and use.is_active),
        *(
            (f"{quote(entry.name)} is on record: oral iron may not be absorbed, which favors the vein.", entry)
            for entry in facts.conditions
            if NOT_ABSORBED & entry.concepts and entry.is_active and entry.counts
        ),
    ]
    said: dict[str, list[Used]] = {}  # what several entries say is told once
    for text, entry in found:
        said.setdefault(text, []).append(Used("on record", quote(entry.name), entry.reference))
    return tuple(Remark(SECTION, text, "on record about oral iron", used=tuple(used)) for text, used in said.items())


def _is_about_oral_iron(entry: AllergyEntry) -> bool:
    return entry.allergen in (Allergen.ORAL_IRON, Allergen.PLAIN_IRON) and entry.is_active and entry.counts


def _about_allergy(entry: AllergyEntry) -> str:
    if entry.all_gastrointestinal:
        return f"Intolerance of iron by mouth is on record ({quote(entry.name)}), which favors the vein."
    return f"An allergy entry about iron is on record ({quote(entry.name)}): consider it before choosing oral iron."


def _about_use(use: MedicationUse) -> str:
    since = f" since {use.start}" if use.start else ""
    return (
        f"Oral iron is on the medication list{since}: {quote(use.name)}. Consider its effect and how it is tolerated."
    )


# -------------------------------------------------------------------------------------------------------- severity

_NOT_SEVERE = (NotApplicable("no current severity total of 21 or more"),)


def latest_total(totals: tuple[SeverityTotal, ...], as_of: date) -> SeverityTotal | None:
    """The newest dated total, not in the future, not older than a baseline may be; of several on a day the highest."""
    current = [
        (one.day.last, one.total, one.reference, one)
        for one in totals
        if one.day and one.day.last <= as_of and (as_of - one.day.last).days <= int(SEVERITY_CURRENT.value)
    ]
    return max(current, key=lambda row: row[:3])[3] if current else None


def _evaluate_severity(case: Case) -> tuple[Answer, ...]:
    latest = latest_total(case.facts.severity, case.as_of)
    if latest is None or latest.total < SEVERE_FROM.value or is_all_iron_stopped(case):
        return _NOT_SEVERE
    drugs = [use for use in case.facts.medications if use.is_active and _is_rls_drug(use)]
    listed = f" ({', '.join(quote(name) for name in sorted({use.name for use in drugs}))})" if drugs else ""
    text = (
        f"Severe RLS (IRLS total {latest.total} on {latest.day}): a point in favor of IV, because early benefit may "
        f"let you postpone raising RLS drugs{listed}."
    )
    used = (Used("IRLS total", str(latest.total), latest.reference, str(latest.day)),)
    return (Remark(SECTION, text, f"IRLS total {latest.total} is 21 or more", speaks_for_iron=True, used=used),)


def _is_rls_drug(use: MedicationUse) -> bool:
    return any(concept.startswith("rls-") for concept in use.concepts)


RULES: tuple[Rule, ...] = (
    Rule(
        "R-30",
        "Oral iron as an alternative, by ferritin",
        Phase.TEXT,
        (A1, A4, T13),
        ("ferritin", "tsat", "allergies", "medications", "conditions"),
        _evaluate_oral,
        (
            Threshold("oral iron is an alternative at ferritin up to", FERRITIN_LOW.high or Decimal(0), "ng/mL"),
            Threshold("oral iron is not recommended up to", FERRITIN_GREY.high or Decimal(0), "ng/mL"),
        ),
    ),
    Rule(
        "R-30 (severity)",
        "Severe RLS speaks for the vein",
        Phase.TEXT,
        (T1,),
        ("severity", "tsat", "medications", "conditions"),
        _evaluate_severity,
        (SEVERE_FROM, SEVERITY_CURRENT),
    ),
)
