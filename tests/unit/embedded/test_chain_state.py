"""anvil's chain on disk: always a whole state, taken when nothing moves; a kill costs a second, a stop nothing."""

import asyncio
import gzip
import json
import logging
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from hub.embedded import chain_state
from hub.embedded.chain_anvil import only_reads
from hub.embedded.chain_state import SavedState
from hub.embedded.errors import EmbeddedError
from tests.support.wait import until


class FakeAnvil:
    """A chain of so many blocks, of which some are still to be made."""

    def __init__(self) -> None:
        self.blocks = 1
        self.waiting = 0
        self.automine = True
        self.asked: list[str] = []
        self.may_dump = asyncio.Event()
        self.may_dump.set()
        self.fails = False

    async def ask(self, *methods: str) -> list[Any]:
        self.asked += methods
        if methods == ("anvil_getAutomine", "txpool_status"):
            return [self.automine, {"pending": hex(self.waiting), "queued": "0x0"}]
        assert methods == ("anvil_dumpState",)
        await self.may_dump.wait()
        if self.fails:
            raise EmbeddedError("anvil does not answer")
        return ["0x" + gzip.compress(json.dumps(self.blocks).encode()).hex()]

    @property
    def dumps(self) -> int:
        return self.asked.count("anvil_dumpState")


@pytest.fixture
def anvil() -> FakeAnvil:
    return FakeAnvil()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state.json"


@pytest.fixture
def saved(path: Path, anvil: FakeAnvil, monkeypatch: pytest.MonkeyPatch) -> SavedState:
    monkeypatch.setattr(chain_state, "SAVE_S", 0.01)
    return SavedState(path, anvil.ask)


def holds(path: Path, blocks: int) -> Callable[[], bool]:
    return lambda: bool(json.loads(path.read_bytes()) == blocks)


async def test_a_new_chain_is_saved_before_anybody_sees_it(saved: SavedState, path: Path) -> None:
    async with saved.kept():
        assert holds(path, 1)()


async def test_a_change_is_saved_and_reading_is_not(saved: SavedState, path: Path, anvil: FakeAnvil) -> None:
    async with saved.kept():
        for blocks in (2, 3):
            async with saved.change():
                anvil.blocks = blocks
            await until(holds(path, blocks))
        dumps = anvil.dumps
        await asyncio.to_thread(path.read_bytes)
        assert anvil.dumps == dumps <= 5


async def test_leaving_saves_at_once_what_has_just_changed(
    saved: SavedState, path: Path, anvil: FakeAnvil, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(chain_state, "SAVE_S", 3600.0)
    async with asyncio.timeout(5), saved.kept():
        await _change(saved, anvil, 2)
    assert holds(path, 2)()


async def test_leaving_during_a_save_saves_what_has_changed_since(
    saved: SavedState, path: Path, anvil: FakeAnvil
) -> None:
    async with saved.kept():
        anvil.may_dump.clear()
        async with saved.change():
            anvil.blocks = 2
        await until(lambda: anvil.dumps == 2)
        change = asyncio.get_running_loop().create_task(_change(saved, anvil, 3))
        anvil.may_dump.set()
        await change
    assert holds(path, 3)()


async def _change(saved: SavedState, anvil: FakeAnvil, blocks: int) -> None:
    async with saved.change():
        anvil.blocks = blocks


async def test_no_change_happens_while_the_state_is_taken(saved: SavedState, path: Path, anvil: FakeAnvil) -> None:
    async with saved.kept():
        anvil.may_dump.clear()
        async with saved.change():
            anvil.blocks = 2
        await until(lambda: anvil.dumps == 2)
        change = asyncio.get_running_loop().create_task(_change(saved, anvil, 3))
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(asyncio.shield(change), 0.05)
        assert anvil.blocks == 2
        anvil.may_dump.set()
        await change
        await until(holds(path, 3))


async def test_the_state_is_taken_when_the_blocks_of_what_was_sent_are_made(
    saved: SavedState, path: Path, anvil: FakeAnvil
) -> None:
    async with saved.kept():
        async with saved.change():
            anvil.waiting = 1
        await until(lambda: anvil.asked.count("txpool_status") > 3)
        assert anvil.dumps == 1
        anvil.blocks, anvil.waiting = 2, 0
        await until(holds(path, 2))


@pytest.mark.parametrize("automine", [True, False])
async def test_a_transaction_that_waits_for_ever_does_not_keep_the_chain_from_being_saved(
    saved: SavedState, path: Path, anvil: FakeAnvil, monkeypatch: pytest.MonkeyPatch, automine: bool
) -> None:
    monkeypatch.setattr(chain_state, "_MINED_S", 0.05 if automine else 3600.0)
    async with saved.kept():
        async with saved.change():
            anvil.blocks, anvil.waiting, anvil.automine = 2, 1, automine
        await until(holds(path, 2))


async def test_a_save_that_fails_leaves_the_last_state_and_is_tried_again(
    saved: SavedState, path: Path, anvil: FakeAnvil, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def disk_full(_packed: object, file: Any) -> None:
        file.write(b"{")
        raise OSError("no space left on device")

    copy = shutil.copyfileobj
    async with saved.kept():
        monkeypatch.setattr(shutil, "copyfileobj", disk_full)
        await _change(saved, anvil, 2)
        await until(lambda: "could not be saved" in caplog.text)
        assert "no space left" in caplog.text
        assert holds(path, 1)()
        monkeypatch.setattr(shutil, "copyfileobj", copy)
        await until(holds(path, 2))
    assert {record.levelno for record in caplog.records} == {logging.ERROR}


async def test_a_last_save_that_fails_is_an_error(saved: SavedState, path: Path, anvil: FakeAnvil) -> None:
    with pytest.raises(EmbeddedError, match=f"could not be saved in {path}: .*anvil does not answer"):
        async with saved.kept():
            anvil.fails = True
    assert holds(path, 1)()


CALL = '{"jsonrpc":"2.0","id":1,"method":"%s","params":[]}'


@pytest.mark.parametrize("method", ["eth_call", "eth_getLogs", "net_version", "txpool_status", "web3_clientVersion"])
def test_reading_needs_no_turn(method: str) -> None:
    call = CALL % method
    assert only_reads(call.encode())
    assert only_reads(f"[{call},{call}]".encode())


@pytest.mark.parametrize("method", ["eth_sendRawTransaction", "eth_sendTransaction", "evm_mine", "anvil_x", "new"])
def test_what_may_change_the_chain_is_taken_for_a_change_also_within_a_batch(method: str) -> None:
    call = CALL % method
    assert not only_reads(call.encode())
    assert not only_reads(f"[{CALL % 'eth_call'},{call}]".encode())
    assert not only_reads(call.replace("method", "\\u006dethod").encode())


@pytest.mark.parametrize("body", [b"", b"[1]", b"{}", b"{", b'{"method": 7}'])
def test_nonsense_is_taken_for_a_change(body: bytes) -> None:
    assert not only_reads(body)
