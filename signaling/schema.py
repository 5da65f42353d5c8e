"""The wire of calls: what clients send, what they are answered, what they are told."""

from datetime import datetime
from typing import Annotated, Any, ClassVar, Literal

from msgspec import UNSET, Meta, UnsetType, field

from hub.kernel.wire import ServerEvent, Ulid, Uuid, Wire
from signaling.ice import IceServer

MAX_SDP = 64 * 1024
"""Characters. A browser's offer with every codec and simulcast has 10 to 20 thousand."""
MAX_CANDIDATE = 1024
MAX_CANDIDATES = 100

CallType = Literal["audio", "video"]
Sdp = Annotated[str, Meta(min_length=1, max_length=MAX_SDP)]
EndReason = Literal[
    "user_hangup",
    "user_busy",
    "cancelled",
    "rejected",
    "ice_failed",
    "ice_timeout",
    "user_media_failed",
    "unknown_error",
]
"""Reasons that a client may give."""


class Initiate(Wire):
    """``call:initiate``."""

    # Not `Uuid | list[…]`: msgspec 0.22 frees the pattern of a string that is in a union with an array each time it
    # converts to the bare union, as the listing of violations does, and the process dies. OnePerson checks the string.
    to: Annotated[str, Meta(description="UUID, lower case")] | Annotated[list[Uuid], Meta(min_length=1, max_length=64)]
    type: CallType
    call_id: Ulid | None = None


class OnePerson(Wire):
    """The short form of ``Initiate.to``."""

    to: Uuid


class CallRef(Wire):
    """``call:accept``, ``call:reject``, ``call:ignore``, ``call:ringing``, ``call:hangup``."""

    call_id: Ulid
    reason: EndReason | None = None


class Offer(Wire, tag_field="type", tag="offer"):
    """A session description to be answered."""

    sdp: Sdp


class Answer(Wire, tag_field="type", tag="answer"):
    """The answer to an offer."""

    sdp: Sdp


class Candidate(Wire):
    """An RTCIceCandidateInit. The browser's own spelling is kept."""

    candidate: Annotated[str, Meta(max_length=MAX_CANDIDATE)] = ""
    sdpMid: Annotated[str, Meta(max_length=256)] | None = None
    sdpMLineIndex: Annotated[int, Meta(ge=0, le=65535)] | None = None
    usernameFragment: Annotated[str, Meta(max_length=256)] | None = None


class Candidates(Wire, tag_field="type", tag="candidate"):
    """A batch of candidates, in the order they were found."""

    candidates: Annotated[list[Candidate], Meta(min_length=1, max_length=MAX_CANDIDATES)]


class EndOfCandidates(Wire, tag_field="type", tag="end-of-candidates"):
    """No more will come."""


AnySignal = Offer | Answer | Candidates | EndOfCandidates


class SendSignal(Wire):
    """``call:signal`` from a client. Between two people ``legTo`` can only mean the other one."""

    call_id: Ulid
    seq: Annotated[int, Meta(ge=1, le=2**31 - 1)]
    signal: AnySignal
    gen: Annotated[int, Meta(ge=0, le=2**31 - 1)] | None = None
    leg_to: Annotated[str, Meta(max_length=80)] | None = None


class Sync(Wire):
    """``call:sync``."""

    call_id: Ulid
    since_version: Annotated[int, Meta(ge=0, le=2**31 - 1)] = 0


class Placed(Wire):
    """Acknowledges ``call:initiate``.

    ``call_id`` is another than asked for, and ``state`` is ``connecting``, if the other person was calling already: the
    two calls became that one, and the asker is its callee (``initiator`` is the other).
    """

    call_id: str
    state: str
    version: int
    type: str
    initiator: str
    ice_servers: list[IceServer]
    expires_at: datetime
    """When the ringing ends."""


class Standing(Wire):
    """Acknowledges what moves a call. ``version`` is the call's after it."""

    call_id: str
    state: str
    version: int
    reason: str | UnsetType = UNSET
    ice_servers: list[IceServer] | UnsetType = UNSET


class Signalled(Wire):
    """Acknowledges ``call:signal``."""

    version: int


class Member(Wire):
    """A party of a call."""

    user_id: str
    state: Literal["ringing", "joined", "left"]


class LoggedEvent(Wire):
    """A change of a call, as ``call:sync`` tells it."""

    version: int
    kind: str
    at: datetime
    from_: Annotated[str, Meta(description="user id; empty for a deadline")] = field(name="from")
    signal: Any = UNSET
    gen: int | UnsetType = UNSET
    reason: str | UnsetType = UNSET


class Snapshot(Wire):
    """Acknowledges ``call:sync``: the call as it is, and what the asker's leg missed."""

    call_id: str
    state: str
    version: int
    type: str
    initiator: str
    members: list[Member]
    expires_at: datetime
    mine: bool
    """Whether the asking connection is now the user's leg. ``seq`` and ``events`` are given to it only."""
    seq: int
    """Number of the last signal taken from this leg; go on with the next."""
    complete: bool
    """False if older changes than the first of ``events`` are missing, so that only a new offer helps."""
    events: list[LoggedEvent]
    ice_servers: list[IceServer]
    reason: str | UnsetType = UNSET


class IceServers(Wire):
    """``GET /realtime/ice-servers``."""

    ice_servers: list[IceServer]


class CallIncoming(ServerEvent):
    """Ring. To every device of the callee; again, under the same id, if the initiator repeats the call."""

    event: ClassVar[str] = "call:incoming"
    call_id: str
    version: int
    initiator: str
    type: str
    expires_at: datetime


class CallAccepted(ServerEvent):
    """The callee has accepted. To the caller's leg."""

    event: ClassVar[str] = "call:accepted"
    call_id: str
    version: int
    state: str


class CallCancelled(ServerEvent):
    """Stop ringing. To the callee's devices."""

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
    """Something changed that has no event of its own: the other side rings, or is back on a new connection."""

    event: ClassVar[str] = "call:state"
    call_id: str
    version: int
    state: str
    kind: Literal["alerting", "resumed"]


class CallSignal(ServerEvent):
    """A signal of the other leg."""

    event: ClassVar[str] = "call:signal"
    call_id: str
    from_: str = field(name="from")
    version: int
    signal: Any
    gen: int | UnsetType = UNSET
