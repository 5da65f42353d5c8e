"""Which pages may open sockets."""

from collections.abc import Iterable


class OriginRule:
    """The hub's own origin, and those that its operator allows; ``*`` allows all.

    Browsers send Origin with every WebSocket handshake and do not apply CORS to it, so without this any page could open
    a socket with its visitor's cookies. Whoever sends no Origin is no page.
    """

    def __init__(self, allowed: Iterable[str] = ()) -> None:
        self._allowed = frozenset(allowed)

    def allows(self, origin: str | None, host: str) -> bool:
        """Whether a page of ``origin`` may connect to the hub under ``host`` (of the Host header)."""
        if not origin or "*" in self._allowed or origin in self._allowed:
            return True
        return origin in (f"http://{host}", f"https://{host}")
