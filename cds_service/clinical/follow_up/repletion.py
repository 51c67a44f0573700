"""Did the course refill the iron stores, and which results cannot tell yet (R-09, R-48)?"""

from datetime import date
from decimal import Decimal

from cds_service.clinical.case import Case
from cds_service.clinical.follow_up.contacts import FINAL_STATUS
from cds_service.clinical.follow_up.course import Course
from cds_service.clinical.interval import Interval
from cds_service.clinical.model import Used
from cds_service.clinical.reading import SetAsideKind, show_result
from cds_service.clinical.zones import FERRITIN_ZONES, TSAT_ZONES

HEMOGLOBIN_REPLETE = Interval.at_least(Decimal("12.5"))  # R-29a, R-48


def is_drawn_since(case: Case, course: Course) -> bool:
    """A ferritin that can be read was drawn after this course, however long ago."""
    return find_latest_draw(case, course) is not None


def find_latest_draw(case: Case, course: Course) -> date | None:
    drawn = [
        one.day.last
        for one in case.facts.results.get("ferritin", ())
        if one.status in FINAL_STATUS and one.value and one.day
        and course.readable_from <= one.day.first and one.day.last <= case.as_of
    ]  # fmt: skip
    return max(drawn, default=None)


def find_deficits(case: Case, course: Course) -> tuple[tuple[str, ...], tuple[Used, ...]]:
    """R-48: what shows that iron is still lacking: ferritin 75 or less, TSAT below 20, hemoglobin below 12.5."""
    found, used = [], []
    for reading, zone, name in ((case.ferritin, FERRITIN_ZONES[0], "ferritin"), (case.tsat, TSAT_ZONES[0], "TSAT")):
        if reading.is_in(zone):
            found.append(f"{name} {reading.shown} ({reading.day})")
            used.append(reading.used)
    blood = case.hemoglobin
    is_after = blood.day is not None and blood.day >= course.readable_from
    if blood.is_usable and is_after and blood.value.cut(HEMOGLOBIN_REPLETE) is None:
        found.append(f"hemoglobin {blood.shown} ({blood.day})")
        used.append(blood.used)
    return tuple(found), tuple(used)


def name_blackout(case: Case, course: Course) -> tuple[str, ...]:
    """R-09, R-48: a ferritin or TSAT drawn too soon after iron is named as what it is: not interpretable.

    Since this course began: what an earlier one made uninterpretable is past.
    """
    lines: list[str] = []
    for name, reading in (("Ferritin", case.ferritin), ("TSAT", case.tsat)):
        found = [
            one
            for one in reading.set_aside
            if one.kind is SetAsideKind.BLACKOUT and one.result.day and one.result.day.last >= course.first_day
        ]
        lines += [f"{name} {show_result(one.result)} {one.why}." for one in found]
    return tuple(lines[:2])
