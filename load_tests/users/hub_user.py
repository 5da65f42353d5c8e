"""What all users have in common: an account, a connection that comes back, and metrics of what they do."""

import logging
import random
import threading
import time
from collections.abc import Callable, Hashable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any, ClassVar, TypeVar

from gevent import GreenletExit
from locust import FastHttpUser, task

from load_tests.client.account import Account
from load_tests.client.connection import Acknowledged, Connection
from load_tests.client.reauthentication import go_on
from load_tests.client.rest import Rest
from load_tests.measures.faults import ConnectionLost, Fault, Refused
from load_tests.measures.pace import Pace
from load_tests.world import World

DEFAULT_HOST = "http://127.0.0.1:8080"
POLL_S = 0.05
RETURN_S = (0.5, 1.5)
"""When a client comes back after a loss: socket.io-client's default, a second give or take half."""

U = TypeVar("U", bound="HubUser")

log = logging.getLogger(__name__)


def action(weight: int = 1) -> Callable[[Callable[[U, float], None]], Callable[[U], None]]:
    """A Locust task of a `HubUser`. It is given when it was due, and ends with its first fault, which is reported."""

    def decorate(act: Callable[[U, float], None]) -> Callable[[U], None]:
        def run(user: U) -> None:
            try:
                act(user, user.pace.due_s)
            except Fault as fault:
                log.debug("user %d gives %s up: %r", user.number, act.__name__, fault)

        run.__name__ = act.__name__
        decorated: Callable[[U], None] = task(weight)(run)
        return decorated

    return decorate


