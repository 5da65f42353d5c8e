"""The media of a call: which engine carries it, when it is moved, and what passes between the legs and the engine."""

import logging
from typing import Protocol

import msgspec

from hub.kernel.errors import Forbidden, InvalidPayload, Unavailable
from hub.kernel.events import Caller
from hub.kernel.ids import UserId
from signaling import errors, schema
from signaling.call.commands import Expire, Move, Renew, Tell
from signaling.call.model import MESH, Call, Part
from signaling.call.outcome import Verdict
from signaling.media.choice import engine_for
from signaling.media.engine import BadSignal, EngineBusy, EngineDown, Kind, Leg
from signaling.media.engines import Engines
from signaling.media.settings import Engine, MediaSettings
from signaling.moves import Moves, ruled
from signaling.telling import Telling
from signaling.views import Relayed, generation

log = logging.getLogger(__name__)

MOVES = 3
"""Tries to find an engine that takes a call: each further one means that one has died in the very moment."""


CHANGE_S = 15.0
"""How long a moved call keeps its room where it was: legs use it until the new way brings everybody, 8 s at most."""


class Recorder(Protocol):
    """Records rooms of the hub's own media servers."""

    async def record(self, room: str, on: bool) -> None:
        """Begin or stop. Idempotent. Raises EngineDown, and BadSignal where nothing can be recorded."""
        ...


