"""Connections sent elsewhere when their node stops: in waves, so that those who take them in are not run over."""

import asyncio
import math
from collections.abc import Collection, Sequence
from typing import Any, Final

from hub.kernel.wire import ServerEvent, to_wire
from hub.transport.connection import Connection

WAVE: Final = 50
"""Connections in a wave, if not more. The next node takes in some 600 of them in a second, with a core of its own."""
EVERY_S: Final = 0.1
"""Between two waves."""
DRAIN_S: Final = 5.0
"""Longest time until the last wave; larger crowds come in larger waves."""
LAST_EVENTS_S: Final = 5.0
"""Longest wait for the events of a connection that are being handled."""


async def send_away(connections: Sequence[Connection], farewell: ServerEvent) -> bool:
    """Close connections wave by wave; their clients come back by themselves, to other nodes.

    Each is served until its turn comes. Then it is sent ``farewell``, no event of it is begun any more, what is under
    way is finished and answered, and it is closed. Returns whether all of that came to an end in time.
    """
    name, payload = farewell.event, to_wire(farewell)
    size = max(WAVE, math.ceil(len(connections) * EVERY_S / DRAIN_S))
    waves: list[asyncio.Task[bool]] = []
    async with asyncio.TaskGroup() as group:
        for start in range(0, len(connections), size):
            if start:
                await asyncio.sleep(EVERY_S)
            waves.append(group.create_task(_wave(connections[start : start + size], name, payload)))
    return all(wave.result() for wave in waves)


async def _wave(connections: Collection[Connection], name: str, payload: Any) -> bool:
    for connection in connections:
        connection.leaves = True
        connection.socket.emit(name, payload)
    finished = await asyncio.gather(*map(_finished, connections))
    for connection in connections:
        connection.cut()
    return all(finished)


async def _finished(connection: Connection) -> bool:
    try:
        async with asyncio.timeout(LAST_EVENTS_S):
            await connection.settled(connection.engine.loop)
    except TimeoutError:
        return False
    return True
