"""anvil's state file: a kill in the middle of a write costs a second of the chain, not all of it."""

from pathlib import Path

import pytest

from hub.embedded.chain_state import StateFile

OLD, NEW = b'{"blocks": [1]}', b'{"blocks": [1, 2]}'


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state.json"


def test_half_a_state_is_replaced_by_the_last_whole_one(path: Path) -> None:
    state = StateFile(path)
    for written in (OLD, NEW, NEW[:9]):
        path.write_bytes(written)
        state.copy()
    StateFile(path).repair()
    assert path.read_bytes() == NEW


def test_a_whole_state_is_left_alone_also_when_the_copy_is_older(path: Path) -> None:
    state = StateFile(path)
    path.write_bytes(OLD)
    state.copy()
    path.write_bytes(NEW)
    StateFile(path).repair()
    assert path.read_bytes() == NEW


def test_without_any_whole_state_a_new_chain_begins(path: Path) -> None:
    state = StateFile(path)
    state.copy()
    state.repair()
    path.write_bytes(b"")
    state.copy()
    state.repair()
    assert list(path.parent.iterdir()) == []
