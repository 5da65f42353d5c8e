"""``collab:*`` events over a real engine: joining, changing, cursors, and losing the right to."""

from collections.abc import AsyncIterator, Collection
from dataclasses import dataclass, replace
from typing import Any

import asyncpg
import pytest

from collab import awareness
from collab.awareness import State
from collab.awareness_exchange import AwarenessExchange
from collab.editing import Editing
from collab.errors import InvalidUpdate, NotJoined, TooManyDocuments, UpdateGap
from collab.handlers import collab_events
from collab.live import LiveDocuments
from collab.schema import AccessChanged, AwarenessUpdated, DocumentUpdated
from collab.service import document_room
from collab.settings import CollabSettings
from collab.store_postgres import PostgresDocumentStore
from hub.kernel.clock import SystemClock
from hub.kernel.errors import Forbidden, InvalidPayload, NotFound
from hub.kernel.events import Caller, EventRouter
from hub.kernel.ids import ConnectionId, SessionId, UserId, new_uuid
from tests.support.collab import DOCUMENT, NodesOf, RoleAccess, StartNode
from tests.support.rooms import RecordedRooms
from tests.support.wait import until
from tests.support.yjs import Writer, text_of

ROOM = document_room(DOCUMENT)


def connection(name: str) -> Caller:
    return Caller(UserId(new_uuid()), SessionId(new_uuid()), ConnectionId(name))


@dataclass
class World:
    events: EventRouter
    live: LiveDocuments
    editing: Editing
    rooms: RecordedRooms
    pool: asyncpg.Pool
    owner: Caller
    access: RoleAccess
    moment: list[float]
    """The one reading of the clock, in seconds."""
    contributed: list[tuple[str, str, int, int]]
    """Document, person and bytes of each change that was counted."""

    async def send(self, caller: Caller, event: str, data: object) -> Any:
        return await self.events.dispatch(event, caller, data)

    async def share(self, caller: Caller, role: str) -> None:
        await self.pool.execute(
            """INSERT INTO document_members VALUES ($1, $2, $3, now())
               ON CONFLICT (document_id, user_id) DO UPDATE SET role = $3""",
            DOCUMENT,
            caller.user_id,
            role,
        )


@pytest.fixture
async def world(start_node: StartNode, pool: asyncpg.Pool) -> AsyncIterator[World]:
    store, rooms, owner = PostgresDocumentStore(pool), RecordedRooms(), connection("owner")
    await store.create(DOCUMENT, "Plan", owner.user_id, "private", SystemClock().now())
    node = await start_node()
    access = RoleAccess(store)
    moment, contributed = [0.0], list[tuple[str, str, int, int]]()
    editing = Editing(
        node.engine,
        access.roles,
        access,
        AwarenessExchange(node.hints, NodesOf()),
        CollabSettings(access_s=5, documents_per_connection=2),  # reviews do not come in a test: called by hand
        contributed=lambda *change: contributed.append(change),
        monotonic=lambda: moment[0],
    )
    live = LiveDocuments(editing, rooms)
    world = World(collab_events(live), live, editing, rooms, pool, owner, access, moment, contributed)
    editing.start()
    live.start()
    yield world
    await editing.close()
    await live.close()


async def test_a_stored_change_counts_as_its_authors_and_one_that_changes_nothing_does_not(world: World) -> None:
    await world.send(world.owner, "collab:join", DOCUMENT)
    update = Writer().write("Hi")
    for change in (update, b"\0\0"):
        await world.send(world.owner, "collab:change", {"documentId": DOCUMENT, "update": change})
    assert world.contributed == [(DOCUMENT, world.owner.user_id, len(update), 1)]


async def test_a_joiner_gets_the_text_and_a_change_reaches_the_others_only(world: World) -> None:
    client = Writer()
    joined = await world.send(world.owner, "collab:join", DOCUMENT)
    assert (joined["documentId"], joined["access"], text_of(joined["update"])) == (DOCUMENT, "write", "")
    update = client.write("Hi 😀")
    answer = await world.send(world.owner, "collab:change", {"documentId": DOCUMENT, "update": update})
    assert await world.pool.fetchval("SELECT stream || '-' || number FROM collab_update") == answer["seq"]
    await until(lambda: world.rooms.emitted)
    assert world.rooms.emitted == [([ROOM], DocumentUpdated(document_id=DOCUMENT, update=update))]
    assert world.rooms.skipped == ["owner"]
    again = await world.send(world.owner, "collab:join", {"documentId": DOCUMENT, "stateVector": b"\0"})
    assert text_of(again["update"]) == "Hi 😀"


async def test_strangers_do_not_learn_of_the_document(world: World) -> None:
    with pytest.raises(NotFound):
        await world.send(connection("stranger"), "collab:join", DOCUMENT)
    assert not world.rooms.members.get(ROOM)


