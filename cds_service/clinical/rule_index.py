"""The published index of the rule book: every rule and part, what it says in a line, and how well its basis is known.

Basis: V = primary public text read, V2 = secondary text only, GK = general knowledge, D = decision of this project.
"""

from dataclasses import dataclass
from enum import StrEnum


class Kind(StrEnum):
    RULE = "rule"  # takes part in the decision, or adds a sentence to it
    DATA = "data"  # how a fact is read
    CARD = "card"  # how an answer is shown
    FOLLOW_UP = "follow-up"  # schedule, response, patient-view


@dataclass(frozen=True, slots=True)
class Entry:
    """One rule or part; `basis` holds the markers that apply, strongest first."""

    id: str
    title: str
    kind: Kind
    basis: tuple[str, ...]


def _entries(kind: Kind, *rows: tuple[str, str, str]) -> tuple[Entry, ...]:
    return tuple(Entry(id_, title, kind, tuple(basis.split())) for id_, basis, title in rows)


_SCOPE = _entries(
    Kind.RULE,
    ("R-01", "D", "Only parenteral iron orders that are live and meant to be given are in scope"),
    ("R-01a", "D", "Iron of unclear form counts only with an injection route or an injectable form"),
    ("R-01b", "D", "Injectable iron by another route than the vein stays in scope, capped, with a line"),
    ("R-02", "V2 D", "Restless legs syndrome is on the problem list or is the reason of the order"),
    ("R-03", "V2", "Adults only; a person recorded as deceased is out of scope"),
    ("R-03a", "D", "An age that cannot be told asks for the birth date"),
    ("R-04", "V", "Which orders of a session are evaluated; what an absent or unreadable dose means at signing"),
    ("R-04b", "D", "Duplicate iron orders told from planned courses and test doses"),
)
_DATA = _entries(
    Kind.DATA,
    ("3.1", "D", "Queries that failed are named on the card and are no empty answers"),
    ("R-02a", "D", "How a problem-list entry is read: status, verification, names, negations"),
    ("R-04a", "V2 D", "The elemental iron of one administration, and how many administrations an order has"),
    ("R-05", "V V2 GK", "Units are converted by table or refused, never guessed"),
    ("R-06", "V2 D", "Transferrin saturation calculated from iron and binding capacity, or from transferrin"),
    ("R-07", "D", "Only final, amended or corrected results count; a correction replaces what it corrects"),
    ("R-08", "D V", "How old a result may be on the hook date"),
    ("R-08a", "D", "Calendar dates, time zones, partial dates and dates in the future"),
    ("R-08b", "D", "Which body weight counts, also in dialysis and pregnancy"),
    ("R-09", "V2", "Iron studies within 27 days after iron by vein cannot be used, up to day 55 with caution"),
    ("R-09a", "D", "Iron studies drawn before the latest iron dose no longer describe the patient"),
    ("R-10", "D", "Results such as <5 count when all they can mean lies in one decision zone"),
    ("R-11", "D", "Implausible values are set aside, a saturation of 1 % or less among them"),
    ("R-13", "D", "The most recent usable result counts; ties go to the cautious value"),
    ("R-13a", "D", "A newer result that cannot be read makes the older one uncertain, except as a stop"),
    ("R-40e", "D", "What counts as a dose of parenteral iron, once"),
    ("R-41a", "V V2 D", "Which doses form a course, and its limit by product"),
    ("R-43a", "D", "The planned date of an order and its course mates"),
)
_REMARKS = _entries(
    Kind.RULE,
    ("R-08c", "D", "Says when results will be too old on the planned date"),
    ("R-12", "V D", "Draw in the morning and without recent iron intake: a line when it was not so"),
    ("R-14", "V D", "Ferritin cut-offs depend on the assay: a remark where they decide"),
)
_STOPS = _entries(
    Kind.RULE,
    ("R-15", "V V2", "Iron overload disorders and porphyria cutanea tarda stop, whatever the ferritin"),
    ("R-15a", "V D", "Thalassemia, sideroblastic and hemolytic anemia cap"),
    ("R-16", "GK V", "A transferrin saturation of 45 % or more stops"),
    ("R-17", "V D", "A ferritin of 300 ng/mL or more is above the range studied"),
    ("R-18a", "V GK", "Allergy to the ordered iron or to parenteral iron as a class stops"),
    ("R-18b", "V", "A severe reaction to any parenteral iron stops"),
    ("R-18c", "V", "Any reaction to intravenous iron stops ferumoxytol and unnamed products"),
    ("R-18d", "D", "Allergy entries that do not stop are named and make the card a warning"),
    ("R-19", "V GK", "Sepsis and bacteremia stop; local or chronic infection is a caution"),
    ("R-20a", "V D", "Pregnancy before 14 weeks stops"),
    ("R-20b", "V GK", "Pregnancy from 14 weeks caps"),
    ("R-20c", "D", "Pregnancy of unknown age asks for the gestational age"),
    ("R-20d", "D", "Who counts as pregnant, and for how long"),
    ("R-20e", "D", "Gestational age on the hook date, by order of sources"),
    ("R-21", "V GK D", "Low phosphate stops ferric carboxymaltose until corrected"),
)
_ELIGIBILITY = _entries(
    Kind.RULE,
    ("R-22", "V2 V", "Ferritin up to 75 with a saturation below 45 %: strong recommendation"),
    ("R-23", "V D", "Ferritin above 75 up to 100 with a saturation of 20 % or more: may benefit"),
    ("R-24", "V", "Ferritin above 100 with a saturation of 20 % or more: not supported"),
    ("R-25", "V", "Ferritin above 75 with a saturation below 20 %: strong recommendation"),
    ("R-26", "V D", "What a missing result is, and which tests are offered"),
    ("R-26a", "D", "Ferritin up to 75 decides alone when the saturation is missing, with a warning"),
    ("R-26b", "D", "Ferritin above 75 cannot decide without a saturation"),
    ("R-26c", "D", "A saturation cannot decide without a ferritin"),
    ("R-26d", "D", "Neither result: not enough data"),
    ("R-26e", "D", "A saturation that was set aside but points to 45 % or more is to be repeated first"),
    ("R-27", "V2 D", "Inflammation: a low saturation above ferritin 75 only may benefit"),
    ("R-28", "V2 V", "Dialysis: ferritin below 200 and a saturation below 20 % may benefit"),
    ("R-28a", "D", "Dialysis needs both results"),
    ("R-28b", "GK D", "Small sessional doses in dialysis do not start the clocks"),
    ("R-29a", "V", "Hemoglobin below 12.5: repletion may be incomplete"),
    ("R-29b", "V2 V", "Anemia by WHO bounds: look for the cause"),
    ("R-29c", "D", "No hemoglobin: a blood count is offered"),
    ("R-29d", "GK", "Hemoglobin below 7: urgent review"),
    ("R-30", "V V2", "Oral iron and severity: what speaks for and against the vein"),
)
_PRODUCTS = _entries(
    Kind.RULE,
    ("R-31", "V2 V GK", "Products without the strong recommendation cap"),
    ("R-32", "V", "Ferric carboxymaltose: ceiling of one dose, by weight and label"),
    ("R-32a", "D", "Ceilings are compared unrounded and shown rounded down"),
    ("R-33", "V V2 D", "Iron dextran: boxed warning, test dose, off-label large doses"),
    ("R-34", "V", "Ferumoxytol: ceiling of one dose and effect on MRI"),
    ("R-35", "V", "Ferric derisomaltose: ceiling of one dose, by weight"),
    ("R-36", "V V2", "Iron sucrose and gluconate: ceiling of one dose, several visits"),
    ("R-37", "V D", "A course below 90 % of the usual dose is named with the trial it resembles"),
    ("R-38", "V", "Restless legs syndrome is off-label for every product"),
    ("R-39", "V2 V", "Giving the infusion: readiness, observation, extravasation"),
    ("R-42", "V", "Phosphate before ferric carboxymaltose, and its boxed warning"),
)
_REPEAT = _entries(
    Kind.RULE,
    ("R-40a", "GK V D", "Within 84 days of the latest dose it is too soon"),
    ("R-40b", "D", "Persistent deficiency from day 28 on: decided as usual, capped"),
    ("R-40c", "V GK", "A documented responder with recurrence is at least a may-benefit"),
    ("R-40d", "D", "A documented non-responder with ferritin above 100 is not treated again"),
    ("R-41", "V D", "The next dose of a course rests on the results from before it"),
    ("R-41c", "D", "No usable results from before the course: tests wait for day 28"),
    ("R-41d", "D", "An unknown earlier amount or day that decides is asked for"),
)
_FOLLOW_UP = _entries(
    Kind.FOLLOW_UP,
    ("R-43", "D", "The day from which follow-up is counted"),
    ("R-44", "V D", "Day 8: severity and safety"),
    ("R-45", "V D", "Week 3: severity against baseline"),
    ("R-46", "V2 D", "Weeks 8 to 12: laboratory tests and response"),
    ("R-47", "V D", "Six months, then every six months: recurrence"),
    ("R-48", "V D", "What may be concluded on which day"),
    ("R-49", "V V2 GK", "Responder, partial responder, non-responder"),
    ("R-49a", "D", "Evidence of response and of recurrence from recorded totals"),
    ("R-50", "D", "The schedule is offered, once per course, for acceptance"),
    ("R-50a", "D", "What counts as already arranged"),
    ("R-50b", "D", "Moving contacts when the infusion moved"),
    ("R-50c", "D", "Which follow-up cards appear when a chart is opened"),
    ("R-50d", "D", "When an order or iron studies are suggested unasked"),
)
_CARDS = _entries(
    Kind.CARD,
    ("R-51", "V D", "One recommendation card per order, one reassessment card per course"),
    ("R-51a", "D", "Order of the caution lines, and which are never dropped"),
    ("R-52", "V D", "Which card is critical, a warning or information"),
    ("R-53", "V D", "What is never used to decide"),
    ("R-54", "D", "What every recommendation card shows"),
    ("R-55", "V D", "Wording: nothing is promised, effect sizes are honest"),
    ("R-56", "V", "What to expect, with the true weight of the studies"),
)

INDEX: tuple[Entry, ...] = (
    *_SCOPE,
    *_DATA,
    *_REMARKS,
    *_STOPS,
    *_ELIGIBILITY,
    *_PRODUCTS,
    *_REPEAT,
    *_FOLLOW_UP,
    *_CARDS,
)
