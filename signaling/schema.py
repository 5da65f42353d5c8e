"""The wire of calls: what clients send, and what they are answered. What they are told: server_events.py."""

from datetime import datetime
from typing import Annotated, Any, Literal

from msgspec import UNSET, Meta, UnsetType, field

from hub.kernel.wire import Ulid, Uuid, Wire
from signaling.ice import IceServer
from signaling.settings import IcePolicy

MAX_SDP = 64 * 1024
"""Characters. A browser's offer with every codec and simulcast has 10 to 20 thousand."""
MAX_CANDIDATE = 1024
MAX_CANDIDATES = 100

MAX_STREAMS = 8

CallType = Literal["audio", "video"]
StreamPurpose = Literal["usermedia", "screenshare"]
StreamId = Annotated[str, Meta(min_length=1, max_length=80)]
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
    """``call:initiate``. Several people make a group call."""

    # Not `Uuid | list[…]`: msgspec 0.22 frees the pattern of a string that is in a union with an array each time it
    # converts to the bare union, as the listing of violations does, and the process dies. OnePerson checks the string.
    to: Annotated[str, Meta(description="UUID, lower case")] | Annotated[list[Uuid], Meta(min_length=1, max_length=63)]
    type: CallType
    call_id: Ulid | None = None


class OnePerson(Wire):
    """The short form of ``to``."""

    to: Uuid


class CallRef(Wire):
    """``call:accept``, ``call:reject``, ``call:ignore``, ``call:ringing``, ``call:hangup``.

    ``reason`` is for those that end something.
    """

    call_id: Ulid
    reason: EndReason | None = None


class EngineRef(Wire):
    """``call:engine``: ask how to reach what carries the media."""

    call_id: Ulid


class Hold(Wire):
    """``call:hold``, and ``call:resume``, which takes it back."""

    call_id: Ulid


class Invite(Wire):
    """``call:invite``: ring more people, which makes it a group call."""

    call_id: Ulid
    # As in Initiate.
    to: Annotated[str, Meta(description="UUID, lower case")] | Annotated[list[Uuid], Meta(min_length=1, max_length=63)]


class Transfer(Wire):
    """``call:transfer``: go on with the call on this connection, or have ``to`` join instead of oneself."""

    call_id: Ulid
    to: Uuid | None = None


class SetMedia(Wire):
    """``call:media``: all of what one's leg sends, without SDP. What is left out is false, or none."""

    call_id: Ulid
    audio_muted: bool = False
    video_muted: bool = False
    screen: bool = False
    """Whether the screen is shared."""
    streams: Annotated[dict[StreamId, StreamPurpose], Meta(max_length=MAX_STREAMS)] = {}
    """What each MediaStream is for, by its id."""


class Upgrade(Wire):
    """``call:upgrade``: go on with video, or (``video`` is false) without.

    The others answer it by their own ``call:media`` and a new negotiation, or by nothing.
    """

    call_id: Ulid
    video: bool = True


class Restart(Wire):
    """``call:restart``: begin a new generation of one's leg. With ``gen``, the one to be left, it can be repeated."""

    call_id: Ulid
    gen: Annotated[int, Meta(ge=0, le=2**31 - 1)] | None = None


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
    """``call:signal`` from a client.

    ``legTo`` is the user id of another member, or ``media`` for the media server of the call; between two people it can
    be left out. A signal of an older generation than either leg has (``gen``) is acknowledged and goes nowhere.
    """

    call_id: Ulid
    seq: Annotated[int, Meta(ge=1, le=2**31 - 1)]
    signal: AnySignal
    gen: Annotated[int, Meta(ge=0, le=2**31 - 1)] | None = None
    leg_to: Annotated[str, Meta(max_length=80)] | None = None


class Sync(Wire):
    """``call:sync``."""

    call_id: Ulid
    since_version: Annotated[int, Meta(ge=0, le=2**31 - 1)] = 0


class MediaState(Wire):
    """What a leg sends."""

    audio_muted: bool = False
    video_muted: bool = False
    screen: bool = False
    streams: dict[str, StreamPurpose] = {}


class Member(Wire):
    """One person in a call."""

    user_id: str
    state: Literal["ringing", "joined", "declined", "left"]
    gen: int = 0
    held: bool = False
    away: bool = False
    """Whether the connection is gone; it may come back."""
    media: MediaState | UnsetType = UNSET
    """As far as it was said."""


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
    ice_transport_policy: IcePolicy
    expires_at: datetime
    """When the ringing ends."""
    members: list[Member] | UnsetType = UNSET
    """Of a group."""
    reason: str | UnsetType = UNSET
    """Where ``state`` is ``ended``: why."""


