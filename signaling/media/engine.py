"""What a call needs of whatever carries its media, and what its members are told to use it."""

from collections.abc import Sequence
from typing import Literal, NamedTuple, Protocol

Kind = Literal["audio", "video"]


class EngineDown(Exception):
    """The engine does not answer, or has no place; the call may be moved to another."""


class EngineBusy(EngineDown):
    """The engine is there, and refuses what was asked: it is full, or has failed over it. Its rooms go on."""


class BadSignal(ValueError):
    """The engine cannot use what a client sent; the message says why, to the client."""


class Leg(NamedTuple):
    """Somebody in a room: a person with one connection."""

    id: str
    """Of the room: the same for a person who comes back."""
    user_id: str


class Way(NamedTuple):
    """How a leg reaches its room. Both are empty where signals go through the hub."""

    url: str = ""
    token: str = ""


class Stream(NamedTuple):
    """Something that a member of a room sends."""

    id: str
    user_id: str
    kind: str


class MediaEngine(Protocol):
    """Carries the media of calls. A room has the id of its call.

    All methods are idempotent, and raise EngineDown when the engine does not answer: then nothing is known of what was
    asked. A room and a leg that are gone are no error, except where there is an answer to give.
    """

    @property
    def name(self) -> str:
        """As clients know it: ``mesh``, ``embedded``, ``janus``, ``livekit``."""
        ...

    async def ensure_room(self, room: str) -> None:
        """Have the room, made if there is none."""
        ...

    async def admit(self, room: str, leg: Leg) -> Way:
        """Let somebody in, and give what their client needs for it. It is theirs alone, and of some minutes."""
        ...

    async def offer(self, room: str, leg: Leg, sdp: str) -> str | None:
        """The answer to a leg's offer; None where clients do not signal through the hub. Raises BadSignal."""
        ...

    async def mute(self, room: str, user_id: str, kind: Kind, muted: bool) -> None:
        """Hold back somebody's sound or picture, or stop doing so."""
        ...

    async def remove(self, room: str, leg: Leg) -> None:
        """Put somebody out."""
        ...

    async def close(self, room: str) -> None:
        """End the room."""
        ...

    async def streams(self, room: str) -> Sequence[Stream]:
        """What is sent in the room. Empty if it is gone."""
        ...
