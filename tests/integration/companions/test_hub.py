"""Companions at the doors of a whole node, answered by the scripted responder."""

from collections.abc import AsyncIterator, Iterator
from typing import Any

import aiohttp
import pytest

from hub.kernel.ids import new_uuid
from tests.support.hub_process import HubProcess, running_hub_process
from tests.support.rest import Answer, Person, Rest
from tests.support.servers import Servers
from tests.support.socket_client import SocketClient, socket_client

FIRST_S = 30.0
"""The first message loads the embedding model: 2 s, and ten on a busy machine."""
COMPANION = {"name": "Juno", "personalityTraits": {"openness": 0.9}, "avatarStyle": "neon", "interests": ["rivers"]}


@pytest.fixture(scope="module")
def hub(servers: Servers, tmp_path_factory: pytest.TempPathFactory) -> Iterator[HubProcess]:
    with running_hub_process(servers, tmp_path_factory.mktemp("hub"), nodes=1) as running:
        yield running
    assert "Traceback" not in running.output, running.output


@pytest.fixture
async def rest(hub: HubProcess) -> AsyncIterator[Rest]:
    async with Rest(hub.url) as client:
        yield client


@pytest.fixture
async def ada(rest: Rest) -> Person:
    return await rest.sign_up("ada")


async def made(rest: Rest, owner: Person) -> Any:
    return (await rest.post("/ai/companions", owner, json=COMPANION)).expect(201)


async def chat(rest: Rest, by: Person, companion: Any, message: str, **more: Any) -> Answer:
    options = {"json": {"message": message, **more.pop("fields", {})}, "timeout": aiohttp.ClientTimeout(FIRST_S)}
    return await rest.post(f"/ai/companions/{companion['id']}/chat", by, **options, **more)


async def test_a_companion_is_made_changed_and_deleted_by_version(rest: Rest, ada: Person) -> None:
    answer = await rest.post("/ai/companions", ada, json=COMPANION)
    companion = answer.expect(201)
    assert companion.keys() == {
        *("id", "name", "personalityTraits", "tone", "quirks", "avatarStyle", "voiceId", "interests"),
        *("createdAt", "updatedAt"),
    }
    path = f"/ai/companions/{companion['id']}"
    assert (answer.headers["ETag"], answer.headers["Location"]) == ('"1"', f"/api/v1{path}")
    assert (await rest.get(path, ada)).expect(200) == companion
    assert [one["id"] for one in (await rest.get("/ai/companions", ada)).expect(200)["data"]] == [companion["id"]]

    changed = await rest.request("PATCH", path, ada, json={"voiceId": "alto"}, headers={"If-Match": '"1"'})
    assert (changed.expect(200)["voiceId"], changed.headers["ETag"]) == ("alto", '"2"')
    late = await rest.request("PATCH", path, ada, json={"voiceId": "bass"}, headers={"If-Match": '"1"'})
    assert late.expect(412)["code"] == "precondition_failed"
    replaced = await rest.request("PUT", path, ada, json={"name": "Iris"}, headers={"If-Match": '"2"'})
    assert (replaced.expect(200)["name"], replaced.body["voiceId"]) == ("Iris", None)

    assert (await rest.get(path, await rest.sign_up("bob"))).expect(404)["code"] == "not_found"
    assert (await rest.get(path)).status == 401
    (await rest.request("DELETE", path, ada, headers={"If-Match": '"3"'})).expect(204)
    assert (await rest.get(path, ada)).status == 404


async def test_templates_are_there_for_everybody_and_are_no_companion(rest: Rest, ada: Person) -> None:
    templates = (await rest.get("/ai/companions/templates")).expect(200)["data"]
    assert templates
    for template in templates:
        companion = (await rest.post("/ai/companions", ada, json=template["fields"])).expect(201)
        assert companion["name"] == template["fields"]["name"]
    (await rest.request("PATCH", "/ai/companions/templates", ada, json={})).expect(422)


