"""What is kept: tokens seen and feedback before the answer, calls and cards after it. Nothing here names a patient."""

from cds_service.store.clearing import clear_tokens, purge
from cds_service.store.database import is_migrated, open_database
from cds_service.store.reading import read_feedback
from cds_service.store.tables import (
    CallRow,
    CardRow,
    FeedbackRow,
    StoreDown,
    SuggestionRow,
    calls,
    cards,
    feedback,
    metadata,
    seen_tokens,
    suggestions,
)
from cds_service.store.worker import Store

__all__ = [
    "CallRow",
    "CardRow",
    "FeedbackRow",
    "Store",
    "StoreDown",
    "SuggestionRow",
    "calls",
    "cards",
    "clear_tokens",
    "feedback",
    "is_migrated",
    "metadata",
    "open_database",
    "purge",
    "read_feedback",
    "seen_tokens",
    "suggestions",
]
