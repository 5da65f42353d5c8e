"""Versions of a document, and which of those that were kept by themselves stay."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

EVERY_ONE, HOURLY, DAILY = timedelta(hours=6), timedelta(days=2), timedelta(days=60)
"""How old an automatic version may be while all of them stay, one an hour, one a day. Older: one in four weeks."""
MONTH_S = 28 * 86_400


@dataclass(frozen=True, slots=True)
class Version:
    """A version, without what the document said."""

    id: str
    document_id: str
    name: str | None
    """``None``: it was kept by itself."""
    created_by: str | None
    created_at: datetime
    authors: list[str]
    """Who changed the document since the version before."""
    size: int
    """Bytes of its content."""


def superfluous(
    versions: Iterable[tuple[str, datetime, int]], now: datetime, *, at_most: int, most_bytes: int
) -> list[str]:
    """The ids of automatic versions that can go, of all those of a document as (id, time, bytes), newest first.

    Of each hour, day or month the newest stays: what a document said when somebody stopped working on it. However old
    they are, there are at most so many, of so many bytes; the newest stays even if it is larger.
    """
    gone, seen = [], set[tuple[str, int]]()
    kept = kept_bytes = 0
    for version_id, at, size in versions:
        slot = _slot(at, now)
        full = kept >= at_most or (kept > 0 and kept_bytes + size > most_bytes)
        if full or (slot is not None and slot in seen):
            gone.append(version_id)
            continue
        if slot is not None:
            seen.add(slot)
        kept += 1
        kept_bytes += size
    return gone


def _slot(at: datetime, now: datetime) -> tuple[str, int] | None:
    age, second = now - at, int(at.timestamp())
    if age <= EVERY_ONE:
        return None
    if age <= HOURLY:
        return "hour", second // 3600
    if age <= DAILY:
        return "day", second // 86_400
    return "month", second // MONTH_S
