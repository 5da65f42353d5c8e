"""What the staff may see of presence by REST: the truth, and how it came about."""

from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import pytest

from tests.support.hub import RunningHub, running_hub, settings
from tests.support.rest import Person, Rest
from tests.support.socket_client import socket_client
from tests.support.wait import until

HISTORY = {"SPARKLE_PRESENCE_HISTORY_DAYS": "30", "SPARKLE_PRESENCE_HOLD_S": "0.2"}


@pytest.fixture
async def hub(database_url: str, redis_url: str, request: pytest.FixtureRequest) -> AsyncIterator[RunningHub]:
    async with running_hub(settings(database_url, redis_url, getattr(request, "param", HISTORY))) as running:
        yield running


@pytest.fixture
async def rest(hub: RunningHub) -> AsyncIterator[Rest]:
    async with Rest(hub.url) as client:
        yield client


@pytest.fixture
async def admin(rest: Rest, database_url: str) -> Person:
    person = await rest.sign_up("root")
    connection = await asyncpg.connect(database_url)
    try:
        await connection.execute("UPDATE account_user SET role = 'admin' WHERE id = $1", person.id)
    finally:
        await connection.close()
    return person


async def presence(rest: Rest, admin: Person, of: str) -> dict[str, Any]:
    answer: dict[str, Any] = (await rest.get(f"/admin/users/{of}/presence", admin)).expect(200)
    return answer


async def past(rest: Rest, admin: Person, of: Person, **query: str) -> dict[str, Any]:
    answer: dict[str, Any] = (await rest.get(f"/admin/users/{of.id}/presence/history", admin, params=query)).expect(200)
    return answer


@pytest.mark.parametrize("hub", [{}], indirect=True)
async def test_the_truth_of_a_user_has_every_connection_live_or_held(
    hub: RunningHub, rest: Rest, admin: Person
) -> None:
    ann = await rest.sign_up("ann")
    async with (
        socket_client(hub.url, ann.token, device="phone") as phone,
        socket_client(hub.url, ann.token, device="laptop"),
        socket_client(hub.url, ann.token, device="laptop") as second,
    ):
        await phone.ok("presence:update", {"status": "invisible", "text": "away with the fairies"})
        seen = await presence(rest, admin, ann.id)
        assert (seen["status"], seen["shownStatus"], seen["text"]) == ("invisible", "offline", "away with the fairies")
        laptop, phone_seen = seen["devices"]
        assert (laptop["device"], laptop["chosen"], len(laptop["connections"])) == ("laptop", "online", 2)
        assert (phone_seen["device"], phone_seen["status"]) == ("phone", "invisible")
        everything = [one for device in seen["devices"] for one in device["connections"]]
        assert {one["nodeId"] for one in everything} == {hub.hub.node_id}
        assert {(one["state"], one["lostAt"]) for one in everything} == {("live", None)}

        await second.io.disconnect()

        async def held() -> list[dict[str, Any]]:
            laptop, _ = (await presence(rest, admin, ann.id))["devices"]
            return [one for one in laptop["connections"] if one["state"] == "held"]

        [lost] = await until(held)
        assert lost["lostAt"] >= lost["since"]


async def test_somebody_who_never_came_is_shown_and_somebody_unknown_is_not_there(rest: Rest, admin: Person) -> None:
    ann = await rest.sign_up("ann")
    seen = await presence(rest, admin, ann.id)
    assert (seen["status"], seen["devices"], seen["lastSeen"], seen["version"]) == ("offline", [], None, 0)
    for path in ("presence", "presence/history"):
        (await rest.get(f"/admin/users/00000000-0000-7000-8000-000000000000/{path}", admin)).expect(404)


async def test_every_change_of_a_user_is_in_the_history_invisible_included(
    hub: RunningHub, rest: Rest, admin: Person
) -> None:
    ann, ben = await rest.sign_up("ann"), await rest.sign_up("ben")
    async with socket_client(hub.url, ann.token) as client:
        for status in ("dnd", "invisible"):
            await client.ok("presence:update", status)

    async def complete() -> list[dict[str, Any]] | None:
        data: list[dict[str, Any]] = (await past(rest, admin, ann))["data"]
        return data if len(data) >= 4 else None

    found = await until(complete, 10.0)
    assert found is not None
    assert [one["status"] for one in found] == ["offline", "invisible", "dnd", "online"]
    assert [one["version"] for one in found] == sorted((one["version"] for one in found), reverse=True)
    first = await past(rest, admin, ann, limit="3")
    rest_of_it = await past(rest, admin, ann, limit="3", cursor=first["pageInfo"]["nextCursor"])
    assert first["data"] + rest_of_it["data"] == found
    assert not rest_of_it["pageInfo"]["hasNext"]
    assert (await past(rest, admin, ben))["data"] == []


@pytest.mark.parametrize("path", ["presence", "presence/history"])
async def test_it_is_for_admins_alone(rest: Rest, path: str) -> None:
    ann = await rest.sign_up("ann")
    answer = await rest.get(f"/admin/users/{ann.id}/{path}", ann)
    assert answer.expect(403)["code"] == "forbidden"


@pytest.mark.parametrize("hub", [{}], indirect=True)
async def test_where_no_history_is_kept_that_is_said(rest: Rest, admin: Person) -> None:
    answer = await rest.get(f"/admin/users/{admin.id}/presence/history", admin)
    problem = answer.expect(404)
    assert "SPARKLE_PRESENCE_HISTORY_DAYS" in problem["detail"]


async def test_a_cursor_that_is_not_ours_is_refused(rest: Rest, admin: Person) -> None:
    answer = await rest.get(f"/admin/users/{admin.id}/presence/history", admin, params={"cursor": "nonsense"})
    assert answer.expect(422)["code"] == "invalid_payload"
