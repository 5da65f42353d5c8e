"""Waiting as the hub asks, when it takes no more sign-ups or connects."""

import logging
import threading
import time
from collections.abc import Callable
from typing import TypeVar

from load_tests.measures.faults import Refused

T = TypeVar("T")

log = logging.getLogger(__name__)

PAUSE_S = 1.0
"""After a refusal for now that does not say for how long."""


class Turnstile:
    """Lets a few attempts go on at once. After a refusal the refused go one at a time, at the pace the hub asks for.

    If all who were told to wait a second came back after that second, all but one would be refused again, and each
    refusal is a failure in the report.
    """

    def __init__(
        self,
        advice: str,
        *,
        at_once: int,
        patience_s: float,
        sleep: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """``advice`` is logged when the hub first asks to wait; ``patience_s`` is how long an attempt is repeated."""
        self._advice = advice
        self._patience_s = patience_s
        self._sleep = sleep
        self._clock = clock
        self._places = threading.BoundedSemaphore(at_once)
        self._line = threading.Lock()
        self._advised = False

    def through(self, attempt: Callable[[], T]) -> T:
        """The result of the first attempt that is not refused.

        Raises Refused at once if waiting is useless, else when the wait would exceed the patience.
        """
        end_s = self._clock() + self._patience_s
        with self._places:
            if not self._line.locked():
                try:
                    return attempt()
                except Refused as refusal:
                    pause_s = self._pause_s(refusal, end_s)
            else:
                pause_s = 0.0
            with self._line:
                while True:
                    self._sleep(pause_s)
                    try:
                        return attempt()
                    except Refused as refusal:
                        pause_s = self._pause_s(refusal, end_s)

    def _pause_s(self, refusal: Refused, end_s: float) -> float:
        if not refusal.temporary:
            raise refusal
        pause_s = PAUSE_S if refusal.retry_after_s is None else refusal.retry_after_s
        if refusal.retry_after_s is not None and not self._advised:
            self._advised = True
            log.warning("%s: waiting %.1f s as the hub asks. %s", refusal.code, pause_s, self._advice)
        if self._clock() + pause_s > end_s:
            raise refusal
        return pause_s
