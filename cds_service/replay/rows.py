"""The rows of a replay: their columns, and the pseudonyms that stand in them. No names, no chart text."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import TypeAlias

from cds_service.clinical.given_doses import plain
from cds_service.clinical.interval import Interval
from cds_service.records import pseudonym

Row: TypeAlias = tuple[str, ...]

# Both begin with time and id: the total order of a file.
DECISIONS = (
    *("time", "id", "kind", "patient", "prescriber", "day", "product", "dose_mg"),
    *("conclusion", "decided_by", "rules", "lines", "is_warning", "is_capped", "relation", "days_since_iron"),
    *("ferritin_ng_per_ml", "ferritin_day", "ferritin_missing"),
    *("tsat_percent", "tsat_day", "tsat_missing"),
    *("hemoglobin_g_per_dl", "hemoglobin_day", "hemoglobin_missing"),
    *("gaps", "stand_ins"),
)
FOLLOW_UPS = (
    *("time", "id", "patient", "iron_order", "product", "day_0", "doses", "total_mg", "is_adequate"),
    *("contact", "window_from", "window_to", "state", "is_arranged", "topics"),
    *("response", "has_returned", "next_course_after_days"),
)
SEPARATOR = "; "
ORDER, WHAT_IF = "order", "what-if"
CLIENT = "replay"  # the pseudonyms of the running service are others


@dataclass(frozen=True, slots=True)
class Naming:
    """Patients and orders under keyed pseudonyms, or under their ids; prescribers always under pseudonyms."""

    key: bytes
    is_identified: bool

    def patient(self, patient_id: str) -> str:
        return patient_id if self.is_identified else pseudonym(self.key, CLIENT, patient_id)

    def resource(self, patient_id: str, reference: str) -> str:
        """An order's id is as telling as the patient's."""
        return reference if self.is_identified else pseudonym(self.key, CLIENT, f"{patient_id}\n{reference}")

    def prescriber(self, reference: str) -> str:
        return pseudonym(self.key, f"{CLIENT} prescriber", reference) if reference else ""


def show_value(value: Interval | None) -> str:
    """`74.5`; of a censored value `<5`, `>=1000`, or what it may be, as `5..10`. Canonical unit."""
    if value is None:
        return ""
    low = plain(value.low) if value.low is not None else ""
    high = plain(value.high) if value.high is not None else ""
    if value.is_point:
        return low
    if not low or value.low == 0:
        return f"{'<=' if value.high_closed else '<'}{high}" if high else ""
    return f"{low}..{high}" if high else f"{'>=' if value.low_closed else '>'}{low}"


def show_amount(mg: Decimal | None) -> str:
    return "" if mg is None else plain(mg)


def yes(value: object) -> str:
    return "1" if value else "0"


def words(values: Sequence[str]) -> str:
    """Each once, in the order given; ids of rules hold blanks."""
    return SEPARATOR.join(dict.fromkeys(values))
