"""Events as the hub's features emit them, made into packets of their class."""

from collections.abc import Mapping
from typing import Any

from hub.kernel.wire import LATEST, Latest
from hub.transport.engineio import outbox
from hub.transport.socketio.codecs import Codec
from hub.transport.socketio.packets import EVENT
from hub.transport.socketio.rooms import Packets
from hub.transport.socketio.server import VolatilePackets

NAMESPACE = "/"


class LatestPackets(Packets):
    """An event of full states: while its receiver does not keep up, only the newest state of each key waits."""

    __slots__ = ("_rule",)

    def __init__(self, arguments: list[Any], rule: Latest) -> None:
        super().__init__(NAMESPACE, arguments)
        self._rule = rule

    def _shape(self, framed: bytes, codec: Codec) -> bytes:
        name, payload = self.arguments
        rule = self._rule

        def render(states: Mapping[str, Any]) -> bytes:
            merged = {**payload, rule.items: list(states.values())}
            return codec.encode(EVENT, NAMESPACE, None, [name, merged])

        states = {item[rule.key]: item for item in payload[rule.items]}
        return outbox.Latest.of(framed, name, states, render, lambda item: item[rule.version])


def packets_of(event: str, payload: Any, *, volatile: bool) -> Packets:
    """The packets of an event, in the class that its name and its emitter give it."""
    arguments = [event, payload]
    if volatile:
        return VolatilePackets(NAMESPACE, arguments)
    rule = LATEST.get(event)
    return Packets(NAMESPACE, arguments) if rule is None else LatestPackets(arguments, rule)