class Carriage:
    """Moves calls between engines, and speaks with the engine for the legs."""

    def __init__(
        self, moves: Moves, telling: Telling, engines: Engines, recorder: Recorder, settings: MediaSettings
    ) -> None:
        self._moves = moves
        self._telling = telling
        self._engines = engines
        self._recorder = recorder
        self._settings = settings

    @property
    def mesh_limit(self) -> int:
        """People in a call that no engine carries, at most."""
        return self._settings.mesh_limit

    async def has_engine(self) -> bool:
        """Whether there is an engine for a call that outgrows the mesh."""
        return self._settings.engine != MESH and self._settings.engine in await self._engines.available()

    async def follow(self, call: Call) -> None:
        """Somebody joined a call: if it has outgrown its engine, it is moved to another.

        Nothing else waits for it: if no engine takes it, it goes on as it is, and the next who joins tries again.
        """
        if not call.group:
            return
        try:
            # Expire looks at the call with all of its members.
            await self._place(ruled(await self._moves.apply(call.call_id, Expire())))
        except (EngineDown, Unavailable) as error:
            log.warning("call %s could not be moved: %s", call.call_id, error)

    async def rescue(self, call_id: str) -> None:
        """The media server of a call has died: it begins anew on another one, or without any. Raises Unavailable."""
        outcome = await self._moves.apply(call_id, Expire())
        if outcome.call is None or outcome.call.is_over or outcome.call.engine == MESH:
            return
        try:
            await self._place(outcome.call, lost=True)
        except EngineDown as error:
            raise Unavailable(str(error)) from error

    async def offer(self, actor: Caller, call_id: str, offer: schema.Offer, gen: int | None) -> None:
        """Pass a leg's offer to the engine; the leg gets the answer as a signal from ``media``.

        One of an older generation goes nowhere, as between legs. When the engine has died, the call is moved, and the
        leg offers again. Raises InvalidPayload for an offer that the engine cannot use, Unavailable if it is there and
        does not take the leg: for that nobody else in the call is moved.
        """
        outcome = await self._moves.apply(call_id, Renew(actor))
        call = ruled(outcome)
        now = generation(call, actor.user_id)
        if gen is not None and gen < now:
            return
        try:
            answer = await self._engines[call.engine].offer(call_id, _leg(actor.user_id), offer.sdp)
        except BadSignal as error:
            detail = str(error)
            raise InvalidPayload(detail, errors=[{"pointer": "/signal/sdp", "detail": detail}]) from error
        except EngineBusy as error:
            raise Unavailable(str(error), retry_after=1) from error
        except EngineDown:
            await self.rescue(call_id)
            return
        if answer is not None:
            relayed = Relayed(schema.Answer(sdp=answer), gen=now)
            try:
                await self.tell(call_id, actor.user_id, "answer", relayed)
            except errors.CallEnded:  # while the engine answered: it has made the room once more
                self._engines.over(call_id, call.engine)
                raise
            except errors.LegGone:  # who was put out at that moment is in the room again
                self._engines.gone(call_id, call.engine, actor.user_id)
                raise

    async def came(self, call_id: str, user_id: str) -> None:
        """Somebody has come into a room of LiveKit by themselves: whoever is not in its call is put out again.

        Raises Unavailable.
        """
        call = (await self._moves.apply(call_id, Expire())).call
        member = None if call is None or call.is_over else call.members.get(UserId(user_id))
        if member is None or not member.joined:
            self._engines.gone(call_id, "livekit", user_id)

    async def way(self, actor: Caller, call_id: str) -> schema.MediaWay:
        """How the actor's leg reaches the engine of the call. Raises Unavailable if the engine does not answer."""
        outcome = await self._moves.apply(call_id, Renew(actor))
        call = ruled(outcome)
        try:
            engine = self._engines[call.engine]
            await engine.ensure_room(call_id)
            url, token = await engine.admit(call_id, _leg(actor.user_id))
        except EngineDown as error:
            raise Unavailable(str(error), retry_after=1) from error
        return schema.MediaWay(
            engine=call.engine,
            gen=generation(call, actor.user_id),
            url=url or msgspec.UNSET,
            token=token or msgspec.UNSET,
        )

    async def tell(self, call_id: str, to: UserId, kind: str, relayed: Relayed) -> None:
        """Pass something of the media server to a leg. Raises CallEnded, LegGone."""
        outcome = await self._moves.apply(call_id, Tell(to, kind, msgspec.json.encode(relayed).decode()))
        await self._telling.from_media(ruled(outcome), outcome.version, relayed, to)

    async def move(self, call_id: str, engine: str, gen: int) -> bool:
        """Have another engine, or another server of it, carry the media; ``gen`` is the generation that is left by it.

        Of several who ask for the same, the first does it; False for the others. Raises CallEnded.
        """
        outcome = await self._moves.apply(call_id, Move(engine, gen))
        call = ruled(outcome)
        if outcome.verdict is Verdict.DONE:
            await self._telling.moved(call, outcome.version)
            self._moves.told(outcome)
        return outcome.verdict is Verdict.DONE

    async def mute(self, actor: Caller, call_id: str, user_id: UserId, kind: Kind, muted: bool) -> None:
        """Hold back a member's sound or picture for all, or stop. For the initiator of a call that an engine carries.

        Raises Forbidden, Unavailable.
        """
        call = ruled(await self._moves.apply(call_id, Renew(actor)))
        if actor.user_id != call.initiator or call.engine == MESH:
            raise Forbidden("Only who began a call can mute others, and only where a media server carries it.")
        try:
            await self._engines[call.engine].mute(call_id, user_id, kind, muted)
        except EngineDown as error:
            raise Unavailable(str(error), retry_after=1) from error

    async def record(self, actor: Caller, call_id: str, on: bool) -> None:
        """Have the call recorded, or stop. The media server tells all legs. Raises Forbidden, Unavailable."""
        call = ruled(await self._moves.apply(call_id, Renew(actor)))
        if not self._settings.record or call.engine != "embedded":
            raise Forbidden("This call cannot be recorded.")
        try:
            await self._recorder.record(call_id, on)
        except BadSignal as error:
            raise Forbidden("This call cannot be recorded.") from error
        except EngineDown as error:
            raise Unavailable(str(error), retry_after=1) from error

    async def _place(self, call: Call, *, lost: bool = False) -> None:
        """Move a call to the engine that it should have; with ``lost`` even if that is the one it has."""
        for _ in range(MOVES):
            people = sum(member.state is Part.JOINED for member in call.members.values())
            now: Engine = call.engine  # type: ignore[assignment] # what we have moved it to
            chosen = engine_for(people, self._settings, await self._engines.available(), now=now)
            if chosen == call.engine and not lost:
                return
            try:
                await self._engines[chosen].ensure_room(call.call_id)
            except EngineDown:
                continue
            if await self.move(call.call_id, chosen, call.floor) and call.engine != chosen:
                self._engines.over(call.call_id, call.engine, after_s=0 if lost else CHANGE_S)
            return
        raise EngineDown("No media server takes the call.")


def _leg(user_id: UserId) -> Leg:
    """A member has one leg, so it goes by their id: whoever comes back takes the place of what they left."""
    return Leg(user_id, user_id)
