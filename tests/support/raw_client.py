"""A client of a server on the loopback that opens what a test asks for, and nothing else."""

import json

from tests.support.raw_engineio import ENGINE_PATH, Handshake, PollingSession, Session, WebSocketSession
from tests.support.raw_http import Ended, RawConnection, Response, request
from tests.support.raw_websocket import CLOSE_S, RawWebSocket, handshake
from tests.support.wait import until


class Client:
    """Opens connections and sessions to a server on the loopback, and closes them all at the end."""

    def __init__(self, port: int, *, source: str = "127.0.0.1", reads_ahead: bool = True) -> None:
        """See RawConnection.open."""
        self.port = port
        self._source, self._reads_ahead = source, reads_ahead
        self._connections: list[RawConnection] = []

    async def connection(self) -> RawConnection:
        """A new TCP connection."""
        connection = await RawConnection.open(self.port, source=self._source, reads_ahead=self._reads_ahead)
        self._connections.append(connection)
        return connection

    async def request(self, method: str, target: str, body: bytes | None = None, **headers: str) -> Response:
        """Send a request on a connection of its own. Raises Ended if that ends instead of an answer."""
        connection = await self.connection()
        connection.send(request(method, target, body, **headers))
        return await connection.response()

    async def polling(self, path: str = ENGINE_PATH) -> PollingSession:
        """Open a session by long-polling."""
        connection = await self.connection()
        connection.send(request("GET", f"{path}?EIO=4&transport=polling"))
        response = await connection.response()
        assert response.status == 200, response
        return PollingSession(self.connection, path, Handshake.of(response.text), connection)

    async def websocket(self, path: str = ENGINE_PATH) -> WebSocketSession:
        """Open a session over WebSocket."""
        socket = await self.raw_websocket(f"{path}?EIO=4&transport=websocket")
        return WebSocketSession(socket, Handshake.of((await socket.frame()).payload.decode()))

    async def session(self, transport: str, path: str = ENGINE_PATH) -> Session:
        """Open a session over "polling" or "websocket"."""
        return await (self.polling(path) if transport == "polling" else self.websocket(path))

    async def candidate(self, session: PollingSession) -> WebSocketSession:
        """A WebSocket for the upgrade of a session."""
        return WebSocketSession(await self.raw_websocket(session.websocket_target), None)

    async def raw_websocket(self, target: str) -> RawWebSocket:
        """A WebSocket of which nothing is read yet."""
        connection = await self.connection()
        connection.send(handshake(target))
        status, _ = await connection.head()
        assert status == 101, status
        return RawWebSocket(connection)

    async def refuses_websocket(self, target: str) -> bool:
        """Whether a handshake gets no session, nor the use of one: "the server MUST close the WebSocket connection".

        With an error of HTTP, or after 101 with a close frame; the reference implementation sends the error after 101.
        """
        connection = await self.connection()
        connection.send(handshake(target))
        status, _ = await connection.head()
        if status != 101:
            return status == 400
        try:
            return await connection.exactly(1, CLOSE_S) != b"\x81"
        except Ended:
            return True

    async def knows(self, session: Session, path: str = ENGINE_PATH) -> bool:
        """Whether the server still has a session that is on WebSocket, or has ended.

        A poll for it is refused in any case: as a bad request, or because the session is unknown (code 1).
        """
        target = f"{path}?EIO=4&transport=polling&sid={session.handshake.sid}"
        response = await self.request("GET", target)
        assert response.status == 400
        return bool(json.loads(response.body)["code"] != 1)

    async def forgets(self, session: Session, path: str = ENGINE_PATH) -> None:
        """Wait until the server no longer has the session, which has to be at once."""

        async def is_forgotten() -> bool:
            return not await self.knows(session, path)

        await until(is_forgotten, CLOSE_S)

    async def close(self) -> None:
        """Close every connection."""
        for connection in self._connections:
            await connection.close()
