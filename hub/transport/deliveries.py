"""Deliveries made into the packets that their receivers are sent, each in its class."""

from collections.abc import Mapping
from typing import Any

from hub.kernel.delivery import Delivery
from hub.kernel.wire import LATEST, Latest
from hub.transport.engineio import outbox
from hub.transport.socketio.codecs import JSON, Codec, Form
from hub.transport.socketio.packets import EVENT, event_of_text

NAMESPACE = "/"


class DeliveryPackets:
    """The frames of a delivery, by form. Implements hub.transport.socketio.rooms.Encoded."""

    __slots__ = ("_delivery",)

    def __init__(self, delivery: Delivery) -> None:
        self._delivery = delivery

    @property
    def arguments(self) -> list[Any]:
        """See Encoded."""
        return [self._delivery.event, self._delivery.payload]

    def __call__(self, form: Form) -> bytes:
        """See Encoded. The offset is the last argument, as the protocol has it for connection state recovery."""
        delivery, codec = self._delivery, form.codec
        offset = delivery.offset if form.offsets else None
        if codec is JSON and delivery.text is not None:
            frames = event_of_text(delivery.event, delivery.text, offset)
        else:
            arguments = self.arguments if offset is None else [*self.arguments, offset]
            frames = codec.encode(EVENT, NAMESPACE, None, arguments)
        if delivery.volatile:
            return outbox.Volatile(frames)
        rule = LATEST.get(delivery.event)
        return frames if rule is None else self._latest(frames, codec, rule)

    def _latest(self, frames: bytes, codec: Codec, rule: Latest) -> outbox.Latest:
        """An event of full states: while its receiver does not keep up, only the newest state of each key waits.

        What is merged of several has no offset: it goes ahead of messages that are older than some of its states.
        """
        delivery = self._delivery

        def states() -> Mapping[str, Any]:
            return {item[rule.key]: item for item in delivery.payload[rule.items]}

        def render(states: Mapping[str, Any]) -> bytes:
            merged = {**delivery.payload, rule.items: list(states.values())}
            return codec.encode(EVENT, NAMESPACE, None, [delivery.event, merged])

        return outbox.Latest.of(frames, delivery.event, states, render, lambda item: item[rule.version])
