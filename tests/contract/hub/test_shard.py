"""hub.cluster.shard on a real Valkey: one order, and nothing is lost without a word when links break."""

import asyncio
import random
from collections.abc import AsyncIterator, Sequence
from functools import partial

import pytest
from redis.asyncio import Redis

from hub.cluster.link import Down, Link, Word
from hub.cluster.shard import FOLLOW_S, NOWHERE
from tests.support.shards import ShardNode, shard_nodes
from tests.support.wait import until


@pytest.fixture
async def pair(redis_url: str) -> AsyncIterator[list[ShardNode]]:
    async with shard_nodes(redis_url, "one", "two") as nodes:
        yield nodes


def numbers(first: int, last: int) -> list[str]:
    return [str(number) for number in range(first, last)]


async def test_events_of_a_room_reach_every_node_that_follows_it_once_and_in_one_order(pair: list[ShardNode]) -> None:
    for node in pair:
        await node.follow("lobby")
    for number in range(200):
        pair[number % 2].publish("lobby", f"{number}")
    await until(lambda: all(len(node.heard.kept.get("lobby", ())) == 200 for node in pair))
    one, two = (node.heard.kept["lobby"] for node in pair)
    assert one == two
    assert sorted(one, key=int) == numbers(0, 200)
    assert [event for event in one if int(event) % 2] == [str(number) for number in range(1, 200, 2)]


async def test_a_node_gets_nothing_of_rooms_that_it_does_not_follow(pair: list[ShardNode]) -> None:
    one, two = pair
    await one.follow("lobby")
    await two.follow("other")
    two.shard.leave("other")
    one.publish("other", "unheard")
    one.publish("lobby", "heard")
    await until(lambda: one.heard.kept)
    assert await two.shard.mark()
    assert two.heard.kept == {}


async def test_after_a_room_is_followed_all_that_is_published_comes(pair: list[ShardNode]) -> None:
    one, two = pair
    position = 0
    for number in range(50):
        one.publish("lobby", f"{number}")
        if number == 25:
            await two.follow("lobby")
            position = two.shard.position
    await one.publisher.flushed()
    head = await two.shard.mark()
    assert two.shard.position == head > position
    heard = two.heard.kept["lobby"]
    assert heard == numbers(int(heard[0]), 50)
    assert int(heard[0]) <= 26


async def test_a_room_is_not_followed_before_redis_has_confirmed_it_whatever_is_read_or_marked_meanwhile(
    pair: list[ShardNode], monkeypatch: pytest.MonkeyPatch
) -> None:
    one, two = pair
    await two.follow("lobby")
    late: list[tuple[Word, ...]] = []
    async with asyncio.TaskGroup() as group:
        with monkeypatch.context() as slow:
            slow.setattr(two.link, "send", lambda *command: late.append(command))
            two.shard.leave("lobby")
            following = [group.create_task(two.follow(room)) for room in ("lobby", "hall")]
            await until(lambda: len(late) == 3)
            two.shard._fill_soon()
            await two.shard.mark(["lobby", "hall"])
            assert two.shard._rooms == {"lobby": NOWHERE, "hall": NOWHERE}
            assert not any(one.done() for one in following)
        for command in late:
            two.link.send(*command)
    one.publish("hall", "heard")
    await one.publisher.flushed()
    await two.shard.mark()
    assert two.heard.kept == {"hall": ["heard"]}
    assert two.shard.counts["holes"] + two.shard.counts["silent holes"] == 0


async def test_where_a_room_stands_is_asked_before_redis_has_confirmed_that_it_is_followed(
    pair: list[ShardNode], monkeypatch: pytest.MonkeyPatch
) -> None:
    _, two = pair
    await two.shard.ready()
    mark, asked = two.commands.mark, list[str]()

    async def see(node_id: str, token: str, rooms: Sequence[str] = (), within_s: float = 5.0) -> int:
        asked.extend(rooms)
        return await mark(node_id, token, rooms, within_s)

    monkeypatch.setattr(two.commands, "mark", see)
    two.link.hold()
    async with asyncio.TaskGroup() as group:
        following = group.create_task(two.follow("lobby"))
        await until(lambda: "lobby" in asked)
        assert not following.done()
        two.link.release()
    assert two.shard._rooms["lobby"] != NOWHERE


