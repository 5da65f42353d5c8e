"""Events to many: with acknowledgements of all, and volatile ones."""

import asyncio
from collections.abc import Coroutine
from typing import Any

import msgspec
import pytest

from hub.transport.socketio.questions import Answers
from hub.transport.socketio.server import SocketServer
from tests.support.local_client import LocalClient, settle

JSON_PATH, MSGPACK_PATH = "/socket.io/", "/socket.io-msgpack/"


class Member:
    """A client in the room, of either parser."""

    def __init__(self, server: SocketServer, path: str = JSON_PATH) -> None:
        self.client = LocalClient(server, path)
        self._is_text = path == JSON_PATH
        self.client.send("40" if self._is_text else msgspec.msgpack.encode({"type": 0, "nsp": "/"}))

    def questions(self) -> list[tuple[int, list[Any]]]:
        """The events that have come, with the ids that they are to be acknowledged by."""
        found = []
        for packet in self.client.received():
            if isinstance(packet, bytes):
                fields = msgspec.msgpack.decode(packet)
                if fields["type"] == 2:
                    found.append((fields["id"], fields["data"]))
            elif packet.startswith("42"):
                start = packet.index("[")
                found.append((int(packet[2:start]), msgspec.json.decode(packet[start:])))
        return found

    def answer(self, ack_id: int, *arguments: Any) -> None:
        if self._is_text:
            self.client.send(f"43{ack_id}{msgspec.json.encode(arguments).decode()}")
        else:
            self.client.send(msgspec.msgpack.encode({"type": 3, "nsp": "/", "id": ack_id, "data": arguments}))


class Room:
    """A server with members of both parsers in one room."""

    def __init__(self) -> None:
        self.server = SocketServer()
        self.sids: list[str] = []
        self.server.on("connect", self._connect)
        self.members = [Member(self.server, path) for path in (JSON_PATH, MSGPACK_PATH, JSON_PATH)]

    async def _connect(self, sid: str, _environ: object, _auth: object) -> None:
        self.sids.append(sid)
        await self.server.enter_room(sid, "room")

    def waiting_answers(self) -> list[object]:
        """What sockets expect of their clients."""
        return [socket._answers for socket in self.server.rooms_of("/").sockets.values() if socket._answers]


def begun(coroutine: Coroutine[Any, Any, Answers]) -> "asyncio.Task[Answers]":
    return asyncio.get_running_loop().create_task(coroutine)


@pytest.fixture
async def room() -> Room:
    room = Room()
    await settle()
    return room


async def test_the_answers_of_all_are_back_as_soon_as_the_last_has_come(room: Room) -> None:
    asking = begun(room.server.broadcast("ask", {"n": 1}, room="room", timeout_s=60))
    await settle()
    for number, member in enumerate(room.members):
        assert not asking.done()
        [(ack_id, question)] = member.questions()
        assert question == ["ask", {"n": 1}]
        member.answer(ack_id, "answer", number)
        await settle()
    outcome = await asking
    assert outcome.answers == {sid: ["answer", number] for number, sid in enumerate(room.sids)}
    assert outcome.missing == []
    assert room.waiting_answers() == []


async def test_who_does_not_answer_in_time_is_missing_and_no_answer_is_waited_for_any_more(room: Room) -> None:
    asking = begun(room.server.broadcast("ask", room="room", timeout_s=0.05))
    await settle()
    questions = [member.questions() for member in room.members]
    room.members[1].answer(questions[1][0][0], "in time")
    outcome = await asking
    assert outcome.answers == {room.sids[1]: ["in time"]}
    assert outcome.missing == [room.sids[0], room.sids[2]]
    assert room.waiting_answers() == []
    room.members[0].answer(questions[0][0][0], "too late")
    assert outcome.answers == {room.sids[1]: ["in time"]}
    assert not room.members[0].client.ended


async def test_who_leaves_meanwhile_is_missing(room: Room) -> None:
    asking = begun(room.server.broadcast("ask", room="room", timeout_s=0.05))
    await settle()
    room.members[0].client.drop()
    for member in room.members[1:]:
        member.answer(member.questions()[0][0], "here")
    outcome = await asking
    assert set(outcome.answers) == set(room.sids[1:])
    assert outcome.missing == [room.sids[0]]


async def test_who_answers_twice_is_taken_at_its_first_word(room: Room) -> None:
    asking = begun(room.server.broadcast("ask", room="room", timeout_s=0.05))
    await settle()
    [(ack_id, _)] = room.members[0].questions()
    room.members[0].answer(ack_id, "first")
    room.members[0].answer(ack_id, "second")
    assert (await asking).answers == {room.sids[0]: ["first"]}


async def test_what_cannot_be_sent_is_not_waited_for(room: Room) -> None:
    with pytest.raises(TypeError):
        await room.server.broadcast("ask", object(), room="room", timeout_s=60)
    assert room.waiting_answers() == []


async def test_an_empty_room_is_not_waited_for(room: Room) -> None:
    async with asyncio.timeout(5):
        assert await room.server.broadcast("ask", room="nobody", timeout_s=60) == Answers()


async def test_who_is_left_out_is_not_asked(room: Room) -> None:
    asking = begun(room.server.broadcast("ask", room=["room", room.sids[0]], timeout_s=0.05, skip_sid=room.sids[1]))
    await settle()
    assert [len(member.questions()) for member in room.members] == [1, 0, 1]
    assert set((await asking).missing) == {room.sids[0], room.sids[2]}


async def test_a_broadcast_that_is_given_up_expects_no_answers_any_more(room: Room) -> None:
    asking = begun(room.server.broadcast("ask", room="room", timeout_s=60))
    await settle()
    assert len(room.waiting_answers()) == 3
    asking.cancel()
    await settle()
    assert room.waiting_answers() == []


async def test_two_broadcasts_at_once_do_not_get_each_others_answers(room: Room) -> None:
    asking = [begun(room.server.broadcast("ask", name, room="room", timeout_s=60)) for name in "ab"]
    await settle()
    for member in room.members:
        for ack_id, (_, name) in reversed(member.questions()):
            member.answer(ack_id, name)
    for name, task in zip("ab", asking, strict=True):
        assert set(map(tuple, (await task).answers.values())) == {(name,)}


async def test_of_an_event_to_many_all_get_the_same_and_who_is_left_out_nothing(room: Room) -> None:
    await room.server.emit("news", (1, {"two": b"bytes"}), room="room", skip_sid=[room.sids[0], room.sids[0]])
    first, second, third = (member.client.received() for member in room.members)
    assert first[1:] == []
    assert msgspec.msgpack.decode(second[-1])["data"] == ["news", 1, {"two": b"bytes"}]  # type: ignore[arg-type]
    assert third[1:] == ['451-["news",1,{"two":{"_placeholder":true,"num":0}}]', b"bytes"]


async def test_volatile_events_reach_who_keeps_up_and_nothing_else_waits_for_them(room: Room) -> None:
    for member in room.members:
        member.client.received()
    await room.server.emit("cursor", 1, room="room", volatile=True)
    assert all(len(member.client.received()) == 1 for member in room.members)
    for number in range(1000):  # nobody polls
        await room.server.emit("cursor", [number, "x" * 1000], room="room", volatile=True)
        await settle()
    await room.server.emit("kept", room="room")
    kept = [member.client.received() for member in room.members]
    assert not any(member.client.ended for member in room.members)
    assert all(1 < len(packets) < 20 for packets in kept), "a little waits between two polls"
    assert kept[0][-1] == '42["kept"]'
