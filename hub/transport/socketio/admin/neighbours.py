"""The Admin UIs of the other nodes: what they are told of this one, and what this one is told of them.

A node tells those who have said lately that admins watch them, by notices that may be lost. Changes are numbered, so
whoever misses one sees it, and asks for the whole picture.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Any, Final, NamedTuple, Protocol

import msgspec

from hub.kernel.errors import HubError
from hub.kernel.ids import NodeId
from hub.kernel.operations import A, Peers, Q, Replies
from hub.transport.socketio.admin.audience import Audience, Change

WITHIN_S: Final = 1.0
"""Longest wait for the pictures of other nodes, and for what they did. A page that opens shows nothing before."""
WATCHED_S: Final = 60.0
"""Longest time for which a node counts as watching after it has said so."""
GATHER_S: Final = 0.05
"""How long changes are gathered into one notice."""
MOST_AT_ONCE: Final = 100
"""Changes in a notice: events are cut to 2000 characters, so it has less than a megabyte."""


class Watch(msgspec.Struct):
    """Admins of a node watch the others."""

    node: str
    for_s: float
    """Seconds until they no longer do, unless it is said again."""
    changes: bool
    """Whether they are told of sockets, and not only of numbers."""
    sockets: int
    """How many of the sockets they want to see now."""


class Picture(msgspec.Struct):
    """The sockets of a node."""

    number: int
    """Of the last change that is in it."""
    sockets: list[dict[str, Any]]


class Changes(msgspec.Struct):
    """What has happened on a node. With ``left_out`` there was more than it tells of."""

    changes: list[Change]
    left_out: bool


class Statistics(msgspec.Struct):
    """The numbers of a node."""

    statistics: dict[str, Any]


class Command(msgspec.Struct):
    """What an admin of another node wants done."""

    name: str
    arguments: list[Any]


class Done(msgspec.Struct):
    """To how many sockets it was done; or ``refused``, since the Admin UI here is read-only."""

    sockets: int
    refused: bool


class Watcher(NamedTuple):
    """Another node that has admins."""

    until: float
    changes: bool


class NoPeers:
    """Implements hub.kernel.operations.Peers for a server that is alone."""

    def serve(self, name: str, question: type[Q], answer: Callable[[Q], Awaitable[msgspec.Struct]]) -> None:
        """See Peers."""

    def hear(self, name: str, notice: type[Q], listener: Callable[[NodeId, Q], None]) -> None:
        """See Peers."""

    async def ask(
        self, name: str, question: msgspec.Struct, answer: type[A], *, within_s: float, others: bool = False
    ) -> Replies[A]:
        """See Peers."""
        return Replies({}, [])

    def tell(self, nodes: Iterable[NodeId], name: str, notice: msgspec.Struct) -> None:
        """See Peers."""


class Host(Protocol):
    """The Admin UI of this node, as those of others use it."""

    def watched(self) -> None:
        """Another node watches this one: statistics are wanted."""
        ...

    def sockets(self, most: int) -> list[dict[str, Any]]:
        """The sockets here, as far as they may be shown."""
        ...

    async def carry_out(self, name: str, arguments: list[Any]) -> int | None:
        """Do something to the sockets here, and say to how many; ``None`` if that is not allowed. Raises ValueError."""
        ...


class Neighbours:
    """Both directions. ``wants_changes``: whether admins here are told of sockets. ``for_s``: see Watch."""

    def __init__(
        self, peers: Peers, host: Host, audience: Audience, name: str, *, for_s: float, wants_changes: bool
    ) -> None:
        self._peers, self._host, self._audience, self._name = peers, host, audience, name
        self._for_s, self._wants_changes = for_s, wants_changes
        self._watchers: dict[NodeId, Watcher] = {}
        self._number = 0
        self._gathered: list[Change] = []
        self._timer: asyncio.TimerHandle | None = None
        self._seen: dict[NodeId, int] = {}
        """The number of the last change of each node that all admins here have seen."""
        self._due: dict[NodeId, int] = {}
        """The number of each node's last change when it was asked last."""
        self._answering: frozenset[NodeId] | None = None
        """The nodes that answered last; ``None``: nobody was asked yet."""
        self._is_closed = False
        self.is_behind = False
        """Whether admins here miss changes of other nodes, or whole nodes."""

    def start(self) -> None:
        """Answer the other nodes, and listen to them."""
        self._peers.serve("admin ui: watch", Watch, self._be_watched)
        self._peers.serve("admin ui: command", Command, self._carry_out)
        self._peers.hear("admin ui: changes", Changes, self._take_changes)
        self._peers.hear("admin ui: statistics", Statistics, self._take_statistics)

    def close(self) -> None:
        """Tell nobody anything any more, and do nothing for anybody."""
        self._is_closed = True
        self._watchers, self._gathered = {}, []

    # ---------------------------------------------------------------- what others are told

    def watchers(self, *, of_changes: bool) -> list[NodeId]:
        """The nodes that watch this one now."""
        now = asyncio.get_running_loop().time()
        self._watchers = {node: one for node, one in self._watchers.items() if one.until > now}
        return [node for node, one in self._watchers.items() if one.changes or not of_changes]

    def has_watchers(self) -> bool:
        """Whether there may be nodes that want changes. It is asked at every event, so it looks at no clock."""
        return bool(self._watchers)

    def tell(self, event: str, arguments: list[Any], *, droppable: bool) -> Change:
        """Number a change, and tell it to those who watch, soon."""
        self._number += 1
        change = Change(self._number, event, arguments, droppable)
        if self._watchers:
            self._gathered.append(change)
            if self._timer is None:
                self._timer = asyncio.get_running_loop().call_later(GATHER_S, self._send)
        return change

    def tell_statistics(self, statistics: dict[str, Any]) -> None:
        """Tell the numbers of this node."""
        if watchers := self.watchers(of_changes=False):
            self._peers.tell(watchers, "admin ui: statistics", Statistics(statistics))

    def tell_of_more(self) -> None:
        """Say that more has happened than was told."""
        if watchers := self.watchers(of_changes=True):
            self._peers.tell(watchers, "admin ui: changes", Changes([], left_out=True))

    def _send(self) -> None:
        self._timer = None
        gathered, self._gathered = self._gathered, []
        watchers = self.watchers(of_changes=True)
        for start in range(0, len(gathered) if watchers else 0, MOST_AT_ONCE):
            notice = Changes(gathered[start : start + MOST_AT_ONCE], left_out=False)
            self._peers.tell(watchers, "admin ui: changes", notice)

    # ---------------------------------------------------------------- what others say

    async def _be_watched(self, watch: Watch) -> Picture:
        if self._is_closed:
            return Picture(0, [])
        until = asyncio.get_running_loop().time() + min(watch.for_s, WATCHED_S)
        self._watchers[NodeId(watch.node)] = Watcher(until, watch.changes)
        self._host.watched()
        return Picture(self._number, self._host.sockets(watch.sockets) if watch.changes and watch.sockets else [])

    async def _carry_out(self, command: Command) -> Done:
        done = None if self._is_closed else await self._host.carry_out(command.name, command.arguments)
        return Done(done or 0, refused=done is None)

    def _take_changes(self, node: NodeId, told: Changes) -> None:
        if told.left_out:
            self.is_behind = True
        for change in told.changes:
            last = self._seen.get(node, change.number)
            if change.number > last + 1:
                self.is_behind = True
            self._seen[node] = max(last, change.number)
            self._audience.change_elsewhere(node, change)

    def _take_statistics(self, _: NodeId, told: Statistics) -> None:
        self._audience.tell("server_stats", told.statistics)

    # ---------------------------------------------------------------- what others are asked

    async def watch(self, sockets: int = 0) -> dict[NodeId, Picture]:
        """Say that admins watch, and get so many sockets of each other node that answers."""
        try:
            replies = await self._peers.ask(
                "admin ui: watch",
                Watch(self._name, self._for_s, self._wants_changes, sockets),
                Picture,
                within_s=WITHIN_S,
                others=True,
            )
        except HubError:  # Redis does not answer: what is known stays
            return {}
        answering = frozenset(replies.answers)
        if self._answering is not None and answering != self._answering:
            self.is_behind = True  # a node has come or gone, and what it showed with it
        self._answering = answering
        for node, picture in replies.answers.items():
            # What had happened when it was asked the time before has come by now, or is lost.
            if self._wants_changes and self._seen.setdefault(node, picture.number) < self._due.get(node, 0):
                self.is_behind = True
            self._due[node] = picture.number
        return replies.answers

    def caught_up(self, pictures: Mapping[NodeId, Picture]) -> None:
        """All admins here are shown these pictures."""
        for node, picture in pictures.items():
            self._seen[node] = max(self._seen.get(node, 0), picture.number)

    async def carry_out_elsewhere(self, name: str, arguments: list[Any]) -> tuple[int, list[NodeId]]:
        """Have a command carried out on the other nodes: to how many sockets, and which nodes have not done it.

        Raises HubError if it cannot be known which nodes there are, or it is too large for them.
        """
        question = Command(name, arguments)
        replies = await self._peers.ask("admin ui: command", question, Done, within_s=WITHIN_S, others=True)
        refused = [node for node, done in replies.answers.items() if done.refused]
        return sum(done.sockets for done in replies.answers.values()), sorted([*replies.missing, *refused])