@pytest.mark.parametrize("room", ["a:b", "{s1}:c:x", "a b", "two\nlines", "überall 🎈", ""])
async def test_a_room_may_have_any_name(pair: list[ShardNode], room: str) -> None:
    one, two = pair
    await two.follow("lobby")
    await two.follow(room)
    one.publish(room, "heard")
    await one.publisher.flushed()
    await two.shard.mark([room, "lobby"])
    assert two.heard.kept == {room: ["heard"]}
    assert two.shard.counts["links lost"] == 0


async def test_of_rooms_that_were_left_nothing_stays_in_memory(pair: list[ShardNode]) -> None:
    _, two = pair
    await two.shard.ready()
    for number in range(20):
        await two.follow(f"room {number}")
        two.shard.leave(f"room {number}")
    await until(lambda: not two.shard._subscriptions.unsubscribed)
    assert not two.shard._rooms
    assert not two.shard._subscriptions.unconfirmed
    assert not two.shard._waiters


async def test_ephemeral_events_come_in_order_with_the_others_and_move_nothing(pair: list[ShardNode]) -> None:
    one, two = pair
    await two.follow("lobby")
    one.publish("lobby", "kept")
    await until(lambda: two.heard.kept)
    position = two.shard.position
    one.whisper("lobby", "ephemeral")
    await until(lambda: two.heard.ephemeral)
    assert two.heard.ephemeral == {"lobby": ["ephemeral"]}
    assert two.shard.position == position


async def test_what_was_published_while_the_link_was_broken_comes_before_the_rest(
    pair: list[ShardNode], redis: Redis
) -> None:
    one, two = pair
    for room in ("lobby", "hall"):
        await two.follow(room)
    one.publish("lobby", "0")
    await until(lambda: two.heard.kept)
    for number in range(1, 101):
        one.publish("lobby" if number % 3 else "hall", f"{number}")
        if number in (20, 60):
            await one.publisher.flushed()
            await redis.client_kill_filter(_type="pubsub")
    await until(lambda: sum(map(len, two.heard.kept.values())) == 101)
    assert two.heard.kept["lobby"] == [str(number) for number in range(101) if number % 3 or not number]
    assert two.heard.kept["hall"] == [str(number) for number in range(3, 101, 3)]
    assert two.heard.lost == []
    assert two.shard.counts["links lost"] >= 1


async def test_a_link_that_breaks_while_it_subscribes_is_followed_by_the_next_at_once(
    pair: list[ShardNode], monkeypatch: pytest.MonkeyPatch
) -> None:
    _, two = pair
    await two.follow("lobby")
    send, broken = Link.send, list[Link]()

    def breaking(link: Link, *command: Word) -> None:
        send(link, *command)
        if not broken:
            broken.append(link)
            asyncio.get_running_loop().call_soon(link.close)

    monkeypatch.setattr(Link, "send", breaking)
    two.link.close()
    await until(lambda: broken and two.shard._up.is_set(), timeout_s=FOLLOW_S / 2)


async def test_a_message_that_never_came_is_filled_by_the_next_and_for_all_rooms(pair: list[ShardNode]) -> None:
    one, two = pair
    for room in ("lobby", "hall"):
        await two.follow(room)
    take, swallowed = two.shard._on_message, []

    def swallow(channel: str, data: bytes) -> None:
        if data.endswith(b"lost"):
            swallowed.append(data)
        else:
            take(channel, data)

    two.shard._on_message = swallow  # type: ignore[method-assign]
    for room, event in (("hall", "hall lost"), ("lobby", "a"), ("lobby", "b lost"), ("lobby", "c")):
        one.publish(room, event)
    await until(lambda: two.heard.kept.get("lobby") == ["a", "b lost", "c"])
    assert two.heard.kept["hall"] == ["hall lost"]
    assert len(swallowed) == 2


