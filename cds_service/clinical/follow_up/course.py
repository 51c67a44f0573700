"""The course of IV iron that is followed up, and its day 0 (R-41a, R-43)."""

from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal

from cds_service.clinical import doses
from cds_service.clinical.case import Case
from cds_service.clinical.dates import add_months
from cds_service.clinical.doses import Dose
from cds_service.clinical.given_doses import local_reference
from cds_service.clinical.model import Ingredient, IronOrder, PatientFacts
from cds_service.clinical.order_dose import FCM_MOST_MG
from cds_service.clinical.specimen_time import BLACKOUT_DAYS

FOLLOWED_MONTHS = 13  # R-50c: a course is followed so long
PROVISIONAL_FROM_DAY = 42  # first day of a provisional classification
FINAL_FROM_DAY = 56  # first day of a final classification
REPEAT_FROM_DAY = 84  # R-40a, R-48: first day on which a repeat may be considered
ADEQUATE_MG = FCM_MOST_MG  # R-48, "or the weight ceiling"


@dataclass(frozen=True, slots=True)
class Course:
    """Doses that belong together; `anchor` is the day of the last one (R-43)."""

    doses: tuple[Dose, ...]
    anchor: date
    days: int  # from the anchor to the day of the call
    ceiling_mg: Decimal  # what counts as an adequate course for this patient

    @property
    def first_day(self) -> date:
        return self.doses[0].day

    @property
    def ingredient(self) -> Ingredient | None:
        return self.doses[-1].ingredient

    @property
    def least_mg(self) -> Decimal:
        """What was given at least; amounts that are not recorded count as 0."""
        return sum((dose.least_mg for dose in self.doses), Decimal(0))

    @property
    def is_amount_known(self) -> bool:
        return all(dose.amount_mg is not None for dose in self.doses)

    @property
    def is_adequate(self) -> bool:
        """R-48: 1000 mg or the weight ceiling as we draft it (R-32a): a few mg short is no smaller course."""
        return self.least_mg >= self.ceiling_mg

    @property
    def judged_from(self) -> date:
        return self.anchor + timedelta(days=FINAL_FROM_DAY)

    @property
    def repeat_from(self) -> date:
        return self.anchor + timedelta(days=REPEAT_FROM_DAY)

    @property
    def readable_from(self) -> date:
        """R-09: iron studies drawn before this day cannot be interpreted."""
        return self.anchor + timedelta(days=BLACKOUT_DAYS)

    @property
    def shown(self) -> str:
        """`1000 mg ferric carboxymaltose on 2026-03-02`, of several doses all."""
        return "; ".join(doses.describe(dose) for dose in self.doses)


def open_chart(facts: PatientFacts, as_of: date, label: str = "us") -> Case:
    """The case without an order: readings and doses of today. A product not named never continues a course (R-41)."""
    nothing = IronOrder(reference="", resource_type="", name="", ingredient=None, status=None)
    return Case(nothing, (nothing,), facts, as_of, "patient-view", label)


def find_course(case: Case) -> Course | None:
    """The course of the latest dose; None when there is none in the last 13 months. `case` is of `open_chart`."""
    earlier = case.earlier_iron
    if earlier.latest is None or case.as_of > add_months(earlier.latest.day, FOLLOWED_MONTHS):
        return None
    kilograms = doses.weight_kg(case.weight)
    ceiling = ADEQUATE_MG if kilograms is None else doses.draft_dose_mg(kilograms)
    anchor = earlier.latest.day
    return Course(earlier.course, anchor, (case.as_of - anchor).days, ceiling)


def find_order(facts: PatientFacts, course: Course) -> str | None:
    """The order that the first dose was given for, if its record names one: it gives the course its identifier."""
    first = course.doses[0].references
    records = [record for record in facts.dose_records if record.reference in first]
    named = sorted(local_reference(order) for record in records for order in record.refers_to)
    return next((one for one in named if one.startswith(("MedicationRequest/", "ServiceRequest/"))), None)
