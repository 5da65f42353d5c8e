"""What can be done to a call. Each command is one atomic change."""

from dataclasses import dataclass
from typing import TypeAlias

from hub.kernel.events import Caller
from hub.kernel.ids import UserId


@dataclass(frozen=True, slots=True)
class Callee:
    """Somebody to be rung. ``absent``: nobody is there, see Member."""

    user_id: UserId
    absent: bool = False


@dataclass(frozen=True, slots=True)
class Create:
    """Ring these people, all different and none of them the actor.

    Again, by the same initiator: nothing but that their new connection takes the leg.
    """

    actor: Caller
    to: tuple[Callee, ...]
    type: str
    ring_until: int


@dataclass(frozen=True, slots=True)
class Alert:
    """A device of the actor's rings."""

    actor: Caller


@dataclass(frozen=True, slots=True)
class Accept:
    """Join the call. The first connection of a member wins.

    Who has left a group, or has not answered, may join as long as it goes on. ``only_if_ringing``: not so.
    ``mesh_limit``: a call that nothing but a mesh carries takes no more people than that; 0: any number.
    """

    actor: Caller
    only_if_ringing: bool = False
    mesh_limit: int = 0


@dataclass(frozen=True, slots=True)
class End:
    """Cancel, decline, leave or hang up, whichever the state makes of it. Without a reason, the usual one."""

    actor: Caller
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Invite:
    """Ring more people, all different, which makes it a group call.

    ``transfer``: the actor leaves when one of them joins.
    """

    actor: Caller
    to: tuple[Callee, ...]
    ring_until: int
    transfer: bool = False


@dataclass(frozen=True, slots=True)
class Take:
    """Go on with the call on the actor's connection, instead of the one that has their leg."""

    actor: Caller


@dataclass(frozen=True, slots=True)
class Signal:
    """Pass something to another leg: ``data`` is JSON. An ``answer`` makes the call active.

    ``to`` is a user id, or ``media``; between two people it can be empty. ``gen`` is -1 where none was given.
    """

    actor: Caller
    seq: int
    kind: str
    data: str
    to: str = ""
    gen: int = -1


@dataclass(frozen=True, slots=True)
class Media:
    """What the actor's leg sends from now on, as JSON."""

    actor: Caller
    media: str


@dataclass(frozen=True, slots=True)
class Hold:
    """Hold the call, or (``on`` is false) go on with it."""

    actor: Caller
    on: bool


@dataclass(frozen=True, slots=True)
class Upgrade:
    """Make it a call with video, or without."""

    actor: Caller
    type: str


@dataclass(frozen=True, slots=True)
class Restart:
    """Begin a new generation of the actor's leg. ``gen`` is the one to be left; -1: whichever it is."""

    actor: Caller
    gen: int = -1


@dataclass(frozen=True, slots=True)
class Sync:
    """Look at the call, and take over the leg if the actor's session has it."""

    actor: Caller


@dataclass(frozen=True, slots=True)
class Renew:
    """The actor's connection is alive."""

    actor: Caller


@dataclass(frozen=True, slots=True)
class Away:
    """The actor's connection is gone. The lease runs on."""

    actor: Caller


@dataclass(frozen=True, slots=True)
class Tell:
    """The media server passes something to a leg."""

    to: UserId
    kind: str
    data: str


@dataclass(frozen=True, slots=True)
class Move:
    """Have another engine carry the media, under a new generation of all legs. ``gen`` is the floor to be left."""

    engine: str
    gen: int


@dataclass(frozen=True, slots=True)
class Expire:
    """Act on the deadlines that have passed, or only look at the call with all of its members.

    ``unkept``: the history cannot be reached. If the call is over, it is kept until it can.
    """

    unkept: bool = False


ByActor: TypeAlias = (
    Create | Alert | Accept | End | Invite | Take | Signal | Media | Hold | Upgrade | Restart | Sync | Renew | Away
)
Command: TypeAlias = ByActor | Tell | Move | Expire
