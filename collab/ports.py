"""What documents need of others, besides the kernel's ports."""

from typing import Protocol


class People(Protocol):
    """The accounts, as far as documents ask for them."""

    async def exists(self, user_id: str) -> bool:
        """Whether there is an account to share with."""
        ...