class HubUser(FastHttpUser):
    """Signs up, connects, acts at its pace, comes back after a loss, and waits for what is owed before it leaves.

    A subclass says what it does on arrival (`join`), when something comes (`came`), and at its times (`action`).
    """

    abstract = True
    host = DEFAULT_HOST
    every_s: ClassVar[float]
    """Mean time between two actions, at the usual tempo."""
    world: ClassVar[World]

    def __init__(self, environment: Any) -> None:
        super().__init__(environment)
        settings = self.world.settings
        self.number = next(self.world.numbers)
        self.draw = random.Random(f"{settings.seed}.{self.number}")
        self.pace = Pace(self.every_s / settings.tempo, time.monotonic(), self.draw)
        self.account: Account
        self._connection: Connection | None = None
        self._newest: Connection | None = None
        """The one that events come by: `_connection` as soon as it has joined."""
        self._here = threading.Event()
        self._leaving = False
        self._drained_s: float | None = None

    # Life

    def on_start(self) -> None:
        """Sign up and connect. A user who is refused for good, or for too long, does not take part."""
        try:
            self.account = self.world.sign_ups.through(lambda: Account.sign_up(Rest(self.client)))
            self._arrive("first")
        except Fault as fault:
            log.error("a %s cannot take part: %r", type(self).__name__, fault)
            raise GreenletExit from None  # as if stopped: Locust logs a traceback of StopUser
        self.pace.due_s = time.monotonic()
        time.sleep(self.wait_time())

    def on_stop(self) -> None:
        """Stop acting, wait for what is on its way, and disconnect."""
        self._leaving = True
        self.leave()
        end_s = time.monotonic() + self.world.noticed_s
        while self.world.deliveries.waiting(self.number) and time.monotonic() < end_s:
            time.sleep(POLL_S)
        if self._here.is_set():
            self.farewell()
        self._gone()
        if self._connection is not None:
            self._connection.close()

    @property
    def is_here(self) -> bool:
        """Whether the connection is open and has joined."""
        return self._here.is_set()

    @property
    def is_leaving(self) -> bool:
        """Whether the user has been told to stop."""
        return self._leaving

    def wait_time(self) -> float:
        """Seconds until the next action is due."""
        return self.pace.wait_s(time.monotonic())

    # For subclasses

    def join(self, connection: Connection) -> None:
        """A connection has come; it is in no room yet. Raises Fault, and may be called again with the next."""

    def part(self) -> None:
        """The connection is gone."""

    def leave(self) -> None:
        """Act no more, but receive what is on its way."""

    def farewell(self) -> None:
        """Look back, still connected."""

    def came(self, event: str, payload: Any) -> None:
        """An event came. Must not wait."""

    def ask(
        self,
        event: str,
        payload: object,
        *,
        due_s: float | None = None,
        over: Connection | None = None,
        tolerated: Callable[[], frozenset[str]] = frozenset,
    ) -> Any:
        """The data of the acknowledgement, which is measured from ``due_s`` (default: now).

        ``over`` is a connection that has not joined yet; otherwise a lost connection is waited for. Raises Fault, which
        is no failure in the report if its code is in ``tolerated`` by then.
        """
        connection = over or self.present()
        since_s = time.monotonic() if due_s is None else due_s
        return self.answer(event, connection, connection.send(event, payload), since_s, tolerated)

    def answer(
        self,
        name: str,
        connection: Connection,
        acknowledged: Acknowledged,
        since_s: float,
        tolerated: Callable[[], frozenset[str]] = frozenset,
    ) -> Any:
        """Wait for what ``connection.send`` has begun. Otherwise like `ask`."""
        within_s = self.world.settings.within_s
        return self.measure("ack", name, since_s, lambda: connection.answer(acknowledged, within_s), tolerated)

    def pause(self, usual_s: float) -> None:
        """Do nothing for a while: type, or talk. The delay of later actions does not count it."""
        seconds = usual_s / self.world.settings.tempo
        self.pace.pause(seconds)
        time.sleep(seconds)

    def present(self) -> Connection:
        """The connection; a lost one has time to come back. Raises Fault."""
        within_s = 0.0 if self._leaving else self.world.settings.within_s
        if self._here.wait(within_s) and self._connection is not None:
            return self._connection
        fault = ConnectionLost(f"not back within {within_s:g} s")
        if not self._leaving:
            self.world.report.sample("connection", "ended by the hub", within_s, fault)
        raise fault

    def measure(
        self,
        kind: str,
        name: str,
        since_s: float,
        work: Callable[[], Any],
        tolerated: Callable[[], frozenset[str]] = frozenset,
    ) -> Any:
        """The result of ``work``, reported as a sample. Raises its Fault."""
        try:
            result = work()
        except Fault as fault:
            is_failure = not (isinstance(fault, Refused) and fault.code in tolerated())
            self.world.report.sample(kind, name, time.monotonic() - since_s, fault if is_failure else None)
            raise
        self.world.report.sample(kind, name, time.monotonic() - since_s)
        return result

    @contextmanager
    def owing(
        self, key: Hashable, event: str, receivers: Iterable[int], due_s: float, *, may_be_lost: bool = False
    ) -> Iterator[None]:
        """Within this block ``key`` is sent, and acknowledged, to ``receivers``. See `Deliveries.expect`.

        What is not acknowledged, because it failed or because the user is being stopped, is owed to nobody.
        """
        now_s = time.monotonic()
        self.world.deliveries.expect(key, event, receivers, due_s=due_s, now_s=now_s, may_be_lost=may_be_lost)
        try:
            yield
        except BaseException:
            self.world.deliveries.withdraw(key)
            raise

    def receipt(self, key: Hashable, event: str, *, stamped_s: float | None = None, fault: Fault | None = None) -> bool:
        """``key`` has come; gives whether this user was waiting for it.

        The delivery is measured from ``stamped_s``, which the payload carried, where it carries anything. What nobody
        waited for counts only if something is wrong with it.
        """
        owed_s = self.world.deliveries.received(key, self.number)
        due_s = owed_s if stamped_s is None else stamped_s
        if due_s is not None and (owed_s is not None or fault is not None):
            self.world.report.sample("delivery", event, time.monotonic() - due_s, fault)
        return owed_s is not None

    def reconnect(self) -> None:
        """Disconnect, and come back with a new token. Raises Fault."""
        connection = self.present()
        self._gone()
        connection.close()
        self._arrive("again")

    # Listener of the connection

    def received(self, event: str, payload: Any) -> None:
        """See Listener."""
        if event == "hub:draining":
            self._drained_s = payload["reconnectAfterMs"] / 1000
        elif event == "session:expiring" and self._newest is not None:
            threading.Thread(target=self._go_on, args=(self._newest,), daemon=True).start()
        elif event == "hub:error":
            self.world.report.sample("error", payload["event"], 0, Refused.by_acknowledgement(payload["error"]))
        self.came(event, payload)

    def lost(self, connection: Connection, reason: str) -> None:
        """See Listener. A node that drains has said so; all other losses are failures."""
        drained_s, self._drained_s = self._drained_s, None
        self.world.report.sample(
            "connection", "ended by the hub", 0, ConnectionLost(reason) if drained_s is None else None
        )
        if connection is self._connection and not self._leaving:
            self._gone()
            after_s = self.draw.uniform(*RETURN_S) if drained_s is None else drained_s
            threading.Thread(target=self._come_back, args=(after_s,), daemon=True).start()

    def _go_on(self, connection: Connection) -> None:
        settings, sample = self.world.settings, self.world.report.sample
        go_on(connection, self.account, settings.within_s, sample, lambda: time.sleep(self.draw.uniform(*RETURN_S)))

    def _come_back(self, after_s: float) -> None:
        time.sleep(after_s)
        try:
            self._arrive("again")
        except Fault as fault:
            log.error("a %s cannot come back: %r", type(self).__name__, fault)

    def _arrive(self, name: str) -> None:
        while not self._leaving:
            connection = self.world.connects.through(lambda: self._connect(name))
            try:
                self.join(connection)
            except Fault as fault:
                connection.close()
                if isinstance(fault, Refused) and not fault.temporary:
                    raise
                time.sleep(self.draw.uniform(*RETURN_S))
            if not connection.ended:  # it may be lost, which `lost` has reported
                self._connection = connection
                self._here.set()
                return

    def _connect(self, name: str) -> Connection:
        connection = self._newest = Connection(self)
        # What socket.io-client calls as a function `auth`: each connection has a token of its own.
        auth = {"token": self.account.token() if name == "first" else self.account.new_token(), "device": "load"}
        url, within_s = self.host or DEFAULT_HOST, self.world.settings.within_s
        self.measure("connect", name, time.monotonic(), lambda: connection.open(url, auth, within_s))
        return connection

    def _gone(self) -> None:
        self._here.clear()
        self.world.deliveries.forget(self.number)
        self.part()
