"""Rooms from event and request to database, Valkey and broadcast."""

from collections.abc import AsyncIterator, Coroutine
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import asyncpg
import msgspec
import pytest
from redis.asyncio import Redis

from core_api.outbox_relay import OutboxRelay, OutboxSettings
from core_api.rooms import live
from core_api.rooms.handlers import room_events
from core_api.rooms.live import LiveRooms
from core_api.rooms.model import room_name
from core_api.rooms.posting import KEPT_REVIEWS, PostingRights
from core_api.rooms.roles import RoomRoles
from core_api.rooms.routes import rooms_api
from core_api.rooms.schema import NewMember, NewRoom, RoomMessage, RoomView, Send, Visibility
from core_api.rooms.service import RoomDirectory
from core_api.rooms.store_postgres import PostgresRooms
from hub.kernel.errors import Conflict, Forbidden, InvalidPayload, NotFound, PayloadTooLarge
from hub.kernel.events import Caller
from hub.kernel.ids import new_uuid, user_room
from hub.kernel.pages import PageQuery
from hub.storage.postgres import create_pool
from hub.storage.redis import connect
from tests.support.clock import FrozenClock
from tests.support.people import People, second_device
from tests.support.rooms import RecordedRooms
from tests.support.wait import until

FIRST_PAGE = PageQuery()


def body_of(message: RoomMessage) -> Any:
    return msgspec.json.decode(message.body)


@dataclass
class World:
    """Rooms with their stores, three people, and what was emitted."""

    pool: asyncpg.Pool
    redis: Redis
    rooms: RecordedRooms = field(default_factory=RecordedRooms)
    people: People = field(default_factory=People)
    clock: FrozenClock = field(default_factory=FrozenClock)
    expelled_at_once: bool = True

    def __post_init__(self) -> None:
        self.store = store = PostgresRooms(self.pool)
        access, clock = self.people.access(), self.clock
        roles = self.people.roles["room"] = RoomRoles(store, access)
        self.rights = PostingRights(access, store)
        self.live = LiveRooms(store, self.rooms, access, roles, self.rights, clock)
        self.relay = OutboxRelay(self.pool, self.redis, OutboxSettings())
        self.relay.add(self.live.sinks())
        self.directory = RoomDirectory(store, access, self.people, clock, expel=self._expel, nudge=self.relay.nudge)
        self.router = room_events(self.live)
        self.ada, self.bob, self.eve = (self.people.add(name) for name in ("ada", "bob", "eve"))

    async def _expel(self, room_id: str, user_id: Any) -> None:
        if self.expelled_at_once:
            await self.live.expel(room_id, user_id)

    async def room(self, visibility: Visibility = "public") -> RoomView:
        return await self.directory.create(self.ada, NewRoom(name="Room", visibility=visibility))

    async def do(self, caller: Caller, event: str, room: RoomView, **payload: object) -> Any:
        return await self.router.dispatch(event, caller, {"roomId": room.id, **payload})

    async def enter(self, caller: Caller, room: RoomView) -> Any:
        await self.rooms.join(caller.connection_id, user_room(caller.user_id))
        return await self.do(caller, "room:join", room)

    async def say(self, caller: Caller, room: RoomView, body: object = "hi", client_id: str = "c1") -> Any:
        return await self.do(caller, "room:send", room, clientId=client_id, body=body)

    def is_in(self, caller: Caller, room: RoomView) -> bool:
        return self.rooms.is_member(caller.connection_id, room_name(room.id))

    def messages(self, room: RoomView) -> list[RoomMessage]:
        return [event for event in self.rooms.events_to(room_name(room.id)) if isinstance(event, RoomMessage)]

    async def relayed(self) -> bool:
        await self.relay.relay()
        return not await self.pool.fetchval("SELECT count(*) FROM outbox")


@pytest.fixture
async def world(database_url: str, redis_url: str) -> AsyncIterator[World]:
    pool, redis = await create_pool(database_url, size=4), connect(redis_url, size=4)
    yield World(pool, redis)
    await redis.aclose()
    await pool.close()


async def test_entering_and_leaving_answers_with_the_count(world: World) -> None:
    room, phone = await world.room(), second_device(world.ada)
    assert await world.enter(world.ada, room) == {"roomId": room.id, "memberCount": 1}
    assert await world.enter(phone, room) == {"roomId": room.id, "memberCount": 2}
    assert await world.enter(phone, room) == {"roomId": room.id, "memberCount": 2}
    assert await world.do(phone, "room:leave", room) == {"roomId": room.id, "memberCount": 1}


