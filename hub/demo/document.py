"""The chapter in which two people write one document at the same time."""

import asyncio
import random
from collections import Counter
from dataclasses import dataclass
from typing import Any

from pycrdt import Doc, Text

from hub.demo.connection import Connection
from hub.demo.errors import DemoError, Refused
from hub.demo.person import Person

EDIT = "{name}-{number:04} "
"""All edits are equally long, so that every multiple of it is a place between two of them."""
MOST_EDITS = 9999
NOTHING = b"\0\0"
"""The Yjs update of no change: no structs, no deletions."""


@dataclass(frozen=True)
class Pace:
    """How much each of the two writes, and how fast."""

    edits: int = 20
    pause_ms: int = 0


class Writer:
    """One person's copy of the document, kept in step with the hub's through losses of the connection."""

    def __init__(self, name: str, connection: Connection, document_id: str) -> None:
        self._name = name
        self._connection = connection
        self._document_id = document_id
        self._doc: Doc[Any] = Doc()
        self._text = self._doc.get("text", type=Text)
        self.acknowledged: list[str] = []
        connection.listen("collab:update", self._take)

    def __str__(self) -> str:
        return str(self._text)

    async def join(self, *, bare: bool = False) -> None:
        """Open the document, now and after every return, and bring both sides up to date.

        ``bare`` sends the id alone, as simple clients do, and gets the whole document.
        """

        async def step() -> None:
            known = {"documentId": self._document_id, "stateVector": self._doc.get_state()}
            joined = await self._connection.ask_once("collab:join", self._document_id if bare else known)
            self._doc.apply_update(joined["update"])
            missing = self._since(joined["stateVector"])
            if missing["update"] != NOTHING:
                await self._connection.ask_once("collab:change", missing)

        await self._connection.keep(step)

    async def write(self, number: int) -> None:
        """Insert an edit somewhere, and have it acknowledged."""
        edit = EDIT.format(name=self._name, number=number)
        before = self._doc.get_state()
        self._text.insert(random.randrange(len(self._text) // len(edit) + 1) * len(edit), edit)  # noqa: S311 a dice
        try:
            await self._connection.ask("collab:change", self._since(before))
        except Refused as refusal:
            if refusal.code != "update_gap":
                raise
            await self._connection.ask("collab:change", self._since(refusal.details["stateVector"]))
        self.acknowledged.append(edit)

    def _since(self, state_vector: bytes) -> dict[str, object]:
        return {"documentId": self._document_id, "update": self._doc.get_update(state_vector)}

    def _take(self, event: dict[str, Any]) -> None:
        if event["documentId"] == self._document_id:
            self._doc.apply_update(event["update"])


def lost(acknowledged: list[str], text: str) -> list[str]:
    """The acknowledged edits that are not in the text exactly once."""
    found = Counter(text.split())
    return [edit for edit in acknowledged if found[edit.strip()] != 1]


async def document(ada: Person, bob: Person, pace: Pace) -> None:
    """Both write at once until their texts are equal; a third reader finds every edit that was acknowledged."""
    created = await ada.api.post("/documents", {"title": "Diagram for the computation of the numbers of Bernoulli"})
    await ada.api.post(f"/documents/{created['id']}/members", {"userId": bob.id, "role": "editor"})
    ada.does("makes a document and lets bob write in it")
    adas, bobs = (Writer(person.name, person.connection, created["id"]) for person in (ada, bob))
    await adas.join(bare=True)
    await bobs.join()
    ada.does(f"begins to write, and bob at the same time, {pace.edits} edits each")
    await asyncio.gather(_write(ada, adas, pace), _write(bob, bobs, pace))
    edits = adas.acknowledged + bobs.acknowledged
    await _see_all(ada, adas, edits)
    await _see_all(bob, bobs, edits)
    text = str(adas)
    if text != str(bobs):
        raise DemoError(f"the texts differ:\n  ada {text}\n  bob {bobs}")
    ada.has_seen(f"the same text as bob, {len(text)} characters")
    stored = await _read(ada, created["id"])
    if stored != text:
        raise DemoError(f"a third reader finds {len(lost(edits, stored))} acknowledged edits lost:\n  {stored}")
    ada.has_seen(f"the same text on another device: {len(edits)} edits acknowledged, 0 lost")


async def _write(person: Person, writer: Writer, pace: Pace) -> None:
    for number in range(1, pace.edits + 1):
        await writer.write(number)
        if number == (pace.edits + 1) // 2:
            person.does(f"has {number} edits acknowledged, and goes on")
        await asyncio.sleep(pace.pause_ms / 1000)


async def _see_all(person: Person, writer: Writer, edits: list[str]) -> None:
    await person.connection.until(lambda: not lost(edits, str(writer)), f"all {len(edits)} acknowledged edits")
    person.has_seen(f"all {len(edits)} edits, own and the other's")


async def _read(person: Person, document_id: str) -> str:
    """The text as the hub gives it to a connection that has nothing of it."""
    connection = person.new_connection()
    try:
        await connection.open(person.api.url, person.with_token)
        reader = Writer(person.name, connection, document_id)
        await reader.join()
        return str(reader)
    finally:
        await connection.close()