async def test_a_chat_over_rest_answers_in_words_and_remembers(rest: Rest, ada: Person) -> None:
    companion = await made(rest, ada)
    path = f"/ai/companions/{companion['id']}"
    told = (await chat(rest, ada, companion, "My dog is called Rex.")).expect(200)
    assert told.keys() == {
        *("conversationId", "messageId", "response", "responder", "emotion", "suggestedActions", "memories", "status"),
    }
    assert (told["responder"], told["status"], told["memories"]) == ("scripted", "done", [])
    same = {"conversationId": told["conversationId"]}
    answer = (await chat(rest, ada, companion, "What is my dog called?", fields=same)).expect(200)
    assert "Rex" in answer["response"]
    assert [memory["text"] for memory in answer["memories"]] == ["My dog is called Rex."]

    (conversation,) = (await rest.get(f"{path}/conversations", ada)).expect(200)["data"]
    assert (conversation["id"], conversation["messageCount"]) == (told["conversationId"], 4)
    page = (await rest.get(f"{path}/conversations/{conversation['id']}/messages?limit=3", ada)).expect(200)
    assert [message["seq"] for message in page["data"]] == [4, 3, 2]
    assert page["data"][0]["memoryIds"] == [answer["memories"][0]["id"]]
    cursor = page["pageInfo"]["nextCursor"]
    rest_of_it = await rest.get(f"{path}/conversations/{conversation['id']}/messages?cursor={cursor}", ada)
    assert [message["text"] for message in rest_of_it.expect(200)["data"]] == ["My dog is called Rex."]

    (memory,) = (await rest.get(f"{path}/memories", ada)).expect(200)["data"]
    (await rest.request("DELETE", f"{path}/memories/{memory['id']}", ada)).expect(204)
    (await rest.request("DELETE", f"{path}/memories/{memory['id']}", ada)).expect(404)


async def test_a_repeat_with_one_idempotency_key_is_said_once(rest: Rest, ada: Person) -> None:
    companion = await made(rest, ada)
    key = {"Idempotency-Key": new_uuid()}
    answers = [await chat(rest, ada, companion, "Hi", headers=key) for _ in range(2)]
    assert answers[0].expect(200) == answers[1].expect(200)
    listed = await rest.get(f"/ai/companions/{companion['id']}/conversations", ada)
    (conversation,) = listed.expect(200)["data"]
    assert conversation["messageCount"] == 2


async def test_a_message_of_100_kb_is_refused_with_the_limit_at_both_doors(rest: Rest, ada: Person) -> None:
    companion = await made(rest, ada)
    message = "x" * 100_000
    refused = (await chat(rest, ada, companion, message)).expect(422)
    assert refused["code"] == "invalid_payload"
    assert "8000" in refused["detail"]
    async with socket_client(rest.url, ada.token) as socket:
        error = await socket.refused("companion:chat", {"companionId": companion["id"], "message": message})
    assert (error["code"], error["errors"][0]["pointer"]) == ("invalid_payload", "/message")


async def test_a_chat_streams_to_every_device_of_the_owner_and_to_nobody_else(rest: Rest, ada: Person) -> None:
    companion = await made(rest, ada)
    bob = await rest.sign_up("bob")
    async with (
        socket_client(rest.url, ada.token) as phone,
        socket_client(rest.url, ada.token) as desk,
        socket_client(rest.url, bob.token) as stranger,
    ):
        said = {"companionId": companion["id"], "message": "What can you tell me about rivers?", "clientId": "c1"}
        started = await phone.ok("companion:chat", said)
        assert started.keys() == {"conversationId", "messageId"}
        for device in (phone, desk):
            await assert_streamed(device, started)
        assert await desk.ok("companion:chat", said) == started  # the same client id
        await phone.ok("companion:cancel", {"messageId": started["messageId"]})  # too late, and harmless
        unknown = await stranger.refused("companion:cancel", {"messageId": started["messageId"]})
        foreign = await stranger.refused("companion:chat", {"companionId": companion["id"], "message": "Hi"})
        assert (unknown["code"], foreign["code"]) == ("not_found", "not_found")
        assert not [name for name, _ in stranger.received if name.startswith("companion:")]


async def assert_streamed(device: SocketClient, started: dict[str, str]) -> None:
    """The device was sent the reply: deltas in order, then all of it."""
    done = await device.expect("companion:done", timeout_s=FIRST_S)
    deltas = [payload for name, payload in device.received if name == "companion:delta"]
    assert [delta["seq"] for delta in deltas] == list(range(1, len(deltas) + 1))
    assert {delta["messageId"] for delta in deltas} == {done["messageId"]} == {started["messageId"]}
    assert "".join(delta["text"] for delta in deltas) == done["text"]
    assert (done["status"], done["responder"], done["error"]) == ("done", "scripted", None)
    typing = [payload["typing"] for name, payload in device.received if name == "companion:typing"]
    assert typing == [True, False]
