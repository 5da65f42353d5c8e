"""collab.hints_redis on a real Valkey: a subscription is never forgotten."""

import asyncio

from redis.asyncio import Redis

from collab.hints_redis import RedisHints
from collab.log import Row
from hub.cluster.link import Link
from hub.cluster.servers import link_to_any, servers_of
from hub.kernel.tasks import Tasks
from tests.support.wait import until


async def test_documents_that_are_opened_while_the_link_is_made_are_subscribed_too(redis_url: str) -> None:
    """The second comes in while the first one's subscription is on its way: no list has it, and no link yet."""
    tasks, received = Tasks(), set[str]()
    hints = RedisHints(link_to_any(servers_of(redis_url)))
    hints.receive = lambda row: received.add(row.document_id)
    tasks.start(hints.run(), name="hints")
    opening = []
    for number in range(40):  # spread over the few turns of the loop that connecting takes
        opening.append(asyncio.get_running_loop().create_task(hints.subscribe(f"document-{number}")))
        await asyncio.sleep(0)
    await asyncio.gather(*opening)
    expected = {f"document-{number}" for number in range(40)}

    async def all_heard() -> bool:
        await hints.publish(Row(document_id, 1, 1, b"x") for document_id in expected)
        return received >= expected

    try:
        await until(all_heard, timeout_s=5)
    finally:
        await tasks.close()
        await hints.close()


async def test_after_its_links_were_cut_it_hears_and_is_heard_again(redis: Redis, redis_url: str) -> None:
    tasks, heard, back = Tasks(), list[Row](), list[bool]()
    hints = RedisHints(link_to_any(servers_of(redis_url)))
    hints.receive, hints.reconnected = heard.append, lambda: back.append(True)
    tasks.start(hints.run(), name="hints")
    await hints.subscribe("document")
    await hints.publish([Row("document", 1, 1, b"x")])
    await until(lambda: heard and back)
    for kind in ("pubsub", "normal"):
        await redis.client_kill_filter(_type=kind, skipme=True)
    await until(lambda: len(back) == 2)

    async def is_heard() -> bool:
        await hints.publish([Row("document", 1, 2, b"y")])  # the first after a cut may get lost, and does not raise
        return len(heard) > 1

    try:
        await until(is_heard)
        assert heard[-1] == Row("document", 1, 2, b"y")
        await hints.whisper([("document", b"who is there?")])
    finally:
        await tasks.close()
        await hints.close()
    await hints.unsubscribe("document")


async def test_once_closed_it_opens_no_other_link(redis_url: str) -> None:
    opened: list[Link] = []
    open_link = link_to_any(servers_of(redis_url))

    async def counted() -> Link:
        opened.append(link := await open_link())
        return link

    hints = RedisHints(counted)
    await hints.whisper([("document", b"x")])
    await hints.close()
    await hints.whisper([("document", b"x")])
    assert [link.is_closed for link in opened] == [True]
