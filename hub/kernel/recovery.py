"""Connection state recovery (Socket.IO 4.6): what a client says of the connection it had, and what it gets back."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from hub.kernel.delivery import Delivery
from hub.kernel.events import Actor, Caller
from hub.kernel.ids import ConnectionId, RoomName

MAX_PID = 64
"""Characters of a private id. Ours have 22."""
MAX_OFFSET = 400
"""Characters of an offset: 16 shards need 224."""

Restore = Callable[[Caller, Mapping[str, bytes]], Awaitable[None]]
"""Puts a feature into the state in which the caller's connection is in rooms of one kind, given without their kind,
each with the feature's note on it (see hub.kernel.ports.Rooms).

It is in them already, and has been told nothing. Checks that the caller may be there; takes the connection out of a
room where the client need not know; raises HubError if it has to begin anew, and know that.
"""


@dataclass(frozen=True, slots=True)
class Claim:
    """What a client says: which connection it had, and how far it came."""

    pid: str
    """The private id that it was given with CONNECT."""
    offset: str | None
    """That of the last event which had one; ``None`` if none came."""

    @classmethod
    def of(cls, auth: object) -> Claim | None:
        """The claim in a handshake's ``auth``, from whoever may have made it up; ``None`` if there is none."""
        if not isinstance(auth, dict):
            return None
        pid, offset = auth.get("pid"), auth.get("offset")
        if not isinstance(pid, str) or not 0 < len(pid) <= MAX_PID:
            return None
        if offset is not None and (not isinstance(offset, str) or len(offset) > MAX_OFFSET):
            return None
        return cls(pid, offset)


@dataclass(frozen=True, slots=True)
class Recovered:
    """What a connection has back."""

    first_id: ConnectionId
    """The id under which the client knows itself: that of the first of its connections."""
    rooms: Mapping[RoomName, bytes]
    """With the notes of features on them."""
    put_out: Mapping[RoomName, bytes]
    """The rooms that it was put out of meanwhile, whether or not it might be there now, with the notes on them. It is
    in them no more."""
    missed: Sequence[tuple[RoomName, Delivery]]
    """Events that it has not got yet, in their order, each with its room."""


@dataclass(frozen=True, slots=True)
class TicketHolder:
    """Whom a spent ticket had let in, and until when (Unix ms)."""

    actor: Actor
    ends_at_ms: int


class Recovery(Protocol):
    """What the cluster keeps of connections, so that their clients may come back. Implemented in hub.cluster."""

    async def open(
        self, pid: str, caller: Caller, rooms: Collection[RoomName], *, ticket: str | None, ends_at_ms: int
    ) -> None:
        """Put a new connection into its own rooms, and keep from now on what its client needs to come back.

        Raises Unavailable.
        """
        ...

    async def resume(self, claim: Claim, caller: Caller, *, ticket: str | None, ends_at_ms: int) -> Recovered | None:
        """Make the caller's connection, which is still unanswered, the one that the claim is of.

        It is in the rooms then, and what comes there from that moment on waits for it. ``None``: it cannot have all of
        it back, or the claim is of somebody else or made up; then nothing has happened. Raises Unavailable.
        """
        ...

    async def give_up(self, connection_id: ConnectionId) -> None:
        """A connection that was resumed begins anew after all: it is in no room."""
        ...

    async def lost(self, connection_id: ConnectionId, rooms: Collection[RoomName], *, for_good: bool) -> None:
        """A connection has gone from its rooms. ``for_good``: its client, or the hub, has ended it."""
        ...
