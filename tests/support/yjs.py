"""Yjs clients made of pycrdt: write, remember each update, read."""

import random
from typing import Any

from pycrdt import Array, Doc, Map, Text, XmlElement, XmlFragment, XmlText

from collab import state_vector


class Writer:
    """One client with its own copy of a document."""

    def __init__(self) -> None:
        self.doc: Doc[Any] = Doc()
        self.text = self.doc.get("text", type=Text)

    def write(self, text: str, at: int | None = None) -> bytes:
        """Insert, and return the update."""
        before = self.doc.get_state()
        self.text.insert(len(self.text) if at is None else at, text)
        return self.doc.get_update(before)

    def take(self, update: bytes) -> None:
        self.doc.apply_update(update)

    def clocks(self) -> dict[int, int]:
        return state_vector.decode(self.doc.get_state())

    def __str__(self) -> str:
        return str(self.text)


def text_of(update: bytes) -> str:
    """The shared text of a whole document."""
    doc: Doc[Any] = Doc()
    doc.apply_update(update)
    return str(doc.get("text", type=Text))


def content_of(update: bytes) -> list[object]:
    """All that :func:`edit` may have made of a document: equal documents may be encoded in different ways."""
    doc: Doc[Any] = Doc()
    doc.apply_update(update)
    roots = doc.get("map", type=Map).to_py(), doc.get("array", type=Array).to_py()
    tree = str(doc.get("prosemirror", type=XmlFragment))
    return [state_vector.decode(doc.get_state()), doc.get("text", type=Text).diff(), *roots, tree]


def edit(writer: Writer, rnd: random.Random) -> bytes:
    """A random change of any kind, as an update."""
    before = writer.doc.get_state()
    doc, text = writer.doc, writer.text
    kind = rnd.randrange(8)
    if kind == 0 and len(str(text)) > 2 and str(text).isascii():
        at = rnd.randrange(len(str(text)) - 1)
        del text[at : at + 1]
    elif kind == 1:
        doc.get("map", type=Map)[rnd.choice("abc")] = rnd.choice([1, 2.5, None, True, "x", {"a": [1, "😀"]}, b"\0\1"])
    elif kind == 2:
        doc.get("array", type=Array).append(Map({"nested": Array([1, Text("deep")])}))
    elif kind == 3:
        fragment = doc.get("prosemirror", type=XmlFragment)
        paragraph = XmlElement("paragraph", {"level": "1"})
        fragment.children.append(paragraph)
        paragraph.children.append(XmlText("text"))
    elif kind == 4 and len(str(text)) > 2 and str(text).isascii():
        text.format(0, 2, {"bold": True})
    elif kind == 5:
        text.insert(0, "😀Zoë")
    else:
        text.insert(rnd.randint(0, 1) * (len(text) if str(text).isascii() else 0), rnd.choice(["a", "word ", "日本"]))
    return doc.get_update(before)
