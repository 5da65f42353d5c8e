"""The word in each part by which nodes find that Redis has lost its memory, and that it knows everything again."""

import asyncio
import os
from collections.abc import Collection, Sequence
from pathlib import Path

from redis.asyncio import Redis

from hub.kernel.clock import Clock
from hub.kernel.ports import Nodes
from presence.redis_calls import called, pipelined

TOLD = Path(__file__).with_name("lua") / "told.lua"
BEING_TOLD = b"being told "
"""What the word of a part begins with that is not whole. What follows is another after each loss."""
PATIENCE_MS = 10_000
"""After that a part is whole although a live node has not said that it told everything: it may be of an older version,
or unable to. Otherwise nobody's presence could be read for as long."""


def is_whole(word: bytes | None) -> bool:
    """Whether a part with this word is whole."""
    return word is not None and not word.startswith(BEING_TOLD)


class RedisMemory:
    """Implements presence.memory.Memory. The word is gone with everything else; whoever finds that makes up another."""

    def __init__(self, redis: Redis, keys: Sequence[tuple[str, str]], nodes: Nodes, clock: Clock) -> None:
        """``keys``: of each part that of the word, and that of the nodes which have told everything."""
        self._redis = redis
        self._keys = keys
        self._told = redis.register_script(TOLD.read_text())
        self._nodes = nodes
        self._clock = clock
        self._words: list[bytes | None] = [None] * len(keys)
        """As they were found last."""
        self._known: list[bytes | None] = [None] * len(keys)
        """The name of the memory that this node has told everything; ``None`` at its start."""
        self._since_ms = 0
        """When a part was found first that is not whole; 0: all are."""
        self._is_whole = asyncio.Event()

    async def lost(self) -> frozenset[int]:
        """See Memory."""
        words = await self._read()
        if None in words:
            made_up = [
                ("SET", key, BEING_TOLD + os.urandom(8).hex().encode(), "NX")
                for (key, _), word in zip(self._keys, words, strict=True)
                if word is None
            ]
            await pipelined(self._redis, made_up)  # by one of all nodes
            words = await self._read()
        self._note(words)
        for part, word in enumerate(words):
            if self._known[part] is None and is_whole(word):
                self._known[part] = word  # of a node that has just started, and had nothing to tell before
        return frozenset(part for part, word in enumerate(words) if _name(word) != self._known[part])

    async def told(self, parts: Collection[int]) -> None:
        """See Memory."""
        for part in parts:
            self._known[part] = _name(self._words[part])
        open_ = [
            (part, name)
            for part, word in enumerate(self._words)
            if not is_whole(word) and (name := _name(word)) is not None and name == self._known[part]
        ]
        if not open_:
            return
        node_id = self._nodes.node_id
        is_late = self._clock.now_ms() - self._since_ms >= PATIENCE_MS
        needed = {node_id} if is_late else await self._nodes.live()
        calls = [(list(self._keys[part]), [BEING_TOLD, name, node_id, *sorted(needed)]) for part, name in open_]
        await called(self._redis, self._told, calls)
        self._note(await self._read())

    async def whole(self, within_s: float) -> bool:
        """See Memory."""
        self._is_whole.clear()  # whoever asks has found one that is not
        try:
            async with asyncio.timeout(within_s):
                await self._is_whole.wait()
        except TimeoutError:
            return False
        return True

    async def _read(self) -> list[bytes | None]:
        return await pipelined(self._redis, [("GET", key) for key, _ in self._keys])

    def _note(self, words: list[bytes | None]) -> None:
        self._words = words
        if all(map(is_whole, words)):
            self._since_ms = 0
            self._is_whole.set()
        elif not self._since_ms:
            self._since_ms = self._clock.now_ms()


def _name(word: bytes | None) -> bytes | None:
    return None if word is None else word.removeprefix(BEING_TOLD)
