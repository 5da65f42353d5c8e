"""Two nodes, one PostgreSQL, one Valkey: what is acknowledged is kept, and all copies become equal."""

import asyncio

import asyncpg
import pytest
from redis.asyncio import Redis

from collab import state_vector
from collab.decoding import BadUpdate, uint
from collab.engine import Engine
from collab.hot import Gap
from collab.log import Known, Reading
from collab.update import parse_document
from hub.kernel.errors import Unavailable
from tests.support.collab import DOCUMENT, OTHER, Audience, StartNode, compact
from tests.support.wait import until
from tests.support.yjs import Writer, text_of

KILL = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'sparkle-hub collab writer'"


async def text(engine: Engine, document_id: str = DOCUMENT) -> str:
    return text_of((await engine.join(document_id, Audience())).update)


async def test_two_nodes_edit_one_document_at_once_and_end_equal(start_node: StartNode) -> None:
    one, two = await start_node(), await start_node()
    audiences = [Audience(), Audience()]
    for node, audience in zip((one, two), audiences, strict=True):
        await node.engine.join(DOCUMENT, audience)

    async def write(engine: Engine, letter: str) -> None:
        client = Writer()
        for _ in range(50):
            await engine.submit(DOCUMENT, client.write(letter), sender=letter)

    await asyncio.gather(*(write(node.engine, letter) for node, letter in ((one, "a"), (one, "b"), (two, "c"))))
    await until(lambda: all(len({update for update, _ in each.delivered}) == 150 for each in audiences))
    assert await text(one.engine) == await text(two.engine)
    assert sorted(await text(one.engine)) == sorted("abc" * 50)


async def test_the_acknowledgement_names_the_row_and_comes_after_the_commit(
    start_node: StartNode, pool: asyncpg.Pool
) -> None:
    node = await start_node()
    async with pool.acquire() as connection, connection.transaction():
        await connection.execute("LOCK TABLE collab_update IN EXCLUSIVE MODE")
        client, audience = Writer(), Audience()
        await node.engine.join(DOCUMENT, audience)
        submitting = asyncio.get_running_loop().create_task(
            node.engine.submit(DOCUMENT, client.write("a"), sender="me")
        )
        joining = asyncio.get_running_loop().create_task(node.engine.join(DOCUMENT, Audience()))
        waiting = "SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = 'collab_update'::regclass"
        await until(lambda: connection.fetchval(waiting))
        assert not submitting.done()
        assert not joining.done()  # shown nothing that is not in the log
        assert audience.delivered == []
    stream, number = (await submitting).split("-")
    assert await pool.fetchval(
        "SELECT 1 FROM collab_update WHERE stream = $1 AND number = $2", int(stream), int(number)
    )
    assert text_of((await joining).update) == "a"
    assert [sender for _, sender in audience.delivered] == ["me"]


async def test_no_acknowledged_update_is_missing_after_connections_were_killed_during_commits(
    start_node: StartNode, pool: asyncpg.Pool
) -> None:
    node = await start_node()
    acknowledged: list[str] = []

    async def write(letter: str) -> None:
        client = Writer()
        for number in range(40):
            word = f"{letter}{number:02};"
            await node.engine.submit(DOCUMENT, client.write(word))
            acknowledged.append(word)

    killed_at: list[int] = []

    async def killed_to_the_end() -> bool:
        if len(acknowledged) >= sum(killed_at[-1:]) + 8 and await pool.fetch(KILL):  # let some through in between
            killed_at.append(len(acknowledged))
        return len(acknowledged) == 160

    await asyncio.gather(*(write(letter) for letter in "abcd"), until(killed_to_the_end))
    assert len(killed_at) >= 2
    assert len(await pool.fetch("SELECT DISTINCT stream FROM collab_update")) >= 2
    fresh = await start_node()
    found = await text(fresh.engine)
    assert [word for word in acknowledged if word not in found] == []
    assert len(found) == 160 * 4  # a batch that was committed twice changes nothing


