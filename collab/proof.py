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
        state, _ = merged(updates)
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


def brings(difference: bytes, vector: bytes, clocks: state_vector.Clocks) -> bool:
    """Whether a difference brings a client at ``vector`` to these clocks, and not past them."""
    ends = state_vector.decode(vector)
    try:
        parsed = parse_document(difference)
    except BadUpdate:
        return False
    if parsed.gap(ends):
        return False
    for client, _, end in parsed.brings:
        if end > clocks.get(client, 0):
            return False
    parsed.advance(ends)
    return all(ends.get(client, 0) >= clock for client, clock in clocks.items())


def merged(updates: Sequence[bytes]) -> tuple[bytes, state_vector.Clocks]:
    """One update of all, which keeps everything that they have, and its clocks. Raises NotProved if that cannot be."""
    layer = list(updates)
    try:
        while len(layer) > 1:
            groups = [layer[first : first + MERGED_AT_ONCE] for first in range(0, len(layer), MERGED_AT_ONCE)]
            layer = [merge_updates(*group) if len(group) > 1 else group[0] for group in groups]
    except (KeyboardInterrupt, SystemExit):
        raise
    except BaseException as error:  # a panic of Yrs is no Exception
        raise NotProved(f"its updates cannot be merged: {error}") from error
    whole = layer[0] if layer else b"\0\0"
    clocks: state_vector.Clocks = {}
    try:
        parse_document(whole).advance(clocks)
    except BadUpdate as error:
        raise NotProved(f"its updates cannot be merged: {error}") from error
    return whole, clocks
