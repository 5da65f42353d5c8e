"""Connections that come back while something else happens: no right is got back, nothing is lost or heard twice."""

from collections.abc import Awaitable, Callable, Mapping

from hub.kernel.delivery import Delivery
from hub.kernel.events import Caller
from hub.kernel.ids import ConnectionId, RoomName, user_room
from tests.support.coming_back import Scene, said

Restore = Callable[[Caller, Mapping[str, bytes]], Awaitable[None]]


def room_of(scene: Scene) -> RoomName:
    return RoomName(f"room:{scene.room_id}")


async def test_an_event_for_several_rooms_skips_one_who_is_in_two_of_them(scene: Scene) -> None:
    async with scene.listener() as ada:
        room, sockets = room_of(scene), scene.one.hub.sockets
        both = {"roomId": scene.room_id, "body": "both"}
        skip = ConnectionId(ada.ready["connectionId"])
        sockets.deliver(Delivery([room], "room:message", None, both, skip, False, [user_room(scene.ada.id)]))
        await scene.say("next")
        assert said([await ada.event("room:message")]) == ["next"]
