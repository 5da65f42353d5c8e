"""The connections of this node as operators are shown them, and asked one by one for an acknowledgement."""

from __future__ import annotations

import itertools
from typing import Any, Final

import msgspec

from hub.kernel.ids import ConnectionId, NodeId, RoomName
from hub.kernel.operations import Acknowledged, Acknowledgements, ConnectionReport
from hub.transport.connection import Connection
from hub.transport.deliveries import NAMESPACE
from hub.transport.socketio.server import SocketServer
from hub.transport.socketio.socket import Socket

MAX_ROOMS: Final = 20
"""Of a connection, named. A client may be in hundreds, and a page has a hundred connections."""
MAX_ANSWER: Final = 4096
"""Bytes of one answer, as JSON: a receipt, not a file."""


class ConnectionsHere:
    """Implements hub.cluster.operations.LocalConnections."""

    def __init__(self, server: SocketServer, node_id: NodeId) -> None:
        self._server = server
        self._node_id = node_id

    def describe(self, connection_id: ConnectionId) -> ConnectionReport | None:
        """See LocalConnections."""
        socket = self._server.rooms_of(NAMESPACE).sockets.get(connection_id)
        if socket is None or not isinstance(socket.owner, Connection):
            return None
        return self._report(socket, socket.owner)

    def _report(self, socket: Socket, connection: Connection) -> ConnectionReport:
        caller = connection.caller
        return ConnectionReport(
            connection_id=caller.connection_id,
            user_id=caller.user_id,
            session_id=caller.session_id,
            node_id=self._node_id,
            device=caller.device,
            rooms=list(itertools.islice(sorted(socket.rooms), MAX_ROOMS)),
            room_count=len(socket.rooms),
        )

    async def ask(self, room: RoomName, event: str, payload: Any, timeout_s: float) -> Acknowledgements:
        """See LocalConnections."""
        outcome = await self._server.broadcast(event, payload, room=room, timeout_s=timeout_s)
        answers = [
            Acknowledged(connection_id=sid, node_id=self._node_id, answer=_as_json(arguments))
            for sid, arguments in outcome.answers.items()
        ]
        return Acknowledgements(
            answers=answers,
            silent=outcome.missing,
            answered=len(answers),
            members=len(answers) + len(outcome.missing),
            truncated=False,
            missing_nodes=[],
        )


def _as_json(arguments: list[Any]) -> Any:
    """The arguments of an acknowledgement, or ``None``: a client may answer what is long, or nothing for JSON."""
    try:
        text = msgspec.json.encode(arguments)
    except Exception:  # the other parser takes keys that JSON does not have, for one
        return None
    return msgspec.json.decode(text) if len(text) <= MAX_ANSWER else None