async def test_a_message_is_stored_and_sent_to_all_but_the_sending_connection(world: World) -> None:
    room = await world.room()
    await world.enter(world.ada, room)
    sent = await world.say(world.ada, room, {"text": "hi"})
    (message,) = world.messages(room)
    assert world.rooms.skipped[-1] == world.ada.connection_id
    assert (message.sender, body_of(message)) == (world.ada.user_id, {"text": "hi"})
    assert sent == {"messageId": message.message_id, "seq": 1}
    stored = await world.directory.messages(world.ada, room.id, FIRST_PAGE)
    assert stored.data == [message]


async def test_a_repeat_gets_the_same_answer_and_reaches_nobody(world: World) -> None:
    room, phone = await world.room(), second_device(world.ada)
    await world.enter(world.ada, room)
    await world.enter(phone, room)
    first = await world.say(world.ada, room)
    world.clock.advance(2)
    assert await world.say(phone, room, "hi again") == first
    assert len(world.messages(room)) == 1


async def test_a_repeat_sends_what_was_stored_by_a_node_that_died_before_it_had_sent_it(world: World) -> None:
    room = await world.room()
    await world.enter(world.ada, room)
    sent = await world.say(world.ada, room, "as it was stored")
    world.rooms.emitted.clear()
    world.rooms.sent_ids.clear()  # as if the node had died in between
    sent_at = world.clock.now()
    world.clock.advance(2)
    assert await world.say(world.ada, room, "repeated") == sent
    [message] = world.messages(room)
    assert (body_of(message), message.seq, message.sent_at) == ("as it was stored", 1, sent_at)


