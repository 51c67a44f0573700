"""Parenteral iron already given: the records of a chart brought together, so that one infusion is one dose (R-40e)."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date, time
from decimal import Decimal

from cds_service.clinical.model import DoseRecord, DoseSource, Ingredient, Used

# R-40e: what an administration says wins; among other records the one that comes nearer to having seen the infusion.
_STRONGEST_FIRST = (DoseSource.ADMINISTRATION, DoseSource.PROCEDURE, DoseSource.STATEMENT, DoseSource.ORDER)
# Two administrations or two orders of one day are two portions; two statements may well report the same one.
_ADDED = (DoseSource.ADMINISTRATION, DoseSource.ORDER)

_NAMES = {
    Ingredient.FCM: "ferric carboxymaltose",
    Ingredient.DEXTRAN: "iron dextran",
    Ingredient.FERUMOXYTOL: "ferumoxytol",
    Ingredient.DERISOMALTOSE: "ferric derisomaltose",
    Ingredient.SUCROSE: "iron sucrose",
    Ingredient.GLUCONATE: "ferric gluconate",
}


@dataclass(frozen=True, slots=True)
class Dose:
    """All of one ingredient that was given on one day."""

    ingredient: Ingredient | None  # None = product not named
    day: date  # of a partial date the latest day not after the hook date (R-08a)
    is_exact_day: bool
    amount_mg: Decimal | None  # None = not recorded, or not for all of that day
    from_order: bool = False  # day or amount taken from an order
    references: tuple[str, ...] = ()
    clock: time | None = None  # start of the first administration, if every one has a clock time
    first_day: date | None = None  # of a partial date its earliest day
    known_mg: Decimal = Decimal(0)  # the recorded part of an amount that is not known in full

    @property
    def earliest(self) -> date:
        """The earliest day on which it can have been given."""
        return self.first_day or self.day

    @property
    def least_mg(self) -> Decimal:
        """What was given at least."""
        return self.known_mg if self.amount_mg is None else self.amount_mg


def name_product(ingredient: Ingredient | None) -> str:
    """The product inside a sentence."""
    return _NAMES[ingredient] if ingredient else "IV iron (product not named)"


def use_dose(dose: Dose) -> Used:
    """For trace and card."""
    return Used("IV iron given", describe(dose), ", ".join(dose.references), dose.day.isoformat())


def describe(dose: Dose) -> str:
    """`750 mg ferric carboxymaltose on 2026-03-02`, with what is not certain about it."""
    amount = "an unrecorded amount of" if dose.amount_mg is None else f"{plain(dose.amount_mg)} mg"
    day = dose.day.isoformat() if dose.is_exact_day else f"a day from {dose.earliest} to {dose.day}"
    taken = " (taken from the order)" if dose.from_order else ""
    return f"{amount} {name_product(dose.ingredient)} on {day}{taken}"


def plain(value: Decimal) -> str:
    """A decimal without exponent and idle zeros."""
    text = f"{value:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def local_reference(reference: str) -> str:
    """`MedicationRequest/1` of an absolute or versioned reference; a urn stays as it is."""
    return "/".join(reference.split("/_history/", 1)[0].rsplit("/", 2)[-2:])


# ----------------------------------------------------------------------------------------- R-40e: bringing together


@dataclass(frozen=True, slots=True)
class _Placed:
    """A record on the day that counts."""

    record: DoseRecord
    day: date
    first_day: date
    keys: frozenset[str]  # itself and the orders it names


@dataclass(slots=True)
class _Merged:
    """A dose in the making."""

    ingredient: Ingredient | None
    day: date
    first_day: date
    amounts: list[Decimal | None]
    sources: set[DoseSource]
    references: list[str]
    keys: set[str]
    clocks: list[time | None] = field(default_factory=list)
    has_order_amount: bool = False


def read_doses(records: Iterable[DoseRecord], as_of: date) -> tuple[Dose, ...]:
    """Oldest first, one per day and ingredient. Undated and future records are no doses (R-08a, R-40e)."""
    placed = _place_all(records, as_of)
    if not placed:
        return ()
    merged: list[_Merged] = []
    for source in _STRONGEST_FIRST:
        level = [one for one in placed if one.record.source is source]
        if level:
            merged += _merge_days(_drop_same_day(merged, _drop_referred(merged, level)))
    return tuple(_finish(one) for one in _join_days(merged))


def undated(records: Iterable[DoseRecord]) -> tuple[DoseRecord, ...]:
    """Records of iron that cannot be placed in time."""
    return tuple(record for record in records if record.day is None)


def _place_all(records: Iterable[DoseRecord], as_of: date) -> list[_Placed]:
    """In an order that does not depend on that of the resources; a record supplied twice is one."""
    placed: dict[tuple[DoseSource, str, date], _Placed] = {}
    for record in records:
        if record.day is None or record.day.first > as_of:
            continue
        day = min(record.day.last, as_of)
        keys = frozenset(local_reference(one) for one in (record.reference, *record.refers_to))
        placed[(record.source, record.reference, day)] = _Placed(record, day, record.day.first, keys)
    return sorted(placed.values(), key=lambda one: (one.day, one.first_day, one.record.reference))


def _order(one: _Merged) -> tuple[date, date, str]:
    return (one.day, one.first_day, one.ingredient or "")


def _drop_referred(merged: list[_Merged], level: list[_Placed]) -> list[_Placed]:
    """Each dose stands for one record of this kind that names the same order: the one nearest in time."""
    by_key: dict[str, list[_Placed]] = {}
    for one in level:
        for key in one.keys:
            by_key.setdefault(key, []).append(one)
    dropped: set[int] = set()
    for dose in merged:
        same = [one for key in dose.keys for one in by_key.get(key, ()) if id(one) not in dropped]
        if same:
            nearest = min(same, key=lambda one: (abs((one.day - dose.day).days), one.day, one.record.reference))
            dropped.add(id(nearest))
            _absorb(dose, nearest)
    return [one for one in level if id(one) not in dropped]


def _drop_same_day(merged: list[_Merged], level: list[_Placed]) -> list[_Placed]:
    """The same ingredient on the same day; one without product is taken for the dose of its day."""
    by_day: dict[date, list[_Merged]] = {}
    for dose in merged:
        by_day.setdefault(dose.day, []).append(dose)
    left = []
    for one in level:
        same = [dose for dose in by_day.get(one.day, ()) if _may_be_same(dose.ingredient, one.record.ingredient)]
        if same:
            _absorb(next((dose for dose in same if dose.ingredient is one.record.ingredient), same[0]), one)
        else:
            left.append(one)
    return left


def _may_be_same(one: Ingredient | None, other: Ingredient | None) -> bool:
    return one is other or one is None or other is None


def _absorb(dose: _Merged, weaker: _Placed) -> None:
    """Day and amount of the stronger record win; an amount it lacks is taken over."""
    dose.references.append(weaker.record.reference)
    dose.keys |= weaker.keys
    if dose.amounts == [None] and weaker.record.amount_mg is not None:
        dose.amounts = [weaker.record.amount_mg]
        dose.has_order_amount = weaker.record.source is DoseSource.ORDER
    dose.ingredient = dose.ingredient or weaker.record.ingredient


def _merge_days(level: list[_Placed]) -> list[_Merged]:
    """Records of one kind, one dose per day and ingredient."""
    days: dict[tuple[date, Ingredient | None], _Merged] = {}
    for one in level:
        record = one.record
        dose = days.get((one.day, record.ingredient))
        if dose is None:
            dose = _Merged(record.ingredient, one.day, one.first_day, [], set(), [], set())
            days[(one.day, record.ingredient)] = dose
        dose.first_day = max(dose.first_day, one.first_day)  # one exact record settles the day
        dose.sources.add(record.source)
        dose.references.append(record.reference)
        dose.keys |= one.keys
        dose.amounts.append(record.amount_mg)
        is_given = record.source is DoseSource.ADMINISTRATION
        dose.clocks.append(record.day.clock if is_given and record.day else None)
    return list(days.values())


def _join_days(merged: list[_Merged]) -> list[_Merged]:
    """One dose per day and ingredient; one without product belongs to the only named product of its day."""
    kept: dict[tuple[date, Ingredient | None], _Merged] = {}
    for one in sorted(merged, key=_order):
        same = kept.setdefault((one.day, one.ingredient), one)
        if same is not one:
            _fuse(same, one)
    for day in {day for day, ingredient in kept if ingredient is None}:
        named = [one for (other, ingredient), one in kept.items() if other == day and ingredient]
        if len(named) == 1:
            _fuse(named[0], kept.pop((day, None)))
    return sorted(kept.values(), key=_order)


def _fuse(dose: _Merged, portion: _Merged) -> None:
    """Amounts of administrations add up; other records of that day say no more than the dose itself."""
    dose.references += portion.references
    if DoseSource.ADMINISTRATION in dose.sources & portion.sources:
        dose.amounts += portion.amounts
        dose.clocks += portion.clocks
        dose.first_day = max(dose.first_day, portion.first_day)


def _finish(one: _Merged) -> Dose:
    known = [amount for amount in one.amounts if amount is not None]
    is_added = bool(one.sources & set(_ADDED))
    total = sum(known, Decimal(0)) if is_added else max(known, default=Decimal(0))
    is_complete = len(known) == len(one.amounts) if is_added else bool(known)
    clocks = [clock for clock in one.clocks if clock]
    return Dose(
        ingredient=one.ingredient,
        day=one.day,
        is_exact_day=one.first_day == one.day,
        amount_mg=total if is_complete else None,
        from_order=one.has_order_amount or one.sources == {DoseSource.ORDER},
        references=tuple(sorted(set(one.references))),
        clock=min(clocks) if clocks and len(clocks) == len(one.clocks) else None,
        first_day=one.first_day,
        known_mg=total,
    )
