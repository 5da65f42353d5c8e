"""Who is in a call, so that the next caller hears that the line is busy. Advisory: the call itself decides.

Whoever places a call is told of the line by the store, see CallStore.place.
"""

from collections.abc import Collection
from typing import Protocol

from hub.kernel.ids import UserId


class BusyLines(Protocol):
    """The call that somebody has answered last, for as long as its leg lives.

    It expires with the lease of the leg, and is renewed with it. No method raises because Redis does not answer.
    """

    async def take(self, user_ids: Collection[UserId], call_id: str) -> None:
        """These people are in the call, for the length of a lease from now on. Nobody waits until that is written."""
        ...

    async def call_of(self, user_id: UserId) -> str | None:
        """The call that somebody may be in; ``None`` if none is known."""
        ...

    async def free(self, user_ids: Collection[UserId], call_id: str) -> None:
        """These people are not in this call any more. Nothing happens to those who are in another."""
        ...
