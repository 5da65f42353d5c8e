"""The providers of pycrdt-websocket and ypy-websocket, which people still run, beside those of npm."""

import asyncio
import sys

import pytest

from tests.support.editing_room import PYTHON, EditingRoom


@pytest.mark.parametrize("kind", PYTHON)
async def test_an_editor_in_python_has_the_text_of_the_others(room: EditingRoom, kind: str) -> None:
    javascript = await room.editor("y-websocket", room.owner, node=0)
    await javascript.until(synced=True)
    await javascript.write("Zoë ")
    python = await room.editor(kind, room.owner, node=1)
    await python.until(text="Zoë ", synced=True)
    await python.write("from Python 😀 ")
    await javascript.until(text="Zoë from Python 😀 ")
    for number in range(20):
        await (python if number % 2 else javascript).write(f"{number} ")
    length = len("Zoë from Python 😀 ") + 1 + sum(len(f"{number} ") for number in range(20))
    text = (await javascript.until(length=length))["text"]
    await python.until(text=text)


async def test_no_server_imports_y_py() -> None:
    """Six bytes from a client abort a process that has it (ADR 1)."""
    program = "import sys, hub.app; sys.exit(any(name in sys.modules for name in ('y_py', 'ypy_websocket')))"
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", program)
    assert await process.wait() == 0
