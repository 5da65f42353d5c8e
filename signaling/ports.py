"""What calls need of others, besides the kernel's ports."""

from typing import Protocol

from hub.kernel.ids import UserId


class People(Protocol):
    """The accounts, as far as calls ask for them."""

    async def exists(self, user_id: UserId) -> bool:
        """Whether there is an account that can be called: not deleted, not suspended."""
        ...
