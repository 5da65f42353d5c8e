"""What the demo prints: who did or saw what, when, chapter by chapter."""

import time
from collections.abc import Callable


class Timeline:
    """Lines of a table: seconds since the start, a name, a sentence."""

    def __init__(self, write: Callable[[str], None], now: Callable[[], float] = time.monotonic) -> None:
        self._write = write
        self._now = now
        self._started = now()
        self.observations = 0
        """How many things were seen to arrive, as opposed to done."""

    @property
    def elapsed_s(self) -> float:
        """Seconds since the start."""
        return self._now() - self._started

    def chapter(self, title: str) -> None:
        """Begin a chapter."""
        self._write(f"\n{title}")

    def does(self, who: str, what: str) -> None:
        """Somebody does something."""
        self._write(f"{self.elapsed_s:7.2f} s  {who:<5} {what}")

    def sees(self, who: str, what: str) -> None:
        """Somebody observes what another did: one more piece of evidence."""
        self.observations += 1
        self.does(who, f"sees {what}")

    def end(self, sentence: str) -> None:
        """The last line."""
        self._write(f"\n{sentence}")
