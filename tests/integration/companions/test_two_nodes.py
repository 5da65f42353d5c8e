"""A real language model behind two nodes: a reply is stopped from the other node, and outlived when its node dies."""

import signal
from collections.abc import AsyncIterator, Iterator

import pytest

from tests.support.hub_process import HubProcess, running_hub_process
from tests.support.language_server import running_language_server
from tests.support.rest import Person, Rest
from tests.support.servers import Servers
from tests.support.socket_client import SocketClient, socket_client

SLOW_S = 60.0
"""The first words need the embedding model, and a language model on whatever is left of the machine."""
STORY = "Write a very long story about a river, with a hundred chapters."


@pytest.fixture(scope="module")
def hub(servers: Servers, tmp_path_factory: pytest.TempPathFactory) -> Iterator[HubProcess]:
    with running_language_server() as model:
        language = {
            "SPARKLE_COMPANIONS_LANGUAGE_URL": model.url,
            "SPARKLE_COMPANIONS_LANGUAGE_KEY": model.key,
            "SPARKLE_COMPANIONS_LANGUAGE_MODEL": "smollm2",
            "SPARKLE_COMPANIONS_LANGUAGE_REPLY_TOKENS": "3000",
            "SPARKLE_COMPANIONS_SWEEP_EVERY_S": "0.5",
        }
        with running_hub_process(servers, tmp_path_factory.mktemp("hub"), nodes=2, **language) as running:
            yield running
        assert "Traceback" not in running.output, running.output
        assert model.key not in running.output


@pytest.fixture
async def rest(hub: HubProcess) -> AsyncIterator[Rest]:
    hub.wait_until_ready()
    async with Rest(hub.url) as client:
        yield client


@pytest.fixture
async def ada(rest: Rest) -> Person:
    return await rest.sign_up("ada")


async def begin_story(socket: SocketClient, rest: Rest, ada: Person) -> tuple[str, dict[str, str]]:
    """A long reply that has begun: the companion's id, and the ids of conversation and reply."""
    companion = (await rest.post("/ai/companions", ada, json={"name": "Juno"})).expect(201)["id"]
    started = await socket.ok("companion:chat", {"companionId": companion, "message": STORY})
    return companion, started


async def test_a_reply_is_stopped_from_a_device_on_the_other_node(hub: HubProcess, rest: Rest, ada: Person) -> None:
    here, there = hub.nodes
    async with socket_client(here.url, ada.token) as phone, socket_client(there.url, ada.token) as desk:
        companion, started = await begin_story(phone, rest, ada)
        first = await desk.expect("companion:delta", timeout_s=SLOW_S)
        assert (first["messageId"], first["seq"]) == (started["messageId"], 1)
        await desk.ok("companion:cancel", {"messageId": started["messageId"]})
        done = await phone.expect("companion:done", timeout_s=SLOW_S)
    assert (done["status"], done["responder"], done["error"]) == ("cancelled", "smollm2", None)
    assert done["text"].startswith(first["text"])
    path = f"/ai/companions/{companion}/conversations/{started['conversationId']}/messages"
    reply, said = (await rest.get(path, ada)).expect(200)["data"]
    assert (reply["status"], reply["text"], said["text"]) == ("cancelled", done["text"], STORY)


async def test_the_reply_of_a_killed_node_fails_and_the_conversation_goes_on(
    hub: HubProcess, rest: Rest, ada: Person
) -> None:
    here, there = hub.nodes
    async with socket_client(here.url, ada.token) as phone, socket_client(there.url, ada.token) as desk:
        companion, started = await begin_story(phone, rest, ada)
        await desk.expect("companion:delta", timeout_s=SLOW_S)
        here.send(signal.SIGKILL)
        done = await desk.expect("companion:done", timeout_s=SLOW_S)
        assert (done["messageId"], done["status"]) == (started["messageId"], "failed")
        assert done["error"]["code"] == "companion_unavailable"
        more = {"companionId": companion, "message": "Go on.", "conversationId": started["conversationId"]}
        again = await desk.ok("companion:chat", more)
        await desk.expect("companion:delta", lambda delta: delta["messageId"] == again["messageId"], timeout_s=SLOW_S)
        await desk.ok("companion:cancel", {"messageId": again["messageId"]})
        done = await desk.expect("companion:done", timeout_s=SLOW_S)
    assert (done["messageId"], done["status"]) == (again["messageId"], "cancelled")
