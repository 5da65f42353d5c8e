"""No engine at all: everybody sends to everybody."""

from collections.abc import Sequence

from signaling.media.engine import Kind, Leg, Stream, Way


class Mesh:
    """Implements signaling.media.engine.MediaEngine where there is nothing to do: clients signal to each other."""

    name = "mesh"

    async def ensure_room(self, room: str) -> None:
        """Nothing."""

    async def admit(self, room: str, leg: Leg) -> Way:
        """Nothing is needed."""
        return Way()

    async def offer(self, room: str, leg: Leg, sdp: str) -> None:
        """There is nobody to answer."""

    async def mute(self, room: str, user_id: str, kind: Kind, muted: bool) -> None:
        """Not possible: nothing passes the hub. Clients are told, and do it themselves."""

    async def remove(self, room: str, leg: Leg) -> None:
        """Nothing: the others end their connections to whoever leaves."""

    async def close(self, room: str) -> None:
        """Nothing."""

    async def streams(self, room: str) -> Sequence[Stream]:
        """Unknown to the hub."""
        return ()
