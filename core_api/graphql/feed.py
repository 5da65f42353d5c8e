"""Events on their way to one subscriber, in bounded memory."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any, Generic, TypeVar

from core_api.graphql.errors import SubscriptionLagged
from hub.kernel.ids import RoomName
from hub.kernel.ports import Listener, Rooms

T = TypeVar("T")
Pick = Callable[[str, Any], T | None]
"""From an event's name and payload to what the subscriber wants of it; ``None`` for nothing. Must not raise."""


class Feed(Generic[T]):
    """A queue that never grows beyond ``limit``: whoever does not read loses the subscription, and nothing else.

    For one reader.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._waiting: deque[T] = deque()
        self._wake = asyncio.Event()
        self._lagged = False

    def put(self, item: T) -> None:
        """Add an item; one too many drops all of them."""
        if len(self._waiting) == self._limit:
            self._lagged = True
            self._waiting.clear()
        if not self._lagged:
            self._waiting.append(item)
        self._wake.set()

    def __aiter__(self) -> AsyncIterator[T]:
        return self

    async def __anext__(self) -> T:
        """The next item. Raises SubscriptionLagged once there were too many."""
        while not self._waiting:
            if self._lagged:
                raise SubscriptionLagged
            self._wake.clear()
            await self._wake.wait()
        return self._waiting.popleft()


@asynccontextmanager
async def listening(rooms: Rooms, sources: Mapping[RoomName, Pick[T]], limit: int) -> AsyncIterator[Feed[T]]:
    """What is picked of the events of these rooms, from now on."""
    feed = Feed[T](limit)
    async with AsyncExitStack() as stack:
        for room, pick in sources.items():
            await stack.enter_async_context(rooms.listen(room, _into(feed, pick)))
        yield feed


def _into(feed: Feed[T], pick: Pick[T]) -> Listener:
    def listener(event: str, payload: Any) -> None:
        if (item := pick(event, payload)) is not None:
            feed.put(item)

    return listener


class Counter:
    """How often something has happened since one last asked. Takes no more room however often it does."""

    def __init__(self) -> None:
        self._count = 0
        self._wake = asyncio.Event()

    def add(self) -> None:
        """It has happened."""
        self._count += 1
        self._wake.set()

    async def taken(self) -> int:
        """Wait until it has happened at least once, and begin to count anew."""
        await self._wake.wait()
        self._wake.clear()
        count, self._count = self._count, 0
        return count
