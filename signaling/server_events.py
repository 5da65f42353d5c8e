"""The wire of calls: what clients are told."""

from datetime import datetime
from typing import Annotated, Any, ClassVar, Literal

from msgspec import UNSET, Meta, UnsetType, field

from hub.kernel.wire import ServerEvent, Wire
from signaling.schema import Member, StreamPurpose

Kind = Literal[
    "alerting",
    "resumed",
    "away",
    "declined",
    "left",
    "invited",
    "held",
    "unheld",
    "upgraded",
    "restarted",
    "moved",
]
"""What ``call:state`` tells of a member: a device of theirs rings; the leg is back on a new connection, or its
connection is gone and may come back; they declined, or left; they rang others; hold, or go on; changed the type of the
call; began a new generation of their leg, on the same device or another one."""


class CallIncoming(ServerEvent):
    """Ring. To every device of the callee; again, under the same id, if the initiator repeats the call."""

    event: ClassVar[str] = "call:incoming"
    call_id: str
    version: int
    initiator: str
    type: str
    expires_at: datetime
    from_: Annotated[str | UnsetType, Meta(description="who rings, if not the initiator")] = field(
        name="from", default=UNSET
    )
    members: list[Member] | UnsetType = UNSET
    """Of a group."""
    busy: bool | UnsetType = UNSET
    """True if one is in another call (call waiting)."""


class CallAccepted(ServerEvent):
    """Somebody has accepted. To the other legs."""

    event: ClassVar[str] = "call:accepted"
    call_id: str
    version: int
    state: str
    from_: str = field(name="from")
    gen: int
    """The generation of the leg that joined."""


class CallCancelled(ServerEvent):
    """It is over for this device: stop ringing, or drop the call if it is here. To the devices of one person.

    ``answered_elsewhere`` and ``moved`` (another device took the call) do not concern the device that has the call.
    """

    event: ClassVar[str] = "call:cancelled"
    call_id: str
    version: int
    reason: str


class CallEnded(ServerEvent):
    """It is over. To the legs."""

    event: ClassVar[str] = "call:ended"
    call_id: str
    version: int
    reason: str


class CallState(ServerEvent):
    """Something changed that has no event of its own. To the other legs."""

    event: ClassVar[str] = "call:state"
    call_id: str
    version: int
    state: str
    kind: Kind
    from_: str = field(name="from")
    gen: int | UnsetType = UNSET
    """Of ``restarted`` and ``moved``."""
    reason: str | UnsetType = UNSET
    """Of ``declined`` and ``left``."""
    members: list[str] | UnsetType = UNSET
    """Of ``invited``: the people whom it rings since."""
    type: str | UnsetType = UNSET
    """Of ``upgraded``."""


class CallMedia(ServerEvent):
    """What a leg sends. To the other legs."""

    event: ClassVar[str] = "call:media"
    call_id: str
    from_: str = field(name="from")
    version: int
    audio_muted: bool
    video_muted: bool
    screen: bool
    streams: dict[str, StreamPurpose]


class CallMove(ServerEvent):
    """Another engine carries the media from now on, under a new generation. To the legs."""

    event: ClassVar[str] = "call:move"
    call_id: str
    version: int
    engine: str
    gen: int


class Track(Wire):
    """A stream that the media server has from somebody."""

    id: str
    """As the second part of ``msid`` in its answers; the first is the user id."""
    user_id: str
    kind: Literal["audio", "video"]


class CallTracks(ServerEvent):
    """What the media server has and does at this moment. To the legs, whose next offer should have a section for each.

    It has no version: it is no change of the call.
    """

    event: ClassVar[str] = "call:tracks"
    call_id: str
    streams: list[Track]
    recorded: bool
    """Whether the media server writes all of it to files."""


class CallSignal(ServerEvent):
    """A signal of another leg, or of the media server (``from`` is ``media`` then)."""

    event: ClassVar[str] = "call:signal"
    call_id: str
    from_: str = field(name="from")
    version: int
    signal: Any
    to: str | UnsetType = UNSET
    """In a group: the member whom it is for. A device that does not have the call drops it."""
    gen: int | UnsetType = UNSET
