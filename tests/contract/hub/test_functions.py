"""hub.cluster.functions on a real Valkey: nodes of two versions do not use each other's functions."""

from redis.asyncio import Redis

from hub.cluster import functions


async def test_of_two_versions_each_keeps_its_own_functions(redis: Redis) -> None:
    changed = functions.TEXT.replace("'NOHEAD attach first'", "'NOHEAD in another version'")
    assert changed != functions.TEXT
    source, prefix = functions.of_version(changed)
    for text in (functions.SOURCE, source):
        await redis.function_load(text, replace=True)
    ours = await _error(redis, functions.named("sparkle1_mark"))
    theirs = await _error(redis, f"{prefix}mark")
    assert "attach first" in ours
    assert "another version" in theirs


def test_every_change_of_the_file_changes_the_names() -> None:
    _, one = functions.of_version(functions.TEXT)
    _, other = functions.of_version(functions.TEXT + "\n")
    assert one != other
    assert functions.named("sparkle1_mark") == f"{one}mark"


async def _error(redis: Redis, function: str) -> str:
    try:
        await redis.fcall(function, 3, "{s0}:head", "{s0}:last", "{s0}:idle", "channel", "token")
    except Exception as error:
        return str(error)
    return ""