async def test_an_update_that_changes_nothing_has_no_row_and_nobody_is_told(
    start_node: StartNode, pool: asyncpg.Pool
) -> None:
    node, audience, client = await start_node(), Audience(), Writer()
    await node.engine.join(DOCUMENT, audience)
    assert await node.engine.submit(DOCUMENT, b"\x00\x00") == "0-0"
    await node.engine.submit(DOCUMENT, client.write("a"))
    assert len(audience.delivered) == 1
    assert await pool.fetchval("SELECT count(*) FROM collab_update") == 1


async def test_changes_that_come_together_are_one_row_and_are_shown_together(
    start_node: StartNode, pool: asyncpg.Pool
) -> None:
    one, two = await start_node(), await start_node(probe_s=600)
    here, there = Audience(), Audience()
    await one.engine.join(DOCUMENT, here)
    await two.engine.join(DOCUMENT, there)
    client = Writer()
    updates = [client.write(letter) for letter in "abcdef"]
    taken = one.engine.take_at_once(DOCUMENT, updates, sender="me")
    assert [submission.update for submission in taken] == updates
    assert len({await submission.stored() for submission in taken}) == 1
    assert here.together == [6]
    assert here.delivered == [(update, "me") for update in updates]
    await until(lambda: there.together)
    assert there.together == [6]
    assert [update for update, _ in there.delivered] == updates
    assert await pool.fetchval("SELECT count(*) FROM collab_update") == 1


async def test_of_changes_that_come_together_those_before_one_that_must_wait_are_taken(start_node: StartNode) -> None:
    node = await start_node()
    client, ahead = Writer(), Writer()
    updates = [client.write("a"), client.write("b")]
    assert node.engine.take_at_once(DOCUMENT, updates, sender=None) == []  # it is not open
    await node.engine.join(DOCUMENT, Audience())
    ahead.write("not sent")
    large = Writer().write("x" * 10_000)
    for obstacle in (ahead.write("gap"), b"\0\0", b"garbage", large):
        taken = node.engine.take_at_once(DOCUMENT, [updates[0], obstacle, updates[1]], sender=None)
        assert [submission.update for submission in taken] == updates[:1]
    assert len(node.engine.take_at_once(DOCUMENT, updates, sender=None)) == 2
    assert await text(node.engine) == "ab"


async def test_of_changes_that_come_together_with_one_that_yrs_refuses_none_is_taken(start_node: StartNode) -> None:
    node = await start_node()
    await node.engine.join(DOCUMENT, Audience())
    circle = b"\2" + b"\1\7\0\x84\x08\0\1x" + b"\1\x08\0\x84\7\0\1y" + b"\0"
    with pytest.raises(BadUpdate):
        node.engine.take_at_once(DOCUMENT, [Writer().write("a"), circle, Writer().write("b")], sender=None)
    assert await text(node.engine) == ""
    assert node.engine._documents.hot[DOCUMENT].last is None


async def test_a_lost_publication_is_found_by_the_probe(start_node: StartNode) -> None:
    one, two = await start_node(), await start_node()
    one.hints.lose = lambda row: True
    audience, update = Audience(), Writer().write("a")
    await two.engine.join(DOCUMENT, audience)
    await one.engine.submit(DOCUMENT, update)
    await until(lambda: audience.delivered)
    assert audience.delivered == [(update, None)]


async def test_a_hole_in_the_publications_is_filled_from_the_log(start_node: StartNode) -> None:
    one, two = await start_node(probe_s=600), await start_node(probe_s=600)
    client, audience = Writer(), Audience()
    await two.engine.join(DOCUMENT, audience)
    one.hints.lose = lambda row: row.number == 1
    updates = [client.write("a"), client.write("b")]
    await one.engine.submit(DOCUMENT, updates[0])
    await one.engine.submit(DOCUMENT, updates[1])
    await until(lambda: len(audience.delivered) == 2)
    assert [update for update, _ in audience.delivered] == updates


