"""A document, its owner, and the editors in processes of their own that are started on it."""

import contextlib
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.support.editor_process import Editor, running_editor
from tests.support.hub_process import HubProcess
from tests.support.rest import Person, Rest

ROOT = Path(__file__).parents[2]
PYTHON = ("pycrdt", "ypy")
"""Providers of Python; the others are those of npm."""


@dataclass
class EditingRoom:
    """A document, its owner, and the editors that are started on it."""

    id: str
    owner: Person
    rest: Rest
    hub: HubProcess
    stack: contextlib.AsyncExitStack
    scripts: Path
    """The folder with editor.mjs."""

    async def member(self, name: str, role: str) -> Person:
        person = await self.rest.sign_up(name)
        body = {"userId": person.id, "role": role}
        (await self.rest.post(f"/documents/{self.id}/members", self.owner, json=body)).expect(201)
        return person

    async def token(self, person: Person, access: str) -> str:
        answer = await self.rest.post(f"/documents/{self.id}/tokens", person, json={"access": access})
        token: str = answer.expect(201)["token"]
        return token

    async def editor(self, kind: str, person: Person, *, node: int, access: str = "write", **more: Any) -> Editor:
        """Start an unmodified provider; in Python, if its kind is one of PYTHON."""
        given = {
            "kind": kind,
            "url": self.hub.nodes[node].url,
            "documentId": self.id,
            "token": await self.token(person, access),
            "name": f"{kind} at {node}",
            **more,
        }
        in_python = kind in PYTHON
        command = [sys.executable, "-m", "tests.support.python_editor"] if in_python else ["node", "editor.mjs"]
        return await self.stack.enter_async_context(
            running_editor(command, ROOT if in_python else self.scripts, **given)
        )
