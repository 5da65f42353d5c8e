"""The media server: rooms, the connections in them, and the one port that they share."""

import asyncio
import logging
from collections.abc import Callable, Sequence
from pathlib import Path

from hub.kernel.tasks import Tasks
from signaling.media.embedded import answer, ice_lite, offer
from signaling.media.embedded.adaptation import EVERY_MS
from signaling.media.embedded.allowance import Allowance
from signaling.media.embedded.connection import Connection, monotonic_ms
from signaling.media.embedded.offer import BadOffer, Offer
from signaling.media.embedded.quality import Quality
from signaling.media.embedded.recordings import CannotRecord, Recordings
from signaling.media.embedded.room import Room, Stream
from signaling.media.embedded.seams import certificate
from signaling.media.embedded.sockets import Sockets, Way

log = logging.getLogger(__name__)

TICK_S = 0.05
"""How often what is due is looked for: half of what a repeated NACK may wait."""
ADDRESSES = 32
"""Addresses of one client that are kept, at most: each of its networks, before and after a restart."""
ROOMS = 2000
LEGS = 1000
"""Of a server and a room, at most: what no usual core can carry."""


class NoSuchRoom(LookupError):
    """There is no such room, or no such leg in it."""


class Full(RuntimeError):
    """The server takes no more."""


