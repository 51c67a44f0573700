"""A case with prepared answers about doses, dialysis and pregnancy, and short ways to read a result from it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, time, timedelta
from decimal import Decimal
from types import SimpleNamespace
from typing import Any, cast

from cds_service.clinical.case import Case
from cds_service.clinical.courses import Relation
from cds_service.clinical.dates import Day
from cds_service.clinical.given_doses import Dose
from cds_service.clinical.interval import Interval
from cds_service.clinical.model import Ingredient, PatientFacts, Result
from cds_service.clinical.reading import Reading, SetAsideKind
from cds_service.clinical.results import read_iron_study
from tests.rules.build import TODAY, day, facts, ferritin


@dataclass
class _Chart:
    facts: PatientFacts
    as_of: date = TODAY
    doses: tuple[Dose, ...] = ()
    earlier_iron: Any = None
    is_in_dialysis: bool = False
    pregnancy: Any = field(default_factory=lambda: SimpleNamespace(is_pregnant=False, age_days=None))
    ferritin: Reading = field(default_factory=lambda: Reading("ferritin", why_missing="no ferritin on record"))


def chart(
    *results: Result,
    doses: Sequence[Dose] = (),
    small: Sequence[Dose] = (),
    relation: Relation = Relation.REPEAT,
    course: Sequence[Dose] = (),
    **changes: Any,
) -> Case:
    """`small` are the doses that start no clock in dialysis (R-28b); `course` is the running one (R-41)."""
    given = tuple(sorted((*doses, *small), key=lambda dose: dose.day))
    earlier = SimpleNamespace(relation=relation, blackout_doses=tuple(doses), course=tuple(course))
    patient = facts(*results, unavailable=changes.pop("unavailable", {}))
    return cast(Case, _Chart(patient, doses=given, earlier_iron=earlier, **changes))


def dose(
    days_ago: int,
    *,
    mg: str | None = "750",
    ingredient: Ingredient | None = Ingredient.FCM,
    clock: time | None = None,
    is_exact_day: bool = True,
) -> Dose:
    return Dose(
        ingredient=ingredient,
        day=TODAY - timedelta(days=days_ago),
        is_exact_day=is_exact_day,
        amount_mg=None if mg is None else Decimal(mg),
        from_order=False,
        references=(f"MedicationAdministration/{days_ago}",),
        clock=clock,
    )


def at(days_ago: int, hour: int, minute: int = 0) -> Day:
    when = TODAY - timedelta(days=days_ago)
    return Day(when, when, time(hour, minute))


def span(first_days_ago: int, last_days_ago: int) -> Day:
    """A partial date: any day between the two."""
    return Day(TODAY - timedelta(days=first_days_ago), TODAY - timedelta(days=last_days_ago))


def ferritin_of(*results: Result, **changes: Any) -> Reading:
    return read_iron_study(chart(*results, **changes), "ferritin")


def read_tsat(case: Case) -> Reading:
    return read_iron_study(case, "tsat")


def tsat_of(*results: Result, **changes: Any) -> Reading:
    return read_tsat(chart(*results, **changes))


def shown(reading: Reading) -> str | None:
    """The chosen value, without its unit."""
    return reading.shown.split(" ")[0] if reading.is_usable else None


def kinds(reading: Reading) -> list[SetAsideKind]:
    return [one.kind for one in reading.set_aside]


def lying(make: Callable[..., Result], value: Interval | None, *, days_ago: int = 10, **changes: Any) -> Result:
    """A result that is not a single number: somewhere in `value`, or without any."""
    return replace(make("1"), value=value, **{"day": day(days_ago), **changes})


def censored(low: str | None, high: str | None, **changes: Any) -> Result:
    """A ferritin as `<x` or `>x` leaves it: an open interval."""
    value = Interval(None if low is None else Decimal(low), None if high is None else Decimal(high))
    return lying(ferritin, value, **changes)