async def test_who_loses_the_right_while_they_come_in_is_not_in(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    viewer = connection("viewer")
    await world.share(viewer, "viewer")
    join = world.rooms.join

    async def join_and_lose(*arguments: Any) -> int:
        await world.pool.execute("DELETE FROM document_members")
        return await join(*arguments)

    monkeypatch.setattr(world.rooms, "join", join_and_lose)
    with pytest.raises(NotFound):
        await world.send(viewer, "collab:join", DOCUMENT)
    assert not world.rooms.is_member(viewer.connection_id, ROOM)
    with pytest.raises(NotJoined):
        await world.send(viewer, "collab:awareness", {"documentId": DOCUMENT, "update": b""})


async def test_who_is_expelled_is_out_with_their_cursors_on_every_connection_here(world: World) -> None:
    one, other = connection("one"), connection("two")
    other = replace(other, user_id=one.user_id)
    for caller in (world.owner, one, other):
        await world.share(caller, "viewer")
        await world.send(caller, "collab:join", DOCUMENT)
    cursor = awareness.encode([State(7, 1, b'{"name":"one"}')])
    await world.send(one, "collab:awareness", {"documentId": DOCUMENT, "update": cursor})
    await until(lambda: world.rooms.emitted)
    world.rooms.emitted.clear()
    await world.live.expel(DOCUMENT, one.user_id)
    await world.live.expel(DOCUMENT, one.user_id)
    assert world.rooms.members[ROOM] == {world.owner.connection_id}
    (event,) = await until(lambda: world.rooms.events_to(ROOM))
    assert isinstance(event, AwarenessUpdated)
    assert awareness.decode(event.update) == [State(7, 1, b"null")]
    assert world.rooms.sent[-1] == (other.connection_id, AccessChanged(document_id=DOCUMENT, access="none"))


async def test_changing_without_joining_is_refused(world: World) -> None:
    data = {"documentId": DOCUMENT, "update": Writer().write("a")}
    for event in ("collab:change", "collab:awareness"):
        with pytest.raises(NotJoined):
            await world.send(world.owner, event, data)
    await world.send(world.owner, "collab:join", DOCUMENT)
    await world.send(world.owner, "collab:leave", DOCUMENT)
    await world.send(world.owner, "collab:leave", {"documentId": DOCUMENT})
    with pytest.raises(NotJoined):
        await world.send(world.owner, "collab:change", data)


@pytest.mark.parametrize("update", [b"", b"\xff" * 5, b"\0\0\0"])
async def test_what_is_no_update_is_named_so(world: World, update: bytes) -> None:
    await world.send(world.owner, "collab:join", DOCUMENT)
    for event in ("collab:change", "collab:awareness"):
        with pytest.raises(InvalidUpdate):
            await world.send(world.owner, event, {"documentId": DOCUMENT, "update": update})


async def test_an_invalid_state_vector_leaves_nothing_behind(world: World) -> None:
    with pytest.raises(InvalidUpdate):
        await world.send(world.owner, "collab:join", {"documentId": DOCUMENT, "stateVector": b"\5"})
    assert not world.rooms.is_member(world.owner.connection_id, ROOM)


async def test_payloads_that_do_not_fit_are_refused(world: World) -> None:
    for data in ("not a uuid", {"documentId": DOCUMENT, "more": 1}, None, 7):
        with pytest.raises(InvalidPayload):
            await world.send(world.owner, "collab:join", data)


async def test_a_gap_answers_with_the_state_vector(world: World) -> None:
    client = Writer()
    await world.send(world.owner, "collab:join", DOCUMENT)
    client.write("a")
    with pytest.raises(UpdateGap) as gap:
        await world.send(world.owner, "collab:change", {"documentId": DOCUMENT, "update": client.write("b")})
    assert gap.value.to_wire()["stateVector"] == b"\0"


async def test_a_viewer_reads_and_may_not_write(world: World) -> None:
    viewer = connection("viewer")
    await world.share(viewer, "viewer")
    assert (await world.send(viewer, "collab:join", DOCUMENT))["access"] == "read"
    with pytest.raises(Forbidden):
        await world.send(viewer, "collab:change", {"documentId": DOCUMENT, "update": Writer().write("a")})


async def test_a_downgraded_editor_is_refused_once_the_check_is_old(world: World) -> None:
    editor, client = connection("editor"), Writer()
    await world.share(editor, "editor")
    await world.send(editor, "collab:join", DOCUMENT)
    await world.send(editor, "collab:change", {"documentId": DOCUMENT, "update": client.write("a")})
    await world.share(editor, "viewer")
    world.moment[0] += 5
    with pytest.raises(Forbidden):
        await world.send(editor, "collab:change", {"documentId": DOCUMENT, "update": client.write("b")})


async def test_a_change_asks_for_a_right_of_long_ago_and_not_for_one_that_a_review_has_seen_since(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    client, asked, check = Writer(), list[str](), world.access.check

    async def count(*arguments: Any) -> None:
        asked.append(arguments[1])
        await check(*arguments)

    async def change() -> None:
        world.moment[0] += 4  # of the 5 seconds that a right is believed
        await world.send(world.owner, "collab:change", {"documentId": DOCUMENT, "update": client.write("a")})

    await world.send(world.owner, "collab:join", DOCUMENT)
    await world.editing.review()  # the first one learns the role, and asks for the right
    monkeypatch.setattr(world.access, "check", count)
    for _ in range(3):
        await change()
        await world.editing.review()
    assert asked == []
    await change()
    await change()
    assert asked == ["write"]


async def test_the_review_puts_out_whoever_lost_the_role(world: World) -> None:
    reader = connection("reader")
    await world.pool.execute("UPDATE documents SET visibility = 'public'")
    await world.send(reader, "collab:join", DOCUMENT)
    await world.send(world.owner, "collab:join", DOCUMENT)
    await world.editing.review()
    assert world.rooms.members[ROOM] == {"reader", "owner"}
    await world.pool.execute("UPDATE documents SET visibility = 'private'")
    await world.editing.review()
    assert world.rooms.members[ROOM] == {"owner"}


async def test_the_review_puts_out_of_a_public_document_whom_a_block_parts_from_its_owner_and_no_member(
    world: World,
) -> None:
    stranger, other, member = [connection(name) for name in ("stranger", "other", "member")]
    await world.pool.execute("UPDATE documents SET visibility = 'public'")
    await world.share(member, "viewer")
    for caller in (world.owner, stranger, other, member):
        await world.send(caller, "collab:join", DOCUMENT)
    await world.editing.review()  # the first one asks for each role anyhow
    for caller in (stranger, member):
        world.access.blocks.add(frozenset((world.owner.user_id, caller.user_id)))
    await world.editing.review()
    assert world.rooms.members[ROOM] == {"owner", "other", "member"}
    assert world.rooms.sent[-1] == (stranger.connection_id, AccessChanged(document_id=DOCUMENT, access="none"))


async def test_cursors_are_relayed_given_to_joiners_and_removed_with_their_connection(world: World) -> None:
    reader = connection("reader")
    await world.share(reader, "viewer")
    await world.send(world.owner, "collab:join", DOCUMENT)
    cursor = awareness.encode([State(7, 3, b'{"cursor":1}')])
    await world.send(world.owner, "collab:awareness", {"documentId": DOCUMENT, "update": cursor})
    shown = AwarenessUpdated(document_id=DOCUMENT, update=cursor)
    assert await until(lambda: world.rooms.events_to(ROOM)) == [shown]
    assert world.rooms.skipped == ["owner"]
    await world.send(reader, "collab:join", DOCUMENT)
    assert world.rooms.sent == [(reader.connection_id, shown)]
    for _ in range(2):
        for disconnected in world.events.disconnected:
            await disconnected(world.owner)
    gone = AwarenessUpdated(document_id=DOCUMENT, update=awareness.encode([State(7, 3, b"null")]))
    await until(lambda: world.rooms.events_to(ROOM) == [shown, gone])


async def test_a_downgraded_editor_is_told_so_and_an_upgraded_one_too(world: World) -> None:
    editor = connection("editor")
    await world.share(editor, "editor")
    await world.send(editor, "collab:join", DOCUMENT)
    await world.editing.review()
    assert not world.rooms.sent
    await world.share(editor, "viewer")
    await world.editing.review()
    await world.share(editor, "editor")
    await world.editing.review()
    assert world.rooms.sent == [
        (editor.connection_id, AccessChanged(document_id=DOCUMENT, access="read")),
        (editor.connection_id, AccessChanged(document_id=DOCUMENT, access="write")),
    ]


async def test_who_is_downgraded_during_a_review_and_upgraded_before_the_next_may_write(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    editor, roles_among = connection("editor"), world.access.roles.roles_among
    await world.share(editor, "editor")
    await world.send(editor, "collab:join", DOCUMENT)

    async def and_then_downgrade(pairs: Collection[tuple[str, str]]) -> dict[tuple[str, str], str]:
        found = await roles_among(pairs)
        await world.share(editor, "viewer")
        return found

    monkeypatch.setattr(world.access.roles, "roles_among", and_then_downgrade)
    await world.editing.review()
    monkeypatch.setattr(world.access.roles, "roles_among", roles_among)
    await world.share(editor, "editor")
    await world.editing.review()
    assert [event for _, event in world.rooms.sent] == [
        AccessChanged(document_id=DOCUMENT, access="read"),
        AccessChanged(document_id=DOCUMENT, access="write"),
    ]


async def test_a_connection_may_not_open_more_documents_than_the_setting_says(world: World) -> None:
    store, more = PostgresDocumentStore(world.pool), [new_uuid(), new_uuid()]
    for document_id in more:
        await store.create(document_id, "More", world.owner.user_id, "private", SystemClock().now())
    for document_id in (DOCUMENT, more[0], DOCUMENT):
        await world.send(world.owner, "collab:join", document_id)
    with pytest.raises(TooManyDocuments):
        await world.send(world.owner, "collab:join", more[1])
    assert not world.rooms.members[document_room(more[1])]
    await world.send(world.owner, "collab:leave", DOCUMENT)
    await world.send(world.owner, "collab:join", more[1])
