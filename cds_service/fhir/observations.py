"""Observation to facts: results in canonical units, pregnancy, severity totals (R-05...R-11, R-20d-e, R-49)."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import Decimal, DecimalException

import msgspec
from msgspec import UNSET

from cds_service.clinical import units
from cds_service.clinical.dates import Day, read_day, read_instant, read_period
from cds_service.clinical.interval import Interval
from cds_service.clinical.model import (
    ConditionEntry,
    Gap,
    Impression,
    PregnancyEvidence,
    PregnancySource,
    RejectedBecause,
    Result,
    SeverityTotal,
)
from cds_service.clinical.windows import KEPT_DAYS
from cds_service.fhir.wire import (
    COMPONENTS,
    CONCEPTS,
    CONTAINED,
    KIND,
    OBSERVATION,
    RANGES,
    UNREADABLE,
    Component,
    Observation,
    Quantity,
    ReadContext,
    as_list,
    concept_ids,
    is_foreign,
    name_of,
    reference_to,
    texts_of,
)

KEYS = (
    "ferritin",
    "tsat",
    "hemoglobin",
    "iron_panel",
    "weight",
    "crp",
    "phosphate",
    "pregnancy",
    "rls_severity",
)
# Value set -> (analyte, method)
ANALYTES = {
    "ferritin": ("ferritin", ""),
    "tsat": ("tsat", ""),
    "iron": ("iron", ""),
    "tibc": ("tibc", ""),
    "uibc": ("uibc", ""),
    "transferrin": ("transferrin", ""),
    "hemoglobin": ("hemoglobin", ""),
    "hemoglobin-bloodgas": ("hemoglobin", "blood-gas"),
    "crp": ("crp", ""),
    "phosphate": ("phosphate", ""),
    "body-weight": ("body-weight", "measured"),
    "body-weight-stated": ("body-weight", "stated"),
    "body-weight-dry": ("body-weight", "dry"),
    "pre-pregnancy-weight": ("body-weight", "pre-pregnancy"),
}
PREGNANCY = (
    "pregnancy-status",
    "delivery-date",
    "gestational-age",
    "last-menstrual-period",
)
SEVERITY = "rls-severity"
IMPRESSIONS = {"rls-responder": True, "rls-nonresponder": False}
USABLE_STATUS = ("final", "amended", "corrected")
_TEXT = re.compile(r"\s*(<=|>=|<|>|\u2264|\u2265)?\s*(\d+(?:[.,]\d+)?)\s*(\S.*)?$")
_COMPARATORS = {"\u2264": "<=", "\u2265": ">="}
_LOW = ("L", "LL")


@dataclass(slots=True)
class Found:
    """What the Observations of a call held."""

    results: dict[str, tuple[Result, ...]] = field(default_factory=dict)
    pregnancy: list[PregnancyEvidence] = field(default_factory=list)
    severity: list[SeverityTotal] = field(default_factory=list)
    impressions: list[Impression] = field(default_factory=list)


class _Reader:
    def __init__(self, context: ReadContext, gaps: list[Gap]) -> None:
        self.context = context
        self.gaps = gaps
        self.cutoff = (context.as_of - timedelta(days=KEPT_DAYS)).isoformat()
        self.kept: dict[str, list[Result]] = {}
        self.older: dict[str, tuple[str, Observation, Component, str, str]] = {}
        self.found = Found()
        self.seen: set[str] = set()
        self._sets: dict[tuple[str | None, str | None], str] = {}

    def read(self, key: str, raw: msgspec.Raw, place: int) -> None:
        observation = OBSERVATION.decode(raw)
        if observation.resourceType != "Observation":
            return
        reference = reference_to("Observation", observation.id, place)
        if is_foreign(self.context, observation.subject):
            self.gaps.append(Gap(reference, "about another patient: not used", key))
            return
        if observation.id:
            if reference in self.seen:
                return
            self.seen.add(reference)
        self._part(observation, observation, reference)
        if observation.component is not UNSET:
            for component in COMPONENTS.decode(observation.component) or ():
                self._part(observation, component, reference)
        if observation.contained is not UNSET:
            self._members(observation, observation.contained, reference)

    def _members(self, panel: Observation, contained: msgspec.Raw, reference: str) -> None:
        """Results contained in their panel (`hasMember`): what they do not say themselves, the panel says."""
        for raw in CONTAINED.decode(contained) or ():
            member = OBSERVATION.decode(raw)
            if member.resourceType != "Observation" or is_foreign(self.context, member.subject):
                continue
            if not (member.effectiveDateTime or member.effectiveInstant or member.effectivePeriod):
                member.effectiveDateTime = panel.effectiveDateTime
                member.effectiveInstant, member.effectivePeriod = panel.effectiveInstant, panel.effectivePeriod
            member.status = member.status or panel.status
            self._part(member, member, f"{reference}#{(member.id or '').lstrip('#')}")

    def _part(self, observation: Observation, part: Component, reference: str) -> None:
        """One code with its value: the Observation itself or one of its components."""
        name = self._set_of(part)
        if not name:
            return
        analyte = ANALYTES.get(name)
        if analyte:
            self._result(observation, part, reference, *analyte)
        elif name == SEVERITY:
            self._severity(observation, part, reference)
        elif name in IMPRESSIONS:
            if observation.status in USABLE_STATUS:
                self.found.impressions.append(Impression(IMPRESSIONS[name], self._day(observation), reference))
        else:
            self._pregnancy(observation, part, reference, name)

    def _set_of(self, part: Component) -> str:
        """The value set that decides how a code is read; "" for codes that are not ours."""
        code = part.code
        if code is None or code.coding is None:
            return ""
        for coding in code.codings():
            key = (coding.system, coding.code)
            name = self._sets.get(key)
            if name is None:
                ids = self.context.index.concepts(*key)
                name = next((one for one in _READ_AS if one in ids), "")
                self._sets[key] = name
            if name:
                return name
        return ""

    # --- laboratory and vital signs

    def _result(self, observation: Observation, part: Component, reference: str, analyte: str, method: str) -> None:
        effective = observation.effectiveDateTime
        if effective is not None and _is_before(effective, self.cutoff):
            known = self.older.get(analyte)
            if known is None or known[0] < effective or (known[0] == effective and known[3] < reference):
                self.older[analyte] = (effective, observation, part, reference, method)
            return
        self._keep(observation, part, reference, analyte, method)

    def _keep(
        self,
        observation: Observation,
        part: Component,
        reference: str,
        analyte: str,
        method: str,
    ) -> None:
        result = read_result(observation, part, reference, analyte, method, self._day(observation))
        self.kept.setdefault(analyte, []).append(result)

    def _day(self, observation: Observation) -> Day | None:
        """Specimen time: effective[x], else the collection time of a contained specimen; never `issued` (3.1)."""
        zone = self.context.zone
        text = observation.effectiveDateTime or observation.effectiveInstant
        if text:
            return read_day(text, zone)
        period = observation.effectivePeriod
        if period is not None:
            return read_period(period.start, period.end, zone)
        collected = _collected(observation)
        return read_day(collected, zone) if collected else None

    # --- severity and pregnancy

    def _severity(self, observation: Observation, part: Component, reference: str) -> None:
        if observation.status not in USABLE_STATUS:
            return
        total = part.valueQuantity.decimal() if part.valueQuantity else None
        if total is None and part.valueInteger is not UNSET:
            total = Quantity(part.valueInteger).decimal()
        if total is not None and LOWEST_TOTAL <= total <= HIGHEST_TOTAL:
            self.found.severity.append(SeverityTotal(total, self._day(observation), reference))

    def _pregnancy(self, observation: Observation, part: Component, reference: str, name: str) -> None:
        if observation.status not in USABLE_STATUS:
            return
        evidence = read_pregnancy(self.context, part, reference, name, self._day(observation))
        if evidence:
            self.found.pregnancy.append(evidence)

    def finish(self) -> Found:
        for analyte, (_, observation, part, reference, method) in self.older.items():
            self._keep(observation, part, reference, analyte, method)
        self.found.results = {analyte: tuple(results) for analyte, results in self.kept.items()}
        return self.found


LOWEST_TOTAL, HIGHEST_TOTAL = units.SEVERITY_RANGE
_READ_AS = (*ANALYTES, SEVERITY, *IMPRESSIONS, *PREGNANCY)


def read_observations(context: ReadContext, data: Mapping[str, Sequence[msgspec.Raw]], gaps: list[Gap]) -> Found:
    """All Observation keys together: a code is read wherever it came."""
    reader = _Reader(context, gaps)
    for key in KEYS:
        entries = data.get(key)
        if not entries:
            continue
        placed = enumerate(entries) if key == KEPT_FOR_EVER else _drop_older(entries, reader.cutoff)
        for place, raw in placed:
            try:
                reader.read(key, raw, place)
            except UNREADABLE:
                gaps.append(Gap(_name(raw, place, key), "could not be read", key))
    return reader.finish()


KEPT_FOR_EVER = "rls_severity"  # severity totals of an old course still count (R-49a)


class _Dated(msgspec.Struct, gc=False):
    effectiveDateTime: str | None = None
    contained: msgspec.Raw | msgspec.UnsetType = UNSET


_DATED = msgspec.json.Decoder(_Dated)


def _drop_older(entries: Sequence[msgspec.Raw], cutoff: str) -> list[tuple[int, msgspec.Raw]]:
    """The entries with their places, less those plainly drawn before `cutoff` (an ISO date); of those the newest stays.

    A long chart holds thousands of old results: of them nothing but the date is decoded. Contained results may be
    younger than their panel.
    """
    kept: list[tuple[int, msgspec.Raw]] = []
    newest: tuple[str, int, msgspec.Raw] | None = None
    for place, raw in enumerate(entries):
        drawn = _plain_date(raw)
        if drawn is None or not _is_before(drawn, cutoff):
            kept.append((place, raw))
        elif newest is None or drawn[:10] > newest[0] or (drawn[:10] == newest[0] and bytes(raw) < bytes(newest[2])):
            newest = (drawn[:10], place, raw)
    if newest is not None:
        kept.append(newest[1:])
    return kept


def _plain_date(raw: msgspec.Raw) -> str | None:
    """None where the date alone does not tell how old everything in the resource is."""
    try:
        dated = _DATED.decode(raw)
    except UNREADABLE:
        return None
    return dated.effectiveDateTime if dated.contained is UNSET else None


def _is_before(drawn: str, cutoff: str) -> bool:
    """By calendar date; a partial date only if all of it lies before."""
    day = drawn[:10]
    return day < cutoff[: len(day)]


def _name(raw: msgspec.Raw, place: int, key: str) -> str:
    try:
        kind = KIND.decode(raw)
    except UNREADABLE:
        return f"entry {place + 1} of {key}"
    return f"{kind.resourceType}/{kind.id}" if kind.id and kind.resourceType else f"entry {place + 1} of {key}"


def _collected(observation: Observation) -> str | None:
    """Collection time of a contained Specimen."""
    if observation.contained is UNSET:
        return None
    for specimen in _SPECIMENS.decode(observation.contained) or ():
        if specimen.resourceType == "Specimen" and specimen.collection:
            period = specimen.collection.collectedPeriod
            return specimen.collection.collectedDateTime or (period.get("start") if period else None)
    return None


class _Collection(msgspec.Struct):
    collectedDateTime: str | None = None
    collectedPeriod: dict[str, str] | None = None


class _Specimen(msgspec.Struct):
    resourceType: str = ""
    collection: _Collection | None = None


_SPECIMENS = msgspec.json.Decoder(list[_Specimen] | None)


class _Value(msgspec.Struct, frozen=True, gc=False):
    """A value as recorded: number, comparator, unit; or why there is none."""

    number: Decimal | None
    recorded: str
    comparator: str | None = None
    code: str | None = None
    unit: str | None = None
    system: str | None = None
    problem: str = ""


def read_result(
    observation: Observation,
    part: Component,
    reference: str,
    analyte: str,
    method: str,
    day: Day | None,
) -> Result:
    """One result, converted by R-05, cut by R-10 and R-11; a value that cannot be used says why."""
    value = _value_of(part)
    interval: Interval | None = None
    rejected: RejectedBecause | None = None
    problem, note, likely = value.problem, "", None
    if value.number is not None:
        converted = units.convert(analyte, value.number, value.code, value.unit, value.system)
        if isinstance(converted, units.UnitProblem):
            rejected, problem, likely = (
                converted.kind,
                converted.text,
                converted.likely_percent,
            )
        else:
            note = converted.note
            interval = units.read_value(analyte, converted.value, value.comparator)
            if interval is None:
                rejected = RejectedBecause.CENSORED if value.comparator else RejectedBecause.IMPLAUSIBLE
                problem = "nothing plausible is left of it" if value.comparator else "outside the plausible range"
    elif value.recorded:
        rejected = RejectedBecause.UNREADABLE
    return Result(
        analyte=analyte,
        value=interval,
        recorded=value.recorded,
        day=day,
        status=observation.status,
        reference=reference,
        issued=read_instant(observation.issued) if observation.issued else None,
        rejected=rejected,
        problem=problem,
        note=note,
        likely_percent=likely,
        method=method,
        analyzer=_analyzer(observation) if observation.device or observation.method else "",
        lower_limit=_lower_limit(part) if analyte == "phosphate" else None,
        flagged_low=_is_flagged_low(part) if analyte == "phosphate" else False,
    )


def _value_of(part: Component) -> _Value:
    quantity = part.valueQuantity
    if quantity is not None:
        return _value_of_quantity(quantity)
    if part.valueString:
        return _value_of_text(part.valueString)
    if part.valueInteger is not UNSET:
        number = Quantity(part.valueInteger).decimal()
        return _Value(number, f"{number} without unit")
    return NO_VALUE


NO_VALUE = _Value(None, "", problem="no value")
NO_NUMBER = _Value(None, "a value that is no number", problem="the value is no number")


def _value_of_quantity(quantity: Quantity) -> _Value:
    try:
        number = quantity.decimal()
    except DecimalException:
        return NO_NUMBER
    if number is None:
        return NO_VALUE
    comparator, code, unit = quantity.comparator, quantity.code, quantity.unit
    recorded = f"{comparator or ''}{number} {unit or code or ''}".strip()
    return _Value(number, recorded, comparator, code, unit, quantity.system)


def _value_of_text(text: str) -> _Value:
    """A text result is read if it carries its unit (R-10)."""
    found = _TEXT.match(text)
    if not found:
        return _Value(None, text, problem="the text is no result")
    comparator, number, unit = found.groups()
    comparator = _COMPARATORS.get(comparator, comparator) if comparator else None
    return _Value(
        Decimal(number.replace(",", ".")),
        text.strip(),
        comparator,
        unit=unit.strip() if unit else None,
    )


def _analyzer(observation: Observation) -> str:
    device = observation.device.display if observation.device and observation.device.display else ""
    return f"{device} {' '.join(texts_of(observation.method))}".strip().lower()


def _lower_limit(part: Component) -> Decimal | None:
    """referenceRange.low converted, of several the highest that is taken (R-21)."""
    if part.referenceRange is UNSET:
        return None
    limits = []
    for one in RANGES.decode(part.referenceRange) or ():
        low = one.low
        value = low.decimal() if low else None
        if low is None or value is None:
            continue
        quantity = part.valueQuantity
        unit = low.unit or (quantity.unit if quantity and not low.code else None)
        code = low.code or (quantity.code if quantity and not low.unit else None)
        converted = units.convert("phosphate", value, code, unit, low.system)
        if not isinstance(converted, units.UnitProblem) and units.is_credible_phosphate_limit(converted.value):
            limits.append(converted.value)
    return max(limits, default=None)


def _is_flagged_low(part: Component) -> bool:
    if part.interpretation is UNSET:
        return False
    concepts = CONCEPTS.decode(part.interpretation)
    return any(coding.code in _LOW for concept in as_list(concepts) for coding in concept.codings())


# ------------------------------------------------------------------------------------------------------ pregnancy

_STATUS_ANSWERS = {"pregnant": True, "not-pregnant": False}


def read_pregnancy(
    context: ReadContext, part: Component, reference: str, name: str, day: Day | None
) -> PregnancyEvidence | None:
    """Pregnancy status, delivery date, gestational age or last period (R-20d, R-20e)."""
    if name == "pregnancy-status":
        pregnant = _is_pregnant(context, part)
        return (
            None if pregnant is None else PregnancyEvidence(PregnancySource.STATUS, reference, day, pregnant=pregnant)
        )
    if name == "gestational-age":
        age = _age_days(part.valueQuantity)
        return None if age is None else PregnancyEvidence(PregnancySource.GESTATIONAL_AGE, reference, day, age_days=age)
    value = _date_value(context, part)
    if value is None:
        return None
    source = PregnancySource.DELIVERY_DATE if name == "delivery-date" else PregnancySource.LAST_PERIOD
    return PregnancyEvidence(source, reference, day, value_date=value)


def _is_pregnant(context: ReadContext, part: Component) -> bool | None:
    """By coded answer; words only where no code is known."""
    concept = part.valueCodeableConcept
    ids = concept_ids(context, concept)
    if "pregnancy-negated" in ids:
        return False
    if "pregnancy" in ids or "pregnancy-status-pregnant" in ids:
        return True
    words = (name_of(concept) or part.valueString or "").strip().lower()
    if words in ("not pregnant", "no", "negative"):
        return False
    return True if words in ("pregnant", "yes", "positive") else None


def _age_days(quantity: Quantity | None) -> int | None:
    """Gestational age in whole days; the unit d or wk has to be stated."""
    value = quantity.decimal() if quantity else None
    return None if quantity is None or value is None else units.gestational_days(value, quantity.code, quantity.unit)


def _date_value(context: ReadContext, part: Component) -> date | None:
    text = part.valueDateTime or part.valueString
    day = read_day(text, context.zone) if text else None
    return day.first if day and day.first == day.last else None


_TRIMESTERS = {
    "pregnancy-first-trimester": 1,
    "pregnancy-second-trimester": 2,
    "pregnancy-third-trimester": 3,
}


def pregnancy_of_conditions(
    conditions: Iterable[ConditionEntry],
) -> tuple[PregnancyEvidence, ...]:
    """Active pregnancy conditions as evidence, RLS in pregnancy and coded trimesters included (R-20d)."""
    return tuple(
        PregnancyEvidence(
            PregnancySource.CONDITION,
            entry.reference,
            entry.day,
            pregnant=True,
            trimester=next((_TRIMESTERS[one] for one in _TRIMESTERS if one in entry.concepts), None),
        )
        for entry in conditions
        if "pregnancy" in entry.concepts and entry.is_active and entry.counts
    )
