"""What the project promises of its own files: locks, versions, and the private names that it leans on."""

import json
import re
from importlib.metadata import version
from pathlib import Path

import engineio
import pytest
import socketio

ROOT = Path(__file__).parents[2]
LOCKS = sorted(ROOT.glob("requirements/*.txt"))


@pytest.mark.parametrize("lock", LOCKS, ids=lambda path: path.name)
def test_a_lock_has_hashes_and_no_download_addresses(lock: Path) -> None:
    text = lock.read_text()
    pins = re.findall(r"^\S+==\S+", text, re.MULTILINE)
    assert len(pins) > 40
    assert "://" not in text
    assert text.count("--hash=sha256:") >= len(pins)


def test_npm_locks_have_no_download_addresses() -> None:
    locks = [path for path in ROOT.rglob("package-lock.json") if "node_modules" not in path.parts]
    assert locks
    for lock in locks:
        packages = json.loads(lock.read_text())["packages"]
        assert [name for name, package in packages.items() if "resolved" in package] == []


def test_what_is_run_is_a_part_of_what_is_tested() -> None:
    run, dev = (
        set(re.findall(r"^\S+==\S+", (ROOT / f"requirements/{name}.txt").read_text(), re.MULTILINE))
        for name in ("run", "dev")
    )
    assert run <= dev


def test_python_socketio_has_the_private_names_that_hub_transport_uses() -> None:
    """See hub/transport/socketio_server.py. The pin is exact: a new release is looked at before it is taken."""
    assert version("python-socketio") == "5.18.1"
    for name in ("_handle_connect", "_handle_event", "_handle_eio_message", "_send_packet", "packet_class", "manager"):
        assert hasattr(socketio.AsyncServer(async_mode="aiohttp"), name), name
    for name in ("eio_sid_from_sid", "sid_from_eio_sid", "is_connected"):
        assert hasattr(socketio.AsyncManager, name), name
    assert hasattr(engineio.AsyncServer(async_mode="aiohttp"), "sockets")
