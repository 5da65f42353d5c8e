"""Texts as vectors whose angle says how near in meaning they are: the interface of embedding models."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol, TypeAlias

if TYPE_CHECKING:  # numpy takes 0.15 s to import, and a node whose companions nobody uses never needs it
    import numpy as np
    from numpy.typing import NDArray

Matrix: TypeAlias = "NDArray[np.float32]"
"""Rows of numbers."""


class Embedder(Protocol):
    """An embedding model. Vectors of two models cannot be compared, so each is stored with its ``model_id``."""

    @property
    def model_id(self) -> str:
        """Name and version: another id means other vectors."""
        ...

    @property
    def dimensions(self) -> int:
        """Columns of every matrix."""
        ...

    async def embed(self, texts: Sequence[str]) -> Matrix:
        """A row of length 1 for each text, so that the product of two rows is their cosine. The same text gives the
        same row, but for rounding in the seventh digit.

        Of a long text only the beginning counts. Raises Overloaded when too much waits already.
        """
        ...
