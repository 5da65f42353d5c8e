"""The memories of one companion as a matrix, for finding the nearest. Imports numpy: import this at first use."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core_api.companions.embeddings import Matrix
from core_api.companions.memory_store import Trace
from core_api.companions.recall import MIN_RELEVANCE, score

LITTLE_ENDIAN = np.dtype("<f4")
GROWTH = 1.25
"""Of a full matrix: its spare rows are memory as well."""
MS_PER_HOUR = 3_600_000
BESIDE_THE_VECTOR = 150
"""Bytes of a memory beside its vector: three numbers in arrays, one in a dict."""
EMPTY = 1_000
"""Bytes of an index without memories (measured: 960). Most companions remember little, and there are many of them."""


@dataclass(frozen=True, slots=True)
class Ranked:
    """A memory that was found, by its number."""

    number: int
    score: float


class MemoryIndex:
    """A cache of what the store has of one companion, up to ``version``. Not safe for several threads at once."""

    def __init__(self, dimensions: int) -> None:
        self.version = 0
        self.foreign = False
        """Whether a memory was left out because its vector is of another model."""
        self._places: dict[int, int] = {}
        """Number → row. The first rows of the columns are taken, the others spare."""
        self._numbers = np.empty(0, np.int64)
        self._importance = np.empty(0, np.float64)
        self._said_ms = np.empty(0, np.float64)
        self._vectors = np.empty((0, dimensions), np.float32)

    def __len__(self) -> int:
        return len(self._places)

    @property
    def size_bytes(self) -> int:
        """What it takes of a node's memory, about."""
        return EMPTY + self._vectors.nbytes + len(self._numbers) * BESIDE_THE_VECTOR

    def put(self, traces: Sequence[Trace]) -> None:
        """Add memories, or replace those with the same number."""
        comparable = [(trace, trace.embedding) for trace in traces if trace.embedding is not None]
        if len(comparable) < len(traces):
            self.foreign = True
            self.drop([trace.number for trace in traces if trace.embedding is None])
        rows = [self._places.setdefault(trace.number, len(self._places)) for trace, _ in comparable]
        if len(self._places) > len(self._numbers):
            self._make_room(max(len(self._places), int(len(self._numbers) * GROWTH)))
        data = b"".join(embedding for _, embedding in comparable)
        self._vectors[rows] = np.frombuffer(data, LITTLE_ENDIAN).reshape(len(rows), self._vectors.shape[1])
        self._numbers[rows] = [trace.number for trace, _ in comparable]
        self._importance[rows] = [trace.importance for trace, _ in comparable]
        self._said_ms[rows] = [trace.said_at.timestamp() * 1000 for trace, _ in comparable]

    def keep(self, numbers: Sequence[int]) -> None:
        """Drop all memories but these."""
        self._keep(np.isin(self._numbers[: len(self)], np.asarray(numbers, np.int64)))

    def drop(self, numbers: Sequence[int]) -> None:
        """Drop these memories, as far as they are here."""
        self._keep(np.isin(self._numbers[: len(self)], np.asarray(numbers, np.int64), invert=True))

    def nearest(self, vectors: Matrix) -> list[tuple[int, float] | None]:
        """Number and cosine of the nearest memory to each vector; of equally near ones the newest."""
        if not self._places:
            return [None] * len(vectors)
        nearness = self._relevance(vectors)
        newest_first = np.argsort(-self._numbers[: len(self)])
        rows = newest_first[np.argmax(nearness[newest_first], axis=0)]
        return [(int(self._numbers[row]), float(nearness[row, place])) for place, row in enumerate(rows)]

    def best(self, vector: Matrix, now_ms: int, limit: int) -> list[Ranked]:
        """The memories relevant to a vector (one row), the best first; of equally good ones what was said last.

        The answer depends on the memories and not on the order in which they came.
        """
        relevance = self._relevance(vector)[:, 0]
        rows = np.flatnonzero(relevance >= MIN_RELEVANCE)
        age_hours = np.maximum(0.0, now_ms - self._said_ms[rows]) / MS_PER_HOUR
        scores = score(relevance[rows], age_hours, self._importance[rows])
        order = np.lexsort((-self._numbers[rows], -self._said_ms[rows], -scores))[:limit]
        return [Ranked(int(self._numbers[rows[place]]), float(scores[place])) for place in order]

    def _relevance(self, vectors: Matrix) -> NDArray[np.float64]:
        """Cosines, negative ones as 0. The seventh digit depends on the row's place, so it goes."""
        cosines = self._vectors[: len(self)] @ vectors.T
        return np.clip(cosines.astype(np.float64).round(6), 0.0, 1.0)

    def _keep(self, kept: NDArray[np.bool_]) -> None:
        rows = np.flatnonzero(kept)
        for column in (self._numbers, self._importance, self._said_ms, self._vectors):
            column[: len(rows)] = column[rows]
        self._places = {int(number): row for row, number in enumerate(self._numbers[: len(rows)])}

    def _make_room(self, rows: int) -> None:
        spare = rows - len(self._numbers)
        self._numbers = np.append(self._numbers, np.zeros(spare, np.int64))
        self._importance = np.append(self._importance, np.zeros(spare))
        self._said_ms = np.append(self._said_ms, np.zeros(spare))
        self._vectors = np.append(self._vectors, np.zeros((spare, self._vectors.shape[1]), np.float32), axis=0)
