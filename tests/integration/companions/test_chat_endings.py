"""How replies end before their time: stopped by their owner, failed by the model, left behind by a node."""

import asyncio
from typing import Any

import msgspec
import pytest

from core_api.companions.chat_schema import ChatMessage, CompanionDelta, CompanionDone, CompanionTyping
from core_api.companions.language import LanguageModelUnavailable
from core_api.companions.model import Written
from hub.kernel.errors import HubError, InvalidPayload, NotFound, Overloaded
from hub.kernel.events import Caller
from hub.kernel.ids import new_uuid
from tests.support.companions import END, FAST, CompanionNode
from tests.support.wait import until

# Stops


async def test_a_stop_from_another_node_ends_the_reply_with_what_there_is(
    node: CompanionNode, other: CompanionNode, ada: Caller
) -> None:
    companion = await node.create(ada)
    conversation_id, reply_id = await node.chat(ada, companion.id, "Tell me everything")
    node.model.say("In the beginning")
    await node.until_told(ada, reply_id)
    await other.chats.cancel(ada, reply_id)
    end = await node.done(ada, reply_id)
    assert (end.status, end.text, end.error) == ("cancelled", "In the beginning", None)
    assert node.model.closed == 1
    _, reply = await node.messages(ada, companion.id, conversation_id)
    assert (reply.status, reply.text) == ("cancelled", "In the beginning")
    await other.chats.cancel(ada, reply_id)  # once more is harmless
    assert (await node.say(ada, companion.id, "Hi", "Hello", conversation_id=conversation_id)).status == "done"


async def test_a_stop_that_redis_lost_is_found_in_the_store(
    node: CompanionNode, other: CompanionNode, ada: Caller
) -> None:
    companion = await node.create(ada)
    _, reply_id = await node.chat(ada, companion.id, "Tell me everything")
    node.rooms.listeners.clear()
    await other.chats.cancel(ada, reply_id)
    await node.sweeper.sweep()
    assert (await node.done(ada, reply_id)).status == "cancelled"


async def test_who_waits_for_a_whole_answer_gets_what_there_is_when_it_is_stopped(
    node: CompanionNode, ada: Caller
) -> None:
    companion = await node.create(ada)
    async with asyncio.TaskGroup() as group:
        asked = group.create_task(node.chats.say(ada, companion.id, ChatMessage(message="Tell me everything")))
        node.model.say("In the")
        (delta,) = await until(lambda: node.told(ada, CompanionDelta))
        await node.chats.cancel(ada, delta.message_id)
    answer = asked.result()
    assert (answer.status, answer.response) == ("cancelled", "In the")


async def test_only_replies_can_be_stopped(node: CompanionNode, ada: Caller) -> None:
    with pytest.raises(NotFound):
        await node.chats.cancel(ada, new_uuid())
    with pytest.raises(InvalidPayload):
        await node.router.dispatch("companion:cancel", ada, {"messageId": "x"})


# Failures


async def test_a_model_that_breaks_off_fails_the_reply_and_keeps_the_message(node: CompanionNode, ada: Caller) -> None:
    companion = await node.create(ada)
    conversation_id, reply_id = await node.chat(ada, companion.id, "Hi")
    node.model.say("Hel")
    node.model.break_off()
    end = await node.done(ada, reply_id)
    assert (end.status, end.text, end.suggested_actions) == ("failed", "Hel", [])
    assert end.error is not None
    assert (end.error["code"], end.error["temporary"]) == ("companion_unavailable", True)
    said, reply = await node.messages(ada, companion.id, conversation_id)
    assert (said.text, reply.status, reply.text) == ("Hi", "failed", "Hel")
    assert (await node.say(ada, companion.id, "Again?", "Yes", conversation_id=conversation_id)).status == "done"


async def test_a_failed_answer_says_where_the_message_is_kept(node: CompanionNode, ada: Caller) -> None:
    companion = await node.create(ada)
    node.model.break_off()
    with pytest.raises(LanguageModelUnavailable) as refused:
        await node.say(ada, companion.id, "Hi")
    kept = await node.messages(ada, companion.id, refused.value.details["conversationId"])
    assert [message.id for message in kept][1] == refused.value.details["messageId"]


async def test_a_defect_of_the_model_is_told_without_its_details(
    node: CompanionNode, ada: Caller, caplog: pytest.LogCaptureFixture
) -> None:
    companion = await node.create(ada)
    _, reply_id = await node.chat(ada, companion.id, "Hi")
    node.model.say(ValueError("secret"))
    end = await node.done(ada, reply_id)
    assert end.error is not None
    assert (end.error["code"], end.error["message"]) == ("internal", HubError.default_message)
    assert "a reply broke off" in caplog.text


async def test_a_reply_that_takes_too_long_fails(node: CompanionNode, ada: Caller) -> None:
    hasty = CompanionNode(node.pool, node.rooms, node.clock, msgspec.structs.replace(FAST, reply_s=0.05), node.model)
    companion = await node.create(ada)
    _, reply_id = await hasty.chat(ada, companion.id, "Hi")
    end = await node.done(ada, reply_id)
    assert end.error is not None
    assert (end.status, end.error["code"]) == ("failed", "companion_unavailable")
    await hasty.close()


