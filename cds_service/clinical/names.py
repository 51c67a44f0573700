"""Names in words where a chart has no code of ours: drugs, conditions, reactions (R-01a, R-02a, R-18)."""

from cds_service.clinical.condition_names import (
    NAMED_CONDITIONS,
    conditions_from_text,
    manifestation_from_text,
)
from cds_service.clinical.drug_names import (
    DRUG_CONCEPTS,
    DrugName,
    drug_from_text,
    is_injectable,
    is_oral,
)

__all__ = [
    "DRUG_CONCEPTS",
    "NAMED_CONDITIONS",
    "DrugName",
    "conditions_from_text",
    "drug_from_text",
    "is_injectable",
    "is_oral",
    "manifestation_from_text",
]
