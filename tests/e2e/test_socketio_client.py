"""The socket.io-client of npm, unmodified, against two nodes: what CONTRACT promises such a client, end to end."""

import asyncio
import signal

import pytest

from tests.e2e.conftest import Script, run_script
from tests.support.hub_process import HubProcess
from tests.support.rest import Person, Rest
from tests.support.round_robin import round_robin
from tests.support.wait import until


async def test_a_refused_handshake_is_a_connect_error_with_a_code(rest: Rest, script: Script) -> None:
    report = await script("handshake", ada=(await rest.sign_up("ada")).for_scripts())
    for attempt in ("withoutAuth", "wrongToken", "wrongTicket", "wrongShape"):
        assert report[attempt]["data"]["code"] == "unauthorized", attempt
        assert report[attempt]["data"]["temporary"] is False
        assert report[attempt]["message"]


async def test_a_page_of_a_foreign_origin_gets_http_403_and_no_packet(rest: Rest, script: Script) -> None:
    report = await script("handshake", ada=(await rest.sign_up("ada")).for_scripts())
    for attempt in ("foreignOriginWebSocket", "foreignOriginPolling"):
        assert report[attempt]["status"] == 403, attempt
        assert report[attempt]["data"] is None


async def test_session_ready_says_who_is_connected_and_where(hub: HubProcess, rest: Rest, script: Script) -> None:
    ada = await rest.sign_up("ada")
    report = await script("handshake", ada=ada.for_scripts())
    assert report["ready"].keys() >= {
        *("userId", "sessionId", "connectionId", "nodeId", "expiresAt", "recovered", "unreadNotifications"),
    }
    assert report["ready"]["userId"] == ada.id
    assert report["ready"]["nodeId"] == hub.nodes[0].node_id
    assert report["freshAuthEachTime"] == 2


async def test_every_event_is_acknowledged_by_the_convention(rest: Rest, script: Script) -> None:
    ada = await rest.sign_up("ada")
    report = await script("acknowledgements", ada=ada.for_scripts())

    assert report["bareString"]["ok"] is True
    assert report["bareString"]["data"]["status"] == "away"
    assert report["object"]["data"]["text"] == "at work"
    assert report["unknownEvent"]["ok"] is False
    assert report["unknownEvent"]["error"].keys() == {"code", "message", "temporary"}
    assert report["unknownEvent"]["error"]["code"] == "unknown_event"
    assert report["noSuchRoom"]["error"]["code"] == "not_found"
    assert report["afterAll"] == {"ok": True, "data": {"users": []}}
    assert report["withoutAck"]["event"] == "presence:update"
    assert report["withoutAck"]["error"]["code"] == "invalid_payload"


@pytest.mark.parametrize(
    ("sent", "pointers"),
    [
        ("wrongValue", ["/status"]),
        ("wrongTwice", ["/roomId", "/clientId", "/body", "/volatile"]),
        ("unknownField", ["/mood"]),
        ("withoutPayload", ["/userIds"]),
    ],
)
async def test_a_payload_that_does_not_fit_is_answered_with_every_path(
    rest: Rest, script: Script, sent: str, pointers: list[str]
) -> None:
    report = await script("acknowledgements", ada=(await rest.sign_up("ada")).for_scripts())
    error = report[sent]["error"]
    assert error["code"] == "invalid_payload"
    assert error["temporary"] is False
    assert [one["pointer"] for one in error["errors"]] == pointers


async def test_people_on_two_nodes_meet_in_a_room(rest: Rest, script: Script) -> None:
    ada, bob = await rest.sign_up("ada"), await rest.sign_up("bob")
    room_id = await rest.room(ada)
    report = await script("rooms", ada=ada.for_scripts(), bob=bob.for_scripts(), roomId=room_id)

    assert report["firstJoin"] == {"roomId": room_id, "memberCount": 1}
    assert report["secondJoin"] == {"roomId": room_id, "memberCount": 2}
    assert report["left"] == {"roomId": room_id, "memberCount": 1}
    version = report["member"].pop("version")
    assert version > 0
    assert report["member"] == {"roomId": room_id, "userId": bob.id, "joined": True}
    assert report["sendAfterLeaving"]["error"]["code"] == "forbidden"

    room = f"room:{room_id}"
    assert report["typing"] == {"room": room, "userId": ada.id, "typing": True}
    assert report["stopped"] == {"room": room, "userId": ada.id, "typing": False}


async def test_messages_arrive_once_in_order_and_are_kept(rest: Rest, script: Script) -> None:
    ada, bob = await rest.sign_up("ada"), await rest.sign_up("bob")
    room_id = await rest.room(ada)
    report = await script("rooms", ada=ada.for_scripts(), bob=bob.for_scripts(), roomId=room_id)

    *kept, volatile = report["received"]
    assert [message["body"] for message in kept] == [{"number": number} for number in range(10)]
    assert [message["seq"] for message in kept] == list(range(1, 11))
    assert [{"messageId": message["messageId"], "seq": message["seq"]} for message in kept] == report["sent"]
    assert report["repeated"] == report["sent"][-1]
    assert all(message["from"] == ada.id and message["sentAt"] for message in kept)
    assert report["volatileAck"] == {}
    assert volatile["body"] == "passing"
    assert "seq" not in volatile

    stored = (await rest.get(f"/rooms/{room_id}/messages", bob)).expect(200)["data"]
    assert [message["seq"] for message in stored] == list(range(10, 0, -1))


