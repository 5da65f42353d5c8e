"""What nodes and media servers say to each other over HTTP, as JSON."""

from typing import Literal

import msgspec

Verdict = Literal["good", "warning", "bad", "unknown"]
KEY = "Authorization"
"""Header with ``Bearer`` and the key of the server's lease."""


class Message(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """One of them."""


class Offered(Message, frozen=True):
    """``POST /rooms/{room}/legs/{leg}``: answer this offer. The room is made if it is not there."""

    user_id: str
    sdp: str
    echo: bool = False


class Answered(Message, frozen=True):
    """The answer."""

    sdp: str


class Muted(Message, frozen=True):
    """``PUT /rooms/{room}/mutes``."""

    user_id: str
    kind: Literal["audio", "video"]
    muted: bool


class Recorded(Message, frozen=True):
    """``PUT /rooms/{room}/recording``."""

    on: bool


class Published(Message, frozen=True):
    """A stream of a room."""

    id: str
    user_id: str
    kind: str


class Streams(Message, frozen=True):
    """``GET /rooms/{room}``."""

    streams: list[Published]


class Measured(Message, frozen=True):
    """``GET /rooms/{room}/legs/{leg}/quality``."""

    loss: float
    round_trip_ms: float | None
    bits_per_s: float
    verdict: Verdict


class Refused(Message, frozen=True):
    """An error: why not."""

    reason: str
