"""A person who looks at who is there, and is looked at."""

import itertools
from typing import Any

from load_tests.client.connection import Connection
from load_tests.gatherings import Circle
from load_tests.measures.stamp import Stamp
from load_tests.users.hub_user import HubUser, action

STATUSES = ("online", "away", "busy", "dnd")
"""Not ``invisible``: nobody sees anything of it, so nothing could be measured."""


class PresenceUser(HubUser):
    """Watches the others of a circle and changes status; the status text carries the stamp.

    The hub shows whole states and may leave out one that was soon replaced, so a later change stands for those before.
    """

    weight = 2
    every_s = 6.0

    def __init__(self, environment: Any) -> None:
        super().__init__(environment)
        self._circle: Circle | None = None
        self._watched: set[int] = set()
        self._numbers = itertools.count(1)
        self._latest: dict[int, int] = {}
        """The newest number seen of each sender."""

    @property
    def circle(self) -> Circle:
        """Those of this worker who watch each other."""
        if self._circle is None:
            self._circle = self.world.circles.enter(Circle)
            self._circle.ids[self.number] = self.account.id
        return self._circle

    def join(self, connection: Connection) -> None:
        """Watch who is there."""
        self._watched.clear()
        self.circle.present.add(self.number)
        self._watch_newcomers(connection)

    def part(self) -> None:
        """Nothing is owed to who is not there."""
        if self._circle is not None:
            self._circle.present.discard(self.number)
            for watchers in self._circle.watchers.values():
                watchers.discard(self.number)

    def leave(self) -> None:
        """Make the place free."""
        if self._circle is not None:
            self._circle.ids.pop(self.number, None)
            self.part()
            self.world.circles.leave(self._circle, self.number)

    @action(5)
    def change_status(self, due_s: float) -> None:
        """Watch those who have come since, and show another status."""
        self._watch_newcomers(self.present())
        stamp = Stamp.of(self.number, next(self._numbers), due_s)
        key = ("presence", stamp.sender, stamp.number)
        state = {"status": self.draw.choice(STATUSES), "text": str(stamp)}
        with self.owing(key, "presence:diff", self.circle.watchers[self.number], due_s):
            self.ask("presence:update", state, due_s=due_s)

    @action(1)
    def look(self, due_s: float) -> None:
        """Ask for everybody at once."""
        self.ask("presence:get", {"userIds": list(self.circle.ids.values())}, due_s=due_s)

    def came(self, event: str, payload: Any) -> None:
        """Somebody's state."""
        if event == "presence:diff":
            for user in payload["users"]:
                for stamp in Stamp.all_in(user.get("text", "")):
                    self._saw(stamp)

    def _saw(self, stamp: Stamp) -> None:
        before = self._latest.get(stamp.sender, 0)
        for number in range(before + 1, stamp.number):
            self.world.deliveries.received(("presence", stamp.sender, number), self.number)
        self._latest[stamp.sender] = max(before, stamp.number)
        self.receipt(("presence", stamp.sender, stamp.number), "presence:diff", stamped_s=stamp.due_s)

    def _watch_newcomers(self, connection: Connection) -> None:
        newcomers = self.circle.ids.keys() - self._watched - {self.number}
        if not newcomers:
            return
        ids = {number: self.circle.ids[number] for number in newcomers}
        self.ask("presence:watch", {"userIds": list(ids.values())}, over=connection)
        self._watched |= ids.keys()
        for number in ids:
            self.circle.watchers[number].add(self.number)
