"""Limits of events and routes in whole nodes: what is over them is refused at once, and harms nothing else."""

import asyncio
import json
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Any

import asyncpg
import pytest
from redis.asyncio import Redis

from core_api.accounts.signing_key import new_key
from hub.app import build
from hub.config import ConfigError, load
from hub.gate.limit_metrics import METRICS
from hub.kernel.events import Caller
from hub.kernel.wire import Wire
from tests.support.engineio_client import RawSocket, signed_in_polling, signed_in_socket
from tests.support.hub import RunningHub, running_hub, settings
from tests.support.rest import Rest
from tests.support.wait import until

ASKED = '["presence:get",{"userIds":[]}]'
Limited = Callable[..., AbstractAsyncContextManager[RunningHub]]


class Number(Wire):
    number: int


@pytest.fixture
def limited(database_url: str, redis_url: str) -> Limited:
    """Start a node with limits: a user has three of each event, and one more a minute, unless told otherwise."""

    def start(overrides: str = "*=1/3", **more: str) -> AbstractAsyncContextManager[RunningHub]:
        chosen = {"SPARKLE_LIMITS_OVERRIDES": f"{overrides},POST /auth/signup=off,POST /auth/signin=off", **more}
        return running_hub(settings(database_url, redis_url, chosen))

    return start


async def acknowledgements(socket: RawSocket, text: str, count: int) -> list[dict[str, Any]]:
    """Send an event so many times in one go. Refusals overtake what has to wait for something."""
    for number in range(count):
        await socket.send(f"42{number}{text}")
    found: dict[int, dict[str, Any]] = {}
    while len(found) < count:
        ack_id, _, answer = (await socket.packet("43"))[2:].partition("[")
        found[int(ack_id)] = json.loads(f"[{answer}")[0]
    return [found[number] for number in range(count)]


async def answers(socket: RawSocket, text: str, count: int) -> list[str]:
    """The same; the codes of the errors, "" for what succeeds."""
    found = await acknowledgements(socket, text, count)
    return [answer["error"]["code"] if "error" in answer else "" for answer in found]


async def test_what_is_over_the_limit_is_refused_with_the_time_to_wait(limited: Limited) -> None:
    async with limited() as node, signed_in_socket(node, (await node.sign_up("ada"))["accessToken"]) as socket:
        *served, refused = await acknowledgements(socket, ASKED, 4)
        assert served == [{"ok": True, "data": {"users": []}}] * 3
        assert refused["ok"] is False
        error = refused["error"]
        assert error.pop("message")
        assert 59 < error.pop("retryAfter") <= 60
        assert error == {"code": "rate_limited", "temporary": True}


async def test_without_an_acknowledgement_a_refusal_is_told_by_an_event(limited: Limited) -> None:
    async with limited() as node, signed_in_socket(node, (await node.sign_up("ada"))["accessToken"]) as socket:
        for _ in range(4):
            await socket.send(f"42{ASKED}")
        assert '"event":"presence:get"' in await socket.packet('42["hub:error"')


async def test_a_refused_event_is_answered_at_once_and_neither_runs_nor_keeps_its_order_key(limited: Limited) -> None:
    done: list[int] = []
    gate = asyncio.Event()

    async def slow(_caller: Caller, payload: Number) -> None:
        await gate.wait()
        done.append(payload.number)

    def quick(_caller: Caller, payload: Number) -> None:
        done.append(payload.number)

    # What is added to a node that runs has the limit of what does not exist.
    async with limited("(unknown)=1/3") as node:
        router = node.hub.sockets._life._router
        router.on("test:slow", Number, slow, order=lambda _: "key")
        router.on("presence:quick", Number, quick, order=lambda _: "key")
        async with signed_in_socket(node, (await node.sign_up("ada"))["accessToken"]) as socket:
            for number, event in enumerate(["test:slow", "presence:quick", "test:slow", "test:slow"]):
                await socket.send(f'42{number}["{event}",{{"number":{number}}}]')
            assert (await socket.answer(3))["error"]["code"] == "rate_limited"
            await socket.send(f'427["room:leave",{{"roomId":"{"0" * 26}"}}]')
            await socket.answer(7)
            assert done == []
            gate.set()
            await until(lambda: done == [0, 1, 2])
            assert node.hub.sockets._connections.popitem()[1].turns == {}


