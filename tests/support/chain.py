"""The embedded chain's process, for tests that need an Ethereum node: `chain_url` in tests/conftest.py, or your own."""

import contextlib
import itertools
import json
import os
import signal
import socket
import sys
import tempfile
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.error import URLError

import pytest

from hub.embedded.chain import ChainServer, find_anvil
from hub.embedded.locks import FileLock
from tests.support.programs import Program, running
from tests.support.wait import until_sync

ENGINES = ("eth-tester", "anvil")
"""For `pytest.mark.parametrize`; without the program, tests of the second are left out."""
CHAIN_ID = 31_337
ACCOUNTS = ("0xf39fd6e51aad88f6f4ce6ab8827279cfffb92266", "0x70997970c51812dc3a010c7d01b50e0d17dc79c8")
KEYS = (
    "0xac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80",
    "0x59c6995e998f97a5a0044966f0945389dc9e86dae88c7a8412f4603b6b78690d",
)
"""The first two accounts of both engines, with 10 000 ether each, and their keys."""
START_S = 30.0
"""A start takes two seconds; on a machine with other work it has taken ten."""
_numbers = itertools.count(1)


class RefusedError(Exception):
    """The chain answered with an error object."""

    def __init__(self, code: int, message: str, data: str | None = None) -> None:
        super().__init__(f"{code}: {message}")
        self.code, self.message, self.data = code, message, data


@dataclass(frozen=True)
class ChainProcess:
    """A running chain."""

    url: str
    program: Program

    def call(self, method: str, *params: Any) -> Any:
        """One JSON-RPC call; gives the result or raises RefusedError."""
        answer = self.post({"jsonrpc": "2.0", "id": next(_numbers), "method": method, "params": params})
        if "error" in answer:
            raise RefusedError(**answer["error"])
        return answer["result"]

    def post(self, body: Any) -> Any:
        """Send any JSON, or any bytes, and give the answer."""
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        request = urllib.request.Request(self.url, raw, {"Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=60) as response:
            return json.loads(response.read() or b"null")


def anvil_or_skip() -> Path:
    """The program; without it the test is left out (which CI does not allow)."""
    found = find_anvil("auto", os.environ.get("PATH"))  # noqa: TID251 of the test run, not of the hub
    if found is None:
        pytest.skip("no anvil: run `npm ci` in contracts")
    return found


@contextlib.contextmanager
def running_chain(engine: str = "eth-tester", folder: Path | None = None) -> Iterator[ChainProcess]:
    """A chain process on a port of its own, ready. anvil keeps its chain in `folder`, else in one that goes with it.

    Both make a block for each transaction at once. `evm_setAutomine`, `anvil_mine`, `evm_snapshot`, `evm_revert`,
    `evm_increaseTime` and `evm_setNextBlockTimestamp` work in both.
    """
    with contextlib.ExitStack() as held:
        if folder is None:
            folder = Path(held.enter_context(tempfile.TemporaryDirectory(prefix="sparkle-tests-")))
        listener = held.enter_context(socket.create_server(("127.0.0.1", 0)))
        lock = held.enter_context(FileLock(folder / "chain.lock"))
        kept = ["--anvil", str(anvil_or_skip()), "--folder", str(folder)] if engine == "anvil" else []
        command = [
            *(sys.executable, "-P", "-m", "hub.embedded.chain_process"),
            *("--fd", str(listener.fileno()), "--lock", str(lock.descriptor), *kept),
        ]
        until_sync(lock.try_acquire)  # as the hub does: another may still use the folder
        program = held.enter_context(running(command, inherit=[listener.fileno(), lock.descriptor]))
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        listener.close()  # from here on nobody answers when the process has ended
        until_sync(lambda: _answers(url, program), START_S)
        try:
            yield ChainProcess(url, program)
        finally:
            program.send(signal.SIGTERM)
            program.end(ChainServer.stop_s)


def _answers(url: str, program: Program) -> bool:
    assert program.popen.poll() is None, program.output
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:
            return bool(answer.status == 200)
    except (URLError, OSError):
        return False
