"""Connections that come back: taken over, caught up, and given what they have missed, or told that they cannot.

A connection that is resumed stands in its rooms, unanswered, before anything is read for it. What comes from then on
waits for it; what came before is read up to that very moment. So nothing is missing in between, and nothing comes
twice.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Final, NamedTuple

from prometheus_client import Counter

from hub.cluster.bus import Bus, Said, said_in
from hub.cluster.chain import Entry, is_complete, write_offset
from hub.cluster.records import Records, Taken
from hub.cluster.rooms import ClusterRooms
from hub.kernel.delivery import Delivery
from hub.kernel.errors import Unavailable
from hub.kernel.events import Caller
from hub.kernel.ids import ConnectionId, RoomName, user_room
from hub.kernel.recovery import Claim, Recovered, TicketHolder

log = logging.getLogger(__name__)

RESUME_S: Final = 10.0
"""Longest time to resume a connection; its client comes again after that."""
MAX_MISSED_BYTES: Final = 512 << 10
"""Longest list of events that is sent again: half of what is held for a client that does not read. Over long-polling
more than that would end its session, each time it comes back."""
READ_AT_ONCE: Final = 32
"""Rooms in one command. Each may have missed 2000 events, and Redis serves nobody else meanwhile."""

RECOVERIES: Final = Counter(
    "hub_recoveries", "Clients that came back: resumed, or why they began anew", labelnames=["outcome"]
)


class Missed(NamedTuple):
    """Something that was said to a room while a connection was away."""

    shard: int
    room: RoomName
    number: int
    said: Said


class Incomplete(Exception):
    """A connection cannot have everything back; the reason is for the counts."""


class ConnectionRecovery:
    """Implements hub.kernel.recovery.Recovery."""

    def __init__(self, bus: Bus, rooms: ClusterRooms, records: Records) -> None:
        self._bus = bus
        self._rooms = rooms
        self._records = records

    async def open(
        self, pid: str, caller: Caller, rooms: Collection[RoomName], *, ticket: str | None, ends_at_ms: int
    ) -> None:
        """See hub.kernel.recovery.Recovery."""
        joined = await self._rooms.enter(caller.connection_id, rooms)
        if pid:
            await self._records.open(pid, caller, joined, ticket=ticket, ends_at_ms=ends_at_ms)

    async def holder(self, pid: str, ticket: str) -> TicketHolder | None:
        """Whom a spent ticket had let in, if the connection of ``pid`` was made with it. Raises Unavailable."""
        return await self._records.holder(pid, ticket)

    async def lost(self, connection_id: ConnectionId, rooms: Collection[RoomName], *, for_good: bool) -> None:
        """See hub.kernel.recovery.Recovery."""
        if for_good:
            await self._end(connection_id)
        else:
            self._records.gone(connection_id)
        await self._rooms.left(connection_id, rooms)

    async def give_up(self, connection_id: ConnectionId) -> None:
        """See hub.kernel.recovery.Recovery."""
        RECOVERIES.labels("not restored").inc()
        await self._begin_anew(connection_id)

    async def resume(self, claim: Claim, caller: Caller, *, ticket: str | None, ends_at_ms: int) -> Recovered | None:
        """See hub.kernel.recovery.Recovery."""
        seen = [0] * len(self._bus.positions()) if claim.offset is None else self._bus.read_offset(claim.offset)
        if seen is None:
            RECOVERIES.labels("no offset").inc()
            return None
        try:
            async with asyncio.timeout(RESUME_S):
                taken = await self._records.take(claim.pid, caller, ticket=ticket, ends_at_ms=ends_at_ms)
                if taken is not None:
                    recovered = await self._resume(seen, taken, caller)
                    RECOVERIES.labels("resumed").inc()
                    return recovered
            RECOVERIES.labels("unknown").inc()
        except Incomplete as why:
            RECOVERIES.labels(str(why)).inc()
            await self._begin_anew(caller.connection_id)
        except TimeoutError:
            raise Unavailable from None
        # What the client holds as its offset may be ahead of this node. A connection that begins anew must begin above
        # it, or its next claim would leave out what lies between.
        await self._bus.catch_up(seen)
        return None

    async def _resume(self, seen: Sequence[int], taken: Taken, caller: Caller) -> Recovered:
        """Raises Incomplete and Unavailable."""
        if taken.was_here:
            self._rooms.replaced(user_room(caller.user_id), taken.ids[-2])
        # Before it is in any room: the last that the one before has said may only come now.
        self._rooms.succeed(caller.connection_id, taken.ids[:-1])
        since: dict[int, dict[RoomName, int]] = {}
        at_least = list(seen)
        for index, joined in self._bus.by_shard(taken.joined).items():
            since[index] = {room: max(position, seen[index]) for room, position in joined.items()}
            at_least[index] = max(since[index].values())
            base = self._bus.base_of(next(iter(joined)))
            if min(joined.values()) < base or 0 < seen[index] < base:  # 0: nothing of the shard has come
                raise Incomplete("another epoch")
        try:
            stand = await self._rooms.enter(caller.connection_id, taken.joined, at_least=at_least)
        except ValueError:
            raise Incomplete("from the future") from None
        self._rooms.attend(caller.connection_id, taken.joined)
        missed: list[Missed] = []
        size = 0
        for index, above in since.items():
            for room, entry in await self._missed(index, above, stand):
                missed.append(Missed(index, room, entry.number, _said(room, entry)))
                size += len(entry.event)
        if size > MAX_MISSED_BYTES:
            raise Incomplete("too much")
        rooms = {room: taken.notes.get(room, b"") for room in taken.joined}
        put_out = {one.room: rooms[one.room] for one in missed if _is_eviction(one.said, taken.joined)}
        for room in put_out:
            await self._rooms.leave(caller.connection_id, room)
            del rooms[room]
        missed = [one for one in missed if one.room not in put_out]  # also if it is let in again at once
        return Recovered(taken.first_id, rooms, put_out, list(_replay(missed, seen, taken, since)))

    async def _missed(
        self, index: int, since: Mapping[RoomName, int], stand: Mapping[RoomName, int]
    ) -> list[tuple[RoomName, Entry]]:
        """The events of one shard above a position each, and not above where the node stood, in their order."""
        entries: list[tuple[RoomName, Entry]] = []
        left = iter(since.items())
        while some := dict(itertools.islice(left, READ_AT_ONCE)):  # each room as far as it stands at the same moment
            found = await self._bus.read(index, some)
            if found is None:
                raise Incomplete("another epoch")
            for room, read in found.items():
                if read.last is None or not is_complete(since[room], read.last, read.entries):
                    raise Incomplete("trimmed")
                entries += [(room, one) for one in read.entries if one.number <= stand[room]]
            if sum(len(one.event) for _, one in entries) > MAX_MISSED_BYTES:
                raise Incomplete("too much")
        return sorted(entries, key=lambda pair: pair[1].number)

    async def _begin_anew(self, connection_id: ConnectionId) -> None:
        await self._rooms.forsake(connection_id)
        await self._end(connection_id)

    async def _end(self, connection_id: ConnectionId) -> None:
        try:
            await self._records.end(connection_id)
        except Unavailable:
            log.info("a record is left to run out by itself")


def _is_eviction(said: Said, joined: Collection[RoomName]) -> bool:
    """Whether it put the members of one of these rooms out of the room to which it was said, or may have."""
    match said:
        case "evict" | "review", [of]:
            return of in joined
    return False


def _replay(
    missed: Sequence[Missed], seen: Sequence[int], taken: Taken, since: Mapping[int, Collection[RoomName]]
) -> Iterator[tuple[RoomName, Delivery]]:
    """What was missed as this client gets it, each event with the offset that is true after it."""
    positions = list(seen)
    for shard, room, number, said in missed:
        positions[shard] = max(positions[shard], number)
        if not isinstance(said, Delivery) or said.skip in taken.ids:
            continue
        # What went to several rooms came to the first of them. One that was joined only after that has not had it; of a
        # room on another shard nobody can tell.
        if any(
            taken.joined[other] < number or other not in since[shard] for other in taken.joined.keys() & said.others
        ):
            continue
        said.offset = write_offset(positions)
        yield room, said


def _said(room: RoomName, entry: Entry) -> Said:
    """Raises Incomplete."""
    try:
        return said_in(room, entry.event)
    except (ValueError, TypeError):
        raise Incomplete("another version") from None