class Standing(Wire):
    """Acknowledges what moves a call. ``version`` is the call's after it."""

    call_id: str
    state: str
    version: int
    gen: int = 0
    """The generation of one's leg. Signals of it carry this ``gen``."""
    members: list[Member] | UnsetType = UNSET
    """Of a group, after accepting or inviting."""
    engine: str | UnsetType = UNSET
    """What carries the media, where the leg begins by this: see Snapshot."""
    reason: str | UnsetType = UNSET
    ice_servers: list[IceServer] | UnsetType = UNSET
    ice_transport_policy: IcePolicy | UnsetType = UNSET


class Changed(Wire):
    """Acknowledges ``call:media``, ``call:hold``, ``call:resume`` and ``call:upgrade``."""

    version: int


class Restarted(Wire):
    """Acknowledges ``call:restart``."""

    version: int
    gen: int
    ice_servers: list[IceServer]
    ice_transport_policy: IcePolicy


class Signalled(Wire):
    """Acknowledges ``call:signal``."""

    version: int


class MuteMember(Wire):
    """``call:mute-member``: hold back somebody's sound or picture for all, or stop doing so. For the initiator."""

    call_id: Ulid
    user_id: Uuid
    kind: CallType
    muted: bool = True


class Record(Wire):
    """``call:record``: have the media server of the call record it, or (``on`` is false) stop. All members are told."""

    call_id: Ulid
    on: bool = True


class TestConnection(Wire):
    """``call:test``: try out a connection with a media server, which sends back what it gets."""

    sdp: Sdp
    """An offer with sections that send and receive."""


class TestAnswered(Wire):
    """Acknowledges ``call:test``."""

    sdp: Sdp


class ConnectionTested(Wire):
    """Acknowledges ``call:test-result``."""

    verdict: Literal["good", "warning", "bad", "unknown"]
    """Of loss, round trip and, with video, rate the worst. ``unknown`` until there was a round trip."""
    loss: float
    """Of 1, the worse of the two ways."""
    round_trip_ms: float | None
    kbit_per_s: int
    """From the client."""


class MediaWay(Wire):
    """Acknowledges ``call:engine``: how the asking leg reaches what carries the media.

    ``mesh``: the other legs, by signals to each. ``embedded``: offer to ``media`` by ``call:signal``. Others: connect
    to ``url`` with ``token``, which is for this leg and good for some minutes.
    """

    engine: str
    gen: int
    """The generation of one's leg. Signals of it carry this ``gen``."""
    url: str | UnsetType = UNSET
    token: str | UnsetType = UNSET


class LoggedEvent(Wire):
    """A change of a call, as ``call:sync`` tells it."""

    version: int
    kind: str
    at: datetime
    from_: Annotated[str, Meta(description="user id; empty for a deadline")] = field(name="from")
    signal: Any = UNSET
    gen: int | UnsetType = UNSET
    reason: str | UnsetType = UNSET
    members: list[str] | UnsetType = UNSET
    """Of ``invited``: the people whom it rings since."""
    media: MediaState | UnsetType = UNSET
    type: str | UnsetType = UNSET
    engine: str | UnsetType = UNSET


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
    gen: int
    """The generation of this leg."""
    engine: str
    """What carries the media: ``mesh`` (the legs to each other), or a media server."""
    complete: bool
    """False if changes may be missing before the first of ``events``, so that only a new offer helps."""
    events: list[LoggedEvent]
    ice_servers: list[IceServer]
    ice_transport_policy: IcePolicy
    reason: str | UnsetType = UNSET


class IceServers(Wire):
    """``GET /realtime/ice-servers``: what a peer connection begins with, as do the acknowledgements that have it.

    With the policy ``relay`` media goes through TURN only.
    """

    ice_servers: list[IceServer]
    ice_transport_policy: IcePolicy


class PastMember(Wire):
    """One person of a call that is over."""

    user_id: str
    state: Literal["joined", "declined", "missed"]


class CallRecord(Wire):
    """A call that is over, as one of its members sees it."""

    call_id: str
    type: str
    direction: Literal["outgoing", "incoming"]
    initiator: str
    group: bool
    members: list[PastMember]
    started_at: datetime
    ended_at: datetime
    reason: str
    missed: bool
    """Whether it rang here, and was neither answered nor declined."""
    answered_at: datetime | UnsetType = UNSET
