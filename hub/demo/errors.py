"""How a demo fails."""

from typing import Any

ANSWER_S = 10.0
"""For anything to happen: orders of magnitude above what it takes, and short enough to wait for."""


class DemoError(Exception):
    """The demo cannot go on; the message is for the person at the terminal."""


class Missing(DemoError):
    """Something that should have been observed was not."""

    def __init__(self, who: str, what: str, within_s: float, last: str) -> None:
        super().__init__(f"{who} did not see {what} within {within_s:g} s; received last: {last}")


class Refused(DemoError):
    """The hub said no. ``details`` is its error object."""

    def __init__(self, request: str, details: dict[str, Any]) -> None:
        super().__init__(f"{request} was refused: {details.get('code')}: {details.get('message')}")
        self.details = details

    @property
    def code(self) -> object:
        """The hub's name for the reason."""
        return self.details.get("code")
