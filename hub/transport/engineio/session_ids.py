"""Session ids: a secret, and the node that has the session, so that any node can pass a request on to it.

    20 characters of base64url, 120 random bits, the secret │ 8 characters, the node's tag, no secret

Who makes up an id can name a node by it, and nothing else: where that node is stands in the table of leases.
"""

import base64
import os
import re
from typing import Final

from hub.kernel.ids import NodeTag

ID_BYTES: Final = 15
"""Of randomness in an id, which is a bearer secret: 20 characters without padding."""
_SECRET_CHARACTERS: Final = ID_BYTES * 4 // 3
_OF_A_CLUSTER: Final = re.compile(rf"[A-Za-z0-9_-]{{{_SECRET_CHARACTERS}}}([0-9A-HJKMNP-TV-Z]{{8}})").fullmatch
"""The tag is the end of a ULID: Crockford's base 32, without I, L, O and U."""


def new_id() -> str:
    """A random id."""
    return base64.urlsafe_b64encode(os.urandom(ID_BYTES)).decode()


def new_session_id(node: NodeTag | None) -> str:
    """The id of a session of this node; ``None``: there are no others, so it needs no name."""
    return new_id() if node is None else new_id() + node


def node_of(session_id: str) -> NodeTag | None:
    """The node that an id names, whether or not there is one. ``None``: it is no id of a session in a cluster."""
    match = _OF_A_CLUSTER(session_id)
    return None if match is None else NodeTag(match[1])
