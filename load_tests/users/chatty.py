"""A person who talks in a room."""

import itertools
import time
from contextlib import ExitStack
from typing import Any

from load_tests.client.connection import Connection
from load_tests.gatherings import Room
from load_tests.measures.order import Order
from load_tests.measures.stamp import Stamp
from load_tests.users.hub_user import HubUser, action

KEPT = "room:message"
VOLATILE = "room:message (volatile)"
NAMES = {KEPT: "room:send", VOLATILE: "room:send (volatile)"}
BURST = 3
"""Messages sent before the first is acknowledged: only then could a hub mix them up."""
TYPING_S = 0.5
TEXT = "the quick brown fox jumps over the lazy dog"


class ChattyUser(HubUser):
    """Says things that are kept, one by one and in bursts, and things that are not; types beforehand.

    Kept messages are numbered: at each receiver those of one sender must come in order, each once.
    """

    weight = 3
    every_s = 4.0

    def __init__(self, environment: Any) -> None:
        super().__init__(environment)
        self._room: Room | None = None
        self._order = Order()
        self._numbers = {KEPT: itertools.count(1), VOLATILE: itertools.count(1)}

    @property
    def room(self) -> Room:
        """The room of the hub that this user is in with others of this worker."""
        if self._room is None:
            self._room = self.world.rooms.enter(self._new_room)
        return self._room

    def join(self, connection: Connection) -> None:
        """Join the room."""
        self._order = Order()  # what came while the user was away is not sent again
        self.ask("room:join", {"roomId": self.room.id}, over=connection)
        self.room.present.add(self.number)

    def part(self) -> None:
        """Nothing is owed to who is not there."""
        if self._room is not None:
            self._room.present.discard(self.number)

    def leave(self) -> None:
        """Make the place free."""
        if self._room is not None:
            self.world.rooms.leave(self._room, self.number)

    @action(4)
    def speak(self, due_s: float) -> None:
        """Type, and send what was typed."""
        room = f"room:{self.room.id}"
        with self.owing(("typing", room, self.account.id), "typing:update", self._others(), due_s, may_be_lost=True):
            self.ask("typing:start", {"room": room}, due_s=due_s)
        self.pause(TYPING_S)
        self._say(KEPT, [time.monotonic()])
        self.ask("typing:stop", {"room": room})

    @action(2)
    def burst(self, due_s: float) -> None:
        """Send several messages right behind each other."""
        self._say(KEPT, [due_s] * BURST)

    @action(2)
    def mutter(self, due_s: float) -> None:
        """Send what is not kept and may be lost."""
        self._say(VOLATILE, [due_s])

    def came(self, event: str, payload: Any) -> None:
        """A message, or somebody typing."""
        if event == "typing:update" and payload["typing"]:
            self.receipt(("typing", payload["room"], payload["userId"]), event)
        elif event == "room:message":
            kind = KEPT if "seq" in payload else VOLATILE
            for stamp in Stamp.all_in(payload["body"]["stamp"]):
                fault = self._order.check(stamp.sender, stamp.number) if kind == KEPT else None
                self.receipt((kind, stamp.sender, stamp.number), kind, stamped_s=stamp.due_s, fault=fault)

    def _say(self, kind: str, dues_s: list[float]) -> None:
        """Send a message for each time, and only then wait for the acknowledgements."""
        connection = self.present()
        stamps = [Stamp.of(self.number, next(self._numbers[kind]), due_s) for due_s in dues_s]
        sent = []
        with ExitStack() as owing:
            for stamp in stamps:
                key = (kind, stamp.sender, stamp.number)
                owing.enter_context(self.owing(key, kind, self._others(), stamp.due_s, may_be_lost=kind == VOLATILE))
                sent.append(connection.send("room:send", self._message(kind, stamp)))
            for stamp, acknowledged in zip(stamps, sent, strict=True):
                self.answer(NAMES[kind], connection, acknowledged, stamp.due_s)

    def _message(self, kind: str, stamp: Stamp) -> dict[str, Any]:
        body = {"stamp": str(stamp), "text": TEXT}
        return {"roomId": self.room.id, "clientId": str(stamp), "body": body, "volatile": kind == VOLATILE}

    def _others(self) -> set[int]:
        return self.room.others(self.number)

    def _new_room(self) -> Room:
        return Room(id=self.account.post("/rooms", {"name": "Load", "visibility": "public"})["id"])
