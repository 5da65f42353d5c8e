"""Telling what others left untold: a node may die, or stop, between a change of a call and telling of it."""

import asyncio
import logging

from hub.kernel.errors import Unavailable
from hub.kernel.events import Caller
from hub.kernel.ids import UserId
from hub.kernel.tasks import Tasks
from signaling.call.commands import Expire
from signaling.call.model import Call, Change, Member, Part
from signaling.moves import REPLACED, Moves
from signaling.placing import Placing
from signaling.store import CallStore, Overdue
from signaling.telling import Telling
from signaling.told import Told
from signaling.views import media_state

log = logging.getLogger(__name__)

OVERDUE_S = 2.0
"""What is owed for so long is told by whoever finds it. Whoever made the change takes milliseconds, and takes it off
within a second; clients of a dead node take about as long to come back."""
EVERY_S = 0.5


class Relay:
    """Tells of overdue changes, from any node. Several may at once; each event is published once, by its id.

    Only what still stands is told. What has changed since is owed by itself, and its version shows who has the hole.
    """

    def __init__(self, store: CallStore, moves: Moves, placing: Placing, telling: Telling, told: Told) -> None:
        self._store = store
        self._moves = moves
        self._placing = placing
        self._telling = telling
        self._told = told

    def start(self, tasks: Tasks) -> None:
        """Look until ``tasks`` are closed."""
        tasks.start(self._run(), name="relay of calls")

    async def relay(self) -> None:
        """Tell of what is overdue, and take off what this node has told. Raises Unavailable; then call it again."""
        await self._told.settle()
        for one in await self._store.overdue(OVERDUE_S):
            if one.owing in self._told:
                continue
            try:
                await self._tell(one)
            except Unavailable:
                raise
            except Exception:  # a defect of ours, which must not keep the next ones from being told, for ever
                log.exception("a change of call %s cannot be told", one.owing.call_id)
            self._told.add([one.owing])
        await self._told.settle()

    async def _tell(self, one: Overdue) -> None:
        call_id, version = one.owing.call_id, one.owing.version
        outcome = await self._moves.apply(call_id, Expire())
        changes, _ = await self._store.log(call_id, UserId(""), version - 1)
        change = next((change for change in changes if change.version == version), None)
        if outcome.call is None or change is None:
            return  # nobody has the call any more
        log.info("change %d (%s) of call %s is told for a node that did not", version, change.kind, call_id)
        await self._tell_of(outcome.call, change, one.age_s)

    async def _tell_of(self, call: Call, change: Change, age_s: float) -> None:
        match change.kind:
            case "ringing":
                await self._placing.ring_for_another(call, age_s)
            case "invited":
                await self._invited(call, change, age_s)
            case "move":
                if not call.is_over and call.engine == change.data:
                    await self._telling.moved(call, change.version, age_s=age_s)
            case "ended":
                if call.reason != REPLACED:
                    await self._telling.ended(call, age_s=age_s)
                await self._moves.settle(call)
            case _:
                await self._of_a_member(call, change, age_s)

    async def _invited(self, call: Call, change: Change, age_s: float) -> None:
        names = change.data.split(",")
        members = [(user_id, call.members[user_id]) for user_id in map(UserId, names)]
        still = [one for one, member in members if member.state is Part.RINGING and member.rung == change.version]
        if still and not call.is_over:
            await self._telling.invited(_leg(call, change.by), call, change.version, still, age_s=age_s)

    async def _of_a_member(self, call: Call, change: Change, age_s: float) -> None:
        actor = _leg(call, change.by)
        member, version = call.members[actor.user_id], change.version
        if change.kind in ("left", "declined"):
            if member.left == version and member.state in (Part.LEFT, Part.DECLINED):
                await self._telling.gone(call, actor.user_id, member, age_s=age_s)
        elif change.kind == "accepted":
            if not call.is_over and member.joined and member.accepted == version:
                await self._telling.accepted(actor, call, version, age_s=age_s)
            elif member.state is not Part.RINGING:  # else somebody has invited them again, which is another ringing
                await self._telling.answered(actor, call, version, age_s=age_s)
        elif not call.is_over and _stands(call, member, change):
            await self._of_a_leg(actor, call, change, age_s)

    async def _of_a_leg(self, actor: Caller, call: Call, change: Change, age_s: float) -> None:
        version = change.version
        match change.kind:
            case "media":
                state = media_state(change.data)
                await self._telling.media(actor, call.call_id, version, state, age_s=age_s)
            case "moved":
                await self._telling.taken(actor, call, version, age_s=age_s)
            case "upgraded":
                await self._telling.state(actor, call, version, "upgraded", age_s=age_s, type=change.data)
            case "restarted":
                await self._telling.state(actor, call, version, "restarted", age_s=age_s, gen=int(change.data))
            case "alerting" | "resumed" | "away" | "held" | "unheld" as kind:
                await self._telling.state(actor, call, version, kind, age_s=age_s)

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(EVERY_S)
            try:
                await self.relay()
            except Unavailable:
                log.warning("calls are not looked at for what was left untold: Redis does not answer")


def _leg(call: Call, user_id: str) -> Caller:
    """Whoever made a change, on the connection that has their leg by now: that one knows."""
    member = call.members[UserId(user_id)]
    return Caller(UserId(user_id), member.session, member.connection)


def _stands(call: Call, member: Member, change: Change) -> bool:
    """Whether what a leg has changed, or a device of somebody whom it rings, is still so."""
    match change.kind:
        case "alerting":
            return member.state is Part.RINGING and member.alerted == change.version
        case "away":
            still = member.away
        case "held" | "unheld":
            still = member.held == (change.kind == "held")
        case "upgraded":
            still = call.type == change.data
        case "restarted" | "moved":
            still = str(member.gen) == change.data
        case "media":
            still = member.media == change.data
        case _:  # resumed
            still = True
    return still and member.joined
