"""What features need of the hub around them, as Protocols; the composition root gives the implementations."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence, Set
from contextlib import AbstractAsyncContextManager, AbstractContextManager
from dataclasses import dataclass
from typing import Any, Protocol

from hub.kernel.delivery import Delivery
from hub.kernel.events import Actor, Caller
from hub.kernel.ids import ConnectionId, NodeId, NodeTag, RoomName, SessionId, UserId
from hub.kernel.wire import ServerEvent

Listener = Callable[[str, Any], None]
"""Takes an event's name and its payload as it is on the wire. Must neither block nor raise."""
Screen = Callable[[Delivery], bool]
"""Whether the members on this node get an event that came. Must neither block nor raise."""


class Rooms(Protocol):
    """Rooms of connections, over all nodes. Implemented in hub.cluster."""

    async def join(self, connection_id: ConnectionId, room: RoomName) -> int:
        """Put a connection of this node into ``room`` and return the members on all nodes. Idempotent.

        Access is the caller's to check, before. A connection that is gone meanwhile joins nothing.
        """
        ...

    def expect(self, room: RoomName) -> AbstractContextManager[None]:
        """Have a room ready for who may join it inside of ``with``: the join waits for less. Nobody is in it by that.

        For who knows the room before access to it has been checked, which takes as long as this does.
        """
        ...

    def joining(self, connection_id: ConnectionId, room: RoomName) -> AbstractAsyncContextManager[None]:
        """Put a connection of this node into ``room``, as :meth:`join` does, which has no attendance.

        Inside of ``async with`` it gets what is sent there. Behind it the same is so for whoever comes back; what is
        asked inside is asked together with that. Raises Unavailable before or behind, and then the connection is not in
        it.
        """
        ...

    async def note(self, connection_id: ConnectionId, room: RoomName, note: bytes) -> None:
        """Keep a few hundred bytes with a connection's being in ``room``, for when its client comes back.

        They are gone when it leaves, and may be lost: whoever restores without must find another way. Never raises.
        """
        ...

    async def leave(self, connection_id: ConnectionId, room: RoomName) -> int:
        """Take a connection of this node out of ``room`` and return the members left on all nodes. Idempotent."""
        ...

    def is_member(self, connection_id: ConnectionId, room: RoomName) -> bool:
        """Whether a connection of this node is in ``room``."""
        ...

    async def member_count(self, room: RoomName) -> int:
        """Connections in ``room`` on all live nodes."""
        ...

    async def emit(
        self,
        rooms: RoomName | Iterable[RoomName],
        event: ServerEvent,
        *,
        skip: ConnectionId | None = None,
        id: str | None = None,
        age_s: float = 0.0,
    ) -> None:
        """Send ``event`` to every connection in any of ``rooms``, on any node, once each, except ``skip``.

        All members get the events of a room in one order, and those of this node in the order of the calls. Never
        raises because Redis does not answer: what must not be lost is stored by its owner first.

        ``id`` is the event's own, for what another node may send too, when it finds that this one may have died between
        storing and sending; ``age_s`` is for how long somebody may have done so. If that is more than half a second by
        the time Redis is reached, the event is sent only if none with its id was sent to the room meanwhile.
        """
        ...

    def emit_volatile(
        self, rooms: RoomName | Iterable[RoomName], event: ServerEvent, *, skip: ConnectionId | None = None
    ) -> None:
        """The same for what is worth nothing later, such as cursors. It is dropped for those who do not keep up."""
        ...

    async def flushed(self) -> None:
        """Wait until what was emitted so far is in Redis, or given up and its members told that they missed something.

        For who keeps what is to be told until then. It takes as long as Redis does not answer.
        """
        ...

    async def emit_local(
        self,
        rooms: RoomName | Iterable[RoomName],
        event: ServerEvent,
        *,
        skip: ConnectionId | None = None,
        volatile: bool = False,
    ) -> None:
        """Send ``event`` to the members on this node only, once each, except ``skip``, in the order of the calls.

        For a feature that brings its events to the other nodes itself, as documents do. ``volatile``: it is dropped
        for those who do not keep up.
        """
        ...

    async def send(self, connection_id: ConnectionId, event: ServerEvent) -> None:
        """Send ``event`` to one connection of this node. Nothing happens if it is gone."""
        ...

    def listen(self, room: RoomName, listener: Listener) -> AbstractAsyncContextManager[None]:
        """Hand the events of ``room``, from any node, to ``listener`` too, inside ``async with``.

        In the order in which this node's members get them. Access is the caller's to check, for each event.
        """
        ...

    def screen(self, event: type[ServerEvent], screen: Screen) -> None:
        """Ask ``screen`` about each event of that kind that comes for members or listeners here, from any node.

        For what several nodes may say of the same thing, and members are to hear once. What is sent by
        :meth:`emit_local` is not asked about. One screen an event: the last one set.
        """
        ...

    async def disconnect(self, room: RoomName, *, farewell: ServerEvent | None = None) -> None:
        """Send ``farewell`` to every connection in ``room`` on any node, then close them for good.

        An unmodified client does not reconnect after this by itself.
        """
        ...

    async def evict(self, room: RoomName, *, of: RoomName) -> None:
        """Take every connection that is in ``of`` (a user or session room) out of ``room``, on any node.

        What was sent to ``room`` before reaches them still.
        """
        ...

    async def review(self, of: RoomName, *, in_: RoomName | None = None) -> None:
        """Have what every connection in ``of`` has looked at again, on any node: a user's room, or one of watchers.

        Those that may no longer read what they are in the room of are put out of it, within a second, and those that
        watch see what they may see now. For who changes what many rooms hang on, such as a block. Never raises.

        ``in_`` is a room that they may be in: whoever is away, and comes back, has been put out of it as by
        :meth:`evict`, and is sent nothing of what was said there meanwhile.
        """
        ...


