"""The content of a document as plain values: what a reader of it, a comparison and a restoration work with.

``Content`` maps the names of roots to nodes. A node is a dict with ``kind``:

- ``text``: ``delta``, a list of ``{"insert": text or embedded value, "attributes"?: {…}}``;
- ``xml``: ``children``, a list of nodes: ``element`` (``tag``, ``attributes``, ``children``) and ``text`` with
  ``attributes`` of its own, if it has any;
- ``map``: ``entries``, by name; ``array``: ``entries``, a list;
- ``value``: ``value``, plain JSON or bytes;
- ``other``: what is shown as its name and never written, such as another document.
"""

from collections.abc import Iterable
from typing import Any

import msgspec

Node = dict[str, Any]
Content = dict[str, Node]
Delta = list[dict[str, Any]]


def key(node: Any) -> bytes:
    """The same bytes for the same value."""
    return msgspec.msgpack.encode(node, order="deterministic")


def tidy(delta: Iterable[dict[str, Any]]) -> Delta:
    """A delta in which neighbours that look the same are one, and nothing is said that means nothing."""
    found: list[tuple[Any, dict[str, Any]]] = []
    for run in delta:
        attributes = {name: value for name, value in (run.get("attributes") or {}).items() if value is not None}
        insert = run["insert"]
        if not isinstance(insert, str):
            found.append((insert, attributes))
        elif found and isinstance(found[-1][0], Pieces) and found[-1][1] == attributes:
            found[-1][0].append(insert)
        elif insert:
            found.append((Pieces([insert]), attributes))
    return [
        {"insert": "".join(insert) if isinstance(insert, Pieces) else insert}
        | ({"attributes": attributes} if attributes else {})
        for insert, attributes in found
    ]


class Pieces(list[str]):
    """Text that is put together at the end: a string that grows by words is copied for each."""


def plain(value: Any) -> Any:
    """A value as JSON has it: whole numbers whole, though JavaScript and so Yrs has none but floats."""
    match value:
        case float() if value.is_integer() and abs(value) < 2**53:
            return int(value)
        case dict():
            return {str(name): plain(one) for name, one in value.items()}
        case list() | tuple():
            return [plain(one) for one in value]
    return value
