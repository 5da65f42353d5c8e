"""The streams of transitions in Redis."""

from collections.abc import Iterable, Sequence
from itertools import groupby
from pathlib import Path

from redis.asyncio import Redis

from presence.redis_calls import called, pipelined
from presence.transitions import EntryId, Overdue

OVERDUE = Path(__file__).with_name("lua") / "overdue.lua"
AT_ONCE = 100
"""Overdue transitions of one part that are read at once: of a node that died while it told of thousands, all nodes
tell as many with every sweep, and none is kept from its other work."""


class RedisTransitions:
    """Implements presence.transitions.Transitions over a stream for each part.

    The functions that make transitions XADD them there, with ids by Redis's clock. An empty stream costs 100 bytes.
    """

    def __init__(self, redis: Redis, keys: Sequence[str]) -> None:
        """``keys``: the stream of each part."""
        self._redis = redis
        self._keys = keys
        self._overdue = redis.register_script(OVERDUE.read_text())

    async def overdue(self, older_than_s: float) -> list[Overdue]:
        """See Transitions."""
        arguments = [round(older_than_s * 1000), AT_ONCE]
        parts = await called(self._redis, self._overdue, [([key], arguments) for key in self._keys])
        return [
            Overdue(EntryId(part, id_.decode()), _fields(flat), age_ms / 1000)
            for part, entries in enumerate(parts)
            for age_ms, id_, flat in entries
        ]

    async def remove(self, entries: Iterable[EntryId]) -> None:
        """See Transitions."""
        by_part = groupby(sorted(entries, key=lambda entry: entry.part), key=lambda entry: entry.part)
        commands = [("XDEL", self._keys[part], *(entry.id for entry in group)) for part, group in by_part]
        if commands:
            await pipelined(self._redis, commands)


def _fields(flat: list[bytes]) -> dict[str, str]:
    texts = [text.decode() for text in flat]
    return dict(zip(texts[::2], texts[1::2], strict=True))
