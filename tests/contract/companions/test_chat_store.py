"""core_api.companions.store_postgres_chats on a real PostgreSQL."""

import asyncio
from datetime import timedelta
from typing import Any

import asyncpg
import msgspec
import pytest

from core_api.companions.affect import Emotion
from core_api.companions.model import Exchange, Message, UnderWay, Written, new_companion
from core_api.companions.schema import CompanionFields
from core_api.companions.store import Begun, ReplyUnderWay
from core_api.companions.store_postgres import PostgresCompanions
from core_api.companions.store_postgres_chats import PostgresChats
from hub.kernel.ids import NodeId, UserId, new_uuid
from tests.support.clock import FrozenClock

ADA, BOB = UserId(new_uuid()), UserId(new_uuid())
NOW = FrozenClock().now()
LATER = NOW + timedelta(minutes=2)
NODE = NodeId("n1")
DONE = Written(
    status="done",
    text="Hello!",
    responder="scripted",
    emotion=Emotion(sentiment=0.5, label="joy", intensity=0.7),
    memory_ids=[new_uuid(), new_uuid()],
)


@pytest.fixture
def store(pool: asyncpg.Pool) -> PostgresChats:
    return PostgresChats(pool)


@pytest.fixture
async def companion_id(pool: asyncpg.Pool) -> str:
    companion = new_companion(new_uuid(), ADA, CompanionFields(name="Juno"), 1, NOW)
    await PostgresCompanions(pool).add(companion, at_most=1)
    return companion.id


def exchange(companion_id: str, conversation_id: str | None = None, **more: Any) -> Exchange:
    return Exchange(
        **{
            "companion_id": companion_id,
            "owner_id": ADA,
            "conversation_id": conversation_id,
            "message_id": new_uuid(),
            "client_id": None,
            "text": "Good morning.\nHow are you?",
            "reply_id": new_uuid(),
            "node_id": NODE,
            "deadline_at": LATER,
            "created_at": NOW,
            **more,
        }
    )


async def begin(store: PostgresChats, wanted: Exchange) -> Begun:
    begun = await store.begin(wanted)
    assert begun is not None
    return begun


async def test_a_message_and_its_reply_are_stored_and_the_reply_ends_once(
    store: PostgresChats, companion_id: str
) -> None:
    said = exchange(companion_id)
    begun = await begin(store, said)
    assert (begun.reply_id, begun.seq, begun.repeated) == (said.reply_id, 2, False)
    generating, message = await store.messages(begun.conversation_id, None, 10)
    assert message == Message(
        id=said.message_id,
        seq=1,
        role="user",
        text=said.text,
        status="done",
        responder=None,
        emotion=None,
        memory_ids=[],
        created_at=NOW,
    )
    assert (generating.status, generating.text, generating.role) == ("generating", "", "assistant")

    assert await store.finish(said.reply_id, DONE)
    reply = (await store.messages(begun.conversation_id, None, 1))[0]
    assert (reply.status, reply.text, reply.responder, reply.emotion, reply.memory_ids) == (
        *("done", "Hello!", "scripted"),
        DONE.emotion,
        DONE.memory_ids,
    )
    assert await store.fail(said.reply_id) is None


async def test_of_several_endings_of_a_reply_one_counts_and_only_that_can_be_repeated(
    store: PostgresChats, companion_id: str
) -> None:
    begun = await begin(store, exchange(companion_id))
    endings = [msgspec.structs.replace(DONE, text=str(number)) for number in range(3)]
    finished = await asyncio.gather(*(store.finish(begun.reply_id, ending) for ending in endings))
    assert sorted(finished) == [False, False, True]
    assert [await store.finish(begun.reply_id, ending) for ending in endings] == finished
    (reply,) = await store.messages(begun.conversation_id, None, 1)
    assert reply.text == str(finished.index(True))


async def test_a_reply_that_was_given_up_is_not_ended_again_with_the_same_words(
    store: PostgresChats, companion_id: str
) -> None:
    begun = await begin(store, exchange(companion_id))
    assert await store.fail(begun.reply_id) == "failed"
    assert not await store.finish(begun.reply_id, msgspec.structs.replace(DONE, status="failed", text=""))


