"""Yjs documents of npm and of Python in one hub: whoever writes what, at once, on whichever node, ends up with the
same document.
"""

import asyncio
from typing import Any

from pycrdt import Doc, Text, XmlFragment

from tests.e2e.conftest import Script
from tests.support.hub_process import HubProcess
from tests.support.rest import Person, Rest
from tests.support.socket_client import socket_client
from tests.support.wait import until
from tests.support.yjs import Writer

MARKS = ["[ada is done]", "[bob is done]", "[eve is done]"]
"""The last thing that each writer writes: whoever has all three has everything."""


async def test_writers_on_two_nodes_and_in_two_languages_end_up_equal(
    hub: HubProcess, rest: Rest, script: Script
) -> None:
    ada, bob, eve = [await rest.sign_up(name) for name in ("ada", "bob", "eve")]
    document_id = await rest.document(ada, bob, eve)

    report, mine = await asyncio.gather(
        script("yjs_editing", ada=ada.for_scripts(), bob=bob.for_scripts(), documentId=document_id, marks=MARKS),
        _write_in_python(hub.nodes[1].url, eve, document_id),
    )

    assert report["access"] == ["write", "write"]
    first, *others = report["contents"]
    assert all(one == first for one in others)
    assert mine == first
    for writer in range(2):
        assert f"<paragraph>from {writer}: 😀</paragraph>" in first["rich"]
    assert await _join_anew(hub.nodes[0].url, eve, document_id) == first


async def test_an_update_with_a_gap_is_refused_and_healed_by_the_difference(rest: Rest, script: Script) -> None:
    ada, bob = await rest.sign_up("ada"), await rest.sign_up("bob")
    document_id = await rest.document(ada, bob)
    report = await script("yjs_gap", ada=ada.for_scripts(), bob=bob.for_scripts(), documentId=document_id)

    assert report["refused"]["code"] == "update_gap"
    assert report["refused"]["stateVector"] > 0
    assert report["healed"]["ok"] is True
    assert report["healed"]["data"]["seq"]
    assert report["again"]["ok"] is True
    assert report["read"]["text"] == "one two three"


async def _write_in_python(url: str, person: Person, document_id: str) -> dict[str, str]:
    """Write a hundred words and the mark, and give the contents when everybody is done."""
    writer = Writer()
    async with socket_client(url, person.token) as client:
        client.io.on("collab:update", lambda payload: writer.take(payload["update"]))
        writer.take((await client.ok("collab:join", documentId := document_id))["update"])
        for number in range(100):
            update = writer.write(f"eve:{number} 🐍 ", at=0 if number % 3 else None)
            await client.ok("collab:change", {"documentId": documentId, "update": update})
        await client.ok("collab:change", {"documentId": documentId, "update": writer.write(MARKS[2])})
        await until(lambda: all(mark in str(writer) for mark in MARKS), 20.0)
    return _contents(writer.doc)


async def _join_anew(url: str, person: Person, document_id: str) -> dict[str, str]:
    doc: Doc[Any] = Doc()
    async with socket_client(url, person.token) as client:
        doc.apply_update((await client.ok("collab:join", document_id))["update"])
    return _contents(doc)


def _contents(doc: Doc[Any]) -> dict[str, str]:
    return {"text": str(doc.get("text", type=Text)), "rich": str(doc.get("prosemirror", type=XmlFragment))}
