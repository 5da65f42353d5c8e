"""What a connection that comes back still watches, and is told anew."""

import pytest

from hub.kernel.errors import Unavailable
from hub.kernel.sight import Circle
from presence.views import watch_room
from presence.watchers import Watcher
from tests.support.watching_node import EVERYTHING, NOTHING, STATUS, WatchingNode, ids


async def test_whoever_comes_back_watches_whom_they_did_and_is_told_only_what_is_new(node: WatchingNode) -> None:
    ann, ben, cat, me = [await node.connect(name) for name in "abcm"]
    node.sight.limits = {(me.user_id, ben.user_id): STATUS, (me.user_id, cat.user_id): NOTHING}
    await node.ask("presence:watch", me, userIds=ids([ann, ben, cat]))
    again = await node.comes_back(me, "m2")
    assert node.told(again) == []
    assert [node.sees(again, one) for one in (ann, ben, cat)] == [[EVERYTHING], [STATUS], [NOTHING]]
    node.sight.limits = {(me.user_id, ann.user_id): NOTHING}
    once_more = await node.comes_back(again, "m3")
    assert {user.user_id: user.status for user in node.told(once_more)} == {
        ann.user_id: "offline",
        ben.user_id: "online",
        cat.user_id: "online",
    }
    node.sight.limits.clear()
    await node.look_again_at(ann)
    assert ids(node.told(once_more)) == [ann.user_id]


async def test_what_was_told_when_the_connection_broke_is_told_again_in_a_higher_version(node: WatchingNode) -> None:
    ann, me = await node.connect("a"), await node.connect("m")
    await node.ask("presence:watch", me, userIds=[ann.user_id])
    node.sight.limits[me.user_id, ann.user_id] = NOTHING
    await node.look_again(me)
    [lost] = node.told(me)
    again = await node.comes_back(me, "m2")
    [told] = node.told(again)
    assert (told.status, told.version > lost.version) == ("offline", True)
    node.sight.limits.clear()
    await node.look_again(again)
    [back] = node.told(again)
    assert (back.status, back.version > told.version) == ("online", True)


async def test_a_circle_outlives_the_connection_and_so_does_who_was_chosen_beside_it(node: WatchingNode) -> None:
    chosen, both, dropped, new, me = [await node.connect(name) for name in "cbdnm"]
    circle = node.sight.circles[me.user_id, Circle.FOLLOWING] = ids([both, dropped])
    await node.ask("presence:watch", me, userIds=[chosen.user_id])
    await node.ask("presence:watch", me, people="following")
    await node.ask("presence:watch", me, userIds=[both.user_id])
    circle[:] = [new.user_id]  # while the connection is away
    again = await node.comes_back(me, "m2")
    assert ids(node.told(again)) == [new.user_id]
    seen = [node.sees(again, one) for one in (chosen, both, dropped, new)]
    assert seen == [[EVERYTHING], [EVERYTHING], [], [EVERYTHING]]
    circle.clear()
    await node.look_again(again)
    assert [node.sees(again, one) for one in (chosen, both, new)] == [[EVERYTHING], [EVERYTHING], []]


async def test_whoever_was_moved_when_their_node_died_comes_back_into_the_room_that_shows_less(
    node: WatchingNode,
) -> None:
    ann, me = await node.connect("a"), await node.connect("m")
    await node.ask("presence:watch", me, userIds=[ann.user_id])
    node.sight.limits[me.user_id, ann.user_id] = NOTHING
    await node.rooms.join(me.connection_id, watch_room(ann.user_id, NOTHING))  # and no further
    again = await node.comes_back(me, "m2")
    assert node.sees(again, ann) == [NOTHING]
    assert [user.status for user in node.told(again)] == ["offline"]


async def test_whoever_was_moved_and_not_told_when_the_connection_broke_is_told_as_they_come_back(
    node: WatchingNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    ann, me = await node.connect("a"), await node.connect("m")
    await node.ask("presence:watch", me, userIds=[ann.user_id])
    node.sight.limits[me.user_id, ann.user_id] = NOTHING
    tell = node.watchers.tell

    async def broken(watcher: Watcher) -> None:
        raise Unavailable

    monkeypatch.setattr(node.watchers, "tell", broken)
    with pytest.raises(Unavailable):
        await node.look_again(me)
    monkeypatch.setattr(node.watchers, "tell", tell)
    again = await node.comes_back(me, "m2")
    assert [user.status for user in node.told(again)] == ["offline"]


# -------------------------------------------------------------------- bad input
