"""One shard as a node sees it: a position in its order, the rooms that are followed, holes filled before what follows.

Everything that Redis publishes on the shard comes over one link and is taken in one order. While something has to be
read the link is held. So the position never passes an event that has not been delivered.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
from collections import Counter
from collections.abc import AsyncIterator, Callable, Collection, Iterator, Sequence
from operator import itemgetter
from typing import Any, Final, Protocol, TypeVar

import hiredis
import msgspec

from hub.cluster.chain import is_complete
from hub.cluster.link import Down, Link, Refused
from hub.cluster.markers import Markers
from hub.cluster.read_in_parts import read_in_parts
from hub.cluster.shard_commands import AGAIN_S, RoomRead, ShardCommands, ephemeral_by
from hub.cluster.subscriptions import Subscriptions

log = logging.getLogger(__name__)

BEAT_S: Final = 1.0
"""Between two markers: each shows that this node hears, and audits where some rooms stand."""
AUDITED: Final = 500
"""Rooms that one marker tells of. They are audited in turn: there may be 30 000, two for every connection, and to ask
for all of them each second would take 15 ms of Redis and 30 of this node. A hole that no later event of its room shows
is very rare."""
ROOMS_IN_A_TURN: Final = 500
EVENTS_IN_A_TURN: Final = 100
"""Of the loop, of what was missed: about 5 ms each, in which nothing else runs."""
NOWHERE: Final = -1
FOLLOW_S: Final = 5.0
"""Longest wait until a room is followed."""

T = TypeVar("T")
_unpack = msgspec.msgpack.Decoder(list[str]).decode


class Audience(Protocol):
    """Who gets what comes over a shard. Called in its order, outside any task; must neither block nor raise."""

    def moved(self, shard: Shard) -> None:
        """The position has changed."""
        ...

    def deliver(self, room: str, event: bytes, *, kept: bool) -> None:
        """An event of a room, once. After a kept one the position is that of the event."""
        ...

    def missed(self, shard: Shard, room: str | None) -> None:
        """Events of a room are lost for this node; ``None``: the epoch has ended, for all rooms of the shard."""
        ...

    def told(self, message: bytes) -> None:
        """Another node has something to say to this one."""
        ...


class Shard:
    """Follows rooms on one shard, for as long as :meth:`run` runs."""

    def __init__(self, commands: ShardCommands, node_id: str, audience: Audience) -> None:
        self.commands = commands
        self.index = commands.index
        self.position = 0
        """Every event of a followed room up to this number has been delivered."""
        self.base = 0
        """The epoch: positions below it mean nothing any more."""
        self._audience = audience
        self._rooms: dict[str, int] = {}
        """The rooms that are followed, and the number of the last event of each; NOWHERE until it is anchored."""
        self._waiters: dict[str, list[asyncio.Future[None]]] = {}
        """Who waits until a room is anchored."""
        self._own = ephemeral_by(node_id)
        self._subscriptions = Subscriptions(commands, commands.node_channel(node_id))
        self._markers = Markers(commands, node_id)
        self._filling: asyncio.Task[None] | None = None
        self._to_anchor: set[str] = set()
        self._anchoring: asyncio.Task[None] | None = None
        self._up = asyncio.Event()
        self._is_known_down = False
        self._audit: Iterator[str] = iter(())
        """The rooms whose turn to be audited has not come yet."""
        self.counts: Counter[str] = Counter()
        """How often something rare has happened."""

    @property
    def rooms(self) -> Collection[str]:
        """Those that are followed."""
        return self._rooms.keys()

    @property
    def heard_at(self) -> float:
        """When the last marker came, in the time of the loop."""
        return self._markers.heard_at

    # ---------------------------------------------------------------- the link

    @property
    def _link(self) -> Link | None:
        return self._subscriptions.link

    async def run(self) -> None:
        """Follow for ever, over a new link whenever one breaks. Whatever it was, the next is set up from the start."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._beat())
            while True:
                try:
                    await self._listen()
                except (Down, Refused) as error:
                    level = logging.DEBUG if self._is_known_down else logging.WARNING  # there are 20 tries a second
                    log.log(level, "the events of shard %d do not come: %s", self.index, error)
                    self._is_known_down = True
                except Exception:
                    log.exception("the link of shard %d", self.index)
                self.counts["links lost"] += 1
                await asyncio.sleep(AGAIN_S)

    async def _listen(self) -> None:
        """Subscribe to everything, read what was missed meanwhile, and take messages until the link breaks."""
        link = await Link.open(await self.commands.locate())
        gone = asyncio.Event()
        try:
            await self._subscriptions.begin(link, self._rooms, self._on_reply)
            link.lost = gone.set
            if link.closed:
                gone.set()
            # Subscribed first and read after that: nothing can fall between.
            await self._fill()
            if self._is_known_down:
                log.info("the events of shard %d come again", self.index)
                self._is_known_down = False
            self._up.set()
            link.release()
            self._anchor_soon()
            await gone.wait()
        finally:
            self._up.clear()
            self._subscriptions.end()
            link.close()
            if self._filling is not None:
                self._filling.cancel()
                self._filling = None
        raise Down("the link broke")

    def _on_reply(self, reply: Any) -> None:
        if isinstance(reply, hiredis.ReplyError):
            log.warning("shard %d: %s", self.index, reply)  # MOVED and the like
            self._break()
            return
        kind, name, data = reply
        if kind == b"smessage":
            if not data.startswith(self._own):  # what is ephemeral was served here before it was published
                self._on_message(name.decode(), data)
            return
        channel = name.decode()
        if kind == b"ssubscribe":
            if (room := self._subscriptions.confirmed(channel)) is not None:
                self._anchor_soon(room)
        elif kind == b"sunsubscribe" and not self._subscriptions.ended(channel):
            log.warning("shard %d has moved to another server", self.index)
            self._break()

    def _break(self) -> None:
        if self._link is not None:
            self._link.close()
        self.commands.close()

    # ---------------------------------------------------------------- what comes

    def _on_message(self, channel: str, data: bytes) -> None:
        kind = data[:1]
        if kind == b"V":
            room = self.commands.room_of(channel)
            if room in self._rooms:
                self._audience.deliver(room, data[data.index(b"\n") + 1 :], kept=False)
        elif kind == b"E":
            self._on_event(self.commands.room_of(channel) or "", data)
        elif kind == b"M":
            self._on_marker(data)
        else:
            self._audience.told(data)

    def _on_event(self, room: str, data: bytes) -> None:
        """``E<number> <number before it>\n<event>``."""
        stop = data.index(b"\n")
        number, before = map(int, data[1:stop].split(b" "))
        last = self._rooms.get(room, NOWHERE)
        if last == NOWHERE:
            self._move(number)
        elif number <= last:
            return  # it came by a fill already
        elif before != last and not last <= -before <= self.position:  # negative: forgotten, and heard long ago
            self.counts["holes"] += 1
            self._fill_soon()
        else:
            self._take(room, number, data[stop + 1 :])

    def _on_marker(self, data: bytes) -> None:
        """``M``, base, head, token and, for some rooms, name and last number. In the order of the events.

        A negative number, of a room whose last one is forgotten, says nothing: an audit came long before that.
        """
        base, head, token, *rooms = _unpack(data[1:])
        stand = {room: int(last) for room, last in zip(rooms[::2], rooms[1::2], strict=True) if self._is_heard(room)}
        if int(base) != self.base or any(NOWHERE < self._rooms[room] < last for room, last in stand.items()):
            # A marker keeps the order, so what has not come before it is lost, and not late.
            self.counts["silent holes"] += 1
            self._fill_soon(then=lambda: self._markers.arrived(token))
            return
        for room, last in stand.items():
            self._anchored(room, abs(last))
        self._move(int(head))
        self._markers.arrived(token)

    def _move(self, number: int) -> None:
        if number > self.position:
            self.position = number
            self._audience.moved(self)

    def _take(self, room: str, number: int, event: bytes) -> None:
        if room in self._rooms:  # nobody may have waited for the end of a fill
            self._rooms[room] = number
        self._move(number)
        self._audience.deliver(room, event, kept=True)

    # ---------------------------------------------------------------- holes

    def _fill_soon(self, then: Callable[[], None] | None = None) -> None:
        """Hold the link, read what is missing, and go on."""
        link = self._link
        if link is None:
            return
        link.hold()

        async def fill() -> None:
            try:
                await self._fill()
                if then is not None:
                    then()
                link.release()
                self._anchor_soon()
            except (Down, Refused) as error:
                log.warning("a hole on shard %d is not filled: %s", self.index, error)
                self._break()
            except Exception:  # a held link would be deaf for ever
                log.exception("a hole on shard %d is not filled", self.index)
                self._break()

        self._filling = asyncio.get_running_loop().create_task(fill(), name="fill")

    @property
    def _is_filling(self) -> bool:
        return self._filling is not None and not self._filling.done()

    async def _fill(self) -> None:
        """Bring all rooms of the shard to one moment: filling only one would move the position past others' holes.

        In many turns of the loop. Meanwhile the link is held, so nothing else moves the position.
        """
        asked = list(self._rooms)
        # Where they stand stays as it is, since nothing comes meanwhile; and who leaves one does not get it.
        read = await read_in_parts(self.commands, asked, self._above)
        found = list(zip(asked, read.rooms, strict=True))
        if read.base == self.base:
            await self._take_missing(found)
        else:
            had_one, self.base = bool(self.base), read.base
            self._rooms = dict.fromkeys(self._rooms, NOWHERE)
            if had_one:
                self.counts["epochs"] += 1
                self._audience.missed(self, None)
        # Before rooms are anchored: who enters one gets everything above the position.
        self._move(read.head)
        async for room, one in in_turns(found, ROOMS_IN_A_TURN):
            if self._is_heard(room) and one.last is not None:
                self._anchored(room, abs(one.last))
            elif self._is_heard(room) and self._rooms[room] == NOWHERE:
                self._to_anchor.add(room)

    def _above(self, room: str) -> int | None:
        """The number above which events of a room are missing; ``None`` while it is not anchored."""
        last = self._rooms.get(room, NOWHERE)
        return None if last == NOWHERE else last

    async def _take_missing(self, found: Sequence[tuple[str, RoomRead]]) -> None:
        """Deliver what was missed, in its order, after those were told who cannot get everything."""
        missing: list[tuple[int, str, bytes]] = []
        async for room, one in in_turns(found, ROOMS_IN_A_TURN):
            last = self._rooms.get(room, NOWHERE)
            if last == NOWHERE or not self._is_heard(room):
                continue
            if is_complete(last, one.last, one.entries, heard=self.position):
                missing += [(entry.number, room, entry.event) for entry in one.entries if entry.number > last]
            else:
                self.counts["rooms missed"] += 1
                self._rooms[room] = NOWHERE
                self._audience.missed(self, room)
        missing.sort(key=itemgetter(0))
        async for number, room, event in in_turns(missing, EVENTS_IN_A_TURN):
            if self._is_heard(room) and self._rooms[room] != NOWHERE:  # else it was left, and followed again
                self.counts["events filled"] += 1
                self._take(room, number, event)

    # ---------------------------------------------------------------- positions

    async def mark(self, rooms: Sequence[str] = ()) -> int:
        """Send a marker and wait for it. The position is then at least the head, which is returned. Raises Down."""
        return await self._markers.send(rooms)

    async def ready(self) -> None:
        """Wait until this node hears the shard. Raises Down or Refused."""
        await self._up.wait()
        await self.mark()

    async def catch_up(self, number: int, within_s: float = FOLLOW_S) -> bool:
        """Wait until the position has reached a number. False: it is none that the shard has given.

        Raises Down if the events do not come.
        """
        try:
            async with asyncio.timeout(within_s):
                while self.position < number:
                    await self._up.wait()
                    try:
                        head = await self.mark()
                    except Down:
                        await asyncio.sleep(AGAIN_S)
                        continue
                    if head < number:
                        return False
        except TimeoutError:
            raise Down("the events do not come") from None
        return True

    async def _beat(self) -> None:
        """A canary, an audit of every room's last number, and a fresh position for an idle shard."""
        misses = 0
        while True:
            await asyncio.sleep(BEAT_S)
            if not self._up.is_set() or self._is_filling:  # no marker comes over a link that is held
                continue
            try:
                await self.mark(self._next_to_audit())
                misses = 0
                continue
            except (Down, Refused):
                misses += 1
            except Exception:  # a bug of ours: without its beat a node would be deaf and not know it
                log.exception("no marker on shard %d", self.index)
                misses += 1
            if misses >= 2:
                self.counts["deaf"] += 1
                misses = 0
                self._break()

    def _next_to_audit(self) -> list[str]:
        rooms = list(itertools.islice(self._audit, AUDITED))
        if len(rooms) < AUDITED:
            self._audit = iter(list(self._rooms))
        return [room for room in rooms if self._rooms.get(room, NOWHERE) != NOWHERE]

    # ---------------------------------------------------------------- rooms

    def begin(self, room: str) -> None:
        """Begin to follow a room, for who will wait for it by :meth:`follow`. Harmless if it is followed already."""
        if room not in self._rooms:
            self._rooms[room] = NOWHERE
            self._subscriptions.add(room)
            self._anchor_soon(room)

    async def follow(self, room: str) -> None:
        """Follow a room: on return everything of it above the position will come. Harmless if it is followed already.

        Raises Down if Redis does not confirm it; the room is still followed then, unless it is left.
        """
        self.begin(room)
        if self._rooms[room] != NOWHERE:
            return
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiters.setdefault(room, []).append(waiter)
        try:
            async with asyncio.timeout(FOLLOW_S):
                await waiter
        except TimeoutError:
            raise Down(f"the room {room} is not followed yet") from None

    def leave(self, room: str) -> None:
        """Follow a room no more."""
        if self._rooms.pop(room, None) is not None:
            self._wake(room)
            self._subscriptions.remove(room)

    def _is_heard(self, room: str) -> bool:
        """Whether the room is followed, and everything that is published to it comes over the link."""
        return room in self._rooms and self._subscriptions.is_confirmed(room)

    def _anchored(self, room: str, last: int) -> None:
        """Everything of a room above ``last`` comes from now on."""
        if self._rooms[room] == NOWHERE:
            self._rooms[room] = last
            self._wake(room)

    def _wake(self, room: str) -> None:
        for waiter in self._waiters.pop(room, ()):
            if not waiter.done():
                waiter.set_result(None)

    def _anchor_soon(self, *rooms: str) -> None:
        """Have a marker say where rooms stand, one for all that wait for it by then.

        It is asked for as soon as the subscription is, and not only when that is confirmed, which would cost one more
        round trip. Nearly always it comes behind the confirmation. If not, it says nothing of that room, and the
        confirmation asks for another.
        """
        self._to_anchor.update(rooms)
        if self._to_anchor and self._anchoring is None:
            self._anchoring = asyncio.get_running_loop().create_task(self._anchor(), name="anchor")

    async def _anchor(self) -> None:
        try:
            while self._to_anchor and self._up.is_set():  # a new link anchors everything by itself
                next_ones = list(itertools.islice(self._to_anchor, AUDITED))
                self._to_anchor.difference_update(next_ones)
                names = [name for name in next_ones if self._rooms.get(name) == NOWHERE]
                try:
                    if names:
                        await self.mark(names)
                except (Down, Refused):
                    self._to_anchor.update(names)
                    await asyncio.sleep(AGAIN_S)
        finally:
            self._anchoring = None


async def in_turns(items: Sequence[T], count: int) -> AsyncIterator[T]:
    """Items, so many in each turn of the loop."""
    for place, item in enumerate(items):
        if place % count == count - 1:
            await asyncio.sleep(0)
        yield item