async def test_a_node_that_closes_stores_what_its_companions_have_said(
    node: CompanionNode, other: CompanionNode, ada: Caller
) -> None:
    companion = await node.create(ada)
    conversation_id, reply_id = await other.chat(ada, companion.id, "Hi")
    other.model.say("Hel")
    await node.until_told(ada, reply_id)
    await other.close()
    end = await node.done(ada, reply_id)
    assert (end.status, end.text) == ("failed", "Hel")
    assert (await node.messages(ada, companion.id, conversation_id))[1].status == "failed"
    with pytest.raises(Overloaded):
        await other.chat(ada, companion.id, "Hi")


async def test_the_reply_of_a_killed_node_fails_within_two_sweeps_and_blocks_nothing(
    node: CompanionNode, other: CompanionNode, ada: Caller
) -> None:
    companion = await node.create(ada)
    conversation_id, reply_id = await other.chat(ada, companion.id, "Hi")
    other.model.say("Hel")
    await node.until_told(ada, reply_id)
    await other.die()
    await node.sweeper.sweep()
    await node.sweeper.sweep()
    assert not node.told(ada, CompanionDone)  # its lease has not run out: it could be slow
    node.nodes.alive.discard(other.nodes.node_id)
    await node.sweeper.sweep()
    await node.sweeper.sweep()
    end = await node.done(ada, reply_id)
    assert end.error is not None
    assert (end.status, end.error["code"]) == ("failed", "companion_unavailable")
    assert node.told(ada, CompanionTyping)[-1].typing is False
    said, reply = await node.messages(ada, companion.id, conversation_id)
    assert (said.text, reply.status) == ("Hi", "failed")
    answer = await node.say(ada, companion.id, "Still there?", "Yes", conversation_id=conversation_id)
    assert answer.status == "done"


async def test_without_redis_a_dead_reply_ends_at_its_deadline(
    node: CompanionNode, other: CompanionNode, ada: Caller
) -> None:
    companion = await node.create(ada)
    _, reply_id = await other.chat(ada, companion.id, "Hi")
    await until(lambda: other.model.prompts)
    await other.die()
    node.nodes.away = True
    for _ in range(2):
        await node.sweeper.sweep()
    assert not node.told(ada, CompanionDone)
    node.clock.advance(FAST.reply_s + 60)
    for _ in range(2):
        await node.sweeper.sweep()
    assert (await node.done(ada, reply_id)).status == "failed"


async def test_a_node_taken_for_dead_does_not_end_the_reply_a_second_time(
    node: CompanionNode, other: CompanionNode, ada: Caller
) -> None:
    companion = await node.create(ada)
    conversation_id, reply_id = await other.chat(ada, companion.id, "Hi")
    await until(lambda: other.model.prompts)
    node.nodes.alive.clear()
    for _ in range(2):
        await node.sweeper.sweep()
    other.model.say("Hello", END)
    await until(lambda: not other.replies.live)
    assert (await node.done(ada, reply_id)).status == "failed"
    assert (await node.messages(ada, companion.id, conversation_id))[1].status == "failed"


async def test_a_reply_that_could_not_be_stored_is_found_by_its_own_node(
    node: CompanionNode, ada: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    hasty = CompanionNode(node.pool, node.rooms, node.clock, msgspec.structs.replace(FAST, store_s=0.05), node.model)
    companion = await node.create(ada)
    _, reply_id = await hasty.chat(ada, companion.id, "Hi")

    async def away(*_: Any) -> bool:
        raise ConnectionError

    with monkeypatch.context() as outage:
        outage.setattr(hasty.chat_store, "finish", away)
        node.model.say("Hello", END)
        await until(lambda: not hasty.replies.live)
    assert not node.told(ada, CompanionDone)
    for _ in range(2):
        await hasty.sweeper.sweep()
    assert (await node.done(ada, reply_id)).status == "failed"
    await hasty.close()


@pytest.mark.parametrize("committed", [False, True], ids=["before the commit", "after the commit"])
async def test_a_reply_outlives_a_connection_that_breaks_while_it_is_stored(
    node: CompanionNode, ada: Caller, monkeypatch: pytest.MonkeyPatch, committed: bool
) -> None:
    companion = await node.create(ada)
    conversation_id, reply_id = await node.chat(ada, companion.id, "Hi")
    finish = node.chat_store.finish

    async def broken(reply_id: str, written: Written) -> bool:
        monkeypatch.undo()
        if committed:
            await finish(reply_id, written)
        raise ConnectionError

    monkeypatch.setattr(node.chat_store, "finish", broken)
    node.model.say("Hello", END)
    end = await node.done(ada, reply_id)
    assert (end.status, end.text) == ("done", "Hello")
    assert (await node.messages(ada, companion.id, conversation_id))[1].text == "Hello"


async def test_an_outage_in_the_middle_of_a_reply_is_told_as_one(node: CompanionNode, ada: Caller) -> None:
    companion = await node.create(ada)
    _, reply_id = await node.chat(ada, companion.id, "Hi")
    node.model.say(TimeoutError())
    end = await node.done(ada, reply_id)
    assert end.error is not None
    assert (end.status, end.error["code"]) == ("failed", "unavailable")  # and not as a slow reply


async def test_deleting_a_companion_ends_its_reply(node: CompanionNode, ada: Caller) -> None:
    companion = await node.create(ada)
    await node.chat(ada, companion.id, "Hi")
    await until(lambda: node.model.prompts)
    await node.companions.delete(ada, companion.id, None)
    for _ in range(2):
        await node.sweeper.sweep()
    await until(lambda: not node.replies.live)
    assert node.model.closed == 1
    assert not node.told(ada, CompanionDone)