async def test_a_message_that_never_came_is_found_by_the_audit_if_no_other_follows(pair: list[ShardNode]) -> None:
    one, two = pair
    await two.follow("lobby")
    two.shard._on_message, take = (lambda *_: None), two.shard._on_message  # type: ignore[method-assign]
    one.publish("lobby", "alone")
    await one.publisher.flushed()
    assert await one.shard.mark()
    two.shard._on_message = take  # type: ignore[method-assign]
    await until(lambda: two.heard.kept.get("lobby") == ["alone"])
    assert two.shard.counts["silent holes"] == 1


async def test_the_audit_comes_to_every_room_however_many_there_are(
    pair: list[ShardNode], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hub.cluster.shard.AUDITED", 2)
    monkeypatch.setattr("hub.cluster.shard.BEAT_S", 0.02)
    _, two = pair
    rooms = [f"room {number}" for number in range(7)]
    for room in rooms:
        await two.follow(room)
    audited: list[str] = []
    mark = two.shard.mark

    async def noted(names: Sequence[str] = ()) -> int:
        assert len(names) <= 2
        audited.extend(names)
        return await mark(names)

    monkeypatch.setattr(two.shard, "mark", noted)
    await until(lambda: set(audited) == set(rooms))


async def test_what_has_left_the_stream_is_told_and_what_comes_after_it_is_delivered(
    pair: list[ShardNode], redis: Redis
) -> None:
    one, two = pair
    await two.follow("lobby")
    one.publish("lobby", "before")
    await until(lambda: two.heard.kept)
    two.link.hold()
    one.publish("lobby", "trimmed")
    await one.publisher.flushed()
    await redis.delete(one.commands.stream("lobby"))
    two.link.close()
    await until(lambda: two.heard.lost == ["lobby"])
    one.publish("lobby", "after")
    await until(lambda: two.heard.kept["lobby"] == ["before", "(missed)", "after"])


async def test_a_server_that_lost_its_data_begins_an_epoch_that_everybody_is_told_of(
    pair: list[ShardNode], redis: Redis
) -> None:
    one, two = pair
    await two.follow("lobby")
    one.publish("lobby", "before")
    await until(lambda: two.heard.kept)
    old = two.shard.base
    await redis.flushall()
    await redis.function_flush("SYNC")
    one.publish("lobby", "after")
    await until(lambda: two.heard.lost == [None])
    assert two.shard.base > old
    one.publish("lobby", "later")
    await until(lambda: two.heard.kept["lobby"][-1] == "later")


async def test_another_process_with_the_same_data_may_have_lost_its_end(pair: list[ShardNode], redis: Redis) -> None:
    one, two = pair
    await two.follow("lobby")
    one.publish("lobby", "before")
    await until(lambda: two.heard.kept)
    await redis.hset(one.commands.head, "run", "another process")
    one.commands.close()
    one.publish("lobby", "after")
    await until(lambda: two.heard.lost == [None])


async def test_a_node_that_hears_nothing_breaks_its_link_and_hears_again(
    pair: list[ShardNode], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hub.cluster.shard.BEAT_S", 0.05)
    monkeypatch.setattr("hub.cluster.markers.MARK_S", 0.1)
    one, two = pair
    await two.follow("lobby")
    two.link.hold()  # as if the network swallowed everything
    one.publish("lobby", "heard late")
    await until(lambda: two.heard.kept.get("lobby") == ["heard late"])
    assert two.shard.counts["deaf"] >= 1


async def test_what_is_no_stream_under_the_key_of_a_room_is_told_and_all_others_are_heard(
    pair: list[ShardNode], redis: Redis
) -> None:
    one, two = pair
    for room in ("lobby", "hall"):
        await two.follow(room)
        one.publish(room, "before")
    await until(lambda: two.has_heard({"lobby": 1, "hall": 1}))
    two.link.hold()
    for room in ("lobby", "hall"):
        one.publish(room, "missed")
    await one.publisher.flushed()
    await redis.delete(one.commands.stream("lobby"))
    await redis.set(one.commands.stream("lobby"), "of another program")
    two.link.close()
    await until(lambda: two.heard.kept["hall"] == ["before", "missed"])
    assert two.heard.lost == ["lobby"]


@pytest.mark.parametrize("place", ["_fill", "_on_message"])
async def test_a_bug_while_a_hole_is_filled_leaves_no_link_held(
    pair: list[ShardNode], monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    one, two = pair
    await two.follow("lobby")
    link = two.link
    link.hold()
    one.publish("lobby", "heard")
    await one.publisher.flushed()
    works, failed = getattr(two.shard, place), list[bool]()

    def broken(*arguments: object) -> object:
        if not failed:
            failed.append(True)
            raise RuntimeError("a bug")
        return works(*arguments)

    monkeypatch.setattr(two.shard, place, broken)
    two.shard._fill_soon()
    await until(lambda: failed and link.closed, timeout_s=1.0)  # long before the missing markers show
    await until(lambda: two.heard.kept == {"lobby": ["heard"]})


async def test_a_bug_in_a_beat_stops_neither_the_next_nor_the_shard(
    pair: list[ShardNode], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hub.cluster.shard.BEAT_S", 0.02)
    one, two = pair
    await two.follow("lobby")
    choose, failed = two.shard._next_to_audit, list[bool]()

    def broken() -> list[str]:
        if not failed:
            failed.append(True)
            raise RuntimeError("a bug")
        return choose()

    monkeypatch.setattr(two.shard, "_next_to_audit", broken)
    await until(lambda: failed)
    heard_at = two.shard.heard_at
    await until(lambda: two.shard.heard_at > heard_at)
    one.publish("lobby", "heard")
    await until(lambda: two.heard.kept == {"lobby": ["heard"]})


async def test_a_position_that_the_shard_never_gave_is_none(pair: list[ShardNode]) -> None:
    one, _ = pair
    await one.follow("lobby")
    assert await one.shard.catch_up(one.shard.position)
    assert not await one.shard.catch_up(one.shard.position + 10**9)


async def test_a_room_cannot_be_followed_while_redis_does_not_answer(
    pair: list[ShardNode], monkeypatch: pytest.MonkeyPatch
) -> None:
    one, _ = pair
    await one.follow("lobby")
    monkeypatch.setattr("hub.cluster.shard.FOLLOW_S", 0.05)
    one.link.hold()
    with pytest.raises(Down):
        await one.follow("hall")
    one.shard.leave("hall")
    one.link.release()
    await one.follow("lobby")


@pytest.mark.parametrize("seed", range(3))
async def test_whatever_breaks_every_follower_has_one_history(redis_url: str, redis: Redis, seed: int) -> None:
    draw, rooms = random.Random(seed), ["red", "green", "blue"]
    async with shard_nodes(redis_url, "one", "two", "three") as nodes:
        for node in nodes:
            for room in rooms:
                await node.follow(room)
        published: dict[str, list[str]] = {room: [] for room in rooms}
        for number in range(600):
            node, room = draw.choice(nodes), draw.choice(rooms)
            published[room].append(f"{node.name} {number}")
            node.publish(room, published[room][-1])
            if number % 12 == 0:
                await _break(draw, draw.choice(nodes), redis)
        for node in nodes:
            await node.publisher.flushed()
        for node in nodes:
            await until(partial(node.has_heard, {room: len(published[room]) for room in rooms}))
        for room in rooms:
            histories = [node.heard.kept[room] for node in nodes]
            assert histories[0] == histories[1] == histories[2]
            assert sorted(histories[0]) == sorted(published[room])
            for node in nodes:
                mine = [event for event in published[room] if event.startswith(node.name + " ")]
                assert [event for event in histories[0] if event.startswith(node.name + " ")] == mine
        assert all(node.heard.moves == sorted(set(node.heard.moves)) for node in nodes)
        assert all(node.heard.lost == [] for node in nodes)


async def _break(draw: random.Random, node: ShardNode, redis: Redis) -> None:
    match draw.randrange(5):
        case 0:
            await redis.client_kill_filter(_type="pubsub")
        case 1:
            node.commands.close()
        case 2:
            if node.shard._link is not None:
                node.shard._link.close()
        case 3:
            await asyncio.sleep(0.02)  # not a wait: a pause of the schedule, in which batches leave
        case _:
            await asyncio.sleep(0)