async def test_an_allowed_event_with_a_plain_handler_is_served_without_a_task(limited: Limited) -> None:
    tasks: list[asyncio.Task[Any] | None] = []

    def plain(_caller: Caller, _payload: Number) -> None:
        tasks.append(asyncio.current_task())

    # A burst of three: each is reported to Redis, in the background.
    async with limited("(unknown)=1/3") as node:
        node.hub.sockets._life._router.on("test:plain", Number, plain)
        async with signed_in_socket(node, (await node.sign_up("ada"))["accessToken"]) as socket:
            assert await answers(socket, '["test:plain",{"number":1}]', 4) == ["", "", "", "rate_limited"]
    assert tasks == [None] * 3


async def test_events_that_are_wrong_or_unknown_count_too(limited: Limited) -> None:
    async with limited() as node, signed_in_socket(node, (await node.sign_up("ada"))["accessToken"]) as socket:
        assert await answers(socket, '["presence:get",{"userIds":5}]', 4) == ["invalid_payload"] * 3 + ["rate_limited"]
        assert await answers(socket, '["no:such",{}]', 4) == ["unknown_event"] * 3 + ["rate_limited"]
        assert await answers(socket, '["presence:update","away"]', 1) == [""]


async def test_all_connections_of_a_user_have_one_allowance_whatever_their_transport(limited: Limited) -> None:
    async with limited() as node:
        token = (await node.sign_up("ada"))["accessToken"]
        async with signed_in_socket(node, token) as socket:
            assert await answers(socket, ASKED, 2) == ["", ""]
            polling = await signed_in_polling(node, token)
            assert await polling.post(f"421{ASKED}\x1e422{ASKED}") == 200
            both = sorted([await polling.packet("43"), await polling.packet("43")])
            assert both[0].startswith('431[{"ok":true')
            assert "rate_limited" in both[1]
        async with signed_in_socket(node, (await node.sign_up("bob"))["accessToken"]) as socket:
            assert await answers(socket, ASKED, 3) == ["", "", ""]


async def test_a_user_has_one_allowance_on_two_nodes(limited: Limited) -> None:
    async with limited("presence:get=60/40") as one, limited("presence:get=60/40") as other:
        ada = (await one.sign_up("ada"))["accessToken"]
        async with Rest(other.url) as rest:
            elsewhere = (await rest.sign_in("ada")).token
        async with signed_in_socket(one, ada) as here, signed_in_socket(other, elsewhere) as there:
            assert await answers(here, ASKED, 41) == [""] * 40 + ["rate_limited"]
            let_through = 0

            async def is_refused() -> bool:
                nonlocal let_through
                let_through += (refused := await answers(there, ASKED, 1)) == [""]
                return refused == ["rate_limited"]

            await until(is_refused)
            # A tenth before it asks, and what came until it was answered: it asks every 10 ms.
            assert 4 <= let_through < 40


@pytest.mark.parametrize(
    ("uncapped", "refused"), [("192.0.2.1", ["rate_limited"] * 2), ("192.0.2.1,127.0.0.1", ["", ""])]
)
async def test_an_address_has_the_allowance_of_so_many_users_if_it_is_capped(
    limited: Limited, uncapped: str, refused: list[str]
) -> None:
    more = {"SPARKLE_LIMITS_ADDRESS_USERS": "2", "SPARKLE_SOCKETS_UNCAPPED_ADDRESSES": uncapped}
    async with limited("presence:get=1/2", **more) as node:
        found = []
        for name in ("ada", "bob", "eve"):
            async with signed_in_socket(node, (await node.sign_up(name))["accessToken"]) as socket:
                found += await answers(socket, ASKED, 2)
        assert found == [""] * 4 + refused