async def test_without_redis_edits_are_acknowledged_and_the_other_node_catches_up(start_node: StartNode) -> None:
    nowhere = "redis://127.0.0.1:1"
    one, two = await start_node(redis_url=nowhere), await start_node(redis_url=nowhere)
    audience = Audience()
    await two.engine.join(DOCUMENT, audience)
    await one.engine.submit(DOCUMENT, Writer().write("a"))
    await until(lambda: audience.delivered)


async def test_a_subscription_that_redis_cut_comes_back(start_node: StartNode, redis: Redis) -> None:
    one, two = await start_node(probe_s=600), await start_node(probe_s=600)
    client, audience = Writer(), Audience()
    await two.engine.join(DOCUMENT, audience)
    await redis.client_kill_filter(_type="pubsub")
    await one.engine.submit(DOCUMENT, client.write("a"))
    await until(lambda: len(audience.delivered) == 1)
    await one.engine.submit(DOCUMENT, client.write("b"))
    await until(lambda: len(audience.delivered) == 2)


async def test_a_change_that_is_heard_of_while_the_document_is_loaded_is_there_afterwards(
    start_node: StartNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, two = await start_node(probe_s=600), await start_node(probe_s=600)
    read, may_answer = two.log.read, asyncio.Event()

    async def slow(document_id: str, known: Known) -> Reading:
        reading = await read(document_id, known)  # of before the change
        await may_answer.wait()
        return reading

    monkeypatch.setattr(two.log, "read", slow)
    joining = asyncio.get_running_loop().create_task(text(two.engine))
    hot = two.engine._documents.hot
    await until(lambda: DOCUMENT in hot and hot[DOCUMENT].reading.locked())
    await one.engine.submit(DOCUMENT, Writer().write("a"))
    await until(lambda: hot[DOCUMENT].document.position)
    may_answer.set()
    assert await joining == "a"


async def test_an_update_with_a_gap_is_refused_with_what_the_hub_has(start_node: StartNode) -> None:
    node = await start_node()
    client = Writer()
    await node.engine.submit(DOCUMENT, client.write("a"))
    client.write("b")
    with pytest.raises(Gap) as gap:
        await node.engine.submit(DOCUMENT, client.write("c"))
    await node.engine.submit(DOCUMENT, client.doc.get_update(gap.value.vector))
    assert await text(node.engine) == "abc"


async def test_an_update_that_builds_on_another_nodes_commit_is_taken_without_waiting_for_the_hint(
    start_node: StartNode,
) -> None:
    one, two = await start_node(probe_s=600), await start_node(probe_s=600)
    one.hints.lose = lambda row: True
    await two.engine.join(DOCUMENT, Audience())
    client = Writer()
    await one.engine.submit(DOCUMENT, client.write("a"))
    await two.engine.submit(DOCUMENT, client.write("b"))
    assert await text(two.engine) == "ab"


async def test_a_document_that_yrs_broke_is_loaded_again_and_its_clients_miss_nothing(start_node: StartNode) -> None:
    one, two = await start_node(probe_s=600), await start_node(probe_s=600)
    two.hints.lose = lambda row: True  # so that only loading again can find it
    audience, client = Audience(), Writer()
    await one.engine.join(DOCUMENT, audience)
    await one.engine.submit(DOCUMENT, client.write("a"))
    await two.engine.submit(DOCUMENT, Writer().write("z"))
    circle = b"\2" + b"\1\7\0\x84\x08\0\1x" + b"\1\x08\0\x84\7\0\1y" + b"\0"
    with pytest.raises(BadUpdate):
        await one.engine.submit(DOCUMENT, circle)
    await until(lambda: len(audience.delivered) == 2)
    assert text_of(audience.delivered[1][0]) == "z"
    await one.engine.submit(DOCUMENT, client.write("b"))
    assert sorted(await text(one.engine)) == ["a", "b", "z"]


@pytest.mark.parametrize("compacted", [False, True])
@pytest.mark.parametrize("half", [0, 1])
async def test_after_half_an_emoji_was_deleted_who_joins_has_the_clocks_that_everybody_has(
    start_node: StartNode, pool: asyncpg.Pool, half: int, compacted: bool
) -> None:
    node = await start_node()
    await node.engine.submit(DOCUMENT, b"\1\1\7\0\4\1\4text\4" + "😀".encode() + b"\0")
    await node.engine.submit(DOCUMENT, b"\0\1\7\1" + bytes([half]) + b"\1")  # as JavaScript cuts it
    if compacted:
        assert (await compact(pool)).rows == 2
        node = await start_node()
    assert await _clocks_of_who_joins(node.engine) == {7: 2}
    await node.engine.submit(DOCUMENT, b"\1\1\7\2\x84\7\1\1x\0")  # Yrs loses it, and Yjs does not
    assert await _clocks_of_who_joins(node.engine) == {7: 3}
    assert await _clocks_of_who_joins((await start_node()).engine) == {7: 3}


async def _clocks_of_who_joins(engine: Engine) -> dict[int, int]:
    joined, clocks = await engine.join(DOCUMENT, Audience()), dict[int, int]()
    parsed = parse_document(joined.update)
    assert not parsed.gap(clocks)
    parsed.advance(clocks)
    assert state_vector.decode(joined.vector) == clocks
    return clocks


async def test_an_update_that_the_database_refuses_fails_alone(start_node: StartNode, pool: asyncpg.Pool) -> None:
    node = await start_node()
    for document_id in (DOCUMENT, OTHER):  # open, so that both changes go into one commit
        await node.engine.join(document_id, Audience())
    await pool.execute(f"ALTER TABLE collab_update ADD CONSTRAINT poison CHECK (document_id <> '{OTHER}')")
    results = await asyncio.gather(
        node.engine.submit(OTHER, Writer().write("bad")),
        node.engine.submit(DOCUMENT, Writer().write("good")),
        return_exceptions=True,
    )
    assert isinstance(results[0], Unavailable)
    assert isinstance(results[1], str)
    await pool.execute("ALTER TABLE collab_update DROP CONSTRAINT poison")
    assert await text(node.engine, OTHER) == ""  # what was not stored is gone from memory too
    await node.engine.submit(OTHER, Writer().write("well"))
    assert await text(node.engine, OTHER) == "well"


async def test_a_document_that_nobody_has_open_is_unloaded(start_node: StartNode) -> None:
    node = await start_node(probe_s=0.02, idle_s=0)
    audience = Audience()
    await node.engine.join(DOCUMENT, audience)
    await node.engine.submit(DOCUMENT, Writer().write("a"))
    await node.engine.submit(OTHER, Writer().write("a"))
    await until(lambda: node.engine.open_documents() == {DOCUMENT})
    node.engine.leave(DOCUMENT, audience)
    await until(lambda: not node.engine.open_documents())
    assert await text(node.engine) == "a"


async def test_a_compacted_document_goes_on_on_all_nodes(start_node: StartNode, pool: asyncpg.Pool) -> None:
    one, two = await start_node(), await start_node()
    client, audience = Writer(), Audience()
    await two.engine.join(DOCUMENT, audience)
    one.hints.lose = lambda row: True
    await one.engine.submit(DOCUMENT, client.write("a"))
    await compact(pool)
    await until(lambda: audience.delivered)
    await one.engine.submit(DOCUMENT, client.write("b"))
    await until(lambda: len(audience.delivered) >= 2)
    assert await text(two.engine) == "ab"


async def test_a_large_state_vector_is_looked_at_while_others_have_their_turn(start_node: StartNode) -> None:
    node = await start_node()
    await node.engine.join(DOCUMENT, Audience())
    vector, turns = uint(200_000) + b"\1\1" * 200_000, 0
    joining = asyncio.get_running_loop().create_task(node.engine.join(DOCUMENT, Audience(), vector))
    while not joining.done():
        await asyncio.sleep(0)
        turns += 1
    assert turns > 10
    assert (await joining).update == b"\0\0"
    with pytest.raises(BadUpdate):
        await node.engine.join(DOCUMENT, Audience(), vector[:-1])
