"""Is the patient pregnant today, and how far: evidence, how long it lasts, and the gestational age (R-20d, R-20e)."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, time, timedelta
from enum import StrEnum

from cds_service.clinical.dates import has_reached_age
from cds_service.clinical.model import PatientFacts, PregnancyEvidence, PregnancySource

EVIDENCE_DAYS = 300  # R-20d: older evidence is of another pregnancy
BEFORE_DELIVERY_DAYS = 280  # R-20d: pregnant from so long before the delivery date ...
AFTER_DELIVERY_DAYS = 14  # ... until so long after it
TERM_DAYS = 280  # R-20e: gestational age on the delivery date
LONGEST_DAYS = 308  # R-20e: an age outside [0, 308] is no age
FOURTEEN_WEEKS_DAYS = 98  # R-20a, R-20b: 14w0d
STATUS_KNOWN_DAYS = 90  # R-20d: for so long the status is taken as on record
YOUNGEST, OLDEST = 18, 55  # R-20d: completed years in which an unknown status is named


class Stage(StrEnum):
    """Of a pregnancy on the hook date."""

    EARLY = "before 14w0d"
    LATER = "14w0d or more"
    UNKNOWN = "gestational age unknown"


@dataclass(frozen=True, slots=True)
class Dating:
    """The gestational age and where it is from. `age_days` is None where only a trimester is coded."""

    stage: Stage = Stage.UNKNOWN
    age_days: int | None = None
    source: PregnancyEvidence | None = None
    is_assumed: bool = False  # a coded first trimester, read by how old the entry is: the exact age is wanted


@dataclass(frozen=True, slots=True)
class PregnancyState:
    """What the chart says today. `current` is the evidence that counts, newest first; empty = not pregnant."""

    current: tuple[PregnancyEvidence, ...] = ()
    dating: Dating = Dating()
    reaches_14_weeks_on: date | None = None  # only before that day and with a known age
    lapsed: tuple[PregnancyEvidence, ...] = ()  # older than 300 days: a line and nothing else
    needs_status_line: bool = False

    @property
    def is_pregnant(self) -> bool:
        return bool(self.current)

    @property
    def stage(self) -> Stage | None:
        """None when not pregnant."""
        return self.dating.stage if self.current else None

    @property
    def age_days(self) -> int | None:
        """Completed days of gestation on the hook date; None when not pregnant or not known."""
        return self.dating.age_days


def assess(facts: PatientFacts, as_of: date) -> PregnancyState:
    """R-20d and R-20e on the hook date; the order of the evidence does not matter."""
    evidence = _drop_cancelled([one for one in facts.pregnancy if not _is_future(one, as_of)])
    current = [one for one in evidence if _says_pregnant(one, as_of) and _age(one, as_of) <= EVIDENCE_DAYS]
    if not current:
        return PregnancyState(
            lapsed=_newest_first(one for one in evidence if one.pregnant and _is_lapsed(one, as_of)),
            needs_status_line=_may_be_pregnant(facts, as_of) and not _is_status_known(facts.pregnancy, as_of),
        )
    dating = _date_pregnancy(evidence, current, as_of)
    return PregnancyState(_newest_first(current), dating, _reaches_14_weeks(dating, as_of))


# ---------------------------------------------------------------------------------------------------- what counts


def _is_future(one: PregnancyEvidence, as_of: date) -> bool:
    """A future statement is ignored; a problem-list entry stands, whatever its date."""
    return one.source is not PregnancySource.CONDITION and one.day is not None and one.day.first > as_of


def _drop_cancelled(evidence: list[PregnancyEvidence]) -> list[PregnancyEvidence]:
    """A newer "not pregnant" cancels all that was said before it, the dating of that pregnancy included."""
    denials = [one for one in evidence if one.pregnant is False]
    if not denials:
        return evidence
    return [one for one in evidence if not any(_is_surely_newer(denial, one) for denial in denials)]


def _is_surely_newer(denial: PregnancyEvidence, other: PregnancyEvidence) -> bool:
    """Never true for an undated entry; on one day only if both clock times say so."""
    if denial.day is None or other.day is None:
        return False
    if denial.day.first != other.day.last:
        return denial.day.first > other.day.last
    mine, theirs = denial.day.clock, other.day.clock
    return mine is not None and theirs is not None and mine > theirs


def _says_pregnant(one: PregnancyEvidence, as_of: date) -> bool:
    """An undated status says nothing; an undated problem counts, and a delivery date is dated by itself."""
    if one.source is PregnancySource.DELIVERY_DATE:
        return one.value_date is not None and _is_near_delivery(one.value_date, as_of)
    if one.source is PregnancySource.STATUS and one.day is None:
        return False
    return one.pregnant is True


def _is_near_delivery(delivery: date, as_of: date) -> bool:
    return -BEFORE_DELIVERY_DAYS <= (as_of - delivery).days <= AFTER_DELIVERY_DAYS


def _age(one: PregnancyEvidence, as_of: date) -> int:
    """Days since the statement; 0 when undated. Of a partial date the latest day: pregnancy is rather assumed."""
    return 0 if one.day is None else max((as_of - one.day.last).days, 0)


def _is_lapsed(one: PregnancyEvidence, as_of: date) -> bool:
    return _age(one, as_of) > EVIDENCE_DAYS


def _newest_first(
    evidence: Iterable[PregnancyEvidence],
) -> tuple[PregnancyEvidence, ...]:
    return tuple(sorted(evidence, key=_recency, reverse=True))


def _recency(one: PregnancyEvidence) -> tuple[date, time, str, str, date, int]:
    """A total order; undated evidence counts as the oldest."""
    clock = one.day.clock if one.day else None
    return (
        _said_on(one),
        clock or time.min,
        one.source,
        one.reference,
        one.value_date or date.min,
        one.age_days or one.trimester or 0,
    )


# ---------------------------------------------------------------------------------------------- gestational age


def _date_pregnancy(evidence: list[PregnancyEvidence], current: list[PregnancyEvidence], as_of: date) -> Dating:
    """R-20e: the first kind of source that exists; within a kind the newest statement, then the younger age."""
    for source in (
        PregnancySource.DELIVERY_DATE,
        PregnancySource.GESTATIONAL_AGE,
        PregnancySource.LAST_PERIOD,
    ):
        found = [
            (one, age)
            for one in evidence
            if one.source is source and (age := _age_today(one, as_of)) is not None and 0 <= age <= LONGEST_DAYS
        ]
        if found:
            newest = max(_said_on(one) for one, _ in found)
            latest = [(one, age) for one, age in found if _said_on(one) == newest]
            said_by, age = min(latest, key=lambda pair: (pair[1], _recency(pair[0])))
            return Dating(Stage.EARLY if age < FOURTEEN_WEEKS_DAYS else Stage.LATER, age, said_by)
    return _date_by_trimester([one for one in current if one.trimester], as_of)


def _said_on(one: PregnancyEvidence) -> date:
    return one.day.last if one.day else date.min


def _age_today(one: PregnancyEvidence, as_of: date) -> int | None:
    if one.source is PregnancySource.GESTATIONAL_AGE:
        # A number of days can only be counted on from a known day.
        if one.age_days is None or one.day is None or not one.day.is_exact:
            return None
        return one.age_days + (as_of - one.day.first).days
    if one.value_date is None:
        return None
    if one.source is PregnancySource.DELIVERY_DATE:
        return TERM_DAYS - (one.value_date - as_of).days
    return (as_of - one.value_date).days


def _date_by_trimester(coded: list[PregnancyEvidence], as_of: date) -> Dating:
    """The newest coded trimester. An undated one may be the newest: of several readings the earlier stage."""
    if not coded:
        return Dating()
    newest = max(_said_on(one) for one in coded)
    readings = [
        _read_trimester(one, as_of) for one in _newest_first(coded) if one.day is None or _said_on(one) == newest
    ]
    return next((reading for reading in readings if reading.stage is Stage.EARLY), readings[0])


def _read_trimester(one: PregnancyEvidence, as_of: date) -> Dating:
    if one.trimester != 1:
        return Dating(Stage.LATER, None, one)
    # The cautious reading: an entry of the first trimester was made at the earliest on day 0.
    stage = Stage.EARLY if _age(one, as_of) < FOURTEEN_WEEKS_DAYS else Stage.LATER
    return Dating(stage, None, one, is_assumed=True)


def _reaches_14_weeks(dating: Dating, as_of: date) -> date | None:
    if dating.stage is not Stage.EARLY or dating.age_days is None:
        return None
    return as_of + timedelta(days=FOURTEEN_WEEKS_DAYS - dating.age_days)


# ------------------------------------------------------------------------------------------------ status unknown


def _may_be_pregnant(facts: PatientFacts, as_of: date) -> bool:
    """Recorded female or sex not recorded, 18 to 55 years; an age that cannot be told may be one of them."""
    if facts.sex not in ("female", "unknown", None):
        return False
    if facts.birth is None:
        return True
    is_old_enough = has_reached_age(facts.birth, YOUNGEST, as_of) is not False
    return is_old_enough and has_reached_age(facts.birth, OLDEST + 1, as_of) is not True


def _is_status_known(evidence: Iterable[PregnancyEvidence], as_of: date) -> bool:
    """Evidence either way in the last 90 days."""
    return any(
        one.day is not None and not _is_future(one, as_of) and (as_of - one.day.first).days <= STATUS_KNOWN_DAYS
        for one in evidence
        if one.pregnant is False or _says_pregnant(one, as_of)
    )