class MediaServer:
    """Forwards media. Lives on one event loop; all methods are to be called there. A room ends with its last member.

    ``changed`` is called with a room's id, its streams and whether it is recorded, when one of these has changed, for
    its members to be told; ``left`` with a room's id and a leg when a connection has ended by itself. They never raise.
    """

    def __init__(
        self,
        *,
        video_bits_per_s: int,
        changed: Callable[[str, list[Stream], bool], None],
        left: Callable[[str, str], None],
        recordings: Path | None = None,
    ) -> None:
        """``recordings`` is the folder for what is recorded; without it, nothing can be."""
        self._video_bits_per_s = video_bits_per_s
        self._told_change = changed
        self._told_left = left
        self._certificate, self._fingerprint = certificate()
        self._sockets = Sockets(self._received)
        self._candidates: list[str] = []
        self._recordings = Recordings(recordings, monotonic_ms, self._recording_failed)
        self._offers = Allowance()
        self._rooms: dict[str, Room] = {}
        self._connections: dict[tuple[str, str], Connection] = {}
        """By room and leg."""
        self._by_username: dict[str, Connection] = {}
        self._by_way: dict[Way, Connection] = {}
        self._tasks = Tasks()

    def open(self, listen: Sequence[str], port: int, announce: Sequence[str] = ()) -> int:
        """Listen for media on these addresses; gives the port. Clients are told ``announce`` instead, if it is given.

        Raises OSError.
        """
        port = self._sockets.open(listen, port)
        shown = list(announce) or listen
        self._candidates = [ice_lite.candidate((address, port), number) for number, address in enumerate(shown)]
        self._tasks.start(self._tick_for_ever(), name="media reports")
        return port

    async def close(self) -> None:
        """End all connections. Idempotent."""
        for room_id in list(self._rooms):
            await self.close_room(room_id)
        await self._recordings.close()
        await self._tasks.close()
        self._sockets.close()

    @property
    def load(self) -> int:
        """Streams that go out, of all rooms."""
        return sum(len(stream.outputs) for one in self._connections.values() for stream in one.peer.inbound.values())

    def ensure_room(self, room_id: str, *, echo: bool = False) -> Room:
        """The room, made if there is none. Raises Full."""
        if room_id not in self._rooms:
            if len(self._rooms) >= ROOMS:
                raise Full("The media server has no place for another room.")
            self._rooms[room_id] = Room(echo=echo)
        return self._rooms[room_id]

    async def answer(self, room_id: str, leg: str, user_id: str, text: str) -> str:
        """Answer a leg's offer: its first, a new one after the streams of the room have changed, or an ICE restart.

        Whoever offers with another certificate has begun anew: the earlier connection of the leg is closed. Raises
        NoSuchRoom, BadOffer, Full.
        """
        room = self._room(room_id)
        if not self._offers.takes((room_id, leg), monotonic_ms()):
            self._forget_empty(room_id)
            raise Full("The leg has made too many offers.")
        try:
            offered = offer.read(text)
        except BadOffer:
            self._forget_empty(room_id)
            raise
        connection = self._connections.get((room_id, leg))
        if connection is not None and (connection.lost or connection.fingerprints != offered.fingerprints):
            self._detach(room_id, leg)
            self._tasks.start(connection.close(), name="media connection replaced")
            connection = None
        is_new = connection is None
        if connection is None:
            connection = self._connect(room_id, room, leg, user_id, offered)
        elif connection.client_username != offered.username:
            self._by_username.pop(connection.credentials.username, None)
            connection.restart_ice()
            self._by_username[connection.credentials.username] = connection
        connection.client_username = offered.username
        before = room.streams()
        accepted = room.negotiate(connection.peer, offered.sections, monotonic_ms())
        connection.answers += 1
        endpoint = answer.Endpoint(connection.credentials, self._fingerprint, self._candidates)
        self._tell(room_id, before, newcomer=is_new)
        return answer.write(endpoint, accepted, connection.answers)

    async def remove(self, room_id: str, leg: str) -> None:
        """Let a leg go. Harmless for one that is gone."""
        await self._drop(room_id, leg)

    async def close_room(self, room_id: str) -> None:
        """End a room and all in it. Harmless for one that is gone."""
        if room_id in self._rooms:
            ended = [self._detach(room_id, leg) for leg in list(self._rooms[room_id].peers)]
            del self._rooms[room_id]
            self._recordings.end(room_id)
            for connection in ended:
                if connection is not None:
                    await connection.close()

    def mute(self, room_id: str, user_id: str, kind: str, muted: bool) -> None:
        """Hold somebody's sound or picture back. Raises NoSuchRoom."""
        self._room(room_id).mute(user_id, kind, muted, monotonic_ms())

    def record(self, room_id: str, on: bool) -> None:
        """Record a room into files, or stop. Idempotent. Raises NoSuchRoom; CannotRecord without folder or space."""
        room = self._room(room_id)
        if on == (room_id in self._recordings):
            return
        if on:
            self._recordings.begin(room_id, list(room.published()))
        else:
            self._recordings.end(room_id)
        self._told_change(room_id, room.streams(), on)

    def streams(self, room_id: str) -> list[Stream]:
        """What is published in a room. Raises NoSuchRoom."""
        return self._room(room_id).streams()

    def rooms(self) -> list[str]:
        """The rooms that there are."""
        return list(self._rooms)

    def quality(self, room_id: str, leg: str) -> Quality:
        """How well a leg's connection carries. Raises NoSuchRoom."""
        connection = self._connections.get((room_id, leg))
        if connection is None:
            raise NoSuchRoom("Nobody is connected under this leg.")
        return connection.peer.quality()

    def _room(self, room_id: str) -> Room:
        try:
            return self._rooms[room_id]
        except KeyError:
            raise NoSuchRoom("There is no such room.") from None

    def _connect(self, room_id: str, room: Room, leg: str, user_id: str, offered: Offer) -> Connection:
        if len(room.peers) >= LEGS:
            raise Full("The room has no place for another.")
        most, told = self._video_bits_per_s, self._connection_changed
        connection = Connection(leg, user_id, self._certificate, most, told, self._sockets.route)
        connection.start(self._tasks, offered.fingerprints)
        self._connections[room_id, leg] = connection
        self._by_username[connection.credentials.username] = connection
        room.join(connection.peer, monotonic_ms())
        return connection

    def _detach(self, room_id: str, leg: str) -> Connection | None:
        """Take a leg out of its room; its connection is still to be closed."""
        connection = self._connections.pop((room_id, leg), None)
        if connection is not None:
            self._by_username.pop(connection.credentials.username, None)
            for way in connection.ways:
                del self._by_way[way]
            connection.ways.clear()
            room = self._rooms[room_id]
            before = room.streams()
            room.leave(leg, monotonic_ms())
            self._tell(room_id, before)
        return connection

    async def _drop(self, room_id: str, leg: str) -> bool:
        connection = self._detach(room_id, leg)
        if connection is None:
            return False
        self._forget_empty(room_id)
        await connection.close()
        return True

    def _forget_empty(self, room_id: str) -> None:
        if room_id in self._rooms and not self._rooms[room_id].peers:
            del self._rooms[room_id]
            self._recordings.end(room_id)

    def _tell(self, room_id: str, before: list[Stream], *, newcomer: bool = False) -> None:
        streams, is_recorded = self._rooms[room_id].streams(), room_id in self._recordings
        self._recordings.follow(room_id, list(self._rooms[room_id].published()))
        if streams != before or (newcomer and is_recorded):  # also who only listens has to know of a recording
            self._told_change(room_id, streams, is_recorded)

    def _recording_failed(self, room_id: str) -> None:
        self._told_change(room_id, self._rooms[room_id].streams(), False)

    def _connection_changed(self, connection: Connection) -> None:
        if connection.lost:
            self._tasks.start(self._end(connection), name="media connection ends")

    async def _end(self, connection: Connection) -> None:
        """A connection has ended by itself."""
        for (room_id, leg), one in list(self._connections.items()):
            if one is connection and await self._drop(room_id, leg):
                self._told_left(room_id, leg)

    def _received(self, data: bytes, way: Way) -> None:
        try:
            if data and data[0] <= ice_lite.HIGHEST_BYTE:
                self._checked(data, way)
            elif data and (connection := self._by_way.get(way)) is not None:
                connection.datagram(data, monotonic_ms())
        except Exception:  # one client's datagram must not end the loop that reads those of all
            log.exception("a datagram from %s could not be handled", way[1])

    def _checked(self, data: bytes, way: Way) -> None:
        check = ice_lite.read(data)
        connection = self._by_username.get(check.username) if check is not None else None
        if check is None or connection is None:
            return
        whose = self._by_way.get(way)
        if whose is not None and whose is not connection and whose.answering:
            return  # a member with the address of another on it: nobody takes that from them
        if not connection.check(check, way):
            return
        if way not in connection.ways:
            self._note(connection, way)

    def _note(self, connection: Connection, way: Way) -> None:
        """What comes from this address is the connection's."""
        before = self._by_way.get(way)
        if before is not None:
            del before.ways[way]
        if len(connection.ways) >= ADDRESSES:
            oldest = next(one for one in connection.ways if one != connection.way)
            del connection.ways[oldest], self._by_way[oldest]
        connection.ways[way] = None
        self._by_way[way] = connection

    async def _tick_for_ever(self) -> None:
        adapt_at = monotonic_ms()
        while True:
            await asyncio.sleep(TICK_S)
            now_ms = monotonic_ms()
            if now_ms >= adapt_at:
                adapt_at = now_ms + EVERY_MS
                for room in self._rooms.values():
                    room.adapt(self._video_bits_per_s, now_ms)
            for connection in list(self._connections.values()):
                if not connection.peer.is_due(now_ms):
                    continue
                try:
                    connection.peer.tick(now_ms)
                    if connection.lost:
                        await self._end(connection)
                except Exception:  # as for datagrams: the others have to be reported to
                    log.exception("a media connection could not be looked after")


__all__ = ["BadOffer", "CannotRecord", "Full", "MediaServer", "NoSuchRoom"]
