"""anvil's chain in a file. We ask anvil for its state and write it; what it writes by itself is not fit to go on from.

It writes over its file in place, so a kill leaves half of one. It writes nothing at all if told to end between saying
that it listens and installing its signal handlers. And it writes while it makes a block: of such states, under load,
one in three had the nonce of a sender whose transaction was in no block.
"""

import asyncio
import contextlib
import gzip
import io
import logging
import os
import shutil
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

from hub.embedded.errors import EmbeddedError

log = logging.getLogger(__name__)

SAVE_S = 1.0
"""From a change to the save that has it: what a kill can take away."""
_PAUSE = 4  # times as long as the last save took; changes wait meanwhile, for 0.3 s on a chain of 2300 blocks
_MINED_S = 1.0  # a block takes milliseconds; what pays less than the base fee can wait for ever
_POLL_S = 0.005


class SavedState:
    """The file at `path`: always a whole state, taken between two changes.

    `ask` calls methods of anvil that take no parameters, as one batch, and gives their results.
    """

    def __init__(self, path: Path, ask: Callable[..., Awaitable[list[Any]]]) -> None:
        self.path = path
        self._ask = ask
        self._still = asyncio.Lock()  # held by a change, and while the state is taken
        self._changed = asyncio.Event()
        self._ending = asyncio.Event()

    @contextlib.asynccontextmanager
    async def change(self) -> AsyncIterator[None]:
        """Around a request that may change the chain: one at a time, and none while the state is taken."""
        async with self._still:
            self._changed.set()
            yield

    @contextlib.asynccontextmanager
    async def kept(self) -> AsyncIterator[None]:
        """Saves a new chain before anybody sees it, then a second after each change, and when left.

        Raises EmbeddedError if the first or the last of these fails; one between is logged, and tried again.
        """
        if not self.path.exists():
            await self._save()
        saving = asyncio.get_running_loop().create_task(self._keep_saving())
        try:
            yield
        finally:
            self._ending.set()
            self._changed.set()
            await saving

    async def _keep_saving(self) -> None:
        pause_s = SAVE_S
        while True:
            await self._changed.wait()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._ending.wait(), pause_s)
            is_last, started = self._ending.is_set(), time.monotonic()
            try:
                await self._save()
            except EmbeddedError as error:
                if is_last:
                    raise
                log.error("%s", error)
                self._changed.set()
            if is_last:
                return
            pause_s = max(SAVE_S, _PAUSE * (time.monotonic() - started))

    async def _save(self) -> None:
        try:
            async with self._still:
                await self._until_mined()
                self._changed.clear()
                [state] = await self._ask("anvil_dumpState")
            await asyncio.to_thread(self._write, state)
        except Exception as error:  # whatever it is: the next save may go well
            raise EmbeddedError(f"the chain could not be saved in {self.path}: {error!r}") from error

    async def _until_mined(self) -> None:
        """Wait for the blocks of what was sent: anvil makes them a moment after its answer."""
        end = time.monotonic() + _MINED_S
        while time.monotonic() < end:
            at_once, waiting = await self._ask("anvil_getAutomine", "txpool_status")
            if not at_once or int(waiting["pending"], 16) == 0:
                return
            await asyncio.sleep(_POLL_S)

    def _write(self, state: str) -> None:
        """Put `state`, gzipped JSON in hexadecimal, in place of the last one."""
        draft = self.path.with_suffix(".new")
        with gzip.open(io.BytesIO(bytes.fromhex(state[2:]))) as packed, draft.open("wb") as file:
            shutil.copyfileobj(packed, file)
            file.flush()
            os.fsync(file.fileno())
        os.replace(draft, self.path)
