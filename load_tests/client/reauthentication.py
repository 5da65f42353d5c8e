"""A connection that outlives its access token: told ``session:expiring``, it goes on with a newer one."""

import time
from collections.abc import Callable
from typing import Any, Protocol

from load_tests.client.account import Account
from load_tests.client.connection import Acknowledged
from load_tests.measures.faults import ConnectionLost, Fault, Refused

EVENT = "auth:refresh"


class Expiring(Protocol):
    """What is used of a Connection."""

    ended: bool

    def send(self, event: str, payload: object) -> Acknowledged:
        """See Connection."""
        ...

    def answer(self, acknowledged: Acknowledged, within_s: float) -> Any:
        """See Connection."""
        ...


def go_on(
    connection: Expiring,
    account: Account,
    within_s: float,
    sample: Callable[[str, str, float, Fault | None], None],
    pause: Callable[[], None],
) -> None:
    """Give the hub a newer token, and again after a ``pause`` while it cannot take one. Each try is a ``sample``.

    Without a newer token the hub ends the connection, which its listener is told. So does the user, at any moment:
    what that interrupts is no failure.
    """
    while not connection.ended:
        try:
            token = account.new_token()  # a request by REST, which is measured as such
        except Refused as refusal:
            if not refusal.temporary:
                return
            pause()
            continue
        since_s, outcome = time.monotonic(), None
        try:
            connection.answer(connection.send(EVENT, {"token": token}), within_s)
        except ConnectionLost:
            return
        except Fault as fault:
            outcome = fault
        sample("ack", EVENT, time.monotonic() - since_s, outcome)
        if outcome is None or (isinstance(outcome, Refused) and not outcome.temporary):
            return
        pause()
