"""Clients that lose their connection and come back, as an unmodified one does, and the scene of two nodes for it."""

import contextlib
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

from tests.support.engineio_client import RawSocket, raw_socket
from tests.support.hub import RunningHub
from tests.support.rest import Person, Rest
from tests.support.wait import until


@dataclass
class Client:
    """What an unmodified client keeps of its connection."""

    socket: RawSocket
    sid: str
    pid: str | None
    ready: dict[str, Any]
    first: list[list[Any]]
    """The events that came before `session:ready`."""
    attached: list[bytes]
    """The binary parts of these."""
    offset: str | None
    _asked: int = 0

    async def event(self, name: str) -> list[Any]:
        """The next event of this name with all its arguments. Its offset is kept, and so are those of others."""
        while True:
            arguments = json.loads((await self.socket.packet("42["))[2:])
            self._saw(arguments)
            if arguments[0] == name:
                return list(arguments)

    async def ok(self, name: str, payload: Any) -> Any:
        """The data of an acknowledgement; events before it are passed over."""
        self._asked += 1
        await self.socket.send(f"42{self._asked}{json.dumps([name, payload])}")
        answer = await self.socket.answer(self._asked)
        assert answer["ok"], answer
        return answer["data"]

    def _saw(self, arguments: list[Any]) -> None:
        if isinstance(arguments[-1], str) and len(arguments) > 1:
            self.offset = arguments[-1]

    @property
    def claim(self) -> dict[str, Any]:
        """What the client says of itself when it connects again."""
        return {"pid": self.pid, "offset": self.offset}


@contextlib.asynccontextmanager
async def client(node: RunningHub, person: Person, **claim: Any) -> AsyncIterator[Client]:
    async with raw_socket(node) as socket:
        await socket.send("40" + json.dumps({"token": person.token, **claim}))
        answer = json.loads((await socket.packet("40"))[2:])
        new = Client(socket, answer["sid"], answer.get("pid"), {}, [], [], claim.get("offset"))
        while not new.ready:
            if (text := await socket.packet()).startswith("451-"):
                new.attached.append(await socket.binary())
                continue
            arguments = json.loads(text[2:])
            if arguments[0] == "session:ready":
                new.ready = arguments[1]
            else:
                new._saw(arguments)
                new.first.append(arguments)
        yield new


@dataclass
class Scene:
    """Ada, who listens and is lost, and Bob, who speaks; a room they are in, on two nodes."""

    one: RunningHub
    two: RunningHub
    rest: Rest
    ada: Person
    bob: Person
    room_id: str
    speaker: Client
    _said: int = 0

    async def say(self, *texts: str, room_id: str = "") -> None:
        for text in texts:
            self._said += 1
            message = {"roomId": room_id or self.room_id, "clientId": f"c{self._said}", "body": text}
            await self.speaker.ok("room:send", message)

    @contextlib.asynccontextmanager
    async def listener(self) -> AsyncIterator[Client]:
        """Ada on the first node, in the room, with one message heard."""
        async with client(self.one, self.ada) as ada:
            await ada.ok("room:join", {"roomId": self.room_id})
            await self.say("first")
            assert (await ada.event("room:message"))[1]["body"] == "first"
            yield ada

    async def alone(self) -> None:
        """Wait until the hub has noticed that Ada is gone."""
        await until(lambda: len(self.one.hub.sockets) == 0)


def said(events: list[list[Any]]) -> list[str]:
    return [arguments[1]["body"] for arguments in events if arguments[0] == "room:message"]
