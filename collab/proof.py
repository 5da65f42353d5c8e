"""The whole of a document as one update, proved to be that.

Yrs is not always right about what it writes. It cannot cut an emoji in two, as JavaScript does that compares texts by
their UTF-16 units (Yjs puts U+FFFD in the place of each half): if a client deletes one half, Yrs writes a string of no
units, or one of two where one is left, and whoever loads that has other clocks than everybody else (yrs 0.28). Then the
updates themselves are merged, without Yrs' document: longer, since what is deleted stays in it, and right.
"""

from collections.abc import Sequence

from pycrdt import merge_updates

from collab import state_vector
from collab.decoding import BadUpdate
from collab.document import BrokenDocument, Document
from collab.log import Snapshot
from collab.parsed import Update
from collab.update import parse_document

MERGED_AT_ONCE = 64
"""Merging takes a time that grows with the square of their number: 10,000 at once 0.5 s, in a tree 15 ms."""


class NotProved(Exception):
    """Neither what Yrs writes nor the merged updates are the whole document; the message says why."""


def whole(document: Document, updates: Sequence[bytes]) -> tuple[bytes, Update]:
    """The document as an update, and that update parsed. ``updates`` are all that the document was made of.

    Raises NotProved.
    """
    state = document.diff()
    try:
        return state, proved(state, document.clocks)
    except NotProved:
        state = merged(updates)
        return state, proved(state, document.clocks)


def proved(state: bytes, clocks: state_vector.Clocks) -> Update:
    """The state parsed, if it is a whole document of these clocks and Yrs reads it as one. Raises NotProved."""
    copy = Document("")
    try:
        parsed = parse_document(state)
        copy.load(Snapshot(0, state, {}, len(state)))
    except (BadUpdate, BrokenDocument) as error:
        raise NotProved(f"what is written of it is not valid: {error}") from error
    ends: state_vector.Clocks = {}
    gap = parsed.gap(ends)
    parsed.advance(ends)
    if gap or ends != clocks or copy.clocks != clocks:
        raise NotProved("what is written of it is not all of it")
    return parsed


def merged(updates: Sequence[bytes]) -> bytes:
    """One update of all, which keeps everything that they have."""
    layer = list(updates)
    while len(layer) > 1:
        groups = [layer[first : first + MERGED_AT_ONCE] for first in range(0, len(layer), MERGED_AT_ONCE)]
        layer = [merge_updates(*group) if len(group) > 1 else group[0] for group in groups]
    return layer[0] if layer else b"\0\0"
