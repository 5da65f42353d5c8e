"""Where the blocks of what the hub publishes are, as a Protocol."""

from collections.abc import Sequence
from typing import Protocol

from core_api.chain.cid import Cid
from core_api.chain.unixfs import Block


class CorruptBlock(Exception):
    """What is stored under a name is not what the name says: the storage is damaged, or was tampered with."""


class BlockStore(Protocol):
    """Content-addressed blocks. Nothing expires, and nothing stored ever changes."""

    async def put(self, blocks: Sequence[Block]) -> None:
        """Store blocks: all, and durably, when it returns. Those that are there already stay as they are."""
        ...

    async def get(self, cid: Cid) -> bytes | None:
        """The content of a block, hashed and compared with its name. Raises CorruptBlock if it does not fit."""
        ...
