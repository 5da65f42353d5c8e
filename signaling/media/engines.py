"""The engines that a hub has: which can be used at this moment, and clearing up behind calls."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping

from hub.kernel.tasks import Tasks
from signaling.media.engine import EngineDown, Leg, MediaEngine

log = logging.getLogger(__name__)

Available = Callable[[], Awaitable[bool]]


class Engines:
    """Engines by name, the mesh among them."""

    def __init__(self, engines: Mapping[str, MediaEngine], available: Mapping[str, Available], tasks: Tasks) -> None:
        """``available`` asks those that may be absent; the others are taken to be there."""
        self._engines = engines
        self._available = available
        self._tasks = tasks

    def __getitem__(self, name: str) -> MediaEngine:
        """The engine of a call. One that the settings have no more (a node was restarted with others) is down."""
        if name not in self._engines:
            raise EngineDown(f"This node has no engine {name}.")
        return self._engines[name]

    async def available(self) -> set[str]:
        """Those that a call can be moved to."""
        return {name for name in self._engines if name not in self._available or await self._available[name]()}

    def over(self, call_id: str, engine: str, *, after_s: float = 0) -> None:
        """A call has ended, or left the engine: its room is closed, in the background, ``after_s`` from now.

        If that fails, the engine does it in time.
        """
        self._later(call_id, engine, lambda one: one.close(call_id), after_s)

    def gone(self, call_id: str, engine: str, user_id: str) -> None:
        """Somebody has left a call: they are put out of its room, in the background."""
        self._later(call_id, engine, lambda one: one.remove(call_id, Leg(user_id, user_id)))

    def _later(
        self, call_id: str, engine: str, ask: Callable[[MediaEngine], Awaitable[None]], after_s: float = 0
    ) -> None:
        async def run() -> None:
            await asyncio.sleep(after_s)
            try:
                await ask(self[engine])
            except EngineDown as error:
                log.warning("the room of call %s could not be cleared up: %s", call_id, error)

        if engine != "mesh":
            self._tasks.start(run(), name="clearing up behind a call")
