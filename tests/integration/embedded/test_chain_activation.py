"""The embedded chain of a supervisor: an address at once, a process at the first request, none left behind."""

import asyncio
import json
import os
import signal
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from hub.embedded.chain import EmbeddedChain, find_anvil
from hub.embedded.data_folder import DataFolder
from hub.embedded.errors import EmbeddedError
from tests.support.chain import ENGINES, anvil_or_skip
from tests.support.programs import Program, children_of, is_alive, running
from tests.support.wait import until_sync

LAUNCHER = Path(__file__).parent / "launch_hub.py"
NODES = 2


@contextmanager
def hub(data: Path, **options: str | int | bool) -> Iterator[tuple[Program, str]]:
    """A running hub with stand-ins for nodes, and the chain's address as its nodes were told it."""
    with running([sys.executable, LAUNCHER, json.dumps({"data": str(data), "port": 0, **options})]) as program:
        line = program.line_with("Sparkle Hub listens on")
        url = next(word.rstrip(",") for word in line.split() if word.startswith("http://"))
        with urllib.request.urlopen(url, timeout=5) as answer:
            yield program, json.load(answer)["environment"].get("CHAIN_RPC_URL", "")


def ask(url: str, method: str, *params: Any) -> Any:
    body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}).encode()
    request = urllib.request.Request(url, body, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=30) as answer:
        return json.load(answer)["result"]


def descendants(pid: int) -> list[int]:
    return [one for child in children_of(pid) for one in (child, *descendants(child))]


def chain_processes(program: Program) -> list[int]:
    """The chain's process, and anvil where it has one."""
    found = [pid for pid in children_of(program.pid) if b"chain_process" in Path(f"/proc/{pid}/cmdline").read_bytes()]
    return [one for pid in found for one in (pid, *descendants(pid))]


@pytest.mark.parametrize("engine", ENGINES)
def test_nothing_runs_until_the_first_request_and_nothing_is_left_at_the_end(tmp_path: Path, engine: str) -> None:
    if engine == "anvil":
        anvil_or_skip()
    with hub(tmp_path, chain=engine) as (program, url):
        assert len(children_of(program.pid)) == NODES
        assert not (tmp_path / "chain.log").exists()
        assert ask(url, "eth_chainId") == hex(31_337)
        assert len(children_of(program.pid)) == NODES + 1
        kind = "ephemeral" if engine == "eth-tester" else f"kept in {tmp_path}/chain"
        assert kind in program.line_with("the embedded chain runs after")
        pids = chain_processes(program)
        assert len(pids) == ENGINES.index(engine) + 1
        program.send(signal.SIGTERM)
        assert program.end() == 0, program.output
        assert not any(is_alive(pid) for pid in pids)


def test_a_killed_chain_in_memory_is_followed_by_a_new_one_at_the_same_address(tmp_path: Path) -> None:
    with hub(tmp_path, chain="eth-tester") as (program, url):
        first = ask(url, "eth_getBlockByNumber", "0x0", False)["hash"]
        [pid] = chain_processes(program)
        os.kill(pid, signal.SIGKILL)
        program.line_with("the embedded chain was killed by SIGKILL; the next request starts it again")
        assert len(children_of(program.pid)) == NODES
        assert ask(url, "eth_getBlockByNumber", "0x0", False)["hash"] != first


@pytest.mark.parametrize("which", [0, 1], ids=["the process", "anvil"])
def test_a_killed_anvil_goes_on_where_it_was_a_second_before(tmp_path: Path, which: int) -> None:
    anvil_or_skip()
    with hub(tmp_path, chain="anvil") as (program, url):
        genesis = ask(url, "eth_getBlockByNumber", "0x0", False)["hash"]
        ask(url, "anvil_mine", "0x5")
        saved = tmp_path / "chain" / "state.json"
        until_sync(lambda: saved.exists() and '"number":"0x5"' in saved.read_text().replace(" ", ""))
        pids = chain_processes(program)
        os.kill(pids[which], signal.SIGKILL)
        program.line_with("the next request starts it again")
        assert ask(url, "eth_getBlockByNumber", "0x0", False)["hash"] == genesis
        assert int(ask(url, "eth_blockNumber"), 16) >= 5
        assert not any(is_alive(pid) for pid in pids)


def test_a_stop_that_could_not_save_the_chain_says_so(tmp_path: Path) -> None:
    anvil_or_skip()
    with hub(tmp_path, chain="anvil") as (program, url):
        ask(url, "eth_chainId")
        (tmp_path / "chain" / "state.new").mkdir()  # in the way of the next save
        program.send(signal.SIGTERM)
        assert program.end() == 0, program.output
        assert "the embedded chain exited with code 1 when it was stopped" in program.output
    assert "the chain could not be saved in" in (tmp_path / "chain.log").read_text()


@pytest.mark.parametrize("engine", ENGINES)
def test_the_chain_ends_with_a_killed_supervisor(tmp_path: Path, engine: str) -> None:
    if engine == "anvil":
        anvil_or_skip()
    with hub(tmp_path, chain=engine) as (program, url):
        ask(url, "eth_chainId")
        pids = chain_processes(program)
        program.send(signal.SIGKILL)
        program.end()
        until_sync(lambda: not any(is_alive(pid) for pid in pids))
    with hub(tmp_path, chain=engine) as (_, url):
        assert ask(url, "eth_chainId") == hex(31_337)


def test_with_an_address_of_its_own_or_switched_off_there_is_no_embedded_chain(tmp_path: Path) -> None:
    with hub(tmp_path, chain="off") as (_, url):
        assert url == ""
    with hub(tmp_path, chain_rpc_url="https://node.example/key") as (_, url):
        assert url == ""  # the nodes read it from the environment, as the supervisor did


def test_an_engine_that_must_be_anvil_says_what_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hub.embedded.chain._NPM_ANVIL", "no/such/folder/*")
    assert find_anvil("auto", str(tmp_path)) is None
    with pytest.raises(EmbeddedError, match="run `npm ci` in contracts"):
        find_anvil("anvil", str(tmp_path))
    program = tmp_path / "anvil"
    program.touch(0o755)
    assert find_anvil("auto", str(tmp_path)) == program
    assert find_anvil("eth-tester", str(tmp_path)) is None


async def test_a_chain_that_cannot_start_turns_requests_away_with_the_reason_in_the_log(tmp_path: Path) -> None:
    said: list[str] = []
    broken = tmp_path / "anvil"
    broken.write_text("#!/bin/sh\necho it is broken\nexit 1\n")
    broken.chmod(0o755)
    with DataFolder(tmp_path / "data") as folder:
        chain = EmbeddedChain(folder, anvil=broken, announce=said.append)
        watching = asyncio.get_running_loop().create_task(chain.watch())
        try:
            reader, writer = await asyncio.open_connection("127.0.0.1", int(chain.url.rpartition(":")[2]))
            assert await asyncio.wait_for(reader.read(), 20) == b""
            writer.close()
        finally:
            watching.cancel()
            await asyncio.gather(watching, return_exceptions=True)
            await chain.stop()
            chain.close()
    assert "anvil did not start: it is broken" in said[0]
