"""Where changes of presence wait until they are in the history: a stream beside the transitions of each part."""

from collections.abc import Iterable, Sequence
from itertools import groupby
from pathlib import Path

from redis.asyncio import Redis

from hub.kernel.clock import from_ms
from hub.kernel.ids import UserId
from presence.history import Past
from presence.model import Status
from presence.redis_calls import called, pipelined
from presence.transitions import EntryId, Overdue, Transitions

KEEP = Path(__file__).with_name("lua") / "keep.lua"
AT_ONCE = 200
"""Changes of one part that are read at once."""
KEPT = 50_000
"""Changes of one part that wait at most, some 8 MB: hours of PostgreSQL being away. The oldest go first."""


class RecordedTransitions:
    """Transitions that go into the history once they were told. Implements presence.transitions.Transitions."""

    def __init__(
        self, redis: Redis, transitions: Transitions, keys: Sequence[str], history_keys: Sequence[str]
    ) -> None:
        """``transitions``: those of the streams ``keys``; ``history_keys``: the stream beside each."""
        self._redis = redis
        self._transitions = transitions
        self._keys = list(zip(keys, history_keys, strict=True))
        self._keep = redis.register_script(KEEP.read_text())

    async def overdue(self, older_than_s: float) -> list[Overdue]:
        """See Transitions."""
        return await self._transitions.overdue(older_than_s)

    async def remove(self, entries: Iterable[EntryId]) -> None:
        """See Transitions. What another node has removed meanwhile is in the history by that."""
        calls = [(list(self._keys[part]), [KEPT, *ids]) for part, ids in _by_part(entries)]
        if calls:
            await called(self._redis, self._keep, calls)


class RedisHistoryQueue:
    """Implements presence.history.HistoryQueue."""

    def __init__(self, redis: Redis, keys: Sequence[str]) -> None:
        """``keys``: the stream of each part."""
        self._redis = redis
        self._keys = keys

    async def oldest(self) -> list[tuple[EntryId, Past]]:
        """See HistoryQueue."""
        parts = await pipelined(self._redis, [("XRANGE", key, "-", "+", "COUNT", AT_ONCE) for key in self._keys])
        return [
            (EntryId(part, id_.decode()), _past(fields))
            for part, entries in enumerate(parts)
            for id_, fields in entries
        ]

    async def remove(self, entries: Sequence[EntryId]) -> None:
        """See HistoryQueue."""
        if commands := [("XDEL", self._keys[part], *ids) for part, ids in _by_part(entries)]:
            await pipelined(self._redis, commands)


def _by_part(entries: Iterable[EntryId]) -> list[tuple[int, list[str]]]:
    by_part = groupby(sorted(entries, key=lambda entry: entry.part), key=lambda entry: entry.part)
    return [(part, [entry.id for entry in group]) for part, group in by_part]


def _past(fields: dict[bytes, bytes]) -> Past:
    return Past(
        UserId(fields[b"user"].decode()),
        int(fields[b"version"]),
        from_ms(int(fields[b"at"])),
        Status(int(fields[b"status"])),
    )
