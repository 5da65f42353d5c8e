"""A client of /graphql: operations by POST, and graphql-transport-ws over aiohttp."""

import contextlib
import itertools
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import aiohttp

SUBPROTOCOL = "graphql-transport-ws"
ANSWER_S = 30.0
"""A companion's first answer on a busy machine: models are loaded for it."""


@dataclass
class GraphQL:
    """One person's way to one node; without a token, a stranger's."""

    http: aiohttp.ClientSession
    url: str
    token: str | None = None

    async def post(self, query: str, /, **variables: Any) -> dict[str, Any]:
        """The whole answer, `{data, errors}`."""
        headers = {"Authorization": f"Bearer {self.token}"} if self.token else {}
        body = {"query": query, "variables": variables}
        async with self.http.post(f"{self.url}/graphql", json=body, headers=headers) as response:
            answer: dict[str, Any] = await response.json()
            assert response.status == 200, answer
            return answer

    async def data(self, query: str, /, **variables: Any) -> Any:
        """What came without any error."""
        answer = await self.post(query, **variables)
        assert "errors" not in answer, answer["errors"]
        return answer["data"]

    async def error(self, query: str, /, **variables: Any) -> dict[str, Any]:
        """The only error."""
        (error,) = (await self.post(query, **variables))["errors"]
        assert isinstance(error, dict)
        return error

    async def code(self, query: str, /, **variables: Any) -> str:
        """The code of the only error."""
        return str((await self.error(query, **variables))["extensions"]["code"])

    @contextlib.asynccontextmanager
    async def socket(self, *, init: bool = True, **options: Any) -> AsyncIterator["GraphQLSocket"]:
        """A WebSocket, greeted with the token unless told otherwise."""
        async with self.http.ws_connect(f"{self.url}/graphql", protocols=[SUBPROTOCOL], **options) as socket:
            client = GraphQLSocket(socket)
            if init:
                await client.greet(self.token)
            yield client


@dataclass
class GraphQLSocket:
    """The messages of one connection."""

    socket: aiohttp.ClientWebSocketResponse
    ids: "itertools.count[int]" = field(default_factory=lambda: itertools.count(1))
    early: list[dict[str, Any]] = field(default_factory=list)
    """What came for others while one was waited for."""

    async def greet(self, token: str | None) -> None:
        """`connection_init`, and the answer to it."""
        await self.send({"type": "connection_init", "payload": {"token": token} if token else {}})
        assert await self.receive() == {"type": "connection_ack"}

    async def send(self, message: object) -> None:
        """A message as JSON; text as it is."""
        await self.socket.send_str(message if isinstance(message, str) else json.dumps(message))

    async def subscribe(self, query: str, /, **variables: Any) -> str:
        """Begin an operation; gives its id."""
        operation_id = str(next(self.ids))
        payload = {"query": query, "variables": variables}
        await self.send({"id": operation_id, "type": "subscribe", "payload": payload})
        return operation_id

    async def complete(self, operation_id: str) -> None:
        """Stop an operation."""
        await self.send({"id": operation_id, "type": "complete"})

    async def receive(self) -> dict[str, Any]:
        """The next message of any operation."""
        message: dict[str, Any] = await self.socket.receive_json(timeout=ANSWER_S)
        return message

    async def of(self, operation_id: str) -> dict[str, Any]:
        """The next message of one operation."""
        for message in self.early:
            if message.get("id") == operation_id:
                self.early.remove(message)
                return message
        while (message := await self.receive()).get("id") != operation_id:
            self.early.append(message)
        return message

    async def next(self, operation_id: str) -> Any:
        """The data of the next event."""
        message = await self.of(operation_id)
        assert message["type"] == "next", message
        assert "errors" not in message["payload"], message
        return message["payload"]["data"]

    async def settled(self) -> None:
        """All that was sent before is under way: it was read before the ping that is answered now."""
        await self.send({"type": "ping"})
        while (message := await self.receive()) != {"type": "pong"}:
            self.early.append(message)

    async def closed(self) -> tuple[int | None, str]:
        """The code and reason with which the server closes."""
        while True:
            message = await self.socket.receive(timeout=ANSWER_S)
            if message.type is aiohttp.WSMsgType.CLOSE:
                return message.data, str(message.extra or "")
            if message.type in (aiohttp.WSMsgType.CLOSED, aiohttp.WSMsgType.CLOSING, aiohttp.WSMsgType.ERROR):
                return self.socket.close_code, ""
