"""Stamps: what a payload carries so that whoever receives it knows which message it is and when it was due."""

import re
from dataclasses import dataclass
from typing import Self

PATTERN = re.compile(r"<(\d+)\.(\d+)@(\d+)>")
PATTERN_IN_BYTES = re.compile(PATTERN.pattern.encode())


@dataclass(frozen=True, slots=True)
class Stamp:
    """One message of one sender, and when it was meant to be sent.

    Written as ``<sender.number@microseconds>``: short, and in one piece wherever text goes, also inside a Yjs update.
    The time is that of the monotonic clock, which means something only in the process that wrote it. So the users of
    one worker meet among themselves.
    """

    sender: int
    number: int
    due_us: int

    @classmethod
    def of(cls, sender: int, number: int, due_s: float) -> Self:
        """The stamp of a message that was due at ``due_s``, in seconds."""
        return cls(sender, number, round(due_s * 1_000_000))

    @classmethod
    def all_in(cls, carrier: str | bytes) -> list[Self]:
        """Every stamp in a text, or in bytes that contain text, in the order in which they stand there."""
        found = PATTERN.findall(carrier) if isinstance(carrier, str) else PATTERN_IN_BYTES.findall(carrier)
        return [cls(int(sender), int(number), int(due_us)) for sender, number, due_us in found]

    @property
    def due_s(self) -> float:
        """When it was meant to be sent, in seconds."""
        return self.due_us / 1_000_000

    def __str__(self) -> str:
        return f"<{self.sender}.{self.number}@{self.due_us}>"
