"""The servers that a caller is told."""

import base64
import hashlib
import hmac

from hub.kernel import wire
from hub.kernel.events import Actor
from hub.kernel.ids import SessionId, UserId
from signaling.ice import Ice
from signaling.routes import call_api
from signaling.settings import IceSettings
from tests.support.call_hub import BOB, DESK, PHONE, TABLET, CallHub, KeptCalls
from tests.support.clock import FrozenClock


def test_nothing_configured_is_an_empty_list_and_no_public_server() -> None:
    assert Ice(IceSettings(), FrozenClock()).servers(UserId("alice")) == []


def test_turn_without_a_secret_is_left_out() -> None:
    settings = IceSettings(stun_urls=("stun:a:3478",), turn_urls=("turn:a:3478",))
    servers = wire.to_wire(Ice(settings, FrozenClock()).servers(UserId("alice")))
    assert servers == [{"urls": ["stun:a:3478"]}]


async def test_a_turn_credential_is_of_one_user_and_of_some_minutes() -> None:
    settings = IceSettings(turn_urls=("turn:a:3478?transport=udp",), turn_secret="north", turn_credential_s=600)
    endpoint = call_api(Ice(settings, FrozenClock(1_000_000_000)), KeptCalls()).endpoints[0]
    assert (endpoint.method, endpoint.path, endpoint.caller) == ("GET", "/realtime/ice-servers", "required")
    reply = wire.to_wire(await endpoint.handler(actor=Actor(UserId("alice"), SessionId("s"))))
    (server,) = reply["iceServers"]
    assert reply["iceTransportPolicy"] == "all"
    assert server["username"] == "1000600:alice"
    expected = hmac.new(b"north", b"1000600:alice", hashlib.sha1).digest()
    assert base64.b64decode(server["credential"]) == expected


async def test_every_answer_that_has_servers_has_the_policy_too() -> None:
    hub = CallHub()
    placed = await hub.send(DESK, "initiate", to=BOB, type="video")
    call = {"callId": placed["callId"]}
    answers = [
        placed,
        await hub.send(PHONE, "accept", **call),
        await hub.send(DESK, "restart", **call),
        await hub.send(DESK, "sync", **call),
        await hub.send(TABLET, "transfer", **call),
    ]
    assert [(len(one["iceServers"]), one["iceTransportPolicy"]) for one in answers] == [(1, "all")] * 5


def test_the_policy_is_what_the_operator_chose() -> None:
    relay = IceSettings(turn_urls=("turn:a:3478",), turn_secret="north", policy="relay")
    assert Ice(relay, FrozenClock()).paths(UserId("alice")).policy == "relay"
