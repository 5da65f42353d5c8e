"""What a call is: its states, its members with their legs, and its deadlines. Without I/O.

A call rings, connects (somebody accepted), is active (an answer was signalled) and ends. Whoever is called or calls is
a *member*. One who has joined has a *leg*: one connection, that of the device they call with, and a lease that is
renewed while the connection lives. To their other devices the call is elsewhere.

Between two people a call ends when either leaves. A *group* call, which several were called to or somebody was invited
into, ends when the last one leaves, or when one has been alone in it for a while.

Every change has a version, counted from 1 per call. A signal is for one leg, so in a group the versions that a leg sees
grow, but not by one.
"""

from enum import StrEnum

from msgspec import Struct

from hub.kernel.events import Caller
from hub.kernel.ids import ConnectionId, SessionId, UserId

MEDIA = "media"
"""Stands where a user id does for the media server of a call."""
MESH = "mesh"
"""The engine of a call whose legs send their media to each other."""
MOST_MEMBERS = 64
NO_SESSION = SessionId("")


class State(StrEnum):
    """Where a call is."""

    RINGING = "ringing"
    CONNECTING = "connecting"
    ACTIVE = "active"
    ENDED = "ended"


class Part(StrEnum):
    """Where a member is."""

    RINGING = "ringing"
    JOINED = "joined"
    DECLINED = "declined"
    LEFT = "left"
    """Also who did not answer."""


class Member(Struct, frozen=True, omit_defaults=True):
    """One person of a call. A store keeps it as JSON under these names. Numbers of versions are 0 for "never"."""

    state: Part
    until: int
    """Unix ms at which this state runs out: the ringing, or the lease of the leg. Of no use in other states."""
    rung: int
    """Version at which it began to ring there the last time; of the initiator, at which the call began."""
    by: UserId = UserId("")
    """Who called them; empty for the initiator."""
    absent: bool = False
    """Nobody is there for ``by``: no such account, a block, or a setting. It rings for nothing, and who they are, if
    anybody, does not know of the call."""
    replaces: UserId = UserId("")
    """Who leaves when this one joins: the call is transferred."""
    alerted: int = 0
    """Version at which a device of theirs said that it rings."""
    accepted: int = 0
    """Version at which they joined the last time."""
    left: int = 0
    """Version at which they left or declined the last time."""
    reason: str = ""
    """Why they left or declined."""
    changed: int = 0
    """Version of the last change of what follows from ``gen`` on, or of the call's type by them."""
    change: str = ""
    """Its kind."""
    session: SessionId = NO_SESSION
    connection: ConnectionId = ConnectionId("")
    away: bool = False
    """Whether the connection is gone, and the lease runs out."""
    seq: int = 0
    """Number of the last signal taken from the leg. Goes on when the leg moves to a new connection of its session."""
    base: int = 0
    """The same when the generation began."""
    gen: int = 0
    """Generation of the leg: a signal of an older one, from it or to it, is worth nothing any more."""
    held: bool = False
    media: str = ""
    """What it sends, as JSON that nobody here reads; empty: nothing was said."""

    @property
    def joined(self) -> bool:
        """Whether they are in the call."""
        return self.state is Part.JOINED

    def held_by(self, actor: Caller) -> bool:
        """Whether the actor's connection is the leg."""
        return self.joined and self.connection == actor.connection_id


class Call(Struct, frozen=True, omit_defaults=True):
    """A call. A store keeps it as JSON under these names, and each member beside it."""

    call_id: str
    type: str
    initiator: UserId
    ring_until: int
    """Unix ms at which the last one stops ringing. Ends the call if nobody answered."""
    started: int
    """Unix ms."""
    joined: int
    """How many are in it."""
    ringing: int
    callee: UserId = UserId("")
    """The other one of a call between two; empty in a group from its beginning."""
    group: bool = False
    state: State = State.RINGING
    version: int = 0
    answered: int = 0
    """Unix ms at which somebody accepted; 0: nobody did."""
    ended: int = 0
    """Unix ms."""
    reason: str = ""
    """Of the end."""
    ended_by: UserId = UserId("")
    """Who ended it; empty for a deadline."""
    unkept: bool = False
    """Whether it is over, and the history could not be reached for it."""
    alone_until: int = 0
    """Unix ms at which whoever is alone in it has been so for too long; 0: nobody is."""
    gen: int = 0
    """The last generation that was begun, by any leg or by all."""
    floor: int = 0
    """The last generation that all legs had to begin, for another engine."""
    engine: str = MESH
    members: dict[UserId, Member] = {}
    """Of an outcome only some, see Outcome."""

    @property
    def is_over(self) -> bool:
        """Whether it has ended."""
        return self.state is State.ENDED

    @property
    def due(self) -> int:
        """Unix ms at which the next deadline comes, if nothing happens before. Needs all members."""
        ends = [one.until for one in self.members.values() if one.state in (Part.RINGING, Part.JOINED)]
        return min([*ends, *([self.alone_until] if self.alone_until else [])], default=0)

    def member(self, user_id: str) -> Member | None:
        """The member who is this user, unless nobody is there for who called them."""
        member = self.members.get(UserId(user_id))
        return None if member is None or member.absent else member

    def held_by(self, actor: Caller) -> bool:
        """Whether the actor's connection is their leg."""
        member = self.member(actor.user_id)
        return member is not None and member.held_by(actor)


class Change(Struct, frozen=True):
    """One change of a call."""

    version: int
    kind: str
    """``ringing``, ``alerting``, ``accepted``, ``signal``, ``ended`` and so on: see schema.CallState."""
    by: str
    """Who made it; empty for a deadline, ``media`` for the media server."""
    at_ms: int
    seq: int = 0
    data: str = ""
    """Of a signal its JSON, of media too; of an end, or of who left, the reason; else what the kind says."""
    to: str = ""
    """The one leg that it is for; empty: for all."""

    @property
    def is_owed(self) -> bool:
        """Whether the others have to be told of it by the hub, also when the node that made it dies.

        Not of a signal: its sender repeats it until it is acknowledged.
        """
        return not self.to
