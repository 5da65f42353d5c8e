"""Nodes die at any step while people call each other: a few of the schedules of `sparkle-hub bench calls`."""

from redis.asyncio import Redis

from load_tests.bench.calls.schedule import play


async def test_whatever_nodes_die_over_no_call_is_stuck_answered_twice_or_rings_on(redis: Redis) -> None:
    result = await play(redis, 12, seed=100_000)
    assert result.faults == []
    assert result.deaths > 20
    assert {"user_hangup", "cancelled", "rejected"} <= result.ends.keys()