async def test_a_repeat_waits_until_the_node_that_stored_the_message_must_have_sent_it(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    room, waited = await world.room(), list[float]()

    async def wait(delay_s: float) -> None:
        waited.append(delay_s)

    await world.enter(world.ada, room)
    await world.say(world.ada, room)
    world.clock.advance(0.3)
    monkeypatch.setattr(live, "asyncio", SimpleNamespace(sleep=wait))
    await world.say(world.ada, room)
    assert waited == [pytest.approx(0.7)]


async def test_what_nobody_can_know_any_more_is_not_sent_again(world: World) -> None:
    room = await world.room()
    await world.enter(world.ada, room)
    await world.say(world.ada, room)
    world.rooms.sent_ids.clear()
    world.clock.advance(live.KNOWN.total_seconds())
    await world.say(world.ada, room)
    assert len(world.messages(room)) == 1


async def test_a_volatile_message_is_sent_and_not_stored(world: World) -> None:
    room = await world.room()
    await world.enter(world.ada, room)
    assert await world.do(world.ada, "room:send", room, clientId="c", body=1, volatile=True) == {}
    assert [body_of(message) for message in world.messages(room)] == [1]
    assert (await world.directory.messages(world.ada, room.id, FIRST_PAGE)).data == []


async def test_what_is_volatile_is_said_without_waiting_once_its_sender_is_known(world: World) -> None:
    room = await world.room()
    await world.enter(world.ada, room)
    said = Send(room_id=room.id, client_id="c", body=1, volatile=True)
    first = world.live.send(world.ada, said)
    assert isinstance(first, Coroutine)
    assert await first is None
    assert world.live.send(world.ada, said) is None
    assert len(world.messages(room)) == 2
    await world.rooms.leave(world.ada.connection_id, room_name(room.id))
    with pytest.raises(Forbidden):
        world.live.send(world.ada, said)


async def test_messages_come_newest_first_page_by_page(world: World) -> None:
    room = await world.room()
    await world.enter(world.ada, room)
    for number in range(5):
        await world.say(world.ada, room, number, f"c{number}")
    first = await world.directory.messages(world.ada, room.id, PageQuery(limit=3))
    rest = await world.directory.messages(world.ada, room.id, PageQuery(limit=3, cursor=first.page_info.next_cursor))
    assert [[body_of(message) for message in page.data] for page in (first, rest)] == [[4, 3, 2], [1, 0]]
    assert not rest.page_info.has_next


async def test_strangers_may_enter_and_post_in_a_public_room_but_not_manage_it(world: World) -> None:
    room = await world.room()
    with pytest.raises(Forbidden):  # not before entering
        await world.say(world.eve, room)
    await world.enter(world.eve, room)
    await world.say(world.eve, room)
    with pytest.raises(Forbidden):
        await world.directory.add_member(world.eve, room.id, NewMember(user_id=world.bob.user_id))
    with pytest.raises(Forbidden):
        await world.directory.remove_member(world.eve, room.id, world.ada.user_id)


async def test_a_private_room_is_absent_for_strangers_in_every_way(world: World) -> None:
    room = await world.room("private")
    for room_id in (room.id, new_uuid()):  # the same answers as for one that does not exist
        calls = [
            world.router.dispatch("room:join", world.eve, {"roomId": room_id}),
            world.router.dispatch("room:leave", world.eve, {"roomId": room_id}),
            world.router.dispatch("room:send", world.eve, {"roomId": room_id, "clientId": "c", "body": 1}),
            world.directory.get(world.eve, room_id),
            world.directory.members(world.eve, room_id, FIRST_PAGE),
            world.directory.messages(world.eve, room_id, FIRST_PAGE),
            world.directory.add_member(world.eve, room_id, NewMember(user_id=world.eve.user_id)),
            world.directory.remove_member(world.eve, room_id, world.eve.user_id),
        ]
        for call in calls:
            with pytest.raises(NotFound):
                await call
    assert (await world.directory.list(world.eve, FIRST_PAGE)).data == []
    assert not world.is_in(world.eve, room)


async def test_a_public_room_is_absent_for_whom_its_owner_blocks(world: World) -> None:
    room = await world.room()
    world.people.block(world.ada, world.eve)
    with pytest.raises(NotFound):
        await world.enter(world.eve, room)
    assert (await world.directory.list(world.eve, FIRST_PAGE)).data == []
    assert [seen.id for seen in (await world.directory.list(world.bob, FIRST_PAGE)).data] == [room.id]


async def test_members_are_added_by_the_owner_and_shown_with_their_names(world: World) -> None:
    room = await world.room("private")
    await world.directory.add_member(world.ada, room.id, NewMember(user_id=world.bob.user_id))
    members = (await world.directory.members(world.bob, room.id, FIRST_PAGE)).data
    assert [(member.user and member.user.username, member.role) for member in members] == [
        ("ada", "owner"),
        ("bob", "member"),
    ]
    assert (await world.directory.get(world.bob, room.id)).role == "member"


async def test_nobody_can_be_added_who_is_not_there_or_blocked(world: World) -> None:
    room = await world.room()
    world.people.block(world.ada, world.eve)
    for user_id in (new_uuid(), world.eve.user_id):
        with pytest.raises(NotFound):
            await world.directory.add_member(world.ada, room.id, NewMember(user_id=user_id))


async def test_a_removed_member_is_put_out_at_once_and_cannot_come_back(world: World) -> None:
    room = await world.room("private")
    await world.directory.add_member(world.ada, room.id, NewMember(user_id=world.bob.user_id))
    await world.enter(world.bob, room)
    await world.directory.remove_member(world.ada, room.id, world.bob.user_id)
    assert not world.is_in(world.bob, room)
    with pytest.raises(NotFound):
        await world.say(world.bob, room)
    with pytest.raises(NotFound):
        await world.enter(world.bob, room)
    with pytest.raises(NotFound):
        await world.directory.remove_member(world.ada, room.id, world.bob.user_id)


async def test_a_removed_member_is_put_out_by_the_relay_if_the_node_died_before_it_could(world: World) -> None:
    room = await world.room("private")
    await world.directory.add_member(world.ada, room.id, NewMember(user_id=world.bob.user_id))
    await world.enter(world.bob, room)
    world.expelled_at_once = False
    await world.directory.remove_member(world.ada, room.id, world.bob.user_id)
    assert world.is_in(world.bob, room)
    await until(world.relayed)
    assert not world.is_in(world.bob, room)


async def test_somebody_who_was_added_again_is_not_put_out_by_the_event_of_their_removal(world: World) -> None:
    room = await world.room("private")
    bob = NewMember(user_id=world.bob.user_id)
    await world.directory.add_member(world.ada, room.id, bob)
    await world.directory.remove_member(world.ada, room.id, world.bob.user_id)
    await world.directory.add_member(world.ada, room.id, bob)
    await world.enter(world.bob, room)
    await until(world.relayed)
    assert world.is_in(world.bob, room)


async def test_whoever_is_removed_while_entering_does_not_stay(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    room = await world.room("private")
    await world.directory.add_member(world.ada, room.id, NewMember(user_id=world.bob.user_id))
    join = world.rooms.join

    async def removed_before_joining(connection_id: Any, name: Any) -> int:
        await world.directory.remove_member(world.ada, room.id, world.bob.user_id)
        return await join(connection_id, name)

    monkeypatch.setattr(world.rooms, "join", removed_before_joining)
    with pytest.raises(NotFound):
        await world.do(world.bob, "room:join", room)
    assert not world.is_in(world.bob, room)


async def test_members_may_leave_and_the_owner_may_not(world: World) -> None:
    room = await world.room("private")
    await world.directory.add_member(world.ada, room.id, NewMember(user_id=world.bob.user_id))
    await world.directory.remove_member(world.bob, room.id, world.bob.user_id)
    with pytest.raises(Conflict):
        await world.directory.remove_member(world.ada, room.id, world.ada.user_id)


@pytest.mark.parametrize(
    "payload",
    [{}, {"clientId": "", "body": 1}, {"clientId": "c" * 65, "body": 1}, {"clientId": "a\0", "body": 1},
     {"clientId": "c"}, {"clientId": "c", "body": b"bytes"}, {"clientId": "c", "body": 1, "volatile": "yes"}],
)  # fmt: skip
async def test_a_message_that_does_not_fit_is_refused(world: World, payload: dict[str, object]) -> None:
    room = await world.room()
    await world.enter(world.ada, room)
    with pytest.raises(InvalidPayload):
        await world.do(world.ada, "room:send", room, **payload)
    assert world.messages(room) == []


async def test_a_message_has_at_most_16_kilobytes(world: World) -> None:
    room = await world.room()
    await world.enter(world.ada, room)
    await world.say(world.ada, room, "x" * (16_384 - 2))
    with pytest.raises(PayloadTooLarge):
        await world.say(world.ada, room, "x" * (16_384 - 1), "c2")


def test_the_routes_are_those_of_the_contract() -> None:
    unused: Any = None
    api = rooms_api(RoomDirectory(unused, unused, unused, unused, expel=unused, nudge=unused))
    assert {f"{endpoint.method} {endpoint.path} {endpoint.status}" for endpoint in api.endpoints} == {
        "POST /rooms 201",
        "GET /rooms 200",
        "GET /rooms/{roomId} 200",
        "GET /rooms/{roomId}/members 200",
        "POST /rooms/{roomId}/members 201",
        "DELETE /rooms/{roomId}/members/{userId} 204",
        "GET /rooms/{roomId}/messages 200",
    }


async def test_who_may_post_no_more_is_refused_after_the_next_review(world: World) -> None:
    room = await world.room()
    for person in (world.bob, world.eve):
        await world.enter(person, room)
        await world.say(person, room)
    world.people.block(world.ada, world.eve)
    await world.rights.review()
    await world.say(world.bob, room, client_id="c2")
    with pytest.raises(NotFound):
        await world.say(world.eve, room, client_id="c2")


async def test_a_member_put_out_and_back_into_a_private_room_is_asked_for_anew(world: World) -> None:
    room = await world.room("private")
    await world.directory.add_member(world.ada, room.id, NewMember(user_id=world.bob.user_id))
    await world.enter(world.bob, room)
    await world.say(world.bob, room)
    await world.rights.review()
    await world.directory.remove_member(world.ada, room.id, world.bob.user_id)
    with pytest.raises(NotFound):
        await world.say(world.bob, room, client_id="c2")


async def test_messages_of_one_person_ask_the_access_rule_once_and_a_minute_later_again(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    room = await world.room()
    await world.enter(world.bob, room)
    asked: list[str] = []
    check = world.live._rights._access.check

    async def counted(actor: Any, action: str, resource: str, resource_id: str) -> None:
        asked.append(action)
        await check(actor, action, resource, resource_id)

    monkeypatch.setattr(world.rights._access, "check", counted)
    for number in range(5):
        await world.say(world.bob, room, client_id=str(number))
        await world.rights.review()
    assert asked == ["comment"]
    for _ in range(KEPT_REVIEWS + 1):
        await world.rights.review()
    assert world.rights._known == {}
    await world.say(world.bob, room, client_id="late")
    assert asked == ["comment", "comment"]


async def test_a_review_without_a_database_takes_no_right_away_and_asks_again(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    room = await world.room()
    await world.enter(world.eve, room)
    await world.say(world.eve, room)
    world.people.block(world.ada, world.eve)
    with monkeypatch.context() as broken:

        async def away(_pairs: object) -> None:
            raise ConnectionError

        broken.setattr(world.rights._store, "standings", away)
        with pytest.raises(ConnectionError):
            await world.rights.review()
    await world.say(world.eve, room, client_id="c2")
    await world.rights.review()
    with pytest.raises(NotFound):
        await world.say(world.eve, room, client_id="c3")
