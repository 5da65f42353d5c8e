"""Who may read of whom, and how much: by sockets and by REST."""

import pytest

from hub.kernel.errors import InvalidPayload
from presence.schema import Users
from tests.support.clock import FrozenClock
from tests.support.presence import some_user
from tests.support.watching_node import NOTHING, STATUS, WatchingNode, ids


@pytest.mark.parametrize("event", ["presence:get", "presence:watch"])
async def test_who_may_not_know_sees_no_last_seen_and_who_may_see_nothing_sees_absence(
    node: WatchingNode, event: str
) -> None:
    ann, ben, cat, dan = [await node.connect(name) for name in "abcd"]
    node.sight.limits = {(dan.user_id, ben.user_id): STATUS, (dan.user_id, cat.user_id): NOTHING}
    unknown = some_user()
    everything, status, nothing, absence = await node.ask(event, dan, userIds=[*ids([ann, ben, cat]), unknown])
    assert (everything["status"], everything["lastSeen"]) == ("online", "2027-01-15T08:00:00Z")
    [device] = everything["devices"]
    assert device.pop("lastActive") == "2027-01-15T08:00:00Z"
    assert status == everything | {"userId": ben.user_id, "lastSeen": None}
    assert nothing == absence | {"userId": cat.user_id}
    assert absence == {"userId": unknown, "status": "offline", "lastSeen": None, "devices": [], "version": 0}


async def test_one_look_is_enough_to_read_500_people(node: WatchingNode) -> None:
    ann = await node.connect("a")
    await node.ask("presence:get", ann, userIds=[some_user() for _ in range(500)])
    assert node.sight.asked == 1


async def test_the_version_of_somebody_offline_tells_nothing_to_who_may_not_know_last_seen(
    node: WatchingNode, clock: FrozenClock
) -> None:
    ann, ben, cat = [await node.connect(name) for name in "abc"]
    node.sight.limits = {(cat.user_id, one.user_id): STATUS for one in (ann, ben)}
    for person in (ann, ben):
        clock.advance(60)
        await node.events.dispatch("presence:update", person, "invisible")
    clock.advance(60)
    one, other = await node.ask("presence:get", cat, userIds=ids([ann, ben]))
    assert one == other | {"userId": ann.user_id}
    assert (one["status"], one["lastSeen"]) == ("offline", None)
    assert one["version"] > 0


# -------------------------------------------------------------------- live changes


@pytest.mark.parametrize("event", ["presence:watch", "presence:unwatch", "presence:get"])
@pytest.mark.parametrize(
    ("payload", "pointer"),
    [
        ({}, "/userIds"),
        ({"userIds": [str(some_user()) for _ in range(501)]}, "/userIds"),
        ({"userIds": ["ann"]}, "/userIds/0"),
        ({"userIds": [None]}, "/userIds/0"),
        ({"userIds": "ann"}, "/userIds"),
        ({"userIds": [], "people": "everybody"}, "/people"),
        ({"userIds": [], "limit": 1}, "/limit"),
    ],
    ids=["nobody", "501", "no id", "null", "text", "no circle", "unknown field"],
)
async def test_what_fits_nothing_is_refused_by_field(
    node: WatchingNode, event: str, payload: object, pointer: str
) -> None:
    ann = await node.connect("a")
    with pytest.raises(InvalidPayload) as refusal:
        await node.events.dispatch(event, ann, payload)
    assert [error["pointer"] for error in refusal.value.details["errors"]] == [pointer]
    assert node.rooms_of(ann) == {}


@pytest.mark.parametrize("event", ["presence:watch", "presence:get"])
async def test_an_empty_list_is_nobody_and_a_repeated_id_one_person(node: WatchingNode, event: str) -> None:
    ann, ben = await node.connect("a"), await node.connect("b")
    assert await node.ask(event, ann, userIds=[]) == []
    assert [user["userId"] for user in await node.ask(event, ann, userIds=[ben.user_id] * 500)] == [ben.user_id]


# -------------------------------------------------------------------- feeds


async def test_rest_answers_as_sockets_do(node: WatchingNode) -> None:
    ann, ben = await node.connect("a"), await node.connect("b")
    node.sight.limits[ben.user_id, ann.user_id] = STATUS
    [by_socket] = await node.ask("presence:get", ben, userIds=[ann.user_id])
    [by_rest] = (await node.watching.get(ben, Users(user_ids=[ann.user_id]))).users
    assert (by_rest.status, by_rest.last_seen) == (by_socket["status"], by_socket["lastSeen"]) == ("online", None)
