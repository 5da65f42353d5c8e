"""anvil behind the chain process: a child to which requests are passed on, and whose chain is kept in a file."""

import asyncio
import contextlib
import os
import re
import signal
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import orjson

from hub.embedded.chain_state import SavedState
from hub.embedded.errors import EmbeddedError
from hub.embedded.spawn import Process, spawn

_START_S = 20.0  # measured: 0.1 s; a long history is read first
_REQUEST_S = 60.0  # the largest call, with a block's gas, is done in a fraction of a second
_LISTENING = re.compile(rb"Listening on 127\.0\.0\.1:(\d+)")
_READS = re.compile(r"eth_(?!send)|net_|web3_|txpool_|debug_|trace_|ots_")
"""Methods that leave the chain as it is. What is not known to is taken for a change."""


class AnvilClient:
    """JSON-RPC over HTTP to anvil at `url`."""

    def __init__(self, session: aiohttp.ClientSession, url: str) -> None:
        self._session = session
        self._url = url

    async def post(self, body: bytes) -> bytes:
        """anvil's own answer. Raises EmbeddedError if there is none."""
        try:
            async with self._session.post(self._url, data=body) as response:
                return await response.read()
        except (aiohttp.ClientError, TimeoutError) as error:
            raise EmbeddedError(f"anvil does not answer: {type(error).__name__} {error}") from error

    async def ask(self, *methods: str) -> list[Any]:
        """The results of these methods, without parameters, in one batch. Raises EmbeddedError if one fails."""
        calls = [{"jsonrpc": "2.0", "id": number, "method": name, "params": []} for number, name in enumerate(methods)]
        answers = orjson.loads(await self.post(orjson.dumps(calls)))
        results = {answer["id"]: answer["result"] for answer in answers if "result" in answer}
        if len(results) < len(methods):
            raise EmbeddedError(f"anvil refuses one of {', '.join(methods)}: {answers}")
        return [results[number] for number in range(len(methods))]


class AnvilChain:
    """A `Chain`: passes requests on to anvil, those that may change the chain through `state`."""

    def __init__(self, anvil: AnvilClient, state: SavedState) -> None:
        self.description = f"anvil, chain id 31337, kept in {state.path}"
        self._anvil = anvil
        self._state = state

    async def answer(self, body: bytes) -> bytes:
        """anvil's own answer."""
        if only_reads(body):
            return await self._anvil.post(body)
        async with self._state.change():
            return await self._anvil.post(body)


def only_reads(body: bytes) -> bool:
    """Whether no call in this request, or batch, can change the chain."""
    try:
        request = orjson.loads(body)
    except ValueError:
        return False  # anvil says what is wrong with it
    calls = request if isinstance(request, list) else [request]
    return all(isinstance(call, dict) and _READS.match(str(call.get("method"))) for call in calls)


@contextlib.asynccontextmanager
async def running_anvil(binary: Path, folder: Path, lock: int) -> AsyncIterator[tuple[AnvilChain, Process]]:
    """anvil with its chain kept in `folder`; saved and ended when left. Raises EmbeddedError if one of these fails."""
    state = folder / "state.json"
    kept: list[str | Path] = ["--load-state", state] if state.exists() else []
    output, childs_end = os.pipe()
    reader = asyncio.StreamReader()
    with os.fdopen(childs_end, "wb") as its_output:
        process = spawn(
            [
                *(binary, "--host", "127.0.0.1", "--port", "0", "--chain-id", "31337", "--no-cors"),
                *("--color", "never", *kept),
            ],
            environment={"HOME": str(folder)},
            when_parent_dies=signal.SIGKILL,
            inherit=[lock],
            output=its_output,
            directory=folder,
        )
    transport, _ = await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), os.fdopen(output, "rb", buffering=0)
    )
    try:
        port = await _port(reader)
        drain = asyncio.get_running_loop().create_task(_drain(reader))
        async with aiohttp.ClientSession(
            headers={"Content-Type": "application/json"}, timeout=aiohttp.ClientTimeout(total=_REQUEST_S)
        ) as session:
            anvil = AnvilClient(session, f"http://127.0.0.1:{port}")
            saved = SavedState(state, anvil.ask)
            try:
                async with saved.kept():
                    yield AnvilChain(anvil, saved), process
            except EmbeddedError as error:
                if process.exit_code is None:
                    raise
                raise EmbeddedError(f"anvil {process.end}; its chain goes on from {state}") from error
        drain.cancel()
    finally:
        process.send(signal.SIGKILL)  # it has nothing to write
        await process.wait()
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


async def _drain(output: asyncio.StreamReader) -> None:
    """anvil writes a line per request; unread, they would fill the pipe and stop it."""
    while await output.read(1 << 16):
        pass
