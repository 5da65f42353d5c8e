"""Who watches whom: what is shown of somebody's presence, and to which connections."""

from collections.abc import Mapping, Sequence

from msgspec import UNSET

from hub.kernel.clock import Clock
from hub.kernel.errors import InvalidPayload, Unavailable
from hub.kernel.events import Actor, Caller
from hub.kernel.ids import RoomName, UserId
from hub.kernel.sight import Sight, Visibility
from presence.memory import Reading
from presence.model import View
from presence.schema import MAX_USERS, Presences, Users, Watch
from presence.service import PresenceService
from presence.views import presence, watched_in
from presence.watchers import Watcher, Watchers, each


class Watching:
    """Answers who is there, and has connections told of the changes. Whoever may see nothing sees absence.

    Implements hub.gate.reviews.Reviewer: when a user's room is reviewed, it looks again at what that user sees and of
    whom; when a watch room is, at what its members see of that one person.
    """

    def __init__(
        self, service: PresenceService, reading: Reading, watchers: Watchers, sight: Sight, clock: Clock
    ) -> None:
        self._service = service
        self._reading = reading
        self._watchers = watchers
        self._sight = sight
        self._clock = clock

    async def watch(self, caller: Caller, payload: Watch) -> Presences:
        """Send the caller's connection ``presence:diff`` of these people from now on. Returns their present state.

        Repeating it is harmless. Raises InvalidPayload if the connection would watch more than MAX_USERS in all.
        """
        if not self._service.is_here(caller):
            raise Unavailable("This connection is closing. Try again on the next.")
        _check(payload)
        watcher = self._watchers.add(caller)
        async with watcher.turn:
            chosen = watcher.chosen.union(_unique(payload))
            circles = watcher.circles if payload.people is None else watcher.circles | {payload.people}
            people = await self._watchers.people(watcher, chosen, circles)
            if len(chosen.union(people)) > MAX_USERS:
                raise _too_many(payload, len(watcher.watched))
            asked = await self._asked(watcher, payload)
            if payload.people is not None:
                await self._watchers.watch_circle(watcher, payload.people)
            watcher.chosen = chosen
            await self._watchers.settle(watcher)
            watcher.untold.difference_update(asked)
            await self._tell(watcher)
            # Read after joining: what changes in between comes twice, and not never.
            seen = {one: watched.visibility for one, watched in watcher.watched.items()}
            return await self._presences(caller.user_id, asked, seen, watcher)

    async def unwatch(self, caller: Caller, payload: Watch) -> Presences:
        """Send the caller's connection nothing more of these people. Returns nobody.

        Whoever belongs to a circle that is still watched is so too.
        """
        _check(payload)
        watcher = self._watchers.find(caller)
        if watcher is not None:
            async with watcher.turn:
                if payload.people is not None:
                    await self._watchers.unwatch_circle(watcher, payload.people)
                watcher.chosen.difference_update(_unique(payload))
                await self._settle(watcher)
        return Presences(users=[])

    async def get(self, actor: Actor, payload: Users) -> Presences:
        """The presence of these users, as the actor may see it."""
        user_ids = _unique(payload)
        seen = await self._sight.seen_by(actor.user_id, user_ids)
        watcher = self._watchers.find(actor) if isinstance(actor, Caller) else None
        return await self._presences(actor.user_id, user_ids, seen, watcher)

    async def visible(self, caller: Caller, user_ids: Sequence[UserId]) -> Presences:
        """The same without those of whom the caller may see nothing."""
        seen = await self._sight.seen_by(caller.user_id, user_ids)
        shown = [user_id for user_id in user_ids if seen[user_id]]
        return await self._presences(caller.user_id, shown, seen, self._watchers.find(caller))

    async def restore(self, caller: Caller, rooms: Mapping[str, bytes]) -> None:
        """The caller's connection came back, and is in these rooms. It watches again whom it did, as far as it may.

        It is told of those of whom it sees more or less than when it went, and once more of those of whom it did
        before: that may have been on its way when the connection broke.
        """
        watcher = await self._watchers.restored(caller, rooms)
        async with watcher.turn:
            await self._settle(watcher)

    async def disconnected(self, caller: Caller) -> None:
        """The caller's connection is gone, and the hub has taken it out of its rooms."""
        self._watchers.remove(caller)

    # ---------------------------------------------------------------- reviews

    def concerns(self, of: RoomName) -> bool:
        """Whether there is anything here to look at."""
        return bool(self._to_review(of))

    async def review(self, of: RoomName) -> None:
        """Have those who watch see what they may see now, and tell them if that is more or less than before."""
        watchers = self._to_review(of)
        kind, _, name = of.partition(":")
        watched = watched_in(name) if kind == "presence" else None
        if watched is not None:
            user_id, visibility = watched
            seen = await self._sight.shown_to(user_id, {watcher.viewer for watcher in watchers})
            await each(
                self._look_again(watcher, user_id)
                for watcher in watchers
                if seen[watcher.viewer] is not visibility or user_id in watcher.untold
            )
        else:
            await each(self._settle_in_turn(watcher) for watcher in watchers)

    async def _look_again(self, watcher: Watcher, user_id: UserId) -> None:
        async with watcher.turn:
            if user_id in watcher.watched:  # still
                await self._watchers.look(watcher, [user_id])
                await self._tell(watcher)

    async def _settle_in_turn(self, watcher: Watcher) -> None:
        async with watcher.turn:
            await self._settle(watcher)

    async def _settle(self, watcher: Watcher) -> None:
        await self._watchers.settle(watcher)
        await self._tell(watcher)

    async def _tell(self, watcher: Watcher) -> None:
        await self._watchers.tell(watcher)
        await self._watchers.keep_notes(watcher)

    def _to_review(self, of: RoomName) -> Sequence[Watcher]:
        kind, _, name = of.partition(":")
        if kind == "user":
            return self._watchers.of(UserId(name))
        watched = watched_in(name) if kind == "presence" else None
        return [] if watched is None else self._watchers.of_watched(*watched)

    # ---------------------------------------------------------------- what is seen

    async def _asked(self, watcher: Watcher, payload: Watch) -> Sequence[UserId]:
        circles = () if payload.people is None else (payload.people,)
        listed = await self._watchers.people(watcher, (), circles)
        return list(dict.fromkeys([*_unique(payload), *listed]))

    async def _presences(
        self,
        viewer: UserId,
        user_ids: Sequence[UserId],
        seen: Mapping[UserId, Visibility],
        watcher: Watcher | None,
    ) -> Presences:
        """What the viewer sees. Nobody is looked up who is not to be seen: how long it takes must not tell either."""
        now_ms = self._clock.now_ms()
        visible = [user_id for user_id in user_ids if user_id == viewer or seen.get(user_id)]
        views = {user_id: View(user_id) for user_id in user_ids}
        for record in await self._reading.read(visible, now_ms):
            if record.user_id == viewer:
                views[viewer] = record.own()
            else:
                told = None if watcher is None else watcher.watched.get(record.user_id)
                view = record.seen(seen[record.user_id], now_ms)
                views[record.user_id] = view if told is None else view.at_least(told.version)
        return Presences(users=[presence(view) for view in views.values()])


def _unique(payload: Users | Watch) -> list[UserId]:
    user_ids = [] if payload.user_ids is UNSET else payload.user_ids
    return [UserId(user_id) for user_id in dict.fromkeys(user_ids)]


def _check(payload: Watch) -> None:
    if payload.user_ids is UNSET and payload.people is None:
        message = "Give userIds, people or both."
        raise InvalidPayload(message, errors=[{"pointer": "/userIds", "detail": message}])


def _too_many(payload: Watch, watched: int) -> InvalidPayload:
    message = f"A connection can watch {MAX_USERS} users in all; it watches {watched} already."
    pointer = "/people" if payload.people is not None else "/userIds"
    return InvalidPayload(message, errors=[{"pointer": pointer, "detail": message}])
