"""What a node does about calls by itself: leases of its own legs, legs that went away, deadlines of all calls."""

from collections.abc import Mapping

from hub.kernel.errors import Unavailable
from hub.kernel.events import Caller
from hub.kernel.ports import Rooms
from signaling import errors
from signaling.busy import BusyLines
from signaling.call.commands import Away, Renew
from signaling.call.outcome import Verdict
from signaling.legs import LocalLegs
from signaling.moves import Moves, ruled
from signaling.service import CallService
from signaling.store import CallStore
from signaling.telling import Telling, call_room


class Deadlines:
    """Keeps the legs of this node, and ends what nobody keeps."""

    def __init__(
        self,
        store: CallStore,
        busy: BusyLines,
        moves: Moves,
        service: CallService,
        telling: Telling,
        legs: LocalLegs,
        rooms: Rooms,
    ) -> None:
        self._store = store
        self._busy = busy
        self._moves = moves
        self._service = service
        self._telling = telling
        self._legs = legs
        self._rooms = rooms

    async def restore(self, actor: Caller, call_ids: Mapping[str, bytes]) -> None:
        """The actor's connection came back, and hears of these calls. It has the leg again, unless another took it.

        Raises UnknownCall and CallEnded for a call that is over for it: its end may not have been told yet.
        """
        for call_id in call_ids:
            call, _, _ = await self._service.sync(actor, call_id, 0)
            if call.is_over:
                raise errors.CallEnded(reason=call.reason)
            if not call.held_by(actor):
                await self._rooms.leave(actor.connection_id, call_room(call_id))

    async def disconnected(self, caller: Caller) -> None:
        """A connection of this node is gone: the other legs hear that theirs is away. The lease runs on."""
        for leg in self._legs.of(caller.connection_id):
            self._legs.drop(caller.connection_id, leg.call_id)
            try:
                outcome = await self._moves.apply(leg.call_id, Away(caller))
            except Unavailable:
                continue  # the lease tells in the end
            if outcome.verdict is Verdict.DONE:
                await self._telling.state(caller, ruled(outcome), outcome.version, "away")
                self._moves.told(outcome)

    async def renew(self, actor: Caller, call_id: str) -> None:
        """Renew the lease of a leg whose connection is still here; stop for one that is not, or has lost its leg."""
        # The transport takes a connection that is gone out of its rooms: that tells the living from the dead.
        if not self._rooms.is_member(actor.connection_id, call_room(call_id)):
            self._legs.drop(actor.connection_id, call_id)
            return
        outcome = await self._moves.apply(call_id, Renew(actor))
        if outcome.verdict is Verdict.ENDED:
            # It stays in the room: a node may have ended the call and died before it told, and a relay tells the room.
            self._legs.drop(actor.connection_id, call_id)
        elif outcome.verdict is not Verdict.DONE:  # taken by another device, or taken out; its person's room is told
            await self._telling.hear_no_more(actor, call_id)
        elif outcome.call is not None and outcome.call.answered:
            await self._busy.take([actor.user_id], call_id)

    async def take_due(self) -> list[str]:
        """Calls to :meth:`expire`. Other nodes leave them alone for some seconds."""
        return await self._store.take_due()

    async def expire(self, call_id: str) -> None:
        """Look at a call whose deadline has come: act on it, and find its next deadline."""
        await self._moves.look_after(call_id)
