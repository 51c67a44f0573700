"""What points to inflammation, which raises ferritin: CRP, and inflammatory, infectious or malignant disease (R-27)."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from cds_service.clinical.model import Used
from cds_service.clinical.problem_list import find_active, show_entry, use_entries
from cds_service.clinical.zones import CRP_ZONES

if TYPE_CHECKING:
    from cds_service.clinical.case import Case

CRP_RAISED = CRP_ZONES[1]
CONDITIONS = frozenset(
    {
        *(
            "rheumatoid-arthritis",
            "lupus",
            "inflammatory-bowel-disease",
            "immune-disease",
        ),
        *("active-infection", "systemic-infection", "malignancy", "liver-disease"),
    }
)


@dataclass(frozen=True, slots=True)
class Inflammation:
    """`because` names each sign in words; empty when nothing points to inflammation, which does not exclude it."""

    because: tuple[str, ...] = ()
    used: tuple[Used, ...] = ()

    @property
    def is_present(self) -> bool:
        return bool(self.because)


NONE = Inflammation()


def assess(case: "Case") -> Inflammation:
    """R-27. The CRP is the one drawn nearest to the ferritin, so none is read where there is no ferritin."""
    because: list[str] = []
    used: list[Used] = []
    if case.crp.is_in(CRP_RAISED):
        because.append(f"CRP {case.crp.shown} ({case.crp.day})")
        used.append(case.crp.used)
    entries = find_active(case.facts.conditions, CONDITIONS)
    because += dict.fromkeys(show_entry(entry) for entry in entries)
    used += use_entries(entries)
    return Inflammation(tuple(because), tuple(used)) if because else NONE
