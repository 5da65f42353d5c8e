"""A review of access: who is put out of what, and that it does not give up."""

import asyncio
from collections.abc import AsyncIterator, Iterable

import pytest

from hub.gate.access_reviews import AccessReviews, Expel
from hub.gate.reviews import Reviews
from hub.kernel.errors import Unavailable
from hub.kernel.ids import ConnectionId, RoomName, UserId
from hub.kernel.tasks import Tasks
from tests.support.local_rooms import MemoryLocalRooms
from tests.support.wait import until

ADA, BOB = RoomName("user:ada"), RoomName("user:bob")


class Lists:
    """Implements hub.gate.access_reviews.Access: nobody may read what is in `lost`."""

    def __init__(self) -> None:
        self.lost: set[str] = set()
        self.asked: list[tuple[str, str, frozenset[str]]] = []
        self.failures = 0
        self.may_answer = asyncio.Event()
        self.may_answer.set()

    async def readable(self, user_id: UserId, resource: str, resource_ids: Iterable[str]) -> frozenset[str]:
        ids = frozenset(resource_ids)
        self.asked.append((user_id, resource, ids))
        await self.may_answer.wait()
        if self.failures:
            self.failures -= 1
            raise Unavailable
        return ids - self.lost


class Reviewed:
    """A node with Ada on two connections and Bob on one, and who was put out of what."""

    def __init__(self, tasks: Tasks) -> None:
        self.local, self.access = MemoryLocalRooms(), Lists()
        self.out: list[tuple[str, str, str]] = []
        kinds = ("room", "content", "document")
        self.access_reviews = AccessReviews(self.local, self.access, {kind: self._expel(kind) for kind in kinds})
        self.reviews = Reviews(tasks)
        self.reviews.add(self.access_reviews)
        for connection, *rooms in (("a1", "user:ada"), ("a2", "user:ada"), ("b1", "user:bob")):
            for room in rooms:
                self.join(connection, room)

    def join(self, connection: str, *rooms: str) -> None:
        for room in rooms:
            self.local.join(ConnectionId(connection), RoomName(room))

    def _expel(self, kind: str) -> Expel:
        async def expel(resource_id: str, user_id: UserId) -> None:
            self.out.append((kind, resource_id, user_id))
            prefix = {"document": "doc"}.get(kind, kind)
            for connection in self.local.members(RoomName(f"user:{user_id}")):
                self.local.leave(connection, RoomName(f"{prefix}:{resource_id}"))

        return expel


@pytest.fixture
async def node() -> AsyncIterator[Reviewed]:
    tasks = Tasks()
    yield Reviewed(tasks)
    await tasks.close()


async def test_a_person_is_put_out_of_what_they_may_not_read_and_stays_in_the_rest(node: Reviewed) -> None:
    node.join("a1", "room:1", "room:2", "content:3", "presence:x")
    node.join("a2", "room:1", "doc:4", "session:s")
    node.join("b1", "room:1")
    node.access.lost = {"1", "4"}
    await node.access_reviews.review(ADA)
    assert sorted(node.out) == [("document", "4", "ada"), ("room", "1", "ada")]
    assert sorted(node.access.asked) == [
        ("ada", "content", frozenset({"3"})),
        ("ada", "document", frozenset({"4"})),
        ("ada", "room", frozenset({"1", "2"})),
    ]


async def test_nothing_is_asked_of_who_is_not_here_or_in_no_room(node: Reviewed) -> None:
    await node.access_reviews.review(ADA)
    node.reviews.begin(RoomName("user:eve"))
    assert node.access.asked == []


async def test_a_review_that_fails_is_repeated_until_it_has_succeeded(
    node: Reviewed, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hub.gate.reviews.AGAIN_S", 0.001)
    node.join("a1", "room:1")
    node.access.lost, node.access.failures = {"1"}, 3
    node.reviews.begin(ADA)
    await until(lambda: node.out)
    assert len(node.access.asked) == 4


async def test_a_review_that_fails_ends_with_the_last_connection(
    node: Reviewed, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hub.gate.reviews.AGAIN_S", 0.001)
    node.join("b1", "room:1")
    node.access.failures = 1_000_000
    node.reviews.begin(BOB)
    await until(lambda: len(node.access.asked) > 1)
    node.local.leave(ConnectionId("b1"), BOB)
    await until(node.reviews.idle)


async def test_what_is_lost_during_a_review_is_found_by_the_next_and_many_askings_make_one(node: Reviewed) -> None:
    node.join("a1", "room:1")
    node.access.may_answer.clear()
    node.reviews.begin(ADA)
    await until(lambda: len(node.access.asked) == 1)
    for _ in range(100):
        node.reviews.begin(ADA)
    node.access.may_answer.set()
    node.access.lost = {"1"}
    await until(node.reviews.idle)
    assert node.out == [("room", "1", "ada")]
    assert len(node.access.asked) <= 2
