"""Updates that change a document as its editors do, made of what it is to say."""

import secrets
from typing import Any

from pycrdt import Doc

from collab import state_vector
from collab.content.editing import turn_into
from collab.content.model import Content
from collab.content.roots import kinds

CLIENT_BITS = 32
"""Of the ids that Yjs gives its clients."""


def change_into(state: bytes, wanted: Content, *, keep_others: bool = False) -> bytes | None:
    """The update v1 that turns a document into the wanted content; ``None`` if that is what it is.

    It is made by a client that nobody else is. ``keep_others`` leaves the roots that are not wanted as they are.
    Raises BadUpdate, TooDeep and NotWritable.
    """
    doc: Doc[Any] = Doc(client_id=secrets.randbits(CLIENT_BITS))
    doc.apply_update(state)
    roots = kinds(state)
    if keep_others:
        roots = {name: kind for name, kind in roots.items() if name in wanted}
    before, vector = doc.get_update(), doc.get_state()
    turn_into(doc, roots, wanted)
    if state_vector.decode(doc.get_state()) == state_vector.decode(vector) and doc.get_update() == before:
        return None
    return doc.get_update(vector)
