"""What changed between two contents, as people read it: word by word, in Markdown or JSON."""

from collections.abc import Iterator
from itertools import groupby
from operator import itemgetter
from typing import Any, Literal

import msgspec

from collab.content.differences import WORD, differences
from collab.content.markdown import markdown_of
from collab.content.model import Content, Node
from collab.content.plain_text import in_order
from collab.content.showing import value_of

Op = Literal["equal", "insert", "delete"]
Piece = tuple[Op, str]
LINES = 2
"""Of what is the same, shown around what is not."""
LEFT_OUT = "\n[…]\n"
MOST_BYTES = 1 << 20
"""Of one comparison. Beyond it the rest is left out, and said to be."""


def compare(before: Content, after: Content) -> list[dict[str, Any]]:
    """The roots that differ, each with its pieces: what stayed, what came, what went, in the order of the text."""
    found = []
    names = [name for name, _ in in_order(before | after)]
    for name in names:
        if before.get(name) == after.get(name):
            continue
        pieces = list(_joined(_shortened(_pieces(_text(before.get(name)), _text(after.get(name))))))
        found.append({"root": name, "pieces": [{"op": op, "text": text} for op, text in pieces if text]})
    return found


def _text(node: Node | None) -> str:
    if node is None:
        return ""
    if node["kind"] in ("text", "xml"):
        return markdown_of(node)
    return msgspec.json.format(msgspec.json.encode(value_of(node)), indent=2).decode()


def _pieces(before: str, after: str) -> Iterator[Piece]:
    """Lines first, then words within the lines that differ: most of two texts is the same."""
    old, new = before.splitlines(keepends=True), after.splitlines(keepends=True)
    for tag, i1, i2, j1, j2 in differences(old, new):
        if tag == "equal":
            yield "equal", "".join(old[i1:i2])
            continue
        words, others = WORD.findall("".join(old[i1:i2])), WORD.findall("".join(new[j1:j2]))
        for inner, k1, k2, l1, l2 in differences(words, others):
            if inner == "equal":
                yield "equal", "".join(words[k1:k2])
            else:
                yield "delete", "".join(words[k1:k2])
                yield "insert", "".join(others[l1:l2])


def _shortened(pieces: Iterator[Piece]) -> Iterator[Piece]:
    """Long stretches that are the same, cut in the middle; all, once there is too much."""
    all_pieces, size = list(pieces), 0
    for number, (op, text) in enumerate(all_pieces):
        shown = text
        lines = text.splitlines(keepends=True)
        if op == "equal" and len(lines) > 2 * LINES + 1:
            head = "" if number == 0 else "".join(lines[:LINES])
            tail = "" if number == len(all_pieces) - 1 else "".join(lines[-LINES:])
            shown = head + LEFT_OUT + tail
        size += len(shown)
        if size > MOST_BYTES:
            yield "equal", LEFT_OUT
            return
        yield op, shown


def _joined(pieces: Iterator[Piece]) -> Iterator[Piece]:
    """Pieces that follow each other and are of one kind, as one."""
    for op, same in groupby((piece for piece in pieces if piece[1]), key=itemgetter(0)):
        yield op, "".join(text for _, text in same)