async def test_a_conversation_goes_on_in_order_and_is_named_after_its_beginning(
    store: PostgresChats, companion_id: str
) -> None:
    first = await begin(store, exchange(companion_id))
    await store.finish(first.reply_id, DONE)
    second = await begin(store, exchange(companion_id, first.conversation_id, created_at=LATER))
    other = await begin(store, exchange(companion_id, text="Else"))
    assert [message.seq for message in await store.messages(first.conversation_id, None, 10)] == [4, 3, 2, 1]
    assert [message.seq for message in await store.messages(first.conversation_id, 4, 2)] == [3, 2]
    assert (second.seq, other.seq) == (4, 2)
    newest, oldest = await store.conversations(companion_id, None, 10)
    assert (oldest.title, oldest.last_seq, oldest.created_at, oldest.updated_at) == (
        "Good morning. How are you?",
        4,
        NOW,
        LATER,
    )
    assert (newest.id, newest.title) == (other.conversation_id, "Else")
    assert await store.conversations(companion_id, newest.number, 10) == [oldest]
    assert await store.conversation(companion_id, newest.id) == newest
    assert await store.conversation(new_uuid(), newest.id) is None


async def test_of_many_messages_at_once_one_begins_a_reply_and_the_others_leave_no_trace(
    store: PostgresChats, companion_id: str
) -> None:
    first = await begin(store, exchange(companion_id))
    await store.finish(first.reply_id, DONE)
    tries = [store.begin(exchange(companion_id, first.conversation_id)) for _ in range(5)]
    results = await asyncio.gather(*tries, return_exceptions=True)
    assert sum(isinstance(result, ReplyUnderWay) for result in results) == 4
    assert [message.seq for message in await store.messages(first.conversation_id, None, 10)] == [4, 3, 2, 1]


async def test_a_client_id_is_one_message_however_often_and_wherever_it_comes(
    store: PostgresChats, companion_id: str
) -> None:
    tries = [store.begin(exchange(companion_id, client_id="c")) for _ in range(5)]
    begun = [answer for answer in await asyncio.gather(*tries) if answer is not None]
    assert len(begun) == 5
    assert sum(not answer.repeated for answer in begun) == 1
    assert len({(answer.conversation_id, answer.reply_id, answer.seq) for answer in begun}) == 1
    (conversation,) = await store.conversations(companion_id, None, 10)
    assert conversation.last_seq == 2
    again = await begin(store, exchange(companion_id, conversation.id, client_id="c"))  # and it is no ReplyUnderWay
    assert again.repeated


async def test_nothing_is_stored_for_others_or_in_other_conversations(
    store: PostgresChats, companion_id: str, pool: asyncpg.Pool
) -> None:
    elsewhere = new_companion(new_uuid(), ADA, CompanionFields(name="Iris"), 1, NOW)
    await PostgresCompanions(pool).add(elsewhere, at_most=9)
    theirs = await begin(store, exchange(elsewhere.id))
    for wrong in (
        exchange(companion_id, owner_id=BOB),
        exchange(new_uuid()),
        exchange(companion_id, new_uuid()),
        exchange(companion_id, theirs.conversation_id),
    ):
        assert await store.begin(wrong) is None
    assert await pool.fetchval("SELECT count(*) FROM companion_message") == 2


async def test_a_stop_is_noted_for_the_owner_while_there_is_something_to_stop(
    store: PostgresChats, companion_id: str
) -> None:
    said = exchange(companion_id)
    begun = await begin(store, said)
    assert await store.cancel(BOB, said.reply_id) is None
    assert await store.cancel(ADA, new_uuid()) is None
    assert await store.cancel(ADA, said.message_id) is None  # a message, not a reply
    assert await store.cancel(ADA, said.reply_id) is True
    assert await store.under_way() == [
        UnderWay(
            reply_id=said.reply_id,
            conversation_id=begun.conversation_id,
            companion_id=companion_id,
            owner_id=ADA,
            node_id=NODE,
            deadline_at=LATER,
            cancel_asked=True,
        )
    ]
    assert await store.fail(said.reply_id) == "cancelled"
    assert await store.cancel(ADA, said.reply_id) is False
    assert await store.under_way() == []


async def test_of_several_who_give_a_reply_up_one_is_told_how_it_ended(store: PostgresChats, companion_id: str) -> None:
    begun = await begin(store, exchange(companion_id))
    endings = await asyncio.gather(*(store.fail(begun.reply_id) for _ in range(4)))
    assert sorted(endings, key=str) == [None, None, None, "failed"]
    assert not await store.finish(begun.reply_id, DONE)
    assert (await begin(store, exchange(companion_id, begun.conversation_id))).seq == 4


async def test_everything_goes_with_the_companion(store: PostgresChats, companion_id: str, pool: asyncpg.Pool) -> None:
    begun = await begin(store, exchange(companion_id))
    assert await PostgresCompanions(pool).delete(ADA, companion_id, 1)
    assert await store.conversations(companion_id, None, 10) == []
    assert await store.messages(begun.conversation_id, None, 10) == []
    assert not await store.finish(begun.reply_id, DONE)
    assert await store.begin(exchange(companion_id)) is None