async def test_rest_refuses_with_429_and_retry_after(limited: Limited) -> None:
    async with limited("GET /users/me=2/2") as node, Rest(node.url) as rest:
        ada, bob = await rest.sign_up("ada"), await rest.sign_up("bob")
        for _ in range(2):
            (await rest.get("/users/me", ada)).expect(200)
        refused = await rest.get("/users/me", ada)
        assert refused.expect(429)["code"] == "rate_limited"
        assert refused.body["temporary"] is True
        assert refused.headers["Retry-After"] == "30"
        (await rest.get("/users/me", bob)).expect(200)
        (await rest.get(f"/users/{bob.id}", ada)).expect(200)


async def test_strangers_are_limited_by_address_before_their_token_is_looked_at(limited: Limited) -> None:
    more = {"SPARKLE_LIMITS_ADDRESS_USERS": "1", "SPARKLE_SOCKETS_UNCAPPED_ADDRESSES": "192.0.2.1"}
    async with limited("*=1/3", **more) as node, Rest(node.url) as rest:
        for _ in range(3):
            (await rest.get("/users/me", headers={"Authorization": "Bearer nonsense"})).expect(401)
        (await rest.get("/users/me", headers={"Authorization": "Bearer nonsense"})).expect(429)
        for _ in range(3):
            (await rest.post("/auth/refresh", json={"refreshToken": "nonsense"})).expect(401)
        (await rest.post("/auth/refresh", json={"refreshToken": "nonsense"})).expect(429)


async def test_the_metrics_say_what_was_refused(limited: Limited) -> None:
    METRICS.refused.clear()
    async with limited() as node, signed_in_socket(node, (await node.sign_up("ada"))["accessToken"]) as socket:
        await answers(socket, ASKED, 5)
        async with node.http.get(f"{node.url}/metrics") as response:
            text = await response.text()
    assert 'hub_rate_limited_total{name="presence:get",of="user"} 2.0' in text
    assert 'hub_events_total{event="presence:get",outcome="rate_limited"}' in text


async def test_a_limit_that_is_switched_off_refuses_nobody(limited: Limited) -> None:
    async with (
        limited("presence:get=off,*=1/1") as node,
        signed_in_socket(node, (await node.sign_up("ada"))["accessToken"]) as socket,
    ):
        assert await answers(socket, ASKED, 300) == [""] * 300


async def test_the_documents_of_a_node_show_its_limits(limited: Limited) -> None:
    async with limited("presence:get=7/8,typing:stop=off,GET /posts=5/6,*=1/3") as node:
        async with node.http.get(f"{node.url}/wire.json") as response:
            events = (await response.json())["clientEvents"]
        async with node.http.get(f"{node.url}/openapi.json") as response:
            paths = (await response.json())["paths"]
    assert events["presence:get"]["limit"] == {"perMinute": 7, "burst": 8}
    assert events["room:send"]["limit"] == {"perMinute": 1, "burst": 3}
    assert "limit" not in events["typing:stop"]
    assert paths["/api/v1/posts"]["get"]["x-limit"] == {"of": "user", "perMinute": 5, "burst": 6}
    assert "x-limit" not in paths["/api/v1/auth/signup"]["post"]


async def test_a_limit_of_what_does_not_exist_is_named_at_the_start(pool: asyncpg.Pool, redis: Redis) -> None:
    chosen = load({"SPARKLE_LIMITS_OVERRIDES": "room:sned=1/1"})
    with pytest.raises(ConfigError, match=r"^SPARKLE_LIMITS_OVERRIDES: there is no event, route or field 'room:sned'$"):
        build(chosen, pool=pool, redis=redis, key=new_key())