class Activity(Protocol):
    """When somebody last did something over the connections of this node. Implemented in hub.transport."""

    def active_s(self, connection_id: ConnectionId) -> float | None:
        """``time.monotonic()`` of the connection's beginning, or of its last event that is not ``automatic``.

        ``None`` if it is gone.
        """
        ...


class Attendance(Protocol):
    """Who is in which room, over all nodes. Implemented in presence.attendance.

    The rooms of each node say who comes and goes there. No method raises because Redis does not answer: then what is
    known of this node counts, and the rest is made up for later.
    """

    async def arrived(self, room: RoomName, connections: Mapping[ConnectionId, UserId]) -> int:
        """Connections of this node came into ``room``, or are in it still. Returns those that are in it elsewhere."""
        ...

    async def left(self, room: RoomName, connection_ids: Collection[ConnectionId]) -> int:
        """They left it, or were put out of it, and are told of at once. Returns those that are in it elsewhere."""
        ...

    async def lost(self, connection_id: ConnectionId, rooms: Iterable[RoomName]) -> None:
        """A connection is gone, from all of these rooms. Its person has left them after staying away for a while."""
        ...

    async def elsewhere(self, room: RoomName) -> int:
        """Connections in ``room`` on other live nodes."""
        ...


class Access(Protocol):
    """The one access rule that sockets, REST and GraphQL share. Implemented in core_api.accounts."""

    async def check(self, actor: Actor | None, action: str, resource: str, resource_id: str) -> None:
        """Return if ``actor`` may do ``action`` (``read``, ``comment``, ``write``, ``manage``) to the resource.

        ``resource`` is ``room``, ``document`` or ``content``. ``None`` is somebody who is not signed in.
        Raises NotFound if the actor may not know of it, Forbidden if it may be seen but this not done.
        """
        ...

    async def blocked(self, one: str, other: str) -> bool:
        """Whether either of two users blocks the other."""
        ...

    async def blocked_among(self, one: str, others: Iterable[str]) -> frozenset[str]:
        """Those of ``others`` between whom and ``one`` there is a block. Never ``one`` itself.

        For lists: it takes one query however many there are.
        """
        ...

    async def blocked_pairs(self, pairs: Iterable[tuple[str, str]]) -> frozenset[tuple[str, str]]:
        """Those of ``pairs`` of users between whom there is a block. Nobody blocks themselves. One query for all."""
        ...


class Roles(Protocol):
    """What one feature knows of its resources, for the access rule. Each owner of a resource implements it."""

    async def role(self, user_id: str | None, resource_id: str) -> str | None:
        """The role of a user (``None``: not signed in): ``owner``, ``editor``, ``commenter`` or ``viewer``.

        ``None`` if there is no such resource or the user has no role on it. What everybody may see gives ``viewer``.
        """
        ...

    async def roles(self, user_id: str, resource_ids: Set[str]) -> dict[str, str]:
        """The roles of one user on many resources; those that :meth:`role` says ``None`` of are left out.

        It takes one or two queries, however many there are.
        """
        ...


class Nodes(Protocol):
    """The nodes of the cluster, by their leases in Redis. Implemented in hub.cluster."""

    @property
    def node_id(self) -> NodeId:
        """This node. A new id at every start, so it also serves as the epoch that fences a zombie."""
        ...

    async def live(self) -> frozenset[NodeId]:
        """The nodes whose lease has not run out, this one included."""
        ...


class StaffRoles(Protocol):
    """What the staff may do. Implemented in core_api.accounts."""

    async def require(self, actor: Actor, role: str) -> None:
        """Return if the actor's account has this role now, whatever its token was made with. Raises Forbidden."""
        ...


@dataclass(frozen=True, slots=True)
class NodeAddress:
    """How other nodes reach a node, as it says with its lease."""

    socket: str = ""
    """Path of a Unix socket, for nodes on its machine."""
    host: str = ""
    """Host name or address, for nodes on other machines. Empty: they cannot reach it."""
    port: int = 0


class NodeDirectory(Protocol):
    """Where other nodes are. Implemented in hub.cluster."""

    async def address_of(self, node: NodeTag) -> NodeAddress | None:
        """How to reach a node that has a lease; ``None`` if there is no such node.

        It never takes longer than a second: when Redis does not answer, what was known last counts.
        """
        ...


