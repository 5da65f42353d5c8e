"""Companions as their owners make, change and delete them."""

import asyncio

import pytest

from core_api.companions.handlers import companion_events
from core_api.companions.routes import companions_api
from core_api.companions.schema import CompanionChanges, CompanionFields, CompanionView, GivenTraits
from hub.kernel.errors import Conflict, InvalidPayload, NotFound, PreconditionFailed
from hub.kernel.events import Caller
from hub.kernel.ids import new_uuid
from hub.kernel.pages import PageQuery
from hub.kernel.wire import decode
from tests.support.companions import CompanionNode

FIRST_PAGE = PageQuery()


async def test_a_companion_gets_the_traits_that_were_not_given_and_keeps_them(node: CompanionNode, ada: Caller) -> None:
    fields = CompanionFields(name="Juno", personality_traits=GivenTraits(openness=0.9))
    made = (await node.companions.create(ada, fields)).view
    assert made.personality_traits.openness == 0.9
    assert 0 <= made.personality_traits.neuroticism <= 1
    assert made.tone
    assert (await node.companions.get(ada, made.id)).view == made


async def test_two_companions_of_the_same_traits_are_two_characters(node: CompanionNode, ada: Caller) -> None:
    made = [await node.create(ada) for _ in range(5)]
    assert len({str(companion.personality_traits) for companion in made}) > 1


async def test_a_person_has_several_page_by_page_and_sees_no_others(
    node: CompanionNode, ada: Caller, bob: Caller
) -> None:
    made = [await node.create(ada, f"n{number}") for number in range(3)]
    await node.create(bob)
    found: list[CompanionView] = []
    query = PageQuery(limit=2)
    while True:
        page = await node.companions.list(ada, query)
        found += page.data
        if page.page_info.next_cursor is None:
            break
        query = PageQuery(limit=2, cursor=page.page_info.next_cursor)
    assert found == made[::-1]


async def test_one_more_than_the_limit_is_refused_until_one_is_deleted(node: CompanionNode, ada: Caller) -> None:
    limit = node.settings.per_user
    results = await asyncio.gather(*(node.create(ada) for _ in range(limit + 2)), return_exceptions=True)
    refused = [result for result in results if isinstance(result, Conflict)]
    assert len(refused) == 2
    assert str(limit) in refused[0].message
    one = next(result for result in results if isinstance(result, CompanionView))
    await node.companions.delete(ada, one.id, None)
    await node.create(ada)


async def test_a_change_takes_effect_once_for_one_version(node: CompanionNode, ada: Caller) -> None:
    made = await node.create(ada)
    results = await asyncio.gather(
        *(node.companions.change(ada, made.id, CompanionChanges(name=f"n{n}"), 1) for n in range(4)),
        return_exceptions=True,
    )
    assert sum(isinstance(result, PreconditionFailed) for result in results) == 3
    assert (await node.companions.get(ada, made.id)).version == 2


async def test_changes_without_a_version_all_happen(node: CompanionNode, ada: Caller) -> None:
    made = await node.create(ada)
    changes = [CompanionChanges(name="New"), CompanionChanges(interests=["a"]), CompanionChanges(voice_id="alto")]
    await asyncio.gather(*(node.companions.change(ada, made.id, change, None) for change in changes))
    found = await node.companions.get(ada, made.id)
    assert (found.view.name, found.view.interests, found.view.voice_id, found.version) == ("New", ["a"], "alto", 4)
    replaced = await node.companions.replace(ada, made.id, CompanionFields(name="Again"), 4)
    assert (replaced.view.interests, replaced.view.voice_id) == ([], None)


