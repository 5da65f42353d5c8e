"""What the users of one worker share during one test: settings, who meets whom, what is on its way."""

import itertools
import random
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from load_tests.call import endings
from load_tests.client.turnstile import Turnstile
from load_tests.gatherings import Circle, Document, Gatherings, Room, Switchboard
from load_tests.measures.deliveries import Deliveries
from load_tests.measures.faults import Undelivered
from load_tests.measures.report import Report

if TYPE_CHECKING:
    from load_tests.client.peer_connection import PeerConnection, PeerConnections

SIGN_UPS_AT_ONCE = 4
"""As many as two nodes hash passwords. More would only wait there, and be refused when the queue is full."""
CONNECTS_AT_ONCE = 50
LOOK_EVERY_S = 0.1
"""How late a missing delivery is noticed."""


@dataclass(frozen=True)
class Settings:
    """How users behave. See the options of the same names in locustfile.py."""

    tempo: float = 1.0
    """How often users act, times the usual."""
    group_size: int = 10
    """People in a room, and people who watch each other."""
    document_size: int = 5
    """Editors of a document."""
    within_s: float = 10.0
    """How long a connect, an acknowledgement or a delivery may take before it has failed."""
    patience_s: float = 120.0
    """How long a user who is refused for now keeps trying to sign up or to connect."""
    media: bool = False
    """Whether those who call each other connect by WebRTC."""
    only_loopback: bool = True
    """Whether that stays on this machine."""
    seed: str = "1"
    """Of what users draw: times and choices."""


class World:
    """Begins with `start`; `stop` when all users have left."""

    def __init__(self, settings: Settings, report: Report) -> None:
        self.settings = settings
        self.report = report
        self.draw = random.Random(settings.seed)
        self.numbers = itertools.count(1)
        """A number for each user."""
        self.deliveries = Deliveries(settings.within_s)
        self.sign_ups = Turnstile(
            "Start the hub with a higher SPARKLE_ACCOUNTS_SIGN_UPS_PER_MINUTE, or spawn slower.",
            at_once=SIGN_UPS_AT_ONCE,
            patience_s=settings.patience_s,
        )
        self.connects = Turnstile(
            "Start the hub with a higher SPARKLE_GATE_CONNECTS_PER_MINUTE, or spawn slower.",
            at_once=CONNECTS_AT_ONCE,
            patience_s=settings.patience_s,
        )
        self.rooms: Gatherings[Room] = Gatherings(settings.group_size)
        self.circles: Gatherings[Circle] = Gatherings(settings.group_size)
        self.documents: Gatherings[Document] = Gatherings(settings.document_size)
        self.callers: Switchboard[Any] = Switchboard(self.draw)
        self.endings = endings(self.draw)
        self.noticed_s = settings.within_s + 3 * LOOK_EVERY_S
        """How long after the sending a missing delivery has been reported for certain."""
        self._peer_connections: PeerConnections | None = None
        self._over = threading.Event()

    def start(self) -> None:
        """Begin to look for what does not arrive."""
        threading.Thread(target=self._look, daemon=True).start()

    def peer_connection(self) -> "PeerConnection | None":
        """For one side of a call; None if callers only signal."""
        if not self.settings.media:
            return None
        if self._peer_connections is None:
            from load_tests.client.peer_connection import PeerConnections  # noqa: PLC0415 aiortc takes half a second

            self._peer_connections = PeerConnections(only_loopback=self.settings.only_loopback)
        return self._peer_connections.make()

    def stop(self) -> None:
        """End it."""
        self._over.set()

    def _look(self) -> None:
        while not self._over.wait(LOOK_EVERY_S):
            for event in self.deliveries.take_overdue(time.monotonic()):
                within_s = self.settings.within_s
                self.report.sample("delivery", event, within_s, Undelivered(within_s))
