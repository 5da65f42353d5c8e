"""A media engine that only notes what it is asked."""

from collections.abc import Awaitable, Callable, Sequence

from signaling.media.engine import BadSignal, EngineBusy, EngineDown, Kind, Leg, Stream, Way


class FakeEngine:
    """Implements signaling.media.engine.MediaEngine. ``up`` is whether it answers, ``there`` whether there is one."""

    name = "embedded"

    def __init__(self, *, there: bool = True) -> None:
        self.up = True
        self.there = there
        self.rooms: list[str] = []
        self.offers: list[tuple[str, str, str]] = []
        """Room, leg and SDP."""
        self.meanwhile: Callable[[], Awaitable[None]] | None = None
        """What happens before an offer is answered."""
        self.removed: list[tuple[str, str]] = []
        self.closed: list[str] = []
        self.muted: list[tuple[str, str, str, bool]] = []
        self.records = True
        self.recorded: list[tuple[str, bool]] = []

    async def available(self) -> bool:
        return self.there

    async def ensure_room(self, room: str) -> None:
        self._answer()
        self.rooms.append(room)

    async def admit(self, room: str, leg: Leg) -> Way:
        self._answer()
        return Way("wss://media", f"token of {leg.user_id}")

    async def offer(self, room: str, leg: Leg, sdp: str) -> str:
        self._answer()
        if sdp == "bad":
            raise BadSignal("It is no good.")
        if sdp == "too much":
            raise EngineBusy("It has no place.")
        if self.meanwhile is not None:
            await self.meanwhile()
        self.offers.append((room, leg.id, sdp))
        return f"answer to {sdp}"

    async def mute(self, room: str, user_id: str, kind: Kind, muted: bool) -> None:
        self._answer()
        self.muted.append((room, user_id, kind, muted))

    async def record(self, room: str, on: bool) -> None:
        self._answer()
        if not self.records:
            raise BadSignal("It records nothing.")
        self.recorded.append((room, on))

    async def remove(self, room: str, leg: Leg) -> None:
        self._answer()
        self.removed.append((room, leg.id))

    async def close(self, room: str) -> None:
        self._answer()
        self.closed.append(room)

    async def streams(self, room: str) -> Sequence[Stream]:
        self._answer()
        return ()

    def _answer(self) -> None:
        if not self.up:
            raise EngineDown("It does not answer.")
