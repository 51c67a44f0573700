"""Short builders for statements about a pregnancy (R-20d, R-20e), and a woman with low iron who has them."""

from dataclasses import replace
from datetime import time, timedelta
from typing import Any

from cds_service.clinical.dates import Day
from cds_service.clinical.model import ConditionEntry, PatientFacts, PregnancyEvidence, PregnancySource
from tests.rules.build import TODAY, condition, day, facts, ferritin, tsat


def evidence(source: PregnancySource, when: int | Day | None, **changes: Any) -> PregnancyEvidence:
    stated = day(when) if isinstance(when, int) else when
    return PregnancyEvidence(source, f"Observation/{source}-{stated}", stated, **changes)


def status(when: int | Day | None, pregnant: bool = True) -> PregnancyEvidence:
    return evidence(PregnancySource.STATUS, when, pregnant=pregnant)


def problem(when: int | Day | None, trimester: int | None = None) -> PregnancyEvidence:
    return evidence(PregnancySource.CONDITION, when, pregnant=True, trimester=trimester)


def due_in(days: int, when: int | Day | None = 10) -> PregnancyEvidence:
    """A delivery date so many days after today (negative: before)."""
    return evidence(PregnancySource.DELIVERY_DATE, when, value_date=TODAY + timedelta(days=days))


def gestation(age_days: int, when: int | Day | None = 0) -> PregnancyEvidence:
    return evidence(PregnancySource.GESTATIONAL_AGE, when, age_days=age_days)


def last_period(days_ago: int, when: int | Day | None = 10) -> PregnancyEvidence:
    return evidence(PregnancySource.LAST_PERIOD, when, value_date=TODAY - timedelta(days=days_ago))


def at(clock: time, days_ago: int = 5) -> Day:
    return replace(day(days_ago), clock=clock)


def woman(*stated: PregnancyEvidence, **changes: Any) -> PatientFacts:
    return facts(ferritin("22"), tsat("12"), pregnancy=stated, **changes)


def entry(when: Day | None, **changes: Any) -> ConditionEntry:
    return condition("pregnancy", **{"name": "Pregnancy", "reference": "Condition/p", "day": when, **changes})
