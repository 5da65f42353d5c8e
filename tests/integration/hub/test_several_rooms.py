"""An event for several rooms, while connections come into them and leave them between its copies."""

import pytest

from hub.kernel.delivery import Delivery
from hub.kernel.ids import ConnectionId, RoomName
from hub.kernel.wire import ServerEvent
from tests.support.coming_back import Client, Scene, client

FIRST, SECOND = RoomName("test:first"), RoomName("test:second")


class Said(ServerEvent):
    event = "test:said"
    number: int


async def numbers(ada: Client) -> list[int]:
    """What has come, up to the last, which is 0."""
    heard: list[int] = []
    while 0 not in heard:
        heard.append((await ada.event("test:said"))[1]["number"])
    return heard


async def test_it_comes_once_to_who_joins_and_to_who_leaves_one_of_them_between_the_copies(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    bus, sockets = scene.one.hub.bus, scene.one.hub.sockets
    async with client(scene.one, scene.ada) as joins, client(scene.one, scene.ada) as leaves:
        for room in (FIRST, SECOND):
            await bus.follow(room)
            sockets.join(ConnectionId(leaves.sid), room)
        sockets.join(ConnectionId(joins.sid), SECOND)
        deliver = sockets.deliver

        def move_and_deliver(delivery: Delivery) -> None:
            if delivery.rooms == [SECOND]:
                sockets.join(ConnectionId(joins.sid), FIRST)
                sockets.leave(ConnectionId(leaves.sid), FIRST)
            deliver(delivery)

        monkeypatch.setattr(sockets, "deliver", move_and_deliver)
        bus.emit(Delivery.of([FIRST, SECOND], Said(number=1)))
        bus.emit(Delivery.of([SECOND], Said(number=0)))
        assert await numbers(joins) == [1, 0]
        assert await numbers(leaves) == [1, 0]


async def test_who_came_back_has_had_the_copies_of_its_other_rooms(scene: Scene) -> None:
    sockets = scene.one.hub.sockets
    async with client(scene.one, scene.ada) as before:
        pass
    async with client(scene.one, scene.ada, **before.claim) as again, client(scene.one, scene.ada) as new:
        assert again.ready["recovered"] is True
        for one in (again.ready, new.ready):
            for room in (FIRST, SECOND):
                sockets.join(ConnectionId(one["connectionId"]), room)
        late = Delivery([SECOND], "test:said", b'{"number":1}', others=[FIRST], copy_of="its first copy came elsewhere")
        sockets.deliver(late)
        sockets.deliver(Delivery([SECOND], "test:said", b'{"number":0}'))
        assert await numbers(again) == [0]
        assert await numbers(new) == [1, 0]
