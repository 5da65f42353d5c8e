"""anvil behind the chain process: a child that keeps the chain in a file, to which requests are passed on."""

import asyncio
import contextlib
import os
import re
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp

from hub.embedded.chain_state import StateFile
from hub.embedded.errors import EmbeddedError
from hub.embedded.spawn import Process, spawn

_SAVE_S = "1"
"""How often anvil writes its state: what a kill can take away."""
_START_S = 20.0  # measured: 0.1 s; a long history is read first
_STOP_S = 10.0
_REQUEST_S = 60.0  # the largest call, with a block's gas, is done in a fraction of a second
_LISTENING = re.compile(rb"Listening on 127\.0\.0\.1:(\d+)")


class AnvilChain:
    """A `Chain`, once `running` has started it."""

    def __init__(self, state: Path, session: aiohttp.ClientSession, url: str) -> None:
        self.description = f"anvil, chain id 31337, kept in {state}"
        self._session = session
        self._url = url

    async def answer(self, body: bytes) -> bytes:
        """anvil's own answer."""
        try:
            async with self._session.post(self._url, data=body) as response:
                return await response.read()
        except (aiohttp.ClientError, TimeoutError) as error:
            raise EmbeddedError(f"anvil does not answer: {type(error).__name__} {error}") from error


@contextlib.asynccontextmanager
async def running_anvil(binary: Path, folder: Path, lock: int) -> AsyncIterator[tuple[AnvilChain, Process]]:
    """anvil with its state in `folder`, ended and its state written when left. Raises EmbeddedError if it fails."""
    state = StateFile(folder / "state.json")
    state.repair()
    output, childs_end = os.pipe()
    reader = asyncio.StreamReader()
    with os.fdopen(childs_end, "wb") as its_output:
        process = spawn(
            [
                *(binary, "--host", "127.0.0.1", "--port", "0", "--chain-id", "31337", "--no-cors"),
                *("--state", state.path, "--state-interval", _SAVE_S, "--color", "never"),
            ],
            environment={"HOME": str(folder)},
            when_parent_dies=signal.SIGTERM,
            inherit=[lock],
            output=its_output,
            directory=folder,
        )
    transport, _ = await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), os.fdopen(output, "rb", buffering=0)
    )
    try:
        port = await _port(reader)
        loop = asyncio.get_running_loop()
        beside = [loop.create_task(_drain(reader)), loop.create_task(_keep_copies(state))]
        async with aiohttp.ClientSession(
            headers={"Content-Type": "application/json"}, timeout=aiohttp.ClientTimeout(total=_REQUEST_S)
        ) as session:
            yield AnvilChain(state.path, session, f"http://127.0.0.1:{port}"), process
        for task in beside:
            task.cancel()
    finally:
        await process.stop(signal.SIGINT, _STOP_S)
        transport.close()


async def _port(output: asyncio.StreamReader) -> int:
    """The port it chose; anvil says so when it is ready."""
    said = b""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(_START_S):
            while line := await output.readline():
                if found := _LISTENING.search(line):
                    return int(found[1])
                said = line
    raise EmbeddedError(f"anvil did not start: {said.decode(errors='replace').strip() or 'it says nothing'}")


async def _keep_copies(state: StateFile) -> None:
    while True:
        await asyncio.sleep(float(_SAVE_S))
        await asyncio.to_thread(state.copy)


async def _drain(output: asyncio.StreamReader) -> None:
    """anvil writes a line per request; unread, they would fill the pipe and stop it."""
    while await output.read(1 << 16):
        pass
