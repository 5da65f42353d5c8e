"""Who changed a document, when, and how much."""

from dataclasses import dataclass
from datetime import datetime

from hub.kernel.clock import from_ms

INTERVAL_MS = 5 * 60_000
"""What somebody does within it is one contribution: fine enough to say who was at it, and 288 rows a day at most."""


@dataclass(slots=True)
class Contribution:
    """The changes of one person to one document within one interval."""

    document_id: str
    user_id: str
    began_at: datetime
    changes: int
    bytes: int


def interval_of(unix_ms: int) -> datetime:
    """The beginning of the interval that a moment is in."""
    return from_ms(unix_ms // INTERVAL_MS * INTERVAL_MS)
