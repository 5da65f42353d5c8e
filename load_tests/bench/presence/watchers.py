"""Those who watch: each some hundreds of people, and writes down every state that comes."""

import asyncio
from collections.abc import Sequence
from typing import Any

from load_tests.bench.cluster.nodes import Node
from load_tests.bench.presence.connection import CannotConnect, Claim, Connection
from load_tests.bench.presence.history import Person, Seen, Unwatching, Watching
from load_tests.bench.presence.people import Scene, now_ms

AGAIN_S = (0.1, 0.5)
"""Before a lost watcher tries again: soon, since while it is away it sees nothing."""


class Watcher:
    """A connection that watches people, and comes back when it is lost, with all it watched."""

    def __init__(self, scene: Scene, number: int, token: str, people: dict[str, Person]) -> None:
        """``people``: whom it watches, by their ids."""
        self._scene = scene
        self.number = number
        self._token = token
        self._people = people
        self._connection: Connection | None = None
        self._claim: Claim | None = None
        self._ended = False
        self._is_coming = False
        """Whether :meth:`come` is under way, and will say that the connection is lost."""
        self._sees = False
        """Whether what comes is written down at once."""
        self._early: list[list[dict[str, Any]]] = []
        """Diffs that overtook the answer to ``presence:watch``, which may be older than they are."""

    @property
    def is_there(self) -> bool:
        """Whether it watches just now."""
        return self._connection is not None

    async def come(self, node: Node) -> None:
        """Connect to a node, and watch. Raises CannotConnect."""
        connection = Connection(self._scene.http, self._scene.tasks, self)
        self._is_coming = True
        try:
            ready = await connection.open(node.port, {"token": self._token, "device": "watcher"}, self._claim)
            if not ready["recovered"]:
                answer = await connection.call("presence:watch", {"userIds": list(self._people)})
                self._begin(node.name, recovered=False, users=answer["users"])
        except CannotConnect:
            self._claim = None
            self._early.clear()
            await connection.close()
            raise
        finally:
            self._is_coming = False
        if connection.has_ended:  # :meth:`lost` has been called
            raise CannotConnect("lost at once")
        self._connection = connection

    def stop(self) -> None:
        """Do not come back any more."""
        self._ended = True

    def received(self, event: str, payload: Any) -> None:
        """See connection.Listener."""
        if event == "session:ready" and payload["recovered"]:
            self._begin(payload["nodeId"], recovered=True, users=())
        elif event == "presence:diff" and self._sees:
            self._seen(payload["users"], told=True)
        elif event == "presence:diff":
            self._early.append(payload["users"])

    def lost(self) -> None:
        """See connection.Listener."""
        if self._connection is not None:
            self._claim, self._connection = self._connection.claim, None
        if self._sees:
            self._sees = False
            self._scene.write(Unwatching(now_ms(), self.number))
        if not self._ended and not self._is_coming:
            self._scene.tasks.start(self._come_back(), name="watch again")

    def _begin(self, node: str, *, recovered: bool, users: Sequence[dict[str, Any]]) -> None:
        self._scene.write(Watching(now_ms(), self.number, node, recovered))
        self._sees = True
        self._seen(users, told=False)
        while self._early:
            self._seen(self._early.pop(0), told=True)

    async def _come_back(self) -> None:
        while not self._ended and self._connection is None:
            await asyncio.sleep(self._scene.draw.uniform(*AGAIN_S))
            takers = self._scene.nodes.takers()
            if takers:
                try:
                    await self.come(self._scene.draw.choice(takers))
                except CannotConnect:
                    continue

    def _seen(self, users: Sequence[dict[str, Any]], *, told: bool) -> None:
        now = now_ms()
        for user in users:
            person = self._people.get(user["userId"])
            if person is not None:
                devices = tuple(sorted((device["device"], device["status"]) for device in user["devices"]))
                self._scene.write(
                    Seen(now, self.number, person, told, user["version"], user["status"], user.get("text", ""), devices)
                )
