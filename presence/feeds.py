"""Following one person's presence inside the hub, as somebody may see it: for doors other than sockets."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from hub.kernel.clock import Clock
from hub.kernel.errors import Unavailable
from hub.kernel.ids import RoomName, UserId, user_room
from hub.kernel.ports import Listener, Rooms
from hub.kernel.sight import Sight, Visibility
from hub.kernel.tasks import Tasks
from hub.kernel.wire import to_wire
from presence.memory import Reading
from presence.model import Status
from presence.schema import PresenceDiff
from presence.views import STATUS_NAMES, presence, watch_room

log = logging.getLogger(__name__)

GONE = STATUS_NAMES[Status.OFFLINE]

Told = Callable[[Any], None]
"""Takes a presence as it is on the wire. Must neither block nor raise."""


@dataclass(eq=False, slots=True)
class _Feed:
    viewer: UserId
    user_id: UserId
    told: Told
    visibility: Visibility = Visibility.NOTHING
    version: int = 0
    """See presence.watchers.Watched."""
    is_untold: bool = False
    """Whether the visibility has changed, and nothing was told since."""
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)

    def listener(self, visibility: Visibility) -> Listener:
        """Passes on what is told in the watch room of this visibility, while it is what the viewer may see."""

        def listen(event: str, payload: Any) -> None:
            if self.visibility is visibility:
                self.hear(event, payload)

        return listen

    def hear(self, event: str, payload: Any) -> None:
        """Pass on what an event says of the one who is followed."""
        if event == PresenceDiff.event:
            for one in payload["users"]:
                if one["userId"] == self.user_id:
                    self.told(one)


class PresenceFeeds:
    """Implements core_api.graphql.ports.PresenceChanges, and hub.gate.reviews.Reviewer for those who follow."""

    def __init__(self, reading: Reading, rooms: Rooms, sight: Sight, tasks: Tasks, clock: Clock) -> None:
        self._reading = reading
        self._rooms = rooms
        self._sight = sight
        self._tasks = tasks
        self._clock = clock
        self._feeds: set[_Feed] = set()

    @asynccontextmanager
    async def follow(self, viewer: UserId, user_id: UserId, told: Told) -> AsyncIterator[None]:
        """Call ``told`` with each change of a presence as ``viewer`` may see it, inside ``async with``.

        That is: full states, of which the highest version is the latest; also when the viewer comes to see more or
        less. One's own is the truth.
        """
        feed = _Feed(viewer, user_id, told)
        async with AsyncExitStack() as stack:
            if viewer == user_id:
                await stack.enter_async_context(self._rooms.listen(user_room(viewer), feed.hear))
                # Of the end of the last device only the watchers are told.
                shown = watch_room(viewer, Visibility.EVERYTHING)
                await stack.enter_async_context(self._rooms.listen(shown, self._own_end(feed)))
            else:
                feed.visibility = await self._look(feed)
                # By the viewer's own room come the reviews of what they see.
                await stack.enter_async_context(self._rooms.listen(user_room(viewer), _nothing))
                for visibility in Visibility:
                    room = watch_room(user_id, visibility)
                    await stack.enter_async_context(self._rooms.listen(room, feed.listener(visibility)))
                self._feeds.add(feed)
                stack.callback(self._feeds.discard, feed)
                await self._look_again(feed)  # what has changed since the look was reviewed before it listened
            yield

    def _own_end(self, feed: _Feed) -> Listener:
        """Looks, when others are shown somebody as gone, whether that is the truth or they are invisible."""

        def listen(event: str, payload: Any) -> None:
            if event == PresenceDiff.event and any(one["status"] == GONE for one in payload["users"]):
                self._tasks.start(self._tell_own_end(feed), name="end of one's own presence")

        return listen

    async def _tell_own_end(self, feed: _Feed) -> None:
        try:
            [record] = await self._reading.read([feed.user_id], self._clock.now_ms())
        except Unavailable:
            log.info("somebody who follows their own presence was not told of its end")
            return
        if not record.devices:
            feed.told(to_wire(presence(record.own())))

    def concerns(self, of: RoomName) -> bool:
        """Whether there is anything here to look at."""
        return bool(self._to_review(of))

    async def review(self, of: RoomName) -> None:
        """Have those who follow hear of what they may see now, and tell them if that is more or less than before."""
        for feed in self._to_review(of):
            await self._look_again(feed)

    def _to_review(self, of: RoomName) -> list[_Feed]:
        return [
            feed
            for feed in self._feeds
            if of in (user_room(feed.viewer), *(watch_room(feed.user_id, visibility) for visibility in Visibility))
        ]

    async def _look_again(self, feed: _Feed) -> None:
        async with feed.turn:
            visibility = await self._look(feed)
            feed.is_untold |= visibility is not feed.visibility
            feed.visibility = visibility
            if feed.is_untold:
                await self._tell(feed)
                feed.is_untold = False

    async def _look(self, feed: _Feed) -> Visibility:
        return (await self._sight.seen_by(feed.viewer, [feed.user_id]))[feed.user_id]

    async def _tell(self, feed: _Feed) -> None:
        now_ms = self._clock.now_ms()
        [record] = await self._reading.read([feed.user_id], now_ms)
        view = record.seen_anew(feed.visibility, now_ms, above=feed.version)
        if view.version:
            feed.version = view.version
            feed.told(to_wire(presence(view)))


def _nothing(_event: str, _payload: Any) -> None:
    pass
