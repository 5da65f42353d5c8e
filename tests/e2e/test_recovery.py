"""The unmodified socket.io-client comes back to another node: ``socket.recovered``, and nothing missing or double."""

import asyncio
import signal

import pytest

from tests.e2e.conftest import Script
from tests.support.hub_process import HubProcess
from tests.support.rest import Person, Rest
from tests.support.wait import until


@pytest.mark.parametrize(
    ("way", "loss"),
    [
        *((way, "link") for way in ("websocket", "polling", "upgraded", "msgpack")),
        *((way, loss) for loss in ("SIGTERM", "SIGKILL") for way in ("websocket", "polling")),
    ],
)
async def test_a_lost_client_is_recovered_on_the_other_node(
    hub: HubProcess, rest: Rest, script: Script, way: str, loss: str
) -> None:
    hub.wait_until_ready()
    ada, bob = await rest.sign_up("ada"), await rest.sign_up("bob")
    room_id = await rest.room(bob)
    running = asyncio.gather(
        script("recovery", ada=ada.for_scripts(), bob=bob.for_scripts(), roomId=room_id, way=way, loss=loss)
    )
    if loss != "link":
        await until(lambda: running.done() or _is_away(rest, ada))
        if not running.done():
            hub.nodes[0].send(signal.Signals[loss])
    [report] = await running

    assert report["before"]["recovered"] is False
    assert report["after"]["recovered"] is True
    assert report["after"]["ready"]["recovered"] is True
    assert report["after"]["id"] == report["before"]["id"]
    assert report["after"]["ready"]["nodeId"] != report["before"]["node"]
    assert report["heard"] == list(range(report["said"]))


async def _is_away(rest: Rest, person: Person) -> bool:
    answer = await rest.get("/presence", person, params={"ids": person.id})
    return bool(answer.expect(200)["users"][0]["status"] == "away")
