"""What can go wrong between a user and the hub. Each becomes a failure in Locust's table, named by its `repr`.

Locust counts equal failures together, so they carry codes and limits, never ids or times of the single case.
"""

from collections.abc import Mapping
from typing import Any


class Fault(Exception):
    """Something that a user would notice. Whoever raises it has reported it."""


class Refused(Fault):
    """The hub said no, with a code of its catalogue. `retry_after_s` is how long it asks to wait, if it does."""

    def __init__(
        self,
        code: str,
        *,
        retry_after_s: float | None = None,
        temporary: bool = False,
        details: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(code)
        self.code = code
        self.retry_after_s = retry_after_s
        self.temporary = temporary
        self.details = details or {}

    @classmethod
    def by_acknowledgement(cls, error: Mapping[str, Any]) -> "Refused":
        """From the ``error`` of an acknowledgement or of a refused CONNECT."""
        return cls(
            str(error.get("code", "without_code")),
            retry_after_s=error.get("retryAfter"),
            temporary=bool(error.get("temporary")),
            details=error,
        )

    @classmethod
    def by_status(cls, status: int, problem: object, retry_after: str | None) -> "Refused":
        """From an HTTP answer: its status, its decoded body if that is JSON, and its ``Retry-After``."""
        members: Mapping[str, Any] = problem if isinstance(problem, Mapping) else {}
        seconds = float(retry_after) if retry_after is not None and retry_after.isdecimal() else None
        temporary = bool(members.get("temporary", status in (0, 429, 502, 503, 504)))
        code = members.get("code", f"http_{status}" if status else "unreachable")
        return cls(str(code), retry_after_s=seconds, temporary=temporary, details=members)


class Unacknowledged(Fault):
    """No acknowledgement came in time."""

    def __init__(self, within_s: float) -> None:
        super().__init__(f"no acknowledgement within {within_s:g} s")


class Undelivered(Fault):
    """What was acknowledged for somebody connected did not come to them in time."""

    def __init__(self, within_s: float) -> None:
        super().__init__(f"not delivered within {within_s:g} s")


class Unheard(Fault):
    """Two who had signaled everything to each other did not connect in time."""

    def __init__(self, within_s: float) -> None:
        super().__init__(f"nothing came back over the peer connection within {within_s:g} s")


class Disordered(Fault):
    """A message came after a later one of the same sender."""

    def __init__(self) -> None:
        super().__init__("after a later one of the same sender")


class Repeated(Fault):
    """A message came a second time."""

    def __init__(self) -> None:
        super().__init__("delivered before")


class ConnectionLost(Fault):
    """The connection ended and the user had not ended it."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)


class EditsMissing(Fault):
    """Acknowledged edits are not in the document."""

    def __init__(self) -> None:
        super().__init__("an acknowledged edit is not in the document")
