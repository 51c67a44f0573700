"""Whether the pages read so far are enough for a prefetch key, or its `next` link has to be followed."""

import itertools
from collections.abc import Callable, Sequence
from datetime import date

import msgspec

from cds_service.clinical.dates import read_day
from cds_service.clinical.units import WINDOW_DAYS
from cds_service.clinical.windows import SAME_TIME_DAYS
from cds_service.fhir.laboratory import ANALYTES, read_result
from cds_service.fhir.observations import USABLE_STATUS
from cds_service.fhir.wire import OBSERVATION, UNREADABLE, Observation, ReadContext, concept_ids

Enough = Callable[[str, Sequence[msgspec.Raw]], bool]
# Keys whose page is enough once it holds a usable result and everything within 7 days of it. The iron panel needs
# several analytes together, so that only its window counts.
SINGLE_ANALYTE = ("ferritin", "tsat", "hemoglobin", "weight", "crp", "phosphate")


def judge_pages(context: ReadContext) -> Enough:
    """Key and entries so far to "enough". Keys that are not sorted by date are always read to the end."""

    def is_enough(key: str, resources: Sequence[msgspec.Raw]) -> bool:
        if key not in WINDOW_DAYS:
            return False
        results = _decode(resources)
        days = [_exact_day(context, one) for one in results]
        dated = [day for day in days if day is not None]
        if not days or len(dated) < len(days) or _is_unsorted(dated):
            return False  # nothing can be said of what is still to come
        oldest = dated[-1]
        if (context.as_of - oldest).days > WINDOW_DAYS[key]:
            return True
        if key not in SINGLE_ANALYTE:
            return False
        pairs = zip(results, dated, strict=True)
        newest = next((day for one, day in pairs if day <= context.as_of and _is_usable(context, one)), None)
        return newest is not None and (newest - oldest).days > SAME_TIME_DAYS

    return is_enough


def _is_unsorted(days: list[date]) -> bool:
    return any(later > earlier for earlier, later in itertools.pairwise(days))


def _decode(resources: Sequence[msgspec.Raw]) -> list[Observation]:
    read = []
    for raw in resources:
        try:
            observation = OBSERVATION.decode(raw)
        except UNREADABLE:
            continue
        if observation.resourceType == "Observation":
            read.append(observation)
    return read


def _exact_day(context: ReadContext, observation: Observation) -> date | None:
    day = read_day(observation.effectiveDateTime or observation.effectiveInstant, context.zone)
    return day.first if day is not None and day.is_exact else None


def _is_usable(context: ReadContext, observation: Observation) -> bool:
    """A result whose status and value can be used; whether iron was given since is judged with the facts."""
    if observation.status not in USABLE_STATUS:
        return False
    ids = concept_ids(context, observation.code)
    name = next((one for one in ANALYTES if one in ids), None)
    if name is None:
        return False
    analyte, method = ANALYTES[name]
    try:
        return read_result(observation, observation, "", analyte, method, None).value is not None
    except UNREADABLE:
        return False
