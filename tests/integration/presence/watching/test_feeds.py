"""What a feed of GraphQL hears, as its viewer's sight changes."""

from typing import Any

import pytest

from hub.kernel.ids import user_room
from tests.support.wait import until
from tests.support.watching_node import NOTHING, STATUS, WatchingNode


async def test_a_feed_hears_what_its_viewer_may_see_and_of_each_change_of_that(node: WatchingNode) -> None:
    ann, ben = await node.connect("a"), await node.connect("b")
    heard: list[tuple[str, bool]] = []

    def hear(presence: Any) -> None:
        heard.append((presence["status"], presence["lastSeen"] is not None))

    async with node.feeds.follow(ben.user_id, ann.user_id, hear):
        await node.events.dispatch("presence:update", ann, "busy")
        node.sight.limits[ben.user_id, ann.user_id] = STATUS
        await node.look_again_at(ann)
        await node.events.dispatch("presence:update", ann, "dnd")
        node.sight.limits[ben.user_id, ann.user_id] = NOTHING
        await node.look_again(ben)
        await node.events.dispatch("presence:update", ann, "away")
        del node.sight.limits[ben.user_id, ann.user_id]
        await node.look_again(ben)
        await node.look_again(ben)
    assert heard == [("busy", True), ("busy", False), ("dnd", False), ("offline", False), ("away", True)]
    assert not any(node.rooms.listeners.values())
    assert not node.feeds.concerns(user_room(ben.user_id))


async def test_a_block_that_comes_while_somebody_begins_to_follow_is_told(
    node: WatchingNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    ann, ben = await node.connect("a"), await node.connect("b")
    listen = node.rooms.listen

    def listen_as_they_are_blocked(*arguments: Any) -> Any:
        node.sight.block(ann.user_id, ben.user_id)
        return listen(*arguments)

    monkeypatch.setattr(node.rooms, "listen", listen_as_they_are_blocked)
    heard: list[str] = []
    async with node.feeds.follow(ben.user_id, ann.user_id, lambda presence: heard.append(presence["status"])):
        await node.events.dispatch("presence:update", ann, "busy")
    assert heard == ["offline"]


async def test_a_feed_of_oneself_hears_the_truth(node: WatchingNode) -> None:
    ann = await node.connect("a")
    heard: list[str] = []
    async with node.feeds.follow(ann.user_id, ann.user_id, lambda presence: heard.append(presence["status"])):
        await node.events.dispatch("presence:update", ann, "invisible")
        await until(lambda: not node.tasks._tasks)
    assert heard == ["invisible"]


@pytest.mark.parametrize(("said", "heard_before"), [("busy", ["busy"]), ("invisible", ["invisible"])])
async def test_a_feed_of_oneself_hears_of_the_end_of_ones_last_device(
    node: WatchingNode, said: str, heard_before: list[str]
) -> None:
    ann = await node.connect("a")
    heard: list[str] = []
    async with node.feeds.follow(ann.user_id, ann.user_id, lambda presence: heard.append(presence["status"])):
        await node.events.dispatch("presence:update", ann, said)
        await until(lambda: not node.tasks._tasks)
        await node.end(ann)
        await until(lambda: heard == [*heard_before, "offline"])
        await until(lambda: not node.tasks._tasks)
    assert heard == [*heard_before, "offline"]
