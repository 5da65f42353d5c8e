"""Trying out a connection before a call: one hears and sees oneself through a media server, and gets a verdict."""

from hub.kernel.errors import InvalidPayload, NotFound, Unavailable
from hub.kernel.events import Caller
from hub.kernel.ids import ConnectionId
from signaling import schema
from signaling.media.embedded.engine import Embedded
from signaling.media.engine import BadSignal, EngineDown, Leg

LEG = "me"


class PreCall:
    """A room of its own for each connection, in which nobody else is. It ends with the connection."""

    def __init__(self, engine: Embedded) -> None:
        self._engine = engine
        self._rooms: set[ConnectionId] = set()
        """Of connections of this node that have one."""

    async def offer(self, actor: Caller, sdp: str) -> str:
        """The answer to an offer; what it sends is what it receives. Raises InvalidPayload, Unavailable."""
        self._rooms.add(actor.connection_id)
        try:
            return await self._engine.offer(_room(actor), Leg(LEG, actor.user_id), sdp, echo=True)
        except BadSignal as error:
            detail = str(error)
            raise InvalidPayload(detail, errors=[{"pointer": "/sdp", "detail": detail}]) from error
        except EngineDown as error:
            raise Unavailable(str(error), retry_after=1) from error

    async def result(self, actor: Caller) -> schema.ConnectionTested:
        """How well the connection carries, by the last seconds. Raises NotFound before an offer, Unavailable."""
        try:
            measured = await self._engine.quality(_room(actor), Leg(LEG, actor.user_id))
        except EngineDown as error:
            raise Unavailable(str(error), retry_after=1) from error
        if measured is None:
            raise NotFound("No connection is being tried out.")
        return schema.ConnectionTested(
            verdict=measured.verdict,
            loss=measured.loss,
            round_trip_ms=measured.round_trip_ms,
            kbit_per_s=round(measured.bits_per_s / 1000),
        )

    async def end(self, actor: Caller) -> None:
        """End it. Harmless without one; a server that does not answer ends it by itself."""
        if actor.connection_id in self._rooms:
            self._rooms.discard(actor.connection_id)
            try:
                await self._engine.close(_room(actor))
            except EngineDown:
                return


def _room(actor: Caller) -> str:
    return f"test-{actor.connection_id}"
