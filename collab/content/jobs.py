"""What can be asked about the content of a document: what the node sends to the process that answers it.

Apart from how it is done, whose parsers and formats a node has no use for.
"""

from typing import Literal

import msgspec

LONGEST_S = 30
"""For one job. Then the kernel ends the process, whatever it hangs in. A rich document of 1 MB takes 1 s to read."""
Editor = Literal["prosemirror", "tiptap"]
"""Whose names the nodes have: an editor throws out what has a name that it does not know."""
Format = Literal["yjs-v1", "yjs-v2", "text", "markdown", "json"]


class Stored(msgspec.Struct, frozen=True, array_like=True):
    """A document as the log has it."""

    state: bytes | None
    """Of the snapshot, or of a version: an update v1 that was proved to be whole."""
    rows: list[bytes] = []
    """Packed updates since, in an order that mostly is causal."""


class Job(msgspec.Struct, frozen=True, tag=True, array_like=True):
    """Something to find out or to make. The answer is bytes."""


class Gather(Job, frozen=True, tag=True, array_like=True):
    """The whole document as one update v1."""

    stored: Stored


class Export(Job, frozen=True, tag=True, array_like=True):
    """The document in a format."""

    stored: Stored
    format: Format


class Compare(Job, frozen=True, tag=True, array_like=True):
    """What changed from one to the other, as JSON."""

    before: Stored
    after: Stored


class Restore(Job, frozen=True, tag=True, array_like=True):
    """The update that turns a document into what another one says; empty if it says that already."""

    present: Stored
    wanted: Stored


class Import(Job, frozen=True, tag=True, array_like=True):
    """The update that makes a document say what is given in a format; the same if empty.

    Text and Markdown replace one root and JSON those that it has. An update of Yjs is merged, as a client's is.
    """

    present: Stored
    format: Format
    data: bytes
    root: str
    editor: Editor


class Answer(msgspec.Struct, frozen=True, array_like=True):
    """One for each job, in order."""

    result: bytes | None = None
    refused: str | None = None
    """Why it cannot be done with this content."""
    failed: str | None = None
