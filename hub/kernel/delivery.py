"""An event on its way to the members of rooms, in the form in which it also travels between nodes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from hub.kernel.ids import ConnectionId, RoomName
from hub.kernel.text_form import is_written_as_text
from hub.kernel.wire import ServerEvent, to_wire

_write = msgspec.json.Encoder().encode


class Delivery:
    """An event, for whom it is, and whether it may be dropped.

    Its payload is kept as the JSON text that most members are sent, so that it is written once in the cluster and read
    by nobody who does not have to; an event with binary parts is kept as its plain value.
    """

    __slots__ = ("_payload", "age_s", "copy_of", "event", "id", "offset", "others", "rooms", "skip", "text", "volatile")

    def __init__(
        self,
        rooms: list[RoomName],
        event: str,
        text: bytes | None,
        payload: Any = None,
        skip: ConnectionId | None = None,
        volatile: bool = False,
        others: Sequence[RoomName] = (),
        copy_of: str | None = None,
    ) -> None:
        """Give the payload as ``text`` or, if that is ``None``, as its plain value."""
        self.rooms = rooms
        """Every connection in any of them gets it, once."""
        self.event = event
        self.text = text
        """The payload as JSON; ``None`` for one with binary parts."""
        self._payload = payload
        self.skip = skip
        """The connection that does not get it."""
        self.volatile = volatile
        """Whether it is not for those that do not keep up."""
        self.others = others
        """Rooms whose members have got it already, by these rooms' own way."""
        self.copy_of = copy_of
        """What it has in common with the copies for other rooms; ``None`` for one that goes to one room."""
        self.id: str | None = None
        self.age_s = 0.0
        """Its own id, and for how long it may have been sent under that already: see hub.kernel.ports.Rooms.emit."""
        self.offset: str | None = None
        """Where this node stands with it, for a client to go on from later; ``None`` for what nobody keeps."""

    @classmethod
    def of(
        cls, rooms: list[RoomName], event: ServerEvent, skip: ConnectionId | None = None, *, volatile: bool = False
    ) -> Delivery:
        """The delivery of an event that a feature emits. It keeps nothing of ``event``."""
        if is_written_as_text(type(event)):
            return cls(rooms, event.event, _write(event), None, skip, volatile)
        return cls(rooms, event.event, None, to_wire(event), skip, volatile)

    @property
    def payload(self) -> Any:
        """The payload as a plain value, which is not to be changed."""
        if self._payload is None and self.text is not None:
            self._payload = msgspec.json.decode(self.text)
        return self._payload

    def packed(self) -> tuple[Any, ...]:
        """The event without its rooms, in values that MessagePack takes, as ``Delivery`` is made of them."""
        return self.event, self.text, self._payload if self.text is None else None, self.skip, self.volatile
