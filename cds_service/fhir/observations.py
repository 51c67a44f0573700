"""All Observations of a call to facts: results, pregnancy, severity totals, impressions (R-07, R-20d, R-49)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from functools import lru_cache

import msgspec
from msgspec import UNSET

from cds_service.clinical import units
from cds_service.clinical.dates import Day, read_day, read_period
from cds_service.clinical.model import Gap, Impression, PregnancyEvidence, Result, SeverityTotal
from cds_service.clinical.windows import KEPT_DAYS
from cds_service.fhir.laboratory import ANALYTES, read_result
from cds_service.fhir.pregnancy_status import PREGNANCY, read_pregnancy
from cds_service.fhir.wire import (
    COMPONENTS,
    CONTAINED,
    KIND,
    OBSERVATION,
    UNREADABLE,
    Component,
    Observation,
    ReadContext,
    is_foreign,
    read_decimal,
    reference_to,
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
SEVERITY = "rls-severity"
IMPRESSIONS = {"rls-responder": True, "rls-nonresponder": False}
USABLE_STATUS = ("final", "amended", "corrected")
LOWEST_TOTAL, HIGHEST_TOTAL = units.SEVERITY_RANGE
_READ_AS = (*ANALYTES, SEVERITY, *IMPRESSIONS, *PREGNANCY)


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
        self.own = context.own_reference
        self.gaps = gaps
        self.cutoff = _days_before(context, KEPT_DAYS)
        self.kept: dict[str, list[Result]] = {}
        self.older: dict[str, tuple[str, Observation, Component, str, str]] = {}
        self.found = Found()
        self.seen: set[str] = set()

    def read(self, key: str, raw: msgspec.Raw, place: int) -> None:
        observation = OBSERVATION.decode(raw)
        if observation.resourceType != "Observation":
            return
        reference = reference_to("Observation", observation.id, place)
        subject = observation.subject
        if subject is not None and subject.reference != self.own and is_foreign(self.context, subject):
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
        if part.code is None:
            return ""
        find_sets = self.context.index.concepts
        for coding in part.code.codings():
            name = _read_as(find_sets(coding.system, coding.code))
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
        else:
            self._keep(observation, part, reference, analyte, method)

    def _keep(
        self,
        observation: Observation,
        part: Component,
        reference: str,
        analyte: str,
        method: str,
    ) -> None:
        effective = observation.effectiveDateTime
        day = read_day(effective, self.context.zone) if effective else self._day(observation)
        self.kept.setdefault(analyte, []).append(read_result(observation, part, reference, analyte, method, day))

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
        if total is None:
            total = read_decimal(part.valueInteger)
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


@lru_cache(maxsize=1024)  # the sets are ours, and a code is in few of them
def _read_as(sets: frozenset[str]) -> str:
    return next((one for one in _READ_AS if one in sets), "")


def read_observations(
    context: ReadContext,
    data: Mapping[str, Sequence[msgspec.Raw]],
    gaps: list[Gap],
    windows: Mapping[str, int] = units.WINDOW_DAYS,
) -> Found:
    """All Observation keys together: a code is read wherever it came.

    `windows`: how many days back the results of a key matter; those of other keys for `KEPT_DAYS`.
    """
    reader = _Reader(context, gaps)
    for key in KEYS:
        entries = data.get(key)
        if not entries:
            continue
        cutoff = _days_before(context, windows.get(key, KEPT_DAYS))
        placed = enumerate(entries) if key == KEPT_FOR_EVER else _drop_older(entries, cutoff)
        for place, raw in placed:
            try:
                reader.read(key, raw, place)
            except UNREADABLE:
                gaps.append(Gap(_name(raw, place, key), "could not be read", key))
    return reader.finish()


KEPT_FOR_EVER = "rls_severity"  # severity totals of an old course still count (R-49a)


def _days_before(context: ReadContext, days: int) -> str:
    """ISO date. A day more: a time in UTC may lie on the next day at the site (R-08a)."""
    return (context.as_of - timedelta(days=days + 1)).isoformat()


class _Dated(msgspec.Struct, gc=False):
    effectiveDateTime: str | None = None
    contained: msgspec.Raw | msgspec.UnsetType = UNSET


_DATED = msgspec.json.Decoder(_Dated)


def _drop_older(entries: Sequence[msgspec.Raw], cutoff: str) -> list[tuple[int, msgspec.Raw]]:
    """The entries with their places, less those plainly drawn before `cutoff` (an ISO date); of those the newest stay.

    A long chart holds thousands of old results: of them nothing but the date is decoded. Contained results may be
    younger than their panel. The newest are all of one day: a TSAT is calculated from several.
    """
    kept: list[tuple[int, msgspec.Raw]] = []
    newest: list[tuple[int, msgspec.Raw]] = []
    newest_day = ""
    decode = _DATED.decode
    for place, raw in enumerate(entries):  # the loop of a long chart: no call in it that can be spared
        try:
            dated = decode(raw)
        except UNREADABLE:
            kept.append((place, raw))
            continue
        drawn = dated.effectiveDateTime
        # None, or contained results: the date alone does not tell how old everything in the resource is.
        if drawn is None or dated.contained is not UNSET or (day := drawn[:10]) >= cutoff or cutoff.startswith(day):
            kept.append((place, raw))
        elif day > newest_day:
            newest_day, newest = day, [(place, raw)]
        elif day == newest_day:
            newest.append((place, raw))
    return kept + newest


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
