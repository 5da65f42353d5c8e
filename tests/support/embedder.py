"""Embeddings that a test chooses: words are directions, so that cosines can be read off the texts."""

import re
from collections.abc import Sequence
from hashlib import blake2b

import numpy as np

from core_api.companions.embeddings import Matrix

DIMENSIONS = 2048
"""So many that two words of a test hardly ever have the same direction."""


class WordEmbedder:
    """Implements core_api.companions.embeddings.Embedder: texts with half their words in common have cosine 0.5."""

    def __init__(self, model_id: str = "words 1") -> None:
        self.model_id = model_id
        self.dimensions = DIMENSIONS
        self.embedded: list[str] = []
        """Every text so far."""

    async def embed(self, texts: Sequence[str]) -> Matrix:
        self.embedded += texts
        matrix = np.zeros((len(texts), DIMENSIONS), np.float32)
        for row, text in zip(matrix, texts, strict=True):
            for word in re.findall(r"\w+", text.lower()):
                row[_direction(self.model_id + word)] += 1
        norms = np.linalg.norm(matrix, axis=1, keepdims=True)
        np.divide(matrix, norms, out=matrix, where=norms > 0)
        return matrix


def _direction(word: str) -> int:
    return int.from_bytes(blake2b(word.encode(), digest_size=4).digest()) % DIMENSIONS
