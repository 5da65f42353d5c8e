"""Socket.IO packets (protocol 5) over an Engine.IO session of either transport."""

import json
from typing import Any

from tests.support.raw_client import Client
from tests.support.raw_engineio import SOCKET_PATH, Packet, Session


class SocketIO:
    """A session of which namespaces are connected."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self.send = session.send
        self.packet = session.packet

    async def connect(self, namespace: str = "/", auth: str = "") -> str:
        """Connect to a namespace, with an auth object in JSON or none, and give the id of the socket."""
        prefix = prefix_of(namespace)
        await self.send(f"40{prefix}{auth}")
        answer = await self.text()
        assert answer.startswith(f"40{prefix}{{"), answer
        fields = json.loads(answer.removeprefix(f"40{prefix}"))
        assert list(fields) == ["sid"]
        assert isinstance(fields["sid"], str)
        assert await self.event(namespace) == ["auth", json.loads(auth or "{}")]
        return str(fields["sid"])

    async def text(self) -> str:
        """The next packet, which has to be text."""
        packet = await self.packet()
        assert isinstance(packet, str)
        return packet

    async def event(self, namespace: str = "/") -> Any:
        """The arguments of the next packet, which has to be an EVENT without an id, its name first."""
        prefix = f"42{prefix_of(namespace)}"
        packet = await self.text()
        assert packet.startswith(f"{prefix}["), packet
        return json.loads(packet.removeprefix(prefix))

    async def parts(self, count: int) -> list[Packet]:
        """The next packets."""
        return [await self.packet() for _ in range(count)]

    async def still_works(self) -> None:
        """Check that an event is answered, and that nothing comes before."""
        await self.send('42["message","still here"]')
        assert await self.packet() == '42["message-back","still here"]'


async def connected(client: Client, transport: str = "websocket") -> SocketIO:
    """A session that is connected to the main namespace."""
    socket = SocketIO(await client.session(transport, SOCKET_PATH))
    await socket.connect()
    return socket


def prefix_of(namespace: str) -> str:
    """How a packet names a namespace; the main one goes without saying."""
    return "" if namespace == "/" else f"{namespace},"
