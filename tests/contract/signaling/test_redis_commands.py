"""What Commands promise, over a link of one's own and by redis-py."""

from collections.abc import AsyncIterator

import pytest
from redis.asyncio import Redis

from hub.cluster.lent_link import lent_by
from hub.cluster.link import Link
from hub.cluster.servers import link_to_any, servers_of
from hub.cluster.shard_commands import ShardCommands
from hub.kernel.errors import Unavailable
from signaling.redis_commands import Asked, ClientCommands, Commands, LinkedCommands, Script

ECHO = Script("return {KEYS[1], ARGV[1]}")


@pytest.fixture(params=["link", "lent", "client"])
async def commands(request: pytest.FixtureRequest, redis: Redis, redis_url: str) -> AsyncIterator[Commands]:
    if request.param == "client":
        yield ClientCommands(redis)
        return
    shard = ShardCommands(0, servers_of(redis_url))
    linked = LinkedCommands(link_to_any(servers_of(redis_url)) if request.param == "link" else lent_by(shard))
    yield linked
    await linked.close()
    shard.close()


async def test_a_command_and_a_script_answer_alike(commands: Commands, redis: Redis) -> None:
    await redis.script_flush()
    assert await commands.run("GET", "nothing") is None
    assert await commands.run("ZADD", "deadlines", "NX", 5, "one") == 1
    for _ in range(2):  # the first time the server does not know it
        assert await commands.call(ECHO, "key", "é") == [b"key", "é".encode()]


async def test_several_commands_run_in_their_order_and_answer_in_it(commands: Commands, redis: Redis) -> None:
    append, read = Script("return redis.call('APPEND', KEYS[1], ARGV[1])"), Asked(("GET", "text"))
    for _ in range(2):  # the first time the server knows no script
        await redis.script_flush()
        await redis.delete("text")
        await commands.call(ECHO, "key", "known")
        replies = await commands.many(Asked(("APPEND", "text", "a")), Asked(("text", "b"), append), read)
        assert replies == [1, 2, b"ab"]
        replies = await commands.many(Asked(("key", 1), ECHO), read, Asked(("text", "c"), append), read)
        assert replies == [[b"key", b"1"], b"ab", 3, b"abc"]


async def test_what_has_overtaken_a_script_that_is_not_known_runs_behind_it_once_more(
    commands: Commands, redis: Redis
) -> None:
    await redis.script_flush()
    count = Script("return redis.call('INCR', KEYS[1])")
    assert (await commands.many(Asked(("count",), count), Asked(("GET", "count"))))[1] == b"1"


async def test_one_error_among_several_is_unavailable(commands: Commands, redis: Redis) -> None:
    await redis.set("text", "x")
    with pytest.raises(Unavailable):
        await commands.many(Asked(("GET", "text")), Asked(("ZADD", "text", 1, "x")))


async def test_what_is_posted_has_run_when_the_next_command_does(commands: Commands) -> None:
    await commands.post(("SET", "one", "1"), ("SET", "two", "2"))
    assert await commands.run("MGET", "one", "two") == [b"1", b"2"]


async def test_an_error_of_redis_is_unavailable_and_the_next_command_is_served(commands: Commands) -> None:
    await commands.run("SET", "text", "x")
    with pytest.raises(Unavailable):
        await commands.run("ZADD", "text", 1, "x")
    with pytest.raises(Unavailable):
        await commands.call(Script("return redis.call('ZADD', KEYS[1], 1, 'x')"), "text")
    assert await commands.run("GET", "text") == b"x"


async def test_a_link_that_broke_is_opened_anew(redis: Redis, redis_url: str) -> None:
    linked = LinkedCommands(link_to_any(servers_of(redis_url)))
    await linked.run("SET", "text", "x")
    await redis.execute_command("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")  # type: ignore[no-untyped-call]
    for _ in range(2):  # the first may find it out
        try:
            assert await linked.run("GET", "text") == b"x"
        except Unavailable:
            continue
    assert await linked.run("GET", "text") == b"x"
    await linked.close()


async def test_whoever_gives_a_lent_link_back_asks_no_more_and_leaves_it_to_the_others(redis_url: str) -> None:
    shard = ShardCommands(0, servers_of(redis_url))
    linked = LinkedCommands(lent_by(shard))
    assert await linked.run("PING") == b"PONG"
    link = await shard.link()
    await linked.close()
    with pytest.raises(Unavailable):
        await linked.run("PING")
    assert await link.call("PING") == b"PONG"
    shard.close()


async def test_a_lent_link_that_broke_is_lent_anew(redis_url: str) -> None:
    shard = ShardCommands(0, servers_of(redis_url))
    linked = LinkedCommands(lent_by(shard))
    await linked.run("PING")
    shard.close()
    assert await linked.run("PING") == b"PONG"
    shard.close()


async def test_a_server_that_is_not_there_is_unavailable() -> None:
    nowhere = "redis://127.0.0.1:1"  # tcpmux: nothing listens there
    async with Redis.from_url(nowhere) as gone:
        nobody = servers_of(nowhere)
        lent = LinkedCommands(lent_by(ShardCommands(0, nobody)))
        for commands in (ClientCommands(gone), LinkedCommands(link_to_any(nobody)), lent):
            for attempt in (
                commands.run("GET", "x"),
                commands.call(ECHO, "x", "y"),
                commands.many(Asked(("x", "y"), ECHO)),
                commands.post(("GET", "x")),
            ):
                with pytest.raises(Unavailable):
                    await attempt


async def test_once_closed_it_opens_no_other_link(redis_url: str) -> None:
    opened: list[Link] = []
    open_link = link_to_any(servers_of(redis_url))

    async def counted() -> Link:
        opened.append(link := await open_link())
        return link

    linked = LinkedCommands(counted)
    await linked.run("PING")
    await linked.close()
    with pytest.raises(Unavailable):
        await linked.run("PING")
    assert [link.is_closed for link in opened] == [True]