async def test_a_watcher_on_another_node_sees_presence_change(rest: Rest, script: Script) -> None:
    ada, bob = await rest.sign_up("ada"), await rest.sign_up("bob")
    report = await script("presence", ada=ada.for_scripts(), bob=bob.for_scripts())

    assert [(one["userId"], one["status"]) for one in report["snapshot"]["users"]] == [(bob.id, "offline")]
    online, busy, gone = (report[state]["users"][0] for state in ("online", "busy", "invisible"))
    assert [device["device"] for device in online["devices"]] == ["phone"]
    assert (busy["status"], busy["text"]) == ("dnd", "in a meeting")
    assert online["version"] < busy["version"] < gone["version"]
    assert report["own"]["status"] == "dnd"
    assert report["ownInvisible"]["status"] == "invisible"
    assert report["read"]["users"][0]["status"] == "offline"


async def test_followers_on_another_node_hear_of_a_new_post(rest: Rest, script: Script) -> None:
    ada, bob = await rest.sign_up("ada"), await rest.sign_up("bob")
    (await rest.post(f"/users/{ada.id}/follow", bob)).expect(204)
    post = await rest.post_article(ada)
    report = await script("content", ada=ada.for_scripts(), bob=bob.for_scripts(), postId=post["id"])

    assert report["bareString"] == report["object"] == {"contentId": post["id"], "memberCount": 1}
    assert report["unsubscribed"] == {"contentId": post["id"], "memberCount": 0}
    assert report["created"]["status"] == "PUBLISHED"
    assert report["news"].keys() >= {"content", "timestamp"}
    assert report["news"]["content"]["id"] == report["created"]["id"]
    assert report["news"]["content"]["author"]["id"] == ada.id


async def test_a_call_is_placed_accepted_signalled_and_ended_across_nodes(rest: Rest, script: Script) -> None:
    ada, bob = await rest.sign_up("ada"), await rest.sign_up("bob")
    report = await script("calls", ada=ada.for_scripts(), bob=bob.for_scripts())

    call_id = report["placed"]["callId"]
    assert report["placed"].keys() >= {"callId", "state", "iceServers", "expiresAt"}
    assert report["incoming"]["callId"] == call_id
    assert report["incoming"]["initiator"] == ada.id
    assert report["incoming"]["type"] == "video"
    assert report["tooEarly"]["error"]["code"] == "call_not_accepted"
    assert report["alerting"]["callId"] == call_id
    assert report["accept"].keys() >= {"callId", "state", "iceServers"}
    assert report["accepted"]["callId"] == call_id
    assert [signal["signal"]["type"] for signal in report["received"]] == ["offer", "candidate", "end-of-candidates"]
    assert all(signal["from"] == ada.id for signal in report["received"])
    assert report["repeated"]["ok"] is True
    assert report["gap"]["error"]["code"] == "signal_gap"
    assert report["answer"]["signal"] == {"type": "answer", "sdp": "v=0 answer"}
    assert report["ended"] == {"callId": call_id, "version": report["hungUp"]["version"], "reason": "user_hangup"}


async def test_polling_upgrading_and_msgpack_clients_share_one_hub(rest: Rest, script: Script) -> None:
    ada, bob = await rest.sign_up("ada"), await rest.sign_up("bob")
    report = await script("transports", ada=ada.for_scripts(), bob=bob.for_scripts())

    assert report["polling"]["transport"] == "polling"
    assert report["msgpack"]["transport"] == "websocket"
    for way in ("polling", "msgpack"):
        assert report[way]["ready"]["userId"] == ada.id
        assert report[way]["status"] == "away"
        assert report[way]["unknownEvent"]["error"]["code"] == "unknown_event"
    assert report["upgraded"] == {"before": "polling", "after": "websocket", "answered": 40, "inOrder": True}
    assert report["refusedOnMsgpack"]["error"]["errors"][0]["pointer"] == "/status"


async def test_every_transport_works_through_a_balancer_that_sends_each_request_elsewhere(
    hub: HubProcess, rest: Rest
) -> None:
    ada, bob = await rest.sign_up("ada"), await rest.sign_up("bob")
    async with round_robin([node.url for node in hub.nodes]) as url:
        report = await run_script("transports", ada=ada.for_scripts(), bob=bob.for_scripts(), nodes=[url, url])
    assert report["polling"]["transport"] == "polling"
    assert report["polling"]["status"] == report["msgpack"]["status"] == "away"
    assert report["upgraded"] == {"before": "polling", "after": "websocket", "answered": 40, "inOrder": True}


async def test_clients_of_a_draining_node_come_back_by_themselves_over_every_transport(
    hub: HubProcess, rest: Rest, script: Script
) -> None:
    """The last test of the module: it leaves the first node anew."""
    people = {transport: await rest.sign_up("ada") for transport in ("websocket", "polling")}
    scripts = asyncio.gather(
        *(script("drain", ada=ada.for_scripts(), transport=transport) for transport, ada in people.items())
    )
    await until(lambda: _all_away(rest, *people.values()))
    hub.nodes[0].send(signal.SIGTERM)

    websocket, polling = await scripts
    for report in (websocket, polling):
        assert report["reason"] != "io server disconnect"  # after which a client stays away
        assert report["after"] != report["before"]
    # A client that happens to be between two polls finds its session gone and is not told why.
    (announced,) = websocket["announced"]
    assert announced["reconnectAfterMs"] > 0


async def _all_away(rest: Rest, *people: Person) -> bool:
    answer = await rest.get("/presence", people[0], params={"ids": ",".join(person.id for person in people)})
    return all(user["status"] == "away" for user in answer.expect(200)["users"])
