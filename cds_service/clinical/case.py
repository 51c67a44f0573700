"""One evaluated order for one patient on one day: what a rule may ask, each answer worked out once."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any, Generic, Self, TypeVar, overload

from cds_service.clinical import dialysis, doses, inflammation, pregnancy, results
from cds_service.clinical.doses import Dose, EarlierIron
from cds_service.clinical.model import Answer, Citation, IronOrder, PatientFacts, Phase
from cds_service.clinical.pregnancy import PregnancyState
from cds_service.clinical.results import Reading

LABELS = ("us", "eu")  # product label profile
Found = TypeVar("Found")


class derived(Generic[Found]):  # noqa: N801  # stands where a decorator such as `property` stands
    """A fact that is worked out when it is first asked for, and kept on its case.

    Not `functools.cached_property`: up to Python 3.11 that has one lock for all instances, so that calls answered at
    the same time would wait for each other.
    """

    def __init__(self, work_out: Callable[[Any], Found]) -> None:
        self.work_out = work_out
        self.name = work_out.__name__
        self.__doc__ = work_out.__doc__

    @overload
    def __get__(self, case: None, owner: type) -> Self: ...
    @overload
    def __get__(self, case: object, owner: type) -> Found: ...
    def __get__(self, case: object | None, owner: type) -> Self | Found:
        if case is None:
            return self
        found = self.work_out(case)
        case.__dict__[self.name] = found
        return found


class Case:
    """Facts plus the question. Derived facts are cached; nothing here changes after construction."""

    def __init__(
        self,
        order: IronOrder,
        session: tuple[IronOrder, ...],
        facts: PatientFacts,
        as_of: date,
        hook: str = "order-select",
        label: str = "us",
    ) -> None:
        self.order = order
        self.session = (
            session  # every parenteral-iron order of the session that R-01 leaves in scope, this one included
        )
        self.facts = facts
        self.as_of = as_of
        self.hook = hook
        self.label = label

    @property
    def is_signing(self) -> bool:
        """At order-sign the order is complete (R-04)."""
        return self.hook == "order-sign"

    @derived
    def is_in_dialysis(self) -> bool:
        """R-28."""
        return dialysis.is_in_dialysis(self.facts, self.as_of)

    @derived
    def doses(self) -> tuple[Dose, ...]:
        """Doses of parenteral iron on record, oldest first, one per day and ingredient (R-40e)."""
        return doses.read_doses(self.facts.dose_records, self.as_of)

    @derived
    def earlier_iron(self) -> EarlierIron:
        """How this order stands to iron already given (R-40, R-41)."""
        return doses.place_order(self)

    @derived
    def weight(self) -> Reading:
        """kg, R-08b."""
        return results.read_weight(self)

    @derived
    def ferritin(self) -> Reading:
        return results.read_iron_study(self, "ferritin")

    @derived
    def tsat(self) -> Reading:
        """Reported or derived (R-06)."""
        return results.read_iron_study(self, "tsat")

    @derived
    def hemoglobin(self) -> Reading:
        return results.read_hemoglobin(self)

    @derived
    def crp(self) -> Reading:
        """The one drawn nearest to the ferritin (R-27)."""
        return results.read_crp(self)

    @derived
    def phosphate(self) -> Reading:
        return results.read_phosphate(self)

    @derived
    def pregnancy(self) -> PregnancyState:
        return pregnancy.assess(self.facts, self.as_of)

    @derived
    def inflammation(self) -> inflammation.Inflammation:
        """R-27: what points to inflammation."""
        return inflammation.assess(self)

    @derived
    def dose_mg(self) -> Decimal | None:
        """mg of elemental iron per administration of this order (R-04a); None when absent or unreadable."""
        return doses.order_dose_mg(self.order, self.weight)


@dataclass(frozen=True, slots=True)
class Threshold:
    """A number a rule rests on, as data: shown in the trace, exported, and nudged by tests."""

    name: str
    value: Decimal | int
    unit: str


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule or part of a rule. `evaluate` never returns an empty tuple: `NotApplicable` says why nothing applies."""

    id: str  # "R-22", "R-20a"
    title: str  # what it says, one sentence in clinical words
    phase: Phase
    sources: tuple[Citation, ...]
    inputs: tuple[str, ...]  # facts it reads: names of Case and PatientFacts attributes ("ferritin", "conditions")
    evaluate: Callable[[Case], tuple[Answer, ...]]
    thresholds: tuple[Threshold, ...] = ()
    version: str = "1"
