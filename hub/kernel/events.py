"""Client events: the narrow interface between a feature and the socket server."""

from collections.abc import Awaitable, Callable, Coroutine, Mapping
from contextlib import AbstractAsyncContextManager, nullcontext
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias, TypeVar, get_type_hints

import msgspec

from hub.kernel import wire
from hub.kernel.errors import UnknownEvent
from hub.kernel.ids import ConnectionId, SessionId, UserId
from hub.kernel.limits import EVENT, Limit
from hub.kernel.text_form import is_read_as_text

DeviceKind = Literal["desktop", "mobile", "tablet", "web", "bot", "other"]
"""What a device is, as its client says (``auth.deviceKind``)."""


@dataclass(frozen=True, slots=True)
class Actor:
    """Who asks: a signed-in person, by REST or by socket."""

    user_id: UserId
    session_id: SessionId


@dataclass(frozen=True, slots=True)
class Caller(Actor):
    """Who asks, over which connection."""

    connection_id: ConnectionId
    device: str = "unknown"
    """What the client calls its device in the handshake (``auth.device``); shown in presence."""
    device_kind: DeviceKind = "other"


P = TypeVar("P", bound=msgspec.Struct)
InOrder = Callable[[str], AbstractAsyncContextManager[None]]
"""Makes an event wait for the earlier ones of its connection that have the same key."""
Reply: TypeAlias = msgspec.Struct | None
"""The data of an acknowledgement; ``None`` is an empty one."""
Handler = Callable[[Caller, P], Reply | Coroutine[Any, Any, Reply]]
"""Serves an event, and gives the reply or a coroutine of it.

What need not wait, such as most ephemeral events, is best served by a plain function: a task for it would cost more
than it does itself. A plain function must not block, and gives a coroutine for what has to wait.
"""


ReadText = Callable[[bytes], msgspec.Struct]
"""Reads a payload from its JSON text. Raises msgspec.MsgspecError or RecursionError for what does not fit, without
saying all that is wrong with it."""


def at_once(_key: str) -> AbstractAsyncContextManager[None]:
    """An order in which nothing waits: for unit tests that send one event at a time."""
    return nullcontext()


@dataclass(frozen=True, slots=True)
class EventRoute:
    """One client event: its payload, and the coroutine that serves it."""

    name: str
    payload: type[msgspec.Struct]
    handler: Handler[Any]
    bare: str | None
    order: Callable[[Any], str] | None
    answer: Any = None
    """Annotation of what the handler returns: the data of the acknowledgement."""
    read_text: ReadText | None = None
    """``None`` where JSON text might not give what :meth:`decode` makes of its plain value."""
    limit: Limit | None = EVENT
    """How often one user may send it, over all connections; ``None``: as often as they like."""
    automatic: bool = False
    """Whether programs send it by themselves, so that it does not say that somebody is there."""

    def decode(self, data: object) -> msgspec.Struct:
        """The payload struct. Raises InvalidPayload with every violation."""
        if self.bare is not None and isinstance(data, str):
            data = {self.bare: data}
        return wire.decode(data, self.payload)


@dataclass
class EventRouter:
    """The client events of one feature, and what it does when a connection comes and goes.

    The transport mounts it; unit tests call :meth:`dispatch` directly.
    """

    routes: dict[str, EventRoute] = field(default_factory=dict)
    connected: list[Callable[[Caller], Awaitable[None]]] = field(default_factory=list)
    """Run after the client has its CONNECT packet and before any event of it is handled."""
    lost: list[Callable[[Caller], None]] = field(default_factory=list)
    """Run in the moment in which the client's end of the connection is noticed, for what counts from then on, and not
    where the hub ends it. :attr:`disconnected` is run in either case, but when thousands go at once their hooks wait
    for each other for seconds. Must neither block nor raise."""
    disconnected: list[Callable[[Caller], Awaitable[None]]] = field(default_factory=list)
    """Run once after the connection is gone. Must be idempotent, and must not fail because Redis does.

    Also for one that was restored, and did not begin after all.
    """
    restores: dict[str, Callable[[Caller, Mapping[str, bytes]], Awaitable[None]]] = field(default_factory=dict)
    """For kinds of rooms (what stands before the colon): puts the feature into the state in which a connection that
    has come back is in rooms of the kind. See hub.kernel.recovery.Restore. Rooms of any other kind are joined anew."""
    put_out_quietly: set[str] = field(default_factory=set)
    """The kinds of rooms out of which a connection may be put while it is away, and need not know when it is back:
    what restores them is given those too, though the connection is not in them."""

    def on(
        self,
        name: str,
        payload: type[P],
        handler: Handler[P],
        *,
        bare: str | None = None,
        order: Callable[[P], str] | None = None,
        limit: Limit = EVENT,
        automatic: bool = False,
    ) -> None:
        """Serve client event ``name``.

        ``bare``: wire name of the field that a bare string fills (the short form of the payload). ``order``: events of
        one connection with the same key complete in the order they arrived; without it they only start in order.
        ``limit``: how often one user may send it; more are refused, and ``handler`` is not called. ``automatic``: it is
        no sign that somebody is there, see hub.kernel.ports.Activity.
        Raises ValueError if the event is served already.
        """
        if name in self.routes:
            raise ValueError(f"event {name!r} is served twice")
        read_text = msgspec.json.Decoder(payload).decode if is_read_as_text(payload) else None
        answer = get_type_hints(handler).get("return")
        self.routes[name] = EventRoute(name, payload, handler, bare, order, answer, read_text, limit, automatic)

    async def dispatch(self, name: str, caller: Caller, data: object, in_order: InOrder = at_once) -> Any:
        """Decode, serve, and return the acknowledgement data as a plain value. Raises HubError.

        ``in_order`` is entered with the event's order key before its handler runs.
        """
        route, payload = self.prepare(name, data)
        async with nullcontext() if route.order is None else in_order(route.order(payload)):
            reply = route.handler(caller, payload)
            return acknowledgement(reply if reply is None or isinstance(reply, msgspec.Struct) else await reply)

    def prepare(self, name: str, data: object) -> tuple[EventRoute, msgspec.Struct]:
        """The first half of :meth:`dispatch`: who serves the event, and its payload. Raises HubError."""
        route = self.routes.get(name)
        if route is None:
            raise UnknownEvent(f"There is no event {name[:80]!r}.")
        return route, route.decode(data)


def acknowledgement(reply: Reply) -> Any:
    """The acknowledgement data of what a handler returned, as a plain value."""
    return {} if reply is None else wire.to_wire(reply)


def merge(*routers: EventRouter) -> EventRouter:
    """One router with the events of all. Raises ValueError if two serve the same event."""
    merged = EventRouter()
    for router in routers:
        for name, route in router.routes.items():
            if name in merged.routes:
                raise ValueError(f"event {name!r} is served twice")
            merged.routes[name] = route
        merged.connected.extend(router.connected)
        merged.lost.extend(router.lost)
        merged.disconnected.extend(router.disconnected)
        merged.restores.update(router.restores)
        merged.put_out_quietly.update(router.put_out_quietly)
    return merged