async def test_somebody_elses_companion_does_not_exist_at_any_door(
    node: CompanionNode, ada: Caller, bob: Caller
) -> None:
    made = await node.create(ada)
    conversation_id, reply_id = await node.chat(ada, made.id, "Hi")
    mine = await node.create(bob)
    memory_id = new_uuid()
    companions, chats = node.companions, node.chats
    for attempt in (
        companions.get(bob, made.id),
        companions.change(bob, made.id, CompanionChanges(name="x"), None),
        companions.delete(bob, made.id, None),
        companions.conversations(bob, made.id, FIRST_PAGE),
        companions.messages(bob, made.id, conversation_id, FIRST_PAGE),
        companions.messages(bob, mine.id, conversation_id, FIRST_PAGE),
        companions.memories(bob, made.id, FIRST_PAGE),
        companions.forget(bob, made.id, memory_id),
        node.say(bob, made.id, "Hi"),
        node.say(bob, mine.id, "Hi", conversation_id=conversation_id),
        node.chat(bob, made.id, "Hi"),
        chats.cancel(bob, reply_id),
    ):
        with pytest.raises(NotFound):
            await attempt
    assert (await companions.get(ada, made.id)).version == 1
    assert node.limiter.taken.keys() == {f"companion-chat:{ada.user_id}", f"companion-chat:{bob.user_id}"}


async def test_with_a_companion_goes_all_that_was_said_and_remembered(node: CompanionNode, ada: Caller) -> None:
    made = await node.create(ada)
    await node.say(ada, made.id, "I love hiking in the mountains.", "Nice.")
    assert (await node.companions.memories(ada, made.id, FIRST_PAGE)).data
    await node.companions.delete(ada, made.id, 1)
    for table in ("companion", "companion_conversation", "companion_message", "companion_memory"):
        assert await node.pool.fetchval(f"SELECT count(*) FROM {table}") == 0


async def test_memories_are_listed_and_forgotten(node: CompanionNode, ada: Caller) -> None:
    made = await node.create(ada)
    await node.say(ada, made.id, "My sister is called Grace.", "Nice.")
    (memory,) = (await node.companions.memories(ada, made.id, FIRST_PAGE)).data
    assert "Grace" in memory.text
    await node.companions.forget(ada, made.id, memory.id)
    assert (await node.companions.memories(ada, made.id, FIRST_PAGE)).data == []
    with pytest.raises(NotFound):
        await node.companions.forget(ada, made.id, memory.id)


@pytest.mark.parametrize(
    "fields",
    [
        {"name": ""},
        {"name": " "},
        {"name": "x" * 61},
        {"name": "a\0"},
        {"name": "x", "personalityTraits": {"openness": 1.1}},
        {"name": "x", "personalityTraits": {"openness": -0.1}},
        {"name": "x", "personalityTraits": {"kindness": 0.1}},
        {"name": "x", "interests": ["a"] * 21},
        {"name": "x", "interests": ["x" * 61]},
        {"name": "x", "seed": 1},
    ],
)
def test_what_does_not_fit_is_refused(fields: dict[str, object]) -> None:
    with pytest.raises(InvalidPayload):
        decode(fields, CompanionFields)


def test_the_routes_and_events_are_those_of_the_contract(node: CompanionNode) -> None:
    api = companions_api(node.companions, node.chats)
    assert {f"{endpoint.method} {endpoint.path} {endpoint.caller}" for endpoint in api.endpoints} == {
        "GET /ai/companions/templates none",
        "POST /ai/companions required",
        "GET /ai/companions required",
        "GET /ai/companions/{companionId} required",
        "PUT /ai/companions/{companionId} required",
        "PATCH /ai/companions/{companionId} required",
        "DELETE /ai/companions/{companionId} required",
        "POST /ai/companions/{companionId}/chat required",
        "GET /ai/companions/{companionId}/conversations required",
        "GET /ai/companions/{companionId}/conversations/{conversationId}/messages required",
        "GET /ai/companions/{companionId}/memories required",
        "DELETE /ai/companions/{companionId}/memories/{memoryId} required",
    }
    assert companion_events(node.chats).routes.keys() == {"companion:chat", "companion:cancel"}