class RateLimiter(Protocol):
    """Exact limits, counted for all nodes by one round trip each. Implemented in hub.gate.

    For what several doors lead to, or a few too many would harm. Else an event or route declares a limit.
    """

    async def take(self, key: str, *, per_minute: int, burst: int) -> None:
        """Take one from the allowance of ``key``. Raises RateLimited, with ``retry_after``, when it is used up.

        Lets through when Redis does not answer: a limiter that fails must not lock everybody out.
        """
        ...


class Limits(Protocol):
    """The limits that events, routes and fields of GraphQL declare. Implemented in hub.gate.

    Decides without waiting for anything. Lets through what it cannot know of.
    """

    def source(self, address: str) -> str | None:
        """What an address is counted as; ``None`` if it is not limited. Worth keeping: it takes microseconds."""
        ...

    def wait(self, name: str, user_id: str | None, source: str | None) -> float:
        """Take one from the allowances of a user and a source for an event or route.

        Gives 0, or the seconds to wait when one of them is used up, and then takes nothing.
        """
        ...

    def wait_for_all(self, counts: Mapping[str, int], user_id: str | None, source: str | None) -> float:
        """The same for so many of each name: all are taken, or nothing is.

        What is more than a burst is never given.
        """
        ...


class Revocations(Protocol):
    """Sessions that ended before their tokens did. Implemented in hub.gate."""

    async def revoke(self, session_id: SessionId, reason: str) -> None:
        """Refuse the session's access tokens from now on, on all nodes, and close its connections."""
        ...

    async def revoke_all(self, user_id: UserId, session_ids: Sequence[SessionId], reason: str) -> None:
        """Refuse the access tokens of all these sessions, and close every connection of their user."""
        ...

    async def is_revoked(self, session_id: SessionId) -> bool:
        """Whether the session was revoked within the life of an access token."""
        ...


class Authenticator(Protocol):
    """Turns an access token into who it speaks for. Implemented in core_api.accounts."""

    async def authenticate(self, access_token: str) -> "Credentials":
        """Verify a token. Raises Unauthorized, TokenExpired or Suspended."""
        ...


class Sessions(Protocol):
    """Whether sign-ins may still be used. Implemented in core_api.accounts."""

    async def check(self, actor: Actor) -> None:
        """Return if the actor's session is live. Raises Unauthorized if it has ended, Suspended if that is why.

        Raises Unavailable, or what the database raises, if that cannot be known.
        """
        ...


class Credentials(Protocol):
    """What a verified token says."""

    @property
    def actor(self) -> Actor:
        """Who it speaks for."""
        ...

    @property
    def expires_at_ms(self) -> int:
        """When it runs out, Unix time in milliseconds."""
        ...


@dataclass(frozen=True, slots=True)
class StoredAnswer:
    """A kept HTTP answer."""

    status: int
    headers: dict[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class Admission:
    """A caller who may connect, and until when (Unix ms)."""

    caller: Caller
    expires_at_ms: int
    ticket: str | None = None
    """The ticket that it came with."""
    only_again: bool = False
    """Whether the ticket was spent before: then it is enough only for the connection that was made with it."""


class Places(Protocol):
    """Counts the connections of each user over all nodes. Implemented in presence."""

    async def take(self, caller: Caller, most: int) -> None:
        """Have a connection counted from now on, before it has begun. Idempotent.

        Raises TooManyConnections if its user has ``most`` others, and Unavailable.
        """
        ...


class Gate(Protocol):
    """Checks socket handshakes. Implemented in hub.gate."""

    async def admit(self, connection_id: ConnectionId, auth: object, address: str) -> Admission:
        """Who connects. Raises Unauthorized, TokenExpired, Suspended, RateLimited or Unavailable."""
        ...

    async def confirm(self, caller: Caller) -> None:
        """Whoever was admitted wants to have an earlier connection back: is the sign-in still good?

        Raises Unauthorized, Suspended or Unavailable.
        """
        ...

    async def make_room(self, caller: Caller, here: int) -> None:
        """A connection begins anew, and brings none back: may its user have one more?

        ``here``: how many the user has on this node, with this one and others that are about to begin. Raises
        TooManyConnections or Unavailable.
        """
        ...

    async def recheck(self, session_id: SessionId) -> None:
        """Close the session's connections if it has ended; for one that has joined its room since it was admitted.

        Raises Unavailable if that cannot be known.
        """
        ...


class Answers(Protocol):
    """Answers kept for ``Idempotency-Key``. Implemented in hub.storage."""

    async def begin(self, user_id: str, key: str, fingerprint: bytes) -> StoredAnswer | None:
        """Claim ``key`` for a request with this fingerprint, or give the answer of the request that had it first.

        Raises Conflict while the first one is in flight, InvalidPayload if it was another request.
        """
        ...

    async def finish(self, user_id: str, key: str, answer: StoredAnswer | None) -> None:
        """Keep the answer for a day; ``None`` gives the key back, since the request failed and may be repeated."""
        ...


class Probe(Protocol):
    """Something readiness depends on."""

    name: str

    async def check(self) -> None:
        """Return if it works. Raises anything if not."""
        ...
