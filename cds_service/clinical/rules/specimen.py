"""How far the drawing of the blood and the assay bear on ferritin and transferrin saturation (R-12, R-14)."""

from datetime import time

from cds_service.clinical.case import Case, Rule
from cds_service.clinical.citations import A1, DESIGN, L1, L3, L4, L5
from cds_service.clinical.dates import Day
from cds_service.clinical.model import Answer, Line, MedicationUse, NotApplicable, Phase, Rank, Remark
from cds_service.clinical.reading import NAMES, Reading
from cds_service.clinical.rules.eligibility import GREY_ZONE, REPLETE, is_in_band
from cds_service.clinical.wording import quote
from cds_service.clinical.zones import TSAT_ZONES

# --------------------------------------------------------------------------------------------- how it was drawn

NOON = time(12, 0)  # at or after noon
# The order of a new sample carries this (R-12, A1).
DRAW_INSTRUCTIONS = "Draw ideally in the morning, with no iron-containing supplements or foods for 24 hours before."
NOT_RECORDED = "fasting and 24 hours without iron before the draw are not recorded"
_WELL_DRAWN = (NotApplicable("no ferritin or TSAT to judge the draw of"),)


def _evaluate_draw(case: Case) -> tuple[Answer, ...]:
    used = [reading for reading in (case.ferritin, case.tsat) if reading.is_usable]
    if not used:
        return _WELL_DRAWN
    late = [reading for reading in used if _is_after_noon(reading)]
    oral = [reading for reading in used if _had_oral_iron(case.facts.medications, reading)]
    if not late and not oral:
        read = tuple(one.used for one in used)
        return (Remark(used[-1].analyte, NOT_RECORDED, "draw conditions are not recorded", used=read),)
    text = " ".join(part for part in (_say_late(late), _say_oral(oral, case.tsat)) if part)
    return (Line(Rank.SPECIMEN, text, "drawn after noon or on oral iron", used=tuple(one.used for one in used)),)


def _is_after_noon(reading: Reading) -> bool:
    clock = reading.chosen.day.clock if reading.chosen and reading.chosen.day else None
    return clock is not None and clock >= NOON


def _had_oral_iron(medications: tuple[MedicationUse, ...], reading: Reading) -> bool:
    drawn = reading.chosen.day if reading.chosen else None
    return drawn is not None and any("oral-iron" in use.concepts and _was_on(use, drawn) for use in medications)


def _was_on(use: MedicationUse, drawn: Day) -> bool:
    """On the list at the draw; a use that ended on an unknown day is not shown to have been."""
    if use.start and use.start.first > drawn.last:
        return False
    return use.end.last >= drawn.first if use.end else use.is_active


def _say_late(late: list[Reading]) -> str:
    if not late:
        return ""
    drawn = " and ".join(f"{NAMES[reading.analyte]} ({_clock(reading)})" for reading in late)
    return f"Drawn at noon or later: {drawn}; a morning sample is preferred. This does not invalidate ferritin."


def _clock(reading: Reading) -> str:
    clock = reading.chosen.day.clock if reading.chosen and reading.chosen.day else None
    return f"{clock:%H:%M}" if clock else ""


def _say_oral(oral: list[Reading], tsat: Reading) -> str:
    if not oral:
        return ""
    is_high = tsat.is_in(TSAT_ZONES[-1])
    means = "consider repeating it before concluding on iron overload" if is_high else "a low TSAT stays valid"
    return f"Oral iron was on the medication list at the draw: recent intake raises TSAT; {means}."


# --------------------------------------------------------------------------------------------------------- assay

ROCHE = ("roche", "cobas", "elecsys")
# Makers other than Roche, and their analyzers, by the words they go by.
OTHER_MAKERS = (
    *("beckman", "access", "dxi", "unicel", "abbott", "architect", "alinity", "siemens", "atellica"),
    *("advia", "centaur", "immulite", "ortho", "vitros", "diasorin", "liaison", "tosoh"),
)
ASSAY_REMARK = "cut-offs depend on the assay: other methods read the same sample up to about 60 % apart"
_ASSAY_IRRELEVANT = (NotApplicable("ferritin does not decide between 75 and 300 ng/mL"),)
_OTHER_ASSAY = (NotApplicable("the analyzer is known and is not one of Roche's"),)


def _evaluate_assay(case: Case) -> tuple[Answer, ...]:
    if case.is_in_dialysis or not (is_in_band(case, GREY_ZONE) or is_in_band(case, REPLETE)):
        return _ASSAY_IRRELEVANT
    analyzer = case.ferritin.chosen.analyzer if case.ferritin.chosen else ""
    is_roche = any(word in analyzer for word in ROCHE)
    if not is_roche and any(word in analyzer for word in OTHER_MAKERS):
        return _OTHER_ASSAY
    known = f"analyzer {quote(analyzer)}" if is_roche else "analyzer not known"
    return (Remark("ferritin", f"{ASSAY_REMARK} ({known})", known, used=(case.ferritin.used,)),)


_STUDIES = ("ferritin", "tsat")

RULES: tuple[Rule, ...] = (
    Rule(
        "R-12",
        "Drawn in the morning and without recent iron",
        Phase.TEXT,
        (A1, L3, L4, L5),
        (*_STUDIES, "medications"),
        _evaluate_draw,
    ),
    Rule("R-14", "Ferritin cut-offs depend on the assay", Phase.TEXT, (L1, DESIGN), _STUDIES, _evaluate_assay),
)
